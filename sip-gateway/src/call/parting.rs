//! Operators' legs being released: a CANCEL or a BYE is out and the phone has not confirmed it. They outlive the
//! call they were for, so that an operator is reported free only once the phone can take the next call.

use std::time::Duration;

use pronto_sip as sip;
use pronto_types::link::RefuseReason;
use pronto_types::{OfferId, OperatorId, Time};

use super::Gateway;
use super::state::{RingPhase, Ringing};

/// A phone that does not confirm a CANCEL is reported after this long all the same.
const CONFIRM: Duration = Duration::from_secs(1);

/// One such leg.
pub(super) struct Parting {
    offer: OfferId,
    operator: OperatorId,
    reason: RefuseReason,
    until: Time,
}

impl Parting {
    pub(super) fn deadline(&self) -> Option<Time> {
        Some(self.until)
    }
}

impl Gateway {
    /// Ends the ringing. A withdrawn offer is reported when the phone has confirmed (the operator is offered the next
    /// call at once); any other reason pauses the operator, and is reported at once to free the caller.
    pub(super) fn stop_ringing(&mut self, now: Time, ringing: Ringing, reason: RefuseReason) {
        self.close_media(ringing.media);
        let RingPhase::Inviting { sip, .. } = ringing.phase else {
            return self.offer_over(now, ringing.offer, &ringing.operator, reason);
        };
        self.sip_legs.remove(&sip);
        self.sip.hangup(now, sip, None);
        if reason == RefuseReason::Withdrawn {
            let parting = Parting {
                offer: ringing.offer,
                operator: ringing.operator,
                reason,
                until: now + CONFIRM,
            };
            self.parting.insert(sip, parting);
        } else {
            self.offer_over(now, ringing.offer, &ringing.operator, reason);
        }
    }

    /// Something about a leg being released: any of these means the phone is done with it.
    pub(super) fn parting_event(&mut self, now: Time, leg: sip::LegId, event: &sip::Event) {
        if let sip::Event::Released { .. } | sip::Event::Refused { .. } | sip::Event::Ended { .. } = event {
            self.parted(now, leg);
        }
    }

    /// Phones that did not confirm in time.
    pub(super) fn parting_deadlines(&mut self, now: Time) {
        let due: Vec<_> = self
            .parting
            .iter()
            .filter(|(_, parting)| parting.until <= now)
            .map(|(leg, _)| *leg)
            .collect();
        for leg in due {
            self.parted(now, leg);
        }
    }

    fn parted(&mut self, now: Time, leg: sip::LegId) {
        if let Some(parting) = self.parting.remove(&leg) {
            self.offer_over(now, parting.offer, &parting.operator, parting.reason);
        }
    }
}
