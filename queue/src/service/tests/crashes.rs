//! Restarts, crashes and disks that fail.

use std::time::Duration;

use pronto_engine::Fact;
use pronto_proto::v1::OperatorState;
use pronto_store::{Durability, MemoryDisk, Record, SqliteStore, Store, StoreError};
use pronto_types::link::Event;
use tonic::Code;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus};

use super::support::*;
use crate::{QueueService, Settings, StartError, StopError};

/// The order in which callers who wait are served, one operator answering each at once.
async fn order(house: &House, gateway: &mut TestGateway, callers: usize) -> Vec<u64> {
    let mut served = Vec::new();
    for _ in 0..callers {
        let (offer, ticket, _) = gateway.offer().await;
        served.push(ticket.0);
        gateway.answers(offer, ticket).await;
        gateway.talk_ends(offer, ticket).await;
        ready(house, "101").await;
    }
    served
}

/// Ends the wrap-up.
async fn ready(house: &House, id: &str) {
    let request = pronto_proto::v1::SetOperatorStateRequest {
        name: format!("operators/{id}"),
        state: OperatorState::Ready.into(),
        ..Default::default()
    };
    house.operators().set_operator_state(request).await.unwrap();
}

#[tokio::test]
async fn a_killed_service_folds_its_ledger_and_everybody_keeps_their_place() {
    let directory = TestDirectory::new();
    let house = House::on_disk(&directory).await;
    let mut gateway = house.attach("gw1", 1).await;
    gateway.registers("101").await;
    gateway.joins(1).await;
    let (offer, ticket, _) = gateway.offer().await;
    gateway.answers(offer, ticket).await;
    for call in [5, 3, 4, 2] {
        gateway.joins(call).await;
    }
    gateway.acknowledged().await;
    let last = gateway.number;
    house.service.kill().await;

    let house = House::on_disk(&directory).await;
    let queue = house.queue("support").await;
    assert_eq!((queue.joined, queue.detached, queue.connected), (5, 4, 1));
    assert_eq!(
        house.state("101").await.0,
        OperatorState::Talking,
        "a restart frees nobody"
    );
    let mut gateway = TestGateway::attach(&house.channel, "gw1", 1, last).await.unwrap();
    assert_eq!(gateway.have, last);
    gateway.talk_ends(offer, ticket).await;
    ready(&house, "101").await;
    assert_eq!(order(&house, &mut gateway, 4).await, [5, 3, 4, 2]);
    house.service.shutdown().await.unwrap();
}

