//! Caller and operator connected.

use bytes::Bytes;
use pronto_ivr as ivr;
use pronto_media as media;
use pronto_sip as sip;
use pronto_types::link::Event;
use pronto_types::{Digit, TicketId, Time};

use super::negotiate::reoffered;
use super::silence::{Due, MediaTimeout, Pace};
use super::state::{Call, CallState, Playing, Talk};
use super::{Gateway, Output};

impl Gateway {
    /// The operator's phone says something during the talk.
    pub(super) fn talk_event(&mut self, now: Time, call: &mut Call, event: sip::Event) {
        let CallState::Talking(_, talk) = &mut call.place else {
            return;
        };
        match event {
            sip::Event::Offer { sdp, proven, .. } => {
                let answer = reoffered(&mut talk.stream, sdp, proven);
                let (sip, media, source) = (talk.sip, talk.media, talk.source);
                self.reply_to_offer(now, (sip, source), answer);
                let CallState::Talking(_, talk) = &call.place else {
                    return;
                };
                self.configure(media, &talk.stream, source);
                self.mind_hold(now, call);
            }
            sip::Event::Reoffered { answer, .. } => {
                self.realigned(call, answer);
                self.mind_hold(now, call);
            }
            sip::Event::Acknowledged {
                answer: Some(answer), ..
            } if talk.stream.accept(&answer).is_ok() => {
                self.configure(talk.media, &talk.stream, talk.source);
                self.mind_hold(now, call);
            }
            sip::Event::Acknowledged { answer: None, .. } if talk.stream.confirmed() => {
                self.configure(talk.media, &talk.stream, talk.source);
            }
            sip::Event::Digit { digit, .. } => {
                self.command(media::Command::Digits {
                    leg: call.caller.media,
                    digits: vec![digit],
                });
            }
            sip::Event::Probed {
                found: sip::Found::Gone,
                ..
            } => self.operator_lost(now, call),
            sip::Event::Probed { found, .. } => {
                MediaTimeout::found(&mut talk.silent, now, found, Pace::TALKING)
            }
            sip::Event::Ended {
                by: sip::EndedBy::Bye { .. },
                ..
            } => self.operator_gone(now, call),
            sip::Event::Ended { .. } => {
                self.sip.vanished(talk.sip, &talk.operator);
                self.operator_lost(now, call);
            }
            _ => {}
        }
    }

    /// While the operator's phone holds the caller, the caller hears music; it drowns the bridge, which stays, and so does its
    /// recording. When the phone is back, it is told what was pressed meanwhile.
    pub(super) fn mind_hold(&mut self, now: Time, call: &mut Call) {
        let CallState::Talking(_, talk) = &mut call.place else {
            return;
        };
        if talk.stream.is_held() {
            return self.music(call);
        }
        let (leg, keys) = (talk.media, std::mem::take(&mut talk.keys));
        // A key that came by INFO a moment ago may still come in the media; what came in the media was told by all ways.
        let presses = &call.caller.presses;
        let is_awaited = |key: &Digit| presses.is_awaited(now, *key, media::Way::Media);
        for digits in keys.chunk_by(|a, b| is_awaited(a) == is_awaited(b)) {
            let awaited = is_awaited(&digits[0]);
            let digits = digits.to_vec();
            self.outputs.push_back(Output::Media(match awaited {
                true => media::Command::Digits { leg, digits },
                false => media::Command::KeptDigits { leg, digits },
            }));
        }
        if call.caller.playing == Some(Playing::Music) {
            self.silence(now, call);
            self.align(now, call);
        }
    }

    /// Caller and operator speak different codecs: the operator's phone is asked for the caller's, so that nothing is
    /// translated between them. Asked once for each codec; where it declines, translated it is.
    pub(super) fn align(&mut self, now: Time, call: &mut Call) {
        let CallState::Talking(_, talk) = &mut call.place else {
            return;
        };
        let (Some(wanted), Some(spoken)) = (call.caller.stream.codec(), talk.stream.codec()) else {
            return;
        };
        let hears = talk.stream.receives() && !talk.stream.is_held();
        if wanted != spoken && talk.asked != Some(wanted) && hears {
            talk.asked = Some(wanted);
            self.sip.reoffer(now, talk.sip, talk.stream.offer_only(wanted));
        }
    }

