//! The engine: the state, and the decisions taken on it. Decisions read the state and emit facts through
//! [`Engine::record`], which applies them; nothing else writes.

mod announcing;
mod calls;
mod check;
mod grants;
mod links;
mod matching;
mod operators;
mod outlook;
mod overflow;
#[cfg(test)]
mod tests;
mod untold;
mod views;

use std::collections::{BTreeSet, VecDeque};

use pronto_types::link::{Directive, ExitReason};
use pronto_types::{GatewayName, OfferId, TicketId, Time};

use crate::api::{Input, Output};
use crate::fact::{Cause, Fact, LedgerEntry, NoteReason};
use crate::state::{Phase, State, Timer};
use crate::{Configuration, ConfigurationError};
use announcing::Agenda;
use outlook::Outlook;
use overflow::Overflows;
use untold::Untold;

/// The call-queue engine, which decides who gets the next call. See the crate's page for the contract.
#[derive(Clone, Debug, Default)]
pub struct Engine {
    state: State,
    now: Time,
    /// The entry being taken, for the facts it causes.
    cause: Option<Cause>,
    agenda: Agenda,
    /// Tickets never told anything because nothing could be said, until their next time.
    mute: BTreeSet<TicketId>,
    untold: Untold,
    outlook: Outlook,
    overflows: Overflows,
    facts: VecDeque<LedgerEntry>,
    effects: VecDeque<Output>,
}

impl Engine {
    /// An engine with an empty ledger.
    pub fn new() -> Self {
        Engine::default()
    }

    /// The engine that wrote these facts, as it was after the last of them. They come in order, from the first.
    pub fn fold(facts: impl IntoIterator<Item = LedgerEntry>) -> Self {
        Engine::new().replay(facts)
    }

    /// Goes on folding: for a ledger read in pieces.
    #[must_use]
    pub fn replay(mut self, facts: impl IntoIterator<Item = LedgerEntry>) -> Self {
        for recorded in facts {
            self.state.apply(&recorded);
        }
        self.now = self.state.last_at;
        self.overflows = Overflows::of(&self.state.configuration);
        self.schedule_all();
        self
    }

    /// Something happened at `now` (a `now` before the last one counts as the last one).
    pub fn handle_input(&mut self, now: Time, input: Input) {
        self.now = self.now.max(now);
        match input {
            Input::Configure(configuration) => self.configure(configuration),
            Input::Started => self.start(),
            Input::ClockSet { offset } => return self.clock_set(offset),
            Input::Attached {
                gateway,
                epoch,
                last,
                instance,
            } => self.attach(gateway, (epoch, instance), last),
            Input::ResetGateway { gateway } => self.reset(&gateway),
            Input::Follow {
                gateway,
                epoch,
                queues,
            } => self.follow(gateway, epoch, queues),
            Input::Detached { gateway, epoch } => self.detach(&gateway, epoch),
            Input::Entry {
                gateway,
                epoch,
                number,
                age,
                event,
                caller_key,
            } => {
                self.cause = Some(Cause {
                    gateway,
                    epoch,
                    number,
                });
                self.take_entry(age, event, caller_key);
                self.cause = None;
            }
            Input::SetOperator {
                request,
                operator,
                wanted,
            } => {
                let result = self.set_operator(&operator, wanted);
                self.effects.push_back(Output::Reply { request, result });
            }
        }
        self.conclude();
    }

    /// A deadline has passed.
    pub fn handle_timeout(&mut self, now: Time) {
        self.now = self.now.max(now);
        self.conclude();
    }

