//! Finds the session description in a message's body: alone, or as a part of a multipart body (RFC 5621, RFC 2046 §5).
//!
//! "A UA MUST support … multipart/mixed" (RFC 5621 §4.1). Of multipart/alternative the last part that is understood counts,
//! of multipart/signed only the signed part; every other multipart type is read as mixed (RFC 2046 §5.1.7). A part that
//! nobody here understands is passed over unless its Content-Disposition requires that it is processed (RFC 3261 §20.11).
//! Nothing here decodes a Content-Transfer-Encoding: SIP carries binary bodies (RFC 5621 §3.3).

use std::borrow::Cow;

use bytes::Bytes;

use crate::message::{HeaderName, Message, Params, Status, decode, unquote};
use crate::refusal::{Refusal, harmless};

#[cfg(test)]
mod tests;

/// The most parts of one body, those of nested bodies included.
const MAX_PARTS: usize = 32;
/// How deep multipart bodies may lie in one another.
const MAX_DEPTH: usize = 4;
/// The longest boundary (RFC 2046 §5.1.1).
const MAX_BOUNDARY: usize = 70;

/// A body that is understood: its type, lower case, and its octets.
pub(crate) type Found = (String, Bytes);

/// The session description in a message's body, if there is one.
///
/// # Errors
/// What the sender is told: 400, 413 or 415.
pub(crate) fn session(message: &Message) -> Result<Option<Bytes>, Refusal> {
    let found = find(message, &|kind| kind == "application/sdp")?;
    Ok(found.map(|(_, body)| body))
}

/// The session description in a response or an ACK, which nobody can refuse: a body that is not understood holds none.
pub(crate) fn session_said(message: &Message) -> Option<Bytes> {
    session(message).ok().flatten()
}

/// The first body of a type that is understood.
///
/// # Errors
/// As [`session`].
pub(crate) fn find(message: &Message, understood: &dyn Fn(&str) -> bool) -> Result<Option<Found>, Refusal> {
    if message.body().is_empty() {
        return Ok(None);
    }
    let value = |name| message.first(name).map(Cow::Borrowed);
    let head = Head {
        is_part: false,
        kind: value(HeaderName::ContentType),
        disposition: value(HeaderName::ContentDisposition),
        encoding: value(HeaderName::ContentEncoding),
        transfer: None,
    };
    let mut reader = Reader { understood, parts: 0 };
    reader.take(&head, message.body(), 0)
}

/// Whether a refusal is about an encoding: its answer names those that are understood.
pub(crate) fn is_about_encoding(refusal: &Refusal) -> bool {
    refusal.phrase == ENCODED
}

/// The reason phrase for an encoded body.
const ENCODED: &str = "Unsupported Content-Encoding";

/// The header fields of a body, or of one of its parts.
struct Head<'a> {
    is_part: bool,
    kind: Option<Cow<'a, [u8]>>,
    disposition: Option<Cow<'a, [u8]>>,
    encoding: Option<Cow<'a, [u8]>>,
    transfer: Option<Cow<'a, [u8]>>,
}

struct Reader<'a> {
    understood: &'a dyn Fn(&str) -> bool,
    parts: usize,
}

