//! The house's clock value. Cores are handed a [`Time`]; only shells make one.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

/// Microseconds since the Unix epoch.
///
/// Made by a shell: the wall clock sampled once at start, advanced by the monotonic clock. Somebody may set the wall clock
/// meanwhile; [`Wall`](crate::Wall) turns a time into its date. Arithmetic saturates, so a hostile duration cannot panic a
/// core.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(i64);

impl Time {
    /// The Unix epoch; the natural start of a simulated world.
    pub const ZERO: Time = Time(0);
    /// Later than any deadline.
    pub const MAX: Time = Time(i64::MAX);

    /// From microseconds since the Unix epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Time(micros)
    }

    /// From whole seconds since the Unix epoch.
    pub const fn from_secs(secs: i64) -> Self {
        Time(secs.saturating_mul(1_000_000))
    }

    /// Microseconds since the Unix epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The time shifted by `micros` microseconds: later if positive, earlier if negative.
    pub const fn shifted(self, micros: i64) -> Self {
        Time(self.0.saturating_add(micros))
    }

    /// How long ago `earlier` was; zero if it lies in the future.
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

impl Add<Duration> for Time {
    type Output = Time;
    fn add(self, rhs: Duration) -> Time {
        Time(self.0.saturating_add(micros(rhs)))
    }
}

impl AddAssign<Duration> for Time {
    fn add_assign(&mut self, rhs: Duration) {
        *self = *self + rhs;
    }
}

impl Sub<Duration> for Time {
    type Output = Time;
    fn sub(self, rhs: Duration) -> Time {
        Time(self.0.saturating_sub(micros(rhs)))
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (secs, sub) = (self.0.div_euclid(1_000_000), self.0.rem_euclid(1_000_000));
        write!(f, "t{secs}.{sub:06}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_instead_of_overflowing() {
        assert_eq!(Time::MAX + Duration::MAX, Time::MAX);
        assert_eq!(Time::from_secs(5).since(Time::from_secs(7)), Duration::ZERO);
        assert_eq!(
            Time::from_secs(7).since(Time::from_secs(5)),
            Duration::from_secs(2)
        );
        assert_eq!(
            Time::from_secs(1) - Duration::from_millis(1),
            Time::from_micros(999_000)
        );
    }
}
