//! An offer: ringing an operator's phone under a grant of the queue, while the caller still hears music.

use std::time::Duration;

use bytes::Bytes;
use pronto_media as media;
use pronto_sip as sip;
use pronto_types::link::{Event, LeaveReason, RefuseReason};
use pronto_types::{CallId, OfferId, OperatorId, QueueName, TicketId, Time};
use rand::Rng;

use super::Gateway;
use super::negotiate::Stream;
use super::state::{Call, CallState, Forked, Phone, RingPhase, Ringing, Talk, Ticket};
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
        let CallState::Waiting(ticket) = &call.place else {
            return refuse(self, RefuseReason::Withdrawn);
        };
        if self.engaged.contains_key(&grant.operator) {
            return refuse(self, RefuseReason::Busy);
        }
        if self.sip.bindings(&grant.operator).next().is_none() {
            return refuse(self, RefuseReason::Unreachable);
        }
        // The queue may have let the caller wait on in another queue than the flow named.
        let ticket = Ticket {
            queue: grant.queue.clone(),
            ..ticket.clone()
        };
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
        call.place = CallState::Offered(ticket, ringing);
    }

    /// The operator's media leg says something.
    pub(super) fn operator_media(&mut self, now: Time, call: &mut Call, event: media::Event) {
        match (event, &mut call.place) {
            (media::Event::Opened { local, .. }, CallState::Offered(_, ringing)) => {
                let mut stream = Stream::unopened(self.rng.next_u64() >> 2);
                stream.opened(local.ip(), local.port());
                let number = call.identity.number.as_ref();
                let options = sip::InviteOptions {
                    from_user: number.map(|number| number.reveal().to_owned()),
                    from_display: Some(ringing.display.to_string()),
                };
                // What the caller speaks comes first: who takes it needs no translation.
                let codec = call.caller.stream.codec().unwrap_or(sip::sdp::Codec::Pcma);
                let phones = self.ring_all(now, call.id, &ringing.operator, (&stream, codec), &options);
                if phones.is_empty() {
                    return self.offer_failed(now, call, RefuseReason::Unreachable);
                }
                ringing.phase = RingPhase::Inviting(Forked {
                    stream,
                    phones,
                    refused: None,
                    told: false,
                });
            }
            (media::Event::OpenFailed { .. }, CallState::Offered(..)) => {
                self.offer_failed(now, call, RefuseReason::Unreachable);
            }
            (event, CallState::Calling(_)) => self.peer_media(now, call, &event),
            (event, CallState::Talking(..)) => self.talk_media(now, call, &event),
            _ => {}
        }
    }

    /// Rings every phone of an operator that can be reached.
    pub(super) fn ring_all(
        &mut self,
        now: Time,
        call: CallId,
        operator: &OperatorId,
        (stream, codec): (&Stream, sip::sdp::Codec),
        options: &sip::InviteOptions,
    ) -> Vec<Phone> {
        let bindings = self.sip.bindings(operator);
        let phones: Vec<sip::Destination> = bindings.map(sip::Binding::destination).collect();
        let mut rung = Vec::with_capacity(phones.len());
        for to in phones {
            let source = to.flow.remote.ip();
            let address = self.settings.media_address(stream.address(), source);
            let offer = stream.offer_at(address, codec);
            let sip = self.sip.invite(now, &to, offer.clone(), options.clone());
            self.sip_legs.insert(sip, call);
            self.tell_leg(call, Peer::Operator(operator.clone()), sip);
            rung.push(Phone {
                sip,
                source,
                told: (address, offer),
                heard: false,
            });
        }
        rung
    }

    /// One of the operator's phones says something.
    pub(super) fn operator_event(&mut self, now: Time, call: &mut Call, leg: sip::LegId, event: sip::Event) {
        match &mut call.place {
            CallState::Offered(_, ringing) => match event {
                sip::Event::Progress { status, .. } if status > 100 => {
                    if let RingPhase::Inviting(forked) = &mut ringing.phase {
                        for phone in forked.phones.iter_mut().filter(|phone| phone.sip == leg) {
                            phone.heard = true;
                        }
                        if !std::mem::replace(&mut forked.told, true) {
                            let offer = ringing.offer;
                            self.write(now, Event::Ringing { offer });
                        }
                    }
                }
                sip::Event::Answered { sdp, .. } => self.operator_answered(now, call, leg, sdp),
                sip::Event::Refused { status, local, .. } => {
                    // A 6xx ends what is pending (§16.7 step 5): the operator declines on one phone for all.
                    let for_all = !local && status >= 600;
                    self.phone_failed(now, call, leg, refuse_reason(status, local), for_all);
                }
                sip::Event::Ended { .. } => {
                    self.phone_failed(now, call, leg, RefuseReason::Unreachable, false);
                }
                _ => {}
            },
            CallState::Talking(..) => self.talk_event(now, call, event),
            CallState::Calling(_) => self.peer_event(now, call, leg, event),
            CallState::Waiting(_) | CallState::ConsentPrompt(_) | CallState::None => {}
        }
    }

    /// The first to answer has the call: the caller's music stops and both hear each other.
    fn operator_answered(&mut self, now: Time, call: &mut Call, leg: sip::LegId, sdp: Option<Bytes>) {
        let CallState::Offered(_, ringing) = &mut call.place else {
            return;
        };
        let RingPhase::Inviting(forked) = &mut ringing.phase else {
            return;
        };
        let Some(index) = forked.phones.iter().position(|phone| phone.sip == leg) else {
            return;
        };
        forked.chosen(leg);
        let accepted = sdp.map(|sdp| forked.stream.accept(&sdp));
        if !matches!(accepted, Some(Ok(()))) {
            // An answer we cannot use, or none, is no answer (RFC 3261 §13.2.2.4): the caller keeps the place.
            if let Some(Err(error)) = accepted {
                let source = forked.phones[index].source;
                self.note_refusal(source, &error.refusal());
            }
            self.sip.hangup(now, leg, None);
            return self.phone_failed(now, call, leg, RefuseReason::Rejected, false);
        }
        let winner = forked.phones.swap_remove(index);
        let others = std::mem::take(&mut forked.phones);
        let stream = forked.stream.clone();
        self.silence_phones(now, &others, Some(sip::Reason::completed_elsewhere()));
        let CallState::Offered(ticket, ringing) = std::mem::replace(&mut call.place, CallState::None) else {
            return;
        };
        self.answer_early(now, call);
        let source = winner.source;
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
        let (offer, operator, media) = (ringing.offer, ringing.operator, ringing.media);
        call.place = CallState::Talking(
            ticket,
            Talk {
                offer,
                operator,
                sip: winner.sip,
                media,
                stream,
                source,
                silent: None,
                asked: None,
                keys: Vec::new(),
            },
        );
        self.align(now, call);
        self.mind_hold(now, call);
    }

    /// Ends the ringing of phones that nobody waits for.
    pub(super) fn silence_phones(&mut self, now: Time, phones: &[Phone], reason: Option<sip::Reason>) {
        for phone in phones {
            self.sip_legs.remove(&phone.sip);
            self.sip.hangup(now, phone.sip, reason.clone());
        }
    }

    /// One phone did not take the call; what the others do counts, until none is left.
    fn phone_failed(
        &mut self,
        now: Time,
        call: &mut Call,
        leg: sip::LegId,
        reason: RefuseReason,
        for_all: bool,
    ) {
        self.sip_legs.remove(&leg);
        let CallState::Offered(_, ringing) = &mut call.place else {
            return;
        };
        let RingPhase::Inviting(forked) = &mut ringing.phase else {
            return;
        };
        forked.refused_by(leg, reason);
        let reason = forked.refused.unwrap_or(reason);
        if forked.phones.is_empty() || for_all {
            self.offer_failed(now, call, reason);
        }
    }

    /// No phone took the call: the caller keeps the place and the music.
    fn offer_failed(&mut self, now: Time, call: &mut Call, reason: RefuseReason) {
        match std::mem::replace(&mut call.place, CallState::None) {
            CallState::Offered(ticket, ringing) => {
                self.stop_ringing(now, ringing, reason);
                call.place = CallState::Waiting(ticket);
            }
            place => call.place = place,
        }
    }

    /// Nobody answered within the ring time (RONA).
    pub(super) fn ring_timeout(&mut self, now: Time, call: &mut Call) {
        let CallState::Offered(_, ringing) = &call.place else {
            return;
        };
        let reason = match &ringing.phase {
            RingPhase::Inviting(forked) if forked.phones.iter().any(|phone| phone.heard) => {
                RefuseReason::Ignored
            }
            RingPhase::Inviting(forked) => forked.refused.unwrap_or(RefuseReason::Unreachable),
            RingPhase::Opening => RefuseReason::Unreachable,
        };
        self.offer_failed(now, call, reason);
    }

    /// The queue wants the grant back. If the phone answered first, the report of it is on its way.
    pub(super) fn withdraw(&mut self, now: Time, call: &mut Call, offer: OfferId) {
        match std::mem::replace(&mut call.place, CallState::None) {
            CallState::Offered(ticket, ringing) if ringing.offer == offer => {
                self.stop_ringing(now, ringing, RefuseReason::Withdrawn);
                call.place = CallState::Waiting(ticket);
            }
            place => call.place = place,
        }
    }

    /// Reports the result of the offer to the queue, and frees the operator here.
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

    /// An operator takes part in one call more. While they do in any, neither the queue nor another operator rings them;
    /// they may dial: who talks to a caller asks a colleague so.
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

/// The text for the operator's display: the caller, the queue and the time waited.
fn display(call: &Call, grant: &Grant) -> std::sync::Arc<str> {
    let who = call.identity.name.as_ref().or(call.identity.number.as_ref());
    let waited = grant.waited.as_secs();
    let (minutes, seconds) = (waited / 60, waited % 60);
    match who {
        Some(who) => format!("{} - {} {minutes}:{seconds:02}", who.reveal(), grant.queue).into(),
        None => format!("{} {minutes}:{seconds:02}", grant.queue).into(),
    }
}

/// Maps the final status of a refused offer to its reason. `local`: no answer arrived, and the status is our own
/// conclusion (timer B, no flow).
pub(super) fn refuse_reason(status: u16, local: bool) -> RefuseReason {
    match status {
        _ if local => RefuseReason::Unreachable,
        486 | 600 => RefuseReason::Busy,
        404 | 408 | 410 | 430 | 503 | 604 => RefuseReason::Unreachable,
        _ => RefuseReason::Rejected,
    }
}
