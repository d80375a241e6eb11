use std::path::{Path, PathBuf};
use std::time::Duration;

use pronto_engine::{Cause, Contact, Fact, LedgerEntry};
use pronto_queue::ledger;
use pronto_store::{Batch, Person, Record, SqliteStore, Store};
use pronto_types::link::{LeaveReason, Origin};
use pronto_types::{CallId, GatewayName, Language, OfferId, OperatorId, TicketId, TrunkName};

use super::read::calls;
use super::*;

/// 2026-11-24T17:00:00Z, in seconds since the epoch.
const EVENING: i64 = 1_795_539_600;

struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("pronto-calls-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Directory(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn facts() -> Vec<(i64, Fact)> {
    let queue = QueueName::new("support").unwrap();
    let gateway = GatewayName::new("gw1").unwrap();
    let operator = OperatorId::new("101").unwrap();
    let began = |call| Fact::CallBegan {
        call: CallId(call),
        dialled: "800".to_owned(),
        origin: Origin::Trunk(TrunkName::new("carrier.north").unwrap()),
    };
    let joined = |call, at| Fact::Joined {
        ticket: TicketId(call * 16),
        contact: Contact::of_call(gateway.clone(), CallId(call)),
        queue: queue.clone(),
        language: Language::Italian,
        joined_at: Time::from_secs(EVENING + at),
        head_start: Duration::ZERO,
        deadline: Time::MAX,
        caller_key: None,
        regained: None,
    };
    let ended = |call, outcome| Fact::CallEnded {
        call: CallId(call),
        outcome,
        duration: Duration::from_millis(91_250),
        digits: 1,
    };
    let ticket = TicketId(0xaa * 16);
    let offered = Fact::Offered {
        ticket,
        round: None,
        operator: operator.clone(),
        queue: queue.clone(),
        gateway: gateway.clone(),
        waited: Duration::ZERO,
        valid_until: Time::MAX,
    };
    let answered = Fact::Answered {
        offer: OfferId(4),
        ticket,
        operator,
        answered_at: Time::from_secs(EVENING + 25),
    };
    let parted = Fact::TalkEnded {
        offer: OfferId(4),
        ended_at: Time::from_secs(EVENING + 90),
    };
    let left = Fact::Left {
        ticket: TicketId(0xbb * 16),
        reason: LeaveReason::Abandoned,
    };
    vec![
        (0, began(0xaa)),
        (5, joined(0xaa, 5)),
        (10, began(0xbb)),
        (20, offered),
        (21, Fact::Ringing { offer: OfferId(4) }),
        (25, answered),
        (30, joined(0xbb, 30)),
        (60, left),
        (61, ended(0xbb, CallOutcome::CallerHungUp)),
        (90, parted),
        (91, ended(0xaa, CallOutcome::Completed)),
        (100, began(0xcc)),
        (101, joined(0xcc, 101)),
    ]
}

fn write(directory: &Path) {
    write_facts(directory, facts());
}

fn write_facts(directory: &Path, facts: Vec<(i64, Fact)>) {
    let records = facts.into_iter().zip(1..).map(|((at, fact), seq)| {
        let gateway = GatewayName::new("gw1").unwrap();
        let recorded = LedgerEntry {
            seq,
            at: Time::from_secs(EVENING + at),
            cause: Some(Cause {
                gateway,
                epoch: 1,
                number: seq,
            }),
            fact,
        };
        Record {
            seq,
            version: ledger::VERSION,
            bytes: ledger::encode(&recorded),
        }
    });
    let people = vec![Person {
        contact: 0xaa,
        number: "+39061234567".to_owned(),
        name: String::new(),
    }];
    let (store, _) = SqliteStore::open(&directory.join("ledger.sqlite"), |_| ()).unwrap();
    store
        .append(Batch {
            records: records.collect(),
            people,
            ..Batch::default()
        })
        .unwrap();
    store.close().unwrap();
}

