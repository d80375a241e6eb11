//! Session descriptions (RFC 8866) and offer/answer (RFC 3264) for one audio stream: PCMU, PCMA, telephone-event
//! (RFC 4733), over RTP/AVP or RTP/AVPF without keys. Any other line of an offer is refused with port 0, however odd it is;
//! an offer without a line that can be taken is refused as a whole. Host names are not looked up.

mod read;
#[cfg(test)]
mod tests;
mod write;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;

use crate::message::Status;
use crate::refusal::Refusal;

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

/// The direction of media, seen from our side.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// Both sides send.
    SendRecv,
    /// Only we: the peer has put us on hold, or holds nothing against music.
    SendOnly,
    /// Only the peer.
    RecvOnly,
    /// Neither side sends.
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

/// The session that offer and answer agreed on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Negotiated {
    /// Where the peer receives; `None` while it does not (hold by `c=0.0.0.0`, RFC 3264 §8.4).
    pub remote: Option<SocketAddr>,
    /// The codec both ways.
    pub codec: Codec,
    /// Its payload type, both ways.
    pub payload_type: u8,
    /// The payload type of telephone-events, if agreed.
    pub telephone_event: Option<u8>,
    /// The direction of media, seen from our side.
    pub direction: Direction,
    /// How much audio goes into a packet of ours: what the peer's ptime asks for and its maxptime allows, 20 ms where it
    /// says nothing, 5 to 60 ms.
    pub ptime: Duration,
}

/// The address families our media can be sent in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Reach {
    /// Whether media can be sent over IPv4.
    pub v4: bool,
    /// Whether media can be sent over IPv6.
    pub v6: bool,
}

impl Reach {
    /// The family of this address only: the one under which our media is known.
    pub const fn of(address: IpAddr) -> Self {
        Reach {
            v4: address.is_ipv4(),
            v6: address.is_ipv6(),
        }
    }

    fn reaches(self, address: IpAddr) -> bool {
        if address.is_ipv4() { self.v4 } else { self.v6 }
    }
}

/// Why there is no session.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SdpError {
    /// Not a session description: 400.
    #[error("malformed session description: {reason}")]
    Malformed {
        /// The defect that was found, such as `c= has not three fields`.
        reason: String,
    },
    /// No audio stream, or none with a port: 488.
    #[error("no audio stream with a port")]
    NoAudio,
    /// Audio, but only over a protocol that we do not speak, such as SRTP without keys: 488.
    #[error("no audio stream over RTP/AVP or RTP/AVPF")]
    NoCommonProtocol,
    /// Audio over RTP, but not in PCMU or PCMA: 488.
    #[error("no audio stream in PCMU or PCMA")]
    NoCommonCodec,
    /// The address is a host name, which is not looked up: 488.
    #[error("the media address is a host name")]
    HostName,
    /// The address is of a family that our media has no address in: 488.
    #[error("the media address is of a family that is not used here")]
    ForeignFamily,
    /// The address is that of a group: 488.
    #[error("the media address is a multicast address")]
    Multicast,
    /// Nobody can be at the address: 488.
    #[error("nobody can be reached at the media address")]
    Nowhere,
    /// An answer that does not answer the offer (RFC 3264 §6): end the call.
    #[error("the answer does not fit the offer: {reason}")]
    Mismatch {
        /// The part of the answer that does not fit.
        reason: &'static str,
    },
}

impl SdpError {
    /// How near the stream was to being taken: of several refusals the nearest is told.
    fn nearness(&self) -> u8 {
        match self {
            SdpError::NoAudio => 0,
            SdpError::NoCommonProtocol => 1,
            SdpError::NoCommonCodec => 2,
            SdpError::Malformed { .. } | SdpError::Mismatch { .. } => 3,
            SdpError::HostName | SdpError::ForeignFamily | SdpError::Multicast | SdpError::Nowhere => 4,
        }
    }

