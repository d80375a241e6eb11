//! The rules, one by one, each as a story of a small house: one queue `support`, two operators `ann` and `bob`, one
//! gateway `gw1`. After every step the invariants hold and the fold of the ledger is the live state.

mod announcing;
mod calls;
mod checking;
mod clock;
mod epochs;
mod grants;
mod hostile;
mod links;
mod lost_operators;
mod operators;
mod outlook;
mod overflow;
mod rounds;
mod routing;

use std::collections::BTreeMap;
use std::time::Duration;

use pronto_types::link::{
    CallOutcome, Caller, Channel, Directive, Event, ExitReason, Hearing, LeaveReason, Origin, Promise,
    RefuseReason,
};
use pronto_types::{
    AnnouncementId, CallId, GatewayName, Language, OfferId, OperatorId, QueueName, TicketId, Time, TrunkName,
};

use crate::{
    Configuration, Engine, Fact, Input, LedgerEntry, OperatorSettings, OperatorStatus, Output, QueueSettings,
    QueueView, RequestId, SetOperatorError, SignIn, State, Wanted,
};

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn name(name: &str) -> GatewayName {
    GatewayName::new(name).unwrap()
}

fn support() -> QueueName {
    QueueName::new("support").unwrap()
}

fn who(id: &str) -> OperatorId {
    OperatorId::new(id).unwrap()
}

/// Ring 15 s, margin 5 s, RONA pause 30 s, wrap-up 10 s, max wait 30 min, grace 30 s, settle 1 s.
fn configuration() -> Configuration {
    let operator = |id: &str| OperatorSettings {
        id: who(id),
        queues: vec![support()],
        sign_in: SignIn::Registration,
    };
    Configuration {
        queues: vec![QueueSettings::new(support())],
        operators: vec![operator("ann"), operator("bob")],
        ..Configuration::default()
    }
}

struct House {
    engine: Engine,
    now: Time,
    /// Per gateway its epoch and its newest entry.
    journals: BTreeMap<GatewayName, (u64, u64)>,
    ledger: Vec<LedgerEntry>,
    shadow: State,
    sent: Vec<(GatewayName, Directive)>,
    other: Vec<Output>,
}

impl House {
    /// Configured, with `gw1` attached and nobody at work.
    fn empty() -> Self {
        let mut house = House {
            engine: Engine::new(),
            now: Time::from_secs(1_000_000),
            journals: BTreeMap::new(),
            ledger: Vec::new(),
            shadow: State::default(),
            sent: Vec::new(),
            other: Vec::new(),
        };
        house.input(Input::Started);
        house.input(Input::Configure(configuration()));
        house.attach("gw1", 1);
        house
    }

    /// With these operators registered at `gw1` for an hour, a second apart, and ready.
    fn with(operators: &[&str]) -> Self {
        let mut house = House::empty();
        for operator in operators {
            house.register(operator);
            house.wait(secs(1));
        }
        house
    }

