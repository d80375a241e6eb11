//! What we need of a description (RFC 8866), read in one pass. Names, bandwidths, keys and what nobody knows are passed over.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::{Codec, Direction, MAX_SDP, SdpError};

/// The most streams in one description.
const MAX_STREAMS: usize = 32;
/// The most formats, and names for them, looked at in one stream.
const MAX_FORMATS: usize = 64;

const DIRECTIONS: [Direction; 4] = [
    Direction::SendRecv,
    Direction::SendOnly,
    Direction::RecvOnly,
    Direction::Inactive,
];

/// A description.
pub(super) struct Session<'a> {
    pub(super) streams: Vec<Stream<'a>>,
}

/// One `m=` line with what belongs to it.
#[derive(Clone, Debug)]
pub(super) struct Stream<'a> {
    pub(super) media: &'a str,
    pub(super) proto: &'a str,
    pub(super) formats: &'a str,
    pub(super) port: u16,
    /// Where the peer receives; `None` for a name, which nobody resolves here.
    pub(super) connection: Option<IpAddr>,
    pub(super) direction: Direction,
    pub(super) telephone_event: Option<u8>,
    pub(super) ptime: Duration,
    codec: Option<(Codec, u8)>,
}

/// What `c=`, and the attributes we know, say of the session or of one stream.
#[derive(Default)]
struct Said<'a> {
    connection: Option<&'a str>,
    direction: Option<Direction>,
    /// Payload type, and encoding name with clock rate.
    maps: Vec<(u8, &'a str)>,
    ptime: Option<&'a str>,
}

fn malformed(reason: impl Into<String>) -> SdpError {
    let reason = reason.into();
    SdpError::Malformed { reason }
}

/// The text of a description. Some phones write `s=` in Latin-1: what is not UTF-8 is nothing that we read.
///
/// # Errors
/// [`SdpError::Malformed`] beyond [`MAX_SDP`].
pub(super) fn text(bytes: &[u8]) -> Result<std::borrow::Cow<'_, str>, SdpError> {
    if bytes.len() > MAX_SDP {
        return Err(malformed(format!("longer than {MAX_SDP} octets")));
    }
    Ok(String::from_utf8_lossy(bytes))
}

impl<'a> Session<'a> {
    /// Reads `v=0`, the streams, and for each `c=` and `a=`. Phones that leave `o=`, `s=` or `t=` out, which §5 asks for and
    /// nobody here needs, are understood all the same.
    pub(super) fn read(text: &'a str) -> Result<Self, SdpError> {
        let mut lines = text
            .split('\n')
            .map(|line| line.strip_suffix('\r').unwrap_or(line))
            .enumerate()
            .filter(|(_, line)| !line.trim_ascii().is_empty());
        if lines.next().is_none_or(|(_, line)| line.trim_end() != "v=0") {
            return Err(malformed("it does not begin with v=0"));
        }
        let mut session = Said::default();
        let mut streams: Vec<(Stream<'a>, Said<'a>)> = Vec::with_capacity(1);
        for (number, line) in lines {
            let (kind, value) = line
                .split_once('=')
                .filter(|(kind, value)| kind.len() == 1 && !value.contains(['\r', '\0']))
                .ok_or_else(|| malformed(format!("line {} is none", number + 1)))?;
            let said = streams.last_mut().map_or(&mut session, |(_, said)| said);
            match kind {
                "v" => return Err(malformed("a second v=")),
                "o" if value.split_ascii_whitespace().count() != 6 => {
                    return Err(malformed("o= has not six fields"));
                }
                "c" => {
                    said.connection.get_or_insert(address(value)?);
                }
                "a" => said.attribute(value),
                "m" if streams.len() == MAX_STREAMS => {
                    return Err(malformed(format!("more than {MAX_STREAMS} streams")));
                }
                "m" => streams.push((Stream::of(value)?, Said::default())),
                _ => {}
            }
        }
        let any = session.connection.is_some() || streams.iter().any(|(_, said)| said.connection.is_some());
        let streams: Vec<_> = streams
            .into_iter()
            .map(|(stream, said)| stream.with(&said, &session))
            .collect();
        if !any && streams.iter().any(|s| s.port != 0 && s.speaks()) {
            return Err(malformed("a stream without c= line"));
        }
        Ok(Session { streams })
    }
}

