//! One media thread: its sockets, its wheel, its wait.
//!
//! It wakes for the slots of the wheel that are in use and reads what has come meanwhile, so that a packet does not cost
//! a wake-up each. A key may wait 10 ms for that. A relayed packet may not: while there are bridges the thread wakes
//! every 2 ms, or, with few legs, for each packet.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

use parking_lot::Mutex;
use pronto_types::Time;

use super::ports::Ports;
use super::routes::Routes;
use super::sockets::{self, Pair, Poller, Ready};
use super::warm::Warm;
use super::{Clock, Counters, Mailbox, Order, refuse};
use crate::shard::{Channel, LegPort, Outlet, SLOT, SLOTS, Shard};
use crate::{Command, Event, LegId, OpenError, Recorded};

/// Up to this many legs, relayed packets are read as they come.
const EAGER: usize = 8;
/// How many slots a packet may wait to be read when there are no bridges.
const READ_EVERY: usize = 5;
/// After a stall, up to three packets per leg are sent late; what would be later still is left out.
const CATCH_UP: i64 = 3 * SLOTS as i64;
/// A slot that begins this late is counted.
const LATE: Duration = Duration::from_millis(5);
/// Commands carried out before a slot that is due: about half a millisecond's, or two where each binds a new pair.
const IN_ANY_CASE: usize = 64;
/// Packets read from one socket in one go: what a flood on one port may take from the others.
const ROUNDS: usize = 64;
/// Ports tried for one leg when others hold them.
const ATTEMPTS: usize = 32;
/// The longest datagram worth reading: an Ethernet frame's. Longer ones are cut and then malformed or unexpected.
const DATAGRAM: usize = 1_500;

/// The parts that a media thread is built from.
pub(super) struct Parts {
    pub(super) listen: IpAddr,
    pub(super) dscp: u8,
    pub(super) clock: Clock,
    pub(super) poller: Arc<Poller>,
    pub(super) inbox: Receiver<Order>,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) ports: Arc<Mutex<Ports>>,
    /// The port pairs that stay bound between legs.
    pub(super) warm: Arc<Mutex<Warm>>,
    pub(super) routes: Arc<Mutex<Routes>>,
    pub(super) on_event: Arc<dyn Fn(Event) + Send + Sync>,
    pub(super) on_recorded: Arc<dyn Fn(Recorded) + Send + Sync>,
}

/// A media thread's whole state.
pub(super) struct Worker {
    listen: IpAddr,
    dscp: u8,
    clock: Clock,
    poller: Arc<Poller>,
    inbox: Receiver<Order>,
    mailbox: Arc<Mailbox>,
    ports: Arc<Mutex<Ports>>,
    warm: Arc<Mutex<Warm>>,
    routes: Arc<Mutex<Routes>>,
    shard: Shard,
    carrier: Carrier,
    on_recorded: Arc<dyn Fn(Recorded) + Send + Sync>,
    /// The next slot to turn to, counted from the clock's start.
    next: i64,
    counters: Counters,
}

/// The shard's way out.
struct Carrier {
    /// At the shard's places.
    sockets: Vec<Option<Pair>>,
    places: Places,
    v6: bool,
    send_errors: u64,
    on_event: Arc<dyn Fn(Event) + Send + Sync>,
}

/// The places of legs by their ports: one more than the place, or 0, for each pair of ports that there can be.
struct Places(Vec<u32>);

impl Places {
    fn new() -> Self {
        // Memory that is never written to costs nothing.
        Places(vec![0; usize::from(u16::MAX / 2) + 1])
    }

    fn set(&mut self, port: u16, place: Option<usize>) {
        self.0[usize::from(port / 2)] = place.map_or(0, |place| place as u32 + 1);
    }

    fn get(&self, port: u16) -> Option<usize> {
        Some(self.0[usize::from(port / 2)].checked_sub(1)? as usize)
    }
}

