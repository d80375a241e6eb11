use super::*;

#[test]
fn callers_are_served_in_the_order_they_joined() {
    let mut house = House::with(&["ann"]);
    house.join(1);
    let first = house.offered(1, "ann");
    house.join(2);
    house.wait(secs(1));
    // Heard later, joined earlier: what counts is when it happened, at whichever gateway.
    house.attach("gw2", 1);
    house.register_at("gw2", "ann");
    house.join_at("gw2", 3, secs(5));
    house.answer(first, 1);
    house.hang_up(first, 1);
    house.no_offer();
    house.wait(secs(10));
    assert_eq!(house.offers()[0].1, 3);
}

#[test]
fn a_delayed_entry_does_not_overtake_the_one_before_it() {
    let mut house = House::with(&["ann"]);
    house.pause("ann");
    house.join(1);
    // The second is said to be older, which its place in the journal belies.
    house.join_at("gw1", 2, secs(3));
    house.set("ann", Wanted::Ready).unwrap();
    house.offered(1, "ann");
}

#[test]
fn a_caller_who_joins_while_nobody_is_signed_in_is_sent_on_at_once() {
    let mut house = House::empty();
    house.join(1);
    assert_eq!(house.sent(), [exit(1, ExitReason::Nobody)]);
    assert_eq!((house.queue().joined, house.queue().ended.exited), (1, 1));
}

#[test]
fn paused_operators_are_signed_in() {
    let mut house = House::with(&["ann"]);
    house.pause("ann");
    house.join(1);
    house.wait(secs(600));
    assert_eq!(house.queue().waiting, 1);
}

#[test]
fn callers_wait_a_little_for_the_last_operator_to_come_back() {
    let mut house = House::with(&["ann"]);
    house.pause("ann");
    house.join(1);
    house.set("ann", Wanted::SignedOut).unwrap();
    house.wait(secs(29));
    assert_eq!(house.queue().waiting, 1);
    house.set("ann", Wanted::Ready).unwrap();
    let offer = house.offered(1, "ann");
    house.refuse(offer, RefuseReason::Ignored);
    house.set("ann", Wanted::SignedOut).unwrap();
    house.wait(secs(29));
    assert_eq!(house.sent(), []);
    house.wait(secs(1));
    assert_eq!(house.sent(), [exit(1, ExitReason::Nobody)]);
}

#[test]
fn a_caller_who_joins_just_after_the_last_sign_out_waits_like_those_before() {
    let mut house = House::with(&["ann"]);
    house.set("ann", Wanted::SignedOut).unwrap();
    house.wait(secs(10));
    house.join(1);
    house.wait(secs(19));
    assert_eq!((house.sent(), house.queue().waiting), (vec![], 1));
    house.wait(secs(1));
    assert_eq!(house.sent(), [exit(1, ExitReason::Nobody)]);
    house.join(2);
    assert_eq!(house.sent(), [exit(2, ExitReason::Nobody)], "too late to wait");
    house.set("ann", Wanted::Ready).unwrap();
    house.set("ann", Wanted::SignedOut).unwrap();
    house.join(3);
    house.wait(secs(29));
    house.set("ann", Wanted::Ready).unwrap();
    house.offered(3, "ann");
}

#[test]
fn a_queue_whose_operators_a_new_configuration_takes_away_is_left_by_nobody_after_the_same_time() {
    let mut house = House::with(&["ann"]);
    house.pause("ann");
    let mut bare = configuration();
    bare.operators.retain(|it| it.id != who("ann"));
    house.wait(secs(60));
    house.input(Input::Configure(bare));
    house.join(1);
    house.wait(secs(29));
    assert_eq!((house.sent(), house.queue().waiting), (vec![], 1));
    house.wait(secs(1));
    assert_eq!(house.sent(), [exit(1, ExitReason::Nobody)]);
}

#[test]
fn max_wait_sends_on_and_counts_from_the_joining() {
    let mut house = House::with(&["ann"]);
    house.pause("ann");
    house.join_at("gw1", 1, secs(60));
    house.sent();
    house.wait(secs(29 * 60 - 1));
    assert_eq!(house.sent(), []);
    house.wait(secs(1));
    assert_eq!(house.sent(), [exit(1, ExitReason::TimedOut)]);
    assert_eq!(house.queue().ended.timed_out, 1);
}

#[test]
fn max_wait_does_not_pull_a_caller_off_a_phone_that_rings() {
    let mut house = House::with(&["ann"]);
    house.join_at("gw1", 1, secs(30 * 60 - 5));
    let offer = house.offered(1, "ann");
    house.wait(secs(10));
    assert_eq!((house.sent(), house.queue().offered), (vec![], 1));
    // Nobody answers: now it is due, and no further phone rings.
    house.register("bob");
    house.refuse(offer, RefuseReason::Ignored);
    assert_eq!(house.sent(), [exit(1, ExitReason::TimedOut)]);
}

