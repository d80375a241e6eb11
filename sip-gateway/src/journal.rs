//! The gateway's journal: one numbered log of what it saw, replicated to the queue.
//!
//! Pure. The newest entries are kept until the queue acknowledges them; the shell also writes every entry to the
//! store, from which [`Unfinished`] finds, after a crash, the calls that never ended.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use pronto_types::link::Event;
use pronto_types::{CallId, OfferId, TicketId, Time};

/// Entries sent and not yet acknowledged, at most: the link's flow control.
const WINDOW: u64 = 512;

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// 1, 2, 3 … within an epoch.
    pub number: u64,
    /// When it happened; for a regained place, when the caller first joined.
    pub at: Time,
    /// The event of this entry.
    pub event: Event,
}

/// The log of one epoch.
#[derive(Debug, Default)]
pub struct Journal {
    /// Entries the queue has not acknowledged, oldest first.
    unacknowledged: VecDeque<Entry>,
    /// The number of the newest entry.
    last: u64,
    /// The newest number acknowledged as durable by the queue.
    acknowledged: u64,
    /// While attached: the newest number handed to the link.
    sent: Option<u64>,
    /// The offers that these entries resolve, and how many of them do: found without reading a long backlog.
    resolved: BTreeMap<OfferId, u32>,
}

impl Journal {
    /// Writes a line and returns it.
    pub fn write(&mut self, at: Time, event: Event) -> Entry {
        self.last += 1;
        let entry = Entry {
            number: self.last,
            at,
            event,
        };
        if let Some(offer) = resolved_by(&entry.event) {
            *self.resolved.entry(offer).or_default() += 1;
        }
        self.unacknowledged.push_back(entry.clone());
        entry
    }

    /// The number of the newest entry, 0 before the first.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// How many entries wait for the queue.
    pub fn backlog(&self) -> usize {
        self.unacknowledged.len()
    }

    /// Whether a queue that has everything up to `have` can be sent the rest: it has what it acknowledged, and nothing
    /// that was never written.
    pub fn continues(&self, have: u64) -> bool {
        (self.acknowledged..=self.last).contains(&have)
    }

    /// The queue is there and has everything up to `have`.
    /// Returns the tickets whose joining it newly knows of.
    pub fn attached(&mut self, have: u64) -> Vec<TicketId> {
        let known = self.forget_up_to(have.min(self.last));
        self.sent = Some(self.acknowledged);
        known
    }

    /// The link is gone; what was sent and not acknowledged will be sent again.
    pub fn detached(&mut self) {
        self.sent = None;
    }

    /// The queue has made everything up to `number` durable. Returns the tickets whose joining it newly knows of.
    pub fn acknowledge(&mut self, number: u64) -> Vec<TicketId> {
        self.forget_up_to(number.min(self.last))
    }

    /// The next entry to send, while attached and within the window.
    pub fn next_to_send(&mut self) -> Option<Entry> {
        let sent = self.sent?;
        if sent >= self.last || sent >= self.acknowledged + WINDOW {
            return None;
        }
        let index = usize::try_from(sent - self.acknowledged).ok()?;
        let entry = self.unacknowledged.get(index)?.clone();
        self.sent = Some(sent + 1);
        Some(entry)
    }

    /// Whether what became of an offer is written here and still on its way to the queue.
    pub fn resolves(&self, offer: OfferId) -> bool {
        self.resolved.contains_key(&offer)
    }

    /// Unacknowledged entries that a later epoch must report too: ended calls and recordings. Calls that are up are
    /// written again.
    pub fn outlasting(self, is_up: impl Fn(CallId) -> bool) -> impl Iterator<Item = Entry> {
        self.unacknowledged
            .into_iter()
            .filter(move |entry| match &entry.event {
                Event::CallBegan { call, .. } => !is_up(*call),
                Event::CallEnded { .. } | Event::Recorded { .. } => true,
                _ => false,
            })
    }

    fn forget_up_to(&mut self, number: u64) -> Vec<TicketId> {
        let mut joined = Vec::new();
        while self.acknowledged < number {
            let event = self.unacknowledged.pop_front().map(|entry| entry.event);
            if let Some(offer) = event.as_ref().and_then(resolved_by)
                && let Some(count) = self.resolved.get_mut(&offer)
            {
                *count -= 1;
                if *count == 0 {
                    self.resolved.remove(&offer);
                }
            }
            if let Some(Event::Joined { ticket, .. }) = event {
                joined.push(ticket);
            }
            self.acknowledged += 1;
        }
        if let Some(sent) = &mut self.sent {
            *sent = (*sent).max(self.acknowledged);
        }
        joined
    }
}

