//! We register with somebody (RFC 3261 §10.2): for endpoints that are phones.

use std::time::Duration;

use bytes::Bytes;
use pronto_types::{Secret, Time};

use super::Endpoint;
use crate::api::{Event, Registration, RegistrationId};
use crate::dialog::{Dialog, Way};
use crate::identity::escape_user;
use crate::message::{HeaderName, Message, Method, NameAddr, Status, delta_seconds};
use crate::settings::Flow;
use crate::tag::Tag;
use crate::transaction::table::{Outgoing, Owner, Purpose};

/// The first pause after a failure; doubled up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// A registration of ours.
pub(super) struct Enrolled {
    wanted: Registration,
    /// "All registrations from a UAC SHOULD use the same Call-ID", with a rising CSeq (§10.2): its From and To.
    dialog: Dialog,
    state: State,
    failures: u32,
}

enum State {
    /// A REGISTER is under way.
    Asking { challenged: bool },
    /// It stands; refresh it then.
    Standing { refresh: Time },
    /// It failed; ask again then.
    Failed { again: Time },
    /// The REGISTER that takes it back is under way.
    Leaving { challenged: bool },
}

impl Enrolled {
    pub(super) fn deadline(&self) -> Option<Time> {
        match self.state {
            State::Standing { refresh: at } | State::Failed { again: at } => Some(at),
            State::Asking { .. } | State::Leaving { .. } => None,
        }
    }

    /// Whether a flow leads to this registrar, or comes from it.
    pub(super) fn is_registrar(&self, flow: Flow) -> bool {
        self.wanted.flow.transport == flow.transport && self.wanted.flow.remote == flow.remote
    }

    pub(super) fn credentials(&self) -> (&str, &Secret) {
        (&self.wanted.user, &self.wanted.password)
    }

    fn seconds(&self) -> u64 {
        if matches!(self.state, State::Leaving { .. }) {
            0
        } else {
            self.wanted.expires.as_secs().max(1)
        }
    }
}

/// Commands to register at a registrar, and to unregister.
impl Endpoint {
    /// Registers with a registrar, answers its challenge, refreshes the registration until [`Endpoint::unregister`].
    pub fn register(&mut self, now: Time, wanted: Registration) -> RegistrationId {
        let id = RegistrationId(self.next_registration);
        self.next_registration += 1;
        let (tag, call) = (Tag::random(&mut self.rng), Tag::random(&mut self.rng));
        let aor = format!("sip:{}@{}", escape_user(&wanted.user), wanted.domain);
        let dialog = Dialog {
            call_id: Bytes::from(call.to_string()),
            local_tag: tag,
            remote_tag: Bytes::new(),
            local: Bytes::from(format!("<{aor}>;tag={tag}")),
            remote: Bytes::from(format!("<{aor}>")),
            target: Bytes::from(format!("sip:{}", wanted.domain)),
            routes: Vec::new(),
            local_cseq: 0,
            remote_cseq: None,
            flow: wanted.flow,
            is_ours: true,
            way: Way::Flow,
        };
        let enrolled = Enrolled {
            wanted,
            dialog,
            state: State::Asking { challenged: false },
            failures: 0,
        };
        self.enrolled.insert(id, enrolled);
        self.send_register(now, id, None);
        id
    }

    /// Takes a registration back; [`Event::RegistrationFailed`] with 200 confirms it.
    pub fn unregister(&mut self, now: Time, id: RegistrationId) {
        let Some(enrolled) = self.enrolled.get_mut(&id) else {
            return;
        };
        enrolled.state = State::Leaving { challenged: false };
        self.send_register(now, id, None);
    }
}

impl Endpoint {
    fn send_register(&mut self, now: Time, id: RegistrationId, authorization: Option<(HeaderName, String)>) {
        let Some(enrolled) = self.enrolled.get_mut(&id) else {
            return;
        };
        enrolled.dialog.local_cseq += 1;
        let branch = Tag::random(&mut self.rng);
        let draft = enrolled.dialog.request(
            &self.identity,
            Method::REGISTER,
            enrolled.dialog.local_cseq,
            branch,
        );
        let contact = self
            .identity
            .contact(enrolled.wanted.flow, &escape_user(&enrolled.wanted.user));
        let mut draft = draft
            .header(HeaderName::Contact, format_args!("<{contact}>"))
            .header(HeaderName::Expires, format_args!("{}", enrolled.seconds()));
        if let Some((name, value)) = &authorization {
            draft = draft.field(*name, value.as_bytes());
        }
        let bytes = self.identity.sign_request(draft).finish(None, b"");
        let request = Outgoing {
            flow: enrolled.wanted.flow,
            branch,
            bytes,
            purpose: Purpose::Register,
            owner: Owner::Registration(id),
        };
        self.send_request(now, request);
    }

