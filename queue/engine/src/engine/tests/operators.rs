use super::*;

#[test]
fn registering_signs_in_and_unregistering_signs_out() {
    let mut house = House::empty();
    assert_eq!(house.status("ann"), OperatorStatus::SignedOut);
    house.register("ann");
    assert_eq!(house.status("ann"), OperatorStatus::Ready);
    let all = house.engine.operators().map(|it| (it.id, it.reachable));
    assert!(all.eq([(who("ann"), true), (who("bob"), false)]));
    house.says(
        "gw1",
        Event::Presence {
            operator: who("ann"),
            lease: None,
        },
    );
    assert_eq!(house.status("ann"), OperatorStatus::SignedOut);
}

#[test]
fn a_registration_that_is_over_already_signs_nobody_in() {
    let mut house = House::empty();
    house.says(
        "gw1",
        Event::Presence {
            operator: who("ann"),
            lease: Some(Duration::ZERO),
        },
    );
    assert_eq!(house.facts(|it| matches!(it, Fact::SignedIn { .. })), 0);
}

#[test]
fn a_lease_that_runs_out_signs_out_after_the_call() {
    let mut house = House::empty();
    house.says(
        "gw1",
        Event::Presence {
            operator: who("ann"),
            lease: Some(secs(60)),
        },
    );
    house.join(1);
    let offer = house.offered(1, "ann");
    house.answer(offer, 1);
    house.wait(secs(120));
    assert_eq!(house.status("ann"), OperatorStatus::Talking);
    house.hang_up(offer, 1);
    assert_eq!(house.status("ann"), OperatorStatus::SignedOut);
}

#[test]
fn a_refresh_changes_no_state_and_lengthens_the_lease() {
    let mut house = House::empty();
    let refresh = Event::Presence {
        operator: who("ann"),
        lease: Some(secs(60)),
    };
    house.says("gw1", refresh.clone());
    house.pause("ann");
    for _ in 0..10 {
        house.wait(secs(50));
        house.says("gw1", refresh.clone());
        assert!(matches!(
            house.status("ann"),
            OperatorStatus::Paused { until: None, .. }
        ));
    }
    house.set("ann", Wanted::Ready).unwrap();
    house.join(1);
    let offer = house.offered(1, "ann");
    house.says("gw1", refresh);
    assert_eq!(house.status("ann"), OperatorStatus::Offered { offer });
    house.no_offer();
}

#[test]
fn the_longest_idle_operator_is_next() {
    let mut house = House::with(&["bob", "ann"]);
    house.join(1);
    let offer = house.offered(1, "bob");
    house.answer(offer, 1);
    house.hang_up(offer, 1);
    house.wait(secs(10));
    house.join(2);
    house.offered(2, "ann");
    house.join(3);
    house.offered(3, "bob");
}

#[test]
fn wrap_up_counts_from_the_end_of_the_talk_not_from_hearing_of_it() {
    let mut house = House::with(&["ann"]);
    house.join(1);
    let offer = house.offered(1, "ann");
    house.answer(offer, 1);
    house.join(2);
    house.wait(secs(60));
    house.sent();
    house.says_late(
        "gw1",
        Event::TalkEnded {
            offer,
            ticket: TicketId(1),
        },
        secs(8),
    );
    house.no_offer();
    house.wait(secs(2));
    let offer = house.offered(2, "ann");
    house.answer(offer, 2);
    house.join(3);
    house.wait(secs(60));
    house.sent();
    house.says_late(
        "gw1",
        Event::TalkEnded {
            offer,
            ticket: TicketId(2),
        },
        secs(20),
    );
    house.offered(3, "ann");
}

#[test]
fn asking_to_be_ready_ends_a_pause_and_a_wrap_up() {
    let mut house = House::with(&["ann"]);
    house.join(1);
    let offer = house.offered(1, "ann");
    house.answer(offer, 1);
    house.hang_up(offer, 1);
    assert!(matches!(house.status("ann"), OperatorStatus::WrapUp { .. }));
    house.set("ann", Wanted::Ready).unwrap();
    assert_eq!(house.status("ann"), OperatorStatus::Ready);
    house.join(2);
    let offer = house.offered(2, "ann");
    house.refuse(offer, RefuseReason::Ignored);
    house.set("ann", Wanted::Ready).unwrap();
    house.offered(2, "ann");
}

