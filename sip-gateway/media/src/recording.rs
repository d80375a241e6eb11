//! A recorded bridge: what its two legs say, laid side by side on one timeline.
//!
//! ```text
//!             handed on         100 ms of patience    may still come
//!  left   ───────────────────┼─────────┬──────────┼───────────────────
//!  right  ───────────────────┼─────────┴──────────┼───────────────────
//!                         `emitted`              now
//! ```
//!
//! A packet lies where its timestamp says, counted from the first one of its source, which lies where it arrived: so
//! loss is silence, and what came out of order is in order. Where the source's clock and ours drift apart, or the
//! network changes its mind, the source is moved: a gap of silence, or a packet left out, never one side early.
//! Everything up to 100 ms ago is handed on in blocks, whether anybody spoke or not.
//!
//! A key is silence: it may belong to a card number. That goes for events and for tones in the audio.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use pronto_types::Time;

use crate::rtp::Packet;
use crate::session::{Contents, Heard};
use crate::{Codec, FRAME, MICROS_PER_SAMPLE, RecordingId, g711};

/// One stereo frame at 8 kHz: the left sample, then the right one.
pub type Stereo = [i16; 2];

/// Frames of a block: 100 ms.
pub const BLOCK: usize = 5 * FRAME;
/// How long a packet is waited for.
const PATIENCE: i64 = 5 * FRAME as i64;
/// How far before its time a packet may lie: one that came early after a late first one.
const AHEAD: i64 = 6 * FRAME as i64;
/// The longest packet a session takes.
const LONGEST: usize = 6 * FRAME;
/// Everything that is not handed on.
const ROOM: usize = PATIENCE as usize + BLOCK + AHEAD as usize + LONGEST;
/// How long the end of a key is told after it.
const KEY_TOLD: i64 = 25 * FRAME as i64;
/// Silence around a key: what its detection leaves over at either end.
const AROUND_KEY: i64 = FRAME as i64;

/// The output of the recording of one bridge.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Recorded {
    /// The next frames, in order.
    Frames {
        /// The recording that the frames belong to.
        recording: RecordingId,
        /// How many came before: should a block be lost on its way, the next one tells.
        from: u64,
        /// At most 100 ms; the last ones of a recording up to half a second.
        frames: Box<[Stereo]>,
    },
    /// The bridge has ended, or there was none. Exactly once for each `Command::Record`.
    Ended {
        /// The recording that ended.
        recording: RecordingId,
        /// How many frames there were.
        frames: u64,
    },
}

/// A leg of the recorded bridge, named by its channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    /// The leg heard on the left channel.
    Left = 0,
    /// The leg heard on the right channel.
    Right = 1,
}

/// The recording of one bridge.
#[derive(Clone, Debug)]
pub(crate) struct Recording {
    id: RecordingId,
    start: Time,
    /// The time it was last told.
    last: Time,
    /// Frames handed on. Positions count in frames from the start.
    emitted: i64,
    /// The frames from there on.
    pending: Box<[Stereo]>,
    tracks: [Track; 2],
}

/// The state of one channel.
#[derive(Clone, Copy, Debug, Default)]
struct Track {
    source: Option<Source>,
    /// Where the last audio ended.
    end: i64,
    /// Silence up to here, whatever comes: a key.
    mute: i64,
}

/// Where a source's timestamps lie.
#[derive(Clone, Copy, Debug)]
struct Source {
    ssrc: u32,
    timestamp: u32,
    position: i64,
}

impl Source {
    fn position(&self, timestamp: u32) -> i64 {
        // The difference is a signed one: timestamps wrap, and late packets lie before.
        self.position + i64::from(timestamp.wrapping_sub(self.timestamp) as i32)
    }
}

impl Recording {
    /// Starts a recording at `now`.
    pub(crate) fn new(id: RecordingId, now: Time) -> Self {
        Recording {
            id,
            start: now,
            last: now,
            emitted: 0,
            pending: vec![[0; 2]; ROOM].into(),
            tracks: [Track::default(); 2],
        }
    }

    fn position_of(&self, now: Time) -> i64 {
        (now.as_micros() - self.start.as_micros()) / MICROS_PER_SAMPLE
    }

    /// A packet of one leg; hands on what is due before it.
    pub(crate) fn hear(
        &mut self,
        now: Time,
        side: Side,
        (heard, payload): (&Heard, &[u8]),
        out: &mut impl FnMut(Recorded),
    ) {
        self.advance(now, out);
        let arrival = self.position_of(self.last);
        match heard.contents {
            Contents::Audio(codec) => {
                let length = payload.len() as i64;
                let Some(at) = self.place(side, heard, length, arrival) else {
                    return;
                };
                self.lay(side, at, codec, payload);
                if heard.tone || heard.again {
                    self.silence(side, at - AROUND_KEY, at + length);
                }
            }
            Contents::Event(event) => {
                let (from, to) = self.key(side, &heard.packet, event.duration.into(), arrival);
                self.silence(side, from - AROUND_KEY, to + AROUND_KEY);
            }
        }
    }

