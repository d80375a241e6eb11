//! A phone puts the other on hold, in every way there is to say so.

use std::time::Instant;

use crate::kit::centre::{Centre, MUSIC, Plan, STRAIGHT, clip};
use crate::kit::g711::Law;
use crate::kit::ground::{CALLER, PHONE};
use crate::kit::message::{TELEPHONE_EVENT, sdp};
use crate::kit::phone::{Call, PATIENCE, Phone};
use crate::kit::rtp::{RtpEndpoint, Sound};
use crate::kit::wav::Wav;

const CALLERS: f64 = 500.0;
const OPERATORS: f64 = 900.0;
const WAYS: [&str; 3] = ["sendonly", "inactive", "0.0.0.0"];

struct Talk {
    caller: Phone,
    ear: RtpEndpoint,
    call: Call,
    operator: Phone,
    desk: RtpEndpoint,
    ringing: Call,
}

fn talk(centre: &Centre) -> Talk {
    let mut operator = centre.operator("101", 0);
    let mut caller = centre.caller(0);
    let (ear, desk) = (
        RtpEndpoint::open(centre.ip(CALLER)),
        RtpEndpoint::open(centre.ip(PHONE)),
    );
    let call = caller.call(STRAIGHT, &ear, Law::A);
    let ringing = operator.rung(PATIENCE).expect("the operator is offered the call");
    ear.say(Sound::Tone(CALLERS));
    desk.say(Sound::Tone(OPERATORS));
    let answered = operator.answer(&ringing, &desk);
    assert!(operator.acknowledged(&ringing, PATIENCE));
    assert!(ear.wait_for_tone(OPERATORS, answered, PATIENCE).is_some());
    assert!(desk.wait_for_tone(CALLERS, answered, PATIENCE).is_some());
    Talk {
        caller,
        ear,
        call,
        operator,
        desk,
        ringing,
    }
}

/// A session that holds, or, without a way, one that does not.
fn session(rtp: &RtpEndpoint, way: Option<&str>) -> String {
    let body = sdp(rtp.local(), &[Law::A]);
    match way {
        None => body,
        Some("0.0.0.0") => body.replace(&format!("c=IN IP4 {}", rtp.local().ip()), "c=IN IP4 0.0.0.0"),
        Some(way) => body.replace("a=sendrecv", &format!("a={way}")),
    }
}

impl Talk {
    fn operator_says(&mut self, way: Option<&str>) -> Instant {
        let at = Instant::now();
        let answer = self
            .operator
            .reoffer(&mut self.ringing, &session(&self.desk, way));
        assert_eq!(answer.status(), Some(200), "{way:?}");
        at
    }

    fn caller_says(&mut self, way: Option<&str>) -> Instant {
        let at = Instant::now();
        let answer = self.caller.reoffer(&mut self.call, &session(&self.ear, way));
        assert_eq!(answer.status(), Some(200), "{way:?}");
        at
    }

    fn caller_hears_music(&self, from: Instant) -> bool {
        self.ear.wait_for_part_of(&clip("music"), from, MUSIC).is_some()
    }

    /// Packets of keys at the operator's phone.
    fn keys(&self) -> usize {
        let packets = self.desk.packets();
        let keys = packets
            .iter()
            .filter(|it| it.payload_type == TELEPHONE_EVENT && it.marker);
        keys.count()
    }
}

