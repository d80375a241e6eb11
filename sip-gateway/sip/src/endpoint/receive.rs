//! A message arrives: what every request must pass, in the order of RFC 3261 §8.2, and where it goes then.

use bytes::Bytes;
use pronto_types::Time;
use sha2::{Digest, Sha256};

use super::Endpoint;
use super::reply::{bare, echo, reply_flow};
use super::request::Request;
use crate::api::{Event, Notice};
use crate::body;
use crate::dialog::has_odd_contact;
use crate::identity::{ACCEPT, LocalIdentity};
use crate::message::{
    Draft, Essentials, Fault, HeaderName, Message, Method, NameAddr, Scheme, Status, Unusable, Uri, Via,
};
use crate::refusal::Refusal;
use crate::settings::{Flow, Transport};
use crate::stun;
use crate::tag::Tag;

/// The key of a server transaction (§17.2.3), stricter than the branch alone: Call-ID, CSeq and From tag must agree as
/// well, so that two senders with one branch are two, and requests of RFC 2543, without a usable branch, match too. The
/// transport is part of it: no stream retransmits what a datagram asked. ACK and CANCEL have the key of their INVITE.
pub(super) fn transaction_key(
    essentials: &Essentials<'_>,
    method: Method,
    transport: Transport,
) -> (Vec<u8>, usize) {
    const LONG: usize = 192;
    let method = if matches!(method, Method::ACK | Method::CANCEL) {
        Method::INVITE
    } else {
        method
    };
    let cseq = essentials.cseq.to_be_bytes();
    let short = |parts: [&[u8]; 4], out: &mut Vec<u8>| {
        if parts.iter().map(|p| p.len()).sum::<usize>() <= LONG {
            for part in parts {
                out.extend_from_slice(part);
                out.push(0);
            }
        } else {
            let mut hash = Sha256::new();
            for part in parts {
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part);
            }
            out.extend_from_slice(&hash.finalize());
        }
    };
    let mut key = Vec::with_capacity(160);
    short(
        [
            essentials.call_id,
            essentials.from.tag().unwrap_or_default(),
            &cseq,
            method.as_str().as_bytes(),
        ],
        &mut key,
    );
    let merge = key.len();
    short(
        [
            essentials.via.branch().unwrap_or_default(),
            essentials.via.sent_by,
            transport.as_str().as_bytes(),
            b"",
        ],
        &mut key,
    );
    (key, merge)
}

impl Endpoint {
    pub(super) fn receive(&mut self, now: Time, flow: Flow, bytes: Bytes) {
        if self.is_stranger(flow) && !self.sources.admits(now, flow.remote.ip()) {
            self.dropped.limited += 1;
            return self.notice(Notice::Limited(flow.remote.ip()));
        }
        if flow.transport == Transport::Udp
            && let Some(told) = stun::answer(&bytes, flow.remote)
        {
            self.dropped.keep_alive += 1;
            return self.transmit(flow, told);
        }
        match Message::parse(bytes) {
            Ok(message) if message.status().is_some() => self.response(now, &message),
            Ok(message) => self.request(now, flow, &message),
            Err(Unusable::KeepAlive) => self.dropped.keep_alive += 1,
            Err(_) => self.dropped.unusable += 1,
        }
    }

    fn request(&mut self, now: Time, flow: Flow, message: &Message) {
        let request = match check_syntax(flow, message) {
            Ok(request) => request,
            Err(fault) => return self.refuse_malformed(flow, message, fault),
        };
        if request.method == Method::ACK {
            return self.acknowledged(now, &request);
        }
        if request.method == Method::CANCEL {
            return self.cancelled(now, &request);
        }
        if let Some(tx) = self.table.find_server(&request.key) {
            return self.table.repeat(tx, &mut self.out);
        }
        if !self.check_understanding(&request) {
            return;
        }
        match (request.essentials.to.tag(), request.method) {
            (Some(tag), _) => self.within(now, &request, Tag::parse(tag)),
            (None, Method::INVITE) => self.invited(now, &request),
            (None, Method::REGISTER) => self.registering(now, &request),
            (None, Method::OPTIONS) => self.asked(&request),
            // BYE, INFO, UPDATE, PRACK belong into a dialog, and name none.
            (None, _) => self.reply(&request, Fault::plain(Status::NO_SUCH_DIALOG), &bare),
        }
    }

