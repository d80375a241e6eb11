//! The phones of the modelled gateway: registered, ringing, talking.

use std::time::Duration;

use pronto_types::link::{Caller, Event, Origin, RefuseReason};
use pronto_types::{CallId, OfferId, OperatorId, TicketId, Time};

use super::dice::Dice;
use super::gateway::{CallerState, Decision, Later, Line, Phone, RING, SimGateway};

impl SimGateway {
    pub(super) fn take_offer(
        &mut self,
        now: Time,
        offer: OfferId,
        ticket: TicketId,
        operator: OperatorId,
        dice: &mut Dice,
    ) -> Result<(), String> {
        if !self.known.insert(offer) {
            return Ok(());
        }
        if self.waiting(ticket).is_none() {
            self.write(
                now,
                Event::Refused {
                    offer,
                    reason: RefuseReason::Withdrawn,
                },
            );
            return Ok(());
        }
        let Some(phone) = self.phones.get_mut(&operator) else {
            return Err(format!("{offer:?} for {operator:?}, who has no phone here"));
        };
        // It may have crossed the operator's own call; the oracle knows whether the queue could have known better.
        if let Line::Own(_) = phone.line {
            let reason = RefuseReason::Busy;
            self.write(now, Event::Refused { offer, reason });
            return Ok(());
        }
        if phone.line != Line::Idle {
            return Err(format!(
                "{offer:?} for {operator:?}, whose phone is {:?}",
                phone.line
            ));
        }
        if !phone.registered {
            self.write(
                now,
                Event::Refused {
                    offer,
                    reason: RefuseReason::Unreachable,
                },
            );
            return Ok(());
        }
        phone.line = Line::Ringing(offer, ticket);
        self.write(now, Event::Ringing { offer });
        let (after, decision) = match dice.next() % 10 {
            0 => (RING, Decision::Refuse(0)),
            1 => (RING, Decision::Refuse(0)),
            2 => (
                Duration::from_millis(dice.between(20, 5_000)),
                Decision::Refuse(1),
            ),
            3 => (
                Duration::from_millis(dice.between(20, 5_000)),
                Decision::Refuse(2),
            ),
            _ => (Duration::from_millis(dice.between(200, 14_000)), Decision::Answer),
        };
        self.after(now + after, Later::PhoneDecides(operator, offer, decision));
        Ok(())
    }

    pub(super) fn register(&mut self, now: Time, operator: &OperatorId, lease: Duration, dice: &mut Dice) {
        let Some(phone) = self.phones.get_mut(operator) else {
            return;
        };
        phone.registered = true;
        phone.version += 1;
        let version = phone.version;
        self.write(
            now,
            Event::Presence {
                operator: operator.clone(),
                lease: Some(lease),
            },
        );
        let refresh = Duration::from_secs(dice.between(40, 80));
        self.after(now + refresh, Later::Refresh(operator.clone(), version));
        self.after(now + lease, Later::LeaseOver(operator.clone(), version));
    }

    pub(super) fn unregister(&mut self, now: Time, operator: &OperatorId) {
        let Some(phone) = self.phones.get_mut(operator) else {
            return;
        };
        if phone.registered {
            phone.registered = false;
            phone.version += 1;
            self.write(
                now,
                Event::Presence {
                    operator: operator.clone(),
                    lease: None,
                },
            );
        }
    }

    pub(super) fn phone_decides(
        &mut self,
        now: Time,
        operator: &OperatorId,
        wanted: OfferId,
        decision: Decision,
        dice: &mut Dice,
    ) {
        let Some(phone) = self.phones.get_mut(operator) else {
            return;
        };
        let Line::Ringing(offer, ticket) = phone.line else {
            return;
        };
        if offer != wanted {
            return;
        }
        match decision {
            Decision::Answer => {
                phone.line = Line::Talking(offer, ticket);
                self.cut_short(now, ticket);
                if let Some(call) = self.waiting(ticket)
                    && let Some(caller) = self.callers.get_mut(&call)
                {
                    caller.state = CallerState::Talking(ticket);
                }
                self.write(now, Event::Answered { offer, ticket });
                let talk = Duration::from_millis(dice.between(1_000, 120_000));
                self.after(now + talk, Later::TalkOver(operator.clone(), offer));
            }
            Decision::Refuse(which) => {
                phone.line = Line::Idle;
                let reason = match which {
                    0 => RefuseReason::Ignored,
                    1 => RefuseReason::Busy,
                    _ => RefuseReason::Rejected,
                };
                self.write(now, Event::Refused { offer, reason });
            }
        }
    }

    /// An operator with an idle phone dials a number.
    pub(super) fn dial(&mut self, now: Time, operator: &OperatorId, dice: &mut Dice) {
        let call = CallId(dice.next());
        let lasts = Duration::from_millis(dice.between(1_000, 180_000));
        let Some(phone) = self.phones.get_mut(operator) else {
            return;
        };
        if phone.line != Line::Idle || !phone.registered {
            return;
        }
        phone.line = Line::Own(call);
        let caller = Caller {
            number: None,
            name: None,
        };
        self.write(
            now,
            Event::CallBegan {
                call,
                dialled: "800".into(),
                caller,
                origin: Origin::Operator(operator.clone()),
            },
        );
        self.after(now + lasts, Later::OwnOver(operator.clone(), call));
    }

    pub(super) fn own_call_over(&mut self, now: Time, operator: &OperatorId, call: CallId) {
        let own = |it: &&mut Phone| it.line == Line::Own(call);
        if let Some(phone) = self.phones.get_mut(operator).filter(own) {
            phone.line = Line::Idle;
            self.call_ended(now, call);
        }
    }

    pub(super) fn phone_of(&self, wanted: OfferId) -> Option<OperatorId> {
        let under = |line: Line| match line {
            Line::Ringing(offer, _) | Line::Talking(offer, _) => offer == wanted,
            Line::Idle | Line::Own(_) => false,
        };
        self.phones
            .iter()
            .find(|(_, phone)| under(phone.line))
            .map(|(id, _)| id.clone())
    }

    /// Stops the phones that ring for a ticket that waits no more.
    pub(super) fn quiet(&mut self, now: Time, ticket: TicketId) {
        let ringing = self.phones.iter_mut().filter_map(|(_, phone)| match phone.line {
            Line::Ringing(offer, of) if of == ticket => {
                phone.line = Line::Idle;
                Some(offer)
            }
            _ => None,
        });
        let stopped: Vec<OfferId> = ringing.collect();
        for offer in stopped {
            self.write(
                now,
                Event::Refused {
                    offer,
                    reason: RefuseReason::Withdrawn,
                },
            );
        }
    }
}
