use super::*;
use proptest::prelude::*;

fn digit(key: char) -> Digit {
    Digit::from_char(key).unwrap()
}

fn update(event: u8, duration: u16) -> Payload {
    Payload {
        event,
        end: false,
        duration,
    }
}

fn end(event: u8, duration: u16) -> Payload {
    Payload {
        event,
        end: true,
        duration,
    }
}

/// The key of a new press in a packet of the one source.
fn receive(receiver: &mut Receiver, timestamp: u32, late: bool, payload: Payload) -> Option<Digit> {
    match receiver.receive(Time::ZERO, (1, timestamp), late, payload) {
        Told::New(digit) => digit,
        Told::Known(_) | Told::Copy => None,
    }
}

/// Feeds packets in order, none late, and returns the keys.
fn keys(packets: &[(u32, Payload)]) -> String {
    let mut receiver = Receiver::default();
    packets
        .iter()
        .filter_map(|(ts, p)| receive(&mut receiver, *ts, false, *p))
        .map(Digit::as_char)
        .collect()
}

#[test]
fn three_ends_and_their_updates_are_one_press_reported_at_the_first_packet() {
    let mut receiver = Receiver::default();
    assert_eq!(
        receive(&mut receiver, 1_000, false, update(5, 160)),
        Some(digit('5'))
    );
    for payload in [
        update(5, 320),
        update(5, 480),
        end(5, 640),
        end(5, 640),
        end(5, 640),
    ] {
        assert_eq!(receive(&mut receiver, 1_000, false, payload), None);
    }
}

#[test]
fn any_single_packet_of_a_press_is_enough() {
    for packet in [update(9, 160), update(9, 480), end(9, 800)] {
        assert_eq!(keys(&[(1_000, packet)]), "9");
    }
}

#[test]
fn the_same_key_twice_is_two_presses_even_when_every_end_is_lost() {
    assert_eq!(
        keys(&[
            (1_000, update(1, 160)),
            (1_000, update(1, 640)),
            (3_000, update(1, 160))
        ]),
        "11"
    );
}

#[test]
fn a_late_packet_of_an_old_press_is_no_new_press() {
    let mut receiver = Receiver::default();
    assert!(receive(&mut receiver, 1_000, false, update(1, 160)).is_some());
    assert!(receive(&mut receiver, 3_000, false, update(2, 160)).is_some());
    assert_eq!(receive(&mut receiver, 1_000, true, end(1, 800)), None);
    assert_eq!(
        receive(&mut receiver, 1_000, false, end(1, 800)),
        None,
        "a repeated end sent after the next key"
    );
    assert_eq!(receive(&mut receiver, 3_000, false, update(2, 320)), None);
}

#[test]
fn a_press_all_of_which_came_late_is_heard_and_one_long_forgotten_is_not() {
    let mut receiver = Receiver::default();
    assert!(receive(&mut receiver, 10_000, false, update(2, 160)).is_some());
    assert_eq!(receive(&mut receiver, 6_000, true, end(7, 800)), Some(digit('7')));
    assert_eq!(receive(&mut receiver, 6_000, true, end(7, 800)), None);
    for timestamp in [14_000, 18_000, 22_000, 26_000] {
        assert!(receive(&mut receiver, timestamp, false, end(1, 800)).is_some());
    }
    assert_eq!(receive(&mut receiver, 6_000, true, end(7, 800)), None);
}

#[test]
fn a_press_of_ten_seconds_is_one_key_though_its_timestamp_moves() {
    let segment = u32::from(u16::MAX);
    assert_eq!(
        keys(&[
            (0, update(3, 160)),
            (0, update(3, u16::MAX)),
            (segment, update(3, 160)),
            (segment, end(3, 9_000))
        ]),
        "3"
    );
    // The last packets of the full segment are lost.
    assert_eq!(keys(&[(0, update(3, 60_000)), (segment, update(3, 160))]), "3");
}

#[test]
fn a_sender_that_moves_the_timestamp_with_each_packet_presses_once() {
    assert_eq!(
        keys(&[
            (0, update(4, 160)),
            (160, update(4, 320)),
            (320, update(4, 480)),
            (480, end(4, 640))
        ]),
        "4"
    );
}

#[test]
fn a_source_that_starts_its_clock_again_is_still_heard() {
    assert_eq!(keys(&[(900_000, end(1, 800)), (160, update(2, 160))]), "12");
    let mut receiver = Receiver::default();
    assert!(receive(&mut receiver, 5, false, end(1, 800)).is_some());
    receiver.forget(1);
    assert!(receive(&mut receiver, 5, false, end(1, 800)).is_some());
}

#[test]
fn a_press_told_by_two_sources_is_one_and_two_presses_of_one_source_are_two() {
    let mut receiver = Receiver::default();
    let mut now = Time::ZERO;
    let mut told = Vec::new();
    // The packets of one press come under the voice's SSRC and under another one, 10 ms later each.
    for n in 1..6_u16 {
        for (ssrc, timestamp) in [(1, 1_000), (2, 77_000)] {
            let payload = if n < 5 { update(6, n * 160) } else { end(6, 800) };
            told.push(receiver.receive(now, (ssrc, timestamp), false, payload));
            now += Duration::from_millis(10);
        }
    }
    assert_eq!(told[0], Told::New(Some(digit('6'))));
    assert!(
        told[1..]
            .iter()
            .all(|it| matches!(it, Told::Known(1_000) | Told::Copy)),
        "{told:?}"
    );
    now += Duration::from_millis(40);
    let next = receiver.receive(now, (1, 3_000), false, update(6, 160));
    assert_eq!(next, Told::New(Some(digit('6'))));
    now += Duration::from_secs(1);
    let other = receiver.receive(now, (2, 99_000), false, update(6, 160));
    assert_eq!(
        other,
        Told::New(Some(digit('6'))),
        "the source of events has changed"
    );
}

