//! SIP over streams (RFC 3261 §18): a task a connection, every queue and every wait bounded.
//!
//! An accepted connection passes its door first: the TLS handshake, the WebSocket's upgrade. A peer that vanished without a
//! word is found by the kernel: it asks a silent connection, and gives up what is not acknowledged.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pronto_sip::framing::{Framer, PONG};
use pronto_sip::{Flow, Transport};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::ShellEvent;
use super::handshakes::Inside;
use super::task::Task;
use super::timeouts::{ANSWERING, FIRST_MESSAGE, LINGER, WRITE};
use super::tls::Certificates;
use super::udp::mark;
use super::ws;

/// Messages waiting to be written to one connection; at the limit the connection is closed.
const WRITE_QUEUE: usize = 64;
/// A message that has begun must be whole within this.
const WHOLE_MESSAGE: Duration = Duration::from_secs(30);
/// A peer that pauses this long within a message head is refused early, if what has arrived is already wrong.
const PAUSE: Duration = Duration::from_millis(250);
/// Octets still read from a connection that is being closed, so that its peer can read our last answer: closing with
/// octets unread resets the connection.
const DISCARD: usize = 256 * 1024;
/// Trying to reach a phone.
const CONNECT: Duration = Duration::from_secs(5);
/// The TLS handshake and the WebSocket's upgrade together.
const DOOR: Duration = Duration::from_secs(10);
/// A connection on which nothing came for this long is asked whether it still stands …
const SILENCE: Duration = Duration::from_secs(15);
/// … this often …
const ASKING: Duration = Duration::from_secs(5);
/// … and this many times: 30 s in all.
const ASKED: u32 = 3;
/// Octets that the peer does not acknowledge for this long end the connection.
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);
/// Connections the kernel holds until they are accepted.
const BACKLOG: i32 = 1024;

/// Requirements and settings for an accepted connection.
#[derive(Clone, Default)]
pub(super) struct ConnectionPolicy {
    /// For TLS and WSS.
    pub(super) certificates: Option<Certificates>,
    /// Web pages whose scripts may connect over WS and WSS.
    pub(super) origins: Arc<[String]>,
    /// The class of service asked for, on every connection.
    pub(super) dscp: u8,
    /// The place among the handshakes under way.
    pub(super) inside: Option<Inside>,
}

/// The control plane's handle of a connection. Dropping it closes the connection at once.
#[derive(Debug)]
pub(super) struct Connection {
    /// Tells this connection from another on the same flow.
    pub(super) id: u64,
    pub(super) write: mpsc::Sender<Bytes>,
    task: Option<AbortHandle>,
}

impl Connection {
    /// Closes a connection whose peer has said its last: what is queued is still written.
    pub(super) fn finish(mut self) {
        self.task = None;
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// Binds a listener and starts accepting.
///
/// # Errors
/// The address cannot be bound.
pub(super) fn listen(
    transport: Transport,
    address: SocketAddr,
    happened: mpsc::Sender<ShellEvent>,
) -> std::io::Result<SocketAddr> {
    let listener = bind(address)?;
    let local = listener.local_addr()?;
    tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((stream, remote)) => {
                    let local = stream.local_addr().unwrap_or(local);
                    let flow = Flow {
                        transport,
                        local,
                        remote,
                    };
                    if happened
                        .send(ShellEvent::Accepted { flow, stream })
                        .await
                        .is_err()
                    {
                        return;
                    }
                }
                Err(error) => {
                    // Out of file descriptors: accepting at once again would only spin.
                    tracing::debug!(%error, "tcp accept");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    });
    Ok(local)
}

fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, Some(socket2::Protocol::TCP))?;
    if address.is_ipv6() {
        // `[::]` beside `0.0.0.0`: each family has its socket.
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Sets the socket options of a connection before its first octet. All are optional: signalling works without them.
fn tune(stream: &TcpStream, dscp: u8) {
    // Signalling is small and wants to go out at once.
    let _ = stream.set_nodelay(true);
    let socket = socket2::SockRef::from(stream);
    let keepalive = socket2::TcpKeepalive::new()
        .with_time(SILENCE)
        .with_interval(ASKING)
        .with_retries(ASKED);
    let _ = socket.set_tcp_keepalive(&keepalive);
    let _ = socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED));
    mark(&socket, stream.local_addr().is_ok_and(|at| at.is_ipv6()), dscp);
}

