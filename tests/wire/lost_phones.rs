//! Phones that vanish without a word: their battery, their network, their process. And phones that only send nothing.

use std::time::{Duration, Instant};

use crate::kit::baresip::{Account, Baresip};
use crate::kit::centre::{Centre, EARLY, MUSIC, PASSWORD, Plan, STRAIGHT, clip};
use crate::kit::g711::Law;
use crate::kit::ground::{CALLER, PHONE};
use crate::kit::phone::{Call, PATIENCE, Phone};
use crate::kit::rtp::{RtpEndpoint, Sound};

const CALLERS: f64 = 500.0;
const OPERATORS: f64 = 900.0;
/// From the last packet of the operator's phone to the next operator's.
const NEXT: Duration = Duration::from_secs(8);
/// From the last packet of a caller to the end of the call.
const GHOST: Duration = Duration::from_secs(12);

fn caller(centre: &Centre) -> (Phone, RtpEndpoint, Call) {
    let mut caller = centre.caller(0);
    let rtp = RtpEndpoint::open(centre.ip(CALLER));
    let call = caller.call(STRAIGHT, &rtp, Law::A);
    rtp.say(Sound::Tone(CALLERS));
    (caller, rtp, call)
}

/// The phone is rung and answers; both are heard.
fn connect(phone: &mut Phone, desk: &RtpEndpoint, rtp: &RtpEndpoint) -> Call {
    let ringing = phone.rung(PATIENCE).expect("the operator is offered the call");
    talk(phone, &ringing, desk, rtp);
    ringing
}

fn talk(phone: &mut Phone, ringing: &Call, desk: &RtpEndpoint, rtp: &RtpEndpoint) {
    desk.say(Sound::Tone(OPERATORS));
    let answered = phone.answer(ringing, desk);
    assert!(phone.acknowledged(ringing, PATIENCE));
    assert!(rtp.wait_for_tone(OPERATORS, answered, PATIENCE).is_some());
    assert!(desk.wait_for_tone(CALLERS, answered, PATIENCE).is_some());
}

fn hears_music(rtp: &RtpEndpoint, from: Instant) -> bool {
    rtp.wait_for_part_of(&clip("music"), from, MUSIC).is_some()
}

/// Waits for the record of the one call; it holds all of these.
fn recorded(centre: &mut Centre, wanted: &[&str]) {
    let holds = |line: &String| wanted.iter().all(|part| line.contains(part));
    centre.until(&format!("a record with {wanted:?}"), |centre| {
        centre.calls(&["--json"]).iter().any(holds)
    });
}

#[test]
fn an_operator_who_vanishes_in_mid_talk_leaves_the_caller_with_music_and_the_next_operator() {
    for recorded_talks in [false, true] {
        let mut centre = Centre::open(&Plan {
            record: recorded_talks,
            ..Plan::default()
        });
        let mut gone = centre.operator("101", 0);
        let (mut phone, rtp, mut call) = caller(&centre);
        let desk = RtpEndpoint::open(centre.ip(PHONE));
        let talked = connect(&mut gone, &desk, &rtp);
        let mut next = centre.operator("102", 1);
        let lost = Instant::now();
        gone.vanish();
        desk.say(Sound::Nothing);
        let ringing = next.rung(NEXT).expect("the next operator is offered the caller");
        let took = lost.elapsed();
        println!("offered again after {took:?}");
        assert!(took < NEXT, "{took:?}");
        assert!(hears_music(&rtp, lost), "meanwhile there is music");
        assert!(
            gone.hung_up_by_them(&talked, PATIENCE).is_some(),
            "the lost phone is told, should it be back"
        );
        let other = RtpEndpoint::open(centre.ip(PHONE + 1));
        talk(&mut next, &ringing, &other, &rtp);
        assert!(phone.hang_up(&mut call));
        assert!(next.hung_up_by_them(&ringing, PATIENCE).is_some());
        recorded(
            &mut centre,
            &["\"outcome\":\"operator-lost\"", "\"outcome\":\"answered\""],
        );
        if recorded_talks {
            let files = centre.recordings(2, PATIENCE);
            assert_eq!(
                files.len(),
                2,
                "each of the two talks has its recording: {files:?}"
            );
        }
        rtp.assert_one_stream();
        centre.close();
    }
}

#[test]
fn an_operator_who_vanishes_before_the_first_packet_is_missed_too() {
    let centre = Centre::open(&Plan::default());
    let mut gone = centre.operator("101", 0);
    let (mut phone, rtp, mut call) = caller(&centre);
    let desk = RtpEndpoint::open(centre.ip(PHONE));
    let ringing = gone.rung(PATIENCE).expect("the operator is offered the call");
    let mut next = centre.operator("102", 1);
    gone.answer(&ringing, &desk);
    gone.vanish();
    let lost = Instant::now();
    next.rung(NEXT).expect("the next operator is offered the caller");
    assert!(lost.elapsed() < NEXT);
    assert!(hears_music(&rtp, lost));
    assert!(gone.hung_up_by_them(&ringing, PATIENCE).is_some());
    assert!(phone.hang_up(&mut call));
    centre.close();
}

