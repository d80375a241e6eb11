//! A connection as its own task has it: served by `tcp`, and by `ws` where it speaks WebSocket.

use bytes::Bytes;
use pronto_sip::Flow;
use tokio::sync::mpsc;

use super::ShellEvent;

/// A connection as its own task has it.
pub(super) struct Task {
    pub(super) flow: Flow,
    /// Tells this connection from another on the same flow.
    pub(super) connection: u64,
    /// Messages to be written.
    pub(super) queue: mpsc::Receiver<Bytes>,
    pub(super) happened: mpsc::Sender<ShellEvent>,
}
