//! The forecasts that gateways follow.

use pronto_types::Forecast;

use super::*;

impl House {
    fn follow(&mut self, gateway: &str, epoch: u64, queues: &[&str]) {
        let queues = queues.iter().map(|queue| QueueName::new(queue).unwrap());
        self.input(Input::Follow {
            gateway: name(gateway),
            epoch,
            queues: queues.collect(),
        });
    }

    /// The forecasts told since the last look.
    fn forecasts(&mut self) -> Vec<(String, Option<Forecast>)> {
        let forecast = |directive| match directive {
            Directive::Forecast { queue, wait } => Some((queue.to_string(), wait)),
            _ => None,
        };
        self.taken().into_iter().filter_map(forecast).collect()
    }
}

#[test]
fn a_gateway_is_told_at_once_then_as_things_happen_and_every_five_seconds() {
    let mut house = House::with(&["ann"]);
    house.wait(secs(60));
    assert_eq!(house.forecasts(), [], "nobody asked");
    house.follow("gw1", 1, &["support"]);
    let told = house.forecasts();
    let [(queue, Some(free))] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!(
        (queue.as_str(), free.p90 < secs(60)),
        ("support", true),
        "{free:?}"
    );
    house.wait(Duration::from_millis(4_999));
    assert_eq!(house.forecasts(), [], "nothing has happened");
    house.wait(Duration::from_millis(1));
    assert_eq!(house.forecasts().len(), 1);
    for ticket in 1..=5 {
        house.join(ticket);
    }
    house.wait(Duration::from_millis(999));
    assert_eq!(house.forecasts(), [], "not more often than once a second");
    house.wait(Duration::from_millis(1));
    let told = house.forecasts();
    let [(_, Some(busy))] = &told[..] else {
        panic!("{told:?}")
    };
    assert!(busy.p50 > free.p90, "{busy:?} {free:?}");
    let view = house.engine.forecast(house.now, &support()).unwrap();
    let Some(wait) = view.wait else { panic!("{view:?}") };
    assert!(
        wait.p50.abs_diff(busy.p50) < secs(5),
        "what `Callers.Forecast` says"
    );
}

#[test]
fn where_nobody_could_answer_nothing_is_known() {
    let mut house = House::empty();
    house.follow("gw1", 1, &["support"]);
    house.wait(secs(1));
    assert_eq!(house.forecasts(), [("support".to_owned(), None)]);
}

/// The forecasts told since the last look are all unknown.
#[track_caller]
fn unknown(house: &mut House) {
    house.wait(secs(6));
    let told = house.forecasts();
    assert!(
        !told.is_empty() && told.iter().all(|(_, wait)| wait.is_none()),
        "{told:?}"
    );
    let view = house.engine.forecast(house.now, &support()).unwrap();
    assert_eq!(view.wait, None);
}

#[track_caller]
fn known(house: &mut House) {
    house.wait(secs(6));
    let told = house.forecasts();
    assert!(told.last().is_some_and(|(_, wait)| wait.is_some()), "{told:?}");
    let view = house.engine.forecast(house.now, &support()).unwrap();
    assert!(view.wait.is_some());
}

#[test]
fn where_all_operators_are_paused_nobody_knows_how_long_it_takes() {
    let mut house = House::with(&["ann", "bob"]);
    house.follow("gw1", 1, &["support"]);
    known(&mut house);
    house.pause("ann");
    known(&mut house);
    house.pause("bob");
    unknown(&mut house);
    house.join(1);
    unknown(&mut house);
    house.restart();
    house.attach("gw1", 1);
    house.follow("gw1", 1, &["support"]);
    unknown(&mut house);
    house.set("ann", Wanted::Ready).unwrap();
    known(&mut house);
}

#[test]
fn an_operator_who_is_surely_back_counts_and_one_who_has_asked_to_go_does_not() {
    let mut house = House::with(&["ann"]);
    house.follow("gw1", 1, &["support"]);
    house.join(1);
    let offer = house.offered(1, "ann");
    house.answer(offer, 1);
    known(&mut house);
    // A break is asked for in the middle of the talk, and taken back.
    house.pause("ann");
    unknown(&mut house);
    house.set("ann", Wanted::Ready).unwrap();
    known(&mut house);
    house.hang_up(offer, 1);
    assert!(matches!(house.status("ann"), OperatorStatus::WrapUp { .. }));
    known(&mut house);
    house.wait(secs(10));
    // A pause after an unanswered offer ends by itself.
    house.join(2);
    let offer = house.offered(2, "ann");
    house.refuse(offer, RefuseReason::Ignored);
    known(&mut house);
    house.pause("ann");
    unknown(&mut house);
}

