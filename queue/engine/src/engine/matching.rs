//! Matching callers with operators. [`pronto_routing`] has the rule. A caller and an operator meet at a gateway (the one
//! that holds the call and the registration), in a queue.

use std::time::Duration;

use pronto_routing::{Pool, next_meeting};
use pronto_types::link::Directive;
use pronto_types::{GatewayName, OfferId, OperatorId, QueueName};

use super::Engine;
use crate::fact::{Fact, SkipReason};
use crate::state::Ranked;

/// The shortest validity of a grant: without it, a configuration of zeros would offer for ever at one instant.
const MIN_VALIDITY: Duration = Duration::from_secs(1);

/// A caller and an operator who can meet now.
struct Pair {
    rank: Ranked,
    operator: OperatorId,
    queue: QueueName,
    gateway: GatewayName,
}

impl Engine {
    /// Offers until no ready operator can serve anyone who waits (invariant 4). Each event touches few pools, and a
    /// gateway in step has none left over from the event before, so this costs nothing when nothing changed.
    pub(super) fn match_all(&mut self) {
        if self.state.settling.is_some() {
            return;
        }
        while let Some(pair) = self.next_pair() {
            self.offer(pair);
        }
    }

    fn next_pair(&self) -> Option<Pair> {
        let index = &self.state.index;
        let matchable = index
            .matchable
            .iter()
            .filter(|(gateway, _)| self.state.in_step(gateway));
        let places = matchable.flat_map(|(gateway, queues)| queues.iter().map(move |queue| (queue, gateway)));
        let pools = places.filter_map(|(queue, gateway)| {
            let pool = index.queues.get(queue)?.pools.get(gateway)?;
            Some(Pool {
                key: (queue, gateway),
                head: pool.waiting.first().copied(),
                idle: pool.ready.first().map(|(_, operator)| operator),
            })
        });
        next_meeting(pools).map(|((queue, gateway), rank, operator)| Pair {
            rank,
            operator: operator.clone(),
            queue: queue.clone(),
            gateway: gateway.clone(),
        })
    }

    fn offer(&mut self, pair: Pair) {
        let Pair {
            rank,
            operator,
            queue,
            gateway,
        } = pair;
        self.skip_older(&queue, &gateway, rank);
        let Some(settings) = self.state.queues.get(&queue).map(|it| it.settings.clone()) else {
            return;
        };
        let ring = settings.ring;
        let validity = (ring + self.state.configuration.ring_margin).max(MIN_VALIDITY);
        let ticket = rank.ticket;
        let since = self.waits_since(ticket);
        let waited = since.map_or(Duration::ZERO, |since| self.now.since(since));
        let seq = self.record(Fact::Offered {
            ticket,
            round: None,
            operator: operator.clone(),
            queue: queue.clone(),
            gateway: gateway.clone(),
            waited,
            valid_until: self.now + validity,
        });
        let offer = OfferId(seq);
        self.direct(
            &gateway,
            Directive::Offer {
                offer,
                ticket,
                operator,
                ring,
                queue,
                waited,
            },
        );
    }

    /// "Skipping a detached head is a fact": each caller of the queue who is older than `rank` and has not been overtaken
    /// yet gets one that says why. They are at other gateways: in one pool the oldest is always served first.
    fn skip_older(&mut self, queue: &QueueName, here: &GatewayName, rank: Ranked) {
        let Some(standing) = self.state.index.queues.get(queue) else {
            return;
        };
        let mut older = Vec::new();
        for (gateway, pool) in standing.pools.iter().filter(|(name, _)| *name != here) {
            let reason = if self.state.in_step(gateway) {
                SkipReason::NoPhone
            } else {
                SkipReason::Detached
            };
            let overtaken = pool.fresh.iter().take_while(|it| **it < rank);
            older.extend(overtaken.map(|it| (*it, reason)));
        }
        older.sort_unstable();
        for (skipped, reason) in older {
            self.record(Fact::Skipped {
                ticket: skipped.ticket,
                reason,
            });
        }
    }
}
