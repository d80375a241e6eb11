//! The bookkeeper: exactly one record for each call that began, and the records add up to what the engine counts.

use std::collections::{BTreeMap, BTreeSet};

use pronto_types::{CallId, QueueName};

use crate::Engine;
use crate::fact::{Fact, LedgerEntry};
use crate::records::{CallRecord, CallRecords, TicketOutcome, Written};
use crate::view::EndedCounts;

#[derive(Clone, Debug, Default)]
pub(super) struct Books {
    records: CallRecords,
    began: BTreeSet<CallId>,
    over: BTreeSet<CallId>,
    counts: BTreeMap<QueueName, EndedCounts>,
}

impl Books {
    pub(super) fn keep(&mut self, recorded: &LedgerEntry) -> Result<(), String> {
        if let Fact::CallBegan { call, .. } = &recorded.fact {
            self.began.insert(*call);
        }
        for written in self.records.apply(recorded) {
            let Written::Call(record) = written else { continue };
            if !self.over.insert(record.call) {
                return Err(format!("{} has two records", record.call));
            }
            self.count(&record)?;
        }
        Ok(())
    }

    fn count(&mut self, record: &CallRecord) -> Result<(), String> {
        for ticket in &record.tickets {
            let counts = self.counts.entry(ticket.queue.clone()).or_default();
            let count = match ticket.outcome {
                Some(TicketOutcome::Answered) => &mut counts.answered,
                Some(TicketOutcome::Abandoned) => &mut counts.abandoned,
                Some(TicketOutcome::TimedOut) => &mut counts.timed_out,
                Some(TicketOutcome::Exited) => &mut counts.exited,
                Some(TicketOutcome::Moved) => &mut counts.moved,
                Some(TicketOutcome::Removed) => &mut counts.removed,
                Some(TicketOutcome::Lost | TicketOutcome::OperatorLost) => &mut counts.lost,
                Some(TicketOutcome::TurnedAway) => continue,
                None => return Err(format!("a call is over and its ticket is not: {record:?}")),
            };
            *count += 1;
        }
        Ok(())
    }

    /// Everybody has gone home.
    pub(super) fn balance(&self, engine: &Engine) -> Result<(), String> {
        if self.began != self.over {
            let without: Vec<_> = self.began.difference(&self.over).collect();
            let more: Vec<_> = self.over.difference(&self.began).collect();
            return Err(format!(
                "calls without a record: {without:?}; records without a call: {more:?}"
            ));
        }
        if self.records.held() != [0, 0, 0] {
            return Err(format!("the records still hold {:?}", self.records.held()));
        }
        for queue in engine.queues() {
            let counted = self.counts.get(&queue.name).copied().unwrap_or_default();
            if counted != queue.ended {
                return Err(format!(
                    "the records of {} add up to {counted:?}, the engine has {:?}",
                    queue.name, queue.ended
                ));
            }
        }
        Ok(())
    }
}
