//! Rounds of two offers, as ring-all would write them into a ledger: they are folded, and one answer wins. The engine itself makes
//! rounds of one offer.

use super::*;
use crate::fact::WithdrawReason;
use crate::state::{Index, TicketState};
use pronto_types::RoundId;

const TICKET: TicketId = TicketId(1);

/// The last facts of the ledger are two offers of one round for ticket 1, to ann and bob.
fn both_ring() -> (House, [OfferId; 2]) {
    let mut house = House::with(&["ann", "bob"]);
    house.pause("ann");
    house.pause("bob");
    house.join(1);
    house.sent();
    for operator in ["ann", "bob"] {
        let (operator, since) = (who(operator), house.now);
        append(&mut house, Fact::Ready { operator, since });
    }
    let first = append(&mut house, offered("ann", None));
    let second = append(&mut house, offered("bob", Some(RoundId(first))));
    house.engine = Engine::fold(house.ledger.iter().cloned());
    house.engine.check().unwrap();
    (house, [OfferId(first), OfferId(second)])
}

fn append(house: &mut House, fact: Fact) -> u64 {
    let seq = house.shadow.last_seq + 1;
    let recorded = LedgerEntry {
        seq,
        at: house.now,
        cause: None,
        fact,
    };
    house.shadow.apply(&recorded);
    house.ledger.push(recorded);
    seq
}

fn offered(operator: &str, round: Option<RoundId>) -> Fact {
    Fact::Offered {
        ticket: TICKET,
        round,
        operator: who(operator),
        queue: support(),
        gateway: name("gw1"),
        waited: Duration::ZERO,
        valid_until: Time::from_secs(1_001_000),
    }
}

fn offered_of(house: &House) -> u64 {
    house.queue().offered
}

#[test]
fn a_round_lasts_until_its_last_offer_came_to_nothing() {
    let (mut house, [first, second]) = both_ring();
    assert_eq!(
        house.engine.state().ticket_state(TICKET),
        Some(TicketState::Offered)
    );
    assert_eq!(house.engine.state().offers_of(TICKET), [first, second]);
    house.refuse(first, RefuseReason::Busy);
    assert_eq!(offered_of(&house), 1, "bob's phone rings");
    house.no_offer();
    house.refuse(second, RefuseReason::Busy);
    assert_eq!((offered_of(&house), house.queue().waiting), (0, 1));
    assert!(house.engine.state().rounds.is_empty());
}

#[test]
fn one_answer_wins_a_round_and_the_other_phone_is_quiet() {
    let (mut house, [first, second]) = both_ring();
    house.answer(second, 1);
    let state = house.engine.state();
    assert_eq!(state.ticket_state(TICKET), Some(TicketState::Connected(second)));
    assert_eq!(house.sent(), [Directive::Withdraw { offer: first }]);
    assert!(house.ledger.iter().any(|it| matches!(it.fact,
        Fact::Withdrawing { offer, reason: WithdrawReason::Superseded } if offer == first)));
    house.refuse(first, RefuseReason::Withdrawn);
    assert_eq!(house.status("ann"), OperatorStatus::Ready);
    assert_eq!(house.status("bob"), OperatorStatus::Talking);
    house.hang_up(second, 1);
    assert!(house.engine.state().rounds.is_empty());
    assert_eq!(house.queue().ended.answered, 1);
}

#[test]
fn a_caller_who_leaves_ends_all_offers_of_the_round() {
    let (mut house, [first, second]) = both_ring();
    house.leave(1);
    let withdrawn = [first, second].map(|offer| Directive::Withdraw { offer });
    assert_eq!(house.sent(), withdrawn);
}

#[test]
fn an_offer_that_joins_a_round_of_another_ticket_or_none_changes_nothing() {
    let (mut house, [first, _]) = both_ring();
    let before = house.shadow.clone();
    let mut other = offered("bob", Some(RoundId(first.0)));
    if let Fact::Offered { ticket, .. } = &mut other {
        *ticket = TicketId(2);
    }
    append(&mut house, other);
    append(&mut house, offered("bob", Some(RoundId(1))));
    assert_eq!(house.shadow.rounds, before.rounds);
    assert_eq!(house.shadow.operators, before.operators);
    assert_eq!(house.shadow.index, Index::of(&house.shadow));
}
