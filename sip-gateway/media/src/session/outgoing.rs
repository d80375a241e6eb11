//! The stream a leg sends: one SSRC, sequence numbers and timestamps without a seam across prompts, music, silence, keys
//! and whatever is relayed from the other leg of a bridge (RFC 3550 §5.1).

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use pronto_types::Time;

use super::TICK;
use crate::rtp::Packet;
use crate::{FRAME, MICROS_PER_SAMPLE, SAMPLE_RATE};

/// A relayed timestamp this far (1 s) from our own clock's is moved to it: the source jumped, or its clock drifted away.
const STRAY: u32 = SAMPLE_RATE;
/// RFC 3550 §A.1 `MAX_DROPOUT`: a step of the sequence number above this is a restart, not a loss.
const MAX_DROPOUT: u16 = 3_000;

/// Where the next packet goes in the stream.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    ssrc: u32,
    next_sequence: u16,
    /// The sampling instant of the frame of the last tick.
    timestamp: u32,
    ticked: Option<Time>,
    /// The end of the latest audio sent: nothing of ours may begin before.
    sent_until: u32,
    /// Nothing was sent lately: the next packet begins a talkspurt.
    paused: bool,
    /// The relayed sources: one for audio, and a second one if events have a source of their own.
    relays: [Option<Relay>; 2],
    packets: u32,
    octets: u32,
}

/// How the numbers of a relayed source become ours.
#[derive(Clone, Debug)]
struct Relay {
    ssrc: u32,
    /// It has brought audio, not events only.
    has_voice: bool,
    sequence_offset: u16,
    timestamp_offset: u32,
    /// The source's first sequence number under this offset: what is older would land on numbers already used.
    floor: u16,
    /// The event being relayed: its timestamp there and here.
    event: Option<(u32, u32)>,
    /// We sent packets of our own since: the sequence numbers need a new offset.
    interrupted: bool,
}

/// A relayed packet: its length in stream time, and whether it is an event. The timestamp of an event must not change.
#[derive(Clone, Copy, Debug)]
pub(super) struct Relayed {
    pub(super) event: bool,
    pub(super) duration: u32,
    /// A later packet of the source came before this one.
    pub(super) late: bool,
}

/// Whether `a` lies after `b` on the 32-bit circle.
fn after(a: u32, b: u32) -> bool {
    a != b && a.wrapping_sub(b) < 1 << 31
}

impl Outgoing {
    pub(super) fn new(ssrc: u32, sequence: u16, timestamp: u32) -> Self {
        Outgoing {
            ssrc,
            next_sequence: sequence,
            timestamp,
            ticked: None,
            sent_until: timestamp,
            paused: true,
            relays: [None, None],
            packets: 0,
            octets: 0,
        }
    }

    /// Advances the stream's clock to a tick. Ticks that were skipped are a gap in the stream, not a delay of it.
    pub(super) fn tick(&mut self, now: Time) {
        if let Some(ticked) = self.ticked {
            let elapsed = now.since(ticked) + TICK / 2;
            let ticks = (elapsed.as_micros() as u64 / TICK.as_micros() as u64).max(1);
            if ticks > 1 {
                self.paused = true;
            }
            // Wrapping is what timestamps do.
            self.timestamp = self
                .timestamp
                .wrapping_add((ticks as u32).wrapping_mul(FRAME as u32));
        }
        self.ticked = Some(now);
        if after(self.sent_until, self.timestamp) {
            self.timestamp = self.sent_until;
        }
    }

    /// Nothing is sent now: the next packet will carry the marker bit.
    pub(super) fn pause(&mut self) {
        self.paused = true;
    }

    /// The timestamp of the frame of this tick.
    pub(super) fn timestamp(&self) -> u32 {
        self.timestamp
    }

    /// The sampling instant that is now, between ticks too.
    pub(super) fn timestamp_at(&self, now: Time) -> u32 {
        let since = self.ticked.map_or(0, |ticked| {
            now.as_micros().saturating_sub(ticked.as_micros()).max(0)
        });
        self.timestamp.wrapping_add((since / MICROS_PER_SAMPLE) as u32)
    }

    /// The SSRC of the stream.
    pub(super) fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Packets and payload octets sent, for the sender report.
    pub(super) fn sent(&self) -> (u32, u32) {
        (self.packets, self.octets)
    }

    /// The header of a packet of our own, whose audio covers `until - timestamp`.
    pub(super) fn own(&mut self, payload_type: u8, timestamp: u32, until: u32, length: usize) -> Packet {
        let sequence = self.next_sequence;
        self.next_sequence = sequence.wrapping_add(1);
        for relay in self.relays.iter_mut().flatten() {
            relay.interrupted = true;
        }
        self.stretch(until);
        let marker = std::mem::take(&mut self.paused);
        self.packet(Packet {
            marker,
            payload_type,
            sequence,
            timestamp,
            ssrc: self.ssrc,
            payload: crate::rtp::HEADER..crate::rtp::HEADER + length,
        })
    }

