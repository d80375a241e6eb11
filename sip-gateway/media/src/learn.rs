//! Symmetric RTP (RFC 4961): from whom media is taken and where it goes.
//!
//! An address is learned from a valid packet, and only with the signalling source's IP: a NAT may map the port that the
//! SDP names to another one, or the SDP may name an address behind the NAT. Until then media goes to, and is taken from, the
//! SDP's address. The learned address stays while packets come from it; when none has come for a while, the next valid packet
//! with that IP teaches another one, as NATs forget ports. A packet from exactly the SDP's address, where that has the
//! signalling source's IP, is believed before any other. Nobody else is heard and nobody else gets a packet: what "RTP bleed"
//! was about (unless the attacker shares the caller's IP).

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::net::SocketAddr;
use std::time::Duration;

use pronto_types::Time;

use crate::Learn;

/// After this long without a packet from it, a learned address may be replaced.
const FORGET_LEARNED: Duration = Duration::from_secs(2);
/// The same for the address that the SDP names: it is known to be right.
const FORGET_NAMED: Duration = Duration::from_secs(5);

/// The remote end of one leg: its SDP address and the address learned from its packets.
#[derive(Clone, Debug)]
pub struct Peer {
    remote: Option<SocketAddr>,
    learn: Learn,
    learned: Option<SocketAddr>,
    /// When the last valid packet came from the learned address.
    heard: Time,
    /// The last SDP address: a peer on hold (`remote` none) may still speak from it.
    last_remote: Option<SocketAddr>,
}

/// The origin of a received packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// A packet from the peer of this leg.
    Peer,
    /// From an address that may teach us: [`Peer::learn`] when it proves to be valid RTP.
    Candidate,
    /// A packet from any other address.
    Foreign,
}

impl Peer {
    /// At the first `Configure`.
    pub fn new(remote: Option<SocketAddr>, learn: Learn) -> Self {
        Peer {
            remote,
            learn,
            learned: None,
            heard: Time::ZERO,
            last_remote: remote,
        }
    }

    /// At every other `Configure`: what was learned stays, unless the peer moved or the rule changed. Hold is no move. Returns
    /// whether media goes to an address now that was not known before.
    pub fn configure(&mut self, remote: Option<SocketAddr>, learn: Learn) -> bool {
        let moved = remote.is_some() && remote != self.last_remote;
        if moved || learn != self.learn {
            self.learned = None;
        }
        self.learn = learn;
        self.remote = remote;
        if remote.is_some() {
            self.last_remote = remote;
        }
        moved
    }

    /// Where media goes; `None` on hold.
    pub fn destination(&self) -> Option<SocketAddr> {
        self.remote.map(|remote| self.learned.unwrap_or(remote))
    }

    /// Whether media can be expected from anywhere.
    pub fn is_known(&self) -> bool {
        self.learned.is_some() || self.last_remote.is_some()
    }

    /// Classifies a packet by its source address `from`.
    pub fn source(&self, now: Time, from: SocketAddr) -> Source {
        let named = self.last_remote == Some(from);
        if let Some(learned) = self.learned {
            if learned == from {
                return Source::Peer;
            }
            let right = named && self.may_teach(from);
            let may_follow = (named || self.may_teach(from)) && self.has_left(now, learned);
            return if right || may_follow {
                Source::Candidate
            } else {
                Source::Foreign
            };
        }
        if self.may_teach(from) {
            Source::Candidate
        } else if named {
            Source::Peer
        } else {
            Source::Foreign
        }
    }

    fn may_teach(&self, from: SocketAddr) -> bool {
        matches!(self.learn, Learn::Once { ip } if ip == from.ip())
    }

    /// Whether the learned address has been silent long enough to be replaced: 5 s if the SDP names it, otherwise 2 s.
    fn has_left(&self, now: Time, learned: SocketAddr) -> bool {
        let patience = if self.last_remote == Some(learned) {
            FORGET_NAMED
        } else {
            FORGET_LEARNED
        };
        now.since(self.heard) >= patience
    }

    /// Whether an RTCP packet may come from `from`: same host, any port (RTCP's own port passes its own NAT binding).
    pub fn is_host(&self, from: SocketAddr) -> bool {
        match (self.learned, self.learn) {
            (Some(learned), _) => learned.ip() == from.ip(),
            (None, Learn::Once { ip }) if ip == from.ip() => true,
            (None, _) => self.last_remote.is_some_and(|remote| remote.ip() == from.ip()),
        }
    }

    /// A valid packet came from the peer.
    pub fn heard(&mut self, now: Time) {
        self.heard = now;
    }

