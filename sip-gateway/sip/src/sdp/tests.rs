use proptest::prelude::*;

use super::*;

const LOCAL: Local = Local {
    address: IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 1)),
    port: 5000,
    session_id: 7,
    version: 3,
};

fn session(media: &str) -> Vec<u8> {
    format!(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n{}",
        media.replace('\n', "\r\n")
    )
    .into_bytes()
}

fn answered(media: &str) -> (String, Negotiated) {
    let (bytes, negotiated) = answer(&LOCAL, &session(media)).unwrap_or_else(|e| panic!("{media}: {e}"));
    (String::from_utf8(bytes.to_vec()).unwrap(), negotiated)
}

#[test]
fn the_offerers_first_codec_is_taken_with_its_telephone_events() {
    let (text, agreed) =
        answered("m=audio 4000 RTP/AVP 0 8 96\na=rtpmap:96 telephone-event/8000\na=ptime:30\n");
    assert_eq!(agreed.codec, Codec::Pcmu);
    assert_eq!((agreed.payload_type, agreed.telephone_event), (0, Some(96)));
    assert_eq!(
        (agreed.remote, agreed.ptime),
        (Some("192.0.2.1:4000".parse().unwrap()), Duration::from_millis(30))
    );
    assert_eq!(
        text,
        "v=0\r\no=- 7 3 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 5000 RTP/AVP 0 96\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:96 telephone-event/8000\r\na=fmtp:96 0-15\r\na=ptime:30\r\na=sendrecv\r\n"
    );
    let (_, agreed) = answered("m=audio 4000 RTP/AVP 18 8 0\n");
    assert_eq!((agreed.codec, agreed.telephone_event), (Codec::Pcma, None));
    let (_, agreed) = answered("m=audio 4000 RTP/AVP 107\na=rtpmap:107 pcma/8000/1\n");
    assert_eq!(
        (agreed.codec, agreed.payload_type),
        (Codec::Pcma, 107),
        "a dynamic payload type, any case"
    );
    let other = session("m=audio 4000 RTP/AVP 0\na=rtpmap:0 L16/44100\n");
    assert_eq!(
        answer(&LOCAL, &other),
        Err(SdpError::NoCommonCodec),
        "what rtpmap says goes"
    );
}

#[test]
fn only_the_first_usable_audio_stream_is_taken() {
    let (text, agreed) = answered(
        "m=video 3000 RTP/AVP 31\nm=audio 4000 RTP/SAVP 0\nm=audio 4002 RTP/AVP 8\nm=audio 4004 RTP/AVP 8\n",
    );
    assert_eq!(agreed.remote, Some("192.0.2.1:4002".parse().unwrap()));
    let lines: Vec<&str> = text.lines().filter(|l| l.starts_with("m=")).collect();
    assert_eq!(
        lines,
        [
            "m=video 0 RTP/AVP 31",
            "m=audio 0 RTP/SAVP 0",
            "m=audio 5000 RTP/AVP 8",
            "m=audio 0 RTP/AVP 8"
        ]
    );
}

#[test]
fn what_we_cannot_speak_is_not_acceptable_and_what_is_no_sdp_is_malformed() {
    for (media, error) in [
        ("m=audio 4000 RTP/AVP 18\n", SdpError::NoCommonCodec),
        ("m=audio 4000 RTP/SAVP 0 8\n", SdpError::NoCommonProtocol),
        (
            "m=audio 4000 UDP/TLS/RTP/SAVPF 0 8\nm=audio 0 RTP/AVP 0\n",
            SdpError::NoCommonProtocol,
        ),
        ("m=video 4000 RTP/AVP 0\n", SdpError::NoAudio),
        ("m=audio 0 RTP/AVP 0\n", SdpError::NoAudio),
        ("", SdpError::NoAudio),
    ] {
        assert_eq!(answer(&LOCAL, &session(media)), Err(error), "{media}");
    }
    for bytes in [
        &b""[..],
        b"hello",
        b"v=1\r\n",
        b"v=0\r\no=x\r\n",
        b"v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\nt=0 0\r\nm=audio x RTP/AVP 0\r\n",
        &[b'v'; MAX_SDP + 1],
    ] {
        assert!(
            matches!(answer(&LOCAL, bytes), Err(SdpError::Malformed { .. })),
            "{}",
            String::from_utf8_lossy(&bytes[..bytes.len().min(80)])
        );
    }
    let nowhere = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
    assert!(matches!(answer(&LOCAL, nowhere), Err(SdpError::Malformed { .. })));
}

