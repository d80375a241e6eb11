//! What the queue decided and what it was told: the ledger's vocabulary, in the past tense.
//!
//! A fact carries every value that came out of the configuration or the clock (deadlines, not durations to be added
//! again), so that folding an old ledger under new code or a new configuration gives the state it gave then.
//! No fact holds a caller's number or name.

use std::fmt;
use std::time::Duration;

use pronto_types::link::{
    CallOutcome, ExitReason, Hearing, LeaveReason, Origin, Promise, RecordingFlaw, RefuseReason, RiseReason,
};
use pronto_types::{
    AnnouncementId, CallId, Forecast, GatewayName, Language, OfferId, OperatorId, QueueName, TicketId, Time,
    Wall,
};

use crate::Configuration;

/// A fact with its place in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// 1, 2, 3 … without a gap.
    pub seq: u64,
    /// When it was recorded; never decreasing.
    pub at: Time,
    /// The journal entry that caused it. It moves the gateway's cursor: `(epoch, number)` is taken once this fact
    /// is durable. Every accepted entry causes at least one fact ([`Fact::Noted`] if nothing else).
    pub cause: Option<Cause>,
    /// What happened.
    pub fact: Fact,
}

impl Recorded {
    /// For whoever reads a ledger and dates it: keeps how the wall clock stood.
    pub fn tell(&self, wall: &mut Wall) {
        if let Fact::ClockSet { offset } = self.fact {
            wall.step(self.at, offset);
        }
    }
}

/// A line of a gateway's journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Whose journal.
    pub gateway: GatewayName,
    /// In which epoch.
    pub epoch: u64,
    /// Which line.
    pub number: u64,
}

/// A caller recognised without being known: the first 16 bytes of an HMAC of the number, made by the shell.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallerKey(pub [u8; 16]);

impl fmt::Debug for CallerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CallerKey({:02x}{:02x}…)", self.0[0], self.0[1])
    }
}

