//! The floor as it is now: who waits where, who serves whom. No learning, only what stands.

use std::collections::BTreeMap;
use std::time::Duration;

use pronto_routing::Rank;
use pronto_types::{OperatorId, QueueName, TicketId, Time};

use crate::calibration::Promise;
use crate::shifts::Shifts;

/// Tickets known at once; a further one is not seen.
pub(crate) const TICKETS: usize = 60_000;

/// Seconds since the epoch, as the arithmetic wants them.
pub(crate) fn seconds(time: Time) -> f64 {
    time.as_micros() as f64 / 1e6
}

/// Everything that stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Floor {
    /// Seconds to add to a time to date it: hours and days go by the wall clock.
    pub(crate) clock: f64,
    pub(crate) queues: Vec<Line>,
    pub(crate) operators: Vec<Operator>,
    pub(crate) tickets: BTreeMap<TicketId, Ticket>,
    pub(crate) names: BTreeMap<QueueName, usize>,
    pub(crate) ids: BTreeMap<OperatorId, usize>,
    /// By queue, which family it belongs to.
    families: Vec<usize>,
    members: Vec<Family>,
    order: u64,
}

/// Queues that share operators, directly or through others, and those operators.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Family {
    pub(crate) queues: Vec<usize>,
    pub(crate) operators: Vec<usize>,
}

/// The callers of one queue, in the order in which they are served, and who is there for them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Line {
    pub(crate) waiting: BTreeMap<Rank, Waiter>,
    /// Signed in, paused or not.
    pub(crate) signed_in: usize,
    /// Ready, serving or finishing a call.
    pub(crate) present: usize,
    /// Ready for a call.
    pub(crate) ready: usize,
    /// Up to when the operators present have been counted as serving a line.
    pub(crate) counted: f64,
}

/// A caller in a line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Waiter {
    pub(crate) ticket: TicketId,
    /// Since when they wait.
    pub(crate) since: Time,
}

/// A caller who takes a place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Joining {
    pub(crate) priority: u8,
    /// The caller is served by this time, less the head start.
    pub(crate) joined_at: Time,
    pub(crate) head_start: Duration,
    /// The wait counts from then.
    pub(crate) since: Time,
}

/// An operator, with their queues and present activity.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Operator {
    pub(crate) queues: Vec<usize>,
    pub(crate) post: Post,
    /// Since when, in seconds.
    pub(crate) since: f64,
    /// The call they are on or finish: its queue, and since when they are.
    pub(crate) cycle: Option<Cycle>,
    pub(crate) speed: Speed,
    pub(crate) shifts: Shifts,
}

/// How long an operator talks, as a share of how long all do.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Speed {
    ratios: f64,
    talks: f64,
}

impl Speed {
    /// The common speed weighs as much as this many talks: their own spread over that between operators, squared.
    const BELIEF: f64 = 120.0;

    pub(crate) fn add(&mut self, ratio: f64) {
        self.ratios += ratio.clamp(0.0, 20.0);
        self.talks += 1.0;
        if self.talks > 3000.0 {
            self.talks /= 2.0;
            self.ratios /= 2.0;
        }
    }

    pub(crate) fn value(self) -> f64 {
        (self.ratios + Self::BELIEF) / (self.talks + Self::BELIEF)
    }
}

/// One call of an operator: from the offer until they can take the next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cycle {
    pub(crate) queue: usize,
    pub(crate) ticket: TicketId,
    pub(crate) offered_at: f64,
    pub(crate) answered_at: Option<f64>,
    pub(crate) ended_at: Option<f64>,
}

/// The activity of an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Post {
    SignedOut,
    Paused,
    Ready,
    /// An offer rings, a talk goes on, or what it left is being finished.
    Serving,
}

impl Post {
    fn present(self) -> bool {
        matches!(self, Post::Ready | Post::Serving)
    }
}

/// A ticket and its place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ticket {
    pub(crate) queue: usize,
    pub(crate) rank: Rank,
    /// Since when they wait: not before they joined.
    pub(crate) since: Time,
    pub(crate) place: TicketState,
    /// Nobody was ready when they came: their wait says how long a wait is.
    pub(crate) delayed: bool,
    /// How many seconds of its waiting have been counted.
    pub(crate) exposed: f64,
    /// The forecast made when it joined.
    pub(crate) promise: Option<Promise>,
    /// After how many events that was.
    pub(crate) promised: u64,
}

/// Where a ticket stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TicketState {
    Waiting,
    Offered(usize),
    Talking(usize),
}

impl Floor {
    /// A caller takes a place.
    pub(crate) fn join(&mut self, id: TicketId, queue: usize, caller: Joining) {
        if self.tickets.len() >= TICKETS || queue >= self.queues.len() {
            return;
        }
        self.order += 1;
        let Joining {
            priority,
            joined_at,
            head_start,
            since,
        } = caller;
        let rank = Rank::new(priority, joined_at, head_start, self.order);
        let line = &mut self.queues[queue];
        let ticket = Ticket {
            queue,
            rank,
            since,
            place: TicketState::Waiting,
            delayed: line.ready == 0,
            exposed: 0.0,
            promise: None,
            promised: 0,
        };
        line.waiting.insert(rank, Waiter { ticket: id, since });
        self.tickets.insert(id, ticket);
    }

    /// Takes a waiting ticket out of its line, for an operator.
    pub(crate) fn offer(&mut self, id: TicketId, operator: usize, at: f64) {
        let Some(ticket) = self.tickets.get_mut(&id) else {
            return;
        };
        ticket.place = TicketState::Offered(operator);
        let (queue, rank) = (ticket.queue, ticket.rank);
        self.queues[queue].waiting.remove(&rank);
        let cycle = Cycle {
            queue,
            ticket: id,
            offered_at: at,
            answered_at: None,
            ended_at: None,
        };
        self.set_post(operator, Post::Serving, at);
        self.operators[operator].cycle = Some(cycle);
    }

