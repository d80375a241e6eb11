//! How a wall clock stood beside [`Time`], so that what happened can be dated.

use crate::Time;

/// Steps that are kept: the newest. What lies before them is dated by the oldest one known.
const KEPT: usize = 1_024;

/// The offsets of a wall clock from [`Time`], each from the moment at which it was noticed. Zero before the first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wall {
    steps: Vec<(Time, i64)>,
}

impl Wall {
    /// The wall clock has always stood `offset` microseconds ahead of [`Time`].
    pub fn begin(offset: i64) -> Self {
        let mut wall = Wall::default();
        if offset != 0 {
            wall.step(Time::from_micros(i64::MIN), offset);
        }
        wall
    }

    /// From `at` on the wall clock stands `offset` microseconds ahead of [`Time`]. Moments come in their order.
    pub fn step(&mut self, at: Time, offset: i64) {
        if self.steps.len() >= KEPT {
            self.steps.remove(0);
        }
        self.steps.push((at, offset));
    }

    /// The offset now, in microseconds.
    pub fn offset(&self) -> i64 {
        self.steps.last().map_or(0, |(_, offset)| *offset)
    }

    /// The offset at a moment, in microseconds.
    pub fn offset_at(&self, at: Time) -> i64 {
        let later = self.steps.partition_point(|(since, _)| *since <= at);
        let known = later.checked_sub(1).and_then(|index| self.steps.get(index));
        // What is forgotten lies before the oldest that is kept.
        let oldest = self.steps.first().filter(|_| self.steps.len() >= KEPT);
        known.or(oldest).map_or(0, |(_, offset)| *offset)
    }

    /// The date of a moment.
    pub fn date(&self, at: Time) -> Time {
        at.shifted(self.offset_at(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_dated_by_the_clock_of_that_moment() {
        let (mut wall, second) = (Wall::default(), 1_000_000);
        assert_eq!(wall.date(Time::from_secs(5)), Time::from_secs(5));
        wall.step(Time::from_secs(10), -3_600 * second);
        wall.step(Time::from_secs(20), 0);
        for (at, date) in [(9, 9), (10, 10 - 3_600), (19, 19 - 3_600), (20, 20)] {
            assert_eq!(wall.date(Time::from_secs(at)), Time::from_secs(date), "{at}");
        }
        assert_eq!(wall.offset(), 0);
        let ahead = Wall::begin(5 * second);
        assert_eq!(ahead.date(Time::ZERO), Time::from_secs(5));
        assert_eq!(Wall::begin(0), Wall::default());
    }

    #[test]
    fn a_clock_that_is_set_for_ever_costs_no_memory_for_ever() {
        let mut wall = Wall::default();
        for at in 0..5_000 {
            wall.step(Time::from_secs(at), at);
        }
        assert_eq!((wall.steps.len(), wall.offset()), (KEPT, 4_999));
        assert_eq!(wall.offset_at(Time::ZERO), 5_000 - KEPT as i64);
    }
}