#[test]
fn hold_is_understood_in_both_spellings() {
    let direction = |attribute: &str| {
        answered(&format!("m=audio 4000 RTP/AVP 0\na={attribute}\n"))
            .1
            .direction
    };
    assert_eq!(direction("sendonly"), Direction::RecvOnly);
    assert_eq!(direction("recvonly"), Direction::SendOnly);
    assert_eq!(direction("inactive"), Direction::Inactive);
    let (text, agreed) = answered("m=audio 4000 RTP/AVP 0\nc=IN IP4 0.0.0.0\n");
    assert_eq!((agreed.remote, agreed.direction), (None, Direction::RecvOnly));
    assert!(text.contains("a=recvonly"));
    assert!(!Direction::RecvOnly.sends() && Direction::RecvOnly.receives());
}

#[test]
fn addresses_of_the_stream_come_before_those_of_the_session() {
    let (_, agreed) = answered(
        "m=audio 22334 RTP/AVP 0\nc=IN IP4 192.0.2.9\nm=video 6024 RTP/AVP 107\nc=IN IP6 2001:db8::1\n",
    );
    assert_eq!(agreed.remote, Some("192.0.2.9:22334".parse().unwrap()));
    let here = Local {
        address: "2001:db8::7".parse().unwrap(),
        ..LOCAL
    };
    let of_the_stream = session("m=audio 4000 RTP/AVP 0\nc=IN IP6 2001:db8::2\n");
    let (_, agreed) = answer(&here, &of_the_stream).unwrap();
    assert_eq!(agreed.remote, Some("[2001:db8::2]:4000".parse().unwrap()));
}

#[test]
fn an_address_that_nobody_can_be_reached_at_is_no_hold() {
    for (media, error, code) in [
        (
            "m=audio 4000 RTP/AVP 0\nc=IN IP4 host.example.com\n",
            SdpError::HostName,
            301,
        ),
        (
            "m=audio 4000 RTP/AVP 0\nc=IN IP6 2001:db8::2\n",
            SdpError::ForeignFamily,
            301,
        ),
        (
            "m=audio 4000 RTP/AVP 0\nc=IN IP4 224.2.1.1/127\n",
            SdpError::Multicast,
            330,
        ),
        (
            "m=audio 4000 RTP/AVP 0\nc=IN IP4 255.255.255.255\n",
            SdpError::Nowhere,
            301,
        ),
        (
            "m=audio 4000 RTP/AVP 0\nc=IN IP4 0.0.0.1\n",
            SdpError::Nowhere,
            301,
        ),
        ("m=audio 9 RTP/AVP 0\n", SdpError::Nowhere, 301),
        ("m=audio 0 RTP/AVP 0\n", SdpError::NoAudio, 304),
    ] {
        let refused = answer(&LOCAL, &session(media)).expect_err(media);
        assert_eq!(refused, error, "{media}");
        assert_eq!(accept(&LOCAL, &session(media)), Err(error), "{media}");
        let refusal = refused.refusal();
        let code_told = refusal.warning.as_ref().map(|warning| warning.code);
        assert_eq!((refusal.status.code(), code_told), (488, Some(code)), "{media}");
    }
    let mapped = answered("m=audio 4000 RTP/AVP 0\nc=IN IP6 ::ffff:192.0.2.9\n").1;
    assert_eq!(mapped.remote, Some("192.0.2.9:4000".parse().unwrap()));
}

#[test]
fn a_stream_of_our_family_is_taken_although_another_is_offered_first() {
    let (text, agreed) = answered(
        "m=audio 4000 RTP/AVP 0\nc=IN IP6 2001:db8::2\nm=audio 4002 RTP/AVP 0\nc=IN IP4 192.0.2.3\n",
    );
    assert_eq!(agreed.remote, Some("192.0.2.3:4002".parse().unwrap()));
    assert!(
        text.contains("m=audio 0 RTP/AVP 0\r\nm=audio 5000 RTP/AVP 0\r\n"),
        "{text}"
    );
}

