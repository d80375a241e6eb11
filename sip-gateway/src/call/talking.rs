//! Caller and operator connected.

use bytes::Bytes;
use pronto_ivr as ivr;
use pronto_media as media;
use pronto_sip as sip;
use pronto_types::link::Event;
use pronto_types::{TicketId, Time};

use super::Gateway;
use super::answering::{PROBE_AGAIN, reoffered};
use super::state::{Call, Place, Silence, Talk};

impl Gateway {
    /// The operator's phone says something during the talk.
    pub(super) fn talk_event(&mut self, now: Time, call: &mut Call, event: sip::Event) {
        let Place::Talking(_, talk) = &mut call.place else {
            return;
        };
        match event {
            sip::Event::Offer { sdp, proven, .. } => {
                let answer = reoffered(&mut talk.stream, sdp, proven);
                let (sip, media, source) = (talk.sip, talk.media, talk.source);
                self.reply_to_offer(now, (sip, source), answer);
                let Place::Talking(_, talk) = &call.place else {
                    return;
                };
                self.configure(media, &talk.stream, source);
                let silent = Silence::of(&talk.stream, now);
                if let Place::Talking(_, talk) = &mut call.place {
                    talk.silent = silent;
                }
            }
            sip::Event::Reoffered { answer, .. } => self.realigned(now, call, answer),
            sip::Event::Acknowledged {
                answer: Some(answer), ..
            } if talk.stream.accept(&answer).is_ok() => {
                self.configure(talk.media, &talk.stream, talk.source);
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
            sip::Event::Probed { alive: true, .. } if talk.silent.is_some() => {
                talk.silent = Some(Silence::Until(now + PROBE_AGAIN));
            }
            sip::Event::Probed { alive: false, .. } => self.operator_gone(now, call, true),
            sip::Event::Ended { .. } => self.operator_gone(now, call, false),
            _ => {}
        }
    }

    /// Caller and operator speak different codecs: the operator's phone is asked for the caller's, so that nothing is
    /// translated between them. Asked once for each codec; where it declines, translated it is.
    pub(super) fn align(&mut self, now: Time, call: &mut Call) {
        let Place::Talking(_, talk) = &mut call.place else {
            return;
        };
        let (Some(wanted), Some(spoken)) = (call.caller.stream.codec(), talk.stream.codec()) else {
            return;
        };
        if wanted != spoken && talk.asked != Some(wanted) && talk.stream.receives() {
            talk.asked = Some(wanted);
            self.sip.reoffer(now, talk.sip, talk.stream.offer_only(wanted));
        }
    }

    /// What the phone said to that.
    fn realigned(&mut self, now: Time, call: &mut Call, answer: Option<Bytes>) {
        let Place::Talking(_, talk) = &mut call.place else {
            return;
        };
        if answer.is_some_and(|answer| talk.stream.accept(&answer).is_ok()) {
            self.configure(talk.media, &talk.stream, talk.source);
            talk.silent = talk.silent.or(Silence::of(&talk.stream, now));
        }
    }

    /// The operator's media leg says something during the talk.
    pub(super) fn talk_media(&mut self, now: Time, call: &mut Call, event: &media::Event) {
        let Place::Talking(_, talk) = &mut call.place else {
            return;
        };
        match event {
            media::Event::Stalled { .. } => {
                talk.silent = Some(Silence::Probing);
                let leg = talk.sip;
                self.sip.probe(now, leg);
            }
            media::Event::Resumed { .. } => talk.silent = None,
            _ => {}
        }
    }

    /// Time to ask a silent phone again.
    pub(super) fn talk_deadline(&mut self, now: Time, talk: &mut Talk) {
        if Silence::due(talk.silent, now) {
            talk.silent = Some(Silence::Probing);
            self.sip.probe(now, talk.sip);
        }
    }

    /// The operator hung up, or their phone is gone: the flow goes on with the caller.
    fn operator_gone(&mut self, now: Time, call: &mut Call, hang_up: bool) {
        if let Place::Talking(ticket, talk) = std::mem::replace(&mut call.place, Place::None) {
            self.tickets.remove(&ticket.id);
            self.command(media::Command::Unbridge {
                a: call.caller.media,
                b: talk.media,
            });
            self.end_talk(now, ticket.id, talk, hang_up);
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
        self.sip_legs.remove(&talk.sip);
        if hang_up {
            self.sip.hangup(now, talk.sip, None);
        }
        self.close_media(talk.media);
        self.offers.remove(&talk.offer);
        self.disengage(&talk.operator);
        self.write(
            now,
            Event::TalkEnded {
                offer: talk.offer,
                ticket,
            },
        );
    }
}
