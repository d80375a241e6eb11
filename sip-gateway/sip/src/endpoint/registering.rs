//! Phones register with us (RFC 3261 §10.3): challenge, then the rest.

use pronto_types::{OperatorId, Time};

use super::Endpoint;
use super::admission::names;
use super::receive::Request;
use super::reply::bare;
use crate::digest::Verdict;
use crate::message::{Draft, Fault, HeaderName, NameAddr, Scheme, Status, delta_seconds};
use crate::registrar::{Change, From, Refusal, Wanted};

/// The most Contacts in one REGISTER.
const MAX_CONTACTS: usize = 32;

impl Endpoint {
    pub(super) fn registering(&mut self, now: Time, request: &Request<'_>) {
        let to = request.essentials.to;
        if !matches!(to.uri.scheme, Scheme::Sip | Scheme::Sips) {
            return self.refuse_register(request, Fault::syntax("Malformed To"));
        }
        let change = match read_change(request) {
            Ok(change) => change,
            Err(fault) => return self.refuse_register(request, fault),
        };
        if self.is_full(2) {
            return self.reply_overload(request);
        }
        let operator = match self.prove(now, request) {
            Verdict::Wrong => return self.challenge(now, request, false),
            Verdict::Stale => return self.challenge(now, request, true),
            Verdict::Proven(operator) => operator,
        };
        // "If the authenticated user is not authorized to modify bindings, the registrar MUST return a 403"; "If the
        // address-of-record is not valid for the domain in the Request-URI … 404" (§10.3 steps 4 and 5).
        if !names(&to, &operator) {
            self.dropped.forbidden += 1;
            return self.reply_once(now, request, Status::FORBIDDEN, &bare);
        }
        if !self.face.is_own_domain(to.uri.host, request.flow)
            || !self.face.is_own_domain(request.uri.host, request.flow)
        {
            return self.reply_once(now, request, Status::NOT_FOUND, &bare);
        }
        self.bind(now, request, &operator, &change);
    }

    fn refuse_register(&mut self, request: &Request<'_>, fault: Fault) {
        self.dropped.malformed += 1;
        self.reply(request, fault, &bare);
    }

    fn bind(&mut self, now: Time, request: &Request<'_>, operator: &OperatorId, change: &Change<'_>) {
        let before = self.registrar.lease(operator);
        let from = From {
            flow: request.flow,
            call_id: request.essentials.call_id,
            cseq: request.essentials.cseq,
        };
        match self.registrar.apply(now, operator, from, change) {
            Err(Refusal::TooBrief) => {
                let min = self.registrar.min_expires().as_secs();
                let extra = |draft: Draft| draft.header(HeaderName::MinExpires, format_args!("{min}"));
                self.reply_once(now, request, Status::INTERVAL_TOO_BRIEF, &extra);
            }
            Err(Refusal::OutOfOrder) => self.reply_once(now, request, Status::SERVER_INTERNAL_ERROR, &bare),
            Ok(()) => {
                self.confirm_bindings(now, request, operator);
                if self.registrar.lease(operator) != before {
                    self.tell_binding(operator.clone());
                }
            }
        }
    }

    /// "The registrar returns a 200 (OK) response. The response MUST contain Contact header field values enumerating all
    /// current bindings. Each Contact value MUST feature an expires parameter" (step 8).
    fn confirm_bindings(&mut self, now: Time, request: &Request<'_>, operator: &OperatorId) {
        let mut contacts = Vec::new();
        for binding in self.registrar.of(operator) {
            contacts.extend_from_slice(b"Contact: <");
            contacts.extend_from_slice(&binding.contact);
            let left = binding.expires.since(now).as_secs();
            contacts.extend_from_slice(format!(">;expires={left}\r\n").as_bytes());
        }
        let extra = |draft: Draft| draft.raw(&contacts);
        self.reply_once(now, request, Status::OK, &extra);
    }
}

/// What the Contact and Expires fields ask (steps 6 and 7).
fn read_change<'a>(request: &Request<'a>) -> Result<Change<'a>, Fault> {
    let malformed = Fault::syntax("Malformed Contact");
    let expires = request.message.seconds(HeaderName::Expires);
    let mut wanted = Vec::new();
    let mut star = false;
    for contact in request.message.list(HeaderName::Contact) {
        let contact = contact?;
        if contact == b"*" {
            star = true;
            continue;
        }
        if wanted.len() == MAX_CONTACTS {
            return Err(Fault::plain(Status::MESSAGE_TOO_LARGE));
        }
        let address = NameAddr::parse(contact).ok_or(malformed)?;
        let own = address.params.value("expires").and_then(delta_seconds);
        wanted.push(Wanted {
            contact: address.uri.raw,
            seconds: own.or(expires),
        });
    }
    match (star, wanted.is_empty()) {
        // "If the request has additional Contact fields or an expiration time other than zero, the request is invalid, and
        // the server MUST return a 400."
        (true, true) if expires == Some(0) => Ok(Change::RemoveAll),
        (true, _) => Err(malformed),
        (false, true) => Ok(Change::Fetch),
        (false, false) => Ok(Change::Set(wanted)),
    }
}
