//! The longest single step of the core, under load and with the longest legal inputs. While it lasts, nothing moves for
//! anybody: no ACK, no key, no BYE. The aim is 2 ms.
//!
//!     taskset -c 1 cargo bench --locked -p pronto-gateway --bench steps
//!
//! A step is what the control task does without looking at its inboxes: one input or the deadlines that are due, and
//! everything the core wants carried out then, without sockets, disk and link. Each figure is the least of three runs, so
//! that the machine's own pauses are not in it.
#![allow(clippy::expect_used, reason = "a bench that cannot measure stops")]

#[allow(dead_code, reason = "each bench needs a part of it")]
mod house;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use house::House;
use mimalloc::MiMalloc;
use pronto_gateway::trace::Subject;
use pronto_gateway::{Input, Settings};
use pronto_ivr::Script;
use pronto_media::Clip;
use pronto_sip as sip;
use pronto_types::link::Directive;
use pronto_types::{CallId, Language, OfferId, OperatorId, QueueName, Secret};

/// The binary's allocator.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const AIM: Duration = Duration::from_millis(2);
const RUNS: usize = 3;
/// Calls that are up, and operators who are signed in.
const CALLS: u32 = 4_000;
const OPERATORS: u32 = 20_000;
/// The longest message over any transport.
const LONGEST: usize = 65_535;

fn queue() -> QueueName {
    QueueName::new("support").expect("a name")
}

/// The core of a centre with this flow.
fn settings(flow: &str) -> Settings {
    let mut settings = house::settings();
    let number = settings.numbers.get_mut("800").expect("the number");
    number.flow = Arc::new(Script::parse(flow).expect("a flow"));
    settings.max_wait = BTreeMap::from([(queue(), Duration::from_secs(3_600))]);
    settings.queue_away = Duration::from_secs(600);
    settings
}

const WAITS: &str = "start = \"wait\"\n[wait]\nqueue = \"support\"\n";

/// A centre whose callers wait, measured from now on.
fn waiting(calls: u32) -> House {
    let mut house = House::with(settings(WAITS), sip::Settings::new("pronto.example"), 2_000, "");
    for call in 0..calls {
        house.dial(call);
        house.pass(Duration::ZERO);
    }
    house.longest = Some(Duration::ZERO);
    house
}

/// Operators who have registered, all until the same moment.
fn operators() -> (sip::Settings, String) {
    let mut settings = sip::Settings::new("pronto.example");
    let mut text = "pronto bindings 1\n".to_owned();
    for n in 0..OPERATORS {
        let id = OperatorId::new(&format!("op{n:05}")).expect("an id");
        let ha1 = sip::Ha1::from_password(id.as_str(), "pronto.example", &Secret::new("a password"));
        text += &format!(
            "{id} UDP 127.0.0.1:5060 127.1.{}.{}:5060 1100000000 999000000 1000 1 {n}@phone sip:{id}@127.1.{0}.{1} - 0\n",
            n >> 8,
            n & 255
        );
        settings.operators.insert(id, ha1);
    }
    (settings, text)
}

fn signed_in() -> House {
    let (endpoint, text) = operators();
    let mut house = House::with(settings(WAITS), endpoint, 2_000, &text);
    house.pass(Duration::ZERO);
    assert_eq!(
        house.gateway.sip_counts().bindings,
        OPERATORS as usize,
        "all are restored"
    );
    house.longest = Some(Duration::ZERO);
    house
}

fn longest(house: &House) -> Duration {
    house.longest.expect("it is measured")
}

/// 4,000 calls are hung up on at once.
fn hang_up_all() -> Duration {
    let mut house = waiting(CALLS);
    house.input(Input::Drain);
    house.input(Input::HangUpAll);
    house.catch_up();
    assert!(house.gateway.drained(), "every call is over");
    longest(&house)
}

/// 10,000 calls that a crash left open get their records.
fn recovery() -> Duration {
    let mut house = waiting(0);
    house.input(Input::Recovered((0..10_000).map(CallId).collect()));
    house.catch_up();
    longest(&house)
}

/// The timers of 4,000 calls are due at once: nobody has confirmed the BYE.
fn deadlines() -> Duration {
    let mut house = waiting(CALLS);
    house.now += Duration::from_secs(3_601);
    house.catch_up();
    longest(&house)
}

