//! `Calls`: who asks for the SIP messages of a call is answered by the control plane with what it holds; what is shown of
//! them is decided here, away from it.

use std::collections::{BTreeSet, HashMap};
use std::pin::Pin;

use futures::Stream;
use pronto_proto::v1::calls_server::{Calls, CallsServer};
use pronto_proto::v1::{
    ListTracesRequest, ListTracesResponse, ReadTraceRequest, Trace, TraceLeg, TracedMessage,
};
use pronto_types::{CallId, GatewayName, Time, Wall};
use tokio::sync::{mpsc, oneshot};
use tonic::{Code, Request, Response, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::trace::redact::{Names, redact};
use crate::trace::{Peer, Ring, Subject, Summary, Traced};

/// Questions waiting for the control plane; who asks more waits.
const ASKED: usize = 16;
/// Octets of a request.
const LARGEST: usize = 16 * 1024;
const USUAL_PAGE: usize = 100;
const LARGEST_PAGE: usize = 1_000;
/// Before the place of a page's last trace: a token of another list is told from ours.
const TOKEN: &str = "t";

/// Where traces are asked for. Cheap to clone.
#[derive(Clone, Debug)]
pub struct TraceDesk {
    gateway: GatewayName,
    kept: bool,
    asks: mpsc::Sender<TraceRequest>,
}

/// Questions about traces, for the control plane to answer.
#[derive(Debug)]
pub struct TraceInbox(mpsc::Receiver<TraceRequest>);

/// The desk of a gateway, and the inbox of its control plane. `kept`: any message is.
pub fn trace_desk(gateway: &GatewayName, kept: bool) -> (TraceDesk, TraceInbox) {
    let (asks, inbox) = mpsc::channel(ASKED);
    let desk = TraceDesk {
        gateway: gateway.clone(),
        kept,
        asks,
    };
    (desk, TraceInbox(inbox))
}

impl TraceInbox {
    pub(super) async fn next(&mut self) -> Option<TraceRequest> {
        self.0.recv().await
    }
}

/// One trace and its messages, if it is held.
type Found = Option<(Summary, Vec<Traced>)>;

/// A question about traces.
#[derive(Debug)]
pub(super) enum TraceRequest {
    List {
        after: u64,
        size: usize,
        reply: oneshot::Sender<(Vec<Summary>, bool)>,
    },
    Read {
        subject: Subject,
        reply: oneshot::Sender<Found>,
    },
}

impl TraceRequest {
    /// Whoever asked may have gone.
    pub(super) fn answer(self, ring: &Ring, wall: &Wall) {
        match self {
            TraceRequest::List { after, size, reply } => {
                let (mut page, more) = ring.list(after, size);
                for summary in &mut page {
                    date(summary, wall);
                }
                drop(reply.send((page, more)));
            }
            TraceRequest::Read { subject, reply } => {
                let found = ring.read(subject).map(|(mut summary, mut messages)| {
                    let offset = date(&mut summary, wall);
                    for message in &mut messages {
                        message.at = message.at.shifted(offset);
                    }
                    (summary, messages)
                });
                drop(reply.send(found));
            }
        }
    }
}

/// All of a call is dated by the clock at its beginning; returns that clock's offset.
fn date(summary: &mut Summary, wall: &Wall) -> i64 {
    let offset = wall.offset_at(summary.passed.0);
    summary.passed = (summary.passed.0.shifted(offset), summary.passed.1.shifted(offset));
    offset
}

impl TraceDesk {
    /// `Calls`, for a gRPC server.
    pub fn service(&self) -> CallsServer<TraceDesk> {
        CallsServer::new(self.clone()).max_decoding_message_size(LARGEST)
    }

    async fn ask<T>(&self, ask: impl FnOnce(oneshot::Sender<T>) -> TraceRequest) -> Result<T, Status> {
        if !self.kept {
            let sentence = "no SIP message is kept: `[trace] calls` is 0";
            return Err(failed(Code::FailedPrecondition, sentence, "TRACE_IS_OFF"));
        }
        let (reply, answer) = oneshot::channel();
        let stopping = || failed(Code::Unavailable, "the gateway is stopping", "STOPPING");
        self.asks.send(ask(reply)).await.map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())
    }

    fn show(&self, summary: &Summary) -> Trace {
        let leg = |peer: &Peer| TraceLeg {
            operator: match peer {
                Peer::Caller => String::new(),
                Peer::Operator(operator) => format!("operators/{operator}"),
            },
        };
        Trace {
            name: name(&self.gateway, summary.subject),
            legs: summary.legs.iter().map(leg).collect(),
            first_time: Some(timestamp(summary.passed.0)),
            last_time: Some(timestamp(summary.passed.1)),
            messages: u32::try_from(summary.messages).unwrap_or(u32::MAX),
            octets: summary.octets as u64,
            left_out: summary.left_out,
            status: summary.status.into(),
        }
    }

    /// The rest of a name after `gateways/{us}/`.
    fn ours<'n>(&self, name: &'n str) -> Option<&'n str> {
        let (gateway, rest) = name.strip_prefix("gateways/")?.split_once('/')?;
        (gateway == "-" || gateway == self.gateway.as_str()).then_some(rest)
    }
}

