//! Sessions that the caller changes (RFC 3264 §8): hold in both spellings, resume, and a new offer.

use super::*;

/// The gateway's answer to the caller's last re-INVITE.
fn answered(house: &House) -> String {
    let sdp = house.told.iter().rev().find_map(|(phone, event)| match event {
        sip::Event::Reoffered { answer, .. } if *phone == CALLER => answer.clone(),
        _ => None,
    });
    String::from_utf8(sdp.expect("an answer").to_vec()).unwrap()
}

/// Whether the caller's media is sent somewhere, and whether it is listened to.
fn flows(house: &House) -> (bool, bool) {
    let last = house.commands.iter().rev().find_map(|command| match command {
        media::Command::Configure {
            remote,
            send,
            receive,
            ..
        } => Some((*send && remote.is_some(), *receive)),
        _ => None,
    });
    last.expect("the media threads are told")
}

fn spelt(text: &str, lines: &[(&str, &str)]) -> Bytes {
    let text = lines.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{text}");
        text.replace(from, to)
    });
    Bytes::from(text)
}

#[test]
fn a_call_is_held_in_every_spelling_and_resumed() {
    let full = String::from_utf8(sdp::offer(&local()).to_vec()).unwrap();
    let address = format!("c=IN IP4 {}", local().address);
    let nowhere = (address.as_str(), "c=IN IP4 0.0.0.0");
    /// Lines of the offer and what they become, a line of the answer, whether the caller is heard.
    type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, bool);
    let cases: [Case<'_>; 5] = [
        (&[("a=sendrecv", "a=sendonly")], "a=recvonly", true),
        (&[("a=sendrecv", "a=inactive")], "a=inactive", false),
        (&[nowhere], "a=recvonly", true),
        (&[nowhere, ("a=sendrecv", "a=sendonly")], "a=recvonly", true),
        (&[nowhere, ("a=sendrecv", "a=inactive")], "a=inactive", false),
    ];
    for (lines, expected, is_heard) in cases {
        let mut house = House::open();
        let caller = house.dial();
        assert_eq!(flows(&house), (true, true));
        let now = house.now;
        house.phones[CALLER].1.reoffer(now, caller, spelt(&full, lines));
        house.settle();
        assert!(
            answered(&house).contains(expected),
            "{lines:?}: {}",
            answered(&house)
        );
        assert_eq!(flows(&house), (false, is_heard), "{lines:?}");
        house.phones[CALLER]
            .1
            .reoffer(now, caller, Bytes::from(full.clone()));
        house.settle();
        assert!(answered(&house).contains("a=sendrecv"), "{lines:?}");
        assert_eq!(flows(&house), (true, true), "{lines:?}");
    }
}

/// Ours is then made as for a new call (RFC 3261 §14.2), whatever was held before.
#[test]
fn a_re_invite_without_an_offer_gets_a_full_one_also_while_the_call_is_held() {
    let mut house = House::open();
    let caller = house.dial();
    let now = house.now;
    let hold = sdp::offer_directed(&local(), sdp::Direction::SendOnly, sdp::Codec::Pcmu);
    house.phones[CALLER].1.reoffer(now, caller, hold);
    house.settle();
    let held = answered(&house);
    house.phones[CALLER].1.reoffer(now, caller, Bytes::new());
    house.settle();
    let offered = answered(&house);
    assert!(
        offered.contains("RTP/AVP 8 0 101") && offered.contains("a=sendrecv"),
        "{offered}"
    );
    let version = |sdp: &str| {
        let origin = sdp.lines().find(|line| line.starts_with("o=")).unwrap();
        origin.split(' ').nth(2).unwrap().parse::<u64>().unwrap()
    };
    assert_eq!(version(&offered), version(&held) + 1, "§8: it counts on");
}

#[test]
fn a_re_invite_that_cannot_be_spoken_is_488_and_the_session_stays() {
    let mut house = House::open();
    let caller = house.dial();
    let now = house.now;
    let before = flows(&house);
    let full = String::from_utf8(sdp::offer(&local()).to_vec()).unwrap();
    let alien = spelt(&full, &[("RTP/AVP 8 0 101", "RTP/AVP 18")]);
    house.phones[CALLER].1.reoffer(now, caller, alien);
    house.settle();
    let refused = house.told.iter().rev().find_map(|(phone, event)| match event {
        sip::Event::Reoffered { status, .. } if *phone == CALLER => Some(*status),
        _ => None,
    });
    assert_eq!((refused, flows(&house)), (Some(488), before));
    assert_eq!(house.gateway.sip_counts().dialogs, 1, "the call goes on");
}
