//! Phone bindings on disk: a restart must not lose an operator until the phone refreshes, minutes later.
//!
//! One small text, replaced as a whole; its size is bounded by the operators and the bindings each may have. Losing it
//! costs one refresh of each phone, so its failures are told and stop nothing. It says where operators are: only we read it.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pronto_types::OperatorId;
use tokio::task::JoinHandle;

const FILE: &str = "bindings.txt";
/// No file of ours is longer: 20,000 operators of eight phones.
const LONGEST: u64 = 64 << 20;
/// Read and written by its owner alone.
const PRIVATE: u32 = 0o600;

/// The file, and what it holds.
pub(super) struct Bindings {
    path: PathBuf,
    /// The version written last.
    written: u64,
    gathering: Option<Gathering>,
    writing: Option<JoinHandle<()>>,
    /// The last writing failed: that is told once.
    failing: Arc<AtomicBool>,
}

/// A text being put together, some lines at a time.
#[derive(Default)]
struct Gathering {
    text: String,
    /// The last operator in it.
    after: Option<OperatorId>,
}

impl Bindings {
    /// Opens the file in the store's directory and returns its text; empty if there is no file.
    pub(super) fn open(directory: &Path, version: u64) -> (Self, String) {
        let path = directory.join(FILE);
        let saved = read(&path).unwrap_or_else(|error| {
            if error.kind() != io::ErrorKind::NotFound {
                tracing::warn!(%error, "bindings cannot be read: phones are reached once they refresh");
            }
            String::new()
        });
        let bindings = Bindings {
            path,
            written: version,
            gathering: None,
            writing: None,
            failing: Arc::default(),
        };
        (bindings, saved)
    }

    /// Begins to put together what has changed; not while the last writing goes on.
    pub(super) fn begin(&mut self, version: u64) {
        let busy = self.gathering.is_some() || self.writing.as_ref().is_some_and(|task| !task.is_finished());
        let is_written = version == self.written && !self.failing.load(Ordering::Relaxed);
        if !is_written && !busy {
            // What changes from here on has another version, and is written the next time.
            self.written = version;
            self.gathering = Some(Gathering::default());
        }
    }

    /// While a text is put together: after which operator it goes on.
    pub(super) fn gathering(&self) -> Option<Option<&OperatorId>> {
        self.gathering.as_ref().map(|gathering| gathering.after.as_ref())
    }

    /// Takes the next lines; after the last of them, writes them all without waiting.
    pub(super) fn gathered(&mut self, lines: &str, after: Option<OperatorId>) {
        let Some(mut gathering) = self.gathering.take() else {
            return;
        };
        gathering.text += lines;
        if after.is_some() {
            gathering.after = after;
            self.gathering = Some(gathering);
        } else {
            self.write(gathering.text);
        }
    }

    fn write(&mut self, text: String) {
        let path = self.path.clone();
        let failing = Arc::clone(&self.failing);
        self.writing = Some(tokio::task::spawn_blocking(move || {
            let written = write(&path, &text);
            let failed_before = failing.swap(written.is_err(), Ordering::Relaxed);
            if let Err(error) = written
                && !failed_before
            {
                tracing::warn!(%error, "bindings cannot be written: after a restart phones are reached once they refresh");
            }
        }));
    }

    /// Writes what is left to write, before the process goes.
    pub(super) async fn close(mut self, version: u64, text: impl FnOnce() -> String) {
        if let Some(task) = self.writing.take() {
            let _ = task.await;
        }
        if version != self.written || self.gathering.is_some() {
            self.write(text());
        }
        if let Some(task) = self.writing.take() {
            let _ = task.await;
        }
    }
}

fn read(path: &Path) -> io::Result<String> {
    let file = File::open(path)?;
    // Files of versions before this one were everybody's to read.
    if file.metadata()?.permissions().mode() & 0o7777 != PRIVATE
        && let Err(error) = file.set_permissions(Permissions::from_mode(PRIVATE))
    {
        tracing::warn!(%error, "others may read where operators are: {}", path.display());
    }
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text)?;
    Ok(text)
}

/// The whole new text or the whole old one, whatever happens meanwhile.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    let written = create(&new)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        // A full disk has better uses for a half of it.
        let _ = fs::remove_file(&new);
    }
    written
}

/// An empty file of ours alone. One left behind by a process that was killed may have another mode.
fn create(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(PRIVATE).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_written_last_is_read_and_what_has_not_changed_is_not_written() {
        let directory = std::env::temp_dir().join(format!("pronto-bindings-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let (mut bindings, saved) = Bindings::open(&directory, 0);
        assert_eq!(saved, "");
        bindings.begin(0);
        assert!(bindings.gathering().is_none(), "nothing has changed");
        bindings.begin(1);
        assert_eq!(bindings.gathering(), Some(None));
        let operator = OperatorId::new("101").unwrap();
        bindings.gathered("o", Some(operator.clone()));
        bindings.begin(2);
        assert_eq!(bindings.gathering(), Some(Some(&operator)), "one text at a time");
        bindings.gathered("ne", None);
        assert!(bindings.gathering().is_none());
        bindings.close(2, || "two".to_owned()).await;
        let (bindings, saved) = Bindings::open(&directory, 7);
        assert_eq!(saved, "two");
        bindings.close(7, || panic!("nothing has changed")).await;
        fs::remove_dir_all(&directory).unwrap();
    }

    #[tokio::test]
    async fn where_operators_are_is_nobody_elses_to_read_and_an_old_file_is_mended() {
        let directory = std::env::temp_dir().join(format!("pronto-bindings-mode-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let mode = |name: &str| fs::metadata(directory.join(name)).unwrap().permissions().mode() & 0o7777;
        for name in [FILE, "bindings.new"] {
            fs::write(directory.join(name), "old").unwrap();
            fs::set_permissions(directory.join(name), Permissions::from_mode(0o644)).unwrap();
        }
        let (bindings, saved) = Bindings::open(&directory, 0);
        assert_eq!(
            (saved.as_str(), mode(FILE)),
            ("old", 0o600),
            "at the start, before anything is written"
        );
        bindings.close(1, || "new".to_owned()).await;
        assert_eq!(mode(FILE), 0o600);
        fs::remove_dir_all(&directory).unwrap();
    }
}
