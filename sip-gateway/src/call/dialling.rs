//! One operator calls another: without flow and queue. The caller hears the phone ring, all phones of the other ring, the
//! first to answer has the call, and whoever hangs up ends it for both. One such call at a time: who is called is offered
//! nobody meanwhile, and nobody may keep a whole centre from its callers.

use std::sync::Arc;
use std::time::Duration;

use pronto_ivr::Script;
use pronto_media as media;
use pronto_sip as sip;
use pronto_types::link::{CallOutcome, Origin};
use pronto_types::{CallId, Digit, Language, OperatorId, Time};
use rand::Rng;

use super::Gateway;
use super::negotiate::{Stream, reoffered};
use super::offering::refuse_reason;
use super::parting::RungFor;
use super::silence::{Due, MediaTimeout, Pace};
use super::state::{Call, CallState, Forked, Peer, PeerState, Playing};
use crate::settings::{Answer, Number};

/// How long an operator's phones ring for another operator.
const RING: Duration = Duration::from_secs(60);
/// Such a call runs no flow: this one is never started.
const NO_FLOW: &str = "start = \"end\"\n[end]\nhangup = true\n";

impl Gateway {
    /// Finds the operator whose id another operator has dialled. A caller from a trunk gets 404.
    pub(super) fn operator_dialled(&self, invite: &sip::Invite) -> Result<(Number, OperatorId), sip::Status> {
        let unknown = sip::Status::NOT_FOUND;
        let sip::Identity::Operator(caller) = &invite.from else {
            return Err(unknown);
        };
        let called = OperatorId::new(&invite.dialled).map_err(|_| unknown)?;
        if called == *caller || !self.sip.is_operator(&called) {
            return Err(unknown);
        }
        // The caller's own limit has no status of its own: 403 "SHOULD NOT be repeated" (§21.4.4), this may, and a phone shows
        // what it means (§21.4.24).
        if self.engaged.contains_key(&called) || self.calls_another(caller) {
            return Err(sip::Status::BUSY_HERE);
        }
        if self.sip.bindings(&called).next().is_none() {
            return Err(sip::Status::TEMPORARILY_UNAVAILABLE);
        }
        let flow = Script::parse(NO_FLOW).map_err(|_| sip::Status::SERVER_INTERNAL_ERROR)?;
        let number = Number {
            dial: format!("operators/{called}"),
            flow: Arc::new(flow),
            language: Language::English,
            answer: Answer::OnOperator,
        };
        Ok((number, called))
    }

    /// Whether an operator has a call to another, ringing or answered.
    fn calls_another(&self, operator: &OperatorId) -> bool {
        let mut calls = self.calls.values();
        calls.any(|call| {
            let caller = matches!(&call.origin, Origin::Operator(who) if who == operator);
            caller && matches!(call.place, CallState::Calling(_))
        })
    }

    /// The caller's port is open: the caller hears ringing, and the other's port is opened.
    pub(super) fn call_operator(&mut self, now: Time, call: &mut Call) {
        let id = call.id;
        if let CallState::Calling(peer) = &mut call.place {
            self.sip.ring(now, call.caller.sip);
            let media = self.open_media(id);
            let until = now + RING;
            peer.state = PeerState::Opening { media, until };
        }
    }

    /// The called operator's media leg says something.
    pub(super) fn peer_media(&mut self, now: Time, call: &mut Call, event: &media::Event) {
        let CallState::Calling(peer) = &mut call.place else {
            return;
        };
        match (event, &mut peer.state) {
            (media::Event::Opened { local, .. }, PeerState::Opening { media, until }) => {
                let (media, until, operator) = (*media, *until, peer.operator.clone());
                let mut stream = Stream::unopened(self.rng.next_u64() >> 2);
                stream.opened(local.ip(), local.port());
                let name = call.identity.name.as_ref().or(call.identity.number.as_ref());
                let options = sip::InviteOptions {
                    from_user: call.identity.number.as_ref().map(|it| it.reveal().to_owned()),
                    from_display: name.map(|it| it.reveal().to_owned()),
                };
                let codec = call.caller.stream.codec().unwrap_or(sip::sdp::Codec::Pcma);
                let phones = self.ring_all(now, call.id, &operator, (&stream, codec), &options);
                if phones.is_empty() {
                    return self.nobody_answers(now, call, sip::Status::TEMPORARILY_UNAVAILABLE);
                }
                let forked = Forked {
                    stream,
                    phones,
                    refused: None,
                    told: false,
                };
                let state = PeerState::Ringing {
                    media,
                    forked,
                    until,
                    status: sip::Status::TEMPORARILY_UNAVAILABLE,
                };
                call.place = CallState::Calling(Box::new(Peer { operator, state }));
            }
            (media::Event::OpenFailed { .. }, _) => {
                self.nobody_answers(now, call, sip::Status::SERVICE_UNAVAILABLE);
            }
            (media::Event::Stalled { .. }, PeerState::Talking { silent, .. }) => {
                *silent = Some(MediaTimeout::begins(now, Pace::TALKING));
            }
            (media::Event::Resumed { .. }, PeerState::Talking { sip, silent, .. }) => {
                *silent = None;
                self.sip.unprobe(*sip);
            }
            _ => {}
        }
    }

