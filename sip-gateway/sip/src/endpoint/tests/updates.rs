//! Offers inside a dialog that meet other offers (RFC 3261 §14.2, RFC 3311 §5.2), and those that offer nothing.

use std::time::Duration;

use bytes::Bytes;

use super::raw::*;
use super::world::{ANSWER, OFFER};
use crate::Status;
use crate::api::*;

fn sdp() -> String {
    String::from_utf8_lossy(OFFER).replace("\r\n", "\n")
}

/// A re-INVITE or UPDATE in the call `call`, with an offer.
fn offering(method: &str, cseq: u32, to: &str) -> String {
    let head = inside(method, &format!("{method}{cseq}"), cseq, "call", to);
    with_body(&head, "application/sdp", &sdp())
}

fn refreshing(cseq: u32, to: &str) -> String {
    let contact = format!("Contact: <sip:at{cseq}@127.0.0.2:5070>\n");
    with_lines(
        &inside("UPDATE", &format!("fresh{cseq}"), cseq, "call", to),
        &contact,
    )
}

/// The status, and how many seconds to wait, where the answer says.
fn refusal(raw: &mut Raw, text: &str) -> (u16, Option<u32>) {
    let answer = raw.send(TRUNK, text).pop().unwrap().1;
    let seconds = header(&answer, "Retry-After").map(|seconds| seconds.parse().unwrap());
    (status(&answer), seconds)
}

/// A call from the trunk that hears early media; the To of its 183.
fn early(raw: &mut Raw) -> (LegId, String) {
    raw.send(TRUNK, &invite("call"));
    let (leg, now) = (raw.leg(), raw.now);
    raw.endpoint.progress(now, leg, Bytes::from_static(ANSWER));
    let to = header(&raw.drain().pop().unwrap().1, "To").unwrap().to_owned();
    (leg, to)
}

#[test]
fn an_offer_while_the_peers_last_is_unanswered_is_500_with_a_time_of_0_to_10_seconds() {
    let mut seen = std::collections::BTreeSet::new();
    for first in ["INVITE", "UPDATE"] {
        for second in ["INVITE", "UPDATE"] {
            let mut raw = Raw::new();
            let to = raw.call();
            raw.send(TRUNK, &offering(first, 2, &to));
            for cseq in 3..40 {
                let (status, seconds) = refusal(&mut raw, &offering(second, cseq, &to));
                assert_eq!(status, 500, "{first} {second}");
                seen.insert(seconds.expect("Retry-After"));
            }
            let offers = raw.events.iter().filter(|e| matches!(e, Event::Offer { .. }));
            assert_eq!(offers.count(), 1, "{first} {second}");
        }
    }
    assert_eq!(
        seen.into_iter().collect::<Vec<_>>(),
        (0..=10).collect::<Vec<_>>(),
        "randomly chosen"
    );
}

#[test]
fn an_offer_that_meets_ours_is_491_and_an_update_that_overtakes_the_ack_too() {
    for method in ["INVITE", "UPDATE"] {
        let mut raw = Raw::new();
        let to = raw.call();
        let (leg, now) = (raw.leg(), raw.now);
        raw.endpoint.reoffer(now, leg, Bytes::from_static(OFFER));
        raw.drain();
        assert_eq!(
            refusal(&mut raw, &offering(method, 2, &to)),
            (491, None),
            "{method}"
        );
    }
    let mut raw = Raw::new();
    raw.send(TRUNK, &invite("call"));
    let (leg, now) = (raw.leg(), raw.now);
    raw.endpoint.answer(now, leg, Bytes::from_static(ANSWER));
    let to = header(&raw.drain().remove(0).1, "To").unwrap().to_owned();
    assert_eq!(refusal(&mut raw, &offering("UPDATE", 2, &to)), (491, None));
    raw.send(TRUNK, &inside("ACK", "a", 1, "call", &to));
    assert!(
        matches!(raw.events.last(), Some(Event::Acknowledged { .. })),
        "the ACK counts for the INVITE"
    );
    raw.send(TRUNK, &offering("UPDATE", 3, &to));
    assert!(
        matches!(raw.events.last(), Some(Event::Offer { .. })),
        "now it is heard"
    );
}

