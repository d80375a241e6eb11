//! How long a caller will wait, learned online from what happens in the queues. Pure: told events and the time, it
//! answers with a mean and quantiles, or that nothing is known.
//!
//! ```text
//!   Event ──► observe ──► Floor: who waits where, who serves whom ─────────────┐
//!                │                                                             ▼
//!                ├──────► Learned: laws of ring, talk, wrap-up, hang-ups ──► Twin, recursion
//!                │                                                             │
//!                └─ outcomes, of censored too ──► Calibration ◄── Promise ◄──────┘──► Wait
//! ```
//!
//! Two estimates of the wait until the offer: the *recursion* over the callers ahead (always), and the *twin*, which runs
//! the floor forward (where it fits its budget). The calibration mixes them and makes mean and quantiles hold. A [`Wait`]
//! runs until the caller is answered: the ring is part of it.
//!
//! Deterministic: the same events give the same answers. Memory is bounded whatever comes. Before there are outcomes the
//! configured hints carry the forecast.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod belief;
mod calibration;
mod censored;
mod dice;
mod event;
mod floor;
mod hazard;
mod law;
mod learned;
mod line;
mod observe;
#[cfg(test)]
mod qlm;
mod recursion;
mod shifts;
pub mod staffing;
mod twin;
mod wait;
mod week;

use std::collections::BTreeSet;
use std::time::Duration;

use pronto_types::{QueueName, TicketId, Time};

use belief::Belief;
use calibration::{Calibration, Promise};
use censored::CensoredSamples;
pub use event::{AwayReason, Configuration, Event, QueueHints, Skills};
use floor::{Floor, TicketState, seconds};
pub use learned::Habits;
use learned::{CLASSES, Learned, Pauses, class};
use pronto_routing::Rank;
use twin::Twin;
pub use wait::Wait;
use wait::{Moments, NORMAL};
pub use week::HourAhead;

/// The forecaster of waits: the calls and operators seen, and the statistics learned from them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Forecaster {
    floor: Floor,
    /// By queue, as in the floor.
    learned: Vec<Learned>,
    censored: Vec<CensoredSamples>,
    /// By queue, then class.
    calibrations: Vec<[Calibration; CLASSES]>,
    pauses: Pauses,
    /// Operators who became ready at the latest time seen: those who still are a moment later found nobody waiting.
    fresh: BTreeSet<usize>,
    /// The latest time seen, in seconds.
    now: f64,
    /// Events seen: the seed of the twin.
    events: u64,
    /// Whether the twin is left out wherever there is the recursion.
    without_twin: bool,
}

/// No field ever holds a NaN: times are integers made seconds, and what is learned is bounded away from 0/0.
impl Eq for Forecaster {}

impl Forecaster {
    /// The wait still to come for a ticket that waits or is being offered, until it is answered (ring included).
    ///
    /// `None` if the ticket is not known or no longer waits, or if nobody is signed in or expected who could answer.
    pub fn waiting(&self, now: Time, ticket: TicketId) -> Option<Wait> {
        let known = self.floor.tickets.get(&ticket)?;
        match known.place {
            TicketState::Waiting => match known.promise {
                // Nothing has happened since it joined.
                Some(promise) if known.promised == self.events && seconds(now) <= self.now => {
                    Some(Wait::of(promise.law, promise.scores))
                }
                _ => self.wait_of(seconds(now).max(self.now), known.queue, known.rank),
            },
            TicketState::Offered(operator) => {
                let cycle = self.floor.operators.get(operator)?.cycle?;
                let gone = (seconds(now) - cycle.offered_at).max(0.0);
                Some(Wait::of(self.ring(known.queue, gone), NORMAL))
            }
            TicketState::Talking(_) => None,
        }
    }

    /// The wait of a caller who would join now with the highest priority, until answered (ring included).
    ///
    /// `None` if the queue is not configured or nobody is signed in or expected who could answer.
    pub fn joining(&self, now: Time, queue: &QueueName) -> Option<Wait> {
        self.joining_as(now, queue, 0)
    }

    /// As [`Forecaster::joining`], with a priority (0 is served first).
    pub fn joining_as(&self, now: Time, queue: &QueueName, priority: u8) -> Option<Wait> {
        let queue = *self.floor.names.get(queue)?;
        let behind_all = Rank::new(priority, now, Duration::ZERO, u64::MAX);
        self.wait_of(seconds(now).max(self.now), queue, behind_all)
    }

    /// Whether waits of this queue come out as they were forecast, as far as is known: false while far more than one in ten
    /// exceed their P90, until the calibration has caught up. A forecast is given all the same; who promises should ask.
    pub fn holds(&self, queue: &QueueName) -> bool {
        let known = self.floor.names.get(queue);
        known.is_none_or(|&known| self.calibrations[known].iter().all(Calibration::holds))
    }

    /// Whether nobody was ready when this ticket joined, so that its wait says how long waits are.
    pub fn is_delayed(&self, ticket: TicketId) -> bool {
        self.floor.tickets.get(&ticket).is_some_and(|known| known.delayed)
    }

