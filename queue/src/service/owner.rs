//! The one task that owns the engine: the order in which it takes things is the order of truth.
//!
//! ```text
//!   EngineHandle ─EngineRequest─► [ owner: engine ] ──facts──► store ──durable──┐
//!                    │  gate ◄─────────────────────────────────┘
//!                    └─► links, replies: when the facts behind them are durable
//! ```

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use pronto_clock::Clock;
use pronto_engine::{Engine, Gate, Input, Output, RequestId, SetOperatorError};
use pronto_proto::link as wire;
use pronto_store::{AppendError, Batch, Health, Person, Store, StoreFile};
use pronto_types::link::{Caller, Event};
use pronto_types::{ContactId, DisplayName, GatewayName, PhoneNumber};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::MissedTickBehavior;

use super::StopError;
use super::caller_secret::CallerSecret;
use super::diary::Diary;
use super::handle::{EngineRequest, QueryAnswer};
use super::links::Links;
use super::meters::Meters;
use super::readiness::{Readiness, Ready};
use super::requests::{Answer, Begun, Reply, Requests, Wish};
use super::status;

/// Outputs, answers and facts that wait for the store, each: beyond it nothing new is taken.
const UNDURABLE: usize = 8_192;
/// Requests that are answered together: their facts are one batch for the store.
const TOGETHER: usize = 64;
/// How often the wall clock is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// A ledger this far ahead of the wall clock at the start is warned of.
const AHEAD: Duration = Duration::from_secs(2);

/// The latest reports of the store.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    /// Facts up to here are durable.
    pub(super) durable: u64,
    /// How the store stands.
    pub(super) health: Health,
    /// A commit failed, with this error.
    pub(super) failed: Option<String>,
}

pub(super) struct Owner {
    engine: Engine,
    gate: Gate,
    clock: Clock,
    store: Arc<dyn Store>,
    secret: CallerSecret,
    links: Links,
    requests: Requests,
    /// Facts that the store has not been given yet.
    batch: Batch,
    /// Results of views that are not durable yet, each with the newest fact at that moment.
    seen: VecDeque<(u64, QueryAnswer)>,
    durable: u64,
    health: Health,
    meters: Meters,
    diary: Diary,
}

impl Owner {
    /// Takes over a ledger that `engine` has folded.
    pub(super) fn new(engine: Engine, store: Arc<dyn Store>, secret: CallerSecret) -> Self {
        let last = engine.last_seq();
        let (newest, offset) = (engine.last_at(), engine.state().wall().offset());
        let clock = Clock::start(newest, offset);
        let meters = Meters::new(&engine);
        let ahead = clock.ahead(newest, offset);
        if ahead > AHEAD {
            tracing::warn!(
                "the newest fact of the ledger is dated {} s after this machine's clock: is the clock right? Order and waits go \
                 on; what is recorded from now on is dated by the clock as it is",
                ahead.as_secs()
            );
        }
        Owner {
            gate: Gate::new(last, UNDURABLE),
            clock,
            engine,
            store,
            secret,
            links: Links::default(),
            requests: Requests::default(),
            batch: Batch::default(),
            seen: VecDeque::new(),
            durable: last,
            health: Health::Sound,
            meters,
            diary: Diary::default(),
        }
    }

    /// Hands an input to the engine and the facts that follow to the store. Releases outputs once their facts are
    /// durable.
    pub(super) fn take(&mut self, input: Input) -> Result<(), StopError> {
        self.input(input);
        self.hand_over()
    }

    fn input(&mut self, input: Input) {
        self.engine.handle_input(self.clock.now(), input);
        self.drain(None);
    }

    /// Records where the wall clock stands, if it is elsewhere than the ledger says.
    pub(super) fn look_at_the_clock(&mut self) -> Result<(), StopError> {
        let Some(offset) = self.clock.look() else {
            return Ok(());
        };
        let by = offset.saturating_sub(self.engine.state().wall().offset()) / 1_000_000;
        if by != 0 && self.engine.last_seq() > 0 {
            tracing::warn!(
                "the wall clock has been set by {by:+} s, or the machine was suspended: waits and order go on, new records are \
                 dated by it"
            );
        }
        self.take(Input::ClockSet { offset })
    }

