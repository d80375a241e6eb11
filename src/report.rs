//! `pronto report promises`: each wait that a caller heard announced, as it was said, held against the wait that came, per
//! queue and day.
//! It folds the ledger of a store, while the queue service runs or when it does not; anyone can check what we promise.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;

use clap::{Args, Subcommand};
use jiff::tz::TimeZone;
use pronto_engine::Fact;
use pronto_engine::promises::{Book, Promises};
use pronto_queue::LedgerReader;
use pronto_types::QueueName;

use crate::calls::read::{present, unknown};
use crate::calls::{CallsError, Span, SpanArgs, when};
use crate::config::Look;

/// What can be reported.
#[derive(Debug, Clone, Subcommand, PartialEq, Eq)]
pub enum ReportCommand {
    /// How long callers waited against what they heard announced, per queue and day
    Promises(PromisesArgs),
}

/// The arguments of `report promises`.
#[derive(Debug, Clone, Args, PartialEq, Eq)]
pub struct PromisesArgs {
    /// Which store, and what of it; a promise begins when it is heard.
    #[command(flatten)]
    pub span: SpanArgs,
}

/// By queue and day.
type Books = BTreeMap<(QueueName, String), Book>;

/// Reports on standard output.
///
/// # Errors
/// [`CallsError`]: what was asked makes no sense, or there is no ledger to read.
pub fn run(command: &ReportCommand, look: Look) -> Result<(), CallsError> {
    let ReportCommand::Promises(arguments) = command;
    let (store, zone) = arguments.span.place(look)?;
    let wanted = arguments.span.span(&zone)?;
    let books = read(&store, &wanted, &zone)?;
    let text = if arguments.span.json {
        lines(&books)
    } else {
        table(&books)
    };
    match io::stdout().lock().write_all(text.as_bytes()) {
        // Whoever reads us has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(CallsError::Output),
    }
}

fn read(store: &Path, wanted: &Span, zone: &TimeZone) -> Result<Books, CallsError> {
    let ledger = present(LedgerReader::open(store)).map_err(CallsError::OpenLedger)?;
    let ledger = ledger.ok_or_else(|| CallsError::Absent(store.to_owned()))?;
    let (mut promises, mut books, mut queues) = (Promises::default(), Books::new(), BTreeSet::new());
    for fact in ledger.facts() {
        let recorded = fact?;
        if let Fact::Configured(configuration) = &recorded.fact {
            queues.extend(configuration.queues.iter().map(|queue| queue.name.clone()));
        }
        for closed in promises.apply(&recorded) {
            if wanted.holds(closed.at) && wanted.queue.as_ref().is_none_or(|queue| *queue == closed.queue) {
                let day = when::day(closed.at, zone);
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
fn error(book: &Book) -> String {
    book.mean_error()
        .map_or("-".to_owned(), |error| format!("{:.1}", error.as_secs_f64()))
}

fn table(books: &Books) -> String {
    let mut text = format!(
        "{:<12}  {:<10}  {:>6}  {:>8}  {:>6}  {:>8}  {:>8}  {:>8}  {:>7}\n",
        "queue", "day", "heard", "answered", "left", "off by s", "over p50", "kept", "broken"
    );
    let percent = |part: u64, whole: u64| match whole {
        0 => "-".to_owned(),
        _ => format!("{:.1} %", 100.0 * part as f64 / whole as f64),
    };
    for ((queue, day), book) in books {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{:<12}  {day:<10}  {:>6}  {:>8}  {:>6}  {:>8}  {:>8}  {:>8}  {:>7}",
            queue.as_str(),
            book.heard,
            book.answered,
            book.left,
            error(book),
            percent(book.over_p50, book.answered),
            percent(book.known() - book.late, book.known()),
            book.broken
        );
    }
    let sum = |of: fn(&Book) -> u64| books.values().map(of).sum::<u64>();
    let (heard, known, late) = (sum(|it| it.heard), sum(Book::known), sum(|it| it.late));
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
    let mut text = String::new();
    for ((queue, day), book) in books {
        let number = |value: Option<f64>| value.map_or("null".to_owned(), |value| format!("{value:.3}"));
        let _ = writeln!(
            text,
            "{{\"queue\":\"{queue}\",\"day\":\"{day}\",\"heard\":{},\"answered\":{},\"left\":{},\"over_p50\":{},\"late\":{},\
             \"broken\":{},\"mean_error\":{},\"coverage\":{}}}",
            book.heard,
            book.answered,
            book.left,
            book.over_p50,
            book.late,
            book.broken,
            number(book.mean_error().map(|error| error.as_secs_f64())),
            number(book.coverage())
        );
    }
    text
}

#[cfg(test)]
mod tests;
