//! Grants: from the offer to the end of the talk. The queue decides who may be offered, the gateway knows who
//! answered.
//!
//! ```text
//!   Offered ─► live ──────────► withdrawing          (caller left, link lost, operator asked, restart)
//!               │ │                │  │  │
//!     Answered  │ │ Refused        │  │  └─ validity ran out ─► expired (remembered: a late answer counts)
//!               ▼ ▼                ▼  ▼
//!            talking  (over)   talking (over)
//! ```
//! Whoever is bound to a grant stays bound until it ends. A ticket or an operator that came under another grant
//! meanwhile is not touched by the end of this one.

use std::time::Duration;

use pronto_types::link::{Directive, RefuseReason};
use pronto_types::{GatewayName, OfferId, TicketId, Time};

use super::Engine;
use super::operators::Release;
use crate::fact::{Fact, NoteReason, PauseReason, WithdrawReason};
use crate::state::{End, Parties, Phase, TicketState};

impl Engine {
    /// Asks for the phone to stop ringing. If it was answered first, the gateway says so and the engine accepts.
    pub(super) fn withdraw(&mut self, offer: OfferId, reason: WithdrawReason) {
        if !self.is_live(offer) {
            return;
        }
        let gateway = self.state.grant(offer).map(|it| it.round.gateway.clone());
        self.record(Fact::Withdrawing { offer, reason });
        if let Some(gateway) = gateway {
            self.direct(&gateway, Directive::Withdraw { offer });
        }
    }

    pub(super) fn ringing(&mut self, gateway: &GatewayName, offer: OfferId) {
        let grant = self.state.grant(offer).filter(|it| it.round.gateway == *gateway);
        if grant.is_some_and(|it| it.is_unresolved()) {
            self.record(Fact::Ringing { offer });
        } else {
            self.note(NoteReason::UnknownOffer);
        }
    }

    /// The phone answered and both hear each other: a report, not a question. It wins over everything the engine thought
    /// meanwhile: a withdrawal on its way, a grant that had run out, another offer for the same caller or operator, and an end
    /// that the engine itself had given the ticket (`max_wait`, nobody, lost): the gateway ignores the exit of a caller
    /// who talks. Only a ticket that the *gateway* had ended, or that talks already, does not come back.
    pub(super) fn answered(&mut self, gateway: &GatewayName, offer: OfferId, ticket: TicketId, at: Time) {
        let Some((parties, phase)) = self.parties(gateway, offer).filter(|(it, _)| it.ticket == ticket)
        else {
            self.note(NoteReason::UnknownOffer);
            return;
        };
        match phase {
            Some(Phase::Talking { .. }) => {
                self.note(NoteReason::Stale);
                return;
            }
            Some(Phase::Live { .. } | Phase::Withdrawing { .. }) | None => {}
        }
        if !self.may_be_answered(ticket) {
            if phase.is_some() {
                self.end_grant(&parties, offer, RefuseReason::Withdrawn);
            } else {
                self.note(NoteReason::UnknownTicket);
            }
            return;
        }
        // One answer wins: of the same round, and over another round.
        let mut others = self.state.offers_of(ticket);
        others.retain(|other| *other != offer);
        let elsewhere = self.bound_to(&parties.operator).filter(|bound| *bound != offer);
        let operator = parties.operator;
        let answered_at = at.min(self.now);
        self.record(Fact::Answered {
            offer,
            ticket,
            operator,
            answered_at,
        });
        for bound in others.into_iter().chain(elsewhere) {
            self.withdraw(bound, WithdrawReason::Superseded);
        }
    }

    /// Whether an answer for this ticket counts: it does not talk, and it was the engine that ended it, if it is ended.
    fn may_be_answered(&self, ticket: TicketId) -> bool {
        match self.state.ticket_state(ticket) {
            Some(TicketState::Waiting | TicketState::Offered) => true,
            Some(TicketState::Connected(_)) => false,
            None => self.state.closed.get(&ticket).is_some_and(|it| match it.end {
                End::Exited { .. } | End::Lost { talk: None, .. } => true,
                End::Lost { talk: Some(_), .. } | End::TurnedAway { .. } => false,
            }),
        }
    }

    pub(super) fn refused(&mut self, gateway: &GatewayName, offer: OfferId, reason: RefuseReason) {
        match self.parties(gateway, offer) {
            Some((parties, Some(Phase::Live { .. } | Phase::Withdrawing { .. }) | None)) => {
                self.end_grant(&parties, offer, reason);
            }
            Some((_, Some(Phase::Talking { .. }))) => self.note(NoteReason::Stale),
            None => self.note(NoteReason::UnknownOffer),
        }
    }

