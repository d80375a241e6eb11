//! A call's way through the queue.

use std::time::Duration;

use pronto_engine::Fact;
use pronto_proto::link as wire;
use pronto_proto::v1::OperatorState;
use pronto_store::{Durability, MemoryDisk, Person, Store};
use pronto_types::link::{
    CallOutcome, Caller, Directive, Event, ExitReason, Hearing, LeaveReason, Origin, RefuseReason,
};
use pronto_types::{CallId, OfferId, PhoneNumber, TicketId, TrunkName};

use super::support::*;

#[tokio::test(start_paused = true)]
async fn a_caller_joins_is_offered_answered_and_talks() {
    let house = House::simple().await;
    let mut gateway = house.attach("gw1", 1).await;
    gateway.registers("101").await;
    gateway.joins(1).await;
    let (offer, ticket, who) = gateway.offer().await;
    assert_eq!((ticket, who), (TicketId(1), operator("101")));
    assert_eq!(house.queue("support").await.offered, 1);
    gateway.say(Event::Ringing { offer }).await;
    gateway.answers(offer, ticket).await;
    assert_eq!(house.state("101").await.0, OperatorState::Talking);
    tokio::time::sleep(Duration::from_secs(60)).await;
    gateway.talk_ends(offer, ticket).await;
    assert_eq!(house.state("101").await.0, OperatorState::WrapUp);
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(house.state("101").await.0, OperatorState::Ready);
    let queue = house.queue("support").await;
    assert_eq!((queue.joined, queue.waiting, queue.connected), (1, 0, 0));
    assert_eq!(queue.ended.unwrap().answered, 1);
}

