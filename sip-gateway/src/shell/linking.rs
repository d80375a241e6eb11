//! Events of the link, and the new epoch that the queue may make necessary.
//!
//! ```text
//!   hello ──► attached ──the queue has another journal──┐
//!     ▲  └──► refused: our epoch is not the next ───────┴──► a new epoch, durable ──► the core begins its journal again
//!     └──────────────────────────────────────────────────────────────┘
//! ```

use std::time::Duration;

use pronto_store::Store;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::control::Control;
use super::link::{LinkEvent, Refused};
use super::{ShellEvent, Stopped};
use crate::call::{Input, Log};
use crate::journal::Entry;

/// How long a process that was never attached waits for another one of its name to go: one that was killed is found to be
/// gone after 4 s.
const TAKEN: Duration = Duration::from_secs(10);
/// An epoch from here on is no count of starts: somebody spoilt it.
const SPOILT: u64 = 1 << 62;

impl Control {
    /// The link says something; the process may have to stop for it.
    pub(super) fn link(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Attached { epoch, have, entries } => self.welcomed(epoch, have, entries),
            LinkEvent::Detached => {
                self.linking.entries = None;
                self.linking.attached.send_replace(false);
                metrics::gauge!("pronto_link_attached").set(0.0);
                self.input(Input::Detached);
            }
            LinkEvent::Refused(refused) => {
                self.input(Input::Refused);
                self.linking.stop = self.refused(&refused);
            }
            LinkEvent::Acknowledged { number } => self.input(Input::Acknowledged { number }),
            LinkEvent::Admission { open } => self.admission(Log::Ledger, open),
            LinkEvent::Directive(directive) => self.input(Input::Directive(directive)),
        }
    }

    fn welcomed(&mut self, epoch: u64, have: u64, entries: mpsc::Sender<Entry>) {
        if self.linking.renewing || epoch != self.linking.position.epoch() {
            // Said in the epoch before: letting go of `entries` ends that link.
            return;
        }
        self.linking.entries = Some(entries);
        self.linking.taken = None;
        metrics::gauge!("pronto_link_attached").set(1.0);
        // Until it says otherwise.
        self.admission(Log::Ledger, true);
        self.input(Input::Attached { have });
        if self.core.wants_epoch() {
            tracing::warn!(
                epoch,
                have,
                "the queue service has another journal of this gateway: its store or ours was wiped or restored; a new epoch begins"
            );
            self.linking.entries = None;
            return self.renew(epoch);
        }
        self.linking.was_attached = true;
        self.linking.attached.send_replace(true);
        tracing::info!(have, "attached to the queue service");
    }

    fn refused(&mut self, refused: &Refused) -> Option<Stopped> {
        let name = &self.linking.name;
        let why = match refused {
            // Ours is another one by now.
            Refused::Epoch { said, .. } if *said != self.linking.position.epoch() => return None,
            Refused::Epoch { highest, .. } if *highest >= SPOILT => format!(
                "the queue service knows epoch {highest} of gateway `{name}`, and no process can come after it: stop the \
                 queue service and run `pronto gateway reset {name}` on its machine"
            ),
            Refused::Epoch { highest, .. } => {
                let highest = *highest;
                self.renew(highest);
                return None;
            }
            Refused::Taken if !self.linking.was_attached => {
                let since = *self.linking.taken.get_or_insert_with(Instant::now);
                if since.elapsed() < TAKEN {
                    return None;
                }
                format!(
                    "another process is attached to the queue service as `{name}`: give each gateway its own `[gateway] name`"
                )
            }
            Refused::Taken | Refused::Unproven | Refused::Misunderstood => return None,
        };
        // Whoever talks may finish.
        (self.core.counts().calls == 0).then_some(Stopped::Refused(why))
    }

    /// Makes the epoch after `highest` ours, durably; the control plane goes on meanwhile.
    fn renew(&mut self, highest: u64) {
        if std::mem::replace(&mut self.linking.renewing, true) {
            return;
        }
        let (store, happened) = (self.journal.store(), self.happened.clone());
        tokio::task::spawn_blocking(move || {
            let epoch = store.renew_epoch(highest).map_err(|error| error.to_string());
            let _ = happened.blocking_send(ShellEvent::Renewed(epoch));
        });
    }

    /// The new epoch is durable, or could not be written: then the next refusal tries again.
    pub(super) fn renewed(&mut self, epoch: Result<u64, String>) {
        self.linking.renewing = false;
        let epoch = match epoch {
            Ok(epoch) => epoch,
            Err(error) => return tracing::debug!(error, "no new epoch"),
        };
        self.journal.begin_epoch(epoch);
        self.input(Input::NewEpoch);
        let last = self.core.last_entry();
        self.linking.position.begin(epoch, last);
        tracing::info!(epoch, "a new epoch of the journal");
    }
}
