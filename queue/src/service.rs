//! The queue as a gRPC service: one task owns the engine, the ledger stands behind it, and nothing leaves before it
//! is durable.

mod caller_secret;
mod callers;
mod diary;
mod gateways;
mod handle;
mod life;
mod links;
mod log;
mod meters;
mod names;
mod operators;
mod owner;
mod queues;
mod readiness;
mod requests;
mod reset;
mod status;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use pronto_engine::{Configuration, ConfigurationError, Engine, Input};
use pronto_proto::v1::callers_server::CallersServer;
use pronto_proto::v1::gateways_server::GatewaysServer;
use pronto_proto::v1::operators_server::OperatorsServer;
use pronto_proto::v1::queues_server::QueuesServer;
use pronto_store::{Durability, Durable, MemoryDisk, MemoryStore, Pace, SqliteStore, Store, StoreError};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tonic::service::Routes;

use caller_secret::CallerSecret;
use callers::CallersService;
pub use gateways::Access;
use gateways::GatewaysService;
use handle::EngineHandle;
use life::{Life, Open};
pub use log::{LedgerReader, ReadError};
use operators::OperatorsService;
pub use operators::OwnRow;
use owner::{Disk, Owner};
use queues::QueuesService;
use readiness::{Readiness, Ready};
pub use reset::{ResetError, reset_gateway};

/// The ledger, in the store's directory.
const FILE: &str = "ledger.sqlite";
/// Facts that a directive or the answer to a request waits for are urgent. Those that are only acknowledged may gather: a view
/// that shows one of them waits for it.
const PACE: Pace = Pace {
    urgent: Duration::from_millis(1),
    usual: Duration::from_millis(10),
};
/// Bytes of a message: the largest we understand has a few hundred.
const MESSAGE: usize = 16 * 1024;

/// Settings of the queue service.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Queues and operators.
    pub configuration: Configuration,
    /// The directory of the ledger and of the secret for caller keys; made if it is not there.
    pub store: PathBuf,
}

/// Why the queue service does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration makes no sense.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// The ledger cannot be opened.
    #[error("the ledger cannot be opened: {0}")]
    Store(#[from] StoreError),
    /// The ledger cannot be read.
    #[error("the ledger cannot be read: {0}")]
    Ledger(#[from] ReadError),
    /// The secret for caller keys cannot be read or made.
    #[error("the secret for caller keys cannot be read or made: {0}")]
    Secret(io::Error),
    /// It stopped before it had begun.
    #[error(transparent)]
    Stopped(#[from] StopError),
}

/// Why the queue service stopped by itself. The process ends: what it knows and what the disk holds may differ, and a
/// new one begins with what the disk holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StopError {
    /// A commit failed.
    #[error("the ledger cannot be written: {0}")]
    Store(String),
    /// Commits fail for now. Never the end: another owner begins when they succeed.
    #[error("the ledger cannot be written for now: {0}")]
    Stalled(String),
    /// The engine refused the configuration.
    #[error(transparent)]
    Configuration(ConfigurationError),
    /// A fault of ours.
    #[error("the queue service crashed")]
    Crashed,
}

/// A running queue service. Dropped, it stops in the background as by [`QueueService::shutdown`].
pub struct QueueService {
    /// All but `Gateways`.
    routes: Routes,
    readiness: Readiness,
    handle: EngineHandle,
    stop: oneshot::Sender<()>,
    /// How the owner ended.
    ended: watch::Receiver<Option<Result<(), StopError>>>,
    owner: JoinHandle<()>,
}

impl std::fmt::Debug for QueueService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("QueueService")
    }
}

/// Parts opened before the service runs.
struct Opened {
    store: Arc<dyn Store>,
    secret: CallerSecret,
    engine: Engine,
}

impl QueueService {
    /// Opens the ledger, folds it, and begins. The service is reached through [`QueueService::routes`].
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(settings: Settings) -> Result<QueueService, StartError> {
        let Settings { configuration, store } = settings;
        let open: Open = Arc::new(move || {
            let (disk, heard) = watch::channel(Disk::default());
            let (log, _) = SqliteStore::open_paced(&store.join(FILE), PACE, said(disk))?;
            // Under the lock of the ledger: two processes do not make two secrets.
            let secret = secret(&store)?;
            Ok((opened(Arc::new(log), secret)?, heard))
        });
        let first = Arc::clone(&open);
        let (opened, heard) = tokio::task::spawn_blocking(move || first())
            .await
            .map_err(|_| StopError::Crashed)??;
        Self::begin(configuration, opened, heard, Some(open)).await
    }

