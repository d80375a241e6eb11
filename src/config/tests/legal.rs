//! Tests of the meaning of a valid file.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use pronto_types::{Language, QueueName};

use super::{Folder, SUPPORT, read};
use pronto_engine::{SignIn, Strategy};
use pronto_sip::{Algorithm, Transport};

use crate::config::{Config, Credential};

/// Every key there is but the folder of prompts, none with its default.
pub(super) const CENTRE: &str = r#"
timezone = "Europe/Rome"
[sip]
listen = ["udp:192.0.2.1:5062", "tcp:[::1]:5062"]
domain = "example.org"
drain = "1h30m"
advertise = "203.0.113.7"
digest = ["sha-256", "md5"]
[[sip.trunk]]
name = "carrier"
allow = ["198.51.100.0/24", "203.0.113.9", "2001:db8::/32"]
calls = 20
calls_per_second = 5
[media]
listen = "0.0.0.0"
advertise = "203.0.113.8"
ports = [30000, 30999]
learn = false
[grpc]
listen = "127.0.0.1:6000"
[metrics]
listen = "0.0.0.0:6001"
[gateway]
name = "gw-2"
queue = "http://localhost:6000/"
listen = "127.0.0.1:6002"
metrics = "127.0.0.1:6003"
queue_away = "500ms"
calls = 7
[queue_service]
grace = "5s"
[store]
path = "kept/here"
[[number]]
dial = "0039 (06) 123-456"
flow = "flows/support.toml"
language = "en"
[[number]]
dial = "801"
flow = "flows/support.toml"
language = "it"
[[queue]]
name = "support"
strategy = "longest-idle"
ring = "20s"
rona_pause = "1m"
wrap_up = "0s"
max_wait = "2h"
limit = 12
nobody_after = "3s"
announce = "wait"
announce_first = "7s"
announce_every = "45s"
announce_change = "2m"
talk = "90s"
overflow = { to = "sales", wait = "8m" }
record = true
consent = "goodbye"
[[queue]]
name = "sales"
[[operator]]
id = "101"
password = "correct horse"
queues = ["support", "sales"]
digest = ["sha-512-256"]
sign_in = "registration"
[[operator]]
id = "102"
ha1 = "0123456789ABCDEF0123456789abcdef"
queues = ["support"]
[[operator]]
id = "103"
password_env = "SET"
queues = ["support"]
"#;

fn centre(folder: &Folder) -> Config {
    folder.write("flows/support.toml", SUPPORT);
    read(CENTRE, folder.path()).unwrap_or_else(|report| panic!("{report}"))
}

