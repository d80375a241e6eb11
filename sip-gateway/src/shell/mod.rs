//! The shell of the gateway: sockets, clock, tasks and threads around the pure core.
//!
//! One control task owns the core. Readers of sockets, the media threads and the link hand it what happened over
//! one bounded channel; it answers by writing to sockets, commanding the media threads and sending entries.

mod addresses;
mod attachment;
mod bindings;
mod control;
mod dialogs;
mod diary;
mod handshakes;
mod held;
pub mod link;
mod linking;
mod meters;
mod notes;
mod notices;
mod reader;
mod steps;
mod store;
mod streams;
mod task;
mod tcp;
mod timeouts;
mod tls;
mod todo;
mod traces;
mod udp;
mod ws;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pronto_clock::Clock;
use pronto_media::{Media, MediaSettings, Recorded};
use pronto_recordings::{FinishedRecording, Recorder};
use pronto_sip::{Flow, Transport};
use pronto_types::{CallId, GatewayName, QueueName, TicketId};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha12Rng;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tonic::transport::Channel;

use self::link::LinkEvent;
use crate::call::{Closed, Gateway};
use crate::trace::Ring;
use dialogs::Dialogs;
use held::HeldBack;
pub use reader::{JournalError, JournalReader};
pub use store::JournalEvent;
pub use tls::{Certificates, TlsError, TlsFiles, connector};
pub use traces::{TraceDesk, TraceInbox, trace_desk};

/// The capacity of the control plane's inbox. When it is full, the readers of sockets wait and the kernel drops
/// packets.
const HAPPENED: usize = 4096;

/// The capacity of the inbox for the media threads and the link. It is read first: a flood of signalling must not cost
/// a caller a digit.
const INNER: usize = 65_536;

/// The recordings, in the store's directory.
const RECORDINGS: &str = "recordings";

/// Something the control plane must know.
#[derive(Debug)]
pub(crate) enum ShellEvent {
    /// A datagram, or a whole message of a stream.
    Message { flow: Flow, bytes: Bytes },
    /// A peer has connected to us.
    Accepted { flow: Flow, stream: TcpStream },
    /// A connection ended.
    FlowClosed { flow: Flow, connection: u64 },
    /// A connection could not be made.
    FlowFailed { flow: Flow, connection: u64 },
    /// The media threads say something.
    Media(pronto_media::Event),
    /// The link says something.
    Link(LinkEvent),
    /// A new epoch of the journal is durable, or why not.
    Renewed(Result<u64, String>),
    /// The recorder has finished a file, or gave it up.
    Recorded(FinishedRecording),
    /// The addresses of this machine have changed.
    OwnAddresses(Vec<IpAddr>),
}

/// Calls and dialogs that an earlier process left open.
pub(crate) struct Left {
    /// Calls that never ended.
    pub(crate) calls: BTreeSet<CallId>,
    /// Dialogs that stand.
    pub(crate) orphans: Vec<(u64, pronto_sip::Orphan)>,
}

impl Left {
    fn new(calls: BTreeSet<CallId>, orphans: Vec<(u64, pronto_sip::Orphan)>) -> Self {
        Left { calls, orphans }
    }
}

/// How the shell is set up.
pub struct ShellSettings {
    /// The configured name of this gateway.
    pub name: GatewayName,
    /// Where SIP is listened for.
    pub listen: Vec<(Transport, SocketAddr)>,
    /// The certificate of the TLS and WSS sockets.
    pub tls: Option<TlsFiles>,
    /// The web pages whose scripts may connect over WS and WSS, as they stand in an Origin field; `*` for all. Who sends no
    /// Origin is no browser, and asked for its password like everybody.
    pub origins: Vec<String>,
    /// The differentiated services codepoints of signalling and of media, 0 to 63 (RFC 2474).
    pub dscp: (u8, u8),
    /// The endpoint's settings; `listen` in it is filled with the addresses bound.
    pub sip: pronto_sip::Settings,
    /// The core's settings.
    pub calls: crate::Settings,
    /// The media threads' addresses and ports.
    pub media_listen: std::net::IpAddr,
    /// The range of RTP ports, both ends included.
    pub media_ports: (u16, u16),
    /// How many media threads.
    pub media_threads: usize,
    /// The directory of the journal.
    pub store: PathBuf,
    /// How long calls may go on once the journal's store has failed for good.
    pub drain: Duration,
    /// How many SIP messages are kept to be looked at.
    pub trace: crate::trace::Limits,
    /// The token that proves to the queue service that we may attach; `None` if the queue service runs in our own
    /// process.
    pub token: Option<link::TokenSource>,
}

