//! The journal on a real disk.

use pronto_sip::DialogChange;
use pronto_types::link::{CallOutcome, Channel, Origin};
use pronto_types::{Language, PhoneNumber, QueueName, TicketId, TrunkName};

use super::*;

/// A directory that goes with its test.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("pronto-journal-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Place(path)
    }

    fn open(&self) -> (Opened, Arc<Dialogs>) {
        let dialogs = Arc::new(Dialogs::new(&self.0));
        let opened = Journal::open(&self.0, Arc::clone(&dialogs)).unwrap();
        (opened, dialogs)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn began(number: u64, call: u64) -> Entry {
    let caller = Caller {
        number: Some(PhoneNumber::new("+39061234567")),
        name: None,
    };
    let origin = Origin::Trunk(TrunkName::new("carrier").unwrap());
    let event = Event::CallBegan {
        call: CallId(call),
        dialled: "800".to_owned(),
        caller,
        origin,
    };
    Entry {
        number,
        at: Time::from_secs(7),
        event,
    }
}

fn ended(number: u64, call: u64) -> Entry {
    let (outcome, duration) = (CallOutcome::Completed, Duration::ZERO);
    let event = Event::CallEnded {
        call: CallId(call),
        outcome,
        duration,
        digits: 0,
    };
    Entry {
        number,
        at: Time::from_secs(8),
        event,
    }
}

#[tokio::test]
async fn a_crash_leaves_the_calls_that_never_ended_and_no_number_in_the_log() {
    let place = Place::new("crash");
    let (mut opened, _) = place.open();
    assert_eq!((opened.epoch, opened.unfinished.len()), (1, 0));
    for entry in [began(1, 10), began(2, 11), ended(3, 10)] {
        opened.journal.append(&entry, 0);
    }
    opened.journal.commit().unwrap();
    opened.journal.close().await.unwrap();
    let (opened, _) = place.open();
    assert_eq!(opened.epoch, 2);
    assert_eq!(opened.unfinished, BTreeSet::from([CallId(11)]));
    let person = opened
        .journal
        .store
        .person(10)
        .unwrap()
        .map(|person| person.number);
    assert_eq!(person.as_deref(), Some("+39061234567"));
    for record in opened.journal.store.read(1, 10).unwrap() {
        assert!(
            !String::from_utf8_lossy(&record.bytes).contains("0612345"),
            "a number in a record"
        );
    }
    // What the queue may not have is told it as it was, the number included.
    let earlier = &opened.earlier[0];
    assert_eq!((earlier.epoch, earlier.last), (1, 3));
    let told = earlier.read(2, 10).unwrap();
    assert_eq!(told, [began(2, 11), ended(3, 10)]);
}

#[test]
fn records_of_the_forms_before_are_read_and_dated_by_their_time() {
    let entry = began(1, 10);
    let numbers = [entry.at.as_micros(), 7, -5];
    for (version, expected) in [(1, (0, 0)), (2, (7, 0)), (VERSION, (7, -5))] {
        let mut bytes: Vec<u8> = numbers[..usize::from(version)]
            .iter()
            .flat_map(|number| number.to_le_bytes())
            .collect();
        let head = bytes.len();
        bytes.extend(encode(entry.number, &entry.event));
        let mut record = Record {
            seq: 1,
            version,
            bytes,
        };
        let line = Line::read(&record).unwrap();
        assert_eq!((line.epoch, line.offset), expected);
        assert_eq!((line.entry.at, line.entry.number), (entry.at, 1));
        record.version = VERSION + 1;
        assert!(Line::read(&record).is_none());
        record.version = version;
        record.bytes.truncate(head - 1);
        assert!(Line::read(&record).is_none(), "cut off");
    }
}

#[tokio::test]
async fn the_entries_of_a_new_epoch_are_awaited_from_the_first() {
    let place = Place::new("epoch");
    let (mut opened, _) = place.open();
    for entry in [began(1, 10), began(2, 11), ended(3, 10)] {
        opened.journal.append(&entry, 0);
    }
    opened.journal.commit().unwrap();
    assert_eq!(opened.journal.store().renew_epoch(41).unwrap(), 42);
    opened.journal.begin_epoch(42);
    opened.journal.append(&began(1, 11), 0);
    assert_eq!(opened.journal.wait_for(1), None, "the disk has three others");
    opened.journal.commit().unwrap();
    reached(&opened.journal).await;
    assert_eq!(opened.journal.wait_for(1), Some(1));
    opened.journal.close().await.unwrap();
    let (opened, _) = place.open();
    assert_eq!(opened.epoch, 43, "the next process comes after it");
    let told: Vec<_> = (opened.earlier.iter())
        .map(|it| (it.epoch, it.read(1, 10).unwrap()))
        .collect();
    let before = vec![began(1, 10), began(2, 11), ended(3, 10)];
    assert_eq!(told, [(1, before), (42, vec![began(1, 11)])]);
}

#[tokio::test]
async fn only_the_beginning_of_a_call_is_urgent_as_its_caller_waits() {
    let place = Place::new("urgent");
    let (Opened { mut journal, .. }, _) = place.open();
    journal.append(&ended(1, 7), 0);
    assert!(!journal.batch.urgent);
    journal.append(&began(2, 8), 0);
    journal.append(&ended(3, 8), 0);
    assert!(journal.batch.urgent);
    journal.commit().unwrap();
    assert!(!journal.batch.urgent);
}

#[tokio::test]
async fn a_stopped_store_is_said_and_not_passed_over() {
    let place = Place::new("stopped");
    let (mut opened, _) = place.open();
    opened.journal.store.close().unwrap();
    opened.journal.append(&began(1, 10), 0);
    assert_eq!(opened.journal.commit(), Err(AppendError::Stopped));
}

/// Waits for the commit that was asked for, 20 s at most.
async fn reached(journal: &Journal) {
    let written = journal.written();
    let commit = tokio::time::timeout(Duration::from_secs(20), written.reached());
    commit.await.expect("the commit is told");
}

/// Lets the writer commit entry 1 and then stand still for as long as the guard lives.
fn stop_writer<'a>(journal: &mut Journal, dialogs: &'a Dialogs) -> impl Sized + use<'a> {
    dialogs.take(1, &DialogChange::Over);
    let stopped = dialogs.hold();
    journal.append(&began(1, 1), 0);
    journal.commit().unwrap();
    let patience = std::time::Instant::now() + Duration::from_secs(20);
    while journal.store.read(1, 1).unwrap().is_empty() {
        assert!(std::time::Instant::now() < patience, "entry 1 is not written");
        std::thread::yield_now();
    }
    stopped
}

