//! One leg alone: prompts, music, silence, hold, keys.

use super::*;
use crate::session::Session;
use crate::telephone_event::Payload;
use pronto_types::Digit;

fn digit(key: char) -> Digit {
    Digit::from_char(key).unwrap()
}

fn payloads(sent: &[Sent]) -> Vec<u8> {
    sent.iter().flat_map(|s| s.payload().to_vec()).collect()
}

#[test]
fn a_prompt_is_heard_to_the_sample_and_its_end_is_told() {
    let mut world = World::new();
    world.talking(1, Codec::Pcma);
    let clip = ramp(400);
    world.command(Command::Play {
        leg: LegId(1),
        play: PlayId(5),
        clips: vec![clip.clone(), clip.clone()],
    });
    let sent = world.run(80);
    assert_eq!(world.events(), []);
    let sent = [sent, world.run(60)].concat();
    assert_eq!(
        world.events(),
        [Event::Finished {
            leg: LegId(1),
            play: PlayId(5)
        }]
    );
    let octets = clip.octets(Codec::Pcma);
    let heard = payloads(&sent);
    assert_eq!(heard[..800], [octets, octets].concat());
    assert!(heard[800..].iter().all(|o| *o == 0xd5));
    assert_continuous(&sent);
}

#[test]
fn stop_cuts_at_the_next_tick_and_a_prompt_stopped_or_replaced_never_finishes() {
    let mut world = World::new();
    world.talking(1, Codec::Pcmu);
    world.command(Command::Play {
        leg: LegId(1),
        play: PlayId(1),
        clips: vec![ramp(8_000)],
    });
    world.run(50);
    world.command(Command::Stop { leg: LegId(1) });
    let stopped = world.now();
    let sent = world.run(100);
    assert!(sent.iter().all(|s| s.payload() == [0xff; 160]));
    assert!(sent[0].at.since(stopped) <= Duration::from_millis(20));
    world.command(Command::Play {
        leg: LegId(1),
        play: PlayId(2),
        clips: vec![ramp(8_000)],
    });
    world.run(40);
    world.command(Command::Play {
        leg: LegId(1),
        play: PlayId(3),
        clips: vec![ramp(160)],
    });
    world.run(2_000);
    assert_eq!(
        world.events_but_stalls(),
        [Event::Finished {
            leg: LegId(1),
            play: PlayId(3)
        }]
    );
}

#[test]
fn music_goes_on_at_the_sample_where_an_announcement_cut_it() {
    let mut world = World::new();
    world.talking(1, Codec::Pcmu);
    let music = ramp(1_000);
    world.command(Command::Music {
        leg: LegId(1),
        clip: music.clone(),
    });
    let before = world.run(60);
    world.command(Command::Play {
        leg: LegId(1),
        play: PlayId(1),
        clips: vec![ramp(320)],
    });
    let between = world.run(100);
    world.command(Command::Music {
        leg: LegId(1),
        clip: music.clone(),
    });
    let after = world.run(120);
    let heard = [payloads(&before), payloads(&after)].concat();
    let looped: Vec<u8> = music
        .octets(Codec::Pcmu)
        .iter()
        .copied()
        .cycle()
        .take(heard.len())
        .collect();
    assert_eq!(heard, looped);
    assert_continuous(&[before, between, after].concat());
}

#[test]
fn a_held_leg_sends_nothing_but_time_and_its_prompts_go_on() {
    let mut world = World::new();
    world.talking(1, Codec::Pcmu);
    let before = world.run(40);
    world.configure(
        1,
        Agreement {
            remote: None,
            ..World::agreement(1, Codec::Pcmu)
        },
    );
    world.command(Command::Play {
        leg: LegId(1),
        play: PlayId(1),
        clips: vec![ramp(1_600)],
    });
    assert_eq!(of(&world.run(300), 1).len(), 0);
    assert_eq!(
        world.events(),
        [Event::Finished {
            leg: LegId(1),
            play: PlayId(1)
        }]
    );
    world.configure(1, World::agreement(1, Codec::Pcmu));
    let after = world.run(40);
    let (last, first) = (before.last().unwrap().packet(), after[0].packet());
    assert_eq!(first.sequence, last.sequence.wrapping_add(1));
    assert_eq!(
        first.timestamp.wrapping_sub(last.timestamp),
        16 * 160,
        "320 ms later"
    );
    assert!(
        first.marker && !after[1].packet().marker,
        "the first packet after silence"
    );
    world.configure(
        1,
        Agreement {
            send: false,
            ..World::agreement(1, Codec::Pcmu)
        },
    );
    assert_eq!(of(&world.run(100), 1).len(), 0);
}

#[test]
fn before_the_first_configure_nothing_is_sent_taken_or_played() {
    let mut world = World::new();
    world.open(1);
    world.command(Command::Play {
        leg: LegId(1),
        play: PlayId(1),
        clips: vec![ramp(320)],
    });
    assert!(world.run(100).is_empty());
    let key = Payload {
        event: 5,
        end: false,
        duration: 160,
    }
    .octets();
    world.deliver(1, phone(1), &datagram(101, 1, 0, 9, &key));
    assert_eq!(world.events(), []);
    assert_eq!(world.shard.tally().unconfigured, 1);
    world.configure(1, World::agreement(1, Codec::Pcmu));
    let sent = world.run(40);
    assert_eq!(
        payloads(&sent),
        ramp(320).octets(Codec::Pcmu),
        "from its beginning"
    );
}

