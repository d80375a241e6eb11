//! How much may be sent to an address that has not shown itself.
//!
//! Whoever forges the source of an INVITE can write anybody's address into it. Until the signalling has come full circle
//! (an ACK, a digest, a connection), or RTP or RTCP has come from the address, only a few packets go there: less than twice the
//! octets of the shortest INVITE with an offer. RTP proves as much as an ACK: our port is known only to those who got our answer.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use crate::{FRAME, Proof, rtp};

/// Octets of UDP payload that may go to an address before it is proven: five packets of 20 ms.
pub const UNPROVEN: usize = 5 * (rtp::HEADER + FRAME);

/// The send gate: fully open (`None`), or open for the octets left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gate {
    left: Option<usize>,
}

impl Gate {
    /// For the first address of a leg.
    pub(super) fn new(proof: Proof) -> Self {
        Gate {
            left: match proof {
                Proof::Given => None,
                Proof::Awaited => Some(UNPROVEN),
            },
        }
    }

    /// Another agreement, with another address or not.
    pub(super) fn configure(&mut self, proof: Proof, moved: bool) {
        if moved || proof == Proof::Given {
            *self = Gate::new(proof);
        }
    }

    /// The peer has shown itself at the address.
    pub(super) fn open(&mut self) {
        self.left = None;
    }

    /// Whether this much may be sent; if so, it counts.
    pub(super) fn admits(&mut self, octets: usize) -> bool {
        match &mut self.left {
            None => true,
            Some(left) => {
                let admitted = octets <= *left;
                if admitted {
                    *left -= octets;
                }
                admitted
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_moved_is_unproven_again_and_one_that_stayed_is_not() {
        let mut gate = Gate::new(Proof::Awaited);
        assert!(gate.admits(UNPROVEN) && !gate.admits(1));
        gate.configure(Proof::Awaited, false);
        assert!(!gate.admits(1), "the same offer again is no proof");
        gate.open();
        gate.configure(Proof::Awaited, false);
        assert!(gate.admits(1_000_000));
        gate.configure(Proof::Awaited, true);
        assert!(!gate.admits(UNPROVEN + 1));
        gate.configure(Proof::Given, false);
        assert!(gate.admits(1_000_000));
    }
}
