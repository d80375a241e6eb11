//! Clients of the gRPC API with tokens and certificates, over TLS and without, as `docs/security.md` promises.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::integrators::{Client, python};
use crate::kit::centre::{Centre, PASSWORD, Plan};
use crate::kit::ground::{CENTRE, Ground};
use crate::kit::tls::{certificate, is_believed};

fn pronto(arguments: &[&str]) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pronto"));
    command.args(arguments).output().expect("the binary can be run")
}

/// A token, and the line for the configuration, as `pronto token new` prints them.
fn token() -> (String, String) {
    let output = pronto(&["token", "new"]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let [_, token, _, line] = lines.as_slice() else {
        panic!("four lines: {text}");
    };
    ((*token).to_owned(), (*line).to_owned())
}

/// A `[[grpc.client]]` with this line as its proof.
fn client(name: &str, role: &str, proof: &str) -> String {
    format!("[[grpc.client]]\nname = \"{name}\"\nrole = \"{role}\"\n{proof}\n")
}

/// Opens a centre whose `[grpc]` goes on with these sections.
fn open(plan: &Plan, ground: Ground, sections: &str) -> Centre {
    let config = write(plan, &ground, sections);
    Centre::start(plan, ground, config)
}

fn write(plan: &Plan, ground: &Ground, sections: &str) -> PathBuf {
    let config = plan.write(ground);
    let text = std::fs::read_to_string(&config).unwrap();
    let text = text.replace("[metrics]\n", &format!("{sections}[metrics]\n"));
    assert!(text.contains(sections), "{text}");
    std::fs::write(&config, text).unwrap();
    config
}

/// `[grpc.tls]` with a certificate of its own making; and the certificate.
fn tls(ground: &Ground) -> (String, PathBuf) {
    let made = certificate(ground.directory(), "api", ground.ip(CENTRE));
    let section = "[grpc.tls]\ncertificate = \"api.crt\"\nkey = \"api.key\"\n".to_owned();
    (section, made)
}

/// Runs the Python client: its output, or why it failed.
fn over_tls(centre: &Centre, shown: &BTreeMap<&str, String>, command: &[&str]) -> Result<String, String> {
    let output = python(centre, command)
        .envs(shown)
        .output()
        .expect("Python can be run");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(text(&output.stderr))
    }
}

fn refused(answer: Result<String, String>) -> String {
    answer.expect_err("it is refused")
}

/// A centre under TLS with a client of each role but admin, and their tokens.
struct Api {
    centre: Centre,
    authority: PathBuf,
    tokens: BTreeMap<&'static str, (String, String)>,
}

impl Api {
    fn open() -> Api {
        let ground = Ground::take();
        let (mut sections, authority) = tls(&ground);
        let mut tokens = BTreeMap::new();
        for (name, role) in [
            ("crm", "integrator"),
            ("desk", "supervisor"),
            ("101", "operator"),
            ("gw2", "gateway"),
        ] {
            let new = token();
            sections += &client(name, role, &new.1);
            tokens.insert(name, new);
        }
        let centre = open(&Plan::default(), ground, &sections);
        Api {
            centre,
            authority,
            tokens,
        }
    }

    /// Runs a command with the token of a client.
    fn run_as(&self, client: &str, command: &[&str]) -> Result<String, String> {
        self.run(Some(&self.tokens[client].0), command)
    }

    fn run(&self, token: Option<&str>, command: &[&str]) -> Result<String, String> {
        let mut shown = BTreeMap::from([("PRONTO_CA", self.authority.display().to_string())]);
        shown.extend(token.map(|token| ("PRONTO_TOKEN", token.to_owned())));
        over_tls(&self.centre, &shown, command)
    }
}