#[tonic::async_trait]
impl Calls for TraceDesk {
    async fn list_traces(
        &self,
        request: Request<ListTracesRequest>,
    ) -> Result<Response<ListTracesResponse>, Status> {
        let ListTracesRequest {
            parent,
            page_size,
            page_token,
        } = request.into_inner();
        if self.ours(&format!("{parent}/")).is_none() {
            let expected = format!("expected `gateways/{}` or `gateways/-`", self.gateway);
            return Err(invalid("parent", &expected));
        }
        let size = match usize::try_from(page_size) {
            Ok(0) => USUAL_PAGE,
            Ok(size) => size.min(LARGEST_PAGE),
            Err(_) => return Err(invalid("page_size", "expected 0 to 1000")),
        };
        let after = match page_token
            .strip_prefix(TOKEN)
            .map(|order| u64::from_str_radix(order, 16))
        {
            None if page_token.is_empty() => 0,
            Some(Ok(order)) => order,
            _ => return Err(invalid("page_token", "expected a token of an earlier answer")),
        };
        let (page, more) = self
            .ask(|reply| TraceRequest::List { after, size, reply })
            .await?;
        let next_page_token = match page.last() {
            Some(last) if more => format!("{TOKEN}{:x}", last.order),
            _ => String::new(),
        };
        Ok(Response::new(ListTracesResponse {
            traces: page.iter().map(|summary| self.show(summary)).collect(),
            next_page_token,
        }))
    }

    type ReadTraceStream = Pin<Box<dyn Stream<Item = Result<TracedMessage, Status>> + Send>>;

    async fn read_trace(
        &self,
        request: Request<ReadTraceRequest>,
    ) -> Result<Response<Self::ReadTraceStream>, Status> {
        let ReadTraceRequest { name, reveal_numbers } = request.into_inner();
        let Some(subject) = self.ours(&name).and_then(subject) else {
            let expected = format!(
                "expected `gateways/{}/calls/{{call}}/trace` or `…/attempts/{{attempt}}/trace`",
                self.gateway
            );
            return Err(invalid("name", &expected));
        };
        let found = self.ask(|reply| TraceRequest::Read { subject, reply }).await?;
        let Some((_, messages)) = found else {
            return Err(missing(&name));
        };
        let names = Names::of(&messages);
        let mut passed = BTreeSet::new();
        let shown = messages.into_iter().map(move |message| {
            let repeated = !passed.insert((message.leg, message.sent, message.bytes.clone()));
            let octets = redact(&message.bytes, &names, reveal_numbers);
            Ok(show_message(&message, repeated, octets))
        });
        Ok(Response::new(Box::pin(futures::stream::iter(shown))))
    }
}

fn show_message(message: &Traced, repeated: bool, octets: Vec<u8>) -> TracedMessage {
    TracedMessage {
        time: Some(timestamp(message.at)),
        sent: message.sent,
        transport: message.flow.transport.as_str().to_owned(),
        local: message.flow.local.to_string(),
        remote: message.flow.remote.to_string(),
        leg: u32::try_from(message.leg).unwrap_or(u32::MAX),
        repeated,
        octets,
    }
}

fn name(gateway: &GatewayName, subject: Subject) -> String {
    match subject {
        Subject::Call(call) => format!("gateways/{gateway}/calls/{call}/trace"),
        Subject::Attempt(order) => format!("gateways/{gateway}/attempts/{order}/trace"),
    }
}

/// Parses `calls/{call}/trace` or `attempts/{attempt}/trace` into the subject it names.
fn subject(rest: &str) -> Option<Subject> {
    let (kind, id) = rest.strip_suffix("/trace")?.split_once('/')?;
    match kind {
        "calls" if id.len() == 16 => u64::from_str_radix(id, 16)
            .ok()
            .map(|id| Subject::Call(CallId(id))),
        "attempts" => id.parse().ok().map(Subject::Attempt),
        _ => None,
    }
}

fn timestamp(time: Time) -> prost_types::Timestamp {
    let micros = time.as_micros();
    prost_types::Timestamp {
        seconds: micros.div_euclid(1_000_000),
        // Below a thousand million.
        nanos: i32::try_from(micros.rem_euclid(1_000_000) * 1_000).unwrap_or(0),
    }
}

fn invalid(field: &str, expected: &str) -> Status {
    let mut details = info("INVALID_FIELD");
    details.add_bad_request_violation(field, expected);
    Status::with_error_details(Code::InvalidArgument, format!("`{field}`: {expected}"), details)
}

fn missing(name: &str) -> Status {
    let mut details = info("NOT_FOUND");
    details.set_resource_info("pronto.v1/Trace", name, "", "");
    Status::with_error_details(
        Code::NotFound,
        format!("`{name}` is not held, or not any more"),
        details,
    )
}

fn failed(code: Code, sentence: &str, reason: &str) -> Status {
    Status::with_error_details(code, sentence, info(reason))
}

fn info(reason: &str) -> ErrorDetails {
    ErrorDetails::with_error_info(reason, "pronto", HashMap::new())
}
