//! Files on a real disk, on one that breaks, and after a kill.

use std::cell::{Cell, RefCell};
use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use pronto_types::link::RecordingFlaw;
use pronto_types::{CallId, Time};

use super::disk::Disk;
use super::writer::RESERVE;
use super::*;
use crate::wav::stereo::play;

const CALL: CallId = CallId(0xca11);
const TICKET: TicketId = TicketId(0x71c7);
const FILE: &str = "2026/11/24/000000000000ca11-00000000000071c7.wav";
const PART: &str = "unfinished/2026-11-24_000000000000ca11-00000000000071c7.wav.part";

fn talk() -> Talk {
    Talk {
        call: CALL,
        ticket: TICKET,
        began: Time::from_secs(20_781 * 86_400 + 40_000),
    }
}

/// A directory that is gone with the test.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("pronto-recorder-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Directory(path)
    }

    fn path(&self) -> &Path {
        &self.0
    }

    /// Every file, below the directory.
    fn files(&self) -> Vec<String> {
        fn walk(root: &Path, path: &Path, found: &mut Vec<String>) {
            for entry in fs::read_dir(path).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(root, &path, found);
                } else {
                    found.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        let mut found = Vec::new();
        walk(&self.0, &self.0, &mut found);
        found.sort();
        found
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The faults of a [`Breaking`] disk.
#[derive(Default)]
struct Breakage {
    /// Octets it still takes in files.
    takes: Cell<Option<u64>>,
    /// With this error, after that.
    error: Cell<Option<io::ErrorKind>>,
    free: Cell<Option<u64>>,
    no_files: Cell<bool>,
    no_moving: Cell<bool>,
}

/// A real disk that breaks when told.
struct Breaking {
    disk: FileSystem,
    breakage: Rc<Breakage>,
}

struct BreakingFile {
    file: File,
    breakage: Rc<Breakage>,
}

impl Write for BreakingFile {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let end = self.file.metadata()?.len();
        let grows = self.file.stream_position()? + octets.len() as u64 > end;
        let Some(left) = self.breakage.takes.get().filter(|_| grows) else {
            return self.file.write(octets);
        };
        if left == 0 {
            let kind = self.breakage.error.get().unwrap_or(io::ErrorKind::StorageFull);
            return Err(kind.into());
        }
        let taken = self.file.write(&octets[..octets.len().min(left as usize)])?;
        self.breakage.takes.set(Some(left - taken as u64));
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for BreakingFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

impl Disk for Breaking {
    type File = BreakingFile;

    fn create(&self, path: &str) -> io::Result<BreakingFile> {
        if self.breakage.no_files.get() {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        let breakage = Rc::clone(&self.breakage);
        let file = self.disk.create(path)?;
        Ok(BreakingFile { file, breakage })
    }

    fn mend(&self, path: &str) -> io::Result<u64> {
        self.disk.mend(path)
    }

    fn keep(&self, from: &str, to: &str) -> io::Result<()> {
        if self.breakage.no_moving.get() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.disk.keep(from, to)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.disk.remove(path)
    }

    fn names(&self, directory: &str) -> io::Result<Vec<String>> {
        self.disk.names(directory)
    }

    fn free(&self) -> Option<u64> {
        self.breakage.free.get().or(self.disk.free())
    }
}

type Said = Rc<RefCell<Vec<FinishedRecording>>>;

fn breaking(directory: &Directory) -> (Writer<Breaking, impl Fn(FinishedRecording)>, Rc<Breakage>, Said) {
    let breakage = Rc::<Breakage>::default();
    let said = Said::default();
    let heard = Rc::clone(&said);
    let disk = Breaking {
        disk: FileSystem::new(directory.path().to_owned()),
        breakage: Rc::clone(&breakage),
    };
    let writer = Writer::new(disk, move |kept| heard.borrow_mut().push(kept));
    (writer, breakage, said)
}

fn kept(file: &str, millis: u64, flaw: Option<RecordingFlaw>) -> Vec<FinishedRecording> {
    vec![FinishedRecording {
        call: CALL,
        ticket: TICKET,
        file: file.to_owned(),
        duration: Duration::from_millis(millis),
        flaw,
    }]
}

/// 100 ms: the number of the block left, its negative right.
fn block(n: i16) -> Vec<[i16; 2]> {
    vec![[n, -n]; 800]
}

fn blocks<D: Disk>(writer: &mut Writer<D, impl Fn(FinishedRecording)>, numbers: std::ops::Range<u64>) {
    for n in numbers {
        writer.frames(TICKET, n * 800, &block(n as i16 + 1));
    }
}

fn expected(blocks: i16) -> Vec<[i16; 2]> {
    (1..=blocks).flat_map(block).collect()
}

#[test]
fn a_talk_becomes_a_file_for_us_alone_and_nothing_is_left_beside_it() {
    let directory = Directory::new("whole");
    let (mut writer, _, said) = breaking(&directory);
    writer.begin(talk());
    blocks(&mut writer, 0..25);
    writer.frames(TICKET, 25 * 800, &[[7, 8]; 3]);
    assert_eq!(
        (directory.files(), said.borrow().len()),
        (vec![PART.to_owned()], 0)
    );
    writer.end(TICKET, 25 * 800 + 3);
    assert_eq!(directory.files(), [FILE]);
    let mut whole = expected(25);
    whole.extend([[7, 8]; 3]);
    assert_eq!(play(&directory.path().join(FILE)), whole);
    let said = said.take();
    assert_eq!(
        (said[0].duration, said.len()),
        (Duration::from_micros(2_500_375), 1)
    );
    assert_eq!((said[0].file.as_str(), said[0].flaw), (FILE, None));
    let mode = |path: &str| {
        fs::metadata(directory.path().join(path))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(
        [FILE, "2026", "2026/11/24", "unfinished"].map(mode),
        [0o600, 0o700, 0o700, 0o700]
    );
}

#[test]
fn at_any_moment_a_player_hears_all_but_the_last_second() {
    let directory = Directory::new("moment");
    let (mut writer, _, _) = breaking(&directory);
    writer.begin(talk());
    for n in 0..60 {
        blocks(&mut writer, n..n + 1);
        let heard = play(&directory.path().join(PART)).len() as u64;
        let written = (n + 1) * 800;
        assert!(
            heard <= written && written - heard < 8_000,
            "{heard} of {written} frames"
        );
    }
}

#[test]
fn what_a_kill_leaves_is_kept_whole_at_the_next_start_and_said_once() {
    let directory = Directory::new("kill");
    let (mut writer, _, _) = breaking(&directory);
    writer.begin(talk());
    blocks(&mut writer, 0..25);
    // A killed process closes nothing: the header still tells of two seconds.
    std::mem::forget(writer);
    assert_eq!(play(&directory.path().join(PART)), expected(20));
    let mut file = fs::OpenOptions::new()
        .append(true)
        .open(directory.path().join(PART))
        .unwrap();
    file.write_all(&[1, 2, 3]).unwrap();
    let stranger = "unfinished/notes.txt";
    fs::write(directory.path().join(stranger), "hello").unwrap();
    for expected_said in [kept(FILE, 2_500, Some(RecordingFlaw::Killed)), vec![]] {
        let (mut writer, _, said) = breaking(&directory);
        writer.sweep();
        assert_eq!(said.take(), expected_said);
        assert_eq!(directory.files(), [FILE, stranger]);
        assert_eq!(
            play(&directory.path().join(FILE)),
            expected(25),
            "all that was written"
        );
    }
}

#[test]
fn a_talk_that_was_killed_before_its_first_word_leaves_no_file() {
    let directory = Directory::new("early");
    for octets in [0, 20, 44] {
        let (mut writer, _, _) = breaking(&directory);
        writer.begin(talk());
        std::mem::forget(writer);
        let file = File::options()
            .write(true)
            .open(directory.path().join(PART))
            .unwrap();
        file.set_len(octets).unwrap();
        let (mut writer, _, said) = breaking(&directory);
        writer.sweep();
        assert_eq!(said.take(), kept("", 0, Some(RecordingFlaw::Killed)));
        assert_eq!(directory.files(), [""; 0]);
    }
}

#[test]
fn a_full_disk_keeps_what_there_is_and_the_other_talks_go_on() {
    for (takes, millis) in [
        (44 + 5 * 3_200, 500),
        (44 + 5 * 3_200 + 1_001, 531),
        (44, 0),
        (7, 0),
        (0, 0),
    ] {
        let directory = Directory::new("full");
        let (mut writer, breakage, said) = breaking(&directory);
        breakage.takes.set(Some(takes));
        writer.begin(talk());
        blocks(&mut writer, 0..30);
        let file = if millis == 0 { "" } else { FILE };
        let heard = said.take();
        assert_eq!(
            (heard.len(), heard[0].flaw),
            (1, Some(RecordingFlaw::DiskFull)),
            "{takes}"
        );
        assert_eq!(
            (heard[0].file.as_str(), heard[0].duration.as_millis()),
            (file, millis),
            "{takes}"
        );
        if millis > 0 {
            let whole = play(&directory.path().join(FILE));
            assert_eq!(whole, expected(30)[..whole.len()]);
        }
        // The end of the talk has been dealt with, and there is room again for the next one.
        writer.end(TICKET, 30 * 800);
        breakage.takes.set(None);
        let next = Talk {
            ticket: TicketId(2),
            ..talk()
        };
        writer.begin(next);
        writer.frames(next.ticket, 0, &block(1));
        writer.end(next.ticket, 800);
        let said = said.take();
        assert_eq!(
            (said.len(), said[0].ticket, said[0].flaw),
            (1, next.ticket, None),
            "{takes}"
        );
        assert!(
            directory
                .files()
                .iter()
                .all(|file| !file.starts_with("unfinished")),
            "{takes}"
        );
    }
}

#[test]
fn a_recording_ends_before_the_ledger_has_no_room_left() {
    let directory = Directory::new("reserve");
    let (mut writer, breakage, said) = breaking(&directory);
    breakage.free.set(Some(RESERVE));
    writer.begin(talk());
    blocks(&mut writer, 0..10);
    assert_eq!(said.borrow().len(), 0);
    breakage.free.set(Some(RESERVE - 1));
    blocks(&mut writer, 10..30);
    assert_eq!(
        said.take(),
        kept(FILE, 2_000, Some(RecordingFlaw::DiskFull)),
        "looked at each second"
    );
    // And none is begun.
    let talk = Talk {
        ticket: TicketId(2),
        ..talk()
    };
    writer.begin(talk);
    writer.frames(talk.ticket, 0, &block(1));
    writer.end(talk.ticket, 800);
    let said = said.take();
    assert_eq!(
        (said.len(), said[0].file.as_str(), said[0].flaw),
        (1, "", Some(RecordingFlaw::DiskFull))
    );
    assert_eq!(directory.files(), [FILE]);
}

#[test]
fn a_disk_that_fails_is_told_from_a_full_one() {
    let directory = Directory::new("fails");
    let (mut writer, breakage, said) = breaking(&directory);
    breakage.takes.set(Some(44 + 3_200));
    breakage.error.set(Some(io::ErrorKind::InvalidInput));
    writer.begin(talk());
    blocks(&mut writer, 0..3);
    assert_eq!(said.take(), kept(FILE, 100, Some(RecordingFlaw::DiskFailed)));
    breakage.no_files.set(true);
    writer.begin(talk());
    assert_eq!(said.take(), kept("", 0, Some(RecordingFlaw::DiskFailed)));
}

#[test]
fn what_cannot_be_moved_to_its_place_stays_for_the_next_start() {
    let directory = Directory::new("stays");
    let (mut writer, breakage, said) = breaking(&directory);
    breakage.no_moving.set(true);
    writer.begin(talk());
    blocks(&mut writer, 0..4);
    writer.end(TICKET, 4 * 800);
    assert_eq!(said.take(), kept("", 0, Some(RecordingFlaw::DiskFull)));
    breakage.no_moving.set(false);
    writer.sweep();
    assert_eq!(said.take(), kept(FILE, 400, Some(RecordingFlaw::Killed)));
    assert_eq!(play(&directory.path().join(FILE)), expected(4));
}

#[test]
fn a_file_of_the_same_name_is_not_written_over() {
    let directory = Directory::new("same");
    fs::create_dir_all(directory.path().join("unfinished")).unwrap();
    fs::write(directory.path().join(PART), "somebody's").unwrap();
    let (mut writer, _, said) = breaking(&directory);
    writer.begin(talk());
    blocks(&mut writer, 0..1);
    writer.end(TICKET, 800);
    assert_eq!(said.take(), kept("", 0, Some(RecordingFlaw::DiskFailed)));
    assert_eq!(
        fs::read_to_string(directory.path().join(PART)).unwrap(),
        "somebody's"
    );
}

#[test]
fn a_talk_without_a_frame_leaves_no_file_and_no_complaint() {
    let directory = Directory::new("empty");
    let (mut writer, _, said) = breaking(&directory);
    writer.begin(talk());
    writer.end(TICKET, 0);
    assert_eq!(said.take(), kept("", 0, None));
    assert_eq!(directory.files(), [""; 0]);
    // What nobody began is nobody's.
    blocks(&mut writer, 0..1);
    writer.end(TICKET, 800);
    assert!(said.take().is_empty());
}

#[test]
fn dropped_blocks_are_silence_of_their_length() {
    let directory = Directory::new("dropped");
    let (mut writer, _, said) = breaking(&directory);
    writer.begin(talk());
    blocks(&mut writer, 0..2);
    blocks(&mut writer, 5..6);
    writer.end(TICKET, 8 * 800);
    assert_eq!(said.take(), kept(FILE, 800, Some(RecordingFlaw::Overrun)));
    let heard = play(&directory.path().join(FILE));
    let numbers: Vec<i16> = heard.chunks(800).map(|block| block[0][0]).collect();
    assert_eq!(numbers, [1, 2, 0, 0, 0, 6, 0, 0]);
}

/// The thread, its queue, and what it does when it is told to go.
#[test]
fn a_slow_disk_costs_frames_and_never_a_wait() {
    let directory = Directory::new("slow");
    let (told, hears) = channel();
    let (release, held) = channel::<()>();
    let recorder = Recorder::start(directory.path().to_owned(), move |kept: FinishedRecording| {
        told.send(kept).unwrap();
        // The disk takes its time.
        let _ = held.recv();
    })
    .unwrap();
    let first = Talk {
        ticket: TicketId(1),
        ..talk()
    };
    recorder.begin(first);
    recorder.begin(talk());
    let inlet = recorder.inlet();
    inlet.end(first.ticket, 0);
    assert_eq!(hears.recv().unwrap().ticket, first.ticket);
    for n in 0..WAITING as u64 + 10 {
        inlet.frames(TICKET, n, Box::new([[1, 2]]));
    }
    assert_eq!((recorder.dropped(), recorder.open()), (10, 1));
    inlet.end(TICKET, WAITING as u64 + 10);
    drop(release);
    let kept = hears.recv().unwrap();
    assert_eq!(
        (kept.file.as_str(), kept.flaw),
        (FILE, Some(RecordingFlaw::Overrun))
    );
    assert_eq!(recorder.open(), 0);
    let heard = play(&directory.path().join(FILE));
    assert_eq!(heard.len(), WAITING + 10);
    assert!(heard[..WAITING].iter().all(|frame| *frame == [1, 2]));
}

#[test]
fn a_recorder_that_is_let_go_leaves_open_talks_for_the_next_one() {
    let directory = Directory::new("go");
    let recorder = Recorder::start(directory.path().to_owned(), |kept| panic!("{kept:?}")).unwrap();
    recorder.begin(talk());
    recorder.inlet().frames(TICKET, 0, block(1).into());
    drop(recorder);
    assert_eq!(directory.files(), [PART]);
    let (told, hears) = channel();
    let recorder =
        Recorder::start(directory.path().to_owned(), move |kept| told.send(kept).unwrap()).unwrap();
    assert_eq!(
        hears.recv().unwrap(),
        kept(FILE, 100, Some(RecordingFlaw::Killed))[0]
    );
    drop(recorder);
    assert_eq!(play(&directory.path().join(FILE)), expected(1));
}
