//! From TOML values to what they mean: names of states, keys, prompts, durations. Each gives `None` where it is
//! wrong, and has said why.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use pronto_types::{Digit, Quantile, QueueName};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::duration::show_duration;
use super::problem::{Problems, one_of, quoted};
use super::{Keys, MOST_PROMPTS, Mentions, Problem, Prompts, StateIndex, parse_duration};

const QUANTILES: [(&str, Quantile); 3] = [
    ("p50", Quantile::P50),
    ("p80", Quantile::P80),
    ("p90", Quantile::P90),
];

const KEYPAD: &str = "one key of the keypad: 0 to 9, \"*\", \"#\", A to D";
/// The form of a name, as shown in error messages.
pub(super) const NAME: &str = "1 to 64 of a-z A-Z 0-9 . _ -";

pub(super) type Value<'a> = Spanned<DeValue<'a>>;

/// The reader of one flow: the names of its states, and what it has found so far.
pub(super) struct Reader<'a> {
    pub(super) names: BTreeMap<&'a str, StateIndex>,
    pub(super) problems: Problems,
    pub(super) mentions: Mentions,
}

impl<'a> Reader<'a> {
    pub(super) fn target(&mut self, value: &'a Value<'a>) -> Option<StateIndex> {
        let name = self.text(value, || "the name of a state: \"…\"".to_owned())?;
        let target = self.names.get(name).copied();
        if target.is_none() {
            let problem = Problem::new(
                value.span(),
                format!("there is no state {}", quoted(name)),
                quoted(name),
            );
            self.problems.push(
                problem
                    .expected(self.states())
                    .nearest(name, self.names.keys().copied()),
            );
        }
        target
    }

