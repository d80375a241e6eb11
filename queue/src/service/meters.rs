//! Metrics. Labels are queues, states and reasons: never a call, a ticket or an operator.

use std::collections::VecDeque;
use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use pronto_engine::promises::PromiseStats;
use pronto_engine::{EndedCounts, Engine, Fact, LedgerEntry, OperatorStatus};
use pronto_types::QueueName;
use pronto_types::link::{Hearing, RefuseReason};
use tokio::time::Instant;

mod waits;

use waits::Waits;

/// How far the gauges may lie behind.
const REFRESH: Duration = Duration::from_secs(1);

/// Measurements made while the service runs.
#[derive(Default)]
pub(super) struct Meters {
    /// When the gauges are to be set; `None` while nothing has changed.
    due: Option<Instant>,
    /// Batches handed to the store: their newest fact, and when.
    commits: VecDeque<(u64, Instant)>,
    waits: Waits,
}

impl Meters {
    /// Begins with those who wait already.
    pub(super) fn new(engine: &Engine) -> Self {
        Self::describe();
        Meters {
            waits: Waits::new(engine),
            ..Meters::default()
        }
    }

    fn describe() {
        waits::describe();
        describe_gauge!("pronto_queue_waiting", "Tickets that wait and can be offered");
        describe_gauge!(
            "pronto_queue_detached",
            "Tickets that wait and whose gateway is away"
        );
        describe_gauge!("pronto_queue_offered", "Tickets bound to an offer");
        describe_gauge!("pronto_queue_connected", "Tickets that talk");
        describe_gauge!(
            "pronto_queue_operators_ready",
            "Operators of the queue who are ready"
        );
        describe_gauge!(
            "pronto_queue_operators_signed_in",
            "Operators of the queue who are signed in"
        );
        describe_counter!("pronto_queue_joined_total", "Tickets ever given");
        describe_counter!("pronto_queue_ended_total", "Tickets that are over, by reason");
        describe_counter!(
            "pronto_overflows_total",
            "Callers who went on waiting in another queue because it took too long"
        );
        describe_gauge!("pronto_operators", "Operators, by state");
        describe_gauge!("pronto_links", "Gateways attached");
        describe_counter!(
            "pronto_attach_refused_total",
            "Attempts to attach that were refused, by what was wrong: the token or the name"
        );
        describe_counter!("pronto_offers_total", "Offers, by what became of them");
        describe_counter!(
            "pronto_announcements_total",
            "Announcements that are over, by how much of them was heard"
        );
        describe_counter!(
            "pronto_promises_total",
            "Announced waits that were heard and are closed, by what came of them"
        );
        describe_gauge!(
            "pronto_forecast_reliable",
            "1 while waits come out as they are forecast; at 0 none is announced"
        );
        describe_counter!("pronto_ledger_facts_total", "Facts recorded");
        describe_counter!("pronto_ledger_commits_total", "Commits of the ledger");
        describe_histogram!(
            "pronto_ledger_commit_seconds",
            "From handing a batch to the store until it is durable"
        );
    }

    /// A fact was recorded by this engine.
    pub(super) fn recorded(&mut self, recorded: &LedgerEntry, engine: &Engine) {
        let fact = &recorded.fact;
        counter!("pronto_ledger_facts_total").increment(1);
        self.waits.recorded(recorded, engine);
        if let Some(result) = offer_result(fact) {
            counter!("pronto_offers_total", "result" => result).increment(1);
        }
        if let Fact::Overflowed { queue, to, .. } = fact {
            let (queue, to) = (queue.to_string(), to.to_string());
            counter!("pronto_overflows_total", "queue" => queue, "to" => to).increment(1);
        }
        if let Fact::Heard {
            announcement,
            ticket,
            how,
        } = fact
            && let Some(queue) = engine.queue_of_announcement(*ticket, *announcement)
        {
            let how = match how {
                Hearing::Whole => "whole",
                Hearing::Cut => "cut",
            };
            counter!("pronto_announcements_total", "queue" => queue.to_string(), "how" => how).increment(1);
        }
    }

    /// A batch was handed to the store.
    pub(super) fn handed_over(&mut self, newest: u64) {
        self.commits.push_back((newest, Instant::now()));
    }

