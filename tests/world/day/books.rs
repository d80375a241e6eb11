//! The totals of a day, held against the records.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use pronto_engine::records::{CallRecords, TicketOutcome, Written};
use pronto_engine::{EndedCounts, Fact};
use pronto_types::CallId;
use pronto_types::link::{CallOutcome, Event};

use crate::gateway::GatewayNode;
use crate::overflows;
use crate::spoken;
use crate::spoken::Said;
use crate::world::{World, count};

use super::Plan;
use super::building::names;

/// The totals of a day.
#[derive(Debug)]
pub(crate) struct Totals {
    pub(crate) plan: Plan,
    pub(crate) arrived: u64,
    pub(crate) begun: u64,
    pub(crate) records: u64,
    pub(crate) joined: u64,
    pub(crate) ended: EndedCounts,
    pub(crate) talks: u64,
    pub(crate) rona: usize,
    pub(crate) link_losses: u32,
    pub(crate) queue_restarts: u32,
    pub(crate) gateway_crashes: u32,
    pub(crate) said: Said,
    /// Tickets that moved to another queue and went on waiting.
    pub(crate) overflows: u64,
    /// Calls that the flow ended without a place in a queue.
    pub(crate) turned: u64,
    pub(crate) facts: u64,
    pub(crate) steps: u64,
    /// A digest of the sequence of facts.
    pub(crate) history: u64,
    pub(crate) broken: Option<String>,
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let e = &self.ended;
        write!(
            f,
            "seed {}: {} callers, {} calls, {} records; {} joined = {} answered + {} abandoned + {} timed out + {} exited \
             + {} moved + {} removed + {} lost; {} talks, {} RONA; {} announced ({} with a wait, {} whole, {} cut); {} overflowed, {} turned; {} link losses, {} queue restarts, {} gateway crashes; \
             {} facts, {} steps, history {:016x}",
            self.plan.seed,
            self.arrived,
            self.begun,
            self.records,
            self.joined,
            e.answered,
            e.abandoned,
            e.timed_out,
            e.exited,
            e.moved,
            e.removed,
            e.lost,
            self.talks,
            self.rona,
            self.said.announced,
            self.said.waits,
            self.said.whole,
            self.said.cut,
            self.overflows,
            self.turned,
            self.link_losses,
            self.queue_restarts,
            self.gateway_crashes,
            self.facts,
            self.steps,
            self.history,
        )?;
        match &self.broken {
            Some(broken) => write!(f, "\n  BROKEN: {broken}"),
            None => Ok(()),
        }
    }
}

pub(super) fn totals(mut world: World, plan: Plan) -> Totals {
    let queues: Vec<_> = names()
        .iter()
        .filter_map(|n| world.queue.engine.as_ref()?.queue(n))
        .collect();
    let mut ended = EndedCounts::default();
    let mut joined = 0;
    let mut open = 0;
    for queue in &queues {
        joined += queue.joined;
        open += queue.waiting + queue.detached + queue.offered + queue.connected;
        let e = queue.ended;
        ended.answered += e.answered;
        ended.abandoned += e.abandoned;
        ended.timed_out += e.timed_out;
        ended.exited += e.exited;
        ended.moved += e.moved;
        ended.called_back += e.called_back;
        ended.removed += e.removed;
        ended.lost += e.lost;
    }
    let (said, wrong) = spoken::judge(&world);
    if world.broken.is_none() {
        world.broken = wrong;
    }
    let (overflows, wrong) = overflows::judge(&world.queue.log);
    world.broken = world.broken.or(wrong);
    if world.broken.is_none() {
        let mut left = world.leftovers();
        if open > 0 {
            left.push(format!("{open} tickets are still open after everybody went home"));
        }
        if world.queue.engine.is_none() {
            left.push("the queue service is down".to_owned());
        }
        left.extend(books(&world, &ended));
        if !left.is_empty() {
            world.broken = Some(left.join("; "));
        }
    }
    let rona = |node: &GatewayNode| {
        let ignored = pronto_types::link::RefuseReason::Ignored;
        count(
            node,
            |event| matches!(event, Event::Refused { reason, .. } if *reason == ignored),
        )
    };
    Totals {
        plan,
        arrived: world.arrived,
        begun: world.gateways.iter().map(|node| node.records.begun).sum(),
        records: world.gateways.iter().map(|node| node.records.ended).sum(),
        joined,
        ended,
        talks: world.phones.values().map(|phone| phone.talks).sum(),
        rona: world.gateways.iter().map(rona).sum(),
        link_losses: world.link_losses,
        queue_restarts: world.queue.restarts,
        gateway_crashes: world.gateway_crashes,
        said,
        overflows,
        turned: turned(&world),
        facts: world.queue.log.len() as u64,
        steps: world.steps,
        history: history(&world),
        broken: world.broken,
    }
}

