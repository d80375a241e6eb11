//! Operators: presence (a leased registration), session (signed in) and state are three things.
//!
//! ```text
//!            REGISTER                offer             answered
//!   signed out ─────► ready ────────► offered ────────► talking
//!       ▲              ▲ ▲ ▲             │                 │
//!       │   rona_pause │ │ │ withdrawn   │ RONA            │
//!       │           paused │ └───────────┤                 ▼
//!       │              ▲   └─────────────│──────────── wrap-up
//!       └── un-REGISTER, expiry (after the call), asked ───┘
//! ```
//!
//! A pause or a wrap-up is the operator's, not the phone's: it goes on when the phone registers again.

use std::time::Duration;

use pronto_types::{GatewayName, OperatorId, QueueName, Time};

use super::Engine;
use crate::Wanted;
use crate::api::SetOperatorError;
use crate::fact::{Fact, NoteReason, PauseReason, SignOutReason, UnreachableReason, WithdrawReason};
use crate::limits;
use crate::state::{Operator, OperatorState};

/// Why an operator is free again.
pub(super) enum Release {
    /// The talk is over.
    Talked { queue: QueueName, ended_at: Time },
    /// The offer came to nothing through them or their phone.
    Blamed { queue: QueueName, reason: PauseReason },
    /// The offer came to nothing through somebody else: they keep their turn.
    Free,
}

impl Engine {
    /// A gateway tells how reachable an operator's phones are. `until`: by when the registration ends.
    pub(super) fn presence(&mut self, gateway: &GatewayName, operator: OperatorId, until: Option<Time>) {
        let Some(known) = self.state.known_operator(&operator) else {
            self.note(NoteReason::UnknownOperator);
            return;
        };
        let Some(until) = until.filter(|until| *until > self.now) else {
            if known.presences.contains_key(gateway) {
                self.phone_gone(&operator, gateway, UnreachableReason::Reported);
            } else {
                self.note(NoteReason::Stale);
            }
            return;
        };
        // Only the first phone signs in: a refresh changes no state, whatever it is.
        let first = known.presences.is_empty();
        let signed_out = matches!(known.state, OperatorState::SignedOut { .. });
        let leaving = known.after == Some(Wanted::SignedOut);
        let gateway = gateway.clone();
        self.record(Fact::Reachable {
            operator: operator.clone(),
            gateway,
            until,
        });
        if first && signed_out {
            self.come_back(&operator);
        } else if first && leaving {
            self.record(Fact::Asked {
                operator,
                wanted: Wanted::Ready,
            });
        }
    }

    pub(super) fn lease_expired(&mut self, operator: OperatorId, gateway: GatewayName) {
        self.phone_gone(&operator, &gateway, UnreachableReason::Expired);
    }

    /// "Un-REGISTER or expiry signs out after the call."
    pub(super) fn phone_gone(
        &mut self,
        operator: &OperatorId,
        gateway: &GatewayName,
        reason: UnreachableReason,
    ) {
        self.record(Fact::Unreachable {
            operator: operator.clone(),
            gateway: gateway.clone(),
            reason,
        });
        let Some(known) = self.state.operators.get(operator) else {
            return;
        };
        if known.presences.is_empty() && is_idle(known) {
            self.record(Fact::SignedOut {
                operator: operator.clone(),
                reason: SignOutReason::Unreachable,
            });
        }
    }

    fn sign_in(&mut self, operator: &OperatorId) {
        self.record(Fact::SignedIn {
            operator: operator.clone(),
        });
        self.record(Fact::Ready {
            operator: operator.clone(),
            since: self.now,
        });
    }

    /// A phone registers: the operator goes on with what was not over when the last one went away.
    fn come_back(&mut self, id: &OperatorId) {
        let kept = self.state.operators.get(id).and_then(|it| it.kept.clone());
        let operator = id.clone();
        let fact = match kept {
            Some(OperatorState::Paused { reason, until, .. })
                if until.is_none_or(|until| until > self.now) =>
            {
                Fact::Paused {
                    operator,
                    reason,
                    until,
                }
            }
            Some(OperatorState::WrapUp { until, .. }) if until > self.now => Fact::WrapUp { operator, until },
            _ => return self.sign_in(id),
        };
        self.record(Fact::SignedIn { operator: id.clone() });
        self.record(fact);
    }

    /// Sets an operator's next state, after a fact that freed them.
    pub(super) fn release(&mut self, id: &OperatorId, why: Release) {
        let Some(operator) = self.state.operators.get(id) else {
            return;
        };
        match (&operator.state, &why) {
            // Another talk of theirs goes on.
            (OperatorState::Talking { .. }, _) => return,
            // A late answer took them out of another grant, which still binds them: the wrap-up follows it.
            (OperatorState::Offered { .. }, Release::Talked { queue, ended_at }) => {
                let until = self.wrap_up_until(queue, *ended_at);
                if until > self.now {
                    self.record(Fact::WrapUp {
                        operator: id.clone(),
                        until,
                    });
                }
                return;
            }
            (OperatorState::Offered { .. }, _) => return,
            _ => {}
        }
        if !operator.configured {
            self.record(Fact::SignedOut {
                operator: id.clone(),
                reason: SignOutReason::Removed,
            });
            return;
        }
        match operator.after.clone() {
            Some(Wanted::SignedOut) => {
                self.record(Fact::SignedOut {
                    operator: id.clone(),
                    reason: SignOutReason::Requested,
                });
            }
            after => {
                let gone = operator.presences.is_empty();
                let fact = match after {
                    Some(Wanted::Paused { reason }) => Some(Fact::Paused {
                        operator: id.clone(),
                        reason: PauseReason::Requested(reason),
                        until: None,
                    }),
                    _ => self.rest(id, why),
                };
                // Without a phone nobody is ready; a pause or a wrap-up begins all the same.
                if let Some(fact) = fact.filter(|fact| !gone || !matches!(fact, Fact::Ready { .. })) {
                    self.record(fact);
                }
                if gone {
                    self.record(Fact::SignedOut {
                        operator: id.clone(),
                        reason: SignOutReason::Unreachable,
                    });
                }
            }
        }
    }

