//! Durations as people write them: `30s`, `5m`, `1h30m`, `500ms`. They are read as the flows read theirs.

use std::time::Duration;

pub(super) use pronto_ivr::script::parse_duration as parse;

/// The form of a duration, for error pages.
pub(super) const FORM: &str = "a duration such as \"30s\", \"5m\", \"1h30m\" or \"500ms\"";

/// The units, largest first.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Writes a duration the way it is read, exact to the millisecond.
pub(crate) fn show(duration: Duration) -> String {
    let mut left = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (name, size) in UNITS {
        if left >= size {
            text.push_str(&format!("{}{name}", left / size));
            left %= size;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_shown_as_people_write_them() {
        for (millis, text) in [
            (30_000, "30s"),
            (5_400_000, "1h30m"),
            (1_500, "1s500ms"),
            (0, "0s"),
        ] {
            assert_eq!(show(Duration::from_millis(millis)), text);
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(millis in any::<u32>()) {
            let duration = Duration::from_millis(millis.into());
            prop_assert_eq!(parse(&show(duration)), Some(duration));
        }
    }
}
