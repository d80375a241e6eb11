//! The control plane: the one task that owns the core.

mod connections;
mod outputs;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pronto_clock::Clock;
use pronto_media::Media;
use pronto_recordings::Recorder;
use pronto_sip::Flow;
use pronto_store::Health;
use pronto_types::Wall;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::attachment::Linking;
use super::bindings::Bindings;
use super::dialogs::Dialogs;
use super::diary::Diary;
use super::handshakes::Handshakes;
use super::held::HeldBack;
use super::meters;
use super::notes::Notes;
use super::notices::Notices;
use super::steps::Steps;
use super::store::{Condition, Journal};
use super::streams::Streams;
use super::tcp::{Connection, ConnectionPolicy};
use super::todo::Todo;
use super::traces::{TraceInbox, TraceRequest};
use super::{Drain, Left, ShellEvent, Stopped};
use crate::call::{Closed, Gateway, Input, Log};
use crate::trace::Ring;

/// Bindings written down in one step, where there are more.
const BINDINGS: usize = 128;
/// After the last call: for phones to confirm their BYE and the queue the journal.
const LEAVING: Duration = Duration::from_secs(5);
/// How often gauges are set.
const GAUGES: Duration = Duration::from_secs(1);

/// The sockets signalling is sent from.
#[derive(Default)]
pub(super) struct Sockets {
    udp: BTreeMap<SocketAddr, Arc<UdpSocket>>,
    streams: Streams<Connection>,
    /// Requirements and settings for accepted connections.
    pub(super) policy: ConnectionPolicy,
}

impl Sockets {
    /// Keeps a bound UDP socket and returns its address.
    pub(super) fn udp(&mut self, socket: Arc<UdpSocket>) -> std::io::Result<SocketAddr> {
        let local = socket.local_addr()?;
        self.udp.insert(local, socket);
        Ok(local)
    }
}

/// Why a step begins.
enum Woken {
    /// To stop, or not to.
    Asked(Drain),
    /// The journal's store stands otherwise than before.
    Journal(Condition),
    /// Deadlines of the core have come.
    Due,
    /// The time for the calls that are up is over.
    End,
    Second,
    /// Somebody wants to see traces.
    Question(TraceRequest),
    /// Something is there to be done.
    Arrived,
}

/// The control plane's state.
pub(super) struct Control {
    pub(super) core: Gateway,
    pub(super) clock: Clock,
    /// How the wall clock stood, to date what is kept.
    wall: Wall,
    media: Media,
    /// `None` only while ending.
    recorder: Option<Recorder>,
    sockets: Sockets,
    handshakes: Handshakes,
    pub(super) journal: Journal,
    bindings: Bindings,
    dialogs: Arc<Dialogs>,
    /// Messages that leave once the dialogs they are about are written.
    held: HeldBack,
    notices: Notices,
    pub(super) happened: mpsc::Sender<ShellEvent>,
    pub(super) linking: Linking,
    /// The SIP messages of the newest calls.
    ring: Ring,
    /// Log lines about refused bodies and offers, limited in rate.
    notes: Notes,
    diary: Diary,
    /// The message that is being taken: what is sent meanwhile answers it.
    taken: Option<Bytes>,
    failed: Vec<Flow>,
    next_connection: u64,
    media_refused: Vec<pronto_media::Event>,
    /// The journal's store has failed for good, with this error.
    broken: Option<String>,
    steps: Steps,
}

/// Values that the control plane watches or publishes: only the latest of each counts.
pub(super) struct Watched {
    pub(super) drain: watch::Receiver<Drain>,
    pub(super) journal: watch::Receiver<Condition>,
    /// Why no new calls are taken; `None` while they are.
    pub(super) closed: watch::Sender<Option<Closed>>,
    /// How long calls may go on once the journal's store has failed.
    pub(super) limit: Duration,
}

