//! Messages we send: one growing buffer, no templates.

use std::fmt::{self, Write as _};

use bytes::Bytes;

use super::{HeaderName, Method, Status};

/// A message being written. [`Draft::finish`] adds the body and its length.
pub(crate) struct Draft(Vec<u8>);

/// Appends formatted text.
pub(crate) fn push_display(out: &mut Vec<u8>, text: fmt::Arguments<'_>) {
    struct Sink<'a>(&'a mut Vec<u8>);
    impl fmt::Write for Sink<'_> {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.extend_from_slice(text.as_bytes());
            Ok(())
        }
    }
    // Writing to a vector cannot fail.
    let _ = Sink(out).write_fmt(text);
}

impl Draft {
    /// A request's start line.
    pub(crate) fn request(method: Method, uri: &[u8]) -> Self {
        let mut draft = Draft(Vec::with_capacity(1024));
        draft
            .push(method.as_str().as_bytes())
            .push(b" ")
            .push(uri)
            .push(b" SIP/2.0\r\n");
        draft
    }

    /// A response's start line; an empty phrase means the usual one.
    pub(crate) fn response(status: Status, phrase: &str) -> Self {
        let mut draft = Draft(Vec::with_capacity(768));
        if phrase.is_empty() {
            push_display(&mut draft.0, format_args!("SIP/2.0 {status}\r\n"));
        } else {
            let code = status.code();
            push_display(&mut draft.0, format_args!("SIP/2.0 {code} {phrase}\r\n"));
        }
        draft
    }

    /// Header lines written elsewhere, each with its CRLF.
    pub(crate) fn raw(mut self, lines: &[u8]) -> Self {
        self.push(lines);
        self
    }

    /// A header field with formatted text. The text must hold no line break: see [`clean`].
    pub(crate) fn header(mut self, name: HeaderName, value: fmt::Arguments<'_>) -> Self {
        self.push(name.as_str().as_bytes()).push(b": ");
        push_display(&mut self.0, value);
        self.push(b"\r\n");
        self
    }

    /// A header field whose value is bytes.
    pub(crate) fn field(mut self, name: HeaderName, value: &[u8]) -> Self {
        self.push(name.as_str().as_bytes())
            .push(b": ")
            .push(value)
            .push(b"\r\n");
        self
    }

    /// A header field this crate has no [`HeaderName`] for.
    pub(crate) fn named(mut self, name: &str, value: &str) -> Self {
        self.push(name.as_bytes()).push(b": ");
        clean(value, &mut self.0);
        self.push(b"\r\n");
        self
    }

    /// The end of the head, and the body.
    pub(crate) fn finish(mut self, content_type: Option<&str>, body: &[u8]) -> Bytes {
        if let Some(kind) = content_type.filter(|_| !body.is_empty()) {
            push_display(&mut self.0, format_args!("Content-Type: {kind}\r\n"));
        }
        push_display(
            &mut self.0,
            format_args!("Content-Length: {}\r\n\r\n", body.len()),
        );
        self.push(body);
        Bytes::from(self.0)
    }

    fn push(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }
}

/// Text from outside, as part of a header value: control characters, line breaks first of all, become blanks.
pub(crate) fn clean(text: &str, out: &mut Vec<u8>) {
    for c in text.chars() {
        let c = if c.is_control() { ' ' } else { c };
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }
}
