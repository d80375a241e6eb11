//! Facts about grants: who is bound to whom.

use pronto_types::{OfferId, OperatorId, TicketId, Time};

use super::change::exit_count;
use super::{AnnouncedState, Grant, Operator, OperatorState, Parties, Phase, State, TicketState};
use crate::fact::Fact;
use crate::fault::Fault;
use crate::limits;

impl State {
    pub(super) fn apply_grant(&mut self, seq: u64, at: Time, fact: &Fact) {
        match fact {
            Fact::Offered { .. } => self.apply_offered(seq, at, fact),
            Fact::Withdrawing { offer, reason } => {
                self.change_grant(*offer, |grant| {
                    if let Phase::Live { valid_until } = grant.phase {
                        grant.phase = Phase::Withdrawing {
                            valid_until,
                            reason: *reason,
                        };
                    }
                });
                if self.fault.is(Fault::WithdrawingFreesOperator) {
                    self.unbind_operator(*offer, at);
                }
            }
            Fact::Refused { offer, .. } => {
                self.expired.remove(offer);
                self.unbind(*offer, seq, at);
            }
            Fact::Expired { offer } => {
                if let Some(parties) = self.unbind(*offer, seq, at)
                    && self
                        .gateways
                        .get(&parties.gateway)
                        .is_some_and(|it| it.epoch == parties.epoch)
                {
                    self.expired.insert(*offer, parties);
                    if self.expired.len() > limits::EXPIRED {
                        self.expired.pop_first();
                    }
                }
            }
            Fact::Answered {
                offer,
                ticket,
                operator,
                answered_at,
            } => {
                let known = self.grants.get(offer).map(|grant| grant.parties.clone());
                if let Some(parties) = known.or_else(|| self.expired.remove(offer)) {
                    self.connect(*offer, *ticket, operator, parties, *answered_at, at);
                }
            }
            Fact::Reconnected { ticket } => self.apply_reconnected(*ticket, at),
            Fact::TalkEnded { offer, ended_at } => {
                let Some(parties) = self.remove_grant(*offer) else {
                    return;
                };
                self.part(&parties.operator, *offer, *ended_at);
                let place = self.tickets.get(&parties.ticket).map(|it| &it.place);
                if place == Some(&(TicketState::Connected { offer: *offer })) {
                    self.count_end(parties.ticket, |ended| &mut ended.answered);
                    self.remove_ticket(parties.ticket);
                }
            }
            Fact::OperatorLost { .. } => self.apply_operator_lost(seq, fact),
            _ => {}
        }
    }

    /// Nothing of what the caller was told before the talk is left: it was kept or broken by the answer.
    fn apply_operator_lost(&mut self, seq: u64, fact: &Fact) {
        let Fact::OperatorLost {
            offer,
            ticket,
            lost_at,
            deadline,
        } = fact
        else {
            return;
        };
        if let Some(parties) = self.remove_grant(*offer) {
            self.part(&parties.operator, *offer, *lost_at);
        }
        if !self
            .tickets
            .get(ticket)
            .is_some_and(|it| it.place.talks_under(*offer))
        {
            return;
        }
        self.count_end(*ticket, |ended| &mut ended.lost);
        self.change_ticket(*ticket, |it| {
            (it.told, it.deadline) = (AnnouncedState::default(), *deadline);
            it.waits_since = *lost_at;
            it.place = TicketState::Lost {
                closed: seq,
                talk: None,
            };
        });
        self.limit_closed();
    }

    fn apply_offered(&mut self, seq: u64, at: Time, fact: &Fact) {
        let Fact::Offered {
            ticket,
            operator,
            queue,
            gateway,
            valid_until,
            ..
        } = fact
        else {
            return;
        };

        let offer = OfferId(seq);
        let parties = Parties {
            ticket: *ticket,
            operator: operator.clone(),
            gateway: gateway.clone(),
            epoch: self.gateways.get(gateway).map_or(0, |it| it.epoch),
            queue: queue.clone(),
        };
        let Some(rank) = self.tickets.get(ticket).map(|it| it.rank(*ticket)) else {
            return;
        };
        let phase = Phase::Live {
            valid_until: *valid_until,
        };
        self.insert_grant(offer, Grant { parties, rank, phase });
        self.change_ticket(*ticket, |it| it.place = TicketState::Offered { offer });
        self.change_operator(operator, at, |it| {
            let idle_since = if let OperatorState::Ready { since } = it.state {
                since
            } else {
                at
            };
            it.owed = None;
            it.offers.insert(offer);
            it.state = OperatorState::Offered {
                since: at,
                offer,
                idle_since,
            };
        });
    }

