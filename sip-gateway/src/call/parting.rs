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
    operator: OperatorId,
    reason: RefuseReason,
    until: Time,
    /// How many phones have not confirmed yet.
    phones: usize,
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
        let phones = match ringing.phase {
            RingPhase::Inviting(forked) => forked.phones,
            RingPhase::Opening => Vec::new(),
        };
        self.silence_phones(now, &phones, None);
        if reason != RefuseReason::Withdrawn || phones.is_empty() {
            return self.offer_over(now, ringing.offer, &ringing.operator, reason);
        }
        for phone in &phones {
            self.parting_legs.insert(phone.sip, ringing.offer);
        }
        let parting = Parting {
            operator: ringing.operator,
            reason,
            until: now + CONFIRM,
            phones: phones.len(),
        };
        self.parting.insert(ringing.offer, parting);
    }

    /// Something about a leg being released: any of these means the phone is done with it.
    pub(super) fn parting_event(&mut self, now: Time, leg: sip::LegId, event: &sip::Event) {
        if let sip::Event::Released { .. } | sip::Event::Refused { .. } | sip::Event::Ended { .. } = event
            && let Some(offer) = self.parting_legs.remove(&leg)
            && let Some(parting) = self.parting.get_mut(&offer)
        {
            parting.phones = parting.phones.saturating_sub(1);
            if parting.phones == 0 {
                self.parted(now, offer);
            }
        }
    }

    /// Phones that did not confirm in time.
    pub(super) fn parting_deadlines(&mut self, now: Time) {
        let due: Vec<_> = self
            .parting
            .iter()
            .filter(|(_, parting)| parting.until <= now)
            .map(|(offer, _)| *offer)
            .collect();
        for offer in due {
            self.parted(now, offer);
        }
    }

    fn parted(&mut self, now: Time, offer: OfferId) {
        if let Some(parting) = self.parting.remove(&offer) {
            self.parting_legs.retain(|_, of| *of != offer);
            self.offer_over(now, offer, &parting.operator, parting.reason);
        }
    }
}
