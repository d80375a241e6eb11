//! One press of a key is one key: by whatever ways the phone tells it, between whatever legs.

use pronto_types::Digit;

use super::*;
use crate::dtmf;
use crate::inband::Detector;
use crate::telephone_event::{Payload, Receiver, Told};

const A: LegId = LegId(1);
const B: LegId = LegId(2);
const VOICE: u32 = 7;

/// How a phone tells a press.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Tells {
    /// As events, instead of its voice.
    Events,
    /// As events under an SSRC of their own, beside the voice.
    EventsOfAnotherSource,
    /// As events under both.
    EventsOfTwoSources,
    /// As events whose timestamp moves with each packet.
    MovingEvents,
    /// As tones in its voice.
    Tones,
    /// By INFO, before anything comes in the media.
    InfoBefore,
    /// By INFO, after the press has begun.
    InfoAfter,
}

use Tells::{Events, EventsOfAnotherSource, EventsOfTwoSources, InfoAfter, InfoBefore, MovingEvents, Tones};

fn key() -> Digit {
    Digit::from_char('5').unwrap()
}

fn leg(number: u64, events: bool) -> Agreement {
    Agreement {
        telephone_event: events.then_some(101),
        ..World::agreement(number, Codec::Pcmu)
    }
}

/// A press of 160 ms in 800 ms of silence, told in these ways.
fn press(world: &mut World, ways: &[Tells], first: u16) {
    let told = |way| ways.contains(&way);
    for n in 0..40_u16 {
        if (n == 8 && told(InfoBefore)) || (n == 14 && told(InfoAfter)) {
            // What the control plane makes of an INFO.
            let (leg, digits) = (B, vec![key()]);
            world.command(Command::Digits { leg, digits });
        }
        let sequence = first + n;
        let down = n.checked_sub(10).filter(|down| *down < 10);
        let event = |down: u16| {
            let payload = Payload {
                event: key().event(),
                end: down >= 7,
                duration: (down.min(7) + 1) * 160,
            };
            payload.octets()
        };
        let begun = u32::from(first + 10) * 160;
        if let Some(down) = down {
            if told(EventsOfAnotherSource) || told(EventsOfTwoSources) {
                let bytes = datagram(101, sequence, 50_000 + begun, 8, &event(down));
                world.deliver(1, phone(1), &bytes);
            }
            if told(Events) || told(EventsOfTwoSources) || told(MovingEvents) {
                let moved = u32::from(if told(MovingEvents) { down.min(7) } else { 0 }) * 160;
                let bytes = datagram(101, sequence, begun + moved, VOICE, &event(down));
                world.deliver(1, phone(1), &bytes);
                world.run(20);
                continue;
            }
        }
        let mut voice = [0xff; 160];
        if let Some(down) = down.filter(|down| *down < 8 && told(Tones)) {
            dtmf::tones(key(), Codec::Pcmu, u32::from(down) * 160, &mut voice);
        }
        let bytes = datagram(0, sequence, u32::from(sequence) * 160, VOICE, &voice);
        world.deliver(1, phone(1), &bytes);
        world.run(20);
    }
}

/// The keys that a leg's phone gets: as events, and as tones.
fn got(sent: &[Sent], leg: u64) -> (usize, usize) {
    let (mut receiver, mut detector) = (Receiver::default(), Detector::new());
    let (mut events, mut tones) = (0, 0);
    for sent in of(sent, leg) {
        let packet = sent.packet();
        if packet.payload_type == 101 {
            let payload = Payload::parse(sent.payload()).unwrap();
            let told = receiver.receive(sent.at, (packet.ssrc, packet.timestamp), false, payload);
            events += usize::from(matches!(told, Told::New(Some(_))));
        } else {
            let heard = detector.listen(Codec::Pcmu, sent.payload());
            tones += usize::from(heard.is_some());
        }
    }
    (events, tones)
}

#[test]
fn one_press_is_one_key_by_whatever_ways_between_whatever_legs() {
    // The ways, and whether the phone that tells it has agreed to events.
    let cases: &[(&[Tells], bool)] = &[
        (&[Events], true),
        (&[EventsOfAnotherSource], true),
        (&[EventsOfTwoSources], true),
        (&[MovingEvents], true),
        (&[Tones], false),
        (&[InfoAfter], true),
        (&[InfoAfter], false),
        (&[Events, InfoBefore], true),
        (&[Events, InfoAfter], true),
        (&[EventsOfAnotherSource, InfoBefore], true),
        (&[EventsOfTwoSources, InfoAfter], true),
        (&[Tones, InfoBefore], false),
        (&[Tones, InfoAfter], false),
        (&[Tones, EventsOfAnotherSource], true),
        (&[Tones, EventsOfAnotherSource, InfoBefore], true),
        (&[Tones, EventsOfAnotherSource, InfoAfter], false),
        // Events under their usual payload type, although nobody agreed to it.
        (&[Events], false),
        (&[EventsOfAnotherSource], false),
        (&[Events, InfoAfter], false),
        (&[Tones, EventsOfAnotherSource], false),
    ];
    for (ways, agreed) in cases {
        for other in [true, false] {
            let case = format!("{ways:?}, agreed {agreed}, the other leg {other}");
            let mut world = World::new();
            world.open(1);
            world.configure(1, leg(1, *agreed));
            world.open(2);
            world.configure(2, leg(2, other));
            world.command(Command::Bridge { a: A, b: B });
            for presses in 1..=3_usize {
                let first = presses as u16 * 200;
                press(&mut world, ways, first);
                let expected = if other { (presses, 0) } else { (0, presses) };
                assert_eq!(got(&world.out.sent, 2), expected, "{case}");
                // What another way of the same press tells comes within two seconds.
                world.run(2_000);
            }
            let in_media = ways.iter().any(|way| !matches!(way, InfoBefore | InfoAfter));
            let digits = world.events().into_iter();
            let heard: Vec<Event> = digits.filter(|e| matches!(e, Event::Digit { .. })).collect();
            let expected = if in_media { 3 } else { 0 };
            assert_eq!(
                heard,
                vec![
                    Event::Digit {
                        leg: A,
                        digit: key(),
                        bridged: true
                    };
                    expected
                ],
                "{case}"
            );
        }
    }
}

