//! When an operator comes and goes: the last working day, expected again today.

use std::collections::VecDeque;

const DAY: f64 = 86_400.0;

/// Signings in and out kept of one day.
const KEPT: usize = 16;

/// The time for which an operator who came at this time yesterday and is not here is expected any moment, in seconds.
const LATE: f64 = 900.0;

/// Signings in (`true`) and out of an operator by second of the day, of the latest day they worked and the one before.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Shifts {
    day: i64,
    latest: VecDeque<(f32, bool)>,
    before: VecDeque<(f32, bool)>,
}

fn day_of(now: f64) -> (i64, f64) {
    let day = (now / DAY).floor();
    (day as i64, now - day * DAY)
}

impl Shifts {
    pub(crate) fn record(&mut self, now: f64, came: bool) {
        let (day, second) = day_of(now);
        if day != self.day {
            self.before = std::mem::take(&mut self.latest);
            self.day = day;
        }
        if self.latest.len() == KEPT {
            self.latest.pop_front();
        }
        self.latest.push_back((second as f32, came));
    }

    /// The day to go by: the latest one before today.
    fn pattern(&self, day: i64) -> &VecDeque<(f32, bool)> {
        if day == self.day {
            &self.before
        } else {
            &self.latest
        }
    }

    /// In how many seconds an operator who is here is expected to go.
    pub(crate) fn leaves_in(&self, now: f64) -> Option<f64> {
        let (day, second) = day_of(now);
        let ahead = |&&(at, came): &&(f32, bool)| !came && f64::from(at) > second;
        let next = self.pattern(day).iter().find(ahead)?;
        Some(f64::from(next.0) - second)
    }

    /// In how many seconds an operator who is not here is expected to come.
    pub(crate) fn comes_in(&self, now: f64) -> Option<f64> {
        let (day, second) = day_of(now);
        let pattern = self.pattern(day);
        let mut comings = pattern.iter().filter(|it| it.1).map(|it| f64::from(it.0));
        let next = comings.clone().find(|&at| at > second - LATE);
        if let Some(at) = next {
            let been = day == self.day
                && self
                    .latest
                    .iter()
                    .any(|it| it.1 && (f64::from(it.0) - at).abs() < LATE);
            if !been {
                return Some((at - second).max(LATE / 8.0));
            }
        }
        let first = comings.next().or_else(|| {
            let today = self.latest.iter().find(|it| it.1);
            today.map(|it| f64::from(it.0))
        })?;
        Some(first + DAY - second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yesterday_is_expected_again() {
        let mut shifts = Shifts::default();
        let nine = 9.0 * 3600.0;
        shifts.record(nine, true);
        assert_eq!(
            shifts.leaves_in(nine + 60.0),
            None,
            "nothing is known of the first day"
        );
        shifts.record(2.0 * nine, false);
        assert_eq!(shifts.comes_in(2.0 * nine + 100.0), Some(DAY - nine - 100.0));
        assert_eq!(shifts.comes_in(DAY + nine - 10.0), Some(112.5), "on the way");
        shifts.record(DAY + nine + 30.0, true);
        assert_eq!(shifts.leaves_in(DAY + nine + 30.0), Some(nine - 30.0));
    }
}
