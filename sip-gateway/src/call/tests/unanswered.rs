//! Numbers that answer when an operator does: until then the caller hears early media and is not charged.

use super::*;

fn house() -> House {
    let mut settings = settings();
    settings.numbers.get_mut("800").unwrap().answer = Answer::OnOperator;
    House::open_with(settings)
}

/// Responses that the caller's phone received: status and SDP.
fn told(house: &House) -> Vec<(u16, Option<Bytes>)> {
    let told = house.told.iter().filter(|(phone, _)| *phone == CALLER);
    told.filter_map(|(_, event)| match event {
        sip::Event::Progress { status, sdp, .. } => Some((*status, sdp.clone())),
        sip::Event::Answered { sdp, .. } => Some((200, sdp.clone())),
        sip::Event::Refused { status, .. } => Some((*status, None)),
        _ => None,
    })
    .collect()
}

fn ending(house: &House) -> (CallOutcome, Duration) {
    let ended = house.events.iter().find_map(|event| match event {
        Event::CallEnded {
            outcome, duration, ..
        } => Some((*outcome, *duration)),
        _ => None,
    });
    ended.expect("the call has its record")
}

#[test]
fn the_caller_hears_menu_and_music_unanswered_and_is_charged_from_the_operators_answer() {
    let mut house = house();
    let (caller, ticket) = house.wait_in_queue();
    assert!(house.hears_music());
    let number = house.gateway.last_entry();
    house.say(Input::Acknowledged { number });
    house.pass(secs(200));
    let statuses: Vec<u16> = told(&house).iter().map(|(status, _)| *status).collect();
    assert_eq!(
        statuses,
        [183, 183, 183, 183],
        "one a minute, so that Timer C never passes"
    );
    house.offer(7, ticket);
    let (ringing, now) = (house.ringing(), house.now);
    house.phones[OPERATOR]
        .1
        .answer(now, ringing, sdp::offer(&local()));
    house.settle();
    let told = told(&house);
    let ((_, early), (status, answer)) = (&told[0], told.last().unwrap());
    assert_eq!(*status, 200);
    assert!(
        early.is_some() && early == answer,
        "the 200 says what the 183 said"
    );
    house.pass(secs(70));
    let now = house.now;
    house.phones[CALLER].1.hangup(now, caller, None);
    house.settle();
    assert_eq!(ending(&house), (CallOutcome::CallerHungUp, secs(70)));
    house.pass(secs(64));
    assert_eq!(house.gateway.sip_counts().dialogs, 0);
}

#[test]
fn a_caller_who_gives_up_unanswered_abandons_the_queue_and_pays_nothing() {
    let mut house = house();
    let (caller, ticket) = house.wait_in_queue();
    house.offer(7, ticket);
    house.pass(secs(5));
    let now = house.now;
    house.phones[CALLER].1.hangup(now, caller, None);
    house.settle();
    let reason = LeaveReason::Abandoned;
    assert_eq!(house.saw(&Event::Left { ticket, reason }), 1);
    assert_eq!(ending(&house), (CallOutcome::Cancelled, Duration::ZERO));
    house.pass(secs(64));
    let counts = house.gateway.counts();
    assert_eq!(
        (counts.calls, counts.parting, house.gateway.sip_counts().dialogs),
        (0, 0, 0)
    );
}

#[test]
fn a_flow_that_ends_unanswered_refuses_the_call_instead_of_charging_for_an_apology() {
    let mut house = house();
    let (_, ticket) = house.wait_in_queue();
    let reason = ExitReason::TimedOut;
    house.say(Input::Directive(Directive::Exit { ticket, reason }));
    let apology = house.commands.iter().rev().find_map(|command| match command {
        media::Command::Play { leg, play, .. } => Some((*leg, *play)),
        _ => None,
    });
    let (leg, play) = apology.expect("the apology is early media too");
    house.say(Input::Media(media::Event::Finished { leg, play }));
    assert_eq!(told(&house).last(), Some(&(480, None)));
    assert_eq!(ending(&house), (CallOutcome::Completed, Duration::ZERO));
}

/// Whether the caller was told that nobody answered.
fn told_why(house: &House) -> bool {
    let reason = &b"\r\nReason: Q.850;cause=19;text=\"No answer from the user\"\r\n"[..];
    house
        .sent
        .iter()
        .any(|bytes| bytes.starts_with(b"SIP/2.0 480 ") && bytes.windows(reason.len()).any(|it| it == reason))
}

