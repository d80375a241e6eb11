//! An index of deadlines, for a core that has many and says when it is to be woken next.

use std::collections::BTreeSet;

use crate::Time;

/// Deadlines with their keys, the earliest first. A key may have several. Deadlines of the same time come in the order of
/// their keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deadlines<K>(BTreeSet<(Time, K)>);

impl<K> Default for Deadlines<K> {
    fn default() -> Self {
        Deadlines(BTreeSet::new())
    }
}

impl<K: Ord + Clone> Deadlines<K> {
    /// The earliest deadline; `None` if there is no deadline.
    pub fn first(&self) -> Option<Time> {
        self.0.first().map(|(at, _)| *at)
    }

    /// The earliest deadline with its key.
    pub fn peek(&self) -> Option<(Time, &K)> {
        self.0.first().map(|(at, key)| (*at, key))
    }

    /// The deadlines that have come by `now`, the earliest first.
    pub fn due(&self, now: Time) -> impl Iterator<Item = (Time, &K)> {
        let is_due = move |deadline: &&(Time, K)| deadline.0 <= now;
        self.0.iter().take_while(is_due).map(|(at, key)| (*at, key))
    }

    /// Adds a deadline. A second one with the same time and key changes nothing.
    pub fn insert(&mut self, at: Time, key: K) {
        self.0.insert((at, key));
    }

    /// Removes a deadline; whether it was there.
    pub fn remove(&mut self, at: Time, key: &K) -> bool {
        self.0.remove(&(at, key.clone()))
    }

    /// Moves the one deadline of a key to `at`, or cancels it. `slot` is where the key's owner notes it: it says what is in the index,
    /// so its owner clears it after [`Deadlines::pop_due`].
    pub fn reset(&mut self, slot: &mut Option<Time>, at: Option<Time>, key: &K) {
        if *slot == at {
            return;
        }
        if let Some(before) = std::mem::replace(slot, at) {
            self.remove(before, key);
        }
        if let Some(at) = at {
            self.insert(at, key.clone());
        }
    }

    /// Removes and returns the earliest deadline that has come by `now`; `None` if none has.
    pub fn pop_due(&mut self, now: Time) -> Option<(Time, K)> {
        if self.first()? > now {
            return None;
        }
        self.0.pop_first()
    }

    /// The number of deadlines.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no deadline.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Time {
        Time::from_secs(second)
    }

    #[test]
    fn deadlines_come_in_order_and_only_once_they_are_due() {
        let mut deadlines = Deadlines::default();
        for (second, key) in [(3, "c"), (1, "b"), (1, "a")] {
            deadlines.insert(at(second), key);
        }
        assert_eq!(deadlines.first(), Some(at(1)));
        assert_eq!(deadlines.peek(), Some((at(1), &"a")));
        assert_eq!(
            deadlines.due(at(2)).map(|(_, key)| *key).collect::<String>(),
            "ab"
        );
        assert_eq!(deadlines.pop_due(at(0)), None);
        assert_eq!(deadlines.pop_due(at(2)), Some((at(1), "a")));
        assert_eq!(deadlines.pop_due(at(2)), Some((at(1), "b")));
        assert_eq!(deadlines.pop_due(at(2)), None);
        assert_eq!((deadlines.len(), deadlines.is_empty()), (1, false));
    }

    #[test]
    fn a_key_whose_deadline_moves_has_one_deadline_and_none_once_it_is_cancelled() {
        let (mut deadlines, mut slot) = (Deadlines::default(), None);
        for second in [5, 2, 2, 9] {
            deadlines.reset(&mut slot, Some(at(second)), &7);
            assert_eq!(
                (slot, deadlines.first(), deadlines.len()),
                (Some(at(second)), Some(at(second)), 1)
            );
        }
        deadlines.reset(&mut slot, None, &7);
        assert_eq!((slot, deadlines.first()), (None, None));
        // One that came is in the index again once it is set to the same time.
        deadlines.reset(&mut slot, Some(at(4)), &7);
        assert_eq!(deadlines.pop_due(at(4)), Some((at(4), 7)));
        slot = None;
        deadlines.reset(&mut slot, Some(at(4)), &7);
        assert_eq!(deadlines.pop_due(at(4)), Some((at(4), 7)));
        deadlines.insert(at(1), 7);
        assert!(!deadlines.remove(at(1), &8));
        assert!(deadlines.remove(at(1), &7));
        assert!(deadlines.is_empty());
    }
}
