//! Cost of forecasts: `cargo bench -p pronto-forecast`. The bench fails above its limits: one forecast 1 ms at the 99th
//! percentile with 300 operators, 10,000 waiting callers 200 ms together.

#![expect(clippy::expect_used, reason = "a bench may fail")]

use std::time::{Duration, Instant};

use pronto_forecast::{Configuration, Event, Forecaster, QueueHints, Skills};
use pronto_types::{OperatorId, QueueName, TicketId, Time};

const OPERATORS: usize = 300;

fn queue() -> QueueName {
    QueueName::new("support").expect("a name")
}

fn operator(number: usize) -> OperatorId {
    OperatorId::new(&format!("{}", 1000 + number)).expect("an id")
}

fn join(ticket: u64, at: Time) -> Event {
    Event::Joined {
        ticket: TicketId(ticket),
        queue: queue(),
        priority: 0,
        joined_at: at,
        head_start: Duration::ZERO,
        waits_since: at,
    }
}

/// 300 operators on a call each, 3,000 calls behind them.
fn centre() -> (Forecaster, Time) {
    let mut forecaster = Forecaster::default();
    let mut now = Time::from_secs(1_000_000);
    let configuration = Configuration {
        queues: vec![QueueHints::new(queue())],
        operators: (0..OPERATORS)
            .map(|number| Skills {
                operator: operator(number),
                queues: vec![queue()],
            })
            .collect(),
    };
    forecaster.observe(now, Event::Configured(configuration));
    for call in 0..11 * OPERATORS {
        let (ticket, operator) = (TicketId(1_000_000 + call as u64), operator(call % OPERATORS));
        now += Duration::from_millis(500 + 37 * (call as u64 % 29));
        let on = (call >= OPERATORS).then(|| TicketId(1_000_000 + (call - OPERATORS) as u64));
        if let Some(ticket) = on {
            forecaster.observe(now, Event::TalkEnded { ticket });
        }
        let ready = Event::Ready {
            operator: operator.clone(),
        };
        forecaster.observe(now, ready);
        forecaster.observe(now, join(ticket.0, now));
        let offered = Event::Offered {
            ticket,
            operator: operator.clone(),
        };
        forecaster.observe(now, offered);
        forecaster.observe(now + Duration::from_secs(4), Event::Answered { ticket, operator });
    }
    (forecaster, now)
}

/// The least of three: what another process took of the CPU is not what the forecast costs.
fn least(work: impl Fn()) -> Duration {
    let timed = || {
        let begun = Instant::now();
        work();
        begun.elapsed()
    };
    [timed(), timed(), timed()].into_iter().min().unwrap_or_default()
}

/// Costs measured for one estimator.
struct Costs {
    name: &'static str,
    forecaster: Forecaster,
    /// The cost of one forecast, by the number of waiting callers.
    each: Vec<(u64, Duration)>,
    /// The cost of forecasting a whole line, by the number of waiting callers.
    lines: Vec<(u64, Duration)>,
}

impl Costs {
    fn of(name: &'static str, forecaster: Forecaster) -> Self {
        Costs {
            name,
            forecaster,
            each: Vec::new(),
            lines: Vec::new(),
        }
    }

    fn measure(&mut self, waiting: u64, now: Time) {
        let forecaster = &self.forecaster;
        if waiting.is_multiple_of(10) {
            let one = || assert!(forecaster.joining(now, &queue()).is_some());
            self.each.push((waiting, least(one)));
        }
        if [400, 1_000, 10_000].contains(&waiting) {
            let all = || assert_eq!(forecaster.line(now, &queue()).len() as u64, waiting);
            self.lines.push((waiting, least(all)));
        }
    }

    /// The cost of one forecast at a percentile, over the measurements with at most `most` callers waiting.
    fn at(&self, most: u64, percent: usize) -> Duration {
        let mut each: Vec<Duration> = self
            .each
            .iter()
            .filter(|it| it.0 <= most)
            .map(|it| it.1)
            .collect();
        each.sort();
        each[(each.len() * percent / 100).min(each.len() - 1)]
    }

    fn print(&self) {
        for most in [TWIN_UP_TO, WAITING] {
            println!(
                "{}: one forecast, {OPERATORS} operators, up to {most} waiting: p50 {:?}, p99 {:?}, most {:?}",
                self.name,
                self.at(most, 50),
                self.at(most, 99),
                self.at(most, 100)
            );
        }
        for (callers, took) in &self.lines {
            println!("{}: all of {callers} waiting callers: {took:?}", self.name);
        }
    }
}

const WAITING: u64 = 10_000;
/// With more callers waiting behind 300 operators than these the twin is beyond its budget for a single forecast.
const TWIN_UP_TO: u64 = 440;

fn main() {
    let (forecaster, mut now) = centre();
    let alone = Costs::of("recursion alone", forecaster.clone().without_twin());
    let mut both = [Costs::of("with the twin", forecaster), alone];
    for ticket in 1..=WAITING {
        now += Duration::from_millis(20);
        for costs in &mut both {
            costs.forecaster.observe(now, join(ticket, now));
            costs.measure(ticket, now);
        }
    }
    both.iter().for_each(Costs::print);
    let [with, without] = &both;
    let twin = |percent| {
        with.at(TWIN_UP_TO, percent)
            .saturating_sub(without.at(TWIN_UP_TO, percent))
    };
    println!("the twin: p50 {:?}, p99 {:?} of a forecast", twin(50), twin(99));
    for (with, without) in with.lines.iter().zip(&without.lines) {
        let twin = with.1.saturating_sub(without.1);
        println!("the twin: {twin:?} of all of {} waiting callers", with.0);
    }
    for most in [TWIN_UP_TO, WAITING] {
        assert!(
            with.at(most, 99) <= Duration::from_millis(1),
            "p99 of one forecast"
        );
    }
    assert!(with.lines[2].1 <= Duration::from_millis(200), "10,000 callers");
}
