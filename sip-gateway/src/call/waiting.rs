//! A place in a queue: joining, the music, leaving, and the exits.

use pronto_ivr as ivr;
use pronto_media as media;
use pronto_types::link::{Channel, Event, ExitReason, Hearing, LeaveReason, RefuseReason};
use pronto_types::{CallId, QueueName, TicketId, Time};
use rand::Rng;
use std::time::Duration;

use super::Gateway;
use super::dial::Report;
use super::state::{Call, CallState, Dialled, Playing, Purpose, Ticket};

/// The queue's clock decides when `max_wait` is over; ours follows this much later, should the queue be away.
const AFTER_THE_QUEUE: Duration = Duration::from_secs(1);
/// Without a configured `max_wait`: the default of the configuration.
const MAX_WAIT: Duration = Duration::from_secs(30 * 60);

impl Gateway {
    /// Takes a place in a queue.
    pub(super) fn join(&mut self, now: Time, call: &mut Call, wish: ivr::WishId, queue: QueueName) {
        let max_wait = self.settings.max_wait.get(&queue).copied().unwrap_or(MAX_WAIT);
        let id = self.take_ticket(call, now, &queue, None);
        call.state = CallState::Waiting(Ticket {
            id,
            wish,
            queue,
            joined: now,
            unknown_until: Some(if self.queue_stopped {
                now
            } else {
                now + self.settings.queue_away
            }),
            until: now + max_wait + AFTER_THE_QUEUE,
        });
        self.music(call);
    }

    fn take_ticket(
        &mut self,
        call: &Call,
        joined: Time,
        queue: &QueueName,
        regained: Option<TicketId>,
    ) -> TicketId {
        let ticket = loop {
            let ticket = TicketId(self.rng.next_u64());
            if ticket.0 != 0 && !self.tickets.contains_key(&ticket) {
                break ticket;
            }
        };
        self.tickets.insert(ticket, call.id);
        let event = Event::Joined {
            ticket,
            contact: call.id.into(),
            channel: Channel::Phone,
            queue: queue.clone(),
            caller: call.identity.clone(),
            language: call.language,
            regained,
        };
        self.write(joined, event);
        ticket
    }

    /// The queue ended our ticket as lost while we were away, and the caller is still here: join again, with the
    /// seniority of the first joining. A phone that still rings under the lost ticket rings for nobody.
    pub(super) fn rejoin(&mut self, now: Time, call: &mut Call, lost: TicketId) {
        let ticket = match std::mem::replace(&mut call.state, CallState::None) {
            CallState::Waiting(ticket) => ticket,
            CallState::Dialling(Purpose::Offer(offer), dial) => {
                self.stop_ringing(now, offer.id, &dial, RefuseReason::Withdrawn);
                offer.ticket
            }
            // A caller who talks is no longer waiting: the report of the answer is on its way and says it all.
            state => return call.state = state,
        };
        let id = self.take_ticket(call, ticket.joined, &ticket.queue, Some(lost));
        self.tickets.remove(&lost);
        if let Some(Playing::Announcement(speaking)) = &mut call.caller.playing {
            speaking.ticket = id;
        }
        // The queue asked for it: it is no news there, and a caller already waiting keeps the music up to `max_wait`.
        call.state = CallState::Waiting(Ticket {
            id,
            unknown_until: None,
            ..ticket
        });
    }

    /// The talk was cut short by the operator's phone: the caller takes a place again, with the seniority of the first joining
    /// and a wait of its own. A queue that is away knows the caller: there is music up to `max_wait`. One that has stopped for
    /// good offers nobody: the flow goes on at once.
    pub(super) fn wait_again(&mut self, now: Time, call: &mut Call, talked: &Ticket) {
        let max_wait = self
            .settings
            .max_wait
            .get(&talked.queue)
            .copied()
            .unwrap_or(MAX_WAIT);
        let id = self.take_ticket(call, talked.joined, &talked.queue, Some(talked.id));
        self.tickets.remove(&talked.id);
        call.state = CallState::Waiting(Ticket {
            id,
            unknown_until: self.queue_stopped.then_some(now),
            until: now + max_wait + AFTER_THE_QUEUE,
            ..talked.clone()
        });
    }

    /// Music from where it stopped.
    pub(super) fn music(&mut self, call: &mut Call) {
        if call.caller.playing == Some(Playing::Music) {
            return;
        }
        if let Some(clip) = self.settings.prompts.music() {
            call.caller.playing = Some(Playing::Music);
            self.command(media::Command::Music {
                leg: call.caller.leg.media,
                clip,
            });
        }
    }

    /// A key led out of the queue.
    pub(super) fn leave_by_key(&mut self, now: Time, call: &mut Call) {
        self.leave(now, call, LeaveReason::Key);
        self.silence(now, call);
    }

