//! The gateways' journals: entries are taken once each; callers join, leave and are sent on.

use std::time::Duration;

use pronto_types::link::{Directive, Event, ExitReason, LeaveReason};
use pronto_types::{CallId, GatewayName, Language, QueueName, TicketId, Time};

use super::Engine;
use crate::Contact;
use crate::api::Output;
use crate::fact::{CallerKey, Fact, LostReason, NoteReason, WithdrawReason};
use crate::limits;
use crate::state::{Link, TicketState};

/// A `Joined` entry, with what the engine knows about it.
struct Joining {
    ticket: TicketId,
    contact: Contact,
    queue: QueueName,
    language: Language,
    regained: Option<TicketId>,
    caller_key: Option<CallerKey>,
}

impl Engine {
    /// Takes the entry in `self.cause`, if it is the next one.
    ///
    /// A number already taken is acknowledged again and otherwise ignored; after a gap nothing is acknowledged: the
    /// gateway, reconnecting, learns what is missing.
    pub(super) fn take_entry(&mut self, age: Duration, event: Event, caller_key: Option<CallerKey>) {
        let Some(cause) = self.cause.clone() else { return };
        let Some(known) = self.state.gateways.get(&cause.gateway) else {
            return;
        };
        if known.epoch != cause.epoch || !matches!(known.link, Link::Attached { .. }) {
            return;
        }
        let (have, epoch) = (known.have, known.epoch);
        if cause.number > have.saturating_add(1) {
            return;
        }
        if cause.number > have {
            let was_in_step = self.state.in_step(&cause.gateway);
            let before = self.state.last_seq;
            self.take_event(&cause.gateway, self.now - age, event, caller_key);
            if self.state.last_seq == before {
                self.note(NoteReason::Stale);
            }
            if !was_in_step && self.state.in_step(&cause.gateway) {
                self.say_again(&cause.gateway);
            }
        }
        let number = cause.number.max(have);
        self.effects.push_back(Output::Acknowledge {
            gateway: cause.gateway,
            epoch,
            number,
        });
    }

    fn take_event(&mut self, gateway: &GatewayName, at: Time, event: Event, caller_key: Option<CallerKey>) {
        match event {
            event @ (Event::CallBegan { .. } | Event::Recorded { .. }) => self.record_event(event),
            Event::Joined {
                ticket,
                contact,
                channel,
                queue,
                language,
                regained,
                caller: _,
            } => {
                let contact = Contact::at(gateway.clone(), contact, channel);
                let new = Joining {
                    ticket,
                    contact,
                    queue,
                    language,
                    regained,
                    caller_key,
                };
                self.join(new, at);
            }
            Event::Left { ticket, reason } => self.leave(gateway, ticket, reason, at),
            Event::Ringing { offer } => self.ringing(gateway, offer),
            Event::Answered { offer, ticket } => self.answered(gateway, offer, ticket, at),
            Event::Refused { offer, reason } => self.refused(gateway, offer, reason),
            Event::TalkEnded { offer, ticket } => self.talk_ended(gateway, offer, ticket, at),
            Event::OperatorLost { offer, ticket } => self.operator_lost(gateway, offer, ticket, at),
            Event::Presence { operator, lease } => self.presence(gateway, operator, lease.map(|it| at + it)),
            event @ Event::CallEnded { call, .. } => {
                self.call_ended(gateway, call, at);
                self.record_event(event);
            }
            Event::Heard {
                announcement,
                ticket,
                how,
            } => self.heard(gateway, announcement, ticket, how),
        }
    }

    /// Records an event from which nothing follows. The files of recordings are the gateway's, whatever became of the ticket.
    fn record_event(&mut self, event: Event) {
        let fact = match event {
            Event::CallBegan {
                call,
                dialled,
                origin,
                ..
            } => Fact::CallBegan {
                call,
                dialled: cut(&dialled),
                origin,
            },
            Event::CallEnded {
                call,
                outcome,
                duration,
                digits,
            } => Fact::CallEnded {
                call,
                outcome,
                duration,
                digits,
            },
            Event::Recorded {
                call,
                ticket,
                file,
                duration,
                flaw,
            } => Fact::Recorded {
                call,
                ticket,
                file: cut(&file),
                duration,
                flaw,
            },
            _ => return,
        };
        self.record(fact);
    }

