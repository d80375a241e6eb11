//! Finding the Call-ID of a message without reading the message: what this costs, every message costs.

use memchr::memchr;

use super::HEAD;

/// The longest that is followed.
const LONGEST: usize = 256;

/// The value of the first Call-ID line, in any spelling of its name, compact too. Not one that is folded or missing.
pub(super) fn of(message: &[u8]) -> Option<&[u8]> {
    let mut rest = &message[..message.len().min(HEAD)];
    loop {
        let end = memchr(b'\n', rest)?;
        rest = &rest[end + 1..];
        let after_name = match rest {
            [b'C' | b'c', ..] if rest.len() > 7 && rest[..7].eq_ignore_ascii_case(b"call-id") => &rest[7..],
            [b'I' | b'i', b':' | b' ' | b'\t', ..] => &rest[1..],
            // The head ends here.
            [b'\r' | b'\n', ..] => return None,
            _ => continue,
        };
        let Some(value) = after_name.trim_ascii_start().strip_prefix(b":") else {
            continue;
        };
        let end = memchr(b'\n', value)?;
        let value = value[..end].trim_ascii();
        return (!value.is_empty() && value.len() <= LONGEST).then_some(value);
    }
}
