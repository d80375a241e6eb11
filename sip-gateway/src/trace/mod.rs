//! The SIP messages of the newest calls, for people who want to see what happened ([`redact`] hides who).
//!
//! A ring, limited in calls and in octets: the oldest call makes room. Of a long call the beginning and the newest
//! messages are kept. INVITEs that became no call have a ring of their own, so that a flood of them pushes no call out.
//!
//! Pure, and cheap enough to be always on: a message costs the search for its Call-ID and one look-up.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod call_id;
pub mod redact;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use memchr::memmem;
use pronto_sip::Flow;
use pronto_types::{CallId, OperatorId, Time};

/// Messages kept of a trace's beginning, and as many of its end.
const EACH_END: usize = 64;
/// Messages of a short call: room for them is made at once.
const SHORT: usize = 8;
/// Legs of a call that are followed: one caller and those who were rung.
const LEGS: usize = 32;
/// INVITEs without a call that are kept at most.
const ATTEMPTS: usize = 256;
/// The part of the octets that they may hold.
const ATTEMPTS_SHARE: usize = 4;
/// How far a message is searched for what is looked at.
const HEAD: usize = 4096;
/// Octets charged for holding a message, beside its own.
const OVERHEAD: usize = 128;

/// How much is held at most.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Calls; none: nothing is held at all.
    pub calls: usize,
    /// Octets of all messages together, what it takes to hold them included.
    pub octets: usize,
}

/// The party at the far end of a leg.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Peer {
    /// The one who called us.
    Caller,
    /// The one we called.
    Operator(OperatorId),
}

/// The subject of a trace: a call, or an INVITE that became none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Subject {
    /// A call, by its id.
    Call(CallId),
    /// An INVITE that became none, by its place in the order of all traces.
    Attempt(u64),
}

/// A message that passed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Traced {
    /// The time at which it passed.
    pub at: Time,
    /// We sent it.
    pub sent: bool,
    /// Between which sockets.
    pub flow: Flow,
    /// An index into the legs.
    pub leg: usize,
    /// The octets of the message.
    pub bytes: Bytes,
}

/// The summary of a trace, without its messages.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Summary {
    /// Its place in the order in which traces began; never reused.
    pub order: u64,
    /// The call or INVITE that was traced.
    pub subject: Subject,
    /// The caller's first.
    pub legs: Vec<Peer>,
    /// The times of the first and the last message held; both `Time::ZERO` without a message.
    pub passed: (Time, Time),
    /// The number of messages held.
    pub messages: usize,
    /// Octets of the messages held.
    pub octets: usize,
    /// Messages of the middle that were not kept.
    pub left_out: u32,
    /// The last final status sent to the caller's first INVITE; 0 before the first one.
    pub status: u16,
}

/// One trace with its messages.
#[derive(Debug, Default)]
struct Held {
    call: Option<CallId>,
    /// Call-ID and peer of each leg.
    legs: Vec<(Box<[u8]>, Option<OperatorId>)>,
    first: Vec<Traced>,
    newest: VecDeque<Traced>,
    left_out: u32,
    /// Without what it takes to hold them.
    octets: usize,
    status: u16,
}

impl Held {
    fn messages(&self) -> impl Iterator<Item = &Traced> {
        self.first.iter().chain(&self.newest)
    }

    fn cost(&self) -> usize {
        self.octets + OVERHEAD * (self.first.len() + self.newest.len())
    }

    fn keep(&mut self, message: Traced) {
        if message.sent
            && message.leg == 0
            && let Some(status) = status_of_invite(&message.bytes)
        {
            self.status = status;
        }
        self.octets += message.bytes.len();
        if self.first.len() < EACH_END {
            if self.first.is_empty() {
                self.first.reserve(SHORT);
            }
            return self.first.push(message);
        }
        self.newest.push_back(message);
        if self.newest.len() > EACH_END
            && let Some(dropped) = self.newest.pop_front()
        {
            self.octets -= dropped.bytes.len();
            self.left_out += 1;
        }
    }
}

/// The ring of traces.
#[derive(Debug)]
pub struct Ring {
    limits: Limits,
    held: BTreeMap<u64, Box<Held>>,
    /// Trace and leg by Call-ID.
    dialogs: BTreeMap<Box<[u8]>, (u64, usize)>,
    calls: BTreeMap<CallId, u64>,
    claimed: BTreeSet<u64>,
    attempts: BTreeSet<u64>,
    /// The octets of both kinds.
    costs: Costs,
    next: u64,
}

#[derive(Debug, Default)]
struct Costs {
    calls: usize,
    attempts: usize,
}

impl Ring {
    /// An empty one.
    pub fn new(limits: Limits) -> Self {
        Ring {
            limits,
            held: BTreeMap::new(),
            dialogs: BTreeMap::new(),
            calls: BTreeMap::new(),
            claimed: BTreeSet::new(),
            attempts: BTreeSet::new(),
            costs: Costs::default(),
            next: 1,
        }
    }

    /// The limits it was given.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Octets held, what it takes to hold them included.
    pub fn octets(&self) -> usize {
        self.costs.calls + self.costs.attempts
    }

    /// A message came. It is copied: a piece of a stream's buffer would hold all of that.
    pub fn received(&mut self, at: Time, flow: Flow, bytes: &Bytes) {
        self.passed(at, false, flow, bytes);
    }

    /// A message goes.
    pub fn sent(&mut self, at: Time, flow: Flow, bytes: &Bytes) {
        self.passed(at, true, flow, bytes);
    }

