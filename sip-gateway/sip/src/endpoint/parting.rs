//! The end of a leg: our hang-up in every state, probes, and what failed requests mean (RFC 3261 §9.1, §12.2.1.2, §15).

use pronto_types::Time;

use super::Endpoint;
use crate::api::{EndedBy, Event, Found, LegId};
use crate::dialog::leg::{Calling, Leg, Parting, Reoffer, State, Stop};
use crate::dialog::{Way, push_field};
use crate::identity::LocalIdentity;
use crate::message::{Draft, HeaderName, Message, Method, Status, Via, push_display};
use crate::reason::Reason;
use crate::tag::Tag;
use crate::transaction::T1X64;
use crate::transaction::table::{Failure, Outgoing, Owner, Purpose, TxId};

/// Commands that end a leg or probe its dialog.
impl Endpoint {
    /// Ends a leg whatever its state: an INVITE to us is refused with 480; an INVITE of ours is cancelled, as soon as that is
    /// allowed, and a 200 that comes all the same is acknowledged and ended; a dialog is ended with BYE, after its ACK.
    /// [`Event::Released`] tells when nothing is left to do; no other event of this leg follows.
    pub fn hangup(&mut self, now: Time, leg: LegId, reason: Option<Reason>) {
        let parting = Parting { reason };
        self.with_leg(leg, |endpoint, taken| match &mut taken.state {
            State::Incoming(_) => {
                // A Reason may stand in a final response too (RFC 6432).
                let status = Status::TEMPORARILY_UNAVAILABLE;
                endpoint.refuse(now, leg, taken, status, &|status, head| {
                    with_reason(Draft::response(status, "").raw(head), &parting)
                });
            }
            State::Answered(_, wanted) => {
                wanted.get_or_insert(parting);
            }
            State::Calling(calling) if calling.stop == Stop::No => {
                calling.stop = Stop::Wanted(parting);
                if calling.provisional {
                    endpoint.send_cancel(now, calling);
                }
            }
            State::Up => endpoint.say_bye(now, leg, taken, &parting),
            State::Calling(_) | State::Ending | State::Over => {}
        });
    }

    /// Asks with an OPTIONS inside the dialog whether anybody is there. One at a time. Before our final answer the dialog is an
    /// early one, and so is asked in too: "Once a dialog has been established between two UAs, either of them MAY initiate new
    /// transactions" (§12.2).
    pub fn probe(&mut self, now: Time, leg: LegId) {
        self.with_leg(leg, |endpoint, taken| {
            let is_dialog = match &taken.state {
                State::Incoming(incoming) => incoming.ringing.is_some(),
                State::Answered(..) | State::Up => true,
                State::Calling(_) | State::Ending | State::Over => false,
            };
            if !is_dialog || taken.told || taken.probe.is_some() {
                return;
            }
            taken.dialog.local_cseq += 1;
            let (branch, cseq) = (Tag::random(&mut endpoint.rng), taken.dialog.local_cseq);
            let draft = taken
                .dialog
                .request(&endpoint.identity, Method::OPTIONS, cseq, branch);
            let bytes = endpoint.identity.sign_request(draft).finish(None, b"");
            let request = Outgoing {
                flow: taken.dialog.flow,
                branch,
                bytes,
                purpose: Purpose::Probe,
                owner: Owner::Leg(leg),
            };
            taken.probe = Some(endpoint.send_request(now, request));
        });
    }

    /// Forgets the question of [`Endpoint::probe`]: the peer has shown itself in another way. No [`Event::Probed`] follows, and
    /// the next question can be asked at once.
    pub fn unprobe(&mut self, leg: LegId) {
        if let Some(probe) = self.legs.get_mut(&leg).and_then(|leg| leg.probe.take()) {
            self.table.forget(probe);
        }
    }
}

impl Endpoint {
    /// BYE; the leg stays until it is answered.
    pub(super) fn say_bye(&mut self, now: Time, id: LegId, leg: &mut Leg, parting: &Parting) {
        if let Some(probe) = leg.probe.take() {
            self.table.forget(probe);
        }
        if let Reoffer::Sent { tx, .. } = &leg.reoffer {
            self.table.orphan(now, *tx);
        }
        leg.dialog.local_cseq += 1;
        let branch = Tag::random(&mut self.rng);
        let draft = leg
            .dialog
            .request(&self.identity, Method::BYE, leg.dialog.local_cseq, branch);
        let bytes = self
            .identity
            .sign_request(with_reason(draft, parting))
            .finish(None, b"");
        let request = Outgoing {
            flow: leg.dialog.flow,
            branch,
            bytes,
            purpose: Purpose::Bye,
            owner: Owner::Leg(id),
        };
        self.send_request(now, request);
        leg.state = State::Ending;
    }

    pub(super) fn send_cancel(&mut self, now: Time, calling: &mut Calling) {
        let parting = match &calling.stop {
            Stop::Wanted(parting) => parting.clone(),
            Stop::No | Stop::Sent(..) => return,
        };
        self.cancel(now, calling.invite, &parting);
        calling.stop = Stop::Sent(parting, now + T1X64);
    }

    /// CANCEL: "the Request-URI, Call-ID, To, the numeric part of CSeq, and From header fields in the CANCEL request MUST be
    /// identical to those in the request being cancelled, including tags" (§9.1), and its one Via too.
    pub(super) fn cancel(&mut self, now: Time, invite: TxId, parting: &Parting) {
        if let Some((flow, request)) = self.table.request(invite)
            && let Ok(invite) = Message::parse(request)
            && let Some(branch) = own_branch(&invite)
        {
            let draft = hop_by_hop(
                Method::CANCEL,
                &invite,
                invite.first(HeaderName::To).unwrap_or_default(),
            );
            let bytes = self
                .identity
                .sign_request(with_reason(draft, parting))
                .finish(None, b"");
            let request = Outgoing {
                flow,
                branch,
                bytes,
                purpose: Purpose::Cancel,
                owner: Owner::Nobody,
            };
            self.table.send(now, request, &mut self.out);
        }
    }

