//! The programs that speak: Festival, and eSpeak NG where Festival or its voice is missing.
//!
//! They are run, not linked: both are GPL, and what they say is ours.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pronto_types::Language;

/// Festival's voice for a language, the Debian package it is in, and eSpeak's name of the language.
const fn names(language: Language) -> (&'static str, &'static str, &'static str) {
    match language {
        Language::Italian => ("lp_diphone", "festvox-italp16k", "it"),
        Language::English => ("cmu_us_slt_arctic_hts", "festvox-us-slt-hts", "en-us"),
    }
}

/// How a voice of diphones speaks without cracks.
const SOFTLY: &str = include_str!("softly.scm");
/// Words a minute of eSpeak.
const ESPEAK_RATE: &str = "150";

/// Why nothing was said.
#[derive(Debug, thiserror::Error)]
pub enum Mute {
    /// No program that speaks the language.
    #[error(
        "nothing here speaks `{language}`: install the Debian packages festival and {package} (or, for another voice, \
         espeak-ng)"
    )]
    Missing {
        /// The language that no program here can speak.
        language: Language,
        /// The voice's package.
        package: &'static str,
    },
    /// A program could not be run, or failed.
    #[error("{program}: {why}")]
    Failed {
        /// The name of the program.
        program: &'static str,
        /// The reason the program failed.
        why: String,
    },
}

/// Someone who speaks a language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Voice {
    language: Language,
    program: Program,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Program {
    Festival,
    Espeak,
}

impl Voice {
    /// Festival if it has a voice for the language, else eSpeak.
    pub(super) fn of(language: Language) -> Result<Self, Mute> {
        let (voice, package, _) = names(language);
        let heard = |command: &mut Command| {
            let output = command.stdin(Stdio::null()).output().ok()?;
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            output.status.success().then_some(text)
        };
        let voices = heard(Command::new("festival").args(["-b", "(print (voice.list))"]));
        let has = |voices: String| voices.split(['(', ')', ' ', '\n']).any(|name| name == voice);
        let program = if voices.is_some_and(has) {
            Program::Festival
        } else if heard(Command::new("espeak-ng").arg("--version")).is_some() {
            Program::Espeak
        } else {
            return Err(Mute::Missing { language, package });
        };
        Ok(Self { language, program })
    }

    pub(super) fn language(&self) -> Language {
        self.language
    }

    /// Describes the voice in words, with its program.
    pub(super) fn describe(&self) -> String {
        let (voice, package, espeak) = names(self.language);
        match self.program {
            Program::Festival => format!("festival, voice {voice} ({package})"),
            Program::Espeak => format!("espeak-ng, voice {espeak}, for want of festival and {package}"),
        }
    }

    /// Says each text: WAV files by the names of the texts.
    pub(super) fn say(&self, texts: &BTreeMap<String, String>) -> Result<BTreeMap<String, Vec<u8>>, Mute> {
        let scratch = Scratch::new().map_err(|error| self.failed(&error.to_string()))?;
        match self.program {
            Program::Festival => self.recite(texts, &scratch)?,
            Program::Espeak => {
                for (name, text) in texts {
                    let (_, _, voice) = names(self.language);
                    let mut espeak = Command::new("espeak-ng");
                    espeak
                        .args(["-v", voice, "-s", ESPEAK_RATE, "-w"])
                        .arg(scratch.file(name));
                    self.run(espeak.arg("--").arg(text))?;
                }
            }
        }
        let mut said = BTreeMap::new();
        for name in texts.keys() {
            let file = fs::read(scratch.file(name))
                .map_err(|error| self.failed(&format!("said nothing for `{name}`: {error}")))?;
            said.insert(name.clone(), file);
        }
        Ok(said)
    }

    /// A Festival for each text: it remembers what it said before, and the next clip would depend on it.
    fn recite(&self, texts: &BTreeMap<String, String>, scratch: &Scratch) -> Result<(), Mute> {
        let (voice, ..) = names(self.language);
        let manner = match self.language {
            Language::Italian => SOFTLY,
            Language::English => "",
        };
        let path = scratch.0.join("script.scm");
        for (name, text) in texts {
            let (text, file) = (quoted(text), quoted(&scratch.file(name).display().to_string()));
            let script = format!(
                "(voice_{voice})\n{manner}(utt.save.wave (utt.synth (Utterance Text {text})) {file} 'riff)\n"
            );
            // Festival reads bytes; the tables hold nothing that ISO 8859-1 has not.
            let bytes: Vec<u8> = script
                .chars()
                .map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?'))
                .collect();
            fs::write(&path, bytes).map_err(|error| self.failed(&error.to_string()))?;
            self.run(Command::new("festival").arg("-b").arg(&path))?;
        }
        Ok(())
    }

    fn run(&self, command: &mut Command) -> Result<(), Mute> {
        let output = command
            .stdin(Stdio::null())
            .output()
            .map_err(|error| self.failed(&error.to_string()))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(self.failed(&format!("{}: {}", output.status, said.trim())))
    }

    fn failed(&self, why: &str) -> Mute {
        Mute::Failed {
            program: match self.program {
                Program::Festival => "festival",
                Program::Espeak => "espeak-ng",
            },
            why: why.to_owned(),
        }
    }
}

/// As a string of Scheme.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A folder that is gone when this is.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("pronto-prompts-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    fn file(&self, name: &str) -> PathBuf {
        Path::new(&self.0).join(format!("{name}.wav"))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is the temporary folder's to keep.
        let _ = fs::remove_dir_all(&self.0);
    }
}
