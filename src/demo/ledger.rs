//! The demonstration as its ledger records it: the announced waits and the actual waits, while it runs; and, at the
//! end, the call records.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use pronto_engine::records::{CallRecords, Written};
use pronto_engine::{Fact, LedgerEntry};
use pronto_queue::LedgerReader;
use pronto_types::link::{Hearing, Promise};
use pronto_types::{AnnouncementId, QueueName, TicketId, Time};

use crate::serve::ServeError;

/// A ledger that is followed.
pub(super) struct Ledger {
    reader: LedgerReader,
    next: u64,
    /// The waits read so far.
    pub(super) waits: Waits,
    /// Call records written.
    pub(super) records: u64,
    folded: CallRecords,
}

impl Ledger {
    /// Opens the ledger of a store.
    pub(super) fn open(store: &Path) -> Result<Self, ServeError> {
        Ok(Ledger {
            reader: LedgerReader::open(store)?,
            next: 1,
            waits: Waits::default(),
            records: 0,
            folded: CallRecords::default(),
        })
    }

    /// Opens the ledger of a store without facts.
    #[cfg(test)]
    pub(super) fn empty(store: &Path) -> Self {
        drop(pronto_store::SqliteStore::open(
            &store.join("ledger.sqlite"),
            |_| {},
        ));
        Ledger::open(store).expect("a new store can be read")
    }

    /// Reads on to the end.
    pub(super) fn read_on(&mut self) -> Result<(), ServeError> {
        for recorded in self.reader.facts_from(self.next) {
            let recorded = recorded?;
            self.next = recorded.seq + 1;
            let written = self.folded.apply(&recorded);
            let calls = written
                .iter()
                .filter(|written| matches!(written, Written::Call(_)));
            self.records += calls.count() as u64;
            self.waits.apply(&recorded);
        }
        Ok(())
    }
}

/// The callers who wait, the waits they were told, and the outcomes.
#[derive(Debug, Default)]
pub(super) struct Waits {
    /// Calls that began.
    pub(super) calls: u64,
    /// Waits that were announced, closed or not.
    pub(super) announced: u64,
    /// Those who wait, by their place's id.
    pub(super) open: BTreeMap<TicketId, Waiting>,
    /// Announced waits whose caller was answered, in that order.
    pub(super) closed: Vec<Closed>,
    /// When the newest fact was written.
    pub(super) read_to: Time,
}

/// Somebody who waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) queue: QueueName,
    pub(super) since: Time,
    told: Vec<Told>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Told {
    announcement: AnnouncementId,
    at: Time,
    wait: Promise,
    heard: bool,
}

/// An announced wait, and the wait that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Closed {
    pub(super) wait: Promise,
    pub(super) came: Duration,
}

impl Waiting {
    /// The newest wait this caller was told, and when.
    pub(super) fn told(&self) -> Option<(Time, Promise)> {
        self.told.last().map(|told| (told.at, told.wait))
    }
}

impl Waits {
    fn apply(&mut self, recorded: &LedgerEntry) {
        let LedgerEntry { seq, at, fact, .. } = recorded;
        self.read_to = *at;
        match fact {
            Fact::CallBegan { .. } => self.calls += 1,
            Fact::Joined {
                ticket,
                queue,
                joined_at,
                ..
            } => {
                let waiting = Waiting {
                    queue: queue.clone(),
                    since: *joined_at,
                    told: Vec::new(),
                };
                self.open.insert(*ticket, waiting);
            }
            Fact::Announced {
                ticket,
                wait: Some(wait),
                ..
            } => {
                self.announced += 1;
                if let Some(waiting) = self.open.get_mut(ticket) {
                    waiting.told.push(Told {
                        announcement: AnnouncementId(*seq),
                        at: *at,
                        wait: *wait,
                        heard: false,
                    });
                }
            }
            Fact::Heard {
                announcement,
                ticket,
                how,
            } => self.heard(*announcement, *ticket, *how),
            Fact::Answered {
                ticket, answered_at, ..
            } => self.answered(*ticket, *answered_at),
            Fact::Left { ticket, .. }
            | Fact::Exited { ticket, .. }
            | Fact::Moved { ticket }
            | Fact::Lost { ticket, .. } => {
                self.open.remove(ticket);
            }
            _ => {}
        }
    }

    fn heard(&mut self, announcement: AnnouncementId, ticket: TicketId, how: Hearing) {
        let told = self.open.get_mut(&ticket).map(|waiting| &mut waiting.told);
        let told = told.and_then(|told| told.iter_mut().find(|told| told.announcement == announcement));
        if let Some(told) = told {
            told.heard = how == Hearing::Whole;
        }
    }

