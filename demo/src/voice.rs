//! Recognition of the speaker: every phone hums at a pitch of its own, and a listener finds that pitch again.
//!
//! Pitches are multiples of 6.25 Hz, the resolution of a window of 160 ms: two of them never look alike in it.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::f64::consts::TAU;

use pronto_media::{Clip, FRAME, SAMPLE_RATE};

/// Callers there are pitches for.
pub const MOST_CALLERS: usize = 200;
/// Operators there are pitches for.
pub const MOST_OPERATORS: usize = 100;

/// Samples looked at together: 160 ms.
pub(crate) const WINDOW: usize = 8 * FRAME;
/// Hz between two pitches: one period more in a window.
const STEP: f64 = SAMPLE_RATE as f64 / WINDOW as f64;
/// 400 Hz and up for callers, 1,900 Hz and up for operators.
const FIRST_CALLER: usize = 64;
const FIRST_OPERATOR: usize = 304;
/// Peak of the hum, some 12 dB below full scale.
const LOUDNESS: f64 = 8_000.0;
/// The hum swells this often in a second, as syllables do; half a window's step, so that the clip loops without a seam.
const SYLLABLES: f64 = STEP / 2.0;
/// How deep it dips between two syllables.
const DIP: f64 = 0.5;
/// Share of a window's energy that must lie at one pitch, 0 to 1; prompts and music never come near it for long.
const PURE: f64 = 0.7;

/// One of the people on the line.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Speaker {
    /// The caller of this number, from 0.
    Caller(usize),
    /// The operator of this number, from 0.
    Operator(usize),
}

impl Speaker {
    fn pitch(self) -> f64 {
        let step = match self {
            Speaker::Caller(number) => FIRST_CALLER + number % MOST_CALLERS,
            Speaker::Operator(number) => FIRST_OPERATOR + number % MOST_OPERATORS,
        };
        step as f64 * STEP
    }

    /// The voice of this person, to be played in a loop.
    pub(crate) fn clip(self) -> Clip {
        let pitch = self.pitch();
        let sample = |n: usize| {
            let t = n as f64 / f64::from(SAMPLE_RATE);
            let swell = 1.0 - DIP / 2.0 + DIP / 2.0 * (TAU * SYLLABLES * t).cos();
            (LOUDNESS * swell * (TAU * pitch * t).sin()) as i16
        };
        // Two windows: whole periods of both the pitch and the syllables.
        let samples: Vec<i16> = (0..2 * WINDOW).map(sample).collect();
        Clip::from_pcm16_8k(&samples)
    }
}

/// Finds the one of `candidates` that is heard in a window, if any.
pub(crate) fn recognise(window: &[i16], mut candidates: impl Iterator<Item = Speaker>) -> Option<Speaker> {
    let energy: f64 = window.iter().map(|s| f64::from(*s).powi(2)).sum();
    if energy < window.len() as f64 * 100.0_f64.powi(2) {
        return None;
    }
    candidates.find(|speaker| share(window, speaker.pitch(), energy) > PURE)
}

/// The share of the energy at a pitch (Goertzel 1958).
fn share(window: &[i16], pitch: f64, energy: f64) -> f64 {
    let coefficient = 2.0 * (TAU * pitch / f64::from(SAMPLE_RATE)).cos();
    let (mut one, mut two) = (0.0, 0.0);
    for sample in window {
        let next = f64::from(*sample) + coefficient * one - two;
        two = one;
        one = next;
    }
    let power = one * one + two * two - coefficient * one * two;
    2.0 * power / (window.len() as f64 * energy)
}

#[cfg(test)]
mod tests {
    use pronto_media::{Codec, g711};

    use super::*;

    fn heard(speaker: Speaker, codec: Codec, from: usize) -> Vec<i16> {
        let clip = speaker.clip();
        let octets = clip.octets(codec).iter().cycle().skip(from);
        octets
            .take(WINDOW)
            .map(|octet| g711::decode(codec, *octet))
            .collect()
    }

    fn everybody() -> impl Iterator<Item = Speaker> {
        let callers = (0..MOST_CALLERS).map(Speaker::Caller);
        callers.chain((0..MOST_OPERATORS).map(Speaker::Operator))
    }

    #[test]
    fn everybody_is_recognised_by_their_pitch_whatever_the_codec_and_the_moment() {
        for (n, speaker) in everybody().enumerate().step_by(7) {
            for codec in [Codec::Pcmu, Codec::Pcma] {
                let window = heard(speaker, codec, 37 * n % (2 * WINDOW));
                assert_eq!(recognise(&window, everybody()), Some(speaker), "{codec:?}");
            }
        }
    }

    #[test]
    fn nobody_is_recognised_in_silence_in_noise_or_in_two_voices() {
        let one = heard(Speaker::Operator(3), Codec::Pcma, 0);
        let two = heard(Speaker::Operator(9), Codec::Pcma, 500);
        let both: Vec<i16> = one.iter().zip(&two).map(|(a, b)| a / 2 + b / 2).collect();
        assert_eq!(recognise(&both, everybody()), None);
        assert_eq!(recognise(&[0; WINDOW], everybody()), None);
        let mut noise = 1_u32;
        let noise: Vec<i16> = (0..WINDOW)
            .map(|_| {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (noise >> 18) as i16
            })
            .collect();
        assert_eq!(recognise(&noise, everybody()), None);
    }

    #[test]
    fn the_hum_loops_without_a_seam() {
        let clip = Speaker::Caller(5).clip();
        let octets = clip.octets(Codec::Pcma);
        let at = |n: usize| i32::from(g711::decode(Codec::Pcma, octets[n % octets.len()]));
        let step = |n: usize| (at(n + 1) - at(n)).abs();
        let largest = (0..octets.len() - 1).map(step).max().unwrap();
        assert!(step(octets.len() - 1) <= largest);
    }
}
