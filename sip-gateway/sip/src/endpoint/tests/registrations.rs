//! Phones that register, refresh, leave and vanish.

use std::time::Duration;

use pronto_types::Secret;

use super::raw::*;
use super::world::*;
use crate::api::*;
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
    let leg = world.dial_as(PHONE, "101");
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
    world.dial_as(PHONE, "102");
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

/// A proven REGISTER of 101 from a stranger's address; the answer.
fn enrol_raw(raw: &mut Raw, id: &str, contact: &str, extra: &str) -> String {
    let uri = "sip:pronto.example";
    let text = request("REGISTER", uri, id, 1, extra)
        .replace("To: <sip:800", "To: <sip:101")
        .replace("<sip:c@127.0.0.2:5070>", contact);
    let challenged = raw.send(STRANGER, &text).pop().unwrap().1;
    let proof = authorization(&challenged, "101", "secret101", "REGISTER", uri);
    let text = text
        .replace("Contact", &format!("{proof}Contact"))
        .replace("CSeq: 1", "CSeq: 2");
    raw.send(STRANGER, &text).pop().unwrap().1
}

#[test]
fn the_path_a_phone_registered_over_is_the_route_to_it() {
    let mut raw = Raw::new();
    let path = "<sip:edge.example;lr>, <sip:core.example;lr>";
    let ok = enrol_raw(
        &mut raw,
        "p",
        "<sip:101@10.0.0.9>",
        &format!("Path: {path}\nRequire: path\nSupported: path\n"),
    );
    assert_eq!((status(&ok), header(&ok, "Path")), (200, Some(path)));
    let to = raw
        .endpoint
        .bindings(&operator("101"))
        .next()
        .unwrap()
        .destination();
    let (now, sdp) = (raw.now, super::world::offer());
    raw.endpoint.invite(now, &to, sdp, InviteOptions::default());
    let sent = raw.drain().remove(0);
    assert!(
        sent.1.starts_with("INVITE sip:101@10.0.0.9 SIP/2.0"),
        "{}",
        sent.1
    );
    let routes: Vec<&str> = sent.1.lines().filter_map(|l| l.strip_prefix("Route: ")).collect();
    assert_eq!(routes, ["<sip:edge.example;lr>", "<sip:core.example;lr>"]);
    assert_eq!(sent.0.to_string(), STRANGER, "over the flow it registered on");
}

#[test]
fn preference_and_flow_are_told_back_and_outbound_is_confirmed_only_where_it_can_be_given() {
    let mut raw = Raw::new();
    let contact = "<sip:101@10.0.0.9>;q=0.5;reg-id=1;+sip.instance=\"<urn:uuid:f>\"";
    let ok = enrol_raw(&mut raw, "o", contact, "Supported: path, outbound\n");
    assert_eq!(header(&ok, "Require"), Some("outbound"));
    assert_eq!(
        header(&ok, "Contact"),
        Some("<sip:101@10.0.0.9>;expires=300;q=0.500;+sip.instance=\"<urn:uuid:f>\";reg-id=1")
    );
    let moved = enrol_raw(
        &mut raw,
        "o2",
        &contact.replace("10.0.0.9", "10.0.0.10"),
        "Supported: outbound\n",
    );
    assert_eq!(moved.matches("Contact: ").count(), 1, "{moved}");
    let plain = enrol_raw(&mut raw, "o3", contact, "");
    assert_eq!((status(&plain), header(&plain, "Require")), (200, None));
    let bad = enrol_raw(&mut raw, "o4", "<sip:101@10.0.0.9>", "");
    assert_eq!(status(&bad), 200);
    let text = request("REGISTER", "sip:pronto.example", "o5", 1, "")
        .replace("<sip:c@127.0.0.2:5070>", "<sip:c@h>;q=7");
    assert_eq!(raw.status(STRANGER, &text), 400);
}

#[test]
fn bindings_survive_a_restart_and_the_phone_is_rung_without_registering_again() {
    let mut raw = Raw::new();
    let version = raw.endpoint.bindings_version();
    assert_eq!(status(&enrol_raw(&mut raw, "s", "<sip:101@10.0.0.9>", "")), 200);
    assert_ne!(raw.endpoint.bindings_version(), version);
    let saved = raw.endpoint.saved_bindings();
    let mut after = Raw::new();
    after.now = raw.now + Duration::from_secs(100);
    after.endpoint.restore_bindings(after.now, &saved);
    after.drain();
    assert!(
        matches!(&after.events[..], [Event::Binding { operator: o, expires: Some(_) }] if *o == operator("101"))
    );
    assert_eq!(after.endpoint.bindings(&operator("101")).count(), 1);
    after.pass(Duration::from_secs(201));
    assert!(
        matches!(after.events.last(), Some(Event::Binding { expires: None, .. })),
        "it runs out when it would have"
    );
    let mut tcp = Raw::new();
    tcp.endpoint
        .restore_bindings(raw.now, &saved.replace(" UDP ", " TCP "));
    assert_eq!(
        tcp.endpoint.counts().bindings,
        0,
        "a connection does not outlive the process"
    );
}
