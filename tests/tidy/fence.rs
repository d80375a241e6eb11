//! The fence around the cores: each line of `.clippy.toml` has a probe in `probes.txt`, and its lint fires there.
//!
//! The probes become a small crate below the target directory, which clippy reads with our configuration. It has our own
//! versions of the crates that the bans name, so it needs no network once this workspace is built.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

use super::{root, verdict};

/// The crates that the bans name, besides the standard library, and what the probes need of them beyond the default. The
/// bans hold whatever features a crate of ours turns on one day.
const CRATES: [(&str, &str); 4] = [
    ("jiff", ""),
    ("parking_lot", ""),
    ("rand", ""),
    ("tokio", r#""net", "rt", "sync", "time""#),
];
/// The first lines of the crate of probes; one line follows for each probe.
const HEAD: &str = "#![deny(clippy::disallowed_methods, clippy::disallowed_types)]\n\
                    const D: std::time::Duration = std::time::Duration::ZERO;\n";

/// The banned paths, as `.clippy.toml` writes them.
fn bans() -> BTreeSet<String> {
    let text = fs::read_to_string(root().join(".clippy.toml")).expect("the bans can be read");
    let lines = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("{ path = \""));
    lines
        .filter_map(|line| line.split('"').next())
        .map(str::to_owned)
        .collect()
}

/// The probes: the banned path, and an expression that uses it.
fn probes() -> Vec<(String, String)> {
    let text = fs::read_to_string(root().join("tests/tidy/probes.txt")).expect("the probes can be read");
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once("  "))
        .map(|(ban, probe)| (ban.to_owned(), probe.to_owned()))
        .collect()
}

/// Writes the crate of probes with our versions of its dependencies.
fn write_crate(probes: &[(String, String)]) -> PathBuf {
    let place = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("fence");
    fs::create_dir_all(place.join("src")).expect("the target directory can be written");
    let workspace = fs::read_to_string(root().join("Cargo.toml")).expect("the root has a manifest");
    let dependency = |(name, features)| {
        let start = format!("{name} = {{ version = \"");
        let line = workspace.lines().find_map(|line| line.strip_prefix(&start));
        let version = line.and_then(|line| line.split('"').next());
        let version = version.expect("the workspace has each crate that a ban names");
        format!("{name} = {{ version = \"{version}\", features = [{features}] }}\n")
    };
    let manifest = format!(
        "[package]\nname = \"fence\"\nedition = \"2024\"\n[workspace]\n[dependencies]\n{}",
        CRATES.map(dependency).concat()
    );
    fs::write(place.join("Cargo.toml"), manifest).expect("the manifest can be written");
    // Cargo removes from this copy what the probes do not need, and leaves the versions as they are.
    fs::copy(root().join("Cargo.lock"), place.join("Cargo.lock")).expect("the lock file can be copied");
    let mut text = HEAD.to_owned();
    for (number, (_, probe)) in probes.iter().enumerate() {
        text.push_str(&format!("pub fn probe_{number}() {{ let _ = {probe}; }}\n"));
    }
    fs::write(place.join("src/lib.rs"), text).expect("the probes can be written");
    place
}

/// The banned paths that clippy finds, by line of the probes' crate; and everything it wrote.
fn findings(place: &PathBuf) -> (BTreeMap<usize, BTreeSet<String>>, String) {
    let run = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["clippy", "--offline", "--quiet", "--message-format=short"])
        .current_dir(place)
        .env("CLIPPY_CONF_DIR", root())
        .env("CARGO_TARGET_DIR", place.join("target"))
        .env_remove("RUSTFLAGS")
        .output()
        .expect("cargo can be run");
    let report = String::from_utf8_lossy(&run.stderr).into_owned();
    let mut found: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    for line in report
        .lines()
        .filter(|line| line.contains("use of a disallowed "))
    {
        let number = line.split(':').nth(1).and_then(|number| number.parse().ok());
        let path = line.split('`').nth(1);
        if let Some((number, path)) = number.zip(path) {
            found.entry(number).or_default().insert(path.to_owned());
        }
    }
    (found, report)
}

#[test]
fn the_lint_of_cores_fires_for_each_ban() {
    let (bans, probes) = (bans(), probes());
    assert!(bans.len() > 100, "the search finds the bans: {}", bans.len());
    let probed: BTreeSet<String> = probes.iter().map(|(ban, _)| ban.clone()).collect();
    let mut faults: Vec<String> = bans
        .symmetric_difference(&probed)
        .map(|path| {
            let fault = if bans.contains(path) {
                "has no probe in tests/tidy/probes.txt"
            } else {
                "has a probe and no ban"
            };
            format!("{path} {fault}")
        })
        .collect();
    let place = write_crate(&probes);
    let (found, report) = findings(&place);
    for (number, (ban, probe)) in probes.iter().enumerate() {
        let line = HEAD.lines().count() + number + 1;
        if !found.get(&line).is_some_and(|paths| paths.contains(ban)) {
            faults.push(format!("{ban} is used unseen: {probe}"));
        }
    }
    let rest: Vec<&str> = report
        .lines()
        .filter(|line| !line.contains("use of a disallowed"))
        .collect();
    verdict(
        &format!(
            "each ban of .clippy.toml stops what it names\n  {}",
            rest.join("\n  ")
        ),
        &faults,
    );
}
