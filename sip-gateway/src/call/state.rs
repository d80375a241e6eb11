//! The states of a call. Each variant owns its data and its deadlines: leaving a state cancels its timers.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pronto_ivr as ivr;
use pronto_media as media;
use pronto_sip as sip;
use pronto_types::link::{Caller as CallerIdentity, Origin, RefuseReason};
use pronto_types::{AnnouncementId, CallId, Digit, Language, OfferId, OperatorId, QueueName, TicketId, Time};

use super::negotiate::Stream;
use super::silence::{MediaTimeout, Pace, Unanswered};
use crate::settings::Answer;

/// One call: the caller's leg, the flow, and where the caller stands with the queue.
pub(super) struct Call {
    /// The configured number that was dialled.
    pub(super) dialled: String,
    pub(super) id: CallId,
    /// The journal entry that says it began.
    pub(super) began: u64,
    pub(super) origin: Origin,
    pub(super) identity: CallerIdentity,
    pub(super) language: Language,
    pub(super) caller: CallerLeg,
    pub(super) flow: ivr::Session,
    pub(super) place: CallState,
    /// When the caller is answered.
    pub(super) answer: Answer,
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

/// The caller's dialog and its media.
pub(super) struct CallerLeg {
    pub(super) sip: sip::LegId,
    pub(super) media: media::LegId,
    /// Where the signalling comes from.
    pub(super) source: IpAddr,
    /// Whether the caller is known to be there before the ACK.
    pub(super) proof: media::Proof,
    /// The signs of life of a caller before the answer.
    pub(super) unanswered: Unanswered,
    /// The keys told lately, in the media and by INFO.
    pub(super) presses: media::Presses,
    pub(super) state: LegState,
    pub(super) stream: Stream,
    /// While the phone sends nothing, although it could.
    pub(super) silent: Option<MediaTimeout>,
    /// The media threads miss the phone.
    pub(super) stalled: bool,
    /// The clip set the flow is playing now.
    pub(super) playing: Option<Playing>,
}

/// The audio that we play to the caller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Playing {
    /// A prompt of the flow.
    Prompt(ivr::PlayId),
    /// That the talk will be recorded.
    Consent,
    /// Music on hold.
    Music,
    /// How things stand with the queue.
    Announcement(Speaking),
}

