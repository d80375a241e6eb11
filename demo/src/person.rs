//! Messages between a person and their phone, and the notes about both for the world.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use pronto_types::{Digit, Time};
use std::time::Duration;

use crate::ear::Listening;
use crate::voice::Speaker;

/// An event that the phone reports to its person.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Happened {
    /// The phone is registered.
    Registered,
    /// The phone rings for an incoming call.
    Rung,
    /// The call we made was answered.
    Answered,
    /// The call we made was refused, with this status.
    Refused(u16),
    /// The call is over, and not by us; or what rang has stopped.
    Over {
        /// Statistics of the audio heard, if the call had been answered.
        heard: Option<Listening>,
    },
    /// The call we ended is over on the other side too.
    Released {
        /// Statistics of the audio heard, if the call had been answered.
        heard: Option<Listening>,
    },
    /// Somebody's voice is heard.
    Voice(Speaker),
    /// The day ends: no new calls, and what is up ends by then.
    Closing(Time),
}

/// An action of a person with the phone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Deed {
    /// Dials this number.
    Dial(&'static str),
    /// Presses a key.
    Press(Digit),
    /// Takes the call that rings.
    Answer,
    /// Declines the call that rings: 603.
    Decline,
    /// Puts the receiver down.
    HangUp,
    /// Expects music or a voice from now on: silence would be remarkable.
    Attend,
    /// Something for the books.
    Tell(Note),
}

/// A request of an operator to the queue, by gRPC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wish {
    /// To be offered no calls.
    Pause,
    /// To be offered calls again.
    Ready,
}

/// The current activity of a caller.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Phase {
    /// Not on the phone.
    Resting,
    /// Dialled, or choosing in the menu.
    Menu,
    /// Has pressed the key, and hears music.
    Waiting,
    /// Hears an operator.
    Talking,
}

/// How a call ended, as its caller saw it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It was refused with this status; 408 for no answer at all.
    Refused(u16),
    /// The caller's patience ended.
    Abandoned {
        /// From the last key to the hang-up.
        waited: Duration,
    },
    /// An operator was heard.
    Talked {
        /// From the last key to the first word.
        waited: Duration,
        /// The operator's number.
        operator: usize,
        /// The caller ended the talk.
        by_caller: bool,
    },
    /// The centre ended the call before any operator was heard.
    SentAway {
        /// From the last key to the end.
        waited: Duration,
    },
}

/// The outcome of an offered call, as its operator saw it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Offer {
    /// The operator answered, and the call was connected.
    Talked {
        /// Duration of the talk.
        talked: Duration,
        /// The caller whose voice was heard, if one was.
        caller: Option<usize>,
        /// The operator ended the talk.
        by_operator: bool,
    },
    /// It stopped ringing before anybody answered.
    Missed,
    /// The operator declined the call.
    Declined,
}

/// A note about a person, for the books.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Note {
    /// An operator's phone is registered.
    SignedIn {
        /// The number of the operator, from 0.
        operator: usize,
    },
    /// A caller does something else now.
    Caller {
        /// The number of the caller, from 0.
        caller: usize,
        /// The phase that begins now.
        phase: Phase,
    },
    /// A call is over for its caller.
    Called {
        /// The number of the caller, from 0.
        caller: usize,
        /// The outcome of the call.
        outcome: Outcome,
        /// Statistics of the audio the caller heard, if the call was answered.
        heard: Option<Listening>,
    },
    /// An offer is over for its operator.
    Offered {
        /// The number of the operator, from 0.
        operator: usize,
        /// The outcome of the offer.
        offer: Offer,
        /// Statistics of the audio the operator heard, if they answered.
        heard: Option<Listening>,
    },
    /// An operator asks the queue for something.
    Wished {
        /// The number of the operator, from 0.
        operator: usize,
        /// The request to the queue.
        wish: Wish,
    },
    /// Somebody has nothing left to do, now that the day ends.
    Gone {
        /// The person who is done.
        who: Speaker,
    },
}

/// Somebody at a phone.
pub(crate) trait Person {
    /// The person's identity as a speaker.
    fn speaker(&self) -> Speaker;
    /// The phone says something.
    fn handle(&mut self, now: Time, happened: Happened);
    /// A deadline passed.
    fn handle_timeout(&mut self, now: Time);
    /// Takes the next deed; drained to `None` after each of the above.
    fn poll_deed(&mut self) -> Option<Deed>;
    /// When to call [`Person::handle_timeout`].
    fn poll_timeout(&self) -> Option<Time>;
}