/// Starts the task of an accepted connection.
pub(super) fn adopt(
    id: u64,
    flow: Flow,
    stream: TcpStream,
    policy: ConnectionPolicy,
    happened: mpsc::Sender<ShellEvent>,
) -> Connection {
    let (write, queue) = mpsc::channel(WRITE_QUEUE);
    let task = tokio::spawn(async move {
        tune(&stream, policy.dscp);
        let task = Task {
            flow,
            connection: id,
            queue,
            happened,
        };
        task.enter(stream, policy).await;
    });
    Connection {
        id,
        write,
        task: Some(task.abort_handle()),
    }
}

/// Connects to a phone; what is queued meanwhile is sent then.
pub(super) fn connect(id: u64, flow: Flow, dscp: u8, happened: mpsc::Sender<ShellEvent>) -> Connection {
    let (write, queue) = mpsc::channel(WRITE_QUEUE);
    let task = tokio::spawn(async move {
        match tokio::time::timeout(CONNECT, dial(flow)).await {
            Ok(Ok(stream)) => {
                tune(&stream, dscp);
                let task = Task {
                    flow,
                    connection: id,
                    queue,
                    happened,
                };
                task.serve(stream.into_split(), None).await;
            }
            _ => {
                let failed = ShellEvent::FlowFailed { flow, connection: id };
                let _ = happened.send(failed).await;
            }
        }
    });
    Connection {
        id,
        write,
        task: Some(task.abort_handle()),
    }
}

/// From the address that phones know us by, if it is one: a trunk may look at it.
async fn dial(flow: Flow) -> std::io::Result<TcpStream> {
    let socket = if flow.remote.is_ipv6() {
        TcpSocket::new_v6()?
    } else {
        TcpSocket::new_v4()?
    };
    if !flow.local.ip().is_unspecified() {
        socket.bind(SocketAddr::new(flow.local.ip(), 0))?;
    }
    socket.connect(flow.remote).await
}

impl Task {
    /// Through the policy that the transport has, then to messages. The limit of the first message is counted from behind them.
    async fn enter<S>(self, stream: S, policy: ConnectionPolicy)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let first = Some(FIRST_MESSAGE);
        let late = Instant::now() + DOOR;
        let acceptor = policy.certificates.map(|certificates| certificates.acceptor());
        match (self.flow.transport, acceptor) {
            (Transport::Tls, Some(acceptor)) => {
                if let Ok(Ok(stream)) = tokio::time::timeout_at(late, acceptor.accept(stream)).await {
                    drop(policy.inside);
                    return self.serve(tokio::io::split(stream), first).await;
                }
            }
            (Transport::Ws, _) => {
                if let Ok(Ok(socket)) =
                    tokio::time::timeout_at(late, ws::accept(stream, &policy.origins)).await
                {
                    return ws::serve(self, socket).await;
                }
            }
            (Transport::Wss, Some(acceptor)) => {
                let both = async {
                    let stream = acceptor.accept(stream).await.ok()?;
                    ws::accept(stream, &policy.origins).await.ok()
                };
                if let Ok(Some(socket)) = tokio::time::timeout_at(late, both).await {
                    drop(policy.inside);
                    return ws::serve(self, socket).await;
                }
            }
            (Transport::Tcp, _) => return self.serve(tokio::io::split(stream), first).await,
            // Without a certificate nothing listens there; over UDP nothing connects.
            (Transport::Tls | Transport::Wss | Transport::Udp, _) => {}
        }
        metrics::counter!("pronto_sip_doors_shut_total").increment(1);
        let Task {
            flow,
            connection,
            happened,
            ..
        } = self;
        let _ = happened.send(ShellEvent::FlowClosed { flow, connection }).await;
    }

    /// Messages both ways, until one side ends it. The first message is waited for as long as `first` says.
    async fn serve<R, W>(self, (mut reader, writer): (R, W), first: Option<Duration>)
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let Task {
            flow,
            connection,
            queue,
            happened,
        } = self;
        let (pong, pongs) = mpsc::channel(1);
        let mut writing = std::pin::pin!(write(writer, queue, pongs));
        let ended = tokio::select! {
            ended = read(flow, &mut reader, &happened, first, &pong) => Some(ended),
            () = &mut writing => None,
        };
        let more_to_say = ended.is_some();
        if matches!(ended, Some(Ended::Garbled)) {
            // What came before is still answered, a call with more than a 100: only then is the connection closed. Nothing more is
            // read as a message.
            let answering = async {
                tokio::select! {
                    () = &mut writing => {}
                    () = swallow(&mut reader) => {}
                }
            };
            let _ = tokio::time::timeout(ANSWERING, answering).await;
        }
        // Behind the last message in the same channel: when the control plane sees it, every answer is queued, and letting go
        // of its end of the queue ends the writing.
        let closed = happened.send(ShellEvent::FlowClosed { flow, connection }).await;
        if more_to_say && closed.is_ok() {
            let last = async {
                writing.await;
                discard(&mut reader).await;
            };
            let _ = tokio::time::timeout(LINGER, last).await;
        }
    }
}

