//! Bindings of operators to phones (RFC 3261 §10.3). Who may register is decided before; here is what it does.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use pronto_types::{Deadlines, OperatorId, Time};

use crate::api::Destination;
use crate::message::Uri;
use crate::settings::{ExpiresLimits, Flow};

mod saved;
#[cfg(test)]
mod tests;

/// One phone of an operator.
#[derive(Clone, Debug)]
pub struct Binding {
    /// The Contact's URI.
    pub contact: Bytes,
    /// The flow it registered over.
    pub flow: Flow,
    /// Where requests to it go: the address of its Contact, or the flow it registered over.
    pub reach: Flow,
    /// Whether `reach` is the address of its Contact.
    pub(crate) direct: bool,
    /// The time when the binding expires.
    pub expires: Time,
    /// When it was made or last refreshed.
    pub since: Time,
    /// Whether it answered the last OPTIONS, or has not been asked yet: others are not called.
    pub reachable: bool,
    /// Preference in thousandths: the `q` of its Contact (RFC 3261 §20.10), 1000 where none is written.
    pub q: u16,
    /// The proxies on the way to it (RFC 3327): the Route of what is sent there.
    pub(crate) path: Vec<Bytes>,
    /// `+sip.instance` and `reg-id` (RFC 5626 §4.2): the phone, and which of its flows.
    pub(crate) instance: Option<(Bytes, u32)>,
    call_id: Bytes,
    cseq: u32,
}

impl Binding {
    /// Whether both were made by one phone: by one instance, with one Contact, or by one series of REGISTERs, for which "a UAC
    /// SHOULD use the same Call-ID" (§10.2).
    pub(crate) fn is_same_phone(&self, other: &Binding) -> bool {
        let instance = |b: &Binding| b.instance.as_ref().map(|(id, _)| id.clone());
        match (instance(self), instance(other)) {
            (Some(one), Some(two)) => one == two,
            _ => self.contact == other.contact || self.call_id == other.call_id,
        }
    }

    /// Where to send an INVITE for this phone.
    pub fn destination(&self) -> Destination {
        Destination {
            uri: self.contact.clone(),
            flow: self.reach,
        }
    }
}

/// One Contact of a REGISTER.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Wanted<'a> {
    pub(crate) contact: &'a [u8],
    /// Seconds asked for; zero to be removed.
    pub(crate) seconds: Option<u64>,
    /// Preference in thousandths; 1000 where none is written.
    pub(crate) q: Option<u16>,
    /// Replaces the binding of the same instance and flow, whatever that one's Contact (RFC 5626 §6).
    pub(crate) instance: Option<(&'a [u8], u32)>,
    /// The address of the Contact, where requests go there; `None`: over the flow of the REGISTER.
    pub(crate) at: Option<Flow>,
}

/// The change that the Contact fields of a REGISTER ask for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Change<'a> {
    /// No Contact: only tell me.
    Fetch,
    /// `Contact: *`: removes all bindings.
    RemoveAll,
    Set(Vec<Wanted<'a>>),
}

/// Why a REGISTER changes nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    /// 423 with Min-Expires.
    TooBrief,
    /// 500: an older request overtaken by a newer one.
    OutOfOrder,
}

/// The sender of a REGISTER: one phone counts its CSeq per Call-ID.
#[derive(Clone, Copy)]
pub(crate) struct From<'a> {
    pub(crate) flow: Flow,
    pub(crate) call_id: &'a [u8],
    pub(crate) cseq: u32,
    /// The Path fields.
    pub(crate) path: &'a [Bytes],
}

/// The bindings of all operators.
pub(crate) struct Registrar {
    bindings: BTreeMap<OperatorId, Vec<Binding>>,
    /// The operators whose phones are at the other end of each flow: where they registered from, and where they are
    /// rung. Several operators may share one flow, behind one proxy.
    by_flow: BTreeMap<Flow, BTreeSet<OperatorId>>,
    timers: Deadlines<OperatorId>,
    expires: ExpiresLimits,
    limit: usize,
    version: u64,
}

impl Registrar {
    pub(crate) fn new(expires: ExpiresLimits, limit: usize) -> Self {
        let (bindings, by_flow, timers) = Default::default();
        Registrar {
            bindings,
            by_flow,
            timers,
            expires,
            limit: limit.max(1),
            version: 0,
        }
    }

