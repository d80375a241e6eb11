//! A working day of a centre, from a seed: eight hours, ten operators, hundreds of callers who hang up in every
//! state, phones that ring in vain, links that break and a queue service that is killed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pronto_engine::records::{CallRecords, TicketOutcome, Written};
use pronto_engine::{Configuration, EndedCounts, Fact, OperatorSettings, Overflow, QueueSettings, SignIn};
use pronto_gateway::{Answer, Number, Prompts, Settings};
use pronto_ivr::Flow;
use pronto_media::Clip;
use pronto_sip as sip;
use pronto_types::link::{CallOutcome, Event};
use pronto_types::{CallId, Language, OperatorId, QueueName, Secret, Time};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;

use crate::gateway::GatewayNode;
use crate::net::{Wire, between, exponential};
use crate::overflows;
use crate::phone::{Act, Habits, Person, Phone};
use crate::queue::QueueNode;
use crate::spoken::{self, Said};
use crate::world::{Arrival, Happening, World, count, gateway_name};

/// Monday, 08:00 UTC.
const OPENING: Time = Time::from_secs(1_767_600_000);
/// SIP's timers, the grace and the longest talk are over by then.
const CLOSING: Duration = Duration::from_secs(2 * 3600);

/// How a day is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) hours: u64,
    pub(crate) operators: u32,
    pub(crate) callers_an_hour: f64,
    pub(crate) gateways: u16,
    pub(crate) link_losses: u32,
    pub(crate) queue_restarts: u32,
    pub(crate) gateway_crashes: u32,
    /// Everybody hangs up at the moment somebody else answers or hangs up, within ±50 ms.
    pub(crate) races: bool,
    /// Menus say waits, the flow goes on by them, and who waits too long in one queue goes on in the other.
    pub(crate) by_wait: bool,
}

/// Two choices, each with its wait; too long a wait for support is told at once.
const BY_WAIT: &str = r#"
start = "main"
[main]
menu = ["main-menu", { forecast = "support" }, "welcome", { forecast = "sales" }]
keys = { 1 = "how-long", 2 = "sales", 0 = "how-long" }
noinput = "how-long"
nomatch = "main"
[how-long]
forecast = "support"
limit = "12m"
longer = "sorry"
unknown = "support"
next = "support"
[support]
queue = "support"
keys = { 9 = "main" }
ended = "goodbye"
[sales]
queue = "sales"
keys = { 9 = "main" }
[sorry]
say = ["all-busy"]
hangup = true
[goodbye]
say = ["goodbye"]
hangup = true
"#;

impl Plan {
    /// The day of the acceptance: 8 h, 10 operators, about 110 callers an hour.
    pub(crate) fn working_day(seed: u64) -> Self {
        Plan {
            seed,
            hours: 8,
            operators: 10,
            callers_an_hour: 110.0,
            gateways: 1,
            link_losses: 5,
            queue_restarts: 2,
            gateway_crashes: 0,
            races: false,
            by_wait: false,
        }
    }

    /// Three hours with too few operators for support, some for sales.
    pub(crate) fn crowded(seed: u64) -> Self {
        Plan {
            hours: 3,
            operators: 6,
            callers_an_hour: 110.0,
            gateways: 2,
            link_losses: 4,
            by_wait: true,
            ..Plan::working_day(seed)
        }
    }

    /// A bad hour: everything breaks, often, with few operators.
    pub(crate) fn bad_hour(seed: u64) -> Self {
        Plan {
            seed,
            hours: 1,
            operators: 4,
            callers_an_hour: 90.0,
            gateways: 2,
            link_losses: 12,
            queue_restarts: 6,
            gateway_crashes: 2,
            races: false,
            by_wait: false,
        }
    }

    /// An hour of races: CANCEL against 200, BYE against BYE, answer against hang-up.
    pub(crate) fn races(seed: u64) -> Self {
        Plan {
            seed,
            hours: 1,
            operators: 10,
            callers_an_hour: 1800.0,
            gateways: 1,
            link_losses: 3,
            queue_restarts: 1,
            gateway_crashes: 0,
            races: true,
            by_wait: false,
        }
    }
}

