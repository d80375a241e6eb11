//! How long a connection may keep us waiting, over TCP, TLS and WebSocket alike.

use std::time::Duration;

/// A connection that says nothing complete for this long before its first message is closed.
pub(super) const FIRST_MESSAGE: Duration = Duration::from_secs(30);
/// A peer that does not take our bytes for this long is gone.
pub(super) const WRITE: Duration = Duration::from_secs(30);
/// After the last message: the answers to it are still written.
pub(super) const LINGER: Duration = Duration::from_secs(2);
/// After what is no SIP message: how long the messages before it are still answered.
pub(super) const ANSWERING: Duration = Duration::from_secs(1);
