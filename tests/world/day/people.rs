//! The people who phone and answer on a day, and the failures of that day.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use pronto_types::Time;
use rand::RngExt;
use rand_chacha::ChaCha12Rng;

use crate::net::{between, exponential};
use crate::phone::{Act, Habits, Person, Phone};
use crate::world::{Arrival, Happening, World};

use super::building::operator;
use super::{OPENING, Plan};

pub(super) fn operators(world: &mut World, plan: Plan, dice: &mut ChaCha12Rng) {
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
pub(super) fn working() -> Habits {
    Habits {
        ignores: 0.06,
        declines: 0.04,
        answers_after: (Duration::from_millis(300), Duration::from_secs(9)),
        talks: Duration::from_secs(200),
        hangs_up_first: 0.5,
    }
}

/// The habits of an operator who answers when the caller is about to hang up, and hangs up at once.
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

pub(super) fn callers(world: &mut World, plan: Plan, dice: &mut ChaCha12Rng) {
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

/// Plans a caller's acts: dial, press, wait, lose patience; some hang up at any moment, even before the answer.
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

pub(super) fn disasters(world: &mut World, plan: Plan, dice: &mut ChaCha12Rng) {
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
