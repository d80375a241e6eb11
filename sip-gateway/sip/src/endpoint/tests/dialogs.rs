//! Requests inside a dialog, as a peer of our own making sends them.

use std::time::Duration;

use bytes::Bytes;

use super::raw::*;
use super::world::{ANSWER, OFFER};
use crate::Status;
use crate::api::*;

fn sdp() -> String {
    String::from_utf8_lossy(OFFER).replace("\r\n", "\n")
}

/// A re-INVITE with an offer, in the call that [`Raw::call`] set up.
fn re_invite(branch: &str, cseq: u32, to: &str, extra: &str) -> String {
    with_body(
        &with_lines(&inside("INVITE", branch, cseq, "call", to), extra),
        "application/sdp",
        &sdp(),
    )
}

#[test]
fn stray_requests_find_no_dialog() {
    let mut raw = Raw::new();
    let to = raw.call();
    assert_eq!(
        raw.status(TRUNK, &inside("BYE", "b", 2, "other", &to)),
        481,
        "another Call-ID"
    );
    let forged = to.replace("tag=", "tag=0");
    assert_eq!(
        raw.status(TRUNK, &inside("BYE", "b", 2, "call", &forged)),
        481,
        "another tag of ours"
    );
    let stranger = inside("BYE", "b", 2, "call", &to).replace("tag=fromcall", "tag=else");
    assert_eq!(raw.status(TRUNK, &stranger), 481, "another tag of theirs");
    assert_eq!(raw.status(TRUNK, &inside("BYE", "b", 2, "call", &to)), 200);
    assert_eq!(
        raw.status(TRUNK, &inside("BYE", "b", 2, "call", &to)),
        200,
        "absorbed"
    );
    assert_eq!(raw.status(TRUNK, &inside("BYE", "c", 3, "call", &to)), 481);
    raw.pass(Duration::from_secs(64));
    assert_eq!(raw.endpoint.counts().transactions, 0);
}

#[test]
fn a_dialog_is_known_by_its_tags_whatever_address_a_request_comes_from() {
    let mut raw = Raw::new();
    let to = raw.call();
    assert_eq!(
        raw.status("127.0.0.77:7777", &inside("BYE", "b", 2, "call", &to)),
        200
    );
    assert!(matches!(
        raw.events.last(),
        Some(Event::Ended {
            by: EndedBy::Bye { reason: None },
            ..
        })
    ));
}

#[test]
fn an_older_cseq_is_out_of_order() {
    let mut raw = Raw::new();
    let to = raw.call();
    assert_eq!(raw.status(TRUNK, &inside("OPTIONS", "o1", 5, "call", &to)), 200);
    assert_eq!(raw.status(TRUNK, &inside("OPTIONS", "o2", 4, "call", &to)), 500);
    assert_eq!(raw.status(TRUNK, &inside("OPTIONS", "o3", 6, "call", &to)), 200);
}

#[test]
fn a_bye_with_the_number_of_the_last_request_hangs_up_all_the_same() {
    let mut raw = Raw::new();
    let to = raw.call();
    assert_eq!(raw.status(TRUNK, &inside("OPTIONS", "o1", 5, "call", &to)), 200);
    for (method, branch, cseq) in [("INFO", "i", 5), ("OPTIONS", "o2", 5), ("BYE", "b1", 4)] {
        let text = inside(method, branch, cseq, "call", &to);
        assert_eq!(raw.status(TRUNK, &text), 500, "{method} {cseq}");
    }
    let again = re_invite("again", 5, &to, "");
    assert_eq!(
        raw.status(TRUNK, &again),
        500,
        "it may have been carried out already"
    );
    assert_eq!(raw.status(TRUNK, &inside("BYE", "b2", 5, "call", &to)), 200);
    assert!(matches!(raw.events.last(), Some(Event::Ended { .. })));
    assert_eq!(
        raw.status(TRUNK, &inside("BYE", "b3", 5, "call", &to)),
        481,
        "once"
    );
}

