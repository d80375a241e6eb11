//! Values of header fields at the edge of the grammar and beyond it: quoted strings, comments, URIs, compact names.

use super::absurd::{answers, sdp};
use super::raw::*;
use super::torture::{both, calling, crlf, frame, options, over_udp, registering};
use crate::api::*;

#[test]
fn what_is_quoted_may_hold_anything_and_must_end() {
    for display in [
        "\"a;tag=evil <sip:evil@h>, \\\" \\\\\"",
        "\"folded\n name\"",
        "\"\"",
        "\"J\u{f6}rg\"",
        "J\u{f6}rg",
        "token.~!%*_+`'- token",
        "\"\u{1f4de}\"",
    ] {
        let text = options("").replace("From: <", &format!("From: {display} <"));
        both(display, &text, &[200]);
        let answer = answers(&crlf(&text)).remove(0);
        assert!(
            header(&answer, "From")
                .unwrap()
                .ends_with("<sip:a@torture.example>;tag=f"),
            "{answer}"
        );
    }
    let latin = [b"From: \"J\xf6rg\" <".as_slice(), b"From: J\xf6rg <"];
    for from in latin {
        let text = crlf(&options(""));
        let at = text.windows(7).position(|w| w == b"From: <").unwrap();
        let bytes = [&text[..at], from, &text[at + 7..]].concat();
        assert_eq!(over_udp(&bytes), [200]);
        let mut raw = Raw::new();
        let flow = raw.flow(TRUNK);
        let input = Input::Message {
            flow,
            bytes: bytes.clone().into(),
        };
        raw.endpoint.handle_input(raw.now, input);
        let Some(Output::Transmit { bytes: answer, .. }) = raw.endpoint.poll_output() else {
            panic!("it is answered")
        };
        assert!(
            answer.windows(from.len()).any(|w| w == from),
            "octet for octet as it came"
        );
    }
    for display in [
        "\"open",
        "\"open\\\"",
        "\"a\" \"b\"",
        "a \"b\"",
        "(comment)",
        "a, b",
        "<",
        "a@b",
    ] {
        let text = options("").replace("From: <", &format!("From: {display} <"));
        both(display, &text, &[400]);
    }
}

#[test]
fn quotes_and_comments_that_do_not_end_are_refused_in_what_is_acted_on_and_nobodys_business_elsewhere() {
    for field in [
        "Contact: \"open <sip:a@h>",
        "Contact: <sip:a@h",
        "Contact: <sip:a@h>;x=\"open",
        "Require: \"open",
        "Require: 100rel, \"open",
        "Via: SIP/2.0/UDP h;x=\"open",
    ] {
        let text = options(&format!("{field}\n"));
        both(field, &text, &[400]);
    }
    for field in [
        "Subject: \"open",
        "User-Agent: ((((((((a (b (c \\) \\(",
        "User-Agent: ))))",
        "Warning: 399 h \"open",
        "Server: (",
        "Date: \"",
        "Reason: SIP;cause=200;text=\"open",
        "Alert-Info: <",
        "Supported: \"open",
        "Allow: \"",
        "Organization: \\",
    ] {
        both(field, &options(&format!("{field}\n")), &[200]);
    }
    let deep = format!("User-Agent: {}{}\n", "(".repeat(15_000), ")".repeat(15_000));
    both("comments within comments", &options(&deep), &[200]);
    let brackets = format!("From: {}sip:a@h", "<".repeat(10_000));
    let text = options("").replace("From: <sip:a@torture.example>", &brackets);
    both("brackets within brackets", &text, &[400]);
}

/// A gateway that is dialled at an IPv6 address too.
fn raw_at_ipv6() -> Raw {
    let mut settings = super::world::gateway_settings(crate::Transport::Udp);
    settings.hosts = vec!["::1".to_owned()];
    Raw::with(settings)
}

#[test]
fn a_sip_uri_may_have_a_password_and_escapes_and_the_number_is_what_stands_before() {
    for (uri, dialled) in [
        ("sip:800:secret@pronto.example", Some("800")),
        ("sip:800:s%40cret@pronto.example", Some("800")),
        ("sip:800:@pronto.example", Some("800")),
        ("sip:8%300@pronto.example", Some("800")),
        ("sip:a%40b@pronto.example", Some("a@b")),
        ("sip:%00@pronto.example", Some("\0")),
        ("sip:%C3%B6@pronto.example", Some("\u{f6}")),
        (
            "sip:800;phone-context=x@pronto.example",
            Some("800;phone-context=x"),
        ),
        ("sip:+39-055%20(1)@pronto.example", Some("+39-055 (1)")),
        ("sip:800@[::1]", Some("800")),
        ("sip:800@pronto.example:0", Some("800")),
        ("sip:800@pronto.example;a;b=;c=d;;", Some("800")),
        ("sip:800%4@pronto.example", None),
        ("sip:800%zz@pronto.example", None),
        ("sip:8\"00@pronto.example", None),
        ("sip:a@b@pronto.example", None),
        ("sip:@pronto.example", None),
        ("sip:800@", None),
        ("sip:800@pronto.example:", None),
        ("sip:800@pronto.example:65536", None),
        ("sip:800@pronto.example:5060:5060", None),
        ("sip:800@[::1", None),
        ("sip:800@::1", None),
        ("sip:800@[127.0.0.1]", None),
        ("sip:800@pronto!example", None),
        ("sip:800@pronto.example?", None),
        ("sip:800@pronto.example?X=1", None),
        ("sip:", None),
        (":800", None),
        ("sip", None),
    ] {
        let text = calling("").replace("sip:800@pronto.example SIP", &format!("{uri} SIP"));
        let mut raw = raw_at_ipv6();
        let answer = raw.status(TRUNK, &text);
        match dialled {
            Some(dialled) => {
                assert_eq!(answer, 100, "{uri}");
                let Some(Event::Invite(invite)) = raw.events.last() else {
                    panic!("{uri}")
                };
                assert_eq!(invite.dialled, dialled, "{uri}");
            }
            None => assert_eq!(answer, 400, "{uri}"),
        }
    }
}