    /// One of the called operator's phones says something.
    pub(super) fn peer_event(&mut self, now: Time, call: &mut Call, leg: sip::LegId, event: sip::Event) {
        let CallState::Calling(peer) = &mut call.place else {
            return;
        };
        match (event, &mut peer.state) {
            (sip::Event::Answered { sdp, .. }, PeerState::Ringing { forked, .. }) => {
                forked.chosen(leg);
                if sdp.is_some_and(|sdp| forked.stream.accept(&sdp).is_ok()) {
                    return self.peer_answered(now, call, leg);
                }
                self.sip.hangup(now, leg, None);
                self.peer_refused(now, call, leg, (sip::Status::NOT_ACCEPTABLE_HERE, false));
            }
            (sip::Event::Refused { status, local, .. }, PeerState::Ringing { .. }) => {
                let status = sip::Status::new(status).unwrap_or(sip::Status::TEMPORARILY_UNAVAILABLE);
                self.peer_refused(now, call, leg, (status, local));
            }
            (sip::Event::Offer { sdp, proven, .. }, PeerState::Talking { stream, source, .. }) => {
                let answer = reoffered(stream, sdp, proven);
                let source = *source;
                self.reply_to_offer(now, (leg, source), answer);
                self.configure_peer(call);
                self.mind_peers_hold(now, call);
            }
            (
                sip::Event::Acknowledged {
                    answer: Some(answer), ..
                },
                PeerState::Talking { stream, .. },
            ) => {
                let taken = stream.accept(&answer).is_ok();
                if taken {
                    self.configure_peer(call);
                    self.mind_peers_hold(now, call);
                }
            }
            (sip::Event::Acknowledged { answer: None, .. }, PeerState::Talking { stream, .. }) => {
                let is_news = stream.confirmed();
                if is_news {
                    self.configure_peer(call);
                }
            }
            (sip::Event::Digit { digit, .. }, PeerState::Talking { .. }) => {
                let leg = call.caller.media;
                let digits = vec![digit];
                self.command(media::Command::Digits { leg, digits });
            }
            (sip::Event::Probed { found, .. }, PeerState::Talking { silent, .. })
                if found != sip::Found::Gone =>
            {
                MediaTimeout::found(silent, now, found, Pace::TALKING);
            }
            (
                sip::Event::Ended {
                    by: sip::EndedBy::Bye { .. },
                    ..
                },
                PeerState::Talking { .. },
            ) => {
                self.end_call(now, call, CallOutcome::Completed);
            }
            (sip::Event::Ended { .. } | sip::Event::Probed { .. }, PeerState::Talking { .. }) => {
                self.end_call(now, call, CallOutcome::PeerLost);
            }
            _ => {}
        }
    }

    fn peer_answered(&mut self, now: Time, call: &mut Call, leg: sip::LegId) {
        let CallState::Calling(mut peer) = std::mem::replace(&mut call.place, CallState::None) else {
            return;
        };
        if let PeerState::Ringing { media, forked, .. } = peer.state {
            let Forked { stream, phones, .. } = forked;
            let source = phones
                .iter()
                .find(|phone| phone.sip == leg)
                .map(|phone| phone.source);
            let others: Vec<_> = phones.into_iter().filter(|phone| phone.sip != leg).collect();
            self.silence_phones(now, &others, Some(sip::Reason::completed_elsewhere()));
            let source = source.unwrap_or(call.caller.source);
            self.answer_early(now, call);
            self.command(media::Command::Bridge {
                a: call.caller.media,
                b: media,
            });
            peer.state = PeerState::Talking {
                sip: leg,
                media,
                stream,
                source,
                silent: None,
                music: false,
            };
        }
        call.place = CallState::Calling(peer);
        if call.caller.stalled {
            // The caller's phone learns only now where to send: it has the time in which the media threads miss a phone.
            call.caller.silent = Some(MediaTimeout::begins(now + media::session::STALL, Pace::TALKING));
        }
        self.configure_peer(call);
        self.mind_peers_hold(now, call);
    }

