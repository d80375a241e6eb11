//! `pronto forecast --events -`: the very estimator of the engine, fed one event a line, answering one line for each
//! caller who has to wait.
//!
//! The first line is `{"ev":"meta","nq":…,"agents":[{"agent":…,"skills":[…]}]}`, with `"queues":[{"talk_s":…,"ring_s":…,
//! "wrap_up_s":…}]` if it is known what calls of each queue take on average; then events with `"t"` in seconds:
//!
//! | `ev` | members | event |
//! |---|---|---|
//! | `entered` | `call`, `q`, `prio` (0 is first), `queued` | joined; answered by one line if `queued` |
//! | `offered`, `answered` | `call`, `agent` | offered, answered |
//! | `completed` | `call` | talk ended; wrap-up until the operator is available |
//! | `abandoned` | `call` | left |
//! | `agent_available` | `agent` | ready |
//! | `agent_unavailable` | `agent`, `reason` (`logout`, anything else is a break) | away |
//! | `end` | | the last line |
//!
//! The answer `{"call_id","mean_s","p50_s","p80_s","p90_s"}` is the wait until answered, in seconds; `null` where
//! nothing is known. `pronto forecast --ledger DIR` ([`replay`]) answers the same lines of a ledger, with what came. A line
//! that cannot be used is reported, with its number, and passed over.

mod export;
pub(crate) mod history;
mod ledger;

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::path::Path;
use std::time::Duration;

use pronto_forecast::{AwayReason, Configuration, Event, Forecaster, QueueHints, Skills, Wait};
use pronto_types::{OperatorId, QueueName, TicketId, Time};
use serde_json::{Value, json};

use crate::calls::CallsError;

/// Longer than any event: a meta line with 10,000 operators of several skills has a fifth of it.
const LINE: u64 = 4 * 1024 * 1024;

/// How many lines could not be used.
pub type Faults = u64;

/// Reads events to the end, writes a line for each caller who has to wait, and reports to `faults` what could not be used.
///
/// # Errors
/// When reading or writing fails.
pub fn run(mut events: impl BufRead, mut answers: impl Write, mut faults: impl Write) -> io::Result<Faults> {
    let (mut reader, mut line, mut number, mut bad) = (Reading::default(), Vec::new(), 0u64, 0);
    loop {
        line.clear();
        number += 1;
        if io::Read::take(&mut events, LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(bad);
        }
        let text = String::from_utf8_lossy(&line);
        if text.trim().is_empty() {
            continue;
        }
        let step = serde_json::from_str::<Value>(text.trim_end())
            .map_err(|fault| syntax(&fault))
            .and_then(|event| reader.take(&event));
        match step {
            Ok(Step::Quiet) => {}
            Ok(Step::Answer(answer, fault)) => {
                answers.write_all(answer.as_bytes())?;
                answers.flush()?;
                if let Some(fault) = fault {
                    bad += 1;
                    writeln!(faults, "line {number}: {fault}")?;
                }
            }
            Ok(Step::End) => return Ok(bad),
            Err(fault) => {
                bad += 1;
                writeln!(faults, "line {number}: {fault}")?;
            }
        }
    }
}

/// The consequence of one line.
enum Step {
    Quiet,
    /// The line to write, and what was wrong if nothing could be said.
    Answer(String, Option<String>),
    End,
}

/// The forecaster, and the house's names for the ids of the lines.
#[derive(Default)]
struct Reading {
    forecaster: Forecaster,
    queues: BTreeMap<String, QueueName>,
    operators: BTreeMap<String, OperatorId>,
    calls: BTreeMap<String, TicketId>,
    tickets: u64,
    configured: bool,
}

impl Reading {
    fn take(&mut self, event: &Value) -> Result<Step, String> {
        let kind = match event.get("ev") {
            Some(Value::String(kind)) => kind.as_str(),
            other => return Err(format!("\"ev\": found {}, expected an event's name", told(other))),
        };
        match kind {
            "meta" => return self.meta(event).map(|()| Step::Quiet),
            "end" => return Ok(Step::End),
            _ if !self.configured => {
                return Err(format!("found event `{kind}`, expected the meta line first"));
            }
            _ => {}
        }
        let at = time(event)?;
        if kind == "entered" {
            return self.entered(at, event);
        }
        let told = self.event(kind, event)?;
        let over = match &told {
            Event::Left { .. } | Event::TalkEnded { .. } => event.get("call").map(Value::to_string),
            _ => None,
        };
        self.forecaster.observe(at, told);
        if let Some(call) = over {
            self.calls.remove(&call);
        }
        Ok(Step::Quiet)
    }

