//! How the store stands: its reserve, the room of its disk, and whether its files are still those that were opened.
//! Looked at each second on the writer's thread. Each change is one line in the log and a figure in the metrics.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use std::time::{Duration, Instant};

use metrics::Gauge;
use parking_lot::Mutex;

use super::files;
use super::identity::StoreFile;
use super::reserve::Reserve;
use crate::limits::{RESERVE, ROOM};
use crate::{Health, StoreError};

/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);
/// Between two warnings that a disk is nearly full.
const WARN_AGAIN: Duration = Duration::from_secs(3_600);
/// A disk with less than this share of it free, in percent, is nearly full.
const NEARLY_FULL: u64 = 10;
/// From this much free room on a disk that was full is so no more: well above [`ROOM`], so that it does not change
/// with every commit.
const ROOM_AGAIN: u64 = 4 * ROOM;
/// The value of `pronto_store_degraded` of a store that has stopped.
const FAILED: f64 = 3.0;

/// The room of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) free: u64,
    total: u64,
}

/// See the module's page.
pub(super) struct Condition {
    path: PathBuf,
    reserve: Reserve,
    health: Health,
    /// Whether commits fail for now.
    stalled: bool,
    /// Less than [`ROOM`] was free.
    full: bool,
    files: Vec<Identity>,
    due: Instant,
    room: Gauge,
    degraded: Gauge,
}

/// A file of the store, and which one it was when it was first seen.
struct Identity {
    path: PathBuf,
    found: Option<StoreFile>,
}

impl Condition {
    /// The condition of a store that has just been opened: its files are there.
    pub(super) fn new(path: &Path, reserve: Reserve) -> Self {
        metrics::describe_gauge!(
            "pronto_store_room_bytes",
            "Free room on the disk of a store (ledger, journal)"
        );
        metrics::describe_gauge!(
            "pronto_store_degraded",
            "0: the store is sound; 1: full, it writes in its reserve; 2: it cannot write for now; 3: it has stopped"
        );
        let name = path
            .file_stem()
            .map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        let files = [
            path.to_owned(),
            files::suffixed(path, "-wal"),
            files::suffixed(path, "-shm"),
            files::beside(path, "lock"),
        ];
        let identity = |path: PathBuf| Identity {
            found: StoreFile::at(&path).ok(),
            path,
        };
        Condition {
            path: path.to_owned(),
            reserve,
            health: Health::Sound,
            stalled: false,
            full: false,
            files: files.map(identity).into(),
            due: Instant::now(),
            room: metrics::gauge!("pronto_store_room_bytes", "store" => name.clone()),
            degraded: metrics::gauge!("pronto_store_degraded", "store" => name),
        }
    }

    /// How long until the next look.
    pub(super) fn due_in(&self) -> Duration {
        self.due.saturating_duration_since(Instant::now())
    }

    /// Looks at files and room, and renews the reserve where it can. Returns the health if it has changed.
    pub(super) fn look(&mut self) -> Result<Option<Health>, StoreError> {
        self.due = Instant::now() + LOOK;
        for file in &mut self.files {
            file.check()?;
        }
        let room = room(&self.path);
        if let Some(room) = room {
            self.room.set(room.free as f64);
            self.full = room.free < if self.full { ROOM_AGAIN } else { ROOM };
            warn_of_little_room(&self.path, room);
        }
        self.reserve.renew(room.map(|room| room.free));
        Ok(self.changed(room, None))
    }

    /// Gives the reserve up. False if there was no reserve: the disk is as full as before.
    pub(super) fn give_up_reserve(&mut self) -> bool {
        self.reserve.give_up()
    }

    /// A commit failed, and will be tried again. Returns the health if it has changed.
    pub(super) fn failing(&mut self, error: &StoreError) -> Option<Health> {
        self.stalled = true;
        self.changed(room(&self.path), Some(error))
    }

    /// A commit succeeded. Returns the health if it has changed.
    pub(super) fn committed(&mut self) -> Option<Health> {
        if !self.stalled && (self.health == Health::Tight || self.reserve.is_settled()) {
            return None;
        }
        self.stalled = false;
        self.changed(room(&self.path), None)
    }

    /// The store stops for good.
    pub(super) fn failed(&self) {
        self.degraded.set(FAILED);
    }

