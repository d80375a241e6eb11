//! Races by the thousands: each seed moves two commands within ±50 ms through a bad network. Afterwards every leg has had
//! its one last event and nothing is left of it.

use std::time::Duration;

use rand::Rng;

use super::world::*;
use crate::dialog::leg::State;
use crate::endpoint::Endpoint;
use crate::endpoint::events::*;
use crate::settings::Transport;
use crate::tag::Tag;
use crate::transaction::table::{Owner, Purpose, TxId};

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

/// A re-INVITE of ours, as a phone would send it: the endpoint itself never needs one. Its transaction, to be forgotten
/// when the dialog ends under it.
fn reinvite(endpoint: &mut Endpoint, now: pronto_types::Time, leg: LegId) -> Option<TxId> {
    let mut taken = endpoint.take(leg)?;
    let mut sent = None;
    if matches!(taken.state, State::Up) {
        taken.dialog.local_cseq += 1;
        let branch = Tag::random(&mut endpoint.rng);
        let draft = taken
            .dialog
            .request(&endpoint.face, "INVITE", taken.dialog.local_cseq, branch);
        let bytes = draft.finish(Some("application/sdp"), OFFER);
        let to = (taken.dialog.flow, branch);
        let of = (Purpose::Invite, Owner::Leg(leg));
        sent = Some(endpoint.table.send(now, to, bytes, of, &mut endpoint.out));
    }
    endpoint.keep(leg, taken);
    sent
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

#[test]
fn bye_against_bye_and_re_invite_ends_with_nothing_left() {
    for seed in 0..3000 {
        let mut world = World::new(seed, transport(seed), FINE);
        let (caller, leg) = world.connected();
        world.weather = weather(seed);
        let mut again = None;
        let at: Vec<u64> = (0..3).map(|_| roughly(&mut world, 60)).collect();
        for step in 0..120 {
            if step == at[0] {
                again = world.at(CALLER, |e, now| reinvite(e, now, caller));
            }
            if step == at[1] && seed % 4 != 1 {
                world.at(GATEWAY, |e, now| e.hangup(now, leg, None));
            }
            if step == at[2] && seed % 4 != 2 {
                world.at(CALLER, |e, now| e.hangup(now, caller, None));
            }
            world.run_ms(1);
            if matches!(world.log.last(), Some((_, GATEWAY, Event::Offer { .. }))) {
                world.at(GATEWAY, |e, now| e.accept_offer(now, leg, answer()));
            }
        }
        world.run(Duration::from_secs(40));
        again
            .into_iter()
            .for_each(|tx| world.nodes[CALLER].1.table.forget(tx));
        world.assert_clean();
        world.assert_told_once();
    }
}

#[test]
fn commands_in_any_state_do_nothing_wrong() {
    for seed in 0..1000 {
        let mut world = World::new(seed, transport(seed), weather(seed));
        let caller = world.dial();
        let mut again = Vec::new();
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
                    8 | 9 => again.extend(reinvite(e, now, leg).map(|tx| (node, tx))),
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
        again
            .into_iter()
            .for_each(|(node, tx)| world.nodes[node].1.table.forget(tx));
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
