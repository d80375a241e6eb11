//! The work of the recorder's thread: it writes the files of all talks, each from its beginning to its place.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use pronto_types::TicketId;
use pronto_types::link::RecordingFlaw;

use super::disk::Disk;
use super::place::{RecordingPath, UNFINISHED};
use crate::talk::{FinishedRecording, Talk};
use crate::wav::stereo::{RATE, Stereo};

/// Recordings end early while there is still this much room: what decides who is served next is written on the same disk.
pub(super) const RESERVE: u64 = 64 << 20;
/// Silence is written in pieces of this many frames.
const PIECE: u64 = 800;

/// All recordings being made.
pub(super) struct Writer<D: Disk, K> {
    disk: D,
    on_kept: K,
    /// Those that were begun and have not ended; `None`: the file is closed early, and that was said.
    talks: BTreeMap<TicketId, Option<Open<D::File>>>,
}

/// A file being written.
struct Open<F: io::Write + io::Seek> {
    place: RecordingPath,
    file: Stereo<F>,
    frames: u64,
    /// How many of them the header tells of.
    promised: u64,
    /// Some of them are silence because they were dropped.
    overrun: bool,
}

impl<D: Disk, K: Fn(FinishedRecording)> Writer<D, K> {
    pub(super) fn new(disk: D, on_kept: K) -> Self {
        Writer {
            disk,
            on_kept,
            talks: BTreeMap::new(),
        }
    }

    /// Keeps what a killed process left. What is not ours stays where it is.
    pub(super) fn sweep(&mut self) {
        let names = self.disk.names(UNFINISHED).unwrap_or_else(|error| {
            tracing::warn!(%error, "recordings that were not finished cannot be looked for");
            Vec::new()
        });
        for name in names {
            let Some(place) = RecordingPath::from_unfinished(&name) else {
                tracing::warn!(name, "not a recording of ours, left where it is");
                continue;
            };
            let flaw = Some(RecordingFlaw::Killed);
            match self.rescue(&place) {
                Ok(frames) => {
                    tracing::warn!(call = %place.call, seconds = frames / u64::from(RATE), "a recording was cut short by the end of the process");
                    self.say(&place, frames, flaw);
                }
                Err(error) => {
                    tracing::warn!(call = %place.call, %error, "a recording that was not finished cannot be kept yet");
                }
            }
        }
    }

    /// Opens the file of a talk.
    pub(super) fn begin(&mut self, talk: Talk) {
        let place = RecordingPath::of(&talk);
        let opened = has_room(&self.disk).and_then(|()| {
            let file = Stereo::new(self.disk.create(&place.unfinished())?)?;
            Ok(Open {
                place: place.clone(),
                file,
                frames: 0,
                promised: 0,
                overrun: false,
            })
        });
        let open = match opened {
            Ok(open) => Some(open),
            Err(error) => {
                let flaw = flaw(&error);
                tracing::warn!(call = %place.call, %error, "a talk is not recorded");
                // An empty file may be there; one that was there before us is not ours to take.
                if error.kind() != io::ErrorKind::AlreadyExists {
                    let _ = self.disk.remove(&place.unfinished());
                }
                self.say(&place, 0, Some(flaw));
                None
            }
        };
        self.talks.insert(talk.ticket, open);
    }

    /// The next frames of a talk; those missing before `from` were dropped on the way.
    pub(super) fn frames(&mut self, ticket: TicketId, from: u64, frames: &[[i16; 2]]) {
        let Some(Some(open)) = self.talks.get_mut(&ticket) else {
            return;
        };
        let written = open.silence_up_to(from).and_then(|()| open.write(frames));
        let due = open.frames - open.promised >= u64::from(RATE);
        let written = written.and_then(|()| {
            if !due {
                return Ok(());
            }
            open.promise()?;
            has_room(&self.disk)
        });
        if let Err(error) = written
            && let Some(open) = self.talks.insert(ticket, None).flatten()
        {
            tracing::warn!(call = %open.place.call, %error, "a recording ends early");
            self.close_early(open, &error);
        }
    }

