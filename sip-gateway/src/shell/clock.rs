//! The shell's clock: the wall sampled once at start, advanced by the monotonic clock.

use pronto_types::Time;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// Makes [`Time`]. A step of the wall clock changes nothing until restart.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    wall: Time,
    started: Instant,
}

impl Clock {
    /// Samples the wall clock; never below `floor`, the time of the last fact known.
    pub fn start(floor: Time) -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Clock {
            wall: (Time::ZERO + wall).max(floor),
            started: Instant::now(),
        }
    }

    /// The time now.
    pub fn now(&self) -> Time {
        self.wall + self.started.elapsed()
    }

    /// When `at` comes, for a timer.
    pub fn instant(&self, at: Time) -> Instant {
        self.started + at.since(self.wall)
    }
}
