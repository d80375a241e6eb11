//! WAV files to samples and back: whatever a recording studio, a telephone system or a synthesiser wrote.
//!
//! Read here, block by block; written by `hound`, which this module and its parts alone name.

mod riff;
mod samples;
pub(crate) mod stereo;
#[cfg(test)]
pub(crate) mod tests;

use std::io::{self, Read, Seek, Write};

use hound::{SampleFormat, WavSpec, WavWriter};

use crate::Recording;
use crate::rate::{Converter, RateError};
pub(crate) use samples::quantised;

/// The longest clip, in seconds: a prompt or a tune, not an archive.
pub const MOST_SECONDS: u32 = 600;

/// The form that a clip must have, for error messages, and the command that makes it.
pub(crate) const EXPECTED: &str = "a WAV file (PCM, floating point, A-law or µ-law; 4000 to 192000 Hz) of at most 10 \
                                   minutes, as `ffmpeg -i IN -ar 8000 -ac 1 OUT.wav` makes one";

/// Why a file is no clip, as words that follow "found". Each but the last two is the file's fault.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// Nothing is in it.
    #[error("an empty file")]
    Empty,
    /// Something else, whatever it is called.
    #[error("{0}")]
    NotWav(&'static str),
    /// It ends before the sound begins.
    #[error("a WAV file whose header is cut off")]
    Short,
    /// The sound is not preceded by a `fmt ` chunk.
    #[error("a WAV file that does not say how its sound is coded (no `fmt ` chunk)")]
    NoFormat,
    /// There is no `data` chunk.
    #[error("a WAV file without sound (no `data` chunk)")]
    NoSound,
    /// A coding that we do not read.
    #[error("{name} data in a WAV file (format tag 0x{tag:04X})")]
    Coding {
        /// Its number in the `fmt ` chunk.
        tag: u16,
        /// Its usual name.
        name: &'static str,
    },
    /// More channels than we mix, or none.
    #[error("a WAV file with {0} channels")]
    Channels(u16),
    /// A sampling rate out of range.
    #[error("a WAV file with {0} samples per second")]
    Rate(u32),
    /// Sizes that contradict each other, or that no program uses.
    #[error("a WAV file with samples of {bits} bits, {frame} bytes for {channels} channels")]
    Width {
        /// Bits per sample.
        bits: u16,
        /// Octets per sample of all channels.
        frame: u16,
        /// The number of channels.
        channels: u16,
    },
    /// The sound has no sample.
    #[error("a WAV file with no samples")]
    Silent,
    /// Less sound than announced.
    #[error("a truncated file: {have} of the {announced} bytes of sound that it announces")]
    Truncated {
        /// Octets of sound that are there.
        have: u64,
        /// Octets of sound according to the header.
        announced: u64,
    },
    /// More than [`MOST_SECONDS`].
    #[error("a WAV file of more than {} minutes", MOST_SECONDS / 60)]
    Endless,
    /// The same, where the header tells how long it is.
    #[error("a WAV file of {} min {} s", .0 / 60, .0 % 60)]
    Long(u64),
    /// The file system said no.
    #[error("a file that cannot be read ({0})")]
    Io(#[from] io::Error),
    /// The sampling rate cannot be changed.
    #[error("a WAV file whose sampling rate cannot be changed ({0})")]
    Conversion(String),
}

impl From<RateError> for Unusable {
    fn from(error: RateError) -> Self {
        Unusable::Conversion(error.to_string())
    }
}

/// Reads a clip and converts it to one channel at `rate` samples per second.
///
/// # Errors
/// What was found instead of [`EXPECTED`].
pub(crate) fn read(file: impl Read, rate: u32) -> Result<Recording, Unusable> {
    read_as(file, |_| rate)
}

/// Reads a clip at the sampling rate it has.
///
/// # Errors
/// What was found instead of a clip.
pub fn read_at_any_rate(file: impl Read) -> Result<Recording, Unusable> {
    read_as(file, |own| own)
}

fn read_as(mut file: impl Read, rate: impl FnOnce(u32) -> u32) -> Result<Recording, Unusable> {
    /// Frames taken at once.
    const BLOCK: u64 = 4_096;
    let (format, announced) = riff::header(&mut file)?;
    let most = u64::from(MOST_SECONDS) * u64::from(format.rate);
    let frame = format.frame() as u64;
    if let Some(frames) = announced
        .map(|octets| octets / frame)
        .filter(|frames| *frames > most)
    {
        return Err(Unusable::Long(frames / u64::from(format.rate)));
    }
    let rate = rate(format.rate);
    let mut converter = Converter::new(format.rate, rate)?;
    let mut block = vec![0; (BLOCK * frame) as usize];
    let (mut have, mut mono) = (0, Vec::with_capacity(BLOCK as usize));
    loop {
        let wanted = announced.map_or(block.len() as u64, |all| (all - have).min(block.len() as u64));
        let wanted = block.get_mut(..wanted as usize).unwrap_or_default();
        let got = riff::fill(&mut file, wanted)?;
        if got == 0 {
            break;
        }
        have += got as u64;
        if have > most * frame {
            return Err(Unusable::Endless);
        }
        mono.clear();
        samples::mix(&format, wanted.get(..got).unwrap_or_default(), &mut mono);
        converter.push(&mono)?;
    }
    match announced {
        Some(announced) if have < announced => return Err(Unusable::Truncated { have, announced }),
        _ if have < frame => return Err(Unusable::Silent),
        _ => {}
    }
    Ok(Recording {
        sample_rate: rate,
        samples: quantised(&converter.finish()?).collect(),
    })
}

/// Writes a clip: 16 bit PCM, mono.
///
/// # Errors
/// What the file answers.
pub fn write(file: impl Write + Seek, clip: &Recording) -> io::Result<()> {
    let io_error = |error| match error {
        hound::Error::IoError(error) => error,
        other => io::Error::other(other),
    };
    let spec = WavSpec {
        channels: 1,
        sample_rate: clip.sample_rate,
        bits_per_sample: 16,
        sample_format: SampleFormat::Int,
    };
    let mut writer = WavWriter::new(file, spec).map_err(io_error)?;
    for sample in clip.samples.iter() {
        writer.write_sample(*sample).map_err(io_error)?;
    }
    writer.finalize().map_err(io_error)
}
