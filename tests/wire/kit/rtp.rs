//! An RTP endpoint of our own: it sends tones, clips and RFC 4733 digits on a 20 ms clock, and keeps every packet it
//! receives with the moment of its arrival. Shares nothing with the product's.

use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::ears::{self, Found, RECOGNISED};
use super::g711::Law;
use super::ground::free_port;
use super::message::TELEPHONE_EVENT;
use super::wav::Wav;

const TICK: Duration = Duration::from_millis(20);
const FRAME: usize = 160;

#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) at: Instant,
    pub(crate) from: SocketAddr,
    pub(crate) marker: bool,
    pub(crate) payload_type: u8,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) ssrc: u32,
    pub(crate) payload: Vec<u8>,
}

impl Packet {
    /// RFC 3550 §5.1. Header extensions and contributing sources are skipped.
    pub(crate) fn parse(bytes: &[u8], from: SocketAddr, at: Instant) -> Option<Packet> {
        let word = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        if bytes.first()? >> 6 != 2 {
            return None;
        }
        let mut start = 12 + 4 * usize::from(bytes[0] & 0x0f);
        if bytes[0] & 0x10 != 0 {
            start += 4 + 4 * (word(start)? & 0xffff) as usize;
        }
        Some(Packet {
            at,
            from,
            marker: bytes.get(1)? & 0x80 != 0,
            payload_type: bytes[1] & 0x7f,
            sequence: (word(0)? & 0xffff) as u16,
            timestamp: word(4)?,
            ssrc: word(8)?,
            payload: bytes.get(start..)?.to_vec(),
        })
    }

