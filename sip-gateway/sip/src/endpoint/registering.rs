//! Phones register with us (RFC 3261 §10.3): challenge, then the rest.

use bytes::Bytes;
use pronto_types::{OperatorId, Time};

use super::Endpoint;
use super::admission::names;
use super::receive::ODD_CONTACT;
use super::reply::bare;
use super::request::Request;
use crate::dialog::push_field;
use crate::digest::Verdict;
use crate::message::{
    Draft, Fault, HeaderName, Message, NameAddr, Params, Scheme, Status, delta_seconds, push_display,
};
use crate::registrar::{Binding, Change, From, Refusal, Wanted};

/// The most proxies on the way to a phone that are kept.
const MAX_PATH: usize = 8;
/// The most Contacts in one REGISTER.
const MAX_CONTACTS: usize = 32;

impl Endpoint {
    pub(super) fn registering(&mut self, now: Time, request: &Request<'_>) {
        let to = request.essentials.to;
        if !matches!(to.uri.scheme, Scheme::Sip | Scheme::Sips) {
            return self.refuse_register(request, Fault::syntax("Malformed To"));
        }
        let mut change = match read_change(request) {
            Ok(change) => change,
            Err(fault) => return self.refuse_register(request, fault),
        };
        if self.is_full(2) {
            return self.reply_overload(request);
        }
        let operator = match self.prove(now, request) {
            Verdict::Wrong | Verdict::Guessed => return self.challenge(now, request, false),
            Verdict::Stale => return self.challenge(now, request, true),
            Verdict::Proven(operator) => operator,
        };
        if !self.budgets.registers(now, &operator) {
            return self.overdone(request, operator);
        }
        // "If the authenticated user is not authorized to modify bindings, the registrar MUST return a 403"; "If the
        // address-of-record is not valid for the domain in the Request-URI … 404" (§10.3 steps 4 and 5).
        if !names(&to, &operator) {
            self.dropped.forbidden += 1;
            return self.reply_once(now, request, Status::FORBIDDEN, &bare);
        }
        if !self.identity.is_own_domain(to.uri.host, request.flow)
            || !self.identity.is_own_domain(request.uri.host, request.flow)
        {
            return self.reply_once(now, request, Status::NOT_FOUND, &bare);
        }
        if let Change::Set(wanted) = &mut change
            && let Err(fault) = self.find_contacts(request, wanted)
        {
            self.dropped.forbidden += 1;
            return self.reply_fault_once(now, request, fault, &bare);
        }
        self.bind(now, request, &operator, &change);
    }

    /// Where each Contact is rung. Not at a trunk's address, unless the trunk itself registers it: whoever knows one password
    /// would make calls there at our cost. Not at our own either: a call would come back to us for ever.
    fn find_contacts(&self, request: &Request<'_>, wanted: &mut [Wanted<'_>]) -> Result<(), Fault> {
        let path = request.message.list(HeaderName::Path).next().and_then(Result::ok);
        let alone = wanted.iter().filter(|w| w.seconds != Some(0)).count() < 2;
        for one in wanted {
            one.at = self.contact_at(request, one, path, alone);
            let Some(at) = one.at.filter(|_| one.seconds != Some(0)) else {
                continue;
            };
            let trunk = self.trunk_at(at);
            if self.identity.is_own_socket(at) || trunk.is_some() && trunk != self.trunk_at(request.flow) {
                return Err(Fault {
                    status: Status::FORBIDDEN,
                    phrase: "Contact Is Not A Phone's Address",
                });
            }
        }
        Ok(())
    }

    fn refuse_register(&mut self, request: &Request<'_>, fault: Fault) {
        self.dropped.malformed += 1;
        self.reply(request, fault, &bare);
    }

    fn bind(&mut self, now: Time, request: &Request<'_>, operator: &OperatorId, change: &Change<'_>) {
        let before = self.registrar.lease(operator);
        let phones: Vec<Binding> = self.registrar.of(operator).cloned().collect();
        let path = path_of(request.message);
        let from = From {
            flow: request.flow,
            call_id: request.essentials.call_id,
            cseq: request.essentials.cseq,
            path: &path,
        };
        match self.registrar.apply(now, operator, from, change) {
            Err(Refusal::TooBrief) => {
                let min = self.registrar.min_expires().as_secs();
                let extra = |draft: Draft| draft.header(HeaderName::MinExpires, format_args!("{min}"));
                self.reply_once(now, request, Status::INTERVAL_TOO_BRIEF, &extra);
            }
            Err(Refusal::OutOfOrder) => self.reply_once(now, request, Status::SERVER_INTERNAL_ERROR, &bare),
            Ok(()) => {
                self.find_again(operator, request.flow);
                self.end_stranded(now, operator, request.flow);
                self.follow_phone(operator, &phones);
                self.confirm_bindings(now, request, operator, change);
                self.qualify_from(now, operator);
                if self.registrar.lease(operator) != before {
                    self.tell_binding(operator.clone());
                }
            }
        }
    }

    /// "The registrar returns a 200 (OK) response. The response MUST contain Contact header field values enumerating all
    /// current bindings. Each Contact value MUST feature an expires parameter" (step 8).
    fn confirm_bindings(
        &mut self,
        now: Time,
        request: &Request<'_>,
        operator: &OperatorId,
        change: &Change<'_>,
    ) {
        let mut contacts = Vec::new();
        for binding in self.registrar.of(operator) {
            contacts.extend_from_slice(b"Contact: <");
            contacts.extend_from_slice(&binding.contact);
            let left = binding.expires.since(now).as_secs();
            push_display(&mut contacts, format_args!(">;expires={left}"));
            if binding.q < 1000 {
                push_display(&mut contacts, format_args!(";q=0.{:03}", binding.q));
            }
            if let Some((instance, flow)) = &binding.instance {
                contacts.extend_from_slice(b";+sip.instance=");
                contacts.extend_from_slice(instance);
                push_display(&mut contacts, format_args!(";reg-id={flow}"));
            }
            contacts.extend_from_slice(b"\r\n");
        }
        // "The registrar … SHOULD copy the Path header field values into a Path header field in the successful (200 OK)
        // REGISTER response" (RFC 3327 §5.3).
        for hop in request.message.all(HeaderName::Path) {
            push_field(&mut contacts, "Path", hop);
        }
        // "If outbound processing was applied … MUST include the option-tag outbound in a Require" (RFC 5626 §6).
        if matches!(change, Change::Set(wanted) if wanted.iter().any(|w| w.instance.is_some())) {
            contacts.extend_from_slice(b"Require: outbound\r\n");
        }
        let extra = |draft: Draft| draft.raw(&contacts);
        self.reply_once(now, request, Status::OK, &extra);
    }
}

