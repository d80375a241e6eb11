//! The queue's state: the fold of its facts. Only [`State::apply`] changes it; nothing here decides.

mod apply;
mod change;
mod grants;
mod index;
mod learn;
mod overflow;
mod people;
mod ranking;
mod round;
mod ticket;

use std::collections::{BTreeMap, BTreeSet};

use pronto_forecast::{Forecaster, Habits, HourAhead, Wait};
use pronto_types::{CallId, GatewayName, OfferId, OperatorId, QueueName, RoundId, TicketId, Time, Wall};

use crate::fact::PauseReason;
use crate::promises::{PromiseStats, Promises};
use crate::view::EndedCounts;
use crate::{Configuration, QueueSettings, Wanted};

pub(crate) use index::{Index, Timer};
pub(crate) use ranking::Ranked;
pub(crate) use round::{Offer, Parties, Phase, Round};
pub(crate) use ticket::{
    AnnouncedState, AsTold, ClosedTicket, End, Home, InLine, Seniority, Ticket, TicketState,
};

/// The class of every ticket: there is one priority so far.
pub(crate) const PRIORITY: u8 = 0;
/// The fold of a ledger. Two are equal when nothing the engine could ever do tells them apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    pub(crate) configuration: Configuration,
    pub(crate) gateways: BTreeMap<GatewayName, Gateway>,
    pub(crate) queues: BTreeMap<QueueName, Queue>,
    pub(crate) tickets: BTreeMap<TicketId, Ticket>,
    /// Tickets that the engine ended and their gateways may not know to be over.
    pub(crate) closed: BTreeMap<TicketId, ClosedTicket>,
    pub(crate) operators: BTreeMap<OperatorId, Operator>,
    /// Calls that operators dialled themselves, and who is in them; those of a gateway that is gone too, until it is
    /// superseded.
    pub(crate) own_calls: BTreeMap<(GatewayName, CallId), Vec<OperatorId>>,
    /// The rounds of offers, with their unresolved grants and talks: they alone say who is bound to whom.
    pub(crate) rounds: BTreeMap<RoundId, Round>,
    /// Grants that ran out without a word: a late answer is still understood.
    pub(crate) expired: BTreeMap<OfferId, Parties>,
    /// Until when a restarted engine waits for its gateways.
    pub(crate) settling: Option<Time>,
    /// How the wall clock stood, to date what happened.
    pub(crate) wall: Wall,
    /// How long waits are, as far as the facts have taught.
    pub(crate) forecaster: Forecaster,
    /// Promises to callers who still wait.
    pub(crate) promises: Promises,
    /// Promises that are closed, by queue and by the day (UTC, since the epoch) on which they were heard.
    pub(crate) books: BTreeMap<QueueName, BTreeMap<i64, PromiseStats>>,
    /// The newest fact folded.
    pub(crate) last_seq: u64,
    /// The time of the newest fact folded.
    pub(crate) last_at: Time,
    /// All orders and deadlines, derived from the fields above.
    pub(crate) index: Index,
}

/// A gateway and the cursor into its journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gateway {
    pub(crate) epoch: u64,
    /// The process within that epoch; 0: not told.
    pub(crate) instance: u64,
    /// The newest entry taken.
    pub(crate) have: u64,
    pub(crate) link: Link,
    /// The seniority of its latest joining: a journal is in order, so a later entry never joined earlier, however
    /// its `age` was delayed on the way.
    pub(crate) latest_join: Time,
}

/// A gateway's link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// Up; in step once the entries up to `last` are here.
    Attached { last: u64 },
    /// Down, its tickets keep their places.
    Detached { grace_until: Time },
    /// Down for too long; only the cursor is kept, and what the gateway must be told if it comes back.
    Gone,
}

