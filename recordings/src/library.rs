//! Prompts by name and language, and the music.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pronto_types::Language;
use sha2::{Digest, Sha256};

use crate::builtin;
use crate::recording::Recording;

/// The name of the music callers wait with; it has no language.
pub const MUSIC: &str = "music";
/// The most clips of one library.
pub const MOST_CLIPS: usize = 2_000;
/// All sound of one directory, in seconds: one second takes 16 kB here and 8 kB for each codec it is encoded for.
pub const MOST_SECONDS_TOGETHER: usize = 7_200;
/// Samples per second of every clip of a directory: what a telephone hears.
pub const TELEPHONE: u32 = 8_000;

/// Prompts by name and language. Cheap to clone: the samples are shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    clips: BTreeMap<Option<Language>, BTreeMap<Arc<str>, Source>>,
    music: Source,
}

/// Clips by language (`None`: for every language), then by name.
pub(crate) type Clips = BTreeMap<Option<Language>, BTreeMap<Arc<str>, Source>>;

/// A clip of a library that is not decoded yet. Cheap to clone.
#[derive(Clone)]
pub struct Source(Kind);

#[derive(Clone)]
enum Kind {
    BuiltIn(&'static builtin::Clip),
    Recorded(Recording, [u8; 32]),
}

/// An identifier that tells one clip's sound from another's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Content {
    /// A built-in clip: its language and name.
    BuiltIn(Option<&'static str>, &'static str),
    /// The SHA-256 of a recorded clip's samples.
    Recorded([u8; 32]),
}

impl Source {
    pub(crate) fn recorded(recording: Recording) -> Self {
        let mut hash = Sha256::new();
        recording
            .samples
            .iter()
            .for_each(|sample| hash.update(sample.to_le_bytes()));
        Source(Kind::Recorded(recording, hash.finalize().into()))
    }

    /// The same for the same sound.
    pub fn content(&self) -> Content {
        match &self.0 {
            Kind::BuiltIn(clip) => Content::BuiltIn(clip.language, clip.name),
            Kind::Recorded(_, hash) => Content::Recorded(*hash),
        }
    }

    /// At [`TELEPHONE`] samples per second. A built-in clip is decoded each time: keep what was made of it.
    pub fn telephone(&self) -> Recording {
        match &self.0 {
            Kind::BuiltIn(clip) => clip.at(TELEPHONE),
            Kind::Recorded(recording, _) => recording.clone(),
        }
    }

    fn recording(&self) -> Recording {
        match &self.0 {
            Kind::BuiltIn(clip) => clip.recording(),
            Kind::Recorded(recording, _) => recording.clone(),
        }
    }
}

/// The same for the same sound: none is decoded for it.
impl PartialEq for Source {
    fn eq(&self, other: &Self) -> bool {
        self.content() == other.content()
    }
}

impl Eq for Source {}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.content().fmt(f)
    }
}

impl Library {
    /// The clips compiled in, all 16 kHz: the prompts of the built-in flow and everything announcements say, in each
    /// language, and the music.
    pub fn builtin() -> Self {
        let mut clips: BTreeMap<_, BTreeMap<Arc<str>, _>> = BTreeMap::new();
        let mut music = None;
        for clip in &builtin::CLIPS {
            if clip.name == MUSIC {
                music = Some(Source(Kind::BuiltIn(clip)));
            }
            clips
                .entry(clip.language.and_then(Language::from_code))
                .or_default()
                .insert(clip.name.into(), Source(Kind::BuiltIn(clip)));
        }
        #[expect(
            clippy::expect_used,
            reason = "the music is among the clips compiled in, and a test plays it"
        )]
        let music = music.expect("the built-in clips have music");
        Self { clips, music }
    }

    /// Lays clips over these. A recorded voice wins over the built-in one even where it says the same in every language.
    pub(crate) fn with_clips(mut self, clips: Clips) -> Self {
        if let Some(music) = clips.get(&None).and_then(|common| common.get(MUSIC)) {
            self.music = music.clone();
        }
        for name in clips.get(&None).into_iter().flat_map(BTreeMap::keys) {
            self.clips.values_mut().for_each(|names| drop(names.remove(name)));
        }
        for (language, names) in clips {
            self.clips.entry(language).or_default().extend(names);
        }
        self
    }

    /// The clip of that name in that language, or the one for every language.
    pub fn source(&self, name: &str, language: Language) -> Option<&Source> {
        [Some(language), None]
            .iter()
            .find_map(|language| self.clips.get(language)?.get(name))
    }

    /// The same, decoded.
    pub fn prompt(&self, name: &str, language: Language) -> Option<Recording> {
        self.source(name, language).map(Source::recording)
    }

    /// The names for which [`Library::source`] has a clip in that language, sorted.
    pub fn names(&self, language: Language) -> impl Iterator<Item = &str> {
        let heard = [Some(language), None]
            .into_iter()
            .filter_map(|language| self.clips.get(&language));
        let names: BTreeSet<&str> = heard.flat_map(BTreeMap::keys).map(|name| &**name).collect();
        names.into_iter()
    }

    /// The music callers wait with. It loops: its last sample is followed by its first.
    pub fn music(&self) -> &Source {
        &self.music
    }
}
