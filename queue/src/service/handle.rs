//! The owner's handle: where the services put what they want of the engine, and wait.

use pronto_engine::Engine;
use pronto_proto::link as wire;
use pronto_types::{GatewayName, QueueName, Time};
use tokio::sync::{mpsc, oneshot};
use tonic::Status;

use super::links::{Candidate, LinkId};
use super::requests::{Reply, Wish};
use super::status;

/// Asks that wait for the owner.
const ASKS: usize = 1_024;
/// A request of a service to the owner.
pub(super) enum EngineRequest {
    /// A stream said hello.
    Attach {
        candidate: Candidate,
        /// The newest entry's number, `Hello.last`.
        last: u64,
        /// The queues of `Hello.forecasts`.
        forecasts: Vec<QueueName>,
    },
    /// A gateway reports.
    Entry {
        gateway: GatewayName,
        epoch: u64,
        entry: wire::Entry,
    },
    /// A stream is over.
    Ended {
        gateway: GatewayName,
        id: LinkId,
        fault: Option<Status>,
    },
    /// An operator is to change state.
    SetOperator { wish: Wish, id: String, reply: Reply },
    /// Somebody wants to see something.
    EngineQuery(EngineQuery),
}

/// Looks at the engine now; what it returns tells what was seen, once that is durable.
pub(super) type EngineQuery = Box<dyn FnOnce(&Engine, Time) -> QueryAnswer + Send>;
pub(super) type QueryAnswer = Box<dyn FnOnce() + Send>;

/// Where the services ask.
#[derive(Clone)]
pub(super) struct EngineHandle(mpsc::Sender<EngineRequest>);

impl EngineHandle {
    pub(super) fn new() -> (EngineHandle, mpsc::Receiver<EngineRequest>) {
        let (asks, received) = mpsc::channel(ASKS);
        (EngineHandle(asks), received)
    }

    /// Waits until there is room. False if the owner is gone.
    pub(super) async fn tell(&self, ask: EngineRequest) -> bool {
        self.0.send(ask).await.is_ok()
    }

    /// Returns the result of `view` once it is durable: nobody is told what a crash could undo.
    pub(super) async fn look<T: Send + 'static>(
        &self,
        view: impl FnOnce(&Engine, Time) -> T + Send + 'static,
    ) -> Result<T, Status> {
        let (tell, told) = oneshot::channel();
        let look: EngineQuery = Box::new(move |engine, now| {
            let seen = view(engine, now);
            Box::new(move || drop(tell.send(seen)))
        });
        self.tell(EngineRequest::EngineQuery(look)).await;
        told.await.map_err(|_| status::unavailable())
    }
}
