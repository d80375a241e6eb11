//! Clips in order, and how their words are written together.

use std::fmt;
use std::sync::Arc;

/// Where every clip's name begins: no flow needs such a name for a prompt of its own.
pub const PREFIX: &str = "speak.";

/// Some words, as the clips that say them one after another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Phrase(Vec<Part>);

/// One clip of a phrase.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    /// The text written between the part before and this one.
    joint: &'static str,
    name: Arc<str>,
    text: String,
}

impl Phrase {
    /// One clip, called `name` behind the common beginning, that says `text`.
    pub(super) fn clip(name: impl fmt::Display, text: impl Into<String>) -> Self {
        Self(vec![Part {
            joint: "",
            name: format!("{PREFIX}{name}").into(),
            text: text.into(),
        }])
    }

    /// These words, then the others.
    pub(super) fn then(self, others: Self) -> Self {
        self.joined(" ", others)
    }

    /// These words and the others written as one.
    pub(super) fn fused(self, others: Self) -> Self {
        self.joined("", others)
    }

    /// These words and the others with a hyphen.
    pub(super) fn hyphened(self, others: Self) -> Self {
        self.joined("-", others)
    }

    fn joined(mut self, joint: &'static str, mut others: Self) -> Self {
        if let Some(first) = others.0.first_mut()
            && !self.0.is_empty()
        {
            first.joint = joint;
        }
        self.0.append(&mut others.0);
        self
    }

    /// The clips in order: each one's prompt name, and what it says.
    pub fn clips(&self) -> impl Iterator<Item = (&Arc<str>, &str)> {
        self.0.iter().map(|part| (&part.name, &*part.text))
    }
}

/// As one would write it.
impl fmt::Display for Phrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|part| write!(f, "{}{}", part.joint, part.text))
    }
}
