use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};
use pronto_engine::{Configuration, Input, OperatorSettings, Output, QueueSettings, SignIn};
use pronto_types::link::{Caller, Channel, Directive, Event, Hearing, LeaveReason};
use pronto_types::{AnnouncementId, CallId, GatewayName, Language, OperatorId, QueueName, TicketId, Time};

use super::*;

/// Remembers the last value of everything.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<BTreeMap<String, f64>>>);

struct Cell(Page, String);

impl Page {
    fn cell(&self, key: &Key) -> Arc<Cell> {
        let labels: Vec<String> = key
            .labels()
            .map(|label| format!("{}={}", label.key(), label.value()))
            .collect();
        Arc::new(Cell(
            self.clone(),
            format!("{}{{{}}}", key.name(), labels.join(",")),
        ))
    }

    fn value(&self, name: &str) -> Option<f64> {
        self.0.lock().unwrap().get(name).copied()
    }
}

impl Cell {
    fn change(&self, change: impl FnOnce(f64) -> f64) {
        let mut page = self.0.0.lock().unwrap();
        let value = page.entry(self.1.clone()).or_default();
        *value = change(*value);
    }
}

impl CounterFn for Cell {
    fn increment(&self, value: u64) {
        self.change(|before| before + value as f64);
    }
    fn absolute(&self, value: u64) {
        self.change(|_| value as f64);
    }
}

impl GaugeFn for Cell {
    fn increment(&self, value: f64) {
        self.change(|before| before + value);
    }
    fn decrement(&self, value: f64) {
        self.change(|before| before - value);
    }
    fn set(&self, value: f64) {
        self.change(|_| value);
    }
}

/// Counts what is recorded, and adds it up.
impl HistogramFn for Cell {
    fn record(&self, value: f64) {
        self.change(|before| before + 1.0);
        let sum = Cell(self.0.clone(), format!("{} sum", self.1));
        sum.change(|before| before + value);
    }
}

impl Recorder for Page {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.cell(key))
    }
    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.cell(key))
    }
    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.cell(key))
    }
}

fn gateway() -> GatewayName {
    GatewayName::new("gw1").unwrap()
}

/// One operator, 101, for `support`.
fn configuration() -> Configuration {
    let queue = QueueName::new("support").unwrap();
    let served = OperatorSettings {
        id: OperatorId::new("101").unwrap(),
        queues: vec![queue.clone()],
        sign_in: SignIn::Registration,
    };
    Configuration {
        queues: vec![QueueSettings::new(queue)],
        operators: vec![served],
        ..Configuration::default()
    }
}

fn attached() -> Input {
    Input::Attached {
        gateway: gateway(),
        epoch: 1,
        last: 0,
        instance: 1,
    }
}

/// An entry of the gateway's journal, `age` seconds old.
fn entry(number: u64, age: u64, event: Event) -> Input {
    Input::Entry {
        gateway: gateway(),
        epoch: 1,
        number,
        age: Duration::from_secs(age),
        event,
        caller_key: None,
    }
}

fn joined(ticket: u64, call: u64, regained: Option<TicketId>) -> Event {
    Event::Joined {
        ticket: TicketId(ticket),
        contact: CallId(call).into(),
        channel: Channel::Phone,
        queue: QueueName::new("support").unwrap(),
        caller: Caller {
            number: None,
            name: None,
        },
        language: Language::Italian,
        regained,
    }
}

/// An engine with one operator ready, three callers in `support`, one of them offered, one gone.
fn engine(meters: &mut Meters) -> Engine {
    let operator = OperatorId::new("101").unwrap();
    let joined = |ticket| joined(ticket, ticket, None);
    let left = Event::Left {
        ticket: TicketId(3),
        reason: LeaveReason::Abandoned,
    };
    let lease = Some(Duration::from_secs(60));
    let events = [
        Event::Presence { operator, lease },
        joined(1),
        joined(2),
        joined(3),
        left,
    ];
    let mut inputs = vec![Input::Started, Input::Configure(configuration()), attached()];
    inputs.extend((1..).zip(events).map(|(number, event)| entry(number, 0, event)));
    let mut engine = Engine::new();
    let mut announced = Vec::new();
    for input in inputs {
        announced.extend(take(&mut engine, meters, input));
    }
    hear(&mut engine, meters, announced);
    engine
}

/// The gateway says that the announcements were heard.
fn hear(engine: &mut Engine, meters: &mut Meters, announced: Vec<(AnnouncementId, TicketId)>) {
    for (number, (announcement, ticket)) in (6..).zip(announced) {
        let how = Hearing::Whole;
        let event = Event::Heard {
            announcement,
            ticket,
            how,
        };
        take(engine, meters, entry(number, 0, event));
    }
}

/// Returns the announcements that follow.
fn take(engine: &mut Engine, meters: &mut Meters, input: Input) -> Vec<(AnnouncementId, TicketId)> {
    take_at(1, engine, meters, input)
}