#[test]
fn a_line_that_nobody_takes_costs_no_call_however_odd_it_is() {
    for (odd, refused) in [
        ("m=application 9 TCP/MRCPv2", "m=application 0 TCP/MRCPv2 0"),
        ("m=application 9 TCP/MRCPv2 1", "m=application 0 TCP/MRCPv2 1"),
        ("m=application 5070 UDP/BFCP *", "m=application 0 UDP/BFCP *"),
        ("m=message 7654 TCP/MSRP *", "m=message 0 TCP/MSRP *"),
        ("m=image 5004 udptl t38", "m=image 0 udptl t38"),
        ("m=video 5004/2 RTP/AVPF 96 97", "m=video 0 RTP/AVPF 96 97"),
        (
            "m=audio 4004 RTP/SAVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x",
            "m=audio 0 RTP/SAVP 0",
        ),
        ("m=audio 4004 RTP/AVP", "m=audio 0 RTP/AVP 0"),
        ("m=text x RTP/AVP 98", "m=text 0 RTP/AVP 98"),
        ("m=video", "m=video 0 RTP/AVP 0"),
        ("m=video 4000", "m=video 0 RTP/AVP 0"),
        ("m=", "m=audio 0 RTP/AVP 0"),
        ("m=video 4000 RTP/AVP 31\nc=IN IP4", "m=video 0 RTP/AVP 31"),
        (
            "m=video 4000 RTP/AVP 31\nc=IN IP6 host.example",
            "m=video 0 RTP/AVP 31",
        ),
    ] {
        let audio = "m=audio 4000 RTP/AVP 8\n";
        for offer in [format!("{odd}\n{audio}"), format!("{audio}{odd}\n")] {
            let (text, agreed) = answered(&offer);
            assert_eq!(agreed.remote, Some("192.0.2.1:4000".parse().unwrap()), "{offer}");
            let lines: Vec<&str> = text.lines().filter(|l| l.starts_with("m=")).collect();
            assert_eq!(lines.len(), 2, "{text}");
            assert!(lines.contains(&refused), "{text}");
            assert!(lines.contains(&"m=audio 5000 RTP/AVP 8"), "{text}");
        }
    }
}

#[test]
fn avpf_without_keys_is_answered_as_avpf() {
    let (text, agreed) = answered("a=group:BUNDLE 0\nm=audio 4000 RTP/AVPF 0\na=rtcp-fb:* nack\na=mid:0\n");
    assert_eq!(agreed.codec, Codec::Pcmu);
    assert!(text.contains("m=audio 5000 RTP/AVPF 0\r\n"), "{text}");
    assert!(!text.contains("a=group"), "{text}");
    let (text, _) = answered("m=audio 4000 UDP/TLS/RTP/SAVPF 0\nm=audio 4002 rtp/avpf 0\n");
    assert!(
        text.contains("m=audio 0 UDP/TLS/RTP/SAVPF 0\r\nm=audio 5000 rtp/avpf 0\r\n"),
        "{text}"
    );
}

#[test]
fn ptime_and_maxptime_of_the_peer_are_kept() {
    for (attributes, millis) in [
        ("", 20),
        ("a=ptime:10\n", 10),
        ("a=ptime:30\n", 30),
        ("a=ptime:40\n", 40),
        ("a=ptime:60\n", 60),
        ("a=ptime:10\na=maxptime:10\n", 10),
        ("a=maxptime:10\n", 10),
        ("a=ptime:20\na=maxptime:15\n", 15),
        ("a=ptime:40\na=maxptime:30\n", 30),
        ("a=ptime:20.0\n", 20),
        ("a=ptime:500\n", 60),
        ("a=ptime:1\n", 5),
        ("a=ptime:0\n", 20),
        ("a=ptime:soon\na=maxptime:150\n", 20),
    ] {
        let (text, agreed) = answered(&format!("m=audio 4000 RTP/AVP 0\n{attributes}"));
        assert_eq!(agreed.ptime, Duration::from_millis(millis), "{attributes}");
        assert!(text.contains(&format!("a=ptime:{millis}\r\n")), "{text}");
        let taken = accept(&LOCAL, &session(&format!("m=audio 4000 RTP/AVP 0\n{attributes}"))).unwrap();
        assert_eq!(taken.ptime, agreed.ptime, "{attributes}");
    }
    let of_all = "v=0\r\nc=IN IP4 192.0.2.1\r\na=ptime:30\r\nm=audio 4000 RTP/AVP 0\r\n";
    let (_, agreed) = answer(&LOCAL, of_all.as_bytes()).unwrap();
    assert_eq!(agreed.ptime, Duration::from_millis(30), "said of the session");
}

#[test]
fn a_session_name_in_latin_1_is_nobodys_business() {
    let mut bytes = session("m=audio 4000 RTP/AVP 0\n");
    let at = bytes.windows(3).position(|w| w == b"s=-").unwrap();
    bytes.splice(at..at + 3, *b"s=Caf\xe9");
    assert!(answer(&LOCAL, &bytes).is_ok());
}

