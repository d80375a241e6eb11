//! Waiting callers who have never been told anything, found from the changes: thousands of callers to whom nothing can
//! be said must cost nothing at an event that is not about them.
//!
//! A caller can have become one to tell in four ways, and no other: the ticket began or came back to wait, or waits in another queue (a fact), its
//! gateway came in step, what is wanted changed, or its first time has come, which the agenda knows.

use std::collections::BTreeSet;

use pronto_types::{GatewayName, TicketId};

use super::Engine;
use crate::fact::Fact;
use crate::state::Ranked;

/// Changes since announcements were last made.
#[derive(Clone, Debug, Default)]
pub(super) struct Untold {
    /// Tickets that began or came back to wait.
    waiting: BTreeSet<TicketId>,
    /// Gateways whose callers could be told then: of another one, all are looked at.
    reached: BTreeSet<GatewayName>,
    /// Tickets looked at so far.
    #[cfg(test)]
    pub(super) looked: usize,
}

impl Engine {
    /// A fact is about to be applied; who a grant was for is forgotten with its end.
    pub(super) fn note_waiting(&mut self, fact: &Fact) {
        let ticket = match fact {
            Fact::Joined { ticket, .. } | Fact::Overflowed { ticket, .. } | Fact::SentBack { ticket, .. } => {
                Some(*ticket)
            }
            Fact::Refused { offer, .. } | Fact::Expired { offer } => {
                self.state.grant(*offer).map(|grant| grant.round.ticket)
            }
            _ => None,
        };
        self.untold.waiting.extend(ticket);
    }

    /// Everybody is looked at once more.
    pub(super) fn look_at_all(&mut self) {
        self.untold.reached.clear();
    }

    /// Tickets that wait in step, have never been told anything and should have been, longest waiting first at each
    /// gateway. Tickets to which nothing could be said wait for their next time and are left out.
    pub(super) fn newly_untold(&mut self) -> Vec<TicketId> {
        let mut changed = std::mem::take(&mut self.untold.waiting);
        changed.extend(self.due());
        let newly_reached: Vec<&GatewayName> = self.reachable().collect();
        let newly_reached = newly_reached
            .into_iter()
            .filter(|it| !self.untold.reached.contains(*it));
        for gateway in newly_reached {
            let queues = self.state.index.untold.get(gateway).into_iter().flatten();
            changed.extend(queues.flat_map(|(_, ranks)| ranks).map(|rank| rank.ticket));
        }
        if !self.untold.reached.iter().eq(self.reachable()) {
            self.untold.reached = self.reachable().cloned().collect();
        }
        #[cfg(test)]
        {
            self.untold.looked += changed.len();
        }
        let mut found: Vec<(&GatewayName, Ranked)> =
            changed.into_iter().filter_map(|id| self.never_told(id)).collect();
        found.sort_unstable();
        found.into_iter().map(|(_, rank)| rank.ticket).collect()
    }

    /// The same, found by looking at everybody.
    pub(super) fn untold(&self) -> Vec<TicketId> {
        let tickets = self.state.tickets.keys();
        tickets
            .copied()
            .filter(|id| self.never_told(*id).is_some())
            .collect()
    }

    fn reachable(&self) -> impl Iterator<Item = &GatewayName> {
        self.state.gateways.keys().filter(|name| self.may_be_told(name))
    }

    /// Where this ticket stands among those who should have been told, if it does.
    fn never_told(&self, id: TicketId) -> Option<(&GatewayName, Ranked)> {
        let ticket = self.state.tickets.get(&id)?;
        let waits = self.state.is_waiting(id) && ticket.told.at.is_none();
        if !waits || self.mute.contains(&id) || !self.may_be_told(ticket.gateway()) {
            return None;
        }
        let wanted = self.announcing(&ticket.queue)?;
        (ticket.seniority.ranked_at + wanted.first <= self.now).then(|| (ticket.gateway(), ticket.rank(id)))
    }
}
