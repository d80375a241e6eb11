//! Access of gateways: the token, the name of the gateway of this process, two processes under one name.

use pronto_proto::link as wire;
use pronto_store::{Durability, MemoryDisk};
use pronto_types::{GatewayName, Secret};
use tonic::{Code, Request, Status};

use super::support::*;
use crate::{Access, QueueService};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

async fn house(access: Access) -> House {
    let disk = MemoryDisk::new();
    let (service, _) = QueueService::start_in_memory(configuration(), &disk, Durability::AtOnce)
        .await
        .unwrap();
    House {
        channel: connect_over(&service, access),
        service,
    }
}

async fn attach(house: &House, gateway: &str, epoch: u64, shown: Option<&str>) -> Result<(), Status> {
    let hello = wire::hello(&wire::Hello {
        gateway: GatewayName::new(gateway).unwrap(),
        epoch,
        last: 0,
        forecasts: Vec::new(),
        instance: 1,
    });
    let (up, stream) = tokio::sync::mpsc::channel(1);
    up.send(hello).await.unwrap();
    let mut request = Request::new(tokio_stream::wrappers::ReceiverStream::new(stream));
    if let Some(shown) = shown {
        request
            .metadata_mut()
            .insert("authorization", shown.parse().unwrap());
    }
    let mut client = pronto_proto::v1::gateways_client::GatewaysClient::new(house.channel.clone());
    within(client.attach(request)).await.map(drop)
}

#[tokio::test(start_paused = true)]
async fn a_stranger_without_the_token_is_no_gateway() {
    let house = house(Access::Token {
        token: Secret::new(TOKEN),
        but: None,
    })
    .await;
    let longer = format!("Bearer {TOKEN}0");
    let shorter = format!("Bearer {}", &TOKEN[..31]);
    for shown in [
        None,
        Some(""),
        Some("Bearer "),
        Some("Bearer wrong"),
        Some(TOKEN),
        Some(&longer),
        Some(&shorter),
    ] {
        let refused = attach(&house, "gw1", u64::MAX, shown).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated, "{shown:?}");
    }
    // None of them has spoilt anything.
    let shown = format!("bearer {TOKEN}");
    attach(&house, "gw1", 1, Some(&shown)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn strangers_do_not_hold_the_places_of_those_who_say_hello() {
    let house = house(Access::Token {
        token: Secret::new(TOKEN),
        but: None,
    })
    .await;
    let mut silent = Vec::new();
    for _ in 0..300 {
        let (up, stream) = tokio::sync::mpsc::channel::<pronto_proto::v1::GatewayMessage>(1);
        let stream = tokio_stream::wrappers::ReceiverStream::new(stream);
        let mut client = pronto_proto::v1::gateways_client::GatewaysClient::new(house.channel.clone());
        let refused = within(client.attach(stream)).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated);
        silent.push(up);
    }
    let shown = format!("Bearer {TOKEN}");
    attach(&house, "gw1", 1, Some(&shown)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_gateway_of_this_process_attaches_within_it_alone() {
    let house = house(Access::Token {
        token: Secret::new(TOKEN),
        but: Some(GatewayName::new("gw1").unwrap()),
    })
    .await;
    let shown = format!("Bearer {TOKEN}");
    let refused = attach(&house, "gw1", 1, Some(&shown)).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    attach(&house, "gw2", 1, Some(&shown)).await.unwrap();
    // In memory it needs no token.
    let within = connect_over(&house.service, Access::SameProcess);
    TestGateway::attach(&within, "gw1", 1, 0).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn two_processes_of_one_name_do_not_take_turns() {
    let house = House::simple().await;
    let mut first = TestGateway::attach_as(&house.channel, "gw1", (5, 50), 0)
        .await
        .unwrap();
    first.registers("101").await;
    // Below, equal, above: the first is there.
    for epoch in [1, 5, 6] {
        let refused = TestGateway::attach_as(&house.channel, "gw1", (epoch, 60), 0)
            .await
            .err()
            .unwrap();
        assert_eq!(refused.code(), Code::AlreadyExists, "{epoch}");
    }
    first.joins(1).await;
    first.offer().await;
    // The first goes: the second is told how high its epoch has to be.
    drop(first);
    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    let refused = TestGateway::attach_as(&house.channel, "gw1", (1, 60), 0)
        .await
        .err()
        .unwrap();
    let highest = refused.metadata().get(wire::HIGHEST_EPOCH).unwrap();
    assert_eq!(
        (refused.code(), highest.to_str().unwrap()),
        (Code::FailedPrecondition, "5")
    );
    TestGateway::attach_as(&house.channel, "gw1", (6, 60), 0)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_reset_gateway_begins_near_nothing_and_a_running_service_is_not_reset() {
    let directory = TestDirectory::new();
    let store = directory.path().join("var");
    let gateway = GatewayName::new("gw1").unwrap();
    let house = House::on_disk(&directory).await;
    let mut attached = house.attach("gw1", 1 << 20).await;
    attached.registers("101").await;
    attached.joins(1).await;
    attached.acknowledged().await;
    let running = crate::reset_gateway(&store, &gateway).unwrap_err();
    assert!(matches!(running, crate::ResetError::Store(_)), "{running}");
    drop(attached);
    house.service.shutdown().await.unwrap();

    let unknown = crate::reset_gateway(&store, &GatewayName::new("gw9").unwrap()).unwrap_err();
    assert_eq!(
        unknown.to_string(),
        "the ledger knows no gateway `gw9`; it knows `gw1`"
    );
    assert_eq!(crate::reset_gateway(&store, &gateway).unwrap(), 1 << 20);
    let house = House::on_disk(&directory).await;
    let queue = house.queue("support").await;
    assert_eq!((queue.ended.unwrap().lost, queue.waiting), (1, 0));
    let far = TestGateway::attach_as(&house.channel, "gw1", ((1 << 20) + 1, 9), 0).await;
    let refused = far.err().expect("too far above 0");
    let highest = refused.metadata().get(pronto_proto::link::HIGHEST_EPOCH);
    assert_eq!(highest.unwrap(), "0", "{refused}");
    let earlier = TestGateway::attach(&house.channel, "gw1", 1, 0).await;
    assert!(earlier.is_err(), "what an earlier process left may be known");
    let own = TestGateway::attach_as(&house.channel, "gw1", (2, 9), 0).await;
    assert!(own.is_ok());
    house.service.shutdown().await.unwrap();
}