#[test]
fn a_real_phone_whose_connection_and_process_end_in_mid_talk_is_missed_too() {
    let mut centre = Centre::open(&Plan {
        secure: true,
        ..Plan::default()
    });
    let account = Account {
        tls: true,
        user: "101",
        password: PASSWORD,
        registrar: Some(centre.sip_over_tls()),
        answers: true,
        tone: OPERATORS,
        codecs: "pcma",
    };
    let phone = Baresip::start(&account, &centre.ground.subdirectory("101"));
    assert!(phone.registered(PATIENCE), "baresip cannot register");
    let began = Instant::now();
    let (mut waiting, rtp, mut call) = caller(&centre);
    assert!(rtp.wait_for_tone(OPERATORS, began, MUSIC).is_some(), "they talk");
    let mut next = centre.operator("102", 1);
    let lost = Instant::now();
    drop(phone);
    assert!(
        next.rung(NEXT).is_some(),
        "the next operator is offered the caller"
    );
    assert!(lost.elapsed() < NEXT);
    assert!(hears_music(&rtp, lost));
    assert!(waiting.hang_up(&mut call));
    recorded(&mut centre, &["\"outcome\":\"operator-lost\""]);
    centre.close();
}

#[test]
fn a_muted_phone_that_answers_is_not_missed() {
    let centre = Centre::open(&Plan::default());
    let mut operator = centre.operator("101", 0);
    let (mut phone, rtp, mut call) = caller(&centre);
    let desk = RtpEndpoint::open(centre.ip(PHONE));
    let talked = connect(&mut operator, &desk, &rtp);
    // Neither says anything for longer than either would be waited for.
    for end in [&desk, &rtp] {
        end.say(Sound::Nothing);
    }
    let quiet = rtp.packets().len() + 15 * 50;
    assert!(rtp.wait(MUSIC, quiet, |_| Some(())).is_some(), "silence is sent");
    desk.say(Sound::Tone(OPERATORS));
    assert!(
        rtp.wait_for_tone(OPERATORS, Instant::now(), PATIENCE).is_some(),
        "they still talk"
    );
    assert!(phone.hang_up(&mut call));
    assert!(operator.hung_up_by_them(&talked, PATIENCE).is_some());
    centre.close();
}

#[test]
fn a_ghost_leaves_the_line_and_a_caller_who_only_listens_stays() {
    let mut centre = Centre::open(&Plan::default());
    let _sitter = centre.sitter();
    let (listener, ear) = (&mut centre.caller(1), RtpEndpoint::open(centre.ip(CALLER + 1)));
    let mut stays = listener.call(STRAIGHT, &ear, Law::A);
    let (mut ghost, rtp, call) = caller(&centre);
    assert!(hears_music(&rtp, Instant::now()) && hears_music(&ear, Instant::now()));
    let gone = Instant::now();
    ghost.vanish();
    rtp.say(Sound::Nothing);
    let ended = ghost
        .hung_up_by_them(&call, GHOST)
        .expect("the ghost is hung up on");
    println!("a ghost was up for {:?}", ended - gone);
    recorded(
        &mut centre,
        &["\"outcome\":\"peer-lost\"", "\"outcome\":\"lost\""],
    );
    // Twelve seconds of music, without a packet from this one.
    let quiet = 12 * 50;
    assert!(ear.wait(MUSIC, quiet, |_| Some(())).is_some());
    assert!(hears_music(&ear, Instant::now()));
    assert!(listener.hang_up(&mut stays));
    centre.close();
}

#[test]
fn a_ghost_who_was_never_answered_leaves_the_menu() {
    let mut centre = Centre::open(&Plan::default());
    let _sitter = centre.sitter();
    let mut ghost = centre.caller(0);
    let rtp = RtpEndpoint::open(centre.ip(CALLER));
    let mut call = ghost.invite(EARLY, &rtp, &[Law::A]);
    let early = ghost.receive(PATIENCE, |message| message.status() == Some(183));
    assert!(early.is_some(), "it hears us unanswered");
    ghost.vanish();
    let refused = ghost.final_response(&mut call, GHOST);
    assert_eq!(
        refused.and_then(|it| it.status()),
        Some(480),
        "the call is refused"
    );
    recorded(&mut centre, &["\"outcome\":\"peer-lost\"", "\"duration\":0.000"]);
    centre.close();
}
