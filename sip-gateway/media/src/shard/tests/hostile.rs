//! Strangers, and anything at all.

use super::*;
use pronto_types::Digit;
use proptest::prelude::*;

#[test]
fn a_stranger_is_neither_heard_nor_answered_not_even_with_the_right_ssrc() {
    let mut world = World::new();
    world.talking(1, Codec::Pcmu);
    world.talking(2, Codec::Pcmu);
    world.command(Command::Bridge {
        a: LegId(1),
        b: LegId(2),
    });
    world.run(100);
    let stranger = at("203.0.113.66:4000");
    for n in 0..200u16 {
        world.deliver(
            1,
            stranger,
            &datagram(0, n, u32::from(n) * 160, 0xabcd, &[0x2a; 160]),
        );
        world.deliver(1, at("192.0.2.1:4002"), &datagram(0, n, 0, 0xabcd, &[0x2a; 160]));
        world.deliver(1, stranger, &datagram(101, n, 0, 0xabcd, &[5, 0, 0, 160]));
        world.deliver(
            1,
            phone(1),
            &datagram(0, n, u32::from(n) * 160, 0xabcd, &[0x11; 160]),
        );
        world.run(20);
    }
    assert_eq!(world.shard.tally().foreign, 600);
    assert!(
        world
            .out
            .sent
            .iter()
            .all(|s| s.to.ip() == phone(1).ip() || s.to.ip() == phone(2).ip())
    );
    let heard = of(&world.out.sent, 2);
    assert!(heard.iter().all(|s| !s.payload().contains(&0x2a)));
    assert_eq!(heard.iter().filter(|s| s.payload() == [0x11; 160]).count(), 200);
    assert_eq!(world.events_but_stalls(), []);
}

#[test]
fn an_address_is_learned_once_by_valid_rtp_from_the_signalling_source() {
    let mut world = World::new();
    world.open(1);
    let learn = Learn::Once {
        ip: "203.0.113.9".parse().unwrap(),
    };
    world.configure(
        1,
        Agreement {
            remote: Some(at("10.0.0.5:4000")),
            learn,
            ..World::agreement(1, Codec::Pcmu)
        },
    );
    assert!(
        of(&world.run(40), 1).iter().all(|s| s.to == at("10.0.0.5:4000")),
        "until learned"
    );
    let (caller, other) = (at("203.0.113.9:31000"), at("203.0.113.9:31002"));
    // Not valid RTP of what was agreed: teaches nothing.
    world.deliver(1, other, b"\x80\x00");
    world.deliver(1, other, &datagram(18, 1, 0, 1, &[0; 20]));
    world.deliver(1, at("198.51.100.66:31000"), &datagram(0, 1, 0, 1, &[0; 160]));
    assert!(of(&world.run(40), 1).iter().all(|s| s.to == at("10.0.0.5:4000")));
    world.deliver(1, caller, &datagram(0, 1, 0, 1, &[0; 160]));
    world.deliver(1, other, &datagram(0, 2, 160, 1, &[0; 160]));
    world.deliver(1, at("10.0.0.5:4000"), &datagram(0, 3, 320, 1, &[0; 160]));
    assert!(of(&world.run(40), 1).iter().all(|s| s.to == caller));
    let tally = world.shard.tally();
    assert_eq!(
        (tally.received, tally.foreign, tally.malformed, tally.unexpected),
        (1, 3, 1, 1)
    );
}

#[test]
fn a_flood_of_keys_is_cut_to_twenty_a_second_and_a_fast_dialler_is_not() {
    let mut world = World::new();
    world.talking(1, Codec::Pcmu);
    let mut pressed = 0u32;
    let mut press = |world: &mut World, count: u32, pause: i64| {
        for _ in 0..count {
            pressed += 1;
            let event = (pressed % 10) as u8;
            world.deliver(
                1,
                phone(1),
                &datagram(101, pressed as u16, pressed * 1_000, 9, &[event, 0x80, 0, 160]),
            );
            world.run(pause);
        }
        world
            .events()
            .iter()
            .filter(|event| matches!(event, Event::Digit { .. }))
            .count()
    };
    assert_eq!(press(&mut world, 150, 80), 150, "80 ms each");
    assert_eq!(press(&mut world, 30, 0), 30, "a stall of the network");
    world.run(3_000);
    let told = press(&mut world, 5_000, 2);
    assert!((230..=250).contains(&told), "40 and 20 a second for 10 s: {told}");
}

