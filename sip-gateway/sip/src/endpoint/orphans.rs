//! Dialogs that outlive their process. While a dialog stands, [`Endpoint::poll_dialog`] tells what a later process has to know
//! to end it; the shell keeps that where a kill does not reach it. [`Endpoint::end_orphan`], in that later process, ends it:
//! a 500 to a caller who was not answered yet, CANCEL to a phone that rings, BYE in a dialog that is up.
//!
//! Only what ends a dialog is used today. Call-ID, tags, CSeq, route set and remote target are all there: a later release can
//! take a dialog up again from the same form.

mod form;

use std::time::Duration;

use bytes::Bytes;
use pronto_types::{OperatorId, Time};

use super::Endpoint;
use super::parting::own_branch;
use super::receive::transaction_key;
use super::sending::is_same_phone;
use crate::api::{DialogChange, LegId, Orphan};
use crate::dialog::leg::{Calling, Leg, Noted, Phase, State, Stop};
use crate::dialog::{Dialog, Way};
use crate::message::{Draft, HeaderName, Message, Method, Status};
use crate::reason::Reason;
use crate::settings::{Flow, Transport};
use crate::tag::Tag;
use crate::transaction::table::Owner;
use form::{Called, Kept};

/// "…the sequence number MUST be strictly monotonically increasing" (RFC 3261 §12.2.1.1). The process that is gone may have
/// sent requests after it told of the dialog: probes every 2 s, re-INVITEs. This many numbers are left out.
const GAP: u32 = 1 << 16;
/// How long a dialog waits for its phone to connect again, where only the phone can connect.
const RETURN: Duration = Duration::from_secs(90);
/// How many dialogs wait so.
const STRANDED: usize = 4096;

/// A dialog of a lost process, still to be ended.
enum Rest {
    /// A phone rings: the INVITE, without its body.
    Ringing(Dialog, Tag, Bytes),
    /// Both sides know the dialog.
    Up(Dialog),
}

/// A dialog whose phone has to connect first.
pub(super) struct Stranded {
    rest: Rest,
    until: Time,
}

impl Endpoint {
    /// Takes the next change of a dialog, with [`Settings::keep_dialogs`](crate::Settings). Drain these changes before
    /// each [`Endpoint::poll_output`]: a change can then be kept before the messages it is about leave.
    pub fn poll_dialog(&mut self) -> Option<(LegId, DialogChange)> {
        self.dialog_changes.pop_front()
    }

    /// Ends a dialog of a process that is gone. False if nothing can be done: its connection is gone and cannot be made from
    /// here, its socket is not open any more, or it is not understood. A phone that has to connect by itself is waited for.
    pub fn end_orphan(&mut self, now: Time, orphan: &Orphan) -> bool {
        let rest = match Kept::read(&orphan.kept) {
            Some(Kept::Called(called)) => self.refuse_called(now, called, orphan.answered),
            Some(Kept::Calling(flow, invite)) => ringing(flow, invite),
            Some(Kept::Confirmed(dialog)) => Some(Rest::Up(dialog)),
            None => None,
        };
        let Some(rest) = rest else { return false };
        let dialog = rest.dialog();
        let hop = dialog.routes.first().unwrap_or(&dialog.target);
        match self.way_to(dialog.flow, hop) {
            Some(flow) => self.end_rest(now, rest, flow),
            None if dialog.flow.transport.is_dialled() => return false,
            None => return self.strand(now, rest),
        }
        true
    }
}

impl Endpoint {
    /// Tells what is new of a leg.
    pub(super) fn note(&mut self, id: LegId, leg: &mut Leg) {
        if !self.settings.keep_dialogs {
            return;
        }
        let phase = match &leg.state {
            State::Incoming(_) => Phase::Called,
            State::Calling(calling) => Phase::Calling(calling.invite),
            State::Answered(..) | State::Up => Phase::Up,
            // Until its end it is as it was.
            State::Ending | State::Over => return,
        };
        let (target, flow) = (&leg.dialog.target, leg.dialog.flow);
        let moved = |noted: &Noted| noted.target != *target || noted.flow != flow;
        let change = match (&leg.noted, &leg.state) {
            (Some(noted), _) if noted.phase == phase && !moved(noted) => return,
            (Some(noted), State::Answered(..)) if noted.phase == Phase::Called && !moved(noted) => {
                Some(DialogChange::Answered)
            }
            (_, State::Incoming(incoming)) => {
                let reply_to = self.table.flow(incoming.invite);
                reply_to.map(|reply_to| form::called(&leg.dialog, reply_to, &incoming.head))
            }
            (_, State::Calling(calling)) => {
                let request = self.table.request(calling.invite);
                request.and_then(|(flow, request)| form::calling(flow, request))
            }
            _ => Some(form::confirmed(&leg.dialog)),
        };
        if let Some(change) = change {
            let target = target.clone();
            leg.noted = Some(Noted { phase, target, flow });
            self.dialog_changes.push_back((id, change));
        }
    }

    /// A leg is over.
    pub(super) fn note_over(&mut self, id: LegId, leg: &Leg) {
        if leg.noted.is_some() {
            self.dialog_changes.push_back((id, DialogChange::Over));
        }
    }

