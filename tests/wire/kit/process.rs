//! A child process whose output is kept line by line, that can be waited for and that never outlives its test.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// The lines a process has written, standard output and standard error as they came.
#[derive(Default)]
struct Log {
    lines: Mutex<Vec<String>>,
    grown: Condvar,
}

pub(crate) struct Process {
    name: String,
    pid: u32,
    log: Arc<Log>,
    exited: Receiver<ExitStatus>,
    status: Option<ExitStatus>,
}

impl Process {
    pub(crate) fn start(name: &str, command: &mut Command) -> Process {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{name} does not start: {error}; is it installed? tests/run installs what is missing")
            });
        let log = Arc::new(Log::default());
        let pid = child.id();
        let readers = [keep(child.stdout.take(), &log), keep(child.stderr.take(), &log)];
        let exited = reap(child, readers);
        Process {
            name: name.to_owned(),
            pid,
            log,
            exited,
            status: None,
        }
    }

    #[allow(dead_code, reason = "the load bench reads the processor's clock by it")]
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// The first line, past or coming, that satisfies `wanted`.
    pub(crate) fn wait_for_line(&self, timeout: Duration, wanted: impl Fn(&str) -> bool) -> Option<String> {
        let deadline = Instant::now() + timeout;
        let mut lines = self.log.lines.lock().unwrap();
        let mut seen = 0;
        loop {
            if let Some(line) = lines[seen..].iter().find(|line| wanted(line)) {
                return Some(line.clone());
            }
            seen = lines.len();
            let left = deadline.checked_duration_since(Instant::now())?;
            lines = self.log.grown.wait_timeout(lines, left).unwrap().0;
        }
    }

    pub(crate) fn log(&self) -> String {
        self.log.lines.lock().unwrap().join("\n")
    }

    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .arg(format!("-{signal}"))
            .arg(self.pid.to_string())
            .status();
        assert!(
            sent.is_ok_and(|status| status.success()),
            "{} (pid {}) takes no {signal}: it is gone",
            self.name,
            self.pid
        );
    }

    /// SIGKILL by a system call, without the milliseconds that starting another program takes; when it was sent.
    pub(crate) fn kill(&self) -> Instant {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        let pid = pid.expect("a process id is a positive number");
        let sent = kill_process(pid, Signal::KILL);
        let at = Instant::now();
        assert!(
            sent.is_ok(),
            "{} (pid {}) takes no KILL: {sent:?}",
            self.name,
            self.pid
        );
        at
    }

    /// How it ended, or `None` if it still runs after `timeout`.
    pub(crate) fn wait_for_exit(&mut self, timeout: Duration) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.exited.recv_timeout(timeout).ok();
        }
        self.status
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.wait_for_exit(Duration::ZERO).is_none() {
            let _ = Command::new("kill")
                .arg("-KILL")
                .arg(self.pid.to_string())
                .status();
            let _ = self.wait_for_exit(Duration::from_secs(5));
        }
        if thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let last = &lines[lines.len().saturating_sub(60)..];
            eprintln!(
                "--- {}: last {} of {} lines ---\n{}\n---",
                self.name,
                last.len(),
                lines.len(),
                last.join("\n")
            );
        }
    }
}

fn keep(pipe: Option<impl Read + Send + 'static>, log: &Arc<Log>) -> thread::JoinHandle<()> {
    let log = Arc::clone(log);
    thread::spawn(move || {
        let Some(pipe) = pipe else { return };
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while pipe.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            log.lines
                .lock()
                .unwrap()
                .push(String::from_utf8_lossy(&line).trim_end().to_owned());
            log.grown.notify_all();
            line.clear();
        }
    })
}

/// The exit is reported only after the last line was kept.
fn reap(mut child: Child, readers: [thread::JoinHandle<()>; 2]) -> Receiver<ExitStatus> {
    let (report, exited) = channel();
    thread::spawn(move || {
        let status = child.wait();
        for reader in readers {
            let _ = reader.join();
        }
        if let Ok(status) = status {
            let _ = report.send(status);
        }
    });
    exited
}
