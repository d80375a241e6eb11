use bytes::Bytes;
use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Message {
    Message::parse(Bytes::from(text.replace('\n', "\r\n"))).unwrap()
}

/// In the manner of RFC 4475 §3.1.1.1, in our own words: every freedom the grammar gives.
const TORTUOUS: &str = "\n\nINVITE sip:anna@chair.example.com;unknown SIP/2.0\nTO :\n sip:anna@chair.example.com ;   tag    = 19181n\nfrom   : \"B \\\\\\\"\"       <sip:b@example.com>\n  ;\n  tag = 98as\nMaX-fOrWaRdS: 0068\ni: w@192.0.2.1\nContent-Length   : 4\ncseq: 0009\n  INVITE\nVia  : SIP  /   2.0\n /UDP\n    192.0.2.2;branch=390skd\ns :\nUnknownHeader: ;;,,;;,;\nc: application/sdp\nRoute:\n <sip:services.example.com;lr;unknownwith=value;unknown-no-value>\nv:  SIP  / 2.0  / TCP     spindle.example.com   ;\n  branch  =   z9hG4bK9ikj8  ,\n SIP  /    2.0   / UDP  [2001:db8::1]:77   ; branch=\n z9hG4bK30239\nm:\"Quoted \\\"\\\"\" <sip:b@example.com> ; newparam =\n      newvalue ;\n  secondparam ; q = 0.33\n\nbodyrest";

#[test]
fn a_message_with_every_freedom_of_the_grammar_is_read() {
    let message = parse(TORTUOUS);
    assert_eq!(message.fault(), None);
    assert_eq!(message.method(), Some(Method::INVITE));
    assert_eq!(message.body().as_ref(), b"body");
    let e = message.essentials().unwrap();
    assert_eq!(
        (e.cseq, e.method, e.call_id),
        (9, Method::INVITE, &b"w@192.0.2.1"[..])
    );
    assert_eq!(
        (e.to.tag(), e.from.tag()),
        (Some(&b"19181n"[..]), Some(&b"98as"[..]))
    );
    assert_eq!(e.from.display_text().as_deref(), Some("B \\\""));
    assert_eq!(
        (e.via.branch(), e.via.params.value("branch")),
        (None, Some(&b"390skd"[..])),
        "an RFC 2543 branch"
    );
    let vias: Vec<Via<'_>> = message
        .list(HeaderName::Via)
        .map(|v| Via::parse(v.unwrap()).unwrap())
        .collect();
    assert_eq!(vias.len(), 3);
    assert_eq!(
        (vias[1].transport, vias[1].host),
        (&b"TCP"[..], Host::Name("spindle.example.com"))
    );
    assert_eq!(
        (vias[2].host, vias[2].port),
        (Host::Ip("2001:db8::1".parse().unwrap()), Some(77))
    );
    assert_eq!(vias[2].branch(), Some(&b"z9hG4bK30239"[..]));
    let contact = NameAddr::parse(message.first(HeaderName::Contact).unwrap()).unwrap();
    assert_eq!(contact.display_text().as_deref(), Some("Quoted \"\""));
    assert_eq!(contact.params.value("newparam"), Some(&b"newvalue"[..]));
    assert_eq!(contact.params.find("secondparam"), Some(None));
    assert_eq!(contact.params.value("q"), Some(&b"0.33"[..]));
}

