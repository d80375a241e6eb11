//! The judge of a day is judged: a day in which nothing happens passes, and each fault is reported by its name.

use std::collections::BTreeMap;
use std::time::Duration;

use pronto_engine::{Cause, Contact, Fact, LedgerEntry};
use pronto_media::LegId;
use pronto_sip as sip;
use pronto_types::link::{CallOutcome, Caller, Event, Hearing, LeaveReason, Origin, Promise, RiseReason};
use pronto_types::{AnnouncementId, CallId, Forecast, Language, TicketId, Time};

use super::Plan;
use super::books::totals;
use super::building::{build, names, operator};
use super::people::working;
use crate::media::{Heard, Leg};
use crate::phone::{Person, Phone, Stage};
use crate::spoken::Delivered;
use crate::world::{World, gateway_name};

const TICKET: TicketId = TicketId(1);
const CALL: CallId = CallId(1);

/// The verdict on a day that was spoilt: the first thing that is wrong.
fn verdict(spoil: impl FnOnce(&mut World)) -> Option<String> {
    let plan = Plan::crowded(1);
    let mut world = build(plan);
    world.open();
    world.run_until(world.now + Duration::from_secs(1));
    spoil(&mut world);
    totals(world, plan).broken
}

/// A fault by the words of its report, and how a day comes to have it.
type Fault = (&'static str, fn(&mut World));

fn each_is_reported(faults: &[Fault]) {
    for (expected, spoil) in faults {
        let broken = verdict(spoil).unwrap_or_else(|| panic!("nothing was reported: {expected}"));
        assert!(broken.contains(expected), "{expected}: {broken}");
    }
}

/// Writes facts that the engine did not decide into the ledger; returns the number of the last.
fn write(world: &mut World, facts: impl IntoIterator<Item = Fact>) -> u64 {
    for fact in facts {
        let seq = world.queue.log.len() as u64 + 1;
        let (gateway, epoch, number) = (gateway_name(0), 1, seq);
        world.queue.log.push(LedgerEntry {
            seq,
            at: world.now,
            cause: Some(Cause {
                gateway,
                epoch,
                number,
            }),
            fact,
        });
    }
    world.queue.log.len() as u64
}

fn began() -> Fact {
    Fact::CallBegan {
        call: CALL,
        dialled: "800".to_owned(),
        origin: Origin::Operator(operator(0)),
    }
}

fn joined() -> Fact {
    Fact::Joined {
        ticket: TICKET,
        contact: Contact::of_call(gateway_name(0), CALL),
        queue: names()[0].clone(),
        language: Language::English,
        joined_at: Time::ZERO,
        head_start: Duration::ZERO,
        deadline: Time::MAX,
        caller_key: None,
        regained: None,
    }
}

fn announced(position: Option<u32>, minutes: Option<u64>, rise: Option<RiseReason>) -> Fact {
    let wait = minutes.map(|minutes| Promise {
        p50: Duration::from_secs(60 * minutes),
        p90: Duration::from_secs(120 * minutes),
    });
    Fact::Announced {
        ticket: TICKET,
        position,
        wait,
        rise,
    }
}

fn heard(announcement: u64) -> Event {
    Event::Heard {
        announcement: AnnouncementId(announcement),
        ticket: TICKET,
        how: Hearing::Whole,
    }
}

fn overflowed(here: u64) -> Fact {
    let [here, there] = [here, 60].map(Duration::from_secs).map(|wait| Forecast {
        p50: wait,
        p80: wait,
        p90: wait,
    });
    let [queue, to] = names();
    Fact::Overflowed {
        ticket: TICKET,
        queue,
        to,
        here,
        there,
    }
}

fn deliver(world: &mut World, announcement: u64) {
    world.delivered.push(Delivered {
        gateway: 0,
        epoch: world.gateways[0].epoch,
        announcement: AnnouncementId(announcement),
    });
}

#[test]
fn a_day_without_a_fault_passes() {
    let broken = verdict(|world| {
        world.check();
        world.check_fold();
        write(world, [joined(), announced(Some(2), Some(9), None)]);
        write(world, [announced(Some(1), None, None), overflowed(600)]);
        deliver(world, 7);
        world.gateways[0].journal.push(heard(7));
    });
    assert_eq!(broken, None);
}

#[test]
fn a_fault_that_a_step_shows_is_reported() {
    each_is_reported(&[
        ("has 2 calls at once", |world| {
            let (address, gateway) = (([127, 9, 9, 9], 5060).into(), world.gateways[0].address);
            let calls = [1, 2].map(|leg| (sip::LegId(leg), Stage::Answered));
            let person = Person::Operator {
                id: operator(0),
                habits: working(),
                calls: BTreeMap::from(calls),
                registration: None,
            };
            world
                .phones
                .insert(address, Phone::new(address, gateway, person, 1));
            world.check();
        }),
        ("hears nothing", |world| {
            let leg = Leg {
                port: 20_000,
                heard: Heard::Silence,
                silent_since: Some(Time::ZERO),
            };
            world.gateways[0].media.legs.insert(LegId(1), leg);
            world.check();
        }),
        ("the fold of the facts is not the live state", |world| {
            write(world, [joined()]);
            world.check_fold();
        }),
    ]);
}

#[test]
fn a_word_that_was_not_kept_is_reported() {
    each_is_reported(&[
        ("a position rose to Some(2)", |world| {
            write(
                world,
                [announced(Some(1), None, None), announced(Some(2), None, None)],
            );
        }),
        ("reason None", |world| {
            write(
                world,
                [announced(None, Some(2), None), announced(None, Some(9), None)],
            );
        }),
        ("reason Some(Unknown)", |world| {
            write(world, [announced(None, Some(2), Some(RiseReason::Unknown))]);
        }),
        ("was not open for", |world| {
            let announcement = AnnouncementId(write(world, [announced(Some(1), None, None)]));
            let (ticket, how) = (TicketId(2), Hearing::Whole);
            write(
                world,
                [Fact::Heard {
                    announcement,
                    ticket,
                    how,
                }],
            );
        }),
        ("arrived once and was reported 0 times", |world| deliver(world, 7)),
        ("arrived once and was reported 2 times", |world| {
            deliver(world, 7);
            world.gateways[0].journal.extend([heard(7), heard(7)]);
        }),
        ("was reported and never arrived", |world| {
            world.gateways[0].journal.push(heard(7));
        }),
    ]);
}

#[test]
fn a_move_to_another_queue_that_may_not_be_is_reported() {
    each_is_reported(&[
        ("who stood in None", |world| {
            write(world, [overflowed(600)]);
        }),
        ("who stood in Some(QueueName(support))", |world| {
            write(world, [joined(), overflowed(100)]);
        }),
        ("who stood in Some(QueueName(sales))", |world| {
            write(world, [joined(), overflowed(600), overflowed(600)]);
        }),
        ("SentBack", |world| {
            let [to, queue] = names();
            let ticket = TICKET;
            write(world, [joined(), Fact::SentBack { ticket, queue, to }]);
        }),
        ("is offered from sales", |world| {
            let offered = Fact::Offered {
                ticket: TICKET,
                round: None,
                operator: operator(0),
                queue: names()[1].clone(),
                gateway: gateway_name(0),
                waited: Duration::ZERO,
                valid_until: Time::MAX,
            };
            write(world, [joined(), offered]);
        }),
    ]);
}

#[test]
fn what_is_left_or_missing_at_the_end_is_reported() {
    each_is_reported(&[
        ("the queue service is down", |world| world.queue.engine = None),
        ("1 media legs", |world| {
            let leg = Leg {
                port: 20_000,
                heard: Heard::Music,
                silent_since: None,
            };
            world.gateways[0].media.legs.insert(LegId(1), leg);
        }),
        ("1 begun, 0 records", |world| world.gateways[0].records.begun += 1),
        ("the records hold [1, 0, 0]", |world| {
            write(world, [began()]);
        }),
        ("1 calls begun, 0 records in the ledger", |world| {
            world.gateways[0].journal.push(Event::CallBegan {
                call: CALL,
                dialled: "800".to_owned(),
                caller: Caller::default(),
                origin: Origin::Operator(operator(0)),
            });
        }),
        ("1 calls told, 1 records, 0 calls begun", |world| {
            write(world, [began(), ended()]);
        }),
        (
            "the records list 1 tickets abandoned, the engine counts 0",
            |world| {
                let reason = LeaveReason::Abandoned;
                write(
                    world,
                    [
                        began(),
                        joined(),
                        Fact::Left {
                            ticket: TICKET,
                            reason,
                        },
                        ended(),
                    ],
                );
            },
        ),
    ]);
}

fn ended() -> Fact {
    Fact::CallEnded {
        call: CALL,
        outcome: CallOutcome::Completed,
        duration: Duration::ZERO,
        digits: 0,
    }
}
