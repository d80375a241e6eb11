//! How long the steps of the control task take. Between two steps nothing moves for anybody: no ACK, no key, no BYE.

use std::time::{Duration, Instant};

/// A step takes no further message after this long: deadlines, keys and the journal come first again.
pub(super) const BUDGET: Duration = Duration::from_millis(1);
/// Longer steps are counted as slow.
const SLOW: Duration = Duration::from_millis(2);
/// Two of these periods, the running one and the last, are recent.
const PERIOD: Duration = Duration::from_secs(30);

/// The steps so far.
pub(super) struct Steps {
    began: Instant,
    /// When the period of `recent` began.
    period: Instant,
    count: u64,
    slow: u64,
    longest: Duration,
    /// The longest of the running period and of the one before.
    recent: [Duration; 2],
}

impl Steps {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Steps {
            began: now,
            period: now,
            count: 0,
            slow: 0,
            longest: Duration::ZERO,
            recent: [Duration::ZERO; 2],
        }
    }

    /// The task has something to do.
    pub(super) fn begin(&mut self) {
        self.began = Instant::now();
    }

    /// Whether the step should end.
    pub(super) fn is_long(&self) -> bool {
        self.began.elapsed() >= BUDGET
    }

    /// The task will wait again.
    pub(super) fn end(&mut self) {
        let took = self.began.elapsed();
        self.count += 1;
        self.slow += u64::from(took > SLOW);
        self.longest = self.longest.max(took);
        self.recent[0] = self.recent[0].max(took);
    }

    /// Sets the metrics; called once a second.
    pub(super) fn publish(&mut self) {
        metrics::counter!("pronto_control_steps_total").absolute(self.count);
        metrics::counter!("pronto_control_slow_steps_total").absolute(self.slow);
        let longest = |since: &'static str, step: Duration| {
            metrics::gauge!("pronto_control_longest_step_seconds", "since" => since).set(step.as_secs_f64());
        };
        longest("start", self.longest);
        longest("minute", self.recent[0].max(self.recent[1]));
        if self.began.duration_since(self.period) >= PERIOD {
            self.period = self.began;
            self.recent = [Duration::ZERO, self.recent[0]];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_step_is_kept_and_the_long_ones_are_counted() {
        let mut steps = Steps::new();
        steps.begin();
        steps.end();
        assert_eq!((steps.count, steps.slow), (1, 0));
        steps.began = Instant::now().checked_sub(Duration::from_millis(7)).unwrap();
        assert!(steps.is_long());
        steps.end();
        assert_eq!((steps.count, steps.slow), (2, 1));
        assert!(steps.longest >= Duration::from_millis(7) && steps.recent[0] == steps.longest);
        steps.begin();
        assert!(!steps.is_long());
    }
}
