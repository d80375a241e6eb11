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
mod span;
mod table;
pub(crate) mod when;

use std::io::{self, Write};

use clap::Args;
use clap::builder::PossibleValuesParser;
use jiff::tz::TimeZone;
use pronto_engine::records::{CallRecord, TicketOutcome};
use pronto_types::link::CallOutcome;
use pronto_types::{PhoneNumber, QueueName, Time};

use crate::config::Look;

pub use read::CallsError;
pub use span::SpanArgs;
pub(crate) use span::{Span, place};

/// The arguments of `calls`.
#[derive(Debug, Clone, Args, PartialEq, Eq)]
pub struct CallsArgs {
    /// The store to read, and the selection from it.
    #[command(flatten)]
    pub span: SpanArgs,
    /// Calls that ended so, or of which a place in a queue did
    #[arg(long, value_name = "OUTCOME", value_parser = PossibleValuesParser::new(outcomes()))]
    pub outcome: Option<String>,
    /// The newest only
    #[arg(long, value_name = "COUNT")]
    pub last: Option<usize>,
    /// Show callers' numbers in full: personal data
    #[arg(long)]
    pub numbers: bool,
}

/// A call as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    record: CallRecord,
    /// The caller's number, masked when printed.
    caller: Option<PhoneNumber>,
}

/// The filters that a listed call must match.
#[derive(Clone, Debug, Default)]
struct Wanted {
    span: Span,
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
    let (store, zone) = arguments.span.place(look)?;
    let wanted = Wanted {
        span: arguments.span.span(&zone)?,
        outcome: arguments.outcome.clone(),
        last: arguments.last,
    };
    let found = read::calls(&store, &wanted)?;
    for note in &found.notes {
        eprintln!("{note}");
    }
    let show = Show {
        zone,
        numbers: arguments.numbers,
    };
    let text = if arguments.span.json {
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

impl Wanted {
    /// Tells whether a call matches the filters. If its beginning is unknown, the time of its end is used.
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
        self.span.holds(began)
            && self.span.queue.as_ref().is_none_or(queue)
            && self.outcome.as_ref().is_none_or(outcome)
    }
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
        CallOutcome::Stopped => "stopped",
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
        CallOutcome::Stopped,
    ];
    let tickets = TicketOutcome::ALL.iter().map(|outcome| outcome.name());
    calls.into_iter().map(name).chain(tickets).collect()
}

#[cfg(test)]
mod tests;
