use std::time::Duration;

use super::*;

const NOW: Time = Time::from_secs(1_000);

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Counts how many of `tries` handshakes are admitted if each ends at once.
fn through(handshakes: &mut Handshakes, now: Time, from: &str, tries: usize) -> usize {
    (0..tries)
        .filter(|_| handshakes.begin(now, ip(from)).is_some())
        .count()
}

#[test]
fn a_source_has_a_burst_and_what_grows_back_and_takes_none_of_anothers() {
    let mut handshakes = Handshakes::new();
    assert_eq!(through(&mut handshakes, NOW, "192.0.2.1", 200), 64);
    assert_eq!(through(&mut handshakes, NOW, "192.0.2.2", 10), 10);
    let later = NOW + Duration::from_secs(1);
    assert_eq!(through(&mut handshakes, later, "192.0.2.1", 200), 16);
    let much_later = NOW + Duration::from_secs(3_600);
    assert_eq!(
        through(&mut handshakes, much_later, "192.0.2.1", 200),
        64,
        "never more than a burst"
    );
}

#[test]
fn handshakes_that_do_not_end_hold_their_sources_places_and_nobody_elses() {
    let mut handshakes = Handshakes::new();
    let mut held: Vec<Inside> = Vec::new();
    for second in 0..20 {
        let now = NOW + Duration::from_secs(second);
        held.extend((0..16).filter_map(|_| handshakes.begin(now, ip("192.0.2.1"))));
    }
    assert_eq!(held.len(), 64);
    let now = NOW + Duration::from_secs(20);
    assert!(handshakes.begin(now, ip("192.0.2.2")).is_some());
    held.truncate(60);
    assert_eq!(
        through(&mut handshakes, now, "192.0.2.1", 4),
        4,
        "places come free as they end"
    );
}

#[test]
fn the_addresses_of_one_subscriber_are_one_source() {
    let mut handshakes = Handshakes::new();
    let many = (0..200).filter(|n| handshakes.begin(NOW, ip(&format!("2001:db8::{n:x}"))).is_some());
    assert_eq!(many.count(), 64);
    assert!(handshakes.begin(NOW, ip("2001:db8:0:1::1")).is_some());
    assert_eq!(through(&mut handshakes, NOW, "::ffff:192.0.2.1", 100), 64);
    assert_eq!(through(&mut handshakes, NOW, "192.0.2.1", 100), 0);
}

#[test]
fn many_sources_together_cost_no_more_than_their_share_and_no_more_room_than_there_is() {
    let mut handshakes = Handshakes::new();
    let mut begun = 0;
    for number in 0..10_000_u32 {
        let address = IpAddr::from((0x0a00_0000 + number).to_be_bytes());
        begun += usize::from(handshakes.begin(NOW, address).is_some());
    }
    assert_eq!(begun, 500);
    assert_eq!(handshakes.by_source.len(), SOURCES);
    let later = NOW + Duration::from_secs(1);
    assert!(
        handshakes.begin(later, ip("192.0.2.1")).is_some(),
        "a second later there is room"
    );
}
