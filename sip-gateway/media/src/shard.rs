//! The legs of one media thread: which of them ticks when, and which hear each other.
//!
//! A wheel of ten slots of 2 ms holds the legs over the 20 ms of a packet: few slots for few legs, as each slot in use
//! costs the thread a wake-up, and all ten when there are many. The shell turns the wheel and carries
//! datagrams; it has no say in anything else.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use pronto_types::Time;

use crate::recording::{self, Recorded, Recording, Side};
use crate::session::{Agreement, Arrival, DropReason, LONGEST_PACKET, PACKET, Session};
use crate::{Command, Event, LegId, RecordingId, Stats, rtcp};

/// Slots of the wheel.
pub const SLOTS: usize = 10;
/// The time of one slot: [`SLOTS`] of them are one tick.
pub const SLOT: Duration = Duration::from_millis(2);

/// Legs that share a slot before another one is taken into use: their packets leave within a quarter of a millisecond.
const TOGETHER: usize = 32;
/// In which order slots are taken into use: those in use lie as far from each other as can be.
const ORDER: [usize; SLOTS] = [0, 5, 2, 7, 4, 9, 1, 6, 3, 8];

/// Where a shard's packets and events go.
pub trait Outlet {
    /// A datagram to send from a leg's port.
    fn send(&mut self, place: usize, channel: Channel, to: SocketAddr, datagram: &[u8]);
    /// Something to tell the control plane.
    fn report(&mut self, event: Event);
}

/// One of the two ports of a leg.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Channel {
    /// The even one.
    Rtp,
    /// The odd one.
    Rtcp,
}

/// The port at which a datagram arrived.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LegPort {
    /// The leg's place in the shard.
    pub place: usize,
    /// The port of the two.
    pub channel: Channel,
}

/// The counts of one shard, over all its legs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// RTP packets taken.
    pub received: u64,
    /// RTCP packets taken.
    pub rtcp_received: u64,
    /// RTP packets sent.
    pub sent: u64,
    /// RTP packets sent that arrived on the other leg of a bridge.
    pub relayed: u64,
    /// RTP packets the other leg of a bridge did not want.
    pub not_relayed: u64,
    /// Dropped: from somebody else.
    pub foreign: u64,
    /// Dropped: not RTP, not RTCP.
    pub malformed: u64,
    /// Dropped: payload type not agreed, nothing to be received, too old.
    pub unexpected: u64,
    /// Dropped: before the first `Configure`.
    pub unconfigured: u64,
    /// Dropped: came twice.
    pub duplicates: u64,
    /// Keys heard on all legs.
    pub digits: u64,
    /// Keys that did not fit into a leg's queue.
    pub digits_dropped: u64,
    /// Commands for legs that are not open here, or not fit to be bridged.
    pub stray_commands: u64,
}

impl Tally {
    /// Counts a datagram that was dropped.
    fn drop(&mut self, reason: DropReason) {
        let count = match reason {
            DropReason::Foreign => &mut self.foreign,
            DropReason::Malformed => &mut self.malformed,
            DropReason::Unexpected => &mut self.unexpected,
            DropReason::Unconfigured => &mut self.unconfigured,
            DropReason::Duplicate => &mut self.duplicates,
        };
        *count += 1;
    }

    /// Adds another shard's.
    pub fn add(&mut self, other: &Tally) {
        let Tally {
            received,
            rtcp_received,
            sent,
            relayed,
            not_relayed,
            foreign,
            malformed,
            ..
        } = other;
        let Tally {
            unexpected,
            unconfigured,
            duplicates,
            digits,
            digits_dropped,
            stray_commands,
            ..
        } = other;
        for (sum, more) in [
            (&mut self.received, received),
            (&mut self.rtcp_received, rtcp_received),
            (&mut self.sent, sent),
            (&mut self.relayed, relayed),
            (&mut self.not_relayed, not_relayed),
            (&mut self.foreign, foreign),
            (&mut self.malformed, malformed),
            (&mut self.unexpected, unexpected),
            (&mut self.unconfigured, unconfigured),
            (&mut self.duplicates, duplicates),
            (&mut self.digits, digits),
            (&mut self.digits_dropped, digits_dropped),
            (&mut self.stray_commands, stray_commands),
        ] {
            *sum += more;
        }
    }
}

