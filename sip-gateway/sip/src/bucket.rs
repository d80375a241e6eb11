//! A token bucket: the limit on how often something may happen.

use pronto_types::Time;

/// Something that is used up and grows back, at most to its size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    /// The level, in thousandths of one unit.
    level: u64,
    at: Time,
}

impl Bucket {
    pub(crate) fn full(now: Time, size: u32) -> Self {
        Bucket {
            level: u64::from(size) * 1000,
            at: now,
        }
    }

    /// Takes one, if there is one.
    pub(crate) fn take(&mut self, now: Time, size: u32, per_second: u32) -> bool {
        let micros = u64::try_from(now.since(self.at).as_micros()).unwrap_or(u64::MAX);
        let grown = micros.saturating_mul(u64::from(per_second)) / 1000;
        if grown > 0 {
            self.level = self.level.saturating_add(grown).min(u64::from(size) * 1000);
            self.at = now;
        }
        let there = self.level >= 1000;
        if there {
            self.level -= 1000;
        }
        there
    }
}
