//! `pronto report promises`: each wait that a caller heard announced, as it was said, held against the wait that came, per
//! queue and day.
//! It folds the ledger of a store, while the queue service runs or when it does not; anyone can check what we promise.

mod best_time;
mod replay;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use jiff::tz::TimeZone;
use pronto_engine::Fact;
use pronto_engine::promises::{PromiseStats, Promises};
use pronto_queue::LedgerReader;
use pronto_types::{QueueName, Wall};
use serde_json::json;

use crate::calls::read::{present, unknown};
use crate::calls::{CallsError, Span, SpanArgs, place, when};
use crate::columns::Columns;
use crate::config::Look;
use crate::json::number;

/// The reports that can be made.
#[derive(Debug, Clone, Subcommand, PartialEq, Eq)]
pub enum ReportCommand {
    /// How long callers waited against what they heard announced, per queue and day
    Promises(PromisesArgs),
    /// When to call a queue: the hours of the next seven days in which callers wait least, from the weeks that were
    BestTime(BestTimeArgs),
}

/// The arguments of `report best-time`.
#[derive(Debug, Clone, Args, PartialEq, Eq)]
pub struct BestTimeArgs {
    /// The configuration that says where the store is [default: pronto.toml if it is here, else the built-in centre]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The folder of the store itself; hours are those of UTC
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    pub store: Option<PathBuf>,
    /// The queue to report on
    #[arg(long, value_name = "QUEUE")]
    pub queue: String,
    /// One JSON object a line, all hours
    #[arg(long)]
    pub json: bool,
}

/// The arguments of `report promises`.
#[derive(Debug, Clone, Args, PartialEq, Eq)]
pub struct PromisesArgs {
    /// The store to read, and the selection from it; a promise begins when it is heard.
    #[command(flatten)]
    pub span: SpanArgs,
    /// Not what was announced: what this program would have forecast at each joining, and how it would have come out
    #[arg(long)]
    pub replay: bool,
}

/// By queue and day.
type Books = BTreeMap<(QueueName, String), PromiseStats>;

/// Reports on standard output.
///
/// # Errors
/// [`CallsError`]: what was asked makes no sense, or there is no ledger to read.
pub fn run(command: &ReportCommand, look: Look) -> Result<(), CallsError> {
    let text = match command {
        ReportCommand::Promises(arguments) => promises(arguments, look)?,
        ReportCommand::BestTime(arguments) => {
            let (store, zone) = place(arguments.config.as_deref(), arguments.store.as_deref(), look)?;
            let queue =
                QueueName::new(&arguments.queue).map_err(|error| CallsError::Queue(error.to_string()))?;
            best_time::text(&store, &zone, &queue, arguments)?
        }
    };
    match io::stdout().lock().write_all(text.as_bytes()) {
        // Whoever reads us has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(CallsError::Output),
    }
}

fn promises(arguments: &PromisesArgs, look: Look) -> Result<String, CallsError> {
    let (store, zone) = arguments.span.place(look)?;
    let wanted = arguments.span.span(&zone)?;
    if arguments.replay {
        let scores = replay::read(&store, &wanted, &zone)?;
        let show = if arguments.span.json {
            replay::lines
        } else {
            replay::table
        };
        return Ok(show(&scores));
    }
    let books = read(&store, &wanted, &zone)?;
    Ok(if arguments.span.json {
        lines(&books)
    } else {
        table(&books)
    })
}

/// The ledger of a store.
fn ledger(store: &Path) -> Result<LedgerReader, CallsError> {
    let ledger = present(LedgerReader::open(store)).map_err(CallsError::OpenLedger)?;
    ledger.ok_or_else(|| CallsError::Absent(store.to_owned()))
}

fn read(store: &Path, wanted: &Span, zone: &TimeZone) -> Result<Books, CallsError> {
    let ledger = ledger(store)?;
    let (mut promises, mut books, mut queues) = (Promises::default(), Books::new(), BTreeSet::new());
    let mut wall = Wall::default();
    for fact in ledger.facts() {
        let recorded = fact?;
        recorded.tell(&mut wall);
        if let Fact::Configured(configuration) = &recorded.fact {
            queues.extend(configuration.queues.iter().map(|queue| queue.name.clone()));
        }
        for closed in promises.apply(&recorded) {
            let date = wall.date(closed.at);
            if wanted.takes(date, &closed.queue) {
                let day = when::day(date, zone);
                books
                    .entry((closed.queue.clone(), day))
                    .or_default()
                    .enter(&closed);
            }
        }
    }
    match &wanted.queue {
        Some(queue) if !queues.contains(queue) => Err(unknown(queue, &queues)),
        _ => Ok(books),
    }
}

/// Seconds with one decimal, or a dash.
fn error(book: &PromiseStats) -> String {
    book.mean_error()
        .map_or("-".to_owned(), |error| format!("{:.1}", error.as_secs_f64()))
}

fn table(books: &Books) -> String {
    let titles = [
        "queue", "day", "heard", "answered", "left", "off by s", "over p50", "kept", "broken",
    ];
    let mut table = Columns::new(&titles, 2);
    let percent = |part: u64, whole: u64| match whole {
        0 => "-".to_owned(),
        _ => format!("{:.1} %", 100.0 * part as f64 / whole as f64),
    };
    for ((queue, day), book) in books {
        table.row([
            queue.to_string(),
            day.clone(),
            book.heard.to_string(),
            book.answered.to_string(),
            book.left.to_string(),
            error(book),
            percent(book.over_p50, book.answered),
            percent(book.known() - book.late, book.known()),
            book.broken.to_string(),
        ]);
    }
    let mut text = table.text();
    let sum = |of: fn(&PromiseStats) -> u64| books.values().map(of).sum::<u64>();
    let (heard, known, late) = (sum(|it| it.heard), sum(PromiseStats::known), sum(|it| it.late));
    let _ = writeln!(
        text,
        "{heard} announced waits heard and closed, of {known} it is known whether they held: {} no longer than was said, {} broken \
         (more than 60 s later)",
        percent(known - late, known),
        sum(|it| it.broken)
    );
    text
}

fn lines(books: &Books) -> String {
    let number = |value: Option<f64>| value.map(|value| number(&format!("{value:.3}")));
    let mut text = String::new();
    for ((queue, day), book) in books {
        let line = json!({
            "queue": queue.as_str(),
            "day": day,
            "heard": book.heard,
            "answered": book.answered,
            "left": book.left,
            "over_p50": book.over_p50,
            "late": book.late,
            "broken": book.broken,
            "mean_error": number(book.mean_error().map(|error| error.as_secs_f64())),
            "coverage": number(book.coverage()),
        });
        let _ = writeln!(text, "{line}");
    }
    text
}

#[cfg(test)]
mod tests;