/// What a day came to.
#[derive(Debug)]
pub(crate) struct Totals {
    pub(crate) plan: Plan,
    pub(crate) arrived: u64,
    pub(crate) begun: u64,
    pub(crate) records: u64,
    pub(crate) joined: u64,
    pub(crate) ended: EndedCounts,
    pub(crate) talks: u64,
    pub(crate) rona: usize,
    pub(crate) link_losses: u32,
    pub(crate) queue_restarts: u32,
    pub(crate) gateway_crashes: u32,
    pub(crate) said: Said,
    /// Who went on waiting in another queue.
    pub(crate) overflows: u64,
    /// Calls that the flow ended without a place in a queue.
    pub(crate) turned: u64,
    pub(crate) facts: u64,
    pub(crate) steps: u64,
    /// A digest of the sequence of facts.
    pub(crate) history: u64,
    pub(crate) broken: Option<String>,
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let e = &self.ended;
        write!(
            f,
            "seed {}: {} callers, {} calls, {} records; {} joined = {} answered + {} abandoned + {} timed out + {} exited \
             + {} moved + {} removed + {} lost; {} talks, {} RONA; {} announced ({} with a wait, {} whole, {} cut); {} overflowed, {} turned; {} link losses, {} queue restarts, {} gateway crashes; \
             {} facts, {} steps, history {:016x}",
            self.plan.seed,
            self.arrived,
            self.begun,
            self.records,
            self.joined,
            e.answered,
            e.abandoned,
            e.timed_out,
            e.exited,
            e.moved,
            e.removed,
            e.lost,
            self.talks,
            self.rona,
            self.said.announced,
            self.said.waits,
            self.said.whole,
            self.said.cut,
            self.overflows,
            self.turned,
            self.link_losses,
            self.queue_restarts,
            self.gateway_crashes,
            self.facts,
            self.steps,
            self.history,
        )?;
        match &self.broken {
            Some(broken) => write!(f, "\n  BROKEN: {broken}"),
            None => Ok(()),
        }
    }
}

/// Says which seed it was when a world panics.
struct Told(Plan);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{:?}\n{}", self.0, crate::replay_hint(self.0.seed));
        }
    }
}

/// Plays a day and holds everything against the rules.
pub(crate) fn play(plan: Plan) -> Totals {
    let _seed = Told(plan);
    totals(played(plan), plan)
}

/// The world after a day.
pub(crate) fn played(plan: Plan) -> World {
    let mut dice = ChaCha12Rng::seed_from_u64(plan.seed);
    let mut world = build(plan);
    world.open();
    operators(&mut world, plan, &mut dice);
    callers(&mut world, plan, &mut dice);
    disasters(&mut world, plan, &mut dice);
    let closing = OPENING + Duration::from_secs(plan.hours * 3600);
    world.run_until(closing + CLOSING);
    // The operators go home; 64 s later no timer of SIP runs any more.
    let phones: Vec<SocketAddr> = world.phones.keys().copied().collect();
    for address in phones {
        world
            .agenda
            .plan(world.now, Happening::Act(address, Act::Unregister));
    }
    world.run_until(closing + CLOSING + Duration::from_secs(700));
    world.check_fold();
    world
}

fn totals(mut world: World, plan: Plan) -> Totals {
    let queues: Vec<_> = names()
        .iter()
        .filter_map(|n| world.queue.engine.as_ref()?.queue(n))
        .collect();
    let mut ended = EndedCounts::default();
    let mut joined = 0;
    let mut open = 0;
    for queue in &queues {
        joined += queue.joined;
        open += queue.waiting + queue.detached + queue.offered + queue.connected;
        let e = queue.ended;
        ended.answered += e.answered;
        ended.abandoned += e.abandoned;
        ended.timed_out += e.timed_out;
        ended.exited += e.exited;
        ended.moved += e.moved;
        ended.called_back += e.called_back;
        ended.removed += e.removed;
        ended.lost += e.lost;
    }
    let (said, wrong) = spoken::judge(&world);
    if world.broken.is_none() {
        world.broken = wrong;
    }
    let (overflows, wrong) = overflows::judge(&world.queue.log);
    world.broken = world.broken.or(wrong);
    if world.broken.is_none() {
        let mut left = world.leftovers();
        if open > 0 {
            left.push(format!("{open} tickets are still open after everybody went home"));
        }
        if world.queue.engine.is_none() {
            left.push("the queue service is down".to_owned());
        }
        left.extend(books(&world, &ended));
        if !left.is_empty() {
            world.broken = Some(left.join("; "));
        }
    }
    let rona = |node: &GatewayNode| {
        let ignored = pronto_types::link::RefuseReason::Ignored;
        count(
            node,
            |event| matches!(event, Event::Refused { reason, .. } if *reason == ignored),
        )
    };
    Totals {
        plan,
        arrived: world.arrived,
        begun: world.gateways.iter().map(|node| node.records.begun).sum(),
        records: world.gateways.iter().map(|node| node.records.ended).sum(),
        joined,
        ended,
        talks: world.phones.values().map(|phone| phone.talks).sum(),
        rona: world.gateways.iter().map(rona).sum(),
        link_losses: world.link_losses,
        queue_restarts: world.queue.restarts,
        gateway_crashes: world.gateway_crashes,
        said,
        overflows,
        turned: turned(&world),
        facts: world.queue.log.len() as u64,
        steps: world.steps,
        history: history(&world),
        broken: world.broken,
    }
}

