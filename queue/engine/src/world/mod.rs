//! The engine's own world: gateways, phones, callers, a lossy network, a slow store and a queue service that crashes,
//! all from one seed, hours in milliseconds. After every step the invariants are asserted, the fold of the ledger is
//! compared with the live state, and an oracle judges the facts against the truth.

mod books;
mod dice;
mod gateway;
mod judge;
mod network;
mod oracle;
mod phones;
mod self_check;
mod spoken;
mod tests;
mod troubles;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use pronto_types::link::{Directive, Event};
use pronto_types::{AnnouncementId, OperatorId, QueueName, TicketId, Time};

use crate::fact::LedgerEntry;
use crate::{Configuration, Engine, Gate, OperatorSettings, Output, Overflow, QueueSettings, SignIn};
use dice::Dice;
use gateway::{Later, SimGateway};
use judge::Judge;

/// A message on its way up.
#[derive(Clone, Debug)]
enum Up {
    Hello {
        epoch: u64,
        last: u64,
    },
    Entry {
        epoch: u64,
        number: u64,
        age: Duration,
        event: Event,
    },
}

/// A message on its way down.
#[derive(Clone, Debug)]
enum Down {
    Welcome { have: u64 },
    Refuse,
    Directive(Directive),
    Acknowledge { number: u64 },
}

#[derive(Clone, Debug)]
enum Happening {
    Arrive,
    Up(usize, u64, Up),
    Down(usize, u64, Down),
    /// One side notices that a link is down.
    QueueNotices(usize, u64),
    GatewayNotices(usize, u64),
    Connect(usize),
    Later(usize, u64, Later),
    Commit(usize),
    StartQueue,
    Trouble,
    Reports(usize, OperatorId),
    /// An operator dials a number themselves.
    Dials,
}

/// One gateway's link, as both sides see it.
#[derive(Clone, Debug, Default)]
struct Wire {
    gateway: Option<u64>,
    queue: Option<u64>,
    welcomed: bool,
    /// Welcomes the queue still owes: what it says before the last one belongs to an older stream.
    owed: u32,
    up_busy: Time,
    down_busy: Time,
    broken_until: Time,
}

struct World {
    dice: Dice,
    now: Time,
    agenda: BTreeMap<(Time, u64), Happening>,
    count: u64,
    engine: Option<Engine>,
    gate: Gate,
    ledger: Vec<LedgerEntry>,
    durable: usize,
    judge: Judge,
    truth: BTreeMap<TicketId, Time>,
    gateways: Vec<SimGateway>,
    wires: Vec<Wire>,
    links: u64,
    /// Links that carry nothing any more.
    dead: BTreeSet<u64>,
    queues: Vec<QueueName>,
    operators: Vec<OperatorId>,
    configuration: Configuration,
    /// Announcements that arrived: at which gateway, in which epoch.
    delivered: BTreeMap<AnnouncementId, (usize, u64)>,
    /// No more troubles or callers after then.
    calm_from: Time,
    commits: u64,
    steps: u64,
    requests: u64,
    /// Operators asked to be ready, each with the number of facts before that.
    asked: Vec<(usize, OperatorId)>,
}

/// How a run ended well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Totals {
    facts: usize,
    joined: u64,
    answered: u64,
    lost: u64,
    regained: u64,
    reconnected: u64,
    skips: u64,
    expiries: u64,
    operators_lost: u64,
    overflows: u64,
    sent_back: u64,
    heard_whole: u64,
    heard_cut: u64,
}

fn configuration() -> Configuration {
    let queue = |name: &str| QueueSettings {
        ring: gateway::RING,
        max_wait: Duration::from_secs(240),
        overflow: Some(Overflow {
            to: QueueName::new(if name == "sales" { "support" } else { "sales" }).unwrap(),
            wait: Duration::from_secs(60),
        }),
        ..QueueSettings::new(QueueName::new(name).unwrap())
    };
    let queues = vec![queue("sales"), queue("support")];
    let operators = (0..6).map(|n| {
        let served = [n < 4, n >= 2];
        let served = queues
            .iter()
            .zip(served)
            .filter(|(_, serves)| *serves)
            .map(|(it, _)| it.name.clone());
        let id = OperatorId::new(&format!("10{n}")).unwrap();
        OperatorSettings {
            id,
            queues: served.collect(),
            sign_in: SignIn::Registration,
        }
    });
    let operators = operators.collect();
    Configuration {
        queues,
        operators,
        ..Configuration::default()
    }
}

