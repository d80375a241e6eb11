//! One trait for both wire codecs: that of the link ([`crate::link`]) and that of the ledger's facts, in `pronto-queue`. A value
//! says once what its form is; [`messages!`](crate::messages) makes both directions of whole messages from a table of fields.
//!
//! Most values have one form. Where the codecs differ (a text of the link has a limit, one of the ledger is taken as it was
//! written) the codec in `Wire<Codec>` tells them apart.

use std::time::Duration;

use pronto_types::link::{
    CallOutcome, Channel, ExitReason, Hearing, LeaveReason, RecordingFlaw, RefuseReason, RiseReason,
};
use pronto_types::{
    AnnouncementId, CallId, ContactId, GatewayName, InvalidName, Language, OfferId, OperatorId, QueueName,
    RoundId, TicketId, Time, TrunkName,
};

use crate::v1;

/// A value with a form on the wire.
pub trait Wire<Codec>: Sized {
    /// The type of the generated field.
    type Form;

    /// The form of the value.
    fn to_wire(&self) -> Self::Form;

    /// The value of a form; `field` is for the error.
    ///
    /// # Errors
    /// [`WireError`]: the form is not one that `to_wire` makes.
    fn from_wire(form: Self::Form, field: &'static str) -> Result<Self, WireError>;
}

/// An enum whose messages are made from a table.
pub trait Table<Codec> {
    /// The names in the table, those `by hand` left out.
    const NAMES: &'static [&'static str];
}

/// A message that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// A field that must be there is not.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A field holds what it may not.
    #[error("`{0}` is not valid")]
    Invalid(&'static str),
    /// A list is longer than it may be.
    #[error("`{field}`: found {found}, expected at most {limit}")]
    TooMany {
        /// The field whose list is too long.
        field: &'static str,
        /// How many it holds.
        found: usize,
        /// How many it may hold.
        limit: usize,
    },
    /// A name is no name.
    #[error("`{field}` is not valid: {source}")]
    Name {
        /// The field that is not valid.
        field: &'static str,
        /// The reason why the name is not valid.
        source: InvalidName,
    },
}

/// A duration as a message.
pub fn duration(duration: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(duration.subsec_nanos()).unwrap_or(0),
    }
}

/// A moment as a message.
pub fn timestamp(time: Time) -> prost_types::Timestamp {
    let micros = time.as_micros();
    prost_types::Timestamp {
        seconds: micros.div_euclid(1_000_000),
        nanos: i32::try_from(micros.rem_euclid(1_000_000) * 1000).unwrap_or(0),
    }
}

/// A length of time, which must be there. Written out, as the conversion of `prost-types` overflows at `i64::MIN` seconds, which a
/// peer could send, and takes forms that [`duration`] never makes.
impl<C> Wire<C> for Duration {
    type Form = Option<prost_types::Duration>;

    fn to_wire(&self) -> Self::Form {
        Some(duration(*self))
    }

    fn from_wire(form: Self::Form, field: &'static str) -> Result<Self, WireError> {
        let form = form.ok_or(WireError::Missing(field))?;
        match (u64::try_from(form.seconds), u32::try_from(form.nanos)) {
            (Ok(seconds), Ok(nanos)) if nanos < 1_000_000_000 => Ok(Duration::new(seconds, nanos)),
            _ => Err(WireError::Invalid(field)),
        }
    }
}

/// A length of time that is zero when it is absent.
///
/// # Errors
/// As for a length that must be there.
pub fn zero_if_absent(
    form: Option<prost_types::Duration>,
    field: &'static str,
) -> Result<Duration, WireError> {
    form.map_or(Ok(Duration::ZERO), |form| {
        <Duration as Wire<()>>::from_wire(Some(form), field)
    })
}

/// Absent or as it is.
impl<C, T: Wire<C>> Wire<C> for Option<T> {
    type Form = Option<T::Form>;

    fn to_wire(&self) -> Self::Form {
        self.as_ref().map(T::to_wire)
    }

    fn from_wire(form: Self::Form, field: &'static str) -> Result<Self, WireError> {
        form.map(|form| T::from_wire(form, field)).transpose()
    }
}

/// One after the other.
impl<C, T: Wire<C>> Wire<C> for Vec<T> {
    type Form = Vec<T::Form>;

