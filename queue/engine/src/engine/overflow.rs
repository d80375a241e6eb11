//! Overflow: who would wait too long goes on waiting in another queue.
//!
//! ```text
//!   waiting in `support`, P80 of the wait still to come > `wait`,
//!   and P80 in `sales`, behind all who wait there, clearly shorter ──Overflowed──► waiting in `sales`, at its end
//! ```
//!
//! Looked at when a caller joins and then every [`EVERY`]. At the end, because that is the wait that was compared, because
//! nobody there is overtaken and what they were told stays true; the oldest of those who wait too long go first, and as each
//! makes the other line longer, no more go than it serves sooner. Who joins goes at once if nobody older should. Once for each
//! caller: two queues that overflow to one another send nobody to and fro. `max_wait` still counts from the first joining.
//! Where nothing is known of one of the two queues, or waits do not come as they are forecast, nobody goes.
//!
//! Who went and finds nobody there any more, or the queue gone, is sent back to where they stood, if that queue is served.

use std::collections::BTreeSet;
use std::time::Duration;

use pronto_forecast::Wait;
use pronto_types::link::ExitReason;
use pronto_types::{Forecast, GatewayName, QueueName, TicketId, Time};

use super::Engine;
use crate::fact::Fact;
use crate::state::{Operator, OperatorState};
use crate::{Configuration, Overflow};