#[test]
fn a_press_is_told_with_one_timestamp_although_its_sender_moves_it() {
    let mut receiver = Receiver::default();
    let told: Vec<Told> = [
        (0, update(4, 160)),
        (160, update(4, 320)),
        (320, end(4, 480)),
        (320, end(4, 480)),
    ]
    .map(|(ts, payload)| receiver.receive(Time::ZERO, (1, ts), false, payload))
    .into();
    assert_eq!(told[1..], [Told::Known(0); 3]);
}

#[test]
fn timestamps_wrap() {
    assert_eq!(
        keys(&[
            (u32::MAX - 100, end(1, 800)),
            (2_000, update(1, 160)),
            (2_000, end(1, 800))
        ]),
        "11"
    );
}

#[test]
fn flash_and_other_events_are_no_keys() {
    assert_eq!(keys(&[(0, end(16, 800)), (4_000, end(11, 800))]), "#");
}

#[test]
fn a_key_is_sent_as_five_frames_two_more_ends_and_a_pause() {
    let mut sender = Sender::default();
    assert_eq!(sender.next_frame(0), None);
    assert_eq!(sender.queue(&[digit('8'), digit('8')]), 0);
    let frames: Vec<_> = (0..20)
        .map(|n| sender.next_frame(1_000 + n * 160).unwrap())
        .collect();
    assert_eq!(sender.next_frame(0), None);
    let durations: Vec<_> = frames
        .iter()
        .filter_map(|frame| match frame {
            Frame::Key {
                timestamp,
                first,
                payload,
                ..
            } => Some((*timestamp, *first, payload.end, payload.duration)),
            Frame::Pause => None,
        })
        .collect();
    let press = |ts| {
        [
            (ts, true, false, 160),
            (ts, false, false, 320),
            (ts, false, false, 480),
            (ts, false, false, 640),
            (ts, false, true, 800),
            (ts, false, true, 800),
            (ts, false, true, 800),
        ]
    };
    assert_eq!(durations, [press(1_000), press(2_600)].concat());
    // And the receiver hears two.
    let heard: Vec<_> = durations
        .iter()
        .map(|(ts, _, end, duration)| {
            (
                *ts,
                Payload {
                    event: 8,
                    end: *end,
                    duration: *duration,
                },
            )
        })
        .collect();
    assert_eq!(keys(&heard), "88");
}

#[test]
fn no_more_than_sixty_four_keys_wait() {
    let mut sender = Sender::default();
    assert_eq!(sender.queue(&[digit('1'); 100]), 36);
    assert_eq!(sender.queue(&[digit('1'); 3]), 3);
}

proptest! {
    #[test]
    fn payloads_survive_the_wire(event: u8, end: bool, duration: u16) {
        let payload = Payload { event, end, duration };
        prop_assert_eq!(Payload::parse(&payload.octets()), Some(payload));
    }

    #[test]
    fn no_packets_make_it_panic_or_grow(packets in proptest::collection::vec((any::<u32>(), any::<bool>(), proptest::collection::vec(any::<u8>(), 0..8)), 0..60)) {
        let mut receiver = Receiver::default();
        for (timestamp, late, octets) in packets {
            if let Some(payload) = Payload::parse(&octets) {
                receive(&mut receiver, timestamp, late, payload);
            }
            prop_assert!(receiver.seen.len() <= REMEMBERED);
        }
    }

    /// Keys with gaps of at least 40 ms, under loss, duplication and a displacement of up to three packets: as long as one
    /// packet of a press arrives, it is reported exactly once.
    #[test]
    fn every_press_that_arrives_is_reported_once(
        events in proptest::collection::vec((0u8..16, 320u32..4_000), 1..12),
        fate in proptest::collection::vec((0u8..10, 0usize..3), 200),
    ) {
        let mut sent = Vec::new();
        let mut timestamp = 77u32;
        for (event, gap) in &events {
            for duration in [160u16, 320, 480] {
                sent.push((timestamp, Payload { event: *event, end: false, duration }));
            }
            for _ in 0..3 {
                sent.push((timestamp, Payload { event: *event, end: true, duration: 640 }));
            }
            timestamp += 640 + gap;
        }
        let mut arriving = Vec::new();
        for (sequence, packet) in sent.iter().enumerate() {
            let (luck, displaced) = fate[sequence % fate.len()];
            if luck < 3 {
                continue;
            }
            arriving.push((sequence + displaced, sequence, *packet));
            if luck == 9 {
                arriving.push((sequence + displaced + 1, sequence, *packet));
            }
        }
        arriving.sort_by_key(|(at, ..)| *at);
        let mut receiver = Receiver::default();
        let mut highest = 0;
        let mut heard = Vec::new();
        for (_, sequence, (timestamp, payload)) in &arriving {
            if receive(&mut receiver, *timestamp, *sequence < highest, *payload).is_some() {
                heard.push(*timestamp);
            }
            highest = highest.max(*sequence);
        }
        let mut expected: Vec<_> = arriving.iter().map(|(_, _, (timestamp, _))| *timestamp).collect();
        expected.sort_unstable();
        expected.dedup();
        heard.sort_unstable();
        prop_assert_eq!(heard, expected);
    }
}
