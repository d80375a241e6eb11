//! A gateway is killed, and the next one ends what it left.

use std::collections::BTreeMap;

use bytes::Bytes;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha12Rng;

use super::raw::{Raw, TRUNK, invite, status};
use super::transports::{PAGE, everywhere, register, ring, sent};
use super::world::*;
use crate::Endpoint;
use crate::api::*;
use crate::message::{HeaderName, Message};
use crate::settings::Transport;

/// The dialogs in the file of a killed process.
#[derive(Default)]
struct Kept(BTreeMap<LegId, Orphan>);

impl Kept {
    fn see(&mut self, endpoint: &mut Endpoint) {
        while let Some((leg, change)) = endpoint.poll_dialog() {
            match change {
                DialogChange::Open(kept) => {
                    let answered = false;
                    self.0.insert(leg, Orphan { kept, answered });
                }
                DialogChange::Answered => self.0.get_mut(&leg).expect("it is known").answered = true,
                DialogChange::Over => {
                    self.0.remove(&leg).expect("it is known");
                }
            }
        }
    }
}

/// The gateway's process is killed; how many dialogs it left. Another one starts.
fn kill(world: &mut World) -> Vec<Orphan> {
    let mut kept = Kept::default();
    kept.see(&mut world.nodes[GATEWAY].1);
    replace(world);
    kept.0.into_values().collect()
}

fn replace(world: &mut World) {
    let rng = ChaCha12Rng::seed_from_u64(world.rng.next_u64());
    world.nodes[GATEWAY].1 = Endpoint::new(gateway_settings(world.transport), rng);
}

fn end(world: &mut World, orphans: Vec<Orphan>) {
    for orphan in orphans {
        assert!(world.at(GATEWAY, |endpoint, now| endpoint.end_orphan(now, &orphan)));
    }
}

/// Nothing stands in the new process's file when all is over.
fn assert_forgotten(world: &mut World) {
    world.assert_clean();
    let mut kept = Kept::default();
    kept.see(&mut world.nodes[GATEWAY].1);
    assert!(kept.0.is_empty(), "what is over is forgotten");
}

/// A phone that rings; the gateway's leg and the phone's.
fn ringing(world: &mut World) -> (LegId, LegId) {
    world.enrol(PHONE, "101");
    world.run_ms(200);
    let leg = world.ring("101");
    world.run_ms(100);
    let rung = world.incoming(PHONE).expect("the phone rings").leg;
    (leg, rung)
}

#[test]
fn a_talk_of_a_killed_gateway_is_ended_on_both_sides_by_the_next() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut world = World::new(1, transport, FINE);
        let (caller, _) = world.connected();
        let (_, rung) = ringing(&mut world);
        world.at(PHONE, |phone, now| phone.answer(now, rung, answer()));
        world.run_ms(100);
        let orphans = kill(&mut world);
        assert_eq!(orphans.len(), 2);
        assert!(orphans.iter().all(|orphan| !orphan.is_urgent()));
        end(&mut world, orphans);
        world.run_ms(100);
        assert_eq!(
            world.story(CALLER, caller),
            ["Answered", "Ended"],
            "{transport:?}"
        );
        assert_eq!(
            world.story(PHONE, rung),
            ["Invite", "Acknowledged", "Ended"],
            "{transport:?}"
        );
        assert_forgotten(&mut world);
    }
}

#[test]
fn a_phone_that_rings_for_a_killed_gateway_is_cancelled_by_the_next() {
    for transport in [Transport::Udp, Transport::Tcp] {
        for heard in [true, false] {
            let mut world = World::new(2, transport, FINE);
            let (_, rung) = ringing(&mut world);
            if heard {
                world.at(PHONE, |phone, now| phone.ring(now, rung));
                world.run_ms(100);
            }
            let orphans = kill(&mut world);
            assert!(orphans.iter().all(Orphan::is_urgent));
            end(&mut world, orphans);
            world.run_ms(100);
            assert_eq!(world.story(PHONE, rung), ["Invite", "Cancelled"], "{transport:?}");
            assert_forgotten(&mut world);
        }
    }
}

#[test]
fn an_answer_that_crosses_the_kill_is_acknowledged_and_ended() {
    let mut world = World::new(3, Transport::Udp, FINE);
    let (_, rung) = ringing(&mut world);
    world.at(PHONE, |phone, now| phone.answer(now, rung, answer()));
    let orphans = kill(&mut world);
    end(&mut world, orphans);
    world.run_ms(100);
    assert_eq!(world.story(PHONE, rung), ["Invite", "Acknowledged", "Ended"]);
    assert_forgotten(&mut world);
}

#[test]
fn a_caller_whom_a_killed_gateway_had_not_answered_is_refused_by_the_next() {
    for early in [true, false] {
        let mut world = World::new(4, Transport::Udp, FINE);
        let caller = world.dial();
        world.run_ms(50);
        let leg = world.incoming(GATEWAY).expect("an INVITE").leg;
        if early {
            world.at(GATEWAY, |endpoint, now| endpoint.progress(now, leg, answer()));
            world.run_ms(50);
        }
        let orphans = kill(&mut world);
        end(&mut world, orphans);
        world.run_ms(100);
        assert_eq!(world.story(CALLER, caller).last(), Some(&"Refused"));
        assert_forgotten(&mut world);
    }
}

