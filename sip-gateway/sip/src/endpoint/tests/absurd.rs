//! Messages of our own that no RFC's torture test has: what is too much, too little, or meant to be taken for something else.

use std::time::Duration;

use super::raw::*;
use super::torture::{both, calling, crlf, frame, options, over_tcp, over_udp, registering};
use super::world::OFFER;
use crate::endpoint::events::*;
use crate::framing::Framer;
use crate::settings::Transport;

/// What the gateway answers to a datagram.
fn answers(bytes: &[u8]) -> Vec<String> {
    let sent = Raw::new().send_bytes(TRUNK, bytes.to_vec());
    sent.into_iter().map(|(_, text)| text).collect()
}

fn sdp() -> String {
    String::from_utf8_lossy(OFFER).replace("\r\n", "\n")
}

#[test]
fn vias_by_the_hundred_come_back_in_order_and_header_fields_beyond_the_limit_do_not() {
    let vias: Vec<String> = (0..200)
        .map(|n| format!("SIP/2.0/UDP p{n}.example;branch=z9hG4bK{n}"))
        .collect();
    for text in [
        format!("Via: {}\n", vias.join(", ")),
        vias.iter().map(|via| format!("v: {via}\n")).collect(),
        vias.chunks(7)
            .map(|some| format!("Via : {}\n", some.join(",\n\t")))
            .collect(),
    ] {
        let asked = options("").replace("Max-Forwards", &format!("{text}Max-Forwards"));
        both("many Via", &asked, &[200]);
        let answer = answers(&crlf(&asked)).remove(0);
        let flat = answer.replace("\r\n", "\n");
        let back: Vec<&str> = flat
            .lines()
            .filter(|line| line.starts_with("Via"))
            .flat_map(|line| line.split(['V', ',']))
            .filter_map(|item| item.find("SIP/").map(|at| item[at..].trim()))
            .collect();
        assert_eq!(back.len(), 201);
        assert!(back[1..].iter().zip(&vias).all(|(back, via)| back == via));
    }
    let fields = |count: usize| (0..count).map(|n| format!("X-{n}: {n}\n")).collect::<String>();
    // Seven of its own, and Content-Length.
    both("256 header fields", &options(&fields(248)), &[200]);
    both("257 header fields", &options(&fields(249)), &[513]);
    both("300 header fields", &options(&fields(292)), &[513]);
}

#[test]
fn names_and_values_as_long_as_a_message_are_taken_and_one_octet_more_is_not() {
    let room = 65_535 - crlf(&options("")).len();
    for field in [
        format!("{}: x\n", "N".repeat(room - 5)),
        format!("X: {}\n", "v".repeat(room - 5)),
        format!("X: {}\n", " ".repeat(room - 5)),
        format!("X: \"{}\"\n", "\\\"".repeat((room - 7) / 2)),
        format!("X:{}\n", "\n ".repeat((room - 4) / 3)),
    ] {
        both("to the brim", &options(&field), &[200]);
    }
    let more = options(&format!("X: {}\n", "v".repeat(room - 4)));
    assert_eq!(over_udp(&crlf(&more)), [] as [u16; 0], "no datagram is that long");
    assert_eq!(over_tcp(&crlf(&more)), [] as [u16; 0], "the connection is closed");
    let long = |user: usize| {
        options("").replace(
            "sip:800@pronto.example SIP",
            &format!("sip:{}@h SIP", "8".repeat(user)),
        )
    };
    both("the longest URI", &long(2_048 - 6), &[200]);
    both("one octet longer", &long(2_048 - 5), &[414]);
    both(
        "a long method",
        &frame(
            &format!("{} sip:a@h SIP/2.0", "M".repeat(2_000)),
            &format!("1 {}", "M".repeat(2_000)),
            "",
        ),
        &[501],
    );
}

