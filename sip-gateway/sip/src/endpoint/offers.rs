//! The peer changes the session: re-INVITE (RFC 3261 §14.2) and UPDATE (RFC 3311 §5.2).

use bytes::Bytes;
use pronto_types::Time;
use rand::Rng;

use super::Endpoint;
use super::request::Request;
use crate::api::{EndedBy, Event, LegId};
use crate::dialog::leg::{Due, Leg, Renewal, Reoffer, State, Unacked};
use crate::identity::ACCEPT;
use crate::message::{Draft, HeaderName, Method, Status};
use crate::refusal::Refusal;
use crate::transaction::table::Owner;

/// Commands that answer an offer of the peer within a dialog.
impl Endpoint {
    /// 200 to a re-INVITE or UPDATE, with our answer, or our offer where there was none. Does nothing when the peer has
    /// given up meanwhile.
    pub fn accept_offer(&mut self, now: Time, leg: LegId, sdp: Bytes) {
        self.with_leg(leg, |endpoint, taken| {
            let Renewal::Pending {
                tx,
                head,
                method,
                cseq,
                had_offer,
            } = &taken.renewal
            else {
                return;
            };
            let (tx, method, cseq, had_offer) = (*tx, *method, *cseq, *had_offer);
            let ok = endpoint.accepting(head, b"", &taken.dialog, &sdp);
            let flow = endpoint.table.flow(tx).unwrap_or(taken.dialog.flow);
            endpoint
                .table
                .respond(now, tx, Status::OK, ok.clone(), &mut endpoint.out);
            taken.renewal = match method {
                Method::INVITE => Renewal::Unacked(Unacked::new(now, ok, flow, cseq, !had_offer)),
                _ => Renewal::None,
            };
            endpoint.overtaken(leg, taken);
        });
    }

    /// A refusal of a re-INVITE or UPDATE; the session stays as it was.
    pub fn refuse_offer(&mut self, now: Time, leg: LegId, refusal: impl Into<Refusal>) {
        let refusal = refusal.into();
        self.with_leg(leg, |endpoint, taken| {
            let Renewal::Pending { tx, head, .. } = &taken.renewal else {
                return;
            };
            let status = if refusal.status.code() < 300 {
                Status::NOT_ACCEPTABLE_HERE
            } else {
                refusal.status
            };
            let draft = Draft::response(status, &refusal.phrase).raw(head);
            let bytes = endpoint.identity.warn(draft, &refusal).finish(None, b"");
            endpoint.table.respond(now, *tx, status, bytes, &mut endpoint.out);
            taken.renewal = Renewal::None;
            endpoint.try_reoffer(now, leg, taken);
        });
    }
}

impl Endpoint {
    pub(super) fn reoffered(&mut self, now: Time, request: &Request<'_>, id: LegId, leg: &mut Leg) {
        let Some(offer) = self.read_content(request) else {
            return;
        };
        if request.method == Method::INVITE {
            self.implied_ack(id, leg);
        }
        let is_sdp = offer.is_some();
        let offers = is_sdp || request.method == Method::INVITE;
        if let Some(status) = unready(leg, offers) {
            let seconds = self.rng.next_u32() % 11;
            // "…MUST return a 500 response to the second INVITE and MUST include a Retry-After header field with a randomly
            // chosen value of between 0 and 10 seconds."
            return self.reply_once(now, request, status, &|draft| match status {
                Status::SERVER_INTERNAL_ERROR => {
                    draft.header(HeaderName::RetryAfter, format_args!("{seconds}"))
                }
                _ => draft,
            });
        }
        leg.dialog.refresh_target(request.message);
        self.follow(leg, request);
        let head = Self::head_of(request);
        if request.method == Method::UPDATE && !is_sdp {
            // An UPDATE without an offer refreshes the target and nothing else.
            let contact = self.identity.contact_towards(leg.dialog.flow, &leg.dialog.target);
            return self.reply_once(now, request, Status::OK, &|draft: Draft| {
                draft
                    .header(HeaderName::Contact, format_args!("<{contact}>"))
                    .field(HeaderName::Accept, ACCEPT)
            });
        }
        let tx = match request.method {
            Method::INVITE => {
                let tx = self
                    .table
                    .serve_invite(&request.key, request.reply_to, Owner::Leg(id));
                let trying = Self::plain(Status::TRYING, &head);
                self.say_trying(now, tx, trying);
                tx
            }
            _ => self.table.serve(&request.key, request.reply_to),
        };
        let (method, cseq) = (request.method, request.essentials.cseq);
        leg.renewal = Renewal::Pending {
            tx,
            head,
            method,
            cseq,
            had_offer: is_sdp,
        };
        self.tell(Event::Offer {
            leg: id,
            sdp: offer,
            proven: method != Method::INVITE,
        });
    }