/// Why the gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A SIP address cannot be bound.
    #[error("cannot listen for SIP on {transport}:{address}: {}", cannot_bind(source))]
    Listen {
        /// The transport's name, in lower case.
        transport: &'static str,
        /// The address that cannot be bound.
        address: SocketAddr,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// A certificate or key is not usable, or TLS is listened for without one.
    #[error("TLS: {0}")]
    Tls(#[from] TlsError),
    /// The addresses of this machine cannot be listed, and a trunk allows them.
    #[error("cannot list the addresses of this machine, which a trunk allows (\"this-machine\"): {0}")]
    Interfaces(std::io::Error),
    /// The media threads cannot start.
    #[error("cannot start the media threads: {0}")]
    Media(std::io::Error),
    /// The recorder cannot start.
    #[error("cannot start the recorder: {0}")]
    Recorder(std::io::Error),
    /// A thread cannot start.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
    /// The journal cannot be opened.
    #[error("cannot open the journal: {0}")]
    Journal(#[from] pronto_store::StoreError),
    /// The operating system gives no random numbers.
    #[error("the operating system gives no random numbers")]
    Random,
}

/// Why an address cannot be listened on, in words.
pub fn cannot_bind(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            "the port is taken by another program (`ss -lnp` says which)".to_owned()
        }
        std::io::ErrorKind::AddrNotAvailable => "no interface of this machine has that address".to_owned(),
        _ => error.to_string(),
    }
}

/// A running gateway.
pub struct GatewayShell {
    listening: Vec<(Transport, SocketAddr)>,
    drain: watch::Sender<Drain>,
    certificates: Option<Certificates>,
    closed: watch::Receiver<Option<Closed>>,
    attached: watch::Receiver<bool>,
    control: JoinHandle<Stopped>,
}

/// How far the gateway is asked to stop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Drain {
    /// Not at all.
    No,
    /// No new calls; those that are up finish, until then at most.
    Finish(Duration),
    /// The same without the queue service: it has stopped for good, and callers who wait go on as their flows say.
    FinishAlone(Duration),
    /// End at once, without waiting for calls.
    Now,
}

/// Why the control plane ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Asked to, and nothing was left to finish.
    Drained,
    /// The journal's store failed.
    StoreFailed(String),
    /// The queue service does not take this gateway, and will not: why, and what to do.
    Refused(String),
}

