use super::*;

#[test]
fn an_operator_who_does_not_answer_is_paused_and_the_caller_goes_to_the_other() {
    let mut house = House::with(&["ann", "bob"]);
    house.join(1);
    let offer = house.offered(1, "ann");
    house.pause("bob");
    house.join(2);
    house.refuse(offer, RefuseReason::Ignored);
    house.no_offer();
    assert!(matches!(
        house.status("ann"),
        OperatorStatus::Paused { until: Some(_), .. }
    ));
    // The caller is at the head still.
    house.set("bob", Wanted::Ready).unwrap();
    let offer = house.offered(1, "bob");
    house.answer(offer, 1);
    house.wait(secs(29));
    house.no_offer();
    house.wait(secs(1));
    house.offered(2, "ann");
}

#[test]
fn busy_rejected_and_unreachable_pause_and_withdrawn_does_not() {
    for reason in [
        RefuseReason::Busy,
        RefuseReason::Rejected,
        RefuseReason::Unreachable,
    ] {
        let mut house = House::with(&["ann"]);
        house.join(1);
        let offer = house.offered(1, "ann");
        house.refuse(offer, reason);
        house.no_offer();
        house.wait(secs(30));
        house.offered(1, "ann");
    }
    let mut house = House::with(&["ann"]);
    house.join(1);
    let offer = house.offered(1, "ann");
    house.refuse(offer, RefuseReason::Withdrawn);
    house.offered(1, "ann");
}

#[test]
fn who_did_not_answer_goes_to_the_end_of_the_line() {
    let mut house = House::with(&["ann", "bob"]);
    house.join(1);
    let offer = house.offered(1, "ann");
    house.leave(1);
    house.refuse(offer, RefuseReason::Ignored);
    house.wait(secs(31));
    house.sent();
    house.join(2);
    house.offered(2, "bob");
}

#[test]
fn who_was_not_to_blame_keeps_their_turn() {
    let mut house = House::with(&["ann", "bob"]);
    house.join(1);
    let offer = house.offered(1, "ann");
    house.leave(1);
    house.refuse(offer, RefuseReason::Withdrawn);
    house.sent();
    house.join(2);
    house.offered(2, "ann");
}

#[test]
fn caller_who_hangs_up_while_offered_frees_the_operator_when_the_phone_is_quiet() {
    let mut house = House::with(&["ann"]);
    house.join(1);
    let offer = house.offered(1, "ann");
    house.leave(1);
    assert_eq!(house.sent(), [Directive::Withdraw { offer }]);
    house.join(2);
    house.no_offer();
    house.refuse(offer, RefuseReason::Withdrawn);
    house.offered(2, "ann");
}

#[test]
fn a_grant_that_runs_out_frees_the_caller_and_pauses_the_operator() {
    let mut house = House::with(&["ann", "bob"]);
    house.join(1);
    house.offered(1, "ann");
    house.wait(secs(19));
    house.no_offer();
    house.wait(secs(1));
    house.offered(1, "bob");
    assert!(matches!(
        house.status("ann"),
        OperatorStatus::Paused { until: Some(_), .. }
    ));
}

#[test]
fn an_answer_wins_over_a_withdrawal_on_its_way() {
    let mut house = House::with(&["ann"]);
    house.join(1);
    let offer = house.offered(1, "ann");
    house.pause("ann");
    assert_eq!(house.sent(), [Directive::Withdraw { offer }]);
    house.answer(offer, 1);
    assert_eq!(house.status("ann"), OperatorStatus::Talking);
    house.hang_up(offer, 1);
    assert!(matches!(
        house.status("ann"),
        OperatorStatus::Paused { until: None, .. }
    ));
    assert_eq!(house.queue().ended.answered, 1);
}

#[test]
fn a_late_answer_wins_over_the_next_offer_of_the_same_caller() {
    let mut house = House::with(&["ann", "bob"]);
    house.join(1);
    let first = house.offered(1, "ann");
    house.wait(secs(20));
    let second = house.offered(1, "bob");
    house.answer(first, 1);
    assert_eq!(house.sent(), [Directive::Withdraw { offer: second }]);
    assert_eq!(house.status("ann"), OperatorStatus::Talking);
    // Bob's phone rings until the gateway says otherwise.
    house.join(2);
    house.no_offer();
    house.refuse(second, RefuseReason::Withdrawn);
    house.offered(2, "bob");
}

#[test]
fn a_late_answer_revives_a_caller_who_was_sent_on() {
    let mut house = House::with(&["ann"]);
    house.join_at("gw1", 1, secs(30 * 60 - 25));
    let offer = house.offered(1, "ann");
    house.wait(secs(25));
    assert_eq!(house.sent(), [exit(1, ExitReason::TimedOut)]);
    assert_eq!(house.queue().ended.timed_out, 1);
    house.answer(offer, 1);
    assert_eq!((house.queue().ended.timed_out, house.queue().connected), (0, 1));
    house.hang_up(offer, 1);
    assert_eq!(house.queue().ended.answered, 1);
}

#[test]
fn an_answer_for_a_caller_who_left_ends_the_grant() {
    let mut house = House::with(&["ann"]);
    house.join(1);
    let offer = house.offered(1, "ann");
    house.leave(1);
    house.answer(offer, 1);
    assert_eq!(house.status("ann"), OperatorStatus::Ready);
}

#[test]
fn a_second_answer_or_refusal_changes_nothing() {
    let mut house = House::with(&["ann"]);
    house.join(1);
    let offer = house.offered(1, "ann");
    house.answer(offer, 1);
    house.answer(offer, 1);
    house.refuse(offer, RefuseReason::Ignored);
    assert_eq!(
        (house.status("ann"), house.queue().connected),
        (OperatorStatus::Talking, 1)
    );
    house.hang_up(offer, 1);
    house.hang_up(offer, 1);
    assert_eq!((house.queue().ended.answered, house.queue().joined), (1, 1));
}

#[test]
fn the_wrap_up_of_a_talk_that_crossed_an_offer_is_not_forgotten() {
    let mut house = House::with(&["ann"]);
    house.join(1);
    let first = house.offered(1, "ann");
    house.join(2);
    house.wait(secs(20 + 30));
    let second = house.offered(1, "ann");
    house.answer(first, 1);
    house.hang_up(first, 1);
    assert_eq!(house.status("ann"), OperatorStatus::Offered { offer: second });
    house.sent();
    house.refuse(second, RefuseReason::Withdrawn);
    assert!(matches!(house.status("ann"), OperatorStatus::WrapUp { .. }));
    house.wait(secs(10));
    house.offered(2, "ann");
}

#[test]
fn a_configuration_of_zeros_does_not_offer_for_ever_at_one_instant() {
    let mut house = House::with(&["ann"]);
    let mut zeros = configuration();
    zeros.ring_margin = Duration::ZERO;
    let queue = &mut zeros.queues[0];
    (queue.ring, queue.rona_pause, queue.wrap_up) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    house.input(Input::Configure(zeros));
    house.join(1);
    house.wait(secs(3));
    assert_eq!(house.offers().len(), 4);
}
