//! Dialogs (RFC 3261 §12): what both sides remember, and requests made from it.

use std::borrow::Cow;

use bytes::Bytes;

pub(crate) mod leg;

use crate::identity::LocalIdentity;
use crate::message::{Draft, Essentials, HeaderName, Message, Method, NameAddr, Uri, push_display};
use crate::settings::Flow;
use crate::tag::Tag;

/// The most Record-Route entries kept: no real path is this long.
const MAX_ROUTES: usize = 16;

/// The state of one dialog.
pub(crate) struct Dialog {
    pub(crate) call_id: Bytes,
    pub(crate) local_tag: Tag,
    /// Empty until the peer has chosen one; a peer of RFC 2543 never does.
    pub(crate) remote_tag: Bytes,
    /// Our From in requests, our To in responses: the whole value, tag included.
    pub(crate) local: Bytes,
    /// The peer's, likewise.
    pub(crate) remote: Bytes,
    /// The remote target: the peer's Contact.
    pub(crate) target: Bytes,
    /// `name-addr`s, in the order requests of ours travel.
    pub(crate) routes: Vec<Bytes>,
    pub(crate) local_cseq: u32,
    /// "…the remote sequence number MUST be empty" until the peer has sent a request (§12.1.2).
    pub(crate) remote_cseq: Option<u32>,
    /// Where requests of ours go.
    pub(crate) flow: Flow,
    /// We made the Call-ID (§14.1).
    pub(crate) is_ours: bool,
    /// How those requests find the peer.
    pub(crate) way: Way,
}

/// How requests of ours find the peer of a dialog.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    /// Over the flow that the peer used last: the peer is behind a NAT, keeps the flow open, or gave no address.
    Flow,
    /// At the first entry of the route set, which "MUST NOT" change within the dialog (§12.2).
    Route,
    /// At the numeric address of the remote target: the flow moves with the target.
    Target,
}

impl Dialog {
    /// "Requests within a dialog" (§12.2.1.1): a request of ours with the next CSeq, or `cseq` for an ACK.
    pub(crate) fn request(&self, identity: &LocalIdentity, method: Method, cseq: u32, branch: Tag) -> Draft {
        let strict = self.routes.first().filter(|route| !is_loose(route));
        let (uri, routes): (&[u8], &[Bytes]) = match strict {
            // "If the route set is not empty, and its first URI does not contain the lr parameter, the UAC MUST place
            // the first URI from the route set into the Request-URI … and place the remote target URI into the Route
            // header field as the last value."
            Some(first) => (
                NameAddr::parse(first).map_or(&self.target, |a| a.uri.raw),
                &self.routes[1..],
            ),
            None => (&self.target, &self.routes),
        };
        let mut head = Vec::with_capacity(512);
        identity.write_via(self.flow, branch, &mut head);
        for route in routes {
            push_field(&mut head, "Route", route);
        }
        if strict.is_some() {
            push_field(&mut head, "Route", &[b"<", &self.target[..], b">"].concat());
        }
        push_field(&mut head, "From", &self.local);
        push_field(&mut head, "To", &self.remote);
        push_field(&mut head, "Call-ID", &self.call_id);
        push_display(
            &mut head,
            format_args!("CSeq: {cseq} {method}\r\nMax-Forwards: 70\r\n"),
        );
        Draft::request(method, &as_request_uri(uri)).raw(&head)
    }

    /// Whether a request with this sequence number may be acted on: "If the remote sequence number is not empty, but the
    /// sequence number of the request is lower than the remote sequence number, the request is out of order and MUST be
    /// rejected with a 500" (§12.2.2). An equal number is a repetition that missed its transaction.
    pub(crate) fn take_cseq(&mut self, cseq: u32) -> bool {
        let in_order = self.remote_cseq.is_none_or(|last| cseq > last);
        if in_order {
            self.remote_cseq = Some(cseq);
        }
        in_order
    }

    /// "A target refresh request updates the remote target URI" (§12.2): re-INVITE, UPDATE and their 2xx.
    pub(crate) fn refresh_target(&mut self, message: &Message) {
        if let Some(target) = contact_uri(message) {
            self.target = Bytes::copy_from_slice(target);
        }
    }

    /// The peer's side, from its first 2xx (§12.1.2).
    pub(crate) fn confirm(&mut self, message: &Message, essentials: &Essentials<'_>) {
        self.remote_tag = Bytes::copy_from_slice(essentials.to.tag().unwrap_or_default());
        self.remote = Bytes::copy_from_slice(message.first(HeaderName::To).unwrap_or_default());
        self.refresh_target(message);
        // "The route set MUST be set to the list of URIs in the Record-Route header field from the response, taken in
        // reverse order."
        self.routes = record_routes(message);
        self.routes.reverse();
    }
}

/// The Record-Route entries, as they stand.
pub(crate) fn record_routes(message: &Message) -> Vec<Bytes> {
    let entries = message.list(HeaderName::RecordRoute).filter_map(Result::ok);
    let usable = entries.filter(|entry| NameAddr::parse(entry).is_some());
    usable.take(MAX_ROUTES).map(Bytes::copy_from_slice).collect()
}

/// The URI of the first Contact, where requests can be sent: "the Contact header field … contains a SIP or SIPS URI"
/// (§8.1.1.8).
pub(crate) fn contact_uri(message: &Message) -> Option<&[u8]> {
    first_contact(message)
        .filter(|address| address.uri.scheme.is_sip())
        .map(|address| address.uri.raw)
}

/// Whether a message names a Contact that is no SIP address.
pub(crate) fn has_odd_contact(message: &Message) -> bool {
    first_contact(message).is_some_and(|address| !address.uri.scheme.is_sip())
}

fn first_contact(message: &Message) -> Option<NameAddr<'_>> {
    let contact = message.list(HeaderName::Contact).next()?.ok()?;
    NameAddr::parse(contact)
}

/// A URI of the peer's as a Request-URI: "stripping any parameters that are not allowed in a Request-URI" (§12.2.1.1), which
/// are its header fields and `method` (§19.1.1).
fn as_request_uri(raw: &[u8]) -> Cow<'_, [u8]> {
    let Some(uri) = Uri::parse(raw).filter(|uri| uri.headers.is_some() || uri.param("method").is_some())
    else {
        return Cow::Borrowed(raw);
    };
    let headers = uri.headers.map_or(0, |headers| headers.len() + 1);
    let mut kept = raw[..raw.len() - headers - uri.params.len()].to_vec();
    for param in uri.params.split(|b| *b == b';').skip(1) {
        let name = param.split(|b| *b == b'=').next().unwrap_or_default();
        if !name.eq_ignore_ascii_case(b"method") {
            kept.push(b';');
            kept.extend_from_slice(param);
        }
    }
    Cow::Owned(kept)
}

fn is_loose(route: &[u8]) -> bool {
    NameAddr::parse(route).is_some_and(|address| address.uri.param("lr").is_some())
}

pub(crate) fn push_field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}
