//! Operators dial the configured numbers and each other, and nothing else.

use super::*;

/// Dials from operator 101's phone; returns the leg and the statuses it was sent.
fn dial(house: &mut House, user: &str) -> (sip::LegId, Vec<u16>) {
    let to = sip::Destination {
        uri: format!("sip:{user}@10.0.0.1").into(),
        flow: house.flow(OPERATOR),
    };
    let options = sip::InviteOptions {
        from_user: Some("101".to_owned()),
        from_display: None,
    };
    let now = house.now;
    let leg = house.phones[OPERATOR]
        .1
        .invite(now, &to, sdp::offer(&local()), options);
    house.settle();
    (leg, said(house, leg))
}

fn said(house: &House, leg: sip::LegId) -> Vec<u16> {
    let told = house
        .told
        .iter()
        .filter(|(who, event)| *who == OPERATOR && event.leg() == Some(leg));
    told.filter_map(|(_, event)| match event {
        sip::Event::Progress { status, .. } | sip::Event::Refused { status, .. } => Some(*status),
        sip::Event::Answered { .. } => Some(200),
        _ => None,
    })
    .collect()
}

fn count(house: &House, wanted: impl Fn(&media::Command) -> bool) -> usize {
    house.commands.iter().filter(|command| wanted(command)).count()
}

fn two_operators() -> House {
    let mut house = House::open();
    house.enrol_as(DESK, "102");
    house
}

#[test]
fn an_operator_reaches_another_and_whoever_hangs_up_ends_it_for_both() {
    for caller_hangs_up in [true, false] {
        let mut house = two_operators();
        let (leg, told) = dial(&mut house, "102");
        assert_eq!(told, [180]);
        let (ringing, now) = (house.ringing_at(DESK), house.now);
        house.phones[DESK].1.answer(now, ringing, sdp::offer(&local()));
        house.settle();
        assert_eq!(said(&house, leg), [180, 200]);
        assert_eq!(
            count(&house, |command| matches!(command, media::Command::Bridge { .. })),
            1
        );
        assert_eq!(
            count(&house, |command| matches!(command, media::Command::Play { .. })),
            0
        );
        let (phone, leg) = if caller_hangs_up {
            (OPERATOR, leg)
        } else {
            (DESK, ringing)
        };
        house.phones[phone].1.hangup(now, leg, None);
        house.settle();
        assert_eq!(
            count(&house, |command| matches!(command, media::Command::Close { .. })),
            2
        );
        let began =
            |event: &&Event| matches!(event, Event::CallBegan { dialled, .. } if dialled == "operators/102");
        let ended = |event: &&Event| matches!(event, Event::CallEnded { .. });
        let events = || house.events.iter();
        assert_eq!(
            (events().filter(began).count(), events().filter(ended).count()),
            (1, 1)
        );
        house.pass(secs(64));
        let counts = house.gateway.counts();
        assert_eq!((counts.calls, house.gateway.sip_counts().dialogs), (0, 0));
        assert!(house.gateway.engaged.is_empty());
    }
}

#[test]
fn what_is_neither_a_number_nor_another_operator_is_reached_by_nobody() {
    let mut house = two_operators();
    for user in ["+39900123456", "109", "101", "102%40elsewhere"] {
        assert_eq!(dial(&mut house, user).1, [404], "{user}");
    }
    assert_eq!(dial(&mut house, "800").1, [200], "a configured number");
    // A caller of a trunk reaches numbers only.
    house.dial_user("102");
    let refused = |(phone, event): &(usize, sip::Event)| {
        *phone == CALLER && matches!(event, sip::Event::Refused { status: 404, .. })
    };
    assert!(house.told.iter().any(refused));
}

#[test]
fn an_operator_who_is_busy_away_or_does_not_answer_is_told_so_to_the_one_who_dials() {
    let mut house = House::open();
    assert_eq!(dial(&mut house, "102").1, [480], "no phone");
    house.enrol_as(DESK, "102");
    let (leg, _) = dial(&mut house, "102");
    let (ringing, now) = (house.ringing_at(DESK), house.now);
    house.phones[DESK]
        .1
        .reject(now, ringing, sip::Status::BUSY_HERE, None);
    house.settle();
    assert_eq!(said(&house, leg), [180, 486]);
    let (leg, _) = dial(&mut house, "102");
    house.pass(secs(61));
    assert_eq!(said(&house, leg).last(), Some(&480));
    let (leg, _) = dial(&mut house, "102");
    let now = house.now;
    house.phones[OPERATOR].1.hangup(now, leg, None);
    house.settle();
    let quiet = |(phone, event): &&(usize, sip::Event)| {
        *phone == DESK && matches!(event, sip::Event::Cancelled { .. })
    };
    assert_eq!(house.told.iter().filter(quiet).count(), 2);
    house.pass(secs(64));
    assert!(house.gateway.engaged.is_empty() && house.gateway.counts().calls == 0);
}

#[test]
fn an_operator_in_a_call_of_their_own_is_not_rung() {
    let mut house = two_operators();
    let (_, ticket) = house.wait_in_queue();
    dial(&mut house, "102");
    house.offer(7, ticket);
    let (offer, reason) = (OfferId(7), RefuseReason::Busy);
    assert_eq!(house.saw(&Event::Refused { offer, reason }), 1);
}

fn hang_up(house: &mut House, phone: usize, leg: sip::LegId) {
    let now = house.now;
    house.phones[phone].1.hangup(now, leg, None);
    house.settle();
}

fn reject(house: &mut House, phone: usize, status: sip::Status) {
    let (ringing, now) = (house.ringing_at(phone), house.now);
    house.phones[phone].1.reject(now, ringing, status, None);
    house.settle();
}

