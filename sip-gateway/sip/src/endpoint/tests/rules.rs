//! Single requests and their answers: statuses, order of checks, who may, where answers go.

use std::time::Duration;

use super::raw::*;
use super::world::gateway_settings;
use crate::api::*;
use crate::settings::{Algorithm, Transport};

#[test]
fn options_are_answered_with_what_we_can_do() {
    let mut raw = Raw::new();
    let sent = raw.send(STRANGER, &request("OPTIONS", "sip:127.0.0.1:5060", "o", 1, ""));
    let (_, text) = &sent[0];
    assert_eq!(status(text), 200);
    assert!(header(text, "Allow").unwrap().contains("UPDATE"));
    assert_eq!(
        header(text, "Accept"),
        Some("application/sdp, multipart/mixed, multipart/alternative")
    );
    assert_eq!(raw.endpoint.counts().transactions, 0);
}

#[test]
fn unknown_methods_are_not_implemented_and_known_ones_not_allowed() {
    let mut raw = Raw::new();
    for (method, expected) in [
        ("FOO", 501),
        ("RE%47IST%45R", 501),
        ("MESSAGE", 405),
        ("SUBSCRIBE", 405),
        ("REFER", 405),
    ] {
        let sent = raw.send(
            STRANGER,
            &request(method, "sip:101@pronto.example", method, 1, ""),
        );
        assert_eq!(status(&sent[0].1), expected, "{method}");
        assert!(header(&sent[0].1, "Allow").is_some(), "{method}");
    }
    for method in ["BYE", "INFO", "UPDATE", "PRACK", "CANCEL"] {
        assert_eq!(
            raw.status(
                STRANGER,
                &request(method, "sip:101@pronto.example", method, 1, "")
            ),
            481,
            "{method}"
        );
    }
    assert_eq!(
        raw.status(STRANGER, &request("ACK", "sip:101@pronto.example", "x", 1, "")),
        0,
        "ACK is never answered"
    );
    assert_eq!(raw.endpoint.counts().transactions, 0);
}

#[test]
fn syntax_comes_before_everything() {
    let mut raw = Raw::new();
    let mut wrong = |change: &dyn Fn(String) -> String| raw.status(TRUNK, &change(invite("w")));
    assert_eq!(wrong(&|t| t.replace("CSeq: 1 INVITE", "CSeq: 1 BYE")), 400);
    assert_eq!(
        wrong(&|t| t.replace("CSeq: 1 INVITE", "CSeq: 36893488147419103232 INVITE")),
        400
    );
    assert_eq!(
        wrong(&|t| t.replace("Max-Forwards: 70", "Max-Forwards: 300")),
        400
    );
    assert_eq!(wrong(&|t| t.replace("Call-ID: w\n", "")), 400);
    assert_eq!(wrong(&|t| t.replace("To: ", "To: \"open")), 400);
    assert_eq!(
        wrong(&|t| t.replace(
            "Contact: <sip:c@127.0.0.2:5070>",
            "Contact: <sip:c@127.0.0.2:5070>;;;"
        )),
        400
    );
    assert_eq!(wrong(&|t| t.replace("INVITE sip:800", "INVITE  sip:800")), 400);
    assert_eq!(
        wrong(&|t| t.replace("sip:800@pronto.example SIP", "<sip:800@pronto.example> SIP")),
        400
    );
    assert_eq!(
        wrong(&|t| t.replace(
            "sip:800@pronto.example SIP",
            "sip:800@pronto.example?Route=%3Csip:x%3E SIP"
        )),
        400
    );
    assert_eq!(
        wrong(&|t| t.replace("example SIP/2.0\n", "example SIP/7.0\n")),
        505
    );
    assert_eq!(
        wrong(&|t| t.replace(
            "sip:800@pronto.example SIP",
            &format!("sip:{}@x SIP", "8".repeat(3000))
        )),
        414
    );
    assert_eq!(
        wrong(&|t| t.replace("From: ", "From: <sip:a@b>;tag=1\nFrom: ")),
        400
    );
    assert_eq!(
        wrong(&|t| t.replace("Via: ", &format!("{}Via: ", "X-A: b\n".repeat(300)))),
        0,
        "no Via within the limit"
    );
    assert_eq!(
        wrong(&|t| t.replace("Contact", &format!("{}Contact", "X-A: b\n".repeat(300)))),
        513
    );
    assert_eq!(
        raw.endpoint.counts().transactions,
        0,
        "none of these is remembered"
    );
}

