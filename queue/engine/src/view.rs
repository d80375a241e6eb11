//! Views of the engine: for `Queues` and `Operators`, and for metrics.

use pronto_forecast::Wait;
use pronto_types::{OfferId, OperatorId, QueueName, Time};

use crate::fact::PauseReason;
use crate::promises::PromiseStats;

/// One queue, now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueView {
    /// The queue's name.
    pub name: QueueName,
    /// Tickets ever given: the sum of all below.
    pub joined: u64,
    /// Waiting with their gateway in step.
    pub waiting: u64,
    /// Waiting with their gateway away, or not yet in step.
    pub detached: u64,
    /// Bound to a grant.
    pub offered: u64,
    /// Talking to an operator.
    pub connected: u64,
    /// Over, by why.
    pub ended: EndedCounts,
    /// Since when the caller who has waited longest (waiting or detached) does.
    pub longest_since: Option<Time>,
    /// Operators of this queue who are ready.
    pub operators_ready: u32,
    /// Operators of this queue who are signed in.
    pub operators_signed_in: u32,
}

/// How a caller would stand who joined now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForecastView {
    /// 1 = next.
    pub position: u32,
    /// Until an operator answers; `None` if none is signed in who could, or all are on a break.
    pub wait: Option<Wait>,
    /// Operators are signed in, and all of them are on a break.
    pub all_paused: bool,
    /// False while waits of this queue come out so differently from their forecasts that nothing is announced.
    pub reliable: bool,
}

/// Results of the promises of one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayView {
    /// The beginning of the day, UTC.
    pub begins: Time,
    /// Those that were heard on it and are closed.
    pub book: PromiseStats,
}

/// Tickets that are over, by why (invariant 6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EndedCounts {
    /// Talked to an operator.
    pub answered: u64,
    /// The caller hung up.
    pub abandoned: u64,
    /// `max_wait`, by the engine or by the gateway while the engine was away.
    pub timed_out: u64,
    /// By a key, or because nobody was there.
    pub exited: u64,
    /// Went to another queue: joined there, or overflowed.
    pub moved: u64,
    /// Were called back. Always 0 so far: callbacks are not offered yet.
    pub called_back: u64,
    /// Their queue was removed.
    pub removed: u64,
    /// Their gateway was lost, or had lost us for too long; or the caller's phone was, or in a talk the operator's.
    pub lost: u64,
}

impl EndedCounts {
    /// All of them.
    pub fn total(&self) -> u64 {
        let EndedCounts {
            answered,
            abandoned,
            timed_out,
            exited,
            moved,
            called_back,
            removed,
            lost,
        } = self;
        answered + abandoned + timed_out + exited + moved + called_back + removed + lost
    }
}

/// One operator, now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorView {
    /// The operator's identifier.
    pub id: OperatorId,
    /// In which state.
    pub status: OperatorStatus,
    /// The time since which the operator is in this state.
    pub since: Time,
    /// A phone is registered, and the gateway that holds the registration is attached.
    pub reachable: bool,
    /// The queues they serve.
    pub queues: Vec<QueueName>,
}

/// The state of an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperatorStatus {
    /// Not at work.
    SignedOut,
    /// Can be offered calls.
    Ready,
    /// Is offered one.
    Offered {
        /// The offer that rings.
        offer: OfferId,
    },
    /// On a call with a caller.
    Talking,
    /// Finishes what the talk left to do.
    WrapUp {
        /// The end of the wrap-up.
        until: Time,
    },
    /// Is offered nothing.
    Paused {
        /// Why; `to_string()` is the text for people.
        reason: PauseReason,
        /// Until when; `None`: until asked to be ready.
        until: Option<Time>,
    },
}
