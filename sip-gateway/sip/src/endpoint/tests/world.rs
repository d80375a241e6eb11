//! Endpoints on a virtual network that loses, repeats, delays and reorders from a seed. No real time passes.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use pronto_types::{OperatorId, Secret, Time, TrunkName};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha12Rng;

use crate::api::*;
use crate::settings::{Flow, Ha1, Settings, Transport, Trunk};
use crate::{Endpoint, Status};

pub(super) const OFFER: &[u8] =
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\n";
pub(super) const ANSWER: &[u8] =
    b"v=0\r\no=- 2 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 5000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n";

pub(super) fn offer() -> Bytes {
    Bytes::from_static(OFFER)
}

pub(super) fn answer() -> Bytes {
    Bytes::from_static(ANSWER)
}

/// The gateway, a trunk that calls it, and two phones of operator 101 and 102.
pub(super) const GATEWAY: usize = 0;
pub(super) const CALLER: usize = 1;
pub(super) const PHONE: usize = 2;
pub(super) const OTHER_PHONE: usize = 3;

pub(super) struct Weather {
    /// Lost messages per thousand.
    pub(super) loss: u32,
    pub(super) duplicates: u32,
    /// Delay of a message in milliseconds.
    pub(super) delay: u32,
    pub(super) jitter: u32,
}

pub(super) const FINE: Weather = Weather {
    loss: 0,
    duplicates: 0,
    delay: 5,
    jitter: 0,
};
pub(super) const STORM: Weather = Weather {
    loss: 150,
    duplicates: 100,
    delay: 10,
    jitter: 60,
};

pub(super) struct World {
    pub(super) now: Time,
    pub(super) nodes: Vec<(SocketAddr, Endpoint)>,
    pub(super) transport: Transport,
    pub(super) weather: Weather,
    /// Events so far: the time, the node and the event.
    pub(super) log: Vec<(Time, usize, Event)>,
    /// Messages sent so far, each with its sending node.
    pub(super) wire: Vec<(usize, Bytes)>,
    pub(super) rng: ChaCha12Rng,
    flying: BTreeMap<(Time, u64), (usize, Flow, Bytes)>,
    sent: u64,
}

pub(super) fn operator(id: &str) -> OperatorId {
    OperatorId::new(id).unwrap()
}

pub(super) fn address(node: usize) -> SocketAddr {
    format!("127.0.0.{}:{}", node + 1, 5060 + 10 * node)
        .parse()
        .unwrap()
}

pub(super) fn gateway_settings(transport: Transport) -> Settings {
    let mut settings = Settings::new("pronto.example");
    settings.listen = vec![(transport, address(GATEWAY))];
    settings.keep_dialogs = true;
    for id in ["101", "102"] {
        let ha1 = Ha1::from_password(id, "pronto.example", &Secret::new(format!("secret{id}")));
        settings.operators.insert(operator(id), ha1);
    }
    settings.trunks = vec![Trunk::new(
        TrunkName::new("carrier").unwrap(),
        vec!["127.0.0.2/32".parse().unwrap()],
    )];
    settings
}

impl World {
    pub(super) fn new(seed: u64, transport: Transport, weather: Weather) -> Self {
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        let mut nodes = Vec::new();
        for node in 0..4 {
            let settings = if node == GATEWAY {
                gateway_settings(transport)
            } else {
                let mut settings = Settings::new("pronto.example");
                settings.listen = vec![(transport, address(node))];
                settings.trunks = vec![Trunk::new(
                    TrunkName::new("all").unwrap(),
                    vec!["127.0.0.0/8".parse().unwrap()],
                )];
                settings
            };
            nodes.push((
                address(node),
                Endpoint::new(settings, ChaCha12Rng::seed_from_u64(rng.next_u64())),
            ));
        }
        World {
            now: Time::from_secs(1_000_000),
            nodes,
            transport,
            weather,
            log: Vec::new(),
            wire: Vec::new(),
            rng,
            flying: BTreeMap::new(),
            sent: 0,
        }
    }

    pub(super) fn flow(&self, from: usize, to: usize) -> Flow {
        Flow {
            transport: self.transport,
            local: address(from),
            remote: address(to),
        }
    }

    /// A command to a node, and what follows from it at once.
    pub(super) fn at<T>(&mut self, node: usize, command: impl FnOnce(&mut Endpoint, Time) -> T) -> T {
        let now = self.now;
        let result = command(&mut self.nodes[node].1, now);
        self.drain(node);
        result
    }

