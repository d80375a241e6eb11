//! Two legs that hear each other.

use super::*;
use crate::g711;
use crate::telephone_event::Payload;

const A: LegId = LegId(1);
const B: LegId = LegId(2);

fn bridged(codec_a: Codec, codec_b: Codec) -> World {
    let mut world = World::new();
    world.talking(1, codec_a);
    world.talking(2, codec_b);
    world.run(100);
    world.command(Command::Bridge { a: A, b: B });
    world
}

/// 20 ms of speech whose octets count up from the sequence number.
fn speech(payload_type: u8, sequence: u16, ssrc: u32) -> Vec<u8> {
    let payload: Vec<u8> = (0..160).map(|n| (n as u8).wrapping_add(sequence as u8)).collect();
    datagram(payload_type, sequence, u32::from(sequence) * 160, ssrc, &payload)
}

#[test]
fn each_hears_the_other_under_its_own_numbers() {
    let mut world = bridged(Codec::Pcmu, Codec::Pcmu);
    let mut heard = of(&world.out.sent, 2);
    for sequence in 500..550 {
        let bytes = speech(0, sequence, 0xabcd);
        let sent = world.deliver(1, phone(1), &bytes);
        assert_eq!(sent.len(), 1);
        assert_eq!((sent[0].leg, sent[0].to), (2, phone(2)));
        assert_eq!(sent[0].payload(), &bytes[12..]);
        heard.extend(sent);
        let own = world.run(20);
        heard.extend(of(&own, 2));
        assert!(of(&own, 2).is_empty(), "nothing but the other leg");
    }
    assert_continuous(&heard);
    world.command(Command::Bridge { a: B, b: A });
    assert_eq!(world.shard.bridges(), 1);
    world.command(Command::Unbridge { a: B, b: A });
    assert_eq!(world.shard.bridges(), 0);
    assert!(world.deliver(1, phone(1), &speech(0, 550, 0xabcd)).is_empty());
    heard.extend(of(&world.run(100), 2));
    assert_continuous(&heard);
    // The two directions are streams of their own.
    let back = world.shard.tally();
    assert_eq!((back.relayed, back.received), (50, 51));
}

#[test]
fn codecs_and_payload_types_are_translated() {
    let mut world = bridged(Codec::Pcmu, Codec::Pcma);
    let bytes = speech(0, 1, 5);
    let sent = world.deliver(1, phone(1), &bytes);
    let mut expected = bytes[12..].to_vec();
    g711::transcode(Codec::Pcmu, Codec::Pcma, &mut expected);
    assert_eq!(
        (sent[0].packet().payload_type, sent[0].payload()),
        (8, &expected[..])
    );
    let bytes = speech(8, 1, 6);
    let sent = world.deliver(2, phone(2), &bytes);
    let mut expected = bytes[12..].to_vec();
    g711::transcode(Codec::Pcma, Codec::Pcmu, &mut expected);
    assert_eq!(
        (sent[0].packet().payload_type, sent[0].payload()),
        (0, &expected[..])
    );
}

#[test]
fn packets_of_any_length_pass_and_those_of_other_codecs_do_not() {
    let mut world = bridged(Codec::Pcmu, Codec::Pcmu);
    let mut timestamp = 0;
    let mut heard = 0;
    for (n, length) in [80, 160, 240, 320, 480].into_iter().enumerate() {
        let sent = world.deliver(
            1,
            phone(1),
            &datagram(0, n as u16, timestamp, 5, &vec![7; length]),
        );
        assert!(
            sent.iter().all(|s| s.payload() == [7; 160]),
            "as long as the other leg wants them"
        );
        timestamp += length as u32;
        heard += 160 * sent.len();
    }
    assert_eq!(heard, 1_280);
    assert!(
        world
            .deliver(1, phone(1), &datagram(18, 10, 0, 5, &[0; 20]))
            .is_empty()
    );
    assert!(world.deliver(1, phone(1), &datagram(0, 11, 0, 5, &[])).is_empty());
    assert!(
        world
            .deliver(1, phone(1), &datagram(0, 12, 0, 5, &[0; 1_400]))
            .is_empty()
    );
    assert_eq!(world.shard.tally().unexpected, 3);
}

