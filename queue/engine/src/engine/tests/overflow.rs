//! A caller who would wait too long in `support`, where `ann` is busy, goes on waiting in `sales`, which `cal` serves.

mod back;
mod told;

use super::*;
use crate::Overflow;
use crate::records::{CallRecords, TicketOutcome, Written};

fn sales() -> QueueName {
    QueueName::new("sales").unwrap()
}

/// `support` overflows to `sales` where eight of ten would wait longer than 10 minutes, and back.
fn two_queues() -> Configuration {
    let queue = |name: QueueName, to: QueueName| QueueSettings {
        overflow: Some(Overflow { to, wait: secs(600) }),
        ..QueueSettings::new(name)
    };
    let mut two = configuration();
    two.queues = vec![queue(support(), sales()), queue(sales(), support())];
    two.operators[1].id = who("cal");
    two.operators[1].queues = vec![sales()];
    two
}

impl House {
    /// With `ann` and `cal` ready, `cal` at this gateway.
    fn of_two(cal: &str) -> Self {
        let mut house = House::empty();
        house.input(Input::Configure(two_queues()));
        house.register("ann");
        if cal != "gw1" {
            house.attach(cal, 1);
        }
        house.register_at(cal, "cal");
        house.wait(secs(1));
        house
    }

    fn joins(&mut self, ticket: u64, queue: QueueName) {
        let mut event = joined(ticket, ticket, None);
        if let Event::Joined { queue: into, .. } = &mut event {
            *into = queue;
        }
        self.says("gw1", event);
    }

    /// Tickets that overflowed, in order, with both waits.
    fn overflowed(&self) -> Vec<(u64, Duration, Duration)> {
        let overflowed = |recorded: &LedgerEntry| match &recorded.fact {
            Fact::Overflowed {
                ticket, here, there, ..
            } => Some((ticket.0, here.p80, there.p80)),
            _ => None,
        };
        self.ledger.iter().filter_map(overflowed).collect()
    }

    fn waiting_in(&self, queue: &QueueName) -> u64 {
        self.engine.queue(queue).unwrap().waiting
    }
}

#[test]
fn a_caller_who_would_wait_too_long_is_served_where_it_is_sooner() {
    let mut house = House::of_two("gw1");
    house.joins(1, support());
    house.offered(1, "ann");
    // Talks are believed to last 4 minutes: the second caller and the third wait for less than 10.
    let mut ticket = 1;
    while house.overflowed().is_empty() {
        ticket += 1;
        assert!(ticket < 10, "nobody overflows");
        house.joins(ticket, support());
    }
    assert!(ticket > 2);
    let [(moved, here, there)] = house.overflowed()[..] else {
        panic!("{:?}", house.overflowed())
    };
    assert_eq!(moved, ticket);
    assert!(here > secs(600) && there < secs(60), "{here:?} {there:?}");
    let offer = house.offered(ticket, "cal");
    let grant = house.ledger.iter().rev().find_map(|it| match &it.fact {
        Fact::Offered { queue, waited, .. } => Some((queue.clone(), *waited)),
        _ => None,
    });
    assert_eq!(grant, Some((sales(), Duration::ZERO)));
    house.answer(offer, ticket);
    house.hang_up(offer, ticket);
    let [from, to] = [support(), sales()].map(|queue| house.engine.queue(&queue).unwrap());
    assert_eq!((from.joined, from.ended.moved), (ticket, 1));
    assert_eq!((to.joined, to.ended.answered), (1, 1));
}

#[test]
fn nobody_goes_where_it_is_not_clearly_sooner_or_nobody_could_ring() {
    // `cal` is at another gateway.
    let mut house = House::of_two("gw2");
    (1..=20).for_each(|ticket| house.joins(ticket, support()));
    house.wait(secs(60));
    assert_eq!(house.overflowed(), []);
    // `sales` is as long.
    let mut house = House::of_two("gw1");
    (1..=8).for_each(|ticket| house.joins(100 + ticket, sales()));
    let before = house.overflowed().len();
    (1..=4).for_each(|ticket| house.joins(ticket, support()));
    house.wait(secs(60));
    assert_eq!(house.overflowed().len(), before, "{:?}", house.overflowed());
    // Nobody serves `sales`: nothing is known.
    let mut house = House::of_two("gw1");
    house.set("cal", Wanted::SignedOut).unwrap();
    (1..=20).for_each(|ticket| house.joins(ticket, support()));
    house.wait(secs(20));
    assert_eq!(house.overflowed(), []);
}

#[test]
fn nobody_goes_while_their_gateway_is_away() {
    let mut house = House::of_two("gw2");
    house.register_at("gw1", "cal");
    house.pause("cal");
    (1..=8).for_each(|ticket| house.joins(ticket, support()));
    house.detach("gw1");
    house.set("cal", Wanted::Ready).unwrap();
    house.wait(secs(20));
    assert_eq!(house.overflowed(), []);
    house.attach("gw1", 1);
    house.wait(secs(5));
    assert!(!house.overflowed().is_empty());
}

