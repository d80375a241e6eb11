//! SIP over UDP: one task a socket reads datagrams; sending is done by the control plane without waiting.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use pronto_sip::{Flow, Transport};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use super::ShellEvent;

/// A datagram of RFC 3261 fits in 65,535 bytes.
const MAX_DATAGRAM: usize = 65_535;
/// Datagrams read in one go: they cost the control plane one wake-up, and the sockets of other transports their turn.
const BURST: usize = 32;
/// Kernel buffers: a burst of signalling waits here while the control plane works.
const KERNEL_BUFFER: usize = 4 << 20;

/// Binds a socket and starts its reader.
///
/// # Errors
/// The address cannot be bound.
pub(super) fn listen(
    address: SocketAddr,
    dscp: u8,
    happened: mpsc::Sender<ShellEvent>,
) -> std::io::Result<Arc<UdpSocket>> {
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::DGRAM, Some(socket2::Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // The kernel caps these at its own limit; a smaller buffer is no error.
    let _ = socket.set_recv_buffer_size(KERNEL_BUFFER);
    let _ = socket.set_send_buffer_size(KERNEL_BUFFER);
    mark(&socket, address.is_ipv6(), dscp);
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    let socket = Arc::new(UdpSocket::from_std(socket.into())?);
    let local = socket.local_addr()?;
    tokio::spawn(read(Arc::clone(&socket), local, happened));
    Ok(socket)
}

/// Asks the network for signalling's class of service (RFC 2474, RFC 4594 §4.2). A wish: a socket without it is no error.
pub(super) fn mark(socket: &socket2::Socket, v6: bool, dscp: u8) {
    let class = u32::from(dscp) << 2;
    let _ = if v6 {
        socket.set_tclass_v6(class)
    } else {
        socket.set_tos_v4(class)
    };
}

async fn read(socket: Arc<UdpSocket>, local: SocketAddr, happened: mpsc::Sender<ShellEvent>) {
    let mut buffer = vec![0; MAX_DATAGRAM];
    // More than the inbox holds at all would be refused as if nobody read it any more.
    let burst = BURST.min(happened.max_capacity());
    loop {
        // Fails only where the runtime ends.
        if socket.readable().await.is_err() {
            return;
        }
        // Room for a burst is taken first: a full inbox leaves datagrams to the kernel, which drops them.
        let Ok(permits) = happened.reserve_many(burst).await else {
            return;
        };
        for permit in permits {
            match socket.try_recv_from(&mut buffer) {
                Ok((length, remote)) => {
                    let flow = Flow {
                        transport: Transport::Udp,
                        local,
                        remote,
                    };
                    let bytes = Bytes::copy_from_slice(&buffer[..length]);
                    permit.send(ShellEvent::Message { flow, bytes });
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                // An ICMP error of an earlier datagram surfaces here; the socket goes on.
                Err(error) => tracing::debug!(%error, "udp receive"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// The sender and the contents of the next datagram.
    async fn next(inbox: &mut mpsc::Receiver<ShellEvent>) -> (SocketAddr, Bytes) {
        let next = tokio::time::timeout(Duration::from_secs(10), inbox.recv());
        match next.await.expect("a datagram").expect("a reader") {
            ShellEvent::Message { flow, bytes } => (flow.remote, bytes),
            _ => panic!("nothing but messages comes from a socket"),
        }
    }

    #[tokio::test]
    async fn every_datagram_of_a_flood_is_handed_on_in_order_however_small_the_inbox() {
        // An inbox of less than a burst, of one, and of several.
        for capacity in [1, 3, BURST, 5 * BURST] {
            let (happened, mut inbox) = mpsc::channel(capacity);
            let gateway = listen("127.0.0.1:0".parse().unwrap(), 24, happened).unwrap();
            let phone = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            phone.connect(gateway.local_addr().unwrap()).await.unwrap();
            for number in 0..3 * BURST + 1 {
                phone.send(format!("datagram {number}").as_bytes()).await.unwrap();
            }
            for number in 0..3 * BURST + 1 {
                let (from, bytes) = next(&mut inbox).await;
                assert_eq!(bytes, format!("datagram {number}"), "an inbox of {capacity}");
                assert_eq!(from, phone.local_addr().unwrap());
            }
            // An empty datagram is one too, and the reader goes on.
            phone.send(b"").await.unwrap();
            phone.send(b"last").await.unwrap();
            assert_eq!(next(&mut inbox).await.1, "");
            assert_eq!(next(&mut inbox).await.1, "last");
        }
    }

    #[tokio::test]
    async fn a_full_inbox_leaves_datagrams_to_the_kernel_and_a_dropped_one_ends_the_reader() {
        let (happened, mut inbox) = mpsc::channel(BURST);
        let gateway = listen("127.0.0.1:0".parse().unwrap(), 24, happened).unwrap();
        let phone = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        phone.connect(gateway.local_addr().unwrap()).await.unwrap();
        for number in 0..2 * BURST {
            phone.send(format!("{number}").as_bytes()).await.unwrap();
        }
        assert_eq!(next(&mut inbox).await.1, "0");
        assert!(inbox.len() < BURST, "never more than it holds");
        for number in 1..2 * BURST {
            assert_eq!(next(&mut inbox).await.1, format!("{number}"));
        }
        drop(inbox);
        phone.send(b"nobody").await.unwrap();
        let alone = async {
            while Arc::strong_count(&gateway) > 1 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), alone)
            .await
            .expect("the reader has let go of the socket");
    }

    #[tokio::test]
    async fn datagrams_of_both_families_carry_the_class_of_signalling() {
        for (address, v6) in [("127.0.0.1:0", false), ("[::1]:0", true)] {
            let (happened, _inbox) = mpsc::channel(1);
            let socket = listen(address.parse().unwrap(), 24, happened).unwrap();
            let socket = socket2::SockRef::from(&*socket);
            let class = if v6 { socket.tclass_v6() } else { socket.tos_v4() };
            assert_eq!(class.unwrap(), 24 << 2, "{address}");
        }
    }
}
