//! The lines that `pronto serve` prints once it is up.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use pronto_gateway::shell::GatewayShell;
use pronto_types::{OperatorId, Secret};

use crate::config::Config;

/// The addresses, the numbers to dial, the generated passwords, and the lines to type into a softphone.
pub(super) fn greeting(
    config: &Config,
    gateway: &GatewayShell,
    generated: &BTreeMap<OperatorId, Secret>,
) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "Pronto {} is up.", env!("CARGO_PKG_VERSION"));
    for (transport, address) in gateway.listening() {
        let _ = writeln!(text, "  SIP      {}:{address}", transport.name());
    }
    let _ = writeln!(text, "  gRPC     {}", config.grpc.listen);
    let _ = writeln!(text, "  metrics  http://{}/metrics", config.metrics);
    let Some((_, first)) = gateway.listening().first() else {
        return text;
    };
    for number in &config.numbers {
        let _ = writeln!(
            text,
            "Dial     sip:{}@{first}   ({}, flow {})",
            number.served.dial, number.served.language, number.flow_name
        );
    }
    for (id, password) in generated {
        let _ = writeln!(text, "Operator {id}   password {}", password.reveal());
    }
    if let Some((id, password)) = generated.iter().next() {
        let domain = &config.sip.domain;
        let _ = writeln!(text, "In baresip, to be operator {id}:");
        let password = password.reveal();
        let _ = writeln!(
            text,
            "  /uanew <sip:{id}@{domain};transport=udp>;outbound=\"sip:{first}\";auth_user={id};auth_pass={password}"
        );
        if let Some(number) = config.numbers.first() {
            // Whoever calls from an operator's phone is that operator: nobody would be free to answer.
            let _ = writeln!(text, "In a second baresip, to call as an outsider:");
            let _ = writeln!(text, "  /uanew <sip:caller@{}>;regint=0", first.ip());
            let _ = writeln!(text, "  /dial sip:{}@{first}", number.served.dial);
        }
    }
    let _ = writeln!(
        text,
        "Stop with Ctrl-C: calls that are up may finish; once more ends them."
    );
    text
}