#[test]
fn loss_and_reordering_stay_and_duplicates_go() {
    let mut world = bridged(Codec::Pcmu, Codec::Pcmu);
    let mut out = Vec::new();
    for sequence in [100u16, 101, 103, 102, 103, 106, 106, 99] {
        out.extend(
            world
                .deliver(1, phone(1), &speech(0, sequence, 5))
                .iter()
                .map(|s| {
                    let packet = s.packet();
                    (sequence, packet.sequence, packet.timestamp)
                }),
        );
    }
    let (_, first, stamp) = out[0];
    let relative: Vec<_> = out
        .iter()
        .map(|(source, sequence, timestamp)| {
            (
                *source,
                sequence.wrapping_sub(first),
                timestamp.wrapping_sub(stamp),
            )
        })
        .collect();
    // 99 would land on the number of a packet of ours.
    assert_eq!(
        relative,
        [
            (100, 0, 0),
            (101, 1, 160),
            (103, 3, 480),
            (102, 2, 320),
            (106, 6, 960)
        ]
    );
}

#[test]
fn a_source_that_changes_or_jumps_leaves_the_stream_continuous() {
    let mut world = bridged(Codec::Pcmu, Codec::Pcmu);
    let mut heard = of(&world.out.sent, 2);
    let mut say = |world: &mut World, sequence: u16, timestamp: u32, ssrc| {
        let sent = world.deliver(1, phone(1), &datagram(0, sequence, timestamp, ssrc, &[1; 160]));
        heard.extend(sent.clone());
        heard.extend(of(&world.run(20), 2));
        sent
    };
    for n in 0..10 {
        say(
            &mut world,
            65_530u16.wrapping_add(n),
            4_294_967_000u32.wrapping_add(u32::from(n) * 160),
            1,
        );
    }
    for n in 0..10 {
        let sent = say(&mut world, 7 + n, 99 + u32::from(n) * 160, 2);
        assert_eq!(sent[0].packet().marker, n == 0, "a new talkspurt");
    }
    for n in 0..10 {
        say(&mut world, 17 + n, 3_000_000 + u32::from(n) * 160, 2);
    }
    for n in 0..10 {
        say(&mut world, 40_000 + n, 3_001_600 + u32::from(n) * 160, 2);
    }
    assert_continuous(&heard);
    assert_eq!(
        heard.iter().filter(|s| s.payload() == [1; 160]).count(),
        39,
        "one is spent on being sure"
    );
}

#[test]
fn keys_cross_the_bridge_with_their_payload_type_and_are_told_too() {
    let mut world = bridged(Codec::Pcmu, Codec::Pcma);
    world.configure(
        2,
        Agreement {
            telephone_event: Some(96),
            ..World::agreement(2, Codec::Pcma)
        },
    );
    let first = world.deliver(1, phone(1), &speech(0, 9, 5));
    let key = |end, duration| {
        Payload {
            event: 3,
            end,
            duration,
        }
        .octets()
    };
    let mut crossed = Vec::new();
    // Two seconds: longer than a timestamp of audio may stray.
    for n in 0..100u16 {
        world.run(20);
        crossed.extend(world.deliver(
            1,
            phone(1),
            &datagram(101, 10 + n, 1_600, 5, &key(n > 96, 160 + 160 * n)),
        ));
    }
    assert_eq!(crossed.len(), 100);
    let base = first[0].packet();
    for (n, sent) in crossed.iter().enumerate() {
        let packet = sent.packet();
        assert_eq!(packet.payload_type, 96);
        assert_eq!(
            packet.timestamp.wrapping_sub(base.timestamp),
            160,
            "the timestamp of the press"
        );
        assert_eq!(packet.sequence.wrapping_sub(base.sequence), 1 + n as u16);
        assert_eq!(sent.payload(), key(n > 96, 160 + 160 * n as u16));
    }
    assert_eq!(world.events_but_stalls().len(), 1);
    // Speech goes on after it.
    world.run(20);
    let after = world.deliver(1, phone(1), &speech(0, 110, 5));
    assert_eq!(
        after[0].packet().timestamp.wrapping_sub(base.timestamp),
        101 * 160
    );
}

#[test]
fn keys_do_not_cross_to_a_leg_that_has_not_agreed_to_them() {
    let mut world = bridged(Codec::Pcmu, Codec::Pcmu);
    world.configure(
        2,
        Agreement {
            telephone_event: None,
            ..World::agreement(2, Codec::Pcmu)
        },
    );
    let key = Payload {
        event: 3,
        end: false,
        duration: 160,
    }
    .octets();
    assert!(
        world
            .deliver(1, phone(1), &datagram(101, 1, 0, 5, &key))
            .is_empty()
    );
    assert_eq!(world.events().len(), 1);
    assert_eq!(world.shard.tally().not_relayed, 1);
}

