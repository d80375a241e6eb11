//! A ticket that goes on waiting in another queue, and one that comes back.

use std::time::Duration;

use pronto_forecast::Event;
use pronto_types::{QueueName, TicketId, Time};

use super::{Home, InLine, Seniority, State, Ticket};
use crate::fact::{Fact, LedgerEntry};

impl State {
    /// At the end of the other queue.
    pub(super) fn apply_overflowed(&mut self, seq: u64, at: Time, id: TicketId, to: &QueueName) {
        self.wait_on(id, seq, to, |ticket| {
            ticket.home = Some(Home {
                queue: ticket.queue.clone(),
                seniority: ticket.seniority,
            });
            ticket.overflowed = true;
            ticket.seniority = Seniority {
                ranked_at: at,
                head_start: Duration::ZERO,
                order: seq,
            };
        });
    }

    /// Where it stood before, not to overflow again.
    pub(super) fn apply_sent_back(&mut self, seq: u64, id: TicketId, to: &QueueName) {
        self.wait_on(id, seq, to, |ticket| {
            if let Some(home) = ticket.home.take().filter(|home| home.queue == *to) {
                ticket.seniority = home.seniority;
            }
        });
    }

    /// Moves a waiting ticket to another queue. Announcements made stay in force; the reason for a rise is found in the
    /// changes here since, and then in the changes there.
    fn wait_on(&mut self, id: TicketId, seq: u64, to: &QueueName, rank: impl FnOnce(&mut Ticket)) {
        if !self.is_waiting(id) {
            return;
        }
        let here = self.as_it_stands(id);
        self.count_end(id, |ended| &mut ended.moved);
        let Some(mut ticket) = self.remove_ticket(id) else {
            return;
        };
        rank(&mut ticket);
        (ticket.queue, ticket.line) = (to.clone(), InLine::since(seq));
        if let Some(queue) = self.queues.get_mut(to) {
            queue.joined += 1;
        }
        self.insert_ticket(id, ticket);
        let there = self.as_it_stands(id);
        if let Some(ticket) = self.tickets.get_mut(&id) {
            ticket.told.standing = ticket.told.standing.elsewhere(here, there);
        }
    }

    /// Ends the wait here, without a conclusion about the caller's patience, and begins a wait in the other queue.
    pub(super) fn learn_overflow(&mut self, recorded: &LedgerEntry) {
        let (Fact::Overflowed { ticket, to, .. } | Fact::SentBack { ticket, to, .. }) = &recorded.fact else {
            return;
        };
        let known = self.tickets.get(ticket);
        let Some((seniority, waits_since)) = known.map(|it| (it.seniority, it.waits_since)) else {
            return;
        };
        self.learn(recorded.at, Event::Ended { ticket: *ticket });
        let joined = Event::Joined {
            ticket: *ticket,
            queue: to.clone(),
            priority: super::PRIORITY,
            joined_at: seniority.ranked_at,
            head_start: seniority.head_start,
            waits_since,
        };
        self.learn(recorded.at, joined);
    }
}

impl Ticket {
    /// The seniority of a contact that regains this ticket's place in a queue: that of the ticket, if it stands or stood there;
    /// else that of a contact that joins then.
    pub(super) fn regained_in(&self, queue: &QueueName, joined: Seniority) -> Seniority {
        match &self.home {
            _ if self.queue == *queue && self.overflowed => self.seniority,
            _ if self.queue == *queue => Seniority {
                order: self.seniority.order,
                ..joined
            },
            Some(home) if home.queue == *queue => home.seniority,
            _ => joined,
        }
    }

    /// The head start of the contact, also while it is in a queue where it has none.
    pub(crate) fn head_start(&self) -> Duration {
        let here = self.seniority.head_start;
        self.home.as_ref().map_or(here, |home| home.seniority.head_start)
    }
}
