//! The engine's choices beside the rule of [`pronto_routing`], on random states of a small centre.

use pronto_routing::{Rank, first_served, longest_idle, serves};
use proptest::prelude::*;

use super::*;

const QUEUES: usize = 3;

fn queue(number: usize) -> QueueName {
    QueueName::new(["orders", "sales", "support"][number]).unwrap()
}

fn id(operator: usize) -> String {
    (101 + operator).to_string()
}

/// A centre whose operators serve these queues, with nobody at work.
fn centre(skills: &[Vec<usize>]) -> House {
    let operators = skills
        .iter()
        .enumerate()
        .map(|(number, queues)| OperatorSettings {
            id: who(&id(number)),
            queues: queues.iter().copied().map(queue).collect(),
            sign_in: SignIn::Registration,
        });
    let mut house = House::empty();
    house.input(Input::Configure(Configuration {
        queues: (0..QUEUES).map(queue).map(QueueSettings::new).collect(),
        operators: operators.collect(),
        ..Configuration::default()
    }));
    house.wait(secs(2));
    house
}

fn join(house: &mut House, ticket: u64, wanted: usize) {
    let mut event = joined(ticket, ticket, None);
    if let Event::Joined { queue: named, .. } = &mut event {
        *named = queue(wanted);
    }
    house.says("gw1", event);
}

/// For each operator the queues, in ascending order, and a permutation of the operators.
fn operators() -> impl Strategy<Value = (Vec<Vec<usize>>, Vec<usize>)> {
    let skills = proptest::collection::btree_set(0..QUEUES, 1..=QUEUES);
    proptest::collection::vec(skills, 1..6).prop_flat_map(|skills| {
        let order: Vec<usize> = (0..skills.len()).collect();
        let skills: Vec<Vec<usize>> = skills.into_iter().map(|it| it.into_iter().collect()).collect();
        (Just(skills), Just(order).prop_shuffle())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_operator_who_gets_ready_takes_the_caller_whom_the_rule_names(
        (skills, order) in operators(),
        wanted in proptest::collection::vec(0..QUEUES, 0..9),
    ) {
        let mut house = centre(&skills);
        for operator in 0..skills.len() {
            house.register(&id(operator));
            house.pause(&id(operator));
        }
        let mut waiting = Vec::new();
        for (ticket, wanted) in (1..).zip(wanted) {
            // Where nobody is signed in, nobody waits.
            if skills.iter().any(|served| serves(served, &wanted)) {
                join(&mut house, ticket, wanted);
                waiting.push((wanted, ticket, Rank::new(0, house.now, Duration::ZERO, ticket)));
            }
            house.wait(Duration::from_millis(100));
        }
        house.no_offer();
        for operator in order {
            house.set(&id(operator), Wanted::Ready).unwrap();
            let heads = (waiting.iter()).filter(|(wanted, ..)| serves(&skills[operator], wanted));
            let taken = first_served(heads.map(|(_, ticket, rank)| (*ticket, *rank)));
            let offered: Vec<_> = house.offers().into_iter().map(|(_, ticket, to)| (ticket, to)).collect();
            let expected: Vec<_> = taken.map(|(ticket, _)| (ticket, id(operator))).into_iter().collect();
            prop_assert_eq!(offered, expected);
            waiting.retain(|(_, ticket, _)| Some(*ticket) != taken.map(|it| it.0));
        }
    }

    #[test]
    fn a_caller_who_joins_goes_to_the_operator_whom_the_rule_names(
        (skills, order) in operators(),
        wanted in proptest::collection::vec(0..QUEUES, 0..9),
    ) {
        let mut house = centre(&skills);
        let mut ready = Vec::new();
        for operator in order {
            house.register(&id(operator));
            ready.push((operator, house.now));
            house.wait(secs(1));
        }
        for (ticket, wanted) in (1..).zip(wanted) {
            join(&mut house, ticket, wanted);
            let could = ready.iter().filter(|(operator, _)| serves(&skills[*operator], &wanted));
            let taken = longest_idle(could.copied());
            let offered: Vec<_> = house.offers().into_iter().map(|(_, ticket, to)| (ticket, to)).collect();
            let expected: Vec<_> = taken.map(|operator| (ticket, id(operator))).into_iter().collect();
            prop_assert_eq!(offered, expected);
            ready.retain(|(operator, _)| Some(*operator) != taken);
        }
    }
}

/// The ledger of a house in which three callers wait, who joined a minute apart; the last has this head start.
fn with_head_start(last: Duration) -> House {
    let mut house = House::with(&["ann"]);
    house.pause("ann");
    for ticket in 1..=3 {
        house.join(ticket);
        house.wait(secs(60));
    }
    for recorded in &mut house.ledger {
        if let Fact::Joined {
            ticket: TicketId(3),
            head_start,
            ..
        } = &mut recorded.fact
        {
            *head_start = last;
        }
    }
    house.shadow = State::default();
    house.ledger.iter().for_each(|fact| house.shadow.apply(fact));
    house.restart();
    house.attach("gw1", 1);
    house
}

#[test]
fn a_head_start_of_the_ledger_brings_a_caller_forward_by_that_much() {
    for (head_start, first) in [(0, 1), (119, 1), (121, 3)] {
        let mut house = with_head_start(secs(head_start));
        house.set("ann", Wanted::Ready).unwrap();
        house.offered(first, "ann");
    }
    // One that lies between the two others.
    let mut house = with_head_start(secs(90));
    house.leave(1);
    house.set("ann", Wanted::Ready).unwrap();
    house.offered(3, "ann");
}
