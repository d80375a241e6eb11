//! Packets as long as the peer wants them (ptime, maxptime).

use super::*;

const A: LegId = LegId(1);
const B: LegId = LegId(2);

fn leg(number: u64, millis: u64) -> Agreement {
    Agreement {
        ptime: Duration::from_millis(millis),
        ..World::agreement(number, Codec::Pcmu)
    }
}

fn counting(from: usize, length: usize) -> Vec<u8> {
    (from..from + length).map(|n| (n % 251) as u8).collect()
}

/// All audio in order, and the length of each packet in ms.
fn audio(sent: &[Sent]) -> (Vec<u8>, Vec<usize>) {
    let octets = sent.iter().flat_map(|s| s.payload().to_vec()).collect();
    (octets, sent.iter().map(|s| s.payload().len() / 8).collect())
}

#[test]
fn what_we_play_comes_in_packets_of_the_peers_ptime() {
    for millis in [5, 10, 15, 20, 30, 40, 50, 60] {
        let mut world = World::new();
        world.open(1);
        world.configure(1, leg(1, millis));
        let (leg, clip) = (A, Clip::from_pcm16_8k(&(0..8_000).collect::<Vec<i16>>()));
        let expected = clip.octets(Codec::Pcmu).to_vec();
        world.command(Command::Music { leg, clip });
        let sent = of(&world.run(1_200), 1);
        assert_continuous(&sent);
        let (octets, lengths) = audio(&sent);
        assert!(
            lengths.iter().all(|length| *length == millis as usize),
            "{lengths:?}"
        );
        assert!(octets.len() >= 1_140 * 8, "{millis} ms: {}", octets.len());
        assert_eq!(octets[..8_000], expected, "{millis} ms");
        let steps = sent.windows(2).all(|two| {
            let (a, b) = (two[0].packet(), two[1].packet());
            b.timestamp.wrapping_sub(a.timestamp) == millis as u32 * 8
        });
        assert!(steps, "{millis} ms");
    }
}

#[test]
fn a_bridge_cuts_and_joins_packets_to_the_ptime_of_each_leg() {
    for theirs in [10, 20, 30, 40, 60] {
        for ours in [10, 20, 30, 40, 60] {
            let mut world = World::new();
            world.open(1);
            world.configure(1, leg(1, theirs));
            world.open(2);
            world.configure(2, leg(2, ours));
            world.run(100);
            world.command(Command::Bridge { a: A, b: B });
            let length = theirs as usize * 8;
            let mut heard = Vec::new();
            let packets = 1_200 / theirs as usize;
            for n in 0..packets {
                let bytes = datagram(0, n as u16, (n * length) as u32, 9, &counting(n * length, length));
                heard.extend(of(&world.deliver(1, phone(1), &bytes), 2));
                heard.extend(of(&world.run(theirs as i64), 2));
            }
            let case = format!("{theirs} ms to {ours} ms");
            assert_continuous(&heard);
            let (octets, lengths) = audio(&heard);
            assert!(
                lengths.iter().all(|it| *it == ours as usize),
                "{case}: {lengths:?}"
            );
            assert_eq!(octets, counting(0, octets.len()), "{case}");
            assert!(
                octets.len() + ours as usize * 8 > packets * length,
                "{case}: {}",
                octets.len()
            );
        }
    }
}

#[test]
fn loss_is_a_gap_also_where_packets_are_joined() {
    let mut world = World::new();
    world.open(1);
    world.configure(1, leg(1, 20));
    world.open(2);
    world.configure(2, leg(2, 60));
    world.command(Command::Bridge { a: A, b: B });
    let mut heard = Vec::new();
    for n in [0_u16, 1, 2, 3, 5, 6, 7, 4, 8] {
        let bytes = datagram(0, n, u32::from(n) * 160, 9, &[n as u8; 160]);
        heard.extend(of(&world.deliver(1, phone(1), &bytes), 2));
        world.run(20);
    }
    let first = heard[0].packet().timestamp;
    let places: Vec<(u32, usize, u8)> = heard
        .iter()
        .map(|s| {
            let after = s.packet().timestamp.wrapping_sub(first);
            (after / 160, s.payload().len() / 160, s.payload()[0])
        })
        .collect();
    assert_eq!(places, [(0, 3, 0), (3, 1, 3), (5, 3, 5)], "4 comes too late");
}

#[test]
fn a_key_and_an_announcement_fit_between_packets_of_sixty_milliseconds() {
    let mut world = World::new();
    world.open(1);
    world.configure(1, leg(1, 60));
    let mut sent = of(&world.run(500), 1);
    let digits = vec![pronto_types::Digit::from_char('1').unwrap()];
    world.command(Command::Digits { leg: A, digits });
    sent.extend(of(&world.run(500), 1));
    let events = sent.iter().filter(|s| s.packet().payload_type == 101).count();
    assert_eq!(events, 7);
    for pair in sent.windows(2) {
        let (a, b) = (pair[0].packet(), pair[1].packet());
        assert_eq!(b.sequence, a.sequence.wrapping_add(1));
        assert!(b.timestamp.wrapping_sub(a.timestamp) < 8_000);
    }
}
