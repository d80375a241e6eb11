//! Whether this process can take calls, and if not, why: for load balancers, supervisors and people.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

/// The reasons that keep the process from being ready. Shared; cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Health(Arc<Mutex<BTreeMap<&'static str, String>>>);

impl Health {
    /// `what` is not well, for this reason, in words; or well again.
    pub(crate) fn set(&self, what: &'static str, reason: Option<&str>) {
        let mut reasons = self.0.lock();
        match reason {
            Some(reason) => reasons.insert(what, reason.to_owned()),
            None => reasons.remove(what),
        };
    }

    /// Follows something that says why it is not well, or `None`, as long as it says so.
    pub(crate) fn follow<R>(&self, what: &'static str, mut reason: watch::Receiver<Option<R>>)
    where
        R: ToString + Send + Sync + 'static,
    {
        let health = self.clone();
        tokio::spawn(async move {
            loop {
                let now = reason.borrow_and_update().as_ref().map(R::to_string);
                health.set(what, now.as_deref());
                if reason.changed().await.is_err() {
                    return;
                }
            }
        });
    }

    /// The reasons that keep it from being ready, a line each; empty: it is ready.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let reasons = self.0.lock();
        reasons
            .iter()
            .map(|(what, reason)| format!("{what}: {reason}"))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Waits until there are `count` reasons, 5 s at most.
    async fn reasons(health: &Health, count: usize) -> Vec<String> {
        let wait = async {
            while health.reasons().len() != count {
                tokio::task::yield_now().await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(5), wait).await;
        let found = health.reasons();
        assert!(waited.is_ok(), "{count} reasons expected, found {found:?}");
        found
    }

    #[tokio::test]
    async fn what_is_not_well_is_said_until_it_is_well() {
        let health = Health::default();
        assert!(health.reasons().is_empty());
        let (say, reason) = watch::channel(Some("it is away"));
        health.set("process", Some("it is starting"));
        health.follow("queue", reason);
        assert_eq!(
            reasons(&health, 2).await,
            ["process: it is starting", "queue: it is away"]
        );
        health.set("process", None);
        say.send_replace(None);
        reasons(&health, 0).await;
    }
}