/// Everything that the control plane takes over when it starts.
pub(super) struct Parts {
    pub(super) core: Gateway,
    pub(super) clock: Clock,
    pub(super) media: Media,
    pub(super) recorder: Recorder,
    pub(super) sockets: Sockets,
    pub(super) journal: Journal,
    pub(super) bindings: Bindings,
    pub(super) dialogs: Arc<Dialogs>,
    pub(super) held: HeldBack,
    pub(super) happened: mpsc::Sender<ShellEvent>,
    pub(super) linking: Linking,
    pub(super) ring: Ring,
}

impl Control {
    pub(super) fn new(parts: Parts) -> Self {
        let Parts {
            core,
            clock,
            media,
            recorder,
            sockets,
            journal,
            bindings,
            dialogs,
            held,
            happened,
            linking,
            ring,
        } = parts;
        Control {
            core,
            handshakes: Handshakes::new(),
            clock,
            wall: Wall::begin(clock.offset()),
            media,
            recorder: Some(recorder),
            sockets,
            journal,
            bindings,
            dialogs,
            held,
            notices: Notices::default(),
            happened,
            linking,
            ring,
            notes: Notes::new(),
            diary: Diary::default(),
            taken: None,
            failed: Vec::new(),
            next_connection: 0,
            media_refused: Vec::new(),
            broken: None,
            steps: Steps::new(),
        }
    }

    /// Whether the gateway is attached to the queue service, now and later.
    pub(super) fn attached(&self) -> watch::Receiver<bool> {
        self.linking.attached.subscribe()
    }

    /// Runs until drained or broken.
    pub(super) async fn run(
        mut self,
        [mut inner, mut inbox]: [mpsc::Receiver<ShellEvent>; 2],
        mut traces: TraceInbox,
        mut watched: Watched,
        left: Left,
    ) -> Stopped {
        self.take_over(left);
        let mut todo = Todo::default();
        let mut gauges = tokio::time::interval(GAUGES);
        // When calls are ended, and when we go although somebody has not confirmed it.
        let mut end = None;
        let mut leave = None;
        let written = self.journal.written();
        watched.journal.mark_changed();
        self.hand_over();
        loop {
            let wake = self.core.poll_timeout().map(|at| self.clock.instant(at));
            let unfinished = !todo.is_empty() || self.bindings.gathering().is_some();
            let woken = tokio::select! {
                // What must not wait comes first: a flood of signalling delays neither a deadline nor a digit.
                biased;
                Ok(()) = watched.drain.changed() => Woken::Asked(*watched.drain.borrow_and_update()),
                Ok(()) = watched.journal.changed() => {
                    Woken::Journal(watched.journal.borrow_and_update().clone())
                }
                () = sleep_until(wake) => Woken::Due,
                () = sleep_until(end) => Woken::End,
                // Handing over tells the core.
                () = written.reached() => Woken::Arrived,
                () = sleep_until(leave) => return self.finish(inbox, inner).await,
                _ = gauges.tick() => Woken::Second,
                Some(ask) = traces.next() => Woken::Question(ask),
                Some(happened) = inner.recv() => {
                    todo.urgent.push_back(happened);
                    Woken::Arrived
                }
                Some(happened) = inbox.recv() => {
                    todo.usual.push_back(happened);
                    Woken::Arrived
                }
                () = std::future::ready(()), if unfinished => Woken::Arrived,
            };
            self.steps.begin();
            if matches!(woken, Woken::Asked(_)) {
                leave = None;
            }
            end = self.wake(woken, end);
            todo.fill(&mut inner, &mut inbox);
            if let Some(stopped) = self.work(&mut todo) {
                return stopped;
            }
            if self.broken.is_some() && !self.core.is_draining() {
                end = self.asked_to_stop(Drain::Finish(watched.limit), end);
            }
            let closed = self.core.closed(self.clock.now());
            watched
                .closed
                .send_if_modified(|before| std::mem::replace(before, closed) != closed);
            if self.core.settled() {
                return self.finish(inbox, inner).await;
            }
            if leave.is_none() && self.core.drained() {
                leave = Some(Instant::now() + LEAVING);
            }
        }
    }