    fn join(&mut self, new: Joining, at: Time) {
        if self.is_known(new.ticket) {
            self.note(NoteReason::Stale);
            return;
        }
        // The call joins again without having left: its earlier ticket is over. (A closed one is dropped by `Joined`.)
        if let Some(ticket) = self.state.index.by_contact.get(&new.contact).copied() {
            self.give_up(ticket, Fact::Moved { ticket }, at);
        }
        let Joining {
            ticket,
            contact,
            queue,
            language,
            regained,
            caller_key,
        } = new;
        let gateway = contact.gateway().clone();
        let queue = self.stands_in(regained).unwrap_or(queue);
        let Some(max_wait) = self.room_in(&queue, regained.is_some()) else {
            self.record(Fact::TurnedAway {
                ticket,
                contact,
                queue,
            });
            self.direct(
                &gateway,
                Directive::Exit {
                    ticket,
                    reason: ExitReason::Failed,
                },
            );
            return;
        };
        let joined_at = self.seniority(&gateway, at, regained);
        // `max_wait` counts as it did before: in another queue not by that queue's, after a lost operator from the loss.
        let old = regained.and_then(|old| self.state.held(old));
        let deadline = old.map_or(joined_at + max_wait, |old| old.deadline);
        let head_start = old.map_or(Duration::ZERO, |old| old.head_start());
        let joined = Fact::Joined {
            ticket,
            contact,
            queue: queue.clone(),
            language,
            joined_at,
            head_start,
            deadline,
            caller_key,
            regained,
        };
        self.record(joined);
        if self.is_deserted(&queue) {
            self.leave_queue(ticket, ExitReason::Nobody);
            return;
        }
        // Who regained a place has been told of it before.
        self.schedule(ticket);
        self.overflow_at_joining(ticket);
    }

    /// Where the lost ticket stood, if its gateway does not know: it had gone on waiting in another queue.
    fn stands_in(&self, regained: Option<TicketId>) -> Option<QueueName> {
        let old = self.state.held(regained?)?;
        let elsewhere = old.overflowed && self.state.open_queue(&old.queue).is_some();
        elsewhere.then(|| old.queue.clone())
    }

    /// When they joined, first. A regained place has the age of the first joining; where the engine remembers
    /// that, it needs no clock. A journal is in order: a later entry never joined earlier.
    fn seniority(&self, gateway: &GatewayName, at: Time, regained: Option<TicketId>) -> Time {
        match regained {
            Some(old) => self.state.held(old).map_or(at, |old| old.joined_at),
            None => {
                let latest = self
                    .state
                    .gateways
                    .get(gateway)
                    .map_or(Time::ZERO, |it| it.latest_join);
                at.max(latest)
            }
        }
    }

    /// The queue's `max_wait`, if it takes one more. Who had a place already does not count against the limit.
    pub(super) fn room_in(&self, queue: &QueueName, regained: bool) -> Option<Duration> {
        let open = self.state.open_queue(queue)?;
        let held = self
            .state
            .index
            .queues
            .get(queue)
            .map_or(0, |it| it.waiting + it.offered);
        let full = held >= open.settings.limit as u64 && !regained;
        (!full && self.state.tickets.len() < limits::TICKETS).then_some(open.settings.max_wait)
    }

    /// The caller has given up the place, as the fact says; or has talked, and the talk is over.
    fn give_up(&mut self, ticket: TicketId, fact: Fact, at: Time) {
        match self.state.ticket_state(ticket) {
            Some(TicketState::Waiting | TicketState::Offered) => {
                self.record(fact);
                self.withdraw_round(ticket);
            }
            Some(TicketState::Connected(offer)) => self.end_talk(offer, at),
            None => {}
        }
    }

    /// "A caller who leaves is an explicit `left{reason}`: at once."
    fn leave(&mut self, gateway: &GatewayName, ticket: TicketId, reason: LeaveReason, at: Time) {
        if !self.is_at(ticket, gateway) {
            self.note(NoteReason::UnknownTicket);
        } else if self.state.tickets.contains_key(&ticket) {
            self.give_up(ticket, Fact::Left { ticket, reason }, at);
        } else {
            self.record(Fact::Forgotten { ticket });
        }
    }

