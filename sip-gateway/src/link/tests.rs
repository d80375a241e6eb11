//! The link against a queue service of the test's own.

use pronto_proto::v1::gateways_server::{Gateways, GatewaysServer};
use pronto_proto::v1::{Entry as WireEntry, gateway_message};
use pronto_types::link::Event;
use pronto_types::{OfferId, Time};
use rand::SeedableRng;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Endpoint, Server};
use tonic::{Response, Streaming};

use super::*;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// Welcomes every gateway and hands on each entry it is sent.
struct Queue(mpsc::Sender<WireEntry>);

#[tonic::async_trait]
impl Gateways for Queue {
    type AttachStream = ReceiverStream<Result<QueueMessage, Status>>;

    async fn attach(
        &self,
        request: Request<Streaming<GatewayMessage>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        let mut up = request.into_inner();
        let (down, messages) = mpsc::channel(4);
        down.try_send(Ok(wire::welcome(0))).unwrap();
        let entries = self.0.clone();
        tokio::spawn(async move {
            while let Ok(Some(message)) = up.message().await {
                if let Some(gateway_message::Message::Entry(entry)) = message.message {
                    entries.send(entry).await.unwrap();
                }
            }
            drop(down);
        });
        Ok(Response::new(ReceiverStream::new(messages)))
    }
}

#[tokio::test]
async fn an_entry_is_sent_with_how_long_ago_it_happened() {
    let (told, mut entries) = mpsc::channel(4);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::builder().add_service(GatewaysServer::new(Queue(told)));
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    let channel = Endpoint::from_shared(format!("http://{address}")).unwrap();
    let identity = Identity {
        gateway: GatewayName::new("gw1").unwrap(),
        position: Arc::new(Position::new(1)),
        earlier: None,
        instance: 1,
        token: None,
        forecasts: Vec::new(),
    };
    let clock = Clock::start(Time::ZERO, 0);
    let (happened, mut events) = mpsc::channel(4);
    let report = move |event| {
        let happened = happened.clone();
        async move { happened.send(event).await.is_ok() }
    };
    let rng = ChaCha12Rng::seed_from_u64(1);
    tokio::spawn(run(channel.connect_lazy(), identity, clock, rng, report));
    let attached = tokio::time::timeout(PATIENCE, events.recv()).await.unwrap();
    let Some(LinkEvent::Attached {
        entries: to_queue, ..
    }) = attached
    else {
        panic!("{attached:?}")
    };
    for (number, ago) in [(1, 0), (2, 3), (3, 3_600)] {
        let at = clock.now() - Duration::from_secs(ago);
        let event = Event::Ringing { offer: OfferId(1) };
        to_queue.send(Entry { number, at, event }).await.unwrap();
        let entry = tokio::time::timeout(PATIENCE, entries.recv())
            .await
            .unwrap()
            .unwrap();
        let age = wire::entry_from_wire(entry).unwrap().age;
        let least = Duration::from_secs(ago);
        assert!(
            (least..least + PATIENCE).contains(&age),
            "{ago} s ago, sent as {age:?}"
        );
    }
}
