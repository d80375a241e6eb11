use std::time::Duration;

use pronto_engine::{Configuration, Contact, LedgerEntry, QueueSettings};
use pronto_queue::ledger;
use pronto_store::{Batch, Record, SqliteStore, Store};
use pronto_types::link::{Hearing, LeaveReason, Promise};
use pronto_types::{AnnouncementId, CallId, GatewayName, Language, OfferId, OperatorId, TicketId, Time};

use super::*;

/// 2026-11-24, 23:30 in Rome.
const EVENING: i64 = 1_795_559_400;

fn support() -> QueueName {
    QueueName::new("support").unwrap()
}

/// Four callers join and hear `between one and two minutes` at once, the last an hour later; the third had it cut.
fn facts() -> Vec<(i64, Fact)> {
    let configured = Fact::Configured(Configuration {
        queues: vec![QueueSettings::new(support())],
        ..Configuration::default()
    });
    let mut facts = vec![(0, configured)];
    for (number, at, how) in [
        (1u64, 0, Hearing::Whole),
        (2, 1, Hearing::Whole),
        (3, 2, Hearing::Cut),
        (4, 3600, Hearing::Whole),
    ] {
        let ticket = TicketId(number);
        facts.push((
            at,
            Fact::Joined {
                ticket,
                contact: Contact::of_call(GatewayName::new("gw1").unwrap(), CallId(number)),
                queue: support(),
                language: Language::Italian,
                joined_at: Time::from_secs(EVENING + at),
                head_start: Duration::ZERO,
                deadline: Time::MAX,
                caller_key: None,
                regained: None,
            },
        ));
        let wait = Some(Promise {
            p50: Duration::from_secs(60),
            p90: Duration::from_secs(120),
        });
        let announced = Fact::Announced {
            ticket,
            position: Some(1),
            wait,
            rise: None,
        };
        facts.push((at, announced));
        let announcement = AnnouncementId(facts.len() as u64);
        facts.push((
            at,
            Fact::Heard {
                announcement,
                ticket,
                how,
            },
        ));
    }
    let answered = |number: u64, at: i64| {
        let answered = Fact::Answered {
            offer: OfferId(99),
            ticket: TicketId(number),
            operator: OperatorId::new("101").unwrap(),
            answered_at: Time::from_secs(EVENING + at),
        };
        (at, answered)
    };
    let left = Fact::Left {
        ticket: TicketId(4),
        reason: LeaveReason::Abandoned,
    };
    // 70 s; 250 s, broken; of the fourth nobody knows.
    facts.extend([answered(1, 70), answered(2, 251), answered(3, 900), (3630, left)]);
    facts
}

#[test]
fn what_callers_heard_is_held_against_what_came_per_queue_and_day_of_the_zone() {
    let directory = std::env::temp_dir().join(format!("pronto-report-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let (store, _) = SqliteStore::open(&directory.join("ledger.sqlite"), |_| ()).unwrap();
    let record = |(seq, (at, fact)): (u64, (i64, Fact))| Record {
        seq,
        version: ledger::VERSION,
        bytes: ledger::encode(&LedgerEntry {
            seq,
            at: Time::from_secs(EVENING + at),
            cause: None,
            fact,
        }),
    };
    let records = (1..).zip(facts()).map(record).collect();
    store
        .append(Batch {
            records,
            ..Batch::default()
        })
        .unwrap();
    store.close().unwrap();
    let rome = TimeZone::get("Europe/Rome").unwrap();
    let books = read(&directory, &Span::default(), &rome).unwrap();
    let mistaken = Span {
        queue: Some(QueueName::new("suport").unwrap()),
        ..Span::default()
    };
    let unknown = read(&directory, &mistaken, &rome).unwrap_err().to_string();
    let late = Span {
        since: Some(Time::from_secs(EVENING + 1)),
        until: Some(Time::from_secs(EVENING + 60)),
        queue: Some(support()),
    };
    let narrowed = lines(&read(&directory, &late, &rome).unwrap());
    let replayed = replay::table(&replay::read(&directory, &Span::default(), &rome).unwrap());
    let mistaken = replay::read(&directory, &mistaken, &rome)
        .unwrap_err()
        .to_string();
    std::fs::remove_dir_all(&directory).unwrap();
    let expected = "\
queue    day         heard  answered  left  off by s  over p50    kept  broken
support  2026-11-24      2         2     0     100.0    50.0 %  50.0 %       1
support  2026-11-25      1         0     1         -         -       -       0
3 announced waits heard and closed, of 2 it is known whether they held: 50.0 % no longer than was said, 1 broken (more than 60 s later)
";
    assert_eq!(table(&books), expected);
    // Nobody was ever signed in: each of the four had to wait, and no estimator knows how long.
    let unknown_all = replayed.lines().last().unwrap();
    let cells: Vec<&str> = unknown_all.split_whitespace().take(4).collect();
    assert_eq!(cells, ["all", "4", "0", "4"], "{replayed}");
    assert!(mistaken.contains("did you mean `support`?"), "{mistaken}");
    assert!(unknown.contains("did you mean `support`?"), "{unknown}");
    let expected = "{\"queue\":\"support\",\"day\":\"2026-11-24\",\"heard\":1,\"answered\":1,\"left\":0,\"over_p50\":1,\
        \"late\":1,\"broken\":1,\"mean_error\":190.000,\"coverage\":0.000}\n";
    assert_eq!(narrowed, expected);
}
