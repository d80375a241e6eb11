//! `[[queue]]` and `[[operator]]`: where callers wait, and who answers.

use std::time::Duration;

use pronto_types::{OperatorId, QueueName, Secret};

use super::Environment;
use super::duration::show;
use super::nearest::{one_of, quoted};
use super::problem::{Problem, Problems};
use super::section::{Section, Table, Text, Wrong};
use super::settings::{Announce, Credential, Operator, Queue, SignIn, Strategy};
use super::{overflow, recording};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 3600);
const NAME: &str = "a name: 1 to 64 of a-z A-Z 0-9 . _ -";
const QUEUES: &str = "a list of queue names";

/// A password shorter than this falls to guessing over SIP.
const SHORTEST_PASSWORD: usize = 8;

/// A queue with every default.
pub(super) fn default_queue(name: QueueName) -> Queue {
    Queue {
        name,
        strategy: Strategy::LongestIdle,
        ring: 15 * SECOND,
        rona_pause: 30 * SECOND,
        wrap_up: 10 * SECOND,
        max_wait: 1800 * SECOND,
        limit: 1000,
        nobody_after: 30 * SECOND,
        announce: Announce::Both,
        announce_first: Duration::ZERO,
        announce_every: 60 * SECOND,
        announce_change: Duration::ZERO,
        talk: 240 * SECOND,
        overflow: None,
        record: false,
        consent: None,
    }
}

/// Reads every `[[queue]]`.
pub(super) fn read_queues(
    tables: Vec<Table<'_>>,
    problems: &mut Problems,
) -> (Vec<Queue>, Vec<recording::Written>) {
    let mut queues: Vec<Queue> = Vec::with_capacity(tables.len());
    let mut written = Vec::with_capacity(tables.len());
    let mut overflows = Vec::new();
    for table in tables {
        let mut section = Section::new("[[queue]]", table, problems);
        let name = section.required("name", NAME, |text| {
            let name = QueueName::new(text).map_err(|_| Wrong::default())?;
            if queues.iter().any(|other| other.name == name) {
                return Err(Wrong::because(format!("there are two queues named `{name}`"))
                    .expected("a name no other queue has"));
            }
            Ok(name)
        });
        let strategy = section.parsed("strategy", "a strategy", |text| match text {
            "longest-idle" => Ok(Strategy::LongestIdle),
            other => Err(Wrong::unknown(other, ["longest-idle"])),
        });
        let announce = section.parsed("announce", &one_of(Announce::ALL.map(|(name, _)| name)), |text| {
            let known = Announce::ALL.into_iter().find(|(name, _)| *name == text);
            known
                .map(|(_, announce)| announce)
                .ok_or_else(|| Wrong::unknown(text, Announce::ALL.map(|(name, _)| name)))
        });
        let recorded = recording::read(&mut section);
        let (overflow, to) = overflow::read(&mut section).unzip();
        // Without a name the rest is still checked, and nobody ever sees the stand-in.
        let default = default_queue(name.clone().unwrap_or_else(nameless));
        let queue = Queue {
            strategy: strategy.unwrap_or(default.strategy),
            ring: section.duration("ring", default.ring, SECOND..=300 * SECOND),
            rona_pause: section.duration("rona_pause", default.rona_pause, Duration::ZERO..=DAY),
            wrap_up: section.duration("wrap_up", default.wrap_up, Duration::ZERO..=DAY),
            max_wait: section.duration("max_wait", default.max_wait, SECOND..=DAY),
            limit: section.whole("limit", default.limit, 1..=10_000),
            nobody_after: section.duration("nobody_after", default.nobody_after, Duration::ZERO..=DAY),
            announce: announce.unwrap_or_default(),
            announce_first: section.duration("announce_first", default.announce_first, Duration::ZERO..=DAY),
            announce_every: section.duration("announce_every", default.announce_every, Duration::ZERO..=DAY),
            announce_change: section.duration(
                "announce_change",
                default.announce_change,
                Duration::ZERO..=DAY,
            ),
            talk: section.duration("talk", default.talk, SECOND..=DAY),
            overflow,
            record: recorded.record,
            consent: recorded
                .consent
                .as_ref()
                .map(|(prompt, _)| prompt.as_str().into()),
            name: default.name,
        };
        check_announcements(&mut section, &queue);
        section.finish();
        overflows.extend(to.map(|to| (queue.name.clone(), to)));
        queues.extend(name.map(|_| queue));
        written.push(recorded);
    }
    overflow::check(&overflows, &queues, problems);
    (queues, written)
}

/// Reports announcement settings that have no effect, because the announcement is never made.
fn check_announcements(section: &mut Section<'_, '_>, queue: &Queue) {
    if let Some(place) = section
        .place("announce_change")
        .filter(|_| !queue.announce.wait())
    {
        let message = "`announce_change` compares waits, and no wait is told";
        let problem = Problem::error(place, message, "`announce` without the wait");
        section
            .problems
            .push(problem.expected("`announce = \"wait\"` or `\"both\"` beside it"));
    }
    if let Some(place) = section
        .place("announce_first")
        .filter(|_| queue.announce_first >= queue.max_wait)
    {
        let message = "callers are sent on before they would be told anything";
        let found = format!("`{}`", show(queue.announce_first));
        let problem = Problem::warning(place, message, found);
        let expected = format!("less than `max_wait`, {}", show(queue.max_wait));
        section.problems.push(problem.expected(expected));
    }
}

#[expect(clippy::expect_used, reason = "the name is a constant")]
fn nameless() -> QueueName {
    QueueName::new("nameless").expect("a constant name")
}