/// Everything the gateway said before the crash, whatever part of it was durable.
#[tokio::test(start_paused = true)]
async fn whatever_was_durable_at_the_crash_nobody_is_lost_doubled_or_overtaken() {
    for durable in 0..=6 {
        let disk = MemoryDisk::new();
        let (house, store) = House::in_memory(&disk, Durability::WhenTold).await;
        let settled = tokio::spawn({
            let channel = house.channel.clone();
            async move { TestGateway::attach(&channel, "gw1", 1, 0).await.unwrap() }
        });
        tokio::time::sleep(Duration::from_secs(2)).await;
        store.make_durable(usize::MAX);
        let mut gateway = within(settled).await.unwrap();
        let presence = Event::Presence {
            operator: operator("101"),
            lease: Some(Duration::from_secs(3_600)),
        };
        gateway.say(presence.clone()).await;
        // What comes in different milliseconds comes in batches of its own.
        tokio::time::sleep(Duration::from_millis(10)).await;
        for call in 1..=5 {
            gateway.joins(call).await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(store.waiting(), 6);
        store.make_durable(durable);
        house.service.kill().await;
        drop(store);

        let (house, _store) = House::in_memory(&disk, Durability::AtOnce).await;
        let mut gateway = TestGateway::attach(&house.channel, "gw1", 1, 6).await.unwrap();
        assert_eq!(gateway.have, durable as u64);
        // The journal says again what the ledger has not.
        gateway.number = gateway.have;
        let mut told = std::iter::once(presence)
            .chain((1..=5).map(|call| joined(call, call)))
            .skip(durable);
        for event in told.by_ref() {
            gateway.say(event).await;
        }
        if durable > 1 {
            // The offer of before the crash is being withdrawn, and the gateway never had it.
            let withdrawn = loop {
                match gateway.directive().await {
                    pronto_types::link::Directive::Withdraw { offer } => break offer,
                    pronto_types::link::Directive::Announce { .. } => {}
                    other => panic!("durable {durable}: {other:?}"),
                }
            };
            let reason = pronto_types::link::RefuseReason::Withdrawn;
            gateway
                .say(Event::Refused {
                    offer: withdrawn,
                    reason,
                })
                .await;
        }
        assert_eq!(
            order(&house, &mut gateway, 5).await,
            [1, 2, 3, 4, 5],
            "durable {durable}"
        );
        let queue = house.queue("support").await;
        assert_eq!(
            (queue.joined, queue.ended.unwrap().answered),
            (5, 5),
            "durable {durable}"
        );
    }
}

#[tokio::test]
async fn a_service_that_is_shut_down_has_written_everything_and_told_its_gateways() {
    let directory = TestDirectory::new();
    let house = House::on_disk(&directory).await;
    let mut gateway = house.attach("gw1", 1).await;
    gateway.registers("101").await;
    gateway.joins(1).await;
    gateway.acknowledged().await;
    let mut queues = house.queues();
    house.service.shutdown().await.unwrap();
    assert_eq!(gateway.end().await.code(), Code::Unavailable);
    let request = pronto_proto::v1::GetQueueRequest {
        name: "queues/support".to_owned(),
    };
    assert_eq!(
        queues.get_queue(request).await.unwrap_err().code(),
        Code::Unavailable
    );
    let house = House::on_disk(&directory).await;
    assert_eq!(house.queue("support").await.joined, 1);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_what_was_decided_and_says_it() {
    let (house, store) = House::in_memory(&MemoryDisk::new(), Durability::WhenTold).await;
    let looking = tokio::spawn({
        let mut queues = house.queues();
        let request = pronto_proto::v1::GetQueueRequest {
            name: "queues/support".to_owned(),
        };
        async move { queues.get_queue(request).await }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!looking.is_finished(), "the start is not durable yet");
    let stopping = tokio::spawn(house.service.shutdown());
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!stopping.is_finished());
    store.make_durable(usize::MAX);
    within(stopping).await.unwrap().unwrap();
    within(looking).await.unwrap().unwrap();
}

async fn health(house: &House) -> ServingStatus {
    let request = HealthCheckRequest {
        service: "pronto.v1.Gateways".to_owned(),
    };
    HealthClient::new(house.channel.clone())
        .check(request)
        .await
        .unwrap()
        .into_inner()
        .status()
}

#[tokio::test(start_paused = true)]
async fn the_contract_can_be_asked_for() {
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
    let house = House::simple().await;
    let request = tonic_reflection::pb::v1::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut client = ServerReflectionClient::new(house.channel.clone());
    let asked = client.server_reflection_info(tokio_stream::once(request)).await;
    let answer = within(asked.unwrap().into_inner().message())
        .await
        .unwrap()
        .unwrap();
    let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
        panic!("{answer:?}")
    };
    let services: Vec<&str> = list.service.iter().map(|service| service.name.as_str()).collect();
    for name in [
        "pronto.v1.Gateways",
        "pronto.v1.Operators",
        "pronto.v1.Queues",
        "pronto.v1.Callers",
        "grpc.health.v1.Health",
    ] {
        assert!(services.contains(&name), "{services:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_fails_stops_the_service() {
    let (house, store) = House::in_memory(&MemoryDisk::new(), Durability::WhenTold).await;
    store.make_durable(usize::MAX);
    assert_eq!(health(&house).await, ServingStatus::Serving);
    let greeting = tokio::spawn({
        let channel = house.channel.clone();
        async move { TestGateway::attach(&channel, "gw1", 1, 0).await.err() }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    store.fail();
    let stopped = within(house.service.stopped()).await;
    assert!(
        matches!(&stopped, StopError::Store(error) if error.contains("the test said so")),
        "{stopped}"
    );
    let refused = within(greeting).await.unwrap().expect("never welcomed");
    assert_eq!(refused.code(), Code::Unavailable);
    assert_eq!(health(&house).await, ServingStatus::NotServing);
    assert_eq!(
        within(house.service.stopped()).await,
        stopped,
        "it may be asked again"
    );
    assert_eq!(house.service.shutdown().await, Err(stopped));
}

#[tokio::test]
async fn two_services_cannot_share_a_ledger() {
    let directory = TestDirectory::new();
    let house = House::on_disk(&directory).await;
    let settings = Settings {
        configuration: configuration(),
        store: directory.path().join("var"),
    };
    let refused = QueueService::start(settings).await.unwrap_err();
    assert!(
        matches!(refused, StartError::Store(StoreError::Locked(_))),
        "{refused}"
    );
    house.service.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_ledger_that_makes_no_sense_is_named_by_its_fact() {
    let directory = TestDirectory::new();
    House::on_disk(&directory).await.service.shutdown().await.unwrap();
    let (store, opened) = SqliteStore::open(&directory.path().join("var/ledger.sqlite"), |_| ()).unwrap();
    let strange = Record {
        seq: opened.last + 1,
        version: 1,
        bytes: vec![0xff],
    };
    store
        .append(pronto_store::Batch {
            records: vec![strange],
            ..Default::default()
        })
        .unwrap();
    drop(store);
    let settings = Settings {
        configuration: configuration(),
        store: directory.path().join("var"),
    };
    let refused = QueueService::start(settings).await.unwrap_err();
    let expected = format!("fact {} of the ledger", opened.last + 1);
    assert!(refused.to_string().contains(&expected), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn a_configuration_that_makes_no_sense_is_refused() {
    let mut twice = configuration();
    twice.operators.push(twice.operators[0].clone());
    let disk = MemoryDisk::new();
    let refused = QueueService::start_in_memory(twice, &disk, Durability::AtOnce)
        .await
        .unwrap_err();
    assert!(matches!(refused, StartError::Configuration(_)), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn the_same_configuration_is_not_recorded_again() {
    let disk = MemoryDisk::new();
    for _ in 0..3 {
        let (house, _store) = House::in_memory(&disk, Durability::AtOnce).await;
        house.service.shutdown().await.unwrap();
    }
    let (_house, store) = House::in_memory(&disk, Durability::AtOnce).await;
    let facts = crate::service::log::facts(&*store);
    let configured = facts.filter(|fact| matches!(fact.as_ref().unwrap().fact, Fact::Configured(_)));
    let configured = configured.count();
    assert_eq!(configured, 1);
}
