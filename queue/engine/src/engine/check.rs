//! The invariants, asserted. Worlds call this after every step; it looks at everything and is not for a hot path.

use std::collections::{BTreeMap, BTreeSet};

use pronto_types::{GatewayName, QueueName};

use super::Engine;
use crate::state::{Index, Link, OperatorState, Phase, Ranked, TicketState};

impl Engine {
    /// Whether the invariants of the house hold (ARCHITECTURE §6, numbers 3 to 7), once the output is drained.
    ///
    /// # Errors
    /// The first thing that does not, in words.
    pub fn check(&self) -> Result<(), String> {
        self.check_index()?;
        self.check_tickets()?;
        self.check_operators()?;
        self.check_grants()?;
        self.check_nobody_idles()?;
        self.check_order()?;
        self.check_sums()?;
        self.check_announcements()
    }

    /// The index says what the state says, and (7) no deadline has been missed.
    fn check_index(&self) -> Result<(), String> {
        if self.state.index != Index::of(&self.state) {
            return Err("the index differs from one built from scratch".into());
        }
        match self.state.index.timers.peek() {
            Some((at, timer)) if at <= self.now => Err(format!(
                "7: {timer:?} was due at {at:?}, and it is {:?}",
                self.now
            )),
            _ => Ok(()),
        }
    }

    fn check_tickets(&self) -> Result<(), String> {
        for (id, ticket) in &self.state.tickets {
            if self.state.closed.contains_key(id) {
                return Err(format!("6: {id:?} is closed and not closed"));
            }
            let gone = self
                .state
                .gateways
                .get(ticket.gateway())
                .is_none_or(|it| it.link == Link::Gone);
            let place = self.state.ticket_state(*id);
            if gone && place != Some(TicketState::Offered) {
                return Err(format!("7: {id:?} is {place:?} at a gateway that is gone"));
            }
        }
        Ok(())
    }

    fn check_operators(&self) -> Result<(), String> {
        for (id, operator) in &self.state.operators {
            let (offered, talks) = (self.state.offer_to(id).is_some(), self.state.talks(id));
            let right = match operator.state {
                OperatorState::Offered { .. } => offered && !talks,
                OperatorState::Talking { .. } => talks,
                _ => !offered && !talks,
            };
            if !right {
                let bound = self.state.index.operators.get(id);
                return Err(format!("3: {id:?} is {:?}, bound by {bound:?}", operator.state));
            }
            let idle = matches!(
                operator.state,
                OperatorState::Ready { .. } | OperatorState::WrapUp { .. } | OperatorState::Paused { .. }
            );
            if idle && (operator.presences.is_empty() || !operator.configured) {
                return Err(format!("7: {id:?} is {:?} without a phone", operator.state));
            }
        }
        Ok(())
    }

    /// 3: a ticket has at most one live round, an operator at most one live offer; both are bound to it.
    fn check_grants(&self) -> Result<(), String> {
        let mut operators = BTreeSet::new();
        let mut rounds = BTreeMap::new();
        for (id, round) in &self.state.rounds {
            let place = self.state.ticket_state(round.ticket);
            for offer in &round.offers {
                let operator = self.state.operators.get(&offer.operator).map(|it| &it.state);
                let right = match offer.phase {
                    Phase::Live { .. } => {
                        if !operators.insert(&offer.operator) {
                            return Err(format!("3: {:?} has two live offers", offer.operator));
                        }
                        if *rounds.entry(round.ticket).or_insert(id) != id {
                            return Err(format!("3: {:?} has two live rounds", round.ticket));
                        }
                        if !self.state.in_step(&round.gateway) {
                            return Err(format!("3: {:?} is live at a gateway that is away", offer.id));
                        }
                        matches!(operator, Some(OperatorState::Offered { .. }))
                            && self.state.offer_to(&offer.operator) == Some(offer.id)
                            && place == Some(TicketState::Offered)
                    }
                    Phase::Withdrawing { .. } => operator.is_some(),
                    Phase::Talking { .. } => {
                        operator.is_some() && place == Some(TicketState::Connected(offer.id))
                    }
                };
                if !right {
                    return Err(format!(
                        "3: {id:?} {offer:?}: the ticket is {place:?}, the operator {operator:?}"
                    ));
                }
            }
            if round.offers.is_empty() {
                return Err(format!("3: {id:?} has no offer"));
            }
        }
        Ok(())
    }

