//! Identifies the caller. The source address and port of a live binding mean its operator, who must prove it. A trunk's
//! address is a caller, never challenged. Anyone else is challenged, at equal cost for known and unknown users.

use std::net::IpAddr;

use pronto_types::{OperatorId, Time, TrunkName};
use rand::Rng;

use super::Endpoint;
use super::request::Request;
use crate::api::{Caller, Identity, LegId, Notice};
use crate::digest::{Asked, Nonce, Verdict};
use crate::message::{Credentials, Draft, Fault, HeaderName, Method, NameAddr, Status, Uri, decode};
use crate::settings::{Flow, Transport, Trunk};

/// The decision on a request from outside: admitted, challenged or forbidden.
pub(super) enum Admission {
    Welcome(Identity),
    /// 401; `stale`: the password was right.
    Prove {
        stale: bool,
    },
    /// 403: proven, and not allowed to be who it says it is.
    Forbidden,
}

impl Endpoint {
    pub(super) fn admit(&mut self, now: Time, request: &Request<'_>) -> Admission {
        if self.enrolled.values().any(|e| e.is_registrar(request.flow)) {
            return Admission::Welcome(Identity::Registrar);
        }
        if !self.registrar.is_bound(request.flow)
            && let Some(trunk) = self.trunk_at(request.flow)
        {
            return Admission::Welcome(Identity::Trunk(self.settings.trunks[trunk].name.clone()));
        }
        match self.prove(now, request) {
            Verdict::Wrong | Verdict::Guessed => Admission::Prove { stale: false },
            Verdict::Stale => Admission::Prove { stale: true },
            Verdict::Proven(operator) => {
                // Of several operators behind one proxy it is one; of a phone of its own, that phone's.
                let mut here = self.registrar.operators_at(request.flow).peekable();
                let other_phone = here.peek().is_some() && !here.any(|it| *it == operator);
                if other_phone || !names(&request.essentials.from, &operator) {
                    return Admission::Forbidden;
                }
                Admission::Welcome(Identity::Operator(operator))
            }
        }
    }

    /// The trunk at the other end of a flow: its index in the settings.
    pub(super) fn trunk_at(&self, flow: Flow) -> Option<usize> {
        // Browsers, and the proxies before them, are no carrier, wherever they are: they prove who they are.
        if matches!(flow.transport, Transport::Ws | Transport::Wss) {
            return None;
        }
        let source = flow.remote.ip().to_canonical();
        let is_here = |trunk: &Trunk| trunk.allow.iter().any(|net| net.contains(&source));
        let named = self.settings.trunks.iter().position(is_here);
        // A program on this machine may send from any of its addresses, whichever the listening socket has.
        named.or_else(|| {
            let own = self.own_addresses.contains(&source);
            let mut trunks = self.settings.trunks.iter();
            trunks.position(|trunk| own && trunk.this_machine)
        })
    }

    /// Whether this trunk may call from that address.
    pub fn is_of_trunk(&self, name: &TrunkName, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let own = self.own_addresses.contains(&address);
        self.settings.trunks.iter().any(|trunk| {
            let allowed = trunk.allow.iter().any(|net| net.contains(&address));
            trunk.name == *name && (allowed || own && trunk.this_machine)
        })
    }

    /// Whether a trunk is at the other end of a flow.
    pub fn is_trunk(&self, flow: Flow) -> bool {
        self.trunk_at(flow).is_some()
    }

    /// Whether nothing of ours is at the other end: no trunk, no bound phone, no registrar, no call.
    pub fn is_stranger(&self, flow: Flow) -> bool {
        let in_call = || {
            let mut legs = self.leg_flows.range((flow, LegId(0))..=(flow, LegId(u64::MAX)));
            legs.next().is_some()
        };
        self.trunk_at(flow).is_none()
            && !self.registrar.is_bound(flow)
            && !in_call()
            && !self.enrolled.values().any(|e| e.is_registrar(flow))
    }

