//! The week of a queue, learned: by hour of the week (UTC, Monday first), how many callers came and how long they waited.
//! The last weeks count most. It says when to call.

use std::time::Duration;

use pronto_types::{QueueName, Time};

use crate::Forecaster;
use crate::floor::seconds;

const HOUR: f64 = 3600.0;

/// Hours of a week.
const HOURS: i64 = 168;

/// Hours from a Monday to the Thursday that 1970-01-01 was.
const THURSDAY: i64 = 72;

/// The share of an hour's statistics that is kept when it comes again: the last five weeks or so.
const KEPT: f64 = 0.8;

/// The weight of the queue's average in each hour, in callers; an hour with fewer callers is not recommended.
const BELIEF: f64 = 5.0;

/// An hour to come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HourAhead {
    /// When it begins.
    pub begins: Time,
    /// How many call in it, usually.
    pub callers: f64,
    /// How long they wait until answered, on average.
    pub wait: Duration,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Week {
    hours: Vec<Hour>,
    /// The hour that is passing, since the epoch.
    current: Option<i64>,
}

/// One hour of the week; each a sum over the weeks, of which older ones count less.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Hour {
    passed: f64,
    joined: f64,
    /// Callers who joined and whose wait is known, and the outcome of their waits.
    known: f64,
    waited: f64,
    answered: f64,
}

impl Default for Week {
    fn default() -> Self {
        Week {
            hours: vec![Hour::default(); HOURS as usize],
            current: None,
        }
    }
}

fn hour_at(now: f64) -> i64 {
    (now / HOUR).floor() as i64
}

fn of_week(hour: i64) -> usize {
    (hour + THURSDAY).rem_euclid(HOURS) as usize
}

impl Week {
    /// It is now: hours that began meanwhile are counted, callers or not.
    pub(crate) fn pass(&mut self, now: f64) {
        let hour = hour_at(now);
        let first = match self.current {
            Some(current) if current >= hour => return,
            // What lies further back is forgotten anyway.
            Some(current) => (current + 1).max(hour - 8 * HOURS),
            None => hour,
        };
        self.current = Some(hour);
        for begun in first..=hour {
            let known = &mut self.hours[of_week(begun)];
            let Hour {
                passed,
                joined,
                known: whose,
                waited,
                answered,
            } = known;
            for sum in [passed, joined, whose, waited, answered] {
                *sum *= KEPT;
            }
            known.passed += 1.0;
        }
    }

    /// Somebody set the clock: an hour that has not come yet is not the one that is passing.
    pub(crate) fn set(&mut self, now: f64) {
        self.current = self.current.map(|current| current.min(hour_at(now)));
    }

    pub(crate) fn joined(&mut self, now: f64) {
        self.hours[of_week(hour_at(now))].joined += 1.0;
    }

    /// How long somebody waited, or would have.
    pub(crate) fn waited(&mut self, since: f64, wait: f64, answered: bool) {
        let hour = &mut self.hours[of_week(hour_at(since))];
        hour.known += 1.0;
        hour.waited += wait.max(0.0);
        hour.answered += f64::from(u8::from(answered));
    }

    /// The hours of the next week in which somebody answers, the shortest wait first.
    fn ahead(&self, now: f64) -> Vec<HourAhead> {
        let sum = |of: fn(&Hour) -> f64| self.hours.iter().map(of).sum::<f64>();
        let usual = sum(|it| it.waited) / sum(|it| it.known).max(1.0);
        let next = hour_at(now) + 1;
        let ahead = (next..next + HOURS).filter_map(|begins| {
            let hour = self.hours[of_week(begins)];
            let served = hour.known >= BELIEF && hour.answered * 2.0 > hour.known;
            let wait = (hour.waited + BELIEF * usual) / (hour.known + BELIEF);
            served.then(|| HourAhead {
                begins: Time::from_secs(begins * HOUR as i64),
                callers: hour.joined / hour.passed.max(KEPT),
                wait: Duration::from_secs_f64(wait.min(86_400.0)),
            })
        });
        let mut ahead: Vec<HourAhead> = ahead.collect();
        ahead.sort_by_key(|it| (it.wait, it.begins));
        ahead
    }
}

