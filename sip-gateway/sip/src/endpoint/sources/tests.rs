use proptest::prelude::*;

use super::*;
use crate::settings::Budget;

fn limits() -> StrangerLimits {
    StrangerLimits {
        per_second: 10,
        burst: 20,
        guesses: 3,
        ban: Duration::from_secs(60),
        sources: 4,
    }
}

fn at(seconds: u64) -> Time {
    Time::from_secs(1_000) + Duration::from_secs(seconds)
}

fn phone(n: u8, port: u16) -> SocketAddr {
    SocketAddr::new(host(n), port)
}

fn host(n: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, n])
}

#[test]
fn a_source_is_heard_up_to_its_burst_and_then_at_its_rate() {
    let mut sources = Sources::new(limits());
    let heard = (0..100).filter(|_| sources.admits(at(0), host(1))).count();
    assert_eq!(heard, 20);
    assert!(sources.admits(at(0), host(2)), "another source is not concerned");
    let heard = (0..100).filter(|_| sources.admits(at(1), host(1))).count();
    assert_eq!(heard, 10);
    let heard = (0..100).filter(|_| sources.admits(at(3_600), host(1))).count();
    assert_eq!(heard, 20, "it grows back to the burst, and not beyond");
}

#[test]
fn one_wrong_password_too_many_bans_the_source_for_a_while() {
    let mut sources = Sources::new(limits());
    assert!(!sources.guessed(at(0), phone(1, 5060)) && !sources.guessed(at(1), phone(1, 5060)));
    assert!(!sources.is_banned(at(1), phone(1, 5060)));
    assert!(sources.guessed(at(2), phone(1, 5060)));
    assert!(sources.is_banned(at(61), phone(1, 5060)) && !sources.is_banned(at(62), phone(1, 5060)));
    assert!(!sources.is_banned(at(2), phone(2, 5060)));
}

#[test]
fn a_stranger_behind_the_same_nat_does_not_shut_a_phone_out() {
    let mut sources = Sources::new(limits());
    for _ in 0..3 {
        sources.guessed(at(0), phone(1, 40_000));
    }
    assert!(sources.is_banned(at(0), phone(1, 40_000)));
    assert!(
        !sources.is_banned(at(0), phone(1, 5060)),
        "another port of the address"
    );
    for port in 1..10 {
        for _ in 0..3 {
            sources.guessed(at(1), phone(1, port));
        }
    }
    assert!(
        sources.is_banned(at(1), phone(1, 5060)),
        "thirty guesses from ten ports"
    );
    assert!(!sources.is_banned(at(62), phone(1, 5060)));
}

#[test]
fn now_and_then_a_wrong_password_bans_nobody() {
    let mut sources = Sources::new(limits());
    for minutes in 0..100 {
        assert!(!sources.guessed(at(minutes * 61), phone(1, 5060)));
    }
}

#[test]
fn one_ipv6_subscriber_is_one_source_and_a_mapped_address_is_its_ipv4_one() {
    let mut sources = Sources::new(limits());
    let six = |text: &str| -> IpAddr { text.parse().unwrap() };
    for text in ["2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff::"] {
        sources.guessed(at(0), SocketAddr::new(six(text), 5060));
    }
    assert!(
        sources.is_banned(at(0), SocketAddr::new(six("2001:db8::3"), 5060))
            && !sources.is_banned(at(0), SocketAddr::new(six("2001:db8:0:1::3"), 5060))
    );
    for _ in 0..3 {
        sources.guessed(at(0), SocketAddr::new(six("::ffff:192.0.2.1"), 5060));
    }
    assert!(sources.is_banned(at(0), phone(1, 5060)));
}

#[test]
fn a_trunk_has_its_calls_and_its_rate_and_is_never_banned() {
    let mut budgets = Budgets::default();
    let budget = Budget {
        calls: 2,
        per_second: 5,
    };
    for _ in 0..2 {
        assert!(budgets.allows(at(0), 0, budget));
        budgets.begun(0);
    }
    assert!(!budgets.allows(at(0), 0, budget), "two calls are up");
    assert!(budgets.allows(at(0), 1, budget), "another trunk is not concerned");
    budgets.ended(0);
    let begun = (0..100).filter(|_| budgets.allows(at(0), 0, budget)).count();
    assert_eq!(begun, 3, "of five in this second two are used");
    assert!(budgets.allows(at(1), 0, budget));
}

proptest! {
    #[test]
    fn however_many_sources_there_are_the_table_keeps_within_its_bounds(visits in proptest::collection::vec((any::<u8>(), 0_u64..3, any::<bool>()), 1..300)) {
        let mut sources = Sources::new(limits());
        let mut now = at(0);
        for (source, later, guess) in visits {
            now += Duration::from_millis(later * 700);
            if guess { sources.guessed(now, phone(source, 5060)); } else { sources.admits(now, host(source)); }
            prop_assert!(sources.len() <= 4);
            prop_assert_eq!(sources.by_age.len(), sources.len());
        }
    }
}
