//! From the text of a configuration to a [`Config`]: syntax, then every section, then what they say of each other.

use std::ops::Range;
use std::path::Path;

use pronto_config::{Page, Problem, Problems, Report, Section, Severity, Table, document};
use pronto_engine::{Configuration, QueueSettings};
use toml::de::DeTable;

use super::keys::CONFIGURATION;
use super::settings::{Config, Number};
use super::{Environment, addresses, grpc, numbers, people, recording, services, sip};

/// Reads a text named `file`, whose relative paths start at `folder`.
pub(super) fn read(
    source: &str,
    file: &str,
    folder: &Path,
    environment: Environment<'_>,
) -> Result<Config, Report> {
    let mut problems = Problems::default();
    let Some(root) = document(source, &mut problems) else {
        let mut report = Report::default();
        report.add(Page::new(file, source, problems));
        return Err(report);
    };
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

fn read_sections(
    root: &DeTable<'_>,
    folder: &Path,
    environment: Environment<'_>,
    problems: &mut Problems,
) -> (Config, Vec<Page>) {
    let mut top = Section::new(&CONFIGURATION, Table::root(root), problems);
    let timezone = services::read_timezone(&mut top);
    let [sip, media, registrar] = ["sip", "media", "registrar"].map(|key| top.table(key));
    let [api, metrics, trace] = ["grpc", "metrics", "trace"].map(|key| top.table(key));
    let [gateway, queue_service] = ["gateway", "queue_service"].map(|key| top.table(key));
    let [store, prompts] = ["store", "prompts"].map(|key| top.table(key));
    let [number_tables, queue_tables, operator_tables] =
        ["number", "queue", "operator"].map(|key| top.tables(key));
    top.finish();

    let library = services::read_prompts(prompts, folder, problems);
    let queues = people::read_queues(queue_tables.clone(), problems);
    let (operators, phones) =
        people::read_operators(operator_tables, &queues.settings, environment, problems);
    let (numbers, pages) = numbers::read(number_tables, folder, &queues.settings, &library, problems);
    recording::check(&queues.recording, &numbers, &library, problems);
    let config = Config {
        file: None,
        timezone,
        sip: sip::read(sip, folder, environment.is_some(), problems),
        media: sip::read_media(media, problems),
        grpc: grpc::read(api, folder, environment.is_some(), &operators, problems),
        metrics: services::read_metrics(metrics, problems),
        gateway: services::read_gateway(gateway, folder, problems),
        registrar: super::registrar::read(registrar, problems),
        trace: services::read_trace(trace, problems),
        store: services::read_store(store, folder, problems),
        library,
        numbers,
        engine: Configuration {
            queues: queues.settings,
            operators,
            grace: services::read_queue_service(queue_service, problems),
            ..Configuration::default()
        },
        recorded: queues.recorded,
        phones,
        warnings: Report::default(),
    };
    let places = addresses::Places {
        sip,
        media,
        grpc: api,
        metrics,
        gateway,
    };
    addresses::check(&config, &places, problems);
    if !problems.any(Severity::Error) && pages.iter().all(|page| !page.any(Severity::Error)) {
        let places = queue_tables.iter().map(Table::span);
        warn(&config.numbers, &config.engine, places, problems);
    }
    (config, pages)
}

/// Warns of settings that are legal and probably not meant.
fn warn(
    numbers: &[Number],
    engine: &Configuration,
    places: impl Iterator<Item = Range<usize>>,
    problems: &mut Problems,
) {
    if numbers.is_empty() {
        let problem = Problem::warning(0..0, "there is no number: nobody can call", "no `[[number]]`");
        problems.push(problem);
    }
    let Configuration {
        queues, operators, ..
    } = engine;
    for (queue, place) in queues.iter().zip(places) {
        let name = &queue.name;
        let reached = |queue: &QueueSettings| queue.overflow.as_ref().is_some_and(|it| it.to == *name);
        if !queues.iter().any(reached)
            && !numbers
                .iter()
                .any(|number| number.served.flow.queues().any(|(used, _)| used == name))
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
