//! Making forecasts true on average: what was forecast against what came, per queue and class.
//!
//! 1. The twin and the recursion are each freed of their mean error, then mixed with the weights of least squared error
//!    (Bates & Granger 1969).
//! 2. The mixture m becomes E[W | m], learned on a logarithmic grid of m and made isotonic by pooling adjacent violators
//!    (Ayer et al. 1955): a longer mixture never becomes a shorter forecast.
//! 3. Quantiles are those of a gamma law with this mean and the predicted variance, at normal scores that move with each
//!    outcome: adaptive conformal inference (Gibbs & Candès 2021, equation 2), so that in the long run a tenth of the waits exceed
//!    the P90 whatever their law.

use crate::wait::{Moments, NORMAL};

/// Grid points: 1 s, 1.5 s, 2.25 s … about 16 h.
const POINTS: usize = 28;
const RATIO: f64 = 1.5;

/// The share of the past that is kept at each outcome.
const FADE: f64 = 0.9985;

/// The same for the mean error: waits that follow one another share their departures, so that many outcomes tell little.
const SLOW: f64 = 0.9997;

/// The identity weighs as much as this many outcomes at each grid point.
const BELIEF: f64 = 25.0;

/// Levels of the quantiles, as shares of waits that exceed them.
const EXCEEDED: [f64; 3] = [0.5, 0.2, 0.1];

/// How dense scores are at the quantiles (standard normal): where they are rare, each tells more.
const DENSITY: [f64; 3] = [0.399, 0.280, 0.175];

/// How far an outcome moves a quantile in the long run: the past 400 or so at a grid point count, since those of a rush miss alike.
const STEP: f64 = 0.0025;

/// How much of `exceeded` an outcome is.
const LATELY: f64 = 0.04;

/// A calibration whose P90 more than this share of waits exceed has failed (a tenth, and six standard deviations), and
/// holds again below the second.
const FAILS: f64 = 0.35;
const HOLDS: f64 = 0.2;

/// The forecast for a ticket, kept until the wait is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Promise {
    pub(crate) twin: Option<Moments>,
    pub(crate) recursion: Moments,
    /// How far the time that all of it consists of was in doubt: a squared relative deviation.
    pub(crate) doubt: f64,
    /// The mixture, before step 2.
    pub(crate) mixture: f64,
    /// The law after step 2, and the scores of its quantiles.
    pub(crate) law: Moments,
    pub(crate) scores: [f64; 3],
}

impl Promise {
    /// How much the outcome tells of the mean, at most 1. Whoever waits in the same line shares its departures, so that a long
    /// line after a rush says the same again and again: the outcomes of one wait's length, about as many as the departures it
    /// consists of, tell as much as one. The squared relative deviation is one over that number (1/(n+1) when they are Poisson).
    fn news(&self) -> f64 {
        self.certainty() * relative(self.recursion).min(1.0)
    }

    /// How much of the spread of the outcome is chance, and not doubt of what talks take. What is missed for that reason tells of
    /// the talks, and is forgotten with the doubt: it must not be made good here as well.
    fn certainty(&self) -> f64 {
        let chance = relative(self.recursion).max(1e-6);
        chance / (chance + self.doubt)
    }
}

/// One queue and class.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Calibration {
    twin: Bias,
    recursion: Bias,
    /// Decayed products of the two errors: twin², recursion², both.
    errors: [f64; 3],
    outcomes: f64,
    points: Vec<Point>,
    /// The share of waits that exceeded their P90, of about the last 25 that told something new.
    exceeded: f64,
    failed: bool,
}

impl Default for Calibration {
    fn default() -> Self {
        Calibration {
            twin: Bias::default(),
            recursion: Bias::default(),
            errors: [0.0; 3],
            outcomes: 0.0,
            points: vec![Point::default(); POINTS],
            exceeded: 0.1,
            failed: false,
        }
    }
}

/// Waits that came over waits forecast.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Bias {
    came: f64,
    forecast: f64,
}

impl Bias {
    fn add(&mut self, came: f64, forecast: f64, news: f64) {
        let fade = 1.0 - news * (1.0 - SLOW);
        self.came = self.came * fade + news * came;
        self.forecast = self.forecast * fade + news * forecast;
    }

