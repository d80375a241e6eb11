//! The queue's state: the fold of its facts. Only [`State::apply`] changes it; nothing here decides.

mod apply;
mod change;
mod grants;
mod index;
mod learn;
mod overflow;
mod ranking;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use pronto_forecast::{Forecaster, Habits, HourAhead, Wait};
use pronto_types::link::{ExitReason, Promise};
use pronto_types::{
    AnnouncementId, CallId, GatewayName, Language, OfferId, OperatorId, QueueName, TicketId, Time, Wall,
};

use crate::fact::{CallerKey, PauseReason, WithdrawReason};
use crate::fault::{Fault, Switch};
use crate::promises::{PromiseStats, Promises};
use crate::view::EndedCounts;
use crate::{Configuration, Contact, QueueSettings, Wanted};

pub(crate) use index::{Index, Timer};
pub(crate) use ranking::Ranked;

/// The class of every ticket: there is one priority so far.
pub(crate) const PRIORITY: u8 = 0;
/// The fold of a ledger. Two are equal when nothing the engine could ever do tells them apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    pub(crate) configuration: Configuration,
    pub(crate) gateways: BTreeMap<GatewayName, Gateway>,
    pub(crate) queues: BTreeMap<QueueName, Queue>,
    pub(crate) tickets: BTreeMap<TicketId, Ticket>,
    pub(crate) operators: BTreeMap<OperatorId, Operator>,
    /// Calls that operators dialled themselves, and who is in them; those of a gateway that is gone too, until it is
    /// superseded.
    pub(crate) own_calls: BTreeMap<(GatewayName, CallId), Vec<OperatorId>>,
    /// Unresolved grants and talks.
    pub(crate) grants: BTreeMap<OfferId, Grant>,
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
    pub(crate) fault: Switch,
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

/// A contact's place in one queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) contact: Contact,
    pub(crate) queue: QueueName,
    pub(crate) language: Language,
    /// When they joined (first).
    pub(crate) joined_at: Time,
    /// Since when they wait: that moment, or when they lost the operator they talked to.
    pub(crate) waits_since: Time,
    /// Its seniority in the queue.
    pub(crate) seniority: Seniority,
    /// Went to another queue, as it took too long in the first; perhaps it is back.
    pub(crate) overflowed: bool,
    /// The queue it came from, while it is in another.
    pub(crate) home: Option<Home>,
    pub(crate) deadline: Time,
    pub(crate) caller_key: Option<CallerKey>,
    pub(crate) place: TicketState,
    pub(crate) told: AnnouncedState,
}

/// Where a ticket stood before it went to another queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Home {
    pub(crate) queue: QueueName,
    /// Its seniority there.
    pub(crate) seniority: Seniority,
}

/// The values by which the tickets of a queue are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seniority {
    /// When they joined (first), or overflowed into the queue.
    pub(crate) ranked_at: Time,
    /// Served as if that had been so much earlier. It is lost in the queue into which they overflow: they go to its end.
    pub(crate) head_start: Duration,
    /// Orders tickets that are equal otherwise: the sequence of the fact.
    pub(crate) order: u64,
}

/// The announcements made to a caller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AnnouncedState {
    /// The time of the last announcement.
    pub(crate) at: Option<Time>,
    /// The last position that was spoken.
    pub(crate) position: Option<u32>,
    /// The last wait that was spoken, and when.
    pub(crate) wait: Option<(Promise, Time)>,
    /// How things stood then.
    pub(crate) standing: AsTold,
    /// Announcements that are not known to be over.
    pub(crate) unheard: BTreeSet<AnnouncementId>,
}

/// The factors of a wait at the time when a caller was told it; the reason for a later rise is found by them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AsTold {
    /// Operators of the queue who were ready, or on a call.
    pub(crate) operators: usize,
    /// Callers of the queue before this one.
    pub(crate) ahead: usize,
}

impl AsTold {
    /// These factors in another queue: what has become worse here since the caller was told counts as worse there too.
    fn elsewhere(self, here: AsTold, there: AsTold) -> Self {
        let [gone, before] = [
            self.operators.saturating_sub(here.operators),
            here.ahead.saturating_sub(self.ahead),
        ];
        AsTold {
            operators: there.operators + gone,
            ahead: there.ahead.saturating_sub(before),
        }
    }
}

/// Where a ticket stands. The last three are *closed*: ended by the engine, remembered because their gateway may
/// not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TicketState {
    /// In the queue; *detached* while the gateway is not in step.
    Waiting {
        /// The fact that put it there.
        since: u64,
        /// Overtaken during this absence of its gateway, and a fact says why.
        skipped: bool,
        /// Overtaken ever since.
        overtaken: bool,
    },
    /// Bound to a grant.
    Offered { offer: OfferId },
    /// Talking to an operator.
    Connected { offer: OfferId },
    /// Ended with its gateway, perhaps in the middle of a talk; or without a talk, by the loss of the operator's phone.
    Lost {
        closed: u64,
        talk: Option<(OfferId, OperatorId)>,
    },
    /// Sent on by an exit.
    Exited { closed: u64, reason: ExitReason },
    /// Never let in.
    TurnedAway { closed: u64 },
}

