//! One leg: a dialog, or an attempt at one, and where it stands. States own their deadlines.

use std::time::Duration;

use bytes::Bytes;
use pronto_types::{OperatorId, RateLimit, Time};

use super::Dialog;
use crate::message::{Method, Status};
use crate::reason::Reason;
use crate::settings::Flow;
use crate::transaction::table::TxId;
use crate::transaction::{T1, T1X64, T2};

/// A UAS answers again at least this often while it rings (RFC 3261 §13.3.1.1: "every minute").
pub(crate) const REMIND: Duration = Duration::from_secs(60);

/// Requests within one dialog that are taken at once.
const REQUESTS: u32 = 200;
/// … and each second: more than anybody presses keys, or than a proxy asks whether we are there.
const REQUESTS_PER_SECOND: u32 = 50;

/// One dialog, its state and the requests under way in it.
pub(crate) struct Leg {
    pub(crate) dialog: Dialog,
    pub(crate) state: State,
    /// The state of a re-INVITE or UPDATE of the peer.
    pub(crate) renewal: Renewal,
    /// A re-INVITE of ours.
    pub(crate) reoffer: Reoffer,
    /// The OPTIONS under way.
    pub(crate) probe: Option<TxId>,
    /// The last event has been told: whatever still happens is nobody's concern.
    pub(crate) told: bool,
    /// The trunk whose budget the call counts against: its index in the settings.
    pub(crate) trunk: Option<usize>,
    /// The state last reported for a later process; `None` before the first report.
    pub(crate) noted: Option<Noted>,
    /// The operator whose phone is at the other end.
    pub(crate) operator: Option<OperatorId>,
    /// The remaining budget for the peer's requests within the dialog.
    requests: Option<RateLimit>,
    /// The deadline that the timer index holds for this leg.
    pub(crate) scheduled: Option<Time>,
}

/// The state of a leg as last reported.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Noted {
    pub(crate) phase: Phase,
    pub(crate) target: Bytes,
    pub(crate) flow: Flow,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    Called,
    Calling(TxId),
    Up,
}

/// Where a leg stands.
pub(crate) enum State {
    /// Called: the INVITE waits for our final answer.
    Incoming(Incoming),
    /// Called: our 200 waits for its ACK. `hangup`: then say BYE.
    Answered(Unacked, Option<Parting>),
    /// Calling: our INVITE waits for its final answer.
    Calling(Calling),
    /// Confirmed: the dialog is established.
    Up,
    /// Our BYE is under way.
    Ending,
    /// Over: the leg leaves the table.
    Over,
}

/// The INVITE server transaction's side of a leg.
pub(crate) struct Incoming {
    pub(crate) invite: TxId,
    /// CSeq of the INVITE, and so of its ACK: requests of the early dialog count on from here.
    pub(crate) cseq: u32,
    /// Via to CSeq of every answer.
    pub(crate) head: Bytes,
    /// Whether the INVITE carried an offer.
    pub(crate) had_offer: bool,
    /// Record-Route lines, for answers that make the dialog.
    pub(crate) record_route: Bytes,
    /// The last provisional answer but 100, and when to repeat it.
    pub(crate) ringing: Option<(Status, Bytes, Time)>,
    /// When the invitation expires (§13.3.1).
    pub(crate) expires: Option<Time>,
}

/// The INVITE client transaction's side of a leg.
pub(crate) struct Calling {
    pub(crate) invite: TxId,
    /// The offer in the INVITE: sent again after a challenge.
    pub(crate) offer: Bytes,
    /// Whether the peer has answered 1xx: "If no provisional response has been received, the CANCEL request MUST NOT be
    /// sent" (§9.1).
    pub(crate) provisional: bool,
    pub(crate) challenged: bool,
    /// The answers that provisional responses carried, by the To tag of their dialog; of each the first.
    pub(crate) early: Vec<(Bytes, Bytes)>,
    pub(crate) stop: Stop,
}

impl Calling {
    /// The most dialogs of one INVITE whose early answers are kept.
    const MAX_EARLY: usize = 8;

    /// "The UAC MUST treat the first session description it receives as the answer" (RFC 3261 §13.2.1).
    pub(crate) fn note_answer(&mut self, tag: &[u8], sdp: &Bytes) {
        let known = self.early.iter().any(|(of, _)| of == tag);
        if !known && self.early.len() < Self::MAX_EARLY {
            self.early.push((Bytes::copy_from_slice(tag), sdp.clone()));
        }
    }

    /// The answer in a provisional response of the dialog with this To tag, if there was one.
    pub(crate) fn early_answer(&self, tag: &[u8]) -> Option<Bytes> {
        let of = |(known, _): &&(Bytes, Bytes)| known == tag;
        self.early.iter().find(of).map(|(_, sdp)| sdp.clone())
    }
}

