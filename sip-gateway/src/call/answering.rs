//! From the INVITE to the 200, and so to a running flow or a colleague's phone that rings.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pronto_ivr as ivr;
use pronto_media as media;
use pronto_sip as sip;
use pronto_types::link::{CallOutcome, Caller as CallerIdentity, Event, Origin};
use pronto_types::{CallId, DisplayName, Language, PhoneNumber, Time};
use rand::Rng;

use super::leg::Leg;
use super::negotiate::Stream;
use super::silence::Unanswered;
use super::state::{Call, CallState, CallerLeg, Dialled, EarlyMediaTimer, LegState};
use super::{AT_ONCE, Gateway, MAX_BACKLOG};
use crate::settings::{Answer, dialled_number};
use crate::trace::Peer;

/// The `Retry-After` value of a refusal for lack of resources, 10 s (RFC 3261 §20.33).
const RETRY_AFTER: Duration = Duration::from_secs(10);
/// The media threads open a port in well under a millisecond; a caller is not left without an answer for longer.
const OPENING: Duration = Duration::from_secs(2);
/// How long a caller waits for the disk that keeps the journal, unanswered and not charged, before a refusal. Many proxies wait
/// longer than this for an answer, and fewer people do.
const WRITTEN: Duration = Duration::from_secs(8);
/// How many callers may wait for the disk; the next are refused at once.
const UNWRITTEN: usize = 2_000;
/// How long a caller outside of a queue hears a flow without being answered. Networks give such a call up by themselves after
/// some minutes (ISUP timer T9), many gateways after three, and a menu is heard in less. RFC 3261 sets the callee no limit
/// (§13.3.1.1: it may go on for as long as it says so every minute).
const UNANSWERED: Duration = Duration::from_secs(3 * 60);

/// A call that is about to be opened: what its INVITE meant.
struct NewCall {
    id: CallId,
    dialled: Dialled,
    identity: CallerIdentity,
    origin: Origin,
}

impl Gateway {
    /// A new INVITE, its sender known (ARCHITECTURE: "who is calling").
    pub(super) fn invited(&mut self, now: Time, invite: sip::Invite) {
        let leg = invite.leg;
        let number = self.settings.numbers.get(&dialled_number(&invite.dialled));
        let dialled = match number {
            Some(number) => Dialled::Number(number.clone()),
            None => match self.operator_dialled(&invite) {
                Ok(called) => Dialled::Colleague(called),
                Err(status) => return self.sip.reject(now, leg, status, None),
            },
        };
        let origin = match &invite.from {
            sip::Identity::Trunk(name) => Origin::Trunk(name.clone()),
            sip::Identity::Operator(operator) => Origin::Operator(operator.clone()),
            sip::Identity::Registrar => {
                self.sip.reject(now, leg, sip::Status::FORBIDDEN, None);
                return;
            }
        };
        let too_many = self.calls.len() >= self.settings.max_calls || self.journal.backlog() >= MAX_BACKLOG;
        if too_many || self.unwritten.len() >= UNWRITTEN || !self.full.is_empty() {
            self.refused += 1;
            self.sip
                .reject(now, leg, sip::Status::SERVICE_UNAVAILABLE, Some(RETRY_AFTER));
            return;
        }
        // The queue's absence does not matter to a flow that leads to no queue.
        let queues = matches!(&dialled, Dialled::Number(number) if number.flow.queues().next().is_some());
        if queues && !self.takes_callers(now) {
            self.refused += 1;
            self.sip
                .reject(now, leg, sip::Status::SERVICE_UNAVAILABLE, Some(RETRY_AFTER));
            return;
        }
        let id = self.new_call_id();
        let identity = caller_identity(&invite.caller);
        self.begun += 1;
        self.tell_leg(id, Peer::Caller, leg);
        self.write(
            now,
            Event::CallBegan {
                call: id,
                dialled: dialled.to_string(),
                caller: identity.clone(),
                origin: origin.clone(),
            },
        );
        // "If the offer is not acceptable … 488 (Not Acceptable Here)" (RFC 3261 §13.3.1.3), before a port is spent.
        let reach = self.settings.reach;
        let read = |offer: &Bytes| sip::sdp::Offer::read(offer, reach);
        let offer = match invite.offer.as_ref().map(read).transpose() {
            Ok(offer) => offer,
            Err(error) => {
                let refusal = error.refusal();
                self.sip.reject_offer(now, leg, &refusal);
                self.note_refusal(invite.source.ip(), &refusal);
                self.refuse_call(now, id);
                return;
            }
        };
        let new = NewCall {
            id,
            dialled,
            identity,
            origin,
        };
        self.open_call(now, new, &invite, offer);
    }

