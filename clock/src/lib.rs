//! The clock of the shells. Order, deadlines and durations go by [`Time`], which only the monotonic clock advances. What
//! people read is dated by the wall clock, which somebody may set: how far it stands from `Time` is looked at each second,
//! and a step is reported once.
//!
//! ```text
//!   Time      ───────────────────────────────────────────▶  never back, never ahead of what has passed
//!   wall      ────────────┐ set back      ┌──────────────▶  Time + offset
//!                         └───────────────┘ set right
//! ```
//!
//! What adjusts the wall clock slowly (NTP's slewing) adjusts the monotonic clock as well. While a machine is suspended,
//! the monotonic clock stands still: that is a step too. A change to summer time is no step, as both clocks count from the
//! Unix epoch.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pronto_types::Time;
use tokio::time::Instant;

/// How far the wall clock may wander from what was reported last, in microseconds.
const STEP: i64 = 1_000_000;
/// Between two readings of the monotonic clock, with the wall clock's between them: after longer, the three say nothing.
const TOGETHER: Duration = Duration::from_millis(50);
/// A timer sleeps no longer than this; whoever wakes too early sleeps again.
const DAY: Duration = Duration::from_secs(86_400);

/// The monotonic clock of a process, which produces [`Time`].
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// The time at `origin`.
    at: Time,
    origin: Instant,
    /// The wall clock then, in microseconds since the Unix epoch.
    wall: i64,
    /// The same moment, by a clock that stands still in no test.
    begun: std::time::Instant,
    /// The offset reported last.
    reported: i64,
}

impl Clock {
    /// Starts it where the wall clock is by the `offset` reported last, and never before `last`, the time of the newest
    /// thing known.
    pub fn start(last: Time, offset: i64) -> Self {
        Self::start_at(wall(), last, offset)
    }

    fn start_at(wall: i64, last: Time, offset: i64) -> Self {
        Clock {
            at: Time::from_micros(wall.saturating_sub(offset)).max(last),
            origin: Instant::now(),
            wall,
            begun: std::time::Instant::now(),
            reported: offset,
        }
    }

    /// The time now.
    pub fn now(&self) -> Time {
        self.at + self.origin.elapsed()
    }

    /// When it will be `at`, for a timer; in a day if that is later.
    pub fn instant(&self, at: Time) -> Instant {
        Instant::now() + at.since(self.now()).min(DAY)
    }

    /// The wall clock's offset from [`Time`], in microseconds, if it is another than the one reported last by more than a
    /// second. To be asked at the start and each second.
    pub fn look(&mut self) -> Option<i64> {
        let before = self.begun.elapsed();
        let wall = wall();
        let after = self.begun.elapsed();
        // This thread was held up meanwhile.
        if after.saturating_sub(before) > TOGETHER {
            return None;
        }
        self.compare(wall, after)
    }

    /// The offset reported last, in microseconds.
    pub fn offset(&self) -> i64 {
        self.reported
    }

    /// Holds the wall clock against what the monotonic clock has advanced.
    fn compare(&mut self, wall: i64, passed: Duration) -> Option<i64> {
        let passed = i64::try_from(passed.as_micros()).unwrap_or(i64::MAX);
        let expected = self.at.as_micros().saturating_add(passed);
        let offset = wall.saturating_sub(expected);
        if offset.saturating_sub(self.reported).saturating_abs() <= STEP {
            return None;
        }
        self.reported = offset;
        Some(offset)
    }

    /// How far `last`, dated by the offset reported before the start, lies ahead of the wall clock at the start.
    pub fn ahead(&self, last: Time, offset: i64) -> Duration {
        last.shifted(offset).since(Time::from_micros(self.wall))
    }
}

/// Microseconds since the Unix epoch.
fn wall() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;

    #[tokio::test(start_paused = true)]
    async fn time_never_begins_before_the_last_fact_and_follows_the_monotonic_clock() {
        let future = Time::from_secs(20_000_000_000);
        let clock = Clock::start(future, 0);
        assert_eq!(clock.now(), future);
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!(clock.now(), future + Duration::from_secs(3));
        let five = clock.instant(future + Duration::from_secs(5));
        assert_eq!(five, Instant::now() + Duration::from_secs(2));
        assert_eq!(clock.instant(future), Instant::now());
        assert!(clock.instant(Time::MAX) > Instant::now());
        assert!(Clock::start(Time::ZERO, 0).now() > Time::from_secs(1_700_000_000));
    }

    #[tokio::test]
    async fn a_step_of_the_wall_clock_is_reported_once_and_moves_no_time() {
        let start = 400_000 * HOUR;
        let mut clock = Clock::start_at(start, Time::ZERO, 0);
        let passed = |seconds: i64| Duration::from_secs(seconds.unsigned_abs());
        assert_eq!(clock.compare(start + 5_000_000, passed(5)), None);
        // Set back by an hour, in ten seconds.
        assert_eq!(clock.compare(start + 10_000_000 - HOUR, passed(10)), Some(-HOUR));
        assert_eq!(clock.compare(start + 11_000_000 - HOUR, passed(11)), None);
        assert!(clock.now() >= Time::from_micros(start));
        // And right again.
        assert_eq!(clock.compare(start + 12_000_000, passed(12)), Some(0));
        // Not a step: less than a second.
        assert_eq!(clock.compare(start + 13_900_000, passed(13)), None);
        assert_eq!(Clock::start(Time::ZERO, 0).look(), None);
    }

    #[tokio::test]
    async fn after_a_run_a_year_ahead_the_next_start_goes_on_and_is_dated_truly() {
        let now = 400_000 * HOUR;
        let last = Time::from_micros(now + 8_760 * HOUR);
        let mut clock = Clock::start_at(now, last, 0);
        assert!(clock.now() >= last, "order goes on");
        assert_eq!(clock.ahead(last, 0), Duration::from_secs(8_760 * 3_600));
        let offset = clock.compare(now, Duration::ZERO);
        assert_eq!(offset, Some(-8_760 * HOUR));
        // An hour later the next process: what has passed meanwhile has passed.
        let later = Clock::start_at(now + HOUR, last, -8_760 * HOUR);
        assert!(later.now() >= last + Duration::from_secs(3_600));
        assert_eq!(later.ahead(last, -8_760 * HOUR), Duration::ZERO);
    }
}