fn take_at(
    now: i64,
    engine: &mut Engine,
    meters: &mut Meters,
    input: Input,
) -> Vec<(AnnouncementId, TicketId)> {
    engine.handle_input(Time::from_secs(now), input);
    let mut announced = Vec::new();
    while let Some(output) = engine.poll_output() {
        match output {
            Output::Fact(recorded) => meters.recorded(&recorded, engine),
            Output::Directive {
                directive:
                    Directive::Announce {
                        announcement, ticket, ..
                    },
                ..
            } => announced.push((announcement, ticket)),
            _ => {}
        }
    }
    announced
}

#[tokio::test(start_paused = true)]
async fn the_page_shows_queues_operators_offers_and_commits() {
    let page = Page::default();
    let _guard = metrics::set_default_local_recorder(&page);
    let mut meters = Meters::default();
    let engine = engine(&mut meters);
    assert_eq!(meters.due(), None);
    meters.touch();
    let due = meters.due();
    assert_eq!(due, Some(Instant::now() + REFRESH));
    tokio::time::advance(Duration::from_millis(500)).await;
    meters.touch();
    assert_eq!(meters.due(), due, "a busy day does not put it off");
    meters.refresh(&engine, 1);
    assert_eq!(meters.due(), None);
    meters.handed_over(4);
    meters.handed_over(5);
    meters.handed_over(6);
    meters.durable(5);
    let shown = [
        ("pronto_links{}", 1.0),
        ("pronto_queue_waiting{queue=support}", 1.0),
        ("pronto_queue_offered{queue=support}", 1.0),
        ("pronto_queue_connected{queue=support}", 0.0),
        ("pronto_queue_joined_total{queue=support}", 3.0),
        ("pronto_queue_ended_total{queue=support,reason=abandoned}", 1.0),
        ("pronto_queue_ended_total{queue=support,reason=answered}", 0.0),
        ("pronto_queue_operators_signed_in{queue=support}", 1.0),
        ("pronto_operators{state=offered}", 1.0),
        ("pronto_operators{state=ready}", 0.0),
        ("pronto_offers_total{result=offered}", 1.0),
        ("pronto_announcements_total{queue=support,how=whole}", 1.0),
        ("pronto_promises_total{queue=support,result=kept}", 0.0),
        ("pronto_promises_total{queue=support,result=broken}", 0.0),
        ("pronto_forecast_reliable{queue=support}", 1.0),
        ("pronto_ledger_facts_total{}", engine.last_seq() as f64),
        ("pronto_ledger_commit_seconds{}", 2.0),
    ];
    for (name, value) in shown {
        assert_eq!(page.value(name), Some(value), "{name}");
    }
}

#[test]
fn a_talk_before_a_lost_operator_is_no_wait_in_the_histogram() {
    for restart in [false, true] {
        let page = Page::default();
        let _guard = metrics::set_default_local_recorder(&page);
        let mut meters = Meters::default();
        let mut engine = Engine::new();
        let operator = OperatorId::new("101").unwrap();
        let begun = [Input::Started, Input::Configure(configuration()), attached()];
        for input in begun {
            take_at(0, &mut engine, &mut meters, input);
        }
        let mut number = 0;
        let mut tell = |now, age, event, engine: &mut Engine, meters: &mut Meters| {
            number += 1;
            take_at(now, engine, meters, entry(number, age, event));
        };
        let lease = Some(Duration::from_secs(3_600));
        let ready = Event::Presence {
            operator: operator.clone(),
            lease,
        };
        let offer = |engine: &Engine| match engine.operator(&operator).unwrap().status {
            OperatorStatus::Offered { offer } => offer,
            other => panic!("expected an offer, found {other:?}"),
        };
        // A wait of 10 s, a talk of 300 s, and a wait of 35 s: the operator is paused for 30 s.
        let ticket = TicketId(1);
        tell(0, 0, ready, &mut engine, &mut meters);
        tell(0, 0, joined(1, 1, None), &mut engine, &mut meters);
        let first = offer(&engine);
        let answered = Event::Answered { offer: first, ticket };
        tell(10, 0, answered, &mut engine, &mut meters);
        let lost = Event::OperatorLost { offer: first, ticket };
        tell(310, 0, lost, &mut engine, &mut meters);
        tell(310, 310, joined(11, 1, Some(ticket)), &mut engine, &mut meters);
        if restart {
            meters.waits = Waits::new(&engine);
        }
        engine.handle_timeout(Time::from_secs(340));
        while engine.poll_output().is_some() {}
        let (offer, ticket) = (offer(&engine), TicketId(11));
        tell(
            345,
            0,
            Event::Answered { offer, ticket },
            &mut engine,
            &mut meters,
        );
        let waits = "pronto_queue_wait_seconds{queue=support,outcome=answered}";
        assert_eq!(page.value(waits), Some(2.0));
        assert_eq!(
            page.value(&format!("{waits} sum")),
            Some(45.0),
            "restart: {restart}"
        );
    }
}
