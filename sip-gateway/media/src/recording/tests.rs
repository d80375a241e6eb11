//! Packet-exact worlds: two phones, whatever their packets suffer, and what ends up on which side.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::shard::{Channel, LegPort, Outlet, SLOTS, Shard};
use crate::telephone_event::Payload;
use crate::{Command, Event, Learn, LegId};

const TALK: RecordingId = RecordingId(7);
const LEFT: LegId = LegId(1);
const RIGHT: LegId = LegId(2);

struct Nobody;

impl Outlet for Nobody {
    fn send(&mut self, _: usize, _: Channel, _: std::net::SocketAddr, _: &[u8]) {}
    fn report(&mut self, _: Event) {}
}

/// The place of a packet in its stream.
#[derive(Clone, Copy)]
struct Stamp {
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
}

impl Stamp {
    fn new(sequence: u16, timestamp: u32, ssrc: u32) -> Stamp {
        Stamp {
            sequence,
            timestamp,
            ssrc,
        }
    }
}

/// A shard with a recorded bridge, and its clock in milliseconds.
struct Room {
    shard: Shard,
    places: BTreeMap<LegId, usize>,
    millis: i64,
    heard: Vec<Stereo>,
    ended: Option<u64>,
}

fn phone(leg: LegId) -> std::net::SocketAddr {
    ([192, 0, 2, leg.0 as u8], 4_000).into()
}

fn configure(leg: LegId, codec: Codec, receive: bool, events: bool) -> Command {
    Command::Configure {
        leg,
        remote: Some(phone(leg)),
        codec,
        payload_type: if codec == Codec::Pcmu { 0 } else { 8 },
        telephone_event: events.then_some(101),
        send: true,
        receive,
        learn: Learn::Fixed,
        ptime: crate::session::TICK,
        proof: crate::Proof::Given,
    }
}

impl Room {
    fn silent() -> Self {
        let mut room = Room {
            shard: Shard::new(),
            places: BTreeMap::new(),
            millis: 0,
            heard: Vec::new(),
            ended: None,
        };
        for leg in [LEFT, RIGHT] {
            let place = room.shard.open(room.now(), leg, leg.0).unwrap();
            room.places.insert(leg, place);
            room.command(configure(leg, Codec::Pcmu, true, true));
        }
        room.command(Command::Bridge { a: LEFT, b: RIGHT });
        room
    }

    fn recorded() -> Self {
        let mut room = Room::silent();
        room.command(Command::Record {
            left: LEFT,
            right: RIGHT,
            recording: TALK,
        });
        room
    }

    fn now(&self) -> Time {
        Time::from_micros(self.millis * 1_000)
    }

    fn command(&mut self, command: Command) {
        self.shard.command(self.now(), command);
        self.take();
    }

    /// Lets time pass up to then.
    fn until(&mut self, millis: i64) {
        while self.millis < millis {
            self.millis += 1;
            if self.millis % 2 == 0 {
                let slot = (self.millis / 2) as usize % SLOTS;
                self.shard.tick(self.now(), slot, &mut Nobody);
            }
        }
        self.take();
    }

    fn take(&mut self) {
        while let Some(recorded) = self.shard.poll_recorded() {
            match recorded {
                Recorded::Frames {
                    recording,
                    from,
                    frames,
                } => {
                    assert_eq!((recording, from), (TALK, self.heard.len() as u64), "in order");
                    assert!(self.ended.is_none() && !frames.is_empty());
                    self.heard.extend(frames);
                }
                Recorded::Ended { recording, frames } => {
                    assert_eq!((recording, self.ended.replace(frames)), (TALK, None), "once");
                    assert_eq!(frames, self.heard.len() as u64);
                }
            }
        }
    }

