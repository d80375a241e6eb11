//! The chunks of a WAV file up to its sound (RIFF, Microsoft and IBM 1991; RF64, EBU Tech 3306).
//!
//! ```text
//! RIFF size WAVE │ fmt size … │ LIST, bext, fact … │ data size │ the sound
//!                                                            ▲ we stop here
//! ```
//!
//! Nothing is believed that the file need not keep: sizes are counted against what is really there.

use std::io::{self, Read};

use super::Unusable;

/// The most channels of a file.
const MOST_CHANNELS: u16 = 32;
/// The sampling rates that are converted, in Hz.
const RATES: std::ops::RangeInclusive<u32> = 4_000..=192_000;
/// Chunks before the sound; a real file has fewer than ten.
const MOST_CHUNKS: usize = 1_000;
/// Announced sizes from here on stand for "unknown": programs that write into a pipe cannot come back to correct the
/// size. FFmpeg leaves 0xFFFFFFFF there, SoX 0x7FFFF000.
const UNKNOWN: u32 = 0x7fff_0000;

/// How one sample is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    /// Linear; one octet per sample is unsigned, more are signed.
    Pcm,
    /// IEEE 754, between -1 and 1.
    Float,
    /// A-law companding of ITU-T G.711.
    ALaw,
    /// µ-law companding of ITU-T G.711.
    MuLaw,
}

/// How the sound is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Format {
    pub(super) coding: Coding,
    pub(super) channels: u16,
    /// The sampling rate, in Hz.
    pub(super) rate: u32,
    /// Octets of one sample of one channel.
    pub(super) width: usize,
}

impl Format {
    /// Octets of one sample of all channels.
    pub(super) fn frame(&self) -> usize {
        self.width * usize::from(self.channels)
    }
}

/// Reads up to the first octet of sound. Returns its format and its octets; `None` where only the file's end tells.
pub(super) fn header(file: &mut impl Read) -> Result<(Format, Option<u64>), Unusable> {
    let riff = read_riff(file)?;
    // Octets before `at`, as the outer size counts them.
    let mut at = 4_u64;
    let mut format = None;
    let mut long = None;
    for _ in 0..MOST_CHUNKS {
        let Some((name, size)) = chunk(file)? else {
            return Err(Unusable::NoSound);
        };
        at += 8;
        match &name {
            b"data" => {
                let format = format.ok_or(Unusable::NoFormat)?;
                return match size {
                    0 if riff.is_none_or(|riff| riff <= at) => Ok((format, None)),
                    UNKNOWN.. => Ok((format, long)),
                    size => Ok((format, Some(u64::from(size)))),
                };
            }
            b"fmt " => format = Some(read_format(&body(file, size)?)?),
            // The sizes that are too large for RIFF: of the file, then of the sound.
            b"ds64" => {
                let sizes = body(file, size)?;
                long = eight(&sizes, 8).filter(|length| *length > 0);
            }
            _ => skip(file, u64::from(size))?,
        }
        // A chunk of an odd size is followed by one octet that it does not count.
        if size % 2 == 1 {
            skip(file, 1)?;
        }
        at += u64::from(size) + u64::from(size % 2);
    }
    Err(Unusable::NoSound)
}

/// The outer chunk. Returns the size it announces, where it is one.
fn read_riff(file: &mut impl Read) -> Result<Option<u64>, Unusable> {
    let mut head = [0; 12];
    let have = fill(file, &mut head)?;
    let have = head.get(..have).unwrap_or_default();
    if have.is_empty() {
        return Err(Unusable::Empty);
    }
    match (have.get(..4), have.get(8..12)) {
        (Some(b"RIFF" | b"RF64" | b"BW64"), Some(b"WAVE")) => {}
        (Some(b"RIFF" | b"RF64" | b"BW64"), None) => return Err(Unusable::Short),
        _ => return Err(Unusable::NotWav(kind(have))),
    }
    let size = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
    Ok((size != 0 && size < UNKNOWN).then_some(u64::from(size)))
}

/// Names the kind of a file that is no WAV file, by its first octets.
fn kind(head: &[u8]) -> &'static str {
    match head {
        [b'I', b'D', b'3', ..] | [0xff, 0xe2..=0xff, ..] => "an MP3 file",
        [b'O', b'g', b'g', b'S', ..] => "an Ogg file",
        [b'f', b'L', b'a', b'C', ..] => "a FLAC file",
        [b'F', b'O', b'R', b'M', ..] => "an AIFF file",
        [b'.', b's', b'n', b'd', ..] => "an AU file",
        [b'R', b'I', b'F', b'X', ..] => "a big-endian WAV file (RIFX)",
        [b'R', b'I', b'F', b'F', ..] => "a RIFF file that holds no WAVE",
        [b'r', b'i', b'f', b'f', ..] => "a Wave64 file",
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => "an MP4 file",
        _ => "no WAV file (it does not begin with RIFF)",
    }
}

