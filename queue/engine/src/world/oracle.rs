//! The oracle: what must be true of any ledger, judged from the facts and from the truth of the model, without looking
//! into the engine.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use pronto_types::link::{Origin, RefuseReason};
use pronto_types::{CallId, GatewayName, OfferId, OperatorId, QueueName, TicketId, Time};

use crate::fact::{Fact, LedgerEntry};
use crate::{Configuration, LostReason};

mod overflow;

use super::spoken::{Spoken, judge_position};

/// Clocks of different gateways, and the network between, may disagree by this much about who came first.
const SKEW: Duration = Duration::from_millis(500);

#[derive(Clone, Debug)]
struct Waiter {
    queue: QueueName,
    gateway: GatewayName,
    /// When they truly joined (first).
    joined: Time,
    waiting: bool,
    skipped: bool,
    /// Has gone to another queue, and joined it then; perhaps is back.
    overflowed: bool,
    /// The queue they came from, and when they joined it.
    home: Option<(QueueName, Time)>,
}

impl Waiter {
    /// Their home, for who regains the place in `queue`.
    fn home_from(&self, queue: &QueueName) -> Option<(QueueName, Time)> {
        self.home.clone().filter(|(home, _)| home != queue)
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Oracle {
    configuration: Configuration,
    tickets: BTreeMap<TicketId, Waiter>,
    lost: BTreeMap<TicketId, Waiter>,
    unresolved: BTreeMap<OfferId, (TicketId, OperatorId, QueueName, Time)>,
    past: BTreeMap<OfferId, (OperatorId, QueueName)>,
    talks: BTreeMap<OfferId, (TicketId, OperatorId, QueueName)>,
    not_before: BTreeMap<OperatorId, Time>,
    signed_in: BTreeSet<OperatorId>,
    lost_talks: BTreeMap<TicketId, (OfferId, OperatorId, QueueName)>,
    away: BTreeMap<GatewayName, Time>,
    gone: BTreeSet<GatewayName>,
    /// Calls that operators dialled themselves, by gateway: no restart and no absence ends them, only a new process.
    own: BTreeMap<(GatewayName, CallId), OperatorId>,
    /// Since a restart: when, and who was not gone and has not come back.
    settling: Option<(Time, BTreeSet<GatewayName>)>,
    pub(super) joined: u64,
    pub(super) answered: u64,
    pub(super) lost_count: u64,
    pub(super) regained: u64,
    pub(super) reconnected: u64,
    pub(super) skips: u64,
    pub(super) expiries: u64,
    pub(super) operators_lost: u64,
    pub(super) overflows: u64,
    pub(super) sent_back: u64,
    pub(super) spoken: Spoken,
}

impl Oracle {
    /// Takes a fact in; `truth` tells when a ticket truly joined (first).
    pub(super) fn observe(
        &mut self,
        recorded: &LedgerEntry,
        truth: &BTreeMap<TicketId, Time>,
    ) -> Result<(), String> {
        let at = recorded.at;
        match &recorded.fact {
            Fact::Configured(configuration) => self.configuration = configuration.clone(),
            Fact::Started { .. } => {
                let here: BTreeSet<GatewayName> = self
                    .away
                    .keys()
                    .filter(|name| !self.gone.contains(*name))
                    .cloned()
                    .collect();
                self.settling = (!here.is_empty()).then_some((at, here));
            }
            Fact::Settled => {
                if let Some((since, missing)) = self.settling.take()
                    && !missing.is_empty()
                    && at < since + self.configuration.settle
                {
                    return Err(format!("settled at {at:?} without {missing:?}"));
                }
            }
            Fact::Joined {
                ticket,
                queue,
                contact,
                joined_at,
                regained,
                ..
            } => {
                self.joined += 1;
                if let Some(old) = regained {
                    self.regained += 1;
                    self.spoken.regained(*old, *ticket);
                }
                let joined = *truth
                    .get(ticket)
                    .ok_or_else(|| format!("{ticket:?} never joined"))?;
                if joined_at.since(joined).max(joined.since(*joined_at)) > SKEW {
                    return Err(format!(
                        "{ticket:?} joined {joined:?}, the engine says {joined_at:?}"
                    ));
                }
                let (queue, gateway) = (queue.clone(), contact.gateway().clone());
                let stood = regained
                    .and_then(|old| self.lost.get(&old))
                    .filter(|it| it.overflowed);
                let waiter = Waiter {
                    joined: stood
                        .filter(|it| it.queue == queue)
                        .map_or(joined, |it| it.joined),
                    overflowed: stood.is_some(),
                    home: stood.and_then(|it| it.home_from(&queue)),
                    queue,
                    gateway,
                    waiting: true,
                    skipped: false,
                };
                if self.tickets.insert(*ticket, waiter).is_some() {
                    return Err(format!("{ticket:?} joined twice"));
                }
            }
            _ => return self.observe_rest(recorded),
        }
        Ok(())
    }

    fn observe_rest(&mut self, recorded: &LedgerEntry) -> Result<(), String> {
        let at = recorded.at;
        match &recorded.fact {
            Fact::GatewayAttached { gateway, .. } => {
                self.away.insert(gateway.clone(), Time::MAX);
                self.gone.remove(gateway);
                if let Some((_, missing)) = &mut self.settling {
                    missing.remove(gateway);
                }
            }
            Fact::GatewayDetached { gateway, .. } => {
                self.away.insert(gateway.clone(), at);
                for waiter in self.tickets.values_mut().filter(|it| it.gateway == *gateway) {
                    waiter.skipped = false;
                }
            }
            Fact::GatewayGone { gateway } => {
                self.gone.insert(gateway.clone());
            }
            Fact::GatewaySuperseded { gateway, .. } | Fact::GatewayReset { gateway } => {
                self.own.retain(|(of, _), _| of != gateway)
            }
            Fact::CallBegan { call, origin, .. } => {
                if let (Origin::Operator(operator), Some(cause)) = (origin, &recorded.cause) {
                    let call = (cause.gateway.clone(), *call);
                    self.own.insert(call, operator.clone());
                }
            }
            Fact::CallEnded { call, .. } => {
                if let Some(cause) = &recorded.cause {
                    self.own.remove(&(cause.gateway.clone(), *call));
                }
            }
            Fact::Left { ticket, .. } | Fact::Moved { ticket } => {
                self.spoken.ended(*ticket);
                self.tickets.remove(ticket);
            }
            Fact::Overflowed { .. } => self.overflow(recorded)?,
            Fact::SentBack { .. } => self.send_back(recorded)?,
            Fact::Exited { ticket, .. } => self.close(*ticket),
            Fact::Announced { ticket, position, .. } => {
                self.judge_announcement(*ticket, *position)?;
                self.spoken.announced(recorded)?;
            }
            Fact::Heard {
                announcement,
                ticket,
                how,
            } => self.spoken.heard(*announcement, *ticket, *how)?,
            Fact::Lost { ticket, reason } => self.lose(*ticket, *reason, at),
            Fact::Skipped { ticket, .. } => {
                self.skips += 1;
                if let Some(waiter) = self.tickets.get_mut(ticket) {
                    waiter.skipped = true;
                }
            }
            _ => return self.observe_grant(recorded),
        }
        Ok(())
    }

    fn close(&mut self, ticket: TicketId) {
        self.spoken.ended(ticket);
        if let Some(mut waiter) = self.tickets.remove(&ticket) {
            waiter.waiting = false;
            self.lost.insert(ticket, waiter);
        }
    }

    fn lose(&mut self, ticket: TicketId, reason: LostReason, at: Time) {
        self.lost_count += 1;
        let talk = self
            .talks
            .iter()
            .find(|(_, it)| it.0 == ticket)
            .map(|(offer, _)| *offer);
        if let Some(offer) = talk
            && let Some((_, operator, queue)) = self.talks.remove(&offer)
        {
            self.rest_after_talk(&operator, &queue, at);
            if reason == LostReason::Grace {
                self.lost_talks.insert(ticket, (offer, operator, queue));
            }
        }
        self.close(ticket);
    }

    fn observe_grant(&mut self, recorded: &LedgerEntry) -> Result<(), String> {
        let at = recorded.at;
        match &recorded.fact {
            Fact::Offered {
                ticket,
                operator,
                queue,
                gateway,
                valid_until,
                ..
            } => {
                self.judge_offer(recorded, *ticket, operator, queue, gateway)?;
                let grant = (*ticket, operator.clone(), queue.clone(), *valid_until);
                self.unresolved.insert(OfferId(recorded.seq), grant);
                self.wait(*ticket, false);
            }
            Fact::Refused { offer, reason } => {
                let Some((ticket, operator, queue, _)) = self.unresolved.remove(offer) else {
                    return Ok(());
                };
                self.wait(ticket, true);
                let crossed = *reason == RefuseReason::Busy && self.dialled(&operator);
                if *reason != RefuseReason::Withdrawn && !crossed {
                    let pause = self.settings(&queue, |it| it.rona_pause);
                    self.not_before.insert(operator, at + pause);
                }
            }
            Fact::Expired { offer } => {
                self.expiries += 1;
                let Some((ticket, operator, queue, _)) = self.unresolved.remove(offer) else {
                    return Err(format!("{offer:?} expired, which was not unresolved"));
                };
                self.wait(ticket, true);
                self.past.insert(*offer, (operator, queue));
            }
            Fact::Answered { .. } | Fact::Reconnected { .. } => return self.observe_talk(recorded),
            Fact::TalkEnded { offer, ended_at } => {
                if let Some((ticket, operator, queue)) = self.talks.remove(offer) {
                    self.tickets.remove(&ticket);
                    self.rest_after_talk(&operator, &queue, *ended_at);
                }
            }
            Fact::OperatorLost { offer, ticket, .. } => {
                self.operators_lost += 1;
                self.lost_talks.remove(ticket);
                if let Some((_, operator, queue)) = self.talks.remove(offer) {
                    let pause = self.settings(&queue, |it| it.rona_pause);
                    self.not_before.insert(operator, at + pause);
                }
                self.spoken.forgotten(*ticket);
                self.close(*ticket);
            }
            Fact::SignedIn { operator } => {
                self.not_before.remove(operator);
                self.signed_in.insert(operator.clone());
            }
            Fact::SignedOut { operator, .. } => {
                self.signed_in.remove(operator);
            }
            _ => {}
        }
        Ok(())
    }

    fn observe_talk(&mut self, recorded: &LedgerEntry) -> Result<(), String> {
        match &recorded.fact {
            Fact::Answered {
                offer,
                ticket,
                operator,
                ..
            } => {
                self.answered += 1;
                let queue = match (self.unresolved.remove(offer), self.past.remove(offer)) {
                    (Some((_, _, queue, _)), _) | (None, Some((_, queue))) => queue,
                    (None, None) => return Err(format!("{offer:?} answered, which was never made")),
                };
                if let Some(waiter) = self.lost.remove(ticket) {
                    self.tickets.insert(*ticket, waiter);
                }
                self.wait(*ticket, false);
                self.talks.insert(*offer, (*ticket, operator.clone(), queue));
            }
            Fact::Reconnected { ticket } => {
                self.reconnected += 1;
                if let Some(waiter) = self.lost.remove(ticket) {
                    self.tickets.insert(*ticket, waiter);
                }
                let Some((offer, operator, queue)) = self.lost_talks.remove(ticket) else {
                    return Err(format!("{ticket:?} reconnected, which had not talked"));
                };
                self.talks.insert(offer, (*ticket, operator, queue));
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether the operator is known to be in a call that they dialled. Of a gateway that is gone nobody knows whether its
    /// calls go on.
    fn dialled(&self, operator: &OperatorId) -> bool {
        let seen = self.own.iter().filter(|((of, _), _)| !self.gone.contains(of));
        seen.map(|(_, who)| who).any(|who| who == operator)
    }

    /// Somebody asked for the operator to be ready, and was told yes.
    pub(super) fn asked_ready(&mut self, operator: &OperatorId) {
        self.not_before.remove(operator);
    }

    fn rest_after_talk(&mut self, operator: &OperatorId, queue: &QueueName, ended_at: Time) {
        let rest = self.settings(queue, |it| it.wrap_up);
        self.not_before.insert(operator.clone(), ended_at + rest);
    }

    fn settings(&self, queue: &QueueName, which: impl Fn(&crate::QueueSettings) -> Duration) -> Duration {
        self.configuration
            .queues
            .iter()
            .find(|it| it.name == *queue)
            .map_or(Duration::ZERO, which)
    }

    fn wait(&mut self, ticket: TicketId, waiting: bool) {
        if let Some(waiter) = self.tickets.get_mut(&ticket) {
            waiter.waiting = waiting;
            waiter.skipped = false;
        }
    }

    /// Whether an announcement may be made at all: to a caller who waits, over a link that is up, in a queue that has
    /// settled; and whether the position may be right.
    fn judge_announcement(&self, ticket: TicketId, position: Option<u32>) -> Result<(), String> {
        let Some(told) = self.tickets.get(&ticket).filter(|it| it.waiting) else {
            return Err(format!("{ticket:?} was told how things stand and does not wait"));
        };
        if self.settling.is_some() {
            return Err(format!("{ticket:?} was told how things stand while settling"));
        }
        if self.away.get(&told.gateway) != Some(&Time::MAX) {
            return Err(format!(
                "{ticket:?} was told how things stand, and {:?} is away",
                told.gateway
            ));
        }
        let others = self
            .tickets
            .iter()
            .filter(|(id, it)| **id != ticket && it.waiting && it.queue == told.queue);
        match position {
            Some(position) => judge_position(position, told.joined, others.map(|(_, it)| it.joined), SKEW),
            None => Ok(()),
        }
    }

    /// Whether an offer may be made at all: the right caller, an operator who is free and rested, a link that is up, a
    /// queue that has settled.
    fn judge_offer(
        &self,
        recorded: &LedgerEntry,
        ticket: TicketId,
        operator: &OperatorId,
        queue: &QueueName,
        gateway: &GatewayName,
    ) -> Result<(), String> {
        let at = recorded.at;
        let offer = OfferId(recorded.seq);
        if self.settling.is_some() {
            return Err(format!("{offer:?} was made while settling"));
        }
        if self.away.get(gateway) != Some(&Time::MAX) {
            return Err(format!("{offer:?} was made to {gateway:?}, which is away"));
        }
        if let Some((busy, _)) = self.unresolved.iter().find(|(_, it)| it.1 == *operator) {
            return Err(format!(
                "{offer:?} was made to {operator:?}, who is bound to {busy:?}"
            ));
        }
        if let Some((busy, _)) = self.talks.iter().find(|(_, it)| it.1 == *operator) {
            return Err(format!(
                "{offer:?} was made to {operator:?}, who talks under {busy:?}"
            ));
        }
        if self.dialled(operator) {
            return Err(format!(
                "{offer:?} was made to {operator:?}, who is in a call of their own"
            ));
        }
        if let Some(rested) = self.not_before.get(operator).filter(|rested| **rested > at) {
            return Err(format!("{offer:?} was made to {operator:?} before {rested:?}"));
        }
        let Some(served) = self.tickets.get(&ticket).filter(|it| it.waiting) else {
            return Err(format!("{offer:?} was made for {ticket:?}, who does not wait"));
        };
        for (id, other) in self
            .tickets
            .iter()
            .filter(|(_, it)| it.waiting && it.queue == *queue)
        {
            let here = other.gateway == served.gateway;
            // When somebody came from another queue is known by the queue's clock, and an entry may be on its way then.
            let clocks = if other.overflowed || served.overflowed {
                SKEW
            } else {
                Duration::ZERO
            };
            if here && other.joined + clocks < served.joined {
                return Err(format!("{id:?} was overtaken by {ticket:?} at the same gateway"));
            }
            if !here && other.joined + SKEW < served.joined && !other.skipped {
                return Err(format!("{id:?} was overtaken by {ticket:?} without a fact"));
            }
        }
        Ok(())
    }

    /// Whoever is away for longer than the grace has nobody waiting; an offer is not unresolved beyond its time.
    pub(super) fn judge_time(&self, now: Time) -> Result<(), String> {
        let late = now - Duration::from_secs(1);
        for (gateway, since) in &self.away {
            let over = *since != Time::MAX && late > *since + self.configuration.grace;
            let held = |it: &Waiter| it.gateway == *gateway && it.waiting;
            if over && self.tickets.values().any(held) {
                return Err(format!(
                    "{gateway:?} has been away since {since:?} and callers wait for it"
                ));
            }
        }
        match self.unresolved.iter().find(|(_, it)| it.3 < late) {
            Some((offer, it)) => Err(format!("{offer:?} was valid until {:?} and is not over", it.3)),
            None => Ok(()),
        }
    }
}
