//! How long callers waited, as histograms, and how many were answered in time.

use std::collections::BTreeMap;
use std::time::Duration;

use metrics::{counter, describe_counter, describe_histogram, histogram};
use pronto_engine::{Engine, Fact, LedgerEntry};
use pronto_types::link::LeaveReason;
use pronto_types::{QueueName, TicketId, Time};

/// Answered within this counts for the service level: the usual "80 % in 20 s".
const IN_TIME: Duration = Duration::from_secs(20);

/// Waiting tickets, with their queue and the time since which they wait. As many as the engine has tickets.
#[derive(Default)]
pub(super) struct Waits(BTreeMap<TicketId, (QueueName, Time)>);

pub(super) fn describe() {
    describe_histogram!(
        "pronto_queue_wait_seconds",
        "From joining, or from the loss of an operator, until an operator answered, or until the caller hung up, by queue and outcome (answered, abandoned)"
    );
    describe_counter!(
        "pronto_queue_service_level_met_total",
        "Callers answered within 20 s of joining; over the answered and abandoned of pronto_queue_wait_seconds it is the service level"
    );
}

impl Waits {
    /// Those who wait already.
    pub(super) fn new(engine: &Engine) -> Self {
        let waiting = engine
            .waiting()
            .map(|(ticket, queue, since)| (ticket, (queue.clone(), since)));
        Waits(waiting.collect())
    }

    /// A fact was recorded by this engine.
    pub(super) fn recorded(&mut self, recorded: &LedgerEntry, engine: &Engine) {
        match &recorded.fact {
            Fact::Joined {
                ticket,
                queue,
                joined_at,
                regained,
                ..
            } => {
                if let Some(old) = regained {
                    self.0.remove(old);
                }
                // After a lost operator the caller keeps the seniority, and waits from then on.
                let since = engine.waits_since(*ticket).unwrap_or(*joined_at);
                self.0.insert(*ticket, (queue.clone(), since));
            }
            Fact::Overflowed { ticket, to, .. } | Fact::SentBack { ticket, to, .. } => {
                if let Some((queue, _)) = self.0.get_mut(ticket) {
                    *queue = to.clone();
                }
            }
            Fact::Answered {
                ticket, answered_at, ..
            } => self.over(*ticket, *answered_at, Some("answered")),
            Fact::Left { ticket, reason } => {
                let outcome = (*reason == LeaveReason::Abandoned).then_some("abandoned");
                self.over(*ticket, recorded.at, outcome);
            }
            Fact::Exited { ticket, .. }
            | Fact::Moved { ticket }
            | Fact::Lost { ticket, .. }
            | Fact::Forgotten { ticket } => {
                self.over(*ticket, recorded.at, None);
            }
            _ => {}
        }
    }

    /// Nobody is answered twice: a ticket that is not known was counted.
    fn over(&mut self, ticket: TicketId, at: Time, outcome: Option<&'static str>) {
        let Some((queue, since)) = self.0.remove(&ticket) else {
            return;
        };
        let Some(outcome) = outcome else {
            return;
        };
        let (queue, wait) = (queue.to_string(), at.since(since));
        if outcome == "answered" {
            let met = u64::from(wait <= IN_TIME);
            counter!("pronto_queue_service_level_met_total", "queue" => queue.clone()).increment(met);
        }
        histogram!("pronto_queue_wait_seconds", "queue" => queue, "outcome" => outcome).record(wait);
    }
}