#[test]
fn a_content_length_that_is_no_length_ends_the_stream_and_starts_no_second_message() {
    let smuggled = crlf(&options("").replace("Call-ID: torture", "Call-ID: smuggled"));
    for (length, expected) in [
        ("-1", 400),
        ("+0", 400),
        ("0x10", 400),
        ("1e1", 400),
        ("1 0", 400),
        ("10,10", 400),
        ("\"0\"", 400),
        ("", 400),
        ("4294967296", 413),
        ("18446744073709551616", 400),
        ("99999999999999999999999999", 400),
        ("70000", 413),
        ("0\nContent-Length: 0", 400),
        ("0\nl: 400", 400),
        ("400\nContent-Length : 0", 400),
    ] {
        let head = options("").replace("Content-Length: 0", &format!("Content-Length: {length}"));
        let both = [crlf(&head), smuggled.clone()].concat();
        assert_eq!(over_udp(&both), [expected], "{length:?} in a datagram");
        assert_eq!(over_tcp(&both), [expected], "{length:?} on a stream");
    }
    // One that is right, however it is spelt, and whatever looks like another.
    for field in [
        "Content-Length: 0",
        "L:0",
        "CONTENT-LENGTH\t:\t00",
        "l :\n 0",
        "Content-Length: 0\nX-Content-Length: 400",
        "X: y\n Content-Length: 400\nContent-Length: 0",
        "Content-Length-: 400\nContent-Length: 0",
    ] {
        let head = options("").replace("Content-Length: 0", field);
        let two = [crlf(&head), smuggled.clone()].concat();
        assert_eq!(over_udp(&two), [200], "{field:?}");
        assert_eq!(over_tcp(&two), [200, 200], "{field:?}: the next is the next");
    }
}

#[test]
fn numbers_are_taken_up_to_their_limit_and_not_one_further() {
    for (hops, expected) in [
        ("0", 200),
        ("00", 200),
        ("255", 200),
        ("256", 400),
        ("300", 400),
        ("-1", 400),
        ("70.0", 400),
        ("", 400),
        ("18446744073709551616", 400),
    ] {
        let text = options("").replace("Max-Forwards: 70", &format!("Max-Forwards: {hops}"));
        both(&format!("Max-Forwards {hops}"), &text, &[expected]);
    }
    both(
        "no Max-Forwards, as RFC 2543 allowed",
        &options("").replace("Max-Forwards: 70\n", ""),
        &[200],
    );
    for (cseq, expected) in [
        ("0 OPTIONS", 200),
        ("2147483647 OPTIONS", 200),
        ("2147483648 OPTIONS", 200),
        ("4294967295 OPTIONS", 200),
        ("4294967296 OPTIONS", 400),
        ("0004294967295\tOPTIONS", 200),
        ("-1 OPTIONS", 400),
        ("1OPTIONS", 400),
        ("1", 400),
        ("OPTIONS 1", 400),
        ("1 options", 400),
        ("1 OPTIONS OPTIONS", 400),
        ("1 INVITE", 400),
        ("", 400),
    ] {
        let text = options("").replace("1 OPTIONS", cseq);
        both(&format!("CSeq {cseq}"), &text, &[expected]);
    }
}

#[test]
fn the_version_is_ours_in_any_case_of_letters_and_no_other() {
    for (version, expected) in [
        ("sip/2.0", &[200][..]),
        ("Sip/2.0", &[200]),
        ("SIP/3.0", &[505]),
        ("SIP/1.0", &[505]),
        ("SIP/2.00", &[505]),
        ("SIP/2", &[505]),
        ("SIP/2.0.0", &[505]),
        ("SIP/-2.0", &[505]),
    ] {
        let text = options("").replace("example SIP/2.0\n", &format!("example {version}\n"));
        both(version, &text, expected);
    }
    // A version of another protocol: nobody of ours asks that.
    assert_eq!(
        over_udp(&crlf(
            &options("").replace("example SIP/2.0\n", "example HTTP/1.1\n")
        )),
        [] as [u16; 0]
    );
    // The Via's is its own affair, and not an unknown one's.
    both(
        "Via of 3.0",
        &options("").replace("Via: SIP/2.0/UDP", "Via: SIP/3.0/UDP"),
        &[400],
    );
    both(
        "Via in small letters",
        &options("").replace("Via: SIP/2.0/UDP", "Via: sip/2.0/udp"),
        &[200],
    );
}

