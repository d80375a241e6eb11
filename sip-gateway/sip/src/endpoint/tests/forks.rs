//! Responses of one phone, or of several behind one proxy, to an INVITE of ours (RFC 3261 §13.2.2), and to our CANCEL
//! of it (§9.1).

use std::time::Duration;

use super::raw::*;
use crate::api::*;
use crate::reason::Reason;

fn methods(sent: &[(std::net::SocketAddr, String)]) -> Vec<&str> {
    sent.iter()
        .map(|(_, text)| text.split(' ').next().unwrap())
        .collect()
}

fn nothing_is_left(raw: &mut Raw) {
    raw.pass(Duration::from_secs(64));
    let counts = raw.endpoint.counts();
    assert_eq!((counts.dialogs, counts.transactions), (0, 0));
}

#[test]
fn each_fork_that_answers_is_acknowledged_and_all_but_the_first_are_ended_once() {
    let mut raw = Raw::new();
    let (leg, invite) = ring_phone(&mut raw);
    for tag in ["a", "b", "c"] {
        assert!(
            raw.send(TRUNK, &response_to(&invite, "180 Ringing", tag, ""))
                .is_empty()
        );
    }
    assert_eq!(methods(&raw.send(TRUNK, &ok_to(&invite, "b", ""))), ["ACK"]);
    assert!(matches!(raw.events.last(), Some(Event::Answered { .. })));
    let route = "Record-Route: <sip:127.0.0.2:5099;lr>\nContact: <sip:fork@127.0.0.2:5077>\n";
    let sent = raw.send(TRUNK, &ok_to(&invite, "a", route));
    assert_eq!(methods(&sent), ["ACK", "BYE"]);
    for (_, text) in &sent {
        assert!(
            text.contains(" sip:fork@127.0.0.2:5077 SIP/2.0"),
            "its own target: {text}"
        );
        assert_eq!(
            headers(text, "Route"),
            ["<sip:127.0.0.2:5099;lr>"],
            "its own route"
        );
        assert!(headers(text, "To")[0].ends_with(";tag=a"));
    }
    assert_eq!(headers(&sent[0].1, "CSeq"), ["1 ACK"]);
    assert_eq!(headers(&sent[1].1, "CSeq"), ["2 BYE"]);
    assert!(headers(&sent[1].1, "Reason")[0].contains("Call completed elsewhere"));
    assert_eq!(
        methods(&raw.send(TRUNK, &ok_to(&invite, "a", route))),
        ["ACK"],
        "ended once"
    );
    assert_eq!(
        methods(&raw.send(TRUNK, &ok_to(&invite, "b", ""))),
        ["ACK"],
        "and the talk goes on"
    );
    let events = raw.events.iter().filter(|e| e.leg() == Some(leg));
    let answers = events.filter(|e| matches!(e, Event::Answered { .. }));
    assert_eq!(answers.count(), 1);
    let (now, bye) = (raw.now, |raw: &mut Raw| raw.drain().remove(0).1);
    raw.endpoint.hangup(now, leg, None);
    let last = bye(&mut raw);
    assert!(headers(&last, "To")[0].ends_with(";tag=b"));
    raw.send(TRUNK, &response_to(&last, "200 OK", "", ""));
    raw.pass(Duration::from_secs(40));
    nothing_is_left(&mut raw);
}

#[test]
fn a_fork_that_answers_after_the_talk_is_over_is_ended_too() {
    let mut raw = Raw::new();
    let (leg, invite) = ring_phone(&mut raw);
    raw.send(TRUNK, &ok_to(&invite, "a", ""));
    let now = raw.now;
    raw.endpoint.hangup(now, leg, None);
    let bye = raw.drain().remove(0).1;
    raw.send(TRUNK, &response_to(&bye, "200 OK", "", ""));
    raw.pass(Duration::from_secs(20));
    assert_eq!(
        methods(&raw.send(TRUNK, &ok_to(&invite, "b", ""))),
        ["ACK", "BYE"]
    );
    raw.pass(Duration::from_secs(13));
    assert!(
        raw.send(TRUNK, &ok_to(&invite, "d", "")).is_empty(),
        "64*T1 after the first (RFC 6026 §8.4)"
    );
    nothing_is_left(&mut raw);
}

