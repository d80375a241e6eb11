//! Gateways that the queue service does not take, or not yet: strangers, doubles, lost journals, wiped ledgers.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use pronto_engine::{Fact, LedgerEntry};
use pronto_queue::ledger;
use pronto_store::{Batch, Record, SqliteStore, Store};
use pronto_types::GatewayName;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::kit::centre::{BRIEF, Centre, MUSIC, Plan, STRAIGHT, clip};
use crate::kit::g711::Law;
use crate::kit::ground::{CALLER, CENTRE, PHONE};
use crate::kit::phone::{Call, PATIENCE, Phone};
use crate::kit::rtp::{RtpEndpoint, Sound};

/// Where the second gateway of a test is.
const BESIDE: u8 = 60;
const DESK: f64 = 900.0;
const CALLS: f64 = 500.0;

fn apart() -> Centre {
    Centre::open(&Plan {
        apart: true,
        rona_pause: "1s",
        ..Plan::default()
    })
}

/// Deletes a store of the centre: `ledger` or `journal`.
fn lose(centre: &Centre, name: &str) {
    let var = centre.ground.directory().join("var");
    for end in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(var.join(format!("{name}.sqlite{end}")));
    }
}

/// The grpc.health status at this port of the centre.
fn health(centre: &Centre, port: u16) -> ServingStatus {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let to = format!("http://{}:{port}", centre.ip(CENTRE));
    runtime.block_on(async {
        let channel = tonic::transport::Endpoint::from_shared(to)
            .unwrap()
            .connect()
            .await;
        let mut client = HealthClient::new(channel.expect("gRPC is served"));
        let asked = client.check(HealthCheckRequest::default()).await;
        asked.expect("health is served").into_inner().status()
    })
}

/// A second gateway with a store of its own, for the queue service of the centre.
fn beside(centre: &Centre, token_file: Option<&Path>) -> crate::kit::process::Process {
    let (ours, theirs) = (centre.ip(CENTRE).to_string(), centre.ip(BESIDE).to_string());
    let directory = centre.ground.directory();
    let text = fs::read_to_string(directory.join("pronto.toml")).unwrap();
    let token = token_file.map_or(String::new(), |file| format!("token_file = {file:?}\n"));
    let text = text
        .replace(&ours, &theirs)
        .replace(&format!("http://{theirs}"), &format!("http://{ours}"))
        .replace("path = \"var\"", "path = \"beside\"")
        .replace("[gateway]\n", &format!("[gateway]\n{token}"));
    let config = directory.join("beside.toml");
    fs::write(&config, text).unwrap();
    centre.start_beside("gateway", &config)
}

/// A caller, and the operator who takes the call; both hear each other.
fn talk(centre: &Centre, operator: &mut Phone, number: u8) -> (Phone, RtpEndpoint, Call, RtpEndpoint, Call) {
    let mut caller = centre.caller(number);
    let rtp = RtpEndpoint::open(centre.ip(CALLER + number));
    let call = caller.call(STRAIGHT, &rtp, Law::A);
    rtp.say(Sound::Tone(CALLS));
    let ringing = operator
        .rung(2 * PATIENCE)
        .expect("the operator is offered the call");
    let desk = RtpEndpoint::open(centre.ip(PHONE));
    desk.say(Sound::Tone(DESK));
    operator.answer(&ringing, &desk);
    let start = Instant::now();
    let heard = rtp.wait_for_tone(DESK, start, PATIENCE);
    assert!(heard.is_some(), "the caller hears the operator");
    let heard = desk.wait_for_tone(CALLS, start, PATIENCE);
    assert!(heard.is_some(), "the operator hears the caller");
    (caller, rtp, call, desk, ringing)
}

#[test]
fn a_gateway_whose_journal_was_lost_is_offered_callers_again() {
    let mut centre = apart();
    // The second process is in epoch 2, the third counts from 1 again.
    for lost in [false, true] {
        centre.signal("KILL");
        assert!(centre.wait_for_exit(PATIENCE).is_some());
        if lost {
            lose(&centre, "journal");
        }
        centre.restart();
    }
    assert!(centre.log().contains("a new epoch"), "{}", centre.log());
    let mut operator = centre.operator("101", 0);
    let (mut caller, _rtp, mut call, _desk, _ringing) = talk(&centre, &mut operator, 0);
    assert!(caller.hang_up(&mut call));
    centre.close();
}