#[test]
fn keys_arrive_by_info_once() {
    let mut raw = Raw::new();
    let to = raw.call();
    let info = with_body(
        &inside("INFO", "i", 2, "call", &to),
        "application/dtmf-relay",
        "Signal=7\nDuration=160\n",
    );
    assert_eq!(raw.status(TRUNK, &info), 200);
    assert_eq!(raw.status(TRUNK, &info), 200);
    let digits: Vec<_> = raw
        .events
        .iter()
        .filter(|e| matches!(e, Event::Digit { .. }))
        .collect();
    assert!(
        matches!(digits.as_slice(), [Event::Digit { digit, duration, .. }] if digit.as_char() == '7' && duration.as_millis() == 160)
    );
    let bad = with_body(
        &inside("INFO", "j", 3, "call", &to),
        "application/dtmf-relay",
        "Signal=X\n",
    );
    assert_eq!(raw.status(TRUNK, &bad), 400);
    let other = with_body(&inside("INFO", "k", 4, "call", &to), "text/plain", "x\n");
    assert_eq!(raw.status(TRUNK, &other), 415);
    assert_eq!(raw.status(TRUNK, &inside("INFO", "l", 5, "call", &to)), 200);
    assert_eq!(raw.status(TRUNK, &inside("REFER", "m", 6, "call", &to)), 405);
    assert_eq!(raw.status(TRUNK, &inside("PRACK", "n", 7, "call", &to)), 481);
}

#[test]
fn a_re_invite_is_offered_accepted_repeated_and_acknowledged() {
    let mut raw = Raw::new();
    let to = raw.call();
    let leg = raw.leg();
    let again = re_invite("re", 2, &to, "Contact: <sip:new@127.0.0.2:5071>\n");
    assert_eq!(raw.status(TRUNK, &again), 100);
    assert!(matches!(
        raw.events.last(),
        Some(Event::Offer { sdp: Some(_), .. })
    ));
    // Another one meanwhile (§14.2).
    let third = re_invite("re3", 3, &to, "");
    let sent = raw.send(TRUNK, &third);
    assert_eq!(status(&sent[0].1), 500);
    assert!(header(&sent[0].1, "Retry-After").is_some());
    raw.endpoint
        .accept_offer(raw.now, leg, Bytes::from_static(ANSWER));
    assert_eq!(status(&raw.drain()[0].1), 200);
    let repeated = raw.pass(Duration::from_millis(1600));
    assert_eq!(
        repeated.iter().filter(|(_, t)| status(t) == 200).count(),
        2,
        "at 0.5 and 1.5 s"
    );
    raw.send(TRUNK, &inside("ACK", "re3", 3, "call", &to));
    // The ACK is late: whoever asks again has our 200 (RFC 5407 §3.1.4).
    let overtaking = re_invite("re4", 4, &to, "Contact: <sip:new@127.0.0.2:5071>\n");
    assert_eq!(raw.status(TRUNK, &overtaking), 100);
    raw.endpoint
        .accept_offer(raw.now, leg, Bytes::from_static(ANSWER));
    assert_eq!(status(&raw.drain()[0].1), 200);
    raw.send(TRUNK, &inside("ACK", "ack2", 2, "call", &to));
    let repeated = raw.pass(Duration::from_millis(600));
    assert_eq!(
        repeated.len(),
        1,
        "of the second, which that one does not confirm"
    );
    raw.send(TRUNK, &inside("ACK", "ack4", 4, "call", &to));
    assert!(raw.pass(Duration::from_secs(40)).is_empty());
    raw.endpoint.hangup(raw.now, leg, None);
    let (at, bye) = raw.drain().remove(0);
    assert!(
        bye.starts_with("BYE sip:new@127.0.0.2:5071 "),
        "the target was refreshed: {bye}"
    );
    assert_eq!(at.to_string(), "127.0.0.2:5071", "and the flow moved with it");
}

