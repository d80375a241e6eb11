use super::*;

#[test]
fn a_lost_link_keeps_the_places_and_offers_them_to_nobody() {
    let mut house = House::empty();
    house.attach("gw2", 1);
    house.register_at("gw2", "ann");
    house.pause("ann");
    house.register_at("gw1", "ann");
    house.join_at("gw1", 1, Duration::ZERO);
    house.wait(secs(1));
    house.join_at("gw2", 2, Duration::ZERO);
    house.detach("gw1");
    assert_eq!((house.queue().waiting, house.queue().detached), (1, 1));
    house.set("ann", Wanted::Ready).unwrap();
    // The second is served first, and a fact says why.
    let offer = house.offered(2, "ann");
    assert_eq!(
        house.facts(|it| matches!(
            it,
            Fact::Skipped {
                ticket: TicketId(1),
                ..
            }
        )),
        1
    );
    house.says(
        "gw2",
        Event::Refused {
            offer,
            reason: RefuseReason::Withdrawn,
        },
    );
    house.sent();
    house.says(
        "gw2",
        Event::Left {
            ticket: TicketId(2),
            reason: LeaveReason::Abandoned,
        },
    );
    house.wait(secs(20));
    house.attach("gw1", 1);
    assert!(house.offers().iter().any(|(_, ticket, _)| *ticket == 1) || house.queue().offered == 0);
}

#[test]
fn a_live_offer_of_a_lost_link_binds_both_until_the_gateway_says_what_became_of_it() {
    let mut house = House::with(&["ann"]);
    house.join(1);
    let offer = house.offered(1, "ann");
    house.detach("gw1");
    house.attach("gw1", 1);
    assert_eq!(house.sent(), [Directive::Withdraw { offer }]);
    assert_eq!(house.status("ann"), OperatorStatus::Offered { offer });
    house.answer(offer, 1);
    assert_eq!(house.status("ann"), OperatorStatus::Talking);
}

#[test]
fn a_live_offer_of_a_lost_link_is_over_when_its_validity_is() {
    let mut house = House::with(&["ann"]);
    house.join(1);
    let offer = house.offered(1, "ann");
    house.detach("gw1");
    house.wait(secs(20));
    // Nobody is to blame but the link.
    assert_eq!(
        (house.status("ann"), house.queue().detached),
        (OperatorStatus::Ready, 1)
    );
    // It was answered meanwhile: nothing is offered before the backlog is here.
    let last = house.journals[&name("gw1")].1 + 1;
    house.attach_with_backlog("gw1", 1, last);
    assert_eq!(house.sent(), []);
    house.says_late(
        "gw1",
        Event::Answered {
            offer,
            ticket: TicketId(1),
        },
        secs(15),
    );
    assert_eq!(
        (house.sent(), house.status("ann")),
        (vec![], OperatorStatus::Talking)
    );
}

#[test]
fn after_the_grace_the_tickets_are_lost_and_regain_their_place() {
    let mut house = House::with(&["ann"]);
    house.attach("gw2", 1);
    house.register_at("gw2", "bob");
    house.pause("ann");
    house.pause("bob");
    house.join(1);
    house.wait(secs(1));
    house.detach("gw1");
    house.wait(secs(30));
    assert_eq!((house.queue().detached, house.queue().ended.lost), (0, 1));
    house.attach("gw1", 1);
    assert!(house.sent().contains(&Directive::Rejoin { ticket: TicketId(1) }));
    // Someone younger was faster.
    house.join(2);
    house.says_late("gw1", joined(3, 1, Some(1)), secs(31));
    house.set("ann", Wanted::Ready).unwrap();
    house.offered(3, "ann");
    assert_eq!((house.queue().joined, house.queue().ended.lost), (3, 1));
}

#[test]
fn a_lost_caller_who_left_meanwhile_is_not_asked_to_rejoin() {
    let mut house = House::with(&["ann"]);
    house.pause("ann");
    house.join(1);
    house.detach("gw1");
    house.wait(secs(30));
    house.sent();
    let last = house.journals[&name("gw1")].1 + 1;
    house.attach_with_backlog("gw1", 1, last);
    house.says_late(
        "gw1",
        Event::Left {
            ticket: TicketId(1),
            reason: LeaveReason::Abandoned,
        },
        secs(9),
    );
    assert_eq!(house.sent(), []);
}

