//! A directory of clips: `NAME.wav`, `it/NAME.wav`, `en/NAME.wav`.

#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pronto_types::{Language, QueueName};

use super::parallel::in_parallel;
use crate::library::{Clips, Library, MOST_CLIPS, MOST_SECONDS_TOGETHER, MUSIC, Source, TELEPHONE};
use crate::recording::Recording;
use crate::wav::{self, Unusable};

/// All samples of the directory.
const MOST_SAMPLES: usize = MOST_SECONDS_TOGETHER * TELEPHONE as usize;

/// Why a directory of clips was refused; each names the place and, where there is something to expect, what.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// The file system said no.
    #[error("{}: {source}", .path.display())]
    Unreadable {
        /// The file or directory that cannot be read.
        path: PathBuf,
        /// The error of the file system.
        source: std::io::Error,
    },
    /// Something else is where a clip or a language was expected.
    #[error("{}: found {found}, expected {expected}", .path.display())]
    Unexpected {
        /// The file or directory.
        path: PathBuf,
        /// The kind of thing found there.
        found: String,
        /// The kind of thing expected there.
        expected: &'static str,
    },
    /// There is more in it than a library holds.
    #[error("{}: more than {MOST_CLIPS} clips", .path.display())]
    TooMany {
        /// The directory with too many clips.
        path: PathBuf,
    },
    /// All clips together are too long.
    #[error("{}: more than {} hours of sound in all clips together", .path.display(), MOST_SECONDS_TOGETHER / 3_600)]
    TooLong {
        /// The directory whose clips are too long.
        path: PathBuf,
    },
}

impl Library {
    /// Lays the clips of a directory over these, clip by clip: `LANGUAGE/NAME.wav` for one language, `NAME.wav` for
    /// every language that has none of its own there, `music.wav` for the music. Files that are not called `.wav`,
    /// and hidden ones, are left alone.
    ///
    /// A clip is a WAV file of at most [`MOST_SECONDS`](crate::MOST_SECONDS), and is kept at [`TELEPHONE`] samples per
    /// second, one channel. Its name is one a flow can write: 1 to 64 of `a-z A-Z 0-9 . _ -`. All clips together last
    /// at most [`MOST_SECONDS_TOGETHER`].
    ///
    /// # Errors
    /// The first thing wrong, in the order of the names: see [`LibraryError`].
    pub fn with_directory(self, path: impl AsRef<Path>) -> Result<Self, LibraryError> {
        Ok(self.with_clips(read(path.as_ref())?))
    }
}

/// A file that is to be a clip.
struct Found {
    language: Option<Language>,
    name: Arc<str>,
    path: PathBuf,
}

/// Reads everything in the directory: first the names, then, on several threads, the sound.
fn read(path: &Path) -> Result<Clips, LibraryError> {
    let files = files(path)?;
    let together = AtomicUsize::new(0);
    let sources = in_parallel(&files, |file| {
        let too_long = || together.load(Ordering::Relaxed) > MOST_SAMPLES;
        let recording = if too_long() {
            None
        } else {
            Some(decode(&file.path)?)
        };
        let samples = recording.as_ref().map_or(0, |recording| recording.samples.len());
        together.fetch_add(samples, Ordering::Relaxed);
        let recording = recording.filter(|_| !too_long());
        let path = path.to_owned();
        recording
            .map(Source::recorded)
            .ok_or(LibraryError::TooLong { path })
    });
    let mut clips = Clips::new();
    for (file, source) in files.iter().zip(sources) {
        let names = clips.entry(file.language).or_default();
        names.insert(Arc::clone(&file.name), source?);
    }
    Ok(clips)
}

/// The files of the directory, in the order of their names.
fn files(path: &Path) -> Result<Vec<Found>, LibraryError> {
    let mut files = Vec::new();
    for entry in entries(path)? {
        if entry.is_dir() {
            let language = entry
                .file_name()
                .and_then(|name| name.to_str())
                .and_then(Language::from_code);
            let Some(language) = language else {
                return Err(unexpected(&entry, "a directory", "a language: `it` or `en`"));
            };
            for file in entries(&entry)? {
                name(&mut files, Some(language), file)?;
            }
        } else {
            name(&mut files, None, entry)?;
        }
    }
    Ok(files)
}

/// Lists a directory without its hidden entries, sorted: the first error is the same on every machine.
fn entries(path: &Path) -> Result<Vec<PathBuf>, LibraryError> {
    let unreadable = |source| LibraryError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let mut entries = Vec::new();
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        if entries.len() == MOST_CLIPS {
            return Err(LibraryError::TooMany {
                path: path.to_owned(),
            });
        }
        entries.push(entry.path());
    }
    entries.sort();
    Ok(entries)
}

/// Keeps a file that is called like a clip under its name.
fn name(files: &mut Vec<Found>, language: Option<Language>, path: PathBuf) -> Result<(), LibraryError> {
    if !path
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("wav"))
    {
        return Ok(());
    }
    let name = path
        .file_stem()
        .and_then(|name| name.to_str())
        .filter(|name| QueueName::new(name).is_ok());
    let Some(name) = name else {
        return Err(unexpected(
            &path,
            "a name no flow can write",
            "1 to 64 of a-z A-Z 0-9 . _ - before `.wav`",
        ));
    };
    if name == MUSIC && language.is_some() {
        return Err(unexpected(
            &path,
            "music with a language",
            "`music.wav` beside the languages, for all of them",
        ));
    }
    let name: Arc<str> = name.into();
    if files
        .iter()
        .any(|found| found.language == language && found.name == name)
    {
        return Err(unexpected(
            &path,
            "the same name twice (`.wav`, `.WAV`)",
            "one clip of that name",
        ));
    }
    if files.len() == MOST_CLIPS {
        return Err(LibraryError::TooMany { path });
    }
    files.push(Found { language, name, path });
    Ok(())
}

fn decode(path: &Path) -> Result<Recording, LibraryError> {
    let unreadable = |source| LibraryError::Unreadable {
        path: path.to_owned(),
        source,
    };
    // Opening a pipe would wait for somebody to write into it.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(unexpected(path, "something that is no file", wav::EXPECTED));
    }
    let file = BufReader::new(File::open(path).map_err(unreadable)?);
    wav::read(file, TELEPHONE).map_err(|found| match found {
        Unusable::Io(source) => unreadable(source),
        found => unexpected(path, found.to_string(), wav::EXPECTED),
    })
}

fn unexpected(path: &Path, found: impl Into<String>, expected: &'static str) -> LibraryError {
    LibraryError::Unexpected {
        path: path.to_owned(),
        found: found.into(),
        expected,
    }
}
