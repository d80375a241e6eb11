//! The values in facts: ids, names, times, reasons, each with its one form on the wire.

use std::time::Duration;

use pronto_engine::{
    CallerKey, LostReason, NoteReason, PauseReason, SignIn, SignOutReason, SkipReason, Strategy,
    UnreachableReason, Wanted, WithdrawReason,
};
use pronto_proto::link::duration;
use pronto_proto::v1::{self, fact};
use pronto_types::link::{
    CallOutcome, Channel, ExitReason, Hearing, LeaveReason, Origin, Promise, RecordingFlaw, RefuseReason,
    RiseReason,
};
use pronto_types::{
    AnnouncementId, CallId, ContactId, Forecast, GatewayName, Language, OfferId, OperatorId, QueueName,
    RoundId, TicketId, Time,
};

use super::LedgerError;

/// A value with a form on the wire.
pub(super) trait Wire: Sized {
    /// The type of the generated field.
    type Form;

    /// For the wire.
    fn to_wire(&self) -> Self::Form;

    /// Understands what `to_wire` made; `field` is for the error.
    fn from_wire(form: Self::Form, field: &'static str) -> Result<Self, LedgerError>;
}

/// A length of time from its seconds and nanoseconds. Written out because the conversion of `prost-types` overflows
/// at `i64::MIN` seconds, and takes forms that [`super::encode`] never writes.
pub(super) fn lasting(form: Option<(i64, i32)>, field: &'static str) -> Result<Duration, LedgerError> {
    let (seconds, nanos) = form.ok_or(LedgerError::Missing(field))?;
    match (u64::try_from(seconds), u32::try_from(nanos)) {
        (Ok(seconds), Ok(nanos)) if nanos < 1_000_000_000 => Ok(Duration::new(seconds, nanos)),
        _ => Err(LedgerError::Invalid(field)),
    }
}

/// Absent or as it is.
impl<T: Wire> Wire for Option<T> {
    type Form = Option<T::Form>;

    fn to_wire(&self) -> Self::Form {
        self.as_ref().map(Wire::to_wire)
    }

    fn from_wire(form: Self::Form, field: &'static str) -> Result<Self, LedgerError> {
        form.map(|form| T::from_wire(form, field)).transpose()
    }
}

/// Counted from 1: sequences, epochs, numbers of entries. On the wire 0 and absent are the same.
impl Wire for u64 {
    type Form = u64;

    fn to_wire(&self) -> u64 {
        *self
    }

    fn from_wire(form: u64, field: &'static str) -> Result<Self, LedgerError> {
        if form == 0 {
            Err(LedgerError::Missing(field))
        } else {
            Ok(form)
        }
    }
}

/// Counted from 1: a position.
impl Wire for u32 {
    type Form = u32;

    fn to_wire(&self) -> u32 {
        *self
    }

    fn from_wire(form: u32, field: &'static str) -> Result<Self, LedgerError> {
        if form == 0 {
            Err(LedgerError::Missing(field))
        } else {
            Ok(form)
        }
    }
}

impl Wire for Promise {
    type Form = fact::Promise;

    fn to_wire(&self) -> fact::Promise {
        fact::Promise {
            p50: Some(duration(self.p50)),
            p90: Some(duration(self.p90)),
        }
    }

    fn from_wire(form: fact::Promise, _: &'static str) -> Result<Self, LedgerError> {
        Ok(Promise {
            p50: lasting(form.p50.map(|it| (it.seconds, it.nanos)), "Promise.p50")?,
            p90: lasting(form.p90.map(|it| (it.seconds, it.nanos)), "Promise.p90")?,
        })
    }
}

impl Wire for Forecast {
    type Form = fact::Forecast;

    fn to_wire(&self) -> fact::Forecast {
        let [p50, p80, p90] = [self.p50, self.p80, self.p90].map(|wait| Some(duration(wait)));
        fact::Forecast { p50, p80, p90 }
    }

