//! The caller's leg once the INVITE is taken: what the phone and the media threads report, what the flow wants, and the
//! deadlines of a call.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pronto_ivr as ivr;
use pronto_media as media;
use pronto_sip as sip;
use pronto_types::link::{CallOutcome, Hearing};
use pronto_types::{Digit, Time};

use super::Gateway;
use super::silence::MediaTimeout;
use super::state::{Call, CallState, EarlyMediaTimer, LegState, Playing};

impl Gateway {
    /// The caller's media leg says something.
    pub(super) fn caller_media(&mut self, now: Time, call: &mut Call, event: media::Event) {
        match event {
            media::Event::Opened { local, .. } => self.caller_opened(now, call, local),
            media::Event::OpenFailed { .. } => self.no_media(now, call),
            media::Event::Digit { digit, bridged, .. } => {
                call.caller.unanswered.shows();
                if call
                    .caller
                    .presses
                    .is_new(now, digit, media::Way::Media, Duration::ZERO)
                {
                    self.caller_digit(now, call, digit, bridged);
                }
            }
            media::Event::Finished { play, .. } => self.play_finished(now, call, play),
            media::Event::Stalled { heard, .. } => {
                if heard {
                    call.caller.unanswered.shows();
                }
                call.caller.stalled = true;
                if call.can_send() {
                    call.caller.leg.silent = Some(MediaTimeout::begins(now, call.pace()));
                }
            }
            media::Event::Resumed { .. } => {
                call.caller.unanswered.shows();
                call.caller.stalled = false;
                self.leg_resumes(&mut call.caller.leg);
            }
            media::Event::Closed { .. } => {}
        }
    }

    /// The last sample of a play was sent.
    fn play_finished(&mut self, now: Time, call: &mut Call, finished: media::PlayId) {
        match call.caller.playing {
            Some(Playing::Prompt { play, of }) if play == finished => {
                call.caller.playing = None;
                call.tell_flow(now, ivr::Input::PlayFinished(of));
            }
            Some(Playing::Consent(play)) if play == finished => self.consent_heard(now, call),
            Some(Playing::Announcement(speaking)) if speaking.play == finished => {
                self.end_announcement(now, call, Hearing::Whole);
            }
            // Of one that was cut meanwhile.
            _ => {}
        }
    }

    pub(super) fn start_flow(&mut self, now: Time, call: &mut Call) {
        if !std::mem::replace(&mut call.started, true) {
            call.tell_flow(now, ivr::Input::Start);
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
                if self.leg_offers(now, &mut call.caller.leg, sdp, proven) {
                    self.session_changed(now, call);
                }
            }
            sip::Event::Digit { digit, duration, .. } => {
                let way = media::Way::Signalling;
                // Only somebody who got our answer knows the dialog.
                call.caller.unanswered.shows();
                if call.caller.leg.stream.confirmed() {
                    self.configure(&call.caller.leg);
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
                MediaTimeout::found(&mut call.caller.leg.silent, now, found, pace);
            }
            _ => {}
        }
    }

    fn acknowledged_by_caller(&mut self, now: Time, call: &mut Call, answer: Option<Bytes>) {
        if !self.leg_acknowledges(&mut call.caller.leg, answer) {
            // Before the call is up this is its end; a re-offer that came to nothing leaves the session as it was.
            if !matches!(call.caller.state, LegState::Up) {
                self.end_call(now, call, CallOutcome::Refused);
            }
            return;
        }
        self.session_changed(now, call);
        if matches!(call.caller.state, LegState::Answering) {
            if !call.caller.leg.stream.is_agreed() {
                // A late offer must be answered in the ACK (RFC 3261 §13.2.1).
                self.end_call(now, call, CallOutcome::Refused);
                return;
            }
            call.caller.state = LegState::Up;
            self.start_flow(now, call);
        }
    }

    /// A key. While talking it is the operator's to hear; `relayed` says whether the bridge sees to that.
    fn caller_digit(&mut self, now: Time, call: &mut Call, digit: Digit, relayed: bool) {
        call.digits = call.digits.saturating_add(1);
        self.cut_announcement(now, call);
        match &mut call.state {
            CallState::Talking(_, bridge) if !relayed => self.key_to_operator(bridge, digit),
            CallState::Talking(..) => {}
            _ => call.tell_flow(now, ivr::Input::Digit(digit)),
        }
    }

    /// Carries out what the flow wants, until it wants nothing more.
    pub(super) fn run_flow(&mut self, now: Time, call: &mut Call) {
        while let Some(output) = call.next_wish() {
            if call.over() {
                return;
            }
            match output {
                ivr::Output::Play { play, prompts } => self.play(now, call, play, &prompts),
                ivr::Output::Stop => {
                    call.caller.playing = None;
                    self.command(media::Command::Stop {
                        leg: call.caller.leg.media,
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
            call.tell_flow(now, ivr::Input::PlayFinished(play));
            return;
        }
        call.caller.playing = Some(Playing::Prompt {
            play: self.play_clips(call, clips),
            of: play,
        });
    }

    /// Plays clips to the caller. The report of their end carries the number returned.
    pub(super) fn play_clips(&mut self, call: &Call, clips: Vec<media::Clip>) -> media::PlayId {
        self.plays += 1;
        let (leg, play) = (call.caller.leg.media, media::PlayId(self.plays));
        self.command(media::Command::Play { leg, play, clips });
        play
    }

    /// A deadline of one of the call's states passed.
    pub(super) fn call_deadline(&mut self, now: Time, call: &mut Call) {
        if let Some(flow) = &mut call.flow
            && flow.poll_timeout().is_some_and(|at| at <= now)
        {
            flow.handle_timeout(now);
        }
        if matches!(call.caller.state, LegState::Opening { until, .. } | LegState::Opened { until, .. } if until <= now)
        {
            self.no_media(now, call);
            return;
        }
        if matches!(call.caller.state, LegState::Early { patience: EarlyMediaTimer::Runs(until), .. } if until <= now)
        {
            let (leg, reason) = (call.caller.leg.sip, sip::Reason::no_answer());
            self.sip.hangup(now, leg, Some(reason));
            return self.remove_call(now, call, CallOutcome::Refused);
        }
        if self.leg_is_lost(now, &mut call.caller.leg, None) {
            return self.end_call(now, call, CallOutcome::PeerLost);
        }
        self.announcement_deadline(now, call);
        self.place_deadline(now, call);
    }
}