    /// A hundred outcomes of the kind at hand are believed to have been met exactly.
    fn freed(&self, forecast: f64) -> f64 {
        let belief = 100.0 * forecast.max(1.0);
        forecast * (self.came + belief) / (self.forecast + belief)
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Point {
    came: f64,
    forecast: f64,
    /// Outcomes, as far as they told something new.
    news: f64,
    outcomes: f64,
    scores: [f64; 3],
}

impl Default for Point {
    fn default() -> Self {
        Point {
            came: 0.0,
            forecast: 0.0,
            news: 0.0,
            outcomes: 0.0,
            scores: NORMAL,
        }
    }
}

/// The squared relative deviation.
fn relative(law: Moments) -> f64 {
    law.variance / (law.mean * law.mean).max(1e-6)
}

/// Between which grid points, and how far.
fn place(value: f64) -> (usize, f64) {
    let place = (value.max(1.0).ln() / RATIO.ln()).min((POINTS - 1) as f64 - 1e-9);
    (place as usize, place.fract())
}

impl Calibration {
    /// Whether the P90 holds, near enough.
    pub(crate) fn holds(&self) -> bool {
        !self.failed
    }

    /// The calibrated forecast; `doubt` as of [`Moments::doubted`].
    pub(crate) fn promise(&self, twin: Option<Moments>, recursion: Moments, doubt: f64) -> Promise {
        let (mixture, variance) = self.mix(twin, recursion);
        let mean = self.expected(mixture);
        let scale = mean / mixture.max(1e-3);
        let law = Moments {
            mean,
            variance: variance * scale * scale,
        }
        .doubted(doubt);
        let (low, share) = place(mixture);
        let mut scores = [0.0; 3];
        for (index, score) in scores.iter_mut().enumerate() {
            let (here, next) = (self.points[low].scores[index], self.points[low + 1].scores[index]);
            *score = here + share * (next - here);
        }
        Promise {
            twin,
            recursion,
            doubt,
            mixture,
            law,
            scores,
        }
    }

    fn mix(&self, twin: Option<Moments>, recursion: Moments) -> (f64, f64) {
        let plain = self.recursion.freed(recursion.mean);
        let Some(twin) = twin else {
            return (plain, recursion.variance);
        };
        let share = self.share();
        let mixture = share * self.twin.freed(twin.mean) + (1.0 - share) * plain;
        // A variance out of few runs is itself uncertain; that of the recursion is steady, and what it misses on average the
        // scores make good.
        let spread = (relative(twin) * relative(recursion)).sqrt();
        let mixture = mixture.max(0.5);
        (mixture, spread * mixture * mixture)
    }

    /// The weight of the twin.
    fn share(&self) -> f64 {
        let [twin, recursion, both] = self.errors;
        let spread = twin + recursion - 2.0 * both;
        let best = if spread > 1e-9 {
            ((recursion - both) / spread).clamp(0.0, 1.0)
        } else {
            0.8
        };
        (best * self.outcomes + 0.8 * 150.0) / (self.outcomes + 150.0)
    }

    /// E[W | mixture].
    fn expected(&self, mixture: f64) -> f64 {
        let mut levels: Vec<(f64, f64, usize)> = Vec::with_capacity(POINTS);
        for (index, point) in self.points.iter().enumerate() {
            let at = RATIO.powi(index as i32);
            let value = at * (point.came + BELIEF * at) / (point.forecast + BELIEF * at);
            let mut block = (value, point.news + 1.0, 1);
            while let Some(&(before, weight, width)) = levels.last() {
                if before <= block.0 {
                    break;
                }
                levels.pop();
                let sum = weight + block.1;
                block = ((before * weight + block.0 * block.1) / sum, sum, width + block.2);
            }
            levels.push(block);
        }
        let (low, _) = place(mixture);
        let value = |wanted: usize| {
            let mut passed = 0;
            for &(value, _, width) in &levels {
                passed += width;
                if wanted < passed {
                    return value;
                }
            }
            mixture
        };
        let (from, to) = (RATIO.powi(low as i32), RATIO.powi(low as i32 + 1));
        if mixture <= 1.0 {
            return mixture * value(0);
        }
        let share = ((mixture - from) / (to - from)).clamp(0.0, 1.0);
        value(low) + share * (value(low + 1) - value(low))
    }

    /// The wait is known.
    pub(crate) fn came(&mut self, promise: &Promise, wait: f64) {
        let wait = wait.clamp(0.5, 86_400.0);
        let plain = self.recursion.freed(promise.recursion.mean);
        let news = promise.news();
        let fade = 1.0 - news * (1.0 - FADE);
        if let Some(twin) = promise.twin {
            let (off, other) = (self.twin.freed(twin.mean) - wait, plain - wait);
            let now = [off * off, other * other, off * other];
            for (sum, now) in self.errors.iter_mut().zip(now) {
                *sum = *sum * fade + news * now;
            }
            self.twin.add(wait, twin.mean, news);
        }
        self.recursion.add(wait, promise.recursion.mean, news);
        let late = wait > promise.law.at_score(promise.scores[2]);
        self.exceeded += LATELY * news * (f64::from(u8::from(late)) - self.exceeded);
        self.failed = self.exceeded > if self.failed { HOLDS } else { FAILS };
        self.outcomes = self.outcomes * fade + news;
        let (low, share) = place(promise.mixture);
        for (index, weight) in [(low, 1.0 - share), (low + 1, share)] {
            self.points[index].learn(wait, promise, weight);
        }
    }
}

impl Point {
    fn learn(&mut self, wait: f64, promise: &Promise, weight: f64) {
        let news = weight * promise.news();
        let fade = 1.0 - news * (1.0 - FADE);
        self.came = self.came * fade + news * wait;
        self.forecast = self.forecast * fade + news * promise.mixture;
        self.news = self.news * fade + news;
        self.outcomes = self.outcomes * (1.0 - weight * (1.0 - FADE)) + weight;
        let came = promise.law.score_of(wait);
        let step = promise.certainty() * weight * (0.7 / (self.outcomes + 40.0)).max(STEP);
        for (index, score) in self.scores.iter_mut().enumerate() {
            let miss = f64::from(u8::from(came > promise.scores[index])) - EXCEEDED[index];
            *score = (*score + step / DENSITY[index] * miss).clamp(-4.0, 6.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dice::Dice;

    fn law(mean: f64) -> Moments {
        Moments {
            mean,
            variance: mean * mean / 4.0,
        }
    }

    #[test]
    fn a_forecast_that_is_always_half_is_doubled_and_its_quantiles_hold() {
        let (mut calibration, mut dice) = (Calibration::default(), Dice::new(1));
        let (mut over, mut late) = (0, 0);
        for round in 0..30_000 {
            let half = 20.0 + 100.0 * dice.unit();
            let promise = calibration.promise(None, law(half), 0.0);
            let wait = 2.0 * half * (0.4 + 0.6 * dice.exponential());
            if round >= 20_000 {
                over += u32::from(wait > promise.law.at_score(promise.scores[2]));
                late += u32::from(wait > promise.law.at_score(promise.scores[0]));
            }
            calibration.came(&promise, wait);
        }
        assert!((900..=1100).contains(&over), "P90 exceeded {over} times in 10000");
        assert!(
            (4800..=5200).contains(&late),
            "P50 exceeded {late} times in 10000"
        );
        let doubled = calibration.promise(None, law(80.0), 0.0).law.mean;
        assert!((doubled / 160.0 - 1.0).abs() < 0.06, "{doubled}");
    }

    #[test]
    fn a_calibration_fails_when_waits_grow_sixfold_overnight_and_holds_again_once_it_has_learned() {
        let (mut calibration, mut dice) = (Calibration::default(), Dice::new(4));
        let mut told = Vec::new();
        for (factor, rounds) in [(1.0, 2000), (6.0, 60), (6.0, 6000)] {
            for _ in 0..rounds {
                let promise = calibration.promise(None, law(60.0 + 60.0 * dice.unit()), 0.0);
                let wait = factor * promise.recursion.mean * (0.5 + 0.5 * dice.exponential());
                calibration.came(&promise, wait);
            }
            told.push(calibration.holds());
        }
        assert_eq!(told, [true, false, true]);
    }

    #[test]
    fn the_better_of_the_two_prevails() {
        let (mut calibration, mut dice) = (Calibration::default(), Dice::new(2));
        for _ in 0..3000 {
            let wait = 20.0 + 100.0 * dice.unit();
            let promise = calibration.promise(Some(law(wait)), law(20.0 + 100.0 * dice.unit()), 0.0);
            calibration.came(&promise, wait);
        }
        let promise = calibration.promise(Some(law(100.0)), law(40.0), 0.0);
        assert!((promise.law.mean - 100.0).abs() < 6.0, "{}", promise.law.mean);
    }

    #[test]
    fn a_longer_mixture_is_never_a_shorter_forecast() {
        let (mut calibration, mut dice) = (Calibration::default(), Dice::new(3));
        for _ in 0..500 {
            // Outcomes that say nothing, or the opposite.
            let promise = calibration.promise(None, law(1.0 + 400.0 * dice.unit()), 0.0);
            calibration.came(&promise, 300.0 * dice.unit());
            let mut before = 0.0;
            for step in 0..300 {
                let mean = calibration
                    .promise(None, law(0.5 * 1.03f64.powi(step)), 0.0)
                    .law
                    .mean;
                assert!(mean >= before, "{mean} after {before}");
                before = mean;
            }
        }
    }
}
