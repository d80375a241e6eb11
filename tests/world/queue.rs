//! The queue service of a world: the real engine and the real gate, around a modelled store that commits with a
//! delay and, on a crash, keeps what was committed and nothing else.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use pronto_engine::{Configuration, Engine, Fact, Gate, Input, LedgerEntry, Output, Wait};
use pronto_types::link::Directive;
use pronto_types::{GatewayName, TicketId, Time};
use rand_chacha::ChaCha12Rng;

use crate::net::between;

/// Outputs the gate holds before it asks for patience; a world has no shell to be patient.
const GATE: usize = 100_000;

/// A message down a link, as it is before it is put on the wire.
#[derive(Clone, Debug)]
pub(crate) enum Down {
    Welcome { have: u64 },
    Acknowledged { number: u64 },
    Directive(Directive),
}

/// One batch handed to the store.
struct Commit {
    up_to: u64,
    at: Time,
}

pub(crate) struct QueueNode {
    configuration: Configuration,
    pub(crate) engine: Option<Engine>,
    gate: Gate,
    /// Every fact written, in order; the first `durable` of them are on the disk.
    pub(crate) log: Vec<LedgerEntry>,
    pub(crate) durable: u64,
    commits: VecDeque<Commit>,
    /// The link session of each attached gateway: its epoch and session number.
    pub(crate) sessions: BTreeMap<GatewayName, (u64, u64)>,
    pub(crate) restarts: u32,
    pub(crate) checked: u64,
    /// The engine's forecasts for callers who found nobody ready, made when they joined.
    pub(crate) forecasts: BTreeMap<TicketId, Option<Wait>>,
}

impl QueueNode {
    pub(crate) fn new(configuration: Configuration) -> Self {
        QueueNode {
            configuration,
            engine: None,
            gate: Gate::new(0, GATE),
            log: Vec::new(),
            durable: 0,
            commits: VecDeque::new(),
            sessions: BTreeMap::new(),
            restarts: 0,
            checked: 0,
            forecasts: BTreeMap::new(),
        }
    }

    /// Starts, or starts again: folds what the disk has.
    pub(crate) fn start(&mut self, now: Time) {
        let facts = self.log.iter().cloned();
        self.gate = Gate::new(self.durable, GATE);
        self.engine = Some(Engine::fold(facts));
        self.input(now, Input::Started);
        self.input(now, Input::Configure(self.configuration.clone()));
    }

    /// The process is killed: what was not committed is gone.
    pub(crate) fn crash(&mut self) {
        self.engine = None;
        self.commits.clear();
        self.sessions.clear();
        self.log.truncate(usize::try_from(self.durable).unwrap());
        self.restarts += 1;
    }

    pub(crate) fn input(&mut self, now: Time, input: Input) {
        if let Some(engine) = &mut self.engine {
            engine.handle_input(now, input);
        }
    }

    pub(crate) fn timeout(&mut self, now: Time) {
        while self.commits.front().is_some_and(|commit| commit.at <= now) {
            let commit = self.commits.pop_front().unwrap();
            self.durable = commit.up_to;
            self.gate.durable(commit.up_to);
        }
        if let Some(engine) = &mut self.engine
            && engine.poll_timeout().is_some_and(|at| at <= now)
        {
            engine.handle_timeout(now);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Time> {
        let commit = self.commits.front().map(|commit| commit.at);
        let engine = self.engine.as_ref().and_then(Engine::poll_timeout);
        [commit, engine].into_iter().flatten().min()
    }

    /// If all that happened is that a caller joined who found nobody ready, the engine can be asked as it was then.
    fn note_forecast(&mut self, before: usize) {
        let [first, rest @ ..] = &self.log[before..] else {
            return;
        };
        if let (
            Fact::Joined {
                ticket,
                regained: None,
                ..
            },
            Some(engine),
        ) = (&first.fact, &self.engine)
            && rest.iter().all(|it| matches!(it.fact, Fact::Announced { .. }))
            && engine.state().is_delayed(*ticket)
        {
            let forecast = engine.state().forecast(first.at, *ticket);
            self.forecasts.insert(*ticket, forecast);
        }
    }

    /// Takes what the engine decided to the store, and returns what the store lets out.
    pub(crate) fn drain(&mut self, now: Time, dice: &mut ChaCha12Rng) -> Vec<(GatewayName, u64, Down)> {
        let Some(engine) = &mut self.engine else {
            return Vec::new();
        };
        let before = self.log.len();
        while let Some(output) = engine.poll_output() {
            if let Some(recorded) = self.gate.push(output) {
                self.log.push(recorded);
            }
        }
        self.note_forecast(before);
        if self.log.len() > before {
            let delay = between(dice, Duration::from_micros(100), Duration::from_millis(4));
            let earliest = self.commits.back().map_or(Time::ZERO, |commit| commit.at);
            let up_to = self.log.len() as u64;
            self.commits.push_back(Commit {
                up_to,
                at: (now + delay).max(earliest),
            });
        }
        let mut out = Vec::new();
        while let Some(output) = self.gate.poll() {
            match output {
                Output::Welcome { gateway, epoch, have } => {
                    out.push((gateway, epoch, Down::Welcome { have }))
                }
                Output::Acknowledge {
                    gateway,
                    epoch,
                    number,
                } => {
                    out.push((gateway, epoch, Down::Acknowledged { number }));
                }
                Output::Directive {
                    gateway,
                    epoch,
                    directive,
                } => out.push((gateway, epoch, Down::Directive(directive))),
                Output::ConfigurationRefused(error) => {
                    panic!("the world's configuration was refused: {error}")
                }
                Output::Refuse { .. } | Output::Reply { .. } | Output::Fact(_) => {}
            }
        }
        out
    }
}
