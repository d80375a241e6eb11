//! Announcements before and after a caller goes on waiting in another queue, and forecasts for callers who have not
//! joined yet.

use pronto_types::Forecast;
use pronto_types::link::RiseReason;

use super::*;
use crate::Announcing;
use crate::records::{AnnouncementRecord, TicketRecord};

/// The announcements made since the last look: number, ticket, whether with a wait, the reason of a longer one.
type Told = (AnnouncementId, u64, bool, Option<RiseReason>);

impl House {
    fn told_waits(&mut self) -> Vec<Told> {
        let announcement = |directive| match directive {
            Directive::Announce {
                announcement,
                ticket,
                wait,
                rise,
                ..
            } => Some((announcement, ticket.0, wait.is_some(), rise)),
            _ => None,
        };
        self.taken().into_iter().filter_map(announcement).collect()
    }

    fn hears(&mut self, announcement: AnnouncementId, ticket: u64) {
        let ticket = TicketId(ticket);
        let how = Hearing::Whole;
        self.says(
            "gw1",
            Event::Heard {
                announcement,
                ticket,
                how,
            },
        );
    }

    /// Forecasts of `support` told to each gateway; both gateways follow it from now on.
    fn outlook(&mut self) -> Vec<(String, Forecast)> {
        self.sent.clear();
        for gateway in ["gw1", "gw2"] {
            self.input(Input::Follow {
                gateway: name(gateway),
                epoch: 1,
                queues: [support()].into(),
            });
        }
        self.sent.clear();
        self.wait(secs(6));
        let told = |(gateway, directive): &(GatewayName, Directive)| match directive {
            Directive::Forecast { wait, .. } => Some((gateway.to_string(), (*wait)?)),
            _ => None,
        };
        let mut last: BTreeMap<String, Forecast> = BTreeMap::new();
        last.extend(self.sent.iter().filter_map(told));
        last.into_iter().collect()
    }

    /// Each offer made: grant, ticket, operator.
    fn offers_ever(&self) -> Vec<(OfferId, u64, String)> {
        let offered = |recorded: &LedgerEntry| match &recorded.fact {
            Fact::Offered { ticket, operator, .. } => {
                Some((OfferId(recorded.seq), ticket.0, operator.to_string()))
            }
            _ => None,
        };
        self.ledger.iter().filter_map(offered).collect()
    }

    /// The records of the call's places, when it is over.
    fn places_of(&mut self, call: u64) -> Vec<TicketRecord> {
        self.says(
            "gw1",
            Event::CallEnded {
                call: CallId(call),
                outcome: CallOutcome::Completed,
                duration: secs(20),
                digits: 0,
            },
        );
        let mut records = CallRecords::default();
        let over = self.ledger.iter().flat_map(|it| records.apply(it));
        let of = |written: Written| match written {
            Written::Call(record) if record.call == CallId(call) => Some(record.tickets),
            _ => None,
        };
        over.filter_map(of).next().unwrap()
    }
}

#[test]
fn who_would_go_on_waiting_elsewhere_at_once_is_forecast_there() {
    let mut house = House::of_two("gw1");
    let mut ticket = 0;
    while house.overflowed().is_empty() {
        ticket += 1;
        house.joins(ticket, support());
    }
    let [long, short] = [support(), sales()].map(|queue| house.engine.forecast(house.now, &queue).unwrap());
    assert_eq!((long.wait, long.position), (short.wait, short.position));
    let stays = house
        .engine
        .state
        .forecaster
        .joining(house.now, &support())
        .unwrap();
    assert!(stays.p80 > secs(600) && long.wait.unwrap().p80 + secs(30) < stays.p80);
    assert!(long.reliable);
    // And so it is: the next caller goes there.
    house.joins(ticket + 1, support());
    assert_eq!(house.overflowed().len(), 2);
    // At lunch nobody answers there.
    let mut house = House::of_two("gw1");
    house.pause("cal");
    (1..=8).for_each(|ticket| house.joins(ticket, support()));
    let [long, stays] = [
        house.engine.forecast(house.now, &support()).unwrap().wait,
        house.engine.state.forecaster.joining(house.now, &support()),
    ];
    assert_eq!(long, stays);
}

#[test]
fn flows_are_told_the_wait_elsewhere_only_where_the_gateway_can_ring_there() {
    let mut house = House::of_two("gw2");
    (1..=8).for_each(|ticket| house.joins(ticket, support()));
    assert_eq!(house.overflowed(), []);
    let told = house.outlook();
    let [(here, long), (there, short)] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!((here.as_str(), there.as_str()), ("gw1", "gw2"));
    assert!(long.p80 > secs(600) && short.p80 < secs(60), "{long:?} {short:?}");
}