#[test]
fn scheme_and_require_come_after_syntax_and_before_content() {
    let mut raw = Raw::new();
    let mut wrong = |change: &dyn Fn(String) -> String| raw.status(TRUNK, &change(invite("w")));
    let unknown = "sip:800@pronto.example SIP";
    assert_eq!(wrong(&|t| t.replace(unknown, "isbn:2983792873 SIP")), 416);
    assert_eq!(
        wrong(&|t| t.replace("Contact", "Require: 100rel, foo\nContact")),
        420
    );
    assert_eq!(
        wrong(&|t| t.replace("application/sdp", "application/unknownformat")),
        415
    );
    assert_eq!(
        wrong(&|t| t.replace("Contact", "Content-Encoding: gzip\nContact")),
        415
    );
    assert_eq!(
        wrong(&|t| t.replace("Contact", "Accept: text/nobodyKnowsThis\nContact")),
        406
    );
    assert_eq!(
        raw.endpoint.counts().transactions,
        0,
        "none of these is remembered"
    );
}

#[test]
fn what_is_not_supported_is_named() {
    let mut raw = Raw::new();
    let text = invite("n").replace("Contact", "Require: 100rel\nRequire: foo\nContact");
    assert_eq!(
        header(&raw.send(TRUNK, &text)[0].1, "Unsupported"),
        Some("100rel, foo")
    );
    let text = invite("n").replace("application/sdp", "text/plain");
    assert_eq!(
        header(&raw.send(TRUNK, &text)[0].1, "Accept"),
        Some("application/sdp, multipart/mixed, multipart/alternative")
    );
}

#[test]
fn strangers_are_challenged_alike_whether_the_user_exists_or_not() {
    let mut raw = Raw::new();
    for user in ["101", "zz99"] {
        for method in ["INVITE", "REGISTER"] {
            let text = request(method, "sip:pronto.example", user, 1, "")
                .replace("0612345@carrier.example", &format!("{user}@pronto.example"));
            let sent = raw.send(STRANGER, &text);
            assert_eq!(status(&sent[0].1), 401, "{user} {method}");
            assert!(
                header(&sent[0].1, "WWW-Authenticate")
                    .unwrap()
                    .contains("qop=\"auth\"")
            );
            let guess = authorization(&sent[0].1, user, "wrong", method, "sip:pronto.example");
            let text = text.replace("Contact", &format!("{guess}Contact"));
            assert_eq!(raw.status(STRANGER, &text), 401, "{user} {method}");
        }
    }
    assert_eq!(raw.endpoint.counts().transactions, 0);
    assert!(raw.events.is_empty());
}

#[test]
fn a_proven_stranger_is_that_operator_and_a_replay_is_nobody() {
    let mut raw = Raw::new();
    let uri = "sip:800@pronto.example";
    let text = invite("p").replace("0612345@carrier.example", "101@pronto.example");
    let challenged = raw.send(STRANGER, &text).pop().unwrap().1;
    let proof = authorization(&challenged, "101", "secret101", "INVITE", uri);
    let proven = text
        .replace("Contact", &format!("{proof}Contact"))
        .replace("CSeq: 1", "CSeq: 2");
    assert_eq!(raw.status(STRANGER, &proven), 100);
    let Some(Event::Invite(call)) = raw.events.last() else {
        panic!()
    };
    assert_eq!(call.from, Identity::Operator(super::world::operator("101")));
    let replayed = proven
        .replace("z9hG4bKp", "z9hG4bKq")
        .replace("Call-ID: p", "Call-ID: q")
        .replace("CSeq: 2", "CSeq: 3");
    let again = raw.send(STRANGER, &replayed).pop().unwrap().1;
    assert_eq!(status(&again), 401);
    assert!(again.contains("stale=true"));
    raw.pass(Duration::from_secs(301));
    let text = invite("r")
        .replace("0612345@carrier.example", "101@pronto.example")
        .replace("Contact", &format!("{proof}Contact"));
    assert!(
        raw.send(STRANGER, &text).pop().unwrap().1.contains("stale=true"),
        "a nonce lives 300 s"
    );
}

