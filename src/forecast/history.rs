//! A ledger played again: what the estimator of this program forecasts for each caller who found nobody ready, from nothing
//! but the facts before, and what came.

use std::collections::BTreeMap;
use std::time::Duration;

use pronto_engine::records::TicketOutcome;
use pronto_engine::{Fact, Recorded, State, Wait};
use pronto_types::{QueueName, TicketId, Time};

/// A caller who had to wait.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Delayed {
    /// The place.
    pub(crate) ticket: TicketId,
    /// In which queue.
    pub(crate) queue: QueueName,
    /// When the queue was told; by this the caller is counted.
    pub(crate) at: Time,
    /// When the wait began.
    pub(crate) joined: Time,
    /// What was forecast then; `None`: unknown.
    pub(crate) forecast: Option<Wait>,
}

/// The end of a wait.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Waited {
    /// Whose.
    pub(crate) caller: Delayed,
    /// By what.
    pub(crate) outcome: TicketOutcome,
    /// After how long. Only of who was answered it is the wait that was forecast.
    pub(crate) wait: Duration,
}

impl Waited {
    /// Whether the wait is the one that was forecast: the caller was answered.
    pub(crate) fn tells(&self) -> bool {
        self.outcome == TicketOutcome::Answered
    }
}

/// The history as far as it has been played, and who waits.
#[derive(Default)]
pub(crate) struct History {
    state: State,
    waiting: BTreeMap<TicketId, Delayed>,
}

impl History {
    /// Plays a fact, which come in order, from the first; returns the wait it ended.
    pub(crate) fn take(&mut self, recorded: &Recorded) -> Option<Waited> {
        self.state.apply(recorded);
        let (ticket, outcome, end) = match &recorded.fact {
            Fact::Joined {
                ticket,
                queue,
                joined_at,
                regained: None,
                ..
            } => {
                if self.state.is_delayed(*ticket) {
                    let caller = Delayed {
                        ticket: *ticket,
                        queue: queue.clone(),
                        at: recorded.at,
                        joined: *joined_at,
                        forecast: self.state.forecast(recorded.at, *ticket),
                    };
                    self.waiting.insert(*ticket, caller);
                }
                return None;
            }
            Fact::Answered {
                ticket, answered_at, ..
            } => (*ticket, TicketOutcome::Answered, *answered_at),
            fact => {
                let (ticket, outcome) = TicketOutcome::of(fact)?;
                (ticket, outcome, recorded.at)
            }
        };
        let caller = self.waiting.remove(&ticket)?;
        let wait = end.since(caller.joined);
        Some(Waited {
            caller,
            outcome,
            wait,
        })
    }

    /// Those whose wait had not ended when the history did, by ticket.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = &Delayed> {
        self.waiting.values()
    }

    /// Whether nobody was ready when this ticket joined.
    pub(crate) fn is_delayed(&self, ticket: TicketId) -> bool {
        self.state.is_delayed(ticket)
    }
}
