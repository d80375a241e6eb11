//! Overwriting who called in a message that somebody looks at: same length, same structure.
//!
//! What is known to name nobody stays (Via, CSeq and their like); addresses lose user and display name, but for the
//! numbers that were dialled and for operators; any other header field loses its whole value. Two characters at the end
//! of a number stay, as everywhere in this house. Digests and media keys are overwritten whatever was asked.

use std::net::Ipv4Addr;

use super::Traced;

/// Header fields that name nobody.
const PLAIN: &[&str] = &[
    "via",
    "v",
    "call-id",
    "i",
    "cseq",
    "content-length",
    "l",
    "content-type",
    "c",
    "content-disposition",
    "content-encoding",
    "e",
    "max-forwards",
    "expires",
    "min-expires",
    "user-agent",
    "server",
    "allow",
    "supported",
    "k",
    "require",
    "proxy-require",
    "unsupported",
    "accept",
    "accept-encoding",
    "accept-language",
    "date",
    "timestamp",
    "retry-after",
    "reason",
    "session-expires",
    "x",
    "min-se",
    "rack",
    "rseq",
    "event",
    "o",
    "allow-events",
    "u",
    "mime-version",
    "privacy",
    "priority",
];
/// Header fields that are addresses.
const ADDRESSES: &[&str] = &[
    "from",
    "f",
    "to",
    "t",
    "contact",
    "m",
    "p-asserted-identity",
    "p-preferred-identity",
    "p-called-party-id",
    "remote-party-id",
    "diversion",
    "history-info",
    "referred-by",
    "b",
    "refer-to",
    "r",
    "record-route",
    "route",
    "path",
    "service-route",
    "reply-to",
];
/// Header fields of a digest.
const DIGEST: [&str; 6] = [
    "authorization",
    "proxy-authorization",
    "www-authenticate",
    "proxy-authenticate",
    "authentication-info",
    "proxy-authentication-info",
];
/// Parameters of a digest that are always overwritten.
const SECRETS: [&str; 6] = ["response", "nonce", "cnonce", "nextnonce", "opaque", "rspauth"];
/// Parameters of a digest that may be or contain a number.
const NAMING: [&str; 3] = ["username", "username*", "realm"];
/// Parameters of a digest that are addresses.
const TARGETS: [&str; 2] = ["uri", "domain"];
/// Header fields that say who calls, beside From.
const CALLERS: [&str; 6] = [
    "from",
    "f",
    "p-asserted-identity",
    "p-preferred-identity",
    "remote-party-id",
    "diversion",
];
/// A number shorter than this is not looked for in other places: it would be found everywhere.
const TELLING: usize = 5;

/// Users in a call's messages: those that may be shown, and those that must be hidden.
#[derive(Debug, Default)]
pub struct Names {
    /// Users that stay: what was dialled.
    ours: Vec<Vec<u8>>,
    /// Users that are overwritten wherever they stand.
    callers: Vec<Vec<u8>>,
}

impl Names {
    /// Learns from the INVITEs: whoever one was sent to is no secret, whoever it came from is one.
    pub fn of(messages: &[Traced]) -> Self {
        let mut names = Names::default();
        for message in messages
            .iter()
            .filter(|message| message.bytes.starts_with(b"INVITE "))
        {
            for (index, line) in message.bytes.split(|byte| *byte == b'\n').enumerate() {
                if line.iter().all(u8::is_ascii_whitespace) {
                    break;
                }
                let Some(user) = users(line).next().map(|range| number(&line[range]).to_vec()) else {
                    continue;
                };
                let from = CALLERS.contains(&name_of(line).as_str());
                if index == 0 && !names.ours.contains(&user) {
                    names.ours.push(user);
                } else if from && user.len() >= TELLING && !names.callers.contains(&user) {
                    names.callers.push(user);
                }
            }
        }
        names.callers.retain(|caller| !names.ours.contains(caller));
        names
    }
}

/// The message as it may be shown; with `numbers` only its secrets are overwritten.
pub fn redact(message: &[u8], names: &Names, numbers: bool) -> Vec<u8> {
    let mut bytes = message.to_vec();
    let mut at = 0;
    let mut name = String::new();
    while at < bytes.len() {
        let end = line_end(&bytes, at);
        let line = &mut bytes[at..end];
        if line.trim_ascii().is_empty() && at > 0 {
            at = end;
            break;
        }
        let value = if at == 0 || line[0] == b' ' || line[0] == b'\t' {
            0
        } else {
            name = name_of(line);
            line.iter()
                .position(|byte| *byte == b':')
                .map_or(line.len(), |colon| colon + 1)
        };
        header(&name, &mut line[value..], (at == 0, numbers), names);
        at = end;
    }
    body(&mut bytes[at..], numbers);
    if !numbers {
        for caller in &names.callers {
            everywhere(&mut bytes, caller);
        }
    }
    bytes
}

