//! Dialling: an operator is called on all phones at once, until one of them answers.
//!
//! ```text
//!   dial ─► opening ─ port is open ─► ringing ─ first usable 200 ───────────► Answered (the other phones are told)
//!              │                        │ first 18x ─► Ringing
//!              └ no port                └ 6xx, no phone left, deadline ─────► Failed
//! ```
//!
//! Whoever dials reads the reports: the queue's offers (`offering.rs`) and operators who call a colleague (`colleague.rs`).
//! All phones share one port of ours; each is told the address by which it knows us. A phone's early media is not passed on.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use pronto_media as media;
use pronto_sip as sip;
use pronto_types::link::RefuseReason;
use pronto_types::{CallId, OperatorId, Time};
use rand::Rng;
use sip::sdp::Codec;

use super::Gateway;
use super::leg::Leg;
use super::negotiate::Stream;
use crate::trace::Peer;

/// The instruction to dial an operator.
pub(super) struct Order {
    /// The call that the legs will belong to.
    pub(super) call: CallId,
    /// The operator whose phones ring.
    pub(super) operator: OperatorId,
    /// The codec of the party that dials, which is offered first: a phone that takes it needs no translation. `None`: that
    /// party is not there yet, or has agreed on none.
    pub(super) codec: Option<Codec>,
    /// The end of the ring time.
    pub(super) until: Time,
    /// The caller as the phones show them.
    pub(super) shows: sip::InviteOptions,
}

/// An operator being dialled.
pub(super) struct Dial {
    call: CallId,
    pub(super) operator: OperatorId,
    media: media::LegId,
    pub(super) until: Time,
    stage: Stage,
}

/// How far the dialling is.
enum Stage {
    /// The media threads are opening a port.
    Opening { codec: Codec, shows: sip::InviteOptions },
    /// The INVITEs are out.
    Ringing(Ringing),
}

/// The phones that were rung.
struct Ringing {
    stream: Stream,
    /// The phones that may still answer.
    phones: Vec<Phone>,
    /// The refusal to report, if no phone answers.
    refused: Option<Failure>,
    /// The first 18x has been reported.
    told: bool,
}

/// One of the phones.
struct Phone {
    sip: sip::LegId,
    /// The address that its signalling comes from.
    source: IpAddr,
    /// The address of our media that it was told, and the offer with it.
    told: (IpAddr, Bytes),
    /// It has said that it rings.
    heard: bool,
}

/// The news of a dialling.
pub(super) enum Report {
    /// A phone rings. Reported once.
    Ringing,
    /// This phone has answered; the others have been told so.
    Answered(Leg),
    /// No phone will answer.
    Failed(Failure),
}

/// Why no phone has answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Failure {
    /// The reason, as the queue is told it.
    pub(super) reason: RefuseReason,
    /// The final status, as the party that dials is told it.
    pub(super) status: sip::Status,
}

/// An operator with no phone, or with none that answers.
pub(super) const UNREACHABLE: Failure = Failure {
    reason: RefuseReason::Unreachable,
    status: sip::Status::TEMPORARILY_UNAVAILABLE,
};

impl Gateway {
    /// Begins to dial: a port of ours is opened first.
    pub(super) fn dial(&mut self, order: Order) -> Dial {
        let codec = order.codec.unwrap_or(Codec::Pcma);
        Dial {
            call: order.call,
            operator: order.operator,
            media: self.open_media(order.call),
            until: order.until,
            stage: Stage::Opening {
                codec,
                shows: order.shows,
            },
        }
    }

    /// Takes an event of our port.
    pub(super) fn dial_media(&mut self, now: Time, dial: &mut Dial, event: &media::Event) -> Option<Report> {
        match event {
            media::Event::Opened { local, .. } => self.ring_phones(now, dial, *local),
            media::Event::OpenFailed { .. } => Some(Report::Failed(Failure {
                status: sip::Status::SERVICE_UNAVAILABLE,
                ..UNREACHABLE
            })),
            _ => None,
        }
    }

