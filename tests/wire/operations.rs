//! Tests of an administrator's work: a second start, the log, the metrics page, the limit of open files.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;

use crate::kit::centre::{Centre, Plan, STRAIGHT};
use crate::kit::g711::Law;
use crate::kit::ground::{CALLER, CENTRE, PHONE, STRANGER};
use crate::kit::phone::{PATIENCE, Phone};
use crate::kit::process::Process;
use crate::kit::rtp::{RtpEndpoint, Sound};

/// Gets a path from the HTTP page of the gateway or the whole centre: the status line, then the whole answer.
fn get(centre: &Centre, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect((centre.ip(CENTRE), 9090)).expect("the page is served");
    let mut page = String::new();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: centre\r\nConnection: close\r\n\r\n"
    )
    .and_then(|()| stream.read_to_string(&mut page).map(drop))
    .expect("the page is sent");
    (page.lines().next().unwrap_or_default().to_owned(), page)
}

/// The same configuration once more.
fn start_again(centre: &Centre, what: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pronto"));
    command.arg(what).arg("--config").arg(centre.config());
    let mut second = Process::start("a second pronto", &mut command);
    let status = second.wait_for_exit(PATIENCE);
    assert!(
        status.is_some_and(|status| !status.success()),
        "{status:?}\n{}",
        second.log()
    );
    second.log()
}

#[test]
fn a_second_instance_is_told_that_pronto_already_runs_here_and_by_which_process() {
    let mut centre = Centre::open(&Plan::default());
    let said = format!("Pronto already runs here: process {} has the store", centre.pid());
    for what in ["serve", "gateway", "queue"] {
        let log = start_again(&centre, what);
        assert!(log.contains(&said), "{what}: expected {said:?} in\n{log}");
    }
    let mut caller = centre.caller(0);
    assert!(caller.ping(PATIENCE).is_some(), "the first goes on");
    centre.signal("TERM");
    assert!(centre.wait_for_exit(PATIENCE).is_some());
    // The store is free; somebody else has the port.
    let other = TcpListener::bind((centre.ip(CENTRE), 50051)).unwrap();
    let log = start_again(&centre, "serve");
    assert!(
        log.contains("taken by another program") && !log.contains("already runs"),
        "{log}"
    );
    drop(other);
    centre.restart();
    centre.close();
}

#[test]
fn the_log_says_who_signs_in_which_calls_begin_and_end_and_who_is_refused() {
    let mut centre = Centre::open(&Plan::default());
    let mut operator = centre.operator("101", 0);
    let mut caller = centre.caller(0);
    let (rtp, desk) = (
        RtpEndpoint::open(centre.ip(CALLER)),
        RtpEndpoint::open(centre.ip(PHONE)),
    );
    let mut call = caller.call(STRAIGHT, &rtp, Law::A);
    let ringing = operator.rung(PATIENCE).expect("the operator is offered the call");
    desk.say(Sound::Tone(900.0));
    operator.answer(&ringing, &desk);
    assert!(caller.hang_up(&mut call));
    assert!(operator.hung_up_by_them(&ringing, PATIENCE).is_some());
    let mut stranger = Phone::open("101", centre.ip(STRANGER), centre.sip());
    for _ in 0..5 {
        assert_eq!(stranger.register("wrong", 300), Some(401));
    }
    assert_eq!(operator.register(crate::kit::centre::PASSWORD, 0), Some(200));
    for said in [
        "call began",
        "call ended",
        "signed in",
        "signed out",
        "wrong password",
    ] {
        centre.until(said, |centre| centre.log().contains(said));
    }
    let log = centre.log();
    assert!(!log.contains("39055000"), "callers' numbers are masked:\n{log}");
    let refused = log.lines().filter(|line| line.contains("wrong password")).count();
    assert_eq!(refused, 1, "a source is named once in ten seconds:\n{log}");
    centre.close();
}

