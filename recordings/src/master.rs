//! From what a synthesiser wrote to a clip that can stand between any two others.
//!
//! To 16 kHz; no rumble; the silence cut off and a little put back, the same for all; ends faded to nothing, so that no
//! join clicks; and as loud as every other clip.

use std::f64::consts::{PI, TAU};

use crate::Recording;
use crate::loudness::{loudness, sounding};
use crate::rate::converted;

/// Samples per second of every clip we make.
pub const SAMPLE_RATE: u32 = 16_000;
/// How loud every spoken clip is, in LUFS: EBU R 128.
pub const LOUDNESS: f64 = -23.0;
/// Peak limit of every sample, as a fraction of full scale: -1.5 dB.
const CEILING: f64 = 0.841;

/// Samples in a millisecond.
const MS: usize = SAMPLE_RATE as usize / 1_000;
/// Samples kept of the recording before and after its sound, faded in and out: plosives begin before they are loud.
const BEFORE: usize = 10 * MS;
const AFTER: usize = 20 * MS;
/// Silence put at either end: with the fades, words of one phrase follow each other within 60 ms.
const AIR: usize = 5 * MS;
/// The silence after a sentence: one breath.
const BREATH: usize = 250 * MS;
/// Below this there is no voice, in Hz.
const RUMBLE: f64 = 80.0;

/// A clip and what it came to.
#[derive(Debug, Clone)]
pub struct Mastered {
    /// The clip, at a sampling rate of 16 kHz.
    pub recording: Recording,
    /// In LUFS, as [`loudness`] measures it.
    pub loudness: f64,
    /// The greatest sample, in dB relative to full scale.
    pub peak: f64,
}

