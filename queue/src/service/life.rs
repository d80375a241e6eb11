//! The life of the service: one owner after another.
//!
//! ```text
//!   owner ── its ledger cannot be written for now ──► let go ── each second: open ──► the next owner
//!     │                                                  ▲                               │  │
//!     │                                                  └── proved late: open again ────┘  │
//!     │   ◄── its first commit succeeded: serving ───────────────────────────────────────────┘
//!     └── asked to stop, or its ledger has failed for good ──► the end
//! ```
//! An owner that is let go is as one whose process was killed: nobody was told anything that was not durable, gateways
//! keep their callers and talks, and the next owner begins with what the disk holds.
//!
//! A ledger that can be opened may still not take a commit (a quota, another program's lock). The next owner therefore
//! serves nobody before its first commit has succeeded, and the store tries that commit each second.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use pronto_engine::Configuration;
use pronto_store::{Health, StoreError, StoreFile};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep};

use super::handle::EngineRequest;
use super::owner::{Disk, Owner, ready};
use super::readiness::{Readiness, Ready};
use super::{Opened, StartError, StopError};

/// Between two attempts to open a ledger that could not be written.
const AGAIN: Duration = Duration::from_secs(1);
/// For how long another process may have the ledger open while the service waits: `pronto gateway reset` folds all of it.
const LOCKED: Duration = Duration::from_secs(120);

/// Opens the ledger and folds it. Blocks.
pub(super) type Open = Arc<dyn Fn() -> Result<(Opened, watch::Receiver<Disk>), StartError> + Send + Sync>;

/// State held by the service's task.
pub(super) struct Life {
    pub(super) configuration: Configuration,
    /// How to open the ledger once more; `None` in memory.
    pub(super) open: Option<Open>,
    pub(super) asks: mpsc::Receiver<EngineRequest>,
    pub(super) stop: oneshot::Receiver<()>,
    pub(super) readiness: Readiness,
}

/// The ledger that the next owner has to find. Nobody guards the ledger's files while it is let go.
#[derive(Clone)]
struct Left {
    file: Option<StoreFile>,
    /// The newest durable fact.
    last: u64,
}

/// An owner, and what it hears of its ledger.
type Begun = (Owner, watch::Receiver<Disk>);

/// The outcome of an owner's first commit.
enum First {
    Succeeded(Box<Begun>),
    /// The store could be written only after a while: the owner's first facts are out of date.
    Late,
    /// The service was asked to stop.
    Stopped,
}

impl Life {
    /// Until asked to stop, or until a ledger fails for good.
    pub(super) async fn run(
        mut self,
        mut owner: Owner,
        mut disk: watch::Receiver<Disk>,
    ) -> Result<(), StopError> {
        loop {
            let (file, began) = (owner.file(), owner.durable());
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
            let last = began.max(disk.borrow().durable);
            let Some(next) = self.wait_for_room(&open, Left { file, last }).await? else {
                return Ok(());
            };
            (owner, disk) = next;
            tracing::info!("the queue service goes on with what its ledger holds");
            let health = disk.borrow().health;
            self.readiness.set(ready(health)).await;
        }
    }

    /// The next owner, whose first commit has succeeded; `None` if asked to stop meanwhile.
    async fn wait_for_room(&mut self, open: &Open, left: Left) -> Result<Option<Begun>, StopError> {
        let mut locked: Option<Instant> = None;
        loop {
            if self.meanwhile(sleep(AGAIN)).await.is_none() {
                return Ok(None);
            }
            let Some(opened) = self.meanwhile(open_again(open, &left)).await else {
                return Ok(None);
            };
            let error = match opened? {
                Ok((opened, heard)) => {
                    locked = None;
                    let owner = super::begin_owner(opened, &self.configuration)?;
                    match self.first_commit(owner, heard).await? {
                        First::Succeeded(begun) => return Ok(Some(*begun)),
                        First::Late => continue,
                        First::Stopped => return Ok(None),
                    }
                }
                Err(error) => error,
            };
            let passes = match &error {
                StartError::Store(StoreError::Locked(_)) => {
                    locked.get_or_insert_with(Instant::now).elapsed() < LOCKED
                }
                error => may_pass(error),
            };
            if !passes {
                return Err(StopError::Store(for_good(&error)));
            }
            tracing::debug!(%error, "not yet");
        }
    }

    /// Waits for the first commit of an owner, which the store tries each second.
    async fn first_commit(
        &mut self,
        owner: Owner,
        mut heard: watch::Receiver<Disk>,
    ) -> Result<First, StopError> {
        let began = owner.durable();
        let mut stalled = false;
        loop {
            let disk = heard.borrow_and_update().clone();
            if let Some(error) = disk.failed {
                return Err(StopError::Store(error));
            }
            if disk.durable > began {
                break;
            }
            stalled |= disk.health == Health::Stalled;
            match self.meanwhile(heard.changed()).await {
                Some(Ok(())) => {}
                Some(Err(_)) => return Err(StopError::Store("its writer has gone".to_owned())),
                None => {
                    // What it could not write was told to nobody.
                    let _ = owner.close().await;
                    return Ok(First::Stopped);
                }
            }
        }
        if !stalled {
            return Ok(First::Succeeded(Box::new((owner, heard))));
        }
        // Meanwhile the deadlines of its first facts have passed, for which gateways have to be back.
        // The disk may be full once more for what came behind it, of which nobody was told.
        match owner.close().await {
            Err(StopError::Crashed) => Err(StopError::Crashed),
            Ok(()) | Err(_) => Ok(First::Late),
        }
    }

    /// Waits, and tells everybody who asks meanwhile that the service is unavailable. `None` if asked to stop.
    async fn meanwhile<T>(&mut self, wait: impl Future<Output = T>) -> Option<T> {
        let mut wait = std::pin::pin!(wait);
        loop {
            tokio::select! {
                _ = &mut self.stop => return None,
                ask = self.asks.recv() => drop(ask?),
                done = &mut wait => return Some(done),
            }
        }
    }
}

/// Opens the ledger that was left, and no other.
async fn open_again(
    open: &Open,
    left: &Left,
) -> Result<Result<(Opened, watch::Receiver<Disk>), StartError>, StopError> {
    let (open, left) = (Arc::clone(open), left.clone());
    let opened = tokio::task::spawn_blocking(move || {
        // Opening would make a new ledger where none is found.
        left.file.as_ref().map_or(Ok(()), StoreFile::check)?;
        let (opened, heard) = open()?;
        left.check(&opened)?;
        Ok((opened, heard))
    });
    opened.await.map_err(|_| StopError::Crashed)
}

impl Left {
    /// Whether this is the ledger that was let go, with all its facts.
    fn check(&self, opened: &Opened) -> Result<(), StoreError> {
        // Replaced between the look at the path and the opening.
        if self.file.is_some() && opened.store.file() != self.file {
            self.file.as_ref().map_or(Ok(()), StoreFile::check)?;
        }
        let last = opened.engine.last_seq();
        if last < self.last {
            return Err(StoreError::Missing(last + 1));
        }
        Ok(())
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

/// Why the service ends, and what to do.
fn for_good(error: &StartError) -> String {
    let remedy = match error {
        StartError::Store(StoreError::Replaced(_) | StoreError::Missing(_)) => {
            ". This is not the ledger that the queue service had: put its files back, or start the queue service again to \
             begin with what is there"
        }
        _ => "",
    };
    format!("{error}{remedy}")
}