    pub(super) fn drain(&mut self, node: usize) {
        while let Some(output) = self.nodes[node].1.poll_output() {
            match output {
                Output::Event(event) => self.log.push((self.now, node, event)),
                Output::Transmit { flow, bytes } => {
                    self.wire.push((node, bytes.clone()));
                    self.fly(flow, bytes);
                }
            }
        }
    }

    fn roll(&mut self, per_thousand: u32) -> bool {
        self.rng.next_u32() % 1000 < per_thousand
    }

    fn fly(&mut self, flow: Flow, bytes: Bytes) {
        let Some(to) = self.nodes.iter().position(|(at, _)| *at == flow.remote) else {
            return;
        };
        let reliable = flow.transport == Transport::Tcp;
        if !reliable && self.roll(self.weather.loss) {
            return;
        }
        let copies = if !reliable && self.roll(self.weather.duplicates) {
            2
        } else {
            1
        };
        let seen = Flow {
            transport: flow.transport,
            local: flow.remote,
            remote: flow.local,
        };
        for _ in 0..copies {
            let jitter = if reliable || self.weather.jitter == 0 {
                0
            } else {
                self.rng.next_u32() % self.weather.jitter
            };
            let at = self.now + Duration::from_millis(u64::from(self.weather.delay + jitter));
            self.sent += 1;
            self.flying.insert((at, self.sent), (to, seen, bytes.clone()));
        }
    }

    /// When the next thing happens.
    fn next(&self) -> Option<Time> {
        let timers = self
            .nodes
            .iter()
            .filter_map(|(_, endpoint)| endpoint.poll_timeout());
        timers.chain(self.flying.keys().next().map(|(at, _)| *at)).min()
    }

