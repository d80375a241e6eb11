//! The languages Pronto speaks.

use std::fmt;

/// A language in which every built-in prompt exists.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Language {
    /// Italian, the default language.
    #[default]
    Italian,
    /// English as the caller's language.
    English,
}

impl Language {
    /// All of them.
    pub const ALL: [Language; 2] = [Language::Italian, Language::English];

    /// The ISO 639-1 code: `it`, `en`.
    pub const fn code(self) -> &'static str {
        match self {
            Language::Italian => "it",
            Language::English => "en",
        }
    }

    /// From an ISO 639-1 code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.code() == code)
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