impl Carrier {
    fn socket(&self, place: usize, channel: Channel) -> Option<&UdpSocket> {
        let pair = self.sockets.get(place)?.as_ref()?;
        Some(match channel {
            Channel::Rtp => &pair.rtp,
            Channel::Rtcp => &pair.rtcp,
        })
    }

    /// The leg and the one of its two ports that this port is.
    fn place_of(&self, port: u16) -> Option<(usize, Channel)> {
        let channel = if port.is_multiple_of(2) {
            Channel::Rtp
        } else {
            Channel::Rtcp
        };
        Some((self.places.get(port)?, channel))
    }
}

impl Outlet for Carrier {
    fn send(&mut self, place: usize, channel: Channel, to: SocketAddr, datagram: &[u8]) {
        let Some(socket) = self.socket(place, channel) else {
            return;
        };
        // A full buffer is a lost packet, as on any network.
        if socket
            .send_to(datagram, sockets::for_family(self.v6, to))
            .is_err()
        {
            self.send_errors += 1;
        }
    }

    fn report(&mut self, event: Event) {
        (self.on_event)(event);
    }
}

/// How many slots to leave out when `behind` are due: whole turns only, so that each leg keeps its slot and sends the
/// packet that is due now.
fn left_out(behind: i64) -> i64 {
    if behind > CATCH_UP {
        behind - behind.rem_euclid(SLOTS as i64)
    } else {
        0
    }
}

impl Worker {
    pub(super) fn new(parts: Parts) -> Self {
        let Parts {
            listen,
            dscp,
            clock,
            poller,
            inbox,
            mailbox,
            ports,
            warm,
            routes,
            on_event,
            on_recorded,
        } = parts;
        let carrier = Carrier {
            sockets: Vec::new(),
            places: Places::new(),
            v6: listen.is_ipv6(),
            send_errors: 0,
            on_event,
        };
        Worker {
            listen,
            dscp,
            clock,
            poller,
            inbox,
            mailbox,
            ports,
            warm,
            routes,
            shard: Shard::new(),
            carrier,
            on_recorded,
            next: 0,
            counters: Counters::default(),
        }
    }

    /// Until the control plane lets go of its end.
    pub(super) fn run(mut self) {
        let mut ready = Ready::new();
        let mut datagram = [0; DATAGRAM];
        loop {
            self.set_out();
            let told = self.obey();
            self.turn();
            self.hand_on();
            if !told {
                return;
            }
            self.read(&mut ready, &mut datagram);
            self.hand_on();
            self.let_go();
            self.publish();
            self.wait();
        }
    }

    /// The nominal time of a slot.
    fn time_of(&self, slot: i64) -> Time {
        Time::from_micros(self.clock.start.as_micros() + slot * SLOT.as_micros() as i64)
    }

    fn slot_at(&self, now: Time) -> i64 {
        (now.since(self.clock.start).as_micros() / SLOT.as_micros()) as i64
    }

    /// Restarts the timer wheel for the first leg: without legs it stands still.
    fn set_out(&mut self) {
        if self.shard.legs() == 0 {
            self.next = self.slot_at(self.clock.now()) + 1;
        }
    }

    /// Turns the wheel to now.
    fn turn(&mut self) {
        let now = self.clock.now();
        let current = self.slot_at(now);
        if self.shard.legs() == 0 {
            return;
        }
        let skipped = left_out(current - self.next);
        self.next += skipped;
        self.counters.skipped_slots += skipped as u64;
        while self.next <= current {
            let nominal = self.time_of(self.next);
            let in_use = self.shard.next_busy(self.wheel_slot()) == Some(0);
            self.counters.late_slots += u64::from(in_use && now.since(nominal) >= LATE);
            self.shard.tick(nominal, self.wheel_slot(), &mut self.carrier);
            self.next += 1;
        }
    }

    fn wheel_slot(&self) -> usize {
        self.next.rem_euclid(SLOTS as i64) as usize
    }

    /// When the next slot with legs is due.
    fn next_tick(&self) -> Option<Time> {
        let ahead = self.shard.next_busy(self.wheel_slot())?;
        Some(self.time_of(self.next + ahead as i64))
    }

