//! Logs without room: new callers are refused with an answer, callers who are here go on.

use super::*;

impl House {
    /// How the last call of the caller's phone was refused.
    fn refused_with(&self) -> Option<u16> {
        self.told.iter().rev().find_map(|(phone, event)| match event {
            sip::Event::Refused { status, .. } if *phone == CALLER => Some(*status),
            _ => None,
        })
    }

    fn admission(&mut self, log: Log, open: bool) {
        self.say(Input::Admission { log, open });
    }
}

#[test]
fn a_full_log_refuses_new_callers_with_503_and_cuts_nobody_off() {
    for log in [Log::Journal, Log::Ledger] {
        let mut house = House::open();
        let (_, ticket) = house.wait_in_queue();
        house.admission(log, false);
        assert_eq!(house.gateway.closed(house.now), Some(Closed::Full(log)));
        let written = house.events.len();
        house.dial();
        assert_eq!(house.refused_with(), Some(503));
        let retry = house
            .sent
            .iter()
            .any(|message| message.starts_with(b"SIP/2.0 503") && holds(message, b"Retry-After: "));
        assert!(retry, "503 says when to come back");
        assert_eq!(house.events.len(), written, "nothing is written of it");
        assert!(house.hears_music());
        house.offer(7, ticket);
        house.ringing();
        house.admission(log, true);
        assert_eq!(house.gateway.closed(house.now), None);
        house.dial();
        assert_eq!(house.gateway.counts().calls, 2);
    }
}

#[test]
fn new_callers_are_refused_until_both_logs_have_room() {
    let mut house = House::open();
    house.admission(Log::Journal, false);
    house.admission(Log::Ledger, false);
    house.admission(Log::Journal, false);
    house.admission(Log::Journal, true);
    house.dial();
    assert_eq!(house.gateway.counts().calls, 0);
    house.admission(Log::Ledger, true);
    house.dial();
    assert_eq!(house.gateway.counts().calls, 1);
}

#[test]
fn a_queue_that_stops_for_good_leaves_its_callers_to_their_flow_and_its_talks_alone() {
    let mut house = House::open();
    let (_, ticket) = house.wait_in_queue();
    house.say(Input::Attached { have: 0 });
    let number = house.gateway.last_entry();
    house.say(Input::Acknowledged { number });
    house.say(Input::Detached);
    house.say(Input::QueueStopped);
    house.pass(Duration::ZERO);
    let reason = LeaveReason::Failed;
    assert_eq!(house.saw(&Event::Left { ticket, reason }), 1);
    assert!(
        matches!(house.commands.last(), Some(media::Command::Play { .. })),
        "the apology"
    );

    let mut house = House::open();
    let (_, ticket) = house.wait_in_queue();
    house.offer(7, ticket);
    let (now, ringing) = (house.now, house.ringing());
    house.phones[OPERATOR]
        .1
        .answer(now, ringing, sdp::offer(&local()));
    house.settle();
    house.say(Input::QueueStopped);
    house.pass(secs(60));
    assert_eq!(house.gateway.counts().calls, 1, "the talk goes on");
    assert!(matches!(
        house.commands.last(),
        Some(media::Command::Bridge { .. })
    ));
}

#[test]
fn a_phone_that_rings_when_the_queue_stops_may_still_answer_and_else_the_caller_goes_on_by_the_flow() {
    let mut house = House::open();
    let (_, ticket) = house.wait_in_queue();
    house.offer(7, ticket);
    house.ringing();
    house.say(Input::QueueStopped);
    let reason = LeaveReason::Failed;
    house.pass(secs(10));
    assert_eq!(house.saw(&Event::Left { ticket, reason }), 0, "it rings");
    house.pass(secs(10));
    assert_eq!(house.saw(&Event::Left { ticket, reason }), 1);
}

#[test]
fn a_caller_who_joins_a_queue_that_has_stopped_is_not_kept_waiting() {
    let mut house = House::open();
    house.dial();
    house.say(Input::QueueStopped);
    house.press('1');
    house.pass(Duration::ZERO);
    assert!(
        matches!(house.commands.last(), Some(media::Command::Play { .. })),
        "the apology"
    );
}

#[test]
fn a_caller_whose_call_cannot_be_written_is_refused_at_once() {
    let mut house = House::open();
    house.slow_disk = true;
    house.dial();
    assert_eq!(house.refused_with(), None, "not answered before the disk has it");
    house.admission(Log::Journal, false);
    house.say(Input::Unwritable);
    assert_eq!(house.refused_with(), Some(503));
    house.written();
    house.settle();
    assert_eq!(house.gateway.counts().calls, 0);
}

/// Its port opens when the journal has failed already.
#[test]
fn a_caller_who_came_just_before_the_journal_failed_is_refused_as_well() {
    let mut house = House::open();
    house.slow_disk = true;
    let (uri, flow) = ("sip:800@10.0.0.1".into(), house.flow(CALLER));
    let now = house.now;
    let offer = sdp::offer(&local());
    let options = sip::InviteOptions::default();
    house.phones[CALLER]
        .1
        .invite(now, &sip::Destination { uri, flow }, offer, options);
    while let Some(output) = house.phones[CALLER].1.poll_output() {
        let sip::Output::Transmit { flow, bytes } = output else {
            continue;
        };
        let flow = sip::Flow {
            local: flow.remote,
            remote: flow.local,
            ..flow
        };
        house.input(Input::Sip(sip::Input::Message { flow, bytes }));
    }
    house.input(Input::Unwritable);
    house.settle();
    assert_eq!(house.refused_with(), Some(503));
    assert_eq!(house.gateway.counts().calls, 0);
}

fn holds(message: &[u8], part: &[u8]) -> bool {
    message.windows(part.len()).any(|window| window == part)
}
