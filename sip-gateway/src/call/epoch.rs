//! The link to the queue service as the calls see it, and a journal that begins again.
//!
//! A journal belongs to one epoch. Where the queue does not take the epoch, or has another journal of it, a new epoch begins
//! while calls go on: everything that goes on is written again, and what belongs to the earlier one is not reported any more.

use std::fmt;

use pronto_types::link::Event;
use pronto_types::{AnnouncementId, CallId, OfferId, Time};

use super::state::{Call, CallState, LegState, Playing, Purpose};
use super::{Gateway, Log};
use crate::journal::Entry;

/// Offers and announcements of an earlier epoch have numbers of our own from here on: no ledger is that long.
const FOREIGN: u64 = 1 << 63;

/// Whether the queue service is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// Not since the start.
    Never,
    /// The link is up.
    Up,
    /// The link was up and is down.
    Down {
        /// Since when it is not.
        since: Time,
    },
    /// It does not want us.
    Refused,
}

/// Why no new calls are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// The gateway is to stop.
    Stopping,
    /// This log takes nobody new: its disk is full, or cannot be written.
    Full(Log),
    /// The queue service was never reached.
    NoQueue,
    /// The queue service refuses the link.
    Refused,
    /// The queue service has been away for longer than callers wait for it.
    QueueAway,
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Closed::Stopping => "the gateway is stopping",
            Closed::Full(Log::Journal) => "the gateway's journal has no room, or cannot be written",
            Closed::Full(Log::Ledger) => "the queue service's ledger has no room, or cannot be written",
            Closed::NoQueue => "the gateway has not reached the queue service yet",
            Closed::Refused => "the queue service refuses the gateway",
            Closed::QueueAway => "the queue service has been away for too long",
        })
    }
}

impl Gateway {
    /// Whether callers are taken whose flows lead to a queue. Nobody is answered into a queue that is not there; one that is
    /// briefly away gets them when it is back.
    pub fn takes_callers(&self, now: Time) -> bool {
        self.without_queue(now).is_none()
    }

    fn without_queue(&self, now: Time) -> Option<Closed> {
        match self.link {
            Link::Up => None,
            Link::Never => Some(Closed::NoQueue),
            Link::Refused => Some(Closed::Refused),
            Link::Down { since } => {
                (now.since(since) >= self.settings.queue_away).then_some(Closed::QueueAway)
            }
        }
    }

    /// Why no new calls are taken, as far as it is not a matter of how many there are; `None` while they are.
    pub fn closed(&self, now: Time) -> Option<Closed> {
        if self.draining {
            return Some(Closed::Stopping);
        }
        let full = self.full.first().map(|log| Closed::Full(*log));
        full.or_else(|| self.without_queue(now))
    }

    /// Whether a new epoch is wanted: the queue has another journal of this one.
    pub fn wants_epoch(&self) -> bool {
        self.wants_epoch
    }

    pub(super) fn attached(&mut self, now: Time, have: u64) {
        if !self.journal.continues(have) {
            // The two logs are not one: a store was wiped or restored.
            self.link = Link::Refused;
            self.wants_epoch = true;
            return;
        }
        self.link = Link::Up;
        let joined = self.journal.attached(have);
        self.known(now, joined);
    }

    pub(super) fn detached(&mut self, now: Time) {
        self.forecasts.clear();
        self.journal.detached();
        if self.link == Link::Up {
            self.link = Link::Down { since: now };
        }
    }

    pub(super) fn link_refused(&mut self) {
        self.link = Link::Refused;
    }

    /// Begins an empty journal and writes down what goes on: who is there, which calls are up, who waits and since when.
    pub(super) fn begin_epoch(&mut self, now: Time) {
        self.wants_epoch = false;
        let before = std::mem::take(&mut self.journal);
        self.disown_partings();
        self.offers.clear();
        self.durable = 0;
        self.unwritten.clear();
        // Operators first: where nobody is signed in, nobody waits.
        self.unsaid.clear();
        for operator in self.reachable.clone() {
            let lease = self
                .sip
                .bindings(&operator)
                .map(|binding| binding.expires.since(now))
                .max();
            self.write(now, Event::Presence { operator, lease });
        }
        let outlasting: Vec<Entry> = before.outlasting(|call| self.calls.contains_key(&call)).collect();
        for entry in outlasting {
            self.write(entry.at, entry.event);
        }
        let calls: Vec<CallId> = self.calls.keys().copied().collect();
        for id in calls {
            self.with_call(now, id, |gateway, call| gateway.begin_again(now, call));
        }
    }

    fn begin_again(&mut self, now: Time, call: &mut Call) {
        let began = Event::CallBegan {
            call: call.id,
            dialled: call.dialled.to_string(),
            caller: call.identity.clone(),
            origin: call.origin.clone(),
        };
        self.write(call.answered.unwrap_or(now), began);
        call.began = self.journal.last();
        if matches!(call.caller.state, LegState::Opened { .. }) {
            self.unwritten.insert(call.began, call.id);
        }
        if let Some(Playing::Announcement(speaking)) = &mut call.caller.playing {
            speaking.announcement = AnnouncementId(self.foreign());
        }
        let lost = match &mut call.state {
            CallState::Waiting(ticket) => ticket.id,
            CallState::Dialling(Purpose::Offer(offer), _) => {
                offer.id = OfferId(self.foreign());
                offer.ticket.id
            }
            // Its operator is busy here, and is not rung if the queue offers them a call.
            CallState::Talking(Purpose::Offer(offer), _) => return offer.id = OfferId(self.foreign()),
            CallState::Dialling(Purpose::Colleague, _)
            | CallState::Talking(Purpose::Colleague, _)
            | CallState::ConsentPrompt(_)
            | CallState::Dialled
            | CallState::None => return,
        };
        self.rejoin(now, call, lost);
        if let CallState::Waiting(ticket) = &mut call.state {
            ticket.unknown_until = Some(now + self.settings.queue_away);
        }
    }

    /// A number that the queue never gives.
    pub(super) fn foreign(&mut self) -> u64 {
        self.next_foreign += 1;
        FOREIGN + self.next_foreign
    }
}

/// Whether an event is about an offer or an announcement of an earlier epoch.
pub(super) fn is_foreign(event: &Event) -> bool {
    match event {
        Event::Ringing { offer }
        | Event::Answered { offer, .. }
        | Event::Refused { offer, .. }
        | Event::TalkEnded { offer, .. }
        | Event::OperatorLost { offer, .. } => offer.0 > FOREIGN,
        Event::Heard { announcement, .. } => announcement.0 > FOREIGN,
        Event::CallBegan { .. }
        | Event::Joined { .. }
        | Event::Left { .. }
        | Event::Presence { .. }
        | Event::CallEnded { .. }
        | Event::Recorded { .. } => false,
    }
}
