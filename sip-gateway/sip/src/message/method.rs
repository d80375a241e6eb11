//! Request methods (RFC 3261 §7.1 and the RFCs that extended it), in the vocabulary of rsip.

use std::fmt;

use rsip::Method as Known;

/// A request method: one that rsip knows, or another token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Method(Option<Known>);

impl Method {
    /// RFC 3261 §13.
    pub const INVITE: Method = Method(Some(Known::Invite));
    /// RFC 3261 §13.2.2.4.
    pub const ACK: Method = Method(Some(Known::Ack));
    /// RFC 3261 §15.
    pub const BYE: Method = Method(Some(Known::Bye));
    /// RFC 3261 §9.
    pub const CANCEL: Method = Method(Some(Known::Cancel));
    /// RFC 3261 §11.
    pub const OPTIONS: Method = Method(Some(Known::Options));
    /// RFC 3261 §10.
    pub const REGISTER: Method = Method(Some(Known::Register));
    /// Application information within a dialog (RFC 6086).
    pub const INFO: Method = Method(Some(Known::Info));
    /// Changes a session without a re-INVITE (RFC 3311).
    pub const UPDATE: Method = Method(Some(Known::Update));
    /// Acknowledges a provisional response (RFC 3262).
    pub const PRACK: Method = Method(Some(Known::PRack));
    /// An instant message (RFC 3428).
    pub const MESSAGE: Method = Method(Some(Known::Message));
    /// An event of a subscription (RFC 6665).
    pub const NOTIFY: Method = Method(Some(Known::Notify));
    /// Asks for the events of a resource (RFC 6665).
    pub const SUBSCRIBE: Method = Method(Some(Known::Subscribe));
    /// Publishes an event state (RFC 3903).
    pub const PUBLISH: Method = Method(Some(Known::Publish));
    /// Asks the peer to contact a third party (RFC 3515).
    pub const REFER: Method = Method(Some(Known::Refer));
    /// Any other token: answered 501.
    pub const OTHER: Method = Method(None);

    /// Reads a method token. "The Method token is case-sensitive" (RFC 3261 §7.1); rsip's own reader takes any case.
    pub fn from_bytes(token: &[u8]) -> Self {
        Method(Some(match token {
            b"INVITE" => Known::Invite,
            b"ACK" => Known::Ack,
            b"BYE" => Known::Bye,
            b"CANCEL" => Known::Cancel,
            b"OPTIONS" => Known::Options,
            b"REGISTER" => Known::Register,
            b"INFO" => Known::Info,
            b"UPDATE" => Known::Update,
            b"PRACK" => Known::PRack,
            b"MESSAGE" => Known::Message,
            b"NOTIFY" => Known::Notify,
            b"SUBSCRIBE" => Known::Subscribe,
            b"PUBLISH" => Known::Publish,
            b"REFER" => Known::Refer,
            _ => return Method::OTHER,
        }))
    }

    /// The token; `OTHER` for [`Method::OTHER`], whose text only its message knows. rsip's own writer would allocate.
    pub const fn as_str(self) -> &'static str {
        match self.0 {
            Some(Known::Invite) => "INVITE",
            Some(Known::Ack) => "ACK",
            Some(Known::Bye) => "BYE",
            Some(Known::Cancel) => "CANCEL",
            Some(Known::Options) => "OPTIONS",
            Some(Known::Register) => "REGISTER",
            Some(Known::Info) => "INFO",
            Some(Known::Update) => "UPDATE",
            Some(Known::PRack) => "PRACK",
            Some(Known::Message) => "MESSAGE",
            Some(Known::Notify) => "NOTIFY",
            Some(Known::Subscribe) => "SUBSCRIBE",
            Some(Known::Publish) => "PUBLISH",
            Some(Known::Refer) => "REFER",
            None => "OTHER",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_of_rsip_is_read_from_the_token_that_rsip_writes() {
        for known in Known::all() {
            let method = Method::from_bytes(known.to_string().as_bytes());
            assert_eq!(
                (method, method.as_str()),
                (Method(Some(known)), &*known.to_string())
            );
        }
        assert_eq!(Method::from_bytes(b"invite"), Method::OTHER);
        assert_eq!(Method::from_bytes(b"OTHER"), Method::OTHER);
    }
}
