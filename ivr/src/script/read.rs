//! From TOML to states; what stands behind their keys is read in [`super::values`]. The document is walked by
//! hand, not by serde, so that all problems are reported at once, each with its place and the nearest valid name.

use std::ops::Range;
use std::sync::Arc;

use pronto_types::Quantile;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Problems, one_of, quoted};
use super::values::{NAME, Reader, Value, is_name};
use super::{
    DEFAULT_TIMEOUT, ForecastExits, Keys, Kind, LIMITS, MOST_BYTES, MOST_STATES, Mentions, MenuExits,
    Problem, QueueExits, Script, State, StateIndex, TIMEOUTS, Then,
    check::{self, Draft},
};

/// The keys that say what a state is, each with all the keys of such a state.
const KINDS: [(&str, &[&str]); 4] = [
    ("say", &["say", "next", "hangup", "bargein"]),
    (
        "menu",
        &["menu", "keys", "timeout", "noinput", "nomatch", "bargein"],
    ),
    (
        "queue",
        &[
            "queue",
            "keys",
            "way_out",
            "timed_out",
            "nobody",
            "failed",
            "ended",
        ],
    ),
    (
        "forecast",
        &["forecast", "limit", "quantile", "longer", "unknown", "next"],
    ),
];

/// Parses a flow, see [`Script::parse`].
pub(super) fn flow(source: &str) -> Result<Script, Vec<Problem>> {
    if source.len() > MOST_BYTES {
        let found = format!("{} bytes", source.len());
        return Err(vec![
            Problem::new(0..0, "this flow is too long", found).expected(format!("at most {MOST_BYTES}")),
        ]);
    }
    let (document, errors) = DeTable::parse_recoverable(source);
    if !errors.is_empty() {
        // What was recovered is a guess: to go on would report its consequences.
        let mut problems = Problems::default();
        errors
            .iter()
            .for_each(|error| problems.push(syntax(source, error)));
        return Err(problems.into_sorted());
    }
    Reader::new(document.get_ref()).read(document.get_ref())
}

fn syntax(source: &str, error: &toml::de::Error) -> Problem {
    let span = error.span().unwrap_or(source.len()..source.len());
    let found = match source.get(span.clone()) {
        None | Some("") => "nothing".to_owned(),
        Some(text) => quoted(text),
    };
    Problem::new(span, format!("not TOML: {}", error.message()), found)
}

/// One `[state]` of the text.
#[derive(Clone, Copy)]
struct Section<'a> {
    name: &'a str,
    head: &'a Spanned<std::borrow::Cow<'a, str>>,
    entries: &'a DeTable<'a>,
}

impl<'a> Section<'a> {
    fn get(&self, key: &str) -> Option<&'a Value<'a>> {
        self.entries
            .iter()
            .find(|(name, _)| name.get_ref() == key)
            .map(|(_, value)| value)
    }
}

impl<'a> Reader<'a> {
    fn new(document: &'a DeTable<'a>) -> Self {
        let states = document
            .iter()
            .filter(|(_, value)| value.get_ref().as_table().is_some());
        let names = states
            .enumerate()
            .map(|(at, (name, _))| (&**name.get_ref(), StateIndex(at)))
            .collect();
        Self {
            names,
            problems: Problems::default(),
            mentions: Mentions::default(),
        }
    }

