//! The `Queues` service of the gRPC interface.

use pronto_engine::{DayView, EndedCounts, QueueView};
use pronto_proto::v1::queues_server::Queues;
use pronto_proto::v1::{
    GetQueueRequest, ListPromisesRequest, ListPromisesResponse, ListQueuesRequest, ListQueuesResponse,
    Promises, Queue, queue,
};
use pronto_proto::wire::{duration, timestamp};
use pronto_types::Time;
use tonic::{Request, Response, Status};

use super::handle::EngineHandle;
use super::names::{self, Page};
use super::status;

/// The `Queues` service, answered by the owner.
pub(super) struct QueuesService(pub(super) EngineHandle);

#[tonic::async_trait]
impl Queues for QueuesService {
    async fn list_queues(
        &self,
        request: Request<ListQueuesRequest>,
    ) -> Result<Response<ListQueuesResponse>, Status> {
        let request = request.into_inner();
        let page = Page::new(request.page_size, &request.page_token)?;
        let seen = self.0.look(move |engine, now| {
            let (views, next_page_token) = page.of(engine.queues(), |view| view.name.as_str());
            let queues = views.iter().map(|view| show(view, now)).collect();
            ListQueuesResponse {
                queues,
                next_page_token,
            }
        });
        seen.await.map(Response::new)
    }

    async fn get_queue(&self, request: Request<GetQueueRequest>) -> Result<Response<Queue>, Status> {
        let name = request.into_inner().name;
        let wanted = names::parse_queue(&name)?;
        let seen = self
            .0
            .look(move |engine, now| engine.queue(&wanted).map(|view| show(&view, now)));
        seen.await?
            .map(Response::new)
            .ok_or_else(|| status::not_found("Queue", &name))
    }

    async fn list_promises(
        &self,
        request: Request<ListPromisesRequest>,
    ) -> Result<Response<ListPromisesResponse>, Status> {
        let name = request.into_inner().name;
        let wanted = names::parse_queue(&name)?;
        let seen = self.0.look(move |engine, _| {
            let days = engine.promises(&wanted)?.iter().map(promises).collect();
            let reliable = engine.reliable(&wanted);
            Some(ListPromisesResponse { days, reliable })
        });
        seen.await?
            .map(Response::new)
            .ok_or_else(|| status::not_found("Queue", &name))
    }
}

fn promises(view: &DayView) -> Promises {
    let book = view.book;
    Promises {
        day: Some(timestamp(view.begins)),
        heard: book.heard,
        answered: book.answered,
        left: book.left,
        over_p50: book.over_p50,
        late: book.late,
        broken: book.broken,
        mean_error: book.mean_error().map(duration),
    }
}

fn show(view: &QueueView, now: Time) -> Queue {
    let EndedCounts {
        answered,
        abandoned,
        timed_out,
        exited,
        moved,
        called_back,
        removed,
        lost,
    } = view.ended;
    Queue {
        name: names::queue(&view.name),
        joined: view.joined,
        waiting: view.waiting,
        detached: view.detached,
        offered: view.offered,
        connected: view.connected,
        ended: Some(queue::Ended {
            answered,
            abandoned,
            timed_out,
            exited,
            moved,
            called_back,
            removed,
            lost,
        }),
        longest_wait: view.longest_since.map(|since| duration(now.since(since))),
        operators_ready: view.operators_ready,
        operators_signed_in: view.operators_signed_in,
    }
}
