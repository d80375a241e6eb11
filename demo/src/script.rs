//! The script of each person, drawn from a seed: when callers call, the keys they press, their patience and how long
//! they talk; how operators answer and when they pause.
//!
//! Everybody has dice of their own, so that what one does never changes what another will do: the same seed gives the
//! same script, whatever the centre makes of it.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha12Rng;

/// The numbers dialled: the Italian one and the English one.
pub const NUMBERS: [&str; 2] = ["800", "801"];

/// Callers and operators draw from different streams of the seed.
const CALLERS: u64 = 1 << 32;
const OPERATORS: u64 = 2 << 32;

/// Seconds between two calls of one caller, on average, and at most.
const REST: (f64, f64) = (7.0, 25.0);
/// Seconds within which everybody calls for the first time.
const FIRST: f64 = 9.0;
/// Shares of callers, 0 to 1: first press a key that leads nowhere, press no key at all, go back to the menu.
const MISTAKEN: f64 = 0.08;
const KEYLESS: f64 = 0.04;
const UNDECIDED: f64 = 0.06;
/// How many have little patience.
const IMPATIENT: f64 = 0.2;
/// How many talks are ended by the caller.
const TALK_ENDED_BY_CALLER: f64 = 0.4;
/// Seconds of a talk.
const TALK: (f64, f64) = (5.0, 9.0);
/// The mean of what a talk lasts, in whole seconds: the operator's end, or the caller's where that comes first. A centre whose
/// administrator knows its talks is configured with it.
pub const MEAN_TALK: Duration = Duration::from_secs(7);
/// How many offers an operator does not hear, and how many they decline.
const IGNORES: f64 = 0.02;
const DECLINES: f64 = 0.03;

/// One call of a caller, planned. Durations of keys and of the patience count from the answer of the centre.
#[derive(Clone, PartialEq, Debug)]
pub struct Planned {
    /// How long after the call before.
    pub rest: Duration,
    /// The number to dial.
    pub dial: &'static str,
    /// The keys pressed, and when, in order.
    pub keys: Vec<(Duration, char)>,
    /// When they hang up, if no operator has answered.
    pub patience: Duration,
    /// How long the talk may last before the caller ends it; `None`: the operator ends it.
    pub talk: Option<Duration>,
}

/// The planned reaction of an operator to one offered call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reply {
    /// The operator answers the call.
    Answer {
        /// Ringing time before the answer.
        after: Duration,
        /// The longest time the operator talks.
        talk: Duration,
        /// Length of the pause after the talk; `None`: no pause.
        pause: Option<Duration>,
    },
    /// The operator declines the call.
    Decline {
        /// Ringing time before the operator declines.
        after: Duration,
    },
    /// Does not hear it.
    Ignore,
}

/// The calls of one caller, without end.
#[derive(Clone, Debug)]
pub struct CallerScript {
    dice: Dice,
    first: bool,
}

/// The replies of one operator, without end.
#[derive(Clone, Debug)]
pub struct OperatorScript {
    dice: Dice,
    until_pause: u32,
}

impl CallerScript {
    /// The script of caller `number` under a seed.
    pub fn new(seed: u64, number: usize) -> Self {
        CallerScript {
            dice: Dice::new(seed, CALLERS + number as u64),
            first: true,
        }
    }

    /// The next call.
    pub fn next_call(&mut self) -> Planned {
        let dice = &mut self.dice;
        let (first, later) = (dice.between(0.0, FIRST), dice.exponential(REST.0).min(REST.1));
        let rest = if std::mem::take(&mut self.first) {
            first
        } else {
            later
        };
        let dial = NUMBERS[usize::from(dice.chance(0.4))];
        let key = if dice.chance(0.35) { '2' } else { '1' };
        let decided = dice.between(0.8, 4.0);
        let again = decided + dice.between(1.5, 3.0);
        let (mistaken, keyless) = (dice.chance(MISTAKEN), dice.chance(KEYLESS));
        let back = again + dice.between(4.0, 9.0);
        let undecided = dice.chance(UNDECIDED);
        let mut keys = match (keyless, mistaken) {
            (true, _) => Vec::new(),
            (false, true) => vec![(decided, '7'), (again, key)],
            (false, false) => vec![(decided, key)],
        };
        if undecided && !keyless {
            let other = if key == '1' { '2' } else { '1' };
            keys.extend([(back, '9'), (back + 2.0, other)]);
        }
        let impatient = dice.chance(IMPATIENT);
        let (little, much) = (dice.between(9.0, 25.0), dice.between(45.0, 120.0));
        let talk = dice.between(TALK.0, TALK.1);
        let ends = dice.chance(TALK_ENDED_BY_CALLER);
        Planned {
            rest: seconds(rest),
            dial,
            keys: keys.into_iter().map(|(at, key)| (seconds(at), key)).collect(),
            patience: seconds(if impatient { little } else { much }),
            talk: ends.then(|| seconds(talk)),
        }
    }
}

