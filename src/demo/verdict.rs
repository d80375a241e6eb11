//! Whether the demonstration went as it should. Pure: the figures in, what is wrong out.

use std::fmt;

use super::watch::Ended;

/// Calls that must be answered in a minute, with the default numbers of callers and operators.
pub(super) const ANSWERED_PER_MINUTE: f64 = 30.0;
/// Below this a run is too short for that: the first calls are still in the menu.
const LONG_ENOUGH: f64 = 0.9;

/// The figures that decide.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sum {
    /// How long calls were made.
    pub(super) minutes: f64,
    /// With the default numbers of callers and operators.
    pub(super) defaults: bool,
    /// The tickets, as the queue has them.
    pub(super) tickets: Ended,
    /// Calls the centre refused, or did not answer, as the callers have it.
    pub(super) refused: u64,
    /// Calls that began, by the ledger.
    pub(super) calls: u64,
    /// The number of call records.
    pub(super) records: u64,
    /// Waits that were announced and heard, and those of them that were closed with the wait that came.
    pub(super) promises: (u64, u64),
}

/// A fault of the demonstration.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Fault {
    /// Tickets that ended as nothing they may end as, or not at all.
    Lost { lost: u64, open: u64 },
    /// The centre refused calls.
    Refused(u64),
    /// Too few were answered.
    TooFew { per_minute: f64 },
    /// Calls without a record, or records without a call.
    Records { calls: u64, records: u64 },
    /// No announced wait was closed with its outcome.
    NoPromiseKept { announced: u64 },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Lost { lost, open } => write!(
                f,
                "{lost} calls were lost and {open} did not end: expected every call to end as answered, abandoned, \
                 timed out, exited, moved or called back"
            ),
            Fault::Refused(count) => write!(f, "{count} calls were refused by the centre"),
            Fault::TooFew { per_minute } => write!(
                f,
                "{per_minute:.1} calls a minute were answered: expected at least {ANSWERED_PER_MINUTE:.0}"
            ),
            Fault::Records { calls, records } => write!(
                f,
                "{calls} calls began and {records} call records were written: expected exactly one for each"
            ),
            Fault::NoPromiseKept { announced } => write!(
                f,
                "of {announced} waits announced none was closed with the wait that came: expected at least one"
            ),
        }
    }
}

/// Everything that is wrong.
pub(super) fn judge(sum: &Sum) -> Vec<Fault> {
    let mut faults = Vec::new();
    let Ended {
        lost, open, answered, ..
    } = sum.tickets;
    if lost + open > 0 {
        faults.push(Fault::Lost { lost, open });
    }
    if sum.refused > 0 {
        faults.push(Fault::Refused(sum.refused));
    }
    let per_minute = answered as f64 / sum.minutes.max(f64::MIN_POSITIVE);
    if sum.defaults && sum.minutes >= LONG_ENOUGH && per_minute < ANSWERED_PER_MINUTE {
        faults.push(Fault::TooFew { per_minute });
    }
    if sum.records != sum.calls {
        faults.push(Fault::Records {
            calls: sum.calls,
            records: sum.records,
        });
    }
    let (announced, closed) = sum.promises;
    if closed == 0 {
        faults.push(Fault::NoPromiseKept { announced });
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Sum {
        Sum {
            minutes: 2.0,
            defaults: true,
            tickets: Ended {
                answered: 90,
                abandoned: 4,
                timed_out: 1,
                exited: 2,
                moved: 1,
                called_back: 1,
                lost: 0,
                open: 0,
            },
            refused: 0,
            calls: 96,
            records: 96,
            promises: (12, 10),
        }
    }

    fn faults(spoil: impl FnOnce(&mut Sum)) -> Vec<Fault> {
        let mut sum = good();
        spoil(&mut sum);
        judge(&sum)
    }

    #[test]
    fn a_good_day_has_no_fault() {
        assert_eq!(judge(&good()), []);
    }

    #[test]
    fn a_lost_call_and_one_that_does_not_end_are_faults() {
        let lost = Fault::Lost { lost: 1, open: 0 };
        assert_eq!(faults(|sum| sum.tickets.lost = 1), [lost]);
        let open = Fault::Lost { lost: 0, open: 2 };
        assert_eq!(faults(|sum| sum.tickets.open = 2), [open]);
    }

    #[test]
    fn a_refused_call_is_a_fault() {
        assert_eq!(faults(|sum| sum.refused = 3), [Fault::Refused(3)]);
    }

    #[test]
    fn too_few_answered_is_a_fault_with_the_defaults_only_and_only_of_a_run_that_is_long_enough() {
        let few = |sum: &mut Sum| sum.tickets.answered = 59;
        assert_eq!(faults(few), [Fault::TooFew { per_minute: 29.5 }]);
        let exactly = |sum: &mut Sum| sum.tickets.answered = 60;
        assert_eq!(faults(exactly), []);
        let other = |sum: &mut Sum| {
            few(sum);
            sum.defaults = false;
        };
        assert_eq!(faults(other), []);
        let short = |sum: &mut Sum| {
            sum.minutes = 0.3;
            sum.tickets.answered = 2;
        };
        assert_eq!(faults(short), []);
    }

    #[test]
    fn a_call_without_a_record_and_a_record_too_many_are_faults() {
        let one_missing = Fault::Records {
            calls: 96,
            records: 95,
        };
        assert_eq!(faults(|sum| sum.records = 95), [one_missing]);
        assert_eq!(faults(|sum| sum.records = 97).len(), 1);
    }

    #[test]
    fn a_day_on_which_no_announced_wait_came_to_its_end_is_a_fault() {
        let none = Fault::NoPromiseKept { announced: 12 };
        assert_eq!(faults(|sum| sum.promises = (12, 0)), [none]);
        assert_eq!(faults(|sum| sum.promises = (1, 1)), []);
    }
}
