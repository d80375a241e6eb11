//! Two parties connected: the caller, and the operator who answered.
//!
//! Sessions, hold, keys and lost phones are handled alike in every talk. The end of a talk depends on its purpose: see
//! `talk_over`.

use pronto_media as media;
use pronto_sip as sip;
use pronto_types::link::{CallOutcome, Event};
use pronto_types::{Digit, Time};

use super::Gateway;
use super::leg::Leg;
use super::silence::{MediaTimeout, Pace};
use super::state::{Bridge, Call, CallState, Playing, Purpose};

/// How the operator's side of a talk ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Parted {
    /// The operator hung up.
    HungUp,
    /// The operator's phone sent nothing and answered nothing, or knows nothing of the talk.
    Lost,
}

impl Gateway {
    /// Connects the caller with the phone that answered: the caller's music stops and both hear each other.
    pub(super) fn connect(&mut self, now: Time, call: &mut Call, leg: Leg) {
        let could_send = call.can_send();
        let (purpose, dial) = match std::mem::replace(&mut call.state, CallState::None) {
            CallState::Dialling(purpose, dial) => (purpose, dial),
            state => return call.state = state,
        };
        self.answer_early(now, call);
        self.configure(&leg);
        self.silence(now, call);
        self.command(media::Command::Bridge {
            a: call.caller.leg.media,
            b: leg.media,
        });
        if let Purpose::Offer(offer) = &purpose {
            self.record_talk(now, call, &offer.ticket, leg.media);
            let (offer, ticket) = (offer.id, offer.ticket.id);
            self.write(now, Event::Answered { offer, ticket });
        }
        call.state = CallState::Talking(
            purpose,
            Bridge {
                operator: dial.operator,
                leg,
                asked: None,
                music: false,
            },
        );
        if call.caller.stalled && !could_send {
            // The caller's phone learns only now where to send: it has the time in which the media threads miss a phone.
            call.caller.leg.silent = Some(MediaTimeout::begins(now + media::session::STALL, Pace::TALKING));
        }
        self.session_changed(now, call);
    }

    /// Takes an event of the operator's phone.
    pub(super) fn bridge_event(&mut self, now: Time, call: &mut Call, event: sip::Event) {
        let CallState::Talking(_, bridge) = &mut call.state else {
            return;
        };
        match event {
            sip::Event::Offer { sdp, proven, .. } => {
                let taken = self.leg_offers(now, &mut bridge.leg, sdp, proven);
                if taken {
                    self.mind_hold(now, call);
                }
            }
            sip::Event::Reoffered {
                answer: Some(answer), ..
            } if bridge.leg.stream.accept(&answer).is_ok() => {
                self.configure(&bridge.leg);
                self.mind_hold(now, call);
            }
            sip::Event::Acknowledged { answer, .. } => {
                let usable = self.leg_acknowledges(&mut bridge.leg, answer);
                if usable {
                    self.mind_hold(now, call);
                }
            }
            sip::Event::Digit { digit, .. } => {
                let (leg, digits) = (call.caller.leg.media, vec![digit]);
                self.command(media::Command::Digits { leg, digits });
            }
            sip::Event::Probed {
                found: sip::Found::Gone,
                ..
            } => self.talk_over(now, call, Parted::Lost),
            sip::Event::Probed { found, .. } => {
                MediaTimeout::found(&mut bridge.leg.silent, now, found, Pace::TALKING);
            }
            sip::Event::Ended {
                by: sip::EndedBy::Bye { .. },
                ..
            } => self.talk_over(now, call, Parted::HungUp),
            sip::Event::Ended { .. } => {
                self.sip.vanished(bridge.leg.sip, &bridge.operator);
                self.talk_over(now, call, Parted::Lost);
            }
            _ => {}
        }
    }

    /// Takes an event of the operator's media leg.
    pub(super) fn bridge_media(&mut self, now: Time, call: &mut Call, event: &media::Event) {
        let CallState::Talking(_, bridge) = &mut call.state else {
            return;
        };
        match event {
            media::Event::Stalled { .. } => {
                bridge.leg.silent = Some(MediaTimeout::begins(now, Pace::TALKING));
            }
            media::Event::Resumed { .. } => self.leg_resumes(&mut bridge.leg),
            _ => {}
        }
    }

