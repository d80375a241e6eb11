//! The one place where facts change the state. A fact that names something unknown changes nothing: a ledger is
//! trusted, but never with a panic.

use std::collections::{BTreeMap, BTreeSet};

use pronto_types::link::{LeaveReason, Origin};
use pronto_types::{AnnouncementId, GatewayName, OperatorId, QueueName, TicketId, Time};

use super::change::exit_count;
use super::{
    AnnouncedState, ClosedTicket, End, InLine, Index, Link, Operator, OperatorState, Queue, Seniority, State,
    Ticket, TicketState, Timer,
};
use crate::fact::{Fact, LedgerEntry, LostReason};
use crate::limits;
use crate::promises::DAY;
use crate::view::EndedCounts;
use crate::{Configuration, Contact};

impl State {
    /// Takes one fact in. Facts come in the order of their sequence.
    pub fn apply(&mut self, recorded: &LedgerEntry) {
        self.last_seq = recorded.seq;
        self.last_at = self.last_at.max(recorded.at);
        if let Some(cause) = &recorded.cause
            && let Some(gateway) = self.gateways.get_mut(&cause.gateway)
            && gateway.epoch == cause.epoch
        {
            gateway.have = gateway.have.max(cause.number);
        }
        let event = self.event_of(&recorded.fact);
        self.apply_fact(recorded.seq, recorded.at, &recorded.fact);
        if let Some(event) = event {
            self.learn(recorded.at, event);
        }
        self.learn_overflow(recorded);
        self.keep_books(recorded);
        if let Some(cause) = &recorded.cause {
            self.apply_call(recorded.at, &cause.gateway, &recorded.fact);
        }
    }

    /// A call began or ended at a gateway.
    fn apply_call(&mut self, at: Time, gateway: &GatewayName, fact: &Fact) {
        match fact {
            Fact::CallBegan {
                call,
                dialled,
                origin: Origin::Operator(operator),
            } => {
                let called = dialled.strip_prefix("operators/");
                let called = called.and_then(|id| OperatorId::new(id).ok());
                let parties = [Some(operator.clone()), called].into_iter().flatten().collect();
                self.operator_call_began((gateway.clone(), *call), parties, at);
            }
            Fact::CallEnded { call, .. } => {
                self.forget_call(gateway, *call);
                self.operator_call_ended(gateway, *call, at);
            }
            _ => {}
        }
    }

    /// Promises closed by the fact are entered on the day on which they were heard.
    fn keep_books(&mut self, recorded: &LedgerEntry) {
        for closed in self.promises.apply(recorded) {
            let days = self.books.entry(closed.queue.clone()).or_default();
            let day = self.wall.date(closed.at).as_micros().div_euclid(DAY);
            days.entry(day).or_default().enter(&closed);
            while days.len() > limits::DAYS {
                days.pop_first();
            }
        }
    }

    fn apply_fact(&mut self, seq: u64, at: Time, fact: &Fact) {
        match fact {
            Fact::Started { settle_until } => self.set_settling(*settle_until),
            Fact::Settled => self.set_settling(None),
            Fact::ClockSet { offset } => self.apply_clock(at, *offset),
            Fact::Configured(configuration) => self.apply_configured(at, configuration),
            Fact::GatewayAttached { .. }
            | Fact::GatewayDetached { .. }
            | Fact::GatewaySuperseded { .. }
            | Fact::GatewayReset { .. }
            | Fact::GatewayGone { .. } => self.apply_gateway(at, fact),
            Fact::Joined { .. } => self.apply_joined(seq, fact),
            Fact::TurnedAway {
                ticket,
                contact,
                queue,
            } => self.apply_turned_away(seq, *ticket, (contact, queue)),
            Fact::Left { .. }
            | Fact::Exited { .. }
            | Fact::Moved { .. }
            | Fact::Overflowed { .. }
            | Fact::SentBack { .. }
            | Fact::Lost { .. }
            | Fact::Forgotten { .. }
            | Fact::Skipped { .. } => self.apply_ticket(seq, at, fact),
            Fact::Offered { .. }
            | Fact::Withdrawing { .. }
            | Fact::Refused { .. }
            | Fact::Expired { .. }
            | Fact::Answered { .. }
            | Fact::Reconnected { .. }
            | Fact::TalkEnded { .. }
            | Fact::OperatorLost { .. } => self.apply_grant(seq, at, fact),
            Fact::Reachable { .. }
            | Fact::Unreachable { .. }
            | Fact::SignedIn { .. }
            | Fact::SignedOut { .. }
            | Fact::Ready { .. }
            | Fact::Paused { .. }
            | Fact::WrapUp { .. }
            | Fact::Asked { .. } => self.apply_operator(at, fact),
            Fact::Announced { .. } | Fact::Heard { .. } => self.apply_announcement(seq, at, fact),
            Fact::CallBegan { .. }
            | Fact::CallEnded { .. }
            | Fact::Ringing { .. }
            | Fact::Recorded { .. }
            | Fact::Noted { .. } => {}
        }
    }