    /// A candidate's packet was valid: the address is this one from now on.
    pub fn learn(&mut self, now: Time, from: SocketAddr) {
        self.learned = Some(from);
        self.heard = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn once(ip: &str) -> Learn {
        Learn::Once {
            ip: ip.parse().unwrap(),
        }
    }

    fn second(n: i64) -> Time {
        Time::from_secs(n)
    }

    #[test]
    fn fixed_knows_one_address_and_port() {
        let peer = Peer::new(Some(at("192.0.2.1:4000")), Learn::Fixed);
        let source = |from| peer.source(second(100), at(from));
        assert_eq!(source("192.0.2.1:4000"), Source::Peer);
        assert_eq!(source("192.0.2.1:4002"), Source::Foreign);
        assert_eq!(source("192.0.2.2:4000"), Source::Foreign);
        assert_eq!(peer.destination(), Some(at("192.0.2.1:4000")));
    }

    #[test]
    fn an_address_is_learned_once_and_only_with_the_signalling_ip() {
        let mut peer = Peer::new(Some(at("10.0.0.5:4000")), once("203.0.113.9"));
        let now = second(1);
        assert_eq!(peer.destination(), Some(at("10.0.0.5:4000")));
        assert_eq!(peer.source(now, at("198.51.100.1:4000")), Source::Foreign);
        assert_eq!(peer.source(now, at("203.0.113.9:31000")), Source::Candidate);
        peer.learn(now, at("203.0.113.9:31000"));
        assert_eq!(peer.destination(), Some(at("203.0.113.9:31000")));
        assert_eq!(peer.source(now, at("203.0.113.9:31000")), Source::Peer);
        assert_eq!(peer.source(now, at("203.0.113.9:31002")), Source::Foreign, "once");
        assert_eq!(peer.source(now, at("10.0.0.5:4000")), Source::Foreign);
    }

    #[test]
    fn a_port_that_a_nat_changed_is_learned_although_the_ip_in_the_sdp_is_right() {
        let mut peer = Peer::new(Some(at("203.0.113.9:4000")), once("203.0.113.9"));
        assert_eq!(peer.source(second(1), at("203.0.113.9:31000")), Source::Candidate);
        peer.learn(second(1), at("203.0.113.9:31000"));
        assert_eq!(peer.destination(), Some(at("203.0.113.9:31000")));
        assert_eq!(peer.source(second(2), at("203.0.113.9:31002")), Source::Foreign);
        assert_eq!(
            peer.source(second(2), at("203.0.113.9:4000")),
            Source::Candidate,
            "what the SDP says is believed first"
        );
        peer.learn(second(2), at("203.0.113.9:4000"));
        assert_eq!(peer.source(second(6), at("203.0.113.9:31000")), Source::Foreign);
    }

    #[test]
    fn after_a_stall_another_port_is_learned_but_no_other_host() {
        let mut peer = Peer::new(Some(at("203.0.113.9:4000")), once("203.0.113.9"));
        peer.learn(second(1), at("203.0.113.9:31000"));
        peer.heard(second(2));
        assert_eq!(peer.source(second(3), at("203.0.113.9:31002")), Source::Foreign);
        assert_eq!(peer.source(second(4), at("203.0.113.9:31002")), Source::Candidate);
        assert_eq!(peer.source(second(60), at("198.51.100.1:31002")), Source::Foreign);
        assert_eq!(peer.source(second(60), at("203.0.113.9:31000")), Source::Peer);
    }

    #[test]
    fn a_phone_whose_signalling_moved_is_learned_at_its_new_address_and_the_old_one_is_foreign() {
        let mut peer = Peer::new(Some(at("10.0.0.5:4000")), once("203.0.113.9"));
        peer.learn(second(1), at("203.0.113.9:31000"));
        assert_eq!(
            peer.source(second(9), at("198.51.100.77:500")),
            Source::Foreign,
            "before its signalling has moved"
        );
        peer.configure(Some(at("10.0.0.5:4000")), once("198.51.100.77"));
        assert_eq!(peer.source(second(9), at("203.0.113.9:31000")), Source::Foreign);
        assert_eq!(peer.source(second(9), at("198.51.100.77:500")), Source::Candidate);
        peer.learn(second(9), at("198.51.100.77:500"));
        assert_eq!(peer.destination(), Some(at("198.51.100.77:500")));
    }

    #[test]
    fn media_of_a_trunk_on_another_host_than_its_signalling_is_heard() {
        let peer = Peer::new(Some(at("198.51.100.7:9000")), once("203.0.113.9"));
        assert_eq!(peer.source(second(1), at("198.51.100.7:9000")), Source::Peer);
        assert_eq!(peer.source(second(1), at("198.51.100.7:9002")), Source::Foreign);
    }

    #[test]
    fn hold_and_the_same_answer_again_forget_nothing_but_a_move_does() {
        let now = second(1);
        let mut peer = Peer::new(Some(at("10.0.0.5:4000")), once("203.0.113.9"));
        peer.learn(now, at("203.0.113.9:31000"));
        assert!(!peer.configure(Some(at("10.0.0.5:4000")), once("203.0.113.9")));
        assert_eq!(peer.destination(), Some(at("203.0.113.9:31000")));
        assert!(!peer.configure(None, once("203.0.113.9")));
        assert_eq!(peer.destination(), None);
        assert_eq!(peer.source(now, at("203.0.113.9:31000")), Source::Peer);
        assert!(!peer.configure(Some(at("10.0.0.5:4000")), once("203.0.113.9")));
        assert_eq!(peer.destination(), Some(at("203.0.113.9:31000")));
        assert!(peer.configure(Some(at("10.0.0.5:4004")), once("203.0.113.9")));
        assert_eq!(peer.destination(), Some(at("10.0.0.5:4004")));
        assert_eq!(peer.source(now, at("203.0.113.9:31000")), Source::Candidate);
    }
}