/// The address of `c=<nettype> <addrtype> <connection-address>` (§5.7), without what follows a slash.
fn address(value: &str) -> Result<&str, SdpError> {
    let mut fields = value.split_ascii_whitespace();
    match (fields.next(), fields.next(), fields.next(), fields.next()) {
        (Some(_), Some(_), Some(address), None) => Ok(address.split('/').next().unwrap_or(address)),
        _ => Err(malformed("c= has not three fields")),
    }
}

impl<'a> Said<'a> {
    /// `a=<attribute>` or `a=<attribute>:<value>` (§5.13), in any case of letters; the first of a kind counts.
    fn attribute(&mut self, line: &'a str) {
        let (name, value) = line.split_once(':').unwrap_or((line.trim_ascii_end(), ""));
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("rtpmap") {
            if self.maps.len() < MAX_FORMATS {
                self.maps.extend(rtpmap(value));
            }
        } else if is("ptime") {
            self.ptime.get_or_insert(value);
        } else if let Some(direction) = DIRECTIONS.into_iter().find(|d| is(d.as_str())) {
            self.direction.get_or_insert(direction);
        }
    }

    /// What rtpmap calls a payload type.
    fn name(&self, payload_type: u8) -> Option<&'a str> {
        let of = |(known, _): &&(u8, &'a str)| *known == payload_type;
        self.maps.iter().find(of).map(|(_, name)| *name)
    }
}

impl<'a> Stream<'a> {
    /// `m=<media> <port>[/<number of ports>] <proto> <fmt> …` (§5.14).
    fn of(value: &'a str) -> Result<Self, SdpError> {
        let field = |rest: &'a str| rest.trim_ascii_start().split_once([' ', '\t']);
        let parts = field(value).and_then(|(media, rest)| {
            let (port, rest) = field(rest)?;
            let (proto, formats) = field(rest)?;
            let formats = formats.trim_ascii();
            (!formats.is_empty()).then_some((media, port, proto, formats))
        });
        let (media, port, proto, formats) = parts.ok_or_else(|| malformed("m= has not four fields"))?;
        let first = port.split('/').next().unwrap_or(port);
        Ok(Stream {
            media,
            proto,
            formats,
            port: first
                .parse()
                .map_err(|_| malformed("m= has a port that is none"))?,
            connection: None,
            direction: Direction::SendRecv,
            telephone_event: None,
            ptime: Duration::from_millis(20),
            codec: None,
        })
    }

    /// Filled with what was said of it, and else of the session.
    fn with(mut self, said: &Said<'a>, session: &Said<'a>) -> Self {
        let payload_types = || {
            self.formats
                .split_ascii_whitespace()
                .filter_map(payload_type)
                .take(MAX_FORMATS)
        };
        let is_event = |pt: &u8| {
            said.name(*pt)
                .is_some_and(|name| name.eq_ignore_ascii_case("telephone-event/8000"))
        };
        self.codec = payload_types().find_map(|pt| Some((codec_of(pt, said.name(pt))?, pt)));
        self.telephone_event = payload_types().find(is_event);
        let connection = said.connection.or(session.connection);
        self.connection = connection.and_then(|address| address.parse().ok());
        self.direction = said
            .direction
            .or(session.direction)
            .unwrap_or(Direction::SendRecv);
        let millis = said
            .ptime
            .and_then(|value| value.trim().parse().ok())
            .unwrap_or(20_u64);
        self.ptime = Duration::from_millis(millis.clamp(10, 60));
        self
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

/// `a=rtpmap:<payload type> <encoding name>/<clock rate>[/<channels>]` (§6.6). One channel need not be said.
fn rtpmap(value: &str) -> Option<(u8, &str)> {
    let (pt, name) = value.trim().split_once(' ')?;
    let name = name.trim();
    Some((payload_type(pt)?, name.strip_suffix("/1").unwrap_or(name)))
}

/// Seven bits in a packet (RFC 3550 §5.1).
fn payload_type(text: &str) -> Option<u8> {
    text.parse().ok().filter(|number| *number < 128)
}

/// The static payload types need no rtpmap (RFC 3551 §6). Names compare without case.
fn codec_of(payload_type: u8, name: Option<&str>) -> Option<Codec> {
    match (payload_type, name) {
        (0, None) => Some(Codec::Pcmu),
        (8, None) => Some(Codec::Pcma),
        (_, Some(name)) if name.eq_ignore_ascii_case("PCMU/8000") => Some(Codec::Pcmu),
        (_, Some(name)) if name.eq_ignore_ascii_case("PCMA/8000") => Some(Codec::Pcma),
        _ => None,
    }
}