#[test]
fn a_name_with_a_blank_before_its_colon_is_that_field_and_one_that_only_looks_like_it_is_not() {
    let contacts = |text: &str| {
        let mut raw = Raw::new();
        raw.send(TRUNK, text);
        let (leg, now) = (raw.leg(), raw.now);
        raw.endpoint.answer(now, leg, super::world::answer());
        let to = header(&raw.drain().remove(0).1, "To").unwrap().to_owned();
        let ack = frame("ACK sip:800@pronto.example SIP/2.0", "1 ACK", "")
            .replace("To: <sip:800@pronto.example>", &format!("To: {to}"))
            .replace("z9hG4bKtorture", "z9hG4bKack");
        raw.send(TRUNK, &ack);
        raw.endpoint.hangup(now, leg, None);
        let bye = raw.drain().remove(0).1;
        bye.split(' ').nth(1).unwrap().to_owned()
    };
    let ours = "sip:a@127.0.0.2:5070";
    for field in [
        "X-Contact : <sip:evil@192.0.2.66>\n",
        "Contact-: <sip:evil@192.0.2.66>\n",
        "X: y\n Contact: <sip:evil@192.0.2.66>\n",
        "X: \"\n Contact: <sip:evil@192.0.2.66>\"\n",
        "Con%74act: <sip:evil@192.0.2.66>\n",
        "Cont\u{430}ct: <sip:evil@192.0.2.66>\n",
        "Record-Route-Set: <sip:evil@192.0.2.66;lr>\n",
    ] {
        let text = with_body(&calling(field), "application/sdp", &sdp());
        if !field.is_ascii() {
            // No token of the grammar.
            assert_eq!(over_udp(&crlf(&text)), [400], "{field}");
            continue;
        }
        assert_eq!(contacts(&text), ours, "{field}");
    }
    let text = with_body(
        &calling("").replace("Contact:", "Contact \t :"),
        "application/sdp",
        &sdp(),
    );
    assert_eq!(contacts(&text), ours);
    for name in [
        " : x",
        ": x",
        "X Y: x",
        "X\u{0}: x",
        "X(: x",
        "X\u{e9}: x",
        "X",
        "=: x",
    ] {
        assert_eq!(
            over_udp(&crlf(&options(&format!("Y: z\n{name}\n")))),
            if name.starts_with(' ') { [200] } else { [400] },
            "{name:?}"
        );
    }
}