    pub(super) fn keys(&mut self, value: &'a Value<'a>) -> Option<Keys> {
        let DeValue::Table(entries) = value.get_ref() else {
            return self.wrong_type(value, "keys and where they lead: `{ 1 = \"…\" }`");
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
                self.problems
                    .push(Problem::new(key.span(), message, quoted(name)).expected(KEYPAD));
            }
            let target = self.target(target);
            let (Some(digit), Some(target)) = (digit, target) else {
                keys = None;
                continue;
            };
            if keys
                .as_mut()
                .is_some_and(|keys| keys.set(digit, target).is_some())
            {
                let message = format!("key {digit} leads to two states");
                self.problems
                    .push(Problem::new(key.span(), message, quoted(name)).expected("each key once"));
            }
        }
        keys
    }

    pub(super) fn prompts(&mut self, value: &'a Value<'a>) -> Option<Prompts> {
        const EXPECTED: &str = "a list of prompts: [\"…\"]";
        let DeValue::Array(items) = value.get_ref() else {
            return self.wrong_type(value, EXPECTED);
        };
        if items.is_empty() || items.len() > MOST_PROMPTS {
            let message = format!("a state says between 1 and {MOST_PROMPTS} prompts");
            self.problems
                .push(Problem::new(value.span(), message, items.len().to_string()).expected(EXPECTED));
            return None;
        }
        let (mut names, mut forecasts, mut sound) = (Vec::with_capacity(items.len()), Vec::new(), true);
        for item in items.iter() {
            match item.get_ref() {
                DeValue::Table(entries) => match self.forecast_said(item, entries) {
                    Some(queue) => forecasts.push((names.len(), queue)),
                    None => sound = false,
                },
                _ => match self.name(item, "a prompt") {
                    Some(name) => {
                        let name: Arc<str> = name.into();
                        self.mentions.prompts.push((Arc::clone(&name), item.span()));
                        names.push(name);
                    }
                    None => sound = false,
                },
            }
        }
        sound.then(|| Prompts {
            names: names.into(),
            forecasts: forecasts.into(),
        })
    }

    /// `{ forecast = "…" }` among the prompts.
    fn forecast_said(&mut self, item: &'a Value<'a>, entries: &'a DeTable<'a>) -> Option<QueueName> {
        const EXPECTED: &str = "`{ forecast = \"…\" }`";
        for (key, _) in entries {
            let name: &str = key.get_ref();
            if name != "forecast" {
                let message = format!("what is said has no {}", quoted(name));
                let problem = Problem::new(key.span(), message, quoted(name));
                self.problems
                    .push(problem.expected(EXPECTED).nearest(name, ["forecast"]));
                return None;
            }
        }
        match entries.iter().next() {
            Some((_, value)) => self.forecast_of(value),
            None => {
                let problem = Problem::new(item.span(), "this says nothing", "an empty table");
                self.problems.push(problem.expected(EXPECTED));
                None
            }
        }
    }

    /// The queue whose forecast is asked for.
    pub(super) fn forecast_of(&mut self, value: &'a Value<'a>) -> Option<QueueName> {
        let name = QueueName::new(self.name(value, "a queue")?).ok()?;
        self.mentions.forecasts.push((name.clone(), value.span()));
        Some(name)
    }

    pub(super) fn quantile(&mut self, value: &'a Value<'a>) -> Option<Quantile> {
        let names = QUANTILES.map(|(name, _)| name);
        let text = self.text(value, || one_of(names))?;
        let known = QUANTILES.into_iter().find(|(name, _)| *name == text);
        if known.is_none() {
            let message = format!("there is no quantile {}", quoted(text));
            let problem = Problem::new(value.span(), message, quoted(text));
            self.problems
                .push(problem.expected(one_of(names)).nearest(text, names));
        }
        known.map(|(_, quantile)| quantile)
    }

    pub(super) fn queue_name(&mut self, value: &'a Value<'a>) -> Option<QueueName> {
        let name = QueueName::new(self.name(value, "a queue")?).ok()?;
        self.mentions.queues.push((name.clone(), value.span()));
        Some(name)
    }

    /// A name defined elsewhere. Prompts become names of files: the letters allowed let none climb out.
    pub(super) fn name(&mut self, value: &'a Value<'a>, of: &str) -> Option<&'a str> {
        let name = self.text(value, || format!("the name of {of}: \"…\""))?;
        if !is_name(name) {
            let message = format!("{} cannot name {of}", quoted(name));
            self.problems
                .push(Problem::new(value.span(), message, quoted(name)).expected(NAME));
            return None;
        }
        Some(name)
    }

    pub(super) fn duration(
        &mut self,
        value: &'a Value<'a>,
        of: &str,
        bounds: [Duration; 2],
    ) -> Option<Duration> {
        let expected = || "a duration: \"5s\", \"1m30s\", \"500ms\"".to_owned();
        let text = self.text(value, expected)?;
        let problem = match parse_duration(text) {
            Some(duration) if duration < bounds[0] || duration > bounds[1] => {
                let [low, high] = bounds.map(show_duration);
                Problem::new(value.span(), format!("this {of} is out of bounds"), quoted(text))
                    .expected(format!("\"{low}\" to \"{high}\""))
            }
            Some(duration) => return Some(duration),
            None => Problem::new(
                value.span(),
                format!("{} is not a duration", quoted(text)),
                quoted(text),
            )
            .expected(expected()),
        };
        self.problems.push(problem);
        None
    }

    pub(super) fn boolean(&mut self, value: &'a Value<'a>) -> Option<bool> {
        match value.get_ref() {
            DeValue::Boolean(truth) => Some(*truth),
            _ => self.wrong_type(value, "`true` or `false`"),
        }
    }

    pub(super) fn text(
        &mut self,
        value: &'a Value<'a>,
        expected: impl FnOnce() -> String,
    ) -> Option<&'a str> {
        match value.get_ref() {
            DeValue::String(text) => Some(text),
            _ => self.wrong_type(value, &expected()),
        }
    }

    pub(super) fn wrong_type<T>(&mut self, value: &Value<'_>, expected: &str) -> Option<T> {
        let found = match value.get_ref() {
            DeValue::String(text) => format!("the text {}", quoted(text)),
            DeValue::Integer(number) => format!("the number {}", quoted(number.as_str())),
            DeValue::Float(number) => format!("the number {}", quoted(number.as_str())),
            DeValue::Boolean(truth) => format!("`{truth}`"),
            DeValue::Datetime(_) => "a date or time".to_owned(),
            DeValue::Array(_) => "a list".to_owned(),
            DeValue::Table(_) => "a table".to_owned(),
        };
        self.problems
            .push(Problem::new(value.span(), "this has the wrong type", found).expected(expected));
        None
    }
}

/// Whether a state, a prompt or a queue may be called that.
pub(super) fn is_name(name: &str) -> bool {
    QueueName::new(name).is_ok() && !name.starts_with('.')
}
