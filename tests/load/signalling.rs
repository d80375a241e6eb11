//! A signalling call: INVITE with SDP, answered, ACK, BYE, by SIPp. Processor time per call.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::account::{Window, resident};
use crate::kit::centre::{Centre, ITALIAN, Plan};
use crate::kit::ground::{CALLER, free_port};
use crate::kit::process::Process;
use crate::{SERVER, asterisk, medians};

const WARM_UP: Duration = Duration::from_secs(4);
const MEASURED: Duration = Duration::from_secs(10);
/// The calls last a little longer than the window.
const SECONDS: u32 = 16;

pub(crate) fn report(rates: &[u32], runs: usize) {
    println!("signalling calls (INVITE with SDP answered, ACK, BYE): processor time per call");
    for &rate in rates {
        let [cost, done, failed, memory] = medians(runs, || measure(rate));
        let sustained = done >= 0.99 && failed < 0.001;
        println!(
            "  {rate:5} calls/s: {cost:.3} ms; {:.1} % of the rate, {:.3} % failed, {memory:.1} KiB kept per call{}{}",
            done * 100.0,
            failed * 100.0,
            if sustained { "" } else { "  NOT SUSTAINED" },
            asterisk(peer(rate)),
        );
    }
}

fn peer(rate: u32) -> Option<&'static str> {
    match rate {
        100 => Some("1.67 ms"),
        400 => Some("0.94 ms"),
        700 => Some("0.97 ms, its limit; 117 to 150 KiB kept per call for 32 s"),
        _ => None,
    }
}

/// Milliseconds per call, share of the rate reached, share of calls failed, KiB kept per call done.
fn measure(rate: u32) -> [f64; 4] {
    let centre = Centre::open(&Plan {
        processor: Some(SERVER),
        ..Plan::default()
    });
    let directory = centre.ground.subdirectory("sipp");
    let before = resident(centre.pid());
    let mut sipp = start(&centre, &directory, rate);
    assert!(
        sipp.wait_for_exit(WARM_UP).is_none(),
        "SIPp ended early:\n{}",
        sipp.log()
    );
    let first = Row::last(&directory).expect("SIPp writes its statistics each second");
    let window = Window::open(centre.pid());
    assert!(
        sipp.wait_for_exit(MEASURED).is_none(),
        "SIPp ended early:\n{}",
        sipp.log()
    );
    let (used, passed) = window.close();
    let last = Row::last(&directory).expect("SIPp writes its statistics each second");
    let memory = resident(centre.pid()) - before;
    let _ = sipp.wait_for_exit(Duration::from_secs(60));
    let end = Row::last(&directory).expect("SIPp writes its statistics each second");
    let reached = (last.good - first.good) / (last.at - first.at);
    [
        used / (reached * passed),
        reached / f64::from(rate),
        end.failed / (end.good + end.failed),
        memory / last.good,
    ]
}

fn start(centre: &Centre, directory: &Path, rate: u32) -> Process {
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/load/signalling.xml");
    let ip = centre.ip(CALLER);
    let mut command = Command::new("sipp");
    command
        .current_dir(directory)
        .arg(centre.sip().to_string())
        .arg("-sf")
        .arg(scenario);
    command.args([
        "-t",
        "u1",
        "-i",
        &ip.to_string(),
        "-p",
        &free_port(ip).to_string(),
        "-s",
        ITALIAN,
    ]);
    command.args([
        "-r",
        &rate.to_string(),
        "-m",
        &(rate * SECONDS).to_string(),
        "-l",
        "20000",
    ]);
    command.args([
        "-nostdin",
        "-trace_stat",
        "-stf",
        "stat.csv",
        "-fd",
        "1",
        "-timeout",
        "60s",
    ]);
    Process::start("sipp", &mut command)
}

/// A line of SIPp's statistics.
struct Row {
    /// Seconds since the epoch.
    at: f64,
    good: f64,
    failed: f64,
}

impl Row {
    fn last(directory: &Path) -> Option<Row> {
        let csv = fs::read_to_string(directory.join("stat.csv")).ok()?;
        let names: Vec<&str> = csv.lines().next()?.split(';').collect();
        // The very last line may be half written.
        let whole = &csv[..=csv.rfind('\n')?];
        let values: Vec<&str> = whole.lines().last()?.split(';').collect();
        let value = |name: &str| {
            values
                .get(names.iter().position(|known| *known == name)?)
                .copied()
        };
        Some(Row {
            at: value("CurrentTime")?
                .split('\t')
                .next_back()?
                .trim()
                .parse()
                .ok()?,
            good: value("SuccessfulCall(C)")?.parse().ok()?,
            failed: value("FailedCall(C)")?.parse().ok()?,
        })
    }
}