#[test]
fn keys_in_a_row_are_as_many_keys() {
    for (ways, agreed) in [
        (&[Events, InfoAfter][..], true),
        (&[Events], true),
        (&[Tones], false),
    ] {
        for other in [true, false] {
            let mut world = World::new();
            world.open(1);
            world.configure(1, leg(1, agreed));
            world.open(2);
            world.configure(2, leg(2, other));
            world.command(Command::Bridge { a: A, b: B });
            for n in 0..4 {
                press(&mut world, ways, 100 + n * 40);
            }
            let expected = if other { (4, 0) } else { (0, 4) };
            assert_eq!(got(&world.out.sent, 2), expected, "{ways:?}, other {other}");
        }
    }
}

#[test]
fn the_voice_goes_on_beside_events_of_another_source() {
    let mut world = World::new();
    world.talking(1, Codec::Pcmu);
    world.talking(2, Codec::Pcmu);
    world.command(Command::Bridge { a: A, b: B });
    for n in 0..10 {
        press(&mut world, &[EventsOfAnotherSource], 100 + n * 40);
    }
    let voice: Vec<Packet> = of(&world.out.sent, 2)
        .iter()
        .map(Sent::packet)
        .filter(|packet| packet.payload_type == 0)
        .collect();
    assert!(voice.len() >= 400);
    let first = voice[0].timestamp;
    for (n, packet) in voice.iter().enumerate() {
        let expected = first.wrapping_add(n as u32 * 160);
        let off = packet.timestamp.wrapping_sub(expected) as i32;
        assert!(off.abs() <= 160, "packet {n} is {off} samples off");
    }
    let (received, lost) = {
        let (_, stats) = world.shard.close(A).unwrap();
        (stats.received, stats.lost)
    };
    assert_eq!((received, lost), (500, 0));
}

#[test]
fn the_echo_of_a_tone_we_send_is_no_key() {
    let mut world = World::new();
    world.open(1);
    world.configure(1, leg(1, false));
    let (leg, digits) = (A, vec![key()]);
    world.command(Command::Digits { leg, digits });
    for n in 0..30_u16 {
        let mut voice = [0xff; 160];
        if (3..8).contains(&n) {
            dtmf::tones(key(), Codec::Pcmu, u32::from(n) * 160, &mut voice);
        }
        let bytes = datagram(0, n, u32::from(n) * 160, VOICE, &voice);
        world.deliver(1, phone(1), &bytes);
        world.run(20);
    }
    assert_eq!(world.events(), []);
}

/// Two legs in a bridge; the second, which has agreed to events or not, is on hold.
fn on_hold(caller_events: bool, events: bool) -> World {
    let mut world = World::new();
    world.open(1);
    world.configure(1, leg(1, caller_events));
    world.open(2);
    world.configure(2, leg(2, events));
    world.command(Command::Bridge { a: A, b: B });
    hold(&mut world, events);
    world
}

fn hold(world: &mut World, events: bool) {
    let held = Agreement {
        remote: None,
        send: false,
        ..leg(2, events)
    };
    world.configure(2, held);
}

/// One packet of a press as events: the first of 160 ms at `n` = 0, the last end at 9.
fn event(world: &mut World, first: u16, n: u16) {
    let payload = Payload {
        event: key().event(),
        end: n >= 7,
        duration: (n.min(7) + 1) * 160,
    };
    let bytes = datagram(101, first + n, u32::from(first) * 160, VOICE, &payload.octets());
    world.deliver(1, phone(1), &bytes);
    world.run(20);
}

