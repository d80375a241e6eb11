//! Something wrong with a flow, and where; drawn as a page with carets elsewhere.

use std::ops::Range;

/// Something wrong, or doubtful, at one place of a flow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// Where: bytes of the source.
    pub span: Range<usize>,
    /// The sentence a person reads first.
    pub message: String,
    /// The text found there, in backticks, or the kind of thing it is.
    pub found: String,
    /// The text expected there; empty where the message says it all.
    pub expected: String,
    /// The nearest valid name, bare, where one is near.
    pub nearest: Option<String>,
}

impl Problem {
    pub(super) fn new(span: Range<usize>, message: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            span,
            message: message.into(),
            found: found.into(),
            expected: String::new(),
            nearest: None,
        }
    }

    pub(super) fn expected(self, expected: impl Into<String>) -> Self {
        Self {
            expected: expected.into(),
            ..self
        }
    }

    pub(super) fn nearest<'a>(self, found: &str, names: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            nearest: nearest(found, names),
            ..self
        }
    }
}

/// The problems met so far. After [`Problems::MOST`] the rest is noise.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<Problem>);

impl Problems {
    const MOST: usize = 100;

    pub(super) fn push(&mut self, problem: Problem) {
        if self.0.len() < Self::MOST {
            self.0.push(problem);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In the order of the text.
    pub(super) fn into_sorted(mut self) -> Vec<Problem> {
        self.0.sort_by_key(|problem| problem.span.start);
        self.0
    }
}

/// The name nearest to `found`, if it is within a slip or two: a third of its letters.
fn nearest<'a>(found: &str, names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    // The distance costs the product of the lengths: nothing this long is a slip of a name of ours.
    if found.len() > 128 {
        return None;
    }
    let found = found.to_lowercase();
    names
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&found, &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= (name.chars().count() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name.to_owned())
}

/// Text from the flow as it is shown to a person: in backticks, escaped, not endless.
pub(super) fn quoted(text: &str) -> String {
    const MOST: usize = 48;
    let shown: String = text.chars().take(MOST).flat_map(char::escape_debug).collect();
    let more = if text.chars().nth(MOST).is_some() {
        "…"
    } else {
        ""
    };
    format!("`{shown}{more}`")
}

/// Names as a person lists them: `one of `a`, `b``.
pub(super) fn one_of<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const MOST: usize = 16;
    let names: Vec<_> = names.into_iter().map(quoted).collect();
    match names.as_slice() {
        [] => "none: there are none".to_owned(),
        [only] => only.clone(),
        many => {
            let more = many.len().saturating_sub(MOST);
            let tail = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            format!("one of {}{tail}", many[..many.len() - more].join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_near_or_nothing() {
        assert_eq!(
            nearest("suport", ["sales", "support"]).as_deref(),
            Some("support")
        );
        assert_eq!(nearest("Main", ["main"]).as_deref(), Some("main"));
        assert_eq!(nearest("kitchen", ["sales", "support"]), None);
        assert_eq!(nearest(&"x".repeat(1_000_000), ["x"]), None);
    }

    #[test]
    fn what_is_shown_is_escaped_and_short() {
        assert_eq!(quoted("a\u{7}b"), "`a\\u{7}b`");
        assert_eq!(quoted(&"é".repeat(60)), format!("`{}…`", "é".repeat(48)));
        assert_eq!(one_of(["a", "b"]), "one of `a`, `b`");
        assert_eq!(one_of(["a"; 20]).matches("`a`").count(), 16);
    }
}
