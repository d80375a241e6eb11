//! The whole endpoint: transactions, dialogs, registrar and registrations behind four verbs.
//!
//! - [`receive`]: a message arrives; what every request must pass.
//! - [`called`]: INVITEs to us, until they are answered. [`within`]: requests inside a dialog.
//! - [`calling`]: INVITEs of ours. [`reoffering`]: and those inside a dialog. [`parting`]: the end of a leg, from either side.
//! - [`registering`]: phones register with us. [`qualifying`]: whether they can be reached. [`enrolling`]: we register with somebody.
//! - [`orphans`]: dialogs of a process that is gone. [`reach`]: where requests to a peer go.
//! - [`admission`]: who is calling. [`sources`]: how often. [`reply`]: answers. [`sending`]: requests too large for a datagram.

mod admission;
mod called;
mod calling;
mod enrolling;
mod offers;
mod orphans;
mod parting;
mod qualifying;
mod reach;
mod receive;
mod registering;
mod reoffering;
mod reply;
mod request;
mod sending;
mod sources;
#[cfg(test)]
mod tests;
mod within;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use pronto_types::{Deadlines, OperatorId, Time};
use rand::Rng;
use rand_chacha::ChaCha12Rng;

use crate::api::{
    Counts, DialogChange, Dropped, EndedBy, Event, Input, LegId, Notice, Output, RegistrationId,
};
use crate::dialog::leg::{Leg, Renewal, Reoffer, State};
use crate::digest::Authority;
use crate::identity::LocalIdentity;
use crate::registrar::{Binding, Registrar};
use crate::settings::{Flow, Settings, Transport};
use crate::tag::Tag;
use crate::transaction::table::Table;
use enrolling::Enrolled;
use orphans::Stranded;
use qualifying::Qualifying;
use sources::{Budgets, Sources};

/// The Retry-After of our 503 answers.
const RETRY_AFTER: Duration = Duration::from_secs(10);
/// Different notices kept for the log until they are taken.
const NOTICES: usize = 16;

/// Deadlines handled in one step: whoever waits for the endpoint waits for no more. The others are due at once in the
/// next.
const DUE_AT_ONCE: usize = 32;

/// A SIP endpoint. After every `handle_*` and every command, drain [`Endpoint::poll_output`] to `None`, then wake it at
/// [`Endpoint::poll_timeout`]. A message that nobody drained is still in order.
pub struct Endpoint {
    identity: LocalIdentity,
    settings: Settings,
    rng: ChaCha12Rng,
    authority: Authority,
    sources: Sources,
    budgets: Budgets,
    table: Table,
    legs: BTreeMap<LegId, Box<Leg>>,
    /// By our own tag: unique, so that it alone finds the leg.
    tags: BTreeMap<Tag, LegId>,
    leg_flows: BTreeSet<(Flow, LegId)>,
    leg_timers: Deadlines<LegId>,
    next_leg: u64,
    registrar: Registrar,
    qualifying: Qualifying,
    enrolled: BTreeMap<RegistrationId, Enrolled>,
    /// The addresses of this machine's network interfaces, as last reported by [`Input::OwnAddresses`].
    own_addresses: Vec<IpAddr>,
    next_registration: u64,
    /// Peers that took no connection, and until when they are not asked again.
    no_streams: BTreeMap<SocketAddr, Time>,
    /// Legs of operators whose connection, which we cannot open, is gone.
    lost_legs: BTreeMap<LegId, Arc<BTreeSet<OperatorId>>>,
    /// Dialogs of a process that is gone, whose phones have to connect first.
    stranded: Vec<Stranded>,
    dialog_changes: VecDeque<(LegId, DialogChange)>,
    /// Legs whose connection has just gone, and since when; some of them are dealt with in each step.
    losing: VecDeque<(Time, Losing)>,
    draining: bool,
    dropped: Dropped,
    /// Not yet told, and how often.
    notices: BTreeMap<Notice, u64>,
    out: VecDeque<Output>,
}

/// A leg whose connection is gone.
struct Losing {
    leg: LegId,
    flow: Flow,
    /// The operators who were registered over it.
    operators: Arc<BTreeSet<OperatorId>>,
}

impl Endpoint {
    /// An endpoint without calls. `rng` makes tags, branches, Call-IDs and the key that signs nonces: seeded by the
    /// operating system in production, by the test in worlds.
    pub fn new(settings: Settings, mut rng: ChaCha12Rng) -> Self {
        let mut key = [0; 32];
        rng.fill_bytes(&mut key);
        Endpoint {
            identity: LocalIdentity::new(&settings),
            authority: Authority::new(
                key,
                &settings.domain,
                &settings.digest,
                settings.operator_digest.clone(),
                settings.limits.nonces_per_operator,
            ),
            registrar: Registrar::new(settings.expires, settings.limits.bindings_per_operator),
            sources: Sources::new(settings.strangers),
            budgets: Budgets::default(),
            settings,
            rng,
            table: Table::default(),
            legs: BTreeMap::new(),
            tags: BTreeMap::new(),
            leg_flows: BTreeSet::new(),
            leg_timers: Deadlines::default(),
            next_leg: 1,
            qualifying: Qualifying::default(),
            enrolled: BTreeMap::new(),
            own_addresses: Vec::new(),
            next_registration: 1,
            no_streams: BTreeMap::new(),
            lost_legs: BTreeMap::new(),
            stranded: Vec::new(),
            dialog_changes: VecDeque::new(),
            losing: VecDeque::new(),
            draining: false,
            dropped: Dropped::default(),
            notices: BTreeMap::new(),
            out: VecDeque::new(),
        }
    }

