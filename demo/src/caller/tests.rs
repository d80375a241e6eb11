//! Callers on a phone of cardboard: told what happens, watched for what they do.

use std::time::Duration;

use super::*;

fn second(n: u64) -> Time {
    Time::ZERO + Duration::from_secs(n)
}

fn deeds(caller: &mut Caller) -> Vec<Deed> {
    std::iter::from_fn(|| caller.poll_deed()).collect()
}

/// A caller whose first call is this one.
fn caller(call: Planned) -> Caller {
    let mut caller = Caller::new(Time::ZERO, 4, CallerScript::new(1, 4));
    caller.state = State::Resting {
        until: Time::ZERO + call.rest,
        call,
    };
    caller
}

fn planned() -> Planned {
    Planned {
        rest: Duration::from_secs(1),
        dial: "801",
        keys: vec![(Duration::from_secs(2), '1')],
        patience: Duration::from_secs(30),
        talk: Some(Duration::from_secs(5)),
    }
}

/// Dialled and answered at second 1; the menu's key pressed at second 3.
fn waiting(call: Planned) -> Caller {
    let mut caller = caller(call);
    assert_eq!(caller.poll_timeout(), Some(second(1)));
    caller.handle_timeout(second(1));
    assert!(deeds(&mut caller).contains(&Deed::Dial("801")));
    caller.handle(second(1), Happened::Answered);
    assert_eq!(caller.poll_timeout(), Some(second(3)));
    caller.handle_timeout(second(3));
    let pressed = Deed::Press(Digit::from_char('1').unwrap());
    assert!(deeds(&mut caller).contains(&pressed));
    caller
}

fn outcome(caller: &mut Caller) -> Outcome {
    let told = deeds(caller).into_iter().find_map(|deed| match deed {
        Deed::Tell(Note::Called { outcome, .. }) => Some(outcome),
        _ => None,
    });
    told.expect("a call that is over is told")
}

#[test]
fn a_caller_talks_as_planned_and_hangs_up() {
    let mut caller = waiting(planned());
    caller.handle(second(10), Happened::Voice(Speaker::Operator(2)));
    assert_eq!(caller.poll_timeout(), Some(second(15)));
    caller.handle_timeout(second(15));
    assert!(deeds(&mut caller).contains(&Deed::HangUp));
    caller.handle(second(15), Happened::Released { heard: None });
    let talked = Outcome::Talked {
        waited: Duration::from_secs(7),
        operator: 2,
        by_caller: true,
    };
    assert_eq!(outcome(&mut caller), talked);
    assert!(caller.poll_timeout() > Some(second(15)), "and will call again");
}

#[test]
fn a_caller_whose_patience_ends_abandons() {
    let mut caller = waiting(planned());
    caller.handle_timeout(second(30));
    assert!(!deeds(&mut caller).contains(&Deed::HangUp));
    caller.handle_timeout(second(31));
    assert!(deeds(&mut caller).contains(&Deed::HangUp));
    caller.handle(second(31), Happened::Released { heard: None });
    let waited = Duration::from_secs(28);
    assert_eq!(outcome(&mut caller), Outcome::Abandoned { waited });
}

#[test]
fn a_caller_who_is_sent_away_or_refused_says_so() {
    let mut caller = waiting(planned());
    caller.handle(second(9), Happened::Over { heard: None });
    let waited = Duration::from_secs(6);
    assert_eq!(outcome(&mut caller), Outcome::SentAway { waited });
    let at = caller.poll_timeout().unwrap();
    caller.handle_timeout(at);
    caller.handle(at, Happened::Refused(503));
    assert_eq!(outcome(&mut caller), Outcome::Refused(503));
}

#[test]
fn no_key_is_pressed_once_the_operator_speaks() {
    let mut call = planned();
    call.keys.push((Duration::from_secs(9), '9'));
    call.talk = None;
    let mut caller = waiting(call);
    caller.handle(second(5), Happened::Voice(Speaker::Operator(0)));
    assert_eq!(caller.poll_timeout(), None, "the operator ends this talk");
    caller.handle_timeout(second(60));
    assert!(
        !deeds(&mut caller)
            .iter()
            .any(|deed| matches!(deed, Deed::Press(_) | Deed::HangUp))
    );
}

#[test]
fn at_closing_time_who_rests_goes_and_who_waits_goes_a_little_later() {
    let gone = Deed::Tell(Note::Gone {
        who: Speaker::Caller(4),
    });
    let mut resting = caller(planned());
    resting.handle(Time::ZERO, Happened::Closing(second(5)));
    assert!(deeds(&mut resting).contains(&gone));
    assert_eq!(resting.poll_timeout(), None);

    let mut caller = waiting(planned());
    caller.handle(second(4), Happened::Closing(second(8)));
    assert!(!deeds(&mut caller).contains(&gone));
    assert_eq!(caller.poll_timeout(), Some(second(8)));
    caller.handle_timeout(second(8));
    caller.handle(second(8), Happened::Released { heard: None });
    let last = deeds(&mut caller);
    assert!(last.contains(&Deed::HangUp) && last.contains(&gone), "{last:?}");
}
