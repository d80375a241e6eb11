//! An honest gateway, modelled: a journal, callers, phones. It keeps the contract of the link and knows the truth.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use pronto_types::link::{
    CallOutcome, Caller, Channel, Directive, Event, ExitReason, Hearing, LeaveReason, Origin, RefuseReason,
};
use pronto_types::{
    AnnouncementId, CallId, GatewayName, Language, OfferId, OperatorId, QueueName, TicketId, Time, TrunkName,
};

use super::dice::Dice;

/// How long a phone rings unanswered.
pub(super) const RING: Duration = Duration::from_secs(15);

/// Events that the gateway schedules for itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Later {
    PhoneDecides(OperatorId, OfferId, Decision),
    TalkOver(OperatorId, OfferId),
    HangUp(CallId, TicketId),
    /// `max_wait` on the gateway's own clock, should the queue service be away.
    MaxWait(CallId, TicketId),
    Refresh(OperatorId, u64),
    LeaseOver(OperatorId, u64),
    /// A phone that was switched off is switched on.
    ComeBack(OperatorId),
    /// After an exit: the flow brings the caller to another queue.
    JoinAgain(CallId),
    /// An announcement is at its end, or a key is pressed.
    Spoken(TicketId, AnnouncementId, Hearing),
    /// A call that an operator dialled themselves ends.
    OwnOver(OperatorId, CallId),
}

/// The decision of a phone that rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Decision {
    Answer,
    Refuse(u8),
}

#[derive(Clone, Debug)]
pub(super) enum CallerState {
    /// In the flow.
    Elsewhere,
    Waiting(TicketId),
    Talking(TicketId),
}

#[derive(Clone, Debug)]
pub(super) struct SimCaller {
    pub(super) state: CallerState,
    pub(super) queue: QueueName,
    /// When they first joined the queue they wait in.
    pub(super) joined_at: Time,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    Idle,
    Ringing(OfferId, TicketId),
    Talking(OfferId, TicketId),
    /// In a call that no queue gave them.
    Own(CallId),
}

#[derive(Clone, Debug)]
pub(super) struct Phone {
    pub(super) line: Line,
    pub(super) registered: bool,
    /// Counts registrations, so that a timer of an older one is void.
    pub(super) version: u64,
}

/// A gateway in the simulation.
#[derive(Clone, Debug)]
pub(super) struct SimGateway {
    pub(super) name: GatewayName,
    pub(super) epoch: u64,
    pub(super) journal: Vec<(Time, Event)>,
    /// Entries put on the present stream.
    pub(super) sent: usize,
    /// Entries the queue said were durable.
    pub(super) acknowledged: u64,
    pub(super) callers: BTreeMap<CallId, SimCaller>,
    pub(super) phones: BTreeMap<OperatorId, Phone>,
    pub(super) known: BTreeSet<OfferId>,
    /// Announcements being played, by ticket.
    pub(super) speaking: BTreeMap<TicketId, AnnouncementId>,
    pub(super) later: Vec<(Time, Later)>,
    pub(super) max_wait: Duration,
    /// Whether it says anything when an offer it never saw is withdrawn: it may.
    pub(super) talkative: bool,
}

impl SimGateway {
    pub(super) fn new(name: &str, operators: &[OperatorId], max_wait: Duration) -> Self {
        let phone = Phone {
            line: Line::Idle,
            registered: false,
            version: 0,
        };
        SimGateway {
            name: GatewayName::new(name).unwrap(),
            epoch: 1,
            journal: Vec::new(),
            sent: 0,
            acknowledged: 0,
            callers: BTreeMap::new(),
            phones: operators.iter().map(|id| (id.clone(), phone.clone())).collect(),
            known: BTreeSet::new(),
            speaking: BTreeMap::new(),
            later: Vec::new(),
            max_wait,
            talkative: false,
        }
    }

    pub(super) fn last(&self) -> u64 {
        self.journal.len() as u64
    }

