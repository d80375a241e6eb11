//! The check in front of the gRPC services: who calls, and whether their role may.

use std::collections::HashMap;
use std::future::ready;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::header::{AUTHORIZATION, HeaderMap};
use hyper::{Request, Response};
use parking_lot::Mutex;
use pronto_queue::OwnRow;
use pronto_types::{OperatorId, RateLimit, Time};
use tokio::time::{Duration, Instant};
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};
use tower::{Layer, Service};

use super::subject::subject;
use super::{Client, Digest, Proof, Role, method};
use crate::connections::grpc::Calls;

/// The scheme of a token (RFC 6750 §2.1).
const SCHEME: &[u8] = b"Bearer ";
/// Log lines about refused calls, for all clients together.
const LINES: RateLimit = RateLimit::new(10, Duration::from_secs(60));

/// Says what the figure of this module is.
pub(crate) fn describe() {
    metrics::describe_counter!(
        "pronto_grpc_refused_total",
        "Calls to gRPC that were refused, because their client is unknown or its role may not, by reason"
    );
}

/// The guard of one listener.
#[derive(Clone)]
pub(crate) struct Guard(Option<Arc<Known>>);

/// The clients that are known, and what was logged of others.
struct Known {
    clients: Vec<Client>,
    lines: Mutex<RateLimit>,
    began: Instant,
}

impl Guard {
    /// Lets these clients through, each to the methods of its role. Without clients everybody may call everything.
    pub(crate) fn new(clients: Vec<Client>) -> Self {
        let known = |clients| Known {
            clients,
            lines: Mutex::new(LINES),
            began: Instant::now(),
        };
        Guard((!clients.is_empty()).then_some(clients).map(known).map(Arc::new))
    }
}

/// Why a call is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal<'c> {
    /// Neither token nor certificate is known.
    Unknown,
    /// The client is known, and there is no such method.
    NoMethod,
    /// The client is known, and its role may not call the method.
    WrongRole(&'c Client),
}

/// The proofs that came with a call.
#[derive(Default)]
pub(super) struct Shown<'r> {
    /// The value of `authorization`.
    pub(super) authorization: Option<&'r [u8]>,
    /// The subject of the certificate, which an authority of ours has signed.
    pub(super) subject: Option<String>,
}

/// The client that calls, if its role may call this method.
pub(super) fn judge<'c>(
    clients: &'c [Client],
    path: &str,
    shown: &Shown<'_>,
) -> Result<&'c Client, Refusal<'c>> {
    let client = find(clients, shown).ok_or(Refusal::Unknown)?;
    let (_, roles) = method(path).ok_or(Refusal::NoMethod)?;
    if roles.contains(&client.role) {
        Ok(client)
    } else {
        Err(Refusal::WrongRole(client))
    }
}

/// A token that is shown counts alone, also where the certificate is known. Every client is compared, so that the time
/// tells nothing.
fn find<'c>(clients: &'c [Client], shown: &Shown<'_>) -> Option<&'c Client> {
    let token = shown.authorization.map(|value| Digest::of(bearer(value)));
    let mut found = None;
    for client in clients.iter().rev() {
        let is_it = match (&client.proof, &token, &shown.subject) {
            (Proof::Token(known), Some(token), _) => known == token,
            (Proof::Subject(known), None, Some(subject)) => known == subject,
            (Proof::Token(_) | Proof::Subject(_), _, _) => false,
        };
        found = if is_it { Some(client) } else { found };
    }
    found
}

/// The token in `authorization`; empty, and so nobody's, if it has another form.
fn bearer(value: &[u8]) -> &[u8] {
    match value.split_at_checked(SCHEME.len()) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(SCHEME) => token,
        _ => &[],
    }
}

impl Known {
    /// Lets a call through, with the operator whose row it may touch, or says why not.
    fn check<B>(&self, request: &mut Request<B>) -> Result<(), Status> {
        let connection = request.extensions().get::<Calls>();
        let shown = Shown {
            authorization: authorization(request.headers()),
            subject: connection.and_then(Calls::certificate).and_then(subject),
        };
        match judge(&self.clients, request.uri().path(), &shown) {
            Ok(client) if client.role == Role::Operator => {
                let own = OperatorId::new(&client.name).map(OwnRow);
                let own = own.map_err(|_| self.refuse(request, &Refusal::WrongRole(client)))?;
                request.extensions_mut().insert(own);
                Ok(())
            }
            Ok(_) => Ok(()),
            Err(refusal) => Err(self.refuse(request, &refusal)),
        }
    }

    fn refuse<B>(&self, request: &Request<B>, refusal: &Refusal<'_>) -> Status {
        let (why, client, status) = match refusal {
            Refusal::Unknown => ("token", None, unproven()),
            Refusal::NoMethod => return Status::unimplemented("there is no such method"),
            Refusal::WrongRole(client) => ("role", Some(&*client.name), wrong_role()),
        };
        metrics::counter!("pronto_grpc_refused_total", "why" => why).increment(1);
        let passed = i64::try_from(self.began.elapsed().as_micros()).unwrap_or(i64::MAX);
        if let Some(left_out) = self.lines.lock().allow(Time::from_micros(passed)) {
            let from = request.extensions().get::<Calls>().and_then(Calls::source);
            let from = from.map(tracing::field::display);
            // A path that is not ours is whatever a stranger wrote.
            let method = method(request.uri().path()).map(|(path, _)| *path);
            tracing::warn!(
                from,
                method,
                client,
                left_out,
                "a gRPC call was refused: {}",
                status.message()
            );
        }
        status
    }
}

fn authorization(headers: &HeaderMap) -> Option<&[u8]> {
    headers.get(AUTHORIZATION).map(|value| value.as_bytes())
}

/// UNAUTHENTICATED: the same for no token, a wrong one and an unknown certificate.
fn unproven() -> Status {
    let sentence = "expected the token of a known client: `authorization: Bearer TOKEN`";
    Status::with_error_details(Code::Unauthenticated, sentence, info("NO_TOKEN"))
}

/// PERMISSION_DENIED: the role may not.
fn wrong_role() -> Status {
    let sentence = "the role of this client may not call this method";
    Status::with_error_details(Code::PermissionDenied, sentence, info("WRONG_ROLE"))
}

fn info(reason: &str) -> ErrorDetails {
    ErrorDetails::with_error_info(reason, "pronto", HashMap::new())
}

impl<S> Layer<S> for Guard {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        let guard = self.clone();
        Guarded { inner, guard }
    }
}

/// A service that only known clients reach.
#[derive(Clone)]
pub(crate) struct Guarded<S> {
    inner: S,
    guard: Guard,
}

impl<S> Service<Request<Body>> for Guarded<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let known = self.guard.0.as_ref();
        match known.map_or(Ok(()), |known| known.check(&mut request)) {
            Ok(()) => Box::pin(self.inner.call(request)),
            Err(status) => Box::pin(ready(Ok(status.into_http()))),
        }
    }
}
