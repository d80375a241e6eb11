//! A whole line at once: what [`Forecaster::waiting`] costs a caller, this costs a queue.
//!
//! The recursion of each caller is that of the one before and one step more, and a run of the twin serves them all: who
//! would have been served at the latest when somebody behind was, has the wait of a caller who does not give up. So a
//! line takes one pass and one play, and within a class no caller is forecast a longer wait than who stands behind.

use std::time::Duration;

use pronto_types::{QueueName, TicketId, Time};

use crate::floor::seconds;
use crate::learned::{CLASSES, class};
use crate::recursion::Passage;
use crate::wait::Wait;
use crate::{Forecaster, NORMAL};

impl Forecaster {
    /// The wait still to come of each caller who waits in a queue, first to be served first; empty if the queue is not
    /// configured or nobody is signed in or expected who could answer.
    pub fn line(&self, now: Time, queue: &QueueName) -> Vec<(TicketId, Wait)> {
        let Some(&queue) = self.floor.names.get(queue) else {
            return Vec::new();
        };
        let now = seconds(now).max(self.now);
        let (line, hazard) = (&self.floor.queues[queue], &self.learned[queue].hazard);
        let (ring, twin) = (self.ring(queue, 0.0), self.twin(now, queue));
        let talk = self.talk(now, queue);
        if line.signed_in == 0 {
            let each = line.waiting.iter();
            let law = each.filter_map(|(rank, waiter)| {
                Some((
                    waiter.ticket,
                    twin.offer(queue, *rank)?.plus(ring).doubted(talk.doubt),
                ))
            });
            return law.map(|(ticket, law)| (ticket, Wait::of(law, NORMAL))).collect();
        }
        let offers = if self.without_twin {
            Vec::new()
        } else {
            twin.line(queue)
        };
        let mut passages: [Passage; CLASSES] =
            std::array::from_fn(|class| Passage::new(self.rate(queue, class, talk)));
        let mut found = Vec::with_capacity(line.waiting.len());
        let mut before: [Option<Wait>; CLASSES] = [None; CLASSES];
        for (place, (rank, waiter)) in line.waiting.iter().enumerate() {
            let class = class(rank.class);
            let recursion = passages[class].offer();
            let wait = if place < line.ready {
                Wait::of(ring, NORMAL)
            } else {
                let twin = offers.get(place).copied().flatten();
                let calibration = &self.calibrations[queue][class];
                let promise =
                    calibration.promise(twin.map(|law| law.plus(ring)), recursion.plus(ring), talk.doubt);
                Wait::of(promise.law, promise.scores)
            };
            let wait = before[class].map_or(wait, |before| wait.at_least(before));
            before[class] = Some(wait);
            found.push((waiter.ticket, wait));
            let age = (now - seconds(waiter.since)).max(0.0);
            passages[class..]
                .iter_mut()
                .for_each(|passage| passage.pass(age, hazard));
        }
        found
    }
}

impl Wait {
    fn at_least(self, other: Wait) -> Wait {
        let longer = |one: Duration, two: Duration| one.max(two);
        Wait {
            mean: longer(self.mean, other.mean),
            p50: longer(self.p50, other.p50),
            p80: longer(self.p80, other.p80),
            p90: longer(self.p90, other.p90),
        }
    }
}

#[cfg(test)]
mod tests;