    fn datagram(&mut self, leg: LegId, payload_type: u8, stamp: Stamp, payload: &[u8]) {
        let Stamp {
            sequence,
            timestamp,
            ssrc,
        } = stamp;
        let mut bytes = vec![0; 12];
        bytes.extend_from_slice(payload);
        let packet = Packet {
            marker: false,
            payload_type,
            sequence,
            timestamp,
            ssrc,
            payload: 12..bytes.len(),
        };
        packet.write(&mut bytes).unwrap();
        let at = LegPort {
            place: self.places[&leg],
            channel: Channel::Rtp,
        };
        let now = self.now();
        self.shard.packet(now, at, phone(leg), &mut bytes, &mut Nobody);
        self.take();
    }

    /// 20 ms whose every octet is `octet`: packet `n` of a phone that began with 0.
    fn say(&mut self, leg: LegId, n: u16, octet: u8) {
        self.datagram(leg, 0, Stamp::new(n, u32::from(n) * 160, 9), &[octet; 160]);
    }

    fn press(&mut self, leg: LegId, n: u16, timestamp: u32, duration: u16, end: bool) {
        let event = Payload {
            event: 5,
            end,
            duration,
        };
        self.datagram(leg, 101, Stamp::new(n, timestamp, 9), &event.octets());
    }

    /// Ends the bridge and returns each side: what it says, and from when on, in ms.
    fn sides(mut self) -> [Vec<(i16, usize)>; 2] {
        self.command(Command::Unbridge { a: RIGHT, b: LEFT });
        assert_eq!(self.ended, Some(self.heard.len() as u64));
        [0, 1].map(|channel| runs(self.heard.iter().map(|frame| frame[channel])))
    }
}

/// Equal neighbours taken together: the value, and from which millisecond on. Silence of less than 1 ms counts too.
fn runs(samples: impl Iterator<Item = i16>) -> Vec<(i16, usize)> {
    let mut runs: Vec<(i16, usize)> = Vec::new();
    for (at, sample) in samples.enumerate() {
        if runs.last().is_none_or(|(last, _)| *last != sample) {
            runs.push((sample, at / 8));
        }
    }
    runs
}

/// An octet told from others by what it decodes to.
fn sound(n: u16) -> (u8, i16) {
    let octet = 0x80 | (n % 100) as u8;
    (octet, g711::decode(Codec::Pcmu, octet))
}

#[test]
fn each_voice_is_on_its_side_from_when_it_was_spoken() {
    let mut room = Room::recorded();
    for n in 0..50 {
        room.until(i64::from(n) * 20 + 20);
        room.say(LEFT, n, 0x90);
        if n >= 25 {
            room.say(RIGHT, n, 0xa0);
        }
    }
    room.until(1_100);
    let [left, right] = room.sides();
    let (caller, operator) = (g711::decode(Codec::Pcmu, 0x90), g711::decode(Codec::Pcmu, 0xa0));
    assert_eq!(left, [(caller, 0), (0, 1_000)]);
    assert_eq!(right, [(0, 0), (operator, 500), (0, 1_000)]);
}

#[test]
fn a_block_is_handed_on_every_100_ms_though_nobody_speaks_and_the_rest_at_the_end() {
    let mut room = Room::recorded();
    room.until(198);
    assert_eq!(room.heard.len(), 0);
    room.until(200);
    assert_eq!(room.heard.len(), BLOCK);
    room.until(10_050);
    assert_eq!(room.heard.len(), 99 * BLOCK);
    room.command(Command::Unbridge { a: LEFT, b: RIGHT });
    assert_eq!(room.ended, Some(10_040 * 8), "up to the last tick");
    assert!(room.heard.iter().all(|frame| *frame == [0; 2]));
    assert_eq!(room.shard.recordings(), 0);
}

