//! Requests that no datagram should carry: "If a request is … larger than 1300 bytes and the path MTU is unknown, the
//! request MUST be sent using an RFC 2914 congestion controlled transport protocol, such as TCP" (RFC 3261 §18.1.1).

use std::time::Duration;

use bytes::Bytes;
use pronto_types::{OperatorId, Time};

use super::Endpoint;
use crate::api::LegId;
use crate::message::{HeaderName, Message, Uri};
use crate::settings::{Flow, Transport};
use crate::transaction::table::{Failure, Outgoing, TxId};

/// The largest request, in octets, sent as a datagram on a path of unknown MTU.
const DATAGRAM: usize = 1300;
/// How long a peer that took no connection is not asked for one again: its callers would wait for nothing each time.
const REFUSED: Duration = Duration::from_secs(300);
/// Peers remembered so; the first of them by address makes room.
const PEERS: usize = 1024;

impl Endpoint {
    /// Sends a request in a transaction of its own: over its flow, or over TCP where it is too large.
    pub(super) fn send_request(&mut self, now: Time, request: Outgoing) -> TxId {
        let flow = request.flow;
        match self.larger_way(now, flow, &request.bytes) {
            None => self.table.send(now, request, &mut self.out),
            Some(stream) => {
                let datagram = request.bytes.clone();
                let larger = Outgoing {
                    flow: stream,
                    bytes: self.told_from(&datagram, flow, stream),
                    ..request
                };
                let tx = self.table.send(now, larger, &mut self.out);
                // "… if the attempt to establish the connection generates either an ICMP Protocol Not Supported, or results
                // in a TCP reset, the element SHOULD retry the request, using UDP."
                self.table.fall_back_to(tx, flow, datagram);
                tx
            }
        }
    }

    /// The TCP flow for a request too large for this one: only to where its URI leads. A phone behind a NAT is reached on
    /// the flow it keeps open and on no other, and so is one that said it keeps one (RFC 5626 §5.3).
    fn larger_way(&self, now: Time, flow: Flow, request: &Bytes) -> Option<Flow> {
        if flow.transport != Transport::Udp || request.len() <= DATAGRAM {
            return None;
        }
        let message = Message::parse(request.clone()).ok()?;
        let route = message.list(HeaderName::Route).next().and_then(Result::ok);
        let stream = self.flow_to(route.unwrap_or(message.request_uri()), Transport::Tcp)?;
        let refused = self
            .no_streams
            .get(&stream.remote)
            .is_some_and(|until| *until > now);
        let keeps = self.registrar.keeps_flow(flow);
        (stream.remote == flow.remote && !refused && !keeps).then_some(stream)
    }

    /// "If this causes a change in the transport protocol from the one indicated in the top Via, the value in the top Via
    /// MUST be changed."
    fn told_from(&self, request: &Bytes, flow: Flow, stream: Flow) -> Bytes {
        let (before, after) = (self.identity.sent_by(flow), self.identity.sent_by(stream));
        let at = request
            .windows(before.len())
            .position(|window| window == before.as_bytes());
        match at {
            Some(at) => {
                let (head, rest) = (&request[..at], &request[at + before.len()..]);
                Bytes::from([head, after.as_bytes(), rest].concat())
            }
            None => request.clone(),
        }
    }

    /// A flow came to nothing: what was sent over it only for its size goes as a datagram; the rest has failed.
    pub(super) fn fail_flow(&mut self, now: Time, flow: Flow) -> Vec<Failure> {
        let (failures, resent) = self.table.fail_flow(now, flow, &mut self.out);
        if resent {
            if self.no_streams.len() >= PEERS {
                self.no_streams.pop_first();
            }
            self.no_streams.insert(flow.remote, now + REFUSED);
        }
        failures
    }

    /// A phone whose connection was lost registers over another: its talks go on there. The same Contact tells that it is
    /// the same phone, and not another of the same operator.
    pub(super) fn find_again(&mut self, operator: &OperatorId, flow: Flow) {
        let of = self.lost_legs.iter().filter(|(_, of)| of.contains(operator));
        let ids: Vec<LegId> = of.map(|(id, _)| *id).collect();
        for id in ids {
            self.with_leg(id, |endpoint, leg| {
                let mut here = endpoint.registrar.of(operator).filter(|b| b.flow == flow);
                let found = here.any(|b| is_same_phone(&b.contact, &leg.dialog.target));
                drop(here);
                if found {
                    endpoint.move_to(id, leg, flow);
                    endpoint.lost_legs.remove(&id);
                }
            });
        }
    }
}

/// In calls and in registrations a phone may write different parameters.
pub(super) fn is_same_phone(one: &[u8], other: &[u8]) -> bool {
    let (Some(one), Some(other)) = (Uri::parse(one), Uri::parse(other)) else {
        return false;
    };
    (one.user, one.host, one.port) == (other.user, other.host, other.port)
}
