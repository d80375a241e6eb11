//! Reads one TOML table by hand: every key is asked for by name, so that what was never asked for is unknown, and a
//! wrong value is noted and replaced by a legal one, so that one pass finds everything that is wrong. Lists,
//! durations, numbers and tables are in [`values`].

mod values;

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::duration;
use super::nearest::{nearest, one_of, one_of_all, quoted};
use super::problem::{Problem, Problems};

/// A table and its header's place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table<'t> {
    entries: &'t DeTable<'t>,
    span: (usize, usize),
}

impl<'t> Table<'t> {
    /// The whole file.
    pub(super) fn root(entries: &'t DeTable<'t>) -> Self {
        Self {
            entries,
            span: (0, 0),
        }
    }

    pub(super) fn new(entries: &'t DeTable<'t>, span: Range<usize>) -> Self {
        Self {
            entries,
            span: (span.start, span.end),
        }
    }

    pub(super) fn span(&self) -> Range<usize> {
        self.span.0..self.span.1
    }

    /// Where the value of a key stands; `None` where it is left to its default.
    pub(super) fn place(&self, key: &str) -> Option<Range<usize>> {
        self.entries.get(key).map(Spanned::span)
    }
}

/// A text and its place.
#[derive(Debug, Clone)]
pub(super) struct Text<'t> {
    pub(super) text: &'t str,
    pub(super) span: Range<usize>,
}

/// Why a text is not what was expected; what is left empty is filled in by the section.
#[derive(Debug, Default)]
pub(super) struct Wrong {
    pub(super) message: Option<String>,
    pub(super) found: Option<String>,
    pub(super) expected: Option<String>,
    pub(super) nearest: Option<String>,
}

impl Wrong {
    /// Not one of the names that exist.
    pub(super) fn unknown<'a>(found: &str, names: impl IntoIterator<Item = &'a str> + Clone) -> Self {
        Self {
            expected: Some(one_of(names.clone())),
            nearest: nearest(found, names),
            ..Self::default()
        }
    }

    /// Wrong for the reason given.
    pub(super) fn because(message: impl Into<String>) -> Self {
        Self {
            message: Some(message.into()),
            ..Self::default()
        }
    }

    pub(super) fn nearest(self, nearest: impl Into<String>) -> Self {
        Self {
            nearest: Some(nearest.into()),
            ..self
        }
    }

    pub(super) fn expected(self, expected: impl Into<String>) -> Self {
        Self {
            expected: Some(expected.into()),
            ..self
        }
    }

    pub(super) fn found(self, found: impl Into<String>) -> Self {
        Self {
            found: Some(found.into()),
            ..self
        }
    }
}

/// One table being read.
pub(super) struct Section<'t, 'p> {
    title: &'static str,
    table: Table<'t>,
    known: Vec<&'static str>,
    /// Required keys that are missing, with what was expected.
    absent: Vec<(&'static str, String)>,
    pub(super) problems: &'p mut Problems,
}

impl<'t, 'p> Section<'t, 'p> {
    /// `title` as a person writes it: `[sip]`, `[[operator]]`.
    pub(super) fn new(title: &'static str, table: Table<'t>, problems: &'p mut Problems) -> Self {
        Self {
            title,
            table,
            known: Vec::new(),
            absent: Vec::new(),
            problems,
        }
    }

    pub(super) fn span(&self) -> Range<usize> {
        self.table.span()
    }

    /// Where the value of a key stands; `None` where it is left to its default.
    pub(super) fn place(&self, key: &str) -> Option<Range<usize>> {
        self.table.place(key)
    }

    /// Whether a key is there, right or wrong.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.entries.contains_key(key)
    }