/// Giving up an INVITE of ours.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Stop {
    No,
    /// As soon as a 1xx comes.
    Wanted(Parting),
    /// CANCEL is out; "if there is no final response to the original request in 64*T1 seconds, the client SHOULD then
    /// consider the original transaction cancelled" (§9.1).
    Sent(Parting, Time),
}

/// How we take our leave.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Parting {
    pub(crate) reason: Option<Reason>,
}

/// A 200 to an INVITE, retransmitted until its ACK (§13.3.1.4).
pub(crate) struct Unacked {
    pub(crate) ok: Bytes,
    pub(crate) flow: Flow,
    pub(crate) cseq: u32,
    /// Our 200 carried an offer: the ACK carries the answer.
    pub(crate) late_offer: bool,
    resend: Time,
    interval: Duration,
    until: Time,
}

/// The action that a timer of an [`Unacked`] asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Due {
    Nothing,
    Resend,
    GaveUp,
}

impl Unacked {
    pub(crate) fn new(now: Time, ok: Bytes, flow: Flow, cseq: u32, late_offer: bool) -> Self {
        Unacked {
            ok,
            flow,
            cseq,
            late_offer,
            resend: now + T1,
            interval: T1,
            until: now + T1X64,
        }
    }

    fn deadline(&self) -> Time {
        self.resend.min(self.until)
    }

    /// "The 2xx response is passed to the transport with an interval that starts at T1 seconds and doubles for each
    /// retransmission until it reaches T2 seconds … If the server retransmits the 2xx response for 64*T1 seconds without
    /// receiving an ACK, the dialog is confirmed, but the session SHOULD be terminated."
    pub(crate) fn due(&mut self, now: Time) -> Due {
        if self.until <= now {
            return Due::GaveUp;
        }
        if self.resend > now {
            return Due::Nothing;
        }
        self.interval = (self.interval * 2).min(T2);
        self.resend = now + self.interval;
        Due::Resend
    }
}

/// A re-INVITE or UPDATE of the peer.
pub(crate) enum Renewal {
    None,
    /// The peer waits for our answer.
    Pending {
        tx: TxId,
        head: Bytes,
        method: Method,
        cseq: u32,
        had_offer: bool,
    },
    /// Our 200 to a re-INVITE waits for its ACK.
    Unacked(Unacked),
}

/// A re-INVITE of ours (§14.1).
pub(crate) enum Reoffer {
    None,
    /// "If a UA receives a 491 response to a re-INVITE, it SHOULD start a timer": until then, or, without a time, until
    /// the peer's own has come to its end.
    Waiting {
        sdp: Bytes,
        until: Option<Time>,
    },
    /// It is out. `cancelled`: for too long.
    Sent {
        tx: TxId,
        sdp: Bytes,
        cancelled: bool,
    },
}

impl Leg {
    /// A leg without anything under way.
    pub(crate) fn new(dialog: Dialog, state: State, trunk: Option<usize>) -> Self {
        Leg {
            dialog,
            state,
            renewal: Renewal::None,
            reoffer: Reoffer::None,
            probe: None,
            told: false,
            trunk,
            noted: None,
            operator: None,
            requests: None,
            scheduled: None,
        }
    }

    /// Takes one request of the peer from its budget; false when the budget is used up. Each request costs a
    /// transaction, and the number of transactions is limited for all calls together.
    pub(crate) fn may_ask(&mut self, now: Time) -> bool {
        let full = || RateLimit::per_second(REQUESTS, REQUESTS_PER_SECOND);
        self.requests.get_or_insert_with(full).allow(now).is_some()
    }

    /// The earliest deadline of its states.
    pub(crate) fn deadline(&self) -> Option<Time> {
        let state = match &self.state {
            State::Incoming(incoming) => {
                let repeat = incoming.ringing.as_ref().map(|(.., at)| *at);
                repeat.into_iter().chain(incoming.expires).min()
            }
            State::Answered(unacked, _) => Some(unacked.deadline()),
            State::Calling(Calling {
                stop: Stop::Sent(_, until),
                ..
            }) => Some(*until),
            State::Calling(_) | State::Up | State::Ending | State::Over => None,
        };
        let renewal = match &self.renewal {
            Renewal::Unacked(unacked) => Some(unacked.deadline()),
            Renewal::None | Renewal::Pending { .. } => None,
        };
        let reoffer = match &self.reoffer {
            Reoffer::Waiting { until, .. } => *until,
            Reoffer::None | Reoffer::Sent { .. } => None,
        };
        [state, renewal, reoffer].into_iter().flatten().min()
    }
}