    /// The ticket waits again where it stood.
    pub(crate) fn put_back(&mut self, id: TicketId) {
        if let Some(ticket) = self.tickets.get_mut(&id)
            && ticket.place != TicketState::Waiting
        {
            ticket.place = TicketState::Waiting;
            let waiter = Waiter {
                ticket: id,
                since: ticket.since,
            };
            self.queues[ticket.queue].waiting.insert(ticket.rank, waiter);
        }
    }

    pub(crate) fn talk(&mut self, id: TicketId, operator: usize, at: f64) {
        if let Some(ticket) = self.tickets.get_mut(&id) {
            ticket.place = TicketState::Talking(operator);
        }
        if let Some(cycle) = &mut self.operators[operator].cycle {
            cycle.answered_at = Some(at);
        }
    }

    /// Forgets a ticket, wherever it stood.
    pub(crate) fn remove(&mut self, id: TicketId) -> Option<Ticket> {
        let ticket = self.tickets.remove(&id)?;
        self.queues[ticket.queue].waiting.remove(&ticket.rank);
        Some(ticket)
    }

    pub(crate) fn set_post(&mut self, operator: usize, post: Post, at: f64) {
        let known = &mut self.operators[operator];
        let old = std::mem::replace(&mut known.post, post);
        if old == post {
            return;
        }
        known.since = at;
        if (old == Post::SignedOut) != (post == Post::SignedOut) {
            known.shifts.record(at + self.clock, old == Post::SignedOut);
        }
        for &queue in &known.queues {
            let line = &mut self.queues[queue];
            count(
                &mut line.signed_in,
                old != Post::SignedOut,
                post != Post::SignedOut,
            );
            count(&mut line.present, old.present(), post.present());
            count(&mut line.ready, old == Post::Ready, post == Post::Ready);
        }
    }

    /// Takes over the tickets of an earlier floor, its queues having moved so; those of a queue that is gone are forgotten.
    /// A ticket whose operator is gone waits no longer, but is not here either: it is forgotten too.
    pub(crate) fn keep_tickets(&mut self, old: Floor, moved: &BTreeMap<usize, usize>) {
        self.order = old.order;
        self.clock = old.clock;
        let seats: Vec<Option<usize>> = {
            let mut seats = vec![None; old.operators.len()];
            for (id, &seat) in &old.ids {
                seats[seat] = self.ids.get(id).copied();
            }
            seats
        };
        for (id, mut ticket) in old.tickets {
            let Some(&queue) = moved.get(&ticket.queue) else {
                continue;
            };
            ticket.queue = queue;
            let seat = |operator: usize| seats.get(operator).copied().flatten();
            ticket.place = match ticket.place {
                TicketState::Waiting => TicketState::Waiting,
                TicketState::Offered(operator) | TicketState::Talking(operator)
                    if seat(operator).is_none() =>
                {
                    continue;
                }
                TicketState::Offered(operator) => TicketState::Offered(seat(operator).unwrap_or_default()),
                TicketState::Talking(operator) => TicketState::Talking(seat(operator).unwrap_or_default()),
            };
            self.tickets.insert(id, ticket);
        }
    }

    /// Counts again who is there for each queue.
    pub(crate) fn recount(&mut self) {
        for line in &mut self.queues {
            (line.signed_in, line.present, line.ready) = (0, 0, 0);
        }
        for operator in &self.operators {
            for &queue in &operator.queues {
                let line = &mut self.queues[queue];
                line.signed_in += usize::from(operator.post != Post::SignedOut);
                line.present += usize::from(operator.post.present());
                line.ready += usize::from(operator.post == Post::Ready);
            }
        }
    }

    /// The queues that share operators with this one, and those operators.
    pub(crate) fn family(&self, queue: usize) -> &Family {
        &self.members[self.families[queue]]
    }

    /// Finds the families: queues are joined whenever an operator serves both.
    pub(crate) fn find_families(&mut self) {
        let mut parent: Vec<usize> = (0..self.queues.len()).collect();
        let root = |parent: &mut Vec<usize>, mut queue: usize| {
            while parent[queue] != queue {
                parent[queue] = parent[parent[queue]];
                queue = parent[queue];
            }
            queue
        };
        for operator in &self.operators {
            for pair in operator.queues.windows(2) {
                let (one, other) = (root(&mut parent, pair[0]), root(&mut parent, pair[1]));
                parent[one.max(other)] = one.min(other);
            }
        }
        let mut found: BTreeMap<usize, usize> = BTreeMap::new();
        self.members.clear();
        self.families.clear();
        for queue in 0..self.queues.len() {
            let family = *found.entry(root(&mut parent, queue)).or_insert_with(|| {
                self.members.push(Family::default());
                self.members.len() - 1
            });
            self.families.push(family);
            self.members[family].queues.push(queue);
        }
        for (number, operator) in self.operators.iter().enumerate() {
            if let Some(&queue) = operator.queues.first() {
                self.members[self.families[queue]].operators.push(number);
            }
        }
    }

    /// The callers with a better rank, best first: those a caller of this rank waits for. Of each the rank, and since
    /// when they wait.
    pub(crate) fn ahead(&self, queue: usize, rank: Rank) -> impl Iterator<Item = (Rank, Time)> {
        let ahead = self.queues[queue].waiting.range(..rank);
        ahead.map(|(&rank, waiter)| (rank, waiter.since))
    }
}

fn count(number: &mut usize, was: bool, is: bool) {
    match (was, is) {
        (false, true) => *number += 1,
        (true, false) => *number = number.saturating_sub(1),
        _ => {}
    }
}
