//! The status line, once a second where there is no terminal; and how figures are written.

use std::fmt::Write as _;
use std::time::Duration;

use super::Day;
use super::watch::State;

/// One line: where the day is.
pub(super) fn line(elapsed: Duration, day: &Day) -> String {
    let Day {
        books, seen, ledger, ..
    } = day;
    let ended = seen.ended();
    let longest = seen.longest_wait().unwrap_or_default();
    let mut line = format!(
        "{}  waiting {:>2}, longest {}  announced {}  operators:",
        clock(elapsed),
        seen.waiting(),
        clock(longest),
        promise(ledger.waits.closed.last()),
    );
    let by_state = seen.operators_by_state();
    for state in [
        State::Ready,
        State::Offered,
        State::Talking,
        State::WrapUp,
        State::Paused,
    ] {
        let count = by_state.get(&state).copied().unwrap_or_default();
        let _ = write!(line, " {count} {}", state.name());
    }
    if let Some(age) = day.age() {
        let _ = write!(line, " ({} s ago)", age.as_secs());
    }
    let level = percent(books.service_level());
    let _ = write!(
        line,
        "  answered {:>3}  abandoned {:>2}  service level {level}",
        ended.answered, ended.abandoned
    );
    line
}

/// The wait that was announced to the caller answered last, and the one that came.
pub(super) fn promise(closed: Option<&super::ledger::Closed>) -> String {
    match closed {
        Some(closed) => {
            let (p50, p90) = (closed.wait.p50.as_secs(), closed.wait.p90.as_secs());
            format!("{p50}-{p90} s, came {} s", closed.came.as_secs())
        }
        None => "-".to_owned(),
    }
}

/// Minutes and seconds.
pub(super) fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{:02}:{:02}", seconds / 60, seconds % 60)
}

/// Writes a share in per cent; `-` while it is unknown.
pub(super) fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "  -".to_owned(), |share| format!("{:>3.0} %", share * 100.0))
}
