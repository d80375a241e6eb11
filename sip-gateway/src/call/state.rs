//! The states of a call. Each variant owns its data and its deadlines: leaving a state cancels its timers.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pronto_ivr as ivr;
use pronto_media as media;
use pronto_sip as sip;
use pronto_types::link::{Caller as CallerIdentity, Origin};
use pronto_types::{
    AnnouncementId, CallId, DisplayName, Language, OfferId, OperatorId, PhoneNumber, QueueName, TicketId,
    Time,
};

use super::dial::Dial;
use super::leg::Leg;
use super::silence::{MediaTimeout, Pace, Unanswered};
use crate::settings::Number;

/// One call: the caller's leg, the flow, and where the caller stands.
pub(super) struct Call {
    pub(super) dialled: Dialled,
    pub(super) id: CallId,
    /// The journal entry that says it began.
    pub(super) began: u64,
    pub(super) origin: Origin,
    pub(super) identity: CallerIdentity,
    pub(super) language: Language,
    pub(super) caller: CallerLeg,
    /// The flow that the number leads to; a call to a colleague has none.
    pub(super) flow: Option<ivr::Session>,
    pub(super) state: CallState,
    /// The flow runs.
    pub(super) started: bool,
    /// When the 200 was sent.
    pub(super) answered: Option<Time>,
    /// The consent prompts the caller has heard to their end.
    pub(super) told: BTreeSet<Arc<str>>,
    /// Keys pressed by the caller.
    pub(super) digits: u32,
    /// The deadline that the timer table holds for this call.
    pub(super) timer: Option<Time>,
}

/// The destination that was dialled.
pub(super) enum Dialled {
    /// A configured number.
    Number(Number),
    /// A colleague of the operator who calls.
    Colleague(OperatorId),
}

impl fmt::Display for Dialled {
    /// As it stands in the journal and in call records.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dialled::Number(number) => f.write_str(&number.dial),
            Dialled::Colleague(operator) => write!(f, "operators/{operator}"),
        }
    }
}

/// The caller's side of a call.
pub(super) struct CallerLeg {
    pub(super) leg: Leg,
    /// Whether the caller is known to be there before the ACK.
    pub(super) proof: media::Proof,
    /// The signs of life of a caller before the answer.
    pub(super) unanswered: Unanswered,
    /// The keys told lately, in the media and by INFO.
    pub(super) presses: media::Presses,
    pub(super) state: LegState,
    /// The media threads miss the phone.
    pub(super) stalled: bool,
    /// The audio being played.
    pub(super) playing: Option<Playing>,
}

/// The audio that we play to the caller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Playing {
    /// A prompt of the flow.
    Prompt {
        /// The number of the play with the media threads.
        play: media::PlayId,
        /// Its number with the flow.
        of: ivr::PlayId,
    },
    /// That the talk will be recorded.
    Consent(media::PlayId),
    /// Music on hold.
    Music,
    /// How things stand with the queue.
    Announcement(Speaking),
}

/// An announcement being spoken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Speaking {
    /// The number of the play with the media threads.
    pub(super) play: media::PlayId,
    pub(super) announcement: AnnouncementId,
    /// The place it speaks of; who loses it and regains it is still spoken to.
    pub(super) ticket: TicketId,
    /// When its end is taken for granted, should nobody report it.
    pub(super) until: Time,
}

/// How far the caller's leg is.
pub(super) enum LegState {
    /// The INVITE is here; the media threads are opening a port.
    Opening {
        /// The offer, if the INVITE carried one.
        offer: Option<sip::sdp::Offer>,
        /// When the caller is refused because no port has been opened.
        until: Time,
    },
    /// The port is open, and the call is not in the journal on the disk yet: nobody is answered without a record.
    Opened {
        /// The offer, if the INVITE carried one.
        offer: Option<sip::sdp::Offer>,
        /// The address of the opened port.
        local: SocketAddr,
        /// When the caller is refused because the disk does not keep up.
        until: Time,
    },
    /// The caller hears us and is not answered.
    Early {
        /// The SDP of the 183, repeated in the 200.
        sdp: bytes::Bytes,
        /// For how long yet.
        patience: EarlyMediaTimer,
    },
    /// Our 200 is sent.
    Answering,
    /// The caller has acknowledged our 200.
    Up,
    /// Over: the call leaves the table.
    Gone,
}