    /// Returns the health if it has changed; `failed` is why the last commit failed, if it did.
    fn changed(&mut self, room: Option<Room>, failed: Option<&StoreError>) -> Option<Health> {
        let health = if self.stalled {
            Health::Stalled
        } else if self.full || !self.reserve.is_settled() {
            Health::Tight
        } else {
            Health::Sound
        };
        let before = std::mem::replace(&mut self.health, health);
        let (store, free) = (self.path.display(), room.map(|room| octets(room.free)));
        let (figure, changed) = match health {
            Health::Sound => (0.0, before != health),
            Health::Tight => (1.0, before != health),
            Health::Stalled => (2.0, before != health),
        };
        self.degraded.set(figure);
        if !changed {
            return None;
        }
        let free = free.as_deref().unwrap_or("unknown");
        let needed = if self.reserve.is_settled() {
            ROOM_AGAIN
        } else {
            RESERVE + ROOM_AGAIN
        };
        let why = match (failed, self.reserve.trouble()) {
            (Some(error), _) => error.to_string(),
            (None, Some(trouble)) if !self.full => trouble.to_owned(),
            (None, _) => "the disk is full".to_owned(),
        };
        match health {
            Health::Sound => tracing::info!(%store, free, "the store has room again: new calls are taken"),
            Health::Tight => tracing::error!(
                %store,
                free,
                needed = octets(needed),
                "{why}: no new calls; people who are here go on in the room that is left"
            ),
            Health::Stalled => tracing::error!(
                %store,
                free,
                "{why}: no new calls; what happens is kept in memory and written when the store can be written again"
            ),
        }
        Some(health)
    }
}

impl Identity {
    /// Whether the path still leads to the file that was opened.
    fn check(&mut self) -> Result<(), StoreError> {
        match &self.found {
            Some(known) => known.check(),
            None => {
                // Not there yet, or the disk does not say.
                self.found = StoreFile::at(&self.path).ok();
                Ok(())
            }
        }
    }
}

/// The room of the disk where the store is; `None` where that cannot be said.
pub(super) fn room(path: &Path) -> Option<Room> {
    let found = rustix::fs::statvfs(files::directory(path)).ok()?;
    Some(Room {
        free: found.f_bavail.saturating_mul(found.f_frsize),
        total: found.f_blocks.saturating_mul(found.f_frsize),
    })
}

/// Once an hour for each disk, whatever the number of stores on it.
fn warn_of_little_room(path: &Path, room: Room) {
    static WARNED: Mutex<BTreeMap<u64, Instant>> = Mutex::new(BTreeMap::new());
    if !room.is_little() {
        return;
    }
    let Ok(directory) = StoreFile::at(files::directory(path)) else {
        return;
    };
    let device = directory.device();
    let now = Instant::now();
    let mut warned = WARNED.lock();
    let before = warned.get(&device).copied();
    if before.is_none_or(|before| now.duration_since(before) >= WARN_AGAIN) {
        warned.insert(device, now);
        let (free, total) = (octets(room.free), octets(room.total));
        tracing::warn!(disk_of = %path.display(), free, total, "the disk is nearly full: when it is full, no new calls are taken");
    }
}

impl Room {
    fn is_little(self) -> bool {
        u128::from(self.free) * 100 < u128::from(self.total) * u128::from(NEARLY_FULL)
    }
}

/// Octets as text, for example `8.0 MiB`.
fn octets(count: u64) -> String {
    let mut count = count as f64;
    for unit in ["octets", "KiB", "MiB", "GiB"] {
        if count < 1_024.0 {
            return format!("{count:.1} {unit}");
        }
        count /= 1_024.0;
    }
    format!("{count:.1} TiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_the_disk_is_little_room() {
        let total = 1_000 << 20;
        let room = |free| Room { free, total };
        assert!(room(total / 10 - 1).is_little());
        assert!(!room(total / 10).is_little());
        let huge = Room {
            free: u64::MAX,
            total: u64::MAX,
        };
        assert!(!huge.is_little(), "no overflow");
    }

    #[test]
    fn sizes_are_read_by_people() {
        assert_eq!(octets(12 << 20), "12.0 MiB");
        assert_eq!(octets(0), "0.0 octets");
        assert_eq!(octets(5 << 40), "5.0 TiB");
    }
}