impl Reader<'_> {
    fn take(&mut self, head: &Head<'_>, body: &Bytes, depth: usize) -> Result<Option<Found>, Refusal> {
        let kind = head.kind();
        if let Some(subtype) = kind.strip_prefix("multipart/")
            && depth < MAX_DEPTH
            && head.is_plain()
        {
            let nested = self.take_parts(head, subtype, body, depth);
            return if head.is_optional() {
                nested.or(Ok(None))
            } else {
                nested
            };
        }
        let is_ours = (self.understood)(&kind) && head.is_for_session();
        if is_ours && head.is_plain() {
            return Ok(Some((kind, body.clone())));
        }
        if head.is_optional() {
            return Ok(None);
        }
        if is_ours {
            return Err(Refusal::new(
                Status::UNSUPPORTED_MEDIA_TYPE,
                ENCODED,
                399,
                "the body is encoded; only identity is understood here",
            ));
        }
        Err(match head.disposition() {
            Some(other) if (self.understood)(&kind) => Refusal::new(
                Status::UNSUPPORTED_MEDIA_TYPE,
                "Unsupported Content-Disposition",
                399,
                format!("the disposition {} is not understood here", harmless(&other)),
            ),
            _ => Refusal::unsupported(&kind),
        })
    }

    fn take_parts(
        &mut self,
        head: &Head<'_>,
        subtype: &str,
        body: &Bytes,
        depth: usize,
    ) -> Result<Option<Found>, Refusal> {
        let boundary = head.boundary().ok_or_else(|| {
            Refusal::malformed(
                "Missing Multipart Boundary",
                "the multipart body has no usable boundary parameter",
            )
        })?;
        let parts = split(body, boundary.as_bytes()).ok_or_else(|| {
            Refusal::malformed(
                "Malformed Multipart Body",
                "the multipart body does not contain its boundary",
            )
        })?;
        let mut found = None;
        let mut refused = None;
        for part in parts {
            self.parts += 1;
            if self.parts > MAX_PARTS {
                return Err(Refusal::new(
                    Status::ENTITY_TOO_LARGE,
                    "Too Many Body Parts",
                    399,
                    format!("more than {MAX_PARTS} body parts are not read here"),
                ));
            }
            let (inner, content) = read_part(part);
            let taken = self.take(&inner, &body.slice_ref(content), depth + 1);
            match subtype {
                // "In increasing order of faithfulness": the last one that is understood (RFC 2046 §5.1.4).
                "alternative" => match taken {
                    Ok(Some(better)) => found = Some(better),
                    Ok(None) => {}
                    Err(refusal) => refused = Some(refusal),
                },
                // What follows the signed part is its signature, which nobody here checks.
                "signed" => return taken,
                _ => {
                    let taken = taken?;
                    found = found.or(taken);
                }
            }
        }
        match (found, refused) {
            (None, Some(refusal)) => Err(refusal),
            (found, _) => Ok(found),
        }
    }
}

impl Head<'_> {
    /// Type and subtype, lower case. A part without one is text (RFC 2046 §5.1).
    fn kind(&self) -> String {
        match &self.kind {
            Some(value) => first_token(value),
            None if self.is_part => "text/plain".to_owned(),
            None => String::new(),
        }
    }

    fn boundary(&self) -> Option<String> {
        let value = self.kind.as_deref()?;
        let boundary = unquote(params(value)?.value("boundary")?);
        let boundary = boundary.trim_end();
        (1..=MAX_BOUNDARY)
            .contains(&boundary.len())
            .then(|| boundary.to_owned())
    }

    /// Disposition type, lower case.
    fn disposition(&self) -> Option<String> {
        self.disposition.as_deref().map(first_token)
    }

    /// "If the Content-Disposition header field is missing, the server SHOULD assume bodies of Content-Type application/sdp
    /// are the disposition session" (RFC 3261 §20.11).
    fn is_for_session(&self) -> bool {
        let ours =
            |kind: String| !matches!(kind.as_str(), "early-session" | "icon" | "alert" | "by-reference");
        self.disposition().is_none_or(ours)
    }

    /// Whether it may be passed over. "If this parameter is missing, the value required should be assumed" (§20.11). A part
    /// without the field is there for somebody else; so is one that is only shown, or only referred to (RFC 5621 §5).
    fn is_optional(&self) -> bool {
        let Some(value) = self.disposition.as_deref() else {
            return self.is_part;
        };
        let handling = params(value).and_then(|params| params.value("handling").map(unquote));
        match handling {
            Some(handling) => handling.eq_ignore_ascii_case("optional"),
            None => {
                let shown = ["render", "icon", "alert", "by-reference"];
                self.is_part && shown.contains(&first_token(value).as_str())
            }
        }
    }

    /// Whether its octets are as they were written.
    fn is_plain(&self) -> bool {
        let is_one_of = |value: &Option<Cow<'_, [u8]>>, names: &[&str]| {
            value
                .as_deref()
                .is_none_or(|value| names.contains(&first_token(value).as_str()))
        };
        is_one_of(&self.encoding, &["identity", ""])
            && is_one_of(&self.transfer, &["7bit", "8bit", "binary", ""])
    }
}

