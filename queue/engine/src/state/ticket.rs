//! Tickets: the places of contacts in queues, and those that the engine ended.

use std::collections::BTreeSet;
use std::time::Duration;

use pronto_types::link::{ExitReason, Promise};
use pronto_types::{AnnouncementId, GatewayName, Language, OfferId, QueueName, TicketId, Time};

use super::{PRIORITY, Parties, Ranked};
use crate::Contact;
use crate::fact::CallerKey;

/// A contact's place in one queue. Whether it is offered or talks is said by the rounds: [`super::State::ticket_state`].
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
    pub(crate) line: InLine,
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
    pub(super) fn elsewhere(self, here: AsTold, there: AsTold) -> Self {
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

/// How a ticket stands in line, while it is offered to nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InLine {
    /// The fact that put it there.
    pub(crate) since: u64,
    /// Overtaken during this absence of its gateway, and a fact says why.
    pub(crate) skipped: bool,
    /// Overtaken ever since.
    pub(crate) overtaken: bool,
}

impl InLine {
    /// In line since this fact, and not overtaken yet.
    pub(crate) fn since(fact: u64) -> Self {
        InLine {
            since: fact,
            skipped: false,
            overtaken: false,
        }
    }
}

/// Where a ticket stands that is not closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TicketState {
    /// In line; *detached* while the gateway is not in step.
    Waiting,
    /// Bound to a round of offers.
    Offered,
    /// Talking to an operator, under this grant.
    Connected(OfferId),
}

/// A ticket that the engine ended, remembered because its gateway may not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClosedTicket {
    /// The fact that closed it.
    pub(crate) seq: u64,
    pub(crate) end: End,
}

/// How the engine ended a ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With its gateway, perhaps in the middle of a talk, whose parties are then kept; or by the loss of the operator's phone.
    Lost {
        ticket: Box<Ticket>,
        talk: Option<(OfferId, Parties)>,
    },
    /// Sent on by an exit.
    Exited { ticket: Box<Ticket>, reason: ExitReason },
    /// Never let in.
    TurnedAway { contact: Contact, queue: QueueName },
}

impl ClosedTicket {
    /// The ticket as it was, if it was ever let in.
    pub(crate) fn ticket(&self) -> Option<&Ticket> {
        match &self.end {
            End::Lost { ticket, .. } | End::Exited { ticket, .. } => Some(ticket),
            End::TurnedAway { .. } => None,
        }
    }

    /// The ticket as it was, to be changed.
    pub(crate) fn ticket_mut(&mut self) -> Option<&mut Ticket> {
        match &mut self.end {
            End::Lost { ticket, .. } | End::Exited { ticket, .. } => Some(ticket),
            End::TurnedAway { .. } => None,
        }
    }

    /// The contact whose ticket it was.
    pub(crate) fn contact(&self) -> &Contact {
        match &self.end {
            End::Lost { ticket, .. } | End::Exited { ticket, .. } => &ticket.contact,
            End::TurnedAway { contact, .. } => contact,
        }
    }

    /// The queue in which it stood, or was to stand.
    pub(crate) fn queue(&self) -> &QueueName {
        match &self.end {
            End::Lost { ticket, .. } | End::Exited { ticket, .. } => &ticket.queue,
            End::TurnedAway { queue, .. } => queue,
        }
    }

    /// The grant and the parties of the talk that was given up with its gateway.
    pub(crate) fn talk(&self) -> Option<&(OfferId, Parties)> {
        match &self.end {
            End::Lost { talk, .. } => talk.as_ref(),
            End::Exited { .. } | End::TurnedAway { .. } => None,
        }
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