    /// The sockets say something.
    pub fn handle_input(&mut self, now: Time, input: Input) {
        match input {
            Input::Message { flow, bytes } => self.receive(now, flow, bytes),
            Input::FlowClosed { flow } | Input::FlowFailed { flow } => self.lose_flow(now, flow),
            Input::OwnAddresses(addresses) => self.own_addresses = addresses,
        }
    }

    /// A deadline passed.
    pub fn handle_timeout(&mut self, now: Time) {
        let mut left = DUE_AT_ONCE;
        while let Some(failure) = self.table.expire(now, &mut left, &mut self.out) {
            self.failed(now, failure);
        }
        while left > 0
            && let Some((_, id)) = self.leg_timers.pop_due(now)
        {
            left -= 1;
            self.with_leg(id, |endpoint, leg| {
                leg.scheduled = None;
                endpoint.leg_due(now, id, leg);
            });
        }
        for operator in self.registrar.expire(now, &mut left) {
            self.tell_binding(operator);
        }
        self.qualify_due(now, &mut left);
        self.lose_some(now, &mut left);
        self.enrolled_due(now);
    }

    /// Takes the next output: a message to send, or an event.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When to call [`Endpoint::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Time> {
        let enrolled = self.enrolled.values().filter_map(Enrolled::deadline).min();
        [
            self.table.poll_timeout(),
            self.leg_timers.first(),
            self.registrar.poll_timeout(),
            self.qualifying.deadline(),
            self.losing.front().map(|(since, _)| *since),
            enrolled,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// An operator's phones that can be reached: the preferred first, among equals the one that registered last.
    pub fn bindings(&self, operator: &OperatorId) -> impl Iterator<Item = &Binding> {
        self.registrar.of(operator).filter(|binding| binding.reachable)
    }

    /// Whether this is one of the operators who may register.
    pub fn is_operator(&self, operator: &OperatorId) -> bool {
        self.settings.operators.contains_key(operator)
    }

    /// Changes whenever a binding does: what [`Endpoint::saved_bindings`] gives is then another text.
    pub fn bindings_version(&self) -> u64 {
        self.registrar.version()
    }

    /// All bindings as a text for [`Endpoint::restore_bindings`]: a line each.
    pub fn saved_bindings(&self) -> String {
        self.registrar.save()
    }

    /// The part of that text that follows the lines of `after`, from the beginning for `None`: about `most` lines, so that
    /// saving the bindings of thousands of phones holds up nobody. Returns the operator that the next part follows; `None`
    /// at the end.
    pub fn saved_bindings_after(
        &self,
        after: Option<&OperatorId>,
        most: usize,
    ) -> (String, Option<OperatorId>) {
        self.registrar.save_some(after, most)
    }

    /// Takes up the bindings that an endpoint before this one saved, and tells them as [`Event::Binding`]. Those that have
    /// run out, whose operator is gone, whose socket is not open any more or whose connection has ended with the process are
    /// left out; so is a line that is not understood.
    pub fn restore_bindings(&mut self, now: Time, saved: &str) {
        let settings = &self.settings;
        let lives = |operator: &OperatorId, binding: &Binding| {
            let to = binding.reach;
            let open = settings.listen.contains(&(to.transport, to.local));
            let lasts = !to.transport.is_reliable() || binding.direct && to.transport.is_dialled();
            settings.operators.contains_key(operator) && open && lasts
        };
        for operator in self.registrar.restore(now, saved, lives) {
            self.qualify_from(now, &operator);
            self.tell_binding(operator);
        }
    }

    /// Takes the notices since the last call: each sender that exceeded a limit, and how often.
    pub fn take_notices(&mut self) -> BTreeMap<Notice, u64> {
        std::mem::take(&mut self.notices)
    }

    fn notice(&mut self, notice: Notice) {
        if self.notices.len() < NOTICES || self.notices.contains_key(&notice) {
            *self.notices.entry(notice).or_default() += 1;
        }
    }

    /// Whether new calls are refused: INVITE and OPTIONS outside dialogs are answered 503 with Retry-After.
    pub fn drain(&mut self, draining: bool) {
        self.draining = draining;
    }

    /// The Call-ID of a leg that is up or being set up.
    pub fn call_id(&self, leg: LegId) -> Option<&bytes::Bytes> {
        self.legs.get(&leg).map(|leg| &leg.dialog.call_id)
    }

    /// How much is going on.
    pub fn counts(&self) -> Counts {
        Counts {
            transactions: self.table.len(),
            dialogs: self.legs.len(),
            bindings: self.registrar.len(),
            registrations: self.enrolled.len(),
            sources: self.sources.len(),
            dropped: self.dropped,
        }
    }

    fn tell(&mut self, event: Event) {
        self.out.push_back(Output::Event(event));
    }

    fn tell_binding(&mut self, operator: OperatorId) {
        let expires = self.registrar.lease(&operator);
        self.tell(Event::Binding { operator, expires });
    }

    /// Takes a leg out of the table for one step, so that the step may use the rest of the endpoint; then puts it back, unless
    /// the step has ended it. `None`: there is no such leg.
    fn with_leg<R>(&mut self, id: LegId, step: impl FnOnce(&mut Self, &mut Leg) -> R) -> Option<R> {
        let mut leg = self.legs.remove(&id)?;
        self.leg_flows.remove(&(leg.dialog.flow, id));
        let result = step(self, &mut leg);
        if !matches!(leg.state, State::Over) {
            self.store(id, leg);
        }
        Some(result)
    }

    /// Puts a leg (back) into the table, its indices true.
    fn store(&mut self, id: LegId, mut leg: Box<Leg>) {
        let deadline = leg.deadline();
        self.leg_timers.reset(&mut leg.scheduled, deadline, &id);
        self.note(id, &mut leg);
        self.tags.insert(leg.dialog.local_tag, id);
        self.leg_flows.insert((leg.dialog.flow, id));
        self.legs.insert(id, leg);
    }

    /// A leg is over: nothing of it stays but what its transactions still have to absorb.
    fn end_leg(&mut self, now: Time, id: LegId, leg: &mut Leg) {
        leg.state = State::Over;
        self.note_over(id, leg);
        self.tags.remove(&leg.dialog.local_tag);
        self.lost_legs.remove(&id);
        if let Some(trunk) = leg.trunk {
            self.budgets.ended(trunk);
        }
        self.leg_timers.reset(&mut leg.scheduled, None, &id);
        if let Some(probe) = leg.probe {
            self.table.forget(probe);
        }
        if let Reoffer::Sent { tx, .. } = &leg.reoffer {
            self.table.orphan(now, *tx);
        }
        // "The UAS MUST still respond to any pending requests received for that dialog. It is RECOMMENDED that a 487
        // (Request Terminated) response be generated to those pending requests" (§15.1.2).
        if let Renewal::Pending { tx, head, .. } = &leg.renewal {
            self.answer_terminated(now, *tx, head);
        }
    }

    /// A connection is gone, or packets cannot be sent.
    fn lose_flow(&mut self, now: Time, flow: Flow) {
        for failure in self.fail_flow(now, flow) {
            self.failed(now, failure);
        }
        if flow.transport == Transport::Udp {
            return;
        }
        let operators: BTreeSet<OperatorId> = self.unbind_flow(now, flow).into_iter().collect();
        let operators = Arc::new(operators);
        let on_flow = self.leg_flows.range((flow, LegId(0))..=(flow, LegId(u64::MAX)));
        let losing = on_flow.map(|(_, leg)| Losing {
            leg: *leg,
            flow,
            operators: Arc::clone(&operators),
        });
        self.losing.extend(losing.map(|losing| (now, losing)));
        let mut left = DUE_AT_ONCE;
        self.lose_some(now, &mut left);
    }

    /// Deals with as many legs that lost their connection as are `left`: a trunk may have thousands on one.
    fn lose_some(&mut self, now: Time, left: &mut usize) {
        while *left > 0
            && let Some((_, losing)) = self.losing.pop_front()
        {
            *left -= 1;
            self.with_leg(losing.leg, |endpoint, leg| {
                endpoint.lose_connection(now, leg, losing)
            });
        }
    }

    fn lose_connection(&mut self, now: Time, leg: &mut Leg, losing: Losing) {
        let (id, flow) = (losing.leg, losing.flow);
        if leg.dialog.flow != flow {
            // It has been found again meanwhile.
            return;
        }
        if let State::Incoming(incoming) = &leg.state {
            self.table.abandon(incoming.invite);
            self.end_leg(now, id, leg);
            return self.tell(Event::Ended {
                leg: id,
                by: EndedBy::FlowClosed,
            });
        }
        // A dialog outlives its connection: later requests open one to the peer's Contact, where that can be done.
        if flow.transport.is_dialled()
            && let Some(flow) = self.flow_to(&leg.dialog.target, flow.transport)
        {
            leg.dialog.flow = flow;
        } else if !losing.operators.is_empty() {
            self.lost_legs.insert(id, losing.operators);
        }
    }
}