/// What happened. The offer of an [`Fact::Offered`] and the announcement of an [`Fact::Announced`] are the sequence of
/// that very fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A process took over the ledger. The links of the one before are gone: `GatewayDetached` and `Withdrawing` facts follow.
    Started {
        /// No offers before then, unless all gateways are back earlier; `None`: nothing to wait for.
        settle_until: Option<Time>,
    },
    /// All gateways are back, or were waited for long enough.
    Settled,
    /// The wall clock stands elsewhere beside [`Time`] from here on: somebody set it, or the machine was suspended.
    ClockSet {
        /// Microseconds to add to a time to date it. 0 before the first such fact.
        offset: i64,
    },
    /// The configuration in force from here on.
    Configured(Configuration),

    /// A gateway's link is up. It is *in step* once it has sent the entries up to `last`.
    GatewayAttached {
        /// Which.
        gateway: GatewayName,
        /// Its process.
        epoch: u64,
        /// The newest entry of its journal at that moment.
        last: u64,
        /// Tells the process from another in the same epoch; 0: not told.
        instance: u64,
    },
    /// A gateway's link is down: its tickets are detached, until it is back or gone.
    GatewayDetached {
        /// Which.
        gateway: GatewayName,
        /// Its process.
        epoch: u64,
        /// Until when its tickets keep their places.
        grace_until: Time,
    },
    /// A new process of the gateway came: what the old one held is lost (`Lost`, `Expired`, `Unreachable` facts follow).
    GatewaySuperseded {
        /// Which.
        gateway: GatewayName,
        /// The new process.
        epoch: u64,
    },
    /// An administrator made the gateway begin again: what it held is lost (`Lost`, `Expired`, `Unreachable` facts follow), and
    /// the highest epoch known of it is 0. A process with a later epoch than [`limits::EPOCH_STEP`](crate::limits::EPOCH_STEP)
    /// is refused, hears so, and begins epoch 1.
    GatewayReset {
        /// Which.
        gateway: GatewayName,
    },
    /// The grace is over: its tickets end as lost (facts follow), its cursor is kept.
    GatewayGone {
        /// Which.
        gateway: GatewayName,
    },

    /// A call reached a configured number.
    CallBegan {
        /// The call.
        call: CallId,
        /// The configured number dialled, at most 64 characters.
        dialled: String,
        /// By which way it came; a trunk's name at most 64 characters.
        origin: Origin,
    },
    /// The call is over.
    CallEnded {
        /// Which.
        call: CallId,
        /// How.
        outcome: CallOutcome,
        /// From the 200 to the end; zero if never answered.
        duration: Duration,
        /// Keys pressed, how many.
        digits: u32,
    },

    /// A contact took a place.
    Joined {
        /// The place.
        ticket: TicketId,
        /// Whose.
        call: CallId,
        /// In which queue.
        queue: QueueName,
        /// On which gateway.
        gateway: GatewayName,
        /// The caller's language.
        language: Language,
        /// Seniority: when they joined (first).
        joined_at: Time,
        /// When `max_wait` runs out.
        deadline: Time,
        /// The caller, recognisable.
        caller_key: Option<CallerKey>,
        /// The lost ticket it continues, with the same seniority.
        regained: Option<TicketId>,
    },
    /// A contact was not let in: over a limit, or no such queue. It never counted as joined; the exit is `failed`.
    TurnedAway {
        /// The place that was not given.
        ticket: TicketId,
        /// To whom.
        call: CallId,
        /// In which queue.
        queue: QueueName,
        /// On which gateway.
        gateway: GatewayName,
    },
    /// A contact left of its own accord (or its gateway gave up on us).
    Left {
        /// The place.
        ticket: TicketId,
        /// Why.
        reason: LeaveReason,
    },
    /// The queue sent the contact on by an exit.
    Exited {
        /// The place.
        ticket: TicketId,
        /// By which exit.
        reason: ExitReason,
    },
    /// The contact's call joined again, elsewhere, without having left.
    Moved {
        /// The place left behind.
        ticket: TicketId,
    },
    /// A waiting contact goes on waiting in another queue, behind those who wait there: it would take too long here, and there
    /// it is clearly sooner. Once for each contact; place kept, seniority not.
    Overflowed {
        /// The place.
        ticket: TicketId,
        /// The queue left behind.
        queue: QueueName,
        /// The queue it is in from here on.
        to: QueueName,
        /// How long it would still have waited here.
        here: Forecast,
        /// How long it will wait there.
        there: Forecast,
    },
    /// Nobody is signed in any more in the queue to which a waiting contact had overflowed, or the queue is gone: it is back
    /// in the queue it came from, with the seniority it had there. It does not overflow again.
    SentBack {
        /// The place.
        ticket: TicketId,
        /// The queue that nobody serves.
        queue: QueueName,
        /// The queue it is in from here on.
        to: QueueName,
    },
    /// The ticket ended with its gateway.
    Lost {
        /// The place.
        ticket: TicketId,
        /// Why.
        reason: LostReason,
    },
    /// A ticket the engine had ended is over for its gateway too and need not be remembered.
    Forgotten {
        /// Which.
        ticket: TicketId,
    },
    /// A waiting ticket is about to be overtaken by the next offered one. Once per absence.
    Skipped {
        /// Who is overtaken.
        ticket: TicketId,
        /// Why.
        reason: SkipReason,
    },

    /// A grant was made; its id is this fact's sequence.
    Offered {
        /// To whom.
        ticket: TicketId,
        /// With whom.
        operator: OperatorId,
        /// From which queue.
        queue: QueueName,
        /// On which gateway.
        gateway: GatewayName,
        /// How long the caller had waited.
        waited: Duration,
        /// When the grant runs out: ring time and margin.
        valid_until: Time,
    },
    /// The phone rings.
    Ringing {
        /// Under which grant.
        offer: OfferId,
    },
    /// The grant is being called back; operator and ticket stay bound until its end is known or it runs out.
    Withdrawing {
        /// Which.
        offer: OfferId,
        /// Why.
        reason: WithdrawReason,
    },
    /// The grant came to nothing; the ticket, if it still waits, is back in its place.
    Refused {
        /// Which.
        offer: OfferId,
        /// Why.
        reason: RefuseReason,
    },
    /// The grant ran out without a word from the gateway; the ticket, if it still waits, is back in its place.
    Expired {
        /// Which.
        offer: OfferId,
    },
    /// Operator and caller hear each other. Also when the grant had run out, was being withdrawn, or the ticket had been
    /// ended by the engine meanwhile: the gateway knows who answered.
    Answered {
        /// Under which grant.
        offer: OfferId,
        /// Which ticket.
        ticket: TicketId,
        /// With whom.
        operator: OperatorId,
        /// When.
        answered_at: Time,
    },
    /// A talk that had ended as lost turned out to go on.
    Reconnected {
        /// Which ticket.
        ticket: TicketId,
    },
    /// The talk is over; the ticket ended as answered.
    TalkEnded {
        /// Under which grant.
        offer: OfferId,
        /// When.
        ended_at: Time,
    },

    /// The operator's phone was lost in the middle of the talk. The ticket ended as lost; the caller is there and joins again, with
    /// its seniority.
    OperatorLost {
        /// Under which grant.
        offer: OfferId,
        /// Which ticket.
        ticket: TicketId,
        /// When.
        lost_at: Time,
        /// When `max_wait` runs out for the place that follows: it counts from the loss.
        deadline: Time,
    },

    /// A phone of the operator is registered, or still is.
    Reachable {
        /// Whose.
        operator: OperatorId,
        /// Where.
        gateway: GatewayName,
        /// Until when, if nothing else is heard.
        until: Time,
    },
    /// The operator has no phone at that gateway any more.
    Unreachable {
        /// Whose.
        operator: OperatorId,
        /// Where.
        gateway: GatewayName,
        /// Why.
        reason: UnreachableReason,
    },
    /// The operator came to work.
    SignedIn {
        /// Who.
        operator: OperatorId,
    },
    /// The operator went.
    SignedOut {
        /// Who.
        operator: OperatorId,
        /// Why.
        reason: SignOutReason,
    },
    /// The operator can be offered calls.
    Ready {
        /// Who.
        operator: OperatorId,
        /// Idle since when: decides who is next.
        since: Time,
    },
    /// The operator is offered nothing.
    Paused {
        /// Who.
        operator: OperatorId,
        /// Why.
        reason: PauseReason,
        /// Until when; `None`: until asked to be ready.
        until: Option<Time>,
    },
    /// The operator finishes what the talk left to do.
    WrapUp {
        /// Who.
        operator: OperatorId,
        /// Until when.
        until: Time,
    },
    /// The operator asked for something that waits for the end of the present offer or talk: ready (`Wanted::Ready` takes an
    /// earlier request back), paused or signed out.
    Asked {
        /// Who.
        operator: OperatorId,
        /// For what.
        wanted: crate::Wanted,
    },

    /// The recording of a talk is finished; its gateway, the one of the cause, has the file.
    Recorded {
        /// Whose talk.
        call: CallId,
        /// The ticket that was answered.
        ticket: TicketId,
        /// Below the gateway's directory of recordings, at most 64 characters; empty: nothing was kept.
        file: String,
        /// How much there is to hear.
        duration: Duration,
        /// Why it does not hold all of the talk; `None`: it does.
        flaw: Option<RecordingFlaw>,
    },

    /// A waiting caller is told how things stand; its id is this fact's sequence. Position, wait or both; the position
    /// is never worse than what the same caller was told before, and a wait only with the reason.
    Announced {
        /// To whom.
        ticket: TicketId,
        /// 1 = next; `None`: it is not spoken.
        position: Option<u32>,
        /// The wait still to come; `None`: it is not spoken.
        wait: Option<Promise>,
        /// Why it is longer than what the caller was told before; `None`: it is not.
        rise: Option<RiseReason>,
    },
    /// An announcement is over.
    Heard {
        /// Which.
        announcement: AnnouncementId,
        /// To whom.
        ticket: TicketId,
        /// How much of it.
        how: Hearing,
    },

    /// A journal entry that changes nothing; it moves the cursor.
    Noted {
        /// Why nothing follows from it.
        reason: NoteReason,
    },
}

