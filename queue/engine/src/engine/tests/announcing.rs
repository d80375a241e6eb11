use pronto_types::link::RiseReason;

use super::*;
use crate::Announcing;

/// `ann` talks, so that nobody is offered to anybody.
fn busy() -> House {
    let mut house = House::with(&["ann"]);
    house.join(1);
    let offer = house.offered(1, "ann");
    house.answer(offer, 1);
    house.sent();
    house
}

fn heard(announcement: AnnouncementId, ticket: u64, how: Hearing) -> Event {
    let ticket = TicketId(ticket);
    Event::Heard {
        announcement,
        ticket,
        how,
    }
}

#[test]
fn a_caller_is_told_the_position_at_once_and_again_every_minute() {
    let mut house = busy();
    house.join(2);
    house.join(3);
    assert_eq!(house.told(), [(2, Some(1)), (3, Some(2))]);
    house.wait(secs(59));
    assert_eq!(house.told(), []);
    house.leave(2);
    house.wait(secs(2));
    assert_eq!(house.told(), [(3, Some(1))]);
    house.wait(secs(120));
    assert_eq!(house.told(), [(3, Some(1)), (3, Some(1))]);
}

#[test]
fn who_is_offered_at_once_is_told_nothing() {
    let mut house = House::with(&["ann"]);
    house.join(1);
    assert_eq!(house.told(), []);
}

#[test]
fn who_comes_back_from_an_offer_untold_is_told_then() {
    let mut house = House::with(&["ann"]);
    house.join(1);
    let offer = house.offered(1, "ann");
    house.wait(secs(15));
    house.refuse(offer, RefuseReason::Ignored);
    assert_eq!(house.told(), [(1, Some(1))]);
}

#[test]
fn while_offered_or_detached_the_time_passes_in_silence() {
    let mut house = busy();
    house.join(2);
    assert_eq!(house.told(), [(2, Some(1))]);
    house.wait(secs(50));
    house.detach("gw1");
    house.wait(secs(20));
    assert_eq!(house.told(), [], "60 s after the first it was away");
    house.attach("gw1", 1);
    assert_eq!(house.told(), []);
    house.wait(secs(50));
    assert_eq!(house.told(), [(2, Some(1))], "120 s after the first");
    house.register("bob");
    let offer = house.offered(2, "bob");
    house.wait(secs(10));
    house.refuse(offer, RefuseReason::Busy);
    house.wait(secs(49));
    assert_eq!(house.told(), []);
    house.wait(secs(1));
    assert_eq!(house.told(), [(2, Some(1))]);
}

#[test]
fn a_position_that_rose_is_not_spoken() {
    let mut house = busy();
    house.join(2);
    house.join(3);
    house.sent();
    house.register("bob");
    let offer = house.offered(2, "bob");
    house.join(4);
    assert_eq!(house.told(), [(4, Some(2))]);
    house.refuse(offer, RefuseReason::Busy);
    let reason = "lunch".to_owned();
    house.set("bob", Wanted::Paused { reason }).unwrap();
    assert_eq!(house.queue().waiting, 3);
    let before = house.ledger.len();
    // 4 is the third again, and hears no position as long as that is so; of the wait why it is longer.
    house.wait(secs(600));
    let about = house.ledger[before..].iter().filter_map(|it| match &it.fact {
        Fact::Announced {
            ticket: TicketId(4),
            position,
            rise,
            ..
        } => Some((*position, *rise)),
        _ => None,
    });
    let about: Vec<_> = about.collect();
    assert!(about.len() > 5, "{about:?}");
    assert!(about.iter().all(|(position, _)| position.is_none()), "{about:?}");
    assert!(about[0].1.is_some(), "{about:?}");
}