#[test]
fn what_is_asked_during_a_talk_comes_after_it_and_can_be_taken_back() {
    let mut house = House::with(&["ann"]);
    house.join(1);
    let offer = house.offered(1, "ann");
    house.answer(offer, 1);
    house.set("ann", Wanted::SignedOut).unwrap();
    assert_eq!(house.status("ann"), OperatorStatus::Talking);
    house.set("ann", Wanted::Ready).unwrap();
    house.pause("ann");
    house.hang_up(offer, 1);
    assert!(matches!(
        house.status("ann"),
        OperatorStatus::Paused { until: None, .. }
    ));
    let reason = house.ledger.last().map(|it| it.fact.clone());
    assert!(matches!(reason, Some(Fact::Paused { reason, .. }) if reason.to_string() == "lunch"));
}

#[test]
fn signing_out_while_offered_stops_the_phone() {
    let mut house = House::with(&["ann", "bob"]);
    house.join(1);
    let offer = house.offered(1, "ann");
    house.set("ann", Wanted::SignedOut).unwrap();
    assert_eq!(house.sent(), [Directive::Withdraw { offer }]);
    house.refuse(offer, RefuseReason::Withdrawn);
    assert_eq!(house.status("ann"), OperatorStatus::SignedOut);
    house.offered(1, "bob");
}

#[test]
fn wishes_that_cannot_be_met_are_refused() {
    let mut house = House::empty();
    assert_eq!(house.set("eve", Wanted::Ready), Err(SetOperatorError::Unknown));
    assert_eq!(
        house.set("ann", Wanted::Ready),
        Err(SetOperatorError::NotRegistered)
    );
    let pause = Wanted::Paused {
        reason: "lunch".into(),
    };
    assert_eq!(house.set("ann", pause), Err(SetOperatorError::SignedOut));
    assert_eq!(house.set("ann", Wanted::SignedOut), Ok(()));
}

#[test]
fn one_who_signed_out_by_request_is_back_by_request_or_by_registering_anew() {
    let mut house = House::with(&["ann"]);
    house.set("ann", Wanted::SignedOut).unwrap();
    house.register("ann");
    assert_eq!(house.status("ann"), OperatorStatus::SignedOut);
    house.set("ann", Wanted::Ready).unwrap();
    assert_eq!(house.status("ann"), OperatorStatus::Ready);
    house.set("ann", Wanted::SignedOut).unwrap();
    house.says(
        "gw1",
        Event::Presence {
            operator: who("ann"),
            lease: None,
        },
    );
    house.register("ann");
    assert_eq!(house.status("ann"), OperatorStatus::Ready);
}

#[test]
fn an_operator_removed_from_the_configuration_finishes_the_call() {
    let mut house = House::with(&["ann"]);
    house.join(1);
    let offer = house.offered(1, "ann");
    house.answer(offer, 1);
    let mut without = configuration();
    without.operators.clear();
    house.input(Input::Configure(without));
    assert!(house.engine.operator(&who("ann")).is_none());
    house.hang_up(offer, 1);
    assert!(house.engine.state().operators.is_empty());
    house.register("ann");
    assert!(house.engine.state().operators.is_empty());
}

#[test]
fn an_operator_of_several_queues_takes_the_oldest_caller_of_all() {
    let mut house = House::empty();
    let sales = QueueName::new("sales").unwrap();
    let mut both = configuration();
    both.queues.push(QueueSettings::new(sales.clone()));
    both.operators[0].queues.push(sales.clone());
    house.input(Input::Configure(both));
    house.register("ann");
    house.pause("ann");
    let caller = Caller {
        number: None,
        name: None,
    };
    let (ticket, contact, language) = (TicketId(1), CallId(1).into(), Language::English);
    house.says(
        "gw1",
        Event::Joined {
            ticket,
            contact,
            channel: Channel::Phone,
            queue: sales,
            caller,
            language,
            regained: None,
        },
    );
    house.wait(secs(1));
    house.join(2);
    house.set("ann", Wanted::Ready).unwrap();
    house.offered(1, "ann");
}