/// Calls that the flow ended before they had a place.
fn turned(world: &World) -> u64 {
    let mut records = CallRecords::default();
    let written = world
        .queue
        .log
        .iter()
        .flat_map(|recorded| records.apply(recorded));
    let turned = written.filter(|written| match written {
        Written::Call(call) => call.outcome == Some(CallOutcome::Completed) && call.tickets.is_empty(),
        Written::Recording { .. } => false,
    });
    turned.count() as u64
}

/// A digest (FNV-1a) of the encoded facts, in order.
fn history(world: &World) -> u64 {
    let mut digest = 0xcbf2_9ce4_8422_2325_u64;
    for recorded in &world.queue.log {
        for byte in pronto_queue::ledger::encode(recorded) {
            digest = (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    digest
}

/// The ledger's call records against what the gateways saw and the engine counted.
fn books(world: &World, ended: &EndedCounts) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut records = CallRecords::default();
    let (mut told, mut over) = (BTreeSet::new(), BTreeSet::new());
    let mut counted = BTreeMap::new();
    for recorded in &world.queue.log {
        if let Fact::CallBegan { call, .. } = &recorded.fact {
            told.insert(*call);
        }
        for written in records.apply(recorded) {
            let Written::Call(record) = written else { continue };
            if !over.insert(record.call) {
                wrong.push(format!("{} has two records in the ledger", record.call));
            }
            for ticket in &record.tickets {
                *counted.entry(ticket.outcome).or_insert(0_u64) += 1;
            }
        }
    }
    let began = |event: &Event| match event {
        Event::CallBegan { call, .. } => Some(*call),
        _ => None,
    };
    let begun: BTreeSet<CallId> = world
        .gateways
        .iter()
        .flat_map(|node| node.journal.iter().filter_map(began))
        .collect();
    if records.held() != [0, 0, 0] {
        wrong.push(format!("the records hold {:?} when all is over", records.held()));
    }
    if !told.is_subset(&over) || !over.is_subset(&begun) {
        wrong.push(format!(
            "{} calls told, {} records, {} calls begun",
            told.len(),
            over.len(),
            begun.len()
        ));
    }
    // A gateway that was killed while it could not reach the queue keeps what it had not told in its journal.
    if world.gateway_crashes == 0 && over != begun {
        wrong.push(format!(
            "{} calls begun, {} records in the ledger",
            begun.len(),
            over.len()
        ));
    }
    for (outcome, count) in [
        (TicketOutcome::Answered, ended.answered),
        (TicketOutcome::Abandoned, ended.abandoned),
        (TicketOutcome::TimedOut, ended.timed_out),
        (TicketOutcome::Exited, ended.exited),
        (TicketOutcome::Moved, ended.moved),
        (TicketOutcome::Removed, ended.removed),
        (TicketOutcome::Lost, ended.lost),
    ] {
        let listed = counted.get(&Some(outcome)).copied().unwrap_or(0);
        if listed != count {
            wrong.push(format!(
                "the records list {listed} tickets {outcome}, the engine counts {count}"
            ));
        }
    }
    wrong
}

fn names() -> [QueueName; 2] {
    ["support", "sales"].map(|name| QueueName::new(name).expect("a legal name"))
}

fn operator(index: u32) -> OperatorId {
    OperatorId::new(&(101 + index).to_string()).expect("a legal name")
}

fn build(plan: Plan) -> World {
    let queues = names().into_iter().map(|name| QueueSettings {
        max_wait: Duration::from_secs(15 * 60),
        wrap_up: if plan.races {
            Duration::from_millis(500)
        } else {
            Duration::from_secs(10)
        },
        rona_pause: if plan.races {
            Duration::from_secs(1)
        } else {
            Duration::from_secs(30)
        },
        overflow: plan.by_wait.then(|| Overflow {
            to: names()[usize::from(name == names()[0])].clone(),
            wait: Duration::from_secs(180),
        }),
        ..QueueSettings::new(name)
    });
    let operators = (0..plan.operators).map(|index| OperatorSettings {
        id: operator(index),
        // Every third serves sales alone, the others both; or, where one queue helps the other, two sales and the rest support.
        queues: if index % 3 == 2 {
            names()[1..].to_vec()
        } else if plan.by_wait {
            names()[..1].to_vec()
        } else {
            names().to_vec()
        },
        sign_in: SignIn::Registration,
    });
    let configuration = Configuration {
        queues: queues.collect(),
        operators: operators.collect(),
        ..Configuration::default()
    };
    let gateways = (0..plan.gateways).map(|index| {
        let address = SocketAddr::from(([10, 0, 0, 1 + index as u8], 5060));
        let seed = plan.seed.wrapping_add(u64::from(index) << 32);
        GatewayNode::new(
            gateway_name(index.into()),
            address,
            calls(plan),
            endpoint(plan, address),
            seed,
        )
    });
    World::new(
        plan.seed,
        OPENING,
        QueueNode::new(configuration),
        gateways.collect(),
        Wire::LOSSY,
    )
}

fn calls(plan: Plan) -> Settings {
    let source = if plan.by_wait {
        BY_WAIT
    } else {
        pronto_ivr::BUILTIN_FLOW
    };
    let flow = Arc::new(Flow::parse(source).expect("the flow is sound"));
    let mut prompts = Prompts::default();
    for (name, seconds) in [("welcome", 3), ("main-menu", 8), ("all-busy", 4), ("goodbye", 2)] {
        prompts.insert(
            Language::Italian,
            name,
            Clip::from_pcm16_8k(&vec![0; seconds * 8000]),
        );
    }
    let word = Clip::from_pcm16_8k(&vec![0; 4800]);
    for (name, _) in pronto_ivr::speak::vocabulary(Language::Italian) {
        prompts.insert(Language::Italian, &name, word.clone());
    }
    prompts.set_music(Clip::from_pcm16_8k(&vec![0; 8000]));
    let number = Number {
        dial: "800".to_owned(),
        flow,
        language: Language::Italian,
        answer: Answer::AtOnce,
    };
    Settings {
        numbers: BTreeMap::from([("800".to_owned(), number)]),
        max_wait: names()
            .into_iter()
            .map(|name| (name, Duration::from_secs(15 * 60)))
            .collect(),
        queue_away: Duration::from_secs(60),
        recorded: BTreeMap::new(),
        advertise: None,
        learn: true,
        prompts,
        max_calls: 500,
    }
}

fn endpoint(plan: Plan, address: SocketAddr) -> sip::Settings {
    let domain = "pronto.example".to_owned();
    let credentials = |index| {
        let id = operator(index);
        let secret = Secret::new(format!("secret-{id}"));
        let ha1 = sip::Ha1::from_password(id.as_str(), &domain, &secret);
        (id, ha1)
    };
    let operators = (0..plan.operators).map(credentials).collect();
    let carrier = "127.0.0.0/8".parse().expect("a range");
    sip::Settings {
        operators,
        listen: vec![(sip::Transport::Udp, address)],
        trunks: vec![sip::Trunk {
            name: "carrier".to_owned(),
            allow: vec![carrier],
        }],
        ..sip::Settings::new("pronto.example")
    }
}

fn operators(world: &mut World, plan: Plan, dice: &mut ChaCha12Rng) {
    let closing = Duration::from_secs(plan.hours * 3600);
    for index in 0..plan.operators {
        let address = SocketAddr::from(([192, 168, 0, 10 + index as u8], 5060));
        let habits = if plan.races { racing() } else { working() };
        let id = operator(index);
        let person = Person::Operator {
            id,
            habits,
            calls: BTreeMap::new(),
            registration: None,
        };
        let gateway = world.gateways[index as usize % world.gateways.len()].address;
        let phone = Phone::new(address, gateway, person, plan.seed ^ (u64::from(index) << 40));
        world.phones.insert(address, phone);
        let at = |after| world_time(OPENING, after);
        world.agenda.plan(
            at(between(dice, Duration::ZERO, Duration::from_secs(60))),
            Happening::Act(address, Act::Register),
        );
        // A break now and then, and sometimes a phone loses power; both come back.
        let mut after = exponential(dice, Duration::from_secs(5400));
        while after < closing {
            let gone = if dice.random_bool(0.3) {
                Act::Vanish
            } else {
                Act::Unregister
            };
            let back = after + between(dice, Duration::from_secs(20), Duration::from_secs(900));
            world.agenda.plan(at(after), Happening::Act(address, gone));
            world
                .agenda
                .plan(at(back), Happening::Act(address, Act::Register));
            after = back + exponential(dice, Duration::from_secs(5400));
        }
    }
}

/// An operator on a good day.
fn working() -> Habits {
    Habits {
        ignores: 0.06,
        declines: 0.04,
        answers_after: (Duration::from_millis(300), Duration::from_secs(9)),
        talks: Duration::from_secs(200),
        hangs_up_first: 0.5,
    }
}

/// Who answers when the caller is about to hang up, and hangs up at once.
fn racing() -> Habits {
    Habits {
        ignores: 0.02,
        declines: 0.1,
        answers_after: (Duration::ZERO, Duration::from_millis(100)),
        talks: Duration::from_millis(50),
        hangs_up_first: 0.7,
    }
}

fn world_time(start: Time, after: Duration) -> Time {
    start + after
}

fn callers(world: &mut World, plan: Plan, dice: &mut ChaCha12Rng) {
    let closing = Duration::from_secs(plan.hours * 3600);
    let gap = Duration::from_secs_f64(3600.0 / plan.callers_an_hour);
    let mut after = Duration::from_secs(90);
    while after < closing {
        let number = if dice.random_bool(0.02) { "999" } else { "800" }.to_owned();
        let arrival = Arrival {
            number,
            acts: if plan.races { race(dice) } else { acts(dice) },
        };
        world
            .agenda
            .plan(OPENING + after, Happening::Arrive(Box::new(arrival)));
        after += exponential(dice, gap);
    }
}

/// A caller who hangs up around the moment of the answer: of the call, of the operator, or of the end of the talk.
fn race(dice: &mut ChaCha12Rng) -> Vec<(Duration, Act)> {
    let press = Duration::from_millis(100);
    let around = between(dice, Duration::ZERO, Duration::from_millis(100));
    let hang_up = match dice.random_range(0..4) {
        0 => around,
        1 => press + around,
        2 => press + Duration::from_millis(60) + around,
        _ => press + Duration::from_millis(150) + around,
    };
    vec![
        (Duration::ZERO, Act::Dial),
        (press, Act::Press('1')),
        (hang_up, Act::HangUp),
    ]
}

/// What a caller does: dial, press, wait, lose patience; some hang up at any moment, even before the answer.
fn acts(dice: &mut ChaCha12Rng) -> Vec<(Duration, Act)> {
    let mut acts = vec![(Duration::ZERO, Act::Dial)];
    let patience = if dice.random_bool(0.06) {
        between(dice, Duration::ZERO, Duration::from_millis(500))
    } else if dice.random_bool(0.1) {
        between(dice, Duration::ZERO, Duration::from_secs(20))
    } else {
        Duration::from_secs(30) + exponential(dice, Duration::from_secs(700))
    };
    let mut at = between(dice, Duration::from_millis(200), Duration::from_secs(14));
    if dice.random_bool(0.85) {
        let key = ['1', '2', '0', '5'][dice.random_range(0..4)];
        acts.push((at, Act::Press(key)));
        if dice.random_bool(0.1) {
            at += between(dice, Duration::from_millis(50), Duration::from_secs(40));
            acts.push((at, Act::Press('9')));
            at += between(dice, Duration::from_millis(50), Duration::from_secs(5));
            acts.push((at, Act::Press('1')));
        }
    }
    acts.push((patience, Act::HangUp));
    acts.retain(|(when, _)| *when <= patience);
    acts
}

fn disasters(world: &mut World, plan: Plan, dice: &mut ChaCha12Rng) {
    let day = Duration::from_secs(plan.hours * 3600);
    let at = |dice: &mut ChaCha12Rng| OPENING + between(dice, Duration::from_secs(120), day);
    for _ in 0..plan.link_losses {
        let away = between(dice, Duration::from_millis(20), Duration::from_secs(90));
        let gateway = dice.random_range(0..world.gateways.len());
        world.agenda.plan(at(dice), Happening::CutLink { gateway, away });
    }
    for _ in 0..plan.queue_restarts {
        let away = between(dice, Duration::from_millis(100), Duration::from_secs(50));
        world.agenda.plan(at(dice), Happening::CrashQueue { away });
    }
    for _ in 0..plan.gateway_crashes {
        let away = between(dice, Duration::from_millis(500), Duration::from_secs(40));
        let gateway = dice.random_range(0..world.gateways.len());
        world
            .agenda
            .plan(at(dice), Happening::CrashGateway { gateway, away });
    }
}
