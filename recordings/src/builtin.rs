//! The clips compiled into the binary: everything under `prompts/`, listed by the build script.

use crate::{Recording, wav};

/// A clip as bytes of a WAV file.
pub(crate) struct Clip {
    /// The code of its language; `None`: for every language.
    pub(crate) language: Option<&'static str>,
    pub(crate) name: &'static str,
    pub(crate) file: &'static [u8],
}

impl Clip {
    /// Decoded each time: whoever plays it keeps what was encoded.
    pub(crate) fn recording(&self) -> Recording {
        #[expect(
            clippy::expect_used,
            reason = "the clips are compiled in, and a test reads each of them"
        )]
        wav::read_at_any_rate(self.file).expect("a built-in clip is a WAV file")
    }

    /// The same at another sampling rate.
    pub(crate) fn at(&self, rate: u32) -> Recording {
        #[expect(
            clippy::expect_used,
            reason = "the clips are compiled in, and a test converts each of them"
        )]
        wav::read(self.file, rate).expect("a built-in clip is a WAV file")
    }
}

include!(concat!(env!("OUT_DIR"), "/clips.rs"));