/// A queue and its counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Queue {
    pub(crate) settings: QueueSettings,
    /// False once it is out of the configuration, while talks from it go on.
    pub(crate) configured: bool,
    pub(crate) joined: u64,
    pub(crate) ended: EndedCounts,
    /// Since when nobody is signed in; `None`: somebody is, or nobody ever was.
    pub(crate) unstaffed_since: Option<Time>,
}

/// An operator. Presence, session and state are separate things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Operator {
    /// Where their phones are registered, and until when.
    pub(crate) presences: BTreeMap<GatewayName, Time>,
    pub(crate) state: OperatorState,
    /// The state the operator asked for while offered or talking.
    pub(crate) after: Option<Wanted>,
    /// A wrap-up still owed, because an unresolved grant binds them first.
    pub(crate) owed: Option<Time>,
    pub(crate) queues: Vec<QueueName>,
    /// The pause or wrap-up that their phone went away in: it goes on when the phone is back, unless it is over by then.
    pub(crate) kept: Option<OperatorState>,
    /// Calls of their own that they are in, at gateways that are not gone. Meanwhile they are not offered anybody.
    pub(crate) calling: BTreeSet<(GatewayName, CallId)>,
    /// False once out of the configuration, while the last call goes on.
    pub(crate) configured: bool,
}

/// The activity of an operator; each state owns its deadline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OperatorState {
    SignedOut {
        since: Time,
    },
    /// `since` decides who is next.
    Ready {
        since: Time,
    },
    Offered {
        since: Time,
        idle_since: Time,
    },
    Talking {
        since: Time,
    },
    WrapUp {
        since: Time,
        until: Time,
    },
    Paused {
        since: Time,
        reason: PauseReason,
        until: Option<Time>,
    },
}

/// For whoever reads a ledger to learn from it.
impl State {
    /// The time of the newest fact.
    pub fn last_at(&self) -> Time {
        self.last_at
    }

    /// How the wall clock stood beside the times of the facts.
    pub fn wall(&self) -> &Wall {
        &self.wall
    }

    /// The configured queues.
    pub fn queue_names(&self) -> impl Iterator<Item = &QueueName> {
        self.forecaster.queues()
    }

    /// The wait still to come of a ticket that waits, as the forecast has it, whether or not it may be promised.
    pub fn forecast(&self, now: Time, ticket: TicketId) -> Option<Wait> {
        self.forecaster.waiting(now, ticket)
    }

    /// Whether nobody was ready when a ticket that waits joined.
    pub fn is_delayed(&self, ticket: TicketId) -> bool {
        self.forecaster.is_delayed(ticket)
    }

    /// How calls of a configured queue have gone so far.
    pub fn habits(&self, queue: &QueueName) -> Option<Habits> {
        self.forecaster.habits(queue)
    }

    /// When to call a configured queue: the hours of the next seven days in which callers are answered, the shortest wait
    /// first, by the wall clock; empty while too little is known.
    pub fn best_hours(&self, now: Time, queue: &QueueName) -> Option<Vec<HourAhead>> {
        self.forecaster.best_hours(now, queue)
    }
}

impl State {
    /// How things stand for a ticket.
    pub(crate) fn as_it_stands(&self, id: TicketId) -> AsTold {
        let Some(ticket) = self.tickets.get(&id) else {
            return AsTold::default();
        };
        let standing = self.index.queues.get(&ticket.queue);
        AsTold {
            operators: self.forecaster.present(&ticket.queue),
            ahead: standing.map_or(0, |it| it.ranking.before(ticket.rank(id))),
        }
    }

    /// Whether offers may be made to this gateway's callers: its link is up and its backlog is here.
    pub(crate) fn in_step(&self, gateway: &GatewayName) -> bool {
        match self.gateways.get(gateway).map(|known| (known.link, known.have)) {
            Some((Link::Attached { last }, have)) => have >= last,
            _ => false,
        }
    }

    /// Whether all gateways that were there before the restart are back in step.
    pub(crate) fn all_in_step(&self) -> bool {
        self.gateways
            .iter()
            .all(|(name, gateway)| gateway.link == Link::Gone || self.in_step(name))
    }

