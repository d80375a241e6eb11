//! The engine's time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pronto_types::Time;
use tokio::time::Instant;

/// The wall clock, sampled once at start, never below the ledger's last fact, and from then on advanced by the
/// monotonic clock: when somebody sets the wall clock, nothing changes until the next start.
#[derive(Clone, Copy)]
pub(super) struct Clock {
    origin: Instant,
    at: Time,
}

impl Clock {
    /// Starts it. `last` is the time of the newest fact.
    pub(super) fn start(last: Time) -> Self {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        Clock {
            origin: Instant::now(),
            at: (Time::ZERO + since).max(last),
        }
    }

    pub(super) fn now(&self) -> Time {
        self.at + self.origin.elapsed()
    }

    /// When it will be `at`, or in a day if that is later: who wakes too early sleeps again.
    pub(super) fn instant(&self, at: Time) -> Instant {
        const DAY: Duration = Duration::from_secs(86_400);
        let now = Instant::now();
        now + at.since(self.now()).min(DAY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn time_never_begins_before_the_last_fact_and_follows_the_monotonic_clock() {
        let future = Time::from_secs(20_000_000_000);
        let clock = Clock::start(future);
        assert_eq!(clock.now(), future);
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!(clock.now(), future + Duration::from_secs(3));
        assert_eq!(
            clock.instant(future + Duration::from_secs(5)),
            Instant::now() + Duration::from_secs(2)
        );
        assert_eq!(clock.instant(future), Instant::now());
        assert!(clock.instant(Time::MAX) > Instant::now());
        assert!(Clock::start(Time::ZERO).now() > Time::from_secs(1_700_000_000));
    }
}
