//! How a thing is changed: out of the index, changed, in again.

use pronto_types::link::ExitReason;
use pronto_types::{CallId, GatewayName, OperatorId, QueueName, TicketId, Time};

use super::{ClosedTicket, End, Gateway, Link, Operator, OperatorState, Queue, State, Ticket};
use crate::view::EndedCounts;
use crate::{Contact, limits};

impl State {
    /// Counts the end of a ticket that is still live.
    pub(super) fn count_end(&mut self, id: TicketId, which: impl FnOnce(&mut EndedCounts) -> &mut u64) {
        let Some(ticket) = self.tickets.get(&id) else {
            return;
        };
        if let Some(queue) = self.queues.get_mut(&ticket.queue) {
            *which(&mut queue.ended) += 1;
        }
    }

    pub(super) fn change_ticket(&mut self, id: TicketId, change: impl FnOnce(&mut Ticket)) {
        let Some(ticket) = self.tickets.get_mut(&id) else {
            return;
        };
        self.index.place_out(id, ticket);
        change(ticket);
        self.index.place_in(id, ticket);
        if let Some(queue) = self.queues.get(&ticket.queue) {
            self.index.retime_nobody(&ticket.queue, queue);
        }
    }

    pub(super) fn insert_ticket(&mut self, id: TicketId, ticket: Ticket) {
        let queue = ticket.queue.clone();
        self.index.ticket_in(id, &ticket);
        self.tickets.insert(id, ticket);
        self.retime_nobody(&queue);
    }

    /// Takes a ticket out, closed or not; returns it, if it was ever let in.
    pub(super) fn remove_ticket(&mut self, id: TicketId) -> Option<Ticket> {
        if let Some(ticket) = self.tickets.remove(&id) {
            self.index.ticket_out(id, &ticket);
            self.retime_nobody(&ticket.queue);
            return Some(ticket);
        }
        let closed = self.closed.remove(&id)?;
        self.index.closed_out(id, &closed);
        match closed.end {
            End::Lost { ticket, .. } | End::Exited { ticket, .. } => Some(*ticket),
            End::TurnedAway { .. } => None,
        }
    }

    pub(super) fn insert_closed(&mut self, id: TicketId, closed: ClosedTicket) {
        self.index.closed_in(id, &closed);
        self.closed.insert(id, closed);
    }

    /// Closes a ticket, or closes it once more.
    pub(super) fn close(&mut self, id: TicketId, seq: u64, end: impl FnOnce(Box<Ticket>) -> End) {
        if let Some(ticket) = self.remove_ticket(id) {
            let end = end(Box::new(ticket));
            self.insert_closed(id, ClosedTicket { seq, end });
        }
    }

    /// Takes a closed ticket that was let in back; whether it is live then. It is not counted as ended any more.
    pub(super) fn reopen(&mut self, id: TicketId) -> bool {
        let Some(closed) = self.closed.get(&id) else {
            return self.tickets.contains_key(&id);
        };
        let reason = match &closed.end {
            End::Lost { .. } => None,
            End::Exited { reason, .. } => Some(*reason),
            End::TurnedAway { .. } => return false,
        };
        let Some(ticket) = self.remove_ticket(id) else {
            return false;
        };
        if let Some(Queue { ended, .. }) = self.queues.get_mut(&ticket.queue) {
            let count = match reason {
                None => &mut ended.lost,
                Some(reason) => exit_count(ended, reason),
            };
            *count = count.saturating_sub(1);
        }
        self.insert_ticket(id, ticket);
        true
    }

    /// The call is over: what was remembered of its ticket is too. (A live ticket is ended by its own fact.)
    pub(super) fn forget_call(&mut self, gateway: &GatewayName, call: CallId) {
        let contact = Contact::of_call(gateway.clone(), call);
        if let Some(id) = self.index.by_contact.get(&contact).copied() {
            self.forget(id);
        }
    }

    /// Drops a ticket if it is closed.
    pub(super) fn forget(&mut self, id: TicketId) {
        if self.closed.contains_key(&id) {
            self.remove_ticket(id);
        }
    }

    pub(super) fn limit_closed(&mut self) {
        while self.index.closed.len() > limits::CLOSED {
            let Some((_, id)) = self.index.closed.first().copied() else {
                return;
            };
            self.remove_ticket(id);
        }
    }

    pub(super) fn change_operator(&mut self, id: &OperatorId, at: Time, change: impl FnOnce(&mut Operator)) {
        let Some(operator) = self.operators.get_mut(id) else {
            return;
        };
        let was_out = matches!(operator.state, OperatorState::SignedOut { .. });
        self.index.operator_out(id, operator);
        change(operator);
        self.index.operator_in(id, operator);
        if was_out != matches!(operator.state, OperatorState::SignedOut { .. }) {
            for queue in operator.queues.clone() {
                self.restaff(&queue, !was_out, at);
            }
        }
    }

