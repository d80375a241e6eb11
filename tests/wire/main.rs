//! The wire: the product's binary and real peers, over real sockets of the loopback.
//!
//! SIPp judges the signalling, baresip is the phone people use, a phone and an RTP endpoint of our own do what neither
//! can (digits, fingerprints, timings). Needs Debian's `sip-tester`, `baresip`, `openssl`, `strace`,
//! `iproute2`, `nodejs`, `npm`, `python3-grpcio` and `python3-grpc-tools`; `tests/run` installs them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking; helpers of tests are tests"
)]

mod announcements;
mod calls;
mod clients;
mod clock;
mod connections;
mod contacts;
mod cut;
mod demo;
mod disk;
mod epochs;
mod forecasts;
mod holding;
#[path = "../../examples/integrator.rs"]
#[allow(dead_code, reason = "an example has a main function")]
mod integrator;
mod integrators;
mod kit;
mod kit_itself;
mod lost_phones;
mod matrix;
mod media;
mod offers;
mod operations;
mod prompts;
mod recording;
mod recovery;
mod registrar;
mod rough;
mod signalling;
mod signals;
mod stop;
mod stored;
mod tracing;
mod transport;
mod two_processes;
