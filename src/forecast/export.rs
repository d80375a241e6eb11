//! `pronto forecast --ledger DIR --print-events`: a ledger as the events of the line protocol, so that any other estimator
//! can be held against its history.
//!
//! The protocol says less than a ledger: who serves what does not change (said is the last configuration that names them), an
//! offer that came to nothing is left out, and whoever leaves the line otherwise than by hanging up is `abandoned` too.
//! Calls are named by their ticket (the wait of who went on waiting in another queue is a call by itself, `TICKET/2` and so on:
//! the one before was `abandoned`), queues and operators by number; `"t"` is in seconds from the midnight, UTC, before the
//! first fact, and goes on evenly when somebody sets the clock.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write;

use pronto_engine::records::TicketOutcome;
use pronto_engine::{Configuration, Fact, LedgerEntry};
use pronto_types::{OfferId, OperatorId, QueueName, TicketId, Time};
use serde_json::{Value, json};

use super::history::{History, named};
use super::ledger::Ledger;
use crate::calls::CallsError;
use crate::json::number;

const DAY: i64 = 86_400_000_000;

/// Writes the ledger's events.
///
/// # Errors
/// [`CallsError`]: it cannot be read, or the events cannot be written.
pub(super) fn events(ledger: &Ledger, out: &mut impl Write) -> Result<(), CallsError> {
    let mut cast = Cast::default();
    for fact in ledger.facts() {
        cast.take(&fact?);
    }
    out.write_all(cast.meta().as_bytes())
        .map_err(CallsError::Output)?;
    let mut stage = Stage::default();
    for fact in ledger.facts() {
        let recorded = fact?;
        if recorded.seq > cast.last {
            break;
        }
        let lines = stage.play(&recorded, &cast);
        out.write_all(lines.as_bytes()).map_err(CallsError::Output)?;
    }
    out.write_all(b"{\"ev\":\"end\"}\n").map_err(CallsError::Output)
}

/// The queues and operators of a ledger, and the offers that were answered: known from a first reading.
#[derive(Default)]
struct Cast {
    queues: Vec<(QueueName, Value)>,
    operators: Vec<(OperatorId, Vec<QueueName>)>,
    answered: BTreeSet<OfferId>,
    midnight: Option<i64>,
    /// The last fact there was: a ledger grows.
    last: u64,
}

impl Cast {
    fn take(&mut self, recorded: &LedgerEntry) {
        let at = recorded.at.as_micros();
        self.midnight.get_or_insert(at - at.rem_euclid(DAY));
        self.last = recorded.seq;
        match &recorded.fact {
            Fact::Configured(configuration) => self.configured(configuration),
            Fact::Answered { offer, .. } => {
                self.answered.insert(*offer);
            }
            _ => {}
        }
    }

    fn configured(&mut self, configuration: &Configuration) {
        for queue in &configuration.queues {
            let hints = json!({
                "name": queue.name.as_str(),
                "talk_s": number(&queue.talk.as_secs_f64().to_string()),
                "wrap_up_s": number(&queue.wrap_up.as_secs_f64().to_string()),
            });
            match self.queues.iter_mut().find(|known| known.0 == queue.name) {
                Some(known) => known.1 = hints,
                None => self.queues.push((queue.name.clone(), hints)),
            }
        }
        for operator in &configuration.operators {
            let skills = operator.queues.clone();
            match self.operators.iter_mut().find(|known| known.0 == operator.id) {
                Some(known) => known.1 = skills,
                None => self.operators.push((operator.id.clone(), skills)),
            }
        }
    }

    fn queue(&self, name: &QueueName) -> Option<usize> {
        self.queues.iter().position(|known| known.0 == *name)
    }

    fn operator(&self, id: &OperatorId) -> Option<usize> {
        self.operators.iter().position(|known| known.0 == *id)
    }

    fn meta(&self) -> String {
        let agents = self.operators.iter().enumerate().map(|(number, (_, skills))| {
            let skills = skills.iter().filter_map(|name| self.queue(name));
            json!({ "agent": number, "skills": skills.collect::<Vec<usize>>() })
        });
        let queues = self.queues.iter().map(|known| &known.1);
        let meta = json!({
            "ev": "meta",
            "nq": self.queues.len(),
            "np": 1,
            "agents": agents.collect::<Vec<Value>>(),
            "queues": queues.collect::<Vec<&Value>>(),
        });
        format!("{meta}\n")
    }
}

/// Where a call is, in the events written so far.
struct Known {
    queue: usize,
    name: String,
    /// With which operator, and whether they talk.
    with: Option<(usize, bool)>,
}

