//! Tests that both stores pass.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};

use super::*;
use crate::sqlite::test_directory::TestDirectory;

pub(crate) fn record(seq: u64) -> Record {
    Record {
        seq,
        version: 1,
        bytes: format!("record {seq}").into_bytes(),
    }
}

pub(crate) fn batch(seqs: impl IntoIterator<Item = u64>) -> Batch {
    Batch {
        records: seqs.into_iter().map(record).collect(),
        ..Batch::default()
    }
}

fn anna() -> Person {
    Person {
        contact: u64::MAX,
        number: "+39061234567".into(),
        name: "Anna Bianchi".into(),
    }
}

/// A store and what it says.
type Opening = (Box<dyn Store>, Opened, Receiver<Durable>);
/// How to open it again and again.
type Reopen = Box<dyn FnMut() -> Opening>;

/// The same story on both stores.
fn on_each_store(mut story: impl FnMut(Reopen)) {
    let disk = MemoryDisk::new();
    story(Box::new(move || {
        let (said, hear) = channel();
        let told = Mutex::new(said);
        let on_durable = move |durable| drop(told.lock().unwrap().send(durable));
        let (store, opened) = MemoryStore::open(&disk, Durability::AtOnce, on_durable).unwrap();
        (Box::new(store), opened, hear)
    }));
    let directory = TestDirectory::new();
    story(Box::new(move || {
        let (said, hear) = channel();
        let on_durable = move |durable| drop(said.send(durable));
        let (store, opened) = SqliteStore::open(&directory.path("log.sqlite"), on_durable).unwrap();
        (Box::new(store), opened, hear)
    }));
}

fn up_to(hear: &Receiver<Durable>, seq: u64) {
    loop {
        match hear.recv().unwrap() {
            Durable::UpTo(durable) if durable == seq => return,
            Durable::UpTo(durable) => assert!(durable < seq, "durable up to {durable}, wanted {seq}"),
            Durable::Health(_) => {}
            Durable::Failed(error) => panic!("{error}"),
        }
    }
}

#[test]
fn what_is_durable_is_read_back_and_survives_reopening() {
    on_each_store(|mut open| {
        let (store, opened, hear) = open();
        assert_eq!(opened, Opened { last: 0 });
        store.append(batch(1..=3)).unwrap();
        store.append(batch([4])).unwrap();
        up_to(&hear, 4);
        assert_eq!(store.read(2, 2).unwrap(), [record(2), record(3)]);
        assert_eq!(store.read(0, 1).unwrap(), [record(1)]);
        assert_eq!(store.read(5, 10).unwrap(), []);
        assert_eq!(store.read(u64::MAX, 10).unwrap(), []);
        drop(store);
        let (store, opened, _hear) = open();
        assert_eq!(opened.last, 4);
        let all: Vec<Record> = records(&*store).collect::<Result<_, _>>().unwrap();
        assert_eq!(all, (1..=4).map(record).collect::<Vec<_>>());
    });
}

#[test]
fn a_gap_or_a_repeat_is_refused_and_changes_nothing() {
    on_each_store(|mut open| {
        let (store, _, hear) = open();
        store.append(batch([1])).unwrap();
        let refused = |seqs: &[u64], expected, found| {
            let result = store.append(batch(seqs.iter().copied()));
            assert_eq!(result, Err(AppendError::OutOfOrder { expected, found }));
        };
        refused(&[3], 2, 3);
        refused(&[1], 2, 1);
        refused(&[2, 4], 3, 4);
        refused(&[2, 2], 3, 2);
        refused(&[0], 2, 0);
        let mut large = batch([2]);
        large.records[0].bytes = vec![0; limits::RECORD + 1];
        assert_eq!(store.append(large), Err(AppendError::TooLarge(2)));
        store.append(batch([2])).unwrap();
        up_to(&hear, 2);
        assert_eq!(store.read(1, 10).unwrap(), [record(1), record(2)]);
    });
}