#[test]
fn operators_of_other_queues_promise_nothing_here() {
    let mut house = House::with(&["ann", "bob"]);
    let mut other = configuration();
    let sales = QueueName::new("sales").unwrap();
    other.queues.push(QueueSettings::new(sales.clone()));
    other.operators[1].queues = vec![sales];
    house.input(Input::Configure(other));
    house.follow("gw1", 1, &["support"]);
    known(&mut house);
    house.pause("ann");
    unknown(&mut house);
    assert_eq!(house.status("bob"), OperatorStatus::Ready);
}

#[test]
fn of_a_queue_that_is_not_configured_nothing_is_told_until_it_is() {
    let mut house = House::empty();
    house.follow("gw1", 1, &["support", "kitchen"]);
    house.wait(secs(60));
    assert!(house.forecasts().iter().all(|(queue, _)| queue == "support"));
    let mut more = configuration();
    let kitchen = QueueName::new("kitchen").unwrap();
    more.queues.push(QueueSettings::new(kitchen));
    house.input(Input::Configure(more));
    house.wait(secs(1));
    assert!(house.forecasts().iter().any(|(queue, _)| queue == "kitchen"));
    house.input(Input::Configure(configuration()));
    house.forecasts();
    house.wait(secs(60));
    assert!(house.forecasts().iter().all(|(queue, _)| queue == "support"));
}

#[test]
fn a_gateway_that_catches_up_is_told_as_soon_as_it_is_in_step() {
    let mut house = House::with(&["ann"]);
    house.follow("gw1", 1, &["support"]);
    house.attach_with_backlog("gw2", 1, 1);
    house.follow("gw2", 1, &["support"]);
    // Another gateway is in step, so the turn passes while this one is behind.
    house.wait(Duration::from_millis(100));
    let of = |house: &House| {
        let told = house.sent.iter().filter(|(gateway, directive)| {
            *gateway == name("gw2") && matches!(directive, Directive::Forecast { .. })
        });
        told.count()
    };
    assert_eq!(of(&house), 0);
    let event = joined(7, 7, None);
    house.entry("gw2", 1, 1, Duration::ZERO, event);
    house.wait(Duration::from_millis(10));
    assert_eq!(of(&house), 1);
}

#[test]
fn a_gateway_that_was_gone_is_told_what_it_asks_for_then() {
    let mut house = House::with(&["ann"]);
    house.follow("gw1", 1, &["support"]);
    house.detach("gw1");
    house.wait(secs(31));
    house.forecasts();
    house.attach("gw1", 1);
    house.wait(secs(60));
    assert_eq!(house.forecasts(), []);
}

#[test]
fn many_queues_are_told_one_at_a_time_and_each_in_its_turn() {
    let mut house = House::with(&["ann"]);
    let names: Vec<String> = (0..1000).map(|n| format!("q{n}")).collect();
    let mut many = configuration();
    let queues = names
        .iter()
        .map(|name| QueueSettings::new(QueueName::new(name).unwrap()));
    (many.queues, many.operators) = (queues.collect(), Vec::new());
    house.input(Input::Configure(many));
    house.forecasts();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    house.follow("gw1", 1, &names);
    assert_eq!(house.forecasts().len(), 1);
    house.wait(Duration::from_millis(9_990));
    let told: std::collections::BTreeSet<String> =
        house.forecasts().into_iter().map(|(name, _)| name).collect();
    assert_eq!(told.len(), 999);
    assert_eq!(
        house.engine.poll_timeout(),
        Some(house.now + Duration::from_millis(10))
    );
}

#[test]
fn a_gateway_that_is_away_or_of_another_process_is_told_nothing() {
    let mut house = House::with(&["ann"]);
    house.follow("gw1", 2, &["support"]);
    house.wait(secs(10));
    assert_eq!(house.forecasts(), [], "that process was never taken");
    house.follow("gw1", 1, &["support"]);
    assert_eq!(house.forecasts().len(), 1);
    house.detach("gw1");
    house.wait(secs(10));
    assert_eq!(house.forecasts(), []);
    house.attach("gw1", 1);
    house.follow("gw1", 1, &["support"]);
    assert_eq!(house.forecasts().len(), 1, "back, and told at once");
    house.follow("gw1", 1, &[]);
    house.wait(secs(60));
    assert_eq!(house.forecasts(), [], "it wants nothing any more");
}
