//! INVITEs of ours (RFC 3261 §13.2) and the answers to everything we send (§17.1.3).

use std::time::Duration;

use bytes::Bytes;
use pronto_types::Time;

use super::Endpoint;
use super::parting::{hop_by_hop, own_branch, with_abilities, with_reason};
use crate::api::{Destination, Event, InviteOptions, LegId};
use crate::body::session_said;
use crate::dialog::leg::{Calling, Leg, Parting, State, Stop};
use crate::dialog::{Dialog, Way, contact_uri, has_odd_contact, record_routes};
use crate::digest::{self, Covered};
use crate::identity::quote_display;
use crate::message::{Challenge, Essentials, HeaderName, Message, Method, Status};
use crate::reason::Reason;
use crate::settings::Flow;
use crate::tag::Tag;
use crate::transaction::client_invite::Act;
use crate::transaction::table::{Matched, Outgoing, Owner, Purpose, TxId};

/// The command that starts an outgoing call.
impl Endpoint {
    /// Calls somebody. The outcome is [`Event::Answered`] or [`Event::Refused`]; at a limit the latter at once, with a local
    /// 503.
    pub fn invite(&mut self, now: Time, to: &Destination, sdp: Bytes, options: InviteOptions) -> LegId {
        let id = LegId(self.next_leg);
        self.next_leg += 1;
        if self.is_full(1) || self.legs.len() >= self.settings.limits.dialogs {
            self.tell(Event::Refused {
                leg: id,
                status: Status::SERVICE_UNAVAILABLE.code(),
                local: true,
                retry_after: None,
            });
            return id;
        }
        let user = options.from_user.as_deref().filter(|u| !u.is_empty());
        let dialog = self.dialog_to(to, user.unwrap_or("anonymous"), options.from_display.as_deref());
        let operator = self
            .registrar
            .binding_at(to)
            .map(|(operator, _)| operator.clone());
        let invite = self.send_invite(now, id, &dialog, &sdp, None);
        let calling = Calling {
            invite,
            offer: sdp,
            provisional: false,
            challenged: false,
            early: Vec::new(),
            stop: Stop::No,
        };
        let state = State::Calling(calling);
        let mut leg = Box::new(Leg::new(dialog, state, None));
        leg.operator = operator;
        self.store(id, leg);
        id
    }
}

impl Endpoint {
    /// Builds the Call-ID, tag, From, To and route of a request outside any dialog (§8.1.1).
    pub(super) fn dialog_to(&mut self, to: &Destination, user: &str, display: Option<&str>) -> Dialog {
        let (tag, call) = (Tag::random(&mut self.rng), Tag::random(&mut self.rng));
        let from = self.identity.address_of(user);
        let local = format!("{}<{from}>;tag={tag}", quote_display(display));
        let binding = self.registrar.binding_at(to).map(|(_, binding)| binding);
        let way = match binding {
            Some(binding) if binding.direct => Way::Target,
            _ => Way::Flow,
        };
        Dialog {
            call_id: Bytes::from(call.to_string()),
            local_tag: tag,
            remote_tag: Bytes::new(),
            local: Bytes::from(local),
            remote: Bytes::from([b"<", &to.uri[..], b">"].concat()),
            target: to.uri.clone(),
            routes: binding.map(|b| b.path.clone()).unwrap_or_default(),
            local_cseq: 1,
            remote_cseq: None,
            flow: to.flow,
            is_ours: true,
            way,
        }
    }

    fn send_invite(
        &mut self,
        now: Time,
        id: LegId,
        dialog: &Dialog,
        sdp: &[u8],
        authorization: Option<(HeaderName, String)>,
    ) -> TxId {
        let branch = Tag::random(&mut self.rng);
        let contact = self.identity.contact_towards(dialog.flow, &dialog.target);
        let draft = dialog.request(&self.identity, Method::INVITE, dialog.local_cseq, branch);
        let mut draft = draft.header(HeaderName::Contact, format_args!("<{contact}>"));
        if let Some((name, value)) = &authorization {
            draft = draft.field(*name, value.as_bytes());
        }
        let bytes = with_abilities(&self.identity, draft).finish(Some("application/sdp"), sdp);
        let request = Outgoing {
            flow: dialog.flow,
            branch,
            bytes,
            purpose: Purpose::Invite,
            owner: Owner::Leg(id),
        };
        self.send_request(now, request)
    }

