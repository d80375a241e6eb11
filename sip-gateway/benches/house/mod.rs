//! A gateway without sockets, media threads, disk and link, for the benches of its core.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use pronto_gateway::journal::Entry;
use pronto_gateway::trace::{Limits, Ring};
use pronto_gateway::{Answer, Gateway, Input, Number, Output, Prompts, Settings};
use pronto_ivr::Script;
use pronto_media::{Clip, Command, Event, Stats};
use pronto_sip as sip;
use pronto_types::link::Event as Seen;
use pronto_types::{Language, TicketId, Time, TrunkName};
use rand::SeedableRng;
use rand_chacha::ChaCha12Rng;

/// A gateway, its trace ring, and a caller who writes what SIPp writes.
pub(crate) struct House {
    pub(crate) now: Time,
    pub(crate) gateway: Gateway,
    pub(crate) ring: Ring,
    port: u16,
    /// Datagrams sent to the caller.
    pub(crate) received: Vec<Bytes>,
    /// Where the caller is.
    pub(crate) caller: sip::Flow,
    /// The tickets of the callers who joined a queue.
    pub(crate) tickets: Vec<TicketId>,
    /// Steps are measured: the longest so far.
    pub(crate) longest: Option<Duration>,
}

impl House {
    pub(crate) fn open(ring: usize) -> Self {
        House::with(settings(), sip::Settings::new("pronto.example"), ring, "")
    }

    /// With settings of one's own, and bindings of an earlier life.
    pub(crate) fn with(settings: Settings, mut endpoint: sip::Settings, ring: usize, bindings: &str) -> Self {
        let local = SocketAddr::from(([127, 0, 0, 1], 5060));
        endpoint.listen = vec![(sip::Transport::Udp, local)];
        let allow = vec!["127.0.0.0/8".parse().expect("a network")];
        endpoint
            .trunks
            .push(sip::Trunk::new(TrunkName::new("carrier").expect("a name"), allow));
        endpoint.keep_dialogs = true;
        let now = Time::from_secs(1_000);
        let mut endpoint = sip::Endpoint::new(endpoint, ChaCha12Rng::seed_from_u64(1));
        endpoint.restore_bindings(now, bindings);
        let gateway = Gateway::new(Arc::new(settings), endpoint, ChaCha12Rng::seed_from_u64(2));
        let limits = Limits {
            calls: ring,
            octets: 16 << 20,
        };
        let mut house = House {
            now,
            gateway,
            ring: Ring::new(limits),
            port: 20_000,
            received: Vec::new(),
            caller: sip::Flow {
                transport: sip::Transport::Udp,
                local,
                remote: SocketAddr::from(([127, 0, 0, 2], 5060)),
            },
            tickets: Vec::new(),
            longest: None,
        };
        house.input(Input::Attached { have: 0 });
        house
    }

    pub(crate) fn input(&mut self, input: Input) {
        let said = self.step(|gateway, now| gateway.handle_input(now, input));
        self.say(said);
    }

    /// One step, as the control task makes it: the core is told something, and what it wants is carried out. Returns what
    /// the media threads answer.
    fn step(&mut self, tell: impl FnOnce(&mut Gateway, Time)) -> Vec<Event> {
        let began = self.longest.is_some().then(Instant::now);
        tell(&mut self.gateway, self.now);
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
                Output::Record(Entry {
                    event: Seen::Joined { ticket, .. },
                    ..
                }) => self.tickets.push(ticket),
                Output::Media(_)
                | Output::Recording(_)
                | Output::Record(_)
                | Output::Refused { .. }
                | Output::Entry(_) => {}
                Output::Dialog { change, .. } => drop(std::hint::black_box(change)),
            }
        }
        if let Some(began) = began {
            self.longest = self.longest.max(Some(began.elapsed()));
        }
        said
    }

    fn say(&mut self, said: Vec<Event>) {
        for event in said {
            self.input(Input::Media(event));
        }
        if self.gateway.awaits().is_some() {
            let number = self.gateway.last_entry();
            self.input(Input::Durable { number });
        }
    }

    pub(crate) fn message(&mut self, text: impl Into<Bytes>) {
        let (flow, bytes) = (self.caller, text.into());
        self.ring.received(self.now, flow, &bytes);
        self.input(Input::Sip(sip::Input::Message { flow, bytes }));
    }

    fn via(&self) -> &'static str {
        self.caller.transport.as_str()
    }

    /// The caller dials; our tag.
    pub(crate) fn dial(&mut self, call: u32) -> String {
        let sdp = "v=0\r\no=sipp 1 1 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\n\
            m=audio 6000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n\
            a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\n";
        self.received.clear();
        self.message(format!(
            "INVITE sip:800@127.0.0.1:5060 SIP/2.0\r\nVia: SIP/2.0/{} 127.0.0.2:5060;branch=z9hG4bK-1-{call}-0;rport\r\n\
             From: \"SIPp\" <sip:sipp@127.0.0.2:5060>;tag=1s{call}\r\nTo: <sip:800@127.0.0.1:5060>\r\n\
             Call-ID: {call}-1@127.0.0.2\r\nCSeq: 1 INVITE\r\nContact: <sip:sipp@127.0.0.2:5060;transport=UDP>\r\n\
             Max-Forwards: 70\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
            self.via(),
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

    pub(crate) fn within(&mut self, call: u32, tag: &str, method: &str, cseq: u32) {
        self.message(format!(
            "{method} sip:127.0.0.1:5060 SIP/2.0\r\nVia: SIP/2.0/{} 127.0.0.2:5060;branch=z9hG4bK-1-{call}-{method};rport\r\n\
             From: \"SIPp\" <sip:sipp@127.0.0.2:5060>;tag=1s{call}\r\nTo: <sip:800@127.0.0.1:5060>;tag={tag}\r\n\
             Call-ID: {call}-1@127.0.0.2\r\nCSeq: {cseq} {method}\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
            self.via()
        ));
    }

    pub(crate) fn hang_up(&mut self, call: u32, tag: &str) {
        self.received.clear();
        self.within(call, tag, "BYE", 2);
        let confirmed = self
            .received
            .iter()
            .any(|bytes| bytes.starts_with(b"SIP/2.0 200 "));
        assert!(confirmed, "the BYE is confirmed");
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now += time;
        self.catch_up();
        let number = self.gateway.last_entry();
        self.input(Input::Acknowledged { number });
    }

    /// Makes every step that is due.
    pub(crate) fn catch_up(&mut self) {
        while self.gateway.poll_timeout().is_some_and(|at| at <= self.now) {
            let said = self.step(|gateway, now| gateway.handle_timeout(now));
            self.say(said);
        }
    }
}

pub(crate) fn settings() -> Settings {
    let flow = "start = \"main\"\n[main]\nsay = [\"welcome\"]\nhangup = true\n";
    let number = Number {
        dial: "800".to_owned(),
        flow: Arc::new(Script::parse(flow).expect("a flow")),
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
        inside: pronto_sip::Inside::default(),
        learn: true,
        reach: sip::sdp::Reach { v4: true, v6: false },
        prompts,
        max_calls: 100_000,
    }
}
