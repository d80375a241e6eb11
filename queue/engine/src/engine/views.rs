//! Views of the engine's state.

use pronto_types::{AnnouncementId, GatewayName, OperatorId, QueueName, TicketId, Time};

use super::Engine;
use crate::promises::{DAY, PromiseStats};
use crate::state::{Operator, OperatorState, TicketState};
use crate::view::{DayView, ForecastView, OperatorStatus, OperatorView, QueueView};

impl Engine {
    /// The gateways that were ever attached.
    pub fn gateways(&self) -> impl Iterator<Item = &GatewayName> {
        self.state.gateways.keys()
    }

    /// The highest epoch known of a gateway; 0 after it was reset.
    pub fn epoch_of(&self, gateway: &GatewayName) -> Option<u64> {
        self.state.gateways.get(gateway).map(|known| known.epoch)
    }

    /// One configured queue, now.
    pub fn queue(&self, name: &QueueName) -> Option<QueueView> {
        let queue = self.state.open_queue(name)?;
        let mut view = QueueView {
            name: name.clone(),
            joined: queue.joined,
            waiting: 0,
            detached: 0,
            offered: 0,
            connected: 0,
            ended: queue.ended,
            longest_since: None,
            operators_ready: 0,
            operators_signed_in: 0,
        };
        let Some(standing) = self.state.index.queues.get(name) else {
            return Some(view);
        };
        for (gateway, pool) in &standing.pools {
            if !self.state.in_step(gateway) {
                view.detached += pool.waiting.len() as u64;
            }
        }
        view.waiting = standing.waiting - view.detached.min(standing.waiting);
        view.offered = standing.offered;
        view.connected = standing.connected;
        view.longest_since = standing.since.first().map(|(since, _)| *since);
        view.operators_ready = standing.ready;
        view.operators_signed_in = standing.signed_in;
        Some(view)
    }

    /// The configured queues, in the order of their names.
    pub fn queues(&self) -> impl Iterator<Item = QueueView> + '_ {
        self.state.queues.keys().filter_map(|name| self.queue(name))
    }

    /// How a caller would stand who joined a configured queue now: in the queue to which it overflows, where they would go on
    /// waiting at once.
    pub fn forecast(&self, now: Time, name: &QueueName) -> Option<ForecastView> {
        self.state.open_queue(name)?;
        let now = now.max(self.now);
        let here = self.state.forecaster.joining(now, name);
        let there = here.and_then(|here| self.sooner_at_joining(now, name, here));
        let gateways = || self.state.gateways.keys().filter(|it| self.state.in_step(it));
        let there = there.filter(|(to, _)| gateways().any(|gateway| self.is_served_at(to, gateway)));
        let here = here.filter(|_| self.is_attended(name));
        let (queue, wait) = there.map_or((name, here), |(to, wait)| (to, Some(wait)));
        let waiting = self.state.index.queues.get(queue).map_or(0, |it| it.waiting);
        Some(ForecastView {
            position: u32::try_from(waiting).unwrap_or(u32::MAX).saturating_add(1),
            wait,
            all_paused: !self.is_attended(name)
                && self
                    .state
                    .index
                    .queues
                    .get(name)
                    .is_some_and(|it| it.signed_in > 0),
            reliable: self.reliable(name),
        })
    }

    /// Whether an operator of the queue takes callers, now or as soon as a call, its wrap-up or a pause with a known end is over.
    /// Where all of them are on a break, nobody knows how long a caller waits, and no wait is promised.
    pub(super) fn is_attended(&self, name: &QueueName) -> bool {
        let standing = self.state.index.queues.get(name);
        standing.is_some_and(|it| it.attending > 0)
    }

    /// Whether waits of a queue come out as they are forecast: else none is announced.
    pub fn reliable(&self, name: &QueueName) -> bool {
        self.state.forecaster.holds(name)
    }

    /// Since when a ticket waits, or waited: when the caller joined (first), or when they lost the operator they talked to.
    pub fn waits_since(&self, ticket: TicketId) -> Option<Time> {
        self.state.held(ticket).map(|it| it.waits_since)
    }

    /// The tickets that wait, offered or not: in which queue, and since when.
    pub fn waiting(&self) -> impl Iterator<Item = (TicketId, &QueueName, Time)> {
        let waits = |id| !matches!(self.state.ticket_state(id), Some(TicketState::Connected(_)));
        let tickets = self.state.tickets.iter().filter(move |(id, _)| waits(**id));
        tickets.map(|(id, ticket)| (*id, &ticket.queue, ticket.waits_since))
    }

    /// Results of the promises of a configured queue, by the day on which they were heard, oldest first.
    pub fn promises(&self, name: &QueueName) -> Option<Vec<DayView>> {
        self.state.open_queue(name)?;
        let days = self.state.books.get(name).into_iter().flatten();
        let view = |(day, book): (&i64, &PromiseStats)| DayView {
            begins: Time::from_micros(day.saturating_mul(DAY)),
            book: *book,
        };
        Some(days.map(view).collect())
    }

    /// In which queue a ticket is, or was as long as it is remembered.
    pub fn queue_of(&self, ticket: TicketId) -> Option<&QueueName> {
        let closed = || self.state.closed.get(&ticket).map(|it| it.queue());
        let live = self.state.tickets.get(&ticket).map(|it| &it.queue);
        live.or_else(closed)
    }

    /// In which queue a ticket was told something; of one that does not wait any more, in which it was last.
    pub fn queue_of_announcement(
        &self,
        ticket: TicketId,
        announcement: AnnouncementId,
    ) -> Option<&QueueName> {
        let told = self.state.promises.queue_of(ticket, announcement);
        told.or_else(|| self.queue_of(ticket))
    }

    /// One configured operator, now.
    pub fn operator(&self, id: &OperatorId) -> Option<OperatorView> {
        self.state
            .known_operator(id)
            .map(|operator| self.view_of(id, operator))
    }

    /// The configured operators, in the order of their ids.
    pub fn operators(&self) -> impl Iterator<Item = OperatorView> + '_ {
        let known = self
            .state
            .operators
            .iter()
            .filter(|(_, operator)| operator.configured);
        known.map(|(id, operator)| self.view_of(id, operator))
    }

    fn view_of(&self, id: &OperatorId, operator: &Operator) -> OperatorView {
        let (status, since) = match &operator.state {
            OperatorState::SignedOut { since } => (OperatorStatus::SignedOut, since),
            OperatorState::Ready { since } => (OperatorStatus::Ready, since),
            OperatorState::Offered { since, .. } => {
                let offer = self.state.offer_to(id);
                let status = offer.map_or(OperatorStatus::Ready, |offer| OperatorStatus::Offered { offer });
                (status, since)
            }
            OperatorState::Talking { since } => (OperatorStatus::Talking, since),
            OperatorState::WrapUp { since, until } => (OperatorStatus::WrapUp { until: *until }, since),
            OperatorState::Paused { since, reason, until } => (
                OperatorStatus::Paused {
                    reason: reason.clone(),
                    until: *until,
                },
                since,
            ),
        };
        let reachable = operator
            .presences
            .keys()
            .any(|gateway| self.state.in_step(gateway));
        OperatorView {
            id: id.clone(),
            status,
            since: *since,
            reachable,
            queues: operator.queues.clone(),
        }
    }
}