    /// A leg's last step after its own hang-up.
    pub(super) fn release(&mut self, now: Time, id: LegId, leg: &mut Leg) {
        self.end_leg(now, id, leg);
        if !leg.told {
            self.tell(Event::Released { leg: id });
        }
    }

    /// The end of patience after CANCEL.
    pub(super) fn stop_due(&mut self, now: Time, id: LegId, leg: &mut Leg) {
        if let State::Calling(Calling {
            invite,
            stop: Stop::Sent(_, until),
            ..
        }) = &leg.state
            && *until <= now
        {
            self.table.forget(*invite);
            self.release(now, id, leg);
        }
    }

    /// A request of ours failed without an answer: 408 for silence, 503 for a flow.
    pub(super) fn failed(&mut self, now: Time, failure: Failure) {
        let id = match failure.owner {
            Owner::Leg(id) => id,
            Owner::Registration(id) => return self.enrolling_failed(now, id, failure.status),
            Owner::Check(number) => return self.qualified(number, failure.status),
            Owner::Nobody => return,
        };
        match failure.purpose {
            Purpose::Invite => {
                if failure.status == Status::REQUEST_TIMEOUT {
                    // "If the client transaction has received a provisional response, … MUST generate a CANCEL" (§16.8): where
                    // it has not, nothing is left of it.
                    if failure.lingers {
                        self.cancel(now, failure.id, &Parting::default());
                    }
                    self.suspect(id);
                } else if self
                    .legs
                    .get(&id)
                    .is_some_and(|leg| leg.dialog.way == Way::Target)
                {
                    // Nothing listens at the address of its Contact.
                    self.suspect(id);
                }
                self.refused(now, id, failure.status, true, None);
            }
            Purpose::Reinvite if failure.lingers => self.reinvite_given_up(now, id, failure.id),
            Purpose::Reinvite => self.reinvite_refused(now, id, failure.id, failure.status, true),
            Purpose::Bye => {
                self.with_leg(id, |endpoint, leg| endpoint.release(now, id, leg));
            }
            Purpose::Probe => self.probed(now, id, failure.id, (failure.status, true)),
            Purpose::Cancel | Purpose::Register | Purpose::Qualify => {}
        }
    }

    /// The outcome of a probe: "If the response for a request within a dialog is a 481 or a 408, the UAC SHOULD terminate
    /// the dialog. A UAC SHOULD also terminate a dialog if no response at all is received" (§12.2.1.2). `local`: no response
    /// came. Before its ACK a peer may not know the dialog: what its 481 means is for the caller of [`Endpoint::probe`] to judge.
    pub(super) fn probed(&mut self, now: Time, id: LegId, tx: TxId, (status, local): (Status, bool)) {
        self.with_leg(id, |endpoint, leg| {
            if leg.probe != Some(tx) {
                return;
            }
            leg.probe = None;
            let found = match status {
                Status::SERVICE_UNAVAILABLE if local => Found::NoWay,
                Status::REQUEST_TIMEOUT => Found::Gone,
                Status::NO_SUCH_DIALOG if matches!(leg.state, State::Up) => Found::Gone,
                Status::NO_SUCH_DIALOG => Found::Denied,
                _ => Found::There,
            };
            endpoint.tell(Event::Probed { leg: id, found });
            if found == Found::Gone && matches!(leg.state, State::Up) {
                endpoint.lose_dialog(now, id, leg, status);
            }
        });
    }

    /// A request within the dialog was answered so, or not at all, that there is no dialog any more.
    pub(super) fn lose_dialog(&mut self, now: Time, id: LegId, leg: &mut Leg, status: Status) {
        leg.told = true;
        let status = status.code();
        self.tell(Event::Ended {
            leg: id,
            by: EndedBy::Lost { status },
        });
        self.say_bye(now, id, leg, &Parting::default());
    }
}

/// The branch of a request of ours.
pub(super) fn own_branch(message: &Message) -> Option<Tag> {
    let via = Via::parse(message.list(HeaderName::Via).next()?.ok()?)?;
    Tag::parse(&via.branch()?[7..])
}

/// A CANCEL, or the ACK of a failure: the INVITE's own head with another method and To (§9.1, §17.1.1.3).
pub(super) fn hop_by_hop(method: Method, invite: &Message, to: &[u8]) -> Draft {
    let mut head = Vec::with_capacity(512);
    for name in [HeaderName::Via, HeaderName::Route, HeaderName::From] {
        for value in invite.all(name) {
            push_field(&mut head, name.as_str(), value);
        }
    }
    push_field(&mut head, "To", to);
    push_field(
        &mut head,
        "Call-ID",
        invite.first(HeaderName::CallId).unwrap_or_default(),
    );
    let cseq = invite.essentials().map_or(0, |e| e.cseq);
    push_display(
        &mut head,
        format_args!("CSeq: {cseq} {method}\r\nMax-Forwards: 70\r\n"),
    );
    Draft::request(method, invite.request_uri()).raw(&head)
}

pub(super) fn with_reason(draft: Draft, parting: &Parting) -> Draft {
    match &parting.reason {
        Some(reason) => draft.header(HeaderName::Reason, format_args!("{reason}")),
        None => draft,
    }
}

/// Adds Allow and User-Agent to an INVITE of ours.
pub(super) fn with_abilities(identity: &LocalIdentity, draft: Draft) -> Draft {
    identity.sign_request(LocalIdentity::allow(draft))
}
