//! Prompts by name and language, and the music.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use pronto_types::Language;

use crate::{builtin, directory};

/// The name of the music callers wait with; it has no language.
pub const MUSIC: &str = "music";
/// The most clips of one library.
pub const MOST_CLIPS: usize = 2_000;

/// A clip: linear PCM, one channel.
#[derive(Clone, PartialEq, Eq)]
pub struct Recording {
    /// Samples per second: 16 000 or 8 000.
    pub sample_rate: u32,
    /// The samples, shared by all who play them; never empty.
    pub samples: Arc<[i16]>,
}

impl Recording {
    /// How long it plays.
    pub fn duration(&self) -> Duration {
        let samples = u64::try_from(self.samples.len()).unwrap_or(u64::MAX);
        Duration::from_micros(samples.saturating_mul(1_000_000) / u64::from(self.sample_rate.max(1)))
    }
}

impl std::fmt::Debug for Recording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Recording({} Hz, {:?})", self.sample_rate, self.duration())
    }
}

/// Why a directory of clips was refused; each names the place and, where there is something to expect, what.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// The file system said no.
    #[error("{}: {source}", .path.display())]
    Unreadable {
        /// Of what.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Something else is where a clip or a language was expected.
    #[error("{}: found {found}, expected {expected}", .path.display())]
    Unexpected {
        /// The file or directory.
        path: PathBuf,
        /// What it is.
        found: String,
        /// What it should be.
        expected: &'static str,
    },
    /// There is more in it than a library holds.
    #[error("{}: more than {MOST_CLIPS} clips", .path.display())]
    TooMany {
        /// The directory.
        path: PathBuf,
    },
}

/// Prompts by name and language. Cheap to clone: the samples are shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    clips: BTreeMap<Option<Language>, BTreeMap<Arc<str>, Source>>,
    music: Recording,
}

/// Clips by language (`None`: for every language), then by name.
pub(crate) type Clips = BTreeMap<Option<Language>, BTreeMap<Arc<str>, Recording>>;

/// Where a clip comes from.
#[derive(Clone)]
enum Source {
    BuiltIn(&'static builtin::Clip),
    Recorded(Recording),
}

impl Source {
    fn recording(&self) -> &Recording {
        match self {
            Source::BuiltIn(clip) => clip.recording(),
            Source::Recorded(recording) => recording,
        }
    }
}

/// Clips compiled in are the same if they are the same one: none is decoded for it.
impl PartialEq for Source {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Source::BuiltIn(one), Source::BuiltIn(other)) => std::ptr::eq(*one, *other),
            (Source::Recorded(one), Source::Recorded(other)) => one == other,
            (Source::BuiltIn(_), Source::Recorded(_)) | (Source::Recorded(_), Source::BuiltIn(_)) => false,
        }
    }
}

impl Eq for Source {}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Source::BuiltIn(_) => f.write_str("BuiltIn"),
            Source::Recorded(recording) => recording.fmt(f),
        }
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
                music = Some(clip.recording().clone());
            }
            clips
                .entry(clip.language.and_then(Language::from_code))
                .or_default()
                .insert(clip.name.into(), Source::BuiltIn(clip));
        }
        #[expect(
            clippy::expect_used,
            reason = "the music is among the clips compiled in, and a test plays it"
        )]
        let music = music.expect("the built-in clips have music");
        Self { clips, music }
    }

    /// Lays the clips of a directory over these, clip by clip: `LANGUAGE/NAME.wav` for one language, `NAME.wav` for
    /// every language that has none of its own there, `music.wav` for the music. Files that are not called `.wav`,
    /// and hidden ones, are left alone.
    ///
    /// A clip is 16 bit PCM, mono, 16 000 or 8 000 Hz, at most [`MOST_SECONDS`](crate::MOST_SECONDS) long. Its
    /// name is one a flow can write: 1 to 64 of `a-z A-Z 0-9 . _ -`.
    ///
    /// # Errors
    /// The first thing wrong, in the order of the names: see [`LibraryError`].
    pub fn with_directory(mut self, path: impl AsRef<Path>) -> Result<Self, LibraryError> {
        let clips = directory::read(path.as_ref())?;
        if let Some(music) = clips.get(&None).and_then(|common| common.get(MUSIC)) {
            self.music = music.clone();
        }
        // A recorded voice wins over the built-in one even where it says the same in every language.
        for name in clips.get(&None).into_iter().flat_map(BTreeMap::keys) {
            self.clips.values_mut().for_each(|names| drop(names.remove(name)));
        }
        for (language, names) in clips {
            let recorded = names
                .into_iter()
                .map(|(name, recording)| (name, Source::Recorded(recording)));
            self.clips.entry(language).or_default().extend(recorded);
        }
        Ok(self)
    }

    /// The clip of that name in that language, or the one for every language.
    pub fn prompt(&self, name: &str, language: Language) -> Option<&Recording> {
        [Some(language), None]
            .iter()
            .find_map(|language| self.clips.get(language)?.get(name))
            .map(Source::recording)
    }

    /// The names for which [`Library::prompt`] has a clip in that language, sorted.
    pub fn names(&self, language: Language) -> impl Iterator<Item = &str> {
        let heard = [Some(language), None]
            .into_iter()
            .filter_map(|language| self.clips.get(&language));
        let names: BTreeSet<&str> = heard.flat_map(BTreeMap::keys).map(|name| &**name).collect();
        names.into_iter()
    }

    /// The music callers wait with. It loops: its last sample is followed by its first.
    pub fn music(&self) -> &Recording {
        &self.music
    }
}