    /// A caller's INVITE gets its final response in the transaction it had, retransmitted until the ACK. Where the 200 was
    /// told of it is refused only if it comes once more: no second call comes of it. A BYE follows in any case: the last thing
    /// that the process did may have been a 200. "The callee's UA MUST NOT send a BYE on a confirmed dialog until it has received
    /// an ACK" (§15): nobody is left who would send the 200 again and wait for it.
    fn refuse_called(&mut self, now: Time, called: Called, answered: bool) -> Option<Rest> {
        let status = Status::SERVER_INTERNAL_ERROR;
        let refusal = Draft::response(status, "").raw(&called.head).finish(None, b"");
        let message = Message::parse(refusal.clone()).ok()?;
        let essentials = message.essentials().ok()?;
        let (key, _) = transaction_key(&essentials, Method::INVITE, called.reply_to.transport);
        if let Some(reply_to) = self.standing(called.reply_to)
            && self.table.find_server(&key).is_none()
        {
            let tx = self.table.serve_invite(&key, reply_to, Owner::Nobody);
            if answered {
                self.table.refuse_when_repeated(now, tx, refusal);
            } else {
                self.table.respond(now, tx, status, refusal, &mut self.out);
            }
        }
        let own = |name| Bytes::copy_from_slice(message.first(name).unwrap_or_default());
        Some(Rest::Up(Dialog {
            call_id: own(HeaderName::CallId),
            local_tag: Tag::parse(essentials.to.tag()?)?,
            remote_tag: Bytes::copy_from_slice(essentials.from.tag().unwrap_or_default()),
            local: own(HeaderName::To),
            remote: own(HeaderName::From),
            target: called.target,
            routes: called.routes,
            local_cseq: 0,
            remote_cseq: Some(essentials.cseq),
            flow: called.flow,
            is_ours: false,
            way: Way::Flow,
        }))
    }

    /// CANCEL to a phone that rings, as the process that sent the INVITE would have said it; BYE in a dialog. Whether the phone
    /// has answered 1xx is not known: where it has not, it has had the time to. A 200 that comes all the same is acknowledged and
    /// ended, and a 487 acknowledged, by the INVITE's transaction, which goes on here.
    fn end_rest(&mut self, now: Time, rest: Rest, flow: Flow) {
        let id = LegId(self.next_leg);
        self.next_leg += 1;
        let (mut dialog, state) = match rest {
            Rest::Ringing(dialog, branch, request) => {
                let owner = Owner::Leg(id);
                let calling = Calling {
                    invite: self.table.take_up_invite(now, (flow, branch), request, owner),
                    offer: Bytes::new(),
                    provisional: true,
                    challenged: true,
                    early: Vec::new(),
                    stop: Stop::No,
                };
                (dialog, State::Calling(calling))
            }
            Rest::Up(dialog) => (dialog, State::Up),
        };
        dialog.flow = flow;
        dialog.local_cseq = dialog.local_cseq.saturating_add(GAP);
        self.store(id, Box::new(Leg::new(dialog, state, None)));
        self.hangup(now, id, Some(Reason::lost()));
    }

    /// A flow of the process before as one of ours. Datagrams go on between the same sockets. A connection is gone with its
    /// process: over TCP another is made to where the peer's URI leads.
    fn way_to(&self, flow: Flow, hop: &[u8]) -> Option<Flow> {
        match flow.transport {
            Transport::Udp => self.standing(flow),
            transport if transport.is_dialled() => self.flow_to(hop, transport),
            _ => None,
        }
    }

    /// The same flow, where it needs no connection. The sockets may be others since.
    fn standing(&self, flow: Flow) -> Option<Flow> {
        if flow.transport != Transport::Udp {
            return None;
        }
        let open = self.settings.listen.contains(&(flow.transport, flow.local));
        let local = Some(flow.local).filter(|_| open);
        let local = local.or_else(|| self.identity.socket(flow.transport, flow.remote))?;
        Some(Flow { local, ..flow })
    }

    fn strand(&mut self, now: Time, rest: Rest) -> bool {
        self.stranded.retain(|it| it.until > now);
        let room = self.stranded.len() < STRANDED;
        if room {
            let until = now + RETURN;
            self.stranded.push(Stranded { rest, until });
        }
        room
    }

    /// A phone has registered: the dialogs that waited for its connection are ended over it.
    pub(super) fn end_stranded(&mut self, now: Time, operator: &OperatorId, flow: Flow) {
        if self.stranded.is_empty() || flow.transport.is_dialled() {
            return;
        }
        let here = self.registrar.of(operator).filter(|binding| binding.flow == flow);
        let contacts: Vec<Bytes> = here.map(|binding| binding.contact.clone()).collect();
        for Stranded { rest, until } in std::mem::take(&mut self.stranded) {
            let target = &rest.dialog().target;
            if until <= now {
                continue;
            }
            if contacts.iter().any(|contact| is_same_phone(contact, target)) {
                self.end_rest(now, rest, flow);
            } else {
                self.stranded.push(Stranded { rest, until });
            }
        }
    }
}

impl Rest {
    fn dialog(&self) -> &Dialog {
        match self {
            Rest::Ringing(dialog, ..) | Rest::Up(dialog) => dialog,
        }
    }
}

/// The attempt at a dialog that an INVITE of ours is.
fn ringing(flow: Flow, request: Bytes) -> Option<Rest> {
    let invite = Message::parse(request.clone()).ok()?;
    let essentials = invite.essentials().ok()?;
    let own = |name| Bytes::copy_from_slice(invite.first(name).unwrap_or_default());
    let dialog = Dialog {
        call_id: own(HeaderName::CallId),
        local_tag: Tag::parse(essentials.from.tag()?)?,
        remote_tag: Bytes::new(),
        local: own(HeaderName::From),
        remote: own(HeaderName::To),
        target: Bytes::copy_from_slice(invite.request_uri()),
        routes: invite
            .all(HeaderName::Route)
            .map(Bytes::copy_from_slice)
            .collect(),
        local_cseq: essentials.cseq,
        remote_cseq: None,
        flow,
        is_ours: true,
        way: Way::Flow,
    };
    Some(Rest::Ringing(dialog, own_branch(&invite)?, request))
}