/// How much longer a caller may listen without being answered. It runs outside of a queue: a place there has a limit of
/// its own, and so has the ringing of another operator.
#[derive(Clone, Copy)]
pub(super) enum EarlyMediaTimer {
    /// Running until this time.
    Runs(Time),
    /// Stopped, with this much time left.
    Rests(Duration),
}

/// Where the caller stands, with the queue or with a colleague.
pub(super) enum CallState {
    /// In no queue, and calling nobody.
    None,
    /// On the way into a queue, being told that the talk will be recorded.
    ConsentPrompt(ConsentPrompt),
    /// In a queue, hearing music.
    Waiting(Ticket),
    /// The caller has dialled a colleague, who is kept free until the caller's own port is open.
    Dialled,
    /// An operator's phones are being rung.
    Dialling(Purpose, Dial),
    /// Connected to an operator.
    Talking(Purpose, Bridge),
}

/// Why an operator is dialled, which decides what follows.
pub(super) enum Purpose {
    /// The queue offers the caller to the operator.
    Offer(Offer),
    /// The caller is an operator too, and has dialled this one.
    Colleague,
}

/// A ticket under a grant of the queue.
pub(super) struct Offer {
    pub(super) id: OfferId,
    pub(super) ticket: Ticket,
}

/// The operator whom the caller talks to.
pub(super) struct Bridge {
    pub(super) operator: OperatorId,
    pub(super) leg: Leg,
    /// The caller's codec, if the phone was asked to speak it too.
    pub(super) asked: Option<sip::sdp::Codec>,
    /// The operator is on hold, and hears music.
    pub(super) music: bool,
}

/// The caller is being told.
pub(super) struct ConsentPrompt {
    /// The flow's wish that asked for the queue.
    pub(super) wish: ivr::WishId,
    pub(super) queue: QueueName,
    pub(super) prompt: Arc<str>,
    /// When the place is taken although nothing was heard of the prompt's end.
    pub(super) until: Time,
}

/// A place in a queue.
#[derive(Clone)]
pub(super) struct Ticket {
    pub(super) id: TicketId,
    /// The flow's wish that asked for it.
    pub(super) wish: ivr::WishId,
    pub(super) queue: QueueName,
    pub(super) joined: Time,
    /// The queue has not said yet that it knows: until when we wait for that.
    pub(super) unknown_until: Option<Time>,
    /// When our own clock ends the wait.
    pub(super) until: Time,
}

impl Call {
    /// The call leaves the table.
    pub(super) fn over(&self) -> bool {
        matches!(self.caller.state, LegState::Gone)
    }

    /// When it will be known whether the caller is gone, if the caller's phone has been asked: an operator's phone that is
    /// silent too is not given up before, or the next operator would be rung for nobody.
    pub(super) fn caller_verdict(&self) -> Option<Time> {
        self.caller.leg.silent.and_then(MediaTimeout::verdict)
    }

    /// How soon the caller's phone is asked when it sends nothing.
    pub(super) fn pace(&self) -> Pace {
        match self.state {
            CallState::Talking(..) => Pace::TALKING,
            _ => Pace::LISTENING,
        }
    }

    /// Whether the caller's phone knows where to send: while it hears a colleague's phone ring it has no answer of ours with an
    /// address.
    pub(super) fn can_send(&self) -> bool {
        !matches!(
            self.state,
            CallState::Dialled | CallState::Dialling(Purpose::Colleague, _)
        )
    }