fn dials(operator: &str, call: u64, dialled: &str) -> Event {
    Event::CallBegan {
        call: CallId(call),
        dialled: dialled.to_owned(),
        caller: Caller {
            number: None,
            name: None,
        },
        origin: Origin::Operator(who(operator)),
    }
}

fn hangs_up(call: u64) -> Event {
    Event::CallEnded {
        call: CallId(call),
        outcome: CallOutcome::CallerHungUp,
        duration: secs(5),
        digits: 0,
    }
}

#[test]
fn an_operator_who_dials_in_is_offered_nobody_until_they_hang_up_and_is_not_paused() {
    let mut house = House::with(&["ann"]);
    house.says("gw1", dials("ann", 70, "800"));
    house.join(1);
    house.wait(secs(60));
    assert_eq!(
        (house.sent(), house.status("ann")),
        (vec![], OperatorStatus::Ready)
    );
    house.says("gw1", hangs_up(70));
    house.offered(1, "ann");
}

#[test]
fn an_offer_that_crosses_the_operators_own_call_is_nobodys_fault() {
    let mut house = House::with(&["ann"]);
    house.join(1);
    let offer = house.offered(1, "ann");
    house.says("gw1", dials("ann", 70, "800"));
    house.refuse(offer, RefuseReason::Busy);
    assert_eq!(house.status("ann"), OperatorStatus::Ready, "not paused");
    house.wait(secs(60));
    house.no_offer();
    house.says("gw1", hangs_up(70));
    house.offered(1, "ann");
}

#[test]
fn both_operators_of_a_call_between_them_are_engaged_and_a_lost_gateway_frees_them() {
    let mut house = House::with(&["ann", "bob"]);
    house.says("gw1", dials("ann", 70, "operators/bob"));
    house.join(1);
    house.wait(secs(10));
    assert_eq!(house.sent(), []);
    house.says("gw1", hangs_up(70));
    house.offered(1, "ann");
    // The next life of the gateway knows nothing of the second call.
    house.says("gw1", dials("bob", 71, "800"));
    house.attach("gw1", 2);
    assert!(house.engine.state().own_calls.is_empty());
}

#[test]
fn an_operators_own_call_is_remembered_while_its_gateway_is_gone() {
    let mut house = House::with(&["ann"]);
    house.says("gw1", dials("ann", 70, "800"));
    house.detach("gw1");
    house.wait(secs(31));
    assert_eq!(house.facts(|it| matches!(it, Fact::GatewayGone { .. })), 1);
    // The same process is back, with the call.
    house.attach("gw1", 1);
    house.join(1);
    house.wait(secs(60));
    house.no_offer();
    house.says("gw1", hangs_up(70));
    house.offered(1, "ann");
}

#[test]
fn a_call_that_ended_while_its_gateway_was_gone_ends_in_its_backlog() {
    let mut house = House::with(&["ann"]);
    house.says("gw1", dials("ann", 70, "800"));
    house.detach("gw1");
    house.wait(secs(31));
    let last = house.journals[&name("gw1")].1 + 2;
    house.attach_with_backlog("gw1", 1, last);
    house.join(1);
    house.no_offer();
    house.says("gw1", hangs_up(70));
    house.offered(1, "ann");
    assert!(house.engine.state().own_calls.is_empty());
}

#[test]
fn a_gateway_that_never_comes_back_does_not_bind_its_operators_for_ever() {
    let mut house = House::with(&["ann"]);
    house.attach("gw2", 1);
    house.says("gw1", dials("ann", 70, "800"));
    house.detach("gw1");
    house.register_at("gw2", "ann");
    house.join_at("gw2", 1, Duration::ZERO);
    house.wait(secs(29));
    house.no_offer();
    house.wait(secs(2));
    let offer = house.offered(1, "ann");
    // Back after all: the call has gone on, and whoever comes next is not hers.
    house.attach("gw1", 1);
    let reason = RefuseReason::Busy;
    house.says("gw2", Event::Refused { offer, reason });
    assert_eq!(house.status("ann"), OperatorStatus::Ready, "not paused");
    house.wait(secs(60));
    house.no_offer();
    // The next process knows nothing of it.
    house.attach("gw1", 2);
    house.offered(1, "ann");
}

