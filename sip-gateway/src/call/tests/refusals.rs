//! Sessions that cannot be: refused with a reason, before anybody rings; and answers that are none.

use super::*;

fn offer_with(lines: &[(&str, &str)]) -> Bytes {
    let full = String::from_utf8(sdp::offer(&local()).to_vec()).unwrap();
    let text = lines.iter().fold(full, |text, (from, to)| {
        assert!(text.contains(from), "{text}");
        text.replace(from, to)
    });
    Bytes::from(text)
}

/// Descriptions in which no audio can flow, and the warn-code of their refusal.
fn impossible() -> Vec<(Bytes, u16)> {
    let port = format!("m=audio {}", local().port);
    let address = format!("c=IN IP4 {}", local().address);
    let with = |from: &str, to: &str| offer_with(&[(from, to)]);
    vec![
        (with(&port, "m=audio 0"), 304),
        (with(&port, "m=audio 9"), 301),
        (with(&address, "c=IN IP6 2001:db8::1"), 301),
        (with(&address, "c=IN IP4 phone.example.com"), 301),
        (with(&address, "c=IN IP4 224.2.1.1/127"), 330),
        (with(&address, "c=IN IP4 255.255.255.255"), 301),
        (with("RTP/AVP 8 0 101", "RTP/AVP 18"), 305),
        (with("RTP/AVP 8", "RTP/SAVP 8"), 302),
        (with("m=audio", "m=video"), 304),
    ]
}

/// The gateway's last response with this status.
fn said(house: &House, status: u16) -> String {
    let start = format!("SIP/2.0 {status} ");
    let mut texts = house
        .sent
        .iter()
        .rev()
        .map(|bytes| String::from_utf8_lossy(bytes));
    let found = texts.find(|text| text.starts_with(&start));
    found.unwrap_or_else(|| panic!("no {status}")).into_owned()
}

/// A key of the caller's by INFO, in the dialog of the last call.
fn inform(house: &mut House, cseq: u32, digit: Digit) {
    let answer = said(house, 200);
    let field = |name: &str| {
        let line = answer.lines().find(|line| line.starts_with(name));
        line.expect("a field of the answer").to_owned()
    };
    assert!(field("CSeq").ends_with("INVITE"), "{answer}");
    let (from, to, call_id) = (field("From:"), field("To:"), field("Call-ID:"));
    let body = format!("Signal={}\r\nDuration=160\r\n", digit.as_char());
    let text = format!(
        "INFO sip:10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.9:5060;branch=z9hG4bKinfo{cseq};rport\r\n\
         Max-Forwards: 70\r\n{from}\r\n{to}\r\n{call_id}\r\nCSeq: {cseq} INFO\r\n\
         Content-Type: application/dtmf-relay\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let flow = sip::Flow {
        local: gateway_address(),
        remote: house.phones[CALLER].0,
        transport: sip::Transport::Udp,
    };
    let bytes = Bytes::from(text);
    house.input(Input::Sip(sip::Input::Message { flow, bytes }));
    // Its 200 is not the one to the INVITE.
    while let Some(output) = house.gateway.poll_output() {
        match output {
            Output::Transmit { bytes, .. } => {
                assert!(bytes.starts_with(b"SIP/2.0 200"), "{bytes:?}");
            }
            output => house.gateway_output(output),
        }
    }
    house.settle();
}

fn assert_warns(text: &str, code: u16) {
    let warning = format!("\r\nWarning: {code} pronto.example \"");
    assert!(text.contains(&warning), "{text}");
    assert!(
        !text.starts_with("SIP/2.0 488 Not Acceptable Here"),
        "a phrase that says what: {text}"
    );
}

#[test]
fn an_offer_without_audio_that_can_flow_is_488_with_a_warning_and_nobody_rings() {
    for (offer, code) in impossible() {
        let mut house = House::open();
        let (uri, flow) = ("sip:800@10.0.0.1".into(), house.flow(CALLER));
        let to = sip::Destination { uri, flow };
        let options = sip::InviteOptions::default();
        house.phones[CALLER]
            .1
            .invite(house.now, &to, offer.clone(), options);
        house.settle();
        assert_warns(&said(&house, 488), code);
        assert!(
            house.commands.is_empty(),
            "no port is spent: {:?}",
            house.commands
        );
        let ended = |event: &&Event| matches!(event, Event::CallEnded { .. });
        assert_eq!(house.events.iter().filter(ended).count(), 1, "its record");
    }
}

#[test]
fn a_re_invite_without_audio_that_can_flow_is_488_and_the_session_stays() {
    for (offer, code) in impossible() {
        let mut house = House::open();
        let caller = house.dial();
        let configured = house.commands.len();
        let now = house.now;
        house.phones[CALLER].1.reoffer(now, caller, offer);
        house.settle();
        assert_warns(&said(&house, 488), code);
        assert_eq!(house.commands.len(), configured, "the media goes on as it was");
        assert_eq!(house.gateway.counts().calls, 1);
    }
}

