//! Checks for callers who go on waiting in another queue, in turn, and for callers who come back.

use pronto_types::Time;

use super::Oracle;
use crate::State;
use crate::fact::{Fact, LedgerEntry};

impl Oracle {
    /// Whether nobody was passed over who came to that queue before, at the same gateway, and would have gone. `before`: the fold
    /// up to the fact. Forecasts of one moment differ a little by how they are made: who would have gone clearly counts.
    pub(in crate::world) fn judge_turn(&self, recorded: &LedgerEntry, before: &State) -> Result<(), String> {
        let Fact::Overflowed {
            ticket, queue, there, ..
        } = &recorded.fact
        else {
            return Ok(());
        };
        let settings = self.configuration.queues.iter().find(|it| it.name == *queue);
        let wanted = settings.and_then(|it| it.overflow.as_ref());
        let (Some(wanted), Some(went)) = (wanted, self.tickets.get(ticket)) else {
            return Ok(());
        };
        let line = before.forecaster.line(recorded.at, queue);
        for (other, wait) in line.iter().take_while(|(other, _)| other != ticket) {
            let might = |it: &&super::Waiter| it.waiting && !it.overflowed && it.gateway == went.gateway;
            let clearly = wait.p80 > wanted.wait * 3 / 2 && there.p80 + wait.p80 / 2 <= wait.p80;
            if clearly && self.tickets.get(other).filter(might).is_some() {
                return Err(format!(
                    "{ticket:?} went before {other:?}, who would wait for {wait:?}: {recorded:?}"
                ));
            }
        }
        Ok(())
    }

    /// Whether a caller may go on waiting elsewhere, by what the fact says and the configuration wants: once, and only where
    /// it is sooner.
    pub(super) fn overflow(&mut self, recorded: &LedgerEntry) -> Result<(), String> {
        let Fact::Overflowed {
            ticket,
            queue,
            to,
            here,
            there,
        } = &recorded.fact
        else {
            return Ok(());
        };
        self.overflows += 1;
        let settings = self.configuration.queues.iter().find(|it| it.name == *queue);
        let wanted = settings.and_then(|it| it.overflow.as_ref());
        let right = wanted.is_some_and(|it| it.to == *to && here.p80 > it.wait);
        if !right || there.p80 >= here.p80 || self.settling.is_some() {
            return Err(format!("{recorded:?} is not what {wanted:?} wants"));
        }
        let Some(waiter) = self.tickets.get_mut(ticket) else {
            return Err(format!("{ticket:?} overflowed, who is not there"));
        };
        let waits = waiter.waiting && waiter.queue == *queue && !waiter.overflowed;
        if !waits || self.away.get(&waiter.gateway) != Some(&Time::MAX) {
            return Err(format!("{ticket:?} overflowed, and is {waiter:?}"));
        }
        waiter.home = Some((queue.clone(), waiter.joined));
        waiter.queue = to.clone();
        (waiter.joined, waiter.overflowed, waiter.skipped) = (recorded.at, true, false);
        Ok(())
    }

    /// Whether a caller may be sent back: to where they came from, and only if nobody is there any more.
    pub(super) fn send_back(&mut self, recorded: &LedgerEntry) -> Result<(), String> {
        let Fact::SentBack { ticket, queue, to } = &recorded.fact else {
            return Ok(());
        };
        self.sent_back += 1;
        let mut operators = self.configuration.operators.iter();
        let served = operators.find(|it| it.queues.contains(queue) && self.signed_in.contains(&it.id));
        if let Some(operator) = served {
            return Err(format!("{recorded:?}, and {:?} is there", operator.id));
        }
        let Some(waiter) = self.tickets.get_mut(ticket) else {
            return Err(format!("{ticket:?} was sent back, who is not there"));
        };
        let there = waiter.waiting && waiter.queue == *queue;
        match waiter.home.take() {
            Some((home, joined)) if there && home == *to => {
                (waiter.queue, waiter.joined, waiter.skipped) = (home, joined, false);
                Ok(())
            }
            home => Err(format!(
                "{ticket:?} was sent back, from {home:?}, and is {waiter:?}"
            )),
        }
    }
}
