use tokio::io::DuplexStream;

use super::super::tls::tests::{Folder, client, connect as shake};
use super::*;

/// A whole message.
pub(in crate::shell) const PING: &[u8] = b"OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TCP x;branch=z9hG4bK1\r\n\
    From: <sip:a@x>;tag=1\r\nTo: <sip:x>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";

/// A connection in a world of its own: the peer's end, the queue of what is written, and what happened.
pub(in crate::shell) struct World {
    pub(in crate::shell) peer: DuplexStream,
    pub(in crate::shell) write: mpsc::Sender<Bytes>,
    pub(in crate::shell) happened: mpsc::Receiver<ShellEvent>,
    since: Instant,
}

impl World {
    pub(in crate::shell) fn new(transport: Transport, policy: ConnectionPolicy) -> Self {
        let (ours, peer) = tokio::io::duplex(4096);
        let (write, queue) = mpsc::channel(WRITE_QUEUE);
        let (to, happened) = mpsc::channel(64);
        let address = SocketAddr::from(([127, 0, 0, 1], 5061));
        let flow = Flow {
            transport,
            local: address,
            remote: address,
        };
        let task = Task {
            flow,
            connection: 1,
            queue,
            happened: to,
        };
        tokio::spawn(task.enter(ours, policy));
        World {
            peer,
            write,
            happened,
            since: Instant::now(),
        }
    }

    /// The next message.
    pub(in crate::shell) async fn message(&mut self) -> Bytes {
        match self.happened.recv().await {
            Some(ShellEvent::Message { bytes, .. }) => bytes,
            other => panic!("a message, not {other:?}"),
        }
    }

    /// Waits for the end of the connection; how long after its beginning it came.
    pub(in crate::shell) async fn closed_after(&mut self) -> Duration {
        match self.happened.recv().await {
            Some(ShellEvent::FlowClosed { connection: 1, .. }) => self.since.elapsed(),
            other => panic!("the end of the connection, not {other:?}"),
        }
    }
}

