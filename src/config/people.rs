//! `[[queue]]` and `[[operator]]`: where callers wait, and who answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use pronto_config::{Problem, Problems, Section, Table, Text, Wrong, quoted, show_duration};
use pronto_engine::{Announcing, OperatorSettings, QueueSettings};
use pronto_types::{OperatorId, QueueName, Secret};

use super::Environment;
use super::keys::{ANNOUNCEMENTS, OPERATOR, QUEUE, SIGN_INS, STRATEGIES};
use super::settings::{Credential, Phone};
use super::{overflow, recording};

/// A password shorter than this falls to guessing over SIP.
const SHORTEST_PASSWORD: usize = 8;

/// Every `[[queue]]`, as the engine has it and as the gateway records it.
#[derive(Default)]
pub(super) struct Queues {
    pub(super) settings: Vec<QueueSettings>,
    pub(super) recorded: BTreeMap<QueueName, Option<Arc<str>>>,
    pub(super) recording: Vec<recording::Written>,
}

/// Reads every `[[queue]]`.
pub(super) fn read_queues(tables: Vec<Table<'_>>, problems: &mut Problems) -> Queues {
    let mut queues = Queues::default();
    let mut overflows = Vec::new();
    for table in tables {
        let mut section = Section::new(&QUEUE, table, problems);
        let name = section.parsed("name", |text| {
            let name = QueueName::new(text).map_err(|_| Wrong::default())?;
            if queues.settings.iter().any(|other| other.name == name) {
                return Err(Wrong::because(format!("there are two queues named `{name}`"))
                    .expected("a name no other queue has"));
            }
            Ok(name)
        });
        let recording = recording::read(&mut section);
        // Without a name the rest is still checked, and nobody ever sees the stand-in.
        let (queue, overflow) = read_queue(&mut section, name.clone().unwrap_or_else(nameless));
        section.finish();
        overflows.extend(overflow.map(|overflow| (queue.name.clone(), overflow)));
        let recorded = name.clone().filter(|_| recording.record);
        queues
            .recorded
            .extend(recorded.map(|name| (name, recording.prompt())));
        queues.settings.extend(name.map(|_| queue));
        queues.recording.push(recording);
    }
    overflow::check(&overflows, &queues.settings, problems);
    queues
}

fn read_queue(section: &mut Section<'_, '_>, name: QueueName) -> (QueueSettings, Option<overflow::Written>) {
    let (overflow, written) = overflow::read(section).unzip();
    let (position, wait) = section.named("announce", &ANNOUNCEMENTS).unwrap_or_default();
    let queue = QueueSettings {
        name,
        strategy: section.named("strategy", &STRATEGIES).unwrap_or_default(),
        ring: section.duration("ring"),
        rona_pause: section.duration("rona_pause"),
        wrap_up: section.duration("wrap_up"),
        max_wait: section.duration("max_wait"),
        limit: section.whole("limit"),
        nobody_after: section.duration("nobody_after"),
        announcing: Announcing {
            position,
            wait,
            first: section.duration("announce_first"),
            every: section.duration("announce_every"),
            change: section.duration("announce_change"),
        },
        talk: section.duration("talk"),
        overflow,
    };
    check_announcements(section, &queue);
    (queue, written)
}

/// Reports announcement settings that have no effect, because the announcement is never made.
fn check_announcements(section: &mut Section<'_, '_>, queue: &QueueSettings) {
    if let Some(place) = section
        .place("announce_change")
        .filter(|_| !queue.announcing.wait)
    {
        let message = "`announce_change` compares waits, and no wait is told";
        let problem = Problem::error(place, message, "`announce` without the wait");
        section
            .problems
            .push(problem.expected("`announce = \"wait\"` or `\"both\"` beside it"));
    }
    if let Some(place) = section
        .place("announce_first")
        .filter(|_| queue.announcing.first >= queue.max_wait)
    {
        let message = "callers leave the queue before the first announcement";
        let found = format!("`{}`", show_duration(queue.announcing.first));
        let problem = Problem::warning(place, message, found);
        let expected = format!("less than `max_wait`, {}", show_duration(queue.max_wait));
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
    queues: &[QueueSettings],
    environment: Environment<'_>,
    problems: &mut Problems,
) -> (Vec<OperatorSettings>, Vec<Phone>) {
    let mut operators: Vec<OperatorSettings> = Vec::with_capacity(tables.len());
    let mut phones = Vec::with_capacity(tables.len());
    for table in tables {
        let mut section = Section::new(&OPERATOR, table, problems);
        let id = section.parsed("id", |text| {
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
        let texts = section.texts("queues");
        let queues = match texts {
            Some(texts) if !texts.is_empty() => read_served(&mut section, &texts, queues),
            _ => {
                section.missing("queues", "at least one queue whose callers the operator takes");
                Vec::new()
            }
        };
        let digest = super::sip::read_digest(&mut section);
        let sign_in = section.named("sign_in", &SIGN_INS).unwrap_or_default();
        section.finish();
        if let (Some(id), Some(credential)) = (id, credential) {
            phones.push(Phone {
                operator: id.clone(),
                credential,
                digest,
            });
            operators.push(OperatorSettings { id, queues, sign_in });
        }
    }
    (operators, phones)
}

fn read_served(
    section: &mut Section<'_, '_>,
    texts: &[Text<'_>],
    queues: &[QueueSettings],
) -> Vec<QueueName> {
    let mut served: Vec<QueueName> = Vec::with_capacity(texts.len());
    for text in texts {
        let name = section.understand("queues", text, |text| {
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
    let password = section.text("password");
    let ha1 = section.text("ha1");
    let variable = section.text("password_env");
    let written: Vec<_> = [&password, &ha1, &variable].into_iter().flatten().collect();
    if let [_, second, ..] = written.as_slice() {
        let message = "the operator has more than one of `password`, `ha1`, `password_env`";
        let problem = Problem::error(second.span.clone(), message, "a second one");
        section.problems.push(problem.expected(format!("exactly {ONE}")));
    }
    if let Some(text) = password {
        let parsed = section.understand("password", &text, |text| check_password(text, id));
        return parsed.map(Credential::Password);
    }
    if let Some(text) = ha1 {
        return section.understand("ha1", &text, parse_ha1);
    }
    if let Some(text) = variable {
        return section.understand_as("password_env", &text, "a variable that is set", |text| {
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