#[test]
fn uris_are_taken_apart_and_kept_as_they_came() {
    let uri = |text: &'static str| Uri::parse(text.as_bytes()).unwrap_or_else(|| panic!("{text}"));
    let u = uri("sip:alice:secret@atlanta.example:5070;transport=tcp;x=a:b?subject=hi");
    assert_eq!(
        (u.user, u.host, u.port),
        (Some(&b"alice"[..]), Host::Name("atlanta.example"), Some(5070))
    );
    assert_eq!(
        (u.param("TRANSPORT"), u.param("x"), u.param("y")),
        (Some(&b"tcp"[..]), Some(&b"a:b"[..]), None)
    );
    assert_eq!(u.headers, Some(&b"subject=hi"[..]));
    assert_eq!(
        uri("sips:%61@[2001:DB8::1]:5061").user_text().as_deref(),
        Some("a")
    );
    assert_eq!(
        uri("sip:[2001:db8::10:5070]").port,
        None,
        "RFC 5118 §4.3: part of the address"
    );
    assert_eq!(
        uri("sip:user;par=u%40example.net@example.com")
            .user_text()
            .as_deref(),
        Some("user;par=u@example.net")
    );
    let odd = "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com";
    assert_eq!(
        uri(odd).user.unwrap(),
        b"1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"
    );
    assert_eq!(
        (
            uri("tel:+39-06-123;phone-context=x").scheme,
            uri("tel:+39-06-123").user_text().as_deref()
        ),
        (Scheme::Tel, Some("+39-06-123"))
    );
    assert_eq!(uri("soap.beep://192.0.2.103:3002").scheme, Scheme::Other);
    assert_eq!(
        uri("sip:null-%00-null@example.com").user_text().as_deref(),
        Some("null-\0-null")
    );
    for bad in [
        "sip:",
        "sip:@x",
        "sip:2001:db8::10",
        "sip:[2001:db8",
        "sip:a@b@c",
        "sip:a b@c",
        "sip:x:99999",
        "sip:x:",
        "1:x",
        ":x",
        "sip:a%4@x",
        "sip:a@x;%zz",
        "tel:",
        "tel:abz",
        "sip:a\u{0}@x",
        "sip:<a>@x",
        "sip:x..y z",
    ] {
        assert!(Uri::parse(bad.as_bytes()).is_none(), "{bad}");
    }
}

#[test]
fn names_and_addresses_keep_header_and_uri_parameters_apart() {
    let address = |text: &'static str| NameAddr::parse(text.as_bytes()).unwrap_or_else(|| panic!("{text}"));
    let bare = address("sip:a@b;tag=1");
    assert_eq!((bare.tag(), bare.uri.raw), (Some(&b"1"[..]), &b"sip:a@b"[..]));
    let bracketed = address("caller<sip:a@b;lr>;tag=2");
    assert_eq!(
        (bracketed.tag(), bracketed.uri.param("lr"), bracketed.display),
        (Some(&b"2"[..]), Some(&b""[..]), &b"caller"[..])
    );
    assert_eq!(
        address("\"a <b> ; , c\" <sip:a@b>").display_text().as_deref(),
        Some("a <b> ; , c")
    );
    assert_eq!(
        address("\"работающий\" <sip:a@b>").display_text().as_deref(),
        Some("работающий")
    );
    assert_eq!(
        NameAddr::parse(b"\"Jos\xe9\" <sip:a@b>")
            .unwrap()
            .display_text()
            .as_deref(),
        Some("José"),
        "Latin-1"
    );
    assert_eq!(
        address("<sip:a@b>;+sip.instance=\"<urn:uuid:1>\"")
            .params
            .value("+sip.instance"),
        Some(&b"\"<urn:uuid:1>\""[..])
    );
    for bad in [
        "\"open <sip:a@b>",
        "<sip:a@b",
        "Bell, Alexander <sip:a@b>",
        "<sip:a@b>;;",
        "<sip:a@b>;",
        "<sip:a@b> x",
        "sip:a@b?x=y",
        "sip:a@b, sip:c@d",
        "",
        "<>",
    ] {
        assert!(NameAddr::parse(bad.as_bytes()).is_none(), "{bad}");
    }
}

