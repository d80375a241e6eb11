//! A simulated phone: the same SIP endpoint as the gateway's, with a person's habits around it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use pronto_sip as sip;
use pronto_sip::sdp;
use pronto_types::{OperatorId, Secret, Time};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;

use crate::net::{Datagram, between, exponential};

/// An action of a person with their phone, planned by the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Dial,
    Press(char),
    HangUp,
    Answer(sip::LegId),
    Decline(sip::LegId),
    HangUpLeg(sip::LegId),
    Register,
    Unregister,
    /// The phone loses power, without a word.
    Vanish,
}

/// How an operator takes calls.
#[derive(Clone, Debug)]
pub(crate) struct Habits {
    pub(crate) ignores: f64,
    pub(crate) declines: f64,
    pub(crate) answers_after: (Duration, Duration),
    pub(crate) talks: Duration,
    pub(crate) hangs_up_first: f64,
}

/// The person who holds the phone.
pub(crate) enum Person {
    Caller {
        number: String,
        leg: Option<sip::LegId>,
        media_port: Option<u16>,
        over: bool,
    },
    Operator {
        id: OperatorId,
        habits: Habits,
        calls: BTreeMap<sip::LegId, Stage>,
        registration: Option<sip::RegistrationId>,
    },
}

/// How far a call at an operator's phone is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Ringing,
    Answered,
}

pub(crate) struct Phone {
    pub(crate) address: SocketAddr,
    pub(crate) gateway: SocketAddr,
    pub(crate) sip: sip::Endpoint,
    pub(crate) person: Person,
    pub(crate) dice: ChaCha12Rng,
    /// Talks this phone had, for the totals.
    pub(crate) talks: u64,
}

/// An effect that a phone asks of the world.
pub(crate) enum Want {
    Send(Datagram),
    Plan(Duration, Act),
}

impl Phone {
    pub(crate) fn new(address: SocketAddr, gateway: SocketAddr, person: Person, seed: u64) -> Self {
        let listen = vec![(sip::Transport::Udp, address)];
        let settings = sip::Settings {
            listen,
            ..sip::Settings::new("pronto.example")
        };
        let endpoint = sip::Endpoint::new(settings, ChaCha12Rng::seed_from_u64(seed));
        let dice = ChaCha12Rng::seed_from_u64(seed ^ 0x5eed);
        Phone {
            address,
            gateway,
            sip: endpoint,
            person,
            dice,
            talks: 0,
        }
    }

    fn flow(&self) -> sip::Flow {
        sip::Flow {
            transport: sip::Transport::Udp,
            local: self.address,
            remote: self.gateway,
        }
    }

    pub(crate) fn receive(&mut self, now: Time, datagram: Datagram) -> Vec<Want> {
        let flow = sip::Flow {
            transport: sip::Transport::Udp,
            local: self.address,
            remote: datagram.from,
        };
        self.sip.handle_input(
            now,
            sip::Input::Message {
                flow,
                bytes: datagram.bytes,
            },
        );
        self.drain(now)
    }

    pub(crate) fn timeout(&mut self, now: Time) -> Vec<Want> {
        self.sip.handle_timeout(now);
        self.drain(now)
    }

    pub(crate) fn poll_timeout(&self) -> Option<Time> {
        self.sip.poll_timeout()
    }

    /// A caller who is done, with nothing left to retransmit, leaves the world.
    pub(crate) fn gone(&self) -> bool {
        let counts = self.sip.counts();
        matches!(self.person, Person::Caller { over: true, .. })
            && counts.transactions == 0
            && counts.dialogs == 0
    }

    fn media(&self) -> sdp::Local {
        sdp::Local {
            address: self.address.ip(),
            port: 40_000,
            session_id: 1,
            version: 1,
        }
    }

    pub(crate) fn act(&mut self, now: Time, act: Act) -> Vec<Want> {
        match act {
            Act::Dial => self.dial(now),
            Act::HangUp => {
                if let Person::Caller {
                    leg: Some(leg), over, ..
                } = &mut self.person
                {
                    *over = true;
                    let leg = *leg;
                    self.sip.hangup(now, leg, None);
                }
            }
            Act::Press(_) => {}
            Act::Answer(leg) => self.answer(now, leg),
            Act::Decline(leg) => {
                if self.stage(leg) == Some(Stage::Ringing) {
                    self.forget(leg);
                    let status = if self.dice.random_bool(0.5) {
                        sip::Status::BUSY_HERE
                    } else {
                        sip::Status::DECLINE
                    };
                    self.sip.reject(now, leg, status, None);
                }
            }
            Act::HangUpLeg(leg) => {
                if self.stage(leg).is_some() {
                    self.forget(leg);
                    self.sip.hangup(now, leg, None);
                }
            }
            Act::Register => self.register(now),
            Act::Unregister => {
                if let Person::Operator { registration, .. } = &mut self.person
                    && let Some(id) = registration.take()
                {
                    self.sip.unregister(now, id);
                }
            }
            Act::Vanish => self.vanish(),
        }
        self.drain(now)
    }