    fn to_wire(&self) -> Self::Form {
        self.iter().map(T::to_wire).collect()
    }

    fn from_wire(form: Self::Form, field: &'static str) -> Result<Self, WireError> {
        form.into_iter().map(|form| T::from_wire(form, field)).collect()
    }
}

macro_rules! counted {
    ($($number:ty)*) => {
        $(
            /// Counted from 1: sequences, epochs, numbers of entries, positions. On the wire 0 and absent are the same.
            impl<C> Wire<C> for $number {
                type Form = $number;

                fn to_wire(&self) -> $number {
                    *self
                }

                fn from_wire(form: $number, field: &'static str) -> Result<Self, WireError> {
                    if form == 0 {
                        Err(WireError::Missing(field))
                    } else {
                        Ok(form)
                    }
                }
            }
        )*
    };
}

counted!(u64 u32);

macro_rules! ids {
    ($($Id:ident)*) => {
        $(impl<C> Wire<C> for $Id {
            type Form = u64;

            fn to_wire(&self) -> u64 {
                self.0
            }

            fn from_wire(form: u64, field: &'static str) -> Result<Self, WireError> {
                <u64 as Wire<C>>::from_wire(form, field).map($Id)
            }
        })*
    };
}

ids!(CallId ContactId TicketId OfferId RoundId AnnouncementId);

macro_rules! names {
    ($($Name:ident)*) => {
        $(impl<C> Wire<C> for $Name {
            type Form = String;

            fn to_wire(&self) -> String {
                self.as_str().to_owned()
            }

            fn from_wire(form: String, field: &'static str) -> Result<Self, WireError> {
                if form.is_empty() {
                    return Err(WireError::Missing(field));
                }
                $Name::new(&form).map_err(|source| WireError::Name { field, source })
            }
        })*
    };
}

names!(GatewayName OperatorId QueueName TrunkName);

/// Microseconds since the epoch: nothing is rounded.
impl<C> Wire<C> for Time {
    type Form = i64;

    fn to_wire(&self) -> i64 {
        self.as_micros()
    }

    fn from_wire(form: i64, _: &'static str) -> Result<Self, WireError> {
        Ok(Time::from_micros(form))
    }
}

impl<C> Wire<C> for Language {
    type Form = String;

    fn to_wire(&self) -> String {
        self.code().to_owned()
    }

    fn from_wire(form: String, field: &'static str) -> Result<Self, WireError> {
        if form.is_empty() {
            return Err(WireError::Missing(field));
        }
        Language::from_code(&form).ok_or(WireError::Invalid(field))
    }
}

/// The first number of the enum is a channel: what is absent is a phone.
impl<C> Wire<C> for Channel {
    type Form = i32;

    fn to_wire(&self) -> i32 {
        match self {
            Channel::Phone => v1::Channel::Phone.into(),
        }
    }

    fn from_wire(form: i32, field: &'static str) -> Result<Self, WireError> {
        match v1::Channel::try_from(form) {
            Ok(v1::Channel::Phone) => Ok(Channel::Phone),
            Err(_) => Err(WireError::Invalid(field)),
        }
    }
}

