//! Changes the sampling rate. The only module that names `rubato`.
//!
//! By Fourier transforms: pass band to 0.9 of the band that both rates have, more than 100 dB down from the other side's
//! half rate on. Block by block, so that a long file needs no more memory than a short one.

use rubato::audioadapter_buffers::SizeError;
use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, ResampleError, Resampler, ResamplerConstructionError, WindowFunction};

/// One block is this part of a second: long enough for a steep filter at every pair of rates.
const BLOCKS_PER_SECOND: u32 = 16;

/// Why a rate cannot be changed; both are faults of ours.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RateError {
    /// No resampler can be built for these two sampling rates.
    #[error(transparent)]
    Rates(#[from] ResamplerConstructionError),
    /// A block of samples could not be converted.
    #[error(transparent)]
    Block(#[from] ResampleError),
    /// The size of a block is wrong.
    #[error(transparent)]
    Size(#[from] SizeError),
}

/// A change of the sampling rate under way. Sample n of the result lies where it lay in the input: the filter's delay is
/// taken away.
pub(crate) struct Converter {
    /// `None`: both rates are the same.
    filter: Option<Filter>,
    converted: Vec<f32>,
}

struct Filter {
    fft: Fft<f32>,
    /// Samples that do not yet fill a block.
    waiting: Vec<f32>,
    block: Vec<f32>,
    /// Samples that came in.
    taken: u64,
    /// The filter's delay, in converted samples.
    delay: usize,
    from: u32,
    to: u32,
}

/// All of `samples` at another rate.
pub(crate) fn converted(samples: &[f32], from: u32, to: u32) -> Result<Vec<f32>, RateError> {
    let mut converter = Converter::new(from, to)?;
    converter.push(samples)?;
    converter.finish()
}

impl Converter {
    pub(crate) fn new(from: u32, to: u32) -> Result<Self, RateError> {
        let filter = if from == to {
            None
        } else {
            Some(Filter::new(from, to)?)
        };
        Ok(Converter {
            filter,
            converted: Vec::new(),
        })
    }

    /// Takes the next samples.
    pub(crate) fn push(&mut self, samples: &[f32]) -> Result<(), RateError> {
        match &mut self.filter {
            None => self.converted.extend_from_slice(samples),
            Some(filter) => filter.push(samples, &mut self.converted)?,
        }
        Ok(())
    }

    /// There are no more: returns all of them at the new rate.
    pub(crate) fn finish(mut self) -> Result<Vec<f32>, RateError> {
        if let Some(filter) = self.filter {
            filter.finish(&mut self.converted)?;
        }
        Ok(self.converted)
    }
}

impl Filter {
    fn new(from: u32, to: u32) -> Result<Self, RateError> {
        let block = (from / BLOCKS_PER_SECOND) as usize;
        let window = WindowFunction::BlackmanHarris2;
        let fft = Fft::new_custom(from as usize, to as usize, block, 1, 1, window, FixedSync::Input)?;
        Ok(Filter {
            waiting: Vec::new(),
            block: vec![0.0; fft.output_frames_max()],
            taken: 0,
            delay: fft.output_delay(),
            from,
            to,
            fft,
        })
    }

    fn push(&mut self, samples: &[f32], converted: &mut Vec<f32>) -> Result<(), RateError> {
        self.taken += samples.len() as u64;
        self.waiting.extend_from_slice(samples);
        let mut done = 0;
        while let Some(block) = self.waiting.get(done..done + self.fft.input_frames_next()) {
            done += block.len();
            let input = InterleavedSlice::new(block, 1, block.len())?;
            let room = self.block.len();
            let mut output = InterleavedSlice::new_mut(&mut self.block, 1, room)?;
            let (_, made) = self.fft.process_into_buffer(&input, &mut output, None)?;
            converted.extend_from_slice(self.block.get(..made).unwrap_or_default());
        }
        self.waiting.drain(..done);
        Ok(())
    }

    /// Pushes silence until all that came in has come out, and cuts off the delay.
    fn finish(mut self, converted: &mut Vec<f32>) -> Result<(), RateError> {
        let length = (self.taken * u64::from(self.to)).div_ceil(u64::from(self.from)) as usize;
        let silence = vec![0.0; self.fft.input_frames_max()];
        while converted.len() < length + self.delay {
            self.push(&silence, converted)?;
        }
        converted.drain(..self.delay);
        converted.truncate(length);
        Ok(())
    }
}
