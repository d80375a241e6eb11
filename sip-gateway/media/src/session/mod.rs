//! One leg of a call: what it plays, what it hears, where it sends. Driven by packets and a tick every 20 ms.
//!
//! A leg sends without a gap from its first `Configure` on: keys before prompts or music, those before what the other
//! leg of a bridge says, and silence where there is nothing else, so that NAT bindings stay open and the stream stays
//! one stream.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod contract;
mod gate;
mod hearing;
mod outgoing;
mod packer;
mod player;
mod reception;
mod relaying;
mod reports;
mod silence;

use std::net::SocketAddr;
use std::time::Duration;

use pronto_types::{Digit, Time};

pub use self::contract::{Agreement, Arrival, Contents, Datagram, DropReason, Heard, Tick};
use self::gate::Gate;
pub use self::gate::UNPROVEN;
use self::hearing::contents;
use self::outgoing::Outgoing;
use self::packer::Packer;
use self::player::Player;
use self::reception::{Reception, Verdict};
pub use self::relaying::LONGEST_PACKET;
use self::relaying::Muted;
use self::reports::Reports;
use self::silence::Silence;
use crate::inband::Detector;
use crate::learn::{Peer, Source};
use crate::presses::{Presses, Way};
use crate::rtp::{self, Packet};
use crate::telephone_event::{self, Frame};
use crate::{Clip, FRAME, PlayId, Proof, Stats, dtmf, g711, rtcp};

/// One tick: one packet.
pub const TICK: Duration = Duration::from_millis(20);
/// Octets of a packet of ours.
pub const PACKET: usize = rtp::HEADER + FRAME;
/// Nothing from the phone for this long is a stall. A phone that is there sends a packet every 20 ms, or is asked.
pub const STALL: Duration = Duration::from_secs(2);
/// The longest packet taken: 120 ms of G.711, twice the longest ptime in use.
const LONGEST: usize = 6 * FRAME;
/// Keys told to the control plane: 20 a second, which no keypad and no dialler reaches (Q.24: 40 ms of tone, 40 ms of
/// pause), and 40 at once, as after a stall of the network. What a flood of events brings above that is dropped.
const KEY_EVERY: Duration = Duration::from_millis(50);
const KEYS_AT_ONCE: u32 = 40;
/// A bridge that brings nothing for this long is filled with silence.
const FILL_AFTER: Duration = Duration::from_millis(100);

/// The media of one leg.
#[derive(Clone, Debug)]
pub struct Session {
    path: Option<Path>,
    out: Outgoing,
    player: Player,
    keys: telephone_event::Sender,
    reception: Reception,
    events: telephone_event::Receiver,
    detector: Option<Box<Detector>>,
    /// Keys heard, as events and as tones.
    presses: Presses,
    /// The rest of a press that was already detected in its other form (event or tones).
    repeated: Option<Muted>,
    /// The event that the phone told last, and until when it goes on.
    last_event: Option<Muted>,
    event_until: Time,
    /// The key sent last, and when.
    sent_key: Option<(Digit, Time)>,
    /// Keys told to the far end, by command and from the other leg of a bridge.
    told: Presses,
    /// The rest of a press that the far end has already been told of; it is not relayed.
    muted: Option<Muted>,
    gate: Gate,
    /// Samples in a packet.
    frame: usize,
    /// Audio on its way into packets of another length than it comes in.
    packer: Packer,
    /// The end of what was relayed by it, in timestamps.
    packed_until: u32,
    /// When the keys told so far would have been pressed at the highest rate allowed.
    keys_until: Time,
    /// In a bridge: when the other leg last brought something.
    bridged: Option<Time>,
    silence: Silence,
    /// RTP or RTCP has come from the phone.
    has_heard: bool,
    reports: Reports,
    stats: Stats,
}

/// The agreement, and the peer it was made with.
#[derive(Clone, Debug)]
struct Path {
    agreed: Agreement,
    peer: Peer,
}

