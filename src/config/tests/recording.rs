//! `record` and `consent`: what is warned of, and what is wrong.

use super::{Folder, SUPPORT, assert_page, read};

/// A centre that speaks Italian, with these lines in its queue.
fn italian(lines: &str) -> String {
    format!(
        "[[number]]\ndial = \"800\"\nflow = \"flows/support.toml\"\nlanguage = \"it\"\n[[queue]]\nname = \"support\"\n{lines}"
    )
}

#[test]
fn recording_without_telling_is_warned_of() {
    assert_page(
        r#"
[[queue]]
name = "support"
record = true
"#,
        r#"
  ⚠ talks are recorded and callers are not told
   ╭─[pronto.toml:3:10]
 2 │ name = "support"
 3 │ record = true
   ·          ──┬─
   ·            ╰── found no `consent`
   ╰────
  help: expected the prompt that tells them, as `consent`: the law of most countries asks for it

"#,
    );
}

#[test]
fn telling_of_what_is_not_done_is_warned_of() {
    assert_page(
        r#"
[[queue]]
name = "support"
consent = "goodbye"
"#,
        r#"
  ⚠ callers are told of a recording that is not made
   ╭─[pronto.toml:3:11]
 2 │ name = "support"
 3 │ consent = "goodbye"
   ·           ────┬────
   ·               ╰── found no `record = true`
   ╰────
  help: expected `record = true` beside it, or no `consent`

"#,
    );
}

#[test]
fn a_prompt_that_tells_exists_in_every_language_that_is_spoken() {
    let folder = Folder::new();
    folder.write("flows/support.toml", SUPPORT);
    let told = italian("record = true\nconsent = \"godbye\"\n");
    let page = read(&told, folder.path()).map(|_| ()).unwrap_err().to_string();
    for part in [
        "there is no prompt `godbye` in the language `it`",
        "did you mean `goodbye`?",
        "pronto.toml:8:11",
    ] {
        assert!(page.contains(part), "{page}");
    }
    let quiet = italian("record = true\nconsent = \"goodbye\"\n");
    let config = read(&quiet, folder.path()).unwrap_or_else(|report| panic!("{report}"));
    assert!(config.warnings.is_empty(), "{}", config.warnings);
    let unsaid = italian("record = 1\nconsent = true\n");
    assert_eq!(read(&unsaid, folder.path()).map(|_| ()).unwrap_err().errors(), 2);
}
