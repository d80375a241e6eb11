//! The whole house in virtual time: real gateway and engine cores, phones, a lossy wire, a link that breaks, a store
//! that forgets on a crash. One seed, one history.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use pronto_engine as engine;
use pronto_gateway::Input;
use pronto_gateway::journal::Entry;
use pronto_media::Event as MediaEvent;
use pronto_sip as sip;
use pronto_types::link::{Directive, Event};
use pronto_types::{Digit, GatewayName, Time};
use rand::SeedableRng;
use rand_chacha::ChaCha12Rng;

use crate::gateway::{self, GatewayNode};
use crate::net::{Agenda, Datagram, Wire, between};
use crate::phone::{self, Act, Person, Phone, Stage};
use crate::queue::{Down, QueueNode};
use crate::spoken::Delivered;

/// How often the fold of the facts is held against the live state, in steps.
const FOLD_EVERY: u64 = 5_000;

/// An event that the world has planned.
pub(crate) enum Happening {
    Datagram(Datagram),
    Act(SocketAddr, Act),
    Media {
        gateway: usize,
        epoch: u64,
        event: MediaEvent,
    },
    Up {
        session: u64,
        entry: Entry,
    },
    Down {
        session: u64,
        down: Down,
    },
    Attach {
        gateway: usize,
    },
    CutLink {
        gateway: usize,
        away: Duration,
    },
    CrashQueue {
        away: Duration,
    },
    StartQueue,
    CrashGateway {
        gateway: usize,
        away: Duration,
    },
    StartGateway {
        gateway: usize,
    },
    Arrive(Box<Arrival>),
}

/// A caller to be.
pub(crate) struct Arrival {
    pub(crate) number: String,
    pub(crate) acts: Vec<(Duration, Act)>,
}

/// One link between a gateway and the queue.
struct Link {
    gateway: usize,
    epoch: u64,
    /// Messages arrive in order: not before this.
    up_at: Time,
    down_at: Time,
}

pub(crate) struct World {
    pub(crate) now: Time,
    pub(crate) agenda: Agenda<Happening>,
    pub(crate) gateways: Vec<GatewayNode>,
    pub(crate) queue: QueueNode,
    pub(crate) phones: BTreeMap<SocketAddr, Phone>,
    pub(crate) dice: ChaCha12Rng,
    pub(crate) wire: Wire,
    links: BTreeMap<u64, Link>,
    next_session: u64,
    next_caller: u32,
    pub(crate) steps: u64,
    pub(crate) link_losses: u32,
    pub(crate) gateway_crashes: u32,
    pub(crate) arrived: u64,
    /// The announcements that reached a gateway.
    pub(crate) delivered: Vec<Delivered>,
    /// The first failure found, in words; `None`: no failure so far.
    pub(crate) broken: Option<String>,
}

impl World {
    pub(crate) fn new(
        seed: u64,
        start: Time,
        queue: QueueNode,
        gateways: Vec<GatewayNode>,
        wire: Wire,
    ) -> Self {
        World {
            now: start,
            agenda: Agenda::default(),
            gateways,
            queue,
            phones: BTreeMap::new(),
            dice: ChaCha12Rng::seed_from_u64(seed),
            wire,
            links: BTreeMap::new(),
            next_session: 0,
            next_caller: 0,
            steps: 0,
            link_losses: 0,
            gateway_crashes: 0,
            arrived: 0,
            delivered: Vec::new(),
            broken: None,
        }
    }

    /// Starts the queue service and the gateways.
    pub(crate) fn open(&mut self) {
        self.queue.start(self.now);
        self.release();
        for index in 0..self.gateways.len() {
            self.start_gateway(index);
        }
    }

    /// Plays until `end`, or until an invariant breaks.
    pub(crate) fn run_until(&mut self, end: Time) {
        while self.broken.is_none() {
            let next = self.next_at();
            if next > end {
                self.now = end;
                return;
            }
            self.now = self.now.max(next);
            self.step();
        }
    }

    fn next_at(&self) -> Time {
        let phones = self.phones.values().filter_map(Phone::poll_timeout);
        let gateways = self.gateways.iter().filter_map(GatewayNode::poll_timeout);
        let own = [self.agenda.next_at(), self.queue.poll_timeout()]
            .into_iter()
            .flatten();
        phones.chain(gateways).chain(own).min().unwrap_or(Time::MAX)
    }