    /// An operator's bindings: the preferred first, among equals the newest.
    pub(crate) fn of(&self, operator: &OperatorId) -> impl Iterator<Item = &Binding> {
        self.bindings.get(operator).into_iter().flatten()
    }

    pub(crate) fn len(&self) -> usize {
        self.bindings.values().map(Vec::len).sum()
    }

    /// The operators whose phones are at the other end of this flow.
    pub(crate) fn operators_at(&self, flow: Flow) -> impl Iterator<Item = &OperatorId> {
        self.by_flow.get(&flow).into_iter().flatten()
    }

    /// Whether some phone is at the other end of this flow.
    pub(crate) fn is_bound(&self, flow: Flow) -> bool {
        self.by_flow.contains_key(&flow)
    }

    /// Notes whether a binding answers; whether that is news.
    pub(crate) fn judge(&mut self, operator: &OperatorId, to: &Destination, reachable: bool) -> bool {
        let bindings = self.bindings.get_mut(operator).into_iter().flatten();
        let mut news = false;
        for binding in bindings.filter(|b| b.reach == to.flow && b.contact == to.uri) {
            news |= binding.reachable != reachable;
            binding.reachable = reachable;
        }
        news
    }

    /// Whether a phone has said that it keeps this flow open, to be reached on it (RFC 5626 §4.2).
    pub(crate) fn keeps_flow(&self, flow: Flow) -> bool {
        let mut there = self.operators_at(flow).flat_map(|o| self.of(o));
        there.any(|b| b.flow == flow && b.instance.is_some())
    }

    /// The binding that a destination names, and whose it is.
    pub(crate) fn binding_at(&self, to: &Destination) -> Option<(&OperatorId, &Binding)> {
        let operators = self.operators_at(to.flow);
        let mut bindings = operators.flat_map(|o| self.of(o).map(move |b| (o, b)));
        bindings.find(|(_, b)| b.reach == to.flow && b.contact == to.uri)
    }

