//! Personal data and secrets, redacted by type: neither prints itself, whoever formats it.

use std::fmt;

/// A caller's number, as it came. Prints as `…` and its last two characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PhoneNumber(String);

impl PhoneNumber {
    /// Keeps at most 64 characters.
    pub fn new(number: &str) -> Self {
        PhoneNumber(number.chars().take(64).collect())
    }

    /// The number itself. Never for a log.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.chars().count();
        if count < 6 {
            return f.write_str("…");
        }
        write!(f, "…{}", self.0.chars().skip(count - 2).collect::<String>())
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PhoneNumber({self})")
    }
}

/// A caller's name for displays, as it came. Prints as `…`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DisplayName(String);

impl DisplayName {
    /// Keeps at most 64 characters.
    pub fn new(name: &str) -> Self {
        DisplayName(name.chars().take(64).collect())
    }

    /// The name itself. Never for a log.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DisplayName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl fmt::Debug for DisplayName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DisplayName({self})")
    }
}

/// A password, key or token. Prints as `[secret]`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps the text.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The text itself. Never for a log.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn personal_data_does_not_print_itself() {
        assert_eq!(
            format!("{} {0:?}", PhoneNumber::new("+39061234567")),
            "…67 PhoneNumber(…67)"
        );
        assert_eq!(PhoneNumber::new("800").to_string(), "…");
        assert_eq!(
            format!("{} {0:?}", DisplayName::new("Anna Rossi")),
            "… DisplayName(…)"
        );
        assert_eq!(format!("{} {0:?}", Secret::new("x")), "[secret] [secret]");
    }
}
