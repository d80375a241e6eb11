//! Reads the parts of a session description that we need (RFC 8866), in one pass. Names, bandwidths, keys and unknown
//! lines are passed over.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::{Codec, Direction, MAX_SDP, Reach, SdpError};

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

/// A session description, reduced to its streams.
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
    /// The address or host name in the stream's `c=` line, or else in the session's.
    pub(super) connection: Option<&'a str>,
    pub(super) direction: Direction,
    pub(super) telephone_event: Option<u8>,
    /// How much audio the peer wants in a packet.
    pub(super) ptime: Duration,
    codec: Option<(Codec, u8)>,
    /// The defect in the stream's lines, if any. It matters only where nothing else can be taken.
    fault: Option<&'static str>,
}

/// The values of `c=` and of the attributes we know, for the session or for one stream.
#[derive(Default)]
struct Said<'a> {
    connection: Option<&'a str>,
    /// The defect of a `c=` line that cannot be read.
    fault: Option<&'static str>,
    direction: Option<Direction>,
    /// Payload type, and encoding name with clock rate.
    maps: Vec<(u8, &'a str)>,
    ptime: Option<&'a str>,
    maxptime: Option<&'a str>,
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
                .ok_or_else(|| {
                    malformed(format!("line {} is not in the form <letter>=<value>", number + 1))
                })?;
            let is_stream = !streams.is_empty();
            let said = streams.last_mut().map_or(&mut session, |(_, said)| said);
            match kind {
                "v" => return Err(malformed("a second v=")),
                "o" if value.split_ascii_whitespace().count() != 6 => {
                    return Err(malformed("o= has not six fields"));
                }
                "c" if is_stream => match address(value) {
                    Some(address) => {
                        said.connection.get_or_insert(address);
                    }
                    None => said.fault = Some(BROKEN_CONNECTION),
                },
                "c" => {
                    let address = address(value).ok_or_else(|| malformed(BROKEN_CONNECTION))?;
                    said.connection.get_or_insert(address);
                }
                "a" => said.attribute(value),
                "m" if streams.len() == MAX_STREAMS => {
                    return Err(malformed(format!("more than {MAX_STREAMS} streams")));
                }
                "m" => streams.push((Stream::of(value), Said::default())),
                _ => {}
            }
        }
        let streams = streams
            .into_iter()
            .map(|(stream, said)| stream.with(&said, &session))
            .collect();
        Ok(Session { streams })
    }

    /// The error for the first stream with a defect, where no stream can be taken.
    pub(super) fn fault(&self) -> Option<SdpError> {
        self.streams.iter().find_map(|s| s.fault).map(malformed)
    }
}

const BROKEN_CONNECTION: &str = "c= has not three fields";

/// The address of `c=<nettype> <addrtype> <connection-address>` (§5.7), without what follows a slash.
fn address(value: &str) -> Option<&str> {
    let mut fields = value.split_ascii_whitespace();
    match (fields.next(), fields.next(), fields.next(), fields.next()) {
        (Some(_), Some(_), Some(address), None) => Some(address.split('/').next().unwrap_or(address)),
        _ => None,
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
        } else if is("maxptime") {
            self.maxptime.get_or_insert(value);
        } else if let Some(direction) = DIRECTIONS.into_iter().find(|d| is(d.as_str())) {
            self.direction.get_or_insert(direction);
        }
    }

    /// The encoding name and clock rate that rtpmap gives to a payload type.
    fn name(&self, payload_type: u8) -> Option<&'a str> {
        let of = |(known, _): &&(u8, &'a str)| *known == payload_type;
        self.maps.iter().find(of).map(|(_, name)| *name)
    }
}