    /// Changes whenever a binding does.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// The longest lease of an operator's phones that can be reached.
    pub(crate) fn lease(&self, operator: &OperatorId) -> Option<Time> {
        self.of(operator).filter(|b| b.reachable).map(|b| b.expires).max()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Time> {
        self.timers.first()
    }

    pub(crate) fn min_expires(&self) -> Duration {
        self.expires.min
    }

    /// Carries out a proven REGISTER, all of it or nothing.
    pub(crate) fn apply(
        &mut self,
        now: Time,
        operator: &OperatorId,
        from: From<'_>,
        change: &Change<'_>,
    ) -> Result<(), Refusal> {
        let mut bindings: Vec<Binding> = self.of(operator).filter(|b| b.expires > now).cloned().collect();
        // "If the Call-ID value in the existing binding [agrees] and the CSeq value is [not] higher … the update MUST be
        // aborted and the request fails" (§10.3 steps 6 and 7).
        let stale = |b: &Binding| b.call_id == from.call_id && b.cseq >= from.cseq;
        match change {
            Change::Fetch => return Ok(()),
            Change::RemoveAll => {
                if bindings.iter().any(stale) {
                    return Err(Refusal::OutOfOrder);
                }
                bindings.clear();
            }
            Change::Set(wanted) => {
                let mut made: Vec<Binding> = Vec::with_capacity(wanted.len());
                for one in wanted {
                    let lease = self.lease_for(one.seconds)?;
                    let known = bindings.iter().position(|b| is_same(b, one));
                    if known.is_some_and(|at| stale(&bindings[at])) {
                        return Err(Refusal::OutOfOrder);
                    }
                    // Named twice in one request: the later word counts.
                    made.retain(|b| !is_same(b, one));
                    // A phone that does not answer is no better for saying again where it is.
                    let reach = one.at.unwrap_or(from.flow);
                    let reachable = known.is_none_or(|at| {
                        let old = bindings.remove(at);
                        old.reachable || old.reach != reach
                    });
                    if let Some(lease) = lease {
                        let (contact, call_id) = (
                            Bytes::copy_from_slice(one.contact),
                            Bytes::copy_from_slice(from.call_id),
                        );
                        let binding = Binding {
                            contact,
                            flow: from.flow,
                            reach,
                            direct: one.at.is_some(),
                            expires: now + lease,
                            since: now,
                            reachable,
                            q: one.q.unwrap_or(1000),
                            path: from.path.to_vec(),
                            instance: one.instance.map(|(id, flow)| (Bytes::copy_from_slice(id), flow)),
                            call_id,
                            cseq: from.cseq,
                        };
                        made.insert(0, binding);
                    }
                }
                made.append(&mut bindings);
                bindings = made;
            }
        }
        // A phone that restarts leaves bindings behind: the oldest make room.
        bindings.sort_by_key(|b| Reverse(b.since));
        bindings.truncate(self.limit);
        self.replace(operator, bindings);
        Ok(())
    }

    /// `None` to remove; an error when too short.
    fn lease_for(&self, seconds: Option<u64>) -> Result<Option<Duration>, Refusal> {
        let asked = seconds.map_or(self.expires.default, Duration::from_secs);
        if asked.is_zero() {
            return Ok(None);
        }
        // "If and only if the requested expiration interval is greater than zero AND smaller than one hour AND less than a
        // registrar-configured minimum, the registrar MAY reject the registration with a response of 423."
        if asked < self.expires.min && asked < Duration::from_secs(3600) {
            return Err(Refusal::TooBrief);
        }
        Ok(Some(asked.min(self.expires.max)))
    }

    fn replace(&mut self, operator: &OperatorId, mut bindings: Vec<Binding>) {
        self.version += 1;
        bindings.sort_by_key(|b| (Reverse(b.q), Reverse(b.since)));
        for old in self.bindings.remove(operator).into_iter().flatten() {
            self.timers.remove(old.expires, operator);
            for flow in [old.flow, old.reach] {
                if let Some(there) = self.by_flow.get_mut(&flow) {
                    there.remove(operator);
                    if there.is_empty() {
                        self.by_flow.remove(&flow);
                    }
                }
            }
        }
        for new in &bindings {
            self.timers.insert(new.expires, operator.clone());
            for flow in [new.flow, new.reach] {
                self.by_flow.entry(flow).or_default().insert(operator.clone());
            }
        }
        if !bindings.is_empty() {
            self.bindings.insert(operator.clone(), bindings);
        }
    }

    /// Drops bindings that have run out, of as many operators as are `left`. Returns these operators.
    pub(crate) fn expire(&mut self, now: Time, left: &mut usize) -> Vec<OperatorId> {
        let mut touched = Vec::new();
        while *left > 0 {
            let Some((_, operator)) = self.timers.pop_due(now) else {
                break;
            };
            *left -= 1;
            let kept = self.of(&operator).filter(|b| b.expires > now).cloned().collect();
            self.replace(&operator, kept);
            touched.push(operator);
        }
        touched
    }

    /// A connection closed: "the registrar … MUST treat the binding as if it had been removed" when its flow fails (RFC 5626
    /// §5.3 and §7). A phone that is reached elsewhere stays; so does one with an address that `elsewhere` finds in its
    /// Contact, but it is not called before it has answered there. Whose phones were there, and whether one has moved so.
    pub(crate) fn close_flow(
        &mut self,
        flow: Flow,
        elsewhere: impl Fn(&Binding) -> Option<Flow>,
    ) -> Vec<(OperatorId, bool)> {
        let operators: Vec<OperatorId> = self.operators_at(flow).cloned().collect();
        let mut told = Vec::with_capacity(operators.len());
        for operator in operators {
            let (mut kept, mut moved) = (Vec::new(), false);
            for binding in self.of(&operator) {
                let mut binding = binding.clone();
                if binding.reach == flow && !binding.direct {
                    let Some(there) = elsewhere(&binding) else {
                        continue;
                    };
                    (binding.reach, binding.direct, binding.reachable) = (there, true, false);
                    moved = true;
                }
                kept.push(binding);
            }
            self.replace(&operator, kept);
            told.push((operator, moved));
        }
        told
    }
}

/// Whether a Contact is this binding's: of the same flow of the same instance, or, where either says none, the same URI by
/// "the rules for comparing URIs" (§10.3, step 7).
fn is_same(binding: &Binding, wanted: &Wanted<'_>) -> bool {
    match (&binding.instance, wanted.instance) {
        (Some((id, flow)), Some((wanted_id, wanted_flow))) => id == wanted_id && *flow == wanted_flow,
        _ => {
            let both = (Uri::parse(&binding.contact), Uri::parse(wanted.contact));
            binding.contact == wanted.contact || matches!(both, (Some(one), Some(two)) if one.is_same(&two))
        }
    }
}