    /// Promises that were heard are closed; one cut short by the operator's answer was never made.
    fn answered(&mut self, ticket: TicketId, answered_at: Time) {
        let Some(waiting) = self.open.remove(&ticket) else {
            return;
        };
        let heard = waiting.told.iter().filter(|told| told.heard);
        self.closed.extend(heard.map(|told| Closed {
            wait: told.wait,
            came: answered_at.since(told.at),
        }));
    }

    /// The number of closed waits that were no longer than their P90.
    pub(super) fn kept(&self) -> usize {
        self.closed
            .iter()
            .filter(|closed| closed.came <= closed.wait.p90)
            .count()
    }

    /// By how much half of the announced waits were off, from their P50.
    pub(super) fn typical_error(&self) -> Option<Duration> {
        let mut errors: Vec<Duration> = self
            .closed
            .iter()
            .map(|closed| closed.came.abs_diff(closed.wait.p50))
            .collect();
        errors.sort_unstable();
        errors.get(errors.len() / 2).copied()
    }
}

#[cfg(test)]
mod tests {
    use pronto_engine::Contact;
    use pronto_types::{CallId, GatewayName, Language, OfferId, OperatorId};

    use super::*;

    const TICKET: TicketId = TicketId(7);

    fn second(n: u64) -> Time {
        Time::ZERO + Duration::from_secs(n)
    }

    /// Facts, each with the second in which it was written; numbered from 1.
    fn fold(facts: Vec<(u64, Fact)>) -> Waits {
        let mut waits = Waits::default();
        for ((at, fact), seq) in facts.into_iter().zip(1..) {
            waits.apply(&LedgerEntry {
                seq,
                at: second(at),
                cause: None,
                fact,
            });
        }
        waits
    }

    fn joined() -> Fact {
        Fact::Joined {
            ticket: TICKET,
            contact: Contact::of_call(GatewayName::new("gw1").unwrap(), CallId(1)),
            queue: QueueName::new("support").unwrap(),
            language: Language::Italian,
            joined_at: second(0),
            head_start: Duration::ZERO,
            deadline: second(100),
            caller_key: None,
            regained: None,
        }
    }

    fn announced(wait: Option<u64>) -> Fact {
        Fact::Announced {
            ticket: TICKET,
            position: Some(1),
            wait: wait.map(|p50| Promise {
                p50: Duration::from_secs(p50),
                p90: Duration::from_secs(2 * p50),
            }),
            rise: None,
        }
    }

    fn heard(announcement: u64, how: Hearing) -> Fact {
        Fact::Heard {
            announcement: AnnouncementId(announcement),
            ticket: TICKET,
            how,
        }
    }

    fn answered(at: u64) -> Fact {
        Fact::Answered {
            offer: OfferId(9),
            ticket: TICKET,
            operator: OperatorId::new("101").unwrap(),
            answered_at: second(at),
        }
    }

    #[test]
    fn a_wait_that_was_heard_is_closed_by_the_answer() {
        let waits = fold(vec![
            (0, joined()),
            (1, announced(Some(10))),
            (5, heard(2, Hearing::Whole)),
            (16, answered(15)),
        ]);
        let [closed] = waits.closed[..] else {
            panic!("{waits:?}")
        };
        assert_eq!(closed.came, Duration::from_secs(14));
        assert_eq!((waits.announced, waits.kept(), waits.open.len()), (1, 1, 0));
        assert_eq!(waits.typical_error(), Some(Duration::from_secs(4)));
    }

    #[test]
    fn a_wait_not_spoken_not_heard_or_not_answered_is_not_closed() {
        let unspoken = vec![
            (0, joined()),
            (1, announced(None)),
            (5, heard(2, Hearing::Whole)),
            (9, answered(9)),
        ];
        assert!(fold(unspoken).closed.is_empty());
        let cut = vec![
            (0, joined()),
            (1, announced(Some(10))),
            (5, heard(2, Hearing::Cut)),
            (9, answered(9)),
        ];
        assert!(fold(cut).closed.is_empty());
        let lost = vec![
            (0, joined()),
            (1, announced(Some(10))),
            (5, heard(2, Hearing::Whole)),
            (9, Fact::Moved { ticket: TICKET }),
        ];
        let lost = fold(lost);
        assert!(lost.closed.is_empty() && lost.open.is_empty());
    }

    #[test]
    fn who_waits_was_told_the_newest_wait() {
        let waits = fold(vec![
            (0, joined()),
            (1, announced(Some(10))),
            (20, announced(Some(5))),
        ]);
        let told = waits.open[&TICKET].told().map(|(at, wait)| (at, wait.p50));
        assert_eq!(told, Some((second(20), Duration::from_secs(5))));
    }
}
