//! What a signalling call costs the pure core: INVITE with SDP answered, ACK, BYE, the trace ring kept, on one processor,
//! without sockets, media threads, disk and link. And what memory is held: for a call that is up, and for the transactions
//! that linger after it (RFC 3261 §17.2: 32 seconds over UDP).
//!
//!     taskset -c 1 cargo bench --locked -p pronto-gateway --bench signalling
//!
//! The core's clock turns a millisecond a call, so that 32,000 ended calls linger, as at 1,000 calls a second.
#![allow(clippy::expect_used, reason = "a bench that cannot measure stops")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mimalloc::MiMalloc;
use pronto_gateway::trace::{Limits, Ring};
use pronto_gateway::{Answer, Gateway, Input, Number, Output, Prompts, Settings};
use pronto_ivr::Flow;
use pronto_media::{Clip, Command, Event, Stats};
use pronto_sip as sip;
use pronto_types::{Language, Time};
use rand::SeedableRng;
use rand_chacha::ChaCha12Rng;

/// The binary's allocator.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const CALLS: u32 = 100_000;
const TURN: Duration = Duration::from_millis(1);
/// 64*T1, and what is left of the last call.
const LINGER: Duration = Duration::from_secs(33);

/// A gateway, its trace ring, and a caller who writes what SIPp writes.
struct House {
    now: Time,
    gateway: Gateway,
    ring: Ring,
    port: u16,
    /// What the caller is sent.
    received: Vec<Bytes>,
}

impl House {
    fn open(ring: usize) -> Self {
        let local = SocketAddr::from(([127, 0, 0, 1], 5060));
        let mut endpoint = sip::Settings::new("pronto.example");
        endpoint.listen = vec![(sip::Transport::Udp, local)];
        let allow = vec!["127.0.0.0/8".parse().expect("a network")];
        endpoint.trunks.push(sip::Trunk {
            name: "carrier".to_owned(),
            allow,
        });
        endpoint.keep_dialogs = true;
        let endpoint = sip::Endpoint::new(endpoint, ChaCha12Rng::seed_from_u64(1));
        let gateway = Gateway::new(Arc::new(settings()), endpoint, ChaCha12Rng::seed_from_u64(2));
        let limits = Limits {
            calls: ring,
            octets: 16 << 20,
        };
        let mut house = House {
            now: Time::from_secs(1_000),
            gateway,
            ring: Ring::new(limits),
            port: 20_000,
            received: Vec::new(),
        };
        house.input(Input::Attached { have: 0 });
        house
    }

    fn input(&mut self, input: Input) {
        self.gateway.handle_input(self.now, input);
        self.settle();
    }

    fn settle(&mut self) {
        let mut said = Vec::new();
        while let Some(output) = self.gateway.poll_output() {
            match output {
                Output::Transmit { flow, bytes } => {
                    self.ring.sent(self.now, flow, &bytes);
                    self.received.push(bytes);
                }
                Output::Media(Command::Open { leg, .. }) => {
                    self.port = if self.port > 60_000 { 20_000 } else { self.port + 2 };
                    let local = SocketAddr::from(([127, 0, 0, 1], self.port));
                    said.push(Event::Opened { leg, local });
                }
                Output::Media(Command::Close { leg }) => said.push(Event::Closed {
                    leg,
                    stats: Stats::default(),
                }),
                Output::Leg { call, peer, call_id } => self.ring.claim(call, &peer, &call_id),
                Output::Media(_) | Output::Recording(_) | Output::Record(_) | Output::Entry(_) => {}
                Output::Dialog { change, .. } => drop(std::hint::black_box(change)),
            }
        }
        for event in said {
            self.input(Input::Media(event));
        }
        if self.gateway.awaits().is_some() {
            let number = self.gateway.last_entry();
            self.input(Input::Durable { number });
        }
    }

    fn message(&mut self, text: String) {
        let flow = sip::Flow {
            transport: sip::Transport::Udp,
            local: SocketAddr::from(([127, 0, 0, 1], 5060)),
            remote: SocketAddr::from(([127, 0, 0, 2], 5060)),
        };
        let bytes = Bytes::from(text);
        self.ring.received(self.now, flow, &bytes);
        self.input(Input::Sip(sip::Input::Message { flow, bytes }));
    }

    /// The caller dials; our tag.
    fn dial(&mut self, call: u32) -> String {
        let sdp = "v=0\r\no=sipp 1 1 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\n\
            m=audio 6000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n\
            a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\n";
        self.received.clear();
        self.message(format!(
            "INVITE sip:800@127.0.0.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bK-1-{call}-0;rport\r\n\
             From: \"SIPp\" <sip:sipp@127.0.0.2:5060>;tag=1s{call}\r\nTo: <sip:800@127.0.0.1:5060>\r\n\
             Call-ID: {call}-1@127.0.0.2\r\nCSeq: 1 INVITE\r\nContact: <sip:sipp@127.0.0.2:5060;transport=UDP>\r\n\
             Max-Forwards: 70\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
            sdp.len()
        ));
        let answer = self.received.last().expect("the call is answered");
        let answer = std::str::from_utf8(answer).expect("ASCII");
        assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
        let to = answer.lines().find(|line| line.starts_with("To:")).expect("To");
        let tag = to.split_once(";tag=").expect("a tag").1.to_owned();
        self.within(call, &tag, "ACK", 1);
        tag
    }

