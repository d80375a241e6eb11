//! The judge is judged: a history without a fault passes, and a history with one fault is reported for that fault, when its
//! last fact is taken in and not before.

use std::collections::BTreeMap;
use std::time::Duration;

use pronto_types::link::{CallOutcome, Hearing, LeaveReason, Origin, Promise, RefuseReason, RiseReason};
use pronto_types::{
    AnnouncementId, CallId, Forecast, GatewayName, Language, OfferId, OperatorId, QueueName, TicketId, Time,
    TrunkName,
};

use super::configuration;
use super::dice::Dice;
use super::gateway::{CallerState, Line, SimCaller, SimGateway};
use super::judge::{Judge, judge_gateway, judge_rest};
use crate::fact::{Cause, Fact, LedgerEntry, SkipReason};
use crate::{Configuration, Contact, Engine};

const SECOND: Duration = Duration::from_secs(1);

/// A history, a fact each second, and what the judge says of it.
struct History {
    judge: Judge,
    truth: BTreeMap<TicketId, Time>,
    ledger: Vec<LedgerEntry>,
    now: Time,
    said: Result<(), String>,
}

impl History {
    /// Both gateways are attached.
    fn begun() -> Self {
        let mut history = History {
            judge: Judge::default(),
            truth: BTreeMap::new(),
            ledger: Vec::new(),
            now: Time::from_secs(1_000),
            said: Ok(()),
        };
        history.record(Fact::Configured(Configuration {
            settle: 2 * SECOND,
            ..configuration()
        }));
        for gateway in ["gw1", "gw2"].map(gateway) {
            history.record(Fact::GatewayAttached {
                gateway,
                epoch: 1,
                last: 0,
                instance: 1,
            });
        }
        history
    }

    fn record(&mut self, fact: Fact) -> u64 {
        self.caused("gw1", fact)
    }

    /// Records a fact that an entry of this gateway caused.
    fn caused(&mut self, by: &str, fact: Fact) -> u64 {
        assert_eq!(self.said, Ok(()), "before {fact:?}");
        self.now += SECOND;
        let seq = self.ledger.len() as u64 + 1;
        let recorded = LedgerEntry {
            seq,
            at: self.now,
            cause: Some(Cause {
                gateway: gateway(by),
                epoch: 1,
                number: seq,
            }),
            fact,
        };
        self.said = self.judge.take(&recorded, &self.truth);
        self.ledger.push(recorded);
        seq
    }

    fn begins(&mut self, call: u64, at: &str, origin: Origin) {
        self.caused(
            at,
            Fact::CallBegan {
                call: CallId(call),
                dialled: "800".to_owned(),
                origin,
            },
        );
    }

    /// A caller calls and joins `sales`. Call and ticket have one number.
    fn joins(&mut self, number: u64, at: &str) {
        self.begins(number, at, Origin::Trunk(TrunkName::new("carrier").unwrap()));
        self.truth.insert(TicketId(number), self.now + SECOND);
        self.record(joined(number, at, self.now + SECOND, None));
    }

    fn ends(&mut self, call: u64, at: &str) {
        self.caused(
            at,
            Fact::CallEnded {
                call: CallId(call),
                outcome: CallOutcome::CallerHungUp,
                duration: SECOND,
                digits: 0,
            },
        );
    }

    fn reaches(&mut self, who: &str, at: &str) {
        self.record(Fact::Reachable {
            operator: operator(who),
            gateway: gateway(at),
            until: self.now + 3_600 * SECOND,
        });
    }

    fn offers(&mut self, number: u64, who: &str, at: &str) -> OfferId {
        OfferId(self.record(offered(number, who, at, self.now + 20 * SECOND)))
    }

    fn answers(&mut self, number: u64, who: &str, at: &str) -> OfferId {
        let offer = self.offers(number, who, at);
        self.record(Fact::Answered {
            offer,
            ticket: TicketId(number),
            operator: operator(who),
            answered_at: self.now,
        });
        offer
    }

    fn leaves(&mut self, number: u64) {
        self.record(Fact::Left {
            ticket: TicketId(number),
            reason: LeaveReason::Abandoned,
        });
    }