#[test]
fn ticks_left_out_are_a_gap_in_the_stream_and_no_burst() {
    let mut session = Session::new(9, Time::ZERO);
    session.configure(Time::ZERO, World::agreement(1, Codec::Pcmu));
    let mut packets = Vec::new();
    for tick in [0, 1, 2, 27, 28] {
        let mut buffer = [0; PACKET];
        let sent = session.tick(Time::from_micros(tick * 20_000), &mut buffer);
        assert!(sent.datagram.is_some());
        packets.push(Packet::parse(&buffer).unwrap());
    }
    let steps: Vec<_> = packets
        .windows(2)
        .map(|p| {
            (
                p[1].sequence.wrapping_sub(p[0].sequence),
                p[1].timestamp.wrapping_sub(p[0].timestamp),
            )
        })
        .collect();
    assert_eq!(steps, [(1, 160), (1, 160), (1, 25 * 160), (1, 160)]);
    assert_eq!(
        packets.iter().map(|p| p.marker).collect::<Vec<_>>(),
        [true, false, false, true, false]
    );
}

#[test]
fn a_key_is_told_once_whatever_is_lost_or_repeated() {
    let mut world = World::new();
    world.talking(1, Codec::Pcmu);
    let payload = |end, duration| {
        Payload {
            event: 9,
            end,
            duration,
        }
        .octets()
    };
    // The first packets, and with them the marker, are lost; every end comes, one of them twice.
    world.deliver(1, phone(1), &datagram(101, 3, 1_000, 9, &payload(false, 480)));
    assert_eq!(
        world.events(),
        [Event::Digit {
            leg: LegId(1),
            digit: digit('9'),
            bridged: false,
        }],
        "at its first packet"
    );
    for sequence in [4, 5, 5, 6] {
        world.deliver(
            1,
            phone(1),
            &datagram(101, sequence, 1_000, 9, &payload(true, 800)),
        );
    }
    world.deliver(1, phone(1), &datagram(101, 2, 1_000, 9, &payload(false, 320)));
    assert_eq!(world.events(), []);
    // Its next press loses everything but one end.
    world.deliver(1, phone(1), &datagram(101, 12, 5_000, 9, &payload(true, 800)));
    assert_eq!(
        world.events(),
        [Event::Digit {
            leg: LegId(1),
            digit: digit('9'),
            bridged: false,
        }]
    );
    // Another source that tells it at the same time tells the same press; later it is another one.
    world.deliver(1, phone(1), &datagram(101, 1, 77_000, 11, &payload(true, 800)));
    assert_eq!(world.events(), []);
    world.run(1_000);
    world.deliver(1, phone(1), &datagram(101, 1, 5_000, 10, &payload(true, 800)));
    assert_eq!(world.events().len(), 1);
    assert_eq!(world.shard.tally().digits, 3);
}

#[test]
fn keys_are_sent_as_events_and_the_prompt_waits_for_them() {
    let mut world = World::new();
    world.talking(1, Codec::Pcmu);
    let clip = ramp(1_600);
    world.command(Command::Play {
        leg: LegId(1),
        play: PlayId(1),
        clips: vec![clip.clone()],
    });
    let before = world.run(40);
    world.command(Command::Digits {
        leg: LegId(1),
        digits: vec![digit('1'), digit('2')],
    });
    let keys = world.run(400);
    let after = world.run(200);
    let events: Vec<_> = keys.iter().filter(|s| s.packet().payload_type == 101).collect();
    assert_eq!(events.len(), 14);
    let starts: Vec<_> = events
        .iter()
        .filter(|s| s.packet().marker)
        .map(|s| s.packet().timestamp)
        .collect();
    assert_eq!(starts.len(), 2);
    assert_eq!(starts[1].wrapping_sub(starts[0]), 1_600);
    let heard = [payloads(&before), payloads(&after)].concat();
    assert_eq!(heard[..1_600], *clip.octets(Codec::Pcmu));
    let all = [before, keys, after].concat();
    assert!(
        all.windows(2)
            .all(|p| p[1].packet().sequence == p[0].packet().sequence.wrapping_add(1))
    );
    assert_eq!(world.shard.tally().digits_dropped, 0);
}

#[test]
fn without_telephone_event_keys_are_tones_both_ways() {
    let mut world = World::new();
    for leg in [1, 2] {
        world.open(leg);
        world.configure(
            leg,
            Agreement {
                telephone_event: None,
                ..World::agreement(leg, Codec::Pcma)
            },
        );
    }
    let dialled = "147*2580369#ABCD";
    let digits = dialled.chars().map(digit).collect();
    world.command(Command::Digits {
        leg: LegId(1),
        digits,
    });
    for sent in of(&world.run(20 * 10 * 16 + 100), 1) {
        // What leg 1 sends, the phone of leg 2 sends to leg 2.
        world.deliver(2, phone(2), &sent.bytes);
    }
    let heard: String = world
        .events()
        .iter()
        .filter_map(|event| match event {
            Event::Digit {
                leg: LegId(2), digit, ..
            } => Some(digit.as_char()),
            _ => None,
        })
        .collect();
    assert_eq!(heard, dialled);
}

#[test]
fn tones_are_not_looked_for_where_events_were_agreed() {
    let mut world = World::new();
    world.open(1);
    world.configure(
        1,
        Agreement {
            telephone_event: None,
            ..World::agreement(1, Codec::Pcmu)
        },
    );
    world.talking(2, Codec::Pcmu);
    world.command(Command::Digits {
        leg: LegId(1),
        digits: vec![digit('7')],
    });
    for sent in of(&world.run(400), 1) {
        world.deliver(2, phone(2), &sent.bytes);
    }
    assert_eq!(world.events(), []);
}
