//! Messages between a gateway and the queue, as types. The wire form is `pronto/v1/gateways.proto`; the fields mean
//! what is written there.

use std::time::Duration;

use crate::{
    AnnouncementId, CallId, ContactId, DisplayName, Forecast, Language, OfferId, OperatorId, PhoneNumber,
    QueueName, TicketId, TrunkName, WaitRange,
};

/// One line of a gateway's journal: something the gateway saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A call reached a configured number.
    CallBegan {
        /// The call that began.
        call: CallId,
        /// The configured number that was dialled.
        dialled: String,
        /// The caller, as the gateway knows them.
        caller: Caller,
        /// By which way the call came in.
        origin: Origin,
    },
    /// A contact takes a place in a queue.
    Joined {
        /// The ticket of the place taken.
        ticket: TicketId,
        /// The contact that joined the queue.
        contact: ContactId,
        /// The channel by which the contact reaches us.
        channel: Channel,
        /// In which queue.
        queue: QueueName,
        /// The caller, as the gateway knows them.
        caller: Caller,
        /// In which language the caller is spoken to.
        language: Language,
        /// The ticket this one continues, with the seniority of the first joining: it was lost, or its operator was.
        regained: Option<TicketId>,
    },
    /// A contact left its place of its own accord.
    Left {
        /// The ticket of the place left.
        ticket: TicketId,
        /// The reason for leaving.
        reason: LeaveReason,
    },
    /// The operator's phone rings.
    Ringing {
        /// Under which grant.
        offer: OfferId,
    },
    /// The operator's phone answered, and both hear each other.
    Answered {
        /// Under which grant.
        offer: OfferId,
        /// The ticket answered.
        ticket: TicketId,
    },
    /// The offer came to nothing.
    Refused {
        /// The grant that was refused.
        offer: OfferId,
        /// The reason for the refusal.
        reason: RefuseReason,
    },
    /// Caller and operator are parted.
    TalkEnded {
        /// Under which grant they were connected.
        offer: OfferId,
        /// The ticket in the talk.
        ticket: TicketId,
    },
    /// The operator's phone was lost in the middle of the talk: it sent nothing and answered nothing. The caller is there, and
    /// joins again with the next entry, [`Event::Joined`] with this ticket as `regained`.
    OperatorLost {
        /// Under which grant they were connected.
        offer: OfferId,
        /// The ticket in the talk.
        ticket: TicketId,
    },
    /// How reachable an operator's phones are.
    Presence {
        /// The operator whose phones are meant.
        operator: OperatorId,
        /// For how long from the event; `None` when not reachable.
        lease: Option<Duration>,
    },
    /// The call is over; the call record.
    CallEnded {
        /// The call that ended.
        call: CallId,
        /// The outcome of the call.
        outcome: CallOutcome,
        /// From the 200 to the end; zero if never answered.
        duration: Duration,
        /// How many keys were pressed.
        digits: u32,
    },
    /// An announcement is over. Exactly one for each [`Directive::Announce`] that arrived.
    Heard {
        /// The announcement that is over.
        announcement: AnnouncementId,
        /// The ticket whose caller was told.
        ticket: TicketId,
        /// How much of it.
        how: Hearing,
    },
    /// The recording of a talk is finished. May come after the call's end, and in a later epoch.
    Recorded {
        /// The call whose talk was recorded.
        call: CallId,
        /// The ticket that was answered.
        ticket: TicketId,
        /// Below the gateway's directory of recordings, with `/`, at most 64 characters; empty: nothing was kept.
        file: String,
        /// How much there is to hear.
        duration: Duration,
        /// Why it does not hold all of the talk; `None`: it does.
        flaw: Option<RecordingFlaw>,
    },
}

impl Event {
    /// The caller in an event that names one, and the contact whose caller it is. Personal data.
    pub fn caller_mut(&mut self) -> Option<(ContactId, &mut Caller)> {
        match self {
            Event::CallBegan { call, caller, .. } => Some(((*call).into(), caller)),
            Event::Joined { contact, caller, .. } => Some((*contact, caller)),
            _ => None,
        }
    }
}

/// A channel by which a contact reaches us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Channel {
    /// A call at the gateway that tells of the contact. The call has the number of the contact.
    #[default]
    Phone,
}

/// Why a recording does not hold all of a talk. What there is can be played in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecordingFlaw {
    /// The disk was full, or so nearly that the rest is kept for the ledger. It ends early.
    DiskFull,
    /// The file could not be made or written. It ends early.
    DiskFailed,
    /// The disk did not keep up: some of it is silence.
    Overrun,
    /// The process ended in the middle of the talk. It ends early.
    Killed,
}