    fn from_wire(form: fact::Forecast, _: &'static str) -> Result<Self, LedgerError> {
        Ok(Forecast {
            p50: lasting(form.p50.map(|it| (it.seconds, it.nanos)), "Forecast.p50")?,
            p80: lasting(form.p80.map(|it| (it.seconds, it.nanos)), "Forecast.p80")?,
            p90: lasting(form.p90.map(|it| (it.seconds, it.nanos)), "Forecast.p90")?,
        })
    }
}

macro_rules! ids {
    ($($Id:ident),*) => {
        $(impl Wire for $Id {
            type Form = u64;

            fn to_wire(&self) -> u64 {
                self.0
            }

            fn from_wire(form: u64, field: &'static str) -> Result<Self, LedgerError> {
                u64::from_wire(form, field).map($Id)
            }
        })*
    };
}

ids!(CallId, ContactId, TicketId, OfferId, RoundId, AnnouncementId);

macro_rules! names {
    ($($Name:ident),*) => {
        $(impl Wire for $Name {
            type Form = String;

            fn to_wire(&self) -> String {
                self.as_str().to_owned()
            }

            fn from_wire(form: String, field: &'static str) -> Result<Self, LedgerError> {
                if form.is_empty() {
                    return Err(LedgerError::Missing(field));
                }
                $Name::new(&form).map_err(|source| LedgerError::Name { field, source })
            }
        })*
    };
}

names!(GatewayName, OperatorId, QueueName);

/// A text, which may be empty. Its length is not checked again: the limit may have been another when it was written.
impl Wire for String {
    type Form = String;

    fn to_wire(&self) -> String {
        self.clone()
    }

    fn from_wire(form: String, _: &'static str) -> Result<Self, LedgerError> {
        Ok(form)
    }
}

/// Microseconds since the epoch: nothing is rounded.
impl Wire for Time {
    type Form = i64;

    fn to_wire(&self) -> i64 {
        self.as_micros()
    }

    fn from_wire(form: i64, _: &'static str) -> Result<Self, LedgerError> {
        Ok(Time::from_micros(form))
    }
}

impl Wire for Language {
    type Form = String;

    fn to_wire(&self) -> String {
        self.code().to_owned()
    }

    fn from_wire(form: String, field: &'static str) -> Result<Self, LedgerError> {
        if form.is_empty() {
            return Err(LedgerError::Missing(field));
        }
        Language::from_code(&form).ok_or(LedgerError::Invalid(field))
    }
}

impl Wire for CallerKey {
    type Form = Vec<u8>;

    fn to_wire(&self) -> Vec<u8> {
        self.0.to_vec()
    }

    fn from_wire(form: Vec<u8>, field: &'static str) -> Result<Self, LedgerError> {
        let key = form.try_into().map_err(|_| LedgerError::Invalid(field))?;
        Ok(CallerKey(key))
    }
}

impl Wire for Origin {
    type Form = Option<fact::call_began::Origin>;

    fn to_wire(&self) -> Self::Form {
        Some(match self {
            Origin::Trunk(name) => fact::call_began::Origin::Trunk(name.clone()),
            Origin::Operator(id) => fact::call_began::Origin::Operator(id.to_wire()),
        })
    }

    fn from_wire(form: Self::Form, field: &'static str) -> Result<Self, LedgerError> {
        Ok(match form.ok_or(LedgerError::Missing(field))? {
            fact::call_began::Origin::Trunk(name) => Origin::Trunk(name),
            fact::call_began::Origin::Operator(id) => Origin::Operator(Wire::from_wire(id, field)?),
        })
    }
}

/// The first number of the enum is a channel: what is absent is a phone.
impl Wire for Channel {
    type Form = i32;

    fn to_wire(&self) -> i32 {
        match self {
            Channel::Phone => v1::Channel::Phone.into(),
        }
    }

    fn from_wire(form: i32, field: &'static str) -> Result<Self, LedgerError> {
        match v1::Channel::try_from(form) {
            Ok(v1::Channel::Phone) => Ok(Channel::Phone),
            Err(_) => Err(LedgerError::Invalid(field)),
        }
    }
}

impl Wire for PauseReason {
    type Form = Option<fact::paused::Reason>;