impl GatewayShell {
    /// Binds everything and starts. The link to the queue service comes up when that is there; who asks the desk of this
    /// inbox for traces is answered from now on.
    ///
    /// # Errors
    /// [`StartError`]: whatever cannot be bound, opened or started.
    pub async fn start(
        settings: ShellSettings,
        queue: Channel,
        traces: TraceInbox,
    ) -> Result<Self, StartError> {
        meters::describe();
        let (happened, inbox) = mpsc::channel(HAPPENED);
        let dialogs = Arc::new(Dialogs::new(&settings.store));
        let opened = store::Journal::open(&settings.store, Arc::clone(&dialogs))?;
        let mut clock = Clock::start(opened.newest.0, opened.newest.1);
        clock.look();
        let certificates = settings.tls.as_ref().map(Certificates::load).transpose()?;
        if certificates.is_none() && settings.listen.iter().any(|(transport, _)| transport.is_secure()) {
            return Err(TlsError::Missing.into());
        }
        let (sockets, listening) = listen(&settings, certificates.clone(), &happened)?;
        let (inner, inner_inbox) = mpsc::channel(INNER);
        let (media, recorder) = media(&settings, &inner)?;
        let sip = pronto_sip::Settings {
            listen: listening.clone(),
            keep_dialogs: true,
            ..settings.sip
        };
        let mut endpoint = endpoint(sip, &clock, &happened)?;
        let (bindings, saved) = bindings::Bindings::open(&settings.store, endpoint.bindings_version());
        endpoint.restore_bindings(clock.now(), &saved);
        let left = Left::new(opened.unfinished, dialogs.open());
        let standing = Standing {
            gateway: settings.name,
            token: settings.token,
            forecasts: settings.calls.forecasts().into_iter().collect(),
            epoch: opened.epoch,
            earlier: opened.earlier,
        };
        let core = Gateway::new(Arc::new(settings.calls), endpoint, dice()?);
        let linking = start_link(queue, standing, clock, inner)?;
        let held = HeldBack::start(Arc::clone(&dialogs)).map_err(StartError::Thread)?;
        let (drain, drained) = watch::channel(Drain::No);
        let control = control::Control::new(control::Parts {
            core,
            clock,
            media,
            recorder,
            sockets,
            journal: opened.journal,
            bindings,
            dialogs,
            held,
            happened,
            linking,
            ring: Ring::new(settings.trace),
        });
        let attached = control.attached();
        let (closed, told_closed) = watch::channel(Some(Closed::NoQueue));
        let watched = control::Watched {
            drain: drained,
            journal: opened.condition,
            closed,
            limit: settings.drain,
        };
        let control = tokio::spawn(control.run([inner_inbox, inbox], traces, watched, left));
        Ok(GatewayShell {
            listening,
            drain,
            certificates,
            closed: told_closed,
            attached,
            control,
        })
    }

    /// The certificate in force, where there is one. Its files are looked at by themselves too.
    pub fn certificates(&self) -> Option<Certificates> {
        self.certificates.clone()
    }

    /// Whether the gateway is attached to the queue service, now and later.
    pub fn attached(&self) -> watch::Receiver<bool> {
        self.attached.clone()
    }

    /// Where SIP is listened for, with the ports the system chose.
    pub fn listening(&self) -> &[(Transport, SocketAddr)] {
        &self.listening
    }

    /// Takes no new calls and finishes those that are up, at most for `limit`.
    pub fn drain(&self, limit: Duration) {
        let _ = self.drain.send(Drain::Finish(limit));
    }

    /// The same where the queue service has stopped for good: callers who wait go on as their flows say where a queue
    /// fails.
    pub fn drain_alone(&self, limit: Duration) {
        let _ = self.drain.send(Drain::FinishAlone(limit));
    }

    /// Why no new calls are taken, now and later; `None` while they are.
    pub fn closed(&self) -> watch::Receiver<Option<Closed>> {
        self.closed.clone()
    }

    /// Ends every call now.
    pub fn end_now(&self) {
        let _ = self.drain.send(Drain::Now);
    }

    /// Completes when the gateway has stopped: drained, or its store failed.
    pub async fn stopped(&mut self) -> Stopped {
        (&mut self.control)
            .await
            .unwrap_or_else(|error| Stopped::StoreFailed(error.to_string()))
    }
}

/// The SIP endpoint, which knows the addresses of this machine where it has to.
fn endpoint(
    sip: pronto_sip::Settings,
    clock: &Clock,
    happened: &mpsc::Sender<ShellEvent>,
) -> Result<pronto_sip::Endpoint, StartError> {
    let this_machine = sip.trunks.iter().any(|trunk| trunk.this_machine);
    let mut endpoint = pronto_sip::Endpoint::new(sip, dice()?);
    if this_machine {
        let own = addresses::own().map_err(StartError::Interfaces)?;
        endpoint.handle_input(clock.now(), pronto_sip::Input::OwnAddresses(own.clone()));
        tokio::spawn(addresses::watch(own, happened.clone()));
    }
    Ok(endpoint)
}

