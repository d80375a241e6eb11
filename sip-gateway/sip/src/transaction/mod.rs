//! The four transaction machines of RFC 3261 §17, as RFC 6026 corrected them. Each is a state with its deadlines in it
//! and says what is to be done; [`table`] keeps them, their messages and their timers.

pub(crate) mod client;
pub(crate) mod client_invite;
pub(crate) mod server;
pub(crate) mod server_invite;
pub(crate) mod table;
#[cfg(test)]
mod tests;

use std::time::Duration;

/// "T1 is an estimate of the round-trip time" (§17.1.1.1).
pub(crate) const T1: Duration = Duration::from_millis(500);
/// "The maximum retransmit interval for non-INVITE requests and INVITE responses" (§17.1.2.2).
pub(crate) const T2: Duration = Duration::from_secs(4);
/// "The amount of time the network will take to clear messages" (§17.1.2.2).
pub(crate) const T4: Duration = Duration::from_secs(5);
/// Timers B, F, H, J, L and M.
pub(crate) const T1X64: Duration = Duration::from_secs(32);
/// Timer D: "a value of at least 32 seconds for unreliable transports" (§17.1.1.2).
pub(crate) const TIMER_D: Duration = Duration::from_secs(32);
/// Timer C: "MUST be larger than 3 minutes" (§16.6), and longer than three repeated 180s.
pub(crate) const TIMER_C: Duration = Duration::from_secs(200);
