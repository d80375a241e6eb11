//! Recorded prompts: whatever a studio wrote, heard at the caller's ear, and no work for the control task.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::kit::centre::{BRIEF, Centre, Plan};
use crate::kit::g711::Law;
use crate::kit::ground::CALLER;
use crate::kit::phone::PATIENCE;
use crate::kit::rtp::RtpEndpoint;

/// A tone of 1 kHz as SoX writes it into a pipe, without a length in the header.
fn tone(seconds: u32, format: &[&str]) -> Vec<u8> {
    let mut sox = Command::new("sox");
    sox.arg("-n").args(format).args(["-t", "wav", "-", "synth"]);
    sox.args([&seconds.to_string(), "sine", "1000", "vol", "0.25"]);
    let made = sox.stderr(Stdio::null()).output().expect("sox is installed");
    assert!(made.status.success(), "sox makes {format:?}");
    made.stdout
}

/// A prompt of ten minutes took the control task seconds, when it was first heard: nobody was answered meanwhile.
#[test]
fn the_first_play_of_a_prompt_stalls_nobody() {
    let prompts = vec![(
        "it/welcome.wav",
        tone(595, &["-r", "16000", "-b", "16", "-c", "1"]),
    )];
    let mut centre = Centre::open(&Plan {
        prompts,
        ..Plan::default()
    });
    let (mut caller, mut other) = (centre.caller(0), centre.caller(1));
    let rtp = RtpEndpoint::open(centre.ip(CALLER));
    let start = Instant::now();
    let mut call = caller.call(BRIEF, &rtp, Law::A);
    assert_eq!(other.ping(PATIENCE), Some(200));
    assert!(
        rtp.wait_for_tone(1_000.0, start, PATIENCE).is_some(),
        "the prompt is heard"
    );
    centre.until("the figures know of the call", |centre| {
        centre.figure("pronto_calls_begun_total") > 0.0
    });
    let longest = centre.figure("pronto_control_longest_step_seconds{since=\"start\"}");
    // In this build, without optimisation and beside other tests; tests/load has the real figures.
    assert!(
        (f64::MIN_POSITIVE..0.25).contains(&longest),
        "a step took {longest} s"
    );
    assert!(caller.hang_up(&mut call));
    centre.close();
}

#[test]
fn a_prompt_of_any_studio_is_heard() {
    let formats: [&[&str]; 3] = [
        &["-r", "44100", "-b", "24", "-c", "2"],
        &["-r", "48000", "-e", "floating-point", "-b", "32"],
        &["-r", "22050", "-e", "a-law", "-c", "2"],
    ];
    for format in formats {
        let centre = Centre::open(&Plan {
            prompts: vec![("it/welcome.wav", tone(3, format))],
            ..Plan::default()
        });
        let mut caller = centre.caller(0);
        let rtp = RtpEndpoint::open(centre.ip(CALLER));
        let start = Instant::now();
        let call = caller.call(BRIEF, &rtp, Law::Mu);
        let heard = rtp.wait_for_tone(1_000.0, start, Duration::from_secs(15));
        assert!(heard.is_some(), "a welcome as {format:?} is heard");
        let ended = caller.hung_up_by_them(&call, 2 * PATIENCE);
        assert!(ended.is_some(), "after a welcome as {format:?} the flow goes on");
        centre.close();
    }
}
