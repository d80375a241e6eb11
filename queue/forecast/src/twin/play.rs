//! The play: one run after the other on a stage, each with other dice.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};
use std::ops::Range;

use pronto_routing::{first_served, longest_idle, serves};

use super::Twin;
use super::stage::{Actor, Stage, Start};
use crate::dice::{Dice, mix};
use crate::learned::CLASSES;

/// Events of one run; one that takes more is given up.
const EVENTS: usize = 20_000;
/// A run that comes to nobody ends here, in seconds.
const HORIZON: f64 = 86_400.0;
/// Bits for an actor or a stream in the agenda; the microseconds of [`HORIZON`] take 37 above them.
const WHO: u32 = 24;

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
pub(super) struct Play<'a> {
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
    pub(super) fn new(stage: &'a Stage<'a>) -> Self {
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
    pub(super) fn run(&mut self, twin: &Twin<'_>, run: usize, runs: usize, mut offered: impl FnMut(f64)) {
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
