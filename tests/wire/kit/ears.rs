//! Ears: which tone is this, and which clip, from where on? Audio is judged by what it holds, never by its size.

use super::wav::Wav;

/// A fingerprint: 0.4 s. Long enough to be unlike any other 0.4 s, short enough to fit between the holes that a busy
/// machine makes.
pub(crate) const PIECE: usize = 3_200;

/// The least correlation at which a clip counts as heard: speech and music through G.711 twice score above 0.95, other
/// clips and other places of the same clip below 0.5.
pub(crate) const RECOGNISED: f64 = 0.8;

/// Share of the energy of `samples` (8 kHz) that lies at `hz`: 1 for a pure tone, near 0 for silence and speech.
pub(crate) fn tone(samples: &[i16], hz: f64) -> f64 {
    let step = std::f64::consts::TAU * hz / 8_000.0;
    let (mut real, mut imaginary, mut energy) = (0.0, 0.0, 0.0);
    for (index, &sample) in samples.iter().enumerate() {
        let (sample, angle) = (f64::from(sample), step * index as f64);
        real += sample * angle.cos();
        imaginary += sample * angle.sin();
        energy += sample * sample;
    }
    // Quieter than −60 dB below full scale is silence, whatever its spectrum.
    if energy <= 1_000.0 * samples.len() as f64 {
        return 0.0;
    }
    2.0 * (real * real + imaginary * imaginary) / (energy * samples.len() as f64)
}

/// A sine, `hz` at 8 kHz, a quarter of full scale.
pub(crate) fn sine(hz: f64, samples: usize) -> Vec<i16> {
    let step = std::f64::consts::TAU * hz / 8_000.0;
    (0..samples)
        .map(|index| (8_192.0 * (step * index as f64).sin()) as i16)
        .collect()
}

/// A clip as the telephone hears it: 8 kHz.
pub(crate) fn telephone(wav: &Wav) -> Vec<i16> {
    match wav.rate {
        8_000 => wav.samples.clone(),
        16_000 => {
            let samples: Vec<f32> = wav.samples.iter().map(|&sample| sample.into()).collect();
            decimate(&samples, 2)
                .into_iter()
                .map(|sample| sample as i16)
                .collect()
        }
        other => panic!("a clip of {other} Hz: only 8,000 and 16,000 are expected"),
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    /// Where in the haystack the needle begins, in samples.
    pub(crate) offset: usize,
    /// Normalised correlation there: 1 is the same, whatever its loudness.
    pub(crate) score: f64,
}

/// Where `needle` is in `haystack` (both 8 kHz): the best place, good or bad. `None` when it cannot fit.
pub(crate) fn locate(needle: &[i16], haystack: &[i16]) -> Option<Found> {
    const FACTOR: usize = 4;
    if needle.len() < 160 || haystack.len() < needle.len() {
        return None;
    }
    let (needle, haystack) = (floats(needle), floats(haystack));
    // A search at 2 kHz costs a sixteenth; then the exact place around the best.
    let coarse = best(
        &decimate(&needle, FACTOR),
        &decimate(&haystack, FACTOR),
        0,
        usize::MAX,
    )?;
    let around = coarse.offset * FACTOR;
    best(
        &needle,
        &haystack,
        around.saturating_sub(2 * FACTOR),
        around + 2 * FACTOR,
    )
}

/// The pieces of a clip that are worth looking for: a pause would fit any other pause.
pub(crate) fn pieces(clip: &[i16]) -> Vec<&[i16]> {
    places(clip).into_iter().map(|(_, piece)| piece).collect()
}

/// The same, each with the sample of the clip at which it begins.
pub(crate) fn places(clip: &[i16]) -> Vec<(usize, &[i16])> {
    let energy = |piece: &[i16]| {
        piece
            .iter()
            .map(|&sample| i64::from(sample) * i64::from(sample))
            .sum::<i64>()
    };
    let loudest = clip.chunks_exact(PIECE).map(energy).max().unwrap_or_default();
    clip.chunks_exact(PIECE)
        .enumerate()
        .filter(|(_, piece)| energy(piece) * 4 > loudest)
        .map(|(number, piece)| (number * PIECE, piece))
        .collect()
}

/// Are two pieces as far apart where they were heard as they are in their clip (samples, at 8 kHz)? A word that two
/// clips share, or two, is not yet the clip: a whole sentence of it is.
pub(crate) fn apart_alike(in_clip: usize, heard: usize) -> bool {
    in_clip.abs_diff(heard) <= 80
}

/// The correlation of two stretches of equal length; `None` where one of them is (nearly) silent.
pub(crate) fn likeness(left: &[i16], right: &[i16]) -> Option<f64> {
    let length = left.len().min(right.len());
    let (left, right) = (floats(&left[..length]), floats(&right[..length]));
    let floor = 10_000.0 * length as f32;
    (dot(&left, &left) > floor && dot(&right, &right) > floor).then(|| correlation(&left, &right))
}

fn floats(samples: &[i16]) -> Vec<f32> {
    samples.iter().map(|&sample| sample.into()).collect()
}

fn best(needle: &[f32], haystack: &[f32], from: usize, to: usize) -> Option<Found> {
    let last = haystack.len().checked_sub(needle.len())?;
    (from..=last.min(to))
        .map(|offset| Found {
            offset,
            score: correlation(needle, &haystack[offset..offset + needle.len()]),
        })
        .max_by(|left, right| left.score.total_cmp(&right.score))
}

fn correlation(left: &[f32], right: &[f32]) -> f64 {
    let energy = f64::from(dot(left, left)) * f64::from(dot(right, right));
    if energy > 0.0 {
        f64::from(dot(left, right)) / energy.sqrt()
    } else {
        0.0
    }
}

fn dot(left: &[f32], right: &[f32]) -> f32 {
    // Eight sums at once, so that the compiler may use its vectors; by index, as an iterator of another crate may stay a call.
    let mut sums = [0.0_f32; 8];
    let length = left.len().min(right.len()) / 8 * 8;
    let (left, right) = (&left[..length], &right[..length]);
    let mut at = 0;
    while at < length {
        let mut lane = 0;
        while lane < 8 {
            sums[lane] += left[at + lane] * right[at + lane];
            lane += 1;
        }
        at += 8;
    }
    sums.iter().sum()
}

/// Low-pass (windowed sinc, Hann) at 0.9 of the new Nyquist frequency, then every `factor`-th sample.
fn decimate(samples: &[f32], factor: usize) -> Vec<f32> {
    let half = 8 * factor as isize;
    let cut = 0.9 / factor as f32;
    let taps: Vec<f32> = (-half..=half)
        .map(|index| {
            let x = std::f32::consts::PI * index as f32;
            let sinc = if index == 0 { cut } else { (cut * x).sin() / x };
            sinc * 0.5 * (1.0 + (x / (half + 1) as f32).cos())
        })
        .collect();
    let at = |index: isize| {
        usize::try_from(index)
            .ok()
            .and_then(|index| samples.get(index))
            .copied()
            .unwrap_or(0.0)
    };
    (0..samples.len() as isize)
        .step_by(factor)
        .map(|centre| {
            taps.iter()
                .zip(-half..)
                .map(|(tap, shift)| tap * at(centre + shift))
                .sum()
        })
        .collect()
}