#[test]
fn lost_packets_are_silence_and_late_ones_lie_where_they_belong() {
    let mut room = Room::recorded();
    let sounds: Vec<_> = (0..8).map(sound).collect();
    for (n, at) in [
        (0, 20),
        (1, 40),
        (3, 80),
        (5, 120),
        (4, 121),
        (4, 122),
        (7, 160),
        (6, 170),
    ] {
        room.until(at);
        room.say(LEFT, n, sounds[usize::from(n)].0);
    }
    room.until(600);
    let spoken = |n: usize| (sounds[n].1, n * 20);
    let [left, right] = room.sides();
    let expected: Vec<_> = [
        spoken(0),
        spoken(1),
        (0, 40),
        spoken(3),
        spoken(4),
        spoken(5),
        spoken(6),
    ]
    .into();
    assert_eq!(left[..7], expected);
    assert_eq!(left[7..], [spoken(7), (0, 160)]);
    assert_eq!(right, [(0, 0)]);
}

#[test]
fn what_comes_after_it_was_waited_for_is_left_out_if_late_and_moved_if_all_is_late() {
    let mut room = Room::recorded();
    let (early, second, third) = (sound(1), sound(2), sound(3));
    room.until(20);
    room.say(LEFT, 0, early.0);
    room.until(60);
    room.say(LEFT, 2, third.0);
    room.until(400);
    // Packet 1 belongs to 20 to 40 ms, which has been handed on.
    room.say(LEFT, 1, second.0);
    // From now on the network takes 300 ms more.
    for n in 3..8 {
        room.until(380 + i64::from(n) * 20);
        room.say(LEFT, n, second.0);
    }
    room.until(1_000);
    let [left, _] = room.sides();
    let until = left.last().unwrap().1;
    assert_eq!(left[..4], [(early.1, 0), (0, 20), (third.1, 40), (0, 60)]);
    assert_eq!(
        (left[4].0, until - left[4].1),
        (second.1, 100),
        "nothing is lost, and no seam: {left:?}"
    );
    assert!((200..=400).contains(&left[4].1), "{left:?}");
}

#[test]
fn jitter_of_up_to_100_ms_makes_no_hole() {
    let mut room = Room::recorded();
    let mut arrivals: Vec<(i64, u16)> = (0..200u16)
        .map(|n| (i64::from(n) * 20 + 20 + [0, 35, 99, 5, 60][usize::from(n) % 5], n))
        .collect();
    arrivals.sort_unstable();
    for (at, n) in arrivals {
        room.until(at);
        room.say(RIGHT, n, 0x90);
    }
    room.until(4_300);
    let voice = g711::decode(Codec::Pcmu, 0x90);
    assert_eq!(room.sides()[1], [(voice, 0), (0, 4_000)]);
}

#[test]
fn a_clock_that_drifts_leaves_neither_side_behind() {
    // One percent is a hundred times what a phone's quartz does.
    for millis_of_fifty in [990, 1_010] {
        let mut room = Room::recorded();
        let mut n = 0;
        while room.millis < 60_000 {
            room.until(i64::from(n) * millis_of_fifty / 50 + 20);
            room.say(LEFT, n, 0x90);
            n += 1;
        }
        let last = room.millis;
        room.until(last + 500);
        let spoken: usize = {
            let heard = room.heard.iter();
            heard.filter(|frame| frame[0] != 0).count() / 8
        };
        let [left, _] = room.sides();
        let until = left.last().unwrap().1 as i64;
        assert!(
            (last - until).abs() <= 220,
            "{millis_of_fifty}: ends at {until}, spoken until {last}"
        );
        assert!(
            spoken >= 59_000,
            "{millis_of_fifty}: {spoken} ms of 60 s are heard"
        );
    }
}