    pub(crate) fn law(&self) -> Option<Law> {
        [Law::Mu, Law::A]
            .into_iter()
            .find(|law| law.payload_type() == self.payload_type)
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Sound {
    /// No packets at all.
    Nothing,
    Silence,
    Tone(f64),
}

enum Order {
    Remote(SocketAddr, Law),
    Sound(Sound),
    Press(char, Sender<Instant>),
    Close,
}

#[derive(Default)]
struct Kept {
    packets: Mutex<Vec<Packet>>,
    grown: Condvar,
}

pub(crate) struct RtpEndpoint {
    local: SocketAddr,
    kept: Arc<Kept>,
    orders: Sender<Order>,
    thread: Option<JoinHandle<()>>,
}

/// Received speech on the sender's timeline: `samples[0]` is the first packet's first sample.
pub(crate) struct Audio {
    pub(crate) samples: Vec<i16>,
    /// The RTP timestamp of the first sample.
    pub(crate) begins: u32,
    /// Where each packet lies in `samples`, and when it came.
    pub(crate) frames: Vec<(usize, Instant)>,
}

impl Audio {
    pub(crate) fn new(packets: &[Packet]) -> Audio {
        let speech: Vec<&Packet> = packets.iter().filter(|packet| packet.law().is_some()).collect();
        let mut audio = Audio {
            samples: Vec::new(),
            begins: 0,
            frames: Vec::new(),
        };
        let Some(first) = speech.first() else { return audio };
        audio.begins = first.timestamp;
        for packet in &speech {
            let law = packet.law().unwrap_or(Law::Mu);
            let at = packet.timestamp.wrapping_sub(first.timestamp) as usize;
            // Another stream, or before the first packet: it goes where it arrived.
            let at = if at > audio.samples.len() + 80_000 {
                audio.samples.len()
            } else {
                at
            };
            let end = at + packet.payload.len();
            if audio.samples.len() < end {
                audio.samples.resize(end, 0);
            }
            for (sample, &byte) in audio.samples[at..end].iter_mut().zip(&packet.payload) {
                *sample = law.decode(byte);
            }
            audio.frames.push((at, packet.at));
        }
        audio
    }

    /// When the sample at `offset` came.
    pub(crate) fn arrival(&self, offset: usize) -> Option<Instant> {
        self.frames
            .iter()
            .rev()
            .find(|frame| frame.0 <= offset)
            .map(|frame| frame.1)
    }
}

impl RtpEndpoint {
    /// Bound at `ip`; sends nothing before it is told where to.
    pub(crate) fn open(ip: IpAddr) -> RtpEndpoint {
        let socket = UdpSocket::bind((ip, free_port(ip))).expect("a free port stays free for a moment");
        let local = socket.local_addr().expect("a bound socket has an address");
        let kept = Arc::new(Kept::default());
        let (orders, inbox) = channel();
        let keeper = Arc::clone(&kept);
        let thread = thread::spawn(move || Clock::new(socket, inbox, keeper).run());
        RtpEndpoint {
            local,
            kept,
            orders,
            thread: Some(thread),
        }
    }

    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    pub(crate) fn send_to(&self, remote: SocketAddr, law: Law) {
        self.order(Order::Remote(remote, law));
    }

    pub(crate) fn say(&self, sound: Sound) {
        self.order(Order::Sound(sound));
    }

    /// Presses a key for 100 ms (RFC 4733); returns when its first packet was sent.
    pub(crate) fn press(&self, key: char) -> Instant {
        let (told, sent) = channel();
        self.order(Order::Press(key, told));
        sent.recv_timeout(Duration::from_secs(2))
            .expect("a key can be pressed once the other side's address is known")
    }

    fn order(&self, order: Order) {
        self.orders
            .send(order)
            .expect("the endpoint's thread runs as long as the endpoint");
    }

    pub(crate) fn packets(&self) -> Vec<Packet> {
        self.kept.packets.lock().unwrap().clone()
    }

    pub(crate) fn audio(&self) -> Audio {
        Audio::new(&self.packets())
    }

    /// RFC 3550: prompt, music and bridge are one stream to the one who hears them: one source, one address, no number
    /// left out, the timestamps in step.
    pub(crate) fn assert_one_stream(&self) {
        self.assert_one_stream_with_pauses(Duration::from_secs(1));
    }

    /// The same where nothing may be sent for a while, as to a phone that holds.
    pub(crate) fn assert_one_stream_with_pauses(&self, longest: Duration) {
        let longest = 8 * longest.as_millis() as usize;
        let packets = self.packets();
        for pair in packets.windows(2) {
            let (last, next) = (&pair[0], &pair[1]);
            assert_eq!(
                (last.ssrc, last.from),
                (next.ssrc, next.from),
                "another source appears"
            );
            assert_eq!(
                next.sequence,
                last.sequence.wrapping_add(1),
                "a gap in the sequence numbers"
            );
            if last.law().is_some() && next.law().is_some() {
                let step = next.timestamp.wrapping_sub(last.timestamp) as usize;
                // Forward and never into what was said already. More than a packet's worth is a hole: a processor that
                // was taken away, or another clock behind the same stream (prompt to bridge).
                let forward = (last.payload.len()..longest).contains(&step);
                assert!(
                    forward,
                    "timestamps move by {step} after {} samples",
                    last.payload.len()
                );
            }
        }
        assert!(!packets.is_empty(), "nothing was received");
    }

    /// Waits until `wanted` finds what it looks for in all that was received; asked again after each `every` packets.
    pub(crate) fn wait<T>(
        &self,
        timeout: Duration,
        every: usize,
        wanted: impl Fn(&[Packet]) -> Option<T>,
    ) -> Option<T> {
        let deadline = Instant::now() + timeout;
        let mut asked = 0;
        let mut packets = self.kept.packets.lock().unwrap();
        loop {
            let left = deadline.checked_duration_since(Instant::now());
            if packets.len() >= asked + every || (left.is_none() && packets.len() > asked) {
                asked = packets.len();
                let copy = packets.clone();
                drop(packets);
                if let Some(found) = wanted(&copy) {
                    return Some(found);
                }
                packets = self.kept.packets.lock().unwrap();
                continue;
            }
            packets = self.kept.grown.wait_timeout(packets, left?).unwrap().0;
        }
    }

    /// Waits for 100 ms of a tone that arrived after `from`; returns when they began.
    pub(crate) fn wait_for_tone(&self, hz: f64, from: Instant, timeout: Duration) -> Option<Instant> {
        const WINDOW: usize = 5 * FRAME;
        self.wait(timeout, 1, |packets| {
            let fresh = &packets[packets.partition_point(|packet| packet.at < from)..];
            let audio = Audio::new(&fresh[fresh.len().saturating_sub(8)..]);
            let window = audio.samples.len().checked_sub(WINDOW)?;
            (ears::tone(&audio.samples[window..], hz) > RECOGNISED).then(|| audio.arrival(window))?
        })
    }

    /// Waits until two different pieces of `clip` were heard, in their order, in what arrived after `from`; returns
    /// when the first began.
    pub(crate) fn wait_for_clip(&self, clip: &[i16], from: Instant, timeout: Duration) -> Option<Instant> {
        let places = ears::places(clip);
        // Which piece, at which RTP timestamp, and when it came: what a busy machine delays is as far apart as ever.
        let heard: RefCell<Vec<(usize, u32, Instant)>> = RefCell::default();
        self.wait(timeout, 10, |packets| {
            let fresh = &packets[packets.partition_point(|packet| packet.at < from)..];
            // Asked each 200 ms: what is older was searched before.
            let audio = Audio::new(&fresh[fresh.len().saturating_sub(40)..]);
            for &(place, piece) in &places {
                let found = ears::locate(piece, &audio.samples).filter(|found| found.score > RECOGNISED);
                let Some(found) = found else { continue };
                let Some(at) = audio.arrival(found.offset) else {
                    continue;
                };
                let begins = audio.begins.wrapping_add(found.offset as u32);
                let earlier = heard
                    .borrow()
                    .iter()
                    .find(|&&(other, begun, _)| {
                        other < place && ears::apart_alike(place - other, begins.wrapping_sub(begun) as usize)
                    })
                    .copied();
                if let Some((_, _, begun)) = earlier {
                    return Some(begun);
                }
                heard.borrow_mut().push((place, begins, at));
            }
            None
        })
    }

    /// Waits until what arrived last, after `from`, is a part of `clip` (music, which may be anywhere, and goes round):
    /// two pieces running. Returns where in the clip the second is.
    pub(crate) fn wait_for_part_of(&self, clip: &[i16], from: Instant, timeout: Duration) -> Option<Found> {
        let looped: Vec<i16> = clip
            .iter()
            .chain(&clip[..clip.len().min(ears::PIECE)])
            .copied()
            .collect();
        self.wait(timeout, 10, |packets| {
            let fresh = &packets[packets.partition_point(|packet| packet.at < from)..];
            let audio = Audio::new(&fresh[fresh.len().saturating_sub(50)..]).samples;
            let last = &audio[audio.len().checked_sub(2 * ears::PIECE)?..];
            let (first, second) = last.split_at(ears::PIECE);
            let [first, second] = [first, second]
                .map(|piece| ears::locate(piece, &looped).filter(|found| found.score > RECOGNISED));
            first.and(second)
        })
    }
}

impl Drop for RtpEndpoint {
    fn drop(&mut self) {
        let _ = self.orders.send(Order::Close);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        if thread::panicking() {
            let name = format!("pronto-wire-heard-{}.wav", self.local).replace(':', "-");
            let file = std::env::temp_dir().join(name);
            let samples = self.audio().samples;
            eprintln!(
                "{} heard {} samples, kept for you: {}",
                self.local,
                samples.len(),
                file.display()
            );
            let _ = Wav { rate: 8_000, samples }.write(&file);
        }
    }
}

/// A key being pressed: RFC 4733 §2.5.1.
struct Pressed {
    event: u8,
    timestamp: u32,
    sent: u16,
}

impl Pressed {
    const UPDATES: u16 = 5;
    const ENDS: u16 = 3;
}

/// The thread: the next tick and the next packet, whichever comes first.
struct Clock {
    socket: UdpSocket,
    orders: Receiver<Order>,
    kept: Arc<Kept>,
    remote: Option<(SocketAddr, Law)>,
    sound: Sound,
    position: usize,
    pressed: Option<Pressed>,
    waiting: Option<(u8, Sender<Instant>)>,
    sequence: u16,
    timestamp: u32,
    talking: bool,
}

impl Clock {
    fn new(socket: UdpSocket, orders: Receiver<Order>, kept: Arc<Kept>) -> Clock {
        let port = socket.local_addr().map_or(0, |local| local.port());
        Clock {
            socket,
            orders,
            kept,
            remote: None,
            sound: Sound::Nothing,
            position: 0,
            pressed: None,
            waiting: None,
            sequence: port,
            timestamp: u32::from(port) << 8,
            talking: false,
        }
    }

    fn run(mut self) {
        let mut next = Instant::now() + TICK;
        let mut buffer = [0_u8; 2_048];
        loop {
            let left = next.saturating_duration_since(Instant::now());
            if left.is_zero() {
                if !self.obey() {
                    return;
                }
                self.tick();
                next += TICK;
                continue;
            }
            let _ = self.socket.set_read_timeout(Some(left));
            if let Ok((length, from)) = self.socket.recv_from(&mut buffer)
                && let Some(packet) = Packet::parse(&buffer[..length], from, Instant::now())
            {
                self.kept.packets.lock().unwrap().push(packet);
                self.kept.grown.notify_all();
            }
        }
    }

    fn obey(&mut self) -> bool {
        while let Ok(order) = self.orders.try_recv() {
            match order {
                Order::Remote(remote, law) => self.remote = Some((remote, law)),
                Order::Sound(sound) => self.sound = sound,
                Order::Press(key, told) => self.waiting = event(key).map(|event| (event, told)),
                Order::Close => return false,
            }
        }
        true
    }

    fn tick(&mut self) {
        let timestamp = self.timestamp;
        self.timestamp = timestamp.wrapping_add(FRAME as u32);
        let Some((remote, law)) = self.remote else { return };
        if self.pressed.is_none()
            && let Some((event, told)) = self.waiting.take()
        {
            self.pressed = Some(Pressed {
                event,
                timestamp,
                sent: 0,
            });
            let _ = told.send(Instant::now());
        }
        if let Some(pressed) = &mut self.pressed {
            pressed.sent += 1;
            let end = pressed.sent > Pressed::UPDATES;
            let duration = FRAME as u16 * pressed.sent.min(Pressed::UPDATES + 1);
            let [high, low] = duration.to_be_bytes();
            let payload = [pressed.event, if end { 0x8a } else { 0x0a }, high, low];
            let (timestamp, first) = (pressed.timestamp, pressed.sent == 1);
            if pressed.sent == Pressed::UPDATES + Pressed::ENDS {
                self.pressed = None;
            }
            self.send(remote, TELEPHONE_EVENT, first, timestamp, &payload);
            return;
        }
        let Some(frame) = self.frame() else {
            self.talking = false;
            return;
        };
        let payload = frame.map(|sample| law.encode(sample));
        // RFC 3551 §4.1: the first packet after a silence has the marker.
        let first = !std::mem::replace(&mut self.talking, true);
        self.send(remote, law.payload_type(), first, timestamp, &payload);
    }

    fn frame(&mut self) -> Option<[i16; FRAME]> {
        match self.sound {
            Sound::Nothing => None,
            Sound::Silence => Some([0; FRAME]),
            Sound::Tone(hz) => {
                let step = std::f64::consts::TAU * hz / 8_000.0;
                let start = self.position;
                self.position += FRAME;
                Some(std::array::from_fn(|index| {
                    (8_192.0 * (step * (start + index) as f64).sin()) as i16
                }))
            }
        }
    }

    fn send(&mut self, remote: SocketAddr, payload_type: u8, marker: bool, timestamp: u32, payload: &[u8]) {
        let mut packet = Vec::with_capacity(12 + payload.len());
        packet.extend_from_slice(&[0x80, payload_type | if marker { 0x80 } else { 0 }]);
        packet.extend_from_slice(&self.sequence.to_be_bytes());
        packet.extend_from_slice(&timestamp.to_be_bytes());
        packet.extend_from_slice(&0x5eed_0001_u32.to_be_bytes());
        packet.extend_from_slice(payload);
        self.sequence = self.sequence.wrapping_add(1);
        let _ = self.socket.send_to(&packet, remote);
    }
}

/// RFC 4733 §3.2.
fn event(key: char) -> Option<u8> {
    match key {
        '0'..='9' => Some(key as u8 - b'0'),
        '*' => Some(10),
        '#' => Some(11),
        'A'..='D' => Some(key as u8 - b'A' + 12),
        _ => None,
    }
}
