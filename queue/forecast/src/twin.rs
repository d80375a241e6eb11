//! The twin: the floor as it stands, run forward by the learned laws many times, and the wait of one caller read off.
//!
//! Routing is the engine's own ([`pronto_routing`]). Only what can
//! reach the caller is simulated: those ahead, arrivals of a better class, and the operators who serve them. Of future
//! arrivals of the caller's own class or below none can, since they all rank behind.
//!
//! The operators' first rests are drawn by Latin hypercube (McKay et al. 1979): over the runs, each operator's draws cover
//! that operator's law evenly, which takes most of the noise out of the mean for the same number of runs.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::ops::Range;

use pronto_routing::{Rank, first_served, longest_idle, serves};

use crate::dice::{Dice, mix};
use crate::floor::{Floor, Operator, Post, seconds};
use crate::law::Rest;
use crate::learned::{CLASSES, Learned, Pauses, class};
use crate::wait::Moments;

/// Operators and callers drawn over all runs of one forecast: what a forecast may cost.
const BUDGET: usize = 12_000;
/// Runs of one forecast, if the budget allows; a power of two.
const RUNS: usize = 256;
/// The same for a whole line.
const LINE_BUDGET: usize = 100_000;
/// With fewer runs the recursion alone is better.
const FEWEST: usize = 16;
/// Events of one run; one that takes more is given up.
const EVENTS: usize = 20_000;
/// A run that comes to nobody ends here, in seconds.
const HORIZON: f64 = 86_400.0;
/// Bits for an actor or a stream in the agenda; the microseconds of [`HORIZON`] take 37 above them.
const WHO: u32 = 24;

/// Inputs of the twin's simulation.
pub(crate) struct Twin<'a> {
    pub(crate) floor: &'a Floor,
    pub(crate) learned: &'a [Learned],
    pub(crate) pauses: &'a Pauses,
    /// By queue, what talks drawn are stretched by.
    pub(crate) stretched: Vec<f64>,
    pub(crate) now: f64,
    pub(crate) seed: u64,
}

/// An operator on the stage.
struct Actor {
    /// Queues of the stage.
    queues: Vec<usize>,
    start: Start,
    speed: f64,
    /// When they go home, in seconds from now.
    leaves: f64,
    /// How long they have been at work since they could last pause.
    due: f64,
}

enum Start {
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
struct Stage<'a> {
    queues: Vec<&'a Learned>,
    /// By queue, what talks drawn are stretched by.
    stretched: Vec<f64>,
    /// Per queue and class, those ahead; the caller is the last of theirs.
    lines: Vec<Vec<Ahead>>,
    actors: Vec<Actor>,
    /// Arrivals of better classes: queue, class, a second.
    streams: Vec<(usize, usize, f64)>,
    /// The caller's line.
    line: usize,
    /// All lines of the caller's queue, if all who wait there are asked about.
    watched: Option<Range<usize>>,
}

/// A caller of a line, in seconds from now (negative).
#[derive(Clone, Copy, Debug)]
struct Ahead {
    /// When they joined, less their head start: who is served first.
    joined: f64,
    /// Since when they wait: how patient they are.
    since: f64,
    /// The integral of the hazard up to their age.
    endured: f64,
}

/// Waits of one caller over the runs.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    sum: f64,
    squares: f64,
    played: f64,
}

impl Tally {
    fn add(&mut self, wait: f64) {
        self.sum += wait;
        self.squares += wait * wait;
        self.played += 1.0;
    }

    /// `None` if too many runs came to nobody.
    fn law(self, runs: usize) -> Option<Moments> {
        if self.played < 0.8 * runs as f64 {
            return None;
        }
        let mean = self.sum / self.played;
        let variance = (self.squares - self.sum * mean) / (self.played - 1.0);
        Some(Moments {
            mean,
            variance: variance.max(0.0025 * mean * mean),
        })
    }
}