    /// A queue that callers may join.
    pub(crate) fn open_queue(&self, name: &QueueName) -> Option<&Queue> {
        self.queues.get(name).filter(|queue| queue.configured)
    }

    /// An operator who is configured.
    pub(crate) fn known_operator(&self, id: &OperatorId) -> Option<&Operator> {
        self.operators.get(id).filter(|operator| operator.configured)
    }

    /// The tickets of a gateway that are not closed, in the order of their seniority.
    pub(crate) fn tickets_of(&self, gateway: &GatewayName) -> Vec<TicketId> {
        let ids = self.index.by_gateway.get(gateway).into_iter().flatten();
        let mut ranks: Vec<Ranked> = ids
            .filter_map(|id| self.tickets.get(id).map(|ticket| ticket.rank(*id)))
            .collect();
        ranks.sort_unstable();
        ranks.into_iter().map(|rank| rank.ticket).collect()
    }

    /// The closed tickets of a gateway: those that were not let in, then the others in the order of their seniority.
    pub(crate) fn closed_of(&self, gateway: &GatewayName) -> Vec<TicketId> {
        let ids = self.index.by_gateway.get(gateway).into_iter().flatten();
        let mut ranks: Vec<(Option<Ranked>, TicketId)> = ids
            .filter_map(|id| {
                let closed = self.closed.get(id)?;
                Some((closed.ticket().map(|ticket| ticket.rank(*id)), *id))
            })
            .collect();
        ranks.sort_unstable();
        ranks.into_iter().map(|(_, id)| id).collect()
    }

    /// A ticket that was let in, closed or not.
    pub(crate) fn held(&self, id: TicketId) -> Option<&Ticket> {
        let closed = || self.closed.get(&id).and_then(ClosedTicket::ticket);
        self.tickets.get(&id).or_else(closed)
    }

    /// Where a ticket stands; `None` if it is closed or unknown.
    pub(crate) fn ticket_state(&self, id: TicketId) -> Option<TicketState> {
        self.tickets
            .contains_key(&id)
            .then(|| self.index.ticket_state(id))
    }

    /// Whether a ticket stands in line.
    pub(crate) fn is_waiting(&self, id: TicketId) -> bool {
        self.ticket_state(id) == Some(TicketState::Waiting)
    }

    /// A ticket that waits.
    pub(crate) fn waiting(&self, id: TicketId) -> Option<&Ticket> {
        self.tickets.get(&id).filter(|_| self.is_waiting(id))
    }

    /// Whether a ticket talks under that grant, be it in a talk that was given up with its gateway.
    pub(crate) fn talks_under(&self, ticket: TicketId, offer: OfferId) -> bool {
        let given_up = self.closed.get(&ticket).and_then(|it| it.talk());
        self.ticket_state(ticket) == Some(TicketState::Connected(offer))
            || given_up.is_some_and(|(under, _)| *under == offer)
    }
}

impl Operator {
    /// Since when they could be offered somebody: ready, and in no call of their own.
    pub(crate) fn free_since(&self) -> Option<Time> {
        match self.state {
            OperatorState::Ready { since } if self.calling.is_empty() => Some(since),
            _ => None,
        }
    }

    /// Whether they take callers, now or as soon as a call, its wrap-up or a pause with a known end is over. Of a pause without
    /// an end, a break, nobody knows how long it lasts.
    pub(crate) fn attends(&self) -> bool {
        let there = match &self.state {
            OperatorState::Ready { .. }
            | OperatorState::Offered { .. }
            | OperatorState::Talking { .. }
            | OperatorState::WrapUp { .. } => true,
            OperatorState::Paused { until, .. } => until.is_some(),
            OperatorState::SignedOut { .. } => false,
        };
        there && self.after.is_none() && !self.presences.is_empty()
    }
}
