//! SIP messages: our own lexer, borrowed views of what it found, and a builder (RFC 3261 §7, §19, §20, §25).
//!
//! The raw text is kept: header fields are forwarded, echoed and hashed as they came. A [`Message`] costs one
//! allocation (the list of its lines); the typed views borrow from it. Nothing here knows transactions.

mod address;
mod auth;
mod builder;
mod lexer;
mod method;
mod name;
mod status;
#[cfg(test)]
mod tests;
mod text;
mod uri;
mod via;

use std::ops::Range;

use bytes::Bytes;

pub use address::NameAddr;
pub use auth::{AuthParams, Challenge, Credentials};
pub(crate) use builder::{Draft, push_display};
pub use lexer::{MAX_HEADERS, MAX_MESSAGE, MAX_URI, Unusable};
pub use method::Method;
pub use name::HeaderName;
pub use status::Status;
pub use text::Params;
pub(crate) use text::hex;
use text::{List, number, trim};
pub use uri::{Host, Scheme, Uri};
pub use via::Via;

/// A fault in a request, as reported to its sender.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault {
    /// The status to answer with.
    pub status: Status,
    /// Our reason phrase; empty for the usual one.
    pub phrase: &'static str,
}

impl Fault {
    /// 400 with a phrase that says what was malformed.
    pub(crate) const fn syntax(phrase: &'static str) -> Self {
        Fault {
            status: Status::BAD_REQUEST,
            phrase,
        }
    }

    /// A status with its usual phrase.
    pub(crate) const fn plain(status: Status) -> Self {
        Fault { status, phrase: "" }
    }
}

#[derive(Clone, Debug)]
enum Start {
    Request {
        method: Method,
        token: Range<usize>,
        uri: Range<usize>,
    },
    Response {
        status: Status,
    },
}

/// One header field: its name and where its value lies in the head.
#[derive(Clone, Copy, Debug)]
struct Line {
    name: HeaderName,
    start: u16,
    length: u16,
}

impl Line {
    // No offset exceeds MAX_MESSAGE = u16::MAX, which the lexer checks first.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the lexer refuses messages longer than 65,535 octets"
    )]
    fn new(name: HeaderName, start: usize, length: usize) -> Self {
        Line {
            name,
            start: start as u16,
            length: length as u16,
        }
    }

    fn start(self) -> usize {
        usize::from(self.start)
    }

    fn end(self) -> usize {
        self.start() + usize::from(self.length)
    }
}

/// A lexed message.
#[derive(Clone, Debug)]
pub struct Message {
    head: Bytes,
    body: Bytes,
    start: Start,
    lines: Vec<Line>,
    fault: Option<Fault>,
}

/// The header fields every request has (RFC 3261 §8.1.1), typed.
#[derive(Clone, Copy, Debug)]
pub struct Essentials<'a> {
    /// The topmost Via.
    pub via: Via<'a>,
    /// The address in From.
    pub from: NameAddr<'a>,
    /// The address in To.
    pub to: NameAddr<'a>,
    /// The value of Call-ID.
    pub call_id: &'a [u8],
    /// The number of the CSeq.
    pub cseq: u32,
    /// The method of the CSeq.
    pub method: Method,
}

impl Message {
    /// The method, if this is a request.
    pub fn method(&self) -> Option<Method> {
        match self.start {
            Start::Request { method, .. } => Some(method),
            Start::Response { .. } => None,
        }
    }

    /// The method's own text; empty for a response.
    pub fn method_token(&self) -> &[u8] {
        match &self.start {
            Start::Request { token, .. } => &self.head[token.clone()],
            Start::Response { .. } => b"",
        }
    }

    /// The Request-URI as it came; empty for a response.
    pub fn request_uri(&self) -> &[u8] {
        match &self.start {
            Start::Request { uri, .. } => &self.head[uri.clone()],
            Start::Response { .. } => b"",
        }
    }

    /// The status, if this is a response.
    pub fn status(&self) -> Option<Status> {
        match self.start {
            Start::Request { .. } => None,
            Start::Response { status } => Some(status),
        }
    }

    /// The fault that the lexer found, if any.
    pub fn fault(&self) -> Option<Fault> {
        self.fault
    }

    /// The body, cut to its Content-Length.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The values of all fields of this name, one per line, in order.
    pub fn all(&self, name: HeaderName) -> impl Iterator<Item = &[u8]> {
        self.lines
            .iter()
            .filter(move |l| l.name == name)
            .map(|l| &self.head[l.start()..l.end()])
    }

