//! The link against a queue service of the test's own.

use std::collections::VecDeque;
use std::sync::Mutex;

use pronto_proto::v1::gateways_server::{Gateways, GatewaysServer};
use pronto_proto::v1::{Entry as WireEntry, gateway_message};
use pronto_types::link::Event;
use pronto_types::{OfferId, Time};
use rand::SeedableRng;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::metadata::MetadataValue;
use tonic::transport::{Endpoint, Server};
use tonic::{Response, Streaming};

use super::*;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// The queue service's reaction to an attempt to attach.
enum Answer {
    Refuse(Status),
    /// Takes the stream and says nothing on it.
    Silence,
    /// Says this, the first of it a welcome, and ends the stream.
    Say(Vec<QueueMessage>),
    /// Says this and keeps the stream.
    Stay(Vec<QueueMessage>),
    /// Has the entries up to this one, and acknowledges each that comes.
    Take(u64),
}

/// Gives these answers, one for each attempt, and hands on what it is sent.
struct Queue {
    answers: Mutex<VecDeque<Answer>>,
    sent: mpsc::Sender<Sent>,
}

/// A message sent to the queue service.
#[derive(Debug)]
enum Sent {
    /// Epoch and number of the newest entry.
    Hello(u64, u64),
    Entry(WireEntry),
}

#[tonic::async_trait]
impl Gateways for Queue {
    type AttachStream = ReceiverStream<Result<QueueMessage, Status>>;

