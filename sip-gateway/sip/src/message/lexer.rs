//! From bytes to a [`Message`]: start line, unfolded header fields, body (RFC 3261 §7).

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use super::text::{is_space, is_token, is_token_text, number, trim};
use super::{Fault, HeaderName, Line, Message, Method, Start, Status};

/// The longest message taken, header and body: what one UDP datagram can carry.
pub const MAX_MESSAGE: usize = 65_535;
/// The most header fields in one message.
pub const MAX_HEADERS: usize = 256;
/// The longest Request-URI.
pub const MAX_URI: usize = 2_048;

/// Bytes that cannot even be answered: dropped and counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unusable {
    /// Only line breaks: a keep-alive (RFC 5626 §3.5.1).
    #[error("keep-alive")]
    KeepAlive,
    /// Longer than [`MAX_MESSAGE`].
    #[error("longer than {MAX_MESSAGE} octets")]
    TooLong,
    /// No SIP start line.
    #[error("no SIP start line")]
    NotSip,
    /// A response with something wrong in it: never answered.
    #[error("malformed response")]
    BadResponse,
}

impl Message {
    /// Reads one datagram or one framed message. What is wrong with a request that can still be answered is kept in
    /// [`Message::fault`].
    ///
    /// # Errors
    /// [`Unusable`]: nobody to answer.
    pub fn parse(bytes: Bytes) -> Result<Message, Unusable> {
        let mut message = Message::parse_head(bytes)?;
        message.cut_body();
        if matches!(message.start, Start::Response { .. }) && message.fault.is_some() {
            return Err(Unusable::BadResponse);
        }
        Ok(message)
    }

    /// The same for a message whose body may not be there yet: its length is not looked at.
    pub(crate) fn parse_head(bytes: Bytes) -> Result<Message, Unusable> {
        if bytes.len() > MAX_MESSAGE {
            return Err(Unusable::TooLong);
        }
        // "Implementations processing SIP messages over stream-oriented transports MUST ignore any CRLF appearing
        // before the start-line" (§7.5).
        let start = bytes
            .iter()
            .position(|b| !matches!(b, b'\r' | b'\n'))
            .ok_or(Unusable::KeepAlive)?;
        let bytes = bytes.slice(start..);
        let (line, mut at) = next_line(&bytes, 0).ok_or(Unusable::NotSip)?;
        let mut fault = None;
        let start = start_line(&bytes[line.clone()], line.start, &mut fault)?;
        let mut lines = Vec::with_capacity(24);
        let mut folded = false;
        let mut complete = false;
        while let Some((line, after)) = next_line(&bytes, at) {
            at = after;
            if line.is_empty() {
                complete = true;
                break;
            }
            if is_space(bytes[line.start]) {
                folded = true;
                extend_last(&mut lines, line.end, &mut fault);
            } else if lines.len() == MAX_HEADERS {
                note(&mut fault, Status::MESSAGE_TOO_LARGE, "Too Many Header Fields");
                break;
            } else if let Some(line) = header_line(&bytes, line) {
                lines.push(line);
            } else {
                note(&mut fault, Status::BAD_REQUEST, "Malformed Header Field");
            }
        }
        if !complete {
            note(&mut fault, Status::BAD_REQUEST, "No End Of Header");
            at = bytes.len();
        }
        let body = bytes.slice(at..);
        let head = if folded { unfold(&bytes[..at]) } else { bytes };
        let mut message = Message {
            head,
            body,
            start,
            lines,
            fault,
        };
        message.trim_values();
        Ok(message)
    }

    /// Trims values now that folds are blanks.
    fn trim_values(&mut self) {
        for line in &mut self.lines {
            let value = &self.head[line.start()..line.end()];
            if memchr::memchr2(b'\r', b'\n', value).is_some() {
                note(&mut self.fault, Status::BAD_REQUEST, "Stray Line Break");
            }
            let trimmed = trim(value);
            let skipped = if trimmed.is_empty() {
                0
            } else {
                trimmed.as_ptr() as usize - value.as_ptr() as usize
            };
            *line = Line::new(line.name, line.start() + skipped, trimmed.len());
        }
    }

    /// "The Content-Length header field value is used to locate the end of each SIP message" (§18.3); over UDP "any
    /// bytes beyond the end of the body are discarded".
    fn cut_body(&mut self) {
        let length = match self.only(HeaderName::ContentLength) {
            Ok(None) => return,
            Ok(Some(value)) => number(value).and_then(|n| usize::try_from(n).ok()),
            Err(fault) => return note(&mut self.fault, fault.status, fault.phrase),
        };
        match length {
            Some(length) if length <= self.body.len() => self.body.truncate(length),
            // "…because the request entity-body is larger than the server is willing or able to process. The server MAY
            // close the connection to prevent the client from continuing the request" (§21.4.11).
            Some(length) if length > MAX_MESSAGE => note(&mut self.fault, Status::ENTITY_TOO_LARGE, ""),
            _ => note(&mut self.fault, Status::BAD_REQUEST, "Bad Content-Length"),
        }
    }
}

