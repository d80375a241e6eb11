//! From the text of a configuration to a [`Config`]: syntax, then every section, then what they say of each other.

use std::ops::Range;
use std::path::Path;

use toml::de::DeTable;

use super::mask::mask;
use super::nearest::quoted;
use super::problem::{Problem, Problems, Severity};
use super::report::{Page, Report};
use super::section::{Section, Table};
use super::settings::{Config, Number, Operator, Queue};
use super::{Environment, addresses, numbers, people, recording, services, sip};

/// Reads a text named `file`, whose relative paths start at `folder`.
pub(super) fn read(
    source: &str,
    file: &str,
    folder: &Path,
    environment: Environment<'_>,
) -> Result<Config, Report> {
    let mut problems = Problems::default();
    let root = parse(source, &mut problems).map_err(|problems| {
        let mut report = Report::default();
        report.add(Page::new(file, source, problems));
        report
    })?;
    let (mut config, pages) = read_sections(&root, folder, environment, &mut problems);
    let mut report = Report::default();
    report.add(Page::new(file, source, problems));
    pages.into_iter().for_each(|page| report.add(page));
    if report.errors() > 0 {
        return Err(report);
    }
    config.warnings = report;
    Ok(config)
}

/// The tree of the text. A key written twice is noted and the tree is used all the same; any other slip of syntax
/// ends the reading, because whatever follows it may be read as something it is not.
fn parse<'s>(source: &'s str, problems: &mut Problems) -> Result<DeTable<'s>, Problems> {
    const TWICE: &str = "duplicate key";
    let (root, errors) = DeTable::parse_recoverable(source);
    let (twice, broken): (Vec<_>, Vec<_>) = errors.iter().partition(|error| error.message() == TWICE);
    let place = |error: &toml::de::Error| error.span().unwrap_or(0..0);
    for error in twice {
        let span = place(error);
        let key = quoted(source.get(span.clone()).unwrap_or_default());
        problems.push(Problem::error(
            span,
            format!("{key} is written twice"),
            "the second one",
        ));
    }
    if broken.is_empty() {
        return Ok(root.into_inner());
    }
    // What stands at a slip of syntax may be a password.
    let masked = mask(source);
    for error in broken {
        let message = error.message();
        let (message, expected) = message.split_once(", expected ").unwrap_or((message, ""));
        let span = place(error);
        let found = match masked.get(span.clone()).map(str::trim) {
            Some("") | None if masked.get(span.start..).is_none_or(|rest| rest.trim().is_empty()) => {
                "the end of the file".to_owned()
            }
            Some("") | None => "the end of the line".to_owned(),
            Some(text) => quoted(text),
        };
        // Its name for '…', which is one of four ways to quote.
        let expected = expected.replace("literal string", "a text in quotes");
        problems.push(Problem::error(span, format!("not TOML: {message}"), found).expected(expected));
    }
    Err(std::mem::take(problems))
}

fn read_sections(
    root: &DeTable<'_>,
    folder: &Path,
    environment: Environment<'_>,
    problems: &mut Problems,
) -> (Config, Vec<Page>) {
    let empty = DeTable::new();
    let mut top = Section::new("the configuration", Table::root(root), problems);
    let timezone = services::read_timezone(&mut top);
    let [sip, media, registrar] = ["sip", "media", "registrar"].map(|key| top.table(key, &empty));
    let [grpc, metrics, trace] = ["grpc", "metrics", "trace"].map(|key| top.table(key, &empty));
    let [gateway, queue_service] = ["gateway", "queue_service"].map(|key| top.table(key, &empty));
    let [store, prompts] = ["store", "prompts"].map(|key| top.table(key, &empty));
    let [number_tables, queue_tables, operator_tables] = [
        ("number", "[[number]]", 10_000),
        ("queue", "[[queue]]", 1_000),
        ("operator", "[[operator]]", 10_000),
    ]
    .map(|(key, title, most)| top.tables(key, title, most));
    top.finish();

    let library = services::read_prompts(prompts, folder, problems);
    let (queues, recorded) = people::read_queues(queue_tables.clone(), problems);
    let operators = people::read_operators(operator_tables, &queues, environment, problems);
    let (numbers, pages) = numbers::read(number_tables, folder, &queues, &library, problems);
    recording::check(&recorded, &numbers, &library, problems);
    let config = Config {
        file: None,
        timezone,
        sip: sip::read(sip, (&empty, folder), environment.is_some(), problems),
        media: sip::read_media(media, problems),
        grpc: services::read_grpc(grpc, problems),
        metrics: services::read_metrics(metrics, problems),
        gateway: services::read_gateway(gateway, folder, problems),
        grace: services::read_queue_service(queue_service, problems),
        registrar: super::registrar::read(registrar, problems),
        trace: services::read_trace(trace, problems),
        store: services::read_store(store, folder, problems),
        library,
        numbers,
        queues,
        operators,
        warnings: Report::default(),
    };
    let places = addresses::Places {
        sip,
        media,
        grpc,
        metrics,
        gateway,
    };
    addresses::check(&config, &places, problems);
    if !problems.any(Severity::Error) && pages.iter().all(|page| !page.any(Severity::Error)) {
        let places = queue_tables.iter().map(Table::span);
        warn(
            &config.numbers,
            &config.queues,
            &config.operators,
            places,
            problems,
        );
    }
    (config, pages)
}

/// Warns of settings that are legal and probably not meant.
fn warn(
    numbers: &[Number],
    queues: &[Queue],
    operators: &[Operator],
    places: impl Iterator<Item = Range<usize>>,
    problems: &mut Problems,
) {
    if numbers.is_empty() {
        let problem = Problem::warning(0..0, "there is no number: nobody can call", "no `[[number]]`");
        problems.push(problem);
    }
    for (queue, place) in queues.iter().zip(places) {
        let name = &queue.name;
        let reached = |queue: &Queue| queue.overflow.as_ref().is_some_and(|it| it.to == *name);
        if !queues.iter().any(reached)
            && !numbers
                .iter()
                .any(|number| number.flow.queues().any(|(used, _)| used == name))
        {
            let message = format!("no flow leads to the queue `{name}`");
            problems.push(Problem::warning(
                place.clone(),
                message,
                "a queue without callers",
            ));
        }
        if !operators.iter().any(|operator| operator.queues.contains(name)) {
            let message =
                format!("no operator serves the queue `{name}`: its callers take the exit `nobody`");
            problems.push(Problem::warning(place, message, "a queue without operators"));
        }
    }
}
