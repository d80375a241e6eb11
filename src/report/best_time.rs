//! `pronto report best-time`: when to call a queue, from the week that its ledger has taught.

use std::fmt::Write as _;
use std::path::Path;

use jiff::tz::TimeZone;
use pronto_engine::{HourAhead, State};
use pronto_types::QueueName;
use serde_json::json;

use super::BestTimeArgs;
use crate::calls::read::unknown;
use crate::calls::{CallsError, when};
use crate::columns::Columns;
use crate::json::number;

/// How many hours are shown.
const SHOWN: usize = 10;

/// Renders the table of the best times to call.
pub(super) fn text(
    store: &Path,
    zone: &TimeZone,
    queue: &QueueName,
    arguments: &BestTimeArgs,
) -> Result<String, CallsError> {
    let mut state = State::default();
    for fact in super::ledger(store)?.facts() {
        state.apply(&fact?);
    }
    let now = when::now().shifted(-state.wall().offset()).max(state.last_at());
    let Some(hours) = state.best_hours(now, queue) else {
        return Err(unknown(queue, &state.queue_names().cloned().collect()));
    };
    Ok(if arguments.json {
        lines(&hours, zone)
    } else {
        table(&hours, zone)
    })
}

fn table(hours: &[HourAhead], zone: &TimeZone) -> String {
    if hours.is_empty() {
        return "too little is known: no hour of the week has seen five callers, most of them answered\n"
            .to_owned();
    }
    let mut table = Columns::new(&["from", "wait s", "callers an h"], 1);
    for hour in hours.iter().take(SHOWN) {
        table.row([
            when::hour(hour.begins, zone),
            format!("{:.0}", hour.wait.as_secs_f64()),
            format!("{:.1}", hour.callers),
        ]);
    }
    let mut text = table.text();
    let _ = writeln!(text, "the best of {} hours in the next seven days", hours.len());
    text
}

fn lines(hours: &[HourAhead], zone: &TimeZone) -> String {
    let line = |hour: &HourAhead| {
        let line = json!({
            "begins": when::rfc3339(hour.begins, zone),
            "wait": number(&format!("{:.1}", hour.wait.as_secs_f64())),
            "callers": number(&format!("{:.2}", hour.callers)),
        });
        format!("{line}\n")
    };
    hours.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use pronto_types::Time;

    use super::*;

    #[test]
    fn hours_are_shown_in_the_zone_of_the_centre() {
        let rome = TimeZone::get("Europe/Rome").unwrap();
        let hours = [HourAhead {
            begins: Time::from_secs(1_793_606_400),
            callers: 12.0,
            wait: std::time::Duration::from_secs(75),
        }];
        let expected = "\
from                  wait s  callers an h
Mon 2026-11-02 09:00      75          12.0
the best of 1 hours in the next seven days
";
        assert_eq!(table(&hours, &rome), expected);
        assert_eq!(
            lines(&hours, &rome),
            "{\"begins\":\"2026-11-02T09:00:00.000+01:00\",\"wait\":75.0,\"callers\":12.00}\n"
        );
        assert!(table(&[], &rome).starts_with("too little"));
    }
}