    /// Operators are in a call that no queue gave them.
    pub(super) fn operator_call_began(
        &mut self,
        call: (GatewayName, CallId),
        parties: Vec<OperatorId>,
        at: Time,
    ) {
        if self.own_calls.len() >= limits::TICKETS {
            return;
        }
        for id in &parties {
            self.change_operator(id, at, |it| {
                it.calling.insert(call.clone());
            });
        }
        self.own_calls.insert(call, parties);
    }

    pub(super) fn operator_call_ended(&mut self, gateway: &GatewayName, call: CallId, at: Time) {
        let call = (gateway.clone(), call);
        for id in self.own_calls.remove(&call).unwrap_or_default() {
            self.change_operator(&id, at, |it| {
                it.calling.remove(&call);
            });
        }
    }

    /// The gateway is gone for longer than its grace. Its operators may go on talking, but nobody can say so any more:
    /// who has a phone at another gateway is offered callers there, or a call whose end is never reported would bind them
    /// for ever. (Who has none is offered nobody: callers and operators meet at a gateway in step.) The calls themselves are
    /// remembered until the gateway is back, or superseded.
    pub(super) fn operator_calls_unseen(&mut self, gateway: &GatewayName, at: Time) {
        for (call, parties) in self.operator_calls_of(gateway) {
            for id in &parties {
                self.change_operator(id, at, |it| {
                    it.calling.remove(&call);
                });
            }
        }
    }

    /// The same process is back: its operators are in the calls they were in. Those that ended meanwhile end in its
    /// backlog, before anybody is offered there.
    pub(super) fn operator_calls_seen(&mut self, gateway: &GatewayName, at: Time) {
        for (call, parties) in self.operator_calls_of(gateway) {
            for id in &parties {
                self.change_operator(id, at, |it| {
                    it.calling.insert(call.clone());
                });
            }
        }
    }

    /// The gateway's process is another one: the calls ended with the old one.
    pub(super) fn operator_calls_lost(&mut self, gateway: &GatewayName, at: Time) {
        for ((_, call), _) in self.operator_calls_of(gateway) {
            self.operator_call_ended(gateway, call, at);
        }
    }

    fn operator_calls_of(&self, gateway: &GatewayName) -> Vec<((GatewayName, CallId), Vec<OperatorId>)> {
        let calls = self.own_calls.iter().filter(|((of, _), _)| of == gateway);
        calls
            .map(|(call, parties)| (call.clone(), parties.clone()))
            .collect()
    }

    pub(super) fn change_gateway(&mut self, name: &GatewayName, change: impl FnOnce(&mut Gateway)) {
        let gateway = self.gateways.entry(name.clone()).or_insert(Gateway {
            epoch: 0,
            instance: 0,
            have: 0,
            link: Link::Gone,
            latest_join: Time::ZERO,
        });
        self.index.gateway_out(name, gateway);
        change(gateway);
        self.index.gateway_in(name, gateway);
    }

    /// A registration cannot be renewed while its gateway is away: it lasts until then at least.
    pub(super) fn extend_leases(&mut self, gateway: &GatewayName, until: Time) {
        for (id, operator) in &mut self.operators {
            if operator
                .presences
                .get(gateway)
                .is_some_and(|lease| *lease < until)
            {
                self.index.operator_out(id, operator);
                operator.presences.insert(gateway.clone(), until);
                self.index.operator_in(id, operator);
            }
        }
    }

    /// A new absence: whoever is overtaken during it gets a new fact.
    pub(super) fn unskip(&mut self, gateway: &GatewayName) {
        for id in self.tickets_of(gateway) {
            if self.is_waiting(id) && self.tickets.get(&id).is_some_and(|it| it.line.skipped) {
                self.change_ticket(id, |it| it.line.skipped = false);
            }
        }
    }

    /// Notes since when nobody is signed in, where somebody `was`: a queue that never had an operator has lost none.
    pub(super) fn restaff(&mut self, name: &QueueName, was: bool, at: Time) {
        let staffed = self
            .index
            .queues
            .get(name)
            .is_some_and(|standing| standing.signed_in > 0);
        if let Some(queue) = self.queues.get_mut(name) {
            queue.unstaffed_since = if staffed {
                None
            } else {
                queue.unstaffed_since.or(was.then_some(at))
            };
            self.index.retime_nobody(name, queue);
        }
    }

    pub(super) fn retime_nobody(&mut self, name: &QueueName) {
        if let Some(queue) = self.queues.get(name) {
            self.index.retime_nobody(name, queue);
        }
    }
}

/// The count to which an exit adds.
pub(super) fn exit_count(ended: &mut EndedCounts, reason: ExitReason) -> &mut u64 {
    match reason {
        ExitReason::TimedOut => &mut ended.timed_out,
        ExitReason::Nobody => &mut ended.exited,
        ExitReason::Failed => &mut ended.removed,
    }
}
