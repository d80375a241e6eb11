//! The engine's view against the truth.

use std::collections::BTreeMap;

use pronto_types::TicketId;

use super::gateway::{CallerState, Line};
use super::{Happening, World};
use crate::Engine;
use crate::state::{OperatorState, TicketState};

impl World {
    /// Whether nothing is on its way: then the engine's view is the truth.
    pub(super) fn is_quiet(&self, which: usize) -> bool {
        let wire = &self.wires[which];
        let on_its_way = self.agenda.values().any(|it| match it {
            Happening::Up(gateway, ..) | Happening::Down(gateway, ..) => *gateway == which,
            Happening::Commit(_) => true,
            _ => false,
        });
        wire.welcomed
            && wire.gateway == wire.queue
            && wire.owed == 0
            && !on_its_way
            && self.gate.held() == 0
            && wire.gateway.is_some_and(|link| !self.dead.contains(&link))
    }

    /// Compares the engine's view of each gateway that is in step with the truth.
    pub(super) fn judge_truth(&self) -> Result<(), String> {
        let Some(engine) = &self.engine else { return Ok(()) };
        let state = engine.state();
        for (which, gateway) in self.gateways.iter().enumerate() {
            if !self.is_quiet(which) {
                continue;
            }
            let mut truth: BTreeMap<TicketId, bool> = BTreeMap::new();
            for caller in gateway.callers.values() {
                match caller.state {
                    CallerState::Elsewhere => {}
                    CallerState::Waiting(ticket) => {
                        truth.insert(ticket, false);
                    }
                    CallerState::Talking(ticket) => {
                        truth.insert(ticket, true);
                    }
                }
            }
            let live = state
                .tickets
                .iter()
                .filter(|(_, it)| *it.gateway() == gateway.name);
            let seen: BTreeMap<TicketId, bool> = live
                .map(|(id, _)| {
                    let talks = matches!(state.ticket_state(*id), Some(TicketState::Connected(_)));
                    (*id, talks)
                })
                .collect();
            if truth != seen {
                return Err(format!(
                    "at {:?} the truth is {truth:?}, the engine has {seen:?}",
                    gateway.name
                ));
            }
            for (id, phone) in &gateway.phones {
                let Some(operator) = state.operators.get(id) else {
                    continue;
                };
                let known = match phone.line {
                    Line::Idle => !operator.calling.iter().any(|(at, _)| *at == gateway.name),
                    Line::Own(call) => operator.calling.contains(&(gateway.name.clone(), call)),
                    Line::Ringing(offer, _) => state
                        .grant(offer)
                        .is_some_and(|it| it.offer.operator == *id && it.is_unresolved()),
                    Line::Talking(offer, _) => {
                        let grant = state.grant(offer).filter(|it| !it.is_unresolved());
                        grant.is_some_and(|it| it.offer.operator == *id)
                            && matches!(operator.state, OperatorState::Talking { .. })
                    }
                };
                if !known {
                    return Err(format!(
                        "{id:?}'s phone is {:?}, the engine has {operator:?}",
                        phone.line
                    ));
                }
            }
        }
        Ok(())
    }

    /// Long after the last trouble everybody is served or gone.
    pub(super) fn judge_end(&self) -> Result<(), String> {
        let Some(engine) = &self.engine else {
            return Err("the queue service is down".into());
        };
        self.judge_truth()?;
        for queue in engine.queues() {
            if queue.joined != queue.ended.total() {
                return Err(format!("at the end somebody is left: {queue:?}"));
            }
        }
        let survived = self
            .delivered
            .iter()
            .filter(|(_, (which, epoch))| self.gateways[*which].epoch == *epoch);
        self.oracle.spoken.judge_delivered(survived.map(|(id, _)| id))?;
        let rounds = &engine.state().rounds;
        if !rounds.is_empty() {
            return Err(format!("at the end there are rounds of offers: {rounds:?}"));
        }
        let own = &engine.state().own_calls;
        if !own.is_empty() {
            return Err(format!("at the end operators are in calls: {own:?}"));
        }
        self.books.balance(engine)?;
        let folded = Engine::fold(self.ledger.iter().cloned());
        if folded.state() != engine.state() {
            return Err("the fold of the whole ledger differs from the live state".into());
        }
        Ok(())
    }
}