#[test]
fn as_it_grows_longer_there_no_more_go_than_it_serves_and_nobody_goes_twice() {
    let mut house = House::of_two("gw1");
    (1..=30).for_each(|ticket| house.joins(ticket, support()));
    house.wait(secs(120));
    let moved = house.overflowed();
    assert!((5..25).contains(&moved.len()), "{moved:?}");
    for (_, here, there) in &moved {
        assert!(*here > secs(600) && *there + secs(30) <= *here);
    }
    // Now `sales` loses its operator for a break, and `support`'s queue gets short: nobody who came goes back.
    house.pause("cal");
    let mut seen: Vec<u64> = moved.iter().map(|(ticket, ..)| *ticket).collect();
    for (offer, ticket, _) in house.offers() {
        house.answer(offer, ticket);
    }
    for ticket in 1..=12 {
        if !seen.contains(&ticket) {
            house.leave(ticket);
        }
    }
    house.wait(secs(600));
    seen = house.overflowed().iter().map(|(ticket, ..)| *ticket).collect();
    let distinct: std::collections::BTreeSet<u64> = seen.iter().copied().collect();
    assert_eq!(distinct.len(), seen.len(), "twice: {seen:?}");
}

#[test]
fn who_waits_already_goes_too_the_oldest_of_those_first_and_behind_who_waits_there() {
    let mut house = House::of_two("gw1");
    house.set("cal", Wanted::SignedOut).unwrap();
    (1..=8).for_each(|ticket| house.joins(ticket, support()));
    house.wait(secs(20));
    house.joins(100, sales());
    assert_eq!(house.overflowed(), [], "of `sales` nothing is known");
    house.offers();
    house.set("cal", Wanted::Ready).unwrap();
    assert_eq!(house.offers()[0].1, 100, "who waited there first");
    house.wait(secs(5));
    let order: Vec<u64> = house.overflowed().iter().map(|(ticket, ..)| *ticket).collect();
    assert!(!order.is_empty() && order.is_sorted(), "{order:?}");
    let first = order[0];
    assert_eq!(house.engine.queue_of(TicketId(first)), Some(&sales()));
}

#[test]
fn a_restart_and_a_lost_gateway_leave_the_caller_where_they_went() {
    let mut house = House::of_two("gw1");
    (1..=20).for_each(|ticket| house.joins(ticket, support()));
    house.wait(secs(10));
    let waits: Vec<u64> = house.overflowed().iter().map(|it| it.0).collect();
    let (there, last) = (house.waiting_in(&sales()), *waits.last().unwrap());
    assert!(there > 1, "{waits:?}");
    house.engine = Engine::fold(house.ledger.iter().cloned());
    house.input(Input::Started);
    house.input(Input::Configure(two_queues()));
    house.attach("gw1", 1);
    assert_eq!(house.waiting_in(&sales()), there);
    // Its gateway is away for too long, and knows only of the queue that the flow named.
    house.detach("gw1");
    house.wait(secs(40));
    assert_eq!(
        house.engine.queue_of(TicketId(last)),
        Some(&sales()),
        "remembered"
    );
    house.attach("gw1", 1);
    assert!(house.sent().contains(&Directive::Rejoin {
        ticket: TicketId(last)
    }));
    house.says("gw1", joined(900, last, Some(last)));
    assert_eq!(house.engine.queue_of(TicketId(900)), Some(&sales()));
}

fn begins(house: &mut House, call: u64) {
    house.says(
        "gw1",
        Event::CallBegan {
            call: CallId(call),
            dialled: "800".into(),
            caller: Caller {
                number: None,
                name: None,
            },
            origin: Origin::Trunk(TrunkName::new("carrier").unwrap()),
        },
    );
}

#[test]
fn the_record_has_both_places_and_the_whole_wait() {
    let mut house = House::of_two("gw1");
    for call in 1..=8 {
        begins(&mut house, call);
        house.joins(call, support());
    }
    let (ticket, ..) = house.overflowed()[0];
    house.wait(secs(20));
    house.leave(ticket);
    house.says(
        "gw1",
        Event::CallEnded {
            call: CallId(ticket),
            outcome: CallOutcome::CallerHungUp,
            duration: secs(20),
            digits: 0,
        },
    );
    let mut records = CallRecords::default();
    let over: Vec<Written> = house.ledger.iter().flat_map(|it| records.apply(it)).collect();
    let [Written::Call(record)] = &over[..] else {
        panic!("{over:?}")
    };
    let [here, there] = &record.tickets[..] else {
        panic!("{record:?}")
    };
    assert_eq!(
        (&here.queue, here.outcome),
        (&support(), Some(TicketOutcome::Moved))
    );
    assert_eq!(
        (&there.queue, there.overflowed.as_ref()),
        (&sales(), Some(&support()))
    );
    assert_eq!((here.ticket, here.joined), (there.ticket, there.joined));
    assert_eq!(there.waited, Some(secs(20)), "{there:?}");
}

#[test]
fn an_operator_at_lunch_does_not_serve_who_would_come() {
    let mut house = House::of_two("gw1");
    house.pause("cal");
    (1..=20).for_each(|ticket| house.joins(ticket, support()));
    house.wait(secs(60));
    assert_eq!(house.overflowed(), []);
    house.set("cal", Wanted::Ready).unwrap();
    house.wait(secs(5));
    assert!(!house.overflowed().is_empty());
}

#[test]
fn who_joins_does_not_go_before_who_has_waited_too_long_already() {
    let mut house = House::of_two("gw1");
    house.pause("cal");
    (1..=8).for_each(|ticket| house.joins(ticket, support()));
    house.wait(secs(22));
    assert_eq!(house.overflowed(), []);
    house.set("cal", Wanted::Ready).unwrap();
    house.joins(9, support());
    house.wait(secs(5));
    let order: Vec<u64> = house.overflowed().iter().map(|(ticket, ..)| *ticket).collect();
    assert!(
        !order.is_empty() && order.is_sorted() && order[0] < 9,
        "{order:?}"
    );
}