/// The events as they come.
#[derive(Default)]
struct Stage {
    history: History,
    calls: BTreeMap<TicketId, Known>,
    /// The ticket of each offer that was answered.
    offers: BTreeMap<OfferId, TicketId>,
}

impl Stage {
    /// The lines of a fact.
    fn play(&mut self, recorded: &LedgerEntry, cast: &Cast) -> String {
        self.history.take(recorded);
        let mut lines = Lines {
            at: recorded.at,
            midnight: cast.midnight.unwrap_or_default(),
            text: String::new(),
        };
        match &recorded.fact {
            Fact::Joined { ticket, queue, .. } => self.joined(&mut lines, *ticket, cast.queue(queue)),
            Fact::Offered { ticket, operator, .. } => {
                let offer = OfferId(recorded.seq);
                if cast.answered.contains(&offer) {
                    self.offers.insert(offer, *ticket);
                    self.offered(&mut lines, *ticket, cast.operator(operator));
                }
            }
            Fact::Answered {
                offer,
                ticket,
                operator,
                ..
            } => {
                self.offers.insert(*offer, *ticket);
                self.offered(&mut lines, *ticket, cast.operator(operator));
                self.answered(&mut lines, *ticket);
            }
            Fact::TalkEnded { offer, .. } => {
                if let Some(ticket) = self.offers.remove(offer) {
                    self.over(&mut lines, ticket);
                }
            }
            Fact::Ready { operator, .. } => {
                agent(&mut lines, "agent_available", cast.operator(operator), None)
            }
            Fact::Paused { operator, .. } => {
                let reason = Some("break");
                agent(&mut lines, "agent_unavailable", cast.operator(operator), reason);
            }
            Fact::SignedOut { operator, .. } => {
                let reason = Some("logout");
                agent(&mut lines, "agent_unavailable", cast.operator(operator), reason);
            }
            Fact::Overflowed { ticket, to, .. } | Fact::SentBack { ticket, to, .. } => {
                self.over(&mut lines, *ticket);
                self.joined(&mut lines, *ticket, cast.queue(to));
            }
            fact => {
                if let Some((ticket, _)) = TicketOutcome::of(fact) {
                    self.over(&mut lines, ticket);
                }
            }
        }
        lines.text
    }

    fn joined(&mut self, lines: &mut Lines, ticket: TicketId, queue: Option<usize>) {
        let Some(queue) = queue else { return };
        let queued = self.history.is_delayed(ticket);
        let call = Known {
            queue,
            name: named(ticket, self.history.turn(ticket)),
            with: None,
        };
        lines.call("entered", &call, &[("prio", json!(0)), ("queued", json!(queued))]);
        self.calls.insert(ticket, call);
    }

    /// Once, whichever of the offers it was that was answered.
    fn offered(&mut self, lines: &mut Lines, ticket: TicketId, operator: Option<usize>) {
        let (Some(call), Some(operator)) = (self.calls.get_mut(&ticket), operator) else {
            return;
        };
        if call.with.is_none() {
            call.with = Some((operator, false));
            lines.call("offered", call, &[("agent", json!(operator))]);
        }
    }

    fn answered(&mut self, lines: &mut Lines, ticket: TicketId) {
        if let Some(call) = self.calls.get_mut(&ticket)
            && let Some((operator, false)) = call.with
        {
            call.with = Some((operator, true));
            lines.call("answered", call, &[("agent", json!(operator))]);
        }
    }

    fn over(&mut self, lines: &mut Lines, ticket: TicketId) {
        let Some(call) = self.calls.remove(&ticket) else {
            return;
        };
        match call.with {
            Some((operator, true)) => lines.call("completed", &call, &[("agent", json!(operator))]),
            _ => lines.call("abandoned", &call, &[]),
        }
    }
}

/// The lines of one moment.
struct Lines {
    at: Time,
    midnight: i64,
    text: String,
}

impl Lines {
    fn seconds(&self) -> Value {
        let at = (self.at.as_micros() - self.midnight) as f64 / 1e6;
        number(&format!("{at:.6}"))
    }

    fn call(&mut self, event: &str, call: &Known, more: &[(&str, Value)]) {
        let mut line = json!({ "t": self.seconds(), "ev": event, "call": call.name, "q": call.queue });
        for (name, value) in more {
            line[*name] = value.clone();
        }
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{line}");
    }
}

fn agent(lines: &mut Lines, event: &str, operator: Option<usize>, reason: Option<&str>) {
    let Some(operator) = operator else { return };
    let mut line = json!({ "t": lines.seconds(), "ev": event, "agent": operator });
    if let Some(reason) = reason {
        line["reason"] = json!(reason);
    }
    let _ = writeln!(lines.text, "{line}");
}
