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
    }
}

fn set(contact: &str, seconds: u64) -> Change<'_> {
    Change::Set(vec![Wanted {
        contact: contact.as_bytes(),
        seconds: Some(seconds),
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
        (registrar.poll_timeout(), registrar.operator_at(flow(1))),
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
        },
        Wanted {
            contact: b"sip:y",
            seconds: Some(1),
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
    assert_eq!(registrar.operator_at(flow(1)), None);
    assert_eq!(registrar.operator_at(flow(4)), Some(&operator));
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
    assert!(registrar.expire(NOW + Duration::from_secs(59)).is_empty());
    assert_eq!(
        registrar.expire(NOW + Duration::from_secs(60)),
        std::slice::from_ref(&operator)
    );
    assert_eq!(registrar.len(), 1);
    assert_eq!(
        registrar.expire(NOW + Duration::from_secs(90)),
        std::slice::from_ref(&operator)
    );
    assert_eq!((registrar.len(), registrar.poll_timeout()), (0, None));
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
    assert_eq!(registrar.close_flow(flow(1)), Some(operator.clone()));
    assert_eq!(registrar.close_flow(flow(1)), None);
    assert_eq!(registrar.of(&operator).next().unwrap().flow, flow(2));
}
