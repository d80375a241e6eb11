//! A table of texts: name, language and text, with tabs between them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use pronto_types::{Language, QueueName};

/// The text of each clip, by language and name.
pub(super) type Texts = BTreeMap<(Language, String), String>;

const HEADER: &str = "# name\tlanguage\ttext\n";
/// The longest text of a clip, in characters: half a minute.
const LONGEST: usize = 500;

/// A line that cannot be used, or a file that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The file system said no.
    #[error("{}: {source}", .path.display())]
    Unreadable {
        /// The table that cannot be read.
        path: PathBuf,
        /// The error of the file system.
        source: std::io::Error,
    },
    /// A line holds something other than expected.
    #[error("{}:{line}: found {found}, expected {expected}", .path.display())]
    Line {
        /// The path of the table.
        path: PathBuf,
        /// The line number, from 1.
        line: usize,
        /// The text found in the line.
        found: String,
        /// The text expected in the line.
        expected: &'static str,
    },
}

/// Reads a table; lines that are empty or begin with `#` say nothing.
pub(super) fn read(path: &Path) -> Result<Texts, Fault> {
    let text = fs::read_to_string(path).map_err(|source| Fault::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    parse(&text).map_err(|(line, found, expected)| Fault::Line {
        path: path.to_owned(),
        line,
        found,
        expected,
    })
}

/// As [`read`], and nothing where there is no file.
pub(super) fn read_if_there(path: &Path) -> Result<Texts, Fault> {
    if path.exists() {
        read(path)
    } else {
        Ok(Texts::new())
    }
}

pub(super) fn write(texts: &Texts) -> String {
    let mut table = HEADER.to_owned();
    for ((language, name), text) in texts {
        // A `String` takes whatever is written to it.
        let _ = writeln!(table, "{name}\t{language}\t{text}");
    }
    table
}

fn parse(table: &str) -> Result<Texts, (usize, String, &'static str)> {
    let mut texts = Texts::new();
    for (index, line) in table.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = |found: String, expected| (index + 1, found, expected);
        let fields: Vec<&str> = line.split('\t').collect();
        let [name, code, text] = fields[..] else {
            let found = format!("{} fields", fields.len());
            return Err(wrong(found, "name, language and text, with tabs between them"));
        };
        if QueueName::new(name).is_err() {
            let found = format!("the name `{name}`");
            return Err(wrong(found, "1 to 64 of a-z A-Z 0-9 . _ -"));
        }
        let Some(language) = Language::from_code(code) else {
            return Err(wrong(format!("the language `{code}`"), "`it` or `en`"));
        };
        if text.trim().is_empty() || text.chars().count() > LONGEST {
            let found = format!("a text of {} characters", text.trim().chars().count());
            return Err(wrong(found, "1 to 500"));
        }
        if let Some(odd) = text.chars().find(|c| !is_readable(*c)) {
            return Err(wrong(
                format!("`{odd}` in the text"),
                "letters of ISO 8859-1: no voice reads others",
            ));
        }
        let key = (language, name.to_owned());
        if texts.insert(key, text.trim().to_owned()).is_some() {
            return Err(wrong(format!("a second `{name}` in `{code}`"), "each clip once"));
        }
    }
    Ok(texts)
}

/// Festival reads bytes of ISO 8859-1.
fn is_readable(c: char) -> bool {
    !c.is_control() && u32::from(c) <= 0xff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let table = "# name\tlanguage\ttext\nwelcome\tit\tBuongiorno.\n\nwelcome\ten\tHello.\n";
        let texts = parse(table).unwrap();
        assert_eq!(texts.len(), 2);
        assert_eq!(
            texts.get(&(Language::Italian, "welcome".to_owned())).unwrap(),
            "Buongiorno."
        );
        assert_eq!(parse(&write(&texts)).unwrap(), texts);
    }

    #[test]
    fn a_wrong_line_is_named_with_what_it_should_be() {
        let fault = |line: &str| parse(&format!("# head\n{line}\n")).unwrap_err();
        for (line, found) in [
            ("welcome it Buongiorno.", "1 fields"),
            ("wel come\tit\tBuongiorno.", "the name `wel come`"),
            ("welcome\tfr\tBonjour.", "the language `fr`"),
            ("welcome\tit\t ", "a text of 0 characters"),
            ("welcome\tit\tCiao 🙂", "`🙂` in the text"),
            ("a\tit\tUno.\na\tit\tDue.", "a second `a` in `it`"),
        ] {
            assert_eq!(fault(line).1, found);
        }
        assert_eq!(fault("welcome\tfr\tBonjour.").0, 2);
        assert_eq!(fault("a\tit\tUno.\na\tit\tDue.").0, 3);
    }

    #[test]
    fn a_table_that_is_not_there_is_an_error_only_where_it_must_be() {
        let path = std::env::temp_dir().join(format!("pronto-no-table-{}.tsv", std::process::id()));
        assert!(read_if_there(&path).unwrap().is_empty());
        assert!(
            read(&path)
                .unwrap_err()
                .to_string()
                .starts_with(&path.display().to_string())
        );
    }
}
