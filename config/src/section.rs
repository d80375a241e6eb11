//! Reads one TOML table by hand: what is not described is unknown, and a wrong value is noted and replaced by a legal
//! one, so that one pass finds everything that is wrong. Lists, durations, numbers and tables are in [`values`].

mod values;

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{Form, Key, Keys};
use super::nearest::{nearest, one_of, one_of_all, quoted};
use super::problem::{Problem, Problems};

/// A table and its header's place.
#[derive(Debug, Clone, Copy)]
pub struct Table<'t> {
    /// `None` where the table is left out.
    entries: Option<&'t DeTable<'t>>,
    span: (usize, usize),
}

impl<'t> Table<'t> {
    /// The whole file.
    pub fn root(entries: &'t DeTable<'t>) -> Self {
        Self::new(entries, 0..0)
    }

    /// A table whose header stands there.
    pub fn new(entries: &'t DeTable<'t>, span: Range<usize>) -> Self {
        Self {
            entries: Some(entries),
            span: (span.start, span.end),
        }
    }

    /// The place of its header.
    pub fn span(&self) -> Range<usize> {
        self.span.0..self.span.1
    }

    /// Whether it is written at all.
    pub fn is_written(&self) -> bool {
        self.entries.is_some()
    }

    /// The place of a key's value; `None` where it is left to its default.
    pub fn place(&self, key: &str) -> Option<Range<usize>> {
        self.get(key).map(Spanned::span)
    }

    /// The place of a key's name; `None` where it is left to its default.
    pub fn key_place(&self, key: &str) -> Option<Range<usize>> {
        let (name, _) = self.entries?.get_key_value(key)?;
        Some(name.span())
    }

    /// All its keys, each with the place of its name.
    pub fn names(&self) -> impl Iterator<Item = (&'t str, Range<usize>)> {
        let names = self.entries.into_iter().flat_map(|entries| entries.keys());
        names.map(|name| (name.get_ref().as_ref(), name.span()))
    }

    fn get(&self, key: &str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.entries.and_then(|entries| entries.get(key))
    }
}

/// A text and its place.
#[derive(Debug, Clone)]
pub struct Text<'t> {
    /// The text itself.
    pub text: &'t str,
    /// Its place in the file; empty where it is a default.
    pub span: Range<usize>,
}

/// Why a text is not what was expected; what is left empty is filled in by the section.
#[derive(Debug, Default)]
pub struct Wrong {
    /// The sentence a person reads first.
    pub message: Option<String>,
    /// The text that was found.
    pub found: Option<String>,
    /// The text that was expected.
    pub expected: Option<String>,
    /// The nearest valid text.
    pub nearest: Option<String>,
}

impl Wrong {
    /// Not one of the names that exist.
    pub fn unknown<'a>(found: &str, names: impl IntoIterator<Item = &'a str> + Clone) -> Self {
        Self {
            expected: Some(one_of(names.clone())),
            nearest: nearest(found, names),
            ..Self::default()
        }
    }

    /// Wrong for the reason given.
    pub fn because(message: impl Into<String>) -> Self {
        Self {
            message: Some(message.into()),
            ..Self::default()
        }
    }

    /// Adds the nearest valid text.
    pub fn nearest(self, nearest: impl Into<String>) -> Self {
        Self {
            nearest: Some(nearest.into()),
            ..self
        }
    }

    /// Adds the text that was expected.
    pub fn expected(self, expected: impl Into<String>) -> Self {
        Self {
            expected: Some(expected.into()),
            ..self
        }
    }

    /// Adds the text that was found.
    pub fn found(self, found: impl Into<String>) -> Self {
        Self {
            found: Some(found.into()),
            ..self
        }
    }
}

/// One table being read.
#[derive(Debug)]
pub struct Section<'t, 'p> {
    keys: &'static Keys,
    table: Table<'t>,
    /// Required keys that are missing, with what was expected.
    absent: Vec<(&'static str, String)>,
    /// All problems of the file.
    pub problems: &'p mut Problems,
}

impl<'t, 'p> Section<'t, 'p> {
    /// Begins to read a table by the description of its keys.
    pub fn new(keys: &'static Keys, table: Table<'t>, problems: &'p mut Problems) -> Self {
        Self {
            keys,
            table,
            absent: Vec::new(),
            problems,
        }
    }

    /// The place of the table's header.
    pub fn span(&self) -> Range<usize> {
        self.table.span()
    }

    /// The place of a key's value; `None` where it is left to its default.
    pub fn place(&self, key: &str) -> Option<Range<usize>> {
        self.table.place(key)
    }

    /// The place of a key's name; that of the header where it is left to its default.
    pub fn key_place(&self, key: &str) -> Range<usize> {
        self.table.key_place(key).unwrap_or_else(|| self.span())
    }

    /// Whether a key is there, right or wrong.
    pub fn has(&self, key: &str) -> bool {
        self.table.get(key).is_some()
    }

    /// Notes every key that is not described, and every one that has to be there and is not. One that is there misspelt
    /// is one mistake.
    pub fn finish(mut self) {
        let unknown = self.unknown();
        for key in self.keys.keys.iter().filter(|key| key.required) {
            if !self.has(key.name) && self.absent.iter().all(|(name, _)| *name != key.name) {
                self.absent.push((key.name, key.expected()));
            }
        }
        let order = |name: &str| self.keys.names().position(|known| known == name);
        self.absent.sort_by_key(|(name, _)| order(name));
        let title = self.keys.title;
        for (key, expected) in self.absent {
            if unknown.iter().all(|name| nearest(name, [key]).is_none()) {
                let (message, found) = (format!("{title} needs `{key}`"), format!("no `{key}`"));
                let problem = Problem::error(self.table.span(), message, found);
                self.problems.push(problem.expected(expected));
            }
        }
    }

