//! The Reason header field (RFC 3326): why a dialog ends.

use std::fmt;

use crate::message::{HeaderName, Message, Params, decode, unquote};

/// Why a dialog ends (RFC 3326).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reason {
    /// `SIP` or `Q.850`.
    pub protocol: String,
    /// A status code or a Q.850 cause.
    pub cause: u16,
    /// For people; at most 128 characters are kept of one that came in.
    pub text: String,
}

impl Reason {
    /// The reason given in a dialog whose process was lost: Q.850 cause 41, temporary failure.
    pub fn lost() -> Self {
        Reason {
            protocol: "Q.850".to_owned(),
            cause: 41,
            text: "The call was lost".to_owned(),
        }
    }

    /// The reason given to phones that did not win a call, so that they count no missed call (RFC 3326 §3.1).
    pub fn completed_elsewhere() -> Self {
        Reason {
            protocol: "SIP".to_owned(),
            cause: 200,
            text: "Call completed elsewhere".to_owned(),
        }
    }

    /// The reason given to a caller left unanswered for too long: Q.850 cause 19, as networks give it themselves (ISUP
    /// timer T9; RFC 3398 §7.2.8).
    pub fn no_answer() -> Self {
        Reason {
            protocol: "Q.850".to_owned(),
            cause: 19,
            text: "No answer from the user".to_owned(),
        }
    }

    /// Why an answer is not taken whose Contact is no SIP address.
    pub(crate) fn odd_contact() -> Self {
        Reason {
            protocol: "SIP".to_owned(),
            cause: 400,
            text: "Contact is not a SIP URI".to_owned(),
        }
    }

    pub(crate) fn read(message: &Message) -> Option<Self> {
        let value = message.list(HeaderName::Reason).next()?.ok()?;
        let end = value.iter().position(|b| *b == b';').unwrap_or(value.len());
        let protocol = decode(value[..end].trim_ascii());
        let params = Params::parse(&value[end..])?;
        let cause = std::str::from_utf8(params.value("cause")?).ok()?.parse().ok()?;
        let text = params.value("text").map(unquote).unwrap_or_default();
        let short = |text: &str| text.chars().take(128).collect();
        Some(Reason {
            protocol: short(&protocol),
            cause,
            text: short(&text),
        })
    }
}

impl fmt::Display for Reason {
    /// As a header value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clean = |c: &char| !c.is_control() && !matches!(c, '"' | '\\');
        let protocol: String = self
            .protocol
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || *c == '.')
            .collect();
        let text: String = self.text.chars().filter(clean).collect();
        write!(f, "{protocol};cause={};text=\"{text}\"", self.cause)
    }
}