    /// A new process: nothing survives but the name and a higher epoch.
    pub(super) fn restart(&mut self) {
        self.epoch += 1;
        self.journal.clear();
        (self.sent, self.acknowledged) = (0, 0);
        self.callers.clear();
        self.known.clear();
        self.speaking.clear();
        for phone in self.phones.values_mut() {
            (phone.line, phone.registered) = (Line::Idle, false);
            phone.version += 1;
        }
    }

    pub(super) fn write(&mut self, now: Time, event: Event) {
        self.journal.push((now, event));
    }

    pub(super) fn after(&mut self, at: Time, later: Later) {
        self.later.push((at, later));
    }

    pub(super) fn call(&mut self, now: Time, queue: QueueName, dice: &mut Dice) {
        let call = CallId(dice.next());
        let caller = Caller {
            number: None,
            name: None,
        };
        let origin = Origin::Trunk(TrunkName::new("carrier").unwrap());
        self.write(
            now,
            Event::CallBegan {
                call,
                dialled: "800".into(),
                caller,
                origin,
            },
        );
        let state = CallerState::Elsewhere;
        self.callers.insert(
            call,
            SimCaller {
                state,
                queue: queue.clone(),
                joined_at: now,
            },
        );
        self.join(now, call, queue, dice);
    }

    pub(super) fn join(&mut self, now: Time, call: CallId, queue: QueueName, dice: &mut Dice) {
        let ticket = TicketId(dice.next());
        let Some(caller) = self.callers.get_mut(&call) else {
            return;
        };
        if !matches!(caller.state, CallerState::Elsewhere) {
            return;
        }
        caller.state = CallerState::Waiting(ticket);
        (caller.queue, caller.joined_at) = (queue.clone(), now);
        self.write_joined(now, call, ticket, queue, None);
        let patience = Duration::from_millis(dice.between(5_000, 400_000));
        self.after(now + patience, Later::HangUp(call, ticket));
        self.after(
            now + self.max_wait + Duration::from_secs(1),
            Later::MaxWait(call, ticket),
        );
    }

    fn write_joined(
        &mut self,
        at: Time,
        call: CallId,
        ticket: TicketId,
        queue: QueueName,
        old: Option<TicketId>,
    ) {
        let caller = Caller {
            number: None,
            name: None,
        };
        let language = Language::Italian;
        self.write(
            at,
            Event::Joined {
                ticket,
                contact: call.into(),
                channel: Channel::Phone,
                queue,
                caller,
                language,
                regained: old,
            },
        );
    }

    pub(super) fn waiting(&self, ticket: TicketId) -> Option<CallId> {
        let waits = |it: &SimCaller| matches!(it.state, CallerState::Waiting(held) if held == ticket);
        self.callers
            .iter()
            .find(|(_, it)| waits(it))
            .map(|(call, _)| *call)
    }

    /// Takes a directive. An offer to a phone that is not idle is a broken promise of the queue.
    pub(super) fn take(&mut self, now: Time, directive: Directive, dice: &mut Dice) -> Result<(), String> {
        match directive {
            Directive::Announce {
                announcement, ticket, ..
            } => self.speak(now, ticket, announcement, dice),
            Directive::Offer {
                offer,
                ticket,
                operator,
                ..
            } => {
                return self.take_offer(now, offer, ticket, operator, dice);
            }
            Directive::Withdraw { offer } => {
                if let Some(operator) = self.phone_of(offer)
                    && let Some(phone) = self.phones.get_mut(&operator)
                    && matches!(phone.line, Line::Ringing(..))
                {
                    phone.line = Line::Idle;
                    self.write(
                        now,
                        Event::Refused {
                            offer,
                            reason: RefuseReason::Withdrawn,
                        },
                    );
                } else if self.talkative && self.known.insert(offer) {
                    let reason = RefuseReason::Withdrawn;
                    self.write(now, Event::Refused { offer, reason });
                }
            }
            Directive::Exit { ticket, reason } => {
                let Some(call) = self.waiting(ticket) else {
                    return Ok(());
                };
                self.cut_short(now, ticket);
                self.quiet(now, ticket);
                if let Some(caller) = self.callers.get_mut(&call) {
                    caller.state = CallerState::Elsewhere;
                }
                if reason == ExitReason::TimedOut && dice.chance(30) {
                    self.after(now + Duration::from_secs(2), Later::JoinAgain(call));
                } else {
                    self.end_call(now, call);
                }
            }
            // No flow asks in this world.
            Directive::Forecast { .. } => {}
            Directive::Rejoin { ticket } => {
                let Some(call) = self.waiting(ticket) else {
                    return Ok(());
                };
                self.cut_short(now, ticket);
                self.quiet(now, ticket);
                let first = self.callers.get(&call).map_or(now, |it| it.joined_at);
                self.rejoin(now, (call, ticket), first, dice);
            }
        }
        Ok(())
    }

