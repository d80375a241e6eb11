//! One press of a key is one key, by however many ways it is told.
//!
//! A phone may tell a press as RTP events, by INFO and as tones at once, each after its own delay. A key told by one way is
//! matched with the earliest press of that key that this way has not told yet; what a way tells twice is two presses.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::VecDeque;
use std::time::Duration;

use pronto_types::{Digit, Time};

/// How a key was told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// In the media: as RTP events or as tones.
    Media = 1,
    /// In the signalling, by INFO.
    Signalling = 2,
    /// As tones, where events are told apart from them.
    Tones = 4,
}

/// How far apart two ways may tell one press.
const APART: Duration = Duration::from_secs(2);
/// Presses remembered; a keypad makes fewer within that time.
const REMEMBERED: usize = 64;

/// The last presses of one phone.
#[derive(Clone, Debug, Default)]
pub struct Presses {
    recent: VecDeque<Press>,
}

#[derive(Clone, Copy, Debug)]
struct Press {
    digit: Digit,
    at: Time,
    /// The ways that have told it, as bits.
    told: u8,
}

impl Presses {
    /// A key was told; `held` is how long it has been down already. Whether it is a press that no other way has told.
    pub fn is_new(&mut self, now: Time, digit: Digit, way: Way, held: Duration) -> bool {
        let window = APART + held;
        let way = way as u8;
        let same = |press: &&mut Press| {
            press.digit == digit && press.told & way == 0 && now.since(press.at) <= window
        };
        if let Some(press) = self.recent.iter_mut().find(same) {
            press.told |= way;
            return false;
        }
        while self
            .recent
            .front()
            .is_some_and(|press| now.since(press.at) > APART * 32)
        {
            self.recent.pop_front();
        }
        if self.recent.len() == REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back(Press {
            digit,
            at: now,
            told: way,
        });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(told: &[(u64, char, Way)]) -> String {
        let mut presses = Presses::default();
        let new = |(ms, key, way): &(u64, char, Way)| {
            let now = Time::ZERO + Duration::from_millis(*ms);
            let digit = Digit::from_char(*key).unwrap();
            presses.is_new(now, digit, *way, Duration::ZERO).then_some(*key)
        };
        told.iter().filter_map(new).collect()
    }

    #[test]
    fn what_two_ways_tell_is_one_press_and_what_one_way_tells_twice_is_two() {
        use Way::{Media, Signalling, Tones};
        assert_eq!(keys(&[(0, '1', Media), (80, '1', Signalling)]), "1");
        assert_eq!(keys(&[(0, '1', Signalling), (900, '1', Media)]), "1");
        assert_eq!(
            keys(&[(0, '1', Media), (80, '1', Signalling), (90, '1', Tones)]),
            "1"
        );
        assert_eq!(keys(&[(0, '1', Media), (200, '1', Media)]), "11");
        let fast = [
            (0, '1', Media),
            (200, '1', Media),
            (400, '2', Media),
            (600, '1', Signalling),
            (700, '1', Signalling),
            (800, '2', Signalling),
        ];
        assert_eq!(keys(&fast), "112", "the signalling is late");
        assert_eq!(keys(&[(0, '1', Media), (3_000, '1', Signalling)]), "11");
    }

    #[test]
    fn a_key_that_was_held_is_told_by_its_length() {
        let mut presses = Presses::default();
        let digit = Digit::from_char('#').unwrap();
        assert!(presses.is_new(Time::ZERO, digit, Way::Media, Duration::ZERO));
        let released = Time::from_secs(5);
        assert!(!presses.is_new(released, digit, Way::Signalling, Duration::from_secs(5)));
    }
}
