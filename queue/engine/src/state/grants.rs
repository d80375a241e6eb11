//! Facts about grants: who is bound to whom.

use pronto_types::{OfferId, OperatorId, RoundId, TicketId, Time};

use super::{AnnouncedState, ClosedTicket, End, InLine, OperatorState, Parties, Phase, State, TicketState};
use crate::fact::Fact;
use crate::limits;

impl State {
    pub(super) fn apply_grant(&mut self, seq: u64, at: Time, fact: &Fact) {
        match fact {
            Fact::Offered { .. } => self.apply_offered(seq, at, fact),
            Fact::Withdrawing { offer, reason } => {
                self.change_phase(*offer, |phase| match phase {
                    Phase::Live { valid_until } => Phase::Withdrawing {
                        valid_until,
                        reason: *reason,
                    },
                    other => other,
                });
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
                offer, answered_at, ..
            } => {
                let known = self.grant(*offer).map(|grant| grant.parties());
                if let Some(parties) = known.or_else(|| self.expired.remove(offer)) {
                    self.connect(*offer, parties, *answered_at, at);
                }
            }
            Fact::Reconnected { ticket } => self.apply_reconnected(*ticket, at),
            Fact::TalkEnded { offer, ended_at } => {
                let Some(ticket) = self.grant(*offer).map(|grant| grant.round.ticket) else {
                    return;
                };
                // The ticket first, or it would wait again for a moment.
                if self.ticket_state(ticket) == Some(TicketState::Connected(*offer)) {
                    self.count_end(ticket, |ended| &mut ended.answered);
                    self.remove_ticket(ticket);
                }
                if let Some(parties) = self.remove_grant(*offer) {
                    self.part(&parties.operator, *ended_at);
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
        if self.talks_under(*ticket, *offer) {
            self.count_end(*ticket, |ended| &mut ended.lost);
            self.close(*ticket, seq, |mut ticket| {
                (ticket.told, ticket.deadline) = (AnnouncedState::default(), *deadline);
                ticket.waits_since = *lost_at;
                End::Lost { ticket, talk: None }
            });
            self.limit_closed();
        }
        if let Some(parties) = self.remove_grant(*offer) {
            self.part(&parties.operator, *lost_at);
        }
    }

    fn apply_offered(&mut self, seq: u64, at: Time, fact: &Fact) {
        let Fact::Offered {
            ticket,
            round,
            operator,
            queue,
            gateway,
            valid_until,
            ..
        } = fact
        else {
            return;
        };
        let Some(rank) = self.tickets.get(ticket).map(|it| it.rank(*ticket)) else {
            return;
        };
        // An offer that joins a round is for the ticket of that round.
        let begun = round.and_then(|round| self.rounds.get(&round));
        if round.is_some() && begun.is_none_or(|it| it.ticket != *ticket) {
            return;
        }
        let parties = Parties {
            round: round.unwrap_or(RoundId(seq)),
            ticket: *ticket,
            operator: operator.clone(),
            gateway: gateway.clone(),
            epoch: self.gateways.get(gateway).map_or(0, |it| it.epoch),
            queue: queue.clone(),
        };
        let phase = Phase::Live {
            valid_until: *valid_until,
        };
        self.insert_grant(parties, rank, (OfferId(seq), phase));
        self.change_operator(operator, at, |it| {
            let idle_since = if let OperatorState::Ready { since } = it.state {
                since
            } else {
                at
            };
            it.owed = None;
            it.state = OperatorState::Offered {
                since: at,
                idle_since,
            };
        });
    }

    fn apply_reconnected(&mut self, ticket: TicketId, at: Time) {
        let talk = self.closed.get(&ticket).and_then(ClosedTicket::talk).cloned();
        if let Some((offer, parties)) = talk {
            self.connect(offer, parties, at, at);
        }
    }

    /// Caller and operator talk, wherever the engine had thought them to be.
    fn connect(&mut self, offer: OfferId, parties: Parties, since: Time, at: Time) {
        let (ticket, operator) = (parties.ticket, parties.operator.clone());
        if !self.reopen(ticket) {
            return;
        }
        let Some(rank) = self.tickets.get(&ticket).map(|it| it.rank(ticket)) else {
            return;
        };
        let talking = Phase::Talking { since };
        if self.grant(offer).is_some() {
            self.change_phase(offer, |_| talking);
        } else {
            self.insert_grant(parties, rank, (offer, talking));
        }
        self.change_operator(&operator, at, |it| {
            if !matches!(it.state, OperatorState::Talking { .. }) {
                it.state = OperatorState::Talking { since };
            }
        });
    }

    /// An operator's talk, which is not a grant any more, is over; what comes next is another fact.
    pub(super) fn part(&mut self, operator: &OperatorId, ended_at: Time) {
        if self.talks(operator) {
            return;
        }
        let bound = self.offer_to(operator).is_some();
        self.change_operator(operator, ended_at, |it| {
            if matches!(it.state, OperatorState::Talking { .. }) {
                it.state = if bound {
                    // Another unresolved grant names them: now that one binds them.
                    OperatorState::Offered {
                        since: ended_at,
                        idle_since: ended_at,
                    }
                } else {
                    OperatorState::Ready { since: ended_at }
                };
            }
        });
    }

    /// Ends an unresolved grant: whoever is still bound to it is where they were before it.
    fn unbind(&mut self, offer: OfferId, seq: u64, at: Time) -> Option<Parties> {
        // While a grant binds the ticket, nothing of the index depends on where it stands in line.
        let ticket = self.grant(offer)?.round.ticket;
        if let Some(ticket) = self.tickets.get_mut(&ticket) {
            ticket.line = InLine::since(seq);
        }
        let parties = self.remove_grant(offer)?;
        if self.offer_to(&parties.operator).is_none() {
            self.free_operator(&parties.operator, at);
        }
        Some(parties)
    }

    /// No offer binds the operator: they are ready, with the turn that they had.
    fn free_operator(&mut self, operator: &OperatorId, at: Time) {
        self.change_operator(operator, at, |it| {
            if let OperatorState::Offered { idle_since, .. } = it.state {
                it.state = OperatorState::Ready { since: idle_since };
            }
        });
    }
}
