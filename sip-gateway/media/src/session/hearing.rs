//! Classification of the far end's packets, and detection of the keys in them.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::time::Duration;

use pronto_types::{Digit, Time};

use super::relaying::Muted;
use super::{Agreement, Contents, DropReason, Heard, Session};
use crate::Codec;
use crate::presses::Way;
use crate::telephone_event::{self, Payload, Told};

/// The payload type that phones send events under, although it was not agreed (RFC 4733 has none of its own).
const USUAL_EVENT: u8 = 101;
/// An event whose end has not come is taken to go on for this long after each of its packets.
const EVENT_GOES_ON: Duration = Duration::from_millis(100);
/// The same after its end: audio of the same time may come a little later.
const EVENT_OVER: Duration = Duration::from_millis(20);
/// Tones heard this soon after those we sent are their echo.
const ECHO: Duration = Duration::from_millis(500);

/// Classifies the payload of a packet. An event under the usual telephone-event payload type counts as an event even if
/// that type was not agreed, so that no key is lost or heard as audio.
pub(super) fn contents(agreed: &Agreement, payload_type: u8, payload: &[u8]) -> Result<Contents, DropReason> {
    if payload_type == agreed.payload_type {
        return Ok(Contents::Audio(agreed.codec));
    }
    let event = || Payload::parse(payload).map(Contents::Event);
    if Some(payload_type) == agreed.telephone_event {
        return event().ok_or(DropReason::Malformed);
    }
    let usual = payload_type == USUAL_EVENT && payload.len() == telephone_event::PAYLOAD;
    let is_key = payload
        .first()
        .is_some_and(|code| Digit::from_event(*code).is_some());
    event().filter(|_| usual && is_key).ok_or(DropReason::Unexpected)
}

impl Session {
    pub(super) fn hear_event(&mut self, now: Time, event: Payload, heard: &mut Heard) {
        let of = (heard.packet.ssrc, heard.packet.timestamp);
        match self.events.receive(now, of, heard.late, event) {
            Told::New(digit) => {
                let is_new = |digit: &Digit| self.presses.is_new(now, *digit, Way::Media, Duration::ZERO);
                heard.pressed = digit.filter(is_new);
                if digit.is_some() && heard.pressed.is_none() {
                    self.repeated = Some(Muted::Event(of.0, of.1));
                }
            }
            Told::Known(timestamp) => heard.packet.timestamp = timestamp,
            Told::Copy => heard.again = true,
        }
        let this = Muted::Event(heard.packet.ssrc, heard.packet.timestamp);
        heard.again |= self.repeated == Some(this);
        self.last_event = Some(this);
        self.event_until = now + if event.end { EVENT_OVER } else { EVENT_GOES_ON };
    }

    pub(super) fn hear_tones(&mut self, now: Time, codec: Codec, payload: &[u8], heard: &mut Heard) {
        let Some(detector) = &mut self.detector else {
            return;
        };
        let digit = detector.listen(codec, payload);
        heard.tone = detector.suspects();
        if let Some(digit) = digit {
            let is_echo = self
                .sent_key
                .is_some_and(|(sent, at)| sent == digit && now.since(at) < ECHO);
            if !is_echo && self.presses.is_new(now, digit, Way::Tones, Duration::ZERO) {
                heard.pressed = Some(digit);
            } else {
                self.repeated = Some(Muted::Tones);
            }
        }
        if self.repeated == Some(Muted::Tones) {
            heard.again |= heard.tone;
            if !heard.tone {
                self.repeated = None;
            }
        }
    }
}
