//! A gateway is killed: each call that it answered has a record, and the next process silences what the old one left ringing.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::kit::centre::{Centre, Plan, STRAIGHT};
use crate::kit::g711::Law;
use crate::kit::ground::{CALLER, PHONE};
use crate::kit::phone::{Call, PATIENCE, Phone};
use crate::kit::rtp::RtpEndpoint;

/// From the next start until a phone is told.
const SOON: Duration = Duration::from_secs(5);

fn centre(apart: bool) -> Centre {
    Centre::open(&Plan {
        apart,
        ..Plan::default()
    })
}

fn kill(centre: &mut Centre) {
    centre.signal("KILL");
    assert!(centre.wait_for_exit(PATIENCE).is_some());
}

/// How many calls have a record that says they were lost.
fn lost(centre: &Centre) -> usize {
    let listed = centre.calls(&["--json", "--outcome", "gateway-lost"]);
    listed.len()
}

#[test]
fn a_call_answered_and_killed_within_two_milliseconds_has_its_record() {
    const SOON: Duration = Duration::from_millis(2);
    /// The number of rounds that have to be that quick. On a busy machine not every round is.
    const QUICK: usize = 4;
    const ROUNDS: usize = 60;
    const CALLERS: u8 = 4;
    let mut centre = centre(false);
    let (mut answered, mut took) = (0, Vec::new());
    let is_quick = |took: &&Option<Duration>| took.is_some_and(|took| took <= SOON);
    while took.iter().filter(is_quick).count() < QUICK {
        let round = took.len();
        assert!(
            round < ROUNDS,
            "fewer than {QUICK} rounds were killed within {SOON:?}: {took:?}"
        );
        // Another caller is the last to call each time.
        let mut callers: Vec<(Phone, Call, RtpEndpoint)> = (0..CALLERS)
            .map(|number| {
                let number = (number + round as u8) % CALLERS;
                let (mut phone, rtp) = (
                    centre.caller(number),
                    RtpEndpoint::open(centre.ip(CALLER + number)),
                );
                let call = phone.invite(STRAIGHT, &rtp, &[Law::A]);
                (phone, call, rtp)
            })
            .collect();
        let (phone, call, _) = callers.last_mut().expect("there are callers");
        let last = phone.watch_for(PATIENCE, call.is_final());
        let killed = centre.kill();
        let (absent, last) = last.expect("a final response");
        assert_eq!(last.status(), Some(200));
        // An upper bound: the 200 arrived after `absent`. `None`: it was here before the test looked.
        took.push(absent.map(|absent| killed - absent));
        assert!(centre.wait_for_exit(PATIENCE).is_some());
        answered += 1;
        for (phone, call, _) in callers.iter_mut().rev().skip(1) {
            let last = phone.final_response(call, Duration::from_millis(50));
            answered += usize::from(last.and_then(|last| last.status()) == Some(200));
        }
        centre.restart();
        let records = centre.calls(&["--json"]).len();
        assert!(
            records >= answered,
            "round {round}: {answered} answered, {records} records; from the 200 to the kill: {took:?}"
        );
        assert_eq!(lost(&centre), records, "none of them goes on or ended otherwise");
    }
    println!(
        "{answered} calls were answered and killed, all have their record; from the 200 to the kill: {took:?}"
    );
    centre.close_now();
}

/// Slows every fsync of a process from now on.
fn slow_disk(pid: u32, delay: Duration) -> Child {
    let delay = format!("inject=fsync,fdatasync:delay_enter={}", delay.as_micros());
    let tracer = Command::new("strace")
        .args([
            "-f",
            "-q",
            "-e",
            "trace=fsync,fdatasync",
            "-e",
            &delay,
            "-o",
            "/dev/null",
            "-p",
        ])
        .arg(pid.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("strace can be run");
    let traced = |task: &std::path::Path| {
        let status = std::fs::read_to_string(task.join("status")).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("TracerPid:"));
        line.is_some_and(|line| !line.ends_with("\t0"))
    };
    // Each thread, or the one that writes is not slowed yet.
    let all_traced = || {
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("the process runs");
        tasks.flatten().all(|task| traced(&task.path()))
    };
    let deadline = Instant::now() + PATIENCE;
    while !all_traced() {
        assert!(Instant::now() < deadline, "strace does not attach");
        std::thread::yield_now();
    }
    tracer
}