#[tokio::test(start_paused = true)]
async fn an_operator_who_does_not_answer_is_paused_and_the_caller_stays_at_the_head() {
    let house = House::simple().await;
    let mut gateway = house.attach("gw1", 1).await;
    gateway.registers("101").await;
    gateway.joins(1).await;
    gateway.joins(2).await;
    let (offer, ticket, _) = gateway.offer().await;
    assert_eq!(ticket, TicketId(1));
    gateway.registers("102").await;
    // Longest idle: 102 takes the second caller meanwhile.
    assert_eq!(house.queue("support").await.offered, 2);
    let reason = RefuseReason::Ignored;
    gateway.say(Event::Refused { offer, reason }).await;
    gateway.acknowledged().await;
    assert_eq!(
        house.state("101").await,
        (OperatorState::Paused, "no answer".to_owned())
    );
    let waiting = house.queue("support").await;
    assert_eq!((waiting.waiting, waiting.offered), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn the_longest_wait_and_the_position_are_told() {
    let house = House::simple().await;
    let mut gateway = house.attach("gw1", 1).await;
    gateway.registers("101").await;
    gateway.joins(1).await;
    let (offer, ticket, _) = gateway.offer().await;
    gateway.answers(offer, ticket).await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    gateway.say_aged(Duration::from_secs(5), joined(2, 2)).await;
    gateway.joins(3).await;
    let (announcement, ticket, position) = gateway.announced().await;
    assert_eq!((ticket, position), (TicketId(2), Some(1)));
    let how = Hearing::Whole;
    gateway
        .say(Event::Heard {
            announcement,
            ticket,
            how,
        })
        .await;
    let (_, ticket, position) = gateway.announced().await;
    assert_eq!((ticket, position), (TicketId(3), Some(2)));
    tokio::time::sleep(Duration::from_secs(10)).await;
    let queue = house.queue("support").await;
    let longest = queue.longest_wait.unwrap();
    assert!((15..17).contains(&longest.seconds), "{longest:?}");
    assert_eq!(
        (queue.waiting, queue.operators_ready, queue.operators_signed_in),
        (2, 0, 1)
    );
    let reason = LeaveReason::Abandoned;
    gateway
        .say(Event::Left {
            ticket: TicketId(2),
            reason,
        })
        .await;
    gateway.acknowledged().await;
    assert_eq!(house.queue("support").await.ended.unwrap().abandoned, 1);
}

#[tokio::test(start_paused = true)]
async fn who_joins_while_nobody_is_signed_in_is_sent_on() {
    let house = House::simple().await;
    let mut gateway = house.attach("gw1", 1).await;
    gateway.joins(1).await;
    let exit = Directive::Exit {
        ticket: TicketId(1),
        reason: ExitReason::Nobody,
    };
    assert_eq!(gateway.directive().await, exit);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_said_before_it_is_durable() {
    let disk = MemoryDisk::new();
    let (house, store) = House::in_memory(&disk, Durability::WhenTold).await;
    let greeting = tokio::spawn({
        let channel = house.channel.clone();
        async move { TestGateway::attach(&channel, "gw1", 1, 0).await.unwrap() }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!greeting.is_finished(), "welcomed before the ledger knows");
    store.make_durable(usize::MAX);
    let mut gateway = within(greeting).await.unwrap();

    gateway
        .say(Event::Presence {
            operator: operator("101"),
            lease: Some(Duration::from_secs(60)),
        })
        .await;
    // The two entries are two batches.
    assert_eq!(gateway.heard_in(Duration::from_secs(1)).await, []);
    gateway.joins(1).await;
    assert_eq!(gateway.heard_in(Duration::from_secs(2)).await, []);
    let looking = tokio::spawn({
        let mut queues = house.queues();
        let request = pronto_proto::v1::GetQueueRequest {
            name: "queues/support".to_owned(),
        };
        async move { queues.get_queue(request).await.unwrap().into_inner() }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!looking.is_finished(), "shown before the ledger knows");
    // The presence alone: acknowledged, but no offer yet.
    store.make_durable(1);
    assert_eq!(
        gateway.heard_in(Duration::from_secs(2)).await,
        [wire::acknowledged(1)]
    );
    store.make_durable(usize::MAX);
    assert_eq!(gateway.offer().await.1, TicketId(1));
    assert_eq!(within(looking).await.unwrap().offered, 1);
}

#[tokio::test(start_paused = true)]
async fn an_operator_is_not_told_before_it_is_durable() {
    let (house, store) = House::in_memory(&MemoryDisk::new(), Durability::WhenTold).await;
    let greeting = tokio::spawn({
        let channel = house.channel.clone();
        async move { TestGateway::attach(&channel, "gw1", 1, 0).await.unwrap() }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    store.make_durable(usize::MAX);
    let mut gateway = within(greeting).await.unwrap();
    let lease = Some(Duration::from_secs(3_600));
    gateway
        .say(Event::Presence {
            operator: operator("101"),
            lease,
        })
        .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    store.make_durable(usize::MAX);
    gateway.acknowledged().await;
    let asking = tokio::spawn({
        let mut operators = house.operators();
        let request = pronto_proto::v1::SetOperatorStateRequest {
            name: "operators/101".to_owned(),
            state: OperatorState::Paused.into(),
            ..Default::default()
        };
        async move {
            operators
                .set_operator_state(request)
                .await
                .unwrap()
                .into_inner()
                .state()
        }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!asking.is_finished(), "told before the ledger knows");
    store.make_durable(usize::MAX);
    assert_eq!(within(asking).await.unwrap(), OperatorState::Paused);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_keep_up_stops_the_intake_and_nothing_is_lost() {
    const ENTRIES: u64 = 12_000;
    let (house, store) = House::in_memory(&MemoryDisk::new(), Durability::WhenTold).await;
    let greeting = tokio::spawn({
        let channel = house.channel.clone();
        async move { TestGateway::attach(&channel, "gw1", 1, 0).await.unwrap() }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    store.make_durable(usize::MAX);
    let mut gateway = within(greeting).await.unwrap();
    gateway.number = ENTRIES;
    let up = gateway.up.clone();
    let saying = tokio::spawn(async move {
        for number in 1..=ENTRIES {
            let ringing = Event::Ringing { offer: OfferId(1) };
            up.send(wire::entry(number, Duration::ZERO, &ringing))
                .await
                .unwrap();
        }
    });
    tokio::time::sleep(Duration::from_secs(5)).await;
    let waiting = store.waiting_records();
    assert!((8_000..8_300).contains(&waiting), "{waiting} facts wait");
    assert!(store.waiting() < waiting / 10, "what comes together is one batch");
    while !saying.is_finished() || store.waiting() > 0 {
        store.make_durable(usize::MAX);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    gateway.acknowledged().await;
}

#[tokio::test(start_paused = true)]
async fn numbers_and_names_stand_in_the_side_table_only() {
    let disk = MemoryDisk::new();
    let (house, store) = House::in_memory(&disk, Durability::AtOnce).await;
    let mut gateway = house.attach("gw1", 1).await;
    gateway.registers("101").await;
    let caller = Caller {
        number: Some(PhoneNumber::new("+39029876543")),
        name: None,
    };
    let origin = Origin::Trunk(TrunkName::new("carrier").unwrap());
    gateway
        .say(Event::CallBegan {
            call: CallId(7),
            dialled: "800".into(),
            caller,
            origin,
        })
        .await;
    gateway.joins(8).await;
    gateway.joins(9).await;
    let outcome = CallOutcome::CallerHungUp;
    gateway
        .say(Event::CallEnded {
            call: CallId(7),
            outcome,
            duration: Duration::ZERO,
            digits: 0,
        })
        .await;
    gateway.acknowledged().await;
    let number = "+39029876543".to_owned();
    assert_eq!(
        store.person(7).unwrap(),
        Some(Person {
            contact: 7,
            number,
            name: String::new()
        })
    );
    assert_eq!(store.person(8).unwrap().unwrap().name, "Anna");
    let mut keys = Vec::new();
    for record in pronto_store::records(&*store) {
        let record = record.unwrap();
        let holds = |needle: &str| {
            record
                .bytes
                .windows(needle.len())
                .any(|window| window == needle.as_bytes())
        };
        assert!(
            !holds("+3902") && !holds("+3906") && !holds("Anna"),
            "fact {} holds personal data",
            record.seq
        );
        if let Fact::Joined { caller_key, .. } = crate::service::log::fact(&record).unwrap().fact {
            keys.push(caller_key.expect("the number was told"));
        }
    }
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0], keys[1], "the same number is recognised");
    assert!(store.erase(8).unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_repeated_entry_does_not_bring_an_erased_person_back() {
    let disk = MemoryDisk::new();
    let (house, store) = House::in_memory(&disk, Durability::AtOnce).await;
    let mut gateway = house.attach("gw1", 1).await;
    gateway.registers("101").await;
    gateway.joins(8).await;
    gateway.acknowledged().await;
    assert!(store.erase(8).unwrap());
    gateway.number -= 1;
    gateway.joins(8).await;
    gateway.acknowledged().await;
    assert_eq!(store.person(8).unwrap(), None);
    assert_eq!(house.queue("support").await.joined, 1);
}