    pub(super) fn enrolling_response(
        &mut self,
        now: Time,
        id: RegistrationId,
        status: Status,
        message: &Message,
    ) {
        let Some(enrolled) = self.enrolled.get(&id) else {
            return;
        };
        let (flow, target) = (enrolled.wanted.flow, enrolled.dialog.target.clone());
        // An answer to an earlier REGISTER than the last says nothing any more.
        if message
            .essentials()
            .is_ok_and(|e| e.cseq != enrolled.dialog.local_cseq)
        {
            return;
        }
        let challenged = match enrolled.state {
            State::Asking { challenged } | State::Leaving { challenged } => challenged,
            State::Standing { .. } | State::Failed { .. } => true,
        };
        let authorization = if challenged {
            None
        } else {
            self.credentials(flow, Method::REGISTER, &target, status, message)
        };
        let contact = self.identity.contact(flow, "");
        let Some(enrolled) = self.enrolled.get_mut(&id) else {
            return;
        };
        if authorization.is_some() {
            if let State::Asking { challenged } | State::Leaving { challenged } = &mut enrolled.state {
                *challenged = true;
            }
            return self.send_register(now, id, authorization);
        }
        if matches!(enrolled.state, State::Leaving { .. }) {
            self.enrolled.remove(&id);
            return self.tell(Event::RegistrationFailed {
                registration: id,
                status: status.code(),
            });
        }
        // "If a UA receives a 423 response to a registration request, it MAY retry the registration after making the
        // expiration interval equal to or greater than the Min-Expires header field" (§10.2.8).
        if status == Status::INTERVAL_TOO_BRIEF
            && let Some(min) = message.seconds(HeaderName::MinExpires).map(Duration::from_secs)
            && min > enrolled.wanted.expires
            && min <= Duration::from_secs(86_400)
        {
            enrolled.wanted.expires = min;
            enrolled.state = State::Asking { challenged: false };
            return self.send_register(now, id, None);
        }
        if !status.is_success() {
            return self.enrolling_failed(now, id, status);
        }
        let expires = granted(message, &contact).map_or(enrolled.wanted.expires, |given| {
            given.min(enrolled.wanted.expires)
        });
        enrolled.failures = 0;
        enrolled.state = State::Standing {
            refresh: now + refresh_after(expires),
        };
        self.tell(Event::Registered {
            registration: id,
            expires,
        });
    }

    pub(super) fn enrolling_failed(&mut self, now: Time, id: RegistrationId, status: Status) {
        let Some(enrolled) = self.enrolled.get_mut(&id) else {
            return;
        };
        if matches!(enrolled.state, State::Leaving { .. }) {
            self.enrolled.remove(&id);
        } else {
            let pause = FIRST_PAUSE
                .saturating_mul(1 << enrolled.failures.min(6))
                .min(LONGEST_PAUSE);
            enrolled.failures = enrolled.failures.saturating_add(1);
            enrolled.state = State::Failed { again: now + pause };
        }
        self.tell(Event::RegistrationFailed {
            registration: id,
            status: status.code(),
        });
    }

    pub(super) fn enrolled_due(&mut self, now: Time) {
        let due = |e: &Enrolled| e.deadline().is_some_and(|at| at <= now);
        let ids: Vec<RegistrationId> = self
            .enrolled
            .iter()
            .filter(|(_, e)| due(e))
            .map(|(id, _)| *id)
            .collect();
        for id in ids {
            if let Some(enrolled) = self.enrolled.get_mut(&id) {
                enrolled.state = State::Asking { challenged: false };
                self.send_register(now, id, None);
            }
        }
    }
}

/// Early enough that a lost REGISTER can be repeated before the binding runs out.
fn refresh_after(expires: Duration) -> Duration {
    let early = expires.mul_f64(0.8);
    if expires > Duration::from_secs(80) {
        early.min(expires - Duration::from_secs(40))
    } else {
        expires / 2
    }
}

/// How long our Contact was granted: its expires parameter, else the Expires field.
fn granted(message: &Message, own: &str) -> Option<Duration> {
    // Our Contact with a user part ends like the one without.
    let host = own.trim_start_matches("sip:").as_bytes();
    let contacts = message
        .list(HeaderName::Contact)
        .filter_map(Result::ok)
        .filter_map(NameAddr::parse);
    let mine = contacts
        .filter(|c| c.uri.raw.ends_with(host))
        .find_map(|c| c.params.value("expires").and_then(delta_seconds));
    mine.or_else(|| message.seconds(HeaderName::Expires))
        .map(Duration::from_secs)
}