#[test]
fn what_was_said_before_belongs_to_the_queue_in_which_it_was_said() {
    let mut house = House::of_two("gw1");
    house.set("cal", Wanted::SignedOut).unwrap();
    for ticket in 1..=8 {
        begins(&mut house, ticket);
        house.joins(ticket, support());
    }
    let said = house.told_waits();
    house.set("cal", Wanted::Ready).unwrap();
    house.wait(secs(5));
    let moved = house.overflowed()[0].0;
    let before = said.iter().find(|it| it.1 == moved).unwrap();
    assert!(before.2, "{said:?}");
    // What is being played goes on while the caller's place changes; the operator answers later.
    let (first, queue) = (before.0, |house: &House, it| {
        house.engine.queue_of_announcement(TicketId(moved), it).cloned()
    });
    assert_eq!(queue(&house, first), Some(support()));
    house.hears(first, moved);
    let offer = house.offers().iter().find(|it| it.1 == moved).unwrap().0;
    house.refuse(offer, RefuseReason::Busy);
    house.wait(secs(61));
    let again = house.told_waits();
    let again = again.iter().find(|it| it.1 == moved && it.2).unwrap().0;
    assert_eq!(queue(&house, again), Some(sales()));
    house.hears(again, moved);
    house.wait(secs(1));
    house.leave(moved);
    let heard = |queue: &QueueName| {
        let days = house.engine.promises(queue).unwrap();
        days.iter().map(|day| day.book.heard).sum::<u64>()
    };
    assert_eq!((heard(&support()), heard(&sales())), (1, 1));
    let places = house.places_of(moved);
    let left = places.last().unwrap().ended;
    let made = |place: &TicketRecord| -> Vec<AnnouncementRecord> { place.announcements.clone() };
    let [here, there] = &places[..] else {
        panic!("{places:?}")
    };
    assert_eq!(made(here)[0].heard, Some(Hearing::Whole), "{here:?}");
    for place in [here, there] {
        for made in made(place) {
            assert_eq!(Some(made.at + made.came.unwrap()), left, "{place:?}");
        }
    }
    let whole = |place| made(place).iter().filter(|it| it.heard.is_some()).count();
    assert_eq!((whole(here), whole(there)), (1, 1));
}

#[test]
fn to_whom_nothing_could_be_said_something_is_said_where_they_go() {
    let mut house = House::of_two("gw1");
    let mut two = two_queues();
    two.queues[0].announcing = Announcing {
        position: false,
        ..Announcing::default()
    };
    house.input(Input::Configure(two));
    house.set("ann", Wanted::SignedOut).unwrap();
    house.set("cal", Wanted::SignedOut).unwrap();
    (1..=8).for_each(|ticket| house.joins(ticket, support()));
    assert_eq!(house.told_waits(), [], "of `support` nothing is known");
    house.set("ann", Wanted::Ready).unwrap();
    house.set("cal", Wanted::Ready).unwrap();
    house.wait(secs(5));
    let moved: Vec<u64> = house.overflowed().iter().map(|it| it.0).collect();
    let told: Vec<u64> = house.told_waits().iter().map(|it| it.1).collect();
    assert!(moved.len() > 1);
    // The first is offered at once.
    for ticket in &moved[1..] {
        assert!(told.contains(ticket), "{told:?} of {moved:?}");
    }
}

#[test]
fn why_a_wait_rose_before_the_caller_went_is_said_after_it() {
    let mut house = House::empty();
    let mut three = two_queues();
    three.operators.push(OperatorSettings {
        id: who("dan"),
        queues: vec![support()],
        sign_in: SignIn::Registration,
    });
    house.input(Input::Configure(three));
    ["ann", "cal", "dan"]
        .iter()
        .for_each(|operator| house.register(operator));
    (101..=102).for_each(|ticket| house.joins(ticket, sales()));
    (1..=8).for_each(|ticket| house.joins(ticket, support()));
    assert_eq!(house.overflowed(), []);
    house.told_waits();
    let offers = house.offers_ever();
    for (offer, ticket, _) in &offers {
        house.answer(*offer, *ticket);
    }
    house.set("dan", Wanted::SignedOut).unwrap();
    let (offer, ticket, _) = offers.iter().find(|it| it.2 == "dan").unwrap();
    house.hang_up(*offer, *ticket);
    assert_eq!(house.status("dan"), OperatorStatus::SignedOut);
    house.wait(secs(130));
    let went = house.ledger.iter().enumerate();
    let went = went.filter_map(|(place, it)| match it.fact {
        Fact::Overflowed { ticket, .. } => Some((place, ticket)),
        _ => None,
    });
    let next = |(place, moved): (usize, TicketId)| {
        let said = house.ledger[place..].iter();
        let mut rises = said.filter_map(|it| match it.fact {
            Fact::Announced { ticket, rise, .. } if ticket == moved => Some(rise),
            _ => None,
        });
        rises.next()?
    };
    let rises: Vec<RiseReason> = went.filter_map(next).collect();
    assert!(!rises.is_empty());
    assert!(
        rises.iter().all(|rise| *rise == RiseReason::FewerOperators),
        "{rises:?}"
    );
}
