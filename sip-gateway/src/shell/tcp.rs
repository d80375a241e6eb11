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
/// Who stops in the middle of a head for this long gets its refusal, if what is there is wrong already.
const PAUSE: Duration = Duration::from_millis(250);
/// After the last message: the answers to it are still written.
const LINGER: Duration = Duration::from_secs(2);
/// What is still taken from a connection that is being closed, so that its peer can read our last answer: closing with
/// octets unread resets it.
const DISCARD: usize = 256 * 1024;
/// Trying to reach a phone.
const CONNECT: Duration = Duration::from_secs(5);

/// What the control plane holds of a connection. Dropped, the connection is closed at once.
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

/// Starts the task of an accepted connection.
pub(super) fn adopt(id: u64, flow: Flow, stream: TcpStream, happened: mpsc::Sender<Happened>) -> Connection {
    let (write, queue) = mpsc::channel(WRITE_QUEUE);
    let task = tokio::spawn(async move {
        serve((flow, id), stream, queue, &happened, Some(FIRST_MESSAGE)).await;
    });
    Connection {
        id,
        write,
        task: Some(task.abort_handle()),
    }
}

/// Connects to a phone; what is queued meanwhile is sent then.
pub(super) fn connect(id: u64, flow: Flow, happened: mpsc::Sender<Happened>) -> Connection {
    let (write, queue) = mpsc::channel(WRITE_QUEUE);
    let task = tokio::spawn(async move {
        match tokio::time::timeout(CONNECT, TcpStream::connect(flow.remote)).await {
            Ok(Ok(stream)) => serve((flow, id), stream, queue, &happened, None).await,
            _ => {
                let failed = Happened::FlowFailed { flow, connection: id };
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

async fn serve(
    (flow, connection): (Flow, u64),
    stream: TcpStream,
    queue: mpsc::Receiver<Bytes>,
    happened: &mpsc::Sender<Happened>,
    first: Option<Duration>,
) {
    // Signalling is small and wants to go out at once.
    let _ = stream.set_nodelay(true);
    let (mut reader, writer) = stream.into_split();
    let (pong, pongs) = mpsc::channel(1);
    let mut writing = std::pin::pin!(write(writer, queue, pongs));
    let more_to_say = tokio::select! {
        () = read(flow, &mut reader, happened, first, &pong) => true,
        () = &mut writing => false,
    };
    // Behind the last message in the same channel: when the control plane sees it, every answer is queued, and letting go
    // of its end of the queue ends the writing.
    let closed = happened.send(Happened::FlowClosed { flow, connection }).await;
    if more_to_say && closed.is_ok() {
        let last = async {
            writing.await;
            discard(&mut reader).await;
        };
        let _ = tokio::time::timeout(LINGER, last).await;
    }
}

async fn discard(reader: &mut OwnedReadHalf) {
    let (mut buffer, mut taken) = (vec![0; 16 * 1024], 0);
    while let Ok(length @ 1..) = reader.read(&mut buffer).await {
        taken += length;
        if taken > DISCARD {
            return;
        }
    }
}

async fn read(
    flow: Flow,
    reader: &mut OwnedReadHalf,
    happened: &mpsc::Sender<Happened>,
    first: Option<Duration>,
    pong: &mpsc::Sender<Bytes>,
) {
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
                    let _ = happened.send(Happened::Message { flow, bytes }).await;
                    return;
                }
                continue;
            }
            _ => return,
        };
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
        looked = framer.is_empty();
        if !looked {
            deadline = deadline.or_else(|| Some(Instant::now() + WHOLE_MESSAGE));
        }
    }
}

/// Nothing came in time.
struct Late;

/// What was read; nothing at the stream's end.
async fn read_until(
    reader: &mut OwnedReadHalf,
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