#[test]
fn vias_are_read_in_every_spelling_and_stamped_with_their_source() {
    let source = "203.0.113.5:4321".parse().unwrap();
    let stamped = |text: &str| {
        let mut out = Vec::new();
        Via::parse(text.as_bytes())
            .unwrap()
            .write_stamped(source, &mut out);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(
        stamped("SIP/2.0/UDP 203.0.113.5;branch=z9hG4bK1"),
        "SIP/2.0/UDP 203.0.113.5;branch=z9hG4bK1",
        "nothing to add"
    );
    assert_eq!(
        stamped("SIP/2.0/UDP h;rport;branch=z9hG4bK1"),
        "SIP/2.0/UDP h;branch=z9hG4bK1;received=203.0.113.5;rport=4321"
    );
    assert_eq!(
        stamped("SIP/2.0/UDP h;received=1.2.3.4"),
        "SIP/2.0/UDP h;received=203.0.113.5",
        "nobody says for us where he is"
    );
    let odd = Via::parse(b"SIP/2.0/UDP [2001:db8::9:1];received=2001:db8::9:255;branch=z9hG4bKas3").unwrap();
    assert_eq!(
        odd.params.value("received"),
        Some(&b"2001:db8::9:255"[..]),
        "RFC 5118 §4.5"
    );
    assert!(Via::parse(b"SIP/2.0/UNKNOWN t4.example.com;branch=z9hG4bKasd0f3en").is_some());
    assert_eq!(
        Via::parse(b"SIP/2.0/UDP h;branch=z9hG4bK").unwrap().branch(),
        None,
        "RFC 4475 §3.2.1: the cookie alone"
    );
    for bad in [
        "SIP/2.0/UDP",
        "SIP/2.0/UDP h;;,;,,",
        "HTTP/1.1/TCP h",
        "SIP/1.0/UDP h",
        "SIP/2.0 UDP h",
        "SIP/2.0/UDP h:x",
    ] {
        assert!(Via::parse(bad.as_bytes()).is_none(), "{bad}");
    }
}

#[test]
fn start_lines_are_taken_exactly() {
    let message = |line: &str| Message::parse(Bytes::from(format!("{line}\r\nVia: SIP/2.0/UDP h\r\n\r\n")));
    assert_eq!(message("SIP/2.0 200 OK").unwrap().status(), Some(Status::OK));
    assert_eq!(
        message("sip/2.0 100 ").unwrap().status(),
        Some(Status::TRYING),
        "an empty phrase"
    );
    for bad in [
        "SIP/2.0 4294967301 big",
        "SIP/2.0 99 low",
        "SIP/2.0 700 high",
        "SIP/2.0 2x0 x",
    ] {
        assert_eq!(message(bad).unwrap_err(), Unusable::BadResponse, "{bad}");
    }
    for bad in ["GET / HTTP/1.1", "hello", "INVITE sip:a@b", "IN VITE"] {
        assert_eq!(message(bad).unwrap_err(), Unusable::NotSip, "{bad}");
    }
    assert_eq!(
        message("INVITE sip:a@b SIP/3.0").unwrap().fault().unwrap().status,
        Status::VERSION_NOT_SUPPORTED
    );
    for bad in [
        "INVITE sip:a@b; lr SIP/2.0",
        "INVITE sip:a@b SIP/2.0  ",
        "INVITE sip:a@b  SIP/2.0",
        "INVITE  SIP/2.0",
    ] {
        assert_eq!(
            message(bad).unwrap().fault().unwrap().status,
            Status::BAD_REQUEST,
            "{bad}"
        );
    }
    assert_eq!(
        Message::parse(Bytes::from_static(b"\r\n\r\n")).unwrap_err(),
        Unusable::KeepAlive
    );
    assert_eq!(
        Message::parse(Bytes::from(vec![b'a'; MAX_MESSAGE + 1])).unwrap_err(),
        Unusable::TooLong
    );
}

#[test]
fn lengths_cut_the_body_or_are_faults() {
    let body = |length: &str| {
        Message::parse(Bytes::from(format!(
            "OPTIONS sip:a SIP/2.0\r\n{length}\r\nabcdef"
        )))
        .unwrap()
    };
    assert_eq!(body("").body().len(), 6);
    assert_eq!(body("l:2\r\n").body().len(), 2);
    for bad in [
        "Content-Length: 7\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Content-Length: \r\n",
        "l: 1\r\nContent-Length: 1\r\n",
    ] {
        assert_eq!(body(bad).fault().unwrap().status, Status::BAD_REQUEST, "{bad}");
    }
    let huge = format!("l: {}\r\n", MAX_MESSAGE + 1);
    assert_eq!(
        body(&huge).fault().unwrap().status,
        Status::ENTITY_TOO_LARGE,
        "it is told what is the matter: the body is too large"
    );
}

#[test]
fn a_header_with_a_space_before_its_colon_is_that_header_and_one_with_an_escape_is_not() {
    let message =
        parse("OPTIONS sip:a SIP/2.0\nReason : SIP;cause=200\nC%6Fntact: <sip:x@y>\nX-Reason\t:no\n\n");
    assert!(message.first(HeaderName::Reason).is_some());
    assert!(message.first(HeaderName::Contact).is_none());
    let broken = parse("OPTIONS sip:a SIP/2.0\nno colon here\n\n");
    assert_eq!(broken.fault().unwrap().status, Status::BAD_REQUEST);
}

#[test]
fn digests_are_read_however_they_are_spelt() {
    let given = Credentials::parse(b"digest  username=\"101\" , realm = \"a \\\"b\\\"\",nonce=\"n,n\", uri=\"sip:x;transport=udp\", response=\"r\", qop=auth, nc=00000001, cnonce=\"c==\", algorithm=md5").unwrap();
    assert_eq!(
        (given.realm.as_str(), given.nonce.as_str(), given.qop.as_deref()),
        ("a \"b\"", "n,n", Some("auth"))
    );
    assert_eq!(given.uri, "sip:x;transport=udp");
    for bad in [
        "NoOneKnows a=b",
        "Digest",
        "Digest username=\"open",
        "Digest username",
        "Digest username=\"a\"",
        "Basic YTpi",
    ] {
        assert!(Credentials::parse(bad.as_bytes()).is_none(), "{bad}");
    }
    let asked =
        Challenge::parse(b"Digest realm=\"r\", nonce=\"n\", qop=\"auth-int,auth\", stale=TRUE, opaque=\"\"")
            .unwrap();
    assert!(asked.qop_auth && asked.stale && asked.opaque.as_deref() == Some(""));
}

#[test]
fn what_we_write_we_and_an_independent_parser_read() {
    let head = b"Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK1;rport\r\nFrom: \"A\" <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n";
    let draft = Draft::request(Method::INVITE, b"sip:c@d")
        .raw(head)
        .header(HeaderName::Contact, format_args!("<sip:a@h:{}>", 5060));
    let bytes = draft
        .named("User-Agent", "evil\r\nInjected: yes")
        .finish(Some("application/sdp"), b"v=0\r\n");
    let ours = Message::parse(bytes.clone()).unwrap();
    assert!(ours.fault().is_none() && ours.essentials().is_ok());
    assert_eq!(ours.body().as_ref(), b"v=0\r\n");
    assert!(!String::from_utf8_lossy(&bytes).contains("\nInjected"));
    let theirs = rsip::Request::try_from(bytes.as_ref()).unwrap();
    assert_eq!(theirs.method, rsip::Method::Invite);
    assert_eq!(theirs.uri.to_string(), "sip:c@d");
    assert_eq!(theirs.body, b"v=0\r\n");
    use rsip::headers::UntypedHeader as _;
    use rsip::prelude::HeadersExt as _;
    assert_eq!(theirs.call_id_header().unwrap().value(), "x");
    assert_eq!(theirs.cseq_header().unwrap().seq().unwrap(), 1);
    let answer = Draft::response(Status::RINGING, "").raw(head).finish(None, b"");
    assert_eq!(
        rsip::Response::try_from(answer.as_ref()).unwrap().status_code,
        rsip::StatusCode::Ringing
    );
}

proptest! {
    #[test]
    fn no_bytes_make_the_lexer_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(message) = Message::parse(Bytes::from(bytes.clone())) {
            let _ = message.essentials();
        }
        let _ = (Uri::parse(&bytes), NameAddr::parse(&bytes), Via::parse(&bytes), Credentials::parse(&bytes), Challenge::parse(&bytes));
    }

    #[test]
    fn no_mutation_makes_the_lexer_panic(cuts in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..4), 1..12)) {
        let mut bytes = TORTUOUS.replace('\n', "\r\n").into_bytes();
        for (index, byte, how) in cuts {
            let at = index.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => { bytes.remove(at); }
                2 => bytes.insert(at, byte),
                _ => bytes.truncate(at.max(1)),
            }
            if bytes.is_empty() { break; }
        }
        if let Ok(message) = Message::parse(Bytes::from(bytes)) {
            let _ = message.essentials();
            for name in [HeaderName::Via, HeaderName::Contact, HeaderName::Route] {
                for value in message.list(name).flatten() {
                    let _ = (NameAddr::parse(value), Via::parse(value));
                }
            }
        }
    }

    #[test]
    fn grammatical_text_is_never_refused(text in "[a-z]{1,8}( [a-z]{1,8})?", user in "[a-zA-Z0-9+._~!*'()&=$,;?/-]{1,20}", port in 1_u16.., tag in "[a-zA-Z0-9.!%*_+`'~-]{1,20}") {
        let value = format!("{text} <sip:{user}@host.example:{port};lr>;tag={tag}");
        let address = NameAddr::parse(value.as_bytes()).unwrap();
        prop_assert_eq!(address.tag(), Some(tag.as_bytes()));
        prop_assert_eq!(address.uri.user, Some(user.as_bytes()));
        prop_assert_eq!(address.uri.port, Some(port));
    }
}

