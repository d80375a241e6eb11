//! A caller who overflowed and finds nobody there any more comes back; a place there can be regained.

use super::*;

impl House {
    /// `cal` has a call, and who overflowed waits behind it in `sales`: their tickets, in order.
    fn waiting_elsewhere(&mut self) -> Vec<u64> {
        for ticket in 1..=20 {
            self.joins(ticket, support());
            self.wait(Duration::from_millis(10));
        }
        let offers = self.offers();
        for (offer, ticket, _) in &offers {
            self.answer(*offer, *ticket);
        }
        let there = |ticket: &u64| !offers.iter().any(|(_, offered, _)| offered == ticket);
        let waiting = self.overflowed().iter().map(|it| it.0).filter(there).collect();
        assert_eq!(self.status("cal"), OperatorStatus::Talking);
        waiting
    }

    /// `cal`'s call ends, and `cal` goes home.
    fn cal_goes(&mut self) {
        self.set("cal", Wanted::SignedOut).unwrap();
        self.cal_hangs_up();
        assert_eq!(self.status("cal"), OperatorStatus::SignedOut);
    }

    fn cal_hangs_up(&mut self) {
        let talk = |it: &LedgerEntry| match &it.fact {
            Fact::Answered {
                offer,
                ticket,
                operator,
                ..
            } if *operator == who("cal") => Some((*offer, ticket.0)),
            _ => None,
        };
        let (offer, ticket) = self.ledger.iter().find_map(talk).unwrap();
        self.hang_up(offer, ticket);
    }

    fn sent_back(&self) -> Vec<u64> {
        let sent_back = |recorded: &LedgerEntry| match &recorded.fact {
            Fact::SentBack { ticket, queue, to } => {
                assert_eq!((queue, to), (&sales(), &support()));
                Some(ticket.0)
            }
            _ => None,
        };
        self.ledger.iter().filter_map(sent_back).collect()
    }

    /// Tickets waiting in a queue, in the engine's order, with which the forecast agrees.
    fn line(&self, queue: &QueueName) -> Vec<u64> {
        let state = self.engine.state();
        let mut line: Vec<_> = state
            .tickets
            .iter()
            .filter(|(_, it)| it.queue == *queue)
            .collect();
        line.retain(|(id, _)| state.is_waiting(**id));
        line.sort_by_key(|(id, it)| it.rank(**id));
        let line: Vec<u64> = line.into_iter().map(|(id, _)| id.0).collect();
        let forecast = state.forecaster.line(self.now, queue);
        let forecast: Vec<u64> = forecast.iter().map(|(ticket, _)| ticket.0).collect();
        assert!(forecast.is_empty() || forecast == line, "{forecast:?} {line:?}");
        line
    }
}

#[test]
fn who_finds_nobody_there_any_more_is_back_in_their_place_at_home() {
    let mut house = House::of_two("gw1");
    let went = house.waiting_elsewhere();
    let before = house.line(&support());
    house.cal_goes();
    house.sent();
    house.wait(two_queues().queues[1].nobody_after);
    assert_eq!(house.sent(), []);
    assert_eq!(house.sent_back(), went);
    let mut home = [before, went.clone()].concat();
    home.sort_unstable();
    assert_eq!(house.line(&support()), home, "in the order of their joining");
    let [from, to] = [support(), sales()].map(|queue| house.engine.queue(&queue).unwrap());
    assert_eq!((to.waiting, to.ended.moved), (0, went.len() as u64));
    assert_eq!(from.joined, 20 + went.len() as u64);
    // Once is enough, whoever comes to `sales` again.
    house.set("cal", Wanted::Ready).unwrap();
    house.wait(secs(20));
    let again = house.overflowed();
    assert!(
        !again[went.len() + 1..].iter().any(|it| went.contains(&it.0)),
        "{again:?}"
    );
}

#[test]
fn who_is_sent_back_has_one_place_more_in_the_record() {
    let mut house = House::of_two("gw1");
    let mut records = CallRecords::default();
    let origin = Origin::Trunk(TrunkName::new("carrier").unwrap());
    for call in 1..=20 {
        let caller = Caller {
            number: None,
            name: None,
        };
        let (dialled, origin) = ("800".into(), origin.clone());
        house.says(
            "gw1",
            Event::CallBegan {
                call: CallId(call),
                dialled,
                caller,
                origin,
            },
        );
    }
    let ticket = house.waiting_elsewhere()[0];
    house.cal_goes();
    house.wait(two_queues().queues[1].nobody_after);
    house.ledger.iter().for_each(|it| drop(records.apply(it)));
    let record = records.open().find(|it| it.call == CallId(ticket)).unwrap();
    let queues: Vec<_> = record.tickets.iter().map(|it| (&it.queue, it.outcome)).collect();
    let moved = Some(TicketOutcome::Moved);
    assert_eq!(
        queues,
        [(&support(), moved), (&sales(), moved), (&support(), None)]
    );
}

