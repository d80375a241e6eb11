//! The real threads over loopback. Everything waits for packets and events, nothing sleeps.

use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use pronto_types::Digit;

use super::*;
use crate::rtp::Packet;
use crate::telephone_event::Payload;
use crate::{Clip, Codec, Learn, OpenError, PlayId};

/// Long enough for the busiest machine; a test that waits this long fails.
const PATIENCE: Duration = Duration::from_secs(10);

struct Bench {
    media: Media,
    events: Receiver<Event>,
}

/// Each test has an address of its own, so that they can run side by side.
fn bench(listen: &str, ports: (u16, u16), threads: usize) -> Bench {
    let (sender, events) = channel();
    let on_event = Box::new(move |event| {
        let _ = sender.send(event);
    });
    let media = Media::start(MediaSettings {
        listen: listen.parse().unwrap(),
        dscp: 46,
        ports,
        threads,
        on_event,
        on_recorded: Box::new(|_| {}),
    })
    .unwrap();
    Bench { media, events }
}

impl Bench {
    fn event(&self) -> Event {
        self.events.recv_timeout(PATIENCE).expect("an event")
    }

    fn open(&self, leg: u64, group: u64) -> SocketAddr {
        self.media
            .command(Command::Open {
                leg: LegId(leg),
                group,
                seed: leg,
            })
            .unwrap();
        match self.event() {
            Event::Opened { leg: opened, local } if opened == LegId(leg) => local,
            event => panic!("{event:?}"),
        }
    }

    fn refused(&self, leg: u64) -> OpenError {
        self.media
            .command(Command::Open {
                leg: LegId(leg),
                group: leg,
                seed: 1,
            })
            .unwrap();
        match self.event() {
            Event::OpenFailed { leg: failed, error } if failed == LegId(leg) => error,
            event => panic!("{event:?}"),
        }
    }

    fn configure(&self, leg: u64, phone: &UdpSocket) {
        self.media
            .command(Command::Configure {
                leg: LegId(leg),
                remote: Some(phone.local_addr().unwrap()),
                codec: Codec::Pcmu,
                payload_type: 0,
                telephone_event: Some(101),
                send: true,
                receive: true,
                learn: Learn::Fixed,
                ptime: crate::session::TICK,
                proof: crate::Proof::Given,
            })
            .unwrap();
    }
}

