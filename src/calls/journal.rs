//! What the journal of a gateway says of its calls.

use std::collections::BTreeMap;
use std::time::Duration;

use pronto_engine::records::CallRecord;
use pronto_gateway::shell::{JournalError, JournalReader};
use pronto_types::link::{CallOutcome, Event, Origin};
use pronto_types::{CallId, Time};

/// One call as its gateway saw it.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    began: Option<(Time, String, Origin)>,
    ended: Option<(Time, CallOutcome, Duration, u32)>,
}

/// Every call of the journal: about 150 bytes each.
pub(super) fn calls(journal: &JournalReader) -> Result<BTreeMap<CallId, Seen>, JournalError> {
    let mut calls: BTreeMap<CallId, Seen> = BTreeMap::new();
    for event in journal.events() {
        let (at, event) = event?;
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
        if let Some((at, dialled, origin)) = self.began {
            record.began = Some(at);
            record.dialled = Some(dialled);
            record.origin = Some(origin);
        }
        if let Some((at, outcome, duration, digits)) = self.ended {
            // Written by the process that found the call left open: it knows neither.
            let guessed = outcome == CallOutcome::GatewayLost && duration == Duration::ZERO;
            record.ended = Some(at);
            record.outcome = Some(outcome);
            record.duration = (!guessed).then_some(duration);
            record.digits = (!guessed).then_some(digits);
        }
        record
    }
}
