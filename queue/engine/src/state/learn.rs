//! Events given to the forecast: each fact, reduced to the callers who wait and the operators who serve them. It is
//! part of the fold, so what was learned survives a restart, and an old ledger teaches as a new one does.

use pronto_forecast::{AwayReason, Configuration as Hints, Event, QueueHints, Skills};
use pronto_types::Time;
use pronto_types::link::LeaveReason;

use super::{OperatorState, Seniority, State};
use crate::Configuration;
use crate::fact::Fact;

impl State {
    /// The event in a fact that has not been applied yet: who a grant is between is forgotten with its end.
    pub(super) fn event_of(&self, fact: &Fact) -> Option<Event> {
        Some(match fact {
            Fact::Configured(configuration) => Event::Configured(hints(configuration)),
            Fact::Joined {
                ticket,
                queue,
                joined_at,
                head_start,
                regained,
                ..
            } => {
                // Where they stand, which for a place regained in another queue is not when they joined.
                let old = regained.and_then(|old| self.held(old));
                let joined = Seniority {
                    ranked_at: *joined_at,
                    head_start: *head_start,
                    order: 0,
                };
                let seniority = old.map_or(joined, |old| old.regained_in(queue, joined));
                Event::Joined {
                    ticket: *ticket,
                    queue: queue.clone(),
                    priority: super::PRIORITY,
                    joined_at: seniority.ranked_at,
                    head_start: seniority.head_start,
                    waits_since: old.map_or(*joined_at, |old| old.waits_since),
                }
            }
            Fact::Left {
                ticket,
                reason: LeaveReason::Abandoned,
            } => Event::Left { ticket: *ticket },
            Fact::Left { ticket, .. }
            | Fact::Exited { ticket, .. }
            | Fact::Moved { ticket }
            | Fact::Lost { ticket, .. }
            | Fact::OperatorLost { ticket, .. } => Event::Ended { ticket: *ticket },
            Fact::Offered { .. }
            | Fact::Refused { .. }
            | Fact::Expired { .. }
            | Fact::Answered { .. }
            | Fact::Reconnected { .. }
            | Fact::TalkEnded { .. } => return self.event_of_grant(fact),
            Fact::Ready { operator, .. } => Event::Ready {
                operator: operator.clone(),
            },
            Fact::Paused { operator, .. } => Event::Away {
                operator: operator.clone(),
                reason: AwayReason::Paused,
            },
            Fact::WrapUp { operator, .. } => Event::Away {
                operator: operator.clone(),
                reason: AwayReason::WrapUp,
            },
            Fact::SignedOut { operator, .. } => Event::Away {
                operator: operator.clone(),
                reason: AwayReason::SignedOut,
            },
            _ => return None,
        })
    }

    fn event_of_grant(&self, fact: &Fact) -> Option<Event> {
        Some(match fact {
            Fact::Offered { ticket, operator, .. } => Event::Offered {
                ticket: *ticket,
                operator: operator.clone(),
            },
            Fact::Refused { offer, .. } | Fact::Expired { offer } => {
                let grant = self.grant(*offer)?;
                Event::Returned {
                    ticket: grant.round.ticket,
                    operator: grant.offer.operator.clone(),
                }
            }
            Fact::Answered { ticket, operator, .. } => Event::Answered {
                ticket: *ticket,
                operator: operator.clone(),
            },
            Fact::Reconnected { ticket } => Event::Answered {
                ticket: *ticket,
                operator: self.closed.get(ticket)?.talk()?.1.operator.clone(),
            },
            Fact::TalkEnded { offer, .. } => Event::TalkEnded {
                ticket: self.grant(*offer)?.round.ticket,
            },
            _ => return None,
        })
    }

    /// Tells the forecast, after the fact was applied.
    pub(super) fn learn(&mut self, at: Time, event: Event) {
        // An operator whose offer came to nothing is as before, and no fact says so if that was nobody's fault.
        let free = match &event {
            Event::Returned { operator, .. } => {
                let known = self.operators.get(operator);
                let ready = known.is_some_and(|it| matches!(it.state, OperatorState::Ready { .. }));
                ready.then(|| operator.clone())
            }
            _ => None,
        };
        self.forecaster.observe(at, event);
        if let Some(operator) = free {
            self.forecaster.observe(at, Event::Ready { operator });
        }
    }
}

fn hints(configuration: &Configuration) -> Hints {
    let queues = configuration.queues.iter().map(|queue| QueueHints {
        wrap_up: queue.wrap_up,
        talk: queue.talk,
        ..QueueHints::new(queue.name.clone())
    });
    let operators = configuration.operators.iter().map(|operator| Skills {
        operator: operator.id.clone(),
        queues: operator.queues.clone(),
    });
    Hints {
        queues: queues.collect(),
        operators: operators.collect(),
    }
}
