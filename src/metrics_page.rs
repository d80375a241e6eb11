//! The HTTP pages for operations: `/metrics` for Prometheus; `/livez`, `/readyz` and `/healthz` for balancers and supervisors.
//!
//! One request a connection. A stranger who sends half a request, or reads its answer slowly, is cut off.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::access::guard;
use crate::connections::{self, Limits, Listener, Place};
use crate::health::Health;
use crate::process;

/// Buckets of durations, in seconds: from a fast commit to a long wait.
const SECONDS: [f64; 14] = [
    0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0,
];
/// How often the samples of histograms are gathered.
const UPKEEP: Duration = Duration::from_secs(5);
/// Until the head of the request is whole.
const HEAD: Duration = Duration::from_secs(10);
/// From the connection to the last octet of the answer.
const WHOLE: Duration = Duration::from_secs(30);
/// The largest head of a request, in octets.
const LARGEST_HEAD: usize = 16 * 1024;
/// Pages written at once: the others wait.
const WRITERS: usize = 2;
const LIMITS: Limits = Limits {
    listener: "metrics",
    all: 64,
    from_one_source: 32,
    first: WHOLE,
    idle: WHOLE,
};

/// Buckets of what callers wait, in seconds; 20 s is the usual target of a service level.
const WAITS: [f64; 15] = [
    5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 180.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0,
];

/// Serves the pages on this address and makes the process's metrics go there.
///
/// # Errors
/// The address cannot be bound, or a recorder is installed already.
pub(crate) async fn serve(
    listen: SocketAddr,
    health: Health,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let listener = Listener::new(TcpListener::bind(listen).await?, LIMITS);
    let metrics = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Full("pronto_queue_wait_seconds".to_owned()), &WAITS)?
        .install_recorder()?;
    connections::describe();
    guard::describe();
    let pages = Pages {
        metrics,
        health,
        writers: Arc::new(Semaphore::new(WRITERS)),
    };
    tokio::spawn(upkeep(pages.metrics.clone()));
    tokio::spawn(async move {
        loop {
            let (stream, place) = listener.accept().await;
            tokio::spawn(answer(pages.clone(), stream, place));
        }
    });
    Ok(())
}

async fn upkeep(metrics: PrometheusHandle) {
    loop {
        tokio::time::sleep(UPKEEP).await;
        metrics.run_upkeep();
    }
}

/// One connection, one request.
async fn answer(pages: Pages, stream: TcpStream, mut place: Place) {
    let service = service_fn(move |request| {
        let pages = pages.clone();
        async move { Ok::<_, Infallible>(pages.page(&request).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .keep_alive(false)
        .max_buf_size(LARGEST_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // Whatever the peer did wrong is its own affair: a log line for it could be multiplied at will.
        _ = tokio::time::timeout(WHOLE, served) => {}
        () = place.taken() => {}
    }
}

/// The pages that can be read over HTTP: metrics, liveness and readiness.
#[derive(Clone)]
struct Pages {
    metrics: PrometheusHandle,
    health: Health,
    writers: Arc<Semaphore>,
}

impl Pages {
    async fn page(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        if request.method() != Method::GET && request.method() != Method::HEAD {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "GET and HEAD only\n");
            let allowed = HeaderValue::from_static("GET, HEAD");
            response.headers_mut().insert(ALLOW, allowed);
            return response;
        }
        match request.uri().path() {
            "/metrics" => self.metrics().await,
            "/livez" => text(StatusCode::OK, "alive\n"),
            "/readyz" | "/healthz" => self.health(),
            _ => text(
                StatusCode::NOT_FOUND,
                "There are /metrics, /livez, /readyz and /healthz.\n",
            ),
        }
    }

    fn health(&self) -> Response<Full<Bytes>> {
        let reasons = self.health.reasons();
        if reasons.is_empty() {
            text(StatusCode::OK, "ready\n")
        } else {
            text(StatusCode::SERVICE_UNAVAILABLE, reasons.join("\n") + "\n")
        }
    }

    async fn metrics(&self) -> Response<Full<Bytes>> {
        let Ok(writer) = Arc::clone(&self.writers).acquire_owned().await else {
            return text(StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
        };
        let metrics = self.metrics.clone();
        let rendered = tokio::task::spawn_blocking(move || {
            let _writer = writer;
            metrics.render() + &process::figures()
        });
        match rendered.await {
            Ok(page) => text(StatusCode::OK, page),
            Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "the page cannot be written\n"),
        }
    }
}

fn text(status: StatusCode, page: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(page.into()));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}
