//! The call records of a gateway, read from its journal.

use std::collections::BTreeMap;
use std::time::Duration;

use pronto_engine::records::CallRecord;
use pronto_gateway::shell::{JournalError, JournalEvent, JournalReader};
use pronto_types::link::{CallOutcome, Event, Origin};
use pronto_types::{CallId, Time};

/// One call as its gateway saw it.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    began: Option<(Moment, String, Origin)>,
    ended: Option<(Moment, CallOutcome, Duration, u32)>,
}

/// A time, and the offset by which it was dated.
#[derive(Clone, Copy, Debug)]
struct Moment {
    at: Time,
    offset: i64,
}

impl Moment {
    fn date(self) -> Time {
        self.at.shifted(self.offset)
    }

    /// Its date by the clock of the beginning, seen by the same process: a clock set meanwhile ends no call before it began.
    fn after(self, began: Moment) -> Time {
        began.date() + self.at.since(began.at)
    }
}

/// Every call of the journal: about 150 bytes each.
pub(super) fn calls(journal: &JournalReader) -> Result<BTreeMap<CallId, Seen>, JournalError> {
    let mut calls: BTreeMap<CallId, Seen> = BTreeMap::new();
    for event in journal.events() {
        let JournalEvent { at, offset, event } = event?;
        let at = Moment { at, offset };
        match event {
            Event::CallBegan {
                call,
                dialled,
                origin,
                ..
            } => {
                let seen = calls.entry(call).or_default();
                seen.began.get_or_insert((at, dialled, origin));
            }
            Event::CallEnded {
                call,
                outcome,
                duration,
                digits,
            } => {
                let seen = calls.entry(call).or_default();
                seen.ended.get_or_insert((at, outcome, duration, digits));
            }
            _ => {}
        }
    }
    Ok(calls)
}

impl Seen {
    /// Whoever saw it knows best when the call began, when it ended, and how.
    pub(super) fn complete(self, record: CallRecord) -> CallRecord {
        let mut record = record;
        let began = self.began.as_ref().map(|(at, ..)| *at);
        if let Some((at, dialled, origin)) = self.began {
            record.began = Some(at.date());
            record.dialled = Some(dialled);
            record.origin = Some(origin);
        }
        if let Some((at, outcome, duration, digits)) = self.ended {
            // Written by the process that found the call left open: it knows neither.
            let guessed = outcome == CallOutcome::GatewayLost && duration == Duration::ZERO;
            record.ended = Some(match began {
                None => at.date(),
                Some(began) if guessed => at.date().max(began.date()),
                Some(began) => at.after(began),
            });
            record.outcome = Some(outcome);
            record.duration = (!guessed).then_some(duration);
            record.digits = (!guessed).then_some(digits);
        }
        record
    }
}