    /// A response. It belongs to the request with its branch and method, or to none: never answered.
    pub(super) fn response(&mut self, now: Time, message: &Message) {
        if self.matched(now, message).is_none() {
            self.dropped.stray_responses += 1;
        }
    }

    fn matched(&mut self, now: Time, message: &Message) -> Option<()> {
        let status = message.status()?;
        let essentials = message.essentials().ok()?;
        // "If there is more than one Via header field value in a response, the UAC SHOULD discard the message" (§8.1.3.3).
        if message.list(HeaderName::Via).nth(1).is_some() {
            return None;
        }
        let branch = own_branch(message)?;
        let matched = self
            .table
            .response(now, branch, essentials.method == Method::CANCEL, status)?;
        let expected = match matched.purpose {
            Purpose::Invite | Purpose::Reinvite => Method::INVITE,
            Purpose::Cancel => Method::CANCEL,
            Purpose::Bye => Method::BYE,
            Purpose::Probe | Purpose::Qualify => Method::OPTIONS,
            Purpose::Register => Method::REGISTER,
        };
        if essentials.method != expected {
            return None;
        }
        self.matched_response(now, matched, status, message, &essentials);
        self.table.settle(matched.id);
        Some(())
    }

    fn matched_response(
        &mut self,
        now: Time,
        matched: Matched,
        status: Status,
        message: &Message,
        essentials: &Essentials<'_>,
    ) {
        if matched.purpose == Purpose::Invite {
            return self.invite_response(now, matched, status, message, essentials);
        }
        if matched.purpose == Purpose::Reinvite {
            return self.reinvite_response(now, matched, status, message, essentials);
        }
        if matched.act != Act::Deliver || status.is_provisional() {
            return;
        }
        match (matched.purpose, matched.owner) {
            (Purpose::Probe, Owner::Leg(id)) => self.probed(now, id, matched.id, (status, false)),
            // Whatever the answer, the dialog is over; a challenge to a BYE is not answered.
            (Purpose::Bye, Owner::Leg(id)) => {
                self.with_leg(id, |endpoint, leg| endpoint.release(now, id, leg));
            }
            (Purpose::Qualify, Owner::Check(number)) => self.qualified(number, status),
            (Purpose::Register, Owner::Registration(id)) => self.enrolling_response(now, id, status, message),
            _ => {}
        }
    }

    fn invite_response(
        &mut self,
        now: Time,
        matched: Matched,
        status: Status,
        message: &Message,
        essentials: &Essentials<'_>,
    ) {
        let Owner::Leg(id) = matched.owner else { return };
        match matched.act {
            Act::Deliver if status.is_provisional() => {
                self.progressed(now, id, status, (message, essentials));
            }
            Act::Deliver => self.accepted(now, id, matched.id, message, essentials),
            Act::Ack => self.ack_failure(matched.id, message),
            Act::AckAndDeliver => {
                self.ack_failure(matched.id, message);
                if self.try_credentials(now, id, status, message) {
                    return;
                }
                let retry_after = message
                    .seconds(HeaderName::RetryAfter)
                    .map(|s| Duration::from_secs(s.min(86_400)));
                self.refused(now, id, status, false, retry_after);
            }
            Act::Nothing | Act::Resend | Act::TimedOut => {}
        }
    }

