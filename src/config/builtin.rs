//! The built-in centre: what `pronto serve` runs where nobody wrote a configuration. It reaches no further than
//! this machine.

use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net};
use pronto_ivr::{BUILTIN_FLOW, Script};
use pronto_recordings::Library;
use pronto_types::{InvalidName, Language, OperatorId, QueueName};

use super::report::Report;
use super::settings::{Config, Credential, Digest, Media, Number, Operator, SignIn, Sip, Trunk};
use super::{dscp, people, registrar, services, sip};

const NUMBERS: [(&str, Language); 2] = [("800", Language::Italian), ("801", Language::English)];
const QUEUES: [&str; 2] = ["support", "sales"];
const OPERATORS: [&str; 2] = ["101", "102"];

impl Config {
    /// The built-in centre on 127.0.0.1: SIP 5060 over UDP and TCP, gRPC 50051, metrics 9090; 800 (Italian) and 801
    /// (English) lead through one flow to the queues `support` and `sales`, both served by operators 101 and 102,
    /// whose passwords [`generated_passwords`](super::generated_passwords) makes; any program on this machine may
    /// call in. It keeps its things in `var`, under the working directory.
    #[expect(clippy::expect_used, reason = "made of constants; a test makes it")]
    pub fn builtin() -> Self {
        build().expect("the built-in centre is made of legal names and a checked flow")
    }
}

fn operator(id: &str, queues: &[QueueName]) -> Result<Operator, InvalidName> {
    Ok(Operator {
        id: OperatorId::new(id)?,
        credential: Credential::Generated,
        queues: queues.to_vec(),
        digest: None,
        sign_in: SignIn::Registration,
    })
}

fn build() -> Result<Config, Box<dyn std::error::Error>> {
    let flow = Script::parse(BUILTIN_FLOW)
        .map(Arc::new)
        .map_err(|problems| format!("{problems:?}"))?;
    let numbers = NUMBERS.map(|(dial, language)| Number {
        dial: dial.to_owned(),
        flow_name: "builtin".to_owned(),
        flow: Arc::clone(&flow),
        language,
        answer: super::settings::Answer::AtOnce,
    });
    let queues: Vec<QueueName> = QUEUES
        .into_iter()
        .map(QueueName::new)
        .collect::<Result<_, InvalidName>>()?;
    let operators = OPERATORS.into_iter().map(|id| operator(id, &queues));
    let operators = operators.collect::<Result<_, _>>()?;
    let loopback = IpNet::V4(Ipv4Net::new([127, 0, 0, 0].into(), 8)?);
    let (first_port, last_port) = sip::MEDIA_PORTS;
    Ok(Config {
        file: None,
        timezone: services::default_timezone(),
        sip: Sip {
            tls: None,
            origins: Vec::new(),
            listen: sip::default_listen(),
            domain: sip::DOMAIN.to_owned(),
            hosts: Vec::new(),
            advertise: Vec::new(),
            local: Vec::new(),
            dscp: dscp::SIGNALLING,
            drain: sip::DRAIN,
            qualify: sip::QUALIFY,
            digest: vec![Digest::Md5],
            trunks: vec![Trunk {
                name: "local".to_owned(),
                allow: vec![loopback],
                this_machine: true,
                calls: None,
                calls_per_second: None,
            }],
        },
        media: Media {
            listen: [127, 0, 0, 1].into(),
            advertise: None,
            first_port,
            last_port,
            dscp: dscp::MEDIA,
            learn: true,
        },
        grpc: services::local(services::GRPC_PORT),
        metrics: services::local(services::METRICS_PORT),
        gateway: services::default_gateway(),
        registrar: registrar::DEFAULT,
        trace: services::TRACE,
        grace: services::GRACE,
        store: services::STORE.into(),
        library: Arc::new(Library::builtin()),
        numbers: numbers.to_vec(),
        queues: queues.iter().cloned().map(people::default_queue).collect(),
        operators,
        warnings: Report::default(),
    })
}