#[test]
fn another_source_or_a_clock_set_anew_goes_on_where_the_talk_is() {
    let mut room = Room::recorded();
    for n in 0..100u16 {
        room.until(i64::from(n) * 20 + 20);
        // From 500 ms on another SSRC, from 1,000 ms on the timestamps jump ahead, from 1,500 ms on back.
        let (ssrc, shift) = match n {
            0..25 => (9, 0),
            25..50 => (10, 777_777),
            50..75 => (10, 999_999),
            _ => (10, 3),
        };
        let timestamp = u32::from(n) * 160 + shift;
        room.datagram(LEFT, 0, Stamp::new(n, timestamp, ssrc), &[0x90; 160]);
    }
    room.until(2_200);
    let voice = g711::decode(Codec::Pcmu, 0x90);
    let [left, _] = room.sides();
    assert_eq!(left[0], (voice, 0));
    assert_eq!(left.last().unwrap().0, 0);
    assert!((1_900..=2_000).contains(&left.last().unwrap().1), "{left:?}");
}

#[test]
fn on_hold_there_is_silence_and_a_re_invite_may_bring_another_codec() {
    let mut room = Room::recorded();
    let [mu, a] = [Codec::Pcmu, Codec::Pcma].map(|codec| g711::decode(codec, 0x90));
    for n in 0..75 {
        room.until(i64::from(n) * 20 + 20);
        match n {
            25 => room.command(configure(LEFT, Codec::Pcmu, false, true)),
            50 => room.command(configure(LEFT, Codec::Pcma, true, true)),
            _ => {}
        }
        let payload_type = if n < 50 { 0 } else { 8 };
        room.datagram(
            LEFT,
            payload_type,
            Stamp::new(n, u32::from(n) * 160, 9),
            &[0x90; 160],
        );
    }
    room.until(1_700);
    assert_eq!(room.sides()[0], [(mu, 0), (0, 500), (a, 1_000), (0, 1_500)]);
}

#[test]
fn a_key_is_silence_even_where_the_phone_sends_audio_beside_its_events() {
    let mut room = Room::recorded();
    for n in 0..60u16 {
        room.until(i64::from(n) * 20 + 20);
        room.datagram(LEFT, 0, Stamp::new(2 * n, u32::from(n) * 160, 9), &[0x90; 160]);
        // Pressed at 400 ms for 200 ms; its end is told three times, the last one late.
        if (20..=33).contains(&n) {
            let held = (n.min(29) - 19) * 160;
            room.press(LEFT, 2 * n + 1, 20 * 160, held, n >= 29);
        }
    }
    room.until(1_500);
    let voice = g711::decode(Codec::Pcmu, 0x90);
    assert_eq!(room.sides()[0], [(voice, 0), (0, 380), (voice, 620), (0, 1_200)]);
}

#[test]
fn a_key_in_the_audio_is_silence_where_events_were_not_agreed() {
    let mut room = Room::recorded();
    room.command(configure(LEFT, Codec::Pcmu, true, false));
    let mut tone = [0; 160];
    for n in 0..50u16 {
        room.until(i64::from(n) * 20 + 20);
        let key = (10..15).contains(&n);
        if key {
            crate::dtmf::tones(
                pronto_types::Digit::from_event(5).unwrap(),
                Codec::Pcmu,
                u32::from(n - 10) * 160,
                &mut tone,
            );
        } else {
            tone = [0x90; 160];
        }
        room.datagram(LEFT, 0, Stamp::new(n, u32::from(n) * 160, 9), &tone);
    }
    room.until(1_200);
    let voice = g711::decode(Codec::Pcmu, 0x90);
    let heard: Vec<i16> = room.heard.iter().map(|frame| frame[0]).collect();
    let of_key = heard[..8_000]
        .iter()
        .filter(|sample| ![voice, 0].contains(sample))
        .count();
    assert_eq!(of_key, 0, "samples of the key are in the recording");
    let spoken = heard.iter().filter(|sample| **sample == voice).count() / 8;
    assert!(
        (860..900).contains(&spoken),
        "a key of 100 ms leaves {spoken} ms of 900"
    );
}

