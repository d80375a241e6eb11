//! The same work on many things at once, before there are calls.

use std::num::NonZeroUsize;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// The most threads; more would only wait for memory and the disk.
const THREADS: usize = 8;

/// Applies `work` to each item, on as many threads as there are processors. Returns the results in the items' order.
pub fn in_parallel<T: Sync, R: Send + Sync>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let results: Vec<OnceLock<R>> = items.iter().map(|_| OnceLock::new()).collect();
    let next = AtomicUsize::new(0);
    let take_some = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some((item, result)) = items.get(at).zip(results.get(at)) else {
                return;
            };
            result.get_or_init(|| work(item));
        }
    };
    let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let others = processors.min(THREADS).min(items.len()).saturating_sub(1);
    thread::scope(|scope| {
        for _ in 0..others {
            // A thread that cannot be had is not missed: we do its share.
            let _ = thread::Builder::new().spawn_scoped(scope, take_some);
        }
        take_some();
    });
    results.into_iter().filter_map(OnceLock::into_inner).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_stand_in_the_order_of_the_items() {
        let items: Vec<u32> = (0..1_000).collect();
        let doubled = in_parallel(&items, |item| item * 2);
        assert_eq!(doubled, (0..1_000).map(|item| item * 2).collect::<Vec<_>>());
        assert!(in_parallel(&[0; 0], |item: &u32| *item).is_empty());
    }
}
