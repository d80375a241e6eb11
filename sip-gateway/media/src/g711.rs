//! G.711: µ-law, A-law, and the table between them. All tables are made at compile time from the recommendation's
//! arithmetic.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

/// An audio codec (RFC 3551 §4.5.14). Both are 8 kHz, one octet per sample.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Codec {
    /// G.711 µ-law, `PCMU` in SDP.
    Pcmu,
    /// G.711 A-law, `PCMA` in SDP.
    Pcma,
}

impl Codec {
    /// Every one that clips are encoded for.
    pub const ALL: [Codec; 2] = [Codec::Pcmu, Codec::Pcma];
}

/// µ-law of zero.
pub const PCMU_SILENCE: u8 = 0xff;
/// A-law of the smallest positive step; A-law has no zero.
pub const PCMA_SILENCE: u8 = 0xd5;

static PCMU_TO_LINEAR: [i16; 256] = linear_table(Codec::Pcmu);
static PCMA_TO_LINEAR: [i16; 256] = linear_table(Codec::Pcma);
static PCMU_TO_PCMA: [u8; 256] = transcode_table(Codec::Pcmu);
static PCMA_TO_PCMU: [u8; 256] = transcode_table(Codec::Pcma);

/// The octet that is silence in a codec.
pub const fn silence(codec: Codec) -> u8 {
    match codec {
        Codec::Pcmu => PCMU_SILENCE,
        Codec::Pcma => PCMA_SILENCE,
    }
}

/// One 16-bit sample to one octet.
pub const fn encode(codec: Codec, sample: i16) -> u8 {
    match codec {
        Codec::Pcmu => to_pcmu(sample),
        Codec::Pcma => to_pcma(sample),
    }
}

/// One octet to one 16-bit sample.
pub fn decode(codec: Codec, octet: u8) -> i16 {
    match codec {
        Codec::Pcmu => PCMU_TO_LINEAR[usize::from(octet)],
        Codec::Pcma => PCMA_TO_LINEAR[usize::from(octet)],
    }
}

/// Turns octets of one codec into octets of the other, in place. Nothing to do when they are the same.
pub fn transcode(from: Codec, to: Codec, octets: &mut [u8]) {
    let table = match (from, to) {
        (Codec::Pcmu, Codec::Pcma) => &PCMU_TO_PCMA,
        (Codec::Pcma, Codec::Pcmu) => &PCMA_TO_PCMU,
        (Codec::Pcmu, Codec::Pcmu) | (Codec::Pcma, Codec::Pcma) => return,
    };
    for octet in octets {
        *octet = table[usize::from(*octet)];
    }
}

/// µ-law works on 14 bits: a bias of 33 makes each of the eight segments start at a power of two.
const PCMU_BIAS: i32 = 0x84;
const PCMU_CLIP: i32 = 32_635;

const fn to_pcmu(sample: i16) -> u8 {
    let sign: u8 = if sample < 0 { 0x80 } else { 0 };
    let mut magnitude = (sample as i32).abs();
    if magnitude > PCMU_CLIP {
        magnitude = PCMU_CLIP;
    }
    magnitude += PCMU_BIAS;
    // Between bit 7 (segment 0) and bit 14 (segment 7).
    let segment = 24 - magnitude.leading_zeros() as i32;
    let step = (magnitude >> (segment + 3)) & 0x0f;
    !(sign | ((segment << 4) | step) as u8)
}

const fn from_pcmu(octet: u8) -> i16 {
    let bits = !octet as i32;
    let magnitude = ((((bits & 0x0f) << 3) + PCMU_BIAS) << ((bits & 0x70) >> 4)) - PCMU_BIAS;
    (if bits & 0x80 != 0 { -magnitude } else { magnitude }) as i16
}

/// "The even bits are inverted" (G.711 table 1, note 2).
const PCMA_EVEN_BITS: u8 = 0x55;

const fn to_pcma(sample: i16) -> u8 {
    // 13 bits, sign and magnitude; negative values are one's complements, so -1 is the mirror of 0.
    let value = (sample as i32) >> 3;
    let (sign, magnitude) = if value < 0 { (0, !value) } else { (0x80, value) };
    let code = if magnitude < 32 {
        magnitude >> 1
    } else {
        // Between bit 5 (segment 1) and bit 11 (segment 7).
        let segment = 27 - magnitude.leading_zeros() as i32;
        (segment << 4) | ((magnitude >> segment) & 0x0f)
    };
    (sign | code as u8) ^ PCMA_EVEN_BITS
}

