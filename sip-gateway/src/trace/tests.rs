//! Tests of retention, eviction and redaction.

use pronto_sip::Transport;

use super::redact::{Names, redact};
use super::*;

fn flow() -> Flow {
    Flow {
        transport: Transport::Udp,
        local: "127.0.0.1:5060".parse().unwrap(),
        remote: "127.0.0.2:5070".parse().unwrap(),
    }
}

fn invite(call_id: &str) -> Bytes {
    Bytes::from(format!(
        "INVITE sip:800@pronto.example SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.2:5070;branch=z9hG4bKa\r\n\
         From: \"Mario Rossi\" <sip:+39061234567@carrier.example>;tag=f\r\nTo: <sip:800@pronto.example>\r\n\
         Call-ID: {call_id}\r\nCSeq: 1 INVITE\r\nContact: <sip:+39061234567@127.0.0.2:5070>\r\nX-Billing: Mario, 0612\r\n\
         Content-Type: application/sdp\r\nContent-Length: 50\r\n\r\nv=0\r\no=+39061234567 1 1 IN IP4 127.0.0.2\r\ns=Mario\r\n"
    ))
}

fn response(call_id: &str, status: u16) -> Bytes {
    Bytes::from(format!(
        "SIP/2.0 {status} X\r\ni: {call_id}\r\nCSeq: 1 INVITE\r\nl: 0\r\n\r\n"
    ))
}

fn ring(calls: usize, octets: usize) -> Ring {
    Ring::new(Limits { calls, octets })
}

fn operator() -> Peer {
    Peer::Operator(OperatorId::new("101").unwrap())
}

#[test]
fn the_call_id_is_found_however_it_is_spelled_and_only_in_the_head() {
    for head in ["Call-ID: a@b", "call-id : a@b", "i:a@b", "I \t:  a@b  "] {
        let message = format!("INVITE sip:x SIP/2.0\r\nVia: x\r\n{head}\r\nCSeq: 1 INVITE\r\n\r\n");
        assert_eq!(call_id::of(message.as_bytes()), Some(&b"a@b"[..]), "{head}");
    }
    for message in [
        "INVITE sip:x SIP/2.0\r\n\r\nCall-ID: a@b\r\n",
        "Call-ID: a@b\r\n\r\n",
        "x\r\nCall-IDs: a@b\r\n\r\n",
        "x\r\nCall-ID:\r\n\r\n",
        "x\r\nCall-ID: a@b",
        "",
    ] {
        assert_eq!(call_id::of(message.as_bytes()), None, "{message}");
    }
}

#[test]
fn both_legs_of_a_call_are_one_trace_in_the_order_of_time() {
    let mut ring = ring(10, 1 << 20);
    let call = CallId(7);
    ring.received(Time::from_secs(1), flow(), &invite("one"));
    ring.claim(call, &Peer::Caller, b"one");
    ring.sent(Time::from_secs(2), flow(), &response("one", 200));
    ring.claim(call, &operator(), b"two");
    ring.sent(Time::from_secs(3), flow(), &invite("two"));
    ring.received(Time::from_secs(4), flow(), &response("two", 486));
    ring.received(Time::from_secs(5), flow(), &response("stray", 200));
    let (summary, messages) = ring.read(Subject::Call(call)).unwrap();
    assert_eq!(summary.legs, [Peer::Caller, operator()]);
    assert_eq!(summary.status, 200);
    assert_eq!(summary.passed, (Time::from_secs(1), Time::from_secs(4)));
    let seen: Vec<_> = messages
        .iter()
        .map(|message| (message.leg, message.sent))
        .collect();
    assert_eq!(seen, [(0, false), (0, true), (1, true), (1, false)]);
    assert_eq!(ring.list(0, 10).0, [summary]);
}