#[test]
fn null_octets_and_lone_line_breaks_are_refused_where_they_mean_something() {
    for (name, change) in [
        ("Call-ID", "Call-ID: tor\0ture"),
        ("From", "From: A\0B <sip:a@torture.example>;tag=f"),
        ("From", "From: <sip:a\0b@torture.example>;tag=f"),
        ("To", "To: <sip:800@pronto\0.example>"),
        ("CSeq", "CSeq: 1\0 OPTIONS"),
        ("Via", "Via: SIP/2.0/UDP 127.0.0.2:5070\0;branch=z9hG4bKtorture"),
        ("Max-Forwards", "Max-Forwards: 7\0"),
        ("Contact", "Contact: <sip:a@127.0.0.2\0>"),
    ] {
        let text: String = options("")
            .lines()
            .map(|line| {
                if line.starts_with(&format!("{name}:")) {
                    format!("{change}\n")
                } else {
                    format!("{line}\n")
                }
            })
            .collect();
        both(change, &text, &[400]);
    }
    both(
        "null in the Request-URI",
        &options("").replace("sip:800@pronto.example SIP", "sip:8\x000@pronto.example SIP"),
        &[400],
    );
    both("null in a field of nobody's", &options("X: a\0b\n"), &[200]);
    assert_eq!(over_udp(b"\0\0\0\0"), [] as [u16; 0]);
    // Lines ended by LF alone are no lines: one long start line without an end.
    assert_eq!(over_udp(options("").as_bytes()), [] as [u16; 0]);
    let text = String::from_utf8(crlf(&options("X: a\n"))).unwrap();
    for stray in ["X: a\rb", "X: a\nb: c", "X: a\n", "X: \r"] {
        let sent = answers(text.replace("X: a", stray).as_bytes());
        assert_eq!(sent.len(), 1, "{stray:?}");
        assert_eq!(status(&sent[0]), 400, "{stray:?}");
        assert!(!sent[0].contains("b: c"), "{stray:?}");
    }
}

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
        let mut raw = Raw::new();
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
    both("l that is none", &with("l: x\n\n"), &[400]);
    both(
        "v that is none",
        &with("l: 0\n\n").replace("v: SIP/2.0/UDP", "v: SIP/2.0/"),
        &[400],
    );
    both(
        "f that is none",
        &with("l: 0\n\n").replace("f: <sip:a@h>", "f: <sip:a@h"),
        &[400],
    );
    both(
        "t that is none",
        &with("l: 0\n\n").replace("t: <sip:", "t: <sip"),
        &[400],
    );
    both(
        "i that is none",
        &with("l: 0\n\n").replace("i: compact", "i: a b"),
        &[400],
    );
    both(
        "m that is none",
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

#[test]
fn a_body_of_several_parts_is_none_we_read_and_none_of_its_parts_is_a_message() {
    let parts = format!(
        "--b\nContent-Type: application/sdp\n\n{}--b\nContent-Type: text/plain\n\nhi\n--b--\n",
        sdp()
    );
    for kind in [
        "multipart/mixed;boundary=b",
        "Multipart/Mixed ; boundary=\"b\"",
        "multipart/alternative",
    ] {
        let text = with_body(&calling(""), kind, &parts);
        both(kind, &text, &[415]);
        assert!(answers(&crlf(&text))[0].contains("Accept: application/sdp"));
    }
    let inside = with_body(&calling(""), "application/sdp", &options(""));
    both("a request inside a body", &inside, &[100]);
    let optional = with_body(
        &calling("Content-Disposition: session;handling=optional\n"),
        "multipart/mixed;boundary=b",
        &parts,
    );
    let mut raw = Raw::new();
    assert_eq!(raw.status(TRUNK, &optional), 100);
    assert!(matches!(raw.events.last(), Some(Event::Invite(invite)) if invite.offer.is_none()));
    for kind in [
        "application/SDP",
        "application/sdp;charset=utf-8",
        "application/sdp ; x=\"y\"",
    ] {
        let mut raw = Raw::new();
        assert_eq!(
            raw.status(TRUNK, &with_body(&calling(""), kind, &sdp())),
            100,
            "{kind}"
        );
        assert!(
            matches!(raw.events.last(), Some(Event::Invite(invite)) if invite.offer.is_some()),
            "{kind}"
        );
    }
    both(
        "a body of no kind",
        &calling("").replace("Content-Length: 0\n\n", "Content-Length: 3\n\nabc"),
        &[415],
    );
}

#[test]
fn what_is_wrong_in_several_ways_is_told_the_first_in_the_rfcs_order() {
    // Each is one fault less than the one before it.
    let mut text = with_body(
        &frame(
            "DANCE mailto:x@y SIP/2.0",
            "1 DANCE",
            "Require: dance\nAccept: text/html\nMax-Forwards: 5\n",
        ),
        "text/plain",
        "x\n",
    );
    let mut expect = |change: &dyn Fn(&str) -> String, status: u16| {
        text = change(&text);
        for from in [TRUNK, STRANGER] {
            assert_eq!(Raw::new().status(from, &text), status, "{text}");
        }
    };
    expect(&|t| t.to_owned(), 400);
    expect(&|t| t.replace("Max-Forwards: 5\n", ""), 501);
    expect(&|t| t.replace("DANCE", "PUBLISH"), 405);
    expect(&|t| t.replace("PUBLISH", "INVITE"), 416);
    expect(&|t| t.replace("mailto:x@y", "sip:nobody@elsewhere.example"), 420);
    expect(&|t| t.replace("Require: dance\n", ""), 415);
    expect(&|t| t.replace("text/plain", "application/sdp"), 406);
    let welcome = text.replace("Accept: text/html\n", "");
    assert_eq!(Raw::new().status(STRANGER, &welcome), 401, "who are you");
    assert_eq!(
        Raw::new().status(TRUNK, &welcome),
        100,
        "whether anybody lives there is the gateway's to say"
    );
}

#[test]
fn an_invitation_lives_no_longer_than_it_says() {
    let mut raw = Raw::new();
    let text = invite("e").replace("Contact", "Expires: 30\nContact");
    assert_eq!(raw.status(TRUNK, &text), 100);
    let (leg, now) = (raw.leg(), raw.now);
    raw.endpoint.ring(now, leg);
    raw.drain();
    assert!(raw.pass(Duration::from_millis(29_900)).is_empty());
    let sent = raw.pass(Duration::from_millis(200));
    assert_eq!(sent.iter().map(|(_, t)| status(t)).collect::<Vec<_>>(), [487]);
    assert!(matches!(raw.events.last(), Some(Event::Cancelled { .. })));
    // Who hears us already, unanswered in a queue, is not thrown out of it by the clock.
    let mut raw = Raw::new();
    raw.send(TRUNK, &text);
    let (leg, now) = (raw.leg(), raw.now);
    raw.endpoint.progress(now, leg, super::world::answer());
    raw.drain();
    let sent = raw.pass(Duration::from_secs(119));
    assert!(sent.iter().all(|(_, t)| status(t) == 183), "the 183 again");
    assert!(
        !raw.events
            .iter()
            .any(|event| matches!(event, Event::Cancelled { .. }))
    );
    // One that is answered in time is a call like any other.
    let mut raw = Raw::new();
    raw.send(TRUNK, &text);
    let (leg, now) = (raw.leg(), raw.now);
    raw.endpoint.answer(now, leg, super::world::answer());
    let to = header(&raw.drain().remove(0).1, "To").unwrap().to_owned();
    raw.send(TRUNK, &inside("ACK", "a", 1, "e", &to, ""));
    assert!(raw.pass(Duration::from_secs(90)).is_empty());
    for expires in ["x", "-1", ""] {
        let mut raw = Raw::new();
        raw.send(
            TRUNK,
            &invite("e").replace("Contact", &format!("Expires: {expires}\nContact")),
        );
        raw.pass(Duration::from_secs(200));
        assert!(
            matches!(raw.events.last(), Some(Event::Invite(_))),
            "{expires:?} is no time"
        );
    }
}

#[test]
fn what_comes_in_pieces_is_what_came_whole() {
    let text = crlf(&with_body(
        &calling("X: \"a\n b\"\n").replace("Call-ID:", "i\t:"),
        "application/sdp",
        &sdp(),
    ));
    let next = crlf(&options("").replace("Call-ID: torture", "Call-ID: next"));
    let whole = [b"\r\n\r\n".as_slice(), &text, b"\r\n", &next].concat();
    for cut in 1..whole.len() {
        let (mut framer, mut statuses) = (Framer::new(), Vec::new());
        let mut raw = Raw::new();
        raw.transport = Transport::Tcp;
        for piece in [&whole[..cut], &whole[cut..]] {
            framer.push(piece).unwrap();
            while let Some(message) = framer.next().unwrap() {
                let sent = raw.send_bytes(TRUNK, message.to_vec());
                statuses.extend(sent.iter().map(|(_, text)| status(text)));
            }
        }
        assert_eq!(statuses, [100, 200], "cut at {cut}");
    }
}