    /// Until told to stop (everything taken is then durable), or until the store fails or can write nothing for now.
    pub(super) async fn run(
        mut self,
        asks: &mut mpsc::Receiver<EngineRequest>,
        disk: &mut watch::Receiver<Disk>,
        stop: &mut oneshot::Receiver<()>,
        readiness: &Readiness,
    ) -> Result<(), StopError> {
        let mut stopping = false;
        // What the store said while it was opened has been said.
        disk.mark_changed();
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !(stopping && self.gate.is_settled()) {
            let timeout = self.engine.poll_timeout().map(|at| self.clock.instant(at));
            let (refresh, room) = (self.meters.due(), !stopping && !self.is_full());
            tokio::select! {
                changed = disk.changed() => match changed {
                    Ok(()) => {
                        let said = disk.borrow_and_update().clone();
                        if self.admission(said.health) {
                            readiness.set(ready(self.health)).await;
                        }
                        if said.health == Health::Stalled {
                            return self.let_go(stopping).await;
                        }
                        self.heard(said)?;
                    }
                    Err(_) => return Err(StopError::Store("its writer has gone".to_owned())),
                },
                // Sent, or dropped with the service.
                _ = &mut *stop, if !stopping => stopping = true,
                () = until(timeout), if !stopping => {
                    self.engine.handle_timeout(self.clock.now());
                    self.drain(None);
                    self.hand_over()?;
                }
                _ = looks.tick(), if room => self.look_at_the_clock()?,
                () = until(refresh) => self.meters.refresh(&self.engine, self.links.len()),
                ask = asks.recv(), if room => match ask {
                    Some(ask) => self.answer_all(ask, asks)?,
                    None => stopping = true,
                },
            }
        }
        self.links.close(status::unavailable);
        self.close().await
    }

    /// Tells the gateways when the store takes nobody new, and when it does again. False if nothing has changed.
    fn admission(&mut self, health: Health) -> bool {
        let before = std::mem::replace(&mut self.health, health);
        if before.admits() != health.admits() {
            self.links.admit(health.admits());
        }
        before != health
    }

    /// The store can write nothing for now. What is not durable was told to nobody: it is dropped, the links with it,
    /// and gateways send it once more to the next owner.
    async fn let_go(mut self, stopping: bool) -> Result<(), StopError> {
        self.links.close(status::no_room);
        match self.close().await {
            // There was room after all.
            Ok(()) if stopping => Ok(()),
            Err(StopError::Crashed) => Err(StopError::Crashed),
            Err(error) if stopping => Err(error),
            Ok(()) | Err(_) => Err(StopError::Stalled("there is no room, or it is locked".to_owned())),
        }
    }

    /// Closes the ledger, and forgets everything else.
    pub(super) async fn close(self) -> Result<(), StopError> {
        let store = Arc::clone(&self.store);
        drop(self);
        let closed = tokio::task::spawn_blocking(move || store.close()).await;
        closed
            .map_err(|_| StopError::Crashed)?
            .map_err(|error| StopError::Store(error.to_string()))
    }

    /// The newest fact that is durable.
    pub(super) fn durable(&self) -> u64 {
        self.durable
    }

    /// The file of the ledger.
    pub(super) fn file(&self) -> Option<StoreFile> {
        self.store.file()
    }

    /// Whether the store is so far behind that nothing new is taken.
    fn is_full(&self) -> bool {
        let facts = self.engine.last_seq().saturating_sub(self.durable);
        self.gate.is_full() || self.seen.len() >= UNDURABLE || facts >= UNDURABLE as u64
    }

    fn heard(&mut self, disk: Disk) -> Result<(), StopError> {
        if let Some(error) = disk.failed {
            return Err(StopError::Store(error));
        }
        self.durable = self.durable.max(disk.durable);
        self.meters.durable(self.durable);
        self.gate.durable(self.durable);
        self.hand_over()
    }

