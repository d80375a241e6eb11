//! WAV files, 16-bit PCM mono, read and written by hand: the product's reader must not judge itself.

use std::fs;
use std::path::Path;

pub(crate) struct Wav {
    pub(crate) rate: u32,
    pub(crate) samples: Vec<i16>,
}

impl Wav {
    /// Reads a file of 16-bit PCM; of several channels, the first.
    pub(crate) fn read(path: &Path) -> Result<Wav, String> {
        Wav::channel(path, 0)
    }

    /// Reads one channel of a file of 16-bit PCM.
    pub(crate) fn channel(path: &Path, channel: usize) -> Result<Wav, String> {
        let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Wav::parse(&bytes, channel).ok_or_else(|| {
            format!(
                "{}: not a WAV file of 16-bit PCM with that channel",
                path.display()
            )
        })
    }

    fn parse(bytes: &[u8], channel: usize) -> Option<Wav> {
        let riff = bytes.get(..12)?;
        if &riff[..4] != b"RIFF" || &riff[8..] != b"WAVE" {
            return None;
        }
        let (mut channels, mut rate, mut rest) = (0_usize, 0, &bytes[12..]);
        loop {
            let header = rest.get(..8)?;
            let length = u32::from_le_bytes(header[4..8].try_into().ok()?) as usize;
            // A recorder that was interrupted leaves a length of 0 or too much: take what is there.
            let body = &rest[8..];
            let chunk = &body[..length.min(body.len())];
            match &header[..4] {
                b"fmt " => {
                    channels = u16::from_le_bytes(chunk.get(2..4)?.try_into().ok()?).into();
                    rate = u32::from_le_bytes(chunk.get(4..8)?.try_into().ok()?);
                    if chunk.get(14..16)? != [16, 0] {
                        return None;
                    }
                }
                b"data" => {
                    let pcm = if chunk.is_empty() { body } else { chunk };
                    if channel >= channels {
                        return None;
                    }
                    let frame = 2 * channels;
                    let samples = pcm
                        .chunks_exact(frame)
                        .map(|s| i16::from_le_bytes([s[2 * channel], s[2 * channel + 1]]))
                        .collect();
                    return (rate > 0).then_some(Wav { rate, samples });
                }
                _ => {}
            }
            rest = body.get(length + length % 2..)?;
        }
    }

    pub(crate) fn write(&self, path: &Path) -> Result<(), String> {
        let length = u32::try_from(self.samples.len() * 2).map_err(|_| "too long".to_owned())?;
        let mut bytes = Vec::with_capacity(self.samples.len() * 2 + 44);
        bytes.extend_from_slice(b"RIFF");
        bytes.extend_from_slice(&(length + 36).to_le_bytes());
        bytes.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
        bytes.extend_from_slice(&self.rate.to_le_bytes());
        bytes.extend_from_slice(&(self.rate * 2).to_le_bytes());
        bytes.extend_from_slice(b"\x02\0\x10\0data");
        bytes.extend_from_slice(&length.to_le_bytes());
        for sample in &self.samples {
            bytes.extend_from_slice(&sample.to_le_bytes());
        }
        fs::write(path, bytes).map_err(|error| format!("{}: {error}", path.display()))
    }
}
