//! All transactions of an endpoint: their keys, messages, owners and timers.

mod clients;
mod servers;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use pronto_types::{Deadlines, Time};

use super::client::Client;
use super::client_invite::{Act, ClientInvite};
use super::server::Server;
use super::server_invite::ServerInvite;
use crate::api::{LegId, RegistrationId};
use crate::message::Status;
use crate::settings::Flow;
use crate::tag::Tag;

/// One transaction; never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct TxId(u64);

/// To whom a client transaction's outcome belongs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Owner {
    Leg(LegId),
    Registration(RegistrationId),
    /// A phone being asked whether it is there.
    Check(u64),
    /// Nobody waits: a CANCEL, the BYE of a second fork.
    Nobody,
}

/// The purpose of a client transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Purpose {
    Invite,
    /// Inside a dialog.
    Reinvite,
    Cancel,
    Bye,
    Probe,
    Qualify,
    Register,
}

/// A request to be sent in a client transaction of its own.
pub(crate) struct Outgoing {
    pub(crate) flow: Flow,
    pub(crate) branch: Tag,
    pub(crate) bytes: Bytes,
    pub(crate) purpose: Purpose,
    pub(crate) owner: Owner,
}

/// A client transaction that failed without a response.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Failure {
    pub(crate) id: TxId,
    pub(crate) owner: Owner,
    pub(crate) purpose: Purpose,
    /// 408 for a timeout, 503 for a transport error (§8.1.3.1).
    pub(crate) status: Status,
    /// An INVITE that somebody is at, for longer than one waits. It is still there, to be cancelled.
    pub(crate) lingers: bool,
}

/// A response that belongs to a client transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Matched {
    pub(crate) id: TxId,
    pub(crate) act: Act,
    pub(crate) owner: Owner,
    pub(crate) purpose: Purpose,
}

enum Machine {
    ServerInvite(ServerInvite, Owner),
    Server(Server),
    ClientInvite(ClientInvite, Purpose, Owner),
    Client(Client, Purpose, Owner),
}

enum Key {
    Server(Box<[u8]>),
    Client(Tag, bool),
}

struct Entry {
    machine: Machine,
    key: Key,
    flow: Flow,
    /// The request of a client, the last response of a server.
    message: Bytes,
    /// The To tags of the 2xx a client has dealt with: each fork is ended once.
    tags: Vec<Bytes>,
    /// Sent over a stream for its size alone: the flow it was meant for, and the request as it goes there.
    datagram: Option<Box<(Flow, Bytes)>>,
    scheduled: Option<Time>,
}

/// The table. See the module's page.
#[derive(Default)]
pub(crate) struct Table {
    entries: BTreeMap<TxId, Entry>,
    servers: BTreeMap<Box<[u8]>, TxId>,
    /// By branch, and whether the transaction is the CANCEL of the one with that branch.
    clients: BTreeMap<(Tag, bool), TxId>,
    client_flows: BTreeSet<(Flow, TxId)>,
    timers: Deadlines<TxId>,
    next: u64,
}

impl Table {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Time> {
        self.timers.first()
    }

    fn insert(&mut self, entry: Entry) -> TxId {
        let id = TxId(self.next);
        self.next += 1;
        match &entry.key {
            Key::Server(key) => {
                self.servers.insert(key.clone(), id);
            }
            Key::Client(branch, cancel) => {
                self.clients.insert((*branch, *cancel), id);
                self.client_flows.insert((entry.flow, id));
            }
        }
        self.entries.insert(id, entry);
        self.reschedule(id);
        id
    }

    /// Keeps the timer index true to an entry's state, and removes entries whose state is Gone.
    fn reschedule(&mut self, id: TxId) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        let deadline = match &entry.machine {
            Machine::ServerInvite(m, _) => m.deadline(),
            Machine::Server(m) => m.deadline(),
            Machine::ClientInvite(m, ..) => m.deadline(),
            Machine::Client(m, ..) => m.deadline(),
        };
        let gone = matches!(
            entry.machine,
            Machine::ServerInvite(ServerInvite::Gone, _)
                | Machine::Server(Server::Gone)
                | Machine::ClientInvite(ClientInvite::Gone, ..)
                | Machine::Client(Client::Gone, ..)
        );
        if gone {
            self.remove(id);
            return;
        }
        self.timers.reset(&mut entry.scheduled, deadline, &id);
    }

    fn remove(&mut self, id: TxId) {
        let Some(entry) = self.entries.remove(&id) else {
            return;
        };
        if let Some(at) = entry.scheduled {
            self.timers.remove(at, &id);
        }
        match entry.key {
            Key::Server(key) => {
                self.servers.remove(&key);
            }
            Key::Client(branch, cancel) => {
                self.clients.remove(&(branch, cancel));
                self.client_flows.remove(&(entry.flow, id));
            }
        }
    }
}
