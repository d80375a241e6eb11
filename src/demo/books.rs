//! The books of the callers and operators: what they say of their calls, added up.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use pronto_demo::{Listening, Note, Offer, Outcome, Phase, Speaker, Wish};
use pronto_types::Time;

use super::ground::operator_id;

/// Whoever is answered within this is served well: the classic 80/20.
pub(super) const WELL: Duration = Duration::from_secs(20);
/// A gap in the packets, or silence while music or an operator should be heard, that a caller would remark on.
pub(super) const REMARKABLE: Duration = Duration::from_secs(2);
/// Lines of news kept for the board.
const NEWS: usize = 200;

/// Everything the people have said.
#[derive(Debug, Default)]
pub(super) struct Books {
    /// The current phase of each caller, and when it began.
    pub(super) callers: Vec<(Phase, Time)>,
    pub(super) calls: Calls,
    pub(super) offers: Offers,
    pub(super) sound: Sound,
    /// The newest last.
    pub(super) news: VecDeque<(Time, String)>,
    /// The tally of each operator.
    pub(super) operators: Vec<Tally>,
    signed_in: BTreeSet<usize>,
    gone: BTreeSet<Speaker>,
    opened: Time,
    shut: Option<Time>,
    closed: Option<Time>,
}

/// Calls that are over, as their callers saw them.
#[derive(Debug, Default)]
pub(super) struct Calls {
    /// From the last key to the operator's first word, of each answered call.
    pub(super) waits: Vec<Duration>,
    /// The number of answered calls that the caller ended.
    pub(super) ended_by_caller: u64,
    /// How long those waited who did not wait to the end.
    pub(super) abandoned: Vec<Duration>,
    pub(super) sent_away: u64,
    /// Refused calls, counted by SIP status.
    pub(super) refused: BTreeMap<u16, u64>,
    /// Pairs of caller and operator that heard each other, as callers saw them.
    heard: Vec<(usize, usize)>,
}

/// Offers that are over, as operators saw them.
#[derive(Debug, Default)]
pub(super) struct Offers {
    pub(super) talks: u64,
    pub(super) missed: u64,
    pub(super) declined: u64,
    pub(super) pauses: u64,
    heard: Vec<(usize, usize)>,
}

/// One operator's reactions to the calls that were offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) answered: u64,
    /// The time in talks that are over.
    pub(super) talked: Duration,
    pub(super) missed: u64,
    pub(super) declined: u64,
}

/// Statistics of the audio that all phones heard.
#[derive(Debug, Default)]
pub(super) struct Sound {
    /// Calls and talks that were listened to.
    pub(super) listened: u64,
    /// In which nothing was heard at all.
    pub(super) deaf: u64,
    /// In which silence or a gap was remarkable.
    pub(super) broken: u64,
    pub(super) packets: u64,
    pub(super) longest_gap: Duration,
    pub(super) longest_silence: Duration,
}

impl Books {
    pub(super) fn new(callers: usize, operators: usize) -> Self {
        Books {
            callers: vec![(Phase::Resting, Time::ZERO); callers],
            operators: vec![Tally::default(); operators],
            ..Books::default()
        }
    }

    /// The day begins.
    pub(super) fn open(&mut self, now: Time) {
        self.opened = now;
    }

    /// No new calls.
    pub(super) fn shut(&mut self, now: Time) {
        self.shut.get_or_insert(now);
        self.say(now, "closing: no new calls".to_owned());
    }

    /// The day is over.
    pub(super) fn close(&mut self, now: Time) {
        self.shut.get_or_insert(now);
        self.closed = Some(now);
    }

    /// How long calls were made.
    pub(super) fn length(&self) -> Duration {
        self.shut.map(|at| at.since(self.opened)).unwrap_or_default()
    }

    pub(super) fn all_signed_in(&self) -> bool {
        self.signed_in.len() == self.operators.len()
    }

    pub(super) fn all_gone(&self) -> bool {
        self.gone.len() == self.operators.len() + self.callers.len()
    }

    /// The share of callers served within [`WELL`], of those answered and those who gave up; `None` before the first.
    pub(super) fn service_level(&self) -> Option<f64> {
        let well = self.calls.waits.iter().filter(|wait| **wait <= WELL).count();
        let all = self.calls.waits.len() + self.calls.abandoned.len();
        (all > 0).then(|| well as f64 / all as f64)
    }

    /// Talks in which caller and operator heard each other, each sure of whom.
    pub(super) fn heard_each_other(&self) -> usize {
        let mut theirs: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        for pair in &self.offers.heard {
            *theirs.entry(*pair).or_default() += 1;
        }
        let mut pairs = 0;
        for pair in &self.calls.heard {
            if let Some(left) = theirs.get_mut(pair).filter(|left| **left > 0) {
                *left -= 1;
                pairs += 1;
            }
        }
        pairs
    }

    /// Writes down what somebody says.
    pub(super) fn enter(&mut self, now: Time, note: Note) {
        match note {
            Note::SignedIn { operator } => {
                self.signed_in.insert(operator);
            }
            Note::Caller { caller, phase } => {
                if let Some(entry) = self.callers.get_mut(caller) {
                    *entry = (phase, now);
                }
            }
            Note::Called {
                caller,
                outcome,
                heard,
            } => self.called(now, caller, outcome, heard),
            Note::Offered {
                operator,
                offer,
                heard,
            } => self.offered(now, operator, offer, heard),
            Note::Wished { operator, wish } => {
                let id = operator_id(operator);
                if wish == Wish::Pause {
                    self.offers.pauses += 1;
                    self.say(now, format!("operator {id} takes a break"));
                } else {
                    self.say(now, format!("operator {id} is back"));
                }
            }
            Note::Gone { who } => {
                self.gone.insert(who);
            }
        }
    }

