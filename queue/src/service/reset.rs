//! Makes a gateway begin again: for one whose epoch was spoilt, so that the queue refuses it for ever.
//!
//! The ledger is opened as the service opens it: while the service runs, that is refused.

use std::path::Path;
use std::sync::Arc;

use pronto_clock::Clock;
use pronto_engine::{Engine, Input, Output};
use pronto_store::{Batch, SqliteStore, Store, StoreError};
use pronto_types::GatewayName;

use super::FILE;
use super::log::{self, ReadError};

/// Why a gateway was not reset.
#[derive(Debug, thiserror::Error)]
pub enum ResetError {
    /// The ledger cannot be opened or written. While the queue service runs, it is locked.
    #[error("the ledger cannot be written: {0}")]
    Store(#[from] StoreError),
    /// The ledger cannot be read.
    #[error("the ledger cannot be read: {0}")]
    Ledger(#[from] ReadError),
    /// The ledger does not take the facts.
    #[error("the ledger cannot be written: {0}")]
    Append(#[from] pronto_store::AppendError),
    /// Nothing is known of such a gateway.
    #[error("the ledger knows no gateway `{gateway}`; it knows {known}")]
    Unknown {
        /// The one that was named.
        gateway: GatewayName,
        /// Those that were attached once.
        known: String,
    },
}

/// Ends what the gateway held as lost, durably, and forgets its epoch: the highest known is then 0. Returns the epoch that was
/// known.
///
/// # Errors
/// [`ResetError`]: nothing has changed.
pub fn reset_gateway(directory: &Path, gateway: &GatewayName) -> Result<u64, ResetError> {
    let path = directory.join(FILE);
    if !path.exists() {
        return Err(StoreError::Absent(path).into());
    }
    let (store, _) = SqliteStore::open(&path, |_| {})?;
    let store: Arc<dyn Store> = Arc::new(store);
    let mut problem = None;
    let facts = log::facts(&*store).map_while(|fact| fact.map_err(|error| problem = Some(error)).ok());
    let mut engine = Engine::fold(facts);
    if let Some(problem) = problem {
        return Err(problem.into());
    }
    let Some(epoch) = engine.epoch_of(gateway) else {
        let known: Vec<String> = engine.gateways().map(|name| format!("`{name}`")).collect();
        let known = if known.is_empty() {
            "none".to_owned()
        } else {
            known.join(", ")
        };
        let gateway = gateway.clone();
        return Err(ResetError::Unknown { gateway, known });
    };
    let now = Clock::start(engine.last_at(), engine.state().wall().offset()).now();
    // A process took over, as at each start: no gateway is there, and nobody is offered anything.
    engine.handle_input(now, Input::Started);
    let gateway = gateway.clone();
    engine.handle_input(now, Input::ResetGateway { gateway });
    let mut batch = Batch::default();
    while let Some(output) = engine.poll_output() {
        if let Output::Fact(recorded) = output {
            batch.records.push(log::record(&recorded));
        }
    }
    store.append(batch)?;
    store.close()?;
    Ok(epoch)
}