#[test]
fn bridging_cuts_what_plays_and_silence_fills_a_bridge_that_says_nothing() {
    let mut world = World::new();
    world.talking(1, Codec::Pcmu);
    world.talking(2, Codec::Pcmu);
    world.command(Command::Music {
        leg: A,
        clip: ramp(8_000),
    });
    world.run(100);
    world.command(Command::Bridge { a: A, b: B });
    let quiet = of(&world.run(1_000), 1);
    assert!((47..=49).contains(&quiet.len()), "{}", quiet.len());
    assert!(quiet.iter().all(|s| s.payload() == [0xff; 160]));
    world.deliver(2, phone(2), &speech(0, 1, 5));
    world.run(80);
    world.deliver(2, phone(2), &speech(0, 5, 5));
    assert_continuous(&of(&world.out.sent, 1)[..50]);
    let all = of(&world.out.sent, 1);
    let gap = all
        .last()
        .unwrap()
        .packet()
        .timestamp
        .wrapping_sub(all[all.len() - 2].packet().timestamp);
    assert_eq!(gap, 640, "a short pause of the source is its own");
}

#[test]
fn a_source_that_pauses_and_goes_on_in_time_overlaps_no_silence_of_ours() {
    for phase in (0..20).step_by(2) {
        let mut world = bridged(Codec::Pcmu, Codec::Pcmu);
        world.run(phase);
        for n in 0..40u16 {
            // Ten packets, then a pause of ten, twice.
            if n / 10 % 2 == 0 {
                world.deliver(1, phone(1), &speech(0, n, 5));
            }
            world.run(20);
        }
        let heard = of(&world.out.sent, 2);
        let silent = heard
            .iter()
            .skip(5)
            .filter(|s| s.payload() == [0xff; 160])
            .count();
        assert!((8..=16).contains(&silent), "{silent} filled");
        assert_continuous(&heard);
    }
}

#[test]
fn a_packet_of_the_source_from_before_one_of_ours_is_too_late() {
    let mut world = bridged(Codec::Pcmu, Codec::Pcmu);
    for sequence in [10, 11, 13] {
        world.deliver(1, phone(1), &speech(0, sequence, 5));
    }
    world.command(Command::Play {
        leg: B,
        play: PlayId(1),
        clips: vec![ramp(160)],
    });
    world.run(20);
    assert!(
        world.deliver(1, phone(1), &speech(0, 12, 5)).is_empty(),
        "before the next one"
    );
    assert_eq!(world.deliver(1, phone(1), &speech(0, 15, 5)).len(), 1);
    assert!(
        world.deliver(1, phone(1), &speech(0, 14, 5)).is_empty(),
        "and after it"
    );
    assert_eq!(world.deliver(1, phone(1), &speech(0, 16, 5)).len(), 1);
}

#[test]
fn an_announcement_inside_a_bridge_is_heard_by_one_side_only() {
    let mut world = bridged(Codec::Pcmu, Codec::Pcmu);
    world.deliver(1, phone(1), &speech(0, 1, 5));
    world.command(Command::Play {
        leg: B,
        play: PlayId(1),
        clips: vec![ramp(320)],
    });
    assert!(world.deliver(1, phone(1), &speech(0, 2, 5)).is_empty());
    assert_eq!(world.deliver(2, phone(2), &speech(0, 1, 6)).len(), 1);
    world.run(60);
    world.deliver(1, phone(1), &speech(0, 5, 5));
    assert_continuous(&of(&world.out.sent, 2));
    assert_eq!(
        of(&world.out.sent, 2).last().unwrap().payload(),
        &speech(0, 5, 5)[12..]
    );
}

