//! One call as one line of JSON. The names are stable: others read them.
//!
//! ```text
//! call, gateway        16 hex digits; the gateway's name (null: known from its journal alone)
//! began, ended         RFC 3339 in the configured time zone; ended null: going on
//! dialled, origin      the configured number; {"trunk": name} or {"operator": id}
//! caller               the number, masked unless --numbers; null: not told, or erased
//! language             "it", "en"; null: never came to a queue
//! outcome              caller-hung-up, completed, cancelled, refused, peer-lost, gateway-lost, stopped; null: going on
//! duration, digits     seconds from the answer to the end; keys pressed; null: going on, or the gateway was killed
//! tickets              the places it had: ticket, queue, joined, waited, outcome (answered, abandoned, timed-out,
//!                      exited, moved, removed, lost, turned-away, operator-lost; null: not over), ended, operator,
//!                      answered, talked, offered, rang, refused (counts), regained (the lost ticket it continues),
//!                      overflowed (the queue before, in which it took too long)
//!   announcements      what the caller was told: at, position, p50, p90 (seconds still to wait; null: not spoken),
//!                      heard (whole, cut; null: unknown), came (seconds until the wait was over: the promise kept
//!                      or broken where the ticket was answered)
//!   recording          file (below the gateway's recordings; null: nothing kept), duration, flaw (disk-full,
//!                      disk-failed, overrun, killed; null: whole); null: not recorded
//! tickets_left_out     how many more there were
//! ```
//! Durations are seconds with three decimals.

use std::fmt::Write;
use std::time::Duration;

use pronto_engine::records::{AnnouncementRecord, RecordingRecord, TicketRecord};
use pronto_types::Time;
use pronto_types::link::{Hearing, Origin, RecordingFlaw};

use super::{Line, Show, name, when};

/// The line, without its end.
pub(super) fn object(line: &Line, show: &Show) -> String {
    let record = &line.record;
    let time = |time: Option<Time>| time.map(|time| when::rfc3339(time, &show.zone));
    let mut object = Object::new();
    object.text("call", Some(record.call));
    object.text("gateway", record.gateway.as_ref());
    object.text("began", time(record.began));
    object.text("ended", time(record.ended));
    object.text("dialled", record.dialled.as_ref());
    object.raw("origin", record.origin.as_ref().map(origin));
    let caller = line.caller.as_ref();
    object.text(
        "caller",
        caller.map(|number| {
            if show.numbers {
                number.reveal().to_owned()
            } else {
                number.to_string()
            }
        }),
    );
    object.text("language", record.language.map(pronto_types::Language::code));
    object.text("outcome", record.outcome.map(name));
    object.raw("duration", record.duration.map(seconds));
    object.raw("digits", record.digits);
    let tickets: Vec<String> = record.tickets.iter().map(|record| ticket(record, show)).collect();
    object.raw("tickets", Some(format!("[{}]", tickets.join(","))));
    object.raw("tickets_left_out", Some(record.left_out));
    object.end()
}

fn ticket(record: &TicketRecord, show: &Show) -> String {
    let time = |time: Time| when::rfc3339(time, &show.zone);
    let mut object = Object::new();
    object.text("ticket", Some(record.ticket));
    object.text("queue", Some(&record.queue));
    object.text("joined", Some(time(record.joined)));
    object.raw("waited", record.waited.map(seconds));
    object.text("outcome", record.outcome);
    object.text("ended", record.ended.map(time));
    object.text("operator", record.operator.as_ref());
    object.text("answered", record.answered.map(time));
    object.raw("talked", record.talked.map(seconds));
    object.raw("offered", Some(record.offered));
    object.raw("rang", Some(record.rang));
    object.raw("refused", Some(record.refused));
    object.text("regained", record.regained);
    object.text("overflowed", record.overflowed.as_ref());
    let made: Vec<String> = record
        .announcements
        .iter()
        .map(|made| announcement(made, show))
        .collect();
    object.raw("announcements", Some(format!("[{}]", made.join(","))));
    object.raw("recording", record.recording.as_ref().map(recording));
    object.end()
}

fn announcement(made: &AnnouncementRecord, show: &Show) -> String {
    let mut object = Object::new();
    object.text("at", Some(when::rfc3339(made.at, &show.zone)));
    object.raw("position", made.position);
    object.raw("p50", made.wait.map(|wait| seconds(wait.p50)));
    object.raw("p90", made.wait.map(|wait| seconds(wait.p90)));
    object.text(
        "heard",
        made.heard
            .map(|how| if how == Hearing::Whole { "whole" } else { "cut" }),
    );
    object.raw("came", made.came.map(seconds));
    object.end()
}

fn recording(kept: &RecordingRecord) -> String {
    let mut object = Object::new();
    object.text("file", Some(&kept.file).filter(|file| !file.is_empty()));
    object.raw("duration", Some(seconds(kept.duration)));
    object.text(
        "flaw",
        kept.flaw.map(|flaw| match flaw {
            RecordingFlaw::DiskFull => "disk-full",
            RecordingFlaw::DiskFailed => "disk-failed",
            RecordingFlaw::Overrun => "overrun",
            RecordingFlaw::Killed => "killed",
        }),
    );
    object.end()
}

fn origin(origin: &Origin) -> String {
    let mut object = Object::new();
    match origin {
        Origin::Trunk(name) => object.text("trunk", Some(name)),
        Origin::Operator(id) => object.text("operator", Some(id)),
    }
    object.end()
}

fn seconds(duration: Duration) -> String {
    format!("{}.{:03}", duration.as_secs(), duration.subsec_millis())
}

/// A JSON object being written (RFC 8259).
struct Object(String);

impl Object {
    fn new() -> Self {
        Object("{".to_owned())
    }

    fn raw(&mut self, key: &str, value: Option<impl std::fmt::Display>) {
        let comma = if self.0.len() > 1 { "," } else { "" };
        let _ = match value {
            Some(value) => write!(self.0, "{comma}\"{key}\":{value}"),
            None => write!(self.0, "{comma}\"{key}\":null"),
        };
    }

    fn text(&mut self, key: &str, value: Option<impl std::fmt::Display>) {
        self.raw(key, value.map(|value| string(&value.to_string())));
    }

    fn end(self) -> String {
        self.0 + "}"
    }
}

/// "All Unicode characters may be placed within the quotation marks, except for the characters that MUST be escaped:
/// quotation mark, reverse solidus, and the control characters (U+0000 through U+001F)" (RFC 8259 §7).
pub(super) fn string(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            control if control < ' ' => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(control));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}