    /// Somebody has had enough of the talk; or the operator's phone is gone.
    fn talk_over(&mut self, now: Time, operator: &OperatorId, offer: OfferId, dice: &mut Dice) {
        let line = self.phones.get(operator).map(|it| it.line);
        let Some(Line::Talking(_, ticket)) =
            line.filter(|it| matches!(it, Line::Talking(of, _) if *of == offer))
        else {
            return;
        };
        let talks = |it: &SimCaller| matches!(it.state, CallerState::Talking(of) if of == ticket);
        let call = self
            .callers
            .iter()
            .find(|(_, it)| talks(it))
            .map(|(call, _)| *call);
        match call {
            Some(call) if dice.chance(10) => {
                self.lose_phone(now, operator, dice);
                self.write(now, Event::OperatorLost { offer, ticket });
                self.rejoin(now, (call, ticket), now, dice);
            }
            call => {
                self.end_talk_of(now, ticket);
                if let Some(call) = call {
                    self.end_call(now, call);
                }
            }
        }
    }

    /// The operator's phone is gone in mid-talk.
    fn lose_phone(&mut self, now: Time, operator: &OperatorId, dice: &mut Dice) {
        if let Some(phone) = self.phones.get_mut(operator) {
            phone.line = Line::Idle;
        }
        // A phone that is not there is not called again until it is back.
        if dice.chance(50) {
            self.unregister(now, operator);
            self.after(now + Duration::from_secs(20), Later::ComeBack(operator.clone()));
        }
    }

    /// Takes a place again in the stead of an old one, with the seniority of the first joining.
    fn rejoin(&mut self, now: Time, (call, old): (CallId, TicketId), since: Time, dice: &mut Dice) {
        let new = TicketId(dice.next());
        let Some(caller) = self.callers.get_mut(&call) else {
            return;
        };
        caller.state = CallerState::Waiting(new);
        let (queue, first) = (caller.queue.clone(), caller.joined_at);
        self.write_joined(first, call, new, queue, Some(old));
        let patience = Duration::from_millis(dice.between(5_000, 400_000));
        self.after(now + patience, Later::HangUp(call, new));
        self.after(
            since + self.max_wait + Duration::from_secs(1),
            Later::MaxWait(call, new),
        );
    }

    /// Begins to speak, to who waits and is not spoken to.
    fn speak(&mut self, now: Time, ticket: TicketId, announcement: AnnouncementId, dice: &mut Dice) {
        if self.waiting(ticket).is_none() || self.speaking.contains_key(&ticket) {
            let how = Hearing::Cut;
            return self.write(
                now,
                Event::Heard {
                    announcement,
                    ticket,
                    how,
                },
            );
        }
        self.speaking.insert(ticket, announcement);
        let (lasts, how) = if dice.chance(20) {
            (dice.between(50, 5_000), Hearing::Cut)
        } else {
            (dice.between(5_000, 9_000), Hearing::Whole)
        };
        let end = now + Duration::from_millis(lasts);
        self.after(end, Later::Spoken(ticket, announcement, how));
    }

    fn spoken(&mut self, now: Time, ticket: TicketId, announcement: AnnouncementId, how: Hearing) {
        if self.speaking.get(&ticket) == Some(&announcement) {
            self.speaking.remove(&ticket);
            self.write(
                now,
                Event::Heard {
                    announcement,
                    ticket,
                    how,
                },
            );
        }
    }