impl World {
    fn new(seed: u64, length: Duration) -> Self {
        let configuration = configuration();
        let operators: Vec<OperatorId> = configuration.operators.iter().map(|it| it.id.clone()).collect();
        let queues: Vec<QueueName> = configuration.queues.iter().map(|it| it.name.clone()).collect();
        // 102 and 103 have a phone at both gateways.
        let at = |which: &[usize]| which.iter().map(|n| operators[*n].clone()).collect::<Vec<_>>();
        let max_wait = configuration.queues[0].max_wait;
        let gateways = vec![
            SimGateway::new("gw1", &at(&[0, 2, 3, 4]), max_wait),
            SimGateway::new("gw2", &at(&[1, 2, 3, 5]), max_wait),
        ];
        let now = Time::from_secs(1_000);
        let mut world = World {
            dice: Dice(seed),
            now,
            agenda: BTreeMap::new(),
            count: 0,
            engine: None,
            gate: Gate::new(0, 1_000),
            ledger: Vec::new(),
            durable: 0,
            judge: Judge::default(),
            truth: BTreeMap::new(),
            wires: vec![Wire::default(); gateways.len()],
            gateways,
            links: 0,
            dead: BTreeSet::new(),
            queues,
            operators,
            configuration,
            delivered: BTreeMap::new(),
            calm_from: now + length,
            commits: 0,
            steps: 0,
            requests: 0,
            asked: Vec::new(),
        };
        world.gateways[1].talkative = true;
        world.plan(now, Happening::StartQueue);
        for gateway in 0..world.gateways.len() {
            world.plan(now + Duration::from_millis(50), Happening::Connect(gateway));
            world.report_phones(gateway, 3_000);
        }
        world.plan(now + Duration::from_secs(5), Happening::Arrive);
        world.plan(now + Duration::from_secs(20), Happening::Dials);
        world.plan(now + Duration::from_secs(60), Happening::Trouble);
        world
    }

    fn plan(&mut self, at: Time, happening: Happening) {
        self.count += 1;
        self.agenda.insert((at.max(self.now), self.count), happening);
    }

    fn report_phones(&mut self, gateway: usize, within_ms: u64) {
        let phones: Vec<OperatorId> = self.gateways[gateway].phones.keys().cloned().collect();
        for operator in phones {
            let after = Duration::from_millis(self.dice.between(0, within_ms));
            self.plan(self.now + after, Happening::Reports(gateway, operator));
        }
    }

    /// Plays until calm, heals everything, waits for the last caller, and judges what is left.
    fn play(&mut self) -> Result<Totals, String> {
        let end = self.calm_from + Duration::from_secs(900);
        loop {
            let agenda = self
                .agenda
                .first_key_value()
                .map(|((at, _), _)| *at)
                .unwrap_or(Time::MAX);
            let timeout = self
                .engine
                .as_ref()
                .and_then(Engine::poll_timeout)
                .unwrap_or(Time::MAX);
            let next = agenda.min(timeout);
            if next > end {
                break;
            }
            self.now = self.now.max(next);
            if timeout <= agenda {
                let now = self.now;
                self.with_engine(|engine| engine.handle_timeout(now))?;
            } else if let Some((_, happening)) = self.agenda.pop_first() {
                self.happen(happening)?;
            }
        }
        self.judge_end()?;
        let oracle = &self.judge.oracle;
        Ok(Totals {
            facts: self.ledger.len(),
            joined: oracle.joined,
            answered: oracle.answered,
            lost: oracle.lost_count,
            regained: oracle.regained,
            reconnected: oracle.reconnected,
            skips: oracle.skips,
            expiries: oracle.expiries,
            operators_lost: oracle.operators_lost,
            overflows: oracle.overflows,
            sent_back: oracle.sent_back,
            heard_whole: oracle.spoken.whole,
            heard_cut: oracle.spoken.cut,
        })
    }

