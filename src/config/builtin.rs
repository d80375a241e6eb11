//! The built-in centre: what `pronto serve` runs where nobody wrote a configuration. It reaches no further than
//! this machine.

use std::path::Path;
use std::sync::Arc;

use pronto_engine::{Configuration, OperatorSettings, SignIn};
use pronto_gateway::Answer;
use pronto_ivr::{BUILTIN_FLOW, Script};
use pronto_types::{InvalidName, Language, OperatorId, QueueName};

use super::read;
use super::settings::{Config, Credential, Number, Phone};

/// The part that a file could hold. Everything else has its default.
const CENTRE: &str = r#"
[[sip.trunk]]
name = "local"
allow = ["127.0.0.0/8", "this-machine"]
[[queue]]
name = "support"
[[queue]]
name = "sales"
"#;
const NUMBERS: [(&str, Language); 2] = [("800", Language::Italian), ("801", Language::English)];
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

fn operator(id: &str, queues: &[QueueName]) -> Result<OperatorSettings, InvalidName> {
    Ok(OperatorSettings {
        id: OperatorId::new(id)?,
        queues: queues.to_vec(),
        sign_in: SignIn::Registration,
    })
}

fn phone(operator: &OperatorSettings) -> Phone {
    Phone {
        operator: operator.id.clone(),
        credential: Credential::Generated,
        digest: None,
    }
}

fn build() -> Result<Config, Box<dyn std::error::Error>> {
    let flow = Script::parse(BUILTIN_FLOW)
        .map(Arc::new)
        .map_err(|problems| format!("{problems:?}"))?;
    let numbers = NUMBERS.map(|(dial, language)| Number {
        flow_name: "builtin".to_owned(),
        served: pronto_gateway::Number {
            dial: dial.to_owned(),
            flow: Arc::clone(&flow),
            language,
            answer: Answer::AtOnce,
        },
    });
    let written = read::read(CENTRE, "the built-in centre", Path::new(""), None)?;
    let queues: Vec<QueueName> = written
        .engine
        .queues
        .iter()
        .map(|queue| queue.name.clone())
        .collect();
    let operators = OPERATORS.into_iter().map(|id| operator(id, &queues));
    let operators = operators.collect::<Result<Vec<_>, _>>()?;
    Ok(Config {
        numbers: numbers.to_vec(),
        phones: operators.iter().map(phone).collect(),
        engine: Configuration {
            operators,
            ..written.engine
        },
        // They are about the numbers and operators that the text lacks.
        warnings: super::Report::default(),
        ..written
    })
}
