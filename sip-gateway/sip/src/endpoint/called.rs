//! INVITEs to us, until they are answered (RFC 3261 §13.3), CANCEL (§9.2) and ACK (§13.3.1.4).

use std::time::Duration;

use bytes::Bytes;
use pronto_types::Time;

use super::Endpoint;
use super::admission::{Admission, caller};
use super::reply::{bare, echo};
use super::request::Request;
use crate::api::{Event, Identity, Invite, LegId};
use crate::body::session_said;
use crate::dialog::leg::{Incoming, Leg, REMIND, Renewal, State, Unacked};
use crate::dialog::{Dialog, contact_uri, push_field, record_routes};
use crate::identity::LocalIdentity;
use crate::message::{Draft, Fault, HeaderName, Message, Status};
use crate::reason::Reason;
use crate::refusal::Refusal;
use crate::tag::Tag;
use crate::transaction::table::{Owner, TxId};

/// Commands for an incoming call: ring, send early media, answer, reject.
impl Endpoint {
    /// 180 Ringing. Repeated every minute, so that no proxy gives the call up.
    pub fn ring(&mut self, now: Time, leg: LegId) {
        self.provisional(now, leg, Status::RINGING, b"");
    }

    /// 183 Session Progress with the answer to the caller's offer: the caller hears, and is not charged. Repeated like 180.
    /// "The UAS … SHOULD … the same answer in the 2xx" (RFC 6337 §2.2): [`Endpoint::answer`] has to be given this one again.
    pub fn progress(&mut self, now: Time, leg: LegId, sdp: Bytes) {
        self.provisional(now, leg, Status::SESSION_PROGRESS, &sdp);
    }

    fn provisional(&mut self, now: Time, leg: LegId, status: Status, sdp: &[u8]) {
        self.with_leg(leg, |endpoint, leg| {
            let State::Incoming(incoming) = &mut leg.state else {
                return;
            };
            let draft = Draft::response(status, "")
                .raw(&incoming.head)
                .raw(&incoming.record_route);
            let contact = endpoint
                .identity
                .contact_towards(leg.dialog.flow, &leg.dialog.target);
            let draft = LocalIdentity::allow(draft.header(HeaderName::Contact, format_args!("<{contact}>")));
            let kind = (!sdp.is_empty()).then_some("application/sdp");
            let bytes = endpoint.identity.sign_response(draft).finish(kind, sdp);
            endpoint
                .table
                .respond(now, incoming.invite, status, bytes.clone(), &mut endpoint.out);
            incoming.ringing = Some((status, bytes, now + REMIND));
            if !sdp.is_empty() {
                // A caller who hears us is served, though not charged: the invitation has not lapsed unheard, and its caller
                // may CANCEL it at any time.
                incoming.expires = None;
            }
        });
    }

    /// 200 OK with an answer, or with an offer where the INVITE had none; retransmitted until the ACK comes.
    pub fn answer(&mut self, now: Time, leg: LegId, sdp: Bytes) {
        self.with_leg(leg, |endpoint, leg| {
            let State::Incoming(incoming) = &leg.state else {
                return;
            };
            let ok = endpoint.accepting(&incoming.head, &incoming.record_route, &leg.dialog, &sdp);
            let flow = endpoint.table.flow(incoming.invite).unwrap_or(leg.dialog.flow);
            endpoint
                .table
                .respond(now, incoming.invite, Status::OK, ok.clone(), &mut endpoint.out);
            let unacked = Unacked::new(now, ok, flow, incoming.cseq, !incoming.had_offer);
            leg.state = State::Answered(unacked, None);
        });
    }

    /// A final refusal: 300 to 699; anything else is sent as 500. The leg is over.
    pub fn reject(&mut self, now: Time, leg: LegId, status: Status, retry_after: Option<Duration>) {
        self.with_leg(leg, |endpoint, taken| {
            endpoint.refuse(now, leg, taken, status, &|status, head| {
                let draft = Draft::response(status, "").raw(head);
                match retry_after {
                    Some(after) => {
                        draft.header(HeaderName::RetryAfter, format_args!("{}", after.as_secs().max(1)))
                    }
                    None => draft,
                }
            });
        });
    }

