//! One media stream of a leg: what was offered and answered (RFC 3264), and what the media threads are told of it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bytes::Bytes;
use pronto_media as media;
use pronto_sip::sdp;

/// The stream of one leg.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    local: sdp::Local,
    agreed: Option<sdp::Negotiated>,
    /// Whether the peer is known to have asked for it.
    proof: media::Proof,
    /// The SDP that we sent last.
    said: Option<Bytes>,
}

impl Stream {
    /// Before the port is known.
    pub(super) fn unopened(session_id: u64) -> Self {
        let nowhere = IpAddr::from([0, 0, 0, 0]);
        Stream {
            local: sdp::Local {
                address: nowhere,
                port: 0,
                session_id,
                version: 1,
            },
            agreed: None,
            proof: media::Proof::Awaited,
            said: None,
        }
    }

    /// The media threads bound this port; `address` is what the peer knows it by.
    pub(super) fn opened(&mut self, address: IpAddr, port: u16) {
        self.local.address = address;
        self.local.port = port;
    }

    /// The first offer to one of several peers, which knows us by this address.
    pub(super) fn offer_at(&self, address: IpAddr, codec: sdp::Codec) -> Bytes {
        let local = sdp::Local {
            address,
            ..self.local
        };
        sdp::offer_directed(&local, sdp::Direction::SendRecv, codec)
    }

    /// The peer that was offered this has answered: it is the one we talk with.
    pub(super) fn offered(&mut self, (address, offer): &(IpAddr, Bytes)) {
        self.local.address = *address;
        self.said = Some(offer.clone());
    }

    /// The address that the peer knows it by.
    pub(super) fn address(&self) -> IpAddr {
        self.local.address
    }

    /// Answers the peer's offer. Until it is confirmed, only a few packets go to an address that is new.
    pub(super) fn answer(&mut self, offer: &sdp::Offer, proof: media::Proof) -> Bytes {
        self.agreed = Some(offer.agreed());
        self.proof = proof;
        let answer = offer.answer(&self.local);
        if self.changes(&answer) {
            self.local.version += 1;
            return self.say(offer.answer(&self.local));
        }
        self.say(answer)
    }

    /// A full offer of ours.
    pub(super) fn offer(&mut self) -> Bytes {
        self.offer_first(sdp::Codec::Pcma)
    }

    /// A full offer of ours, this codec first.
    pub(super) fn offer_first(&mut self, codec: sdp::Codec) -> Bytes {
        self.offering(|local| sdp::offer_directed(local, sdp::Direction::SendRecv, codec))
    }

    /// An offer of this codec only.
    pub(super) fn offer_only(&mut self, codec: sdp::Codec) -> Bytes {
        self.offering(|local| sdp::offer_only(local, codec))
    }

    fn offering(&mut self, make: impl Fn(&sdp::Local) -> Bytes) -> Bytes {
        if self.changes(&make(&self.local)) {
            self.local.version += 1;
        }
        self.say(make(&self.local))
    }

    /// Whether a description under the version of the last one is another: "when issuing an offer that modifies the session,
    /// the o= line … MUST be identical to that in the previous SDP, except that the version in the origin field MUST increment
    /// by one"; and where the version is the same, so is the rest (RFC 3264 §8).
    fn changes(&self, description: &Bytes) -> bool {
        self.said.as_ref().is_some_and(|said| said != description)
    }

    fn say(&mut self, description: Bytes) -> Bytes {
        self.said = Some(description.clone());
        description
    }

    /// The codec agreed on.
    pub(super) fn codec(&self) -> Option<sdp::Codec> {
        self.agreed.as_ref().map(|agreed| agreed.codec)
    }

    /// Takes the peer's answer to our offer.
    pub(super) fn accept(&mut self, answer: &[u8]) -> Result<(), sdp::SdpError> {
        self.agreed = Some(sdp::accept(&self.local, answer)?);
        self.proof = media::Proof::Given;
        Ok(())
    }

    /// The peer has acknowledged our answer. Whether that is news to the media threads.
    pub(super) fn confirmed(&mut self) -> bool {
        let awaited = self.agreed.is_some() && self.proof == media::Proof::Awaited;
        self.proof = media::Proof::Given;
        awaited
    }

    /// The address family in which our media can be sent.
    pub(super) fn reach(&self) -> sdp::Reach {
        sdp::Reach::of(self.local.address)
    }

    /// Whether offer and answer have met.
    pub(super) fn is_agreed(&self) -> bool {
        self.agreed.is_some()
    }

    /// Whether the peer holds us: it wants to hear nothing (`sendonly`, `inactive`), or names no address (`c=0.0.0.0`, RFC 2543).
    pub(super) fn is_held(&self) -> bool {
        self.agreed
            .as_ref()
            .is_some_and(|agreed| !agreed.direction.sends() || agreed.remote.is_none())
    }

    /// Whether the peer is to send us anything.
    pub(super) fn receives(&self) -> bool {
        self.agreed
            .as_ref()
            .is_some_and(|agreed| agreed.direction.receives())
    }

    /// The command that configures the media threads; `None` before offer and answer have met.
    ///
    /// Symmetric RTP: an address is learned only with the signalling source's IP. The port that the SDP names may be wrong where
    /// its IP is right: not every NAT keeps the port that STUN has seen. Where our port is on the loopback and the signalling
    /// came from another address of this machine, media comes from the loopback all the same: a socket that is bound to no
    /// address sends from the one that is nearest to its destination.
    pub(super) fn configure(&self, leg: media::LegId, source: IpAddr, learn: bool) -> Option<media::Command> {
        let agreed = self.agreed.as_ref()?;
        let learn = if learn {
            let ip = match self.local.address {
                own if !own.is_loopback() || source.is_loopback() => source,
                IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            };
            media::Learn::Once { ip }
        } else {
            media::Learn::Fixed
        };
        Some(media::Command::Configure {
            leg,
            remote: agreed.remote,
            codec: match agreed.codec {
                sdp::Codec::Pcmu => media::Codec::Pcmu,
                sdp::Codec::Pcma => media::Codec::Pcma,
            },
            payload_type: agreed.payload_type,
            telephone_event: agreed.telephone_event,
            send: agreed.direction.sends(),
            receive: agreed.direction.receives(),
            learn,
            ptime: agreed.ptime,
            proof: self.proof,
        })
    }
}

/// The answer to a re-INVITE or UPDATE: to its offer, or a full offer where it carried none.
/// `proven`: no ACK will tell that the peer has our answer, and none is needed.
pub(super) fn reoffered(
    stream: &mut Stream,
    sdp: Option<Bytes>,
    proven: bool,
) -> Result<Bytes, pronto_sip::Refusal> {
    let proof = if proven {
        media::Proof::Given
    } else {
        media::Proof::Awaited
    };
    match sdp {
        Some(offer) => match sdp::Offer::read(&offer, stream.reach()) {
            Ok(offer) => Ok(stream.answer(&offer, proof)),
            Err(error) => Err(error.refusal()),
        },
        None => Ok(stream.offer()),
    }
}
