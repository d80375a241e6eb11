//! How often something may be done, such as a line be logged, that strangers can cause.

use std::time::Duration;

use crate::Time;

/// A rate limit: at most a fixed number in each period. The number left out is reported with the first that is allowed
/// later.
#[derive(Clone, Copy, Debug)]
pub struct RateLimit {
    most: u32,
    period: Duration,
    /// When the period began, and what it has seen.
    since: Time,
    seen: u32,
    left_out: u64,
}

impl RateLimit {
    /// `most` in each `period`.
    pub const fn new(most: u32, period: Duration) -> Self {
        RateLimit {
            most,
            period,
            since: Time::ZERO,
            seen: 0,
            left_out: 0,
        }
    }

    /// Whether one more may be done; if so, how many were left out since the last that was.
    pub fn allow(&mut self, now: Time) -> Option<u64> {
        if now.since(self.since) >= self.period {
            self.since = now;
            self.seen = 0;
        }
        if self.seen >= self.most {
            self.left_out += 1;
            return None;
        }
        self.seen += 1;
        Some(std::mem::take(&mut self.left_out))
    }

    /// Whether its period is over: the next one would be allowed.
    pub fn is_over(&self, now: Time) -> bool {
        now.since(self.since) >= self.period
    }

    /// How many were left out since the last that was allowed.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_is_counted_and_told_later() {
        let mut limit = RateLimit::new(2, Duration::from_secs(10));
        let at = |seconds: i64| Time::from_secs(1_000 + seconds);
        let allowed: Vec<Option<u64>> = [0, 1, 2, 9, 10, 11].map(|it| limit.allow(at(it))).into();
        assert_eq!(allowed, [Some(0), Some(0), None, None, Some(2), Some(0)]);
        assert_eq!(limit.allow(at(12)), None);
        assert!(!limit.is_over(at(19)) && limit.is_over(at(20)));
        assert_eq!(limit.left_out(), 1);
    }
}
