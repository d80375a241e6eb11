//! The dialogue with the caller: flows, prompts to say, digits pressed.
//!
//! A [`Script`] is what the centre's owner wrote, checked; a [`Session`] is one caller walking through it. Both
//! are pure: no clock, no socket, no queue. What a flow wants from the rest of the house it *wishes*
//! ([`Wish`]), and the outcome of a wish comes back as an input. The vocabulary is that of VoiceXML 2.0.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod script;
mod session;
pub mod speak;

pub use script::Script;
pub use session::{DigitCount, Input, LookId, Outcome, Output, PlayId, Session, WayOut, Wish, WishId};

/// The flow of the built-in centre: a menu in front of the queues `support` and `sales`.
pub const BUILTIN_FLOW: &str = include_str!("../flows/builtin.toml");

/// The prompts a session says of its own accord, whatever the flow names: the library must have them.
pub const LAST_WORDS: [&str; 2] = [session::ALL_BUSY, session::GOODBYE];
