//! Asking a gateway, over its gRPC.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use pronto_proto::v1::calls_client::CallsClient;
use pronto_proto::v1::{ListTracesRequest, ReadTraceRequest, Trace, TracedMessage};
use pronto_types::Time;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use super::{Listed, Passed, TraceError};

/// A gateway on this machine answers at once, or not at all.
const PATIENCE: Duration = Duration::from_secs(5);
const PAGE: i32 = 1_000;

/// A gateway that answers.
pub(super) struct Gateway {
    place: String,
    calls: CallsClient<Channel>,
    /// The first page of its list, which is how we know that it answers.
    traces: Vec<Trace>,
    next: String,
}

impl Gateway {
    /// The first of these places where a gateway answers.
    pub(super) async fn connect(places: &[String]) -> Result<Gateway, TraceError> {
        for place in places {
            let endpoint =
                Endpoint::from_shared(place.clone()).map_err(|_| TraceError::Gateway(place.clone()))?;
            let endpoint = endpoint.connect_timeout(PATIENCE).timeout(PATIENCE);
            let Ok(channel) = endpoint.connect().await else {
                continue;
            };
            let mut calls = CallsClient::new(channel);
            match list(&mut calls, String::new()).await {
                Ok((traces, next)) => {
                    return Ok(Gateway {
                        place: place.clone(),
                        calls,
                        traces,
                        next,
                    });
                }
                // A queue service that runs alone, or something else altogether.
                Err(status) if status.code() == Code::Unimplemented => {}
                Err(status) => return Err(refused(place, &status)),
            }
        }
        Err(TraceError::Unreachable(places.join(" nor at ")))
    }

    /// Everything it holds.
    pub(super) async fn list(&mut self) -> Result<Vec<Listed>, TraceError> {
        while !self.next.is_empty() {
            let page = list(&mut self.calls, std::mem::take(&mut self.next)).await;
            let (traces, next) = page.map_err(|status| refused(&self.place, &status))?;
            self.traces.extend(traces);
            self.next = next;
        }
        Ok(std::mem::take(&mut self.traces).into_iter().map(listed).collect())
    }

    /// The messages of one trace.
    pub(super) async fn read(&mut self, name: &str, numbers: bool) -> Result<Vec<Passed>, TraceError> {
        let request = ReadTraceRequest {
            name: name.to_owned(),
            reveal_numbers: numbers,
        };
        let refused = |status: Status| refused(&self.place, &status);
        let mut stream = self
            .calls
            .read_trace(request)
            .await
            .map_err(refused)?
            .into_inner();
        let mut messages = Vec::new();
        while let Some(message) = stream.message().await.map_err(refused)? {
            messages.push(passed(message));
        }
        Ok(messages)
    }
}

async fn list(calls: &mut CallsClient<Channel>, token: String) -> Result<(Vec<Trace>, String), Status> {
    let request = ListTracesRequest {
        parent: "gateways/-".to_owned(),
        page_size: PAGE,
        page_token: token,
    };
    let page = calls.list_traces(request).await?.into_inner();
    Ok((page.traces, page.next_page_token))
}

fn refused(place: &str, status: &Status) -> TraceError {
    TraceError::Refused(place.to_owned(), status.message().to_owned())
}

fn listed(trace: Trace) -> Listed {
    let id = trace.name.trim_end_matches("/trace");
    let id = id.splitn(3, '/').nth(2).unwrap_or(id);
    let operator = |name: &str| name.trim_start_matches("operators/").to_owned();
    Listed {
        id: id.trim_start_matches("calls/").to_owned(),
        legs: trace.legs.iter().map(|leg| operator(&leg.operator)).collect(),
        first: time(trace.first_time),
        messages: trace.messages,
        octets: trace.octets,
        left_out: trace.left_out,
        status: trace.status,
        name: trace.name,
    }
}

fn passed(message: TracedMessage) -> Passed {
    let address = |text: &str| {
        text.parse()
            .unwrap_or(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)))
    };
    Passed {
        at: time(message.time),
        sent: message.sent,
        local: address(&message.local),
        remote: address(&message.remote),
        transport: message.transport,
        leg: message.leg as usize,
        repeated: message.repeated,
        octets: message.octets,
    }
}

fn time(timestamp: Option<prost_types::Timestamp>) -> Time {
    timestamp.map_or(Time::ZERO, |at| {
        Time::from_micros(
            at.seconds
                .saturating_mul(1_000_000)
                .saturating_add(i64::from(at.nanos) / 1_000),
        )
    })
}