/// The legs of one thread.
#[derive(Debug, Default)]
pub struct Shard {
    /// By place; the shell keeps the sockets at the same places.
    legs: Vec<Option<Leg>>,
    free: Vec<usize>,
    places: BTreeMap<LegId, usize>,
    wheel: [Vec<usize>; SLOTS],
    bridges: usize,
    recordings: BTreeMap<RecordingId, Recording>,
    recorded: VecDeque<Recorded>,
    tally: Tally,
}

#[derive(Debug)]
struct Leg {
    id: LegId,
    session: Session,
    /// The place of the other leg of its bridge.
    partner: Option<usize>,
    /// The recording of this leg's bridge, and the leg's channel in it.
    recorded: Option<(RecordingId, Side)>,
    slot: usize,
}

impl Shard {
    /// A shard without legs.
    pub fn new() -> Self {
        Self::default()
    }

    /// A new leg; returns its place, below the most legs there ever were at once. `None` if its id is in use.
    pub fn open(&mut self, now: Time, leg: LegId, seed: u64) -> Option<usize> {
        if self.places.contains_key(&leg) {
            self.tally.stray_commands += 1;
            return None;
        }
        let place = self.free.pop().unwrap_or(self.legs.len());
        if place == self.legs.len() {
            self.legs.push(None);
        }
        let slot = self.slot_for_one_more();
        self.wheel[slot].push(place);
        self.legs[place] = Some(Leg {
            id: leg,
            session: Session::new(seed, now),
            partner: None,
            recorded: None,
            slot,
        });
        self.places.insert(leg, place);
        Some(place)
    }

    fn slot_for_one_more(&self) -> usize {
        let load = |slot: &usize| self.wheel[*slot].len();
        let with_room = ORDER.into_iter().find(|slot| load(slot) < TOGETHER);
        with_room
            .or_else(|| ORDER.into_iter().min_by_key(load))
            .unwrap_or(0)
    }

    /// Forgets a leg, ending its bridge. Returns its place, free from now on, and what went through it.
    pub fn close(&mut self, leg: LegId) -> Option<(usize, Stats)> {
        let Some(place) = self.places.remove(&leg) else {
            self.tally.stray_commands += 1;
            return None;
        };
        self.part(place);
        let leg = self.legs[place].take()?;
        self.wheel[leg.slot].retain(|at| *at != place);
        self.free.push(place);
        Some((place, leg.session.stats()))
    }

    /// Carries out a command; `Open` and `Close` are the shell's, which has the sockets.
    pub fn command(&mut self, now: Time, command: Command) {
        let known = match command {
            Command::Open { .. } | Command::Close { .. } => None,
            Command::Configure {
                leg,
                remote,
                codec,
                payload_type,
                telephone_event,
                send,
                receive,
                learn,
                ptime,
                proof,
            } => {
                let agreed = Agreement {
                    remote,
                    codec,
                    payload_type,
                    telephone_event,
                    send,
                    receive,
                    learn,
                    ptime,
                    proof,
                };
                self.session(leg).map(|session| session.configure(now, agreed))
            }
            Command::Play { leg, play, clips } => self.session(leg).map(|session| session.play(play, clips)),
            Command::Music { leg, clip } => self.session(leg).map(|session| session.music(clip)),
            Command::Stop { leg } => self.session(leg).map(Session::stop),
            Command::Digits { leg, digits } => {
                let dropped = self.session(leg).map(|session| session.digits(now, &digits));
                dropped.map(|dropped| self.tally.digits_dropped += dropped as u64)
            }
            Command::Bridge { a, b } => self.bridge(now, a, b),
            Command::Unbridge { a, b } => self.unbridge(a, b),
            Command::Record {
                left,
                right,
                recording,
            } => {
                let begun = self.record(now, left, right, recording);
                if begun.is_none() {
                    self.recorded.push_back(recording::never_begun(recording));
                }
                begun
            }
        };
        if known.is_none() {
            self.tally.stray_commands += 1;
        }
    }