impl OperatorScript {
    /// The script of operator `number` under a seed.
    pub fn new(seed: u64, number: usize) -> Self {
        let mut dice = Dice::new(seed, OPERATORS + number as u64);
        let until_pause = talks_until_pause(&mut dice);
        OperatorScript { dice, until_pause }
    }

    /// Draws the operator's reaction to the next call that is offered.
    pub fn next_reply(&mut self) -> Reply {
        let dice = &mut self.dice;
        let whim = dice.between(0.0, 1.0);
        let after = seconds(dice.between(0.4, 1.6));
        let talk = seconds(dice.between(TALK.0, TALK.1));
        let pause = seconds(dice.between(5.0, 10.0));
        let next = talks_until_pause(dice);
        if whim < IGNORES {
            return Reply::Ignore;
        }
        if whim < IGNORES + DECLINES {
            return Reply::Decline { after };
        }
        self.until_pause -= 1;
        let pause = (self.until_pause == 0).then_some(pause);
        if pause.is_some() {
            self.until_pause = next;
        }
        Reply::Answer { after, talk, pause }
    }
}

/// Talks between two pauses of an operator.
fn talks_until_pause(dice: &mut Dice) -> u32 {
    5 + dice.between(0.0, 5.0) as u32
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_millis((seconds * 1000.0) as u64)
}

/// One person's dice.
#[derive(Clone, Debug)]
struct Dice(ChaCha12Rng);

impl Dice {
    fn new(seed: u64, stream: u64) -> Self {
        let mut dice = ChaCha12Rng::seed_from_u64(seed);
        dice.set_stream(stream);
        Dice(dice)
    }

    /// From 0 up to, but not including, 1.
    fn roll(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.roll()
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.roll()).ln()
    }

    fn chance(&mut self, probability: f64) -> bool {
        self.roll() < probability
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(seed: u64, number: usize, count: usize) -> Vec<Planned> {
        let mut script = CallerScript::new(seed, number);
        (0..count).map(|_| script.next_call()).collect()
    }

    fn replies(seed: u64, number: usize, count: usize) -> Vec<Reply> {
        let mut script = OperatorScript::new(seed, number);
        (0..count).map(|_| script.next_reply()).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_script_and_another_gives_another() {
        assert_eq!(calls(1, 3, 50), calls(1, 3, 50));
        assert_eq!(replies(1, 3, 50), replies(1, 3, 50));
        assert_ne!(calls(1, 3, 5), calls(2, 3, 5));
        assert_ne!(calls(1, 3, 5), calls(1, 4, 5));
        assert_ne!(replies(1, 3, 20), replies(2, 3, 20));
    }

    #[test]
    fn callers_do_everything_that_callers_do() {
        let all: Vec<Planned> = (0..40).flat_map(|number| calls(7, number, 10)).collect();
        let share = |what: &dyn Fn(&Planned) -> bool| all.iter().filter(|call| what(call)).count();
        for number in NUMBERS {
            assert!(share(&|call| call.dial == number) > 50);
        }
        assert!(share(&|call| call.keys.is_empty()) > 0);
        assert!(share(&|call| call.keys.first().is_some_and(|key| key.1 == '7')) > 0);
        assert!(share(&|call| call.keys.iter().any(|key| key.1 == '9')) > 0);
        assert!(share(&|call| call.talk.is_some()) > 50);
        assert!(share(&|call| call.patience < Duration::from_secs(26)) > 20);
        assert!(share(&|call| call.patience > Duration::from_secs(44)) > 200);
        for call in &all {
            assert!(call.keys.is_sorted_by_key(|key| key.0), "{call:?}");
            assert!(call.rest <= Duration::from_secs(25));
        }
    }

    #[test]
    fn the_mean_talk_that_a_centre_is_configured_with_is_that_of_the_script() {
        let operators = (0..40).flat_map(|number| replies(7, number, 50));
        let ends = operators.filter_map(|reply| match reply {
            Reply::Answer { talk, .. } => Some(talk),
            Reply::Decline { .. } | Reply::Ignore => None,
        });
        let callers = (0..40).flat_map(|number| calls(7, number, 50));
        let talks: Vec<f64> = ends
            .zip(callers)
            .map(|(end, call)| call.talk.map_or(end, |earlier| earlier.min(end)).as_secs_f64())
            .collect();
        let mean = talks.iter().sum::<f64>() / talks.len() as f64;
        assert!((mean - MEAN_TALK.as_secs_f64()).abs() < 0.5, "{mean}");
    }

    #[test]
    fn operators_mostly_answer_and_pause_now_and_then() {
        let all: Vec<Reply> = (0..20).flat_map(|number| replies(7, number, 30)).collect();
        let ignored = all.iter().filter(|reply| **reply == Reply::Ignore).count();
        let declined = all
            .iter()
            .filter(|reply| matches!(reply, Reply::Decline { .. }))
            .count();
        let pauses = |reply: &&Reply| matches!(reply, Reply::Answer { pause: Some(_), .. });
        let paused = all.iter().filter(pauses).count();
        assert!((3..40).contains(&ignored), "{ignored}");
        assert!((3..45).contains(&declined), "{declined}");
        assert!((50..130).contains(&paused), "{paused}");
    }
}
