//! The orders and deadlines of a state: everything the engine asks often, kept in step with every change.
//!
//! For each kind of thing there is an `…_in` and an `…_out`; a change is out, change, in. Building the index from
//! scratch is `in` for everything, which is how [`crate::Engine::check`] knows that it is right.

use std::collections::{BTreeMap, BTreeSet};

use pronto_types::{Deadlines, GatewayName, OfferId, OperatorId, QueueName, RoundId, TicketId, Time};

use super::ranking::{Ranked, Ranking};
use super::{
    ClosedTicket, Gateway, Link, Offer, Operator, OperatorState, Phase, Queue, State, Ticket, TicketState,
};
use crate::Contact;

/// A deadline's owner.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// A grant's validity.
    Grant(OfferId),
    /// The end of a wrap-up or a pause.
    Operator(OperatorId),
    /// The end of a phone's registration at a gateway.
    Lease(OperatorId, GatewayName),
    /// A gateway that is away.
    Grace(GatewayName),
    /// The end of settling.
    Settle,
    /// The end of `max_wait` for a ticket.
    MaxWait(TicketId),
    /// A queue nobody serves.
    Nobody(QueueName),
}

/// One queue at one gateway: a phone is rung by the gateway where it is registered, so callers and operators
/// meet there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pool {
    pub(crate) waiting: BTreeSet<Ranked>,
    /// Those of `waiting` who have not been overtaken yet.
    pub(crate) fresh: BTreeSet<Ranked>,
    /// Ready operators with a phone here, longest idle first.
    pub(crate) ready: BTreeSet<(Time, OperatorId)>,
}

/// The index of one queue: its ranking, counts and operators.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) pools: BTreeMap<GatewayName, Pool>,
    /// All who wait, at whichever gateway.
    pub(crate) ranking: Ranking,
    /// Since when they do, the longest wait first. The longest is not always the first to be served.
    pub(crate) since: BTreeSet<(Time, TicketId)>,
    pub(crate) waiting: u64,
    pub(crate) offered: u64,
    pub(crate) connected: u64,
    pub(crate) ready: u32,
    pub(crate) signed_in: u32,
    /// The operators among them that take callers, now or soon.
    pub(crate) attending: u32,
    /// The armed [`Timer::Nobody`].
    nobody: Option<Time>,
}

/// The grants that bind a ticket or an operator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bound {
    /// Unresolved grants. More than one of an operator only if an answer believed impossible came; none is made while there
    /// is one.
    pub(crate) offers: BTreeSet<OfferId>,
    /// Talks. More than one of an operator only if a talk thought lost turned out to go on.
    pub(crate) talks: BTreeSet<OfferId>,
}

impl Bound {
    fn by(&mut self, phase: Phase) -> &mut BTreeSet<OfferId> {
        if phase.is_unresolved() {
            &mut self.offers
        } else {
            &mut self.talks
        }
    }

    fn is_free(&self) -> bool {
        self.offers.is_empty() && self.talks.is_empty()
    }
}

/// Everything derived from the state: orders, counts and deadlines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Index {
    pub(crate) queues: BTreeMap<QueueName, Standing>,
    /// Per gateway the queues where someone waits and someone is ready.
    pub(crate) matchable: BTreeMap<GatewayName, BTreeSet<QueueName>>,
    /// Per gateway and queue those who wait and have never been told how things stand.
    pub(crate) untold: BTreeMap<GatewayName, BTreeMap<QueueName, BTreeSet<Ranked>>>,
    pub(crate) by_gateway: BTreeMap<GatewayName, BTreeSet<TicketId>>,
    /// The ticket, live or closed, of each contact.
    pub(crate) by_contact: BTreeMap<Contact, TicketId>,
    /// Closed tickets, the oldest first.
    pub(crate) closed: BTreeSet<(u64, TicketId)>,
    /// The round of each unresolved grant and talk.
    pub(crate) round_of: BTreeMap<OfferId, RoundId>,
    /// The tickets that are bound, be they here or not.
    pub(crate) tickets: BTreeMap<TicketId, Bound>,
    /// The operators who are bound.
    pub(crate) operators: BTreeMap<OperatorId, Bound>,
    pub(crate) timers: Deadlines<Timer>,
}

