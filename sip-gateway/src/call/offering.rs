//! An offer: ringing an operator's phone under a grant of the queue, while the caller still hears music.

use std::time::Duration;

use bytes::Bytes;
use pronto_media as media;
use pronto_sip as sip;
use pronto_types::link::{Event, LeaveReason, RefuseReason};
use pronto_types::{OfferId, OperatorId, QueueName, TicketId, Time};
use rand::Rng;

use super::Gateway;
use super::negotiate::Stream;
use super::state::{Call, Place, RingPhase, Ringing, Silence, Talk};
use crate::trace::Peer;

/// A grant as it came down the link.
pub(super) struct Grant {
    pub(super) offer: OfferId,
    pub(super) ticket: TicketId,
    pub(super) operator: OperatorId,
    pub(super) ring: Duration,
    pub(super) queue: QueueName,
    pub(super) waited: Duration,
}

impl Gateway {
    /// The queue grants a connection.
    pub(super) fn granted(&mut self, now: Time, grant: Grant) {
        // After a re-attach the queue issues again what its state needs; what we have or have answered, we ignore.
        if self.offers.contains_key(&grant.offer) || self.journal.resolves(grant.offer) {
            return;
        }
        let Some(&id) = self.tickets.get(&grant.ticket) else {
            // The queue believes in a ticket that is over here: say both, or it would offer it again at once.
            self.write(
                now,
                Event::Left {
                    ticket: grant.ticket,
                    reason: LeaveReason::Failed,
                },
            );
            self.write(
                now,
                Event::Refused {
                    offer: grant.offer,
                    reason: RefuseReason::Withdrawn,
                },
            );
            return;
        };
        self.with_call(now, id, |gateway, call| gateway.ring(now, call, grant));
    }

    fn ring(&mut self, now: Time, call: &mut Call, grant: Grant) {
        let refuse = |gateway: &mut Self, reason| {
            gateway.write(
                now,
                Event::Refused {
                    offer: grant.offer,
                    reason,
                },
            );
        };
        let Place::Waiting(ticket) = &call.place else {
            return refuse(self, RefuseReason::Withdrawn);
        };
        if self.engaged.contains_key(&grant.operator) {
            return refuse(self, RefuseReason::Busy);
        }
        if self.sip.bindings(&grant.operator).next().is_none() {
            return refuse(self, RefuseReason::Unreachable);
        }
        let ticket = ticket.clone();
        let media = self.open_media(call.id);
        self.offers.insert(grant.offer, call.id);
        self.engage(&grant.operator);
        let ringing = Ringing {
            offer: grant.offer,
            display: display(call, &grant),
            operator: grant.operator,
            media,
            until: now + grant.ring,
            phase: RingPhase::Opening,
        };
        call.place = Place::Offered(ticket, ringing);
    }

    /// The operator's media leg says something.
    pub(super) fn operator_media(&mut self, now: Time, call: &mut Call, event: media::Event) {
        match (event, &mut call.place) {
            (media::Event::Opened { local, .. }, Place::Offered(_, ringing)) => {
                let mut stream = Stream::unopened(self.rng.next_u64() >> 2);
                stream.opened(local, self.settings.advertise);
                let destination = self
                    .sip
                    .bindings(&ringing.operator)
                    .next()
                    .map(sip::Binding::destination);
                let Some(destination) = destination else {
                    return self.offer_failed(now, call, RefuseReason::Unreachable);
                };
                let source = destination.flow.remote.ip();
                let options = sip::InviteOptions {
                    from_user: call
                        .identity
                        .number
                        .as_ref()
                        .map(|number| number.reveal().to_owned()),
                    from_display: Some(ringing.display.to_string()),
                };
                let sip = self.sip.invite(now, &destination, stream.offer(), options);
                self.sip_legs.insert(sip, call.id);
                let peer = Peer::Operator(ringing.operator.clone());
                self.tell_leg(call.id, peer, sip);
                ringing.phase = RingPhase::Inviting {
                    sip,
                    stream,
                    source,
                    heard: false,
                };
            }
            (media::Event::OpenFailed { .. }, Place::Offered(..)) => {
                self.offer_failed(now, call, RefuseReason::Unreachable);
            }
            (event, Place::Talking(..)) => self.talk_media(now, call, &event),
            _ => {}
        }
    }

    /// The operator's phone says something.
    pub(super) fn operator_event(&mut self, now: Time, call: &mut Call, event: sip::Event) {
        match &mut call.place {
            Place::Offered(_, ringing) => match event {
                sip::Event::Progress { status, .. } if status > 100 => {
                    if let RingPhase::Inviting {
                        heard: heard @ false, ..
                    } = &mut ringing.phase
                    {
                        *heard = true;
                        let offer = ringing.offer;
                        self.write(now, Event::Ringing { offer });
                    }
                }
                sip::Event::Answered { sdp, .. } => self.operator_answered(now, call, sdp),
                sip::Event::Refused { status, local, .. } => {
                    self.offer_failed(now, call, refuse_reason(status, local));
                }
                sip::Event::Ended { .. } => self.offer_failed(now, call, RefuseReason::Unreachable),
                _ => {}
            },
            Place::Talking(..) => self.talk_event(now, call, event),
            Place::Waiting(_) | Place::Telling(_) | Place::None => {}
        }
    }

