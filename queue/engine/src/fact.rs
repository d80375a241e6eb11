//! The ledger's vocabulary, in the past tense: the queue's decisions and the events reported to it.
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
    AnnouncementId, CallId, Forecast, GatewayName, Language, OfferId, OperatorId, QueueName, RoundId,
    TicketId, Time, Wall,
};

use crate::{Configuration, Contact};

mod reasons;

pub use reasons::{
    LostReason, NoteReason, PauseReason, SignOutReason, SkipReason, UnreachableReason, WithdrawReason,
};

/// A fact with its place in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerEntry {
    /// 1, 2, 3 … without a gap.
    pub seq: u64,
    /// When it was recorded; never decreasing.
    pub at: Time,
    /// The journal entry that caused it. It moves the gateway's cursor: `(epoch, number)` is taken once this fact
    /// is durable. Every accepted entry causes at least one fact ([`Fact::Noted`] if nothing else).
    pub cause: Option<Cause>,
    /// The decision or event recorded.
    pub fact: Fact,
}

impl LedgerEntry {
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
    /// The gateway that keeps the journal.
    pub gateway: GatewayName,
    /// In which epoch.
    pub epoch: u64,
    /// The number of the journal entry.
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

/// The state wanted of an operator. While they are offered a call or talk, it comes after it (an offer is withdrawn for it).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wanted {
    /// To be offered calls; ends a pause or a wrap-up, signs in.
    Ready,
    /// To be offered none.
    Paused {
        /// Why; cut to 64 characters.
        reason: String,
    },
    /// To be gone.
    SignedOut,
}