/// Hands over entries from number 2 on, until the store takes no more. Returns the number of the last, which the store has
/// not taken.
fn fill(journal: &mut Journal) -> u64 {
    let mut number = 1;
    while !journal.refused {
        number += 1;
        assert!(number < 50_000, "the store takes whatever comes");
        journal.append(&began(number, number), 0);
        journal.commit().unwrap();
    }
    number
}

#[tokio::test]
async fn a_batch_that_a_full_store_does_not_take_is_written_once_there_is_room() {
    let place = Place::new("full");
    let (mut opened, dialogs) = place.open();
    let journal = &mut opened.journal;
    let stopped = stop_writer(journal, &dialogs);
    let mut last = fill(journal);
    let taken = last - 1;
    for _ in 0..3 {
        last += 1;
        journal.append(&began(last, last), 0);
        journal.commit().unwrap();
    }
    assert_eq!(journal.wait_for(taken), None, "the writer stands still");
    drop(stopped);
    reached(journal).await;
    journal.commit().unwrap();
    assert_eq!(
        journal.wait_for(last),
        None,
        "it is not asked again with every entry"
    );
    journal.retry();
    journal.commit().unwrap();
    reached(journal).await;
    assert_eq!(journal.wait_for(last), Some(last));
    opened.journal.close().await.unwrap();
    let (opened, _) = place.open();
    let earlier = &opened.earlier[0];
    let numbers: Vec<u64> = (earlier.read(1, 100_000).unwrap().iter())
        .map(|entry| entry.number)
        .collect();
    assert_eq!(numbers, (1..=last).collect::<Vec<_>>());
    assert_eq!(opened.unfinished.len() as u64, last);
}

#[tokio::test]
async fn a_store_that_takes_nothing_for_too_long_is_given_up_and_says_how_much_it_lacks() {
    let place = Place::new("given-up");
    let (mut opened, dialogs) = place.open();
    let journal = &mut opened.journal;
    let stopped = stop_writer(journal, &dialogs);
    let mut last = fill(journal);
    while journal.batch.records.len() < KEPT {
        assert_eq!(journal.commit(), Ok(()));
        last += 1;
        journal.append(&ended(last, 1), 0);
    }
    assert_eq!(journal.commit(), Err(AppendError::Full));
    journal.give_up();
    journal.append(&ended(last + 1, 1), 0);
    assert_eq!(journal.commit(), Ok(()));
    assert!(journal.batch.records.is_empty(), "nothing more is kept in memory");
    drop(stopped);
    let lacks = opened.journal.close().await.unwrap_err();
    assert!(lacks.contains(&format!("{} entries", KEPT + 1)), "{lacks}");
}

