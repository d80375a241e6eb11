//! `overflow` of `[[queue]]`: where callers go on waiting if it takes too long.

use std::ops::Range;

use pronto_config::{Problem, Problems, Section, Table, Wrong, nearest, one_of, quoted};
use pronto_engine::{Overflow, QueueSettings};
use pronto_types::QueueName;
use toml::de::DeValue;

use super::keys::OVERFLOW;

const FORM: &str = "`{ to = \"…\", wait = \"10m\" }`";

/// The other queue as a queue of this name has it, and where.
#[derive(Debug, Clone)]
pub(super) struct Written {
    to: String,
    place: Range<usize>,
}

/// Reads the table; `None` where it is absent or wrong.
pub(super) fn read(section: &mut Section<'_, '_>) -> Option<(Overflow, Written)> {
    let value = section.value("overflow")?;
    let DeValue::Table(entries) = value.get_ref() else {
        section.wrong_kind("overflow", value, FORM);
        return None;
    };
    let table = Table::new(entries, value.span());
    let mut inner = Section::new(&OVERFLOW, table, section.problems);
    let to = inner.parsed("to", |text| QueueName::new(text).map_err(|_| Wrong::default()));
    if !inner.has("wait") {
        inner.missing("wait", "a duration: how long is too long");
    }
    let wait = inner.duration("wait");
    let place = inner.place("to");
    inner.finish();
    let written = Written {
        to: to.as_ref()?.to_string(),
        place: place?,
    };
    Some((Overflow { to: to?, wait }, written))
}

/// Checks each against the queues there are. Two queues may overflow to one another: no caller goes twice.
pub(super) fn check(written: &[(QueueName, Written)], queues: &[QueueSettings], problems: &mut Problems) {
    let names = || queues.iter().map(|queue| queue.name.as_str());
    for (name, Written { to, place }) in written {
        if to == name.as_str() {
            let message = format!("the queue `{name}` overflows to itself");
            let problem = Problem::error(place.clone(), message, quoted(to));
            let others = one_of(names().filter(|other| other != to));
            problems.push(problem.expected(others));
        } else if names().all(|other| other != to) {
            let message = format!("there is no queue {}", quoted(to));
            let problem = Problem::error(place.clone(), message, quoted(to));
            let others = names().filter(|other| *other != name.as_str());
            let near = nearest(to, others.clone());
            problems.push(problem.expected(one_of(others)).nearest(near));
        }
    }
}