#[test]
fn an_update_without_an_offer_is_answered_whatever_else_is_under_way() {
    let fresh = |raw: &mut Raw, cseq: u32, to: &str, what: &str| {
        let sent = raw.send(TRUNK, &refreshing(cseq, to));
        assert_eq!(status(&sent[0].1), 200, "{what}");
        assert!(
            header(&sent[0].1, "Contact").is_some() && !sent[0].1.contains("m=audio"),
            "{what}"
        );
    };
    let mut raw = Raw::new();
    let to = raw.call();
    let (leg, now) = (raw.leg(), raw.now);
    raw.endpoint.reoffer(now, leg, Bytes::from_static(OFFER));
    let ours = raw.drain().remove(0).1;
    fresh(&mut raw, 2, &to, "an INVITE of ours");
    raw.send(TRUNK, &response_to(&ours, "488 Not Acceptable Here", "", ""));
    raw.send(TRUNK, &offering("INVITE", 3, &to));
    fresh(&mut raw, 4, &to, "an INVITE of theirs");
    raw.endpoint.accept_offer(now, leg, Bytes::from_static(ANSWER));
    raw.drain();
    fresh(&mut raw, 5, &to, "its ACK");
    raw.send(TRUNK, &inside("ACK", "ack3", 3, "call", &to));
    assert!(
        raw.pass(Duration::from_secs(33)).is_empty(),
        "the ACK was for the INVITE's number"
    );
    raw.endpoint.hangup(raw.now, leg, None);
    assert!(
        raw.drain()[0].1.starts_with("BYE sip:at5@127.0.0.2:5070 "),
        "each refreshed the target"
    );
    let mut raw = Raw::new();
    let (leg, to) = early(&mut raw);
    fresh(&mut raw, 2, &to, "a call that is not answered");
    let now = raw.now;
    raw.endpoint.answer(now, leg, Bytes::from_static(ANSWER));
    raw.drain();
    raw.send(TRUNK, &inside("ACK", "ack1", 1, "call", &to));
    assert!(matches!(raw.events.last(), Some(Event::Acknowledged { .. })));
    // "…before the UAS has generated a final response to a previous UPDATE": 500.
    raw.send(TRUNK, &offering("UPDATE", 3, &to));
    assert_eq!(refusal(&mut raw, &refreshing(4, &to)).0, 500);
}

#[test]
fn what_is_asked_in_an_early_dialog_neither_answers_the_call_nor_loses_its_ack() {
    let mut raw = Raw::new();
    let (leg, to) = early(&mut raw);
    let key = with_body(&inside("INFO", "i", 2, "call", &to), "application/dtmf", "5");
    assert_eq!(raw.status(TRUNK, &key), 200);
    assert!(
        matches!(raw.events.last(), Some(Event::Digit { digit, .. }) if digit.as_char() == '5'),
        "a key pressed early"
    );
    assert_eq!(raw.status(TRUNK, &inside("OPTIONS", "o", 3, "call", &to)), 200);
    let (status, seconds) = refusal(&mut raw, &offering("UPDATE", 4, &to));
    assert_eq!((status, seconds.is_some()), (500, true));
    assert_eq!(
        raw.status(
            TRUNK,
            &with_lines(&inside("PRACK", "p", 5, "call", &to), "RAck: 1 1 INVITE\n")
        ),
        481
    );
    assert_eq!(refusal(&mut raw, &offering("INVITE", 6, &to)).0, 500);
    raw.send(TRUNK, &inside("ACK", "INVITE6", 6, "call", &to));
    let now = raw.now;
    raw.endpoint.answer(now, leg, Bytes::from_static(ANSWER));
    let sent = raw.drain();
    assert_eq!(header(&sent[0].1, "CSeq"), Some("1 INVITE"));
    raw.pass(Duration::from_millis(700));
    raw.send(TRUNK, &inside("ACK", "a", 1, "call", &to));
    assert!(matches!(raw.events.last(), Some(Event::Acknowledged { .. })));
    assert!(
        raw.pass(Duration::from_secs(40)).is_empty(),
        "the 200 is not repeated any more"
    );
}

