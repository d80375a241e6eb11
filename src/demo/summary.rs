//! The table at the end: what the queue, the ledger, the callers, the operators and their ears have to say.

use std::fmt;
use std::time::Duration;

use super::Day;
use super::books::{REMARKABLE, WELL};
use super::status;
use super::verdict::Sum;
use crate::demo::DemoArgs;

/// Everything that is known at the end.
pub(super) struct Summary<'a> {
    pub(super) arguments: &'a DemoArgs,
    pub(super) day: &'a Day,
}

impl Summary<'_> {
    /// Computes the figures that decide the verdict.
    pub(super) fn sum(&self) -> Sum {
        let Day {
            books, seen, ledger, ..
        } = self.day;
        Sum {
            minutes: books.length().as_secs_f64() / 60.0,
            defaults: self.arguments.are_default(),
            tickets: seen.ended(),
            refused: books.calls.refused.values().sum(),
            calls: ledger.waits.calls,
            records: ledger.records,
            promises: (ledger.waits.announced, ledger.waits.closed.len() as u64),
        }
    }
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sum = self.sum();
        let (tickets, calls, offers) = (sum.tickets, &self.day.books.calls, &self.day.books.offers);
        let joined: u64 = self.day.seen.queues.iter().map(|queue| queue.joined).sum();
        writeln!(f)?;
        row(
            f,
            "calls",
            format_args!("{} began, {} call records", sum.calls, sum.records),
        )?;
        row(
            f,
            "places taken",
            format_args!(
                "{joined}: answered {}, abandoned {}, timed out {}, exited {}, moved {}, called back {}, lost {}",
                tickets.answered,
                tickets.abandoned,
                tickets.timed_out,
                tickets.exited,
                tickets.moved,
                tickets.called_back,
                tickets.lost + tickets.open
            ),
        )?;
        let per_minute = tickets.answered as f64 / sum.minutes.max(f64::MIN_POSITIVE);
        row(f, "answered a minute", format_args!("{per_minute:.1}"))?;
        let level = status::percent(self.day.books.service_level());
        let within = WELL.as_secs();
        row(
            f,
            "service level",
            format_args!("{} within {within} s", level.trim_start()),
        )?;
        row(f, "wait, answered", format_args!("{}", Spread::of(&calls.waits)))?;
        row(
            f,
            "wait, given up",
            format_args!("{}", Spread::of(&calls.abandoned)),
        )?;
        row(
            f,
            "talks",
            format_args!("{}, {} ended by the caller", offers.talks, calls.ended_by_caller),
        )?;
        row(
            f,
            "offers not taken",
            format_args!(
                "{} not heard, {} declined; {} breaks",
                offers.missed, offers.declined, offers.pauses
            ),
        )?;
        self.promises(f)?;
        self.ears(f)?;
        self.callers_say(f)
    }
}

impl Summary<'_> {
    fn promises(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waits = &self.day.ledger.waits;
        let closed = waits.closed.len();
        let (announced, kept) = (waits.announced, waits.kept());
        row(
            f,
            "announced waits",
            format_args!(
                "{announced}, {closed} heard and closed by the answer, {kept} of them within the announced P90"
            ),
        )?;
        match waits.typical_error() {
            Some(error) => {
                let error = error.as_secs_f64();
                row(
                    f,
                    "announced, came",
                    format_args!("half of them at most {error:.1} s from the announced P50"),
                )
            }
            None => Ok(()),
        }
    }

    fn ears(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sound = &self.day.books.sound;
        row(
            f,
            "heard",
            format_args!(
                "{} of {} talks both ways, each sure whom; {} RTP packets",
                self.day.books.heard_each_other(),
                self.day.books.offers.talks,
                sound.packets
            ),
        )?;
        row(
            f,
            "silence",
            format_args!(
                "{} of {} calls without any sound, {} with {} s or more of it; longest silence {:.1} s, longest gap {:.2} s",
                sound.deaf,
                sound.listened,
                sound.broken,
                REMARKABLE.as_secs(),
                sound.longest_silence.as_secs_f64(),
                sound.longest_gap.as_secs_f64()
            ),
        )
    }

    fn callers_say(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let calls = &self.day.books.calls;
        if calls.sent_away > 0 {
            row(f, "sent away", format_args!("{}", calls.sent_away))?;
        }
        for (status, count) in &calls.refused {
            row(f, "refused", format_args!("{count} with {status}"))?;
        }
        Ok(())
    }
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, value: fmt::Arguments<'_>) -> fmt::Result {
    writeln!(f, "{name:<18}{value}")
}

/// Half of them were shorter, nine of ten, all.
struct Spread(Option<[Duration; 3]>);

impl Spread {
    fn of(times: &[Duration]) -> Self {
        let mut sorted = times.to_vec();
        sorted.sort_unstable();
        let at = |share: f64| {
            let last = sorted.len().checked_sub(1)?;
            sorted.get((share * last as f64).round() as usize).copied()
        };
        let all = [0.5, 0.9, 1.0].map(at);
        Spread(match all {
            [Some(half), Some(most), Some(all)] => Some([half, most, all]),
            _ => None,
        })
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some([half, most, all]) = self.0 else {
            return f.write_str("none");
        };
        write!(
            f,
            "half within {:.1} s, nine of ten within {:.1} s, longest {:.1} s",
            half.as_secs_f64(),
            most.as_secs_f64(),
            all.as_secs_f64()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_names_the_median_the_ninth_decile_and_the_longest() {
        let times: Vec<Duration> = (0..=10).rev().map(Duration::from_secs).collect();
        assert_eq!(
            Spread::of(&times).to_string(),
            "half within 5.0 s, nine of ten within 9.0 s, longest 10.0 s"
        );
        assert_eq!(Spread::of(&[]).to_string(), "none");
    }
}
