//! A phone whose IP address changes in mid-call, as on another network or behind a router that was restarted.
//!
//! Its signalling is followed by the endpoint. Its media comes from the new address too: the media threads have to know it, or
//! they take its packets for somebody else's. What the SDP says stays as it is.

use std::net::IpAddr;

use pronto_sip as sip;

use super::Gateway;
use super::state::{Call, CallState, Forked, PeerState, RingPhase};

impl Gateway {
    /// The phone of this leg has another address now.
    pub(super) fn phone_moved(&mut self, call: &mut Call, leg: sip::LegId, ip: IpAddr) {
        if call.caller.sip == leg {
            call.caller.source = ip;
            return self.configure(call.caller.media, &call.caller.stream, ip);
        }
        match &mut call.place {
            CallState::Talking(_, talk) if talk.sip == leg => {
                talk.source = ip;
                self.configure(talk.media, &talk.stream, ip);
            }
            CallState::Offered(_, ringing) => {
                if let RingPhase::Inviting(forked) = &mut ringing.phase {
                    forked.moved(leg, ip);
                }
            }
            CallState::Calling(peer) => match &mut peer.state {
                PeerState::Ringing { forked, .. } => forked.moved(leg, ip),
                PeerState::Talking { sip, source, .. } if *sip == leg => {
                    *source = ip;
                    self.configure_peer(call);
                }
                PeerState::Called | PeerState::Opening { .. } | PeerState::Talking { .. } => {}
            },
            CallState::Talking(..)
            | CallState::Waiting(_)
            | CallState::ConsentPrompt(_)
            | CallState::None => {}
        }
    }
}

impl Forked {
    /// One of the phones that ring is elsewhere now.
    fn moved(&mut self, leg: sip::LegId, ip: IpAddr) {
        for phone in self.phones.iter_mut().filter(|phone| phone.sip == leg) {
            phone.source = ip;
        }
    }
}
