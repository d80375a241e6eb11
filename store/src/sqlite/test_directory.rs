//! A directory of its own for each test, gone with it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

pub(crate) struct TestDirectory(PathBuf);

impl TestDirectory {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("pronto-store-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        TestDirectory(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A copy of all files but the reserve, as a crash leaves them.
    pub(crate) fn copy(&self) -> TestDirectory {
        let copy = TestDirectory::new();
        for file in std::fs::read_dir(&self.0).unwrap() {
            let file = file.unwrap();
            if is_reserve(&file.path()) {
                continue;
            }
            std::fs::copy(file.path(), copy.path(file.file_name().to_str().unwrap())).unwrap();
        }
        copy
    }

    /// Whether any file holds these bytes.
    pub(crate) fn holds(&self, needle: &[u8]) -> bool {
        let files = std::fs::read_dir(&self.0).unwrap();
        files
            .map(|file| file.unwrap().path())
            .filter(|path| !is_reserve(path))
            .map(|path| std::fs::read(path).unwrap())
            .any(|bytes| bytes.windows(needle.len()).any(|window| window == needle))
    }
}

/// It is large, and nothing was ever written to it.
fn is_reserve(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "reserve")
}

impl Drop for TestDirectory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(Path::new(&self.0));
    }
}