    /// The same for an offer, or a body, that cannot be taken: with a reason phrase and a Warning.
    pub fn reject_offer(&mut self, now: Time, leg: LegId, refusal: &Refusal) {
        let warning = self.identity.warning(refusal);
        self.with_leg(leg, |endpoint, taken| {
            endpoint.refuse(now, leg, taken, refusal.status, &|status, head| {
                Draft::response(status, &refusal.phrase).raw(head).raw(&warning)
            });
        });
    }

    /// Refuses an INVITE that waits for our final answer. `make` builds the response from its status and the head of every
    /// answer.
    pub(super) fn refuse(
        &mut self,
        now: Time,
        id: LegId,
        leg: &mut Leg,
        status: Status,
        make: &dyn Fn(Status, &[u8]) -> Draft,
    ) {
        let State::Incoming(incoming) = &leg.state else {
            return;
        };
        let status = if status.code() < 300 {
            Status::SERVER_INTERNAL_ERROR
        } else {
            status
        };
        let bytes = make(status, &incoming.head).finish(None, b"");
        self.table
            .respond(now, incoming.invite, status, bytes, &mut self.out);
        self.end_leg(now, id, leg);
        self.tell(Event::Released { leg: id });
    }
}

impl Endpoint {
    /// The 200 to an INVITE: "SHOULD contain an Allow … MUST contain a Contact" (§13.3.1.4, §12.1.1).
    pub(super) fn accepting(&self, head: &[u8], record_route: &[u8], dialog: &Dialog, sdp: &[u8]) -> Bytes {
        let contact = self.identity.contact_towards(dialog.flow, &dialog.target);
        let draft = Draft::response(Status::OK, "").raw(head).raw(record_route);
        let draft = LocalIdentity::allow(draft.header(HeaderName::Contact, format_args!("<{contact}>")));
        self.identity
            .sign_response(draft)
            .finish(Some("application/sdp"), sdp)
    }

    /// An INVITE outside any dialog.
    pub(super) fn invited(&mut self, now: Time, request: &Request<'_>) {
        // "If the request has no tag in the To header field, … the From tag, Call-ID, and CSeq exactly match those associated
        // with an ongoing transaction, but the request does not match that transaction, the UAS SHOULD generate a 482"
        // (§8.2.2.2).
        if self.table.any_server(&request.key[..request.merge]) {
            return self.reply(request, Fault::plain(Status::LOOP_DETECTED), &bare);
        }
        let Some(offer) = self.read_content(request) else {
            return;
        };
        let identity = match self.admit(now, request) {
            Admission::Welcome(identity) => identity,
            Admission::Prove { stale } => return self.challenge(now, request, stale),
            Admission::Forbidden => {
                self.dropped.forbidden += 1;
                return self.reply_once(now, request, Status::FORBIDDEN, &bare);
            }
        };
        // "If the Request-URI identifies an address the UAS is not willing to accept requests for, it SHOULD reject the request
        // with a 404" (§8.2.2.1). A telephone number has no host.
        if request.uri.scheme.is_sip() && !self.identity.is_own_domain(request.uri.host, request.flow) {
            return self.reply_once(now, request, Status::NOT_FOUND, &bare);
        }
        if let Identity::Operator(operator) = &identity
            && !self.budgets.calls(now, operator)
        {
            return self.overdone(request, operator.clone());
        }
        let trunk = match &identity {
            Identity::Trunk(_) => self.trunk_at(request.flow),
            Identity::Operator(_) | Identity::Registrar => None,
        };
        if self.draining || self.is_full(1) || self.legs.len() >= self.settings.limits.dialogs {
            return self.reply_overload(request);
        }
        if let Some(trunk) = trunk {
            let budget = self.settings.trunks[trunk].budget;
            if !self.budgets.allows(now, trunk, budget) {
                return self.reply_overload(request);
            }
            self.budgets.begun(trunk);
        }
        self.open_incoming(now, request, (identity, trunk), offer);
    }

