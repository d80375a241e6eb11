//! Stores that earlier versions have written, in `tests/data`: each is read as it was written, and a new process goes on
//! from it. CONTRIBUTING.md says when a store is added.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use pronto_engine::{Engine, Fact, LedgerEntry, OperatorStatus};
use pronto_gateway::shell::JournalReader;
use pronto_proto::v1::operators_client::OperatorsClient;
use pronto_proto::v1::{OperatorState, SetOperatorStateRequest};
use pronto_queue::LedgerReader;
use pronto_store::{SqliteStore, Store as _};

use crate::kit::centre::{BRIEF, Centre, ITALIAN, MUSIC, Plan, STRAIGHT, clip};
use crate::kit::g711::Law;
use crate::kit::ground::{CALLER, CENTRE, Ground, PHONE};
use crate::kit::phone::{Call, PATIENCE, Phone};
use crate::kit::rtp::RtpEndpoint;

/// The middle bytes of the addresses in the stored dialogs and registrations: no other test stands there.
const NET: [u8; 2] = [60, 9];
/// The files of a store that are kept.
const FILES: [&str; 4] = ["ledger.sqlite", "journal.sqlite", "dialogs", "bindings.txt"];
/// The file beside them that says what they hold.
const HOLDS: &str = "holds.txt";

fn plan() -> Plan {
    Plan {
        operators: vec![("101", &["support"]), ("102", &["support", "sales"])],
        ring: "2s",
        record: true,
        ..Plan::default()
    }
}

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

/// The stored directories, by name.
fn stored() -> Vec<PathBuf> {
    let entries = fs::read_dir(data()).expect("there are stored directories");
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    found.retain(|path| path.is_dir());
    found.sort();
    assert!(!found.is_empty(), "a store of an earlier version is committed");
    found
}

/// The ground of all stored directories, and its configuration.
fn ground() -> (Ground, PathBuf) {
    let deadline = Instant::now() + Duration::from_secs(120);
    let ground = loop {
        match Ground::at(NET) {
            Some(ground) => break ground,
            None => assert!(Instant::now() < deadline, "another test stands on its ground"),
        }
        std::thread::park_timeout(Duration::from_millis(50));
    };
    let config = plan().write(&ground);
    (ground, config)
}

