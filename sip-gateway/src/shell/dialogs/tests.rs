use std::os::unix::fs::PermissionsExt;

use super::*;

fn directory(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("pronto-dialogs-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

fn open(text: &str) -> DialogChange {
    DialogChange::Open(Bytes::copy_from_slice(text.as_bytes()))
}

fn names(left: &[(u64, Orphan)]) -> Vec<(String, bool)> {
    let name = |orphan: &Orphan| String::from_utf8(orphan.kept.to_vec()).unwrap();
    left.iter()
        .map(|(_, orphan)| (name(orphan), orphan.answered))
        .collect()
}

#[test]
fn what_was_written_and_is_not_over_is_left_to_the_next_process() {
    let place = directory("left");
    let dialogs = Dialogs::new(&place);
    assert!(dialogs.open().is_empty());
    dialogs.take(1, &open("caller"));
    dialogs.take(2, &open("operator"));
    dialogs.take(3, &open("gone"));
    dialogs.take(1, &DialogChange::Answered);
    dialogs.take(3, &DialogChange::Over);
    dialogs.flush();
    dialogs.take(4, &open("never written"));
    // Killed: what was not written is lost. The next is killed before it has ended anything.
    for _ in 0..2 {
        let next = Dialogs::new(&place);
        let left = next.open();
        assert_eq!(
            names(&left),
            [("caller".to_owned(), true), ("operator".to_owned(), false)]
        );
        assert!(left.iter().all(|(dialog, _)| *dialog >= INHERITED));
    }
    let next = Dialogs::new(&place);
    for (dialog, _) in next.open() {
        next.take(dialog, &DialogChange::Over);
    }
    next.flush();
    assert!(Dialogs::new(&place).open().is_empty());
}

#[test]
fn a_torn_or_damaged_end_costs_what_follows_it_and_no_more() {
    let place = directory("torn");
    let dialogs = Dialogs::new(&place);
    dialogs.open();
    dialogs.take(1, &open("first"));
    dialogs.take(2, &open("second"));
    dialogs.flush();
    let path = place.join(FILE);
    let whole = fs::read(&path).unwrap();
    let second = whole.len() - (FRAME + 9 + "second".len());
    for length in 0..whole.len() {
        let left = fold(&whole[..length]).len();
        assert_eq!(left, usize::from(length >= second), "cut at {length}");
    }
    for octet in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[octet] ^= 0x40;
        assert!(fold(&damaged).len() < 2, "damaged at {octet}");
    }
}

#[test]
fn numbers_of_ended_calls_leave_the_file_and_nobody_else_may_read_it() {
    let place = directory("over");
    let dialogs = Dialogs::new(&place);
    dialogs.open();
    dialogs.take(1, &open("sip:+39061234567@carrier.example"));
    dialogs.take(2, &open("standing"));
    dialogs.take(1, &DialogChange::Over);
    assert!(dialogs.wants_tidying());
    dialogs.tidy();
    let path = place.join(FILE);
    let holds = |text: &str| {
        fs::read(&path)
            .unwrap()
            .windows(text.len())
            .any(|it| it == text.as_bytes())
    };
    assert!(holds("+39061234567"), "it is not due yet");
    let long_ago = Instant::now()
        .checked_sub(STAYS + Duration::from_secs(1))
        .unwrap();
    match &mut *dialogs.file.lock() {
        Kept::File(out) => out.whole.0 = long_ago,
        Kept::Memory(..) => panic!("there is room"),
    }
    assert!(dialogs.wants_tidying());
    dialogs.tidy();
    assert!(!holds("+39061234567") && holds("standing"));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    // What is written after it is found too.
    dialogs.take(3, &open("later"));
    dialogs.flush();
    assert_eq!(Dialogs::new(&place).open().len(), 2);
}

#[test]
fn a_disk_that_does_not_write_fills_no_memory() {
    let dialogs = Dialogs::new(Path::new("/nonexistent"));
    let long = DialogChange::Open(Bytes::from(vec![0; 60_000]));
    for dialog in 0..1_000 {
        dialogs.take(dialog, &long);
    }
    assert!(dialogs.waiting.lock().len() < WAITING + 100_000);
    assert!(dialogs.lost() > 0);
}

#[test]
fn dialogs_that_a_full_disk_did_not_take_are_written_once_there_is_room() {
    let place = directory("full");
    let before = Dialogs::new(&place);
    before.open();
    before.take(1, &open("inherited"));
    before.flush();
    // A file of the name of the one beside cannot be made where a directory has it.
    let beside = place.join(FILE).with_extension("new");
    fs::create_dir_all(beside.join("in the way")).unwrap();
    let dialogs = Dialogs::new(&place);
    assert_eq!(names(&dialogs.open()), [("inherited".to_owned(), false)]);
    dialogs.take(1, &open("caller"));
    dialogs.take(2, &open("gone"));
    dialogs.take(2, &DialogChange::Over);
    dialogs.flush();
    assert!(!dialogs.is_dirty());
    assert_eq!(dialogs.lost(), 3, "each is told as not kept");
    assert!(!dialogs.wants_tidying(), "it was tried a moment ago");
    fs::remove_dir_all(&beside).unwrap();
    match &mut *dialogs.file.lock() {
        Kept::Memory(_, tried) => {
            *tried = tried.checked_sub(AGAIN + Duration::from_secs(1)).unwrap();
        }
        Kept::File(_) => panic!("there was no room"),
    }
    assert!(dialogs.wants_tidying());
    dialogs.tidy();
    dialogs.take(3, &open("operator"));
    dialogs.flush();
    assert_eq!(dialogs.lost(), 3);
    let left = Dialogs::new(&place).open();
    let mut left: Vec<String> = names(&left).into_iter().map(|(name, _)| name).collect();
    left.sort_unstable();
    assert_eq!(left, ["caller", "inherited", "operator"]);
}

#[test]
fn a_file_that_takes_no_more_is_made_again_with_everything_that_stands() {
    let place = directory("no-more");
    let dialogs = Dialogs::new(&place);
    dialogs.open();
    dialogs.take(1, &open("caller"));
    dialogs.flush();
    // Every write to it fails from now on.
    let path = place.join(FILE);
    match &mut *dialogs.file.lock() {
        Kept::File(out) => out.file = File::open(&path).unwrap(),
        Kept::Memory(..) => panic!("there is room"),
    }
    dialogs.take(2, &open("operator"));
    dialogs.flush();
    assert_eq!(dialogs.lost(), 1);
    dialogs.take(1, &DialogChange::Answered);
    dialogs.close();
    let left = Dialogs::new(&place).open();
    assert_eq!(
        names(&left),
        [("caller".to_owned(), true), ("operator".to_owned(), false)]
    );
}
