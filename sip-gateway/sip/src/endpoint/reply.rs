//! Answers: the echoed head, with and without a transaction (RFC 3261 §8.2.6).

use std::net::SocketAddr;

use bytes::Bytes;
use pronto_types::{OperatorId, Time};

use super::request::Request;
use super::{Endpoint, RETRY_AFTER};
use crate::api::{Notice, Output};
use crate::dialog::push_field;
use crate::message::{Draft, Fault, HeaderName, Message, Method, Status, Via, push_display};
use crate::settings::Flow;
use crate::tag::Tag;
use crate::transaction::table::{Owner, TxId};

/// "The From field of the response MUST equal the From header field of the request. The Call-ID … CSeq … Via … To …
/// if the request contained a To tag, the To of the response MUST equal that of the request; otherwise the UAS MUST add a
/// tag" (§8.2.6.2). Takes what there is: it also answers requests that lack some of it.
pub(super) fn echo(message: &Message, source: SocketAddr, tag: Option<Tag>) -> Vec<u8> {
    let mut head = Vec::with_capacity(512);
    for (i, value) in message.all(HeaderName::Via).enumerate() {
        if let Some(clean) = without_breaks(value) {
            push_field(&mut head, "Via", &clean);
            continue;
        }
        let first = message
            .list(HeaderName::Via)
            .next()
            .and_then(Result::ok)
            .filter(|_| i == 0);
        match first.and_then(|top| Some((top, Via::parse(top)?))) {
            Some((top, via)) => {
                head.extend_from_slice(b"Via: ");
                via.write_stamped(source, &mut head);
                let rest = top.as_ptr() as usize - value.as_ptr() as usize + top.len();
                head.extend_from_slice(&value[rest.min(value.len())..]);
                head.extend_from_slice(b"\r\n");
            }
            None => push_field(&mut head, "Via", value),
        }
    }
    for name in [
        HeaderName::From,
        HeaderName::To,
        HeaderName::CallId,
        HeaderName::CSeq,
    ] {
        let Some(value) = message.first(name) else {
            continue;
        };
        let clean = without_breaks(value);
        push_field(&mut head, name.as_str(), clean.as_deref().unwrap_or(value));
        if let (HeaderName::To, Some(tag)) = (name, tag) {
            head.truncate(head.len() - 2);
            push_display(&mut head, format_args!(";tag={tag}\r\n"));
        }
    }
    head
}

/// A value with a stray CR or LF in it, which makes a request malformed, with blanks instead: what is echoed must not become
/// more lines than it was.
fn without_breaks(value: &[u8]) -> Option<Vec<u8>> {
    let is_break = |b: &u8| matches!(b, b'\r' | b'\n');
    let blank = |b: &u8| if is_break(b) { b' ' } else { *b };
    value
        .iter()
        .any(is_break)
        .then(|| value.iter().map(blank).collect())
}

/// Where the answer goes: the connection; over UDP back to the source address, and to its port if the Via asked
/// for that (RFC 3581 §4), else to the port in the Via (RFC 3261 §18.2.2).
pub(super) fn reply_flow(flow: Flow, via: &Via<'_>) -> Flow {
    if flow.transport.is_reliable() || via.params.find("rport").is_some() {
        return flow;
    }
    let port = via.port.filter(|port| *port != 0).unwrap_or(5060);
    Flow {
        remote: SocketAddr::new(flow.remote.ip(), port),
        ..flow
    }
}

/// Adds the parts of an answer that follow the echoed head.
pub(super) type Extra<'a> = &'a dyn Fn(Draft) -> Draft;

/// Adds nothing to an answer.
pub(super) fn bare(draft: Draft) -> Draft {
    draft
}

impl Endpoint {
    /// Answers without a transaction: the sender's retransmission gets the same answer, To tag included (§8.2.7).
    pub(super) fn reply(&mut self, request: &Request<'_>, fault: Fault, extra: Extra<'_>) {
        let bytes = self.answer_bytes(request, (fault.status, fault.phrase), extra);
        self.transmit(request.reply_to, bytes);
    }

    pub(super) fn answer_bytes(
        &self,
        request: &Request<'_>,
        (status, phrase): (Status, &str),
        extra: Extra<'_>,
    ) -> Bytes {
        let tag = request
            .essentials
            .to
            .tag()
            .is_none()
            .then(|| self.stateless_tag(&request.key));
        let head = echo(request.message, request.flow.remote, tag);
        extra(Draft::response(status, phrase).raw(&head)).finish(None, b"")
    }

    /// Opens a transaction and answers in it: for requests that must not be acted on twice.
    pub(super) fn reply_once(&mut self, now: Time, request: &Request<'_>, status: Status, extra: Extra<'_>) {
        self.reply_fault_once(now, request, Fault::plain(status), extra);
    }

    /// The same, with a reason phrase of ours.
    pub(super) fn reply_fault_once(
        &mut self,
        now: Time,
        request: &Request<'_>,
        fault: Fault,
        extra: Extra<'_>,
    ) {
        let status = fault.status;
        let bytes = self.answer_bytes(request, (status, fault.phrase), extra);
        if self.is_full(2) {
            return self.transmit(request.reply_to, bytes);
        }
        let tx = match request.method {
            Method::INVITE => self
                .table
                .serve_invite(&request.key, request.reply_to, Owner::Nobody),
            _ => self.table.serve(&request.key, request.reply_to),
        };
        self.table.respond(now, tx, status, bytes, &mut self.out);
    }

    /// A 100, at once or when nothing better is said soon.
    pub(super) fn say_trying(&mut self, now: Time, tx: TxId, bytes: Bytes) {
        let patience = self.settings.trying;
        if patience.is_zero() {
            self.table.respond(now, tx, Status::TRYING, bytes, &mut self.out);
        } else {
            self.table.try_later(now + patience, tx, bytes);
        }
    }

    /// 503 with Retry-After.
    pub(super) fn reply_overload(&mut self, request: &Request<'_>) {
        self.dropped.overload += 1;
        self.reply(request, Fault::plain(Status::SERVICE_UNAVAILABLE), &|draft| {
            draft.header(HeaderName::RetryAfter, format_args!("{}", RETRY_AFTER.as_secs()))
        });
    }

    /// The same to an operator who asks too often, without a transaction.
    pub(super) fn overdone(&mut self, request: &Request<'_>, operator: OperatorId) {
        self.dropped.overdone += 1;
        self.notice(Notice::Overdone(operator));
        self.reply_overload(request);
    }

    /// Whether the transaction table holds `times` its limit: half of the room is for what is up already.
    pub(super) fn is_full(&self, times: usize) -> bool {
        self.table.len() >= self.settings.limits.transactions.saturating_mul(times) / 2
    }

    /// A To tag that needs no memory.
    pub(super) fn stateless_tag(&self, key: &[u8]) -> Tag {
        Tag::from_hash(&self.authority.sign(key))
    }

    pub(super) fn transmit(&mut self, flow: Flow, bytes: Bytes) {
        self.out.push_back(Output::Transmit { flow, bytes });
    }

    /// 487 to a request that waits for an answer which will not come.
    pub(super) fn answer_terminated(&mut self, now: Time, tx: TxId, head: &[u8]) {
        let bytes = Draft::response(Status::REQUEST_TERMINATED, "")
            .raw(head)
            .finish(None, b"");
        self.table
            .respond(now, tx, Status::REQUEST_TERMINATED, bytes, &mut self.out);
    }
}