#[tokio::test]
async fn the_number_of_a_caller_who_joins_is_in_no_record_and_is_told_the_queue() {
    let place = Place::new("joins");
    let (mut opened, _) = place.open();
    let Event::CallBegan { caller, .. } = began(1, 10).event else {
        unreachable!()
    };
    let event = Event::Joined {
        ticket: TicketId(10),
        contact: CallId(10).into(),
        channel: Channel::Phone,
        queue: QueueName::new("support").unwrap(),
        caller,
        language: Language::Italian,
        regained: None,
    };
    let at = Time::from_secs(7);
    let joined = Entry { number: 2, at, event };
    for entry in [&began(1, 10), &joined] {
        opened.journal.append(entry, 0);
    }
    opened.journal.commit().unwrap();
    opened.journal.close().await.unwrap();
    let (opened, _) = place.open();
    for record in opened.journal.store.read(1, 10).unwrap() {
        let text = String::from_utf8_lossy(&record.bytes).into_owned();
        assert!(!text.contains("0612345"), "a number in record {}", record.seq);
    }
    assert_eq!(opened.earlier[0].read(1, 10).unwrap(), [began(1, 10), joined]);
}

#[tokio::test]
async fn the_clock_goes_on_from_the_latest_entry_though_the_last_one_is_older() {
    let place = Place::new("newest");
    let (mut opened, _) = place.open();
    // Seconds 8 and 7.
    for (entry, offset) in [(ended(1, 10), -3), (began(2, 11), -5)] {
        opened.journal.append(&entry, offset);
    }
    opened.journal.commit().unwrap();
    opened.journal.close().await.unwrap();
    let (opened, _) = place.open();
    assert_eq!(opened.newest, (Time::from_secs(8), -5));
}

#[tokio::test]
async fn what_is_kept_of_a_dialog_is_on_the_disk_when_its_commit_is_told() {
    let place = Place::new("dialogs");
    let (mut opened, dialogs) = place.open();
    assert!(dialogs.open().is_empty());
    dialogs.take(1, &DialogChange::Open(b"operator"[..].into()));
    opened.journal.append(&began(1, 10), 0);
    assert_eq!(opened.journal.wait_for(1), None);
    opened.journal.commit().unwrap();
    reached(&opened.journal).await;
    // This process is killed now, and the next one looks what it left.
    assert_eq!(Dialogs::new(&place.0).open().len(), 1);
}

#[tokio::test]
async fn what_several_starts_could_not_tell_the_queue_is_handed_over_in_their_order() {
    let place = Place::new("starts");
    for epoch in 1..=EARLIER as u64 + 2 {
        let (mut opened, _) = place.open();
        assert_eq!(opened.epoch, epoch);
        opened.journal.append(&began(1, epoch), 0);
        opened.journal.close().await.unwrap();
    }
    let (opened, _) = place.open();
    let told = opened.earlier.iter().map(|it| (it.epoch, it.last, it.read(1, 9)));
    let told: Vec<_> = told
        .map(|(epoch, last, read)| (epoch, last, read.unwrap()))
        .collect();
    let expected = (3..=EARLIER as u64 + 2).map(|epoch| (epoch, 1, vec![began(1, epoch)]));
    assert_eq!(told, expected.collect::<Vec<_>>(), "the newest of them");
}

#[tokio::test]
async fn entries_from_before_the_epoch_was_set_back_are_not_taken_for_those_of_the_new_one() {
    let place = Place::new("set-back");
    let (mut opened, _) = place.open();
    let journal = &mut opened.journal;
    for entry in [began(1, 10), ended(2, 10), began(3, 11)] {
        journal.append(&entry, 0);
    }
    for (highest, call) in [(40, 12), (0, 13)] {
        journal.commit().unwrap();
        let epoch = journal.store().renew_epoch(highest).unwrap();
        assert_eq!(epoch, highest + 1);
        journal.begin_epoch(epoch);
        journal.append(&began(1, call), 0);
    }
    opened.journal.close().await.unwrap();
    let (opened, _) = place.open();
    assert_eq!(opened.epoch, 2);
    let told: Vec<_> = opened
        .earlier
        .iter()
        .map(|it| (it.epoch, it.read(1, 9).unwrap()))
        .collect();
    assert_eq!(told, [(1, vec![began(1, 13)])]);
}