#[test]
fn a_phone_whose_answer_has_no_audio_has_failed_and_the_caller_goes_on() {
    for (answer, _) in impossible() {
        let mut house = House::open();
        let (_, ticket) = house.wait_in_queue();
        house.offer(7, ticket);
        let (ringing, now) = (house.ringing(), house.now);
        house.phones[OPERATOR].1.answer(now, ringing, answer);
        house.settle();
        let (offer, reason) = (OfferId(7), RefuseReason::Rejected);
        assert_eq!(house.saw(&Event::Refused { offer, reason }), 1);
        assert_eq!(house.saw(&Event::Answered { offer, ticket }), 0);
        assert!(house.hears_music());
    }
}

#[test]
fn an_answer_in_a_provisional_response_counts_for_a_200_without_one() {
    let mut house = House::open();
    let (_, ticket) = house.wait_in_queue();
    house.offer(7, ticket);
    let (ringing, now) = (house.ringing(), house.now);
    let early = sdp::Local {
        port: 4_444,
        ..local()
    };
    house.phones[OPERATOR]
        .1
        .progress(now, ringing, sdp::offer_only(&early, sdp::Codec::Pcma));
    house.settle();
    assert!(house.hears_music(), "the phone has not answered");
    house.phones[OPERATOR].1.answer(now, ringing, Bytes::new());
    house.settle();
    let offer = OfferId(7);
    assert_eq!(house.saw(&Event::Answered { offer, ticket }), 1);
    let to = house.commands.iter().rev().find_map(|command| match command {
        media::Command::Configure { remote, .. } => *remote,
        _ => None,
    });
    assert_eq!(to.map(|to| to.port()), Some(4_444));
}

#[test]
fn a_200_without_any_answer_is_none() {
    let mut house = House::open();
    let (_, ticket) = house.wait_in_queue();
    house.offer(7, ticket);
    let (ringing, now) = (house.ringing(), house.now);
    house.phones[OPERATOR].1.ring(now, ringing);
    house.phones[OPERATOR].1.answer(now, ringing, Bytes::new());
    house.settle();
    let (offer, reason) = (OfferId(7), RefuseReason::Rejected);
    assert_eq!(house.saw(&Event::Refused { offer, reason }), 1);
}

#[test]
fn a_key_that_the_phone_tells_twice_is_one_key_of_the_flow() {
    for info_first in [true, false] {
        let mut house = House::open();
        house.wait_in_queue();
        let joined = |house: &House| {
            let it = |event: &&Event| matches!(event, Event::Joined { .. });
            house.events.iter().filter(it).count()
        };
        assert_eq!(joined(&house), 1);
        house.pass(secs(5));
        // 9 leaves the queue to the menu, where another 9 would do nothing, and 1 would join again.
        let leave = Digit::from_char('9').unwrap();
        let again = Digit::from_char('1').unwrap();
        for (cseq, digit) in [(2, leave), (3, again)] {
            let leg = media::LegId(1);
            let bridged = false;
            let in_media = Input::Media(media::Event::Digit { leg, digit, bridged });
            if info_first {
                inform(&mut house, cseq, digit);
                house.say(in_media);
            } else {
                house.say(in_media);
                inform(&mut house, cseq, digit);
            }
            house.pass(secs(3));
        }
        assert_eq!(joined(&house), 2, "info first: {info_first}");
        house.pass(secs(3));
        inform(&mut house, 4, leave);
        house.pass(secs(3));
        inform(&mut house, 5, again);
        assert_eq!(joined(&house), 3, "by INFO alone");
        house.say(Input::HangUpAll);
        let digits = house.events.iter().rev().find_map(|event| match event {
            Event::CallEnded { digits, .. } => Some(*digits),
            _ => None,
        });
        assert_eq!(digits, Some(5), "counted once each");
    }
}

#[test]
fn media_flows_to_an_unproven_address_only_from_the_ack_on() {
    let mut house = House::open();
    let (uri, flow) = ("sip:800@10.0.0.1".into(), house.flow(CALLER));
    let to = sip::Destination { uri, flow };
    let options = sip::InviteOptions::default();
    let caller = house.phones[CALLER]
        .1
        .invite(house.now, &to, sdp::offer(&local()), options);
    house.settle();
    let proofs = |house: &House| {
        let of = |command: &media::Command| match command {
            media::Command::Configure { proof, .. } => Some(*proof),
            _ => None,
        };
        house.commands.iter().filter_map(of).collect::<Vec<_>>()
    };
    use media::Proof::{Awaited, Given};
    assert_eq!(proofs(&house), [Awaited, Given]);
    // A re-INVITE that moves the media waits for its own ACK.
    let (now, elsewhere) = (
        house.now,
        sdp::Local {
            port: 4_444,
            ..local()
        },
    );
    house.phones[CALLER]
        .1
        .reoffer(now, caller, sdp::offer(&elsewhere));
    house.settle();
    assert_eq!(proofs(&house), [Awaited, Given, Awaited, Given]);
}
