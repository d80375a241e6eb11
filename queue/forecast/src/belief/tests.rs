use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use pronto_types::{TicketId, Time};

use super::*;
use crate::dice::Dice;
use crate::event::{Configuration, Event, QueueHints, Skills};
use crate::tests::{operator, queue};
use crate::{Forecaster, Wait};

const TALK: f64 = 240.0;
const RING: f64 = 4.0;

/// A new centre with exponential talks, more callers than it can serve, and a configured talk.
struct Centre {
    forecaster: Forecaster,
    dice: Dice,
    now: f64,
    next_caller: f64,
    callers: u64,
    /// Operators by when they are free again, and whom they talk to.
    busy: Vec<Option<(f64, TicketId)>>,
    waiting: VecDeque<(TicketId, f64)>,
    forecasts: BTreeMap<TicketId, (Wait, usize)>,
}

/// A forecast, for whom it was, and the wait that came.
struct Came {
    joined: f64,
    ahead: usize,
    wait: Wait,
    real: f64,
}

fn time(seconds: f64) -> Time {
    Time::from_micros((seconds * 1e6) as i64)
}

impl Centre {
    fn new(operators: usize, configured: f64, seed: u64) -> Centre {
        let mut forecaster = Forecaster::default();
        let name = || queue("support");
        let configuration = Configuration {
            queues: vec![QueueHints {
                talk: Duration::from_secs_f64(configured),
                ring: Duration::from_secs_f64(RING),
                wrap_up: Duration::ZERO,
                ..QueueHints::new(name())
            }],
            operators: (0..operators)
                .map(|number| Skills {
                    operator: operator(number),
                    queues: vec![name()],
                })
                .collect(),
        };
        forecaster.observe(Time::ZERO, Event::Configured(configuration));
        for number in 0..operators {
            let operator = operator(number);
            forecaster.observe(Time::ZERO, Event::Ready { operator });
        }
        Centre {
            forecaster,
            dice: Dice::new(seed),
            now: 0.0,
            next_caller: 0.0,
            callers: 0,
            busy: vec![None; operators],
            waiting: VecDeque::new(),
            forecasts: BTreeMap::new(),
        }
    }

    fn tell(&mut self, event: Event) {
        self.forecaster.observe(time(self.now), event);
    }

    /// Goes on up to a time; returns the forecasts of those who were answered.
    fn until(&mut self, end: f64) -> Vec<Came> {
        let mut came = Vec::new();
        loop {
            let freed = self.busy.iter().enumerate();
            let freed = freed.filter_map(|(who, busy)| Some((busy.as_ref()?.0, who)));
            let (free_at, who) = freed
                .min_by(|one, other| one.0.total_cmp(&other.0))
                .unwrap_or((f64::INFINITY, 0));
            self.now = free_at.min(self.next_caller);
            if self.now > end {
                return came;
            }
            if self.next_caller < free_at {
                self.arrive();
            } else {
                self.free(who);
            }
            self.serve(&mut came);
        }
    }

    fn arrive(&mut self) {
        self.callers += 1;
        let ticket = TicketId(self.callers);
        let joined = Event::Joined {
            ticket,
            queue: queue("support"),
            priority: 0,
            joined_at: time(self.now),
            head_start: Duration::ZERO,
            waits_since: time(self.now),
        };
        self.tell(joined);
        self.waiting.push_back((ticket, self.now));
        if self.busy.iter().all(Option::is_some)
            && let Some(wait) = self.forecaster.waiting(time(self.now), ticket)
        {
            self.forecasts.insert(ticket, (wait, self.waiting.len() - 1));
        }
        let every = TALK / self.busy.len() as f64 / 1.1;
        self.next_caller = self.now + every * self.dice.exponential();
    }

    fn free(&mut self, who: usize) {
        if let Some((_, ticket)) = self.busy[who].take() {
            self.tell(Event::TalkEnded { ticket });
            self.tell(Event::Ready {
                operator: operator(who),
            });
        }
    }

    fn serve(&mut self, came: &mut Vec<Came>) {
        while let Some(who) = self.busy.iter().position(Option::is_none)
            && let Some((ticket, joined)) = self.waiting.pop_front()
        {
            let operator = operator(who);
            self.tell(Event::Offered {
                ticket,
                operator: operator.clone(),
            });
            // Told ahead of its time: what is told in between is of others, and time does not go back.
            self.tell(Event::Answered { ticket, operator });
            if let Some((wait, ahead)) = self.forecasts.remove(&ticket) {
                let real = self.now - joined;
                came.push(Came {
                    joined,
                    ahead,
                    wait,
                    real,
                });
            }
            self.busy[who] = Some((self.now + TALK * self.dice.exponential(), ticket));
        }
    }
}

