//! A call centre of the product: the binary, a configuration of its own, a directory of its own.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::disk::Disk;
use super::ears;
use super::ground::{CALLER, CENTRE, Ground, PHONE};
use super::phone::{DOMAIN, Phone};
use super::process::Process;
use super::tls;
use super::wav::Wav;

/// The flow behind most tests: greet, ask, wait for an operator; 1 support, 2 sales, 9 back while waiting.
const MENU: &str = r#"
start = "welcome"
[welcome]
say = ["welcome"]
next = "main"
[main]
menu = ["main-menu"]
keys = { 1 = "support", 2 = "sales", 0 = "support" }
timeout = "5s"
noinput = "support"
nomatch = "main"
[support]
queue = "support"
keys = { 9 = "main" }
timed_out = "sorry"
nobody = "sorry"
failed = "sorry"
ended = "goodbye"
[sales]
queue = "sales"
keys = { 9 = "main" }
timed_out = "sorry"
nobody = "sorry"
failed = "sorry"
ended = "goodbye"
[goodbye]
say = ["goodbye"]
hangup = true
[sorry]
say = ["all-busy"]
hangup = true
"#;

/// Straight into the queue.
const DIRECT: &str = r#"
start = "support"
[support]
queue = "support"
ended = "bye"
[bye]
hangup = true
"#;

/// Straight to how long it takes, then by that: more than an hour is never forecast of an empty queue.
const ASKING: &str = r#"
start = "main"
[main]
menu = ["main-menu", { forecast = "support" }]
keys = { 1 = "how-long", 2 = "never-so-long" }
[how-long]
forecast = "support"
limit = "1h"
longer = "sorry"
unknown = "sorry"
next = "goodbye"
[never-so-long]
forecast = "support"
limit = "1s"
longer = "sorry"
unknown = "goodbye"
next = "goodbye"
[goodbye]
say = ["goodbye"]
hangup = true
[sorry]
say = ["all-busy"]
hangup = true
"#;

/// A few words, and the end.
const WORDS: &str = r#"
start = "words"
[words]
say = ["welcome"]
hangup = true
"#;

/// Numbers of the test centre.
pub(crate) const ITALIAN: &str = "800";
pub(crate) const ENGLISH: &str = "801";
pub(crate) const STRAIGHT: &str = "810";
/// A menu that says the wait of `support`; 1 and 2 lead on by it.
pub(crate) const FORECAST: &str = "850";
pub(crate) const BRIEF: &str = "820";
/// Answered when an operator answers: the menu, and a few words.
pub(crate) const EARLY: &str = "830";
pub(crate) const EARLY_WORDS: &str = "840";

/// Whoever waits hears music by then: an announcement of some ten seconds may come first.
pub(crate) const MUSIC: Duration = Duration::from_secs(20);

/// Without blanks: baresip's account line ends a parameter at one.
pub(crate) const PASSWORD: &str = "correct-horse-7-battery";

/// The gateway's log line when the link is up.
const ATTACHED: &str = "attached to the queue service";

/// Operator of both queues in every centre, see [`Centre::sitter`].
const SITTER: &str = "199";
const SITTER_HOST: u8 = 40;

