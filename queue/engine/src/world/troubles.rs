//! Faults of the simulation, and requests that people make.

use std::time::Duration;

use super::judge::Judge;
use super::{Happening, World};
use crate::{Engine, Gate, Input, RequestId, Wanted};

impl World {
    /// The queue service (re)starts from what was durable.
    pub(super) fn start_queue(&mut self) -> Result<(), String> {
        if self.engine.is_some() {
            return Ok(());
        }
        self.ledger.truncate(self.durable);
        let engine = Engine::fold(self.ledger.iter().cloned());
        self.gate = Gate::new(self.durable as u64, 1_000);
        // Nor was anything true, or written down, that was not durable.
        self.judge = Judge::of(engine.state().clone());
        self.asked.retain(|(after, _)| *after < self.durable);
        let mut asked = self.asked.iter().peekable();
        for recorded in &self.ledger {
            while let Some((_, operator)) = asked.next_if(|(after, _)| *after < recorded.seq as usize) {
                self.judge.oracle.asked_ready(operator);
            }
            self.judge.observe(recorded, &self.truth)?;
        }
        for wire in &mut self.wires {
            (wire.queue, wire.owed) = (None, 0);
        }
        self.engine = Some(engine);
        let (now, configuration) = (self.now, self.configuration.clone());
        self.with_engine(|engine| engine.handle_input(now, Input::Started))?;
        self.with_engine(|engine| engine.handle_input(now, Input::Configure(configuration)))
    }

    /// Something goes wrong, or somebody wants something.
    pub(super) fn trouble(&mut self) -> Result<(), String> {
        if self.now >= self.calm_from {
            return Ok(());
        }
        let which = usize::from(self.dice.chance(50));
        match self.dice.next() % 12 {
            0..=2 => self.cut(which),
            3 => self.crash(),
            4 if self.dice.chance(40) => self.restart_gateway(which),
            5 => self.old_process_returns(which)?,
            _ => self.set_somebody()?,
        }
        let gap = Duration::from_millis(self.dice.between(1_000, 60_000));
        self.plan(self.now + gap, Happening::Trouble);
        Ok(())
    }

    pub(super) fn cut(&mut self, which: usize) {
        let Some(link) = self.wires[which].gateway else {
            return;
        };
        let away = match self.dice.next() % 6 {
            0 => self.dice.between(31_000, 70_000),
            1 | 2 => self.dice.between(5_000, 32_000),
            _ => self.dice.between(0, 3_000),
        };
        self.wires[which].broken_until = self.now + Duration::from_millis(away);
        self.break_link(which, link);
    }

    pub(super) fn crash(&mut self) {
        self.engine = None;
        for which in 0..self.wires.len() {
            if let Some(link) = self.wires[which].gateway {
                self.break_link(which, link);
                // Each is back in its own time.
                let late = Duration::from_millis(self.dice.between(0, 1_500));
                self.wires[which].broken_until = self.wires[which].broken_until.max(self.now + late);
            }
        }
        let down = if self.dice.chance(20) { 40_000 } else { 1_000 };
        let back = Duration::from_millis(self.dice.between(20, down));
        self.plan(self.now + back, Happening::StartQueue);
    }

    pub(super) fn restart_gateway(&mut self, which: usize) {
        if let Some(link) = self.wires[which].gateway.take() {
            self.break_link(which, link);
        }
        self.wires[which].welcomed = false;
        self.gateways[which].restart();
        let back = Duration::from_millis(self.dice.between(100, 40_000));
        self.wires[which].broken_until = self.now + back;
        self.plan(self.now + back, Happening::Connect(which));
        self.report_phones(which, 60_000);
    }

    /// A process of an older epoch says hello: it must be told no.
    pub(super) fn old_process_returns(&mut self, which: usize) -> Result<(), String> {
        let gateway = self.gateways[which].name.clone();
        let Some(engine) = &self.engine else { return Ok(()) };
        let Some(known) = engine.state().gateways.get(&gateway).map(|it| it.epoch) else {
            return Ok(());
        };
        let (now, epoch) = (self.now, known - 1);
        let before = self.ledger.len();
        let attached = Input::Attached {
            gateway,
            epoch,
            last: 0,
            instance: epoch,
        };
        self.with_engine(|engine| engine.handle_input(now, attached))?;
        if self.ledger[before..]
            .iter()
            .any(|it| matches!(it.fact, crate::Fact::GatewayAttached { .. }))
        {
            return Err(format!("epoch {epoch} attached after epoch {known}"));
        }
        Ok(())
    }

    pub(super) fn set_somebody(&mut self) -> Result<(), String> {
        let operator = self.dice.pick(&self.operators).clone();
        let wanted = match self.dice.next() % 5 {
            0 => Wanted::SignedOut,
            1 => Wanted::Paused {
                reason: "lunch".into(),
            },
            _ => Wanted::Ready,
        };
        if wanted == Wanted::Ready {
            self.judge.oracle.asked_ready(&operator);
            self.asked.push((self.ledger.len(), operator.clone()));
        }
        self.requests += 1;
        let (now, request) = (self.now, RequestId(self.requests));
        let input = Input::SetOperator {
            request,
            operator,
            wanted,
        };
        self.with_engine(|engine| engine.handle_input(now, input))
    }
}
