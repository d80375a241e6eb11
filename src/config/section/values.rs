//! Values of a section that are more than one text.

use std::ops::RangeInclusive;
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::super::duration;
use super::super::nearest::quoted;
use super::super::problem::Problem;
use super::{Section, Table, Text, Wrong};

impl<'t> Section<'t, '_> {
    /// An array of texts; `None` when absent.
    pub(in crate::config) fn texts(&mut self, key: &'static str, expected: &str) -> Option<Vec<Text<'t>>> {
        let value = self.value(key)?;
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
                _ => self.wrong_kind(key, item, expected),
            }
        }
        Some(texts)
    }

    /// A duration within bounds; the default when absent or wrong.
    pub(in crate::config) fn duration(
        &mut self,
        key: &'static str,
        default: Duration,
        bounds: RangeInclusive<Duration>,
    ) -> Duration {
        let Some(text) = self.text(key, duration::FORM) else {
            return default;
        };
        let parsed = self.understand(key, &text, duration::FORM, |text| {
            let parsed = duration::parse(text).ok_or_else(|| match text.trim().parse::<u32>() {
                Ok(number) => Wrong::default().nearest(format!("{number}s")),
                Err(_) => Wrong::default(),
            })?;
            if bounds.contains(&parsed) {
                return Ok(parsed);
            }
            let (low, high) = (duration::show(*bounds.start()), duration::show(*bounds.end()));
            Err(Wrong::default().expected(format!("at least {low} and at most {high}")))
        });
        parsed.unwrap_or(default)
    }

    /// A whole number within bounds; the default when absent or wrong.
    pub(in crate::config) fn whole(
        &mut self,
        key: &'static str,
        default: usize,
        bounds: RangeInclusive<usize>,
    ) -> usize {
        let Some(value) = self.value(key) else {
            return default;
        };
        let expected = format!("a whole number, {} to {}", bounds.start(), bounds.end());
        let DeValue::Integer(number) = value.get_ref() else {
            self.wrong_kind(key, value, &expected);
            return default;
        };
        match usize::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) if bounds.contains(&number) => number,
            _ => {
                let found = quoted(number.as_str());
                let message = format!("`{key}` in {} is {found}", self.title);
                self.problems
                    .push(Problem::error(value.span(), message, found).expected(expected));
                default
            }
        }
    }

    /// `true` or `false`; the default when absent or wrong.
    pub(in crate::config) fn flag(&mut self, key: &'static str, default: bool) -> bool {
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

    /// A table, `[key]`; an empty one when absent.
    pub(in crate::config) fn table(&mut self, key: &'static str, empty: &'t DeTable<'t>) -> Table<'t> {
        match self.value(key) {
            None => Table::new(empty, self.span()),
            Some(value) => match value.get_ref() {
                DeValue::Table(entries) => Table::new(entries, value.span()),
                _ => {
                    self.wrong_kind(key, value, &format!("a section, `[{key}]`"));
                    Table::new(empty, value.span())
                }
            },
        }
    }

    /// An array of tables, `[[title]]`, no more than `most`.
    pub(in crate::config) fn tables(
        &mut self,
        key: &'static str,
        title: &str,
        most: usize,
    ) -> Vec<Table<'t>> {
        let expected = format!("a list of sections, each headed `{title}`");
        let Some(value) = self.value(key) else {
            return Vec::new();
        };
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