/// Keeps the first thing found wrong.
fn note(fault: &mut Option<Fault>, status: Status, phrase: &'static str) {
    fault.get_or_insert(Fault { status, phrase });
}

/// The line that begins at `from`, without its CRLF, and where the next begins.
fn next_line(bytes: &[u8], from: usize) -> Option<(Range<usize>, usize)> {
    let rest = &bytes[from..];
    let mut at = 0;
    while let Some(cr) = memchr::memchr(b'\r', &rest[at..]) {
        let cr = at + cr;
        if rest.get(cr + 1) == Some(&b'\n') {
            return Some((from..from + cr, from + cr + 2));
        }
        at = cr + 1;
    }
    None
}

fn start_line(line: &[u8], offset: usize, fault: &mut Option<Fault>) -> Result<Start, Unusable> {
    if let Some(rest) = strip_prefix_ignoring_case(line, b"SIP/2.0 ") {
        // "Status-Code = 3DIGIT"; the phrase may be empty (RFC 4475 §3.1.1.13).
        let code = rest
            .get(..3)
            .and_then(number)
            .and_then(|n| u16::try_from(n).ok())
            .and_then(Status::new);
        let ends = matches!(rest.get(3), None | Some(b' '));
        return match (code, ends) {
            (Some(status), true) => Ok(Start::Response { status }),
            _ => Err(Unusable::BadResponse),
        };
    }
    let space = line.iter().position(|b| *b == b' ').ok_or(Unusable::NotSip)?;
    let last = line.iter().rposition(|b| *b == b'/').ok_or(Unusable::NotSip)?;
    let version_at = last
        .checked_sub(3)
        .filter(|at| *at > space)
        .ok_or(Unusable::NotSip)?;
    let version = &line[version_at..];
    if !version[..4].eq_ignore_ascii_case(b"SIP/") || !is_token_text(&line[..space]) {
        return Err(Unusable::NotSip);
    }
    if &version[4..] != b"2.0" {
        let spaced = trim(&version[4..]) == b"2.0";
        let (status, phrase) = if spaced {
            (Status::BAD_REQUEST, "Malformed Request-Line")
        } else {
            (Status::VERSION_NOT_SUPPORTED, "")
        };
        note(fault, status, phrase);
    }
    // "No LWS is allowed except single SP characters between elements" (§7.1): exactly one space at each end.
    let uri = space + 1..version_at.saturating_sub(1).max(space + 1);
    if line[version_at - 1] != b' ' || uri.is_empty() || line[uri.clone()].iter().any(|b| is_space(*b)) {
        note(fault, Status::BAD_REQUEST, "Malformed Request-Line");
    } else if uri.len() > MAX_URI {
        note(fault, Status::URI_TOO_LONG, "");
    }
    Ok(Start::Request {
        method: Method::from_bytes(&line[..space]),
        token: offset..offset + space,
        uri: offset + uri.start..offset + uri.end,
    })
}

fn strip_prefix_ignoring_case<'a>(text: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// `field-name HCOLON field-value`; white space before the colon belongs to HCOLON.
fn header_line(bytes: &[u8], line: Range<usize>) -> Option<Line> {
    let text = &bytes[line.clone()];
    let name_end = text.iter().position(|b| !is_token(*b))?;
    let colon = name_end + text[name_end..].iter().position(|b| !is_space(*b))?;
    if name_end == 0 || text[colon] != b':' {
        return None;
    }
    let start = line.start + colon + 1;
    Some(Line::new(
        HeaderName::from_bytes(&text[..name_end]),
        start,
        line.end - start,
    ))
}

fn extend_last(lines: &mut [Line], end: usize, fault: &mut Option<Fault>) {
    match lines.last_mut() {
        Some(last) => *last = Line::new(last.name, last.start(), end - last.start()),
        None => note(fault, Status::BAD_REQUEST, "Malformed Header Field"),
    }
}

/// "LWS = [*WSP CRLF] 1*WSP": each CRLF before a blank becomes two blanks, so that no offset moves.
fn unfold(head: &[u8]) -> Bytes {
    let mut copy = BytesMut::from(head);
    for at in 0..copy.len().saturating_sub(2) {
        if copy[at] == b'\r' && copy[at + 1] == b'\n' && is_space(copy[at + 2]) {
            copy[at] = b' ';
            copy[at + 1] = b' ';
        }
    }
    copy.freeze()
}