    fn with_engine(&mut self, act: impl FnOnce(&mut Engine)) -> Result<(), String> {
        let Some(engine) = &mut self.engine else {
            return Ok(());
        };
        act(engine);
        let mut facts = 0;
        while let Some(output) = engine.poll_output() {
            if let Some(recorded) = self.gate.push(output) {
                self.judge.take(&recorded, &self.truth)?;
                self.ledger.push(recorded);
                facts += 1;
            }
        }
        self.steps += 1;
        self.judge.judge_step(engine, self.now)?;
        if facts > 0 {
            let after = Duration::from_micros(self.dice.between(200, 5_000));
            self.plan(self.now + after, Happening::Commit(self.ledger.len()));
        }
        self.release();
        Ok(())
    }

    /// Sends what the gate lets through.
    fn release(&mut self) {
        while let Some(output) = self.gate.poll() {
            let (name, epoch, down) = match output {
                Output::Welcome { gateway, epoch, have } => (gateway, epoch, Down::Welcome { have }),
                Output::Refuse { gateway, epoch, .. } => (gateway, epoch, Down::Refuse),
                Output::Directive {
                    gateway,
                    epoch,
                    directive,
                } => (gateway, epoch, Down::Directive(directive)),
                Output::Acknowledge {
                    gateway,
                    epoch,
                    number,
                } => (gateway, epoch, Down::Acknowledge { number }),
                Output::Fact(_) | Output::Reply { .. } | Output::ConfigurationRefused(_) => continue,
            };
            let Some(which) = self.gateways.iter().position(|it| it.name == name) else {
                continue;
            };
            let current = self.gateways[which].epoch == epoch;
            let wire = &mut self.wires[which];
            if matches!(down, Down::Welcome { .. } | Down::Refuse) {
                wire.owed = wire.owed.saturating_sub(1);
            }
            if let Some(link) = wire.queue.filter(|_| wire.owed == 0 && current) {
                let at =
                    (self.now + Duration::from_micros(self.dice.between(200, 30_000))).max(wire.down_busy);
                wire.down_busy = at;
                self.plan(at, Happening::Down(which, link, down));
            }
        }
    }

    fn happen(&mut self, happening: Happening) -> Result<(), String> {
        match happening {
            Happening::Arrive => self.arrive(),
            Happening::Up(which, link, message) => return self.arrive_up(which, link, message),
            Happening::Down(which, link, message) => return self.arrive_down(which, link, message),
            Happening::QueueNotices(which, link) => return self.queue_notices(which, link),
            Happening::GatewayNotices(which, link) => self.gateway_notices(which, link),
            Happening::Connect(which) => self.connect(which),
            Happening::Later(which, epoch, later) => {
                if self.gateways[which].epoch == epoch {
                    let linked = self.wires[which].welcomed;
                    self.gateways[which].happen(self.now, later, linked, &mut self.dice);
                    self.follow(which);
                }
            }
            Happening::Commit(upto) => return self.commit(upto),
            Happening::StartQueue => return self.start_queue(),
            Happening::Trouble => return self.trouble(),
            Happening::Dials => self.dials(),
            Happening::Reports(which, operator) => {
                let lease = Duration::from_secs(90);
                self.gateways[which].register(self.now, &operator, lease, &mut self.dice);
                self.follow(which);
            }
        }
        Ok(())
    }

    fn arrive(&mut self) {
        if self.now >= self.calm_from {
            return;
        }
        let which = usize::from(self.dice.chance(50));
        let queue = self.dice.pick(&self.queues).clone();
        self.gateways[which].call(self.now, queue, &mut self.dice);
        self.follow(which);
        let gap = Duration::from_millis(self.dice.between(500, 24_000));
        self.plan(self.now + gap, Happening::Arrive);
    }

    fn dials(&mut self) {
        if self.now >= self.calm_from {
            return;
        }
        let which = usize::from(self.dice.chance(50));
        let operator = self.dice.pick(&self.operators).clone();
        self.gateways[which].dial(self.now, &operator, &mut self.dice);
        self.follow(which);
        let gap = Duration::from_millis(self.dice.between(10_000, 120_000));
        self.plan(self.now + gap, Happening::Dials);
    }

    fn commit(&mut self, upto: usize) -> Result<(), String> {
        if self.engine.is_some() && upto <= self.ledger.len() {
            self.durable = self.durable.max(upto);
            self.gate.durable(upto as u64);
            self.release();
            self.commits += 1;
            if self.commits.is_multiple_of(8) {
                self.judge_truth()?;
            }
        }
        Ok(())
    }
}