#[test]
fn a_client_is_let_in_over_tls_by_its_token_and_only_to_what_its_role_may() {
    let api = Api::open();
    let queues = api
        .run_as("crm", &["queues"])
        .expect("an integrator reads queues");
    assert!(queues.contains("support: 0 waiting"), "{queues}");
    let forecast = api
        .run_as("crm", &["forecast", "support"])
        .expect("and forecasts");
    assert!(forecast.starts_with("support: position 1"), "{forecast}");

    // Without a token and with a wrong one: the same words.
    let without = refused(api.run(None, &["queues"]));
    assert!(
        without.starts_with("UNAUTHENTICATED: expected the token"),
        "{without}"
    );
    let wrong = token().0;
    assert_eq!(refused(api.run(Some(&wrong), &["queues"])), without);

    let mut operator = api.centre.operator("101", 0);
    for (client, command) in [
        ("crm", &["set", "101", "paused"][..]),
        ("desk", &["forecast", "support"]),
        ("101", &["queues"]),
        ("101", &["set", "102", "paused"]),
        ("gw2", &["queues"]),
        ("gw2", &["operators"]),
    ] {
        let answer = refused(api.run_as(client, command));
        assert!(
            answer.starts_with("PERMISSION_DENIED: "),
            "{client} {command:?}: {answer}"
        );
    }
    let lunch = "101: OPERATOR_STATE_PAUSED lunch\n";
    assert_eq!(
        api.run_as("101", &["set", "101", "paused", "lunch"]).as_deref(),
        Ok(lunch)
    );
    assert_eq!(
        api.run_as("101", &["operators"]).as_deref(),
        Ok(lunch),
        "their own row alone"
    );
    let ready = api.run_as("desk", &["set", "101", "ready"]);
    assert_eq!(ready.as_deref(), Ok("101: OPERATOR_STATE_READY\n"));
    for plain in [Client::Rust, Client::Python] {
        refused(plain.run(&api.centre, &["queues"]));
    }

    let figure = |why: &str| {
        let name = format!("pronto_grpc_refused_total{{why=\"{why}\"}}");
        api.centre.figure(&name)
    };
    assert_eq!((figure("token"), figure("role")), (2.0, 5.0));
    let log = api.centre.log();
    assert!(log.contains("a gRPC call was refused"), "{log}");
    for (secret, line) in api.tokens.values() {
        assert!(
            !log.contains(secret.as_str()) && !log.contains(line.as_str()),
            "{log}"
        );
    }
    assert!(!log.contains(&wrong), "{log}");
    assert_eq!(operator.register(PASSWORD, 0), Some(200));
    api.centre.close();
}

#[test]
fn traces_are_read_over_tls_and_a_new_certificate_is_shown_after_a_hang_up_signal() {
    let Api {
        mut centre,
        authority,
        tokens,
    } = Api::open();
    let token_file = centre.ground.directory().join("crm.token");
    std::fs::write(&token_file, format!("{}\n", tokens["crm"].0)).unwrap();
    let [url, ca] = [
        format!("https://{}:50051", centre.ip(CENTRE)),
        authority.display().to_string(),
    ];
    let trace = ["trace", "--gateway", &url, "--ca", &ca];
    let shown = pronto(&[&trace[..], &["--token-file", token_file.to_str().unwrap()]].concat());
    let error = String::from_utf8_lossy(&shown.stderr);
    assert!(shown.status.success(), "{error}");
    for (arguments, part) in [
        (&trace[..], "expected the token of a known client"),
        (
            &trace[..3],
            "is under TLS: name the file of its authority as --ca",
        ),
    ] {
        let refusal = pronto(arguments).stderr;
        let refusal = String::from_utf8_lossy(&refusal);
        assert!(refusal.contains(part), "{arguments:?}: {refusal}");
    }

    let server = (centre.ip(CENTRE), 50051).into();
    assert!(is_believed(server, &authority));
    certificate(centre.ground.directory(), "api", centre.ip(CENTRE));
    centre.signal("HUP");
    centre.until("the signal is answered", |centre| {
        let read = "hang-up signal: the certificate was read again";
        centre.log().contains(read)
    });
    assert!(is_believed(server, &authority), "the new certificate is shown");
    centre.close();
}

#[test]
fn strangers_who_finish_no_handshake_shut_no_client_out_and_are_gone_after_10_s() {
    let api = Api::open();
    let server = SocketAddr::from((api.centre.ip(CENTRE), 50051));
    let mut strangers = Vec::new();
    for _ in 0..300 {
        let mut stream = TcpStream::connect(server).expect("the listener takes the connection");
        // The beginning of a ClientHello.
        stream.write_all(&[0x16, 0x03, 0x01, 0x01, 0x00]).unwrap();
        strangers.push(stream);
    }
    let queues = api.run_as("crm", &["queues"]).expect("a client finds a place");
    assert!(queues.contains("support: 0 waiting"), "{queues}");
    let mut last = strangers.pop().unwrap();
    last.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let began = Instant::now();
    let closed = match last.read(&mut [0; 64]) {
        Ok(length) => length == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    };
    assert!(
        closed && began.elapsed() < Duration::from_secs(15),
        "{:?}",
        began.elapsed()
    );
    api.centre.close();
}

