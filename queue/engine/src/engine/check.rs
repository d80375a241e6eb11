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
        match self.state.index.timers.first() {
            Some((at, timer)) if *at <= self.now => Err(format!(
                "7: {timer:?} was due at {at:?}, and it is {:?}",
                self.now
            )),
            _ => Ok(()),
        }
    }

    fn check_tickets(&self) -> Result<(), String> {
        for (id, ticket) in &self.state.tickets {
            let bound = match ticket.place {
                TicketState::Offered { offer } => Some((offer, true)),
                TicketState::Connected { offer } => Some((offer, false)),
                _ => None,
            };
            if let Some((offer, unresolved)) = bound {
                let grant = self.state.grants.get(&offer);
                let right =
                    grant.is_some_and(|it| it.parties.ticket == *id && it.is_unresolved() == unresolved);
                if !right {
                    return Err(format!(
                        "3: {id:?} is {:?}, the grant says {grant:?}",
                        ticket.place
                    ));
                }
            }
            let gone = self
                .state
                .gateways
                .get(ticket.gateway())
                .is_none_or(|it| it.link == Link::Gone);
            if gone
                && matches!(
                    ticket.place,
                    TicketState::Waiting { .. } | TicketState::Connected { .. }
                )
            {
                return Err(format!(
                    "7: {id:?} is {:?} at a gateway that is gone",
                    ticket.place
                ));
            }
        }
        Ok(())
    }

    fn check_operators(&self) -> Result<(), String> {
        for (id, operator) in &self.state.operators {
            let talking = matches!(operator.state, OperatorState::Talking { .. });
            if talking == operator.talks.is_empty() {
                return Err(format!(
                    "3: {id:?} is {:?} with talks {:?}",
                    operator.state, operator.talks
                ));
            }
            let bound = match operator.state {
                OperatorState::Offered { offer, .. } => operator.offers.contains(&offer),
                OperatorState::Talking { .. } => true,
                _ => operator.offers.is_empty(),
            };
            if !bound {
                return Err(format!(
                    "3: {id:?} is {:?} with offers {:?}",
                    operator.state, operator.offers
                ));
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

    fn check_grants(&self) -> Result<(), String> {
        let mut live = BTreeSet::new();
        for (offer, grant) in &self.state.grants {
            let parties = &grant.parties;
            let operator = self.state.operators.get(&parties.operator);
            let place = self.state.tickets.get(&parties.ticket).map(|it| &it.place);
            let right = match grant.phase {
                Phase::Live { .. } => {
                    if !live.insert(parties.operator.clone()) {
                        return Err(format!("3: {:?} has two live offers", parties.operator));
                    }
                    if !self.state.in_step(&parties.gateway) {
                        return Err(format!("3: {offer:?} is live at a gateway that is away"));
                    }
                    operator.is_some_and(|it| it.is_offered(*offer))
                        && place == Some(&TicketState::Offered { offer: *offer })
                }
                Phase::Withdrawing { .. } => operator.is_some_and(|it| it.offers.contains(offer)),
                Phase::Talking { .. } => {
                    operator.is_some_and(|it| it.talks.contains(offer))
                        && place == Some(&TicketState::Connected { offer: *offer })
                }
            };
            if !right {
                return Err(format!(
                    "3: {offer:?} {grant:?}: the ticket is {place:?}, the operator {operator:?}"
                ));
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
        for ticket in self.state.tickets.values() {
            if matches!(ticket.place, TicketState::Waiting { .. }) && self.state.in_step(ticket.gateway()) {
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
            if let TicketState::Waiting {
                since,
                overtaken: false,
                ..
            } = ticket.place
            {
                waiting
                    .entry(&ticket.queue)
                    .or_default()
                    .insert(ticket.rank(*id), since);
            }
        }
        for (offer, grant) in &self.state.grants {
            let Some(queue) = waiting.get(&grant.parties.queue) else {
                continue;
            };
            let older = queue.range(..grant.rank).find(|(_, since)| **since < offer.0);
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
            let places = self
                .state
                .tickets
                .values()
                .filter(|it| it.queue == *name)
                .map(|it| &it.place);
            let (mut waiting, mut offered, mut connected) = (0, 0, 0);
            for place in places {
                match place {
                    TicketState::Waiting { .. } => waiting += 1,
                    TicketState::Offered { .. } => offered += 1,
                    TicketState::Connected { .. } => connected += 1,
                    TicketState::Lost { .. }
                    | TicketState::Exited { .. }
                    | TicketState::TurnedAway { .. } => {}
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
