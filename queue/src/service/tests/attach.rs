//! Hellos, good and bad; links that are replaced, lost, refused.

use std::time::Duration;

use pronto_proto::link as wire;
use pronto_proto::v1::{GatewayMessage, OperatorState, entry, gateway_message};
use pronto_store::{Durability, MemoryDisk};
use pronto_types::link::{Directive, Event};
use pronto_types::{OfferId, TicketId};
use tonic::Code;
use tonic_types::StatusExt;

use super::support::*;

fn hello_with(gateway: &str, epoch: u64) -> GatewayMessage {
    let hello = pronto_proto::v1::Hello {
        gateway: gateway.to_owned(),
        epoch,
        last: 0,
        forecasts: Vec::new(),
        instance: 0,
    };
    GatewayMessage {
        message: Some(gateway_message::Message::Hello(hello)),
    }
}

#[tokio::test(start_paused = true)]
async fn a_bad_hello_is_an_invalid_argument() {
    let house = House::simple().await;
    let entry = wire::entry(1, Duration::ZERO, &Event::Ringing { offer: OfferId(1) });
    let bad = [
        GatewayMessage { message: None },
        entry,
        hello_with("", 1),
        hello_with("a b", 1),
        hello_with("gw1", 0),
    ];
    for first in bad {
        let refused = open(&house.channel, first.clone()).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{first:?}");
        assert_eq!(
            refused.get_details_error_info().unwrap().reason,
            "MALFORMED_MESSAGE"
        );
    }
    house.attach("gw1", 1).await;
}