#[test]
fn sha_256_is_offered_first_where_it_is_set_and_proves() {
    let mut settings = gateway_settings(Transport::Udp);
    settings.digest = vec![Algorithm::Sha256, Algorithm::Md5];
    let mut raw = Raw::with(settings);
    let text = request("REGISTER", "sip:pronto.example", "s", 1, "").replace("To: <sip:800", "To: <sip:101");
    let challenged = raw.send(STRANGER, &text).pop().unwrap().1;
    let offered: Vec<&str> = challenged
        .lines()
        .filter(|l| l.starts_with("WWW-Authenticate"))
        .collect();
    assert!(
        offered[0].contains("SHA-256") && offered[1].contains("MD5"),
        "{offered:?}"
    );
    let proof = authorization(&challenged, "101", "secret101", "REGISTER", "sip:pronto.example");
    assert!(proof.contains("algorithm=SHA-256"));
    let text = text
        .replace("Contact", &format!("{proof}Contact"))
        .replace("CSeq: 1", "CSeq: 2");
    let sent = raw.send(STRANGER, &text);
    assert_eq!(status(&sent[0].1), 200, "{}", sent[0].1);
    assert!(header(&sent[0].1, "Contact").unwrap().ends_with(";expires=300"));
}

#[test]
fn registering_another_operator_or_another_domain_is_refused_after_the_digest() {
    let mut raw = Raw::new();
    for (to, uri, expected) in [
        ("sip:102@pronto.example", "sip:pronto.example", 403),
        ("sip:101@elsewhere.example", "sip:elsewhere.example", 404),
        ("sip:101@127.0.0.1", "sip:127.0.0.1:5060", 200),
    ] {
        let text = request("REGISTER", uri, to, 1, "").replace("sip:800@pronto.example", to);
        let challenged = raw.send(STRANGER, &text).pop().unwrap().1;
        assert_eq!(status(&challenged), 401);
        let proof = authorization(&challenged, "101", "secret101", "REGISTER", uri);
        let text = text
            .replace("Contact", &format!("{proof}Contact"))
            .replace("CSeq: 1", "CSeq: 2");
        assert_eq!(raw.status(STRANGER, &text), expected, "{to}");
        assert_eq!(
            raw.status(STRANGER, &text),
            expected,
            "a retransmission gets the same answer, not a stale nonce"
        );
    }
    assert_eq!(
        raw.status(
            STRANGER,
            &request("REGISTER", "sip:pronto.example", "x", 1, "")
                .replace("To: <sip:800@pronto.example>", "To: isbn:298")
        ),
        400
    );
    assert_eq!(
        raw.status(
            STRANGER,
            &request("REGISTER", "sip:pronto.example", "y", 1, "").replace("<sip:c@127.0.0.2:5070>", "*")
        ),
        400
    );
}

#[test]
fn an_unknown_authorization_scheme_counts_as_none() {
    let mut raw = Raw::new();
    let text = request(
        "REGISTER",
        "sip:example.com",
        "z",
        1,
        "Authorization: NoOneKnowsThisScheme opaque-data=here\n",
    );
    assert_eq!(raw.status(STRANGER, &text), 401);
}

#[test]
fn retransmissions_get_the_same_answer_and_one_event() {
    let mut raw = Raw::new();
    assert_eq!(raw.status(TRUNK, &invite("r")), 100);
    assert_eq!(raw.status(TRUNK, &invite("r")), 100);
    assert_eq!(raw.events.len(), 1);
    let leg = raw.leg();
    raw.endpoint.reject(raw.now, leg, crate::Status::BUSY_HERE, None);
    let busy = raw.drain().pop().unwrap().1;
    assert_eq!(raw.send(TRUNK, &invite("r")).pop().unwrap().1, busy);
    let ack = invite("r")
        .replace("INVITE sip", "ACK sip")
        .replace("1 INVITE", "1 ACK")
        .replace(
            "To: <sip:800@pronto.example>",
            &format!("To: {}", header(&busy, "To").unwrap()),
        );
    assert_eq!(raw.status(TRUNK, &ack), 0);
    assert_eq!(raw.status(TRUNK, &invite("r")), 0, "Confirmed absorbs");
    raw.pass(Duration::from_secs(6));
    assert_eq!(raw.endpoint.counts().transactions, 0);
}

