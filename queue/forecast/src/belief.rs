//! How long talks of a queue take, from the first minute on: what is configured, drawn towards what is seen, and how far
//! that is to be doubted.
//!
//! The talks of a new centre that have ended are its short ones. So those that go on count too: of exponential talks,
//! censored, the rate has a gamma law (Gelman et al., *Bayesian Data Analysis*, §2.6): with a prior worth `a` talks of the
//! configured mean m, after d ended talks and T seconds of talking in all, ended or not, the mean is believed to be
//! (a·m + T)/(a + d), with a squared relative deviation of 1/(a + d), or as many times that as talks are more spread than
//! exponential ones.

use crate::floor::Floor;
use crate::law::{KEPT, Law};
use crate::learned::Learned;

/// The configured mean weighs as much as this many talks: one wrong by a factor of two lies well within the doubt.
pub(crate) const PRIOR: f64 = 3.0;

/// Up to so many ended talks those that go on count in full; from there on ever less, since of the talks that ended before
/// the oldest one kept nothing is counted either.
const YOUNG: f64 = 300.0;

/// What a talk takes on average.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Belief {
    /// In seconds.
    pub(crate) mean: f64,
    /// The squared relative deviation of that mean.
    pub(crate) doubt: f64,
}

impl Belief {
    /// Of the talks of a queue at a time, in seconds.
    pub(crate) fn of(floor: &Floor, learned: &Learned, queue: usize, now: f64) -> Belief {
        let ended = learned.talks as f64;
        let counts = ((KEPT as f64 - ended) / (KEPT as f64 - YOUNG)).clamp(0.0, 1.0);
        let going_on = if counts > 0.0 {
            counts * going_on(floor, queue, now)
        } else {
            0.0
        };
        let talk = &learned.talk;
        let known = PRIOR + talk.count();
        Belief {
            mean: talk.mean() + going_on / known,
            doubt: talk.squared_deviation().max(1.0) / known,
        }
    }

    /// By how much draws of the law have to be stretched to be of this mean.
    pub(crate) fn scale(&self, law: &Law) -> f64 {
        self.mean / law.drawn_mean()
    }
}

/// Seconds for which the talks of a queue that go on have gone on.
fn going_on(floor: &Floor, queue: usize, now: f64) -> f64 {
    let operators = floor.family(queue).operators.iter();
    let cycles = operators.filter_map(|&operator| floor.operators[operator].cycle);
    let talking = cycles.filter(|cycle| cycle.queue == queue && cycle.ended_at.is_none());
    talking
        .filter_map(|cycle| Some((now - cycle.answered_at?).max(0.0)))
        .sum()
}

#[cfg(test)]
mod tests;
