//! The wall clock is set, forward and back, under a running process and between two. `libfaketime` shows it another one; the
//! monotonic clock stays as it is.

use std::fs;
use std::time::Instant;

use jiff::{Timestamp, ToSpan as _};

use crate::kit::centre::{Centre, MUSIC, Plan, STRAIGHT, clip};
use crate::kit::g711::Law;
use crate::kit::ground::CALLER;
use crate::kit::phone::PATIENCE;
use crate::kit::rtp::RtpEndpoint;

/// The clock is what the file `clock` beside the configuration says; at first right, or a year ahead.
macro_rules! with_clock {
    ($at_first:literal) => {
        concat!(
            "clock=\"${4%/*}/clock\"; [ -e \"$clock\" ] || echo ",
            $at_first,
            " > \"$clock\"; export LD_PRELOAD=$(ls /usr/lib/*/faketime/libfaketimeMT.so.1) ",
            "FAKETIME_TIMESTAMP_FILE=\"$clock\" FAKETIME_CACHE_DURATION=1 FAKETIME_DONT_FAKE_MONOTONIC=1 ",
            "NO_FAKE_STAT=1; exec \"$@\""
        )
    };
}

fn set_clock(centre: &Centre, to: &str) {
    fs::write(centre.ground.directory().join("clock"), format!("{to}\n")).unwrap();
}

/// Begin and end of each call, as `pronto calls` dates them.
fn dates(centre: &Centre, arguments: &[&str]) -> Vec<(Timestamp, Option<Timestamp>)> {
    let date = |line: &str, key: &str| -> Option<Timestamp> {
        let (_, rest) = line.split_once(&format!("\"{key}\":\""))?;
        rest.split_once('"')?.0.parse().ok()
    };
    let lines = centre.calls(&[&["--json"], arguments].concat());
    let both = |line: &String| (date(line, "began").expect("a call began"), date(line, "ended"));
    lines.iter().map(both).collect()
}

fn near(found: Timestamp, expected: Timestamp) -> bool {
    (found.as_second() - expected.as_second()).abs() < 90
}

#[test]
fn a_clock_set_back_in_mid_call_ends_no_call_before_it_began() {
    for apart in [false, true] {
        let mut centre = Centre::open(&Plan {
            apart,
            launch: with_clock!("+0"),
            ..Plan::default()
        });
        let _sitter = centre.sitter();
        let mut caller = centre.caller(0);
        let rtp = RtpEndpoint::open(centre.ip(CALLER));
        let begun = Timestamp::now();
        let mut call = caller.call(STRAIGHT, &rtp, Law::Mu);
        let music = clip("music");
        assert!(rtp.wait_for_part_of(&music, Instant::now(), MUSIC).is_some());
        set_clock(&centre, "-3600");
        let noticed = "the wall clock was set by";
        centre.until("the step is noticed", |centre| centre.log().contains(noticed));
        let log = |centre: &mut Centre| {
            if apart { centre.queue().log() } else { centre.log() }
        };
        let told = "the wall clock has been set";
        let deadline = Instant::now() + PATIENCE;
        while !log(&mut centre).contains(told) {
            assert!(
                Instant::now() < deadline,
                "the queue notices it too:\n{}",
                log(&mut centre)
            );
            assert!(rtp.wait_for_part_of(&music, Instant::now(), MUSIC).is_some());
        }
        assert!(caller.hang_up(&mut call));
        centre.until("the record is written", |centre| {
            dates(centre, &[])
                .first()
                .is_some_and(|(_, ended)| ended.is_some())
        });
        let [(began, Some(ended))] = dates(&centre, &[])[..] else {
            panic!("one call, which ended: {:?}", centre.calls(&[]));
        };
        assert!(near(began, begun), "it began {began}, and that was {begun}");
        assert!(ended >= began, "it began {began} and ended {ended}");
        assert!(near(ended, Timestamp::now()), "as long as it took: {ended}");
        // The next call is dated by the clock as it is.
        let mut call = caller.call(STRAIGHT, &rtp, Law::Mu);
        centre.until("it has begun", |centre| dates(centre, &[]).len() == 2);
        let hour_ago = Timestamp::now() - 1.hour();
        let dated = dates(&centre, &[]);
        assert!(dated.iter().any(|(began, _)| near(*began, hour_ago)), "{dated:?}");
        assert!(caller.hang_up(&mut call));
        centre.close();
    }
}

#[test]
fn one_run_with_a_clock_a_year_ahead_does_not_date_the_runs_after_it() {
    let mut centre = Centre::open(&Plan {
        launch: with_clock!("+365d"),
        ..Plan::default()
    });
    let sitter = centre.sitter();
    let mut caller = centre.caller(0);
    let rtp = RtpEndpoint::open(centre.ip(CALLER));
    let mut call = caller.call(STRAIGHT, &rtp, Law::Mu);
    assert!(caller.hang_up(&mut call));
    centre.until("the record is written", |centre| dates(centre, &[]).len() == 1);
    drop(sitter);
    centre.signal("TERM");
    assert!(
        centre
            .wait_for_exit(PATIENCE)
            .is_some_and(|status| status.success())
    );
    let ahead = Timestamp::now() + (365 * 24).hours();
    assert!(near(dates(&centre, &[])[0].0, ahead), "as the clock was then");

    set_clock(&centre, "+0");
    centre.restart();
    let warned = "the newest fact of the ledger is dated";
    assert!(centre.log().contains(warned), "{}", centre.log());
    let _sitter = centre.sitter();
    let mut call = caller.call(STRAIGHT, &rtp, Law::Mu);
    assert!(caller.hang_up(&mut call));
    centre.until("the second record is written", |centre| {
        dates(centre, &[])
            .iter()
            .filter(|(_, ended)| ended.is_some())
            .count()
            == 2
    });
    let dated = dates(&centre, &["--since", "10m", "--until", "0s"]);
    let [(began, Some(ended))] = dated[..] else {
        panic!("`--since 10m` means the clock on the wall: {dated:?}");
    };
    assert!(
        near(began, Timestamp::now()) && ended >= began,
        "{began} to {ended}"
    );
    centre.close();
}
