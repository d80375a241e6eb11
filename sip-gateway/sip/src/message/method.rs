//! Request methods (RFC 3261 §7.1 and the RFCs that extended it).

use std::fmt;

/// A request method. Case matters: "The Method token is case-sensitive" (RFC 3261 §7.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Method {
    /// RFC 3261 §13.
    Invite,
    /// RFC 3261 §13.2.2.4.
    Ack,
    /// RFC 3261 §15.
    Bye,
    /// RFC 3261 §9.
    Cancel,
    /// RFC 3261 §11.
    Options,
    /// RFC 3261 §10.
    Register,
    /// INFO: application information within a dialog (RFC 6086).
    Info,
    /// UPDATE: changes a session without a re-INVITE (RFC 3311).
    Update,
    /// PRACK: acknowledges a provisional response (RFC 3262).
    Prack,
    /// MESSAGE: an instant message (RFC 3428).
    Message,
    /// NOTIFY: an event of a subscription (RFC 6665).
    Notify,
    /// SUBSCRIBE: asks for the events of a resource (RFC 6665).
    Subscribe,
    /// PUBLISH: publishes an event state (RFC 3903).
    Publish,
    /// REFER: asks the peer to contact a third party (RFC 3515).
    Refer,
    /// Any other token: answered 501.
    Other,
}

impl Method {
    /// Reads a method token.
    pub fn from_bytes(token: &[u8]) -> Self {
        match token {
            b"INVITE" => Method::Invite,
            b"ACK" => Method::Ack,
            b"BYE" => Method::Bye,
            b"CANCEL" => Method::Cancel,
            b"OPTIONS" => Method::Options,
            b"REGISTER" => Method::Register,
            b"INFO" => Method::Info,
            b"UPDATE" => Method::Update,
            b"PRACK" => Method::Prack,
            b"MESSAGE" => Method::Message,
            b"NOTIFY" => Method::Notify,
            b"SUBSCRIBE" => Method::Subscribe,
            b"PUBLISH" => Method::Publish,
            b"REFER" => Method::Refer,
            _ => Method::Other,
        }
    }

    /// The token; `OTHER` for [`Method::Other`], whose text only its message knows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Method::Invite => "INVITE",
            Method::Ack => "ACK",
            Method::Bye => "BYE",
            Method::Cancel => "CANCEL",
            Method::Options => "OPTIONS",
            Method::Register => "REGISTER",
            Method::Info => "INFO",
            Method::Update => "UPDATE",
            Method::Prack => "PRACK",
            Method::Message => "MESSAGE",
            Method::Notify => "NOTIFY",
            Method::Subscribe => "SUBSCRIBE",
            Method::Publish => "PUBLISH",
            Method::Refer => "REFER",
            Method::Other => "OTHER",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
