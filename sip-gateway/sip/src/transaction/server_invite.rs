//! The INVITE server transaction (RFC 3261 §17.2.1, RFC 6026 §7.1 and §8.5).

use std::time::Duration;

use pronto_types::Time;

use super::{T1, T1X64, T2, T4};

/// The states of an INVITE server transaction.
///
/// The states of an INVITE server transaction.
///
/// ```text
/// Proceeding ──2xx──▶ Accepted ──L──▶ gone
///     └──300–699──▶ Completed ──ACK──▶ Confirmed ──I──▶ gone
///                       └──────H──────────────────────▶ gone
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ServerInvite {
    Proceeding {
        /// When the 100 is due that nothing of ours has made needless yet: "The server transaction MUST generate a 100
        /// (Trying) response unless it knows that the TU will generate a provisional or final response within 200 ms"
        /// (§17.2.1). It waits instead of knowing.
        trying: Option<Time>,
    },
    /// Timer L: retransmitted INVITEs are absorbed; the 2xx is retransmitted by the owner.
    Accepted {
        until: Time,
    },
    Completed {
        /// Timer G; `None` over a reliable transport.
        resend: Option<(Time, Duration)>,
        /// Timer H: the deadline for the ACK.
        until: Time,
    },
    /// Timer I: retransmitted ACKs are absorbed.
    Confirmed {
        until: Time,
    },
    Gone,
}

impl ServerInvite {
    /// Whether the INVITE still waits for its final response.
    pub(crate) fn is_pending(&self) -> bool {
        matches!(self, ServerInvite::Proceeding { .. })
    }

    /// A 100 is ready, should nothing else be said by then.
    pub(crate) fn try_later(&mut self, due: Time) {
        if self.is_pending() {
            let trying = Some(due);
            *self = ServerInvite::Proceeding { trying };
        }
    }

    /// Changes the state for our response with this `status`.
    pub(crate) fn respond(&mut self, now: Time, reliable: bool, status: u16) {
        if self.is_pending() {
            *self = match status {
                0..=199 => ServerInvite::Proceeding { trying: None },
                200..=299 => ServerInvite::Accepted { until: now + T1X64 },
                _ => ServerInvite::Completed {
                    resend: (!reliable).then_some((now + T1, T1)),
                    until: now + T1X64,
                },
            };
        }
    }

    /// The INVITE came once more: whether the last response is to be sent again.
    pub(crate) fn is_resent_on_request(&self) -> bool {
        // "If a request retransmission is received while in the Proceeding state, the most recent provisional response
        // that was received from the TU MUST be passed to the transport layer"; Completed likewise. In Accepted "any
        // retransmissions of the INVITE … MUST NOT be passed to the TU" and nothing is sent.
        matches!(
            self,
            ServerInvite::Proceeding { .. } | ServerInvite::Completed { .. }
        )
    }

    /// An ACK for a failure; `false` if this machine had no use for it.
    pub(crate) fn ack(&mut self, now: Time, reliable: bool) -> bool {
        match self {
            ServerInvite::Completed { .. } => {
                // "Timer I … T4 seconds for unreliable transports, and zero seconds for reliable transports."
                *self = if reliable {
                    ServerInvite::Gone
                } else {
                    ServerInvite::Confirmed { until: now + T4 }
                };
                true
            }
            ServerInvite::Confirmed { .. } => true,
            _ => false,
        }
    }

    /// `true`: send the last response once more.
    pub(crate) fn timeout(&mut self, now: Time) -> bool {
        match *self {
            ServerInvite::Proceeding { trying: Some(at) } if at <= now => {
                *self = ServerInvite::Proceeding { trying: None };
                true
            }
            ServerInvite::Accepted { until }
            | ServerInvite::Completed { until, .. }
            | ServerInvite::Confirmed { until }
                if until <= now =>
            {
                *self = ServerInvite::Gone;
                false
            }
            ServerInvite::Completed {
                resend: Some((at, interval)),
                until,
            } if at <= now => {
                // "…is set to fire in MIN(2*T1, T2) seconds."
                let next = (interval * 2).min(T2);
                *self = ServerInvite::Completed {
                    resend: Some((now + next, next)),
                    until,
                };
                true
            }
            _ => false,
        }
    }

    pub(crate) fn deadline(&self) -> Option<Time> {
        match *self {
            ServerInvite::Proceeding { trying } => trying,
            ServerInvite::Gone => None,
            ServerInvite::Accepted { until } | ServerInvite::Confirmed { until } => Some(until),
            ServerInvite::Completed { resend, until } => Some(resend.map_or(until, |(at, _)| at.min(until))),
        }
    }
}
