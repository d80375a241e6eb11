use std::time::Duration;

use super::{Totals, World};

const LENGTH: Duration = Duration::from_secs(3 * 3600);

fn run(seed: u64, length: Duration) -> Totals {
    let mut world = World::new(seed, length);
    world
        .play()
        .unwrap_or_else(|broken| panic!("seed {seed} at {:?}: {broken}", world.now))
}

#[test]
fn ten_seeds_of_troubles_break_no_invariant() {
    let mut all = Totals::default();
    for seed in 0..10 {
        let totals = run(seed, LENGTH);
        println!("seed {seed}: {totals:?}");
        all.joined += totals.joined;
        all.answered += totals.answered;
        all.lost += totals.lost;
        all.regained += totals.regained;
        all.reconnected += totals.reconnected;
        all.skips += totals.skips;
        all.expiries += totals.expiries;
        all.operators_lost += totals.operators_lost;
        all.overflows += totals.overflows;
        all.heard_whole += totals.heard_whole;
        all.heard_cut += totals.heard_cut;
    }
    // The worlds are only worth something if all of this happens in them.
    for (what, times) in [
        ("answered", all.answered),
        ("lost", all.lost),
        ("regained", all.regained),
        ("reconnected", all.reconnected),
        ("skips", all.skips),
        ("expiries", all.expiries),
        ("operators lost in mid-talk", all.operators_lost),
        ("overflows", all.overflows),
        ("heard to the end", all.heard_whole),
        ("cut", all.heard_cut),
    ] {
        assert!(times > 0, "nothing was ever {what}");
    }
}

#[test]
fn same_seed_gives_the_same_ledger() {
    let ledger = |seed| {
        let mut world = World::new(seed, Duration::from_secs(1_800));
        world
            .play()
            .unwrap_or_else(|broken| panic!("seed {seed} at {:?}: {broken}", world.now));
        world.ledger
    };
    assert_eq!(ledger(7), ledger(7));
    assert_ne!(ledger(7), ledger(8));
}

/// For the nights: `cargo test -p pronto-engine -- --ignored`.
#[test]
#[ignore = "minutes of processor time, for a night; ten seeds are always played"]
fn a_thousand_seeds_of_troubles_break_no_invariant() {
    for seed in 0..1_000 {
        run(seed, Duration::from_secs(3_600));
    }
}

/// One seed with its ledger: `PRONTO_SEED=200 cargo test -p pronto-engine one_seed -- --ignored --nocapture`.
#[test]
#[ignore = "prints one seed for a reader: PRONTO_SEED=200"]
fn one_seed_with_its_ledger() {
    let seed = option_env!("PRONTO_SEED")
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(0);
    let mut world = World::new(seed, Duration::from_secs(3_600));
    let outcome = world.play();
    for recorded in &world.ledger {
        let number = recorded.cause.as_ref().map(|cause| cause.number);
        println!(
            "{} {:?} {number:?} {:?}",
            recorded.seq, recorded.at, recorded.fact
        );
    }
    println!("seed {seed} at {:?}: {outcome:?}", world.now);
    assert!(outcome.is_ok());
}
