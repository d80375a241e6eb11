//! Statistics learned from the queues so far, starting from their hints.

use std::time::Duration;

use crate::event::QueueHints;
use crate::hazard::Hazard;
use crate::law::Law;
use crate::law::PRIOR;
use crate::week::Week;

/// Priorities told apart; a lower one counts as the lowest of these.
pub(crate) const CLASSES: usize = 6;

/// The class of a priority.
pub(crate) fn class(priority: u8) -> usize {
    usize::from(priority).min(CLASSES - 1)
}

/// Statistics learned from one queue.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Learned {
    /// From the offer to the answer.
    pub(crate) ring: Law,
    /// From the answer to the end of the talk.
    pub(crate) talk: Law,
    /// The configured mean of a talk, in seconds.
    pub(crate) configured: f64,
    /// From the end of the talk until the operator can take the next call.
    pub(crate) wrap_up: Law,
    pub(crate) hazard: Hazard,
    pub(crate) throughput: Throughput,
    pub(crate) arrivals: Arrivals,
    pub(crate) week: Week,
    /// Talks that ended.
    pub(crate) talks: u64,
    /// Callers who had to wait and hung up.
    pub(crate) hang_ups: u64,
}

/// How the calls of a queue have gone: what was seen, without any belief.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Habits {
    /// Talks that ended.
    pub talks: u64,
    /// An operator's mean time for one of the latest calls: ring, talk and wrap-up. `None` before the first.
    pub handling: Option<Duration>,
    /// Callers who had to wait and hung up.
    pub hang_ups: u64,
    /// How long callers would wait before they hang up, on average: the time waited over the hang-ups. `None` before the first.
    pub patience: Option<Duration>,
}

impl Learned {
    pub(crate) fn from(hints: &QueueHints) -> Self {
        let law = |mean: Duration, weight: f64| Law::believed(mean.as_secs_f64(), weight);
        Learned {
            ring: law(hints.ring, 10.0),
            talk: law(hints.talk, PRIOR),
            configured: hints.talk.as_secs_f64().clamp(0.1, 86_400.0),
            wrap_up: law(hints.wrap_up, 10.0),
            hazard: Hazard::default(),
            throughput: Throughput::default(),
            arrivals: Arrivals::default(),
            week: Week::default(),
            talks: 0,
            hang_ups: 0,
        }
    }

    pub(crate) fn habits(&self) -> Habits {
        let rest = self.ring.seen().unwrap_or(0.0) + self.wrap_up.seen().unwrap_or(0.0);
        Habits {
            talks: self.talks,
            handling: self.talk.seen().map(|talk| Duration::from_secs_f64(talk + rest)),
            hang_ups: self.hang_ups,
            patience: self.hazard.patience().map(Duration::from_secs_f64),
        }
    }

    /// The mean time from the offer until the operator can take the next call, in seconds, where a talk takes `talk`
    /// seconds.
    pub(crate) fn cycle(&self, talk: f64) -> f64 {
        (self.ring.mean() + talk + self.wrap_up.mean()).max(1.0)
    }
}

/// Callers served per second and operator present, while somebody waits.
///
/// Unlike one over the cycle it knows of operators shared with other queues, offers missed and short pauses.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Throughput {
    /// Long memory: served, operator-seconds.
    served: f64,
    seconds: f64,
    /// Short memory of the same.
    lately_served: f64,
    lately_seconds: f64,
}

/// The cycle weighs as much as this many callers served.
const BELIEF: f64 = 60.0;
const MEMORY: f64 = 3000.0;
const LATELY: f64 = 25.0;

impl Throughput {
    pub(crate) fn staffed(&mut self, operator_seconds: f64) {
        self.seconds += operator_seconds;
        self.lately_seconds += operator_seconds;
    }

    pub(crate) fn served(&mut self) {
        self.served += 1.0;
        if self.served > MEMORY {
            self.served /= 2.0;
            self.seconds /= 2.0;
        }
        self.lately_served = self.lately_served * 0.97 + 1.0;
        self.lately_seconds *= 0.97;
    }

    /// Callers served a second by one operator whose cycle takes `cycle` seconds. If the operator is `shared` with
    /// other queues, the recent use by those queues counts.
    pub(crate) fn rate(&self, cycle: f64, shared: bool) -> f64 {
        let long = (self.served + BELIEF) / (self.seconds + BELIEF * cycle);
        if !shared {
            return long;
        }
        let lately = (self.lately_served + LATELY) / (self.lately_seconds * long + LATELY);
        long * lately.clamp(0.5, 2.0)
    }
}

/// Callers joining a second, by class; about the last 200 are remembered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Arrivals {
    joined: [f64; CLASSES],
    seconds: f64,
    last: f64,
}

impl Default for Arrivals {
    fn default() -> Self {
        Arrivals {
            joined: [0.0; CLASSES],
            seconds: 600.0,
            last: f64::MIN,
        }
    }
}

/// A longer silence is a night.
const NIGHT: f64 = 1800.0;

impl Arrivals {
    pub(crate) fn join(&mut self, now: f64, class: usize) {
        let gap = now - self.last;
        self.last = now;
        if gap < NIGHT {
            self.joined = self.joined.map(|joined| joined * 0.995);
            self.seconds = self.seconds * 0.995 + gap;
        }
        self.joined[class] += 1.0;
    }

    pub(crate) fn rate(&self, class: usize) -> f64 {
        self.joined[class] / self.seconds.max(1.0)
    }

    /// Callers a second who would be served before one of this class.
    pub(crate) fn above(&self, class: usize) -> f64 {
        (0..class).map(|higher| self.rate(higher)).sum()
    }
}

/// How often operators pause, and for how long; all operators together.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pauses {
    count: f64,
    seconds: f64,
    pub(crate) length: Law,
}

impl Default for Pauses {
    fn default() -> Self {
        Pauses {
            count: 0.0,
            seconds: 36_000.0,
            length: Law::believed(300.0, 10.0),
        }
    }
}

impl Pauses {
    pub(crate) fn present(&mut self, seconds: f64) {
        self.seconds += seconds.min(4.0 * 3600.0);
        if self.seconds > 4e7 {
            self.seconds /= 2.0;
            self.count /= 2.0;
        }
    }

    pub(crate) fn began(&mut self) {
        self.count += 1.0;
    }

    /// Pauses a second of an operator who is present.
    pub(crate) fn rate(&self) -> f64 {
        self.count / self.seconds
    }
}
