//! Guesses ban the place they come from, never a user; each trunk and each operator has a budget, and nobody else's.

use std::time::Duration;

use super::raw::*;
use super::world::gateway_settings;
use crate::api::Notice;
use crate::settings::{Budget, Transport};

const OFFICE: &str = "127.0.0.8:5060";
const REALM: &str = "sip:pronto.example";

fn register(id: &str, cseq: u32) -> String {
    request("REGISTER", REALM, id, cseq, "").replace("To: <sip:800", "To: <sip:101")
}

/// A REGISTER with this password; the status of its answer.
fn prove(raw: &mut Raw, from: &str, id: &str, password: &str) -> u16 {
    let challenged = raw.send(from, &register(id, 1)).pop().unwrap().1;
    let proof = authorization(&challenged, "101", password, "REGISTER", REALM);
    let text = register(id, 2).replace("Contact", &format!("{proof}Contact"));
    raw.status(from, &text)
}

#[test]
fn who_guesses_is_not_listened_to_any_more_and_looks_like_anybody_who_is_wrong() {
    let mut raw = Raw::new();
    for n in 0..raw.endpoint.settings.strangers.guesses {
        assert_eq!(prove(&mut raw, STRANGER, &format!("g{n}"), "wrong"), 401);
    }
    assert_eq!(raw.endpoint.counts().dropped.banned, 1);
    assert_eq!(
        prove(&mut raw, STRANGER, "right", "secret101"),
        401,
        "even where it is right"
    );
    assert_eq!(
        prove(&mut raw, OFFICE, "office", "secret101"),
        200,
        "the user is not banned"
    );
    raw.pass(Duration::from_secs(60));
    assert_eq!(prove(&mut raw, STRANGER, "later", "secret101"), 200);
}

#[test]
fn a_bound_phone_refreshes_although_somebody_guesses_from_the_same_address() {
    let mut raw = Raw::new();
    assert_eq!(prove(&mut raw, STRANGER, "phone", "secret101"), 200);
    let neighbour = "127.0.0.9:40000";
    for n in 0..raw.endpoint.settings.strangers.guesses {
        prove(&mut raw, neighbour, &format!("g{n}"), "wrong");
    }
    assert_eq!(prove(&mut raw, neighbour, "new", "secret101"), 401);
    assert_eq!(prove(&mut raw, STRANGER, "again", "secret101"), 200);
}

#[test]
fn an_answer_to_a_question_of_another_life_is_no_guess() {
    let mut other = Raw::with(gateway_settings(Transport::Udp));
    other.endpoint.authority.forget_key();
    let challenged = other.send(STRANGER, &register("old", 1)).pop().unwrap().1;
    let proof = authorization(&challenged, "101", "secret101", "REGISTER", REALM);
    let mut raw = Raw::new();
    for n in 0..100 {
        let text = register(&format!("o{n}"), 2).replace("Contact", &format!("{proof}Contact"));
        assert_eq!(raw.status(STRANGER, &text), 401);
    }
    assert_eq!(
        raw.endpoint.counts().dropped.banned,
        0,
        "a restart bans no office"
    );
}

#[test]
fn a_trunk_over_its_budget_is_told_to_come_later_and_its_calls_go_on() {
    let mut settings = gateway_settings(Transport::Udp);
    let budget = Budget {
        calls: 3,
        per_second: 10,
    };
    settings.trunks[0].budget = budget;
    let mut raw = Raw::with(settings);
    let to = raw.call();
    assert_eq!(raw.status(TRUNK, &invite("a")), 100);
    assert_eq!(raw.status(TRUNK, &invite("b")), 100);
    let refused = raw.send(TRUNK, &invite("c")).pop().unwrap().1;
    assert_eq!(
        (status(&refused), header(&refused, "Retry-After")),
        (503, Some("10"))
    );
    assert_eq!(raw.status(TRUNK, &inside("OPTIONS", "o", 2, "call", &to)), 200);
    assert_eq!(raw.status(TRUNK, &inside("BYE", "b", 3, "call", &to)), 200);
    assert_eq!(
        raw.status(TRUNK, &invite("d")),
        100,
        "a call that ended makes room"
    );
}

#[test]
fn a_trunk_has_so_many_new_calls_a_second() {
    let mut settings = gateway_settings(Transport::Udp);
    let budget = Budget {
        calls: 100,
        per_second: 10,
    };
    settings.trunks[0].budget = budget;
    let mut raw = Raw::with(settings);
    for n in 0..44 {
        raw.send(TRUNK, &invite(&format!("e{n}")));
        if n == 21 {
            raw.pass(Duration::from_millis(500));
        }
    }
    let begun = raw.events.iter().filter(|e| matches!(e, crate::Event::Invite(_)));
    assert_eq!(begun.count(), 15, "ten at once, five in the half second after");
}

