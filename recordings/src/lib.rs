//! Sound that is played and sound that is kept: the prompt library, and the [`Recorder`] of talks.
//!
//! The binary carries a working centre: [`Library::builtin`] holds the prompts and the music that the scripts
//! under `build/` made. [`Library::with_directory`] lays a recorded voice over them, clip by clip.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod builtin;
mod directory;
mod library;
mod loudness;
mod master;
mod parallel;
mod rate;
mod recorder;
#[cfg(test)]
mod tests;
mod wav;

pub use library::{
    Content, Library, LibraryError, MOST_CLIPS, MOST_SECONDS_TOGETHER, MUSIC, Recording, Source, TELEPHONE,
};
pub use loudness::{loudness, sounding};
pub use master::{LOUDNESS, Mastered, SAMPLE_RATE, master};
pub use parallel::in_parallel;
pub use recorder::{FinishedRecording, Inlet, Recorder, Talk};
pub use wav::{MOST_SECONDS, Unusable, read_at_any_rate, write};
