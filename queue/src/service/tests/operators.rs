//! `Operators` and `Queues`.

use pronto_proto::v1::{
    GetQueueRequest, ListOperatorsRequest, ListQueuesRequest, Operator, OperatorState,
    SetOperatorStateRequest,
};
use pronto_types::link::Event;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::support::*;

async fn set(
    house: &House,
    id: &str,
    state: OperatorState,
    reason: &str,
    request: &str,
) -> Result<Operator, Status> {
    let request = SetOperatorStateRequest {
        name: format!("operators/{id}"),
        state: state.into(),
        reason: reason.to_owned(),
        request_id: request.to_owned(),
    };
    house
        .operators()
        .set_operator_state(request)
        .await
        .map(tonic::Response::into_inner)
}

fn reason(status: &Status) -> String {
    status
        .get_details_error_info()
        .expect("every error has an ErrorInfo (AIP-193)")
        .reason
}

#[tokio::test(start_paused = true)]
async fn operators_are_listed_by_the_page() {
    let house = House::simple().await;
    let mut gateway = house.attach("gw1", 1).await;
    gateway.registers("102").await;
    let list = |page_size, page_token: String| {
        let mut operators = house.operators();
        async move {
            let request = ListOperatorsRequest {
                page_size,
                page_token,
            };
            operators
                .list_operators(request)
                .await
                .map(tonic::Response::into_inner)
        }
    };
    let all = list(0, String::new()).await.unwrap();
    assert_eq!(all.next_page_token, "");
    let shown: Vec<_> = all
        .operators
        .iter()
        .map(|it| (it.name.as_str(), it.state(), it.reachable))
        .collect();
    let expected = [
        ("operators/101", OperatorState::SignedOut, false),
        ("operators/102", OperatorState::Ready, true),
    ];
    assert_eq!(shown, expected);
    assert_eq!(all.operators[0].queues, ["queues/sales", "queues/support"]);
    let first = list(1, String::new()).await.unwrap();
    assert_eq!(first.operators, all.operators[..1]);
    let second = list(1, first.next_page_token).await.unwrap();
    assert_eq!(
        (second.operators.as_slice(), second.next_page_token.as_str()),
        (&all.operators[1..], "")
    );
    assert_eq!(
        list(-1, String::new()).await.unwrap_err().code(),
        Code::InvalidArgument
    );
    let bad = list(1, "nonsense".to_owned()).await.unwrap_err();
    assert_eq!(
        (bad.code(), reason(&bad)),
        (Code::InvalidArgument, "INVALID_FIELD".to_owned())
    );
    assert_eq!(
        bad.get_details_bad_request().unwrap().field_violations[0].field,
        "page_token"
    );
}

