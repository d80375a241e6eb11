//! Why a body or a session offer is refused, in the words its sender gets: status, reason phrase and Warning header
//! (RFC 3261 §20.43).

use std::borrow::Cow;
use std::fmt;

use crate::message::Status;

/// A refusal and its reasons.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The status of the answer.
    pub status: Status,
    /// The reason phrase; empty for the usual one of the status.
    pub phrase: Cow<'static, str>,
    /// The value of the Warning header, if there is one.
    pub warning: Option<Warning>,
}

/// One warning value (RFC 3261 §20.43).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Warning {
    /// The warn-code, 300 to 399.
    pub code: u16,
    /// The explanation, in plain ASCII without quotes.
    pub text: Cow<'static, str>,
}

/// The most characters kept of a name that the peer chose.
const LONGEST_NAME: usize = 60;

impl Refusal {
    /// A refusal with a phrase and a warning of its own.
    pub(crate) fn new(
        status: Status,
        phrase: impl Into<Cow<'static, str>>,
        code: u16,
        text: impl Into<Cow<'static, str>>,
    ) -> Self {
        Refusal {
            status,
            phrase: phrase.into(),
            warning: Some(Warning {
                code,
                text: text.into(),
            }),
        }
    }

    /// 400: the body cannot be read. 399 is "Miscellaneous warning".
    pub(crate) fn malformed(phrase: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        Refusal::new(Status::BAD_REQUEST, phrase, 399, text)
    }

    /// 415: a body that must be understood is of this type.
    pub(crate) fn unsupported(kind: &str) -> Self {
        let kind = harmless(kind);
        let phrase = if kind.is_empty() {
            Cow::Borrowed("Missing Content-Type")
        } else {
            Cow::Owned(format!("Unsupported Media Type {kind}"))
        };
        let text = if kind.is_empty() {
            Cow::Borrowed("the body has no Content-Type")
        } else {
            Cow::Owned(format!("a body of type {kind} is not understood here"))
        };
        Refusal::new(Status::UNSUPPORTED_MEDIA_TYPE, phrase, 399, text)
    }
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        Refusal {
            status,
            phrase: Cow::Borrowed(""),
            warning: None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.phrase.is_empty() {
            self.status.fmt(f)?;
        } else {
            write!(f, "{} {}", self.status.code(), self.phrase)?;
        }
        match &self.warning {
            Some(warning) => write!(f, " ({}: {})", warning.code, warning.text),
            None => Ok(()),
        }
    }
}

/// A name that the peer chose, fit for a reason phrase and for a quoted string.
pub(crate) fn harmless(name: &str) -> String {
    let kept = |c: &char| c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '<' | '>');
    name.chars().filter(kept).take(LONGEST_NAME).collect()
}
