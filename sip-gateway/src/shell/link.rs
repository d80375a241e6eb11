//! The link to the queue service: one `Gateways.Attach` stream, replicating the journal one way and bringing
//! directives the other. Reconnects for ever, with a back-off of at most 250 ms with jitter; while it is refused, of 2 s.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::StreamExt;
use pronto_proto::link as wire;
use pronto_proto::v1::gateways_client::GatewaysClient;
use pronto_proto::v1::{GatewayMessage, QueueMessage, queue_message};
use pronto_types::link::Directive;
use pronto_types::{GatewayName, QueueName, Secret};
use rand::Rng;
use rand_chacha::ChaCha12Rng;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use super::store::Earlier;
use crate::journal::Entry;
use pronto_clock::Clock;

mod earlier;

/// Entries between the control plane and the stream; above the journal's window, so that it never fills.
const QUEUE: usize = 1024;
/// The longest pause before another attempt.
const BACK_OFF: Duration = Duration::from_millis(250);
/// The same while the queue service refuses us.
const REFUSED: Duration = Duration::from_secs(2);
/// How long the queue service may take to say welcome.
const WELCOME: Duration = Duration::from_secs(5);
/// Between two lines of the log that say the same.
const SAID: Duration = Duration::from_secs(60);

/// An event of the link, for the control plane.
#[derive(Debug)]
pub enum LinkEvent {
    /// Welcomed; entries go into this sender until [`LinkEvent::Detached`].
    Attached {
        /// The epoch in which we are attached.
        epoch: u64,
        /// The newest entry durable there.
        have: u64,
        /// Where entries go.
        entries: mpsc::Sender<Entry>,
    },
    /// The link is gone.
    Detached,
    /// Not welcome. Tried again all the same.
    Refused(Refused),
    /// Durable up to this number.
    Acknowledged {
        /// The newest entry durable there.
        number: u64,
    },
    /// The queue's ledger has room for new calls, or has none.
    Admission {
        /// Whether they may be taken.
        open: bool,
    },
    /// The queue asks.
    Directive(Directive),
}

/// Why the queue service does not take us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Our epoch is not above the highest that the queue knows of us, or too far above it.
    Epoch {
        /// The epoch that was refused. Ours may be another one by now.
        said: u64,
        /// The highest it knows.
        highest: u64,
    },
    /// Another process is attached under our name.
    Taken,
    /// It does not know our token, or keeps the name for the gateway of its own process.
    Unproven,
    /// It does not understand us.
    Misunderstood,
}

/// Where the journal is: what a hello says of it. Changed by the control plane.
#[derive(Debug, Default)]
pub struct Position {
    epoch: AtomicU64,
    last: AtomicU64,
}

impl Position {
    /// An empty journal of this epoch.
    pub fn new(epoch: u64) -> Self {
        Position {
            epoch: AtomicU64::new(epoch),
            last: AtomicU64::new(0),
        }
    }

    /// The journal's epoch.
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Its newest entry has this number.
    pub fn wrote(&self, number: u64) {
        self.last.store(number, Ordering::Release);
    }

    /// Another journal has begun, and its newest entry has this number: said before the epoch, so that nobody says the old
    /// number in the new epoch.
    pub fn begin(&self, epoch: u64, number: u64) {
        self.wrote(number);
        self.epoch.store(epoch, Ordering::Release);
    }

    fn now(&self) -> (u64, u64) {
        let epoch = self.epoch();
        (epoch, self.last.load(Ordering::Acquire))
    }
}

/// Reads the gateways' token, each time it is needed: somebody may have put another one there.
pub type TokenSource = Arc<dyn Fn() -> std::io::Result<Secret> + Send + Sync>;

/// The identity of this gateway towards the queue service.
pub struct Identity {
    /// The configured name.
    pub gateway: GatewayName,
    /// The epoch, durable before a hello in it, and the number of the newest journal entry.
    pub position: Arc<Position>,
    /// Journals of earlier epochs, oldest first; the queue may not have all of them.
    pub(crate) earlier: Vec<Earlier>,
    /// Drawn by this process.
    pub instance: u64,
    /// The token that proves that we may attach; `None` within one process.
    pub token: Option<TokenSource>,
    /// The queues whose forecasts the flows ask for.
    pub forecasts: Vec<QueueName>,
}