/// The settings that differ from test to test.
pub(crate) struct Plan {
    /// Operators with the queues they serve.
    pub(crate) operators: Vec<(&'static str, &'static [&'static str])>,
    pub(crate) ring: &'static str,
    pub(crate) rona_pause: &'static str,
    pub(crate) wrap_up: &'static str,
    pub(crate) max_wait: &'static str,
    pub(crate) drain: &'static str,
    /// The setting `[queue_service] grace`.
    pub(crate) grace: &'static str,
    /// The halves in two processes.
    pub(crate) apart: bool,
    /// Both queues are recorded.
    pub(crate) record: bool,
    /// The prompt that tells the caller so.
    pub(crate) consent: Option<&'static str>,
    /// TLS and WSS sockets too, with a certificate of their own making, a WS socket, and IPv6.
    pub(crate) secure: bool,
    /// Operators with a queue and a number of their own, see [`super::line`].
    pub(crate) lines: usize,
    /// When their numbers answer.
    pub(crate) answer: &'static str,
    /// The trunk's setting `calls`, its limit of calls at once; `None`: not set.
    pub(crate) trunk_calls: Option<u32>,
    /// `[sip] digest`, as it is written.
    pub(crate) digest: &'static str,
    /// Recorded prompts: paths below `[prompts] path`, and what the files hold.
    pub(crate) prompts: Vec<(&'static str, Vec<u8>)>,
    /// A name in `[sip] hosts`.
    pub(crate) host: Option<&'static str>,
    /// `advertise` of signalling and media; phones of operators are on a network that does not see it.
    pub(crate) advertise: Option<&'static str>,
    /// The processor it is pinned to, where its work is measured.
    pub(crate) processor: Option<usize>,
    /// The size in MiB of a disk that holds only its store; `None`: no such disk.
    pub(crate) disk: Option<u64>,
    /// The shell commands that start it, with `exec "$@"` at the end; empty: only start it.
    pub(crate) launch: &'static str,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan {
            operators: vec![("101", &["support"]), ("102", &["support"])],
            ring: "15s",
            rona_pause: "30s",
            wrap_up: "1s",
            max_wait: "30m",
            drain: "600s",
            grace: "30s",
            apart: false,
            record: false,
            consent: None,
            secure: false,
            lines: 0,
            answer: "at-once",
            trunk_calls: None,
            digest: "[\"md5\"]",
            prompts: Vec::new(),
            host: None,
            advertise: None,
            processor: None,
            disk: None,
            launch: "",
        }
    }
}

pub(crate) struct Centre {
    /// The whole, or the gateway where the halves are apart.
    process: Process,
    /// The queue service, where the halves are apart.
    queue: Option<Process>,
    config: PathBuf,
    processor: Option<usize>,
    disk: Option<Disk>,
    launch: &'static str,
    pub(crate) ground: Ground,
}

impl Centre {
    /// Writes the configuration, starts the binary and waits until it answers on its SIP port.
    pub(crate) fn open(plan: &Plan) -> Centre {
        let ground = Ground::take();
        let config = plan.write(&ground);
        Centre::start(plan, ground, config)
    }

    /// The same where the configuration is written already, and perhaps a store.
    pub(crate) fn start(plan: &Plan, ground: Ground, config: PathBuf) -> Centre {
        let disk = plan.disk.map(|mebibytes| {
            let store = ground.directory().join("var");
            Disk::mount(&store, mebibytes).expect("the test has asked Disk::is_possible")
        });
        let queue = plan.apart.then(|| start("queue", &config, (None, plan.launch)));
        let process = start(
            if plan.apart { "gateway" } else { "serve" },
            &config,
            (plan.processor, plan.launch),
        );
        let mut centre = Centre {
            process,
            queue,
            config,
            processor: plan.processor,
            disk,
            launch: plan.launch,
            ground,
        };
        centre.wait_until_it_answers();
        if plan.launch.is_empty() || plan.apart {
            centre.reattached(0);
        } else {
            // Its log may lead elsewhere.
            centre.until("the gateway attaches", |centre| {
                centre.figure("pronto_link_attached") > 0.0
            });
        }
        centre
    }

    fn wait_until_it_answers(&mut self) {
        let mut probe = Phone::open("probe", self.ground.ip(CALLER), self.sip());
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            if probe.ping(Duration::from_millis(100)).is_some() {
                return;
            }
            let exit = self.process.wait_for_exit(Duration::ZERO);
            assert!(
                exit.is_none(),
                "the product ended at start: {exit:?}\n{}",
                self.process.log()
            );
        }
        panic!("the product does not answer OPTIONS on {}", self.sip());
    }

    /// Where IPv6 is spoken over this transport, in a centre that does.
    pub(crate) fn sip_over_ipv6(&self, transport: &str) -> SocketAddr {
        let log = self.log();
        let of = format!("{transport}:[");
        let line = log.lines().find_map(|line| line.split_once(&of));
        line.and_then(|(_, rest)| format!("[{rest}").parse().ok())
            .expect("the greeting names each socket")
    }

