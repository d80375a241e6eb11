//! The grammar's small words (RFC 3261 §25.1): tokens, linear white space, quoted strings, lists, parameters.
//! Everything works on borrowed bytes; nothing allocates but the un-escaping functions.

/// Whether an octet is a `token` character.
pub(super) const fn is_token(b: u8) -> bool {
    CLASSES[b as usize] & TOKEN != 0
}

/// Classes of a byte, looked up rather than compared: most of a message's bytes are asked for one of them.
pub(super) const TOKEN: u8 = 1;
/// A character of a parameter's value outside a quoted string, see [`Params::is_value`].
const VALUE: u8 = 1 << 1;
/// A character that ends the simple run of a list: a quote or an angle bracket.
const BRACKET: u8 = 1 << 2;
/// A character that no URI holds: a control, a blank, a quote or an angle bracket.
pub(super) const NOT_URI: u8 = 1 << 3;
/// The sign that begins an escape.
pub(super) const ESCAPE: u8 = 1 << 4;
/// A character of a host name. The underscore is not legal there, but common.
pub(super) const HOST: u8 = 1 << 5;

/// The classes of each byte.
pub(super) const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut at = 0;
    while at < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "below 256")]
        let b = at as u8;
        let alphanumeric = b.is_ascii_alphanumeric();
        let mut class = 0;
        if alphanumeric
            || matches!(
                b,
                b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~'
            )
        {
            class |= TOKEN | VALUE;
        }
        if matches!(b, b':' | b'[' | b']' | b'/' | b'@' | b'=' | b'$' | b'&') {
            class |= VALUE;
        }
        if matches!(b, b'"' | b'<' | b'>') {
            class |= BRACKET | NOT_URI;
        }
        if b <= b' ' || b == 0x7f {
            class |= NOT_URI;
        }
        if b == b'%' {
            class |= ESCAPE;
        }
        if alphanumeric || matches!(b, b'-' | b'.' | b'_') {
            class |= HOST;
        }
        classes[at] = class;
        at += 1;
    }
    classes
};

/// Whether a byte has one of these classes.
pub(super) const fn is(b: u8, class: u8) -> bool {
    CLASSES[b as usize] & class != 0
}

/// Space, tab, and what unfolding left of a line break.
pub(super) const fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t')
}

/// A non-empty token.
pub(super) fn is_token_text(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|b| is_token(*b))
}

/// Without white space at either end.
pub(super) fn trim(mut text: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = text
        && is_space(*first)
    {
        text = rest;
    }
    while let [rest @ .., last] = text
        && is_space(*last)
    {
        text = rest;
    }
    text
}

/// An unsigned number of digits only; `None` when empty, not a number or too large.
pub(super) fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |value, b| {
        if !b.is_ascii_digit() {
            return None;
        }
        value.checked_mul(10)?.checked_add(u64::from(b - b'0'))
    })
}

/// The end of the quoted string that begins at `text[0] == '"'`: the index after its closing quote.
pub(super) fn quoted_end(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    while at < text.len() {
        match text[at] {
            b'\\' => at += 2,
            b'"' => return Some(at + 1),
            _ => at += 1,
        }
    }
    None
}

/// Where `stop` next occurs outside quoted strings and angle brackets. `Err` for a quote or bracket left open.
pub(super) fn find_outside(text: &[u8], stop: u8) -> Result<Option<usize>, ()> {
    let mut at = 0;
    let mut angle = false;
    while at < text.len() {
        if !angle {
            let run = text[at..].iter().position(|b| *b == stop || is(*b, BRACKET));
            let Some(run) = run else { return Ok(None) };
            at += run;
        }
        match text[at] {
            b'"' if !angle => at += quoted_end(&text[at..]).ok_or(())?,
            b if b == stop && !angle => return Ok(Some(at)),
            b => {
                match b {
                    b'<' => angle = true,
                    b'>' => angle = false,
                    _ => {}
                }
                at += 1;
            }
        }
    }
    if angle { Err(()) } else { Ok(None) }
}

/// The values of a comma-separated list, trimmed. A quote or bracket left open ends the list with an `Err`.
pub(super) struct List<'a>(Option<&'a [u8]>);

impl<'a> List<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        List(Some(text))
    }
}

impl<'a> Iterator for List<'a> {
    type Item = Result<&'a [u8], ()>;

    fn next(&mut self) -> Option<Self::Item> {
        let text = self.0.take()?;
        match find_outside(text, b',') {
            Ok(Some(at)) => {
                self.0 = Some(&text[at + 1..]);
                Some(Ok(trim(&text[..at])))
            }
            Ok(None) => Some(Ok(trim(text))),
            Err(()) => Some(Err(())),
        }
    }
}