    fn wrap_up_until(&self, queue: &QueueName, ended_at: Time) -> Time {
        ended_at
            + self
                .state
                .queues
                .get(queue)
                .map_or(Duration::ZERO, |it| it.settings.wrap_up)
    }

    /// Wrap-up, RONA pause, ready, or nothing new.
    fn rest(&self, id: &OperatorId, why: Release) -> Option<Fact> {
        let operator = id.clone();
        match why {
            Release::Talked { queue, ended_at } => {
                let until = self.wrap_up_until(&queue, ended_at);
                Some(if until > self.now {
                    Fact::WrapUp { operator, until }
                } else {
                    let since = until.min(self.now);
                    Fact::Ready { operator, since }
                })
            }
            Release::Blamed { queue, reason } => {
                let pause = self
                    .state
                    .queues
                    .get(&queue)
                    .map_or(Duration::ZERO, |it| it.settings.rona_pause);
                let until = self.now + pause;
                Some(if until > self.now {
                    let until = Some(until);
                    Fact::Paused {
                        operator,
                        reason,
                        until,
                    }
                } else {
                    let since = self.now;
                    Fact::Ready { operator, since }
                })
            }
            Release::Free => {
                let owed = self.state.operators.get(id).and_then(|it| it.owed);
                let until = owed.filter(|until| *until > self.now)?;
                Some(Fact::WrapUp { operator, until })
            }
        }
    }

    pub(super) fn set_operator(&mut self, id: &OperatorId, wanted: Wanted) -> Result<(), SetOperatorError> {
        let known = self.state.known_operator(id).ok_or(SetOperatorError::Unknown)?;
        let wanted = match wanted {
            Wanted::Paused { reason } => Wanted::Paused {
                reason: reason.chars().take(limits::TEXT).collect(),
            },
            other => other,
        };
        match (&known.state, wanted) {
            (OperatorState::SignedOut { .. }, Wanted::Ready) => {
                if known.presences.is_empty() {
                    return Err(SetOperatorError::NotRegistered);
                }
                self.sign_in(id);
            }
            (OperatorState::SignedOut { .. }, Wanted::Paused { .. }) => {
                return Err(SetOperatorError::SignedOut);
            }
            (OperatorState::SignedOut { .. }, Wanted::SignedOut) if known.kept.is_none() => {}
            (OperatorState::Ready { .. }, Wanted::Ready) => {}
            (OperatorState::Offered { .. } | OperatorState::Talking { .. }, wanted) => self.ask(id, wanted),
            (OperatorState::WrapUp { .. } | OperatorState::Paused { .. }, Wanted::Ready) => {
                self.record(Fact::Ready {
                    operator: id.clone(),
                    since: self.now,
                });
            }
            (_, Wanted::Paused { reason }) => {
                let reason = PauseReason::Requested(reason);
                let same = matches!(&known.state,
                    OperatorState::Paused { reason: now, until: None, .. } if *now == reason);
                if !same {
                    self.record(Fact::Paused {
                        operator: id.clone(),
                        reason,
                        until: None,
                    });
                }
            }
            (_, Wanted::SignedOut) => {
                self.record(Fact::SignedOut {
                    operator: id.clone(),
                    reason: SignOutReason::Requested,
                });
            }
        }
        Ok(())
    }

    /// It waits for the end of the present call; a phone that only rings is asked to stop.
    fn ask(&mut self, id: &OperatorId, wanted: Wanted) {
        let after = self.state.operators.get(id).and_then(|it| it.after.clone());
        if after.clone().unwrap_or(Wanted::Ready) == wanted {
            return;
        }
        let stop = wanted != Wanted::Ready;
        self.record(Fact::Asked {
            operator: id.clone(),
            wanted,
        });
        if let Some(offer) = self.bound_to(id).filter(|_| stop) {
            self.withdraw(offer, WithdrawReason::OperatorAsked);
        }
    }

    pub(super) fn sign_out_removed(&mut self) {
        let removed = self
            .state
            .operators
            .iter()
            .filter(|(_, it)| !it.configured && is_idle_or_out(it));
        let removed: Vec<OperatorId> = removed.map(|(id, _)| id.clone()).collect();
        for operator in removed {
            self.record(Fact::SignedOut {
                operator,
                reason: SignOutReason::Removed,
            });
        }
    }
}

fn is_idle(operator: &Operator) -> bool {
    match operator.state {
        OperatorState::Ready { .. } | OperatorState::WrapUp { .. } | OperatorState::Paused { .. } => true,
        OperatorState::SignedOut { .. } | OperatorState::Offered { .. } | OperatorState::Talking { .. } => {
            false
        }
    }
}

fn is_idle_or_out(operator: &Operator) -> bool {
    is_idle(operator) || matches!(operator.state, OperatorState::SignedOut { .. })
}
