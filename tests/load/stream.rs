//! RTP for many calls: a few sockets, each with a thread that sends a packet to each of its calls every 20 ms and
//! judges the cadence of what it receives. The calls of one socket are told apart by the server's port.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::kit::ground::free_port;
use crate::kit::rtp::Packet;

const TICK: Duration = Duration::from_millis(20);

/// How one call's packets came.
#[derive(Clone, Copy, Default)]
pub(crate) struct Cadence {
    pub(crate) received: u64,
    pub(crate) lost: u64,
    /// Came 20 ms or more later than they should have.
    pub(crate) late: u64,
}

struct Source {
    last: Instant,
    sequence: u16,
    cadence: Cadence,
}

#[derive(Default)]
struct Shared {
    remotes: Mutex<Vec<SocketAddr>>,
    heard: Mutex<HashMap<SocketAddr, Source>>,
    speaks: AtomicBool,
    done: AtomicBool,
}

pub(crate) struct Stream {
    local: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Stream {
    pub(crate) fn open(ip: IpAddr, speaks: bool) -> Stream {
        let socket = UdpSocket::bind((ip, free_port(ip))).expect("a free port stays free for a moment");
        let local = socket.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared::default());
        shared.speaks.store(speaks, Ordering::Relaxed);
        let mine = Arc::clone(&shared);
        let thread = thread::spawn(move || run(&socket, &mine));
        Stream {
            local,
            shared,
            thread: Some(thread),
        }
    }

    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    pub(crate) fn add(&self, remote: SocketAddr) {
        self.shared.remotes.lock().unwrap().push(remote);
    }

    /// Forgets what was received so far.
    #[expect(
        clippy::iter_over_hash_type,
        reason = "each gets the same value, in any order"
    )]
    pub(crate) fn begin(&self) {
        for source in self.shared.heard.lock().unwrap().values_mut() {
            source.cadence = Cadence::default();
        }
    }

    pub(crate) fn cadences(&self) -> Vec<Cadence> {
        self.shared
            .heard
            .lock()
            .unwrap()
            .values()
            .map(|source| source.cadence)
            .collect()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.shared.done.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(socket: &UdpSocket, shared: &Shared) {
    let (mut next, mut sequence, mut timestamp) = (Instant::now() + TICK, 0_u16, 0_u32);
    let mut buffer = [0_u8; 2_048];
    while !shared.done.load(Ordering::Relaxed) {
        let left = next.saturating_duration_since(Instant::now());
        if left.is_zero() {
            if shared.speaks.load(Ordering::Relaxed) {
                speak(socket, &shared.remotes.lock().unwrap(), sequence, timestamp);
            }
            (sequence, timestamp) = (sequence.wrapping_add(1), timestamp.wrapping_add(160));
            next += TICK;
            continue;
        }
        let _ = socket.set_read_timeout(Some(left));
        if let Ok((length, from)) = socket.recv_from(&mut buffer) {
            hear(&mut shared.heard.lock().unwrap(), &buffer[..length], from);
        }
    }
}

/// One packet of µ-law silence to each, as a phone whose owner listens.
fn speak(socket: &UdpSocket, remotes: &[SocketAddr], sequence: u16, timestamp: u32) {
    let mut packet = [0xff_u8; 172];
    packet[0] = 0x80;
    packet[1] = 0;
    packet[2..4].copy_from_slice(&sequence.to_be_bytes());
    packet[4..8].copy_from_slice(&timestamp.to_be_bytes());
    packet[8..12].copy_from_slice(b"load");
    for remote in remotes {
        let _ = socket.send_to(&packet, remote);
    }
}

fn hear(heard: &mut HashMap<SocketAddr, Source>, bytes: &[u8], from: SocketAddr) {
    let now = Instant::now();
    let Some(packet) = Packet::parse(bytes, from, now) else {
        return;
    };
    let source = heard.entry(from).or_insert_with(|| Source {
        last: now,
        sequence: packet.sequence.wrapping_sub(1),
        cadence: Cadence::default(),
    });
    let step = packet.sequence.wrapping_sub(source.sequence);
    source.cadence.received += 1;
    source.cadence.lost += u64::from(step.saturating_sub(1).min(1_000));
    source.cadence.late += u64::from(now - source.last >= 2 * TICK && step == 1);
    (source.last, source.sequence) = (now, packet.sequence);
}
