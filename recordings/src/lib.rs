//! What is played and what is kept: the prompt library, and the [`Recorder`] of talks.
//!
//! The binary carries a working centre: [`Library::builtin`] holds the prompts and the music that the scripts
//! under `build/` made. [`Library::with_directory`] lays a recorded voice over them, clip by clip.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod builtin;
mod directory;
mod library;
mod loudness;
mod master;
mod recorder;
#[cfg(test)]
mod tests;
mod wav;

pub use library::{Library, LibraryError, MOST_CLIPS, MUSIC, Recording};
pub use loudness::{loudness, sounding};
pub use master::{LOUDNESS, Mastered, SAMPLE_RATE, master};
pub use recorder::{Inlet, Kept, Recorder, Talk};
pub use wav::{MOST_SECONDS, read_at_any_rate, write};
