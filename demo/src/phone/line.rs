//! The one call of a phone: what arrives for it, and what its person does with it.

use bytes::Bytes;
use pronto_media::session::Agreement;
use pronto_media::{Codec, Learn, Proof, Session};
use pronto_sip::{Destination, Event, Invite, InviteOptions, LegId, Status, sdp};
use pronto_types::Time;
use rand::Rng;

use super::Phone;
use crate::ear::{Ear, Listening};
use crate::person::{Deed, Happened, Person};

/// The one call of a phone.
pub(super) struct Line {
    pub(super) leg: LegId,
    pub(super) local: sdp::Local,
    /// The offer of a call that rings.
    pub(super) offer: Option<Bytes>,
    /// While there is sound.
    pub(super) sound: Option<Sound>,
    /// Statistics of the audio heard, once the receiver is down.
    pub(super) heard: Option<Listening>,
}

/// The sound of a call that is up.
pub(super) struct Sound {
    pub(super) session: Session,
    pub(super) ear: Ear,
}

impl Line {
    /// The statistics of the audio heard so far.
    pub(super) fn heard(&self, now: Time) -> Option<Listening> {
        self.heard
            .or(self.sound.as_ref().map(|sound| sound.ear.heard(now)))
    }
}

#[expect(private_bounds, reason = "persons are the two of this crate")]
impl<P: Person> Phone<P> {
    pub(super) fn event(&mut self, now: Time, event: Event) {
        match event {
            Event::Registered { .. } if !self.registered => {
                self.registered = true;
                self.person.handle(now, Happened::Registered);
            }
            Event::RegistrationFailed { status, .. } => {
                tracing::debug!(phone = %self.name, status, "not registered");
            }
            Event::Invite(invite) => self.rung(now, invite),
            Event::Answered { leg, sdp } => self.answered(now, leg, sdp.as_deref().unwrap_or_default()),
            Event::Refused { leg, status, .. } => {
                if self.put_down(now, leg).is_some() {
                    self.person.handle(now, Happened::Refused(status));
                }
            }
            Event::Offer { leg, .. } => {
                self.endpoint.refuse_offer(now, leg, Status::NOT_ACCEPTABLE_HERE);
            }
            Event::Cancelled { leg, .. } | Event::Ended { leg, .. } => {
                if let Some(line) = self.put_down(now, leg) {
                    let heard = line.heard(now);
                    self.person.handle(now, Happened::Over { heard });
                }
            }
            Event::Released { leg } => {
                if let Some(line) = self.put_down(now, leg) {
                    let heard = line.heard(now);
                    self.person.handle(now, Happened::Released { heard });
                }
            }
            Event::Registered { .. }
            | Event::Acknowledged { .. }
            | Event::Progress { .. }
            | Event::Reoffered { .. }
            | Event::BodyRefused { .. }
            | Event::Digit { .. }
            | Event::Moved { .. }
            | Event::Probed { .. }
            | Event::Binding { .. } => {}
        }
    }

    /// The line, if this is its leg; it is free then.
    pub(super) fn put_down(&mut self, now: Time, leg: LegId) -> Option<Line> {
        let line = self.line.take_if(|line| line.leg == leg)?;
        tracing::debug!(phone = %self.name, heard = ?line.heard(now), "free");
        Some(line)
    }

    fn rung(&mut self, now: Time, invite: Invite) {
        if self.line.is_some() {
            return self.endpoint.reject(now, invite.leg, Status::BUSY_HERE, None);
        }
        let Some(offer) = invite.offer else {
            return self
                .endpoint
                .reject(now, invite.leg, Status::NOT_ACCEPTABLE_HERE, None);
        };
        self.endpoint.ring(now, invite.leg);
        self.line = Some(Line {
            leg: invite.leg,
            local: self.description(),
            offer: Some(offer),
            sound: None,
            heard: None,
        });
        self.person.handle(now, Happened::Rung);
    }

    /// Our side of a session. The port is known: the socket was bound before.
    fn description(&mut self) -> sdp::Local {
        sdp::Local {
            address: self.local.ip(),
            port: self.rtp.local_addr().map_or(0, |at| at.port()),
            session_id: self.dice.next_u64() >> 2,
            version: 1,
        }
    }