#[test]
fn every_metric_says_what_it_is_and_waits_are_histograms() {
    let mut centre = Centre::open(&Plan::default());
    let mut operator = centre.operator("101", 0);
    let mut caller = centre.caller(0);
    let (rtp, desk) = (
        RtpEndpoint::open(centre.ip(CALLER)),
        RtpEndpoint::open(centre.ip(PHONE)),
    );
    let mut call = caller.call(STRAIGHT, &rtp, Law::A);
    let ringing = operator.rung(PATIENCE).expect("the operator is offered the call");
    operator.answer(&ringing, &desk);
    assert!(caller.hang_up(&mut call));
    let answered = "pronto_queue_wait_seconds_count{queue=\"support\",outcome=\"answered\"}";
    centre.until(answered, |centre| centre.figure(answered) == 1.0);
    // Nobody is ready in the wrap-up: the next caller gives up.
    let _sitter = centre.sitter();
    let mut call = caller.call(STRAIGHT, &rtp, Law::A);
    assert!(caller.hang_up(&mut call));
    let abandoned = "pronto_queue_wait_seconds_count{queue=\"support\",outcome=\"abandoned\"}";
    centre.until(abandoned, |centre| centre.figure(abandoned) == 1.0);
    let met = "pronto_queue_service_level_met_total{queue=\"support\"}";
    centre.until(met, |centre| centre.figure(met) == 1.0);
    let (_, page) = get(&centre, "/metrics");
    assert!(page.contains("outcome=\"answered\",le=\"20\"}"), "{page}");
    for name in [
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_open_fds",
    ] {
        assert!(centre.figure(&format!("{name} ")) > 0.0, "{name}:\n{page}");
    }
    let mute: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .filter(|name| !page.contains(&format!("# HELP {name} ")))
        .collect();
    assert!(mute.is_empty(), "without a word of help: {mute:?}");
    drop(operator);
    centre.close();
}

#[test]
fn health_is_a_page_of_its_own_and_says_in_words_why_not() {
    let mut centre = Centre::open(&Plan::default());
    centre.until("it is ready", |centre| {
        get(centre, "/healthz").0.contains(" 200 ")
    });
    for path in ["/healthz", "/readyz", "/livez"] {
        let (status, page) = get(&centre, path);
        assert!(status.contains(" 200 "), "{path}: {page}");
        assert!(!page.contains("pronto_"), "{path} is no page of metrics: {page}");
    }
    // A call is up: the process drains.
    let _sitter = centre.sitter();
    let mut caller = centre.caller(0);
    let rtp = RtpEndpoint::open(centre.ip(CALLER));
    let mut call = caller.call(STRAIGHT, &rtp, Law::A);
    centre.signal("TERM");
    centre.until("not ready any more", |centre| {
        get(centre, "/healthz").0.contains(" 503 ")
    });
    centre.until("it says why", |centre| {
        let page = get(centre, "/readyz").1;
        page.split_once("\r\n\r\n").is_some_and(|(_, body)| {
            body.trim()
                == "new calls: the gateway is stopping\nprocess: it is stopping: no new calls are taken"
        })
    });
    assert!(
        get(&centre, "/livez").0.contains(" 200 "),
        "it lives all the same"
    );
    assert!(caller.hang_up(&mut call));
    assert!(centre.wait_for_exit(PATIENCE).is_some());
}

#[test]
fn a_low_limit_of_open_files_is_raised_or_warned_of() {
    for (launch, said) in [
        (
            "ulimit -Sn 256; exec \"$@\"",
            "the limit of open files was raised from 256 to",
        ),
        (
            "ulimit -n 512; exec \"$@\"",
            "the limit of open files is 512 (ulimit -Hn)",
        ),
    ] {
        let centre = Centre::open(&Plan {
            launch,
            ..Plan::default()
        });
        assert!(centre.log().contains(said), "{said}:\n{}", centre.log());
        centre.close();
    }
}
