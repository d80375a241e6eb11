//! Recorded talks: each voice on its side, nobody recorded untold, and a file that can be played after a kill.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::kit::centre::{Centre, Plan, STRAIGHT, clip};
use crate::kit::ears;
use crate::kit::g711::Law;
use crate::kit::ground::{CALLER, PHONE};
use crate::kit::phone::{Call, PATIENCE, Phone};
use crate::kit::rtp::{RtpEndpoint, Sound};
use crate::kit::wav::Wav;

const CALLERS: f64 = 500.0;
const OPERATORS: f64 = 900.0;

/// The two phones of a talk.
struct Talk {
    caller: Phone,
    rtp: RtpEndpoint,
    call: Call,
    operator: Phone,
    desk: RtpEndpoint,
    ringing: Call,
    answered: Instant,
    /// After hearing the first of what is told: when the operator's phone rang.
    rung: Option<Duration>,
}

/// A caller and an operator, each with a tone of their own, once both are heard. The caller waits for `told` first.
fn talk(centre: &Centre, told: &[i16]) -> Talk {
    let mut operator = centre.operator("101", 0);
    let mut caller = centre.caller(0);
    let (rtp, desk) = (
        RtpEndpoint::open(centre.ip(CALLER)),
        RtpEndpoint::open(centre.ip(PHONE)),
    );
    let dialled = Instant::now();
    let call = caller.call(STRAIGHT, &rtp, Law::Mu);
    let begun = (!told.is_empty()).then(|| {
        let begun = rtp.wait_for_clip(told, dialled, PATIENCE);
        begun.expect("the caller is told")
    });
    let ringing = operator
        .rung(Duration::from_secs(20))
        .expect("the operator's phone rings");
    let rung = begun.map(|begun| begun.elapsed());
    rtp.say(Sound::Tone(CALLERS));
    desk.say(Sound::Tone(OPERATORS));
    let answered = operator.answer(&ringing, &desk);
    assert!(operator.acknowledged(&ringing, PATIENCE));
    assert!(rtp.wait_for_tone(OPERATORS, answered, PATIENCE).is_some());
    assert!(desk.wait_for_tone(CALLERS, answered, PATIENCE).is_some());
    Talk {
        caller,
        rtp,
        call,
        operator,
        desk,
        ringing,
        answered,
        rung,
    }
}

/// Lets the talk go on.
fn talk_on(talk: &mut Talk, time: Duration) {
    let _ = talk.caller.receive(time, |_| false);
}

/// Both channels of a file, and how long it plays.
fn sides(file: &Path) -> ([Vec<i16>; 2], Duration) {
    let sides = [0, 1].map(|channel| Wav::channel(file, channel).unwrap());
    assert!(sides.iter().all(|side| side.rate == 8_000));
    let length = Duration::from_millis(sides[0].samples.len() as u64 / 8);
    (sides.map(|side| side.samples), length)
}

/// The share of each tone in each side, near the end: there both have been speaking for a while.
fn assert_each_on_its_side(sides: &[Vec<i16>; 2]) {
    let piece = |side: &[i16]| side[side.len() - 9_600..side.len() - 1_600].to_vec();
    let (left, right) = (piece(&sides[0]), piece(&sides[1]));
    for (name, side, own, other) in [
        ("left", &left, CALLERS, OPERATORS),
        ("right", &right, OPERATORS, CALLERS),
    ] {
        let (own, other) = (ears::tone(side, own), ears::tone(side, other));
        assert!(
            own > 0.95 && other < 0.001,
            "{name}: {own:.4} of its own voice, {other:.6} of the other"
        );
    }
}

#[test]
fn the_caller_is_told_and_each_voice_is_on_its_side() {
    let centre = Centre::open(&Plan {
        record: true,
        consent: Some("recorded"),
        ..Plan::default()
    });
    let told = clip("it/recorded");
    let mut talk = talk(&centre, &told);
    // The operator was free all the time. The first piece that is recognised is not the first that is said.
    let length = Duration::from_millis(told.len() as u64 / 8);
    let rung = talk.rung.expect("something was told");
    assert!(
        rung >= length / 2,
        "the operator's phone rang {rung:?} into {length:?} of telling"
    );
    let pressed = talk.rtp.press('5');
    talk_on(&mut talk, Duration::from_millis(2_500));
    assert!(
        centre.recordings(1, Duration::ZERO).is_empty(),
        "it is not finished"
    );
    let spoken = talk.answered.elapsed();
    assert!(talk.caller.hang_up(&mut talk.call));
    assert!(talk.operator.hung_up_by_them(&talk.ringing, PATIENCE).is_some());

    let files = centre.recordings(1, PATIENCE);
    assert_eq!(files.len(), 1, "{files:?}");
    let (sides, length) = sides(&files[0]);
    assert_each_on_its_side(&sides);
    let unheard = spoken.abs_diff(length);
    assert!(
        unheard < Duration::from_millis(500),
        "{length:?} of a talk of {spoken:?}"
    );
    let silent = sides[0]
        .windows(800)
        .any(|piece| piece.iter().all(|sample| *sample == 0));
    assert!(silent, "the key, pressed {:?} ago, is silence", pressed.elapsed());
    assert_eq!(centre.figure("pronto_recordings_total{result=\"whole\"}"), 1.0);
    talk.rtp.assert_one_stream();
    talk.desk.assert_one_stream();
    centre.close();
}

fn unfinished(centre: &Centre) -> Vec<PathBuf> {
    let directory = centre.ground.directory().join("var/recordings/unfinished");
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

#[test]
fn a_kill_in_mid_talk_leaves_a_file_to_play_and_the_next_start_keeps_it() {
    let mut centre = Centre::open(&Plan {
        record: true,
        ..Plan::default()
    });
    let mut talk = talk(&centre, &[]);
    talk_on(&mut talk, Duration::from_secs(4));
    let spoken = talk.answered.elapsed();
    centre.signal("KILL");
    assert!(centre.wait_for_exit(PATIENCE).is_some());
    let left = unfinished(&centre);
    assert_eq!(left.len(), 1, "{left:?}");
    let (heard, length) = sides(&left[0]);
    assert_each_on_its_side(&heard);
    println!("killed after {spoken:?}: {length:?} can be played");
    assert!(
        length + Duration::from_millis(1_200) >= spoken,
        "{length:?} of the {spoken:?} before the kill can be played"
    );

    centre.restart();
    let kept = centre.recordings(1, PATIENCE);
    assert_eq!((kept.len(), unfinished(&centre).len()), (1, 0));
    let (heard, whole) = sides(&kept[0]);
    assert_each_on_its_side(&heard);
    assert!(whole >= length, "{whole:?} kept of {length:?}");
    println!("kept by the next start: {whole:?}");
    let deadline = Instant::now() + PATIENCE;
    while centre.figure("pronto_recordings_total{result=\"killed\"}") < 1.0 {
        assert!(Instant::now() < deadline, "the next start has it on its books");
        talk_on(&mut talk, Duration::from_millis(50));
    }
    centre.close_now();
}