    async fn attach(
        &self,
        request: Request<Streaming<GatewayMessage>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        let answer = self.answers.lock().unwrap().pop_front();
        let answer = answer.expect("no more attempts");
        let takes = matches!(answer, Answer::Take(_));
        let (said, stays) = match answer {
            Answer::Refuse(status) => return Err(status),
            Answer::Silence => (Vec::new(), true),
            Answer::Say(said) => (said, false),
            Answer::Stay(said) => (said, true),
            Answer::Take(have) => (vec![wire::welcome(have)], true),
        };
        let (down, messages) = mpsc::channel(16);
        for message in said {
            down.try_send(Ok(message)).unwrap();
        }
        let mut up = request.into_inner();
        let sent = self.sent.clone();
        tokio::spawn(async move {
            let down = stays.then_some(down);
            while let Ok(Some(message)) = up.message().await {
                let told = match message.message {
                    Some(gateway_message::Message::Entry(entry)) => Sent::Entry(entry),
                    Some(gateway_message::Message::Hello(hello)) => Sent::Hello(hello.epoch, hello.last),
                    other => panic!("{other:?}"),
                };
                let number = match &told {
                    Sent::Entry(entry) => Some(entry.number),
                    Sent::Hello(..) => None,
                };
                let _ = sent.send(told).await;
                if let (true, Some(number), Some(down)) = (takes, number, &down) {
                    let _ = down.send(Ok(wire::acknowledged(number))).await;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(messages)))
    }
}

/// A link to a queue service that answers so.
struct World {
    clock: Clock,
    events: mpsc::Receiver<LinkEvent>,
    /// Messages sent to the queue service.
    sent: mpsc::Receiver<Sent>,
}

impl World {
    async fn begin(answers: impl IntoIterator<Item = Answer>) -> World {
        World::after(Vec::new(), answers).await
    }

    /// The same in epoch 9, with what earlier epochs left behind.
    async fn after(earlier: Vec<Earlier>, answers: impl IntoIterator<Item = Answer>) -> World {
        let (to_test, sent) = mpsc::channel(64);
        let answers = Mutex::new(answers.into_iter().collect());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server::builder().add_service(GatewaysServer::new(Queue {
            answers,
            sent: to_test,
        }));
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        let channel = Endpoint::from_shared(format!("http://{address}")).unwrap();
        let identity = Identity {
            gateway: GatewayName::new("gw1").unwrap(),
            position: Arc::new(Position::new(9)),
            earlier,
            instance: 1,
            token: None,
            forecasts: Vec::new(),
        };
        let clock = Clock::start(Time::ZERO, 0);
        let (happened, events) = mpsc::channel(16);
        let report = move |event| {
            let happened = happened.clone();
            async move { happened.send(event).await.is_ok() }
        };
        let rng = ChaCha12Rng::seed_from_u64(1);
        tokio::spawn(run(channel.connect_lazy(), identity, clock, rng, report));
        World { clock, events, sent }
    }

    async fn event(&mut self) -> LinkEvent {
        let event = tokio::time::timeout(PATIENCE, self.events.recv()).await;
        event.expect("the link says nothing").unwrap()
    }

    async fn sent(&mut self) -> Sent {
        let sent = tokio::time::timeout(PATIENCE, self.sent.recv()).await;
        sent.expect("the queue is sent nothing").unwrap()
    }

    async fn entry(&mut self) -> WireEntry {
        match self.sent().await {
            Sent::Entry(entry) => entry,
            hello @ Sent::Hello(..) => panic!("{hello:?}"),
        }
    }

    /// The next thing sent is this hello.
    async fn says_hello(&mut self, epoch: u64, last: u64) {
        match self.sent().await {
            Sent::Hello(of, number) if (of, number) == (epoch, last) => {}
            other => panic!("{other:?}, not hello({epoch}, {last})"),
        }
    }

    /// The next event is a welcome by a queue that has entries up to `have`.
    async fn attached(&mut self, have: u64) -> mpsc::Sender<Entry> {
        match self.event().await {
            LinkEvent::Attached {
                have: told, entries, ..
            } if told == have => entries,
            event => panic!("{event:?}"),
        }
    }
}

#[tokio::test]
async fn an_entry_is_sent_with_how_long_ago_it_happened() {
    let mut world = World::begin([Answer::Stay(vec![wire::welcome(0)])]).await;
    let to_queue = world.attached(0).await;
    world.says_hello(9, 0).await;
    for (number, ago) in [(1, 0), (2, 3), (3, 3_600)] {
        let at = world.clock.now() - Duration::from_secs(ago);
        let event = Event::Ringing { offer: OfferId(1) };
        to_queue.send(Entry { number, at, event }).await.unwrap();
        let age = wire::entry_from_wire(world.entry().await).unwrap().age;
        let least = Duration::from_secs(ago);
        assert!(
            (least..least + PATIENCE).contains(&age),
            "{ago} s ago, sent as {age:?}"
        );
    }
}

#[tokio::test]
async fn a_lost_link_is_told_and_made_again_from_what_the_queue_has_then() {
    let answers = [
        Answer::Say(vec![wire::welcome(3)]),
        Answer::Stay(vec![wire::welcome(5)]),
    ];
    let mut world = World::begin(answers).await;
    let before = world.attached(3).await;
    assert!(matches!(world.event().await, LinkEvent::Detached));
    let _entries = world.attached(5).await;
    assert!(before.is_closed(), "entries for a link that is gone");
}

#[tokio::test]
async fn each_refusal_is_told_with_its_reason_and_tried_again() {
    let mut epoch = Status::failed_precondition("old");
    let highest = MetadataValue::from_static("41");
    epoch.metadata_mut().insert(wire::HIGHEST_EPOCH, highest);
    let answers = [
        Answer::Refuse(epoch),
        Answer::Refuse(Status::already_exists("taken")),
        Answer::Refuse(Status::unauthenticated("no token")),
        Answer::Refuse(Status::unimplemented("what?")),
        // Not refused: not there.
        Answer::Refuse(Status::unavailable("starting")),
        Answer::Stay(vec![wire::welcome(0)]),
    ];
    let mut world = World::begin(answers).await;
    for expected in [
        Refused::Epoch { said: 9, highest: 41 },
        Refused::Taken,
        Refused::Unproven,
        Refused::Misunderstood,
    ] {
        match world.event().await {
            LinkEvent::Refused(refused) => assert_eq!(refused, expected),
            event => panic!("{event:?}"),
        }
    }
    world.attached(0).await;
}

#[tokio::test]
async fn a_queue_that_takes_the_link_and_says_nothing_is_not_waited_for() {
    let mut world = World::begin([Answer::Silence, Answer::Stay(vec![wire::welcome(0)])]).await;
    world.attached(0).await;
}

#[tokio::test]
async fn a_message_that_is_not_understood_does_not_cost_the_link() {
    let said = vec![
        wire::welcome(2),
        QueueMessage { message: None },
        wire::acknowledged(2),
    ];
    let mut world = World::begin([Answer::Stay(said)]).await;
    let _entries = world.attached(2).await;
    assert!(matches!(
        world.event().await,
        LinkEvent::Acknowledged { number: 2 }
    ));
}

#[test]
fn the_log_of_a_link_that_stays_down_does_not_grow() {
    let mut said = Said::default();
    for reason in 0..100 {
        said.warn("the queue service cannot be reached");
        said.warn(&format!("the queue service refuses the link: {reason}"));
    }
    assert_eq!(said.0.len(), 8);
}

#[test]
fn each_refusal_is_logged_with_its_remedy() {
    let gateway = GatewayName::new("gw1").unwrap();
    let epoch = Refused::Epoch { said: 9, highest: 41 };
    for (refused, remedy) in [
        (Refused::Unproven, "`[gateway] token_file`"),
        (Refused::Taken, "stop the other `gw1`"),
        (epoch, "it knows epoch 41 of `gw1`. A new epoch begins"),
        (Refused::Misunderstood, "Run the same release on both sides"),
    ] {
        let line = refusal(&gateway, &refused, "why");
        assert!(line.contains(remedy), "{line}");
    }
}

fn directory(name: &str) -> std::path::PathBuf {
    std::env::temp_dir().join(format!("pronto-link-{name}-{}", std::process::id()))
}

/// Entries 1 to 3 of a process in epoch 1.
async fn left_behind(name: &str) -> Vec<Earlier> {
    let directory = directory(name);
    let _ = std::fs::remove_dir_all(&directory);
    let event = Event::Ringing { offer: OfferId(1) };
    let entry = |number| Entry {
        number,
        at: Time::from_secs(7),
        event: event.clone(),
    };
    super::super::store::left_behind(&directory, &[1, 2, 3].map(entry)).await
}

#[tokio::test]
async fn what_an_earlier_process_left_is_handed_over_before_the_new_epoch_begins() {
    let answers = [Answer::Take(1), Answer::Stay(vec![wire::welcome(0)])];
    let mut world = World::after(left_behind("whole").await, answers).await;
    // One more is announced than will come: nobody is offered by a gateway whose journal has not arrived.
    world.says_hello(1, 4).await;
    for number in [2, 3] {
        assert_eq!(world.entry().await.number, number);
    }
    world.says_hello(9, 0).await;
    world.attached(0).await;
}

#[tokio::test]
async fn a_hand_over_that_the_queue_breaks_off_goes_on_where_it_was() {
    let answers = [
        Answer::Say(vec![wire::welcome(0), wire::acknowledged(1)]),
        Answer::Refuse(Status::unavailable("starting")),
        // What a process that was killed in between looks like.
        Answer::Refuse(Status::unknown("h2 protocol error")),
        Answer::Refuse(Status::cancelled("reset")),
        Answer::Take(2),
        Answer::Stay(vec![wire::welcome(0)]),
    ];
    let mut world = World::after(left_behind("broken").await, answers).await;
    world.attached(0).await;
    world.sent.close();
    let mut told = Vec::new();
    while let Some(sent) = world.sent.recv().await {
        match sent {
            Sent::Hello(epoch, _) => told.push((epoch, 0)),
            Sent::Entry(entry) => told.push((1, entry.number)),
        }
    }
    // How much of the first attempt arrived before it was broken off is chance.
    let second = told
        .iter()
        .rposition(|it| *it == (1, 0))
        .expect("a second attempt");
    assert!(second > 0, "{told:?}");
    assert_eq!(told[second..], [(1, 0), (1, 3), (9, 0)]);
}

#[tokio::test]
async fn a_queue_that_never_takes_what_an_earlier_process_left_gets_the_new_epoch_all_the_same() {
    let breaks = || Answer::Say(vec![wire::welcome(0)]);
    let answers = [
        breaks(),
        breaks(),
        breaks(),
        breaks(),
        breaks(),
        Answer::Stay(vec![wire::welcome(0)]),
    ];
    let mut world = World::after(left_behind("never").await, answers).await;
    world.attached(0).await;
}

#[tokio::test]
async fn an_epoch_that_is_over_for_the_queue_is_not_handed_over() {
    let answers = [
        Answer::Refuse(Status::failed_precondition("old")),
        Answer::Stay(vec![wire::welcome(0)]),
    ];
    let mut world = World::after(left_behind("over").await, answers).await;
    world.attached(0).await;
}

#[tokio::test]
async fn a_journal_that_cannot_be_read_any_more_does_not_hold_the_new_epoch_up() {
    let earlier = left_behind("unreadable").await;
    std::fs::remove_dir_all(directory("unreadable")).unwrap();
    let mut world = World::after(earlier, [Answer::Take(0), Answer::Stay(vec![wire::welcome(0)])]).await;
    world.attached(0).await;
}