    fn meta(&mut self, meta: &Value) -> Result<(), String> {
        let count = number(meta, "nq")?;
        if !(1.0..=1000.0).contains(&count) {
            return Err(format!("\"nq\": found {count}, expected 1 to 1000 queues"));
        }
        let Some(Value::Array(agents)) = meta.get("agents") else {
            let found = told(meta.get("agents"));
            return Err(format!("\"agents\": found {found}, expected a list"));
        };
        let mut configuration = Configuration::default();
        self.queues.clear();
        self.operators.clear();
        for index in 0..count as u32 {
            let name = QueueName::new(&format!("q{index}")).map_err(|fault| fault.to_string())?;
            self.queues.insert(index.to_string(), name.clone());
            let told = match meta.get("queues") {
                Some(Value::Array(queues)) => queues.get(index as usize),
                _ => None,
            };
            configuration.queues.push(hints(name, told)?);
        }
        for (index, agent) in agents.iter().enumerate() {
            let operator = OperatorId::new(&format!("a{index}")).map_err(|fault| fault.to_string())?;
            let Some(Value::Array(skills)) = agent.get("skills") else {
                let found = told(agent.get("skills"));
                return Err(format!(
                    "\"skills\" of agent {index}: found {found}, expected a list"
                ));
            };
            let queues: Result<Vec<QueueName>, String> =
                skills.iter().map(|skill| self.known_queue(Some(skill))).collect();
            self.operators.insert(id(agent, "agent")?, operator.clone());
            configuration.operators.push(Skills {
                operator,
                queues: queues?,
            });
        }
        self.configured = true;
        self.forecaster
            .observe(Time::ZERO, Event::Configured(configuration));
        Ok(())
    }

    fn entered(&mut self, at: Time, event: &Value) -> Result<Step, String> {
        let call = id(event, "call")?;
        let waits = event.get("queued") == Some(&Value::Bool(true));
        let joined = self.joined(at, &call, event);
        if !waits {
            return joined.map(|_| Step::Quiet);
        }
        // Who asked is answered, even if nothing is known: the other side waits for this line.
        let (ticket, fault) = match joined {
            Ok(ticket) => (Some(ticket), None),
            Err(fault) => (None, Some(fault)),
        };
        let wait = ticket.and_then(|ticket| self.forecaster.waiting(at, ticket));
        Ok(Step::Answer(format!("{}\n", answer(&event["call"], wait)), fault))
    }

    fn joined(&mut self, at: Time, call: &str, event: &Value) -> Result<TicketId, String> {
        let queue = self.known_queue(event.get("q"))?;
        let priority = match event.get("prio") {
            None => 0.0,
            Some(_) => number(event, "prio")?,
        };
        self.tickets += 1;
        let ticket = TicketId(self.tickets);
        self.calls.insert(call.to_owned(), ticket);
        let joined = Event::Joined {
            ticket,
            queue,
            priority: priority.clamp(0.0, 255.0) as u8,
            joined_at: at,
            head_start: Duration::ZERO,
            waits_since: at,
        };
        self.forecaster.observe(at, joined);
        Ok(ticket)
    }

    fn event(&self, kind: &str, event: &Value) -> Result<Event, String> {
        Ok(match kind {
            "offered" => Event::Offered {
                ticket: self.ticket(event)?,
                operator: self.operator(event)?,
            },
            "answered" => Event::Answered {
                ticket: self.ticket(event)?,
                operator: self.operator(event)?,
            },
            "completed" => Event::TalkEnded {
                ticket: self.ticket(event)?,
            },
            "abandoned" => Event::Left {
                ticket: self.ticket(event)?,
            },
            "agent_available" => Event::Ready {
                operator: self.operator(event)?,
            },
            "agent_unavailable" => Event::Away {
                operator: self.operator(event)?,
                reason: match event.get("reason") {
                    Some(Value::String(reason)) if reason == "logout" => AwayReason::SignedOut,
                    _ => AwayReason::Paused,
                },
            },
            _ => {
                return Err(format!(
                    "found event `{}`, expected entered, offered, answered, completed, abandoned, agent_available, \
                     agent_unavailable or end",
                    kind.escape_debug()
                ));
            }
        })
    }

    fn known_queue(&self, queue: Option<&Value>) -> Result<QueueName, String> {
        let key = queue.map(Value::to_string).unwrap_or_default();
        let known = self.queues.get(&key).cloned();
        known.ok_or_else(|| {
            format!(
                "queue: found {}, expected 0 to {}",
                told(queue),
                self.queues.len().saturating_sub(1)
            )
        })
    }