    fn apply_reconnected(&mut self, ticket: TicketId, at: Time) {
        let Some(lost) = self.tickets.get(&ticket) else {
            return;
        };
        let TicketState::Lost {
            talk: Some((offer, operator)),
            ..
        } = lost.place.clone()
        else {
            return;
        };
        let parties = Parties {
            ticket,
            operator: operator.clone(),
            gateway: lost.gateway().clone(),
            epoch: self.gateways.get(lost.gateway()).map_or(0, |it| it.epoch),
            queue: lost.queue.clone(),
        };
        self.connect(offer, ticket, &operator, parties, at, at);
    }

    /// Caller and operator talk, wherever the engine had thought them to be.
    fn connect(
        &mut self,
        offer: OfferId,
        ticket: TicketId,
        operator: &OperatorId,
        parties: Parties,
        since: Time,
        at: Time,
    ) {
        let Some(known) = self.tickets.get(&ticket) else {
            return;
        };
        let (queue, place, rank) = (known.queue.clone(), known.place.clone(), known.rank(ticket));
        if let Some(queue) = self.queues.get_mut(&queue) {
            let ended = match place {
                TicketState::Lost { .. } => Some(&mut queue.ended.lost),
                TicketState::Exited { reason, .. } => Some(exit_count(&mut queue.ended, reason)),
                _ => None,
            };
            if let Some(ended) = ended {
                *ended = ended.saturating_sub(1);
            }
        }
        self.remove_grant(offer);
        self.insert_grant(
            offer,
            Grant {
                parties,
                rank,
                phase: Phase::Talking { since },
            },
        );
        self.change_ticket(ticket, |it| it.place = TicketState::Connected { offer });
        self.change_operator(operator, at, |it| {
            it.offers.remove(&offer);
            it.talks.insert(offer);
            if !matches!(it.state, OperatorState::Talking { .. }) {
                it.state = OperatorState::Talking { since };
            }
        });
    }

    /// The operator's talk under this grant is over; what comes next is another fact.
    pub(super) fn part(&mut self, operator: &OperatorId, offer: OfferId, ended_at: Time) {
        self.change_operator(operator, ended_at, |it| {
            it.talks.remove(&offer);
            if it.talks.is_empty() && matches!(it.state, OperatorState::Talking { .. }) {
                it.state = free_or_bound(it, ended_at, ended_at);
            }
        });
    }

    /// Ends an unresolved grant: whoever is still bound to it is where they were before it.
    fn unbind(&mut self, offer: OfferId, seq: u64, at: Time) -> Option<Parties> {
        self.unbind_operator(offer, at);
        let parties = self.remove_grant(offer)?;
        let to_the_back = self.fault.is(Fault::RefusedToTheBack);
        if self
            .tickets
            .get(&parties.ticket)
            .is_some_and(|it| it.place == (TicketState::Offered { offer }))
        {
            self.change_ticket(parties.ticket, |it| {
                it.place = TicketState::Waiting {
                    since: seq,
                    skipped: false,
                    overtaken: false,
                };
                if to_the_back {
                    (it.seniority.ranked_at, it.seniority.order) = (at, seq);
                }
            });
        }
        Some(parties)
    }

    fn unbind_operator(&mut self, offer: OfferId, at: Time) {
        let Some(operator) = self
            .grants
            .get(&offer)
            .map(|grant| grant.parties.operator.clone())
        else {
            return;
        };
        self.change_operator(&operator, at, |it| {
            it.offers.remove(&offer);
            if let OperatorState::Offered {
                offer: bound,
                idle_since,
                ..
            } = it.state
                && bound == offer
            {
                it.state = free_or_bound(it, at, idle_since);
            }
        });
    }
}

/// Ready, unless another unresolved grant names the operator: then that one binds them.
fn free_or_bound(operator: &Operator, since: Time, idle_since: Time) -> OperatorState {
    match operator.offers.first() {
        Some(offer) => OperatorState::Offered {
            since,
            offer: *offer,
            idle_since,
        },
        None => OperatorState::Ready { since: idle_since },
    }
}
