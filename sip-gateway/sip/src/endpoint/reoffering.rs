//! re-INVITEs of ours (RFC 3261 §14.1): one at a time, never across the peer's own; where the two cross all the same, both
//! are answered 491 and each side waits for a time of its own.

use std::time::Duration;

use bytes::Bytes;
use pronto_types::Time;
use rand::Rng;

use super::Endpoint;
use super::calling::sdp_of;
use super::parting::with_abilities;
use crate::api::{Event, LegId};
use crate::dialog::leg::{Leg, Parting, Renewal, Reoffer, State};
use crate::message::{Essentials, HeaderName, Message, Method, Status};
use crate::tag::Tag;
use crate::transaction::client_invite::Act;
use crate::transaction::table::{Matched, Outgoing, Owner, Purpose, TxId};

/// The command that offers the peer another session.
impl Endpoint {
    /// Offers the peer another session, as soon as the dialog is up and no other offer is under way in it; the outcome is
    /// [`Event::Reoffered`]. One at a time: one that waits is replaced, while one is out another does nothing.
    pub fn reoffer(&mut self, now: Time, leg: LegId, sdp: Bytes) {
        self.with_leg(leg, |endpoint, taken| {
            let alive = matches!(taken.state, State::Answered(_, None) | State::Up) && !taken.told;
            let until = match taken.reoffer {
                Reoffer::Sent { .. } => return,
                Reoffer::Waiting { until, .. } => until,
                Reoffer::None => None,
            };
            if alive {
                taken.reoffer = Reoffer::Waiting { sdp, until };
                endpoint.try_reoffer(now, leg, taken);
            }
        });
    }
}

impl Endpoint {
    /// "A UAC MUST NOT initiate a new INVITE transaction within a dialog while another INVITE transaction is in progress in
    /// either direction."
    pub(super) fn try_reoffer(&mut self, now: Time, id: LegId, leg: &mut Leg) {
        let Reoffer::Waiting { sdp, until: None } = &leg.reoffer else {
            return;
        };
        if leg.told || !matches!((&leg.state, &leg.renewal), (State::Up, Renewal::None)) {
            return;
        }
        let sdp = sdp.clone();
        leg.dialog.local_cseq += 1;
        let branch = Tag::random(&mut self.rng);
        let contact = self.identity.contact_towards(leg.dialog.flow, &leg.dialog.target);
        let draft = leg
            .dialog
            .request(&self.identity, Method::INVITE, leg.dialog.local_cseq, branch)
            .header(HeaderName::Contact, format_args!("<{contact}>"));
        let bytes = with_abilities(&self.identity, draft).finish(Some("application/sdp"), &sdp);
        let request = Outgoing {
            flow: leg.dialog.flow,
            branch,
            bytes,
            purpose: Purpose::Reinvite,
            owner: Owner::Leg(id),
        };
        let tx = self.table.send(now, request, &mut self.out);
        let cancelled = false;
        leg.reoffer = Reoffer::Sent { tx, sdp, cancelled };
    }

    /// The wait after a 491 is over.
    pub(super) fn reoffer_due(&mut self, now: Time, id: LegId, leg: &mut Leg) {
        if let Reoffer::Waiting { until, .. } = &mut leg.reoffer
            && until.is_some_and(|at| at <= now)
        {
            *until = None;
            self.try_reoffer(now, id, leg);
        }
    }

    /// The peer's own offer was taken while ours waited: the session is another than the one ours was made for.
    pub(super) fn overtaken(&mut self, id: LegId, leg: &mut Leg) {
        if let Reoffer::Waiting { .. } = leg.reoffer {
            leg.reoffer = Reoffer::None;
            self.tell(Event::Reoffered {
                leg: id,
                status: Status::REQUEST_PENDING.code(),
                answer: None,
            });
        }
    }

