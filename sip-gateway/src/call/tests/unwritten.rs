//! Calls that the disk does not have yet: nobody is answered without a record.

use super::*;

fn house() -> House {
    let mut house = House::open();
    house.slow_disk = true;
    house
}

/// The statuses that a phone received for its calls.
fn statuses(house: &House, phone: usize) -> Vec<u16> {
    let told = house.told.iter().filter(|(who, _)| *who == phone);
    told.filter_map(|(_, event)| match event {
        sip::Event::Progress { status, .. } | sip::Event::Refused { status, .. } => Some(*status),
        sip::Event::Answered { .. } => Some(200),
        _ => None,
    })
    .collect()
}

#[test]
fn a_caller_is_answered_only_when_the_disk_has_the_call() {
    let mut house = house();
    house.dial();
    house.pass(secs(5));
    assert!(statuses(&house, CALLER).is_empty(), "unanswered and not charged");
    assert!(house.gateway.awaits().is_some(), "the shell is asked to tell");
    // What the disk had before this call does not count.
    let number = house.gateway.last_entry() - 1;
    house.say(Input::Durable { number });
    assert!(statuses(&house, CALLER).is_empty());
    house.written();
    house.settle();
    assert_eq!(statuses(&house, CALLER), [200]);
    assert_eq!(house.gateway.awaits(), None);
}

#[test]
fn early_media_waits_for_the_disk_as_an_answer_does() {
    let mut settings = settings();
    settings.numbers.get_mut("800").unwrap().answer = Answer::OnOperator;
    let mut house = House::open_with(settings);
    house.slow_disk = true;
    house.dial();
    assert!(statuses(&house, CALLER).is_empty());
    house.written();
    house.settle();
    assert_eq!(statuses(&house, CALLER), [183]);
}

#[test]
fn a_caller_whom_the_disk_keeps_waiting_is_refused_with_retry_after() {
    let mut house = house();
    house.dial();
    house.pass(secs(9));
    assert_eq!(statuses(&house, CALLER), [503]);
    let refusal = house
        .sent
        .iter()
        .rev()
        .find(|bytes| bytes.starts_with(b"SIP/2.0 503"));
    let refusal = std::str::from_utf8(refusal.expect("a 503 was sent")).unwrap();
    assert!(refusal.contains("Retry-After: "), "{refusal}");
    // The disk comes too late: nobody is there any more.
    house.written();
    house.settle();
    assert_eq!(statuses(&house, CALLER), [503]);
    assert_eq!(house.gateway.counts().calls, 0);
}

#[test]
fn a_caller_who_gives_up_before_the_disk_has_the_call_is_not_answered_after_it() {
    let mut house = house();
    let leg = house.dial();
    house.pass(secs(1));
    let now = house.now;
    house.phones[CALLER].1.hangup(now, leg, None);
    house.settle();
    house.written();
    house.settle();
    assert!(!statuses(&house, CALLER).contains(&200));
    assert_eq!(house.gateway.counts().calls, 0);
    let ended = house.events.iter().any(|event| {
        matches!(
            event,
            Event::CallEnded {
                outcome: CallOutcome::Cancelled,
                ..
            }
        )
    });
    assert!(ended, "the record tells it");
}

#[test]
fn more_callers_than_may_wait_for_the_disk_are_refused_at_once() {
    let mut settings = settings();
    settings.max_calls = 10_000;
    let mut house = House::open_with(settings);
    house.slow_disk = true;
    for _ in 0..2_001 {
        house.dial();
    }
    let refused = statuses(&house, CALLER)
        .iter()
        .filter(|status| **status == 503)
        .count();
    assert_eq!(refused, 1);
    house.written();
    house.settle();
    let answered = statuses(&house, CALLER)
        .iter()
        .filter(|status| **status == 200)
        .count();
    assert_eq!(
        answered, 2_000,
        "all who were not refused are answered in the end"
    );
}
