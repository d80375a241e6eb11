//! Taking an event in: the floor moves, and whoever finished something has taught something.

use std::collections::BTreeMap;

use pronto_types::{OperatorId, QueueName, TicketId, Time};

use crate::event::{AwayReason, Configuration, Event};
use crate::floor::{Floor, Line, Operator, Place, Post, seconds};
use crate::{Forecaster, Learned};

impl Forecaster {
    /// Takes an event in. Never panics, whatever the order of events; a time before the latest one counts as the latest.
    pub fn observe(&mut self, at: Time, event: Event) {
        self.now = self.now.max(seconds(at));
        match event {
            Event::Configured(configuration) => self.configured(&configuration),
            Event::Joined {
                ticket,
                queue,
                priority,
                joined_at,
            } => {
                if let Some(&queue) = self.floor.names.get(&queue) {
                    self.end(ticket);
                    self.floor.join(ticket, queue, priority, joined_at.min(at));
                }
            }
            Event::Offered { ticket, operator } => self.offered(ticket, &operator),
            Event::Returned { ticket, operator } => self.returned(ticket, &operator),
            Event::Answered { ticket, operator } => self.answered(ticket, &operator),
            Event::Left { ticket } => {
                self.expose(ticket, true);
                self.end(ticket);
            }
            Event::Ended { ticket } => {
                self.expose(ticket, false);
                self.end(ticket);
            }
            Event::TalkEnded { ticket } => self.end(ticket),
            Event::Ready { operator } => self.posted(&operator, Post::Ready),
            Event::Away { operator, reason } => match reason {
                AwayReason::WrapUp => self.wrapping_up(&operator),
                AwayReason::Paused => self.posted(&operator, Post::Paused),
                AwayReason::SignedOut => self.posted(&operator, Post::SignedOut),
            },
        }
    }

    /// What is known of a queue or an operator by name is kept; tickets of a queue that is gone are forgotten.
    fn configured(&mut self, configuration: &Configuration) {
        let old = std::mem::take(&mut self.floor);
        let mut learned = std::mem::take(&mut self.learned);
        let mut names: BTreeMap<QueueName, usize> = BTreeMap::new();
        let mut moved: BTreeMap<usize, usize> = BTreeMap::new();
        let mut floor = Floor::default();
        for hints in &configuration.queues {
            if names.contains_key(&hints.name) {
                continue;
            }
            let index = floor.queues.len();
            names.insert(hints.name.clone(), index);
            let known = old.names.get(&hints.name);
            let line = known.map(|&known| old.queues[known].waiting.clone());
            floor.queues.push(Line {
                waiting: line.unwrap_or_default(),
                ..Line::default()
            });
            let kept = known.map(|&known| {
                moved.insert(known, index);
                learned[known].clone()
            });
            self.learned.push(kept.unwrap_or_else(|| Learned::from(hints)));
        }
        learned.clear();
        for skills in &configuration.operators {
            if floor.ids.contains_key(&skills.operator) {
                continue;
            }
            floor.ids.insert(skills.operator.clone(), floor.operators.len());
            let known = old.ids.get(&skills.operator).map(|&known| &old.operators[known]);
            let mut queues: Vec<usize> = skills
                .queues
                .iter()
                .filter_map(|name| names.get(name).copied())
                .collect();
            queues.sort_unstable();
            queues.dedup();
            floor.operators.push(Operator {
                queues,
                post: known.map_or(Post::SignedOut, |known| known.post),
                since: known.map_or(self.now, |known| known.since),
                cycle: known.and_then(|known| {
                    let mut cycle = known.cycle?;
                    cycle.queue = *moved.get(&cycle.queue)?;
                    Some(cycle)
                }),
            });
        }
        floor.keep_tickets(old, &moved);
        floor.names = names;
        floor.recount();
        self.floor = floor;
    }

    fn offered(&mut self, ticket: TicketId, operator: &OperatorId) {
        let Some(&operator) = self.floor.ids.get(operator) else {
            return;
        };
        self.expose(ticket, false);
        self.part(operator);
        self.floor.set_post(operator, Post::Serving, self.now);
        self.floor.offer(ticket, operator, self.now);
    }

