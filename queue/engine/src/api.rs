//! Inputs and outputs of the engine.

use std::collections::BTreeSet;
use std::time::Duration;

use pronto_types::link::{Directive, Event};
use pronto_types::{GatewayName, OperatorId, QueueName};

use crate::fact::{CallerKey, LedgerEntry, Wanted};
use crate::{Configuration, ConfigurationError};

/// The number a shell gives a request to find it again in [`Output::Reply`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// An input to the engine: an event, a request or the passing of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The configuration to act on. LedgerEntry if it differs from the last one; one that does not pass
    /// [`Configuration::validate`] is answered by [`Output::ConfigurationRefused`].
    Configure(Configuration),
    /// This process took over the ledger (after [`crate::Engine::fold`]): every link is down, settling begins. On an empty ledger too.
    Started,
    /// The wall clock stands `offset` microseconds ahead of [`pronto_types::Time`] from now on. Nothing is decided by it: it
    /// may be said before `Started`, so that what follows is dated truly.
    ClockSet {
        /// LedgerEntry if it differs.
        offset: i64,
    },
    /// A gateway said hello. When a newer stream of the same gateway replaces an older one, say this again and
    /// *not* `Detached` for the older one.
    Attached {
        /// The gateway that said hello.
        gateway: GatewayName,
        /// The epoch of the gateway's process.
        epoch: u64,
        /// The number of its newest entry (`Hello.last`): nothing is offered to it before they are here.
        last: u64,
        /// Tells the process from another in the same epoch; 0: not told.
        instance: u64,
    },
    /// An administrator wants a gateway to begin again, whatever epoch it comes with.
    ResetGateway {
        /// The gateway. Nothing happens if it was never here.
        gateway: GatewayName,
    },
    /// An attached gateway wants to be told the forecasts of these queues: at once, and as they change.
    /// To be said after each `Attached`.
    Follow {
        /// The gateway that wants the forecasts.
        gateway: GatewayName,
        /// Its process. Of one that was refused: ignored.
        epoch: u64,
        /// The queues; one that is not configured is not known.
        queues: BTreeSet<QueueName>,
    },
    /// The link is down.
    Detached {
        /// The gateway whose link is down.
        gateway: GatewayName,
        /// The epoch of that link.
        epoch: u64,
    },
    /// A line of a gateway's journal.
    Entry {
        /// The gateway that keeps the journal.
        gateway: GatewayName,
        /// In which epoch.
        epoch: u64,
        /// The entry's number. An entry already taken is acknowledged again; a gap is ignored without an
        /// acknowledgement.
        number: u64,
        /// How long ago it happened.
        age: Duration,
        /// The event that the entry records.
        event: Event,
        /// For a `Joined`: a key that recognises the caller without identifying them.
        caller_key: Option<CallerKey>,
    },
    /// Someone wants an operator in another state.
    SetOperator {
        /// For the reply.
        request: RequestId,
        /// The operator whose state is to change.
        operator: OperatorId,
        /// The state that is wanted.
        wanted: Wanted,
    },
}

/// Something to do. Facts come out before what depends on them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// To be appended to the ledger. All facts of one drain are one transaction.
    Fact(LedgerEntry),
    /// The link is accepted; the gateway sends the entries after `have`.
    Welcome {
        /// The gateway whose link is accepted.
        gateway: GatewayName,
        /// The epoch of the gateway's process.
        epoch: u64,
        /// The newest entry taken.
        have: u64,
    },
    /// The link is refused.
    Refuse {
        /// The gateway whose link is refused.
        gateway: GatewayName,
        /// The epoch of the gateway's process.
        epoch: u64,
        /// The reason for the refusal.
        reason: Refusal,
    },
    /// To be sent to the gateway, if that link is still up; never kept for later. What comes out before the
    /// [`Output::Welcome`] of a newer link belongs to the older one and is dropped: once the gateway is in step the
    /// engine says again what is still true.
    ///
    /// What the engine relies on, on the other side: an offer is refused or answered exactly once, and a second
    /// one with the same number ignored; `Exit` and `Rejoin` of a ticket that does not wait are ignored; so is
    /// `Withdraw` of an offer never seen (answering it with `Refused{Withdrawn}` frees the operator sooner).
    Directive {
        /// The gateway that receives the directive.
        gateway: GatewayName,
        /// To which process.
        epoch: u64,
        /// The directive to carry out.
        directive: Directive,
    },
    /// All entries up to `number` are taken.
    Acknowledge {
        /// The gateway whose entries are taken.
        gateway: GatewayName,
        /// The epoch of the entries.
        epoch: u64,
        /// Up to which.
        number: u64,
    },
    /// The answer to [`Input::SetOperator`].
    Reply {
        /// To which request.
        request: RequestId,
        /// Whether it is done (or will be, after the present call).
        result: Result<(), SetOperatorError>,
    },
    /// [`Input::Configure`] was not taken.
    ConfigurationRefused(ConfigurationError),
}

/// Why a link is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// Another process of the gateway has been here, in this epoch or a higher one (`FAILED_PRECONDITION`).
    OldEpoch {
        /// The highest epoch that the engine knows of the gateway.
        highest: u64,
    },
    /// An epoch too far above the highest known: a mistake or an attack, after which no honest process could come
    /// (`FAILED_PRECONDITION`).
    EpochTooHigh {
        /// The highest epoch that the engine knows of the gateway; 0: none.
        highest: u64,
    },
    /// More gateways than [`crate::limits::GATEWAYS`] (`RESOURCE_EXHAUSTED`).
    TooManyGateways,
}

/// Why an operator cannot be put into the state wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum SetOperatorError {
    /// Not configured (`NOT_FOUND`).
    #[error("no such operator")]
    Unknown,
    /// A phone-only operator without a registered phone cannot be ready (`FAILED_PRECONDITION`).
    #[error("the operator signs in by registering a phone, and none is registered")]
    NotRegistered,
    /// An operator who is signed out cannot be paused (`FAILED_PRECONDITION`).
    #[error("the operator is signed out")]
    SignedOut,
}