    /// The talk is over.
    pub(super) fn end(&mut self, ticket: TicketId, frames: u64) {
        let Some(Some(mut open)) = self.talks.remove(&ticket) else {
            return;
        };
        if let Err(error) = open.silence_up_to(frames) {
            tracing::warn!(call = %open.place.call, %error, "a recording ends early");
            return self.close_early(open, &error);
        }
        let Open {
            place,
            file,
            frames,
            overrun,
            ..
        } = open;
        if overrun {
            tracing::warn!(call = %place.call, "a recording has silence where the disk did not keep up");
        }
        let flaw_so_far = overrun.then_some(RecordingFlaw::Overrun);
        if frames == 0 {
            drop(file);
            let _ = self.disk.remove(&place.unfinished());
            return self.say(&place, 0, flaw_so_far);
        }
        let finished = file
            .finish()
            .and_then(|()| self.disk.keep(&place.unfinished(), &place.finished()));
        match finished {
            Ok(()) => self.say(&place, frames, flaw_so_far),
            Err(error) => {
                tracing::warn!(call = %place.call, %error, "a recording cannot be finished");
                self.keep_what_there_is(&place, flaw(&error));
            }
        }
    }

    fn close_early(&mut self, open: Open<D::File>, error: &io::Error) {
        let Open { place, file, .. } = open;
        // Closing tries to write once more; what came of it is told by what there is.
        drop(file);
        self.keep_what_there_is(&place, flaw(error));
    }

    fn keep_what_there_is(&self, place: &RecordingPath, flaw: RecordingFlaw) {
        match self.rescue(place) {
            Ok(frames) => self.say(place, frames, Some(flaw)),
            // It stays for the next start.
            Err(_) => self.say(place, 0, Some(flaw)),
        }
    }

    /// Mends an interrupted file and puts it in its place; one without a frame is taken away.
    fn rescue(&self, place: &RecordingPath) -> io::Result<u64> {
        let (unfinished, finished) = (place.unfinished(), place.finished());
        let frames = match self.disk.mend(&unfinished) {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => 0,
            frames => frames?,
        };
        if frames == 0 {
            self.disk.remove(&unfinished)?;
        } else {
            self.disk.keep(&unfinished, &finished)?;
        }
        Ok(frames)
    }

    fn say(&self, place: &RecordingPath, frames: u64, flaw: Option<RecordingFlaw>) {
        let micros = frames.saturating_mul(1_000_000) / u64::from(RATE);
        (self.on_kept)(FinishedRecording {
            call: place.call,
            ticket: place.ticket,
            file: if frames == 0 {
                String::new()
            } else {
                place.finished()
            },
            duration: Duration::from_micros(micros),
            flaw,
        });
    }
}

fn has_room(disk: &impl Disk) -> io::Result<()> {
    match disk.free() {
        Some(free) if free < RESERVE => Err(io::Error::new(
            io::ErrorKind::StorageFull,
            "the disk is nearly full",
        )),
        _ => Ok(()),
    }
}

impl<F: io::Write + io::Seek> Open<F> {
    fn write(&mut self, frames: &[[i16; 2]]) -> io::Result<()> {
        self.file.write(frames)?;
        self.frames += u64::try_from(frames.len()).unwrap_or(0);
        Ok(())
    }

    fn silence_up_to(&mut self, from: u64) -> io::Result<()> {
        while self.frames < from {
            self.overrun = true;
            let piece = usize::try_from(PIECE.min(from - self.frames)).unwrap_or(0);
            self.write(&vec![[0; 2]; piece])?;
        }
        Ok(())
    }

    fn promise(&mut self) -> io::Result<()> {
        self.file.promise()?;
        self.promised = self.frames;
        Ok(())
    }
}

fn flaw(error: &io::Error) -> RecordingFlaw {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            RecordingFlaw::DiskFull
        }
        _ => RecordingFlaw::DiskFailed,
    }
}