    /// The grant came to nothing. RONA: the operator is paused, the caller back in their place, at the head, and offered to
    /// the next. A withdrawal is nobody's fault.
    fn end_grant(&mut self, parties: &Parties, offer: OfferId, reason: RefuseReason) {
        let bound = self.bound_to(&parties.operator) == Some(offer);
        self.record(Fact::Refused { offer, reason });
        if bound {
            let operator = self.state.operators.get(&parties.operator);
            let calls = operator.is_some_and(|it| !it.calling.is_empty());
            let release = match reason {
                RefuseReason::Withdrawn => Release::Free,
                // They dialled while the offer was on its way.
                RefuseReason::Busy if calls => Release::Free,
                blamed => Release::Blamed {
                    queue: parties.queue.clone(),
                    reason: PauseReason::Refused(blamed),
                },
            };
            self.release(&parties.operator, release);
        }
        self.returned(parties.ticket);
    }

    /// The validity ran out, counted by the engine alone. A live grant of which nothing was heard speaks against the
    /// operator's phone; a withdrawing one speaks against the link.
    pub(super) fn expire(&mut self, offer: OfferId) {
        let Some(grant) = self.state.grant(offer).filter(|it| it.is_unresolved()) else {
            return;
        };
        let (parties, phase) = (grant.parties(), grant.offer.phase);
        let bound = self.bound_to(&parties.operator) == Some(offer);
        self.record(Fact::Expired { offer });
        if bound {
            let release = match phase {
                Phase::Live { .. } => Release::Blamed {
                    queue: parties.queue.clone(),
                    reason: PauseReason::Unheard,
                },
                Phase::Withdrawing { .. } | Phase::Talking { .. } => Release::Free,
            };
            self.release(&parties.operator, release);
        }
        self.returned(parties.ticket);
    }

    pub(super) fn talk_ended(&mut self, gateway: &GatewayName, offer: OfferId, ticket: TicketId, at: Time) {
        match self.parties(gateway, offer) {
            Some((_, Some(Phase::Talking { .. }))) => self.end_talk(offer, at),
            Some(_) => self.note(NoteReason::Stale),
            None => {
                // A talk that was lost by the grace has ended since: the operator was freed then.
                let closed = self.state.closed.get(&ticket);
                let lost = closed
                    .filter(|it| it.contact().gateway() == gateway)
                    .and_then(|it| it.talk());
                if lost.is_some_and(|(talk, _)| *talk == offer) {
                    self.record(Fact::Forgotten { ticket });
                } else {
                    self.note(NoteReason::UnknownOffer);
                }
            }
        }
    }

    /// The operator's phone is gone and the caller is not: the operator is paused as after an offer that nobody answered, and the
    /// ticket is closed until the caller, with the next entry, joins again. `max_wait` starts again: the wait before the talk is
    /// over.
    pub(super) fn operator_lost(
        &mut self,
        gateway: &GatewayName,
        offer: OfferId,
        ticket: TicketId,
        at: Time,
    ) {
        let known = self.state.held(ticket).filter(|it| it.gateway() == gateway);
        let Some(known) = known.filter(|_| self.state.talks_under(ticket, offer)) else {
            self.note(NoteReason::UnknownOffer);
            return;
        };
        let queue = self.state.queues.get(&known.queue);
        let max_wait = queue.map_or(Duration::ZERO, |it| it.settings.max_wait);
        let parties = self.state.grant(offer).map(|it| it.parties());
        let lost_at = at.min(self.now);
        self.record(Fact::OperatorLost {
            offer,
            ticket,
            lost_at,
            deadline: lost_at + max_wait,
        });
        // Without a grant the talk had been given up with its gateway, and the operator freed.
        if let Some(parties) = parties {
            let (queue, reason) = (parties.queue, PauseReason::PhoneLost);
            self.release(&parties.operator, Release::Blamed { queue, reason });
        }
    }

    /// Wrap-up counts from the end of the talk, not from when we heard of it.
    pub(super) fn end_talk(&mut self, offer: OfferId, at: Time) {
        let Some(parties) = self.state.grant(offer).map(|it| it.parties()) else {
            return;
        };
        let ended_at = at.min(self.now);
        self.record(Fact::TalkEnded { offer, ended_at });
        self.release(
            &parties.operator,
            Release::Talked {
                queue: parties.queue,
                ended_at,
            },
        );
    }

    /// The ticket and operator of a grant of this gateway, and the grant's phase; no phase: it had run out.
    fn parties(&self, gateway: &GatewayName, offer: OfferId) -> Option<(Parties, Option<Phase>)> {
        let grant = self.state.grant(offer);
        let known = grant.map(|it| (it.parties(), Some(it.offer.phase)));
        let known = known.or_else(|| self.state.expired.get(&offer).map(|it| (it.clone(), None)));
        known.filter(|(parties, _)| parties.gateway == *gateway)
    }
}