    /// 400 and its like, if there is a Via to answer to. Nothing is remembered.
    fn refuse_malformed(&mut self, flow: Flow, message: &Message, fault: Fault) {
        // "The ACK … MUST NOT be answered" (§17); nor is what we cannot have been asked by a SIP element: every one adds a Via.
        if message.method() == Some(Method::ACK) || message.first(HeaderName::Via).is_none() {
            self.dropped.unusable += 1;
            return;
        }
        let via = message
            .list(HeaderName::Via)
            .next()
            .and_then(Result::ok)
            .and_then(Via::parse);
        // Where the Via itself is what is malformed, its sender is where the request came from.
        let reply_to = via.map_or(flow, |via| reply_flow(flow, &via));
        self.dropped.malformed += 1;
        let to = message.first(HeaderName::To).unwrap_or_default();
        let tagged = NameAddr::parse(to).is_none_or(|to| to.tag().is_some());
        let tag =
            (!tagged).then(|| self.stateless_tag(message.first(HeaderName::CallId).unwrap_or_default()));
        let head = echo(message, flow.remote, tag);
        let bytes = Draft::response(fault.status, fault.phrase)
            .raw(&head)
            .finish(None, b"");
        self.transmit(reply_to, bytes);
    }

    /// Method, scheme, extensions (§8.2.1 to §8.2.2); answers what fails.
    fn check_understanding(&mut self, request: &Request<'_>) -> bool {
        let status = match request.method {
            Method::OTHER => Status::NOT_IMPLEMENTED,
            Method::MESSAGE | Method::NOTIFY | Method::SUBSCRIBE | Method::PUBLISH | Method::REFER => {
                Status::METHOD_NOT_ALLOWED
            }
            _ if request.uri.scheme == Scheme::Other => {
                self.reply(request, Fault::plain(Status::UNSUPPORTED_URI_SCHEME), &bare);
                return false;
            }
            _ => return self.check_required(request),
        };
        self.reply(request, Fault::plain(status), &LocalIdentity::allow);
        false
    }

    /// "If a UAS does not understand an option-tag listed in a Require header field, it MUST respond by generating a response
    /// with status code 420 … The UAS MUST add an Unsupported header field" (§8.2.2.3).
    fn check_required(&mut self, request: &Request<'_>) -> bool {
        let mut tags = Vec::new();
        for tag in request
            .message
            .list(HeaderName::Require)
            .filter_map(Result::ok)
            .filter(|t| !t.is_empty() && !is_understood(request.method, t))
        {
            if !tags.is_empty() {
                tags.extend_from_slice(b", ");
            }
            tags.extend_from_slice(tag);
        }
        if tags.is_empty() {
            return true;
        }
        self.reply(request, Fault::plain(Status::BAD_EXTENSION), &|draft| {
            draft.raw(b"Unsupported: ").raw(&tags).raw(b"\r\n")
        });
        false
    }

    /// The session description in a request, which may have none: `Some(None)`. Where its body cannot be taken (§8.2.3),
    /// or where it accepts no SDP, it is answered, and there is nothing to go on with: `None`.
    pub(super) fn read_content(&mut self, request: &Request<'_>) -> Option<Option<Bytes>> {
        let refusal = match body::session(request.message) {
            Ok(session) if accepts_sdp(request.message) => return Some(session),
            Ok(_) => Refusal::new(
                Status::NOT_ACCEPTABLE,
                "Session Descriptions Not Accepted",
                399,
                "the Accept header field does not list application/sdp",
            ),
            Err(refusal) => refusal,
        };
        self.refuse_body(request, refusal);
        None
    }

    /// Refuses a request for its body, and tells so.
    fn refuse_body(&mut self, request: &Request<'_>, refusal: Refusal) {
        let bytes = {
            let encoded = body::is_about_encoding(&refusal);
            let unsupported = refusal.status == Status::UNSUPPORTED_MEDIA_TYPE;
            let more = |draft: Draft| {
                let draft = self.identity.warn(draft, &refusal);
                match (unsupported, encoded) {
                    (true, true) => draft.raw(b"Accept-Encoding: identity\r\n"),
                    (true, false) => LocalIdentity::accept(draft, ACCEPT),
                    (false, _) => draft,
                }
            };
            self.answer_bytes(request, (refusal.status, &refusal.phrase), &more)
        };
        self.transmit(request.reply_to, bytes);
        self.tell(Event::BodyRefused {
            source: request.flow.remote,
            refusal,
        });
    }

