//! Cost of an event with 10,000 callers waiting and 300 operators talking, and of the announcements to those callers:
//! `cargo bench -p pronto-engine`.

#![expect(clippy::unwrap_used, reason = "a bench may fail")]

use std::time::{Duration, Instant};

use pronto_types::link::{Caller, Channel, Directive, Event};
use pronto_types::{CallId, GatewayName, Language, OfferId, OperatorId, QueueName, TicketId, Time};

use pronto_engine::{Configuration, Engine, Input, OperatorSettings, Output, QueueSettings, SignIn};

const WAITING: u64 = 10_000;
const OPERATORS: u64 = 300;
const TALKS: u32 = 20_000;

fn main() {
    full_house();
    one_long_queue();
}

struct Bench {
    engine: Engine,
    now: Time,
    number: u64,
    facts: u64,
    offers: Vec<(OfferId, TicketId)>,
}

impl Bench {
    fn input(&mut self, input: Input) {
        self.now += Duration::from_millis(1);
        self.engine.handle_input(self.now, input);
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Fact(_) => self.facts += 1,
                Output::Directive {
                    directive: Directive::Offer { offer, ticket, .. },
                    ..
                } => {
                    self.offers.push((offer, ticket));
                }
                _ => {}
            }
        }
    }

    /// A minute passes; how many were told how things stand.
    fn minute(&mut self) -> u32 {
        let (until, mut told) = (self.now + Duration::from_secs(60), 0);
        while let Some(at) = self.engine.poll_timeout().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.engine.handle_timeout(self.now);
            while let Some(output) = self.engine.poll_output() {
                told += u32::from(matches!(
                    output,
                    Output::Directive {
                        directive: Directive::Announce { .. },
                        ..
                    }
                ));
            }
        }
        self.now = until;
        told
    }

    fn says(&mut self, event: Event) {
        self.number += 1;
        let gateway = GatewayName::new("gw1").unwrap();
        let (number, age) = (self.number, Duration::ZERO);
        self.input(Input::Entry {
            gateway,
            epoch: 1,
            number,
            age,
            event,
            caller_key: None,
        });
    }

    fn join(&mut self, ticket: u64, queue: &QueueName) {
        let caller = Caller {
            number: None,
            name: None,
        };
        let (contact, ticket, queue) = (CallId(ticket).into(), TicketId(ticket), queue.clone());
        let language = Language::Italian;
        self.says(Event::Joined {
            ticket,
            contact,
            channel: Channel::Phone,
            queue,
            caller,
            language,
            regained: None,
        });
    }
}

/// Each operator serves three of ten queues.
fn full_house() {
    let queues: Vec<QueueName> = (0..10)
        .map(|n| QueueName::new(&format!("q{n}")).unwrap())
        .collect();
    let settings = |name: &QueueName| QueueSettings {
        wrap_up: Duration::ZERO,
        max_wait: Duration::from_secs(86_400),
        ..QueueSettings::new(name.clone())
    };
    let operator = |n: u64| OperatorSettings {
        id: OperatorId::new(&format!("op{n}")).unwrap(),
        queues: (0..3)
            .map(|k| queues[((n + k * 3) % 10) as usize].clone())
            .collect(),
        sign_in: SignIn::Registration,
    };
    let configuration = Configuration {
        queues: queues.iter().map(settings).collect(),
        operators: (0..OPERATORS).map(operator).collect(),
        ..Configuration::default()
    };
    let (engine, now) = (Engine::new(), Time::from_secs(1_000_000));
    let mut bench = Bench {
        engine,
        now,
        number: 0,
        facts: 0,
        offers: Vec::new(),
    };
    bench.input(Input::Started);
    bench.input(Input::Configure(configuration));
    bench.input(Input::Attached {
        gateway: GatewayName::new("gw1").unwrap(),
        epoch: 1,
        last: 0,
        instance: 0,
    });
    for n in 0..OPERATORS {
        let operator = OperatorId::new(&format!("op{n}")).unwrap();
        bench.says(Event::Presence {
            operator,
            lease: Some(Duration::from_secs(86_400)),
        });
    }
    let mut next = 0;
    let started = Instant::now();
    while next < WAITING + OPERATORS {
        next += 1;
        bench.join(next, &queues[(next % 10) as usize]);
    }
    println!(
        "joining: {:?} each",
        started.elapsed() / (WAITING + OPERATORS) as u32
    );
    let (started, facts) = (Instant::now(), bench.facts);
    for _ in 0..TALKS {
        let (offer, ticket) = bench.offers.remove(0);
        bench.says(Event::Answered { offer, ticket });
        bench.says(Event::TalkEnded { offer, ticket });
        next += 1;
        bench.join(next, &queues[(next % 10) as usize]);
    }
    let spent = started.elapsed();
    bench.engine.check().unwrap();
    println!(
        "a talk (joined, offered, answered, ended): {:?}, {} facts",
        spent / TALKS,
        bench.facts - facts
    );
}

/// One operator, who talks, and one queue.
fn one_long_queue() {
    for waiting in [2_500, 5_000, 10_000] {
        let queue = QueueName::new("support").unwrap();
        let operator = OperatorId::new("ann").unwrap();
        let settings = QueueSettings {
            max_wait: Duration::from_secs(86_400),
            ..QueueSettings::new(queue.clone())
        };
        let served = OperatorSettings {
            id: operator.clone(),
            queues: vec![queue.clone()],
            sign_in: SignIn::Registration,
        };
        let mut bench = Bench {
            engine: Engine::new(),
            now: Time::from_secs(1_000_000),
            number: 0,
            facts: 0,
            offers: Vec::new(),
        };
        bench.input(Input::Started);
        bench.input(Input::Configure(Configuration {
            queues: vec![settings],
            operators: vec![served],
            ..Configuration::default()
        }));
        bench.input(Input::Attached {
            gateway: GatewayName::new("gw1").unwrap(),
            epoch: 1,
            last: 0,
            instance: 0,
        });
        let lease = Some(Duration::from_secs(86_400));
        bench.says(Event::Presence { operator, lease });
        bench.join(1, &queue);
        let (offer, ticket) = bench.offers.remove(0);
        bench.says(Event::Answered { offer, ticket });
        for ticket in 2..2 + waiting {
            bench.join(ticket, &queue);
        }
        let started = Instant::now();
        let told = bench.minute();
        let spent = started.elapsed();
        println!(
            "{waiting} waiting: {told} told in a minute, {:?} each, {spent:?} in all",
            spent / told.max(1)
        );
    }
}