#[test]
fn nobody_is_promised_minutes_while_all_operators_are_paused() {
    let mut house = House::with(&["ann"]);
    // Talks of four minutes are the rule, and a line is long.
    house.pause("ann");
    for ticket in 1..=20 {
        house.join(ticket);
    }
    house.wait(secs(120));
    let waits = |house: &House| {
        let said = |fact: &Fact| matches!(fact, Fact::Announced { wait: Some(_), .. });
        (
            house.facts(said),
            house.facts(|fact| matches!(fact, Fact::Announced { .. })),
        )
    };
    let (promised, announced) = waits(&house);
    assert_eq!(promised, 0);
    assert!(announced >= 40, "the position is told all the same: {announced}");
    house.set("ann", Wanted::Ready).unwrap();
    house.wait(secs(120));
    assert!(waits(&house).0 > 0, "now somebody is there");
}

#[test]
fn nothing_is_said_while_a_restarted_engine_settles() {
    let mut house = busy();
    house.attach("gw2", 1);
    house.join(2);
    house.sent();
    house.wait(Duration::from_millis(59_500));
    house.restart();
    house.attach("gw1", 1);
    house.wait(secs(1));
    assert_eq!(house.told(), [], "due while gw2 was waited for");
    house.wait(secs(59));
    assert_eq!(house.told(), []);
    house.wait(secs(1));
    assert_eq!(house.told(), [(2, Some(1))]);
}

#[test]
fn with_zero_a_caller_is_told_only_once() {
    let mut house = busy();
    let mut once = configuration();
    once.queues[0].announcing.every = Duration::ZERO;
    house.input(Input::Configure(once));
    house.join(2);
    house.wait(secs(600));
    assert_eq!(house.told(), [(2, Some(1))]);
    house.input(Input::Configure(configuration()));
    house.wait(secs(60));
    assert_eq!(
        house.told(),
        [(2, Some(1))],
        "a new setting counts for who waits already"
    );
}

#[test]
fn how_much_was_heard_is_on_the_books_once() {
    let mut house = busy();
    house.join(2);
    let announcement = house.announced()[0].0;
    house.says("gw1", heard(announcement, 2, Hearing::Cut));
    house.says("gw1", heard(announcement, 2, Hearing::Whole));
    house.says("gw1", heard(announcement, 7, Hearing::Whole));
    let facts: Vec<&Fact> = house.ledger.iter().rev().take(3).map(|it| &it.fact).collect();
    let noted = |reason| Fact::Noted { reason };
    assert_eq!(facts[0], &noted(crate::NoteReason::UnknownTicket));
    assert_eq!(facts[1], &noted(crate::NoteReason::UnknownAnnouncement));
    let how = Hearing::Cut;
    let ticket = TicketId(2);
    assert_eq!(
        facts[2],
        &Fact::Heard {
            announcement,
            ticket,
            how
        }
    );
}

#[test]
fn who_regains_a_place_is_not_told_a_worse_one() {
    let mut house = busy();
    house.attach("gw2", 1);
    house.join(2);
    house.join_at("gw2", 3, Duration::ZERO);
    assert_eq!(house.told(), [(2, Some(1)), (3, Some(2))]);
    house.detach("gw2");
    house.wait(secs(31));
    house.attach("gw2", 1);
    assert!(house.sent().contains(&Directive::Rejoin { ticket: TicketId(3) }));
    house.says_late("gw2", joined(13, 3, Some(3)), secs(31));
    assert_eq!(house.told(), [], "told 31 s ago");
    house.wait(secs(29));
    assert_eq!(house.told(), [(2, Some(1)), (13, Some(2))]);
}

