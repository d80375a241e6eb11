//! Where requests inside a dialog go and what their Request-URI is (RFC 3261 §12.1, §12.2.1.1), from either side.

use bytes::Bytes;

use super::raw::*;
use super::world::{ANSWER, OFFER};
use crate::api::*;

/// A call from the trunk with these lines in its INVITE, answered and acknowledged; the To of its 200.
fn called_with(raw: &mut Raw, lines: &str, contact: &str) -> String {
    let text = invite("call")
        .replace("<sip:c@127.0.0.2:5070>", contact)
        .replace("Contact", &format!("{lines}Contact"));
    raw.send(TRUNK, &text);
    let (leg, now) = (raw.leg(), raw.now);
    raw.endpoint.answer(now, leg, Bytes::from_static(ANSWER));
    let to = header(&raw.drain().remove(0).1, "To").unwrap().to_owned();
    raw.send(TRUNK, &inside("ACK", "a", 1, "call", &to));
    to
}

fn bye(raw: &mut Raw, leg: LegId) -> String {
    let now = raw.now;
    raw.endpoint.hangup(now, leg, None);
    raw.drain().remove(0).1
}

fn request_uri(text: &str) -> &str {
    text.split(' ').nth(1).unwrap()
}

#[test]
fn who_calls_walks_the_recorded_route_backwards_and_keeps_it_for_good() {
    let mut raw = Raw::new();
    let (leg, invite) = ring_phone(&mut raw);
    let path = "Record-Route: <sip:far.example;lr>, <sip:middle.example;lr>\nRecord-Route: <sip:127.0.0.2:5070;lr;x=1>\n";
    raw.send(TRUNK, &response_to(&invite, "180 Ringing", "p", ""));
    let sent = raw.send(TRUNK, &ok_to(&invite, "p", path));
    let ack = &sent[0].1;
    let routes = [
        "<sip:127.0.0.2:5070;lr;x=1>",
        "<sip:middle.example;lr>",
        "<sip:far.example;lr>",
    ];
    assert_eq!(
        (request_uri(ack), headers(ack, "Route")),
        ("sip:101@127.0.0.2:5070", routes.to_vec())
    );
    assert!(headers(ack, "CSeq")[0].starts_with("1 ACK"));
    // "…the route set … MUST be … not be" changed by what comes later: a target refresh changes the target alone (§12.2).
    let now = raw.now;
    raw.endpoint.reoffer(now, leg, Bytes::from_static(OFFER));
    let again = raw.drain().remove(0).1;
    let elsewhere = "Record-Route: <sip:evil.example;lr>\nContact: <sip:moved@127.0.0.2:5071>\n";
    raw.send(TRUNK, &ok_to(&again, "p", elsewhere));
    let last = bye(&mut raw, leg);
    assert_eq!(
        (request_uri(&last), headers(&last, "Route")),
        ("sip:moved@127.0.0.2:5071", routes.to_vec())
    );
}

#[test]
fn who_calls_through_a_strict_router_puts_the_target_last() {
    let mut raw = Raw::new();
    let (leg, invite) = ring_phone(&mut raw);
    let path = "Record-Route: <sip:far.example;lr>, <sip:strict.example;x=1>\n";
    let ack = raw.send(TRUNK, &ok_to(&invite, "p", path)).remove(0).1;
    for text in [ack, bye(&mut raw, leg)] {
        assert_eq!(request_uri(&text), "sip:strict.example;x=1");
        assert_eq!(
            headers(&text, "Route"),
            ["<sip:far.example;lr>", "<sip:101@127.0.0.2:5070>"]
        );
    }
}

#[test]
fn what_may_not_stand_in_a_request_uri_is_stripped() {
    for (contact, expected) in [
        (
            "<sip:c@127.0.0.2:5070?Route=%3Csip:evil%3E&X=1>",
            "sip:c@127.0.0.2:5070",
        ),
        (
            "<sip:c@127.0.0.2:5070;method=BYE;ob?X=1>",
            "sip:c@127.0.0.2:5070;ob",
        ),
        (
            "<sip:c@127.0.0.2:5070;Method=BYE;transport=udp>",
            "sip:c@127.0.0.2:5070;transport=udp",
        ),
        (
            "<sip:c;method=x@127.0.0.2:5070;lr>",
            "sip:c;method=x@127.0.0.2:5070;lr",
        ),
    ] {
        let mut raw = Raw::new();
        called_with(&mut raw, "", contact);
        let leg = raw.leg();
        assert_eq!(request_uri(&bye(&mut raw, leg)), expected, "{contact}");
    }
    let mut raw = Raw::new();
    called_with(
        &mut raw,
        "Record-Route: <sip:127.0.0.2:5099;method=INVITE>\n",
        "<sip:c@127.0.0.2?X=1>",
    );
    let leg = raw.leg();
    let text = bye(&mut raw, leg);
    assert_eq!(request_uri(&text), "sip:127.0.0.2:5099");
    assert_eq!(headers(&text, "Route"), ["<sip:c@127.0.0.2?X=1>"]);
}