fn socket(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[test]
fn every_key_of_the_halves_arrives() {
    let folder = Folder::new();
    let config = centre(&folder);
    assert_eq!(config.timezone.iana_name(), Some("Europe/Rome"));
    assert_eq!(
        config.sip.listen,
        [
            (Transport::Udp, socket("192.0.2.1:5062")),
            (Transport::Tcp, socket("[::1]:5062"))
        ]
    );
    assert_eq!(config.sip.domain, "example.org");
    assert_eq!(config.sip.drain, Duration::from_secs(5400));
    assert_eq!(config.sip.advertise, [IpAddr::from([203, 0, 113, 7])]);
    assert_eq!(config.sip.digest, [Algorithm::Sha256, Algorithm::Md5]);
    assert_eq!(
        config.phones[0].digest.as_deref(),
        Some(&[Algorithm::Sha512_256][..])
    );
    assert_eq!(config.phones[1].digest, None, "those of [sip]");
    let trunk = &config.sip.trunks[0];
    assert_eq!((trunk.budget.calls, trunk.budget.per_second), (20, 5));
    assert_eq!(config.sip.trunks[0].name.as_str(), "carrier");
    let allow: Vec<_> = config.sip.trunks[0]
        .allow
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(allow, ["198.51.100.0/24", "203.0.113.9/32", "2001:db8::/32"]);
    assert_eq!(config.media.listen, IpAddr::from([0, 0, 0, 0]));
    assert_eq!(config.media.advertise, Some(IpAddr::from([203, 0, 113, 8])));
    assert_eq!(config.media.ports, (30_000, 30_999));
    assert!(!config.media.learn);
    assert_eq!(config.grpc.listen, socket("127.0.0.1:6000"));
    assert_eq!(config.metrics, socket("0.0.0.0:6001"));
    assert_eq!(config.gateway.name.as_str(), "gw-2");
    assert_eq!(config.gateway.queue, "http://localhost:6000");
    assert_eq!(config.gateway.listen, socket("127.0.0.1:6002"));
    assert_eq!(config.gateway.metrics, socket("127.0.0.1:6003"));
    assert_eq!(config.gateway.queue_away, Duration::from_millis(500));
    assert_eq!(config.gateway.calls, 7);
    assert_eq!(config.engine.grace, Duration::from_secs(5));
    assert_eq!(config.store, folder.path().join("kept/here"));
    assert!(config.warnings.is_empty(), "{}", config.warnings);
}

#[test]
fn every_key_of_numbers_queues_and_operators_arrives() {
    let config = centre(&Folder::new());
    let [first, second] = config.numbers.as_slice() else {
        panic!("two numbers")
    };
    assert_eq!(
        (first.served.dial.as_str(), first.served.language),
        ("+3906123456", Language::English)
    );
    assert_eq!(
        (second.served.dial.as_str(), second.served.language),
        ("801", Language::Italian)
    );
    assert_eq!(first.flow_name, "flows/support.toml");
    assert!(
        std::sync::Arc::ptr_eq(&first.served.flow, &second.served.flow),
        "one file is one flow"
    );
    let queue = &config.engine.queues[0];
    assert_eq!(queue.name, QueueName::new("support").unwrap());
    assert_eq!(queue.strategy, Strategy::LongestIdle);
    let durations = [
        queue.ring,
        queue.rona_pause,
        queue.wrap_up,
        queue.max_wait,
        queue.nobody_after,
        queue.announcing.first,
        queue.announcing.every,
        queue.announcing.change,
        queue.talk,
    ];
    assert_eq!(
        durations,
        [20, 60, 0, 7200, 3, 7, 45, 120, 90].map(Duration::from_secs)
    );
    assert_eq!((queue.announcing.position, queue.announcing.wait), (false, true));
    assert_eq!(queue.limit, 12);
    let overflow = queue.overflow.as_ref().unwrap();
    assert_eq!(
        (overflow.to.as_str(), overflow.wait),
        ("sales", Duration::from_secs(480))
    );
    let summary = crate::diagnose::summary(&config);
    assert!(summary.contains(", above 8m to sales) → "), "{summary}");
    assert_eq!(
        config.recorded,
        [(queue.name.clone(), Some("goodbye".into()))].into()
    );
    let [one, two, three] = config.phones.as_slice() else {
        panic!("three operators")
    };
    let secret = |credential: &Credential| match credential {
        Credential::Password(secret) | Credential::Ha1(secret) => secret.reveal().to_owned(),
        Credential::Generated | Credential::Variable(_) => panic!("not a secret"),
    };
    assert!(matches!(one.credential, Credential::Password(_)));
    assert_eq!(secret(&one.credential), "correct horse");
    assert!(matches!(two.credential, Credential::Ha1(_)));
    assert_eq!(secret(&two.credential), "0123456789abcdef0123456789abcdef");
    assert_eq!(secret(&three.credential), "correct horse");
    let operator = &config.engine.operators[0];
    assert_eq!((&operator.id, operator.id.as_str()), (&one.operator, "101"));
    assert_eq!(operator.queues[0], queue.name);
    assert_eq!(operator.sign_in, SignIn::Registration);
}

#[test]
fn what_is_left_out_is_what_the_built_in_centre_has() {
    let folder = Folder::new();
    let text = "[[queue]]\nname = \"support\"\n[[queue]]\nname = \"sales\"\n[[operator]]\nid = \"101\"\n\
                password = \"correct horse\"\nqueues = [\"support\", \"sales\"]\n";
    let written = read(text, folder.path()).unwrap_or_else(|report| panic!("{report}"));
    let builtin = Config::builtin();
    assert_eq!(written.sip.listen, builtin.sip.listen);
    assert_eq!(written.sip.domain, builtin.sip.domain);
    assert_eq!(written.sip.drain, builtin.sip.drain);
    assert_eq!(written.sip.trunks, [], "nobody calls in unless it is written");
    assert_eq!(written.media, builtin.media);
    assert_eq!((&written.grpc, written.metrics), (&builtin.grpc, builtin.metrics));
    assert_eq!(written.gateway, builtin.gateway);
    assert_eq!(written.engine.grace, builtin.engine.grace);
    assert_eq!(written.engine.queues, builtin.engine.queues);
    assert_eq!(written.store, folder.path().join("var"));
}

#[test]
fn the_built_in_centre_reaches_no_further_than_this_machine() {
    let config = Config::builtin();
    assert!(
        config
            .sip
            .listen
            .iter()
            .all(|(_, address)| address.ip().is_loopback())
    );
    let transports: Vec<_> = config
        .sip
        .listen
        .iter()
        .map(|(transport, _)| *transport)
        .collect();
    assert_eq!(transports, [Transport::Udp, Transport::Tcp]);
    assert!(
        config.media.listen.is_loopback()
            && config.grpc.listen.ip().is_loopback()
            && config.metrics.ip().is_loopback()
    );
    assert!(
        config
            .phones
            .iter()
            .all(|phone| phone.credential == Credential::Generated)
    );
    for number in &config.numbers {
        for (queue, _) in number.served.flow.queues() {
            assert!(
                config.engine.queues.iter().any(|known| known.name == *queue),
                "{queue}"
            );
        }
        for (prompt, _) in number.served.flow.prompts() {
            assert!(
                config.library.prompt(prompt, number.served.language).is_some(),
                "{prompt}"
            );
        }
    }
}