fn header(name: &str, value: &mut [u8], (start_line, numbers): (bool, bool), names: &Names) {
    if DIGEST.contains(&name) {
        // Of a scheme we do not know (Basic, Bearer) all may be secret.
        let scheme = value.trim_ascii_start();
        let digest = scheme
            .get(..6)
            .is_some_and(|it| it.eq_ignore_ascii_case(b"digest"));
        if name.ends_with("authorization") && !digest {
            return blank(value);
        }
        return digest_of(value, numbers, names);
    }
    if numbers || PLAIN.contains(&name) {
        return;
    }
    if start_line || ADDRESSES.contains(&name) {
        if !start_line {
            // What is no address may be anything.
            if schemes(value).next().is_none() {
                return blank(value);
            }
            displays(value);
        }
        addresses(value, names);
    } else {
        blank(value);
    }
}

/// Overwrites the users of addresses, but for our own numbers, and the header fields they ask for, which may name others.
fn addresses(value: &mut [u8], names: &Names) {
    let found: Vec<_> = users(value).collect();
    for range in found {
        let user = number(&value[range.clone()]);
        if !names.ours.iter().any(|ours| ours == user) {
            number_of(&mut value[range]);
        }
    }
    let uris: Vec<_> = schemes(value).collect();
    for uri in uris {
        if let Some(asked) = value[uri.clone()].iter().position(|byte| *byte == b'?') {
            blank(&mut value[uri.start + asked..uri.end]);
        }
    }
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..]
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(bytes.len(), |end| at + end + 1)
}

fn name_of(line: &[u8]) -> String {
    let colon = line.iter().position(|byte| *byte == b':').unwrap_or(0);
    String::from_utf8_lossy(line[..colon].trim_ascii()).to_ascii_lowercase()
}

/// Where the addresses in a line stand, without their schemes.
fn schemes(line: &[u8]) -> impl Iterator<Item = std::ops::Range<usize>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        while from < line.len() {
            let rest = &line[from..];
            let scheme = ["sips:", "sip:", "tel:"].into_iter().find(|scheme| {
                let fits = |head: &[u8]| head.eq_ignore_ascii_case(scheme.as_bytes());
                rest.get(..scheme.len()).is_some_and(fits)
            });
            let Some(scheme) = scheme else {
                from += 1;
                continue;
            };
            let start = from + scheme.len();
            let ends = |byte: &u8| matches!(byte, b'>' | b'<' | b'"' | b' ' | b'\t' | b'\r' | b'\n');
            let length = line[start..].iter().position(ends).unwrap_or(line.len() - start);
            from = start;
            return Some(start..start + length);
        }
        None
    })
}

/// Where the users of the addresses in a line stand, their parameters and passwords included.
fn users(line: &[u8]) -> impl Iterator<Item = std::ops::Range<usize>> {
    let mut seen = 0;
    schemes(line).filter_map(move |uri| {
        // What looks like a scheme in a user is part of it.
        if uri.start < seen {
            return None;
        }
        let is_tel = line[..uri.start]
            .get(uri.start.saturating_sub(4)..)
            .is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"tel:"));
        let length = if is_tel {
            Some(uri.len())
        } else {
            line[uri.clone()].iter().rposition(|byte| *byte == b'@')
        };
        seen = uri.start + length?;
        Some(uri.start..seen)
    })
}

/// A user without parameters and password.
fn number(user: &[u8]) -> &[u8] {
    let end = user.iter().position(|byte| matches!(byte, b';' | b':'));
    &user[..end.unwrap_or(user.len())]
}

/// Overwrites a number but for its last two characters, and whatever follows it wholly.
fn number_of(user: &mut [u8]) {
    if user.eq_ignore_ascii_case(b"anonymous") {
        return;
    }
    let length = number(user).len();
    let (number, rest) = user.split_at_mut(length);
    // As a `PhoneNumber` prints.
    let shown = if length >= 6 { 2 } else { 0 };
    blank(&mut number[..length - shown]);
    blank(rest);
}

fn blank(bytes: &mut [u8]) {
    for byte in bytes
        .iter_mut()
        .filter(|byte| byte.is_ascii_alphanumeric() || !byte.is_ascii())
    {
        *byte = b'x';
    }
}

