//! How long talks of a queue take, from the first minute on: what is configured, drawn towards what is seen, and how far
//! that is to be doubted.
//!
//! The talks of a new centre that have ended are its short ones. So those that go on count too. Of exponential talks, of
//! which d ended in T seconds of talking in all, ended or not, the likelihood of a mean m is m⁻ᵈ·e^(−T/m) (a censored sample;
//! Lawless, *Statistical Models and Methods for Lifetime Data*, §4.1); talks more spread than exponential ones tell as much
//! less. The configured mean c is believed as far as ln m is normal about ln c with variance 1/`PRIOR`: wrong by a factor of two
//! is nothing strange, and one of twenty is forgotten after a few talks. Believed is the most likely m, and doubted as far as
//! the curvature there says (Laplace's approximation).

use crate::floor::Floor;
use crate::law::{KEPT, Law, PRIOR};
use crate::learned::Learned;

/// The number of ended talks up to which talks that go on count in full. Beyond it they count ever less, since talks
/// that ended before the oldest one kept are not counted either.
const YOUNG: f64 = 300.0;

/// The believed mean of a talk, and the doubt about it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Belief {
    /// The mean of a talk, in seconds.
    pub(crate) mean: f64,
    /// The squared relative deviation of that mean.
    pub(crate) doubt: f64,
}

impl Belief {
    /// The belief about the talks of a queue at a time, in seconds.
    pub(crate) fn of(floor: &Floor, learned: &Learned, queue: usize, now: f64) -> Belief {
        let ended = learned.talks as f64;
        let counts = ((KEPT as f64 - ended) / (KEPT as f64 - YOUNG)).clamp(0.0, 1.0);
        let going_on = if counts > 0.0 {
            counts * going_on(floor, queue, now)
        } else {
            0.0
        };
        let talk = &learned.talk;
        let spread = talk.squared_deviation().max(1.0);
        let (ended, seconds) = (talk.count() / spread, (talk.total() + going_on) / spread);
        Belief::likeliest(learned.configured, ended, seconds)
    }

    /// The belief after `ended` talks and `seconds` of talking: where PRIOR·ln(m/c) + d = T/m. The left side rises with
    /// m and the right side falls, so that Newton's steps on ln m, none greater than one, end there.
    fn likeliest(configured: f64, ended: f64, seconds: f64) -> Belief {
        let mut log = ((seconds + PRIOR * configured) / (ended + PRIOR)).ln();
        for _ in 0..30 {
            let told = seconds * (-log).exp();
            let step = (PRIOR * (log - configured.ln()) + ended - told) / (PRIOR + told);
            log -= step.clamp(-1.0, 1.0);
            if step.abs() < 1e-9 {
                break;
            }
        }
        let mean = log.exp();
        Belief {
            mean,
            doubt: 1.0 / (PRIOR + seconds / mean),
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