#[test]
fn a_caller_on_hold_hears_music_their_keys_are_kept_and_the_recording_can_be_played() {
    let centre = Centre::open(&Plan {
        record: true,
        ..Plan::default()
    });
    let mut talk = talk(&centre);
    for (turn, way) in (1..).zip(WAYS) {
        let held = talk.operator_says(Some(way));
        assert!(talk.caller_hears_music(held), "{way}");
        // The key is still being sent when the hold ends.
        talk.ear.press('7');
        assert_eq!(talk.keys(), turn - 1, "nobody listens: {way}");
        let back = talk.operator_says(None);
        let voice = talk.ear.wait_for_tone(OPERATORS, back, PATIENCE);
        assert!(voice.is_some(), "the operator is back: {way}");
        assert!(talk.desk.wait_for_tone(CALLERS, back, PATIENCE).is_some());
        let heard = talk
            .desk
            .wait(PATIENCE, 1, |_| (talk.keys() == turn).then_some(()));
        assert!(heard.is_some(), "the key comes now, once: {}", talk.keys());
    }
    let held = talk.operator_says(Some("inactive"));
    assert!(talk.caller_hears_music(held));
    assert!(talk.caller.hang_up(&mut talk.call));
    assert!(talk.operator.hung_up_by_them(&talk.ringing, PATIENCE).is_some());
    talk.ear.assert_one_stream();
    let files = centre.recordings(1, PATIENCE);
    assert_eq!(files.len(), 1, "one talk, one file: {files:?}");
    for side in [0, 1] {
        let heard = Wav::channel(&files[0], side).unwrap();
        assert!(heard.samples.iter().any(|sample| sample.unsigned_abs() > 1_000));
    }
    centre.close();
}

#[test]
fn an_operator_who_hangs_up_with_the_caller_on_hold_leaves_the_caller_with_the_flow() {
    let centre = Centre::open(&Plan::default());
    let mut talk = talk(&centre);
    let held = talk.operator_says(Some("sendonly"));
    assert!(talk.caller_hears_music(held));
    assert!(talk.operator.hang_up(&mut talk.ringing));
    assert!(talk.caller.hung_up_by_them(&talk.call, PATIENCE).is_some());
    centre.close();
}

#[test]
fn a_caller_who_holds_leaves_the_operator_with_a_whole_stream_and_both_may_hold() {
    let centre = Centre::open(&Plan::default());
    let mut talk = talk(&centre);
    for way in WAYS {
        talk.caller_says(Some(way));
        talk.ear.say(Sound::Nothing);
        let more = talk.desk.packets().len() + 100;
        assert!(talk.desk.wait(PATIENCE, more, |_| Some(())).is_some(), "{way}");
        talk.operator_says(Some(way));
        talk.ear.say(Sound::Tone(CALLERS));
        let back = talk.caller_says(None);
        assert!(talk.caller_hears_music(back), "the operator still holds: {way}");
        let back = talk.operator_says(None);
        assert!(
            talk.ear.wait_for_tone(OPERATORS, back, PATIENCE).is_some(),
            "{way}"
        );
        assert!(
            talk.desk.wait_for_tone(CALLERS, back, PATIENCE).is_some(),
            "{way}"
        );
    }
    talk.desk.assert_one_stream_with_pauses(2 * MUSIC);
    assert!(talk.caller.hang_up(&mut talk.call));
    assert!(talk.operator.hung_up_by_them(&talk.ringing, PATIENCE).is_some());
    centre.close();
}

#[test]
fn an_operator_who_holds_and_vanishes_is_missed() {
    let centre = Centre::open(&Plan::default());
    let mut talk = talk(&centre);
    talk.operator_says(Some("inactive"));
    talk.desk.say(Sound::Nothing);
    let quiet = talk.ear.packets().len() + 10 * 50;
    assert!(
        talk.ear.wait(MUSIC, quiet, |_| Some(())).is_some(),
        "it stays as long as it answers"
    );
    let mut next = centre.operator("102", 1);
    talk.operator.vanish();
    let lost = Instant::now();
    let ringing = next.rung(std::time::Duration::from_secs(8));
    println!("offered again after {:?}", lost.elapsed());
    assert!(ringing.is_some(), "the next operator is offered the caller");
    assert!(talk.operator.hung_up_by_them(&talk.ringing, PATIENCE).is_some());
    assert!(talk.caller.hang_up(&mut talk.call));
    centre.close();
}