    /// The next thing to do; drain to `None` after every `handle_*`. Facts come first, and all facts of one drain
    /// are one transaction.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.facts
            .pop_front()
            .map(Output::Fact)
            .or_else(|| self.effects.pop_front())
    }

    /// When to call [`Engine::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Time> {
        let deadline = self.state.index.timers.first();
        let own = [self.agenda.first(), self.outlook_due(), self.overflow_due()];
        [deadline].into_iter().chain(own).flatten().min()
    }

    /// The newest fact folded or recorded; 0 before the first.
    pub fn last_seq(&self) -> u64 {
        self.state.last_seq
    }

    /// The time of that fact: a shell's clock starts no earlier.
    pub fn last_at(&self) -> Time {
        self.state.last_at
    }

    /// The state, to compare with another's.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The configuration in force.
    pub fn configuration(&self) -> &Configuration {
        &self.state.configuration
    }

    /// The only way a decision becomes true.
    fn record(&mut self, fact: Fact) -> u64 {
        let seq = self.state.last_seq + 1;
        let recorded = LedgerEntry {
            seq,
            at: self.now,
            cause: self.cause.clone(),
            fact,
        };
        self.note_waiting(&recorded.fact);
        self.state.apply(&recorded);
        self.unschedule(&recorded.fact);
        self.facts.push_back(recorded);
        seq
    }

    fn note(&mut self, reason: NoteReason) {
        self.record(Fact::Noted { reason });
    }

    /// Asks something of a gateway. One that is not in step is told when it is (`say_again`).
    fn direct(&mut self, gateway: &GatewayName, directive: Directive) {
        if !self.state.in_step(gateway) {
            return;
        }
        if let Some(epoch) = self.state.gateways.get(gateway).map(|known| known.epoch) {
            self.effects.push_back(Output::Directive {
                gateway: gateway.clone(),
                epoch,
                directive,
            });
        }
    }

    /// Applies the consequences of any change, in order: deadlines that have passed, overflow to other queues, new
    /// offers, announcements, the outlook.
    fn conclude(&mut self) {
        // What a deadline causes removes it from the index.
        while let Some((at, timer)) = self.state.index.timers.peek()
            && at <= self.now
        {
            let timer = timer.clone();
            self.fire(at, timer.clone());
            if self.state.index.timers.peek() == Some((at, &timer)) {
                break;
            }
        }
        if self.state.settling.is_some() && self.state.all_in_step() {
            self.record(Fact::Settled);
        }
        self.overflow_all();
        self.match_all();
        self.announce_all();
        self.tell_outlook();
    }

    fn fire(&mut self, at: Time, timer: Timer) {
        match timer {
            Timer::Grant(offer) => self.expire(offer),
            Timer::Operator(operator) => {
                self.record(Fact::Ready { operator, since: at });
            }
            Timer::Lease(operator, gateway) => self.lease_expired(operator, gateway),
            Timer::Grace(gateway) => self.grace_over(gateway),
            Timer::Settle => {
                self.record(Fact::Settled);
            }
            Timer::MaxWait(ticket) => self.exit(ticket, ExitReason::TimedOut),
            // Nobody has been signed in for too long.
            Timer::Nobody(queue) => self.leave_all(&queue, ExitReason::Nobody),
        }
    }

    fn configure(&mut self, configuration: Configuration) {
        if configuration == self.state.configuration {
            return;
        }
        if let Err(error) = configuration.validate() {
            self.refuse_configuration(error);
            return;
        }
        self.overflows = Overflows::of(&configuration);
        self.record(Fact::Configured(configuration));
        self.outlook_configured();
        self.schedule_all();
        self.sign_out_removed();
        self.close_removed_queues();
    }

    /// Nothing follows from it.
    fn clock_set(&mut self, offset: i64) {
        if offset != self.state.wall.offset() {
            self.record(Fact::ClockSet { offset });
        }
    }

    fn refuse_configuration(&mut self, error: ConfigurationError) {
        self.effects.push_back(Output::ConfigurationRefused(error));
    }

    fn is_live(&self, offer: OfferId) -> bool {
        let grant = self.state.grant(offer);
        grant.is_some_and(|it| matches!(it.offer.phase, Phase::Live { .. }))
    }
}