    /// Calls that a process before this one left open are recorded, and dialogs that it left standing ended.
    fn take_over(&mut self, left: Left) {
        self.input(Input::Recovered(left.calls));
        if !left.orphans.is_empty() {
            let dialogs = left.orphans.len();
            tracing::warn!(
                dialogs,
                "the process before this one left dialogs standing: they are ended"
            );
            self.input(Input::Orphans(left.orphans));
        }
    }

    /// Begins a step. Returns when the calls that are up end.
    fn wake(&mut self, woken: Woken, end: Option<Instant>) -> Option<Instant> {
        match woken {
            Woken::Asked(asked) => return self.asked_to_stop(asked, end),
            Woken::Journal(condition) => self.journal_stands(condition),
            Woken::Due => {
                let now = self.clock.now();
                self.core.handle_timeout(now);
                self.drain_outputs();
            }
            Woken::End => {
                self.input(Input::HangUpAll);
                return None;
            }
            Woken::Second => self.each_second(),
            Woken::Question(ask) => ask.answer(&self.ring, &self.wall),
            Woken::Arrived => {}
        }
        end
    }

    /// Does what has arrived, as much as fits into one step, and ends the step.
    fn work(&mut self, todo: &mut Todo) -> Option<Stopped> {
        self.gather_bindings();
        while let Some(happened) = todo.next() {
            self.happened(happened);
            if self.steps.is_long() {
                break;
            }
        }
        self.hand_over();
        self.steps.end();
        self.linking.stop.take()
    }

    /// Rouses the media threads and hands the journal on, once for all that was taken together.
    fn hand_over(&mut self) {
        self.media.rouse();
        if let Some(entry) = self.core.awaits()
            && let Some(number) = self.journal.wait_for(entry)
        {
            self.input(Input::Durable { number });
            self.media.rouse();
        }
        if let Err(error) = self.journal.commit() {
            self.journal_failed(error.to_string());
        }
    }

    /// The journal's store says how it stands.
    fn journal_stands(&mut self, condition: Condition) {
        let open = condition.health.admits();
        self.admission(Log::Journal, open);
        if condition.health == Health::Stalled {
            self.input(Input::Unwritable);
        }
        if let Some(error) = condition.failed {
            self.journal_failed(error.clone());
            // It knows better than a batch that was not taken.
            self.broken = Some(error);
        }
    }

    /// Nothing can be written any more. Calls go on, what happens to them is told to the queue alone, and the process
    /// ends after them.
    fn journal_failed(&mut self, error: String) {
        self.journal.give_up();
        self.input(Input::Unwritable);
        if self.broken.is_none() {
            tracing::error!(%error, "the journal has failed: no new calls; those that are up may finish, then the process ends");
            self.broken = Some(error);
        }
    }

    fn each_second(&mut self) {
        self.journal.retry();
        let before = self.wall.offset();
        if let Some(offset) = self.clock.look() {
            self.wall.step(self.clock.now(), offset);
            tracing::warn!(
                "the wall clock was set by {:+} s, or the machine was suspended: new records are dated by it",
                offset.saturating_sub(before) / 1_000_000
            );
        }
        meters::set(
            &self.core,
            &self.media,
            self.recorder.as_ref(),
            self.sockets.streams.len(),
        );
        metrics::counter!("pronto_dialogs_not_kept_total").absolute(self.dialogs.lost());
        if self.dialogs.wants_tidying() {
            let dialogs = Arc::clone(&self.dialogs);
            tokio::task::spawn_blocking(move || dialogs.tidy());
        }
        self.close_idle();
        self.steps.publish();
        let happened = self.core.take_notices();
        self.notices.tell(self.clock.now(), happened);
        self.bindings.begin(self.core.sip().bindings_version());
    }

    /// Writes down some more of the bindings, where they have changed.
    fn gather_bindings(&mut self) {
        if let Some(after) = self.bindings.gathering() {
            let (text, more) = self.core.sip().saved_bindings_after(after, BINDINGS);
            self.bindings.gathered(&text, more);
        }
    }

