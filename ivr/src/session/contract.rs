//! What goes into a session and what comes out.

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

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The caller can hear us.
    Start,
    /// The caller pressed a key.
    Digit(Digit),
    /// The last prompt of this play was heard to its end. Of a play that was stopped or replaced: ignored.
    PlayFinished(PlayId),
    /// What became of a wish. Of a wish that is over: ignored.
    Outcome {
        /// Which wish.
        wish: WishId,
        /// What became of it.
        outcome: Outcome,
    },
    /// What is known of the forecasts asked for. Of a look that is over: ignored.
    Found {
        /// Which look.
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

/// What is to be done, in this order.
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
        /// Of which queues, each once.
        queues: Arc<[QueueName]>,
    },
    /// Something beyond the caller's ears and keys.
    Wish(Wish),
    /// The flow is over: hang up. Nothing follows.
    HangUp,
}

/// What a flow wants from the rest of the house.
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
