//! The state of the link in the control plane: attached or not, and where entries go.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::Stopped;
use super::link::Position;
use crate::journal::Entry;

/// The link's state in the control plane.
pub(super) struct Linking {
    pub(super) name: pronto_types::GatewayName,
    pub(super) position: Arc<Position>,
    /// Whether the queue service is there.
    pub(super) attached: watch::Sender<bool>,
    /// The process has to stop.
    pub(super) stop: Option<Stopped>,
    /// Where entries go, while attached.
    pub(super) entries: Option<mpsc::Sender<Entry>>,
    pub(super) was_attached: bool,
    /// Since when another process has our name.
    pub(super) taken: Option<Instant>,
    /// A new epoch is being written.
    pub(super) renewing: bool,
}

impl Linking {
    pub(super) fn new(name: pronto_types::GatewayName, position: Arc<Position>) -> Self {
        Linking {
            name,
            position,
            attached: watch::Sender::new(false),
            stop: None,
            entries: None,
            was_attached: false,
            taken: None,
            renewing: false,
        }
    }

    pub(super) fn send(&mut self, entry: Entry) {
        if let Some(entries) = &self.entries
            && entries.try_send(entry).is_err()
        {
            // The window is smaller than the channel: full means the link is ending. Dropping our side ends it now,
            // and the journal sends again after the next welcome.
            self.entries = None;
        }
    }
}