/// The connection of a trunk with 4,000 calls closes.
fn trunk_lost() -> Duration {
    let mut house = House::with(settings(WAITS), sip::Settings::new("pronto.example"), 2_000, "");
    house.caller.transport = sip::Transport::Tcp;
    for call in 0..CALLS {
        house.dial(call);
        house.pass(Duration::ZERO);
    }
    house.longest = Some(Duration::ZERO);
    let flow = house.caller;
    house.input(Input::Sip(sip::Input::FlowClosed { flow }));
    house.catch_up();
    longest(&house)
}

/// 20,000 registrations run out in the same moment.
fn registrations_run_out() -> Duration {
    let mut house = signed_in();
    house.now += Duration::from_secs(101);
    house.catch_up();
    assert_eq!(house.gateway.sip_counts().bindings, 0, "all are gone");
    longest(&house)
}

/// 20,000 registrations are written down.
fn registrations_saved() -> Duration {
    let house = signed_in();
    let (mut after, mut longest, mut text) = (None, Duration::ZERO, String::new());
    loop {
        let began = Instant::now();
        let (lines, more) = house.gateway.sip().saved_bindings_after(after.as_ref(), 128);
        text += &lines;
        longest = longest.max(began.elapsed());
        after = more;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(text.lines().count(), 1 + OPERATORS as usize);
    longest
}

/// The queue has been away until the journal was full, asks what became of offers, and comes back.
fn backlog() -> Duration {
    let mut house = waiting(100);
    house.input(Input::Detached);
    for offer in 0..60_000 {
        house.input(Input::Directive(Directive::Withdraw {
            offer: OfferId(offer),
        }));
    }
    for offer in 0..100 {
        house.input(Input::Directive(Directive::Withdraw {
            offer: OfferId(offer),
        }));
    }
    let last = house.gateway.last_entry();
    house.input(Input::Attached { have: last - 60_000 });
    let mut number = last - 60_000;
    while number < last {
        number = (number + 512).min(last);
        house.input(Input::Acknowledged { number });
    }
    longest(&house)
}

/// A flow as large as one may be, that never waits: each state says 32 prompts and leads to the next.
fn long_flow() -> Duration {
    let mut flow = "start = \"s0\"\n".to_owned();
    let says = vec!["\"welcome\""; 32].join(", ");
    for n in 0..400 {
        let end = format!("next = \"s{}\"", n + 1);
        let end = if n == 399 { "hangup = true" } else { &end };
        flow += &format!("[s{n}]\nsay = [{says}]\n{end}\n");
    }
    // No prompt is there, so that each is over at once.
    let mut settings = settings(&flow);
    settings.prompts = pronto_gateway::Prompts::default();
    let mut house = House::with(settings, sip::Settings::new("pronto.example"), 0, "");
    house.longest = Some(Duration::ZERO);
    for call in 0..20 {
        house.dial(call);
    }
    longest(&house)
}

/// The first play of a prompt of ten minutes, and of an announcement of many words.
fn long_prompt() -> Duration {
    let mut settings = house::settings();
    let clip = Clip::from_pcm16_8k(&vec![1; 600 * 8_000]);
    settings.prompts.insert(Language::English, "welcome", clip);
    let mut house = House::with(settings, sip::Settings::new("pronto.example"), 0, "");
    house.longest = Some(Duration::ZERO);
    house.dial(1);
    longest(&house)
}

/// The messages of a call with as many as are kept, and a page of all calls.
fn traces() -> Duration {
    let mut house = waiting(2_000);
    let tag = house.dial(9_999);
    for _ in 0..40_000 {
        house.within(9_999, &tag, "INFO", 2);
    }
    let mut longest = Duration::ZERO;
    let (page, _) = house.ring.list(0, 1_000);
    let mut subjects: Vec<Subject> = page.iter().map(|summary| summary.subject).collect();
    let (page, _) = house.ring.list(page.last().map_or(0, |last| last.order), 1_500);
    subjects.extend(page.iter().map(|summary| summary.subject));
    for subject in subjects {
        let began = Instant::now();
        let (_, found) = (house.ring.list(0, 1_000), house.ring.read(subject));
        longest = longest.max(began.elapsed());
        drop(found);
    }
    longest
}

/// A text of the greatest length: `before`, then `part` as often as it fits, then `after`.
fn filled(before: &str, part: &str, after: &str) -> String {
    let times = (LONGEST - before.len() - after.len()) / part.len();
    [before, &part.repeat(times), after].concat()
}

/// The longest legal messages, and others that are as long.
fn messages() -> Duration {
    let mut house = waiting(1);
    let to = "To: <sip:800@127.0.0.1:5060>\r\n";
    let start = |method: &str| {
        format!(
            "{method} sip:800@127.0.0.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bK-{method};rport\r\n\
             From: <sip:sipp@127.0.0.2:5060>;tag=1\r\nCall-ID: {method}@127.0.0.2\r\nCSeq: 1 {method}\r\n\
             Contact: <sip:sipp@127.0.0.2:5060>\r\nMax-Forwards: 70\r\n"
        )
    };
    let end = "\r\nContent-Length: 0\r\n\r\n";
    let mut all = vec![
        filled("", "a", ""),
        filled("INVITE ", "a", " SIP/2.0\r\n\r\n"),
        filled("", "\r\n", "x"),
        filled(
            &start("INVITE"),
            "X: y\r\n",
            &format!("{to}Content-Length: 0\r\n\r\n"),
        ),
    ];
    for method in ["INVITE", "REGISTER", "OPTIONS"] {
        let start = start(method) + to;
        for (before, part) in [
            ("Subject: ", "a"),
            ("Subject: ", "a\r\n "),
            ("Require: a", ",a"),
            ("Supported: a", ",a"),
            ("Via: SIP/2.0/UDP h", ",SIP/2.0/UDP h"),
            ("Record-Route: <sip:h>", ",<sip:h>"),
            ("Contact: <sip:a@b>", ",<sip:a@b>"),
            ("P-Asserted-Identity: \"", "\\\""),
            ("Accept: a/b", ",a/b"),
            ("Authorization: Digest a=b", ",a=b"),
        ] {
            all.push(filled(&(start.clone() + before), part, end));
        }
    }
    let lines =
        "m=audio 6000 RTP/AVP 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18\r\na=rtpmap:0 PCMU/8000\r\n"
            .repeat(150);
    for body in [lines, "a=fmtp:101 0-15\r\n".repeat(900), "v".repeat(16_000)] {
        let sdp =
            format!("v=0\r\no=sipp 1 1 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\n{body}");
        let length = sdp.len();
        let head = start("INVITE") + to;
        all.push(format!(
            "{head}Content-Type: application/sdp\r\nContent-Length: {length}\r\n\r\n{sdp}"
        ));
    }
    let mut slowest = (Duration::ZERO, String::new());
    for (n, text) in all.into_iter().enumerate() {
        house.longest = Some(Duration::ZERO);
        house.message(text.replace("z9hG4bK-", &format!("z9hG4bK-{n}-")));
        if longest(&house) > slowest.0 {
            slowest = (longest(&house), text);
        }
    }
    if slowest.0 > AIM {
        let shown: String = slowest.1.chars().skip(250).take(120).collect();
        println!("    the slowest: …{shown:?}…");
    }
    slowest.0
}

/// A scenario: its description, and the function that runs it and returns the time of its longest step.
type Scenario = (&'static str, fn() -> Duration);

const SCENARIOS: [Scenario; 11] = [
    ("4,000 calls are hung up on", hang_up_all),
    ("10,000 calls of a crash are recorded", recovery),
    ("the deadlines of 4,000 calls come at once", deadlines),
    ("a trunk's connection with 4,000 calls closes", trunk_lost),
    ("20,000 registrations run out at once", registrations_run_out),
    ("20,000 registrations are written down", registrations_saved),
    ("60,000 entries wait for the queue, which comes back", backlog),
    ("a flow of 400 states never waits", long_flow),
    ("a prompt of ten minutes is played first", long_prompt),
    ("a trace of thousands of messages is read", traces),
    ("the longest messages", messages),
];

fn main() {
    let mut slow = 0;
    for (what, run) in SCENARIOS {
        let least = (0..RUNS).map(|_| run()).min().unwrap_or_default();
        slow += usize::from(least > AIM);
        let mark = if least > AIM { "  OVER" } else { "" };
        println!("{:8.3} ms  {what}{mark}", least.as_secs_f64() * 1e3);
    }
    assert_eq!(slow, 0, "steps of more than {AIM:?}");
}
