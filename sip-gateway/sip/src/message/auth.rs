//! `Authorization` and `WWW-Authenticate` values (RFC 3261 §20.7, §20.44, RFC 7616), as borrowed views.

use super::text::{List, is_space, is_token, is_token_text, quoted_end, trim, unquote};

/// The comma-separated `name=value` parameters after the scheme.
#[derive(Clone, Copy, Debug)]
pub struct AuthParams<'a>(&'a [u8]);

impl<'a> AuthParams<'a> {
    /// `None` unless the scheme is Digest and every parameter is well formed.
    fn digest(value: &'a [u8]) -> Option<Self> {
        let value = trim(value);
        let space = value.iter().position(|b| is_space(*b))?;
        if !value[..space].eq_ignore_ascii_case(b"Digest") {
            return None;
        }
        let params = AuthParams(&value[space..]);
        params.iter().all(|p| p.is_some()).then_some(params)
    }

    fn iter(self) -> impl Iterator<Item = Option<(&'a [u8], &'a [u8])>> {
        List::new(self.0).map(|item| {
            let item = item.ok()?;
            let equals = item.iter().position(|b| *b == b'=')?;
            let (name, value) = (trim(&item[..equals]), trim(&item[equals + 1..]));
            // A quoted string, or a token with what base64 and URIs add to it.
            let stands = match value.first() {
                Some(b'"') => quoted_end(value) == Some(value.len()),
                _ => value
                    .iter()
                    .all(|b| is_token(*b) || matches!(b, b'=' | b'/' | b':' | b'@')),
            };
            (is_token_text(name) && stands).then_some((name, value))
        })
    }

    /// A parameter's value without its quotes.
    fn find(self, name: &str) -> Option<String> {
        self.iter()
            .flatten()
            .find(|(n, _)| n.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, v)| unquote(v))
    }
}

/// The digest credentials of a client.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the parameters of RFC 7616 §3.4, by their names")]
pub struct Credentials {
    pub username: String,
    pub realm: String,
    pub nonce: String,
    pub uri: String,
    pub response: String,
    pub algorithm: Option<String>,
    pub qop: Option<String>,
    pub cnonce: Option<String>,
    pub nc: Option<String>,
}

impl Credentials {
    /// Reads an Authorization value; `None` for another scheme or when something needed is missing.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let params = AuthParams::digest(value)?;
        Some(Credentials {
            username: params.find("username")?,
            realm: params.find("realm")?,
            nonce: params.find("nonce")?,
            uri: params.find("uri")?,
            response: params.find("response")?,
            algorithm: params.find("algorithm"),
            qop: params.find("qop"),
            cnonce: params.find("cnonce"),
            nc: params.find("nc"),
        })
    }
}

/// The digest challenge of a server.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the parameters of RFC 7616 §3.3, by their names")]
pub struct Challenge {
    pub realm: String,
    pub nonce: String,
    pub opaque: Option<String>,
    pub algorithm: Option<String>,
    /// Whether `auth` is among the offered qualities of protection.
    pub qop_auth: bool,
    pub stale: bool,
}

impl Challenge {
    /// Reads a WWW-Authenticate or Proxy-Authenticate value; `None` for another scheme.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let params = AuthParams::digest(value)?;
        let qop = params.find("qop").unwrap_or_default();
        Some(Challenge {
            realm: params.find("realm")?,
            nonce: params.find("nonce")?,
            opaque: params.find("opaque"),
            algorithm: params.find("algorithm"),
            qop_auth: qop.split(',').any(|q| q.trim().eq_ignore_ascii_case("auth")),
            stale: params
                .find("stale")
                .is_some_and(|s| s.eq_ignore_ascii_case("true")),
        })
    }
}
