//! Packet-exact worlds: legs, phones and a virtual clock.

mod bridges;
mod hostile;
mod keys;
mod packing;
mod playing;
mod unproven;

use std::collections::BTreeMap;

use super::*;
use crate::rtp::Packet;
use crate::session::TICK;
use crate::{Clip, Codec, Learn, PlayId, Proof};

/// A packet that a leg sent.
#[derive(Clone, Debug)]
struct Sent {
    at: Time,
    leg: u64,
    channel: Channel,
    to: SocketAddr,
    bytes: Vec<u8>,
}

impl Sent {
    fn packet(&self) -> Packet {
        Packet::parse(&self.bytes).unwrap()
    }

    fn payload(&self) -> &[u8] {
        &self.bytes[self.packet().payload]
    }
}

#[derive(Default)]
struct Out {
    now: Time,
    legs: BTreeMap<usize, u64>,
    sent: Vec<Sent>,
    events: Vec<Event>,
}

impl Outlet for Out {
    fn send(&mut self, place: usize, channel: Channel, to: SocketAddr, datagram: &[u8]) {
        self.sent.push(Sent {
            at: self.now,
            leg: self.legs[&place],
            channel,
            to,
            bytes: datagram.to_vec(),
        });
    }

    fn report(&mut self, event: Event) {
        self.events.push(event);
    }
}

struct World {
    shard: Shard,
    places: BTreeMap<u64, usize>,
    /// The next slot; its time is 2 ms times this.
    slot: i64,
    out: Out,
}

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// The phone of a leg.
fn phone(leg: u64) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, leg as u8], 4_000))
}

fn datagram(payload_type: u8, sequence: u16, timestamp: u32, ssrc: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 12];
    bytes.extend_from_slice(payload);
    let payload = 12..bytes.len();
    Packet {
        marker: false,
        payload_type,
        sequence,
        timestamp,
        ssrc,
        payload,
    }
    .write(&mut bytes)
    .unwrap();
    bytes
}

/// A clip no two neighbouring octets of which are alike.
fn ramp(samples: usize) -> Clip {
    Clip::from_pcm16_8k(
        &(0..samples)
            .map(|n| (n as i16 % 200) * 150 - 15_000)
            .collect::<Vec<_>>(),
    )
}

impl World {
    fn new() -> Self {
        World {
            shard: Shard::new(),
            places: BTreeMap::new(),
            slot: 0,
            out: Out::default(),
        }
    }

    fn now(&self) -> Time {
        Time::from_micros(self.slot * 2_000)
    }

    fn open(&mut self, leg: u64) {
        let place = self
            .shard
            .open(self.now(), LegId(leg), leg.wrapping_mul(0x1234_5678_9abc_def1))
            .unwrap();
        self.places.insert(leg, place);
        self.out.legs.insert(place, leg);
    }

    fn agreement(leg: u64, codec: Codec) -> Agreement {
        Agreement {
            remote: Some(phone(leg)),
            codec,
            payload_type: if codec == Codec::Pcmu { 0 } else { 8 },
            telephone_event: Some(101),
            send: true,
            receive: true,
            learn: Learn::Fixed,
            ptime: TICK,
            proof: Proof::Given,
        }
    }

    /// A leg that talks to its phone.
    fn talking(&mut self, leg: u64, codec: Codec) {
        self.open(leg);
        self.configure(leg, Self::agreement(leg, codec));
    }

    fn configure(&mut self, leg: u64, agreed: Agreement) {
        let Agreement {
            remote,
            codec,
            payload_type,
            telephone_event,
            send,
            receive,
            learn,
            ptime,
            proof,
        } = agreed;
        let leg = LegId(leg);
        self.command(Command::Configure {
            leg,
            remote,
            codec,
            payload_type,
            telephone_event,
            send,
            receive,
            learn,
            ptime,
            proof,
        });
    }

    fn command(&mut self, command: Command) {
        self.shard.command(self.now(), command);
    }

    /// Lets time pass; returns what was sent meanwhile.
    fn run(&mut self, millis: i64) -> Vec<Sent> {
        let from = self.out.sent.len();
        let end = self.slot + millis / 2;
        while self.slot < end {
            self.out.now = self.now();
            self.shard
                .tick(self.now(), self.slot as usize % SLOTS, &mut self.out);
            self.slot += 1;
        }
        self.out.sent[from..].to_vec()
    }

    /// Delivers a datagram to a leg's RTP port now; returns what was sent on.
    fn deliver(&mut self, leg: u64, from: SocketAddr, bytes: &[u8]) -> Vec<Sent> {
        self.deliver_to(leg, Channel::Rtp, from, bytes)
    }

    fn deliver_to(&mut self, leg: u64, channel: Channel, from: SocketAddr, bytes: &[u8]) -> Vec<Sent> {
        let before = self.out.sent.len();
        self.out.now = self.now();
        let mut bytes = bytes.to_vec();
        let place = self.places[&leg];
        let at = LegPort { place, channel };
        self.shard.packet(self.now(), at, from, &mut bytes, &mut self.out);
        self.out.sent[before..].to_vec()
    }

