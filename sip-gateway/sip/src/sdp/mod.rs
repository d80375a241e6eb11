//! Session descriptions (RFC 8866) and offer/answer (RFC 3264) for one audio stream: PCMU, PCMA, telephone-event
//! (RFC 4733). Anything else in an offer is refused with port 0, or by the error that means 488.

mod read;
#[cfg(test)]
mod tests;
mod write;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;

use read::{Session, Stream};

/// Our side of a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Local {
    /// Where we receive.
    pub address: IpAddr,
    /// The RTP port; RTCP shares it or is the next.
    pub port: u16,
    /// The same for the whole dialog (RFC 8866 §5.2).
    pub session_id: u64,
    /// One more for each description that differs from the one before (RFC 3264 §8).
    pub version: u64,
}

/// A codec both sides can be asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Codec {
    /// G.711 µ-law, payload type 0.
    Pcmu,
    /// G.711 A-law, payload type 8.
    Pcma,
}

impl Codec {
    /// The static payload type (RFC 3551 §6).
    pub const fn payload_type(self) -> u8 {
        match self {
            Codec::Pcmu => 0,
            Codec::Pcma => 8,
        }
    }

    /// The encoding name in an rtpmap.
    pub const fn name(self) -> &'static str {
        match self {
            Codec::Pcmu => "PCMU",
            Codec::Pcma => "PCMA",
        }
    }
}

/// Who sends, from our side.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// Both.
    SendRecv,
    /// Only we: the peer has put us on hold, or holds nothing against music.
    SendOnly,
    /// Only the peer.
    RecvOnly,
    /// Nobody.
    Inactive,
}

impl Direction {
    /// Whether we may send.
    pub const fn sends(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::SendOnly)
    }

    /// Whether we are to expect packets.
    pub const fn receives(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::RecvOnly)
    }

    /// As an attribute.
    pub const fn as_str(self) -> &'static str {
        match self {
            Direction::SendRecv => "sendrecv",
            Direction::SendOnly => "sendonly",
            Direction::RecvOnly => "recvonly",
            Direction::Inactive => "inactive",
        }
    }

    /// The same stream seen from the other end.
    const fn reversed(self) -> Self {
        match self {
            Direction::SendOnly => Direction::RecvOnly,
            Direction::RecvOnly => Direction::SendOnly,
            both => both,
        }
    }

    const fn from_parts(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Direction::SendRecv,
            (true, false) => Direction::SendOnly,
            (false, true) => Direction::RecvOnly,
            (false, false) => Direction::Inactive,
        }
    }
}

/// What offer and answer agreed on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Negotiated {
    /// Where the peer receives; `None` while it does not (port 0, or `c=0.0.0.0`, RFC 3264 §8.4).
    pub remote: Option<SocketAddr>,
    /// The codec both ways.
    pub codec: Codec,
    /// Its payload type, both ways.
    pub payload_type: u8,
    /// The payload type of telephone-events, if agreed.
    pub telephone_event: Option<u8>,
    /// Who sends, from our side.
    pub direction: Direction,
    /// How much audio the peer wants in a packet; we send 20 ms unless it says otherwise.
    pub ptime: Duration,
}

/// Why there is no session.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SdpError {
    /// Not a session description: 400.
    #[error("malformed session description: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
    /// No audio stream over RTP/AVP with PCMU or PCMA: 488.
    #[error("no audio stream in PCMU or PCMA over RTP/AVP")]
    NoCommonCodec,
    /// An answer that does not answer the offer (RFC 3264 §6): end the call.
    #[error("the answer does not fit the offer: {reason}")]
    Mismatch {
        /// What does not fit.
        reason: &'static str,
    },
}

/// The most bytes read of a description.
pub const MAX_SDP: usize = 16 * 1024;

/// The payload type we offer telephone-events under.
const TELEPHONE_EVENT: u8 = 101;

/// An offer of both codecs and telephone-events, to send and receive.
pub fn offer(local: &Local) -> Bytes {
    offer_directed(local, Direction::SendRecv, Codec::Pcma)
}

/// An offer with a direction, one codec first.
pub fn offer_directed(local: &Local, direction: Direction, first: Codec) -> Bytes {
    let second = if first == Codec::Pcma {
        Codec::Pcmu
    } else {
        Codec::Pcma
    };
    let ours = write::Ours {
        codecs: &[first, second],
        telephone_event: Some(TELEPHONE_EVENT),
        direction,
        port: local.port,
    };
    write::description(local, &[write::Line::Ours(ours)])
}