#[test]
fn every_answer_that_makes_a_dialog_carries_route_contact_and_one_tag() {
    let mut raw = Raw::new();
    let path = "Record-Route: \"a, b\" <sip:127.0.0.2:5099;lr>\nRecord-Route: \"B\" <sip:far.example;lr>\n";
    let text = invite("call").replace("Contact", &format!("{path}Contact"));
    raw.send(TRUNK, &text);
    let (leg, now) = (raw.leg(), raw.now);
    raw.endpoint.ring(now, leg);
    raw.endpoint.progress(now, leg, Bytes::from_static(ANSWER));
    raw.endpoint.answer(now, leg, Bytes::from_static(ANSWER));
    let sent = raw.drain();
    let statuses: Vec<u16> = sent.iter().map(|(_, text)| status(text)).collect();
    assert_eq!(statuses, [180, 183, 200]);
    for (_, text) in &sent {
        assert_eq!(
            headers(text, "Record-Route"),
            headers(path, "Record-Route"),
            "as it came"
        );
        assert_eq!(headers(text, "Contact").len(), 1);
        assert_eq!(headers(text, "To"), headers(&sent[0].1, "To"), "one dialog");
        assert!(headers(text, "To")[0].contains(";tag="));
    }
}

#[test]
fn only_what_refreshes_the_target_moves_it() {
    let mut raw = Raw::new();
    let to = called_with(&mut raw, "", "<sip:c@127.0.0.2:5070>");
    let elsewhere = "Contact: <sip:evil@127.0.0.2:6666>\n";
    for (cseq, method) in (2..).zip(["INFO", "OPTIONS"]) {
        let text = with_lines(&inside(method, &format!("m{cseq}"), cseq, "call", &to), elsewhere);
        assert_eq!(raw.status(TRUNK, &text), 200);
    }
    // One that is refused moves nothing either.
    let sdp = String::from_utf8_lossy(OFFER).replace("\r\n", "\n");
    let (leg, now) = (raw.leg(), raw.now);
    raw.endpoint.reoffer(now, leg, Bytes::from_static(OFFER));
    let ours = raw.drain().remove(0).1;
    let text = with_body(
        &with_lines(&inside("INVITE", "glare", 4, "call", &to), elsewhere),
        "application/sdp",
        &sdp,
    );
    assert_eq!(raw.status(TRUNK, &text), 491);
    raw.send(
        TRUNK,
        &response_to(&ours, "488 Not Acceptable Here", "", elsewhere),
    );
    let update = with_lines(
        &inside("UPDATE", "up", 5, "call", &to),
        "Contact: <sip:there@127.0.0.2:5075>\n",
    );
    assert_eq!(raw.status(TRUNK, &update), 200);
    assert_eq!(request_uri(&bye(&mut raw, leg)), "sip:there@127.0.0.2:5075");
}

#[test]
fn a_path_longer_than_any_is_cut() {
    let mut raw = Raw::new();
    let path: String = (0..40)
        .map(|n| format!("Record-Route: <sip:p{n}.example;lr>\n"))
        .collect();
    called_with(&mut raw, &path, "<sip:c@127.0.0.2:5070>");
    let leg = raw.leg();
    let text = bye(&mut raw, leg);
    let routes = headers(&text, "Route");
    assert_eq!(
        (routes.len(), routes[0]),
        (16, "<sip:p0.example;lr>"),
        "{routes:?}"
    );
}

#[test]
fn a_path_that_cannot_be_followed_makes_no_call() {
    for path in [
        "\"nobody\"",
        "<sip:p.example;lr>, nobody",
        "<sip:p.example;lr>,<>",
        "<sip:p.example;lr",
    ] {
        let mut raw = Raw::new();
        let text = invite("call").replace("Contact", &format!("Record-Route: {path}\nContact"));
        assert_eq!(raw.status(TRUNK, &text), 400, "{path}");
    }
}
