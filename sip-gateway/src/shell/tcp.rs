//! SIP over TCP: one reader and one writer task a connection, every queue and every wait bounded.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use pronto_sip::framing::{Framer, PONG};
use pronto_sip::{Flow, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::Happened;

/// Messages waiting to be written to one connection; at the limit the connection is closed.
const WRITE_QUEUE: usize = 64;
/// A connection that says nothing complete for this long before its first message is closed.
const FIRST_MESSAGE: Duration = Duration::from_secs(30);
/// A message that has begun must be whole within this.
const WHOLE_MESSAGE: Duration = Duration::from_secs(30);
/// A peer that does not take our bytes for this long is gone.
const WRITE: Duration = Duration::from_secs(30);
/// Trying to reach a phone.
const CONNECT: Duration = Duration::from_secs(5);

/// What the control plane holds of a connection.
#[derive(Debug)]
pub(super) struct Connection {
    /// Tells this connection from another on the same flow.
    pub(super) id: u64,
    pub(super) write: mpsc::Sender<Bytes>,
    task: AbortHandle,
}

impl Drop for Connection {
    /// What the control plane has forgotten is closed.
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Binds a listener and starts accepting.
///
/// # Errors
/// The address cannot be bound.
pub(super) async fn listen(
    address: SocketAddr,
    happened: mpsc::Sender<Happened>,
) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind(address).await?;
    let local = listener.local_addr()?;
    tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((stream, remote)) => {
                    let local = stream.local_addr().unwrap_or(local);
                    let flow = Flow {
                        transport: Transport::Tcp,
                        local,
                        remote,
                    };
                    if happened.send(Happened::Accepted { flow, stream }).await.is_err() {
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

/// Starts the tasks of an accepted connection.
pub(super) fn adopt(id: u64, flow: Flow, stream: TcpStream, happened: mpsc::Sender<Happened>) -> Connection {
    let (write, queue) = mpsc::channel(WRITE_QUEUE);
    let task = tokio::spawn(async move {
        serve(flow, stream, queue, &happened, Some(FIRST_MESSAGE)).await;
        let _ = happened.send(Happened::FlowClosed { flow, connection: id }).await;
    });
    Connection {
        id,
        write,
        task: task.abort_handle(),
    }
}

/// Connects to a phone; what is queued meanwhile is sent then.
pub(super) fn connect(id: u64, flow: Flow, happened: mpsc::Sender<Happened>) -> Connection {
    let (write, queue) = mpsc::channel(WRITE_QUEUE);
    let task = tokio::spawn(async move {
        let over = match tokio::time::timeout(CONNECT, TcpStream::connect(flow.remote)).await {
            Ok(Ok(stream)) => {
                serve(flow, stream, queue, &happened, None).await;
                Happened::FlowClosed { flow, connection: id }
            }
            _ => Happened::FlowFailed { flow, connection: id },
        };
        let _ = happened.send(over).await;
    });
    Connection {
        id,
        write,
        task: task.abort_handle(),
    }
}

async fn serve(
    flow: Flow,
    stream: TcpStream,
    queue: mpsc::Receiver<Bytes>,
    happened: &mpsc::Sender<Happened>,
    first: Option<Duration>,
) {
    // Signalling is small and wants to go out at once.
    let _ = stream.set_nodelay(true);
    let (reader, writer) = stream.into_split();
    let (pong, pongs) = mpsc::channel(1);
    tokio::select! {
        () = read(flow, reader, happened, first, &pong) => {}
        () = write(writer, queue, pongs) => {}
    }
}

async fn read(
    flow: Flow,
    mut reader: OwnedReadHalf,
    happened: &mpsc::Sender<Happened>,
    first: Option<Duration>,
    pong: &mpsc::Sender<Bytes>,
) {
    let mut framer = Framer::new();
    let mut buffer = vec![0; 16 * 1024];
    // A deadline, not a patience renewed by every byte: a message trickled in does not hold the connection.
    let mut deadline = first.map(|limit| Instant::now() + limit);
    loop {
        let read = reader.read(&mut buffer);
        let length = match deadline {
            Some(at) => tokio::time::timeout_at(at, read).await.ok().and_then(Result::ok),
            None => read.await.ok(),
        };
        let Some(length @ 1..) = length else { return };
        if framer.push(&buffer[..length]).is_err() {
            return;
        }
        loop {
            match framer.next() {
                Ok(Some(bytes)) => {
                    deadline = None;
                    if happened.send(Happened::Message { flow, bytes }).await.is_err() {
                        return;
                    }
                }
                Ok(None) => break,
                Err(_) => return,
            }
        }
        if framer.take_pings() > 0 {
            // One answer is enough for pings that came together; a peer that does not read gets none.
            let _ = pong.try_send(Bytes::from_static(PONG));
        }
        if !framer.is_empty() {
            deadline = deadline.or_else(|| Some(Instant::now() + WHOLE_MESSAGE));
        }
    }
}

async fn write(
    mut writer: OwnedWriteHalf,
    mut queue: mpsc::Receiver<Bytes>,
    mut pongs: mpsc::Receiver<Bytes>,
) {
    loop {
        let bytes = tokio::select! {
            bytes = queue.recv() => bytes,
            pong = pongs.recv() => pong,
        };
        let Some(bytes) = bytes else { return };
        match tokio::time::timeout(WRITE, writer.write_all(&bytes)).await {
            Ok(Ok(())) => {}
            _ => return,
        }
    }
}
