//! The table of connections, without a socket.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use pronto_sip::Transport;

use super::*;

struct World {
    streams: Streams<()>,
    now: Time,
    /// The friends: trunks, bound phones, ends of dialogs.
    friends: BTreeSet<Flow>,
    ports: u16,
}

impl World {
    fn new() -> Self {
        World {
            streams: Streams::default(),
            now: Time::from_secs(1),
            friends: BTreeSet::new(),
            ports: 0,
        }
    }

    fn flow(&mut self, from: &str) -> Flow {
        self.ports += 1;
        Flow {
            transport: Transport::Tcp,
            local: "198.51.100.1:5060".parse().unwrap(),
            remote: SocketAddr::new(from.parse().unwrap(), self.ports),
        }
    }

    fn connects(&mut self, from: &str, newcomer: Newcomer) -> Result<(Flow, Option<Flow>), NoRoom> {
        let flow = self.flow(from);
        let friends = &self.friends;
        let gone = self
            .streams
            .make_room(self.now, flow, newcomer, |it| !friends.contains(&it))?;
        if let Some(gone) = gone {
            self.streams.remove(&gone);
        }
        self.streams.insert(self.now, flow, newcomer, ());
        if newcomer == Newcomer::Trunk {
            self.friends.insert(flow);
        }
        Ok((flow, gone))
    }

    fn strangers(&mut self, count: usize, from: &str) {
        for _ in 0..count {
            self.connects(from, Newcomer::Stranger).unwrap();
        }
    }

    fn idle(&mut self) -> Vec<Flow> {
        let friends = &self.friends;
        let idle = self.streams.idle(self.now, |it| !friends.contains(&it));
        for flow in &idle {
            self.streams.remove(flow);
        }
        idle
    }

    fn after(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }
}

#[test]
fn four_addresses_with_one_message_each_do_not_hold_all_connections() {
    let mut world = World::new();
    for address in ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"] {
        world.strangers(1100, address);
    }
    assert_eq!(world.streams.len(), STRANGERS);
    let (_, gone) = world.connects("203.0.113.7", Newcomer::Trunk).unwrap();
    assert_eq!(gone, None, "a trunk finds a place that is free");
    let (phone, gone) = world.connects("203.0.113.9", Newcomer::Stranger).unwrap();
    assert!(gone.is_some(), "a stranger's place becomes the phone's");
    // The phone registers, and nobody takes its place.
    world.friends.insert(phone);
    for address in ["192.0.2.5", "192.0.2.6", "192.0.2.7"] {
        world.strangers(1000, address);
    }
    assert!(world.streams.get(&phone).is_some());
    world.after(30);
    world.idle();
    assert_eq!(world.streams.len(), 2, "the trunk and the phone stay");
}

#[test]
fn the_stranger_silent_for_longest_goes_first() {
    let mut world = World::new();
    let (first, _) = world.connects("192.0.2.1", Newcomer::Stranger).unwrap();
    let (second, _) = world.connects("192.0.2.2", Newcomer::Stranger).unwrap();
    for network in 0..2 {
        world.strangers(1000, &format!("192.0.2.{}", 10 + network));
    }
    world.strangers(STRANGERS - 2002, "192.0.2.20");
    world.after(1);
    world.streams.heard(world.now, first);
    let (_, gone) = world.connects("192.0.2.30", Newcomer::Stranger).unwrap();
    assert_eq!(gone, Some(second));
}

#[test]
fn a_source_that_has_its_share_loses_its_own_strangers_and_an_ipv6_network_is_one_source() {
    let mut world = World::new();
    for host in 0..FROM_ONE_SOURCE {
        world
            .connects(&format!("2001:db8:1:2::{host:x}"), Newcomer::Stranger)
            .unwrap();
    }
    let (other, gone) = world.connects("2001:db8:1:3::1", Newcomer::Stranger).unwrap();
    assert_eq!(gone, None);
    let (_, gone) = world
        .connects("2001:db8:1:2:ffff::1", Newcomer::Stranger)
        .unwrap();
    assert!(gone.is_some_and(|gone| gone != other));
    assert_eq!(world.streams.len(), FROM_ONE_SOURCE + 1);
    // A source whose connections are all phones' gets no more.
    let mut world = World::new();
    for _ in 0..FROM_ONE_SOURCE {
        let (phone, _) = world.connects("192.0.2.1", Newcomer::Stranger).unwrap();
        world.friends.insert(phone);
    }
    assert_eq!(world.connects("192.0.2.1", Newcomer::Stranger), Err(NoRoom));
}

#[test]
fn trunks_leave_room_for_phones() {
    let mut world = World::new();
    for network in 0..4 {
        for _ in 0..FROM_ONE_SOURCE {
            let _ = world.connects(&format!("203.0.113.{network}"), Newcomer::Trunk);
        }
    }
    assert_eq!(world.streams.len(), TRUNKS);
    assert!(world.connects("192.0.2.1", Newcomer::Stranger).is_ok());
    assert_eq!(world.connects("203.0.113.9", Newcomer::Trunk), Err(NoRoom));
}

#[test]
fn a_connection_of_ours_takes_the_place_of_a_stranger() {
    let mut world = World::new();
    for network in 0..3 {
        for _ in 0..FROM_ONE_SOURCE {
            world
                .connects(&format!("203.0.113.{network}"), Newcomer::Trunk)
                .unwrap();
        }
    }
    world.strangers(ALL - TRUNKS, "192.0.2.1");
    assert_eq!(world.streams.len(), ALL);
    let (_, gone) = world.connects("198.51.100.20", Newcomer::Ours).unwrap();
    assert!(gone.is_some());
}

#[test]
fn a_silent_stranger_goes_after_30_s_and_a_friend_stays() {
    let mut world = World::new();
    let (stranger, _) = world.connects("192.0.2.1", Newcomer::Stranger).unwrap();
    let (phone, _) = world.connects("192.0.2.2", Newcomer::Stranger).unwrap();
    let (trunk, _) = world.connects("192.0.2.3", Newcomer::Trunk).unwrap();
    world.friends.insert(phone);
    world.after(29);
    assert_eq!(world.idle(), []);
    world.streams.heard(world.now, stranger);
    world.after(29);
    assert_eq!(world.idle(), []);
    world.after(1);
    assert_eq!(world.idle(), [stranger]);
    world.after(600);
    assert_eq!(world.idle(), []);
    // The phone signs out: it is a stranger, and has its 30 s.
    world.friends.remove(&phone);
    world.after(30);
    assert_eq!(world.idle(), []);
    world.after(30);
    assert_eq!(world.idle(), [phone]);
    assert!(world.streams.get(&trunk).is_some());
    assert_eq!((world.streams.len(), world.streams.trunks), (1, 1));
    world.streams.remove(&trunk);
    assert!(world.streams.by_source.is_empty() && world.streams.friends.is_empty());
}

#[test]
fn a_connection_that_ends_late_does_not_take_the_next_one_of_its_flow_along() {
    let mut streams = Streams::default();
    let flow = World::new().flow("192.0.2.1");
    for connection in [1, 2] {
        streams.insert(Time::from_secs(1), flow, Newcomer::Stranger, connection);
    }
    assert_eq!(streams.remove_this(&flow, |held| *held == 1), None);
    assert_eq!(streams.get(&flow), Some(&2));
    assert_eq!(streams.remove_this(&flow, |held| *held == 2), Some(2));
    assert_eq!((streams.len(), streams.suspects.len()), (0, 0));
}