/// Calls that the flow ended before they had a place.
fn turned(world: &World) -> u64 {
    let mut records = CallRecords::default();
    let written = world
        .queue
        .log
        .iter()
        .flat_map(|recorded| records.apply(recorded));
    let turned = written.filter(|written| match written {
        Written::Call(call) => call.outcome == Some(CallOutcome::Completed) && call.tickets.is_empty(),
        Written::Recording { .. } => false,
    });
    turned.count() as u64
}

/// A digest (FNV-1a) of the encoded facts, in order.
fn history(world: &World) -> u64 {
    let mut digest = 0xcbf2_9ce4_8422_2325_u64;
    for recorded in &world.queue.log {
        for byte in pronto_queue::ledger::encode(recorded) {
            digest = (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    digest
}

/// The ledger's call records against what the gateways saw and the engine counted.
fn books(world: &World, ended: &EndedCounts) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut records = CallRecords::default();
    let (mut told, mut over) = (BTreeSet::new(), BTreeSet::new());
    let mut counted = BTreeMap::new();
    for recorded in &world.queue.log {
        if let Fact::CallBegan { call, .. } = &recorded.fact {
            told.insert(*call);
        }
        for written in records.apply(recorded) {
            let Written::Call(record) = written else { continue };
            if !over.insert(record.call) {
                wrong.push(format!("{} has two records in the ledger", record.call));
            }
            for ticket in &record.tickets {
                *counted.entry(ticket.outcome).or_insert(0_u64) += 1;
            }
        }
    }
    let began = |event: &Event| match event {
        Event::CallBegan { call, .. } => Some(*call),
        _ => None,
    };
    let begun: BTreeSet<CallId> = world
        .gateways
        .iter()
        .flat_map(|node| node.journal.iter().filter_map(began))
        .collect();
    if records.held() != [0, 0, 0] {
        wrong.push(format!("the records hold {:?} when all is over", records.held()));
    }
    if !told.is_subset(&over) || !over.is_subset(&begun) {
        wrong.push(format!(
            "{} calls told, {} records, {} calls begun",
            told.len(),
            over.len(),
            begun.len()
        ));
    }
    // A gateway that was killed while it could not reach the queue keeps what it had not told in its journal.
    if world.gateway_crashes == 0 && over != begun {
        wrong.push(format!(
            "{} calls begun, {} records in the ledger",
            begun.len(),
            over.len()
        ));
    }
    for (outcome, count) in [
        (TicketOutcome::Answered, ended.answered),
        (TicketOutcome::Abandoned, ended.abandoned),
        (TicketOutcome::TimedOut, ended.timed_out),
        (TicketOutcome::Exited, ended.exited),
        (TicketOutcome::Moved, ended.moved),
        (TicketOutcome::Removed, ended.removed),
        (TicketOutcome::Lost, ended.lost),
    ] {
        let listed = counted.get(&Some(outcome)).copied().unwrap_or(0);
        if listed != count {
            wrong.push(format!(
                "the records list {listed} tickets {outcome}, the engine counts {count}"
            ));
        }
    }
    wrong
}
