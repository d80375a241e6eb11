//! The queue service that is not there, does not want us, or has lost what it knew.

use super::*;
use crate::journal::Entry;

fn refused(house: &House) -> usize {
    let refused =
        |(_, event): &&(usize, sip::Event)| matches!(event, sip::Event::Refused { status: 503, .. });
    house.told.iter().filter(refused).count()
}

fn joined(house: &House) -> Vec<(TicketId, Option<TicketId>)> {
    let joined = house.events.iter().filter_map(|event| match event {
        Event::Joined { ticket, regained, .. } => Some((*ticket, *regained)),
        _ => None,
    });
    joined.collect()
}

/// Entries sent to a queue service that has none of them yet.
fn said_anew(house: &mut House) -> Vec<Entry> {
    house.input(Input::Attached { have: 0 });
    let mut entries = Vec::new();
    while let Some(output) = house.gateway.poll_output() {
        match output {
            Output::Entry(entry) => entries.push(entry),
            other => house.gateway_output(other),
        }
    }
    entries
}

#[test]
fn nobody_is_answered_into_a_queue_that_was_never_there() {
    let mut house = House::open_unattached(settings());
    house.dial();
    assert_eq!((refused(&house), house.gateway.counts().calls), (1, 0));
    assert_eq!(house.gateway.counts().refused, 1);
    house.say(Input::Attached { have: 0 });
    house.dial();
    assert_eq!((refused(&house), house.gateway.counts().calls), (1, 1));
}

#[test]
fn nobody_is_answered_into_a_queue_that_refuses_us() {
    let mut house = House::open();
    house.say(Input::Refused);
    house.dial();
    assert_eq!((refused(&house), house.gateway.counts().calls), (1, 0));
}

#[test]
fn callers_are_taken_while_the_queue_is_briefly_away_and_not_for_longer() {
    let mut house = House::open();
    house.say(Input::Detached);
    house.pass(secs(59));
    house.dial();
    assert_eq!((refused(&house), house.gateway.counts().calls), (0, 1));
    house.pass(secs(1));
    house.dial();
    assert_eq!(refused(&house), 1);
    house.say(Input::Attached { have: 0 });
    house.dial();
    assert_eq!((refused(&house), house.gateway.counts().begun), (1, 2));
}

#[test]
fn a_flow_without_a_queue_needs_none() {
    let mut alone = settings();
    let flow = "start = \"a\"\n[a]\nsay = [\"goodbye\"]\nhangup = true\n";
    if let Some(number) = alone.numbers.get_mut("800") {
        number.flow = Arc::new(Script::parse(flow).unwrap());
    }
    let mut house = House::open_unattached(alone);
    house.dial();
    assert_eq!((refused(&house), house.gateway.counts().calls), (0, 1));
}

#[test]
fn a_queue_with_another_journal_than_ours_wants_a_new_epoch() {
    let mut house = House::open();
    assert!(house.gateway.last_entry() >= 1, "the presence of 101");
    house.say(Input::Attached { have: 99 });
    assert!(house.gateway.wants_epoch());
    house.dial();
    assert_eq!(refused(&house), 1, "nobody is answered meanwhile");
    house.say(Input::NewEpoch);
    assert!(!house.gateway.wants_epoch());
    let entries = said_anew(&mut house);
    let numbers: Vec<u64> = entries.iter().map(|entry| entry.number).collect();
    assert_eq!(numbers, [1], "the presence of 101 again, and nothing else");
    assert!(matches!(
        &entries[0].event,
        Event::Presence { operator: who, lease: Some(_) } if *who == operator()
    ));
}

#[test]
fn callers_who_wait_join_again_in_a_new_epoch_with_their_seniority() {
    let mut house = House::open();
    let (_, ticket) = house.wait_in_queue();
    let number = house.gateway.last_entry();
    house.say(Input::Acknowledged { number });
    let since = house.now;
    house.pass(secs(30));
    house.say(Input::Detached);
    house.say(Input::NewEpoch);
    let entries = said_anew(&mut house);
    let began = |entry: &&Entry| matches!(entry.event, Event::CallBegan { .. });
    assert_eq!(entries.iter().filter(began).count(), 1);
    let again = entries
        .iter()
        .find(|entry| matches!(entry.event, Event::Joined { .. }))
        .expect("the caller joins again");
    assert_eq!(again.at, since, "with the time of the first joining");
    let (new, regained) = *joined(&house).last().unwrap();
    assert_eq!((joined(&house).len(), regained), (2, Some(ticket)));
    assert!(house.hears_music(), "and hears nothing of it");
    // The queue never says that it knows: as for every caller, the flow goes on by `failed`.
    house.pass(secs(61));
    let reason = LeaveReason::Failed;
    assert_eq!(house.saw(&Event::Left { ticket: new, reason }), 1);
}

#[test]
fn an_offer_of_an_earlier_epoch_stops_ringing_and_is_not_reported() {
    let mut house = House::open();
    let (_, ticket) = house.wait_in_queue();
    house.offer(7, ticket);
    house.ringing();
    house.say(Input::Detached);
    house.say(Input::NewEpoch);
    house.pass(secs(2));
    let about = |event: &&Event| matches!(event, Event::Refused { .. } | Event::TalkEnded { .. });
    assert_eq!(house.events.iter().filter(about).count(), 0);
    // The new ledger counts as the old one did: its offer 7 is another, and rings.
    let (again, _) = *joined(&house).last().unwrap();
    let rung = house.told.len();
    house.offer(7, again);
    let rings =
        |(phone, event): &(usize, sip::Event)| *phone == OPERATOR && matches!(event, sip::Event::Invite(_));
    assert!(house.told[rung..].iter().any(rings), "offer 7 of the new epoch");
}

#[test]
fn a_talk_goes_on_over_a_new_epoch_and_its_end_is_not_taken_for_anothers() {
    let mut house = House::open();
    let (caller, ticket) = house.wait_in_queue();
    house.offer(7, ticket);
    let ringing = house.ringing();
    house.phones[OPERATOR]
        .1
        .answer(house.now, ringing, sdp::offer(&local()));
    house.settle();
    let offer = OfferId(7);
    assert_eq!(house.saw(&Event::Answered { offer, ticket }), 1);
    house.say(Input::Detached);
    house.say(Input::NewEpoch);
    assert_eq!(house.gateway.counts().calls, 1);
    let stopped = |command: &media::Command| matches!(command, media::Command::Unbridge { .. });
    assert!(!house.commands.iter().any(stopped), "both hear each other");
    house.phones[CALLER].1.hangup(house.now, caller, None);
    house.settle();
    assert_eq!(house.saw(&Event::TalkEnded { offer, ticket }), 0);
    let ended = |event: &&Event| matches!(event, Event::CallEnded { .. });
    assert_eq!(house.events.iter().filter(ended).count(), 1, "one record");
}

#[test]
fn calls_that_ended_before_the_queue_knew_are_told_in_the_new_epoch() {
    let mut house = House::open();
    house.say(Input::Detached);
    let (caller, _) = house.wait_in_queue();
    house.phones[CALLER].1.hangup(house.now, caller, None);
    house.settle();
    assert_eq!(house.gateway.counts().calls, 0);
    house.say(Input::NewEpoch);
    let entries = said_anew(&mut house);
    let kinds: Vec<&str> = entries
        .iter()
        .map(|entry| match entry.event {
            Event::Presence { .. } => "presence",
            Event::CallBegan { .. } => "began",
            Event::CallEnded { .. } => "ended",
            _ => "other",
        })
        .collect();
    assert_eq!(kinds, ["presence", "began", "ended"]);
}
