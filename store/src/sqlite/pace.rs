//! The pace of commits: each costs the processor much the same, however much it holds.

use std::time::{Duration, Instant};

/// Commands within [`UNDER_LOAD`] from which on all commits are that far apart.
const MANY: usize = 8;
/// How far the beginnings of two commits are apart at least, under load.
const UNDER_LOAD: Duration = Duration::from_millis(10);

/// How far the beginnings of two commits are apart at least, without load.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Pace {
    /// If one of the batches is urgent ([`Batch::urgent`](crate::Batch::urgent)).
    pub urgent: Duration,
    /// If none is.
    pub usual: Duration,
}

/// The commits so far.
pub(super) struct Pacer {
    pace: Pace,
    begun: Option<Instant>,
    /// The commands since this moment, and those of the [`UNDER_LOAD`] before it.
    since: Option<Instant>,
    now: usize,
    before: usize,
}

impl Pacer {
    pub(super) fn new(pace: Pace) -> Self {
        Pacer {
            pace,
            begun: None,
            since: None,
            now: 0,
            before: 0,
        }
    }

    /// How long the next commit has to wait.
    pub(super) fn rest(&self, at: Instant, is_urgent: bool) -> Duration {
        let Some(begun) = self.begun else {
            return Duration::ZERO;
        };
        let apart = if is_urgent {
            self.pace.urgent
        } else {
            self.pace.usual
        };
        let is_paced = !apart.is_zero();
        let apart = if is_paced && self.now.max(self.before) >= MANY {
            apart.max(UNDER_LOAD)
        } else {
            apart
        };
        apart.saturating_sub(at.saturating_duration_since(begun))
    }

    /// A commit of this many commands begins.
    pub(super) fn begins(&mut self, at: Instant, commands: usize) {
        self.begun = Some(at);
        let elapsed = self.since.map(|since| at.saturating_duration_since(since));
        match elapsed {
            Some(elapsed) if elapsed < UNDER_LOAD => self.now += commands,
            _ => {
                let is_next = elapsed.is_some_and(|elapsed| elapsed < 2 * UNDER_LOAD);
                self.before = if is_next { self.now } else { 0 };
                self.now = commands;
                self.since = Some(at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    const PACE: Pace = Pace {
        urgent: ms(1),
        usual: ms(20),
    };

    #[test]
    fn the_first_waits_for_nobody_and_urgent_ones_wait_less() {
        let (mut pacer, start) = (Pacer::new(PACE), Instant::now());
        assert_eq!(pacer.rest(start, false), ms(0));
        pacer.begins(start, 1);
        assert_eq!(pacer.rest(start + ms(5), false), ms(15));
        assert_eq!(pacer.rest(start, true), ms(1));
        assert_eq!(pacer.rest(start + ms(5), true), ms(0));
    }

    #[test]
    fn commits_are_further_apart_under_load() {
        for (each, is_high) in [(1, false), (2, true)] {
            let (mut pacer, start) = (Pacer::new(PACE), Instant::now());
            let commits = [0, 2, 4, 6, 11, 12].map(|at| start + ms(at));
            commits.iter().for_each(|at| pacer.begins(*at, each));
            let expected = if is_high { ms(10) } else { ms(1) };
            assert_eq!(pacer.rest(commits[5], true), expected, "{each}");
            assert_eq!(
                pacer.rest(commits[5], false),
                ms(20),
                "never nearer than asked for"
            );
        }
        let (mut pacer, start) = (Pacer::new(PACE), Instant::now());
        pacer.begins(start, 100);
        assert_eq!(pacer.rest(start, true), ms(10));
        pacer.begins(start + ms(15), 1);
        assert_eq!(pacer.rest(start + ms(15), true), ms(10));
        pacer.begins(start + ms(30), 1);
        assert_eq!(pacer.rest(start + ms(30), true), ms(1), "the load is over");
    }

    #[test]
    fn a_store_without_a_pace_never_waits() {
        let (mut pacer, start) = (Pacer::new(Pace::default()), Instant::now());
        pacer.begins(start, 100);
        assert_eq!(
            (pacer.rest(start, true), pacer.rest(start, false)),
            (ms(0), ms(0))
        );
    }
}