fn phone(ip: &str) -> UdpSocket {
    let socket = UdpSocket::bind((ip, 0)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

fn hear(phone: &UdpSocket) -> (Packet, Vec<u8>) {
    let mut bytes = [0; 1_500];
    let length = phone.recv(&mut bytes).expect("a packet");
    let packet = Packet::parse(&bytes[..length]).unwrap();
    (packet.clone(), bytes[packet.payload].to_vec())
}

fn say(phone: &UdpSocket, to: SocketAddr, payload_type: u8, sequence: u16, payload: &[u8]) {
    let mut bytes = vec![0; 12];
    bytes.extend_from_slice(payload);
    let timestamp = u32::from(sequence) * 160;
    let payload = 12..bytes.len();
    Packet {
        marker: false,
        payload_type,
        sequence,
        timestamp,
        ssrc: 1,
        payload,
    }
    .write(&mut bytes)
    .unwrap();
    phone.send_to(&bytes, to).unwrap();
}

/// Speaks on one side, a packet for each one heard on the other, until they are the same.
fn heard_across(from: &UdpSocket, to: SocketAddr, other: &UdpSocket, octet: u8) {
    for n in 1..30_000 {
        say(from, to, 0, 1 + n as u16, &[octet; 160]);
        if hear(other).1 == [octet; 160] {
            return;
        }
    }
    panic!("{octet:#x} does not cross the bridge");
}

/// A phone hears a clip of five packets, whole, in order and in time.
fn hears(caller: &UdpSocket, clip: &Clip) {
    let start = Instant::now();
    let mut heard = Vec::new();
    let first = loop {
        let (packet, payload) = hear(caller);
        if payload != [0xff; 160] {
            heard.extend(payload);
            break packet;
        }
    };
    for n in 1..5u16 {
        let (packet, payload) = hear(caller);
        heard.extend(payload);
        assert_eq!(packet.sequence, first.sequence.wrapping_add(n));
        // More than 160 each where this machine stood still for a while.
        let passed = packet.timestamp.wrapping_sub(first.timestamp);
        assert!(
            passed >= u32::from(n) * 160 && passed.is_multiple_of(160),
            "{passed} after {n}"
        );
    }
    assert_eq!(heard, clip.octets(Codec::Pcmu));
    assert!(
        start.elapsed() >= Duration::from_millis(75),
        "five packets take four intervals"
    );
}

#[test]
fn a_call_over_loopback_hears_its_prompt_is_understood_bridged_and_closed() {
    let bench = bench("127.77.0.1", (30_000, 30_099), 2);
    let (caller, operator) = (phone("127.77.0.2"), phone("127.77.0.3"));
    let (a, b) = (bench.open(1, 7), bench.open(2, 7));
    assert_eq!((a.port() % 2, a.ip()), (0, "127.77.0.1".parse().unwrap()));
    bench.configure(1, &caller);
    let clip = Clip::from_pcm16_8k(&(0..800).map(|n| n * 30).collect::<Vec<i16>>());
    bench
        .media
        .command(Command::Play {
            leg: LegId(1),
            play: PlayId(9),
            clips: vec![clip.clone()],
        })
        .unwrap();
    hears(&caller, &clip);
    assert_eq!(
        bench.event(),
        Event::Finished {
            leg: LegId(1),
            play: PlayId(9)
        }
    );

    say(
        &caller,
        a,
        101,
        1,
        &Payload {
            event: 4,
            end: false,
            duration: 160,
        }
        .octets(),
    );
    let digit = Digit::from_char('4').unwrap();
    let (leg, bridged) = (LegId(1), false);
    assert_eq!(bench.event(), Event::Digit { leg, digit, bridged });

    bench.configure(2, &operator);
    bench
        .media
        .command(Command::Bridge {
            a: LegId(1),
            b: LegId(2),
        })
        .unwrap();
    // Commands overtake no packets: the first ones may come before the bridge is there.
    heard_across(&operator, b, &caller, 0x42);
    heard_across(&caller, a, &operator, 0x43);

    bench.media.command(Command::Close { leg: LegId(1) }).unwrap();
    let Event::Closed { leg, stats } = bench.event() else {
        panic!("not closed")
    };
    assert_eq!((leg, stats.digits), (LegId(1), 1));
    assert!(stats.relayed > 0 && stats.received > stats.digits);
    bench.media.command(Command::Close { leg: LegId(2) }).unwrap();
    assert!(matches!(bench.event(), Event::Closed { leg: LegId(2), .. }));
    drop(bench.media);
    // The ports are free again.
    UdpSocket::bind(a).unwrap();
}

#[test]
fn ports_others_hold_are_skipped_and_none_left_is_said() {
    let taken = UdpSocket::bind("127.77.1.1:30002").unwrap();
    let _odd = UdpSocket::bind("127.77.1.1:30005").unwrap();
    let bench = bench("127.77.1.1", (30_000, 30_009), 1);
    let ports: Vec<_> = (1..=3).map(|leg| bench.open(leg, leg).port()).collect();
    assert_eq!(ports, [30_000, 30_006, 30_008]);
    assert_eq!(bench.refused(4), OpenError::NoPorts);
    bench.media.command(Command::Close { leg: LegId(2) }).unwrap();
    assert!(matches!(bench.event(), Event::Closed { leg: LegId(2), .. }));
    assert_eq!(bench.open(5, 5).port(), 30_006);
    let open = Command::Open {
        leg: LegId(5),
        group: 1,
        seed: 1,
    };
    assert_eq!(bench.media.command(open), Err(CommandError::Duplicate));
    // A port that the other lets go is ours, and a leg that failed is not open.
    assert_eq!(bench.refused(4), OpenError::NoPorts);
    drop(taken);
    assert_eq!(bench.open(4, 4).port(), 30_002);
    bench.media.command(Command::Close { leg: LegId(4) }).unwrap();
    assert!(matches!(bench.event(), Event::Closed { leg: LegId(4), .. }));
    // Legs that are not there are counted, not refused.
    bench.media.command(Command::Stop { leg: LegId(4) }).unwrap();
    bench
        .media
        .command(Command::Bridge {
            a: LegId(5),
            b: LegId(4),
        })
        .unwrap();
    assert_eq!(bench.media.counters().tally.stray_commands, 2);
}

#[test]
fn an_address_that_is_not_ours_gives_no_sockets_and_a_range_without_pairs_no_threads() {
    let bench = bench("192.0.2.200", (30_000, 30_009), 1);
    assert_eq!(bench.refused(1), OpenError::NoSockets);
    let settings = MediaSettings {
        listen: "127.0.0.1".parse().unwrap(),
        dscp: 46,
        ports: (30_001, 30_002),
        threads: 1,
        on_event: Box::new(|_| {}),
        on_recorded: Box::new(|_| {}),
    };
    assert_eq!(
        Media::start(settings).unwrap_err().kind(),
        io::ErrorKind::InvalidInput
    );
}

#[test]
fn many_legs_over_two_threads_keep_the_cadence_in_slots() {
    const LEGS: u64 = 40;
    let bench = bench("127.77.2.1", (30_000, 30_199), 2);
    let sink = phone("127.77.2.2");
    for leg in 0..LEGS {
        bench.open(leg, leg);
        bench.configure(leg, &sink);
    }
    let mut last = std::collections::BTreeMap::new();
    let mut heard = 0;
    while heard < LEGS * 10 {
        let (packet, _) = hear(&sink);
        if let Some(before) = last.insert(packet.ssrc, packet.sequence) {
            // This side may be too slow to hear all.
            assert!(
                (1..1_000).contains(&packet.sequence.wrapping_sub(before)),
                "{before} {}",
                packet.sequence
            );
        }
        heard += 1;
    }
    assert_eq!(last.len() as u64, LEGS, "one stream per leg");
    let counters = bench.media.counters();
    assert_eq!(counters.legs, LEGS);
    assert!(
        counters.tally.sent >= LEGS * 9 && counters.send_errors == 0,
        "{counters:?}"
    );
}

#[test]
fn a_full_thread_says_so_but_always_takes_a_close() {
    // Keep the thread busy in its event: it cannot take commands meanwhile.
    let (entered, busy) = channel();
    let (release, released) = channel::<()>();
    let released = Mutex::new(released);
    let media = Media::start(MediaSettings {
        listen: "127.77.3.2".parse().unwrap(),
        dscp: 46,
        ports: (30_000, 30_009),
        threads: 1,
        on_event: Box::new(move |event| {
            let _ = entered.send(event);
            let _ = released.lock().recv();
        }),
        on_recorded: Box::new(|_| {}),
    })
    .unwrap();
    // Dropped before the media threads are waited for: where an assertion fails, they end.
    let release = release;
    media
        .command(Command::Open {
            leg: LegId(1),
            group: 1,
            seed: 1,
        })
        .unwrap();
    assert!(matches!(busy.recv_timeout(PATIENCE), Ok(Event::Opened { .. })));
    let taken = (0..WAITING + 10)
        .filter(|_| media.command(Command::Stop { leg: LegId(1) }).is_ok())
        .count();
    assert_eq!(taken, WAITING);
    assert_eq!(
        media.command(Command::Stop { leg: LegId(1) }),
        Err(CommandError::Full)
    );
    let open = |leg| {
        media.command(Command::Open {
            leg: LegId(leg),
            group: 1,
            seed: 1,
        })
    };
    assert_eq!(open(2), Err(CommandError::Full));
    assert_eq!(media.command(Command::Close { leg: LegId(1) }), Ok(()));
    drop(release);
    assert!(matches!(busy.recv_timeout(PATIENCE), Ok(Event::Closed { .. })));
    // The thread has taken all: there is room again, and the leg that was refused is not open.
    assert_eq!(open(2), Ok(()));
    assert!(matches!(busy.recv_timeout(PATIENCE), Ok(Event::Opened { .. })));
    let waiting = media.threads[0].mailbox.waiting.load(Ordering::Acquire);
    assert_eq!(waiting, 0, "all that was refused takes no room");
}

#[test]
fn ports_that_are_not_kept_bound_are_free_for_the_next_calls() {
    // Of eight pairs each of the two threads keeps two.
    let bench = bench("127.77.5.1", (30_000, 30_015), 2);
    for round in 0..3 {
        let legs = round * 8..round * 8 + 8;
        for leg in legs.clone() {
            bench.open(leg, leg);
        }
        assert_eq!(bench.refused(100), OpenError::NoPorts);
        for leg in legs {
            bench.media.command(Command::Close { leg: LegId(leg) }).unwrap();
            assert!(matches!(bench.event(), Event::Closed { .. }));
        }
    }
}

#[test]
fn a_call_does_not_hear_who_still_talks_to_the_call_before() {
    let bench = bench("127.77.6.1", (30_000, 30_003), 1);
    let stranger = phone("127.77.6.2");
    let at = bench.open(1, 1);
    bench.media.command(Command::Close { leg: LegId(1) }).unwrap();
    assert!(matches!(bench.event(), Event::Closed { leg: LegId(1), .. }));
    // The pair rests, and is then the first to be used, unless somebody still sends to it.
    assert!(
        bench.events.recv_timeout(super::warm::REST).is_err(),
        "nothing happens"
    );
    say(&stranger, at, 0, 1, &[0x42; 160]);
    assert_ne!(bench.open(2, 2), at);
    // Nobody sends to it any more.
    bench.media.command(Command::Close { leg: LegId(2) }).unwrap();
    assert!(matches!(bench.event(), Event::Closed { leg: LegId(2), .. }));
    assert!(
        bench.events.recv_timeout(super::warm::REST).is_err(),
        "nothing happens"
    );
    assert_eq!(bench.open(3, 3), at);
}

#[test]
fn a_port_that_is_ready_is_told_at_once_and_the_leg_works_and_closes() {
    let bench = bench("127.77.8.1", (30_000, 30_007), 1);
    let (caller, other) = (phone("127.77.8.2"), phone("127.77.8.3"));
    let close = |leg| bench.media.post(Command::Close { leg: LegId(leg) }).unwrap();
    let open_at_once = |leg| {
        let (leg, group) = (LegId(leg), leg);
        bench.media.post(Command::Open { leg, group, seed: 1 }).unwrap();
        match bench.events.try_recv() {
            Ok(Event::Opened { leg: opened, local }) if opened == leg => local,
            event => panic!("{event:?}"),
        }
    };
    let closed = |wanted| {
        let closed = bench.event();
        assert!(
            matches!(closed, Event::Closed { leg, .. } if leg == LegId(wanted)),
            "{closed:?}"
        );
    };
    for leg in [1, 2, 7] {
        bench.open(leg, leg);
    }
    for leg in [1, 2, 7] {
        close(leg);
    }
    [1, 2, 7].into_iter().for_each(closed);
    assert!(
        bench.events.recv_timeout(super::warm::REST).is_err(),
        "nothing happens"
    );
    // The first leg of the thread starts it; the second waits for the next packet of the first.
    let first = open_at_once(3);
    bench.configure(3, &caller);
    hear(&caller);
    let second = open_at_once(4);
    assert_ne!(first, second);
    bench.configure(4, &other);
    let event = Payload {
        event: 5,
        end: false,
        duration: 160,
    };
    for (leg, from, to) in [(4, &other, second), (3, &caller, first)] {
        say(from, to, 101, 1, &event.octets());
        let heard = bench.event();
        assert!(
            matches!(heard, Event::Digit { leg: of, .. } if of == LegId(leg)),
            "{heard:?}"
        );
    }
    // Both commands wait until the thread wakes for its other leg.
    open_at_once(5);
    close(5);
    closed(5);
    close(4);
    closed(4);
    // No leg, and no command but these two.
    close(3);
    closed(3);
    assert!(
        bench.events.recv_timeout(super::warm::REST).is_err(),
        "nothing happens"
    );
    open_at_once(6);
    close(6);
    bench.media.rouse();
    let soon = bench.events.recv_timeout(Duration::from_secs(2));
    assert!(
        matches!(soon, Ok(Event::Closed { .. })),
        "not with the next pair to be closed"
    );
    assert_eq!(bench.media.counters().open_failures, 0);
}

#[test]
fn what_a_bridge_said_last_is_recorded_though_the_gateway_ends() {
    let (sender, events) = channel();
    let (keep, kept) = channel();
    let media = Media::start(MediaSettings {
        listen: "127.77.7.1".parse().unwrap(),
        dscp: 46,
        ports: (30_000, 30_009),
        threads: 1,
        on_event: Box::new(move |event| {
            let _ = sender.send(event);
        }),
        on_recorded: Box::new(move |recorded| {
            let _ = keep.send(recorded);
        }),
    })
    .unwrap();
    let bench = Bench { media, events };
    let (caller, operator) = (phone("127.77.7.2"), phone("127.77.7.3"));
    let (a, b) = (bench.open(1, 1), bench.open(2, 1));
    bench.configure(1, &caller);
    bench.configure(2, &operator);
    let (left, right) = (LegId(1), LegId(2));
    let bridge = Command::Bridge { a: left, b: right };
    bench.media.command(bridge).unwrap();
    heard_across(&operator, b, &caller, 0x42);
    heard_across(&caller, a, &operator, 0x43);
    let recording = crate::RecordingId(5);
    // All at once and unannounced: the thread finds them when it ends.
    for command in [
        Command::Record {
            left,
            right,
            recording,
        },
        Command::Close { leg: left },
        Command::Close { leg: right },
    ] {
        bench.media.post(command).unwrap();
    }
    drop(bench.media);
    let ends =
        |recorded: &Recorded| matches!(recorded, Recorded::Ended { recording: of, .. } if *of == recording);
    assert_eq!(kept.try_iter().filter(ends).count(), 1);
}
