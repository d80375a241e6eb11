//! Races by the thousands: each seed moves two commands within ±50 ms through a bad network. Afterwards every leg has had
//! its one last event and nothing is left of it.

use std::time::Duration;

use rand::Rng;

use super::world::*;
use crate::api::*;
use crate::reason::Reason;
use crate::settings::Transport;

fn roughly(world: &mut World, millis: u32) -> u64 {
    u64::from(millis - 50 + world.rng.next_u32() % 101)
}

fn weather(seed: u64) -> Weather {
    match seed % 3 {
        0 => FINE,
        1 => Weather {
            loss: 0,
            duplicates: 200,
            delay: 10,
            jitter: 80,
        },
        _ => STORM,
    }
}

fn transport(seed: u64) -> Transport {
    if seed.is_multiple_of(7) {
        Transport::Tcp
    } else {
        Transport::Udp
    }
}

#[test]
fn cancel_against_200_ends_with_nothing_left() {
    let (mut won, mut lost) = (0, 0);
    for seed in 0..4000 {
        let mut world = World::new(seed, transport(seed), weather(seed));
        let caller = world.dial();
        world.run(Duration::from_secs(16));
        let Some(invite) = world.incoming(GATEWAY) else {
            panic!("seed {seed}: no INVITE")
        };
        // Half of the callers wait unanswered, and hear something.
        if seed % 2 == 0 {
            world.at(GATEWAY, |e, now| e.progress(now, invite.leg, answer()));
        }
        let (cancel, ok) = (roughly(&mut world, 60), roughly(&mut world, 60));
        for step in 0..120 {
            if step == cancel {
                world.at(CALLER, |e, now| e.hangup(now, caller, None));
            }
            if step == ok {
                world.at(GATEWAY, |e, now| e.answer(now, invite.leg, answer()));
            }
            world.run_ms(1);
        }
        world.run(Duration::from_secs(40));
        match world.story(GATEWAY, invite.leg).last() {
            Some(&"Cancelled") => won += 1,
            Some(&"Ended") => lost += 1,
            other => panic!("seed {seed}: {other:?}"),
        }
        assert_eq!(
            world.story(CALLER, caller).last(),
            Some(&"Released"),
            "seed {seed}"
        );
        world.assert_clean();
        world.assert_told_once();
    }
    assert!(
        won > 200 && lost > 200,
        "both sides win some races: {won}, {lost}"
    );
}

#[test]
fn answer_against_our_own_hangup_ends_with_nothing_left() {
    for seed in 0..3000 {
        let mut world = World::new(
            seed,
            transport(seed),
            Weather {
                loss: 0,
                ..weather(seed)
            },
        );
        world.enrol(PHONE, "101");
        world.run(Duration::from_secs(3));
        let leg = world.ring("101");
        world.run(Duration::from_secs(1));
        world.weather = weather(seed);
        let Some(phone) = world.incoming(PHONE) else {
            panic!("seed {seed}: no INVITE")
        };
        let (hangup, ok) = (roughly(&mut world, 60), roughly(&mut world, 60));
        for step in 0..120 {
            if step == hangup {
                world.at(GATEWAY, |e, now| {
                    e.hangup(now, leg, Some(Reason::completed_elsewhere()))
                });
            }
            if step == ok {
                world.at(PHONE, |e, now| e.answer(now, phone.leg, answer()));
            }
            world.run_ms(1);
        }
        world.run(Duration::from_secs(40));
        let told = world.story(GATEWAY, leg);
        assert_eq!(told.last(), Some(&"Released"), "seed {seed}: {told:?}");
        assert!(
            matches!(
                world.story(PHONE, phone.leg).last(),
                Some(&"Cancelled" | &"Ended")
            ),
            "seed {seed}"
        );
        world.weather = FINE;
        world.assert_clean();
        world.assert_told_once();
    }
}

