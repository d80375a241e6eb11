//! Callers who moved to another queue in a day, held against the configuration and against the rules owed to callers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use pronto_engine::{Configuration, Fact, LedgerEntry};
use pronto_types::{QueueName, TicketId};

/// Sooner by less is not worth a place.
const GAIN: Duration = Duration::from_secs(30);

/// How many went, and the first who should not have.
pub(crate) fn judge(log: &[LedgerEntry]) -> (u64, Option<String>) {
    let mut configuration = Configuration::default();
    let mut queues: BTreeMap<TicketId, QueueName> = BTreeMap::new();
    let mut went: BTreeSet<TicketId> = BTreeSet::new();
    let mut wrong = None;
    for LedgerEntry { seq, fact, .. } in log {
        match fact {
            Fact::Configured(wanted) => configuration = wanted.clone(),
            Fact::Joined {
                ticket,
                queue,
                regained,
                ..
            } => {
                queues.insert(*ticket, queue.clone());
                if regained.is_some_and(|old| went.contains(&old)) {
                    went.insert(*ticket);
                }
            }
            Fact::Offered { ticket, queue, .. } if queues.get(ticket) != Some(queue) => {
                wrong.get_or_insert(format!("fact {seq}: {ticket} is offered from {queue}"));
            }
            Fact::Overflowed {
                ticket,
                queue,
                to,
                here,
                there,
            } => {
                let settings = configuration.queues.iter().find(|it| it.name == *queue);
                let wanted = settings.and_then(|it| it.overflow.as_ref());
                let wanted = wanted.is_some_and(|it| it.to == *to && here.p80 > it.wait);
                let stood = queues.insert(*ticket, to.clone());
                let once = went.insert(*ticket);
                if !wanted || !once || stood.as_ref() != Some(queue) || there.p80 + GAIN > here.p80 {
                    wrong.get_or_insert(format!("fact {seq}: {fact:?}, who stood in {stood:?}"));
                }
            }
            // Once they have overflowed, and to where they came from; `went` keeps them from going again.
            Fact::SentBack { ticket, queue, to } => {
                let stood = queues.insert(*ticket, to.clone());
                if !went.contains(ticket) || stood.as_ref() != Some(queue) {
                    wrong.get_or_insert(format!("fact {seq}: {fact:?}, who stood in {stood:?}"));
                }
            }
            _ => {}
        }
    }
    let count = log.iter().filter(|it| matches!(it.fact, Fact::Overflowed { .. }));
    (count.count() as u64, wrong)
}
