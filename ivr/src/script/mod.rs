//! A flow: a flat TOML map of states, in the vocabulary of VoiceXML.
//!
//! ```toml
//! start = "main"
//! [main]                            # a menu: says its prompts, waits for one key
//! menu = ["main-menu"]
//! keys = { 1 = "support", "*" = "bye" }
//! timeout = "5s"                    # noinput, counted from the end of the prompts; default 5s
//! noinput = "support"               # omitted: the menu again
//! nomatch = "main"                  # omitted: the menu again
//! [support]                         # a queue: the caller waits in it, then talks
//! queue = "support"
//! keys = { 9 = "main" }             # at any moment while waiting
//! way_out = "leave-a-message"       # says what the keys lead to, when the wait grows; omitted: "… or press nine …"
//! timed_out = "sorry"               # this and the next two omitted: `all-busy`, then hangs up
//! nobody = "sorry"
//! failed = "sorry"
//! ended = "bye"                     # after the talk; omitted: `goodbye`, then hangs up
//! [sorry]                           # a say: its prompts, then `next` or `hangup = true`
//! say = ["all-busy"]
//! next = "bye"
//! [bye]
//! hangup = true
//! [how-long]                        # a forecast: goes on by the wait of who would join the queue now; says nothing
//! forecast = "support"
//! limit = "10m"
//! quantile = "p80"                  # which wait is compared: half wait no longer (p50), eight of ten (omitted), nine (p90)
//! longer = "sorry"                  # above the limit
//! unknown = "support"               # no forecast: nobody signed in, waits do not come as forecast, queue away; omitted: `next`
//! next = "support"
//! ```
//!
//! Among the prompts of a say or a menu `{ forecast = "support" }` says that wait: `menu = ["for-support", { forecast =
//! "support" }, "for-sales", { forecast = "sales" }]`. One that is not known, or longer than can be said, is left out.
//!
//! A key cuts the prompts of a say or menu state (`bargein`, true where not written), except the last words of a
//! call: a say state that hangs up is heard out, unless it says `bargein = true`. Where `bargein = false`, keys
//! wait until the prompts have ended; none is lost.
//!
//! No call is endless: a menu is said again at most three times in a row without a key that matches, wherever its
//! `noinput` and `nomatch` lead in between; then `goodbye` is said and the call ends.
//!
//! Reading a flow reports all that is wrong at once, each [`Problem`] with its place in the text. Whether the
//! prompts and queues it names exist is for the configuration to check: [`Script::prompts`], [`Script::queues`].

mod check;
mod keys;
mod read;
#[cfg(test)]
mod tests;
mod values;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use pronto_config::Problem;
use pronto_types::{Digit, Quantile, QueueName};

pub use keys::{FLOW, STATES};

/// The largest flow we read, in bytes of TOML.
pub const MOST_BYTES: usize = 256 * 1024;
/// The most states of one flow.
pub const MOST_STATES: usize = 500;
/// The most prompts one state says.
pub const MOST_PROMPTS: usize = 32;

/// A flow that was read and checked: every name leads to a state, every state leads somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    states: Vec<State>,
    start: StateIndex,
    mentions: Mentions,
    warnings: Vec<Problem>,
}

impl Script {
    /// Reads and checks a flow.
    ///
    /// # Errors
    /// Everything that is wrong with it, in the order of the text; where the text is not even TOML, only that.
    pub fn parse(source: &str) -> Result<Self, Vec<Problem>> {
        read::flow(source)
    }

    /// Mistakes that are legal but surely not meant (a state nothing leads to), in the order of the text.
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// Each prompt the flow names and where (bytes of the source), in the order of the text. A prompt named
    /// twice comes twice.
    pub fn prompts(&self) -> impl Iterator<Item = (&str, Range<usize>)> {
        self.mentions
            .prompts
            .iter()
            .map(|(name, span)| (&**name, span.clone()))
    }