/// A key pressed during a hold is told when the phone is back, and so is a press a moment later.
#[test]
fn a_second_press_soon_after_a_hold_is_a_second_key() {
    for other in [true, false] {
        for ways in [
            &[Events][..],
            &[InfoAfter],
            &[Events, InfoAfter],
            &[Events, InfoBefore],
            &[EventsOfAnotherSource],
            &[Tones],
        ] {
            let case = format!("{ways:?}, other {other}");
            let mut world = on_hold(!ways.contains(&Tones), other);
            press(&mut world, ways, 100);
            assert_eq!(got(&world.out.sent, 2), (0, 0), "nobody listens: {case}");
            world.configure(2, leg(2, other));
            world.run(300);
            press(&mut world, ways, 200);
            let expected = if other { (2, 0) } else { (0, 2) };
            assert_eq!(got(&world.out.sent, 2), expected, "{case}");
        }
    }
}

/// Whichever packet of a press comes first after the hold, the phone gets one key, with its beginning.
#[test]
fn a_key_that_is_still_down_when_a_hold_ends_is_one_whole_key() {
    for other in [true, false] {
        for back in 0..=10 {
            let mut world = on_hold(true, other);
            for n in 0..10 {
                if n == back {
                    world.configure(2, leg(2, other));
                }
                event(&mut world, 100, n);
            }
            world.configure(2, leg(2, other));
            world.run(400);
            let expected = if other { (1, 0) } else { (0, 1) };
            assert_eq!(got(&world.out.sent, 2), expected, "back at {back}, other {other}");
            let packets: Vec<Packet> = of(&world.out.sent, 2).iter().map(Sent::packet).collect();
            let begun = |packet: &&Packet| packet.payload_type == 101 && packet.marker;
            let first = packets.iter().find(|packet| packet.payload_type == 101);
            if back > 0 {
                assert_eq!(packets.iter().filter(begun).count(), usize::from(other), "{back}");
            }
            assert_eq!(first.is_some(), other);
        }
    }
}

#[test]
fn a_key_that_is_down_when_a_hold_begins_is_one_key() {
    for other in [true, false] {
        for (held, informs) in (0..10).flat_map(|held| [(held, false), (held, true)]) {
            let mut world = on_hold(true, other);
            world.configure(2, leg(2, other));
            if informs {
                let (leg, digits) = (B, vec![key()]);
                world.command(Command::Digits { leg, digits });
            }
            for n in 0..10 {
                if n == held {
                    hold(&mut world, other);
                }
                if informs {
                    world.run(20);
                } else {
                    event(&mut world, 100, n);
                }
            }
            world.run(200);
            world.configure(2, leg(2, other));
            world.run(400);
            let heard = got(&world.out.sent, 2);
            let case = format!("held at {held}, by INFO: {informs}, other {other}");
            if other {
                assert_eq!(heard, (1, 0), "{case}");
            } else if held == 0 || held >= 8 {
                assert_eq!(heard, (0, 1), "{case}");
            } else {
                // Tones that the hold cut short may be too short to be a key.
                assert!(heard.0 == 0 && heard.1 <= 1, "{case}: {heard:?}");
            }
        }
    }
}

#[test]
fn a_press_that_began_before_a_bridge_is_not_the_other_legs() {
    for begun in 0..10 {
        let mut world = World::new();
        for number in [1, 2] {
            world.open(number);
            world.configure(number, leg(number, true));
        }
        for n in 0..10 {
            if n == begun {
                world.command(Command::Bridge { a: A, b: B });
            }
            event(&mut world, 100, n);
        }
        assert_eq!(got(&world.out.sent, 2), (usize::from(begun == 0), 0), "{begun}");
        world.command(Command::Bridge { a: A, b: B });
        world.run(200);
        event(&mut world, 200, 0);
        world.command(Command::Bridge { a: A, b: B });
        (1..10).for_each(|n| event(&mut world, 200, n));
        let keys = of(&world.out.sent, 2)
            .iter()
            .filter(|sent| sent.packet().payload_type == 101)
            .count();
        assert!(keys >= 10, "the next press is relayed whole: {keys}");
    }
}

#[test]
fn keys_that_wait_for_the_end_of_a_hold_are_forgotten_with_the_bridge() {
    let mut world = on_hold(true, true);
    press(&mut world, &[Events], 100);
    world.command(Command::Unbridge { a: A, b: B });
    world.configure(2, leg(2, true));
    world.run(400);
    assert_eq!(got(&world.out.sent, 2), (0, 0));
}

#[test]
fn a_press_that_begins_before_the_voice_of_another_source_is_one_key() {
    let mut world = World::new();
    world.open(1);
    world.configure(1, leg(1, true));
    world.open(2);
    world.configure(2, leg(2, true));
    world.command(Command::Bridge { a: A, b: B });
    for n in 0..20_u16 {
        let down = Payload {
            event: key().event(),
            end: n >= 17,
            duration: (n.min(17) + 1) * 160,
        };
        world.deliver(1, phone(1), &datagram(101, n, 8_000, 8, &down.octets()));
        if n >= 5 {
            let voice = datagram(0, n, u32::from(n) * 160, VOICE, &[0xff; 160]);
            world.deliver(1, phone(1), &voice);
        }
        world.run(20);
    }
    let heard = world.events().into_iter();
    let keys = heard.filter(|event| matches!(event, Event::Digit { .. })).count();
    assert_eq!((keys, got(&world.out.sent, 2)), (1, (1, 0)));
}
