//! The rule by which callers and operators meet: who may serve whom, in which order callers are served, and which operator
//! takes the next caller. Pure, and the only copy: the engine decides by it, and the forecast plays it forward.
//!
//! 1. **Eligibility**: an operator serves the queues that the configuration names for them, while ready.
//! 2. **Order**: in a queue, callers are served by [`Rank`]: the class, then the time of joining less a head start.
//! 3. **Choice**: an operator takes the caller of the best rank over all queues they serve ([`first_served`]); a caller goes
//!    to the operator who has been idle longest ([`longest_idle`]); of several meetings that are possible at once, the one
//!    whose caller has the best rank comes first ([`next_meeting`]).
//!
//! Not here: which gateway can ring a phone, grants, pauses, wrap-up (engine); laws and chance (forecast).

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::time::Duration;

use pronto_types::Time;

/// The place of a caller in the order of service; the smallest is served first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    /// The priority class: 0 is served before 1.
    pub class: u8,
    /// The time of joining, less the head start.
    pub seniority: Time,
    /// Orders callers of equal seniority, by the number of the record of their joining.
    pub order: u64,
}

impl Rank {
    /// The place of a caller who joined at `ranked_at` (a caller who joins again keeps the time of the first joining), and who
    /// is served as if that had been earlier by the head start.
    pub fn new(class: u8, ranked_at: Time, head_start: Duration, order: u64) -> Self {
        let seniority = ranked_at - head_start;
        Rank {
            class,
            seniority,
            order,
        }
    }
}

/// Where callers wait and operators are ready who can serve them: a queue, or a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool<K, R, O> {
    /// Names the pool.
    pub key: K,
    /// The rank of the caller who is served first there; `None` if nobody waits.
    pub head: Option<R>,
    /// The ready operator who has been idle longest; `None` if nobody is ready.
    pub idle: Option<O>,
}

/// Whether an operator who serves `served` may take a caller of `queue`.
pub fn serves<Q: PartialEq>(served: &[Q], queue: &Q) -> bool {
    served.contains(queue)
}

/// The caller whom an operator takes: `heads` are the first callers of the queues that the operator serves, with their ranks.
/// Ties go to the first given. `None` if nobody waits.
pub fn first_served<K, R: PartialOrd>(heads: impl IntoIterator<Item = (K, R)>) -> Option<(K, R)> {
    heads
        .into_iter()
        .reduce(|best, head| if head.1 < best.1 { head } else { best })
}

/// The operator who takes a caller: of the `ready` ones who serve the queue, each with the time since when, the one who has been
/// idle longest. Of equal times the first given. `None` if nobody is ready.
pub fn longest_idle<O, S: PartialOrd>(ready: impl IntoIterator<Item = (O, S)>) -> Option<O> {
    first_served(ready).map(|(operator, _)| operator)
}

/// The meeting that comes next where several are possible: of the pools with a caller and an operator, the one whose caller has
/// the best rank. `None` if no ready operator can serve anybody who waits.
pub fn next_meeting<K, R: PartialOrd, O>(
    pools: impl IntoIterator<Item = Pool<K, R, O>>,
) -> Option<(K, R, O)> {
    let possible = pools.into_iter().filter_map(|pool| {
        let Pool { key, head, idle } = pool;
        Some(((key, idle?), head?))
    });
    first_served(possible).map(|((key, operator), rank)| (key, rank, operator))
}

#[cfg(test)]
mod tests;
