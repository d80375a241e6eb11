//! Gateways come, go, come back and are replaced.
//!
//! ```text
//!            Attached(last)                entries up to `last`
//!   (new) ───────────────────► attached ─────────────────────► in step: offers
//!                                 ▲ │                            │
//!                        Attached │ │ Detached          Detached │
//!                                 │ ▼                            │
//!                               detached ◄───────────────────────┘
//!                                 │ grace
//!                                 ▼
//!                                gone      (cursor and closed tickets are kept)
//! ```

use pronto_types::link::{Directive, ExitReason};
use pronto_types::{GatewayName, OfferId, OperatorId, TicketId};

use super::Engine;
use crate::api::{Output, Refusal};
use crate::fact::{Fact, LostReason, UnreachableReason, WithdrawReason};
use crate::limits;
use crate::state::{End, Link, OperatorState, Phase, TicketState};

use super::operators::Release;

impl Engine {
    /// A process took over the ledger: no link is up. Every unresolved grant is treated like a lost link's, and
    /// offers wait until the gateways are back, or `settle` has passed: else the first to come back overtakes the
    /// head. A gateway that was gone before is not waited for.
    pub(super) fn start(&mut self) {
        let here: Vec<(GatewayName, u64)> = self
            .state
            .gateways
            .iter()
            .filter(|(_, it)| it.link != Link::Gone)
            .map(|(name, it)| (name.clone(), it.epoch))
            .collect();
        let wait = !here.is_empty();
        let settle_until = wait.then(|| self.now + self.state.configuration.settle);
        self.record(Fact::Started { settle_until });
        for (gateway, epoch) in here {
            self.link_down(gateway, epoch, WithdrawReason::Restarted);
        }
    }

    pub(super) fn attach(&mut self, gateway: GatewayName, (epoch, instance): (u64, u64), last: u64) {
        if let Some(reason) = self.refusal(&gateway, epoch, instance) {
            return self.effects.push_back(Output::Refuse {
                gateway,
                epoch,
                reason,
            });
        }
        let known = self.state.gateways.get(&gateway).map(|it| (it.epoch, it.link));
        match known {
            // "A higher epoch ends the older one's calls as lost and frees their operators."
            Some((newest, _)) if epoch != newest => self.supersede(&gateway, epoch),
            // A newer stream of the same process: what was sent down the older one may be lost.
            Some((_, Link::Attached { .. })) => {
                self.link_down(gateway.clone(), epoch, WithdrawReason::Detached);
            }
            None | Some(_) => {}
        }
        self.record(Fact::GatewayAttached {
            gateway: gateway.clone(),
            epoch,
            last,
            instance,
        });
        let have = self.state.gateways.get(&gateway).map_or(0, |it| it.have);
        self.effects.push_back(Output::Welcome {
            gateway: gateway.clone(),
            epoch,
            have,
        });
        if self.state.in_step(&gateway) {
            self.say_again(&gateway);
        }
    }

    /// Why this process of a gateway is not taken, if it is not.
    fn refusal(&self, gateway: &GatewayName, epoch: u64, instance: u64) -> Option<Refusal> {
        let known = self.state.gateways.get(gateway);
        if known.is_none() && self.state.gateways.len() >= limits::GATEWAYS {
            return Some(Refusal::TooManyGateways);
        }
        let highest = known.map_or(0, |it| it.epoch);
        if epoch > highest.saturating_add(limits::EPOCH_STEP) {
            return Some(Refusal::EpochTooHigh { highest });
        }
        // Two processes in one epoch: a backup was restored, and neither's journal is the other's.
        let other = known.is_some_and(|it| it.instance != 0 && instance != 0 && it.instance != instance);
        // After a reset the ledger has forgotten which epochs it knew: nothing of an earlier process is told once more.
        let forgotten = known.is_some_and(|it| it.epoch == 0) && instance == 0;
        let old = epoch < highest || (epoch == highest && other) || forgotten;
        old.then_some(Refusal::OldEpoch { highest })
    }

    /// The gateway begins again: what it held is lost, and the highest epoch known of it is 0.
    pub(super) fn reset(&mut self, gateway: &GatewayName) {
        if self.state.gateways.contains_key(gateway) {
            self.record(Fact::GatewayReset {
                gateway: gateway.clone(),
            });
            self.part_with(gateway);
        }
    }

    pub(super) fn detach(&mut self, gateway: &GatewayName, epoch: u64) {
        let up = self.state.gateways.get(gateway);
        if up.is_some_and(|it| it.epoch == epoch && matches!(it.link, Link::Attached { .. })) {
            self.link_down(gateway.clone(), epoch, WithdrawReason::Detached);
        }
    }

    /// The tickets are detached; operator and ticket of a live offer stay bound to it until the gateway, back again,
    /// says what became of it, or its validity has run out.
    fn link_down(&mut self, gateway: GatewayName, epoch: u64, reason: WithdrawReason) {
        let grace_until = self.now + self.state.configuration.grace;
        self.record(Fact::GatewayDetached {
            gateway: gateway.clone(),
            epoch,
            grace_until,
        });
        for offer in self.state.unresolved_of(&gateway) {
            if self.is_live(offer) {
                self.record(Fact::Withdrawing { offer, reason });
            }
        }
    }

