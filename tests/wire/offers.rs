//! Offers that do not end in a talk, and who comes next.

use std::time::{Duration, Instant};

use crate::kit::centre::{Centre, MUSIC, Plan, STRAIGHT, clip};
use crate::kit::g711::Law;
use crate::kit::ground::{CALLER, PHONE};
use crate::kit::phone::{PATIENCE, Phone};
use crate::kit::rtp::{RtpEndpoint, Sound};

/// A caller waiting in the queue, certainly behind whoever was there before.
fn waiting(centre: &Centre, number: u8, tone: f64) -> (Phone, RtpEndpoint, crate::kit::phone::Call) {
    let mut caller = centre.caller(number);
    let rtp = RtpEndpoint::open(centre.ip(CALLER + number));
    let call = caller.call(STRAIGHT, &rtp, Law::A);
    rtp.say(Sound::Tone(tone));
    assert!(
        rtp.wait_for_part_of(&clip("music"), Instant::now(), MUSIC)
            .is_some(),
        "caller {number} waits with music"
    );
    (caller, rtp, call)
}

#[test]
fn an_operator_who_does_not_answer_is_passed_over_and_the_caller_stays_at_the_head() {
    let centre = Centre::open(&Plan {
        ring: "2s",
        ..Plan::default()
    });
    let mut deaf = centre.operator("101", 0);
    let (mut first, first_rtp, mut head) = waiting(&centre, 0, 500.0);
    let rings = deaf
        .rung(PATIENCE)
        .expect("the only operator is offered the call");
    let rang = Instant::now();
    let given_up = deaf
        .cancelled(&rings, PATIENCE)
        .expect("after the ring time the phone is silenced");
    assert!(
        given_up - rang < Duration::from_millis(2_600),
        "it rang for {:?}",
        given_up - rang
    );
    assert!(deaf.acknowledged(&rings, PATIENCE), "487 is acknowledged");
    let (mut second, second_rtp, mut behind) = waiting(&centre, 1, 700.0);

    // Not offered again to the one who did not answer (rona_pause), but to the next who signs in: the head's call.
    let mut keen = centre.operator("102", 1);
    let desk = RtpEndpoint::open(centre.ip(PHONE + 1));
    let ringing = keen
        .rung(PATIENCE)
        .expect("the other operator is offered the call");
    desk.say(Sound::Tone(900.0));
    let answered = keen.answer(&ringing, &desk);
    assert!(
        desk.wait_for_tone(500.0, answered, PATIENCE).is_some(),
        "it is the head of the queue"
    );
    assert!(first_rtp.wait_for_tone(900.0, answered, PATIENCE).is_some());
    assert!(
        second_rtp
            .wait_for_part_of(&clip("music"), answered, MUSIC)
            .is_some(),
        "the second still waits"
    );
    assert!(
        deaf.rung(Duration::from_millis(300)).is_none(),
        "who did not answer is paused"
    );

    // The second is served when the first is done and the wrap-up (1 s) is over.
    assert!(first.hang_up(&mut head));
    let freed = Instant::now();
    assert!(keen.hung_up_by_them(&ringing, PATIENCE).is_some());
    let next = keen.rung(PATIENCE).expect("the second caller is offered");
    assert!(
        freed.elapsed() >= Duration::from_millis(900),
        "wrap-up is respected: {:?}",
        freed.elapsed()
    );
    let answered = keen.answer(&next, &desk);
    assert!(
        desk.wait_for_tone(700.0, answered, PATIENCE).is_some(),
        "it is the second caller"
    );
    assert!(second.hang_up(&mut behind));
    centre.close();
}

#[test]
fn a_caller_who_hangs_up_while_the_phone_rings_frees_the_operator_at_once() {
    let centre = Centre::open(&Plan::default());
    let mut operator = centre.operator("101", 0);
    let desk = RtpEndpoint::open(centre.ip(PHONE));
    let (mut first, _first_rtp, mut head) = waiting(&centre, 0, 500.0);
    let rings = operator.rung(PATIENCE).expect("the operator is offered the call");
    let (mut second, second_rtp, mut behind) = waiting(&centre, 1, 700.0);
    let gone = Instant::now();
    assert!(first.hang_up(&mut head));
    let silenced = operator.cancelled(&rings, PATIENCE).expect("CANCEL");
    assert!(
        silenced - gone < Duration::from_millis(200),
        "silenced only after {:?}",
        silenced - gone
    );
    assert!(operator.acknowledged(&rings, PATIENCE), "487 is acknowledged");
    let next = operator.rung(PATIENCE).expect("the next caller is offered");
    let free = gone.elapsed();
    println!(
        "silenced {:?}, offered the next caller {free:?} after the hang-up",
        silenced - gone
    );
    assert!(
        free < Duration::from_millis(500),
        "no wrap-up, no pause: the operator is not to blame"
    );
    desk.say(Sound::Tone(900.0));
    let answered = operator.answer(&next, &desk);
    assert!(
        desk.wait_for_tone(700.0, answered, PATIENCE).is_some()
            && second_rtp.wait_for_tone(900.0, answered, PATIENCE).is_some()
    );
    assert!(second.hang_up(&mut behind));
    centre.close();
}

#[test]
fn an_operator_who_declines_is_passed_over() {
    let centre = Centre::open(&Plan::default());
    let mut unwilling = centre.operator("101", 0);
    let mut willing = centre.operator("102", 1);
    let desk = RtpEndpoint::open(centre.ip(PHONE + 1));
    let mut caller = centre.caller(0);
    let rtp = RtpEndpoint::open(centre.ip(CALLER));
    let mut call = caller.call(STRAIGHT, &rtp, Law::Mu);
    let first = unwilling
        .rung(PATIENCE)
        .expect("who signed in first has been idle the longest");
    assert!(unwilling.refuse(&first, 603, "Decline"));
    let second = willing
        .rung(PATIENCE)
        .expect("the other operator is offered the call");
    desk.say(Sound::Tone(900.0));
    let answered = willing.answer(&second, &desk);
    assert!(rtp.wait_for_tone(900.0, answered, PATIENCE).is_some());
    assert!(caller.hang_up(&mut call));
    centre.close();
}

#[test]
fn an_operator_who_signs_out_while_talking_finishes_the_call_and_gets_no_other() {
    let centre = Centre::open(&Plan::default());
    let mut operator = centre.operator("101", 0);
    let desk = RtpEndpoint::open(centre.ip(PHONE));
    let (mut first, first_rtp, mut talk) = waiting(&centre, 0, 500.0);
    let ringing = operator.rung(PATIENCE).expect("the operator is offered the call");
    desk.say(Sound::Tone(900.0));
    let answered = operator.answer(&ringing, &desk);
    assert!(first_rtp.wait_for_tone(900.0, answered, PATIENCE).is_some());
    assert_eq!(operator.register(crate::kit::centre::PASSWORD, 0), Some(200));
    assert!(
        first_rtp.wait_for_tone(900.0, Instant::now(), PATIENCE).is_some(),
        "the talk goes on"
    );
    let (mut second, second_rtp, mut behind) = waiting(&centre, 1, 700.0);
    assert!(first.hang_up(&mut talk));
    assert!(operator.hung_up_by_them(&ringing, PATIENCE).is_some());
    assert!(
        operator.rung(Duration::from_secs(2)).is_none(),
        "signed out: no further call"
    );
    assert!(
        second_rtp
            .wait_for_part_of(&clip("music"), Instant::now(), MUSIC)
            .is_some(),
        "the next still waits"
    );
    assert!(second.hang_up(&mut behind));
    centre.close();
}