#[test]
fn the_ack_of_a_200_names_the_contact_and_that_of_a_refusal_the_invite() {
    let mut raw = Raw::new();
    let (_, invite) = ring_phone(&mut raw);
    let ok = ok_to(&invite, "a", "Contact: <sip:desk@127.0.0.2:5072>\n");
    let ack = raw.send(TRUNK, &ok).remove(0).1;
    assert!(ack.starts_with("ACK sip:desk@127.0.0.2:5072 SIP/2.0"), "{ack}");
    assert_ne!(
        headers(&ack, "Via"),
        headers(&invite, "Via"),
        "a transaction of its own"
    );
    let mut raw = Raw::new();
    let (leg, invite) = ring_phone(&mut raw);
    let busy = response_to(&invite, "486 Busy Here", "b", "");
    for _ in 0..3 {
        let ack = raw.send(TRUNK, &busy).remove(0).1;
        assert!(ack.starts_with("ACK sip:101@127.0.0.2:5070 SIP/2.0"), "{ack}");
        assert_eq!(
            headers(&ack, "Via"),
            headers(&invite, "Via"),
            "§17.1.1.3: the INVITE's branch"
        );
        assert!(headers(&ack, "To")[0].ends_with(";tag=b"), "the response's To");
    }
    let told = raw.events.iter().filter(|e| e.leg() == Some(leg)).count();
    assert_eq!(told, 1);
    nothing_is_left(&mut raw);
}

#[test]
fn a_phone_asked_to_stop_is_cancelled_by_the_invites_own_words() {
    let mut raw = Raw::new();
    let (leg, invite) = ring_phone(&mut raw);
    let now = raw.now;
    raw.endpoint.hangup(now, leg, Some(Reason::completed_elsewhere()));
    assert!(raw.drain().is_empty(), "§9.1: not before a provisional response");
    let sent = raw.send(TRUNK, &response_to(&invite, "180 Ringing", "x", ""));
    let cancel = &sent[0].1;
    assert!(cancel.starts_with("CANCEL sip:101@127.0.0.2:5070 SIP/2.0"));
    for name in ["Via", "From", "To", "Call-ID", "Max-Forwards"] {
        assert_eq!(headers(cancel, name), headers(&invite, name), "{name}");
    }
    assert_eq!(headers(cancel, "CSeq"), ["1 CANCEL"]);
    assert_eq!(
        headers(cancel, "Reason"),
        ["SIP;cause=200;text=\"Call completed elsewhere\""]
    );
    assert!(
        raw.send(TRUNK, &response_to(&invite, "183 Progress", "x", ""))
            .is_empty(),
        "cancelled once"
    );
    raw.send(TRUNK, &response_to(cancel, "200 OK", "x", ""));
    let sent = raw.send(TRUNK, &response_to(&invite, "487 Request Terminated", "x", ""));
    assert_eq!(methods(&sent), ["ACK"]);
    assert!(matches!(raw.events.last(), Some(Event::Released { .. })));
    nothing_is_left(&mut raw);
}

#[test]
fn a_phone_that_ignores_our_cancel_is_given_up_and_its_late_200_is_ended() {
    let mut raw = Raw::new();
    let (leg, invite) = ring_phone(&mut raw);
    raw.send(TRUNK, &response_to(&invite, "180 Ringing", "x", ""));
    let now = raw.now;
    raw.endpoint.hangup(now, leg, None);
    raw.drain();
    raw.pass(Duration::from_secs(31));
    assert!(!matches!(raw.events.last(), Some(Event::Released { .. })));
    raw.pass(Duration::from_secs(2));
    assert!(
        matches!(raw.events.last(), Some(Event::Released { .. })),
        "64*T1 (§9.1)"
    );
    let mut raw = Raw::new();
    let (leg, invite) = ring_phone(&mut raw);
    raw.send(TRUNK, &response_to(&invite, "180 Ringing", "x", ""));
    let now = raw.now;
    raw.endpoint.hangup(now, leg, None);
    raw.drain();
    raw.pass(Duration::from_secs(20));
    assert_eq!(
        methods(&raw.send(TRUNK, &ok_to(&invite, "x", ""))),
        ["ACK", "BYE"]
    );
    raw.pass(Duration::from_secs(40));
    nothing_is_left(&mut raw);
}