#[test]
fn one_operator_keeps_one_other_from_the_queue_and_not_all_of_them() {
    let mut house = two_operators();
    house.enrol_as(CALLER, "103");
    let (leg, told) = dial(&mut house, "102");
    assert_eq!(told, [180]);
    assert_eq!(dial(&mut house, "103").1, [486], "while it rings");
    let (ringing, now) = (house.ringing_at(DESK), house.now);
    house.phones[DESK].1.answer(now, ringing, sdp::offer(&local()));
    house.settle();
    assert_eq!(dial(&mut house, "103").1, [486], "while they talk");
    let engaged: Vec<&str> = house.gateway.engaged.keys().map(OperatorId::as_str).collect();
    assert_eq!(engaged, ["101", "102"]);
    assert_eq!(dial(&mut house, "800").1, [200], "a number is no operator");
    hang_up(&mut house, OPERATOR, leg);
    assert_eq!(dial(&mut house, "103").1, [180]);
}

fn records(house: &House) -> usize {
    let ended = |event: &&Event| matches!(event, Event::CallEnded { .. });
    house.events.iter().filter(ended).count()
}

#[test]
fn an_operator_whose_call_was_cancelled_is_free_when_the_phone_is_quiet() {
    let mut house = two_operators();
    let (leg, _) = dial(&mut house, "102");
    hang_up(&mut house, OPERATOR, leg);
    assert_eq!(
        (records(&house), house.gateway.engaged.len()),
        (1, 0),
        "it said so"
    );
    let (leg, _) = dial(&mut house, "102");
    // The CANCEL is on its way: the phone still rings, and could take no other call.
    let address = std::mem::replace(
        &mut house.phones[DESK].0,
        SocketAddr::from(([10, 0, 0, 99], 5060)),
    );
    hang_up(&mut house, OPERATOR, leg);
    assert_eq!((records(&house), house.gateway.engaged.len()), (1, 1));
    assert_eq!(house.gateway.counts().parting, 1);
    assert_eq!(dial(&mut house, "102").1, [486]);
    house.pass(Duration::from_millis(400));
    assert_eq!((records(&house), house.gateway.engaged.len()), (1, 1));
    // Sent again, it arrives.
    house.phones[DESK].0 = address;
    house.pass(Duration::from_millis(200));
    assert_eq!((records(&house), house.gateway.engaged.len()), (2, 0));
    assert_eq!(house.gateway.counts().parting, 0);
}

#[test]
fn an_operator_whose_phone_never_confirms_is_free_a_second_later() {
    let mut house = two_operators();
    let (leg, _) = dial(&mut house, "102");
    house.phones[DESK].0 = SocketAddr::from(([10, 0, 0, 99], 5060));
    hang_up(&mut house, OPERATOR, leg);
    house.pass(Duration::from_millis(999));
    assert_eq!((records(&house), house.gateway.engaged.len()), (0, 1));
    house.pass(Duration::from_millis(1));
    assert_eq!((records(&house), house.gateway.engaged.len()), (1, 0));
    house.pass(secs(64));
    let counts = house.gateway.counts();
    assert_eq!((counts.calls, house.gateway.sip_counts().dialogs), (0, 0));
}

#[test]
fn of_what_several_phones_say_the_weightiest_is_told() {
    let cases = [
        (sip::Status::BUSY_HERE, sip::Status::NOT_FOUND, 486),
        (sip::Status::NOT_FOUND, sip::Status::BUSY_HERE, 486),
        // Declined by some other word: what it was is between the phone and its owner.
        (sip::Status::FORBIDDEN, sip::Status::BUSY_HERE, 480),
        (sip::Status::NOT_FOUND, sip::Status::NOT_FOUND, 404),
    ];
    for (first, second, expected) in cases {
        let mut house = two_operators();
        house.enrol_as(CALLER, "102");
        let (leg, _) = dial(&mut house, "102");
        reject(&mut house, DESK, first);
        assert_eq!(said(&house, leg), [180], "the other phone still rings");
        reject(&mut house, CALLER, second);
        assert_eq!(said(&house, leg), [180, expected], "{first:?} {second:?}");
    }
}

#[test]
fn an_operator_who_declines_another_on_one_phone_declines_on_all() {
    for (declined, told) in [(603, 603), (606, 480)] {
        let mut house = two_operators();
        house.enrol_as(CALLER, "102");
        let (leg, _) = dial(&mut house, "102");
        reject(&mut house, DESK, sip::Status::new(declined).unwrap());
        assert_eq!(said(&house, leg), [180, told]);
        let quiet = |(phone, event): &&(usize, sip::Event)| {
            *phone == CALLER && matches!(event, sip::Event::Cancelled { .. })
        };
        assert_eq!(house.told.iter().filter(quiet).count(), 1);
    }
}

/// Operator 101 talks to 102, whose phone answered with this.
fn colleagues_talk(answer: Bytes) -> (House, sip::LegId) {
    let mut house = two_operators();
    dial(&mut house, "102");
    let (ringing, now) = (house.ringing_at(DESK), house.now);
    house.phones[DESK].1.answer(now, ringing, answer);
    house.settle();
    (house, ringing)
}

#[test]
fn a_colleague_who_speaks_another_codec_is_asked_for_the_callers() {
    let (house, _) = colleagues_talk(sdp::offer_only(&local(), sdp::Codec::Pcmu));
    let asked = house.told.iter().find_map(|(phone, event)| match event {
        sip::Event::Offer { sdp: Some(sdp), .. } if *phone == DESK => Some(sdp.clone()),
        _ => None,
    });
    let asked = String::from_utf8(asked.expect("a re-INVITE").to_vec()).unwrap();
    assert!(asked.contains("RTP/AVP 8 101"), "{asked}");
}
