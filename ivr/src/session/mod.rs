//! One caller walking through a flow.
//!
//! ```text
//!            Start        say            menu               queue            last words
//!  Created ────────▶ Saying ──next──▶ Prompting ──key──▶ Queued ──outcome──▶ Parting ──▶ Over
//!                      │ key: Stop      │  │ finished       │ key: LeaveQueue
//!                      ▼                │  ▼                ▼
//!                  next state      key  │ Listening     its target
//!                                       ▼  │ key, noinput
//!                                  its target, nomatch
//! ```
//!
//! Prompts with forecasts among them, and states that branch by one, are preceded by `Asking` (see there).
//!
//! Digits (invariant 9: none is lost). A digit goes at once to the menu or queue the caller is in; before the
//! first menu, and where `bargein = false`, it waits in one buffer, and the following menus and queues take from
//! it in order. Prompts that a waiting digit would cut are not started. See [`DigitCount`].
//!
//! A wish suspends the session: its [`Outcome`] goes on. While the caller talks with an operator the digits are
//! the operator's to hear: whoever connected the two hands in none.
//!
//! No call is endless. A menu is said again at most [`MOST_REPEATS`] times without a key that matches, wherever
//! its `noinput` and `nomatch` lead in between; and after [`MOST_STATES`] states without such a key the session
//! ends. Both endings say `goodbye` first.

mod asking;
mod contract;
mod digits;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod worlds;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use pronto_types::{Digit, Language, Time};

use crate::script::{Kind, Script, StateIndex, Then};
pub use contract::{Input, LookId, Outcome, Output, PlayId, WayOut, Wish, WishId};
pub use digits::DigitCount;
use digits::Digits;

/// Says that nobody can answer; what an omitted exit of a queue says.
pub(crate) const ALL_BUSY: &str = "all-busy";
/// The last words of every other ending of our own.
pub(crate) const GOODBYE: &str = "goodbye";

/// How often a menu is said again for want of a key that matches (VoiceXML leaves the count to the application).
const MOST_REPEATS: u8 = 3;
/// How many states may be entered without a key that matches: ends loops of queues and prompts.
const MOST_STATES: u16 = 100;
/// A prompt that was not reported finished by then is taken to be: a lost report must not strand the caller.
const LONGEST_PLAY: Duration = Duration::from_secs(600);

/// Where a caller is; each variant owns what it waits for.
#[derive(Debug)]
enum State {
    Created,
    Asking {
        at: StateIndex,
        look: LookId,
        until: Time,
    },
    Saying {
        at: StateIndex,
        play: PlayId,
        until: Time,
    },
    Prompting {
        at: StateIndex,
        play: PlayId,
        until: Time,
    },
    Listening {
        at: StateIndex,
        until: Time,
    },
    Queued {
        at: StateIndex,
        wish: WishId,
    },
    Parting {
        words: &'static str,
        play: PlayId,
        until: Time,
    },
    Over,
}

/// Where one step leads.
enum Step {
    /// Stay there and wait.
    Rest(State),
    /// On to another state of the flow.
    Go(StateIndex),
    /// Last words of our own.
    Part(&'static str),
    /// No words at all.
    HangUp,
}

/// One caller's walk through a flow. Drain [`Session::poll_output`] after every `handle_*`.
#[derive(Debug)]
pub struct Session {
    flow: Arc<Script>,
    /// In which forecasts are said.
    language: Language,
    state: State,
    digits: Digits,
    outputs: VecDeque<Output>,
    /// Per state of the flow: noinput and nomatch since the last key that matched.
    misses: Box<[u8]>,
    /// States entered since the last key that matched.
    entered: u16,
    plays: u64,
    wishes: u64,
    looks: u64,
}

impl Session {
    /// A session that waits for [`Input::Start`].
    pub fn new(flow: Arc<Script>, language: Language) -> Self {
        let misses = vec![0; flow.len()].into_boxed_slice();
        let (digits, outputs) = (Digits::default(), VecDeque::new());
        Self {
            flow,
            language,
            state: State::Created,
            digits,
            outputs,
            misses,
            entered: 0,
            plays: 0,
            wishes: 0,
            looks: 0,
        }
    }

    /// Takes note of what happened.
    pub fn handle_input(&mut self, now: Time, input: Input) {
        match (&self.state, input) {
            (State::Over, Input::Digit(_)) => self.digits.refuse(),
            (State::Over, _) => {}
            (_, Input::HungUp) => {
                self.outputs.clear();
                self.state = State::Over;
            }
            (State::Created, Input::Start) => self.go(now, Step::Go(self.flow.start())),
            (_, Input::Start) => {}
            (_, Input::Digit(digit)) => self.pressed(now, digit),
            (
                &State::Saying { play, .. } | &State::Prompting { play, .. } | &State::Parting { play, .. },
                Input::PlayFinished(finished),
            ) if play == finished => self.played(now),
            (_, Input::PlayFinished(_)) => {}
            (&State::Queued { at, wish }, Input::Outcome { wish: of, outcome }) if wish == of => {
                self.concluded(now, at, outcome);
            }
            (_, Input::Outcome { .. }) => {}
            (&State::Asking { at, look, .. }, Input::Found { look: of, forecasts }) if look == of => {
                self.found(now, at, &forecasts);
            }
            (_, Input::Found { .. }) => {}
        }
    }