/// Makes a clip of `samples`, one channel of 16 bits. A sentence is followed by a breath. `None` where nothing is heard.
pub fn master(samples: &[i16], sample_rate: u32, is_sentence: bool) -> Option<Mastered> {
    let samples: Vec<f32> = samples
        .iter()
        .map(|sample| f32::from(*sample) / 32_768.0)
        .collect();
    let samples = converted(&samples, sample_rate, SAMPLE_RATE).ok()?;
    let mut samples: Vec<f64> = samples.into_iter().map(f64::from).collect();
    cut_rumble(&mut samples);
    let mut clip = cut_out(&samples)?;
    level(&mut clip)?;
    let mut aired = vec![0.0; AIR];
    aired.append(&mut clip);
    aired.resize(aired.len() + if is_sentence { BREATH } else { AIR }, 0.0);
    let peak = aired.iter().fold(0.0, |peak: f64, sample| peak.max(sample.abs()));
    let quantised = |sample: &f64| (sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16;
    Some(Mastered {
        loudness: loudness(&aired, SAMPLE_RATE)?,
        peak: 20.0 * peak.log10(),
        recording: Recording {
            sample_rate: SAMPLE_RATE,
            samples: aired.iter().map(quantised).collect(),
        },
    })
}

/// A Butterworth high-pass of the second order (R. Bristow-Johnson, Audio EQ Cookbook).
fn cut_rumble(samples: &mut [f64]) {
    let turn = TAU * RUMBLE / f64::from(SAMPLE_RATE);
    let alpha = turn.sin() / std::f64::consts::SQRT_2;
    let (cos, a0) = (turn.cos(), 1.0 + alpha);
    let b = (1.0 + cos) / 2.0 / a0;
    let (a1, a2) = (-2.0 * cos / a0, (1.0 - alpha) / a0);
    let (mut x1, mut x2, mut y1, mut y2) = (0.0, 0.0, 0.0, 0.0);
    for sample in samples {
        let x = *sample;
        let y = b * (x - 2.0 * x1 + x2) - a1 * y1 - a2 * y2;
        (x2, x1, y2, y1) = (x1, x, y1, y);
        *sample = y;
    }
}

/// The sound with a little around it, faded in and out.
fn cut_out(samples: &[f64]) -> Option<Vec<f64>> {
    let heard = sounding(samples, SAMPLE_RATE)?;
    let (first, end) = (
        heard.start.saturating_sub(BEFORE),
        (heard.end + AFTER).min(samples.len()),
    );
    let mut clip = samples.get(first..end)?.to_vec();
    let rise = |n: usize, of: usize| 0.5 - 0.5 * (PI * (n as f64 + 0.5) / of as f64).cos();
    for (n, sample) in clip.iter_mut().take(BEFORE).enumerate() {
        *sample *= rise(n, BEFORE);
    }
    for (n, sample) in clip.iter_mut().rev().take(AFTER).enumerate() {
        *sample *= rise(n, AFTER);
    }
    Some(clip)
}

/// Brings the clip to [`LOUDNESS`]. Peaks that would pass the ceiling are bent below it, which takes a little loudness
/// that the next round gives back.
fn level(clip: &mut [f64]) -> Option<()> {
    for _ in 0..4 {
        let gain = 10f64.powf((LOUDNESS - loudness(clip, SAMPLE_RATE)?) / 20.0);
        clip.iter_mut().for_each(|sample| *sample = bent(*sample * gain));
    }
    Some(())
}

/// Unchanged up to three quarters of the ceiling, then ever flatter, without a corner, towards the ceiling.
fn bent(sample: f64) -> f64 {
    let knee = 0.75 * CEILING;
    let over = sample.abs() - knee;
    if over <= 0.0 {
        return sample;
    }
    let room = CEILING - knee;
    (knee + room * (over / room).tanh()).copysign(sample)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tone between two silences.
    fn spoken(hertz: f64, amplitude: f64, sample_rate: u32) -> Vec<i16> {
        let silence = vec![0; sample_rate as usize / 2];
        let sample =
            |n: u32| (amplitude * (TAU * hertz * f64::from(n) / f64::from(sample_rate)).sin()) as i16;
        let tone: Vec<i16> = (0..sample_rate / 2).map(sample).collect();
        [silence.clone(), tone, silence].concat()
    }

    #[test]
    fn a_clip_is_cut_faded_and_as_loud_as_it_should_be_whatever_came_in() {
        for (rate, amplitude) in [(16_000, 300.0), (22_050, 8_000.0), (32_000, 32_000.0)] {
            let clip = master(&spoken(440.0, amplitude, rate), rate, false).unwrap();
            assert!((clip.loudness - LOUDNESS).abs() < 0.1, "{rate}: {clip:?}");
            assert!(
                clip.peak < -1.5 && clip.recording.sample_rate == SAMPLE_RATE,
                "{clip:?}"
            );
            let samples = &clip.recording.samples;
            let expected = 8_000 + BEFORE + AFTER + 2 * AIR;
            assert!(
                samples.len().abs_diff(expected) <= 10 * MS,
                "{} samples at {rate}",
                samples.len()
            );
            assert!(
                samples[..AIR]
                    .iter()
                    .chain(&samples[samples.len() - AIR..])
                    .all(|s| *s == 0)
            );
        }
    }

    #[test]
    fn a_sentence_is_followed_by_a_breath_and_silence_makes_no_clip() {
        let tone = spoken(440.0, 9_000.0, 16_000);
        let length = |is_sentence| {
            master(&tone, 16_000, is_sentence)
                .unwrap()
                .recording
                .samples
                .len()
        };
        assert_eq!(length(true) - length(false), BREATH - AIR);
        assert!(master(&[0; 8_000], 16_000, false).is_none());
        assert!(master(&[], 16_000, false).is_none());
    }

    #[test]
    fn no_peak_passes_the_ceiling_and_quiet_samples_are_left_alone() {
        for n in 0..400 {
            let sample = f64::from(n) / 100.0 - 2.0;
            assert!(bent(sample).abs() <= CEILING && bent(sample).signum() == sample.signum());
        }
        assert_eq!(bent(0.5), 0.5);
        assert_eq!(bent(-0.2), -0.2);
    }
}
