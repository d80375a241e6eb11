//! Ledger and journal of one store, folded into one list.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use pronto_config::{nearest, one_of, quoted};
use pronto_engine::Fact;
use pronto_engine::records::{CallRecord, CallRecords, RecordingRecord, Written};
use pronto_gateway::shell::{JournalError, JournalReader};
use pronto_queue::{LedgerReader, ReadError};
use pronto_store::{Person, StoreError};
use pronto_types::{CallId, PhoneNumber, QueueName, TicketId, Time, Wall};

use super::journal::{self, Seen};
use super::{Line, Wanted, when};

/// Why there is no list.
#[derive(Debug, thiserror::Error)]
pub enum CallsError {
    /// The configuration is wrong; the report is rendered.
    #[error("{0}")]
    Config(String),
    /// A moment cannot be understood.
    #[error("{option} {found}: expected {form}", form = when::FORM)]
    Time {
        /// The command-line option, such as `--since`.
        option: &'static str,
        /// The text given for the option.
        found: String,
    },
    /// A queue that cannot be, or has never been.
    #[error("--queue: {0}")]
    Queue(String),
    /// Nobody has kept a ledger or a journal there.
    #[error(
        "there is no store in `{}`: expected the folder with ledger.sqlite (queue service) or journal.sqlite (gateway), \
         `[store] path` of the configuration they were started with", .0.display()
    )]
    Absent(PathBuf),
    /// The ledger cannot be opened.
    #[error("the ledger cannot be opened: {0}")]
    OpenLedger(StoreError),
    /// The journal cannot be opened.
    #[error("the journal cannot be opened: {0}")]
    OpenJournal(StoreError),
    /// The ledger cannot be read.
    #[error("the ledger cannot be read: {0}")]
    Ledger(#[from] ReadError),
    /// The journal cannot be read.
    #[error("the journal cannot be read: {0}")]
    Journal(#[from] JournalError),
    /// The list cannot be written.
    #[error("the list cannot be written: {0}")]
    Output(io::Error),
    /// A figure that staffing needs is unknown, or its target cannot be met.
    #[error("{0}")]
    Staffing(String),
}

impl CallsError {
    pub(super) fn time(option: &'static str, found: &str) -> Self {
        let found = quoted(found);
        CallsError::Time { option, found }
    }
}

/// The calls found in the store.
pub(super) struct Found {
    /// In the order in which the calls began.
    pub(super) lines: Vec<Line>,
    /// For the person, beside the list.
    pub(super) notes: Vec<String>,
}

struct Sources {
    ledger: Option<LedgerReader>,
    journal: Option<JournalReader>,
}

/// Reads the store in this folder.
pub(super) fn calls(store: &Path, wanted: &Wanted) -> Result<Found, CallsError> {
    let sources = Sources {
        ledger: present(LedgerReader::open(store)).map_err(CallsError::OpenLedger)?,
        journal: present(JournalReader::open(store)).map_err(CallsError::OpenJournal)?,
    };
    if sources.ledger.is_none() && sources.journal.is_none() {
        return Err(CallsError::Absent(store.to_owned()));
    }
    let mut chosen = Chosen::new(wanted);
    let mut queues = BTreeSet::new();
    let mut seen = match &sources.journal {
        Some(journal) => journal::calls(journal)?,
        None => BTreeMap::new(),
    };
    if let Some(ledger) = &sources.ledger {
        fold(ledger, &mut seen, &mut queues, &mut chosen)?;
    }
    for (call, seen) in seen {
        chosen.take(seen.complete(CallRecord::new(call, None)));
    }
    let mut notes = Vec::new();
    if sources.ledger.is_none() {
        notes.push(format!(
            "only a gateway's journal is in {}: waits, queues and operators are listed where the queue service keeps its ledger",
            store.display()
        ));
    }
    if let Some(queue) = &wanted.span.queue
        && chosen.calls.is_empty()
        && sources.ledger.is_some()
        && !queues.contains(queue)
    {
        return Err(unknown(queue, &queues));
    }
    let lines = chosen
        .calls
        .into_values()
        .map(|record| sources.line(record))
        .collect::<Result<_, _>>()?;
    Ok(Found { lines, notes })
}

pub(crate) fn present<T>(opened: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match opened {
        Ok(opened) => Ok(Some(opened)),
        Err(StoreError::Absent(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Folds the ledger; what the journal says of its calls is taken out of `seen`.
fn fold(
    ledger: &LedgerReader,
    seen: &mut BTreeMap<CallId, Seen>,
    queues: &mut BTreeSet<QueueName>,
    chosen: &mut Chosen<'_>,
) -> Result<(), CallsError> {
    let mut records = CallRecords::default();
    let mut wall = Wall::default();
    let mut complete = |record: CallRecord, wall: &Wall| {
        let record = record.dated(wall);
        match seen.remove(&record.call) {
            Some(seen) => seen.complete(record),
            None => record,
        }
    };
    for fact in ledger.facts() {
        let recorded = fact?;
        recorded.tell(&mut wall);
        if let Fact::Configured(configuration) = &recorded.fact {
            queues.extend(configuration.queues.iter().map(|queue| queue.name.clone()));
        }
        for written in records.apply(&recorded) {
            match written {
                Written::Call(record) => chosen.take(complete(*record, &wall)),
                Written::Recording {
                    call,
                    ticket,
                    recording,
                } => chosen.add(call, ticket, recording),
            }
        }
    }
    for record in records.open() {
        chosen.take(complete(record.clone(), &wall));
    }
    Ok(())
}

pub(crate) fn unknown(queue: &QueueName, queues: &BTreeSet<QueueName>) -> CallsError {
    let names = || queues.iter().map(QueueName::as_str);
    let meant =
        nearest(queue.as_str(), names()).map_or(String::new(), |name| format!("; did you mean `{name}`?"));
    CallsError::Queue(format!(
        "no queue `{queue}` is in this ledger: expected {}{meant}",
        one_of(names())
    ))
}

/// The calls that are wanted, and never more than the newest `last` of them.
struct Chosen<'a> {
    wanted: &'a Wanted,
    calls: BTreeMap<(Time, CallId), CallRecord>,
    began: BTreeMap<CallId, Time>,
}

impl<'a> Chosen<'a> {
    fn new(wanted: &'a Wanted) -> Self {
        Chosen {
            wanted,
            calls: BTreeMap::new(),
            began: BTreeMap::new(),
        }
    }

    fn take(&mut self, record: CallRecord) {
        if !self.wanted.takes(&record) {
            return;
        }
        let began = record.began.or(record.ended).unwrap_or(Time::ZERO);
        self.began.insert(record.call, began);
        self.calls.insert((began, record.call), record);
        if self.wanted.last.is_some_and(|last| self.calls.len() > last)
            && let Some(((_, call), _)) = self.calls.pop_first()
        {
            self.began.remove(&call);
        }
    }

    fn add(&mut self, call: CallId, ticket: TicketId, recording: RecordingRecord) {
        let began = self.began.get(&call);
        let record = began.and_then(|began| self.calls.get_mut(&(*began, call)));
        let tickets = record.into_iter().flat_map(|record| &mut record.tickets);
        for record in tickets.filter(|record| record.ticket == ticket) {
            record.recording = Some(recording.clone());
        }
    }
}

impl Sources {
    fn line(&self, record: CallRecord) -> Result<Line, CallsError> {
        let mut person: Option<Person> = None;
        if let Some(ledger) = &self.ledger {
            person = ledger.caller(record.call.into()).map_err(ReadError::from)?;
        }
        if let (None, Some(journal)) = (&person, &self.journal) {
            person = journal.caller(record.call).map_err(JournalError::from)?;
        }
        let number = person.filter(|person| !person.number.is_empty());
        let caller = number.map(|person| PhoneNumber::new(&person.number));
        Ok(Line { record, caller })
    }
}