#[test]
fn a_crowd_is_told_in_one_breath_each_their_own_place_and_wait() {
    let mut house = busy();
    // Who comes first has the highest ticket: its order is not that of the places.
    let ticket = |place: u64| 200 - place;
    for place in 1..=30 {
        house.join(ticket(place));
    }
    house.wait(secs(30));
    // The line gets shorter: what the others are told next is less than before, and spoken.
    for place in 1..=10 {
        house.leave(ticket(place));
    }
    let before = house.ledger.len();
    house.wait(secs(30));
    let mut told: Vec<(u32, u64, Promise)> = Vec::new();
    for recorded in &house.ledger[before..] {
        if let Fact::Announced {
            ticket,
            position: Some(position),
            wait: Some(wait),
            rise,
        } = recorded.fact
        {
            assert_eq!(recorded.at, house.now, "at one instant");
            assert_eq!(rise, None, "a shorter wait has no reason");
            told.push((position, ticket.0, wait));
        }
    }
    told.sort_by_key(|(position, ..)| *position);
    let places: Vec<_> = told
        .iter()
        .map(|(position, ticket, _)| (*position, *ticket))
        .collect();
    let expected: Vec<_> = (1..=20)
        .map(|place| (place, ticket(u64::from(place) + 10)))
        .collect();
    assert_eq!(places, expected);
    // Each place is told more than the one before it, and the last far more than the first.
    let waits: Vec<_> = told.iter().map(|(.., wait)| (wait.p50, wait.p90)).collect();
    assert!(waits.windows(2).all(|pair| pair[0] < pair[1]), "{waits:?}");
    assert!(waits[19].0 > 3 * waits[0].0, "{waits:?}");
}

#[test]
fn where_waits_come_out_far_longer_than_forecast_none_is_promised() {
    let mut house = busy();
    let mut talk = (first(&house), 1);
    // One caller waits while another talks, for 10 s each time; then each talk takes longer than any before.
    let waits = |house: &House| house.facts(|fact| matches!(fact, Fact::Announced { wait: Some(_), .. }));
    let mut round = |house: &mut House, ticket: u64, lasts: u64| {
        house.register("ann");
        house.join(ticket);
        house.wait(secs(lasts));
        house.hang_up(talk.0, talk.1);
        house.wait(secs(10));
        talk = (house.offered(ticket, "ann"), ticket);
        house.wait(secs(5));
        house.answer(talk.0, ticket);
        house.sent();
    };
    for ticket in 2..600 {
        round(&mut house, ticket, 10);
    }
    assert!(house.engine.reliable(&support()));
    let promised = waits(&house);
    assert!(promised > 500, "{promised}");
    let mut silent = None;
    let mut lasts = 10.0;
    for ticket in 600..633 {
        lasts *= 1.16;
        let before = waits(&house);
        round(&mut house, ticket, lasts as u64);
        if !house.engine.reliable(&support()) && silent.is_none() {
            silent = Some(waits(&house));
        } else if silent.is_some() && !house.engine.reliable(&support()) {
            assert_eq!(waits(&house), before, "nothing is promised meanwhile");
        }
    }
    assert!(silent.is_some(), "it was noticed");
}

/// Announced waits: ticket, the range in minutes, the reason for a rise.
fn ranges(house: &House) -> Vec<(u64, (u16, u16), Option<RiseReason>)> {
    let facts = house.ledger.iter().filter_map(|it| match &it.fact {
        Fact::Announced {
            ticket,
            wait: Some(wait),
            rise,
            ..
        } => {
            let said = wait.said().expect("it is said");
            Some((ticket.0, (said.low(), said.high()), *rise))
        }
        _ => None,
    });
    facts.collect()
}

fn with(change: impl FnOnce(&mut Announcing)) -> House {
    let mut house = busy();
    let mut wanted = configuration();
    change(&mut wanted.queues[0].announcing);
    house.input(Input::Configure(wanted));
    house
}

#[test]
fn the_first_time_is_when_the_queue_wants_it() {
    let mut house = with(|it| it.first = secs(20));
    house.join(2);
    house.wait(secs(19));
    assert_eq!(house.told(), []);
    house.wait(secs(1));
    assert_eq!(house.told(), [(2, Some(1))]);
    house.wait(secs(60));
    assert_eq!(house.told(), [(2, Some(1))]);
    // An engine folded from the ledger keeps the 20 s of the next caller.
    house.join(3);
    house.wait(secs(10));
    house.engine = Engine::fold(house.ledger.iter().cloned());
    house.wait(secs(9));
    assert_eq!(house.told(), []);
    house.wait(secs(1));
    assert_eq!(house.told(), [(3, Some(2))]);
}

