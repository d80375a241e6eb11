//! The cost of a signalling call in the pure core: INVITE with SDP answered, ACK, BYE, the trace ring kept, on one
//! processor, without sockets, media threads, disk and link. Also the memory held: by a call that is up, and by the
//! transactions that linger after it (RFC 3261 §17.2: 32 seconds over UDP).
//!
//!     taskset -c 1 cargo bench --locked -p pronto-gateway --bench signalling
//!
//! The core's clock turns a millisecond a call, so that 32,000 ended calls linger, as at 1,000 calls a second.
#![allow(clippy::expect_used, reason = "a bench that cannot measure stops")]

#[allow(dead_code, reason = "each bench needs a part of it")]
mod house;

use std::time::{Duration, Instant};

use house::House;
use mimalloc::MiMalloc;

/// The binary's allocator.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const CALLS: u32 = 100_000;
const TURN: Duration = Duration::from_millis(1);
/// 64*T1, and what is left of the last call.
const LINGER: Duration = Duration::from_secs(33);

fn cost() -> Duration {
    let mut house = House::open(1_000);
    let mut start = Instant::now();
    for call in 0..CALLS + 33_000 {
        if call == 33_000 {
            // As many linger now as at any time from here on.
            start = Instant::now();
        }
        let tag = house.dial(call);
        house.hang_up(call, &tag);
        house.pass(TURN);
    }
    start.elapsed() / CALLS
}

/// Octets of resident memory.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .expect("VmRSS");
    let kibibytes: usize = line
        .split_ascii_whitespace()
        .nth(1)
        .and_then(|n| n.parse().ok())
        .expect("kB");
    kibibytes << 10
}

/// Octets for a call that is up, its INVITE's transaction gone.
fn of_a_call() -> usize {
    const UP: u32 = 8_000;
    let mut house = House::open(0);
    // What is set up once, and in use again after it.
    let tag = house.dial(UP);
    house.hang_up(UP, &tag);
    house.pass(LINGER);
    let before = resident();
    for call in 0..UP {
        house.dial(call);
        if call % 500 == 499 {
            // The transactions of these are gone before the next are.
            house.pass(LINGER);
        }
    }
    let counts = house.gateway.sip_counts();
    assert_eq!((counts.transactions, counts.dialogs), (0, UP as usize));
    (resident() - before) / UP as usize
}

/// Octets for a transaction that lingers: of each call its INVITE's and its BYE's.
fn of_a_transaction() -> usize {
    let mut house = House::open(0);
    let before = resident();
    for call in 0..32_000 {
        let tag = house.dial(call);
        house.hang_up(call, &tag);
        house.pass(Duration::ZERO);
    }
    let lingering = house.gateway.sip_counts().transactions;
    let octets = (resident() - before) / lingering;
    assert_eq!(lingering, 64_000);
    house.pass(LINGER);
    let counts = house.gateway.sip_counts();
    assert_eq!((counts.transactions, counts.dialogs), (0, 0), "none is left");
    octets
}

/// Its name, how it is done, and of what it is.
type Measurement = (&'static str, fn() -> usize, &'static str);

/// A measurement of memory has a process of its own: nothing is free in it that something else needed.
const MEASUREMENTS: [Measurement; 2] = [
    ("call", of_a_call, "a call that is up"),
    ("transaction", of_a_transaction, "a transaction that lingers"),
];

fn main() {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    if let Some((_, measure, what)) = MEASUREMENTS.iter().find(|(name, ..)| *name == wanted) {
        println!("{what}: {} octets, resident", measure());
        return;
    }
    let own = std::env::current_exe().expect("Linux");
    for (name, ..) in MEASUREMENTS {
        let ended = std::process::Command::new(&own).arg(name).status();
        assert!(ended.is_ok_and(|status| status.success()), "{name} was measured");
    }
    let mut costs: Vec<Duration> = (0..3).map(|_| cost()).collect();
    costs.sort();
    println!(
        "a signalling call in the core: {:.1} µs (median of three)",
        costs[1].as_secs_f64() * 1e6
    );
}
