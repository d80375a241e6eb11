//! Dialled numbers, reduced to what is compared.

pub use pronto_gateway::normalise_dialled;

/// Whether a normalised number can be dialled: at most 32 letters, digits, `*`, `#` and `_`, after one `+` at most.
pub(super) fn is_dialable(normalised: &str) -> bool {
    let body = normalised.strip_prefix('+').unwrap_or(normalised);
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'*' | b'#' | b'_');
    !body.is_empty() && body.len() <= 32 && body.bytes().all(legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_made_of_what_a_phone_can_send() {
        for dial in ["800", "+390612345", "*98", "help_desk"] {
            assert!(is_dialable(dial), "{dial}");
        }
        for dial in ["", "+", "8+00", "800@x", "à", &"1".repeat(33)] {
            assert!(!is_dialable(dial), "{dial}");
        }
    }
}
