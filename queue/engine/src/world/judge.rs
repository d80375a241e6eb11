//! The judge: of each fact and each step, and of the engine's view against the truth. It judges what it is given, so that
//! [`super::self_check`] can judge it.

use std::collections::BTreeMap;

use pronto_types::{TicketId, Time};

use super::books::Books;
use super::gateway::{CallerState, Line, SimGateway};
use super::oracle::Oracle;
use super::{Happening, World};
use crate::fact::LedgerEntry;
use crate::state::{OperatorState, TicketState};
use crate::{Engine, State};

/// The judge of a history.
#[derive(Clone, Debug, Default)]
pub(super) struct Judge {
    pub(super) oracle: Oracle,
    pub(super) books: Books,
    /// The fold of the facts so far.
    fold: State,
}

impl Judge {
    /// A judge who goes on where a restarted queue service does.
    pub(super) fn of(fold: State) -> Self {
        Judge {
            fold,
            ..Judge::default()
        }
    }

    /// Takes a new fact in; `truth` tells when a ticket truly joined (first).
    pub(super) fn take(
        &mut self,
        recorded: &LedgerEntry,
        truth: &BTreeMap<TicketId, Time>,
    ) -> Result<(), String> {
        self.oracle.judge_turn(recorded, &self.fold)?;
        self.fold.apply(recorded);
        self.observe(recorded, truth)
    }

    /// Takes in a fact that the fold has.
    pub(super) fn observe(
        &mut self,
        recorded: &LedgerEntry,
        truth: &BTreeMap<TicketId, Time>,
    ) -> Result<(), String> {
        self.oracle.observe(recorded, truth)?;
        self.books.keep(recorded)
    }

    /// Judges the engine after a step.
    pub(super) fn judge_step(&self, engine: &Engine, now: Time) -> Result<(), String> {
        engine.check()?;
        if self.fold != *engine.state() {
            return Err(format!(
                "the fold differs from the live state after fact {}",
                self.fold.last_seq
            ));
        }
        self.oracle.judge_time(now)
    }
}

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
        let mut quiet = (0..self.gateways.len()).filter(|which| self.is_quiet(*which));
        quiet.try_for_each(|which| judge_gateway(&self.gateways[which], engine.state()))
    }

    /// Long after the last trouble everybody is served or gone.
    pub(super) fn judge_end(&self) -> Result<(), String> {
        let Some(engine) = &self.engine else {
            return Err("the queue service is down".into());
        };
        self.judge_truth()?;
        judge_rest(engine)?;
        let survived = self
            .delivered
            .iter()
            .filter(|(_, (which, epoch))| self.gateways[*which].epoch == *epoch);
        self.judge
            .oracle
            .spoken
            .judge_delivered(survived.map(|(id, _)| id))?;
        self.judge.books.balance(engine)?;
        let folded = Engine::fold(self.ledger.iter().cloned());
        if folded.state() != engine.state() {
            return Err("the fold of the whole ledger differs from the live state".into());
        }
        Ok(())
    }
}

/// Compares the engine's view of a gateway with the truth.
pub(super) fn judge_gateway(gateway: &SimGateway, state: &State) -> Result<(), String> {
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
    Ok(())
}

/// Whether anybody is left in a queue, under an offer or in a call of their own.
pub(super) fn judge_rest(engine: &Engine) -> Result<(), String> {
    for queue in engine.queues() {
        if queue.joined != queue.ended.total() {
            return Err(format!("at the end somebody is left: {queue:?}"));
        }
    }
    let rounds = &engine.state().rounds;
    if !rounds.is_empty() {
        return Err(format!("at the end there are rounds of offers: {rounds:?}"));
    }
    let own = &engine.state().own_calls;
    if !own.is_empty() {
        return Err(format!("at the end operators are in calls: {own:?}"));
    }
    Ok(())
}
