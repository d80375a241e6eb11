//! Values of a section that are more than one text.

use std::time::Duration;

use toml::de::DeValue;

use super::super::duration::{parse_duration, show_duration};
use super::super::keys::Form;
use super::super::nearest::quoted;
use super::super::problem::Problem;
use super::{Section, Table, Text, Wrong};

impl<'t> Section<'t, '_> {
    /// A list of texts; the default when absent, `None` where there is no default.
    pub fn texts(&mut self, key: &str) -> Option<Vec<Text<'t>>> {
        let described = self.keys.key(key);
        let expected = described.expected();
        let Some(value) = self.value(key) else {
            let Form::Texts { default, .. } = described.form else {
                return None;
            };
            let texts = default.iter().map(|text| Text { text, span: 0..0 });
            return Some(texts.collect()).filter(|_| !default.is_empty());
        };
        let items = match value.get_ref() {
            DeValue::Array(items) => items,
            DeValue::String(text) => {
                let list = Some(format!("[\"{}\"]", text.escape_debug()));
                self.wrong_kind_near(key, value, &format!("a list: {expected}"), list);
                // What the list would hold is checked too.
                return Some(vec![Text {
                    text,
                    span: value.span(),
                }]);
            }
            _ => {
                self.wrong_kind(key, value, &format!("a list: {expected}"));
                return Some(Vec::new());
            }
        };
        let mut texts = Vec::with_capacity(items.len());
        for item in items {
            match item.get_ref() {
                DeValue::String(text) => texts.push(Text {
                    text,
                    span: item.span(),
                }),
                _ => self.wrong_kind(key, item, &expected),
            }
        }
        Some(texts)
    }

    /// A duration within its range; the default when absent or wrong, zero where it has no default.
    pub fn duration(&mut self, key: &str) -> Duration {
        let Form::Duration { default, range } = self.keys.key(key).form else {
            return Duration::ZERO;
        };
        let [low, high] = range.map(constant);
        let parsed = self.parsed(key, |text| {
            let parsed = parse_duration(text).ok_or_else(|| match text.trim().parse::<u32>() {
                Ok(number) => Wrong::default().nearest(format!("{number}s")),
                Err(_) => Wrong::default(),
            })?;
            if (low..=high).contains(&parsed) {
                return Ok(parsed);
            }
            let (low, high) = (show_duration(low), show_duration(high));
            Err(Wrong::default().expected(format!("at least {low} and at most {high}")))
        });
        parsed.unwrap_or_else(|| default.map_or(Duration::ZERO, constant))
    }

    /// A whole number within its range; the default when absent or wrong, zero where it has no default.
    pub fn whole(&mut self, key: &str) -> usize {
        let described = self.keys.key(key);
        let Form::Whole { default, range } = described.form else {
            return 0;
        };
        let default = default.unwrap_or_default();
        let Some(value) = self.value(key) else {
            return default;
        };
        let expected = described.expected();
        let DeValue::Integer(number) = value.get_ref() else {
            self.wrong_kind(key, value, &expected);
            return default;
        };
        match usize::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) if (range[0]..=range[1]).contains(&number) => number,
            _ => {
                let found = quoted(number.as_str());
                let message = format!("`{key}` in {} is {found}", self.keys.title);
                self.problems
                    .push(Problem::error(value.span(), message, found).expected(expected));
                default
            }
        }
    }

    /// True or false; the default when absent or wrong, false where it has no default.
    pub fn flag(&mut self, key: &str) -> bool {
        let Form::Flag { default } = self.keys.key(key).form else {
            return false;
        };
        let default = default.unwrap_or_default();
        let Some(value) = self.value(key) else {
            return default;
        };
        match value.get_ref() {
            DeValue::Boolean(flag) => *flag,
            _ => {
                self.wrong_kind(key, value, "true or false");
                default
            }
        }
    }

    /// A table, `[key]`; an empty one when absent or wrong.
    pub fn table(&mut self, key: &str) -> Table<'t> {
        let Some(value) = self.value(key) else {
            return Table {
                entries: None,
                ..self.table
            };
        };
        let span = (value.span().start, value.span().end);
        let entries = match value.get_ref() {
            DeValue::Table(entries) => Some(entries),
            _ => {
                let expected = self.keys.key(key).expected();
                self.wrong_kind(key, value, &expected);
                None
            }
        };
        Table { entries, span }
    }

    /// A list of tables, `[[title]]`, no more than there may be.
    pub fn tables(&mut self, key: &str) -> Vec<Table<'t>> {
        let described = self.keys.key(key);
        let (Form::Sections { keys, most }, Some(value)) = (described.form, self.value(key)) else {
            return Vec::new();
        };
        let (title, expected) = (keys.title, described.expected());
        match value.get_ref() {
            DeValue::Array(items) => {
                if let Some(beyond) = items.get(most) {
                    let message = format!("there are {} `{title}`", items.len());
                    let problem = Problem::error(beyond.span(), message, "one too many");
                    self.problems.push(problem.expected(format!("at most {most}")));
                }
                let mut tables = Vec::with_capacity(items.len().min(most));
                for item in items.iter().take(most) {
                    match item.get_ref() {
                        DeValue::Table(entries) => tables.push(Table::new(entries, item.span())),
                        _ => self.wrong_kind(key, item, &expected),
                    }
                }
                tables
            }
            // `[queue]` for `[[queue]]`: what stands in it is checked all the same.
            DeValue::Table(entries) => {
                self.wrong_kind_near(key, value, &expected, Some(title.to_owned()));
                vec![Table::new(entries, value.span())]
            }
            _ => {
                self.wrong_kind(key, value, &expected);
                Vec::new()
            }
        }
    }
}

/// A duration of a description.
#[expect(
    clippy::expect_used,
    reason = "defaults and ranges are constants; a test reads an empty file, and with it all of them"
)]
fn constant(text: &str) -> Duration {
    parse_duration(text).expect("a duration of a description is legal")
}
