//! The values that only facts hold, each with its one form on the wire. The others are in [`pronto_proto::wire`].

use pronto_engine::{
    CallerKey, LostReason, NoteReason, PauseReason, SignIn, SignOutReason, SkipReason, Strategy,
    UnreachableReason, Wanted, WithdrawReason,
};
use pronto_proto::reasons;
use pronto_proto::v1::fact;
use pronto_proto::wire::{Wire, WireError, duration};
use pronto_types::Forecast;
use pronto_types::link::{Origin, Promise};

use super::Ledger;

impl Wire<Ledger> for Promise {
    type Form = fact::Promise;

    fn to_wire(&self) -> fact::Promise {
        fact::Promise {
            p50: Some(duration(self.p50)),
            p90: Some(duration(self.p90)),
        }
    }

    fn from_wire(form: fact::Promise, _: &'static str) -> Result<Self, WireError> {
        Ok(Promise {
            p50: Wire::<Ledger>::from_wire(form.p50, "Promise.p50")?,
            p90: Wire::<Ledger>::from_wire(form.p90, "Promise.p90")?,
        })
    }
}

impl Wire<Ledger> for Forecast {
    type Form = fact::Forecast;

    fn to_wire(&self) -> fact::Forecast {
        let [p50, p80, p90] = [self.p50, self.p80, self.p90].map(|wait| Some(duration(wait)));
        fact::Forecast { p50, p80, p90 }
    }

    fn from_wire(form: fact::Forecast, _: &'static str) -> Result<Self, WireError> {
        Ok(Forecast {
            p50: Wire::<Ledger>::from_wire(form.p50, "Forecast.p50")?,
            p80: Wire::<Ledger>::from_wire(form.p80, "Forecast.p80")?,
            p90: Wire::<Ledger>::from_wire(form.p90, "Forecast.p90")?,
        })
    }
}

/// A text, which may be empty. Its length is not checked again: the limit may have been another when it was written.
impl Wire<Ledger> for String {
    type Form = String;

    fn to_wire(&self) -> String {
        self.clone()
    }

    fn from_wire(form: String, _: &'static str) -> Result<Self, WireError> {
        Ok(form)
    }
}

impl Wire<Ledger> for CallerKey {
    type Form = Vec<u8>;

    fn to_wire(&self) -> Vec<u8> {
        self.0.to_vec()
    }

    fn from_wire(form: Vec<u8>, field: &'static str) -> Result<Self, WireError> {
        let key = form.try_into().map_err(|_| WireError::Invalid(field))?;
        Ok(CallerKey(key))
    }
}

impl Wire<Ledger> for Origin {
    type Form = Option<fact::call_began::Origin>;

    fn to_wire(&self) -> Self::Form {
        Some(match self {
            Origin::Trunk(name) => fact::call_began::Origin::Trunk(Wire::<Ledger>::to_wire(name)),
            Origin::Operator(id) => fact::call_began::Origin::Operator(Wire::<Ledger>::to_wire(id)),
        })
    }

    fn from_wire(form: Self::Form, field: &'static str) -> Result<Self, WireError> {
        Ok(match form.ok_or(WireError::Missing(field))? {
            fact::call_began::Origin::Trunk(name) => Origin::Trunk(Wire::<Ledger>::from_wire(name, field)?),
            fact::call_began::Origin::Operator(id) => Origin::Operator(Wire::<Ledger>::from_wire(id, field)?),
        })
    }
}

impl Wire<Ledger> for PauseReason {
    type Form = Option<fact::paused::Reason>;

    fn to_wire(&self) -> Self::Form {
        Some(match self {
            PauseReason::Requested(words) => fact::paused::Reason::Requested(words.clone()),
            PauseReason::Refused(reason) => fact::paused::Reason::Refused(Wire::<Ledger>::to_wire(reason)),
            PauseReason::Unheard => fact::paused::Reason::Unheard(fact::paused::Unheard {}),
            PauseReason::PhoneLost => fact::paused::Reason::PhoneLost(fact::paused::PhoneLost {}),
        })
    }

    fn from_wire(form: Self::Form, field: &'static str) -> Result<Self, WireError> {
        Ok(match form.ok_or(WireError::Missing(field))? {
            fact::paused::Reason::Requested(words) => PauseReason::Requested(words),
            fact::paused::Reason::Refused(reason) => {
                PauseReason::Refused(Wire::<Ledger>::from_wire(reason, field)?)
            }
            fact::paused::Reason::Unheard(fact::paused::Unheard {}) => PauseReason::Unheard,
            fact::paused::Reason::PhoneLost(fact::paused::PhoneLost {}) => PauseReason::PhoneLost,
        })
    }
}

impl Wire<Ledger> for Wanted {
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

    fn from_wire(form: Self::Form, field: &'static str) -> Result<Self, WireError> {
        use fact::asked::{Wanted as Theirs, WantedPaused, WantedReady, WantedSignedOut};
        Ok(match form.ok_or(WireError::Missing(field))? {
            Theirs::Ready(WantedReady {}) => Wanted::Ready,
            Theirs::Paused(WantedPaused { reason }) => Wanted::Paused { reason },
            Theirs::SignedOut(WantedSignedOut {}) => Wanted::SignedOut,
        })
    }
}

reasons! {
    (Ledger)
    LostReason = fact::LostReason { Grace, Superseded }
    SkipReason = fact::SkipReason { Detached, NoPhone }
    WithdrawReason = fact::WithdrawReason { CallerLeft, Detached, Restarted, OperatorAsked, Superseded }
    SignOutReason = fact::SignOutReason { Requested, Unreachable, Removed }
    UnreachableReason = fact::UnreachableReason { Reported, Expired, Superseded }
    NoteReason = fact::NoteReason { UnknownTicket, UnknownOffer, UnknownOperator, Stale, UnknownAnnouncement }
    Strategy = fact::configured::Strategy { LongestIdle }
    SignIn = fact::configured::SignIn { Registration }
}
