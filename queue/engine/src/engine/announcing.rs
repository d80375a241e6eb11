//! Announcements: each waiting caller is told position and wait, as the queue's [`Announcing`] wants it: `first` after the
//! joining, then every `every`, computed when it is due.
//!
//! ```text
//!   joined ─► untold ─► told ─┬─ every `every` ─► told again, if there is something new to say
//!                ▲            └─ offered, detached: that time passes in silence
//!                └─ offered, detached, settling: until the caller waits in step
//! ```
//!
//! *What we announce never rises silently* (invariant 11). A wait that is longer than what the caller heard is told with
//! the reason, found in the facts; a position that rose is not spoken. A wait that is not known is not spoken either, and
//! where nothing is left to say, nothing is said.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use pronto_forecast::Wait;
use pronto_types::link::{Directive, Hearing, Promise, RiseReason};
use pronto_types::{AnnouncementId, Deadlines, GatewayName, QueueName, TicketId, Time, WaitRange};

use super::Engine;
use crate::Announcing;
use crate::fact::{Fact, NoteReason};
use crate::state::{Ticket, TicketState};

/// When at least this number of callers is told at once, waits are forecast by whole lines.
const CROWD: usize = 16;

/// The time to the next try for a caller to whom nothing could be said, where callers are told only once.
const AGAIN: Duration = Duration::from_secs(60);

/// Forecasts for callers who are told at once, computed once for all of them.
#[derive(Default)]
struct Crowd {
    waits: BTreeMap<TicketId, Wait>,
    /// Whether most talks of a queue have lasted longer than they usually do.
    long: BTreeMap<QueueName, bool>,
}

/// The content of one announcement.
struct Saying {
    position: Option<u32>,
    wait: Option<Promise>,
    rise: Option<RiseReason>,
}

/// When each caller is to be told again: the next whole number of `every` after the last time (of who was never told: after
/// the first). It is a function of the state and the time, so an engine folded from the ledger has the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Agenda {
    due: Deadlines<TicketId>,
    times: BTreeMap<TicketId, Time>,
}

impl Agenda {
    fn set(&mut self, ticket: TicketId, at: Option<Time>) {
        if let Some(before) = self.times.remove(&ticket) {
            self.due.remove(before, &ticket);
        }
        if let Some(at) = at {
            self.due.insert(at, ticket);
            self.times.insert(ticket, at);
        }
    }

    /// The next time somebody is due.
    pub(super) fn first(&self) -> Option<Time> {
        self.due.first()
    }

    fn next_due(&self, now: Time) -> Option<TicketId> {
        self.due.due(now).next().map(|(_, ticket)| *ticket)
    }
}

impl Engine {
    /// Tells whoever is due: after the offers, as who is offered is not told.
    pub(super) fn announce_all(&mut self) {
        let untold = self.newly_untold();
        let mut crowd = Crowd {
            waits: self.waits(&untold.iter().copied().chain(self.due()).collect::<Vec<_>>()),
            ..Crowd::default()
        };
        for ticket in untold {
            self.announce(ticket, &mut crowd);
        }
        while let Some(ticket) = self.agenda.next_due(self.now) {
            self.mute.remove(&ticket);
            self.announce(ticket, &mut crowd);
            self.schedule(ticket);
        }
    }

