//! The gateway's core: calls, from the INVITE to the call record.
//!
//! Pure: it is told what the sockets, the media threads and the queue said, and answers with what to do. One
//! instance, owned by one task: the order of its inputs is the order of truth. RTP never passes through it.
//!
//! ```text
//!  caller's INVITE ─ media opened ─ 200 ─ ACK ─┬─ flow: play, digits ─┬─ enqueue ─ waiting ─ offered ─ talking
//!  (answering.rs)                              │  (caller.rs)          │  (waiting.rs) (offering.rs) (bridge.rs, recording.rs)
//!                                              └──── flow: hang up ────┴──────────── record (ending.rs)
//! ```
//!
//! A leg is one dialog and its media (leg.rs). Whoever is called is dialled by one machine (dial.rs) and connected by another
//! (bridge.rs), be it for an offer of the queue (offering.rs) or for a colleague who dials (colleague.rs).

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod announcing;
mod answering;
mod bridge;
mod caller;
mod colleague;
mod contract;
mod dial;
mod ending;
mod epoch;
mod forecasts;
mod leg;
mod moving;
mod negotiate;
mod offering;
mod orphans;
mod parting;
mod queue_link;
mod recording;
mod silence;
mod state;
#[cfg(test)]
mod tests;
mod waiting;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use pronto_media as media;
use pronto_sip as sip;
use pronto_types::link::Event;
use pronto_types::{CallId, Deadlines, Forecast, OfferId, OperatorId, QueueName, TicketId, Time};
use rand_chacha::ChaCha12Rng;

use crate::Settings;
use crate::journal::Journal;
pub use contract::{Counts, Input, Log, Output};
use dial::Report;
pub use epoch::Closed;
use epoch::Link;
use orphans::Orphans;
use parting::{PendingCancel, RungFor};
use state::{Call, CallState, Purpose};

/// Journal entries the queue has not acknowledged, at which new calls are refused.
const MAX_BACKLOG: usize = 50_000;

/// Calls, operators and deadlines that one step works on, where there may be thousands: whoever waits for the core waits
/// for no more.
const AT_ONCE: usize = 16;

/// The core. See the module's page.
pub struct Gateway {
    settings: Arc<Settings>,
    sip: sip::Endpoint,
    rng: ChaCha12Rng,
    journal: Journal,
    calls: BTreeMap<CallId, Box<Call>>,
    /// The call of each SIP leg, be it the caller's or an operator's.
    sip_legs: BTreeMap<sip::LegId, CallId>,
    /// The call of each media leg.
    media_legs: BTreeMap<media::LegId, CallId>,
    tickets: BTreeMap<TicketId, CallId>,
    offers: BTreeMap<OfferId, CallId>,
    /// Operators whose presence changed while the journal was full, or faster than it is written.
    unsaid: BTreeSet<OperatorId>,
    /// How many more changes of presence are written in this step.
    presences: usize,
    /// Operators who ring, talk or call, and in how many parts.
    engaged: BTreeMap<OperatorId, u32>,
    /// Talks whose recordings are not finished; they may outlive the call.
    recordings: BTreeSet<TicketId>,
    /// Operators whose phones are being silenced; they outlive the call they were for.
    parting: BTreeMap<RungFor, PendingCancel>,
    /// The SIP legs of the phones being silenced.
    parting_legs: BTreeMap<sip::LegId, RungFor>,
    /// Dialogs of a crashed predecessor.
    orphans: Orphans,
    /// Our journal is on the disk up to this entry.
    durable: u64,
    /// Calls that may be answered once their first entry is on the disk, by that entry.
    unwritten: BTreeMap<u64, CallId>,
    /// Until when they are waited for, earliest first.
    parting_timers: Deadlines<RungFor>,
    /// Deadlines of calls, earliest first.
    timers: Deadlines<CallId>,
    next_call: u64,
    next_media_leg: u64,
    /// The plays begun so far: the last one's number.
    plays: u64,
    /// The queues whose forecasts flows ask for.
    asked: BTreeSet<QueueName>,
    /// Those that are known, and when they were told.
    forecasts: BTreeMap<QueueName, (Forecast, Time)>,
    draining: bool,
    /// Logs without room for new calls.
    full: BTreeSet<Log>,
    /// The journal cannot be written, for now or for good.
    journal_fails: bool,
    /// The queue service will not come back.
    queue_stopped: bool,
    /// Every call is being ended, some in each step.
    ending: bool,
    /// Calls that a crashed predecessor left open and that have no record yet.
    lost: BTreeSet<CallId>,
    /// When the core last stopped in the middle of work that is too much for one step.
    unfinished: Option<Time>,
    /// The journal cannot be written: calls that are not in it are refused, some in each step.
    unwritable: bool,
    link: Link,
    /// The queue has another journal of this epoch.
    wants_epoch: bool,
    next_foreign: u64,
    /// Operators with a phone that is registered.
    reachable: BTreeSet<OperatorId>,
    begun: u64,
    ended: u64,
    refused: u64,
    outputs: VecDeque<Output>,
}

