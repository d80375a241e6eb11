//! The assignment of legs to media threads.

use std::collections::BTreeMap;

use crate::LegId;

/// Legs and groups by thread. A new group goes to the thread with the fewest legs, a known one to its own.
#[derive(Debug)]
pub(super) struct Routes {
    legs: BTreeMap<LegId, u64>,
    groups: BTreeMap<u64, Group>,
    load: Vec<usize>,
}

#[derive(Debug)]
struct Group {
    thread: usize,
    legs: usize,
}

impl Routes {
    pub(super) fn new(threads: usize) -> Self {
        Routes {
            legs: BTreeMap::new(),
            groups: BTreeMap::new(),
            load: vec![0; threads],
        }
    }

    /// A place for a new leg; `None` if there is one of that name.
    pub(super) fn open(&mut self, leg: LegId, group: u64) -> Option<usize> {
        if self.legs.contains_key(&leg) {
            return None;
        }
        let least = || {
            self.load
                .iter()
                .enumerate()
                .min_by_key(|(_, load)| **load)
                .map_or(0, |(thread, _)| thread)
        };
        let group_entry = self.groups.entry(group).or_insert_with(|| Group {
            thread: least(),
            legs: 0,
        });
        group_entry.legs += 1;
        let thread = group_entry.thread;
        self.legs.insert(leg, group);
        self.load[thread] += 1;
        Some(thread)
    }

    /// The number of legs that a thread serves.
    pub(super) fn legs(&self, thread: usize) -> usize {
        self.load.get(thread).copied().unwrap_or(0)
    }

    /// Forgets a leg and tells which thread has it.
    pub(super) fn close(&mut self, leg: LegId) -> Option<usize> {
        let group = self.legs.remove(&leg)?;
        let entry = self.groups.get_mut(&group)?;
        let thread = entry.thread;
        self.load[thread] -= 1;
        entry.legs -= 1;
        if entry.legs == 0 {
            self.groups.remove(&group);
        }
        Some(thread)
    }

    /// The thread that serves a leg; `None` if the leg is not open.
    pub(super) fn thread(&self, leg: LegId) -> Option<usize> {
        self.legs
            .get(&leg)
            .and_then(|group| self.groups.get(group))
            .map(|group| group.thread)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_stays_together_and_groups_spread() {
        let mut routes = Routes::new(2);
        assert_eq!(routes.open(LegId(1), 7), Some(0));
        assert_eq!(routes.open(LegId(2), 7), Some(0));
        assert_eq!(routes.open(LegId(3), 8), Some(1));
        assert_eq!(routes.open(LegId(3), 9), None);
        assert_eq!(routes.open(LegId(4), 9), Some(1));
        assert_eq!(routes.close(LegId(1)), Some(0));
        assert_eq!(routes.open(LegId(5), 7), Some(0), "the group is still there");
        for leg in [2, 3, 4, 5] {
            assert!(routes.close(LegId(leg)).is_some());
        }
        assert_eq!(
            (routes.legs.len(), routes.groups.len(), routes.load.as_slice()),
            (0, 0, &[0, 0][..])
        );
        assert_eq!(routes.thread(LegId(2)), None);
    }
}
