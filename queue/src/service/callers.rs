//! The `Callers` service of the gRPC interface.

use pronto_engine::{ForecastView, Wait};
use pronto_proto::v1::callers_server::Callers;
use pronto_proto::v1::forecast_response::{self, Forecast, Unknown, UnknownReason};
use pronto_proto::v1::{
    BestTimeRequest, BestTimeResponse, ForecastRequest, ForecastResponse, best_time_response,
};
use pronto_proto::wire::{duration, timestamp};
use tonic::{Request, Response, Status};

use super::handle::EngineHandle;
use super::{names, status};

/// The `Callers` service, answered by the owner.
pub(super) struct CallersService(pub(super) EngineHandle);

#[tonic::async_trait]
impl Callers for CallersService {
    async fn forecast(
        &self,
        request: Request<ForecastRequest>,
    ) -> Result<Response<ForecastResponse>, Status> {
        let name = request.into_inner().name;
        let wanted = names::parse_queue(&name)?;
        let seen = self.0.look(move |engine, now| engine.forecast(now, &wanted));
        match seen.await? {
            Some(view) => Ok(Response::new(show(name, &view))),
            None => Err(status::not_found("Queue", &name)),
        }
    }

    async fn best_time(
        &self,
        request: Request<BestTimeRequest>,
    ) -> Result<Response<BestTimeResponse>, Status> {
        let name = request.into_inner().name;
        let wanted = names::parse_queue(&name)?;
        let seen = self
            .0
            .look(move |engine, now| engine.state().best_hours(now, &wanted));
        let hours = seen.await?.ok_or_else(|| status::not_found("Queue", &name))?;
        let hours = hours.into_iter().map(|hour| best_time_response::Hour {
            begins: Some(timestamp(hour.begins)),
            wait: Some(duration(hour.wait)),
            callers: hour.callers,
        });
        Ok(Response::new(BestTimeResponse {
            hours: hours.collect(),
            name,
        }))
    }
}

fn show(name: String, view: &ForecastView) -> ForecastResponse {
    let unknown = |reason: UnknownReason| {
        let reason = reason.into();
        Forecast::Unknown(Unknown { reason })
    };
    let forecast = match view.wait {
        None if view.all_paused => unknown(UnknownReason::AllPaused),
        None => unknown(UnknownReason::NobodySignedIn),
        Some(_) if !view.reliable => unknown(UnknownReason::Unreliable),
        Some(Wait { mean, p50, p80, p90 }) => Forecast::Wait(forecast_response::Wait {
            mean: Some(duration(mean)),
            p50: Some(duration(p50)),
            p80: Some(duration(p80)),
            p90: Some(duration(p90)),
        }),
    };
    ForecastResponse {
        name,
        position: view.position,
        forecast: Some(forecast),
    }
}
