//! How a dialog is kept: octets, with the number of their form before them.
//!
//! ```text
//! 1 │ what │ flow …           a number is big-endian, a field has its length (2 octets) before it
//!      0: called     the flow of its requests, the flow of the answers, Via to CSeq of the answers, target, routes
//!      1: calling    the flow, the INVITE without its body
//!      2: confirmed  the flow, our CSeq, Call-ID, local and remote address, target, routes
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use bytes::Bytes;

use crate::api::DialogChange;
use crate::dialog::{Dialog, Way};
use crate::endpoint::parting::hop_by_hop;
use crate::message::{HeaderName, Message, Method, NameAddr};
use crate::settings::{Flow, Transport};
use crate::tag::Tag;

const FORM: u8 = 1;
const CALLED: u8 = 0;
const CALLING: u8 = 1;
const CONFIRMED: u8 = 2;

/// A dialog as it was kept.
pub(super) enum Kept {
    /// A caller's INVITE to us.
    Called(Called),
    /// An INVITE of ours, and where it went.
    Calling(Flow, Bytes),
    /// Both sides know it.
    Confirmed(Dialog),
}

/// A caller's INVITE.
pub(super) struct Called {
    pub(super) flow: Flow,
    pub(super) reply_to: Flow,
    pub(super) head: Bytes,
    pub(super) target: Bytes,
    pub(super) routes: Vec<Bytes>,
}

/// Encodes an INVITE to us: the first header fields of its answers, and where our requests go.
pub(super) fn called(dialog: &Dialog, reply_to: Flow, head: &[u8]) -> DialogChange {
    let mut out = Writer::new(CALLED);
    out.flow(dialog.flow).flow(reply_to);
    out.field(head).field(&dialog.target).fields(&dialog.routes);
    out.done()
}

/// Encodes an INVITE of ours: all that its CANCEL repeats.
pub(super) fn calling(flow: Flow, request: Bytes) -> Option<DialogChange> {
    let invite = Message::parse(request).ok()?;
    let to = invite.first(HeaderName::To).unwrap_or_default();
    let mut out = Writer::new(CALLING);
    out.flow(flow)
        .field(&hop_by_hop(Method::INVITE, &invite, to).finish(None, b""));
    Some(out.done())
}

/// Encodes a dialog that both sides know.
pub(super) fn confirmed(dialog: &Dialog) -> DialogChange {
    let mut out = Writer::new(CONFIRMED);
    out.flow(dialog.flow).number(dialog.local_cseq);
    out.field(&dialog.call_id).field(&dialog.local);
    out.field(&dialog.remote)
        .field(&dialog.target)
        .fields(&dialog.routes);
    out.done()
}

impl Kept {
    /// Reads what was kept; `None` for another form, or for what is not whole.
    pub(super) fn read(kept: &Bytes) -> Option<Kept> {
        let mut from = Reader(kept.clone());
        if from.octet()? != FORM {
            return None;
        }
        match from.octet()? {
            CALLED => Some(Kept::Called(Called {
                flow: from.flow()?,
                reply_to: from.flow()?,
                head: from.field()?,
                target: from.field()?,
                routes: from.fields()?,
            })),
            CALLING => Some(Kept::Calling(from.flow()?, from.field()?)),
            CONFIRMED => from.dialog().map(Kept::Confirmed),
            _ => None,
        }
    }
}

struct Writer(Vec<u8>);

impl Writer {
    fn new(what: u8) -> Self {
        let mut out = Vec::with_capacity(768);
        out.extend_from_slice(&[FORM, what]);
        Writer(out)
    }

    fn number(&mut self, number: u32) -> &mut Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    /// No field is longer than a message, which has 65,535 octets at most.
    fn field(&mut self, field: &[u8]) -> &mut Self {
        let length = u16::try_from(field.len()).unwrap_or(0);
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(&field[..usize::from(length)]);
        self
    }

    fn fields(&mut self, fields: &[Bytes]) -> &mut Self {
        for field in fields {
            self.field(field);
        }
        self
    }

    fn flow(&mut self, flow: Flow) -> &mut Self {
        let transport = Transport::ALL.iter().position(|it| *it == flow.transport);
        self.0
            .push(transport.and_then(|at| u8::try_from(at).ok()).unwrap_or(0));
        self.address(flow.local).address(flow.remote)
    }

    fn address(&mut self, address: SocketAddr) -> &mut Self {
        match address {
            SocketAddr::V4(address) => {
                self.0.push(4);
                self.0.extend_from_slice(&address.ip().octets());
            }
            SocketAddr::V6(address) => {
                self.0.push(6);
                self.0.extend_from_slice(&address.ip().octets());
                self.number(address.scope_id());
            }
        }
        self.0.extend_from_slice(&address.port().to_be_bytes());
        self
    }

    fn done(self) -> DialogChange {
        DialogChange::Open(Bytes::from(self.0))
    }
}

struct Reader(Bytes);

impl Reader {
    fn take(&mut self, octets: usize) -> Option<Bytes> {
        (self.0.len() >= octets).then(|| self.0.split_to(octets))
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.as_ref().try_into().ok()
    }

    fn octet(&mut self) -> Option<u8> {
        self.array::<1>().map(|[octet]| octet)
    }

    fn field(&mut self) -> Option<Bytes> {
        let length = u16::from_be_bytes(self.array()?);
        self.take(usize::from(length))
    }

    /// All that are left.
    fn fields(&mut self) -> Option<Vec<Bytes>> {
        let mut fields = Vec::new();
        while !self.0.is_empty() {
            fields.push(self.field()?);
        }
        Some(fields)
    }

    fn flow(&mut self) -> Option<Flow> {
        let transport = *Transport::ALL.get(usize::from(self.octet()?))?;
        let (local, remote) = (self.address()?, self.address()?);
        Some(Flow {
            transport,
            local,
            remote,
        })
    }

    fn address(&mut self) -> Option<SocketAddr> {
        if self.octet()? == 4 {
            let ip = IpAddr::V4(Ipv4Addr::from(self.array::<4>()?));
            return Some(SocketAddr::new(ip, u16::from_be_bytes(self.array()?)));
        }
        let ip = Ipv6Addr::from(self.array::<16>()?);
        let scope = u32::from_be_bytes(self.array()?);
        let port = u16::from_be_bytes(self.array()?);
        Some(SocketAddr::V6(SocketAddrV6::new(ip, port, 0, scope)))
    }

    fn dialog(&mut self) -> Option<Dialog> {
        let flow = self.flow()?;
        let local_cseq = u32::from_be_bytes(self.array()?);
        let (call_id, local, remote) = (self.field()?, self.field()?, self.field()?);
        let local_tag = Tag::parse(NameAddr::parse(&local)?.tag()?)?;
        let remote_tag = NameAddr::parse(&remote)?.tag().unwrap_or_default();
        Some(Dialog {
            call_id,
            local_tag,
            remote_tag: Bytes::copy_from_slice(remote_tag),
            target: self.field()?,
            routes: self.fields()?,
            local,
            remote: remote.clone(),
            local_cseq,
            remote_cseq: None,
            flow,
            is_ours: false,
            way: Way::Flow,
        })
    }
}
