//! SIP over UDP: one task a socket reads datagrams; sending is done by the control plane without waiting.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use pronto_sip::{Flow, Transport};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use super::Happened;

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
    happened: mpsc::Sender<Happened>,
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

async fn read(socket: Arc<UdpSocket>, local: SocketAddr, happened: mpsc::Sender<Happened>) {
    let mut buffer = vec![0; MAX_DATAGRAM];
    loop {
        // Fails only where the runtime ends.
        if socket.readable().await.is_err() {
            return;
        }
        // Room for a burst is taken first: a full inbox leaves datagrams to the kernel, which drops them.
        let Ok(permits) = happened.reserve_many(BURST).await else {
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
                    permit.send(Happened::Message { flow, bytes });
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
    use super::*;

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
