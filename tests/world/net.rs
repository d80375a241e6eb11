//! The world's network: an agenda of what will happen, in order, and a lossy wire for SIP datagrams.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use pronto_types::Time;
use rand::{Rng, RngExt};
use rand_chacha::ChaCha12Rng;

/// Planned events, ordered by time and, within an instant, by when they were planned.
pub(crate) struct Agenda<T> {
    planned: BTreeMap<(Time, u64), T>,
    count: u64,
}

impl<T> Default for Agenda<T> {
    fn default() -> Self {
        Agenda {
            planned: BTreeMap::new(),
            count: 0,
        }
    }
}

impl<T> Agenda<T> {
    pub(crate) fn plan(&mut self, at: Time, what: T) {
        self.count += 1;
        self.planned.insert((at, self.count), what);
    }

    pub(crate) fn next_at(&self) -> Option<Time> {
        self.planned.keys().next().map(|(at, _)| *at)
    }

    pub(crate) fn pop_due(&mut self, now: Time) -> Option<T> {
        let (&key, _) = self.planned.first_key_value()?;
        (key.0 <= now).then(|| self.planned.remove(&key)).flatten()
    }
}

/// How bad the network is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wire {
    pub(crate) loss: f64,
    pub(crate) duplication: f64,
    pub(crate) latency: (Duration, Duration),
}

impl Wire {
    /// A local network on a bad day: 1 % lost, 0.5 % twice, 1 to 12 ms, so that datagrams overtake each other.
    pub(crate) const LOSSY: Wire = Wire {
        loss: 0.01,
        duplication: 0.005,
        latency: (Duration::from_millis(1), Duration::from_millis(12)),
    };

    /// When the copies of one datagram arrive: none, one or two.
    pub(crate) fn arrivals(&self, now: Time, dice: &mut ChaCha12Rng) -> Vec<Time> {
        let copies = if dice.random_bool(self.loss) {
            0
        } else if dice.random_bool(self.duplication) {
            2
        } else {
            1
        };
        (0..copies)
            .map(|_| now + between(dice, self.latency.0, self.latency.1))
            .collect()
    }
}

/// A duration drawn evenly.
pub(crate) fn between(dice: &mut ChaCha12Rng, low: Duration, high: Duration) -> Duration {
    let span = high.saturating_sub(low).as_micros() as u64;
    low + Duration::from_micros(if span == 0 {
        0
    } else {
        dice.next_u64() % (span + 1)
    })
}

/// A duration drawn from an exponential law of this mean.
pub(crate) fn exponential(dice: &mut ChaCha12Rng, mean: Duration) -> Duration {
    let uniform: f64 = dice.random_range(f64::EPSILON..1.0);
    mean.mul_f64(-uniform.ln())
}

/// A SIP datagram under way.
#[derive(Clone, Debug)]
pub(crate) struct Datagram {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Bytes,
}
