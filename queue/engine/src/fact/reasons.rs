//! The reasons in facts.

use std::fmt;

use pronto_types::link::RefuseReason;

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
    /// A request to sign out.
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
    /// The entry's content is known already, or was overtaken by events.
    Stale,
}