impl Gateway {
    /// A gateway with no calls. `rng` is seeded by the operating system in production, by the test in worlds.
    pub fn new(settings: Arc<Settings>, sip: sip::Endpoint, rng: ChaCha12Rng) -> Self {
        Gateway {
            asked: settings.forecasts(),
            forecasts: BTreeMap::new(),
            settings,
            sip,
            rng,
            journal: Journal::default(),
            calls: BTreeMap::new(),
            sip_legs: BTreeMap::new(),
            media_legs: BTreeMap::new(),
            tickets: BTreeMap::new(),
            offers: BTreeMap::new(),
            unsaid: BTreeSet::new(),
            presences: AT_ONCE,
            engaged: BTreeMap::new(),
            recordings: BTreeSet::new(),
            parting: BTreeMap::new(),
            parting_legs: BTreeMap::new(),
            orphans: Orphans::default(),
            durable: 0,
            unwritten: BTreeMap::new(),
            parting_timers: Deadlines::default(),
            timers: Deadlines::default(),
            next_call: 0,
            next_media_leg: 1,
            plays: 0,
            draining: false,
            full: BTreeSet::new(),
            journal_fails: false,
            queue_stopped: false,
            ending: false,
            lost: BTreeSet::new(),
            unfinished: None,
            unwritable: false,
            link: Link::Never,
            wants_epoch: false,
            next_foreign: 0,
            reachable: BTreeSet::new(),
            begun: 0,
            ended: 0,
            refused: 0,
            outputs: VecDeque::new(),
        }
    }

    /// A fact arrived.
    pub fn handle_input(&mut self, now: Time, input: Input) {
        match input {
            Input::Sip(input) => self.sip.handle_input(now, input),
            Input::Media(event) => self.media_event(now, event),
            Input::Attached { have } => self.attached(now, have),
            Input::Detached => self.detached(now),
            Input::Refused => self.link_refused(),
            Input::NewEpoch => self.begin_epoch(now),
            Input::Acknowledged { number } => {
                let joined = self.journal.acknowledge(number);
                self.known(now, joined);
            }
            Input::Durable { number } => self.durable = self.durable.max(number),
            Input::Directive(directive) => self.directive(now, directive),
            Input::Recovered(calls) => self.lost.extend(calls),
            Input::Orphans(left) => self.orphaned(now, left),
            Input::Recorded(kept) => self.recorded(now, kept),
            Input::Admission { log, open: false } => drop(self.full.insert(log)),
            Input::Admission { log, open: true } => {
                self.full.remove(&log);
                self.journal_fails &= log != Log::Journal;
            }
            Input::Unwritable => (self.journal_fails, self.unwritable) = (true, true),
            Input::QueueStopped => self.queue_stopped(now),
            Input::Drain => {
                self.draining = true;
                self.sip.drain(true);
            }
            Input::HangUpAll => self.ending = true,
        }
        self.settle(now);
    }

    /// A deadline passed.
    pub fn handle_timeout(&mut self, now: Time) {
        self.sip.handle_timeout(now);
        for _ in 0..AT_ONCE {
            let Some((_, id)) = self.timers.pop_due(now) else {
                break;
            };
            self.with_call(now, id, |gateway, call| {
                call.timer = None;
                gateway.call_deadline(now, call);
            });
        }
        self.parting_deadlines(now);
        self.orphans_due(now);
        self.settle(now);
    }

