//! The twin: the floor as it stands, run forward by the learned laws many times, and the wait of one caller read off.
//!
//! Routing is the engine's own ([`pronto_routing`]). Only what can reach the caller is simulated: those ahead, arrivals of a
//! better class, and the operators who serve them. Of future arrivals of the caller's own class or below none can, since they
//! all rank behind.
//!
//! The operators' first rests are drawn by Latin hypercube (McKay et al. 1979): over the runs, each operator's draws cover
//! that operator's law evenly, which takes most of the noise out of the mean for the same number of runs.

mod play;
mod stage;

use pronto_routing::Rank;

use crate::floor::Floor;
use crate::learned::{CLASSES, Learned, Pauses};
use crate::wait::Moments;
use play::Play;
use stage::Ahead;

/// Operators and callers drawn over all runs of one forecast: what a forecast may cost.
const BUDGET: usize = 12_000;
/// Runs of one forecast, if the budget allows; a power of two.
const RUNS: usize = 256;
/// The same for a whole line.
const LINE_BUDGET: usize = 100_000;
/// With fewer runs the recursion alone is better.
const FEWEST: usize = 16;
/// Inputs of the twin's simulation.
pub(crate) struct Twin<'a> {
    pub(crate) floor: &'a Floor,
    pub(crate) learned: &'a [Learned],
    pub(crate) pauses: &'a Pauses,
    /// By queue, what talks drawn are stretched by.
    pub(crate) stretched: Vec<f64>,
    pub(crate) now: f64,
    pub(crate) seed: u64,
}

/// Waits of one caller over the runs.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    sum: f64,
    squares: f64,
    played: f64,
}

impl Tally {
    fn add(&mut self, wait: f64) {
        self.sum += wait;
        self.squares += wait * wait;
        self.played += 1.0;
    }

    /// `None` if too many runs came to nobody.
    fn law(self, runs: usize) -> Option<Moments> {
        if self.played < 0.8 * runs as f64 {
            return None;
        }
        let mean = self.sum / self.played;
        let variance = (self.squares - self.sum * mean) / (self.played - 1.0);
        Some(Moments {
            mean,
            variance: variance.max(0.0025 * mean * mean),
        })
    }
}

impl Twin<'_> {
    /// The wait until the offer of a caller with this rank, from now; `None` if it would cost too much or nobody comes.
    pub(crate) fn offer(&self, queue: usize, rank: Rank) -> Option<Moments> {
        let stage = self.stage(queue, rank)?;
        let size = stage.actors.len() + stage.lines.iter().map(Vec::len).sum::<usize>();
        let runs = (BUDGET / size.max(1)).min(RUNS);
        if runs < FEWEST {
            return None;
        }
        let runs = 1usize << runs.ilog2();
        let mut play = Play::new(&stage);
        let mut tally = Tally::default();
        for run in 0..runs {
            play.run(self, run, runs, |at| tally.add(at));
        }
        tally.law(runs)
    }

    /// The wait until the offer of each caller of a line, from now, by their places: as far as [`Twin::offer`] would go for
    /// each, all in one play.
    pub(crate) fn line(&self, queue: usize) -> Vec<Option<Moments>> {
        let affordable = BUDGET / FEWEST;
        let operators = self.floor.family(queue).operators.len();
        let ranks = self.floor.queues[queue].waiting.keys();
        let Some(&last) = ranks.take(affordable.saturating_sub(operators)).next_back() else {
            return Vec::new();
        };
        // Who is last plays the caller, and the others are those ahead.
        let Some(mut stage) = self.stage(queue, last) else {
            return Vec::new();
        };
        let first = stage.line - stage.line % CLASSES;
        stage.watched = Some(first..first + CLASSES);
        let callers = |line: &Vec<Ahead>| line.len();
        let size = stage.actors.len() + stage.lines.iter().map(callers).sum::<usize>();
        let runs = 1usize << (LINE_BUDGET / size.max(1)).clamp(FEWEST, RUNS).ilog2();
        let mut tallies = vec![Tally::default(); stage.lines[first..=stage.line].iter().map(callers).sum()];
        let mut play = Play::new(&stage);
        for run in 0..runs {
            let mut place = 0;
            play.run(self, run, runs, |at| {
                if let Some(tally) = tallies.get_mut(place) {
                    tally.add(at);
                }
                place += 1;
            });
        }
        tallies.into_iter().map(|tally| tally.law(runs)).collect()
    }
}

#[cfg(test)]
mod tests;