    /// Answers a request and those that have come with it. Their facts cost one commit.
    fn answer_all(
        &mut self,
        first: EngineRequest,
        more: &mut mpsc::Receiver<EngineRequest>,
    ) -> Result<(), StopError> {
        self.answer(first);
        for _ in 1..TOGETHER {
            if self.is_full() {
                break;
            }
            let Ok(ask) = more.try_recv() else { break };
            self.answer(ask);
        }
        self.hand_over()
    }

    fn answer(&mut self, ask: EngineRequest) {
        match ask {
            EngineRequest::Attach {
                candidate,
                last,
                forecasts,
            } => {
                let (gateway, epoch) = (candidate.gateway.clone(), candidate.epoch);
                let instance = candidate.instance;
                if !self.links.greet(candidate) {
                    return;
                }
                let attached = Input::Attached {
                    gateway: gateway.clone(),
                    epoch,
                    last,
                    instance,
                };
                self.input(attached);
                let queues = forecasts.into_iter().collect();
                self.input(Input::Follow {
                    gateway,
                    epoch,
                    queues,
                });
            }
            EngineRequest::Entry {
                gateway,
                epoch,
                entry,
            } => self.enter(gateway, epoch, entry),
            EngineRequest::Ended { gateway, id, fault } => {
                if let Some(epoch) = self.links.ended(&gateway, id, fault) {
                    self.lost(gateway, epoch);
                }
            }
            EngineRequest::SetOperator { wish, id, reply } => self.set_operator(wish, id, reply),
            EngineRequest::EngineQuery(look) => {
                let told = look(&self.engine, self.clock.now());
                self.seen.push_back((self.engine.last_seq(), told));
            }
        }
    }

    /// An entry of a journal. Number and name go no further than the side table.
    fn enter(&mut self, gateway: GatewayName, epoch: u64, entry: wire::Entry) {
        let wire::Entry {
            number,
            age,
            mut event,
        } = entry;
        let joins = matches!(event, Event::Joined { .. });
        let (person, caller_number) = match event.caller_mut() {
            Some((contact, caller)) => {
                let caller = std::mem::take(caller);
                (person(contact, &caller), caller.number)
            }
            None => (None, None),
        };
        let caller_key = caller_number
            .filter(|_| joins)
            .and_then(|number| self.secret.key(&number));
        let input = Input::Entry {
            gateway,
            epoch,
            number,
            age,
            event,
            caller_key,
        };
        self.engine.handle_input(self.clock.now(), input);
        self.drain(person);
    }

    fn set_operator(&mut self, wish: Wish, id: String, reply: Reply) {
        let Begun::New(request) = self.requests.begin(id, wish.clone(), reply) else {
            return;
        };
        let Wish { operator, wanted } = wish;
        self.input(Input::SetOperator {
            request,
            operator,
            wanted,
        });
    }

    /// A link is gone, for whatever reason.
    fn lost(&mut self, gateway: GatewayName, epoch: u64) {
        self.meters.touch();
        if self.links.is_greeted(&gateway) {
            return;
        }
        tracing::debug!(%gateway, epoch, "detached");
        self.input(Input::Detached { gateway, epoch });
    }

    /// Takes everything out of the engine, with the person whom the facts concern if the entry was taken.
    fn drain(&mut self, person: Option<Person>) {
        let mut taken = false;
        while let Some(output) = self.engine.poll_output() {
            if let Output::Reply { request, result } = &output {
                let answer = self.decision(*request, *result);
                self.requests.decided(*request, answer);
            }
            self.batch.urgent |= !matches!(output, Output::Fact(_) | Output::Acknowledge { .. });
            if let Some(recorded) = self.gate.push(output) {
                taken |= recorded.cause.is_some();
                self.meters.recorded(&recorded, &self.engine);
                self.diary.recorded(&recorded);
                self.batch.records.push(super::log::record(&recorded));
            }
        }
        self.batch.people.extend(person.filter(|_| taken));
    }

