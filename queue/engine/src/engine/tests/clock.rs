//! The wall clock is set while callers wait.

use super::*;
use crate::records::CallRecords;

/// Back by an hour, in microseconds.
const BACK: i64 = -3_600_000_000;

#[test]
fn a_clock_set_back_in_mid_call_changes_no_order_no_wait_and_no_record() {
    let mut house = House::with(&["ann"]);
    let began = Event::CallBegan {
        call: CallId(1),
        dialled: "800".to_owned(),
        caller: Caller {
            number: None,
            name: None,
        },
        origin: Origin::Trunk(TrunkName::new("carrier").unwrap()),
    };
    house.says("gw1", began);
    house.join(1);
    house.wait(secs(5));
    let before = house.ledger.len();
    house.input(Input::ClockSet { offset: BACK });
    assert_eq!(
        house.ledger.len(),
        before + 1,
        "one fact, and nothing follows from it"
    );
    house.input(Input::ClockSet { offset: BACK });
    assert_eq!(house.ledger.len(), before + 1, "it is told once");
    house.wait(secs(60));
    let facts = house.ledger.iter();
    let times: Vec<Time> = facts.map(|recorded| recorded.at).collect();
    assert!(times.is_sorted());
    let mut records = CallRecords::default();
    for recorded in &house.ledger {
        records.apply(recorded);
    }
    let wall = house.engine.state().wall();
    let record = records.open().next().unwrap().clone();
    let dated = record.clone().dated(wall);
    // It began before the step, and all of it is dated by the clock of that moment.
    assert_eq!(dated, record);
    assert_eq!(wall.date(house.now), house.now.shifted(BACK));
}

#[test]
fn days_that_a_clock_ahead_had_entered_are_forgotten_once_it_is_set_right() {
    let mut house = House::with(&["ann"]);
    let day = 86_400_000_000;
    house.input(Input::ClockSet { offset: 365 * day });
    let begun = house.now.shifted(365 * day);
    // A caller hears a wait, and is answered: the promise is entered on a day of the year to come.
    house.join(1);
    let talk = house.offered(1, "ann");
    house.answer(talk, 1);
    house.join(2);
    let (announcement, ticket, _) = house.announced()[0];
    assert_eq!(ticket, 2);
    house.says(
        "gw1",
        Event::Heard {
            announcement,
            ticket: TicketId(2),
            how: Hearing::Whole,
        },
    );
    house.hang_up(talk, 1);
    house.wait(secs(10));
    let offer = house.offered(2, "ann");
    house.answer(offer, 2);
    let days = house.engine.promises(&support()).unwrap();
    assert_eq!(days.len(), 1, "{days:?}");
    assert_eq!(days[0].book.answered, 1);
    assert!(
        days[0].begins <= begun && begun < days[0].begins.shifted(day),
        "{days:?}"
    );
    house.input(Input::ClockSet { offset: 0 });
    assert_eq!(house.engine.promises(&support()), Some(Vec::new()));
    let folded = Engine::fold(house.ledger.clone());
    assert_eq!(folded.state(), house.engine.state());
    assert_eq!(folded.state().wall().offset(), 0);
}
