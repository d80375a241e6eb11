//! The client side of the table: our requests, the responses to them, and the timers of both sides.

use std::collections::VecDeque;

use bytes::Bytes;
use pronto_types::Time;

use super::{Entry, Failure, Key, Machine, Matched, Outgoing, Owner, Purpose, Table, TxId};
use crate::api::Output;
use crate::message::Status;
use crate::settings::Flow;
use crate::tag::Tag;
use crate::transaction::client::Client;
use crate::transaction::client_invite::{Act, ClientInvite};

/// The most forks of one INVITE that are told apart.
const MAX_FORKS: usize = 16;

impl Table {
    /// Sends a request.
    pub(crate) fn send(&mut self, now: Time, request: Outgoing, out: &mut VecDeque<Output>) -> TxId {
        let Outgoing {
            flow,
            branch,
            bytes,
            purpose,
            owner,
        } = request;
        let reliable = flow.transport.is_reliable();
        let machine = match purpose {
            Purpose::Invite | Purpose::Reinvite => {
                Machine::ClientInvite(ClientInvite::new(now, reliable), purpose, owner)
            }
            _ => Machine::Client(Client::new(now, reliable), purpose, owner),
        };
        out.push_back(Output::Transmit {
            flow,
            bytes: bytes.clone(),
        });
        let key = Key::Client(branch, purpose == Purpose::Cancel);
        self.insert(Entry {
            machine,
            key,
            flow,
            message: bytes,
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
        while *left > 0 {
            let (_, id) = self.timers.pop_due(now)?;
            *left -= 1;
            let Some(entry) = self.entries.get_mut(&id) else {
                continue;
            };
            entry.scheduled = None;
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
