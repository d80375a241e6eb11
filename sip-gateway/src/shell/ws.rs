//! SIP over WebSockets (RFC 7118): the upgrade, and one SIP message a WebSocket message.
//!
//! Browsers say which page a script came from; only pages on our list may connect, because the browser would lend them its
//! owner's network. The path of the request means nothing.

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use pronto_sip::framing::PONG;
use pronto_sip::message::MAX_MESSAGE;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::header::{HeaderValue, ORIGIN, SEC_WEBSOCKET_PROTOCOL};
use tokio_tungstenite::tungstenite::http::{Response as Answer, StatusCode};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use super::ShellEvent;
use super::task::Task;
use super::timeouts::{ANSWERING, FIRST_MESSAGE, LINGER, WRITE};

/// The client offers it, and the answer names it (RFC 7118 §4.1).
const SUB_PROTOCOL: &str = "sip";
/// A WebSocket peer that is silent for this long is sent a Ping.
const PING: Duration = Duration::from_secs(15);
/// A WebSocket peer that is silent for this long is gone. A frame that trickles in does not hold the connection either.
const GONE: Duration = Duration::from_secs(30);
/// Signalling is small, and there may be thousands of connections.
const READ_BUFFER: usize = 4096;
/// The write buffer of a connection: one message and its frame.
const WRITE_BUFFER: usize = 2 * MAX_MESSAGE;

/// The upgrade. A refusal is answered, and then an error.
///
/// # Errors
/// The peer does not speak WebSocket, or not SIP over it, or its page is not on the list.
pub(super) async fn accept<S>(stream: S, origins: &[String]) -> Result<WebSocketStream<S>, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let limits = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BUFFER)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE));
    #[expect(clippy::result_large_err, reason = "the library's own type of a refusal")]
    let judge = |request: &Request, mut response: Response| {
        judge(request, origins)?;
        let chosen = HeaderValue::from_static(SUB_PROTOCOL);
        response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, chosen);
        Ok(response)
    };
    tokio_tungstenite::accept_hdr_async_with_config(stream, judge, Some(limits)).await
}

#[expect(clippy::result_large_err, reason = "the library's own type of a refusal")]
fn judge(request: &Request, origins: &[String]) -> Result<(), ErrorResponse> {
    let listed = |value: &HeaderValue| {
        let text = value.to_str().unwrap_or_default();
        origins.iter().any(|o| o == "*" || o.eq_ignore_ascii_case(text))
    };
    if !request.headers().get_all(ORIGIN).iter().all(listed) {
        return Err(refusal(StatusCode::FORBIDDEN, "this page may not connect"));
    }
    let offered = request.headers().get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    let mut offered = offered.filter_map(|value| value.to_str().ok());
    if offered.any(|value| {
        value
            .split(',')
            .any(|one| one.trim().eq_ignore_ascii_case(SUB_PROTOCOL))
    }) {
        Ok(())
    } else {
        Err(refusal(StatusCode::BAD_REQUEST, "expected the sub-protocol sip"))
    }
}

fn refusal(status: StatusCode, why: &str) -> ErrorResponse {
    let mut answer = Answer::new(Some(why.to_owned()));
    *answer.status_mut() = status;
    answer
}

/// Messages both ways until one side ends it.
pub(super) async fn serve<S>(task: Task, mut socket: WebSocketStream<S>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Task {
        flow,
        connection,
        mut queue,
        happened,
    } = task;
    let mut first = Some(Instant::now() + FIRST_MESSAGE);
    let mut heard = Instant::now();
    let mut asked = false;
    loop {
        let ask = heard + if asked { GONE } else { PING };
        let deadline = first.map_or(ask, |first| first.min(ask));
        let to_send = tokio::select! {
            bytes = queue.recv() => match bytes {
                Some(bytes) => message(bytes),
                None => break,
            },
            came = socket.next() => {
                let came = match came {
                    Some(Ok(came)) => came,
                    // What came before is still answered, as far as frames can be written.
                    Some(Err(_)) => {
                        let answering = say_what_is_left(&mut socket, &mut queue);
                        let _ = tokio::time::timeout(ANSWERING, answering).await;
                        break;
                    }
                    None => break,
                };
                (heard, asked) = (Instant::now(), false);
                match received(came) {
                    Some(Received::Message(bytes)) => {
                        first = None;
                        if happened.send(ShellEvent::Message { flow, bytes }).await.is_err() {
                            return;
                        }
                        continue;
                    }
                    Some(Received::KeepAlive) => message(Bytes::from_static(PONG)),
                    None => continue,
                }
            }
            () = tokio::time::sleep_until(deadline) => {
                if asked || first.is_some_and(|first| first <= Instant::now()) {
                    break;
                }
                asked = true;
                Message::Ping(Bytes::new())
            }
        };
        // Not beside reading: a peer that does not take our bytes is not heard either, until it is gone.
        if !matches!(
            tokio::time::timeout(WRITE, socket.send(to_send)).await,
            Ok(Ok(()))
        ) {
            break;
        }
    }
    let closed = happened.send(ShellEvent::FlowClosed { flow, connection }).await;
    if closed.is_ok() {
        // What was queued for the last message is still said, unless nobody listens.
        let last = async {
            say_what_is_left(&mut socket, &mut queue).await?;
            socket.close(None).await
        };
        let _ = tokio::time::timeout(LINGER, last).await;
    }
}

/// Until the queue is let go of.
async fn say_what_is_left<S>(
    socket: &mut WebSocketStream<S>,
    queue: &mut mpsc::Receiver<Bytes>,
) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(bytes) = queue.recv().await {
        socket.send(message(bytes)).await?;
    }
    Ok(())
}

enum Received {
    Message(Bytes),
    /// "CRLF keep-alive" (RFC 5626 §3.5.1), as some libraries send it in a message of its own.
    KeepAlive,
}

/// Converts a WebSocket message; `None` for the protocol's own.
fn received(message: Message) -> Option<Received> {
    let bytes = match message {
        Message::Text(text) => Bytes::from(text),
        Message::Binary(bytes) => bytes,
        Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => return None,
    };
    Some(if bytes == b"\r\n\r\n"[..] {
        Received::KeepAlive
    } else {
        Received::Message(bytes)
    })
}

/// Text, as browsers' libraries expect it, wherever it is UTF-8, which a text must be (RFC 6455 §5.6).
fn message(bytes: Bytes) -> Message {
    match Utf8Bytes::try_from(bytes.clone()) {
        Ok(text) => Message::Text(text),
        Err(_) => Message::Binary(bytes),
    }
}

#[cfg(test)]
mod tests;
