//! Invariant 10: audio to the caller is cut within 100 ms of a key press or of the operator's answer, measured at the
//! caller's ear, packet by packet.

use std::time::{Duration, Instant};

use crate::kit::centre::{Centre, ITALIAN, MUSIC, Plan, STRAIGHT, clip};
use crate::kit::ears::{self, PIECE, RECOGNISED};
use crate::kit::g711::Law;
use crate::kit::ground::{CALLER, PHONE};
use crate::kit::phone::PATIENCE;
use crate::kit::rtp::{Audio, RtpEndpoint, Sound};

pub(crate) const LIMIT: Duration = Duration::from_millis(100);

/// How long `clip` (which goes round) went on after `from`. `None` if it cannot be said: it was not playing just then,
/// or the machine made a hole in it.
pub(crate) fn overrun(clip: &[i16], audio: &Audio, from: Instant) -> Option<Duration> {
    let until = audio.frames.iter().find(|frame| frame.1 >= from)?.0;
    let before = &audio.samples[until.checked_sub(PIECE)?..until];
    let looped: Vec<i16> = clip.iter().chain(&clip[..PIECE]).copied().collect();
    let place = ears::locate(before, &looped).filter(|found| found.score > RECOGNISED)?;
    let start = until as isize - PIECE as isize - place.offset as isize;
    let last = last_of(clip, start, audio, from)?;
    (last + LIMIT >= from).then(|| last.saturating_duration_since(from))
}

/// When the last frame of `clip` came, if `clip[0]` lay at `start` of the received samples and it went on past `from`:
/// frames where the clip pauses say nothing, two others in a row that are not the clip are its end.
fn last_of(clip: &[i16], start: isize, audio: &Audio, from: Instant) -> Option<Instant> {
    let (mut last, mut strange) = (None, 0);
    for &(at, arrived) in &audio.frames {
        let expected = (at as isize - start).rem_euclid(clip.len() as isize) as usize;
        let (Some(expected), Some(heard)) = (
            clip.get(expected..expected + 160),
            audio.samples.get(at..at + 160),
        ) else {
            continue;
        };
        match ears::likeness(expected, heard) {
            Some(likeness) if likeness > RECOGNISED => (last, strange) = (Some(arrived), 0),
            None if heard.iter().all(|sample| sample.unsigned_abs() < 100) && !quiet(expected) => {
                strange += 1
            }
            None => {}
            Some(_) => strange += 1,
        }
        if arrived >= from && strange >= 2 {
            return last;
        }
    }
    None
}

fn quiet(samples: &[i16]) -> bool {
    samples.iter().all(|sample| sample.unsigned_abs() < 200)
}

#[test]
fn the_measure_finds_the_end_to_the_frame_and_says_nothing_when_there_is_none() {
    let clip: Vec<i16> = (0..16_000)
        .map(|at| ears::sine(300.0 + f64::from(at / 800) * 40.0, 800)[at as usize % 800])
        .collect();
    let start = Instant::now();
    let frames: Vec<(usize, Instant)> = (0..80)
        .map(|at| (at * 160, start + Duration::from_millis(20) * at as u32))
        .collect();
    let from = start + Duration::from_millis(600);
    for frames_on in [0, 1, 4, 20] {
        let cut = (30 + frames_on) * 160;
        let samples = clip[..cut]
            .iter()
            .chain(&ears::sine(1_900.0, 12_800 - cut))
            .copied()
            .collect();
        let audio = Audio {
            begins: 0,
            samples,
            frames: frames.clone(),
        };
        let end = last_of(&clip, 0, &audio, from).expect("there is an end");
        assert_eq!(end, start + Duration::from_millis(20) * (29 + frames_on as u32));
    }
    let whole = Audio {
        samples: clip[..12_800].to_vec(),
        begins: 0,
        frames,
    };
    assert_eq!(last_of(&clip, 0, &whole, from), None);
}

#[test]
fn a_key_cuts_the_prompt_within_100_ms() {
    let centre = Centre::open(&Plan::default());
    let _sitter = centre.sitter();
    let mut caller = centre.caller(0);
    let rtp = RtpEndpoint::open(centre.ip(CALLER));
    let menu = clip("it/main-menu");
    let mut call = caller.call(ITALIAN, &rtp, Law::Mu);
    let asked = rtp.wait_for_clip(&menu, Instant::now(), Duration::from_secs(20));
    assert!(asked.is_some(), "the menu is heard");
    let pressed = rtp.press('1');
    assert!(
        rtp.wait_for_part_of(&clip("music"), pressed, MUSIC).is_some(),
        "music follows the key"
    );
    let late = overrun(&menu, &rtp.audio(), pressed).expect("the menu was playing when the key was pressed");
    println!("the prompt was cut {late:?} after the key");
    assert!(late <= LIMIT, "the prompt went on for {late:?} after the key");
    assert!(caller.hang_up(&mut call));
    rtp.assert_one_stream();
    centre.close();
}

#[test]
fn the_operators_answer_cuts_the_music_within_100_ms() {
    let centre = Centre::open(&Plan::default());
    let _sitter = centre.sitter();
    let mut caller = centre.caller(0);
    let (rtp, desk) = (
        RtpEndpoint::open(centre.ip(CALLER)),
        RtpEndpoint::open(centre.ip(PHONE)),
    );
    let mut call = caller.call(STRAIGHT, &rtp, Law::Mu);
    rtp.say(Sound::Tone(500.0));
    let music = clip("music");
    assert!(
        rtp.wait_for_part_of(&music, Instant::now(), MUSIC).is_some(),
        "the caller waits with music"
    );
    let mut operator = centre.operator("101", 0);
    let ringing = operator.rung(PATIENCE).expect("the operator's phone rings");
    // While it rings the caller goes on hearing music.
    let before = rtp
        .wait_for_part_of(&music, Instant::now(), MUSIC)
        .expect("music while the phone rings");
    assert!(before.score > RECOGNISED);
    desk.say(Sound::Tone(900.0));
    let answered = operator.answer(&ringing, &desk);
    assert!(operator.acknowledged(&ringing, PATIENCE));
    let voice = rtp
        .wait_for_tone(900.0, answered, PATIENCE)
        .expect("the operator is heard");
    assert!(
        desk.wait_for_tone(500.0, answered, PATIENCE).is_some(),
        "the caller is heard"
    );

    let late =
        overrun(&music, &rtp.audio(), answered).expect("the music was playing when the operator answered");
    println!(
        "music was cut {late:?}, the operator heard {:?} after the answer",
        voice - answered
    );
    assert!(late <= LIMIT, "the music went on for {late:?} after the answer");
    assert!(
        voice - answered <= 3 * LIMIT,
        "the operator is heard only after {:?}",
        voice - answered
    );
    assert!(caller.hang_up(&mut call));
    assert!(
        operator.hung_up_by_them(&ringing, PATIENCE).is_some(),
        "the operator's leg ends with the caller's"
    );
    rtp.assert_one_stream();
    centre.close();
}