#[test]
fn the_oldest_call_makes_room_and_nothing_of_it_stays() {
    let mut ring = ring(3, 1 << 20);
    for number in 0..10 {
        let id = format!("call-{number}");
        ring.received(Time::from_secs(number), flow(), &invite(&id));
        ring.claim(CallId(number as u64), &Peer::Caller, id.as_bytes());
    }
    let (list, more) = ring.list(0, 2);
    assert!(more);
    assert_eq!(list[0].subject, Subject::Call(CallId(7)));
    assert_eq!(ring.list(list[1].order, 10).0.len(), 1);
    assert_eq!((ring.dialogs.len(), ring.calls.len(), ring.held.len()), (3, 3, 3));
    assert!(ring.read(Subject::Call(CallId(6))).is_none());
}

#[test]
fn no_flood_of_invites_pushes_a_call_out_nor_holds_more_than_its_share() {
    let limit = 1 << 20;
    let mut ring = ring(3, limit);
    ring.received(Time::ZERO, flow(), &invite("call"));
    ring.claim(CallId(1), &Peer::Caller, b"call");
    let long = [&invite("x")[..], &vec![b'x'; 60_000]].concat();
    for number in 0..2_000_u32 {
        ring.received(Time::ZERO, flow(), &invite(&format!("flood-{number}")));
        let long = String::from_utf8(long.clone())
            .unwrap()
            .replace("ID: x", &format!("ID: long-{number}"));
        ring.received(Time::ZERO, flow(), &Bytes::from(long));
        assert!(ring.costs.attempts <= limit / 4 && ring.attempts.len() <= ATTEMPTS);
    }
    assert!(ring.read(Subject::Call(CallId(1))).is_some());
    let held: usize = ring.held.values().map(|held| held.cost()).sum();
    assert_eq!(held, ring.octets());
}

#[test]
fn octets_are_bounded_too_and_a_long_call_keeps_both_its_ends() {
    let mut ring = ring(1_000, 400_000);
    for number in 0..2_000_u64 {
        let id = format!("call-{number}");
        ring.received(Time::ZERO, flow(), &invite(&id));
        ring.claim(CallId(number), &Peer::Caller, id.as_bytes());
        assert!(ring.octets() <= 400_000);
    }
    assert!(ring.claimed.len() > 100, "{}", ring.claimed.len());
    for second in 0..500 {
        ring.sent(Time::from_secs(second), flow(), &response("call-1999", 200));
    }
    let (summary, messages) = ring.read(Subject::Call(CallId(1999))).unwrap();
    assert_eq!((messages.len(), summary.left_out), (128, 501 - 128));
    assert!(messages[0].bytes.starts_with(b"INVITE"));
    assert_eq!(messages[127].at, Time::from_secs(499));
    assert_eq!(
        summary.octets,
        messages.iter().map(|message| message.bytes.len()).sum()
    );
}

#[test]
fn an_invite_that_became_no_call_says_how_it_was_refused() {
    let mut ring = ring(10, 1 << 20);
    ring.received(Time::ZERO, flow(), &invite("scan"));
    ring.sent(Time::ZERO, flow(), &response("scan", 401));
    let (list, _) = ring.list(0, 10);
    assert_eq!((list[0].subject, list[0].status), (Subject::Attempt(1), 401));
    assert!(ring.read(list[0].subject).is_some());
    let mut off = Ring::new(Limits { calls: 0, octets: 0 });
    off.received(Time::ZERO, flow(), &invite("scan"));
    off.claim(CallId(1), &Peer::Caller, b"scan");
    assert!(off.held.is_empty());
}

fn shown(message: &str, numbers: bool) -> String {
    let traced = Traced {
        at: Time::ZERO,
        sent: false,
        flow: flow(),
        leg: 0,
        bytes: invite("id-39061234567"),
    };
    let shown = redact(message.as_bytes(), &Names::of(&[traced]), numbers);
    assert_eq!(shown.len(), message.len(), "the length is always true");
    String::from_utf8(shown).unwrap()
}

