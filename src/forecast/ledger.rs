//! `pronto forecast --ledger DIR`: the ledger of a store through the very estimator of the engine, a line for each caller who
//! found nobody ready: the forecast as `--events` answers it, and what came.
//!
//! ```text
//! call_id              the ticket, as `pronto calls` names it; of who went on waiting in another queue the wait there is one by
//!                      itself, named `TICKET/2`, and so on
//! mean_s … p90_s       the forecast at the joining; null: unknown
//! call, wait, scored   again the ticket; the seconds until the outcome; whether they are the wait that was forecast: the
//!                      caller was answered, and the forecast was not unknown
//! queue, joined        its name; when the wait in it began: RFC 3339, UTC
//! outcome              answered, abandoned, timed-out, exited, moved, removed, lost; null: still waiting, wait null
//! ```
//! In the order in which the waits ended. A scorer of the protocol reads the file as predictions and as truth. Nobody's number
//! is in it: the ledger has none.

use std::io::Write;
use std::path::Path;

use jiff::tz::TimeZone;
use pronto_engine::LedgerEntry;
use pronto_queue::{LedgerReader, ReadError};
use pronto_types::Wall;
use serde_json::json;

use super::history::{Delayed, History, Waited};
use super::{answer, seconds};
use crate::calls::read::present;
use crate::calls::{CallsError, when};

/// A ledger that is read from its first fact.
pub(super) struct Ledger(LedgerReader);

impl Ledger {
    pub(super) fn open(store: &Path) -> Result<Self, CallsError> {
        let ledger = present(LedgerReader::open(store)).map_err(CallsError::OpenLedger)?;
        ledger
            .map(Ledger)
            .ok_or_else(|| CallsError::Absent(store.to_owned()))
    }

    pub(super) fn facts(&self) -> impl Iterator<Item = Result<LedgerEntry, ReadError>> {
        self.0.facts()
    }
}

pub(super) fn forecasts(ledger: &Ledger, out: &mut impl Write) -> Result<(), CallsError> {
    let mut history = History::default();
    for fact in ledger.facts() {
        if let Some(waited) = history.take(&fact?) {
            let text = line(&waited.caller, Some(&waited), history.wall());
            out.write_all(text.as_bytes()).map_err(CallsError::Output)?;
        }
    }
    for caller in history.waiting() {
        out.write_all(line(caller, None, history.wall()).as_bytes())
            .map_err(CallsError::Output)?;
    }
    Ok(())
}

fn line(caller: &Delayed, end: Option<&Waited>, wall: &Wall) -> String {
    let id = json!(caller.name());
    let mut line = answer(&id, caller.forecast);
    let joined = when::rfc3339(wall.date(caller.joined), &TimeZone::UTC);
    line["call"] = id;
    line["wait"] = json!(end.map(|end| seconds(end.wait)));
    line["scored"] = json!(end.is_some_and(Waited::tells) && caller.forecast.is_some());
    line["queue"] = json!(caller.queue.as_str());
    line["joined"] = json!(joined);
    line["outcome"] = json!(end.map(|end| end.outcome.to_string()));
    format!("{line}\n")
}