    /// Facts up to `seq` are durable.
    pub(super) fn durable(&mut self, seq: u64) {
        while let Some((_, handed_over)) = self.commits.pop_front_if(|(newest, _)| *newest <= seq) {
            histogram!("pronto_ledger_commit_seconds").record(handed_over.elapsed());
        }
    }

    /// The gauges may not be right any more.
    pub(super) fn touch(&mut self) {
        self.due.get_or_insert_with(|| Instant::now() + REFRESH);
    }

    /// When to call [`Meters::refresh`].
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Sets the gauges, and the counters that the engine itself keeps.
    pub(super) fn refresh(&mut self, engine: &Engine, links: usize) {
        self.due = None;
        gauge!("pronto_links").set(links as f64);
        for view in engine.queues() {
            let queue = view.name.to_string();
            let set =
                |name: &'static str, value: u64| gauge!(name, "queue" => queue.clone()).set(value as f64);
            set("pronto_queue_waiting", view.waiting);
            set("pronto_queue_detached", view.detached);
            set("pronto_queue_offered", view.offered);
            set("pronto_queue_connected", view.connected);
            set("pronto_queue_operators_ready", view.operators_ready.into());
            set(
                "pronto_queue_operators_signed_in",
                view.operators_signed_in.into(),
            );
            counter!("pronto_queue_joined_total", "queue" => queue.clone()).absolute(view.joined);
            promises(&view.name, engine);
            for (reason, count) in ended(&view.ended) {
                counter!("pronto_queue_ended_total", "queue" => queue.clone(), "reason" => reason)
                    .absolute(count);
            }
        }
        let mut states = [0_u32; STATES.len()];
        for view in engine.operators() {
            states[state(&view.status)] += 1;
        }
        for (name, count) in STATES.into_iter().zip(states) {
            gauge!("pronto_operators", "state" => name).set(count);
        }
    }
}

/// Kept, late by less than a minute, broken by more, or closed by the caller's leaving.
fn promises(queue: &QueueName, engine: &Engine) {
    let days = engine.promises(queue).unwrap_or_default();
    let sum = |of: fn(&PromiseStats) -> u64| days.iter().map(|day| of(&day.book)).sum::<u64>();
    for (result, count) in [
        ("kept", sum(|book| book.known() - book.late)),
        ("late", sum(|book| book.late - book.broken)),
        ("broken", sum(|book| book.broken)),
        ("left", sum(|book| book.left)),
    ] {
        counter!("pronto_promises_total", "queue" => queue.to_string(), "result" => result).absolute(count);
    }
    let reliable = engine.reliable(queue);
    gauge!("pronto_forecast_reliable", "queue" => queue.to_string()).set(f64::from(u8::from(reliable)));
}

fn offer_result(fact: &Fact) -> Option<&'static str> {
    match fact {
        Fact::Offered { .. } => Some("offered"),
        Fact::Answered { .. } => Some("answered"),
        Fact::Expired { .. } => Some("expired"),
        Fact::Refused { reason, .. } => Some(match reason {
            RefuseReason::Ignored => "ignored",
            RefuseReason::Busy => "busy",
            RefuseReason::Rejected => "rejected",
            RefuseReason::Unreachable => "unreachable",
            RefuseReason::Withdrawn => "withdrawn",
        }),
        _ => None,
    }
}

fn ended(counts: &EndedCounts) -> [(&'static str, u64); 8] {
    let EndedCounts {
        answered,
        abandoned,
        timed_out,
        exited,
        moved,
        called_back,
        removed,
        lost,
    } = *counts;
    [
        ("answered", answered),
        ("abandoned", abandoned),
        ("timed_out", timed_out),
        ("exited", exited),
        ("moved", moved),
        ("called_back", called_back),
        ("removed", removed),
        ("lost", lost),
    ]
}

const STATES: [&str; 6] = ["signed_out", "ready", "offered", "talking", "wrap_up", "paused"];

/// The index into [`STATES`].
fn state(status: &OperatorStatus) -> usize {
    match status {
        OperatorStatus::SignedOut => 0,
        OperatorStatus::Ready => 1,
        OperatorStatus::Offered { .. } => 2,
        OperatorStatus::Talking => 3,
        OperatorStatus::WrapUp { .. } => 4,
        OperatorStatus::Paused { .. } => 5,
    }
}

#[cfg(test)]
mod tests;