    /// The deadline of [`Session::poll_timeout`] passed. Before it: does nothing.
    pub fn handle_timeout(&mut self, now: Time) {
        if self.poll_timeout().is_none_or(|until| now < until) {
            return;
        }
        match self.state {
            State::Listening { at, .. } => {
                let Kind::Menu { exits, .. } = &self.flow.state(at).kind else {
                    return;
                };
                let step = self.missed(at, exits.noinput);
                self.go(now, step);
            }
            State::Asking { at, .. } => self.found(now, at, &BTreeMap::new()),
            State::Saying { .. } | State::Prompting { .. } | State::Parting { .. } => {
                self.outputs.push_back(Output::Stop);
                self.played(now);
            }
            State::Created | State::Queued { .. } | State::Over => {}
        }
    }

    /// The next thing to be done.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Session::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Time> {
        match self.state {
            State::Asking { until, .. }
            | State::Saying { until, .. }
            | State::Prompting { until, .. }
            | State::Listening { until, .. }
            | State::Parting { until, .. } => Some(until),
            State::Created | State::Queued { .. } | State::Over => None,
        }
    }

    /// The name of the state the caller is in, for logs; in parentheses where it is not one of the flow.
    pub fn state_name(&self) -> &str {
        match self.state {
            State::Created => "(created)",
            State::Asking { at, .. }
            | State::Saying { at, .. }
            | State::Prompting { at, .. }
            | State::Listening { at, .. }
            | State::Queued { at, .. } => &self.flow.state(at).name,
            State::Parting { words, .. } => match words {
                ALL_BUSY => "(all-busy)",
                _ => "(goodbye)",
            },
            State::Over => "(over)",
        }
    }

    /// Whether the walk is over: hung up, by whichever side.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// Counts the digits of this session so far, by outcome.
    pub fn digits(&self) -> DigitCount {
        self.digits.count()
    }

    /// How a caller who waits can leave the queue; `None`: no key leads out, or they do not wait.
    pub fn way_out(&self) -> Option<WayOut> {
        let State::Queued { at, .. } = self.state else {
            return None;
        };
        match &self.flow.state(at).kind {
            Kind::Queue {
                way_out: Some(prompt),
                ..
            } => Some(WayOut::Prompt(Arc::clone(prompt))),
            Kind::Queue { keys, .. } => keys.first().map(WayOut::Key),
            Kind::Say { .. } | Kind::Menu { .. } | Kind::Forecast { .. } | Kind::HangUp => None,
        }
    }

    fn pressed(&mut self, now: Time, digit: Digit) {
        if matches!(self.state, State::Parting { .. }) {
            // No key leads anywhere any more.
            return self.digits.refuse();
        }
        if !self.digits.press(digit) {
            return;
        }
        let (at, playing) = match self.state {
            State::Saying { at, .. } | State::Prompting { at, .. } => (at, true),
            State::Asking { at, .. } | State::Listening { at, .. } | State::Queued { at, .. } => (at, false),
            State::Created | State::Parting { .. } | State::Over => return,
        };
        let flow = Arc::clone(&self.flow);
        let asking = matches!(self.state, State::Asking { .. });
        let step = match &flow.state(at).kind {
            Kind::Say { bargein: false, .. } | Kind::Forecast { .. } | Kind::HangUp => return,
            Kind::Menu { bargein: false, .. } if playing || asking => return,
            Kind::Say { then, .. } => then.step(),
            Kind::Menu { .. } => self.choose(at),
            Kind::Queue { .. } => match self.key_out(at) {
                Some(target) => {
                    self.outputs.push_back(Output::Wish(Wish::LeaveQueue));
                    Step::Go(target)
                }
                None => return,
            },
        };
        if playing {
            self.outputs.push_back(Output::Stop);
        }
        self.go(now, step);
    }

    /// The current play is over.
    fn played(&mut self, now: Time) {
        let flow = Arc::clone(&self.flow);
        let step = match self.state {
            State::Saying { at, .. } => match &flow.state(at).kind {
                Kind::Say { then, .. } => then.step(),
                _ => return,
            },
            State::Prompting { at, .. } => match &flow.state(at).kind {
                Kind::Menu { .. } if self.digits.waiting() => self.choose(at),
                Kind::Menu { timeout, .. } => Step::Rest(State::Listening {
                    at,
                    until: now + *timeout,
                }),
                _ => return,
            },
            State::Parting { .. } => Step::HangUp,
            State::Created
            | State::Asking { .. }
            | State::Listening { .. }
            | State::Queued { .. }
            | State::Over => return,
        };
        self.go(now, step);
    }