    /// Rings every phone of the operator that can be reached.
    fn ring_phones(&mut self, now: Time, dial: &mut Dial, local: SocketAddr) -> Option<Report> {
        let Stage::Opening { codec, shows } = &dial.stage else {
            return None;
        };
        let mut stream = Stream::unopened(self.rng.next_u64() >> 2);
        stream.opened(local.ip(), local.port());
        let bindings = self.sip.bindings(&dial.operator);
        let reached: Vec<sip::Destination> = bindings.map(sip::Binding::destination).collect();
        let mut phones = Vec::with_capacity(reached.len());
        for to in reached {
            let source = to.flow.remote.ip();
            let address = self.settings.media_address(stream.address(), source);
            let offer = stream.offer_at(address, *codec);
            let sip = self.sip.invite(now, &to, offer.clone(), shows.clone());
            self.sip_legs.insert(sip, dial.call);
            self.tell_leg(dial.call, Peer::Operator(dial.operator.clone()), sip);
            phones.push(Phone {
                sip,
                source,
                told: (address, offer),
                heard: false,
            });
        }
        if phones.is_empty() {
            return Some(Report::Failed(UNREACHABLE));
        }
        dial.stage = Stage::Ringing(Ringing {
            stream,
            phones,
            refused: None,
            told: false,
        });
        None
    }

    /// Takes an event of one of the phones.
    pub(super) fn dial_event(
        &mut self,
        now: Time,
        dial: &mut Dial,
        leg: sip::LegId,
        event: sip::Event,
    ) -> Option<Report> {
        let Stage::Ringing(ringing) = &mut dial.stage else {
            return None;
        };
        let failed = match event {
            sip::Event::Progress { status, .. } if status > 100 => {
                return ringing.rings(leg).then_some(Report::Ringing);
            }
            sip::Event::Answered { sdp, .. } => return self.phone_answers(now, dial, leg, sdp),
            sip::Event::Refused { status, local, .. } => {
                let status = sip::Status::new(status).unwrap_or(UNREACHABLE.status);
                ringing.refused_by(leg, status, local)
            }
            sip::Event::Ended { .. } => ringing.refused_by(leg, UNREACHABLE.status, true),
            _ => return None,
        };
        self.sip_legs.remove(&leg);
        failed.map(Report::Failed)
    }

    /// The first phone to answer has the call.
    fn phone_answers(
        &mut self,
        now: Time,
        dial: &mut Dial,
        leg: sip::LegId,
        sdp: Option<Bytes>,
    ) -> Option<Report> {
        let Stage::Ringing(ringing) = &mut dial.stage else {
            return None;
        };
        let index = ringing.phones.iter().position(|phone| phone.sip == leg)?;
        ringing.stream.offered(&ringing.phones[index].told);
        let accepted = sdp.map(|sdp| ringing.stream.accept(&sdp));
        if !matches!(accepted, Some(Ok(()))) {
            // An answer we cannot use, or none, is no answer (RFC 3261 §13.2.2.4).
            let source = ringing.phones[index].source;
            let failed = ringing.refused_by(leg, sip::Status::NOT_ACCEPTABLE_HERE, false);
            if let Some(Err(error)) = accepted {
                self.note_refusal(source, &error.refusal());
            }
            self.sip_legs.remove(&leg);
            self.sip.hangup(now, leg, None);
            return failed.map(Report::Failed);
        }
        let phone = ringing.phones.swap_remove(index);
        let (others, stream) = (std::mem::take(&mut ringing.phones), ringing.stream.clone());
        self.silence_phones(now, &others, Some(sip::Reason::completed_elsewhere()));
        Some(Report::Answered(Leg {
            sip: leg,
            media: dial.media,
            stream,
            source: phone.source,
            silent: None,
        }))
    }