#[test]
fn a_callers_number_and_name_are_nowhere_and_what_was_dialled_stays() {
    let message = String::from_utf8(invite("id-+39061234567").to_vec()).unwrap();
    let redacted = shown(&message, false);
    for secret in ["Mario", "Rossi", "61234567", "0612"] {
        assert!(!redacted.contains(secret), "{secret} in {redacted}");
    }
    for kept in [
        "INVITE sip:800@pronto.example SIP/2.0\r\n",
        "From: \"xxxxx xxxxx\" <sip:+xxxxxxxxx67@carrier.example>;tag=f\r\n",
        "Call-ID: id-+xxxxxxxxx67\r\nCSeq: 1 INVITE\r\n",
        "o=+xxxxxxxxxxx 1 1 IN IP4 127.0.0.2\r\ns=xxxxx\r\n",
    ] {
        assert!(redacted.contains(kept), "{kept} in {redacted}");
    }
    assert_eq!(shown(&message, true), message, "asked for, all of it is shown");
}

#[test]
fn addresses_in_every_form_lose_their_user() {
    for (line, expected) in [
        (
            "Contact: Rossi <sips:06123456:pass@h>, sip:7@h;x=y",
            "Contact: xxxxx <sips:xxxxxx56:xxxx@h>, sip:x@h;x=y",
        ),
        (
            "P-Asserted-Identity: <tel:+390612345;phone-context=x>",
            "P-Asserted-Identity: <tel:+xxxxxxx45;xxxxx-xxxxxxx=x>",
        ),
        ("To: sip:800@h;tag=1", "To: sip:800@h;tag=1"),
        (
            "From: \"Anonymous\" <sip:anonymous@anonymous.invalid>",
            "From: \"xxxxxxxxx\" <sip:anonymous@anonymous.invalid>",
        ),
        ("Subject: urgent\r\n Rossi", "Subject: xxxxxx\r\n xxxxx"),
        ("User-Agent: phone/1", "User-Agent: phone/1"),
    ] {
        let message = format!("BYE sip:06123456@h SIP/2.0\r\n{line}\r\n\r\n");
        let expected = format!("BYE sip:xxxxxx56@h SIP/2.0\r\n{expected}\r\n\r\n");
        assert_eq!(shown(&message, false), expected);
    }
}

#[test]
fn every_header_field_that_may_hold_a_number_loses_it() {
    let fields = [
        "From",
        "f",
        "To",
        "t",
        "Contact",
        "m",
        "P-Asserted-Identity",
        "P-Preferred-Identity",
        "P-Called-Party-ID",
        "Remote-Party-ID",
        "Diversion",
        "History-Info",
        "Referred-By",
        "b",
        "Refer-To",
        "r",
        "Reply-To",
        "Route",
        "Record-Route",
        "P-Charge-Info",
        "P-Charging-Vector",
        "X-Caller",
        "Call-Info",
        "Alert-Info",
        "Subject",
        "Identity",
    ];
    let values = [
        "<sip:+39339111222@h>",
        "\"39339111222\" <sips:39339111222@h;user=phone>;party=calling",
        "39339111222 <tel:+39-339-111-222>",
        "tel:39339111222,<sip:39339111222:39339111222@h>",
        "<sip:800@h?Diversion=%3Csip%3A%2B39339111222%40h%3E>;index=1",
        "<sip:39339111222@h?Replaces=39339111222%40h>",
        "39339111222",
        "<urn:x:39339111222>",
        ";party=39339111222",
    ];
    for field in fields {
        for value in values {
            for fold in [" ", "\r\n "] {
                let message = format!("NOTIFY sip:800@h SIP/2.0\r\n{field}:{fold}{value}\r\n\r\n");
                let shown = shown(&message, false);
                for seen in ["339111", "39-339"] {
                    assert!(!shown.contains(seen), "{message} gives {shown}");
                }
            }
        }
    }
}