    fn slot_is_due(&self) -> bool {
        self.next_tick().is_some_and(|at| self.clock.now() >= at)
    }

    /// Takes commands: some in any case, so that no leg sends once more that is to be closed, and more as long as the wheel
    /// can wait. False when there is nobody to give any.
    fn obey(&mut self) -> bool {
        self.mailbox.roused.store(false, Ordering::Release);
        self.mailbox.urgent.store(false, Ordering::Release);
        for taken in 1.. {
            let order = match self.inbox.try_recv() {
                Ok(order) => order,
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            };
            self.mailbox.waiting.fetch_sub(1, Ordering::AcqRel);
            match order {
                Order::Adopt { leg, seed, pair } => self.adopt(leg, seed, pair),
                Order::Command(Command::Open { leg, seed, .. }) => self.open(leg, seed),
                Order::Command(Command::Close { leg }) => self.close(leg),
                Order::Command(command) => self.shard.command(self.clock.now(), command),
            }
            if taken >= IN_ANY_CASE && self.slot_is_due() {
                // The rest is looked at after the slot: do not sleep over it.
                self.mailbox.roused.store(true, Ordering::Release);
                self.mailbox.wake.wake();
                break;
            }
        }
        true
    }

    fn open(&mut self, leg: LegId, seed: u64) {
        let opened = self.pair(self.clock.now()).and_then(|pair| {
            if self.poller.watch(&pair).is_ok() {
                return Ok(pair);
            }
            self.unbind(pair);
            Err(OpenError::NoSockets)
        });
        match opened {
            Ok(pair) => {
                let local = SocketAddr::new(self.listen, pair.port);
                self.adopt(leg, seed, pair);
                self.carrier.report(Event::Opened { leg, local });
            }
            Err(error) => {
                self.counters.open_failures += 1;
                refuse(&self.routes, leg);
                self.carrier.report(Event::OpenFailed { leg, error });
            }
        }
    }

    /// A new leg, with a pair that is watched. No other leg has its id: the routes hold each id once.
    fn adopt(&mut self, leg: LegId, seed: u64, pair: Pair) {
        let Some(place) = self.shard.open(self.clock.now(), leg, seed) else {
            return self.unbind(pair);
        };
        let Carrier { sockets, places, .. } = &mut self.carrier;
        if sockets.len() <= place {
            sockets.resize_with(place + 1, || None);
        }
        places.set(pair.port, Some(place));
        sockets[place] = Some(pair);
    }

    /// A pair that has rested, or else a new one, or else any.
    fn pair(&mut self, now: Time) -> Result<Pair, OpenError> {
        let rested = || self.warm.lock().rested(now);
        while let Some(pair) = rested() {
            match pair.empty() {
                Some(0) => return Ok(pair),
                // Somebody still sends to it, whose call ended without their knowing: the next call must not hear them.
                Some(_) => self.rest(now, pair),
                None => self.unbind(pair),
            }
        }
        let error = match self.bind() {
            Ok(pair) => return Ok(pair),
            Err(error) => error,
        };
        let any = || self.warm.lock().any();
        while let Some(pair) = any() {
            if pair.empty().is_some() {
                return Ok(pair);
            }
            self.unbind(pair);
        }
        Err(error)
    }

    /// Puts a pair to rest, or closes the one there is no room for.
    fn rest(&self, now: Time, pair: Pair) {
        let over = self.warm.lock().rest(now, pair);
        if let Some(over) = over {
            self.unbind(over);
        }
    }

    /// Closes a pair, before the port can be taken again.
    fn unbind(&self, pair: Pair) {
        let port = pair.port;
        drop(pair);
        self.ports.lock().give_back(port);
    }

    /// Closes what nobody has wanted for a while.
    fn let_go(&mut self) {
        let now = self.clock.now();
        let stale = || self.warm.lock().stale(now);
        while let Some(pair) = stale() {
            self.unbind(pair);
        }
    }