#[test]
fn position_alone_wait_alone_or_nothing_is_told() {
    let waits = |house: &House| house.facts(|fact| matches!(fact, Fact::Announced { wait: Some(_), .. }));
    let mut house = with(|it| it.wait = false);
    house.join(2);
    assert_eq!((house.told(), waits(&house)), (vec![(2, Some(1))], 0));
    let mut house = with(|it| it.position = false);
    house.join(2);
    assert_eq!((house.told(), waits(&house)), (vec![(2, None)], 1));
    let mut house = with(|it| (it.position, it.wait) = (false, false));
    house.join(2);
    house.wait(secs(600));
    assert_eq!((house.told(), waits(&house)), (vec![], 0));
}

#[test]
fn callers_who_wait_when_announcements_are_switched_on_are_told_at_once() {
    let mut house = with(|it| (it.position, it.wait) = (false, false));
    house.join(2);
    house.wait(secs(5));
    assert_eq!(house.told(), []);
    house.input(Input::Configure(configuration()));
    assert_eq!(house.told(), [(2, Some(1))]);
}

#[test]
fn a_wait_that_is_not_known_is_told_when_it_is_and_not_asked_for_at_every_event() {
    let mut house = with(|it| it.position = false);
    house.wait(secs(5));
    // Nobody is signed in: nobody knows.
    let mut settings = configuration();
    settings.queues[0].announcing.position = false;
    settings.queues[0].nobody_after = secs(3600);
    house.input(Input::Configure(settings));
    house.hang_up(first(&house), 1);
    house.set("ann", Wanted::SignedOut).unwrap();
    house.join(2);
    house.wait(secs(30));
    assert_eq!(house.told(), [], "until tomorrow, which is too long to be said");
    house.register("bob");
    let offer = house.offered(2, "bob");
    house.answer(offer, 2);
    house.join(3);
    assert_eq!(house.told(), [(3, None)]);
}

#[test]
fn those_to_whom_nothing_can_be_said_are_not_looked_at_when_others_come() {
    let mut house = with(|it| it.position = false);
    let mut settings = configuration();
    settings.queues[0].announcing.position = false;
    settings.queues[0].nobody_after = secs(3600);
    house.input(Input::Configure(settings));
    house.hang_up(first(&house), 1);
    house.set("ann", Wanted::SignedOut).unwrap();
    for ticket in 2..=201 {
        house.join(ticket);
    }
    assert_eq!(house.told(), []);
    let looked = |house: &House| house.engine.untold.looked;
    // One came, and one left; the other two hundred were not asked about.
    let before = looked(&house);
    house.join(300);
    house.leave(300);
    assert_eq!(looked(&house) - before, 1);
    // A gateway is back: all of its callers are looked at, once.
    house.detach("gw1");
    let before = looked(&house);
    house.attach("gw1", 1);
    house.wait(secs(1));
    assert!((200..220).contains(&(looked(&house) - before)));
}

#[test]
fn with_a_change_a_caller_is_told_again_only_news() {
    let mut house = with(|it| it.change = secs(120));
    house.join(2);
    house.sent();
    let first = ranges(&house);
    assert_eq!(first.len(), 1);
    house.wait(secs(60));
    assert_eq!(house.told(), [], "a minute later it is a minute less: no news");
    house.wait(secs(1200));
    let later = ranges(&house);
    assert!(
        (2..20).contains(&later.len()),
        "the talk goes on, and that is: {later:?}"
    );
    for pair in later.windows(2) {
        let ((low, high), (before_low, before_high)) = (pair[1].1, pair[0].1);
        let rose = low > before_low || high > before_high;
        assert!(!rose || pair[1].2.is_some(), "{later:?}");
    }
    assert!(
        later.iter().filter(|it| it.2.is_some()).count() > later.len() / 2,
        "{later:?}"
    );
}