    fn passed(&mut self, at: Time, sent: bool, flow: Flow, bytes: &Bytes) {
        if self.limits.calls == 0 {
            return;
        }
        let Some(call_id) = call_id::of(bytes) else {
            return;
        };
        let (order, leg) = match self.dialogs.get(call_id) {
            Some(&found) => found,
            None if !sent && bytes.starts_with(b"INVITE ") => (self.attempt(call_id), 0),
            None => return,
        };
        let Some(held) = self.held.get_mut(&order) else {
            return;
        };
        let before = held.cost();
        let bytes = if sent {
            bytes.clone()
        } else {
            Bytes::copy_from_slice(bytes)
        };
        held.keep(Traced {
            at,
            sent,
            flow,
            leg,
            bytes,
        });
        let costs = if held.call.is_some() {
            &mut self.costs.calls
        } else {
            &mut self.costs.attempts
        };
        *costs = *costs + held.cost() - before;
        self.make_room();
    }

    /// The INVITE with this Call-ID is a leg of this call; of one that is to be sent, before it is.
    pub fn claim(&mut self, call: CallId, peer: &Peer, call_id: &[u8]) {
        if self.limits.calls == 0 {
            return;
        }
        let order = match (self.calls.get(&call), self.dialogs.get(call_id)) {
            (Some(&order), _) => order,
            (None, Some(&(order, 0))) if self.attempts.contains(&order) => order,
            _ => self.begin(),
        };
        let Some(held) = self.held.get_mut(&order) else {
            return;
        };
        if held.call.is_none() {
            held.call = Some(call);
            let cost = held.cost();
            if self.attempts.remove(&order) {
                self.costs.attempts -= cost;
            }
            self.costs.calls += cost;
            self.claimed.insert(order);
            self.calls.insert(call, order);
        }
        if held.legs.len() < LEGS && !held.legs.iter().any(|(known, _)| **known == *call_id) {
            let operator = match peer {
                Peer::Caller => None,
                Peer::Operator(operator) => Some(operator.clone()),
            };
            held.legs.push((call_id.into(), operator));
            self.dialogs.insert(call_id.into(), (order, held.legs.len() - 1));
        }
        self.make_room();
    }

    fn begin(&mut self) -> u64 {
        let order = self.next;
        self.next += 1;
        self.held.insert(order, Box::default());
        order
    }

    fn attempt(&mut self, call_id: &[u8]) -> u64 {
        let order = self.begin();
        if let Some(held) = self.held.get_mut(&order) {
            held.legs.push((call_id.into(), None));
        }
        self.dialogs.insert(call_id.into(), (order, 0));
        self.attempts.insert(order);
        order
    }

    fn make_room(&mut self) {
        let for_attempts = self.limits.octets / ATTEMPTS_SHARE;
        while self.attempts.len() > ATTEMPTS || self.costs.attempts > for_attempts {
            let Some(oldest) = self.attempts.pop_first() else {
                break;
            };
            self.costs.attempts -= self.forget(oldest);
        }
        let for_calls = self.limits.octets - for_attempts;
        while self.claimed.len() > self.limits.calls || self.costs.calls > for_calls {
            let Some(oldest) = self.claimed.pop_first() else {
                break;
            };
            self.costs.calls -= self.forget(oldest);
        }
    }

    /// Returns what it cost.
    fn forget(&mut self, order: u64) -> usize {
        let Some(held) = self.held.remove(&order) else {
            return 0;
        };
        if let Some(call) = held.call {
            self.calls.remove(&call);
        }
        for (call_id, _) in &held.legs {
            if self.dialogs.get(call_id).is_some_and(|(of, _)| *of == order) {
                self.dialogs.remove(call_id);
            }
        }
        held.cost()
    }

    /// The traces that began after a place in the order, at most `size`, and whether more follow.
    pub fn list(&self, after: u64, size: usize) -> (Vec<Summary>, bool) {
        let mut rest = self.held.range(after.saturating_add(1)..);
        let page = rest
            .by_ref()
            .take(size)
            .map(|(order, held)| summary(*order, held));
        (page.collect(), rest.next().is_some())
    }

    /// One trace, if it is held.
    pub fn read(&self, subject: Subject) -> Option<(Summary, Vec<Traced>)> {
        let order = match subject {
            Subject::Call(call) => *self.calls.get(&call)?,
            Subject::Attempt(order) => order,
        };
        let held = self.held.get(&order)?;
        let summary = summary(order, held);
        (summary.subject == subject).then(|| (summary, held.messages().cloned().collect()))
    }
}

fn summary(order: u64, held: &Held) -> Summary {
    let first = held.messages().next().map_or(Time::ZERO, |message| message.at);
    let last = held.messages().last().map_or(first, |message| message.at);
    let peer =
        |(_, operator): &(_, Option<OperatorId>)| operator.clone().map_or(Peer::Caller, Peer::Operator);
    Summary {
        order,
        subject: held.call.map_or(Subject::Attempt(order), Subject::Call),
        legs: held.legs.iter().map(peer).collect(),
        passed: (first, last),
        messages: held.first.len() + held.newest.len(),
        octets: held.octets,
        left_out: held.left_out,
        status: held.status,
    }
}

/// The status of a final response to an INVITE.
fn status_of_invite(bytes: &[u8]) -> Option<u16> {
    let code = bytes.strip_prefix(b"SIP/2.0 ")?.get(..3)?;
    let status = std::str::from_utf8(code).ok()?.parse().ok()?;
    let of_invite = || memmem::find(&bytes[..bytes.len().min(HEAD)], b" INVITE\r\n").is_some();
    (status >= 200 && of_invite()).then_some(status)
}
