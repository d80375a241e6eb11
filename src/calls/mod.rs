//! `pronto calls`: the call records, read from the ledger and the journal of a store while their owners write them or
//! when nobody does.
//!
//! The ledger knows waits and operators; the journal of a gateway that kept it in the same place knows to the
//! microsecond when a call began and ended, and knows of calls that never reached the queue service. Each call is
//! listed once. Where only a journal is, as on the machine of a gateway that runs alone, waits and operators are not
//! known.

mod journal;
mod json;
pub(crate) mod read;
mod table;
pub(crate) mod when;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::PossibleValuesParser;
use jiff::tz::TimeZone;
use pronto_engine::records::{CallRecord, TicketOutcome};
use pronto_types::link::CallOutcome;
use pronto_types::{PhoneNumber, QueueName, Time};

use crate::cli::DEFAULT_CONFIG;
use crate::config::{Config, Look};

pub use read::CallsError;

/// The arguments of `calls`.
#[derive(Debug, Clone, Args, PartialEq, Eq)]
pub struct CallsArgs {
    /// The configuration that says where the store is [default: pronto.toml if it is here, else the built-in centre]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The folder of the store itself; times are shown in UTC
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    pub store: Option<PathBuf>,
    /// Calls that began at or after: `2026-11-24`, `2026-11-24T18:30`, RFC 3339, or `90m` for that long ago
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Calls that began before
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Calls that had a place in this queue
    #[arg(long, value_name = "QUEUE")]
    pub queue: Option<String>,
    /// Calls that ended so, or of which a place in a queue did
    #[arg(long, value_name = "OUTCOME", value_parser = PossibleValuesParser::new(outcomes()))]
    pub outcome: Option<String>,
    /// The newest only
    #[arg(long, value_name = "COUNT")]
    pub last: Option<usize>,
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
    /// Show callers' numbers in full: personal data
    #[arg(long)]
    pub numbers: bool,
}

/// A call as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    record: CallRecord,
    /// Prints masked.
    caller: Option<PhoneNumber>,
}

/// Which calls are wanted.
#[derive(Clone, Debug, Default)]
struct Wanted {
    since: Option<Time>,
    until: Option<Time>,
    queue: Option<QueueName>,
    outcome: Option<String>,
    last: Option<usize>,
}

/// How they are shown.
struct Show {
    zone: TimeZone,
    numbers: bool,
}

/// Lists the calls on standard output.
///
/// # Errors
/// [`CallsError`]: what was asked makes no sense, or there is nothing to read.
pub fn run(arguments: &CallsArgs, look: Look) -> Result<(), CallsError> {
    let (store, zone) = place(arguments.config.as_deref(), arguments.store.as_deref(), look)?;
    let wanted = wanted(arguments, &zone)?;
    let found = read::calls(&store, &wanted)?;
    for note in &found.notes {
        eprintln!("{note}");
    }
    let show = Show {
        zone,
        numbers: arguments.numbers,
    };
    let text = if arguments.json {
        found
            .lines
            .iter()
            .map(|line| json::object(line, &show) + "\n")
            .collect()
    } else {
        table::render(&found.lines, &show)
    };
    match io::stdout().lock().write_all(text.as_bytes()) {
        // Whoever reads us has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(CallsError::Output),
    }
}

/// The store, and the zone its times are shown in.
pub(crate) fn place(
    config: Option<&Path>,
    store: Option<&Path>,
    look: Look,
) -> Result<(PathBuf, TimeZone), CallsError> {
    if let Some(store) = store {
        return Ok((store.to_owned(), TimeZone::UTC));
    }
    let default = Path::new(DEFAULT_CONFIG);
    let file = match config {
        Some(file) => Some(file),
        None => default.symlink_metadata().is_ok().then_some(default),
    };
    // The secrets of phones are nothing that a list of calls needs.
    let config = match file {
        Some(file) => {
            Config::load_without_secrets(file).map_err(|report| CallsError::Config(report.render(look)))?
        }
        None => Config::builtin(),
    };
    Ok((config.store, config.timezone))
}

fn wanted(arguments: &CallsArgs, zone: &TimeZone) -> Result<Wanted, CallsError> {
    let time = |option, text: &Option<String>| moment(option, text.as_deref(), zone);
    let queue = |text: &String| QueueName::new(text).map_err(|error| CallsError::Queue(error.to_string()));
    Ok(Wanted {
        since: time("--since", &arguments.since)?,
        until: time("--until", &arguments.until)?,
        queue: arguments.queue.as_ref().map(queue).transpose()?,
        outcome: arguments.outcome.clone(),
        last: arguments.last,
    })
}

impl Wanted {
    /// Of calls that began at the same time, and where nobody knows when, the end decides.
    fn takes(&self, record: &CallRecord) -> bool {
        let began = record.began.or(record.ended).unwrap_or(Time::ZERO);
        let queue = |name: &QueueName| record.tickets.iter().any(|ticket| ticket.queue == *name);
        let outcome = |outcome: &String| {
            record.outcome.is_some_and(|it| name(it) == outcome)
                || record
                    .tickets
                    .iter()
                    .any(|ticket| ticket.outcome.is_some_and(|it| it.name() == outcome))
        };
        self.since.is_none_or(|since| began >= since)
            && self.until.is_none_or(|until| began < until)
            && self.queue.as_ref().is_none_or(queue)
            && self.outcome.as_ref().is_none_or(outcome)
    }
}

/// The moment given with an option.
pub(crate) fn moment(
    option: &'static str,
    text: Option<&str>,
    zone: &TimeZone,
) -> Result<Option<Time>, CallsError> {
    let read =
        |text: &str| when::parse(text, zone, when::now()).ok_or_else(|| CallsError::time(option, text));
    text.map(read).transpose()
}

/// How the end of a call is written.
fn name(outcome: CallOutcome) -> &'static str {
    match outcome {
        CallOutcome::CallerHungUp => "caller-hung-up",
        CallOutcome::Completed => "completed",
        CallOutcome::Cancelled => "cancelled",
        CallOutcome::Refused => "refused",
        CallOutcome::PeerLost => "peer-lost",
        CallOutcome::GatewayLost => "gateway-lost",
    }
}

fn outcomes() -> Vec<&'static str> {
    let calls = [
        CallOutcome::CallerHungUp,
        CallOutcome::Completed,
        CallOutcome::Cancelled,
        CallOutcome::Refused,
        CallOutcome::PeerLost,
        CallOutcome::GatewayLost,
    ];
    let tickets = TicketOutcome::ALL.iter().map(|outcome| outcome.name());
    calls.into_iter().map(name).chain(tickets).collect()
}

#[cfg(test)]
mod tests;
