//! How long a caller will wait, learned online from what happens in the queues. Pure: told events and the time, it
//! answers with a mean and quantiles, or that nothing is known.
//!
//! ```text
//!   Event ──► observe ──► Floor (who waits where, who serves whom)
//!                │                        │
//!                └──────► Learned ────────┴──► waiting, joining ──► Wait
//! ```
//!
//! The estimate is the Markovian queue length with abandonment (`qlm.rs`) on learned handling times and hang-ups,
//! counted per operator who is there. A [`Wait`] runs until the caller is answered: the ring is part of it.
//!
//! Deterministic: the same events give the same answers. Memory is bounded whatever comes.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod event;
mod floor;
mod learned;
mod observe;
mod qlm;
mod wait;

use pronto_types::{QueueName, TicketId, Time};

pub use event::{AwayReason, Configuration, Event, QueueHints, Skills};
use floor::{Floor, Place, Rank, seconds};
use learned::Learned;
pub use wait::Wait;
use wait::{Moments, NORMAL};

/// What was seen and what was learned from it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Forecaster {
    floor: Floor,
    /// By queue, as in the floor.
    learned: Vec<Learned>,
    /// The latest time seen, in seconds.
    now: f64,
}

/// No field ever holds a NaN: times are integers made seconds, and what is learned is bounded away from 0/0.
impl Eq for Forecaster {}

impl Forecaster {
    /// The wait still to come for a ticket that waits or is being offered, until it is answered (ring included).
    ///
    /// `None` if the ticket is not known or no longer waits, or if nobody is signed in who could answer.
    pub fn waiting(&self, now: Time, ticket: TicketId) -> Option<Wait> {
        let known = self.floor.tickets.get(&ticket)?;
        match known.place {
            Place::Waiting => self.wait_of(known.queue, known.rank),
            Place::Offered(operator) => {
                let cycle = self.floor.operators.get(operator)?.cycle?;
                let gone = (seconds(now) - cycle.offered_at).max(0.0);
                Some(Wait::of(self.ring(known.queue, gone)?, NORMAL))
            }
            Place::Talking(_) => None,
        }
    }

    /// The wait of a caller who would join now with the highest priority, until answered (ring included).
    ///
    /// `None` if the queue is not configured or nobody is signed in who could answer.
    pub fn joining(&self, now: Time, queue: &QueueName) -> Option<Wait> {
        self.joining_as(now, queue, 0)
    }

    /// As [`Forecaster::joining`], with a priority (0 is served first).
    pub fn joining_as(&self, now: Time, queue: &QueueName, priority: u8) -> Option<Wait> {
        let queue = *self.floor.names.get(queue)?;
        self.wait_of(queue, (priority, now, u64::MAX))
    }

    fn wait_of(&self, queue: usize, rank: Rank) -> Option<Wait> {
        let line = self.floor.queues.get(queue)?;
        let learned = self.learned.get(queue)?;
        if line.signed_in == 0 {
            return None;
        }
        let ahead = self.floor.ahead(queue, rank).count();
        let ring = self.ring(queue, 0.0)?;
        if line.ready > ahead {
            return Some(Wait::of(ring, NORMAL));
        }
        let rate = line.present.max(1) as f64 / learned.cycle.value();
        let law = qlm::qlm(ahead, rate, learned.abandonment.rate());
        Some(Wait::of(law.plus(ring), NORMAL))
    }

    /// What is left of a ring that began so long ago; its spread is taken as half its mean.
    fn ring(&self, queue: usize, gone: f64) -> Option<Moments> {
        let whole = self.learned.get(queue)?.ring.value();
        let mean = (whole - gone).max(whole / 4.0);
        Some(Moments {
            mean,
            variance: mean * mean / 4.0,
        })
    }
}

#[cfg(test)]
mod tests;
