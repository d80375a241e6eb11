//! Hides passwords in the text an error page quotes: a page is pasted into tickets and chats.
//!
//! Works on the raw text, because a page is most needed where the file cannot be parsed. Each hidden byte becomes
//! one `*`, so that every span still points at its place.

use super::nearest::nearest;

/// The text with the value of everything that is a secret, or looks like a misspelt one, hidden.
pub(super) fn mask(source: &str) -> String {
    let mut masked = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(equals) = rest.find('=') {
        let (before, after) = rest.split_at(equals + 1);
        masked.push_str(before);
        rest = after;
        if holds_secret(key_before(&before[..equals])) {
            let length = value_length(after);
            let (value, tail) = after.split_at(length);
            let blank = value.len() - value.trim_start_matches([' ', '\t']).len();
            masked.push_str(&value[..blank]);
            masked.extend(value[blank..].bytes().map(hidden));
            rest = tail;
        }
    }
    masked.push_str(rest);
    masked
}

/// Quotes and line ends stay: they show where a string is not closed.
fn hidden(byte: u8) -> char {
    if matches!(byte, b'\n' | b'\r' | b'"' | b'\'') {
        char::from(byte)
    } else {
        '*'
    }
}

/// The key that ends where the text ends, without its quotes.
fn key_before(text: &str) -> &str {
    let text = text.trim_end_matches([' ', '\t']).trim_end_matches(['"', '\'']);
    let start = text
        .rfind(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-')))
        .map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
    &text[start..]
}

fn holds_secret(key: &str) -> bool {
    let lower = key.to_ascii_lowercase();
    // The name of a variable is no secret, and the page about it needs the name.
    if lower == "password_env" {
        return false;
    }
    lower.contains("pass")
        || lower.contains("secret")
        || nearest(&lower, ["password", "ha1", "token"]).is_some()
}

/// How many bytes after the `=` belong to the value: to the closing quote, or to the end of the line where there is
/// none.
fn value_length(after: &str) -> usize {
    let blank = after.len() - after.trim_start_matches([' ', '\t']).len();
    let value = &after[blank..];
    for (quote, lines) in [("\"\"\"", true), ("'''", true), ("\"", false), ("'", false)] {
        let Some(body) = value.strip_prefix(quote) else {
            continue;
        };
        let end = closing(body, quote, lines);
        return blank + quote.len() + end;
    }
    after.find('\n').unwrap_or(after.len())
}

/// The length of a string's body and its closing quote; of the line (or the text) if it is never closed.
fn closing(body: &str, quote: &str, lines: bool) -> usize {
    let mut escaped = false;
    for (at, c) in body.char_indices() {
        if !lines && c == '\n' {
            return at;
        }
        if !escaped && body[at..].starts_with(quote) {
            return at + quote.len();
        }
        escaped = quote.starts_with('"') && c == '\\' && !escaped;
    }
    body.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn secrets_are_hidden_and_everything_else_stands() {
        for (source, shown) in [
            ("password = \"hunter22\"", "password = \"********\""),
            ("password=hunter22 x\nid = 1", "password=**********\nid = 1"),
            (
                "{ id = \"1\", ha1 = 'abc', queues = [] }",
                "{ id = \"1\", ha1 = '***', queues = [] }",
            ),
            ("pasword = \"hunter22\" # why", "pasword = \"********\" # why"),
            ("\"password\" = \"a\\\"b\"", "\"password\" = \"**\"*\""),
            (
                "password = \"\"\"a\nb\"\"\"\nid = 1",
                "password = \"\"\"*\n*\"\"\"\nid = 1",
            ),
            (
                "password = \"never closed\nid = \"1\"",
                "password = \"************\nid = \"1\"",
            ),
            ("password_env = \"NAME\"", "password_env = \"NAME\""),
            ("ports = [1, 2]", "ports = [1, 2]"),
            ("à=1", "à=1"),
        ] {
            assert_eq!(mask(source), shown);
        }
    }

    proptest! {
        #[test]
        fn places_do_not_move(text in "(\\PC|\n|=|\"|'|password|ha1| ){0,64}") {
            let masked = mask(&text);
            prop_assert_eq!(masked.len(), text.len());
            let breaks = |text: &str| text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at).collect::<Vec<_>>();
            prop_assert_eq!(breaks(&masked), breaks(&text));
        }
    }
}
