//! The server side of the table: requests to us, and our responses.

use std::collections::VecDeque;
use std::ops::Bound;

use bytes::Bytes;
use pronto_types::Time;

use super::{Entry, Key, Machine, Owner, Table, TxId};
use crate::api::Output;
use crate::message::Status;
use crate::settings::Flow;
use crate::transaction::server::Server;
use crate::transaction::server_invite::ServerInvite;

impl Table {
    /// A request opens a transaction. `flow` is where its responses go.
    pub(crate) fn serve(&mut self, key: &[u8], flow: Flow) -> TxId {
        self.insert_server(Machine::Server(Server::Trying), key, flow)
    }

    /// An INVITE opens a transaction.
    pub(crate) fn serve_invite(&mut self, key: &[u8], flow: Flow, owner: Owner) -> TxId {
        self.insert_server(
            Machine::ServerInvite(ServerInvite::Proceeding { trying: None }, owner),
            key,
            flow,
        )
    }

    fn insert_server(&mut self, machine: Machine, key: &[u8], flow: Flow) -> TxId {
        let key = Key::Server(key.into());
        self.insert(Entry {
            machine,
            key,
            flow,
            message: Bytes::new(),
            tags: Vec::new(),
            datagram: None,
            scheduled: None,
        })
    }

    /// The owner of an INVITE server transaction; [`Owner::Nobody`] for any other transaction.
    pub(crate) fn server_owner(&self, id: TxId) -> Owner {
        match self.entries.get(&id).map(|e| &e.machine) {
            Some(Machine::ServerInvite(_, owner)) => *owner,
            _ => Owner::Nobody,
        }
    }

    /// The transaction a request belongs to.
    pub(crate) fn find_server(&self, key: &[u8]) -> Option<TxId> {
        self.servers.get(key).copied()
    }

    /// Whether some transaction's key begins like this.
    pub(crate) fn any_server(&self, prefix: &[u8]) -> bool {
        self.servers
            .range::<[u8], _>((Bound::Included(prefix), Bound::Unbounded))
            .next()
            .is_some_and(|(key, _)| key.starts_with(prefix))
    }

    /// Whether the INVITE still waits for its final response.
    pub(crate) fn is_pending(&self, id: TxId) -> bool {
        match self.entries.get(&id).map(|e| &e.machine) {
            Some(Machine::ServerInvite(m, _)) => m.is_pending(),
            Some(Machine::Server(m)) => *m == Server::Trying,
            _ => false,
        }
    }

    /// Keeps a 100 that is sent when nothing else is until then, or when the INVITE comes once more.
    pub(crate) fn try_later(&mut self, due: Time, id: TxId, trying: Bytes) {
        if let Some(entry) = self.entries.get_mut(&id)
            && let Machine::ServerInvite(m, _) = &mut entry.machine
            && m.is_pending()
        {
            m.try_later(due);
            entry.message = trying;
            self.reschedule(id);
        }
    }

    /// Answers; a second final response is not sent.
    pub(crate) fn respond(
        &mut self,
        now: Time,
        id: TxId,
        status: Status,
        bytes: Bytes,
        out: &mut VecDeque<Output>,
    ) {
        if !self.is_pending(id) {
            return;
        }
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        let reliable = entry.flow.transport.is_reliable();
        match &mut entry.machine {
            Machine::ServerInvite(m, _) => m.respond(now, reliable, status.code()),
            Machine::Server(m) if !status.is_provisional() => m.respond(now, reliable),
            _ => {}
        }
        out.push_back(Output::Transmit {
            flow: entry.flow,
            bytes: bytes.clone(),
        });
        // The owner retransmits a 2xx to an INVITE itself: nothing to keep.
        let accepted = matches!(
            entry.machine,
            Machine::ServerInvite(ServerInvite::Accepted { .. }, _)
        );
        entry.message = if accepted { Bytes::new() } else { bytes };
        self.reschedule(id);
    }

    /// The request came once more.
    pub(crate) fn repeat(&self, id: TxId, out: &mut VecDeque<Output>) {
        let Some(entry) = self.entries.get(&id) else {
            return;
        };
        let resend = match &entry.machine {
            Machine::ServerInvite(m, _) => m.is_resent_on_request(),
            Machine::Server(m) => m.is_resent_on_request(),
            _ => false,
        };
        if resend && !entry.message.is_empty() {
            out.push_back(Output::Transmit {
                flow: entry.flow,
                bytes: entry.message.clone(),
            });
        }
    }

    /// An ACK with the INVITE's own branch; `true` if it acknowledged a failure.
    pub(crate) fn ack(&mut self, now: Time, id: TxId) -> bool {
        let Some(entry) = self.entries.get_mut(&id) else {
            return false;
        };
        let reliable = entry.flow.transport.is_reliable();
        let Machine::ServerInvite(m, _) = &mut entry.machine else {
            return false;
        };
        let used = m.ack(now, reliable);
        self.reschedule(id);
        used
    }

    /// A request of a process that is gone: should it come once more, this is its answer. Nothing is sent before.
    pub(crate) fn refuse_when_repeated(&mut self, now: Time, id: TxId, refusal: Bytes) {
        if let Some(entry) = self.entries.get_mut(&id)
            && let Machine::ServerInvite(m, _) = &mut entry.machine
        {
            // Over a reliable transport a failure is sent once.
            m.respond(now, true, Status::SERVER_INTERNAL_ERROR.code());
            entry.message = refusal;
            self.reschedule(id);
        }
    }

    /// The owner is gone and nobody will answer: forget a transaction that waits for a response.
    pub(crate) fn abandon(&mut self, id: TxId) {
        if self.is_pending(id) {
            self.remove(id);
        }
    }

    /// Where a server transaction's responses go.
    pub(crate) fn flow(&self, id: TxId) -> Option<Flow> {
        self.entries.get(&id).map(|e| e.flow)
    }
}
