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
    if let Some(out) = locked(&dialogs.file).as_mut() {
        out.anew.0 = Instant::now()
            .checked_sub(STAYS + Duration::from_secs(1))
            .unwrap();
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
    assert!(locked(&dialogs.waiting).len() < WAITING + 100_000);
    assert!(dialogs.lost() > 0);
}
