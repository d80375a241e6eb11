//! What strangers cost, by source address: how many messages are looked at, and how many passwords may be tried.
//!
//! A source is an address, not a user: whoever guesses at 101 shuts nobody out but the place the guesses come from. Trunks,
//! bound phones and what is up already are never counted. The table is bounded: the source longest silent makes room.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use pronto_types::Time;

use crate::settings::StrangerLimits;

#[cfg(test)]
mod tests;

/// Something that is used up and grows back, at most to its size.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// In thousandths.
    level: u64,
    at: Time,
}

impl Bucket {
    fn full(now: Time, size: u32) -> Self {
        Bucket {
            level: u64::from(size) * 1000,
            at: now,
        }
    }

    /// Takes one, if there is one.
    fn take(&mut self, now: Time, size: u32, per_second: u32) -> bool {
        let micros = u64::try_from(now.since(self.at).as_micros()).unwrap_or(u64::MAX);
        let grown = micros.saturating_mul(u64::from(per_second)) / 1000;
        if grown > 0 {
            self.level = self.level.saturating_add(grown).min(u64::from(size) * 1000);
            self.at = now;
        }
        let there = self.level >= 1000;
        if there {
            self.level -= 1000;
        }
        there
    }
}

struct Source {
    messages: Bucket,
    /// Wrong passwords since `counted`.
    wrong: u32,
    counted: Time,
    banned: Option<Time>,
    seen: Time,
}

/// All sources heard of lately.
pub(crate) struct Sources {
    by_address: BTreeMap<IpAddr, Source>,
    by_age: BTreeSet<(Time, IpAddr)>,
    limits: StrangerLimits,
}

/// Who is one source: an IPv4 address, or the network that one IPv6 subscriber has to itself.
fn source_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => IpAddr::V6(Ipv6Addr::from(u128::from(six) >> 64 << 64)),
        four @ IpAddr::V4(_) => four,
    }
}

impl Sources {
    pub(crate) fn new(limits: StrangerLimits) -> Self {
        Sources {
            by_address: BTreeMap::new(),
            by_age: BTreeSet::new(),
            limits,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.by_address.len()
    }

    /// Whether one more message from here is looked at.
    pub(crate) fn admits(&mut self, now: Time, address: IpAddr) -> bool {
        let StrangerLimits {
            burst, per_second, ..
        } = self.limits;
        self.source(now, address).messages.take(now, burst, per_second)
    }

    /// Whether passwords from here are not looked at.
    pub(crate) fn is_banned(&self, now: Time, address: IpAddr) -> bool {
        let source = self.by_address.get(&source_of(address));
        source.and_then(|s| s.banned).is_some_and(|until| until > now)
    }

    /// A password from here was wrong; `true` when that was one too many.
    pub(crate) fn guessed(&mut self, now: Time, address: IpAddr) -> bool {
        let StrangerLimits { guesses, ban, .. } = self.limits;
        let source = self.source(now, address);
        if now.since(source.counted) > ban {
            (source.wrong, source.counted) = (0, now);
        }
        source.wrong += 1;
        if source.wrong < guesses {
            return false;
        }
        source.banned = Some(now + ban);
        (source.wrong, source.counted) = (0, now);
        true
    }

    fn source(&mut self, now: Time, address: IpAddr) -> &mut Source {
        let address = source_of(address);
        let full = self.by_address.len() >= self.limits.sources.max(1);
        if full
            && !self.by_address.contains_key(&address)
            && let Some((_, oldest)) = self.by_age.pop_first()
        {
            self.by_address.remove(&oldest);
        }
        let burst = self.limits.burst;
        let source = self.by_address.entry(address).or_insert_with(|| Source {
            messages: Bucket::full(now, burst),
            wrong: 0,
            counted: now,
            banned: None,
            seen: now,
        });
        // Once a second is often enough for knowing who is the oldest.
        if now.since(source.seen) >= Duration::from_secs(1) || source.seen == now {
            self.by_age.remove(&(source.seen, address));
            source.seen = now;
            self.by_age.insert((now, address));
        }
        source
    }
}

/// What one trunk may ask of us: INVITEs a second, and calls at once.
#[derive(Default)]
pub(crate) struct Budgets {
    rates: BTreeMap<usize, Bucket>,
    calls: BTreeMap<usize, usize>,
}

impl Budgets {
    /// Whether trunk number `trunk` may begin one more call.
    pub(crate) fn allows(&mut self, now: Time, trunk: usize, budget: crate::settings::Budget) -> bool {
        if self.calls.get(&trunk).is_some_and(|up| *up >= budget.calls) {
            return false;
        }
        let rate = budget.per_second;
        let bucket = self.rates.entry(trunk).or_insert_with(|| Bucket::full(now, rate));
        bucket.take(now, rate, rate)
    }

    pub(crate) fn begun(&mut self, trunk: usize) {
        *self.calls.entry(trunk).or_default() += 1;
    }

    pub(crate) fn ended(&mut self, trunk: usize) {
        if let Some(up) = self.calls.get_mut(&trunk) {
            *up = up.saturating_sub(1);
        }
    }
}
