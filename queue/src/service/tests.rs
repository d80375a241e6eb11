//! The service as its clients see it, over in-memory pipes.
//!
//! Virtual time where the store is in memory; with the store on a disk, its thread works in real time.

mod access;
mod attach;
mod callers;
mod calls;
mod clock;
mod crashes;
mod full;
mod operators;
mod outages;
mod support;

pub(super) use support::TestDirectory;
