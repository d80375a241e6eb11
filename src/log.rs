//! The log's way to standard error: by a thread of its own. A reader that stalls (a pager, a terminal that was stopped)
//! or has gone (`serve 2>&1 | head`) holds up nobody; what it does not take in time is dropped and counted.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Lines that wait to be written; the next is dropped.
const WAITING: usize = 8_192;
/// Bytes written at once.
const AT_ONCE: usize = 64 * 1024;
/// After a write that emptied the queue, so that a busy log wakes its thread twenty times a second and not at each line.
const APART: Duration = Duration::from_millis(50);
/// At the end of the process, how long the last lines may take.
const LAST: Duration = Duration::from_secs(1);

enum Said {
    Line(Vec<u8>),
    /// Everything before this is to be written now, and this told.
    Flush(SyncSender<()>),
}

/// The log of the process. Dropped at the end of the process, it waits at most 1 s for the last lines.
#[must_use = "the last lines are written when it is dropped"]
pub struct Log(SyncSender<Said>);

impl Log {
    /// Logs from now on what passes the filter.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn start(filter: Targets) -> io::Result<Log> {
        let (said, lines) = sync_channel(WAITING);
        let dropped = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&dropped);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write(&lines, &counted, &mut io::stderr()))?;
        let line = Line {
            said: said.clone(),
            dropped,
        };
        let layer = tracing_subscriber::fmt::layer()
            .with_writer(move || line.clone())
            // It would complain on standard error, and panic if that is closed.
            .log_internal_errors(false)
            .with_ansi(io::stderr().is_terminal());
        tracing_subscriber::registry().with(filter).with(layer).init();
        Ok(Log(said))
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let (written, done) = sync_channel(1);
        if self.0.try_send(Said::Flush(written)).is_ok() {
            let _ = done.recv_timeout(LAST);
        }
    }
}

/// Takes a line, which is handed over whole.
#[derive(Clone)]
struct Line {
    said: SyncSender<Said>,
    dropped: Arc<AtomicU64>,
}

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.said.try_send(Said::Line(line.to_vec())).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes lines until nobody is left to say any. A fault of the output is nobody's to hear.
fn write(lines: &Receiver<Said>, dropped: &AtomicU64, out: &mut impl Write) {
    let mut text = Vec::new();
    while let Ok(first) = lines.recv() {
        let mut next = Some(first);
        let (mut waiting, mut is_empty) = (None, false);
        while let Some(said) = next {
            match said {
                Said::Line(line) => text.extend(line),
                Said::Flush(written) => waiting = Some(written),
            }
            is_empty = false;
            if text.len() < AT_ONCE && waiting.is_none() {
                next = lines.try_recv().ok();
                is_empty = next.is_none();
            } else {
                next = None;
            }
        }
        let lost = dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            text.extend(
                format!("{lost} lines of the log were dropped: standard error was not read\n").bytes(),
            );
        }
        let _ = out.write_all(&text);
        text.clear();
        match waiting {
            Some(written) => drop(written.send(())),
            None if is_empty => thread::sleep(APART),
            // More waits already.
            None => {}
        }
    }
}

/// Says something on standard error. That nobody reads it any more is not an error.
pub fn complain(text: impl std::fmt::Display) {
    let _ = io::stderr().write_all(text.to_string().as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stalled_reader_does_not_take_is_dropped_and_counted_and_holds_up_nobody() {
        let (said, lines) = sync_channel(2);
        let dropped = Arc::new(AtomicU64::new(0));
        let mut line = Line {
            said: said.clone(),
            dropped: Arc::clone(&dropped),
        };
        for text in ["one\n", "two\n", "three\n", "four\n"] {
            assert_eq!(line.write(text.as_bytes()).unwrap(), text.len());
        }
        drop((line, said));
        let mut out = Vec::new();
        write(&lines, &dropped, &mut out);
        let out = String::from_utf8(out).unwrap();
        assert_eq!(
            out,
            "one\ntwo\n2 lines of the log were dropped: standard error was not read\n"
        );
    }
}