    /// The refusal for the peer: status of the answer, phrase and warning (RFC 3261 §20.43).
    pub fn refusal(&self) -> Refusal {
        let (phrase, code) = match self {
            SdpError::Malformed { reason } => {
                let text = harmless_text(reason);
                return Refusal::malformed("Malformed Session Description", text);
            }
            SdpError::NoAudio => ("No Audio Stream", 304),
            SdpError::NoCommonProtocol => ("No Common Media Protocol", 302),
            SdpError::NoCommonCodec => ("No Common Audio Codec", 305),
            SdpError::HostName => ("Media Address Is A Host Name", 301),
            SdpError::ForeignFamily => ("Media Address Family Not Supported", 301),
            SdpError::Multicast => ("Multicast Media Not Supported", 330),
            SdpError::Nowhere => ("Media Address Not Reachable", 301),
            SdpError::Mismatch { .. } => ("Answer Does Not Fit The Offer", 399),
        };
        Refusal::new(Status::NOT_ACCEPTABLE_HERE, phrase, code, self.to_string())
    }
}

/// A reason of ours as a part of a quoted string.
fn harmless_text(reason: &str) -> String {
    let kept = |c: &char| !c.is_control() && c.is_ascii() && !matches!(c, '"' | '\\');
    reason.chars().filter(kept).collect()
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
    /// The protocol of the stream we take, as it was offered.
    proto: Box<str>,
    /// For each offered stream, the `m=` value that refuses it: media, protocol and formats. `None` for the one we
    /// take.
    lines: Vec<Option<Box<str>>>,
}

impl Offer {
    /// Reads an offer; `reach` is what our media can be sent to.
    ///
    /// The first audio stream we can speak on is taken, every other one refused with port 0. "The answerer … SHOULD … list
    /// them in the same relative order they were present in the offer" (§6.1): of PCMA and PCMU the offerer's first one is
    /// taken, and only it, so that no codec changes within the stream.
    ///
    /// # Errors
    /// [`SdpError::Malformed`] → 400, any other → 488.
    pub fn read(offer: &[u8], reach: Reach) -> Result<Self, SdpError> {
        let text = read::text(offer)?;
        let session = Session::read(&text)?;
        let chosen = choose(&session, reach)?;
        let stream = &session.streams[chosen];
        let lines = session.streams.iter().enumerate();
        let lines = lines.map(|(i, s)| (i != chosen).then(|| s.refused().into()));
        Ok(Offer {
            agreed: agreed_on(stream)?,
            proto: stream.proto.into(),
            lines: lines.collect(),
        })
    }

    /// The session that our media has after the answer.
    pub fn agreed(&self) -> Negotiated {
        self.agreed
    }

    /// Writes the answer to this offer.
    pub fn answer(&self, local: &Local) -> Bytes {
        let lines: Vec<write::Line<'_>> = self
            .lines
            .iter()
            .map(|refused| match refused {
                None => write::Line::Answer(self.agreed, &self.proto, local.port),
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
    let offer = Offer::read(offer, Reach::of(local.address))?;
    Ok((offer.answer(local), offer.agreed))
}

/// Takes the answer to an offer that [`offer`] made.
///
/// # Errors
/// [`SdpError`]: the session cannot be; a refused stream (port 0) is [`SdpError::NoAudio`].
pub fn accept(local: &Local, answer: &[u8]) -> Result<Negotiated, SdpError> {
    let text = read::text(answer)?;
    let session = Session::read(&text)?;
    // "For each m= line in the offer, there MUST be a corresponding m= line in the answer" (§6): ours had one.
    let [stream] = session.streams.as_slice() else {
        return Err(SdpError::Mismatch {
            reason: "another number of streams",
        });
    };
    stream.usable(Reach::of(local.address))?;
    agreed_on(stream)
}

/// The first stream that can be taken; of those that cannot, the reason of the one nearest to it.
fn choose(session: &Session<'_>, reach: Reach) -> Result<usize, SdpError> {
    let mut nearest = SdpError::NoAudio;
    for (i, stream) in session.streams.iter().enumerate() {
        match stream.usable(reach) {
            Ok(()) => return Ok(i),
            Err(error) if error.nearness() > nearest.nearness() => nearest = error,
            Err(_) => {}
        }
    }
    match session.fault() {
        Some(fault) if nearest == SdpError::NoAudio => Err(fault),
        _ => Err(nearest),
    }
}

fn agreed_on(stream: &Stream<'_>) -> Result<Negotiated, SdpError> {
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
