//! `pronto config check`: everything that is wrong with a configuration, or what leads where in it.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use pronto_config::show_duration as show;

use pronto_engine::{OperatorSettings, QueueSettings, Strategy};

use crate::config::{Config, Look, Number};

/// The result of a check, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether Pronto would start: the exit status is 0, else 1.
    pub sound: bool,
    /// For the person: the summary and the warnings, or every error.
    pub text: String,
}

/// Checks the configuration at a path, with its flows, prompts and password variables.
pub fn check(path: &Path, look: Look) -> Finding {
    match Config::load(path) {
        Ok(config) => Finding {
            sound: true,
            text: config.warnings.render(look) + &summary(&config),
        },
        Err(report) => {
            let mut text = report.render(look);
            let _ = write!(text, "{}", count(report.errors(), "error"));
            if report.warnings() > 0 {
                let _ = write!(text, ", {}", count(report.warnings(), "warning"));
            }
            Finding {
                sound: false,
                text: text + "\n",
            }
        }
    }
}

/// Renders the paths of calls: `ok`, then numbers to flows to queues to operators.
pub fn summary(config: &Config) -> String {
    let file = config
        .file
        .as_ref()
        .map_or("the built-in centre".to_owned(), |file| {
            file.display().to_string()
        });
    let mut lines = vec![format!("ok: {file}")];
    section(&mut lines, "numbers", config.numbers.iter().map(number_line));
    section(
        &mut lines,
        "queues",
        config.engine.queues.iter().map(|queue| queue_line(config, queue)),
    );
    section(
        &mut lines,
        "operators",
        config.engine.operators.iter().map(operator_line),
    );
    let sip: Vec<String> = listened(config).collect();
    lines.push(format!(
        "SIP {} · gRPC {} · metrics {}",
        sip.join(", "),
        config.grpc.listen,
        config.metrics
    ));
    lines.push(format!("{} · kept in {}", zone(config), config.store.display()));
    lines.join("\n") + "\n"
}

/// The sockets for SIP, as they are written in the file.
fn listened(config: &Config) -> impl Iterator<Item = String> {
    let listen = config.sip.listen.iter();
    listen.map(|(transport, address)| format!("{}:{address}", transport.name()))
}

fn section(lines: &mut Vec<String>, title: &str, entries: impl ExactSizeIterator<Item = String>) {
    if entries.len() > 0 {
        lines.push(title.to_owned());
        lines.extend(entries);
    }
}

fn number_line(number: &Number) -> String {
    let mut queues: Vec<&str> = Vec::new();
    for (queue, _) in number.served.flow.queues() {
        if !queues.contains(&queue.as_str()) {
            queues.push(queue.as_str());
        }
    }
    format!(
        "  {} ({}) → {} → {}",
        number.served.dial,
        number.served.language,
        number.flow_name,
        listed(&queues)
    )
}

fn queue_line(config: &Config, queue: &QueueSettings) -> String {
    let operators = config
        .engine
        .operators
        .iter()
        .filter(|operator| operator.queues.contains(&queue.name));
    let operators: Vec<_> = operators.map(|operator| operator.id.as_str()).collect();
    let (ring, max_wait) = (show(queue.ring), show(queue.max_wait));
    let strategy = match queue.strategy {
        Strategy::LongestIdle => "longest-idle",
    };
    let announces = announces(queue);
    let overflow = queue.overflow.as_ref().map_or_else(String::new, |overflow| {
        format!(", above {} to {}", show(overflow.wait), overflow.to)
    });
    format!(
        "  {} ({strategy}, ring {ring}, max wait {max_wait}, {announces}{overflow}) → {}",
        queue.name,
        listed(&operators)
    )
}

fn announces(queue: &QueueSettings) -> String {
    let told = queue.announcing;
    let what = match (told.position, told.wait) {
        (true, true) => "place and wait",
        (false, true) => "the wait",
        (true, false) => "the place",
        (false, false) => return "announces nothing".to_owned(),
    };
    let mut text = format!("announces {what}");
    if !told.first.is_zero() {
        text += &format!(" after {}", show(told.first));
    }
    text += &match told.every {
        Duration::ZERO => " once".to_owned(),
        every => format!(" every {}", show(every)),
    };
    if !told.change.is_zero() {
        text += &format!(" if it moved by {}", show(told.change));
    }
    text
}

fn operator_line(operator: &OperatorSettings) -> String {
    let queues: Vec<_> = operator.queues.iter().map(|queue| queue.as_str()).collect();
    format!("  {} takes {}", operator.id, listed(&queues))
}

fn listed(names: &[&str]) -> String {
    /// A centre of hundreds is not listed by name.
    const MOST: usize = 12;
    match names {
        [] => "nobody".to_owned(),
        many if many.len() > MOST => format!("{} and {} more", many[..MOST].join(", "), many.len() - MOST),
        few => few.join(", "),
    }
}

fn zone(config: &Config) -> String {
    config
        .timezone
        .iana_name()
        .map_or("time zone of the machine".to_owned(), |name| {
            format!("time zone {name}")
        })
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
