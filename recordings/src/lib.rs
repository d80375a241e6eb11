//! What is played and what is kept: the prompt library.
//!
//! The binary carries a working centre: [`Library::builtin`] holds the prompts and the music that the scripts
//! under `build/` made. [`Library::with_directory`] lays a recorded voice over them, clip by clip.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod builtin;
mod directory;
mod library;
#[cfg(test)]
mod tests;
mod wav;

pub use library::{Library, LibraryError, MOST_CLIPS, MUSIC, Recording};
pub use wav::MOST_SECONDS;
