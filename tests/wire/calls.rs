//! Whole calls as the people in them hear them.

use std::time::{Duration, Instant};

use crate::kit::baresip::{Account, Baresip};
use crate::kit::centre::{Centre, ENGLISH, ITALIAN, MUSIC, PASSWORD, Plan, STRAIGHT, clip};
use crate::kit::ears::{self, RECOGNISED};
use crate::kit::g711::Law;
use crate::kit::ground::CALLER;
use crate::kit::phone::PATIENCE;
use crate::kit::rtp::{RtpEndpoint, Sound};

/// Prompts are a few seconds long; a caller hears one after another.
const A_PROMPT: Duration = Duration::from_secs(15);

fn baresip(centre: &Centre, user: &str, tone: f64, codecs: &str) -> Baresip {
    let registrar = Some(centre.sip());
    let account = Account {
        tls: false,
        user,
        password: PASSWORD,
        registrar,
        answers: true,
        tone,
        codecs,
    };
    let phone = Baresip::start(&account, &centre.ground.subdirectory(user));
    assert!(phone.registered(PATIENCE), "baresip {user} cannot register");
    phone
}

fn was_heard(samples: &[i16], hz: f64) -> bool {
    samples
        .chunks_exact(1_600)
        .any(|stretch| ears::tone(stretch, hz) > RECOGNISED)
}

#[test]
fn callers_hear_prompts_and_music_then_the_operator_their_key_has_chosen_and_are_heard() {
    let plan = Plan {
        operators: vec![("101", &["support"]), ("102", &["sales"])],
        ..Plan::default()
    };
    let centre = Centre::open(&plan);
    let _sitter = centre.sitter();
    let (mut first, mut second) = (centre.caller(0), centre.caller(1));
    let (one, two) = (
        RtpEndpoint::open(centre.ip(CALLER)),
        RtpEndpoint::open(centre.ip(CALLER + 1)),
    );
    let start = Instant::now();
    let mut support = first.call(ITALIAN, &one, Law::Mu);
    let mut sales = second.call(ITALIAN, &two, Law::A);
    one.say(Sound::Tone(500.0));
    two.say(Sound::Tone(700.0));

    let welcomed = one
        .wait_for_clip(&clip("it/welcome"), start, A_PROMPT)
        .expect("the first caller is welcomed");
    let asked = one.wait_for_clip(&clip("it/main-menu"), welcomed, A_PROMPT);
    assert!(
        asked.is_some(),
        "the first caller hears the menu after the welcome"
    );
    let pressed = one.press('1');
    two.press('2');
    let music = clip("music");
    for rtp in [&one, &two] {
        let heard = rtp.wait_for_part_of(&music, pressed, MUSIC);
        assert!(heard.is_some(), "both callers wait with music");
    }

    // Only now does anyone come to work: sales before support, so that the key decides and not the order.
    let (mut seller, mut helper) = (
        baresip(&centre, "102", 1_300.0, "pcma,pcmu"),
        baresip(&centre, "101", 900.0, "pcmu"),
    );
    assert!(
        seller.event("CALL_ESTABLISHED", PATIENCE).is_some()
            && helper.event("CALL_ESTABLISHED", PATIENCE).is_some()
    );
    for (rtp, hz, where_to) in [
        (&one, 900.0, "key 1 leads to support"),
        (&two, 1_300.0, "key 2 leads to sales"),
    ] {
        assert!(rtp.wait_for_tone(hz, pressed, PATIENCE).is_some(), "{where_to}");
    }
    let talk = one.packets().len() + 100;
    assert!(
        one.wait(PATIENCE, talk, |_| Some(())).is_some(),
        "two seconds of talk"
    );

    assert!(first.hang_up(&mut support) && second.hang_up(&mut sales));
    assert!(
        helper.event("CALL_CLOSED", PATIENCE).is_some() && seller.event("CALL_CLOSED", PATIENCE).is_some()
    );
    for (operator, own, other) in [(&helper, 500.0, 700.0), (&seller, 700.0, 500.0)] {
        let heard = operator.heard();
        assert!(
            was_heard(&heard, own) && !was_heard(&heard, other),
            "an operator hears their caller alone"
        );
    }
    one.assert_one_stream();
    two.assert_one_stream();
    assert!(helper.quit() && seller.quit());
    centre.close();
}

