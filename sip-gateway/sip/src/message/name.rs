//! Names of the header fields this endpoint reads, compact forms included (RFC 3261 §7.3.3).

/// A header field's name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "each is the field of that name")]
pub enum HeaderName {
    Via,
    From,
    To,
    CallId,
    CSeq,
    MaxForwards,
    Contact,
    ContentLength,
    ContentType,
    ContentEncoding,
    ContentDisposition,
    Route,
    RecordRoute,
    Require,
    Supported,
    Expires,
    MinExpires,
    Authorization,
    ProxyAuthorization,
    WwwAuthenticate,
    ProxyAuthenticate,
    RetryAfter,
    Reason,
    Accept,
    PAssertedIdentity,
    Privacy,
    Path,
    /// Anything else: kept as it came, never acted on.
    Other,
}

impl HeaderName {
    /// "When comparing header fields, field names are always case-insensitive" (RFC 3261 §7.3.1).
    pub fn from_bytes(name: &[u8]) -> Self {
        use HeaderName as N;
        let is = |text: &str| name.eq_ignore_ascii_case(text.as_bytes());
        let pick = |text: &str, found: N| if is(text) { found } else { N::Other };
        match name.len() {
            1 => match name[0].to_ascii_lowercase() {
                b'v' => N::Via,
                b'f' => N::From,
                b't' => N::To,
                b'i' => N::CallId,
                b'm' => N::Contact,
                b'l' => N::ContentLength,
                b'c' => N::ContentType,
                b'e' => N::ContentEncoding,
                b'k' => N::Supported,
                _ => N::Other,
            },
            2 => pick("To", N::To),
            3 => pick("Via", N::Via),
            4 if is("From") => N::From,
            4 if is("Path") => N::Path,
            4 => pick("CSeq", N::CSeq),
            5 => pick("Route", N::Route),
            6 if is("Accept") => N::Accept,
            6 => pick("Reason", N::Reason),
            7 if is("Call-ID") => N::CallId,
            7 if is("Contact") => N::Contact,
            7 if is("Expires") => N::Expires,
            7 if is("Privacy") => N::Privacy,
            7 => pick("Require", N::Require),
            9 => pick("Supported", N::Supported),
            11 if is("Retry-After") => N::RetryAfter,
            11 => pick("Min-Expires", N::MinExpires),
            12 if is("Max-Forwards") => N::MaxForwards,
            12 if is("Content-Type") => N::ContentType,
            12 => pick("Record-Route", N::RecordRoute),
            13 => pick("Authorization", N::Authorization),
            14 => pick("Content-Length", N::ContentLength),
            16 if is("WWW-Authenticate") => N::WwwAuthenticate,
            16 => pick("Content-Encoding", N::ContentEncoding),
            18 => pick("Proxy-Authenticate", N::ProxyAuthenticate),
            19 if is("Proxy-Authorization") => N::ProxyAuthorization,
            19 if is("P-Asserted-Identity") => N::PAssertedIdentity,
            19 => pick("Content-Disposition", N::ContentDisposition),
            _ => N::Other,
        }
    }

    /// The name as we write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            HeaderName::Via => "Via",
            HeaderName::From => "From",
            HeaderName::To => "To",
            HeaderName::CallId => "Call-ID",
            HeaderName::CSeq => "CSeq",
            HeaderName::MaxForwards => "Max-Forwards",
            HeaderName::Contact => "Contact",
            HeaderName::ContentLength => "Content-Length",
            HeaderName::ContentType => "Content-Type",
            HeaderName::ContentEncoding => "Content-Encoding",
            HeaderName::ContentDisposition => "Content-Disposition",
            HeaderName::Route => "Route",
            HeaderName::RecordRoute => "Record-Route",
            HeaderName::Require => "Require",
            HeaderName::Supported => "Supported",
            HeaderName::Expires => "Expires",
            HeaderName::MinExpires => "Min-Expires",
            HeaderName::Authorization => "Authorization",
            HeaderName::ProxyAuthorization => "Proxy-Authorization",
            HeaderName::WwwAuthenticate => "WWW-Authenticate",
            HeaderName::ProxyAuthenticate => "Proxy-Authenticate",
            HeaderName::RetryAfter => "Retry-After",
            HeaderName::Reason => "Reason",
            HeaderName::Accept => "Accept",
            HeaderName::PAssertedIdentity => "P-Asserted-Identity",
            HeaderName::Privacy => "Privacy",
            HeaderName::Path => "Path",
            HeaderName::Other => "X-Other",
        }
    }
}
