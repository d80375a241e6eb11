//! What the kernel says a process has used: /proc/PID/stat and /proc/PID/status.

use std::fs;
use std::time::{Duration, Instant};

/// Processor time of all threads, in user and in kernel mode, in ticks of 10 ms (USER_HZ is 100 on Linux).
fn processor_time(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the server runs");
    // The name in parentheses may hold blanks; utime and stime are the 12th and 13th field after it.
    let fields: Vec<&str> = stat
        .rsplit_once(')')
        .expect("a stat line")
        .1
        .split_whitespace()
        .collect();
    let ticks = |at: usize| fields[at].parse::<u64>().expect("a number of ticks");
    Duration::from_millis(10 * (ticks(11) + ticks(12)))
}

/// Resident memory in KiB.
pub(crate) fn resident(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the server runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .expect("a resident size")
}

/// A window in which the server's work is counted.
pub(crate) struct Window {
    pid: u32,
    used: Duration,
    since: Instant,
}

impl Window {
    pub(crate) fn open(pid: u32) -> Window {
        Window {
            pid,
            used: processor_time(pid),
            since: Instant::now(),
        }
    }

    /// Milliseconds of processor time, and seconds that passed.
    pub(crate) fn close(self) -> (f64, f64) {
        let used = processor_time(self.pid) - self.used;
        (used.as_secs_f64() * 1_000.0, self.since.elapsed().as_secs_f64())
    }
}