/// The callers who had to wait in `centres` new centres and joined between `begin` and `end`.
fn callers(configured: f64, centres: u64, (begin, end): (f64, f64)) -> Vec<Came> {
    let found = (0..centres).flat_map(|seed| {
        let mut centre = Centre::new(5, configured, 77 + seed);
        let mut came = centre.until(end);
        came.extend(centre.until(end + 3600.0));
        came
    });
    found.filter(|it| (begin..end).contains(&it.joined)).collect()
}

#[test]
fn the_ranges_of_the_first_hour_hold_whether_the_configured_talk_is_right_or_wrong() {
    for (wrong, most) in [(0.5, 0.16), (1.0, 0.13), (2.0, 0.12)] {
        let came = callers(wrong * TALK, 40, (0.0, 3600.0));
        let late = came.iter().filter(|it| it.real > it.wait.p90.as_secs_f64());
        let late = late.count() as f64 / came.len() as f64;
        assert!(
            (0.04..most).contains(&late),
            "× {wrong}: {late:.3} of {} waits exceeded their P90",
            came.len()
        );
    }
}

#[test]
fn the_range_of_a_short_line_gets_narrower_as_talks_are_seen() {
    let width = |times| {
        let came = callers(TALK, 24, times);
        let short: Vec<&Came> = came.iter().filter(|it| it.ahead <= 2).collect();
        assert!(short.len() > 50, "{}", short.len());
        let sum = |of: fn(&Wait) -> Duration| short.iter().map(|it| of(&it.wait).as_secs_f64()).sum::<f64>();
        sum(|wait| wait.p90) / sum(|wait| wait.p50)
    };
    let (first, later) = (width((0.0, 600.0)), width((3600.0, 5400.0)));
    assert!(first > 1.1 * later, "{first} {later}");
}

#[test]
fn talks_that_go_on_for_long_are_believed_before_one_has_ended() {
    let mut centre = Centre::new(5, 60.0, 1);
    let belief = |centre: &Centre, now: f64| {
        Belief::of(&centre.forecaster.floor, &centre.forecaster.learned[0], 0, now)
    };
    let before = belief(&centre, 0.0);
    assert!((before.mean - 60.0).abs() < 1e-6 && (before.doubt - 1.0 / PRIOR).abs() < 1e-9);
    centre.until(1.0);
    // One talk began at 0 and goes on: 600 s without an end, where 60 s were believed.
    let after = belief(&centre, 600.0);
    let balance = PRIOR * (after.mean / 60.0).ln() - 600.0 / after.mean;
    assert!(after.mean > 150.0 && balance.abs() < 1e-6, "{after:?}");
    assert!(after.doubt < before.doubt);
}

#[test]
fn a_configuration_that_is_far_off_is_forgotten_after_a_few_talks() {
    // Twenty talks of 5 s where four minutes were configured, and the other way round.
    let short = Belief::likeliest(240.0, 20.0, 100.0);
    assert!((5.0..12.0).contains(&short.mean), "{short:?}");
    let long = Belief::likeliest(5.0, 20.0, 4800.0);
    assert!((140.0..240.0).contains(&long.mean), "{long:?}");
    let none = Belief::likeliest(240.0, 0.0, 0.0);
    assert!((none.mean - 240.0).abs() < 1e-6, "{none:?}");
    for (ended, seconds) in [(1500.0, 1e-3), (0.0, 1e9), (1500.0, 1.3e8)] {
        for configured in [0.1, 86_400.0] {
            let wild = Belief::likeliest(configured, ended, seconds);
            let balance = PRIOR * (wild.mean / configured).ln() + ended - seconds / wild.mean;
            assert!(
                balance.abs() < 1e-3 * (1.0 + ended),
                "{configured} {ended} {seconds}: {wild:?}"
            );
        }
    }
}

#[test]
fn what_many_talks_have_shown_is_hardly_doubted() {
    let mut centre = Centre::new(5, 3.0 * TALK, 2);
    centre.until(20.0 * 3600.0);
    let learned = &centre.forecaster.learned[0];
    assert!(learned.talks > KEPT as u64 * 2 / 3, "{}", learned.talks);
    let belief = Belief::of(&centre.forecaster.floor, learned, 0, centre.now);
    assert!((belief.mean / TALK - 1.0).abs() < 0.08, "{belief:?}");
    assert!(belief.doubt < 0.0015, "{belief:?}");
}