#[test]
fn a_merged_request_is_a_loop() {
    let mut raw = Raw::new();
    assert_eq!(raw.status(TRUNK, &invite("m")), 100);
    assert_eq!(
        raw.status(TRUNK, &invite("m").replace("z9hG4bKm", "z9hG4bKother")),
        482
    );
    assert_eq!(raw.events.len(), 1);
}

#[test]
fn a_cancel_is_answered_200_and_its_invite_487_once() {
    let mut raw = Raw::new();
    raw.send(TRUNK, &invite("c"));
    let cancel =
        request("CANCEL", "sip:800@pronto.example", "c", 1, "").replace("z9hG4bKcCANCEL", "z9hG4bKcINVITE");
    let sent = raw.send(TRUNK, &cancel);
    let statuses: Vec<_> = sent.iter().map(|(_, t)| status(t)).collect();
    assert_eq!(statuses, [200, 487]);
    assert_eq!(
        header(&sent[0].1, "To"),
        header(&sent[1].1, "To"),
        "RFC 3261 §9.2: the same tag"
    );
    assert!(matches!(
        raw.events.as_slice(),
        [Event::Invite(_), Event::Cancelled { .. }]
    ));
    assert_eq!(
        raw.send(TRUNK, &cancel).len(),
        1,
        "a retransmitted CANCEL: 200 only"
    );
    raw.pass(Duration::from_secs(64));
    assert_eq!(raw.endpoint.counts().transactions, 0);
}

#[test]
fn answers_go_where_the_via_says() {
    let mut raw = Raw::new();
    let ask = |via: &str| {
        request("OPTIONS", "sip:pronto.example", "v", 1, "")
            .replace("127.0.0.2:5070;branch", &format!("{via};branch"))
    };
    let (to, text) = raw.send(STRANGER, &ask("10.1.1.1:7000")).remove(0);
    assert_eq!(to.to_string(), "127.0.0.9:7000", "RFC 3261 §18.2.2");
    assert!(header(&text, "Via").unwrap().ends_with(";received=127.0.0.9"));
    let (to, text) = raw.send(STRANGER, &ask("10.1.1.1:7000;rport")).remove(0);
    assert_eq!(to.to_string(), STRANGER, "RFC 3581 §4");
    assert!(
        header(&text, "Via")
            .unwrap()
            .contains(";received=127.0.0.9;rport=5090")
    );
    let (to, _) = raw
        .send(STRANGER, &ask("phone.example;maddr=255.255.255.255"))
        .remove(0);
    assert_eq!(to.to_string(), "127.0.0.9:5060", "maddr is not believed");
}

#[test]
fn every_via_is_returned_in_order_and_as_it_came() {
    let mut raw = Raw::new();
    let text = request("OPTIONS", "sip:pronto.example", "v", 1, "").replace(
        "Max-Forwards",
        "v:  SIP  / 2.0  / TCP     spindle.example.com   ;\n  branch  =   z9hG4bK9ikj8  ,\n SIP  /    2.0   / UDP  192.168.255.111   ; branch=\n z9hG4bK30239\nMax-Forwards",
    );
    let (_, answer) = raw.send(TRUNK, &text).remove(0);
    let vias: Vec<&str> = answer.lines().filter(|l| l.starts_with("Via")).collect();
    assert_eq!(vias.len(), 2);
    assert!(
        vias[0].contains("127.0.0.2:5070")
            && vias[1].contains("spindle.example.com")
            && vias[1].contains("z9hG4bK30239")
    );
}

#[test]
fn while_draining_new_calls_are_refused_and_calls_go_on() {
    let mut raw = Raw::new();
    let to = raw.call();
    raw.endpoint.drain(true);
    for text in [invite("d"), request("OPTIONS", "sip:pronto.example", "d", 1, "")] {
        let sent = raw.send(TRUNK, &text);
        assert_eq!(status(&sent[0].1), 503);
        assert!(header(&sent[0].1, "Retry-After").is_some());
    }
    assert_eq!(raw.status(TRUNK, &inside("OPTIONS", "o", 2, "call", &to)), 200);
    assert_eq!(raw.status(TRUNK, &inside("BYE", "b", 3, "call", &to)), 200);
}

