//! Events given to the forecast: the queue's facts, reduced to the callers who wait and the operators who serve them.

use std::time::Duration;

use pronto_types::{OperatorId, QueueName, TicketId, Time};

/// One thing that happened. Any order is taken: what names something unknown, or makes no sense where it stands,
/// changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The queues and operators from here on. What was learned about a queue of the same name is kept, and so is the
    /// state of an operator with the same id.
    Configured(Configuration),
    /// A contact took a place. A ticket that is known already takes the new place.
    Joined {
        /// The ticket of the place taken.
        ticket: TicketId,
        /// In which queue.
        queue: QueueName,
        /// 0 is served first.
        priority: u8,
        /// Seniority: when they joined (first). A time to come counts as now.
        joined_at: Time,
        /// Served as if it had joined so much earlier.
        head_start: Duration,
        /// Since when they wait: later than `joined_at` if they have talked meanwhile. An earlier time counts as
        /// `joined_at`.
        waits_since: Time,
    },
    /// An operator's phone is asked to ring for a waiting ticket.
    Offered {
        /// The ticket that is offered.
        ticket: TicketId,
        /// The operator whose phone rings.
        operator: OperatorId,
    },
    /// The offer came to nothing: refused, expired, withdrawn. The ticket, if it still stands, waits again in its place; the
    /// operator is ready or away only once told so.
    Returned {
        /// For whom it was.
        ticket: TicketId,
        /// The operator whose phone rang.
        operator: OperatorId,
    },
    /// Operator and caller hear each other, whether or not the offer was known.
    Answered {
        /// The ticket that was answered.
        ticket: TicketId,
        /// The operator who answered.
        operator: OperatorId,
    },
    /// The caller gave up waiting (hung up). An offer that rang for it is undone as by [`Event::Returned`].
    Left {
        /// The ticket whose caller gave up.
        ticket: TicketId,
    },
    /// The ticket ended in a way that says nothing of the caller's patience: sent on, moved, lost, left by a key.
    Ended {
        /// The ticket that ended.
        ticket: TicketId,
    },
    /// The talk is over; the operator is not ready before told so.
    TalkEnded {
        /// The ticket whose talk is over.
        ticket: TicketId,
    },
    /// The operator can be offered calls.
    Ready {
        /// The operator who is ready.
        operator: OperatorId,
    },
    /// The operator is offered nothing.
    Away {
        /// The operator who is away.
        operator: OperatorId,
        /// The reason for being away.
        reason: AwayReason,
    },
}

/// Why an operator is offered nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AwayReason {
    /// Finishes what the talk left to do: still at work on that call.
    WrapUp,
    /// A break, or an offer missed.
    Paused,
    /// Went home, or was never there.
    SignedOut,
}

/// Queues and operators, with values to believe before anything was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configuration {
    /// The queues, each with its hints.
    pub queues: Vec<QueueHints>,
    /// The operators. A queue nobody configured is left out of what they serve.
    pub operators: Vec<Skills>,
}

/// One queue and its cold start. The hints weigh as much as a few observations and fade from there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueHints {
    /// The queue's name.
    pub name: QueueName,
    /// Mean talk time, before any talk was seen.
    pub talk: Duration,
    /// Mean time from the offer to the answer.
    pub ring: Duration,
    /// Mean time from the end of a talk until ready.
    pub wrap_up: Duration,
}

impl QueueHints {
    /// A queue of which nothing is known: talk 4 min, ring 5 s, wrap-up 15 s.
    pub fn new(name: QueueName) -> Self {
        QueueHints {
            name,
            talk: Duration::from_secs(240),
            ring: Duration::from_secs(5),
            wrap_up: Duration::from_secs(15),
        }
    }
}

/// The queues that one operator serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skills {
    /// The operator's identifier.
    pub operator: OperatorId,
    /// The queues they serve.
    pub queues: Vec<QueueName>,
}
