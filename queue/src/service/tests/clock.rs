//! Ledgers whose clock was wrong.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pronto_engine::{Fact, LedgerEntry};
use pronto_store::{Batch, SqliteStore, Store};
use pronto_types::{Time, Wall};

use super::super::log;
use super::support::*;
use crate::LedgerReader;

const YEAR: Duration = Duration::from_secs(365 * 86_400);

fn now() -> Time {
    Time::ZERO + SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// All facts, each with its date.
fn dated(directory: &TestDirectory) -> Vec<(LedgerEntry, Time)> {
    let ledger = LedgerReader::open(&directory.path().join("var")).unwrap();
    let mut wall = Wall::default();
    let mut facts = Vec::new();
    for recorded in ledger.facts() {
        let recorded = recorded.unwrap();
        recorded.tell(&mut wall);
        let date = wall.date(recorded.at);
        facts.push((recorded, date));
    }
    facts
}

fn written_by_a_clock_a_year_ahead(directory: &TestDirectory) {
    let started = LedgerEntry {
        seq: 1,
        at: now() + YEAR,
        cause: None,
        fact: Fact::Started { settle_until: None },
    };
    let (store, _) = SqliteStore::open(&directory.path().join("var/ledger.sqlite"), |_| {}).unwrap();
    let batch = Batch {
        records: vec![log::record(&started)],
        ..Batch::default()
    };
    store.append(batch).unwrap();
    store.close().unwrap();
}

#[tokio::test]
async fn one_run_with_a_clock_a_year_ahead_does_not_date_the_runs_after_it() {
    let directory = TestDirectory::new();
    written_by_a_clock_a_year_ahead(&directory);
    for run in 1..=3 {
        let house = House::on_disk(&directory).await;
        let mut gateway = house.attach("gw1", run).await;
        gateway.joins(run).await;
        gateway.acknowledged().await;
        house.service.shutdown().await.unwrap();
    }
    let facts = dated(&directory);
    let mut before = Time::ZERO;
    for (recorded, date) in &facts {
        assert!(recorded.at >= before, "order goes on: {recorded:?}");
        before = recorded.at;
        let off = date.since(now()).max(now().since(*date));
        let as_it_was = recorded.seq == 1;
        assert_eq!(
            off > Duration::from_secs(60),
            as_it_was,
            "{recorded:?} is dated {date:?}"
        );
    }
    // QueryAnswer once: the runs after it find the clock where the ledger says.
    let set = |(recorded, _): &&(LedgerEntry, Time)| matches!(recorded.fact, Fact::ClockSet { .. });
    assert_eq!(facts.iter().filter(set).count(), 1);
}

#[tokio::test]
async fn a_ledger_with_a_right_clock_has_no_word_of_it() {
    let directory = TestDirectory::new();
    for _ in 0..2 {
        House::on_disk(&directory).await.service.shutdown().await.unwrap();
    }
    for (recorded, date) in dated(&directory) {
        assert!(!matches!(recorded.fact, Fact::ClockSet { .. }));
        assert_eq!(recorded.at, date);
    }
}
