//! The shell: reads a directory of clips on several threads, and keeps talks on the disk.
//!
//! Everything else in this crate is pure. A module that needs a disk, a thread or a channel belongs here.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a shell: it owns the disk and the threads"
)]

pub(crate) mod directory;
pub(crate) mod parallel;
pub(crate) mod recorder;
