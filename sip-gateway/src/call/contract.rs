//! The inputs and outputs of the gateway core.

use std::collections::BTreeSet;
use std::net::IpAddr;

use bytes::Bytes;
use pronto_media as media;
use pronto_recordings::{FinishedRecording, Talk};
use pronto_sip as sip;
use pronto_types::CallId;
use pronto_types::link::Directive;

use crate::journal::Entry;
use crate::trace::Peer;

/// An input of the gateway core.
#[derive(Debug)]
pub enum Input {
    /// From the sockets.
    Sip(sip::Input),
    /// From the media threads.
    Media(media::Event),
    /// The queue service welcomed us and has the journal up to this number.
    Attached {
        /// The newest durable entry there.
        have: u64,
    },
    /// The link to the queue service is gone.
    Detached,
    /// The queue service does not take us.
    Refused,
    /// A new epoch of the journal is durable, and begins.
    NewEpoch,
    /// The queue service has made the journal durable up to this number.
    Acknowledged {
        /// The newest durable entry there.
        number: u64,
    },
    /// Our own journal is on the disk up to this entry: a crash does not lose it.
    Durable {
        /// The newest durable entry.
        number: u64,
    },
    /// The queue asks.
    Directive(Directive),
    /// Calls a crashed predecessor left open: they are recorded as lost.
    Recovered(BTreeSet<CallId>),
    /// Dialogs a crashed predecessor left standing, each under the name that its [`Output::Dialog`] had: they are ended.
    Orphans(Vec<(u64, sip::Orphan)>),
    /// The recorder has finished a file, or gave it up.
    Recorded(FinishedRecording),
    /// A log has room for new calls, or has none: then they are refused with 503.
    Admission {
        /// The log concerned: the gateway's journal or the queue's ledger.
        log: Log,
        /// Whether new calls may be taken.
        open: bool,
    },
    /// The journal cannot be written, for now or for good: callers who are not answered because their calls are not in it
    /// are refused.
    Unwritable,
    /// The queue service has stopped for good: callers who wait go on as their flows say where a queue fails.
    QueueStopped,
    /// Take no new calls; finish those that are up.
    Drain,
    /// End every call now.
    HangUpAll,
}

/// A log whose disk may be full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Log {
    /// The gateway's journal.
    Journal,
    /// The queue's ledger.
    Ledger,
}

/// An output of the gateway core, for its shell to carry out.
#[derive(Debug)]
pub enum Output {
    /// Send a SIP message.
    Transmit {
        /// Over which flow.
        flow: sip::Flow,
        /// The encoded SIP message.
        bytes: Bytes,
    },
    /// Command the media threads.
    Media(media::Command),
    /// Tell the recorder that a talk begins, before the command after it.
    Recording(Talk),
    /// A SIP dialog belongs to a call; said before anything is sent in it, so that a trace of the call holds all of it.
    Leg {
        /// The call that the dialog belongs to.
        call: CallId,
        /// The party at the far end of the dialog.
        peer: Peer,
        /// The dialog's Call-ID.
        call_id: Bytes,
    },
    /// Keep what is new of a dialog where a kill does not reach it, before the messages that follow leave.
    Dialog {
        /// The number that names the dialog.
        dialog: u64,
        /// The change to be stored.
        change: sip::DialogChange,
    },
    /// A body or an offer was refused: say so in the log, unless too much is said there already.
    Refused {
        /// The address of the sender.
        source: IpAddr,
        /// The refusal sent in reply.
        refusal: sip::Refusal,
    },
    /// Append to the journal's store.
    Record(Entry),
    /// Send over the link. Only while attached.
    Entry(Entry),
}

/// How much is going on; for metrics and for leak checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls up or being set up.
    pub calls: usize,
    /// Operators whose phones are being silenced.
    pub parting: usize,
    /// Journal entries not yet acknowledged.
    pub backlog: usize,
    /// Calls begun since start.
    pub begun: u64,
    /// Calls ended since start: every one has its record.
    pub ended: u64,
    /// INVITEs refused for lack of resources since start.
    pub refused: u64,
    /// Dialogs of a crashed predecessor that are still to be ended.
    pub orphans: usize,
    /// Dialogs of a crashed predecessor that could not be reached.
    pub unreached: u64,
}
