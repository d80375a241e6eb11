//! A disk that is full, fails, or whose files are taken away: a small tmpfs, and errors put between the writer and SQLite.

use std::fs;
use std::process::Command;
use std::sync::mpsc::Receiver;
use std::time::Instant;

use rusqlite::ffi;

use super::*;

#[path = "../../../../tests/wire/kit/namespace.rs"]
mod namespace;

const PATIENCE: Duration = Duration::from_secs(20);

/// A tmpfs of its own.
struct Disk(TestDirectory);

impl Disk {
    /// One of some MiB, for `test`. `None`: the test has been run elsewhere or skipped, and returns.
    fn of(mebibytes: u64, test: &str) -> Option<Disk> {
        let directory = TestDirectory::new();
        let size = format!("size={mebibytes}m");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "none"])
            .arg(directory.path(""))
            .output();
        let mounted = mounted.is_ok_and(|mounted| mounted.status.success());
        namespace::goes_on_here(&format!("sqlite::tests::full::{test}"), mounted).then(|| Disk(directory))
    }

    /// Takes all free room except `but` octets.
    fn fill(&self, but: u64) {
        let free = condition::room(&self.0.path(FILE)).unwrap().free;
        let hog = fs::File::create(self.0.path("hog")).unwrap();
        let none = rustix::fs::FallocateFlags::empty();
        rustix::fs::fallocate(&hog, none, 0, free - but).unwrap();
    }

    fn empty(&self) {
        fs::remove_file(self.0.path("hog")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path("")).status();
    }
}

/// Waits for what the store says until it says this.
fn becomes(hear: &Receiver<Durable>, health: Health) {
    let said = Instant::now();
    while said.elapsed() < PATIENCE {
        match hear.recv_timeout(PATIENCE).unwrap() {
            Durable::Health(now) if now == health => return,
            Durable::Failed(error) => panic!("it stopped: {error}"),
            Durable::UpTo(_) | Durable::Health(_) => {}
        }
    }
    panic!("never {health:?}");
}

/// Waits until records up to this one are durable and the store is sound, in whichever order it says so.
fn recovers(hear: &Receiver<Durable>, seq: u64) {
    let (mut durable, mut sound) = (false, false);
    while !(durable && sound) {
        match hear.recv_timeout(PATIENCE).unwrap() {
            Durable::UpTo(last) => durable |= last >= seq,
            Durable::Health(health) => sound = health == Health::Sound,
            Durable::Failed(error) => panic!("it stopped: {error}"),
        }
    }
}

fn fails(hear: &Receiver<Durable>) -> StoreError {
    loop {
        match hear.recv_timeout(PATIENCE).unwrap() {
            Durable::Failed(error) => return error,
            Durable::UpTo(_) | Durable::Health(_) => {}
        }
    }
}

fn large(seq: u64, bytes: usize) -> Batch {
    let record = Record {
        seq,
        version: 1,
        bytes: vec![7; bytes],
    };
    Batch {
        records: vec![record],
        ..Batch::default()
    }
}

#[test]
fn a_full_disk_costs_no_record_and_new_ones_are_taken_when_there_is_room() {
    let test = "a_full_disk_costs_no_record_and_new_ones_are_taken_when_there_is_room";
    let Some(disk) = Disk::of(64, test) else { return };
    let (store, _, hear) = open(&disk.0);
    store.append(batch(1..=9)).unwrap();
    up_to(&hear, 9);
    disk.fill(0);
    becomes(&hear, Health::Tight);
    assert!(
        disk.0.path(&format!("{FILE}.reserve")).exists(),
        "kept until it is needed"
    );
    // More than the file system still had in its pages: written in the room of the reserve.
    store.append(large(10, 1 << 20)).unwrap();
    up_to(&hear, 10);
    assert!(!disk.0.path(&format!("{FILE}.reserve")).exists(), "given up");
    // More than the reserve: kept, and tried again.
    let mut last = 10;
    while condition::room(&disk.0.path(FILE)).unwrap().free > 0 {
        last += 1;
        store.append(large(last, 2 << 20)).unwrap();
        match hear.recv_timeout(PATIENCE).unwrap() {
            Durable::UpTo(_) => {}
            Durable::Health(Health::Stalled) => break,
            other => panic!("{other:?}"),
        }
    }
    store.append(batch([last + 1])).unwrap();
    let quiet = hear.recv_timeout(Duration::from_millis(1_500));
    assert!(
        !matches!(quiet, Ok(Durable::UpTo(_))),
        "there is no room: {quiet:?}"
    );
    disk.empty();
    recovers(&hear, last + 1);
    assert!(disk.0.path(&format!("{FILE}.reserve")).exists(), "made once more");
    store.close().unwrap();
    drop(store);
    let (store, opened, _hear) = open(&disk.0);
    assert_eq!(opened.last, last + 1);
    let all: Vec<u64> = crate::records(&store).map(|record| record.unwrap().seq).collect();
    assert_eq!(all, (1..=last + 1).collect::<Vec<_>>(), "each once");
}