#[test]
fn what_we_offer_we_can_answer_and_accept() {
    let text = String::from_utf8(offer(&LOCAL).to_vec()).unwrap();
    assert!(text.contains("m=audio 5000 RTP/AVP 8 0 101\r\n"), "{text}");
    let peer = Local { port: 6000, ..LOCAL };
    let (reply, theirs) = answer(&peer, &offer(&LOCAL)).unwrap();
    let ours = accept(&LOCAL, &reply).unwrap();
    assert_eq!((ours.codec, theirs.codec), (Codec::Pcma, Codec::Pcma));
    assert_eq!(
        (ours.telephone_event, theirs.telephone_event),
        (Some(101), Some(101))
    );
    assert_eq!(ours.remote, Some("127.0.0.1:6000".parse().unwrap()));
    let (reply, _) = answer(&peer, &offer_directed(&LOCAL, Direction::SendOnly, Codec::Pcmu)).unwrap();
    let ours = accept(&LOCAL, &reply).unwrap();
    assert_eq!((ours.codec, ours.direction), (Codec::Pcmu, Direction::SendOnly));
}

#[test]
fn answers_that_do_not_answer_are_refused() {
    assert_eq!(
        accept(&LOCAL, &session("m=audio 0 RTP/AVP 8\n")),
        Err(SdpError::NoAudio)
    );
    assert_eq!(
        accept(&LOCAL, &session("m=audio 4000 RTP/AVP 18\n")),
        Err(SdpError::NoCommonCodec)
    );
    assert!(matches!(
        accept(&LOCAL, &session("")),
        Err(SdpError::Mismatch { .. })
    ));
    assert!(matches!(
        accept(&LOCAL, &session("m=audio 1 RTP/AVP 8\nm=audio 2 RTP/AVP 8\n")),
        Err(SdpError::Mismatch { .. })
    ));
    assert_eq!(
        accept(&LOCAL, &session("m=audio 1 RTP/AVP 8\nc=IN IP6 ::1\n")),
        Err(SdpError::ForeignFamily)
    );
}

#[test]
fn an_ipv6_socket_is_described_as_one() {
    let local = Local {
        address: "::1".parse().unwrap(),
        ..LOCAL
    };
    let text = String::from_utf8(offer(&local).to_vec()).unwrap();
    assert!(text.contains("c=IN IP6 ::1\r\n"), "{text}");
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = answer(&LOCAL, &bytes);
        let _ = accept(&LOCAL, &bytes);
        let _ = answer(&LOCAL, &session(&String::from_utf8_lossy(&bytes)));
    }

    #[test]
    fn no_mutation_breaks_an_answer(cuts in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..3), 1..6)) {
        let mut bytes = session("m=audio 4000 RTP/AVP 0 8 96\na=rtpmap:96 telephone-event/8000\na=sendonly\nm=video 5 RTP/AVP 31\n");
        for (index, byte, how) in cuts {
            let at = index.index(bytes.len());
            match how { 0 => bytes[at] = byte, 1 => { bytes.remove(at); } _ => bytes.insert(at, byte) }
        }
        let theirs = |text: &[u8]| sdp_types::Session::parse(String::from_utf8_lossy(text).as_bytes());
        if let Ok((reply, agreed)) = answer(&LOCAL, &bytes) {
            let reply = theirs(&reply).expect("another reader understands what we write");
            let asked = String::from_utf8_lossy(&bytes).split('\n').filter(|line| line.starts_with("m=")).count();
            prop_assert_eq!(reply.medias.len(), asked, "as many streams as offered");
            prop_assert!(agreed.ptime >= Duration::from_millis(5));
        }
        // What another reader takes for a description, we do, and read the same in it. Only to us tabs and several blanks part
        // fields, and a blank at either end of a line none.
        let strange = bytes.iter().any(|b| matches!(b, b'\t' | b'\x0c'))
            || bytes.windows(2).any(|two| [*b"  ", *b"= ", *b" \r", *b" \n"].contains(&[two[0], two[1]]));
        if let Ok(session) = theirs(&bytes) && !strange {
            let text = String::from_utf8_lossy(&bytes);
            match Session::read(&text) {
                Ok(ours) => {
                    prop_assert_eq!(ours.streams.len(), session.medias.len());
                    for (ours, theirs) in ours.streams.iter().zip(&session.medias) {
                        prop_assert_eq!((ours.media, ours.port, ours.proto), (theirs.media.as_str(), theirs.port, theirs.proto.as_str()));
                        let address = theirs.connections.first().or(session.connection.as_ref());
                        let address = address.and_then(|c| c.connection_address.split('/').next());
                        prop_assert_eq!(ours.connection, address);
                        let held = theirs.get_first_attribute_value("sendonly").is_some();
                        prop_assert!(!held || ours.direction == Direction::SendOnly, "{}", text);
                    }
                }
                // Where we ask for more: a stream that somebody can send to; one v=; and an o= that is one wherever it stands.
                Err(SdpError::Malformed { reason }) => prop_assert!(
                    ["a stream without c= line", "a second v=", "o= has not six fields"].contains(&reason.as_str()),
                    "{}: {}", reason, text
                ),
                Err(other) => prop_assert!(false, "{other:?}"),
            }
        }
    }
}