    /// Gives up a dialling: no phone rings on, and our port is closed. Returns the phones that have not confirmed that yet.
    pub(super) fn stop_dialling(&mut self, now: Time, dial: &Dial) -> Vec<sip::LegId> {
        self.close_media(dial.media);
        match &dial.stage {
            Stage::Opening { .. } => Vec::new(),
            Stage::Ringing(ringing) => {
                self.silence_phones(now, &ringing.phones, None);
                ringing.phones.iter().map(|phone| phone.sip).collect()
            }
        }
    }

    /// Ends the ringing of phones that nobody waits for.
    fn silence_phones(&mut self, now: Time, phones: &[Phone], reason: Option<sip::Reason>) {
        for phone in phones {
            self.sip_legs.remove(&phone.sip);
            self.sip.hangup(now, phone.sip, reason.clone());
        }
    }
}

impl Dial {
    /// Why the deadline passed without an answer (RONA).
    pub(super) fn timed_out(&self) -> Failure {
        let reason = match &self.stage {
            Stage::Ringing(ringing) if ringing.phones.iter().any(|phone| phone.heard) => {
                RefuseReason::Ignored
            }
            Stage::Ringing(ringing) => ringing.refused.unwrap_or(UNREACHABLE).reason,
            Stage::Opening { .. } => RefuseReason::Unreachable,
        };
        Failure {
            reason,
            ..UNREACHABLE
        }
    }

    /// Follows one of the phones to another address.
    pub(super) fn moved(&mut self, leg: sip::LegId, ip: IpAddr) {
        if let Stage::Ringing(ringing) = &mut self.stage {
            for phone in ringing.phones.iter_mut().filter(|phone| phone.sip == leg) {
                phone.source = ip;
            }
        }
    }
}

impl Ringing {
    /// Notes that a phone rings. Returns whether it is the first one.
    fn rings(&mut self, leg: sip::LegId) -> bool {
        for phone in self.phones.iter_mut().filter(|phone| phone.sip == leg) {
            phone.heard = true;
        }
        !std::mem::replace(&mut self.told, true)
    }

    /// Notes that a phone does not take the call; what the others do counts until none is left. A 6xx ends what is pending
    /// (RFC 3261 §16.7 step 5): the operator declines on one phone for all. `local`: no answer arrived, and the status is our
    /// own conclusion (timer B, no flow).
    fn refused_by(&mut self, leg: sip::LegId, status: sip::Status, local: bool) -> Option<Failure> {
        self.phones.retain(|phone| phone.sip != leg);
        let for_all = !local && status.code() >= 600;
        let reason = refuse_reason(status.code(), local);
        let failure = match self.refused.filter(|told| weight(told.reason) >= weight(reason)) {
            None => Failure {
                reason,
                status: told_status(status, local),
            },
            // A 6xx is chosen before all other statuses (§16.7 step 6).
            Some(told) if for_all => Failure {
                status: told_status(status, local),
                ..told
            },
            Some(told) => told,
        };
        self.refused = Some(failure);
        (for_all || self.phones.is_empty()).then_some(failure)
    }
}

/// Maps the final status of a phone to the reason for the queue.
fn refuse_reason(status: u16, local: bool) -> RefuseReason {
    match status {
        _ if local => RefuseReason::Unreachable,
        486 | 600 => RefuseReason::Busy,
        404 | 408 | 410 | 430 | 503 | 604 => RefuseReason::Unreachable,
        _ => RefuseReason::Rejected,
    }
}

/// Maps the final status of a phone to the status for the party that dials. A phone speaks for itself there; a redirection or a
/// question to us is not meant for that party.
fn told_status(status: sip::Status, local: bool) -> sip::Status {
    match status.code() {
        404 | 480 | 486 | 488 | 600 | 603 if !local => status,
        _ => UNREACHABLE.status,
    }
}

/// Ranks the refusals of several phones: an operator's action on one phone outweighs the absence of another.
fn weight(reason: RefuseReason) -> u8 {
    match reason {
        RefuseReason::Unreachable | RefuseReason::Withdrawn => 0,
        RefuseReason::Busy => 1,
        RefuseReason::Rejected => 2,
        RefuseReason::Ignored => 3,
    }
}
