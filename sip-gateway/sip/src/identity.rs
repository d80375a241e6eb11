//! How we look from outside: Via, Contact, and what we can do.

use std::net::{IpAddr, SocketAddr};

use crate::message::{Draft, HeaderName, Host, push_display};
use crate::refusal::{Refusal, Warning};
use crate::settings::{Flow, Inside, Settings, Transport};
use crate::tag::Tag;

/// The methods answered with something else than 405.
pub(crate) const ALLOW: &[u8] = b"INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, REGISTER";
/// The bodies understood in an INVITE.
pub(crate) const ACCEPT: &[u8] = b"application/sdp, multipart/mixed, multipart/alternative";
/// The bodies understood in an INFO.
pub(crate) const ACCEPT_INFO: &[u8] = b"application/dtmf-relay, application/dtmf";

/// Our names and addresses.
pub(crate) struct LocalIdentity {
    domain: String,
    product: String,
    advertise: Vec<IpAddr>,
    inside: Inside,
    hosts: Vec<String>,
    addresses: Vec<IpAddr>,
    listen: Vec<(Transport, SocketAddr)>,
}

impl LocalIdentity {
    pub(crate) fn new(settings: &Settings) -> Self {
        LocalIdentity {
            domain: settings.domain.clone(),
            product: settings.product.chars().filter(|c| !c.is_control()).collect(),
            advertise: settings.advertise.clone(),
            inside: settings.inside.clone(),
            hosts: settings.hosts.clone(),
            addresses: settings.addresses.clone(),
            listen: settings.listen.clone(),
        }
    }

    /// The address under which the peer of this flow reaches our socket.
    pub(crate) fn address(&self, flow: Flow) -> SocketAddr {
        let own = flow.local.ip();
        let known_by = match self.inside.address_towards(flow.remote.ip()) {
            Some(inside) if own.is_unspecified() => inside,
            Some(_) => own,
            None => {
                let mut advertised = self.advertise.iter();
                let same_family = advertised.find(|ip| ip.is_ipv4() == own.is_ipv4());
                same_family.copied().unwrap_or(own)
            }
        };
        SocketAddr::new(known_by, flow.local.port())
    }

    /// A socket of ours for this transport and family: what a flow that we open starts from.
    pub(crate) fn socket(&self, transport: Transport, to: SocketAddr) -> Option<SocketAddr> {
        let fits = |(t, at): &&(Transport, SocketAddr)| *t == transport && at.is_ipv4() == to.is_ipv4();
        self.listen.iter().find(fits).map(|(_, at)| *at)
    }

    pub(crate) fn write_via(&self, flow: Flow, branch: Tag, out: &mut Vec<u8>) {
        let sent_by = self.sent_by(flow);
        push_display(
            out,
            format_args!("Via: {sent_by};branch=z9hG4bK{branch};rport\r\n"),
        );
    }

    /// The protocol and sent-by of our Via on a flow.
    pub(crate) fn sent_by(&self, flow: Flow) -> String {
        format!("SIP/2.0/{} {}", flow.transport.as_str(), self.address(flow))
    }

    /// Our Contact's URI on this flow; `user` must be escaped.
    pub(crate) fn contact(&self, flow: Flow, user: &str) -> String {
        let at = if user.is_empty() { "" } else { "@" };
        let transport = flow.transport.uri_param(false);
        format!("sip:{user}{at}{}{transport}", self.address(flow))
    }

    /// Our Contact's URI towards this remote target. "If the request that initiated the dialog contained a SIPS URI in the
    /// Request-URI …, the Contact header field in the response MUST be a SIPS URI" (RFC 3261 §12.1.1), and likewise in our
    /// requests (§8.1.1.8). Without TLS it would promise what is not there.
    pub(crate) fn contact_towards(&self, flow: Flow, target: &[u8]) -> String {
        let sips = target.get(..5).is_some_and(|s| s.eq_ignore_ascii_case(b"sips:"));
        if !sips || !flow.transport.is_secure() {
            return self.contact(flow, "");
        }
        format!("sips:{}{}", self.address(flow), flow.transport.uri_param(true))
    }

