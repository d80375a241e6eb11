//! Epochs: which process of a gateway is taken, and how a spoilt one is repaired.

use super::*;
use crate::Refusal;
use crate::limits::EPOCH_STEP;

fn hello(house: &mut House, epoch: u64, instance: u64) -> Option<Refusal> {
    house.other.clear();
    house.input(Input::Attached {
        gateway: name("gw1"),
        epoch,
        last: 0,
        instance,
    });
    house.other.iter().find_map(|output| match output {
        Output::Refuse { reason, .. } => Some(*reason),
        _ => None,
    })
}

#[test]
fn an_epoch_far_above_the_known_one_is_refused_and_shuts_nobody_out() {
    let mut house = House::empty();
    house.detach("gw1");
    for far in [u64::MAX, u64::MAX - 1, 2 + EPOCH_STEP] {
        let refused = hello(&mut house, far, 9);
        assert_eq!(refused, Some(Refusal::EpochTooHigh { highest: 1 }), "{far}");
    }
    assert_eq!(hello(&mut house, 2, 3), None, "the real gateway's next process");
    assert_eq!(hello(&mut house, 2 + EPOCH_STEP, 4), None, "as far as may be");
}

#[test]
fn a_gateway_that_was_never_here_begins_near_nothing() {
    let mut house = House::empty();
    let gateway = name("gw2");
    house.input(Input::Attached {
        gateway: gateway.clone(),
        epoch: u64::MAX,
        last: 0,
        instance: 1,
    });
    assert_eq!(house.engine.epoch_of(&gateway), None);
    assert!(matches!(
        house.other.last(),
        Some(Output::Refuse {
            reason: Refusal::EpochTooHigh { highest: 0 },
            ..
        })
    ));
}

#[test]
fn a_refused_process_hears_the_highest_epoch() {
    let mut house = House::empty();
    house.attach("gw1", 7);
    house.detach("gw1");
    let refused = Some(Refusal::OldEpoch { highest: 7 });
    assert_eq!(hello(&mut house, 1, 5), refused, "its journal was lost");
    assert_eq!(hello(&mut house, 8, 5), None, "it goes above");
}

#[test]
fn another_process_in_the_same_epoch_does_not_go_on_with_anothers_journal() {
    let mut house = House::with(&["ann"]);
    house.join(1);
    house.detach("gw1");
    // A backup of the gateway was restored: the epoch is the same, the journal is not.
    let refused = Some(Refusal::OldEpoch { highest: 1 });
    assert_eq!(hello(&mut house, 1, 99), refused);
    // The same process, after a break of the link.
    assert_eq!(hello(&mut house, 1, 1), None);
    // One that does not tell is believed, as before there was anything to tell.
    assert_eq!(hello(&mut house, 1, 0), None);
}

#[test]
fn a_restarted_queue_still_knows_the_process() {
    let mut house = House::empty();
    house.restart();
    assert_eq!(hello(&mut house, 1, 1), None);
    house.restart();
    assert_eq!(hello(&mut house, 1, 2), Some(Refusal::OldEpoch { highest: 1 }));
}

#[test]
fn a_reset_gateway_begins_at_its_own_epoch_and_what_it_held_is_lost() {
    let mut house = House::with(&["ann", "bob"]);
    house.join(1);
    let talk = house.offered(1, "ann");
    house.answer(talk, 1);
    house.pause("bob");
    house.join(2);
    house.attach("gw1", 1 << 20);
    house.register("ann");
    house.join(3);
    house.restart();
    let gateway = name("gw1");
    house.input(Input::ResetGateway { gateway });
    assert_eq!(house.queue().waiting + house.queue().offered, 0);
    assert_eq!(house.queue().ended.lost, 3);
    assert_eq!(house.status("ann"), OperatorStatus::SignedOut);
    let old = Some(Refusal::OldEpoch { highest: 0 });
    assert_eq!(
        hello(&mut house, 3, 0),
        old,
        "what an earlier process left may be known"
    );
    assert_eq!(hello(&mut house, 4, 77), None, "the epoch its own store counts");
    // And the numbers of its journal begin again.
    house.journals.insert(name("gw1"), (4, 0));
    house.register("ann");
    // The talk that was lost has its wrap-up.
    house.wait(secs(10));
    house.sent();
    house.join(4);
    house.offered(4, "ann");
    let unknown = name("gw9");
    let before = house.ledger.len();
    house.input(Input::ResetGateway { gateway: unknown });
    assert_eq!(house.ledger.len(), before);
}
