//! A house with in-memory pipes, and a gateway of the test's own.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use pronto_engine::{Configuration, OperatorSettings, QueueSettings, SignIn};
use pronto_proto::link as wire;
use pronto_proto::v1::callers_client::CallersClient;
use pronto_proto::v1::gateways_client::GatewaysClient;
use pronto_proto::v1::operators_client::OperatorsClient;
use pronto_proto::v1::queues_client::QueuesClient;
use pronto_proto::v1::{GatewayMessage, GetQueueRequest, Queue, QueueMessage, queue_message};
use pronto_store::{Durability, MemoryDisk, MemoryStore};
use pronto_types::link::{self, Caller, Directive, Event};
use pronto_types::{
    AnnouncementId, CallId, DisplayName, GatewayName, Language, OfferId, OperatorId, PhoneNumber, QueueName,
    TicketId,
};
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint, Server, Uri};
use tonic::{Status, Streaming};

use crate::{QueueService, Settings};

/// Longer than anything takes that happens at all; virtual in most tests.
const PATIENCE: Duration = Duration::from_secs(20);

/// A directory of its own for each test, gone with it.
pub(in crate::service) struct TestDirectory(PathBuf);

impl TestDirectory {
    pub(in crate::service) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("pronto-queue-{}-{count}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        TestDirectory(path)
    }

    pub(in crate::service) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TestDirectory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(super) fn operator(id: &str) -> OperatorId {
    OperatorId::new(id).unwrap()
}

/// Queues `support` and `sales`; operators 101 and 102 for both.
pub(super) fn configuration() -> Configuration {
    let names = ["sales", "support"].map(|name| QueueName::new(name).unwrap());
    let operators = ["101", "102"].map(|id| OperatorSettings {
        id: operator(id),
        queues: names.to_vec(),
        sign_in: SignIn::Registration,
    });
    Configuration {
        queues: names.into_iter().map(QueueSettings::new).collect(),
        operators: operators.into(),
        ..Configuration::default()
    }
}

/// A running service and a channel to it.
pub(super) struct House {
    pub(super) service: QueueService,
    pub(super) channel: Channel,
}

impl House {
    pub(super) async fn in_memory(disk: &MemoryDisk, durability: Durability) -> (House, Arc<MemoryStore>) {
        let started = QueueService::start_in_memory(configuration(), disk, durability).await;
        let (service, store) = started.unwrap();
        (House::around(service), store)
    }

    /// Around a service that runs.
    pub(super) fn around(service: QueueService) -> House {
        House {
            channel: connect(&service),
            service,
        }
    }

    /// In memory, everything durable at once.
    pub(super) async fn simple() -> House {
        House::in_memory(&MemoryDisk::new(), Durability::AtOnce).await.0
    }

    pub(super) async fn on_disk(directory: &TestDirectory) -> House {
        let settings = Settings {
            configuration: configuration(),
            store: directory.path().join("var"),
        };
        House::around(QueueService::start(settings).await.unwrap())
    }

    pub(super) async fn attach(&self, gateway: &str, epoch: u64) -> TestGateway {
        TestGateway::attach(&self.channel, gateway, epoch, 0)
            .await
            .unwrap()
    }

    pub(super) fn operators(&self) -> OperatorsClient<Channel> {
        OperatorsClient::new(self.channel.clone())
    }

    pub(super) fn callers(&self) -> CallersClient<Channel> {
        CallersClient::new(self.channel.clone())
    }

    pub(super) fn queues(&self) -> QueuesClient<Channel> {
        QueuesClient::new(self.channel.clone())
    }

    pub(super) async fn queue(&self, name: &str) -> Queue {
        let request = GetQueueRequest {
            name: format!("queues/{name}"),
        };
        self.queues().get_queue(request).await.unwrap().into_inner()
    }

    /// The state and the reason of an operator.
    pub(super) async fn state(&self, id: &str) -> (pronto_proto::v1::OperatorState, String) {
        let list = self
            .operators()
            .list_operators(pronto_proto::v1::ListOperatorsRequest::default())
            .await;
        let all = list.unwrap().into_inner().operators;
        let found = all
            .into_iter()
            .find(|operator| operator.name == format!("operators/{id}"))
            .unwrap();
        (found.state(), found.reason)
    }
}

fn connect(service: &QueueService) -> Channel {
    connect_over(service, crate::Access::SameProcess)
}

pub(super) fn connect_over(service: &QueueService, access: crate::Access) -> Channel {
    let (accept, incoming) = mpsc::channel::<std::io::Result<DuplexStream>>(16);
    tokio::spawn(
        Server::builder()
            .add_routes(service.routes(access))
            .serve_with_incoming(ReceiverStream::new(incoming)),
    );
    let connector = tower::service_fn(move |_: Uri| {
        let accept = accept.clone();
        async move {
            let (ours, theirs) = tokio::io::duplex(64 * 1024);
            let gone = |_| std::io::Error::other("the server is gone");
            accept.send(Ok(theirs)).await.map_err(gone)?;
            Ok::<_, std::io::Error>(TokioIo::new(ours))
        }
    });
    Endpoint::from_static("http://in-memory").connect_with_connector_lazy(connector)
}

/// The queue's end of a gateway: it keeps its journal and repeats what is not acknowledged.
pub(super) struct TestGateway {
    pub(super) have: u64,
    pub(super) number: u64,
    pub(super) up: mpsc::Sender<GatewayMessage>,
    pub(super) down: Streaming<QueueMessage>,
}

impl TestGateway {
    /// Says hello and waits for the welcome. `last` is the number of the newest entry so far.
    pub(super) async fn attach(channel: &Channel, name: &str, epoch: u64, last: u64) -> Result<Self, Status> {
        Self::attach_as(channel, name, (epoch, 0), last).await
    }

