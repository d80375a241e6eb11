use proptest::prelude::*;

use super::*;
use crate::tests::{at, busy, join, join_as, operator, queue};
use crate::{Configuration, Event};

fn mean(wait: Wait) -> f64 {
    wait.mean.as_secs_f64()
}

#[test]
fn a_line_is_forecast_as_each_of_its_callers_is() {
    let mut forecaster = busy(6, 0);
    for ticket in 1..=40 {
        forecaster.observe(at(10), join_as(ticket, 10, (ticket % 3) as u8));
    }
    let line = forecaster.line(at(20), &queue("support"));
    assert_eq!(line.len(), 40);
    for (ticket, wait) in line {
        let alone = mean(forecaster.waiting(at(20), ticket).unwrap());
        // Two plays of 64 runs at least, whose waits spread by a third of their mean at most behind the first few.
        let error = 4.0 * alone * (2.0f64 / 64.0).sqrt() / 2.0;
        assert!(
            (mean(wait) - alone).abs() < error.max(10.0),
            "{ticket:?}: {wait:?}, alone {alone}"
        );
    }
}

#[test]
fn beyond_what_the_twin_can_afford_a_line_is_the_recursion_of_each_to_the_microsecond() {
    let forecaster = busy(3, 900);
    let line = forecaster.line(at(20), &queue("support"));
    for (ticket, wait) in &line[800..] {
        assert_eq!(forecaster.waiting(at(20), *ticket), Some(*wait), "{ticket:?}");
    }
}

#[test]
fn an_unknown_line_and_one_that_nobody_serves_are_empty() {
    let mut forecaster = busy(2, 0);
    assert_eq!(forecaster.line(at(10), &queue("sales")), []);
    forecaster.observe(at(10), join(1, 10));
    assert_eq!(forecaster.line(at(10), &queue("support")).len(), 1);
    for number in 0..2 {
        let away = Event::Away {
            operator: operator(number),
            reason: crate::AwayReason::SignedOut,
        };
        forecaster.observe(at(11), away);
    }
    // They are expected again tomorrow.
    let (_, wait) = forecaster.line(at(11), &queue("support"))[0];
    assert!(mean(wait) > 3600.0, "{wait:?}");
    forecaster.observe(at(12), Event::Configured(Configuration::default()));
    assert_eq!(forecaster.line(at(12), &queue("support")), []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn in_a_line_nobody_is_forecast_less_than_who_stands_before_them(
        operators in 1usize..12, priorities in proptest::collection::vec(0u8..3, 1..60)
    ) {
        let mut forecaster = busy(operators, 0);
        for (number, priority) in priorities.iter().enumerate() {
            forecaster.observe(at(10), join_as(number as u64 + 1, 10, *priority));
        }
        let line = forecaster.line(at(15), &queue("support"));
        prop_assert_eq!(line.len(), priorities.len());
        for pair in line.windows(2) {
            let class = |place: usize| priorities[pair[place].0.0 as usize - 1];
            prop_assert!(class(0) <= class(1), "in the order in which they are served");
            if class(0) == class(1) {
                let (before, behind) = (pair[0].1, pair[1].1);
                prop_assert!(before.mean <= behind.mean && before.p50 <= behind.p50 && before.p90 <= behind.p90);
            }
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    /// Without the twin, whose noise the other properties allow for: with what was learned frozen, exactly.
    #[test]
    fn more_ahead_never_shorten_and_another_operator_never_lengthens_the_recursion_calibrated(
        operators in 1usize..20, waiting in 760u64..800, outcomes in proptest::collection::vec((1.0f64..4000.0, 0.0f64..9000.0), 0..200)
    ) {
        let mut here = busy(operators, waiting);
        let mut more = busy(operators + 1, waiting);
        for (forecast, came) in outcomes {
            let law = crate::wait::Moments { mean: forecast, variance: forecast * forecast / 3.0 };
            for learner in [&mut here, &mut more] {
                let promise = learner.calibrations[0][0].promise(None, law, 0.0);
                learner.calibrations[0][0].came(&promise, came);
            }
        }
        // What the two have learned is the same, of the floor too.
        more.learned = here.learned.clone();
        let (last, next) = (here.waiting(at(30), TicketId(waiting)), here.joining(at(30), &queue("support")));
        prop_assert!(next.unwrap().mean >= last.unwrap().mean, "{next:?} after {last:?}");
        for ticket in [waiting - 3, waiting] {
            let (few, many) = (here.waiting(at(30), TicketId(ticket)), more.waiting(at(30), TicketId(ticket)));
            prop_assert!(many.unwrap().mean <= few.unwrap().mean, "{many:?} for {few:?}");
        }
    }
}