    /// The same on a [`MemoryDisk`], for tests; also returns the store, to say when things are durable.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start_in_memory(
        configuration: Configuration,
        memory: &MemoryDisk,
        durability: Durability,
    ) -> Result<(QueueService, Arc<MemoryStore>), StartError> {
        let (disk, heard) = watch::channel(Disk::default());
        let (store, _) = MemoryStore::open(memory, durability, said(disk))?;
        let store = Arc::new(store);
        let secret = CallerSecret::random().map_err(StartError::Secret)?;
        let opened = opened(Arc::clone(&store) as Arc<dyn Store>, secret)?;
        Ok((Self::begin(configuration, opened, heard, None).await?, store))
    }

    async fn begin(
        configuration: Configuration,
        opened: Opened,
        heard: watch::Receiver<Disk>,
        open: Option<Open>,
    ) -> Result<QueueService, StartError> {
        configuration.validate()?;
        let owner = begin_owner(opened, &configuration)?;
        let (handle, asks) = EngineHandle::new();
        let (readiness, routes) = routes(&handle).await;
        let (stop, stopping) = oneshot::channel();
        let (end, ended) = watch::channel(None);
        let life = Life {
            configuration,
            open,
            asks,
            stop: stopping,
            readiness: readiness.clone(),
        };
        let owner = tokio::spawn(async move {
            let result = life.run(owner, heard).await;
            if let Err(error) = &result {
                tracing::error!(%error, "the queue service stops");
            }
            let _ = end.send(Some(result));
        });
        Ok(QueueService {
            routes,
            readiness,
            handle,
            stop,
            ended,
            owner,
        })
    }

    /// `Gateways`, `Operators`, `Queues`, `Callers`, health and reflection, for as many servers as there are.
    pub fn routes(&self, access: Access) -> Routes {
        let gateways = GatewaysServer::new(GatewaysService::new(self.handle.clone(), access));
        self.routes
            .clone()
            .add_service(gateways.max_decoding_message_size(MESSAGE))
    }

    /// The gateway in this process takes no calls yet.
    pub async fn await_gateway(&self) {
        self.readiness.set_gateway(false).await;
    }

    /// Lets the health of the whole follow the gateway in this process: it is not serving while that takes no new calls.
    /// `is_open` reads that off what the gateway says.
    pub fn follow_gateway<T>(
        &self,
        mut gateway: watch::Receiver<T>,
        is_open: impl Fn(&T) -> bool + Send + 'static,
    ) where
        T: Send + Sync + 'static,
    {
        let readiness = self.readiness.clone();
        tokio::spawn(async move {
            loop {
                let open = is_open(&gateway.borrow_and_update());
                readiness.set_gateway(open).await;
                if gateway.changed().await.is_err() {
                    return readiness.set_gateway(false).await;
                }
            }
        });
    }

    /// Why nobody new is served, now and later; `None` while everybody is.
    pub fn closed(&self) -> watch::Receiver<Option<&'static str>> {
        self.readiness.closed()
    }

    /// Waits until the service has stopped by itself: its store failed. May be awaited again.
    pub async fn stopped(&self) -> StopError {
        let mut ended = self.ended.clone();
        match ended.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(Err(error))) => error.clone(),
            // Only `shutdown` ends it well, and that takes the service away from whoever waits here.
            Ok(_) | Err(_) => StopError::Crashed,
        }
    }

    /// Takes nothing more, ends the links, makes everything durable and closes the ledger.
    ///
    /// # Errors
    /// [`StopError`] if it has stopped by itself, or cannot close.
    pub async fn shutdown(self) -> Result<(), StopError> {
        let QueueService {
            stop,
            mut ended,
            owner,
            ..
        } = self;
        let _ = stop.send(());
        let result = match ended.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(result)) => result.clone(),
            Ok(None) | Err(_) => Err(StopError::Crashed),
        };
        let _ = owner.await;
        result
    }

    /// Ends at once, as a killed process does.
    #[cfg(test)]
    async fn kill(self) {
        self.owner.abort();
        let _ = self.owner.await;
        drop(self.stop);
    }
}

/// An owner that has begun, with this configuration, where the ledger stops.
fn begin_owner(opened: Opened, configuration: &Configuration) -> Result<Owner, StopError> {
    let Opened {
        store,
        secret,
        engine,
    } = opened;
    tracing::info!(facts = engine.last_seq(), "ledger folded");
    let mut owner = Owner::new(engine, store, secret);
    owner.look_at_the_clock()?;
    owner.take(Input::Started)?;
    owner.take(Input::Configure(configuration.clone()))?;
    Ok(owner)
}

/// Passes the store's reports to the owner. Only the last report counts, so nothing ever waits here.
fn said(disk: watch::Sender<Disk>) -> impl Fn(Durable) + Send + Sync + 'static {
    move |durable| match durable {
        Durable::UpTo(seq) => {
            metrics::counter!("pronto_ledger_commits_total").increment(1);
            disk.send_modify(|disk| disk.durable = seq);
        }
        Durable::Health(health) => disk.send_modify(|disk| disk.health = health),
        Durable::Failed(error) => disk.send_modify(|disk| disk.failed = Some(error.to_string())),
    }
}

fn secret(directory: &Path) -> Result<CallerSecret, StartError> {
    CallerSecret::load_or_make(directory).map_err(StartError::Secret)
}

fn opened(store: Arc<dyn Store>, secret: CallerSecret) -> Result<Opened, StartError> {
    let mut problem = None;
    let facts = log::facts(&*store).map_while(|fact| fact.map_err(|error| problem = Some(error)).ok());
    let engine = Engine::fold(facts);
    match problem {
        Some(problem) => Err(problem.into()),
        None => Ok(Opened {
            store,
            secret,
            engine,
        }),
    }
}

async fn routes(handle: &EngineHandle) -> (Readiness, Routes) {
    let (health, health_server) = tonic_health::server::health_reporter();
    let operators = OperatorsServer::new(OperatorsService(handle.clone())).max_decoding_message_size(MESSAGE);
    let queues = QueuesServer::new(QueuesService(handle.clone())).max_decoding_message_size(MESSAGE);
    let readiness = Readiness::new(health);
    readiness.set(Ready::Always).await;
    let callers = CallersServer::new(CallersService(handle.clone())).max_decoding_message_size(MESSAGE);
    let mut routes = Routes::new(operators)
        .add_service(queues)
        .add_service(callers)
        .add_service(health_server.max_decoding_message_size(MESSAGE));
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(pronto_proto::DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1();
    match reflection {
        Ok(reflection) => routes = routes.add_service(reflection.max_decoding_message_size(MESSAGE)),
        Err(error) => tracing::warn!(%error, "no reflection: the contract's description cannot be read"),
    }
    (readiness, routes)
}

#[cfg(test)]
mod tests;
