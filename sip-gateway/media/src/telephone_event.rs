//! Keys as RTP events (RFC 4733): receiving with loss, duplication and reordering, and sending.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::VecDeque;
use std::time::Duration;

use pronto_types::{Digit, Time};

use crate::FRAME;

/// Octets of an event payload (RFC 4733 §2.3).
pub const PAYLOAD: usize = 4;
const END: u8 = 0x80;
/// -10 dBm0, the level of most phones.
const VOLUME: u8 = 10;

/// One event payload (RFC 4733 §2.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Payload {
    /// The event code; 0 to 15 are the keys.
    pub event: u8,
    /// The end bit.
    pub end: bool,
    /// How long so far, in timestamp units.
    pub duration: u16,
}

impl Payload {
    /// Reads the first event of a payload; `None` if it is too short.
    pub fn parse(octets: &[u8]) -> Option<Self> {
        let [event, flags, high, low] = *octets.first_chunk()?;
        Some(Payload {
            event,
            end: flags & END != 0,
            duration: u16::from_be_bytes([high, low]),
        })
    }

    /// The octets on the wire.
    pub fn octets(self) -> [u8; PAYLOAD] {
        let [high, low] = self.duration.to_be_bytes();
        [self.event, if self.end { END } else { 0 } | VOLUME, high, low]
    }
}

/// Turns event packets into keys: one per press, at the first packet of it that arrives, whichever that is.
///
/// Presses belong to their source (SSRC). Packets of another source that tell a press which is still going on are copies of it.
///
/// Presses are told apart by the RTP timestamp, "the beginning of the event" (RFC 4733 §2.2), never by the marker bit,
/// which may be lost, nor by the end bit, of which all three copies may be lost.
#[derive(Clone, Debug, Default)]
pub struct Receiver {
    /// The last presses, newest last: a late packet of one of them is no new press.
    seen: VecDeque<Press>,
}

#[derive(Clone, Copy, Debug)]
struct Press {
    ssrc: u32,
    /// When its newest packet came.
    heard: Time,
    /// The timestamp of its first segment.
    begin: u32,
    /// The timestamp of its newest segment; nearly always the same.
    timestamp: u32,
    /// The timestamp that its packets should have: one per segment.
    told: u32,
    event: u8,
    duration: u16,
    ended: bool,
}

/// The meaning of a telephone-event packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Told {
    /// A new press, and its key, if the event is one.
    New(Option<Digit>),
    /// More of a press of this source, which should have this timestamp.
    Known(u32),
    /// More of a press of another source, or of one that is over.
    Copy,
}

/// How far apart the packets of a press may come that two sources tell.
const COPIED_WITHIN: Duration = Duration::from_millis(150);
/// How many presses back a packet may be late.
const REMEMBERED: usize = 4;
/// A sender whose duration field is full starts a new segment of the same press (§2.5.1.3). The last packets of the full
/// segment may be lost: one that got to 7 s is taken for full.
const NEARLY_FULL: u16 = 56_000;

impl Receiver {
    /// A packet of this source with this RTP timestamp; `late` if a packet with a later sequence number came before it.
    pub fn receive(
        &mut self,
        now: Time,
        (ssrc, timestamp): (u32, u32),
        late: bool,
        payload: Payload,
    ) -> Told {
        let same = |press: &Press| press.ssrc == ssrc;
        let known = |press: &&mut Press| {
            same(press) && timestamp.wrapping_sub(press.begin) <= press.timestamp.wrapping_sub(press.begin)
        };
        if let Some(press) = self.seen.iter_mut().find(known) {
            press.duration = press.duration.max(payload.duration);
            press.ended |= payload.end;
            press.heard = now;
            return Told::Known(press.told);
        }
        if self.is_copy(now, ssrc, payload) {
            return Told::Copy;
        }
        let older = |press: &Press| timestamp.wrapping_sub(press.timestamp) > u32::MAX / 2;
        let new = Press {
            ssrc,
            heard: now,
            begin: timestamp,
            timestamp,
            told: timestamp,
            event: payload.event,
            duration: payload.duration,
            ended: payload.end,
        };
        let newest = self.seen.iter().rev().find(|press| same(press));
        if late && newest.is_some_and(older) {
            // All of an earlier press came late; or it is a remnant of one no longer remembered.
            if self.seen.len() == REMEMBERED {
                if self.seen.iter().filter(|press| same(press)).all(older) {
                    return Told::Copy;
                }
                self.seen.pop_front();
            }
            self.seen.push_front(new);
            return Told::New(Digit::from_event(new.event));
        }
        if let Some(last) = self.seen.iter_mut().rev().find(|press| same(press)) {
            // A new event cannot begin before the last has ended: this is the same press, whose sender starts segments
            // (or, wrongly, moves the timestamp with each packet).
            let after = timestamp.wrapping_sub(last.timestamp);
            let within = after <= u32::from(last.duration);
            let next_segment = last.duration >= NEARLY_FULL && after <= u32::from(u16::MAX);
            if last.event == new.event && !last.ended && (within || next_segment) {
                *last = Press {
                    begin: last.begin,
                    told: if next_segment { timestamp } else { last.told },
                    ..new
                };
                return Told::Known(last.told);
            }
        }
        if self.seen.len() == REMEMBERED {
            self.seen.pop_front();
        }
        self.seen.push_back(new);
        Told::New(Digit::from_event(new.event))
    }

