//! The network between gateways and queue: links that break in the middle of a message, and are noticed late.

use std::time::Duration;

use pronto_types::link::{Directive, Event};
use pronto_types::{TicketId, Time};

use super::{Down, Happening, Up, World};
use crate::Input;

impl World {
    /// Puts what a gateway has written on its link, and what it wants later on the agenda.
    pub(super) fn follow(&mut self, which: usize) {
        let epoch = self.gateways[which].epoch;
        for (at, later) in std::mem::take(&mut self.gateways[which].later) {
            self.plan(at, Happening::Later(which, epoch, later));
        }
        let gateway = &mut self.gateways[which];
        let fresh = gateway.journal.get(gateway.sent..).unwrap_or_default();
        let joined: Vec<(TicketId, Time)> = gateway
            .journal
            .iter()
            .rev()
            .take(4)
            .filter_map(|(at, event)| match event {
                Event::Joined { ticket, .. } => Some((*ticket, *at)),
                _ => None,
            })
            .collect();
        self.truth.extend(joined);
        let wire = &self.wires[which];
        let Some(link) = wire.gateway.filter(|_| wire.welcomed) else {
            return;
        };
        let first = gateway.sent as u64 + 1;
        let entries: Vec<Up> = fresh
            .iter()
            .zip(first..)
            .map(|((at, event), number)| Up::Entry {
                epoch,
                number,
                age: self.now.since(*at),
                event: event.clone(),
            })
            .collect();
        gateway.sent = gateway.journal.len();
        for entry in entries {
            self.send_up(which, link, entry);
        }
    }

    pub(super) fn send_up(&mut self, which: usize, link: u64, message: Up) {
        let latency = Duration::from_micros(self.dice.between(200, 30_000));
        let at = (self.now + latency).max(self.wires[which].up_busy);
        self.wires[which].up_busy = at;
        self.plan(at, Happening::Up(which, link, message));
    }

    pub(super) fn connect(&mut self, which: usize) {
        if self.wires[which].gateway.is_some() {
            return;
        }
        if self.now < self.wires[which].broken_until {
            self.plan(self.now + Duration::from_millis(250), Happening::Connect(which));
            return;
        }
        self.links += 1;
        let link = self.links;
        let wire = &mut self.wires[which];
        (wire.gateway, wire.welcomed) = (Some(link), false);
        (wire.up_busy, wire.down_busy) = (self.now, self.now);
        let (epoch, last) = (self.gateways[which].epoch, self.gateways[which].last());
        self.send_up(which, link, Up::Hello { epoch, last });
    }

    pub(super) fn arrive_up(&mut self, which: usize, link: u64, message: Up) -> Result<(), String> {
        if self.dead.contains(&link) {
            return Ok(());
        }
        if self.engine.is_none() {
            self.break_link(which, link);
            return Ok(());
        }
        let (name, now) = (self.gateways[which].name.clone(), self.now);
        match message {
            Up::Hello { epoch, last } => {
                self.wires[which].queue = Some(link);
                self.wires[which].owed += 1;
                let attached = Input::Attached {
                    gateway: name,
                    epoch,
                    last,
                    instance: epoch,
                };
                self.with_engine(|engine| engine.handle_input(now, attached))
            }
            Up::Entry {
                epoch,
                number,
                age,
                event,
            } => {
                if self.wires[which].queue != Some(link) {
                    return Ok(());
                }
                let entry = Input::Entry {
                    gateway: name,
                    epoch,
                    number,
                    age,
                    event,
                    caller_key: None,
                };
                self.with_engine(|engine| engine.handle_input(now, entry))
            }
        }
    }

    pub(super) fn arrive_down(&mut self, which: usize, link: u64, message: Down) -> Result<(), String> {
        if self.dead.contains(&link) || self.wires[which].gateway != Some(link) {
            return Ok(());
        }
        let durable = self.durable as u64;
        let gateway = &mut self.gateways[which];
        match message {
            Down::Welcome { have } => {
                if have < gateway.acknowledged || have > gateway.last() {
                    let (acknowledged, last) = (gateway.acknowledged, gateway.last());
                    return Err(format!(
                        "welcome with {have}, of {last} entries {acknowledged} were taken"
                    ));
                }
                // A gateway may repeat itself.
                let again = if self.dice.chance(30) {
                    self.dice.between(0, 3)
                } else {
                    0
                };
                gateway.sent = usize::try_from(have.saturating_sub(again)).unwrap_or(0);
                self.wires[which].welcomed = true;
            }
            Down::Refuse => return Err(format!("{:?} was refused", gateway.name)),
            Down::Directive(directive) => {
                if let Directive::Offer { offer, .. } = &directive
                    && offer.0 > durable
                {
                    return Err(format!(
                        "{offer:?} went out, and the ledger is durable up to {durable}"
                    ));
                }
                if let Directive::Announce { announcement, .. } = &directive {
                    if announcement.0 > durable {
                        return Err(format!(
                            "{announcement:?} went out, and the ledger is durable up to {durable}"
                        ));
                    }
                    self.delivered.insert(*announcement, (which, gateway.epoch));
                }
                gateway.take(self.now, directive, &mut self.dice)?;
            }
            Down::Acknowledge { number } => {
                if number > gateway.last() {
                    return Err(format!(
                        "entry {number} was acknowledged, there are {}",
                        gateway.last()
                    ));
                }
                gateway.acknowledged = gateway.acknowledged.max(number);
            }
        }
        self.follow(which);
        Ok(())
    }

    /// The link carries nothing from now on; both sides notice, each in its time.
    pub(super) fn break_link(&mut self, which: usize, link: u64) {
        self.dead.insert(link);
        let queue = Duration::from_millis(self.dice.between(0, 2_000));
        let gateway = Duration::from_millis(self.dice.between(0, 2_000));
        self.plan(self.now + queue, Happening::QueueNotices(which, link));
        self.plan(self.now + gateway, Happening::GatewayNotices(which, link));
    }

    pub(super) fn queue_notices(&mut self, which: usize, link: u64) -> Result<(), String> {
        if self.wires[which].queue != Some(link) || self.engine.is_none() {
            return Ok(());
        }
        self.wires[which].queue = None;
        let (gateway, now) = (self.gateways[which].name.clone(), self.now);
        let epoch = self
            .engine
            .as_ref()
            .and_then(|it| it.state().gateways.get(&gateway))
            .map_or(0, |it| it.epoch);
        self.with_engine(|engine| engine.handle_input(now, Input::Detached { gateway, epoch }))
    }

    pub(super) fn gateway_notices(&mut self, which: usize, link: u64) {
        if self.wires[which].gateway == Some(link) {
            let wire = &mut self.wires[which];
            (wire.gateway, wire.welcomed) = (None, false);
            let back_off = Duration::from_millis(self.dice.between(10, 250));
            self.plan(self.now + back_off, Happening::Connect(which));
        }
    }
}