    /// The same, as a process that tells which it is.
    pub(super) async fn attach_as(
        channel: &Channel,
        name: &str,
        (epoch, instance): (u64, u64),
        last: u64,
    ) -> Result<Self, Status> {
        let hello = wire::hello(&wire::Hello {
            gateway: GatewayName::new(name).unwrap(),
            epoch,
            last,
            forecasts: Vec::new(),
            instance,
        });
        let (up, mut down) = open(channel, hello).await?;
        let have = match within(down.message()).await?.and_then(|message| message.message) {
            Some(queue_message::Message::Welcome(welcome)) => welcome.have,
            other => panic!("no welcome: {other:?}"),
        };
        Ok(TestGateway {
            have,
            number: last,
            up,
            down,
        })
    }

    /// Writes the next line of the journal.
    pub(super) async fn say(&mut self, event: Event) -> u64 {
        self.say_aged(Duration::ZERO, event).await
    }

    pub(super) async fn say_aged(&mut self, age: Duration, event: Event) -> u64 {
        self.number += 1;
        self.send(wire::entry(self.number, age, &event)).await;
        self.number
    }

    pub(super) async fn send(&self, message: GatewayMessage) {
        // A stream that ended takes nothing: the test sees it in what it hears.
        let _ = self.up.send(message).await;
    }

    /// The next thing the queue asks.
    pub(super) async fn directive(&mut self) -> Directive {
        loop {
            match wire::directive_from_wire(self.message().await) {
                Ok(directive) => return directive,
                Err(_) => continue,
            }
        }
    }

    /// Waits until everything said is durable.
    pub(super) async fn acknowledged(&mut self) {
        loop {
            if let Some(queue_message::Message::Acknowledged(acknowledged)) = self.message().await.message
                && acknowledged.number == self.number
            {
                return;
            }
        }
    }

    /// The announcement that comes next: its number, to whom, which position.
    pub(super) async fn announced(&mut self) -> (AnnouncementId, TicketId, Option<u32>) {
        match self.directive().await {
            Directive::Announce {
                announcement,
                ticket,
                position,
                ..
            } => (announcement, ticket, position),
            other => panic!("no announcement but {other:?}"),
        }
    }

    /// The offer that comes next: grant, ticket, operator.
    pub(super) async fn offer(&mut self) -> (OfferId, TicketId, OperatorId) {
        loop {
            match self.directive().await {
                Directive::Offer {
                    offer,
                    ticket,
                    operator,
                    ..
                } => return (offer, ticket, operator),
                Directive::Announce { .. } => {}
                other => panic!("no offer but {other:?}"),
            }
        }
    }

    async fn message(&mut self) -> QueueMessage {
        within(self.down.message())
            .await
            .unwrap()
            .expect("the link is up")
    }

    /// Why the stream ended.
    pub(super) async fn end(&mut self) -> Status {
        loop {
            match within(self.down.message()).await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("ended without a reason"),
                Err(status) => return status,
            }
        }
    }

    /// Messages that arrive within `time`.
    pub(super) async fn heard_in(&mut self, time: Duration) -> Vec<QueueMessage> {
        let mut heard = Vec::new();
        let over = tokio::time::Instant::now() + time;
        while let Ok(message) = tokio::time::timeout_at(over, self.down.message()).await {
            heard.push(message.unwrap().expect("the link is up"));
        }
        heard
    }

    /// An operator's phone registers.
    pub(super) async fn registers(&mut self, id: &str) {
        let lease = Some(Duration::from_secs(3_600));
        self.say(Event::Presence {
            operator: operator(id),
            lease,
        })
        .await;
        self.acknowledged().await;
    }

    /// A caller takes a place in `support`; the ticket has the call's number.
    pub(super) async fn joins(&mut self, call: u64) {
        self.say(joined(call, call)).await;
    }

    pub(super) async fn answers(&mut self, offer: OfferId, ticket: TicketId) {
        self.say(Event::Answered { offer, ticket }).await;
        self.acknowledged().await;
    }

    pub(super) async fn talk_ends(&mut self, offer: OfferId, ticket: TicketId) {
        self.say(Event::TalkEnded { offer, ticket }).await;
        self.acknowledged().await;
    }
}

pub(super) fn joined(call: u64, ticket: u64) -> Event {
    Event::Joined {
        ticket: TicketId(ticket),
        contact: CallId(call).into(),
        channel: link::Channel::Phone,
        queue: QueueName::new("support").unwrap(),
        caller: Caller {
            number: Some(PhoneNumber::new("+39061234567")),
            name: Some(DisplayName::new("Anna")),
        },
        language: Language::Italian,
        regained: None,
    }
}

/// A stream that begins with `first`.
pub(super) async fn open(
    channel: &Channel,
    first: GatewayMessage,
) -> Result<(mpsc::Sender<GatewayMessage>, Streaming<QueueMessage>), Status> {
    let (up, stream) = mpsc::channel(1_024);
    up.send(first).await.unwrap();
    let mut client = GatewaysClient::new(channel.clone());
    let attached = within(client.attach(ReceiverStream::new(stream))).await?;
    Ok((up, attached.into_inner()))
}

pub(super) async fn within<T>(wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, wait)
        .await
        .expect("it happens in time")
}