#[test]
fn a_leg_has_one_bridge_and_closing_ends_it() {
    let mut world = bridged(Codec::Pcmu, Codec::Pcmu);
    world.talking(3, Codec::Pcmu);
    world.command(Command::Bridge { a: LegId(3), b: A });
    assert_eq!(world.shard.bridges(), 1);
    assert!(
        world.deliver(2, phone(2), &speech(0, 1, 5)).is_empty(),
        "no longer with 1"
    );
    assert_eq!(world.deliver(1, phone(1), &speech(0, 1, 6))[0].leg, 3);
    world.command(Command::Unbridge { a: A, b: B });
    assert_eq!(
        world.deliver(1, phone(1), &speech(0, 2, 6)).len(),
        1,
        "that is not its bridge"
    );
    world.shard.close(LegId(3));
    assert_eq!(world.shard.bridges(), 0);
    assert!(world.deliver(1, phone(1), &speech(0, 3, 6)).is_empty());
    world.command(Command::Bridge { a: A, b: A });
    world.command(Command::Bridge { a: A, b: LegId(99) });
    assert!(world.deliver(1, phone(1), &speech(0, 4, 6)).is_empty());
    assert_eq!(world.shard.tally().stray_commands, 3);
}

#[test]
fn whoever_gets_the_place_of_a_closed_leg_does_not_hear_its_bridge() {
    let mut world = bridged(Codec::Pcmu, Codec::Pcmu);
    world.shard.close(B);
    world.talking(3, Codec::Pcmu);
    assert_eq!(world.places[&3], world.places[&2]);
    world.talking(4, Codec::Pcmu);
    world.command(Command::Bridge {
        a: LegId(3),
        b: LegId(4),
    });
    assert!(world.deliver(1, phone(1), &speech(0, 1, 5)).is_empty());
}

#[test]
fn an_event_that_claims_to_be_longer_than_it_is_moves_no_clock() {
    let mut world = bridged(Codec::Pcmu, Codec::Pcmu);
    world.deliver(1, phone(1), &speech(0, 1, 5));
    let lie = Payload {
        event: 1,
        end: true,
        duration: 60_000,
    }
    .octets();
    world.deliver(1, phone(1), &datagram(101, 2, 320, 5, &lie));
    world.command(Command::Unbridge { a: A, b: B });
    world.run(100);
    let sent = of(&world.out.sent, 2);
    let span = sent
        .last()
        .unwrap()
        .packet()
        .timestamp
        .wrapping_sub(sent[0].packet().timestamp);
    assert!(span <= 12 * 160, "{span} in 200 ms");
}

#[test]
fn a_held_leg_is_sent_nothing_from_the_bridge() {
    let mut world = bridged(Codec::Pcmu, Codec::Pcmu);
    world.configure(
        2,
        Agreement {
            remote: None,
            send: false,
            ..World::agreement(2, Codec::Pcmu)
        },
    );
    assert!(world.deliver(1, phone(1), &speech(0, 1, 5)).is_empty());
    assert!(of(&world.run(200), 2).is_empty());
    world.configure(2, World::agreement(2, Codec::Pcmu));
    let sent = world.deliver(1, phone(1), &speech(0, 12, 5));
    assert!(sent[0].packet().marker);
    assert_continuous(&of(&world.out.sent, 2));
}

#[test]
fn an_hour_through_a_drifting_clock_never_strays_more_than_a_second() {
    // The source's clock is 200 ppm slow and 200 ppm fast: 20 ms of its audio take 20.004 or 19.996 ms.
    for drift in [4, -4] {
        let mut world = bridged(Codec::Pcmu, Codec::Pcmu);
        let start = world.now();
        let own = of(&world.out.sent, 2).last().unwrap().packet().timestamp;
        let mut due = start;
        let mut last = None;
        for n in 0..180_000u32 {
            while world.now() < due {
                world.run(2);
            }
            world.out.sent.clear();
            let sent = world.deliver(1, phone(1), &datagram(0, n as u16, n * 160, 5, &[1; 160]));
            assert_eq!(sent.len(), 1, "packet {n}");
            let packet = sent[0].packet();
            if let Some((sequence, timestamp)) = last {
                assert_eq!(packet.sequence, u16::wrapping_add(sequence, 1));
                assert!(
                    (160..=8_160).contains(&packet.timestamp.wrapping_sub(timestamp)),
                    "packet {n}"
                );
            }
            last = Some((packet.sequence, packet.timestamp));
            let clock = own.wrapping_add((world.now().since(start).as_micros() / 125) as u32);
            let stray = packet.timestamp.wrapping_sub(clock) as i32;
            assert!(stray.abs() < 9_000, "packet {n}: {stray}");
            due += Duration::from_micros((20_000 + drift) as u64);
        }
    }
}