/// An announcement being spoken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Speaking {
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
        offer: Option<pronto_sip::sdp::Offer>,
        /// When the caller is refused because no port has been opened.
        until: Time,
    },
    /// The port is open, and the call is not in the journal on the disk yet: nobody is answered without a record.
    Opened {
        /// The offer, if the INVITE carried one.
        offer: Option<pronto_sip::sdp::Offer>,
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

/// Where the caller stands with the queue.
pub(super) enum CallState {
    /// In no queue, and calling nobody.
    None,
    /// On the way into a queue, being told that the talk will be recorded.
    ConsentPrompt(ConsentPrompt),
    /// In a queue, hearing music.
    Waiting(Ticket),
    /// An operator's phone is being rung.
    Offered(Ticket, Ringing),
    /// Connected to an operator.
    Talking(Ticket, Talk),
    /// In no queue: calling another operator.
    Calling(Box<Peer>),
}

/// The caller is being told.
pub(super) struct ConsentPrompt {
    /// The flow's wish that asked for the queue.
    pub(super) wish: ivr::WishId,
    pub(super) queue: QueueName,
    pub(super) prompt: Arc<str>,
    pub(super) play: media::PlayId,
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

/// An operator's phone being rung.
pub(super) struct Ringing {
    pub(super) offer: OfferId,
    pub(super) operator: OperatorId,
    pub(super) media: media::LegId,
    pub(super) until: Time,
    pub(super) phase: RingPhase,
    /// From which queue and after how long, for the display.
    pub(super) display: Arc<str>,
}

/// How far the ringing is.
pub(super) enum RingPhase {
    /// The media threads are opening a port.
    Opening,
    /// The INVITEs are out.
    Inviting(Forked),
}

/// All phones of an operator, rung at once; they are told one and the same of our media, by the address each knows us by.
pub(super) struct Forked {
    pub(super) stream: Stream,
    /// Those that may still answer.
    pub(super) phones: Vec<Phone>,
    /// The reason to report for the phones that have refused.
    pub(super) refused: Option<RefuseReason>,
    /// The queue has been told that it rings.
    pub(super) told: bool,
}

impl Forked {
    /// This phone has answered: what was said to it is what its answer answers.
    pub(super) fn chosen(&mut self, leg: sip::LegId) {
        if let Some(phone) = self.phones.iter().find(|phone| phone.sip == leg) {
            self.stream.offered(&phone.told);
        }
    }
}

/// One of them.
pub(super) struct Phone {
    pub(super) sip: sip::LegId,
    /// Where it is.
    pub(super) source: IpAddr,
    /// The address of our media that it was told, and how.
    pub(super) told: (IpAddr, Bytes),
    /// It has said that it rings.
    pub(super) heard: bool,
}

/// Caller and operator connected.
pub(super) struct Talk {
    pub(super) offer: OfferId,
    pub(super) operator: OperatorId,
    pub(super) sip: sip::LegId,
    pub(super) media: media::LegId,
    pub(super) stream: Stream,
    /// Where the signalling comes from.
    pub(super) source: IpAddr,
    /// While the phone sends nothing.
    pub(super) silent: Option<MediaTimeout>,
    /// The caller's codec, if the phone was asked to speak it too.
    pub(super) asked: Option<sip::sdp::Codec>,
    /// Keys that the caller pressed while on hold; the operator hears them afterwards.
    pub(super) keys: Vec<Digit>,
}

impl Forked {
    /// A phone does not take the call. Whether its reason is the one to be told, so far.
    pub(super) fn refused_by(&mut self, leg: sip::LegId, reason: RefuseReason) -> bool {
        self.phones.retain(|phone| phone.sip != leg);
        let weighs_more = self.refused.is_none_or(|told| weight(told) < weight(reason));
        if weighs_more {
            self.refused = Some(reason);
        }
        weighs_more
    }
}

/// Ranks the refusals of several phones: an operator's action on one phone outweighs the absence of another.
fn weight(reason: RefuseReason) -> u8 {
    match reason {
        RefuseReason::Unreachable | RefuseReason::Withdrawn => 0,
        RefuseReason::Busy => 1,
        RefuseReason::Rejected => 2,
        RefuseReason::Ignored => 3,
    }
}

impl Call {
    /// The call leaves the table.
    pub(super) fn over(&self) -> bool {
        matches!(self.caller.state, LegState::Gone)
    }

    /// When it will be known whether the caller is gone, if the caller's phone has been asked: an operator's phone that is
    /// silent too is not given up before, or the next operator would be rung for nobody.
    pub(super) fn caller_verdict(&self) -> Option<Time> {
        self.caller.silent.and_then(MediaTimeout::verdict)
    }

    /// How soon the caller's phone is asked when it sends nothing.
    pub(super) fn pace(&self) -> Pace {
        match self.place {
            CallState::Talking(..) | CallState::Calling(_) => Pace::TALKING,
            CallState::None
            | CallState::ConsentPrompt(_)
            | CallState::Waiting(_)
            | CallState::Offered(..) => Pace::LISTENING,
        }
    }

    /// Whether the caller's phone knows where to send: while it hears another operator's phone ring it has no answer of ours
    /// with an address.
    pub(super) fn can_send(&self) -> bool {
        match &self.place {
            CallState::Calling(peer) => matches!(peer.state, PeerState::Talking { .. }),
            _ => true,
        }
    }

    /// The earliest deadline of the states it is in.
    pub(super) fn deadline(&self) -> Option<Time> {
        let place = match &self.place {
            CallState::None => None,
            CallState::Calling(peer) => peer.deadline(),
            CallState::ConsentPrompt(telling) => Some(telling.until),
            CallState::Waiting(ticket) => Some(
                ticket
                    .unknown_until
                    .map_or(ticket.until, |at| at.min(ticket.until)),
            ),
            CallState::Offered(_, ringing) => Some(ringing.until),
            CallState::Talking(_, talk) => talk.silent.map(|it| it.deadline(self.caller_verdict())),
        };
        let silent = self.caller.silent.map(|it| it.deadline(None));
        let opening = match &self.caller.state {
            LegState::Opening { until, .. } | LegState::Opened { until, .. } => Some(*until),
            LegState::Early { patience, .. } => patience.deadline(),
            LegState::Answering | LegState::Up | LegState::Gone => None,
        };
        let speaking = match self.caller.playing {
            Some(Playing::Announcement(speaking)) => Some(speaking.until),
            Some(Playing::Prompt(_) | Playing::Consent | Playing::Music) | None => None,
        };
        [place, silent, opening, speaking, self.flow.poll_timeout()]
            .into_iter()
            .flatten()
            .min()
    }
}

impl Call {
    /// Keeps the caller's patience in step with where the caller stands.
    pub(super) fn listens(&mut self, now: Time) {
        let runs = matches!(self.place, CallState::None | CallState::ConsentPrompt(_));
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

/// The operator who is called.
pub(super) struct Peer {
    pub(super) operator: OperatorId,
    pub(super) state: PeerState,
}

/// How far that is.
pub(super) enum PeerState {
    /// The caller's port is being opened.
    Called,
    /// The called operator's port is being opened.
    Opening { media: media::LegId, until: Time },
    /// Their phones ring.
    Ringing {
        media: media::LegId,
        forked: Forked,
        until: Time,
        /// The final status for the caller if no phone answers.
        status: sip::Status,
    },
    /// Both hear each other.
    Talking {
        sip: sip::LegId,
        media: media::LegId,
        stream: Stream,
        source: std::net::IpAddr,
        silent: Option<MediaTimeout>,
        /// They are on hold, and hear music.
        music: bool,
    },
}

impl Peer {
    pub(super) fn deadline(&self) -> Option<Time> {
        match &self.state {
            PeerState::Called => None,
            PeerState::Opening { until, .. } | PeerState::Ringing { until, .. } => Some(*until),
            PeerState::Talking { silent, .. } => silent.map(|it| it.deadline(None)),
        }
    }

    pub(super) fn media(&self) -> Option<media::LegId> {
        match &self.state {
            PeerState::Called => None,
            PeerState::Opening { media, .. }
            | PeerState::Ringing { media, .. }
            | PeerState::Talking { media, .. } => Some(*media),
        }
    }
}

/// The other's media leg, while both talk.
pub(super) fn peer_leg(peer: &Peer) -> Option<media::LegId> {
    match &peer.state {
        PeerState::Talking { media, .. } => Some(*media),
        _ => None,
    }
}

/// Before anything has been done about it.
pub(super) fn called(operator: OperatorId) -> CallState {
    CallState::Calling(Box::new(Peer {
        operator,
        state: PeerState::Called,
    }))
}