impl Forecaster {
    /// When to call a queue: the hours of the next seven days in which callers were answered, the shortest wait first, by the
    /// wall clock; empty while too little is known, `None` if the queue is not.
    pub fn best_hours(&self, now: Time, queue: &QueueName) -> Option<Vec<HourAhead>> {
        let &queue = self.floor.names.get(queue)?;
        Some(
            self.learned[queue]
                .week
                .ahead(seconds(now).max(self.now) + self.floor.clock),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Weeks of ten callers in each hour from 8 to 18 UTC on weekdays; who calls at ten waits longest.
    fn worked(weeks: i64) -> (Week, f64) {
        let mut week = Week::default();
        // A Monday: 2026-11-02T00:00Z.
        let monday = 1_793_577_600_i64;
        for hour in 0..weeks * HOURS {
            let now = (monday + 3600 * hour) as f64;
            week.pass(now);
            let (day, of_day) = (hour / 24 % 7, hour % 24);
            if day < 5 && (8..18).contains(&of_day) {
                for caller in 0..10 {
                    let joined = now + 300.0 * f64::from(caller);
                    week.joined(joined);
                    let wait = if of_day == 10 { 600.0 } else { 10.0 * of_day as f64 };
                    week.waited(joined, wait, true);
                }
            }
        }
        (week, (monday + 3600 * weeks * HOURS) as f64)
    }

    #[test]
    fn the_quiet_hour_is_recommended_and_the_busy_one_comes_last() {
        let (week, now) = worked(3);
        let hours = week.ahead(now);
        assert_eq!(hours.len(), 50, "those in which somebody answers");
        let of_day = |hour: &HourAhead| hour.begins.as_micros() / 3_600_000_000 % 24;
        assert!(
            hours[..5].iter().all(|hour| of_day(hour) == 8),
            "{:?}",
            &hours[..5]
        );
        assert!(hours[45..].iter().all(|hour| of_day(hour) == 10));
        assert!((hours[0].callers - 10.0).abs() < 1e-6, "{:?}", hours[0]);
        assert!(hours[0].begins > Time::from_secs(now as i64));
        assert!(hours.windows(2).all(|pair| pair[0].wait <= pair[1].wait));
    }

    #[test]
    fn an_hour_in_which_nobody_answers_is_not_recommended() {
        let (mut week, now) = worked(1);
        let evening = now - 3.0 * HOUR;
        for _ in 0..50 {
            week.joined(evening);
            week.waited(evening, 1.0, false);
        }
        let hours = week.ahead(now);
        assert_eq!(hours.len(), 50);
        assert!(Week::default().ahead(now).is_empty(), "nothing is known");
    }

    #[test]
    fn a_clock_set_back_a_year_does_not_stop_the_weeks() {
        let (mut week, now) = worked(3);
        let year = 52.0 * 7.0 * 86_400.0;
        week.set(now - year);
        let passed = |week: &Week| week.hours.iter().map(|hour| hour.passed).sum::<f64>();
        let before = passed(&week);
        for hour in 0..4 * HOURS {
            week.pass(now - year + HOUR * hour as f64);
        }
        assert!(passed(&week) > before + 10.0, "hours go on being counted");
        assert_eq!(week.ahead(now - year).len(), 50);
    }

    #[test]
    fn a_long_silence_is_passed_in_no_time() {
        let mut week = Week::default();
        for time in [0.0, 1e12, -5.0, 1e15] {
            week.pass(time);
        }
        let passed: f64 = week.hours.iter().map(|hour| hour.passed).sum();
        assert!(passed > 168.0 && passed < 168.0 * 5.0, "{passed}");
    }
}
