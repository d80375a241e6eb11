//! Numbers in the JSON that the commands print: their decimals are part of the format.

use serde_json::{Number, Value};

/// The number with the very digits of `text`; null where the text is no number of JSON, such as `NaN`.
pub(crate) fn number(text: &str) -> Value {
    text.parse::<Number>().map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_keeps_its_digits() {
        for digits in ["12.00", "0.000", "-1.5", "240", "18446744073709551616"] {
            assert_eq!(number(digits).to_string(), digits);
        }
        assert_eq!(number("NaN"), Value::Null);
    }
}
