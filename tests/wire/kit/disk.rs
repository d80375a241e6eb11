//! A small disk: a tmpfs of its own. A test may mount one as root, or in a user namespace ([`super::namespace`]).

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::namespace;

pub(crate) struct Disk(PathBuf);

impl Disk {
    /// Whether `test` may mount one, and goes on. If not, the test has been run elsewhere or skipped, and returns:
    /// see [`namespace::goes_on_here`].
    pub(crate) fn is_possible(test: &str) -> bool {
        let probe = std::env::temp_dir().join(format!("pronto-wire-disk-{}", std::process::id()));
        let possible = Disk::mount(&probe, 1).is_some();
        let _ = fs::remove_dir(&probe);
        namespace::goes_on_here(test, possible)
    }

    /// Mounts one of some MiB at `path`.
    pub(crate) fn mount(path: &Path, mebibytes: u64) -> Option<Disk> {
        fs::create_dir_all(path).expect("the test's directory is writable");
        let size = format!("size={mebibytes}m,mode=0700");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "none"])
            .arg(path)
            .output();
        let mounted = mounted.is_ok_and(|mounted| mounted.status.success());
        mounted.then(|| Disk(path.to_owned()))
    }

    /// Takes all room there is.
    pub(crate) fn fill(&self) {
        let (mut hog, mut number) = (Err(()), 0);
        while hog.is_err() {
            number += 1;
            hog = File::create_new(self.hog(number)).map_err(drop);
        }
        let mut hog = hog.expect("a loop ends with it");
        for piece in [1 << 20, 1 << 12] {
            let piece = vec![1; piece];
            while hog.write_all(&piece).is_ok() {}
        }
    }

    /// Gives all of it back.
    pub(crate) fn empty(&self) {
        for number in (1..).take_while(|number| self.hog(*number).exists()) {
            fs::remove_file(self.hog(number)).expect("our own file can be removed");
        }
    }

    /// Takes the reserves away, and their room.
    pub(crate) fn take_reserves(&self) {
        let reserves = ["ledger", "journal"].map(|log| self.0.join(format!("{log}.sqlite.reserve")));
        for _ in 0..20 {
            for reserve in &reserves {
                let _ = fs::remove_file(reserve);
            }
            self.fill();
            if reserves.iter().all(|reserve| !reserve.exists()) {
                return;
            }
        }
        panic!("the reserves are made again and again");
    }

    fn hog(&self, number: u32) -> PathBuf {
        self.0.join(format!("hog-{number}"))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