    fn ticket(&self, event: &Value) -> Result<TicketId, String> {
        let call = id(event, "call")?;
        let known = self.calls.get(&call).copied();
        known.ok_or_else(|| format!("call {call}: not entered, or over already"))
    }

    fn operator(&self, event: &Value) -> Result<OperatorId, String> {
        let agent = id(event, "agent")?;
        let known = self.operators.get(&agent).cloned();
        known.ok_or_else(|| format!("agent {agent}: not in the meta line"))
    }
}

/// Reads the hints for a queue before its first event; a hint that is not given is the one of an unknown queue.
fn hints(name: QueueName, told: Option<&Value>) -> Result<QueueHints, String> {
    let mut hints = QueueHints::new(name);
    let Some(told) = told else {
        return Ok(hints);
    };
    for (member, hint) in [
        ("talk_s", &mut hints.talk),
        ("ring_s", &mut hints.ring),
        ("wrap_up_s", &mut hints.wrap_up),
    ] {
        if told.get(member).is_some() {
            let seconds = number(told, member)?;
            if !(0.0..=86_400.0).contains(&seconds) {
                return Err(format!(
                    "\"{member}\": found {seconds}, expected 0 to 86400 seconds"
                ));
            }
            *hint = Duration::from_secs_f64(seconds);
        }
    }
    Ok(hints)
}

/// The fault of a line that is not JSON, and its column (from 1).
fn syntax(fault: &serde_json::Error) -> String {
    let text = fault.to_string();
    // The line is the protocol's, not the text's first.
    let found = text.split(" at line ").next().unwrap_or(&text);
    format!("column {}: {found}", fault.column())
}

fn told(value: Option<&Value>) -> String {
    match value {
        None => "nothing".to_owned(),
        Some(Value::Array(_)) => "a list".to_owned(),
        Some(Value::Object(_)) => "an object".to_owned(),
        Some(value) => value.to_string(),
    }
}

fn number(event: &Value, name: &str) -> Result<f64, String> {
    let found = event.get(name);
    let number = found.and_then(Value::as_f64);
    number.ok_or_else(|| format!("\"{name}\": found {}, expected a number", told(found)))
}

/// An id is a number or a text; its JSON is its name here.
fn id(event: &Value, name: &str) -> Result<String, String> {
    match event.get(name) {
        Some(value @ (Value::Number(_) | Value::String(_))) => Ok(value.to_string()),
        other => Err(format!(
            "\"{name}\": found {}, expected a number or a text",
            told(other)
        )),
    }
}

fn time(event: &Value) -> Result<Time, String> {
    let seconds = number(event, "t")?;
    Ok(Time::from_micros((seconds * 1e6).round() as i64))
}

fn answer(call: &Value, wait: Option<Wait>) -> Value {
    json!({
        "call_id": call,
        "mean_s": wait.map(|it| seconds(it.mean)),
        "p50_s": wait.map(|it| seconds(it.p50)),
        "p80_s": wait.map(|it| seconds(it.p80)),
        "p90_s": wait.map(|it| seconds(it.p90)),
    })
}

fn seconds(duration: Duration) -> Value {
    crate::json::number(&format!("{:.3}", duration.as_secs_f64()))
}

