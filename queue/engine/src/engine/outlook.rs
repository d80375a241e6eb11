//! The outlook: how long a caller would wait who joined a queue now, told to the gateways whose flows ask for it.
//!
//! No decision and so no fact. One queue is forecast at a time, the one whose turn was longest ago: a step costs one
//! forecast however many queues there are. A forecast is told again a second after it was told where anything has happened
//! since, and after [`IDLE`] in any case, as what is old counts as not known.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use pronto_types::link::Directive;
use pronto_types::{Forecast, GatewayName, QueueName, Time};

use super::Engine;
use super::overflow::forecast;

/// No forecast is told more often.
const BUSY: Duration = Duration::from_secs(1);
/// As time passes alone, so often.
const IDLE: Duration = Duration::from_secs(5);
/// Between one queue and the next: of 1,000 queues each has its turn every 10 s, at a hundred forecasts a second.
const PACE: Duration = Duration::from_millis(10);

/// A queue and when it was told last.
#[derive(Clone, Debug)]
struct Turn {
    queue: QueueName,
    /// The time of the last forecast told; `None`: never.
    told: Option<Time>,
    /// The newest fact then.
    seen: u64,
}

/// The queues whose forecasts each gateway wants, and the order in which they are told.
#[derive(Clone, Debug, Default)]
pub(super) struct Outlook {
    wanted: BTreeMap<GatewayName, BTreeSet<QueueName>>,
    /// Each configured queue that anybody wants, the one told longest ago first.
    turns: VecDeque<Turn>,
    /// When a forecast was told last.
    told: Option<Time>,
}

impl Outlook {
    /// It wants nothing any more.
    fn forget(&mut self, gateway: &GatewayName) {
        if self.wanted.remove(gateway).is_some() {
            let wanted: BTreeSet<&QueueName> = self.wanted.values().flatten().collect();
            self.turns.retain(|turn| wanted.contains(&turn.queue));
        }
    }

    /// These come first.
    fn come_first(&mut self, queues: BTreeSet<QueueName>) {
        self.turns.retain(|turn| !queues.contains(&turn.queue));
        for queue in queues {
            self.turns.push_front(Turn {
                queue,
                told: None,
                seen: 0,
            });
        }
    }

    /// When the next is due, the newest fact being this one; `None`: nobody wants any.
    fn due(&self, newest: u64) -> Option<Time> {
        let next = self.turns.front()?;
        let again = match next.told {
            None => Time::ZERO,
            Some(told) if newest > next.seen => told + BUSY,
            Some(told) => told + IDLE,
        };
        let paced = self.told.map_or(Time::ZERO, |told| told + PACE);
        Some(again.max(paced))
    }
}

impl Engine {
    pub(super) fn follow(&mut self, gateway: GatewayName, epoch: u64, queues: BTreeSet<QueueName>) {
        let known = self.state.gateways.get(&gateway);
        if known.is_some_and(|it| it.epoch == epoch) {
            self.outlook.forget(&gateway);
            if !queues.is_empty() {
                self.outlook.wanted.insert(gateway.clone(), queues);
            }
            self.outlook_anew(&gateway);
        }
    }

    /// The gateway wants to be told, or came in step: what was its turn before passed it by.
    pub(super) fn outlook_anew(&mut self, gateway: &GatewayName) {
        let wanted = self.outlook.wanted.get(gateway).into_iter().flatten();
        let queues = wanted.filter(|queue| self.state.open_queue(queue).is_some());
        let queues = queues.cloned().collect();
        self.outlook.come_first(queues);
    }

    /// The gateway is gone: should it come back, it says again what it wants.
    pub(super) fn outlook_forgets(&mut self, gateway: &GatewayName) {
        self.outlook.forget(gateway);
    }

    /// Other queues are configured: of those that are not, nothing is told.
    pub(super) fn outlook_configured(&mut self) {
        let outlook = &mut self.outlook;
        outlook
            .turns
            .retain(|turn| self.state.open_queue(&turn.queue).is_some());
        let known: BTreeSet<&QueueName> = outlook.turns.iter().map(|turn| &turn.queue).collect();
        let wanted = outlook.wanted.values().flatten();
        let new = wanted.filter(|queue| !known.contains(queue) && self.state.open_queue(queue).is_some());
        let new = new.cloned().collect();
        self.outlook.come_first(new);
    }

    /// When the next forecast is to be told. Gateways that are not in step are told nothing, and while a restarted engine
    /// settles it knows neither who waits nor who serves.
    pub(super) fn outlook_due(&self) -> Option<Time> {
        let told = |gateway| self.state.settling.is_none() && self.state.in_step(gateway);
        let anybody = self.outlook.wanted.keys().any(told);
        self.outlook.due(self.state.last_seq).filter(|_| anybody)
    }

    /// Tells the forecast that is due, if one is.
    pub(super) fn tell_outlook(&mut self) {
        if self.outlook_due().is_none_or(|due| due > self.now) {
            return;
        }
        let Some(Turn { queue, .. }) = self.outlook.turns.pop_front() else {
            return;
        };
        for (gateway, wait) in self.outlook_of(&queue) {
            let queue = queue.clone();
            self.direct(&gateway, Directive::Forecast { queue, wait });
        }
        self.outlook.told = Some(self.now);
        self.outlook.turns.push_back(Turn {
            queue,
            told: Some(self.now),
            seen: self.state.last_seq,
        });
    }

    /// The forecast for each gateway that wants it: the wait in the queue, or in the one to which it overflows at once
    /// if the gateway has an operator there. `None`: nobody is there who could answer, all who could are on a break, or
    /// waits of the queue do not come as they are forecast.
    fn outlook_of(&self, queue: &QueueName) -> Vec<(GatewayName, Option<Forecast>)> {
        let here = self.state.forecaster.joining(self.now, queue);
        let here = here.filter(|_| self.reliable(queue));
        let there = here.and_then(|here| self.sooner_at_joining(self.now, queue, here));
        let here = here.filter(|_| self.is_attended(queue));
        let at = |gateway: &GatewayName| {
            let sooner = there.filter(|(to, _)| self.is_served_at(to, gateway));
            sooner.map(|(_, wait)| wait).or(here).map(forecast)
        };
        let wanted = self.outlook.wanted.iter();
        let followers = wanted.filter(|(_, queues)| queues.contains(queue));
        followers
            .map(|(gateway, _)| (gateway.clone(), at(gateway)))
            .collect()
    }
}