#[test]
fn a_phone_that_rings_and_dies_is_cancelled_when_timer_c_fires() {
    let mut raw = Raw::new();
    let (leg, invite) = ring_phone(&mut raw);
    raw.send(TRUNK, &response_to(&invite, "180 Ringing", "x", ""));
    raw.pass(Duration::from_secs(190));
    raw.send(TRUNK, &response_to(&invite, "180 Ringing", "x", ""));
    let sent = raw.pass(Duration::from_secs(199));
    assert!(sent.is_empty() && raw.events.iter().all(|e| !matches!(e, Event::Refused { .. })));
    let sent = raw.pass(Duration::from_secs(2));
    assert_eq!(
        methods(&sent)[..1],
        ["CANCEL"],
        "§16.8: what has answered provisionally is told"
    );
    assert!(matches!(
        raw.events.last(),
        Some(Event::Refused { leg: of, status: 408, local: true, .. }) if *of == leg
    ));
    raw.send(TRUNK, &response_to(&sent[0].1, "200 OK", "x", ""));
    let stopped = response_to(&invite, "487 Request Terminated", "x", "");
    assert_eq!(
        methods(&raw.send(TRUNK, &stopped)),
        ["ACK"],
        "what it says to that is acknowledged"
    );
    let told = raw.events.iter().filter(|e| e.leg() == Some(leg));
    assert_eq!(told.count(), 3, "180, 180, and the end");
    nothing_is_left(&mut raw);
}

#[test]
fn a_phone_may_not_speak_in_a_dialog_that_it_has_not_confirmed() {
    let mut raw = Raw::new();
    let (_, invite) = ring_phone(&mut raw);
    raw.send(TRUNK, &response_to(&invite, "180 Ringing", "x", ""));
    let (from, to) = (headers(&invite, "To")[0], headers(&invite, "From")[0]);
    for method in ["BYE", "INFO", "UPDATE", "OPTIONS", "PRACK"] {
        let text = request(method, "sip:127.0.0.1:5060", "early", 1, "")
            .replace(
                "From: \"A\" <sip:0612345@carrier.example>;tag=fromearly",
                &format!("From: {from};tag=x"),
            )
            .replace("To: <sip:800@pronto.example>", &format!("To: {to}"))
            .replace(
                "Call-ID: early",
                &format!("Call-ID: {}", headers(&invite, "Call-ID")[0]),
            );
        assert_eq!(raw.status(TRUNK, &text), 481, "{method}");
    }
}

#[test]
fn a_reliable_provisional_response_that_nobody_asked_for_is_a_plain_one() {
    let mut raw = Raw::new();
    let (_, invite) = ring_phone(&mut raw);
    assert!(
        !invite.contains("100rel"),
        "RFC 3262 §4: what is not supported is not offered"
    );
    let ringing = response_to(&invite, "180 Ringing", "x", "Require: 100rel\nRSeq: 1\n");
    assert!(raw.send(TRUNK, &ringing).is_empty(), "no PRACK");
    assert!(matches!(
        raw.events.last(),
        Some(Event::Progress { status: 180, .. })
    ));
    assert_eq!(methods(&raw.send(TRUNK, &ok_to(&invite, "x", ""))), ["ACK"]);
}

#[test]
fn the_first_request_of_the_called_may_have_any_number_and_the_next_must_be_higher() {
    let mut raw = Raw::new();
    let (leg, invite) = ring_phone(&mut raw);
    raw.send(TRUNK, &ok_to(&invite, "x", ""));
    let (from, to) = (headers(&invite, "To")[0], headers(&invite, "From")[0]);
    let mut say = |method: &str, cseq: u32| {
        let text = inside(method, &format!("s{cseq}{method}"), cseq, "x", to)
            .replace(
                "From: \"A\" <sip:0612345@carrier.example>;tag=fromx",
                &format!("From: {from};tag=x"),
            )
            .replace(
                "Call-ID: x",
                &format!("Call-ID: {}", headers(&invite, "Call-ID")[0]),
            );
        raw.status(TRUNK, &text)
    };
    assert_eq!(say("OPTIONS", 0), 200, "§12.1.2: the remote number is empty");
    assert_eq!(say("INFO", 0), 500);
    assert_eq!(say("OPTIONS", 2_147_483_647), 200);
    assert_eq!(say("BYE", 7), 500);
    assert!(
        raw.events
            .iter()
            .all(|e| e.leg() != Some(leg) || !matches!(e, Event::Ended { .. }))
    );
}