impl Session {
    /// A leg that has nothing to do yet. "The initial value … SHOULD be random" (RFC 3550 §5.1): SSRC, sequence number
    /// and timestamp come from `seed`.
    pub fn new(seed: u64, now: Time) -> Self {
        let mut dice = seed;
        let (ssrc, numbers) = (reports::roll(&mut dice), reports::roll(&mut dice));
        Session {
            path: None,
            out: Outgoing::new(ssrc as u32, numbers as u16, (numbers >> 32) as u32),
            player: Player::default(),
            keys: telephone_event::Sender::default(),
            reception: Reception::default(),
            events: telephone_event::Receiver::default(),
            detector: None,
            presses: Presses::default(),
            repeated: None,
            last_event: None,
            event_until: Time::ZERO,
            sent_key: None,
            told: Presses::default(),
            muted: None,
            gate: Gate::new(Proof::Given),
            frame: FRAME,
            packer: Packer::default(),
            packed_until: 0,
            keys_until: now,
            bridged: None,
            silence: Silence::Unconfigured,
            has_heard: false,
            reports: Reports::new(dice, now),
            stats: Stats::default(),
        }
    }

    /// Applies the result of an offer/answer exchange, the first or a later one.
    pub fn configure(&mut self, now: Time, agreed: Agreement) {
        match &mut self.path {
            Some(path) => {
                let moved = path.peer.configure(agreed.remote, agreed.learn);
                self.gate.configure(agreed.proof, moved);
                path.agreed = agreed;
            }
            None => {
                self.gate = Gate::new(agreed.proof);
                let peer = Peer::new(agreed.remote, agreed.learn);
                self.path = Some(Path { agreed, peer });
            }
        }
        let samples = agreed.ptime.as_millis() as usize * FRAME / 20;
        self.frame = samples.clamp(FRAME / 4, 3 * FRAME);
        self.packer.cut();
        if matches!(self.silence, Silence::Unconfigured) {
            self.silence = Silence::Since(now);
        }
        if agreed.telephone_event.is_some() {
            self.detector = None;
        } else if self.detector.is_none() {
            self.detector = Some(Box::new(Detector::new()));
        }
    }

    /// Plays clips instead of what is playing.
    pub fn play(&mut self, play: PlayId, clips: Vec<Clip>) {
        self.player.play(play, clips);
    }

    /// Plays music instead of what is playing; the same clip goes on where it stopped.
    pub fn music(&mut self, clip: Clip) {
        self.player.music(clip);
    }

    /// Silence from the next tick on.
    pub fn stop(&mut self) {
        self.player.stop();
    }

    /// Sends keys, but those that the other leg of a bridge has told already. On hold they wait. Returns how many did not
    /// fit.
    pub fn digits(&mut self, now: Time, digits: &[Digit]) -> usize {
        let told = &mut self.told;
        let is_new = |digit: &&Digit| told.is_new(now, **digit, Way::Signalling, Duration::ZERO);
        digits
            .iter()
            .filter(is_new)
            .map(|digit| self.keys.queue(&[*digit]))
            .sum()
    }

    /// The other leg of a bridge is heard from now on, instead of what is playing. If it has nothing to say yet, the
    /// stream goes on with silence after two ticks.
    pub fn bridge(&mut self, now: Time) {
        self.player.stop();
        self.bridged = Some(now - (FILL_AFTER - 2 * TICK));
    }

    /// Does not relay the rest of this press of the other leg: it began before the bridge.
    pub fn skip(&mut self, press: Option<Muted>) {
        self.muted = press.or(self.muted);
    }

    /// The last press that the phone has told as RTP events: it may go on.
    pub fn last_event(&self) -> Option<Muted> {
        self.last_event
    }

    /// The other leg is no longer heard. Keys that wait for the end of a hold are forgotten.
    pub fn unbridge(&mut self) {
        self.bridged = None;
        if self.destination().is_none() {
            self.keys.forget_waiting();
        }
        self.packer.clear();
    }

    /// A datagram came to the RTP port. It is changed only by [`relay`](Self::relay) of the other leg.
    pub fn handle_packet(&mut self, now: Time, from: SocketAddr, datagram: &[u8]) -> Arrival {
        let arrival = match self.take_packet(now, from, datagram) {
            Ok(arrival) => arrival,
            Err(drop) => Arrival::Dropped(drop),
        };
        self.count(&arrival);
        arrival
    }

    /// A datagram came to the RTCP port.
    pub fn handle_rtcp(&mut self, now: Time, from: SocketAddr, datagram: &[u8]) -> Arrival {
        let arrival = match &self.path {
            None => Arrival::Dropped(DropReason::Unconfigured),
            Some(path) if !path.peer.is_host(from) => Arrival::Dropped(DropReason::Foreign),
            Some(_) => self.take_rtcp(now, datagram),
        };
        self.count(&arrival);
        arrival
    }

