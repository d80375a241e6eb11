//! `pronto forecast --ledger` and `pronto report promises --replay` on the ledger of a day, with restarts of the queue
//! service and all: what is forecast is what the engine forecast while it lived, and what came is in the records.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use pronto_engine::records::{CallRecords, TicketOutcome, TicketRecord, Written};
use pronto_engine::{Fact, LedgerEntry, Wait};
use pronto_queue::ledger;
use pronto_store::{Batch, Record, SqliteStore, Store};
use pronto_types::{TicketId, Time};

use crate::day::{Plan, played};

/// The ledger of a day in a store, and what is known of it otherwise.
struct Day {
    store: PathBuf,
    /// The engine's forecasts, for most callers who had to wait.
    forecasts: BTreeMap<String, Option<Wait>>,
    /// Each wait, and when it began.
    records: BTreeMap<String, (TicketRecord, Time)>,
}

impl Drop for Day {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.store);
    }
}

/// A folder that nobody has used.
fn folder() -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("pronto-world-forecasts-{}-{number}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The waits of a call under their names, each with its beginning: after an overflow there are more of one ticket.
fn waits(places: Vec<TicketRecord>) -> Vec<(String, (TicketRecord, Time))> {
    let mut waits: Vec<(String, (TicketRecord, Time))> = Vec::new();
    for place in places {
        let before = waits.last().filter(|(_, (it, _))| it.ticket == place.ticket);
        let turn = waits
            .iter()
            .filter(|(_, (it, _))| it.ticket == place.ticket)
            .count()
            + 1;
        let (name, began) = match before {
            Some((_, (left, _))) => (format!("{}/{turn}", place.ticket), left.ended.unwrap()),
            None => (place.ticket.to_string(), place.joined),
        };
        waits.push((name, (place, began)));
    }
    waits
}

/// Played once for all tests that run at a time.
fn day() -> Arc<Day> {
    static DAY: Mutex<Weak<Day>> = Mutex::new(Weak::new());
    let mut day = DAY.lock().unwrap_or_else(PoisonError::into_inner);
    day.upgrade().unwrap_or_else(|| {
        let world = played(Plan::crowded(3));
        assert!(world.queue.restarts > 0);
        let store = folder();
        let (sqlite, _) = SqliteStore::open(&store.join("ledger.sqlite"), |_| ()).unwrap();
        let mut records = CallRecords::default();
        let mut found = BTreeMap::new();
        for some in world.queue.log.chunks(1000) {
            let batch = some.iter().map(|recorded| Record {
                seq: recorded.seq,
                version: ledger::VERSION,
                bytes: ledger::encode(recorded),
            });
            sqlite
                .append(Batch {
                    records: batch.collect(),
                    ..Batch::default()
                })
                .unwrap();
            for written in some.iter().flat_map(|recorded| records.apply(recorded)) {
                if let Written::Call(record) = written {
                    found.extend(waits(record.tickets));
                }
            }
        }
        sqlite.close().unwrap();
        // What was not committed when the service was killed never was.
        let kept = world.queue.log.iter().filter_map(|it| match it.fact {
            Fact::Joined { ticket, .. } => Some(ticket),
            _ => None,
        });
        let kept: BTreeSet<TicketId> = kept.collect();
        let name = |(ticket, wait): (&TicketId, &Option<Wait>)| (ticket.to_string(), *wait);
        let played = Arc::new(Day {
            store,
            forecasts: world
                .queue
                .forecasts
                .iter()
                .filter(|it| kept.contains(it.0))
                .map(name)
                .collect(),
            records: found,
        });
        *day = Arc::downgrade(&played);
        played
    })
}

fn pronto(arguments: &[&str], store: &Path, option: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pronto"));
    let ran = command.args(arguments).arg(option).arg(store).output().unwrap();
    let faults = String::from_utf8(ran.stderr).unwrap();
    assert!(ran.status.success() && faults.is_empty(), "{faults}");
    String::from_utf8(ran.stdout).unwrap()
}

/// The value of a member of a line, as it is written.
fn member<'a>(line: &'a str, name: &str) -> &'a str {
    let begin = line.find(&format!("\"{name}\":")).unwrap() + name.len() + 3;
    let rest = &line[begin..];
    rest[..rest.find([',', '}']).unwrap()].trim_matches('"')
}

fn seconds(duration: Duration) -> String {
    format!("{:.3}", duration.as_secs_f64())
}

#[test]
fn a_ledger_forecasts_what_the_engine_forecast_and_tells_what_came() {
    let day = day();
    let lines = pronto(&["forecast"], &day.store, "--ledger");
    let (mut compared, mut answered, mut abandoned, mut further) = (0, 0, 0, 0);
    for line in lines.lines() {
        let call = member(line, "call_id");
        if let Some(live) = day.forecasts.get(call) {
            compared += 1;
            let told = |value: fn(&Wait) -> Duration| {
                live.as_ref().map_or("null".to_owned(), |it| seconds(value(it)))
            };
            assert_eq!(member(line, "mean_s"), told(|it| it.mean), "{line}");
            assert_eq!(member(line, "p50_s"), told(|it| it.p50), "{line}");
            assert_eq!(member(line, "p90_s"), told(|it| it.p90), "{line}");
        }
        let (record, began) = &day.records[call];
        assert_eq!(member(line, "queue"), record.queue.as_str());
        further += usize::from(record.overflowed.is_some());
        let was_answered = member(line, "outcome") == "answered";
        assert_eq!(was_answered, record.answered.is_some(), "{line} {record:?}");
        let end = record.joined + record.waited.unwrap();
        assert_eq!(member(line, "wait"), seconds(end.since(*began)), "{line}");
        let known = member(line, "mean_s") != "null";
        assert_eq!(member(line, "scored"), (was_answered && known).to_string());
        answered += usize::from(was_answered);
        if record.outcome == Some(TicketOutcome::Abandoned) && record.answered.is_none() {
            abandoned += 1;
            assert_eq!(member(line, "outcome"), "abandoned");
        }
    }
    assert!(
        compared > 100 && answered > 50 && abandoned > 20 && further > 10,
        "{compared} compared, {answered} answered, {abandoned} abandoned, {further} waited in another queue"
    );
    let listed: BTreeSet<&str> = lines.lines().map(|line| member(line, "call_id")).collect();
    assert!(
        day.forecasts.keys().all(|call| listed.contains(call.as_str())),
        "everybody who had to wait"
    );
}