    /// The caller for a display: the name, or else the number.
    pub(super) fn shown_as(&self) -> Option<&str> {
        let name = self.identity.name.as_ref().map(DisplayName::reveal);
        name.or_else(|| self.identity.number.as_ref().map(PhoneNumber::reveal))
    }

    /// Whether an operator calls a colleague, ringing or answered.
    pub(super) fn is_to_colleague(&self) -> bool {
        matches!(self.dialled, Dialled::Colleague(_))
    }

    /// The place in a queue, if there is one, also during ringing and talk.
    pub(super) fn ticket_mut(&mut self) -> Option<&mut Ticket> {
        match &mut self.state {
            CallState::Waiting(ticket)
            | CallState::Dialling(Purpose::Offer(Offer { ticket, .. }), _)
            | CallState::Talking(Purpose::Offer(Offer { ticket, .. }), _) => Some(ticket),
            CallState::Dialling(Purpose::Colleague, _)
            | CallState::Talking(Purpose::Colleague, _)
            | CallState::ConsentPrompt(_)
            | CallState::Dialled
            | CallState::None => None,
        }
    }

    /// Hands an input to the flow, if the call has one.
    pub(super) fn tell_flow(&mut self, now: Time, input: ivr::Input) {
        if let Some(flow) = &mut self.flow {
            flow.handle_input(now, input);
        }
    }

    /// Takes the next wish of the flow.
    pub(super) fn next_wish(&mut self) -> Option<ivr::Output> {
        self.flow.as_mut()?.poll_output()
    }

    /// The alternative to waiting that the flow offers.
    pub(super) fn way_out(&self) -> Option<ivr::WayOut> {
        self.flow.as_ref()?.way_out()
    }

    /// The earliest deadline of the states it is in.
    pub(super) fn deadline(&self) -> Option<Time> {
        let state = match &self.state {
            CallState::None | CallState::Dialled => None,
            CallState::ConsentPrompt(telling) => Some(telling.until),
            CallState::Waiting(ticket) => Some(
                ticket
                    .unknown_until
                    .map_or(ticket.until, |at| at.min(ticket.until)),
            ),
            CallState::Dialling(_, dial) => Some(dial.until),
            CallState::Talking(_, bridge) => bridge.leg.silent.map(|it| it.deadline(self.caller_verdict())),
        };
        let silent = self.caller.leg.silent.map(|it| it.deadline(None));
        let opening = match &self.caller.state {
            LegState::Opening { until, .. } | LegState::Opened { until, .. } => Some(*until),
            LegState::Early { patience, .. } => patience.deadline(),
            LegState::Answering | LegState::Up | LegState::Gone => None,
        };
        let speaking = match self.caller.playing {
            Some(Playing::Announcement(speaking)) => Some(speaking.until),
            Some(Playing::Prompt { .. } | Playing::Consent(_) | Playing::Music) | None => None,
        };
        let flow = self.flow.as_ref().and_then(ivr::Session::poll_timeout);
        [state, silent, opening, speaking, flow]
            .into_iter()
            .flatten()
            .min()
    }
}

impl Call {
    /// Keeps the caller's patience in step with where the caller stands.
    pub(super) fn listens(&mut self, now: Time) {
        let runs = matches!(self.state, CallState::None | CallState::ConsentPrompt(_));
        if let LegState::Early { patience, .. } = &mut self.caller.state {
            *patience = match (*patience, runs) {
                (EarlyMediaTimer::Runs(until), false) => EarlyMediaTimer::Rests(until.since(now)),
                (EarlyMediaTimer::Rests(left), true) => EarlyMediaTimer::Runs(now + left),
                (same, _) => same,
            };
        }
    }
}

impl EarlyMediaTimer {
    pub(super) fn deadline(self) -> Option<Time> {
        match self {
            EarlyMediaTimer::Runs(until) => Some(until),
            EarlyMediaTimer::Rests(_) => None,
        }
    }
}
