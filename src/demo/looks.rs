//! The looks at the centre: one each second, beside everything else that happens.
//!
//! A look takes a second at most, and nobody waits for it: notes, signals and keys are read meanwhile.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior, interval, timeout};

use super::watch::Snapshot;
use crate::serve::ServeError;

/// From one look to the next.
const EVERY: Duration = Duration::from_secs(1);
/// How long a look may take. Less than [`EVERY`], so that one ends before the next.
const PATIENCE: Duration = Duration::from_millis(800);

/// The outcome of a look.
type Seen = Result<Snapshot, ServeError>;

/// Looks again and again.
pub(super) struct Looks<F> {
    look: F,
    seconds: Interval,
    under_way: Option<Pin<Box<dyn Future<Output = Seen>>>>,
}

impl<F, Look> Looks<F>
where
    F: FnMut() -> Look,
    Look: Future<Output = Seen> + 'static,
{
    /// `look` looks once.
    pub(super) fn each_second(look: F) -> Self {
        let mut seconds = interval(EVERY);
        seconds.set_missed_tick_behavior(MissedTickBehavior::Skip);
        Looks {
            look,
            seconds,
            under_way: None,
        }
    }

    /// The end of the next look, or of the one under way. Cancel safe: a look goes on with the next call.
    ///
    /// # Errors
    /// The result of the look, or that it took longer than [`PATIENCE`].
    pub(super) async fn next(&mut self) -> Seen {
        if self.under_way.is_none() {
            self.seconds.tick().await;
        }
        let Looks { look, under_way, .. } = self;
        let look = under_way.get_or_insert_with(|| {
            let look = look();
            Box::pin(async move {
                let late = format!("no answer within {PATIENCE:?}");
                timeout(PATIENCE, look).await.unwrap_or_else(|_| Err(late.into()))
            })
        });
        let seen = look.await;
        *under_way = None;
        seen
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::pending;
    use std::rc::Rc;

    use tokio::time::{Instant, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_look_that_gets_no_answer_is_given_up_within_a_second() {
        let begun = Instant::now();
        let mut looks = Looks::each_second(pending::<Seen>);
        for second in 0..5 {
            let late = looks.next().await.unwrap_err();
            assert_eq!(late.to_string(), "no answer within 800ms");
            assert_eq!(begun.elapsed(), second * EVERY + PATIENCE);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_is_read_while_a_look_is_under_way_and_the_look_goes_on() {
        const TAKES: Duration = Duration::from_millis(500);
        const KEY: Duration = Duration::from_millis(30);
        let begun = Instant::now();
        let count = Rc::new(Cell::new(0));
        let counted = Rc::clone(&count);
        let mut looks = Looks::each_second(move || {
            counted.set(counted.get() + 1);
            async {
                sleep(TAKES).await;
                Ok(Snapshot::default())
            }
        });
        let mut keys = interval(KEY);
        let (mut seen, mut read) = (0, 0);
        while seen < 3 {
            tokio::select! {
                look = looks.next() => {
                    assert!(look.is_ok());
                    seen += 1;
                }
                _ = keys.tick() => {
                    assert_eq!(begun.elapsed(), read * KEY, "a key waits");
                    assert!(begun.elapsed() < 5 * EVERY, "{seen} looks were done, {} were begun", count.get());
                    read += 1;
                }
            }
        }
        assert_eq!(begun.elapsed(), 2 * EVERY + TAKES, "three looks, a second apart");
        assert_eq!(count.get(), 3, "none was begun twice");
    }
}
