//! `record` and `consent`: what is warned of, and what is wrong.

use super::{Folder, SUPPORT, read};

/// A centre that speaks Italian, with these lines in its queue.
fn italian(lines: &str) -> String {
    format!(
        "[[number]]\ndial = \"800\"\nflow = \"flows/support.toml\"\nlanguage = \"it\"\n[[operator]]\nid = \"101\"\n\
         password = \"correct horse\"\nqueues = [\"support\"]\n[[queue]]\nname = \"support\"\n{lines}"
    )
}

/// Reads such a centre and returns the warnings or errors shown to a person.
fn page(lines: &str) -> String {
    let folder = Folder::new();
    folder.write("flows/support.toml", SUPPORT);
    match read(&italian(lines), folder.path()) {
        Ok(config) => config.warnings.to_string(),
        Err(report) => format!("{} errors: {report}", report.errors()),
    }
}

#[track_caller]
fn assert_parts(page: &str, parts: &[&str]) {
    for part in parts {
        assert!(page.contains(part), "`{part}` is not in\n{page}");
    }
}

#[test]
fn recording_without_telling_is_warned_of() {
    let shown = [
        "⚠ talks are recorded and callers are not told",
        "[pronto.toml:11:10]",
        "found no `consent`",
        "the prompt that tells them, as `consent`",
    ];
    assert_parts(&page("record = true\n"), &shown);
    assert_eq!(page("record = false\n"), "");
}

#[test]
fn telling_of_what_is_not_done_is_warned_of() {
    let shown = [
        "⚠ callers are told of a recording that is not made",
        "[pronto.toml:11:11]",
        "found no `record = true`",
    ];
    assert_parts(&page("consent = \"goodbye\"\n"), &shown);
}

#[test]
fn a_prompt_that_tells_exists_in_every_language_that_is_spoken() {
    let shown = [
        "1 errors",
        "there is no prompt `godbye` in the language `it`",
        "`goodbye`?",
        "[pronto.toml:12:11]",
    ];
    assert_parts(&page("record = true\nconsent = \"godbye\"\n"), &shown);
    assert_eq!(page("record = true\nconsent = \"goodbye\"\n"), "");
    assert_parts(&page("record = 1\nconsent = true\n"), &["2 errors"]);
}
