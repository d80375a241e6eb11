//! From TOML values to what they mean: names of states, keys, prompts, queues. Each gives `None` where it is wrong, and
//! has said why.

use std::collections::BTreeMap;
use std::sync::Arc;

use pronto_config::{Problem, Section, Table, Text, Wrong, quoted};
use pronto_types::{Digit, QueueName};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{KEYPAD, KEYS, NAME, PROMPT, PROMPTS, SPOKEN, STATE};
use super::{Keys, MOST_PROMPTS, Mentions, Prompts, StateIndex};

/// The reader of one flow: the names of its states, and the names that it has met so far.
#[derive(Default)]
pub(super) struct Reader<'a> {
    pub(super) names: BTreeMap<&'a str, StateIndex>,
    pub(super) mentions: Mentions,
}

impl Reader<'_> {
    /// The state that a key leads to.
    pub(super) fn target(&self, section: &mut Section<'_, '_>, key: &str) -> Option<StateIndex> {
        let text = section.text(key)?;
        self.find(section, key, &text)
    }

    fn find(&self, section: &mut Section<'_, '_>, key: &str, text: &Text<'_>) -> Option<StateIndex> {
        section.understand_as(key, text, STATE, |name| {
            self.names.get(name).copied().ok_or_else(|| Wrong {
                message: Some(format!("there is no state {}", quoted(name))),
                ..Wrong::unknown(name, self.names.keys().copied())
            })
        })
    }

    /// An exit: `Some(None)` where it was omitted, `None` where it is wrong.
    pub(super) fn exit(&self, section: &mut Section<'_, '_>, key: &str) -> Option<Option<StateIndex>> {
        if section.has(key) {
            self.target(section, key).map(Some)
        } else {
            Some(None)
        }
    }

    /// The keys of the keypad with the states that they lead to; no key where it was omitted.
    pub(super) fn keys(&self, section: &mut Section<'_, '_>) -> Option<Keys> {
        let Some(value) = section.value("keys") else {
            return Some(Keys::default());
        };
        let DeValue::Table(entries) = value.get_ref() else {
            section.wrong_kind("keys", value, KEYS);
            return None;
        };
        let mut keys = Some(Keys::default());
        for (key, target) in entries {
            let name: &str = key.get_ref();
            let mut letters = name.chars();
            let digit = letters
                .next()
                .filter(|_| letters.next().is_none())
                .and_then(Digit::from_char);
            if digit.is_none() {
                let message = format!("{} is not a key of the keypad", quoted(name));
                let problem = Problem::error(key.span(), message, quoted(name));
                section.problems.push(problem.expected(KEYPAD));
            }
            let text = text(section, name, target, STATE);
            let target = text.and_then(|text| self.find(section, name, &text));
            let (Some(digit), Some(target)) = (digit, target) else {
                keys = None;
                continue;
            };
            if keys
                .as_mut()
                .is_some_and(|keys| keys.set(digit, target).is_some())
            {
                let message = format!("key {digit} leads to two states");
                let problem = Problem::error(key.span(), message, quoted(name));
                section.problems.push(problem.expected("each key once"));
            }
        }
        keys
    }

    /// The prompts of a state.
    pub(super) fn prompts(&mut self, section: &mut Section<'_, '_>, key: &str) -> Option<Prompts> {
        let value = section.value(key)?;
        let DeValue::Array(items) = value.get_ref() else {
            section.wrong_kind(key, value, PROMPTS);
            return None;
        };
        if items.is_empty() || items.len() > MOST_PROMPTS {
            let message = format!("a state says between 1 and {MOST_PROMPTS} prompts");
            let problem = Problem::error(value.span(), message, items.len().to_string());
            section.problems.push(problem.expected(PROMPTS));
            return None;
        }
        let (mut names, mut forecasts, mut sound) = (Vec::with_capacity(items.len()), Vec::new(), true);
        for item in items {
            match item.get_ref() {
                DeValue::Table(entries) => match self.spoken(section, item, entries) {
                    Some(queue) => forecasts.push((names.len(), queue)),
                    None => sound = false,
                },
                _ => match text(section, key, item, PROMPT).and_then(|text| self.prompt(section, key, &text))
                {
                    Some(name) => names.push(name),
                    None => sound = false,
                },
            }
        }
        sound.then(|| Prompts {
            names: names.into(),
            forecasts: forecasts.into(),
        })
    }

    /// The name of a prompt. It becomes the name of a file: the letters allowed let none climb out.
    pub(super) fn prompt(
        &mut self,
        section: &mut Section<'_, '_>,
        key: &str,
        text: &Text<'_>,
    ) -> Option<Arc<str>> {
        let name: Arc<str> = name(section, key, text, "a prompt")?.into();
        self.mentions.prompts.push((Arc::clone(&name), text.span.clone()));
        Some(name)
    }

    /// `{ forecast = "…" }` among the prompts.
    fn spoken(
        &mut self,
        section: &mut Section<'_, '_>,
        item: &Spanned<DeValue<'_>>,
        entries: &DeTable<'_>,
    ) -> Option<QueueName> {
        let table = Table::new(entries, item.span());
        let mut spoken = Section::new(&SPOKEN, table, section.problems);
        let queue = self.forecast_of(&mut spoken);
        spoken.finish();
        queue
    }

    /// The queue whose forecast is asked for.
    pub(super) fn forecast_of(&mut self, section: &mut Section<'_, '_>) -> Option<QueueName> {
        let (name, text) = queue(section, "forecast")?;
        self.mentions.forecasts.push((name.clone(), text.span));
        Some(name)
    }

    /// The queue that the caller waits in.
    pub(super) fn queue_of(&mut self, section: &mut Section<'_, '_>) -> Option<QueueName> {
        let (name, text) = queue(section, "queue")?;
        self.mentions.queues.push((name.clone(), text.span));
        Some(name)
    }
}

fn queue<'t>(section: &mut Section<'t, '_>, key: &str) -> Option<(QueueName, Text<'t>)> {
    let text = section.text(key)?;
    let name = name(section, key, &text, "a queue")?;
    Some((QueueName::new(&name).ok()?, text))
}

/// A name that is defined elsewhere.
fn name(section: &mut Section<'_, '_>, key: &str, text: &Text<'_>, of: &str) -> Option<String> {
    section.understand_as(key, text, NAME, |name| match is_name(name) {
        true => Ok(name.to_owned()),
        false => Err(Wrong::because(format!("{} cannot name {of}", quoted(name)))),
    })
}

/// A text inside the value of a key.
fn text<'t>(
    section: &mut Section<'_, '_>,
    key: &str,
    value: &'t Spanned<DeValue<'_>>,
    expected: &str,
) -> Option<Text<'t>> {
    let DeValue::String(text) = value.get_ref() else {
        section.wrong_kind(key, value, expected);
        return None;
    };
    let span = value.span();
    Some(Text { text, span })
}

/// Whether a state, a prompt or a queue may be called that.
pub(super) fn is_name(name: &str) -> bool {
    QueueName::new(name).is_ok() && !name.starts_with('.')
}
