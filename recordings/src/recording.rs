//! Decoded sound, as it is played.

use std::sync::Arc;
use std::time::Duration;

/// A clip: linear PCM, one channel.
#[derive(Clone, PartialEq, Eq)]
pub struct Recording {
    /// Samples per second.
    pub sample_rate: u32,
    /// The samples, shared by all who play them; never empty.
    pub samples: Arc<[i16]>,
}

impl Recording {
    /// How long it plays.
    pub fn duration(&self) -> Duration {
        let samples = u64::try_from(self.samples.len()).unwrap_or(u64::MAX);
        Duration::from_micros(samples.saturating_mul(1_000_000) / u64::from(self.sample_rate.max(1)))
    }
}

impl std::fmt::Debug for Recording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Recording({} Hz, {:?})", self.sample_rate, self.duration())
    }
}
