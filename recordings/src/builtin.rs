//! The clips compiled into the binary.

use pronto_types::Language;

/// A clip as bytes of a WAV file.
pub(crate) struct Clip {
    /// `None`: for every language.
    pub(crate) language: Option<Language>,
    pub(crate) name: &'static str,
    pub(crate) file: &'static [u8],
}

macro_rules! clip {
    ($language:expr, $name:literal, $path:literal) => {
        Clip {
            language: $language,
            name: $name,
            file: include_bytes!(concat!("../prompts/", $path)),
        }
    };
}

pub(crate) const CLIPS: [Clip; 9] = [
    clip!(Some(Language::Italian), "welcome", "it/welcome.wav"),
    clip!(Some(Language::Italian), "main-menu", "it/main-menu.wav"),
    clip!(Some(Language::Italian), "all-busy", "it/all-busy.wav"),
    clip!(Some(Language::Italian), "goodbye", "it/goodbye.wav"),
    clip!(Some(Language::English), "welcome", "en/welcome.wav"),
    clip!(Some(Language::English), "main-menu", "en/main-menu.wav"),
    clip!(Some(Language::English), "all-busy", "en/all-busy.wav"),
    clip!(Some(Language::English), "goodbye", "en/goodbye.wav"),
    clip!(None, "music", "music.wav"),
];
