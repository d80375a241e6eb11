//! All transactions of an endpoint: their keys, messages, owners and timers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;

use bytes::Bytes;
use pronto_types::Time;

use super::client::Client;
use super::client_invite::{Act, ClientInvite};
use super::server::Server;
use super::server_invite::ServerInvite;
use crate::events::{LegId, Output, RegistrationId};
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

/// The most forks of one INVITE that are told apart.
const MAX_FORKS: usize = 16;

/// The table. See the module's page.
#[derive(Default)]
pub(crate) struct Table {
    entries: BTreeMap<TxId, Entry>,
    servers: BTreeMap<Box<[u8]>, TxId>,
    /// By branch, and whether the transaction is the CANCEL of the one with that branch.
    clients: BTreeMap<(Tag, bool), TxId>,
    client_flows: BTreeSet<(Flow, TxId)>,
    timers: BTreeSet<(Time, TxId)>,
    next: u64,
}

impl Table {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Time> {
        self.timers.first().map(|(at, _)| *at)
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
        if entry.scheduled != deadline {
            if let Some(at) = entry.scheduled {
                self.timers.remove(&(at, id));
            }
            if let Some(at) = deadline {
                self.timers.insert((at, id));
            }
            entry.scheduled = deadline;
        }
    }

    fn remove(&mut self, id: TxId) {
        let Some(entry) = self.entries.remove(&id) else {
            return;
        };
        if let Some(at) = entry.scheduled {
            self.timers.remove(&(at, id));
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

/// The server side.
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

/// The client side.
impl Table {
    /// Sends a request.
    pub(crate) fn send(
        &mut self,
        now: Time,
        (flow, branch): (Flow, Tag),
        request: Bytes,
        (purpose, owner): (Purpose, Owner),
        out: &mut VecDeque<Output>,
    ) -> TxId {
        let reliable = flow.transport.is_reliable();
        let machine = match purpose {
            Purpose::Invite | Purpose::Reinvite => {
                Machine::ClientInvite(ClientInvite::new(now, reliable), purpose, owner)
            }
            _ => Machine::Client(Client::new(now, reliable), purpose, owner),
        };
        out.push_back(Output::Transmit {
            flow,
            bytes: request.clone(),
        });
        let key = Key::Client(branch, purpose == Purpose::Cancel);
        self.insert(Entry {
            machine,
            key,
            flow,
            message: request,
            tags: Vec::new(),
            datagram: None,
            scheduled: None,
        })
    }

    /// Takes up an INVITE that a process before this one has sent: it rings.
    pub(crate) fn take_up_invite(
        &mut self,
        now: Time,
        (flow, branch): (Flow, Tag),
        request: Bytes,
        owner: Owner,
    ) -> TxId {
        self.insert(Entry {
            machine: Machine::ClientInvite(ClientInvite::taken_up(now), Purpose::Invite, owner),
            key: Key::Client(branch, false),
            flow,
            message: request,
            tags: Vec::new(),
            datagram: None,
            scheduled: None,
        })
    }

    /// Where a request goes, and how it reads there, if its flow fails before anything was answered.
    pub(crate) fn fall_back_to(&mut self, id: TxId, flow: Flow, request: Bytes) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.datagram = Some(Box::new((flow, request)));
        }
    }

    /// The request of a client transaction, and its flow: what an ACK or a CANCEL is made of.
    pub(crate) fn request(&self, id: TxId) -> Option<(Flow, Bytes)> {
        self.entries.get(&id).map(|e| (e.flow, e.message.clone()))
    }

    /// A response came; `None` for a stray one.
    pub(crate) fn response(
        &mut self,
        now: Time,
        branch: Tag,
        cancel: bool,
        status: Status,
    ) -> Option<Matched> {
        let id = *self.clients.get(&(branch, cancel))?;
        let entry = self.entries.get_mut(&id)?;
        let reliable = entry.flow.transport.is_reliable();
        let (act, purpose, owner) = match &mut entry.machine {
            Machine::ClientInvite(m, purpose, owner) => {
                (m.response(now, reliable, status.code()), *purpose, *owner)
            }
            Machine::Client(m, purpose, owner) => {
                (m.response(now, reliable, status.code()), *purpose, *owner)
            }
            Machine::ServerInvite(..) | Machine::Server(_) => return None,
        };
        Some(Matched {
            id,
            act,
            owner,
            purpose,
        })
    }

    /// Whether this is the first 2xx with this To tag; remembers it.
    pub(crate) fn is_new_fork(&mut self, id: TxId, tag: &[u8]) -> bool {
        let Some(entry) = self.entries.get_mut(&id) else {
            return false;
        };
        if entry.tags.len() >= MAX_FORKS || entry.tags.iter().any(|t| t == tag) {
            return false;
        }
        entry.tags.push(Bytes::copy_from_slice(tag));
        true
    }

    /// After the owner has used a matched response: removes what is over.
    pub(crate) fn settle(&mut self, id: TxId) {
        self.reschedule(id);
    }

    /// The dialog of a re-INVITE is over.
    pub(crate) fn orphan(&mut self, now: Time, id: TxId) {
        if let Some(Machine::ClientInvite(m, ..)) = self.entries.get_mut(&id).map(|it| &mut it.machine) {
            m.orphan(now);
            self.reschedule(id);
        }
    }

    /// Gives up a client transaction without waiting: its owner has.
    pub(crate) fn forget(&mut self, id: TxId) {
        self.remove(id);
    }

    /// Client transactions on a flow that failed are over (§17.1.4), but for those that fall back; whether there were any.
    pub(crate) fn fail_flow(
        &mut self,
        now: Time,
        flow: Flow,
        out: &mut VecDeque<Output>,
    ) -> (Vec<Failure>, bool) {
        let on_flow = self.client_flows.range((flow, TxId(0))..=(flow, TxId(u64::MAX)));
        let ids: Vec<TxId> = on_flow.map(|(_, id)| *id).collect();
        let (resent, lost): (Vec<TxId>, Vec<TxId>) =
            ids.into_iter().partition(|id| self.fall_back(now, *id, out));
        let lost = lost.into_iter();
        let failures = lost.filter_map(|id| self.fail(id, Status::SERVICE_UNAVAILABLE));
        (failures.collect(), !resent.is_empty())
    }

    fn fall_back(&mut self, now: Time, id: TxId, out: &mut VecDeque<Output>) -> bool {
        let Some(entry) = self.entries.get_mut(&id) else {
            return false;
        };
        let machine = match &entry.machine {
            Machine::ClientInvite(ClientInvite::Calling { .. }, purpose, owner) => {
                Machine::ClientInvite(ClientInvite::new(now, false), *purpose, *owner)
            }
            Machine::Client(
                Client::Waiting {
                    proceeding: false, ..
                },
                purpose,
                owner,
            ) => Machine::Client(Client::new(now, false), *purpose, *owner),
            _ => return false,
        };
        let Some(datagram) = entry.datagram.take() else {
            return false;
        };
        let (flow, request) = *datagram;
        self.client_flows.remove(&(entry.flow, id));
        self.client_flows.insert((flow, id));
        entry.machine = machine;
        entry.flow = flow;
        entry.message = request.clone();
        out.push_back(Output::Transmit { flow, bytes: request });
        self.reschedule(id);
        true
    }

    fn fail(&mut self, id: TxId, status: Status) -> Option<Failure> {
        let failure = match &self.entries.get(&id)?.machine {
            // What lingers after its outcome has nothing left to fail.
            Machine::ClientInvite(ClientInvite::Accepted { .. } | ClientInvite::Completed { .. }, ..) => {
                return None;
            }
            Machine::Client(Client::Completed { .. }, ..) => return None,
            Machine::ClientInvite(_, purpose, owner) | Machine::Client(_, purpose, owner) => Failure {
                id,
                owner: *owner,
                purpose: *purpose,
                status,
                lingers: false,
            },
            Machine::ServerInvite(..) | Machine::Server(_) => return None,
        };
        self.remove(id);
        Some(failure)
    }

    /// Runs timers that are due until one of them is a failure somebody has to hear of; `None` when all are done, or as
    /// many as were `left`.
    pub(crate) fn expire(
        &mut self,
        now: Time,
        left: &mut usize,
        out: &mut VecDeque<Output>,
    ) -> Option<Failure> {
        while let Some(&(at, id)) = self.timers.first() {
            if at > now || *left == 0 {
                return None;
            }
            *left -= 1;
            let Some(entry) = self.entries.get_mut(&id) else {
                self.timers.pop_first();
                continue;
            };
            let mut lingers = false;
            let (resend, failed) = match &mut entry.machine {
                Machine::ServerInvite(m, _) => (m.timeout(now), None),
                Machine::Server(m) => {
                    m.timeout(now);
                    (false, None)
                }
                Machine::ClientInvite(m, purpose, owner) => {
                    let act = m.timeout(now);
                    lingers = m.lingers();
                    (
                        act == Act::Resend,
                        (act == Act::TimedOut).then_some((*purpose, *owner)),
                    )
                }
                Machine::Client(m, purpose, owner) => {
                    let act = m.timeout(now);
                    (
                        act == Act::Resend,
                        (act == Act::TimedOut).then_some((*purpose, *owner)),
                    )
                }
            };
            if resend {
                out.push_back(Output::Transmit {
                    flow: entry.flow,
                    bytes: entry.message.clone(),
                });
            }
            self.reschedule(id);
            if let Some((purpose, owner)) = failed {
                return Some(Failure {
                    id,
                    owner,
                    purpose,
                    status: Status::REQUEST_TIMEOUT,
                    lingers,
                });
            }
        }
        None
    }
}
