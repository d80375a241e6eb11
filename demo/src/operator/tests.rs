//! Operators on a phone of cardboard.

use super::*;

fn second(n: u64) -> Time {
    Time::ZERO + Duration::from_secs(n)
}

fn deeds(operator: &mut Operator) -> Vec<Deed> {
    std::iter::from_fn(|| operator.poll_deed()).collect()
}

/// An operator whose phone rings at second 1, and who will do this.
fn rung(reply: Reply) -> Operator {
    let mut operator = Operator::new(3, OperatorScript::new(1, 3));
    operator.state = State::Ringing {
        since: second(1),
        reply,
    };
    operator
}

fn answering(pause: Option<Duration>) -> Reply {
    Reply::Answer {
        after: Duration::from_secs(1),
        talk: Duration::from_secs(6),
        pause,
    }
}

fn offer(deeds: &[Deed]) -> Option<Offer> {
    deeds.iter().find_map(|deed| match deed {
        Deed::Tell(Note::Offered { offer, .. }) => Some(*offer),
        _ => None,
    })
}

#[test]
fn an_operator_answers_talks_and_hangs_up() {
    let mut operator = rung(answering(None));
    assert_eq!(operator.poll_timeout(), Some(second(2)));
    operator.handle_timeout(second(2));
    assert_eq!(deeds(&mut operator), [Deed::Answer, Deed::Attend]);
    operator.handle(second(3), Happened::Voice(Speaker::Caller(7)));
    operator.handle_timeout(second(8));
    assert_eq!(deeds(&mut operator), [Deed::HangUp]);
    operator.handle(second(8), Happened::Released { heard: None });
    let talked = Offer::Talked {
        talked: Duration::from_secs(6),
        caller: Some(7),
        by_operator: true,
    };
    assert_eq!(offer(&deeds(&mut operator)), Some(talked));
}

#[test]
fn an_operator_pauses_after_a_talk_and_is_ready_again() {
    let mut operator = rung(answering(Some(Duration::from_secs(10))));
    operator.handle_timeout(second(2));
    operator.handle(second(5), Happened::Over { heard: None });
    let wish = |wish| Deed::Tell(Note::Wished { operator: 3, wish });
    assert!(deeds(&mut operator).contains(&wish(Wish::Pause)));
    assert_eq!(operator.poll_timeout(), Some(second(15)));
    operator.handle_timeout(second(15));
    assert_eq!(deeds(&mut operator), [wish(Wish::Ready)]);
}

#[test]
fn what_is_ignored_is_missed_and_what_is_declined_is_declined() {
    let mut operator = rung(Reply::Ignore);
    assert_eq!(operator.poll_timeout(), None);
    operator.handle(second(6), Happened::Over { heard: None });
    assert_eq!(offer(&deeds(&mut operator)), Some(Offer::Missed));

    let after = Duration::from_secs(1);
    let mut operator = rung(Reply::Decline { after });
    operator.handle_timeout(second(2));
    assert_eq!(deeds(&mut operator), [Deed::Decline]);
    operator.handle(second(2), Happened::Released { heard: None });
    assert_eq!(offer(&deeds(&mut operator)), Some(Offer::Declined));
}

#[test]
fn at_closing_time_a_talk_ends_in_time_and_the_operator_goes() {
    let gone = Deed::Tell(Note::Gone {
        who: Speaker::Operator(3),
    });
    let mut operator = rung(answering(Some(Duration::from_secs(10))));
    operator.handle_timeout(second(2));
    operator.handle(second(3), Happened::Closing(second(5)));
    assert_eq!(operator.poll_timeout(), Some(second(5)));
    operator.handle_timeout(second(5));
    operator.handle(second(5), Happened::Released { heard: None });
    let last = deeds(&mut operator);
    assert!(last.contains(&Deed::HangUp) && last.contains(&gone), "{last:?}");
    assert_eq!(operator.poll_timeout(), None, "no pause after the last talk");

    let mut idle = Operator::new(3, OperatorScript::new(1, 3));
    idle.handle(second(1), Happened::Closing(second(5)));
    assert_eq!(deeds(&mut idle), [gone]);
}