/// A parameter's name, and its value if it has one.
type Param<'a> = (&'a [u8], Option<&'a [u8]>);

/// `;name=value` parameters as they came, white space removed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Params<'a>(&'a [u8]);

impl<'a> Params<'a> {
    /// `text` is empty or begins with a semicolon. Checks the whole of it: an empty or malformed parameter is an error.
    pub(crate) fn parse(text: &'a [u8]) -> Option<Self> {
        let text = trim(text);
        let mut rest = text;
        while !rest.is_empty() {
            rest = Self::step(rest)?.1;
        }
        Some(Params(text))
    }

    /// The first parameter, and the rest.
    fn step(text: &'a [u8]) -> Option<(Param<'a>, &'a [u8])> {
        let text = trim(text.strip_prefix(b";")?);
        if let Some(simple) = Self::simple(text) {
            return Some(simple);
        }
        let end = find_outside(text, b';').ok()?.unwrap_or(text.len());
        let (one, rest) = text.split_at(end);
        let equals = one.iter().position(|b| *b == b'=');
        let (name, value) = match equals {
            Some(at) => (trim(&one[..at]), Some(trim(&one[at + 1..]))),
            None => (trim(one), None),
        };
        let value_stands = value.is_none_or(Self::is_value);
        (is_token_text(name) && value_stands).then_some(((name, value), rest))
    }

    /// A parameter of token characters only, as nearly all are, in one pass; `None` sends it the long way.
    fn simple(text: &'a [u8]) -> Option<(Param<'a>, &'a [u8])> {
        let named = text.iter().position(|b| !is(*b, TOKEN)).unwrap_or(text.len());
        let (name, after) = text.split_at(named);
        if name.is_empty() {
            return None;
        }
        match after {
            [] | [b';', ..] => Some(((name, None), after)),
            [b'=', value @ ..] => {
                let end = value.iter().position(|b| !is(*b, VALUE)).unwrap_or(value.len());
                let (value, rest) = value.split_at(end);
                let whole = !value.is_empty() && matches!(rest, [] | [b';', ..]);
                whole.then_some(((name, Some(value)), rest))
            }
            _ => None,
        }
    }

    /// `gen-value = token / host / quoted-string`, and the colon of an IPv6 `received` without brackets (RFC 5118 §4.5).
    fn is_value(value: &[u8]) -> bool {
        match value.first() {
            None => false,
            Some(b'"') => quoted_end(value) == Some(value.len()),
            Some(_) => value.iter().all(|b| is(*b, VALUE)),
        }
    }

    /// Name and value of each parameter; a quoted value keeps its quotes.
    pub fn iter(&self) -> impl Iterator<Item = Param<'a>> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (param, after) = Self::step(rest)?;
            rest = after;
            Some(param)
        })
    }

    /// The value of the first parameter of this name (case-insensitive); `Some(None)` when it has none.
    pub fn find(&self, name: &str) -> Option<Option<&'a [u8]>> {
        if self.0.is_empty() {
            return None;
        }
        self.iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    /// The value of the first parameter of this name that has one.
    pub fn value(&self, name: &str) -> Option<&'a [u8]> {
        self.find(name).flatten()
    }

    /// The parameters as they came.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.0
    }
}

/// The text of a quoted string without quotes and backslashes; other text as it is. Bytes that are not UTF-8 are
/// taken as Latin-1, which is what the phones that send them mean.
pub(super) fn unquote(text: &[u8]) -> String {
    let Some(inner) = text.strip_prefix(b"\"").and_then(|t| t.strip_suffix(b"\"")) else {
        return decode(text);
    };
    let mut plain = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter();
    while let Some(b) = bytes.next() {
        match b {
            b'\\' => plain.extend(bytes.next()),
            b => plain.push(*b),
        }
    }
    decode(&plain)
}

/// UTF-8, or else Latin-1.
pub(super) fn decode(text: &[u8]) -> String {
    match std::str::from_utf8(text) {
        Ok(text) => text.to_owned(),
        Err(_) => text.iter().map(|b| char::from(*b)).collect(),
    }
}

/// `%41` → `A`; a `%` that starts no escape stays.
pub(super) fn unescape(text: &[u8]) -> String {
    if !text.contains(&b'%') {
        return decode(text);
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'%', [high, low, after @ ..]) if let (Some(high), Some(low)) = (hex(*high), hex(*low)) => {
                plain.push(high << 4 | low);
                rest = after;
            }
            (first, _) => plain.push(*first),
        }
    }
    decode(&plain)
}

/// The value of one hexadecimal digit.
pub(crate) const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}
