//! The table of connections, without a socket.

use super::*;

const LIMITS: Limits = Limits {
    listener: "test",
    all: 4,
    from_one_source: 3,
    first: Duration::from_secs(30),
    idle: Duration::from_secs(300),
};

struct World {
    table: Table,
    start: Instant,
    guests: BTreeMap<u64, oneshot::Receiver<()>>,
}

impl World {
    fn new() -> Self {
        World {
            table: Table {
                limits: LIMITS,
                held: BTreeMap::new(),
                next: 0,
            },
            start: Instant::now(),
            guests: BTreeMap::new(),
        }
    }

    fn at(&self, seconds: u64) -> Instant {
        self.start + Duration::from_secs(seconds)
    }

    fn comes(&mut self, seconds: u64, from: &str) -> u64 {
        let source = source_of(from.parse().unwrap());
        let (id, leave) = self.table.admit(source, self.at(seconds));
        self.guests.insert(id, leave);
        id
    }

    /// Those that have to go, in the order of their coming.
    fn sent_away(&mut self) -> Vec<u64> {
        let gone = self.guests.iter_mut().filter_map(|(id, leave)| {
            let told = leave.try_recv();
            matches!(told, Err(oneshot::error::TryRecvError::Closed)).then_some(*id)
        });
        gone.collect()
    }
}

#[test]
fn a_full_listener_sends_the_oldest_idle_connection_away_and_takes_the_new_one() {
    let mut world = World::new();
    let guests = [1, 2, 3, 4].map(|n| world.comes(n, &format!("192.0.2.{n}")));
    world.table.call_begins(guests[0]);
    world.comes(5, "192.0.2.5");
    assert_eq!(world.sent_away(), [guests[1]]);
    // It has not gone yet, and does not count any more.
    world.comes(6, "192.0.2.6");
    assert_eq!(world.sent_away(), [guests[1], guests[2]]);
}

#[test]
fn connections_that_hold_calls_for_ever_do_not_shut_others_out() {
    let mut world = World::new();
    let guests = [1, 2, 3, 4].map(|n| world.comes(n, &format!("192.0.2.{n}")));
    for guest in guests {
        world.table.call_begins(guest);
    }
    world.comes(5, "192.0.2.5");
    assert_eq!(world.sent_away(), [guests[0]]);
}

#[test]
fn one_source_has_its_share_and_an_ipv6_network_is_one_source() {
    let mut world = World::new();
    let first = world.comes(1, "2001:db8:0:1::1");
    world.comes(2, "2001:db8:0:1::2");
    world.comes(3, "2001:db8:0:1:ffff::3");
    assert!(world.sent_away().is_empty());
    world.comes(4, "2001:db8:0:1::4");
    assert_eq!(world.sent_away(), [first]);
    let mut world = World::new();
    let first = world.comes(1, "::ffff:192.0.2.1");
    world.comes(1, "192.0.2.1");
    world.comes(1, "192.0.2.1");
    world.comes(1, "192.0.2.1");
    assert_eq!(world.sent_away(), [first]);
}

#[test]
fn a_trusted_connection_neither_counts_nor_goes() {
    let mut world = World::new();
    let gateway = world.comes(0, "192.0.2.1");
    world.table.call_begins(gateway);
    world.table.trust(gateway);
    for n in 1..=10 {
        world.comes(n, "192.0.2.1");
    }
    let gone = world.sent_away();
    assert_eq!(gone.len(), 7, "three of the source may stay: {gone:?}");
    assert!(!gone.contains(&gateway));
}

#[test]
fn a_connection_that_asks_for_nothing_goes_and_one_with_a_call_stays() {
    let mut world = World::new();
    let (silent, busy) = (world.comes(0, "192.0.2.1"), world.comes(0, "192.0.2.2"));
    world.table.call_begins(busy);
    assert_eq!(world.table.patience(silent, world.at(29)), Some(world.at(30)));
    assert_eq!(world.table.patience(silent, world.at(30)), None);
    assert_eq!(world.table.patience(busy, world.at(1000)), Some(world.at(1300)));
    world.table.call_ends(busy, world.at(1000));
    assert_eq!(world.table.patience(busy, world.at(1299)), Some(world.at(1300)));
    assert_eq!(world.table.patience(busy, world.at(1300)), None);
    assert_eq!(world.sent_away(), [silent, busy]);
}
