//! The clips compiled into the binary: everything under `prompts/`, listed by the build script.

use std::sync::OnceLock;

use crate::{Recording, wav};

/// A clip as bytes of a WAV file.
pub(crate) struct Clip {
    /// The code of its language; `None`: for every language.
    pub(crate) language: Option<&'static str>,
    pub(crate) name: &'static str,
    pub(crate) file: &'static [u8],
    decoded: OnceLock<Recording>,
}

impl Clip {
    /// Decoded when somebody first wants to hear it: all of them together take a third of a second.
    pub(crate) fn recording(&self) -> &Recording {
        #[expect(
            clippy::expect_used,
            reason = "the clips are compiled in, and a test reads each of them"
        )]
        self.decoded
            .get_or_init(|| wav::read(self.file).expect("a built-in clip is a WAV file"))
    }
}

include!(concat!(env!("OUT_DIR"), "/clips.rs"));
