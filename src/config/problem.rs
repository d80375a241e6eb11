//! One thing wrong with one place in a file, and the collection in which they gather.

use std::ops::Range;

/// After this many in one file the rest is noise (and a hostile file must not fill the memory).
const MOST: usize = 100;

/// Whether a problem keeps the centre from starting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Severity {
    /// Pronto does not start with it.
    Error,
    /// Pronto starts, and somebody will wonder.
    Warning,
}

/// Something wrong, or doubtful, at one place of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    /// Whether it keeps the centre from starting.
    pub(super) severity: Severity,
    /// The sentence a person reads first.
    pub(super) message: String,
    /// Where, in bytes of the file.
    pub(super) span: Range<usize>,
    /// The text found there.
    pub(super) found: String,
    /// The text expected there; empty where the message says it all.
    pub(super) expected: String,
    /// The nearest valid text, where one is near.
    pub(super) nearest: Option<String>,
}

impl Problem {
    pub(super) fn error(span: Range<usize>, message: impl Into<String>, found: impl Into<String>) -> Self {
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

    pub(super) fn warning(span: Range<usize>, message: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(span, message, found)
        }
    }

    pub(super) fn expected(self, expected: impl Into<String>) -> Self {
        Self {
            expected: expected.into(),
            ..self
        }
    }

    pub(super) fn nearest(self, nearest: Option<String>) -> Self {
        Self { nearest, ..self }
    }

    /// The line under the picture: what was expected, and the guess.
    pub(super) fn help(&self) -> Option<String> {
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
pub(super) struct Problems(Vec<Problem>);

impl Problems {
    pub(super) fn push(&mut self, problem: Problem) {
        if self.0.len() < MOST {
            self.0.push(problem);
        }
    }

    /// Whether one of this severity was noted.
    pub(super) fn any(&self, severity: Severity) -> bool {
        self.0.iter().any(|problem| problem.severity == severity)
    }

    /// In the order of the file.
    pub(super) fn into_sorted(mut self) -> Vec<Problem> {
        self.0.sort_by_key(|problem| problem.span.start);
        self.0
    }
}
