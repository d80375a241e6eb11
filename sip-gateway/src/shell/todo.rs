//! Work that has arrived and is not done yet. The control task does as much of it in one step as others can wait for.

use std::collections::VecDeque;

use tokio::sync::mpsc::Receiver;

use super::ShellEvent;

/// Happenings taken from an inbox at once.
const BATCH: usize = 64;

/// Two queues, the urgent one first.
#[derive(Default)]
pub(super) struct Todo {
    /// From the media threads, the recorder and the link.
    pub(super) urgent: VecDeque<ShellEvent>,
    /// From the sockets.
    pub(super) usual: VecDeque<ShellEvent>,
}

impl Todo {
    pub(super) fn is_empty(&self) -> bool {
        self.urgent.is_empty() && self.usual.is_empty()
    }

    /// Takes what is there already, without waiting.
    pub(super) fn fill(&mut self, inner: &mut Receiver<ShellEvent>, inbox: &mut Receiver<ShellEvent>) {
        for (queue, from) in [(&mut self.urgent, inner), (&mut self.usual, inbox)] {
            while queue.len() < BATCH
                && let Ok(happened) = from.try_recv()
            {
                queue.push_back(happened);
            }
        }
    }

    pub(super) fn next(&mut self) -> Option<ShellEvent> {
        self.urgent.pop_front().or_else(|| self.usual.pop_front())
    }
}