#[test]
fn where_nobody_is_at_home_either_they_are_sent_on() {
    let mut house = House::of_two("gw1");
    let went = house.waiting_elsewhere();
    house.set("ann", Wanted::SignedOut).unwrap();
    for (offer, ticket) in house.talks() {
        house.hang_up(offer, ticket);
    }
    house.wait(secs(1));
    house.set("cal", Wanted::SignedOut).unwrap();
    house.sent();
    house.wait(two_queues().queues[1].nobody_after + secs(1));
    assert_eq!(house.sent_back(), []);
    let on = house.sent();
    assert!(
        went.iter().all(|it| on.contains(&exit(*it, ExitReason::Nobody))),
        "{on:?}"
    );
}

impl House {
    fn talks(&self) -> Vec<(OfferId, u64)> {
        let talk = |it: &LedgerEntry| match &it.fact {
            Fact::Answered { offer, ticket, .. } => Some((*offer, ticket.0)),
            _ => None,
        };
        self.ledger.iter().filter_map(talk).collect()
    }
}

#[test]
fn who_waits_in_a_queue_that_is_taken_away_is_back_at_home() {
    let mut house = House::of_two("gw1");
    let went = house.waiting_elsewhere();
    let mut one = two_queues();
    one.queues.pop();
    one.queues[0].overflow = None;
    one.operators[1].queues.clear();
    house.sent();
    house.input(Input::Configure(one));
    assert_eq!((house.sent(), house.sent_back()), (vec![], went));
}

#[test]
fn a_regained_place_in_a_queue_that_nobody_serves_any_more_is_the_one_at_home() {
    let mut house = House::of_two("gw2");
    house.register_at("gw1", "cal");
    let last = *house.waiting_elsewhere().last().unwrap();
    house.pause("cal");
    house.cal_hangs_up();
    house.detach("gw1");
    house.wait(secs(40));
    assert_eq!(house.engine.queue_of(TicketId(last)), Some(&sales()));
    house.register_at("gw2", "ann");
    house.set("cal", Wanted::SignedOut).unwrap();
    house.wait(two_queues().queues[1].nobody_after);
    house.attach("gw1", 1);
    house.sent();
    house.says("gw1", joined(900, last, Some(last)));
    assert_eq!(house.sent_back(), [900], "{:?}", house.sent());
    assert_eq!(house.engine.queue_of(TicketId(900)), Some(&support()));
}

#[test]
fn a_regained_place_keeps_its_rank_there_and_its_deadline() {
    let mut house = House::of_two("gw1");
    let mut short = two_queues();
    short.queues[1].max_wait = secs(50);
    house.input(Input::Configure(short));
    house.pause("cal");
    (1..=8).for_each(|ticket| house.joins(ticket, support()));
    house.wait(secs(60));
    house.register("cal");
    house.set("cal", Wanted::Ready).unwrap();
    house.joins(100, sales());
    house.joins(101, sales());
    house.wait(secs(5));
    let first = house.overflowed()[0].0;
    let deadline = house.engine.state().tickets[&TicketId(first)].deadline;
    house.detach("gw1");
    house.wait(secs(32));
    house.pause("cal");
    house.attach("gw1", 1);
    house.sent();
    house.says("gw1", joined(900, first, Some(first)));
    assert_eq!(house.engine.queue_of(TicketId(900)), Some(&sales()));
    assert_eq!(house.engine.state().tickets[&TicketId(900)].deadline, deadline);
    let native = |ticket: u64| {
        let mut event = joined(ticket + 800, ticket, Some(ticket));
        if let Event::Joined { queue, .. } = &mut event {
            *queue = sales();
        }
        event
    };
    house.says("gw1", native(101));
    assert_eq!(house.line(&sales()), [901, 900]);
    house.wait(secs(1));
    assert!(!house.sent().contains(&exit(900, ExitReason::TimedOut)));
}

#[test]
fn who_is_back_stands_before_who_joined_after_them() {
    let mut house = House::of_two("gw1");
    house.pause("cal");
    for ticket in 1..=8 {
        house.joins(ticket, support());
        house.wait(Duration::from_millis(10));
    }
    house.wait(secs(22));
    house.joins(9, support());
    house.set("cal", Wanted::Ready).unwrap();
    house.joins(100, sales());
    house.wait(secs(5));
    let went: Vec<u64> = house.overflowed().iter().map(|it| it.0).collect();
    house.pause("cal");
    house.set("cal", Wanted::SignedOut).unwrap();
    house.wait(secs(60));
    assert!(
        !went.is_empty() && house.sent_back().starts_with(&went),
        "{went:?}"
    );
    assert!(house.line(&support()).iter().copied().eq(1..=9), "as they joined");
}