    fn session(&mut self, leg: LegId) -> Option<&mut Session> {
        let place = *self.places.get(&leg)?;
        Some(&mut self.leg(place)?.session)
    }

    fn leg(&mut self, place: usize) -> Option<&mut Leg> {
        self.legs.get_mut(place)?.as_mut()
    }

    fn bridge(&mut self, now: Time, a: LegId, b: LegId) -> Option<()> {
        let (a, b) = (*self.places.get(&a)?, *self.places.get(&b)?);
        if a == b {
            return None;
        }
        for (place, other) in [(a, b), (b, a)] {
            if self.leg(place)?.partner != Some(other) {
                self.part(place);
            }
        }
        self.bridges += usize::from(self.leg(a)?.partner.is_none());
        for (place, other) in [(a, b), (b, a)] {
            let down = self.leg(other)?.session.last_event();
            let leg = self.leg(place)?;
            if leg.partner.replace(other) != Some(other) {
                leg.session.skip(down);
            }
            leg.session.bridge(now);
        }
        Some(())
    }

    fn unbridge(&mut self, a: LegId, b: LegId) -> Option<()> {
        let (a, b) = (*self.places.get(&a)?, *self.places.get(&b)?);
        (self.leg(a)?.partner == Some(b)).then(|| self.part(a))
    }

    fn record(&mut self, now: Time, left: LegId, right: LegId, recording: RecordingId) -> Option<()> {
        let (left, right) = (*self.places.get(&left)?, *self.places.get(&right)?);
        let free = self.leg(right)?.recorded.is_none() && !self.recordings.contains_key(&recording);
        let bridged = self.leg(left)?.partner == Some(right);
        if !free || !bridged {
            return None;
        }
        for (place, side) in [(left, Side::Left), (right, Side::Right)] {
            self.leg(place)?.recorded = Some((recording, side));
        }
        self.recordings.insert(recording, Recording::new(recording, now));
        Some(())
    }

    /// Ends the bridge a leg is in, if any, and its recording.
    fn part(&mut self, place: usize) {
        let Some(leg) = self.leg(place) else { return };
        leg.session.unbridge();
        let (partner, recorded) = (leg.partner.take(), leg.recorded.take());
        if let Some(other) = partner.and_then(|partner| self.leg(partner)) {
            // Both know of each other, or neither does.
            other.session.unbridge();
            other.partner = None;
            other.recorded = None;
            self.bridges -= 1;
        }
        if let Some(recording) = recorded.and_then(|(id, _)| self.recordings.remove(&id)) {
            recording.end(&mut |recorded| self.recorded.push_back(recorded));
        }
    }

    /// Takes the next output of the recordings; drain to `None` after every call into the shard.
    pub fn poll_recorded(&mut self) -> Option<Recorded> {
        self.recorded.pop_front()
    }

