//! SIPp (Debian's 3.6.1): scenarios of `tests/sipp`, their verdict by its exit code and its statistics.

use std::fs;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::ground::free_port;
use super::process::Process;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Udp,
    Tcp,
}

pub(crate) struct Sipp {
    process: Process,
    directory: PathBuf,
    scenario: String,
    calls: u32,
}

/// A run of one scenario.
pub(crate) struct Scenario<'a> {
    pub(crate) name: &'a str,
    pub(crate) transport: Transport,
    /// Ours; the port 0 is any.
    pub(crate) local: (IpAddr, u16),
    pub(crate) server: SocketAddr,
    /// `-s`: the user part of the request URI.
    pub(crate) service: &'a str,
    pub(crate) calls: u32,
    /// User and password, where the scenario proves itself.
    pub(crate) login: Option<(&'a str, &'a str)>,
    /// `-d`: how long the scenario's pause is.
    pub(crate) hold: Duration,
    pub(crate) timeout: Duration,
    /// Further command-line arguments of SIPp.
    pub(crate) more: &'a [&'a str],
}

impl Scenario<'_> {
    /// Starts it, with `directory` for its files.
    pub(crate) fn start(&self, directory: &Path) -> Sipp {
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/sipp")
            .join(self.name)
            .with_extension("xml");
        let port = if self.local.1 == 0 {
            free_port(self.local.0)
        } else {
            self.local.1
        };
        let mut command = Command::new("sipp");
        command
            .current_dir(directory)
            .arg(self.server.to_string())
            .arg("-sf")
            .arg(file);
        command.args([
            "-t",
            if self.transport == Transport::Udp {
                "u1"
            } else {
                "t1"
            },
        ]);
        command.args([
            "-i",
            &self.local.0.to_string(),
            "-p",
            &port.to_string(),
            "-s",
            self.service,
        ]);
        command.args([
            "-m",
            &self.calls.to_string(),
            "-r",
            "5",
            "-d",
            &self.hold.as_millis().to_string(),
            "-nostdin",
            "-trace_err",
            "-error_file",
            "errors.log",
        ]);
        command.args([
            "-trace_stat",
            "-stf",
            "stat.csv",
            "-fd",
            "1",
            "-trace_msg",
            "-message_file",
            "messages.log",
        ]);
        command.args([
            "-timeout",
            &format!("{}s", self.timeout.as_secs()),
            "-timeout_error",
        ]);
        command.args(self.more);
        if let Some((user, password)) = self.login {
            command.args(["-au", user, "-ap", password]);
        }
        Sipp {
            process: Process::start(&format!("sipp {}", self.name), &mut command),
            directory: directory.to_owned(),
            scenario: self.name.to_owned(),
            calls: self.calls,
        }
    }
}

impl Sipp {
    /// Waits until it takes connections: unlike an INVITE over UDP, nobody repeats a refused connection.
    pub(crate) fn listening(&mut self, address: SocketAddr) {
        while TcpStream::connect(address).is_err() {
            let ended = self.process.wait_for_exit(Duration::from_millis(20));
            assert!(
                ended.is_none(),
                "scenario {}: it ended before it listened",
                self.scenario
            );
        }
    }

    /// Waits for the end of the run: every call must have gone as the scenario says.
    pub(crate) fn succeeds(self, timeout: Duration) {
        if let Err(story) = self.verdict(timeout) {
            panic!("{story}");
        }
    }

    /// The same, told instead of thrown.
    pub(crate) fn verdict(mut self, timeout: Duration) -> Result<(), String> {
        let status = self.process.wait_for_exit(timeout);
        let good = self.statistic("SuccessfulCall(C)");
        if status.is_some_and(|status| status.success()) && good == Some(self.calls) {
            return Ok(());
        }
        let file = |name: &str| fs::read_to_string(self.directory.join(name)).unwrap_or_default();
        Err(format!(
            "scenario {}: {status:?}, {good:?} of {} calls good\n{}\n{}",
            self.scenario,
            self.calls,
            file("errors.log"),
            tail(&file("messages.log"), 120)
        ))
    }

    /// The last value of a column of SIPp's statistics.
    fn statistic(&self, column: &str) -> Option<u32> {
        let csv = fs::read_to_string(self.directory.join("stat.csv")).ok()?;
        let mut lines = csv.lines();
        let at = lines.next()?.split(';').position(|name| name == column)?;
        lines.last()?.split(';').nth(at)?.parse().ok()
    }
}

fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