    pub(super) fn configure_peer(&mut self, call: &Call) {
        if let CallState::Calling(peer) = &call.place
            && let PeerState::Talking {
                media,
                stream,
                source,
                ..
            } = &peer.state
        {
            let (media, stream, source) = (*media, stream.clone(), *source);
            self.configure(media, &stream, source);
        }
    }

    /// Either phone may hold the other, which hears music until it is taken back.
    pub(super) fn mind_peers_hold(&mut self, now: Time, call: &mut Call) {
        let held_by_caller = call.caller.stream.is_held();
        let CallState::Calling(peer) = &mut call.place else {
            return;
        };
        let PeerState::Talking {
            media, stream, music, ..
        } = &mut peer.state
        else {
            return;
        };
        let (leg, held_by_peer) = (*media, stream.is_held());
        if std::mem::replace(music, held_by_caller) != held_by_caller {
            match self.settings.prompts.music().filter(|_| held_by_caller) {
                Some(clip) => self.command(media::Command::Music { leg, clip }),
                None => self.command(media::Command::Stop { leg }),
            }
        }
        if held_by_peer {
            self.music(call);
        } else if call.caller.playing == Some(Playing::Music) {
            self.silence(now, call);
        }
    }

    /// One phone does not take it; the others may, and the refusal that weighs most is told, as in an offer. A 6xx, where there
    /// is one, is chosen before all others (RFC 3261 §16.7 step 6): it speaks for all. `local`: no answer
    /// came, the status is our own conclusion.
    fn peer_refused(
        &mut self,
        now: Time,
        call: &mut Call,
        leg: sip::LegId,
        (said, local): (sip::Status, bool),
    ) {
        self.sip_legs.remove(&leg);
        let CallState::Calling(peer) = &mut call.place else {
            return;
        };
        let PeerState::Ringing { forked, status, .. } = &mut peer.state else {
            return;
        };
        let for_all = !local && said.code() >= 600;
        if forked.refused_by(leg, refuse_reason(said.code(), local)) || for_all {
            // What the phone says of itself; a redirection or a question to us is not for the one who dials.
            let plain = !local && matches!(said.code(), 404 | 480 | 486 | 488 | 600 | 603);
            *status = if plain {
                said
            } else {
                sip::Status::TEMPORARILY_UNAVAILABLE
            };
        }
        if forked.phones.is_empty() || for_all {
            let status = *status;
            self.nobody_answers(now, call, status);
        }
    }

    fn nobody_answers(&mut self, now: Time, call: &mut Call, status: sip::Status) {
        self.sip.reject(now, call.caller.sip, status, None);
        self.remove_call(now, call, CallOutcome::Refused);
    }

    /// The phones rang in vain, or it is time to ask a silent one again.
    pub(super) fn peer_deadline(&mut self, now: Time, call: &mut Call) {
        let CallState::Calling(peer) = &mut call.place else {
            return;
        };
        match &mut peer.state {
            PeerState::Opening { until, .. } | PeerState::Ringing { until, .. } if *until <= now => {
                self.nobody_answers(now, call, sip::Status::TEMPORARILY_UNAVAILABLE);
            }
            PeerState::Talking { sip, silent, .. } => match MediaTimeout::due(silent, now, None) {
                Due::Nothing => {}
                Due::Ask => self.sip.probe(now, *sip),
                Due::GiveUp => {
                    self.sip.vanished(*sip, &peer.operator);
                    self.end_call(now, call, CallOutcome::PeerLost);
                }
            },
            PeerState::Called | PeerState::Opening { .. } | PeerState::Ringing { .. } => {}
        }
    }

    /// A key that the caller sent by INFO.
    pub(super) fn digit_to_peer(&mut self, peer: Option<media::LegId>, digit: Digit) {
        if let Some(leg) = peer {
            let digits = vec![digit];
            self.command(media::Command::Digits { leg, digits });
        }
    }

    /// The call is over: so it is for the called, who is free at once, or when the phones that rang are quiet.
    pub(super) fn leave_peer(&mut self, now: Time, call: CallId, peer: Peer) {
        if let Some(media) = peer.media() {
            self.close_media(media);
        }
        match peer.state {
            PeerState::Ringing { forked, .. } if !forked.phones.is_empty() => {
                self.silence_phones(now, &forked.phones, None);
                return self.await_quiet(now, RungFor::Call(call), peer.operator, &forked.phones);
            }
            PeerState::Talking { sip, .. } => {
                self.sip_legs.remove(&sip);
                self.sip.hangup(now, sip, None);
            }
            PeerState::Called | PeerState::Opening { .. } | PeerState::Ringing { .. } => {}
        }
        self.disengage(&peer.operator);
    }
}