    /// Where TLS is spoken, in a centre that does.
    pub(crate) fn sip_over_tls(&self) -> SocketAddr {
        SocketAddr::new(self.ground.ip(CENTRE), 5061)
    }

    pub(crate) fn sip(&self) -> SocketAddr {
        SocketAddr::new(self.ground.ip(CENTRE), 5060)
    }

    /// A phone of ours in the trunk.
    pub(crate) fn caller(&self, number: u8) -> Phone {
        Phone::open(
            &format!("39055000{number:02}"),
            self.ip(CALLER + number),
            self.sip(),
        )
    }

    /// A phone of ours registered as an operator.
    pub(crate) fn operator(&self, id: &str, number: u8) -> Phone {
        let mut phone = Phone::open(id, self.ip(PHONE + number), self.sip());
        assert_eq!(
            phone.register(PASSWORD, 300),
            Some(200),
            "operator {id} cannot register"
        );
        phone
    }

    /// An operator who is signed in to both queues and declines every call: while nobody else is there, callers wait
    /// with music instead of hearing at once that nobody is. The first call offered pauses them for `rona_pause`.
    pub(crate) fn sitter(&self) -> Sitter {
        let mut phone = self.operator(SITTER, SITTER_HOST);
        let gone = Arc::new(AtomicBool::new(false));
        let leave = Arc::clone(&gone);
        let thread = thread::spawn(move || {
            while !leave.load(Ordering::Relaxed) {
                if let Some(call) = phone.rung(Duration::from_millis(100)) {
                    phone.refuse(&call, 603, "Decline");
                }
            }
        });
        Sitter {
            gone,
            thread: Some(thread),
        }
    }

    pub(crate) fn ip(&self, host: u8) -> IpAddr {
        self.ground.ip(host)
    }

    pub(crate) fn log(&self) -> String {
        self.process.log()
    }

    /// The disk of its store, if that has one of its own.
    #[allow(dead_code, reason = "the load bench fills no disk")]
    pub(crate) fn disk(&self) -> &Disk {
        self.disk.as_ref().expect("the plan wants a disk")
    }

    /// Starts it where it must not start; what it says.
    #[allow(dead_code, reason = "the load bench starts what starts")]
    pub(crate) fn refuses_to_start(&mut self) -> String {
        self.process = start("serve", &self.config, (self.processor, self.launch));
        let status = self.process.wait_for_exit(Duration::from_secs(20));
        assert!(
            status.is_some_and(|status| !status.success()),
            "it starts: {status:?}"
        );
        self.process.log()
    }

    /// The finished recordings, oldest name first; waits until there are as many as `count`.
    #[allow(dead_code, reason = "the load bench counts no files")]
    pub(crate) fn recordings(&self, count: usize, timeout: Duration) -> Vec<PathBuf> {
        let root = self.ground.directory().join("var/recordings");
        let mut clock = Phone::open("clock", self.ip(CALLER), self.sip());
        let deadline = Instant::now() + timeout;
        loop {
            let mut found = Vec::new();
            wavs(&root, &mut found);
            found.sort();
            if found.len() >= count || Instant::now() >= deadline {
                return found;
            }
            let _ = clock.receive(Duration::from_millis(50), |_| false);
        }
    }

    #[allow(dead_code, reason = "the load bench reads the processor's clock by it")]
    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    pub(crate) fn signal(&self, signal: &str) {
        self.process.signal(signal);
    }

    /// SIGKILL; when it was sent.
    #[allow(dead_code, reason = "the load bench kills nothing")]
    pub(crate) fn kill(&self) -> Instant {
        self.process.kill()
    }

    pub(crate) fn wait_for_exit(&mut self, timeout: Duration) -> Option<std::process::ExitStatus> {
        self.process.wait_for_exit(timeout)
    }

    /// The same centre, the same directory, a new process.
    pub(crate) fn restart(&mut self) {
        let command = if self.queue.is_some() { "gateway" } else { "serve" };
        self.process = start(command, &self.config, (self.processor, self.launch));
        self.wait_until_it_answers();
        self.reattached(0);
    }

