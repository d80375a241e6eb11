//! Announcements: each waiting caller is told position and wait as soon as the place is theirs, and again every
//! `announce_every`, computed when it is due.
//!
//! ```text
//!   joined ─► untold ─► told ─┬─ every `announce_every` ─► told again, if there is something to say
//!                ▲            └─ offered, detached: that time passes in silence
//!                └─ offered, detached, settling: until the caller waits in step
//! ```
//!
//! *What we announce never rises silently* (invariant 11). Nobody has a reason to give yet, so a figure that rose is
//! not spoken: a position above the last one told, a wait that ends later than the one told. A wait that is not known
//! is not spoken either, and where nothing is left to say, nothing is said.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use pronto_forecast::Wait;
use pronto_types::link::{Directive, Hearing, Promise};
use pronto_types::{AnnouncementId, GatewayName, QueueName, TicketId, Time};

use super::{Engine, Fault};
use crate::fact::{Fact, NoteReason};
use crate::state::{Place, Ticket};

/// So many who are told at once are forecast as lines.
const CROWD: usize = 16;

/// When each caller is to be told again: the next whole number of `announce_every` after the last time. It is a function
/// of the state and the time, so an engine folded from the ledger has the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Agenda {
    due: BTreeSet<(Time, TicketId)>,
    times: BTreeMap<TicketId, Time>,
}

impl Agenda {
    fn set(&mut self, ticket: TicketId, at: Option<Time>) {
        if let Some(before) = self.times.remove(&ticket) {
            self.due.remove(&(before, ticket));
        }
        if let Some(at) = at {
            self.due.insert((at, ticket));
            self.times.insert(ticket, at);
        }
    }

    /// The next time somebody is due.
    pub(super) fn first(&self) -> Option<Time> {
        self.due.first().map(|(at, _)| *at)
    }

    fn next_due(&self, now: Time) -> Option<TicketId> {
        self.due
            .first()
            .filter(|(at, _)| *at <= now)
            .map(|(_, ticket)| *ticket)
    }
}

impl Engine {
    /// Tells whoever is due: after the offers, as who is offered is not told.
    pub(super) fn announce_all(&mut self) {
        let untold = self.untold();
        let due = self.agenda.due.range(..=(self.now, TicketId(u64::MAX)));
        let due = due.map(|(_, ticket)| *ticket);
        let waits = self.waits(&untold.iter().copied().chain(due).collect::<Vec<_>>());
        for ticket in untold {
            self.announce(ticket, &waits);
        }
        while let Some(ticket) = self.agenda.next_due(self.now) {
            self.announce(ticket, &waits);
            self.schedule(ticket);
        }
    }

    /// The waits of a crowd that is to be told at once, of whole lines: forecast one by one they would cost its square.
    fn waits(&self, told: &[TicketId]) -> BTreeMap<TicketId, Wait> {
        if told.len() < CROWD {
            return BTreeMap::new();
        }
        let queues: BTreeSet<&QueueName> = told.iter().filter_map(|it| self.queue_of(*it)).collect();
        let lines = queues.into_iter();
        lines
            .flat_map(|queue| self.state.forecaster.line(self.now, queue))
            .collect()
    }

    /// Who waits in step and has never been told anything, longest waiting first at each gateway.
    pub(super) fn untold(&self) -> Vec<TicketId> {
        let untold = self.state.index.untold.iter();
        let here = untold.filter(|(gateway, _)| self.may_be_told(gateway));
        here.flat_map(|(_, ranks)| ranks.iter().map(|rank| rank.ticket))
            .collect()
    }

    /// Callers of a gateway that is away hear nothing; and while a restarted engine settles it knows neither who is
    /// before them nor who serves them.
    fn may_be_told(&self, gateway: &GatewayName) -> bool {
        self.state.settling.is_none() && self.state.in_step(gateway)
    }

    fn announce(&mut self, id: TicketId, waits: &BTreeMap<TicketId, Wait>) {
        let Some(ticket) = self.state.tickets.get(&id) else {
            return;
        };
        if !matches!(ticket.place, Place::Waiting { .. }) || !self.may_be_told(&ticket.gateway) {
            return;
        }
        let gateway = ticket.gateway.clone();
        let (position, wait) = self.sayable(id, ticket, waits.get(&id));
        if position.is_none() && wait.is_none() {
            return;
        }
        let seq = self.record(Fact::Announced {
            ticket: id,
            position,
            wait,
        });
        self.schedule(id);
        self.direct(
            &gateway,
            Directive::Announce {
                announcement: AnnouncementId(seq),
                ticket: id,
                position,
                wait,
            },
        );
    }