#[test]
fn a_person_is_remembered_replaced_and_erased() {
    on_each_store(|mut open| {
        let (store, _, hear) = open();
        store
            .append(Batch {
                people: vec![anna()],
                ..batch([1])
            })
            .unwrap();
        up_to(&hear, 1);
        assert_eq!(store.person(u64::MAX).unwrap(), Some(anna()));
        assert_eq!(store.person(1).unwrap(), None);
        let renamed = Person {
            name: "è".repeat(1_000),
            ..anna()
        };
        store
            .append(Batch {
                people: vec![renamed],
                ..batch([2])
            })
            .unwrap();
        up_to(&hear, 2);
        assert_eq!(
            store.person(u64::MAX).unwrap().unwrap().name,
            "è".repeat(limits::PERSONAL / 2)
        );
        assert!(store.erase(u64::MAX).unwrap());
        assert!(!store.erase(u64::MAX).unwrap());
        assert_eq!(store.person(u64::MAX).unwrap(), None);
        store
            .append(Batch {
                people: vec![anna()],
                erase: vec![u64::MAX],
                ..batch([3])
            })
            .unwrap();
        up_to(&hear, 3);
        assert_eq!(store.person(u64::MAX).unwrap(), None);
        assert_eq!(
            store.read(1, 10).unwrap().len(),
            3,
            "the log is as it was written"
        );
    });
}

#[test]
fn an_epoch_is_never_given_twice() {
    on_each_store(|mut open| {
        for expected in [1, 3, 5] {
            let (store, _, _hear) = open();
            assert_eq!(store.raise_epoch().unwrap(), expected);
            assert_eq!(store.raise_epoch().unwrap(), expected + 1);
        }
    });
}

#[test]
fn an_epoch_goes_on_after_the_highest_that_others_know() {
    on_each_store(|mut open| {
        {
            let (store, _, _hear) = open();
            assert_eq!(store.renew_epoch(7).unwrap(), 8);
            assert_eq!(store.raise_epoch().unwrap(), 9);
        }
        // Also down again: one that was spoilt is no count of starts.
        let (store, _, _hear) = open();
        assert_eq!(store.renew_epoch(u64::MAX - 1).unwrap(), u64::MAX);
        assert_eq!(store.renew_epoch(2).unwrap(), 3);
        drop(store);
        assert_eq!(open().0.raise_epoch().unwrap(), 4);
    });
}

#[test]
fn a_closed_store_has_written_everything_and_takes_nothing() {
    on_each_store(|mut open| {
        let (store, _, hear) = open();
        for seq in 1..=100 {
            store.append(batch([seq])).unwrap();
        }
        store.close().unwrap();
        up_to(&hear, 100);
        assert_eq!(store.append(batch([101])), Err(AppendError::Stopped));
        assert!(matches!(store.raise_epoch(), Err(StoreError::Stopped)));
        assert!(matches!(store.erase(1), Err(StoreError::Stopped)));
        store.close().unwrap();
        drop(store);
        assert_eq!(open().1.last, 100);
    });
}

#[test]
fn a_person_does_not_print_itself() {
    let text = format!(
        "{:?}",
        Batch {
            people: vec![anna()],
            ..Batch::default()
        }
    );
    assert!(!text.contains("Anna") && !text.contains("123"), "{text}");
}

#[test]
fn memory_is_durable_when_told_and_loses_the_rest() {
    let disk = MemoryDisk::new();
    let (said, hear) = channel();
    let told = Mutex::new(said);
    let on_durable = move |durable| drop(told.lock().unwrap().send(durable));
    let (store, _) = MemoryStore::open(&disk, Durability::WhenTold, on_durable).unwrap();
    for seq in 1..=3 {
        store.append(batch([seq])).unwrap();
    }
    assert_eq!((store.waiting(), store.read(1, 10).unwrap().len()), (3, 0));
    store.make_durable(2);
    up_to(&hear, 2);
    assert!(matches!(
        MemoryStore::open(&disk, Durability::AtOnce, |_| ()),
        Err(StoreError::Locked(_))
    ));
    drop(store);
    let (store, opened) = MemoryStore::open(&disk, Durability::AtOnce, |_| ()).unwrap();
    assert_eq!(opened.last, 2);
    disk.damage(2);
    assert!(matches!(store.read(1, 10), Err(StoreError::Damaged(2))));
}

#[test]
fn memory_that_fails_takes_nothing_more() {
    let disk = MemoryDisk::new();
    let (said, hear) = channel();
    let told = Mutex::new(said);
    let on_durable = move |durable| drop(told.lock().unwrap().send(durable));
    let (store, _) = MemoryStore::open(&disk, Durability::WhenTold, on_durable).unwrap();
    store.append(batch([1])).unwrap();
    store.fail();
    assert!(matches!(hear.recv().unwrap(), Durable::Failed(_)));
    assert_eq!(store.append(batch([2])), Err(AppendError::Stopped));
    assert!(matches!(store.close(), Err(StoreError::Stopped)));
}