    /// The gateway alone, while there is no queue service.
    #[allow(dead_code, reason = "the load bench restarts nothing")]
    pub(crate) fn restart_unattached(&mut self) {
        self.process = start("gateway", &self.config, (self.processor, self.launch));
        self.wait_until_it_answers();
    }

    /// Another process of the product, with a configuration of its own.
    #[allow(dead_code, reason = "the load bench has one centre")]
    pub(crate) fn start_beside(&self, what: &str, config: &Path) -> Process {
        start(what, config, (None, self.launch))
    }

    /// The queue service, a process of its own.
    pub(crate) fn queue(&mut self) -> &mut Process {
        self.queue.as_mut().expect("the halves are apart")
    }

    /// Starts the queue service again and waits until the gateway has attached to it.
    pub(crate) fn restart_queue(&mut self) {
        let before = self.attached();
        self.start_queue();
        self.reattached(before);
    }

    /// Starts the queue service again; the gateway need not attach to it.
    pub(crate) fn start_queue(&mut self) {
        self.queue = Some(start("queue", &self.config, (None, self.launch)));
    }

    /// The configuration's file.
    pub(crate) fn config(&self) -> &Path {
        &self.config
    }

    /// How often the gateway has attached to the queue service.
    pub(crate) fn attached(&self) -> usize {
        self.log().matches(ATTACHED).count()
    }

    /// Waits until the gateway has attached more than `before` times.
    pub(crate) fn reattached(&mut self, before: usize) {
        self.until("the gateway attaches", |centre| centre.attached() > before);
    }

    /// Looks again and again until it is so.
    pub(crate) fn until(&mut self, what: &str, so: impl Fn(&Centre) -> bool) {
        self.until_within(Duration::from_secs(20), what, so);
    }

    /// The same with another patience.
    pub(crate) fn until_within(&mut self, patience: Duration, what: &str, so: impl Fn(&Centre) -> bool) {
        let deadline = Instant::now() + patience;
        while !so(self) {
            assert!(Instant::now() < deadline, "never: {what}");
            let exit = match &mut self.queue {
                Some(queue) => queue.wait_for_exit(Duration::from_millis(50)),
                None => self.process.wait_for_exit(Duration::from_millis(50)),
            };
            assert!(exit.is_none(), "until {what}: it has ended: {exit:?}");
        }
    }

    /// A figure of the metrics page of the whole, or of the queue service; 0 where it is not there.
    pub(crate) fn figure(&self, name: &str) -> f64 {
        let mut page = String::new();
        let mut stream = TcpStream::connect((self.ip(CENTRE), 9090)).expect("the metrics page is served");
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: centre\r\nConnection: close\r\n\r\n")
            .and_then(|()| stream.read_to_string(&mut page))
            .expect("the metrics page is sent");
        let line = page.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok())
            .unwrap_or(0.0)
    }

    /// The output of `pronto calls`, one call a line.
    pub(crate) fn calls(&self, arguments: &[&str]) -> Vec<String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pronto"));
        command
            .arg("calls")
            .arg("--config")
            .arg(&self.config)
            .args(arguments);
        let output = command.output().expect("the binary can be run");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && error.is_empty(),
            "pronto calls: {error}"
        );
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .map(str::to_owned)
            .collect()
    }

    /// The output of `pronto trace`, or its error text.
    pub(crate) fn trace(&self, arguments: &[&str]) -> Result<String, String> {
        self.pronto(&[&["trace"], arguments].concat())
    }

    /// The output of a command of the product about this centre, or its error text.
    pub(crate) fn pronto(&self, arguments: &[&str]) -> Result<String, String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pronto"));
        command.args(arguments).arg("--config").arg(&self.config);
        let output = command.output().expect("the binary can be run");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() {
            Ok(text(&output.stdout))
        } else {
            Err(text(&output.stderr))
        }
    }

    /// SIGTERM with no call up: exit 0, soon, and nothing in the log that nobody expected.
    pub(crate) fn close(self) {
        self.close_but_keep();
    }

    /// The same; what it has written is kept as long as what is returned.
    pub(crate) fn close_but_keep(mut self) -> Ground {
        self.process.signal("TERM");
        let status = self.process.wait_for_exit(Duration::from_secs(10));
        assert!(
            status.is_some_and(|status| status.success()),
            "after SIGTERM without calls: {status:?}\n{}",
            self.log()
        );
        assert!(
            !self.log().contains("panic"),
            "something panicked:\n{}",
            self.log()
        );
        if let Some(mut queue) = self.queue.take() {
            queue.signal("TERM");
            let status = queue.wait_for_exit(Duration::from_secs(10));
            assert!(
                status.is_some_and(|status| status.success()) && !queue.log().contains("panic"),
                "the queue service after SIGTERM: {status:?}\n{}",
                queue.log()
            );
        }
        self.ground
    }

    /// The same where calls may be left over that will never be acknowledged: the second SIGTERM.
    pub(crate) fn close_now(mut self) {
        self.process.signal("TERM");
        if self.process.wait_for_exit(Duration::from_secs(1)).is_none() {
            self.process.signal("TERM");
        }
        assert!(
            self.process.wait_for_exit(Duration::from_secs(10)).is_some(),
            "it does not end:\n{}",
            self.log()
        );
        assert!(
            !self.log().contains("panic"),
            "something panicked:\n{}",
            self.log()
        );
    }
}

