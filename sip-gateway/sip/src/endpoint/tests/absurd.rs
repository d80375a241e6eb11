//! Messages of our own that no RFC's torture test has: what is too much, too little, or meant to be taken for something else.

use std::time::Duration;

use super::raw::*;
use super::torture::{both, calling, crlf, frame, options, over_tcp, over_udp};
use super::world::OFFER;
use crate::api::*;
use crate::framing::Framer;
use crate::settings::Transport;

/// The gateway's answers to a datagram.
pub(super) fn answers(bytes: &[u8]) -> Vec<String> {
    let sent = Raw::new().send_bytes(TRUNK, bytes.to_vec());
    sent.into_iter().map(|(_, text)| text).collect()
}

pub(super) fn sdp() -> String {
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
        ("2147483648 OPTIONS", 400),
        ("4294967295 OPTIONS", 400),
        ("4294967296 OPTIONS", 400),
        ("0002147483647\tOPTIONS", 200),
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
fn a_body_of_several_parts_is_read_for_its_sdp_and_none_of_its_parts_is_a_message() {
    let parts = format!(
        "--b\nContent-Type: application/sdp\n\n{}--b\nContent-Type: text/plain\n\nhi\n--b--\n",
        sdp()
    );
    for disposition in ["", "Content-Disposition: session;handling=optional\n"] {
        for kind in [
            "multipart/mixed;boundary=b",
            "Multipart/Mixed ; boundary=\"b\"",
            "multipart/alternative;boundary=b",
        ] {
            let text = with_body(&calling(disposition), kind, &parts);
            both(kind, &text, &[100]);
            let mut raw = Raw::new();
            raw.send(TRUNK, &text);
            let offer = raw.events.iter().find_map(|event| match event {
                Event::Invite(invite) => invite.offer.clone(),
                _ => None,
            });
            let offer = String::from_utf8_lossy(&offer.expect("an offer")).replace("\r\n", "\n");
            assert_eq!(offer.trim_end(), sdp().trim_end(), "{kind}");
        }
    }
    both(
        "a multipart body without a boundary",
        &with_body(&calling(""), "multipart/alternative", &parts),
        &[400],
    );
    let required = parts.replace(
        "text/plain\n",
        "text/plain\nContent-Disposition: render;handling=required\n",
    );
    let text = with_body(&calling(""), "multipart/mixed;boundary=b", &required);
    both("a part that must be understood", &text, &[415]);
    let answer = &answers(&crlf(&text))[0];
    assert!(answer.contains("Accept: application/sdp"), "{answer}");
    assert!(answer.contains("Warning: 399 pronto.example"), "{answer}");
    let inside = with_body(&calling(""), "application/sdp", &options(""));
    both("a request inside a body", &inside, &[100]);
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
    expect(&|t| t.replace("mailto:x@y", "sip:nobody@pronto.example"), 420);
    expect(&|t| t.replace("Require: dance\n", ""), 415);
    expect(&|t| t.replace("text/plain", "application/sdp"), 406);
    let welcome = text.replace("Accept: text/html\n", "");
    assert_eq!(Raw::new().status(STRANGER, &welcome), 401, "who are you");
    assert_eq!(
        Raw::new().status(TRUNK, &welcome),
        100,
        "whether anybody lives there is the gateway's to say"
    );
    let elsewhere = welcome.replace("sip:nobody@pronto.example", "sip:nobody@elsewhere.example");
    assert_eq!(Raw::new().status(TRUNK, &elsewhere), 404, "not in our house");
    assert_eq!(
        Raw::new().status(STRANGER, &elsewhere),
        401,
        "that is nobody else's to know"
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
    raw.send(TRUNK, &inside("ACK", "a", 1, "e", &to));
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
