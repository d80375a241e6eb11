//! The life of the service: one owner after another.
//!
//! ```text
//!   owner ── its ledger cannot be written for now ──► let go ── each second: open ──► the next owner
//!     └── asked to stop, or its ledger has failed for good ──► the end
//! ```
//! An owner that is let go is as one whose process was killed: nobody was told anything that was not durable, gateways
//! keep their callers and talks, and the next owner begins with what the disk holds.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use pronto_engine::Configuration;
use pronto_store::StoreError;
use tokio::sync::{mpsc, oneshot, watch};

use super::desk::Ask;
use super::owner::{Disk, Owner};
use super::readiness::{Readiness, Ready};
use super::{Opened, StartError, StopError};

/// Between two attempts to open a ledger that could not be written.
const AGAIN: Duration = Duration::from_secs(1);

/// Opens the ledger and folds it. Blocks.
pub(super) type Open = Arc<dyn Fn() -> Result<(Opened, watch::Receiver<Disk>), StartError> + Send + Sync>;

/// What the service's task holds.
pub(super) struct Life {
    pub(super) configuration: Configuration,
    /// How to open the ledger once more; `None` in memory.
    pub(super) open: Option<Open>,
    pub(super) asks: mpsc::Receiver<Ask>,
    pub(super) stop: oneshot::Receiver<()>,
    pub(super) readiness: Readiness,
}

impl Life {
    /// Until asked to stop, or until a ledger fails for good.
    pub(super) async fn run(
        mut self,
        mut owner: Owner,
        mut disk: watch::Receiver<Disk>,
    ) -> Result<(), StopError> {
        loop {
            let run = owner.run(&mut self.asks, &mut disk, &mut self.stop, &self.readiness);
            let ended = AssertUnwindSafe(run).catch_unwind().await;
            let why = match ended.unwrap_or(Err(StopError::Crashed)) {
                Err(StopError::Stalled(why)) => why,
                ended => {
                    self.readiness.set(Ready::Never).await;
                    return ended;
                }
            };
            self.readiness.set(Ready::Never).await;
            let Some(open) = self.open.clone() else {
                return Err(StopError::Store(why));
            };
            tracing::error!(%why, "the queue service waits until its ledger can be written; talks and music go on at the gateways");
            let Some((next, heard)) = self.wait_for_room(&open).await? else {
                return Ok(());
            };
            (owner, disk) = (next, heard);
            tracing::info!("the queue service goes on with what its ledger holds");
            self.readiness.set(Ready::Always).await;
        }
    }

    /// The next owner; `None` if asked to stop meanwhile.
    async fn wait_for_room(
        &mut self,
        open: &Open,
    ) -> Result<Option<(Owner, watch::Receiver<Disk>)>, StopError> {
        let mut again = tokio::time::interval(AGAIN);
        loop {
            tokio::select! {
                _ = &mut self.stop => return Ok(None),
                // Whoever asks is told that the service is unavailable.
                ask = self.asks.recv() => if ask.is_none() { return Ok(None) },
                _ = again.tick() => {
                    let open = Arc::clone(open);
                    let opened = tokio::task::spawn_blocking(move || open()).await;
                    match opened.map_err(|_| StopError::Crashed)? {
                        Ok((opened, heard)) => {
                            let owner = super::begin_owner(opened, &self.configuration)?;
                            return Ok(Some((owner, heard)));
                        }
                        Err(error) if may_pass(&error) => tracing::debug!(%error, "not yet"),
                        Err(error) => return Err(StopError::Store(error.to_string())),
                    }
                }
            }
        }
    }
}

/// Whether the ledger may be opened later.
fn may_pass(error: &StartError) -> bool {
    use StoreError as E;
    matches!(
        error,
        StartError::Store(E::NoRoom { .. } | E::Io { .. } | E::Database { .. }) | StartError::Secret(_)
    )
}