    /// Where a packet's audio begins; `None`: nowhere.
    fn place(&mut self, side: Side, heard: &Heard, length: i64, arrival: i64) -> Option<i64> {
        let Packet { ssrc, timestamp, .. } = heard.packet;
        let emitted = self.emitted;
        let Track { source, end, .. } = &mut self.tracks[side as usize];
        // Spoken before it arrived.
        let spoken = arrival - length;
        let known = source.filter(|source| source.ssrc == ssrc);
        let expected = known.map(|source| source.position(timestamp));
        if let Some(at) = expected.filter(|_| heard.late) {
            return Some(at);
        }
        let at = match expected {
            None => spoken.max(*end),
            // It comes later than we wait: from here on the source lies later.
            Some(at) if at < emitted => (arrival - PATIENCE).max(emitted).max(*end),
            // Its clock is the faster one: one packet less.
            Some(at) if at > spoken + AHEAD && at == *end => {
                let position = at - length;
                *source = known.map(|source| Source {
                    timestamp,
                    position,
                    ..source
                });
                return None;
            }
            // The source has reset its clock: its audio is placed by arrival time.
            Some(at) if at > spoken + AHEAD => spoken.max(*end),
            Some(at) => at,
        };
        *source = Some(Source {
            ssrc,
            timestamp,
            position: at,
        });
        // More than real time brings is nobody's voice.
        (at <= spoken + AHEAD).then(|| {
            *end = at + length;
            at
        })
    }

    /// Where a key lies: by its timestamp, or, where that says nothing, as it arrived.
    fn key(&self, side: Side, packet: &Packet, duration: i64, arrival: i64) -> (i64, i64) {
        let source = self.tracks[side as usize].source;
        source
            .filter(|source| source.ssrc == packet.ssrc)
            .map(|source| source.position(packet.timestamp))
            .map(|begun| (begun, begun + duration))
            .filter(|(_, until)| (arrival - KEY_TOLD..=arrival + AHEAD).contains(until))
            .unwrap_or((arrival - duration.min(PATIENCE), arrival))
    }

    fn lay(&mut self, side: Side, at: i64, codec: Codec, payload: &[u8]) {
        let channel = side as usize;
        let from = at.max(self.emitted).max(self.tracks[channel].mute);
        let skipped = usize::try_from(from - at).unwrap_or(0);
        let index = usize::try_from(from - self.emitted).unwrap_or(0);
        let room = self.pending.get_mut(index..).unwrap_or_default();
        for (frame, octet) in room.iter_mut().zip(payload.get(skipped..).unwrap_or_default()) {
            frame[channel] = g711::decode(codec, *octet);
        }
    }

    /// Silences one channel from `from` to `to`: the samples already held, and those still to arrive.
    fn silence(&mut self, side: Side, from: i64, to: i64) {
        let index = |position: i64| usize::try_from(position - self.emitted).unwrap_or(0).min(ROOM);
        let (from, until) = (index(from), index(to));
        for frame in self.pending.get_mut(from..until).unwrap_or_default() {
            frame[side as usize] = 0;
        }
        let mute = &mut self.tracks[side as usize].mute;
        *mute = to.max(*mute);
    }

    /// Time has passed: hands on the blocks that are complete.
    pub(crate) fn advance(&mut self, now: Time, out: &mut impl FnMut(Recorded)) {
        self.last = self.last.max(now);
        let due = self.position_of(self.last) - PATIENCE;
        while due - self.emitted >= BLOCK as i64 {
            self.emit(BLOCK, out);
        }
    }

    /// The bridge has ended: hands on the rest, up to the time last told.
    pub(crate) fn end(mut self, out: &mut impl FnMut(Recorded)) {
        let left = usize::try_from(self.position_of(self.last) - self.emitted).unwrap_or(0);
        if left > 0 {
            self.emit(left.min(ROOM), out);
        }
        out(ended(self.id, self.emitted));
    }

    fn emit(&mut self, count: usize, out: &mut impl FnMut(Recorded)) {
        out(Recorded::Frames {
            recording: self.id,
            from: u64::try_from(self.emitted).unwrap_or(0),
            frames: self.pending[..count].into(),
        });
        self.pending.copy_within(count.., 0);
        self.pending[ROOM - count..].fill([0; 2]);
        self.emitted += count as i64;
    }
}

/// A recording that had nothing to record.
pub(crate) fn never_begun(id: RecordingId) -> Recorded {
    ended(id, 0)
}

fn ended(recording: RecordingId, frames: i64) -> Recorded {
    Recorded::Ended {
        recording,
        frames: u64::try_from(frames).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests;