/// Keeps the link up until the control plane is gone. `report` hands an event to the control plane and is false
/// once that is gone.
pub async fn run<F, R>(
    channel: Channel,
    mut identity: Identity,
    clock: Clock,
    mut rng: ChaCha12Rng,
    report: F,
) where
    F: Fn(LinkEvent) -> R,
    R: Future<Output = bool>,
{
    let mut attempts = 0_u32;
    let mut said = Said::default();
    let mut progress = earlier::Progress::default();
    loop {
        let ended = match earlier::hand_over(&channel, &mut identity, &clock, &mut progress).await {
            Err(ended) => ended,
            Ok(()) => attach(&channel, &identity, &clock, &report).await,
        };
        attempts = if matches!(ended, Ended::Lost) {
            1
        } else {
            attempts.saturating_add(1)
        };
        let longest = if matches!(ended, Ended::Refused(..)) {
            REFUSED
        } else {
            BACK_OFF
        };
        match ended {
            Ended::ControlGone => return,
            Ended::Lost => said.warn("the link to the queue service is lost"),
            Ended::Unreachable => said.warn("the queue service cannot be reached"),
            Ended::Refused(refused, why) => {
                said.warn(&refusal(&identity.gateway, &refused, &why));
                if !report(LinkEvent::Refused(refused)).await {
                    return;
                }
            }
        }
        let ceiling = longest.as_millis().min(10_u128 << attempts.min(8));
        let jitter = u64::from(rng.next_u32()) % u64::try_from(ceiling).unwrap_or(250).max(1);
        tokio::time::sleep(Duration::from_millis(jitter + 1)).await;
    }
}

/// Warnings logged in the last 60 s, at most eight: the other side cannot flood the log.
#[derive(Default)]
struct Said(std::collections::BTreeMap<String, Instant>);

impl Said {
    fn warn(&mut self, text: &str) {
        let now = Instant::now();
        self.0.retain(|_, at| now.duration_since(*at) < SAID);
        // Whatever else there is to say comes after the oldest has been forgotten.
        if self.0.len() < 8 && !self.0.contains_key(text) {
            tracing::warn!("{text}");
            self.0.insert(text.to_owned(), now);
        }
    }
}

/// The log line for a refused link: the cause, and the remedy.
fn refusal(gateway: &GatewayName, refused: &Refused, why: &str) -> String {
    match refused {
        Refused::Unproven => format!(
            "the queue service refuses the link: {why}. New calls get 503. Both sides must have the same token: copy the \
             queue service's token file here, or set `[gateway] token_file`"
        ),
        Refused::Taken => format!(
            "the queue service refuses the link: {why}. New calls get 503. Give each gateway its own `[gateway] name`, or \
             stop the other `{gateway}`"
        ),
        Refused::Epoch { highest, .. } => format!(
            "the queue service does not take this journal: it knows epoch {highest} of `{gateway}`. A new epoch begins"
        ),
        Refused::Misunderstood => {
            format!(
                "the queue service refuses the link: {why}. New calls get 503. Run the same release on both sides"
            )
        }
    }
}

enum Ended {
    /// The control plane stopped.
    ControlGone,
    /// Attached once, lost since.
    Lost,
    /// No connection, or no place for one.
    Unreachable,
    /// An answer, and it was no; and why.
    Refused(Refused, String),
}

