//! Rounds of offers: who is bound to whom, and nothing else says it. A round is for one ticket; each of its offers is a grant to
//! one operator, from the offer to the end of the talk. Today a round has one offer.
//!
//! ```text
//!   ticket ◄── round ──► offer ──► operator
//!                  └───► offer ──► operator     (several at once: ring-all, later)
//! ```
//! The index finds the round of an offer, and what binds a ticket or an operator.

use pronto_types::{GatewayName, OfferId, OperatorId, QueueName, RoundId, TicketId, Time};

use super::{Ranked, State};
use crate::fact::WithdrawReason;

/// The offers that are made for a ticket at once, one at least.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Round {
    pub(crate) ticket: TicketId,
    pub(crate) queue: QueueName,
    pub(crate) gateway: GatewayName,
    /// The gateway's epoch when it was made.
    pub(crate) epoch: u64,
    /// The seniority of the ticket when it was made.
    pub(crate) rank: Ranked,
    /// In the order in which they were made.
    pub(crate) offers: Vec<Offer>,
}

/// An offer of a round: a grant to connect its ticket with one operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) id: OfferId,
    pub(crate) operator: OperatorId,
    pub(crate) phase: Phase,
}

/// How far a grant is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Live {
        valid_until: Time,
    },
    Withdrawing {
        valid_until: Time,
        reason: WithdrawReason,
    },
    Talking {
        since: Time,
    },
}

/// A grant, looked at: an offer and its round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grant<'a> {
    pub(crate) round: &'a Round,
    id: RoundId,
    pub(crate) offer: &'a Offer,
}

/// The ticket and operator of a grant, with their round, gateway and queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parties {
    pub(crate) round: RoundId,
    pub(crate) ticket: TicketId,
    pub(crate) operator: OperatorId,
    pub(crate) gateway: GatewayName,
    /// The gateway's epoch when it was made.
    pub(crate) epoch: u64,
    pub(crate) queue: QueueName,
}

impl Phase {
    /// Whether it is not known yet what became of the grant.
    pub(crate) fn is_unresolved(self) -> bool {
        !matches!(self, Phase::Talking { .. })
    }

    /// When the grant runs out; `None` for a talk.
    pub(crate) fn valid_until(self) -> Option<Time> {
        match self {
            Phase::Live { valid_until } | Phase::Withdrawing { valid_until, .. } => Some(valid_until),
            Phase::Talking { .. } => None,
        }
    }
}

impl Grant<'_> {
    /// The parties of the grant.
    pub(crate) fn parties(&self) -> Parties {
        Parties {
            round: self.id,
            ticket: self.round.ticket,
            operator: self.offer.operator.clone(),
            gateway: self.round.gateway.clone(),
            epoch: self.round.epoch,
            queue: self.round.queue.clone(),
        }
    }

    /// Whether it is not known yet what became of it.
    pub(crate) fn is_unresolved(&self) -> bool {
        self.offer.phase.is_unresolved()
    }
}

impl State {
    /// An unresolved grant, or a talk.
    pub(crate) fn grant(&self, offer: OfferId) -> Option<Grant<'_>> {
        let id = *self.index.round_of.get(&offer)?;
        let round = self.rounds.get(&id)?;
        let offer = round.offers.iter().find(|it| it.id == offer)?;
        Some(Grant { round, id, offer })
    }

    /// All unresolved grants and talks, round by round.
    pub(crate) fn grants(&self) -> impl Iterator<Item = Grant<'_>> {
        self.rounds.iter().flat_map(|(id, round)| {
            let offers = round.offers.iter();
            offers.map(move |offer| Grant {
                round,
                id: *id,
                offer,
            })
        })
    }

    /// The unresolved grants of a gateway.
    pub(crate) fn unresolved_of(&self, gateway: &GatewayName) -> Vec<OfferId> {
        let grants = self
            .grants()
            .filter(|it| it.round.gateway == *gateway && it.is_unresolved());
        grants.map(|grant| grant.offer.id).collect()
    }

    /// The unresolved grants that name a ticket.
    pub(crate) fn offers_of(&self, ticket: TicketId) -> Vec<OfferId> {
        let bound = self.index.tickets.get(&ticket);
        bound.map_or_else(Vec::new, |it| it.offers.iter().copied().collect())
    }

    /// The unresolved grant that binds an operator.
    pub(crate) fn offer_to(&self, operator: &OperatorId) -> Option<OfferId> {
        self.index.operators.get(operator)?.offers.first().copied()
    }

    /// Whether an operator talks under a grant.
    pub(crate) fn talks(&self, operator: &OperatorId) -> bool {
        let bound = self.index.operators.get(operator);
        bound.is_some_and(|it| !it.talks.is_empty())
    }

    /// Adds a grant to its round, which begins with its first.
    pub(super) fn insert_grant(&mut self, parties: Parties, rank: Ranked, (id, phase): (OfferId, Phase)) {
        let Parties {
            round,
            ticket,
            operator,
            gateway,
            epoch,
            queue,
        } = parties;
        self.rebind(ticket, |state| {
            let offer = Offer { id, operator, phase };
            state.index.offer_in(round, ticket, &offer);
            let known = state.rounds.entry(round).or_insert_with(|| Round {
                ticket,
                queue,
                gateway,
                epoch,
                rank,
                offers: Vec::with_capacity(1),
            });
            known.offers.push(offer);
            known.offers.sort_unstable_by_key(|it| it.id);
        });
    }

    /// Ends a grant, and its round with its last.
    pub(super) fn remove_grant(&mut self, offer: OfferId) -> Option<Parties> {
        let grant = self.grant(offer)?;
        let parties = grant.parties();
        self.rebind(parties.ticket, |state| {
            let Some(round) = state.rounds.get_mut(&parties.round) else {
                return;
            };
            if let Some(place) = round.offers.iter().position(|it| it.id == offer) {
                let ended = round.offers.remove(place);
                state.index.offer_out(parties.ticket, &ended);
            }
            if round.offers.is_empty() {
                state.rounds.remove(&parties.round);
            }
        });
        Some(parties)
    }

    /// Brings a grant into another phase.
    pub(super) fn change_phase(&mut self, id: OfferId, change: impl FnOnce(Phase) -> Phase) {
        let Some((round, ticket)) = self.grant(id).map(|grant| (grant.id, grant.round.ticket)) else {
            return;
        };
        self.rebind(ticket, |state| {
            let offers = state.rounds.get_mut(&round).map(|it| &mut it.offers);
            let Some(offer) = offers.into_iter().flatten().find(|it| it.id == id) else {
                return;
            };
            state.index.offer_out(ticket, offer);
            offer.phase = change(offer.phase);
            state.index.offer_in(round, ticket, offer);
        });
    }

    /// Changes what binds a ticket: out of the index, changed, in again.
    fn rebind(&mut self, ticket: TicketId, change: impl FnOnce(&mut Self)) {
        if let Some(known) = self.tickets.get(&ticket) {
            self.index.place_out(ticket, known);
        }
        change(self);
        let Some(known) = self.tickets.get(&ticket) else {
            return;
        };
        self.index.place_in(ticket, known);
        if let Some(queue) = self.queues.get(&known.queue) {
            self.index.retime_nobody(&known.queue, queue);
        }
    }
}
