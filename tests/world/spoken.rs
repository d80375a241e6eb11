//! The announcements to callers of a day, held against invariant 11 and against the gateways' reports of what was
//! heard.

use std::collections::BTreeMap;

use pronto_engine::{Fact, LedgerEntry};
use pronto_types::link::{Event, Hearing, Promise};
use pronto_types::{AnnouncementId, TicketId, Time};

use crate::world::World;

/// An announcement that arrived: at which gateway, and in which life of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delivered {
    pub(crate) gateway: usize,
    pub(crate) epoch: u64,
    pub(crate) announcement: AnnouncementId,
}

/// Counts of the announcements of a day.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Said {
    pub(crate) announced: u64,
    /// Those that named a wait.
    pub(crate) waits: u64,
    /// Those that were longer than before, and said why.
    pub(crate) risen: u64,
    pub(crate) whole: u64,
    pub(crate) cut: u64,
}

/// The figures one caller was told last.
#[derive(Clone, Copy, Default)]
struct Figures {
    position: Option<u32>,
    wait: Option<(Promise, Time)>,
}

/// Counts, and finds the first thing wrong with what was said.
pub(crate) fn judge(world: &World) -> (Said, Option<String>) {
    let (said, risen) = rises(&world.queue.log);
    (said, risen.or_else(|| unreported(world)))
}

/// "What we announce never rises silently: a longer wait comes with its reason." Judged is what is said.
fn rises(log: &[LedgerEntry]) -> (Said, Option<String>) {
    let mut said = Said::default();
    let mut broken = None;
    let mut callers: BTreeMap<TicketId, Figures> = BTreeMap::new();
    let mut open: BTreeMap<AnnouncementId, TicketId> = BTreeMap::new();
    for LedgerEntry { seq, at, fact, .. } in log {
        match fact {
            Fact::Joined {
                ticket,
                regained: Some(old),
                ..
            } => {
                let figures = callers.get(old).copied().unwrap_or_default();
                callers.insert(*ticket, figures);
                open.values_mut()
                    .filter(|of| **of == *old)
                    .for_each(|of| *of = *ticket);
            }
            Fact::Announced {
                ticket,
                position,
                wait,
                rise,
            } => {
                said.announced += 1;
                said.waits += u64::from(wait.is_some());
                open.insert(AnnouncementId(*seq), *ticket);
                let before = callers.entry(*ticket).or_default();
                if position
                    .zip(before.position)
                    .is_some_and(|(now, told)| now > told)
                {
                    broken.get_or_insert(format!("fact {seq}: a position rose to {position:?}"));
                }
                let rose = wait.zip(before.wait).is_some_and(|(now, (told, then))| {
                    let (Some(old), Some(new)) = (told.said(), now.said()) else {
                        return true;
                    };
                    let later = *at + now.p90 > then + old.longest();
                    later || new.low() > old.low() || new.high() > old.high()
                });
                if rose != rise.is_some() {
                    let told = before.wait;
                    broken.get_or_insert(format!("fact {seq}: {told:?} became {wait:?}, reason {rise:?}"));
                }
                said.risen += u64::from(rose);
                before.position = position.or(before.position);
                before.wait = wait.map(|wait| (wait, *at)).or(before.wait);
            }
            Fact::Heard {
                announcement,
                ticket,
                how,
            } => {
                if open.remove(announcement) != Some(*ticket) {
                    broken.get_or_insert(format!(
                        "fact {seq}: {announcement:?} was not open for {ticket:?}"
                    ));
                }
                match how {
                    Hearing::Whole => said.whole += 1,
                    Hearing::Cut => said.cut += 1,
                }
            }
            _ => {}
        }
    }
    (said, broken)
}

/// Each announcement that arrived is reported exactly once, unless its gateway was killed first.
fn unreported(world: &World) -> Option<String> {
    let mut reports: BTreeMap<(usize, AnnouncementId), u32> = BTreeMap::new();
    for (gateway, node) in world.gateways.iter().enumerate() {
        for event in &node.journal {
            if let Event::Heard { announcement, .. } = event {
                *reports.entry((gateway, *announcement)).or_default() += 1;
            }
        }
    }
    for Delivered {
        gateway,
        epoch,
        announcement,
    } in world.delivered.iter().copied()
    {
        let times = reports.remove(&(gateway, announcement)).unwrap_or(0);
        let killed = world.gateways[gateway].epoch != epoch;
        if times > 1 || (times == 0 && !killed) {
            return Some(format!(
                "{announcement:?} arrived once and was reported {times} times"
            ));
        }
    }
    let (_, never) = reports.first_key_value().map(|((_, id), _)| ((), *id))?;
    Some(format!("{never:?} was reported and never arrived"))
}
