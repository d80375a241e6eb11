//! Limits on strangers, by source address: how many messages are looked at, and how many passwords may be tried.
//!
//! A source is an address, not a user: whoever guesses at 101 shuts nobody out but the place the guesses come from, and that is
//! a port before it is an address, for behind a NAT an address has many owners. Trunks, bound phones and what is up already are
//! never counted. The table is bounded: the source longest silent makes room.
//!
//! [`Budgets`] bound what trunks and operators ask of us, whom we know.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use pronto_types::{OperatorId, RateLimit, Time, source_of};

use crate::settings::StrangerLimits;

#[cfg(test)]
mod tests;

/// Wrong passwords from one place.
struct Guesses {
    /// Wrong passwords since `counted`.
    wrong: u32,
    counted: Time,
    banned: Option<Time>,
}

impl Guesses {
    fn none(now: Time) -> Self {
        Guesses {
            wrong: 0,
            counted: now,
            banned: None,
        }
    }

    /// One more; `true` when that was one too many.
    fn count(&mut self, now: Time, limit: u32, ban: Duration) -> bool {
        if now.since(self.counted) > ban {
            (self.wrong, self.counted) = (0, now);
        }
        self.wrong += 1;
        if self.wrong < limit {
            return false;
        }
        self.banned = Some(now + ban);
        (self.wrong, self.counted) = (0, now);
        true
    }

    fn is_banned(&self, now: Time) -> bool {
        self.banned.is_some_and(|until| until > now)
    }
}

struct Source {
    messages: RateLimit,
    guesses: Guesses,
    /// The same by port, of the ports that guessed last.
    ports: Vec<(u16, Guesses)>,
    seen: Time,
}

/// Ports of one address whose guesses are counted apart.
const PORTS: usize = 32;
/// Ports that may be banned together before their address is.
const BANNED_PORTS: u32 = 10;

/// All sources heard of lately.
pub(crate) struct Sources {
    by_address: BTreeMap<IpAddr, Source>,
    by_age: BTreeSet<(Time, IpAddr)>,
    limits: StrangerLimits,
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
        self.source(now, address).messages.allow(now).is_some()
    }

    /// Whether passwords from here are not looked at.
    pub(crate) fn is_banned(&self, now: Time, from: SocketAddr) -> bool {
        let Some(source) = self.by_address.get(&source_of(from.ip())) else {
            return false;
        };
        let mut ports = source.ports.iter();
        let port = ports.any(|(port, guesses)| *port == from.port() && guesses.is_banned(now));
        port || source.guesses.is_banned(now)
    }

    /// A password from here was wrong; `true` when that was one too many.
    pub(crate) fn guessed(&mut self, now: Time, from: SocketAddr) -> bool {
        let StrangerLimits { guesses, ban, .. } = self.limits;
        let source = self.source(now, from.ip());
        let known = source.ports.iter().position(|(port, _)| *port == from.port());
        let (port, mut of_port) = match known {
            Some(at) => source.ports.remove(at),
            None => (from.port(), Guesses::none(now)),
        };
        if source.ports.len() >= PORTS {
            source.ports.remove(0);
        }
        let one = of_port.count(now, guesses, ban);
        source.ports.push((port, of_port));
        let all = source
            .guesses
            .count(now, guesses.saturating_mul(BANNED_PORTS), ban);
        one || all
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
        let StrangerLimits {
            burst, per_second, ..
        } = self.limits;
        let source = self.by_address.entry(address).or_insert_with(|| Source {
            messages: RateLimit::per_second(burst, per_second),
            guesses: Guesses::none(now),
            ports: Vec::new(),
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

/// REGISTERs of one operator that are taken at once: all phones, all at the same time.
const REGISTERS: u32 = 100;
/// … and each second.
const REGISTERS_PER_SECOND: u32 = 10;
/// INVITEs of one operator that are taken at once.
const INVITES: u32 = 20;
/// … and each second.
const INVITES_PER_SECOND: u32 = 5;

/// Budgets in use: by trunk, INVITEs a second and concurrent calls; by operator, REGISTERs and INVITEs a second.
#[derive(Default)]
pub(crate) struct Budgets {
    rates: BTreeMap<usize, RateLimit>,
    calls: BTreeMap<usize, usize>,
    /// By operator: at most as many as there are.
    registers: BTreeMap<OperatorId, RateLimit>,
    invites: BTreeMap<OperatorId, RateLimit>,
}

impl Budgets {
    /// Whether trunk number `trunk` may begin one more call.
    pub(crate) fn allows(&mut self, now: Time, trunk: usize, budget: crate::settings::Budget) -> bool {
        if self.calls.get(&trunk).is_some_and(|up| *up >= budget.calls) {
            return false;
        }
        let rate = budget.per_second;
        let full = || RateLimit::per_second(rate, rate);
        self.rates.entry(trunk).or_insert_with(full).allow(now).is_some()
    }

    /// Whether one more REGISTER that an operator has proven is carried out.
    pub(crate) fn registers(&mut self, now: Time, operator: &OperatorId) -> bool {
        let full = || RateLimit::per_second(REGISTERS, REGISTERS_PER_SECOND);
        let limit = self.registers.entry(operator.clone()).or_insert_with(full);
        limit.allow(now).is_some()
    }

    /// Whether an operator may begin one more call.
    pub(crate) fn calls(&mut self, now: Time, operator: &OperatorId) -> bool {
        let full = || RateLimit::per_second(INVITES, INVITES_PER_SECOND);
        let limit = self.invites.entry(operator.clone()).or_insert_with(full);
        limit.allow(now).is_some()
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