    /// Verifies the Authorization fields. A field of another scheme or another realm is ignored (RFC 4475 §3.3.7).
    pub(super) fn prove(&mut self, now: Time, request: &Request<'_>) -> Verdict {
        let method = decode(request.message.method_token());
        let given = request
            .message
            .all(HeaderName::Authorization)
            .take(4)
            .filter_map(Credentials::parse);
        let mine: Vec<Credentials> = given.filter(|c| c.realm == self.settings.domain).collect();
        let source = request.flow.remote;
        let banned = self.sources.is_banned(now, source);
        let mut verdict = Verdict::Wrong;
        for credentials in mine {
            let is_bound = |operator: &OperatorId| operator.as_str() == credentials.username;
            if banned && !self.registrar.operators_at(request.flow).any(is_bound) {
                continue;
            }
            let named = Uri::parse(credentials.uri.as_bytes());
            let asked = Asked {
                source: source.ip(),
                method: &method,
                uri: request.uri.raw,
                is_ours: named.is_some_and(|uri| self.identity.is_own_domain(uri.host, request.flow)),
            };
            let operators = &self.settings.operators;
            match self.authority.verify(now, &credentials, asked, operators) {
                Verdict::Wrong => {}
                Verdict::Guessed => {
                    if self.sources.guessed(now, source) {
                        self.dropped.banned += 1;
                        self.notice(Notice::Banned(source));
                    }
                }
                Verdict::Stale => verdict = Verdict::Stale,
                proven @ Verdict::Proven(_) => return proven,
            }
        }
        verdict
    }

    /// 401, without a transaction: whoever proves nothing costs no memory.
    pub(super) fn challenge(&mut self, now: Time, request: &Request<'_>, stale: bool) {
        self.dropped.challenged += 1;
        let nonce = Nonce {
            issued: now,
            number: self.rng.next_u64(),
            source: request.flow.remote.ip(),
        };
        let named = match request.method {
            Method::REGISTER => request.essentials.to,
            _ => request.essentials.from,
        };
        let user = named.uri.user_text().unwrap_or_default();
        let values = self
            .authority
            .challenge(&nonce, stale, &user, &self.settings.operators);
        self.reply(request, Fault::plain(Status::UNAUTHORIZED), &|draft| {
            let add =
                |draft: Draft, value: &String| draft.field(HeaderName::WwwAuthenticate, value.as_bytes());
            values.iter().fold(draft, add)
        });
    }
}

/// Whether an address names this operator as its user.
pub(super) fn names(address: &NameAddr<'_>, operator: &OperatorId) -> bool {
    address
        .uri
        .user_text()
        .is_some_and(|user| user == operator.as_str())
}

/// The identity that the caller claims. A trunk's "P-Asserted-Identity" (RFC 3325 §9.1) takes precedence over From;
/// from any other sender it is ignored.
pub(super) fn caller(request: &Request<'_>, identity: &Identity) -> Caller {
    let trusted = matches!(identity, Identity::Trunk(_));
    let asserted = request
        .message
        .list(HeaderName::PAssertedIdentity)
        .filter_map(Result::ok)
        .find_map(NameAddr::parse);
    let from = request.essentials.from;
    let address = asserted.filter(|_| trusted).unwrap_or(from);
    let hidden = request
        .message
        .list(HeaderName::Privacy)
        .filter_map(Result::ok)
        .any(asks_privacy);
    let nameless = from
        .uri
        .user_text()
        .is_some_and(|user| user.eq_ignore_ascii_case("anonymous"))
        && asserted.is_none_or(|_| !trusted);
    // "sip:anonymous@anonymous.invalid" (RFC 3323 §4.1) hides the caller even where the trunk tells us who it is.
    let invalid = matches!(from.uri.host, crate::message::Host::Name(host) if host.eq_ignore_ascii_case("anonymous.invalid"));
    let short = |text: String| text.chars().take(128).collect::<String>();
    Caller {
        user: address.uri.user_text().filter(|user| !user.is_empty()).map(short),
        display: address.display_text().map(short),
        anonymous: hidden || nameless || invalid,
    }
}

/// `Privacy: id; user; …` but not `none` (RFC 3323 §4.2).
fn asks_privacy(value: &[u8]) -> bool {
    value.split(|b| *b == b';').any(|v| {
        [&b"id"[..], b"user", b"header"]
            .iter()
            .any(|w| v.trim_ascii().eq_ignore_ascii_case(w))
    })
}
