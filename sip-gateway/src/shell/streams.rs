//! The connections that carry SIP: how many at once, from where, and which of them goes. Pure: the caller says what time it
//! is and which connection is a stranger's.
//!
//! ```text
//!   accepted ──► suspect ──is a friend's──► friend ──looked at, a stranger's now──► suspect
//!                   └── silent for 30 s, or others need the place: gone
//! ```
//! A friend is a trunk, a bound phone, or the other end of a dialog. Whether a suspect has become one is asked only when its
//! turn has come: nothing has to be kept true on each message.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use pronto_sip::Flow;
use pronto_types::{Time, source_of};

/// Connections at once.
const ALL: usize = 4096;
/// Connections of strangers: the rest stays free for trunks and phones. At this limit, a new stranger displaces the
/// stranger that has been silent for longest.
const STRANGERS: usize = 2048;
/// Connections of trunks: the rest stays free for phones.
const TRUNKS: usize = 3072;
/// Connections from one source: an IPv4 address, or an IPv6 /64.
const FROM_ONE_SOURCE: usize = 1024;
/// A stranger that sends no SIP message for this long goes. A keep-alive is no message.
const IDLE: Duration = Duration::from_secs(30);

/// All connections, each with what the shell keeps of it.
pub(super) struct Streams<C> {
    held: BTreeMap<Flow, Held<C>>,
    /// By the time of their last message.
    suspects: BTreeSet<(Time, Flow)>,
    /// By the time when they were last found to be one.
    friends: BTreeSet<(Time, Flow)>,
    by_source: BTreeMap<IpAddr, usize>,
    trunks: usize,
}

struct Held<C> {
    connection: C,
    /// Its place among suspects or friends.
    at: Time,
    is_friend: bool,
    /// Counted as a trunk's.
    is_trunk: bool,
}

/// The kind of a new connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Newcomer {
    /// A connection from a trunk.
    Trunk,
    /// Somebody who has not shown who they are.
    Stranger,
    /// Opened by ourselves.
    Ours,
}

impl<C> Default for Streams<C> {
    fn default() -> Self {
        Streams {
            held: BTreeMap::new(),
            suspects: BTreeSet::new(),
            friends: BTreeSet::new(),
            by_source: BTreeMap::new(),
            trunks: 0,
        }
    }
}

impl<C> Streams<C> {
    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    pub(super) fn get(&self, flow: &Flow) -> Option<&C> {
        self.held.get(flow).map(|held| &held.connection)
    }

    /// Makes room for a connection: a stranger goes where one has to. `Err`: there is no room, as no stranger is left.
    /// Returns the stranger that has to go.
    pub(super) fn make_room(
        &mut self,
        now: Time,
        flow: Flow,
        newcomer: Newcomer,
        is_stranger: impl Fn(Flow) -> bool,
    ) -> Result<Option<Flow>, NoRoom> {
        let source = source_of(flow.remote.ip());
        if self.by_source.get(&source).copied().unwrap_or(0) >= FROM_ONE_SOURCE {
            let here = |of: Flow| source_of(of.remote.ip()) == source;
            // The place of its own source: it takes nobody else's.
            return self.oldest_stranger(now, here, is_stranger).map(Some);
        }
        if newcomer == Newcomer::Trunk && self.trunks >= TRUNKS {
            return Err(NoRoom);
        }
        if self.held.len() >= ALL {
            return self.oldest_stranger(now, |_| true, is_stranger).map(Some);
        }
        if newcomer == Newcomer::Stranger && self.suspects.len() >= STRANGERS {
            let oldest = self.oldest_stranger(now, |_| true, is_stranger);
            return Ok(oldest.ok());
        }
        Ok(None)
    }

    /// The stranger silent for longest. Suspects that turn out to be friends are friends from now on.
    fn oldest_stranger(
        &mut self,
        now: Time,
        among: impl Fn(Flow) -> bool,
        is_stranger: impl Fn(Flow) -> bool,
    ) -> Result<Flow, NoRoom> {
        let mut friends = Vec::new();
        let mut oldest = Err(NoRoom);
        for &(_, flow) in self.suspects.iter().filter(|(_, flow)| among(*flow)) {
            if is_stranger(flow) {
                oldest = Ok(flow);
                break;
            }
            friends.push(flow);
        }
        for flow in friends {
            self.place(flow, now, true);
        }
        oldest
    }

    /// Keeps a new connection. One that held its flow before is returned.
    pub(super) fn insert(&mut self, now: Time, flow: Flow, newcomer: Newcomer, connection: C) -> Option<C> {
        let before = self.remove(&flow);
        let (is_trunk, is_friend) = (newcomer == Newcomer::Trunk, newcomer != Newcomer::Stranger);
        let held = Held {
            connection,
            at: now,
            is_friend,
            is_trunk,
        };
        self.held.insert(flow, held);
        self.trunks += usize::from(is_trunk);
        *self.by_source.entry(source_of(flow.remote.ip())).or_insert(0) += 1;
        self.of(is_friend).insert((now, flow));
        before
    }

    pub(super) fn remove(&mut self, flow: &Flow) -> Option<C> {
        let held = self.held.remove(flow)?;
        self.of(held.is_friend).remove(&(held.at, *flow));
        self.trunks -= usize::from(held.is_trunk);
        let source = source_of(flow.remote.ip());
        if let Some(count) = self.by_source.get_mut(&source) {
            *count -= 1;
            if *count == 0 {
                self.by_source.remove(&source);
            }
        }
        Some(held.connection)
    }

    /// The same, if it is still this connection: another may have taken the flow since.
    pub(super) fn remove_this(&mut self, flow: &Flow, is_this: impl Fn(&C) -> bool) -> Option<C> {
        self.get(flow).filter(|connection| is_this(connection))?;
        self.remove(flow)
    }

    /// A SIP message came over it: a suspect has its time from now.
    pub(super) fn heard(&mut self, now: Time, flow: Flow) {
        if self.held.get(&flow).is_some_and(|held| !held.is_friend) {
            self.place(flow, now, false);
        }
    }

    /// The strangers whose time is over. Asks of each connection at most once in 30 s what it is.
    pub(super) fn idle(&mut self, now: Time, is_stranger: impl Fn(Flow) -> bool) -> Vec<Flow> {
        let due = |set: &BTreeSet<(Time, Flow)>| -> Vec<Flow> {
            let old = set.iter().take_while(|(at, _)| now.since(*at) >= IDLE);
            old.map(|(_, flow)| *flow).collect()
        };
        let (suspects, friends) = (due(&self.suspects), due(&self.friends));
        let mut idle = Vec::new();
        for flow in suspects {
            if is_stranger(flow) {
                idle.push(flow);
            } else {
                self.place(flow, now, true);
            }
        }
        for flow in friends {
            // One that has just become a stranger has its 30 s: answers may be on their way.
            self.place(flow, now, !is_stranger(flow));
        }
        idle
    }

    fn of(&mut self, is_friend: bool) -> &mut BTreeSet<(Time, Flow)> {
        if is_friend {
            &mut self.friends
        } else {
            &mut self.suspects
        }
    }

    fn place(&mut self, flow: Flow, at: Time, is_friend: bool) {
        let Some(held) = self.held.get_mut(&flow) else {
            return;
        };
        let (before, was_friend) = (held.at, held.is_friend);
        (held.at, held.is_friend) = (at, is_friend);
        self.of(was_friend).remove(&(before, flow));
        self.of(is_friend).insert((at, flow));
    }
}

/// All places are taken, and no stranger has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoRoom;

#[cfg(test)]
mod tests;