/// RFC 3261 §19.1.4's own examples, and a few more.
#[test]
fn uris_are_the_same_or_not_as_the_rfc_says() {
    let same = |one: &str, two: &str| {
        let (one, two) = (
            Uri::parse(one.as_bytes()).unwrap(),
            Uri::parse(two.as_bytes()).unwrap(),
        );
        assert_eq!(one.is_same(&two), two.is_same(&one), "{one:?} {two:?}");
        one.is_same(&two)
    };
    for (one, two) in [
        (
            "sip:%61lice@atlanta.com;transport=TCP",
            "sip:alice@AtLanTa.CoM;Transport=tcp",
        ),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
        ("sip:a@h;x=1;y=2", "sip:a@h;y=2;x=1"),
        ("sip:a@[2001:db8::1]", "sip:a@[2001:DB8:0::1]"),
        ("sip:a:p@h", "sip:a:p@h"),
        ("sip:%3ba@h", "sip:%3Ba@h"),
    ] {
        assert!(same(one, two), "{one} {two}");
    }
    for (one, two) in [
        ("sip:ALICE@h;transport=udp", "sip:alice@h;transport=udp"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
        (
            "sip:carol@chicago.com",
            "sip:carol@chicago.com?Subject=next%20meeting",
        ),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        (
            "sip:carol@chicago.com;security=on",
            "sip:carol@chicago.com;security=off",
        ),
        ("sip:a@h", "sips:a@h"),
        ("sip:a@h", "sip:h"),
        ("sip:a@h", "sip:a:p@h"),
        ("sip:;a@h", "sip:%3Ba@h"),
        ("sip:a@h;maddr=192.0.2.1", "sip:a@h"),
        ("tel:1", "sip:1@h"),
    ] {
        assert!(!same(one, two), "{one} {two}");
    }
}
