use super::*;
use crate::settings::Transport;

const NOW: Time = Time::from_secs(1000);

fn flow(port: u16) -> Flow {
    Flow {
        transport: Transport::Udp,
        local: "127.0.0.1:5060".parse().unwrap(),
        remote: ([127, 0, 0, 3], port).into(),
    }
}

fn from(call_id: &str, cseq: u32, port: u16) -> From<'_> {
    From {
        flow: flow(port),
        call_id: call_id.as_bytes(),
        cseq,
        path: &[],
    }
}

fn set(contact: &str, seconds: u64) -> Change<'_> {
    Change::Set(vec![Wanted {
        contact: contact.as_bytes(),
        seconds: Some(seconds),
        ..Wanted::default()
    }])
}

fn registrar() -> (Registrar, OperatorId) {
    (
        Registrar::new(ExpiresLimits::default(), 3),
        OperatorId::new("101").unwrap(),
    )
}

#[test]
fn a_refresh_replaces_and_an_older_request_is_out_of_order() {
    let (mut registrar, operator) = registrar();
    registrar
        .apply(NOW, &operator, from("a", 1, 1), &set("sip:x", 60))
        .unwrap();
    registrar
        .apply(NOW, &operator, from("a", 2, 1), &set("sip:x", 90))
        .unwrap();
    assert_eq!(registrar.len(), 1);
    assert_eq!(registrar.lease(&operator), Some(NOW + Duration::from_secs(90)));
    assert_eq!(
        registrar.apply(NOW, &operator, from("a", 2, 1), &set("sip:x", 0)),
        Err(Refusal::OutOfOrder)
    );
    assert_eq!(
        registrar.apply(NOW, &operator, from("a", 1, 1), &Change::RemoveAll),
        Err(Refusal::OutOfOrder)
    );
    registrar
        .apply(NOW, &operator, from("b", 1, 1), &set("sip:x", 0))
        .unwrap();
    assert_eq!(registrar.len(), 0, "another Call-ID counts for itself");
    assert_eq!(
        (registrar.poll_timeout(), registrar.operators_at(flow(1)).next()),
        (None, None)
    );
}

#[test]
fn leases_are_bounded_on_both_sides() {
    let (mut registrar, operator) = registrar();
    assert_eq!(
        registrar.apply(NOW, &operator, from("a", 1, 1), &set("sip:x", 5)),
        Err(Refusal::TooBrief)
    );
    registrar
        .apply(NOW, &operator, from("a", 1, 1), &set("sip:x", u64::MAX))
        .unwrap();
    assert_eq!(registrar.lease(&operator), Some(NOW + Duration::from_secs(3600)));
    let unsaid = Change::Set(vec![Wanted {
        contact: b"sip:x",
        seconds: None,
        ..Wanted::default()
    }]);
    registrar.apply(NOW, &operator, from("a", 2, 1), &unsaid).unwrap();
    assert_eq!(registrar.lease(&operator), Some(NOW + Duration::from_secs(300)));
}

#[test]
fn a_request_is_carried_out_whole_or_not_at_all() {
    let (mut registrar, operator) = registrar();
    let two = Change::Set(vec![
        Wanted {
            contact: b"sip:x",
            seconds: Some(60),
            ..Wanted::default()
        },
        Wanted {
            contact: b"sip:y",
            seconds: Some(1),
            ..Wanted::default()
        },
    ]);
    assert_eq!(
        registrar.apply(NOW, &operator, from("a", 1, 1), &two),
        Err(Refusal::TooBrief)
    );
    assert_eq!(registrar.len(), 0);
}

#[test]
fn the_oldest_binding_makes_room() {
    let (mut registrar, operator) = registrar();
    for (port, contact) in [(1, "sip:1"), (2, "sip:2"), (3, "sip:3"), (4, "sip:4")] {
        registrar
            .apply(NOW, &operator, from(contact, 1, port), &set(contact, 60))
            .unwrap();
    }
    let contacts: Vec<_> = registrar.of(&operator).map(|b| b.contact.as_ref()).collect();
    assert_eq!(contacts, [&b"sip:4"[..], b"sip:3", b"sip:2"]);
    assert_eq!(registrar.operators_at(flow(1)).next(), None);
    assert_eq!(registrar.operators_at(flow(4)).next(), Some(&operator));
}

