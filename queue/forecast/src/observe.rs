//! Taking an event in: the floor moves, and whoever finished something has taught something.

use std::collections::BTreeMap;

use pronto_types::{OperatorId, QueueName, TicketId, Time};

use crate::event::{AwayReason, Configuration, Event};
use pronto_routing::Rank;

use crate::censored::CensoredSample;
use crate::floor::{Floor, Joining, Line, Operator, Post, TicketState, seconds};
use crate::learned::class;
use crate::{Forecaster, Learned};

impl Forecaster {
    /// Takes an event in. Never panics, whatever the order of events; a time before the latest one counts as the latest.
    pub fn observe(&mut self, at: Time, event: Event) {
        self.events += 1;
        if seconds(at) > self.now {
            self.settle_fresh();
            self.now = seconds(at);
            for learned in &mut self.learned {
                learned.week.pass(self.now + self.floor.clock);
            }
        }
        self.count_staff(&event);
        match event {
            Event::Configured(configuration) => self.configured(&configuration),
            Event::Joined {
                ticket,
                queue,
                priority,
                joined_at,
                head_start,
                waits_since,
            } => {
                if let Some(&queue) = self.floor.names.get(&queue) {
                    self.end(ticket);
                    let caller = Joining {
                        priority,
                        joined_at: joined_at.min(at),
                        head_start,
                        since: waits_since.max(joined_at).min(at),
                    };
                    self.joined(ticket, queue, caller);
                }
            }
            Event::Offered { ticket, operator } => self.offered(ticket, &operator),
            Event::Returned { ticket, operator } => self.returned(ticket, &operator),
            Event::Answered { ticket, operator } => self.answered(ticket, &operator),
            Event::Left { ticket } => {
                self.expose(ticket, true);
                self.haunt(ticket);
                self.end(ticket);
            }
            Event::Ended { ticket } => {
                self.expose(ticket, false);
                self.haunt(ticket);
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

    /// Whoever became ready and still is found nobody waiting: the censored of their queues would have been served.
    fn settle_fresh(&mut self) {
        for operator in std::mem::take(&mut self.fresh) {
            let Some(known) = self.floor.operators.get(operator) else {
                continue;
            };
            if known.post == Post::Ready {
                for queue in known.queues.clone() {
                    self.add_censored(queue, None, 0.0);
                }
            }
        }
    }

    /// Answers the censored whose turn has come, after a ring of `ring` seconds: outcomes.
    fn add_censored(&mut self, queue: usize, before: Option<Rank>, ring: f64) {
        for sample in self.censored[queue].served(before, self.now) {
            let wait = self.now + ring - sample.since;
            self.calibrations[queue][sample.class].came(&sample.promise, wait);
        }
    }

    /// Counts the operators present at the lines that are about to change, up to now.
    fn count_staff(&mut self, event: &Event) {
        let queues: Vec<usize> = match event {
            Event::Configured(_) => (0..self.floor.queues.len()).collect(),
            Event::Joined { queue, .. } => self.floor.names.get(queue).copied().into_iter().collect(),
            Event::Left { ticket } | Event::Ended { ticket } | Event::TalkEnded { ticket } => {
                let known = self.floor.tickets.get(ticket);
                known.map(|it| it.queue).into_iter().collect()
            }
            Event::Offered { ticket, operator }
            | Event::Returned { ticket, operator }
            | Event::Answered { ticket, operator } => {
                let known = self.floor.tickets.get(ticket);
                let mut queues: Vec<usize> = known.map(|it| it.queue).into_iter().collect();
                queues.extend(self.served_by(operator));
                queues
            }
            Event::Ready { operator } | Event::Away { operator, .. } => self.served_by(operator).to_vec(),
        };
        for queue in queues {
            let line = &mut self.floor.queues[queue];
            if !line.waiting.is_empty() {
                let seconds = (self.now - line.counted).max(0.0);
                self.learned[queue]
                    .throughput
                    .staffed(seconds * line.present as f64);
            }
            line.counted = self.now;
        }
    }

    fn served_by(&self, operator: &OperatorId) -> &[usize] {
        let known = self.floor.ids.get(operator);
        known.map_or(&[], |&known| &self.floor.operators[known].queues)
    }

    fn joined(&mut self, ticket: TicketId, queue: usize, caller: Joining) {
        let since = seconds(caller.since);
        self.learned[queue]
            .arrivals
            .join(self.now, class(caller.priority));
        self.learned[queue].week.joined(since + self.floor.clock);
        self.floor.join(ticket, queue, caller);
        let Some(known) = self.floor.tickets.get(&ticket) else {
            return;
        };
        if known.delayed && self.floor.queues[queue].signed_in > 0 {
            let promise = self.promise(self.now, queue, known.rank);
            if let Some(known) = self.floor.tickets.get_mut(&ticket) {
                (known.promise, known.promised) = (Some(promise), self.events);
            }
        }
    }

    /// A ticket that ends unserved keeps a virtual place.
    fn haunt(&mut self, ticket: TicketId) {
        let Some(known) = self.floor.tickets.get(&ticket) else {
            return;
        };
        if known.place == TicketState::Waiting {
            // Who gave up waited as long as was forecast, as far as anybody knows.
            let (since, gone) = (seconds(known.since), self.now - seconds(known.since));
            let wait = known.promise.map_or(gone, |promise| promise.law.mean.max(gone));
            self.learned[known.queue]
                .week
                .waited(since + self.floor.clock, wait, false);
        }
        if let (TicketState::Waiting, Some(promise)) = (known.place, known.promise) {
            let sample = CensoredSample {
                promise,
                class: class(known.rank.class),
                since: seconds(known.since),
                left: self.now,
            };
            self.censored[known.queue].add(known.rank, sample);
        }
    }

    /// Applies a configuration. State known of a queue or an operator by name is kept; tickets of a queue that is gone
    /// are forgotten.
    fn configured(&mut self, configuration: &Configuration) {
        let old = std::mem::take(&mut self.floor);
        let learned = std::mem::take(&mut self.learned);
        let mut censored = std::mem::take(&mut self.censored);
        let mut calibrations = std::mem::take(&mut self.calibrations);
        self.fresh.clear();
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
                counted: self.now,
                ..Line::default()
            });
            let kept = known.map(|&known| {
                moved.insert(known, index);
                learned[known].clone()
            });
            self.learned.push(kept.unwrap_or_else(|| Learned::from(hints)));
            let kept = known.map(|&known| {
                (
                    std::mem::take(&mut censored[known]),
                    std::mem::take(&mut calibrations[known]),
                )
            });
            let (censored, calibration) = kept.unwrap_or_default();
            self.censored.push(censored);
            self.calibrations.push(calibration);
        }
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
                speed: known.map_or_else(Default::default, |known| known.speed),
                shifts: known.map_or_else(Default::default, |known| known.shifts.clone()),
            });
        }
        floor.keep_tickets(old, &moved);
        floor.names = names;
        floor.recount();
        floor.find_families();
        self.floor = floor;
    }

    fn offered(&mut self, ticket: TicketId, operator: &OperatorId) {
        let Some(&operator) = self.floor.ids.get(operator) else {
            return;
        };
        self.take(ticket, operator);
    }

    /// The operator takes the ticket out of its line; censored who ranked before it would have been taken first.
    fn take(&mut self, ticket: TicketId, operator: usize) {
        self.expose(ticket, false);
        self.part(operator);
        let known = self
            .floor
            .tickets
            .get(&ticket)
            .map(|it| (it.queue, it.rank, it.place, it.delayed));
        if let Some((queue, rank, place, delayed)) = known {
            if delayed && place == TicketState::Waiting {
                self.learned[queue].throughput.served();
            }
            for queue in self.floor.operators[operator].queues.clone() {
                let ring = self.learned[queue].ring.mean();
                self.add_censored(queue, Some(rank), ring);
            }
        }
        self.post(operator, Post::Serving);
        self.floor.offer(ticket, operator, self.now);
    }

    fn returned(&mut self, ticket: TicketId, operator: &OperatorId) {
        let operator = self.floor.ids.get(operator).copied();
        let place = self.floor.tickets.get(&ticket).map(|known| known.place);
        if let (Some(operator), Some(TicketState::Offered(with))) = (operator, place)
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
            self.take(ticket, operator);
        }
        if let Some(known) = self.floor.tickets.get(&ticket) {
            let since = seconds(known.since);
            self.learned[known.queue]
                .week
                .waited(since + self.floor.clock, self.now - since, true);
        }
        if let Some(known) = self.floor.tickets.get_mut(&ticket)
            && let Some(promise) = known.promise.take()
        {
            let wait = self.now - seconds(known.since);
            self.calibrations[known.queue][class(known.rank.class)].came(&promise, wait);
        }
        self.floor.talk(ticket, operator, self.now);
    }

    /// The ticket is over; if it was being talked to, so is the talk.
    fn end(&mut self, ticket: TicketId) {
        let Some(gone) = self.floor.remove(ticket) else {
            return;
        };
        let (TicketState::Offered(operator) | TicketState::Talking(operator)) = gone.place else {
            return;
        };
        let Some(known) = self.floor.operators.get_mut(operator) else {
            return;
        };
        if let Some(cycle) = &mut known.cycle
            && cycle.ticket == ticket
        {
            match gone.place {
                TicketState::Talking(_) => cycle.ended_at = Some(self.now),
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
        self.post(operator, Post::Serving);
    }

    fn posted(&mut self, operator: &OperatorId, post: Post) {
        let Some(&operator) = self.floor.ids.get(operator) else {
            return;
        };
        self.part(operator);
        self.post(operator, post);
        if post == Post::Ready {
            self.fresh.insert(operator);
        }
    }

    fn post(&mut self, operator: usize, post: Post) {
        let known = &self.floor.operators[operator];
        let (old, lasted) = (known.post, self.now - known.since);
        match (old, post) {
            (old, post) if old == post => {}
            (Post::Paused, _) => self.pauses.length.add(lasted),
            (Post::Ready | Post::Serving, post) => {
                self.pauses.present(lasted);
                if post == Post::Paused {
                    self.pauses.began();
                }
            }
            (Post::SignedOut, _) => {}
        }
        self.floor.set_post(operator, post, self.now);
    }

    /// The operator is done with the call they were on, and has taught how long one takes.
    fn part(&mut self, operator: usize) {
        let Some(cycle) = self.floor.operators[operator].cycle.take() else {
            return;
        };
        if let Some(answered) = cycle.answered_at {
            let learned = &mut self.learned[cycle.queue];
            let talk = cycle.ended_at.unwrap_or(self.now) - answered;
            let ratio = talk / learned.talk.mean();
            self.floor.operators[operator].speed.add(ratio);
            learned.talk.add(talk);
            learned.talks += 1;
            if let Some(ended) = cycle.ended_at {
                learned.wrap_up.add(self.now - ended);
            }
        }
        let place = self.floor.tickets.get(&cycle.ticket).map(|known| known.place);
        match place {
            Some(TicketState::Talking(with)) if with == operator => {
                self.floor.remove(cycle.ticket);
            }
            Some(TicketState::Offered(with)) if with == operator => self.floor.put_back(cycle.ticket),
            _ => {}
        }
    }

    /// Counts the waiting of a ticket that is in line, up to now, once.
    fn expose(&mut self, ticket: TicketId, gave_up: bool) {
        let Some(known) = self.floor.tickets.get_mut(&ticket) else {
            return;
        };
        if matches!(known.place, TicketState::Talking(_)) {
            return;
        }
        let age = (self.now - seconds(known.since)).max(0.0);
        let from = known.exposed.min(age);
        known.exposed = age;
        if known.delayed {
            let learned = &mut self.learned[known.queue];
            learned.hazard.add(from, age, gave_up);
            learned.hang_ups += u64::from(gave_up);
        }
    }
}
