//! The load bench: what a call costs, and how long a caller waits for an operator who is free.
//!
//! The server runs on one processor, this driver and its SIPp on another; each figure is the median of three runs, each
//! with a fresh server. `tests/load/run` starts it; `tests/load/README.md` says how to repeat it and what was measured.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a bench that cannot measure stops"
)]

mod account;
mod bridged;
#[path = "../wire/kit/mod.rs"]
#[allow(dead_code, reason = "the bench needs a part of the wire tests' kit")]
mod kit;
mod playing;
mod queueing;
mod signalling;
mod stream;

/// The server's processor; the driver is pinned to another by `tests/load/run`.
const SERVER: usize = 0;
const RUNS: usize = 3;

fn main() {
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    // Numbers are the signalling calls a second to measure, instead of the usual ones.
    let (rates, words): (Vec<_>, Vec<_>) = words.into_iter().partition(|word| word.parse::<u32>().is_ok());
    let rates: Vec<u32> = rates.iter().filter_map(|word| word.parse().ok()).collect();
    let wanted = |name: &str| words.is_empty() || words.iter().any(|word| word == name);
    let known = [
        "signalling",
        "playing",
        "memory",
        "bridged",
        "offer",
        "queue",
        "try",
    ];
    if let Some(word) = words.iter().find(|word| !known.contains(&word.as_str())) {
        eprintln!("unknown word `{word}`: expected one of {}", known.join(", "));
        std::process::exit(2);
    }
    if words.iter().any(|word| word == "try") {
        // A short pass over everything: does the bench itself work?
        signalling::report(&[50], 1);
        playing::report(&[10], 1);
        playing::report_memory((10, 30), 1);
        bridged::report(&[5], 1);
        queueing::report_offers(1);
        queueing::report_queue(&[20], 1);
        return;
    }
    if wanted("signalling") {
        let usual = [100, 400, 700, 1_000, 1_500, 2_000];
        signalling::report(if rates.is_empty() { &usual } else { &rates }, RUNS);
    }
    if wanted("playing") {
        playing::report(&[100, 300, 600], RUNS);
    }
    if wanted("memory") {
        playing::report_memory((100, 500), RUNS);
    }
    if wanted("bridged") {
        bridged::report(&[100], RUNS);
    }
    if wanted("offer") {
        queueing::report_offers(RUNS);
    }
    if wanted("queue") {
        queueing::report_queue(&[50, 200], RUNS);
    }
}

/// Asterisk 22.10.1's figure for the same load, on the same kind of machine with the same drivers; printed beside ours.
fn asterisk(figure: Option<&str>) -> String {
    figure
        .map(|figure| format!("  (Asterisk {figure})"))
        .unwrap_or_default()
}

/// The middle of some figures.
fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Runs a measurement some times and takes the median of each of its figures.
fn medians<const N: usize>(runs: usize, measure: impl Fn() -> [f64; N]) -> [f64; N] {
    let all: Vec<[f64; N]> = (0..runs).map(|_| measure()).collect();
    std::array::from_fn(|figure| median(all.iter().map(|run| run[figure]).collect()))
}