fn tls(folder: &Folder) -> (ConnectionPolicy, tokio_rustls::TlsConnector) {
    let files = folder.certificate("ours");
    let policy = ConnectionPolicy {
        certificates: Some(Certificates::load(&files).unwrap()),
        ..ConnectionPolicy::default()
    };
    (policy, client(&files, None))
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_is_closed_after_thirty_seconds() {
    let mut world = World::new(Transport::Tcp, ConnectionPolicy::default());
    assert_eq!(world.closed_after().await, Duration::from_secs(30));
}

#[tokio::test(start_paused = true)]
async fn a_message_trickled_in_does_not_hold_the_connection() {
    let mut world = World::new(Transport::Tcp, ConnectionPolicy::default());
    world.peer.write_all(PING).await.unwrap();
    assert_eq!(world.message().await, PING);
    let began = Instant::now();
    let mut peer = world.peer;
    tokio::spawn(async move {
        for octet in PING {
            tokio::time::sleep(Duration::from_millis(900)).await;
            if peer.write_all(&[*octet]).await.is_err() {
                return;
            }
        }
    });
    match world.happened.recv().await {
        Some(ShellEvent::FlowClosed { .. }) => {}
        other => panic!("the end of the connection, not {other:?}"),
    }
    let held = began.elapsed();
    assert!(held <= Duration::from_secs(31), "{held:?}");
}

#[tokio::test(start_paused = true)]
async fn keep_alives_are_answered_and_do_not_count_as_a_first_message() {
    let mut world = World::new(Transport::Tcp, ConnectionPolicy::default());
    world.peer.write_all(b"\r\n\r\n").await.unwrap();
    let mut pong = [0; 2];
    world.peer.read_exact(&mut pong).await.unwrap();
    assert_eq!(pong, PONG);
    assert_eq!(world.closed_after().await, Duration::from_secs(30));
}

#[tokio::test(start_paused = true)]
async fn who_does_not_take_our_bytes_is_closed_after_thirty_seconds() {
    let mut world = World::new(Transport::Tcp, ConnectionPolicy::default());
    world.peer.write_all(PING).await.unwrap();
    world.message().await;
    world.write.try_send(Bytes::from(vec![b'a'; 8192])).unwrap();
    assert_eq!(world.closed_after().await, Duration::from_secs(30));
}

/// No start line of a message.
const GARBAGE: &[u8] = b"/90000\r\n\r\n";

#[tokio::test(start_paused = true)]
async fn what_came_before_garbage_is_answered_before_the_end() {
    let folder = Folder::new();
    let (policy, connector) = tls(&folder);
    let all = [PING, GARBAGE].concat();
    let mut heard = vec![0; PING.len()];
    let mut world = World::new(Transport::Tcp, ConnectionPolicy::default());
    world.peer.write_all(&all).await.unwrap();
    assert_eq!(world.message().await, PING);
    tokio::time::sleep(Duration::from_millis(500)).await;
    world.write.try_send(Bytes::from_static(PING)).unwrap();
    world.peer.read_exact(&mut heard).await.unwrap();
    assert_eq!(heard, PING, "an answer that takes its time");
    assert_eq!(world.closed_after().await, ANSWERING);
    let mut world = World::new(Transport::Tls, policy);
    let (blank, _) = tokio::io::duplex(1);
    let mut phone = shake(&connector, std::mem::replace(&mut world.peer, blank))
        .await
        .unwrap();
    phone.write_all(&all).await.unwrap();
    assert_eq!(world.message().await, PING);
    world.write.try_send(Bytes::from_static(PING)).unwrap();
    phone.read_exact(&mut heard).await.unwrap();
    assert_eq!(heard, PING);
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_does_not_end_is_closed_after_ten_seconds() {
    let folder = Folder::new();
    let (policy, _) = tls(&folder);
    for transport in [Transport::Tls, Transport::Wss] {
        let mut world = World::new(transport, policy.clone());
        // The head of a TLS record that never comes.
        world.peer.write_all(&[22, 3, 1, 2, 0]).await.unwrap();
        assert_eq!(world.closed_after().await, DOOR);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_tls_is_closed_at_once() {
    let folder = Folder::new();
    let mut world = World::new(Transport::Tls, tls(&folder).0);
    world.peer.write_all(PING).await.unwrap();
    assert_eq!(world.closed_after().await, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn messages_pass_tls_both_ways_and_the_end_is_said() {
    let folder = Folder::new();
    let (policy, connector) = tls(&folder);
    let mut world = World::new(Transport::Tls, policy);
    let (blank, _) = tokio::io::duplex(1);
    let mut phone = shake(&connector, std::mem::replace(&mut world.peer, blank))
        .await
        .unwrap();
    // Two messages and a half in one record; the rest in the next.
    let all = [PING, PING, PING].concat();
    phone.write_all(&all[..PING.len() * 2 + 40]).await.unwrap();
    phone.write_all(&all[PING.len() * 2 + 40..]).await.unwrap();
    for _ in 0..3 {
        assert_eq!(world.message().await, PING);
    }
    world.write.try_send(Bytes::from_static(PING)).unwrap();
    let mut heard = vec![0; PING.len()];
    phone.read_exact(&mut heard).await.unwrap();
    assert_eq!(heard, PING);
    drop(world.write);
    // Said, not cut: without the alert this would be an error.
    assert_eq!(phone.read(&mut heard).await.unwrap(), 0);
}

#[tokio::test]
async fn the_kernel_finds_a_peer_that_vanished() {
    let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let (_peer, accepted) = tokio::join!(
        TcpStream::connect(listener.local_addr().unwrap()),
        listener.accept()
    );
    let (stream, _) = accepted.unwrap();
    tune(&stream, 24);
    let socket = socket2::SockRef::from(&stream);
    assert!(socket.keepalive().unwrap());
    let asked = socket.tcp_keepalive_interval().unwrap() * socket.tcp_keepalive_retries().unwrap();
    assert_eq!(socket.tcp_keepalive_time().unwrap() + asked, UNACKNOWLEDGED);
    assert_eq!(socket.tos_v4().unwrap(), 24 << 2);
    assert_eq!(socket.tcp_user_timeout().unwrap(), Some(UNACKNOWLEDGED));
}

#[tokio::test]
async fn each_family_has_a_socket_of_its_own() {
    let four = bind(SocketAddr::from(([0, 0, 0, 0], 0))).unwrap();
    let port = four.local_addr().unwrap().port();
    assert!(bind(SocketAddr::new(std::net::Ipv6Addr::UNSPECIFIED.into(), port)).is_ok());
}