    /// Lets time pass.
    pub(super) fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        let mut steps = 0;
        while let Some(at) = self.next().filter(|at| *at <= end) {
            steps += 1;
            assert!(steps < 200_000, "the world spins");
            self.now = at.max(self.now);
            while let Some((&key, _)) = self.flying.iter().next().filter(|((at, _), _)| *at <= self.now) {
                let (to, flow, bytes) = self.flying.remove(&key).unwrap();
                self.at(to, |endpoint, now| {
                    endpoint.handle_input(now, Input::Message { flow, bytes })
                });
            }
            for node in 0..self.nodes.len() {
                if self.nodes[node].1.poll_timeout().is_some_and(|at| at <= self.now) {
                    self.at(node, |endpoint, now| endpoint.handle_timeout(now));
                    let after = self.nodes[node].1.poll_timeout();
                    assert!(
                        after.is_none_or(|at| at > self.now),
                        "node {node} left a deadline behind"
                    );
                }
            }
        }
        self.now = end;
    }

    pub(super) fn run_ms(&mut self, millis: u64) {
        self.run(Duration::from_millis(millis));
    }

    pub(super) fn events(&self, node: usize) -> Vec<Event> {
        self.log
            .iter()
            .filter(|(_, n, _)| *n == node)
            .map(|(_, _, e)| e.clone())
            .collect()
    }

    /// The events of a leg, by name.
    pub(super) fn story(&self, node: usize, leg: LegId) -> Vec<&'static str> {
        self.log
            .iter()
            .filter(|(_, n, e)| *n == node && e.leg() == Some(leg))
            .map(|(_, _, e)| name(e))
            .collect()
    }

    /// The newest call that came in at a node.
    pub(super) fn incoming(&self, node: usize) -> Option<Invite> {
        self.events(node).into_iter().rev().find_map(|e| match e {
            Event::Invite(invite) => Some(invite),
            _ => None,
        })
    }

    /// The caller dials the gateway.
    pub(super) fn dial(&mut self) -> LegId {
        let options = InviteOptions {
            from_user: Some("+39061234567".into()),
            from_display: Some("Anna \"A\" Rossi".into()),
        };
        self.dial_with(CALLER, options)
    }

    fn dial_with(&mut self, node: usize, options: InviteOptions) -> LegId {
        let to = Destination {
            uri: Bytes::from_static(b"sip:800@pronto.example"),
            flow: self.flow(node, GATEWAY),
        };
        self.at(node, |e, now| e.invite(now, &to, offer(), options))
    }

    /// A call that is up: the caller's leg and the gateway's.
    pub(super) fn connected(&mut self) -> (LegId, LegId) {
        let caller = self.dial();
        self.run_ms(100);
        let leg = self.incoming(GATEWAY).expect("an INVITE").leg;
        self.at(GATEWAY, |e, now| e.answer(now, leg, answer()));
        self.run_ms(100);
        assert_eq!(self.story(GATEWAY, leg), ["Invite", "Acknowledged"]);
        assert_eq!(self.story(CALLER, caller), ["Answered"]);
        (caller, leg)
    }

    /// Registers an operator's phone.
    pub(super) fn enrol(&mut self, phone: usize, id: &str) -> RegistrationId {
        let registration = Registration {
            flow: self.flow(phone, GATEWAY),
            domain: "pronto.example".into(),
            user: id.into(),
            password: Secret::new(format!("secret{id}")),
            expires: Duration::from_secs(120),
        };
        self.at(phone, |e, now| e.register(now, registration))
    }

    /// An operator calls the gateway's number.
    pub(super) fn dial_as(&mut self, phone: usize, id: &str) -> LegId {
        let options = InviteOptions {
            from_user: Some(id.into()),
            from_display: None,
        };
        self.dial_with(phone, options)
    }

    /// The gateway rings an operator's newest phone.
    pub(super) fn ring(&mut self, id: &str) -> LegId {
        let to = self.nodes[GATEWAY]
            .1
            .bindings(&operator(id))
            .next()
            .expect("a binding")
            .destination();
        self.at(GATEWAY, |e, now| {
            e.invite(now, &to, offer(), InviteOptions::default())
        })
    }

    /// After 64 s nothing may be left of any call.
    pub(super) fn assert_clean(&mut self) {
        self.run(Duration::from_secs(65));
        for (node, (_, endpoint)) in self.nodes.iter().enumerate() {
            let counts = endpoint.counts();
            assert_eq!(counts.dialogs, 0, "dialogs at node {node}");
            if counts.registrations == 0 && counts.bindings == 0 {
                assert_eq!(counts.transactions, 0, "transactions at node {node}");
            }
            assert!(
                endpoint.leg_timers.is_empty() && endpoint.tags.is_empty() && endpoint.leg_flows.is_empty(),
                "indices"
            );
        }
    }

    /// Each leg that began has exactly one last event, and nothing after it.
    pub(super) fn assert_told_once(&self) {
        let mut last: BTreeMap<(usize, LegId), usize> = BTreeMap::new();
        for (_, node, event) in &self.log {
            let Some(leg) = event.leg() else { continue };
            let ends = last.entry((*node, leg)).or_default();
            assert_eq!(
                *ends, 0,
                "{event:?} after the last event of {leg:?} at node {node}"
            );
            if matches!(
                event,
                Event::Cancelled { .. }
                    | Event::Refused { .. }
                    | Event::Ended { .. }
                    | Event::Released { .. }
            ) {
                *ends += 1;
            }
        }
        for ((node, leg), ends) in last {
            assert_eq!(
                ends,
                1,
                "no last event for {leg:?} at node {node}: {:?}",
                self.story(node, leg)
            );
        }
    }

    /// How many messages a node sent that begin like this.
    pub(super) fn count_sent(&self, node: usize, start: &str) -> usize {
        self.wire
            .iter()
            .filter(|(n, bytes)| *n == node && bytes.starts_with(start.as_bytes()))
            .count()
    }
}

pub(super) fn name(event: &Event) -> &'static str {
    match event {
        Event::Invite(_) => "Invite",
        Event::Acknowledged { .. } => "Acknowledged",
        Event::Cancelled { .. } => "Cancelled",
        Event::Progress { .. } => "Progress",
        Event::Answered { .. } => "Answered",
        Event::Refused { .. } => "Refused",
        Event::Offer { .. } => "Offer",
        Event::Reoffered { .. } => "Reoffered",
        Event::Digit { .. } => "Digit",
        Event::Ended { .. } => "Ended",
        Event::Released { .. } => "Released",
        Event::Moved { .. } => "Moved",
        Event::Probed { .. } => "Probed",
        Event::Binding { .. } => "Binding",
        Event::Registered { .. } => "Registered",
        Event::RegistrationFailed { .. } => "RegistrationFailed",
        Event::BodyRefused { .. } => "BodyRefused",
    }
}

pub(super) const BUSY: Status = Status::BUSY_HERE;