    /// Asks a silent phone of the operator, or gives it up.
    pub(super) fn bridge_deadline(&mut self, now: Time, call: &mut Call) {
        let earliest = call.caller_verdict();
        let CallState::Talking(_, bridge) = &mut call.state else {
            return;
        };
        if self.leg_is_lost(now, &mut bridge.leg, earliest) {
            self.sip.vanished(bridge.leg.sip, &bridge.operator);
            self.talk_over(now, call, Parted::Lost);
        }
    }

    /// The operator is gone; what follows is the affair of whoever dialled.
    fn talk_over(&mut self, now: Time, call: &mut Call, how: Parted) {
        match (&call.state, how) {
            (CallState::Talking(Purpose::Offer(_), _), Parted::HungUp) => self.operator_gone(now, call),
            (CallState::Talking(Purpose::Offer(_), _), Parted::Lost) => self.operator_lost(now, call),
            (_, Parted::HungUp) => self.end_call(now, call, CallOutcome::Completed),
            (_, Parted::Lost) => self.end_call(now, call, CallOutcome::PeerLost),
        }
    }

    /// Releases the operator's leg: dialog, media and the operator. `hang_up`: the phone does not know yet.
    pub(super) fn release_operator(&mut self, now: Time, bridge: &Bridge, hang_up: bool) {
        self.sip_legs.remove(&bridge.leg.sip);
        if hang_up {
            self.sip.hangup(now, bridge.leg.sip, None);
        }
        self.close_media(bridge.leg.media);
        self.disengage(&bridge.operator);
    }

    /// Takes a key that the caller's phone told by INFO during a talk, or in the media just before the bridge. It is the
    /// operator's to hear, as an RTP event; the bridge itself relays the keys of the media, and keeps all keys while the operator
    /// holds.
    pub(super) fn key_to_operator(&mut self, bridge: &Bridge, digit: Digit) {
        let (leg, digits) = (bridge.leg.media, vec![digit]);
        self.command(media::Command::Digits { leg, digits });
    }

    /// Follows a new session of the caller's phone, or the first one of a talk.
    pub(super) fn session_changed(&mut self, now: Time, call: &mut Call) {
        self.align(now, call);
        self.mind_hold(now, call);
    }

    /// Asks the operator's phone for the caller's codec if the two differ, so that nothing is translated between them. Asked
    /// once for each codec; a phone that declines is translated.
    fn align(&mut self, now: Time, call: &mut Call) {
        let CallState::Talking(_, bridge) = &mut call.state else {
            return;
        };
        let stream = &mut bridge.leg.stream;
        let (Some(wanted), Some(spoken)) = (call.caller.leg.stream.codec(), stream.codec()) else {
            return;
        };
        let hears = stream.receives() && !stream.is_held();
        if wanted != spoken && bridge.asked != Some(wanted) && hears {
            bridge.asked = Some(wanted);
            let offer = stream.offer_only(wanted);
            self.sip.reoffer(now, bridge.leg.sip, offer);
        }
    }

    /// While the operator's phone holds the caller, the caller hears music; it drowns the bridge, which stays, and so does its
    /// recording. A caller from a trunk who holds plays music of their own; a colleague's phone plays none, so the one who is
    /// held hears ours.
    fn mind_hold(&mut self, now: Time, call: &mut Call) {
        let CallState::Talking(purpose, bridge) = &mut call.state else {
            return;
        };
        let leg = bridge.leg.media;
        let holds = matches!(purpose, Purpose::Colleague) && call.caller.leg.stream.is_held();
        if std::mem::replace(&mut bridge.music, holds) != holds {
            let music = self.settings.prompts.music().filter(|_| holds);
            self.command(match music {
                Some(clip) => media::Command::Music { leg, clip },
                None => media::Command::Stop { leg },
            });
        }
        if bridge.leg.stream.is_held() {
            return self.music(call);
        }
        if call.caller.playing == Some(Playing::Music) {
            self.silence(now, call);
            self.align(now, call);
        }
    }
}