#[test]
fn an_ack_of_another_number_confirms_nothing_and_one_with_an_answer_to_no_offer_is_just_an_ack() {
    let mut raw = Raw::new();
    raw.send(TRUNK, &invite("call"));
    let (leg, now) = (raw.leg(), raw.now);
    raw.endpoint.answer(now, leg, Bytes::from_static(ANSWER));
    let to = header(&raw.drain().remove(0).1, "To").unwrap().to_owned();
    for cseq in [0, 2, 4_294_967] {
        raw.send(TRUNK, &inside("ACK", &format!("a{cseq}"), cseq, "call", &to));
    }
    assert!(matches!(raw.events.last(), Some(Event::Invite(_))));
    assert_eq!(raw.endpoint.counts().dropped.stray_acks, 3);
    let ack = with_body(&inside("ACK", "a", 1, "call", &to), "application/sdp", &sdp());
    raw.send(TRUNK, &ack);
    assert!(matches!(
        raw.events.last(),
        Some(Event::Acknowledged { answer: None, .. })
    ));
}

#[test]
fn an_ack_comes_late_and_the_call_is_up_but_not_after_the_bye() {
    let mut raw = Raw::new();
    raw.send(TRUNK, &invite("call"));
    let (leg, now) = (raw.leg(), raw.now);
    raw.endpoint.answer(now, leg, Bytes::from_static(ANSWER));
    let to = header(&raw.drain().remove(0).1, "To").unwrap().to_owned();
    raw.pass(Duration::from_millis(31_900));
    raw.send(TRUNK, &inside("ACK", "a", 1, "call", &to));
    assert!(matches!(raw.events.last(), Some(Event::Acknowledged { .. })));
    assert!(raw.pass(Duration::from_secs(120)).is_empty());
    let mut raw = Raw::new();
    raw.send(TRUNK, &invite("call"));
    let (leg, now) = (raw.leg(), raw.now);
    raw.endpoint.answer(now, leg, Bytes::from_static(ANSWER));
    let to = header(&raw.drain().remove(0).1, "To").unwrap().to_owned();
    let sent = raw.pass(Duration::from_millis(32_100));
    let oks = sent.iter().filter(|(_, text)| status(text) == 200).count();
    assert_eq!(oks, 10, "0.5, 1.5, 3.5 s and then every 4 s (§13.3.1.4)");
    assert!(sent.last().unwrap().1.starts_with("BYE "), "64*T1 without an ACK");
    assert!(matches!(
        raw.events.last(),
        Some(Event::Ended {
            by: EndedBy::AckTimeout,
            ..
        })
    ));
    raw.send(TRUNK, &inside("ACK", "a", 1, "call", &to));
    assert!(matches!(raw.events.last(), Some(Event::Ended { .. })));
    assert_eq!(
        raw.status(TRUNK, &offering("INVITE", 2, &to)),
        481,
        "a dialog that we have left"
    );
}

#[test]
fn a_refused_offer_leaves_the_session_and_the_next_is_heard() {
    let mut raw = Raw::new();
    let to = raw.call();
    let (leg, now) = (raw.leg(), raw.now);
    for (cseq, method) in (2..).zip(["UPDATE", "INVITE", "UPDATE"]) {
        raw.send(TRUNK, &offering(method, cseq, &to));
        raw.endpoint.refuse_offer(now, leg, Status::NOT_ACCEPTABLE_HERE);
        let sent = raw.drain();
        assert_eq!(status(&sent.last().unwrap().1), 488, "{method}");
    }
    let text = with_body(&inside("UPDATE", "kind", 5, "call", &to), "text/plain", "hello");
    let answer = raw.send(TRUNK, &text).remove(0).1;
    assert_eq!(
        (status(&answer), header(&answer, "Accept")),
        (
            415,
            Some("application/sdp, multipart/mixed, multipart/alternative")
        )
    );
    assert_eq!(raw.status(TRUNK, &inside("BYE", "b", 6, "call", &to)), 200);
}
