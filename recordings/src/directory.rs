//! A directory of clips: `NAME.wav`, `it/NAME.wav`, `en/NAME.wav`.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use pronto_types::{Language, QueueName};

use crate::library::{Clips, LibraryError, MOST_CLIPS, MUSIC};
use crate::wav;

pub(crate) fn read(path: &Path) -> Result<Clips, LibraryError> {
    let mut clips = Clips::new();
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
                clip(&mut clips, Some(language), &file)?;
            }
        } else {
            clip(&mut clips, None, &entry)?;
        }
    }
    Ok(clips)
}

/// What a directory holds, hidden things aside, sorted: the first error is the same on every machine.
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

fn clip(clips: &mut Clips, language: Option<Language>, path: &Path) -> Result<(), LibraryError> {
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
            path,
            "a name no flow can write",
            "1 to 64 of a-z A-Z 0-9 . _ - before `.wav`",
        ));
    };
    if name == MUSIC && language.is_some() {
        return Err(unexpected(
            path,
            "music with a language",
            "`music.wav` beside the languages, for all of them",
        ));
    }
    let file = File::open(path).map_err(|source| LibraryError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    let recording =
        wav::read(BufReader::new(file)).map_err(|found| unexpected(path, found, wav::EXPECTED))?;
    if clips
        .entry(language)
        .or_default()
        .insert(name.into(), recording)
        .is_some()
    {
        return Err(unexpected(
            path,
            "the same name twice (`.wav`, `.WAV`)",
            "one clip of that name",
        ));
    }
    if clips.values().map(|names| names.len()).sum::<usize>() > MOST_CLIPS {
        return Err(LibraryError::TooMany {
            path: path.to_owned(),
        });
    }
    Ok(())
}

fn unexpected(path: &Path, found: impl Into<String>, expected: &'static str) -> LibraryError {
    LibraryError::Unexpected {
        path: path.to_owned(),
        found: found.into(),
        expected,
    }
}