#[test]
fn a_re_invite_that_overtakes_the_ack_of_our_200_is_answered_as_any_other() {
    let mut raw = Raw::new();
    raw.send(TRUNK, &invite("call"));
    let leg = raw.leg();
    raw.endpoint.answer(raw.now, leg, Bytes::from_static(ANSWER));
    let ok = raw.drain().pop().unwrap().1;
    let to = header(&ok, "To").unwrap().to_owned();
    let again = re_invite("re", 2, &to, "");
    assert_eq!(raw.status(TRUNK, &again), 100);
    let told: Vec<_> = raw.events.iter().rev().take(2).collect();
    assert!(
        matches!(
            told[..],
            [Event::Offer { .. }, Event::Acknowledged { answer: None, .. }]
        ),
        "{told:?}"
    );
    raw.endpoint
        .accept_offer(raw.now, leg, Bytes::from_static(ANSWER));
    assert_eq!(status(&raw.drain()[0].1), 200);
    let before = raw.events.len();
    raw.send(TRUNK, &inside("ACK", "ack", 1, "call", &to));
    raw.send(TRUNK, &inside("ACK", "ack2", 2, "call", &to));
    assert!(raw.pass(Duration::from_secs(40)).is_empty(), "both are confirmed");
    let told: Vec<_> = raw.events[before..].iter().collect();
    assert!(
        matches!(told[..], [Event::Acknowledged { answer: None, .. }]),
        "each is told once: {told:?}"
    );
}

#[test]
fn who_is_to_be_hung_up_on_after_the_ack_makes_no_offer_before_it() {
    let mut raw = Raw::new();
    raw.send(TRUNK, &invite("call"));
    let leg = raw.leg();
    raw.endpoint.answer(raw.now, leg, Bytes::from_static(ANSWER));
    let ok = raw.drain().pop().unwrap().1;
    let to = header(&ok, "To").unwrap().to_owned();
    raw.endpoint.hangup(raw.now, leg, None);
    let again = re_invite("re", 2, &to, "");
    assert_eq!(raw.status(TRUNK, &again), 491);
    let sent = raw.send(TRUNK, &inside("ACK", "ack", 1, "call", &to));
    assert!(sent[0].1.starts_with("BYE "), "{sent:?}");
}

#[test]
fn a_re_invite_without_an_offer_gets_ours_and_its_ack_the_answer() {
    let mut raw = Raw::new();
    let to = raw.call();
    let leg = raw.leg();
    assert_eq!(raw.status(TRUNK, &inside("INVITE", "re", 2, "call", &to)), 100);
    assert!(matches!(raw.events.last(), Some(Event::Offer { sdp: None, .. })));
    raw.endpoint.accept_offer(raw.now, leg, Bytes::from_static(OFFER));
    raw.drain();
    // Its answer is still to come: no other offer before it (RFC 5407 §3.1.5).
    let third = re_invite("re3", 3, &to, "");
    assert_eq!(raw.status(TRUNK, &third), 491);
    raw.send(TRUNK, &inside("ACK", "re3", 3, "call", &to));
    let ack = with_body(&inside("ACK", "a", 2, "call", &to), "application/sdp", &sdp());
    raw.send(TRUNK, &ack);
    assert!(matches!(
        raw.events.last(),
        Some(Event::Acknowledged { answer: Some(_), .. })
    ));
}