#[test]
fn a_caller_who_leaves_is_gone_at_once_and_counted_by_why() {
    let mut house = House::with(&["ann"]);
    house.pause("ann");
    let reasons = [
        LeaveReason::Abandoned,
        LeaveReason::Key,
        LeaveReason::TimedOut,
        LeaveReason::Failed,
    ];
    for (ticket, reason) in (1..).zip(reasons) {
        house.join(ticket);
        house.says(
            "gw1",
            Event::Left {
                ticket: TicketId(ticket),
                reason,
            },
        );
    }
    let ended = house.queue().ended;
    assert_eq!(
        (ended.abandoned, ended.exited, ended.timed_out, ended.lost),
        (1, 1, 1, 1)
    );
    assert_eq!(house.queue().waiting, 0);
}

#[test]
fn the_end_of_a_call_leaves_nothing_behind() {
    let mut house = House::with(&["ann"]);
    house.join(1);
    let offer = house.offered(1, "ann");
    let outcome = pronto_types::link::CallOutcome::CallerHungUp;
    house.says(
        "gw1",
        Event::CallEnded {
            call: CallId(1),
            outcome,
            duration: secs(1),
            digits: 0,
        },
    );
    assert_eq!(house.sent(), [Directive::Withdraw { offer }]);
    assert_eq!(house.queue().ended.abandoned, 1);
}

#[test]
fn a_call_that_joins_again_without_leaving_has_one_place() {
    let mut house = House::with(&["ann"]);
    house.pause("ann");
    house.join(1);
    house.says("gw1", joined(2, 1, None));
    assert_eq!((house.queue().waiting, house.queue().ended.moved), (1, 1));
}

#[test]
fn over_the_limit_and_for_an_unknown_queue_the_exit_is_failed() {
    let mut house = House::with(&["ann"]);
    let mut small = configuration();
    small.queues[0].limit = 2;
    house.input(Input::Configure(small));
    house.pause("ann");
    for ticket in 1..=3 {
        house.join(ticket);
    }
    assert_eq!(house.sent().last(), Some(&exit(3, ExitReason::Failed)));
    assert_eq!(house.queue().joined, 2);
    let Event::Joined {
        ticket: _,
        contact,
        channel,
        queue: _,
        caller,
        language,
        regained,
    } = joined(4, 4, None)
    else {
        unreachable!()
    };
    let queue = QueueName::new("nowhere").unwrap();
    house.says(
        "gw1",
        Event::Joined {
            ticket: TicketId(4),
            contact,
            channel,
            queue,
            caller,
            language,
            regained,
        },
    );
    assert_eq!(house.sent(), [exit(4, ExitReason::Failed)]);
}

#[test]
fn an_entry_is_taken_once_and_acknowledged_each_time() {
    let mut house = House::with(&["ann"]);
    house.pause("ann");
    house.join(1);
    let (epoch, number) = house.journals[&name("gw1")];
    house.other.clear();
    let before = house.ledger.len();
    house.entry("gw1", epoch, number, secs(1), joined(1, 1, None));
    assert_eq!(
        house.other,
        [Output::Acknowledge {
            gateway: name("gw1"),
            epoch,
            number
        }]
    );
    assert_eq!(house.ledger.len(), before);
    // A gap, another epoch, an unknown gateway: no acknowledgement, no fact.
    house.other.clear();
    house.entry("gw1", epoch, number + 2, secs(1), joined(2, 2, None));
    house.entry("gw1", epoch + 1, number + 1, secs(1), joined(2, 2, None));
    house.entry("gw9", epoch, 1, secs(1), joined(2, 2, None));
    assert_eq!((house.other.len(), house.ledger.len()), (0, before));
}

#[test]
fn an_entry_that_changes_nothing_moves_the_cursor() {
    let mut house = House::with(&["ann"]);
    house.leave(99);
    assert!(matches!(
        house.ledger.last().map(|it| &it.fact),
        Some(Fact::Noted { .. })
    ));
    let number = house.journals[&name("gw1")].1;
    assert_eq!(
        house
            .ledger
            .last()
            .and_then(|it| it.cause.as_ref())
            .map(|it| it.number),
        Some(number)
    );
    house.restart();
    house.other.clear();
    house.attach("gw1", 1);
    assert_eq!(
        house.other,
        [Output::Welcome {
            gateway: name("gw1"),
            epoch: 1,
            have: number
        }]
    );
}

#[test]
fn a_queue_that_is_removed_sends_its_callers_on_and_lets_its_talks_end() {
    let mut house = House::with(&["ann"]);
    house.join(1);
    let offer = house.offered(1, "ann");
    house.answer(offer, 1);
    house.join(2);
    house.sent();
    let mut without = configuration();
    without.queues.clear();
    without.operators.iter_mut().for_each(|it| it.queues.clear());
    house.input(Input::Configure(without));
    assert_eq!(house.sent(), [exit(2, ExitReason::Failed)]);
    assert!(house.engine.queue(&support()).is_none());
    house.hang_up(offer, 1);
    assert!(matches!(house.status("ann"), OperatorStatus::WrapUp { .. }));
}

#[test]
fn a_configuration_that_contradicts_itself_is_refused() {
    let mut house = House::empty();
    let mut wrong = configuration();
    wrong.queues.push(wrong.queues[0].clone());
    house.other.clear();
    house.input(Input::Configure(wrong));
    assert!(matches!(
        house.other.as_slice(),
        [Output::ConfigurationRefused(_)]
    ));
    assert_eq!(house.engine.configuration(), &configuration());
}