    /// "After the grace detached tickets end as lost." Talks too, as far as the queue can tell: should the gateway come
    /// back in the same epoch, [`Engine::say_again`] takes them up again. Tickets still bound to a grant follow when it
    /// has run out; registrations last until their lease has.
    pub(super) fn grace_over(&mut self, gateway: GatewayName) {
        self.record(Fact::GatewayGone {
            gateway: gateway.clone(),
        });
        self.outlook_forgets(&gateway);
        for ticket in self.state.tickets_of(&gateway) {
            self.lose(ticket, LostReason::Grace);
        }
    }

    /// A waiting or connected ticket ends as lost, and its operator is free.
    fn lose(&mut self, ticket: TicketId, reason: LostReason) {
        match self.state.ticket_state(ticket) {
            Some(TicketState::Waiting) => {
                self.record(Fact::Lost { ticket, reason });
            }
            Some(TicketState::Connected(offer)) => {
                let parties = self.state.grant(offer).map(|it| it.parties());
                self.record(Fact::Lost { ticket, reason });
                if let Some(parties) = parties {
                    let talked = Release::Talked {
                        queue: parties.queue,
                        ended_at: self.now,
                    };
                    self.release(&parties.operator, talked);
                }
            }
            Some(TicketState::Offered) | None => {}
        }
    }

    /// The gateway's process is another one: calls, talks, grants and registrations of the old one are gone.
    fn supersede(&mut self, gateway: &GatewayName, epoch: u64) {
        self.record(Fact::GatewaySuperseded {
            gateway: gateway.clone(),
            epoch,
        });
        self.part_with(gateway);
    }

    fn part_with(&mut self, gateway: &GatewayName) {
        for offer in self.state.unresolved_of(gateway) {
            let Some(parties) = self.state.grant(offer).map(|it| it.parties()) else {
                continue;
            };
            let bound = self.bound_to(&parties.operator) == Some(offer);
            self.record(Fact::Expired { offer });
            if bound {
                self.release(&parties.operator, Release::Free);
            }
        }
        for ticket in self.state.tickets_of(gateway) {
            self.lose(ticket, LostReason::Superseded);
        }
        let present = self
            .state
            .operators
            .iter()
            .filter(|(_, it)| it.presences.contains_key(gateway));
        let present: Vec<OperatorId> = present.map(|(id, _)| id.clone()).collect();
        for operator in present {
            self.phone_gone(&operator, gateway, UnreachableReason::Superseded);
        }
    }

    /// Down messages are not re-sent: once the gateway is in step, it is told what the state needs. Everything here
    /// may be heard twice, and a gateway that knows nothing of the ticket or the grant ignores it: nothing tells
    /// whether an exit arrived, so it is said at each return until the call ends or joins again.
    pub(super) fn say_again(&mut self, gateway: &GatewayName) {
        self.outlook_anew(gateway);
        for offer in self.state.unresolved_of(gateway) {
            match self.state.grant(offer).map(|it| it.offer.phase) {
                Some(Phase::Withdrawing { .. }) => self.direct(gateway, Directive::Withdraw { offer }),
                // None can be live: a lost link makes them withdrawing.
                Some(Phase::Live { .. } | Phase::Talking { .. }) | None => {}
            }
        }
        for ticket in self.state.closed_of(gateway) {
            match self.state.closed.get(&ticket).map(|it| &it.end) {
                Some(End::Lost { talk: None, .. }) => self.direct(gateway, Directive::Rejoin { ticket }),
                Some(End::Lost {
                    talk: Some((_, parties)),
                    ..
                }) => {
                    let operator = parties.operator.clone();
                    self.reconnect(ticket, &operator);
                }
                Some(End::Exited { reason, .. }) => {
                    let reason = *reason;
                    self.direct(gateway, Directive::Exit { ticket, reason });
                }
                Some(End::TurnedAway { .. }) => {
                    let reason = ExitReason::Failed;
                    self.direct(gateway, Directive::Exit { ticket, reason });
                }
                None => {}
            }
        }
    }

    /// The gateway's backlog is here and the talk has not ended in it: it goes on, and its operator is not free.
    fn reconnect(&mut self, ticket: TicketId, operator: &OperatorId) {
        let elsewhere = self.bound_to(operator);
        self.record(Fact::Reconnected { ticket });
        if let Some(offer) = elsewhere {
            self.withdraw(offer, WithdrawReason::Superseded);
        }
    }

    /// The unresolved grant that binds the operator.
    pub(super) fn bound_to(&self, operator: &OperatorId) -> Option<OfferId> {
        match self.state.operators.get(operator)?.state {
            OperatorState::Offered { .. } => self.state.offer_to(operator),
            _ => None,
        }
    }
}
