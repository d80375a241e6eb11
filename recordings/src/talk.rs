//! The two ends of a recording: the talk that begins, and the file that remains of it.

use std::time::Duration;

use pronto_types::link::RecordingFlaw;
use pronto_types::{CallId, TicketId, Time};

/// A talk that is to be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Talk {
    /// The call that is recorded.
    pub call: CallId,
    /// The ticket that was answered.
    pub ticket: TicketId,
    /// When it began: the day it is filed under, in UTC.
    pub began: Time,
}

/// The outcome of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinishedRecording {
    /// The call that was recorded.
    pub call: CallId,
    /// The ticket that was answered.
    pub ticket: TicketId,
    /// Below the recorder's directory, with `/`; empty: nothing was kept.
    pub file: String,
    /// How much there is to hear.
    pub duration: Duration,
    /// Why it does not hold all of the talk; `None`: it does.
    pub flaw: Option<RecordingFlaw>,
}