    /// Whether something sent there would come back to us.
    pub(crate) fn is_own_socket(&self, to: Flow) -> bool {
        let same = |ip: IpAddr| ip == to.remote.ip() || ip.is_unspecified();
        let mut open = self
            .listen
            .iter()
            .filter(|(t, at)| *t == to.transport && at.port() == to.remote.port());
        open.any(|(_, at)| {
            at.ip() == to.remote.ip() || same(at.ip()) && self.advertise.contains(&to.remote.ip())
        })
    }

    /// Whether an address with this host is ours to know: our domain, what else we are called, or one of our addresses.
    pub(crate) fn is_own_domain(&self, host: Host<'_>, flow: Flow) -> bool {
        let mut names = std::iter::once(&self.domain).chain(&self.hosts);
        match host {
            Host::Name(name) => names.any(|own| own.eq_ignore_ascii_case(name)),
            Host::Ip(ip) => {
                ip == flow.local.ip()
                    || self.advertise.contains(&ip)
                    || self.inside.is_ours(ip)
                    || self.listens_at(ip)
                    || names.any(|own| own.trim_matches(['[', ']']).parse() == Ok(ip))
            }
        }
    }

    fn listens_at(&self, ip: IpAddr) -> bool {
        let of_machine = || ip.is_loopback() || self.addresses.is_empty() || self.addresses.contains(&ip);
        let is_at =
            |at: IpAddr| at == ip || at.is_unspecified() && at.is_ipv4() == ip.is_ipv4() && of_machine();
        self.listen.iter().any(|(_, at)| is_at(at.ip()))
    }

    /// Adds User-Agent to a request of ours.
    pub(crate) fn sign_request(&self, draft: Draft) -> Draft {
        draft.named("User-Agent", &self.product)
    }

    /// Adds Server to an answer of ours to INVITE, OPTIONS or REGISTER.
    pub(crate) fn sign_response(&self, draft: Draft) -> Draft {
        draft.named("Server", &self.product)
    }

    /// The methods, for a 405, an OPTIONS or an INVITE and its answers.
    pub(crate) fn allow(draft: Draft) -> Draft {
        draft.raw(b"Allow: ").raw(ALLOW).raw(b"\r\n")
    }

    /// The address of record of a user in our domain; escapes the user.
    pub(crate) fn address_of(&self, user: &str) -> String {
        format!("sip:{}@{}", escape_user(user), self.domain)
    }

    /// The Warning field of a refusal; the warn-agent is our domain (RFC 3261 §20.43).
    pub(crate) fn warn(&self, draft: Draft, refusal: &Refusal) -> Draft {
        draft.raw(&self.warning(refusal))
    }

    /// The same as a header line; empty for a refusal without a warning.
    pub(crate) fn warning(&self, refusal: &Refusal) -> Vec<u8> {
        let mut line = Vec::new();
        if let Some(Warning { code, text }) = &refusal.warning {
            push_display(
                &mut line,
                format_args!("Warning: {code} {} \"{text}\"\r\n", self.domain),
            );
        }
        line
    }

    pub(crate) fn accept(draft: Draft, kinds: &[u8]) -> Draft {
        draft.field(HeaderName::Accept, kinds)
    }
}

/// `user = 1*( unreserved / escaped / user-unreserved )` (RFC 3261 §25.1).
pub(crate) fn escape_user(user: &str) -> String {
    let mut escaped = Vec::with_capacity(user.len());
    for byte in user.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/".contains(&byte);
        if plain {
            escaped.push(byte);
        } else {
            push_display(&mut escaped, format_args!("%{byte:02X}"));
        }
    }
    String::from_utf8(escaped).unwrap_or_default()
}

/// A display name as a quoted string; empty for none.
pub(crate) fn quote_display(display: Option<&str>) -> String {
    let Some(display) = display.filter(|d| !d.is_empty()) else {
        return String::new();
    };
    let clean = display.chars().filter(|c| !c.is_control()).take(128);
    let mut quoted = String::from("\"");
    for c in clean {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted + "\" "
}