    fn step(&mut self) {
        self.steps += 1;
        let now = self.now;
        while let Some(happening) = self.agenda.pop_due(now) {
            self.happen(happening);
        }
        self.queue.timeout(now);
        self.release();
        for index in 0..self.gateways.len() {
            if self.gateways[index].poll_timeout().is_some_and(|at| at <= now) {
                let wants = self.gateways[index].timeout(now);
                self.gateway_wants(index, wants);
            }
        }
        let due: Vec<_> = self
            .phones
            .iter()
            .filter(|(_, p)| p.poll_timeout().is_some_and(|at| at <= now))
            .collect();
        let due: Vec<_> = due.into_iter().map(|(address, _)| *address).collect();
        for address in due {
            let wants = self.phones.get_mut(&address).map(|phone| phone.timeout(now));
            self.phone_wants(address, wants.unwrap_or_default());
        }
        self.check();
    }

    fn happen(&mut self, happening: Happening) {
        let now = self.now;
        match happening {
            Happening::Datagram(datagram) => self.deliver(datagram),
            Happening::Act(address, act) => self.act(address, act),
            Happening::Media {
                gateway,
                epoch,
                event,
            } => {
                let node = &mut self.gateways[gateway];
                if node.epoch == epoch && node.core.is_some() && node.media.still_true(&event) {
                    let wants = node.input(now, Input::Media(event));
                    self.gateway_wants(gateway, wants);
                }
            }
            Happening::Up { session, entry } => self.up(session, entry),
            Happening::Down { session, down } => self.down(session, down),
            Happening::Attach { gateway } => self.attach(gateway),
            Happening::CutLink { gateway, away } => {
                if self.cut(gateway) {
                    self.link_losses += 1;
                    self.agenda.plan(now + away, Happening::Attach { gateway });
                }
            }
            Happening::CrashQueue { away } => {
                if self.queue.engine.is_some() {
                    let gateways: Vec<_> = self.links.values().map(|link| link.gateway).collect();
                    self.queue.crash();
                    for gateway in gateways {
                        self.cut(gateway);
                    }
                    self.agenda.plan(now + away, Happening::StartQueue);
                }
            }
            Happening::StartQueue => {
                self.queue.start(now);
                self.release();
                for gateway in 0..self.gateways.len() {
                    let back_off = between(&mut self.dice, Duration::ZERO, Duration::from_millis(250));
                    self.agenda.plan(now + back_off, Happening::Attach { gateway });
                }
            }
            Happening::CrashGateway { gateway, away } => {
                if self.gateways[gateway].core.is_some() {
                    self.gateway_crashes += 1;
                    self.cut(gateway);
                    self.gateways[gateway].crash();
                    self.agenda.plan(now + away, Happening::StartGateway { gateway });
                }
            }
            Happening::StartGateway { gateway } => self.start_gateway(gateway),
            Happening::Arrive(arrival) => self.arrive(*arrival),
        }
    }

    fn start_gateway(&mut self, gateway: usize) {
        let wants = self.gateways[gateway].start(self.now);
        self.gateway_wants(gateway, wants);
        self.agenda
            .plan(self.now + Duration::from_millis(1), Happening::Attach { gateway });
    }

    fn deliver(&mut self, datagram: Datagram) {
        let now = self.now;
        if let Some(index) = self.gateways.iter().position(|node| node.address == datagram.to) {
            let transport = sip::Transport::Udp;
            let flow = sip::Flow {
                transport,
                local: datagram.to,
                remote: datagram.from,
            };
            let input = Input::Sip(sip::Input::Message {
                flow,
                bytes: datagram.bytes,
            });
            let wants = self.gateways[index].input(now, input);
            self.gateway_wants(index, wants);
        } else if let Some(phone) = self.phones.get_mut(&datagram.to) {
            let address = datagram.to;
            let wants = phone.receive(now, datagram);
            self.phone_wants(address, wants);
        }
    }

    fn act(&mut self, address: SocketAddr, act: Act) {
        let now = self.now;
        if let Act::Press(key) = act {
            return self.press(address, key);
        }
        if let Some(phone) = self.phones.get_mut(&address) {
            let wants = phone.act(now, act);
            self.phone_wants(address, wants);
        }
    }

    /// A key travels in the media: the model hands it to the leg the phone was told to send to.
    fn press(&mut self, address: SocketAddr, key: char) {
        let Some(phone) = self.phones.get(&address) else {
            return;
        };
        let Person::Caller {
            media_port: Some(port),
            over: false,
            ..
        } = phone.person
        else {
            return;
        };
        let Some(digit) = Digit::from_char(key) else {
            return;
        };
        let Some(index) = self
            .gateways
            .iter()
            .position(|node| node.address == phone.gateway)
        else {
            return;
        };
        if self.gateways[index].core.is_none() {
            return;
        }
        if let Some(leg) = self.gateways[index].media.leg_at(port) {
            let bridged = self.gateways[index].media.is_bridged(leg);
            let pressed = MediaEvent::Digit { leg, digit, bridged };
            let wants = self.gateways[index].input(self.now, Input::Media(pressed));
            self.gateway_wants(index, wants);
        }
    }

