use std::time::Duration;

use pronto_sip::Transport;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use super::super::tcp::ConnectionPolicy;
use super::super::tcp::tests::{PING as OPTIONS, World};
use super::*;

const PAGE: &str = "https://desk.example";

/// A world at whose door only one page's scripts are let in, and the status and socket that came of knocking.
async fn knock(
    fields: &[(&'static str, &'static str)],
) -> (World, Result<WebSocketStream<DuplexStream>, u16>) {
    let policy = ConnectionPolicy {
        origins: vec![PAGE.to_owned()].into(),
        ..ConnectionPolicy::default()
    };
    let mut world = World::new(Transport::Ws, policy);
    let (blank, _) = tokio::io::duplex(1);
    let peer = std::mem::replace(&mut world.peer, blank);
    let mut request = "ws://pronto.example/".into_client_request().unwrap();
    for (name, value) in fields {
        request
            .headers_mut()
            .append(*name, HeaderValue::from_static(value));
    }
    let outcome = match client_async(request, peer).await {
        Ok((socket, answer)) => {
            assert_eq!(answer.headers()[SEC_WEBSOCKET_PROTOCOL], "sip");
            Ok(socket)
        }
        Err(Error::Http(answer)) => Err(answer.status().as_u16()),
        Err(error) => panic!("{error}"),
    };
    (world, outcome)
}

const SIP: (&str, &str) = ("sec-websocket-protocol", "sip");

#[tokio::test(start_paused = true)]
async fn only_who_speaks_sip_from_a_listed_page_gets_in() {
    for (fields, status) in [
        (&[SIP][..], 101),
        (&[("sec-websocket-protocol", "chat, sip")], 101),
        (&[SIP, ("origin", PAGE)], 101),
        (&[SIP, ("origin", "https://Desk.example")], 101),
        (&[SIP, ("origin", "https://desk.example.evil.example")], 403),
        (&[SIP, ("origin", "null")], 403),
        (&[SIP, ("origin", PAGE), ("origin", "https://evil.example")], 403),
        (&[("sec-websocket-protocol", "chat")], 400),
        (&[("sec-websocket-protocol", "sips")], 400),
    ] {
        let (mut world, outcome) = knock(fields).await;
        assert_eq!(
            outcome.as_ref().map_or_else(|s| *s, |_| 101),
            status,
            "{fields:?}"
        );
        if status != 101 {
            assert_eq!(world.closed_after().await, Duration::ZERO, "{fields:?}");
        }
    }
    // A client cannot ask for less than a sub-protocol by asking for none.
    let mut world = World::new(Transport::Ws, ConnectionPolicy::default());
    let bare = b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    world.peer.write_all(bare).await.unwrap();
    let mut answer = String::new();
    world.peer.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_message_is_a_message_whole_or_in_fragments_as_text_or_not() {
    let (mut world, socket) = knock(&[SIP]).await;
    let mut socket = socket.unwrap();
    socket
        .send(super::message(Bytes::from_static(OPTIONS)))
        .await
        .unwrap();
    assert_eq!(world.message().await, OPTIONS);
    let latin = [OPTIONS, b"caf\xe9"].concat();
    socket.send(Message::Binary(latin.clone().into())).await.unwrap();
    assert_eq!(world.message().await, latin);
    // An answer: text where it can be.
    for (bytes, text) in [(OPTIONS.to_vec(), true), (latin, false)] {
        world.write.try_send(bytes.clone().into()).unwrap();
        let came = socket.next().await.unwrap().unwrap();
        assert_eq!((came.is_text(), came.into_data()), (text, bytes.into()));
    }
    // Both spellings of a keep-alive.
    socket.send(Message::text("\r\n\r\n")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("\r\n"));
    socket
        .send(Message::Ping(Bytes::from_static(b"here?")))
        .await
        .unwrap();
    assert_eq!(
        socket.next().await.unwrap().unwrap(),
        Message::Pong(Bytes::from_static(b"here?"))
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_longer_than_a_message_ends_the_connection() {
    let (mut world, socket) = knock(&[SIP]).await;
    let mut socket = socket.unwrap();
    let _ = socket.send(Message::text("a".repeat(MAX_MESSAGE + 1))).await;
    // Its sender is still read from for a moment, for a last answer.
    let most = ANSWERING + LINGER;
    assert!(world.closed_after().await <= most);
}

#[tokio::test(start_paused = true)]
async fn who_never_says_anything_or_never_finishes_the_upgrade_is_closed() {
    // Its library answers pings; it says nothing of its own.
    let (mut world, socket) = knock(&[SIP]).await;
    let mut socket = socket.unwrap();
    let closing = tokio::spawn(async move { while let Some(Ok(_)) = socket.next().await {} });
    assert_eq!(world.closed_after().await, Duration::from_secs(30));
    closing.await.unwrap();
    let mut world = World::new(Transport::Ws, ConnectionPolicy::default());
    world.peer.write_all(b"GET / HTTP/1.1\r\nHost").await.unwrap();
    assert_eq!(world.closed_after().await, Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_vanished_is_found_by_its_silence() {
    let (mut world, socket) = knock(&[SIP]).await;
    let mut socket = socket.unwrap();
    socket
        .send(super::message(Bytes::from_static(OPTIONS)))
        .await
        .unwrap();
    world.message().await;
    // It answers the first ping and no more after that.
    assert!(matches!(socket.next().await, Some(Ok(Message::Ping(_)))));
    socket.flush().await.unwrap();
    let answered = tokio::time::Instant::now();
    assert!(matches!(
        world.happened.recv().await,
        Some(ShellEvent::FlowClosed { .. })
    ));
    assert_eq!(answered.elapsed(), Duration::from_secs(30));
    drop(socket);
}

#[tokio::test(start_paused = true)]
async fn what_came_before_a_broken_frame_is_answered_before_the_end() {
    let (mut world, socket) = knock(&[SIP]).await;
    let mut socket = socket.unwrap();
    socket.send(message(Bytes::from_static(OPTIONS))).await.unwrap();
    // A frame of an opcode that there is not.
    socket
        .get_mut()
        .write_all(&[0x8f, 0x80, 0, 0, 0, 0])
        .await
        .unwrap();
    assert_eq!(world.message().await, OPTIONS);
    tokio::time::sleep(Duration::from_millis(500)).await;
    world.write.try_send(Bytes::from_static(OPTIONS)).unwrap();
    let heard = socket.next().await.unwrap().unwrap();
    assert_eq!(heard.into_data(), OPTIONS);
}
