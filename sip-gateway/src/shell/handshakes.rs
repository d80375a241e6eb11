//! Handshakes by the address they come from. Nothing that a stranger may ask costs us more than the first half of a TLS
//! handshake, and it is asked in a few hundred octets: so each source has its share of them, and all together have theirs.
//! Who is through is not counted any more. Pure: the caller says what time it is.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use pronto_types::Time;

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

/// Something that is used up and grows back, at most to its size.
#[derive(Clone, Copy)]
struct Bucket {
    /// The fill level, in millionths of a handshake.
    level: u64,
    at: Time,
}

struct Source {
    bucket: Bucket,
    inside: Arc<()>,
}

/// Handshakes begun, for each source and in all.
pub(super) struct Handshakes {
    by_source: BTreeMap<IpAddr, Source>,
    all: Bucket,
}

impl Bucket {
    fn full(now: Time, size: u32) -> Self {
        let level = u64::from(size) * 1_000_000;
        Bucket { level, at: now }
    }

    fn grow(&mut self, now: Time, size: u32, per_second: u32) {
        let micros = u64::try_from(now.since(self.at).as_micros()).unwrap_or(u64::MAX);
        let grown = micros.saturating_mul(u64::from(per_second));
        self.level = self.level.saturating_add(grown).min(u64::from(size) * 1_000_000);
        self.at = self.at.max(now);
    }

    fn has_one(&self) -> bool {
        self.level >= 1_000_000
    }

    fn take(&mut self) -> bool {
        let left = self.level.checked_sub(1_000_000);
        self.level = left.unwrap_or(self.level);
        left.is_some()
    }
}

impl Handshakes {
    pub(super) fn new(now: Time) -> Self {
        Handshakes {
            by_source: BTreeMap::new(),
            all: Bucket::full(now, ALL_BURST),
        }
    }

    /// Whether one more may begin; to be kept until it has ended.
    pub(super) fn begin(&mut self, now: Time, from: IpAddr) -> Option<Inside> {
        let from = source_of(from);
        self.make_room(from);
        let source = self.by_source.entry(from).or_insert_with(|| Source {
            bucket: Bucket::full(now, BURST),
            inside: Arc::new(()),
        });
        source.bucket.grow(now, BURST, PER_SECOND);
        self.all.grow(now, ALL_BURST, ALL_PER_SECOND);
        // One reference is the table's own.
        let is_crowded = Arc::strong_count(&source.inside) > INSIDE;
        // Who is refused for the others' sake keeps their own share.
        if is_crowded || !source.bucket.has_one() || !self.all.take() || !source.bucket.take() {
            return None;
        }
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
            .min_by_key(|(_, source)| (Arc::strong_count(&source.inside) > 1, source.bucket.at));
        if let Some(oldest) = oldest.map(|(address, _)| *address) {
            self.by_source.remove(&oldest);
        }
    }
}

/// The source that an address counts as: an IPv4 address, or the /64 network of one IPv6 subscriber.
pub(super) fn source_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => IpAddr::V6(Ipv6Addr::from(u128::from(six) >> 64 << 64)),
        four @ IpAddr::V4(_) => four,
    }
}
