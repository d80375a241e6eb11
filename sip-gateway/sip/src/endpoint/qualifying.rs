//! Whether the bound phones are there: each is asked with OPTIONS from time to time (RFC 3261 §11), and not called while it
//! does not answer. Its next answer, or a registration from elsewhere, brings it back.

use std::collections::BTreeMap;
use std::time::Duration;

use pronto_types::{Deadlines, OperatorId, Time};
use rand::Rng;

use super::Endpoint;
use crate::api::{Destination, LegId};
use crate::dialog::leg::State;
use crate::message::{HeaderName, Method, Status};
use crate::tag::Tag;
use crate::transaction::table::{Outgoing, Owner, Purpose};

/// The times when each operator's phones are checked with OPTIONS, and the checks under way.
#[derive(Default)]
pub(super) struct Qualifying {
    due: Deadlines<OperatorId>,
    when: BTreeMap<OperatorId, Time>,
    asked: BTreeMap<u64, (OperatorId, Destination)>,
    next: u64,
}

impl Qualifying {
    pub(super) fn deadline(&self) -> Option<Time> {
        self.due.first()
    }

    fn schedule(&mut self, at: Time, operator: &OperatorId) {
        if let Some(before) = self.when.insert(operator.clone(), at) {
            self.due.remove(before, operator);
        }
        self.due.insert(at, operator.clone());
    }
}

impl Endpoint {
    /// An operator's phones have registered. One that was away is asked at once: that it reaches us says nothing about
    /// the other way.
    pub(super) fn qualify_from(&mut self, now: Time, operator: &OperatorId) {
        let Some(interval) = self.settings.qualify else {
            return;
        };
        self.ask_again(now, operator);
        if !self.qualifying.when.contains_key(operator) {
            // After a restart all phones begin at once: they are not to be asked at once for ever.
            let part = f64::from(self.rng.next_u32() % 1000) / 2000.0;
            let first = interval.mul_f64(0.5 + part);
            self.qualifying
                .schedule(now + first.max(Duration::from_secs(1)), operator);
        }
    }

    /// Asks the phones of an operator that are not known to be reachable.
    pub(super) fn ask_again(&mut self, now: Time, operator: &OperatorId) {
        if self.registrar.of(operator).any(|binding| !binding.reachable) {
            self.qualify(now, operator);
        }
    }

    /// Asks the phones of the operators that are due, as many as are `left`.
    pub(super) fn qualify_due(&mut self, now: Time, left: &mut usize) {
        let Some(interval) = self.settings.qualify else {
            return;
        };
        while *left > 0 {
            let Some((_, operator)) = self.qualifying.due.pop_due(now) else {
                break;
            };
            *left -= 1;
            self.qualifying.when.remove(&operator);
            if self.registrar.of(&operator).next().is_some() {
                self.qualify(now, &operator);
                let next = now + interval.max(Duration::from_secs(1));
                self.qualifying.schedule(next, &operator);
            }
        }
    }

    /// Asks each phone of an operator that has not been asked yet.
    fn qualify(&mut self, now: Time, operator: &OperatorId) {
        let phones: Vec<Destination> = self.registrar.of(operator).map(|it| it.destination()).collect();
        for to in phones {
            let is_asked = self
                .qualifying
                .asked
                .values()
                .any(|(who, what)| who == operator && *what == to);
            if is_asked || self.is_full(1) {
                continue;
            }
            let number = self.qualifying.next;
            self.qualifying.next += 1;
            let dialog = self.dialog_to(&to, "pronto", None);
            let branch = Tag::random(&mut self.rng);
            let contact = self.identity.contact_towards(to.flow, &to.uri);
            let draft = dialog
                .request(&self.identity, Method::OPTIONS, dialog.local_cseq, branch)
                .header(HeaderName::Contact, format_args!("<{contact}>"));
            let bytes = self.identity.sign_request(draft).finish(None, b"");
            let request = Outgoing {
                flow: to.flow,
                branch,
                bytes,
                purpose: Purpose::Qualify,
                owner: Owner::Check(number),
            };
            self.table.send(now, request, &mut self.out);
            self.qualifying.asked.insert(number, (operator.clone(), to));
        }
    }

    /// Judges a phone by the answer to its OPTIONS. After 408, 480 or 503 it cannot be reached through its proxy, or
    /// takes no calls; after any other answer it is reachable.
    pub(super) fn qualified(&mut self, number: u64, status: Status) {
        let Some((operator, to)) = self.qualifying.asked.remove(&number) else {
            return;
        };
        let reachable = !matches!(
            status,
            Status::REQUEST_TIMEOUT | Status::TEMPORARILY_UNAVAILABLE | Status::SERVICE_UNAVAILABLE
        );
        self.judge(&operator, &to, reachable);
    }

    /// An INVITE of ours got no answer at all: whose phone it was for is not called again before it has answered.
    pub(super) fn suspect(&mut self, leg: LegId) {
        if self.settings.qualify.is_none() {
            return;
        }
        let Some(leg) = self.legs.get(&leg) else { return };
        // One that rang for long is there.
        if matches!(&leg.state, State::Calling(calling) if calling.provisional) {
            return;
        }
        let dialog = &leg.dialog;
        let to = Destination {
            uri: dialog.target.clone(),
            flow: dialog.flow,
        };
        let there: Vec<OperatorId> = self.registrar.operators_at(to.flow).cloned().collect();
        for operator in there {
            self.judge(&operator, &to, false);
        }
    }

    /// A phone of the operator's is gone in the middle of a talk. It is not called again before it has answered.
    pub fn vanished(&mut self, leg: LegId, operator: &OperatorId) {
        let Some(flow) = self.legs.get(&leg).map(|leg| leg.dialog.flow) else {
            return;
        };
        if self.settings.qualify.is_none() {
            return;
        }
        let phones = self.registrar.of(operator).map(|it| it.destination());
        let gone: Vec<Destination> = phones.filter(|to| to.flow == flow).collect();
        for to in gone {
            self.judge(operator, &to, false);
        }
    }

    fn judge(&mut self, operator: &OperatorId, to: &Destination, reachable: bool) {
        let before = self.registrar.lease(operator);
        if self.registrar.judge(operator, to, reachable) && self.registrar.lease(operator) != before {
            self.tell_binding(operator.clone());
        }
    }
}