    /// Days that a clock ahead of the time had entered are no days of the past.
    fn apply_clock(&mut self, at: Time, offset: i64) {
        self.wall.step(at, offset);
        self.forecaster.set_clock(offset);
        let today = self.wall.date(at).as_micros().div_euclid(DAY);
        for days in self.books.values_mut() {
            days.retain(|day, _| *day <= today);
        }
    }

    fn set_settling(&mut self, until: Option<Time>) {
        if let Some(armed) = self.settling {
            self.index.timers.remove(armed, &Timer::Settle);
        }
        if let Some(until) = until {
            self.index.timers.insert(until, Timer::Settle);
        }
        self.settling = until;
    }

    fn apply_configured(&mut self, at: Time, configuration: &Configuration) {
        self.configuration = configuration.clone();
        for queue in self.queues.values_mut() {
            queue.configured = false;
        }
        for settings in &configuration.queues {
            let queue = self.queues.entry(settings.name.clone()).or_insert_with(|| Queue {
                settings: settings.clone(),
                configured: true,
                joined: 0,
                ended: EndedCounts::default(),
                unstaffed_since: None,
            });
            queue.settings = settings.clone();
            queue.configured = true;
        }
        for operator in self.operators.values_mut() {
            operator.configured = false;
            operator.queues.clear();
        }
        for settings in &configuration.operators {
            let operator = self
                .operators
                .entry(settings.id.clone())
                .or_insert_with(|| Operator {
                    presences: BTreeMap::new(),
                    state: OperatorState::SignedOut { since: at },
                    kept: None,
                    after: None,
                    owed: None,
                    queues: Vec::new(),
                    calling: BTreeSet::new(),
                    configured: true,
                });
            operator.queues.clone_from(&settings.queues);
            operator.configured = true;
        }
        let standing = self.index.queues.iter().filter(|(_, it)| it.signed_in > 0);
        let staffed: BTreeSet<QueueName> = standing.map(|(name, _)| name.clone()).collect();
        self.index = Index::of(self);
        let standing = &self.index.queues;
        let in_use = |name: &QueueName| {
            standing
                .get(name)
                .is_some_and(|it| it.waiting + it.offered + it.connected > 0)
        };
        self.queues.retain(|name, queue| queue.configured || in_use(name));
        let names: Vec<QueueName> = self.queues.keys().cloned().collect();
        for name in &names {
            self.restaff(name, staffed.contains(name), at);
        }
    }

    fn apply_gateway(&mut self, at: Time, fact: &Fact) {
        match fact {
            Fact::GatewayAttached {
                gateway,
                epoch,
                last,
                instance,
            } => {
                let lease = at + self.configuration.settle;
                self.change_gateway(gateway, |it| {
                    if it.epoch != *epoch {
                        it.epoch = *epoch;
                        it.have = 0;
                    }
                    it.instance = *instance;
                    it.link = Link::Attached { last: *last };
                });
                self.operator_calls_seen(gateway, at);
                self.extend_leases(gateway, lease);
            }
            Fact::GatewayDetached {
                gateway, grace_until, ..
            } => {
                self.change_gateway(gateway, |it| {
                    it.link = Link::Detached {
                        grace_until: *grace_until,
                    }
                });
                self.extend_leases(gateway, *grace_until);
                self.unskip(gateway);
            }
            Fact::GatewaySuperseded { gateway, epoch } => self.apply_superseded(gateway, *epoch, at),
            // No process has epoch 0.
            Fact::GatewayReset { gateway } => self.apply_superseded(gateway, 0, at),
            Fact::GatewayGone { gateway } => {
                self.change_gateway(gateway, |it| it.link = Link::Gone);
                self.operator_calls_unseen(gateway, at);
            }
            _ => {}
        }
    }

    fn apply_superseded(&mut self, gateway: &GatewayName, epoch: u64, at: Time) {
        self.change_gateway(gateway, |it| {
            it.epoch = epoch;
            it.have = 0;
            it.link = Link::Gone;
        });
        self.operator_calls_lost(gateway, at);
        self.expired.retain(|_, parties| parties.gateway != *gateway);
        for id in self.closed_of(gateway) {
            self.forget(id);
        }
    }

    fn apply_turned_away(&mut self, seq: u64, id: TicketId, (contact, queue): (&Contact, &QueueName)) {
        let end = End::TurnedAway {
            contact: contact.clone(),
            queue: queue.clone(),
        };
        self.leave_earlier(id, contact);
        self.insert_closed(id, ClosedTicket { seq, end });
        self.limit_closed();
    }

    fn apply_joined(&mut self, seq: u64, fact: &Fact) {
        let Some((id, ticket)) = self.new_ticket(seq, fact) else {
            return;
        };
        if let Fact::Joined { regained, .. } = fact {
            if let Some(old) = regained {
                self.forget(*old);
            } else if let Some(known) = self.gateways.get_mut(ticket.gateway()) {
                known.latest_join = known.latest_join.max(ticket.joined_at);
            }
            if let Some(queue) = self.queues.get_mut(&ticket.queue) {
                queue.joined += 1;
            }
        }
        self.leave_earlier(id, &ticket.contact);
        self.insert_ticket(id, ticket);
        self.limit_closed();
    }

