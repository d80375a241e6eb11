//! The system's knowledge of this process: the figures that Prometheus expects of every program, and the limit of open
//! files.

use std::fmt::Write;
use std::fs;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Sockets of a call: two legs, each with one for RTP and one for RTCP.
const OF_A_CALL: u64 = 4;
/// Connections of phones and integrators, the stores, and what else there is.
const OTHERS: u64 = 4_096 + 512;

/// Raises the limit of open files as far as the system allows, and warns if that is not enough for `calls` calls.
pub(crate) fn raise_open_files(calls: usize) {
    let needed = OTHERS + OF_A_CALL * u64::try_from(calls).unwrap_or(u64::MAX / OF_A_CALL / 2);
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX);
    let mut may = limit.current.unwrap_or(u64::MAX);
    if may < most {
        let raised = Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        };
        match setrlimit(Resource::Nofile, raised) {
            Ok(()) => {
                tracing::info!("the limit of open files was raised from {may} to {most} (ulimit -n)");
                may = most;
            }
            Err(error) => tracing::warn!(%error, "the limit of open files stays at {may} (ulimit -n)"),
        }
    }
    if may < needed {
        let enough = may.saturating_sub(OTHERS) / OF_A_CALL;
        tracing::warn!(
            "the limit of open files is {may} (ulimit -Hn): enough for some {enough} calls at once, and {calls} are configured; \
             {needed} would do"
        );
    }
}

/// The figures as Prometheus reads them; those that cannot be read are left out.
pub(crate) fn figures() -> String {
    let mut page = String::new();
    let mut say = |name: &str, kind: &str, help: &str, value: Option<f64>| {
        if let Some(value) = value {
            // Writing to a string cannot fail.
            let _ = writeln!(
                page,
                "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n"
            );
        }
    };
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let stat = Stat::read(&stat, rustix::param::clock_ticks_per_second() as f64);
    let cpu = stat.map(|stat| stat.cpu);
    say(
        "process_cpu_seconds_total",
        "counter",
        "Processor time used, in user and in kernel mode",
        cpu,
    );
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = kibibytes(&status, "VmRSS:");
    say(
        "process_resident_memory_bytes",
        "gauge",
        "Memory that is resident",
        resident,
    );
    let mapped = kibibytes(&status, "VmSize:");
    say(
        "process_virtual_memory_bytes",
        "gauge",
        "Memory that is mapped",
        mapped,
    );
    let threads = stat.map(|stat| stat.threads);
    say("process_threads", "gauge", "Threads", threads);
    let open = fs::read_dir("/proc/self/fd").ok().map(|open| open.count() as f64);
    say(
        "process_open_fds",
        "gauge",
        "Files and sockets that are open",
        open,
    );
    let most = getrlimit(Resource::Nofile).current.map(|most| most as f64);
    say(
        "process_max_fds",
        "gauge",
        "Files and sockets that may be open (ulimit -n)",
        most,
    );
    let booted = fs::read_to_string("/proc/stat").unwrap_or_default();
    let booted = booted.lines().find_map(|line| line.strip_prefix("btime "));
    let booted: Option<f64> = booted.and_then(|booted| booted.trim().parse().ok());
    let started = stat.zip(booted).map(|(stat, booted)| booted + stat.started);
    say(
        "process_start_time_seconds",
        "gauge",
        "When the process began, in seconds since the Unix epoch",
        started,
    );
    page
}

/// Figures from `/proc/PID/stat` (proc_pid_stat(5)), times in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Stat {
    cpu: f64,
    threads: f64,
    /// After the machine was booted.
    started: f64,
}

impl Stat {
    fn read(text: &str, ticks: f64) -> Option<Self> {
        // The name may hold blanks and parentheses; the third field follows the last one.
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
        Some(Stat {
            cpu: (field(14)? + field(15)?) / ticks,
            threads: field(20)?,
            started: field(22)? / ticks,
        })
    }
}

fn kibibytes(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_blanks_and_parentheses_moves_no_field() {
        let text = "7 (a) (b c) S 1 7 7 0 -1 0 0 0 0 0 250 50 0 0 20 0 9 0 1234 8 9";
        let stat = Stat::read(text, 100.0);
        let expected = Stat {
            cpu: 3.0,
            threads: 9.0,
            started: 12.34,
        };
        assert_eq!(stat, Some(expected));
        assert_eq!(Stat::read("7 (a) S 1", 100.0), None);
        assert_eq!(
            kibibytes("VmSize:\t  12 kB\nVmRSS:\t   3 kB\n", "VmRSS:"),
            Some(3072.0)
        );
    }

    #[test]
    fn every_figure_of_this_process_is_there() {
        let page = figures();
        for name in [
            "cpu_seconds_total",
            "resident_memory_bytes",
            "virtual_memory_bytes",
            "threads",
            "open_fds",
            "max_fds",
            "start_time_seconds",
        ] {
            assert!(
                page.contains(&format!("\n# TYPE process_{name} ")),
                "{name}: {page}"
            );
        }
    }
}
