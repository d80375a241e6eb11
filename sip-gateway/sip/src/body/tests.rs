use proptest::prelude::*;

use super::*;

const SDP: &str = "v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 8";

fn invite(head: &str, body: &str) -> Message {
    let text = format!(
        "INVITE sip:800@pronto.example SIP/2.0\r\n{head}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    Message::parse(Bytes::from(text)).unwrap()
}

/// A multipart body of these parts, each a head and a content, and the head of its message.
fn parts(subtype: &str, parts: &[(&str, &str)]) -> (String, String) {
    let head = format!("Content-Type: multipart/{subtype};boundary=outer\r\n");
    let mut body = String::from("for nobody\r\n");
    for (head, content) in parts {
        body += &format!("--outer\r\n{head}\r\n{content}\r\n");
    }
    (head, body + "--outer--\r\nfor nobody either\r\n")
}

fn read(subtype: &str, of: &[(&str, &str)]) -> Result<Option<String>, u16> {
    let (head, body) = parts(subtype, of);
    said(&head, &body)
}

fn said(head: &str, body: &str) -> Result<Option<String>, u16> {
    let session = session(&invite(head, body)).map_err(|refusal| {
        assert!(
            refusal.warning.is_some() && !refusal.phrase.is_empty(),
            "{refusal}"
        );
        refusal.status.code()
    })?;
    Ok(session.map(|body| String::from_utf8(body.to_vec()).unwrap()))
}

const OF_SDP: &str = "Content-Type: application/sdp\r\n";
const OF_PIDF: &str = "Content-Type: application/pidf+xml\r\nContent-ID: <target@example.com>\r\n";
const OF_ISUP: &str =
    "Content-Type: application/isup;version=itu-t92+\r\nContent-Disposition: signal;handling=optional\r\n";

#[test]
fn a_multipart_body_is_read_for_its_sdp_in_any_order() {
    let sdp = || Ok(Some(SDP.to_owned()));
    assert_eq!(read("mixed", &[(OF_SDP, SDP), (OF_PIDF, "<presence/>")]), sdp());
    assert_eq!(read("mixed", &[(OF_PIDF, "<presence/>"), (OF_SDP, SDP)]), sdp());
    assert_eq!(
        read(
            "mixed",
            &[(OF_ISUP, "\u{1}--outer\u{2}"), (OF_SDP, SDP), (OF_PIDF, "")]
        ),
        sdp()
    );
    assert_eq!(
        read("related", &[(OF_PIDF, ""), (OF_SDP, SDP)]),
        sdp(),
        "read as mixed"
    );
    assert_eq!(
        read("mixed", &[(OF_SDP, SDP), (OF_SDP, "another")]),
        sdp(),
        "the first"
    );
    assert_eq!(read("mixed", &[(OF_PIDF, "<presence/>")]), Ok(None), "no offer");
    for (head, content) in [
        ("c: Application/SDP; charset=utf-8\r\n", SDP),
        (
            "CONTENT-DISPOSITION: session;handling=required\r\ncontent-type:application/sdp\r\n",
            SDP,
        ),
        (
            "Content-Type:\r\n application/sdp\r\nContent-Transfer-Encoding: 8BIT\r\n",
            SDP,
        ),
        (
            "Content-Type: application/sdp\r\nX-Unknown\r\nContent-Length: 5\r\n",
            SDP,
        ),
    ] {
        assert_eq!(read("mixed", &[("", "text"), (head, content)]), sdp(), "{head}");
    }
}

#[test]
fn a_boundary_is_understood_in_each_spelling() {
    for (parameter, line) in [
        ("boundary=b", "--b"),
        ("BOUNDARY=\"b b\"", "--b b"),
        ("charset=x; boundary=\"a:b?(c)\"", "--a:b?(c)"),
        ("boundary=\"q\\\"q\"", "--q\"q"),
        ("boundary==_x=", "--=_x="),
    ] {
        for (end, last) in [("\r\n", "--"), ("\n", "--"), ("\r\n", ""), ("\r\n", "-- \t")] {
            let sdp = SDP.replace("\r\n", end);
            let body = format!(
                "{line}{end}{end}text{end}{line}  {end}Content-Type: application/sdp{end}{end}{sdp}{end}{line}{last}{end}"
            );
            let head = format!("c: Multipart/Mixed ; {parameter}\r\n");
            assert_eq!(
                said(&head, &body),
                Ok(Some(sdp)),
                "{parameter}, {end:?}, {last:?}"
            );
        }
    }
    let open = format!("--b\r\n{OF_SDP}\r\n{SDP}");
    assert_eq!(
        said("Content-Type: multipart/mixed;boundary=b\r\n", &open),
        Ok(Some(SDP.to_owned())),
        "the last line is missing"
    );
    for head in [
        "",
        ";boundary",
        ";boundary=\"\"",
        &format!(";boundary={}", "x".repeat(71)),
        ";boundary=other",
    ] {
        let head = format!("Content-Type: multipart/mixed{head}\r\n");
        assert_eq!(said(&head, &open), Err(400), "{head}");
    }
}

#[test]
fn bodies_lie_in_bodies() {
    let nest = |content: &str, subtype: &str, boundary: &str| {
        format!(
            "Content-Type: multipart/{subtype};boundary={boundary}\r\n\r\n--{boundary}\r\n{content}\r\n--{boundary}--\r\n"
        )
    };
    let sdp = format!("{OF_SDP}\r\n{SDP}");
    let mut text = nest(&sdp, "alternative", "outer2");
    for depth in 2..=5 {
        text = nest(&text, "mixed", &format!("outer{depth}x"));
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let read = said(&format!("{head}\r\n"), body);
        let expected = (depth <= MAX_DEPTH).then(|| SDP.to_owned());
        assert_eq!(read, Ok(expected), "{depth}: {text}");
    }
    let many = [("", "text"); MAX_PARTS + 1];
    assert_eq!(read("mixed", &many), Err(413));
    assert_eq!(read("mixed", &many[1..]), Ok(None));
}

#[test]
fn a_part_that_must_be_understood_and_is_not_is_refused() {
    for (head, code) in [
        (
            "Content-Type: application/isup\r\nContent-Disposition: signal;handling=required\r\n",
            415,
        ),
        (
            "Content-Type: application/isup\r\nContent-Disposition: signal;HANDLING=\"Required\"\r\n",
            415,
        ),
        (
            "Content-Type: application/isup\r\nContent-Disposition: signal\r\n",
            415,
        ),
        (
            "Content-Type: application/sdp\r\nContent-Disposition: early-session\r\n",
            415,
        ),
        (
            "Content-Type: application/sdp\r\nContent-Encoding: gzip\r\nContent-Disposition: session\r\n",
            415,
        ),
        (
            "Content-Type: application/sdp\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: session\r\n",
            415,
        ),
    ] {
        assert_eq!(read("mixed", &[(OF_SDP, SDP), (head, "x")]), Err(code), "{head}");
        assert_eq!(read("mixed", &[(head, "x"), (OF_SDP, SDP)]), Err(code), "{head}");
    }
    for head in [
        OF_ISUP,
        OF_PIDF,
        "Content-Type: text/plain\r\nContent-Disposition: render\r\n",
        "Content-Type: image/png\r\nContent-Disposition: icon\r\n",
        "Content-Type: application/pidf+xml\r\nContent-Disposition: by-reference\r\n",
        "Content-Type: application/sdp\r\nContent-Disposition: early-session;handling=optional\r\n",
        "Content-Type: application/sdp\r\nContent-Encoding: gzip\r\nContent-Disposition: session;handling=optional\r\n",
        "Content-Type: multipart/mixed\r\n",
    ] {
        assert_eq!(
            read("mixed", &[(head, "x"), (OF_SDP, SDP)]),
            Ok(Some(SDP.to_owned())),
            "{head}"
        );
    }
}

#[test]
fn of_alternatives_the_last_that_is_understood_counts() {
    let other = "v=0\r\nc=IN IP4 192.0.2.2\r\nm=audio 4000 RTP/AVP 8";
    let required = "Content-Type: application/better\r\nContent-Disposition: session;handling=required\r\n";
    assert_eq!(
        read("alternative", &[(OF_SDP, SDP), (OF_SDP, other), (required, "x")]),
        Ok(Some(other.to_owned()))
    );
    assert_eq!(read("alternative", &[(required, "x"), (required, "y")]), Err(415));
    assert_eq!(
        read(
            "signed",
            &[
                (OF_SDP, SDP),
                (
                    "Content-Type: application/pkcs7-signature\r\nContent-Disposition: attachment;handling=required\r\n",
                    "x"
                )
            ]
        ),
        Ok(Some(SDP.to_owned()))
    );
}

#[test]
fn a_whole_body_that_is_not_understood_is_refused_unless_it_is_optional() {
    assert_eq!(
        said("Content-Type: application/sdp\r\n", SDP),
        Ok(Some(SDP.to_owned()))
    );
    assert_eq!(said("Content-Type: text/plain\r\n", "x"), Err(415));
    assert_eq!(said("", "x"), Err(415));
    assert_eq!(
        said("Content-Type: text/plain\r\nContent-Disposition: render\r\n", "x"),
        Err(415)
    );
    let optional = "Content-Disposition: render ; handling=optional\r\n";
    assert_eq!(
        said(&format!("Content-Type: text/plain\r\n{optional}"), "x"),
        Ok(None)
    );
    assert_eq!(
        said(&format!("Content-Type: multipart/mixed\r\n{optional}"), "x"),
        Ok(None)
    );
    assert_eq!(
        said("Content-Type: application/sdp\r\nContent-Encoding: gzip\r\n", "x"),
        Err(415)
    );
}

proptest! {
    #[test]
    fn no_octets_make_it_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        cuts in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..3), 0..6),
    ) {
        let (head, body) = parts("mixed", &[(OF_PIDF, "<presence/>"), (OF_SDP, SDP)]);
        let mut mutated = [body.into_bytes(), bytes].concat();
        for (index, byte, how) in cuts {
            let at = index.index(mutated.len());
            match how { 0 => mutated[at] = byte, 1 => { mutated.remove(at); } _ => mutated.insert(at, byte) }
        }
        let _ = session(&invite(&head, &String::from_utf8_lossy(&mutated)));
    }
}