/// The offer of which an event says what became of it.
fn resolved_by(event: &Event) -> Option<OfferId> {
    match event {
        Event::Refused { offer, .. }
        | Event::Answered { offer, .. }
        | Event::TalkEnded { offer, .. }
        | Event::OperatorLost { offer, .. } => Some(*offer),
        _ => None,
    }
}

/// A fold of the journal: the calls that began and never ended, which is what a crash left open.
#[derive(Debug, Default)]
pub struct Unfinished(BTreeSet<CallId>);

impl Unfinished {
    /// Takes the next event.
    pub fn see(&mut self, event: &Event) {
        match event {
            Event::CallBegan { call, .. } => {
                self.0.insert(*call);
            }
            Event::CallEnded { call, .. } => {
                self.0.remove(call);
            }
            _ => {}
        }
    }

    /// The calls left open.
    pub fn calls(self) -> BTreeSet<CallId> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pronto_types::link::RefuseReason;

    fn event(n: u64) -> Event {
        Event::Ringing { offer: OfferId(n) }
    }

    fn numbers(journal: &mut Journal) -> Vec<u64> {
        std::iter::from_fn(|| journal.next_to_send().map(|entry| entry.number)).collect()
    }

    #[test]
    fn nothing_is_sent_before_the_link_is_up_and_everything_after() {
        let mut journal = Journal::default();
        for n in 0..3 {
            journal.write(Time::ZERO, event(n));
        }
        assert_eq!(numbers(&mut journal), []);
        journal.attached(0);
        assert_eq!(numbers(&mut journal), [1, 2, 3]);
        journal.write(Time::ZERO, event(3));
        assert_eq!(numbers(&mut journal), [4]);
    }

    #[test]
    fn a_reattachment_resends_exactly_what_the_queue_does_not_have() {
        let mut journal = Journal::default();
        for n in 0..5 {
            journal.write(Time::ZERO, event(n));
        }
        journal.attached(0);
        assert_eq!(numbers(&mut journal).len(), 5);
        journal.acknowledge(2);
        journal.detached();
        journal.attached(3);
        assert_eq!(numbers(&mut journal), [4, 5]);
        assert_eq!(journal.backlog(), 2);
    }

    #[test]
    fn the_window_bounds_what_is_in_flight() {
        let mut journal = Journal::default();
        for n in 0..WINDOW + 10 {
            journal.write(Time::ZERO, event(n));
        }
        journal.attached(0);
        assert_eq!(numbers(&mut journal).len() as u64, WINDOW);
        journal.acknowledge(4);
        assert_eq!(
            numbers(&mut journal),
            (WINDOW + 1..=WINDOW + 4).collect::<Vec<_>>()
        );
    }

    #[test]
    fn a_queue_that_claims_the_future_or_forgets_the_past_is_not_believed() {
        let mut journal = Journal::default();
        journal.write(Time::ZERO, event(1));
        assert!(journal.continues(0) && journal.continues(1) && !journal.continues(2));
        let mut other = Journal::default();
        other.write(Time::ZERO, event(1));
        other.acknowledge(1);
        assert!(!other.continues(0));
        journal.attached(99);
        journal.write(Time::ZERO, event(2));
        assert_eq!(numbers(&mut journal), [2]);
    }

    #[test]
    fn an_offer_is_resolved_until_the_queue_knows() {
        let (offer, ticket) = (OfferId(7), TicketId(3));
        let reason = RefuseReason::Busy;
        let resolved = [
            Event::Refused { offer, reason },
            Event::Answered { offer, ticket },
            Event::TalkEnded { offer, ticket },
        ];
        for event in resolved {
            let mut journal = Journal::default();
            journal.write(Time::ZERO, event.clone());
            assert!(journal.resolves(offer), "{event:?}");
            assert!(!journal.resolves(OfferId(8)), "{event:?}");
            journal.acknowledge(1);
            assert!(!journal.resolves(offer), "{event:?}");
        }
        let mut journal = Journal::default();
        journal.write(Time::ZERO, Event::Ringing { offer });
        assert!(!journal.resolves(offer), "it still rings");
    }

    #[test]
    fn an_offer_with_two_lines_is_resolved_until_the_queue_knows_both() {
        let (mut journal, offer) = (Journal::default(), OfferId(7));
        let reason = RefuseReason::Busy;
        for _ in 0..2 {
            journal.write(Time::ZERO, Event::Refused { offer, reason });
        }
        journal.acknowledge(1);
        assert!(journal.resolves(offer) && !journal.resolves(OfferId(8)));
        journal.acknowledge(2);
        assert!(!journal.resolves(offer) && journal.resolved.is_empty());
    }
}
