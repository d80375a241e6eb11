//! A ticket that goes on waiting in another queue, and one that comes back.

use pronto_forecast::Event;
use pronto_types::{QueueName, TicketId, Time};

use super::{Home, State, Ticket, TicketState};
use crate::fact::{Fact, LedgerEntry};

impl State {
    /// At the end of the other queue.
    pub(super) fn apply_overflowed(&mut self, seq: u64, at: Time, id: TicketId, to: &QueueName) {
        self.wait_on(id, seq, to, |ticket| {
            ticket.home = Some(Home {
                queue: ticket.queue.clone(),
                ranked_at: ticket.ranked_at,
                order: ticket.order,
            });
            (ticket.ranked_at, ticket.order, ticket.overflowed) = (at, seq, true);
        });
    }

    /// Where it stood before, not to overflow again.
    pub(super) fn apply_sent_back(&mut self, seq: u64, id: TicketId, to: &QueueName) {
        self.wait_on(id, seq, to, |ticket| {
            if let Some(home) = ticket.home.take().filter(|home| home.queue == *to) {
                (ticket.ranked_at, ticket.order) = (home.ranked_at, home.order);
            }
        });
    }

    /// Moves a waiting ticket to another queue. Announcements made stay in force; the reason for a rise is found in the
    /// changes here since, and then in the changes there.
    fn wait_on(&mut self, id: TicketId, seq: u64, to: &QueueName, rank: impl FnOnce(&mut Ticket)) {
        let known = self.tickets.get(&id);
        let Some(mut ticket) = known
            .filter(|it| matches!(it.place, TicketState::Waiting { .. }))
            .cloned()
        else {
            return;
        };
        let here = self.as_it_stands(id);
        self.count_end(id, |ended| &mut ended.moved);
        self.remove_ticket(id);
        rank(&mut ticket);
        ticket.queue = to.clone();
        ticket.place = TicketState::Waiting {
            since: seq,
            skipped: false,
            overtaken: false,
        };
        if let Some(queue) = self.queues.get_mut(to) {
            queue.joined += 1;
        }
        self.index.ticket_in(id, &ticket);
        self.tickets.insert(id, ticket);
        self.retime_nobody(to);
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
        let Some((joined_at, waits_since)) = known.map(|it| (it.ranked_at, it.waits_since)) else {
            return;
        };
        self.learn(recorded.at, Event::Ended { ticket: *ticket });
        let joined = Event::Joined {
            ticket: *ticket,
            queue: to.clone(),
            priority: super::PRIORITY,
            joined_at,
            waits_since,
        };
        self.learn(recorded.at, joined);
    }
}

impl Ticket {
    /// The seniority (moment and order) of who regains this ticket's place in a queue: that of the ticket, if it stands or
    /// stood there; else that of who joins then.
    pub(super) fn regained_in(&self, queue: &QueueName, joined_at: Time, seq: u64) -> (Time, u64) {
        match &self.home {
            _ if self.queue == *queue && self.overflowed => (self.ranked_at, self.order),
            _ if self.queue == *queue => (joined_at, self.order),
            Some(home) if home.queue == *queue => (home.ranked_at, home.order),
            _ => (joined_at, seq),
        }
    }
}