impl Index {
    /// The index of a state, built from nothing.
    pub(crate) fn of(state: &State) -> Index {
        let mut index = Index::default();
        for (name, gateway) in &state.gateways {
            index.gateway_in(name, gateway);
        }
        for (id, operator) in &state.operators {
            index.operator_in(id, operator);
        }
        for (id, round) in &state.rounds {
            for offer in &round.offers {
                index.offer_in(*id, round.ticket, offer);
            }
        }
        for (id, ticket) in &state.tickets {
            index.ticket_in(*id, ticket);
        }
        for (id, closed) in &state.closed {
            index.closed_in(*id, closed);
        }
        for (name, queue) in &state.queues {
            index.retime_nobody(name, queue);
        }
        if let Some(until) = state.settling {
            index.timers.insert(until, Timer::Settle);
        }
        index
    }

    /// Where a ticket stands that is not closed.
    pub(crate) fn ticket_state(&self, id: TicketId) -> TicketState {
        match self.tickets.get(&id) {
            None => TicketState::Waiting,
            Some(bound) => bound
                .talks
                .first()
                .map_or(TicketState::Offered, |talk| TicketState::Connected(*talk)),
        }
    }

    /// Takes up a ticket.
    pub(crate) fn ticket_in(&mut self, id: TicketId, ticket: &Ticket) {
        self.contact_in(id, &ticket.contact);
        self.place_in(id, ticket);
    }

    /// Takes up a closed ticket.
    pub(crate) fn closed_in(&mut self, id: TicketId, closed: &ClosedTicket) {
        self.contact_in(id, closed.contact());
        self.closed.insert((closed.seq, id));
    }

    /// Drops a closed ticket.
    pub(crate) fn closed_out(&mut self, id: TicketId, closed: &ClosedTicket) {
        self.contact_out(id, closed.contact());
        self.closed.remove(&(closed.seq, id));
    }

    fn contact_in(&mut self, id: TicketId, contact: &Contact) {
        let tickets = self.by_gateway.entry(contact.gateway().clone()).or_default();
        tickets.insert(id);
        self.by_contact.insert(contact.clone(), id);
    }

    fn contact_out(&mut self, id: TicketId, contact: &Contact) {
        if let Some(ids) = self.by_gateway.get_mut(contact.gateway()) {
            ids.remove(&id);
            if ids.is_empty() {
                self.by_gateway.remove(contact.gateway());
            }
        }
        if self.by_contact.get(contact) == Some(&id) {
            self.by_contact.remove(contact);
        }
    }

    /// Drops a ticket.
    pub(crate) fn ticket_out(&mut self, id: TicketId, ticket: &Ticket) {
        self.contact_out(id, &ticket.contact);
        self.place_out(id, ticket);
    }

    /// Takes up a ticket's place.
    pub(crate) fn place_in(&mut self, id: TicketId, ticket: &Ticket) {
        let place = self.ticket_state(id);
        let standing = self.queues.entry(ticket.queue.clone()).or_default();
        match place {
            TicketState::Waiting => {
                standing.waiting += 1;
                standing.ranking.insert(ticket.rank(id));
                standing.since.insert((ticket.waits_since, id));
                let pool = standing.pools.entry(ticket.gateway().clone()).or_default();
                pool.waiting.insert(ticket.rank(id));
                if !ticket.line.skipped {
                    pool.fresh.insert(ticket.rank(id));
                }
                self.timers.insert(ticket.deadline, Timer::MaxWait(id));
                if ticket.told.at.is_none() {
                    let queues = self.untold.entry(ticket.gateway().clone()).or_default();
                    let untold = queues.entry(ticket.queue.clone()).or_default();
                    untold.insert(ticket.rank(id));
                }
                self.rematch(&ticket.queue, ticket.gateway());
            }
            TicketState::Offered => standing.offered += 1,
            TicketState::Connected(_) => standing.connected += 1,
        }
    }