    fn asked_to_stop(&mut self, asked: Drain, end: Option<Instant>) -> Option<Instant> {
        match asked {
            Drain::No => end,
            Drain::Finish(limit) | Drain::FinishAlone(limit) => {
                if matches!(asked, Drain::FinishAlone(_)) {
                    self.input(Input::QueueStopped);
                }
                self.input(Input::Drain);
                Some(Instant::now() + limit)
            }
            Drain::Now => {
                self.input(Input::Drain);
                self.input(Input::HangUpAll);
                None
            }
        }
    }

    /// Writes what is left to the store before the process ends. Only the recorder is listened to, because it may still
    /// have files to finish.
    async fn finish(
        mut self,
        inbox: mpsc::Receiver<ShellEvent>,
        mut inner: mpsc::Receiver<ShellEvent>,
    ) -> Stopped {
        drop(inbox);
        if let Some(recorder) = self.recorder.take() {
            let finished = tokio::task::spawn_blocking(move || drop(recorder));
            let kept = async {
                while let Some(happened) = inner.recv().await {
                    if matches!(happened, ShellEvent::Recorded(_)) {
                        self.happened(happened);
                    }
                }
            };
            tokio::select! {
                _ = finished => {}
                () = kept => {}
            }
        }
        while let Ok(happened) = inner.try_recv() {
            if matches!(happened, ShellEvent::Recorded(_)) {
                self.happened(happened);
            }
        }
        drop(inner);
        let (version, bound) = (
            self.core.sip().bindings_version(),
            self.core.sip().saved_bindings(),
        );
        self.bindings.close(version, || bound).await;
        let dialogs = Arc::clone(&self.dialogs);
        let _ = tokio::task::spawn_blocking(move || dialogs.close()).await;
        match (self.broken, self.journal.close().await) {
            (None, Ok(())) => Stopped::Drained,
            (None, Err(error)) => Stopped::StoreFailed(error),
            (Some(error), Ok(())) => Stopped::StoreFailed(error),
            (Some(error), Err(lost)) => Stopped::StoreFailed(format!("{error}; {lost}")),
        }
    }

    fn happened(&mut self, happened: ShellEvent) {
        match happened {
            ShellEvent::Message { flow, bytes } => {
                let now = self.clock.now();
                self.ring.received(now, flow, &bytes);
                if flow.transport.is_reliable() {
                    self.sockets.streams.heard(now, flow);
                }
                self.taken = Some(bytes.clone());
                self.input(Input::Sip(pronto_sip::Input::Message { flow, bytes }));
                self.taken = None;
            }
            ShellEvent::Accepted { flow, stream } => self.accepted(flow, stream),
            ShellEvent::FlowClosed { flow, connection } => {
                if self.is_gone(flow, connection) {
                    self.input(Input::Sip(pronto_sip::Input::FlowClosed { flow }));
                }
            }
            ShellEvent::FlowFailed { flow, connection } => {
                if self.is_gone(flow, connection) {
                    self.input(Input::Sip(pronto_sip::Input::FlowFailed { flow }));
                }
            }
            ShellEvent::Media(event) => self.input(Input::Media(event)),
            ShellEvent::Recorded(kept) => {
                meters::recorded(kept.flaw);
                self.input(Input::Recorded(kept));
            }
            ShellEvent::Link(event) => self.link(event),
            ShellEvent::OwnAddresses(own) => self.input(Input::Sip(pronto_sip::Input::OwnAddresses(own))),
            ShellEvent::Renewed(epoch) => self.renewed(epoch),
        }
    }

    pub(super) fn admission(&mut self, log: Log, open: bool) {
        self.input(Input::Admission { log, open });
    }

    pub(super) fn input(&mut self, input: Input) {
        let now = self.clock.now();
        self.core.handle_input(now, input);
        self.drain_outputs();
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
