//! Operators' phones being silenced: a CANCEL is out and the phone has not confirmed it. They outlive the call they rang
//! for, so that an operator is reported free only once the phone can take the next call.

use std::time::Duration;

use pronto_sip as sip;
use pronto_types::link::{Event, RefuseReason};
use pronto_types::{CallId, OfferId, OperatorId, Time};

use super::dial::Dial;
use super::{AT_ONCE, Gateway};

/// A phone that does not confirm a CANCEL is reported after this long all the same.
const CONFIRM: Duration = Duration::from_secs(1);

/// The offer or call that the phones rang for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RungFor {
    /// An offer of the queue, withdrawn.
    Offer(OfferId),
    /// A colleague's call, which is over.
    Call(CallId),
}

/// An operator whose phones rang for it.
pub(super) struct PendingCancel {
    operator: OperatorId,
    until: Time,
    /// The phones that rang.
    phones: Vec<sip::LegId>,
    /// How many of them have not confirmed yet.
    ringing: usize,
    /// The record of the call, which frees the operator in the queue's eyes too; and when the call ended.
    record: Option<(Time, Event)>,
}

impl Gateway {
    /// Ends the ringing. A withdrawn offer is reported when the phone has confirmed (the operator is offered the next
    /// call at once); any other reason pauses the operator, and is reported at once to free the caller.
    pub(super) fn stop_ringing(&mut self, now: Time, offer: OfferId, dial: &Dial, reason: RefuseReason) {
        let phones = self.stop_dialling(now, dial);
        if reason != RefuseReason::Withdrawn || phones.is_empty() {
            return self.offer_over(now, offer, &dial.operator, reason);
        }
        self.await_quiet(now, RungFor::Offer(offer), dial.operator.clone(), phones);
    }

    /// The operator is free when each of these phones, told to stop, has said that it has.
    pub(super) fn await_quiet(
        &mut self,
        now: Time,
        rung: RungFor,
        operator: OperatorId,
        phones: Vec<sip::LegId>,
    ) {
        for phone in &phones {
            self.parting_legs.insert(*phone, rung);
        }
        let parting = PendingCancel {
            operator,
            until: now + CONFIRM,
            ringing: phones.len(),
            phones,
            record: None,
        };
        self.parting_timers.insert(parting.until, rung);
        if let Some(before) = self.parting.insert(rung, parting)
            && before.until != now + CONFIRM
        {
            self.parting_timers.remove(before.until, &rung);
        }
    }

    /// Phones that are being silenced rang under offers of an earlier epoch.
    pub(super) fn disown_partings(&mut self) {
        for (rung, parting) in std::mem::take(&mut self.parting) {
            let now_for = match rung {
                RungFor::Offer(_) => RungFor::Offer(OfferId(self.foreign())),
                RungFor::Call(_) => rung,
            };
            for of in self.parting_legs.values_mut().filter(|of| **of == rung) {
                *of = now_for;
            }
            if self.parting_timers.remove(parting.until, &rung) {
                self.parting_timers.insert(parting.until, now_for);
            }
            self.parting.insert(now_for, parting);
        }
    }

    /// Writes the record of a call that is over; where phones rang for it, when they are quiet: the queue offers their
    /// operator the next caller as soon as it reads this.
    pub(super) fn write_record(&mut self, now: Time, call: CallId, record: Event) {
        match self.parting.get_mut(&RungFor::Call(call)) {
            Some(parting) => parting.record = Some((now, record)),
            None => self.write(now, record),
        }
    }

    /// Something about a leg being released: any of these means the phone is done with it.
    pub(super) fn parting_event(&mut self, now: Time, leg: sip::LegId, event: &sip::Event) {
        if let sip::Event::Released { .. } | sip::Event::Refused { .. } | sip::Event::Ended { .. } = event
            && let Some(rung) = self.parting_legs.remove(&leg)
            && let Some(parting) = self.parting.get_mut(&rung)
        {
            parting.ringing = parting.ringing.saturating_sub(1);
            if parting.ringing == 0 {
                self.parted(now, rung);
            }
        }
    }

    /// Phones that did not confirm in time.
    pub(super) fn parting_deadlines(&mut self, now: Time) {
        for _ in 0..AT_ONCE {
            let Some((_, rung)) = self.parting_timers.pop_due(now) else {
                return;
            };
            self.parted(now, rung);
        }
    }

    fn parted(&mut self, now: Time, rung: RungFor) {
        let Some(parting) = self.parting.remove(&rung) else {
            return;
        };
        self.parting_timers.remove(parting.until, &rung);
        for phone in &parting.phones {
            self.parting_legs.remove(phone);
        }
        match rung {
            RungFor::Offer(offer) => {
                self.offer_over(now, offer, &parting.operator, RefuseReason::Withdrawn);
            }
            RungFor::Call(_) => {
                self.disengage(&parting.operator);
                if let Some((ended, record)) = parting.record {
                    self.write(ended, record);
                }
            }
        }
    }
}