    fn read(mut self, document: &'a DeTable<'a>) -> Result<Script, Vec<Problem>> {
        let mut start = None;
        let mut drafts = Vec::new();
        for (head, value) in document {
            let name: &str = head.get_ref();
            match value.get_ref() {
                DeValue::Table(entries) => {
                    if drafts.len() == MOST_STATES {
                        let message = format!("a flow has at most {MOST_STATES} states");
                        self.problems
                            .push(Problem::new(head.span(), message, quoted(name)));
                        break;
                    }
                    let state = self.state(Section { name, head, entries });
                    drafts.push(Draft {
                        head: head.span(),
                        state,
                    });
                }
                _ if name == "start" => start = Some(self.target(value)),
                _ => self.problems.push(
                    Problem::new(
                        head.span(),
                        format!("{} is not a state", quoted(name)),
                        quoted(name),
                    )
                    .expected("`start = \"…\"`, then states, each a table: `[name]`")
                    .nearest(name, ["start"]),
                ),
            }
        }
        if start.is_none() {
            let expected = format!("`start = \"…\"` above the first state, naming {}", self.states());
            self.problems.push(
                Problem::new(0..0, "the flow does not say where it starts", "no `start`").expected(expected),
            );
        }
        check::loops(&drafts, &mut self.problems);
        match (
            start.flatten(),
            drafts
                .iter()
                .map(|draft| draft.state.clone())
                .collect::<Option<Vec<State>>>(),
        ) {
            (Some(start), Some(states)) if self.problems.is_empty() => {
                let warnings = check::unreachable(&drafts, start);
                self.mentions.prompts.sort_by_key(|(_, span)| span.start);
                self.mentions.queues.sort_by_key(|(_, span)| span.start);
                self.mentions.forecasts.sort_by_key(|(_, span)| span.start);
                Ok(Script {
                    states,
                    start,
                    mentions: self.mentions,
                    warnings,
                })
            }
            _ => Err(self.problems.into_sorted()),
        }
    }

    /// The names of the states, for a problem's `expected`.
    pub(super) fn states(&self) -> String {
        one_of(self.names.keys().copied())
    }

    fn state(&mut self, section: Section<'a>) -> Option<State> {
        let Section { name, head, .. } = section;
        let legal = is_name(name);
        if !legal {
            let message = format!("{} cannot name a state", quoted(name));
            self.problems
                .push(Problem::new(head.span(), message, quoted(name)).expected(NAME));
        }
        let mut kinds = KINDS.iter().filter(|(key, _)| section.get(key).is_some());
        let kind = match (kinds.next(), kinds.next()) {
            (Some((first, _)), Some((second, _))) => {
                let message = format!("state {} is both a `{first}` and a `{second}`", quoted(name));
                let problem = Problem::new(self.key_span(section, second), message, format!("`{second}`"));
                self.problems
                    .push(problem.expected("one of them, the other in a state of its own"));
                None
            }
            (Some((key, allowed)), None) => {
                self.unknown_keys(section, &format!("a {key} state"), allowed);
                match *key {
                    "say" => self.say(section),
                    "menu" => self.menu(section),
                    "queue" => self.queue(section),
                    _ => self.forecast(section),
                }
            }
            (None, _) => self.bare(section),
        };
        Some(State {
            name: name.into(),
            kind: kind?,
        })
        .filter(|_| legal)
    }

    /// A state of no kind: all it may do is hang up.
    fn bare(&mut self, section: Section<'a>) -> Option<Kind> {
        const EXPECTED: [&str; 5] = ["say", "menu", "queue", "forecast", "hangup"];
        let known = |name: &str| KINDS.iter().any(|(_, keys)| keys.contains(&name));
        let strangers: Vec<_> = section
            .entries
            .keys()
            .filter(|key| !known(key.get_ref()))
            .collect();
        for key in &strangers {
            let name: &str = key.get_ref();
            let problem = Problem::new(
                key.span(),
                format!("a state has no {}", quoted(name)),
                quoted(name),
            );
            self.problems
                .push(problem.expected(one_of(EXPECTED)).nearest(name, EXPECTED));
        }
        match section.get("hangup").map(|value| self.boolean(value)) {
            // One of the strangers may be the misspelt kind; a wrong type has been reported.
            _ if !strangers.is_empty() => None,
            Some(None) => None,
            Some(Some(true)) => {
                self.unknown_keys(section, "a state that only hangs up", &["hangup"]);
                Some(Kind::HangUp)
            }
            Some(Some(false)) | None => {
                let message = format!("state {} does nothing", quoted(section.name));
                let problem = Problem::new(
                    section.head.span(),
                    message,
                    "no `say`, `menu`, `queue` or `forecast`",
                );
                self.problems
                    .push(problem.expected("one of `say`, `menu`, `queue`, `forecast`, or `hangup = true`"));
                None
            }
        }
    }

