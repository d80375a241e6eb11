//! gRPC without a socket: the two halves in one process speak over in-memory pipes, a fresh pair for each connect.

use std::io;

use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;

/// Bytes a pipe holds each way before its writer waits.
const PIPE: usize = 256 * 1024;
/// Connections waiting to be accepted.
const BACKLOG: usize = 16;

/// A client channel, and what a server accepts its connections from (`serve_with_incoming`).
pub(crate) fn link() -> (Channel, ReceiverStream<io::Result<DuplexStream>>) {
    let (accept, incoming) = mpsc::channel(BACKLOG);
    let connector = service_fn(move |_: Uri| {
        let accept = accept.clone();
        async move {
            let (ours, theirs) = tokio::io::duplex(PIPE);
            let gone = |_| io::Error::new(io::ErrorKind::ConnectionRefused, "the server is gone");
            accept.send(Ok(theirs)).await.map_err(gone)?;
            Ok::<_, io::Error>(TokioIo::new(ours))
        }
    });
    let channel = Endpoint::from_static("http://in-memory").connect_with_connector_lazy(connector);
    (channel, ReceiverStream::new(incoming))
}
