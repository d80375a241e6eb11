//! The nearest valid name, and lists of names as a person reads them.

/// The candidate nearest to `found`, if it is near enough to be what was meant: a slip or two, and never more
/// than a third of the word.
pub fn nearest<'a>(found: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    // The distance is quadratic: a name longer than any of ours is near nothing.
    if found.len() > 128 {
        return None;
    }
    let found = found.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&found, &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, candidate)| *distance <= (candidate.chars().count().max(3) / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate.to_owned())
}

/// `one of `a`, `b`, `c``; one name stands alone, none is said.
pub fn one_of<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    /// Beyond this many the list stops helping.
    const MOST: usize = 16;
    let names: Vec<String> = names.into_iter().map(quoted).collect();
    match names.as_slice() {
        [] => "a name, but there are none".to_owned(),
        [only] => only.clone(),
        many if many.len() > MOST => {
            format!(
                "one of {} and {} more",
                many[..MOST].join(", "),
                many.len() - MOST
            )
        }
        many => format!("one of {}", many.join(", ")),
    }
}

/// All of the names, the nearest first: `one of `a`, `b``.
pub(crate) fn one_of_all(nearest: Option<&str>, names: &[&str]) -> String {
    let first = names.iter().filter(|name| Some(**name) == nearest);
    let others = names.iter().filter(|name| Some(**name) != nearest);
    let names: Vec<String> = first.chain(others).map(|name| format!("`{name}`")).collect();
    match names.as_slice() {
        [only] => only.clone(),
        many => format!("one of {}", many.join(", ")),
    }
}

/// The text between backticks, cut to what fits beside a caret and with control characters shown as escapes.
pub fn quoted(text: &str) -> String {
    const MOST: usize = 48;
    let shown: String = text.chars().take(MOST).flat_map(char::escape_debug).collect();
    let cut = if text.chars().nth(MOST).is_some() {
        "…"
    } else {
        ""
    };
    format!("`{shown}{cut}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_is_near_or_nothing() {
        assert_eq!(
            nearest("suport", ["support", "sales"]).as_deref(),
            Some("support")
        );
        assert_eq!(nearest("Lisen", ["listen", "drain"]).as_deref(), Some("listen"));
        assert_eq!(nearest("kitchen", ["support", "sales"]), None);
        assert_eq!(nearest(&"x".repeat(1_000_000), ["x"]), None);
        assert_eq!(nearest("102", ["101", "999"]).as_deref(), Some("101"));
    }

    #[test]
    fn lists_read_as_a_person_would_write_them() {
        assert_eq!(one_of(["it"]), "`it`");
        assert_eq!(one_of(["it", "en"]), "one of `it`, `en`");
        let letters: Vec<String> = ('a'..='z').map(String::from).collect();
        let letters: Vec<&str> = letters.iter().map(String::as_str).collect();
        assert!(one_of(letters.iter().copied()).ends_with("and 10 more"));
        let all = one_of_all(Some("q"), &letters);
        assert!(
            all.starts_with("one of `q`, `a`, ") && all.ends_with("`z`"),
            "{all}"
        );
        assert_eq!(quoted("a\nb"), "`a\\nb`");
        assert_eq!(quoted(&"x".repeat(50)), format!("`{}…`", "x".repeat(48)));
    }
}
