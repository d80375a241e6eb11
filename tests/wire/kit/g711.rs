//! ITU-T G.711, both laws, computed by the book and not from tables: slow, and independent of the product's.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Law {
    Mu,
    A,
}

impl Law {
    /// RFC 3551 §6, static payload types.
    pub(crate) fn payload_type(self) -> u8 {
        match self {
            Law::Mu => 0,
            Law::A => 8,
        }
    }

    pub(crate) fn rtpmap(self) -> &'static str {
        match self {
            Law::Mu => "0 PCMU/8000",
            Law::A => "8 PCMA/8000",
        }
    }

    pub(crate) fn encode(self, sample: i16) -> u8 {
        match self {
            Law::Mu => mu_encode(sample),
            Law::A => a_encode(sample),
        }
    }

    pub(crate) fn decode(self, byte: u8) -> i16 {
        match self {
            Law::Mu => mu_decode(byte),
            Law::A => a_decode(byte),
        }
    }
}

const MU_BIAS: i32 = 0x84;

fn mu_encode(sample: i16) -> u8 {
    let magnitude = (i32::from(sample).abs()).min(32_635) + MU_BIAS;
    // The position of the highest set bit, 7 to 14, is the segment.
    let segment = 31 - magnitude.leading_zeros() as i32 - 7;
    let step = (magnitude >> (segment + 3)) & 0x0f;
    let sign = if sample < 0 { 0x80 } else { 0 };
    !(sign | (segment << 4) | step) as u8
}

fn mu_decode(byte: u8) -> i16 {
    let code = i32::from(!byte);
    let magnitude = (((code & 0x0f) << 3) + MU_BIAS) << ((code >> 4) & 7);
    let value = magnitude - MU_BIAS;
    (if code & 0x80 == 0 { value } else { -value }) as i16
}

fn a_encode(sample: i16) -> u8 {
    // 13 bits, sign-magnitude, with -1 counted as 0 (ones' complement of the negative half).
    let value = i32::from(sample) >> 3;
    let (sign, magnitude) = if value >= 0 {
        (0x80, value)
    } else {
        (0, -value - 1)
    };
    let code = if magnitude < 32 {
        magnitude >> 1
    } else {
        let segment = 31 - magnitude.leading_zeros() as i32 - 4;
        (segment << 4) | ((magnitude >> segment) & 0x0f)
    };
    ((sign | code) ^ 0x55) as u8
}

fn a_decode(byte: u8) -> i16 {
    let code = i32::from(byte) ^ 0x55;
    let (segment, step) = ((code >> 4) & 7, code & 0x0f);
    let magnitude = match segment {
        0 => (step << 4) + 8,
        _ => ((step << 4) + 0x108) << (segment - 1),
    };
    (if code & 0x80 == 0 { -magnitude } else { magnitude }) as i16
}
