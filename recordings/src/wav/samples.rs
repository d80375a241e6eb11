//! Octets of a WAV file to samples between -1 and 1, one channel.

use audio_codec_algorithms::{decode_alaw, decode_ulaw};

use super::riff::{Coding, Format};

/// Appends one sample for each whole frame: the mean of its channels.
pub(super) fn mix(format: &Format, octets: &[u8], mono: &mut Vec<f32>) {
    match (format.coding, format.width) {
        (Coding::Pcm, 1) => mean(format, octets, mono, |[a]| (f32::from(a) - 128.0) / 128.0),
        (Coding::Pcm, 2) => mean(format, octets, mono, |word| linear(i16::from_le_bytes(word))),
        (Coding::Pcm, 3) => mean(format, octets, mono, |[a, b, c]| {
            whole(i32::from_le_bytes([0, a, b, c]))
        }),
        (Coding::Pcm, _) => mean(format, octets, mono, |word| whole(i32::from_le_bytes(word))),
        (Coding::Float, 8) => mean(format, octets, mono, |word| {
            finite(f64::from_le_bytes(word) as f32)
        }),
        (Coding::Float, _) => mean(format, octets, mono, |word| finite(f32::from_le_bytes(word))),
        (Coding::ALaw, _) => mean(format, octets, mono, |[octet]| linear(decode_alaw(octet))),
        (Coding::MuLaw, _) => mean(format, octets, mono, |[octet]| linear(decode_ulaw(octet))),
    }
}

fn mean<const WIDTH: usize>(
    format: &Format,
    octets: &[u8],
    mono: &mut Vec<f32>,
    value: impl Fn([u8; WIDTH]) -> f32,
) {
    let values = octets.as_chunks().0.iter().map(|sample| value(*sample));
    if format.channels == 1 {
        return mono.extend(values);
    }
    let share = 1.0 / f32::from(format.channels);
    let channels = usize::from(format.channels);
    let frames = octets.chunks_exact(format.frame());
    mono.extend(frames.map(|frame| {
        let samples = frame.as_chunks().0.iter().take(channels);
        samples.map(|sample| value(*sample)).sum::<f32>() * share
    }));
}

fn linear(sample: i16) -> f32 {
    f32::from(sample) / 32_768.0
}

fn whole(sample: i32) -> f32 {
    (f64::from(sample) / 2_147_483_648.0) as f32
}

/// Makes a sample finite: NaN and infinity become silence, and other values are clamped to ±8, from which a filter can
/// bring them back into range.
fn finite(sample: f32) -> f32 {
    if sample.is_finite() {
        sample.clamp(-8.0, 8.0)
    } else {
        0.0
    }
}

/// To 16 bits; what is too loud is as loud as can be.
pub(crate) fn quantised(samples: &[f32]) -> impl Iterator<Item = i16> {
    // Rounds by cutting off, which is one instruction; the offset keeps what is cut off positive.
    let one =
        |sample: &f32| ((sample.clamp(-1.0, 1.0) * 32_768.0 + 32_768.5) as i32 - 32_768).min(32_767) as i16;
    samples.iter().map(one)
}