/// Why a ticket was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LostReason {
    /// The gateway was away longer than the grace.
    Grace,
    /// A new process of the gateway came.
    Superseded,
}

/// Why a ticket is overtaken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SkipReason {
    /// Its gateway is away.
    Detached,
    /// The free operator has no phone at its gateway.
    NoPhone,
}

/// Why a grant is called back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WithdrawReason {
    /// The caller left.
    CallerLeft,
    /// The link to the gateway is down.
    Detached,
    /// The queue service was restarted.
    Restarted,
    /// The operator asked to be paused or signed out.
    OperatorAsked,
    /// The caller or the operator is talking under another grant.
    Superseded,
}

/// Why an operator is paused.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PauseReason {
    /// Asked for, in these words; at most 64 characters.
    Requested(String),
    /// An offer came to nothing.
    Refused(RefuseReason),
    /// An offer ran out and the gateway said nothing.
    Unheard,
    /// Their phone was lost in the middle of a talk.
    PhoneLost,
}

impl fmt::Display for PauseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PauseReason::Requested(text) => text,
            PauseReason::Refused(RefuseReason::Ignored) => "no answer",
            PauseReason::Refused(RefuseReason::Busy) => "busy",
            PauseReason::Refused(RefuseReason::Rejected) => "rejected",
            PauseReason::Refused(RefuseReason::Unreachable) => "unreachable",
            PauseReason::Refused(RefuseReason::Withdrawn) => "withdrawn",
            PauseReason::Unheard => "offer unheard",
            PauseReason::PhoneLost => "phone lost",
        })
    }
}

/// Why an operator is signed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SignOutReason {
    /// Asked for.
    Requested,
    /// No phone is registered any more.
    Unreachable,
    /// Not in the configuration any more.
    Removed,
}

/// Why a phone is not reachable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UnreachableReason {
    /// The gateway said so.
    Reported,
    /// The lease ran out.
    Expired,
    /// A new process of the gateway knows nothing of it.
    Superseded,
}

/// Why nothing follows from an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoteReason {
    /// It names a ticket that is not known, or not any more.
    UnknownTicket,
    /// It names a grant that is not known, or not any more.
    UnknownOffer,
    /// It names an operator who is not configured.
    UnknownOperator,
    /// It names an announcement that is not known, or not any more.
    UnknownAnnouncement,
    /// What it says is known already, or was overtaken by events.
    Stale,
}
