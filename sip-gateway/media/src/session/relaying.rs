//! Relaying from the other leg of a bridge: audio, and keys in the form that this leg has agreed to.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use pronto_types::Time;

use super::outgoing::Relayed;
use super::{Agreement, Contents, Datagram, Heard, Session};
use crate::presses::Way;
use crate::{g711, rtp};

/// A press that is kept from this leg: it got it in another way, gets it after a hold, or has no part in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Muted {
    /// The event of this source and timestamp.
    Event(u32, u32),
    /// The tones in the audio.
    Tones,
}

impl Muted {
    /// The press that this packet is part of.
    fn of(heard: &Heard) -> Muted {
        match heard.contents {
            Contents::Event(_) => Muted::Event(heard.packet.ssrc, heard.packet.timestamp),
            Contents::Audio(_) => Muted::Tones,
        }
    }
}

/// The longest packet of ours: 60 ms.
pub const LONGEST_PACKET: usize = rtp::HEADER + 480;

impl Session {
    /// Turns a packet heard on the other leg into a packet of this leg, in place. Returns `None` if this leg has no
    /// destination, sends something else, has not agreed to events, or the packet is too late. Also returns `None` if
    /// this leg sends packets of another length; [`next_packed`](Self::next_packed) then yields them.
    pub fn relay(&mut self, now: Time, heard: &Heard, datagram: &mut [u8]) -> Option<Datagram> {
        self.bridged?;
        let agreed = self.path.as_ref()?.agreed;
        let to = self.destination();
        self.press(now, &agreed, heard);
        let Some(to) = to else {
            self.ends_tones(heard);
            return None;
        };
        if self.player.is_playing() || self.keys.is_active() {
            return None;
        }
        let (payload_type, event, duration) = match heard.contents {
            Contents::Audio(_) => (agreed.payload_type, false, heard.packet.payload.len() as u32),
            Contents::Event(_) if heard.again || self.mutes_event(heard) => return None,
            Contents::Event(payload) => (agreed.telephone_event?, true, u32::from(payload.duration)),
        };
        if let Contents::Audio(codec) = heard.contents {
            let audio = datagram.get_mut(heard.packet.payload.clone())?;
            if self.mutes_tones(&agreed, heard) || heard.again {
                audio.fill(g711::silence(agreed.codec));
            } else {
                g711::transcode(codec, agreed.codec, audio);
            }
            if self.packs(audio.len()) {
                self.pack(now, heard, audio);
                return None;
            }
        }
        if !self.gate.admits(rtp::HEADER + heard.packet.payload.len()) {
            return None;
        }
        let what = Relayed {
            event,
            duration,
            late: heard.late,
        };
        let packet = self.out.relay(now, heard.packet.clone(), payload_type, what)?;
        let range = packet.write(datagram)?;
        self.bridged = Some(now);
        self.stats.sent += 1;
        self.stats.relayed += 1;
        Some((to, range))
    }

    /// A press of the other leg's: once, in the way that this leg has agreed to. On hold it waits, and what is left of it
    /// when the hold ends is not relayed.
    fn press(&mut self, now: Time, agreed: &Agreement, heard: &Heard) {
        let Some(digit) = heard.pressed else { return };
        let told = !self
            .told
            .is_new(now, digit, Way::Media, std::time::Duration::ZERO);
        let is_event = matches!(heard.contents, Contents::Event(_));
        let as_it_is = self.destination().is_some()
            && agreed.telephone_event.is_some() == is_event
            && !self.player.is_playing()
            && !self.keys.is_active();
        if !told && as_it_is {
            return;
        }
        if !told {
            self.keys.queue(&[digit]);
        }
        self.muted = Some(Muted::of(heard));
    }

    /// The tones that are kept from this leg are over with the first audio that holds none.
    fn ends_tones(&mut self, heard: &Heard) {
        let is_audio = matches!(heard.contents, Contents::Audio(_));
        if is_audio && !heard.tone && self.muted == Some(Muted::Tones) {
            self.muted = None;
        }
    }

    fn mutes_event(&self, heard: &Heard) -> bool {
        self.muted == Some(Muted::Event(heard.packet.ssrc, heard.packet.timestamp))
    }

    /// Tones of a key that this leg gets as an event, or has got already.
    fn mutes_tones(&mut self, agreed: &Agreement, heard: &Heard) -> bool {
        self.ends_tones(heard);
        if !heard.tone {
            return false;
        }
        agreed.telephone_event.is_some() || self.muted == Some(Muted::Tones)
    }

    /// Whether audio of this length has to be cut and joined for this leg.
    fn packs(&self, length: usize) -> bool {
        length != self.frame || self.packer.end().is_some()
    }

    /// Whether audio waits for its packet to be full, or is cut.
    pub fn is_packing(&self) -> bool {
        self.packer.next(self.frame).is_some() || self.packer.end().is_some()
    }

    /// Whether audio that waits has to leave now, as a key is to be sent after it.
    pub fn makes_way(&mut self) -> bool {
        let makes_way = self.keys.is_active() && self.packer.end().is_some();
        if makes_way {
            self.packer.cut();
        }
        makes_way
    }

    /// Adds relayed audio to what waits for its packet to be full. Loss of the source stays a gap.
    fn pack(&mut self, now: Time, heard: &Heard, audio: &[u8]) {
        let (ssrc, timestamp) = (heard.packet.ssrc, heard.packet.timestamp);
        if heard.late {
            return;
        }
        let earliest = self.out.earliest(now);
        let start = match (self.packer.gap(ssrc, timestamp), self.packer.end()) {
            (Some(gap), Some(end)) => end.wrapping_add(gap),
            (Some(gap), None) => self.packed_until.wrapping_add(gap),
            (None, _) => earliest,
        };
        let start = if self.out.is_stray(now, start) {
            earliest
        } else {
            start
        };
        self.packer.push(start, audio);
        let length = audio.len() as u32;
        self.packer.expect(ssrc, timestamp.wrapping_add(length));
        self.packed_until = start.wrapping_add(length);
        self.bridged = Some(now);
    }

    /// Takes the next packet of audio that was cut or joined; drain to `None` after [`relay`](Self::relay) and
    /// [`tick`](Self::tick).
    pub fn next_packed(&mut self, buffer: &mut [u8; LONGEST_PACKET]) -> Option<Datagram> {
        loop {
            let length = self.packer.next(self.frame)?;
            let path = self.path.as_ref()?;
            let agreed = path.agreed;
            let timestamp = self
                .packer
                .take(buffer.get_mut(rtp::HEADER..rtp::HEADER + length)?);
            let Some(to) = path.peer.destination().filter(|_| agreed.send) else {
                continue;
            };
            if !self.gate.admits(rtp::HEADER + length) {
                self.out.pause();
                continue;
            }
            let until = timestamp.wrapping_add(length as u32);
            let packet = self.out.own(agreed.payload_type, timestamp, until, length);
            self.stats.sent += 1;
            return Some((to, packet.write(buffer)?));
        }
    }
}
