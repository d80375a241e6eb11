//! The answer: a wait with its spread.

use std::time::Duration;

/// How long it will take. `p50 ≤ p80 ≤ p90`; announce the range from `p50` to `p90`, rather than the mean alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The mean of the wait.
    pub mean: Duration,
    /// One caller in two waits longer.
    pub p50: Duration,
    /// One caller in five waits longer.
    pub p80: Duration,
    /// One caller in ten waits longer.
    pub p90: Duration,
}

/// Nothing longer is ever forecast.
const LONGEST: f64 = 24.0 * 3600.0;

/// Quantiles of the standard normal distribution at 0.5, 0.8 and 0.9.
pub(crate) const NORMAL: [f64; 3] = [0.0, 0.841_621, 1.281_552];

/// Mean and variance of a wait, in seconds and seconds².
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Moments {
    pub(crate) mean: f64,
    pub(crate) variance: f64,
}

impl Moments {
    pub(crate) fn plus(self, other: Moments) -> Moments {
        Moments {
            mean: self.mean + other.mean,
            variance: self.variance + other.variance,
        }
    }

    /// As it is where the time that all of it consists of is itself known only so far: a squared relative deviation.
    pub(crate) fn doubted(self, doubt: f64) -> Moments {
        Moments {
            mean: self.mean,
            variance: self.variance + doubt * self.mean * self.mean,
        }
    }

    /// One ninth of the squared coefficient of variation: the `b` of Wilson & Hilferty 1931, by which
    /// `(W/mean)^(1/3)` of a gamma variable is nearly normal with mean `1−b` and variance `b`.
    fn spread(self) -> f64 {
        let square = (self.mean * self.mean).max(1e-9);
        (self.variance / square).clamp(1e-6, 4.0) / 9.0
    }

    /// The value whose normal score is `score`.
    pub(crate) fn at_score(self, score: f64) -> f64 {
        let b = self.spread();
        let root = (1.0 - b + score * b.sqrt()).max(0.02);
        self.mean * root * root * root
    }

    /// The normal score of a wait that came: the inverse of [`Moments::at_score`].
    pub(crate) fn score_of(self, wait: f64) -> f64 {
        let b = self.spread();
        ((wait / self.mean.max(1e-3)).max(0.0).cbrt() - (1.0 - b)) / b.sqrt()
    }
}

impl Wait {
    /// The wait with this law, its quantiles at these normal scores.
    pub(crate) fn of(law: Moments, scores: [f64; 3]) -> Wait {
        let [p50, p80, p90] = scores.map(|score| law.at_score(score));
        Wait::ordered(law.mean, p50, p80, p90)
    }

    pub(crate) fn ordered(mean: f64, p50: f64, p80: f64, p90: f64) -> Wait {
        let p80 = p80.max(p50);
        Wait {
            mean: seconds(mean),
            p50: seconds(p50),
            p80: seconds(p80),
            p90: seconds(p90.max(p80)),
        }
    }
}

/// Converts seconds. A value that is not a number becomes the longest wait: never promised, rather than promised as
/// zero.
fn seconds(value: f64) -> Duration {
    let bounded = if value.is_nan() { LONGEST } else { value };
    Duration::from_secs_f64(bounded.clamp(0.0, LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_an_exponential_wait_are_near_the_exact_ones() {
        let law = Moments {
            mean: 100.0,
            variance: 10_000.0,
        };
        let wait = Wait::of(law, NORMAL);
        // ln 2, ln 5 and ln 10 times the mean.
        for (found, exact) in [(wait.p50, 69.3), (wait.p80, 160.9), (wait.p90, 230.3)] {
            assert!(
                (found.as_secs_f64() / exact - 1.0).abs() < 0.03,
                "{found:?} {exact}"
            );
        }
    }

    #[test]
    fn score_and_quantile_are_inverse() {
        let law = Moments {
            mean: 80.0,
            variance: 900.0,
        };
        for wait in [20.0, 80.0, 200.0] {
            assert!((law.at_score(law.score_of(wait)) - wait).abs() < 1e-9);
        }
    }

    #[test]
    fn nonsense_is_ordered_and_bounded() {
        let wait = Wait::ordered(f64::NAN, 5.0, -3.0, f64::INFINITY);
        assert_eq!(wait.mean, Duration::from_secs(86_400));
        assert_eq!(wait.p80, wait.p50);
        assert_eq!(wait.p90, Duration::from_secs(86_400));
    }
}