    fn input(&mut self, input: Input) {
        self.engine.handle_input(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Fact(recorded) => {
                    self.shadow.apply(&recorded);
                    self.ledger.push(recorded);
                }
                Output::Directive {
                    gateway, directive, ..
                } => self.sent.push((gateway, directive)),
                other => self.other.push(other),
            }
        }
        self.engine.check().unwrap();
        assert_eq!(&self.shadow, self.engine.state());
        assert_eq!(self.engine.last_seq(), self.ledger.len() as u64);
    }

    /// Time passes; deadlines on the way are kept.
    fn wait(&mut self, duration: Duration) {
        let until = self.now + duration;
        while let Some(at) = self.engine.poll_timeout().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.engine.handle_timeout(self.now);
            self.drain();
        }
        self.now = until;
    }

    /// A gateway says hello with nothing that the queue does not have.
    fn attach(&mut self, gateway: &str, epoch: u64) {
        let journal = self.journals.entry(name(gateway)).or_insert((epoch, 0));
        if journal.0 != epoch {
            *journal = (epoch, 0);
        }
        let last = journal.1;
        self.attach_with_backlog(gateway, epoch, last);
    }

    fn attach_with_backlog(&mut self, gateway: &str, epoch: u64, last: u64) {
        self.input(Input::Attached {
            gateway: name(gateway),
            epoch,
            last,
            instance: epoch,
        });
    }

    fn detach(&mut self, gateway: &str) {
        let epoch = self.journals[&name(gateway)].0;
        self.input(Input::Detached {
            gateway: name(gateway),
            epoch,
        });
    }

    /// The queue service is restarted from its ledger.
    fn restart(&mut self) {
        self.engine = Engine::fold(self.ledger.iter().cloned());
        assert_eq!(&self.shadow, self.engine.state());
        self.input(Input::Started);
        self.input(Input::Configure(configuration()));
    }

    fn says(&mut self, gateway: &str, event: Event) {
        self.says_late(gateway, event, Duration::ZERO);
    }

    fn says_late(&mut self, gateway: &str, event: Event, age: Duration) {
        let (epoch, number) = self.journals.get_mut(&name(gateway)).unwrap();
        *number += 1;
        let (epoch, number) = (*epoch, *number);
        self.entry(gateway, epoch, number, age, event);
    }

    fn entry(&mut self, gateway: &str, epoch: u64, number: u64, age: Duration, event: Event) {
        let gateway = name(gateway);
        self.input(Input::Entry {
            gateway,
            epoch,
            number,
            age,
            event,
            caller_key: None,
        });
    }

    fn register(&mut self, operator: &str) {
        self.register_at("gw1", operator);
    }

    fn register_at(&mut self, gateway: &str, operator: &str) {
        self.says(
            gateway,
            Event::Presence {
                operator: who(operator),
                lease: Some(secs(3_600)),
            },
        );
    }

    fn join(&mut self, ticket: u64) {
        self.join_at("gw1", ticket, Duration::ZERO);
    }

    fn join_at(&mut self, gateway: &str, ticket: u64, age: Duration) {
        self.says_late(gateway, joined(ticket, ticket, None), age);
    }

    fn answer(&mut self, offer: OfferId, ticket: u64) {
        self.says(
            "gw1",
            Event::Answered {
                offer,
                ticket: TicketId(ticket),
            },
        );
    }

    fn refuse(&mut self, offer: OfferId, reason: RefuseReason) {
        self.says("gw1", Event::Refused { offer, reason });
    }

    fn leave(&mut self, ticket: u64) {
        self.says(
            "gw1",
            Event::Left {
                ticket: TicketId(ticket),
                reason: LeaveReason::Abandoned,
            },
        );
    }

    fn hang_up(&mut self, offer: OfferId, ticket: u64) {
        self.says(
            "gw1",
            Event::TalkEnded {
                offer,
                ticket: TicketId(ticket),
            },
        );
    }

    fn set(&mut self, operator: &str, wanted: Wanted) -> Result<(), SetOperatorError> {
        self.input(Input::SetOperator {
            request: RequestId(1),
            operator: who(operator),
            wanted,
        });
        match self.other.pop() {
            Some(Output::Reply { result, .. }) => result,
            other => panic!("expected a reply, found {other:?}"),
        }
    }

    /// An operator goes to lunch.
    #[track_caller]
    fn pause(&mut self, operator: &str) {
        let reason = "lunch".into();
        self.set(operator, Wanted::Paused { reason }).unwrap();
    }

    /// Directives sent since the last look, except announcements.
    fn sent(&mut self) -> Vec<Directive> {
        let mut sent = self.taken();
        sent.retain(|directive| !matches!(directive, Directive::Announce { .. }));
        sent
    }

    fn taken(&mut self) -> Vec<Directive> {
        std::mem::take(&mut self.sent)
            .into_iter()
            .map(|(_, directive)| directive)
            .collect()
    }

    /// The offers made since the last look: grant, ticket, operator.
    fn offers(&mut self) -> Vec<(OfferId, u64, String)> {
        let offer = |directive| match directive {
            Directive::Offer {
                offer,
                ticket,
                operator,
                ..
            } => Some((offer, ticket.0, operator.to_string())),
            _ => None,
        };
        self.sent().into_iter().filter_map(offer).collect()
    }

    /// The one offer made since the last look, for this ticket to this operator.
    #[track_caller]
    fn offered(&mut self, ticket: u64, operator: &str) -> OfferId {
        let offers = self.offers();
        match offers.as_slice() {
            [(offer, of, to)] if *of == ticket && to == operator => *offer,
            _ => panic!("expected one offer of {ticket} to {operator}, found {offers:?}"),
        }
    }

    /// The announcements made since the last look: number, ticket, position.
    fn announced(&mut self) -> Vec<(AnnouncementId, u64, Option<u32>)> {
        let announcement = |directive| match directive {
            Directive::Announce {
                announcement,
                ticket,
                position,
                ..
            } => Some((announcement, ticket.0, position)),
            _ => None,
        };
        self.taken().into_iter().filter_map(announcement).collect()
    }

    /// Tickets told a position since the last look, with the position.
    fn told(&mut self) -> Vec<(u64, Option<u32>)> {
        self.announced()
            .into_iter()
            .map(|(_, ticket, position)| (ticket, position))
            .collect()
    }

    #[track_caller]
    fn no_offer(&mut self) {
        let offers = self.offers();
        assert!(offers.is_empty(), "expected none, found {offers:?}");
    }

    fn status(&self, operator: &str) -> OperatorStatus {
        self.engine.operator(&who(operator)).unwrap().status
    }

    fn queue(&self) -> QueueView {
        self.engine.queue(&support()).unwrap()
    }

    fn facts(&self, which: impl Fn(&Fact) -> bool) -> usize {
        self.ledger
            .iter()
            .filter(|recorded| which(&recorded.fact))
            .count()
    }
}

fn joined(ticket: u64, call: u64, regained: Option<u64>) -> Event {
    Event::Joined {
        ticket: TicketId(ticket),
        contact: CallId(call).into(),
        channel: Channel::Phone,
        queue: support(),
        caller: Caller {
            number: None,
            name: None,
        },
        language: Language::Italian,
        regained: regained.map(TicketId),
    }
}

fn exit(ticket: u64, reason: ExitReason) -> Directive {
    Directive::Exit {
        ticket: TicketId(ticket),
        reason,
    }
}
