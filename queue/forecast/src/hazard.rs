//! How readily callers hang up, by how long they have waited: constant within an age band (Brown et al. 2005 find it far
//! from exponential), each band drawn towards the pooled rate while it has seen little.

use crate::dice::Dice;

/// Where the bands begin, in seconds; the last one has no end.
const BANDS: [f64; 10] = [0.0, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0, 1280.0];

/// The pooled rate weighs as much as this many hang-ups in each band.
const POOLED: f64 = 4.0;

/// Beyond this many hang-ups in all, half of everything is forgotten.
const MEMORY: f64 = 6000.0;

/// Hang-ups by age.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Hazard {
    hang_ups: [f64; 10],
    seconds: [f64; 10],
    /// Rate in each band, and the integral of the rate up to its beginning.
    rate: [f64; 10],
    integral: [f64; 10],
}

impl Default for Hazard {
    fn default() -> Self {
        let mut hazard = Hazard {
            hang_ups: [0.0; 10],
            seconds: [0.0; 10],
            rate: [0.0; 10],
            integral: [0.0; 10],
        };
        hazard.build();
        hazard
    }
}

fn band(age: f64) -> usize {
    last_up_to(&BANDS, age)
}

/// The last of some rising bounds that a value reaches; the first if it reaches none. Counting all of ten is faster than a search,
/// whose branches cannot be foreseen.
fn last_up_to(bounds: &[f64; 10], value: f64) -> usize {
    let reached: usize = bounds.iter().map(|&bound| usize::from(bound <= value)).sum();
    reached.saturating_sub(1)
}

impl Hazard {
    /// A caller waited from one age to another, and then gave up or not.
    pub(crate) fn add(&mut self, from: f64, to: f64, gave_up: bool) {
        for (index, &start) in BANDS.iter().enumerate() {
            let end = BANDS.get(index + 1).copied().unwrap_or(f64::MAX);
            self.seconds[index] += (to.min(end) - from.max(start)).max(0.0);
        }
        if gave_up {
            self.hang_ups[band(to)] += 1.0;
        }
        if self.hang_ups.iter().sum::<f64>() > MEMORY {
            for index in 0..10 {
                self.hang_ups[index] /= 2.0;
                self.seconds[index] /= 2.0;
            }
        }
        self.build();
    }

    /// Hang-ups a second of waiting, all ages together; believed to be one in 2,000 until there are more.
    pub(crate) fn pooled(&self) -> f64 {
        (1.0 + self.hang_ups.iter().sum::<f64>()) / (2000.0 + self.seconds.iter().sum::<f64>())
    }

    /// The time waited over the hang-ups: the mean patience, if hang-ups came at a constant rate.
    pub(crate) fn patience(&self) -> Option<f64> {
        let hang_ups: f64 = self.hang_ups.iter().sum();
        let patience = self.seconds.iter().sum::<f64>() / hang_ups;
        (hang_ups > 0.0 && patience.is_finite()).then_some(patience)
    }

    fn build(&mut self) {
        let pooled = self.pooled();
        for index in 0..10 {
            self.rate[index] = (self.hang_ups[index] + POOLED) / (self.seconds[index] + POOLED / pooled);
            if index > 0 {
                let width = BANDS[index] - BANDS[index - 1];
                self.integral[index] = self.integral[index - 1] + self.rate[index - 1] * width;
            }
        }
    }

    /// The integral of the rate up to an age: the chance to stay that long is `exp` of its negative.
    pub(crate) fn integral(&self, age: f64) -> f64 {
        let index = band(age);
        self.integral[index] + self.rate[index] * (age - BANDS[index]).max(0.0)
    }

    /// The age at which a caller gives up, drawn; `integral` is [`Hazard::integral`] at the caller's age.
    pub(crate) fn draw(&self, integral: f64, dice: &mut Dice) -> f64 {
        let target = integral + dice.exponential();
        let index = last_up_to(&self.integral, target);
        BANDS[index] + (target - self.integral[index]) / self.rate[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_of_impatience_at_one_age_is_found() {
        let mut hazard = Hazard::default();
        for _ in 0..500 {
            hazard.add(0.0, 7.0, true);
            hazard.add(0.0, 300.0, false);
        }
        let between = |from, to| (hazard.integral(to) - hazard.integral(from)) / (to - from);
        assert!(between(5.0, 10.0) > 10.0 * between(100.0, 200.0));
        assert!((hazard.pooled() - 501.0 / (2000.0 + 500.0 * 307.0)).abs() < 1e-9);
    }

    #[test]
    fn ages_are_drawn_by_the_rates() {
        let mut hazard = Hazard::default();
        for _ in 0..1000 {
            hazard.add(0.0, 250.0, true);
        }
        let mut dice = Dice::new(1);
        let stay = (-(hazard.integral(200.0) - hazard.integral(100.0))).exp();
        let drawn = (0..20_000)
            .filter(|_| hazard.draw(hazard.integral(100.0), &mut dice) > 200.0)
            .count();
        assert!((drawn as f64 / 20_000.0 - stay).abs() < 0.02, "{drawn} {stay}");
    }
}