    fn arrive(&mut self, arrival: Arrival) {
        self.arrived += 1;
        self.next_caller += 1;
        let [_, a, b, c] = self.next_caller.to_be_bytes();
        let address = SocketAddr::from((
            Ipv4Addr::new(127, a, b, c.max(1)),
            5060 + (self.next_caller % 7) as u16,
        ));
        let gateway = self.gateways[self.next_caller as usize % self.gateways.len()].address;
        let person = Person::Caller {
            number: arrival.number,
            leg: None,
            media_port: None,
            over: false,
        };
        let seed =
            u64::from(self.next_caller).wrapping_mul(0x9e37_79b9) ^ rand::Rng::next_u64(&mut self.dice);
        self.phones
            .insert(address, Phone::new(address, gateway, person, seed));
        for (after, act) in arrival.acts {
            self.agenda.plan(self.now + after, Happening::Act(address, act));
        }
    }

    fn phone_wants(&mut self, address: SocketAddr, wants: Vec<phone::Want>) {
        for want in wants {
            match want {
                phone::Want::Send(datagram) => self.send(datagram),
                phone::Want::Plan(after, act) => {
                    self.agenda.plan(self.now + after, Happening::Act(address, act))
                }
            }
        }
        if self.phones.get(&address).is_some_and(Phone::gone) {
            self.phones.remove(&address);
        }
    }

    fn gateway_wants(&mut self, index: usize, wants: Vec<gateway::Want>) {
        let epoch = self.gateways[index].epoch;
        for want in wants {
            match want {
                gateway::Want::Send(datagram) => self.send(datagram),
                gateway::Want::Media(after, event) => {
                    self.agenda.plan(
                        self.now + after,
                        Happening::Media {
                            gateway: index,
                            epoch,
                            event,
                        },
                    );
                }
                gateway::Want::Entry(entry) => self.send_up(index, entry),
            }
        }
    }

    fn send(&mut self, datagram: Datagram) {
        for at in self.wire.arrivals(self.now, &mut self.dice) {
            self.agenda.plan(at, Happening::Datagram(datagram.clone()));
        }
    }

    // The link: an ordered stream with a delay; when it is cut, what is under way is lost both ways.

    fn attach(&mut self, gateway: usize) {
        let up = self.gateways[gateway].core.is_some() && self.queue.engine.is_some();
        if !up || self.links.values().any(|link| link.gateway == gateway) {
            return;
        }
        self.next_session += 1;
        let epoch = self.gateways[gateway].epoch;
        let link = Link {
            gateway,
            epoch,
            up_at: self.now,
            down_at: self.now,
        };
        self.links.insert(self.next_session, link);
        let name = self.gateways[gateway].name.clone();
        let last = self.gateways[gateway]
            .core
            .as_ref()
            .map_or(0, pronto_gateway::Gateway::last_entry);
        self.queue
            .sessions
            .insert(name.clone(), (epoch, self.next_session));
        self.queue.input(
            self.now,
            engine::Input::Attached {
                gateway: name.clone(),
                epoch,
                last,
                instance: epoch,
            },
        );
        let queues = self.gateways[gateway].forecasts();
        let follow = engine::Input::Follow {
            gateway: name,
            epoch,
            queues,
        };
        self.queue.input(self.now, follow);
        self.release();
    }

    /// Cuts the link; true if there was one.
    fn cut(&mut self, gateway: usize) -> bool {
        let Some(session) = self
            .links
            .iter()
            .find(|(_, l)| l.gateway == gateway)
            .map(|(s, _)| *s)
        else {
            return false;
        };
        let link = self.links.remove(&session);
        let name = self.gateways[gateway].name.clone();
        self.queue.sessions.remove(&name);
        if let Some(link) = link {
            self.queue.input(
                self.now,
                engine::Input::Detached {
                    gateway: name,
                    epoch: link.epoch,
                },
            );
            self.release();
        }
        // Losing the queue service never drops a talk nor cuts the music (invariant 12).
        let hearing = self.gateways[gateway].media.hearing();
        let wants = self.gateways[gateway].input(self.now, Input::Detached);
        if self.gateways[gateway].media.hearing() != hearing {
            self.broken = Some("what somebody hears changed because the link was lost".to_owned());
        }
        self.gateway_wants(gateway, wants);
        true
    }

