//! The callers of a queue in their order, so that a position is found without counting them one by one.

use pronto_types::TicketId;

/// Ranks to a block, at most: a block is moved in one go, blocks are counted one by one, and 10,000 callers are some
/// eighty of them.
const BLOCK: usize = 256;

/// A ticket's place in the order of service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ranked {
    pub(crate) rank: pronto_routing::Rank,
    pub(crate) ticket: TicketId,
}

/// A sorted set of ranks, in blocks none of which is empty. Where one block ends and the next begins depends on what
/// came and went, and nothing depends on it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ranking {
    blocks: Vec<Vec<Ranked>>,
}

impl Ranking {
    /// Takes up a rank.
    pub(crate) fn insert(&mut self, rank: Ranked) {
        let at = self.block_of(rank);
        let Some(block) = self.blocks.get_mut(at) else {
            self.blocks.push(vec![rank]);
            return;
        };
        if let Err(place) = block.binary_search(&rank) {
            block.insert(place, rank);
        }
        if block.len() > BLOCK {
            let rest = block.split_off(BLOCK / 2);
            self.blocks.insert(at + 1, rest);
        }
    }

    /// Drops a rank.
    pub(crate) fn remove(&mut self, rank: Ranked) {
        let at = self.block_of(rank);
        let Some(block) = self.blocks.get_mut(at) else {
            return;
        };
        if let Ok(place) = block.binary_search(&rank) {
            block.remove(place);
        }
        if block.is_empty() {
            self.blocks.remove(at);
        }
    }

    /// How many come before.
    pub(crate) fn before(&self, rank: Ranked) -> usize {
        let at = self.block_of(rank);
        let whole: usize = self.blocks.iter().take(at).map(Vec::len).sum();
        let part = self
            .blocks
            .get(at)
            .map_or(0, |block| block.partition_point(|it| *it < rank));
        whole + part
    }

    /// The last block that does not begin after `rank`; the first, if all do.
    fn block_of(&self, rank: Ranked) -> usize {
        let begun = self
            .blocks
            .partition_point(|block| block.first().is_some_and(|first| *first <= rank));
        begun.saturating_sub(1)
    }
}

/// The same ranks, however they are cut into blocks.
impl PartialEq for Ranking {
    fn eq(&self, other: &Self) -> bool {
        self.blocks.iter().flatten().eq(other.blocks.iter().flatten())
    }
}

impl Eq for Ranking {}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use pronto_types::{TicketId, Time};
    use proptest::prelude::*;

    use super::*;

    fn rank(n: u64) -> Ranked {
        let ranked_at = Time::from_micros((n / 7) as i64);
        let rank = pronto_routing::Rank::new(0, ranked_at, Duration::ZERO, n % 7);
        Ranked {
            rank,
            ticket: TicketId(n),
        }
    }

    proptest! {
        #[test]
        fn a_position_is_the_number_of_those_before(steps in proptest::collection::vec((any::<bool>(), 0_u64..2_000), 0..3_000)) {
            let mut ranking = Ranking::default();
            let mut plain = BTreeSet::new();
            for (join, n) in steps {
                if join {
                    ranking.insert(rank(n));
                    plain.insert(rank(n));
                } else {
                    ranking.remove(rank(n));
                    plain.remove(&rank(n));
                }
                prop_assert_eq!(ranking.before(rank(n)), plain.range(..rank(n)).count());
            }
            let mut rebuilt = Ranking::default();
            plain.iter().for_each(|it| rebuilt.insert(*it));
            prop_assert_eq!(&rebuilt, &ranking);
            prop_assert!(ranking.blocks.iter().all(|block| !block.is_empty() && block.len() <= BLOCK));
        }
    }
}
