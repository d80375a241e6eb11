//! The INVITE client transaction (RFC 3261 §17.1.1, RFC 6026 §7.2 and §8.4).

use std::time::Duration;

use pronto_types::Time;

use super::{T1, T1X64, TIMER_C, TIMER_D};

/// The states of an INVITE client transaction.
///
/// The states of an INVITE client transaction.
///
/// ```text
/// Calling ──1xx──▶ Proceeding ──2xx──▶ Accepted ──M──▶ gone
///    │              ├──C──▶ Orphaned, which goes on likewise, or is gone after 64*T1
///    └──────────────┴──300–699──▶ Completed ──D──▶ gone
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ClientInvite {
    Calling {
        /// Timer A; `None` over a reliable transport.
        resend: Option<(Time, Duration)>,
        /// Timer B: the deadline for the first response.
        until: Time,
    },
    /// Rings. The RFC lets a UAC wait for ever; a peer that dies while it rings would keep us waiting as long. A UAS that
    /// lives answers again every minute (§13.3.1.1), so three of them without a word end it, like a proxy's Timer C (§16.6).
    Proceeding {
        until: Time,
    },
    /// Nobody waits for it: Timer C has fired, or the dialog of a re-INVITE is over. Its answer may never come, and no
    /// provisional one counts any more.
    Orphaned {
        until: Time,
    },
    /// Timer M: further 2xx, retransmitted or forked, are the owner's.
    Accepted {
        until: Time,
    },
    /// Timer D: retransmitted final responses are acknowledged here.
    Completed {
        until: Time,
    },
    Gone,
}

/// The action that a response or a timer asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Act {
    Nothing,
    /// Send the request once more.
    Resend,
    /// Give the response to the owner.
    Deliver,
    /// Acknowledge a failure, and give it to the owner.
    AckAndDeliver,
    /// Acknowledge a failure the owner has already.
    Ack,
    /// Timer B or C.
    TimedOut,
}

impl ClientInvite {
    pub(crate) fn new(now: Time, reliable: bool) -> Self {
        ClientInvite::Calling {
            resend: (!reliable).then_some((now + T1, T1)),
            until: now + T1X64,
        }
    }

    /// Takes up the INVITE of a process that is gone: it was sent, and maybe answered with 1xx.
    pub(crate) fn taken_up(now: Time) -> Self {
        ClientInvite::Proceeding { until: now + TIMER_C }
    }

    pub(crate) fn response(&mut self, now: Time, reliable: bool, status: u16) -> Act {
        match (*self, status) {
            // "If the client transaction receives a provisional response while in the Calling state, it transitions to
            // Proceeding … the client SHOULD NOT retransmit the request any longer."
            (ClientInvite::Calling { .. } | ClientInvite::Proceeding { .. }, 100..=199) => {
                *self = ClientInvite::Proceeding { until: now + TIMER_C };
                Act::Deliver
            }
            // RFC 6026 §8.4: "2xx → Accepted".
            (
                ClientInvite::Calling { .. }
                | ClientInvite::Proceeding { .. }
                | ClientInvite::Orphaned { .. },
                200..=299,
            ) => {
                *self = ClientInvite::Accepted { until: now + T1X64 };
                Act::Deliver
            }
            (
                ClientInvite::Calling { .. }
                | ClientInvite::Proceeding { .. }
                | ClientInvite::Orphaned { .. },
                300..=699,
            ) => {
                *self = if reliable {
                    ClientInvite::Gone
                } else {
                    ClientInvite::Completed { until: now + TIMER_D }
                };
                Act::AckAndDeliver
            }
            // "2xx responses received in Accepted MUST be passed to the TU."
            (ClientInvite::Accepted { .. }, 200..=299) => Act::Deliver,
            // "Any retransmissions of the final response … MUST cause the ACK to be re-passed to the transport layer."
            (ClientInvite::Completed { .. }, 300..=699) => Act::Ack,
            _ => Act::Nothing,
        }
    }

    /// Nobody waits for it any more: what is still said is acknowledged, for 64*T1 from now at most.
    pub(crate) fn orphan(&mut self, now: Time) {
        if let ClientInvite::Calling { until, .. } | ClientInvite::Proceeding { until } = *self {
            let until = until.min(now + T1X64);
            *self = ClientInvite::Orphaned { until };
        }
    }

    /// Timer C: the request is to be cancelled, and is over 64*T1 from then at the latest (§9.1).
    pub(crate) fn lingers(&self) -> bool {
        matches!(self, ClientInvite::Orphaned { .. })
    }

    pub(crate) fn timeout(&mut self, now: Time) -> Act {
        match *self {
            ClientInvite::Calling { until, .. } | ClientInvite::Orphaned { until } if until <= now => {
                *self = ClientInvite::Gone;
                Act::TimedOut
            }
            // Who rang is told to stop (§16.8), and what it says to that is still acknowledged.
            ClientInvite::Proceeding { until } if until <= now => {
                *self = ClientInvite::Orphaned { until: now + T1X64 };
                Act::TimedOut
            }
            // "When timer A fires, the client transaction MUST retransmit the request … and MUST reset the timer with a
            // value of 2*T1."
            ClientInvite::Calling {
                resend: Some((at, interval)),
                until,
            } if at <= now => {
                *self = ClientInvite::Calling {
                    resend: Some((now + interval * 2, interval * 2)),
                    until,
                };
                Act::Resend
            }
            ClientInvite::Accepted { until } | ClientInvite::Completed { until } if until <= now => {
                *self = ClientInvite::Gone;
                Act::Nothing
            }
            _ => Act::Nothing,
        }
    }

    pub(crate) fn deadline(&self) -> Option<Time> {
        match *self {
            ClientInvite::Calling { resend, until } => Some(resend.map_or(until, |(at, _)| at.min(until))),
            ClientInvite::Proceeding { until }
            | ClientInvite::Orphaned { until }
            | ClientInvite::Accepted { until }
            | ClientInvite::Completed { until } => Some(until),
            ClientInvite::Gone => None,
        }
    }
}
