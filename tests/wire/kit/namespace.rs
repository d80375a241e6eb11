//! Tests that do what only root may do: mount a file system, make a network. Without the right they run again in a user
//! namespace. Where the system refuses that too they fail, so that a test that did not run never counts as passed.
//!
//! The tests of `store` use this file too, so it needs nothing but the standard library.

use std::env;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::process::Command;

/// With `1` in this variable, a test that the system refuses is skipped and does not fail.
const SKIP: &str = "PRONTO_SKIP_NAMESPACES";
/// The file to which each skipped test adds a line. `tests/run` prints and counts the lines.
const SKIPPED: &str = "PRONTO_SKIPPED";
/// Set in a user namespace, so that a test starts no second one.
const INSIDE: &str = "PRONTO_INSIDE_NAMESPACE";

/// Whether `test` goes on in this process, which it does where this process `may` do what the test needs. If not, the
/// test has been run in a user namespace with a mount namespace, or skipped: the caller returns.
///
/// # Panics
/// If the test failed in its namespace, or if there can be none and nobody asked to skip.
pub(crate) fn goes_on_here(test: &str, may: bool) -> bool {
    if may {
        return true;
    }
    assert!(
        env::var_os(INSIDE).is_none(),
        "{test}: no tmpfs can be mounted, not even in a user namespace"
    );
    if !allows(&["-rm"]) {
        refused(test, "a mounted tmpfs");
        return false;
    }
    let binary = env::current_exe().expect("a test knows its own binary");
    let inside = Command::new("unshare")
        .arg("-rm")
        .arg(binary)
        .args(["--exact", test])
        .env(INSIDE, "1")
        .output()
        .expect("unshare has just been run");
    let said = [inside.stdout, inside.stderr].map(|text| indented(&String::from_utf8_lossy(&text)));
    assert!(
        inside.status.success(),
        "in a user namespace, {test} ended with {}:\n{}{}",
        inside.status,
        said[0],
        said[1]
    );
    assert!(
        said[0].contains("1 passed"),
        "there is no test {test}:\n{}",
        said[0]
    );
    false
}

/// Whether `unshare` works with these arguments.
pub(crate) fn allows(arguments: &[&str]) -> bool {
    let tried = Command::new("unshare").args(arguments).arg("true").output();
    tried.is_ok_and(|tried| tried.status.success())
}

/// Notes that `test` is skipped for want of `what`.
///
/// # Panics
/// If nobody asked to skip.
pub(crate) fn refused(test: &str, what: &str) {
    assert!(
        env::var(SKIP).is_ok_and(|skip| skip == "1"),
        "{test} needs {what}, and this system refuses it: run the tests as root, or allow user namespaces, or set \
         {SKIP}=1 to skip such tests"
    );
    if let Some(path) = env::var_os(SKIPPED) {
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let line = format!("{test} needs {what}, and this system refuses it\n");
        // One write: tests that run side by side do not mix their lines.
        let written = file.and_then(|mut file| file.write_all(line.as_bytes()));
        written.unwrap_or_else(|error| panic!("cannot write `{}`: {error}", path.display()));
    }
    eprintln!("SKIPPED: {test} needs {what}, and this system refuses it");
}

/// A log inside a log: whoever counts results takes none of its lines for one of the outer run.
pub(crate) fn indented(log: &str) -> String {
    log.lines().map(|line| format!("    {line}\n")).collect()
}
