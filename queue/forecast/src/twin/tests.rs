//! The twin's choices beside the rule of [`pronto_routing`], on random states of a small centre.

use std::time::Duration;

use pronto_routing::{first_served, serves};
use pronto_types::TicketId;
use proptest::prelude::*;

use crate::tests::{at, operator, queue};
use crate::{AwayReason, Configuration, Event, Forecaster, QueueHints, Skills};

const QUEUES: usize = 3;

fn name(number: usize) -> pronto_types::QueueName {
    queue(["orders", "sales", "support"][number])
}

/// One operator is ready, of several who serve these queues; callers wait, each with queue, class, time of joining and head start.
fn centre(skills: &[Vec<usize>], callers: &[(usize, u8, i64, u64)]) -> Forecaster {
    let hints = |number| QueueHints {
        name: name(number),
        talk: Duration::from_secs(280),
        ring: Duration::from_secs(5),
        wrap_up: Duration::from_secs(15),
    };
    let people = skills.iter().enumerate().map(|(number, queues)| Skills {
        operator: operator(number),
        queues: queues.iter().copied().map(name).collect(),
    });
    let mut forecaster = Forecaster::default();
    let configured = Configuration {
        queues: (0..QUEUES).map(hints).collect(),
        operators: people.collect(),
    };
    forecaster.observe(at(0), Event::Configured(configured));
    for number in 0..skills.len() {
        let (operator, reason) = (operator(number), AwayReason::Paused);
        forecaster.observe(at(0), Event::Away { operator, reason });
    }
    for (ticket, &(wanted, priority, second, head_start)) in (1..).zip(callers) {
        let joined = Event::Joined {
            ticket: TicketId(ticket),
            queue: name(wanted),
            priority,
            joined_at: at(second),
            head_start: Duration::from_secs(head_start),
            waits_since: at(second),
        };
        forecaster.observe(at(30), joined);
    }
    let operator = operator(0);
    forecaster.observe(at(40), Event::Ready { operator });
    forecaster
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn in_the_twin_a_ready_operator_takes_the_caller_whom_the_rule_names(
        skills in proptest::collection::vec(proptest::collection::btree_set(0..QUEUES, 1..=QUEUES), 1..4),
        callers in proptest::collection::vec((0..QUEUES, 0..2_u8, 0..20_i64, 0..20_u64), 1..8),
    ) {
        let skills: Vec<Vec<usize>> = skills.into_iter().map(|it| it.into_iter().collect()).collect();
        let forecaster = centre(&skills, &callers);
        let tickets = (1..=callers.len() as u64).map(TicketId);
        let waiting: Vec<_> = tickets.map(|ticket| &forecaster.floor.tickets[&ticket]).collect();
        let served: Vec<usize> = skills[0].iter().map(|number| forecaster.floor.names[&name(*number)]).collect();
        let heads = waiting.iter().filter(|caller| serves(&served, &caller.queue));
        let taken = first_served(heads.map(|caller| (caller.rank, caller.rank))).map(|(rank, _)| rank);
        let now = crate::floor::seconds(at(40));
        for caller in &waiting {
            let offer = forecaster.twin(now, caller.queue).offer(caller.queue, caller.rank);
            let at_once = offer.is_some_and(|law| law.mean == 0.0);
            prop_assert_eq!(at_once, Some(caller.rank) == taken, "{:?}", caller.rank);
        }
    }
}
