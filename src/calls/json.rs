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

use std::fmt::Display;
use std::time::Duration;

use pronto_engine::records::{AnnouncementRecord, RecordingRecord, TicketRecord};
use pronto_types::link::{Hearing, Origin, RecordingFlaw};
use pronto_types::{Language, Time};
use serde_json::{Value, json};

use super::{Line, Show, name, when};
use crate::json::number;

/// The line, without its end.
pub(super) fn object(line: &Line, show: &Show) -> String {
    let record = &line.record;
    let time = |time: Option<Time>| time.map(|time| when::rfc3339(time, &show.zone));
    let caller = line.caller.as_ref().map(|number| {
        if show.numbers {
            number.reveal().to_owned()
        } else {
            number.to_string()
        }
    });
    let tickets: Vec<Value> = record.tickets.iter().map(|record| ticket(record, show)).collect();
    json!({
        "call": record.call.to_string(),
        "gateway": text(record.gateway.as_ref()),
        "began": time(record.began),
        "ended": time(record.ended),
        "dialled": text(record.dialled.as_ref()),
        "origin": record.origin.as_ref().map(origin),
        "caller": caller,
        "language": record.language.map(Language::code),
        "outcome": text(record.outcome.map(name)),
        "duration": record.duration.map(seconds),
        "digits": record.digits,
        "tickets": tickets,
        "tickets_left_out": record.left_out,
    })
    .to_string()
}

fn ticket(record: &TicketRecord, show: &Show) -> Value {
    let time = |time: Time| when::rfc3339(time, &show.zone);
    let made: Vec<Value> = record
        .announcements
        .iter()
        .map(|made| announcement(made, show))
        .collect();
    json!({
        "ticket": record.ticket.to_string(),
        "queue": record.queue.as_str(),
        "joined": time(record.joined),
        "waited": record.waited.map(seconds),
        "outcome": text(record.outcome),
        "ended": record.ended.map(time),
        "operator": text(record.operator.as_ref()),
        "answered": record.answered.map(time),
        "talked": record.talked.map(seconds),
        "offered": record.offered,
        "rang": record.rang,
        "refused": record.refused,
        "regained": text(record.regained),
        "overflowed": text(record.overflowed.as_ref()),
        "announcements": made,
        "recording": record.recording.as_ref().map(recording),
    })
}

fn announcement(made: &AnnouncementRecord, show: &Show) -> Value {
    let heard = |how| if how == Hearing::Whole { "whole" } else { "cut" };
    json!({
        "at": when::rfc3339(made.at, &show.zone),
        "position": made.position,
        "p50": made.wait.map(|wait| seconds(wait.p50)),
        "p90": made.wait.map(|wait| seconds(wait.p90)),
        "heard": made.heard.map(heard),
        "came": made.came.map(seconds),
    })
}

fn recording(kept: &RecordingRecord) -> Value {
    let flaw = |flaw| match flaw {
        RecordingFlaw::DiskFull => "disk-full",
        RecordingFlaw::DiskFailed => "disk-failed",
        RecordingFlaw::Overrun => "overrun",
        RecordingFlaw::Killed => "killed",
    };
    json!({
        "file": text(Some(&kept.file).filter(|file| !file.is_empty())),
        "duration": seconds(kept.duration),
        "flaw": kept.flaw.map(flaw),
    })
}

fn origin(origin: &Origin) -> Value {
    match origin {
        Origin::Trunk(name) => json!({ "trunk": name.to_string() }),
        Origin::Operator(id) => json!({ "operator": id.to_string() }),
    }
}

fn text(value: Option<impl Display>) -> Option<String> {
    value.map(|value| value.to_string())
}

fn seconds(duration: Duration) -> Value {
    number(&format!("{}.{:03}", duration.as_secs(), duration.subsec_millis()))
}