    /// Tickets whose next announcement is due.
    pub(super) fn due(&self) -> impl Iterator<Item = TicketId> {
        self.agenda.due.due(self.now).map(|(_, ticket)| *ticket)
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

    /// The announcement settings of a queue; `None`: nothing is announced.
    pub(super) fn announcing(&self, queue: &QueueName) -> Option<Announcing> {
        let queue = self.state.queues.get(queue)?;
        Some(queue.settings.announcing).filter(Announcing::speaks)
    }

    /// Callers of a gateway that is away hear nothing; and while a restarted engine settles it knows neither who is
    /// before them nor who serves them.
    pub(super) fn may_be_told(&self, gateway: &GatewayName) -> bool {
        self.state.settling.is_none() && self.state.in_step(gateway)
    }

    fn announce(&mut self, id: TicketId, crowd: &mut Crowd) {
        let Some(ticket) = self.state.tickets.get(&id) else {
            return;
        };
        let Some(wanted) = self.announcing(&ticket.queue) else {
            return;
        };
        let first = ticket.told.at.is_none();
        let early = first && ticket.seniority.ranked_at + wanted.first > self.now;
        if early || !self.state.is_waiting(id) || !self.may_be_told(ticket.gateway()) {
            return;
        }
        let gateway = ticket.gateway().clone();
        let Some(saying) = self.sayable(id, ticket, wanted, crowd) else {
            if first {
                self.mute.insert(id);
            }
            return;
        };
        let Saying { position, wait, rise } = saying;
        let seq = self.record(Fact::Announced {
            ticket: id,
            position,
            wait,
            rise,
        });
        self.schedule(id);
        self.direct(
            &gateway,
            Directive::Announce {
                announcement: AnnouncementId(seq),
                ticket: id,
                position,
                wait,
                rise,
            },
        );
    }

    /// The content of the next announcement, and the reason if a wait has risen. `None`: there is nothing to say.
    fn sayable(
        &self,
        id: TicketId,
        ticket: &Ticket,
        wanted: Announcing,
        crowd: &mut Crowd,
    ) -> Option<Saying> {
        let told = &ticket.told;
        let position = wanted.position.then(|| self.position(id));
        let known = crowd.waits.get(&id).copied();
        let wait = if wanted.wait {
            self.wait_of(id, ticket, known)
        } else {
            None
        };
        let mut saying = Saying {
            position,
            wait,
            rise: None,
        };
        saying.position = position.filter(|now| told.position.is_none_or(|before| *now <= before));
        let rose = wait.zip(told.wait).is_some_and(|(now, (before, at))| {
            let passed = self.now.since(at);
            !keeps(now, before, passed)
        });
        saying.rise = rose.then(|| self.why(id, ticket, crowd));
        let nothing = saying.position.is_none() && saying.wait.is_none();
        let old = told.at.is_some() && !self.is_news(wanted, ticket, saying.wait);
        (!nothing && !old).then_some(saying)
    }

    /// Whether the time at which the caller expects to be answered has moved by as much as the queue wants. Where a wait is not
    /// known any more there is nothing to compare: what can be said, the position, is said.
    fn is_news(&self, wanted: Announcing, ticket: &Ticket, wait: Option<Promise>) -> bool {
        if wanted.change.is_zero() || ticket.told.wait.is_none() || wait.is_none() {
            return true;
        }
        let end = |promise: Promise, at: Time| Some(at + promise.said()?.longest());
        let before = ticket.told.wait.and_then(|(before, at)| end(before, at));
        let now = wait.and_then(|now| end(now, self.now));
        now.zip(before)
            .is_some_and(|(now, before)| now.since(before).max(before.since(now)) >= wanted.change)
    }

    /// Why a wait is longer than it was when the caller was told, as far as the facts say.
    fn why(&self, id: TicketId, ticket: &Ticket, crowd: &mut Crowd) -> RiseReason {
        let (then, now) = (ticket.told.standing, self.state.as_it_stands(id));
        let forecaster = &self.state.forecaster;
        let long = crowd.long.entry(ticket.queue.clone());
        if now.operators < then.operators {
            RiseReason::FewerOperators
        } else if now.ahead > then.ahead {
            RiseReason::CallersAhead
        } else if *long.or_insert_with(|| forecaster.talks_run_long(self.now, &ticket.queue)) {
            RiseReason::LongerCalls
        } else {
            RiseReason::Unknown
        }
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

    /// The wait still to come, if it is known and can be said, if somebody is there to end it, and if what the queue is forecast
    /// holds: else it is not promised.
    fn wait_of(&self, id: TicketId, ticket: &Ticket, known: Option<Wait>) -> Option<Promise> {
        let forecaster = &self.state.forecaster;
        if !forecaster.holds(&ticket.queue) || !self.is_attended(&ticket.queue) {
            return None;
        }
        let Wait { p50, p90, .. } = known.or_else(|| forecaster.waiting(self.now, id))?;
        Some(Promise { p50, p90 }).filter(|promise| promise.said().is_some())
    }

    /// Notes when the caller is due again, if ever.
    pub(super) fn schedule(&mut self, id: TicketId) {
        let at = self.next_time(id);
        self.agenda.set(id, at);
    }

    /// After a change of what is wanted, or at the beginning.
    pub(super) fn schedule_all(&mut self) {
        self.mute.clear();
        self.look_at_all();
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
        if matches!(self.state.ticket_state(id), Some(TicketState::Connected(_))) {
            return None;
        }
        let wanted = self.announcing(&ticket.queue)?;
        let (since, every) = match ticket.told.at {
            Some(told) => (told, wanted.every),
            None => {
                let first = ticket.seniority.ranked_at + wanted.first;
                if first > self.now {
                    return Some(first);
                }
                let again = if wanted.every.is_zero() {
                    AGAIN
                } else {
                    wanted.every
                };
                (first, again)
            }
        };
        // In more than 64 bits: a gateway may say of a caller that they joined before all time, and the next time lies ahead.
        let passed = i128::from(self.now.as_micros()) - i128::from(since.as_micros());
        let turn = passed.checked_rem_euclid(i128::try_from(every.as_micros()).ok()?)?;
        let turn = Duration::from_micros(u64::try_from(turn).unwrap_or(0));
        Some(self.now + (every - turn))
    }

    /// A fact was recorded: who does not wait any more is not due, and of who waits elsewhere now there may be something to
    /// say at once.
    pub(super) fn unschedule(&mut self, fact: &Fact) {
        if let Fact::Left { ticket, .. }
        | Fact::Exited { ticket, .. }
        | Fact::Moved { ticket }
        | Fact::Lost { ticket, .. }
        | Fact::Answered { ticket, .. } = fact
        {
            self.agenda.set(*ticket, None);
            self.mute.remove(ticket);
        }
        if let Fact::Overflowed { ticket, .. } | Fact::SentBack { ticket, .. } = fact {
            self.mute.remove(ticket);
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
        match self.state.held(ticket).filter(|it| it.gateway() == gateway) {
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

/// Whether a wait keeps what was said `passed` ago: neither figure is greater, and nine of ten are served by the time that
/// was named.
fn keeps(now: Promise, before: Promise, passed: Duration) -> bool {
    let (Some(now_said), Some(said)) = (now.said(), before.said()) else {
        return true;
    };
    let figures = |range: WaitRange| (range.low(), range.high());
    let ((low, high), (before_low, before_high)) = (figures(now_said), figures(said));
    low <= before_low && high <= before_high && now.p90.saturating_add(passed) <= said.longest()
}