#[test]
fn a_tel_uri_may_have_extensions_and_must_have_a_number() {
    for (uri, dialled) in [
        ("tel:800", "800"),
        ("TEL:800", "800"),
        ("tel:+39-055-123", "+39-055-123"),
        ("tel:800;ext=12", "800"),
        ("tel:800;phone-context=+39", "800"),
        ("tel:800;npdi;rn=+39062;cic=+1-6789;isub=\"x", ""),
        ("tel:800;isub=%22", "800"),
        ("tel:*21#", "*21#"),
        ("tel:(055)1.2", "(055)1.2"),
        ("tel:", ""),
        ("tel:;ext=1", ""),
        ("tel:+39 055", ""),
        ("tel:800@pronto.example", ""),
        ("tel:80O", ""),
        ("tel:8%300", ""),
    ] {
        let text = calling("").replace("sip:800@pronto.example SIP", &format!("{uri} SIP"));
        let mut raw = Raw::new();
        let answer = raw.status(TRUNK, &text);
        if dialled.is_empty() {
            assert_eq!(answer, 400, "{uri}");
            continue;
        }
        assert_eq!(answer, 100, "{uri}");
        assert!(
            matches!(raw.events.last(), Some(Event::Invite(invite)) if invite.dialled == dialled),
            "{uri}"
        );
    }
    for scheme in [
        "mailto:a@b.example",
        "urn:service:sos",
        "http://pronto.example/",
        "im:a@b",
        "x-y.z+1:opaque",
    ] {
        let text = calling("").replace("sip:800@pronto.example SIP", &format!("{scheme} SIP"));
        both(scheme, &text, &[416]);
    }
}

#[test]
fn a_star_is_a_contact_of_a_register_alone() {
    for line in ["INVITE", "OPTIONS", "BYE", "INFO", "UPDATE"] {
        let text = frame(
            &format!("{line} sip:800@pronto.example SIP/2.0"),
            &format!("1 {line}"),
            "",
        );
        both(line, &text.replace("<sip:a@127.0.0.2:5070>", "*"), &[400]);
    }
    both(
        "REGISTER",
        &registering("*").replace("Content-Length", "Expires: 0\nContent-Length"),
        &[401],
    );
}

#[test]
fn each_compact_form_is_its_field() {
    let text = "INVITE sip:800@pronto.example SIP/2.0\nv: SIP/2.0/UDP 127.0.0.2:5070;branch=z9hG4bKc\nf: <sip:a@h>;tag=1\nt: <sip:800@pronto.example>\ni: compact\nCSeq: 1 INVITE\nm: <sip:a@127.0.0.2:5070>\ns: hello\nk: 100rel, timer\no: presence\nu: x\na: *;x\nb: <sip:r@h>\nd: proxy\nj: *\nn: x\nr: <sip:t@h>\nx: 90\ny: \"x\"\n";
    let with = |more: &str| format!("{text}{more}");
    both("all of them", &with("l: 0\n\n"), &[100]);
    both("a malformed l", &with("l: x\n\n"), &[400]);
    both(
        "a malformed v",
        &with("l: 0\n\n").replace("v: SIP/2.0/UDP", "v: SIP/2.0/"),
        &[400],
    );
    both(
        "a malformed f",
        &with("l: 0\n\n").replace("f: <sip:a@h>", "f: <sip:a@h"),
        &[400],
    );
    both(
        "a malformed t",
        &with("l: 0\n\n").replace("t: <sip:", "t: <sip"),
        &[400],
    );
    both(
        "a malformed i",
        &with("l: 0\n\n").replace("i: compact", "i: a b"),
        &[400],
    );
    both(
        "a malformed m",
        &with("l: 0\n\n").replace("m: <sip:", "m: <:"),
        &[400],
    );
    for (long, short) in [
        ("Via: SIP/2.0/UDP h;branch=z9hG4bKx", "v"),
        ("From: <sip:a@h>;tag=2", "f"),
        ("To: <sip:a@h>", "t"),
        ("Call-ID: other", "i"),
        ("Content-Length: 0", "l"),
    ] {
        let expected = if short == "v" { 100 } else { 400 };
        both(
            &format!("{long} beside {short}"),
            &with(&format!("{long}\nl: 0\n\n")),
            &[expected],
        );
    }
    let body = sdp();
    let length = body.replace('\n', "\r\n").len();
    let kind = |lines: &str| with(&format!("{lines}l: {length}\n\n{body}"));
    both("c", &kind("c: application/sdp\n"), &[100]);
    both("c of another kind", &kind("c: text/plain\n"), &[415]);
    both("e", &kind("c: application/sdp\ne: gzip\n"), &[415]);
    both(
        "e that changes nothing",
        &kind("c: application/sdp\ne: identity\n"),
        &[100],
    );
    let mut raw = Raw::new();
    let text = with("l: 0\n\n")
        .replace("INVITE", "REGISTER")
        .replace("<sip:800@", "<sip:101@");
    assert_eq!(raw.status(STRANGER, &text), 401);
}