#[test]
fn bindings_run_out_one_by_one() {
    let (mut registrar, operator) = registrar();
    registrar
        .apply(NOW, &operator, from("a", 1, 1), &set("sip:1", 60))
        .unwrap();
    registrar
        .apply(NOW, &operator, from("b", 1, 2), &set("sip:2", 90))
        .unwrap();
    assert!(
        registrar
            .expire(NOW + Duration::from_secs(59), &mut 64)
            .is_empty()
    );
    assert_eq!(
        registrar.expire(NOW + Duration::from_secs(60), &mut 64),
        std::slice::from_ref(&operator)
    );
    assert_eq!(registrar.len(), 1);
    assert_eq!(
        registrar.expire(NOW + Duration::from_secs(90), &mut 64),
        std::slice::from_ref(&operator)
    );
    assert_eq!((registrar.len(), registrar.poll_timeout()), (0, None));
}

/// While a step lasts, nobody else's ACK, key or BYE moves.
#[test]
fn thousands_of_phones_are_written_down_and_run_out_a_few_at_a_time() {
    let mut registrar = Registrar::new(ExpiresLimits::default(), 3);
    for n in 0..100 {
        let operator = OperatorId::new(&format!("op{n}")).unwrap();
        for (call_id, contact) in [("a", "sip:1"), ("b", "sip:2")] {
            registrar
                .apply(NOW, &operator, from(call_id, 1, n), &set(contact, 60))
                .unwrap();
        }
    }
    let (mut text, mut after) = registrar.save_some(None, 7);
    while let Some(operator) = after {
        let (lines, more) = registrar.save_some(Some(&operator), 7);
        assert!((1..=8).contains(&lines.lines().count()), "{lines}");
        (text, after) = (text + &lines, more);
    }
    assert_eq!(text, registrar.save());
    let later = NOW + Duration::from_secs(60);
    let (mut left, mut gone) = (7, 0);
    while registrar.poll_timeout().is_some_and(|at| at <= later) {
        gone += registrar.expire(later, &mut left).len();
        assert_eq!(gone % 7, if registrar.len() == 0 { 2 } else { 0 });
        left = 7;
    }
    assert_eq!((gone, registrar.len()), (100, 0));
}

#[test]
fn a_closed_flow_takes_its_bindings_along() {
    let (mut registrar, operator) = registrar();
    registrar
        .apply(NOW, &operator, from("a", 1, 1), &set("sip:1", 60))
        .unwrap();
    registrar
        .apply(NOW, &operator, from("b", 1, 2), &set("sip:2", 60))
        .unwrap();
    assert_eq!(
        registrar.close_flow(flow(1), |_| None),
        [(operator.clone(), false)]
    );
    assert_eq!(registrar.close_flow(flow(1), |_| None), []);
    assert_eq!(registrar.of(&operator).next().unwrap().flow, flow(2));
}

fn wanted(contact: &'static str, q: u16, instance: Option<(&'static [u8], u32)>) -> Change<'static> {
    Change::Set(vec![Wanted {
        contact: contact.as_bytes(),
        seconds: Some(600),
        q: Some(q),
        instance,
        at: None,
    }])
}

fn contacts(registrar: &Registrar, operator: &OperatorId) -> Vec<String> {
    let bindings = registrar.of(operator);
    bindings
        .map(|b| String::from_utf8_lossy(&b.contact).into_owned())
        .collect()
}

#[test]
fn the_preferred_phone_comes_first_and_among_equals_the_newest() {
    let (mut registrar, operator) = registrar();
    for (at, contact, q) in [(0, "sip:a", 500), (1, "sip:b", 900), (2, "sip:c", 500)] {
        let now = NOW + Duration::from_secs(at);
        registrar
            .apply(now, &operator, from(contact, 1, 1), &wanted(contact, q, None))
            .unwrap();
    }
    assert_eq!(contacts(&registrar, &operator), ["sip:b", "sip:c", "sip:a"]);
    let now = NOW + Duration::from_secs(3);
    registrar
        .apply(now, &operator, from("d", 1, 1), &wanted("sip:d", 100, None))
        .unwrap();
    assert_eq!(
        contacts(&registrar, &operator),
        ["sip:b", "sip:c", "sip:d"],
        "the oldest made room, not the least preferred"
    );
}

