//! `Gateways.Attach`: one task for each stream reads what the gateway says and hands it to the owner. Over a socket a gateway
//! proves first that it knows the token.

use std::sync::Arc;
use std::time::Duration;

use pronto_proto::link::{self as wire, Hello};
use pronto_proto::v1::gateways_server::Gateways;
use pronto_proto::v1::{GatewayMessage, QueueMessage, gateway_message};
use pronto_types::{GatewayName, Secret};
use subtle::ConstantTimeEq;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};

use super::handle::{EngineHandle, EngineRequest};
use super::links::{Candidate, DOWN, Down};
use super::status;

/// The scheme of the proof (RFC 6750 §2.1).
const SCHEME: &[u8] = b"Bearer ";
/// How long a stream may take to say hello.
const HELLO: Duration = Duration::from_secs(5);
/// Streams that have not said hello, or are not answered yet.
const STRANGERS: usize = 256;

/// The gateways that may attach over some routes.
#[derive(Clone, Debug)]
pub enum Access {
    /// The gateway of this process: nobody else reaches these routes.
    SameProcess,
    /// Those that a check before these routes has let through.
    Checked {
        /// The gateway of this process: its name is taken.
        but: Option<GatewayName>,
    },
    /// Those that know the token.
    Token {
        /// Shown as `authorization: Bearer TOKEN`.
        token: Secret,
        /// The gateway of this process: its name is taken.
        but: Option<GatewayName>,
    },
}

impl Access {
    fn admits(&self, metadata: &MetadataMap) -> Result<(), Status> {
        let Access::Token { token, .. } = self else {
            return Ok(());
        };
        let shown = metadata.get("authorization").map(|value| value.as_bytes());
        let shown = shown.and_then(|value| value.split_at_checked(SCHEME.len()));
        let known = shown.is_some_and(|(scheme, shown)| {
            scheme.eq_ignore_ascii_case(SCHEME) && bool::from(shown.ct_eq(token.reveal().as_bytes()))
        });
        if known {
            return Ok(());
        }
        refused("token");
        Err(status::unproven())
    }

    fn admits_name(&self, gateway: &GatewayName) -> Result<(), Status> {
        match self {
            Access::Token { but: Some(ours), .. } | Access::Checked { but: Some(ours) }
                if ours == gateway =>
            {
                refused("name");
                Err(status::not_yours(gateway.as_str()))
            }
            Access::Token { .. } | Access::Checked { .. } | Access::SameProcess => Ok(()),
        }
    }
}

fn refused(why: &'static str) {
    metrics::counter!("pronto_attach_refused_total", "why" => why).increment(1);
}

/// The `Gateways` service of the gRPC interface.
pub(super) struct GatewaysService {
    handle: EngineHandle,
    access: Access,
    strangers: Arc<Semaphore>,
}

impl GatewaysService {
    pub(super) fn new(handle: EngineHandle, access: Access) -> Self {
        GatewaysService {
            handle,
            access,
            strangers: Arc::new(Semaphore::new(STRANGERS)),
        }
    }
}

#[tonic::async_trait]
impl Gateways for GatewaysService {
    type AttachStream = ReceiverStream<Result<QueueMessage, Status>>;

    async fn attach(
        &self,
        request: Request<Streaming<GatewayMessage>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        self.access.admits(request.metadata())?;
        let place = Arc::clone(&self.strangers).try_acquire_owned();
        let place = place.map_err(|_| status::exhausted("too many streams are saying hello"))?;
        let mut up = request.into_inner();
        let hello = tokio::time::timeout(HELLO, up.message()).await;
        let hello = understand(hello.map_err(|_| status::silent("no hello within 5 s"))??)?;
        self.access.admits_name(&hello.gateway)?;
        let (down, stream) = mpsc::channel(DOWN);
        let (answer, answered) = oneshot::channel();
        // A task of its own: should this call be dropped meanwhile, the engine still hears of the end.
        tokio::spawn(run(self.handle.clone(), hello, up, down, answer));
        answered.await.map_err(|_| status::unavailable())??;
        drop(place);
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

fn understand(message: Option<GatewayMessage>) -> Result<Hello, Status> {
    match message.and_then(|message| message.message) {
        Some(gateway_message::Message::Hello(hello)) => {
            wire::hello_from_wire(hello).map_err(status::malformed)
        }
        Some(gateway_message::Message::Entry(_)) | None => {
            Err(status::malformed("the first message is `hello`"))
        }
    }
}

/// The life of a stream, from its hello.
async fn run(
    handle: EngineHandle,
    hello: Hello,
    mut up: Streaming<GatewayMessage>,
    down: mpsc::Sender<Down>,
    answer: oneshot::Sender<Result<(), Status>>,
) {
    let Hello {
        gateway,
        epoch,
        last,
        forecasts,
        instance,
    } = hello;
    let (end, mut ended) = oneshot::channel();
    let (verdict, judged) = oneshot::channel();
    let candidate = Candidate {
        gateway: gateway.clone(),
        epoch,
        instance,
        down: down.clone(),
        end,
        verdict,
    };
    let attach = EngineRequest::Attach {
        candidate,
        last,
        forecasts,
    };
    if !handle.tell(attach).await {
        let _ = answer.send(Err(status::unavailable()));
        return;
    }
    let id = match judged.await {
        Ok(Ok(id)) => id,
        Ok(Err(refused)) => return drop(answer.send(Err(refused))),
        Err(_) => return drop(answer.send(Err(status::unavailable()))),
    };
    let _ = answer.send(Ok(()));
    let fault = loop {
        let message = tokio::select! {
            biased;
            // Replaced, too slow, or the service stops: the owner knows.
            _ = &mut ended => return,
            () = down.closed() => break None,
            message = up.message() => message,
        };
        let entry = match message {
            Ok(Some(message)) => entry(message),
            Ok(None) | Err(_) => break None,
        };
        match entry {
            Ok(entry) => {
                let ask = EngineRequest::Entry {
                    gateway: gateway.clone(),
                    epoch,
                    entry,
                };
                if !handle.tell(ask).await {
                    return;
                }
            }
            Err(fault) => break Some(fault),
        }
    };
    if let Some(fault) = &fault {
        tracing::debug!(%gateway, problem = fault.message(), "a bad message");
    }
    handle.tell(EngineRequest::Ended { gateway, id, fault }).await;
}

fn entry(message: GatewayMessage) -> Result<wire::Entry, Status> {
    match message.message {
        Some(gateway_message::Message::Entry(entry)) => {
            wire::entry_from_wire(entry).map_err(status::malformed)
        }
        Some(gateway_message::Message::Hello(_)) => Err(status::malformed("a second `hello`")),
        None => Err(status::malformed("an empty message")),
    }
}