/// As the gateway does it: all phones of an operator ring, the first to answer has the call, the others are hung up.
#[test]
fn phones_that_answer_at_once_leave_one_call_and_nothing_else() {
    let mut both = 0;
    for seed in 0..2000 {
        let mut world = World::new(seed, transport(seed), FINE);
        world.enrol(PHONE, "101");
        world.enrol(OTHER_PHONE, "101");
        world.run(Duration::from_secs(3));
        let phones: Vec<Destination> = {
            let who = operator("101");
            let bindings = world.nodes[GATEWAY].1.bindings(&who);
            bindings.map(|binding| binding.destination()).collect()
        };
        assert_eq!(phones.len(), 2);
        world.weather = weather(seed);
        let ring = |to: &Destination, world: &mut World| {
            world.at(GATEWAY, |e, now| {
                e.invite(now, to, offer(), InviteOptions::default())
            })
        };
        let legs: Vec<LegId> = phones.iter().map(|to| ring(to, &mut world)).collect();
        world.run(Duration::from_secs(8));
        let at: Vec<u64> = (0..3).map(|_| roughly(&mut world, 60)).collect();
        let mut won = None;
        for step in 0..40_000 {
            for (index, node) in [PHONE, OTHER_PHONE].into_iter().enumerate() {
                if step == at[index]
                    && let Some(invite) = world.incoming(node)
                {
                    world.at(node, |e, now| e.answer(now, invite.leg, answer()));
                }
            }
            // The caller may be gone as well.
            if step == at[2] && seed % 5 == 0 {
                legs.iter()
                    .for_each(|leg| world.at(GATEWAY, |e, now| e.hangup(now, *leg, None)));
                won = won.or(Some(legs[0]));
            }
            let answered = |leg: &LegId| world.story(GATEWAY, *leg).contains(&"Answered");
            if won.is_none()
                && let Some(first) = legs.iter().copied().find(answered)
            {
                won = Some(first);
                for leg in legs.iter().filter(|leg| **leg != first) {
                    let reason = Some(Reason::completed_elsewhere());
                    world.at(GATEWAY, |e, now| e.hangup(now, *leg, reason));
                }
            }
            if step > 120 && step % 100 != 0 {
                continue;
            }
            world.run_ms(if step < 120 { 1 } else { 100 });
        }
        both += usize::from(world.count_sent(GATEWAY, "BYE") > 0);
        if let Some(won) = won {
            world.at(GATEWAY, |e, now| e.hangup(now, won, None));
        }
        world.run(Duration::from_secs(40));
        world.weather = FINE;
        world.assert_clean();
        world.assert_told_once();
    }
    assert!(both > 200, "the second answer often crosses its CANCEL: {both}");
}

#[test]
fn bye_against_bye_and_re_invite_ends_with_nothing_left() {
    for seed in 0..3000 {
        let mut world = World::new(seed, transport(seed), FINE);
        let (caller, leg) = world.connected();
        world.weather = weather(seed);
        let at: Vec<u64> = (0..4).map(|_| roughly(&mut world, 60)).collect();
        for step in 0..120 {
            if step == at[0] {
                world.at(CALLER, |e, now| e.reoffer(now, caller, offer()));
            }
            if step == at[3] && seed % 3 == 0 {
                world.at(GATEWAY, |e, now| e.reoffer(now, leg, offer()));
            }
            if step == at[1] && seed % 4 != 1 {
                world.at(GATEWAY, |e, now| e.hangup(now, leg, None));
            }
            if step == at[2] && seed % 4 != 2 {
                world.at(CALLER, |e, now| e.hangup(now, caller, None));
            }
            world.run_ms(1);
            match world.log.last() {
                Some((_, GATEWAY, Event::Offer { .. })) => {
                    world.at(GATEWAY, |e, now| e.accept_offer(now, leg, answer()));
                }
                Some((_, CALLER, Event::Offer { .. })) => {
                    world.at(CALLER, |e, now| e.accept_offer(now, caller, answer()));
                }
                _ => {}
            }
        }
        world.run(Duration::from_secs(40));
        world.assert_clean();
        world.assert_told_once();
    }
}

#[test]
fn commands_in_any_state_do_nothing_wrong() {
    for seed in 0..1000 {
        let mut world = World::new(seed, transport(seed), weather(seed));
        let caller = world.dial();
        for _ in 0..60 {
            let node = if world.rng.next_u32().is_multiple_of(2) {
                GATEWAY
            } else {
                CALLER
            };
            let leg = if node == CALLER {
                Some(caller)
            } else {
                world.incoming(GATEWAY).map(|i| i.leg)
            };
            let dice = world.rng.next_u32() % 24;
            if let Some(leg) = leg {
                world.at(node, |e, now| match dice {
                    0 => e.ring(now, leg),
                    1 | 2 => e.answer(now, leg, answer()),
                    3 => e.hangup(now, leg, None),
                    4 => e.probe(now, leg),
                    5 => e.accept_offer(now, leg, answer()),
                    6 => e.refuse_offer(now, leg, BUSY),
                    7 if seed % 2 == 0 => e.reject(now, leg, BUSY, None),
                    8 | 9 => e.reoffer(now, leg, offer()),
                    10 => e.progress(now, leg, answer()),
                    _ => {}
                });
            }
            let pause = u64::from(world.rng.next_u32() % 400);
            world.run_ms(pause);
        }
        if let Some(invite) = world.incoming(GATEWAY) {
            world.at(GATEWAY, |e, now| e.hangup(now, invite.leg, None));
        }
        world.at(CALLER, |e, now| e.hangup(now, caller, None));
        world.run(Duration::from_secs(70));
        world.assert_clean();
        world.assert_told_once();
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let run = |seed| {
        let mut world = World::new(seed, Transport::Udp, STORM);
        let caller = world.dial();
        world.run(Duration::from_secs(10));
        world.at(CALLER, |e, now| e.hangup(now, caller, None));
        world.run(Duration::from_secs(60));
        world.wire
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5), run(6));
}
