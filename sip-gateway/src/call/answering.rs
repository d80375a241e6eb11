//! The caller's leg: from the INVITE to a running flow, and what the caller's phone says after that.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pronto_ivr as ivr;
use pronto_media as media;
use pronto_sip as sip;
use pronto_types::link::{CallOutcome, Caller as CallerIdentity, Event, Origin};
use pronto_types::{CallId, Digit, PhoneNumber, Time};
use rand::Rng;

use super::negotiate::{Stream, reoffered};
use super::silence::{Due, MediaTimeout, Unanswered};
use super::state::{Call, CallState, CallerLeg, EarlyMediaTimer, LegState, Playing, peer_leg};
use super::{AT_ONCE, Gateway, MAX_BACKLOG, Output};
use crate::settings::{Answer, Number, dialled_number};
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

/// Keys of a caller on hold that are kept for the operator: what the media threads take at once.
const KEPT_KEYS: usize = 64;

/// A call that is about to be opened: what its INVITE meant.
struct NewCall {
    id: CallId,
    number: Number,
    place: CallState,
    identity: CallerIdentity,
    origin: Origin,
}

impl Gateway {
    /// A new INVITE, its sender known (ARCHITECTURE: "who is calling").
    pub(super) fn invited(&mut self, now: Time, invite: sip::Invite) {
        let leg = invite.leg;
        let number = self.settings.numbers.get(&dialled_number(&invite.dialled));
        let (number, called) = match number {
            Some(number) => (number.clone(), None),
            None => match self.operator_dialled(&invite) {
                Ok((number, called)) => (number, Some(called)),
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
        // Of a flow that leads to no queue the queue's absence is no matter.
        if number.flow.queues().next().is_some() && !self.takes_callers(now) {
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
                dialled: number.dial.clone(),
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
        let place = called.map_or(CallState::None, |operator| self.peer_called(operator));
        let new = NewCall {
            id,
            number,
            place,
            identity,
            origin,
        };
        self.open_call(now, new, &invite, offer);
    }

    /// The state of a call to another operator, who is engaged from now on.
    fn peer_called(&mut self, operator: pronto_types::OperatorId) -> CallState {
        self.engage(&operator);
        super::state::called(operator)
    }

    fn open_call(&mut self, now: Time, new: NewCall, invite: &sip::Invite, offer: Option<sip::sdp::Offer>) {
        let NewCall {
            id,
            number,
            place,
            identity,
            origin,
        } = new;
        if let Origin::Operator(operator) = &origin {
            self.engage(operator);
        }
        let media = self.open_media(id);
        self.sip_legs.insert(invite.leg, id);
        let stream = Stream::unopened(self.rng.next_u64() >> 2);
        let call = Call {
            dialled: number.dial,
            id,
            // `CallBegan`, written just now.
            began: self.journal.last(),
            origin,
            identity,
            language: number.language,
            caller: CallerLeg {
                sip: invite.leg,
                media,
                source: invite.source.ip(),
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
                stream,
                silent: None,
                stalled: false,
                playing: None,
            },
            flow: ivr::Session::new(Arc::clone(&number.flow), number.language),
            place,
            answer: number.answer,
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

    /// The caller's media leg says something.
    pub(super) fn caller_media(&mut self, now: Time, call: &mut Call, event: media::Event) {
        match event {
            media::Event::Opened { local, .. } => self.caller_opened(now, call, local),
            media::Event::OpenFailed { .. } => self.no_media(now, call),
            media::Event::Digit { digit, .. } => {
                call.caller.unanswered.shows();
                if call
                    .caller
                    .presses
                    .is_new(now, digit, media::Way::Media, Duration::ZERO)
                {
                    self.caller_digit(now, call, digit, true);
                }
            }
            media::Event::Finished { play, .. } if self.announcement_finished(now, call, play) => {}
            media::Event::Finished { play, .. } if self.consent_heard(now, call, play) => {}
            media::Event::Finished { play, .. } => {
                let play = ivr::PlayId(play.0);
                if call.caller.playing == Some(Playing::Prompt(play)) {
                    call.caller.playing = None;
                }
                call.flow.handle_input(now, ivr::Input::PlayFinished(play));
            }
            media::Event::Stalled { heard, .. } => {
                if heard {
                    call.caller.unanswered.shows();
                }
                call.caller.stalled = true;
                if call.can_send() {
                    call.caller.silent = Some(MediaTimeout::begins(now, call.pace()));
                }
            }
            media::Event::Resumed { .. } => {
                call.caller.unanswered.shows();
                call.caller.stalled = false;
                call.caller.silent = None;
                self.sip.unprobe(call.caller.sip);
            }
            media::Event::Closed { .. } => {}
        }
    }

    /// No port for the caller.
    fn no_media(&mut self, now: Time, call: &mut Call) {
        self.refused += 1;
        let leg = call.caller.sip;
        self.sip
            .reject(now, leg, sip::Status::SERVICE_UNAVAILABLE, Some(RETRY_AFTER));
        self.remove_call(now, call, CallOutcome::Refused);
    }

    /// The caller's port is open. Neither an answer nor music leaves before the disk has the call: what a crash leaves of it
    /// is then at least a record.
    fn caller_opened(&mut self, now: Time, call: &mut Call, local: SocketAddr) {
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
        let early = offer.is_some() && call.answer == Answer::OnOperator;
        let address = self.settings.media_address(local.ip(), call.caller.source);
        call.caller.stream.opened(address, local.port());
        let sdp = match offer {
            Some(offer) => {
                let proof = self.early_proof(call, &offer, early);
                call.caller.stream.answer(&offer, proof)
            }
            // "If the INVITE did not contain an offer, the 2xx MUST contain an offer" (RFC 3261 §13.3.1.4).
            None => call.caller.stream.offer(),
        };
        self.configure(call.caller.media, &call.caller.stream, call.caller.source);
        call.caller.state = LegState::Early {
            sdp: sdp.clone(),
            patience: EarlyMediaTimer::Runs(now + UNANSWERED),
        };
        if let CallState::Calling(_) = call.place {
            self.call_operator(now, call);
        } else if early {
            self.sip.progress(now, call.caller.sip, sdp);
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
            Some(ip) if early && (ip == call.caller.source || is_trunks(ip)) => media::Proof::Given,
            _ => call.caller.proof,
        }
    }

    /// 200 to a caller who has heard us without being answered.
    pub(super) fn answer_early(&mut self, now: Time, call: &mut Call) {
        if let LegState::Early { sdp, .. } = &call.caller.state {
            self.sip.answer(now, call.caller.sip, sdp.clone());
            call.caller.state = LegState::Answering;
            call.answered = Some(now);
        }
    }

    fn start_flow(&mut self, now: Time, call: &mut Call) {
        if !call.started && !matches!(call.place, CallState::Calling(_)) {
            call.started = true;
            call.flow.handle_input(now, ivr::Input::Start);
        }
    }

    pub(super) fn configure(&mut self, leg: media::LegId, stream: &Stream, source: IpAddr) {
        if let Some(command) = stream.configure(leg, source, self.settings.learn) {
            self.command(command);
        }
    }

    /// The caller's phone says something.
    pub(super) fn caller_event(&mut self, now: Time, call: &mut Call, event: sip::Event) {
        match event {
            sip::Event::Acknowledged { answer, .. } => self.acknowledged_by_caller(now, call, answer),
            // Answered 487 by the endpoint; there is nothing to hang up.
            sip::Event::Cancelled { .. } => self.remove_call(now, call, CallOutcome::Cancelled),
            sip::Event::Offer { sdp, proven, .. } => {
                call.caller.unanswered.shows();
                let answer = reoffered(&mut call.caller.stream, sdp, proven);
                let taken = answer.is_ok();
                self.reply_to_offer(now, (call.caller.sip, call.caller.source), answer);
                if !taken {
                    return;
                }
                self.configure(call.caller.media, &call.caller.stream, call.caller.source);
                self.align(now, call);
                self.mind_peers_hold(now, call);
            }
            sip::Event::Digit { digit, duration, .. } => {
                let way = media::Way::Signalling;
                // Only somebody who got our answer knows the dialog.
                call.caller.unanswered.shows();
                if call.caller.stream.confirmed() {
                    self.configure(call.caller.media, &call.caller.stream, call.caller.source);
                }
                if call.caller.presses.is_new(now, digit, way, duration) {
                    self.caller_digit(now, call, digit, false);
                }
            }
            sip::Event::Ended { by, .. } => {
                let outcome = match by {
                    sip::EndedBy::Bye { .. } => CallOutcome::CallerHungUp,
                    _ => CallOutcome::PeerLost,
                };
                self.remove_call(now, call, outcome);
            }
            sip::Event::Probed { found, .. } => {
                let early = matches!(call.caller.state, LegState::Early { .. });
                let (found, pace) = if early {
                    call.caller.unanswered.judge(found)
                } else {
                    (found, call.pace())
                };
                if found == sip::Found::Gone {
                    return self.end_call(now, call, CallOutcome::PeerLost);
                }
                MediaTimeout::found(&mut call.caller.silent, now, found, pace);
            }
            _ => {}
        }
    }

    fn acknowledged_by_caller(&mut self, now: Time, call: &mut Call, answer: Option<Bytes>) {
        if let Some(answer) = answer {
            if let Err(error) = call.caller.stream.accept(&answer) {
                self.note_refusal(call.caller.source, &error.refusal());
                // Before the call is up this is its end; a re-offer that came to nothing leaves the session as it was.
                if !matches!(call.caller.state, LegState::Up) {
                    self.end_call(now, call, CallOutcome::Refused);
                }
                return;
            }
            self.configure(call.caller.media, &call.caller.stream, call.caller.source);
        } else if call.caller.stream.confirmed() {
            self.configure(call.caller.media, &call.caller.stream, call.caller.source);
        }
        if matches!(call.caller.state, LegState::Answering) {
            if !call.caller.stream.is_agreed() {
                // A late offer must be answered in the ACK (RFC 3261 §13.2.1).
                self.end_call(now, call, CallOutcome::Refused);
                return;
            }
            call.caller.state = LegState::Up;
            self.start_flow(now, call);
        }
    }

    pub(super) fn reply_to_offer(
        &mut self,
        now: Time,
        (leg, source): (sip::LegId, IpAddr),
        answer: Result<Bytes, sip::Refusal>,
    ) {
        match answer {
            Ok(sdp) => self.sip.accept_offer(now, leg, sdp),
            Err(refusal) => {
                self.note_refusal(source, &refusal);
                self.sip.refuse_offer(now, leg, refusal);
            }
        }
    }

    /// A body or an offer was refused: the shell writes it to the log.
    pub(super) fn note_refusal(&mut self, source: IpAddr, refusal: &sip::Refusal) {
        let refusal = refusal.clone();
        self.outputs.push_back(Output::Refused { source, refusal });
    }

    /// A key. While talking it is the operator's to hear: RTP events are relayed by the bridge, keys that came by
    /// INFO are sent on as RTP events.
    fn caller_digit(&mut self, now: Time, call: &mut Call, digit: Digit, in_media: bool) {
        call.digits = call.digits.saturating_add(1);
        self.cut_announcement(now, call);
        match &mut call.place {
            CallState::Talking(_, talk) if talk.stream.is_held() => {
                if talk.keys.len() < KEPT_KEYS {
                    talk.keys.push(digit);
                }
            }
            CallState::Talking(_, talk) if !in_media => {
                self.command(media::Command::Digits {
                    leg: talk.media,
                    digits: vec![digit],
                });
            }
            CallState::Talking(..) => {}
            CallState::Calling(peer) if !in_media => {
                let leg = peer_leg(peer);
                self.digit_to_peer(leg, digit);
            }
            CallState::Calling(_) => {}
            _ => call.flow.handle_input(now, ivr::Input::Digit(digit)),
        }
    }

    /// Carries out what the flow wants, until it wants nothing more.
    pub(super) fn run_flow(&mut self, now: Time, call: &mut Call) {
        while let Some(output) = call.flow.poll_output() {
            if call.over() {
                return;
            }
            match output {
                ivr::Output::Play { play, prompts } => self.play(now, call, play, &prompts),
                ivr::Output::Stop => {
                    call.caller.playing = None;
                    self.command(media::Command::Stop {
                        leg: call.caller.media,
                    });
                }
                ivr::Output::LookUp { look, queues } => self.look_up(now, call, look, &queues),
                ivr::Output::Wish(ivr::Wish::Enqueue { wish, queue }) => self.enqueue(now, call, wish, queue),
                ivr::Output::Wish(ivr::Wish::LeaveQueue) => self.leave_by_key(now, call),
                ivr::Output::HangUp => self.end_call(now, call, CallOutcome::Completed),
            }
        }
    }

    fn play(&mut self, now: Time, call: &mut Call, play: ivr::PlayId, prompts: &[Arc<str>]) {
        let clips: Vec<_> = prompts
            .iter()
            .filter_map(|name| self.settings.prompts.clip(call.language, name))
            .collect();
        if clips.is_empty() {
            call.flow.handle_input(now, ivr::Input::PlayFinished(play));
            return;
        }
        call.caller.playing = Some(Playing::Prompt(play));
        let play = media::PlayId(play.0);
        self.outputs.push_back(Output::Media(media::Command::Play {
            leg: call.caller.media,
            play,
            clips,
        }));
    }

    /// A deadline of one of the call's states passed.
    pub(super) fn call_deadline(&mut self, now: Time, call: &mut Call) {
        if call.flow.poll_timeout().is_some_and(|at| at <= now) {
            call.flow.handle_timeout(now);
        }
        if matches!(call.caller.state, LegState::Opening { until, .. } | LegState::Opened { until, .. } if until <= now)
        {
            self.no_media(now, call);
            return;
        }
        if matches!(call.caller.state, LegState::Early { patience: EarlyMediaTimer::Runs(until), .. } if until <= now)
        {
            let (leg, reason) = (call.caller.sip, sip::Reason::no_answer());
            self.sip.hangup(now, leg, Some(reason));
            return self.remove_call(now, call, CallOutcome::Refused);
        }
        match MediaTimeout::due(&mut call.caller.silent, now, None) {
            Due::Nothing => {}
            Due::Ask => self.sip.probe(now, call.caller.sip),
            Due::GiveUp => return self.end_call(now, call, CallOutcome::PeerLost),
        }
        self.announcement_deadline(now, call);
        self.place_deadline(now, call);
    }
}

fn caller_identity(caller: &sip::Caller) -> CallerIdentity {
    if caller.anonymous {
        return CallerIdentity {
            number: None,
            name: None,
        };
    }
    let personal = |text: &Option<String>| text.as_deref().filter(|t| !t.is_empty()).map(PhoneNumber::new);
    CallerIdentity {
        number: personal(&caller.user),
        name: personal(&caller.display),
    }
}