#[test]
fn a_re_invite_can_be_refused_or_cancelled_and_the_call_goes_on() {
    let mut raw = Raw::new();
    let to = raw.call();
    let leg = raw.leg();
    let again = |branch: &str, cseq| re_invite(branch, cseq, &to, "");
    raw.send(TRUNK, &again("r1", 2));
    raw.endpoint
        .refuse_offer(raw.now, leg, Status::NOT_ACCEPTABLE_HERE);
    assert_eq!(status(&raw.drain()[0].1), 488);
    raw.send(TRUNK, &inside("ACK", "r1", 2, "call", &to));
    raw.send(TRUNK, &again("r2", 3));
    let sent = raw.send(TRUNK, &inside("CANCEL", "r2", 3, "call", &to));
    assert_eq!(
        sent.iter().map(|(_, t)| status(t)).collect::<Vec<_>>(),
        [200, 487]
    );
    raw.endpoint
        .accept_offer(raw.now, leg, Bytes::from_static(ANSWER));
    assert!(raw.drain().is_empty(), "too late to accept");
    raw.send(TRUNK, &inside("ACK", "r2", 3, "call", &to));
    assert_eq!(raw.status(TRUNK, &inside("BYE", "b", 4, "call", &to)), 200);
    raw.pass(Duration::from_secs(64));
    assert_eq!(raw.endpoint.counts().transactions, 0);
}

#[test]
fn an_update_is_answered_like_a_re_invite_without_ack() {
    let mut raw = Raw::new();
    let to = raw.call();
    let leg = raw.leg();
    assert_eq!(
        raw.status(TRUNK, &inside("UPDATE", "u0", 2, "call", &to)),
        200,
        "no offer: a refresh"
    );
    let update = with_body(&inside("UPDATE", "u1", 3, "call", &to), "application/sdp", &sdp());
    assert_eq!(raw.status(TRUNK, &update), 0);
    assert_eq!(raw.status(TRUNK, &update), 0, "absorbed");
    raw.endpoint
        .accept_offer(raw.now, leg, Bytes::from_static(ANSWER));
    let sent = raw.drain();
    assert_eq!(status(&sent[0].1), 200);
    assert!(sent[0].1.contains("m=audio"));
    assert!(raw.pass(Duration::from_secs(20)).is_empty(), "nothing to repeat");
    assert_eq!(raw.endpoint.counts().dialogs, 1);
}

#[test]
fn bye_with_a_re_invite_pending_terminates_both() {
    let mut raw = Raw::new();
    let to = raw.call();
    raw.send(TRUNK, &re_invite("re", 2, &to, ""));
    let sent = raw.send(
        TRUNK,
        &with_lines(
            &inside("BYE", "b", 3, "call", &to),
            "Reason: Q.850;cause=16;text=\"gone\"\n",
        ),
    );
    assert_eq!(
        sent.iter().map(|(_, t)| status(t)).collect::<Vec<_>>(),
        [200, 487]
    );
    let Some(Event::Ended {
        by: EndedBy::Bye { reason: Some(reason) },
        ..
    }) = raw.events.last()
    else {
        panic!()
    };
    assert_eq!(
        (reason.protocol.as_str(), reason.cause, reason.text.as_str()),
        ("Q.850", 16, "gone")
    );
}

#[test]
fn bye_before_the_ack_ends_the_call_and_the_repeating() {
    let mut raw = Raw::new();
    raw.send(TRUNK, &invite("call"));
    let leg = raw.leg();
    raw.endpoint.answer(raw.now, leg, Bytes::from_static(ANSWER));
    let to = header(&raw.drain().remove(0).1, "To").unwrap().to_owned();
    assert_eq!(raw.status(TRUNK, &inside("BYE", "b", 2, "call", &to)), 200);
    assert!(raw.pass(Duration::from_secs(10)).is_empty());
    raw.send(TRUNK, &inside("ACK", "a", 1, "call", &to));
    assert_eq!(raw.endpoint.counts().dropped.stray_acks, 1);
    raw.pass(Duration::from_secs(60));
    assert_eq!(
        (raw.endpoint.counts().transactions, raw.endpoint.counts().dialogs),
        (0, 0)
    );
}

