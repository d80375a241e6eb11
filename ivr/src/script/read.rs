//! From TOML to states; what stands behind their keys is read in [`super::values`].

use std::sync::Arc;

use pronto_config::{Problem, Problems, Section, Severity, Table, document, nearest, one_of, quoted};
use toml::de::{DeTable, DeValue};

use super::check::{self, Draft};
use super::keys::{FLOW, HANG_UP, NAME, QUANTILES, STATES};
use super::values::{Reader, is_name};
use super::{
    ForecastExits, Keys, Kind, MOST_BYTES, MOST_STATES, MenuExits, QueueExits, Script, State, StateIndex,
    Then,
};

/// Parses a flow, see [`Script::parse`].
pub(super) fn flow(source: &str) -> Result<Script, Vec<Problem>> {
    if source.len() > MOST_BYTES {
        let found = format!("{} bytes", source.len());
        let problem = Problem::error(0..0, "this flow is too long", found);
        return Err(vec![problem.expected(format!("at most {MOST_BYTES}"))]);
    }
    let mut problems = Problems::default();
    match document(source, &mut problems) {
        Some(document) => Reader::new(&document).read(&document, problems),
        None => Err(problems.into_sorted()),
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
            ..Self::default()
        }
    }

    fn read(mut self, document: &'a DeTable<'a>, mut problems: Problems) -> Result<Script, Vec<Problem>> {
        let mut start = None;
        let mut drafts = Vec::new();
        for (head, value) in document {
            let name: &str = head.get_ref();
            match value.get_ref() {
                DeValue::Table(_) if drafts.len() == MOST_STATES => {
                    let message = format!("a flow has at most {MOST_STATES} states");
                    problems.push(Problem::error(head.span(), message, quoted(name)));
                    break;
                }
                DeValue::Table(entries) => drafts.push(Draft {
                    head: head.span(),
                    state: self.state(name, Table::new(entries, head.span()), &mut problems),
                }),
                _ if name == "start" => {
                    let mut top = Section::new(&FLOW, Table::root(document), &mut problems);
                    start = Some(self.target(&mut top, name));
                }
                _ => {
                    let message = format!("{} is not a state", quoted(name));
                    let problem = Problem::error(head.span(), message, quoted(name))
                        .expected("`start = \"…\"`, then states, each a table: `[name]`");
                    problems.push(problem.nearest(nearest(name, ["start"])));
                }
            }
        }
        if start.is_none() {
            let states = one_of(self.names.keys().copied());
            let expected = format!("`start = \"…\"` above the first state, naming {states}");
            let problem = Problem::error(0..0, "the flow does not say where it starts", "no `start`");
            problems.push(problem.expected(expected));
        }
        check::loops(&drafts, &mut problems);
        let states: Option<Vec<State>> = drafts.iter().map(|draft| draft.state.clone()).collect();
        match (start.flatten(), states) {
            (Some(start), Some(states)) if !problems.any(Severity::Error) => {
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
            _ => Err(problems.into_sorted()),
        }
    }

    fn state(&mut self, name: &str, table: Table<'a>, problems: &mut Problems) -> Option<State> {
        let legal = is_name(name);
        if !legal {
            let message = format!("{} cannot name a state", quoted(name));
            problems.push(Problem::error(table.span(), message, quoted(name)).expected(NAME));
        }
        let mut kinds = kinds().filter(|(key, _)| table.place(key).is_some());
        let kind = match (kinds.next(), kinds.next()) {
            (Some((first, _)), Some((second, _))) => {
                let message = format!("state {} is both a `{first}` and a `{second}`", quoted(name));
                let place = table.key_place(second).unwrap_or(table.span());
                let problem = Problem::error(place, message, format!("`{second}`"));
                problems.push(problem.expected("one of them, the other in a state of its own"));
                None
            }
            (Some((key, keys)), None) => {
                let mut section = Section::new(keys, table, problems);
                let kind = match key {
                    "say" => self.say(name, &mut section),
                    "menu" => self.menu(name, &mut section),
                    "queue" => self.queue(name, &mut section),
                    _ => self.forecast(&mut section),
                };
                section.finish();
                kind
            }
            (None, _) => bare(name, table, problems),
        };
        Some(State {
            name: name.into(),
            kind: kind?,
        })
        .filter(|_| legal)
    }

    fn say(&mut self, name: &str, section: &mut Section<'_, '_>) -> Option<Kind> {
        let prompts = self.prompts(section, "say");
        let next = section.has("next").then(|| self.target(section, "next"));
        let then = match (next, hang_up(section)) {
            (Some(next), None | Some(Some(false))) => next.map(Then::Next),
            (None, Some(Some(true))) => Some(Then::HangUp),
            (_, Some(None)) => None,
            (Some(_), Some(Some(true))) => {
                let message = format!("state {} both goes on and hangs up", quoted(name));
                let place = section.key_place("hangup");
                let problem = Problem::error(place, message, "`next` and `hangup = true`");
                section.problems.push(problem.expected("one of them"));
                None
            }
            (None, None | Some(Some(false))) => {
                let message = format!(
                    "state {} is a dead end: nothing follows its prompts",
                    quoted(name)
                );
                let problem = Problem::error(section.span(), message, "neither `next` nor `hangup = true`");
                let expected = "`next = \"…\"` or `hangup = true`";
                section.problems.push(problem.expected(expected));
                None
            }
        };
        // The last words of a call are heard out: no key could lead anywhere any more.
        let bargein = match section.has("bargein") {
            true => section.flag("bargein"),
            false => !matches!(then, Some(Then::HangUp)),
        };
        Some(Kind::Say {
            prompts: prompts?,
            bargein,
            then: then?,
        })
    }

    fn menu(&mut self, name: &str, section: &mut Section<'_, '_>) -> Option<Kind> {
        let prompts = self.prompts(section, "menu");
        if prompts.as_ref().is_some_and(|prompts| prompts.names.is_empty()) {
            let message = format!("menu {} says nothing while the wait is not known", quoted(name));
            let problem = Problem::error(section.key_place("menu"), message, "forecasts alone");
            section.problems.push(problem.expected("a prompt beside them"));
        }
        let keys = self.keys(section);
        if section.has("keys") && keys.as_ref().is_some_and(Keys::is_empty) {
            let message = format!("menu {} has no keys to press", quoted(name));
            let problem = Problem::error(section.key_place("keys"), message, "no `keys`");
            section.problems.push(problem.expected("`keys = { 1 = \"…\" }`"));
        }
        let timeout = section.duration("timeout");
        let [noinput, nomatch] = ["noinput", "nomatch"].map(|exit| self.exit(section, exit));
        let bargein = section.flag("bargein");
        let exits = MenuExits {
            noinput: noinput?,
            nomatch: nomatch?,
        };
        Some(Kind::Menu {
            prompts: prompts?,
            bargein,
            keys: keys?,
            timeout,
            exits,
        })
    }

    fn queue(&mut self, name: &str, section: &mut Section<'_, '_>) -> Option<Kind> {
        let queue = self.queue_of(section);
        let keys = self.keys(section);
        let way_out = match section.has("way_out") {
            true => self.way_out(name, section, keys.as_ref()).map(Some),
            false => Some(None),
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

    /// The prompt that says what the keys of a queue lead to.
    fn way_out(
        &mut self,
        name: &str,
        section: &mut Section<'_, '_>,
        keys: Option<&Keys>,
    ) -> Option<Arc<str>> {
        let text = section.text("way_out")?;
        if keys.is_some_and(Keys::is_empty) {
            let message = format!("queue {} offers a way out and has no keys", quoted(name));
            let problem = Problem::error(section.key_place("way_out"), message, "no `keys`");
            let expected = "`keys = { 9 = \"…\" }` beside it";
            section.problems.push(problem.expected(expected));
            return None;
        }
        self.prompt(section, "way_out", &text)
    }

    fn forecast(&mut self, section: &mut Section<'_, '_>) -> Option<Kind> {
        let queue = self.forecast_of(section);
        let limit = section.duration("limit");
        let quantile = section.named("quantile", &QUANTILES);
        let [longer, next] = ["longer", "next"].map(|exit| self.target(section, exit));
        let unknown = self.exit(section, "unknown");
        let exits = ForecastExits {
            longer: longer?,
            unknown: unknown?.or(next)?,
            next: next?,
        };
        Some(Kind::Forecast {
            queue: queue?,
            quantile: quantile?,
            limit,
            exits,
        })
    }
}

/// The kinds of states but the one that only hangs up: the key that makes each one, and its description.
fn kinds() -> impl Iterator<Item = (&'static str, &'static pronto_config::Keys)> {
    let named = |keys: &'static pronto_config::Keys| Some((keys.names().next()?, keys));
    STATES
        .into_iter()
        .filter_map(named)
        .filter(|(key, _)| *key != "hangup")
}

/// Whether a state hangs up: `None` where that was omitted, `Some(None)` where it is wrong.
fn hang_up(section: &mut Section<'_, '_>) -> Option<Option<bool>> {
    let value = section.value("hangup")?;
    let hangs_up = section.flag("hangup");
    let sound = matches!(value.get_ref(), DeValue::Boolean(_));
    Some(sound.then_some(hangs_up))
}

/// A state of no kind: all it may do is hang up.
fn bare(name: &str, table: Table<'_>, problems: &mut Problems) -> Option<Kind> {
    let expected = || STATES.iter().filter_map(|keys| keys.names().next());
    let known = |name: &str| STATES.iter().any(|keys| keys.names().any(|known| known == name));
    let mut strangers = false;
    for (key, place) in table.names().filter(|(key, _)| !known(key)) {
        strangers = true;
        let problem = Problem::error(place, format!("a state has no {}", quoted(key)), quoted(key));
        problems.push(
            problem
                .expected(one_of(expected()))
                .nearest(nearest(key, expected())),
        );
    }
    let mut section = Section::new(&HANG_UP, table, problems);
    match hang_up(&mut section) {
        // One of the strangers may be the misspelt kind; a wrong type has been reported.
        _ if strangers => None,
        Some(None) => None,
        Some(Some(true)) => {
            section.finish();
            Some(Kind::HangUp)
        }
        Some(Some(false)) | None => {
            let message = format!("state {} does nothing", quoted(name));
            let problem = Problem::error(section.span(), message, "no `say`, `menu`, `queue` or `forecast`");
            let expected = "one of `say`, `menu`, `queue`, `forecast`, or `hangup = true`";
            section.problems.push(problem.expected(expected));
            None
        }
    }
}