    /// Takes a re-INVITE before the ACK of our 200 as that ACK (the race of RFC 5407 §3.1.4). Nobody may begin a second
    /// INVITE before the first has its final answer (§14.1). So the 200 arrived, its ACK is late or lost, and the
    /// dialog is established: the re-INVITE is answered like any other. No ACK is implied where our 200 made the offer,
    /// since the ACK holds the answer (§3.1.5), or where we only wait for the ACK to send BYE.
    fn implied_ack(&mut self, id: LegId, leg: &mut Leg) {
        match (&leg.state, &leg.renewal) {
            (State::Answered(unacked, None), _) if !unacked.late_offer => {
                leg.state = State::Up;
                self.tell(Event::Acknowledged {
                    leg: id,
                    answer: None,
                });
            }
            (State::Up, Renewal::Unacked(unacked)) if !unacked.late_offer => {
                leg.renewal = Renewal::None;
                self.tell(Event::Acknowledged {
                    leg: id,
                    answer: None,
                });
            }
            _ => {}
        }
    }

    /// A target refresh over another connection: that is where the peer is now. Without a connection the flow moves with
    /// the target.
    fn follow(&mut self, leg: &mut Leg, request: &Request<'_>) {
        if request.flow.transport.is_reliable() {
            leg.dialog.flow = request.flow;
        } else {
            self.aim_again(&mut leg.dialog);
        }
    }

    /// Our 200s whose ACK is due, and the end of patience.
    pub(super) fn unacked_due(&mut self, now: Time, id: LegId, leg: &mut Leg) {
        let unacked = match (&mut leg.state, &mut leg.renewal) {
            (State::Answered(unacked, _), _) | (_, Renewal::Unacked(unacked)) => unacked,
            _ => return self.stop_due(now, id, leg),
        };
        match unacked.due(now) {
            Due::Nothing => {}
            Due::Resend => {
                let (flow, bytes) = (unacked.flow, unacked.ok.clone());
                self.transmit(flow, bytes);
            }
            Due::GaveUp => {
                // "…the session SHOULD be terminated. This is accomplished with a BYE" (§13.3.1.4).
                let parting = match &mut leg.state {
                    State::Answered(_, parting) => parting.take(),
                    _ => None,
                };
                leg.renewal = Renewal::None;
                if parting.is_none() && !leg.told {
                    leg.told = true;
                    self.tell(Event::Ended {
                        leg: id,
                        by: EndedBy::AckTimeout,
                    });
                }
                self.say_bye(now, id, leg, &parting.unwrap_or_default());
            }
        }
    }
}

/// Why a re-INVITE or UPDATE cannot be taken now.
fn unready(leg: &Leg, offers: bool) -> Option<Status> {
    match (&leg.state, &leg.renewal) {
        // A dialog we have left.
        (State::Ending | State::Over | State::Calling(_), _) => Some(Status::NO_SUCH_DIALOG),
        // "If an UPDATE is received before the UAS has generated a final response to a previous UPDATE on the same dialog, the
        // UAS MUST return a 500" (RFC 3311 §5.2), whatever is in it.
        (
            _,
            Renewal::Pending {
                method: Method::UPDATE,
                ..
            },
        ) => Some(Status::SERVER_INTERNAL_ERROR),
        // One that offers nothing refreshes the target: no offer is in its way.
        _ if !offers => None,
        // An offer of the peer's that is not answered yet: 500 (RFC 3311 §5.2); a second INVITE before the first
        // has its final response (§14.2).
        (State::Incoming(_), _) | (_, Renewal::Pending { .. }) => Some(Status::SERVER_INTERNAL_ERROR),
        // "A UAS that receives an INVITE on a dialog while an INVITE it had sent on that dialog is in progress MUST return a
        // 491" (§14.2); an UPDATE with an offer likewise.
        (State::Up, Renewal::None) if matches!(leg.reoffer, Reoffer::Sent { .. }) => {
            Some(Status::REQUEST_PENDING)
        }
        (State::Up, Renewal::None) => None,
        // Our 200 still waits for an ACK with an answer in it, or an UPDATE has overtaken it: 491 makes the peer come again
        // soon.
        (State::Answered(..), _) | (State::Up, Renewal::Unacked(_)) => Some(Status::REQUEST_PENDING),
    }
}
