//! An operator's phone is lost in the middle of a talk.

use super::*;
use crate::fact::{Cause, PauseReason};
use crate::records::TicketOutcome;
use crate::records::{CallRecords, Written};

impl House {
    /// The gateway reports the loss, and the caller, who joined `waited` ago, joins again under another ticket.
    fn lose(&mut self, offer: OfferId, (ticket, again): (u64, u64), waited: Duration) {
        let lost = TicketId(ticket);
        self.says("gw1", Event::OperatorLost { offer, ticket: lost });
        self.says_late("gw1", joined(again, ticket, Some(ticket)), waited);
    }
}

#[test]
fn a_caller_whose_operator_is_lost_is_offered_before_all_others() {
    let mut house = House::with(&["ann", "bob"]);
    house.join(1);
    let offer = house.offered(1, "ann");
    house.answer(offer, 1);
    house.pause("bob");
    house.wait(secs(60));
    for ticket in [2, 3] {
        house.join(ticket);
        house.wait(secs(10));
    }
    house.lose(offer, (1, 11), secs(80));
    assert_eq!((house.queue().waiting, house.queue().connected), (3, 0));
    house.no_offer();
    house.set("bob", Wanted::Ready).unwrap();
    house.offered(11, "bob");
    // One caller, two places: the first was lost, the second is offered.
    let queue = house.queue();
    assert_eq!((queue.joined, queue.ended.lost, queue.offered), (4, 1, 1));
}

#[test]
fn an_operator_whose_phone_is_lost_is_paused_like_one_who_did_not_answer() {
    let mut house = House::with(&["ann"]);
    house.join(1);
    let offer = house.offered(1, "ann");
    house.answer(offer, 1);
    house.wait(secs(20));
    house.lose(offer, (1, 11), secs(20));
    house.no_offer();
    let OperatorStatus::Paused { reason, until } = house.status("ann") else {
        panic!("expected a pause, found {:?}", house.status("ann"));
    };
    assert_eq!(
        (reason, until),
        (PauseReason::PhoneLost, Some(house.now + secs(30)))
    );
    assert_eq!(
        house.facts(|fact| matches!(fact, Fact::Refused { .. })),
        0,
        "no miss"
    );
    house.wait(secs(30));
    house.offered(11, "ann");
}

#[test]
fn an_operator_whose_lost_phone_was_the_only_one_is_signed_out_and_no_caller_is_lost() {
    for presence_first in [true, false] {
        let mut house = House::with(&["ann"]);
        house.join(1);
        let offer = house.offered(1, "ann");
        house.answer(offer, 1);
        let gone = Event::Presence {
            operator: who("ann"),
            lease: None,
        };
        if presence_first {
            house.says("gw1", gone.clone());
        }
        house.lose(offer, (1, 11), secs(0));
        if !presence_first {
            house.says("gw1", gone);
        }
        house.no_offer();
        assert_eq!(house.status("ann"), OperatorStatus::SignedOut);
        house.wait(secs(5));
        house.register("ann");
        // A phone that was just lost is not trusted for as long as one that nobody answered.
        house.no_offer();
        house.wait(secs(30));
        house.offered(11, "ann");
    }
}

#[test]
fn a_wait_after_a_lost_operator_has_a_max_wait_of_its_own() {
    let mut house = House::with(&["ann"]);
    house.join(1);
    let offer = house.offered(1, "ann");
    house.answer(offer, 1);
    // The talk lasts longer than a caller may wait.
    house.wait(secs(2_000));
    house.register("ann");
    house.pause("ann");
    house.lose(offer, (1, 11), secs(2_000));
    assert_eq!(house.sent(), []);
    house.wait(secs(1_799));
    assert_eq!(house.sent(), []);
    house.wait(secs(1));
    assert_eq!(house.sent(), [exit(11, ExitReason::TimedOut)]);
}

#[test]
fn an_operator_lost_while_the_link_was_down_is_known_when_it_is_back() {
    for away in [secs(20), secs(90)] {
        let mut house = House::with(&["ann", "bob"]);
        house.join(1);
        let offer = house.offered(1, "ann");
        house.answer(offer, 1);
        house.detach("gw1");
        house.wait(away);
        let last = house.journals[&name("gw1")].1 + 2;
        house.attach_with_backlog("gw1", 1, last);
        house.says_late(
            "gw1",
            Event::OperatorLost {
                offer,
                ticket: TicketId(1),
            },
            secs(10),
        );
        house.says_late("gw1", joined(11, 1, Some(1)), away);
        // Nobody reconnects a talk that is over.
        house.offered(11, "bob");
        assert_eq!(house.facts(|fact| matches!(fact, Fact::Reconnected { .. })), 0);
    }
}

#[test]
fn a_loss_that_was_never_a_talk_changes_nothing() {
    let mut house = House::with(&["ann"]);
    house.join(1);
    let offer = house.offered(1, "ann");
    for (offer, ticket) in [(offer, 1), (offer, 2), (OfferId(9_999), 1)] {
        let ticket = TicketId(ticket);
        house.says("gw1", Event::OperatorLost { offer, ticket });
    }
    assert_eq!(house.queue().offered, 1);
    house.answer(offer, 1);
    house.attach("gw2", 1);
    let ticket = TicketId(1);
    house.says("gw2", Event::OperatorLost { offer, ticket });
    assert_eq!(house.queue().connected, 1, "another gateway's");
}