impl Twin<'_> {
    /// The wait until the offer of a caller with this rank, from now; `None` if it would cost too much or nobody comes.
    pub(crate) fn offer(&self, queue: usize, rank: Rank) -> Option<Moments> {
        let stage = self.stage(queue, rank)?;
        let size = stage.actors.len() + stage.lines.iter().map(Vec::len).sum::<usize>();
        let runs = (BUDGET / size.max(1)).min(RUNS);
        if runs < FEWEST {
            return None;
        }
        let runs = 1usize << runs.ilog2();
        let mut play = Play::new(&stage);
        let mut tally = Tally::default();
        for run in 0..runs {
            play.run(self, run, runs, |at| tally.add(at));
        }
        tally.law(runs)
    }

    /// The wait until the offer of each caller of a line, from now, by their places: as far as [`Twin::offer`] would go for
    /// each, all in one play.
    pub(crate) fn line(&self, queue: usize) -> Vec<Option<Moments>> {
        let affordable = BUDGET / FEWEST;
        let operators = self.floor.family(queue).operators.len();
        let ranks = self.floor.queues[queue].waiting.keys();
        let Some(&last) = ranks.take(affordable.saturating_sub(operators)).next_back() else {
            return Vec::new();
        };
        // Who is last plays the caller, and the others are those ahead.
        let Some(mut stage) = self.stage(queue, last) else {
            return Vec::new();
        };
        let first = stage.line - stage.line % CLASSES;
        stage.watched = Some(first..first + CLASSES);
        let callers = |line: &Vec<Ahead>| line.len();
        let size = stage.actors.len() + stage.lines.iter().map(callers).sum::<usize>();
        let runs = 1usize << (LINE_BUDGET / size.max(1)).clamp(FEWEST, RUNS).ilog2();
        let mut tallies = vec![Tally::default(); stage.lines[first..=stage.line].iter().map(callers).sum()];
        let mut play = Play::new(&stage);
        for run in 0..runs {
            let mut place = 0;
            play.run(self, run, runs, |at| {
                if let Some(tally) = tallies.get_mut(place) {
                    tally.add(at);
                }
                place += 1;
            });
        }
        tallies.into_iter().map(|tally| tally.law(runs)).collect()
    }

    fn stage(&self, queue: usize, rank: Rank) -> Option<Stage<'_>> {
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

/// A caller at the head of a line, and until when they stay.
type Head = Option<(f64, f64)>;

/// The action of an actor who could take a call.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Free {
    /// Went home, or on a pause.
    Not,
    /// Found no caller waiting.
    Idle,
    /// Took somebody of a line, who joined then.
    Took { line: usize, joined: f64 },
    /// Took the caller.
    Caller,
}

/// One run after the other, on the same boards.
struct Play<'a> {
    stage: &'a Stage<'a>,
    rings: Vec<f64>,
    /// Microseconds from now, above [`WHO`] bits for who: an actor, or a stream after them.
    agenda: BinaryHeap<Reverse<u64>>,
    /// Per line: how many of those ahead are gone, who came since, who is first.
    served: Vec<usize>,
    fresh: Vec<VecDeque<f64>>,
    /// Per line: how many were or would have been served.
    seen: Vec<usize>,
    heads: Vec<Head>,
    idle: Vec<bool>,
    free_since: Vec<f64>,
}

impl<'a> Play<'a> {
    fn new(stage: &'a Stage<'a>) -> Self {
        Play {
            stage,
            rings: stage.queues.iter().map(|laws| laws.ring.mean()).collect(),
            agenda: BinaryHeap::with_capacity(stage.actors.len() + stage.streams.len()),
            served: vec![0; stage.lines.len()],
            fresh: vec![VecDeque::new(); stage.lines.len()],
            seen: vec![0; stage.lines.len()],
            heads: vec![None; stage.lines.len()],
            idle: vec![false; stage.actors.len()],
            free_since: vec![0.0; stage.actors.len()],
        }
    }

    fn plan(&mut self, at: f64, who: usize) {
        if at < HORIZON {
            let micros = (at.max(0.0) * 1e6) as u64;
            self.agenda.push(Reverse(micros << WHO | who as u64));
        }
    }