#[test]
fn a_number_in_a_digest_is_overwritten_and_an_operators_name_is_not() {
    for field in ["Authorization", "Proxy-Authorization"] {
        let message = format!(
            "INVITE sip:800@h SIP/2.0\r\n{field}: Digest username=\"+39339111222\", realm=\"39 339-111 222.h\", \
             uri=\"sip:39339111222@h\", username*=UTF-8\'\'%2B39339111222, qop=auth, nc=00000001\r\n\r\n"
        );
        let expected = format!(
            "INVITE sip:800@h SIP/2.0\r\n{field}: Digest username=\"+xxxxxxxxx22\", realm=\"xx xxx-xxx x22.h\", \
             uri=\"sip:xxxxxxxxx22@h\", username*=UTF-8\'\'%2Bxxxxxxxxx22, qop=auth, nc=00000001\r\n\r\n"
        );
        assert_eq!(shown(&message, false), expected);
        assert_eq!(shown(&message, true), message, "asked for, all of it is shown");
        for set_apart in [
            "39.339.111.222",
            "39/339/111222",
            "39%20339%20111222",
            "0039+339+111222",
        ] {
            let message =
                format!("INVITE sip:800@h SIP/2.0\r\n{field}: Digest username=\"{set_apart}\"\r\n\r\n");
            assert!(!shown(&message, false).contains("339"), "{set_apart}");
        }
        for plain in [
            "username=\"101\"",
            "username=\"anna.b2\"",
            "realm=\"10.20.30.40\"",
            "uri=\"sip:800@h\"",
        ] {
            let message = format!("INVITE sip:800@h SIP/2.0\r\n{field}: Digest {plain}\r\n\r\n");
            assert_eq!(shown(&message, false), message);
        }
    }
    let challenge = "SIP/2.0 407 X\r\nProxy-Authenticate: Digest realm=\"39339111222\", domain=\"sip:39339111222@h\"\r\n\r\n";
    assert!(!shown(challenge, false).contains("339111"));
}

#[test]
fn digests_and_media_keys_are_never_shown_and_digits_only_when_asked() {
    let message = "REGISTER sip:h SIP/2.0\r\nAuthorization: Digest username=\"101\", realm=\"h\", nonce=\"n,1\", uri=\"sip:h\", \
        response=\"abc\", qop=auth, nc=00000001, cnonce=c9\r\nWWW-Authenticate: Digest nonce=\"z\\\"z\",\r\n opaque=\"q\"\r\n\r\n\
        v=0\r\na=crypto:1 AES inline:AbC+/9\r\na=ice-pwd:secret\r\n";
    for numbers in [false, true] {
        let shown = shown(message, numbers);
        assert!(shown.contains("username=\"101\", realm=\"h\", nonce=\"x,x\", uri=\"sip:h\", response=\"xxx\", qop=auth, nc=00000001, cnonce=xx\r\n"));
        assert!(shown.contains("nonce=\"x\\\"x\",\r\n opaque=\"x\""), "{shown}");
        assert!(
            shown.ends_with("a=crypto:1 AES inline:xxx+/x\r\na=ice-pwd:xxxxxx\r\n"),
            "{shown}"
        );
    }
    let other = "REGISTER sip:h SIP/2.0\r\nAuthorization: Basic MTAx\r\nProxy-Authorization: Bearer a=b,c\r\n\r\n\
        --b\r\nv=0\r\na=key-mgmt:mikey AQAF\r\na=crypto:1 AES inline:AbC\r\n--b--";
    let shown_whole = shown(other, true);
    for secret in ["MTAx", "a=b", "AQAF", "AbC"] {
        assert!(!shown_whole.contains(secret), "{shown_whole}");
    }
    let info = "INFO sip:h SIP/2.0\r\nContent-Type: application/dtmf-relay\r\n\r\nSignal=5\r\n";
    assert!(shown(info, false).ends_with("xxxxxx=x\r\n"));
    assert!(shown(info, true).ends_with("Signal=5\r\n"));
}

proptest::proptest! {
    #[test]
    fn nothing_that_passes_can_make_it_panic(noise in ".{0,200}", cut in 0_usize..600) {
        let mut message = invite("x").to_vec();
        message.truncate(cut);
        message.extend_from_slice(noise.as_bytes());
        let bytes = Bytes::from(message);
        let traced = Traced { at: Time::ZERO, sent: false, flow: flow(), leg: 0, bytes: bytes.clone() };
        let shown = redact(&bytes, &Names::of(&[traced]), false);
        proptest::prop_assert_eq!(shown.len(), bytes.len());
        let mut ring = ring(2, 1000);
        ring.received(Time::ZERO, flow(), &bytes);
        proptest::prop_assert!(ring.octets() <= 1000);
    }
}
