//! Checks of the announcements: no figure ever rises, a position is the truth, and what was delivered is closed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use pronto_types::link::{Hearing, Promise};
use pronto_types::{AnnouncementId, TicketId, Time};

use crate::{Fact, LedgerEntry};

/// The last figures one caller was told.
#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    position: Option<u32>,
    wait: Option<(Promise, Time)>,
}

/// Announcements made, and how much of each was heard.
#[derive(Clone, Debug, Default)]
pub(super) struct Spoken {
    callers: BTreeMap<TicketId, Figures>,
    made: BTreeMap<AnnouncementId, TicketId>,
    closed: BTreeSet<AnnouncementId>,
    ended: BTreeSet<TicketId>,
    pub(super) waits: u64,
    pub(super) rises: u64,
    pub(super) whole: u64,
    pub(super) cut: u64,
}

impl Spoken {
    /// Carries the announced figures of a lost place over to the one that regains it.
    pub(super) fn regained(&mut self, old: TicketId, new: TicketId) {
        if let Some(figures) = self.callers.get(&old).copied() {
            self.callers.insert(new, figures);
        }
    }

    /// A talk has kept or broken what was told before it.
    pub(super) fn forgotten(&mut self, ticket: TicketId) {
        self.callers.remove(&ticket);
    }

    pub(super) fn ended(&mut self, ticket: TicketId) {
        self.ended.insert(ticket);
    }

    /// Invariant 11: "what we announce never rises silently: a longer wait comes with its reason". Judged is what is said.
    pub(super) fn announced(&mut self, recorded: &LedgerEntry) -> Result<(), String> {
        let &LedgerEntry {
            seq, at, ref fact, ..
        } = recorded;
        let &Fact::Announced {
            ticket,
            position,
            wait,
            rise,
        } = fact
        else {
            return Ok(());
        };
        let announcement = AnnouncementId(seq);
        let before = self.callers.entry(ticket).or_default();
        if position.is_none() && wait.is_none() {
            return Err(format!("{announcement:?} says nothing"));
        }
        if let (Some(told), Some(now)) = (before.position, position)
            && now > told
        {
            return Err(format!("11: {ticket:?} was told position {told}, and now {now}"));
        }
        let said = |promise: Promise| promise.said().ok_or(format!("{promise:?} cannot be said"));
        let rose = match (before.wait, wait) {
            (Some((told, then)), Some(now)) => {
                let (old, new) = (said(told)?, said(now)?);
                let later = at + now.p90 > then + old.longest();
                later || new.low() > old.low() || new.high() > old.high()
            }
            _ => false,
        };
        if rose != rise.is_some() {
            return Err(format!(
                "11: {ticket:?} was told {:?}, and now {wait:?} because of {rise:?}",
                before.wait
            ));
        }
        self.rises += u64::from(rose);
        before.position = position.or(before.position);
        before.wait = wait.map(|wait| (wait, at)).or(before.wait);
        self.waits += u64::from(wait.is_some());
        self.made.insert(announcement, ticket);
        Ok(())
    }

    pub(super) fn heard(
        &mut self,
        announcement: AnnouncementId,
        ticket: TicketId,
        how: Hearing,
    ) -> Result<(), String> {
        if self.made.get(&announcement) != Some(&ticket) {
            return Err(format!(
                "{ticket:?} heard {announcement:?}, which was not for them"
            ));
        }
        if !self.closed.insert(announcement) {
            return Err(format!("{announcement:?} was heard twice"));
        }
        match how {
            Hearing::Whole => self.whole += 1,
            Hearing::Cut => self.cut += 1,
        }
        Ok(())
    }

    /// Whether everything that arrived at a gateway was heard, or its ticket has ended.
    pub(super) fn judge_delivered<'a>(
        &self,
        delivered: impl Iterator<Item = &'a AnnouncementId>,
    ) -> Result<(), String> {
        for announcement in delivered {
            let over = |ticket: &TicketId| self.ended.contains(ticket);
            if !self.closed.contains(announcement) && !self.made.get(announcement).is_some_and(over) {
                return Err(format!(
                    "{announcement:?} arrived, and nobody says what was heard of it"
                ));
            }
        }
        Ok(())
    }
}

/// Whether a position may be right: those who surely joined earlier are before the caller, those who surely joined
/// later are not. `joined` are the others who wait, `skew` how sure a time of joining is.
pub(super) fn judge_position(
    position: u32,
    mine: Time,
    joined: impl Iterator<Item = Time>,
    skew: Duration,
) -> Result<(), String> {
    let (mut surely, mut perhaps) = (0_u32, 0_u32);
    for other in joined {
        surely += u32::from(other + skew < mine);
        perhaps += u32::from(other <= mine + skew);
    }
    if (surely + 1..=perhaps + 1).contains(&position) {
        Ok(())
    } else {
        Err(format!(
            "position {position} was announced, {surely} to {perhaps} are before it"
        ))
    }
}