/// Reads the change that the Contact and Expires fields ask for (steps 6 and 7).
fn read_change<'a>(request: &Request<'a>) -> Result<Change<'a>, Fault> {
    let malformed = Fault::syntax("Malformed Contact");
    let expires = request.message.seconds(HeaderName::Expires);
    let outbound = keeps_its_flow(request.message);
    let mut wanted = Vec::new();
    let mut star = false;
    for contact in request.message.list(HeaderName::Contact) {
        let contact = contact?;
        if contact == b"*" {
            if star {
                return Err(malformed);
            }
            star = true;
            continue;
        }
        if wanted.len() == MAX_CONTACTS {
            return Err(Fault::plain(Status::MESSAGE_TOO_LARGE));
        }
        let address = NameAddr::parse(contact).ok_or(malformed)?;
        if !address.uri.scheme.is_sip() {
            return Err(ODD_CONTACT);
        }
        let own = address.params.value("expires").and_then(delta_seconds);
        let q = match address.params.find("q") {
            Some(q) => Some(q.and_then(read_q).ok_or(malformed)?),
            None => None,
        };
        let instance = if outbound {
            read_instance(&address.params)
        } else {
            None
        };
        wanted.push(Wanted {
            contact: address.uri.raw,
            seconds: own.or(expires),
            q,
            instance,
            at: None,
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

/// The Path entries, as they stand.
fn path_of(message: &Message) -> Vec<Bytes> {
    let entries = message.list(HeaderName::Path).filter_map(Result::ok);
    let usable = entries.filter(|entry| NameAddr::parse(entry).is_some());
    usable.take(MAX_PATH).map(Bytes::copy_from_slice).collect()
}

/// Whether the phone asks for outbound and its first hop can give it: "If … there is only one Via header field value …, the
/// registrar … the UA is directly connected"; else the first proxy must have marked the Path with `ob` (RFC 5626 §6).
fn keeps_its_flow(message: &Message) -> bool {
    let asked = message
        .list(HeaderName::Supported)
        .filter_map(Result::ok)
        .any(|option| option.eq_ignore_ascii_case(b"outbound"));
    let direct = message.list(HeaderName::Via).nth(1).is_none();
    let marked = || {
        let first = message.list(HeaderName::Path).filter_map(Result::ok).last();
        let address = first.and_then(NameAddr::parse);
        address.is_some_and(|address| address.uri.param("ob").is_some())
    };
    asked && (direct || marked())
}

/// `+sip.instance="<urn:…>"` with `reg-id=1…` (RFC 5626 §4.2); one without the other means nothing.
fn read_instance<'a>(params: &Params<'a>) -> Option<(&'a [u8], u32)> {
    let instance = params.value("+sip.instance").filter(|i| i.len() <= 128)?;
    let flow = delta_seconds(params.value("reg-id")?)?;
    Some((instance, u32::try_from(flow).ok().filter(|flow| *flow > 0)?))
}

/// `qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] )`, in thousandths.
fn read_q(value: &[u8]) -> Option<u16> {
    let (whole, rest) = value.split_first()?;
    let digits = match rest {
        [] => rest,
        [b'.', digits @ ..] if digits.len() <= 3 => digits,
        _ => return None,
    };
    let mut q = match whole {
        b'0' => 0,
        b'1' => 1000,
        _ => return None,
    };
    for (digit, worth) in digits.iter().zip([100, 10, 1]) {
        q += u16::from(digit.checked_sub(b'0').filter(|d| *d <= 9)?) * worth;
    }
    (q <= 1000).then_some(q)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preference_is_read_as_the_grammar_writes_it_and_no_other_way() {
        for (text, q) in [
            ("0", 0),
            ("0.", 0),
            ("0.5", 500),
            ("0.25", 250),
            ("0.001", 1),
            ("1", 1000),
            ("1.000", 1000),
        ] {
            assert_eq!(read_q(text.as_bytes()), Some(q), "{text}");
        }
        for text in ["", "2", "1.001", "0.1234", "-1", ".5", "0,5", "0.x"] {
            assert_eq!(read_q(text.as_bytes()), None, "{text}");
        }
    }
}