    /// How calls of this queue have gone so far; `None` if it is not configured.
    pub fn habits(&self, queue: &QueueName) -> Option<Habits> {
        let &queue = self.floor.names.get(queue)?;
        Some(self.learned[queue].habits())
    }

    /// The configured queues, by name.
    pub fn queues(&self) -> impl Iterator<Item = &QueueName> {
        self.floor.names.keys()
    }

    /// Operators who serve this queue and are ready, on a call or finishing one.
    pub fn present(&self, queue: &QueueName) -> usize {
        let known = self.floor.names.get(queue);
        known.map_or(0, |&known| self.floor.queues[known].present)
    }

    /// Whether most talks of the operators who serve this queue have lasted longer than such talks usually do. Of exponential
    /// talks a share of 1/e has; that more than half have is news.
    pub fn talks_run_long(&self, now: Time, queue: &QueueName) -> bool {
        let Some(&queue) = self.floor.names.get(queue) else {
            return false;
        };
        let (now, mut talks, mut long) = (seconds(now).max(self.now), 0, 0);
        for &operator in &self.floor.family(queue).operators {
            let operator = &self.floor.operators[operator];
            let Some(cycle) = operator.cycle.filter(|_| operator.queues.contains(&queue)) else {
                continue;
            };
            if let (Some(answered), None) = (cycle.answered_at, cycle.ended_at) {
                talks += 1;
                long += usize::from(now - answered > self.learned[cycle.queue].talk.mean());
            }
        }
        2 * long > talks
    }

    /// Somebody set the wall clock: what is to be added to a time to date it, in microseconds.
    pub fn set_clock(&mut self, offset: i64) {
        self.floor.clock = offset as f64 / 1e6;
        for learned in &mut self.learned {
            learned.week.set(self.now + self.floor.clock);
        }
    }

    /// The same by the recursion alone: to see what the twin costs, and what it is worth.
    #[must_use]
    pub fn without_twin(mut self) -> Self {
        self.without_twin = true;
        self
    }

    fn wait_of(&self, now: f64, queue: usize, rank: Rank) -> Option<Wait> {
        let line = self.floor.queues.get(queue)?;
        let ring = self.ring(queue, 0.0);
        if line.ready > 0 && line.ready > self.floor.ahead(queue, rank).count() {
            return Some(Wait::of(ring, NORMAL));
        }
        if line.signed_in == 0 {
            // Only who is known to come can be waited for.
            let law = self.twin(now, queue).offer(queue, rank)?.plus(ring);
            return Some(Wait::of(law.doubted(self.talk(now, queue).doubt), NORMAL));
        }
        let promise = self.promise(now, queue, rank);
        Some(Wait::of(promise.law, promise.scores))
    }

    fn promise(&self, now: f64, queue: usize, rank: Rank) -> Promise {
        let ring = self.ring(queue, 0.0);
        let twin = (!self.without_twin).then(|| self.twin(now, queue).offer(queue, rank));
        let (twin, talk) = (twin.flatten(), self.talk(now, queue));
        let recursion = self.recursion(now, queue, rank, talk);
        let calibration = &self.calibrations[queue][class(rank.class)];
        calibration.promise(twin.map(|law| law.plus(ring)), recursion.plus(ring), talk.doubt)
    }

    fn talk(&self, now: f64, queue: usize) -> Belief {
        Belief::of(&self.floor, &self.learned[queue], queue, now)
    }

    /// For the callers of a queue.
    fn twin(&self, now: f64, queue: usize) -> Twin<'_> {
        let mut stretched = vec![1.0; self.learned.len()];
        for &member in &self.floor.family(queue).queues {
            stretched[member] = self.talk(now, member).scale(&self.learned[member].talk);
        }
        Twin {
            floor: &self.floor,
            learned: &self.learned,
            pauses: &self.pauses,
            stretched,
            now,
            seed: self.events,
        }
    }

    fn recursion(&self, now: f64, queue: usize, rank: Rank, talk: Belief) -> Moments {
        let ages = self
            .floor
            .ahead(queue, rank)
            .map(|(_, since)| (now - seconds(since)).max(0.0));
        let hazard = &self.learned[queue].hazard;
        recursion::recursion(ages, self.rate(queue, class(rank.class), talk), hazard)
    }

    /// Callers of a class served a second, as things stand.
    fn rate(&self, queue: usize, class: usize, talk: Belief) -> f64 {
        let (line, learned) = (&self.floor.queues[queue], &self.learned[queue]);
        let shared = self.floor.family(queue).queues.len() > 1;
        let rate = learned.throughput.rate(learned.cycle(talk.mean), shared) * line.present.max(1) as f64;
        (rate - learned.arrivals.above(class)).max(rate / 4.0)
    }

    /// The rest of a ring that began `gone` seconds ago; its spread is taken as half its mean.
    fn ring(&self, queue: usize, gone: f64) -> Moments {
        let whole = self.learned[queue].ring.mean();
        let mean = (whole - gone).max(whole / 4.0);
        Moments {
            mean,
            variance: mean * mean / 4.0,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