#[tokio::test(start_paused = true)]
async fn who_does_not_say_hello_is_not_waited_for() {
    let house = House::simple().await;
    let (_up, stream) = tokio::sync::mpsc::channel(1);
    let stream = tokio_stream::wrappers::ReceiverStream::new(stream);
    let mut client = pronto_proto::v1::gateways_client::GatewaysClient::new(house.channel.clone());
    let before = tokio::time::Instant::now();
    let refused = within(client.attach(stream)).await.unwrap_err();
    assert_eq!(refused.code(), Code::DeadlineExceeded);
    assert_eq!(before.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn an_old_epoch_is_refused_and_does_not_disturb_the_new_one() {
    let house = House::simple().await;
    let mut gateway = house.attach("gw1", 2).await;
    gateway.registers("101").await;
    let refused = TestGateway::attach(&house.channel, "gw1", 1, 0)
        .await
        .err()
        .unwrap();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(refused.get_details_error_info().unwrap().reason, "OLD_EPOCH");
    gateway.joins(1).await;
    assert_eq!(gateway.offer().await.1, TicketId(1));
}

#[tokio::test(start_paused = true)]
async fn a_newer_stream_replaces_the_older_and_no_place_is_lost() {
    let house = House::simple().await;
    let mut older = house.attach("gw1", 1).await;
    older.registers("101").await;
    older.joins(1).await;
    let (offer, ..) = older.offer().await;
    older.joins(2).await;
    older.acknowledged().await;
    let mut newer = TestGateway::attach(&house.channel, "gw1", 1, 3).await.unwrap();
    assert_eq!(newer.have, 3);
    assert_eq!(older.end().await.code(), Code::Aborted);
    // The offer made down the old stream may never have arrived.
    assert_eq!(newer.directive().await, Directive::Withdraw { offer });
    newer
        .say(Event::Refused {
            offer,
            reason: pronto_types::link::RefuseReason::Withdrawn,
        })
        .await;
    assert_eq!(newer.offer().await.1, TicketId(1));
    let queue = house.queue("support").await;
    assert_eq!(
        (queue.joined, queue.waiting, queue.detached, queue.offered),
        (2, 1, 0, 1)
    );
    // The older stream's end is no news: nothing is detached when the time has come for it.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(house.queue("support").await.detached, 0);
}

#[tokio::test(start_paused = true)]
async fn a_higher_epoch_ends_what_the_older_process_held() {
    let house = House::simple().await;
    let mut older = house.attach("gw1", 1).await;
    older.registers("101").await;
    older.joins(1).await;
    older.offer().await;
    let newer = house.attach("gw1", 2).await;
    assert_eq!(newer.have, 0);
    assert_eq!(older.end().await.code(), Code::Aborted);
    let queue = house.queue("support").await;
    assert_eq!((queue.ended.unwrap().lost, queue.offered), (1, 0));
    assert_eq!(house.state("101").await.0, OperatorState::SignedOut);
}

#[tokio::test(start_paused = true)]
async fn a_bad_entry_ends_the_link_with_an_invalid_argument() {
    let house = House::simple().await;
    let mut gateway = house.attach("gw1", 1).await;
    gateway.registers("101").await;
    gateway.joins(1).await;
    gateway.acknowledged().await;
    let mut message = wire::entry(3, Duration::ZERO, &joined(2, 2));
    if let Some(gateway_message::Message::Entry(wire)) = &mut message.message
        && let Some(entry::Event::Joined(joined)) = &mut wire.event
    {
        joined.queue = "sup port".to_owned();
    }
    gateway.send(message).await;
    assert_eq!(gateway.end().await.code(), Code::InvalidArgument);
    let again = TestGateway::attach(&house.channel, "gw1", 1, 2).await.unwrap();
    assert_eq!(again.have, 2, "what came before it is kept");
    again.send(hello_with("gw1", 1)).await;
    let mut again = again;
    assert_eq!(again.end().await.code(), Code::InvalidArgument, "a second hello");
}

#[tokio::test(start_paused = true)]
async fn a_lost_link_detaches_its_tickets_until_the_grace_is_over() {
    let house = House::simple().await;
    let mut gateway = house.attach("gw1", 1).await;
    gateway.registers("101").await;
    gateway.joins(1).await;
    let (offer, ticket, _) = gateway.offer().await;
    gateway.answers(offer, ticket).await;
    gateway.joins(2).await;
    gateway.acknowledged().await;
    drop(gateway);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let queue = house.queue("support").await;
    assert_eq!((queue.waiting, queue.detached, queue.connected), (0, 1, 1));
    tokio::time::sleep(Duration::from_secs(30)).await;
    let queue = house.queue("support").await;
    assert_eq!(
        (queue.detached, queue.connected, queue.ended.unwrap().lost),
        (0, 0, 2)
    );
    let mut back = TestGateway::attach(&house.channel, "gw1", 1, 4).await.unwrap();
    assert_eq!(back.directive().await, Directive::Rejoin { ticket: TicketId(2) });
    assert_eq!(
        house.queue("support").await.connected,
        1,
        "the talk turned out to go on"
    );
}

#[tokio::test(start_paused = true)]
async fn each_gateway_is_offered_its_own_callers() {
    let house = House::simple().await;
    let mut one = house.attach("gw1", 1).await;
    let mut two = house.attach("gw2", 7).await;
    one.registers("101").await;
    two.registers("102").await;
    one.joins(1).await;
    two.joins(2).await;
    let (_, ticket, who) = one.offer().await;
    assert_eq!((ticket, who), (TicketId(1), operator("101")));
    let (_, ticket, who) = two.offer().await;
    assert_eq!((ticket, who), (TicketId(2), operator("102")));
    drop(one);
    tokio::time::sleep(Duration::from_secs(1)).await;
    two.joins(3).await;
    two.acknowledged().await;
    assert_eq!(
        house.queue("support").await.waiting,
        1,
        "the other link is not touched"
    );
}

#[tokio::test(start_paused = true)]
async fn entries_are_taken_once_and_a_gap_is_not_acknowledged() {
    let house = House::simple().await;
    let mut gateway = house.attach("gw1", 1).await;
    gateway.registers("101").await;
    gateway.joins(1).await;
    gateway.acknowledged().await;
    gateway.number = 1;
    gateway.joins(1).await;
    gateway.acknowledged().await;
    assert_eq!(house.queue("support").await.joined, 1);
    gateway.number = 8;
    gateway.joins(2).await;
    assert_eq!(gateway.heard_in(Duration::from_secs(2)).await, []);
    assert_eq!(house.queue("support").await.joined, 1);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_older_stream_is_no_news_while_the_newer_waits_for_its_welcome() {
    let (house, store) = House::in_memory(&MemoryDisk::new(), Durability::WhenTold).await;
    let attach = |last| {
        let channel = house.channel.clone();
        tokio::spawn(async move { TestGateway::attach(&channel, "gw1", 1, last).await.unwrap() })
    };
    let settle = async || {
        tokio::time::sleep(Duration::from_secs(1)).await;
        store.make_durable(usize::MAX);
    };
    let older = attach(0);
    settle().await;
    let mut older = within(older).await.unwrap();
    let lease = Some(Duration::from_secs(3_600));
    older
        .say(Event::Presence {
            operator: operator("101"),
            lease,
        })
        .await;
    older.joins(1).await;
    older.joins(2).await;
    settle().await;
    older.acknowledged().await;
    let newer = attach(3);
    tokio::time::sleep(Duration::from_secs(1)).await;
    drop(older);
    settle().await;
    let newer = within(newer).await.unwrap();
    settle().await;
    let queue = house.queue("support");
    let (queue, ()) = tokio::join!(queue, settle());
    assert_eq!(
        (newer.have, queue.waiting, queue.detached, queue.offered),
        (3, 1, 0, 1)
    );
    assert!(house.state("101").await.0 != OperatorState::SignedOut);
}
