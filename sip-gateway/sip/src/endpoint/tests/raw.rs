//! A peer of our own making: text in, text out.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use pronto_types::{Secret, Time};
use rand::SeedableRng;
use rand_chacha::ChaCha12Rng;

use super::world::gateway_settings;
use crate::api::*;
use crate::digest;
use crate::message::{Challenge, HeaderName, Message};
use crate::settings::{Flow, Settings, Transport};
use crate::{Endpoint, framing};

/// A gateway and whoever talks to it.
pub(super) struct Raw {
    pub(super) endpoint: Endpoint,
    pub(super) now: Time,
    pub(super) transport: Transport,
    pub(super) events: Vec<Event>,
}

pub(super) const TRUNK: &str = "127.0.0.2:5070";
pub(super) const STRANGER: &str = "127.0.0.9:5090";

impl Raw {
    pub(super) fn new() -> Self {
        Self::with(gateway_settings(Transport::Udp))
    }

    pub(super) fn with(settings: Settings) -> Self {
        let rng = ChaCha12Rng::seed_from_u64(7);
        let endpoint = Endpoint::new(settings, rng);
        Raw {
            endpoint,
            now: Time::from_secs(5_000_000),
            transport: Transport::Udp,
            events: Vec::new(),
        }
    }

    pub(super) fn flow(&self, from: &str) -> Flow {
        let local: SocketAddr = "127.0.0.1:5060".parse().unwrap();
        Flow {
            transport: self.transport,
            local,
            remote: from.parse().unwrap(),
        }
    }

    /// The messages that the gateway sends, with their destinations, when these octets arrive.
    pub(super) fn send_bytes(&mut self, from: &str, bytes: Vec<u8>) -> Vec<(SocketAddr, String)> {
        let flow = self.flow(from);
        self.endpoint.handle_input(
            self.now,
            Input::Message {
                flow,
                bytes: Bytes::from(bytes),
            },
        );
        self.drain()
    }

    pub(super) fn send(&mut self, from: &str, text: &str) -> Vec<(SocketAddr, String)> {
        self.send_bytes(from, text.replace('\n', "\r\n").into_bytes())
    }

    pub(super) fn drain(&mut self) -> Vec<(SocketAddr, String)> {
        let mut sent = Vec::new();
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                Output::Transmit { flow, bytes } => {
                    sent.push((flow.remote, String::from_utf8_lossy(&bytes).into_owned()));
                }
                Output::Event(event) => self.events.push(event),
            }
        }
        sent
    }

    /// The status of the only answer; 0 for none.
    pub(super) fn status(&mut self, from: &str, text: &str) -> u16 {
        let sent = self.send(from, text);
        sent.last().map_or(0, |(_, text)| status(text))
    }

    pub(super) fn pass(&mut self, time: Duration) -> Vec<(SocketAddr, String)> {
        let end = self.now + time;
        let mut sent = Vec::new();
        while let Some(at) = self.endpoint.poll_timeout().filter(|at| *at <= end) {
            self.now = at;
            self.endpoint.handle_timeout(at);
            sent.extend(self.drain());
        }
        self.now = end;
        sent
    }

    /// The newest call.
    pub(super) fn leg(&self) -> LegId {
        self.events
            .iter()
            .rev()
            .find_map(|e| {
                if let Event::Invite(i) = e {
                    Some(i.leg)
                } else {
                    None
                }
            })
            .unwrap()
    }

    /// A call from the trunk that is up; the To value of its 200.
    pub(super) fn call(&mut self) -> String {
        self.send(TRUNK, &invite("call"));
        let leg = self.leg();
        self.endpoint
            .answer(self.now, leg, Bytes::from_static(super::world::ANSWER));
        let ok = self.drain().pop().unwrap().1;
        let to = header(&ok, "To").unwrap().to_owned();
        self.send(TRUNK, &inside("ACK", "ack", 1, "call", &to));
        assert!(matches!(self.events.last(), Some(Event::Acknowledged { .. })));
        to
    }
}

/// The gateway calls a phone at the trunk's address: the leg, and the INVITE.
pub(super) fn ring_phone(raw: &mut Raw) -> (LegId, String) {
    let to = Destination {
        uri: "sip:101@127.0.0.2:5070".into(),
        flow: raw.flow(TRUNK),
    };
    let (now, offer) = (raw.now, super::world::offer());
    let leg = raw.endpoint.invite(now, &to, offer, InviteOptions::default());
    (leg, raw.drain().remove(0).1)
}

