//! A ledger played again: the forecast that this program's estimator makes for each caller who found nobody ready, from
//! nothing but the facts before, and the actual wait. A caller who moves to another queue begins a new wait there: each
//! wait is held against the forecast of its queue.

use std::collections::BTreeMap;
use std::time::Duration;

use pronto_engine::records::TicketOutcome;
use pronto_engine::{Fact, LedgerEntry, State, Wait};
use pronto_types::{QueueName, TicketId, Time, Wall};

/// A caller who had to wait.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Delayed {
    /// The caller's ticket, which is their place in the queue.
    pub(crate) ticket: TicketId,
    /// The wait, counted from 1: one more in each further queue.
    pub(crate) turn: u32,
    /// In which queue.
    pub(crate) queue: QueueName,
    /// When the queue was told; by this the caller is counted.
    pub(crate) at: Time,
    /// When the wait began.
    pub(crate) joined: Time,
    /// The wait forecast then; `None`: unknown.
    pub(crate) forecast: Option<Wait>,
}

impl Delayed {
    /// The ticket, and which of its waits unless it is the first.
    pub(crate) fn name(&self) -> String {
        named(self.ticket, self.turn)
    }
}

/// How a wait is named in lines and events: two waits of a ticket are two calls.
pub(super) fn named(ticket: TicketId, turn: u32) -> String {
    match turn {
        0 | 1 => ticket.to_string(),
        turn => format!("{ticket}/{turn}"),
    }
}

/// The end of a wait.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Waited {
    /// The caller whose wait ended.
    pub(crate) caller: Delayed,
    /// The outcome that ended the wait.
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
    /// The number of the current wait, for tickets that moved to another queue.
    turns: BTreeMap<TicketId, u32>,
}

impl History {
    /// How the wall clock stood: the times given out here are those of the facts.
    pub(crate) fn wall(&self) -> &Wall {
        self.state.wall()
    }

    /// Plays a fact, which come in order, from the first; returns the wait it ended.
    pub(crate) fn take(&mut self, recorded: &LedgerEntry) -> Option<Waited> {
        self.state.apply(recorded);
        let (ticket, outcome, end) = match &recorded.fact {
            Fact::Joined {
                ticket,
                queue,
                joined_at,
                regained: None,
                ..
            } => {
                self.begin(recorded.at, *ticket, queue, *joined_at);
                return None;
            }
            Fact::Overflowed { ticket, to, .. } | Fact::SentBack { ticket, to, .. } => {
                let waited = self.end(*ticket, TicketOutcome::Moved, recorded.at);
                *self.turns.entry(*ticket).or_insert(1) += 1;
                self.begin(recorded.at, *ticket, to, recorded.at);
                return waited;
            }
            Fact::Answered {
                ticket, answered_at, ..
            } => (*ticket, TicketOutcome::Answered, *answered_at),
            fact => {
                let (ticket, outcome) = TicketOutcome::of(fact)?;
                (ticket, outcome, recorded.at)
            }
        };
        self.turns.remove(&ticket);
        self.end(ticket, outcome, end)
    }

    fn begin(&mut self, at: Time, ticket: TicketId, queue: &QueueName, joined: Time) {
        if self.state.is_delayed(ticket) {
            let caller = Delayed {
                ticket,
                turn: self.turn(ticket),
                queue: queue.clone(),
                at,
                joined,
                forecast: self.state.forecast(at, ticket),
            };
            self.waiting.insert(ticket, caller);
        }
    }

    fn end(&mut self, ticket: TicketId, outcome: TicketOutcome, end: Time) -> Option<Waited> {
        let caller = self.waiting.remove(&ticket)?;
        let wait = end.since(caller.joined);
        Some(Waited {
            caller,
            outcome,
            wait,
        })
    }

    /// The number of a ticket's current wait, counted from 1.
    pub(crate) fn turn(&self, ticket: TicketId) -> u32 {
        self.turns.get(&ticket).copied().unwrap_or(1)
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