#[test]
fn what_phones_leave_out_or_set_apart_is_understood() {
    let end = "c=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0\r\n";
    for text in [
        format!("v=0\r\n{end}"),
        format!("v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\n{end}"),
        format!("v=0 \r\ns= \r\n{end}\r\n \r\n"),
        format!("v=0\r\n{end}a=x-unknown\r\na=x-unknown:1\r\nz=0 0\r\n").replace("\r\n", "\n"),
        "v=0\r\nc=IN  IP4 192.0.2.1\r\nm=audio  4000 RTP/AVP  0 \r\n".to_owned(),
    ] {
        let (_, agreed) = answer(&LOCAL, text.as_bytes()).unwrap_or_else(|e| panic!("{text:?}: {e}"));
        assert_eq!(agreed.remote, Some("192.0.2.1:4000".parse().unwrap()), "{text:?}");
    }
    let (_, agreed) = answered("m=audio 4000 RTP/AVP 0\na=SendOnly \na=sendrecv\n");
    assert_eq!(
        agreed.direction,
        Direction::RecvOnly,
        "a blank after it is no reason to miss a hold"
    );
}

#[test]
fn a_payload_type_has_seven_bits() {
    let none = session("m=audio 4000 RTP/AVP 200\na=rtpmap:200 PCMU/8000\n");
    assert_eq!(answer(&LOCAL, &none), Err(SdpError::NoCommonCodec));
    let (text, agreed) = answered("m=audio 4000 RTP/AVP 0 128\na=rtpmap:128 telephone-event/8000\n");
    assert_eq!(agreed.telephone_event, None, "{text}");
}

#[test]
fn a_fault_is_named_with_its_place() {
    let fault = |text: &str| match answer(&LOCAL, text.as_bytes()) {
        Err(SdpError::Malformed { reason }) => reason,
        other => panic!("{text}: {other:?}"),
    };
    let begin = "v=0\r\no=- 1 1 IN IP4 h\r\n";
    for (text, reason) in [
        ("v=1\r\n".to_owned(), "it does not begin with v=0"),
        (
            format!("{begin}s=-\r\nnonsense\r\n"),
            "line 4 is not in the form <letter>=<value>",
        ),
        (
            format!("{begin}s=\rm=x\r\n"),
            "line 3 is not in the form <letter>=<value>",
        ),
        (
            format!("{begin}s=-\r\nt=0 0\r\nm=audio 70000 RTP/AVP 0\r\n"),
            "the port in m= is not a number from 0 to 65535",
        ),
        (
            format!("{begin}s=-\r\nt=0 0\r\nm=audio 7000\r\n"),
            "m= has not four fields",
        ),
        (
            format!("{begin}s=-\r\nt=0 0\r\nc=IN IP4\r\n"),
            "c= has not three fields",
        ),
    ] {
        assert_eq!(fault(&text), reason, "{text}");
    }
}

#[test]
fn an_offer_is_answered_again_without_being_read_again() {
    let offer = session("m=video 3000 RTP/AVP 31\nm=audio 4000 RTP/AVP 8\n");
    let offer = Offer::read(&offer, Reach::of(LOCAL.address)).unwrap();
    let first = offer.answer(&LOCAL);
    let later = offer.answer(&Local { version: 4, ..LOCAL });
    assert_eq!(
        first,
        answer(
            &LOCAL,
            &session("m=video 3000 RTP/AVP 31\nm=audio 4000 RTP/AVP 8\n")
        )
        .unwrap()
        .0
    );
    assert_eq!(
        String::from_utf8_lossy(&first).replace("o=- 7 3", "o=- 7 4"),
        String::from_utf8_lossy(&later)
    );
}
