//! The `Operators` service of the gRPC interface.

use pronto_engine::{OperatorStatus, OperatorView, SetOperatorError, Wanted};
use pronto_proto::v1::operators_server::Operators;
use pronto_proto::v1::{
    ListOperatorsRequest, ListOperatorsResponse, Operator, OperatorState, SetOperatorStateRequest,
};
use pronto_proto::wire::duration;
use pronto_types::{OperatorId, Time};
use tokio::sync::oneshot;
use tonic::{Request, Response, Status};

use super::handle::{EngineHandle, EngineRequest};
use super::names::{self, Page};
use super::requests::{Answer, Wish};
use super::status;

/// Characters of a pause's reason, and of a request's id.
const TEXT: usize = 64;

/// In the extensions of a request: it comes from this operator, who sees and sets their own row alone.
#[derive(Clone, Debug)]
pub struct OwnRow(pub OperatorId);

/// The `Operators` service, answered by the owner.
pub(super) struct OperatorsService(pub(super) EngineHandle);

#[tonic::async_trait]
impl Operators for OperatorsService {
    async fn list_operators(
        &self,
        request: Request<ListOperatorsRequest>,
    ) -> Result<Response<ListOperatorsResponse>, Status> {
        let own = request.extensions().get::<OwnRow>().cloned();
        let request = request.into_inner();
        let page = Page::new(request.page_size, &request.page_token)?;
        let seen = self.0.look(move |engine, now| {
            let seen = |view: &OperatorView| own.as_ref().is_none_or(|own| own.0 == view.id);
            let (views, next_page_token) = page.of(engine.operators().filter(seen), |view| view.id.as_str());
            let operators = views.iter().map(|view| show(view, now)).collect();
            ListOperatorsResponse {
                operators,
                next_page_token,
            }
        });
        seen.await.map(Response::new)
    }

    async fn set_operator_state(
        &self,
        request: Request<SetOperatorStateRequest>,
    ) -> Result<Response<Operator>, Status> {
        let own = request.extensions().get::<OwnRow>().cloned();
        let SetOperatorStateRequest {
            name,
            state,
            reason,
            request_id,
        } = request.into_inner();
        let operator = names::parse_operator(&name)?;
        if own.is_some_and(|own| own.0 != operator) {
            return Err(status::not_your_row());
        }
        if reason.len() > TEXT * 4 || reason.chars().count() > TEXT {
            return Err(status::invalid("reason", "expected at most 64 characters"));
        }
        if request_id.len() > TEXT || !request_id.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(status::invalid(
                "request_id",
                "expected at most 64 characters, such as a UUID",
            ));
        }
        let wanted = match OperatorState::try_from(state) {
            Ok(OperatorState::Ready) => Wanted::Ready,
            Ok(OperatorState::Paused) => Wanted::Paused { reason },
            Ok(OperatorState::SignedOut) => Wanted::SignedOut,
            _ => return Err(status::invalid("state", "expected READY, PAUSED or SIGNED_OUT")),
        };
        let (reply, answer) = oneshot::channel();
        let wish = Wish { operator, wanted };
        if !self
            .0
            .tell(EngineRequest::SetOperator {
                wish,
                id: request_id,
                reply,
            })
            .await
        {
            return Err(status::unavailable());
        }
        match answer.await.map_err(|_| status::unavailable())? {
            Answer::Done(view, now) => Ok(Response::new(show(&view, now))),
            Answer::IdTaken => Err(status::invalid(
                "request_id",
                "it belongs to a request for something else",
            )),
            Answer::Refused(error) => Err(refusal(error, &name)),
        }
    }
}

fn refusal(error: SetOperatorError, name: &str) -> Status {
    let reason = match error {
        SetOperatorError::Unknown => return status::not_found("Operator", name),
        SetOperatorError::NotRegistered => "NO_PHONE_REGISTERED",
        SetOperatorError::SignedOut => "SIGNED_OUT",
    };
    status::failed_precondition(reason, name, &error.to_string())
}

fn show(view: &OperatorView, now: Time) -> Operator {
    let (state, reason) = match &view.status {
        OperatorStatus::SignedOut => (OperatorState::SignedOut, String::new()),
        OperatorStatus::Ready => (OperatorState::Ready, String::new()),
        OperatorStatus::Offered { .. } => (OperatorState::Offered, String::new()),
        OperatorStatus::Talking => (OperatorState::Talking, String::new()),
        OperatorStatus::WrapUp { .. } => (OperatorState::WrapUp, String::new()),
        OperatorStatus::Paused { reason, .. } => (OperatorState::Paused, reason.to_string()),
    };
    Operator {
        name: names::operator(&view.id),
        state: state.into(),
        reason,
        in_state: Some(duration(now.since(view.since))),
        reachable: view.reachable,
        queues: view.queues.iter().map(names::queue).collect(),
    }
}