    /// Tells when the caller is offered in this run, or each of those watched, in the order of their places: as far as the
    /// run gets.
    fn run(&mut self, twin: &Twin<'_>, run: usize, runs: usize, mut offered: impl FnMut(f64)) {
        let mut dice = Dice::new(mix(twin.seed, run as u64));
        self.agenda.clear();
        self.served.fill(0);
        self.heads.fill(None);
        self.idle.fill(false);
        self.seen.fill(0);
        self.fresh.iter_mut().for_each(VecDeque::clear);
        let stage = self.stage;
        for (number, actor) in stage.actors.iter().enumerate() {
            let first = self.first(
                twin,
                actor,
                even(twin.seed, number, run, runs, &mut dice),
                &mut dice,
            );
            self.free_since[number] = -actor.due;
            self.plan(first, number);
        }
        for (number, stream) in stage.streams.iter().enumerate() {
            self.plan(dice.exponential() / stream.2, stage.actors.len() + number);
        }
        for _ in 0..EVENTS {
            let Some(Reverse(next)) = self.agenda.pop() else {
                return;
            };
            let (at, who) = ((next >> WHO) as f64 / 1e6, (next & ((1 << WHO) - 1)) as usize);
            if who >= stage.actors.len() {
                self.arrive(at, who - stage.actors.len(), &mut dice);
                continue;
            }
            let free = self.free(twin, at, who, &mut dice);
            if let Some(watched) = stage.watched.clone() {
                self.virtually(watched, who, free, || offered(at));
            } else if free == Free::Caller {
                offered(at);
            }
            if free == Free::Caller {
                return;
            }
        }
    }

    /// Whoever of the watched would have been served by now, had they stayed: all before whom the actor took. In the order
    /// of their places, since the actor takes the best.
    fn virtually(&mut self, watched: Range<usize>, who: usize, free: Free, mut offered: impl FnMut()) {
        let queue = watched.start / CLASSES;
        if free == Free::Not || !self.stage.actors[who].queues.contains(&queue) {
            return;
        }
        for line in watched {
            let callers = &self.stage.lines[line];
            let before = match free {
                Free::Took { line: taken, .. } if taken == line => self.served[line],
                Free::Took { line: taken, joined } => match (line % CLASSES).cmp(&(taken % CLASSES)) {
                    Ordering::Less => callers.len(),
                    // Of another queue.
                    Ordering::Equal => callers.partition_point(|other| other.joined < joined),
                    Ordering::Greater => 0,
                },
                _ => callers.len(),
            };
            for _ in self.seen[line]..before {
                offered();
            }
            self.seen[line] = self.seen[line].max(before);
        }
    }

    /// When the actor can first take a call.
    fn first(&self, twin: &Twin<'_>, actor: &Actor, unit: f64, dice: &mut Dice) -> f64 {
        let laws = |queue: usize| self.stage.queues[queue];
        match actor.start {
            Start::Ready => 0.0,
            Start::Ringing { queue } => {
                let talk = laws(queue).talk.draw(dice) * actor.speed * self.stage.stretched[queue];
                self.rings[queue] * unit + talk + laws(queue).wrap_up.draw(dice)
            }
            Start::Talking { of, rest } => {
                let laws = &twin.learned[of];
                laws.talk.draw_rest(rest, unit) * actor.speed * twin.stretched[of] + laws.wrap_up.draw(dice)
            }
            Start::WrappingUp { of, rest } => twin.learned[of].wrap_up.draw_rest(rest, unit),
            Start::Paused { rest } => twin.pauses.length.draw_rest(rest, unit),
            Start::Coming { after } => after,
        }
    }