    /// The next free pair that nobody else on this machine holds.
    fn bind(&self) -> Result<Pair, OpenError> {
        for _ in 0..ATTEMPTS {
            let port = self.ports.lock().take().ok_or(OpenError::NoPorts)?;
            match sockets::bind_pair(self.listen, port, self.dscp) {
                Ok(pair) => return Ok(pair),
                Err(error) => {
                    self.ports.lock().give_back(port);
                    if error.kind() != io::ErrorKind::AddrInUse {
                        tracing::debug!(port, %error, "no socket for a media port");
                        return Err(OpenError::NoSockets);
                    }
                }
            }
        }
        Err(OpenError::NoPorts)
    }

    fn close(&mut self, leg: LegId) {
        if let Some(stats) = self.forget(leg) {
            self.carrier.report(Event::Closed { leg, stats });
        }
    }

    fn forget(&mut self, leg: LegId) -> Option<crate::Stats> {
        let (place, stats) = self.shard.close(leg)?;
        if let Some(pair) = self.carrier.sockets.get_mut(place).and_then(Option::take) {
            self.carrier.places.set(pair.port, None);
            match self.poller.unwatch(&pair) {
                Ok(()) => self.rest(self.clock.now(), pair),
                Err(_) => self.unbind(pair),
            }
        }
        Some(stats)
    }

    /// Reads what has come, until there is nothing or the wheel cannot wait.
    fn read(&mut self, ready: &mut Ready, datagram: &mut [u8; DATAGRAM]) {
        if self.shard.legs() == 0 {
            return;
        }
        for _ in 0..ROUNDS {
            let count = self.poller.ready(ready);
            if count == 0 {
                return;
            }
            let now = self.clock.now();
            let mut known = false;
            for n in 0..count {
                let Some((place, channel)) = self.carrier.place_of(ready.port(n)) else {
                    // The thread learns of this leg with its next command.
                    continue;
                };
                known = true;
                let Some(socket) = self.carrier.socket(place, channel) else {
                    continue;
                };
                // An error is one the network reported for an earlier packet, or a wrong checksum: nothing to read.
                let Ok((length, from)) = socket.recv_from(datagram) else {
                    continue;
                };
                let datagram = &mut datagram[..length];
                self.shard.packet(
                    now,
                    LegPort { place, channel },
                    sockets::canonical(from),
                    datagram,
                    &mut self.carrier,
                );
            }
            if !known || self.slot_is_due() {
                return;
            }
        }
    }

    /// Gives away what recorded bridges said.
    fn hand_on(&mut self) {
        while let Some(recorded) = self.shard.poll_recorded() {
            (self.on_recorded)(recorded);
        }
    }

    fn publish(&mut self) {
        let counters = Counters {
            tally: self.shard.tally(),
            legs: self.shard.legs() as u64,
            send_errors: self.carrier.send_errors,
            ..self.counters
        };
        *self.mailbox.counters.lock() = counters;
    }

    fn wait(&self) {
        let Some(tick) = self.next_tick() else {
            let stale = self.warm.lock().next_stale().map(|at| at.since(self.clock.now()));
            return sockets::wait(&self.mailbox.wake, None, stale);
        };
        let bridges = self.shard.bridges() > 0;
        let read = self.time_of(self.next + if bridges { 0 } else { READ_EVERY as i64 - 1 });
        let eager = bridges && self.shard.legs() <= EAGER;
        let timeout = if eager { tick } else { tick.min(read) }.since(self.clock.now());
        if !timeout.is_zero() {
            sockets::wait(&self.mailbox.wake, eager.then_some(&self.poller), Some(timeout));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_stall_is_caught_up_and_a_long_one_left_out_in_whole_turns() {
        assert_eq!([-1, 0, 1, 30].map(left_out), [0; 4]);
        assert_eq!([31, 39, 40, 2_505].map(left_out), [30, 30, 40, 2_500]);
    }
}
