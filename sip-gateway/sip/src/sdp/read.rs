//! What we need of a description. The only place that names `sdp_types`.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::{Codec, Direction, MAX_SDP, SdpError};

/// The most streams in one description.
const MAX_STREAMS: usize = 32;

/// A description.
pub(super) struct Session {
    pub(super) streams: Vec<Stream>,
}

/// One `m=` line with what belongs to it.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    pub(super) media: String,
    pub(super) proto: String,
    pub(super) formats: String,
    pub(super) port: u16,
    /// Where the peer receives; `None` for a name, which nobody resolves here.
    pub(super) connection: Option<IpAddr>,
    pub(super) direction: Direction,
    pub(super) telephone_event: Option<u8>,
    pub(super) ptime: Duration,
    codec: Option<(Codec, u8)>,
}

impl Session {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, SdpError> {
        if bytes.len() > MAX_SDP {
            return Err(SdpError::Malformed {
                reason: format!("longer than {MAX_SDP} octets"),
            });
        }
        // Some phones write `s=` in Latin-1: what is not UTF-8 is nothing that we read.
        let text = String::from_utf8_lossy(bytes);
        let parsed = sdp_types::Session::parse(text.as_bytes());
        let session = parsed.map_err(|error| SdpError::Malformed {
            reason: error.to_string(),
        })?;
        if session.medias.len() > MAX_STREAMS {
            return Err(SdpError::Malformed {
                reason: format!("more than {MAX_STREAMS} streams"),
            });
        }
        let streams: Vec<Stream> = session
            .medias
            .iter()
            .map(|media| Stream::read(&session, media))
            .collect();
        if streams
            .iter()
            .any(|s| s.port != 0 && s.speaks() && !s.has_address(&session))
        {
            return Err(SdpError::Malformed {
                reason: "a stream without c= line".to_owned(),
            });
        }
        Ok(Session { streams })
    }
}

impl Stream {
    fn read(session: &sdp_types::Session, media: &sdp_types::Media) -> Self {
        let connection = media.connections.first().or(session.connection.as_ref());
        let own = media.attributes.iter().find_map(direction);
        let direction = own
            .or_else(|| session.attributes.iter().find_map(direction))
            .unwrap_or(Direction::SendRecv);
        let payload_types: Vec<u8> = media
            .fmt
            .split_ascii_whitespace()
            .filter_map(|f| f.parse().ok())
            .take(64)
            .collect();
        let maps: Vec<(u8, String)> = media.attributes.iter().filter_map(rtpmap).take(64).collect();
        let name = |pt: u8| maps.iter().find(|(n, _)| *n == pt).map(|(_, name)| name.as_str());
        let codec = payload_types
            .iter()
            .find_map(|pt| Some((codec_of(*pt, name(*pt))?, *pt)));
        let is_event = |pt: &&u8| name(**pt) == Some("TELEPHONE-EVENT/8000");
        Stream {
            media: media.media.clone(),
            proto: media.proto.clone(),
            formats: media.fmt.clone(),
            port: media.port,
            connection: connection.and_then(|c| c.connection_address.split('/').next()?.parse().ok()),
            direction,
            telephone_event: payload_types.iter().find(is_event).copied(),
            ptime: ptime(&media.attributes),
            codec,
        }
    }

    fn has_address(&self, session: &sdp_types::Session) -> bool {
        self.connection.is_some()
            || session.connection.is_some()
            || session.medias.iter().any(|m| !m.connections.is_empty())
    }

    /// Whether it is audio that we can send and understand. SAVP promises encryption that nobody negotiated here.
    pub(super) fn speaks(&self) -> bool {
        self.media.eq_ignore_ascii_case("audio")
            && self.proto.eq_ignore_ascii_case("RTP/AVP")
            && self.codec.is_some()
    }

    /// The first of its codecs that is ours, with its payload type.
    pub(super) fn codec(&self) -> Option<(Codec, u8)> {
        self.codec
    }

    /// Where the peer receives.
    pub(super) fn remote(&self) -> Option<SocketAddr> {
        let address = self
            .connection
            .filter(|ip| !ip.is_unspecified() && !ip.is_multicast())?;
        (self.port != 0).then(|| SocketAddr::new(address, self.port))
    }
}

fn direction(attribute: &sdp_types::Attribute) -> Option<Direction> {
    match attribute.attribute.as_str() {
        "sendrecv" => Some(Direction::SendRecv),
        "sendonly" => Some(Direction::SendOnly),
        "recvonly" => Some(Direction::RecvOnly),
        "inactive" => Some(Direction::Inactive),
        _ => None,
    }
}

/// `a=rtpmap:<payload type> <encoding name>/<clock rate>[/<channels>]`; names compare without case (RFC 8866 §6.6).
fn rtpmap(attribute: &sdp_types::Attribute) -> Option<(u8, String)> {
    if attribute.attribute != "rtpmap" {
        return None;
    }
    let (pt, name) = attribute.value.as_deref()?.trim().split_once(' ')?;
    let name = name.trim().to_ascii_uppercase();
    Some((
        pt.parse().ok()?,
        name.strip_suffix("/1").map_or(name.clone(), str::to_owned),
    ))
}

/// The static payload types need no rtpmap (RFC 3551 §6).
fn codec_of(payload_type: u8, name: Option<&str>) -> Option<Codec> {
    match (payload_type, name) {
        (0, None) | (_, Some("PCMU/8000")) => Some(Codec::Pcmu),
        (8, None) | (_, Some("PCMA/8000")) => Some(Codec::Pcma),
        _ => None,
    }
}

fn ptime(attributes: &[sdp_types::Attribute]) -> Duration {
    let value = attributes
        .iter()
        .find(|a| a.attribute == "ptime")
        .and_then(|a| a.value.as_deref());
    let millis = value.and_then(|v| v.trim().parse::<u64>().ok()).unwrap_or(20);
    Duration::from_millis(millis.clamp(10, 60))
}