/// Overwrites what stands in quotes, and names before `<`.
fn displays(value: &mut [u8]) {
    let mut word = 0;
    let mut at = 0;
    while at < value.len() {
        match value[at] {
            b'"' => {
                let start = at + 1;
                at = start;
                while at < value.len() && value[at] != b'"' {
                    at += if value[at] == b'\\' { 2 } else { 1 };
                }
                let end = at.min(value.len());
                blank(&mut value[start..end]);
                word = end;
            }
            b'<' => {
                blank(&mut value[word.min(at)..at]);
                let inside = value[at..].iter().position(|byte| *byte == b'>');
                at += inside.unwrap_or(value.len() - at);
                word = at;
            }
            b',' => word = at + 1,
            _ => {}
        }
        at += 1;
    }
}

/// Overwrites the values of a digest that somebody could guess a password with, and the numbers in it.
fn digest_of(value: &mut [u8], numbers: bool, names: &Names) {
    let mut at = 0;
    while at < value.len() {
        let end = value[at..]
            .iter()
            .position(|byte| *byte == b'=')
            .map(|equals| at + equals);
        let Some(equals) = end else { return };
        let name = value[at..equals]
            .rsplit(|byte| matches!(byte, b',' | b' ' | b'\t' | b'\n'))
            .find(|word| !word.is_empty())
            .unwrap_or_default();
        let is_one_of = |which: &[&str]| {
            let fits = |wanted: &&str| name.eq_ignore_ascii_case(wanted.as_bytes());
            which.iter().any(fits)
        };
        let secret = is_one_of(&SECRETS);
        let (naming, target) = (!numbers && is_one_of(&NAMING), !numbers && is_one_of(&TARGETS));
        let mut stop = equals + 1;
        while stop < value.len() && value[stop].is_ascii_whitespace() {
            stop += 1;
        }
        if value.get(stop) == Some(&b'"') {
            stop += 1;
            while stop < value.len() && value[stop] != b'"' {
                stop += if value[stop] == b'\\' { 2 } else { 1 };
            }
        } else {
            while stop < value.len() && value[stop] != b',' {
                stop += 1;
            }
        }
        let stop = stop.min(value.len());
        if secret {
            blank(&mut value[equals + 1..stop]);
        } else if naming {
            digits(&mut value[equals + 1..stop]);
        } else if target {
            addresses(&mut value[equals + 1..stop], names);
        }
        at = stop;
    }
}

/// Overwrites runs of five or more digits, with any separators between them (RFC 3966 §5.1.1, and escaped blanks). IPv4
/// addresses stay: many realms are one. An operator's name is shorter, or not a number.
fn digits(value: &mut [u8]) {
    let mut at = 0;
    while at < value.len() {
        let run = value[at..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit() || b"-() ./+%".contains(byte))
            .count();
        let found = &mut value[at..at + run];
        let count = found.iter().filter(|byte| byte.is_ascii_digit()).count();
        let address = std::str::from_utf8(found).is_ok_and(|text| text.trim().parse::<Ipv4Addr>().is_ok());
        if count >= TELLING && !address {
            let shown = if count >= 6 { 2 } else { 0 };
            let digits = found.iter_mut().filter(|byte| byte.is_ascii_digit());
            digits.take(count - shown).for_each(|digit| *digit = b'x');
        }
        at += run.max(1);
    }
}

/// A session description loses names and keys; of any other body only its length stays.
fn body(body: &mut [u8], numbers: bool) {
    // With numbers the whole body is shown, and may be of several parts: their keys are looked for all the same.
    if !numbers && !body.trim_ascii_start().starts_with(b"v=0") {
        return blank(body);
    }
    for line in body.split_mut(|byte| *byte == b'\n') {
        let keys = [&b"a=crypto:"[..], b"a=key-mgmt:", b"a=ice-pwd:", b"k="];
        if let Some(key) = keys.iter().find(|key| line.starts_with(key)) {
            let inline = line.windows(7).position(|window| window == b"inline:");
            blank(&mut line[inline.map_or(key.len(), |at| at + 7)..]);
        } else if !numbers && line.starts_with(b"o=") {
            let user = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
            blank(&mut line[2..user]);
        } else if !numbers
            && [b"s=", b"i=", b"e=", b"p=", b"u="]
                .iter()
                .any(|kind| line.starts_with(*kind))
        {
            blank(&mut line[2..]);
        }
    }
}

fn everywhere(bytes: &mut [u8], number: &[u8]) {
    let mut at = 0;
    while let Some(found) = bytes[at..]
        .windows(number.len())
        .position(|window| window == number)
    {
        let end = at + found + number.len();
        blank(&mut bytes[at + found..end - 2]);
        at = end;
    }
}
