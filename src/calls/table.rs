//! The calls as a table for a terminal, and what they come to.

use std::fmt::Write;
use std::time::Duration;

use pronto_engine::records::{CallRecord, TicketRecord};
use pronto_types::link::Origin;

use super::{Line, Show, name, when};
use crate::columns::Columns;

/// The columns, and how wide each may become.
const COLUMNS: [(&str, usize); 9] = [
    ("began", 19),
    ("call", 16),
    ("from", 18),
    ("number", 12),
    ("queue", 12),
    ("outcome", 14),
    ("waited", 7),
    ("talked", 7),
    ("operator", 10),
];

type Row = [String; COLUMNS.len()];

/// A row a call, and one more for each further place it had in a queue.
pub(super) fn render(lines: &[Line], show: &Show) -> String {
    let rows: Vec<Row> = lines.iter().flat_map(|line| of_call(line, show)).collect();
    let titles = COLUMNS.map(|(title, _)| title);
    // Columns of figures come last, and a call without a place in a queue has none: all are flush left.
    let mut table = Columns::new(&titles, titles.len());
    for row in rows {
        table.row(row.iter().zip(COLUMNS).map(|(cell, (_, most))| fit(cell, most)));
    }
    let mut text = table.text();
    let going = lines.iter().filter(|line| line.record.ended.is_none()).count();
    let plural = if lines.len() == 1 { "" } else { "s" };
    let _ = writeln!(text, "{} call{plural}, {going} going on", lines.len());
    text
}

fn of_call(line: &Line, show: &Show) -> Vec<Row> {
    let record = &line.record;
    let began = record
        .began
        .map_or("before it was known".to_owned(), |at| when::short(at, &show.zone));
    let call = record.call.to_string();
    let head = [
        began,
        call,
        from(line, show),
        record.dialled.clone().unwrap_or_default(),
    ];
    let mut rows: Vec<Row> = record
        .tickets
        .iter()
        .map(|ticket| of_ticket(record, ticket))
        .map(row)
        .collect();
    if rows.is_empty() {
        let outcome = record.outcome.map_or("going on", name).to_owned();
        rows.push(row([
            String::new(),
            outcome,
            String::new(),
            String::new(),
            String::new(),
        ]));
    }
    rows[0][..4].clone_from_slice(&head);
    rows
}

fn row(tail: [String; 5]) -> Row {
    let mut tail = tail.into_iter();
    std::array::from_fn(|column| {
        if column < 4 {
            String::new()
        } else {
            tail.next().unwrap_or_default()
        }
    })
}

fn of_ticket(call: &CallRecord, ticket: &TicketRecord) -> [String; 5] {
    let outcome = match (ticket.outcome, ticket.answered) {
        (Some(outcome), _) => outcome.to_string(),
        (None, _) if call.ended.is_some() => call.outcome.map_or("", name).to_owned(),
        (None, Some(_)) => "talking".to_owned(),
        (None, None) => "waiting".to_owned(),
    };
    let length = |duration: Option<Duration>| duration.map(clock).unwrap_or_default();
    let operator = ticket.operator.as_ref().map(ToString::to_string);
    [
        ticket.queue.to_string(),
        outcome,
        length(ticket.waited),
        length(ticket.talked),
        operator.unwrap_or_default(),
    ]
}

/// The trunk or the operator, and the number as far as it may be shown.
fn from(line: &Line, show: &Show) -> String {
    let way = match &line.record.origin {
        Some(Origin::Trunk(name)) => name.to_string(),
        Some(Origin::Operator(id)) => id.to_string(),
        None => String::new(),
    };
    match &line.caller {
        // In full it is what was asked for: the way it came makes room.
        Some(number) if show.numbers => number.reveal().to_owned(),
        Some(number) => format!("{way} {number}").trim_start().to_owned(),
        None => way,
    }
}

/// `0:07`, `12:30`, `1:02:03`.
pub(super) fn clock(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// A cell with at most `most` characters.
fn fit(cell: &str, most: usize) -> String {
    // What came from outside must not move the terminal's cursor.
    let cell: String = cell
        .chars()
        .map(|character| if character.is_control() { '?' } else { character })
        .collect();
    if cell.chars().count() > most {
        let kept: String = cell.chars().take(most - 1).collect();
        kept + "…"
    } else {
        cell
    }
}