#[test]
fn an_operator_who_registers_without_end_shuts_nobody_out() {
    let mut raw = Raw::new();
    let mut taken = 0;
    for n in 0..10_000 {
        taken += usize::from(prove(&mut raw, STRANGER, &format!("r{n}"), "secret101") == 200);
        raw.now += Duration::from_millis(1);
    }
    assert!(
        (150..=300).contains(&taken),
        "{taken} of 10,000 within ten seconds"
    );
    let counts = raw.endpoint.counts();
    assert!(
        counts.transactions <= 300 && counts.dropped.overdone > 9_000,
        "{counts:?}"
    );
    let told = raw.endpoint.take_notices();
    let of_101 = Notice::Overdone(super::world::operator("101"));
    assert_eq!(told.get(&of_101), Some(&counts.dropped.overdone), "{told:?}");
    let of_102 = |text: String| text.replace("sip:101", "sip:102");
    let challenged = raw.send(OFFICE, &of_102(register("other", 1))).pop().unwrap().1;
    let proof = authorization(&challenged, "102", "secret102", "REGISTER", REALM);
    let text = of_102(register("other", 2)).replace("Contact", &format!("{proof}Contact"));
    assert_eq!(
        raw.status(OFFICE, &text),
        200,
        "another operator is not concerned"
    );
    raw.pass(Duration::from_secs(1));
    assert_eq!(
        prove(&mut raw, STRANGER, "later", "secret101"),
        200,
        "nor themselves, a second later"
    );
}

#[test]
fn wrong_answers_in_anothers_name_and_from_anothers_address_shut_nobody_out() {
    let mut raw = Raw::new();
    // A stranger gets nonces, and answers them from the address of the office: addresses of datagrams are forged with ease.
    for n in 0..400 {
        let challenged = raw
            .send(STRANGER, &register(&format!("s{n}"), 1))
            .pop()
            .unwrap()
            .1;
        let proof = authorization(&challenged, "101", "wrong", "REGISTER", REALM);
        let text = register(&format!("s{n}"), 2).replace("Contact", &format!("{proof}Contact"));
        assert_eq!(raw.status(OFFICE, &text), 401);
    }
    assert_eq!(raw.endpoint.counts().dropped.banned, 0);
    assert_eq!(prove(&mut raw, OFFICE, "phone", "secret101"), 200);
    // A stranger behind the same NAT guesses.
    let mut raw = Raw::new();
    for n in 0..31 {
        prove(&mut raw, "127.0.0.8:40000", &format!("n{n}"), "wrong");
    }
    assert_eq!(raw.endpoint.counts().dropped.banned, 1);
    assert_eq!(prove(&mut raw, OFFICE, "phone", "secret101"), 200);
}

#[test]
fn the_digest_uri_may_name_us_by_another_name_than_the_request_does() {
    for (uri, expected) in [
        ("sip:127.0.0.1:5060", 200),
        ("sip:PRONTO.Example", 200),
        ("sip:101@pronto.example;transport=udp", 200),
        ("sip:elsewhere.example", 401),
        ("mailto:a@pronto.example", 401),
    ] {
        let mut raw = Raw::new();
        let challenged = raw.send(OFFICE, &register("u", 1)).pop().unwrap().1;
        let proof = authorization(&challenged, "101", "secret101", "REGISTER", uri);
        let text = register("u", 2).replace("Contact", &format!("{proof}Contact"));
        assert_eq!(raw.status(OFFICE, &text), expected, "{uri}");
    }
}

#[test]
fn a_peer_that_asks_without_end_in_its_own_call_takes_no_room_from_others() {
    let mut raw = Raw::new();
    let to = raw.call();
    let before = raw.endpoint.counts().transactions;
    for n in 0..10_000 {
        let text = inside("INFO", &format!("i{n}"), n + 2, "call", &to);
        assert!(matches!(raw.status(TRUNK, &text), 200 | 503));
        raw.now += Duration::from_millis(1);
    }
    let room = raw.endpoint.counts().transactions - before;
    assert!((500..=750).contains(&room), "{room} of 10,000 within ten seconds");
    assert!(
        raw.endpoint
            .take_notices()
            .contains_key(&Notice::Limited([127, 0, 0, 2].into()))
    );
    assert_eq!(
        raw.status(TRUNK, &inside("BYE", "b", 20_000, "call", &to)),
        200,
        "it may always hang up"
    );
    assert_eq!(raw.status(TRUNK, &invite("next")), 100);
}
