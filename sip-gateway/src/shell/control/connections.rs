//! Connections of the control plane: taken in, closed when idle, forgotten when they end.

use pronto_sip::Flow;
use tokio::net::TcpStream;

use super::Control;
use crate::shell::streams::Newcomer;
use crate::shell::tcp::{self, Connection};

impl Control {
    /// A connection from outside: taken, or closed at once where there is no room, or its source asks for too many
    /// handshakes.
    pub(super) fn accepted(&mut self, flow: Flow, stream: TcpStream) {
        let newcomer = if self.core.sip().is_trunk(flow) {
            Newcomer::Trunk
        } else {
            Newcomer::Stranger
        };
        let mut policy = self.sockets.policy.clone();
        if flow.transport.is_secure() {
            policy.inside = self.handshakes.begin(self.clock.now(), flow.remote.ip());
            if policy.inside.is_none() {
                return metrics::counter!("pronto_sip_handshakes_refused_total").increment(1);
            }
        }
        if !self.make_room(flow, newcomer) {
            return metrics::counter!("pronto_sip_connections_refused_total").increment(1);
        }
        self.next_connection += 1;
        let connection = tcp::adopt(self.next_connection, flow, stream, policy, self.happened.clone());
        let now = self.clock.now();
        self.sockets.streams.insert(now, flow, newcomer, connection);
        self.drain_outputs();
    }

    /// Whether a connection more can be had; a stranger may have to go for it.
    pub(super) fn make_room(&mut self, flow: Flow, newcomer: Newcomer) -> bool {
        let sip = self.core.sip();
        let is_stranger = |flow| sip.is_stranger(flow);
        let room = self
            .sockets
            .streams
            .make_room(self.clock.now(), flow, newcomer, is_stranger);
        if let Ok(Some(goes)) = room {
            self.close(goes, "full");
        }
        room.is_ok()
    }

    /// Strangers that have said nothing for long go.
    pub(super) fn close_idle(&mut self) {
        let sip = self.core.sip();
        let idle = self
            .sockets
            .streams
            .idle(self.clock.now(), |flow| sip.is_stranger(flow));
        for flow in idle {
            self.close(flow, "idle");
        }
        self.drain_outputs();
    }

    /// The core hears of it with the next [`Control::drain_outputs`].
    fn close(&mut self, flow: Flow, why: &'static str) {
        if self.sockets.streams.remove(&flow).is_some() {
            metrics::counter!("pronto_sip_connections_closed_total", "why" => why).increment(1);
            self.failed.push(flow);
        }
    }

    /// Forgets a connection that ended; false if another has taken its flow since.
    pub(super) fn is_gone(&mut self, flow: Flow, connection: u64) -> bool {
        let ended = self
            .sockets
            .streams
            .remove_this(&flow, |held| held.id == connection);
        ended.map(Connection::finish).is_some()
    }
}