    fn events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.out.events)
    }

    /// The same, of phones that are silent where that is not what it is about.
    fn events_but_stalls(&mut self) -> Vec<Event> {
        let mut events = self.events();
        events.retain(|event| !matches!(event, Event::Stalled { .. } | Event::Resumed { .. }));
        events
    }
}

/// Only what went to a leg's phone as RTP.
fn of(sent: &[Sent], leg: u64) -> Vec<Sent> {
    sent.iter()
        .filter(|s| s.leg == leg && s.channel == Channel::Rtp)
        .cloned()
        .collect()
}

/// One SSRC, every sequence number used once in order, no audio overlapping other audio.
fn assert_continuous(sent: &[Sent]) {
    for pair in sent.windows(2) {
        let (a, b) = (pair[0].packet(), pair[1].packet());
        assert_eq!(a.ssrc, b.ssrc);
        assert_eq!(b.sequence, a.sequence.wrapping_add(1), "at {:?}", pair[1].at);
        let step = b.timestamp.wrapping_sub(a.timestamp);
        assert!(
            (a.payload.len() as u32..8_000).contains(&step),
            "timestamp step {step} at {:?}",
            pair[1].at
        );
    }
}

#[test]
fn every_leg_sends_once_per_twenty_milliseconds_without_a_seam() {
    let mut world = World::new();
    (1..=20).for_each(|leg| world.talking(leg, Codec::Pcmu));
    let sent = world.run(1_000);
    for leg in 1..=20 {
        let sent = of(&sent, leg);
        assert_eq!(sent.len(), 50);
        assert_continuous(&sent);
        assert!(
            sent.windows(2)
                .all(|p| p[1].at.since(p[0].at) == Duration::from_millis(20))
        );
        assert!(
            sent.windows(2)
                .all(|p| p[1].packet().timestamp.wrapping_sub(p[0].packet().timestamp) == 160)
        );
        assert!(
            sent.iter()
                .all(|s| s.to == phone(leg) && s.payload() == [0xff; 160])
        );
        let markers: Vec<_> = sent.iter().map(|s| s.packet().marker).collect();
        assert!(markers[0] && !markers[1..].contains(&true));
    }
}

#[test]
fn few_legs_share_a_slot_and_many_take_all_ten() {
    for (legs, expected) in [
        (32, &[(0, 32)][..]),
        (70, &[(0, 32), (4, 6), (10, 32)]),
        (
            330,
            &[
                (0, 33),
                (2, 33),
                (4, 33),
                (6, 33),
                (8, 33),
                (10, 33),
                (12, 33),
                (14, 33),
                (16, 33),
                (18, 33),
            ],
        ),
    ] {
        let mut world = World::new();
        (1..=legs).for_each(|leg| world.talking(leg, Codec::Pcmu));
        let mut slots = BTreeMap::new();
        world
            .run(20)
            .iter()
            .for_each(|s| *slots.entry(s.at.as_micros() / 1_000).or_insert(0) += 1);
        assert_eq!(slots.into_iter().collect::<Vec<_>>(), expected);
    }
}

#[test]
fn closing_frees_the_place_and_tells_what_went_through() {
    let mut world = World::new();
    world.talking(1, Codec::Pcmu);
    world.talking(2, Codec::Pcmu);
    world.run(200);
    for sequence in [1, 2, 5, 5, 4] {
        world.deliver(
            1,
            phone(1),
            &datagram(0, sequence, u32::from(sequence) * 160, 9, &[0; 160]),
        );
    }
    world.deliver(1, at("203.0.113.66:4000"), &datagram(0, 6, 960, 9, &[0; 160]));
    world.deliver(1, phone(1), &datagram(18, 6, 960, 9, &[0; 160]));
    world.deliver(1, phone(1), b"hello");
    let (place, stats) = world.shard.close(LegId(1)).unwrap();
    assert_eq!(
        Stats {
            max_jitter: Duration::ZERO,
            ..stats
        },
        Stats {
            received: 4,
            lost: 1,
            duplicates: 1,
            out_of_order: 1,
            foreign: 1,
            malformed: 1,
            unexpected: 1,
            sent: 10,
            ..Stats::default()
        }
    );
    assert!(world.run(100).iter().all(|s| s.leg == 2));
    assert!(world.shard.close(LegId(1)).is_none());
    assert_eq!(world.shard.open(world.now(), LegId(3), 3), Some(place));
    assert_eq!(world.shard.open(world.now(), LegId(3), 3), None);
    assert_eq!(world.shard.legs(), 2);
    let tally = world.shard.tally();
    assert_eq!(
        (tally.received, tally.foreign, tally.malformed, tally.unexpected),
        (4, 1, 1, 1)
    );
    assert_eq!((tally.sent, tally.stray_commands), (25, 2));
}