/// The process may be killed after its 200 and before it has told of it.
#[test]
fn a_caller_whose_answer_nobody_told_of_is_hung_up_on_all_the_same() {
    let mut world = World::new(5, Transport::Udp, FINE);
    let caller = world.dial();
    world.run_ms(50);
    let leg = world.incoming(GATEWAY).expect("an INVITE").leg;
    let mut kept = Kept::default();
    kept.see(&mut world.nodes[GATEWAY].1);
    world.at(GATEWAY, |endpoint, now| endpoint.answer(now, leg, answer()));
    world.run_ms(100);
    replace(&mut world);
    end(&mut world, kept.0.into_values().collect());
    world.run_ms(100);
    assert_eq!(world.story(CALLER, caller), ["Answered", "Ended"]);
    assert_forgotten(&mut world);
}

#[test]
fn what_a_gateway_ended_itself_is_no_orphan() {
    let mut world = World::new(6, Transport::Udp, FINE);
    let (caller, _) = world.connected();
    let (leg, _) = ringing(&mut world);
    world.at(CALLER, |endpoint, now| endpoint.hangup(now, caller, None));
    world.at(GATEWAY, |endpoint, now| endpoint.hangup(now, leg, None));
    world.run_ms(500);
    assert!(kill(&mut world).is_empty());
}

#[test]
fn an_invite_that_comes_once_more_to_the_next_gateway_is_no_second_call() {
    for answered in [true, false] {
        let mut raw = Raw::new();
        raw.send(TRUNK, &invite("call"));
        let leg = raw.leg();
        if answered {
            raw.endpoint.answer(raw.now, leg, Bytes::from_static(ANSWER));
        }
        let mut kept = Kept::default();
        kept.see(&mut raw.endpoint);
        let mut next = Raw::new();
        for orphan in kept.0.into_values() {
            assert_eq!(orphan.answered, answered);
            next.endpoint.end_orphan(next.now, &orphan);
        }
        let told: Vec<u16> = next.drain().iter().map(|(_, text)| status(text)).collect();
        assert_eq!(told.contains(&500), !answered, "{told:?}");
        assert_eq!(next.status(TRUNK, &invite("call")), 500);
        assert!(next.events.is_empty(), "{:?}", next.events);
    }
}

#[test]
fn the_bye_of_the_next_gateway_follows_every_request_of_the_killed_one() {
    let mut raw = Raw::new();
    raw.call();
    let leg = raw.leg();
    let mut kept = Kept::default();
    kept.see(&mut raw.endpoint);
    raw.endpoint.probe(raw.now, leg);
    let number = |text: &str| {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        Message::parse(bytes).unwrap().essentials().unwrap().cseq
    };
    let probed = number(&raw.drain()[0].1);
    let mut next = Raw::new();
    for orphan in kept.0.into_values() {
        next.endpoint.end_orphan(next.now, &orphan);
    }
    let (_, bye) = next.drain().pop().expect("a BYE");
    assert!(bye.starts_with("BYE ") && number(&bye) > probed, "{bye}");
    let bye = Message::parse(Bytes::from(bye)).unwrap();
    assert!(bye.first(HeaderName::Reason).is_some(), "it says why");
}

#[test]
fn a_browser_is_hung_up_on_over_the_connection_it_makes_to_the_next_gateway() {
    let mut raw = everywhere();
    raw.transport = Transport::Ws;
    register(&mut raw, "127.0.0.3:40001", &format!("<{PAGE}>"), "one");
    ring(&mut raw, 100);
    let mut kept = Kept::default();
    kept.see(&mut raw.endpoint);
    let mut next = everywhere();
    next.transport = Transport::Ws;
    for orphan in kept.0.into_values() {
        assert!(next.endpoint.end_orphan(next.now, &orphan), "it is waited for");
    }
    assert!(sent(&mut next).is_empty(), "nobody but the browser can connect");
    assert_eq!(next.endpoint.counts().dialogs, 0);
    register(&mut next, "127.0.0.3:40002", &format!("<{PAGE}>"), "two");
    // Its CANCEL is out; the browser says what became of the INVITE, or nothing for 32 s.
    let counts = next.endpoint.counts();
    assert_eq!((counts.dialogs, counts.bindings), (1, 1));
    next.pass(std::time::Duration::from_secs(33));
    assert_eq!(next.endpoint.counts().dialogs, 0);
}

#[test]
fn what_is_not_understood_ends_nothing() {
    let mut raw = Raw::new();
    raw.call();
    let mut kept = Kept::default();
    kept.see(&mut raw.endpoint);
    let whole = kept.0.into_values().next().expect("a dialog").kept;
    for length in 0..whole.len() {
        let kept = whole.slice(..length);
        let mut next = Raw::new();
        let orphan = Orphan { kept, answered: true };
        next.endpoint.end_orphan(next.now, &orphan);
    }
    for octet in 0..whole.len() {
        let mut kept = whole.to_vec();
        kept[octet] ^= 0xff;
        let mut next = Raw::new();
        let kept = Bytes::from(kept);
        next.endpoint
            .end_orphan(next.now, &Orphan { kept, answered: true });
    }
}