    /// The header for a packet of the other leg, whose own header is `source`; `None` if it comes too late to fit.
    pub(super) fn relay(
        &mut self,
        now: Time,
        source: Packet,
        payload_type: u8,
        what: Relayed,
    ) -> Option<Packet> {
        let (clock, earliest) = (self.timestamp_at(now), self.earliest(now));
        let mut moved = false;
        let slot = self.slot_of(source.ssrc, what.event);
        let mut relay = match self.relays[slot].take() {
            Some(relay) if relay.ssrc == source.ssrc => relay,
            _ => {
                moved = true;
                Relay {
                    ssrc: source.ssrc,
                    has_voice: false,
                    sequence_offset: 0,
                    timestamp_offset: earliest.wrapping_sub(source.timestamp),
                    floor: 0,
                    event: None,
                    interrupted: true,
                }
            }
        };
        let Some(sequence) = self.relay_sequence(&mut relay, source.sequence, what.late && !moved) else {
            self.relays[slot] = Some(relay);
            return None;
        };
        let interrupted = std::mem::take(&mut relay.interrupted);
        let timestamp = match relay.event {
            Some((there, here)) if what.event && there == source.timestamp => here,
            _ => {
                let mapped = source.timestamp.wrapping_add(relay.timestamp_offset);
                let stray = mapped.wrapping_sub(clock).wrapping_add(STRAY) > 2 * STRAY;
                let overlaps = interrupted && after(self.sent_until, mapped);
                moved |= stray;
                if stray || overlaps {
                    relay.timestamp_offset = earliest.wrapping_sub(source.timestamp);
                    earliest
                } else {
                    mapped
                }
            }
        };
        if what.event {
            relay.event = Some((source.timestamp, timestamp));
        } else {
            relay.has_voice = true;
        }
        self.relays[slot] = Some(relay);
        self.take_place(slot, (timestamp, earliest), what);
        let paused = std::mem::take(&mut self.paused);
        let marker = source.marker || moved || paused;
        Some(self.packet(Packet {
            marker,
            payload_type,
            sequence,
            timestamp,
            ssrc: self.ssrc,
            ..source
        }))
    }

    /// A packet of this relay was placed: the other relay's numbers are taken, and so is its time.
    fn take_place(&mut self, slot: usize, (timestamp, earliest): (u32, u32), what: Relayed) {
        let other = self.relays[1 - slot].as_mut();
        // Events of a source of their own lie beside the audio, not between.
        let beside = what.event && other.is_some();
        if let Some(other) = other {
            other.interrupted = true;
        }
        if beside {
            return;
        }
        let until = timestamp.wrapping_add(what.duration);
        // An event may claim to be longer than it has been going on.
        let soon = earliest.wrapping_add(FRAME as u32);
        self.stretch(if what.event && after(until, soon) {
            soon
        } else {
            until
        });
    }

    /// The relay slot that a source has, or will get.
    fn slot_of(&mut self, ssrc: u32, event: bool) -> usize {
        let is = |relay: &Option<Relay>| relay.as_ref().is_some_and(|relay| relay.ssrc == ssrc);
        if let Some(slot) = self.relays.iter().position(is) {
            return slot;
        }
        if event {
            return usize::from(self.relays[0].is_some());
        }
        let only_events = self.relays[0].as_ref().is_some_and(|relay| !relay.has_voice);
        if only_events && self.relays[1].is_none() {
            // The audio begins, and the events go on beside it.
            self.relays.swap(0, 1);
        }
        0
    }

    /// The first timestamp that audio of now can have.
    pub(super) fn earliest(&self, now: Time) -> u32 {
        let clock = self.timestamp_at(now);
        if after(self.sent_until, clock) {
            self.sent_until
        } else {
            clock
        }
    }

    /// Whether audio with this timestamp would go back in time, or lie far from the clock.
    pub(super) fn is_stray(&self, now: Time, timestamp: u32) -> bool {
        let away = timestamp.wrapping_sub(self.timestamp_at(now));
        after(self.sent_until, timestamp) || away.wrapping_add(STRAY) > 2 * STRAY
    }

    /// Loss and reordering of the source stay visible in our numbers.
    fn relay_sequence(&mut self, relay: &mut Relay, source: u16, late: bool) -> Option<u16> {
        let step = source
            .wrapping_add(relay.sequence_offset)
            .wrapping_sub(self.next_sequence);
        let restarted = (MAX_DROPOUT..=u16::MAX - MAX_DROPOUT).contains(&step);
        if relay.interrupted || restarted {
            if late {
                return None;
            }
            relay.sequence_offset = self.next_sequence.wrapping_sub(source);
            relay.floor = source;
        } else if source.wrapping_sub(relay.floor) > u16::MAX / 2 {
            return None;
        }
        // Keep the floor within half a circle of a long stream.
        if source.wrapping_sub(relay.floor) > u16::MAX / 4 {
            relay.floor = source.wrapping_sub(MAX_DROPOUT);
        }
        let sequence = source.wrapping_add(relay.sequence_offset);
        if sequence.wrapping_sub(self.next_sequence) < u16::MAX / 2 {
            self.next_sequence = sequence.wrapping_add(1);
        }
        Some(sequence)
    }

    fn stretch(&mut self, until: u32) {
        if after(until, self.sent_until) {
            self.sent_until = until;
        }
    }

    fn packet(&mut self, packet: Packet) -> Packet {
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(packet.payload.len() as u32);
        packet
    }
}
