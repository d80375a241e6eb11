//! One leg: a dialog and its media.
//!
//! A phone may offer another session, acknowledge ours, move to another address, or send nothing any more. All of this is
//! handled alike, whoever the phone belongs to.

use std::net::IpAddr;

use bytes::Bytes;
use pronto_media as media;
use pronto_sip as sip;
use pronto_types::{CallId, Time};
use rand::Rng;

use super::negotiate::{Stream, reoffered};
use super::silence::{Due, MediaTimeout};
use super::{Gateway, Output};
use crate::trace::Peer;

/// A dialog and its media.
pub(super) struct Leg {
    pub(super) sip: sip::LegId,
    pub(super) media: media::LegId,
    pub(super) stream: Stream,
    /// The address that the signalling comes from.
    pub(super) source: IpAddr,
    /// While the phone sends nothing, although it could.
    pub(super) silent: Option<MediaTimeout>,
}

impl Gateway {
    /// Tells whose a SIP leg is.
    pub(super) fn tell_leg(&mut self, call: CallId, peer: Peer, leg: sip::LegId) {
        if let Some(call_id) = self.sip.call_id(leg).cloned() {
            self.outputs.push_back(Output::Leg { call, peer, call_id });
        }
    }

    /// Opens a media leg for a call; both legs of a call are in one group, so that they can be bridged.
    pub(super) fn open_media(&mut self, call: CallId) -> media::LegId {
        let leg = media::LegId(self.next_media_leg);
        self.next_media_leg += 1;
        self.media_legs.insert(leg, call);
        let seed = self.rng.next_u64();
        self.command(media::Command::Open {
            leg,
            group: call.0,
            seed,
        });
        leg
    }

    pub(super) fn close_media(&mut self, leg: media::LegId) {
        if self.media_legs.remove(&leg).is_some() {
            self.command(media::Command::Close { leg });
        }
    }

    /// Tells the media threads the session of a leg.
    pub(super) fn configure(&mut self, leg: &Leg) {
        let learn = self.settings.learn;
        if let Some(command) = leg.stream.configure(leg.media, leg.source, learn) {
            self.command(command);
        }
    }

    /// Takes or refuses another session that the phone offers. Returns whether it was taken; if not, the session stays as
    /// it was.
    pub(super) fn leg_offers(
        &mut self,
        now: Time,
        leg: &mut Leg,
        offer: Option<Bytes>,
        proven: bool,
    ) -> bool {
        match reoffered(&mut leg.stream, offer, proven) {
            Ok(answer) => {
                self.sip.accept_offer(now, leg.sip, answer);
                self.configure(leg);
                true
            }
            Err(refusal) => {
                self.note_refusal(leg.source, &refusal);
                self.sip.refuse_offer(now, leg.sip, refusal);
                false
            }
        }
    }

    /// Takes the phone's ACK. Returns false if it carries an answer that we cannot use; the session stays as it was.
    pub(super) fn leg_acknowledges(&mut self, leg: &mut Leg, answer: Option<Bytes>) -> bool {
        match answer.map(|answer| leg.stream.accept(&answer)) {
            Some(Err(error)) => {
                self.note_refusal(leg.source, &error.refusal());
                return false;
            }
            Some(Ok(())) => self.configure(leg),
            None if leg.stream.confirmed() => self.configure(leg),
            None => {}
        }
        true
    }

    /// Follows a phone to another address.
    pub(super) fn leg_moves(&mut self, leg: &mut Leg, ip: IpAddr) {
        leg.source = ip;
        self.configure(leg);
    }

    /// The phone sends again, so it need not be asked.
    pub(super) fn leg_resumes(&mut self, leg: &mut Leg) {
        leg.silent = None;
        self.sip.unprobe(leg.sip);
    }

    /// Asks a silent phone whether it is there, if that is due. Returns whether the phone is given up, which it is not before
    /// `earliest`.
    pub(super) fn leg_is_lost(&mut self, now: Time, leg: &mut Leg, earliest: Option<Time>) -> bool {
        match MediaTimeout::due(&mut leg.silent, now, earliest) {
            Due::Nothing => false,
            Due::Ask => {
                self.sip.probe(now, leg.sip);
                false
            }
            Due::GiveUp => true,
        }
    }

    /// Reports a refused body or offer, for the log of the shell.
    pub(super) fn note_refusal(&mut self, source: IpAddr, refusal: &sip::Refusal) {
        let refusal = refusal.clone();
        self.outputs.push_back(Output::Refused { source, refusal });
    }
}
