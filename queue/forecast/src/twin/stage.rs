//! The stage: the part of the floor that can reach one caller.

use std::collections::BTreeMap;
use std::ops::Range;

use pronto_routing::Rank;

use super::{BUDGET, FEWEST, Twin};
use crate::floor::{Operator, Post, seconds};
use crate::law::Rest;
use crate::learned::{CLASSES, Learned, class};

/// An operator on the stage.
pub(super) struct Actor {
    /// Queues of the stage.
    pub(super) queues: Vec<usize>,
    pub(super) start: Start,
    pub(super) speed: f64,
    /// When they go home, in seconds from now.
    pub(super) leaves: f64,
    /// How long they have been at work since they could last pause.
    pub(super) due: f64,
}

pub(super) enum Start {
    Ready,
    Ringing {
        queue: usize,
    },
    /// `of`: the queue, on the floor and not on the stage, whose law `rest` was made from.
    Talking {
        of: usize,
        rest: Rest,
    },
    WrappingUp {
        of: usize,
        rest: Rest,
    },
    Paused {
        rest: Rest,
    },
    Coming {
        after: f64,
    },
}

/// The part of the floor that matters to one caller.
pub(super) struct Stage<'a> {
    pub(super) queues: Vec<&'a Learned>,
    /// By queue, what talks drawn are stretched by.
    pub(super) stretched: Vec<f64>,
    /// Per queue and class, those ahead; the caller is the last of theirs.
    pub(super) lines: Vec<Vec<Ahead>>,
    pub(super) actors: Vec<Actor>,
    /// Arrivals of better classes: queue, class, a second.
    pub(super) streams: Vec<(usize, usize, f64)>,
    /// The caller's line.
    pub(super) line: usize,
    /// All lines of the caller's queue, if all who wait there are asked about.
    pub(super) watched: Option<Range<usize>>,
}

/// A caller of a line, in seconds from now (negative).
#[derive(Clone, Copy, Debug)]
pub(super) struct Ahead {
    /// When they joined, less their head start: who is served first.
    pub(super) joined: f64,
    /// Since when they wait: how patient they are.
    pub(super) since: f64,
    /// The integral of the hazard up to their age.
    pub(super) endured: f64,
}

impl Twin<'_> {
    pub(super) fn stage(&self, queue: usize, rank: Rank) -> Option<Stage<'_>> {
        let best = class(rank.class);
        let family = self.floor.family(queue);
        let mut stage = Stage {
            queues: Vec::new(),
            stretched: Vec::new(),
            lines: Vec::new(),
            actors: Vec::new(),
            streams: Vec::new(),
            line: 0,
            watched: None,
        };
        let mut local: BTreeMap<usize, usize> = BTreeMap::new();
        for &member in &family.queues {
            let learned = &self.learned[member];
            let mut lines = vec![Vec::new(); CLASSES];
            let mut ahead = 0;
            for (other, since) in self.floor.ahead(member, rank) {
                let since = seconds(since) - self.now;
                lines[class(other.class)].push(Ahead {
                    joined: seconds(other.seniority) - self.now,
                    since,
                    endured: learned.hazard.integral(-since),
                });
                ahead += 1;
                if ahead > BUDGET / FEWEST {
                    return None;
                }
            }
            let rates: Vec<f64> = (0..best).map(|higher| learned.arrivals.rate(higher)).collect();
            if member != queue && ahead == 0 && rates.iter().all(|&rate| rate <= 0.0) {
                continue;
            }
            let index = stage.queues.len();
            if member == queue {
                stage.line = index * CLASSES + best;
                lines[best].push(Ahead {
                    joined: 0.0,
                    since: 0.0,
                    endured: 0.0,
                });
            }
            local.insert(member, index);
            stage.queues.push(learned);
            stage.stretched.push(self.stretched[member]);
            stage.lines.append(&mut lines);
            let streams = rates.into_iter().enumerate().filter(|&(_, rate)| rate > 0.0);
            stage
                .streams
                .extend(streams.map(|(class, rate)| (index, class, rate)));
        }
        for &number in &family.operators {
            let operator = &self.floor.operators[number];
            let queues = operator.queues.iter().filter_map(|it| local.get(it).copied());
            let queues: Vec<usize> = queues.collect();
            if !queues.is_empty() {
                stage.actors.extend(self.actor(operator, queues, &local));
            }
            if stage.actors.len() > BUDGET / FEWEST {
                return None;
            }
        }
        Some(stage)
    }

    fn actor(
        &self,
        operator: &Operator,
        queues: Vec<usize>,
        local: &BTreeMap<usize, usize>,
    ) -> Option<Actor> {
        let speed = operator.speed.value();
        let mut due = self.now - operator.since;
        let start = match operator.post {
            Post::SignedOut => Start::Coming {
                after: operator.shifts.comes_in(self.now + self.floor.clock)?,
            },
            Post::Paused => Start::Paused {
                rest: self.pauses.length.rest(self.now - operator.since),
            },
            Post::Ready => Start::Ready,
            Post::Serving => {
                // The call may be of a queue that is not on the stage: what is left of it is drawn from its own law.
                let first = queues.first().copied().unwrap_or_default();
                match operator.cycle {
                    None => {
                        let of = operator.queues[0];
                        let rest = self.learned[of].wrap_up.rest(self.now - operator.since);
                        Start::WrappingUp { of, rest }
                    }
                    Some(cycle) => {
                        due = self.now - cycle.offered_at;
                        let laws = &self.learned[cycle.queue];
                        match (cycle.answered_at, cycle.ended_at) {
                            (_, Some(ended)) => Start::WrappingUp {
                                of: cycle.queue,
                                rest: laws.wrap_up.rest(self.now - ended),
                            },
                            (Some(answered), None) => Start::Talking {
                                of: cycle.queue,
                                rest: laws
                                    .talk
                                    .rest((self.now - answered) / (speed * self.stretched[cycle.queue])),
                            },
                            (None, None) => Start::Ringing {
                                queue: local.get(&cycle.queue).copied().unwrap_or(first),
                            },
                        }
                    }
                }
            }
        };
        let leaves = match operator.post {
            Post::SignedOut => None,
            _ => operator.shifts.leaves_in(self.now + self.floor.clock),
        };
        Some(Actor {
            queues,
            start,
            speed,
            leaves: leaves.unwrap_or(f64::INFINITY),
            due,
        })
    }
}
