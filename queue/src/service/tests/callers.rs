//! Tests of the `Callers.Forecast` method.

use pronto_proto::v1::forecast_response::{Forecast, Unknown, UnknownReason};
use pronto_proto::v1::{
    BestTimeRequest, ForecastRequest, ListPromisesRequest, OperatorState, SetOperatorStateRequest,
};
use pronto_types::TicketId;
use pronto_types::link::{Event, Hearing};
use tonic::Code;

use super::support::*;

async fn forecast(house: &House, queue: &str) -> (u32, Forecast) {
    let name = format!("queues/{queue}");
    let request = ForecastRequest { name: name.clone() };
    let answer = house.callers().forecast(request).await.unwrap().into_inner();
    assert_eq!(answer.name, name);
    (answer.position, answer.forecast.unwrap())
}

fn mean(forecast: &Forecast) -> std::time::Duration {
    let Forecast::Wait(wait) = forecast else {
        panic!("unknown: {forecast:?}")
    };
    let parts = [wait.mean, wait.p50, wait.p80, wait.p90];
    let [mean, p50, p80, p90] = parts.map(|part| std::time::Duration::try_from(part.unwrap()).unwrap());
    assert!(p50 <= p80 && p80 <= p90, "{wait:?}");
    mean
}

#[tokio::test(start_paused = true)]
async fn each_caller_before_them_makes_the_forecast_longer() {
    let house = House::simple().await;
    let mut gateway = house.attach("gw1", 1).await;
    gateway.registers("101").await;
    let (position, alone) = forecast(&house, "support").await;
    assert_eq!(position, 1);
    let mut before = mean(&alone);
    gateway.joins(1).await;
    let (offer, ticket, _) = gateway.offer().await;
    gateway.answers(offer, ticket).await;
    for (ticket, expected) in (2..).zip(2..5) {
        gateway.joins(ticket).await;
        gateway.acknowledged().await;
        let (position, forecast) = forecast(&house, "support").await;
        assert_eq!(position, expected);
        assert!(mean(&forecast) > before, "{forecast:?} {before:?}");
        before = mean(&forecast);
    }
}

#[tokio::test(start_paused = true)]
async fn where_nobody_is_signed_in_the_wait_is_unknown_and_says_why() {
    let house = House::simple().await;
    let reason = UnknownReason::NobodySignedIn.into();
    let unknown = Forecast::Unknown(Unknown { reason });
    assert_eq!(forecast(&house, "support").await, (1, unknown));
}

#[tokio::test(start_paused = true)]
async fn where_all_operators_are_paused_the_wait_is_unknown_and_says_why() {
    let house = House::simple().await;
    let mut gateway = house.attach("gw1", 1).await;
    gateway.registers("101").await;
    mean(&forecast(&house, "support").await.1);
    let pause = SetOperatorStateRequest {
        name: "operators/101".to_owned(),
        state: OperatorState::Paused.into(),
        ..Default::default()
    };
    house.operators().set_operator_state(pause).await.unwrap();
    let reason = UnknownReason::AllPaused.into();
    let unknown = Forecast::Unknown(Unknown { reason });
    assert_eq!(forecast(&house, "support").await, (1, unknown));
}

#[tokio::test(start_paused = true)]
async fn a_promise_that_was_heard_is_closed_by_the_answer_and_can_be_asked_for() {
    let house = House::simple().await;
    let mut gateway = house.attach("gw1", 1).await;
    gateway.registers("101").await;
    gateway.joins(1).await;
    let (offer, ticket, _) = gateway.offer().await;
    gateway.answers(offer, ticket).await;
    gateway.joins(2).await;
    let (announcement, waiting, _) = gateway.announced().await;
    let how = Hearing::Whole;
    let ticket = waiting;
    gateway
        .say(Event::Heard {
            announcement,
            ticket,
            how,
        })
        .await;
    gateway.talk_ends(offer, TicketId(1)).await;
    // The wrap-up.
    tokio::time::sleep(std::time::Duration::from_secs(11)).await;
    let (offer, ticket, _) = gateway.offer().await;
    assert_eq!(ticket, waiting);
    gateway.answers(offer, ticket).await;
    let request = |name: &str| ListPromisesRequest {
        name: name.to_owned(),
    };
    let mut queues = house.queues();
    let answer = queues
        .list_promises(request("queues/support"))
        .await
        .unwrap()
        .into_inner();
    assert!(answer.reliable);
    let [day] = &answer.days[..] else {
        panic!("{answer:?}")
    };
    assert_eq!((day.heard, day.answered, day.left, day.broken), (1, 1, 0, 0));
    assert!(
        day.mean_error.is_some() && day.day.unwrap().seconds % 86_400 == 0,
        "{day:?}"
    );
    let refused = queues.list_promises(request("queues/suport")).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_is_none_is_not_found() {
    let house = House::simple().await;
    for (name, code) in [
        ("queues/suport", Code::NotFound),
        ("support", Code::InvalidArgument),
        ("", Code::InvalidArgument),
    ] {
        let name = name.to_owned();
        let refused = house.callers().forecast(ForecastRequest { name }).await;
        assert_eq!(refused.unwrap_err().code(), code);
    }
}

/// Six callers are answered at once, an hour passes: that hour of the week is when to call.
#[tokio::test(start_paused = true)]
async fn the_best_time_to_call_is_the_hour_in_which_callers_were_answered() {
    let house = House::simple().await;
    let ask = |name: &str| BestTimeRequest {
        name: name.to_owned(),
    };
    let mut callers = house.callers();
    let empty = callers
        .best_time(ask("queues/support"))
        .await
        .unwrap()
        .into_inner();
    assert!(empty.hours.is_empty(), "{empty:?}");
    let mut gateway = house.attach("gw1", 1).await;
    gateway.registers("101").await;
    for call in 1..=6 {
        gateway.joins(call).await;
        let (offer, ticket, _) = gateway.offer().await;
        gateway.answers(offer, ticket).await;
        gateway.talk_ends(offer, ticket).await;
        // The wrap-up.
        tokio::time::sleep(std::time::Duration::from_secs(11)).await;
    }
    let found = callers
        .best_time(ask("queues/support"))
        .await
        .unwrap()
        .into_inner();
    assert!((1..=2).contains(&found.hours.len()), "{found:?}");
    let hour = &found.hours[0];
    assert!(
        hour.callers > 0.0 && hour.begins.is_some_and(|begins| begins.seconds % 3600 == 0),
        "{hour:?}"
    );
    let unknown = callers.best_time(ask("queues/kitchen")).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
}