/// A decision of the queue or an event reported to it. The offer of an [`Fact::Offered`] and the announcement of an
/// [`Fact::Announced`] are the sequence of that very fact.
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
        /// The gateway whose link is up.
        gateway: GatewayName,
        /// The epoch of the gateway's process.
        epoch: u64,
        /// The newest entry of its journal at that moment.
        last: u64,
        /// Tells the process from another in the same epoch; 0: not told.
        instance: u64,
    },
    /// A gateway's link is down: its tickets are detached, until it is back or gone.
    GatewayDetached {
        /// The gateway whose link is down.
        gateway: GatewayName,
        /// The epoch of the gateway's process.
        epoch: u64,
        /// Until when its tickets keep their places.
        grace_until: Time,
    },
    /// A new process of the gateway came: what the old one held is lost (`Lost`, `Expired`, `Unreachable` facts follow).
    GatewaySuperseded {
        /// The gateway that has a new process.
        gateway: GatewayName,
        /// The new process.
        epoch: u64,
    },
    /// An administrator made the gateway begin again: what it held is lost (`Lost`, `Expired`, `Unreachable` facts follow), and
    /// the highest epoch known of it is 0. A process with a later epoch than [`limits::EPOCH_STEP`](crate::limits::EPOCH_STEP)
    /// is refused, hears so, and begins epoch 1.
    GatewayReset {
        /// The gateway to begin again.
        gateway: GatewayName,
    },
    /// The grace is over: its tickets end as lost (facts follow), its cursor is kept.
    GatewayGone {
        /// The gateway that is gone.
        gateway: GatewayName,
    },

    /// A call reached a configured number.
    CallBegan {
        /// The call that began.
        call: CallId,
        /// The configured number dialled, at most 64 characters.
        dialled: String,
        /// By which way it came.
        origin: Origin,
    },
    /// The call is over.
    CallEnded {
        /// The call that ended.
        call: CallId,
        /// The outcome of the call.
        outcome: CallOutcome,
        /// From the 200 to the end; zero if never answered.
        duration: Duration,
        /// Keys pressed, how many.
        digits: u32,
    },

    /// A contact took a place.
    Joined {
        /// The ticket of the place taken.
        ticket: TicketId,
        /// The contact that joined the queue.
        contact: Contact,
        /// In which queue.
        queue: QueueName,
        /// The caller's language.
        language: Language,
        /// Seniority: when they joined (first).
        joined_at: Time,
        /// Served as if they had joined so much earlier.
        head_start: Duration,
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
        /// The contact that was refused a place.
        contact: Contact,
        /// In which queue.
        queue: QueueName,
    },
    /// A contact left of its own accord (or its gateway gave up on us).
    Left {
        /// The ticket of the place left.
        ticket: TicketId,
        /// The reason for leaving.
        reason: LeaveReason,
    },
    /// The queue sent the contact on by an exit.
    Exited {
        /// The ticket sent on.
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
        /// The ticket that overflowed.
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
        /// The ticket sent back.
        ticket: TicketId,
        /// The queue that nobody serves.
        queue: QueueName,
        /// The queue it is in from here on.
        to: QueueName,
    },
    /// The ticket ended with its gateway.
    Lost {
        /// The ticket that ended.
        ticket: TicketId,
        /// The reason for the loss.
        reason: LostReason,
    },
    /// A ticket the engine had ended is over for its gateway too and need not be remembered.
    Forgotten {
        /// The ticket to forget.
        ticket: TicketId,
    },
    /// A waiting ticket is about to be overtaken by the next offered one. Once per absence.
    Skipped {
        /// The ticket that is overtaken.
        ticket: TicketId,
        /// The reason for passing it over.
        reason: SkipReason,
    },

    /// A grant was made; its id is this fact's sequence.
    Offered {
        /// The ticket that is offered.
        ticket: TicketId,
        /// The round that it joins; `None`: it begins one, which has the number of this fact.
        round: Option<RoundId>,
        /// The operator who receives the offer.
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
        /// The grant being withdrawn.
        offer: OfferId,
        /// The reason for the withdrawal.
        reason: WithdrawReason,
    },
    /// The grant came to nothing; the ticket, if it still waits, is back in its place.
    Refused {
        /// The grant that was refused.
        offer: OfferId,
        /// The reason for the refusal.
        reason: RefuseReason,
    },
    /// The grant ran out without a word from the gateway; the ticket, if it still waits, is back in its place.
    Expired {
        /// The grant that ran out.
        offer: OfferId,
    },
    /// Operator and caller hear each other. Also when the grant had run out, was being withdrawn, or the ticket had been
    /// ended by the engine meanwhile: the gateway knows who answered.
    Answered {
        /// Under which grant.
        offer: OfferId,
        /// The ticket in the talk.
        ticket: TicketId,
        /// The operator who answered.
        operator: OperatorId,
        /// The time of the answer.
        answered_at: Time,
    },
    /// A talk that had ended as lost turned out to go on.
    Reconnected {
        /// The ticket whose talk goes on.
        ticket: TicketId,
    },
    /// The talk is over; the ticket ended as answered.
    TalkEnded {
        /// Under which grant.
        offer: OfferId,
        /// The end of the talk.
        ended_at: Time,
    },

    /// The operator's phone was lost in the middle of the talk. The ticket ended as lost; the caller is there and joins again, with
    /// its seniority.
    OperatorLost {
        /// Under which grant.
        offer: OfferId,
        /// The ticket that ended as lost.
        ticket: TicketId,
        /// The time of the loss.
        lost_at: Time,
        /// When `max_wait` runs out for the place that follows: it counts from the loss.
        deadline: Time,
    },

    /// A phone of the operator is registered, or still is.
    Reachable {
        /// The operator whose phone is registered.
        operator: OperatorId,
        /// The gateway that holds the registration.
        gateway: GatewayName,
        /// Until when, if nothing else is heard.
        until: Time,
    },
    /// The operator has no phone at that gateway any more.
    Unreachable {
        /// The operator who lost the registration.
        operator: OperatorId,
        /// The gateway that held the registration.
        gateway: GatewayName,
        /// The reason for the loss of the registration.
        reason: UnreachableReason,
    },
    /// The operator came to work.
    SignedIn {
        /// The operator who signed in.
        operator: OperatorId,
    },
    /// The operator went.
    SignedOut {
        /// The operator who signed out.
        operator: OperatorId,
        /// The reason for signing out.
        reason: SignOutReason,
    },
    /// The operator can be offered calls.
    Ready {
        /// The operator who is ready.
        operator: OperatorId,
        /// Idle since when: decides who is next.
        since: Time,
    },
    /// The operator is offered nothing.
    Paused {
        /// The operator who is paused.
        operator: OperatorId,
        /// The reason for the pause.
        reason: PauseReason,
        /// Until when; `None`: until asked to be ready.
        until: Option<Time>,
    },
    /// The operator finishes what the talk left to do.
    WrapUp {
        /// The operator in wrap-up.
        operator: OperatorId,
        /// The end of the wrap-up.
        until: Time,
    },
    /// The operator asked for something that waits for the end of the present offer or talk: ready (`Wanted::Ready` takes an
    /// earlier request back), paused or signed out.
    Asked {
        /// The operator who asked.
        operator: OperatorId,
        /// The state asked for.
        wanted: Wanted,
    },

    /// The recording of a talk is finished; its gateway, the one of the cause, has the file.
    Recorded {
        /// The call whose talk was recorded.
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
        /// The ticket whose caller is told.
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
        /// The announcement that is over.
        announcement: AnnouncementId,
        /// The ticket whose caller was told.
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
