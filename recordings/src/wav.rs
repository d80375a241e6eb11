//! WAV files (RIFF, PCM) to samples. The only module that names `hound`.

pub(crate) mod stereo;

use std::io::{self, Read, Seek, Write};

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};

use crate::Recording;

/// The longest clip, in seconds: a prompt or a tune, not an archive.
pub const MOST_SECONDS: u32 = 600;

/// What a clip must be, for people.
pub(crate) const EXPECTED: &str =
    "a WAV file: 16 bit PCM, mono, 16000 or 8000 Hz, not empty, at most 10 minutes";

/// Reads a clip.
///
/// # Errors
/// What was found instead of [`EXPECTED`], as words that follow "found".
pub(crate) fn read(file: impl Read) -> Result<Recording, String> {
    read_if(file, |sample_rate| matches!(sample_rate, 8_000 | 16_000))
}

/// Reads what a synthesiser wrote: as a clip, but at any rate.
///
/// # Errors
/// What was found instead, as words that follow "found".
pub fn read_at_any_rate(file: impl Read) -> Result<Recording, String> {
    read_if(file, |_| true)
}

fn read_if(file: impl Read, is_expected: impl Fn(u32) -> bool) -> Result<Recording, String> {
    let reader = WavReader::new(file).map_err(|error| match error {
        hound::Error::FormatError(reason) => format!("no WAV file ({reason})"),
        other => format!("no WAV file ({other})"),
    })?;
    let WavSpec {
        channels,
        sample_rate,
        bits_per_sample,
        sample_format,
    } = reader.spec();
    if (channels, bits_per_sample, sample_format) != (1, 16, SampleFormat::Int) || !is_expected(sample_rate) {
        let kind = match sample_format {
            SampleFormat::Int => "PCM",
            SampleFormat::Float => "floating point",
        };
        let channels = match channels {
            1 => "mono".to_owned(),
            2 => "stereo".to_owned(),
            many => format!("{many} channels"),
        };
        return Err(format!(
            "{bits_per_sample} bit {kind}, {channels}, {sample_rate} Hz"
        ));
    }
    // The header is the file's word: only what is really there is allocated, and no more than the limit.
    if reader.len() > MOST_SECONDS.saturating_mul(sample_rate) {
        return Err(format!("{} seconds", reader.len() / sample_rate));
    }
    if reader.len() == 0 {
        return Err("no samples".to_owned());
    }
    let expected = reader.len();
    let mut samples = Vec::new();
    for sample in reader.into_samples::<i16>() {
        samples
            .push(sample.map_err(|_| format!("{} of the {expected} samples it announces", samples.len()))?);
    }
    Ok(Recording {
        sample_rate,
        samples: samples.into(),
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

/// A clip of 100 ms whose every sample is `value`, for the tests of directories.
#[cfg(test)]
pub(crate) fn write_test_clip(path: &std::path::Path, channels: u16, sample_rate: u32, value: i16) {
    let spec = WavSpec {
        channels,
        sample_rate,
        bits_per_sample: 16,
        sample_format: SampleFormat::Int,
    };
    let mut writer = WavWriter::create(path, spec).unwrap();
    (0..sample_rate / 10 * u32::from(channels)).for_each(|_| writer.write_sample(value).unwrap());
    writer.finalize().unwrap();
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Little-endian RIFF as the specification draws it.
    fn wav(channels: u16, rate: u32, bits: u16, data: &[u8]) -> Vec<u8> {
        let block = channels * bits / 8;
        let length = u32::try_from(data.len()).unwrap();
        let mut file = b"RIFF".to_vec();
        file.extend((36 + length).to_le_bytes());
        file.extend(b"WAVEfmt \x10\0\0\0\x01\0");
        file.extend(channels.to_le_bytes());
        file.extend(rate.to_le_bytes());
        file.extend((rate * u32::from(block)).to_le_bytes());
        file.extend(block.to_le_bytes());
        file.extend(bits.to_le_bytes());
        file.extend(b"data");
        file.extend(length.to_le_bytes());
        file.extend(data);
        file
    }

    fn found(file: &[u8]) -> String {
        read(file).unwrap_err()
    }

    #[test]
    fn both_telephone_rates_are_read_sample_by_sample() {
        for rate in [8_000, 16_000] {
            let clip = read(&wav(1, rate, 16, &[1, 0, 0xff, 0xff, 0, 0x80])[..]).unwrap();
            assert_eq!(
                (clip.sample_rate, &clip.samples[..]),
                (rate, &[1, -1, i16::MIN][..])
            );
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let clip = Recording {
            sample_rate: 16_000,
            samples: [1, -2, i16::MAX, i16::MIN].into(),
        };
        let mut file = io::Cursor::new(Vec::new());
        write(&mut file, &clip).unwrap();
        assert_eq!(read(&file.get_ref()[..]).unwrap(), clip);
        assert_eq!(
            read_at_any_rate(&wav(1, 22_050, 16, &[7, 0])[..])
                .unwrap()
                .sample_rate,
            22_050
        );
    }

    #[test]
    fn what_is_not_a_clip_says_what_it_is() {
        assert_eq!(
            found(&wav(2, 16_000, 16, &[0; 8])),
            "16 bit PCM, stereo, 16000 Hz"
        );
        assert_eq!(
            found(&wav(6, 16_000, 16, &[0; 24])),
            "16 bit PCM, 6 channels, 16000 Hz"
        );
        assert_eq!(found(&wav(1, 44_100, 16, &[0; 8])), "16 bit PCM, mono, 44100 Hz");
        assert_eq!(found(&wav(1, 8_000, 8, &[0; 8])), "8 bit PCM, mono, 8000 Hz");
        assert_eq!(found(&wav(1, 8_000, 16, &[])), "no samples");
        assert!(found(b"ID3\x03 an mp3").starts_with("no WAV file"));
        assert!(found(b"").starts_with("no WAV file"));
    }

    #[test]
    fn a_header_that_promises_too_much_is_not_believed() {
        let mut short = wav(1, 8_000, 16, &[0; 16]);
        short.truncate(short.len() - 6);
        assert_eq!(found(&short), "5 of the 8 samples it announces");
        let mut long = wav(1, 8_000, 16, &[0; 16]);
        long[40..44].copy_from_slice(&0xffff_fffe_u32.to_le_bytes());
        assert_eq!(found(&long), "268435 seconds");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes[..]);
        }

        #[test]
        fn no_damaged_clip_panics(at in 0..64usize, byte: u8, and_at in 0..64usize, and_byte: u8, cut in 0..64usize) {
            let mut file = wav(1, 16_000, 16, &[0x55; 20]);
            file[at] = byte;
            file[and_at] = and_byte;
            file.truncate(cut.max(12));
            let _ = read(&file[..]);
            let mut whole = wav(1, 16_000, 16, &[0x55; 20]);
            whole[at] = byte;
            whole[and_at] = and_byte;
            let _ = read(&whole[..]);
        }
    }
}
