//! The recorder: talks as stereo files, the caller left, the operator right.
//!
//! ```text
//!  media threads ── frames ──▶ bounded queue ──▶ one thread ──▶ unfinished/DAY_CALL-TICKET.wav.part
//!                                                                   │ fsync, then renamed
//!  on_kept ◀────────────────── what was kept ◀──────────────────────┴▶ YYYY/MM/DD/CALL-TICKET.wav
//! ```
//!
//! One thread writes all of them, so that a slow disk stops no talk: when its queue is full, frames are dropped and
//! counted, and the file has silence for them. Every frame goes to the operating system as it comes, and the header is
//! brought up to date each second of sound: after a kill at any moment the file can be played, and the next start keeps
//! it, marked. Where the disk is full or fails, the talk goes on and what there is is kept, marked.
//!
//! Nothing of a number or a name is in a path. Files are 0600, directories 0700.

mod disk;
mod place;
#[cfg(test)]
mod tests;
mod writer;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use pronto_types::TicketId;

use self::disk::FileSystem;
use self::writer::Writer;
use crate::talk::{FinishedRecording, Talk};

/// Blocks that may wait for the disk: 100 ms of stereo each, 26 MB in all; some seconds of hundreds of talks.
const WAITING: usize = 8_192;

/// An order to the recorder's thread.
enum Order {
    Begin(Talk),
    Frames(TicketId, u64, Box<[[i16; 2]]>),
    End(TicketId, u64),
    Close,
}

/// The way in for those who have frames. Cheap to clone; never blocks.
#[derive(Clone, Debug)]
pub struct Inlet {
    orders: Sender<Order>,
    traffic: Arc<Traffic>,
}

#[derive(Debug, Default)]
struct Traffic {
    /// Blocks the thread has not taken yet.
    waiting: AtomicUsize,
    /// Frames dropped because the thread did not keep up.
    dropped: AtomicU64,
    /// Recordings begun and not yet ended.
    open: AtomicUsize,
}

impl Inlet {
    /// The next frames of a recording; `from` came before them. Where the thread does not keep up they are dropped.
    pub fn frames(&self, ticket: TicketId, from: u64, frames: Box<[[i16; 2]]>) {
        let count = u64::try_from(frames.len()).unwrap_or(u64::MAX);
        if self.traffic.waiting.fetch_add(1, Ordering::AcqRel) >= WAITING
            || self.orders.send(Order::Frames(ticket, from, frames)).is_err()
        {
            self.traffic.waiting.fetch_sub(1, Ordering::AcqRel);
            self.traffic.dropped.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// Ends the recording after this number of frames. Always fits: each recording has one end.
    pub fn end(&self, ticket: TicketId, frames: u64) {
        // A thread that is gone has left the file for the next start.
        let _ = self.orders.send(Order::End(ticket, frames));
    }
}

/// The recorder. Dropping it finishes what is in its queue and leaves talks that have not ended for the next start.
#[derive(Debug)]
pub struct Recorder {
    inlet: Inlet,
    thread: Option<JoinHandle<()>>,
}

impl Recorder {
    /// Starts the thread. It first keeps what a killed process left in `directory`, then what it is told of; `on_kept`
    /// hears of each recording once and is called on that thread. Nothing is made on the disk before there is something
    /// to keep.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub fn start(
        directory: PathBuf,
        on_kept: impl Fn(FinishedRecording) + Send + 'static,
    ) -> io::Result<Recorder> {
        let (orders, inbox) = channel();
        let traffic = Arc::<Traffic>::default();
        let seen = Arc::clone(&traffic);
        let writer = Writer::new(FileSystem::new(directory), on_kept);
        let thread = std::thread::Builder::new()
            .name("pronto-recorder".to_owned())
            .spawn(move || run(writer, &inbox, &seen))?;
        Ok(Recorder {
            inlet: Inlet { orders, traffic },
            thread: Some(thread),
        })
    }

    /// A talk begins; its frames and its end follow through the [`Inlet`].
    pub fn begin(&self, talk: Talk) {
        self.inlet.traffic.open.fetch_add(1, Ordering::Relaxed);
        let _ = self.inlet.orders.send(Order::Begin(talk));
    }

    /// The way in for the media threads.
    pub fn inlet(&self) -> Inlet {
        self.inlet.clone()
    }

    /// Frames dropped since start because the disk did not keep up.
    pub fn dropped(&self) -> u64 {
        self.inlet.traffic.dropped.load(Ordering::Relaxed)
    }

    /// Talks being recorded.
    pub fn open(&self) -> usize {
        self.inlet.traffic.open.load(Ordering::Relaxed)
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = self.inlet.orders.send(Order::Close);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the recorder panicked");
        }
    }
}

fn run(
    mut writer: Writer<FileSystem, impl Fn(FinishedRecording)>,
    inbox: &Receiver<Order>,
    traffic: &Traffic,
) {
    writer.sweep();
    while let Ok(order) = inbox.recv() {
        match order {
            Order::Begin(talk) => writer.begin(talk),
            Order::Frames(ticket, from, frames) => {
                traffic.waiting.fetch_sub(1, Ordering::AcqRel);
                writer.frames(ticket, from, &frames);
            }
            Order::End(ticket, frames) => {
                traffic.open.fetch_sub(1, Ordering::Relaxed);
                writer.end(ticket, frames);
            }
            Order::Close => return,
        }
    }
}
