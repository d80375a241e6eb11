//! The non-INVITE server transaction (RFC 3261 §17.2.2).

use pronto_types::Time;

use super::T1X64;

/// The states of a non-INVITE server transaction.
///
/// The states of a non-INVITE server transaction.
///
/// ```text
/// Trying ──final──▶ Completed ──J──▶ gone
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Server {
    Trying,
    /// Timer J: retransmitted requests get the final response again.
    Completed {
        until: Time,
    },
    Gone,
}

impl Server {
    /// We answer, finally.
    pub(crate) fn respond(&mut self, now: Time, reliable: bool) {
        if *self == Server::Trying {
            // "Timer J to fire in 64*T1 seconds for unreliable transports, and zero seconds for reliable transports."
            *self = if reliable {
                Server::Gone
            } else {
                Server::Completed { until: now + T1X64 }
            };
        }
    }

    /// The request came once more: whether the response is to be sent again.
    pub(crate) fn is_resent_on_request(&self) -> bool {
        // "Once in the Trying state, any further request retransmissions are discarded."
        matches!(self, Server::Completed { .. })
    }

    pub(crate) fn timeout(&mut self, now: Time) {
        if matches!(*self, Server::Completed { until } if until <= now) {
            *self = Server::Gone;
        }
    }

    pub(crate) fn deadline(&self) -> Option<Time> {
        match *self {
            Server::Completed { until } => Some(until),
            Server::Trying | Server::Gone => None,
        }
    }
}