const fn from_pcma(octet: u8) -> i16 {
    let bits = octet ^ PCMA_EVEN_BITS;
    let step = ((bits & 0x0f) as i32) << 4;
    let magnitude = match (bits & 0x70) >> 4 {
        0 => step + 8,
        segment => (step + 0x108) << (segment - 1),
    };
    (if bits & 0x80 != 0 { magnitude } else { -magnitude }) as i16
}

const fn linear_table(codec: Codec) -> [i16; 256] {
    let mut table = [0; 256];
    let mut octet = 0;
    while octet < 256 {
        table[octet] = match codec {
            Codec::Pcmu => from_pcmu(octet as u8),
            Codec::Pcma => from_pcma(octet as u8),
        };
        octet += 1;
    }
    table
}

const fn transcode_table(from: Codec) -> [u8; 256] {
    let mut table = [0; 256];
    let mut octet = 0;
    while octet < 256 {
        table[octet] = match from {
            Codec::Pcmu => to_pcma(from_pcmu(octet as u8)),
            Codec::Pcma => to_pcmu(from_pcma(octet as u8)),
        };
        octet += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values_of_the_recommendation() {
        // G.711 tables 1 and 2: the ends of the segments and the values around zero.
        for (sample, pcmu, pcma) in [
            (0, 0xff, 0xd5),
            (-1, 0x7f, 0x55),
            (32_767, 0x80, 0xaa),
            (-32_768, 0x00, 0x2a),
            (8, 0xfe, 0xd5),
            (1_000, 0xce, 0xfa),
            (-1_000, 0x4e, 0x7a),
        ] {
            assert_eq!(encode(Codec::Pcmu, sample), pcmu, "µ-law of {sample}");
            assert_eq!(encode(Codec::Pcma, sample), pcma, "A-law of {sample}");
        }
        assert_eq!(decode(Codec::Pcmu, 0x80), 32_124);
        assert_eq!(decode(Codec::Pcmu, 0x00), -32_124);
        assert_eq!(decode(Codec::Pcma, 0xaa), 32_256);
        assert_eq!(decode(Codec::Pcma, 0x2a), -32_256);
        assert_eq!(decode(Codec::Pcmu, PCMU_SILENCE), 0);
        assert_eq!(decode(Codec::Pcma, PCMA_SILENCE), 8);
    }

    #[test]
    fn decoding_and_encoding_again_changes_nothing() {
        for octet in 0..=255 {
            assert_eq!(encode(Codec::Pcma, decode(Codec::Pcma, octet)), octet);
            // µ-law has two zeros; the negative one comes back as the positive.
            let expected = if octet == 0x7f { 0xff } else { octet };
            assert_eq!(encode(Codec::Pcmu, decode(Codec::Pcmu, octet)), expected);
        }
    }

    #[test]
    fn every_sample_comes_back_within_the_step_of_its_segment() {
        for codec in [Codec::Pcmu, Codec::Pcma] {
            for sample in i16::MIN..=i16::MAX {
                let error = (i32::from(decode(codec, encode(codec, sample))) - i32::from(sample)).abs();
                let allowed = (i32::from(sample).abs() / 16).max(16);
                assert!(error <= allowed, "{codec:?} {sample}: {error}");
            }
        }
    }

    #[test]
    fn transcoding_there_and_back_stays_within_one_step() {
        for octet in 0..=255u8 {
            let mut frame = [octet];
            transcode(Codec::Pcmu, Codec::Pcma, &mut frame);
            let (before, after) = (decode(Codec::Pcmu, octet), decode(Codec::Pcma, frame[0]));
            let error = (i32::from(before) - i32::from(after)).abs();
            assert!(
                error <= (i32::from(before).abs() / 16).max(16),
                "{octet:#x}: {before} {after}"
            );
            transcode(Codec::Pcma, Codec::Pcma, &mut frame);
            assert_eq!(decode(Codec::Pcma, frame[0]), after);
        }
    }
}