#[test]
fn unregistering_and_registering_again_keeps_pause_and_wrap_up() {
    let mut house = House::with(&["ann"]);
    let gone = Event::Presence {
        operator: who("ann"),
        lease: None,
    };
    let comes_back = |house: &mut House| {
        house.says("gw1", gone.clone());
        assert_eq!(house.status("ann"), OperatorStatus::SignedOut);
        house.restart();
        house.attach("gw1", 1);
        house.register("ann");
    };
    house.pause("ann");
    for _ in 0..2 {
        comes_back(&mut house);
        let status = house.status("ann");
        assert!(
            matches!(&status, OperatorStatus::Paused { until: None, .. }),
            "a pause lasts until somebody ends it: {status:?}"
        );
    }
    house.join(1);
    house.no_offer();
    house.set("ann", Wanted::Ready).unwrap();
    let offer = house.offered(1, "ann");
    house.answer(offer, 1);
    house.hang_up(offer, 1);
    let OperatorStatus::WrapUp { until } = house.status("ann") else {
        panic!("{:?}", house.status("ann"));
    };
    comes_back(&mut house);
    assert_eq!(house.status("ann"), OperatorStatus::WrapUp { until });
    house.says("gw1", gone.clone());
    house.wait(until.since(house.now) + secs(1));
    house.register("ann");
    assert_eq!(house.status("ann"), OperatorStatus::Ready, "it was over by then");
}

#[test]
fn a_pause_that_ended_while_the_phone_was_away_earns_no_turn() {
    let mut house = House::with(&["ann"]);
    house.join(1);
    let offer = house.offered(1, "ann");
    house.refuse(offer, RefuseReason::Ignored);
    house.leave(1);
    house.says(
        "gw1",
        Event::Presence {
            operator: who("ann"),
            lease: None,
        },
    );
    house.wait(secs(31));
    for operator in ["bob", "ann"] {
        house.register(operator);
        house.wait(secs(1));
    }
    house.join(2);
    house.offered(2, "bob");
}

#[test]
fn a_phone_that_goes_away_during_a_talk_or_an_offer_keeps_what_follows_it() {
    let mut house = House::with(&["ann"]);
    let gone = Event::Presence {
        operator: who("ann"),
        lease: None,
    };
    house.join(1);
    let offer = house.offered(1, "ann");
    house.answer(offer, 1);
    house.says("gw1", gone.clone());
    house.hang_up(offer, 1);
    assert_eq!(house.status("ann"), OperatorStatus::SignedOut);
    house.register("ann");
    let status = house.status("ann");
    assert!(matches!(status, OperatorStatus::WrapUp { .. }), "{status:?}");
    house.wait(secs(600));
    house.join(2);
    let offer = house.offered(2, "ann");
    house.says("gw1", gone.clone());
    house.refuse(offer, RefuseReason::Ignored);
    assert_eq!(house.status("ann"), OperatorStatus::SignedOut);
    house.register("ann");
    let status = house.status("ann");
    assert!(
        matches!(status, OperatorStatus::Paused { until: Some(_), .. }),
        "nobody registers a missed call away: {status:?}"
    );
}

#[test]
fn who_asks_to_be_signed_out_comes_back_ready() {
    let mut house = House::with(&["ann"]);
    house.pause("ann");
    house.set("ann", Wanted::SignedOut).unwrap();
    assert_eq!(house.status("ann"), OperatorStatus::SignedOut);
    house.set("ann", Wanted::Ready).unwrap();
    assert_eq!(house.status("ann"), OperatorStatus::Ready);
    house.pause("ann");
    let gone = Event::Presence {
        operator: who("ann"),
        lease: None,
    };
    house.says("gw1", gone);
    house.set("ann", Wanted::SignedOut).unwrap();
    house.register("ann");
    assert_eq!(
        house.status("ann"),
        OperatorStatus::Ready,
        "the pause was given up"
    );
}