#[test]
fn the_wheel_knows_its_next_busy_slot() {
    let mut world = World::new();
    assert_eq!(world.shard.next_busy(0), None);
    (1..=33).for_each(|leg| world.open(leg));
    assert_eq!(
        [0, 1, 5, 6].map(|slot| world.shard.next_busy(slot)),
        [0, 4, 0, 4].map(Some)
    );
    assert!((1..=32).all(|leg| world.shard.close(LegId(leg)).is_some()));
    assert_eq!([0, 6].map(|slot| world.shard.next_busy(slot)), [5, 9].map(Some));
}

#[test]
fn reports_go_out_every_five_seconds_or_so_to_the_port_above() {
    let mut world = World::new();
    world.talking(1, Codec::Pcmu);
    world.run(100);
    world.deliver(1, phone(1), &datagram(0, 7, 0, 77, &[0; 160]));
    let sent: Vec<_> = world
        .run(60_000)
        .into_iter()
        .filter(|s| s.channel == Channel::Rtcp)
        .collect();
    assert!((9..=21).contains(&sent.len()), "{}", sent.len());
    let mut ssrcs = Vec::new();
    for report in &sent {
        assert_eq!(report.to, at("192.0.2.1:4001"));
        ssrcs.extend(
            crate::rtcp::parse(&report.bytes)
                .unwrap()
                .sender_report
                .map(|(ssrc, _)| ssrc),
        );
    }
    let ours = of(&world.out.sent, 1)[0].packet().ssrc;
    assert_eq!(ssrcs, vec![ours; sent.len()]);
    let gaps: Vec<_> = sent
        .windows(2)
        .map(|p| p[1].at.since(p[0].at).as_millis())
        .collect();
    assert!(gaps.iter().all(|gap| (2_500..=7_520).contains(gap)), "{gaps:?}");
    assert!(gaps.iter().any(|gap| *gap != gaps[0]), "not randomised: {gaps:?}");
    // And the peer's are counted, whichever port they come to.
    let report = sent[0].bytes.clone();
    world.deliver_to(1, Channel::Rtcp, at("192.0.2.1:9999"), &report);
    world.deliver(1, phone(1), &report);
    world.deliver_to(1, Channel::Rtcp, at("203.0.113.66:4001"), &report);
    assert_eq!(
        (world.shard.tally().rtcp_received, world.shard.tally().foreign),
        (2, 1)
    );
}

fn stalled(heard: bool) -> Event {
    let leg = LegId(1);
    Event::Stalled { leg, heard }
}

#[test]
fn two_seconds_without_a_packet_are_a_stall_said_once_and_a_packet_ends_it() {
    let mut world = World::new();
    world.talking(1, Codec::Pcmu);
    world.run(1_500);
    world.deliver(1, phone(1), &datagram(0, 1, 0, 9, &[0; 160]));
    world.run(1_900);
    assert_eq!(world.events(), []);
    world.run(30_000);
    assert_eq!(world.events(), [stalled(true)]);
    world.deliver(1, at("203.0.113.66:4000"), &datagram(0, 2, 160, 9, &[0; 160]));
    assert_eq!(world.events(), []);
    world.deliver(1, phone(1), &datagram(0, 2, 160, 9, &[0; 160]));
    assert_eq!(world.events(), [Event::Resumed { leg: LegId(1) }]);
}

#[test]
fn a_phone_on_hold_that_sends_nothing_stalls_as_any_other() {
    let mut world = World::new();
    world.talking(1, Codec::Pcmu);
    world.configure(
        1,
        Agreement {
            remote: None,
            receive: false,
            ..World::agreement(1, Codec::Pcmu)
        },
    );
    world.run(2_100);
    assert_eq!(world.events(), [stalled(false)]);
    world.run(30_000);
    world.configure(1, World::agreement(1, Codec::Pcmu));
    world.run(2_100);
    assert_eq!(world.events(), [], "it is known already");
    world.deliver(1, phone(1), &datagram(0, 1, 0, 9, &[0; 160]));
    assert_eq!(world.events(), [Event::Resumed { leg: LegId(1) }]);
}

#[test]
fn a_report_or_comfort_noise_says_that_a_silent_phone_is_there() {
    let mut world = World::new();
    world.talking(1, Codec::Pcmu);
    // Comfort noise (payload type 13) was not agreed: it is dropped, and shows that the phone is there.
    for number in 0..3 {
        world.deliver(1, phone(1), &datagram(13, number, 0, 9, &[40]));
        world.run(1_500);
    }
    assert_eq!(world.events(), []);
    world.run(1_000);
    assert_eq!(world.events(), [stalled(true)]);
    let mut report = vec![0x80, 200, 0, 6];
    report.extend([0; 24]);
    world.deliver_to(1, Channel::Rtcp, at("192.0.2.1:9999"), &report);
    assert_eq!(world.events(), [Event::Resumed { leg: LegId(1) }]);
    world.run(2_100);
    assert_eq!(world.events(), [stalled(true)]);
}