#[test]
fn it_ends_with_the_bridge_however_that_ends_and_says_so_once() {
    let ways: [fn(&mut Room); 5] = [
        |room| room.command(Command::Unbridge { a: LEFT, b: RIGHT }),
        |room| assert!(room.shard.close(LEFT).is_some()),
        |room| assert!(room.shard.close(RIGHT).is_some()),
        |room| {
            room.shard.open(Time::ZERO, LegId(3), 3).unwrap();
            room.command(Command::Bridge {
                a: LegId(3),
                b: RIGHT,
            });
        },
        |room| {
            room.shard.open(Time::ZERO, LegId(3), 3).unwrap();
            room.command(Command::Bridge { a: LEFT, b: LegId(3) });
        },
    ];
    for end in ways {
        let mut room = Room::recorded();
        room.until(500);
        end(&mut room);
        room.take();
        assert_eq!((room.ended, room.shard.recordings()), (Some(500 * 8), 0));
        room.say(LEFT, 0, 0x90);
        room.until(1_000);
        assert_eq!(room.heard.len(), 500 * 8);
        room.shard.close(LEFT);
        room.shard.close(RIGHT);
        room.take();
    }
}

#[test]
fn without_a_bridge_there_is_only_the_end() {
    let record = |left, right| Command::Record {
        left,
        right,
        recording: TALK,
    };
    for (left, right) in [(LEFT, LegId(9)), (LegId(9), RIGHT), (LEFT, LEFT)] {
        let mut room = Room::silent();
        room.command(record(left, right));
        assert_eq!((room.ended, room.shard.recordings()), (Some(0), 0));
        assert_eq!(room.shard.tally().stray_commands, 1);
    }
    let mut room = Room::silent();
    room.command(Command::Unbridge { a: LEFT, b: RIGHT });
    room.command(record(LEFT, RIGHT));
    assert_eq!(room.ended, Some(0));
    // A bridge has one recording at most.
    let mut room = Room::recorded();
    let second = Command::Record {
        left: RIGHT,
        right: LEFT,
        recording: RecordingId(8),
    };
    room.shard.command(Time::ZERO, second);
    let ended = Recorded::Ended {
        recording: RecordingId(8),
        frames: 0,
    };
    assert_eq!(
        (room.shard.poll_recorded(), room.shard.recordings()),
        (Some(ended), 1)
    );
}

#[test]
fn an_unrecorded_bridge_says_nothing() {
    let mut room = Room::silent();
    for n in 0..50 {
        room.until(i64::from(n) * 20 + 20);
        room.say(LEFT, n, 0x90);
    }
    assert_eq!((room.heard.len(), room.ended), (0, None));
}

proptest! {
    /// Whatever comes whenever: no panic, every frame once and in order (see `Room::take`), as many as time passed, and
    /// nothing of one side on the other.
    #[test]
    fn a_recording_is_as_long_as_its_bridge(
        packets in proptest::collection::vec(
            (any::<bool>(), 0..60i64, any::<u16>(), any::<u32>(), 0..3u32, 1..960usize, any::<bool>()),
            0..120,
        ),
    ) {
        let mut room = Room::recorded();
        for (left, wait, sequence, timestamp, ssrc, length, event) in packets {
            let until = room.millis + wait;
            room.until(until);
            let (leg, octet) = if left { (LEFT, 0x90) } else { (RIGHT, 0xa0) };
            if event {
                room.press(leg, sequence, timestamp, length as u16, false);
            } else {
                room.datagram(leg, 0, Stamp::new(sequence, timestamp, ssrc), &vec![octet; length]);
            }
        }
        let until = room.millis;
        room.until(until + 20);
        room.command(Command::Unbridge { a: LEFT, b: RIGHT });
        let frames = room.ended.unwrap() as i64;
        prop_assert!((until * 8..=(until + 20) * 8).contains(&frames));
        let voices = [0x90, 0xa0].map(|octet| g711::decode(Codec::Pcmu, octet));
        for frame in room.heard {
            prop_assert!([0, 1].iter().all(|side| frame[*side] == 0 || frame[*side] == voices[*side]));
        }
    }
}
