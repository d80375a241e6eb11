//! `pronto report promises --replay`: the history of a ledger through the estimator of this program, from the first fact, and
//! how its forecasts would have come out, whatever was announced then. So anyone can measure us on their own history.
//!
//! Each caller who found nobody ready is forecast as they join, from nothing but the facts before. Scored are those who
//! were answered; who left before is counted, and says something only of quantiles they outstayed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use jiff::tz::TimeZone;
use pronto_engine::{Fact, Wait};
use pronto_types::{QueueName, Wall};
use serde_json::json;

use crate::calls::read::unknown;
use crate::calls::{CallsError, Span, when};
use crate::columns::Columns;
use crate::forecast::history::{Delayed, History};
use crate::json::number;

/// Forecasts of one queue and day, scored.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Score {
    /// Callers who found nobody ready.
    delayed: u64,
    /// The number of delayed callers whose wait could not be forecast.
    unknown: u64,
    /// Those who were forecast and answered.
    answered: u64,
    /// How long they waited, how long they were forecast, and the squares of the differences, in seconds.
    waited: f64,
    forecast: f64,
    squares: f64,
    /// Waits known to be longer than the P50 and the P90, or not to be.
    over: [u64; 2],
    within: [u64; 2],
}

impl Score {
    fn answered(&mut self, wait: Wait, came: Duration) {
        let (came_s, mean) = (came.as_secs_f64(), wait.mean.as_secs_f64());
        self.answered += 1;
        self.waited += came_s;
        self.forecast += mean;
        self.squares += (mean - came_s).powi(2);
        for (index, quantile) in [wait.p50, wait.p90].into_iter().enumerate() {
            if came > quantile {
                self.over[index] += 1;
            } else {
                self.within[index] += 1;
            }
        }
    }

    fn left(&mut self, wait: Wait, after: Duration) {
        for (index, quantile) in [wait.p50, wait.p90].into_iter().enumerate() {
            self.over[index] += u64::from(after > quantile);
        }
    }

    fn add(&mut self, other: &Score) {
        self.delayed += other.delayed;
        self.unknown += other.unknown;
        self.answered += other.answered;
        self.waited += other.waited;
        self.forecast += other.forecast;
        self.squares += other.squares;
        for index in 0..2 {
            self.over[index] += other.over[index];
            self.within[index] += other.within[index];
        }
    }

    /// The root of the mean squared error over the mean wait.
    fn rrase(&self) -> Option<f64> {
        let count = self.answered as f64;
        (self.waited > 0.0).then(|| (self.squares / count).sqrt() / (self.waited / count))
    }

    /// Forecast over waited, less one.
    fn bias(&self) -> Option<f64> {
        (self.waited > 0.0).then(|| self.forecast / self.waited - 1.0)
    }

    fn exceeded(&self, index: usize) -> Option<f64> {
        let known = self.over[index] + self.within[index];
        (known > 0).then(|| self.over[index] as f64 / known as f64)
    }
}

/// By queue and day.
pub(super) type Scores = BTreeMap<(QueueName, String), Score>;

/// Plays the ledger of a store.
pub(super) fn read(store: &Path, wanted: &Span, zone: &TimeZone) -> Result<Scores, CallsError> {
    let ledger = super::ledger(store)?;
    let (mut history, mut queues, mut scores) = (History::default(), BTreeSet::new(), Scores::new());
    for fact in ledger.facts() {
        let recorded = fact?;
        if let Fact::Configured(configuration) = &recorded.fact {
            queues.extend(configuration.queues.iter().map(|queue| queue.name.clone()));
        }
        if let Some(waited) = history.take(&recorded)
            && let Some(score) = of(&mut scores, (&waited.caller, history.wall()), wanted, zone)
            && let Some(forecast) = waited.caller.forecast
        {
            if waited.tells() {
                score.answered(forecast, waited.wait);
            } else {
                score.left(forecast, waited.wait);
            }
        }
    }
    for caller in history.waiting() {
        of(&mut scores, (caller, history.wall()), wanted, zone);
    }
    match &wanted.queue {
        Some(queue) if !queues.contains(queue) => Err(unknown(queue, &queues)),
        _ => Ok(scores),
    }
}

