//! URIs (RFC 3261 §19.1, RFC 3966 for `tel`), as borrowed views over the text they came in.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::text::{CLASSES, ESCAPE, HOST, NOT_URI, hex, is, number, trim, unescape};

/// The scheme of a URI, as far as we know it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scheme {
    /// A `sip:` URI.
    Sip,
    /// A `sips:` URI.
    Sips,
    /// A `tel:` URI.
    Tel,
    /// Well-formed, and nothing we can reach: 416 in a Request-URI.
    Other,
}

impl Scheme {
    /// Whether SIP requests can be sent to such a URI.
    pub(crate) const fn is_sip(self) -> bool {
        matches!(self, Scheme::Sip | Scheme::Sips)
    }
}

/// The host of a URI or Via.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Host<'a> {
    /// An IPv4 address or an IPv6 reference in brackets.
    Ip(IpAddr),
    /// A host name; empty for `tel` and unknown schemes.
    Name(&'a str),
}

impl Host<'_> {
    /// Whether both are one host: names are "case-insensitive" (RFC 3261 §19.1.4).
    pub(crate) fn is_same(self, other: Host<'_>) -> bool {
        match (self, other) {
            (Host::Ip(one), Host::Ip(two)) => one == two,
            (Host::Name(one), Host::Name(two)) => one.eq_ignore_ascii_case(two),
            _ => false,
        }
    }
}

/// A parsed URI. The fields borrow from the message.
#[derive(Clone, Copy, Debug)]
pub struct Uri<'a> {
    /// The whole text, as it came: forward this, hash this.
    pub raw: &'a [u8],
    /// The scheme of the URI.
    pub scheme: Scheme,
    /// The user part, still escaped, without the password. For `tel`, the number.
    pub user: Option<&'a [u8]>,
    /// The host; for `tel` and unknown schemes an empty name.
    pub host: Host<'a>,
    /// The port, if written.
    pub port: Option<u16>,
    /// `;name=value…`, as it came.
    pub params: &'a [u8],
    /// The text after the question mark, as received. It is never turned into header fields.
    pub headers: Option<&'a [u8]>,
}

impl<'a> Uri<'a> {
    /// Reads a URI; `None` when it is not one.
    pub fn parse(raw: &'a [u8]) -> Option<Self> {
        let colon = raw.iter().position(|b| *b == b':')?;
        let (scheme, rest) = (&raw[..colon], &raw[colon + 1..]);
        let legal = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
        if !scheme.first()?.is_ascii_alphabetic() || !scheme.iter().all(legal) || rest.is_empty() {
            return None;
        }
        let classes = raw.iter().fold(0, |seen, b| seen | CLASSES[usize::from(*b)]);
        if classes & NOT_URI != 0 || (classes & ESCAPE != 0 && !escapes_stand(raw)) {
            return None;
        }
        let scheme = match scheme {
            s if s.eq_ignore_ascii_case(b"sip") => Scheme::Sip,
            s if s.eq_ignore_ascii_case(b"sips") => Scheme::Sips,
            s if s.eq_ignore_ascii_case(b"tel") => Scheme::Tel,
            _ => Scheme::Other,
        };
        match scheme {
            Scheme::Sip | Scheme::Sips => Self::sip(raw, scheme, rest),
            Scheme::Tel => Self::tel(raw, rest),
            Scheme::Other => Some(Uri {
                scheme,
                ..Self::opaque(raw)
            }),
        }
    }

    fn opaque(raw: &'a [u8]) -> Self {
        Uri {
            raw,
            scheme: Scheme::Other,
            user: None,
            host: Host::Name(""),
            port: None,
            params: b"",
            headers: None,
        }
    }

    fn tel(raw: &'a [u8], rest: &'a [u8]) -> Option<Self> {
        let end = rest.iter().position(|b| *b == b';').unwrap_or(rest.len());
        let (number, params) = rest.split_at(end);
        let legal =
            |b: &u8| b.is_ascii_hexdigit() || matches!(b, b'+' | b'-' | b'.' | b'(' | b')' | b'*' | b'#');
        (!number.is_empty() && number.iter().all(legal)).then_some(Uri {
            scheme: Scheme::Tel,
            user: Some(number),
            params,
            ..Self::opaque(raw)
        })
    }

    fn sip(raw: &'a [u8], scheme: Scheme, rest: &'a [u8]) -> Option<Self> {
        // A user part may hold `;`, `?` and `/` (RFC 4475 §3.1.1.9), but an `@` only escaped: the first one ends it.
        let (user, rest) = match rest.iter().position(|b| *b == b'@') {
            Some(0) => return None,
            Some(at) => {
                let info = &rest[..at];
                let user = info.split(|b| *b == b':').next().unwrap_or(info);
                (Some(user), &rest[at + 1..])
            }
            None => (None, rest),
        };
        if rest.contains(&b'@') {
            return None;
        }
        let question = rest.iter().position(|b| *b == b'?');
        let (rest, headers) = match question {
            Some(at) => (&rest[..at], Some(&rest[at + 1..])),
            None => (rest, None),
        };
        let (address, params) = rest.split_at(rest.iter().position(|b| *b == b';').unwrap_or(rest.len()));
        let (host, port) = host_port(address)?;
        Some(Uri {
            raw,
            scheme,
            user,
            host,
            port,
            params,
            headers,
        })
    }