    /// The first to answer has the call: the caller's music stops and both hear each other.
    fn operator_answered(&mut self, now: Time, call: &mut Call, sdp: Option<Bytes>) {
        let (ticket, mut ringing) = match std::mem::replace(&mut call.place, Place::None) {
            Place::Offered(ticket, ringing) => (ticket, ringing),
            place => return call.place = place,
        };
        let agreed = match (&mut ringing.phase, sdp) {
            (RingPhase::Inviting { stream, .. }, Some(sdp)) => stream.accept(&sdp).is_ok(),
            _ => false,
        };
        let RingPhase::Inviting {
            sip, stream, source, ..
        } = &ringing.phase
        else {
            return call.place = Place::Offered(ticket, ringing);
        };
        if !agreed {
            // An answer we cannot use, or none, is no answer (RFC 3261 §13.2.2.4): the caller keeps the place.
            self.stop_ringing(now, ringing, RefuseReason::Rejected);
            call.place = Place::Waiting(ticket);
            return;
        }
        let (sip, stream, source) = (*sip, stream.clone(), *source);
        self.configure(ringing.media, &stream, source);
        self.silence(now, call);
        self.command(media::Command::Bridge {
            a: call.caller.media,
            b: ringing.media,
        });
        self.record_talk(now, call, &ticket, ringing.media);
        self.write(
            now,
            Event::Answered {
                offer: ringing.offer,
                ticket: ticket.id,
            },
        );
        let silent = Silence::of(&stream, now);
        let (offer, operator, media) = (ringing.offer, ringing.operator, ringing.media);
        call.place = Place::Talking(
            ticket,
            Talk {
                offer,
                operator,
                sip,
                media,
                stream,
                source,
                silent,
            },
        );
    }

    /// The phone did not take the call: the caller keeps the place and the music.
    fn offer_failed(&mut self, now: Time, call: &mut Call, reason: RefuseReason) {
        if let Place::Offered(ticket, ringing) = std::mem::replace(&mut call.place, Place::None) {
            if let RingPhase::Inviting { sip, .. } = &ringing.phase {
                self.sip_legs.remove(sip);
            }
            self.close_media(ringing.media);
            self.offer_over(now, ringing.offer, &ringing.operator, reason);
            call.place = Place::Waiting(ticket);
        }
    }

    /// Nobody answered within the ring time (RONA).
    pub(super) fn ring_timeout(&mut self, now: Time, call: &mut Call) {
        if let Place::Offered(ticket, ringing) = std::mem::replace(&mut call.place, Place::None) {
            let reason = match &ringing.phase {
                RingPhase::Inviting { heard: true, .. } => RefuseReason::Ignored,
                _ => RefuseReason::Unreachable,
            };
            self.stop_ringing(now, ringing, reason);
            call.place = Place::Waiting(ticket);
        }
    }

    /// The queue wants the grant back. If the phone answered first, the report of it is on its way.
    pub(super) fn withdraw(&mut self, now: Time, call: &mut Call, offer: OfferId) {
        match std::mem::replace(&mut call.place, Place::None) {
            Place::Offered(ticket, ringing) if ringing.offer == offer => {
                self.stop_ringing(now, ringing, RefuseReason::Withdrawn);
                call.place = Place::Waiting(ticket);
            }
            place => call.place = place,
        }
    }

    /// What became of the offer goes to the queue, and the operator is free here.
    pub(super) fn offer_over(
        &mut self,
        now: Time,
        offer: OfferId,
        operator: &OperatorId,
        reason: RefuseReason,
    ) {
        self.offers.remove(&offer);
        self.disengage(operator);
        self.write(now, Event::Refused { offer, reason });
    }

    /// An operator takes part in a call: never two calls.
    pub(super) fn engage(&mut self, operator: &OperatorId) {
        *self.engaged.entry(operator.clone()).or_insert(0) += 1;
    }

    /// One part less.
    pub(super) fn disengage(&mut self, operator: &OperatorId) {
        if let Some(count) = self.engaged.get_mut(operator) {
            *count -= 1;
            if *count == 0 {
                self.engaged.remove(operator);
            }
        }
    }
}

/// What the operator's display shows: who calls, from which queue, after how long.
fn display(call: &Call, grant: &Grant) -> std::sync::Arc<str> {
    let who = call.identity.name.as_ref().or(call.identity.number.as_ref());
    let waited = grant.waited.as_secs();
    let (minutes, seconds) = (waited / 60, waited % 60);
    match who {
        Some(who) => format!("{} - {} {minutes}:{seconds:02}", who.reveal(), grant.queue).into(),
        None => format!("{} {minutes}:{seconds:02}", grant.queue).into(),
    }
}

/// Whose fault a refusal is. `local`: no answer came, the status is our own conclusion (timer B, no flow).
fn refuse_reason(status: u16, local: bool) -> RefuseReason {
    match status {
        _ if local => RefuseReason::Unreachable,
        486 | 600 => RefuseReason::Busy,
        404 | 408 | 410 | 430 | 503 | 604 => RefuseReason::Unreachable,
        _ => RefuseReason::Rejected,
    }
}