#[derive(Clone, Debug)]
enum Step {
    Garbage(u64, bool, usize, Vec<u8>),
    Rtp {
        leg: u64,
        from: usize,
        kind: u8,
        sequence: u16,
        timestamp: u32,
        ssrc: u32,
        length: usize,
    },
    Do(u8, u64, u64),
    Run(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let leg = 1u64..4;
    prop_oneof![
        2 => (leg.clone(), any::<bool>(), 0usize..4, proptest::collection::vec(any::<u8>(), 0..60))
            .prop_map(|(leg, rtcp, from, bytes)| Step::Garbage(leg, rtcp, from, bytes)),
        6 => (leg.clone(), 0usize..4, 0u8..4, 0u16..200, any::<u32>(), 0u32..3, 0usize..500).prop_map(
            |(leg, from, kind, sequence, timestamp, ssrc, length)| {
                // Half of the timestamps go with their sequence numbers.
                let timestamp = if timestamp & 1 == 0 { u32::from(sequence) * 160 } else { timestamp };
                Step::Rtp { leg, from, kind, sequence, timestamp, ssrc, length }
            }
        ),
        3 => (0u8..11, leg.clone(), leg).prop_map(|(what, a, b)| Step::Do(what, a, b)),
        4 => (1i64..120).prop_map(|slots| Step::Run(slots * 2)),
    ]
}

fn order(what: u8, a: u64, b: u64) -> Option<Command> {
    let (leg, other) = (LegId(a), LegId(b));
    Some(match what {
        0 | 1 => Command::Bridge { a: leg, b: other },
        2 => Command::Unbridge { a: leg, b: other },
        3 => Command::Play {
            leg,
            play: PlayId(b),
            clips: vec![ramp(100 * b as usize); 2],
        },
        4 => Command::Music { leg, clip: ramp(333) },
        5 => Command::Stop { leg },
        6 => Command::Digits {
            leg,
            digits: vec![Digit::from_event(b as u8)?; 2],
        },
        _ => return None,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever comes and whatever is commanded: no panic, packets only to the phones, one SSRC per leg, and no sequence
    /// number twice.
    #[test]
    fn nothing_breaks_a_stream(steps in proptest::collection::vec(step(), 0..150)) {
        let mut world = World::new();
        for leg in 1..4 {
            world.talking(leg, if leg == 2 { Codec::Pcma } else { Codec::Pcmu });
        }
        let froms = [phone(1), phone(2), phone(3), at("203.0.113.66:1")];
        for step in steps {
            match step {
                Step::Garbage(leg, rtcp, from, bytes) => {
                    let channel = if rtcp { Channel::Rtcp } else { Channel::Rtp };
                    world.deliver_to(leg, channel, froms[from], &bytes);
                }
                Step::Rtp { leg, from, kind, sequence, timestamp, ssrc, length } => {
                    let payload_type = [0, 8, 101, 101][usize::from(kind)];
                    let bytes = datagram(payload_type, sequence, timestamp, ssrc, &vec![kind; length]);
                    world.deliver(leg, froms[from], &bytes);
                }
                Step::Do(what, a, b) => match order(what, a, b) {
                    Some(command) => world.command(command),
                    None => {
                        let hold = what == 7;
                        let agreed = World::agreement(a, if b == 2 { Codec::Pcma } else { Codec::Pcmu });
                        let remote = agreed.remote.filter(|_| !hold);
                        let telephone_event = agreed.telephone_event.filter(|_| what != 8);
                        world.configure(a, Agreement { remote, telephone_event, ..agreed });
                    }
                },
                Step::Run(millis) => drop(world.run(millis)),
            }
        }
        for leg in 1..4 {
            let sent = of(&world.out.sent, leg);
            prop_assert!(sent.iter().all(|s| s.to == phone(leg)));
            let mut numbers: Vec<_> = sent.iter().map(|s| s.packet().sequence).collect();
            prop_assert!(sent.windows(2).all(|p| p[0].packet().ssrc == p[1].packet().ssrc));
            let count = numbers.len();
            numbers.sort_unstable();
            numbers.dedup();
            prop_assert_eq!(numbers.len(), count, "leg {} used a sequence number twice", leg);
        }
    }
}