/// Reads every `[[operator]]`, against the queues there are.
pub(super) fn read_operators(
    tables: Vec<Table<'_>>,
    queues: &[Queue],
    environment: Environment<'_>,
    problems: &mut Problems,
) -> Vec<Operator> {
    let mut operators: Vec<Operator> = Vec::with_capacity(tables.len());
    for table in tables {
        let mut section = Section::new("[[operator]]", table, problems);
        let id = section.required("id", NAME, |text| {
            let id = OperatorId::new(text).map_err(|_| Wrong::default())?;
            if operators.iter().any(|other| other.id == id) {
                return Err(
                    Wrong::because(format!("there are two operators with the id `{id}`"))
                        .expected("an id no other operator has"),
                );
            }
            Ok(id)
        });
        let credential = read_credential(&mut section, id.as_ref(), environment);
        let texts = section.texts("queues", QUEUES);
        let queues = match texts {
            Some(texts) if !texts.is_empty() => read_served(&mut section, &texts, queues),
            _ => {
                section.missing("queues", "at least one queue whose callers the operator takes");
                Vec::new()
            }
        };
        let digest = super::sip::read_digest(&mut section);
        let sign_in = section.parsed("sign_in", "a way to sign in", |text| match text {
            "registration" => Ok(SignIn::Registration),
            other => Err(Wrong::unknown(other, ["registration"])),
        });
        section.finish();
        let sign_in = sign_in.unwrap_or(SignIn::Registration);
        if let (Some(id), Some(credential)) = (id, credential) {
            operators.push(Operator {
                id,
                credential,
                queues,
                digest,
                sign_in,
            });
        }
    }
    operators
}

fn read_served(section: &mut Section<'_, '_>, texts: &[Text<'_>], queues: &[Queue]) -> Vec<QueueName> {
    let mut served: Vec<QueueName> = Vec::with_capacity(texts.len());
    for text in texts {
        let name = section.understand("queues", text, QUEUES, |text| {
            let Some(queue) = queues.iter().find(|queue| queue.name.as_str() == text) else {
                let wrong = Wrong::unknown(text, queues.iter().map(|queue| queue.name.as_str()));
                return Err(Wrong {
                    message: Some(format!("there is no queue {}", quoted(text))),
                    ..wrong
                });
            };
            if served.contains(&queue.name) {
                return Err(
                    Wrong::because(format!("the operator serves `{text}` twice")).expected("each queue once")
                );
            }
            Ok(queue.name.clone())
        });
        served.extend(name);
    }
    served
}

fn read_credential(
    section: &mut Section<'_, '_>,
    id: Option<&OperatorId>,
    environment: Environment<'_>,
) -> Option<Credential> {
    const ONE: &str = "one of `password`, `ha1`, `password_env`";
    let password = section.text("password", "a password");
    let ha1 = section.text("ha1", "32 hexadecimal digits");
    let variable = section.text("password_env", "the name of an environment variable");
    let written: Vec<_> = [&password, &ha1, &variable].into_iter().flatten().collect();
    if let [_, second, ..] = written.as_slice() {
        let message = "the operator has more than one of `password`, `ha1`, `password_env`";
        let problem = Problem::error(second.span.clone(), message, "a second one");
        section.problems.push(problem.expected(format!("exactly {ONE}")));
    }
    if let Some(text) = password {
        let parsed = section.understand("password", &text, "a password", |text| check_password(text, id));
        return parsed.map(Credential::Password);
    }
    if let Some(text) = ha1 {
        return section.understand("ha1", &text, "32 hexadecimal digits", parse_ha1);
    }
    if let Some(text) = variable {
        return section.understand("password_env", &text, "a variable that is set", |text| {
            read_variable(text, id, environment)
        });
    }
    if !["password", "ha1", "password_env"]
        .into_iter()
        .any(|key| section.has(key))
    {
        section.missing("password", &format!("{ONE}: there is no default password"));
    }
    None
}

/// Says what is wrong with a password, never the password.
fn check_password(text: &str, id: Option<&OperatorId>) -> Result<Secret, Wrong> {
    let wrong = |found: String| {
        let expected = format!("at least {SHORTEST_PASSWORD} characters that are not the id");
        Wrong::because("the operator's password is too easy to guess")
            .found(found)
            .expected(expected)
    };
    let length = text.chars().count();
    if length < SHORTEST_PASSWORD {
        return Err(wrong(format!("{length} characters")));
    }
    if id.is_some_and(|id| id.as_str() == text) {
        return Err(wrong("the operator's id".to_owned()));
    }
    if text.chars().any(char::is_control) {
        return Err(wrong("a control character".to_owned()).expected("a password that can be typed"));
    }
    Ok(Secret::new(text))
}

fn parse_ha1(text: &str) -> Result<Credential, Wrong> {
    if text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(Credential::Ha1(Secret::new(text.to_ascii_lowercase())));
    }
    let found = format!("{} characters", text.chars().count());
    Err(Wrong::because("`ha1` is not the MD5 of `id:domain:password`").found(found))
}

fn read_variable(
    name: &str,
    id: Option<&OperatorId>,
    environment: Environment<'_>,
) -> Result<Credential, Wrong> {
    if name.is_empty() || name.contains(['=', '\0']) {
        return Err(Wrong::because("`password_env` is not the name of a variable"));
    }
    let Some(look_up) = environment else {
        return Ok(Credential::Variable(name.to_owned()));
    };
    match look_up(name) {
        Some(password) => check_password(&password, id).map(Credential::Password),
        None => Err(Wrong::because(format!(
            "the environment variable {} is not set",
            quoted(name)
        ))),
    }
}