#[test]
fn at_its_limits_the_endpoint_refuses_new_calls_and_keeps_those_that_are_up() {
    let mut settings = gateway_settings(Transport::Udp);
    settings.limits.dialogs = 1;
    let mut raw = Raw::with(settings);
    let to = raw.call();
    let sent = raw.send(TRUNK, &invite("second"));
    assert_eq!(status(&sent[0].1), 503);
    assert!(header(&sent[0].1, "Retry-After").is_some());
    let destination = Destination {
        uri: "sip:x@127.0.0.2".into(),
        flow: raw.flow(TRUNK),
    };
    raw.endpoint.invite(
        raw.now,
        &destination,
        super::world::offer(),
        InviteOptions::default(),
    );
    assert!(raw.drain().is_empty());
    assert!(matches!(
        raw.events.last(),
        Some(Event::Refused {
            status: 503,
            local: true,
            ..
        })
    ));
    assert_eq!(raw.status(TRUNK, &inside("BYE", "b", 2, "call", &to)), 200);
}

#[test]
fn an_rfc_2543_invite_is_taken_over_udp_and_refused_over_tcp() {
    let text = "INVITE sip:800@pronto.example SIP/2.0\nVia: SIP/2.0/UDP iftgw.example.com\nFrom: <sip:+13035551111@ift.client.example.net;user=phone>\nRecord-Route: <sip:UserB@example.com;maddr=ss1.example.com>\nTo: sip:+16505552222@ss1.example.net;user=phone\nCall-ID: inv2543.1717@ift.client.example.com\nCSeq: 56 INVITE\nContent-Type: application/sdp\n\nv=0\no=mhandley 29739 7272939 IN IP4 192.0.2.5\ns=-\nc=IN IP4 192.0.2.5\nt=0 0\nm=audio 49217 RTP/AVP 0\n";
    let mut raw = Raw::new();
    assert_eq!(raw.status(TRUNK, text), 100);
    let ok = {
        let leg = raw.leg();
        raw.endpoint.answer(raw.now, leg, super::world::answer());
        raw.drain().remove(0).1
    };
    assert_eq!(
        header(&ok, "Record-Route"),
        Some("<sip:UserB@example.com;maddr=ss1.example.com>")
    );
    let ack = format!(
        "ACK sip:127.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP iftgw.example.com\nFrom: <sip:+13035551111@ift.client.example.net;user=phone>\nTo: {}\nCall-ID: inv2543.1717@ift.client.example.com\nCSeq: 56 ACK\n\n",
        header(&ok, "To").unwrap()
    );
    raw.send(TRUNK, &ack);
    assert!(matches!(raw.events.last(), Some(Event::Acknowledged { .. })));
    let mut raw = Raw::new();
    raw.transport = Transport::Tcp;
    assert_eq!(raw.status(TRUNK, text), 400);
}

#[test]
fn trailing_octets_of_a_datagram_are_ignored() {
    let mut raw = Raw::new();
    let sent = raw.send(
        TRUNK,
        &(request("OPTIONS", "sip:pronto.example", "t", 1, "") + &invite("u")),
    );
    assert_eq!(sent.len(), 1);
    assert!(raw.events.is_empty());
}

#[test]
fn whom_a_trunk_asserts_is_believed_and_privacy_is_kept() {
    let mut raw = Raw::new();
    let caller = |raw: &mut Raw, id: &str, from: &str, lines: &str| {
        let text = invite(id)
            .replace("From: \"A\" <sip:0612345@carrier.example>", from)
            .replace("Contact", &format!("{lines}Contact"));
        raw.send(TRUNK, &text);
        let Some(Event::Invite(invite)) = raw.events.last() else {
            panic!()
        };
        invite.caller.clone()
    };
    let plain = caller(
        &mut raw,
        "1",
        "From: \"A\" <sip:0612345@carrier.example>",
        "P-Asserted-Identity: \"B\" <tel:+39061>\n",
    );
    assert_eq!(
        (plain.user.as_deref(), plain.display.as_deref(), plain.anonymous),
        (Some("+39061"), Some("B"), false)
    );
    let hidden = caller(
        &mut raw,
        "2",
        "From: \"Anonymous\" <sip:anonymous@anonymous.invalid>",
        "P-Asserted-Identity: <sip:+39062@c>\nPrivacy: id\n",
    );
    assert_eq!((hidden.user.as_deref(), hidden.anonymous), (Some("+39062"), true));
    let escaped = caller(&mut raw, "3", "From: <sip:%2B39%20063@carrier.example>", "");
    assert_eq!(escaped.user.as_deref(), Some("+39 063"));
}