#[test]
fn a_full_disk_with_a_reserve_is_opened_and_one_without_says_what_it_needs() {
    let test = "a_full_disk_with_a_reserve_is_opened_and_one_without_says_what_it_needs";
    let Some(disk) = Disk::of(32, test) else { return };
    let (store, _, hear) = open(&disk.0);
    store.append(batch(1..=9)).unwrap();
    up_to(&hear, 9);
    store.close().unwrap();
    drop(store);
    disk.fill(0);
    let (store, opened, hear) = open(&disk.0);
    assert_eq!(opened.last, 9);
    assert!(matches!(hear.try_recv(), Ok(Durable::Health(Health::Tight))));
    store.append(batch([10])).unwrap();
    up_to(&hear, 10);
    assert_eq!(store.raise_epoch().unwrap(), 1);
    store.close().unwrap();
    drop(store);
    // What was left of the reserve is gone too.
    fs::rename(disk.0.path("hog"), disk.0.path("first")).unwrap();
    disk.fill(0);
    let refused = error(&disk.0);
    assert!(matches!(refused, StoreError::NoRoom { .. }), "{refused}");
    assert!(
        refused
            .to_string()
            .contains("1048576 octets of free room are needed to open it, and 0 are free"),
        "{refused}"
    );
    fs::remove_file(disk.0.path("first")).unwrap();
    assert_eq!(open(&disk.0).1.last, 10);
}

#[test]
fn a_full_disk_without_room_for_the_note_in_the_lock_file_refuses_no_start() {
    let test = "a_full_disk_without_room_for_the_note_in_the_lock_file_refuses_no_start";
    let Some(disk) = Disk::of(32, test) else { return };
    let (store, _, hear) = open(&disk.0);
    store.append(batch(1..=9)).unwrap();
    up_to(&hear, 9);
    store.close().unwrap();
    drop(store);
    fs::remove_file(disk.0.path(&format!("{FILE}.lock"))).unwrap();
    disk.fill(0);
    let (store, opened, _hear) = open(&disk.0);
    assert_eq!(opened.last, 9);
    let note = fs::metadata(disk.0.path(&format!("{FILE}.lock"))).unwrap();
    assert_eq!(note.len(), 0, "there was no room for it");
    assert!(
        matches!(error(&disk.0), StoreError::Locked(_)),
        "it is locked all the same"
    );
    store.close().unwrap();
}

#[test]
fn a_reserve_that_was_only_a_hole_is_filled() {
    use std::os::unix::fs::MetadataExt;
    let directory = TestDirectory::new();
    let path = directory.path(&format!("{FILE}.reserve"));
    fs::File::create(&path).unwrap().set_len(limits::RESERVE).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().blocks(), 0);
    let _open = open(&directory);
    let held = fs::metadata(&path).unwrap().blocks() * 512;
    assert!(held >= limits::RESERVE, "{held}");
}

#[test]
fn what_hinders_a_commit_for_a_while_is_waited_for() {
    let directory = TestDirectory::new();
    let (store, _, hear) = open(&directory);
    // Two seconds of no memory, one of a lock, and no room twice: the reserve is given up and is not enough.
    let faults = [
        ffi::SQLITE_NOMEM,
        ffi::SQLITE_NOMEM,
        ffi::SQLITE_BUSY,
        ffi::SQLITE_FULL,
        ffi::SQLITE_FULL,
    ];
    store.shared.faults.plant(faults);
    store.append(batch([1])).unwrap();
    becomes(&hear, Health::Stalled);
    assert_eq!(
        store.append(batch([2])),
        Ok(()),
        "what happens meanwhile is taken"
    );
    recovers(&hear, 2);
    assert_eq!(store.shared.faults.left(), 0);
    store.close().unwrap();
    assert_eq!(store.read(1, 9).unwrap(), [record(1), record(2)]);
}

