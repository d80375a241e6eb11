//! A network of a test's own: a namespace with a network card beside the loopback, as most machines have one.

use std::process::Command;
use std::time::Duration;

use super::namespace;
use super::process::Process;

/// Run in the namespace before the test: the loopback, a card with an address, a way out that leads nowhere.
const SETUP: &str = "set -e; ip link set lo up; ip link add card type veth peer name far; \
     ip addr add 10.99.8.7/24 dev card; ip link set card up; ip link set far up; ip route add default via 10.99.8.1; \
     exec \"$@\"";

/// Runs an ignored test of this binary inside such a network, and fails as it fails. Where the system allows no
/// namespaces (no root, and user namespaces switched off), see [`namespace::refused`].
pub(crate) fn run_in_own_network(test: &str, patience: Duration) {
    const UNSHARE: [&str; 2] = ["--net", "--map-root-user"];
    if !namespace::allows(&UNSHARE) {
        return namespace::refused(test, "a network namespace");
    }
    let binary = std::env::current_exe().expect("a test knows its own binary");
    let mut command = Command::new("unshare");
    command
        .args(UNSHARE)
        .args(["sh", "-c", SETUP, "sh"])
        .arg(binary)
        .args(["--exact", test, "--ignored", "--nocapture"]);
    let mut inside = Process::start(test, &mut command);
    let status = inside.wait_for_exit(patience);
    let log = namespace::indented(&inside.log());
    assert!(
        status.is_some_and(|status| status.success()),
        "{status:?}:\n{log}"
    );
    assert!(log.contains("1 passed"), "the test was found and ran:\n{log}");
}
