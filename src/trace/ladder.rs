//! A trace as a ladder, and all of them as a list.

use std::collections::BTreeMap;
use std::fmt::Write;

use jiff::tz::TimeZone;

use super::{Listed, Passed, when};
use crate::columns::Columns;

/// Between two lines of life.
const SPAN: usize = 32;

/// Everything that is held, a line each.
pub(super) fn list(traces: &[Listed], zone: &TimeZone) -> String {
    let titles = ["began", "call", "with", "status", "messages", "octets"];
    let mut table = Columns::new(&titles, 3);
    for trace in traces {
        let with: Vec<String> = trace.legs.iter().map(|leg| who(leg)).collect();
        table.row([
            when::short(trace.first, zone),
            trace.id.clone(),
            with.join(", "),
            if trace.status == 0 {
                "-".to_owned()
            } else {
                trace.status.to_string()
            },
            (trace.messages + trace.left_out).to_string(),
            trace.octets.to_string(),
        ]);
    }
    let mut text = table.text();
    let attempts = traces.iter().filter(|trace| trace.id.contains('/')).count();
    let calls = traces.len() - attempts;
    let many = |count: usize, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
    let _ = writeln!(
        text,
        "{}, {} that became none",
        many(calls, "call"),
        many(attempts, "INVITE")
    );
    text
}

/// One trace: the caller on the left, us in the middle, operators on the right.
pub(super) fn draw(trace: &Listed, passed: &[Passed], messages: bool, zone: &TimeZone) -> String {
    let mut text = String::new();
    let Some(first) = passed.first() else {
        return format!("{}: nothing has passed yet\n", trace.id);
    };
    let subject = if trace.id.contains('/') { "" } else { "call " };
    let _ = writeln!(
        text,
        "{subject}{}, began {}",
        trace.id,
        when::short(first.at, zone)
    );
    let mut remotes = BTreeMap::new();
    for message in passed {
        remotes
            .entry(message.leg)
            .or_insert((message.remote, &message.transport));
    }
    for (leg, (remote, transport)) in &remotes {
        let name = trace.legs.get(*leg).map_or_else(String::new, |leg| who(leg));
        let _ = writeln!(text, "  {name:<14} {remote} over {transport}");
    }
    let two = trace.legs.len() > 1;
    let titles = if two {
        format!("{:<SPAN$}operators", "Pronto")
    } else {
        "Pronto".to_owned()
    };
    let _ = writeln!(text, "\n{:>10}  {:<SPAN$}{titles}", "s", "caller");
    let total = passed.len();
    for (index, message) in passed.iter().enumerate() {
        if trace.left_out > 0 && index == total / 2 {
            let _ = writeln!(text, "{:>10}  … {} messages were not kept", "", trace.left_out);
        }
        let after = message.at.since(first.at).as_secs_f64();
        let _ = writeln!(text, "{after:>10.3}  {}", rung(trace, message, two).trim_end());
        if messages {
            for line in String::from_utf8_lossy(&message.octets).lines() {
                let _ = writeln!(text, "{:>12}{}", "", printable(line));
            }
        }
    }
    text
}

/// `│── INVITE, SDP ───▶│                 │`, and what there is to say of it.
fn rung(trace: &Listed, message: &Passed, two: bool) -> String {
    let left = message.leg == 0;
    let arrow = arrow(&label(&message.octets), message.sent != left);
    let empty = " ".repeat(SPAN - 1);
    let mut rung = match (left, two) {
        (true, true) => format!("│{arrow}│{empty}│"),
        (true, false) => format!("│{arrow}│"),
        (false, _) => format!("│{empty}│{arrow}│"),
    };
    if !left {
        let _ = write!(
            rung,
            " {}",
            trace.legs.get(message.leg).map_or("", String::as_str)
        );
    }
    if message.repeated {
        rung.push_str(" (again)");
    }
    rung
}

fn arrow(label: &str, to_the_right: bool) -> String {
    let kept: String = label.chars().take(SPAN - 8).collect();
    let line = "─".repeat(SPAN - 6 - kept.chars().count());
    if to_the_right {
        format!("── {kept} {line}▶")
    } else {
        format!("◀── {kept} {line}")
    }
}

/// The method or the status, of which request, and whether a session is described.
fn label(octets: &[u8]) -> String {
    let text = String::from_utf8_lossy(octets);
    let first = text.lines().next().unwrap_or_default();
    let mut words = match first.strip_prefix("SIP/2.0 ") {
        Some(status) => {
            let method = text
                .lines()
                .skip(1)
                .take_while(|line| !line.is_empty())
                .find_map(|line| {
                    let (name, value) = line.split_once(':')?;
                    let ours = name.trim().eq_ignore_ascii_case("cseq");
                    ours.then(|| value.split_whitespace().nth(1).unwrap_or_default().to_owned())
                });
            match method.as_deref() {
                None | Some("INVITE") => status.to_owned(),
                Some(method) => format!("{status} ({method})"),
            }
        }
        None => first.split(' ').next().unwrap_or_default().to_owned(),
    };
    if text.contains("\r\n\r\nv=0") {
        words.push_str(", SDP");
    }
    printable(&words)
}

fn who(leg: &str) -> String {
    if leg.is_empty() {
        "caller".to_owned()
    } else {
        format!("operator {leg}")
    }
}

/// Replaces control characters, so that text from outside cannot move the terminal's cursor.
fn printable(line: &str) -> String {
    line.chars()
        .map(|character| if character.is_control() { '?' } else { character })
        .collect()
}