    fn take_rtcp(&mut self, now: Time, datagram: &[u8]) -> Arrival {
        match rtcp::parse(datagram) {
            Ok(heard) => {
                self.gate.open();
                self.has_heard = true;
                self.reports.heard(now, heard);
                let resumed = self.silence.ends(now);
                Arrival::Rtcp { resumed }
            }
            Err(rtcp::Malformed) => Arrival::Dropped(DropReason::Malformed),
        }
    }

    fn take_packet(&mut self, now: Time, from: SocketAddr, datagram: &[u8]) -> Result<Arrival, DropReason> {
        let path = self.path.as_mut().ok_or(DropReason::Unconfigured)?;
        let source = path.peer.source(now, from);
        if source == Source::Foreign {
            return Err(DropReason::Foreign);
        }
        if rtp::is_rtcp(datagram) {
            return Ok(self.take_rtcp(now, datagram));
        }
        let packet = Packet::parse(datagram).map_err(|_| DropReason::Malformed)?;
        self.silence.stirs(now);
        self.has_heard = true;
        let agreed = path.agreed;
        let payload = &datagram[packet.payload.clone()];
        let contents = contents(&agreed, packet.payload_type, payload)?;
        if !agreed.receive || payload.is_empty() || payload.len() > LONGEST {
            return Err(DropReason::Unexpected);
        }
        match source {
            Source::Candidate => path.peer.learn(now, from),
            Source::Peer | Source::Foreign => path.peer.heard(now),
        }
        self.gate.open();
        let is_event = matches!(contents, Contents::Event(_));
        let late = match self.reception.receive(&packet, is_event) {
            Verdict::Duplicate => return Err(DropReason::Duplicate),
            Verdict::Stale => return Err(DropReason::Unexpected),
            Verdict::Fresh { late, new_source } => {
                if new_source {
                    self.events.forget(packet.ssrc);
                }
                late
            }
        };
        self.stats.out_of_order += u64::from(late);
        let resumed = self.silence.ends(now);
        let mut heard = Heard {
            packet,
            contents,
            late,
            tone: false,
            pressed: None,
            again: false,
        };
        match contents {
            Contents::Event(event) => self.hear_event(now, event, &mut heard),
            Contents::Audio(codec) => {
                self.reception.measure(now, heard.packet.timestamp);
                // What a phone sends beside its events are the tones of the same key.
                heard.again = now < self.event_until;
                if self.detector.is_some() {
                    self.hear_tones(now, codec, payload, &mut heard);
                }
            }
        }
        let digit = heard.pressed.filter(|_| self.admits_key(now));
        heard.pressed = digit;
        Ok(Arrival::Rtp {
            digit,
            resumed,
            heard,
        })
    }

    /// The generic cell rate algorithm (ITU-T I.371).
    fn admits_key(&mut self, now: Time) -> bool {
        let from = self.keys_until.max(now);
        let admitted = from.since(now) < KEY_EVERY * KEYS_AT_ONCE;
        if admitted {
            self.keys_until = from + KEY_EVERY;
        }
        admitted
    }

    fn count(&mut self, arrival: &Arrival) {
        let stats = &mut self.stats;
        match arrival {
            Arrival::Rtcp { .. } => stats.rtcp_received += 1,
            Arrival::Rtp { digit, .. } => {
                stats.received += 1;
                stats.digits += u64::from(digit.is_some());
            }
            Arrival::Dropped(DropReason::Foreign) => stats.foreign += 1,
            Arrival::Dropped(DropReason::Malformed) => stats.malformed += 1,
            Arrival::Dropped(DropReason::Duplicate) => stats.duplicates += 1,
            Arrival::Dropped(DropReason::Unexpected | DropReason::Unconfigured) => stats.unexpected += 1,
        }
    }

