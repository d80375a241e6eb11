//! Facts about operators: their phones, their sessions and what they are ready for.

use pronto_types::Time;

use super::{OperatorState, State};
use crate::Wanted;
use crate::fact::{Fact, SignOutReason};

impl State {
    pub(super) fn apply_operator(&mut self, at: Time, fact: &Fact) {
        match fact {
            Fact::Reachable {
                operator,
                gateway,
                until,
            } => self.change_operator(operator, at, |it| {
                it.presences.insert(gateway.clone(), *until);
            }),
            Fact::Unreachable {
                operator, gateway, ..
            } => self.change_operator(operator, at, |it| {
                it.presences.remove(gateway);
            }),
            Fact::SignedIn { operator } => self.change_operator(operator, at, |it| {
                (it.after, it.owed) = (None, None);
                it.state = OperatorState::Ready { since: at };
            }),
            Fact::SignedOut { operator, reason } => {
                self.change_operator(operator, at, |it| {
                    (it.after, it.owed) = (None, None);
                    let was = std::mem::replace(&mut it.state, OperatorState::SignedOut { since: at });
                    let keeps = *reason == SignOutReason::Unreachable
                        && matches!(was, OperatorState::Paused { .. } | OperatorState::WrapUp { .. });
                    it.kept = keeps.then_some(was);
                });
                if self.operators.get(operator).is_some_and(|it| !it.configured)
                    && let Some(removed) = self.operators.remove(operator)
                {
                    self.index.operator_out(operator, &removed);
                }
            }
            Fact::Ready { operator, since } => self.change_operator(operator, at, |it| {
                (it.after, it.owed, it.kept) = (None, None, None);
                it.state = OperatorState::Ready { since: *since };
            }),
            Fact::Paused {
                operator,
                reason,
                until,
            } => self.change_operator(operator, at, |it| {
                (it.after, it.owed, it.kept) = (None, None, None);
                it.state = OperatorState::Paused {
                    since: at,
                    reason: reason.clone(),
                    until: *until,
                };
            }),
            Fact::WrapUp { operator, until } => {
                let bound = self.offer_to(operator).is_some();
                self.change_operator(operator, at, |it| {
                    if bound {
                        it.owed = Some(*until);
                    } else {
                        (it.after, it.owed, it.kept) = (None, None, None);
                        it.state = OperatorState::WrapUp {
                            since: at,
                            until: *until,
                        };
                    }
                });
            }
            Fact::Asked { operator, wanted } => self.change_operator(operator, at, |it| {
                it.after = (*wanted != Wanted::Ready).then(|| wanted.clone());
            }),
            _ => {}
        }
    }
}