    fn open_call(&mut self, now: Time, new: NewCall, invite: &sip::Invite, offer: Option<sip::sdp::Offer>) {
        let NewCall {
            id,
            dialled,
            identity,
            origin,
        } = new;
        let (language, flow, state) = match &dialled {
            Dialled::Number(number) => {
                let flow = ivr::Session::new(Arc::clone(&number.flow), number.language);
                (number.language, Some(flow), CallState::None)
            }
            // Nothing is spoken to the two.
            Dialled::Colleague(operator) => {
                self.engage(operator);
                (Language::English, None, CallState::Dialled)
            }
        };
        if let Origin::Operator(operator) = &origin {
            self.engage(operator);
        }
        let media = self.open_media(id);
        self.sip_legs.insert(invite.leg, id);
        let stream = Stream::unopened(self.rng.next_u64() >> 2);
        let call = Call {
            dialled,
            id,
            // `CallBegan`, written just now.
            began: self.journal.last(),
            origin,
            identity,
            language,
            caller: CallerLeg {
                leg: Leg {
                    sip: invite.leg,
                    media,
                    stream,
                    source: invite.source.ip(),
                    silent: None,
                },
                proof: if invite.proven {
                    media::Proof::Given
                } else {
                    media::Proof::Awaited
                },
                unanswered: Unanswered::new(invite.proven),
                presses: media::Presses::default(),
                state: LegState::Opening {
                    offer,
                    until: now + OPENING,
                },
                stalled: false,
                playing: None,
            },
            flow,
            state,
            started: false,
            answered: None,
            told: BTreeSet::new(),
            digits: 0,
            timer: None,
        };
        self.calls.insert(id, Box::new(call));
        // Its deadline counts from now.
        self.with_call(now, id, |_, _| {});
    }

    /// Counted on from a random number, and from another one after 2^24 calls: the stores are ordered by it, and so
    /// write what happens at one time in one place.
    fn new_call_id(&mut self) -> CallId {
        const COUNTED: u64 = (1 << 24) - 1;
        loop {
            if self.next_call & COUNTED == 0 {
                self.next_call = (self.rng.next_u64() & !COUNTED) + 1;
            }
            let id = CallId(self.next_call);
            self.next_call = self.next_call.wrapping_add(1);
            if !self.calls.contains_key(&id) {
                return id;
            }
        }
    }

    /// A call that was refused before it had a state of its own: its record all the same.
    fn refuse_call(&mut self, now: Time, call: CallId) {
        self.ended += 1;
        let duration = Duration::ZERO;
        self.write(
            now,
            Event::CallEnded {
                call,
                outcome: CallOutcome::Refused,
                duration,
                digits: 0,
            },
        );
    }

    /// No port for the caller.
    pub(super) fn no_media(&mut self, now: Time, call: &mut Call) {
        self.refused += 1;
        let leg = call.caller.leg.sip;
        self.sip
            .reject(now, leg, sip::Status::SERVICE_UNAVAILABLE, Some(RETRY_AFTER));
        self.remove_call(now, call, CallOutcome::Refused);
    }

    /// The caller's port is open. Neither an answer nor music leaves before the disk has the call: what a crash leaves of it
    /// is then at least a record.
    pub(super) fn caller_opened(&mut self, now: Time, call: &mut Call, local: SocketAddr) {
        let LegState::Opening { offer, .. } = &mut call.caller.state else {
            return;
        };
        let offer = offer.take();
        if call.began <= self.durable {
            return self.answer_caller(now, call, offer, local);
        }
        if self.journal_fails {
            return self.no_media(now, call);
        }
        let until = now + WRITTEN;
        call.caller.state = LegState::Opened { offer, local, until };
        self.unwritten.insert(call.began, call.id);
    }