/// How much of an announcement the caller heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hearing {
    /// All of it.
    Whole,
    /// Not to its end: cut by a key, by the operator's answer or by the end of the wait; or none of it.
    Cut,
}

/// A wait as a caller is told it, counted from that moment on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Promise {
    /// Half of such callers wait no longer.
    pub p50: Duration,
    /// Nine of ten such callers wait no longer.
    pub p90: Duration,
}

impl Promise {
    /// As the caller hears it; `None`: it cannot be said. What is kept or broken is this.
    pub fn said(&self) -> Option<WaitRange> {
        WaitRange::from_quantiles(self.p50, self.p90)
    }
}

/// Why a caller is told a longer wait than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RiseReason {
    /// Fewer operators are there for the queue.
    FewerOperators,
    /// Others have come before this caller: an offer that came to nothing, a place regained.
    CallersAhead,
    /// Most talks that go on have lasted longer than talks usually do.
    LongerCalls,
    /// None of these.
    Unknown,
}

/// The caller of a call. Personal data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The number, if it was told.
    pub number: Option<PhoneNumber>,
    /// The name, if it was told.
    pub name: Option<DisplayName>,
}

/// By which way a call came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Over the trunk of this name.
    Trunk(TrunkName),
    /// From a registered operator's phone.
    Operator(OperatorId),
}

/// Why a contact left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeaveReason {
    /// The caller hung up.
    Abandoned,
    /// Pressed a key that leads out.
    Key,
    /// `max_wait` on the gateway's clock.
    TimedOut,
    /// The queue service was away too long or refused the ticket, or the gateway was told to stop.
    Failed,
    /// The caller's phone stopped answering.
    PeerLost,
}

/// Why an offer came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RefuseReason {
    /// Rang and nobody answered.
    Ignored,
    /// The phone was busy.
    Busy,
    /// The operator declined the call.
    Rejected,
    /// No binding, or no answer from the phone's address.
    Unreachable,
    /// Withdrawn by the queue, or the caller left first.
    Withdrawn,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CallOutcome {
    /// The caller hung up.
    CallerHungUp,
    /// The flow, or the operator's hanging up, ended it.
    Completed,
    /// Cancelled before it was answered.
    Cancelled,
    /// Refused by us.
    Refused,
    /// The caller's phone stopped answering; between operators, the phone of either.
    PeerLost,
    /// The gateway was lost while the call was up: killed, crashed, or without power.
    GatewayLost,
    /// The gateway was told to stop and ended the call itself.
    Stopped,
}

/// A command from the queue to a gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Directive {
    /// Tell the caller how things stand: position, wait or both.
    Announce {
        /// For the report of its end.
        announcement: AnnouncementId,
        /// The ticket whose caller is told.
        ticket: TicketId,
        /// 1 = next; `None`: not to be spoken.
        position: Option<u32>,
        /// The wait still to come; `None`: not to be spoken.
        wait: Option<Promise>,
        /// Why it is longer than what this caller was told; `None`: it is not.
        rise: Option<RiseReason>,
    },
    /// A grant to connect the ticket with the operator within the ring time.
    Offer {
        /// The grant to act on.
        offer: OfferId,
        /// The ticket to connect.
        ticket: TicketId,
        /// The operator to ring.
        operator: OperatorId,
        /// For how long the phone may ring.
        ring: Duration,
        /// For the display: from which queue.
        queue: QueueName,
        /// For the display: how long the caller has waited.
        waited: Duration,
    },
    /// Stop ringing. If the phone answered first, the gateway says so.
    Withdraw {
        /// The grant to withdraw.
        offer: OfferId,
    },
    /// The ticket is over; the flow goes on by the exit named.
    Exit {
        /// The ticket that is over.
        ticket: TicketId,
        /// By which exit.
        reason: ExitReason,
    },
    /// How long a caller would wait who joined the queue now.
    Forecast {
        /// The queue of the forecast.
        queue: QueueName,
        /// `None`: it is not known.
        wait: Option<Forecast>,
    },
    /// The ticket was ended as lost while the gateway was away: join again if the caller is still there.
    Rejoin {
        /// The ticket that was ended as lost.
        ticket: TicketId,
    },
}

/// By which exit the flow goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExitReason {
    /// `max_wait` ran out.
    TimedOut,
    /// Nobody is signed in to serve the queue.
    Nobody,
    /// The queue cannot take the ticket.
    Failed,
}