#[test]
fn an_early_dialog_may_be_ended_by_bye() {
    let mut raw = Raw::new();
    raw.send(TRUNK, &invite("call"));
    let leg = raw.leg();
    raw.endpoint.ring(raw.now, leg);
    let to = header(&raw.drain().remove(0).1, "To").unwrap().to_owned();
    let sent = raw.send(TRUNK, &inside("BYE", "b", 2, "call", &to));
    assert_eq!(
        sent.iter().map(|(_, t)| status(t)).collect::<Vec<_>>(),
        [200, 487]
    );
    assert!(matches!(raw.events.last(), Some(Event::Cancelled { .. })));
}

#[test]
fn a_probe_tells_the_living_from_the_dead() {
    let mut raw = Raw::new();
    raw.call();
    let leg = raw.leg();
    let answer_probe = |raw: &mut Raw, code: &str| {
        raw.endpoint.probe(raw.now, leg);
        raw.endpoint.probe(raw.now, leg);
        let sent = raw.drain();
        assert_eq!(sent.len(), 1, "one probe at a time");
        assert!(sent[0].1.starts_with("OPTIONS sip:c@127.0.0.2:5070 "));
        let head: Vec<&str> = sent[0]
            .1
            .lines()
            .filter(|l| {
                ["Via", "From", "To:", "Call", "CSeq"]
                    .iter()
                    .any(|n| l.starts_with(n))
            })
            .collect();
        raw.send(
            TRUNK,
            &format!("SIP/2.0 {code}\n{}\nContent-Length: 0\n\n", head.join("\n")),
        )
    };
    answer_probe(&mut raw, "200 OK");
    let found = |raw: &Raw| match raw.events.last() {
        Some(Event::Probed { found, .. }) => Some(*found),
        _ => None,
    };
    assert_eq!(found(&raw), Some(Found::There));
    for refusal in [
        "405 Method Not Allowed",
        "501 What",
        "503 Busy",
        "404 Who",
        "603 No",
    ] {
        answer_probe(&mut raw, refusal);
        assert_eq!(found(&raw), Some(Found::There), "any answer is life: {refusal}");
    }
    answer_probe(&mut raw, "481 Gone");
    assert!(matches!(
        raw.events[raw.events.len() - 2..],
        [
            Event::Probed {
                found: Found::Gone,
                ..
            },
            Event::Ended {
                by: EndedBy::Lost { status: 481 },
                ..
            }
        ]
    ));
    raw.pass(Duration::from_secs(64));
    assert_eq!(
        (raw.endpoint.counts().transactions, raw.endpoint.counts().dialogs),
        (0, 0)
    );
}

#[test]
fn a_challenge_to_our_bye_is_not_answered() {
    let mut raw = Raw::new();
    raw.call();
    let leg = raw.leg();
    raw.endpoint.hangup(raw.now, leg, None);
    let bye = raw.drain().remove(0).1;
    let head: Vec<&str> = bye
        .lines()
        .filter(|l| {
            ["Via", "From", "To:", "Call", "CSeq"]
                .iter()
                .any(|n| l.starts_with(n))
        })
        .collect();
    let ask = "Proxy-Authenticate: Digest realm=\"pronto.example\",nonce=\"leak\",algorithm=MD5";
    let sent = raw.send(
        TRUNK,
        &format!(
            "SIP/2.0 407 Prove\n{}\n{ask}\nContent-Length: 0\n\n",
            head.join("\n")
        ),
    );
    assert!(sent.is_empty(), "{sent:?}");
    assert!(matches!(raw.events.last(), Some(Event::Released { .. })));
}