    /// What has not risen.
    fn sayable(&self, id: TicketId, ticket: &Ticket, known: Option<&Wait>) -> (Option<u32>, Option<Promise>) {
        let (position, wait) = (Some(self.position(id)), self.wait_of(id, ticket, known));
        if self.fault().is(Fault::RisenFigureAnnounced) {
            return (position, wait);
        }
        let told = &ticket.told;
        let position = position.filter(|now| told.position.is_none_or(|before| *now <= before));
        let wait = wait.filter(|now| {
            told.wait
                .is_none_or(|(before, at)| keeps(*now, before, self.now.since(at)))
        });
        (position, wait)
    }

    /// 1 for the head.
    fn position(&self, id: TicketId) -> u32 {
        let before = self.state.tickets.get(&id).and_then(|ticket| {
            let standing = self.state.index.queues.get(&ticket.queue)?;
            Some(standing.ranking.before(ticket.rank(id)))
        });
        u32::try_from(before.unwrap_or(0))
            .unwrap_or(u32::MAX)
            .saturating_add(1)
    }

    /// The wait still to come, if it is known, and if what the queue is forecast holds: else it is not promised.
    fn wait_of(&self, id: TicketId, ticket: &Ticket, known: Option<&Wait>) -> Option<Promise> {
        let forecaster = &self.state.forecaster;
        if !forecaster.holds(&ticket.queue) {
            return None;
        }
        let Wait { p50, p90, .. } = known.copied().or_else(|| forecaster.waiting(self.now, id))?;
        Some(Promise { p50, p90 })
    }

    /// Notes when the caller is due again, if ever.
    pub(super) fn schedule(&mut self, id: TicketId) {
        let at = self.next_time(id);
        self.agenda.set(id, at);
    }

    /// After a change of `announce_every`, or at the beginning.
    pub(super) fn schedule_all(&mut self) {
        self.agenda = self.agenda_anew();
    }

    /// The agenda, built from the state.
    pub(super) fn agenda_anew(&self) -> Agenda {
        let mut agenda = Agenda::default();
        for id in self.state.tickets.keys() {
            agenda.set(*id, self.next_time(*id));
        }
        agenda
    }

    fn next_time(&self, id: TicketId) -> Option<Time> {
        let ticket = self.state.tickets.get(&id)?;
        if !matches!(ticket.place, Place::Waiting { .. } | Place::Offered { .. }) {
            return None;
        }
        let every = self.state.queues.get(&ticket.queue)?.settings.announce_every;
        let told = ticket.told.at?;
        let turns = self.now.since(told).as_micros().checked_div(every.as_micros())?;
        let after = every.as_micros().saturating_mul(turns + 1);
        Some(told + Duration::from_micros(u64::try_from(after).unwrap_or(u64::MAX)))
    }

    /// A fact was recorded: who does not wait any more is not due.
    pub(super) fn unschedule(&mut self, fact: &Fact) {
        if let Fact::Left { ticket, .. }
        | Fact::Exited { ticket, .. }
        | Fact::Moved { ticket }
        | Fact::Lost { ticket, .. }
        | Fact::Answered { ticket, .. } = fact
        {
            self.agenda.set(*ticket, None);
        }
    }

    /// The gateway says how much of an announcement was heard.
    pub(super) fn heard(
        &mut self,
        gateway: &GatewayName,
        announcement: AnnouncementId,
        ticket: TicketId,
        how: Hearing,
    ) {
        let known = self
            .state
            .tickets
            .get(&ticket)
            .filter(|it| it.gateway == *gateway);
        match known {
            Some(known) if known.told.unheard.contains(&announcement) => {
                self.record(Fact::Heard {
                    announcement,
                    ticket,
                    how,
                });
            }
            Some(_) => self.note(NoteReason::UnknownAnnouncement),
            None => self.note(NoteReason::UnknownTicket),
        }
    }
}

/// Whether a wait keeps what was promised `passed` ago: nine of ten are served by the time that was named, and half of
/// them are not named a longer wait than before.
fn keeps(now: Promise, before: Promise, passed: Duration) -> bool {
    now.p50 <= before.p50 && now.p90.saturating_add(passed) <= before.p90
}