    /// Takes the next output; drain to `None` after every `handle_*`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub fn poll_timeout(&self) -> Option<Time> {
        let own = [
            self.timers.first(),
            self.parting_timers.first(),
            self.orphans.due,
            self.unfinished,
        ];
        [self.sip.poll_timeout()].into_iter().chain(own).flatten().min()
    }

    /// How much is going on.
    pub fn counts(&self) -> Counts {
        Counts {
            calls: self.calls.len(),
            parting: self.parting.len(),
            backlog: self.journal.backlog(),
            begun: self.begun,
            ended: self.ended,
            refused: self.refused,
            orphans: self.orphans.left.len(),
            unreached: self.orphans.unreached,
        }
    }

    /// The SIP endpoint, to look at.
    pub fn sip(&self) -> &sip::Endpoint {
        &self.sip
    }

    /// Takes the notices of exceeded limits since the last call, and how often each occurred.
    pub fn take_notices(&mut self) -> BTreeMap<sip::Notice, u64> {
        self.sip.take_notices()
    }

    /// The SIP endpoint's own counts.
    pub fn sip_counts(&self) -> sip::Counts {
        self.sip.counts()
    }

    /// Whether it was asked to finish.
    pub fn is_draining(&self) -> bool {
        self.draining
    }

    /// Draining, and no call is left.
    pub fn drained(&self) -> bool {
        self.draining && self.calls.is_empty()
    }

    /// Nobody is left to be told anything: every phone has confirmed its BYE, every recording is on the books, the queue
    /// has the whole journal.
    pub fn settled(&self) -> bool {
        // In this order: it is asked at every step, and counting what is registered is dear.
        let told = || self.parting.is_empty() && self.recordings.is_empty() && self.lost.is_empty();
        self.drained() && told() && self.journal.backlog() == 0 && self.sip.counts().dialogs == 0
    }

    /// The oldest journal entry that a caller's answer waits for: [`Input::Durable`] is wanted as soon as it is on the disk.
    pub fn awaits(&self) -> Option<u64> {
        self.unwritten.first_key_value().map(|(entry, _)| *entry)
    }

    /// The number of the newest journal entry.
    pub fn last_entry(&self) -> u64 {
        self.journal.last()
    }

    /// Drains the SIP endpoint into our own outputs and hands its events to the calls.
    fn settle(&mut self, now: Time) {
        self.go_on(now);
        loop {
            self.tell_dialogs();
            let Some(output) = self.sip.poll_output() else {
                break;
            };
            match output {
                sip::Output::Transmit { flow, bytes } => {
                    self.outputs.push_back(Output::Transmit { flow, bytes })
                }
                sip::Output::Event(event) => self.sip_event(now, event),
            }
        }
        while let Some(entry) = self.journal.next_to_send() {
            self.outputs.push_back(Output::Entry(entry));
        }
        let unsaid = !self.unsaid.is_empty() && self.journal.backlog() < MAX_BACKLOG;
        let calls = self.ending || self.unwritable || self.can_answer();
        let more = calls || !self.lost.is_empty() || unsaid;
        self.unfinished = more.then_some(now);
    }

    /// Goes on with what is too much for one step.
    fn go_on(&mut self, now: Time) {
        if self.ending {
            self.hang_up_some(now);
        }
        self.record_some_lost(now);
        self.answer_some_durable(now);
        if self.unwritable {
            self.refuse_some_unwritten(now);
        }
        self.presences = AT_ONCE;
        while self.presences > 0 && self.journal.backlog() < MAX_BACKLOG {
            self.presences -= 1;
            let Some(operator) = self.unsaid.pop_first() else {
                break;
            };
            let bindings = self.sip.bindings(&operator);
            let lease = bindings.map(|binding| binding.expires.since(now)).max();
            self.write(now, Event::Presence { operator, lease });
        }
    }

    fn sip_event(&mut self, now: Time, event: sip::Event) {
        match event {
            sip::Event::Invite(invite) => self.invited(now, invite),
            sip::Event::Binding { operator, expires } => {
                match expires {
                    Some(_) => self.reachable.insert(operator.clone()),
                    None => self.reachable.remove(&operator),
                };
                let lease = expires.map(|at| at.since(now));
                if self.journal.backlog() >= MAX_BACKLOG || self.presences == 0 {
                    // The queue has been away for long, or thousands of phones were on one connection that is gone: the
                    // queue will hear the newest word when there is room.
                    self.unsaid.insert(operator);
                } else {
                    self.unsaid.remove(&operator);
                    self.presences -= 1;
                    self.write(now, Event::Presence { operator, lease });
                }
            }
            sip::Event::BodyRefused { source, refusal } => self.note_refusal(source.ip(), &refusal),
            sip::Event::Registered { .. } | sip::Event::RegistrationFailed { .. } => {}
            event => {
                let Some(leg) = event.leg() else { return };
                if self.parting_legs.contains_key(&leg) {
                    self.parting_event(now, leg, &event);
                } else if let Some(&id) = self.sip_legs.get(&leg) {
                    self.with_call(now, id, |gateway, call| gateway.leg_event(now, call, leg, event));
                }
            }
        }
    }

    fn leg_event(&mut self, now: Time, call: &mut Call, leg: sip::LegId, event: sip::Event) {
        if let sip::Event::Moved { ip, .. } = event {
            self.phone_moved(call, leg, ip);
        } else if call.caller.leg.sip == leg {
            self.caller_event(now, call, event);
        } else if let CallState::Dialling(_, dial) = &mut call.state {
            if let Some(report) = self.dial_event(now, dial, leg, event) {
                self.dial_reports(now, call, report);
            }
        } else {
            self.bridge_event(now, call, event);
        }
    }

    fn media_event(&mut self, now: Time, event: media::Event) {
        let leg = media_leg(&event);
        if let Some(&id) = self.media_legs.get(&leg) {
            self.with_call(now, id, |gateway, call| {
                if call.caller.leg.media == leg {
                    gateway.caller_media(now, call, event);
                } else if let CallState::Dialling(_, dial) = &mut call.state {
                    if let Some(report) = gateway.dial_media(now, dial, &event) {
                        gateway.dial_reports(now, call, report);
                    }
                } else {
                    gateway.bridge_media(now, call, &event);
                }
            });
        }
    }

    /// Takes the news of a dialling. A phone that answers is connected, whoever dialled; the rest depends on the purpose.
    fn dial_reports(&mut self, now: Time, call: &mut Call, report: Report) {
        let CallState::Dialling(purpose, _) = &call.state else {
            return;
        };
        match (report, purpose) {
            (Report::Answered(leg), _) => self.connect(now, call, leg),
            (Report::Ringing, Purpose::Offer(offer)) => {
                let offer = offer.id;
                self.write(now, Event::Ringing { offer });
            }
            // The caller hears ringing since our own port is open.
            (Report::Ringing, Purpose::Colleague) => {}
            (Report::Failed(failure), Purpose::Offer(_)) => self.offer_failed(now, call, failure.reason),
            (Report::Failed(failure), Purpose::Colleague) => self.nobody_answers(now, call, failure.status),
        }
    }

    /// Takes the call out of its table for the time of one step, so that the step may use the rest of the gateway;
    /// then runs its flow on, keeps its timer true, and buries it if it is over.
    fn with_call(&mut self, now: Time, id: CallId, step: impl FnOnce(&mut Self, &mut Call)) {
        let Some(mut call) = self.calls.remove(&id) else {
            return;
        };
        step(self, &mut call);
        self.run_flow(now, &mut call);
        if call.over() {
            self.timers.reset(&mut call.timer, None, &id);
            self.ended += 1;
            return;
        }
        call.listens(now);
        let deadline = call.deadline();
        self.timers.reset(&mut call.timer, deadline, &id);
        self.calls.insert(id, call);
    }

    /// Writes a line of the journal: to the store at once, to the queue when the link is up.
    fn write(&mut self, at: Time, event: Event) {
        if epoch::is_foreign(&event) {
            return;
        }
        let entry = self.journal.write(at, event);
        self.outputs.push_back(Output::Record(entry));
    }

    fn command(&mut self, command: media::Command) {
        self.outputs.push_back(Output::Media(command));
    }
}

fn media_leg(event: &media::Event) -> media::LegId {
    use media::Event as E;
    match event {
        E::Opened { leg, .. }
        | E::OpenFailed { leg, .. }
        | E::Digit { leg, .. }
        | E::Finished { leg, .. }
        | E::Stalled { leg, .. }
        | E::Resumed { leg }
        | E::Closed { leg, .. } => *leg,
    }
}