#[test]
fn nobody_is_answered_without_a_record_while_the_disk_is_slow() {
    let mut centre = centre(true);
    let mut tracer = slow_disk(centre.pid(), Duration::from_secs(2));
    let (mut phone, rtp) = (centre.caller(0), RtpEndpoint::open(centre.ip(CALLER)));
    let asked = Instant::now();
    let mut call = phone.invite(STRAIGHT, &rtp, &[Law::A]);
    let last = phone.final_response(&mut call, Duration::from_secs(12));
    let took = asked.elapsed();
    centre.signal("KILL");
    assert_eq!(
        last.and_then(|last| last.status()),
        Some(200),
        "answered once it is written"
    );
    assert!(
        took >= Duration::from_millis(1_900),
        "answered after {took:?}, the disk takes 2 s"
    );
    assert!(centre.wait_for_exit(PATIENCE).is_some());
    tracer.wait().expect("strace ends with what it traces");
    centre.restart();
    assert_eq!(lost(&centre), 1, "{:#?}", centre.calls(&["--json"]));
    centre.close_now();
}

#[test]
fn a_caller_whom_the_disk_keeps_waiting_is_refused_and_asked_to_come_back() {
    let mut centre = centre(true);
    let mut tracer = slow_disk(centre.pid(), Duration::from_secs(20));
    let (mut phone, rtp) = (centre.caller(0), RtpEndpoint::open(centre.ip(CALLER)));
    let mut call = phone.invite(STRAIGHT, &rtp, &[Law::A]);
    let last = phone.final_response(&mut call, Duration::from_secs(15));
    let last = last.expect("a final response in bounded time");
    assert_eq!(last.status(), Some(503), "{}", last.start);
    assert!(last.header("Retry-After").is_some());
    // While it is held in a call of the system, a killed process does not end.
    tracer.kill().expect("strace can be killed");
    tracer.wait().expect("strace ends");
    kill(&mut centre);
}

#[test]
fn a_phone_that_rings_for_a_killed_gateway_is_silenced_by_the_next() {
    for apart in [false, true] {
        let mut centre = centre(apart);
        let mut operator = centre.operator("101", 0);
        let (mut caller, rtp) = (centre.caller(0), RtpEndpoint::open(centre.ip(CALLER)));
        let call = caller.call(STRAIGHT, &rtp, Law::A);
        let ringing = operator.rung(PATIENCE).expect("the operator is offered the call");
        // At once: nothing has been written since, other than what the INVITE waited for.
        kill(&mut centre);
        let started = Instant::now();
        centre.restart();
        let told = operator.cancelled(&ringing, SOON);
        assert!(told.is_some(), "the phone rings on:\n{}", centre.log());
        assert!(
            caller.hung_up_by_them(&call, SOON).is_some(),
            "the caller hears nothing"
        );
        println!("silenced {:?} after the start", started.elapsed());
        let again = operator.rung(Duration::from_secs(2));
        assert!(again.is_none(), "the phone is rung for a caller who is gone");
        assert_eq!(lost(&centre), 1);
        centre.close_now();
    }
}

#[test]
fn a_dead_talk_is_hung_up_on_both_sides() {
    for apart in [false, true] {
        let mut centre = centre(apart);
        let mut operator = centre.operator("101", 0);
        let ear = RtpEndpoint::open(centre.ip(PHONE));
        let (mut caller, rtp) = (centre.caller(0), RtpEndpoint::open(centre.ip(CALLER)));
        let call = caller.call(STRAIGHT, &rtp, Law::A);
        let talk = operator.rung(PATIENCE).expect("the operator is offered the call");
        operator.answer(&talk, &ear);
        assert!(operator.acknowledged(&talk, PATIENCE));
        kill(&mut centre);
        centre.restart();
        assert!(
            operator.hung_up_by_them(&talk, SOON).is_some(),
            "{}",
            centre.log()
        );
        assert!(caller.hung_up_by_them(&call, SOON).is_some(), "{}", centre.log());
        centre.until("nothing is left to end", |centre| {
            centre.figure("pronto_orphans") == 0.0 && centre.figure("pronto_sip_dialogs") == 0.0
        });
        centre.close_now();
    }
}

