//! A gateway that lies: whatever it says, in whatever order, nothing panics and no invariant breaks.

use proptest::prelude::*;

use super::*;
use pronto_types::link::{CallOutcome, Origin};

fn event() -> impl Strategy<Value = Event> {
    // Few names and numbers, so that they meet; the offers are the sequences of the first facts.
    let id = || 1..6u64;
    let offer = || (1..60u64).prop_map(OfferId);
    let operator = || prop_oneof![Just(who("ann")), Just(who("bob")), Just(who("eve"))];
    let caller = || Caller {
        number: None,
        name: None,
    };
    prop_oneof![
        4 => (id(), id(), prop::option::of(id())).prop_map(|(ticket, call, old)| joined(ticket, call, old)),
        2 => id().prop_map(|ticket| Event::Left { ticket: TicketId(ticket), reason: LeaveReason::Key }),
        3 => (offer(), id()).prop_map(|(offer, ticket)| Event::Answered { offer, ticket: TicketId(ticket) }),
        2 => (offer(), id()).prop_map(|(offer, ticket)| Event::TalkEnded { offer, ticket: TicketId(ticket) }),
        2 => offer().prop_map(|offer| Event::Refused { offer, reason: RefuseReason::Ignored }),
        1 => offer().prop_map(|offer| Event::Refused { offer, reason: RefuseReason::Withdrawn }),
        1 => offer().prop_map(|offer| Event::Ringing { offer }),
        3 => (operator(), prop::option::of(0..200u64)).prop_map(|(operator, lease)| {
            Event::Presence { operator, lease: lease.map(secs) }
        }),
        1 => Just(Event::Presence { operator: who("ann"), lease: Some(Duration::MAX) }),
        1 => id().prop_map(move |call| Event::CallBegan {
            call: CallId(call),
            dialled: "8".repeat(200),
            caller: caller(),
            origin: Origin::Trunk(TrunkName::new("carrier").unwrap()),
        }),
        1 => id().prop_map(|call| Event::CallEnded {
            call: CallId(call),
            outcome: CallOutcome::PeerLost,
            duration: Duration::MAX,
            digits: u32::MAX,
        }),
        1 => (id(), id()).prop_map(|(call, ticket)| Event::Recorded {
            call: CallId(call),
            ticket: TicketId(ticket),
            file: "../".repeat(100),
            duration: Duration::MAX,
            flaw: None,
        }),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Says(&'static str, u64, Event),
    Late(&'static str, Event),
    Wait(u64),
    Attach(&'static str, u64, u64),
    Detach(&'static str, u64),
    Set(&'static str, Wanted),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let gateway = || prop_oneof![3 => Just("gw1"), 1 => Just("gw2")];
    let operator = || prop_oneof![Just("ann"), Just("bob"), Just("eve")];
    let wanted = prop_oneof![
        2 => Just(Wanted::Ready),
        1 => Just(Wanted::Paused { reason: "x".repeat(100) }),
        1 => Just(Wanted::SignedOut),
    ];
    prop_oneof![
        10 => (gateway(), 0..100u64, event()).prop_map(|(gateway, age, event)| Step::Says(gateway, age, event)),
        1 => (gateway(), event()).prop_map(|(gateway, event)| Step::Late(gateway, event)),
        3 => (0..40u64).prop_map(Step::Wait),
        2 => (gateway(), 0..3u64, 0..30u64).prop_map(|(gateway, epoch, last)| Step::Attach(gateway, epoch, last)),
        1 => (gateway(), 0..3u64).prop_map(|(gateway, epoch)| Step::Detach(gateway, epoch)),
        2 => (operator(), wanted).prop_map(|(operator, wanted)| Step::Set(operator, wanted)),
        1 => Just(Step::Restart),
    ]
}

fn take(house: &mut House, step: Step) {
    match step {
        Step::Says(gateway, age, event) => says(house, gateway, secs(age), event),
        Step::Late(gateway, event) => says(house, gateway, Duration::MAX, event),
        Step::Wait(time) => house.wait(secs(time)),
        Step::Attach(gateway, epoch, last) => house.attach_with_backlog(gateway, epoch, last),
        Step::Detach(gateway, epoch) => house.input(Input::Detached {
            gateway: name(gateway),
            epoch,
        }),
        Step::Set(operator, wanted) => {
            let _ = house.set(operator, wanted);
        }
        Step::Restart => house.restart(),
    }
}

/// The next entry, as far as the engine is concerned.
fn says(house: &mut House, gateway: &str, age: Duration, event: Event) {
    let known = house.engine.state().gateways.get(&name(gateway));
    let (epoch, have) = known.map_or((1, 0), |it| (it.epoch, it.have));
    house.entry(gateway, epoch, have + 1, age, event);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_gateway_that_lies_breaks_nothing(steps in prop::collection::vec(step(), 1..80)) {
        let mut house = House::with(&["ann", "bob"]);
        for step in steps {
            take(&mut house, step);
        }
    }
}
