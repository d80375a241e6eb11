//! Phones that are asked whether they are there.

use std::time::Duration;

use super::world::*;
use crate::api::*;
use crate::settings::Transport;

const DARK: Weather = Weather { loss: 1000, ..FINE };

fn asking(seed: u64) -> World {
    let mut world = World::new(seed, Transport::Udp, FINE);
    world.nodes[GATEWAY].1.settings.qualify = Some(Duration::from_secs(20));
    world
}

fn reached(world: &World, id: &str) -> usize {
    world.nodes[GATEWAY].1.bindings(&operator(id)).count()
}

fn told(world: &World) -> Vec<bool> {
    let leases = world.events(GATEWAY).into_iter().filter_map(|event| match event {
        Event::Binding { expires, .. } => Some(expires.is_some()),
        _ => None,
    });
    leases.collect()
}

#[test]
fn a_phone_that_answers_no_options_is_not_called_until_it_does() {
    let mut world = asking(1);
    world.enrol(PHONE, "101");
    world.run(Duration::from_secs(25));
    let asked = world.count_sent(GATEWAY, "OPTIONS");
    assert!(asked >= 1 && reached(&world, "101") == 1);
    world.weather = DARK;
    world.run(Duration::from_secs(55));
    assert_eq!(
        reached(&world, "101"),
        0,
        "its lease has not run out, but it is not there"
    );
    assert_eq!(world.nodes[GATEWAY].1.counts().bindings, 1);
    assert_eq!(told(&world), [true, false]);
    world.weather = FINE;
    world.run(Duration::from_secs(25));
    assert_eq!(reached(&world, "101"), 1);
    assert_eq!(told(&world)[..3], [true, false, true]);
}

#[test]
fn an_invite_without_any_answer_makes_a_phone_suspect_and_its_other_phone_stays() {
    let mut world = asking(2);
    world.nodes[GATEWAY].1.settings.qualify = Some(Duration::from_secs(3600));
    world.enrol(OTHER_PHONE, "101");
    world.enrol(PHONE, "101");
    world.run(Duration::from_secs(1));
    let leg = world.ring("101");
    world.weather = DARK;
    world.run(Duration::from_secs(33));
    assert_eq!(world.story(GATEWAY, leg), ["Refused"]);
    assert_eq!(reached(&world, "101"), 1, "one of the two");
    assert_eq!(told(&world).last(), Some(&true));
    // It registers again from where it was, and answers the OPTIONS that this brings.
    world.weather = FINE;
    world.run(Duration::from_secs(120));
    assert_eq!(reached(&world, "101"), 2);
}

#[test]
fn two_operators_behind_one_flow_are_both_bound_both_call_and_both_go_with_it() {
    let mut world = World::new(3, Transport::Tcp, FINE);
    world.enrol(PHONE, "101");
    world.run_ms(100);
    let (flow, now) = (world.flow(GATEWAY, PHONE), world.now);
    let from = crate::registrar::From {
        flow,
        call_id: b"another",
        cseq: 1,
        path: &[],
    };
    let wanted = crate::registrar::Wanted {
        contact: b"sip:102@127.0.0.3",
        seconds: Some(120),
        ..Default::default()
    };
    let change = crate::registrar::Change::Set(vec![wanted]);
    let registrar = &mut world.nodes[GATEWAY].1.registrar;
    registrar.apply(now, &operator("102"), from, &change).unwrap();
    let leg = world.dial_as(PHONE, "101");
    world.run_ms(100);
    let invite = world
        .incoming(GATEWAY)
        .expect("101 calls, though 102 registered there last");
    assert_eq!(invite.from, Identity::Operator(operator("101")));
    world.at(PHONE, |e, now| e.hangup(now, leg, None));
    world.run_ms(100);
    world.at(GATEWAY, |e, now| e.handle_input(now, Input::FlowClosed { flow }));
    assert_eq!((reached(&world, "101"), reached(&world, "102")), (0, 0));
    assert_eq!(told(&world), [true, false, false]);
}