    fn within(&mut self, call: u32, tag: &str, method: &str, cseq: u32) {
        self.message(format!(
            "{method} sip:127.0.0.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bK-1-{call}-{method};rport\r\n\
             From: \"SIPp\" <sip:sipp@127.0.0.2:5060>;tag=1s{call}\r\nTo: <sip:800@127.0.0.1:5060>;tag={tag}\r\n\
             Call-ID: {call}-1@127.0.0.2\r\nCSeq: {cseq} {method}\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        ));
    }

    fn hang_up(&mut self, call: u32, tag: &str) {
        self.received.clear();
        self.within(call, tag, "BYE", 2);
        let confirmed = self
            .received
            .iter()
            .any(|bytes| bytes.starts_with(b"SIP/2.0 200 "));
        assert!(confirmed, "the BYE is confirmed");
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        if self.gateway.poll_timeout().is_some_and(|at| at <= self.now) {
            self.gateway.handle_timeout(self.now);
            self.settle();
        }
        let number = self.gateway.last_entry();
        self.input(Input::Acknowledged { number });
    }
}

fn settings() -> Settings {
    let flow = "start = \"main\"\n[main]\nsay = [\"welcome\"]\nhangup = true\n";
    let number = Number {
        dial: "800".to_owned(),
        flow: Arc::new(Flow::parse(flow).expect("a flow")),
        language: Language::English,
        answer: Answer::AtOnce,
    };
    let mut prompts = Prompts::default();
    prompts.insert(Language::English, "welcome", Clip::from_pcm16_8k(&[0; 8_000]));
    Settings {
        numbers: BTreeMap::from([("800".to_owned(), number)]),
        max_wait: BTreeMap::new(),
        queue_away: Duration::from_secs(60),
        recorded: BTreeMap::new(),
        advertise: None,
        learn: true,
        prompts,
        max_calls: 100_000,
    }
}

fn cost() -> Duration {
    let mut house = House::open(1_000);
    let mut start = Instant::now();
    for call in 0..CALLS + 33_000 {
        if call == 33_000 {
            // As many linger now as at any time from here on.
            start = Instant::now();
        }
        let tag = house.dial(call);
        house.hang_up(call, &tag);
        house.pass(TURN);
    }
    start.elapsed() / CALLS
}

/// Octets of resident memory.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .expect("VmRSS");
    let kibibytes: usize = line
        .split_ascii_whitespace()
        .nth(1)
        .and_then(|n| n.parse().ok())
        .expect("kB");
    kibibytes << 10
}

/// Octets for a call that is up, its INVITE's transaction gone.
fn of_a_call() -> usize {
    const UP: u32 = 8_000;
    let mut house = House::open(0);
    // What is set up once, and in use again after it.
    let tag = house.dial(UP);
    house.hang_up(UP, &tag);
    house.pass(LINGER);
    let before = resident();
    for call in 0..UP {
        house.dial(call);
        if call % 500 == 499 {
            // The transactions of these are gone before the next are.
            house.pass(LINGER);
        }
    }
    let counts = house.gateway.sip_counts();
    assert_eq!((counts.transactions, counts.dialogs), (0, UP as usize));
    (resident() - before) / UP as usize
}

/// Octets for a transaction that lingers: of each call its INVITE's and its BYE's.
fn of_a_transaction() -> usize {
    let mut house = House::open(0);
    let before = resident();
    for call in 0..32_000 {
        let tag = house.dial(call);
        house.hang_up(call, &tag);
        house.pass(Duration::ZERO);
    }
    let lingering = house.gateway.sip_counts().transactions;
    let octets = (resident() - before) / lingering;
    assert_eq!(lingering, 64_000);
    house.pass(LINGER);
    let counts = house.gateway.sip_counts();
    assert_eq!((counts.transactions, counts.dialogs), (0, 0), "none is left");
    octets
}

/// Its name, how it is done, and of what it is.
type Measurement = (&'static str, fn() -> usize, &'static str);

/// A measurement of memory has a process of its own: nothing is free in it that something else needed.
const MEASUREMENTS: [Measurement; 2] = [
    ("call", of_a_call, "a call that is up"),
    ("transaction", of_a_transaction, "a transaction that lingers"),
];

fn main() {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    if let Some((_, measure, what)) = MEASUREMENTS.iter().find(|(name, ..)| *name == wanted) {
        println!("{what}: {} octets, resident", measure());
        return;
    }
    let own = std::env::current_exe().expect("Linux");
    for (name, ..) in MEASUREMENTS {
        let ended = std::process::Command::new(&own).arg(name).status();
        assert!(ended.is_ok_and(|status| status.success()), "{name} was measured");
    }
    let mut costs: Vec<Duration> = (0..3).map(|_| cost()).collect();
    costs.sort();
    println!(
        "a signalling call in the core: {:.1} µs (median of three)",
        costs[1].as_secs_f64() * 1e6
    );
}
