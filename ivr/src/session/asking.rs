//! Forecasts: asked for when a state that needs them is entered; its prompts begin, or the flow goes on, with the answer.
//!
//! ```text
//!   enter ── LookUp ──▶ Asking ──found──▶ the prompts with what is known, or the branch
//!                         │ 500 ms: nothing is known
//!                         │ a key that would cut the prompts: where it leads
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use pronto_types::{Forecast, QueueName, Time};

use super::{LookId, Output, Session, State, Step};
use crate::script::{Kind, Prompts, StateIndex};
use crate::speak;

/// How long an answer is waited for: a caller who hears nothing for longer takes the line for dead.
const PATIENCE: Duration = Duration::from_millis(500);

impl Session {
    /// Asks for what the prompts of a state say; with no forecast among them, says them.
    pub(super) fn say(&mut self, now: Time, at: StateIndex, prompts: &Prompts) -> Step {
        if prompts.forecasts.is_empty() {
            return self.begin(now, at, Arc::clone(&prompts.names));
        }
        let queues: BTreeSet<&QueueName> = prompts.forecasts.iter().map(|(_, queue)| queue).collect();
        self.look_up(now, at, queues.into_iter().cloned().collect())
    }

    pub(super) fn look_up(&mut self, now: Time, at: StateIndex, queues: Arc<[QueueName]>) -> Step {
        self.looks += 1;
        let (look, until) = (LookId(self.looks), now + PATIENCE);
        self.outputs.push_back(Output::LookUp { look, queues });
        Step::Rest(State::Asking { at, look, until })
    }

    /// Continues the state at `at` with the forecasts it asked for, as far as they are known.
    pub(super) fn found(&mut self, now: Time, at: StateIndex, forecasts: &BTreeMap<QueueName, Forecast>) {
        let flow = Arc::clone(&self.flow);
        let step = match &flow.state(at).kind {
            Kind::Say { prompts, .. } | Kind::Menu { prompts, .. } => {
                let words = self.words(prompts, forecasts);
                self.begin(now, at, words)
            }
            Kind::Forecast {
                queue,
                quantile,
                limit,
                exits,
            } => Step::Go(match forecasts.get(queue) {
                None => exits.unknown,
                Some(forecast) if forecast.at(*quantile) > *limit => exits.longer,
                Some(_) => exits.next,
            }),
            Kind::Queue { .. } | Kind::HangUp => return,
        };
        self.go(now, step);
    }

    /// The prompts with the forecasts that are known and can be said in their places.
    fn words(&self, prompts: &Prompts, known: &BTreeMap<QueueName, Forecast>) -> Arc<[Arc<str>]> {
        let mut words = Vec::new();
        let mut forecasts = prompts.forecasts.iter().peekable();
        for place in 0..=prompts.names.len() {
            while let Some((_, queue)) = forecasts.next_if(|(before, _)| *before == place) {
                let said = speak::Announcement {
                    wait: known.get(queue).and_then(|forecast| forecast.said()),
                    ..speak::Announcement::default()
                };
                words.extend(said.clips(self.language));
            }
            words.extend(prompts.names.get(place).cloned());
        }
        words.into()
    }

    /// Plays what a state says; where nothing of it is known, that is over already.
    fn begin(&mut self, now: Time, at: StateIndex, words: Arc<[Arc<str>]>) -> Step {
        let flow = Arc::clone(&self.flow);
        match &flow.state(at).kind {
            Kind::Say { then, .. } if words.is_empty() => then.step(),
            Kind::Say { .. } => {
                let (play, until) = self.play(now, words);
                Step::Rest(State::Saying { at, play, until })
            }
            // A menu has a prompt that is always said.
            _ => {
                let (play, until) = self.play(now, words);
                Step::Rest(State::Prompting { at, play, until })
            }
        }
    }
}
