//! Inputs and outputs of a session.

use std::collections::BTreeMap;
use std::sync::Arc;

use pronto_types::{Digit, Forecast, QueueName};

/// One thing being played, numbered within its session from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlayId(pub u64);

/// One wish, numbered within its session from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WishId(pub u64);

/// One look at the forecasts, numbered within its session from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LookId(pub u64);

/// An event reported to the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The caller can hear us.
    Start,
    /// The caller pressed a key.
    Digit(Digit),
    /// The last prompt of this play was heard to its end. Of a play that was stopped or replaced: ignored.
    PlayFinished(PlayId),
    /// The outcome of a wish. Ignored if the wish is over.
    Outcome {
        /// The number of the wish.
        wish: WishId,
        /// The outcome of the wish.
        outcome: Outcome,
    },
    /// The known ones of the forecasts asked for. Ignored if the look is over.
    Found {
        /// The number of the look.
        look: LookId,
        /// Those that are known.
        forecasts: BTreeMap<QueueName, Forecast>,
    },
    /// The caller is gone: no output follows, and those not yet taken are dropped.
    HungUp,
}

/// How a place in a queue ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The caller waited as long as the queue allows.
    TimedOut,
    /// Nobody is there to answer.
    Nobody,
    /// The queue could not take the caller, or is away.
    Failed,
    /// The talk is over and the caller is still there.
    Ended,
}

/// A command of the session, to be carried out in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Play these prompts one after the other, then report [`Input::PlayFinished`]. Only one play at a time.
    Play {
        /// The number of this play.
        play: PlayId,
        /// Their names, in the library's sense.
        prompts: Arc<[Arc<str>]>,
    },
    /// Cut the audio of the current play now.
    Stop,
    /// Say what the forecasts of these queues are, by [`Input::Found`]: within 500 ms, or none is known. Nothing is played
    /// meanwhile.
    LookUp {
        /// The number of this look.
        look: LookId,
        /// The queues whose forecasts are asked for, each once.
        queues: Arc<[QueueName]>,
    },
    /// Something beyond the caller's ears and keys.
    Wish(Wish),
    /// The flow is over: hang up. Nothing follows.
    HangUp,
}

/// A request of a flow to the rest of the house.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// A place in a queue, with its music. Suspends the session until the outcome.
    Enqueue {
        /// The number of this wish.
        wish: WishId,
        /// The queue's name, as the flow gives it.
        queue: QueueName,
    },
    /// A key led out of the queue: give up the place of the last [`Wish::Enqueue`] and cut its music.
    LeaveQueue,
}

/// How a waiting caller is told what else there is than to wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WayOut {
    /// This key leads out of the queue.
    Key(Digit),
    /// This prompt of the flow says it.
    Prompt(Arc<str>),
}