    fn to_wire(&self) -> Self::Form {
        Some(match self {
            PauseReason::Requested(words) => fact::paused::Reason::Requested(words.clone()),
            PauseReason::Refused(reason) => fact::paused::Reason::Refused(reason.to_wire()),
            PauseReason::Unheard => fact::paused::Reason::Unheard(fact::paused::Unheard {}),
            PauseReason::PhoneLost => fact::paused::Reason::PhoneLost(fact::paused::PhoneLost {}),
        })
    }

    fn from_wire(form: Self::Form, field: &'static str) -> Result<Self, LedgerError> {
        Ok(match form.ok_or(LedgerError::Missing(field))? {
            fact::paused::Reason::Requested(words) => PauseReason::Requested(words),
            fact::paused::Reason::Refused(reason) => PauseReason::Refused(Wire::from_wire(reason, field)?),
            fact::paused::Reason::Unheard(fact::paused::Unheard {}) => PauseReason::Unheard,
            fact::paused::Reason::PhoneLost(fact::paused::PhoneLost {}) => PauseReason::PhoneLost,
        })
    }
}

impl Wire for Wanted {
    type Form = Option<fact::asked::Wanted>;

    fn to_wire(&self) -> Self::Form {
        use fact::asked::{Wanted as Theirs, WantedPaused, WantedReady, WantedSignedOut};
        Some(match self {
            Wanted::Ready => Theirs::Ready(WantedReady {}),
            Wanted::Paused { reason } => Theirs::Paused(WantedPaused {
                reason: reason.clone(),
            }),
            Wanted::SignedOut => Theirs::SignedOut(WantedSignedOut {}),
        })
    }

    fn from_wire(form: Self::Form, field: &'static str) -> Result<Self, LedgerError> {
        use fact::asked::{Wanted as Theirs, WantedPaused, WantedReady, WantedSignedOut};
        Ok(match form.ok_or(LedgerError::Missing(field))? {
            Theirs::Ready(WantedReady {}) => Wanted::Ready,
            Theirs::Paused(WantedPaused { reason }) => Wanted::Paused { reason },
            Theirs::SignedOut(WantedSignedOut {}) => Wanted::SignedOut,
        })
    }
}

macro_rules! reasons {
    ($($Ours:ident = $Theirs:path { $($reason:ident),* $(,)? })*) => {
        $(impl Wire for $Ours {
            type Form = i32;

            fn to_wire(&self) -> i32 {
                use $Theirs as Theirs;
                match self { $($Ours::$reason => Theirs::$reason.into()),* }
            }

            fn from_wire(form: i32, field: &'static str) -> Result<Self, LedgerError> {
                use $Theirs as Theirs;
                match Theirs::try_from(form) {
                    $(Ok(Theirs::$reason) => Ok($Ours::$reason),)*
                    Ok(Theirs::Unspecified) => Err(LedgerError::Missing(field)),
                    Err(_) => Err(LedgerError::Invalid(field)),
                }
            }
        })*
    };
}

reasons! {
    LeaveReason = v1::LeaveReason { Abandoned, Key, TimedOut, Failed, PeerLost }
    RefuseReason = v1::RefuseReason { Ignored, Busy, Rejected, Unreachable, Withdrawn }
    ExitReason = v1::ExitReason { TimedOut, Nobody, Failed }
    CallOutcome = v1::CallOutcome { CallerHungUp, Completed, Cancelled, Refused, PeerLost, GatewayLost, Stopped }
    RecordingFlaw = v1::RecordingFlaw { DiskFull, DiskFailed, Overrun, Killed }
    LostReason = fact::LostReason { Grace, Superseded }
    SkipReason = fact::SkipReason { Detached, NoPhone }
    WithdrawReason = fact::WithdrawReason { CallerLeft, Detached, Restarted, OperatorAsked, Superseded }
    SignOutReason = fact::SignOutReason { Requested, Unreachable, Removed }
    UnreachableReason = fact::UnreachableReason { Reported, Expired, Superseded }
    NoteReason = fact::NoteReason { UnknownTicket, UnknownOffer, UnknownOperator, Stale, UnknownAnnouncement }
    Hearing = v1::Hearing { Whole, Cut }
    RiseReason = v1::RiseReason { FewerOperators, CallersAhead, LongerCalls, Unknown }
    Strategy = fact::configured::Strategy { LongestIdle }
    SignIn = fact::configured::SignIn { Registration }
}
