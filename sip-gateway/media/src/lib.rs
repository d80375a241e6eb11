//! RTP media: sessions (pure), and the threads that own their sockets.
//!
//! ```text
//!  control plane ── Command ──▶ Media ──▶ thread ──▶ Shard ─┬─ Session  leg of a call
//!        ▲                                  │ epoll, 2 ms   ├─ Session
//!        └───────────── Event ──────────────┘ slots         └─ bridges between them
//! ```
//!
//! Everything that decides is pure and told the time: [`Shard`] holds the legs of one thread and their bridges,
//! [`Session`] is one leg (what it plays, what it hears, where it sends), and under it one module per standard:
//! [`rtp`] and [`rtcp`] (RFC 3550), [`telephone_event`] (RFC 4733), [`g711`], [`learn`] (symmetric RTP); [`recording`]
//! lays what both legs of a bridge say on one timeline.
//! [`worker`] is the only place with sockets, threads and a clock; RTP never passes through the control plane.
//!
//! Deliberately not here: SDP (the control plane says what was agreed), jitter buffers (a relayed stream keeps its
//! source's timing and its listener has one), other codecs than G.711, SRTP, files.

mod clip;
mod command;
mod dtmf;
pub mod g711;
mod inband;
pub mod learn;
mod presses;
pub mod recording;
pub mod rtcp;
pub mod rtp;
pub mod session;
pub mod shard;
pub mod telephone_event;
pub mod worker;

pub use clip::Clip;
pub use command::{Command, Event, Learn, LegId, OpenError, PlayId, Proof, RecordingId, Stats};
pub use g711::Codec;
pub use presses::{Presses, Way};
pub use recording::Recorded;
pub use session::Session;
pub use shard::Shard;
pub use worker::{CommandError, Counters, Media, MediaSettings};

/// Samples per second of every codec here.
pub const SAMPLE_RATE: u32 = 8_000;
/// The time of one sample, in µs.
const MICROS_PER_SAMPLE: i64 = 125;
/// Samples, and octets of G.711, in one 20 ms packet.
pub const FRAME: usize = 160;
