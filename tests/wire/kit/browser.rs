//! A phone of a web page without a browser: sip.js over a WebSocket, under node. Its packages come from the lock file
//! beside its script, fetched once and kept in the build's directory.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use super::centre::{Centre, PASSWORD};
use super::g711::Law;
use super::message::sdp;
use super::phone::DOMAIN;
use super::process::Process;
use super::rtp::RtpEndpoint;

const LOCK: &str = "package-lock.json";

pub(crate) struct Browser(Process);

impl Browser {
    /// Starts it over WSS, believing the centre's certificate, or over WS. It registers, then answers one call, or calls.
    pub(crate) fn start(centre: &Centre, user: &str, over: &str, sdp: &str, then: &[&str]) -> Browser {
        let port = if over == "wss" { 8443 } else { 8080 };
        let url = format!("{over}://{}/", SocketAddr::new(centre.sip().ip(), port));
        let mut command = Command::new("node");
        command
            .current_dir(installed())
            .env(
                "NODE_EXTRA_CA_CERTS",
                centre.ground.directory().join("centre.crt"),
            )
            .args(["phone.mjs", &url, user, PASSWORD, DOMAIN, sdp])
            .args(then);
        Browser(Process::start(&format!("sip.js {user}"), &mut command))
    }

    /// Waits for a line that begins like this; the rest of it.
    pub(crate) fn says(&self, what: &str, timeout: Duration) -> Option<String> {
        let line = self.0.wait_for_line(timeout, |line| {
            line.strip_prefix(what)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        })?;
        Some(line[what.len()..].trim().to_owned())
    }

    /// Its media goes where the gateway's description wants it.
    pub(crate) fn talk(&self, rtp: &RtpEndpoint, timeout: Duration) -> bool {
        let address = self.says("media", timeout).and_then(|text| text.parse().ok());
        address.map(|remote| rtp.send_to(remote, Law::Mu)).is_some()
    }

    pub(crate) fn hang_up(&self) {
        self.0.signal("USR2");
    }

    pub(crate) fn has_ended(&mut self, timeout: Duration) -> bool {
        let status = self.0.wait_for_exit(timeout);
        status.is_some_and(|status| status.success())
    }
}

/// The SDP offer of a page for these media.
pub(crate) fn offer(rtp: &RtpEndpoint) -> String {
    sdp(rtp.local(), &[Law::Mu])
}

/// The directory where script and packages lie side by side.
fn installed() -> &'static Path {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire/websocket");
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("websocket");
        fs::create_dir_all(&directory).expect("the build's directory is writable");
        let read = |path: PathBuf| fs::read(path).unwrap_or_default();
        let complete = directory.join("node_modules/.complete");
        let (lock, there) = (read(source.join(LOCK)), read(complete.clone()));
        for name in ["package.json", LOCK, "phone.mjs"] {
            fs::copy(source.join(name), directory.join(name)).expect("the script is committed");
        }
        if lock != there {
            let npm = Command::new("npm")
                .args([
                    "ci",
                    "--ignore-scripts",
                    "--no-audit",
                    "--no-fund",
                    "--prefer-offline",
                ])
                .current_dir(&directory)
                .output()
                .expect("npm is installed; tests/run installs it");
            let error = String::from_utf8_lossy(&npm.stderr);
            assert!(npm.status.success(), "npm ci: {error}");
            fs::write(complete, lock).expect("the build's directory is writable");
        }
        directory
    })
}