    fn dial(&mut self, now: Time) {
        let Person::Caller { number, .. } = &self.person else {
            return;
        };
        let uri = format!("sip:{number}@{}", self.gateway).into();
        let destination = sip::Destination {
            uri,
            flow: self.flow(),
        };
        let options = sip::InviteOptions {
            from_user: Some(format!("+3906{:07}", self.dice.next_u32() % 10_000_000)),
            from_display: None,
        };
        let offer = sdp::offer(&self.media());
        let placed = self.sip.invite(now, &destination, offer, options);
        if let Person::Caller { leg, .. } = &mut self.person {
            *leg = Some(placed);
        }
    }

    fn register(&mut self, now: Time) {
        let flow = self.flow();
        if let Person::Operator {
            id,
            registration: registration @ None,
            ..
        } = &mut self.person
        {
            let wanted = sip::Registration {
                user: id.as_str().to_owned(),
                password: Secret::new(format!("secret-{id}")),
                domain: "pronto.example".to_owned(),
                flow,
                expires: Duration::from_secs(300),
            };
            *registration = Some(self.sip.register(now, wanted));
        }
    }

    fn answer(&mut self, now: Time, leg: sip::LegId) {
        let Person::Operator { calls, .. } = &mut self.person else {
            return;
        };
        // A person answers one call at a time.
        if calls.values().any(|stage| *stage == Stage::Answered) {
            return;
        }
        if let Some(stage) = calls.get_mut(&leg) {
            *stage = Stage::Answered;
            self.talks += 1;
            let answer = sdp::offer(&self.media());
            self.sip.answer(now, leg, answer);
        }
    }

    fn vanish(&mut self) {
        let seed = self.dice.next_u64();
        let Person::Operator { id, habits, .. } = &self.person else {
            return;
        };
        let person = Person::Operator {
            id: id.clone(),
            habits: habits.clone(),
            calls: BTreeMap::new(),
            registration: None,
        };
        let talks = self.talks;
        *self = Phone::new(self.address, self.gateway, person, seed);
        self.talks = talks;
    }

    fn stage(&self, leg: sip::LegId) -> Option<Stage> {
        match &self.person {
            Person::Operator { calls, .. } => calls.get(&leg).copied(),
            Person::Caller { .. } => None,
        }
    }

    fn forget(&mut self, leg: sip::LegId) {
        if let Person::Operator { calls, .. } = &mut self.person {
            calls.remove(&leg);
        }
    }

    fn drain(&mut self, now: Time) -> Vec<Want> {
        let mut wants = Vec::new();
        while let Some(output) = self.sip.poll_output() {
            match output {
                sip::Output::Transmit { flow, bytes } => {
                    wants.push(Want::Send(Datagram {
                        from: flow.local,
                        to: flow.remote,
                        bytes,
                    }));
                }
                sip::Output::Event(event) => self.event(now, event, &mut wants),
            }
        }
        wants
    }

    fn event(&mut self, now: Time, event: sip::Event, wants: &mut Vec<Want>) {
        match &mut self.person {
            Person::Caller { media_port, over, .. } => match event {
                sip::Event::Answered { sdp, .. } => {
                    *media_port = sdp.as_deref().and_then(port_of);
                }
                sip::Event::Refused { .. } | sip::Event::Ended { .. } => *over = true,
                _ => {}
            },
            Person::Operator { .. } => self.operator_event(now, event, wants),
        }
    }

    fn operator_event(&mut self, now: Time, event: sip::Event, wants: &mut Vec<Want>) {
        let Person::Operator { habits, calls, .. } = &mut self.person else {
            return;
        };
        match event {
            sip::Event::Invite(invite) => {
                let leg = invite.leg;
                if calls.values().any(|stage| *stage == Stage::Answered) {
                    // The call may be one we have hung up on a moment ago, from the gateway's side: a phone says busy.
                    self.sip.reject(now, leg, sip::Status::BUSY_HERE, None);
                    return;
                }
                calls.insert(leg, Stage::Ringing);
                let draw: f64 = self.dice.random();
                let after = between(&mut self.dice, habits.answers_after.0, habits.answers_after.1);
                if draw < habits.declines {
                    wants.push(Want::Plan(after, Act::Decline(leg)));
                } else if draw >= habits.declines + habits.ignores {
                    wants.push(Want::Plan(after, Act::Answer(leg)));
                }
                self.sip.ring(now, leg);
            }
            sip::Event::Acknowledged { leg, .. } => {
                let (mean, first) = (habits.talks, habits.hangs_up_first);
                if self.dice.random_bool(first) {
                    let talk = exponential(&mut self.dice, mean);
                    wants.push(Want::Plan(talk, Act::HangUpLeg(leg)));
                }
            }
            sip::Event::Cancelled { leg, .. } | sip::Event::Ended { leg, .. } => {
                calls.remove(&leg);
            }
            _ => {}
        }
    }
}

/// The port of the first media line.
fn port_of(sdp: &[u8]) -> Option<u16> {
    let text = std::str::from_utf8(sdp).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("m=audio "))?;
    line.split(' ').next()?.parse().ok()
}