/// Writes the forecasts of a ledger, or its events.
///
/// # Errors
/// [`CallsError`]: there is no ledger, it cannot be read, or the lines cannot be written.
pub fn replay(store: &Path, print_events: bool, mut out: impl Write) -> Result<(), CallsError> {
    let ledger = ledger::Ledger::open(store)?;
    if print_events {
        export::events(&ledger, &mut out)?;
    } else {
        ledger::forecasts(&ledger, &mut out)?;
    }
    out.flush().map_err(CallsError::Output)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &str) -> (String, String, Faults) {
        let (mut answers, mut faults) = (Vec::new(), Vec::new());
        let bad = run(lines.as_bytes(), &mut answers, &mut faults).unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (text(answers), text(faults), bad)
    }

    const META: &str = "{\"ev\":\"meta\",\"nq\":1,\"np\":1,\"agents\":[{\"agent\":7,\"skills\":[0]}]}\n";

    #[test]
    fn who_has_to_wait_is_answered_at_once() {
        let events = "{\"t\":10,\"ev\":\"agent_available\",\"agent\":7}\n\
            {\"t\":20,\"ev\":\"entered\",\"call\":1,\"q\":0,\"prio\":0,\"queued\":false}\n\
            {\"t\":20,\"ev\":\"offered\",\"call\":1,\"agent\":7,\"q\":0}\n\
            {\"t\":24,\"ev\":\"answered\",\"call\":1,\"agent\":7,\"q\":0}\n\
            {\"t\":30,\"ev\":\"entered\",\"call\":2,\"q\":0,\"prio\":0,\"queued\":true}\n\
            {\"ev\":\"end\"}\n";
        let (answers, faults, bad) = read(&format!("{META}{events}"));
        assert_eq!((faults.as_str(), bad), ("", 0));
        let answer: Value = serde_json::from_str(&answers).unwrap();
        assert_eq!(answer["call_id"], 2);
        let value = |name| number(&answer, name).unwrap();
        assert!((100.0..400.0).contains(&value("mean_s")), "{answers}");
        assert!(value("p50_s") <= value("p80_s") && value("p80_s") <= value("p90_s"));
    }

    #[test]
    fn what_is_known_of_a_queue_before_anything_was_seen_counts() {
        let told = |queues: &str| {
            let meta = META.replace("\"agents\"", &format!("\"queues\":{queues},\"agents\""));
            let events = "{\"t\":10,\"ev\":\"agent_available\",\"agent\":7}\n\
                {\"t\":20,\"ev\":\"entered\",\"call\":1,\"q\":0,\"queued\":false}\n\
                {\"t\":20,\"ev\":\"offered\",\"call\":1,\"agent\":7,\"q\":0}\n\
                {\"t\":30,\"ev\":\"entered\",\"call\":2,\"q\":0,\"queued\":true}\n";
            read(&format!("{meta}{events}"))
        };
        let mean = |(answers, faults, _): (String, String, Faults)| {
            assert_eq!(faults, "");
            number(&serde_json::from_str(&answers).unwrap(), "mean_s").unwrap()
        };
        let short = mean(told("[{\"talk_s\":60,\"wrap_up_s\":0}]"));
        let long = mean(told("[{\"talk_s\":1200}]"));
        assert!(short < 150.0 && long > 800.0, "{short} {long}");
        let (_, faults, bad) = told("[{\"talk_s\":-1}]");
        assert!(
            faults.starts_with("line 1: \"talk_s\": found -1, expected 0 to 86400 seconds"),
            "{faults}"
        );
        assert!(bad > 0);
    }

    #[test]
    fn what_is_not_known_is_null() {
        let (answers, _, _) = read(&format!(
            "{META}{{\"t\":1,\"ev\":\"entered\",\"call\":\"x\",\"q\":0,\"queued\":true}}\n"
        ));
        assert_eq!(
            answers,
            "{\"call_id\":\"x\",\"mean_s\":null,\"p50_s\":null,\"p80_s\":null,\"p90_s\":null}\n"
        );
    }

    #[test]
    fn an_id_is_written_back_as_it_came() {
        for id in ["18446744073709551616123", "1.50", r#""a\"bü/2""#] {
            let (answers, _, _) = read(&format!(
                "{META}{{\"t\":1,\"ev\":\"entered\",\"call\":{id},\"q\":0,\"queued\":true}}\n"
            ));
            let begin = format!("{{\"call_id\":{id},\"mean_s\":");
            assert!(answers.starts_with(&begin), "{id}: {answers}");
        }
    }

    #[test]
    fn a_bad_line_is_told_with_its_number_and_passed_over() {
        let (answers, faults, bad) = read(&format!(
            "{{\"t\":1,\"ev\":\"agent_available\",\"agent\":7}}\n{META}{{\"t\":1,\"ev\":\"agent_available\",\"agent\":8}}\n\
             {{\"t\":\"one\",\"ev\":\"entered\"}}\nnonsense\n{{\"t\":1,\"ev\":\"vanished\"}}\n\
             {{\"t\":1,\"ev\":\"entered\",\"call\":5,\"q\":3,\"queued\":true}}\n"
        ));
        let told: Vec<&str> = faults.lines().collect();
        assert_eq!(
            told[0],
            "line 1: found event `agent_available`, expected the meta line first"
        );
        assert_eq!(told[1], "line 3: agent 8: not in the meta line");
        assert_eq!(told[2], "line 4: \"t\": found \"one\", expected a number");
        assert_eq!(told[3], "line 5: column 2: expected ident");
        assert!(told[4].starts_with("line 6: found event `vanished`, expected entered, "));
        assert_eq!(told[5], "line 7: queue: found 3, expected 0 to 0");
        assert_eq!(bad, 6);
        assert!(
            answers.contains("\"call_id\":5,\"mean_s\":null"),
            "who asked is answered"
        );
    }
}