/// Copies a store to where the centre on this ground has its own; returns the copy.
fn copy(from: &Path, ground: &Ground) -> PathBuf {
    let to = ground.subdirectory("var");
    for file in FILES {
        fs::copy(from.join(file), to.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    }
    to
}

fn ledger(store: &Path) -> Vec<LedgerEntry> {
    let reader = LedgerReader::open(store).expect("the ledger opens");
    let facts = reader.facts().collect::<Result<_, _>>();
    facts.expect("each fact is understood")
}

/// How many there are of each kind, a line each.
fn kinds<T: Debug>(all: impl Iterator<Item = T>) -> String {
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for one in all {
        let text = format!("{one:?}");
        let kind = text.split([' ', '{', '(']).next().unwrap_or_default();
        *counts.entry(kind.to_owned()).or_default() += 1;
    }
    let lines = counts.iter().map(|(kind, count)| format!("  {kind} {count}\n"));
    lines.collect()
}

/// The state that the facts of a ledger come to: the queues, and the operators.
fn state(facts: Vec<LedgerEntry>) -> String {
    let engine = Engine::fold(facts);
    engine.check().expect("the state that was stored holds together");
    let mut text = String::new();
    for queue in engine.queues() {
        let ended = queue.ended;
        text += &format!(
            "  queue {}: joined {}, waiting {}, detached {}, offered {}, connected {}, answered {}, abandoned {}, \
             exited {}, moved {}, lost {}, ended {}\n",
            queue.name,
            queue.joined,
            queue.waiting,
            queue.detached,
            queue.offered,
            queue.connected,
            ended.answered,
            ended.abandoned,
            ended.exited,
            ended.moved,
            ended.lost,
            ended.total(),
        );
    }
    for operator in engine.operators() {
        let status = match operator.status {
            OperatorStatus::SignedOut => "signed out".to_owned(),
            OperatorStatus::Ready => "ready".to_owned(),
            OperatorStatus::Offered { .. } => "offered".to_owned(),
            OperatorStatus::Talking => "talking".to_owned(),
            OperatorStatus::WrapUp { .. } => "wrap-up".to_owned(),
            OperatorStatus::Paused { reason, .. } => format!("paused: {reason}"),
        };
        text += &format!("  operator {}: {status}\n", operator.id);
    }
    text
}

/// Everything that a stored directory holds, in words.
fn holds(store: &Path, config: &Path) -> String {
    let facts = ledger(store);
    let reader = JournalReader::open(store).expect("the journal opens");
    let events: Vec<_> = reader
        .events()
        .map(|event| event.expect("each entry is understood").event)
        .collect();
    let calls = Command::new(env!("CARGO_BIN_EXE_pronto"))
        .args(["calls", "--json", "--numbers", "--config"])
        .arg(config)
        .env("TZ", "UTC")
        .output()
        .expect("the binary can be run");
    assert!(
        calls.status.success(),
        "{}",
        String::from_utf8_lossy(&calls.stderr)
    );
    format!(
        "ledger: {} facts\n{}state\n{}journal: {} entries\n{}calls\n{}",
        facts.len(),
        kinds(facts.iter().map(|entry| &entry.fact)),
        state(facts.clone()),
        events.len(),
        kinds(events.iter()),
        String::from_utf8_lossy(&calls.stdout),
    )
}

#[test]
fn a_store_of_an_earlier_version_is_read_as_it_was_written() {
    for directory in stored() {
        let (ground, config) = ground();
        let store = copy(&directory, &ground);
        let expected = fs::read_to_string(directory.join(HOLDS)).expect("it is written what the store holds");
        let found = holds(&store, &config);
        assert_eq!(found, expected, "{}", directory.display());
    }
}

/// The phones of the two operators, where the stored dialogs left them.
fn phones(store: &Path, centre: SocketAddr) -> [Phone; 2] {
    let dialogs = fs::read(store.join("dialogs")).expect("dialogs are stored");
    let dialogs = String::from_utf8_lossy(&dialogs);
    [("101", PHONE), ("102", PHONE + 1)].map(|(id, host)| {
        let place = format!("127.{}.{}.{host}:", NET[0], NET[1]);
        let (_, rest) = dialogs
            .split_once(&place)
            .expect("a dialog with the phone is stored");
        let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
        let local = format!("{place}{port}").parse().expect("an address");
        Phone::open_at(id, local, centre)
    })
}

#[test]
fn a_new_process_goes_on_from_the_store_of_an_earlier_version_and_ends_its_dialogs() {
    for directory in stored() {
        let (ground, config) = ground();
        let store = copy(&directory, &ground);
        let before = ledger(&store);
        let sip = SocketAddr::new(ground.ip(CENTRE), 5060);
        let [mut ringing, mut talking] = phones(&store, sip);
        let centre = Centre::start(&plan(), ground, config);
        let cancelled = ringing.receive(PATIENCE, |message| message.method() == Some("CANCEL"));
        assert!(cancelled.is_some(), "the phone that rang is silenced");
        let ended = talking.receive(PATIENCE, |message| message.method() == Some("BYE"));
        talking.agree(&ended.expect("the phone in the talk is told that it is over"));
        // Of the calls that were up: one talks, one is offered, one waits; and the one before that was killed.
        let listed = centre.calls(&["--json", "--outcome", "gateway-lost"]);
        assert_eq!(listed.len(), 4, "{listed:#?}");
        // The store is in use: a caller is served from it.
        let mut operator = centre.operator("101", 2);
        let (mut caller, rtp) = (centre.caller(9), RtpEndpoint::open(centre.ip(CALLER + 9)));
        let mut call = caller.call(STRAIGHT, &rtp, Law::A);
        let desk = RtpEndpoint::open(centre.ip(PHONE + 2));
        let rung = operator
            .rung(2 * PATIENCE)
            .expect("the operator is offered the call");
        operator.answer(&rung, &desk);
        assert!(operator.acknowledged(&rung, PATIENCE));
        assert!(caller.hang_up(&mut call));
        let ground = centre.close_but_keep();
        let after = ledger(&ground.directory().join("var"));
        assert!(after.len() > before.len(), "the ledger goes on");
        assert_eq!(after[..before.len()], before, "what was stored stays as it was");
        Engine::fold(after).check().expect("the state holds together");
    }
}

/// Asks the centre for another state of an operator.
fn set(centre: &Centre, operator: &str, state: OperatorState, reason: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let to = format!("http://{}:50051", centre.ip(CENTRE));
    let request = SetOperatorStateRequest {
        name: format!("operators/{operator}"),
        state: state.into(),
        reason: reason.to_owned(),
        request_id: String::new(),
    };
    runtime.block_on(async {
        let mut client = OperatorsClient::connect(to).await.expect("gRPC is served");
        client.set_operator_state(request).await.expect("it is set");
    });
}

/// A caller who waits in the queue.
fn waiting(centre: &Centre, number: u8) -> (Phone, RtpEndpoint, Call) {
    let mut caller = centre.caller(number);
    let rtp = RtpEndpoint::open(centre.ip(CALLER + number));
    let call = caller.call(STRAIGHT, &rtp, Law::A);
    (caller, rtp, call)
}

/// The calls of a short day that ended before the kill: one is answered, one abandoned after an operator did not answer, one
/// finds nobody in sales, one hears a few words, and one is lost with the gateway's first process.
fn a_short_day(centre: &mut Centre, helper: &mut Phone) {
    let desk = RtpEndpoint::open(centre.ip(PHONE));
    let (mut first, rtp, mut call) = waiting(centre, 0);
    let talk = helper.rung(PATIENCE).expect("the operator is offered the call");
    helper.answer(&talk, &desk);
    assert!(helper.acknowledged(&talk, PATIENCE));
    let packets = rtp.packets().len() + 50;
    assert!(
        rtp.wait(PATIENCE, packets, |_| Some(())).is_some(),
        "a second of talk"
    );
    assert!(first.hang_up(&mut call));
    assert!(helper.hung_up_by_them(&talk, PATIENCE).is_some());

    let (mut second, rtp, mut call) = waiting(centre, 1);
    let rings = helper.rung(PATIENCE).expect("the operator is offered the call");
    assert!(helper.cancelled(&rings, PATIENCE).is_some(), "nobody answers");
    let heard = rtp.wait_for_part_of(&clip("music"), Instant::now(), MUSIC);
    assert!(heard.is_some(), "the caller hears the announcement, then music");
    assert!(second.hang_up(&mut call));

    let (mut third, rtp) = (centre.caller(2), RtpEndpoint::open(centre.ip(CALLER + 2)));
    let call = third.call(ITALIAN, &rtp, Law::Mu);
    rtp.press('2');
    let told = third.hung_up_by_them(&call, Duration::from_secs(40));
    assert!(told.is_some(), "nobody serves sales");

    let (mut fourth, rtp) = (centre.caller(3), RtpEndpoint::open(centre.ip(CALLER + 3)));
    let call = fourth.call(BRIEF, &rtp, Law::A);
    assert!(fourth.hung_up_by_them(&call, Duration::from_secs(20)).is_some());

    let (mut fifth, _rtp, call) = waiting(centre, 4);
    centre.until("the caller waits", |centre| {
        centre.figure("pronto_queue_waiting{queue=\"support\"}") > 0.0
    });
    centre.kill();
    assert!(centre.wait_for_exit(PATIENCE).is_some());
    centre.restart();
    assert!(fifth.hung_up_by_them(&call, PATIENCE).is_some());
}

/// How often a phone has rung, as the ledger knows it.
fn rings(centre: &Centre) -> usize {
    let facts = ledger(&centre.ground.directory().join("var"));
    let rings = facts
        .iter()
        .filter(|entry| matches!(entry.fact, Fact::Ringing { .. }));
    rings.count()
}

#[test]
#[ignore = "writes a new directory of tests/data, named by PRONTO_DATA: CONTRIBUTING.md says when"]
fn the_store_of_this_version_is_written_to_tests_data() {
    let name = std::env::var("PRONTO_DATA").expect("PRONTO_DATA names the new directory");
    let (ground, config) = ground();
    let mut centre = Centre::start(&plan(), ground, config.clone());
    let mut helper = centre.operator("101", 0);
    a_short_day(&mut centre, &mut helper);
    set(&centre, "101", OperatorState::Paused, "lunch");
    let mut keen = centre.operator("102", 1);
    let (_sixth, _rtp, _call) = waiting(&centre, 5);
    let desk = RtpEndpoint::open(centre.ip(PHONE + 1));
    let talk = keen.rung(PATIENCE).expect("the operator is offered the call");
    keen.answer(&talk, &desk);
    assert!(keen.acknowledged(&talk, PATIENCE));
    set(&centre, "102", OperatorState::Paused, "meeting");
    let (_seventh, _eighth) = (waiting(&centre, 6), waiting(&centre, 7));
    let before = rings(&centre);
    set(&centre, "101", OperatorState::Ready, "");
    assert!(
        helper.rung(PATIENCE).is_some(),
        "the operator is offered the call"
    );
    centre.until("the queue service knows that the phone rings", |centre| {
        rings(centre) > before
    });
    centre.kill();
    assert!(centre.wait_for_exit(PATIENCE).is_some());

    let (from, to) = (centre.ground.directory().join("var"), data().join(name));
    // Closed in order, each is one file.
    for file in ["ledger.sqlite", "journal.sqlite"] {
        let (store, _) = SqliteStore::open(&from.join(file), |_| {}).expect("a store");
        store.close().expect("the store is closed");
    }
    fs::create_dir(&to).expect("a new directory");
    for file in FILES {
        fs::copy(from.join(file), to.join(file)).expect("the store is copied");
    }
    fs::write(to.join(HOLDS), holds(&from, &config)).expect("it is written what the store holds");
}