/// The forms of enums whose values have the same names on the wire: `(for every codec)`, or for one.
#[macro_export]
macro_rules! reasons {
    ((for every codec) $($table:tt)*) => {
        $crate::reasons! { @ [<C>] [C] $($table)* }
    };
    (($codec:ty) $($table:tt)*) => {
        $crate::reasons! { @ [] [$codec] $($table)* }
    };
    (@ $generic:tt $codec:tt $($Ours:ident = $Theirs:path { $($reason:ident),* $(,)? })*) => {
        $($crate::reasons! { # $generic $codec $Ours [$Theirs] $($reason)* })*
    };
    (# [$($generic:tt)*] [$codec:ty] $Ours:ident [$Theirs:path] $($reason:ident)*) => {
        impl $($generic)* $crate::wire::Wire<$codec> for $Ours {
            type Form = i32;

            fn to_wire(&self) -> i32 {
                use $Theirs as Theirs;
                match self { $($Ours::$reason => Theirs::$reason.into()),* }
            }

            fn from_wire(form: i32, field: &'static str) -> Result<Self, $crate::wire::WireError> {
                use $Theirs as Theirs;
                match Theirs::try_from(form) {
                    $(Ok(Theirs::$reason) => Ok($Ours::$reason),)*
                    Ok(Theirs::Unspecified) => Err($crate::wire::WireError::Missing(field)),
                    Err(_) => Err($crate::wire::WireError::Invalid(field)),
                }
            }
        }
    };
}

reasons! {
    (for every codec)
    LeaveReason = v1::LeaveReason { Abandoned, Key, TimedOut, Failed, PeerLost }
    RefuseReason = v1::RefuseReason { Ignored, Busy, Rejected, Unreachable, Withdrawn }
    ExitReason = v1::ExitReason { TimedOut, Nobody, Failed }
    CallOutcome = v1::CallOutcome { CallerHungUp, Completed, Cancelled, Refused, PeerLost, GatewayLost, Stopped }
    RecordingFlaw = v1::RecordingFlaw { DiskFull, DiskFailed, Overrun, Killed }
    Hearing = v1::Hearing { Whole, Cut }
    RiseReason = v1::RiseReason { FewerOperators, CallersAhead, LongerCalls, Unknown }
}

/// The form of an enum whose values are messages of a `oneof`: which field of ours is which field of the message. Both directions
/// are made from it.
///
/// First `by hand`: what is not a table of fields, as a pattern and its form, and a form and its value. Then one line for each
/// message: the fields that go by [`Wire`] under the same name; those `renamed`; the numbers that are `plain`
/// and may be 0; the lengths of time that are `zero` when absent; and the messages it `needs`.
#[macro_export]
macro_rules! messages {
    (
        $codec:ty: $Ours:ident = $Theirs:ident of $module:ident
        by hand { $($to:pat => $form:expr,)* }
        and back { $($from:pat => $value:expr,)* }
        $($Name:ident { $($field:ident),* }
            $(renamed { $($renamed:ident = $wire:ident),* })?
            $(plain { $($plain:ident),* })?
            $(zero { $($zero:ident),* })?
            $(needs { $($need:ident),* })?;)*
    ) => {
        impl $crate::wire::Wire<$codec> for $Ours {
            type Form = $Theirs;

            fn to_wire(&self) -> $Theirs {
                match self {
                    $($to => $form,)*
                    $($Ours::$Name {
                        $($field,)*
                        $($($renamed,)*)?
                        $($($plain,)*)?
                        $($($zero,)*)?
                        $($($need,)*)?
                    } => $Theirs::$Name($module::$Name {
                        $($field: $crate::wire::Wire::<$codec>::to_wire($field),)*
                        $($($wire: $crate::wire::Wire::<$codec>::to_wire($renamed),)*)?
                        $($($plain: *$plain,)*)?
                        $($($zero: Some($crate::wire::duration(*$zero)),)*)?
                        $($($need: Some($crate::wire::Wire::<$codec>::to_wire($need)),)*)?
                    }),)*
                }
            }

            fn from_wire(form: $Theirs, _: &'static str) -> Result<Self, $crate::wire::WireError> {
                Ok(match form {
                    $($from => $value,)*
                    $($Theirs::$Name(form) => $Ours::$Name {
                        $($field: $crate::wire::Wire::<$codec>::from_wire(
                            form.$field,
                            $crate::field!($Name, $field),
                        )?,)*
                        $($($renamed: $crate::wire::Wire::<$codec>::from_wire(
                            form.$wire,
                            $crate::field!($Name, $renamed),
                        )?,)*)?
                        $($($plain: form.$plain,)*)?
                        $($($zero: $crate::wire::zero_if_absent(form.$zero, $crate::field!($Name, $zero))?,)*)?
                        $($($need: $crate::wire::Wire::<$codec>::from_wire(
                            form.$need.ok_or($crate::wire::WireError::Missing($crate::field!($Name, $need)))?,
                            $crate::field!($Name, $need),
                        )?,)*)?
                    },)*
                })
            }
        }

        impl $crate::wire::Table<$codec> for $Ours {
            const NAMES: &'static [&'static str] = &[$(stringify!($Name)),*];
        }
    };
}

/// The name of a field for an error: "Joined.ticket".
#[macro_export]
macro_rules! field {
    ($message:ident, $field:ident) => {
        concat!(stringify!($message), ".", stringify!($field))
    };
}
