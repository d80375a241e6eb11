//! Phones that register, refresh, leave and vanish.

use std::time::Duration;

use pronto_types::Secret;

use super::world::*;
use crate::endpoint::events::*;
use crate::settings::Transport;

fn leases(world: &World) -> Vec<bool> {
    let of = |e: &Event| match e {
        Event::Binding { expires, .. } => Some(expires.is_some()),
        _ => None,
    };
    world.events(GATEWAY).iter().filter_map(of).collect()
}

#[test]
fn a_phone_proves_itself_and_is_bound_until_it_leaves() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut world = World::new(1, transport, FINE);
        let id = world.enrol(PHONE, "101");
        world.run_ms(100);
        assert!(matches!(
            world.events(PHONE).as_slice(),
            [Event::Registered { .. }]
        ));
        assert_eq!(leases(&world), [true]);
        let binding = world.nodes[GATEWAY]
            .1
            .bindings(&operator("101"))
            .next()
            .unwrap()
            .clone();
        assert_eq!(binding.flow.remote, address(PHONE));
        assert!(binding.contact.starts_with(b"sip:101@127.0.0.3:5080"));
        world.at(PHONE, |e, now| e.unregister(now, id));
        world.run_ms(100);
        assert_eq!(leases(&world), [true, false]);
        assert_eq!(world.nodes[GATEWAY].1.bindings(&operator("101")).count(), 0);
        world.assert_clean();
    }
}

#[test]
fn a_registration_is_refreshed_through_loss_and_lapses_when_the_phone_is_gone() {
    let mut world = World::new(2, Transport::Udp, Weather { loss: 200, ..FINE });
    world.enrol(PHONE, "101");
    world.run(Duration::from_secs(1200));
    let told = leases(&world);
    assert!(told.len() > 8 && told.iter().all(|held| *held), "{told:?}");
    world.weather.loss = 1000;
    world.run(Duration::from_secs(180));
    assert_eq!(leases(&world).last(), Some(&false));
    assert!(matches!(
        world.events(PHONE).last(),
        Some(Event::RegistrationFailed { status: 408, .. })
    ));
    world.weather.loss = 0;
    world.run(Duration::from_secs(400));
    assert_eq!(
        leases(&world).last(),
        Some(&true),
        "the phone comes back by itself"
    );
}

#[test]
fn a_wrong_password_is_told_and_binds_nothing() {
    let mut world = World::new(3, Transport::Udp, FINE);
    for (user, phone) in [("101", PHONE), ("nobody", OTHER_PHONE)] {
        let wanted = Registration {
            flow: world.flow(phone, GATEWAY),
            domain: "pronto.example".into(),
            user: user.into(),
            password: Secret::new("guess"),
            expires: Duration::from_secs(60),
        };
        world.at(phone, |e, now| e.register(now, wanted));
    }
    world.run_ms(500);
    for phone in [PHONE, OTHER_PHONE] {
        assert!(matches!(
            world.events(phone).as_slice(),
            [Event::RegistrationFailed { status: 401, .. }]
        ));
    }
    assert_eq!(world.nodes[GATEWAY].1.counts().bindings, 0);
    assert_eq!(
        world.nodes[GATEWAY].1.counts().transactions,
        0,
        "whoever proves nothing costs no memory"
    );
}

#[test]
fn too_short_a_lease_is_refused_with_the_least_and_the_phone_asks_for_that() {
    let mut world = World::new(4, Transport::Udp, FINE);
    let wanted = Registration {
        flow: world.flow(PHONE, GATEWAY),
        domain: "pronto.example".into(),
        user: "101".into(),
        password: Secret::new("secret101"),
        expires: Duration::from_secs(5),
    };
    world.at(PHONE, |e, now| e.register(now, wanted));
    world.run_ms(500);
    let events = world.events(PHONE);
    assert!(
        matches!(events.as_slice(), [Event::Registered { expires, .. }] if expires.as_secs() == 30),
        "{events:?}"
    );
    assert_eq!(world.count_sent(GATEWAY, "SIP/2.0 423"), 1);
}

