//! All phones of an operator ring; what comes of it; and one codec for both sides.

use super::*;

/// Events of the operator's phone that end a call, newest last.
fn ends(house: &House, phone: usize) -> Vec<&sip::Event> {
    let told = house.told.iter().filter(|(who, _)| *who == phone);
    told.map(|(_, event)| event)
        .filter(|event| matches!(event, sip::Event::Cancelled { .. } | sip::Event::Ended { .. }))
        .collect()
}

fn refusals(house: &House) -> Vec<RefuseReason> {
    let reasons = house.events.iter().filter_map(|event| match event {
        Event::Refused { reason, .. } => Some(*reason),
        _ => None,
    });
    reasons.collect()
}

/// A caller waits, operator 101 has two phones, and both ring under offer 7.
fn two_phones_ring() -> (House, sip::LegId, sip::LegId, TicketId) {
    let mut house = House::open();
    house.enrol(DESK);
    let (_, ticket) = house.wait_in_queue();
    house.offer(7, ticket);
    let (mobile, desk) = (house.ringing_at(OPERATOR), house.ringing_at(DESK));
    (house, mobile, desk, ticket)
}

#[test]
fn the_first_phone_to_answer_has_the_call_and_the_other_is_told_that_it_was_taken() {
    let (mut house, mobile, desk, ticket) = two_phones_ring();
    let now = house.now;
    house.phones[OPERATOR].1.ring(now, mobile);
    house.phones[DESK].1.ring(now, desk);
    house.settle();
    assert_eq!(house.saw(&Event::Ringing { offer: OfferId(7) }), 1, "said once");
    house.phones[DESK].1.answer(now, desk, sdp::offer(&local()));
    house.settle();
    let offer = OfferId(7);
    assert_eq!(house.saw(&Event::Answered { offer, ticket }), 1);
    let told = ends(&house, OPERATOR);
    assert!(
        matches!(told[..], [sip::Event::Cancelled { reason: Some(reason), .. }]
            if *reason == sip::Reason::completed_elsewhere()),
        "{told:?}"
    );
    house.phones[DESK].1.hangup(now, desk, None);
    house.settle();
    assert_eq!(
        (house.saw(&Event::TalkEnded { offer, ticket }), refusals(&house)),
        (1, vec![])
    );
}

#[test]
fn phones_that_answer_at_one_instant_leave_one_talk_and_a_bye_with_its_reason() {
    let (mut house, mobile, desk, ticket) = two_phones_ring();
    let now = house.now;
    // Both 200s are under way before either arrives.
    house.phones[OPERATOR].1.answer(now, mobile, sdp::offer(&local()));
    house.phones[DESK].1.answer(now, desk, sdp::offer(&local()));
    house.settle();
    let offer = OfferId(7);
    assert_eq!(house.saw(&Event::Answered { offer, ticket }), 1);
    let bridges = |command: &&media::Command| matches!(command, media::Command::Bridge { .. });
    assert_eq!(house.commands.iter().filter(bridges).count(), 1);
    let told = ends(&house, DESK);
    assert!(
        matches!(told[..], [sip::Event::Ended { by: sip::EndedBy::Bye { reason: Some(reason) }, .. }]
            if *reason == sip::Reason::completed_elsewhere()),
        "{told:?}"
    );
    assert!(ends(&house, OPERATOR).is_empty());
}

#[test]
fn one_phone_that_is_busy_leaves_the_other_ringing_and_what_all_say_is_weighed() {
    let cases = [
        (sip::Status::BUSY_HERE, sip::Status::NOT_FOUND, RefuseReason::Busy),
        (sip::Status::NOT_FOUND, sip::Status::BUSY_HERE, RefuseReason::Busy),
        (
            sip::Status::BUSY_HERE,
            sip::Status::FORBIDDEN,
            RefuseReason::Rejected,
        ),
        (
            sip::Status::NOT_FOUND,
            sip::Status::NOT_FOUND,
            RefuseReason::Unreachable,
        ),
    ];
    for (first, second, expected) in cases {
        let (mut house, mobile, desk, _) = two_phones_ring();
        let now = house.now;
        house.phones[OPERATOR].1.reject(now, mobile, first, None);
        house.settle();
        assert_eq!(refusals(&house), [], "the other still rings");
        house.phones[DESK].1.reject(now, desk, second, None);
        house.settle();
        assert_eq!(refusals(&house), [expected], "{first:?} {second:?}");
        assert!(house.hears_music());
    }
}

