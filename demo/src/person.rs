//! What a person and their phone say to each other, and what the world is told about both.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use pronto_types::{Digit, Time};

use crate::caller::Outcome;
use crate::ear::Listening;
use crate::operator::Offer;
use crate::voice::Speaker;

/// What the phone tells its person.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Happened {
    /// The phone is registered.
    Registered,
    /// It rings.
    Rung,
    /// The call we made was answered.
    Answered,
    /// The call we made was refused, with this status.
    Refused(u16),
    /// The call is over, and not by us; or what rang has stopped.
    Over {
        /// What was heard, if it had been answered.
        heard: Option<Listening>,
    },
    /// The call we ended is over on the other side too.
    Released {
        /// What was heard, if it had been answered.
        heard: Option<Listening>,
    },
    /// Somebody's voice is heard.
    Voice(Speaker),
    /// The day ends: no new calls, and what is up ends by then.
    Closing(Time),
}

/// What a person does with the phone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Deed {
    /// Dials.
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

/// What an operator asks of the queue, by gRPC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wish {
    /// To be offered no calls.
    Pause,
    /// To be offered calls again.
    Ready,
}

/// What a caller is doing.
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

/// What happened to a person, for the books.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Note {
    /// An operator's phone is registered.
    SignedIn {
        /// Which operator.
        operator: usize,
    },
    /// A caller does something else now.
    Caller {
        /// Which caller.
        caller: usize,
        /// What.
        phase: Phase,
    },
    /// A call is over for its caller.
    Called {
        /// Which caller.
        caller: usize,
        /// How.
        outcome: Outcome,
        /// What the caller heard, if the call was answered.
        heard: Option<Listening>,
    },
    /// An offer is over for its operator.
    Offered {
        /// Which operator.
        operator: usize,
        /// How.
        offer: Offer,
        /// What the operator heard, if they answered.
        heard: Option<Listening>,
    },
    /// An operator asks the queue for something.
    Wished {
        /// Which operator.
        operator: usize,
        /// What.
        wish: Wish,
    },
    /// Somebody has nothing left to do, now that the day ends.
    Gone {
        /// Who.
        who: Speaker,
    },
}

/// Somebody at a phone.
pub(crate) trait Person {
    /// Who speaks here.
    fn speaker(&self) -> Speaker;
    /// The phone says something.
    fn handle(&mut self, now: Time, happened: Happened);
    /// A deadline passed.
    fn handle_timeout(&mut self, now: Time);
    /// What to do next; drained to `None` after each of the above.
    fn poll_deed(&mut self) -> Option<Deed>;
    /// When to call [`Person::handle_timeout`].
    fn poll_timeout(&self) -> Option<Time>;
}
