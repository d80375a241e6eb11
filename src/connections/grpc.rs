//! gRPC over connections, plain or TLS, that are counted: each knows its calls, and ends when it has asked for nothing for too long.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::body::{Body as HttpBody, Frame, SizeHint};
use hyper::{Request, Response};
use pronto_gateway::shell::Certificates;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::transport::server::Connected;
use tower::{Layer, Service};

use super::{Limits, Listener, Place, Shared};

/// Connection limits of a gRPC listener.
const LIMITS: Limits = Limits {
    listener: "grpc",
    all: 256,
    from_one_source: 192,
    first: Duration::from_secs(30),
    idle: Duration::from_secs(300),
};
/// Until a TLS handshake is over.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// The call after which a connection is trusted: a gateway proved who it is.
const ATTACH: &str = "/pronto.v1.Gateways/Attach";

/// The connections to a listener, for a server to take. With certificates they are under TLS.
pub(crate) fn incoming(
    listener: TcpListener,
    certificates: Option<Certificates>,
) -> ReceiverStream<io::Result<Connection>> {
    let listener = Listener::new(listener, LIMITS);
    let (taken, incoming) = mpsc::channel(1);
    tokio::spawn(async move {
        loop {
            let (stream, place) = tokio::select! {
                accepted = listener.accept() => accepted,
                // The server takes no more: the port is free at once.
                () = taken.closed() => return,
            };
            let Some(certificates) = &certificates else {
                let connection = Connection::new(Box::new(stream), None, place);
                if taken.send(Ok(connection)).await.is_err() {
                    return;
                }
                continue;
            };
            // On a task of its own: a slow handshake holds nobody up but itself.
            let (certificates, taken) = (certificates.clone(), taken.clone());
            tokio::spawn(async move {
                if let Some(connection) = shake_hands(&certificates, stream, place).await {
                    let _ = taken.send(Ok(connection)).await;
                }
            });
        }
    });
    ReceiverStream::new(incoming)
}

/// Makes a TLS connection, if the handshake succeeds in time and nobody needs the place meanwhile.
async fn shake_hands(certificates: &Certificates, stream: TcpStream, mut place: Place) -> Option<Connection> {
    // gRPC is HTTP/2 (RFC 9113 §3.2: "HTTP/2 over TLS uses the "h2" protocol identifier").
    let accepted = certificates.acceptor_of("h2").accept(stream);
    let accepted = tokio::select! {
        accepted = tokio::time::timeout(HANDSHAKE, accepted) => accepted,
        () = place.taken() => return None,
    };
    let stream = accepted
        .ok()?
        .inspect_err(|error| tracing::debug!(%error, "TLS handshake"))
        .ok()?;
    let shown = stream.get_ref().1.peer_certificates();
    let certificate = shown.and_then(|shown| shown.first());
    let certificate = certificate.map(|shown| Arc::new(shown.clone().into_owned()));
    Some(Connection::new(Box::new(stream), certificate, place))
}

/// Octets both ways.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A certificate that an authority of ours has signed.
type Certificate = Arc<CertificateDer<'static>>;

/// A connection from outside.
pub(crate) struct Connection {
    stream: Box<dyn Stream>,
    certificate: Option<Certificate>,
    place: Place,
    patience: Pin<Box<Sleep>>,
}

impl Connected for Connection {
    type ConnectInfo = Calls;

    fn connect_info(&self) -> Calls {
        Calls {
            id: self.place.id,
            table: self.place.table.clone(),
            certificate: self.certificate.clone(),
        }
    }
}

impl Connection {
    fn new(stream: Box<dyn Stream>, certificate: Option<Certificate>, place: Place) -> Self {
        let patience = Box::pin(tokio::time::sleep(LIMITS.first));
        Connection {
            stream,
            certificate,
            place,
            patience,
        }
    }

    /// Ready when the connection has to go.
    fn poll_leave(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        if Pin::new(&mut self.place.leave).poll(context).is_ready() {
            return Poll::Ready(io::ErrorKind::ConnectionAborted.into());
        }
        loop {
            ready!(self.patience.as_mut().poll(context));
            let now = Instant::now();
            let until = self.place.table.lock().patience(self.place.id, now);
            match until {
                Some(until) => self.patience.as_mut().reset(until),
                None => return Poll::Ready(io::ErrorKind::TimedOut.into()),
            }
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match Pin::new(&mut this.stream).poll_read(context, buffer) {
            Poll::Pending => this.poll_leave(context).map(Err),
            read => read,
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// Where the calls of one connection are counted; stands in the extensions of each request.
#[derive(Clone)]
pub(crate) struct Calls {
    id: u64,
    table: Shared,
    certificate: Option<Certificate>,
}

impl Calls {
    /// The client's certificate, where one is asked for.
    pub(crate) fn certificate(&self) -> Option<&CertificateDer<'static>> {
        self.certificate.as_deref()
    }

    /// The address it comes from, of IPv6 the /64.
    pub(crate) fn source(&self) -> Option<IpAddr> {
        self.table.lock().held.get(&self.id).map(|held| held.source)
    }

    fn begin(self) -> Call {
        self.table.lock().call_begins(self.id);
        Call(self)
    }
}

/// A call that goes on, until it is dropped.
struct Call(Calls);

impl Drop for Call {
    fn drop(&mut self) {
        self.0.table.lock().call_ends(self.0.id, Instant::now());
    }
}

/// Counts the calls of each connection.
#[derive(Clone, Copy)]
pub(crate) struct Counting;

impl<S> Layer<S> for Counting {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted(inner)
    }
}

/// A service whose calls are counted.
#[derive(Clone)]
pub(crate) struct Counted<S>(S);

impl<S, B> Service<Request<Body>> for Counted<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Future: Send + 'static,
{
    type Response = Response<Answer<B>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let call = request.extensions().get::<Calls>().cloned().map(Calls::begin);
        let attaches = request.uri().path() == ATTACH;
        let answered = self.0.call(request);
        Box::pin(async move {
            let response = answered.await?;
            // A refusal has its status in the head.
            if let Some(call) = &call
                && attaches
                && !response.headers().contains_key("grpc-status")
            {
                call.0.table.lock().trust(call.0.id);
            }
            Ok(response.map(|body| Answer { body, _call: call }))
        })
    }
}

/// The body of an answer: while it is sent, the call goes on.
pub(crate) struct Answer<B> {
    body: B,
    _call: Option<Call>,
}

impl<B: HttpBody + Unpin> HttpBody for Answer<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