#[test]
fn the_record_tells_a_lost_operator_from_a_talk_that_ended() {
    let mut house = House::with(&["ann", "bob"]);
    let began = Event::CallBegan {
        call: CallId(1),
        dialled: "800".into(),
        caller: Caller {
            number: None,
            name: None,
        },
        origin: Origin::Trunk(TrunkName::new("carrier").unwrap()),
    };
    house.says("gw1", began);
    house.join(1);
    let offer = house.offered(1, "ann");
    house.wait(secs(3));
    house.answer(offer, 1);
    house.wait(secs(40));
    house.lose(offer, (1, 11), secs(43));
    let offer = house.offered(11, "bob");
    house.wait(secs(2));
    house.answer(offer, 11);
    house.wait(secs(25));
    house.hang_up(offer, 11);
    house.says(
        "gw1",
        Event::CallEnded {
            call: CallId(1),
            outcome: CallOutcome::Completed,
            duration: secs(70),
            digits: 0,
        },
    );
    let mut records = CallRecords::default();
    let written: Vec<Written> = house.ledger.iter().flat_map(|it| records.apply(it)).collect();
    let [Written::Call(record)] = written.as_slice() else {
        panic!("expected one record, found {written:?}");
    };
    let told: Vec<_> = record
        .tickets
        .iter()
        .map(|it| (it.outcome, it.operator.clone(), it.waited, it.talked, it.regained))
        .collect();
    let (lost, answered) = (TicketOutcome::OperatorLost, TicketOutcome::Answered);
    assert_eq!(
        told,
        [
            (Some(lost), Some(who("ann")), Some(secs(3)), Some(secs(40)), None),
            (
                Some(answered),
                Some(who("bob")),
                Some(secs(2)),
                Some(secs(25)),
                Some(TicketId(1))
            ),
        ]
    );
}

#[test]
fn a_caller_whose_phone_is_lost_has_not_given_up() {
    let mut house = House::empty();
    house.register("ann");
    house.pause("ann");
    house.join(1);
    house.wait(secs(10));
    house.says(
        "gw1",
        Event::Left {
            ticket: TicketId(1),
            reason: LeaveReason::PeerLost,
        },
    );
    let ended = house.queue().ended;
    assert_eq!((ended.lost, ended.abandoned), (1, 0));
}

/// A caller who waited 10 s, talked 300 s to `ann`, was lost and has waited 5 s. Another
/// has waited 10 s.
fn lost_after_a_long_talk() -> House {
    let mut house = House::with(&["ann"]);
    house.pause("ann");
    house.join(1);
    house.wait(secs(10));
    house.set("ann", Wanted::Ready).unwrap();
    let offer = house.offered(1, "ann");
    house.answer(offer, 1);
    house.wait(secs(295));
    house.join(2);
    house.wait(secs(5));
    house.lose(offer, (1, 11), secs(310));
    house.wait(secs(5));
    house
}

#[test]
fn a_talk_before_a_lost_operator_does_not_count_as_waiting() {
    let mut house = lost_after_a_long_talk();
    let waits = |house: &House, ticket| house.engine.waits_since(TicketId(ticket)).unwrap();
    assert_eq!(waits(&house, 11), house.now - secs(5));
    assert_eq!(waits(&house, 2), house.now - secs(10));
    assert_eq!(
        house.queue().longest_since,
        Some(house.now - secs(10)),
        "not of who is first"
    );
    let waiting: Vec<_> = house
        .engine
        .waiting()
        .map(|(ticket, _, since)| (ticket.0, since))
        .collect();
    assert_eq!(waiting, [(2, house.now - secs(10)), (11, house.now - secs(5))]);
    // The seniority is kept, and the operator's display shows the wait.
    house.register("bob");
    let sent = house.sent();
    let [Directive::Offer { ticket, waited, .. }] = sent.as_slice() else {
        panic!("expected one offer, found {sent:?}");
    };
    assert_eq!((*ticket, *waited), (TicketId(11), secs(5)));
}

#[test]
fn a_talk_before_a_lost_operator_does_not_count_after_a_restart_or_another_loss() {
    let mut house = lost_after_a_long_talk();
    let since = house.now - secs(5);
    house.restart();
    assert_eq!(
        house.engine.waits_since(TicketId(11)),
        Some(since),
        "folded from the ledger"
    );
    // The link was away for longer than the grace: the caller joins once more, with the age of the first joining.
    house.attach("gw1", 1);
    house.detach("gw1");
    house.wait(secs(60));
    house.attach("gw1", 1);
    house.says_late("gw1", joined(12, 1, Some(11)), secs(375));
    assert_eq!(house.engine.waits_since(TicketId(12)), Some(since));
    let mut records = CallRecords::default();
    let began = LedgerEntry {
        seq: 0,
        at: Time::ZERO,
        cause: Some(Cause {
            gateway: name("gw1"),
            epoch: 1,
            number: 0,
        }),
        fact: Fact::CallBegan {
            call: CallId(1),
            dialled: "800".into(),
            origin: Origin::Trunk(TrunkName::new("carrier").unwrap()),
        },
    };
    records.apply(&began);
    for recorded in &house.ledger {
        records.apply(recorded);
    }
    let record = records.open().next().unwrap();
    let joined: Vec<_> = record.tickets.iter().map(|it| (it.ticket.0, it.joined)).collect();
    let first = since - secs(310);
    assert_eq!(joined, [(1, first), (11, since), (12, since)]);
}
