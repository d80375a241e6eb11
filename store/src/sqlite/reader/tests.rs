use super::super::SqliteStore;
use super::super::test_directory::TestDirectory;
use super::*;
use crate::tests::batch;
use crate::{Batch, Store};

const FILE: &str = "log.sqlite";

fn sequences(reader: &SqliteReader) -> Vec<u64> {
    reader.records().map(|record| record.unwrap().seq).collect()
}

#[test]
fn a_store_is_read_while_it_is_written_after_it_was_closed_and_after_it_was_killed() {
    let directory = TestDirectory::new();
    let (store, _) = SqliteStore::open(&directory.path(FILE), |_| ()).unwrap();
    let people = vec![Person {
        contact: 7,
        number: "+39061234567".to_owned(),
        name: String::new(),
    }];
    store
        .append(Batch {
            people,
            ..batch([1, 2])
        })
        .unwrap();
    store.raise_epoch().unwrap();
    let reader = SqliteReader::open(&directory.path(FILE)).unwrap();
    let mut half_read = reader.records();
    assert_eq!(half_read.next().unwrap().unwrap().seq, 1);
    // The writer is not held up by a reader in the middle of it, not even where it cuts the WAL.
    store.append(batch([3])).unwrap();
    assert!(store.erase(7).unwrap());
    let rest: Vec<u64> = half_read.map(|record| record.unwrap().seq).collect();
    assert_eq!(rest, [2, 3], "to the end as it is when it is reached");
    assert_eq!(sequences(&reader), [1, 2, 3]);
    let killed = directory.copy();
    store.close().unwrap();
    drop(store);
    assert_eq!(sequences(&reader), [1, 2, 3]);
    drop(reader);
    let again = SqliteReader::open(&directory.path(FILE)).unwrap();
    assert_eq!(sequences(&again), [1, 2, 3]);
    assert_eq!(again.person(7).unwrap(), None);
    assert_eq!(
        sequences(&SqliteReader::open(&killed.path(FILE)).unwrap()),
        [1, 2, 3]
    );
    // And whoever looked is not in the way of the next process.
    let (_, opened) = SqliteStore::open(&directory.path(FILE), |_| ()).unwrap();
    assert_eq!(opened.last, 3);
}

#[test]
fn what_is_no_store_is_said_to_be_none_and_nothing_is_made() {
    let directory = TestDirectory::new();
    let open = |name: &str| SqliteReader::open(&directory.path(name)).err();
    assert!(matches!(open("nothing"), Some(StoreError::Absent(_))));
    assert!(!directory.path("nothing").exists());
    std::fs::write(directory.path("empty"), "").unwrap();
    assert!(matches!(open("empty"), Some(StoreError::Foreign(_))));
    std::fs::write(
        directory.path("text"),
        "not a database at all, but long enough ".repeat(40),
    )
    .unwrap();
    assert!(matches!(open("text"), Some(StoreError::Foreign(_))));
    assert!(matches!(open("."), Some(StoreError::Foreign(_))));
    drop(SqliteStore::open(&directory.path(FILE), |_| ()).unwrap());
    let raw = Connection::open(directory.path(FILE)).unwrap();
    raw.pragma_update(None, "user_version", 2).unwrap();
    drop(raw);
    assert!(matches!(
        open(FILE),
        Some(StoreError::Newer { found: 2, known: 1 })
    ));
}
