//! The kernel's account of a process: /proc/PID/task/*/schedstat and /proc/PID/status.

use std::fs;
use std::time::{Duration, Instant};

/// Processor time of all threads, in user and in kernel mode. The scheduler counts it in nanoseconds; /proc/PID/stat only
/// samples it every 10 ms, which is too coarse for a window of some seconds.
fn processor_time(pid: u32) -> Duration {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("the server runs");
    let spent = |path: std::path::PathBuf| {
        // A thread may have ended since.
        let stat = fs::read_to_string(path.join("schedstat")).ok()?;
        stat.split_whitespace().next()?.parse::<u64>().ok()
    };
    let spent = threads.flatten().filter_map(|thread| spent(thread.path()));
    Duration::from_nanos(spent.sum())
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
        // Less where a thread has ended, whose time is gone.
        let used = processor_time(self.pid).saturating_sub(self.used);
        (used.as_secs_f64() * 1_000.0, self.since.elapsed().as_secs_f64())
    }
}