async fn discard(reader: &mut (impl AsyncRead + Unpin)) {
    let (mut buffer, mut taken) = (vec![0; 16 * 1024], 0);
    while let Ok(length @ 1..) = reader.read(&mut buffer).await {
        taken += length;
        if taken > DISCARD {
            return;
        }
    }
}

/// The same; a peer that has said everything may still read, and one that says more is not read any further.
async fn swallow(reader: &mut (impl AsyncRead + Unpin)) {
    discard(reader).await;
    std::future::pending().await
}

/// Why nothing more is read from a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// It was closed, or its time was over.
    Closed,
    /// The input is not a SIP message: the start of the next one is unknown.
    Garbled,
}

async fn read(
    flow: Flow,
    reader: &mut (impl AsyncRead + Unpin),
    happened: &mpsc::Sender<ShellEvent>,
    first: Option<Duration>,
    pong: &mpsc::Sender<Bytes>,
) -> Ended {
    let mut framer = Framer::new();
    let mut buffer = vec![0; 16 * 1024];
    // A deadline, not a patience renewed by every byte: a message trickled in does not hold the connection.
    let mut deadline = first.map(|limit| Instant::now() + limit);
    let mut looked = true;
    loop {
        let pause = (!looked).then(|| Instant::now() + PAUSE);
        let length = match read_until(reader, &mut buffer, pause.into_iter().chain(deadline).min()).await {
            Ok(length @ 1..) => length,
            Err(Late) if pause.is_some_and(|at| deadline.is_none_or(|end| at < end)) => {
                looked = true;
                if let Some(bytes) = framer.refuse_early() {
                    let _ = happened.send(ShellEvent::Message { flow, bytes }).await;
                    return Ended::Garbled;
                }
                continue;
            }
            _ => return Ended::Closed,
        };
        if framer.push(&buffer[..length]).is_err() {
            return Ended::Garbled;
        }
        loop {
            match framer.next() {
                Ok(Some(bytes)) => {
                    deadline = None;
                    if happened.send(ShellEvent::Message { flow, bytes }).await.is_err() {
                        return Ended::Closed;
                    }
                }
                Ok(None) => break,
                Err(_) => return Ended::Garbled,
            }
        }
        if framer.take_pings() > 0 {
            // One answer is enough for pings that came together; a peer that does not read gets none.
            let _ = pong.try_send(Bytes::from_static(PONG));
        }
        looked = framer.is_empty();
        if !looked {
            deadline = deadline.or_else(|| Some(Instant::now() + WHOLE_MESSAGE));
        }
    }
}

/// Nothing came in time.
struct Late;

/// Reads once into the buffer; returns the number of octets, 0 at the stream's end.
async fn read_until(
    reader: &mut (impl AsyncRead + Unpin),
    buffer: &mut [u8],
    deadline: Option<Instant>,
) -> Result<usize, Late> {
    let read = reader.read(buffer);
    match deadline {
        Some(at) => match tokio::time::timeout_at(at, read).await {
            Ok(read) => Ok(read.unwrap_or(0)),
            Err(_) => Err(Late),
        },
        None => Ok(read.await.unwrap_or(0)),
    }
}

async fn write(
    mut writer: impl AsyncWrite + Unpin,
    mut queue: mpsc::Receiver<Bytes>,
    mut pongs: mpsc::Receiver<Bytes>,
) {
    loop {
        let bytes = tokio::select! {
            bytes = queue.recv() => bytes,
            pong = pongs.recv() => pong,
        };
        let Some(bytes) = bytes else { break };
        let written = async {
            writer.write_all(&bytes).await?;
            writer.flush().await
        };
        match tokio::time::timeout(WRITE, written).await {
            Ok(Ok(())) => {}
            _ => return,
        }
    }
    // The peer learns that this is all: under TLS that is more than the end of the stream.
    let _ = tokio::time::timeout(LINGER, writer.shutdown()).await;
}

#[cfg(test)]
pub(super) mod tests;
