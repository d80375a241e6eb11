//! Signals, and whoever reads what the process writes: none of them ends a call.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::kit::centre::{Centre, MUSIC, Plan, STRAIGHT, clip};
use crate::kit::g711::Law;
use crate::kit::ground::{CALLER, Ground};
use crate::kit::phone::PATIENCE;
use crate::kit::process::Process;
use crate::kit::rtp::RtpEndpoint;

/// All that would end a process that does not care for it, but SIGKILL, SIGTERM, SIGINT and those that dump core.
const HARMLESS: [&str; 12] = [
    "HUP", "USR1", "USR2", "PIPE", "ALRM", "VTALRM", "PROF", "IO", "PWR", "STKFLT", "XCPU", "XFSZ",
];

/// The real-time signals that the C library leaves to programs.
const REAL_TIME: std::ops::RangeInclusive<u32> = 35..=64;

fn signals() -> Vec<String> {
    let named = HARMLESS.iter().map(|name| (*name).to_owned());
    named.chain(REAL_TIME.map(|number| number.to_string())).collect()
}

#[test]
fn a_hang_up_signal_ends_no_call() {
    for apart in [false, true] {
        let mut centre = Centre::open(&Plan {
            apart,
            ..Plan::default()
        });
        let _sitter = centre.sitter();
        let mut caller = centre.caller(0);
        let rtp = RtpEndpoint::open(centre.ip(CALLER));
        let mut call = caller.call(STRAIGHT, &rtp, Law::Mu);
        let music = clip("music");
        assert!(rtp.wait_for_part_of(&music, Instant::now(), MUSIC).is_some());
        for signal in signals() {
            centre.signal(&signal);
            if apart {
                centre.queue().signal(&signal);
            }
        }
        // The last of them has been taken when the first one's files were read.
        centre.until("the configuration is read again", |centre| {
            centre.log().contains("is unchanged since the start")
        });
        if apart {
            let said = |line: &str| line.contains("is unchanged since the start");
            assert!(centre.queue().wait_for_line(PATIENCE, said).is_some());
        }
        let exit = centre.wait_for_exit(Duration::ZERO);
        assert!(exit.is_none(), "apart: {apart}: ended by a signal: {exit:?}");
        assert!(
            rtp.wait_for_part_of(&music, Instant::now(), MUSIC).is_some(),
            "the caller goes on hearing music"
        );
        let mut operator = centre.operator("101", 0);
        assert!(operator.rung(PATIENCE).is_some(), "and is offered to an operator");
        assert!(caller.hang_up(&mut call));
        centre.close();
    }
}

#[test]
fn a_hang_up_signal_says_what_was_read_and_what_needs_a_restart() {
    let mut centre = Centre::open(&Plan {
        secure: true,
        ..Plan::default()
    });
    let config = centre.config().to_owned();
    let good = fs::read_to_string(&config).unwrap();
    for (text, said) in [
        (good.clone(), "is unchanged since the start"),
        (
            good.replace("ring = \"15s\"", "ring = \"16s\""),
            "has changed in [[queue]]; restart to use it",
        ),
        (
            good.replace("ring = \"15s\"", "wring = \"15s\""),
            "nothing changes, but a restart would fail",
        ),
    ] {
        fs::write(&config, text).unwrap();
        centre.signal("HUP");
        centre.until(said, |centre| centre.log().contains(said));
    }
    let log = centre.log();
    assert!(
        log.contains("the certificate was read again, its files are unchanged"),
        "{log}"
    );
    assert!(
        log.contains("wring"),
        "the report shows the line that is wrong: {log}"
    );
    centre.close();
}

#[test]
fn a_reader_of_the_log_who_leaves_or_stalls_ends_no_call() {
    for launch in [
        "exec \"$@\" > >(head -1) 2>&1",
        "exec \"$@\" 2> >(head -1 >&2)",
        "exec \"$@\" 2> >(exec sleep 20 >/dev/null 2>&1)",
    ] {
        let mut centre = Centre::open(&Plan {
            launch,
            ..Plan::default()
        });
        let _sitter = centre.sitter();
        let mut caller = centre.caller(0);
        let rtp = RtpEndpoint::open(centre.ip(CALLER));
        let mut call = caller.call(STRAIGHT, &rtp, Law::Mu);
        let music = clip("music");
        assert!(rtp.wait_for_part_of(&music, Instant::now(), MUSIC).is_some());
        // Each writes a page, more than a pipe holds.
        fs::write(centre.config(), "wrong = 1\n".repeat(50)).unwrap();
        for _ in 0..200 {
            centre.signal("HUP");
            assert!(caller.ping(PATIENCE).is_some(), "{launch}: it answers");
        }
        assert!(
            rtp.wait_for_part_of(&music, Instant::now(), MUSIC).is_some(),
            "{launch}: the caller goes on hearing music"
        );
        assert!(caller.hang_up(&mut call));
        centre.signal("TERM");
        let status = centre.wait_for_exit(Duration::from_secs(10));
        assert!(
            status.is_some_and(|status| status.success()),
            "{launch}: {status:?}"
        );
    }
}

/// Files read at the start may be slow: these never end.
#[test]
fn asked_to_stop_while_it_starts_it_stops() {
    for (slow, reached) in [("flow.toml", None), ("var/bindings.txt", Some("ledger folded"))] {
        let ground = Ground::take();
        let file = ground.directory().join(slow);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        assert!(Command::new("mkfifo").arg(&file).status().unwrap().success());
        let ip = ground.ip(1);
        let number = "[[number]]\ndial = \"800\"\nflow = \"flow.toml\"\nlanguage = \"it\"\n";
        let config = format!(
            "[sip]\nlisten = [\"udp:{ip}:5060\"]\n[media]\nlisten = \"{ip}\"\n[grpc]\nlisten = \"{ip}:50051\"\n\
             [metrics]\nlisten = \"{ip}:9090\"\n{}",
            if reached.is_none() { number } else { "" }
        );
        fs::write(ground.directory().join("pronto.toml"), config).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_pronto"));
        command.arg("serve").current_dir(ground.directory());
        let mut process = Process::start("pronto", &mut command);
        // Opening waits for the reader; what is open has no end.
        let writer = match reached {
            Some(line) => {
                let line = process.wait_for_line(PATIENCE, |said| said.contains(line));
                assert!(line.is_some(), "{}", process.log());
                None
            }
            None => Some(fs::OpenOptions::new().write(true).open(&file).unwrap()),
        };
        process.signal("TERM");
        let status = process.wait_for_exit(PATIENCE);
        assert!(
            status.is_some_and(|status| status.success()),
            "{slow}: {status:?}\n{}",
            process.log()
        );
        drop(writer);
    }
}