#[test]
fn a_store_that_another_program_has_locked_waits_for_it() {
    let directory = TestDirectory::new();
    let (store, _, hear) = open(&directory);
    let other = Connection::open(directory.path(FILE)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    store.append(batch([1])).unwrap();
    becomes(&hear, Health::Stalled);
    other.execute_batch("COMMIT").unwrap();
    recovers(&hear, 1);
}

#[test]
fn an_epoch_is_refused_at_once_where_nothing_can_be_written() {
    let directory = TestDirectory::new();
    let (store, ..) = open(&directory);
    store.shared.faults.plant([ffi::SQLITE_BUSY]);
    let refused = store.raise_epoch().unwrap_err();
    assert!(refused.to_string().contains("database is locked"), "{refused}");
    assert_eq!(store.raise_epoch().unwrap(), 1, "nothing of it was written");
}

#[test]
fn a_store_that_cannot_be_written_is_closed_without_waiting() {
    let directory = TestDirectory::new();
    let (store, _, hear) = open(&directory);
    store.shared.faults.plant([ffi::SQLITE_BUSY; 100]);
    store.append(batch([1])).unwrap();
    becomes(&hear, Health::Stalled);
    let begun = Instant::now();
    assert!(matches!(store.close(), Err(StoreError::Stopped)));
    assert!(begun.elapsed() < Duration::from_millis(900), "it was asleep");
}

#[test]
fn a_failed_fsync_is_the_end_of_trust() {
    for code in [ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_CORRUPT] {
        let directory = TestDirectory::new();
        let (store, _, hear) = open(&directory);
        store.append(batch([1])).unwrap();
        up_to(&hear, 1);
        // The next one would succeed.
        store.shared.faults.plant([code]);
        store.append(batch([2])).unwrap();
        fails(&hear);
        assert_eq!(store.append(batch([3])), Err(AppendError::Stopped));
        assert!(hear.recv().is_err(), "nothing is said after the last word");
        assert_eq!(store.read(1, 9).unwrap(), [record(1)]);
    }
}

#[test]
fn a_deleted_or_replaced_file_is_noticed_and_not_written_into() {
    for end in ["", "-wal", "-shm", ".lock"] {
        for replaced in [false, true] {
            let directory = TestDirectory::new();
            let (store, _, hear) = open(&directory);
            store.append(batch([1])).unwrap();
            up_to(&hear, 1);
            let path = directory.path(&format!("{FILE}{end}"));
            let copy = directory.path("copy");
            fs::copy(&path, &copy).unwrap();
            if replaced {
                fs::rename(&copy, &path).unwrap();
            } else {
                fs::remove_file(&path).unwrap();
            }
            let failed = fails(&hear);
            assert!(
                matches!(&failed, StoreError::Replaced(found) if *found == path),
                "{failed}"
            );
            assert!(failed.to_string().contains("was deleted or replaced"), "{failed}");
        }
    }
}

#[test]
fn a_file_that_was_moved_away_or_replaced_after_the_store_was_closed_is_known() {
    let directory = TestDirectory::new();
    let (store, ..) = open(&directory);
    let file = store.file().unwrap();
    store.close().unwrap();
    drop(store);
    file.check().unwrap();
    let (path, away) = (directory.path(FILE), directory.path("away"));
    fs::rename(&path, &away).unwrap();
    assert!(matches!(file.check(), Err(StoreError::Replaced(found)) if found == path));
    fs::copy(&away, &path).unwrap();
    assert!(
        matches!(file.check(), Err(StoreError::Replaced(_))),
        "a copy is another file"
    );
    fs::rename(&away, &path).unwrap();
    file.check().unwrap();
    assert_eq!(open(&directory).0.file(), Some(file));
}

#[test]
fn the_log_is_written_back_before_it_grows_large() {
    let directory = TestDirectory::new();
    let (store, _, hear) = open(&directory);
    for seq in 1..=3_000 {
        store.append(large(seq, 4_000)).unwrap();
        if seq % 10 == 0 {
            up_to(&hear, seq);
        }
    }
    let wal = fs::metadata(directory.path(&format!("{FILE}-wal")))
        .unwrap()
        .len();
    assert!(
        (2 << 20..6 << 20).contains(&wal),
        "{wal} octets; SQLite keeps it at about 4 MiB"
    );
}