    /// Each queue the flow names and where (bytes of the source), in the order of the text. A queue named
    /// twice comes twice.
    pub fn queues(&self) -> impl Iterator<Item = (&QueueName, Range<usize>)> {
        self.mentions
            .queues
            .iter()
            .map(|(name, span)| (name, span.clone()))
    }

    /// Each queue whose forecast the flow asks for and where, as [`Script::queues`].
    pub fn forecasts(&self) -> impl Iterator<Item = (&QueueName, Range<usize>)> {
        self.mentions
            .forecasts
            .iter()
            .map(|(name, span)| (name, span.clone()))
    }

    /// The names of its states, in the order of the text.
    pub fn states(&self) -> impl Iterator<Item = &str> {
        self.states.iter().map(|state| &*state.name)
    }

    pub(crate) fn start(&self) -> StateIndex {
        self.start
    }

    pub(crate) fn state(&self, at: StateIndex) -> &State {
        &self.states[at.0]
    }

    pub(crate) fn len(&self) -> usize {
        self.states.len()
    }
}

/// A state's place in its flow; made only by reading, so it is always within.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StateIndex(pub(crate) usize);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) name: Arc<str>,
    pub(crate) kind: Kind,
}

/// The action of a state, with its exits. An exit that is `None` was omitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Say {
        prompts: Prompts,
        bargein: bool,
        then: Then,
    },
    Menu {
        prompts: Prompts,
        bargein: bool,
        keys: Keys,
        timeout: Duration,
        exits: MenuExits,
    },
    Queue {
        queue: QueueName,
        keys: Keys,
        way_out: Option<Arc<str>>,
        exits: QueueExits,
    },
    Forecast {
        queue: QueueName,
        quantile: Quantile,
        limit: Duration,
        exits: ForecastExits,
    },
    HangUp,
}

/// Prompts and forecasts that are said in one go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Prompts {
    /// Shared with the outputs that say them.
    pub(crate) names: Arc<[Arc<str>]>,
    /// The forecasts said among them, in order: before which name, by its place, and of which queue.
    pub(crate) forecasts: Arc<[(usize, QueueName)]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    Next(StateIndex),
    HangUp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MenuExits {
    pub(crate) noinput: Option<StateIndex>,
    pub(crate) nomatch: Option<StateIndex>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct QueueExits {
    pub(crate) timed_out: Option<StateIndex>,
    pub(crate) nobody: Option<StateIndex>,
    pub(crate) failed: Option<StateIndex>,
    pub(crate) ended: Option<StateIndex>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ForecastExits {
    pub(crate) longer: StateIndex,
    pub(crate) unknown: StateIndex,
    pub(crate) next: StateIndex,
}

/// Where each key of the keypad leads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Keys([Option<StateIndex>; 16]);

impl Keys {
    pub(crate) fn target(&self, digit: Digit) -> Option<StateIndex> {
        self.0[usize::from(digit.event())]
    }

    /// Gives the key a target, and back the one it had.
    fn set(&mut self, digit: Digit, target: StateIndex) -> Option<StateIndex> {
        self.0[usize::from(digit.event())].replace(target)
    }

    /// The first key that leads somewhere and that every phone has.
    pub(crate) fn first(&self) -> Option<Digit> {
        let keys = (0..12).filter_map(Digit::from_event);
        keys.into_iter().find(|key| self.target(*key).is_some())
    }

    fn is_empty(&self) -> bool {
        self.targets().next().is_none()
    }

    fn targets(&self) -> impl Iterator<Item = StateIndex> {
        self.0.iter().copied().flatten()
    }
}

/// The names a flow uses but does not define, each with its place in the text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Mentions {
    prompts: Vec<(Arc<str>, Range<usize>)>,
    queues: Vec<(QueueName, Range<usize>)>,
    forecasts: Vec<(QueueName, Range<usize>)>,
}
