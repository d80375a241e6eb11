//! The check of the invariants is checked: it passes a house in which all is well, and names the one thing that is not.

use super::*;
use crate::engine::Agenda;
use crate::state::Index;

/// Applies a fact that the engine did not decide.
fn apply(engine: &mut Engine, fact: Fact) {
    engine.state.apply(&LedgerEntry {
        seq: engine.state.last_seq + 1,
        at: engine.now,
        cause: None,
        fact,
    });
}

fn joins(ticket: u64) -> Fact {
    Fact::Joined {
        ticket: TicketId(ticket),
        contact: crate::Contact::of_call(name("gw1"), CallId(ticket)),
        queue: support(),
        language: Language::English,
        joined_at: Time::from_secs(1_000_000),
        head_start: Duration::ZERO,
        deadline: Time::MAX,
        caller_key: None,
        regained: None,
    }
}

fn offered(ticket: u64, operator: &str) -> Fact {
    Fact::Offered {
        ticket: TicketId(ticket),
        round: None,
        operator: who(operator),
        queue: support(),
        gateway: name("gw1"),
        waited: Duration::ZERO,
        valid_until: Time::MAX,
    }
}

/// The first of these callers is offered to ann, who is the only one at work; the others wait.
fn with_callers(callers: u64) -> House {
    let mut house = House::with(&["ann"]);
    (1..=callers).for_each(|ticket| house.join(ticket));
    house
}

/// A fault by the words of its report, a house in which all is well, and how the fault comes into it.
type Fault = (&'static str, House, fn(&mut Engine));

#[test]
fn each_broken_invariant_is_reported_by_its_number() {
    let faults: [Fault; 12] = [
        ("the index differs", with_callers(2), |it| {
            it.state.index = Index::default()
        }),
        ("was due at", with_callers(2), |it| it.now += secs(86_400)),
        (
            "TicketId(2) is Some(Waiting) at a gateway that is gone",
            with_callers(2),
            |it| {
                apply(it, Fact::GatewayGone { gateway: name("gw1") });
            },
        ),
        ("7: OperatorId(ann) is Ready", House::empty(), |it| {
            apply(
                it,
                Fact::Ready {
                    operator: who("ann"),
                    since: it.now,
                },
            );
        }),
        ("3: OperatorId(ann) has two live offers", with_callers(2), |it| {
            apply(it, offered(2, "ann"));
        }),
        ("3: TicketId(1) has two live rounds", with_callers(2), |it| {
            apply(it, offered(1, "bob"));
        }),
        ("is live at a gateway that is away", with_callers(1), |it| {
            let (gateway, epoch, grace_until) = (name("gw1"), 1, Time::MAX);
            apply(
                it,
                Fact::GatewayDetached {
                    gateway,
                    epoch,
                    grace_until,
                },
            );
        }),
        (
            "4: OperatorId(ann) is ready while someone waits",
            with_callers(0),
            |it| {
                apply(it, joins(1));
            },
        ),
        ("5: TicketId(2) was overtaken by", with_callers(3), |it| {
            apply(it, offered(3, "bob"));
        }),
        (
            "6: QueueName(support) was joined 3 times, the sum is 2",
            with_callers(2),
            |it| {
                it.state.queues.get_mut(&support()).unwrap().joined += 1;
            },
        ),
        ("7: TicketId(2) waits and was never told", with_callers(1), |it| {
            apply(it, joins(2))
        }),
        ("the agenda differs", with_callers(2), |it| {
            it.agenda = Agenda::default()
        }),
    ];
    for (expected, mut house, spoil) in faults {
        assert_eq!(house.engine.check(), Ok(()));
        spoil(&mut house.engine);
        let broken = house.engine.check().unwrap_err();
        assert!(broken.contains(expected), "{expected}: {broken}");
    }
}