    /// The user part with its escapes resolved.
    pub fn user_text(&self) -> Option<String> {
        self.user.map(unescape)
    }

    /// The value of a URI parameter; `Some(b"")` when it has none.
    pub fn param(&self, name: &str) -> Option<&'a [u8]> {
        self.params.split(|b| *b == b';').skip(1).find_map(|param| {
            let mut parts = param.splitn(2, |b| *b == b'=');
            let found = parts.next()?.eq_ignore_ascii_case(name.as_bytes());
            found.then(|| parts.next().unwrap_or(b""))
        })
    }

    /// Whether both name one resource (RFC 3261 §19.1.4). Those that are neither `sip:` nor `sips:` are compared as they stand.
    pub(crate) fn is_same(&self, other: &Uri<'_>) -> bool {
        if !self.scheme.is_sip() || !other.scheme.is_sip() {
            return self.raw == other.raw;
        }
        // "A SIP and SIPS URI are never equivalent." "Comparison of the userinfo of SIP and SIPS URIs is case-sensitive. …
        // Comparison of all other components of the URI is case-insensitive." "A URI omitting any component with a default
        // value will not match a URI explicitly containing that component with its default value."
        let headers = match (self.headers, other.headers) {
            (Some(one), Some(two)) => one.eq_ignore_ascii_case(two),
            (None, None) => true,
            _ => false,
        };
        self.scheme == other.scheme
            && self.host.is_same(other.host)
            && self.port == other.port
            && headers
            && self.userinfo().map(plain) == other.userinfo().map(plain)
            && self.params_match(other)
            && other.params_match(self)
    }

    /// User and password, as they came.
    fn userinfo(&self) -> Option<&'a [u8]> {
        let at = self.raw.iter().position(|b| *b == b'@')?;
        let colon = self.raw.iter().position(|b| *b == b':')?;
        self.user.map(|_| &self.raw[colon + 1..at])
    }

    /// "Any uri-parameter appearing in both URIs must match. A user, ttl, or method uri-parameter appearing in only one URI
    /// never matches … maddr …"; nor does transport, as the RFC's own examples have it. "All other uri-parameters appearing in
    /// only one URI are ignored."
    fn params_match(&self, other: &Uri<'_>) -> bool {
        const NEVER_IGNORED: [&str; 5] = ["user", "ttl", "method", "maddr", "transport"];
        let mut params = self.params.split(|b| *b == b';').skip(1);
        params.all(|param| {
            let name = param.split(|b| *b == b'=').next().unwrap_or_default();
            let Ok(name) = std::str::from_utf8(name) else {
                return false;
            };
            match (self.param(name), other.param(name)) {
                (Some(one), Some(two)) => plain(one).eq_ignore_ascii_case(&plain(two)),
                _ => !NEVER_IGNORED.iter().any(|n| n.eq_ignore_ascii_case(name)),
            }
        })
    }
}

/// "Characters other than those in the "reserved" set … are equivalent to their ""%" HEX HEX" encoding."
fn plain(text: &[u8]) -> Vec<u8> {
    let is_free = |b: u8| b.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&b);
    let (mut out, mut rest) = (Vec::with_capacity(text.len()), text);
    while let [first, after @ ..] = rest {
        rest = after;
        if let (b'%', [high, low, after @ ..]) = (*first, rest)
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            let byte = high << 4 | low;
            if is_free(byte) {
                out.push(byte);
            } else {
                out.extend(format!("%{byte:02X}").bytes());
            }
            rest = after;
            continue;
        }
        out.push(*first);
    }
    out
}

fn escapes_stand(raw: &[u8]) -> bool {
    let mut rest = raw;
    while let Some(at) = rest.iter().position(|b| *b == b'%') {
        match &rest[at + 1..] {
            [high, low, after @ ..] if hex(*high).is_some() && hex(*low).is_some() => rest = after,
            _ => return false,
        }
    }
    true
}

/// `host [":" port]`, white space allowed around the colon as in a Via (RFC 3261 §20.42).
pub(super) fn host_port(text: &[u8]) -> Option<(Host<'_>, Option<u16>)> {
    let text = trim(text);
    let (host, rest) = if let Some(inner) = text.strip_prefix(b"[") {
        let end = inner.iter().position(|b| *b == b']')?;
        let address: Ipv6Addr = std::str::from_utf8(&inner[..end]).ok()?.parse().ok()?;
        (Host::Ip(IpAddr::V6(address)), &inner[end + 1..])
    } else {
        let end = text.iter().position(|b| *b == b':').unwrap_or(text.len());
        (name_or_ipv4(trim(&text[..end]))?, &text[end..])
    };
    let rest = trim(rest);
    if rest.is_empty() {
        return Some((host, None));
    }
    let port = number(trim(rest.strip_prefix(b":")?))?;
    Some((host, Some(u16::try_from(port).ok()?)))
}

fn name_or_ipv4(text: &[u8]) -> Option<Host<'_>> {
    if text.is_empty() || text.len() > 255 || !text.iter().all(|b| is(*b, HOST)) {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?;
    if text.as_bytes()[0].is_ascii_digit()
        && let Ok(address) = text.parse::<Ipv4Addr>()
    {
        return Some(Host::Ip(IpAddr::V4(address)));
    }
    Some(Host::Name(text))
}