    /// Whether a ticket is known, closed or not.
    fn is_known(&self, ticket: TicketId) -> bool {
        self.state.tickets.contains_key(&ticket) || self.state.closed.contains_key(&ticket)
    }

    /// Whether a ticket, closed or not, is one of this gateway.
    fn is_at(&self, ticket: TicketId, gateway: &GatewayName) -> bool {
        let live = self.state.tickets.get(&ticket).map(|it| &it.contact);
        let closed = || self.state.closed.get(&ticket).map(|it| it.contact());
        live.or_else(closed).is_some_and(|it| it.gateway() == gateway)
    }

    /// The caller is gone. The operators stay bound until the gateway says that the phones are quiet.
    fn withdraw_round(&mut self, ticket: TicketId) {
        for offer in self.state.offers_of(ticket) {
            self.withdraw(offer, WithdrawReason::CallerLeft);
        }
    }

    /// An honest journal has ended the ticket before the call; nothing stays behind in any case.
    fn call_ended(&mut self, gateway: &GatewayName, call: CallId, at: Time) {
        let contact = Contact::of_call(gateway.clone(), call);
        let Some(ticket) = self.state.index.by_contact.get(&contact).copied() else {
            return;
        };
        if self.state.tickets.contains_key(&ticket) {
            self.leave(gateway, ticket, LeaveReason::Abandoned, at);
        }
    }

    /// Sends a waiting ticket on by an exit.
    pub(super) fn exit(&mut self, ticket: TicketId, reason: ExitReason) {
        let Some(gateway) = self.state.waiting(ticket).map(|it| it.gateway().clone()) else {
            return;
        };
        self.record(Fact::Exited { ticket, reason });
        self.direct(&gateway, Directive::Exit { ticket, reason });
    }

    /// A ticket may be back in its place. The place may be gone meanwhile: `max_wait`, which waits for the end of an
    /// offer (a caller is not pulled off a phone that rings), is due by its deadline in [`Engine::conclude`].
    pub(super) fn returned(&mut self, ticket: TicketId) {
        let Some(known) = self.state.waiting(ticket) else {
            return;
        };
        if self
            .state
            .gateways
            .get(known.gateway())
            .is_none_or(|it| it.link == Link::Gone)
        {
            self.record(Fact::Lost {
                ticket,
                reason: LostReason::Grace,
            });
        } else if self.state.open_queue(&known.queue).is_none() {
            self.leave_queue(ticket, ExitReason::Failed);
        }
    }

    /// Nobody is signed in, and has not been for `nobody_after`, or ever: there is nobody to wait for. Sooner after the
    /// last sign-out a caller waits for what is left of that time, like those who were there before.
    pub(super) fn is_deserted(&self, queue: &QueueName) -> bool {
        let standing = self.state.index.queues.get(queue);
        let staffed = standing.is_some_and(|it| it.signed_in > 0);
        let known = self.state.queues.get(queue);
        let since = known.and_then(|it| Some(it.unstaffed_since? + it.settings.nobody_after));
        !staffed && since.is_none_or(|over| over <= self.now)
    }

    pub(super) fn close_removed_queues(&mut self) {
        let removed = self.state.queues.iter().filter(|(_, it)| !it.configured);
        let removed: Vec<QueueName> = removed.map(|(name, _)| name.clone()).collect();
        for queue in removed {
            self.leave_all(&queue, ExitReason::Failed);
        }
    }

    /// All who wait in the queue are sent back or on.
    pub(super) fn leave_all(&mut self, queue: &QueueName, exit: ExitReason) {
        let standing = self.state.index.queues.get(queue);
        let pools = standing.into_iter().flat_map(|it| it.pools.values());
        let waiting = pools.flat_map(|pool| pool.waiting.iter().map(|rank| rank.ticket));
        for ticket in waiting.collect::<Vec<_>>() {
            self.leave_queue(ticket, exit);
        }
    }
}

fn cut(text: &str) -> String {
    text.chars().take(limits::TEXT).collect()
}
