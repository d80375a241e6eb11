//! Connections to our HTTP listeners (gRPC, the metrics page): how many at once, how many from one source, and which of
//! them goes when there are too many.
//!
//! ```text
//!   accepted ──► idle ──call──► busy ──last call over──► idle ──► gone (nothing asked for too long)
//!                  └── too many: the oldest idle one goes first, then the oldest busy one
//! ```
//! A connection over which a gateway has attached is trusted: it does not count, and it stays.

pub(crate) mod grpc;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use pronto_types::source_of;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::Instant;

/// After an accept that failed: out of file descriptors, accepting again at once would only spin.
const PAUSE: Duration = Duration::from_millis(50);

/// Says what the figure of this module is.
pub(crate) fn describe() {
    metrics::describe_counter!(
        "pronto_connections_closed_total",
        "Connections to gRPC and to the metrics page that were closed because they were idle, or because others needed their \
         place, by listener and reason"
    );
}

/// Limits on the connections of one listener.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The listener's name in metrics.
    pub(crate) listener: &'static str,
    /// Connections at once, without the trusted ones.
    pub(crate) all: usize,
    /// Connections at once from one source (an IPv4 address, or an IPv6 /64), without the trusted ones.
    pub(crate) from_one_source: usize,
    /// Until the first call.
    pub(crate) first: Duration,
    /// After the last call.
    pub(crate) idle: Duration,
}

/// A listener whose connections are counted.
pub(crate) struct Listener {
    tcp: TcpListener,
    table: Shared,
}

impl Listener {
    pub(crate) fn new(tcp: TcpListener, limits: Limits) -> Self {
        let table = Table {
            limits,
            held: BTreeMap::new(),
            next: 0,
        };
        let table = Shared(Arc::new(Mutex::new(table)));
        Listener { tcp, table }
    }

    /// Waits for the next connection.
    pub(crate) async fn accept(&self) -> (TcpStream, Place) {
        loop {
            match self.tcp.accept().await {
                Ok((stream, from)) => return (stream, self.table.admit(from)),
                Err(error) => {
                    tracing::debug!(%error, "accept");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

/// The place of one connection among those of its listener. Dropped, it is free.
pub(crate) struct Place {
    id: u64,
    table: Shared,
    leave: oneshot::Receiver<()>,
}

impl Place {
    /// Completes when the connection has to go, because others need its place.
    pub(crate) async fn taken(&mut self) {
        let _ = (&mut self.leave).await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.table.lock().held.remove(&self.id);
    }
}

#[derive(Clone)]
struct Shared(Arc<Mutex<Table>>);

impl Shared {
    /// The table, which nobody else has meanwhile.
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock()
    }

    fn admit(&self, from: SocketAddr) -> Place {
        let (id, leave) = self.lock().admit(source_of(from.ip()), Instant::now());
        let table = self.clone();
        Place { id, table, leave }
    }
}

/// All connections of a listener, oldest first.
struct Table {
    limits: Limits,
    held: BTreeMap<u64, Held>,
    next: u64,
}

struct Held {
    source: IpAddr,
    /// Calls that go on.
    calls: usize,
    /// Whether there ever was one.
    has_called: bool,
    /// Since the last call, or since it was accepted.
    idle_since: Instant,
    trusted: bool,
    /// Dropped when it has to go.
    stay: Option<oneshot::Sender<()>>,
}

impl Held {
    /// Whether it counts: it is not trusted, and not on its way out.
    fn counts(&self) -> bool {
        !self.trusted && self.stay.is_some()
    }
}

impl Table {
    fn admit(&mut self, source: IpAddr, now: Instant) -> (u64, oneshot::Receiver<()>) {
        let limits = self.limits;
        let counted = |held: &&Held| held.counts();
        if self.held.values().filter(counted).count() >= limits.all {
            self.make_room(|_| true);
        }
        let of_source = |held: &&Held| held.counts() && held.source == source;
        if self.held.values().filter(of_source).count() >= limits.from_one_source {
            self.make_room(|held| held.source == source);
        }
        let (stay, leave) = oneshot::channel();
        let id = self.next;
        self.next += 1;
        let held = Held {
            source,
            calls: 0,
            has_called: false,
            idle_since: now,
            trusted: false,
            stay: Some(stay),
        };
        self.held.insert(id, held);
        (id, leave)
    }

    /// The one idle for longest goes; where none is idle, the oldest.
    fn make_room(&mut self, among: impl Fn(&Held) -> bool) {
        let may_go = self.held.iter().filter(|(_, held)| held.counts() && among(held));
        let first = may_go.min_by_key(|(id, held)| (held.calls > 0, held.idle_since, **id));
        if let Some(id) = first.map(|(id, _)| *id) {
            self.send_away(id, "full");
        }
    }

    fn send_away(&mut self, id: u64, why: &'static str) {
        let listener = self.limits.listener;
        if let Some(held) = self.held.get_mut(&id)
            && held.stay.take().is_some()
        {
            metrics::counter!("pronto_connections_closed_total", "listener" => listener, "why" => why)
                .increment(1);
        }
    }

    fn call_begins(&mut self, id: u64) {
        if let Some(held) = self.held.get_mut(&id) {
            held.calls += 1;
            held.has_called = true;
        }
    }

    fn call_ends(&mut self, id: u64, now: Instant) {
        if let Some(held) = self.held.get_mut(&id) {
            held.calls = held.calls.saturating_sub(1);
            held.idle_since = now;
        }
    }

    fn trust(&mut self, id: u64) {
        if let Some(held) = self.held.get_mut(&id) {
            held.trusted = true;
        }
    }

    /// Until when it may stay if nothing is asked; `None` if that is over.
    fn patience(&mut self, id: u64, now: Instant) -> Option<Instant> {
        let held = self.held.get(&id)?;
        if held.calls > 0 {
            return Some(now + self.limits.idle);
        }
        let limit = if held.has_called {
            self.limits.idle
        } else {
            self.limits.first
        };
        let until = held.idle_since + limit;
        if until > now {
            return Some(until);
        }
        self.send_away(id, "idle");
        None
    }
}

#[cfg(test)]
mod tests;