#[test]
fn the_events_of_a_ledger_are_read_as_events_and_ask_for_the_same_callers() {
    let day = day();
    let events = pronto(&["forecast", "--print-events"], &day.store, "--ledger");
    let file = day.store.join("events.jsonl");
    std::fs::write(&file, &events).unwrap();
    let answers = pronto(&["forecast"], &file, "--events");
    let calls = |lines: &str| -> BTreeSet<String> {
        lines
            .lines()
            .map(|line| member(line, "call_id").to_owned())
            .collect()
    };
    let replayed = pronto(&["forecast"], &day.store, "--ledger");
    let (asked, delayed) = (calls(&answers), calls(&replayed));
    // Who regained a place is asked about as well: the protocol knows nothing of that.
    assert!(delayed.is_subset(&asked));
    for more in asked.difference(&delayed) {
        assert!(day.records[more].0.regained.is_some(), "{more}");
    }
    // Each call goes in order through what the protocol has, and time does not go back.
    let mut at: BTreeMap<&str, &str> = BTreeMap::new();
    let mut before = 0.0;
    for line in events.lines().filter(|line| line.contains("\"t\":")) {
        let now: f64 = member(line, "t").parse().unwrap();
        assert!(now >= before, "{line} after {before}");
        before = now;
        if line.contains("\"call\":") {
            let (event, call) = (member(line, "ev"), member(line, "call"));
            let expected: &[Option<&str>] = match event {
                "entered" => &[None],
                "offered" | "abandoned" => &[Some("entered")],
                "answered" => &[Some("offered")],
                _ => &[Some("answered")],
            };
            assert!(expected.contains(&at.insert(call, event)), "{line}");
        }
    }
    assert!(
        at.values()
            .all(|event| ["abandoned", "completed"].contains(event)),
        "{at:?}"
    );
    assert!(!events.contains("+39"), "nobody's number");
    assert!(events.contains("/2\""), "who waited in another queue");
}

#[test]
fn a_full_disk_is_an_error() {
    let store = folder();
    let (sqlite, _) = SqliteStore::open(&store.join("ledger.sqlite"), |_| ()).unwrap();
    // Less than is written at a time.
    let started = LedgerEntry {
        seq: 1,
        at: Time::ZERO,
        cause: None,
        fact: Fact::Started { settle_until: None },
    };
    let record = Record {
        seq: 1,
        version: ledger::VERSION,
        bytes: ledger::encode(&started),
    };
    sqlite
        .append(Batch {
            records: vec![record],
            ..Batch::default()
        })
        .unwrap();
    sqlite.close().unwrap();
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_pronto"));
    command
        .args(["forecast", "--print-events", "--ledger"])
        .arg(&store);
    let status = command.stdout(full).stderr(Stdio::null()).status().unwrap();
    assert!(!status.success());
    std::fs::remove_dir_all(&store).unwrap();
}

#[test]
fn the_replay_of_promises_scores_the_forecasts_of_the_ledger() {
    let day = day();
    let lines = pronto(&["forecast"], &day.store, "--ledger");
    let of = |line: &str| -> Option<[f64; 3]> {
        let number = |name| member(line, name).parse::<f64>().ok();
        (member(line, "scored") == "true").then_some(())?;
        Some([number("wait")?, number("mean_s")?, number("p90_s")?])
    };
    let scored: Vec<[f64; 3]> = lines.lines().filter_map(of).collect();
    let count = scored.len() as f64;
    let mean = scored.iter().map(|it| it[0]).sum::<f64>() / count;
    let square = scored.iter().map(|it| (it[1] - it[0]).powi(2)).sum::<f64>() / count;
    let table = pronto(&["report", "promises", "--replay"], &day.store, "--store");
    let all: Vec<&str> = table.lines().last().unwrap().split_whitespace().collect();
    let delayed = lines.lines().count();
    assert_eq!(
        all[..3],
        ["all", &delayed.to_string(), &scored.len().to_string()],
        "{table}"
    );
    assert_eq!(all[4], format!("{mean:.1}"), "{table}");
    assert_eq!(all[5], format!("{:.3}", square.sqrt() / mean), "{table}");
    let one = pronto(
        &["report", "promises", "--replay", "--json"],
        &day.store,
        "--store",
    );
    let sum: usize = one
        .lines()
        .map(|line| member(line, "delayed").parse::<usize>().unwrap())
        .sum();
    assert_eq!(sum, delayed);
}