    /// A contact stands in one place; what was remembered of an earlier one is over.
    fn leave_earlier(&mut self, id: TicketId, contact: &Contact) {
        if let Some(earlier) = self.index.by_contact.get(contact).copied() {
            self.remove_ticket(earlier);
        }
        self.remove_ticket(id);
    }

    fn new_ticket(&self, seq: u64, fact: &Fact) -> Option<(TicketId, Ticket)> {
        let Fact::Joined {
            ticket,
            contact,
            queue,
            language,
            joined_at,
            head_start,
            deadline,
            caller_key,
            regained,
        } = fact
        else {
            return None;
        };
        // Who regains a place stands where the lost ticket stood, and remembers what they were told.
        let old = regained.and_then(|old| self.held(old));
        let joined = Seniority {
            ranked_at: *joined_at,
            head_start: *head_start,
            order: seq,
        };
        let new = Ticket {
            contact: contact.clone(),
            queue: queue.clone(),
            language: *language,
            joined_at: *joined_at,
            waits_since: old.map_or(*joined_at, |old| old.waits_since),
            seniority: old.map_or(joined, |old| old.regained_in(queue, joined)),
            overflowed: old.is_some_and(|old| old.overflowed),
            home: old
                .and_then(|old| old.home.clone())
                .filter(|home| home.queue != *queue),
            deadline: *deadline,
            caller_key: *caller_key,
            line: InLine::since(seq),
            told: old.map_or_else(AnnouncedState::default, |old| old.told.clone()),
        };
        Some((*ticket, new))
    }

    fn apply_ticket(&mut self, seq: u64, at: Time, fact: &Fact) {
        match fact {
            Fact::Left { ticket, reason } => {
                self.count_end(*ticket, |ended| match reason {
                    LeaveReason::Abandoned => &mut ended.abandoned,
                    LeaveReason::Key => &mut ended.exited,
                    LeaveReason::TimedOut => &mut ended.timed_out,
                    LeaveReason::Failed | LeaveReason::PeerLost => &mut ended.lost,
                });
                self.remove_ticket(*ticket);
            }
            Fact::Exited { ticket, reason } => {
                self.count_end(*ticket, |ended| exit_count(ended, *reason));
                let reason = *reason;
                self.close(*ticket, seq, |ticket| End::Exited { ticket, reason });
            }
            Fact::Moved { ticket } => {
                self.count_end(*ticket, |ended| &mut ended.moved);
                self.remove_ticket(*ticket);
            }
            Fact::Overflowed { ticket, to, .. } => self.apply_overflowed(seq, at, *ticket, to),
            Fact::SentBack { ticket, to, .. } => self.apply_sent_back(seq, *ticket, to),
            Fact::Lost { ticket, reason } => self.apply_lost(seq, at, *ticket, *reason),
            Fact::Forgotten { ticket } => {
                self.remove_ticket(*ticket);
            }
            Fact::Skipped { ticket, .. } if self.is_waiting(*ticket) => self.change_ticket(*ticket, |it| {
                (it.line.skipped, it.line.overtaken) = (true, true);
            }),
            _ => {}
        }
        self.limit_closed();
    }

    fn apply_lost(&mut self, seq: u64, at: Time, id: TicketId, reason: LostReason) {
        let talk = match self.ticket_state(id) {
            Some(TicketState::Connected(offer)) => self.grant(offer).map(|it| (offer, it.parties())),
            _ => None,
        };
        let under = talk.as_ref().map(|(offer, _)| *offer);
        self.count_end(id, |ended| &mut ended.lost);
        match reason {
            LostReason::Grace => self.close(id, seq, |ticket| End::Lost { ticket, talk }),
            // The process that could still say something about it is gone.
            LostReason::Superseded => {
                self.remove_ticket(id);
            }
        }
        if let Some(parties) = under.and_then(|offer| self.remove_grant(offer)) {
            self.part(&parties.operator, at);
        }
    }

    fn apply_announcement(&mut self, seq: u64, at: Time, fact: &Fact) {
        match fact {
            Fact::Announced {
                ticket,
                position,
                wait,
                rise: _,
            } => {
                let standing = self.as_it_stands(*ticket);
                self.change_ticket(*ticket, |it| {
                    let told = &mut it.told;
                    told.at = Some(at);
                    told.position = position.or(told.position);
                    if let Some(wait) = wait {
                        (told.wait, told.standing) = (Some((*wait, at)), standing);
                    }
                    told.unheard.insert(AnnouncementId(seq));
                    if told.unheard.len() > limits::UNHEARD {
                        told.unheard.pop_first();
                    }
                });
            }
            Fact::Heard {
                announcement, ticket, ..
            } => {
                // Nothing of the index depends on it.
                let closed = self.closed.get_mut(ticket).and_then(ClosedTicket::ticket_mut);
                if let Some(known) = self.tickets.get_mut(ticket).or(closed) {
                    known.told.unheard.remove(announcement);
                }
            }
            _ => {}
        }
    }
}