    fn progressed(
        &mut self,
        now: Time,
        id: LegId,
        status: Status,
        (message, essentials): (&Message, &Essentials<'_>),
    ) {
        self.with_leg(id, |endpoint, leg| {
            let State::Calling(calling) = &mut leg.state else {
                return;
            };
            calling.provisional = true;
            endpoint.send_cancel(now, calling);
            if calling.stop == Stop::No && status != Status::TRYING {
                let sdp = sdp_of(message);
                if let Some(sdp) = &sdp {
                    calling.note_answer(essentials.to.tag().unwrap_or_default(), sdp);
                }
                endpoint.tell(Event::Progress {
                    leg: id,
                    status: status.code(),
                    sdp,
                });
            }
        });
    }

    /// A 2xx: the first one makes the dialog; each is acknowledged; those of other forks are ended (§13.2.2.4).
    fn accepted(&mut self, now: Time, id: LegId, tx: TxId, message: &Message, essentials: &Essentials<'_>) {
        let tag = essentials.to.tag().unwrap_or_default();
        let is_new = self.table.is_new_fork(tx, tag);
        let mine = self.with_leg(id, |endpoint, leg| {
            if matches!(leg.state, State::Calling(_)) {
                endpoint.answered(now, id, leg, message, essentials);
                return true;
            }
            let same = leg.dialog.remote_tag == tag;
            if same {
                endpoint.ack_success(&leg.dialog, essentials.cseq);
            }
            same
        });
        if mine != Some(true) {
            self.end_fork(now, tx, is_new, message, essentials);
        }
    }

    /// The first 2xx: the dialog is confirmed.
    fn answered(
        &mut self,
        now: Time,
        id: LegId,
        leg: &mut Leg,
        message: &Message,
        essentials: &Essentials<'_>,
    ) {
        let State::Calling(calling) = &leg.state else {
            return;
        };
        let (stop, tag) = (calling.stop.clone(), essentials.to.tag().unwrap_or_default());
        // The answer need not be in the 200 where a provisional response has brought it (§13.2.1). Where both have one, they
        // should be the same; the later one tells where the phone is that has answered.
        let sdp = sdp_of(message).or_else(|| calling.early_answer(tag));
        leg.dialog.confirm(message, essentials);
        self.aim_first(&mut leg.dialog);
        leg.state = State::Up;
        self.ack_success(&leg.dialog, essentials.cseq);
        // Our CANCEL was too late, or had not left yet: "it then MUST send a BYE" (§15, RFC 5407 §3.1.2).
        match stop {
            Stop::Wanted(parting) | Stop::Sent(parting, _) => self.say_bye(now, id, leg, &parting),
            Stop::No if has_odd_contact(message) => self.refuse_answer(now, id, leg),
            Stop::No => self.tell(Event::Answered { leg: id, sdp }),
        }
    }

    /// A 2xx whose Contact no request can be sent to: the dialog would stand as long as nobody has to say anything.
    fn refuse_answer(&mut self, now: Time, id: LegId, leg: &mut Leg) {
        leg.told = true;
        self.tell(Event::Refused {
            leg: id,
            status: Status::SERVER_INTERNAL_ERROR.code(),
            local: true,
            retry_after: None,
        });
        let parting = Parting {
            reason: Some(Reason::odd_contact()),
        };
        self.say_bye(now, id, leg, &parting);
    }

    /// A dialog nobody wants: another fork's, or one whose leg is gone. Acknowledged each time, ended once.
    fn end_fork(
        &mut self,
        now: Time,
        tx: TxId,
        is_new: bool,
        message: &Message,
        essentials: &Essentials<'_>,
    ) {
        let Some(dialog) = self.fork_dialog(tx, message, essentials) else {
            return;
        };
        self.ack_success(&dialog, essentials.cseq);
        if is_new {
            let branch = Tag::random(&mut self.rng);
            let draft = dialog.request(&self.identity, Method::BYE, dialog.local_cseq, branch);
            let parting = Parting {
                reason: Some(Reason::completed_elsewhere()),
            };
            let bytes = self
                .identity
                .sign_request(with_reason(draft, &parting))
                .finish(None, b"");
            let request = Outgoing {
                flow: dialog.flow,
                branch,
                bytes,
                purpose: Purpose::Bye,
                owner: Owner::Nobody,
            };
            self.send_request(now, request);
        }
    }

    /// The dialog that a 2xx made, where no leg stands for it.
    pub(super) fn fork_dialog(
        &mut self,
        tx: TxId,
        message: &Message,
        essentials: &Essentials<'_>,
    ) -> Option<Dialog> {
        let (flow, request) = self.table.request(tx)?;
        let invite = Message::parse(request).ok()?;
        let own = |name| Bytes::copy_from_slice(invite.first(name).unwrap_or_default());
        let mut routes = record_routes(message);
        routes.reverse();
        let to = Destination {
            uri: Bytes::copy_from_slice(invite.request_uri()),
            flow,
        };
        let is_direct = self.registrar.binding_at(&to).is_some_and(|(_, b)| b.direct);
        let way = if is_direct { Way::Target } else { Way::Flow };
        let mut dialog = Dialog {
            call_id: own(HeaderName::CallId),
            local_tag: Tag::random(&mut self.rng),
            remote_tag: Bytes::new(),
            local: own(HeaderName::From),
            remote: Bytes::copy_from_slice(message.first(HeaderName::To).unwrap_or_default()),
            target: Bytes::copy_from_slice(contact_uri(message).unwrap_or_else(|| invite.request_uri())),
            routes,
            local_cseq: essentials.cseq + 1,
            remote_cseq: None,
            flow,
            is_ours: true,
            way,
        };
        self.aim_first(&mut dialog);
        Some(dialog)
    }

    /// "The UAC core MUST generate an ACK request for each 2xx received": outside any transaction.
    pub(super) fn ack_success(&mut self, dialog: &Dialog, cseq: u32) {
        let branch = Tag::random(&mut self.rng);
        let bytes = dialog
            .request(&self.identity, Method::ACK, cseq, branch)
            .finish(None, b"");
        self.transmit(dialog.flow, bytes);
    }

    /// §17.1.1.3: the ACK of a failure belongs to the INVITE's transaction.
    pub(super) fn ack_failure(&mut self, tx: TxId, message: &Message) {
        let Some((flow, request)) = self.table.request(tx) else {
            return;
        };
        let Ok(invite) = Message::parse(request) else {
            return;
        };
        let to = message.first(HeaderName::To).unwrap_or_default();
        self.transmit(flow, hop_by_hop(Method::ACK, &invite, to).finish(None, b""));
    }

    /// An INVITE of ours came to nothing.
    pub(super) fn refused(
        &mut self,
        now: Time,
        id: LegId,
        status: Status,
        local: bool,
        retry_after: Option<Duration>,
    ) {
        self.with_leg(id, |endpoint, leg| {
            let State::Calling(calling) = &leg.state else {
                return;
            };
            if calling.stop != Stop::No {
                return endpoint.release(now, id, leg);
            }
            endpoint.end_leg(now, id, leg);
            endpoint.tell(Event::Refused {
                leg: id,
                status: status.code(),
                local,
                retry_after,
            });
        });
    }

    /// A challenge to an INVITE is answered once, and only when it went to a registrar of ours: nobody else gets to see a
    /// digest. `true` when the INVITE is on its way again.
    fn try_credentials(&mut self, now: Time, id: LegId, status: Status, message: &Message) -> bool {
        let sent = self.with_leg(id, |endpoint, leg| {
            let State::Calling(calling) = &mut leg.state else {
                return false;
            };
            if calling.stop != Stop::No || calling.challenged {
                return false;
            }
            let (flow, target) = (leg.dialog.flow, &leg.dialog.target);
            let value = endpoint.credentials(flow, Method::INVITE, target, status, message);
            let Some(authorization) = value else {
                return false;
            };
            leg.dialog.local_cseq += 1;
            let offer = calling.offer.clone();
            let invite = endpoint.send_invite(now, id, &leg.dialog, &offer, Some(authorization));
            *calling = Calling {
                invite,
                offer,
                provisional: false,
                challenged: true,
                early: Vec::new(),
                stop: Stop::No,
            };
            true
        });
        sent == Some(true)
    }

    /// The field that answers a challenge, when it came from a registrar of ours.
    pub(super) fn credentials(
        &mut self,
        flow: Flow,
        method: Method,
        uri: &[u8],
        status: Status,
        message: &Message,
    ) -> Option<(HeaderName, String)> {
        let (asks, answers) = match status {
            Status::UNAUTHORIZED => (HeaderName::WwwAuthenticate, HeaderName::Authorization),
            Status::PROXY_AUTHENTICATION_REQUIRED => {
                (HeaderName::ProxyAuthenticate, HeaderName::ProxyAuthorization)
            }
            _ => return None,
        };
        let enrolled = self.enrolled.values().find(|e| e.is_registrar(flow))?;
        let uri = std::str::from_utf8(uri).ok()?;
        let cnonce = Tag::random(&mut self.rng).to_string();
        let (user, password) = enrolled.credentials();
        let covered = Covered {
            method: method.as_str(),
            uri,
            cnonce: &cnonce,
        };
        let answer = |challenge: Challenge| digest::answer(&challenge, user, password, &covered);
        // "the UAC uses the topmost header field that it supports" (RFC 8760 §2.4).
        let value = message
            .all(asks)
            .take(4)
            .filter_map(Challenge::parse)
            .find_map(answer)?;
        Some((answers, value))
    }
}

pub(super) fn sdp_of(message: &Message) -> Option<Bytes> {
    session_said(message)
}