#[test]
fn a_client_is_known_by_its_certificate_and_without_one_there_is_no_connection() {
    let ground = Ground::take();
    let (section, authority) = tls(&ground);
    certificate(ground.directory(), "crm", ground.ip(CENTRE));
    certificate(ground.directory(), "stranger", ground.ip(CENTRE));
    let section = section + "client_ca = \"crm.crt\"\n";
    let crm = client("crm", "integrator", "subject = \"CN=crm\"");
    let centre = open(&Plan::default(), ground, &(section + &crm));
    let shown = |name: Option<&str>| {
        let mut shown = BTreeMap::from([("PRONTO_CA", authority.display().to_string())]);
        let file = |name: &str, kind: &str| {
            let path = centre.ground.directory().join(name).with_extension(kind);
            path.display().to_string()
        };
        if let Some(name) = name {
            shown.insert("PRONTO_CERTIFICATE", file(name, "crt"));
            shown.insert("PRONTO_KEY", file(name, "key"));
        }
        shown
    };
    let queues = over_tls(&centre, &shown(Some("crm")), &["queues"]).expect("its certificate is known");
    assert!(queues.contains("support: 0 waiting"), "{queues}");
    let set = refused(over_tls(&centre, &shown(Some("crm")), &["set", "101", "paused"]));
    assert!(set.starts_with("PERMISSION_DENIED"), "{set}");
    for other in [None, Some("stranger")] {
        let answer = refused(over_tls(&centre, &shown(other), &["queues"]));
        assert!(answer.contains("UNAVAILABLE: "), "{other:?}: {answer}");
    }
    centre.close();
}

#[test]
fn clients_on_loopback_need_tokens_too_and_a_gateway_attaches_by_its_own() {
    let plan = Plan {
        apart: true,
        ..Plan::default()
    };
    let admin = token();
    let centre = open(&plan, Ground::take(), &client("admin", "admin", &admin.1));
    for plain in [Client::Rust, Client::Python] {
        let answer = refused(plain.run(&centre, &["queues"]));
        let code = answer.to_lowercase();
        assert!(code.starts_with("unauthenticated:"), "{plain:?}: {answer}");
    }
    centre.close();
}

#[test]
fn a_gateway_attaches_over_tls_with_the_gateways_token() {
    let plan = Plan {
        apart: true,
        ..Plan::default()
    };
    let ground = Ground::take();
    let (section, _) = tls(&ground);
    let admin = token();
    let plain = format!("queue = \"http://{}:50051\"\n", ground.ip(CENTRE));
    let secure = format!("{}queue_ca = \"api.crt\"\n", plain.replace("http", "https"));
    let sections = section + &client("admin", "admin", &admin.1);
    let config = write(&plan, &ground, &sections);
    let text = std::fs::read_to_string(&config).unwrap();
    assert!(text.contains(&plain), "{text}");
    std::fs::write(&config, text.replace(&plain, &secure)).unwrap();
    // It waits until the gateway has attached.
    Centre::start(&plan, ground, config).close();
}

#[test]
fn a_listener_beyond_this_machine_without_tls_is_refused_and_told_what_to_do() {
    let ground = Ground::take();
    let config = ground.directory().join("pronto.toml");
    std::fs::write(&config, "[grpc]\nlisten = \"0.0.0.0:50051\"\n").unwrap();
    for command in [&["serve"][..], &["queue"], &["config", "check"]] {
        let config = ["--config", config.to_str().unwrap()];
        let output = pronto(&[command, &config].concat());
        assert!(!output.status.success(), "{command:?}");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).replace("\n        ", " ");
        for part in ["`[grpc.tls]`", "`[[grpc.client]]`", "`pronto token new`"] {
            assert!(said.contains(part), "{command:?}: {said}");
        }
    }
}