    /// 4: no operator who can serve someone who waits is ready.
    fn check_nobody_idles(&self) -> Result<(), String> {
        if self.state.settling.is_some() {
            return Ok(());
        }
        let mut waiting: BTreeSet<(&QueueName, &GatewayName)> = BTreeSet::new();
        for (id, ticket) in &self.state.tickets {
            if self.state.is_waiting(*id) && self.state.in_step(ticket.gateway()) {
                waiting.insert((&ticket.queue, ticket.gateway()));
            }
        }
        for (id, operator) in &self.state.operators {
            if operator.free_since().is_none() {
                continue;
            }
            for queue in &operator.queues {
                if let Some(gateway) = operator
                    .presences
                    .keys()
                    .find(|it| waiting.contains(&(queue, *it)))
                {
                    return Err(format!(
                        "4: {id:?} is ready while someone waits in {queue:?} at {gateway:?}"
                    ));
                }
            }
        }
        Ok(())
    }

    /// 5: whoever waited when a younger ticket was offered has been told so in the ledger.
    fn check_order(&self) -> Result<(), String> {
        let mut waiting: BTreeMap<&QueueName, BTreeMap<Ranked, u64>> = BTreeMap::new();
        for (id, ticket) in &self.state.tickets {
            if self.state.is_waiting(*id) && !ticket.line.overtaken {
                waiting
                    .entry(&ticket.queue)
                    .or_default()
                    .insert(ticket.rank(*id), ticket.line.since);
            }
        }
        for grant in self.state.grants() {
            let Some(queue) = waiting.get(&grant.round.queue) else {
                continue;
            };
            let offer = grant.offer.id;
            let older = queue
                .range(..grant.round.rank)
                .find(|(_, since)| **since < offer.0);
            if let Some((rank, _)) = older {
                return Err(format!(
                    "5: {:?} was overtaken by {offer:?} without a fact",
                    rank.ticket
                ));
            }
        }
        Ok(())
    }

    /// 7: whoever waits in step has been told how things stand, and is due again in time.
    fn check_announcements(&self) -> Result<(), String> {
        if let Some(ticket) = self.untold().first() {
            return Err(format!("7: {ticket:?} waits and was never told"));
        }
        match self.agenda.first() {
            Some(at) if at <= self.now => Err(format!("7: an announcement was due at {at:?}")),
            _ if self.agenda != self.agenda_anew() => {
                Err("the agenda differs from one built from scratch".into())
            }
            _ => Ok(()),
        }
    }

    /// 6: every ticket is in exactly one place, and the sums are right.
    fn check_sums(&self) -> Result<(), String> {
        for (name, queue) in &self.state.queues {
            let tickets = self.state.tickets.iter().filter(|(_, it)| it.queue == *name);
            let (mut waiting, mut offered, mut connected) = (0, 0, 0);
            for (id, _) in tickets {
                match self.state.index.ticket_state(*id) {
                    TicketState::Waiting => waiting += 1,
                    TicketState::Offered => offered += 1,
                    TicketState::Connected(_) => connected += 1,
                }
            }
            let sum = waiting + offered + connected + queue.ended.total();
            if queue.joined != sum {
                return Err(format!(
                    "6: {name:?} was joined {} times, the sum is {sum}",
                    queue.joined
                ));
            }
            let Some(view) = self.queue(name) else { continue };
            if (view.waiting + view.detached, view.offered, view.connected) != (waiting, offered, connected) {
                return Err(format!(
                    "6: {view:?} does not count {waiting} {offered} {connected}"
                ));
            }
        }
        Ok(())
    }
}
