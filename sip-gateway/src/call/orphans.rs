//! Dialogs that a crashed predecessor left standing: phones that ring for nobody, talks without sound. They are ended a few at
//! a time, those that somebody hears first. What became of their calls the journal says: lost.

use std::collections::VecDeque;
use std::time::Duration;

use pronto_sip as sip;
use pronto_types::Time;

use super::{Gateway, Output};

/// How many are ended at once, and how long after that the next: 320 a second.
const AT_ONCE: usize = 8;
const APART: Duration = Duration::from_millis(25);

/// Those that are left.
#[derive(Default)]
pub(super) struct Orphans {
    pub(super) left: VecDeque<(u64, sip::Orphan)>,
    /// When the next are ended.
    pub(super) due: Option<Time>,
    /// How many could not be reached.
    pub(super) unreached: u64,
}

impl Gateway {
    pub(super) fn orphaned(&mut self, now: Time, mut left: Vec<(u64, sip::Orphan)>) {
        left.sort_by_key(|(_, orphan)| !orphan.is_urgent());
        self.orphans.left.extend(left);
        self.end_orphans(now);
    }

    pub(super) fn orphans_due(&mut self, now: Time) {
        if self.orphans.due.is_some_and(|at| at <= now) {
            self.end_orphans(now);
        }
    }

    fn end_orphans(&mut self, now: Time) {
        let some = self.orphans.left.len().min(AT_ONCE);
        let ended: Vec<_> = self.orphans.left.drain(..some).collect();
        for (dialog, orphan) in ended {
            if !self.sip.end_orphan(now, &orphan) {
                self.orphans.unreached += 1;
            }
            // It stands under a name of this process now, until it has said that it is over.
            self.tell_dialogs();
            let change = sip::DialogChange::Over;
            self.outputs.push_back(Output::Dialog { dialog, change });
        }
        self.orphans.due = (!self.orphans.left.is_empty()).then(|| now + APART);
    }

    /// Before what the endpoint sends: see [`Output::Dialog`].
    pub(super) fn tell_dialogs(&mut self) {
        while let Some((leg, change)) = self.sip.poll_dialog() {
            let dialog = leg.0;
            self.outputs.push_back(Output::Dialog { dialog, change });
        }
    }
}
