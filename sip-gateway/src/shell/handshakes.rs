//! Handshakes by the address they come from. Nothing that a stranger may ask costs us more than the first half of a TLS
//! handshake, and it is asked in a few hundred octets: so each source has its share of them, and all together have theirs.
//! Who is through is not counted any more. Pure: the caller says what time it is.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use pronto_types::{RateLimit, Time, source_of};

#[cfg(test)]
mod tests;

/// Handshakes that one source may begin at once: phones of an office come back together, from one address.
const BURST: u32 = 64;
/// Handshakes that one source regains in a second.
const PER_SECOND: u32 = 16;
/// Handshakes of one source that have begun and not ended.
const INSIDE: usize = 64;
/// The same for all sources together: at half a millisecond each a quarter of one core.
const ALL_BURST: u32 = 500;
const ALL_PER_SECOND: u32 = 500;
/// Sources remembered: the one longest silent makes room.
const SOURCES: usize = 4096;

/// A handshake under way: dropped when it has ended.
#[derive(Clone, Debug)]
pub(super) struct Inside {
    _one: Arc<()>,
}

struct Source {
    limit: RateLimit,
    /// When a handshake was last asked for.
    asked: Time,
    inside: Arc<()>,
}

/// Handshakes begun, for each source and in all.
pub(super) struct Handshakes {
    by_source: BTreeMap<IpAddr, Source>,
    all: RateLimit,
}

impl Handshakes {
    pub(super) fn new() -> Self {
        Handshakes {
            by_source: BTreeMap::new(),
            all: RateLimit::per_second(ALL_BURST, ALL_PER_SECOND),
        }
    }

    /// Whether one more may begin; to be kept until it has ended.
    pub(super) fn begin(&mut self, now: Time, from: IpAddr) -> Option<Inside> {
        let from = source_of(from);
        self.make_room(from);
        let source = self.by_source.entry(from).or_insert_with(|| Source {
            limit: RateLimit::per_second(BURST, PER_SECOND),
            asked: now,
            inside: Arc::new(()),
        });
        source.asked = now;
        // One reference is the table's own.
        let is_crowded = Arc::strong_count(&source.inside) > INSIDE;
        // Who is refused for the others' sake keeps their own share.
        if is_crowded || !source.limit.has_room(now) {
            return None;
        }
        self.all.allow(now)?;
        source.limit.allow(now)?;
        let _one = Arc::clone(&source.inside);
        Some(Inside { _one })
    }

    fn make_room(&mut self, coming: IpAddr) {
        if self.by_source.len() < SOURCES || self.by_source.contains_key(&coming) {
            return;
        }
        // One with handshakes under way only where all have some: it would come back with a full bucket.
        let oldest = self
            .by_source
            .iter()
            .min_by_key(|(_, source)| (Arc::strong_count(&source.inside) > 1, source.asked));
        if let Some(oldest) = oldest.map(|(address, _)| *address) {
            self.by_source.remove(&oldest);
        }
    }
}