    /// Takes the phone's answer to the offer of the caller's codec.
    fn realigned(&mut self, call: &mut Call, answer: Option<Bytes>) {
        let CallState::Talking(_, talk) = &mut call.place else {
            return;
        };
        if answer.is_some_and(|answer| talk.stream.accept(&answer).is_ok()) {
            self.configure(talk.media, &talk.stream, talk.source);
        }
    }

    /// The operator's media leg says something during the talk.
    pub(super) fn talk_media(&mut self, now: Time, call: &mut Call, event: &media::Event) {
        let CallState::Talking(_, talk) = &mut call.place else {
            return;
        };
        match event {
            media::Event::Stalled { .. } => {
                talk.silent = Some(MediaTimeout::begins(now, Pace::TALKING));
            }
            media::Event::Resumed { .. } => {
                talk.silent = None;
                self.sip.unprobe(talk.sip);
            }
            _ => {}
        }
    }

    /// Time to ask a silent phone, or to give it up.
    pub(super) fn talk_deadline(&mut self, now: Time, call: &mut Call) {
        let earliest = call.caller_verdict();
        let CallState::Talking(_, talk) = &mut call.place else {
            return;
        };
        match MediaTimeout::due(&mut talk.silent, now, earliest) {
            Due::Nothing => {}
            Due::Ask => self.sip.probe(now, talk.sip),
            Due::GiveUp => {
                self.sip.vanished(talk.sip, &talk.operator);
                self.operator_lost(now, call);
            }
        }
    }

    /// The operator's phone is gone in mid-talk: the caller hears music, keeps the seniority of the first joining, and is
    /// offered to the next operator.
    fn operator_lost(&mut self, now: Time, call: &mut Call) {
        match std::mem::replace(&mut call.place, CallState::None) {
            CallState::Talking(ticket, talk) => {
                let (offer, lost) = (talk.offer, ticket.id);
                self.command(media::Command::Unbridge {
                    a: call.caller.media,
                    b: talk.media,
                });
                self.release_operator(now, talk, true);
                self.write(now, Event::OperatorLost { offer, ticket: lost });
                self.wait_again(now, call, &ticket);
                self.music(call);
            }
            place => call.place = place,
        }
    }

    /// The operator hung up: the flow goes on with the caller.
    fn operator_gone(&mut self, now: Time, call: &mut Call) {
        if let CallState::Talking(ticket, talk) = std::mem::replace(&mut call.place, CallState::None) {
            self.tickets.remove(&ticket.id);
            self.command(media::Command::Unbridge {
                a: call.caller.media,
                b: talk.media,
            });
            self.end_talk(now, ticket.id, talk, false);
            self.silence(now, call);
            let outcome = ivr::Outcome::Ended;
            call.flow.handle_input(
                now,
                ivr::Input::Outcome {
                    wish: ticket.wish,
                    outcome,
                },
            );
        }
    }

    /// Parts the two: the operator's leg and media go, the queue is told.
    pub(super) fn end_talk(&mut self, now: Time, ticket: TicketId, talk: Talk, hang_up: bool) {
        let offer = talk.offer;
        self.release_operator(now, talk, hang_up);
        self.write(now, Event::TalkEnded { offer, ticket });
    }

    fn release_operator(&mut self, now: Time, talk: Talk, hang_up: bool) {
        self.sip_legs.remove(&talk.sip);
        if hang_up {
            self.sip.hangup(now, talk.sip, None);
        }
        self.close_media(talk.media);
        self.offers.remove(&talk.offer);
        self.disengage(&talk.operator);
    }
}