    /// Whether it tells a press of another source: that one goes on, or what is told of it is not its beginning.
    fn is_copy(&mut self, now: Time, ssrc: u32, payload: Payload) -> bool {
        let copied = |press: &&mut Press| {
            let going_on = !press.ended || payload.duration >= press.duration;
            let soon = now.since(press.heard) <= COPIED_WITHIN;
            press.ssrc != ssrc && press.event == payload.event && going_on && soon
        };
        match self.seen.iter_mut().find(copied) {
            Some(press) => {
                press.heard = now;
                true
            }
            None => false,
        }
    }

    /// A source has begun again: its timestamps say nothing about the old ones.
    pub fn forget(&mut self, ssrc: u32) {
        self.seen.retain(|press| press.ssrc != ssrc);
    }
}

/// 100 ms of tone per key.
const TONE_FRAMES: u16 = 5;
/// "The final packet … SHOULD be transmitted a total of three times" (§2.5.1.4): the first is the last of the tone.
const REPEATED_ENDS: u16 = 2;
/// Audio between two keys, which Q.24 wants at least 40 ms long; the repeated ends are part of it.
const PAUSE_FRAMES: u16 = 5;
/// Keys that may wait.
const WAITING: usize = 64;

/// Sends keys, one packet per 20 ms.
#[derive(Clone, Debug, Default)]
pub struct Sender {
    waiting: VecDeque<Digit>,
    current: Option<Sending>,
}

#[derive(Clone, Copy, Debug)]
struct Sending {
    digit: Digit,
    timestamp: u32,
    /// Frames since the key went down.
    frame: u16,
}

/// The content of one 20 ms frame while keys are sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Frame {
    /// An event packet, or 20 ms of the key's tone.
    Key {
        /// The key being sent.
        digit: Digit,
        /// The timestamp of the press, the same in all its packets.
        timestamp: u32,
        /// The first packet: it carries the marker bit.
        first: bool,
        /// The payload of the event packet.
        payload: Payload,
        /// Samples of tone before this frame; `None` in the repeated ends, after the tone.
        tone_from: Option<u32>,
    },
    /// The pause after a key.
    Pause,
}

impl Sender {
    /// Queues keys; those over the limit are dropped. Returns how many were.
    pub fn queue(&mut self, digits: &[Digit]) -> usize {
        let room = WAITING - self.waiting.len();
        self.waiting.extend(digits.iter().take(room));
        digits.len().saturating_sub(room)
    }

    /// Whether a key, or the pause after one, is being sent.
    pub fn is_active(&self) -> bool {
        self.current.is_some() || !self.waiting.is_empty()
    }

    /// Whether a key, or the pause after it, has begun.
    pub fn is_sending(&self) -> bool {
        self.current.is_some()
    }

    /// Drops the keys that have not begun.
    pub fn forget_waiting(&mut self) {
        self.waiting.clear();
    }

    /// The next 20 ms frame, whose audio would have `timestamp`; `None` when there is no key to send.
    pub fn next_frame(&mut self, timestamp: u32) -> Option<Frame> {
        let current = match self.current {
            Some(current) => current,
            None => Sending {
                digit: self.waiting.pop_front()?,
                timestamp,
                frame: 0,
            },
        };
        let Sending {
            digit,
            timestamp,
            frame,
        } = current;
        let next = frame + 1;
        self.current = (next < TONE_FRAMES + PAUSE_FRAMES).then_some(Sending {
            frame: next,
            ..current
        });
        if frame >= TONE_FRAMES + REPEATED_ENDS {
            return Some(Frame::Pause);
        }
        let frames = next.min(TONE_FRAMES);
        let payload = Payload {
            event: digit.event(),
            end: next >= TONE_FRAMES,
            duration: frames * FRAME as u16,
        };
        let tone_from = (frame < TONE_FRAMES).then(|| u32::from(frame) * FRAME as u32);
        Some(Frame::Key {
            digit,
            timestamp,
            first: frame == 0,
            payload,
            tone_from,
        })
    }
}

#[cfg(test)]
mod tests;
