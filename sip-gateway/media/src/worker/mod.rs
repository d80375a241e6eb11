//! The shell: threads that own the sockets and the 20 ms clock. The only place of the crate with either.

mod ports;
mod routes;
mod sockets;
mod thread;
mod warm;

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Instant, SystemTime};

use parking_lot::Mutex;
use pronto_types::Time;

use self::ports::Ports;
use self::routes::Routes;
use self::sockets::{Pair, Poller, Wake};
use self::thread::Worker;
use self::warm::Warm;
use crate::shard::Tally;
use crate::{Command, Event, LegId, Recorded};

/// Commands that may wait for one thread. `Close` always fits: each leg has one.
const WAITING: usize = 4_096;
/// Media threads there may be.
const THREADS: usize = 64;
/// File descriptors left for the rest of the process.
const DESCRIPTORS: u64 = 4_096;

/// How to start the media threads.
pub struct MediaSettings {
    /// The address the ports are bound to.
    pub listen: IpAddr,
    /// The port range, ends included: even ports for RTP, the next one for RTCP.
    pub ports: (u16, u16),
    /// The differentiated services codepoint of what is sent, 0 to 63 (RFC 2474). Telephones send 46, expedited forwarding
    /// (RFC 3246, RFC 4594 §4.1).
    pub dscp: u8,
    /// How many threads, 1 to 64.
    pub threads: usize,
    /// Where events go. Called on a media thread, or by [`Media::post`]: it must not block.
    pub on_event: Box<dyn Fn(Event) + Send + Sync>,
    /// Where recorded bridges go. Called on a media thread: it must not block.
    pub on_recorded: Box<dyn Fn(Recorded) + Send + Sync>,
}

impl fmt::Debug for MediaSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MediaSettings")
            .field("listen", &self.listen)
            .field("ports", &self.ports)
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

/// The media threads. Dropping it ends them and closes every port.
pub struct Media {
    threads: Vec<Thread>,
    routes: Arc<Mutex<Routes>>,
    warm: Arc<Mutex<Warm>>,
    listen: IpAddr,
    clock: Clock,
    on_event: Arc<dyn Fn(Event) + Send + Sync>,
    stray_commands: AtomicU64,
}

impl fmt::Debug for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Media")
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Thread {
    /// `None` only while being dropped.
    commands: Option<mpsc::Sender<Order>>,
    poller: Arc<Poller>,
    mailbox: Arc<Mailbox>,
    handle: Option<JoinHandle<()>>,
}

/// An order to a media thread.
#[derive(Debug)]
enum Order {
    Command(Command),
    /// Open a leg with this pair, which the thread's poller watches already. [`Event::Opened`] has been reported.
    Adopt {
        leg: LegId,
        seed: u64,
        pair: Pair,
    },
}

/// State shared by a media thread and the control plane.
#[derive(Debug)]
struct Mailbox {
    wake: Wake,
    /// The thread has been roused and has not looked yet.
    roused: AtomicBool,
    /// Commands it has not taken yet.
    waiting: AtomicUsize,
    /// One of them cannot wait until the thread wakes by itself.
    urgent: AtomicBool,
    counters: Mutex<Counters>,
}

/// Why a command was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CommandError {
    /// Too many are waiting; never for `Close`.
    #[error("too many commands are waiting")]
    Full,
    /// The thread is gone.
    #[error("the media thread has ended")]
    Stopped,
    /// There is an open leg of that name.
    #[error("the leg is open already")]
    Duplicate,
}

/// The counts of all media threads together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Packets and commands.
    pub tally: Tally,
    /// Legs open now.
    pub legs: u64,
    /// Datagrams the kernel did not take.
    pub send_errors: u64,
    /// Wheel slots (2 ms) with legs that began 5 ms late or later.
    pub late_slots: u64,
    /// Wheel slots left out after a stall.
    pub skipped_slots: u64,
    /// Legs that could not be opened.
    pub open_failures: u64,
}

impl Counters {
    fn add(&mut self, other: &Counters) {
        let Counters {
            tally,
            legs,
            send_errors,
            late_slots,
            skipped_slots,
            open_failures,
        } = other;
        self.tally.add(tally);
        self.legs += legs;
        self.send_errors += send_errors;
        self.late_slots += late_slots;
        self.skipped_slots += skipped_slots;
        self.open_failures += open_failures;
    }
}

/// The wall clock sampled once, advanced by the monotonic clock.
#[derive(Clone, Copy, Debug)]
struct Clock {
    start: Time,
    origin: Instant,
}

