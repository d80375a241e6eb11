//! Settings given to the gateway at start: its numbers, the audio it plays, its limits.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use pronto_ivr::Script;
use pronto_sip::Inside;
use pronto_types::{Language, QueueName};

use crate::prompts::Prompts;

/// The settings of the [`Gateway`](crate::Gateway) core.
#[derive(Clone)]
pub struct Settings {
    /// The configured numbers by their normalised dial string.
    pub numbers: BTreeMap<String, Number>,
    /// How long a caller may wait in each queue: the gateway's own clock takes over when the queue service is away.
    pub max_wait: BTreeMap<QueueName, Duration>,
    /// After this long without the queue service's acknowledgement a joining caller takes the `failed` exit.
    pub queue_away: Duration,
    /// The address written into our SDP, where it is not the one the media socket is bound to.
    pub advertise: Option<IpAddr>,
    /// Networks whose phones and trunks reach us without that address.
    pub inside: Inside,
    /// Learn the media address, port included, from a packet that comes from the signalling source's IP.
    pub learn: bool,
    /// The address families our media can be sent in.
    pub reach: pronto_sip::sdp::Reach,
    /// Everything the flows can ask to hear.
    pub prompts: Prompts,
    /// The queues whose talks are recorded, each with the prompt that tells the caller so beforehand; `None`: nobody is
    /// told.
    pub recorded: BTreeMap<QueueName, Option<Arc<str>>>,
    /// Calls at once; the next INVITE gets 503 with Retry-After.
    pub max_calls: usize,
}

impl Settings {
    /// The address in SDP towards a peer whose signalling comes from `peer`; the media socket is bound to `socket`.
    pub(crate) fn media_address(&self, socket: IpAddr, peer: IpAddr) -> IpAddr {
        match self.inside.address_towards(peer) {
            Some(inside) if socket.is_unspecified() => inside,
            Some(_) => socket,
            None => self.advertise.unwrap_or(socket),
        }
    }

    /// The queues whose forecasts the flows ask for.
    pub fn forecasts(&self) -> BTreeSet<QueueName> {
        let asked = self.numbers.values().flat_map(|number| number.flow.forecasts());
        asked.map(|(queue, _)| queue.clone()).collect()
    }
}

/// A number somebody can dial.
#[derive(Clone, PartialEq, Eq)]
pub struct Number {
    /// As configured; names the number in records.
    pub dial: String,
    /// The IVR flow of this number.
    pub flow: Arc<Script>,
    /// In which language.
    pub language: Language,
    /// When the caller begins to pay.
    pub answer: Answer,
}

/// When a call is answered with 200, which is when most networks begin to charge for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answer {
    /// Before the first prompt.
    #[default]
    AtOnce,
    /// When an operator answers: prompts, keys and music before that are early media (183). A call without an offer, which
    /// early media would need a reliable provisional response for (RFC 3262), is answered at once.
    OnOperator,
}

/// Reduces a dialled number, or a configured one, to what is compared: visual separators (RFC 3966 §5.1.1, and
/// the space and slash that people add) go, and a leading `00` is the `+` it stands for (ITU-T E.164 in most of
/// the world).
pub fn normalise_dialled(dialled: &str) -> String {
    let kept: String = dialled
        .chars()
        .filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')' | '/'))
        .collect();
    match kept.strip_prefix("00") {
        Some(rest) if !rest.is_empty() => format!("+{rest}"),
        _ => kept,
    }
}

/// The number in the user part of a Request-URI, normalised. A telephone-subscriber there may bring parameters
/// (RFC 3261 §19.1.6), such as the `;npdi;rn=…` with which carriers mark a ported number (RFC 4694): they are no part
/// of the number.
pub(crate) fn dialled_number(user: &str) -> String {
    let number = user.split_once(';').map_or(user, |(number, _)| number);
    normalise_dialled(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_go_and_double_zero_is_plus() {
        assert_eq!(normalise_dialled("+39 06-123.45(6)/7"), "+39061234567");
        assert_eq!(normalise_dialled("00-39-06"), normalise_dialled("+3906"));
        assert_eq!(normalise_dialled("800"), "800");
        assert_eq!(normalise_dialled("00"), "00");
    }

    #[test]
    fn the_parameters_a_carrier_adds_are_no_part_of_the_number() {
        for dialled in [
            "+39800123456;npdi;rn=+39062",
            "0039800123456;phone-context=+39",
            "+39800123456;",
        ] {
            assert_eq!(dialled_number(dialled), "+39800123456", "{dialled}");
        }
        assert_eq!(dialled_number(";npdi"), "");
    }
}
