//! Port pairs that stay bound from one leg to the next: making, binding and closing two sockets costs more than the rest
//! of a short call's media.
//!
//! A pair rests before it is used again, so that packets still on their way to the old leg find nobody, and is closed
//! when nobody has wanted it for a while. While other ports are free a pair that has not rested is left alone.

use std::collections::VecDeque;
use std::time::Duration;

use pronto_types::Time;

use super::sockets::Pair;

/// How long a pair rests: twice the longest way a packet of the old call may be under way.
pub(super) const REST: Duration = Duration::from_secs(1);
/// How long a pair is kept.
const KEPT: Duration = Duration::from_secs(10);
/// How many are kept: 2,000 calls begun in a second and their rest.
pub(super) const MOST: usize = 4_096;

/// The pairs at rest, the longest unused first.
#[derive(Debug)]
pub(super) struct Warm {
    pairs: VecDeque<(Time, Pair)>,
    most: usize,
}

impl Warm {
    pub(super) fn new(most: usize) -> Self {
        Warm {
            pairs: VecDeque::new(),
            most,
        }
    }

    /// Puts a pair to rest; returns one there is no room for.
    pub(super) fn rest(&mut self, now: Time, pair: Pair) -> Option<Pair> {
        self.rest_anyway(now, pair);
        (self.pairs.len() > self.most)
            .then(|| self.pairs.pop_front().map(|(_, pair)| pair))
            .flatten()
    }

    /// Puts a pair to rest, with or without room.
    pub(super) fn rest_anyway(&mut self, now: Time, pair: Pair) {
        self.pairs.push_back((now, pair));
    }

    /// A pair that has rested.
    pub(super) fn rested(&mut self, now: Time) -> Option<Pair> {
        self.pairs
            .pop_front_if(|(since, _)| now.since(*since) >= REST)
            .map(|(_, pair)| pair)
    }

    /// The pair that has rested longest: where no other port is free.
    pub(super) fn any(&mut self) -> Option<Pair> {
        self.pairs.pop_front().map(|(_, pair)| pair)
    }

    /// A pair nobody has wanted for a while.
    pub(super) fn stale(&mut self, now: Time) -> Option<Pair> {
        self.pairs
            .pop_front_if(|(since, _)| now.since(*since) >= KEPT)
            .map(|(_, pair)| pair)
    }

    /// When the next pair is [`Warm::stale`].
    pub(super) fn next_stale(&self) -> Option<Time> {
        self.pairs.front().map(|(since, _)| *since + KEPT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::sockets::bind_pair;

    #[test]
    fn a_pair_rests_before_it_is_used_again_and_is_not_kept_for_ever() {
        let at = |seconds| Time::from_secs(seconds);
        let pair = |port| bind_pair("127.46.11.1".parse().unwrap(), port, 46).unwrap();
        let port = |pair: Option<Pair>| pair.map(|pair| pair.port);
        let mut warm = Warm::new(2);
        assert!(warm.rest(at(5), pair(20_002)).is_none());
        assert_eq!(port(warm.rested(at(5))), None, "packets may be under way");
        assert_eq!(port(warm.rested(at(6))), Some(20_002));
        for (second, number) in [(6, 20_004), (7, 20_006), (8, 20_008)] {
            let full = warm.rest(at(second), pair(number));
            assert_eq!(port(full), (number == 20_008).then_some(20_004));
        }
        assert_eq!(warm.next_stale(), Some(at(17)));
        assert_eq!(port(warm.stale(at(16))), None);
        assert_eq!(port(warm.stale(at(17))), Some(20_006));
        assert_eq!((port(warm.any()), port(warm.any())), (Some(20_008), None));
    }

    #[test]
    fn a_pair_says_whether_somebody_still_sent_to_it() {
        let pair = bind_pair("127.46.11.2".parse().unwrap(), 20_012, 46).unwrap();
        assert_eq!(pair.empty(), Some(0));
        let sender = std::net::UdpSocket::bind("127.46.11.3:0").unwrap();
        for to in [20_012, 20_012, 20_013] {
            sender.send_to(&[0x80; 172], ("127.46.11.2", to)).unwrap();
        }
        assert_eq!((pair.empty(), pair.empty()), (Some(3), Some(0)));
    }
}
