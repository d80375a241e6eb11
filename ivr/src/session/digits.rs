//! The type-ahead buffer, and the account of every digit.

use std::collections::VecDeque;

use pronto_types::Digit;

use crate::script::{Keys, StateIndex};

/// How many digits may wait: more than any flow asks for, far less than a hostile phone can send.
const MOST_WAITING: usize = 32;

/// Counts of the digits of one session, by outcome: `pressed` is always the sum of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DigitCount {
    /// All of them.
    pub pressed: u64,
    /// Led out of a menu or queue.
    pub matched: u64,
    /// Taken by a menu or queue that has no such key.
    pub nomatch: u64,
    /// Still wait for a menu or queue.
    pub waiting: u64,
    /// Pressed while 32 others were waiting, during the last words, or after the end.
    pub refused: u64,
}

/// Digits in the order they were pressed, until a state takes them.
#[derive(Debug, Default)]
pub(super) struct Digits {
    waiting: VecDeque<Digit>,
    matched: u64,
    nomatch: u64,
    refused: u64,
}

impl Digits {
    /// Lets a digit wait; `false` if there is no room.
    pub(super) fn press(&mut self, digit: Digit) -> bool {
        let room = self.waiting.len() < MOST_WAITING;
        if room {
            self.waiting.push_back(digit);
        } else {
            self.refuse();
        }
        room
    }

    /// Counts a digit that no state will take.
    pub(super) fn refuse(&mut self) {
        self.refused = self.refused.saturating_add(1);
    }

    pub(super) fn waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The first digit waiting meets these keys; where it leads, if anywhere.
    pub(super) fn take(&mut self, keys: &Keys) -> Option<StateIndex> {
        let digit = self.waiting.pop_front()?;
        let target = keys.target(digit);
        let count = if target.is_some() {
            &mut self.matched
        } else {
            &mut self.nomatch
        };
        *count = count.saturating_add(1);
        target
    }

    pub(super) fn count(&self) -> DigitCount {
        let (matched, nomatch, refused) = (self.matched, self.nomatch, self.refused);
        let waiting = u64::try_from(self.waiting.len()).unwrap_or(u64::MAX);
        let pressed = [matched, nomatch, waiting, refused]
            .into_iter()
            .fold(0, u64::saturating_add);
        DigitCount {
            pressed,
            matched,
            nomatch,
            waiting,
            refused,
        }
    }
}