    /// Hands the facts to the store as one batch, and does what may be done.
    fn hand_over(&mut self) -> Result<(), StopError> {
        loop {
            if let Some(last) = self.batch.records.last() {
                let newest = last.seq;
                // Never full: fewer facts are on their way than the store has room for.
                self.store
                    .append(std::mem::take(&mut self.batch))
                    .map_err(|error: AppendError| StopError::Store(error.to_string()))?;
                self.meters.handed_over(newest);
                self.meters.touch();
            }
            // Nor does what waits without a fact of its own make the next batch urgent.
            self.batch.urgent = false;
            self.release()?;
            // A link that takes nothing any more is detached, which is a fact.
            if self.batch.records.is_empty() {
                return Ok(());
            }
        }
    }

    /// How the operator stands after the engine's decision.
    fn decision(&self, request: RequestId, result: Result<(), SetOperatorError>) -> Answer {
        let view = self
            .requests
            .operator(request)
            .and_then(|operator| self.engine.operator(operator));
        match (result, view) {
            (Ok(()), Some(view)) => Answer::Done(Box::new(view), self.clock.now()),
            (Ok(()), None) => Answer::Refused(SetOperatorError::Unknown),
            (Err(error), _) => Answer::Refused(error),
        }
    }

    /// Does what may be done.
    fn release(&mut self) -> Result<(), StopError> {
        let mut broken = Vec::new();
        let mut acknowledged: Option<(GatewayName, u64, u64)> = None;
        while let Some(output) = self.gate.poll() {
            // Of acknowledgements in a row to one gateway the last says all.
            if let Some((to, epoch, number)) = acknowledged.take() {
                match &output {
                    Output::Acknowledge {
                        gateway, epoch: same, ..
                    } if *gateway == to && *same == epoch => {}
                    _ => self.send(&to, epoch, wire::acknowledged(number), &mut broken),
                }
            }
            match output {
                Output::Welcome { have, .. } => {
                    self.links.welcome(wire::welcome(have));
                    self.meters.touch();
                }
                Output::Refuse { reason, .. } => self.links.refuse(reason),
                Output::Directive {
                    gateway,
                    epoch,
                    directive,
                } => {
                    self.send(&gateway, epoch, wire::directive(&directive), &mut broken);
                }
                Output::Acknowledge {
                    gateway,
                    epoch,
                    number,
                } => acknowledged = Some((gateway, epoch, number)),
                Output::Reply { request, .. } => self.requests.durable(request),
                Output::ConfigurationRefused(error) => return Err(StopError::Configuration(error)),
                // The gate hands facts back and holds none.
                Output::Fact(_) => {}
            }
        }
        if let Some((to, epoch, number)) = acknowledged {
            self.send(&to, epoch, wire::acknowledged(number), &mut broken);
        }
        while let Some((_, told)) = self.seen.pop_front_if(|(needed, _)| *needed <= self.durable) {
            told();
        }
        for (gateway, epoch) in broken {
            self.lost(gateway, epoch);
        }
        Ok(())
    }

    fn send(
        &mut self,
        gateway: &GatewayName,
        epoch: u64,
        message: pronto_proto::v1::QueueMessage,
        broken: &mut Vec<(GatewayName, u64)>,
    ) {
        if !self.links.send(gateway, epoch, message) {
            broken.push((gateway.clone(), epoch));
        }
    }
}

/// How far the service is ready while its store stands so.
pub(super) fn ready(health: Health) -> Ready {
    match health {
        Health::Sound => Ready::Always,
        Health::Tight => Ready::Here,
        Health::Stalled => Ready::Never,
    }
}

/// At the deadline, or never.
async fn until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// For the side table, if anything was told.
fn person(contact: ContactId, caller: &Caller) -> Option<Person> {
    if caller.number.is_none() && caller.name.is_none() {
        return None;
    }
    let number = caller.number.as_ref().map(PhoneNumber::reveal);
    let name = caller.name.as_ref().map(DisplayName::reveal);
    let text = |told: Option<&str>| told.unwrap_or_default().to_owned();
    Some(Person {
        contact: contact.0,
        number: text(number),
        name: text(name),
    })
}

#[cfg(test)]
mod tests;
