use pronto_proto::link as wire;
use tonic::Code;

use super::*;

/// The other end of a link.
struct Far {
    down: mpsc::Receiver<Down>,
    end: oneshot::Receiver<()>,
    verdict: oneshot::Receiver<Result<LinkId, Status>>,
}

impl Far {
    fn id(&mut self) -> LinkId {
        self.verdict.try_recv().unwrap().unwrap()
    }

    fn is_over(&mut self) -> bool {
        self.end.try_recv() == Err(oneshot::error::TryRecvError::Closed)
    }
}

fn gateway() -> GatewayName {
    GatewayName::new("gw1").unwrap()
}

/// A stream with room for `room` messages, of a process that does not tell its number.
fn greet(links: &mut Links, epoch: u64, room: usize) -> Far {
    greet_as(links, (epoch, 0), room)
}

fn greet_as(links: &mut Links, (epoch, instance): (u64, u64), room: usize) -> Far {
    let (down, received) = mpsc::channel(room);
    let (end, ended) = oneshot::channel();
    let (verdict, judged) = oneshot::channel();
    links.greet(Candidate {
        gateway: gateway(),
        epoch,
        instance,
        down,
        end,
        verdict,
    });
    Far {
        down: received,
        end: ended,
        verdict: judged,
    }
}

fn welcomed(links: &mut Links, epoch: u64, room: usize) -> Far {
    let far = greet(links, epoch, room);
    links.welcome(wire::welcome(0));
    far
}

fn send(links: &mut Links, epoch: u64, number: u64) -> bool {
    links.send(&gateway(), epoch, wire::acknowledged(number))
}

#[test]
fn a_link_that_does_not_keep_up_is_over() {
    let mut links = Links::default();
    let mut far = welcomed(&mut links, 1, 3);
    assert!(send(&mut links, 1, 1) && send(&mut links, 1, 2));
    assert!(!far.is_over());
    assert!(!send(&mut links, 1, 3), "no room");
    assert!(far.is_over() && links.len() == 0);
    assert!(send(&mut links, 1, 4), "nobody is there: nothing to lose");
    // What had room is still heard, then the stream ends.
    let heard: Vec<Down> = std::iter::from_fn(|| far.down.try_recv().ok()).collect();
    assert_eq!(heard.len(), 3);
    assert_eq!(
        far.down.try_recv().unwrap_err(),
        mpsc::error::TryRecvError::Disconnected
    );
}

#[test]
fn what_was_said_before_the_welcome_never_reaches_the_new_stream() {
    let mut links = Links::default();
    let mut older = welcomed(&mut links, 1, 9);
    let mut newer = greet(&mut links, 1, 9);
    assert!(links.is_greeted(&gateway()));
    assert!(send(&mut links, 1, 7));
    links.welcome(wire::welcome(7));
    assert!(!links.is_greeted(&gateway()));
    assert_eq!(
        newer.down.try_recv().unwrap().unwrap(),
        wire::welcome(7),
        "the first message is the welcome"
    );
    assert!(newer.down.try_recv().is_err());
    assert_eq!(older.down.try_recv().unwrap().unwrap(), wire::welcome(0));
    assert_eq!(older.down.try_recv().unwrap().unwrap(), wire::acknowledged(7));
    assert_eq!(older.down.try_recv().unwrap().unwrap_err().code(), Code::Aborted);
    assert!(older.is_over() && !newer.is_over());
    let (old, new) = (older.id(), newer.id());
    assert_eq!(
        links.ended(&gateway(), old, None),
        None,
        "the end of the older is no news"
    );
    assert_eq!(links.ended(&gateway(), new, None), Some(1));
}

#[test]
fn answers_go_to_the_streams_in_the_order_of_their_greetings() {
    let mut links = Links::default();
    let mut first = greet(&mut links, 1, 9);
    let mut second = greet(&mut links, 2, 9);
    let mut third = greet(&mut links, 1, 9);
    links.welcome(wire::welcome(0));
    links.welcome(wire::welcome(0));
    links.refuse(Refusal::OldEpoch { highest: 2 });
    assert!(first.is_over() && !second.is_over());
    assert_eq!(
        third.verdict.try_recv().unwrap().unwrap_err().code(),
        Code::FailedPrecondition
    );
    second.id();
    let mut fourth = greet(&mut links, 3, 9);
    links.refuse(Refusal::TooManyGateways);
    assert_eq!(
        fourth.verdict.try_recv().unwrap().unwrap_err().code(),
        Code::ResourceExhausted
    );
    assert!(!second.is_over(), "a refused stream replaces nobody");
    assert!(send(&mut links, 1, 1));
    second.down.try_recv().unwrap().unwrap();
    assert!(
        second.down.try_recv().is_err(),
        "what is for another process is not said"
    );
}

#[test]
fn another_process_of_a_gateway_is_refused_before_the_first_is_welcome() {
    let mut links = Links::default();
    let mut first = greet_as(&mut links, (1, 7), 1);
    let mut other = greet_as(&mut links, (1, 8), 1);
    let refused = other.verdict.try_recv().unwrap().unwrap_err();
    assert_eq!(refused.code(), Code::AlreadyExists);
    links.welcome(wire::welcome(0));
    first.id();
    assert_eq!(links.len(), 1);
}

#[test]
fn at_the_end_everybody_is_told() {
    let mut links = Links::default();
    let mut live = welcomed(&mut links, 1, 9);
    let mut greeted = greet(&mut links, 1, 9);
    links.close(status::unavailable);
    live.down.try_recv().unwrap().unwrap();
    assert_eq!(
        live.down.try_recv().unwrap().unwrap_err().code(),
        Code::Unavailable
    );
    assert!(live.is_over());
    assert_eq!(
        greeted.verdict.try_recv().unwrap().unwrap_err().code(),
        Code::Unavailable
    );
}

#[test]
fn a_double_that_hands_over_an_old_journal_does_not_end_the_calls_of_the_running_gateway() {
    let mut links = Links::default();
    let mut running = greet_as(&mut links, (7, 71), 3);
    links.welcome(wire::welcome(0));
    let mut double = greet(&mut links, 7, 3);
    let refused = double.verdict.try_recv().unwrap().unwrap_err();
    assert_eq!(refused.code(), Code::AlreadyExists);
    assert!(send(&mut links, 7, 1) && !running.is_over());
    // The process itself comes again; and once it is gone, its journal may be handed over.
    let mut again = greet_as(&mut links, (7, 71), 3);
    links.welcome(wire::welcome(0));
    let id = again.id();
    links.ended(&gateway(), id, None);
    let mut next = greet(&mut links, 7, 3);
    links.welcome(wire::welcome(0));
    next.id();
}
