//! Audio encoded once, for every codec, and shared by everyone who hears it.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::{Codec, SAMPLE_RATE, g711};

/// A prompt or a piece of music: 8 kHz, encoded. Cloning shares it: to the control plane it is a name with a duration,
/// and a caller has only a cursor into it.
#[derive(Clone)]
pub struct Clip(Arc<Encoded>);

struct Encoded {
    samples: usize,
    /// One octet for each sample, in the order of [`Codec::ALL`].
    octets: [Box<[u8]>; Codec::ALL.len()],
}

impl Clip {
    /// From 16-bit samples at 8 kHz, one channel. It takes a millisecond for each half minute: never on the control task.
    pub fn from_pcm16_8k(samples: &[i16]) -> Self {
        let encoded = |codec| {
            samples
                .iter()
                .map(|sample| g711::encode(codec, *sample))
                .collect()
        };
        Clip(Arc::new(Encoded {
            samples: samples.len(),
            octets: Codec::ALL.map(encoded),
        }))
    }

    /// How long it plays.
    pub fn duration(&self) -> Duration {
        Duration::from_secs(self.samples() as u64) / SAMPLE_RATE
    }

    /// How many samples it has.
    pub fn samples(&self) -> usize {
        self.0.samples
    }

    /// Its samples in a codec, one octet each.
    pub fn octets(&self, codec: Codec) -> &[u8] {
        match codec {
            Codec::Pcmu => &self.0.octets[0],
            Codec::Pcma => &self.0.octets[1],
        }
    }

    /// Whether both are the same audio in memory, not merely equal.
    pub fn is_same(&self, other: &Clip) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for Clip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clip({:?})", self.duration())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clip_is_encoded_for_both_codecs_and_knows_its_length() {
        let clip = Clip::from_pcm16_8k(&[0; 4_000]);
        assert_eq!(clip.duration(), Duration::from_millis(500));
        assert!(clip.octets(Codec::Pcmu).iter().all(|o| *o == g711::PCMU_SILENCE));
        assert!(clip.octets(Codec::Pcma).iter().all(|o| *o == g711::PCMA_SILENCE));
        assert!(clip.is_same(&clip.clone()) && !clip.is_same(&Clip::from_pcm16_8k(&[0; 4_000])));
    }
}