/// The `fmt ` chunk: WAVEFORMAT, WAVEFORMATEX or WAVEFORMATEXTENSIBLE.
fn read_format(chunk: &[u8]) -> Result<Format, Unusable> {
    let two = |at: usize| Some(u16::from_le_bytes(chunk.get(at..at + 2)?.try_into().ok()?));
    let four = |at: usize| Some(u32::from_le_bytes(chunk.get(at..at + 4)?.try_into().ok()?));
    let read = || Some((two(0)?, two(2)?, four(4)?, two(12)?, two(14)?));
    let (mut tag, channels, rate, frame, bits) = read().ok_or(Unusable::Short)?;
    if tag == EXTENSIBLE {
        // The first two octets of the sub-format are the tag, the other fourteen are always these.
        tag = two(24).ok_or(Unusable::Short)?;
        if chunk.get(26..40) != Some(&SUB_FORMAT) {
            return Err(Unusable::Coding { tag, name: "unknown" });
        }
    }
    if !(1..=MOST_CHANNELS).contains(&channels) {
        return Err(Unusable::Channels(channels));
    }
    if !RATES.contains(&rate) {
        return Err(Unusable::Rate(rate));
    }
    // Samples of, say, 20 bits are written in three octets, the used ones on top.
    let width = usize::from(frame / channels);
    let coding = match tag {
        1 => Coding::Pcm,
        3 => Coding::Float,
        6 => Coding::ALaw,
        7 => Coding::MuLaw,
        tag => return Err(Unusable::Coding { tag, name: name(tag) }),
    };
    let known = match coding {
        Coding::Pcm => (1..=4).contains(&width),
        Coding::Float => matches!(width, 4 | 8),
        Coding::ALaw | Coding::MuLaw => width == 1,
    };
    let whole = frame % channels == 0 && usize::from(bits).div_ceil(8) <= width;
    if !(known && whole) {
        return Err(Unusable::Width {
            bits,
            frame,
            channels,
        });
    }
    Ok(Format {
        coding,
        channels,
        rate,
        width,
    })
}

const EXTENSIBLE: u16 = 0xfffe;
const SUB_FORMAT: [u8; 14] = [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71];

/// The codings that are met in WAV files and that we do not decode (RFC 2361).
fn name(tag: u16) -> &'static str {
    match tag {
        0x0002 => "Microsoft ADPCM",
        0x0011 => "IMA ADPCM",
        0x0031 => "GSM 6.10",
        0x0040 | 0x0045 | 0x0064 => "G.726",
        0x0050 => "MPEG",
        0x0055 => "MP3",
        0x0065 => "G.722",
        0x0083 => "G.729",
        0x00ff => "AAC",
        0x0160..=0x0163 => "Windows Media",
        _ => "unknown",
    }
}

/// The next chunk's name and size; `None` at the end of the file.
fn chunk(file: &mut impl Read) -> Result<Option<([u8; 4], u32)>, Unusable> {
    let mut head = [0; 8];
    if fill(file, &mut head)? < head.len() {
        return Ok(None);
    }
    let [a, b, c, d, size @ ..] = head;
    Ok(Some(([a, b, c, d], u32::from_le_bytes(size))))
}

/// The first octets of a chunk, which are all that we know of it; the rest is passed over.
fn body(file: &mut impl Read, size: u32) -> Result<Vec<u8>, Unusable> {
    const MOST: u32 = 64;
    let mut body = vec![0; size.min(MOST) as usize];
    if fill(file, &mut body)? < body.len() {
        return Err(Unusable::Short);
    }
    skip(file, u64::from(size.saturating_sub(MOST)))?;
    Ok(body)
}

fn skip(file: &mut impl Read, octets: u64) -> Result<(), Unusable> {
    io::copy(&mut file.take(octets), &mut io::sink())?;
    Ok(())
}

fn eight(chunk: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(chunk.get(at..at + 8)?.try_into().ok()?))
}

/// Reads until the buffer is full or the file ends. Returns how many octets there were.
pub(super) fn fill(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut have = 0;
    while let Some(rest) = buffer.get_mut(have..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(more) => have += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(have)
}
