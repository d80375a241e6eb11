//! Targets of SIP and SDP.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use pronto_sip::framing::Framer;
use pronto_sip::message::{Challenge, Credentials, HeaderName, MAX_MESSAGE, Message, NameAddr, Uri, Via};
use pronto_sip::{Endpoint, Event, Flow, Ha1, Input, LegId, Output, Settings, Status, Transport, Trunk, sdp};
use pronto_types::{OperatorId, Secret, Time, TrunkName};
use rand::SeedableRng;
use rand_chacha::ChaCha12Rng;

/// A message is refused, or all its parts can be read.
pub fn message(octets: &[u8]) {
    let Ok(message) = Message::parse(Bytes::copy_from_slice(octets)) else {
        return;
    };
    let _ = (
        message.essentials(),
        message.content_type(),
        message.seconds(HeaderName::Expires),
    );
    assert!(message.body().len() <= octets.len());
    for name in [
        HeaderName::Via,
        HeaderName::Contact,
        HeaderName::Route,
        HeaderName::Path,
        HeaderName::Accept,
        HeaderName::Authorization,
        HeaderName::ProxyAuthenticate,
    ] {
        for value in message.list(name).flatten() {
            let _ = (NameAddr::parse(value), Via::parse(value));
        }
        for value in message.all(name) {
            let _ = (Credentials::parse(value), Challenge::parse(value));
        }
    }
}

/// An address that was read once is read again alike.
pub fn address(octets: &[u8]) {
    if let Some(uri) = Uri::parse(octets) {
        let again = Uri::parse(uri.raw).expect("what was read is read again");
        assert_eq!(
            (again.host, again.port, again.user),
            (uri.host, uri.port, uri.user)
        );
        let _ = (uri.user_text(), uri.param("lr"));
    }
    if let Some(address) = NameAddr::parse(octets) {
        assert!(Uri::parse(address.uri.raw).is_some());
        let _ = (address.tag(), address.display_text());
    }
    if let Some(via) = Via::parse(octets) {
        let _ = via.branch();
    }
    let _ = (Challenge::parse(octets), Credentials::parse(octets));
}

/// A session description is answered or refused, and an answer is no amplifier.
pub fn description(octets: &[u8]) {
    let local = sdp::Local {
        address: [127, 0, 0, 1].into(),
        port: 5000,
        session_id: 1,
        version: 1,
    };
    if let Ok((ours, _)) = sdp::answer(&local, octets) {
        assert!(ours.len() <= 1024 + 4 * octets.len(), "an answer is no amplifier");
        assert!(ours.starts_with(b"v=0\r\n"));
    }
    let _ = sdp::accept(&local, octets);
}

/// A stream gives the same messages in one piece and in pieces that end at these places.
pub fn stream(octets: &[u8], places: [u16; 2]) {
    let whole = cut(octets, &[]);
    let places = places.map(|place| usize::from(place) % (octets.len() + 1));
    assert_eq!(whole, cut(octets, &places), "however the stream comes in pieces");
}

/// The messages in a stream that comes in these pieces, and whether it was given up.
fn cut(stream: &[u8], splits: &[usize]) -> (Vec<Bytes>, bool) {
    let mut at: Vec<usize> = splits.iter().copied().chain([0, stream.len()]).collect();
    at.sort_unstable();
    let (mut framer, mut messages) = (Framer::new(), Vec::new());
    for piece in at.windows(2) {
        if framer.push(&stream[piece[0]..piece[1]]).is_err() {
            return (messages, true);
        }
        loop {
            match framer.next() {
                Ok(Some(message)) => {
                    assert!(message.len() <= MAX_MESSAGE);
                    messages.push(message);
                }
                Ok(None) => break,
                Err(_) => return (messages, true),
            }
        }
    }
    (messages, false)
}

/// A message to a whole endpoint, and the time until the next one.
#[derive(Clone, Debug)]
pub struct Step {
    /// The message as it arrives.
    pub octets: Vec<u8>,
    /// Over TCP; otherwise over UDP.
    pub tcp: bool,
    /// From the trunk; otherwise from an unknown phone.
    pub trunk: bool,
    /// Milliseconds until the next message.
    pub pause: u16,
}

/// An endpoint keeps within its limits, answers in SIP, and lets nobody in who has not proven a password. Returns the statuses of
/// its responses.
pub fn endpoint(steps: &[Step], seed: u64) -> Vec<u16> {
    let mut statuses = Vec::new();
    let mut endpoint = Endpoint::new(settings(), ChaCha12Rng::seed_from_u64(seed));
    let mut now = Time::from_secs(1_000);
    for step in steps {
        let (flow, bytes) = (flow(step), Bytes::copy_from_slice(&step.octets));
        endpoint.handle_input(now, Input::Message { flow, bytes });
        let calls = drained(&mut endpoint, &mut statuses);
        for leg in calls.into_iter().filter(|_| step.pause % 40 == 0) {
            endpoint.answer(now, leg, Bytes::from_static(b"v=0\r\n"));
        }
        now += Duration::from_millis(u64::from(step.pause));
        endpoint.handle_timeout(now);
        let counts = endpoint.counts();
        assert!(counts.transactions <= 64 && counts.dialogs <= 16);
    }
    drained(&mut endpoint, &mut statuses);
    statuses
}

/// The calls that arrived. The statuses of the responses sent go to the others.
fn drained(endpoint: &mut Endpoint, statuses: &mut Vec<u16>) -> Vec<LegId> {
    let mut calls = Vec::new();
    while let Some(output) = endpoint.poll_output() {
        match output {
            Output::Transmit { bytes, .. } => statuses.extend(ours(bytes).status().map(Status::code)),
            Output::Event(Event::Invite(invite)) => calls.push(invite.leg),
            Output::Event(Event::Binding { .. }) => panic!("no password was given"),
            Output::Event(_) => {}
        }
    }
    calls
}

/// A message that we send can be read. Header fields that a response copies are the sender's.
fn ours(bytes: Bytes) -> Message {
    Message::parse(bytes).expect("we speak SIP")
}

fn flow(step: &Step) -> Flow {
    Flow {
        transport: if step.tcp { Transport::Tcp } else { Transport::Udp },
        local: SocketAddr::from(([127, 0, 0, 1], 5060)),
        remote: if step.trunk {
            ([127, 0, 0, 2], 5070).into()
        } else {
            ([127, 0, 0, 9], 5090).into()
        },
    }
}

fn settings() -> Settings {
    let mut settings = Settings::new("pronto.example");
    let operator = OperatorId::new("101").expect("a legal id");
    let ha1 = Ha1::from_password("101", "pronto.example", &Secret::new("secret"));
    settings.listen = vec![(Transport::Udp, SocketAddr::from(([127, 0, 0, 1], 5060)))];
    settings.operators.insert(operator, ha1);
    settings.trunks = vec![Trunk::new(
        TrunkName::new("carrier").expect("a name"),
        vec!["127.0.0.2/32".parse().expect("a network")],
    )];
    settings.limits.transactions = 64;
    settings.limits.dialogs = 16;
    settings
}