    fn say(&mut self, section: Section<'a>) -> Option<Kind> {
        let prompts = section.get("say").and_then(|value| self.prompts(value));
        let next = section.get("next").map(|value| self.target(value));
        let hangup = section.get("hangup").map(|value| self.boolean(value));
        let bargein = section.get("bargein").map(|value| self.boolean(value));
        let then = match (next, hangup) {
            (Some(next), None | Some(Some(false))) => next.map(Then::Next),
            (None, Some(Some(true))) => Some(Then::HangUp),
            (_, Some(None)) => None,
            (Some(_), Some(Some(true))) => {
                let message = format!("state {} both goes on and hangs up", quoted(section.name));
                let problem = Problem::new(
                    self.key_span(section, "hangup"),
                    message,
                    "`next` and `hangup = true`",
                );
                self.problems.push(problem.expected("one of them"));
                None
            }
            (None, None | Some(Some(false))) => {
                let message = format!(
                    "state {} is a dead end: nothing follows its prompts",
                    quoted(section.name)
                );
                let problem =
                    Problem::new(section.head.span(), message, "neither `next` nor `hangup = true`");
                self.problems
                    .push(problem.expected("`next = \"…\"` or `hangup = true`"));
                None
            }
        };
        // The last words of a call are heard out: no key could lead anywhere any more.
        let bargein = bargein.unwrap_or(Some(!matches!(then, Some(Then::HangUp))));
        Some(Kind::Say {
            prompts: prompts?,
            bargein: bargein?,
            then: then?,
        })
    }

    fn menu(&mut self, section: Section<'a>) -> Option<Kind> {
        let prompts = section.get("menu").and_then(|value| self.prompts(value));
        if prompts.as_ref().is_some_and(|prompts| prompts.names.is_empty()) {
            let message = format!(
                "menu {} says nothing while the wait is not known",
                quoted(section.name)
            );
            let problem = Problem::new(self.key_span(section, "menu"), message, "forecasts alone");
            self.problems.push(problem.expected("a prompt beside them"));
        }
        let keys = match section.get("keys") {
            Some(value) => self.keys(value),
            None => self.no_keys(section.head.span(), section.name),
        };
        let keys = match keys {
            Some(keys) if keys.targets().next().is_none() => {
                self.no_keys(self.key_span(section, "keys"), section.name)
            }
            keys => keys,
        };
        let timeout = section.get("timeout").map_or(Some(DEFAULT_TIMEOUT), |value| {
            self.duration(value, "timeout", TIMEOUTS)
        });
        let noinput = self.exit(section, "noinput");
        let nomatch = self.exit(section, "nomatch");
        let bargein = section
            .get("bargein")
            .map_or(Some(true), |value| self.boolean(value));
        let exits = MenuExits {
            noinput: noinput?,
            nomatch: nomatch?,
        };
        Some(Kind::Menu {
            prompts: prompts?,
            bargein: bargein?,
            keys: keys?,
            timeout: timeout?,
            exits,
        })
    }

    fn no_keys(&mut self, span: Range<usize>, state: &str) -> Option<Keys> {
        let message = format!("menu {} has no keys to press", quoted(state));
        self.problems
            .push(Problem::new(span, message, "no `keys`").expected("`keys = { 1 = \"…\" }`"));
        None
    }