/// An operator. Presence, session and state are separate things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Operator {
    /// Where their phones are registered, and until when.
    pub(crate) presences: BTreeMap<GatewayName, Time>,
    pub(crate) state: OperatorState,
    /// The state the operator asked for while offered or talking.
    pub(crate) after: Option<Wanted>,
    /// Unresolved grants that name them. More than one only if an answer believed impossible came; none is made
    /// while there is one.
    pub(crate) offers: BTreeSet<OfferId>,
    /// A wrap-up still owed, because such a grant binds them first.
    pub(crate) owed: Option<Time>,
    /// Grants under which the operator talks. More than one only if a talk thought lost turned out to go on.
    pub(crate) talks: BTreeSet<OfferId>,
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
        offer: OfferId,
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

/// The ticket and operator of a grant, with their gateway and queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parties {
    pub(crate) ticket: TicketId,
    pub(crate) operator: OperatorId,
    pub(crate) gateway: GatewayName,
    /// The gateway's epoch when it was made.
    pub(crate) epoch: u64,
    pub(crate) queue: QueueName,
}

/// A grant, from the offer to the end of the talk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) parties: Parties,
    /// The seniority of the ticket when it was made.
    pub(crate) rank: Ranked,
    pub(crate) phase: Phase,
}

/// How far a grant is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Live {
        valid_until: Time,
    },
    Withdrawing {
        valid_until: Time,
        reason: WithdrawReason,
    },
    Talking {
        since: Time,
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
            Some((Link::Attached { last }, have)) => have >= last || self.fault.is(Fault::NoCatchUp),
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

    /// The tickets of a gateway, closed ones too, in the order of their seniority.
    pub(crate) fn tickets_of(&self, gateway: &GatewayName) -> Vec<TicketId> {
        let ids = self.index.by_gateway.get(gateway).into_iter().flatten();
        let mut ranks: Vec<Ranked> = ids
            .filter_map(|id| self.tickets.get(id).map(|ticket| ticket.rank(*id)))
            .collect();
        ranks.sort_unstable();
        ranks.into_iter().map(|rank| rank.ticket).collect()
    }

    /// The unresolved grants of a gateway.
    pub(crate) fn unresolved_of(&self, gateway: &GatewayName) -> Vec<OfferId> {
        let of_gateway = |grant: &Grant| grant.parties.gateway == *gateway && grant.is_unresolved();
        self.grants
            .iter()
            .filter(|(_, grant)| of_gateway(grant))
            .map(|(offer, _)| *offer)
            .collect()
    }
}

impl Ticket {
    /// The gateway that has the contact.
    pub(crate) fn gateway(&self) -> &GatewayName {
        self.contact.gateway()
    }

    /// The place of the ticket in the order of service.
    pub(crate) fn rank(&self, id: TicketId) -> Ranked {
        let Seniority {
            ranked_at,
            head_start,
            order,
        } = self.seniority;
        let rank = pronto_routing::Rank::new(PRIORITY, ranked_at, head_start, order);
        Ranked { rank, ticket: id }
    }
}

impl TicketState {
    /// Whether this is a talk under that grant, be it one that was given up with its gateway.
    pub(crate) fn talks_under(&self, wanted: OfferId) -> bool {
        match self {
            TicketState::Connected { offer } => *offer == wanted,
            TicketState::Lost { talk, .. } => talk.as_ref().is_some_and(|(offer, _)| *offer == wanted),
            TicketState::Waiting { .. }
            | TicketState::Offered { .. }
            | TicketState::Exited { .. }
            | TicketState::TurnedAway { .. } => false,
        }
    }

    /// When it was closed, if it is.
    pub(crate) fn closed(&self) -> Option<u64> {
        match self {
            TicketState::Lost { closed, .. }
            | TicketState::Exited { closed, .. }
            | TicketState::TurnedAway { closed } => Some(*closed),
            TicketState::Waiting { .. } | TicketState::Offered { .. } | TicketState::Connected { .. } => None,
        }
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

    /// Whether they are bound to this grant.
    pub(crate) fn is_offered(&self, wanted: OfferId) -> bool {
        matches!(self.state, OperatorState::Offered { offer, .. } if offer == wanted)
    }
}

impl Grant {
    /// Whether it is not known yet what became of it.
    pub(crate) fn is_unresolved(&self) -> bool {
        !matches!(self.phase, Phase::Talking { .. })
    }
}