#[tokio::test(start_paused = true)]
async fn an_operator_is_paused_made_ready_and_signed_out() {
    let house = House::simple().await;
    let mut gateway = house.attach("gw1", 1).await;
    gateway.registers("101").await;
    let paused = set(&house, "101", OperatorState::Paused, "lunch", "")
        .await
        .unwrap();
    assert_eq!(
        (paused.state(), paused.reason.as_str()),
        (OperatorState::Paused, "lunch")
    );
    tokio::time::sleep(std::time::Duration::from_secs(90)).await;
    let request = ListOperatorsRequest::default();
    let listed = house
        .operators()
        .list_operators(request)
        .await
        .unwrap()
        .into_inner()
        .operators;
    assert_eq!(listed[0].in_state.unwrap().seconds, 90);
    assert_eq!(
        set(&house, "101", OperatorState::Ready, "", "")
            .await
            .unwrap()
            .state(),
        OperatorState::Ready
    );
    let out = set(&house, "101", OperatorState::SignedOut, "", "")
        .await
        .unwrap();
    assert_eq!(out.state(), OperatorState::SignedOut);
    let refused = set(&house, "101", OperatorState::Paused, "", "")
        .await
        .unwrap_err();
    assert_eq!(
        (refused.code(), reason(&refused)),
        (Code::FailedPrecondition, "SIGNED_OUT".to_owned())
    );
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_done_is_refused_with_the_right_status() {
    let house = House::simple().await;
    let unknown = set(&house, "999", OperatorState::Ready, "", "")
        .await
        .unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    assert_eq!(
        unknown.get_details_resource_info().unwrap().resource_name,
        "operators/999"
    );
    let phoneless = set(&house, "101", OperatorState::Ready, "", "")
        .await
        .unwrap_err();
    assert_eq!(
        (phoneless.code(), reason(&phoneless)),
        (Code::FailedPrecondition, "NO_PHONE_REGISTERED".to_owned())
    );
    for state in [
        OperatorState::Unspecified,
        OperatorState::Talking,
        OperatorState::WrapUp,
    ] {
        let refused = set(&house, "101", state, "", "").await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{state:?}");
    }
    let invalid = [
        ("101", "x".repeat(65), String::new()),
        ("101", String::new(), "x".repeat(65)),
        ("1 1", String::new(), String::new()),
    ];
    for (id, words, request) in invalid {
        let refused = set(&house, id, OperatorState::Paused, &words, &request)
            .await
            .unwrap_err();
        assert_eq!(
            (refused.code(), reason(&refused)),
            (Code::InvalidArgument, "INVALID_FIELD".to_owned())
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_repeated_request_is_answered_again_and_not_carried_out_again() {
    let house = House::simple().await;
    let mut gateway = house.attach("gw1", 1).await;
    gateway.registers("101").await;
    let first = set(&house, "101", OperatorState::Paused, "lunch", "r-1")
        .await
        .unwrap();
    set(&house, "101", OperatorState::Ready, "", "r-2").await.unwrap();
    let again = set(&house, "101", OperatorState::Paused, "lunch", "r-1")
        .await
        .unwrap();
    assert_eq!(again, first);
    assert_eq!(
        house.state("101").await.0,
        OperatorState::Ready,
        "not carried out again"
    );
    let other = set(&house, "101", OperatorState::SignedOut, "", "r-1")
        .await
        .unwrap_err();
    assert_eq!(other.code(), Code::InvalidArgument);
    assert_eq!(
        other.get_details_bad_request().unwrap().field_violations[0].field,
        "request_id"
    );
}

#[tokio::test(start_paused = true)]
async fn a_pause_asked_for_while_talking_comes_after_the_call() {
    let house = House::simple().await;
    let mut gateway = house.attach("gw1", 1).await;
    gateway.registers("101").await;
    gateway.joins(1).await;
    let (offer, ticket, _) = gateway.offer().await;
    gateway.answers(offer, ticket).await;
    let still = set(&house, "101", OperatorState::Paused, "lunch", "")
        .await
        .unwrap();
    assert_eq!(still.state(), OperatorState::Talking);
    gateway.say(Event::TalkEnded { offer, ticket }).await;
    gateway.acknowledged().await;
    assert_eq!(
        house.state("101").await,
        (OperatorState::Paused, "lunch".to_owned())
    );
}

#[tokio::test(start_paused = true)]
async fn queues_are_listed_and_found_by_name() {
    let house = House::simple().await;
    let list = house
        .queues()
        .list_queues(ListQueuesRequest {
            page_size: 1,
            ..Default::default()
        })
        .await;
    let first = list.unwrap().into_inner();
    assert_eq!(first.queues[0].name, "queues/sales");
    let request = ListQueuesRequest {
        page_size: 1,
        page_token: first.next_page_token,
    };
    let second = house.queues().list_queues(request).await.unwrap().into_inner();
    assert_eq!(
        (second.queues[0].name.as_str(), second.next_page_token.as_str()),
        ("queues/support", "")
    );
    assert_eq!(house.queue("support").await, second.queues[0]);
    let get = |name: &str| {
        let mut queues = house.queues();
        let request = GetQueueRequest {
            name: name.to_owned(),
        };
        async move { queues.get_queue(request).await.unwrap_err() }
    };
    let unknown = get("queues/none").await;
    assert_eq!(
        (unknown.code(), reason(&unknown)),
        (Code::NotFound, "NOT_FOUND".to_owned())
    );
    assert_eq!(get("operators/101").await.code(), Code::InvalidArgument);
}