    fn open_incoming(
        &mut self,
        now: Time,
        request: &Request<'_>,
        (identity, trunk): (Identity, Option<usize>),
        offer: Option<Bytes>,
    ) {
        let id = LegId(self.next_leg);
        self.next_leg += 1;
        let tag = Tag::random(&mut self.rng);
        let head = Bytes::from(echo(request.message, request.flow.remote, Some(tag)));
        let invite = self
            .table
            .serve_invite(&request.key, request.reply_to, Owner::Leg(id));
        let trying = Draft::response(Status::TRYING, "").raw(&head).finish(None, b"");
        self.say_trying(now, invite, trying);
        let mut record_route = Vec::new();
        for value in request.message.all(HeaderName::RecordRoute) {
            push_field(&mut record_route, "Record-Route", value);
        }
        let incoming = Incoming {
            invite,
            cseq: request.essentials.cseq,
            head,
            record_route: Bytes::from(record_route),
            had_offer: offer.is_some(),
            ringing: None,
            expires: lifetime(now, request.message),
        };
        let dialog = self.dialog_of(request, tag);
        let mut leg = Box::new(Leg::new(dialog, State::Incoming(incoming), trunk));
        if let Identity::Operator(operator) = &identity {
            leg.operator = Some(operator.clone());
        }
        self.store(id, leg);
        let proven = request.flow.transport.is_reliable() || matches!(identity, Identity::Operator(_));
        let invite = Invite {
            leg: id,
            caller: caller(request, &identity),
            from: identity,
            dialled: request.uri.user_text().unwrap_or_default(),
            source: request.flow.remote,
            offer,
            proven,
        };
        self.tell(Event::Invite(invite));
    }

    /// "The UAS then constructs the state of the dialog" (§12.1.1).
    fn dialog_of(&self, request: &Request<'_>, tag: Tag) -> Dialog {
        let (message, essentials) = (request.message, &request.essentials);
        let to = message.first(HeaderName::To).unwrap_or_default();
        let local = [to, format!(";tag={tag}").as_bytes()].concat();
        // RFC 2543 allowed INVITEs without Contact: such a caller is where the INVITE came from.
        let here = format!("sip:{}", request.flow.remote);
        let target = contact_uri(message).unwrap_or(here.as_bytes());
        let routes = record_routes(message);
        let (flow, way) = self.way_back(request, &routes, target);
        Dialog {
            call_id: Bytes::copy_from_slice(essentials.call_id),
            local_tag: tag,
            remote_tag: Bytes::copy_from_slice(essentials.from.tag().unwrap_or_default()),
            local: Bytes::from(local),
            remote: Bytes::copy_from_slice(message.first(HeaderName::From).unwrap_or_default()),
            target: Bytes::copy_from_slice(target),
            routes,
            local_cseq: 0,
            remote_cseq: Some(essentials.cseq),
            flow,
            is_ours: false,
            way,
        }
    }

    /// Handles a CANCEL (§9.2).
    pub(super) fn cancelled(&mut self, now: Time, request: &Request<'_>) {
        let tx = self.table.find_server(&request.key);
        let Some(tx) = tx else {
            return self.reply(request, Fault::plain(Status::NO_SUCH_DIALOG), &bare);
        };
        let leg = match self.table.server_owner(tx) {
            Owner::Leg(id) if self.legs.contains_key(&id) => Some(id),
            _ => None,
        };
        // "The To tag of the response to the CANCEL and the To tag in the response to the original request SHOULD be the
        // same."
        let untagged = request.essentials.to.tag().is_none();
        let own = leg
            .and_then(|id| self.legs.get(&id))
            .map_or_else(|| self.stateless_tag(&request.key), |leg| leg.dialog.local_tag);
        let head = echo(request.message, request.flow.remote, untagged.then_some(own));
        let bytes = Draft::response(Status::OK, "").raw(&head).finish(None, b"");
        self.transmit(request.reply_to, bytes);
        if let Some(id) = leg {
            self.with_leg(id, |endpoint, leg| {
                endpoint.cancel_pending(now, (id, leg), tx, request)
            });
        }
    }

