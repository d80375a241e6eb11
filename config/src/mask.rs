//! Hides passwords in the text an error page quotes: a page is pasted into tickets and chats.
//!
//! Works on the raw text, because a page is most needed where the file cannot be parsed. Each hidden byte becomes
//! one `*`, so that every span still points at its place.

use super::nearest::nearest;

/// The text with the value of everything that is a secret, or looks like a misspelt one, hidden. A comment is left as it
/// is, but for a setting that somebody has commented out and what stands in quotes after a secret's name.
pub(crate) fn mask(source: &str) -> String {
    let mut masked = String::with_capacity(source.len());
    let (mut rest, mut place) = (source, Place::default());
    while let Some(equals) = rest.find('=') {
        let (before, after) = rest.split_at(equals + 1);
        masked.push_str(before);
        place.pass(before);
        let key = key_before(&before[..equals]);
        let length = if holds_secret(key) {
            place.value_length(after, key)
        } else {
            0
        };
        let (value, tail) = after.split_at(length);
        let blank = value.len() - value.trim_start_matches([' ', '\t']).len();
        masked.push_str(&value[..blank]);
        masked.extend(value[blank..].bytes().map(hidden));
        place.pass(value);
        rest = tail;
    }
    masked.push_str(rest);
    masked
}

/// Where in a text we are, as far as comments go.
#[derive(Default)]
struct Place {
    /// The quote of the string we are in; it ends with the line.
    quote: Option<char>,
    /// The character before is a backslash in a string.
    escaped: bool,
    /// In a comment: how much of it has passed that is neither blank nor `#`.
    comment: Option<usize>,
}

impl Place {
    fn pass(&mut self, text: &str) {
        for c in text.chars() {
            match (c, self.quote) {
                ('\n', _) => *self = Place::default(),
                _ if self.comment.is_some() => {
                    if !matches!(c, ' ' | '\t' | '#')
                        && let Some(passed) = &mut self.comment
                    {
                        *passed += 1;
                    }
                }
                (_, Some(_)) if self.escaped => self.escaped = false,
                ('\\', Some('"')) => self.escaped = true,
                (c, Some(quote)) if c == quote => self.quote = None,
                ('"' | '\'', None) => self.quote = Some(c),
                ('#', None) => self.comment = Some(0),
                _ => {}
            }
        }
    }

    /// How many bytes after the `=` are a secret.
    fn value_length(&self, after: &str, key: &str) -> usize {
        let Some(passed) = self.comment else {
            return value_length(after);
        };
        let line = &after[..after.find('\n').unwrap_or(after.len())];
        // The key and the `=` are all there is of the comment so far: a setting that is switched off.
        let setting = passed <= key.len() + "\"\"=".len();
        let quoted = line.trim_start_matches([' ', '\t']).starts_with(['"', '\'']);
        if setting || quoted { value_length(line) } else { 0 }
    }
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
        || lower.contains("sha256")
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
    // Without quotes nobody can tell a comment from the rest of a secret with a `#` in it.
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
            // Comments are for whoever reads the page.
            (
                "# to pass the time = play\nid = 1",
                "# to pass the time = play\nid = 1",
            ),
            (
                "id = 1 # the password = his = dog's",
                "id = 1 # the password = his = dog's",
            ),
            ("password = #hunter2", "password = ********"),
            ("password=hunter22 # why", "password=**************"),
            ("password = correct horse #7", "password = ****************"),
            ("passwords = [\"x #y\"]", "passwords = *\"****\"*"),
            ("id = \"a#b\" # say = pass", "id = \"a#b\" # say = pass"),
            // A setting that is switched off holds a secret all the same, and no more than its line.
            (
                "# password = \"hunter22\" # why",
                "# password = \"********\" # why",
            ),
            ("#ha1=abc", "#ha1=***"),
            ("## \"password\" = 'a'", "## \"password\" = '*'"),
            ("# password = \"\"\"a\nid = 1", "# password = \"\"\"*\nid = 1"),
            ("# old: password = \"hunter22\"", "# old: password = \"********\""),
            // A string that is never closed makes no comment of the next line.
            (
                "id = \"never\npassword = \"a # b\"",
                "id = \"never\npassword = \"*****\"",
            ),
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