#[test]
fn who_only_listens_is_refused_after_three_minutes_and_told_why() {
    let mut house = house();
    house.dial();
    house.pass(secs(179));
    let statuses: Vec<u16> = told(&house).iter().map(|(status, _)| *status).collect();
    assert_eq!(statuses, [183, 183, 183]);
    house.pass(secs(1));
    assert_eq!(told(&house).last(), Some(&(480, None)));
    assert!(told_why(&house));
    assert_eq!(ending(&house), (CallOutcome::Refused, Duration::ZERO));
    house.pass(secs(64));
    let counts = house.gateway.counts();
    assert_eq!((counts.calls, house.gateway.sip_counts().dialogs), (0, 0));
}

#[test]
fn the_time_in_a_queue_does_not_count_and_what_was_left_before_it_is_left_after_it() {
    let mut house = house();
    house.dial();
    house.pass(secs(100));
    house.press('1');
    let number = house.gateway.last_entry();
    house.say(Input::Acknowledged { number });
    house.pass(secs(500));
    assert!(house.hears_music());
    // Back to the menu by the key that leads there.
    house.press('9');
    house.pass(secs(79));
    assert_eq!(told(&house).last().map(|(status, _)| *status), Some(183));
    house.pass(secs(1));
    assert_eq!(told(&house).last(), Some(&(480, None)));
    assert!(told_why(&house));
}

/// A carrier that has its media on another host and sends none before the answer.
#[test]
fn early_media_flows_to_the_other_hosts_of_the_trunk_and_to_no_third_party() {
    for (address, expected) in [
        ([127, 0, 0, 9], media::Proof::Given),
        ([127, 0, 0, 77], media::Proof::Given),
        ([192, 0, 2, 7], media::Proof::Awaited),
    ] {
        let mut house = house();
        let (uri, flow) = ("sip:800@10.0.0.1".into(), house.flow(CALLER));
        let to = sip::Destination { uri, flow };
        let elsewhere = sdp::Local {
            address: address.into(),
            ..local()
        };
        let now = house.now;
        house.phones[CALLER]
            .1
            .invite(now, &to, sdp::offer(&elsewhere), sip::InviteOptions::default());
        house.settle();
        let proof = house.commands.iter().find_map(|command| match command {
            media::Command::Configure { proof, .. } => Some(*proof),
            _ => None,
        });
        assert_eq!(proof, Some(expected), "{address:?}");
    }
}

#[test]
fn a_call_without_an_offer_is_answered_at_once() {
    let mut house = house();
    let (uri, flow) = ("sip:800@10.0.0.1".into(), house.flow(CALLER));
    let to = sip::Destination { uri, flow };
    let now = house.now;
    house.phones[CALLER]
        .1
        .invite(now, &to, Bytes::new(), sip::InviteOptions::default());
    house.settle();
    assert_eq!(told(&house).last().map(|(status, _)| *status), Some(200));
}

#[test]
fn a_session_that_stays_the_same_keeps_its_version_and_one_that_changes_counts_on() {
    let mut house = House::open();
    let caller = house.dial();
    let now = house.now;
    let version = |house: &House| {
        let sdp = house.told.iter().rev().find_map(|(_, event)| match event {
            sip::Event::Answered { sdp, .. } => sdp.clone(),
            sip::Event::Reoffered { answer, .. } => answer.clone(),
            _ => None,
        });
        let sdp = String::from_utf8(sdp.unwrap().to_vec()).unwrap();
        sdp.lines()
            .find(|line| line.starts_with("o="))
            .unwrap()
            .split(' ')
            .nth(2)
            .unwrap()
            .to_owned()
    };
    assert_eq!(version(&house), "1");
    let full = sdp::offer(&local());
    let hold = sdp::offer_directed(&local(), sdp::Direction::SendOnly, sdp::Codec::Pcma);
    for (offer, expected) in [
        (&full, "1"),
        (&hold, "2"),
        (&hold, "2"),
        (&full, "3"),
        (&full, "3"),
    ] {
        house.phones[CALLER].1.reoffer(now, caller, offer.clone());
        house.settle();
        assert_eq!(version(&house), expected);
    }
}
