//! The gateways' links: which stream is the live one, and what goes down it.
//!
//! ```text
//!   Attach ──► greeted (in order) ──Welcome──► live ──► replaced, ended, or too slow
//!                     └────────────Refuse───► told why
//! ```
//! The engine answers each `Attached` with one `Welcome` or `Refuse`, in order, so whoever was greeted first is
//! meant. What is released before a stream's `Welcome` was said to the stream before it, and never reaches it.

use std::collections::{BTreeMap, VecDeque};

use pronto_engine::Refusal;
use pronto_proto::link as wire;
use pronto_proto::v1::QueueMessage;
use pronto_types::GatewayName;
use tokio::sync::{mpsc, oneshot};
use tonic::Status;

use super::status;

/// Messages on their way down one link. More than the engine ever says at once (an exit for each ticket,
/// [`pronto_engine::limits::TICKETS`]): a link that is this far behind is not read any more.
pub(super) const DOWN: usize = 65_536;

/// A message to a gateway, or the status that ends its stream.
pub(super) type Down = Result<QueueMessage, Status>;

/// Tells one stream from another of the same gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LinkId(u64);

/// A stream that said hello.
pub(super) struct Candidate {
    pub(super) gateway: GatewayName,
    pub(super) epoch: u64,
    /// The process within the epoch; 0: not told.
    pub(super) instance: u64,
    pub(super) down: mpsc::Sender<Down>,
    /// Dropped when the link is over: the stream's reader stops.
    pub(super) end: oneshot::Sender<()>,
    pub(super) verdict: oneshot::Sender<Result<LinkId, Status>>,
}

struct Link {
    id: LinkId,
    epoch: u64,
    instance: u64,
    down: mpsc::Sender<Down>,
    _end: oneshot::Sender<()>,
}

#[derive(Default)]
pub(super) struct Links {
    greeted: VecDeque<Candidate>,
    live: BTreeMap<GatewayName, Link>,
    next: u64,
    /// Gateways are told to take nobody new.
    closed: bool,
}

impl Links {
    /// Takes a stream that said hello, and says whether the engine is to be told. It is not where another process of the
    /// gateway is attached: two processes under one name would end each other's calls in turn.
    pub(super) fn greet(&mut self, candidate: Candidate) -> bool {
        let Candidate {
            gateway, instance, ..
        } = &candidate;
        let live = self.live.get(gateway).map(|link| link.instance);
        let greeted = self.greeted.iter().filter(|other| other.gateway == *gateway);
        let mut others = live.into_iter().chain(greeted.map(|other| other.instance));
        // Also one that hands over what an earlier process left does not tell its own number: it waits until that one is gone.
        if others.any(|other| other != 0 && other != *instance) {
            let refused = status::taken(gateway.as_str());
            let _ = candidate.verdict.send(Err(refused));
            return false;
        }
        self.greeted.push_back(candidate);
        true
    }

    /// The engine took the stream greeted first: it replaces the one before it.
    pub(super) fn welcome(&mut self, message: QueueMessage) {
        let Some(Candidate {
            gateway,
            epoch,
            instance,
            down,
            end,
            verdict,
        }) = self.greeted.pop_front()
        else {
            return;
        };
        self.next += 1;
        let id = LinkId(self.next);
        // The first message of an empty channel.
        let _ = down.try_send(Ok(message));
        if self.closed {
            let _ = down.try_send(Ok(wire::admission(false)));
        }
        tracing::debug!(%gateway, epoch, "attached");
        let link = Link {
            id,
            epoch,
            instance,
            down,
            _end: end,
        };
        if let Some(older) = self.live.insert(gateway, link) {
            let _ = older.down.try_send(Err(status::replaced()));
        }
        let _ = verdict.send(Ok(id));
    }

    /// Tells all gateways, and those that come, whether new calls may be taken.
    pub(super) fn admit(&mut self, open: bool) {
        self.closed = !open;
        for link in self.live.values() {
            // One that is so far behind is over with its next message.
            let _ = link.down.try_send(Ok(wire::admission(open)));
        }
    }

    /// The engine refused the stream greeted first.
    pub(super) fn refuse(&mut self, reason: Refusal) {
        let Some(candidate) = self.greeted.pop_front() else {
            return;
        };
        let gateway = candidate.gateway.as_str();
        let refused = match reason {
            Refusal::OldEpoch { highest } => {
                let sentence = "another process of this gateway has been here, in this epoch or a later one";
                status::wrong_epoch("OLD_EPOCH", gateway, sentence, highest)
            }
            Refusal::EpochTooHigh { highest } => {
                let sentence = "the epoch is too far above the highest known of this gateway";
                status::wrong_epoch("EPOCH_TOO_HIGH", gateway, sentence, highest)
            }
            Refusal::TooManyGateways => status::exhausted("too many gateways"),
        };
        let _ = candidate.verdict.send(Err(refused));
    }

    /// Sends to the gateway's process, if it is attached. False if the link was too slow, or is closed: it is over now.
    pub(super) fn send(&mut self, gateway: &GatewayName, epoch: u64, message: QueueMessage) -> bool {
        let Some(link) = self.live.get(gateway).filter(|link| link.epoch == epoch) else {
            return true;
        };
        if link.down.try_send(Ok(message)).is_ok() {
            return true;
        }
        tracing::debug!(%gateway, "the link does not keep up");
        self.live.remove(gateway);
        false
    }

    /// A stream ended, by the fault of its gateway if there is one. Returns the epoch if it was the live one.
    pub(super) fn ended(&mut self, gateway: &GatewayName, id: LinkId, fault: Option<Status>) -> Option<u64> {
        if self.live.get(gateway)?.id != id {
            return None;
        }
        let link = self.live.remove(gateway)?;
        if let Some(fault) = fault {
            let _ = link.down.try_send(Err(fault));
        }
        Some(link.epoch)
    }

    /// Whether a newer stream of the gateway has been announced to the engine: the loss of the older one is then no
    /// news to it.
    pub(super) fn is_greeted(&self, gateway: &GatewayName) -> bool {
        self.greeted.iter().any(|candidate| candidate.gateway == *gateway)
    }

    /// How many are live.
    pub(super) fn len(&self) -> usize {
        self.live.len()
    }

    /// Ends all of them.
    pub(super) fn close(&mut self, why: impl Fn() -> Status) {
        for link in std::mem::take(&mut self.live).into_values() {
            let _ = link.down.try_send(Err(why()));
        }
        for candidate in self.greeted.drain(..) {
            let _ = candidate.verdict.send(Err(why()));
        }
    }
}

#[cfg(test)]
mod tests;
