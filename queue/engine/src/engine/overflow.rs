//! Overflow: who would wait too long goes on waiting in another queue.
//!
//! ```text
//!   waiting in `support`, P80 of the wait still to come > `wait`,
//!   and P80 in `sales`, behind all who wait there, clearly shorter ──Overflowed──► waiting in `sales`, at its end
//! ```
//!
//! Looked at when a caller joins and then every [`EVERY`]. At the end, because that is the wait that was compared, because
//! nobody there is overtaken and what they were told stays true; the oldest of those who wait too long go first, and as each
//! makes the other line longer, no more go than it serves sooner. Once for each caller: two queues that overflow to one
//! another send nobody to and fro. `max_wait` still counts from the first joining. Where nothing is known of one of the two
//! queues, or waits do not come as they are forecast, nobody goes.

use std::time::Duration;

use pronto_forecast::Wait;
use pronto_types::{Forecast, GatewayName, QueueName, TicketId, Time};

use super::{Engine, Fault};
use crate::fact::Fact;
use crate::state::{OperatorState, Place};
use crate::{Configuration, Overflow};

/// Between two looks at those who wait.
const EVERY: Duration = Duration::from_secs(5);
/// Sooner by less is not worth leaving one's place: a quarter of the wait, and this.
const GAIN: Duration = Duration::from_secs(30);
/// Of one queue at one look, so that it costs some milliseconds: forecast so many, move so many.
const TRIED: usize = 8;
const MOVED: usize = 4;

/// The queues that overflow, and when they were looked at last.
#[derive(Clone, Debug, Default)]
pub(super) struct Overflows {
    queues: Vec<(QueueName, Overflow)>,
    looked: Time,
}

impl Overflows {
    pub(super) fn of(configuration: &Configuration) -> Self {
        let queues = configuration.queues.iter();
        let with = queues.filter_map(|queue| Some((queue.name.clone(), queue.overflow.clone()?)));
        Overflows {
            queues: with.collect(),
            looked: Time::ZERO,
        }
    }
}

impl Engine {
    /// When those who wait are to be looked at; `None`: nobody waits where it matters, or a restarted engine settles.
    pub(super) fn overflow_due(&self) -> Option<Time> {
        let waits = |queue| {
            self.state
                .index
                .queues
                .get(queue)
                .is_some_and(|it| it.waiting > 0)
        };
        let mut queues = self.overflows.queues.iter();
        let any = self.state.settling.is_none() && queues.any(|(queue, _)| waits(queue));
        any.then(|| self.overflows.looked + EVERY)
    }

    pub(super) fn overflow_all(&mut self) {
        if self.overflow_due().is_none_or(|due| due > self.now) {
            return;
        }
        self.overflows.looked = self.now;
        for (queue, overflow) in self.overflows.queues.clone() {
            self.overflow_from(&queue, &overflow);
        }
    }

    /// A caller has joined.
    pub(super) fn overflow_at_joining(&mut self, ticket: TicketId) {
        let queue = self.queue_of(ticket);
        let known = queue.and_then(|queue| self.overflows.queues.iter().find(|(from, _)| from == queue));
        if let Some((_, overflow)) = known.cloned()
            && self.state.settling.is_none()
            && self.may_overflow(ticket, &overflow.to)
        {
            self.try_overflow(ticket, &overflow);
        }
    }

    fn overflow_from(&mut self, queue: &QueueName, overflow: &Overflow) {
        // Nobody waits longer than who would join now: if that is not too long, or not longer than elsewhere, all stay.
        let [last, there] = [queue, &overflow.to].map(|queue| self.state.forecaster.joining(self.now, queue));
        if !last
            .zip(there)
            .is_some_and(|(last, there)| is_worth_it(last, there, overflow))
        {
            return;
        }
        let line = self.state.forecaster.line(self.now, queue).into_iter();
        let late = line.filter(|(_, wait)| wait.p80 > overflow.wait);
        let late = late.map(|(ticket, _)| ticket);
        let tried: Vec<TicketId> = late
            .filter(|ticket| self.may_overflow(*ticket, &overflow.to))
            .take(TRIED)
            .collect();
        let mut moved = 0;
        for ticket in tried {
            moved += usize::from(self.try_overflow(ticket, overflow));
            if moved == MOVED {
                return;
            }
        }
    }

    /// Whether the caller may go on waiting there: waits, in step, for the first time, and the queue takes one more, with
    /// somebody whom this gateway can ring.
    fn may_overflow(&self, id: TicketId, to: &QueueName) -> bool {
        let Some(ticket) = self.state.tickets.get(&id) else {
            return false;
        };
        let waits = matches!(ticket.place, Place::Waiting { .. }) && self.state.in_step(&ticket.gateway);
        let first = !ticket.overflowed || self.fault().is(Fault::OverflowsAgain);
        waits
            && first
            && self.room_in(to, false).is_some()
            && self.reliable(&ticket.queue)
            && self.reliable(to)
            && self.is_served_at(to, &ticket.gateway)
    }

    fn is_served_at(&self, queue: &QueueName, gateway: &GatewayName) -> bool {
        self.state.operators.values().any(|operator| {
            let there = !matches!(operator.state, OperatorState::SignedOut { .. });
            there && operator.queues.contains(queue) && operator.presences.contains_key(gateway)
        })
    }

    /// Compares, after all that has happened so far; whether the caller went.
    fn try_overflow(&mut self, id: TicketId, overflow: &Overflow) -> bool {
        let forecaster = &self.state.forecaster;
        let waits = (
            forecaster.waiting(self.now, id),
            forecaster.joining(self.now, &overflow.to),
        );
        let (Some(here), Some(there), Some(queue)) = (waits.0, waits.1, self.queue_of(id).cloned()) else {
            return false;
        };
        if !is_worth_it(here, there, overflow) {
            return false;
        }
        self.record(Fact::Overflowed {
            ticket: id,
            queue,
            to: overflow.to.clone(),
            here: forecast(here),
            there: forecast(there),
        });
        self.schedule(id);
        true
    }
}

/// Whether it is too long here and clearly sooner there.
fn is_worth_it(here: Wait, there: Wait, overflow: &Overflow) -> bool {
    let gain = GAIN.max(here.p80 / 4);
    here.p80 > overflow.wait && there.p80.saturating_add(gain) <= here.p80
}

fn forecast(wait: Wait) -> Forecast {
    Forecast {
        p50: wait.p50,
        p80: wait.p80,
        p90: wait.p90,
    }
}
