//! Sound that is played and sound that is kept: the prompt library, and the [`Recorder`] of talks.
//!
//! The prompt library is pure: it takes the bytes of WAV files and returns samples. `shell/` has the rest, which needs a
//! disk and threads: the reader of a directory of clips, and the recorder.
//!
//! The binary carries a working centre: [`Library::builtin`] holds the prompts and the music that the scripts
//! under `build/` made. [`Library::with_directory`] lays a recorded voice over them, clip by clip.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod builtin;
mod library;
mod loudness;
mod master;
mod rate;
mod recording;
mod shell;
mod talk;
#[cfg(test)]
mod tests;
mod wav;

pub use library::{Content, Library, MOST_CLIPS, MOST_SECONDS_TOGETHER, MUSIC, Source, TELEPHONE};
pub use loudness::{loudness, sounding};
pub use master::{LOUDNESS, Mastered, SAMPLE_RATE, master};
pub use recording::Recording;
pub use shell::directory::LibraryError;
pub use shell::parallel::in_parallel;
pub use shell::recorder::{Inlet, Recorder};
pub use talk::{FinishedRecording, Talk};
pub use wav::{MOST_SECONDS, Unusable, read_at_any_rate, write};
