//! Writes a stereo file that can be played at any moment: 16 bit PCM, 8000 Hz.

use std::io::{self, Read, Seek, SeekFrom, Write};

use hound::{SampleFormat, WavSpec, WavWriter};

/// Frames per second: what a telephone hears.
pub(crate) const RATE: u32 = 8_000;
/// Octets before the first sample, and of each frame.
const HEADER: u64 = 44;
const FRAME: u64 = 4;

/// A file being written. Nothing is kept back: what was written is with the operating system.
pub(crate) struct Stereo<W: Write + Seek>(WavWriter<W>);

impl<W: Write + Seek> Stereo<W> {
    /// Writes a header that promises nothing yet.
    pub(crate) fn new(file: W) -> io::Result<Self> {
        let spec = WavSpec {
            channels: 2,
            sample_rate: RATE,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        WavWriter::new(file, spec).map(Stereo).map_err(plain)
    }

    /// Appends frames, left then right.
    pub(crate) fn write(&mut self, frames: &[[i16; 2]]) -> io::Result<()> {
        let count = u32::try_from(2 * frames.len()).map_err(io::Error::other)?;
        let mut samples = self.0.get_i16_writer(count);
        for sample in frames.iter().flatten() {
            samples.write_sample(*sample);
        }
        samples.flush().map_err(plain)
    }

    /// Lets the header tell what is there: so far a player hears the file.
    pub(crate) fn promise(&mut self) -> io::Result<()> {
        self.0.flush().map_err(plain)
    }

    /// The same, for the last time.
    pub(crate) fn finish(self) -> io::Result<()> {
        self.0.finalize().map_err(plain)
    }
}

/// Makes the header of an interrupted file tell what is there, and cuts off a frame that is not whole, by `cut`.
/// Returns the frames.
///
/// # Errors
/// `InvalidData` for a file that [`Stereo`] did not begin.
pub(crate) fn mend<F: Read + Write + Seek>(
    file: &mut F,
    cut: impl FnOnce(&mut F, u64) -> io::Result<()>,
) -> io::Result<u64> {
    let length = file.seek(SeekFrom::End(0))?;
    let mut header = [0; HEADER as usize];
    file.seek(SeekFrom::Start(0))?;
    file.read_exact(&mut header).map_err(|_| foreign())?;
    let ours = header.starts_with(b"RIFF") && header[8..16] == *b"WAVEfmt " && header[36..40] == *b"data";
    if !ours {
        return Err(foreign());
    }
    // The format counts in 32 bits.
    let most = (u64::from(u32::MAX) - HEADER) / FRAME;
    let frames = ((length - HEADER) / FRAME).min(most);
    cut(file, HEADER + frames * FRAME)?;
    for (at, size) in [(4, frames * FRAME + HEADER - 8), (40, frames * FRAME)] {
        file.seek(SeekFrom::Start(at))?;
        file.write_all(&u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes())?;
    }
    Ok(frames)
}

fn foreign() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not the beginning of a recording")
}

fn plain(error: hound::Error) -> io::Error {
    match error {
        hound::Error::IoError(error) => error,
        other => io::Error::other(other.to_string()),
    }
}

/// The samples of a file, as a player plays them.
#[cfg(test)]
pub(crate) fn play(path: &std::path::Path) -> Vec<[i16; 2]> {
    let reader = hound::WavReader::open(path).unwrap();
    let WavSpec {
        channels,
        sample_rate,
        bits_per_sample,
        ..
    } = reader.spec();
    assert_eq!((channels, sample_rate, bits_per_sample), (2, RATE, 16));
    let samples: Vec<i16> = reader.into_samples().map(Result::unwrap).collect();
    samples
        .chunks_exact(2)
        .map(|frame| [frame[0], frame[1]])
        .collect()
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn file(frames: usize) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        let mut stereo = Stereo::new(&mut bytes).unwrap();
        stereo.write(&vec![[1, -2]; frames]).unwrap();
        stereo.finish().unwrap();
        bytes.into_inner()
    }

    fn cut(file: &mut Cursor<Vec<u8>>, length: u64) -> io::Result<()> {
        file.get_mut().truncate(usize::try_from(length).unwrap());
        Ok(())
    }

    #[test]
    fn a_file_cut_off_anywhere_in_its_sound_is_mended_to_the_last_whole_frame() {
        let whole = file(20);
        for length in 44..=whole.len() {
            let mut damaged = whole[..length].to_vec();
            damaged[4..8].fill(0);
            damaged[40..44].fill(0);
            let mut damaged = Cursor::new(damaged);
            let frames = (length - 44) / 4;
            assert_eq!(mend(&mut damaged, cut).unwrap(), frames as u64);
            assert_eq!(damaged.into_inner(), file(frames), "{length} octets");
        }
    }

    #[test]
    fn what_is_no_beginning_of_ours_is_left_alone() {
        for length in [0, 10, 43] {
            let bytes = file(3)[..length].to_vec();
            let error = mend(&mut Cursor::new(bytes), cut).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        }
        let mut other = Cursor::new(vec![7; 100]);
        assert!(mend(&mut other, cut).is_err());
        assert_eq!(other.into_inner(), [7; 100]);
    }
}