/// An offer of one codec and telephone-events, to send and receive.
pub fn offer_only(local: &Local, codec: Codec) -> Bytes {
    let ours = write::Ours {
        codecs: &[codec],
        telephone_event: Some(TELEPHONE_EVENT),
        direction: Direction::SendRecv,
        port: local.port,
    };
    write::description(local, &[write::Line::Ours(ours)])
}

/// A peer's offer that can be answered, read once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Offer {
    agreed: Negotiated,
    /// Of each of its streams what refuses it: media, protocol and formats. `None` for the one we take.
    lines: Vec<Option<Box<str>>>,
}

impl Offer {
    /// Reads an offer.
    ///
    /// The first audio stream we can speak on is taken, every other one refused with port 0. "The answerer … SHOULD … list
    /// them in the same relative order they were present in the offer" (§6.1): of PCMA and PCMU the offerer's first one is
    /// taken, and only it, so that no codec changes within the stream.
    ///
    /// # Errors
    /// [`SdpError::Malformed`] → 400, [`SdpError::NoCommonCodec`] → 488.
    pub fn read(offer: &[u8]) -> Result<Self, SdpError> {
        let text = read::text(offer)?;
        let session = Session::read(&text)?;
        let usable = |live: bool| {
            session
                .streams
                .iter()
                .position(|s| s.speaks() && (s.port != 0) == live)
        };
        let chosen = usable(true)
            .or_else(|| usable(false))
            .ok_or(SdpError::NoCommonCodec)?;
        let stream = &session.streams[chosen];
        let (codec, payload_type) = stream.codec().ok_or(SdpError::NoCommonCodec)?;
        let direction = if stream.port == 0 {
            Direction::Inactive
        } else {
            answered_direction(stream)
        };
        let agreed = Negotiated {
            remote: stream.remote(),
            codec,
            payload_type,
            telephone_event: stream.telephone_event,
            direction,
            ptime: stream.ptime,
        };
        let taken = |i: usize, s: &Stream<'_>| i == chosen && s.port != 0;
        let lines =
            session.streams.iter().enumerate().map(|(i, s)| {
                (!taken(i, s)).then(|| format!("{} 0 {} {}", s.media, s.proto, s.formats).into())
            });
        Ok(Offer {
            agreed,
            lines: lines.collect(),
        })
    }

    /// What answering it means for our media.
    pub fn agreed(&self) -> Negotiated {
        self.agreed
    }

    /// The answer.
    pub fn answer(&self, local: &Local) -> Bytes {
        let lines: Vec<write::Line<'_>> = self
            .lines
            .iter()
            .map(|refused| match refused {
                None => write::Line::Answer(self.agreed, local.port),
                Some(text) => write::Line::Refused(text),
            })
            .collect();
        write::description(local, &lines)
    }
}

/// The answer to an offer, and what it means for our media.
///
/// # Errors
/// Those of [`Offer::read`].
pub fn answer(local: &Local, offer: &[u8]) -> Result<(Bytes, Negotiated), SdpError> {
    let offer = Offer::read(offer)?;
    Ok((offer.answer(local), offer.agreed))
}

/// Takes the answer to an offer that [`offer`] made.
///
/// # Errors
/// [`SdpError`]: the session cannot be; a refused stream (port 0) is [`SdpError::NoCommonCodec`].
pub fn accept(local: &Local, answer: &[u8]) -> Result<Negotiated, SdpError> {
    let text = read::text(answer)?;
    let session = Session::read(&text)?;
    // "For each m= line in the offer, there MUST be a corresponding m= line in the answer" (§6): ours had one.
    let [stream] = session.streams.as_slice() else {
        return Err(SdpError::Mismatch {
            reason: "another number of streams",
        });
    };
    if local.address.is_ipv4() != stream.connection.is_none_or(|ip| ip.is_ipv4())
        && stream.connection.is_some()
    {
        return Err(SdpError::Mismatch {
            reason: "another address family",
        });
    }
    if stream.port == 0 || !stream.speaks() {
        return Err(SdpError::NoCommonCodec);
    }
    let (codec, payload_type) = stream.codec().ok_or(SdpError::NoCommonCodec)?;
    Ok(Negotiated {
        remote: stream.remote(),
        codec,
        payload_type,
        telephone_event: stream.telephone_event,
        direction: answered_direction(stream),
        ptime: stream.ptime,
    })
}

/// "If a stream is offered as sendonly, the corresponding stream MUST be marked as recvonly or inactive in the answer" and
/// so on (§6.1). An address of 0.0.0.0 asks us not to send, whatever the attribute says (§8.4).
fn answered_direction(stream: &Stream<'_>) -> Direction {
    let ours = stream.direction.reversed();
    if stream.remote().is_none() {
        Direction::from_parts(false, ours.receives())
    } else {
        ours
    }
}