    fn returned(&mut self, ticket: TicketId, operator: &OperatorId) {
        let operator = self.floor.ids.get(operator).copied();
        let place = self.floor.tickets.get(&ticket).map(|known| known.place);
        if let (Some(operator), Some(Place::Offered(with))) = (operator, place)
            && operator == with
        {
            self.floor.put_back(ticket);
        }
        if let Some(operator) = operator
            && let Some(cycle) = self.floor.operators[operator].cycle
            && cycle.ticket == ticket
            && cycle.answered_at.is_none()
        {
            self.floor.operators[operator].cycle = None;
        }
    }

    fn answered(&mut self, ticket: TicketId, operator: &OperatorId) {
        let Some(&operator) = self.floor.ids.get(operator) else {
            self.end(ticket);
            return;
        };
        let rings = self.floor.operators[operator]
            .cycle
            .is_some_and(|cycle| cycle.ticket == ticket && cycle.answered_at.is_none());
        if rings {
            if let Some(cycle) = self.floor.operators[operator].cycle {
                let ring = self.now - cycle.offered_at;
                self.learned[cycle.queue].ring.add(ring);
            }
        } else {
            self.expose(ticket, false);
            self.part(operator);
            self.floor.set_post(operator, Post::Serving, self.now);
            self.floor.offer(ticket, operator, self.now);
        }
        self.floor.talk(ticket, operator, self.now);
    }

    /// The ticket is over; if it was being talked to, so is the talk.
    fn end(&mut self, ticket: TicketId) {
        let Some(gone) = self.floor.remove(ticket) else {
            return;
        };
        let (Place::Offered(operator) | Place::Talking(operator)) = gone.place else {
            return;
        };
        let Some(known) = self.floor.operators.get_mut(operator) else {
            return;
        };
        if let Some(cycle) = &mut known.cycle
            && cycle.ticket == ticket
        {
            match gone.place {
                Place::Talking(_) => cycle.ended_at = Some(self.now),
                _ => known.cycle = None,
            }
        }
    }

    fn wrapping_up(&mut self, operator: &OperatorId) {
        let Some(&operator) = self.floor.ids.get(operator) else {
            return;
        };
        if let Some(cycle) = &mut self.floor.operators[operator].cycle {
            cycle.ended_at.get_or_insert(self.now);
        }
        self.floor.set_post(operator, Post::Serving, self.now);
    }

    fn posted(&mut self, operator: &OperatorId, post: Post) {
        let Some(&operator) = self.floor.ids.get(operator) else {
            return;
        };
        self.part(operator);
        self.floor.set_post(operator, post, self.now);
    }

    /// The operator is done with the call they were on, and has taught how long one takes.
    fn part(&mut self, operator: usize) {
        let Some(cycle) = self.floor.operators[operator].cycle.take() else {
            return;
        };
        if cycle.answered_at.is_some() {
            self.learned[cycle.queue].cycle.add(self.now - cycle.offered_at);
        }
        let place = self.floor.tickets.get(&cycle.ticket).map(|known| known.place);
        match place {
            Some(Place::Talking(with)) if with == operator => {
                self.floor.remove(cycle.ticket);
            }
            Some(Place::Offered(with)) if with == operator => self.floor.put_back(cycle.ticket),
            _ => {}
        }
    }

    /// Counts the waiting of a ticket that is in line, up to now, once.
    fn expose(&mut self, ticket: TicketId, gave_up: bool) {
        let Some(known) = self.floor.tickets.get_mut(&ticket) else {
            return;
        };
        if matches!(known.place, Place::Talking(_)) {
            return;
        }
        let age = (self.now - seconds(known.rank.1)).max(0.0);
        let more = (age - known.exposed).max(0.0);
        known.exposed = age;
        if known.delayed {
            self.learned[known.queue].abandonment.add(more, gave_up);
        }
    }
}