/// A response to a request of the gateway's. `tag` is added to a To without a tag, unless it is empty. `extra`: lines,
/// each with its newline.
pub(super) fn response_to(request: &str, line: &str, tag: &str, extra: &str) -> String {
    let head: String = request
        .lines()
        .filter(|l| {
            ["Via:", "From:", "To:", "Call-ID:", "CSeq:"]
                .iter()
                .any(|n| l.starts_with(n))
        })
        .map(|l| {
            let tagged = !l.starts_with("To:") || l.contains("tag=") || tag.is_empty();
            if tagged {
                format!("{l}\n")
            } else {
                format!("{l};tag={tag}\n")
            }
        })
        .collect();
    format!("SIP/2.0 {line}\n{head}{extra}Content-Length: 0\n\n")
}

/// A 200 with an answer to [`ring_phone`]'s INVITE.
pub(super) fn ok_to(invite: &str, tag: &str, extra: &str) -> String {
    let contact = if extra.contains("Contact:") {
        ""
    } else {
        "Contact: <sip:101@127.0.0.2:5070>\n"
    };
    let head = response_to(invite, "200 OK", tag, &format!("{contact}{extra}"));
    let answer = String::from_utf8_lossy(super::world::ANSWER).replace("\r\n", "\n");
    with_body(&head, "application/sdp", &answer)
}

/// The values of a header field, one each.
pub(super) fn headers<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let of = |line: &'a str| line.strip_prefix(name)?.strip_prefix(": ");
    text.lines().filter_map(of).collect()
}

pub(super) fn status(text: &str) -> u16 {
    text.strip_prefix("SIP/2.0 ")
        .map_or(0, |t| t[..3].parse().unwrap())
}

pub(super) fn header<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// An INVITE with an offer; everything that differs between calls is made of `id`.
pub(super) fn invite(id: &str) -> String {
    with_body(
        &request("INVITE", "sip:800@pronto.example", id, 1, ""),
        "application/sdp",
        &String::from_utf8_lossy(super::world::OFFER).replace("\r\n", "\n"),
    )
}

/// A request outside dialogs. `extra`: lines, each with its newline.
pub(super) fn request(method: &str, uri: &str, id: &str, cseq: u32, extra: &str) -> String {
    format!(
        "{method} {uri} SIP/2.0\nVia: SIP/2.0/UDP 127.0.0.2:5070;branch=z9hG4bK{id}{method}\nMax-Forwards: 70\nFrom: \"A\" <sip:0612345@carrier.example>;tag=from{id}\nTo: <sip:800@pronto.example>\nCall-ID: {id}\nCSeq: {cseq} {method}\nContact: <sip:c@127.0.0.2:5070>\n{extra}Content-Length: 0\n\n"
    )
}

/// A request in the call that [`Raw::call`] set up.
pub(super) fn inside(method: &str, branch: &str, cseq: u32, id: &str, to: &str) -> String {
    format!(
        "{method} sip:127.0.0.1:5060 SIP/2.0\nVia: SIP/2.0/UDP 127.0.0.2:5070;branch=z9hG4bK{branch}\nMax-Forwards: 70\nFrom: \"A\" <sip:0612345@carrier.example>;tag=from{id}\nTo: {to}\nCall-ID: {id}\nCSeq: {cseq} {method}\nContent-Length: 0\n\n"
    )
}

/// Adds header lines to a request without a body; each ends with its newline.
pub(super) fn with_lines(request: &str, lines: &str) -> String {
    request.replace("Content-Length: 0\n\n", &format!("{lines}Content-Length: 0\n\n"))
}

pub(super) fn with_body(head: &str, kind: &str, body: &str) -> String {
    let length = body.replace('\n', "\r\n").len();
    head.replace(
        "Content-Length: 0\n\n",
        &format!("Content-Type: {kind}\nContent-Length: {length}\n\n{body}"),
    )
}

/// The Authorization line for the challenge in a 401.
pub(super) fn authorization(challenged: &str, user: &str, password: &str, method: &str, uri: &str) -> String {
    let message = Message::parse(Bytes::from(challenged.to_owned())).unwrap();
    let challenge = Challenge::parse(message.first(HeaderName::WwwAuthenticate).unwrap()).unwrap();
    let cnonce = "cn";
    let covered = digest::Covered { method, uri, cnonce };
    let value = digest::answer(&challenge, user, &Secret::new(password), &covered).unwrap();
    format!("Authorization: {value}\n")
}

#[test]
fn the_framer_and_the_endpoint_agree_on_where_a_message_ends() {
    let mut raw = Raw::new();
    raw.transport = Transport::Tcp;
    let mut framer = framing::Framer::new();
    let two = request("OPTIONS", "sip:pronto.example", "a", 1, "") + &invite("b");
    framer.push(two.replace('\n', "\r\n").as_bytes()).unwrap();
    let first = framer.next().unwrap().unwrap();
    assert_eq!(status(&raw.send_bytes(TRUNK, first.to_vec())[0].1), 200);
    let second = framer.next().unwrap().unwrap();
    assert_eq!(status(&raw.send_bytes(TRUNK, second.to_vec())[0].1), 100);
    assert_eq!(framer.next(), Ok(None));
}