#[test]
fn a_wiped_ledger_under_a_running_gateway_cuts_no_talk_and_who_waits_is_served() {
    let mut centre = apart();
    let mut operator = centre.operator("101", 0);
    let (mut first, first_rtp, mut call, _desk, _ringing) = talk(&centre, &mut operator, 0);
    let mut second = centre.caller(1);
    let second_rtp = RtpEndpoint::open(centre.ip(CALLER + 1));
    let mut waiting = second.call(STRAIGHT, &second_rtp, Law::A);
    let music = second_rtp.wait_for_part_of(&clip("music"), Instant::now(), MUSIC);
    assert!(music.is_some(), "the second caller waits");

    centre.queue().signal("KILL");
    assert!(centre.queue().wait_for_exit(PATIENCE).is_some());
    lose(&centre, "ledger");
    centre.restart_queue();

    let later = Instant::now();
    assert!(
        first_rtp.wait_for_tone(DESK, later, PATIENCE).is_some(),
        "still talking"
    );
    let music = second_rtp.wait_for_part_of(&clip("music"), later, MUSIC);
    assert!(music.is_some(), "still waiting");
    assert!(first.hang_up(&mut call));
    assert!(
        operator.rung(4 * PATIENCE).is_some(),
        "the waiting caller is offered by a queue that had never heard of them"
    );
    assert!(second.hang_up(&mut waiting));
    centre.close_now();
}

#[test]
fn nobody_is_answered_into_a_queue_that_is_not_there() {
    let mut centre = apart();
    assert_eq!(health(&centre, 50052), ServingStatus::Serving);
    centre.queue().signal("KILL");
    assert!(centre.queue().wait_for_exit(PATIENCE).is_some());
    centre.signal("KILL");
    assert!(centre.wait_for_exit(PATIENCE).is_some());
    centre.restart_unattached();
    assert_eq!(health(&centre, 50052), ServingStatus::NotServing);
    let mut caller = centre.caller(0);
    let rtp = RtpEndpoint::open(centre.ip(CALLER));
    let mut call = caller.invite(STRAIGHT, &rtp, &[Law::A]);
    let refused = caller.final_response(&mut call, PATIENCE).expect("an answer");
    assert_eq!(refused.status(), Some(503));
    assert!(refused.header("Retry-After").is_some());
    // A number that leads to no queue needs none.
    caller.call(BRIEF, &rtp, Law::A);

    centre.restart_queue();
    assert_eq!(health(&centre, 50052), ServingStatus::Serving);
    let mut call = caller.call(STRAIGHT, &rtp, Law::A);
    assert!(caller.hang_up(&mut call));
    centre.close_now();
}

#[test]
fn any_process_of_this_machine_cannot_be_the_gateway() {
    let centre = apart();
    let stranger = beside(&centre, None);
    let refused = stranger.wait_for_line(PATIENCE, |line| {
        line.contains("the queue service refuses the link")
    });
    let refused = refused.expect("the stranger is told");
    assert!(
        refused.contains("[gateway] token_file"),
        "and what to do: {refused}"
    );
    let mut operator = centre.operator("101", 0);
    let (mut caller, _rtp, mut call, _desk, _ringing) = talk(&centre, &mut operator, 0);
    assert!(caller.hang_up(&mut call));
    assert_eq!(centre.attached(), 1, "the real one was not disturbed");
    drop(stranger);
    centre.close();
}

#[test]
fn a_second_gateway_of_one_name_ends_with_a_clear_line_and_steals_no_call() {
    let centre = apart();
    let mut operator = centre.operator("101", 0);
    let (mut caller, rtp, mut call, _desk, _ringing) = talk(&centre, &mut operator, 0);
    let token = centre.ground.directory().join("var/gateway.token");
    let mut double = beside(&centre, Some(&token));
    let ended = double.wait_for_exit(Duration::from_secs(40));
    assert!(ended.is_some_and(|ended| !ended.success()), "{}", double.log());
    assert!(
        double
            .log()
            .contains("give each gateway its own `[gateway] name`"),
        "{}",
        double.log()
    );
    let later = Instant::now();
    assert!(
        rtp.wait_for_tone(DESK, later, PATIENCE).is_some(),
        "still talking"
    );
    assert_eq!(centre.attached(), 1, "the first was not disturbed");
    assert!(caller.hang_up(&mut call));
    centre.close();
}