/// Between two looks at those who wait.
const EVERY: Duration = Duration::from_secs(5);
/// Sooner by less is not worth leaving one's place: a quarter of the wait, and this.
const GAIN: Duration = Duration::from_secs(30);
/// Limits for one queue at one look, so that a look costs some milliseconds: tickets forecast, and tickets moved.
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

    /// A caller has joined, and may go at once, unless somebody older should go first: the next look sees to that.
    pub(super) fn overflow_at_joining(&mut self, ticket: TicketId) {
        let queue = self.queue_of(ticket);
        let known = queue.and_then(|queue| self.overflows.queues.iter().find(|(from, _)| from == queue));
        let Some((queue, overflow)) = known.cloned() else {
            return;
        };
        if self.state.settling.is_none()
            && self.is_late(ticket, &overflow)
            && let Some(gateways) = self.way(&queue, &overflow)
            && self.may_overflow(ticket, &gateways)
            && !self.would_older_go(ticket, &queue, &overflow, &gateways)
        {
            self.try_overflow(ticket, &overflow);
        }
    }

    fn overflow_from(&mut self, queue: &QueueName, overflow: &Overflow) {
        let Some(gateways) = self.way(queue, overflow) else {
            return;
        };
        // Nobody waits longer than who would join now: if that is not too long, or not longer than elsewhere, all stay.
        let [last, there] = [queue, &overflow.to].map(|queue| self.state.forecaster.joining(self.now, queue));
        let (Some(last), Some(there)) = (last, there) else {
            return;
        };
        if !is_worth_it(last, there, overflow) {
            return;
        }
        let line = self.state.forecaster.line(self.now, queue).into_iter();
        let late = line.filter(|(_, wait)| is_worth_it(*wait, there, overflow));
        let tried: Vec<TicketId> = late
            .map(|(ticket, _)| ticket)
            .filter(|ticket| self.may_overflow(*ticket, &gateways))
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

    /// The gateways whose callers could go from one queue to the other: somebody waits there, it is in step, and somebody at
    /// work in the other queue has a phone there. `None` where nobody can: there is no such gateway, no room, or waits of one
    /// of the queues do not come as they are forecast.
    fn way(&self, queue: &QueueName, overflow: &Overflow) -> Option<BTreeSet<GatewayName>> {
        let to = &overflow.to;
        let open = self.may_lead(queue, to);
        let pools = &self.state.index.queues.get(queue).filter(|_| open)?.pools;
        let at_work = |operator: &&Operator| operator.queues.contains(to) && is_at_work(operator);
        let operators = self.state.operators.values().filter(at_work);
        let phones = operators.flat_map(|operator| operator.presences.keys());
        let usable = phones.filter(|gateway| {
            let waits = pools.get(*gateway).is_some_and(|pool| !pool.waiting.is_empty());
            waits && self.state.in_step(gateway)
        });
        let gateways: BTreeSet<GatewayName> = usable.cloned().collect();
        (!gateways.is_empty()).then_some(gateways)
    }

    /// Whether the queue takes one more from here, somebody takes callers there, and waits of both come as they are forecast.
    fn may_lead(&self, queue: &QueueName, to: &QueueName) -> bool {
        let takes = self.is_attended(to) && self.room_in(to, false).is_some();
        takes && self.reliable(queue) && self.reliable(to)
    }

    /// Where a caller would go on waiting at once who joined the queue now, and for how long, their gateway having an
    /// operator there; the wait here is `here`.
    pub(super) fn sooner_at_joining(
        &self,
        now: Time,
        queue: &QueueName,
        here: Wait,
    ) -> Option<(&QueueName, Wait)> {
        let mut queues = self.overflows.queues.iter();
        let (_, overflow) = queues.find(|(from, _)| from == queue)?;
        let open = self.state.settling.is_none() && self.may_lead(queue, &overflow.to);
        let there = self.state.forecaster.joining(now, &overflow.to);
        let there = there.filter(|there| open && is_worth_it(here, *there, overflow));
        there.map(|there| (&overflow.to, there))
    }

    pub(super) fn is_served_at(&self, queue: &QueueName, gateway: &GatewayName) -> bool {
        self.state.operators.values().any(|operator| {
            let works = operator.queues.contains(queue) && is_at_work(operator);
            works && operator.presences.contains_key(gateway)
        })
    }

    /// Whether the caller is among those who could go: waits at one of these gateways, and for the first time.
    fn may_overflow(&self, id: TicketId, gateways: &BTreeSet<GatewayName>) -> bool {
        self.state.tickets.get(&id).is_some_and(|ticket| {
            !ticket.overflowed && self.state.is_waiting(id) && gateways.contains(ticket.gateway())
        })
    }

    fn is_late(&self, id: TicketId, overflow: &Overflow) -> bool {
        let wait = self.state.forecaster.waiting(self.now, id);
        wait.is_some_and(|wait| wait.p80 > overflow.wait)
    }

    /// Whether somebody who came before this caller would go now. Nobody waits longer than who stands behind, and the longer
    /// the wait the more it is worth it, so the nearest who could tells.
    fn would_older_go(
        &self,
        id: TicketId,
        queue: &QueueName,
        overflow: &Overflow,
        gateways: &BTreeSet<GatewayName>,
    ) -> bool {
        let Some(rank) = self.state.tickets.get(&id).map(|ticket| ticket.rank(id)) else {
            return false;
        };
        let pools = self.state.index.queues.get(queue).map(|it| &it.pools);
        let pools = gateways.iter().filter_map(|gateway| pools?.get(gateway));
        let nearest = pools.filter_map(|pool| {
            let mut older = pool.waiting.range(..rank).rev();
            older.find(|older| self.may_overflow(older.ticket, gateways))
        });
        let Some(nearest) = nearest.max() else {
            return false;
        };
        let forecaster = &self.state.forecaster;
        let here = forecaster.waiting(self.now, nearest.ticket);
        let there = forecaster.joining(self.now, &overflow.to);
        here.zip(there)
            .is_some_and(|(here, there)| is_worth_it(here, there, overflow))
    }

    /// A waiting ticket's queue is served by nobody any more, or is gone: the ticket is sent back to the queue it came from, or
    /// where it came from none that is served, on by an exit.
    pub(super) fn leave_queue(&mut self, id: TicketId, exit: ExitReason) {
        let Some(ticket) = self.state.tickets.get(&id) else {
            return;
        };
        let home = ticket.home.as_ref().map(|home| &home.queue);
        let served = |home: &&QueueName| self.state.open_queue(home).is_some() && !self.is_deserted(home);
        match home.filter(served).cloned() {
            Some(to) if self.state.is_waiting(id) => {
                let queue = ticket.queue.clone();
                self.record(Fact::SentBack {
                    ticket: id,
                    queue,
                    to,
                });
                self.schedule(id);
            }
            _ => self.exit(id, exit),
        }
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
        if !is_worth_it(here, there, overflow) || self.room_in(&overflow.to, false).is_none() {
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

/// Whether they serve their queues now, or as soon as a call is over; at lunch they do not.
fn is_at_work(operator: &Operator) -> bool {
    let there = !matches!(
        operator.state,
        OperatorState::SignedOut { .. } | OperatorState::Paused { .. }
    );
    there && operator.after.is_none()
}

/// Whether it is too long here and clearly sooner there.
fn is_worth_it(here: Wait, there: Wait, overflow: &Overflow) -> bool {
    let gain = GAIN.max(here.p80 / 4);
    here.p80 > overflow.wait && there.p80.saturating_add(gain) <= here.p80
}

pub(super) fn forecast(wait: Wait) -> Forecast {
    Forecast {
        p50: wait.p50,
        p80: wait.p80,
        p90: wait.p90,
    }
}