    /// The caller is told a position, a wait in minutes, or both.
    fn tells(
        &mut self,
        number: u64,
        position: Option<u32>,
        minutes: Option<u64>,
        rise: Option<RiseReason>,
    ) -> AnnouncementId {
        let wait = minutes.map(|minutes| Promise {
            p50: Duration::from_secs(60 * minutes),
            p90: Duration::from_secs(120 * minutes),
        });
        AnnouncementId(self.record(Fact::Announced {
            ticket: TicketId(number),
            position,
            wait,
            rise,
        }))
    }

    fn hears(&mut self, announcement: AnnouncementId, number: u64) {
        self.record(Fact::Heard {
            announcement,
            ticket: TicketId(number),
            how: Hearing::Whole,
        });
    }

    /// The caller goes on in the other queue, where the wait is a minute.
    fn overflows(&mut self, number: u64, from: &str, to: &str, here: u64) {
        self.record(Fact::Overflowed {
            ticket: TicketId(number),
            queue: queue(from),
            to: queue(to),
            here: forecast(here),
            there: forecast(20),
        });
    }

    fn sent_back(&mut self, number: u64) {
        self.record(Fact::SentBack {
            ticket: TicketId(number),
            queue: queue("support"),
            to: queue("sales"),
        });
    }

    fn detaches(&mut self, which: &str) {
        self.record(Fact::GatewayDetached {
            gateway: gateway(which),
            epoch: 1,
            grace_until: self.now + 30 * SECOND,
        });
    }

    fn restarts(&mut self) {
        self.record(Fact::Started {
            settle_until: Some(self.now + 2 * SECOND),
        });
    }

    fn engine(&self) -> Engine {
        Engine::fold(self.ledger.iter().cloned())
    }
}

fn gateway(name: &str) -> GatewayName {
    GatewayName::new(name).unwrap()
}

fn queue(name: &str) -> QueueName {
    QueueName::new(name).unwrap()
}

fn operator(id: &str) -> OperatorId {
    OperatorId::new(id).unwrap()
}

fn forecast(seconds: u64) -> Forecast {
    let wait = Duration::from_secs(seconds);
    Forecast {
        p50: wait,
        p80: wait,
        p90: wait,
    }
}

fn joined(number: u64, at: &str, joined_at: Time, regained: Option<u64>) -> Fact {
    Fact::Joined {
        ticket: TicketId(number),
        contact: Contact::of_call(gateway(at), CallId(number)),
        queue: queue("sales"),
        language: Language::Italian,
        joined_at,
        head_start: Duration::ZERO,
        deadline: joined_at + 240 * SECOND,
        caller_key: None,
        regained: regained.map(TicketId),
    }
}

fn offered(number: u64, who: &str, at: &str, valid_until: Time) -> Fact {
    Fact::Offered {
        ticket: TicketId(number),
        round: None,
        operator: operator(who),
        queue: queue("sales"),
        gateway: gateway(at),
        waited: SECOND,
        valid_until,
    }
}

/// Two callers, each at one gateway. The first is told how things stand, talks, and both leave.
fn sound() -> History {
    let mut history = History::begun();
    history.reaches("100", "gw1");
    history.reaches("102", "gw2");
    history.joins(1, "gw1");
    history.joins(2, "gw2");
    let told = history.tells(1, Some(1), Some(2), None);
    history.hears(told, 1);
    history.tells(2, Some(2), Some(3), None);
    let told = history.tells(2, None, Some(9), Some(RiseReason::Unknown));
    history.hears(told, 2);
    history.record(Fact::Skipped {
        ticket: TicketId(1),
        reason: SkipReason::NoPhone,
    });
    let offer = history.offers(2, "102", "gw2");
    history.record(Fact::Refused {
        offer,
        reason: RefuseReason::Withdrawn,
    });
    let offer = history.answers(1, "100", "gw1");
    history.record(Fact::TalkEnded {
        offer,
        ended_at: history.now,
    });
    history.ends(1, "gw1");
    history.overflows(2, "sales", "support", 600);
    history.sent_back(2);
    history.leaves(2);
    history.ends(2, "gw2");
    history
}

#[test]
fn a_history_without_a_fault_passes() {
    let history = sound();
    assert_eq!(history.said, Ok(()));
    assert_eq!(history.judge.oracle.judge_time(history.now), Ok(()));
    let engine = history.engine();
    assert_eq!(engine.check(), Ok(()));
    assert_eq!(history.judge.books.balance(&engine), Ok(()));
    assert_eq!(judge_rest(&engine), Ok(()));
}