    /// 20 ms have passed; `now` is the tick's nominal time, late or not. The packet is written into `buffer`.
    pub fn tick(&mut self, now: Time, buffer: &mut [u8; PACKET]) -> Tick {
        self.out.tick(now);
        let mut tick = Tick {
            stalled: self.stalls(now),
            ..Tick::default()
        };
        let Some(path) = &self.path else { return tick };
        let agreed = path.agreed;
        let to = self.destination();
        if to.is_none() {
            self.out.pause();
        }
        let timestamp = self.out.timestamp();
        let frame = &mut buffer[rtp::HEADER..];
        let until = timestamp.wrapping_add(FRAME as u32);
        let mut header = Header {
            payload_type: agreed.payload_type,
            timestamp,
            until,
            first: false,
            length: FRAME,
        };
        // On hold no key begins; one that has begun runs out.
        let key = match to.is_some() || self.keys.is_sending() {
            true => self.keys.next_frame(timestamp),
            false => None,
        };
        match key {
            Some(key) => {
                if let Frame::Key { digit, .. } = key {
                    self.sent_key = Some((digit, now));
                }
                header = key_frame(&agreed, key, header, frame);
            }
            None if self.player.is_playing() => tick.finished = self.player.fill(agreed.codec, frame),
            None => {
                if self.bridged.is_some_and(|last| now.since(last) < FILL_AFTER) {
                    return tick;
                }
                frame.fill(g711::silence(agreed.codec));
            }
        }
        let Some(to) = to else { return tick };
        let is_audio = header.payload_type == agreed.payload_type;
        if self.frame != FRAME || self.is_packing() {
            self.packer.forget_source();
            tick.packed = true;
            if is_audio {
                self.packer.push(header.timestamp, &buffer[rtp::HEADER..]);
                return tick;
            }
        }
        if !self.gate.admits(rtp::HEADER + header.length) {
            self.out.pause();
            return tick;
        }
        let mut packet = self
            .out
            .own(header.payload_type, header.timestamp, header.until, header.length);
        packet.marker |= header.first;
        tick.datagram = packet.write(buffer).map(|range| (to, range));
        self.stats.sent += 1;
        tick
    }

    /// Where this leg sends to; `None` on hold, and before there is an address.
    fn destination(&self) -> Option<SocketAddr> {
        let path = self.path.as_ref()?;
        path.peer.destination().filter(|_| path.agreed.send)
    }

    fn stalls(&mut self, now: Time) -> bool {
        let stalls = matches!(self.silence, Silence::Since(last) if now.since(last) >= STALL);
        if stalls {
            self.silence = Silence::Stalled;
        }
        stalls
    }

    /// Whether RTP or RTCP has ever come from the phone.
    pub fn has_heard(&self) -> bool {
        self.has_heard
    }

    /// The RTCP report, if one is due: for the port after the RTP destination's.
    pub fn report(&mut self, now: Time, buffer: &mut [u8; rtcp::REPORT]) -> Option<Datagram> {
        if !self.reports.is_due(now) {
            return None;
        }
        let mut to = self.path.as_ref()?.peer.destination()?;
        to.set_port(to.port().checked_add(1)?);
        let length = self
            .reports
            .write(now, &self.out, self.reception.report(), buffer)?;
        self.gate.admits(length).then_some((to, 0..length))
    }

    /// The counts of the leg so far.
    pub fn stats(&self) -> Stats {
        Stats {
            lost: self.reception.lost(),
            max_jitter: self.reception.max_jitter(),
            ..self.stats
        }
    }
}

/// The header fields and length of a packet of our own.
struct Header {
    payload_type: u8,
    timestamp: u32,
    until: u32,
    /// It begins an event.
    first: bool,
    length: usize,
}

/// 20 ms of a key: an event packet, or tones where events were not agreed, or the pause after it.
fn key_frame(agreed: &Agreement, key: Frame, header: Header, frame: &mut [u8]) -> Header {
    match (key, agreed.telephone_event) {
        (
            Frame::Key {
                timestamp,
                first,
                payload,
                ..
            },
            Some(payload_type),
        ) => {
            frame[..telephone_event::PAYLOAD].copy_from_slice(&payload.octets());
            Header {
                payload_type,
                timestamp,
                first,
                length: telephone_event::PAYLOAD,
                ..header
            }
        }
        (
            Frame::Key {
                digit,
                tone_from: Some(start),
                ..
            },
            None,
        ) => {
            dtmf::tones(digit, agreed.codec, start, frame);
            header
        }
        (Frame::Key { tone_from: None, .. }, None) | (Frame::Pause, _) => {
            frame.fill(g711::silence(agreed.codec));
            header
        }
    }
}
