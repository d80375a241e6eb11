//! The gRPC servers of a process, and the way from the gateway to the queue service.

use std::net::SocketAddr;
use std::time::Duration;

use pronto_gateway::Closed;
use pronto_gateway::shell::{Certificates, TraceDesk, cannot_bind};
use pronto_queue::{Access, QueueService};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::transport::{Channel, Endpoint, Server};
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use super::ServeError;
use crate::access::guard::Guard;
use crate::config::Gateway;
use crate::connections::grpc;
use crate::{channel, in_memory};

/// Between two halves over TCP: a peer that says nothing for twice this long is gone.
const KEEP_ALIVE: Duration = Duration::from_secs(2);
/// After the calls are over: how long streams and the store may take to close.
const CLOSING: Duration = Duration::from_secs(10);
/// Calls at once over one connection.
const STREAMS: u32 = 128;
/// The fields of one request together, in octets.
const LARGEST_HEAD: u32 = 16 * 1024;
/// Until a call is answered, or a stream opened: half a request is not waited for.
const ANSWER: Duration = Duration::from_secs(30);

/// A server that runs until its token is cancelled.
pub(super) type ServerTask = JoinHandle<Result<(), tonic::transport::Error>>;

/// The gRPC of a gateway that runs alone: its calls and its health.
pub(super) async fn serve_gateway(
    listen: SocketAddr,
    desk: &TraceDesk,
    guard: Guard,
    closing: CancellationToken,
) -> Result<(ServerTask, HealthReporter), ServeError> {
    let (health, service) = tonic_health::server::health_reporter();
    health.set_service_status("", ServingStatus::NotServing).await;
    let routes = Routes::new(service).add_service(desk.service());
    let door = Door {
        listener: bind(listen).await?,
        certificates: None,
        guard,
    };
    Ok((serve_tcp(routes, door, closing), health))
}

/// A gateway that takes no new calls is not serving, so that a balancer sends its calls elsewhere.
pub(super) async fn report_admission(health: HealthReporter, mut closed: watch::Receiver<Option<Closed>>) {
    loop {
        let status = if closed.borrow_and_update().is_none() {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        };
        health.set_service_status("", status).await;
        if closed.changed().await.is_err() {
            return health.set_service_status("", ServingStatus::NotServing).await;
        }
    }
}

/// Waits until the servers have ended, for each at most [`CLOSING`].
pub(super) async fn end(servers: Vec<ServerTask>) {
    for server in servers {
        let _ = tokio::time::timeout(CLOSING, server).await;
    }
}

/// The queue service for the gateway of this process: nobody else reaches it there.
pub(super) fn serve_within(service: &QueueService, closing: CancellationToken) -> (Channel, ServerTask) {
    let (to_queue, incoming) = in_memory::link();
    let server = Server::builder().add_routes(service.routes(Access::SameProcess));
    let task = tokio::spawn(async move {
        let closed = closing.cancelled_owned();
        server.serve_with_incoming_shutdown(incoming, closed).await
    });
    (to_queue, task)
}

/// Binds a listener, or says why that cannot be.
pub(super) async fn bind(listen: SocketAddr) -> Result<TcpListener, ServeError> {
    Ok(TcpListener::bind(listen)
        .await
        .map_err(|error| format!("cannot listen for gRPC on {listen}: {}", cannot_bind(&error)))?)
}

/// A listener, and the clients that it admits.
pub(super) struct Door {
    pub(super) listener: TcpListener,
    /// The certificate of a listener under TLS.
    pub(super) certificates: Option<Certificates>,
    pub(super) guard: Guard,
}

/// Serves over TCP.
pub(super) fn serve_tcp(routes: Routes, door: Door, closing: CancellationToken) -> ServerTask {
    let server = Server::builder()
        .http2_keepalive_interval(Some(KEEP_ALIVE))
        .http2_keepalive_timeout(Some(KEEP_ALIVE))
        .max_concurrent_streams(STREAMS)
        .http2_max_header_list_size(LARGEST_HEAD)
        .timeout(ANSWER)
        .layer(grpc::Counting)
        .layer(door.guard)
        .add_routes(routes);
    let incoming = grpc::incoming(door.listener, door.certificates);
    tokio::spawn(async move {
        server
            .serve_with_incoming_shutdown(incoming, closing.cancelled_owned())
            .await
    })
}

/// A channel to a queue service in another process.
pub(super) fn remote(gateway: &Gateway) -> Result<Channel, ServeError> {
    let endpoint = Endpoint::from_shared(gateway.queue.clone())?
        .connect_timeout(Duration::from_secs(2))
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE)
        .keep_alive_while_idle(true);
    match &gateway.queue_ca {
        None => Ok(endpoint.connect_lazy()),
        Some(ca) => {
            let connect = channel::secure(ca).map_err(|error| format!("queue_ca: {error}"))?;
            Ok(endpoint.connect_with_connector_lazy(connect))
        }
    }
}
