//! Log lines for administrators: operators who sign in and out. A phone that registers again and again fills no log.

use std::time::Duration;

use pronto_engine::{Fact, LedgerEntry, SignOutReason};
use pronto_types::RateLimit;

/// Lines at once, regained in a second.
const LINES: u32 = 50;

pub(super) struct Diary(RateLimit);

impl Default for Diary {
    fn default() -> Self {
        Diary(RateLimit::new(LINES, Duration::from_secs(1)))
    }
}

impl Diary {
    /// A fact was recorded.
    pub(super) fn recorded(&mut self, recorded: &LedgerEntry) {
        if !matches!(recorded.fact, Fact::SignedIn { .. } | Fact::SignedOut { .. }) {
            return;
        }
        let Some(left_out) = self.0.allow(recorded.at) else {
            return;
        };
        if left_out > 0 {
            tracing::info!(left_out, "operators signed in or out of whom no line was written");
        }
        match &recorded.fact {
            Fact::SignedIn { operator } => tracing::info!(%operator, "signed in"),
            Fact::SignedOut { operator, reason } => {
                let reason = match reason {
                    SignOutReason::Requested => "asked for",
                    SignOutReason::Unreachable => "no phone is registered",
                    SignOutReason::Removed => "not in the configuration",
                };
                tracing::info!(%operator, reason, "signed out");
            }
            _ => {}
        }
    }
}