/// The gateway as it presents itself to the queue service.
struct Standing {
    gateway: GatewayName,
    token: Option<link::TokenSource>,
    /// The queues whose forecasts are wanted.
    forecasts: Vec<QueueName>,
    epoch: u64,
    /// Entries of earlier epochs.
    earlier: Vec<store::Earlier>,
}

/// Starts the link to the queue service.
fn start_link(
    queue: Channel,
    standing: Standing,
    clock: Clock,
    to_control: mpsc::Sender<ShellEvent>,
) -> Result<attachment::Linking, StartError> {
    let Standing {
        gateway,
        token,
        forecasts,
        epoch,
        earlier,
    } = standing;
    let position = Arc::new(link::Position::new(epoch));
    let identity = link::Identity {
        gateway: gateway.clone(),
        position: Arc::clone(&position),
        earlier,
        instance: dice()?.next_u64().max(1),
        token,
        forecasts,
    };
    let report = move |event| {
        let to_control = to_control.clone();
        async move { to_control.send(ShellEvent::Link(event)).await.is_ok() }
    };
    tokio::spawn(link::run(queue, identity, clock, dice()?, report));
    Ok(attachment::Linking::new(gateway, position))
}

/// Binds what signalling is sent from and received on.
fn listen(
    settings: &ShellSettings,
    certificates: Option<Certificates>,
    happened: &mpsc::Sender<ShellEvent>,
) -> Result<(control::Sockets, Vec<(Transport, SocketAddr)>), StartError> {
    let mut sockets = control::Sockets::default();
    sockets.policy = tcp::ConnectionPolicy {
        certificates,
        origins: settings.origins.clone().into(),
        dscp: settings.dscp.0,
        inside: None,
    };
    let mut listening = Vec::new();
    for &(transport, address) in &settings.listen {
        let failed = |source| StartError::Listen {
            transport: transport.name(),
            address,
            source,
        };
        let local = if transport == Transport::Udp {
            let socket = udp::listen(address, settings.dscp.0, happened.clone()).map_err(failed)?;
            sockets.udp(socket).map_err(failed)?
        } else {
            tcp::listen(transport, address, happened.clone()).map_err(failed)?
        };
        listening.push((transport, local));
    }
    Ok((sockets, listening))
}

/// The media threads, and the recorder that hears of recorded bridges.
fn media(
    settings: &ShellSettings,
    inner: &mpsc::Sender<ShellEvent>,
) -> Result<(Media, Recorder), StartError> {
    let to_control = inner.clone();
    // The journal is open: no other process keeps files here.
    let recorder = Recorder::start(settings.store.join(RECORDINGS), move |kept| {
        let _ = to_control.blocking_send(ShellEvent::Recorded(kept));
    })
    .map_err(StartError::Recorder)?;
    let inlet = recorder.inlet();
    let to_control = inner.clone();
    let media = Media::start(MediaSettings {
        listen: settings.media_listen,
        ports: settings.media_ports,
        dscp: settings.dscp.1,
        threads: settings.media_threads,
        on_event: Box::new(move |event| {
            // The inbox holds thousands; where even that is full, the control plane is beyond saving this event.
            if to_control.try_send(ShellEvent::Media(event)).is_err() {
                metrics::counter!("pronto_media_events_dropped_total").increment(1);
            }
        }),
        on_recorded: Box::new(move |recorded| match recorded {
            Recorded::Frames {
                recording,
                from,
                frames,
            } => inlet.frames(TicketId(recording.0), from, frames),
            Recorded::Ended { recording, frames } => inlet.end(TicketId(recording.0), frames),
        }),
    })
    .map_err(StartError::Media)?;
    Ok((media, recorder))
}

/// Dice seeded by the operating system: predictable tags are an attack.
fn dice() -> Result<ChaCha12Rng, StartError> {
    ChaCha12Rng::try_from_rng(&mut rand::rngs::SysRng).map_err(|_| StartError::Random)
}
