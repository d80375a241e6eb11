//! Who guesses is banned by source, never by user; who calls too much has its budget, and nobody else's.

use std::time::Duration;

use super::raw::*;
use super::world::gateway_settings;
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
    settings.budgets.insert("carrier".into(), budget);
    let mut raw = Raw::with(settings);
    let to = raw.call();
    assert_eq!(raw.status(TRUNK, &invite("a")), 100);
    assert_eq!(raw.status(TRUNK, &invite("b")), 100);
    let refused = raw.send(TRUNK, &invite("c")).pop().unwrap().1;
    assert_eq!(
        (status(&refused), header(&refused, "Retry-After")),
        (503, Some("10"))
    );
    assert_eq!(
        raw.status(TRUNK, &inside("OPTIONS", "o", 2, "call", &to, "")),
        200
    );
    assert_eq!(raw.status(TRUNK, &inside("BYE", "b", 3, "call", &to, "")), 200);
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
    settings.budgets.insert("carrier".into(), budget);
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
