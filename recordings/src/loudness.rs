//! How loud speech is: ITU-R BS.1770-4 (EBU R 128), for clips as short as one word.
//!
//! The standard measures blocks of 400 ms, and a word may be shorter. So what is measured is the sound alone, without
//! the silence before and after, said again and again for at least [`MEASURED`] seconds: the loudness the clip has while
//! it is heard, and for long clips nothing but their integrated loudness.

use std::ops::Range;

use ebur128::{EbuR128, Mode};

/// Seconds of sound that are measured, at least.
const MEASURED: usize = 3;
/// Below the loudest window by this much, it is silent: 42 dB, as a ratio of powers.
const SILENT: f64 = 6.3e-5;
/// Windows in a second: 5 ms each.
const WINDOWS: usize = 200;

/// The loudness in LUFS of samples between -1 and 1, one channel. `None` where nothing is heard.
pub fn loudness(samples: &[f64], sample_rate: u32) -> Option<f64> {
    let heard = samples.get(sounding(samples, sample_rate)?)?;
    let wanted = sample_rate as usize * MEASURED;
    let mut meter = EbuR128::new(1, sample_rate, Mode::I).ok()?;
    for _ in 0..wanted.div_ceil(heard.len()) {
        meter.add_frames_f64(heard).ok()?;
    }
    meter
        .loudness_global()
        .ok()
        .filter(|loudness| loudness.is_finite())
}

/// Where the sound begins and ends, to 5 ms. `None` where nothing is heard.
pub fn sounding(samples: &[f64], sample_rate: u32) -> Option<Range<usize>> {
    let window = (sample_rate as usize / WINDOWS).max(1);
    let power = |window: &[f64]| window.iter().map(|s| s * s).sum::<f64>() / window.len() as f64;
    let powers: Vec<f64> = samples.chunks(window).map(power).collect();
    let loudest = powers.iter().copied().fold(0.0, f64::max);
    let heard = |power: &f64| *power > 0.0 && *power >= loudest * SILENT;
    let first = powers.iter().position(heard)?;
    let last = powers.iter().rposition(heard)?;
    Some(first * window..((last + 1) * window).min(samples.len()))
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    const RATE: u32 = 16_000;

    fn tone(seconds: f64, amplitude: f64) -> Vec<f64> {
        let samples = (seconds * f64::from(RATE)) as u32;
        let sample = |n: u32| amplitude * (TAU * 1_000.0 * f64::from(n) / f64::from(RATE)).sin();
        (0..samples).map(sample).collect()
    }

    /// EBU Tech 3341, case 1 and 2, but for one channel: 3 LU less than for two.
    #[test]
    fn a_tone_is_as_loud_as_the_standard_says() {
        for decibels in [-23.0, -33.0] {
            let tone = tone(5.0, 10f64.powf(decibels / 20.0));
            let measured = loudness(&tone, RATE).unwrap();
            assert!(
                (measured - (decibels - 3.0)).abs() < 0.1,
                "{decibels}: {measured}"
            );
        }
    }

    #[test]
    fn neither_the_length_of_a_clip_nor_the_silence_around_it_counts() {
        let long = loudness(&tone(5.0, 0.1), RATE).unwrap();
        for seconds in [0.05, 0.2, 0.4, 1.1] {
            let mut clip = vec![0.0; 4_000];
            clip.extend(tone(seconds, 0.1));
            clip.extend([0.0; 9_000]);
            let measured = loudness(&clip, RATE).unwrap();
            assert!(
                (measured - long).abs() < 0.3,
                "{seconds} s: {measured} instead of {long}"
            );
        }
    }

    #[test]
    fn the_sound_is_found_between_its_silences() {
        let mut clip = vec![0.0; 1_600];
        clip.extend(tone(0.5, 0.5));
        clip.extend([0.0; 800]);
        assert_eq!(sounding(&clip, RATE), Some(1_600..9_600));
        assert_eq!(sounding(&[0.0; 100], RATE), None);
        assert_eq!(sounding(&[], RATE), None);
        assert_eq!(loudness(&[0.0; 100_000], RATE), None);
    }
}