    fn queue(&mut self, section: Section<'a>) -> Option<Kind> {
        let queue = section.get("queue").and_then(|value| self.queue_name(value));
        let keys = section
            .get("keys")
            .map_or(Some(Keys::default()), |value| self.keys(value));
        let way_out = match section.get("way_out") {
            Some(value) => self.way_out(section, value, keys.as_ref()).map(Some),
            None => Some(None),
        };
        let [timed_out, nobody, failed, ended] =
            ["timed_out", "nobody", "failed", "ended"].map(|exit| self.exit(section, exit));
        let exits = QueueExits {
            timed_out: timed_out?,
            nobody: nobody?,
            failed: failed?,
            ended: ended?,
        };
        Some(Kind::Queue {
            queue: queue?,
            keys: keys?,
            way_out: way_out?,
            exits,
        })
    }

    fn forecast(&mut self, section: Section<'a>) -> Option<Kind> {
        let queue = section.get("forecast").and_then(|value| self.forecast_of(value));
        let limit = self.needed(section, "limit", "`limit = \"10m\"`");
        let limit = limit.and_then(|value| self.duration(value, "limit", LIMITS));
        let quantile = section
            .get("quantile")
            .map_or(Some(Quantile::default()), |value| self.quantile(value));
        let [longer, next] = ["longer", "next"].map(|exit| {
            let value = self.needed(section, exit, "the name of a state: \"…\"")?;
            self.target(value)
        });
        let unknown = self.exit(section, "unknown");
        let exits = ForecastExits {
            longer: longer?,
            unknown: unknown?.or(next)?,
            next: next?,
        };
        Some(Kind::Forecast {
            queue: queue?,
            quantile: quantile?,
            limit: limit?,
            exits,
        })
    }

    /// Reads a key that a state requires; reports a problem if it is missing.
    fn needed(&mut self, section: Section<'a>, key: &str, expected: &str) -> Option<&'a Value<'a>> {
        let value = section.get(key);
        if value.is_none() {
            let message = format!("state {} needs `{key}`", quoted(section.name));
            let problem = Problem::new(section.head.span(), message, format!("no `{key}`"));
            self.problems.push(problem.expected(expected));
        }
        value
    }

    /// The prompt that says what the keys of a queue lead to.
    fn way_out(
        &mut self,
        section: Section<'a>,
        value: &'a Value<'a>,
        keys: Option<&Keys>,
    ) -> Option<Arc<str>> {
        if keys.is_some_and(|keys| keys.targets().next().is_none()) {
            let message = format!("queue {} offers a way out and has no keys", quoted(section.name));
            let problem = Problem::new(self.key_span(section, "way_out"), message, "no `keys`");
            self.problems
                .push(problem.expected("`keys = { 9 = \"…\" }` beside it"));
            return None;
        }
        let name: Arc<str> = self.name(value, "a prompt")?.into();
        self.mentions.prompts.push((Arc::clone(&name), value.span()));
        Some(name)
    }

    fn unknown_keys(&mut self, section: Section<'a>, of: &str, allowed: &[&str]) {
        for (key, _) in section.entries {
            let name: &str = key.get_ref();
            if allowed.contains(&name) {
                continue;
            }
            let elsewhere = KINDS.iter().any(|(_, keys)| keys.contains(&name));
            let message = match elsewhere {
                true => format!("{} does not belong to {of}", quoted(name)),
                false => format!("{of} has no {}", quoted(name)),
            };
            let problem =
                Problem::new(key.span(), message, quoted(name)).expected(one_of(allowed.iter().copied()));
            self.problems.push(if elsewhere {
                problem
            } else {
                problem.nearest(name, allowed.iter().copied())
            });
        }
    }

    fn key_span(&self, section: Section<'a>, key: &str) -> Range<usize> {
        let found = section.entries.iter().find(|(name, _)| name.get_ref() == key);
        found.map_or(section.head.span(), |(name, _)| name.span())
    }

    /// An exit: `Some(None)` where it was omitted, `None` where it is wrong.
    fn exit(&mut self, section: Section<'a>, key: &str) -> Option<Option<StateIndex>> {
        section
            .get(key)
            .map_or(Some(None), |value| self.target(value).map(Some))
    }
}