    /// The journal cannot be written: callers whose calls are not in it get their answer now, not when they give up. Some
    /// in each step.
    pub(super) fn refuse_some_unwritten(&mut self, now: Time) {
        for _ in 0..AT_ONCE {
            let Some((_, id)) = self.unwritten.pop_first() else {
                self.unwritable = false;
                return;
            };
            self.with_call(now, id, |gateway, call| {
                if matches!(call.caller.state, LegState::Opened { .. }) {
                    gateway.no_media(now, call);
                }
            });
        }
    }

    /// The callers whose calls the disk has are answered, some in each step.
    pub(super) fn answer_some_durable(&mut self, now: Time) {
        for _ in 0..AT_ONCE {
            if !self.can_answer() {
                return;
            }
            let Some((_, id)) = self.unwritten.pop_first() else {
                return;
            };
            self.with_call(now, id, |gateway, call| {
                if let LegState::Opened { offer, local, .. } = &mut call.caller.state {
                    let (offer, local) = (offer.take(), *local);
                    gateway.answer_caller(now, call, offer, local);
                }
            });
        }
    }

    /// The disk has a call that is not answered yet.
    pub(super) fn can_answer(&self) -> bool {
        let first = self.unwritten.first_key_value();
        first.is_some_and(|(entry, _)| *entry <= self.durable)
    }

    fn answer_caller(
        &mut self,
        now: Time,
        call: &mut Call,
        offer: Option<sip::sdp::Offer>,
        local: SocketAddr,
    ) {
        let on_operator =
            matches!(&call.dialled, Dialled::Number(number) if number.answer == Answer::OnOperator);
        let early = on_operator && offer.is_some();
        let address = self.settings.media_address(local.ip(), call.caller.leg.source);
        call.caller.leg.stream.opened(address, local.port());
        let sdp = match offer {
            Some(offer) => {
                let proof = self.early_proof(call, &offer, early);
                call.caller.leg.stream.answer(&offer, proof)
            }
            // "If the INVITE did not contain an offer, the 2xx MUST contain an offer" (RFC 3261 §13.3.1.4).
            None => call.caller.leg.stream.offer(),
        };
        self.configure(&call.caller.leg);
        call.caller.state = LegState::Early {
            sdp: sdp.clone(),
            patience: EarlyMediaTimer::Runs(now + UNANSWERED),
        };
        if let Dialled::Colleague(operator) = &call.dialled {
            let operator = operator.clone();
            self.call_colleague(now, call, operator);
        } else if early {
            self.sip.progress(now, call.caller.leg.sip, sdp);
            self.start_flow(now, call);
        } else {
            self.answer_early(now, call);
        }
    }

    /// Whether media may flow before the ACK. Early media has none for minutes, and a trunk's caller who only listens need not
    /// send RTP. So it flows to the address that the INVITE came from, and to every other one that the trunk may call from: these
    /// are the trunk's, and no third party's.
    fn early_proof(&self, call: &Call, offer: &sip::sdp::Offer, early: bool) -> media::Proof {
        let is_trunks = |ip: IpAddr| match &call.origin {
            Origin::Trunk(name) => self.sip.is_of_trunk(name, ip),
            Origin::Operator(_) => false,
        };
        match offer.agreed().remote.map(|remote| remote.ip()) {
            Some(ip) if early && (ip == call.caller.leg.source || is_trunks(ip)) => media::Proof::Given,
            _ => call.caller.proof,
        }
    }

    /// 200 to a caller who has heard us without being answered.
    pub(super) fn answer_early(&mut self, now: Time, call: &mut Call) {
        if let LegState::Early { sdp, .. } = &call.caller.state {
            self.sip.answer(now, call.caller.leg.sip, sdp.clone());
            call.caller.state = LegState::Answering;
            call.answered = Some(now);
        }
    }
}

fn caller_identity(caller: &sip::Caller) -> CallerIdentity {
    if caller.anonymous {
        return CallerIdentity {
            number: None,
            name: None,
        };
    }
    let user = caller.user.as_deref().filter(|user| !user.is_empty());
    let display = caller.display.as_deref().filter(|display| !display.is_empty());
    CallerIdentity {
        number: user.map(PhoneNumber::new),
        name: display.map(DisplayName::new),
    }
}
