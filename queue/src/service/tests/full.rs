//! A ledger whose disk is full: gateways take nobody new, everybody who is here is served.

use std::time::Duration;

use pronto_proto::v1::queue_message;
use pronto_store::{Durability, Health, MemoryDisk};
use tonic::Code;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use super::support::{House, TestGateway};
use crate::StopError;

async fn health(house: &House, service: &str) -> ServingStatus {
    let service = service.to_owned();
    let mut client = HealthClient::new(house.channel.clone());
    let asked = client.check(HealthCheckRequest { service }).await;
    let HealthCheckResponse { status } = asked.unwrap().into_inner();
    ServingStatus::try_from(status).unwrap()
}

/// Admission messages from the queue within a second.
async fn admission(gateway: &mut TestGateway) -> Vec<bool> {
    let heard = gateway.heard_in(Duration::from_secs(1)).await;
    let admission = heard.into_iter().filter_map(|message| match message.message {
        Some(queue_message::Message::Admission(admission)) => Some(admission.open),
        _ => None,
    });
    admission.collect()
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_closes_the_gateways_to_new_calls_and_serves_everybody_who_is_here() {
    let (house, store) = House::in_memory(&MemoryDisk::new(), Durability::AtOnce).await;
    let mut gateway = house.attach("gw1", 1).await;
    gateway.registers("101").await;
    gateway.joins(7).await;
    assert_eq!(admission(&mut gateway).await, [] as [bool; 0]);
    store.become_so(Health::Tight);
    assert_eq!(admission(&mut gateway).await, [false]);
    let (all, links) = ("", "pronto.v1.Gateways");
    assert_eq!(health(&house, all).await, ServingStatus::NotServing);
    assert_eq!(
        health(&house, "pronto.v1.Callers").await,
        ServingStatus::NotServing
    );
    assert_eq!(health(&house, links).await, ServingStatus::Serving);
    // A gateway that comes now is told with its welcome, and what it reports is taken.
    let mut second = house.attach("gw2", 1).await;
    assert_eq!(admission(&mut second).await, [false]);
    second.registers("102").await;
    store.become_so(Health::Sound);
    assert_eq!(admission(&mut gateway).await, [true]);
    assert_eq!(admission(&mut second).await, [true]);
    assert_eq!(health(&house, all).await, ServingStatus::Serving);
}

#[tokio::test(start_paused = true)]
async fn the_health_of_the_whole_follows_the_gateway_in_the_same_process() {
    let house = House::simple().await;
    let (admits, admission) = tokio::sync::watch::channel(true);
    house.service.follow_gateway(admission, |open| *open);
    for open in [false, true, false] {
        admits.send_replace(open);
        tokio::time::sleep(Duration::from_millis(1)).await;
        let expected = if open {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        };
        assert_eq!(health(&house, "").await, expected);
        assert_eq!(health(&house, "pronto.v1.Callers").await, ServingStatus::Serving);
    }
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_cannot_be_written_lets_its_gateways_go_to_wait_with_their_callers() {
    let (house, store) = House::in_memory(&MemoryDisk::new(), Durability::AtOnce).await;
    let mut gateway = house.attach("gw1", 1).await;
    store.become_so(Health::Stalled);
    let ended = gateway.end().await;
    assert_eq!(ended.code(), Code::Unavailable, "{ended}");
    // In memory there is nothing to open once more.
    assert!(matches!(house.service.stopped().await, StopError::Store(_)));
}
