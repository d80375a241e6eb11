//! 16 kHz to 8 kHz: a linear-phase low-pass and every second sample.
//!
//! Done once per prompt at start, so it is long rather than clever: a windowed sinc of 127 taps, Kaiser window β = 8
//! (about 80 dB down), pass band to 3.4 kHz (the telephone's), stop band from 4.3 kHz on, so that what folds around
//! 4 kHz stays above the telephone band.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::f64::consts::PI;

const TAPS: usize = 127;
const CENTRE: usize = TAPS / 2;
/// The middle of the transition band, as a fraction of 16 kHz.
const CUTOFF: f64 = 3_850.0 / 16_000.0;
const BETA: f64 = 8.0;

/// Halves the sampling rate. The filter's delay is compensated: sample n of the result lies at sample 2n of the input.
pub(crate) fn halve(samples: &[i16]) -> Vec<i16> {
    let taps = low_pass();
    (0..samples.len().div_ceil(2))
        .map(|n| {
            let sum: f64 = taps
                .iter()
                .enumerate()
                .filter_map(|(k, tap)| {
                    let at = (2 * n + k).checked_sub(CENTRE)?;
                    samples.get(at).map(|sample| tap * f64::from(*sample))
                })
                .sum();
            sum.round().clamp(f64::from(i16::MIN), f64::from(i16::MAX)) as i16
        })
        .collect()
}

/// The taps, scaled to unity gain at 0 Hz.
fn low_pass() -> [f64; TAPS] {
    let mut taps = [0.0; TAPS];
    for (k, tap) in taps.iter_mut().enumerate() {
        let x = k as f64 - CENTRE as f64;
        let sinc = if x == 0.0 {
            2.0 * CUTOFF
        } else {
            (2.0 * PI * CUTOFF * x).sin() / (PI * x)
        };
        let edge = x / CENTRE as f64;
        *tap = sinc * bessel_i0(BETA * (1.0 - edge * edge).max(0.0).sqrt()) / bessel_i0(BETA);
    }
    let gain: f64 = taps.iter().sum();
    taps.map(|tap| tap / gain)
}

/// The modified Bessel function of order zero, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let mut term = 1.0;
    let mut sum = 1.0;
    for k in 1..40 {
        term *= (x / 2.0 / f64::from(k)).powi(2);
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hertz: f64) -> Vec<i16> {
        (0..16_000)
            .map(|n| ((2.0 * PI * hertz * f64::from(n) / 16_000.0).sin() * 10_000.0) as i16)
            .collect()
    }

    /// RMS in decibels relative to the tone that went in, edges left out.
    fn level(samples: &[i16]) -> f64 {
        let inner = &samples[200..samples.len() - 200];
        let power = inner.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / inner.len() as f64;
        10.0 * (power.max(1e-9) / (10_000.0f64.powi(2) / 2.0)).log10()
    }

    #[test]
    fn the_telephone_band_passes_and_what_would_fold_into_it_does_not() {
        for hertz in [50.0, 300.0, 1_000.0, 3_000.0, 3_400.0] {
            assert!(
                level(&halve(&tone(hertz))).abs() < 0.1,
                "{hertz} Hz: {} dB",
                level(&halve(&tone(hertz)))
            );
        }
        for hertz in [4_600.0, 5_000.0, 6_000.0, 7_500.0] {
            assert!(
                level(&halve(&tone(hertz))) < -60.0,
                "{hertz} Hz: {} dB",
                level(&halve(&tone(hertz)))
            );
        }
    }

    #[test]
    fn samples_stay_where_they_were_and_loud_ones_are_not_wrapped() {
        let halved = halve(&tone(500.0));
        let direct: Vec<i16> = tone(500.0).into_iter().step_by(2).collect();
        assert_eq!(halved.len(), direct.len());
        for (n, (a, b)) in halved.iter().zip(&direct).enumerate().skip(100).take(7_800) {
            assert!((i32::from(*a) - i32::from(*b)).abs() < 20, "sample {n}: {a} {b}");
        }
        let square: Vec<i16> = (0..400)
            .map(|n| if n / 20 % 2 == 0 { i16::MAX } else { i16::MIN })
            .collect();
        for (n, sample) in halve(&square).iter().enumerate().skip(45).step_by(10).take(10) {
            assert_eq!(
                *sample > 20_000,
                n / 10 % 2 == 0,
                "middle of half-wave {n}: {sample}"
            );
            assert_eq!(
                *sample < -20_000,
                n / 10 % 2 == 1,
                "middle of half-wave {n}: {sample}"
            );
        }
        assert!(halve(&[]).is_empty());
        assert_eq!(halve(&[1, 2, 3]).len(), 2);
    }
}