    /// The first value of this name.
    pub fn first(&self, name: HeaderName) -> Option<&[u8]> {
        self.all(name).next()
    }

    /// The values of a list field: lines and commas alike. `Err` where a quote or bracket stays open.
    pub fn list(&self, name: HeaderName) -> impl Iterator<Item = Result<&[u8], Fault>> {
        self.all(name)
            .flat_map(List::new)
            .map(|item| item.map_err(|()| Fault::syntax("Open Quote Or Bracket")))
    }

    /// The value of a field that may occur once at most.
    ///
    /// # Errors
    /// 400 when it occurs twice.
    pub fn only(&self, name: HeaderName) -> Result<Option<&[u8]>, Fault> {
        let mut values = self.all(name);
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            (_, Some(_)) => Err(Fault::syntax("Repeated Header Field")),
        }
    }

    /// The mandatory header fields, checked and typed.
    ///
    /// # Errors
    /// 400 and what is wrong.
    pub fn essentials(&self) -> Result<Essentials<'_>, Fault> {
        let missing = Fault::syntax("Missing Header Field");
        let via = self.list(HeaderName::Via).next().ok_or(missing)??;
        let via = Via::parse(via).ok_or(Fault::syntax("Malformed Via"))?;
        let from = self.only(HeaderName::From)?.ok_or(missing)?;
        let from = NameAddr::parse(from).ok_or(Fault::syntax("Malformed From"))?;
        let to = self.only(HeaderName::To)?.ok_or(missing)?;
        let to = NameAddr::parse(to).ok_or(Fault::syntax("Malformed To"))?;
        let call_id = self.only(HeaderName::CallId)?.ok_or(missing)?;
        if call_id.is_empty() || call_id.iter().any(|b| *b <= b' ' || *b == b',') {
            return Err(Fault::syntax("Malformed Call-ID"));
        }
        let (cseq, token) = self.cseq()?;
        let method = Method::from_bytes(token);
        if self.method().is_some() && token != self.method_token() {
            return Err(Fault::syntax("CSeq Method Mismatch"));
        }
        if let Some(hops) = self.only(HeaderName::MaxForwards)? {
            number(hops)
                .filter(|n| *n <= 255)
                .ok_or(Fault::syntax("Malformed Max-Forwards"))?;
        }
        Ok(Essentials {
            via,
            from,
            to,
            call_id,
            cseq,
            method,
        })
    }

    fn cseq(&self) -> Result<(u32, &[u8]), Fault> {
        let malformed = Fault::syntax("Malformed CSeq");
        let value = self
            .only(HeaderName::CSeq)?
            .ok_or(Fault::syntax("Missing Header Field"))?;
        let space = value.iter().position(|b| text::is_space(*b)).ok_or(malformed)?;
        let cseq = number(&value[..space])
            .and_then(|n| u32::try_from(n).ok())
            .filter(|n| *n < 1 << 31)
            .ok_or(malformed)?;
        // "The sequence number value MUST be expressible as a 32-bit unsigned integer and MUST be less than 2**31" (§8.1.1.5).
        Ok((cseq, trim(&value[space..])))
    }

    /// A delta-seconds field (Expires, Min-Expires, Retry-After): the digits at its beginning.
    pub fn seconds(&self, name: HeaderName) -> Option<u64> {
        let value = self.first(name)?;
        let end = value
            .iter()
            .position(|b| !b.is_ascii_digit())
            .unwrap_or(value.len());
        // "Values overlarge are to be taken as the largest" (RFC 4475 §3.1.2.4 asks only not to wrap).
        if end == 0 {
            None
        } else {
            Some(number(&value[..end]).unwrap_or(u64::MAX))
        }
    }

    /// The type of the body, lower case, without parameters; empty when not told.
    pub fn content_type(&self) -> String {
        let value = self.first(HeaderName::ContentType).unwrap_or_default();
        let end = value.iter().position(|b| *b == b';').unwrap_or(value.len());
        text::decode(trim(&value[..end])).to_ascii_lowercase()
    }
}

/// The digits of a delta-seconds parameter, as [`Message::seconds`] reads a field.
pub(crate) fn delta_seconds(value: &[u8]) -> Option<u64> {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    digits.then(|| number(value).unwrap_or(u64::MAX))
}

/// Text that arrived, as UTF-8.
pub(crate) fn decode(value: &[u8]) -> String {
    text::decode(value)
}

/// A quoted string's or token's text.
pub(crate) fn unquote(value: &[u8]) -> String {
    text::unquote(value)
}