    /// Takes the exit of the queue state at `at` that matches the outcome of its wish.
    fn concluded(&mut self, now: Time, at: StateIndex, outcome: Outcome) {
        let Kind::Queue { exits, .. } = &self.flow.state(at).kind else {
            return;
        };
        let (exit, otherwise) = match outcome {
            Outcome::TimedOut => (exits.timed_out, ALL_BUSY),
            Outcome::Nobody => (exits.nobody, ALL_BUSY),
            Outcome::Failed => (exits.failed, ALL_BUSY),
            // They have been served: nothing to apologise for.
            Outcome::Ended => (exits.ended, GOODBYE),
        };
        self.go(now, exit.map_or(Step::Part(otherwise), Step::Go));
    }

    /// Walks until there is something to wait for. Ends: [`MOST_STATES`] bounds the states entered without a key
    /// that matches, and each key that matches takes one of the digits waiting.
    fn go(&mut self, now: Time, mut step: Step) {
        self.state = loop {
            step = match step {
                Step::Go(at) => self.enter(now, at),
                Step::Part(words) => {
                    let (play, until) = self.play(now, [Arc::from(words)].into());
                    break State::Parting { words, play, until };
                }
                Step::HangUp => {
                    self.outputs.push_back(Output::HangUp);
                    break State::Over;
                }
                Step::Rest(state) => break state,
            };
        };
    }

    fn enter(&mut self, now: Time, at: StateIndex) -> Step {
        self.entered += 1;
        if self.entered > MOST_STATES {
            return Step::Part(GOODBYE);
        }
        let flow = Arc::clone(&self.flow);
        match &flow.state(at).kind {
            // Digits are waiting that would cut the prompts: they are not started.
            Kind::Say {
                bargein: true, then, ..
            } if self.digits.waiting() => then.step(),
            Kind::Say { prompts, .. } => self.say(now, at, prompts),
            Kind::Menu { bargein: true, .. } if self.digits.waiting() => self.choose(at),
            Kind::Menu { prompts, .. } => self.say(now, at, prompts),
            Kind::Forecast { queue, .. } => self.look_up(now, at, [queue.clone()].into()),
            Kind::Queue { queue, .. } => match self.key_out(at) {
                // Pressed before they got there, by someone who knows the way: no place is taken at all.
                Some(target) => Step::Go(target),
                None => {
                    self.wishes += 1;
                    let wish = WishId(self.wishes);
                    self.outputs.push_back(Output::Wish(Wish::Enqueue {
                        wish,
                        queue: queue.clone(),
                    }));
                    Step::Rest(State::Queued { at, wish })
                }
            },
            Kind::HangUp => Step::HangUp,
        }
    }

    /// The menu at `at` takes one digit.
    fn choose(&mut self, at: StateIndex) -> Step {
        let flow = Arc::clone(&self.flow);
        let Kind::Menu { keys, exits, .. } = &flow.state(at).kind else {
            return Step::HangUp;
        };
        match self.digits.take(keys) {
            Some(target) => {
                self.matched();
                Step::Go(target)
            }
            None => self.missed(at, exits.nomatch),
        }
    }

    /// The queue at `at` takes digits until one leads out. One that does not is counted; the caller waits on.
    fn key_out(&mut self, at: StateIndex) -> Option<StateIndex> {
        let flow = Arc::clone(&self.flow);
        let Kind::Queue { keys, .. } = &flow.state(at).kind else {
            return None;
        };
        while self.digits.waiting() {
            if let Some(target) = self.digits.take(keys) {
                self.matched();
                return Some(target);
            }
        }
        None
    }

    /// A key led somewhere: there is somebody, and they know what they want.
    fn matched(&mut self) {
        self.misses.fill(0);
        self.entered = 0;
    }

    /// No key, or a wrong one, at the menu at `at`.
    fn missed(&mut self, at: StateIndex, exit: Option<StateIndex>) -> Step {
        let misses = &mut self.misses[at.0];
        *misses += 1;
        if *misses > MOST_REPEATS {
            Step::Part(GOODBYE)
        } else {
            Step::Go(exit.unwrap_or(at))
        }
    }

    fn play(&mut self, now: Time, prompts: Arc<[Arc<str>]>) -> (PlayId, Time) {
        self.plays += 1;
        let play = PlayId(self.plays);
        self.outputs.push_back(Output::Play { play, prompts });
        (play, now + LONGEST_PLAY)
    }
}

impl Then {
    fn step(self) -> Step {
        match self {
            Then::Next(next) => Step::Go(next),
            Then::HangUp => Step::HangUp,
        }
    }
}
