//! An offer: an operator is dialled under a grant of the queue, while the caller still hears music.

use std::time::Duration;

use pronto_ivr as ivr;
use pronto_media as media;
use pronto_sip as sip;
use pronto_types::link::{Event, LeaveReason, RefuseReason};
use pronto_types::{OfferId, OperatorId, QueueName, TicketId, Time};

use super::Gateway;
use super::dial::Order;
use super::state::{Bridge, Call, CallState, Offer, Purpose, Ticket};

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
        let CallState::Waiting(ticket) = &call.state else {
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
        self.offers.insert(grant.offer, call.id);
        self.engage(&grant.operator);
        let number = call.identity.number.as_ref();
        let order = Order {
            call: call.id,
            codec: call.caller.leg.stream.codec(),
            shows: sip::InviteOptions {
                from_user: number.map(|number| number.reveal().to_owned()),
                from_display: Some(display(call, &grant)),
            },
            operator: grant.operator,
            until: now + grant.ring,
        };
        let purpose = Purpose::Offer(Offer {
            id: grant.offer,
            ticket,
        });
        call.state = CallState::Dialling(purpose, self.dial(order));
    }

    /// No phone took the call: the caller keeps the place and the music.
    pub(super) fn offer_failed(&mut self, now: Time, call: &mut Call, reason: RefuseReason) {
        match std::mem::replace(&mut call.state, CallState::None) {
            CallState::Dialling(Purpose::Offer(offer), dial) => {
                self.stop_ringing(now, offer.id, &dial, reason);
                call.state = CallState::Waiting(offer.ticket);
            }
            state => call.state = state,
        }
    }

    /// The queue wants the grant back. If the phone answered first, the report of it is on its way.
    pub(super) fn withdraw(&mut self, now: Time, call: &mut Call, offer: OfferId) {
        let rings = matches!(&call.state, CallState::Dialling(Purpose::Offer(it), _) if it.id == offer);
        if rings {
            self.offer_failed(now, call, RefuseReason::Withdrawn);
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

    /// The operator's phone is gone in mid-talk: the caller hears music, keeps the seniority of the first joining, and is
    /// offered to the next operator.
    pub(super) fn operator_lost(&mut self, now: Time, call: &mut Call) {
        match std::mem::replace(&mut call.state, CallState::None) {
            CallState::Talking(Purpose::Offer(Offer { id: offer, ticket }), bridge) => {
                self.part(call, &bridge);
                self.release_offered(now, offer, &bridge, true);
                let lost = ticket.id;
                self.write(now, Event::OperatorLost { offer, ticket: lost });
                self.wait_again(now, call, &ticket);
                self.music(call);
            }
            state => call.state = state,
        }
    }

    /// The operator hung up: the flow goes on with the caller.
    pub(super) fn operator_gone(&mut self, now: Time, call: &mut Call) {
        match std::mem::replace(&mut call.state, CallState::None) {
            CallState::Talking(Purpose::Offer(offer), bridge) => {
                self.part(call, &bridge);
                self.end_talk(now, &offer, &bridge, false);
                self.silence(now, call);
                let (wish, outcome) = (offer.ticket.wish, ivr::Outcome::Ended);
                call.tell_flow(now, ivr::Input::Outcome { wish, outcome });
            }
            state => call.state = state,
        }
    }

    fn part(&mut self, call: &Call, bridge: &Bridge) {
        let (a, b) = (call.caller.leg.media, bridge.leg.media);
        self.command(media::Command::Unbridge { a, b });
    }

    /// Ends a talk: the operator's leg and media go, the queue is told.
    pub(super) fn end_talk(&mut self, now: Time, offer: &Offer, bridge: &Bridge, hang_up: bool) {
        let (id, ticket) = (offer.id, offer.ticket.id);
        self.tickets.remove(&ticket);
        self.release_offered(now, id, bridge, hang_up);
        self.write(now, Event::TalkEnded { offer: id, ticket });
    }

    fn release_offered(&mut self, now: Time, offer: OfferId, bridge: &Bridge, hang_up: bool) {
        self.release_operator(now, bridge, hang_up);
        self.offers.remove(&offer);
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
fn display(call: &Call, grant: &Grant) -> String {
    let waited = grant.waited.as_secs();
    let (minutes, seconds) = (waited / 60, waited % 60);
    match call.shown_as() {
        Some(who) => format!("{who} - {} {minutes}:{seconds:02}", grant.queue),
        None => format!("{} {minutes}:{seconds:02}", grant.queue),
    }
}