    /// A datagram came to a leg's RTP or RTCP port. It may be rewritten and sent on to the other leg of a bridge.
    pub fn packet(
        &mut self,
        now: Time,
        LegPort { place, channel }: LegPort,
        from: SocketAddr,
        datagram: &mut [u8],
        outlet: &mut impl Outlet,
    ) {
        let Some(leg) = self.legs.get_mut(place).and_then(Option::as_mut) else {
            return;
        };
        let arrival = match channel {
            Channel::Rtp => leg.session.handle_packet(now, from, datagram),
            Channel::Rtcp => leg.session.handle_rtcp(now, from, datagram),
        };
        let tally = &mut self.tally;
        let (digit, resumed, heard) = match arrival {
            Arrival::Rtp {
                digit,
                resumed,
                heard,
            } => (digit, resumed, heard),
            Arrival::Rtcp { resumed } => {
                tally.rtcp_received += 1;
                if resumed {
                    outlet.report(Event::Resumed { leg: leg.id });
                }
                return;
            }
            Arrival::Dropped(reason) => return tally.drop(reason),
        };
        tally.received += 1;
        let (id, partner) = (leg.id, leg.partner);
        if resumed {
            outlet.report(Event::Resumed { leg: id });
        }
        if let Some(digit) = digit {
            tally.digits += 1;
            let (leg, bridged) = (id, partner.is_some());
            outlet.report(Event::Digit { leg, digit, bridged });
        }
        if let Some((id, side)) = leg.recorded
            && let Some(recording) = self.recordings.get_mut(&id)
        {
            let payload = datagram.get(heard.packet.payload.clone()).unwrap_or_default();
            let said = &mut self.recorded;
            recording.hear(now, side, (&heard, payload), &mut |recorded| {
                said.push_back(recorded)
            });
        }
        let Some((at, other)) = partner.and_then(|at| Some((at, self.legs.get_mut(at)?.as_mut()?))) else {
            return;
        };
        match other.session.relay(now, &heard, datagram) {
            Some((to, range)) => {
                tally.sent += 1;
                tally.relayed += 1;
                outlet.send(at, Channel::Rtp, to, &datagram[range]);
            }
            None if other.session.is_packing() => {
                let sent = send_packed(&mut other.session, at, outlet);
                tally.sent += sent;
                tally.relayed += sent;
            }
            None => tally.not_relayed += 1,
        }
    }

    /// The wheel has come to a slot whose nominal time is `now`.
    pub fn tick(&mut self, now: Time, slot: usize, outlet: &mut impl Outlet) {
        let mut buffer = [0; PACKET];
        let mut report = [0; rtcp::REPORT];
        for &place in &self.wheel[slot % SLOTS] {
            let Some(Leg {
                id,
                session,
                recorded,
                ..
            }) = &mut self.legs[place]
            else {
                continue;
            };
            if session.makes_way() {
                self.tally.sent += send_packed(session, place, outlet);
            }
            let tick = session.tick(now, &mut buffer);
            if tick.packed {
                self.tally.sent += send_packed(session, place, outlet);
            }
            if let Some((to, range)) = tick.datagram {
                self.tally.sent += 1;
                outlet.send(place, Channel::Rtp, to, &buffer[range]);
            }
            if let Some((to, range)) = session.report(now, &mut report) {
                outlet.send(place, Channel::Rtcp, to, &report[range]);
            }
            if let Some(play) = tick.finished {
                outlet.report(Event::Finished { leg: *id, play });
            }
            if tick.stalled {
                let heard = session.has_heard();
                outlet.report(Event::Stalled { leg: *id, heard });
            }
            if let Some((recording, Side::Left)) = recorded
                && let Some(recording) = self.recordings.get_mut(recording)
            {
                let said = &mut self.recorded;
                recording.advance(now, &mut |recorded| said.push_back(recorded));
            }
        }
    }

    /// How many slots from `slot` on (itself included) to the next one with legs; `None` without legs.
    pub fn next_busy(&self, slot: usize) -> Option<usize> {
        (0..SLOTS).find(|ahead| !self.wheel[(slot + ahead) % SLOTS].is_empty())
    }

    /// Bridges between legs.
    pub fn bridges(&self) -> usize {
        self.bridges
    }

    /// Recordings of bridges.
    pub fn recordings(&self) -> usize {
        self.recordings.len()
    }

    /// The number of open legs.
    pub fn legs(&self) -> usize {
        self.places.len()
    }

    /// The counts since the shard was created.
    pub fn tally(&self) -> Tally {
        self.tally
    }
}

/// Sends the packets that were cut or joined for a leg; returns how many.
fn send_packed(session: &mut Session, place: usize, outlet: &mut impl Outlet) -> u64 {
    let mut buffer = [0; LONGEST_PACKET];
    let mut sent = 0;
    while let Some((to, range)) = session.next_packed(&mut buffer) {
        sent += 1;
        outlet.send(place, Channel::Rtp, to, &buffer[range]);
    }
    sent
}

#[cfg(test)]
mod tests;