    /// An actor could take a call.
    fn free(&mut self, twin: &Twin<'_>, at: f64, who: usize, dice: &mut Dice) -> Free {
        let actor = &self.stage.actors[who];
        if actor.leaves <= at {
            return Free::Not;
        }
        let worked = at - self.free_since[who];
        self.free_since[who] = at;
        if at > 0.0 && falls_within(dice.unit(), worked * twin.pauses.rate()) {
            let back = at + twin.pauses.length.draw(dice);
            self.free_since[who] = back;
            self.plan(back, who);
            return Free::Not;
        }
        // The first of a queue is the first of its best class.
        let heads = actor.queues.iter().filter_map(|&queue| {
            let lines = queue * CLASSES..(queue + 1) * CLASSES;
            let mut heads = lines.map(|line| Some((line, (line % CLASSES, self.head(line, at, dice)?))));
            heads.find_map(|head| head)
        });
        let Some((line, (_, joined))) = first_served(heads) else {
            self.idle[who] = true;
            return Free::Idle;
        };
        if line == self.stage.line && self.served[line] + 1 == self.stage.lines[line].len() {
            return Free::Caller;
        }
        self.step(line);
        self.serve(at, who, line / CLASSES, dice);
        Free::Took { line, joined }
    }

    fn serve(&mut self, at: f64, who: usize, queue: usize, dice: &mut Dice) {
        let laws = self.stage.queues[queue];
        let speed = self.stage.actors[who].speed * self.stage.stretched[queue];
        let cycle = self.rings[queue] + laws.talk.draw(dice) * speed + laws.wrap_up.draw(dice);
        self.plan(at + cycle, who);
    }

    fn step(&mut self, line: usize) {
        self.heads[line] = None;
        if self.served[line] < self.stage.lines[line].len() {
            self.served[line] += 1;
        } else {
            self.fresh[line].pop_front();
        }
    }

    /// When the first of a line joined who is still there.
    fn head(&mut self, line: usize, at: f64, dice: &mut Dice) -> Option<f64> {
        let ahead = &self.stage.lines[line];
        loop {
            let (joined, until) = match self.heads[line] {
                Some(head) => head,
                None => {
                    let hazard = &self.stage.queues[line / CLASSES].hazard;
                    let head = match ahead.get(self.served[line]) {
                        Some(caller) if line == self.stage.line && self.served[line] + 1 == ahead.len() => {
                            (caller.joined, f64::INFINITY)
                        }
                        Some(caller) => (caller.joined, caller.since + hazard.draw(caller.endured, dice)),
                        None => {
                            let &joined = self.fresh[line].front()?;
                            (joined, joined + hazard.draw(0.0, dice))
                        }
                    };
                    self.heads[line] = Some(head);
                    head
                }
            };
            if until > at {
                return Some(joined);
            }
            self.step(line);
        }
    }

    /// A caller of a better class comes.
    fn arrive(&mut self, at: f64, stream: usize, dice: &mut Dice) {
        let (queue, class, rate) = self.stage.streams[stream];
        self.plan(at + dice.exponential() / rate, self.stage.actors.len() + stream);
        let could = |&who: &usize| self.idle[who] && serves(&self.stage.actors[who].queues, &queue);
        let ready = (0..self.idle.len()).filter(could);
        match longest_idle(ready.map(|who| (who, self.free_since[who]))) {
            Some(who) => {
                self.idle[who] = false;
                self.serve(at, who, queue, dice);
            }
            None => self.fresh[queue * CLASSES + class].push_back(at),
        }
    }
}

/// Whether an event of an exponential law falls within `time` mean times, by a draw in [0, 1).
fn falls_within(unit: f64, time: f64) -> bool {
    // 1 - exp(-time) is below `time`: most draws are decided without it.
    unit < time && unit < 1.0 - (-time).exp()
}

/// A draw in [0, 1) such that over all `runs` (a power of two) those of one actor fall once into each of `runs` equal parts.
fn even(seed: u64, actor: usize, run: usize, runs: usize, dice: &mut Dice) -> f64 {
    let (mask, scramble) = (runs - 1, mix(seed, !(actor as u64)) as usize);
    let stride = (scramble >> 8) | 1;
    // Multiplying by an odd number and folding the high bits in are both one to one.
    let mut part = run.wrapping_mul(stride).wrapping_add(scramble >> 32) & mask;
    part ^= part >> (1 + (scramble & 3));
    part = part.wrapping_mul((scramble >> 16) | 1) & mask;
    (part as f64 + dice.unit()) / runs as f64
}

#[cfg(test)]
mod tests;
