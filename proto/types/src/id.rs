//! Identifiers. Numbers where a machine makes them, names where a person writes them.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:016x}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:x})"), self.0)
            }
        }
    };
}

number_id! {
    /// One call on one gateway: 40 random bits drawn by the gateway, and 24 it counts with.
    CallId
}
number_id! {
    /// One person's attempt to reach the company, on any channel. A contact by phone has the number of its call.
    ContactId
}

impl From<CallId> for ContactId {
    fn from(call: CallId) -> Self {
        ContactId(call.0)
    }
}

number_id! {
    /// A contact's place in one queue: 64 random bits drawn by the gateway when the contact joins. A contact
    /// that leaves a queue and joins again has a new ticket.
    TicketId
}
number_id! {
    /// A grant to connect one ticket with one operator: the ledger sequence of the fact that made it.
    OfferId
}
number_id! {
    /// A round of offers for one ticket: the ledger sequence of the fact that made the first of them.
    RoundId
}
number_id! {
    /// One announcement to one ticket: the ledger sequence of the fact that made it.
    AnnouncementId
}

/// A name that cannot be used as an identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidName(pub String);

impl fmt::Display for InvalidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not a name: expected 1 to 64 of a-z A-Z 0-9 . _ -",
            self.0.escape_debug()
        )
    }
}

impl std::error::Error for InvalidName {}

macro_rules! name_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks and keeps a name: 1 to 64 characters of `a-z A-Z 0-9 . _ -`.
            ///
            /// # Errors
            /// [`InvalidName`] with the offending text, cut to 64 characters.
            pub fn new(name: &str) -> Result<Self, InvalidName> {
                let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
                if name.is_empty() || name.len() > 64 || !name.bytes().all(legal) {
                    return Err(InvalidName(name.chars().take(64).collect()));
                }
                Ok(Self(name.into()))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    };
}

name_id! {
    /// An operator, as configured; also the user part of the operator's address of record.
    OperatorId
}
name_id! {
    /// A queue, as configured.
    QueueName
}
name_id! {
    /// A trunk, as configured.
    TrunkName
}
name_id! {
    /// A gateway, as configured.
    GatewayName
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_and_numbers_print_as_hex() {
        assert!(QueueName::new("support-1").is_ok());
        assert!(QueueName::new("").is_err());
        assert!(QueueName::new("sup port").is_err());
        assert!(QueueName::new(&"x".repeat(65)).is_err());
        assert_eq!(CallId(0xabc).to_string(), "0000000000000abc");
    }
}