#[test]
fn a_whole_centre_takes_no_gateway_of_its_own_name_over_a_socket() {
    let centre = Centre::open(&Plan::default());
    assert_eq!(health(&centre, 50051), ServingStatus::Serving);
    let token = centre.ground.directory().join("var/gateway.token");
    let double = beside(&centre, Some(&token));
    let refused = double.wait_for_line(PATIENCE, |line| line.contains("attaches within it"));
    assert!(refused.is_some(), "{}", double.log());
    let mut operator = centre.operator("101", 0);
    let (mut caller, _rtp, mut call, _desk, _ringing) = talk(&centre, &mut operator, 0);
    assert!(caller.hang_up(&mut call));
    drop(double);
    centre.close();
}

/// Writes into the ledger of the stopped queue service that a process of `gw1` attached with this epoch.
fn spoil(centre: &Centre, epoch: u64) {
    let ledger = centre.ground.directory().join("var/ledger.sqlite");
    let (store, opened) = SqliteStore::open(&ledger, |_| {}).expect("the queue service has stopped");
    let last = pronto_store::records(&store)
        .last()
        .expect("the ledger has facts");
    let last = last.expect("a record");
    let last = ledger::decode(last.version, &last.bytes).expect("a fact");
    let forged = LedgerEntry {
        seq: opened.last + 1,
        at: last.at,
        cause: None,
        fact: Fact::GatewayAttached {
            gateway: GatewayName::new("gw1").unwrap(),
            epoch,
            last: 0,
            instance: 7,
        },
    };
    let record = Record {
        seq: forged.seq,
        version: ledger::VERSION,
        bytes: ledger::encode(&forged),
    };
    let batch = Batch {
        records: vec![record],
        ..Batch::default()
    };
    store.append(batch).expect("the ledger takes one more fact");
    store.close().expect("it is written");
}

#[test]
fn a_spoilt_gateway_is_reset_while_the_queue_is_stopped_and_begins_again() {
    const REMEDY: &str = "stop the queue service and run `pronto gateway reset gw1` on its machine";
    for epoch in [1 << 62, u64::MAX] {
        let mut centre = apart();
        let refused = centre.pronto(&["gateway", "reset", "gw1"]).unwrap_err();
        assert!(refused.contains("ledger"), "while it runs: {refused}");
        centre.queue().signal("TERM");
        assert!(centre.queue().wait_for_exit(PATIENCE).is_some());
        spoil(&centre, epoch);
        centre.start_queue();
        let known = format!("knows epoch {epoch} of gateway `gw1`");
        let ended = centre.wait_for_exit(2 * PATIENCE);
        let log = centre.log();
        assert!(ended.is_some_and(|ended| !ended.success()), "{ended:?}:\n{log}");
        assert!(log.contains(&known) && log.contains(REMEDY), "{log}");
        // Another start mends nothing.
        let mut again = centre.start_beside("gateway", centre.config());
        let ended = again.wait_for_exit(2 * PATIENCE);
        let log = again.log();
        assert!(ended.is_some_and(|ended| !ended.success()), "{ended:?}:\n{log}");
        assert!(log.contains(&known) && log.contains(REMEDY), "{log}");

        centre.queue().signal("TERM");
        assert!(centre.queue().wait_for_exit(PATIENCE).is_some());
        let unknown = centre.pronto(&["gateway", "reset", "gw7"]).unwrap_err();
        assert!(unknown.contains("`gw1`"), "what there is: {unknown}");
        let done = centre.pronto(&["gateway", "reset", "gw1"]).unwrap();
        assert!(
            done.contains(&format!("gw1 begins again: its epoch was {epoch}")),
            "{done}"
        );
        centre.start_queue();
        centre.restart();
        let mut operator = centre.operator("101", 0);
        let (mut caller, _rtp, mut call, _desk, _ringing) = talk(&centre, &mut operator, 0);
        assert!(caller.hang_up(&mut call));
        centre.close();
    }
}

#[test]
fn a_gateway_whose_own_count_is_far_ahead_begins_again_at_what_the_queue_knows() {
    let mut centre = apart();
    centre.signal("TERM");
    assert!(centre.wait_for_exit(PATIENCE).is_some());
    let journal = centre.ground.directory().join("var/journal.sqlite");
    let (store, _) = SqliteStore::open(&journal, |_| {}).expect("the gateway has stopped");
    assert_eq!(store.renew_epoch(1 << 40).unwrap(), (1 << 40) + 1);
    store.close().expect("it is written");
    drop(store);
    centre.restart();
    let mut operator = centre.operator("101", 0);
    let (mut caller, _rtp, mut call, _desk, _ringing) = talk(&centre, &mut operator, 0);
    assert!(caller.hang_up(&mut call));
    centre.close();
}