fn rome(numbers: bool) -> Show {
    Show {
        zone: TimeZone::get("Europe/Rome").unwrap(),
        numbers,
    }
}

#[test]
fn calls_are_listed_in_the_order_in_which_they_began_and_numbers_are_masked() {
    let directory = Directory::new("table");
    write(&directory.0);
    let found = calls(&directory.0, &Wanted::default()).unwrap();
    let expected = "\
began                call              from               number  queue    outcome    waited  talked  operator
2026-11-24 18:00:00  00000000000000aa  carrier.north …67  800     support  answered   0:20    1:05    101
2026-11-24 18:00:10  00000000000000bb  carrier.north      800     support  abandoned  0:30
2026-11-24 18:01:40  00000000000000cc  carrier.north      800     support  waiting
3 calls, 1 going on
";
    assert_eq!(table::render(&found.lines, &rome(false)), expected);
    let in_full = table::render(&found.lines, &rome(true));
    assert!(in_full.contains("+39061234567") && !expected.contains("1234567"));
}

#[test]
fn a_call_is_one_line_of_json_with_stable_names() {
    let directory = Directory::new("json");
    write(&directory.0);
    let found = calls(&directory.0, &Wanted::default()).unwrap();
    let line = json::object(&found.lines[0], &rome(false));
    let expected = concat!(
        r#"{"call":"00000000000000aa","gateway":"gw1","began":"2026-11-24T18:00:00.000+01:00","#,
        r#""ended":"2026-11-24T18:01:31.000+01:00","dialled":"800","origin":{"trunk":"carrier.north"},"#,
        r#""caller":"…67","language":"it","outcome":"completed","duration":91.250,"digits":1,"#,
        r#""tickets":[{"ticket":"0000000000000aa0","queue":"support","joined":"2026-11-24T18:00:05.000+01:00","#,
        r#""waited":20.000,"outcome":"answered","ended":"2026-11-24T18:01:30.000+01:00","operator":"101","#,
        r#""answered":"2026-11-24T18:00:25.000+01:00","talked":65.000,"offered":1,"rang":1,"refused":0,"regained":null,"overflowed":null,"#,
        r#""announcements":[],"recording":null}],"#,
        r#""tickets_left_out":0}"#
    );
    assert_eq!(line, expected);
    let going = json::object(&found.lines[2], &rome(true));
    assert!(
        going.contains(r#""ended":null"#) && going.contains(r#""caller":null"#),
        "{going}"
    );
}

/// At 40 s somebody sets the clock back by an hour: two calls are up, the third begins later.
#[test]
fn a_clock_set_back_ends_no_call_before_it_began_and_dates_the_next_truly() {
    let directory = Directory::new("clock");
    let mut facts = facts();
    let step = Fact::ClockSet {
        offset: -3_600_000_000,
    };
    let place = facts.iter().position(|(at, _)| *at > 40).unwrap();
    facts.insert(place, (40, step));
    write_facts(&directory.0, facts);
    let dates = |wanted: &Wanted| -> Vec<(i64, Option<i64>)> {
        let found = calls(&directory.0, wanted).unwrap();
        let seconds = |time: Time| time.as_micros() / 1_000_000 - EVENING;
        let of = |line: &Line| {
            (
                seconds(line.record.began.unwrap()),
                line.record.ended.map(seconds),
            )
        };
        found.lines.iter().map(of).collect()
    };
    let all = dates(&Wanted::default());
    assert_eq!(all, [(100 - 3_600, None), (0, Some(91)), (10, Some(61))]);
    let since = Wanted {
        span: Span {
            since: Some(Time::from_secs(EVENING - 60)),
            ..Span::default()
        },
        ..Wanted::default()
    };
    assert_eq!(
        dates(&since),
        [(0, Some(91)), (10, Some(61))],
        "the wall's time is meant"
    );
}

#[test]
fn a_list_is_narrowed_by_time_queue_outcome_and_count() {
    let directory = Directory::new("narrow");
    write(&directory.0);
    let listed = |wanted: Wanted| -> Vec<u64> {
        let found = calls(&directory.0, &wanted).unwrap();
        found.lines.iter().map(|line| line.record.call.0).collect()
    };
    let at = |second: i64| Some(Time::from_secs(EVENING + second));
    assert_eq!(
        listed(Wanted {
            span: Span {
                since: at(10),
                ..Span::default()
            },
            ..Wanted::default()
        }),
        [0xbb, 0xcc]
    );
    assert_eq!(
        listed(Wanted {
            span: Span {
                until: at(10),
                ..Span::default()
            },
            ..Wanted::default()
        }),
        [0xaa]
    );
    assert_eq!(
        listed(Wanted {
            last: Some(1),
            ..Wanted::default()
        }),
        [0xcc]
    );
    for (outcome, expected) in [("abandoned", 0xbb), ("answered", 0xaa), ("completed", 0xaa)] {
        let outcome = Some(outcome.to_owned());
        assert_eq!(
            listed(Wanted {
                outcome,
                ..Wanted::default()
            }),
            [expected]
        );
    }
    let queue = QueueName::new("support").ok();
    assert_eq!(
        listed(Wanted {
            span: Span {
                queue,
                ..Span::default()
            },
            ..Wanted::default()
        })
        .len(),
        3
    );
    let queue = QueueName::new("sales").ok();
    let unknown = calls(
        &directory.0,
        &Wanted {
            span: Span {
                queue,
                ..Span::default()
            },
            ..Wanted::default()
        },
    );
    assert!(matches!(unknown, Err(CallsError::Queue(_))));
}

#[test]
fn moments_are_read_as_people_write_them() {
    let zone = TimeZone::get("Europe/Rome").unwrap();
    let now = Time::from_secs(EVENING);
    let seconds =
        |text: &str| when::parse(text, &zone, now).map(|time| time.as_micros() / 1_000_000 - EVENING);
    for (text, expected) in [
        ("2026-11-24T18:00", 0),
        ("2026-11-24 18:00:05", 5),
        ("2026-11-24T18:00:00+01:00", 0),
        ("2026-11-24T17:00:00Z", 0),
        ("2026-11-24", -18 * 3600),
        ("90m", -5400),
    ] {
        assert_eq!(seconds(text), Some(expected), "{text}");
    }
    for nonsense in ["", "yesterday", "24/11/2026", "2026-13-01", "18:00"] {
        assert_eq!(seconds(nonsense), None, "{nonsense}");
    }
    let error = CallsError::time("--since", "yesterday").to_string();
    assert!(
        error.starts_with("--since `yesterday`: expected `2026-11-24`"),
        "{error}"
    );
}

#[test]
fn what_is_no_store_is_said_clearly() {
    let directory = Directory::new("none");
    let error = |directory: &Path| calls(directory, &Wanted::default()).err().unwrap().to_string();
    assert!(error(&directory.0.join("nowhere")).contains("there is no store in"));
    assert!(error(&directory.0).contains("ledger.sqlite"));
    std::fs::write(
        directory.0.join("ledger.sqlite"),
        "hello, I am no database ".repeat(50),
    )
    .unwrap();
    assert!(error(&directory.0).contains("is not a store of this program"));
}

#[test]
fn every_outcome_of_a_ticket_is_listed_for_those_who_read_the_lines() {
    let page = include_str!("json.rs");
    let listed: String = page.lines().take_while(|line| line.starts_with("//!")).collect();
    for outcome in TicketOutcome::ALL {
        let name = outcome.name();
        let begins = |begin: char| {
            ",;".chars()
                .any(|end| listed.contains(&format!("{begin}{name}{end}")))
        };
        assert!(begins(' ') || begins('('), "{name}");
    }
}
