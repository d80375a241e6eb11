//! One thing wrong with one place in a file, and the collection in which they gather.

use std::ops::Range;

/// After this many in one file the rest is noise (and a hostile file must not fill the memory).
const MOST: usize = 100;

/// Whether a problem keeps the centre from starting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Pronto does not start with it.
    Error,
    /// Pronto starts, and somebody will wonder.
    Warning,
}

/// Something wrong, or doubtful, at one place of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Whether it keeps the centre from starting.
    pub severity: Severity,
    /// The sentence a person reads first.
    pub message: String,
    /// Its place, in bytes of the file.
    pub span: Range<usize>,
    /// The text found there, in backticks, or the kind of thing it is.
    pub found: String,
    /// The text expected there; empty where the message says it all.
    pub expected: String,
    /// The nearest valid text, where one is near.
    pub nearest: Option<String>,
}

impl Problem {
    /// Creates a problem with which Pronto does not start.
    pub fn error(span: Range<usize>, message: impl Into<String>, found: impl Into<String>) -> Self {
        let (message, found) = (message.into(), found.into());
        Self {
            severity: Severity::Error,
            message,
            span,
            found,
            expected: String::new(),
            nearest: None,
        }
    }

    /// Creates a problem with which Pronto starts.
    pub fn warning(span: Range<usize>, message: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(span, message, found)
        }
    }

    /// Adds the text that was expected.
    pub fn expected(self, expected: impl Into<String>) -> Self {
        Self {
            expected: expected.into(),
            ..self
        }
    }

    /// Adds the nearest valid text, where one is near.
    pub fn nearest(self, nearest: Option<String>) -> Self {
        Self { nearest, ..self }
    }

    /// The line under the picture: what was expected, and the guess.
    pub(crate) fn help(&self) -> Option<String> {
        match (self.expected.as_str(), &self.nearest) {
            ("", None) => None,
            ("", Some(nearest)) => Some(format!("did you mean `{nearest}`?")),
            (expected, None) => Some(format!("expected {expected}")),
            // The only name there is.
            (expected, Some(nearest)) if expected.trim_matches('`') == nearest => {
                Some(format!("expected {expected}"))
            }
            (expected, Some(nearest)) => Some(format!("expected {expected}; did you mean `{nearest}`?")),
        }
    }
}

/// The problems of one file, in the order they were met.
#[derive(Debug, Default)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Notes a problem; beyond a hundred, nothing.
    pub fn push(&mut self, problem: Problem) {
        if self.0.len() < MOST {
            self.0.push(problem);
        }
    }

    /// Whether one of this severity was noted.
    pub fn any(&self, severity: Severity) -> bool {
        self.0.iter().any(|problem| problem.severity == severity)
    }

    /// All of them in the order of the file.
    pub fn into_sorted(mut self) -> Vec<Problem> {
        self.0.sort_by_key(|problem| problem.span.start);
        self.0
    }
}

impl Extend<Problem> for Problems {
    fn extend<T: IntoIterator<Item = Problem>>(&mut self, problems: T) {
        problems.into_iter().for_each(|problem| self.push(problem));
    }
}
