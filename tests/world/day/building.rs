//! The centre of a day: its queues, flows, numbers and gateways.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pronto_engine::{Configuration, OperatorSettings, Overflow, QueueSettings, SignIn};
use pronto_gateway::{Answer, Number, Prompts, Settings};
use pronto_ivr::Script;
use pronto_media::Clip;
use pronto_sip as sip;
use pronto_types::{Language, OperatorId, QueueName, Secret, TrunkName};

use crate::gateway::GatewayNode;
use crate::net::Wire;
use crate::queue::QueueNode;
use crate::world::{World, gateway_name};

use super::{OPENING, Plan};

/// Two choices, each with its wait; too long a wait for support is told at once.
const BY_WAIT: &str = r#"
start = "main"
[main]
menu = ["main-menu", { forecast = "support" }, "welcome", { forecast = "sales" }]
keys = { 1 = "how-long", 2 = "sales", 0 = "how-long" }
noinput = "how-long"
nomatch = "main"
[how-long]
forecast = "support"
limit = "12m"
longer = "sorry"
unknown = "support"
next = "support"
[support]
queue = "support"
keys = { 9 = "main" }
ended = "goodbye"
[sales]
queue = "sales"
keys = { 9 = "main" }
[sorry]
say = ["all-busy"]
hangup = true
[goodbye]
say = ["goodbye"]
hangup = true
"#;

pub(super) fn names() -> [QueueName; 2] {
    ["support", "sales"].map(|name| QueueName::new(name).expect("a legal name"))
}

pub(super) fn operator(index: u32) -> OperatorId {
    OperatorId::new(&(101 + index).to_string()).expect("a legal name")
}

pub(super) fn build(plan: Plan) -> World {
    let queues = names().into_iter().map(|name| QueueSettings {
        max_wait: Duration::from_secs(15 * 60),
        wrap_up: if plan.races {
            Duration::from_millis(500)
        } else {
            Duration::from_secs(10)
        },
        rona_pause: if plan.races {
            Duration::from_secs(1)
        } else {
            Duration::from_secs(30)
        },
        overflow: plan.by_wait.then(|| Overflow {
            to: names()[usize::from(name == names()[0])].clone(),
            wait: Duration::from_secs(180),
        }),
        ..QueueSettings::new(name)
    });
    let operators = (0..plan.operators).map(|index| OperatorSettings {
        id: operator(index),
        // Every third serves sales alone, the others both; or, where one queue helps the other, two sales and the rest support.
        queues: if index % 3 == 2 {
            names()[1..].to_vec()
        } else if plan.by_wait {
            names()[..1].to_vec()
        } else {
            names().to_vec()
        },
        sign_in: SignIn::Registration,
    });
    let configuration = Configuration {
        queues: queues.collect(),
        operators: operators.collect(),
        ..Configuration::default()
    };
    let gateways = (0..plan.gateways).map(|index| {
        let address = SocketAddr::from(([10, 0, 0, 1 + index as u8], 5060));
        let seed = plan.seed.wrapping_add(u64::from(index) << 32);
        GatewayNode::new(
            gateway_name(index.into()),
            address,
            calls(plan),
            endpoint(plan, address),
            seed,
        )
    });
    World::new(
        plan.seed,
        OPENING,
        QueueNode::new(configuration),
        gateways.collect(),
        Wire::LOSSY,
    )
}

fn calls(plan: Plan) -> Settings {
    let source = if plan.by_wait {
        BY_WAIT
    } else {
        pronto_ivr::BUILTIN_FLOW
    };
    let flow = Arc::new(Script::parse(source).expect("the flow is sound"));
    let mut prompts = Prompts::default();
    for (name, seconds) in [("welcome", 3), ("main-menu", 8), ("all-busy", 4), ("goodbye", 2)] {
        prompts.insert(
            Language::Italian,
            name,
            Clip::from_pcm16_8k(&vec![0; seconds * 8000]),
        );
    }
    let word = Clip::from_pcm16_8k(&vec![0; 4800]);
    for (name, _) in pronto_ivr::speak::vocabulary(Language::Italian) {
        prompts.insert(Language::Italian, &name, word.clone());
    }
    prompts.set_music(Clip::from_pcm16_8k(&vec![0; 8000]));
    let number = Number {
        dial: "800".to_owned(),
        flow,
        language: Language::Italian,
        answer: Answer::AtOnce,
    };
    Settings {
        numbers: BTreeMap::from([("800".to_owned(), number)]),
        max_wait: names()
            .into_iter()
            .map(|name| (name, Duration::from_secs(15 * 60)))
            .collect(),
        queue_away: Duration::from_secs(60),
        recorded: BTreeMap::new(),
        advertise: None,
        inside: pronto_sip::Inside::default(),
        learn: true,
        reach: sip::sdp::Reach { v4: true, v6: false },
        prompts,
        max_calls: 500,
    }
}

fn endpoint(plan: Plan, address: SocketAddr) -> sip::Settings {
    let domain = "pronto.example".to_owned();
    let credentials = |index| {
        let id = operator(index);
        let secret = Secret::new(format!("secret-{id}"));
        let ha1 = sip::Ha1::from_password(id.as_str(), &domain, &secret);
        (id, ha1)
    };
    let operators = (0..plan.operators).map(credentials).collect();
    let carrier = "127.0.0.0/8".parse().expect("a range");
    sip::Settings {
        operators,
        listen: vec![(sip::Transport::Udp, address)],
        trunks: vec![sip::Trunk::new(
            TrunkName::new("carrier").expect("a name"),
            vec![carrier],
        )],
        ..sip::Settings::new("pronto.example")
    }
}
