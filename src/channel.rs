//! Channels to a gRPC API under TLS.

use std::io;
use std::path::Path;

use hyper::Uri;
use hyper_util::rt::TokioIo;
use pronto_gateway::shell::{TlsError, connector};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tower::{Service, service_fn};

/// Makes the connections of a channel. They believe the authorities in a file.
pub(crate) fn secure(
    authorities: &Path,
) -> Result<
    impl Service<Uri, Response = TokioIo<TlsStream<TcpStream>>, Error = io::Error, Future: Send> + Send + 'static,
    TlsError,
> {
    let tls = connector(authorities, "h2")?;
    Ok(service_fn(move |uri: Uri| {
        let tls = tls.clone();
        async move {
            // An IPv6 address is written in brackets.
            let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
            let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
            let stream = TcpStream::connect((host, uri.port_u16().unwrap_or(443))).await?;
            stream.set_nodelay(true)?;
            tls.connect(name, stream).await.map(TokioIo::new)
        }
    }))
}