    /// Gives up the place of our own accord, whatever it was.
    pub(super) fn leave(&mut self, now: Time, call: &mut Call, reason: LeaveReason) {
        self.silence_announcement(now, call);
        match std::mem::replace(&mut call.state, CallState::None) {
            CallState::None | CallState::ConsentPrompt(_) => {}
            CallState::Waiting(ticket) => self.left(now, &ticket, reason),
            CallState::Dialled => {
                if let Dialled::Colleague(operator) = &call.dialled {
                    self.disengage(operator);
                }
            }
            CallState::Dialling(Purpose::Offer(offer), dial) => {
                self.left(now, &offer.ticket, reason);
                self.stop_ringing(now, offer.id, &dial, RefuseReason::Withdrawn);
            }
            CallState::Dialling(Purpose::Colleague, dial) => self.stop_calling(now, call.id, &dial),
            CallState::Talking(Purpose::Offer(offer), bridge) => self.end_talk(now, &offer, &bridge, true),
            CallState::Talking(Purpose::Colleague, bridge) => self.release_operator(now, &bridge, true),
        }
    }

    fn left(&mut self, now: Time, ticket: &Ticket, reason: LeaveReason) {
        self.tickets.remove(&ticket.id);
        self.write(
            now,
            Event::Left {
                ticket: ticket.id,
                reason,
            },
        );
    }

    /// The queue says the ticket is over.
    pub(super) fn exit(&mut self, now: Time, call: &mut Call, reason: ExitReason) {
        let outcome = match reason {
            ExitReason::TimedOut => ivr::Outcome::TimedOut,
            ExitReason::Nobody => ivr::Outcome::Nobody,
            ExitReason::Failed => ivr::Outcome::Failed,
        };
        match std::mem::replace(&mut call.state, CallState::None) {
            CallState::Waiting(ticket) => self.exit_by(now, call, &ticket, outcome),
            CallState::Dialling(Purpose::Offer(offer), dial) => {
                self.stop_ringing(now, offer.id, &dial, RefuseReason::Withdrawn);
                self.exit_by(now, call, &offer.ticket, outcome);
            }
            // The phone answered first: the report of it is on its way, and the queue accepts.
            state => call.state = state,
        }
    }

    fn exit_by(&mut self, now: Time, call: &mut Call, ticket: &Ticket, outcome: ivr::Outcome) {
        self.tickets.remove(&ticket.id);
        self.silence(now, call);
        let wish = ticket.wish;
        call.tell_flow(now, ivr::Input::Outcome { wish, outcome });
    }

    /// Stops music and announcement, so that the flow's next prompt, or the operator, starts in silence.
    pub(super) fn silence(&mut self, now: Time, call: &mut Call) {
        if let Some(playing) = call.caller.playing.take() {
            if let Playing::Announcement(speaking) = playing {
                self.heard(now, speaking.announcement, speaking.ticket, Hearing::Cut);
            }
            self.command(media::Command::Stop {
                leg: call.caller.leg.media,
            });
        }
    }

    /// The queue service will not come back. Nobody is offered to those who wait any more: they go on as their flows say
    /// where a queue fails. A phone that rings may still answer.
    pub(super) fn queue_stopped(&mut self, now: Time) {
        self.queue_stopped = true;
        let waiting: Vec<CallId> = self.tickets.values().copied().collect();
        for id in waiting {
            self.with_call(now, id, |_, call| {
                let talks = matches!(call.state, CallState::Talking(..));
                if let Some(ticket) = call.ticket_mut().filter(|_| !talks) {
                    ticket.unknown_until = Some(now);
                }
            });
        }
    }

    /// A deadline of the place passed.
    pub(super) fn place_deadline(&mut self, now: Time, call: &mut Call) {
        match &mut call.state {
            CallState::Waiting(ticket) => {
                let outcome = if ticket.until <= now {
                    (LeaveReason::TimedOut, ivr::Outcome::TimedOut)
                } else if ticket.unknown_until.is_some_and(|at| at <= now) {
                    (LeaveReason::Failed, ivr::Outcome::Failed)
                } else {
                    return;
                };
                let ticket = ticket.clone();
                call.state = CallState::None;
                self.silence_announcement(now, call);
                self.left(now, &ticket, outcome.0);
                self.exit_by(now, call, &ticket, outcome.1);
            }
            CallState::ConsentPrompt(telling) if telling.until <= now => self.join_after_telling(now, call),
            CallState::Dialling(_, dial) if dial.until <= now => {
                let failure = dial.timed_out();
                self.dial_reports(now, call, Report::Failed(failure));
            }
            CallState::Talking(..) => self.bridge_deadline(now, call),
            CallState::Dialled | CallState::Dialling(..) | CallState::ConsentPrompt(_) | CallState::None => {}
        }
    }
}
