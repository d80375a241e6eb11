//! `pronto prompts build`: from a table of texts to the clips that are compiled in.
//!
//! ```text
//!  build/prompts.tsv ─┐
//!                     ├─▶ what is to be said ─▶ a voice ─▶ mastered ─▶ prompts/LANGUAGE/NAME.wav
//!  ivr::speak ────────┘                                              prompts/texts.tsv
//! ```
//!
//! `texts.tsv` remembers what each clip says, so that only what changed is said again. The clips are committed: nothing
//! of this is needed to compile Pronto or to run it. The same packages give the same bytes.

mod table;
#[cfg(test)]
mod tests;
mod voice;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use pronto_ivr::speak;
use pronto_recordings::{LOUDNESS, master, read_at_any_rate, write};
use pronto_types::Language;

pub use table::Fault;
use table::Texts;
pub use voice::Mute;
use voice::Voice;

/// Why no clips, or not all of them, were made.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A table cannot be used.
    #[error(transparent)]
    Table(#[from] Fault),
    /// Nothing here can speak.
    #[error(transparent)]
    Voice(#[from] Mute),
    /// A text became no sound that can be used.
    #[error("{language} `{name}`, \"{text}\": {why}")]
    Clip {
        /// In which language.
        language: Language,
        /// The name of the clip.
        name: String,
        /// The text it should say.
        text: String,
        /// The fault found instead of a usable sound.
        why: String,
    },
    /// The file system said no.
    #[error("{}: {source}", .path.display())]
    File {
        /// The file or directory concerned.
        path: PathBuf,
        /// The error of the file system.
        source: std::io::Error,
    },
}

/// The result of a build of the clips.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// Clips made now.
    pub made: usize,
    /// Clips that say already what they should.
    pub kept: usize,
    /// Clips that nobody asks for any longer.
    pub removed: usize,
    /// The voices that spoke, in words; empty if none was needed.
    pub voices: Vec<String>,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for voice in &self.voices {
            writeln!(f, "{voice}")?;
        }
        write!(
            f,
            "{} clips made, {} kept, {} removed",
            self.made, self.kept, self.removed
        )
    }
}

/// Makes the clips of `folder` (its `build/prompts.tsv`, and everything [`speak`] can ask for) that are missing or say
/// something else; `all`: every one. Removes those that were made for a text that is gone.
///
/// # Errors
/// See [`BuildError`]; what was made until then stays, and is made again by the next run.
pub fn build(folder: &Path, all: bool) -> Result<Summary, BuildError> {
    let wanted = wanted(folder)?;
    let remembered = folder.join("prompts/texts.tsv");
    let before = table::read_if_there(&remembered)?;
    let mut summary = Summary::default();
    for language in Language::ALL {
        let directory = directory(folder, language);
        fs::create_dir_all(&directory).map_err(at(&directory))?;
        let path = |name: &str| directory.join(format!("{name}.wav"));
        let missing = missing(folder, language, &wanted, &before, all);
        summary.kept += wanted.keys().filter(|(of, _)| *of == language).count() - missing.len();
        if !missing.is_empty() {
            let voice = Voice::of(language)?;
            summary.voices.push(format!("{language}: {}", voice.describe()));
            summary.made += missing.len();
            make(&voice, &missing, path)?;
        }
        let known = before.keys().filter(|(of, _)| *of == language);
        let gone: BTreeSet<_> = known.filter(|key| !wanted.contains_key(key)).collect();
        for (_, name) in gone {
            let path = path(name);
            if path.exists() {
                fs::remove_file(&path).map_err(at(&path))?;
                summary.removed += 1;
            }
        }
    }
    fs::write(&remembered, table::write(&wanted)).map_err(at(&remembered))?;
    Ok(summary)
}

fn directory(folder: &Path, language: Language) -> PathBuf {
    folder.join("prompts").join(language.code())
}

/// Selects the wanted texts of a language whose clip is missing or says something else (all of them with `all`), by
/// name.
fn missing(
    folder: &Path,
    language: Language,
    wanted: &Texts,
    before: &Texts,
    all: bool,
) -> BTreeMap<String, String> {
    let directory = directory(folder, language);
    let is_there = |name: &str| directory.join(format!("{name}.wav")).exists();
    let wanted = wanted.iter().filter(|((of, _), _)| *of == language);
    let missing = wanted.filter(|(key, text)| all || before.get(key) != Some(text) || !is_there(&key.1));
    missing
        .map(|((_, name), text)| (name.clone(), text.clone()))
        .collect()
}

/// Every clip there should be: those written by hand, and the vocabulary of announcements.
fn wanted(folder: &Path) -> Result<Texts, Fault> {
    let mut texts = table::read(&folder.join("build/prompts.tsv"))?;
    for language in Language::ALL {
        let vocabulary = speak::vocabulary(language);
        texts.extend(vocabulary.map(|(name, text)| ((language, name.to_string()), text)));
    }
    Ok(texts)
}

/// Says the texts and keeps them as clips.
fn make(
    voice: &Voice,
    texts: &BTreeMap<String, String>,
    path: impl Fn(&str) -> PathBuf,
) -> Result<(), BuildError> {
    let failed = |name: &str, why: String| BuildError::Clip {
        language: voice.language(),
        name: name.to_owned(),
        text: texts.get(name).cloned().unwrap_or_default(),
        why,
    };
    for (name, file) in voice.say(texts)? {
        let spoken = read_at_any_rate(&file[..]).map_err(|found| failed(&name, found.to_string()))?;
        let is_sentence = texts
            .get(&name)
            .is_some_and(|text| text.ends_with(['.', '!', '?']));
        let clip = master(&spoken.samples, spoken.sample_rate, is_sentence)
            .ok_or_else(|| failed(&name, "nothing is heard".to_owned()))?;
        if (clip.loudness - LOUDNESS).abs() > 0.5 {
            return Err(failed(&name, format!("cannot be brought to {LOUDNESS} LUFS")));
        }
        let mut bytes = Cursor::new(Vec::new());
        let path = path(&name);
        write(&mut bytes, &clip.recording).map_err(at(&path))?;
        fs::write(&path, bytes.into_inner()).map_err(at(&path))?;
    }
    Ok(())
}

fn at(path: &Path) -> impl Fn(std::io::Error) -> BuildError {
    move |source| BuildError::File {
        path: path.to_owned(),
        source,
    }
}