    /// Drops a ticket's place.
    pub(crate) fn place_out(&mut self, id: TicketId, ticket: &Ticket) {
        let place = self.ticket_state(id);
        let Some(standing) = self.queues.get_mut(&ticket.queue) else {
            return;
        };
        match place {
            TicketState::Waiting => {
                standing.waiting = standing.waiting.saturating_sub(1);
                standing.ranking.remove(ticket.rank(id));
                standing.since.remove(&(ticket.waits_since, id));
                if let Some(pool) = standing.pools.get_mut(ticket.gateway()) {
                    pool.waiting.remove(&ticket.rank(id));
                    pool.fresh.remove(&ticket.rank(id));
                }
                self.timers.remove(ticket.deadline, &Timer::MaxWait(id));
                if let Some(queues) = self.untold.get_mut(ticket.gateway()) {
                    if let Some(untold) = queues.get_mut(&ticket.queue) {
                        untold.remove(&ticket.rank(id));
                    }
                    queues.retain(|_, untold| !untold.is_empty());
                    if queues.is_empty() {
                        self.untold.remove(ticket.gateway());
                    }
                }
                self.rematch(&ticket.queue, ticket.gateway());
            }
            TicketState::Offered => standing.offered = standing.offered.saturating_sub(1),
            TicketState::Connected(_) => standing.connected = standing.connected.saturating_sub(1),
        }
        self.prune(&ticket.queue);
    }

    /// Takes up an operator.
    pub(crate) fn operator_in(&mut self, id: &OperatorId, operator: &Operator) {
        match &operator.state {
            OperatorState::WrapUp { until, .. }
            | OperatorState::Paused {
                until: Some(until), ..
            } => {
                self.timers.insert(*until, Timer::Operator(id.clone()));
            }
            _ => {}
        }
        for (gateway, until) in &operator.presences {
            self.timers
                .insert(*until, Timer::Lease(id.clone(), gateway.clone()));
        }
        if matches!(operator.state, OperatorState::SignedOut { .. }) {
            return;
        }
        for queue in &operator.queues {
            let standing = self.queues.entry(queue.clone()).or_default();
            standing.signed_in += 1;
            standing.attending += u32::from(operator.attends());
            let Some(since) = operator.free_since() else {
                continue;
            };
            standing.ready += 1;
            for gateway in operator.presences.keys() {
                let standing = self.queues.entry(queue.clone()).or_default();
                let pool = standing.pools.entry(gateway.clone()).or_default();
                pool.ready.insert((since, id.clone()));
                self.rematch(queue, gateway);
            }
        }
    }

    /// Drops an operator.
    pub(crate) fn operator_out(&mut self, id: &OperatorId, operator: &Operator) {
        match &operator.state {
            OperatorState::WrapUp { until, .. }
            | OperatorState::Paused {
                until: Some(until), ..
            } => {
                self.timers.remove(*until, &Timer::Operator(id.clone()));
            }
            _ => {}
        }
        for (gateway, until) in &operator.presences {
            self.timers
                .remove(*until, &Timer::Lease(id.clone(), gateway.clone()));
        }
        if matches!(operator.state, OperatorState::SignedOut { .. }) {
            return;
        }
        for queue in &operator.queues {
            let Some(standing) = self.queues.get_mut(queue) else {
                continue;
            };
            standing.signed_in = standing.signed_in.saturating_sub(1);
            let attends = u32::from(operator.attends());
            standing.attending = standing.attending.saturating_sub(attends);
            if let Some(since) = operator.free_since() {
                standing.ready = standing.ready.saturating_sub(1);
                for gateway in operator.presences.keys() {
                    if let Some(pool) = self
                        .queues
                        .get_mut(queue)
                        .and_then(|it| it.pools.get_mut(gateway))
                    {
                        pool.ready.remove(&(since, id.clone()));
                    }
                    self.rematch(queue, gateway);
                }
            }
            self.prune(queue);
        }
    }

