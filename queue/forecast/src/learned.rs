//! What one queue has taught so far, starting from its hints.

use std::time::Duration;

use crate::event::QueueHints;

/// A mean that starts from a belief worth `BELIEF` observations and remembers about `MEMORY` of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Mean {
    value: f64,
    count: f64,
}

const BELIEF: f64 = 10.0;
const MEMORY: f64 = 400.0;

impl Mean {
    pub(crate) fn believed(value: Duration) -> Self {
        Mean {
            value: value.as_secs_f64().min(86_400.0),
            count: 0.0,
        }
    }

    pub(crate) fn add(&mut self, value: f64) {
        self.count = (self.count + 1.0).min(MEMORY);
        self.value += (value - self.value) / (self.count + BELIEF).min(MEMORY);
    }

    pub(crate) fn value(self) -> f64 {
        self.value
    }
}

/// Hang-ups a second of waiting, believed to be one in 2,000 until there are more.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Abandonment {
    hang_ups: f64,
    seconds: f64,
}

impl Default for Abandonment {
    fn default() -> Self {
        Abandonment {
            hang_ups: 1.0,
            seconds: 2000.0,
        }
    }
}

impl Abandonment {
    /// A caller waited for so long, and gave up or not.
    pub(crate) fn add(&mut self, waited: f64, gave_up: bool) {
        self.seconds += waited;
        self.hang_ups += f64::from(u8::from(gave_up));
        if self.hang_ups > 4000.0 {
            self.seconds /= 2.0;
            self.hang_ups /= 2.0;
        }
    }

    pub(crate) fn rate(self) -> f64 {
        self.hang_ups / self.seconds
    }
}

/// What a queue has taught.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Learned {
    /// From the offer to the answer.
    pub(crate) ring: Mean,
    /// From the offer until the operator can take the next call.
    pub(crate) cycle: Mean,
    pub(crate) abandonment: Abandonment,
}

impl Learned {
    pub(crate) fn from(hints: &QueueHints) -> Self {
        let cycle = hints
            .talk
            .saturating_add(hints.ring)
            .saturating_add(hints.wrap_up);
        Learned {
            ring: Mean::believed(hints.ring),
            cycle: Mean::believed(cycle.max(Duration::from_secs(1))),
            abandonment: Abandonment::default(),
        }
    }
}