    /// Notes every key nobody asked for, and every one that has to be there and is not. One that is there misspelt
    /// is one mistake.
    pub(super) fn finish(self) {
        let names = self.table.entries.keys().map(|name| name.get_ref().as_ref());
        let unknown: Vec<&str> = names.filter(|name| !self.known.contains(name)).collect();
        for (key, _) in self.table.entries {
            let name = key.get_ref().as_ref();
            if unknown.contains(&name) {
                let message = format!("{} has no key {}", self.title, quoted(name));
                let problem = Problem::error(key.span(), message, quoted(name));
                let nearest = nearest(name, self.known.iter().copied());
                let problem = problem.expected(one_of_all(nearest.as_deref(), &self.known));
                self.problems.push(problem.nearest(nearest));
            }
        }
        for (key, expected) in self.absent {
            if unknown.iter().all(|name| nearest(name, [key]).is_none()) {
                let (message, found) = (format!("{} needs `{key}`", self.title), format!("no `{key}`"));
                self.problems
                    .push(Problem::error(self.table.span(), message, found).expected(expected));
            }
        }
    }

    /// Remembers that a key which has to be there is not.
    pub(super) fn missing(&mut self, key: &'static str, expected: &str) {
        self.absent.push((key, expected.to_owned()));
    }

    /// The raw value, which makes its key a known one.
    pub(super) fn value(&mut self, key: &'static str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.known.push(key);
        self.table.entries.get(key)
    }

    /// Notes a value of the wrong kind.
    pub(super) fn wrong_kind(&mut self, key: &str, value: &Spanned<DeValue<'_>>, expected: &str) {
        let bare = match value.get_ref() {
            DeValue::String(text)
                if text.parse::<u64>().is_ok() || matches!(text.as_ref(), "true" | "false") =>
            {
                Some(text.to_string())
            }
            _ => None,
        };
        self.wrong_kind_near(key, value, expected, bare);
    }

    fn wrong_kind_near(
        &mut self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        expected: &str,
        nearest: Option<String>,
    ) {
        let kind = kind(value.get_ref());
        let message = format!("`{key}` in {} is {kind}", self.title);
        self.problems.push(
            Problem::error(value.span(), message, kind)
                .expected(expected)
                .nearest(nearest),
        );
    }

    /// A text that means something; `None` when absent or wrong (and then noted).
    pub(super) fn parsed<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        parse: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> Option<T> {
        let text = self.text(key, expected)?;
        self.understand(key, &text, expected, parse)
    }

    /// Like [`parsed`](Self::parsed), and absence is noted too.
    pub(super) fn required<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        parse: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> Option<T> {
        if !self.table.entries.contains_key(key) {
            self.known.push(key);
            self.missing(key, expected);
            return None;
        }
        self.parsed(key, expected, parse)
    }

    /// Whether a list stands there, where a single value may too.
    pub(super) fn is_list(&self, key: &str) -> bool {
        let value = self.table.entries.get(key);
        value.is_some_and(|value| matches!(value.get_ref(), DeValue::Array(_)))
    }

    /// A text as it stands.
    pub(super) fn text(&mut self, key: &'static str, expected: &str) -> Option<Text<'t>> {
        let value = self.value(key)?;
        match value.get_ref() {
            DeValue::String(text) => Some(Text {
                text,
                span: value.span(),
            }),
            DeValue::Integer(number) => {
                let unit = if expected == duration::FORM { "s" } else { "" };
                let quoted = format!("\"{}{unit}\"", number.as_str());
                self.wrong_kind_near(key, value, expected, Some(quoted));
                None
            }
            _ => {
                self.wrong_kind(key, value, expected);
                None
            }
        }
    }

    /// Parses one text of this section, noting what is wrong with it.
    pub(super) fn understand<T>(
        &mut self,
        key: &str,
        text: &Text<'_>,
        expected: &str,
        parse: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> Option<T> {
        let wrong = match parse(text.text) {
            Ok(value) => return Some(value),
            Err(wrong) => wrong,
        };
        let found = wrong.found.unwrap_or_else(|| quoted(text.text));
        let message = wrong
            .message
            .unwrap_or_else(|| format!("`{key}` in {} is {found}", self.title));
        let expected = wrong.expected.unwrap_or_else(|| expected.to_owned());
        let problem = Problem::error(text.span.clone(), message, found).expected(expected);
        self.problems.push(problem.nearest(wrong.nearest));
        None
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a section",
    }
}
