//! The link to the queue service: one `Gateways.Attach` stream, replicating the journal one way and bringing
//! directives the other. Reconnects for ever, with a back-off of at most 250 ms with jitter.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::StreamExt;
use pronto_proto::link as wire;
use pronto_proto::v1::gateways_client::GatewaysClient;
use pronto_proto::v1::{GatewayMessage, QueueMessage, queue_message};
use pronto_types::link::Directive;
use pronto_types::{GatewayName, QueueName};
use rand::Rng;
use rand_chacha::ChaCha12Rng;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

use crate::journal::Entry;
use crate::shell::Earlier;
use pronto_clock::Clock;

mod earlier;

/// Entries between the control plane and the stream; above the journal's window, so that it never fills.
const QUEUE: usize = 1024;
/// The longest pause before another attempt.
const BACK_OFF: Duration = Duration::from_millis(250);
/// How long the queue service may take to say welcome.
const WELCOME: Duration = Duration::from_secs(5);

/// What the link tells the control plane.
#[derive(Debug)]
pub enum LinkEvent {
    /// Welcomed; entries go into this sender until [`LinkEvent::Detached`].
    Attached {
        /// The newest entry durable there.
        have: u64,
        /// Where entries go.
        entries: mpsc::Sender<Entry>,
    },
    /// Gone.
    Detached,
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

/// Who attaches.
pub struct Identity {
    /// The configured name.
    pub gateway: GatewayName,
    /// Raised and durable before this process's first hello.
    pub epoch: u64,
    /// What an earlier process wrote last, which the queue may not have.
    pub(crate) earlier: Option<Earlier>,
    /// The number of the newest journal entry.
    pub last: Arc<AtomicU64>,
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
    // Said when it changes, not at every attempt.
    let mut said = None;
    loop {
        let ended = match earlier::hand_over(&channel, &mut identity, &clock).await {
            Err(ended) => ended,
            Ok(()) => attach(&channel, &identity, &clock, &report).await,
        };
        attempts = if matches!(ended, Ended::Lost) {
            1
        } else {
            attempts.saturating_add(1)
        };
        let why = match ended {
            Ended::ControlGone => return,
            Ended::Lost => None,
            Ended::Unreachable => Some("the queue service cannot be reached".to_owned()),
            Ended::Refused(status) => Some(format!(
                "the queue service refuses the link: {}",
                status.message()
            )),
        };
        if let Some(why) = &why
            && said.as_ref() != Some(why)
        {
            tracing::warn!("{why}");
        }
        said = why;
        let ceiling = BACK_OFF.as_millis().min(10_u128 << attempts.min(6));
        let jitter = u64::from(rng.next_u32()) % u64::try_from(ceiling).unwrap_or(250).max(1);
        tokio::time::sleep(Duration::from_millis(jitter + 1)).await;
    }
}

enum Ended {
    /// The control plane stopped.
    ControlGone,
    /// Attached once, lost since.
    Lost,
    /// No connection.
    Unreachable,
    /// An answer, and it was no.
    Refused(tonic::Status),
}

async fn attach<F, R>(channel: &Channel, identity: &Identity, clock: &Clock, report: &F) -> Ended
where
    F: Fn(LinkEvent) -> R,
    R: Future<Output = bool>,
{
    let (up, stream) = mpsc::channel::<GatewayMessage>(QUEUE);
    if up
        .send(wire::hello(
            &identity.gateway,
            identity.epoch,
            identity.last.load(Ordering::Relaxed),
            &identity.forecasts,
        ))
        .await
        .is_err()
    {
        return Ended::Unreachable;
    }
    let mut client = GatewaysClient::new(channel.clone());
    let mut down = match client.attach(ReceiverStream::new(stream)).await {
        Ok(response) => response.into_inner(),
        Err(status) if status.code() == tonic::Code::Unavailable => return Ended::Unreachable,
        Err(status) => return Ended::Refused(status),
    };
    let have = match tokio::time::timeout(WELCOME, down.next()).await {
        Ok(Some(Ok(QueueMessage {
            message: Some(queue_message::Message::Welcome(welcome)),
        }))) => welcome.have,
        Ok(Some(Err(status))) => return Ended::Refused(status),
        _ => return Ended::Unreachable,
    };
    let (entries, mut from_control) = mpsc::channel(QUEUE);
    if !report(LinkEvent::Attached { have, entries }).await {
        return Ended::ControlGone;
    }
    tracing::info!(have, "attached to the queue service");
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
    tracing::warn!("the link to the queue service is lost");
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
