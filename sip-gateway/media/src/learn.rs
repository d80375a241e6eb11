//! Symmetric RTP: from whom media is taken and where it goes.
//!
//! Where the SDP's address is the signalling source's, it is the only one. Otherwise an address is learned once, and only
//! with the signalling source's IP; until then media goes to, and is taken from, the SDP's address too, because a trunk's
//! media often lives on another host than its signalling. Nobody else is heard and nobody else gets a packet: what
//! "RTP bleed" was about (the race of the first packets included, unless the attacker shares the caller's IP).

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::net::SocketAddr;

use crate::Learn;

/// Who is at the other end of one leg.
#[derive(Clone, Debug)]
pub struct Peer {
    remote: Option<SocketAddr>,
    learn: Learn,
    learned: Option<SocketAddr>,
    /// The last SDP address: a peer on hold (`remote` none) may still speak from it.
    last_remote: Option<SocketAddr>,
}

/// Whose packet it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// The peer's.
    Peer,
    /// From the IP that may teach us: [`Peer::learn`] when it proves to be valid RTP.
    Candidate,
    /// Somebody else's.
    Foreign,
}

impl Peer {
    /// At the first `Configure`.
    pub fn new(remote: Option<SocketAddr>, learn: Learn) -> Self {
        Peer {
            remote,
            learn,
            learned: None,
            last_remote: remote,
        }
    }

    /// At every other `Configure`: what was learned stays, unless the peer moved or the rule changed. Hold is no move.
    pub fn configure(&mut self, remote: Option<SocketAddr>, learn: Learn) {
        let moved = remote.is_some() && remote != self.last_remote;
        if moved || learn != self.learn {
            self.learned = None;
        }
        self.learn = learn;
        self.remote = remote;
        if remote.is_some() {
            self.last_remote = remote;
        }
    }

    /// Where media goes; `None` on hold.
    pub fn destination(&self) -> Option<SocketAddr> {
        self.remote.map(|remote| self.learned.unwrap_or(remote))
    }

    /// Whether media can be expected from anywhere.
    pub fn is_known(&self) -> bool {
        self.learned.is_some() || self.last_remote.is_some()
    }

    /// Whose packet comes from `from`.
    pub fn source(&self, from: SocketAddr) -> Source {
        if let Some(learned) = self.learned {
            return if learned == from {
                Source::Peer
            } else {
                Source::Foreign
            };
        }
        match self.learn {
            Learn::Once { ip } if ip == from.ip() => Source::Candidate,
            Learn::Once { .. } | Learn::Fixed if self.last_remote == Some(from) => Source::Peer,
            Learn::Once { .. } | Learn::Fixed => Source::Foreign,
        }
    }

    /// Whether an RTCP packet may come from `from`: same host, any port (RTCP's own port passes its own NAT binding).
    pub fn is_host(&self, from: SocketAddr) -> bool {
        match (self.learned, self.learn) {
            (Some(learned), _) => learned.ip() == from.ip(),
            (None, Learn::Once { ip }) if ip == from.ip() => true,
            (None, _) => self.last_remote.is_some_and(|remote| remote.ip() == from.ip()),
        }
    }

    /// A candidate's packet was valid: the address is this one from now on.
    pub fn learn(&mut self, from: SocketAddr) {
        self.learned = Some(from);
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

    #[test]
    fn fixed_knows_one_address_and_port() {
        let peer = Peer::new(Some(at("192.0.2.1:4000")), Learn::Fixed);
        assert_eq!(peer.source(at("192.0.2.1:4000")), Source::Peer);
        assert_eq!(peer.source(at("192.0.2.1:4002")), Source::Foreign);
        assert_eq!(peer.source(at("192.0.2.2:4000")), Source::Foreign);
        assert_eq!(peer.destination(), Some(at("192.0.2.1:4000")));
    }

    #[test]
    fn an_address_is_learned_once_and_only_with_the_signalling_ip() {
        let mut peer = Peer::new(Some(at("10.0.0.5:4000")), once("203.0.113.9"));
        assert_eq!(peer.destination(), Some(at("10.0.0.5:4000")));
        assert_eq!(peer.source(at("198.51.100.1:4000")), Source::Foreign);
        assert_eq!(peer.source(at("203.0.113.9:31000")), Source::Candidate);
        peer.learn(at("203.0.113.9:31000"));
        assert_eq!(peer.destination(), Some(at("203.0.113.9:31000")));
        assert_eq!(peer.source(at("203.0.113.9:31000")), Source::Peer);
        assert_eq!(peer.source(at("203.0.113.9:31002")), Source::Foreign, "once");
        assert_eq!(peer.source(at("10.0.0.5:4000")), Source::Foreign);
    }

    #[test]
    fn media_of_a_trunk_on_another_host_than_its_signalling_is_heard() {
        let peer = Peer::new(Some(at("198.51.100.7:9000")), once("203.0.113.9"));
        assert_eq!(peer.source(at("198.51.100.7:9000")), Source::Peer);
        assert_eq!(peer.source(at("198.51.100.7:9002")), Source::Foreign);
    }

    #[test]
    fn hold_and_the_same_answer_again_forget_nothing_but_a_move_does() {
        let mut peer = Peer::new(Some(at("10.0.0.5:4000")), once("203.0.113.9"));
        peer.learn(at("203.0.113.9:31000"));
        peer.configure(Some(at("10.0.0.5:4000")), once("203.0.113.9"));
        assert_eq!(peer.destination(), Some(at("203.0.113.9:31000")));
        peer.configure(None, once("203.0.113.9"));
        assert_eq!(peer.destination(), None);
        assert_eq!(peer.source(at("203.0.113.9:31000")), Source::Peer);
        peer.configure(Some(at("10.0.0.5:4000")), once("203.0.113.9"));
        assert_eq!(peer.destination(), Some(at("203.0.113.9:31000")));
        peer.configure(Some(at("10.0.0.5:4004")), once("203.0.113.9"));
        assert_eq!(peer.destination(), Some(at("10.0.0.5:4004")));
        assert_eq!(peer.source(at("203.0.113.9:31000")), Source::Candidate);
    }
}