impl Clock {
    fn start() -> Self {
        let wall = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Clock {
            start: Time::ZERO + wall,
            origin: Instant::now(),
        }
    }

    fn now(&self) -> Time {
        self.start + self.origin.elapsed()
    }
}

impl Media {
    /// Starts the threads. No port is bound yet.
    ///
    /// # Errors
    /// `InvalidInput` for a range without a port pair; otherwise what the operating system says.
    pub fn start(settings: MediaSettings) -> io::Result<Media> {
        let ports = Ports::new(settings.ports.0, settings.ports.1);
        if ports.free() == 0 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the media port range holds no port pair",
            ));
        }
        sockets::raise_descriptor_limit(DESCRIPTORS + 2 * ports.free() as u64);
        let count = settings.threads.clamp(1, THREADS);
        let warm = Arc::new(Mutex::new(Warm::new(warm::MOST.min(ports.free()))));
        let ports = Arc::new(Mutex::new(ports));
        let routes = Arc::new(Mutex::new(Routes::new(count)));
        let on_event: Arc<dyn Fn(Event) + Send + Sync> = settings.on_event.into();
        let on_recorded: Arc<dyn Fn(Recorded) + Send + Sync> = settings.on_recorded.into();
        let clock = Clock::start();
        let mut media = Media {
            threads: Vec::new(),
            routes: Arc::clone(&routes),
            warm: Arc::clone(&warm),
            listen: settings.listen,
            clock,
            on_event: Arc::clone(&on_event),
            stray_commands: AtomicU64::new(0),
        };
        for number in 0..count {
            let (commands, inbox) = mpsc::channel();
            let mailbox = Arc::new(Mailbox {
                wake: Wake::new()?,
                roused: AtomicBool::new(false),
                waiting: AtomicUsize::new(0),
                urgent: AtomicBool::new(false),
                counters: Mutex::default(),
            });
            let poller = Arc::new(Poller::new()?);
            let worker = Worker::new(thread::Parts {
                listen: settings.listen,
                dscp: settings.dscp,
                clock,
                poller: Arc::clone(&poller),
                inbox,
                mailbox: Arc::clone(&mailbox),
                ports: Arc::clone(&ports),
                warm: Arc::clone(&warm),
                routes: Arc::clone(&routes),
                on_event: Arc::clone(&on_event),
                on_recorded: Arc::clone(&on_recorded),
            });
            let handle = std::thread::Builder::new()
                .name(format!("pronto-media-{number}"))
                .spawn(move || worker.run())?;
            media.threads.push(Thread {
                commands: Some(commands),
                poller,
                mailbox,
                handle: Some(handle),
            });
        }
        Ok(media)
    }

    /// [`Media::post`] and [`Media::rouse`] in one.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub fn command(&self, command: Command) -> Result<(), CommandError> {
        let posted = self.post(command);
        self.rouse();
        posted
    }

    /// Lets the threads look at what was posted: one wake-up for each that has something. For a leg to be closed no thread is
    /// woken: it wakes within 20 ms for that leg's next packet, and closes it first.
    pub fn rouse(&self) {
        for Thread { mailbox, .. } in &self.threads {
            if mailbox.urgent.load(Ordering::Acquire) && !mailbox.roused.swap(true, Ordering::AcqRel) {
                mailbox.wake.wake();
            }
        }
    }

    /// Hands a command to the thread that has its leg, which looks at it when it is roused or has packets to send. For one
    /// caller at a time. Does not block. Commands of one leg, and of legs of one group, are carried out in this order. If a port pair is ready for a leg to
    /// be opened, [`Event::Opened`] is reported before this returns, and the thread learns of the leg when it wakes next.
    ///
    /// # Errors
    /// See [`CommandError`]; a command for a leg that is not open is counted and is no error.
    pub fn post(&self, command: Command) -> Result<(), CommandError> {
        let mut routes = self.routes.lock();
        let route = match &command {
            Command::Open { leg, group, .. } => {
                let thread = routes.open(*leg, *group).ok_or(CommandError::Duplicate)?;
                if let Err(error) = self.reserve(thread, WAITING) {
                    routes.close(*leg);
                    return Err(error);
                }
                // The first leg of a thread starts its wheel.
                let wheel_stands = routes.legs(thread) == 1;
                drop(routes);
                let leg = *leg;
                return self
                    .open(thread, wheel_stands, command)
                    .inspect_err(|_| refuse(&self.routes, leg));
            }
            // Each leg is closed once, as its route goes with it: the limit is the number of legs.
            Command::Close { leg } => {
                let thread = routes.close(*leg);
                drop(routes);
                return self.hand_over_known(thread, command, usize::MAX);
            }
            Command::Bridge { a, b }
            | Command::Unbridge { a, b }
            | Command::Record {
                left: a, right: b, ..
            } => routes
                .thread(*a)
                .filter(|thread| routes.thread(*b) == Some(*thread)),
            Command::Configure { leg, .. }
            | Command::Play { leg, .. }
            | Command::Music { leg, .. }
            | Command::Stop { leg }
            | Command::Digits { leg, .. } => routes.thread(*leg),
        };
        drop(routes);
        self.hand_over_known(route, command, WAITING)
    }

    fn hand_over_known(
        &self,
        thread: Option<usize>,
        command: Command,
        limit: usize,
    ) -> Result<(), CommandError> {
        match thread {
            Some(thread) => self.hand_over(thread, command, limit),
            None => {
                self.stray_commands.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
        }
    }

    fn hand_over(&self, thread: usize, command: Command, limit: usize) -> Result<(), CommandError> {
        self.reserve(thread, limit)?;
        let is_urgent = !matches!(command, Command::Close { .. });
        self.send(thread, Order::Command(command), is_urgent)
    }

    /// Takes room for one more command in a thread's mailbox.
    fn reserve(&self, thread: usize, limit: usize) -> Result<(), CommandError> {
        let mailbox = &self.threads.get(thread).ok_or(CommandError::Stopped)?.mailbox;
        if mailbox.waiting.fetch_add(1, Ordering::AcqRel) >= limit {
            mailbox.waiting.fetch_sub(1, Ordering::AcqRel);
            return Err(CommandError::Full);
        }
        Ok(())
    }

    /// Sends an order for which there is room.
    fn send(&self, thread: usize, order: Order, is_urgent: bool) -> Result<(), CommandError> {
        let thread = self.threads.get(thread).ok_or(CommandError::Stopped)?;
        let sent = thread.commands.as_ref().map(|commands| commands.send(order));
        let Some(Ok(())) = sent else {
            thread.mailbox.waiting.fetch_sub(1, Ordering::AcqRel);
            return Err(CommandError::Stopped);
        };
        if is_urgent {
            thread.mailbox.urgent.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// Opens a leg for which there is room: with a pair that is ready, or else the thread binds one.
    fn open(&self, thread: usize, wheel_stands: bool, command: Command) -> Result<(), CommandError> {
        let Command::Open { leg, seed, .. } = command else {
            return Ok(());
        };
        let Some(pair) = self.ready_pair(thread) else {
            return self.send(thread, Order::Command(command), true);
        };
        let local = SocketAddr::new(self.listen, pair.port);
        // Nothing is sent before the next command. Until it comes, a thread with other legs wakes for their packets.
        self.send(thread, Order::Adopt { leg, seed, pair }, wheel_stands)?;
        (self.on_event)(Event::Opened { leg, local });
        Ok(())
    }

    /// A pair that has rested, watched by the thread's poller. One only is tried, as this is no place to wait.
    fn ready_pair(&self, thread: usize) -> Option<Pair> {
        let poller = &self.threads.get(thread)?.poller;
        let now = self.clock.now();
        let pair = self.warm.lock().rested(now)?;
        let is_silent = pair.empty() == Some(0);
        if is_silent && poller.watch(&pair).is_ok() {
            return Some(pair);
        }
        // There was room for it a moment ago; a media thread may have put another pair to rest since.
        self.warm.lock().rest_anyway(now, pair);
        None
    }

    /// The counts of all threads together, at most a few milliseconds old.
    pub fn counters(&self) -> Counters {
        let mut sum = Counters::default();
        for thread in &self.threads {
            sum.add(&thread.mailbox.counters.lock());
        }
        sum.tally.stray_commands += self.stray_commands.load(Ordering::Relaxed);
        sum
    }
}

impl Drop for Media {
    fn drop(&mut self) {
        for thread in &mut self.threads {
            // A thread whose commands have no sender any more ends.
            thread.commands = None;
            thread.mailbox.wake.wake();
        }
        for thread in &mut self.threads {
            if let Some(handle) = thread.handle.take()
                && handle.join().is_err()
            {
                tracing::error!("a media thread panicked");
            }
        }
    }
}

/// Says that a leg will not be: for the thread, which forgets its route first.
fn refuse(routes: &Mutex<Routes>, leg: LegId) {
    routes.lock().close(leg);
}

#[cfg(test)]
mod tests;
