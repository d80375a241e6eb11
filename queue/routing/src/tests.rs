//! The rule against itself, played on small random centres.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
struct Centre {
    /// Queue and rank of each caller who waits.
    waiting: Vec<(usize, Rank)>,
    /// The queues each operator serves, and since when the operator is idle.
    ready: Vec<(Vec<usize>, u64)>,
}

const QUEUES: usize = 3;

/// None for most callers.
fn head_starts() -> impl Strategy<Value = Duration> {
    prop_oneof![3 => Just(0), 1 => 0..20_u64].prop_map(Duration::from_secs)
}

fn centres() -> impl Strategy<Value = Centre> {
    let caller = (0..QUEUES, 0..2_u8, 0..20_i64, head_starts());
    let operator = (proptest::collection::btree_set(0..QUEUES, 1..=QUEUES), 0..20_u64);
    let callers = proptest::collection::vec(caller, 0..12);
    let operators = proptest::collection::vec(operator, 0..6);
    (callers, operators).prop_map(|(callers, operators)| Centre {
        waiting: (0..)
            .zip(callers)
            .map(|(order, (queue, class, second, head_start))| {
                let rank = Rank::new(class, Time::from_secs(second), head_start, order);
                (queue, rank)
            })
            .collect(),
        ready: operators
            .into_iter()
            .map(|(queues, since)| (queues.into_iter().collect(), since))
            .collect(),
    })
}

impl Centre {
    fn pool(&self, queue: usize) -> Pool<usize, Rank, usize> {
        let waiting = self.waiting.iter().filter(|caller| caller.0 == queue);
        let ready = (0..).zip(&self.ready).filter(|(_, it)| serves(&it.0, &queue));
        Pool {
            key: queue,
            head: waiting.map(|caller| caller.1).min(),
            idle: longest_idle(ready.map(|(number, it)| (number, it.1))),
        }
    }

    /// Takes the next meeting out.
    fn meet(&mut self) -> Option<(Rank, (Vec<usize>, u64))> {
        let (queue, rank, operator) = next_meeting((0..QUEUES).map(|queue| self.pool(queue)))?;
        self.waiting.retain(|caller| *caller != (queue, rank));
        Some((rank, self.ready.remove(operator)))
    }
}

proptest! {
    #[test]
    fn nobody_is_overtaken_whom_the_operator_could_have_served(mut centre in centres()) {
        loop {
            let before = centre.clone();
            let Some((rank, operator)) = centre.meet() else { break };
            for (queue, other) in before.waiting {
                prop_assert!(other >= rank || !serves(&operator.0, &queue), "{other:?} before {rank:?}");
            }
        }
        // No ready operator is left who could serve somebody left.
        for (queues, _) in &centre.ready {
            prop_assert!(!centre.waiting.iter().any(|(queue, _)| serves(queues, queue)));
        }
    }

    #[test]
    fn callers_who_meet_operators_do_so_in_the_order_of_their_ranks(mut centre in centres()) {
        let met: Vec<Rank> = std::iter::from_fn(|| centre.meet()).map(|(rank, _)| rank).collect();
        prop_assert!(met.is_sorted());
        prop_assert_eq!(met.iter().collect::<BTreeSet<_>>().len(), met.len());
    }

    #[test]
    fn of_those_who_can_the_operator_idle_longest_is_taken(mut centre in centres()) {
        let before = centre.clone();
        if let Some((rank, (_, since))) = centre.meet() {
            let queue = before.waiting.iter().find(|caller| caller.1 == rank).unwrap().0;
            let could = before.ready.iter().filter(|it| serves(&it.0, &queue));
            prop_assert_eq!(could.map(|it| it.1).min(), Some(since));
        }
    }
}

proptest! {
    #[test]
    fn a_head_start_is_worth_as_much_as_having_joined_earlier_by_it(
        callers in proptest::collection::vec((0..2_u8, 0..20_i64, head_starts()), 2..12),
    ) {
        let ranks = callers.iter().zip(0..).map(|(&(class, second, head_start), order)| {
            let joined = Time::from_secs(second);
            let earlier = Rank::new(class, joined - head_start, Duration::ZERO, order);
            (Rank::new(class, joined, head_start, order), earlier, (class, joined, head_start))
        });
        let ranks: Vec<_> = ranks.collect();
        for (rank, earlier, (class, joined, head_start)) in &ranks {
            for (other, its_earlier, its) in &ranks {
                prop_assert_eq!(rank.cmp(other), earlier.cmp(its_earlier));
                // Nobody overtakes by more than the head start, and without one nobody overtakes.
                if rank < other && *class == its.0 {
                    prop_assert!(*joined <= its.1 + *head_start);
                }
            }
        }
    }
}

#[test]
fn a_better_class_goes_before_an_older_caller_and_the_order_settles_a_tie() {
    let rank = |class, second, order| Rank::new(class, Time::from_secs(second), Duration::ZERO, order);
    let mut ranks = [rank(1, 1, 1), rank(0, 9, 4), rank(1, 1, 0), rank(0, 9, 3)];
    ranks.sort_unstable();
    assert_eq!(ranks.map(|it| it.order), [3, 4, 0, 1]);
}

#[test]
fn an_operator_serves_the_queues_that_are_theirs_and_no_other() {
    assert!(serves(&["sales", "support"], &"support"));
    assert!(!serves(&["sales"], &"support"));
}

#[test]
fn of_equal_ranks_the_first_given_is_served() {
    assert_eq!(
        first_served([("late", 2), ("first", 1), ("second", 1)]),
        Some(("first", 1))
    );
}
