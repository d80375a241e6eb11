//! The descriptions we send.

use std::net::IpAddr;

use bytes::Bytes;

use super::{Codec, Direction, Local, Negotiated};
use crate::message::push_display;

/// Our stream in an offer.
pub(super) struct Ours<'a> {
    pub(super) codecs: &'a [Codec],
    pub(super) telephone_event: Option<u8>,
    pub(super) direction: Direction,
    pub(super) port: u16,
}

/// One `m=` line.
pub(super) enum Line<'a> {
    Ours(Ours<'a>),
    /// The stream we take, its protocol as it was offered, and our port.
    Answer(Negotiated, &'a str, u16),
    /// Media, port, protocol and formats: "To reject an offered stream, the port number in the corresponding stream in the answer MUST be set to zero"
    /// (RFC 3264 §6).
    Refused(&'a str),
}

pub(super) fn description(local: &Local, lines: &[Line<'_>]) -> Bytes {
    let mut out = Vec::with_capacity(320);
    let family = match local.address {
        IpAddr::V4(_) => "IP4",
        IpAddr::V6(_) => "IP6",
    };
    let Local {
        address,
        session_id,
        version,
        ..
    } = local;
    push_display(
        &mut out,
        format_args!(
            "v=0\r\no=- {session_id} {version} IN {family} {address}\r\ns=-\r\nc=IN {family} {address}\r\nt=0 0\r\n"
        ),
    );
    for line in lines {
        match line {
            Line::Ours(ours) => write_ours(&mut out, ours),
            Line::Answer(agreed, proto, port) => {
                let written = Written {
                    port: *port,
                    proto,
                    codecs: &[(agreed.codec, agreed.payload_type)],
                    event: agreed.telephone_event,
                    direction: agreed.direction,
                    ptime: agreed.ptime.as_millis(),
                };
                written.write(&mut out);
            }
            Line::Refused(text) => push_display(&mut out, format_args!("m={text}\r\n")),
        }
    }
    Bytes::from(out)
}

fn write_ours(out: &mut Vec<u8>, ours: &Ours<'_>) {
    let codecs: Vec<(Codec, u8)> = ours.codecs.iter().map(|c| (*c, c.payload_type())).collect();
    let written = Written {
        port: ours.port,
        proto: "RTP/AVP",
        codecs: &codecs,
        event: ours.telephone_event,
        direction: ours.direction,
        ptime: 20,
    };
    written.write(out);
}

/// A stream of ours, as it is written.
struct Written<'a> {
    port: u16,
    proto: &'a str,
    codecs: &'a [(Codec, u8)],
    event: Option<u8>,
    direction: Direction,
    ptime: u128,
}

impl Written<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        push_display(out, format_args!("m=audio {} {}", self.port, self.proto));
        for (_, pt) in self.codecs {
            push_display(out, format_args!(" {pt}"));
        }
        if let Some(pt) = self.event {
            push_display(out, format_args!(" {pt}"));
        }
        out.extend_from_slice(b"\r\n");
        for (codec, pt) in self.codecs {
            push_display(out, format_args!("a=rtpmap:{pt} {}/8000\r\n", codec.name()));
        }
        if let Some(pt) = self.event {
            push_display(
                out,
                format_args!("a=rtpmap:{pt} telephone-event/8000\r\na=fmtp:{pt} 0-15\r\n"),
            );
        }
        let direction = self.direction.as_str();
        push_display(out, format_args!("a=ptime:{}\r\na={direction}\r\n", self.ptime));
    }
}