/// The value before its parameters, in lower case.
fn first_token(value: &[u8]) -> String {
    let end = value.iter().position(|b| *b == b';').unwrap_or(value.len());
    decode(value[..end].trim_ascii()).to_ascii_lowercase()
}

fn params(value: &[u8]) -> Option<Params<'_>> {
    let start = value.iter().position(|b| *b == b';')?;
    Params::parse(&value[start..])
}

/// Cuts a body at its boundary lines. What precedes the first and follows the last is for nobody (RFC 2046 §5.1.1); a
/// last line that is missing is not missed. `None` where no boundary line occurs.
fn split<'a>(body: &'a [u8], boundary: &[u8]) -> Option<Vec<&'a [u8]>> {
    let mut parts = Vec::new();
    let mut begun: Option<usize> = None;
    let mut at = 0;
    while at < body.len() {
        let end = body[at..].iter().position(|b| *b == b'\n');
        let next = end.map_or(body.len(), |end| at + end + 1);
        if let Some(is_last) = boundary_line(&body[at..next], boundary) {
            if let Some(begun) = begun {
                parts.push(without_break(&body[begun..at.max(begun)]));
            }
            begun = Some(next);
            if is_last {
                return Some(parts);
            }
        }
        at = next;
    }
    parts.push(&body[begun?..]);
    Some(parts)
}

/// Whether a line is a boundary, and the last one.
fn boundary_line(line: &[u8], boundary: &[u8]) -> Option<bool> {
    let rest = line.strip_prefix(b"--")?.strip_prefix(boundary)?.trim_ascii_end();
    match rest {
        b"" => Some(false),
        b"--" => Some(true),
        _ => None,
    }
}

/// "The CRLF preceding the boundary delimiter line is conceptually attached to the boundary" (RFC 2046 §5.1.1).
fn without_break(part: &[u8]) -> &[u8] {
    let part = part.strip_suffix(b"\n").unwrap_or(part);
    part.strip_suffix(b"\r").unwrap_or(part)
}

/// The header fields of a part, and what follows their empty line.
fn read_part(part: &[u8]) -> (Head<'_>, &[u8]) {
    let mut head = Head {
        is_part: true,
        kind: None,
        disposition: None,
        encoding: None,
        transfer: None,
    };
    let mut rest = part;
    let mut field: Option<Vec<u8>> = None;
    loop {
        let end = rest
            .iter()
            .position(|b| *b == b'\n')
            .map_or(rest.len(), |end| end + 1);
        let (line, after) = rest.split_at(end);
        let line = line.trim_ascii_end();
        let folded = line.first().is_some_and(|b| matches!(b, b' ' | b'\t'));
        match &mut field {
            Some(field) if folded => field.extend_from_slice(line),
            _ => {
                if let Some(field) = field.replace(line.to_vec()) {
                    head.note(&field);
                }
            }
        }
        rest = after;
        if line.is_empty() || rest.is_empty() {
            if let Some(field) = field {
                head.note(&field);
            }
            return (head, rest);
        }
    }
}

impl Head<'_> {
    /// Keeps a field of a part if it says anything about how to read it. The first of a kind counts.
    fn note(&mut self, field: &[u8]) {
        let Some(colon) = field.iter().position(|b| *b == b':') else {
            return;
        };
        let (name, value) = (field[..colon].trim_ascii(), field[colon + 1..].trim_ascii());
        let place = match HeaderName::from_bytes(name) {
            HeaderName::ContentType => &mut self.kind,
            HeaderName::ContentDisposition => &mut self.disposition,
            HeaderName::ContentEncoding => &mut self.encoding,
            _ if name.eq_ignore_ascii_case(b"Content-Transfer-Encoding") => &mut self.transfer,
            _ => return,
        };
        place.get_or_insert_with(|| Cow::Owned(value.to_vec()));
    }
}
