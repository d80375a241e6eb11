//! Messages out of a byte stream (RFC 3261 §18.3): Content-Length framing, CRLF keep-alive, limits. Pure.

use bytes::{Buf, Bytes, BytesMut};

use crate::message::{HeaderName, MAX_MESSAGE, Message};

#[cfg(test)]
mod tests;

/// The stream cannot be followed any further: close it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FrameError {
    /// A head without end, or longer than [`MAX_MESSAGE`] with its body.
    #[error("a message longer than {MAX_MESSAGE} octets")]
    TooLong,
    /// The next octets are not a SIP start line.
    #[error("not SIP")]
    NotSip,
    /// "Content-Length … MUST be used" on streams (§20.14), once, and as a number.
    #[error("no usable Content-Length")]
    NoLength,
    /// A message that was refused before it was whole: where the next would begin is not known.
    #[error("refused before its end")]
    Refused,
}

/// The answer to a keep-alive, a double CRLF (RFC 5626 §3.5.1).
pub const PONG: &[u8] = b"\r\n";

/// Cuts a stream into messages.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: BytesMut,
    /// No blank line begins before this offset.
    searched: usize,
    /// Line breaks passed since the last message.
    breaks: usize,
    /// Keep-alives not yet answered.
    pings: usize,
    /// Why the stream ends here: told after the head that showed it, so that the endpoint can answer that head.
    broken: Option<FrameError>,
}

impl Framer {
    /// An empty one, for a new connection.
    pub fn new() -> Self {
        Framer::default()
    }

    /// Takes what was read from the connection.
    ///
    /// # Errors
    /// [`FrameError::TooLong`] when the buffer would outgrow one message: call [`Framer::next`] to `None` after each push
    /// of at most [`MAX_MESSAGE`] bytes.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), FrameError> {
        if self.buffer.len() + bytes.len() > 2 * MAX_MESSAGE {
            return Err(FrameError::TooLong);
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// Whether no message has begun: what a shell closes slow connections by.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// How many keep-alives have come since the last asking: send [`PONG`] as many times.
    pub fn take_pings(&mut self) -> usize {
        std::mem::take(&mut self.pings)
    }

    /// The next thing in the stream; `None` when more bytes are needed. A head whose length cannot be read is returned
    /// without its body, for the endpoint to refuse, before the error.
    ///
    /// # Errors
    /// [`FrameError`]: the connection is to be closed.
    #[expect(
        clippy::should_implement_trait,
        reason = "it fails, and an iterator that fails goes on"
    )]
    pub fn next(&mut self) -> Result<Option<Bytes>, FrameError> {
        if let Some(error) = self.broken {
            return Err(error);
        }
        self.skip_breaks();
        let Some(end) = self.head_end()? else {
            return Ok(None);
        };
        let total = match content_length(&self.buffer[..end]) {
            Ok(length) if end + length <= MAX_MESSAGE => end + length,
            outcome => {
                self.broken = Some(outcome.err().unwrap_or(FrameError::TooLong));
                return Ok(Some(self.buffer.split_to(end).freeze()));
            }
        };
        if self.buffer.len() < total {
            return Ok(None);
        }
        self.searched = 0;
        self.breaks = 0;
        Ok(Some(self.buffer.split_to(total).freeze()))
    }

    /// The head of a message whose sender has paused before its end, if what is there is wrong already: to be refused now,
    /// and the stream closed, instead of being waited for. Ask after a pause only: a head is usually whole at once.
    pub fn refuse_early(&mut self) -> Option<Bytes> {
        if self.broken.is_some() || self.buffer.is_empty() {
            return None;
        }
        let end = match self.head_end() {
            Ok(Some(end)) => end,
            Ok(None) => self.buffer.windows(2).rposition(|w| w == b"\r\n")? + 2,
            Err(_) => return None,
        };
        let mut head = Vec::with_capacity(end + 2);
        head.extend_from_slice(&self.buffer[..end]);
        if !head.ends_with(b"\r\n\r\n") {
            head.extend_from_slice(b"\r\n");
        }
        let head = Bytes::from(head);
        if !is_wrong_already(&head) {
            return None;
        }
        self.broken = Some(FrameError::Refused);
        Some(head)
    }

    /// Passes line breaks before a message; every second one is a keep-alive.
    fn skip_breaks(&mut self) {
        while let Some(b @ (b'\r' | b'\n')) = self.buffer.first().copied() {
            self.buffer.advance(1);
            if b == b'\n' {
                self.breaks += 1;
                if self.breaks == 2 {
                    self.breaks = 0;
                    self.pings += 1;
                }
            }
        }
    }

    fn head_end(&mut self) -> Result<Option<usize>, FrameError> {
        let start = self.searched.saturating_sub(3);
        if let Some(at) = self.buffer[start..].windows(4).position(|w| w == b"\r\n\r\n") {
            let end = start + at + 4;
            self.searched = start + at;
            return if looks_like_sip(&self.buffer) {
                Ok(Some(end))
            } else {
                Err(FrameError::NotSip)
            };
        }
        self.searched = self.buffer.len();
        if !looks_like_sip(&self.buffer) {
            return Err(FrameError::NotSip);
        }
        if self.buffer.len() > MAX_MESSAGE {
            Err(FrameError::TooLong)
        } else {
            Ok(None)
        }
    }
}

