//! The limit on how often something may happen: a log line that strangers can cause, a message of a source, a new call.

use std::time::Duration;

use crate::Time;

/// A token bucket: a burst may happen at once, and is regained evenly. What is left out is counted, and reported with the
/// first that is allowed later.
///
/// Kept as the generic cell rate algorithm (ITU-T I.371 annex A) keeps it: by the time at which everything would be regained.
#[derive(Clone, Copy, Debug)]
pub struct RateLimit {
    /// When the whole burst is regained, in microseconds.
    regained: i64,
    /// How long one takes to be regained, in microseconds.
    each: i64,
    /// The most at once.
    burst: u32,
    left_out: u64,
}

impl RateLimit {
    /// At most `most` at once, which are regained in `period`.
    pub const fn new(most: u32, period: Duration) -> Self {
        let each = period.as_micros() / if most == 0 { 1 } else { most as u128 };
        RateLimit {
            regained: i64::MIN,
            each: if each > FOR_EVER as u128 {
                FOR_EVER
            } else {
                each as i64
            },
            burst: most,
            left_out: 0,
        }
    }

    /// At most `burst` at once, of which `rate` are regained each second. More than a million a second is no limit.
    pub const fn per_second(burst: u32, rate: u32) -> Self {
        RateLimit {
            regained: i64::MIN,
            each: if rate == 0 {
                FOR_EVER
            } else {
                1_000_000 / rate as i64
            },
            burst,
            left_out: 0,
        }
    }

    /// Whether one more may happen; if so, how many were left out since the last that was allowed.
    pub fn allow(&mut self, now: Time) -> Option<u64> {
        if !self.has_room(now) {
            self.left_out += 1;
            return None;
        }
        self.regained = self.regained.max(now.as_micros()).saturating_add(self.each);
        Some(std::mem::take(&mut self.left_out))
    }

    /// Whether one more would be allowed.
    pub fn has_room(&self, now: Time) -> bool {
        let others = i64::from(self.burst) - 1;
        let used = self.regained.saturating_sub(now.as_micros());
        others >= 0 && used <= others.saturating_mul(self.each)
    }

    /// How many were left out since the last that was allowed.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }
}

/// Longer than anything runs, in microseconds: a century.
const FOR_EVER: i64 = 100 * 365 * 86_400 * 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Time {
        Time::from_micros(1_000_000_000 + (seconds * 1e6) as i64)
    }

    /// Counts how many of many are allowed at once.
    fn burst(limit: &mut RateLimit, now: Time) -> usize {
        (0..1_000).filter(|_| limit.allow(now).is_some()).count()
    }

    #[test]
    fn left_out_ones_are_counted_and_reported_with_the_next() {
        let mut limit = RateLimit::new(2, Duration::from_secs(10));
        let allowed: Vec<Option<u64>> = [0.0, 1.0, 2.0, 4.0, 10.0, 10.1]
            .map(|it| limit.allow(at(it)))
            .into();
        assert_eq!(allowed, [Some(0), Some(0), None, None, Some(2), Some(0)]);
        assert_eq!(limit.allow(at(12.0)), None);
        assert!(!limit.has_room(at(14.9)) && limit.has_room(at(15.0)));
        assert_eq!(limit.left_out(), 1);
    }

    #[test]
    fn a_burst_is_regained_evenly_and_never_grows_beyond_itself() {
        let mut limit = RateLimit::per_second(64, 16);
        assert_eq!(burst(&mut limit, at(0.0)), 64);
        assert_eq!(burst(&mut limit, at(1.0)), 16);
        assert_eq!(burst(&mut limit, at(1.5)), 8);
        assert_eq!(burst(&mut limit, at(86_400.0)), 64);
    }

    #[test]
    fn a_limit_of_nothing_allows_nothing_and_a_rate_of_nothing_regains_nothing() {
        let mut nothing = RateLimit::new(0, Duration::from_secs(1));
        assert_eq!(burst(&mut nothing, at(0.0)) + burst(&mut nothing, at(9.0)), 0);
        let mut once = RateLimit::per_second(3, 0);
        assert_eq!(burst(&mut once, at(0.0)), 3);
        assert_eq!(burst(&mut once, at(1e8)), 0);
        assert_eq!(burst(&mut RateLimit::per_second(5, 2_000_000), at(0.0)), 1_000);
    }
}
