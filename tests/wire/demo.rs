//! The demonstration, as a newcomer starts it: the binary, and what it prints.

use std::process::Command;
use std::time::Duration;

use crate::kit::ground::Ground;
use crate::kit::process::Process;

/// The number that follows `after` in a line.
fn number(line: &str, after: &str) -> Option<u64> {
    let rest = line.split_once(after)?.1.trim_start();
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..digits].parse().ok()
}

#[test]
fn the_demonstration_answers_calls_and_its_summary_adds_up_after_a_sigterm() {
    let ground = Ground::take();
    let mut command = Command::new(env!("CARGO_BIN_EXE_pronto"));
    command
        .args([
            "demo",
            "--minutes",
            "5",
            "--callers",
            "6",
            "--operators",
            "3",
            "--seed",
            "5",
        ])
        .env("TMPDIR", ground.directory());
    let mut demo = Process::start("pronto demo", &mut command);
    let answered = |line: &str| line.contains("operators:") && number(line, "  answered ") >= Some(2);
    demo.wait_for_line(Duration::from_secs(40), answered)
        .unwrap_or_else(|| panic!("no call is answered:\n{}", demo.log()));
    demo.signal("TERM");
    let status = demo.wait_for_exit(Duration::from_secs(30));
    let log = demo.log();
    assert!(status.is_some(), "it does not end after SIGTERM:\n{log}");
    let line = |name: &str| {
        log.lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap_or_else(|| panic!("the summary has no line {name:?}:\n{log}"))
    };
    let calls = line("calls ");
    let (began, records) = (number(calls, ""), number(calls, " began, "));
    assert!(
        began >= Some(2) && began == records,
        "a record for each call: {calls}"
    );
    let places = line("places taken");
    assert!(number(places, "answered ") >= Some(2), "{places}");
    assert_eq!(number(places, "lost "), Some(0), "{places}");
    let heard = line("heard ");
    let (both, talks) = (number(heard, ""), number(heard, " of "));
    assert!(
        both >= Some(2) && both <= talks,
        "caller and operator hear each other: {heard}"
    );
    assert_eq!(number(line("silence "), ""), Some(0), "every call has sound");
    // Seconds are too short for the forecast to have learnt how long a talk takes; nothing else may be wrong.
    let faults: Vec<&str> = log.lines().filter(|line| line.starts_with("FAILED")).collect();
    let allowed = |fault: &&str| fault.contains("waits announced");
    assert!(faults.iter().all(allowed), "{faults:?}");
    assert_eq!(status.is_some_and(|status| status.success()), faults.is_empty());
    let left = std::fs::read_dir(ground.directory()).expect("the test's directory can be read");
    let left: Vec<_> = left
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().contains("demo"))
        .collect();
    assert!(left.is_empty(), "its directory is left behind: {left:?}");
}