#[test]
fn an_operator_who_declines_on_one_phone_declines_on_all() {
    let (mut house, mobile, ..) = two_phones_ring();
    let (now, decline) = (house.now, sip::Status::new(603).unwrap());
    house.phones[OPERATOR].1.reject(now, mobile, decline, None);
    house.settle();
    assert_eq!(refusals(&house), [RefuseReason::Rejected]);
    assert_eq!(ends(&house, DESK).len(), 1, "the other stops ringing");
}

#[test]
fn an_operator_whose_phone_rang_in_vain_has_ignored_it_whatever_the_other_phone_said() {
    let (mut house, mobile, desk, _) = two_phones_ring();
    let now = house.now;
    house.phones[OPERATOR]
        .1
        .reject(now, mobile, sip::Status::BUSY_HERE, None);
    house.phones[DESK].1.ring(now, desk);
    house.settle();
    house.pass(secs(16));
    assert_eq!(refusals(&house), [RefuseReason::Ignored]);
}

#[test]
fn a_withdrawn_offer_is_over_when_every_phone_is_quiet() {
    let (mut house, ..) = two_phones_ring();
    let offer = OfferId(7);
    house.say(Input::Directive(Directive::Withdraw { offer }));
    assert_eq!((ends(&house, OPERATOR).len(), ends(&house, DESK).len()), (1, 1));
    assert_eq!(refusals(&house), [RefuseReason::Withdrawn]);
    house.pass(secs(64));
    let counts = house.gateway.counts();
    assert_eq!(
        (counts.parting, house.gateway.sip_counts().dialogs),
        (0, 1),
        "the caller's"
    );
}

#[test]
fn a_phone_that_speaks_another_codec_is_asked_for_the_callers_and_may_decline() {
    for accepts in [true, false] {
        let mut house = House::open();
        let (_, ticket) = house.wait_in_queue();
        house.offer(7, ticket);
        let (ringing, now) = (house.ringing(), house.now);
        let mu_law = sdp::offer_only(&local(), sdp::Codec::Pcmu);
        house.phones[OPERATOR].1.answer(now, ringing, mu_law);
        house.settle();
        let asked = house.told.iter().rev().find_map(|(phone, event)| match event {
            sip::Event::Offer { sdp: Some(sdp), .. } if *phone == OPERATOR => Some(sdp.clone()),
            _ => None,
        });
        let asked = String::from_utf8(asked.expect("a re-INVITE").to_vec()).unwrap();
        assert!(
            asked.contains("RTP/AVP 8 101") && asked.contains(" 2 IN IP4"),
            "{asked}"
        );
        if accepts {
            let answer = sdp::offer_only(&local(), sdp::Codec::Pcma);
            house.phones[OPERATOR].1.accept_offer(now, ringing, answer);
        } else {
            house.phones[OPERATOR]
                .1
                .refuse_offer(now, ringing, sip::Status::NOT_ACCEPTABLE_HERE);
        }
        house.settle();
        let spoken = house.commands.iter().rev().find_map(|command| match command {
            media::Command::Configure { codec, .. } => Some(*codec),
            _ => None,
        });
        let expected = if accepts {
            media::Codec::Pcma
        } else {
            media::Codec::Pcmu
        };
        assert_eq!(spoken, Some(expected));
        let invites = |(phone, event): &&(usize, sip::Event)| {
            *phone == OPERATOR && matches!(event, sip::Event::Offer { .. })
        };
        assert_eq!(house.told.iter().filter(invites).count(), 1, "asked once");
        house.phones[OPERATOR].1.hangup(now, ringing, None);
        house.settle();
        let offer = OfferId(7);
        assert_eq!(house.saw(&Event::TalkEnded { offer, ticket }), 1);
    }
}