    pub(super) fn reinvite_response(
        &mut self,
        now: Time,
        matched: Matched,
        status: Status,
        message: &Message,
        essentials: &Essentials<'_>,
    ) {
        let Owner::Leg(id) = matched.owner else { return };
        match matched.act {
            Act::Deliver if status.is_provisional() => {}
            Act::Deliver => self.reinvite_accepted(id, matched.id, message, essentials),
            Act::Ack => self.ack_failure(matched.id, message),
            Act::AckAndDeliver => {
                self.ack_failure(matched.id, message);
                self.reinvite_refused(now, id, matched.id, status, false);
            }
            Act::Nothing | Act::Resend | Act::TimedOut => {}
        }
    }

    /// A 2xx, acknowledged each time it comes, also when the dialog is over meanwhile.
    fn reinvite_accepted(&mut self, id: LegId, tx: TxId, message: &Message, essentials: &Essentials<'_>) {
        let known = self.with_leg(id, |endpoint, leg| {
            let is_news = matches!(&leg.reoffer, Reoffer::Sent { tx: sent, .. } if *sent == tx);
            if is_news {
                leg.reoffer = Reoffer::None;
                leg.dialog.refresh_target(message);
                endpoint.aim_again(&mut leg.dialog);
            }
            endpoint.ack_success(&leg.dialog, essentials.cseq);
            if is_news && !leg.told && matches!(leg.state, State::Up) {
                endpoint.tell(Event::Reoffered {
                    leg: id,
                    status: Status::OK.code(),
                    answer: sdp_of(message),
                });
            }
        });
        if known.is_none()
            && let Some(dialog) = self.fork_dialog(tx, message, essentials)
        {
            self.ack_success(&dialog, essentials.cseq);
        }
    }

    /// Timer C: somebody has said that they are at it, and nothing since. That is not "no response at all … (that is, a timeout
    /// is returned by the INVITE client transaction)", for which "the UAC will terminate the dialog" (§14.1): the talk goes
    /// on as it was. The request is cancelled, so that others may be made.
    pub(super) fn reinvite_given_up(&mut self, now: Time, id: LegId, tx: TxId) {
        self.with_leg(id, |endpoint, leg| {
            if let Reoffer::Sent {
                tx: sent, cancelled, ..
            } = &mut leg.reoffer
                && *sent == tx
            {
                *cancelled = true;
                endpoint.cancel(now, tx, &Parting::default());
            }
        });
    }

    /// It came to nothing. "The session parameters MUST remain unchanged, as if no re-INVITE had been issued"; after a 481 or
    /// no answer at all there is no dialog.
    pub(super) fn reinvite_refused(&mut self, now: Time, id: LegId, tx: TxId, status: Status, local: bool) {
        self.with_leg(id, |endpoint, leg| {
            let (sdp, cancelled) = match &leg.reoffer {
                Reoffer::Sent {
                    tx: sent,
                    sdp,
                    cancelled,
                } if *sent == tx => (sdp.clone(), *cancelled),
                _ => return,
            };
            leg.reoffer = Reoffer::None;
            if leg.told || !matches!(leg.state, State::Up) {
                return;
            }
            match status {
                Status::REQUEST_PENDING if !local => {
                    let until = Some(now + endpoint.back_off(leg.dialog.is_ours));
                    leg.reoffer = Reoffer::Waiting { sdp, until };
                }
                Status::NO_SUCH_DIALOG | Status::REQUEST_TIMEOUT if !(local && cancelled) => {
                    endpoint.lose_dialog(now, id, leg, status);
                }
                _ => endpoint.tell(Event::Reoffered {
                    leg: id,
                    status: status.code(),
                    answer: None,
                }),
            }
        });
    }

    /// "If the UAC is the owner of the Call-ID of the dialog ID (meaning it generated the value), T has a randomly chosen
    /// value between 2.1 and 4 seconds in units of 10 ms. If the UAC is not the owner … between 0 and 2 seconds in units of
    /// 10 ms."
    fn back_off(&mut self, is_ours: bool) -> Duration {
        let dice = u64::from(self.rng.next_u32());
        let tens = if is_ours { 210 + dice % 191 } else { dice % 201 };
        Duration::from_millis(tens * 10)
    }
}
