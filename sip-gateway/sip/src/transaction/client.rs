//! The non-INVITE client transaction (RFC 3261 §17.1.2).

use std::time::Duration;

use pronto_types::Time;

use super::client_invite::Act;
use super::{T1, T1X64, T2, T4};

/// The states of a non-INVITE client transaction.
///
/// The states of a non-INVITE client transaction.
///
/// ```text
/// Trying ──1xx──▶ Proceeding ──final──▶ Completed ──K──▶ gone
///    └─────────────final─────────────────▲
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Client {
    /// Trying and Proceeding differ only in how fast Timer E goes.
    Waiting {
        /// Timer E; `None` over a reliable transport.
        resend: Option<(Time, Duration)>,
        /// Timer F: the deadline for the final response.
        until: Time,
        proceeding: bool,
    },
    /// Timer K: retransmitted responses are absorbed.
    Completed {
        until: Time,
    },
    Gone,
}

impl Client {
    pub(crate) fn new(now: Time, reliable: bool) -> Self {
        Client::Waiting {
            resend: (!reliable).then_some((now + T1, T1)),
            until: now + T1X64,
            proceeding: false,
        }
    }

    pub(crate) fn response(&mut self, now: Time, reliable: bool, status: u16) -> Act {
        match (*self, status) {
            (Client::Waiting { resend, until, .. }, 100..=199) => {
                *self = Client::Waiting {
                    resend,
                    until,
                    proceeding: true,
                };
                Act::Deliver
            }
            (Client::Waiting { .. }, 200..=699) => {
                // "Timer K … T4 seconds for unreliable transports, and zero seconds for reliable transports."
                *self = if reliable {
                    Client::Gone
                } else {
                    Client::Completed { until: now + T4 }
                };
                Act::Deliver
            }
            _ => Act::Nothing,
        }
    }

    pub(crate) fn timeout(&mut self, now: Time) -> Act {
        match *self {
            Client::Waiting { until, .. } if until <= now => {
                *self = Client::Gone;
                Act::TimedOut
            }
            Client::Waiting {
                resend: Some((at, interval)),
                until,
                proceeding,
            } if at <= now => {
                // "If the timer fires again, it is reset to a MIN(4*T1, T2)"; in Proceeding "Timer E MUST be reset with a
                // value of T2 seconds".
                let next = if proceeding { T2 } else { (interval * 2).min(T2) };
                *self = Client::Waiting {
                    resend: Some((now + next, next)),
                    until,
                    proceeding,
                };
                Act::Resend
            }
            Client::Completed { until } if until <= now => {
                *self = Client::Gone;
                Act::Nothing
            }
            _ => Act::Nothing,
        }
    }

    pub(crate) fn deadline(&self) -> Option<Time> {
        match *self {
            Client::Waiting { resend, until, .. } => Some(resend.map_or(until, |(at, _)| at.min(until))),
            Client::Completed { until } => Some(until),
            Client::Gone => None,
        }
    }
}
