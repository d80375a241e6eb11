//! The recursion over the callers ahead: always affordable, O(callers ahead).
//!
//! Ibrahim & Whitt 2009 (QLap) with the hazard of each caller ahead taken at that caller's own age: who is a_j old stays
//! until served at T with probability p_j = S(a_j+T)/S(a_j), and only then costs a service, 1/r. So T grows by p_j/r for
//! each caller ahead, in rank order, and by 1/r for the caller; r is the learned throughput of the operators present, less
//! the arrivals that may overtake.

use crate::hazard::Hazard;
use crate::wait::Moments;

/// The recursion on its way through a line: what is known after the callers passed so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Passage {
    step: f64,
    passed: Moments,
}

impl Passage {
    /// Before the first caller; callers served a second `rate`.
    pub(crate) fn new(rate: f64) -> Self {
        let passed = Moments {
            mean: 0.0,
            variance: 0.0,
        };
        Passage {
            step: 1.0 / rate.max(1e-6),
            passed,
        }
    }

    /// A caller of this age is ahead of whoever comes next.
    pub(crate) fn pass(&mut self, age: f64, hazard: &Hazard) {
        let stays = (hazard.integral(age) - hazard.integral(age + self.passed.mean)).exp();
        self.passed.mean += stays * self.step;
        self.passed.variance += stays * (2.0 - stays) * self.step * self.step;
    }

    /// The time to the offer of the caller who comes next.
    pub(crate) fn offer(&self) -> Moments {
        self.passed.plus(Moments {
            mean: self.step,
            variance: self.step * self.step,
        })
    }
}

/// The time to the offer: `ages` of the callers ahead, first to be served first; callers served a second `rate`.
pub(crate) fn recursion(ages: impl Iterator<Item = f64>, rate: f64, hazard: &Hazard) -> Moments {
    let mut passage = Passage::new(rate);
    ages.for_each(|age| passage.pass(age, hazard));
    passage.offer()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn impatient() -> Hazard {
        let mut hazard = Hazard::default();
        for number in 0..300 {
            hazard.add(0.0, f64::from(number), number % 3 == 0);
        }
        hazard
    }

    #[test]
    fn more_ahead_never_shortens_and_a_higher_rate_never_lengthens() {
        let hazard = impatient();
        for ahead in 0..60 {
            let ages = |ahead: i32| (0..ahead).rev().map(|number| f64::from(number) * 7.0);
            let here = recursion(ages(ahead), 0.1, &hazard).mean;
            let newest_first = |ahead: i32| ages(ahead).chain([0.0]);
            assert!(recursion(newest_first(ahead), 0.1, &hazard).mean >= here);
            assert!(recursion(ages(ahead), 0.12, &hazard).mean <= here);
        }
    }

    #[test]
    fn without_hang_ups_it_is_queue_length() {
        let mut patient = Hazard::default();
        for _ in 0..1000 {
            patient.add(0.0, 1e7, false);
        }
        let law = recursion([50.0; 9].into_iter(), 0.1, &patient);
        assert!(
            (law.mean - 100.0).abs() < 0.1 && (law.variance - 1000.0).abs() < 1.0,
            "{law:?}"
        );
    }
}
