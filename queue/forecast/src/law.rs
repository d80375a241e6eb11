//! A law learned from what was seen: the last durations, sorted, to be drawn from whole or given what has gone by.

use std::collections::VecDeque;

use crate::dice::Dice;

/// One over the variance of the logarithm of the configured mean: it weighs as much as this many talks.
pub(crate) const PRIOR: f64 = 3.0;

/// How many durations are kept.
pub(crate) const KEPT: usize = 1500;

/// The last durations of one kind, in seconds, and what to believe before there are any.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Law {
    recent: VecDeque<f32>,
    sorted: Vec<f32>,
    sum: f64,
    squares: f64,
    believed: f64,
    /// The weight of the belief, in durations.
    weight: f64,
}

/// The rest of a duration that has gone on for a while, ready to be drawn from often.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rest {
    gone: f64,
    /// The kept durations from here on are longer than what has gone by.
    from: usize,
    /// Where the durations say too little: the mean of an exponential rest.
    tail: Option<f64>,
}

/// With fewer durations than these the law is exponential with the believed mean.
const ENOUGH: usize = 12;

impl Law {
    /// A mean that weighs as much as `weight` durations.
    pub(crate) fn believed(mean: f64, weight: f64) -> Self {
        Law {
            recent: VecDeque::new(),
            sorted: Vec::new(),
            sum: 0.0,
            squares: 0.0,
            believed: mean.clamp(0.1, 86_400.0),
            weight,
        }
    }

    pub(crate) fn add(&mut self, duration: f64) {
        let duration = duration.clamp(0.0, 86_400.0) as f32;
        if self.recent.len() >= KEPT
            && let Some(oldest) = self.recent.pop_front()
        {
            let at = self.sorted.partition_point(|&kept| kept < oldest);
            self.sorted.remove(at);
            self.sum -= f64::from(oldest);
            self.squares -= f64::from(oldest).powi(2);
        }
        self.recent.push_back(duration);
        let at = self.sorted.partition_point(|&kept| kept < duration);
        self.sorted.insert(at, duration);
        self.sum += f64::from(duration);
        self.squares += f64::from(duration).powi(2);
    }

    /// The mean of the durations seen and of the belief, in seconds.
    pub(crate) fn mean(&self) -> f64 {
        (self.sum + self.weight * self.believed) / (self.count() + self.weight)
    }

    /// The sum of the durations that are kept, in seconds.
    pub(crate) fn total(&self) -> f64 {
        self.sum.max(0.0)
    }

    /// How many durations are kept.
    pub(crate) fn count(&self) -> f64 {
        self.sorted.len() as f64
    }

    /// The variance over the squared mean, believed to be that of an exponential law: as if ten durations had shown it.
    pub(crate) fn squared_deviation(&self) -> f64 {
        let Some(mean) = self.seen().filter(|mean| *mean > 0.0) else {
            return 1.0;
        };
        let count = self.count();
        let seen = (self.squares / count / (mean * mean) - 1.0).clamp(0.0, 10.0);
        (seen * count + 10.0) / (count + 10.0)
    }

    /// The mean of what is drawn.
    pub(crate) fn drawn_mean(&self) -> f64 {
        match self.seen() {
            Some(seen) if self.sorted.len() >= ENOUGH => seen.max(0.1),
            _ => self.mean(),
        }
    }

    /// The mean of what was seen.
    pub(crate) fn seen(&self) -> Option<f64> {
        let count = self.sorted.len();
        (count > 0).then(|| (self.sum / count as f64).max(0.0))
    }

    pub(crate) fn draw(&self, dice: &mut Dice) -> f64 {
        if self.sorted.len() < ENOUGH {
            return self.mean() * dice.exponential();
        }
        self.between(0, dice.unit())
    }

    /// A duration among those kept from `from` on, between two neighbours.
    fn between(&self, from: usize, unit: f64) -> f64 {
        let last = self.sorted.len() - 1;
        let place = from as f64 + unit * (last - from) as f64;
        let index = (place as usize).min(last);
        let (low, high) = (self.sorted[index], self.sorted[(index + 1).min(last)]);
        f64::from(low) + (place - index as f64) * f64::from(high - low)
    }

    /// The rest of a duration once `gone` seconds have gone by.
    pub(crate) fn rest(&self, gone: f64) -> Rest {
        let gone = gone.max(0.0);
        if self.sorted.len() < ENOUGH {
            return Rest {
                gone,
                from: 0,
                tail: Some(self.mean()),
            };
        }
        let from = self.sorted.partition_point(|&kept| f64::from(kept) <= gone);
        let few = self.sorted.len() - from < 8;
        // Beyond the data: exponential with the mean excess of the longest sixteenth.
        let tail = few.then(|| {
            let top = &self.sorted[self.sorted.len() * 15 / 16..];
            let mean = top.iter().map(|&it| f64::from(it)).sum::<f64>() / top.len() as f64;
            (mean - f64::from(top[0])).max(self.mean() / 4.0)
        });
        Rest { gone, from, tail }
    }

    pub(crate) fn draw_rest(&self, rest: Rest, unit: f64) -> f64 {
        match rest.tail {
            Some(mean) => -mean * (1.0 - unit).ln(),
            None => (self.between(rest.from, unit) - rest.gone).max(0.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exponential() -> Law {
        let (mut law, mut dice) = (Law::believed(1.0, 10.0), Dice::new(3));
        for _ in 0..2 * KEPT {
            law.add(200.0 * dice.exponential());
        }
        law
    }

    #[test]
    fn what_was_seen_is_drawn_again() {
        let (law, mut dice) = (exponential(), Dice::new(5));
        assert_eq!(law.sorted.len(), KEPT);
        let mean = (0..20_000).map(|_| law.draw(&mut dice)).sum::<f64>() / 20_000.0;
        assert!((mean / law.mean() - 1.0).abs() < 0.03, "{mean} {}", law.mean());
    }

    #[test]
    fn an_exponential_duration_forgets_how_long_it_has_lasted() {
        let (law, mut dice) = (exponential(), Dice::new(5));
        for gone in [0.0, 100.0, 300.0, 3000.0] {
            let rest = law.rest(gone);
            let mean = (0..20_000).map(|_| law.draw_rest(rest, dice.unit())).sum::<f64>() / 20_000.0;
            assert!((mean / 200.0 - 1.0).abs() < 0.25, "{gone}: {mean}");
        }
    }

    #[test]
    fn before_anything_was_seen_the_belief_holds() {
        let (law, mut dice) = (Law::believed(300.0, 10.0), Dice::new(5));
        let mean = (0..20_000).map(|_| law.draw(&mut dice)).sum::<f64>() / 20_000.0;
        assert!((mean / 300.0 - 1.0).abs() < 0.03, "{mean}");
        assert_eq!(law.mean(), 300.0);
    }
}