    fn send_up(&mut self, gateway: usize, entry: Entry) {
        let delay = between(
            &mut self.dice,
            Duration::from_micros(50),
            Duration::from_millis(2),
        );
        if let Some((session, link)) = self.links.iter_mut().find(|(_, link)| link.gateway == gateway) {
            link.up_at = link.up_at.max(self.now + delay);
            self.agenda.plan(
                link.up_at,
                Happening::Up {
                    session: *session,
                    entry,
                },
            );
        }
    }

    fn up(&mut self, session: u64, entry: Entry) {
        let Some(link) = self.links.get(&session) else {
            return;
        };
        let gateway = self.gateways[link.gateway].name.clone();
        let age = self.now.since(entry.at);
        let input = engine::Input::Entry {
            gateway,
            epoch: link.epoch,
            number: entry.number,
            age,
            caller_key: None,
            event: entry.event,
        };
        self.queue.input(self.now, input);
        self.release();
    }

    /// Sends the outputs that the store releases down the links.
    fn release(&mut self) {
        for (gateway, epoch, down) in self.queue.drain(self.now, &mut self.dice) {
            let Some(&(current, session)) = self.queue.sessions.get(&gateway) else {
                continue;
            };
            if current != epoch {
                continue;
            }
            let delay = between(
                &mut self.dice,
                Duration::from_micros(50),
                Duration::from_millis(2),
            );
            if let Some(link) = self.links.get_mut(&session) {
                link.down_at = link.down_at.max(self.now + delay);
                self.agenda.plan(link.down_at, Happening::Down { session, down });
            }
        }
    }

    fn down(&mut self, session: u64, down: Down) {
        let Some(link) = self.links.get(&session) else {
            return;
        };
        let gateway = link.gateway;
        if let Down::Directive(Directive::Announce { announcement, .. }) = &down {
            self.delivered.push(Delivered {
                gateway,
                epoch: link.epoch,
                announcement: *announcement,
            });
        }
        let input = match down {
            Down::Welcome { have } => Input::Attached { have },
            Down::Acknowledged { number } => Input::Acknowledged { number },
            Down::Directive(directive) => Input::Directive(directive),
        };
        let wants = self.gateways[gateway].input(self.now, input);
        self.gateway_wants(gateway, wants);
    }

    // What may never happen.

    pub(crate) fn check(&mut self) {
        for node in self.gateways.iter().filter(|node| node.core.is_some()) {
            if let Some(leg) = node.media.forgotten(self.now) {
                self.broken = Some(format!("{}: {leg:?} hears nothing", node.name));
            }
        }
        let Some(engine) = &self.queue.engine else { return };
        if let Err(broken) = engine.check() {
            self.broken = Some(broken);
            return;
        }
        if self.steps.is_multiple_of(FOLD_EVERY) {
            self.check_fold();
        }
        for phone in self.phones.values() {
            if let Person::Operator { id, calls, .. } = &phone.person {
                let answered = calls.values().filter(|stage| **stage == Stage::Answered).count();
                if answered > 1 {
                    self.broken = Some(format!("{id:?} has {answered} calls at once"));
                }
            }
        }
    }

    /// The state is the fold of its facts.
    pub(crate) fn check_fold(&mut self) {
        let Some(engine) = &self.queue.engine else { return };
        let folded = engine::Engine::fold(self.queue.log.iter().cloned());
        self.queue.checked += 1;
        if folded.state() != engine.state() {
            self.broken = Some("the fold of the facts is not the live state".to_owned());
        }
    }

    /// Once everybody has gone home: nothing may be left.
    pub(crate) fn leftovers(&self) -> Vec<String> {
        let mut left = Vec::new();
        for node in &self.gateways {
            let Some(core) = &node.core else { continue };
            let (counts, sip) = (core.counts(), core.sip_counts());
            if counts.calls != 0 || counts.parting != 0 {
                left.push(format!("{}: {counts:?}", node.name));
            }
            if sip.dialogs != 0 || sip.transactions != 0 {
                left.push(format!(
                    "{}: {} dialogs, {} transactions",
                    node.name, sip.dialogs, sip.transactions
                ));
            }
            if !node.media.legs.is_empty() {
                left.push(format!("{}: {} media legs", node.name, node.media.legs.len()));
            }
            if node.records.begun != node.records.ended {
                left.push(format!(
                    "{}: {} begun, {} records",
                    node.name, node.records.begun, node.records.ended
                ));
            }
        }
        left
    }
}

/// The events of a gateway's journal that a test wants to count.
pub(crate) fn count(node: &GatewayNode, wanted: impl Fn(&Event) -> bool) -> usize {
    node.journal.iter().filter(|event| wanted(event)).count()
}

/// The name a world gives its gateways.
pub(crate) fn gateway_name(index: usize) -> GatewayName {
    GatewayName::new(&format!("gw{}", index + 1)).expect("a legal name")
}
