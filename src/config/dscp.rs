//! `dscp` of `[sip]` and `[media]`: the class of service asked of the network.

use pronto_config::{Section, Wrong, nearest, quoted};

/// The names of RFC 2474, RFC 2597, RFC 3246.
const NAMES: [(&str, u8); 21] = [
    ("cs0", 0),
    ("cs1", 8),
    ("cs2", 16),
    ("cs3", 24),
    ("cs4", 32),
    ("cs5", 40),
    ("cs6", 48),
    ("cs7", 56),
    ("af11", 10),
    ("af12", 12),
    ("af13", 14),
    ("af21", 18),
    ("af22", 20),
    ("af23", 22),
    ("af31", 26),
    ("af32", 28),
    ("af33", 30),
    ("af41", 34),
    ("af42", 36),
    ("af43", 38),
    ("ef", 46),
];

/// Reads `dscp` of a section. RFC 4594 §4.2 names CS5 for signalling, but many networks have CS3 set up for it; media is
/// expedited forwarding (§4.1).
pub(super) fn read(section: &mut Section<'_, '_>) -> u8 {
    section.setting("dscp", parse)
}

fn parse(text: &str) -> Result<u8, Wrong> {
    if let Some((_, codepoint)) = NAMES.iter().find(|(name, _)| *name == text) {
        return Ok(*codepoint);
    }
    match text.parse::<u8>() {
        Ok(codepoint @ 0..=63) => Ok(codepoint),
        Ok(_) => Err(Wrong::because(format!(
            "{} is no codepoint: they end at 63",
            quoted(text)
        ))),
        Err(_) => Err(Wrong {
            nearest: nearest(&text.to_ascii_lowercase(), NAMES.map(|(name, _)| name)),
            ..Wrong::default()
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_codepoints_and_nothing_else_is() {
        for (text, codepoint) in [("ef", 46), ("cs3", 24), ("af31", 26), ("0", 0), ("63", 63)] {
            assert_eq!(parse(text).ok(), Some(codepoint));
        }
        for text in ["64", "-1", "256", "EF", "cs8", "af14", ""] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert_eq!(parse("EF").unwrap_err().nearest.as_deref(), Some("ef"));
    }
}
