//! The clients in `examples`, in Rust and in Python, against a running centre: each says what `docs/api.md` promises.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use crate::integrator;
use crate::kit::centre::{Centre, Plan, STRAIGHT};
use crate::kit::g711::Law;
use crate::kit::ground::{CALLER, CENTRE};
use crate::kit::phone::PATIENCE;
use crate::kit::process::Process;
use crate::kit::rtp::RtpEndpoint;

/// A client of the examples.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Client {
    Rust,
    Python,
}

const BOTH: [Client; 2] = [Client::Rust, Client::Python];

impl Client {
    /// Carries out a command to its end: what it prints, or why it failed.
    pub(crate) fn run(self, centre: &Centre, command: &[&str]) -> Result<String, String> {
        match self {
            Client::Rust => {
                let mut out = Vec::new();
                let arguments = arguments(centre, "http://", command);
                let result = runtime().block_on(integrator::run(&arguments, &mut out));
                result.map_err(|failure| integrator::explain(&*failure))?;
                Ok(String::from_utf8(out).expect("the client prints text"))
            }
            Client::Python => {
                let output = python(centre, command).output().expect("Python can be run");
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                if output.status.success() {
                    Ok(text(&output.stdout))
                } else {
                    Err(text(&output.stderr))
                }
            }
        }
    }
}

fn arguments(centre: &Centre, scheme: &str, command: &[&str]) -> Vec<String> {
    let address = format!("{scheme}{}:50051", centre.ip(CENTRE));
    let words = command.iter().map(|word| (*word).to_owned());
    std::iter::once(address).chain(words).collect()
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn python(centre: &Centre, command: &[&str]) -> Command {
    let (interpreter, stubs) = stubs();
    let mut python = Command::new(interpreter);
    python
        .env("PYTHONPATH", stubs)
        .arg(root().join("examples/integrator.py"))
        .args(arguments(centre, "", command));
    python
}

/// A Python that has gRPC, and the modules that it makes of the contract.
fn stubs() -> &'static (&'static str, PathBuf) {
    static STUBS: OnceLock<(&str, PathBuf)> = OnceLock::new();
    STUBS.get_or_init(|| {
        // Debian's packages are for Debian's own Python, which another may hide.
        let has_grpc = |python: &&str| {
            let tried = Command::new(python)
                .args(["-c", "import grpc, grpc_tools"])
                .output();
            tried.is_ok_and(|tried| tried.status.success())
        };
        let interpreter = ["python3", "/usr/bin/python3"]
            .into_iter()
            .find(has_grpc)
            .expect("python3-grpcio and python3-grpc-tools are installed; tests/run installs them");
        let stubs = Path::new(env!("CARGO_TARGET_TMPDIR")).join("integrator");
        std::fs::create_dir_all(&stubs).expect("the build's directory is writable");
        let contract = root().join("proto");
        let files = ["callers", "operators", "queues"].map(|name| format!("pronto/v1/{name}.proto"));
        let made = Command::new(interpreter)
            .args(["-m", "grpc_tools.protoc", "-I"])
            .arg(&contract)
            .arg(format!("--python_out={}", stubs.display()))
            .arg(format!("--grpc_python_out={}", stubs.display()))
            .args(files.map(|file| contract.join(file)))
            .output()
            .expect("Python can be run");
        let error = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "grpc_tools.protoc: {error}");
        (interpreter, stubs)
    })
}