/// A fault by the words of its report, and how a history comes to have it.
type Fault = (&'static str, fn(&mut History));

/// Asserts that each history is reported at its last fact, for the fault that it has.
fn each_is_reported(faults: &[Fault]) {
    for (expected, spoil) in faults {
        let mut history = History::begun();
        spoil(&mut history);
        let said = history.said.unwrap_err();
        assert!(said.contains(expected), "{expected}: {said}");
    }
}

#[test]
fn a_ticket_that_nobody_took_is_reported() {
    each_is_reported(&[
        ("joined twice", |it| {
            it.joins(1, "gw1");
            it.joins(1, "gw1");
        }),
        ("never joined", |it| {
            it.record(joined(1, "gw1", it.now, None));
        }),
        ("the engine says", |it| {
            it.truth.insert(TicketId(1), it.now);
            it.record(joined(1, "gw1", it.now + SECOND, None));
        }),
        ("went before", |it| {
            it.joins(1, "gw1");
            it.reaches("100", "gw1");
            it.answers(1, "100", "gw1");
            (2..=9).for_each(|number| it.joins(number, "gw1"));
            it.overflows(9, "sales", "support", 900);
        }),
    ]);
}

#[test]
fn an_offer_that_may_not_be_is_reported() {
    each_is_reported(&[
        ("made while settling", |it| {
            it.joins(1, "gw1");
            it.restarts();
            it.offers(1, "100", "gw1");
        }),
        ("which is away", |it| {
            it.joins(1, "gw1");
            it.detaches("gw1");
            it.offers(1, "100", "gw1");
        }),
        ("who is bound to", |it| {
            it.joins(1, "gw1");
            it.joins(2, "gw1");
            it.offers(1, "100", "gw1");
            it.offers(2, "100", "gw1");
        }),
        ("who talks under", |it| {
            it.joins(1, "gw1");
            it.joins(2, "gw1");
            it.answers(1, "100", "gw1");
            it.offers(2, "100", "gw1");
        }),
        ("in a call of their own", |it| {
            it.joins(1, "gw1");
            it.begins(7, "gw1", Origin::Operator(operator("100")));
            it.offers(1, "100", "gw1");
        }),
        ("before t1", |it| {
            it.joins(1, "gw1");
            let offer = it.offers(1, "100", "gw1");
            let reason = RefuseReason::Ignored;
            it.record(Fact::Refused { offer, reason });
            it.offers(1, "100", "gw1");
        }),
        ("before t1", |it| {
            it.joins(1, "gw1");
            it.joins(2, "gw1");
            let offer = it.answers(1, "100", "gw1");
            it.record(Fact::TalkEnded {
                offer,
                ended_at: it.now,
            });
            it.offers(2, "100", "gw1");
        }),
        ("who does not wait", |it| {
            it.offers(1, "100", "gw1");
        }),
        ("who does not wait", |it| {
            it.joins(1, "gw1");
            it.offers(1, "100", "gw1");
            it.offers(1, "101", "gw1");
        }),
        ("overtaken by TicketId(2) at the same gateway", |it| {
            it.joins(1, "gw1");
            it.joins(2, "gw1");
            it.offers(2, "100", "gw1");
        }),
        ("overtaken by TicketId(2) without a fact", |it| {
            it.joins(1, "gw1");
            it.joins(2, "gw2");
            it.offers(2, "102", "gw2");
        }),
    ]);
}

#[test]
fn an_end_without_a_beginning_is_reported() {
    each_is_reported(&[
        ("expired, which was not unresolved", |it| {
            it.record(Fact::Expired { offer: OfferId(7) });
        }),
        ("answered, which was never made", |it| {
            it.joins(1, "gw1");
            it.record(Fact::Answered {
                offer: OfferId(7),
                ticket: TicketId(1),
                operator: operator("100"),
                answered_at: it.now,
            });
        }),
        ("reconnected, which had not talked", |it| {
            it.joins(1, "gw1");
            it.record(Fact::Reconnected { ticket: TicketId(1) });
        }),
        ("settled at", |it| {
            it.restarts();
            it.record(Fact::Settled);
        }),
        ("a call is over and its ticket is not", |it| {
            it.joins(1, "gw1");
            it.ends(1, "gw1");
        }),
    ]);
}

#[test]
fn an_announcement_that_may_not_be_is_reported() {
    each_is_reported(&[
        ("does not wait", |it| {
            it.tells(1, Some(1), None, None);
        }),
        ("while settling", |it| {
            it.joins(1, "gw1");
            it.restarts();
            it.tells(1, Some(1), None, None);
        }),
        ("is away", |it| {
            it.joins(1, "gw1");
            it.detaches("gw1");
            it.tells(1, Some(1), None, None);
        }),
        ("position 2 was announced, 0 to 0 are before it", |it| {
            it.joins(1, "gw1");
            it.tells(1, Some(2), None, None);
        }),
        ("says nothing", |it| {
            it.joins(1, "gw1");
            it.tells(1, None, None, None);
        }),
        ("11: TicketId(2) was told position 1, and now 2", |it| {
            it.joins(1, "gw1");
            let first = it.now;
            it.joins(2, "gw1");
            it.leaves(1);
            it.tells(2, Some(1), None, None);
            it.truth.insert(TicketId(3), first);
            it.record(joined(3, "gw1", first, Some(1)));
            it.tells(2, Some(2), None, None);
        }),
        ("because of None", |it| {
            it.joins(1, "gw1");
            it.tells(1, None, Some(2), None);
            it.tells(1, None, Some(9), None);
        }),
        ("because of Some(CallersAhead)", |it| {
            it.joins(1, "gw1");
            it.tells(1, None, Some(9), None);
            it.tells(1, None, Some(2), Some(RiseReason::CallersAhead));
        }),
        ("which was not for them", |it| {
            it.joins(1, "gw1");
            it.joins(2, "gw1");
            let told = it.tells(1, Some(1), None, None);
            it.hears(told, 2);
        }),
        ("was heard twice", |it| {
            it.joins(1, "gw1");
            let told = it.tells(1, Some(1), None, None);
            it.hears(told, 1);
            it.hears(told, 1);
        }),
    ]);
}

#[test]
fn an_overflow_that_may_not_be_is_reported() {
    each_is_reported(&[
        ("is not what", |it| {
            it.joins(1, "gw1");
            it.overflows(1, "sales", "support", 50);
        }),
        ("overflowed, who is not there", |it| {
            it.overflows(1, "sales", "support", 600);
        }),
        ("overflowed, and is", |it| {
            it.joins(1, "gw1");
            it.overflows(1, "sales", "support", 600);
            it.overflows(1, "support", "sales", 600);
        }),
        ("OperatorId(104) is there", |it| {
            it.joins(1, "gw1");
            it.overflows(1, "sales", "support", 600);
            it.record(Fact::SignedIn {
                operator: operator("104"),
            });
            it.sent_back(1);
        }),
        ("was sent back, from None", |it| {
            it.joins(1, "gw1");
            it.sent_back(1);
        }),
        ("was sent back, who is not there", |it| it.sent_back(1)),
    ]);
}

#[test]
fn a_deadline_that_nobody_kept_is_reported() {
    let mut history = History::begun();
    history.joins(1, "gw1");
    history.offers(1, "100", "gw1");
    let late = |after: u32| history.judge.oracle.judge_time(history.now + after * SECOND);
    assert_eq!(late(20), Ok(()));
    let said = late(21).unwrap_err();
    assert!(said.contains("is not over"), "{said}");

    let mut history = History::begun();
    history.joins(1, "gw1");
    history.detaches("gw1");
    let late = |after: u32| history.judge.oracle.judge_time(history.now + after * SECOND);
    assert_eq!(late(31), Ok(()));
    let said = late(32).unwrap_err();
    assert!(said.contains("callers wait for it"), "{said}");
}

#[test]
fn books_that_do_not_balance_are_reported() {
    let mut history = History::begun();
    history.joins(1, "gw1");
    history.leaves(1);
    let said = history.judge.books.balance(&history.engine()).unwrap_err();
    assert!(said.contains("calls without a record: [CallId(1)]"), "{said}");
    history.ends(1, "gw1");
    assert_eq!(history.judge.books.balance(&history.engine()), Ok(()));
    history.ledger.retain(|it| !matches!(it.fact, Fact::Left { .. }));
    let said = history.judge.books.balance(&history.engine()).unwrap_err();
    assert!(said.contains("add up to"), "{said}");
}

#[test]
fn an_announcement_of_which_nothing_is_told_is_reported() {
    let mut history = History::begun();
    history.joins(1, "gw1");
    let told = history.tells(1, Some(1), None, None);
    let spoken = &history.judge.oracle.spoken;
    let said = spoken.judge_delivered([told].iter()).unwrap_err();
    assert!(said.contains("nobody says what was heard of it"), "{said}");
    history.hears(told, 1);
    assert_eq!(history.judge.oracle.spoken.judge_delivered([told].iter()), Ok(()));
}

#[test]
fn people_who_are_left_at_the_end_are_reported() {
    let rest = |spoil: fn(&mut History)| {
        let mut history = History::begun();
        spoil(&mut history);
        judge_rest(&history.engine()).unwrap_err()
    };
    let waiting = rest(|it| it.joins(1, "gw1"));
    assert!(waiting.contains("somebody is left"), "{waiting}");
    let called = rest(|it| it.begins(7, "gw1", Origin::Operator(operator("100"))));
    assert!(called.contains("operators are in calls"), "{called}");
}

/// A gateway with a caller who waits under ticket 1, and the phones of the operators 100 and 102.
fn at_the_gateway() -> (History, SimGateway) {
    let mut history = History::begun();
    history.joins(1, "gw1");
    let mut gateway = SimGateway::new("gw1", &[operator("100"), operator("102")], SECOND);
    let caller = SimCaller {
        state: CallerState::Waiting(TicketId(1)),
        queue: queue("sales"),
        joined_at: history.now,
    };
    gateway.callers.insert(CallId(1), caller);
    (history, gateway)
}

fn judged(history: &History, gateway: &SimGateway) -> Result<(), String> {
    judge_gateway(gateway, history.engine().state())
}

#[test]
fn a_view_that_is_not_the_truth_is_reported() {
    let spoilt = |spoil: fn(&mut SimGateway)| {
        let (history, mut gateway) = at_the_gateway();
        assert_eq!(judged(&history, &gateway), Ok(()));
        spoil(&mut gateway);
        judged(&history, &gateway).unwrap_err()
    };
    for said in [
        // The engine has lost a caller, has one who has gone, and has missed an answer.
        spoilt(|it| {
            let lost = it.callers[&CallId(1)].clone();
            let state = CallerState::Waiting(TicketId(2));
            it.callers.insert(CallId(2), SimCaller { state, ..lost });
        }),
        spoilt(|it| it.callers.clear()),
        spoilt(|it| {
            let state = CallerState::Talking(TicketId(1));
            it.callers.get_mut(&CallId(1)).unwrap().state = state;
        }),
    ] {
        assert!(said.contains("the truth is"), "{said}");
    }
    for line in [
        Line::Ringing(OfferId(7), TicketId(1)),
        Line::Talking(OfferId(7), TicketId(1)),
        Line::Own(CallId(7)),
    ] {
        let (history, mut gateway) = at_the_gateway();
        gateway.phones.get_mut(&operator("100")).unwrap().line = line;
        let said = judged(&history, &gateway).unwrap_err();
        assert!(
            said.contains(&format!("OperatorId(100)'s phone is {line:?}")),
            "{said}"
        );
    }
    let (mut history, gateway) = at_the_gateway();
    history.begins(7, "gw1", Origin::Operator(operator("100")));
    let said = judged(&history, &gateway).unwrap_err();
    assert!(said.contains("OperatorId(100)'s phone is Idle"), "{said}");
}

#[test]
fn a_second_call_to_an_operator_is_reported() {
    let (history, mut gateway) = at_the_gateway();
    let (now, mut dice) = (history.now, Dice(1));
    gateway.phones.get_mut(&operator("100")).unwrap().registered = true;
    let mut offer =
        |number, who| gateway.take_offer(now, OfferId(number), TicketId(1), operator(who), &mut dice);
    assert_eq!(offer(7, "100"), Ok(()));
    let said = offer(8, "100").unwrap_err();
    assert!(said.contains("whose phone is Ringing"), "{said}");
    let said = offer(9, "105").unwrap_err();
    assert!(said.contains("who has no phone here"), "{said}");
}