    /// Notes the keys that are not described, and gives their names.
    fn unknown(&mut self) -> Vec<&'t str> {
        let known: Vec<&str> = self.keys.names().collect();
        let mut unknown = Vec::new();
        for (name, place) in self.table.names().filter(|(name, _)| !known.contains(name)) {
            unknown.push(name);
            let title = self.keys.title;
            let elsewhere = self
                .keys
                .others
                .iter()
                .any(|other| other.names().any(|it| it == name));
            let (message, nearest) = match elsewhere {
                true => (format!("{} does not belong to {title}", quoted(name)), None),
                false => {
                    let nearest = nearest(name, known.iter().copied());
                    (format!("{title} has no key {}", quoted(name)), nearest)
                }
            };
            let problem = Problem::error(place, message, quoted(name));
            let problem = problem.expected(one_of_all(nearest.as_deref(), &known));
            self.problems.push(problem.nearest(nearest));
        }
        unknown
    }

    /// Remembers that a key which has to be there is not.
    pub fn missing(&mut self, key: &'static str, expected: &str) {
        self.absent.push((key, expected.to_owned()));
    }

    /// The raw value of a key.
    pub fn value(&self, key: &str) -> Option<&'t Spanned<DeValue<'t>>> {
        debug_assert!(self.keys.names().any(|known| known == key), "{key} is described");
        self.table.get(key)
    }

    /// Notes a value of the wrong kind.
    pub fn wrong_kind(&mut self, key: &str, value: &Spanned<DeValue<'_>>, expected: &str) {
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
        let message = format!("`{key}` in {} is {kind}", self.keys.title);
        self.problems.push(
            Problem::error(value.span(), message, kind)
                .expected(expected)
                .nearest(nearest),
        );
    }

    /// A text that means something; `None` when absent or wrong (and then noted).
    pub fn parsed<T>(&mut self, key: &str, parse: impl FnOnce(&str) -> Result<T, Wrong>) -> Option<T> {
        let text = self.text(key)?;
        self.understand(key, &text, parse)
    }

    /// A text that means something, of a key with a default: the default when absent or wrong.
    #[expect(
        clippy::expect_used,
        reason = "defaults are constants; a test reads an empty file, and with it all of them"
    )]
    pub fn setting<T>(&mut self, key: &str, parse: impl Fn(&str) -> Result<T, Wrong>) -> T {
        let written = self.parsed(key, &parse);
        written.unwrap_or_else(|| {
            let default = match self.keys.key(key).form {
                Form::Text { default, .. } | Form::Name { default, .. } => default,
                _ => None,
            };
            let default = default.and_then(|default| parse(default).ok());
            default.expect("the default of a key is legal")
        })
    }

    /// One of the names of a key, with what it means; `None` when absent, wrong (and then noted) and without a default.
    pub fn named<T: Copy>(&mut self, key: &str, meanings: &[(&str, T)]) -> Option<T> {
        let names = || meanings.iter().map(|(name, _)| *name);
        let meaning = |text: &str| meanings.iter().find(|(name, _)| *name == text).map(|(_, it)| *it);
        let written = self.parsed(key, |text| {
            meaning(text).ok_or_else(|| Wrong::unknown(text, names().collect::<Vec<_>>()))
        });
        let Form::Name { default, .. } = self.keys.key(key).form else {
            return written;
        };
        written.or_else(|| meaning(default?))
    }

    /// Whether a list stands there, where a single value may too.
    pub fn is_list(&self, key: &str) -> bool {
        let value = self.table.get(key);
        value.is_some_and(|value| matches!(value.get_ref(), DeValue::Array(_)))
    }

    /// A text as it stands.
    pub fn text(&mut self, key: &str) -> Option<Text<'t>> {
        let value = self.value(key)?;
        let described = self.keys.key(key);
        self.text_of(described, value)
    }

    fn text_of(&mut self, key: &Key, value: &'t Spanned<DeValue<'t>>) -> Option<Text<'t>> {
        match value.get_ref() {
            DeValue::String(text) => Some(Text {
                text,
                span: value.span(),
            }),
            DeValue::Integer(number) => {
                let unit = match key.form {
                    Form::Duration { .. } => "s",
                    _ => "",
                };
                let quoted = format!("\"{}{unit}\"", number.as_str());
                self.wrong_kind_near(key.name, value, &key.expected(), Some(quoted));
                None
            }
            _ => {
                self.wrong_kind(key.name, value, &key.expected());
                None
            }
        }
    }

    /// Parses one text of this section, noting what is wrong with it.
    pub fn understand<T>(
        &mut self,
        key: &str,
        text: &Text<'_>,
        parse: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> Option<T> {
        let expected = self.keys.key(key).expected();
        self.understand_as(key, text, &expected, parse)
    }

    /// Parses one text where something else is expected than the whole value of its key.
    pub fn understand_as<T>(
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
            .unwrap_or_else(|| format!("`{key}` in {} is {found}", self.keys.title));
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
