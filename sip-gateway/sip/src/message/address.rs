//! `name-addr` and `addr-spec` with header parameters: From, To, Contact, Route and their like (RFC 3261 §20.10).

use super::text::{Params, find_outside, is_space, is_token, quoted_end, trim, unquote};
use super::uri::Uri;

/// A display name, a URI and the header parameters after it.
#[derive(Clone, Copy, Debug)]
pub struct NameAddr<'a> {
    /// The display name as received, quotes included; empty if absent.
    pub display: &'a [u8],
    /// The URI, without the header parameters.
    pub uri: Uri<'a>,
    /// The parameters of the header field.
    pub params: Params<'a>,
}

impl<'a> NameAddr<'a> {
    /// Reads one value of a list; `None` when malformed.
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        let text = trim(text);
        match find_angle(text)? {
            Some(at) => {
                let display = trim(&text[..at]);
                if !is_display(display) {
                    return None;
                }
                let end = at + text[at..].iter().position(|b| *b == b'>')?;
                let uri = Uri::parse(trim(&text[at + 1..end]))?;
                Some(NameAddr {
                    display,
                    uri,
                    params: Params::parse(&text[end + 1..])?,
                })
            }
            None => {
                // "If the URI is not enclosed in angle brackets, any semicolon-delimited parameters are
                // header-parameters, not URI parameters" (RFC 3261 §20.10).
                let end = find_outside(text, b';').ok()?.unwrap_or(text.len());
                let uri = trim(&text[..end]);
                // "…and a comma or question mark is not allowed" outside brackets (§20).
                if uri.iter().any(|b| matches!(b, b',' | b'?')) {
                    return None;
                }
                Some(NameAddr {
                    display: b"",
                    uri: Uri::parse(uri)?,
                    params: Params::parse(&text[end..])?,
                })
            }
        }
    }

    /// The `tag` parameter.
    pub fn tag(&self) -> Option<&'a [u8]> {
        self.params.value("tag")
    }

    /// The display name without quotes; `None` when empty.
    pub fn display_text(&self) -> Option<String> {
        let text = unquote(self.display);
        (!text.is_empty()).then_some(text)
    }
}

/// Where the `<` stands, if there is one outside a quoted display name.
fn find_angle(text: &[u8]) -> Option<Option<usize>> {
    let mut at = 0;
    while let Some(next) = memchr::memchr2(b'"', b'<', &text[at..]) {
        at += next;
        if text[at] == b'<' {
            return Some(Some(at));
        }
        at += quoted_end(&text[at..])?;
    }
    Some(None)
}

/// `display-name = *(token LWS) / quoted-string`; bytes above ASCII are let through: phones send names as they are.
fn is_display(text: &[u8]) -> bool {
    match text.first() {
        Some(b'"') => quoted_end(text) == Some(text.len()),
        _ => text.iter().all(|b| is_token(*b) || is_space(*b) || *b >= 0x80),
    }
}
