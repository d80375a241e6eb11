//! A phone whose IP address changes in mid-call, as on another network or behind a router that was restarted.
//!
//! Its signalling is followed by the endpoint. Its media comes from the new address too: the media threads have to know it, or
//! they take its packets for somebody else's. What the SDP says stays as it is.

use std::net::IpAddr;

use pronto_sip as sip;

use super::Gateway;
use super::state::{Call, CallState};

impl Gateway {
    /// The phone of this leg has another address now.
    pub(super) fn phone_moved(&mut self, call: &mut Call, leg: sip::LegId, ip: IpAddr) {
        if call.caller.leg.sip == leg {
            return self.leg_moves(&mut call.caller.leg, ip);
        }
        match &mut call.state {
            CallState::Talking(_, bridge) if bridge.leg.sip == leg => self.leg_moves(&mut bridge.leg, ip),
            CallState::Dialling(_, dial) => dial.moved(leg, ip),
            CallState::Talking(..)
            | CallState::Dialled
            | CallState::Waiting(_)
            | CallState::ConsentPrompt(_)
            | CallState::None => {}
        }
    }
}