impl<'a> Stream<'a> {
    /// `m=<media> <port>[/<number of ports>] <proto> <fmt> …` (§5.14). A line with fewer fields, or without a port, stands
    /// for a stream that nobody can take: an answer has to name it all the same.
    fn of(value: &'a str) -> Self {
        let field = |rest: &'a str| {
            let rest = rest.trim_ascii_start();
            rest.split_once([' ', '\t']).unwrap_or((rest, ""))
        };
        let (media, rest) = field(value);
        let (port, rest) = field(rest);
        let (proto, formats) = field(rest);
        let formats = formats.trim_ascii();
        let first = port.split('/').next().unwrap_or(port);
        let fault = match first.parse::<u16>() {
            _ if formats.is_empty() => Some("m= has not four fields"),
            Err(_) => Some("the port in m= is not a number from 0 to 65535"),
            Ok(_) => None,
        };
        Stream {
            media,
            proto,
            formats,
            port: first.parse().unwrap_or(0),
            connection: None,
            direction: Direction::SendRecv,
            telephone_event: None,
            ptime: Duration::from_millis(20),
            codec: None,
            fault,
        }
    }

    /// The stream as an answer names it that refuses it. "Any offered stream MAY be rejected … the port number in the
    /// corresponding stream in the answer MUST be set to zero. Any media formats listed are ignored. At least one MUST be
    /// present, as specified by SDP" (RFC 3264 §6): fields that the offer lacks are filled in.
    pub(super) fn refused(&self) -> String {
        let or = |text: &'a str, other: &'a str| if text.is_empty() { other } else { text };
        let (media, proto) = (or(self.media, "audio"), or(self.proto, "RTP/AVP"));
        format!("{media} 0 {proto} {}", or(self.formats, "0"))
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
        self.connection = said.connection.or(session.connection);
        let lost = self.port != 0 && self.speaks() && self.connection.is_none();
        let fault = said.fault.or(lost.then_some("a stream without c= line"));
        self.fault = self.fault.or(fault);
        self.direction = said
            .direction
            .or(session.direction)
            .unwrap_or(Direction::SendRecv);
        let of = |own: Option<&'a str>, all: Option<&'a str>| own.or(all).and_then(milliseconds);
        let wanted = of(said.ptime, session.ptime).unwrap_or(20);
        let most = of(said.maxptime, session.maxptime).unwrap_or(wanted);
        self.ptime = Duration::from_millis(wanted.min(most).clamp(SHORTEST, LONGEST));
        self
    }

    fn is_audio(&self) -> bool {
        self.media.eq_ignore_ascii_case("audio")
    }

    /// Whether it is plain RTP. AVPF without keys is the same with other rules for RTCP (RFC 4585); SAVP promises encryption
    /// that nobody negotiated here.
    fn is_plain(&self) -> bool {
        ["RTP/AVP", "RTP/AVPF"]
            .iter()
            .any(|known| self.proto.eq_ignore_ascii_case(known))
    }

    /// Whether it is audio that we can send and understand.
    pub(super) fn speaks(&self) -> bool {
        self.is_audio() && self.is_plain() && self.codec.is_some()
    }

    /// Whether it can be taken. The error says how far it is from that.
    pub(super) fn usable(&self, reach: Reach) -> Result<(), SdpError> {
        if !self.is_audio() || self.port == 0 || self.formats.is_empty() {
            return Err(SdpError::NoAudio);
        }
        if !self.is_plain() {
            return Err(SdpError::NoCommonProtocol);
        }
        if self.codec.is_none() {
            return Err(SdpError::NoCommonCodec);
        }
        if let Some(fault) = self.fault {
            return Err(malformed(fault));
        }
        let ip = self.address().ok_or(SdpError::HostName)?;
        if ip.is_unspecified() {
            return Ok(());
        }
        if !reach.reaches(ip) {
            return Err(SdpError::ForeignFamily);
        }
        if ip.is_multicast() {
            return Err(SdpError::Multicast);
        }
        // Port 9 is where everything is discarded (RFC 863).
        if self.port == 9 || is_nowhere(ip) {
            return Err(SdpError::Nowhere);
        }
        Ok(())
    }

    /// The address it names, if it is one.
    pub(super) fn address(&self) -> Option<IpAddr> {
        let ip: IpAddr = self.connection?.parse().ok()?;
        Some(ip.to_canonical())
    }

    /// The first of its codecs that is ours, with its payload type.
    pub(super) fn codec(&self) -> Option<(Codec, u8)> {
        self.codec
    }

    /// Where the peer receives; `None` on hold (`c=IN IP4 0.0.0.0`, RFC 3264 §8.4).
    pub(super) fn remote(&self) -> Option<SocketAddr> {
        let address = self.address().filter(|ip| !ip.is_unspecified())?;
        (self.port != 0).then(|| SocketAddr::new(address, self.port))
    }
}

/// The shortest packets we send, ms, whatever the peer asks for, and the longest.
const SHORTEST: u64 = 5;
const LONGEST: u64 = 60;

/// The whole milliseconds of a packet time, which may have a fraction (RFC 8866 §6.4).
fn milliseconds(value: &str) -> Option<u64> {
    let whole = value.trim_ascii().split('.').next()?;
    whole.parse().ok().filter(|millis| *millis > 0)
}

/// Whether no host can have this address: "this network" (RFC 1122 §3.2.1.3), what is reserved, and all hosts.
fn is_nowhere(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.octets()[0] == 0 || ip.octets()[0] >= 240,
        IpAddr::V6(_) => false,
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