#[test]
fn callers_of_the_english_number_hear_english_and_may_let_the_menu_decide() {
    let centre = Centre::open(&Plan::default());
    let _sitter = centre.sitter();
    let mut caller = centre.caller(0);
    let rtp = RtpEndpoint::open(centre.ip(CALLER));
    let start = Instant::now();
    let mut call = caller.call(ENGLISH, &rtp, Law::A);
    let welcomed = rtp
        .wait_for_clip(&clip("en/welcome"), start, A_PROMPT)
        .expect("the welcome in English");
    let asked = rtp
        .wait_for_clip(&clip("en/main-menu"), welcomed, A_PROMPT)
        .expect("the menu in English");
    // No key: after `timeout` the menu's `noinput` leads to support.
    assert!(
        rtp.wait_for_part_of(&clip("music"), asked, Duration::from_secs(25))
            .is_some(),
        "silence leads to the queue"
    );
    let audio = rtp.audio().samples;
    let italian = ears::pieces(&clip("it/welcome"))
        .iter()
        .filter_map(|piece| ears::locate(piece, &audio))
        .filter(|found| found.score > RECOGNISED)
        .count();
    assert_eq!(italian, 0, "no Italian is heard");
    assert!(caller.hang_up(&mut call));
    centre.close();
}

#[test]
fn key_nine_leads_a_waiting_caller_back_to_the_menu_and_another_key_is_not_lost() {
    let centre = Centre::open(&Plan::default());
    let _sitter = centre.sitter();
    let mut caller = centre.caller(0);
    let rtp = RtpEndpoint::open(centre.ip(CALLER));
    let mut call = caller.call(ITALIAN, &rtp, Law::Mu);
    // Pressed into the welcome: kept for the menu (one type-ahead buffer).
    let pressed = rtp.press('1');
    let music = clip("music");
    assert!(
        rtp.wait_for_part_of(&music, pressed, MUSIC).is_some(),
        "the key pressed ahead is taken by the menu"
    );
    let back = rtp.press('9');
    assert!(
        rtp.wait_for_clip(&clip("it/main-menu"), back, A_PROMPT).is_some(),
        "9 leads back to the menu"
    );
    let again = rtp.press('2');
    assert!(
        rtp.wait_for_part_of(&music, again, MUSIC).is_some(),
        "2 leads to the other queue"
    );
    assert!(caller.hang_up(&mut call));
    centre.close();
}

#[test]
fn the_operator_hangs_up_and_the_caller_hears_goodbye() {
    let centre = Centre::open(&Plan::default());
    let mut caller = centre.caller(0);
    let rtp = RtpEndpoint::open(centre.ip(CALLER));
    let mut operator = baresip(&centre, "101", 900.0, "pcmu");
    let call = caller.call(ITALIAN, &rtp, Law::Mu);
    rtp.press('1');
    assert!(
        rtp.wait_for_tone(900.0, Instant::now(), A_PROMPT).is_some(),
        "the operator is heard"
    );
    let parted = Instant::now();
    operator.command("hangup", "");
    assert!(
        rtp.wait_for_clip(&clip("it/goodbye"), parted, A_PROMPT).is_some(),
        "the flow goes on after the talk"
    );
    assert!(
        caller.hung_up_by_them(&call, A_PROMPT).is_some(),
        "the flow ends the call"
    );
    assert!(operator.quit());
    centre.close();
}

#[test]
fn a_caller_for_whom_nobody_comes_is_told_so_at_the_end_of_max_wait() {
    let centre = Centre::open(&Plan {
        max_wait: "2s",
        ..Plan::default()
    });
    let _sitter = centre.sitter();
    let mut caller = centre.caller(0);
    let rtp = RtpEndpoint::open(centre.ip(CALLER));
    // Its flow names no exit: the built-in apology.
    let call = caller.call(STRAIGHT, &rtp, Law::A);
    assert!(
        rtp.wait_for_clip(&clip("it/all-busy"), Instant::now(), A_PROMPT)
            .is_some(),
        "the apology"
    );
    assert!(caller.hung_up_by_them(&call, A_PROMPT).is_some(), "and the end");
    centre.close();
}

#[test]
fn a_caller_is_told_at_once_when_nobody_is_signed_in() {
    let centre = Centre::open(&Plan::default());
    let mut caller = centre.caller(0);
    let rtp = RtpEndpoint::open(centre.ip(CALLER));
    let call = caller.call(STRAIGHT, &rtp, Law::Mu);
    assert!(
        rtp.wait_for_clip(&clip("it/all-busy"), Instant::now(), A_PROMPT)
            .is_some(),
        "the apology"
    );
    assert!(caller.hung_up_by_them(&call, A_PROMPT).is_some(), "and the end");
    let audio = rtp.audio().samples;
    let music = clip("music");
    let mut pieces = ears::pieces(&music)
        .into_iter()
        .filter_map(|piece| ears::locate(piece, &audio));
    assert!(pieces.all(|found| found.score < RECOGNISED), "no music first");
    centre.close();
}
