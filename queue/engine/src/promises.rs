//! The promise ledger: each wait a caller *heard*, held against the wait that came. A fold of the ledger's facts, by itself.
//! What is judged is the range as it was said, in whole minutes: that is what the caller was promised.
//!
//! ```text
//!   Joined ─► Announced ─► Heard (whole) ─┬─ Answered ────────────► closed: the wait, counted from when it was said
//!                 └ cut, or never heard: nothing was promised     └─ Left, Exited … ─► closed: not answered until then
//! ```
//!
//! A caller who goes on waiting in another queue was promised by each what was said there: overflow closes nothing.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use pronto_types::link::{Hearing, Promise};
use pronto_types::{AnnouncementId, QueueName, TicketId, Time, WaitRange};

use crate::fact::{Fact, LedgerEntry};
use crate::limits;

/// The margin after the longest wait that was heard; a promise is broken when the caller is answered later than that.
pub const BROKEN: Duration = Duration::from_secs(60);

/// One day, in microseconds.
pub(crate) const DAY: i64 = 86_400_000_000;

/// A promise and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// In which queue it was said; the caller may have gone on waiting in another.
    pub queue: QueueName,
    /// When it was said.
    pub at: Time,
    /// The promise that was made: the wait still to come.
    pub promise: Promise,
    /// The wait that came, from when it was said.
    pub came: Duration,
    /// Whether an operator answered then; else the caller left, or was sent on.
    pub answered: bool,
}

impl Closed {
    /// The longest wait that was named: the P90, rounded up as it was said.
    pub fn longest(&self) -> Duration {
        self.promise.said().map_or(self.promise.p90, WaitRange::longest)
    }

    /// The shorter figure that was named: the P50, rounded up as it was said.
    pub fn median(&self) -> Duration {
        self.promise.said().map_or(self.promise.p50, WaitRange::median)
    }

    /// Longer than what was named. Of who left earlier nobody knows.
    pub fn late(&self) -> bool {
        self.came > self.longest()
    }

    /// Longer than what was named by more than [`BROKEN`].
    pub fn broken(&self) -> bool {
        self.came > self.longest().saturating_add(BROKEN)
    }
}

/// Promises of one queue and a day or more, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PromiseStats {
    /// Heard whole, and closed.
    pub heard: u64,
    /// Closed by an operator's answer.
    pub answered: u64,
    /// Closed by the caller's leaving, before the longer figure had passed: they might have been kept.
    pub left: u64,
    /// Whoever was answered later than the shorter figure that was heard (the P50, as it was said).
    pub over_p50: u64,
    /// Whoever was answered, or still waited, later than the longer one (the P90, as it was said).
    pub late: u64,
    /// Promises broken by more than [`BROKEN`].
    pub broken: u64,
    /// Over those answered: how far the wait was from the P50 of the forecast, before it was rounded, summed.
    pub error: Duration,
}

impl PromiseStats {
    /// Enters a promise.
    pub fn enter(&mut self, closed: &Closed) {
        self.heard += 1;
        self.late += u64::from(closed.late());
        self.broken += u64::from(closed.broken());
        if closed.answered {
            self.answered += 1;
            self.over_p50 += u64::from(closed.came > closed.median());
            let off = closed.came.abs_diff(closed.promise.p50);
            self.error = self.error.saturating_add(off);
        } else {
            self.left += u64::from(!closed.late());
        }
    }

    /// Promises of which it is known whether they held.
    pub fn known(&self) -> u64 {
        self.heard - self.left
    }

    /// The share of those known that held what was said; `None` without any. Nine of ten should.
    pub fn coverage(&self) -> Option<f64> {
        let known = self.known();
        (known > 0).then(|| (known - self.late) as f64 / known as f64)
    }

    /// How far the wait was from the P50 on average, over those answered.
    pub fn mean_error(&self) -> Option<Duration> {
        let answered = u32::try_from(self.answered).unwrap_or(u32::MAX);
        self.error.checked_div(answered)
    }
}