    /// Takes up an offer of a round. Its ticket must not be in its place meanwhile: that depends on it.
    pub(crate) fn offer_in(&mut self, round: RoundId, ticket: TicketId, offer: &Offer) {
        let Offer { id, operator, phase } = offer;
        self.round_of.insert(*id, round);
        self.tickets.entry(ticket).or_default().by(*phase).insert(*id);
        let operator = self.operators.entry(operator.clone()).or_default();
        operator.by(*phase).insert(*id);
        if let Some(valid_until) = phase.valid_until() {
            self.timers.insert(valid_until, Timer::Grant(*id));
        }
    }

    /// Drops an offer of a round.
    pub(crate) fn offer_out(&mut self, ticket: TicketId, offer: &Offer) {
        let Offer { id, operator, phase } = offer;
        self.round_of.remove(id);
        if let Some(bound) = self.tickets.get_mut(&ticket) {
            bound.by(*phase).remove(id);
            if bound.is_free() {
                self.tickets.remove(&ticket);
            }
        }
        if let Some(bound) = self.operators.get_mut(operator) {
            bound.by(*phase).remove(id);
            if bound.is_free() {
                self.operators.remove(operator);
            }
        }
        if let Some(valid_until) = phase.valid_until() {
            self.timers.remove(valid_until, &Timer::Grant(*id));
        }
    }

    /// Takes up a gateway.
    pub(crate) fn gateway_in(&mut self, name: &GatewayName, gateway: &Gateway) {
        if let Link::Detached { grace_until } = gateway.link {
            self.timers.insert(grace_until, Timer::Grace(name.clone()));
        }
    }

    /// Drops a gateway.
    pub(crate) fn gateway_out(&mut self, name: &GatewayName, gateway: &Gateway) {
        if let Link::Detached { grace_until } = gateway.link {
            self.timers.remove(grace_until, &Timer::Grace(name.clone()));
        }
    }

    /// Arms or disarms the queue's [`Timer::Nobody`]: armed while someone waits and nobody is signed in.
    pub(crate) fn retime_nobody(&mut self, name: &QueueName, queue: &Queue) {
        let waits = self.queues.get(name).is_some_and(|standing| standing.waiting > 0);
        let due = queue
            .unstaffed_since
            .filter(|_| waits)
            .map(|since| since + queue.settings.nobody_after);
        let armed = self.queues.get(name).and_then(|standing| standing.nobody);
        if due == armed {
            return;
        }
        if let Some(armed) = armed {
            self.timers.remove(armed, &Timer::Nobody(name.clone()));
        }
        if let Some(due) = due {
            self.timers.insert(due, Timer::Nobody(name.clone()));
        }
        self.queues.entry(name.clone()).or_default().nobody = due;
        self.prune(name);
    }

    /// Keeps `matchable` in step with a pool, and drops the pool when it is empty.
    fn rematch(&mut self, queue: &QueueName, gateway: &GatewayName) {
        let Some(standing) = self.queues.get_mut(queue) else {
            return;
        };
        let Some(pool) = standing.pools.get(gateway) else {
            return;
        };
        let matches = !pool.waiting.is_empty() && !pool.ready.is_empty();
        if pool.waiting.is_empty() && pool.ready.is_empty() {
            standing.pools.remove(gateway);
        }
        if matches {
            self.matchable
                .entry(gateway.clone())
                .or_default()
                .insert(queue.clone());
        } else if let Some(queues) = self.matchable.get_mut(gateway) {
            queues.remove(queue);
            if queues.is_empty() {
                self.matchable.remove(gateway);
            }
        }
    }

    /// Drops a queue's standing when there is nothing to say about it.
    fn prune(&mut self, queue: &QueueName) {
        if self
            .queues
            .get(queue)
            .is_some_and(|standing| *standing == Standing::default())
        {
            self.queues.remove(queue);
        }
    }
}