#[test]
fn a_talk_outlives_the_link_and_its_operator_is_not_free() {
    let mut house = House::with(&["ann"]);
    house.join(1);
    let offer = house.offered(1, "ann");
    house.answer(offer, 1);
    house.detach("gw1");
    house.wait(secs(29));
    assert_eq!(house.status("ann"), OperatorStatus::Talking);
    house.wait(secs(1));
    assert!(matches!(house.status("ann"), OperatorStatus::WrapUp { .. }));
    assert_eq!(house.queue().ended.lost, 1);
    // It goes on: the gateway, back in step, has not said that it ended.
    house.wait(secs(60));
    house.attach("gw1", 1);
    assert_eq!(house.status("ann"), OperatorStatus::Talking);
    assert_eq!((house.queue().ended.lost, house.queue().connected), (0, 1));
    house.join(2);
    house.no_offer();
    house.hang_up(offer, 1);
    assert_eq!(house.queue().ended.answered, 1);
}

#[test]
fn a_talk_that_was_lost_and_ended_meanwhile_is_not_taken_up_again() {
    let mut house = House::with(&["ann"]);
    house.join(1);
    let offer = house.offered(1, "ann");
    house.answer(offer, 1);
    house.detach("gw1");
    house.wait(secs(90));
    let last = house.journals[&name("gw1")].1 + 1;
    house.attach_with_backlog("gw1", 1, last);
    house.says_late(
        "gw1",
        Event::TalkEnded {
            offer,
            ticket: TicketId(1),
        },
        secs(40),
    );
    assert_eq!(house.status("ann"), OperatorStatus::Ready);
    assert_eq!(house.queue().ended.lost, 1);
}

#[test]
fn a_late_answer_revives_a_lost_ticket() {
    let mut house = House::with(&["ann"]);
    house.join(1);
    let offer = house.offered(1, "ann");
    house.detach("gw1");
    house.wait(secs(31));
    assert_eq!(house.queue().ended.lost, 1);
    let last = house.journals[&name("gw1")].1 + 1;
    house.attach_with_backlog("gw1", 1, last);
    house.says_late(
        "gw1",
        Event::Answered {
            offer,
            ticket: TicketId(1),
        },
        secs(25),
    );
    assert_eq!(
        (house.status("ann"), house.queue().ended.lost),
        (OperatorStatus::Talking, 0)
    );
    house.hang_up(offer, 1);
    assert_eq!((house.queue().joined, house.queue().ended.answered), (1, 1));
}

#[test]
fn a_new_process_ends_what_the_old_one_held() {
    let mut house = House::with(&["ann", "bob"]);
    for ticket in 1..=3 {
        house.join(ticket);
    }
    let offers = house.offers();
    house.answer(offers[0].0, 1);
    house.attach("gw1", 2);
    assert_eq!((house.queue().ended.lost, house.queue().joined), (3, 3));
    // Their phones were registered with the old process.
    assert_eq!(house.status("ann"), OperatorStatus::SignedOut);
    assert_eq!(house.status("bob"), OperatorStatus::SignedOut);
    house.register("bob");
    house.join(4);
    assert!(
        house
            .offers()
            .iter()
            .any(|(_, ticket, to)| *ticket == 4 && to == "bob")
    );
}

#[test]
fn an_old_process_is_refused() {
    let mut house = House::with(&["ann"]);
    house.attach("gw1", 3);
    house.other.clear();
    house.attach_with_backlog("gw1", 2, 0);
    let reason = crate::Refusal::OldEpoch { highest: 3 };
    assert_eq!(
        house.other,
        [Output::Refuse {
            gateway: name("gw1"),
            epoch: 2,
            reason
        }]
    );
}

#[test]
fn there_is_a_limit_to_gateways() {
    let mut house = House::empty();
    for number in 0..100 {
        house.attach(&format!("other{number}"), 1);
    }
    assert_eq!(house.engine.state().gateways.len(), crate::limits::GATEWAYS);
    assert!(matches!(house.other.last(), Some(Output::Refuse { .. })));
}