/// Promises made and not closed yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Promises {
    waiting: BTreeMap<TicketId, Told>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Told {
    /// Where the caller waits, from which fact on: more than one after an overflow.
    places: Vec<(u64, QueueName)>,
    unheard: VecDeque<Said>,
    heard: Vec<Said>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Said {
    announcement: AnnouncementId,
    at: Time,
    promise: Promise,
}

impl Told {
    /// Where it was said.
    fn queue(&self, announcement: AnnouncementId) -> Option<&QueueName> {
        let mut places = self.places.iter().rev();
        let place = places.find(|(since, _)| *since <= announcement.0)?;
        Some(&place.1)
    }
}

impl Promises {
    /// Takes a fact in; returns the promises closed by it. Facts come in the order of their sequence, from the first.
    pub fn apply(&mut self, recorded: &LedgerEntry) -> Vec<Closed> {
        let LedgerEntry { seq, at, fact, .. } = recorded;
        match fact {
            Fact::Joined { ticket, queue, .. } => {
                self.join(*seq, *ticket, queue);
                Vec::new()
            }
            Fact::Overflowed { ticket, to, .. } | Fact::SentBack { ticket, to, .. } => {
                if let Some(told) = self.waiting.get_mut(ticket) {
                    told.places.push((*seq, to.clone()));
                }
                Vec::new()
            }
            Fact::Announced {
                ticket,
                wait: Some(wait),
                ..
            } => {
                self.announced(AnnouncementId(*seq), *ticket, *at, *wait);
                Vec::new()
            }
            Fact::Heard {
                announcement,
                ticket,
                how,
            } => {
                self.heard(*announcement, *ticket, *how);
                Vec::new()
            }
            Fact::Answered {
                ticket, answered_at, ..
            } => self.close(*ticket, *answered_at, true),
            Fact::Left { ticket, .. }
            | Fact::Exited { ticket, .. }
            | Fact::Moved { ticket }
            | Fact::Lost { ticket, .. } => self.close(*ticket, *at, false),
            _ => Vec::new(),
        }
    }

    /// In which queue a caller who still waits was told something.
    pub fn queue_of(&self, ticket: TicketId, announcement: AnnouncementId) -> Option<&QueueName> {
        self.waiting.get(&ticket)?.queue(announcement)
    }

    fn join(&mut self, seq: u64, ticket: TicketId, queue: &QueueName) {
        let told = Told {
            places: vec![(seq, queue.clone())],
            unheard: VecDeque::new(),
            heard: Vec::new(),
        };
        self.waiting.insert(ticket, told);
        if self.waiting.len() > limits::TICKETS {
            self.waiting.pop_first();
        }
    }

    fn announced(&mut self, announcement: AnnouncementId, ticket: TicketId, at: Time, promise: Promise) {
        if let Some(told) = self.waiting.get_mut(&ticket) {
            told.unheard.push_back(Said {
                announcement,
                at,
                promise,
            });
            if told.unheard.len() > limits::UNHEARD {
                told.unheard.pop_front();
            }
        }
    }

    fn heard(&mut self, announcement: AnnouncementId, ticket: TicketId, how: Hearing) {
        let Some(told) = self.waiting.get_mut(&ticket) else {
            return;
        };
        let unheard = &mut told.unheard;
        let Some(place) = unheard.iter().position(|it| it.announcement == announcement) else {
            return;
        };
        if let Some(said) = unheard.remove(place)
            && how == Hearing::Whole
            && told.heard.len() < limits::ANNOUNCEMENTS_OF_TICKET
        {
            told.heard.push(said);
        }
    }

    fn close(&mut self, ticket: TicketId, at: Time, answered: bool) -> Vec<Closed> {
        let Some(told) = self.waiting.remove(&ticket) else {
            return Vec::new();
        };
        let closed = told.heard.iter().filter_map(|said| {
            Some(Closed {
                queue: told.queue(said.announcement)?.clone(),
                at: said.at,
                promise: said.promise,
                came: at.since(said.at),
                answered,
            })
        });
        closed.collect()
    }
}

#[cfg(test)]
mod tests {
    use pronto_types::link::LeaveReason;
    use pronto_types::{CallId, GatewayName, Language, OfferId, OperatorId};

    use super::*;
    use crate::Contact;

    /// A caller joins at 0 and hears at 10 s that nine of ten wait 100 s; or the announcement is cut.
    fn told(how: Hearing) -> Promises {
        let mut promises = Promises::default();
        let secs = Duration::from_secs;
        for (seq, fact) in [
            Fact::Joined {
                ticket: TicketId(7),
                contact: Contact::of_call(GatewayName::new("gw1").unwrap(), CallId(1)),
                queue: QueueName::new("support").unwrap(),
                language: Language::Italian,
                joined_at: Time::ZERO,
                head_start: Duration::ZERO,
                deadline: Time::MAX,
                caller_key: None,
                regained: None,
            },
            Fact::Announced {
                ticket: TicketId(7),
                position: None,
                wait: Some(Promise {
                    p50: secs(59),
                    p90: secs(100),
                }),
                rise: None,
            },
            Fact::Heard {
                announcement: AnnouncementId(2),
                ticket: TicketId(7),
                how,
            },
        ]
        .into_iter()
        .enumerate()
        {
            assert_eq!(promises.apply(&recorded(seq as u64 + 1, 10, fact)), []);
        }
        promises
    }

    fn recorded(seq: u64, at: i64, fact: Fact) -> LedgerEntry {
        LedgerEntry {
            seq,
            at: Time::from_secs(at),
            cause: None,
            fact,
        }
    }

    fn book(mut promises: Promises, at: i64, answered: bool) -> PromiseStats {
        let ticket = TicketId(7);
        let end = if answered {
            Fact::Answered {
                offer: OfferId(4),
                ticket,
                operator: OperatorId::new("ann").unwrap(),
                answered_at: Time::from_secs(at),
            }
        } else {
            Fact::Left {
                ticket,
                reason: LeaveReason::Abandoned,
            }
        };
        let mut book = PromiseStats::default();
        for closed in promises.apply(&recorded(9, at, end)) {
            book.enter(&closed);
        }
        book
    }

    #[test]
    fn what_was_heard_is_closed_by_the_answer() {
        // "Between one and two minutes". Answered after 40 s, 90 s, 110 s (later than the P90 of 100 s, and not later than
        // was said), 125 s and 185 s: in time thrice, late, broken.
        for (at, over_p50, late, broken, off) in [
            (50, 0, 0, 0, 19),
            (100, 1, 0, 0, 31),
            (120, 1, 0, 0, 51),
            (135, 1, 1, 0, 66),
            (195, 1, 1, 1, 126),
        ] {
            let book = book(told(Hearing::Whole), at, true);
            let expected = PromiseStats {
                heard: 1,
                answered: 1,
                over_p50,
                late,
                broken,
                error: Duration::from_secs(off),
                ..PromiseStats::default()
            };
            assert_eq!(book, expected, "answered at {at}");
        }
    }

    #[test]
    fn who_leaves_before_the_time_is_no_witness_and_who_leaves_after_it_is() {
        let early = book(told(Hearing::Whole), 60, false);
        assert_eq!(
            (early.heard, early.left, early.late, early.coverage()),
            (1, 1, 0, None)
        );
        let late = book(told(Hearing::Whole), 200, false);
        assert_eq!((late.heard, late.left, late.late, late.broken), (1, 0, 1, 1));
        assert_eq!(late.coverage(), Some(0.0));
    }

    #[test]
    fn what_was_cut_promised_nothing() {
        assert_eq!(book(told(Hearing::Cut), 400, true), PromiseStats::default());
    }
}