/// Enough of a start line to go on reading: a TLS hello or an HTTP request is not.
fn looks_like_sip(bytes: &[u8]) -> bool {
    let line_end = bytes.iter().position(|b| *b == b'\r');
    let line = &bytes[..line_end.unwrap_or(bytes.len()).min(4096)];
    if line
        .iter()
        .take_while(|b| **b != b' ')
        .any(|b| !(0x21..0x7f).contains(b))
    {
        return false;
    }
    if line_end.is_none() {
        // No start line is this long: 2 KiB of URI and a method.
        return bytes.len() < 4096;
    }
    line.get(..4).is_some_and(|w| w.eq_ignore_ascii_case(b"SIP/"))
        || line.windows(5).any(|w| w.eq_ignore_ascii_case(b" SIP/"))
}

/// Whether a head can only be refused, and says enough for its sender to know the answer by.
fn is_wrong_already(head: &Bytes) -> bool {
    // The body is not there yet: its length is not looked at.
    let Ok(message) = Message::parse_head(head.clone()) else {
        return false;
    };
    let needed = [
        HeaderName::Via,
        HeaderName::From,
        HeaderName::To,
        HeaderName::CallId,
        HeaderName::CSeq,
    ];
    let whole = needed.iter().all(|name| message.first(*name).is_some());
    let refused = message.fault().is_some() || message.essentials().is_err();
    message.method().is_some() && whole && refused
}

/// The one Content-Length of a head.
fn content_length(head: &[u8]) -> Result<usize, FrameError> {
    let mut found = None;
    let mut lines = head.split(|b| *b == b'\n').skip(1).peekable();
    while let Some(line) = lines.next() {
        let Some(colon) = line.iter().position(|b| *b == b':') else {
            continue;
        };
        let name = line[..colon].trim_ascii();
        if line[0].is_ascii_whitespace()
            || !(name.eq_ignore_ascii_case(b"Content-Length") || name.eq_ignore_ascii_case(b"l"))
        {
            continue;
        }
        let mut value = line[colon + 1..].trim_ascii().to_vec();
        while let Some(more) = lines.next_if(|l| matches!(l.first(), Some(b' ' | b'\t'))) {
            value.extend_from_slice(more.trim_ascii());
        }
        let digits = !value.is_empty() && value.len() < 10 && value.iter().all(u8::is_ascii_digit);
        if !digits {
            return Err(FrameError::NoLength);
        }
        let length = value.iter().fold(0_usize, |n, b| n * 10 + usize::from(b - b'0'));
        if found.replace(length).is_some() {
            return Err(FrameError::NoLength);
        }
    }
    found.ok_or(FrameError::NoLength)
}
