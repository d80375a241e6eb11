//! The kit the wire tests are written with: the product as a process, real peers as processes, a phone and an RTP
//! endpoint of our own (which share no code with the product), and ears that recognise what was heard.
//!
//! Everything here waits for an event with a deadline. Nothing sleeps.

pub(crate) mod baresip;
pub(crate) mod browser;
pub(crate) mod centre;
pub(crate) mod digest;
#[allow(dead_code, reason = "the load bench fills no disk")]
pub(crate) mod disk;
pub(crate) mod ears;
pub(crate) mod g711;
pub(crate) mod ground;
pub(crate) mod line;
pub(crate) mod message;
pub(crate) mod namespace;
pub(crate) mod network;
pub(crate) mod phone;
pub(crate) mod process;
pub(crate) mod relay;
pub(crate) mod rtp;
pub(crate) mod script;
pub(crate) mod sipp;
pub(crate) mod tls;
pub(crate) mod wav;