fn wavs(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            wavs(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "wav") {
            found.push(path);
        }
    }
}

pub(crate) struct Sitter {
    gone: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Sitter {
    fn drop(&mut self) {
        self.gone.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn start(what: &str, config: &Path, (processor, launch): (Option<usize>, &str)) -> Process {
    let binary = env!("CARGO_BIN_EXE_pronto");
    let mut command = match processor {
        None if launch.is_empty() => Command::new(binary),
        None => {
            let mut command = Command::new("bash");
            command.args(["-c", launch, "bash", binary]);
            command
        }
        Some(processor) => {
            // It replaces itself by the binary: the process id stays.
            let mut command = Command::new("taskset");
            command.args(["-c", &processor.to_string(), binary]);
            command
        }
    };
    command.arg(what).arg("--config").arg(config);
    Process::start(&format!("pronto {what}"), &mut command)
}

/// A built-in clip at 8 kHz: `it/welcome`, `en/main-menu`, `music` …
pub(crate) fn clip(name: &str) -> Vec<i16> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("recordings/prompts")
        .join(format!("{name}.wav"));
    ears::telephone(&Wav::read(&file).expect("the built-in prompts are committed"))
}

impl Plan {
    /// Writes the configuration and what it names; returns its path.
    pub(crate) fn write(&self, ground: &Ground) -> PathBuf {
        let directory = ground.directory();
        for (name, text) in [
            ("menu", MENU),
            ("direct", DIRECT),
            ("words", WORDS),
            ("asking", ASKING),
        ] {
            fs::write(directory.join(name).with_extension("toml"), text)
                .expect("the test's directory is writable");
        }
        for (name, file) in &self.prompts {
            let path = directory.join("prompts").join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("the test's directory is writable");
            fs::write(path, file).expect("the test's directory is writable");
        }
        if self.secure {
            tls::certificate(directory, "centre", ground.ip(CENTRE));
        }
        super::line::write_flows(directory, self.lines);
        let config = directory.join("pronto.toml");
        fs::write(&config, self.toml(ground)).expect("the test's directory is writable");
        config
    }

    /// The lines of `[media]` and `[sip]` about the advertised address.
    fn advertised(&self, ground: &Ground) -> (String, String) {
        let Some(address) = self.advertise else {
            return Default::default();
        };
        let advertise = format!("advertise = \"{address}\"\n");
        let inside = format!("{advertise}local = [\"{}/26\"]\n", ground.ip(64));
        (advertise, inside)
    }

    /// A caller behind a relay dials that, which is at the caller's own address.
    fn hosts(&self, ground: &Ground) -> String {
        let relays = (CALLER..64).map(|host| ground.ip(host).to_string());
        let all: Vec<String> = relays.chain(self.host.map(str::to_owned)).collect();
        format!("hosts = {all:?}\n")
    }

    fn toml(&self, ground: &Ground) -> String {
        let centre = ground.ip(CENTRE);
        let IpAddr::V4(net) = ground.ip(0) else {
            panic!("the loopback's /8 is IPv4")
        };
        let (sockets, tls) = if self.secure {
            // Of IPv6's loopback there is one for all: the port is whatever is free.
            let more = format!(
                ", \"udp:[::1]:0\", \"tcp:[::1]:0\", \"tls:{centre}:5061\", \"ws:{centre}:8080\", \"wss:{centre}:8443\""
            );
            let tls = "[sip.tls]\ncertificate = \"centre.crt\"\nkey = \"centre.key\"\n[sip.websocket]\norigins = [\"https://desk.example\"]\n";
            (more, tls)
        } else {
            (String::new(), "")
        };
        let (advertise, inside) = self.advertised(ground);
        let mut toml = format!(
            "[sip]\nlisten = [\"udp:{centre}:5060\", \"tcp:{centre}:5060\"{sockets}]\ndomain = \"{DOMAIN}\"\n{hosts}{inside}drain = \"{drain}\"\ndigest = {digest}\nqualify = \"{qualify}\"\n{tls}\
             [[sip.trunk]]\nname = \"carrier\"\nallow = [\"{net}/26\"]\n{budget}\
             [media]\nlisten = \"{centre}\"\n{advertise}ports = [20000, 29999]\n\
             [grpc]\nlisten = \"{centre}:50051\"\n[metrics]\nlisten = \"{centre}:9090\"\n[store]\npath = \"var\"\n\
             [gateway]\nqueue = \"http://{centre}:50051\"\nlisten = \"{centre}:50052\"\nmetrics = \"{centre}:9091\"\n\
             [queue_service]\ngrace = \"{grace}\"\n",
            drain = self.drain,
            hosts = self.hosts(ground),
            digest = self.digest,
            // A line's phone ends with its scenario: to ask it whether it is there would keep a transaction, again and again.
            qualify = if self.lines > 0 { "0s" } else { "60s" },
            grace = self.grace,
            budget = self
                .trunk_calls
                .map_or(String::new(), |calls| format!("calls = {calls}\n")),
        );
        if !self.prompts.is_empty() {
            toml += "[prompts]\npath = \"prompts\"\n";
        }
        toml += &numbers();
        for queue in ["support", "sales"] {
            let Plan {
                ring,
                rona_pause,
                wrap_up,
                max_wait,
                ..
            } = self;
            let _ = write!(
                toml,
                "[[queue]]\nname = \"{queue}\"\nstrategy = \"longest-idle\"\nring = \"{ring}\"\nrona_pause = \"{rona_pause}\"\n\
                 wrap_up = \"{wrap_up}\"\nmax_wait = \"{max_wait}\"\n"
            );
            if self.record {
                toml += "record = true\n";
            }
            if let Some(prompt) = self.consent {
                let _ = writeln!(toml, "consent = \"{prompt}\"");
            }
        }
        toml += &super::line::toml(self.lines, self.answer);
        let sitter: (&str, &[&str]) = (SITTER, &["support", "sales"]);
        for (id, queues) in self.operators.iter().chain([&sitter]) {
            let _ = write!(
                toml,
                "[[operator]]\nid = \"{id}\"\npassword = \"{PASSWORD}\"\nqueues = {queues:?}\nsign_in = \"registration\"\n"
            );
        }
        toml
    }
}

fn numbers() -> String {
    let mut toml = String::new();
    for (dial, flow, language, answer) in [
        (ITALIAN, "menu", "it", "at-once"),
        (ENGLISH, "menu", "en", "at-once"),
        (STRAIGHT, "direct", "it", "at-once"),
        (BRIEF, "words", "it", "at-once"),
        (FORECAST, "asking", "it", "at-once"),
        (EARLY, "menu", "it", "on-operator"),
        (EARLY_WORDS, "words", "it", "on-operator"),
    ] {
        let _ = write!(
            toml,
            "[[number]]\ndial = \"{dial}\"\nflow = \"{flow}.toml\"\nlanguage = \"{language}\"\nanswer = \"{answer}\"\n"
        );
    }
    toml
}