    /// Stops speaking: the wait is over.
    pub(super) fn cut_short(&mut self, now: Time, ticket: TicketId) {
        if let Some(announcement) = self.speaking.get(&ticket).copied() {
            self.spoken(now, ticket, announcement, Hearing::Cut);
        }
    }

    /// The caller hangs up, wherever they are.
    pub(super) fn hang_up(&mut self, now: Time, call: CallId, reason: LeaveReason) {
        let Some(caller) = self.callers.get(&call) else {
            return;
        };
        match caller.state {
            CallerState::Elsewhere => {}
            CallerState::Waiting(ticket) => {
                self.cut_short(now, ticket);
                self.write(now, Event::Left { ticket, reason });
                self.quiet(now, ticket);
            }
            CallerState::Talking(ticket) => self.end_talk_of(now, ticket),
        }
        self.end_call(now, call);
    }

    fn end_talk_of(&mut self, now: Time, ticket: TicketId) {
        let talking = |it: &Phone| matches!(it.line, Line::Talking(_, of) if of == ticket);
        let Some((_, phone)) = self.phones.iter_mut().find(|(_, it)| talking(it)) else {
            return;
        };
        if let Line::Talking(offer, _) = phone.line {
            phone.line = Line::Idle;
            self.write(now, Event::TalkEnded { offer, ticket });
        }
    }

    fn end_call(&mut self, now: Time, call: CallId) {
        if self.callers.remove(&call).is_some() {
            self.call_ended(now, call);
        }
    }

    pub(super) fn call_ended(&mut self, now: Time, call: CallId) {
        let outcome = CallOutcome::CallerHungUp;
        self.write(
            now,
            Event::CallEnded {
                call,
                outcome,
                duration: Duration::ZERO,
                digits: 1,
            },
        );
    }

    /// Something it wanted to happen happens.
    pub(super) fn happen(&mut self, now: Time, later: Later, linked: bool, dice: &mut Dice) {
        match later {
            Later::PhoneDecides(operator, offer, decision) => {
                self.phone_decides(now, &operator, offer, decision, dice);
            }
            Later::TalkOver(operator, offer) => self.talk_over(now, &operator, offer, dice),
            Later::HangUp(call, ticket) => {
                if self.waiting(ticket) == Some(call) {
                    let reason = if dice.chance(20) {
                        LeaveReason::Key
                    } else {
                        LeaveReason::Abandoned
                    };
                    self.hang_up(now, call, reason);
                }
            }
            Later::MaxWait(call, ticket) => {
                if self.waiting(ticket) == Some(call) && !linked {
                    self.hang_up(now, call, LeaveReason::TimedOut);
                }
            }
            Later::Refresh(operator, version) => {
                let current = self
                    .phones
                    .get(&operator)
                    .is_some_and(|it| it.version == version && it.registered);
                let away = Duration::from_secs(dice.between(5, 300));
                match dice.next() % 30 {
                    _ if !current => {}
                    0 => {
                        self.unregister(now, &operator);
                        self.after(now + away, Later::ComeBack(operator));
                    }
                    // Its battery is empty.
                    1 => self.after(now + away, Later::ComeBack(operator)),
                    _ => self.register(now, &operator, Duration::from_secs(90), dice),
                }
            }
            Later::ComeBack(operator) => self.register(now, &operator, Duration::from_secs(90), dice),
            Later::LeaseOver(operator, version) => {
                if self.phones.get(&operator).is_some_and(|it| it.version == version) {
                    self.unregister(now, &operator);
                }
            }
            Later::OwnOver(operator, call) => self.own_call_over(now, &operator, call),
            Later::Spoken(ticket, announcement, how) => self.spoken(now, ticket, announcement, how),
            Later::JoinAgain(call) => {
                if let Some(queue) = self.callers.get(&call).map(|it| it.queue.clone()) {
                    self.join(now, call, queue, dice);
                }
            }
        }
    }
}
