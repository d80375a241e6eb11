//! A UDP relay between one peer and the product, with the troubles of a bad network: datagrams that are lost, come
//! twice, or late and so behind those sent after them. Each direction rolls its own dice from the seed, so that the
//! fate of a direction's nth datagram depends on nothing but the seed and n.
//!
//! ```text
//! peer ⇄ front ┃ relay ┃ back ⇄ product        the product sees `back` as the peer's address
//! ```

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// It stops by itself after this long, whoever forgot it.
const LIFE: Duration = Duration::from_secs(180);
/// Datagrams held back at once in one direction; one more is lost.
const HELD: usize = 256;
/// How long a look for the end may be put off.
const GLANCE: Duration = Duration::from_millis(50);

/// Faults of the relay, in percent of the datagrams of each direction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trouble {
    pub(crate) seed: u64,
    pub(crate) lost: u32,
    /// Sent a second time, up to `delay` after the first.
    pub(crate) doubled: u32,
    /// Held back, up to `delay`.
    pub(crate) late: u32,
    pub(crate) delay: Duration,
}

impl Trouble {
    /// Everything arrives, once and at once.
    pub(crate) const NONE: Trouble = Trouble {
        seed: 0,
        lost: 0,
        doubled: 0,
        late: 0,
        delay: Duration::ZERO,
    };
}

/// Counts of the datagrams of both directions, by outcome.
#[derive(Default, Debug)]
pub(crate) struct Tally {
    pub(crate) came: AtomicU32,
    pub(crate) lost: AtomicU32,
    pub(crate) doubled: AtomicU32,
    pub(crate) late: AtomicU32,
}

pub(crate) struct Relay {
    front: SocketAddr,
    back: SocketAddr,
    tally: Arc<Tally>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Relay {
    /// A relay on `ip` for a peer that is yet to speak.
    pub(crate) fn open(ip: IpAddr, product: SocketAddr, trouble: Trouble) -> Relay {
        let back = UdpSocket::bind((ip, 0)).expect("an address of the loopback can be bound");
        Relay::behind(back, product, None, trouble)
    }

    /// A relay whose side to the product is `back`. `peer`: who is at the other side before it has spoken.
    pub(crate) fn behind(
        back: UdpSocket,
        product: SocketAddr,
        peer: Option<SocketAddr>,
        trouble: Trouble,
    ) -> Relay {
        let address = |socket: &UdpSocket| socket.local_addr().expect("a bound socket has an address");
        let front =
            UdpSocket::bind((address(&back).ip(), 0)).expect("an address of the loopback can be bound");
        let (tally, stop) = (Arc::new(Tally::default()), Arc::new(AtomicBool::new(false)));
        let twin = |socket: &UdpSocket| socket.try_clone().expect("a socket can be had twice");
        let peer = Arc::new(Mutex::new(peer));
        let way = |from, to, salt| Way {
            from,
            to,
            dice: Dice(trouble.seed.wrapping_add(salt)),
            trouble,
            tally: Arc::clone(&tally),
            stop: Arc::clone(&stop),
        };
        let (inward, outward) = (
            way(twin(&front), twin(&back), 0x5eed),
            way(twin(&back), twin(&front), 0x0bac),
        );
        let (front, back) = (address(&front), address(&back));
        let seen = Arc::clone(&peer);
        let threads = vec![
            thread::spawn(move || {
                inward.carry(|from| {
                    *seen.lock().unwrap() = Some(from);
                    Some(product)
                });
            }),
            thread::spawn(move || outward.carry(|_| *peer.lock().unwrap())),
        ];
        Relay {
            front,
            back,
            tally,
            stop,
            threads,
        }
    }

    /// Where the peer finds the product.
    pub(crate) fn front(&self) -> SocketAddr {
        self.front
    }

    /// Where the product finds the peer.
    pub(crate) fn back(&self) -> SocketAddr {
        self.back
    }

    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// A small generator (Knuth's MMIX constants).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u32) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % u64::from(sides)) as u32
    }
}

/// A datagram that goes on later: when, its number, where to.
type Held = (Instant, u32, SocketAddr, Vec<u8>);

/// One direction of a relay.
struct Way {
    from: UdpSocket,
    to: UdpSocket,
    dice: Dice,
    trouble: Trouble,
    tally: Arc<Tally>,
    stop: Arc<AtomicBool>,
}

impl Way {
    /// Carries until the end; `towards` says where a datagram from somewhere goes.
    fn carry(mut self, towards: impl Fn(SocketAddr) -> Option<SocketAddr>) {
        let began = Instant::now();
        let mut held: BinaryHeap<Reverse<Held>> = BinaryHeap::new();
        let mut buffer = vec![0; 65_536];
        while !self.stop.load(Ordering::Relaxed) && began.elapsed() < LIFE {
            let now = Instant::now();
            while held.peek().is_some_and(|Reverse((due, ..))| *due <= now) {
                if let Some(Reverse((_, _, to, bytes))) = held.pop() {
                    let _ = self.to.send_to(&bytes, to);
                }
            }
            let next = held
                .peek()
                .map_or(GLANCE, |Reverse((due, ..))| due.saturating_duration_since(now));
            let wait = next.clamp(Duration::from_millis(1), GLANCE);
            let _ = self.from.set_read_timeout(Some(wait));
            let Ok((length, from)) = self.from.recv_from(&mut buffer) else {
                continue;
            };
            let Some(to) = towards(from) else { continue };
            for delay in self.fate() {
                let number = self.tally.came.load(Ordering::Relaxed);
                if delay.is_zero() {
                    let _ = self.to.send_to(&buffer[..length], to);
                } else if held.len() < HELD {
                    held.push(Reverse((
                        Instant::now() + delay,
                        number,
                        to,
                        buffer[..length].to_vec(),
                    )));
                }
            }
        }
    }

    /// When the next datagram goes on: never, once or twice. As many rolls whatever comes of them.
    fn fate(&mut self) -> Vec<Duration> {
        let Trouble {
            lost,
            doubled,
            late,
            delay,
            ..
        } = self.trouble;
        let [is_lost, is_doubled, is_late] =
            [lost, doubled, late].map(|percent| self.dice.roll(100) < percent);
        let micros = u32::try_from(delay.as_micros()).unwrap_or(u32::MAX).max(1);
        let [first, second] = [(); 2].map(|()| Duration::from_micros(u64::from(1 + self.dice.roll(micros))));
        let count = |counter: &AtomicU32, so| counter.fetch_add(u32::from(so), Ordering::Relaxed);
        count(&self.tally.came, true);
        count(&self.tally.lost, is_lost);
        if is_lost {
            return Vec::new();
        }
        count(&self.tally.doubled, is_doubled);
        count(&self.tally.late, is_late);
        let mut fate = vec![if is_late { first } else { Duration::ZERO }];
        if is_doubled {
            fate.push(second);
        }
        fate
    }
}
