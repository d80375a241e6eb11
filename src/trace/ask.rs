//! Asking a gateway, over its gRPC.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use pronto_proto::v1::calls_client::CallsClient;
use pronto_proto::v1::{ListTracesRequest, ReadTraceRequest, Trace, TracedMessage};
use pronto_types::Time;
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

use super::{Listed, Passed, TraceArgs, TraceError};
use crate::channel;

/// A gateway on this machine answers at once, or not at all.
const PATIENCE: Duration = Duration::from_secs(5);
const PAGE: i32 = 1_000;

/// The proofs for a gateway that asks for TLS or a token.
pub(super) struct Keys {
    ca: Option<PathBuf>,
    authorization: Option<AsciiMetadataValue>,
}

impl Keys {
    pub(super) fn read(arguments: &TraceArgs) -> Result<Keys, TraceError> {
        let read = |file: &PathBuf| {
            let failed = |error| TraceError::Token(file.clone(), error);
            let token = std::fs::read_to_string(file).map_err(failed)?;
            let value: Result<AsciiMetadataValue, _> = format!("Bearer {}", token.trim()).parse();
            let mut value = value.map_err(|_| failed(io::ErrorKind::InvalidData.into()))?;
            value.set_sensitive(true);
            Ok(value)
        };
        Ok(Keys {
            ca: arguments.ca.clone(),
            authorization: arguments.token_file.as_ref().map(read).transpose()?,
        })
    }

    /// A request with the token.
    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(value) = &self.authorization {
            request.metadata_mut().insert("authorization", value.clone());
        }
        request
    }

    /// A channel; `None` if nobody answers there.
    async fn channel(&self, place: &str) -> Result<Option<Channel>, TraceError> {
        let endpoint = Endpoint::from_shared(place.to_owned());
        let endpoint = endpoint.map_err(|_| TraceError::Gateway(place.to_owned()))?;
        let endpoint = endpoint.connect_timeout(PATIENCE).timeout(PATIENCE);
        if !place.starts_with("https://") {
            return Ok(endpoint.connect().await.ok());
        }
        let Some(ca) = &self.ca else {
            return Ok(None);
        };
        let connect = channel::secure(ca).map_err(TraceError::Authority)?;
        Ok(endpoint.connect_with_connector(connect).await.ok())
    }
}

/// A gateway that answers.
pub(super) struct Gateway {
    place: String,
    calls: CallsClient<Channel>,
    keys: Keys,
    /// The first page of its list, which is how we know that it answers.
    traces: Vec<Trace>,
    next: String,
}

impl Gateway {
    /// The first of these places where a gateway answers.
    pub(super) async fn connect(places: &[String], keys: Keys) -> Result<Gateway, TraceError> {
        for place in places {
            let Some(channel) = keys.channel(place).await? else {
                continue;
            };
            let mut calls = CallsClient::new(channel);
            match list(&mut calls, &keys, String::new()).await {
                Ok((traces, next)) => {
                    return Ok(Gateway {
                        place: place.clone(),
                        calls,
                        keys,
                        traces,
                        next,
                    });
                }
                // A queue service that runs alone, or something else altogether.
                Err(status) if status.code() == Code::Unimplemented => {}
                Err(status) => return Err(refused(place, &status)),
            }
        }
        match places.iter().find(|place| place.starts_with("https://")) {
            Some(place) if keys.ca.is_none() => Err(TraceError::NoAuthority(place.clone())),
            _ => Err(TraceError::Unreachable(places.join(" nor at "))),
        }
    }

    /// Everything it holds.
    pub(super) async fn list(&mut self) -> Result<Vec<Listed>, TraceError> {
        while !self.next.is_empty() {
            let page = list(&mut self.calls, &self.keys, std::mem::take(&mut self.next)).await;
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
            .read_trace(self.keys.request(request))
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

async fn list(
    calls: &mut CallsClient<Channel>,
    keys: &Keys,
    token: String,
) -> Result<(Vec<Trace>, String), Status> {
    let request = ListTracesRequest {
        parent: "gateways/-".to_owned(),
        page_size: PAGE,
        page_token: token,
    };
    let page = calls.list_traces(keys.request(request)).await?.into_inner();
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