    fn answered(&mut self, now: Time, leg: LegId, answer: &[u8]) {
        let Some(line) = self.line.as_ref().filter(|line| line.leg == leg) else {
            return;
        };
        match sdp::accept(&line.local, answer) {
            Ok(agreed) => {
                self.speak(now, &agreed);
                self.person.handle(now, Happened::Answered);
            }
            Err(error) => {
                tracing::warn!(phone = %self.name, %error, "the answer cannot be used");
                self.endpoint.hangup(now, leg, None);
                self.line = None;
                let status = Status::NOT_ACCEPTABLE_HERE.code();
                self.person.handle(now, Happened::Refused(status));
            }
        }
    }

    /// Sound begins, both ways.
    fn speak(&mut self, now: Time, agreed: &sdp::Negotiated) {
        let mut session = Session::new(self.dice.next_u64(), now);
        session.configure(
            now,
            Agreement {
                remote: agreed.remote,
                codec: match agreed.codec {
                    sdp::Codec::Pcmu => Codec::Pcmu,
                    sdp::Codec::Pcma => Codec::Pcma,
                },
                payload_type: agreed.payload_type,
                telephone_event: agreed.telephone_event,
                send: agreed.direction.sends(),
                receive: agreed.direction.receives(),
                learn: Learn::Fixed,
                ptime: agreed.ptime,
                proof: Proof::Given,
            },
        );
        session.music(self.person.speaker().clip());
        if let Some(line) = &mut self.line {
            line.sound = Some(Sound {
                session,
                ear: Ear::new(now),
            });
        }
    }

    pub(super) fn carry_out(&mut self, now: Time, deed: Deed) {
        match deed {
            Deed::Dial(number) => self.dial(now, number),
            Deed::Press(digit) => {
                if let Some(sound) = self.sound() {
                    sound.session.digits(now, &[digit]);
                }
            }
            Deed::Attend => {
                if let Some(sound) = self.sound() {
                    sound.ear.attend();
                }
            }
            Deed::Answer => self.answer(now),
            Deed::Decline => {
                if let Some(line) = &self.line {
                    self.endpoint.reject(now, line.leg, Status::DECLINE, None);
                }
            }
            Deed::HangUp => {
                if let Some(line) = &mut self.line {
                    line.heard = line.heard(now);
                    line.sound = None;
                    self.endpoint.hangup(now, line.leg, None);
                }
            }
            Deed::Tell(note) => {
                if self.notes.try_send(note).is_err() {
                    tracing::error!(?note, "the books do not keep up");
                }
            }
        }
    }

    fn dial(&mut self, now: Time, number: &str) {
        let local = self.description();
        // Both laws are in use: the first of the offer is taken.
        let first = if self.dice.next_u64().is_multiple_of(2) {
            sdp::Codec::Pcma
        } else {
            sdp::Codec::Pcmu
        };
        let offer = sdp::offer_directed(&local, sdp::Direction::SendRecv, first);
        let to = Destination {
            uri: format!("sip:{number}@{}", self.centre.sip).into(),
            flow: self.flow(),
        };
        let options = InviteOptions {
            from_user: Some(self.name.clone()),
            from_display: None,
        };
        let leg = self.endpoint.invite(now, &to, offer, options);
        self.line = Some(Line {
            leg,
            local,
            offer: None,
            sound: None,
            heard: None,
        });
    }

    fn answer(&mut self, now: Time) {
        let Some(line) = &mut self.line else { return };
        let leg = line.leg;
        let offer = line.offer.take().unwrap_or_default();
        match sdp::answer(&line.local, &offer) {
            Ok((answer, agreed)) => {
                self.speak(now, &agreed);
                self.endpoint.answer(now, leg, answer);
            }
            Err(error) => {
                tracing::warn!(phone = %self.name, %error, "the offer cannot be used");
                self.endpoint.reject(now, leg, Status::NOT_ACCEPTABLE_HERE, None);
            }
        }
    }
}
