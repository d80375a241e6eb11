//! Whether this process can take calls, and if not, why: for load balancers, supervisors and people.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

/// What keeps the process from being ready. Shared; cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Health(Arc<Mutex<BTreeMap<&'static str, &'static str>>>);

impl Health {
    /// `what` is not well, for this reason, in words; or well again.
    pub(crate) fn set(&self, what: &'static str, reason: Option<&'static str>) {
        let mut reasons = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match reason {
            Some(reason) => reasons.insert(what, reason),
            None => reasons.remove(what),
        };
    }

    /// Follows something that is well or not, as long as it says so.
    pub(crate) fn follow(&self, what: &'static str, mut well: watch::Receiver<bool>, reason: &'static str) {
        let health = self.clone();
        tokio::spawn(async move {
            loop {
                let is_well = *well.borrow_and_update();
                health.set(what, (!is_well).then_some(reason));
                if well.changed().await.is_err() {
                    return;
                }
            }
        });
    }

    /// What keeps it from being ready, a line each; empty: it is ready.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let reasons = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reasons
            .iter()
            .map(|(what, reason)| format!("{what}: {reason}"))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_not_well_is_said_until_it_is_well() {
        let health = Health::default();
        assert!(health.reasons().is_empty());
        let (say, well) = watch::channel(false);
        health.set("process", Some("it is starting"));
        health.follow("queue", well, "it is away");
        while health.reasons().len() < 2 {
            tokio::task::yield_now().await;
        }
        assert_eq!(health.reasons(), ["process: it is starting", "queue: it is away"]);
        health.set("process", None);
        say.send_replace(true);
        while !health.reasons().is_empty() {
            tokio::task::yield_now().await;
        }
    }
}