#[test]
fn a_wait_that_is_not_known_any_more_does_not_silence_the_position() {
    let mut house = busy();
    let mut wanted = configuration();
    wanted.queues[0].announcing.change = secs(120);
    wanted.queues[0].nobody_after = secs(3600);
    house.input(Input::Configure(wanted));
    house.join(2);
    assert_eq!((house.told(), ranges(&house).len()), (vec![(2, Some(1))], 1));
    house.set("ann", Wanted::SignedOut).unwrap();
    house.hang_up(first(&house), 1);
    house.wait(secs(60));
    assert_eq!((house.told(), ranges(&house).len()), (vec![(2, Some(1))], 1));
}

#[test]
fn a_wait_that_rises_is_told_with_the_reason() {
    // Ann talks on and on.
    let mut house = busy();
    house.join(2);
    house.wait(secs(1800 - 60));
    let told = ranges(&house);
    assert!(told.len() > 10, "each minute: {told:?}");
    assert_eq!(told[0].2, None);
    assert!(
        told.iter().any(|it| it.2 == Some(RiseReason::LongerCalls)),
        "{told:?}"
    );
    let believed = 240 / 60;
    let before = |it: &&(u64, (u16, u16), Option<RiseReason>)| it.2 == Some(RiseReason::Unknown);
    let unknown = told.iter().take(1 + believed).filter(before).count();
    assert_eq!(
        unknown,
        told.iter().filter(before).count(),
        "unknown only while the talk has not lasted longer than talks do"
    );
}

#[test]
fn who_regains_an_earlier_place_is_a_reason() {
    let mut house = busy();
    house.attach("gw2", 1);
    house.join(2);
    house.join_at("gw2", 3, Duration::ZERO);
    house.detach("gw2");
    house.wait(secs(31));
    house.join(4);
    house.attach("gw2", 1);
    house.says_late("gw2", joined(13, 3, Some(3)), secs(31));
    house.wait(secs(60));
    let told = ranges(&house);
    let last = told.iter().rfind(|it| it.0 == 4).unwrap();
    assert_eq!(last.2, Some(RiseReason::CallersAhead), "{told:?}");
}

#[test]
fn fewer_operators_are_a_reason() {
    let mut house = House::with(&["ann", "bob"]);
    let mut talk = OfferId(0);
    for (ticket, operator) in [(1, "ann"), (2, "bob")] {
        house.join(ticket);
        talk = house.offered(ticket, operator);
        house.answer(talk, ticket);
    }
    for ticket in 3..8 {
        house.join(ticket);
    }
    assert_eq!(ranges(&house).len(), 5);
    let reason = "lunch".to_owned();
    house.set("bob", Wanted::Paused { reason }).unwrap();
    house.hang_up(talk, 2);
    house.wait(secs(60));
    let last = *ranges(&house).last().unwrap();
    assert_eq!(
        (last.0, last.2),
        (7, Some(RiseReason::FewerOperators)),
        "{last:?}"
    );
}

/// The offer that `busy` answered.
fn first(house: &House) -> OfferId {
    let answered = house.ledger.iter().find_map(|it| match &it.fact {
        Fact::Answered { offer, .. } => Some(*offer),
        _ => None,
    });
    answered.unwrap()
}

/// The engine looks at whoever is due until nobody is.
#[test]
fn a_caller_who_joined_before_all_time_is_due_in_the_future() {
    let mut house = House::with(&["ann"]);
    house.join(1);
    let contact = crate::Contact::of_call(name("gw1"), CallId(2));
    house.engine.state.apply(&LedgerEntry {
        seq: house.engine.last_seq() + 1,
        at: house.now,
        cause: None,
        fact: Fact::Joined {
            ticket: TicketId(2),
            contact,
            queue: support(),
            language: Language::English,
            joined_at: Time::from_micros(i64::MIN),
            head_start: Duration::ZERO,
            deadline: Time::MAX,
            caller_key: None,
            regained: None,
        },
    });
    house.engine.schedule_all();
    let due = house.engine.agenda.first();
    assert!(due > Some(house.now), "{due:?}");
}
