//! The subject of a client's certificate, written as RFC 4514 says: `CN=crm,O=Example`.
//!
//! Deliberately small: a name with a type outside RFC 4514 §3, or with a text that is neither UTF-8, printable nor IA5, is
//! not written, and so is nobody's.

use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::CertificateDer;

/// The types of RFC 4514 §3, by the octets of their object identifiers.
const TYPES: [(&str, &[u8]); 9] = [
    ("CN", &[0x55, 4, 3]),
    ("L", &[0x55, 4, 7]),
    ("ST", &[0x55, 4, 8]),
    ("O", &[0x55, 4, 10]),
    ("OU", &[0x55, 4, 11]),
    ("C", &[0x55, 4, 6]),
    ("STREET", &[0x55, 4, 9]),
    ("DC", &[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25]),
    ("UID", &[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1]),
];

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_IDENTIFIER: u8 = 0x06;
/// UTF8String, PrintableString, IA5String.
const TEXTS: [u8; 3] = [0x0c, 0x13, 0x16];

/// The names of the types that a subject may have.
pub(crate) fn types() -> impl Iterator<Item = &'static str> + Clone {
    TYPES.iter().map(|(name, _)| *name)
}

/// The subject of a certificate; `None` if it cannot be written.
pub(super) fn subject(certificate: &CertificateDer<'_>) -> Option<String> {
    // It only reads the certificate: nothing is trusted by it.
    let mut reader = RootCertStore::empty();
    reader.add(certificate.clone()).ok()?;
    write(&reader.roots.first()?.subject)
}

/// "the output consists of the string encodings of each RelativeDistinguishedName in the RDNSequence …, starting with the
/// last element of the sequence and moving backwards toward the first" (RFC 4514 §2.1).
fn write(mut name: &[u8]) -> Option<String> {
    let mut parts = Vec::new();
    while !name.is_empty() {
        let mut set = take(&mut name, &[SET])?;
        let mut attributes = Vec::new();
        while !set.is_empty() {
            let mut attribute = take(&mut set, &[SEQUENCE])?;
            let kind = take(&mut attribute, &[OBJECT_IDENTIFIER])?;
            let (kind, _) = TYPES.iter().find(|(_, octets)| *octets == kind)?;
            let text = std::str::from_utf8(take(&mut attribute, &TEXTS)?).ok()?;
            attributes.push(format!("{kind}={}", escaped(text)?));
        }
        parts.push(attributes.join("+"));
    }
    parts.reverse();
    Some(parts.join(",")).filter(|written| !written.is_empty())
}

/// RFC 4514 §2.4; a text with a control character is not written.
fn escaped(text: &str) -> Option<String> {
    let last = text.chars().count().saturating_sub(1);
    let mut written = String::with_capacity(text.len());
    for (at, character) in text.chars().enumerate() {
        let edge = match character {
            ' ' => at == 0 || at == last,
            '#' => at == 0,
            _ => false,
        };
        if character.is_control() {
            return None;
        }
        if edge || matches!(character, '"' | '+' | ',' | ';' | '<' | '>' | '\\') {
            written.push('\\');
        }
        written.push(character);
    }
    Some(written)
}

/// The content of the next element, if it has one of these tags (X.690 §8.1).
fn take<'d>(der: &mut &'d [u8], tags: &[u8]) -> Option<&'d [u8]> {
    let (tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match *first {
        short @ 0..=0x7f => (usize::from(short), rest),
        0x81 => {
            let (length, rest) = rest.split_first()?;
            (usize::from(*length), rest)
        }
        0x82 => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    *der = rest;
    tags.contains(tag).then_some(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u8::try_from(content.len()).unwrap();
        assert!(length < 0x80);
        [&[tag, length], content].concat()
    }

    fn attribute(kind: &[u8], tag: u8, text: &[u8]) -> Vec<u8> {
        let pair = [element(OBJECT_IDENTIFIER, kind), element(tag, text)].concat();
        element(SEQUENCE, &pair)
    }

    #[test]
    fn a_subject_begins_with_the_last_name_and_escapes_what_would_read_as_another() {
        let [cn, o] = [&[0x55, 4, 3][..], &[0x55, 4, 10]];
        let organisation = element(SET, &attribute(o, 0x13, b"Example, Inc."));
        let name = element(SET, &attribute(cn, 0x0c, b" crm"));
        let whole = [organisation, name].concat();
        assert_eq!(write(&whole).as_deref(), Some("CN=\\ crm,O=Example\\, Inc."));
        let both = [attribute(cn, 0x0c, b"crm"), attribute(o, 0x0c, b"x")].concat();
        assert_eq!(write(&element(SET, &both)).as_deref(), Some("CN=crm+O=x"));
    }

    #[test]
    fn a_subject_that_cannot_be_written_is_nobodys() {
        let cn = &[0x55, 4, 3][..];
        for (kind, tag, text) in [
            // emailAddress, UTF-16, not UTF-8, a control character.
            (
                &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1][..],
                0x16,
                &b"a@b"[..],
            ),
            (cn, 0x1e, b"\0c"),
            (cn, 0x0c, b"\xff"),
            (cn, 0x0c, b"crm\0"),
        ] {
            assert_eq!(
                write(&element(SET, &attribute(kind, tag, text))),
                None,
                "{text:?}"
            );
        }
        let whole = element(SET, &attribute(cn, 0x0c, b"crm"));
        assert_eq!(write(&whole).as_deref(), Some("CN=crm"));
        for cut in 1..whole.len() {
            assert_eq!(write(&whole[..cut]), None, "cut at {cut}");
        }
        assert_eq!(write(&[]), None);
        assert_eq!(subject(&CertificateDer::from(vec![0x30, 0x00])), None);
    }
}