#[test]
fn one_flow_of_one_instance_has_one_binding_whatever_its_contact() {
    let (mut registrar, operator) = registrar();
    let phone = Some((&b"\"<urn:uuid:1>\""[..], 1));
    registrar
        .apply(NOW, &operator, from("a", 1, 1), &wanted("sip:x@old", 1000, phone))
        .unwrap();
    registrar
        .apply(NOW, &operator, from("b", 1, 2), &wanted("sip:x@new", 1000, phone))
        .unwrap();
    assert_eq!(contacts(&registrar, &operator), ["sip:x@new"]);
    assert_eq!(
        (
            registrar.operators_at(flow(1)).next(),
            registrar.operators_at(flow(2)).next()
        ),
        (None, Some(&operator))
    );
    let second_flow = Some((&b"\"<urn:uuid:1>\""[..], 2));
    registrar
        .apply(
            NOW,
            &operator,
            from("c", 1, 3),
            &wanted("sip:x@new2", 1000, second_flow),
        )
        .unwrap();
    assert_eq!(registrar.len(), 2);
}

#[test]
fn what_is_saved_is_restored_as_far_as_it_lives() {
    let (mut registrar, operator) = registrar();
    let path = [
        Bytes::from_static(b"\"P 1\" <sip:p;lr>"),
        Bytes::from_static(b"<sip:q;lr>"),
    ];
    let far = From {
        path: &path,
        ..from("call id %1", 7, 1)
    };
    registrar
        .apply(
            NOW,
            &operator,
            far,
            &wanted("sip:x%20y@h", 250, Some((b"\"<urn:uuid:1>\"", 3))),
        )
        .unwrap();
    registrar
        .apply(NOW, &operator, from("-", 1, 2), &set("sip:short", 60))
        .unwrap();
    let saved = registrar.save();
    let mut again = Registrar::new(ExpiresLimits::default(), 3);
    let later = NOW + Duration::from_secs(59);
    assert_eq!(
        again.restore(later, &saved, |_, _| true),
        std::slice::from_ref(&operator)
    );
    assert_eq!(again.save(), saved);
    let to = Destination {
        uri: Bytes::from_static(b"sip:x%20y@h"),
        flow: flow(1),
    };
    assert_eq!(again.binding_at(&to).unwrap().1.path, path);
    assert_eq!(
        again.apply(
            later,
            &operator,
            From {
                path: &path,
                ..from("call id %1", 7, 1)
            },
            &wanted("sip:x%20y@h", 250, Some((b"\"<urn:uuid:1>\"", 3)))
        ),
        Err(Refusal::OutOfOrder),
        "its CSeq too"
    );
    let mut late = Registrar::new(ExpiresLimits::default(), 3);
    late.restore(NOW + Duration::from_secs(60), &saved, |_, _| true);
    assert_eq!(
        contacts(&late, &operator),
        ["sip:x%20y@h"],
        "the other has run out"
    );
}

#[test]
fn what_is_saved_is_not_restored_elsewhere_nor_beyond_the_limit() {
    let (mut registrar, operator) = registrar();
    registrar
        .apply(NOW, &operator, from("-", 1, 2), &set("sip:short", 60))
        .unwrap();
    let saved = registrar.save();
    let mut elsewhere = Registrar::new(ExpiresLimits::default(), 3);
    assert!(
        elsewhere
            .restore(NOW, &saved, |_, binding| binding.flow.remote.port() == 9)
            .is_empty()
    );
    assert!(
        elsewhere
            .restore(Time::from_micros(-4_000_000_000), &saved, |_, _| true)
            .is_empty(),
        "a clock that went back"
    );
    let many: String = saved
        .lines()
        .take(2)
        .chain((0..9).map(|_| saved.lines().last().unwrap()))
        .map(|l| format!("{l}\n"))
        .collect();
    assert_eq!(elsewhere.restore(NOW, &many, |_, _| true).len(), 1);
    assert!(elsewhere.len() <= 3);
}

proptest::proptest! {
    #[test]
    fn no_file_makes_restoring_panic(garbage in ".{0,300}", cut in 0_usize..400) {
        let (mut registrar, operator) = registrar();
        registrar.apply(NOW, &operator, from("a", 1, 1), &wanted("sip:x", 250, Some((b"i", 3)))).unwrap();
        let mut saved = registrar.save();
        let _ = Registrar::new(ExpiresLimits::default(), 3).restore(NOW, &format!("pronto bindings 1\n{garbage}"), |_, _| true);
        saved.truncate(cut);
        let _ = Registrar::new(ExpiresLimits::default(), 3).restore(NOW, &saved, |_, _| true);
    }
}
