//! Keys as tones in the audio (ITU-T Q.23, Q.24), for phones without telephone-event: Goertzel filters.
//!
//! Blocks of 102 samples (12.75 ms) overlap by half. A key is reported when four blocks in a row agree, which every tone
//! of 40 ms contains and none of under 24 ms; it is over after five without it, which every pause of 40 ms has and no
//! dropout of 10 ms. Speech and music are kept out by
//! asking that the pair holds nearly all of the block's energy, stands well above its neighbours, is not twisted, and
//! has no second harmonics, which voices have and keypads do not.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::f32::consts::TAU;

use pronto_types::Digit;

use crate::dtmf::{self, HIGH, LOW};
use crate::{Codec, SAMPLE_RATE, g711};

const BLOCK: usize = 102;
const HOP: usize = BLOCK / 2;
/// Blocks in a row that make a key.
const HITS: u8 = 4;
/// Blocks in a row that may become one: speech hardly ever has two.
const SUSPICIOUS: u8 = 2;
/// Blocks in a row without the key that end it.
const MISSES: u8 = 5;
/// Below this mean square per sample (about -36 dBm0) it is noise.
const FLOOR: f32 = 64_000.0;
/// The pair's share of the block's energy. Of a pure pair the filters see all; 1.5 % beside the frequencies, which must be
/// accepted, 84 %; 3.5 % beside, which must not, 43 %.
const SHARE: f32 = 0.7;
/// Above the other three of its group: 8 dB.
const ABOVE_OTHERS: f32 = 6.3;
/// Column over row at most 4 dB, row over column at most 8 dB (Q.24, North America).
const TWIST: f32 = 2.51;
const REVERSE_TWIST: f32 = 6.31;
/// A tone over its second harmonic: 10 dB.
const ABOVE_HARMONIC: f32 = 10.0;
/// A row's second harmonic this near (Hz) to the column heard is not told from it; then [`SHARE`] has to do.
const BESIDE: f32 = 150.0;

/// Looks for keys in one stream of audio.
#[derive(Clone, Debug)]
pub(crate) struct Detector {
    block: [f32; BLOCK],
    filled: usize,
    candidate: Option<Digit>,
    hits: u8,
    /// The key that is down, and for how many blocks it has not been heard.
    down: Option<(Digit, u8)>,
}

impl Detector {
    pub(crate) fn new() -> Self {
        Detector {
            block: [0.0; BLOCK],
            filled: 0,
            candidate: None,
            hits: 0,
            down: None,
        }
    }

    /// The next samples of the stream. Returns the key whose press they complete: at most one, as none is shorter than
    /// two packets.
    pub(crate) fn listen(&mut self, codec: Codec, octets: &[u8]) -> Option<Digit> {
        let mut pressed = None;
        for octet in octets {
            self.block[self.filled] = f32::from(g711::decode(codec, *octet));
            self.filled += 1;
            if self.filled == BLOCK {
                pressed = self.judge().or(pressed);
                self.block.copy_within(HOP.., 0);
                self.filled = BLOCK - HOP;
            }
        }
        pressed
    }

    /// Whether a key is down, or may turn out to be.
    pub(crate) fn suspects(&self) -> bool {
        self.down.is_some() || self.hits >= SUSPICIOUS
    }

    fn judge(&mut self) -> Option<Digit> {
        let heard = tone_pair(&self.block);
        if heard.is_some() && heard == self.candidate {
            self.hits = self.hits.saturating_add(1);
        } else {
            self.candidate = heard;
            self.hits = u8::from(heard.is_some());
        }
        match &mut self.down {
            Some((digit, misses)) if heard == Some(*digit) => {
                *misses = 0;
                None
            }
            Some((_, misses)) if *misses + 1 < MISSES => {
                *misses += 1;
                None
            }
            _ => {
                self.down = None;
                let digit = heard.filter(|_| self.hits >= HITS)?;
                self.down = Some((digit, 0));
                Some(digit)
            }
        }
    }
}

/// The key whose tones this block holds.
fn tone_pair(block: &[f32; BLOCK]) -> Option<Digit> {
    let energy: f32 = block.iter().map(|sample| sample * sample).sum();
    if energy < FLOOR * BLOCK as f32 {
        return None;
    }
    let (row, low) = strongest(block, &LOW)?;
    let (column, high) = strongest(block, &HIGH)?;
    let balanced = high <= low * TWIST && low <= high * REVERSE_TWIST;
    // A sine of amplitude A: energy A²N/2, Goertzel power A²N²/4.
    let pure = (low + high) * 2.0 / BLOCK as f32 >= SHARE * energy;
    let beside = (2.0 * LOW[row] - HIGH[column]).abs() < BESIDE;
    let plain = (beside || power(block, 2.0 * LOW[row]) * ABOVE_HARMONIC < low)
        && power(block, 2.0 * HIGH[column]) * ABOVE_HARMONIC < high;
    (balanced && pure && plain).then(|| dtmf::key(row, column))?
}

/// The strongest of a group, if it stands out.
fn strongest(block: &[f32; BLOCK], group: &[f32; 4]) -> Option<(usize, f32)> {
    let powers = group.map(|hertz| power(block, hertz));
    let (best, &most) = powers.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1))?;
    let alone = powers
        .iter()
        .enumerate()
        .all(|(n, power)| n == best || power * ABOVE_OTHERS < most);
    alone.then_some((best, most))
}

/// Goertzel's filter: the power of one frequency in the block.
fn power(block: &[f32; BLOCK], hertz: f32) -> f32 {
    let coefficient = 2.0 * (TAU * hertz / SAMPLE_RATE as f32).cos();
    let (mut s1, mut s2) = (0.0f32, 0.0f32);
    for sample in block {
        (s1, s2) = (sample + coefficient * s1 - s2, s1);
    }
    s1 * s1 + s2 * s2 - coefficient * s1 * s2
}

#[cfg(test)]
mod tests;