/// The kill comes at the moment of the phone's answer, a little earlier or later each time.
#[test]
fn an_operator_who_answers_while_the_gateway_is_killed_is_not_left_in_silence() {
    let mut centre = centre(false);
    for round in 0..8_u64 {
        let mut operator = centre.operator("101", 0);
        let ear = RtpEndpoint::open(centre.ip(PHONE));
        let (mut caller, rtp) = (centre.caller(0), RtpEndpoint::open(centre.ip(CALLER)));
        let call = caller.call(STRAIGHT, &rtp, Law::A);
        let talk = operator
            .rung(2 * PATIENCE)
            .expect("the operator is offered the call");
        operator.answer(&talk, &ear);
        let busy = Instant::now();
        while busy.elapsed() < Duration::from_micros(150 * round) {
            std::hint::spin_loop();
        }
        kill(&mut centre);
        centre.restart();
        let told = until_over(&mut operator, &talk, &ear);
        assert!(told, "round {round}: neither BYE nor CANCEL:\n{}", centre.log());
        assert!(caller.hung_up_by_them(&call, SOON).is_some(), "round {round}");
    }
    centre.close_now();
}

/// A phone repeats its 200 until the ACK (RFC 3261 §13.3.1.4), and is told that it is over.
fn until_over(operator: &mut Phone, talk: &Call, ear: &RtpEndpoint) -> bool {
    let deadline = Instant::now() + SOON;
    while Instant::now() < deadline {
        if operator
            .hung_up_by_them(talk, Duration::from_millis(500))
            .is_some()
        {
            return true;
        }
        operator.answer(talk, ear);
    }
    false
}

#[test]
fn an_orderly_stop_ends_calls_with_their_true_outcome() {
    let mut centre = centre(true);
    let mut operator = centre.operator("101", 0);
    let ear = RtpEndpoint::open(centre.ip(PHONE));
    let mut callers: Vec<(Phone, Call, RtpEndpoint)> = Vec::new();
    for number in 0..3 {
        let (mut phone, rtp) = (
            centre.caller(number),
            RtpEndpoint::open(centre.ip(CALLER + number)),
        );
        let call = phone.call(STRAIGHT, &rtp, Law::A);
        if number == 0 {
            let talk = operator.rung(PATIENCE).expect("the operator is offered the call");
            operator.answer(&talk, &ear);
            assert!(operator.acknowledged(&talk, PATIENCE));
        }
        callers.push((phone, call, rtp));
    }
    centre.signal("TERM");
    let (phone, call, _) = &mut callers[2];
    assert!(phone.hang_up(call), "a caller hangs up while the gateway drains");
    centre.signal("TERM");
    for (phone, call, _) in &mut callers[..2] {
        assert!(phone.hung_up_by_them(call, PATIENCE).is_some());
    }
    assert!(centre.wait_for_exit(Duration::from_secs(10)).is_some());
    let outcome = |name| centre.calls(&["--json", "--outcome", name]).len();
    let all = centre.calls(&["--json"]);
    assert_eq!(all.len(), 3, "{all:#?}");
    assert_eq!(
        (outcome("stopped"), outcome("caller-hung-up")),
        (2, 1),
        "{all:#?}"
    );
    centre.restart();
    assert_eq!(lost(&centre), 0, "the next process takes nobody for lost");
    centre.close_now();
}

/// The queue service is away while calls end, and the gateway's process ends before it is back.
#[test]
fn what_a_gateway_could_not_tell_the_queue_service_its_next_process_tells() {
    for signal in ["TERM", "KILL"] {
        let mut centre = centre(true);
        let (mut caller, rtp) = (centre.caller(0), RtpEndpoint::open(centre.ip(CALLER)));
        let mut call = caller.call(STRAIGHT, &rtp, Law::A);
        centre.queue().signal("KILL");
        assert!(centre.queue().wait_for_exit(PATIENCE).is_some());
        assert!(caller.hang_up(&mut call));
        let deadline = Instant::now() + PATIENCE;
        while centre.calls(&["--json", "--outcome", "caller-hung-up"]).len() != 1 {
            assert!(Instant::now() < deadline, "the journal has the end");
        }
        centre.signal(signal);
        assert!(centre.wait_for_exit(Duration::from_secs(15)).is_some());
        centre.restart_unattached();
        centre.restart_queue();
        centre.signal("TERM");
        assert!(centre.wait_for_exit(Duration::from_secs(15)).is_some());
        centre.queue().signal("TERM");
        assert!(centre.queue().wait_for_exit(PATIENCE).is_some());
        // The ledger alone.
        let store = centre.ground.directory().join("var");
        for file in ["journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm"] {
            let _ = std::fs::rename(store.join(file), store.join(format!("away-{file}")));
        }
        let listed = centre.calls(&["--json"]);
        assert_eq!(listed.len(), 1, "SIG{signal}: {listed:#?}");
        assert!(
            listed[0].contains("\"outcome\":\"caller-hung-up\""),
            "SIG{signal}: {listed:#?}"
        );
    }
}
