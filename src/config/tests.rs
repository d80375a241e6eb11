//! Whole files in, whole pages out.

mod files;
mod grpc;
mod legal;
mod numbers;
mod people;
mod recording;
mod services;
mod sockets;
mod tls;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Config, Report};

/// A folder of its own, gone at the end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!(
            "pronto-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file, and the folders above it.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Reads a text as `pronto.toml` in a folder, where no variable is set but `SET`.
fn read(text: &str, folder: &Path) -> Result<Config, Report> {
    let look_up = |name: &str| (name == "SET").then(|| "correct horse".to_owned());
    super::read::read(text, "pronto.toml", folder, Some(&look_up))
}

const SUPPORT: &str = "\
start = \"welcome\"
[welcome]
say = [\"welcome\"]
next = \"support\"
[support]
queue = \"support\"
";

const MISSPELT: &str = "\
start = \"welcome\"
[welcome]
say = [\"wellcome\"]
next = \"support\"
[support]
queue = \"suport\"
";

const BROKEN: &str = "\
start = \"welcom\"
[welcome]
say = [\"welcome\"]
nekst = \"support\"
";

const ASKING: &str = "\
start = \"how-long\"
[how-long]
forecast = \"suport\"
limit = \"10 min\"
longer = \"menu\"
next = \"support\"
[menu]
menu = [\"main-menu\", { forecast = \"sails\" }]
keys = { 1 = \"support\" }
[support]
queue = \"support\"
";

/// The page of a text, errors or warnings, with the flows above beside it. A leading line break is not part
/// of either.
#[track_caller]
fn assert_page(text: &str, page: &str) {
    let folder = Folder::new();
    for (name, flow) in [
        ("support", SUPPORT),
        ("misspelt", MISSPELT),
        ("broken", BROKEN),
        ("asking", ASKING),
        ("asked", &ASKING.replace("10 min", "10m")),
    ] {
        folder.write(&format!("flows/{name}.toml"), flow);
    }
    let text = text.strip_prefix('\n').unwrap_or(text);
    let drawn = match read(text, folder.path()) {
        Ok(config) => config.warnings.to_string(),
        Err(report) => report.to_string(),
    };
    assert!(
        drawn == page.strip_prefix('\n').unwrap_or(page),
        "the page is\n<<<\n{drawn}>>>"
    );
}
