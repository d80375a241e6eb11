//! Tests of faults that only a disk can have: locked, torn, full or rotten files.

use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::test_directory::TestDirectory;
use super::*;
use crate::Health;
use crate::tests::{batch, record};

mod full;

const FILE: &str = "log.sqlite";

fn open(directory: &TestDirectory) -> (SqliteStore, Opened, Receiver<Durable>) {
    let (said, hear) = channel();
    let on_durable = move |durable| drop(said.send(durable));
    let (store, opened) = SqliteStore::open(&directory.path(FILE), on_durable).unwrap();
    (store, opened, hear)
}

fn up_to(hear: &Receiver<Durable>, seq: u64) {
    while !matches!(hear.recv().unwrap(), Durable::UpTo(durable) if durable >= seq) {}
}

fn error(directory: &TestDirectory) -> StoreError {
    match SqliteStore::open(&directory.path(FILE), |_| ()) {
        Err(error) => error,
        Ok(_) => panic!("opened"),
    }
}

#[test]
fn a_commit_is_an_fsync_of_the_wal() {
    let directory = TestDirectory::new();
    let connection = {
        drop(open(&directory));
        schema::open(&directory.path(FILE)).unwrap()
    };
    assert_eq!(schema::synchronous(&connection).unwrap(), 2, "FULL");
    let mode: String = connection
        .pragma_query_value(None, "journal_mode", |row| row.get(0))
        .unwrap();
    assert_eq!(mode, "wal");
}