/// The score of a caller's queue and day, who is counted there, if they are wanted.
fn of<'a>(
    scores: &'a mut Scores,
    (caller, wall): (&Delayed, &Wall),
    wanted: &Span,
    zone: &TimeZone,
) -> Option<&'a mut Score> {
    let date = wall.date(caller.at);
    if !wanted.takes(date, &caller.queue) {
        return None;
    }
    let place = (caller.queue.clone(), when::day(date, zone));
    let score = scores.entry(place).or_default();
    score.delayed += 1;
    score.unknown += u64::from(caller.forecast.is_none());
    Some(score)
}

pub(super) fn table(scores: &Scores) -> String {
    let titles = [
        "queue", "day", "delayed", "answered", "unknown", "wait s", "RRASE", "bias", "over p50", "over p90",
    ];
    let mut table = Columns::new(&titles, 2);
    let mut all = Score::default();
    let line = |table: &mut Columns, queue: &str, day: &str, score: &Score| {
        let percent = |value: Option<f64>| value.map_or("-".to_owned(), |it| format!("{:.1} %", 100.0 * it));
        let wait = score.waited / score.answered.max(1) as f64;
        table.row([
            queue.to_owned(),
            day.to_owned(),
            score.delayed.to_string(),
            score.answered.to_string(),
            score.unknown.to_string(),
            format!("{wait:.1}"),
            score.rrase().map_or("-".to_owned(), |it| format!("{it:.3}")),
            percent(score.bias()),
            percent(score.exceeded(0)),
            percent(score.exceeded(1)),
        ]);
    };
    for ((queue, day), score) in scores {
        line(&mut table, queue.as_str(), day, score);
        all.add(score);
    }
    line(&mut table, "all", "", &all);
    table.text()
}

pub(super) fn lines(scores: &Scores) -> String {
    let number = |value: Option<f64>| value.map(|value| number(&format!("{value:.4}")));
    let mut text = String::new();
    for ((queue, day), score) in scores {
        let line = json!({
            "queue": queue.as_str(),
            "day": day,
            "delayed": score.delayed,
            "answered": score.answered,
            "unknown": score.unknown,
            "rrase": number(score.rrase()),
            "bias": number(score.bias()),
            "over_p50": number(score.exceeded(0)),
            "over_p90": number(score.exceeded(1)),
        });
        let _ = writeln!(text, "{line}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(mean: u64) -> Wait {
        let secs = Duration::from_secs;
        Wait {
            mean: secs(mean),
            p50: secs(mean),
            p80: secs(2 * mean),
            p90: secs(3 * mean),
        }
    }

    #[test]
    fn the_scores_are_those_of_the_literature() {
        let mut score = Score::default();
        let secs = Duration::from_secs;
        // Off by 10 and 30; the mean wait is 100.
        score.answered(wait(100), secs(110));
        score.answered(wait(120), secs(90));
        let close = |found: Option<f64>, exact: f64| (found.unwrap() - exact).abs() < 1e-12;
        assert!(close(score.rrase(), (500.0_f64).sqrt() / 100.0));
        assert!(close(score.bias(), 0.1));
        assert!(close(score.exceeded(0), 0.5) && close(score.exceeded(1), 0.0));
        // Who left before the P50 says nothing, who outstayed the P90 does.
        score.left(wait(100), secs(50));
        assert!(close(score.exceeded(0), 0.5));
        score.left(wait(100), secs(301));
        assert!(close(score.exceeded(0), 2.0 / 3.0) && close(score.exceeded(1), 1.0 / 3.0));
        assert_eq!(Score::default().rrase(), None);
    }
}
