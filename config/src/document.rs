//! From the text to the tree of its tables.

use toml::de::DeTable;

use super::mask::mask;
use super::nearest::quoted;
use super::problem::{Problem, Problems};

/// Reads the tree of a text; `None` where it is not TOML, which is noted.
///
/// A key written twice is noted and the tree is used all the same. Any other slip of syntax ends the reading, because
/// whatever follows it may be read as something it is not.
pub fn document<'s>(source: &'s str, problems: &mut Problems) -> Option<DeTable<'s>> {
    const TWICE: &str = "duplicate key";
    let (root, errors) = DeTable::parse_recoverable(source);
    let (twice, broken): (Vec<_>, Vec<_>) = errors.iter().partition(|error| error.message() == TWICE);
    let place = |error: &toml::de::Error| error.span().unwrap_or(0..0);
    for error in twice {
        let span = place(error);
        let key = quoted(source.get(span.clone()).unwrap_or_default());
        problems.push(Problem::error(
            span,
            format!("{key} is written twice"),
            "the second one",
        ));
    }
    if broken.is_empty() {
        return Some(root.into_inner());
    }
    // What stands at a slip of syntax may be a password.
    let masked = mask(source);
    for error in broken {
        let message = error.message();
        let (message, expected) = message.split_once(", expected ").unwrap_or((message, ""));
        let span = place(error);
        let found = match masked.get(span.clone()).map(str::trim) {
            Some("") | None if masked.get(span.start..).is_none_or(|rest| rest.trim().is_empty()) => {
                "the end of the file".to_owned()
            }
            Some("") | None => "the end of the line".to_owned(),
            Some(text) => quoted(text),
        };
        // Its name for '…', which is one of four ways to quote.
        let expected = expected.replace("literal string", "a text in quotes");
        problems.push(Problem::error(span, format!("not TOML: {message}"), found).expected(expected));
    }
    None
}
