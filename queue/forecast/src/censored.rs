//! Callers who left keep a virtual place until they would have been served: how long they would have waited is an outcome
//! too. Counting only those who were served would make forecasts too short, since the patient are not the average.

use std::collections::{BTreeMap, VecDeque};

use crate::calibration::Promise;
use pronto_routing::Rank;

/// CensoredSamples of one queue; beyond it the oldest is dropped.
const KEPT: usize = 500;

/// The time for which a sample counts after the caller left, in seconds. A sample not heard of for longer tells of a
/// night, not of a queue.
const STALE: f64 = 1800.0;

/// One who left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct CensoredSample {
    pub(crate) promise: Promise,
    pub(crate) class: usize,
    /// Since when they waited and when they left, in seconds.
    pub(crate) since: f64,
    pub(crate) left: f64,
}

/// The censored of one queue, in the order in which they would be served.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct CensoredSamples {
    places: BTreeMap<Rank, CensoredSample>,
    order: VecDeque<Rank>,
}

impl CensoredSamples {
    pub(crate) fn add(&mut self, rank: Rank, sample: CensoredSample) {
        self.places.insert(rank, sample);
        self.order.push_back(rank);
        while self.order.len() > KEPT {
            if let Some(oldest) = self.order.pop_front() {
                self.places.remove(&oldest);
            }
        }
    }

    /// Those who would have been served now: all ahead of this rank, or all.
    pub(crate) fn served(&mut self, before: Option<Rank>, now: f64) -> Vec<CensoredSample> {
        let mut served = Vec::new();
        while let Some(first) = self.places.first_entry() {
            if before.is_some_and(|rank| *first.key() >= rank) {
                break;
            }
            let sample = first.remove();
            if now - sample.left < STALE {
                served.push(sample);
            }
        }
        if self.places.is_empty() {
            self.order.clear();
        }
        served
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pronto_types::Time;

    use super::*;
    use crate::calibration::Calibration;
    use crate::wait::Moments;

    #[test]
    fn a_censored_sample_is_served_before_callers_behind_it_unless_it_is_stale() {
        let law = Moments {
            mean: 1.0,
            variance: 1.0,
        };
        let sample = |since: f64| CensoredSample {
            promise: Calibration::default().promise(None, law, 0.0),
            class: 0,
            since,
            left: since + 10.0,
        };
        let rank = |joined: i64| Rank::new(0, Time::from_secs(joined), Duration::ZERO, 0);
        let mut censored = CensoredSamples::default();
        for joined in [100, 200, 3000] {
            censored.add(rank(joined), sample(joined as f64));
        }
        assert_eq!(censored.served(Some(rank(150)), 220.0), [sample(100.0)]);
        assert_eq!(
            censored.served(None, 3020.0),
            [sample(3000.0)],
            "the one of 200 is stale"
        );
        for joined in 0..2 * KEPT as i64 {
            censored.add(rank(joined), sample(joined as f64));
        }
        assert_eq!(censored.places.len(), KEPT);
    }
}
