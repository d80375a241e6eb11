//! Messages that leave once the dialogs they are about are written down.

use std::sync::Arc;

use bytes::Bytes;
use pronto_sip::Flow;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

/// A message, and the way it goes.
pub(super) struct Held {
    pub(super) flow: Flow,
    pub(super) bytes: Bytes,
    pub(super) way: Way,
}

/// Over which socket.
pub(super) enum Way {
    Datagram(Arc<UdpSocket>),
    Stream(mpsc::Sender<Bytes>),
}

impl Held {
    /// Sends it, or counts that it could not be sent.
    pub(super) fn send(self) {
        let sent = match self.way {
            Way::Datagram(socket) => socket.try_send_to(&self.bytes, self.flow.remote).is_ok(),
            // A connection that takes nothing any more is found out by the next message, or has ended.
            Way::Stream(write) => write.try_send(self.bytes).is_ok(),
        };
        if !sent {
            metrics::counter!("pronto_sip_send_failed_total").increment(1);
        }
    }
}