    fn called(&mut self, now: Time, caller: usize, outcome: Outcome, heard: Option<Listening>) {
        self.listened(heard);
        let who = caller + 1;
        match outcome {
            Outcome::Talked {
                waited,
                operator,
                by_caller,
            } => {
                self.calls.waits.push(waited);
                self.calls.ended_by_caller += u64::from(by_caller);
                self.calls.heard.push((caller, operator));
                let (id, waited) = (operator_id(operator), waited.as_secs());
                self.say(
                    now,
                    format!("caller {who} talked with operator {id}, waited {waited} s"),
                );
            }
            Outcome::Abandoned { waited } => {
                self.calls.abandoned.push(waited);
                self.say(now, format!("caller {who} gave up after {} s", waited.as_secs()));
            }
            Outcome::SentAway { waited } => {
                self.calls.sent_away += 1;
                self.say(
                    now,
                    format!("caller {who} was sent away after {} s", waited.as_secs()),
                );
            }
            Outcome::Refused(status) => {
                *self.calls.refused.entry(status).or_default() += 1;
                self.say(now, format!("caller {who} was refused: {status}"));
            }
        }
    }

    fn offered(&mut self, now: Time, operator: usize, offer: Offer, heard: Option<Listening>) {
        let id = operator_id(operator);
        let mut nobody = Tally::default();
        let tally = self.operators.get_mut(operator).unwrap_or(&mut nobody);
        match offer {
            Offer::Talked { caller, talked, .. } => {
                tally.answered += 1;
                tally.talked += talked;
                self.listened(heard);
                self.offers.talks += 1;
                self.offers.heard.extend(caller.map(|caller| (caller, operator)));
            }
            Offer::Missed => {
                tally.missed += 1;
                self.offers.missed += 1;
                self.say(now, format!("operator {id} let it ring"));
            }
            Offer::Declined => {
                tally.declined += 1;
                self.offers.declined += 1;
                self.say(now, format!("operator {id} declined"));
            }
        }
    }

    fn listened(&mut self, heard: Option<Listening>) {
        let Some(heard) = heard else { return };
        let sound = &mut self.sound;
        sound.listened += 1;
        sound.packets += heard.packets;
        sound.deaf += u64::from(heard.first_sound.is_none());
        let broken = heard.longest_gap > REMARKABLE || heard.longest_silence > REMARKABLE;
        sound.broken += u64::from(broken);
        sound.longest_gap = sound.longest_gap.max(heard.longest_gap);
        sound.longest_silence = sound.longest_silence.max(heard.longest_silence);
    }

    fn say(&mut self, now: Time, text: String) {
        if self.news.len() == NEWS {
            self.news.pop_front();
        }
        self.news.push_back((now, text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn talked(waited: u64, operator: usize) -> Outcome {
        Outcome::Talked {
            waited: Duration::from_secs(waited),
            operator,
            by_caller: false,
        }
    }

    fn books(outcomes: &[(usize, Outcome)]) -> Books {
        let mut books = Books::new(4, 2);
        for (caller, outcome) in outcomes {
            books.enter(
                Time::ZERO,
                Note::Called {
                    caller: *caller,
                    outcome: *outcome,
                    heard: None,
                },
            );
        }
        books
    }

    #[test]
    fn the_service_level_counts_those_who_gave_up() {
        let waited = Duration::from_secs(9);
        let books = books(&[
            (0, talked(20, 0)),
            (1, talked(21, 0)),
            (2, talked(3, 1)),
            (3, Outcome::Abandoned { waited }),
        ]);
        assert_eq!(books.service_level(), Some(0.5));
        assert_eq!(Books::new(1, 1).service_level(), None);
    }

    #[test]
    fn a_talk_counts_as_heard_only_if_both_sides_heard_the_other() {
        let mut books = books(&[(0, talked(1, 0)), (0, talked(1, 0)), (1, talked(1, 1))]);
        for (operator, caller) in [(0, Some(0)), (1, Some(2)), (1, None)] {
            let offer = Offer::Talked {
                talked: Duration::from_secs(5),
                caller,
                by_operator: true,
            };
            books.enter(
                Time::ZERO,
                Note::Offered {
                    operator,
                    offer,
                    heard: None,
                },
            );
        }
        assert_eq!(books.heard_each_other(), 1);
        assert_eq!(books.offers.talks, 3);
        let tally = |answered, seconds| Tally {
            answered,
            talked: Duration::from_secs(seconds),
            ..Tally::default()
        };
        assert_eq!(books.operators, [tally(1, 5), tally(2, 10)], "by operator");
    }

    #[test]
    fn silence_gaps_and_calls_without_any_sound_are_counted() {
        let mut books = Books::new(1, 1);
        let good = Listening {
            packets: 50,
            first_sound: Some(Duration::ZERO),
            ..Listening::default()
        };
        let silent = Listening {
            longest_silence: Duration::from_secs(3),
            ..good
        };
        for heard in [good, silent, Listening::default()] {
            books.enter(
                Time::ZERO,
                Note::Called {
                    caller: 0,
                    outcome: talked(1, 0),
                    heard: Some(heard),
                },
            );
        }
        let Sound {
            listened,
            deaf,
            broken,
            packets,
            ..
        } = books.sound;
        assert_eq!((listened, deaf, broken, packets), (3, 1, 1, 100));
    }

    #[test]
    fn the_day_is_over_when_everybody_is_gone() {
        let mut books = Books::new(1, 1);
        let mut gone = |who| {
            books.enter(Time::ZERO, Note::Gone { who });
            books.all_gone()
        };
        assert!(!gone(Speaker::Caller(0)));
        assert!(!gone(Speaker::Caller(0)));
        assert!(gone(Speaker::Operator(0)));
    }
}