    /// Gives up the INVITE, or the re-INVITE, of this transaction.
    fn cancel_pending(&mut self, now: Time, (id, leg): (LegId, &mut Leg), tx: TxId, request: &Request<'_>) {
        match &leg.state {
            // "If the original request was an INVITE, the UAS SHOULD immediately respond to the INVITE with a 487."
            State::Incoming(incoming) if incoming.invite == tx => {
                self.answer_terminated(now, tx, &incoming.head);
                self.end_leg(now, id, leg);
                let reason = Reason::read(request.message);
                return self.tell(Event::Cancelled { leg: id, reason });
            }
            _ => {}
        }
        if let Renewal::Pending {
            tx: pending, head, ..
        } = &leg.renewal
            && *pending == tx
        {
            self.answer_terminated(now, tx, head);
            leg.renewal = Renewal::None;
            self.try_reoffer(now, id, leg);
        }
    }

    /// ACK: for a failure it ends the transaction, for a 200 it confirms the dialog. Never answered.
    pub(super) fn acknowledged(&mut self, now: Time, request: &Request<'_>) {
        if let Some(tx) = self.table.find_server(&request.key)
            && self.table.ack(now, tx)
        {
            return;
        }
        let tag = request.essentials.to.tag().and_then(Tag::parse);
        let Some(id) = self.leg_of(request, tag) else {
            self.dropped.stray_acks += 1;
            return;
        };
        self.with_leg(id, |endpoint, leg| endpoint.confirmed(now, id, leg, request));
    }

    /// The ACK of a 200: the dialog, or a re-INVITE of the peer, is confirmed.
    fn confirmed(&mut self, now: Time, id: LegId, leg: &mut Leg, request: &Request<'_>) {
        let answer = session_said(request.message);
        let cseq = request.essentials.cseq;
        match (&mut leg.state, &leg.renewal) {
            (State::Answered(unacked, parting), _) if unacked.cseq == cseq => {
                let answer = answer.filter(|_| unacked.late_offer);
                match parting.take() {
                    // "The callee's UA MUST NOT send a BYE on a confirmed dialog until it has received an ACK" (§15): now.
                    Some(parting) => self.say_bye(now, id, leg, &parting),
                    None => {
                        leg.state = State::Up;
                        self.tell(Event::Acknowledged { leg: id, answer });
                        self.try_reoffer(now, id, leg);
                    }
                }
            }
            (State::Up, Renewal::Unacked(unacked)) if unacked.cseq == cseq => {
                let answer = answer.filter(|_| unacked.late_offer);
                leg.renewal = Renewal::None;
                self.tell(Event::Acknowledged { leg: id, answer });
                self.try_reoffer(now, id, leg);
            }
            _ => self.dropped.stray_acks += 1,
        }
    }

    /// The leg a request inside a dialog belongs to: our tag, their tag and the Call-ID agree (§12.2.2), whatever address it
    /// came from.
    pub(super) fn leg_of(&self, request: &Request<'_>, tag: Option<Tag>) -> Option<LegId> {
        let id = *self.tags.get(&tag?)?;
        let dialog = &self.legs.get(&id)?.dialog;
        let theirs = request.essentials.from.tag().unwrap_or_default();
        // A peer of RFC 2543 has no tag.
        (dialog.call_id == request.essentials.call_id && dialog.remote_tag == theirs).then_some(id)
    }

    /// Repeats what a leg's timers say.
    pub(super) fn leg_due(&mut self, now: Time, id: LegId, leg: &mut Leg) {
        if let State::Incoming(incoming) = &leg.state
            && incoming.expires.is_some_and(|at| at <= now)
        {
            self.answer_terminated(now, incoming.invite, &incoming.head);
            self.end_leg(now, id, leg);
            return self.tell(Event::Cancelled {
                leg: id,
                reason: None,
            });
        }
        if let State::Incoming(incoming) = &mut leg.state
            && let Some((status, bytes, at)) = &mut incoming.ringing
            && *at <= now
        {
            *at = now + REMIND;
            self.table
                .respond(now, incoming.invite, *status, bytes.clone(), &mut self.out);
        }
        self.reoffer_due(now, id, leg);
        self.unacked_due(now, id, leg);
    }
}

/// "If the request is an INVITE that contains an Expires header field, the UAS core sets a timer … If the invitation expires
/// before the UAS has generated a final response, a 487 (Request Terminated) response SHOULD be generated" (§13.3.1).
fn lifetime(now: Time, message: &Message) -> Option<Time> {
    let seconds = message.seconds(HeaderName::Expires)?;
    Some(now + Duration::from_secs(seconds.min(86_400)))
}