#[test]
fn the_route_set_is_followed_and_a_strict_router_obeyed() {
    let mut raw = Raw::new();
    let routed = invite("call").replace(
        "Contact",
        "Record-Route: <sip:127.0.0.2:5099;lr>, <sip:127.0.0.3:5098;lr>\nContact",
    );
    raw.send(TRUNK, &routed);
    let leg = raw.leg();
    raw.endpoint.answer(raw.now, leg, Bytes::from_static(ANSWER));
    let ok = raw.drain().remove(0).1;
    assert!(
        header(&ok, "Record-Route")
            .unwrap()
            .contains("5099;lr>, <sip:127.0.0.3")
    );
    let to = header(&ok, "To").unwrap().to_owned();
    raw.send(TRUNK, &inside("ACK", "a", 1, "call", &to));
    raw.endpoint.hangup(raw.now, leg, None);
    let (at, bye) = raw.drain().remove(0);
    assert_eq!(
        at.to_string(),
        "127.0.0.2:5099",
        "a trunk's requests go to the first route"
    );
    assert!(bye.starts_with("BYE sip:c@127.0.0.2:5070 "));
    let routes: Vec<&str> = bye.lines().filter(|l| l.starts_with("Route")).collect();
    assert_eq!(
        routes,
        ["Route: <sip:127.0.0.2:5099;lr>", "Route: <sip:127.0.0.3:5098;lr>"]
    );

    let mut raw = Raw::new();
    raw.send(
        TRUNK,
        &invite("call").replace("Contact", "Record-Route: <sip:127.0.0.2:5099>\nContact"),
    );
    let leg = raw.leg();
    raw.endpoint.answer(raw.now, leg, Bytes::from_static(ANSWER));
    let to = header(&raw.drain().remove(0).1, "To").unwrap().to_owned();
    raw.send(TRUNK, &inside("ACK", "a", 1, "call", &to));
    raw.endpoint.hangup(raw.now, leg, None);
    let bye = raw.drain().remove(0).1;
    assert!(bye.starts_with("BYE sip:127.0.0.2:5099 "));
    assert_eq!(header(&bye, "Route"), Some("<sip:c@127.0.0.2:5070>"));
}

#[test]
fn a_phone_behind_nat_is_reached_the_way_it_came() {
    let mut raw = Raw::new();
    let natted = |id: &str, contact: &str| {
        invite(id)
            .replace("SIP/2.0/UDP 127.0.0.2:5070", "SIP/2.0/UDP 192.168.1.9:5070;rport")
            .replace("<sip:c@127.0.0.2:5070>", contact)
    };
    for (id, contact, expected) in [
        ("n1", "<sip:c@192.168.1.9:5070>", TRUNK),
        ("n2", "<sip:c@phone.example>", TRUNK),
        ("n3", "<sip:c@127.0.0.4:6000>", "127.0.0.4:6000"),
    ] {
        raw.send(TRUNK, &natted(id, contact));
        let leg = raw.leg();
        raw.endpoint.answer(raw.now, leg, Bytes::from_static(ANSWER));
        let to = header(&raw.drain().remove(0).1, "To").unwrap().to_owned();
        raw.send(TRUNK, &inside("ACK", id, 1, id, &to));
        raw.endpoint.hangup(raw.now, leg, None);
        assert_eq!(raw.drain().remove(0).0.to_string(), expected, "{contact}");
    }
}

#[test]
fn the_advertised_address_stands_in_contact_and_via() {
    let mut settings = super::world::gateway_settings(crate::Transport::Udp);
    settings.advertise = vec!["203.0.113.7".parse().unwrap()];
    let mut raw = Raw::with(settings);
    raw.send(TRUNK, &invite("call"));
    let leg = raw.leg();
    raw.endpoint.answer(raw.now, leg, Bytes::from_static(ANSWER));
    let ok = raw.drain().remove(0).1;
    assert_eq!(header(&ok, "Contact"), Some("<sip:203.0.113.7:5060>"));
    let to = header(&ok, "To").unwrap().to_owned();
    raw.send(TRUNK, &inside("ACK", "a", 1, "call", &to));
    raw.endpoint.hangup(raw.now, leg, None);
    assert!(
        raw.drain()
            .remove(0)
            .1
            .contains("Via: SIP/2.0/UDP 203.0.113.7:5060;branch=z9hG4bK")
    );
}