#[test]
fn a_registered_phone_is_rung_where_it_registered_from_and_takes_the_call() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut world = World::new(5, transport, FINE);
        world.enrol(PHONE, "101");
        world.run_ms(100);
        let leg = world.ring("101");
        world.run_ms(50);
        let phone = world.incoming(PHONE).unwrap();
        assert_eq!(phone.dialled, "101");
        world.at(PHONE, |e, now| e.ring(now, phone.leg));
        world.run_ms(50);
        world.at(PHONE, |e, now| e.answer(now, phone.leg, answer()));
        world.run_ms(50);
        assert_eq!(world.story(GATEWAY, leg), ["Progress", "Answered"]);
        world.at(PHONE, |e, now| e.hangup(now, phone.leg, None));
        world.run_ms(50);
        assert_eq!(world.story(GATEWAY, leg), ["Progress", "Answered", "Ended"]);
        world.assert_clean();
    }
}

#[test]
fn an_operator_may_call_and_is_challenged_whatever_the_address_allows() {
    let mut world = World::new(6, Transport::Udp, FINE);
    world.enrol(PHONE, "101");
    world.run_ms(100);
    let to = Destination {
        uri: "sip:800@pronto.example".into(),
        flow: world.flow(PHONE, GATEWAY),
    };
    let options = InviteOptions {
        from_user: Some("101".into()),
        from_display: None,
    };
    let leg = world.at(PHONE, |e, now| e.invite(now, &to, offer(), options));
    world.run_ms(100);
    assert_eq!(world.count_sent(GATEWAY, "SIP/2.0 401"), 2, "REGISTER and INVITE");
    let invite = world.incoming(GATEWAY).unwrap();
    assert_eq!(invite.from, Identity::Operator(operator("101")));
    world.at(GATEWAY, |e, now| e.answer(now, invite.leg, answer()));
    world.run_ms(100);
    assert_eq!(world.story(PHONE, leg), ["Answered"]);
    // A digest is never given inside a dialog, nor for a second challenge.
    world.at(PHONE, |e, now| e.hangup(now, leg, None));
    world.assert_clean();
}

#[test]
fn an_operator_who_claims_to_be_another_is_forbidden() {
    let mut world = World::new(7, Transport::Udp, FINE);
    world.enrol(PHONE, "101");
    world.run_ms(100);
    let to = Destination {
        uri: "sip:800@pronto.example".into(),
        flow: world.flow(PHONE, GATEWAY),
    };
    let options = InviteOptions {
        from_user: Some("102".into()),
        from_display: None,
    };
    world.at(PHONE, |e, now| e.invite(now, &to, offer(), options));
    world.run_ms(100);
    assert!(matches!(
        world.events(PHONE).last(),
        Some(Event::Refused { status: 403, .. })
    ));
    assert!(world.incoming(GATEWAY).is_none());
}

#[test]
fn a_phone_whose_connection_closes_is_unbound() {
    let mut world = World::new(8, Transport::Tcp, FINE);
    world.enrol(PHONE, "101");
    world.run_ms(100);
    let flow = world.flow(GATEWAY, PHONE);
    world.at(GATEWAY, |e, now| e.handle_input(now, Input::FlowClosed { flow }));
    assert_eq!(leases(&world), [true, false]);
}

#[test]
fn two_phones_of_one_operator_are_listed_newest_first() {
    let mut world = World::new(9, Transport::Udp, FINE);
    world.enrol(PHONE, "101");
    world.run(Duration::from_secs(1));
    world.enrol(OTHER_PHONE, "101");
    world.run(Duration::from_secs(1));
    let at: Vec<_> = world.nodes[GATEWAY]
        .1
        .bindings(&operator("101"))
        .map(|b| b.flow.remote)
        .collect();
    assert_eq!(at, [address(OTHER_PHONE), address(PHONE)]);
}