#[test]
fn nobody_else_can_read_the_files() {
    let directory = TestDirectory::new();
    let path = directory.path("var").join("inner").join(FILE);
    let (store, _) = SqliteStore::open(&path, |_| ()).unwrap();
    store.append(batch([1])).unwrap();
    store.raise_epoch().unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for made in [directory.path("var"), directory.path("var").join("inner")] {
        assert_eq!(mode(&made), 0o700, "{}", made.display());
    }
    let files: Vec<_> = std::fs::read_dir(path.parent().unwrap())
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    assert_eq!(
        files.len(),
        5,
        "database, WAL, shared memory, lock, reserve: {files:?}"
    );
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[test]
fn two_processes_cannot_share_a_store() {
    let directory = TestDirectory::new();
    let (store, ..) = open(&directory);
    let refused = error(&directory);
    assert!(matches!(refused, StoreError::Locked(_)));
    assert!(
        refused.to_string().starts_with("Pronto already runs here: "),
        "{refused}"
    );
    drop(store);
    open(&directory);
}

#[test]
fn a_killed_process_loses_nothing_that_was_durable() {
    let directory = TestDirectory::new();
    let (store, _, hear) = open(&directory);
    for seq in 1..=20 {
        store.append(batch([seq])).unwrap();
    }
    up_to(&hear, 20);
    assert_eq!(
        store.shared.waiting.load(Ordering::Acquire),
        0,
        "what is written waits no more"
    );
    let crashed = directory.copy();
    let (after, opened, _hear) = open(&crashed);
    assert_eq!(opened.last, 20);
    assert_eq!(
        after.read(1, 100).unwrap(),
        (1..=20).map(record).collect::<Vec<_>>()
    );
}

#[test]
fn a_closed_store_leaves_no_wal_to_be_read_again() {
    let directory = TestDirectory::new();
    let (store, _, hear) = open(&directory);
    store.append(batch(1..=9)).unwrap();
    up_to(&hear, 9);
    assert_eq!(store.read(1, 100).unwrap().len(), 9);
    store.close().unwrap();
    assert_eq!(store.read(1, 100).unwrap().len(), 9, "a closed store can be read");
    drop(store);
    let wal = std::fs::metadata(directory.path(&format!("{FILE}-wal")));
    assert_eq!(wal.map_or(0, |wal| wal.len()), 0);
    assert_eq!(open(&directory).1.last, 9);
}

#[test]
fn a_torn_wal_opens_with_whole_batches_only() {
    let directory = TestDirectory::new();
    let (store, _, hear) = open(&directory);
    for first in (1..=40).step_by(2) {
        store.append(batch([first, first + 1])).unwrap();
        up_to(&hear, first + 1);
    }
    let wal = format!("{FILE}-wal");
    let length = std::fs::metadata(directory.path(&wal)).unwrap().len();
    let mut lasts = std::collections::BTreeSet::new();
    for step in 0..24 {
        let crashed = directory.copy();
        let torn = std::fs::OpenOptions::new()
            .write(true)
            .open(crashed.path(&wal))
            .unwrap();
        // An odd step, so that frames are cut in the middle.
        torn.set_len(length - length * step / 24 - step % 7).unwrap();
        let (store, opened, _hear) = open(&crashed);
        assert_eq!(opened.last % 2, 0, "half a batch");
        let kept = store.read(1, 100).unwrap();
        assert_eq!(kept, (1..=opened.last).map(record).collect::<Vec<_>>());
        lasts.insert(opened.last);
    }
    assert!(lasts.len() > 5 && lasts.contains(&40), "{lasts:?}");
}

#[test]
fn a_flipped_bit_is_named_by_its_record() {
    let directory = TestDirectory::new();
    drop({
        let (store, ..) = open(&directory);
        store.append(batch(1..=9)).unwrap();
        store
    });
    let mut bytes = std::fs::read(directory.path(FILE)).unwrap();
    let at = bytes.windows(8).position(|window| window == b"record 7").unwrap();
    bytes[at + 2] ^= 0x10;
    std::fs::write(directory.path(FILE), bytes).unwrap();
    let (store, opened, _hear) = open(&directory);
    assert_eq!(opened.last, 9);
    assert_eq!(store.read(1, 6).unwrap().len(), 6);
    let damaged = store.read(1, 100).unwrap_err();
    assert!(
        matches!(damaged, StoreError::Damaged(7)) && damaged.to_string().contains("record 7"),
        "{damaged}"
    );
    let read: Vec<_> = crate::records(&store).collect();
    assert_eq!(read.len(), 1, "the first error ends the reading");
}

#[test]
fn a_missing_record_is_named() {
    let directory = TestDirectory::new();
    drop({
        let (store, ..) = open(&directory);
        store.append(batch(1..=9)).unwrap();
        store
    });
    let raw = Connection::open(directory.path(FILE)).unwrap();
    raw.execute("DELETE FROM fact WHERE seq = 4", []).unwrap();
    drop(raw);
    let (store, ..) = open(&directory);
    assert!(matches!(store.read(2, 100), Err(StoreError::Missing(4))));
    assert!(matches!(store.read(4, 1), Err(StoreError::Missing(4))));
    assert_eq!(store.read(5, 100).unwrap().len(), 5);
}

#[test]
fn a_failed_commit_is_the_end() {
    let directory = TestDirectory::new();
    let (store, _, hear) = open(&directory);
    store.append(batch([1])).unwrap();
    up_to(&hear, 1);
    // Behind our back, the database refuses what comes.
    let raw = Connection::open(directory.path(FILE)).unwrap();
    raw.execute_batch(
        "CREATE TRIGGER full BEFORE INSERT ON fact BEGIN SELECT raise(ABORT, 'disk full'); END",
    )
    .unwrap();
    store.append(batch([2])).unwrap();
    let failed = hear.recv().unwrap();
    assert!(
        matches!(&failed, Durable::Failed(error) if error.to_string().contains("disk full")),
        "{failed:?}"
    );
    assert_eq!(store.append(batch([3])), Err(AppendError::Stopped));
    assert!(matches!(store.raise_epoch(), Err(StoreError::Stopped)));
    assert!(matches!(store.close(), Err(StoreError::Stopped)));
    assert!(hear.recv().is_err(), "nothing is said after the last word");
    assert_eq!(store.read(1, 10).unwrap(), [record(1)]);
}

#[test]
fn a_writer_that_does_not_keep_up_is_said_to_be_full() {
    let directory = TestDirectory::new();
    let (release, held) = channel::<()>();
    let (store, _) = SqliteStore::open(&directory.path(FILE), move |_| {
        let _ = held.recv();
    })
    .unwrap();
    let mut taken = 0;
    let refused = loop {
        match store.append(batch([taken + 1])) {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(refused, AppendError::Full);
    assert!(taken >= u64::try_from(limits::WAITING_BATCHES).unwrap());
    let mut kept = batch([taken + 1]);
    assert_eq!(store.offer(&mut kept), Err(AppendError::Full));
    assert_eq!(kept.records, batch([taken + 1]).records, "it stays with us");
    drop(release);
    // What was refused was not counted: the log goes on with the same number.
    while store.append(batch([taken + 1])) == Err(AppendError::Full) {
        std::thread::yield_now();
    }
    store.close().unwrap();
    drop(store);
    assert_eq!(open(&directory).1.last, taken + 1);
}

#[test]
fn a_paced_store_commits_at_once_when_idle_and_gathers_when_busy() {
    let directory = TestDirectory::new();
    let (said, hear) = channel();
    // Longer than any of this takes: what is appended meanwhile is one commit.
    let apart = Duration::from_secs(2);
    let on_durable = move |durable| drop(said.send(durable));
    let pace = Pace {
        urgent: Duration::ZERO,
        usual: apart,
    };
    let (store, _) = SqliteStore::open_paced(&directory.path(FILE), pace, on_durable).unwrap();
    let start = std::time::Instant::now();
    store.append(batch([1])).unwrap();
    up_to(&hear, 1);
    assert!(start.elapsed() < apart, "the first waits for nobody");
    for seq in 2..=100 {
        store.append(batch([seq])).unwrap();
    }
    let first = hear.recv().unwrap();
    assert!(matches!(first, Durable::UpTo(100)), "{first:?}");
    assert!(start.elapsed() >= apart);
    // What is urgent takes what waits along.
    let start = std::time::Instant::now();
    store.append(batch([101])).unwrap();
    assert!(hear.recv_timeout(apart / 10).is_err(), "the writer sleeps");
    let urgent = Batch {
        urgent: true,
        ..batch([102])
    };
    store.append(urgent).unwrap();
    up_to(&hear, 102);
    assert!(start.elapsed() < apart / 2, "somebody waits for it");
    store.close().unwrap();
}

#[test]
fn many_large_batches_are_bounded_by_their_bytes() {
    let directory = TestDirectory::new();
    let (release, held) = channel::<()>();
    let (store, _) = SqliteStore::open(&directory.path(FILE), move |_| {
        let _ = held.recv();
    })
    .unwrap();
    let large = |seq| Batch {
        records: vec![Record {
            seq,
            version: 1,
            bytes: vec![0; limits::RECORD],
        }],
        ..Batch::default()
    };
    let taken = (1..=20)
        .take_while(|seq| store.append(large(*seq)).is_ok())
        .count();
    assert!((3..=5).contains(&taken), "{taken}");
    drop(release);
}

#[test]
fn an_erased_person_is_in_no_file_any_more() {
    let directory = TestDirectory::new();
    let (store, _, hear) = open(&directory);
    let person = |contact: u64| Person {
        contact,
        number: format!("+3906{contact:07}"),
        name: format!("Anna {contact:07}"),
    };
    store
        .append(Batch {
            people: (1..=50).map(person).collect(),
            ..batch([1])
        })
        .unwrap();
    up_to(&hear, 1);
    assert!(
        directory.holds(b"+39060000007"),
        "the test looks in the right place"
    );
    assert!(store.erase(7).unwrap());
    assert!(!directory.holds(b"+39060000007") && !directory.holds(b"Anna 0000007"));
    assert!(directory.holds(b"+39060000008"));
    store
        .append(Batch {
            erase: vec![8],
            ..Batch::default()
        })
        .unwrap();
    store.raise_epoch().unwrap();
    assert!(!directory.holds(b"+39060000008"));
}

#[test]
fn a_strange_or_later_file_is_left_alone() {
    let directory = TestDirectory::new();
    std::fs::write(
        directory.path(FILE),
        "not a database, but long enough to be looked at ".repeat(40),
    )
    .unwrap();
    assert!(matches!(error(&directory), StoreError::Foreign(_)));

    let directory = TestDirectory::new();
    let raw = Connection::open(directory.path(FILE)).unwrap();
    raw.execute_batch("CREATE TABLE fact (seq INTEGER PRIMARY KEY)")
        .unwrap();
    drop(raw);
    assert!(matches!(error(&directory), StoreError::Foreign(_)));

    let directory = TestDirectory::new();
    drop(open(&directory));
    let raw = Connection::open(directory.path(FILE)).unwrap();
    raw.pragma_update(None, "user_version", 2).unwrap();
    drop(raw);
    assert!(matches!(
        error(&directory),
        StoreError::Newer { found: 2, known: 1 }
    ));
}