impl Ended {
    /// An answer to a hello in this epoch.
    fn of(status: Status, epoch: u64) -> Self {
        let highest = status.metadata().get(wire::HIGHEST_EPOCH);
        let highest = highest.and_then(|value| value.to_str().ok()?.parse().ok());
        let refused = match (status.code(), highest) {
            (Code::FailedPrecondition, Some(highest)) => Refused::Epoch { said: epoch, highest },
            (Code::AlreadyExists, _) => Refused::Taken,
            (Code::Unauthenticated | Code::PermissionDenied, _) => Refused::Unproven,
            (Code::InvalidArgument | Code::Unimplemented | Code::FailedPrecondition, _) => {
                Refused::Misunderstood
            }
            _ => return Ended::Unreachable,
        };
        Ended::Refused(refused, status.message().to_owned())
    }
}

impl Identity {
    /// The first message, and in which epoch it is said.
    fn hello(&self) -> (u64, GatewayMessage) {
        let (epoch, last) = self.position.now();
        let hello = wire::hello(&wire::Hello {
            gateway: self.gateway.clone(),
            epoch,
            last,
            forecasts: self.forecasts.clone(),
            instance: self.instance,
        });
        (epoch, hello)
    }

    /// A stream, with the proof that we may attach.
    fn request<S>(&self, stream: S) -> Result<Request<S>, Ended> {
        let mut request = Request::new(stream);
        let Some(token) = &self.token else {
            return Ok(request);
        };
        let unread = |why: String| Ended::Refused(Refused::Unproven, why);
        let token = token().map_err(|error| unread(format!("the token cannot be read: {error}")))?;
        let proof: Result<AsciiMetadataValue, _> = format!("Bearer {}", token.reveal()).parse();
        let mut proof = proof.map_err(|_| unread("the token holds what no token may".to_owned()))?;
        proof.set_sensitive(true);
        request.metadata_mut().insert("authorization", proof);
        Ok(request)
    }
}

async fn attach<F, R>(channel: &Channel, identity: &Identity, clock: &Clock, report: &F) -> Ended
where
    F: Fn(LinkEvent) -> R,
    R: Future<Output = bool>,
{
    let (epoch, hello) = identity.hello();
    let (up, stream) = mpsc::channel::<GatewayMessage>(QUEUE);
    if up.send(hello).await.is_err() {
        return Ended::Unreachable;
    }
    let request = match identity.request(ReceiverStream::new(stream)) {
        Ok(request) => request,
        Err(ended) => return ended,
    };
    let mut client = GatewaysClient::new(channel.clone());
    let mut down = match client.attach(request).await {
        Ok(response) => response.into_inner(),
        Err(status) => return Ended::of(status, epoch),
    };
    let have = match tokio::time::timeout(WELCOME, down.next()).await {
        Ok(Some(Ok(QueueMessage {
            message: Some(queue_message::Message::Welcome(welcome)),
        }))) => welcome.have,
        Ok(Some(Err(status))) => return Ended::of(status, epoch),
        _ => return Ended::Unreachable,
    };
    let (entries, mut from_control) = mpsc::channel(QUEUE);
    if !report(LinkEvent::Attached { epoch, have, entries }).await {
        return Ended::ControlGone;
    }
    let alive = loop {
        tokio::select! {
            entry = from_control.recv() => {
                let Some(entry) = entry else { break true };
                let age = clock.now().since(entry.at);
                if up.send(wire::entry(entry.number, age, &entry.event)).await.is_err() {
                    break true;
                }
            }
            message = down.next() => {
                let Some(Ok(message)) = message else { break true };
                let Some(event) = down_event(message) else {
                    tracing::debug!("a message of the queue service was not understood");
                    continue;
                };
                if !report(event).await {
                    break false;
                }
            }
        }
    };
    if !alive || !report(LinkEvent::Detached).await {
        return Ended::ControlGone;
    }
    Ended::Lost
}

fn down_event(message: QueueMessage) -> Option<LinkEvent> {
    match &message.message {
        Some(queue_message::Message::Acknowledged(acknowledged)) => Some(LinkEvent::Acknowledged {
            number: acknowledged.number,
        }),
        Some(queue_message::Message::Admission(admission)) => {
            Some(LinkEvent::Admission { open: admission.open })
        }
        _ => wire::directive_from_wire(message).ok().map(LinkEvent::Directive),
    }
}

#[cfg(test)]
mod tests;