    /// OPTIONS outside a dialog: "the response code chosen MUST be the same that would have been chosen had the request been
    /// an INVITE" as to being able to take calls (§11.2). Not challenged: it tells nothing that a 405 would not.
    fn asked(&mut self, request: &Request<'_>) {
        if self.draining {
            return self.reply_overload(request);
        }
        let bytes = self.options_answer(request);
        self.transmit(request.reply_to, bytes);
    }

    pub(super) fn options_answer(&self, request: &Request<'_>) -> Bytes {
        let tag = request
            .essentials
            .to
            .tag()
            .is_none()
            .then(|| self.stateless_tag(&request.key));
        let head = echo(request.message, request.flow.remote, tag);
        let draft = LocalIdentity::accept(
            LocalIdentity::allow(Draft::response(Status::OK, "").raw(&head)),
            ACCEPT,
        );
        self.identity.sign_response(draft).finish(None, b"")
    }
}

/// A Contact such as `mailto:` or `tel:`, which no SIP request can be sent to.
pub(super) const ODD_CONTACT: Fault = Fault::syntax("Contact Is Not A SIP URI");

/// Checks the syntax of a request before it is handled: a fault is usually answered with 400.
fn check_syntax(flow: Flow, message: &Message) -> Result<Request<'_>, Fault> {
    if let Some(fault) = message.fault() {
        return Err(fault);
    }
    let essentials = message.essentials()?;
    let uri = Uri::parse(message.request_uri()).ok_or(Fault::syntax("Malformed Request-URI"))?;
    // "The headers component … MUST NOT be used in a Request-URI" (§19.1.1).
    if uri.headers.is_some() {
        return Err(Fault::syntax("Header Fields In Request-URI"));
    }
    // "The Content-Length header field MUST be used with stream-based transports" (§20.14).
    if flow.transport.is_stream() && message.first(HeaderName::ContentLength).is_none() {
        return Err(Fault::syntax("Missing Content-Length"));
    }
    let method = essentials.method;
    if method != Method::REGISTER {
        for contact in message.list(HeaderName::Contact) {
            NameAddr::parse(contact?).ok_or(Fault::syntax("Malformed Contact"))?;
        }
        // It would be where the requests of the dialog go.
        if matches!(method, Method::INVITE | Method::UPDATE) && has_odd_contact(message) {
            return Err(ODD_CONTACT);
        }
    }
    if method == Method::INVITE {
        // The dialog's requests would go another way than the peer's, or nowhere (§12.1.1).
        for route in message.list(HeaderName::RecordRoute) {
            NameAddr::parse(route?).ok_or(Fault::syntax("Malformed Record-Route"))?;
        }
    }
    // A list that does not end cannot be said to have been understood.
    let (vias, required) = (HeaderName::Via, HeaderName::Require);
    for item in message.list(vias).skip(1).chain(message.list(required)) {
        item?;
    }
    let (key, merge) = transaction_key(&essentials, method, flow.transport);
    Ok(Request {
        flow,
        reply_to: reply_flow(flow, &essentials.via),
        message,
        essentials,
        method,
        uri,
        key,
        merge,
    })
}

/// The extensions of a registrar: Path (RFC 3327) and flows that the phone keeps open (RFC 5626).
fn is_understood(method: Method, option: &[u8]) -> bool {
    let ours = [&b"path"[..], b"outbound"];
    method == Method::REGISTER && ours.iter().any(|o| o.eq_ignore_ascii_case(option))
}

/// Whether what Accept lists includes SDP. Without the field it does (§20.1).
fn accepts_sdp(message: &Message) -> bool {
    let mut listed = message.list(HeaderName::Accept).filter_map(Result::ok).peekable();
    if listed.peek().is_none() {
        return true;
    }
    listed.any(|range| {
        let kind = range
            .split(|b| *b == b';')
            .next()
            .unwrap_or_default()
            .trim_ascii()
            .to_ascii_lowercase();
        matches!(kind.as_slice(), b"application/sdp" | b"application/*" | b"*/*")
    })
}