#[test]
fn both_clients_list_queues_forecast_a_wait_and_set_an_operators_state() {
    let centre = Centre::open(&Plan::default());
    for client in BOTH {
        let run = |command: &[&str]| client.run(&centre, command);
        let queues = "sales: 0 waiting, 0 offered, 0 connected, 0 of 0 operators ready\n\
                      support: 0 waiting, 0 offered, 0 connected, 0 of 0 operators ready\n";
        assert_eq!(run(&["queues"]).as_deref(), Ok(queues), "{client:?}");
        assert_eq!(
            run(&["forecast", "support"]).as_deref(),
            Ok("support: position 1, UNKNOWN_REASON_NOBODY_SIGNED_IN\n"),
            "{client:?}"
        );
        // Nobody without a phone can be offered calls.
        let refused = run(&["set", "101", "ready"]).expect_err("no phone is registered");
        let code = refused.to_lowercase().replace('_', "");
        assert!(code.starts_with("failedprecondition:"), "{client:?}: {refused}");
        let unknown = run(&["forecast", "none"]).expect_err("there is no such queue");
        assert!(
            unknown.contains("there is no `queues/none`"),
            "{client:?}: {unknown}"
        );

        let mut operator = centre.operator("101", 0);
        assert_eq!(
            run(&["set", "101", "paused", "lunch"]).as_deref(),
            Ok("101: OPERATOR_STATE_PAUSED lunch\n"),
            "{client:?}"
        );
        let operators = run(&["operators"]).expect("operators are listed");
        let expected = "101: OPERATOR_STATE_PAUSED lunch\n102: OPERATOR_STATE_SIGNED_OUT\n";
        assert!(operators.starts_with(expected), "{client:?}: {operators}");
        assert_eq!(
            run(&["set", "101", "ready"]).as_deref(),
            Ok("101: OPERATOR_STATE_READY\n"),
            "{client:?}"
        );
        let forecast = run(&["forecast", "support"]).expect("a forecast");
        assert!(
            forecast.starts_with("support: position 1, P50 "),
            "{client:?}: {forecast}"
        );
        assert_eq!(operator.register(crate::kit::centre::PASSWORD, 0), Some(200));
    }
    centre.close();
}

/// A client that watches a queue.
enum Watch {
    Rust(Option<Runtime>, Receiver<String>),
    Python(Process),
}

/// Passes on what is written to it.
struct Pipe(Sender<String>);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes).into_owned();
        self.0.send(text).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Watch {
    fn begin(client: Client, centre: &Centre) -> Watch {
        let command = ["watch", "support"];
        match client {
            Client::Rust => {
                let (out, lines) = mpsc::channel();
                let runtime = runtime();
                let arguments = arguments(centre, "http://", &command);
                runtime.spawn(async move { integrator::run(&arguments, Pipe(out)).await });
                Watch::Rust(Some(runtime), lines)
            }
            Client::Python => {
                let mut python = python(centre, &command);
                Watch::Python(Process::start("integrator.py", &mut python))
            }
        }
    }

    /// Waits for a line that has this in it.
    fn shows(&mut self, part: &str) -> bool {
        match self {
            Watch::Rust(_, lines) => {
                let (mut text, deadline) = (String::new(), Instant::now() + 2 * PATIENCE);
                while !text.contains(part) {
                    let left = deadline.saturating_duration_since(Instant::now());
                    match lines.recv_timeout(left) {
                        Ok(more) => text += &more,
                        Err(_) => return false,
                    }
                }
                true
            }
            Watch::Python(process) => process
                .wait_for_line(2 * PATIENCE, |line| line.contains(part))
                .is_some(),
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Watch::Rust(runtime, _) = self
            && let Some(runtime) = runtime.take()
        {
            runtime.shutdown_timeout(Duration::ZERO);
        }
    }
}

#[test]
fn both_clients_watch_a_queue_and_go_on_when_the_centre_is_killed_and_started_again() {
    for client in BOTH {
        let mut centre = Centre::open(&Plan::default());
        let mut watch = Watch::begin(client, &centre);
        assert!(
            watch.shows("0 waiting, 0 offered, 0 connected, 0 of 0"),
            "{client:?}"
        );
        let _operator = centre.operator("101", 0);
        assert!(watch.shows("1 of 1 operators ready"), "{client:?}");
        let paused = client.run(&centre, &["set", "101", "paused"]);
        assert!(paused.is_ok(), "{client:?}: {paused:?}");
        let (mut caller, rtp) = (centre.caller(0), RtpEndpoint::open(centre.ip(CALLER)));
        let _call = caller.call(STRAIGHT, &rtp, Law::A);
        assert!(
            watch.shows("1 waiting, 0 offered, 0 connected, 0 of 1"),
            "{client:?}"
        );
        centre.kill();
        assert!(centre.wait_for_exit(PATIENCE).is_some());
        centre.restart();
        assert!(
            watch.shows("0 waiting"),
            "{client:?}: it goes on after the restart"
        );
        drop(watch);
        centre.close();
    }
}