#[test]
fn an_exit_the_gateway_may_have_missed_is_said_again() {
    let mut house = House::with(&["ann"]);
    house.pause("ann");
    house.join_at("gw1", 1, secs(30 * 60 - 5));
    house.detach("gw1");
    house.sent();
    house.wait(secs(5));
    assert_eq!((house.sent(), house.queue().ended.timed_out), (vec![], 1));
    house.attach("gw1", 1);
    assert_eq!(house.sent(), [exit(1, ExitReason::TimedOut)]);
    // Not after the call has ended.
    let outcome = pronto_types::link::CallOutcome::Completed;
    house.says(
        "gw1",
        Event::CallEnded {
            call: CallId(1),
            outcome,
            duration: secs(1),
            digits: 0,
        },
    );
    house.detach("gw1");
    house.attach("gw1", 1);
    assert_eq!(house.sent(), []);
}

#[test]
fn a_restarted_engine_waits_for_its_gateways_so_that_the_head_stays_the_head() {
    let mut house = House::with(&["ann"]);
    house.attach("gw2", 1);
    house.register_at("gw2", "ann");
    house.pause("ann");
    house.join_at("gw1", 1, secs(5));
    house.join_at("gw2", 2, secs(1));
    house.set("ann", Wanted::Ready).unwrap();
    let offer = house.offered(1, "ann");
    house.refuse(offer, RefuseReason::Ignored);
    house.wait(secs(30));
    house.sent();
    house.detach("gw1");
    house.wait(secs(20));
    house.attach("gw1", 1);
    let pause = Wanted::Paused { reason: "tea".into() };
    house.set("ann", pause).unwrap();
    house.wait(secs(1));
    house.sent();
    house.restart();
    house.set("ann", Wanted::Ready).unwrap();
    house.attach("gw2", 1);
    house.no_offer();
    house.wait(Duration::from_millis(900));
    house.no_offer();
    house.attach("gw1", 1);
    assert!(house.sent().iter().all(|it| !matches!(
        it,
        Directive::Offer {
            ticket: TicketId(2),
            ..
        }
    )));
}

#[test]
fn settling_ends_after_a_second_without_the_others() {
    let mut house = House::with(&["ann"]);
    house.attach("gw2", 1);
    house.register_at("gw2", "ann");
    house.pause("ann");
    house.join_at("gw1", 1, secs(5));
    house.join_at("gw2", 2, secs(1));
    house.sent();
    house.restart();
    house.set("ann", Wanted::Ready).unwrap();
    house.attach("gw2", 1);
    house.wait(Duration::from_millis(999));
    house.no_offer();
    house.wait(Duration::from_millis(1));
    house.offered(2, "ann");
    assert_eq!(
        house.facts(|it| matches!(
            it,
            Fact::Skipped {
                ticket: TicketId(1),
                ..
            }
        )),
        1
    );
}

#[test]
fn a_restart_keeps_talks_wrap_ups_pauses_and_the_order() {
    let mut house = House::with(&["ann", "bob"]);
    for ticket in 1..=4 {
        house.join(ticket);
    }
    let offers = house.offers();
    house.answer(offers[0].0, 1);
    house.answer(offers[1].0, 2);
    house.hang_up(offers[1].0, 2);
    house.restart();
    assert_eq!(house.status("ann"), OperatorStatus::Talking);
    assert!(matches!(house.status("bob"), OperatorStatus::WrapUp { .. }));
    house.attach("gw1", 1);
    house.no_offer();
    house.wait(secs(10));
    house.offered(3, "bob");
}

#[test]
fn a_restart_makes_an_unresolved_grant_withdrawing() {
    let mut house = House::with(&["ann"]);
    house.join(1);
    let offer = house.offered(1, "ann");
    house.restart();
    house.attach("gw1", 1);
    assert_eq!(house.sent(), [Directive::Withdraw { offer }]);
    house.refuse(offer, RefuseReason::Withdrawn);
    house.offered(1, "ann");
}

#[test]
fn leases_cannot_run_out_while_their_gateway_is_away() {
    let mut house = House::empty();
    house.says(
        "gw1",
        Event::Presence {
            operator: who("ann"),
            lease: Some(secs(10)),
        },
    );
    house.pause("ann");
    house.detach("gw1");
    house.wait(secs(25));
    assert!(matches!(house.status("ann"), OperatorStatus::Paused { .. }));
    assert!(!house.engine.operator(&who("ann")).unwrap().reachable);
    house.wait(secs(10));
    assert_eq!(house.status("ann"), OperatorStatus::SignedOut);
}
