//! Contents of a call record. No number and no name: those are in the side table, under the call.

use std::fmt;
use std::time::Duration;

use pronto_types::link::{CallOutcome, ExitReason, Hearing, LeaveReason, Origin, Promise, RecordingFlaw};
use pronto_types::{
    AnnouncementId, CallId, GatewayName, Language, OperatorId, QueueName, TicketId, Time, Wall,
};

use crate::fact::Fact;

/// One call, from its beginning to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallRecord {
    /// The call of the record.
    pub call: CallId,
    /// The gateway that had it; `None`: read from a journal alone, which does not name its gateway.
    pub gateway: Option<GatewayName>,
    /// `None`: its gateway was killed before it could tell.
    pub began: Option<Time>,
    /// `None`: it is going on.
    pub ended: Option<Time>,
    /// The configured number dialled. `None` as for `began`.
    pub dialled: Option<String>,
    /// By which way it came. `None` as for `began`.
    pub origin: Option<Origin>,
    /// In which the caller was spoken to, if the call came as far as a queue.
    pub language: Option<Language>,
    /// `None`: it is going on.
    pub outcome: Option<CallOutcome>,
    /// From the 200 to the end. `None`: going on, or the gateway that knew was killed.
    pub duration: Option<Duration>,
    /// Keys pressed. `None` as for `duration`.
    pub digits: Option<u32>,
    /// The places in queues it had, in their order.
    pub tickets: Vec<TicketRecord>,
    /// Further places, of which nothing is kept.
    pub left_out: u32,
}

impl CallRecord {
    /// The same with dates for times. One call is dated by one clock, the one at its beginning: that somebody sets the clock
    /// meanwhile neither ends it before it began nor makes it longer.
    #[must_use]
    pub fn dated(mut self, wall: &Wall) -> Self {
        let joined = self.tickets.first().map(|ticket| ticket.joined);
        let offset = match self.began.or(joined).or(self.ended) {
            Some(first) => wall.offset_at(first),
            None => 0,
        };
        let mut date = |time: &mut Time| *time = time.shifted(offset);
        self.began.iter_mut().for_each(&mut date);
        self.ended.iter_mut().for_each(&mut date);
        for ticket in &mut self.tickets {
            date(&mut ticket.joined);
            ticket.ended.iter_mut().for_each(&mut date);
            ticket.answered.iter_mut().for_each(&mut date);
            ticket
                .announcements
                .iter_mut()
                .for_each(|made| date(&mut made.at));
        }
        self
    }
}

/// One place in a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketRecord {
    /// The ticket of the record.
    pub ticket: TicketId,
    /// In which queue.
    pub queue: QueueName,
    /// When they joined (first, where the place was regained; after a talk whose operator was lost, when that was lost).
    pub joined: Time,
    /// Until the operator answered, or the place was lost or given up. `None`: still waiting.
    pub waited: Option<Duration>,
    /// `None`: not over.
    pub outcome: Option<TicketOutcome>,
    /// When it was over; for an answered one, when the talk was.
    pub ended: Option<Time>,
    /// With whom the caller talked, or talks.
    pub operator: Option<OperatorId>,
    /// When that operator answered.
    pub answered: Option<Time>,
    /// How long they talked; `None`: not at all, still, or nobody knows because a gateway or its link was lost.
    pub talked: Option<Duration>,
    /// How often it was offered to an operator.
    pub offered: u32,
    /// How often a phone rang for it.
    pub rang: u32,
    /// How often an offer came to nothing for another reason than that it was withdrawn.
    pub refused: u32,
    /// The ticket it continues: it was lost, or its operator was.
    pub regained: Option<TicketId>,
    /// The queue in which it took too long: the same ticket, in the record before. `waited` counts from the first joining.
    pub overflowed: Option<QueueName>,
    /// Announcements made to the caller while waiting.
    pub announcements: Vec<AnnouncementRecord>,
    /// The talk, to be listened to.
    pub recording: Option<RecordingRecord>,
}

/// An announcement made to a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnnouncementRecord {
    /// The announcement of the record.
    pub announcement: AnnouncementId,
    /// When it was made.
    pub at: Time,
    /// 1 = next; `None`: not spoken.
    pub position: Option<u32>,
    /// The wait still to come; `None`: not spoken.
    pub wait: Option<Promise>,
    /// `None`: nobody knows, or it is being heard.
    pub heard: Option<Hearing>,
    /// How much longer the caller waited, in another queue too if they went on waiting there, until the operator answered or
    /// the ticket was over otherwise. `None`: still waiting. Only that of an answered ticket is the wait that was promised.
    pub came: Option<Duration>,
}

/// The file of a recorded talk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingRecord {
    /// Below the gateway's directory of recordings; empty: nothing was kept.
    pub file: String,
    /// How much there is to hear.
    pub duration: Duration,
    /// Why it does not hold all of the talk; `None`: it does.
    pub flaw: Option<RecordingFlaw>,
}

impl RecordingRecord {
    pub(super) fn of(fact: &Fact) -> Option<Self> {
        let Fact::Recorded {
            file, duration, flaw, ..
        } = fact
        else {
            return None;
        };
        Some(RecordingRecord {
            file: file.clone(),
            duration: *duration,
            flaw: *flaw,
        })
    }
}

/// How a ticket was over, as [`EndedCounts`](crate::EndedCounts) counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TicketOutcome {
    /// Talked to an operator.
    Answered,
    /// The caller hung up.
    Abandoned,
    /// The ticket waited for `max_wait`.
    TimedOut,
    /// By a key, or because nobody was there.
    Exited,
    /// Joined again elsewhere, or went on waiting there.
    Moved,
    /// The queue was removed.
    Removed,
    /// The gateway was lost, or had lost us for too long, or the caller's phone stopped answering.
    Lost,
    /// Talked to an operator whose phone was lost in the middle of it. The caller joined again.
    OperatorLost,
    /// Was not let in: over a limit. Never counted as joined.
    TurnedAway,
}

impl TicketOutcome {
    /// All of them.
    pub const ALL: [TicketOutcome; 9] = [
        TicketOutcome::Answered,
        TicketOutcome::Abandoned,
        TicketOutcome::TimedOut,
        TicketOutcome::Exited,
        TicketOutcome::Moved,
        TicketOutcome::Removed,
        TicketOutcome::Lost,
        TicketOutcome::OperatorLost,
        TicketOutcome::TurnedAway,
    ];

    /// The ticket that a fact ended otherwise than by a talk, and its outcome.
    pub fn of(fact: &Fact) -> Option<(TicketId, TicketOutcome)> {
        Some(match fact {
            Fact::Left { ticket, reason } => {
                let outcome = match reason {
                    LeaveReason::Abandoned => TicketOutcome::Abandoned,
                    LeaveReason::Key => TicketOutcome::Exited,
                    LeaveReason::TimedOut => TicketOutcome::TimedOut,
                    LeaveReason::Failed | LeaveReason::PeerLost => TicketOutcome::Lost,
                };
                (*ticket, outcome)
            }
            Fact::Exited { ticket, reason } => {
                let outcome = match reason {
                    ExitReason::TimedOut => TicketOutcome::TimedOut,
                    ExitReason::Nobody => TicketOutcome::Exited,
                    ExitReason::Failed => TicketOutcome::Removed,
                };
                (*ticket, outcome)
            }
            Fact::Moved { ticket } | Fact::Overflowed { ticket, .. } | Fact::SentBack { ticket, .. } => {
                (*ticket, TicketOutcome::Moved)
            }
            Fact::Lost { ticket, .. } => (*ticket, TicketOutcome::Lost),
            Fact::OperatorLost { ticket, .. } => (*ticket, TicketOutcome::OperatorLost),
            _ => return None,
        })
    }

    /// How it is written.
    pub fn name(self) -> &'static str {
        match self {
            TicketOutcome::Answered => "answered",
            TicketOutcome::Abandoned => "abandoned",
            TicketOutcome::TimedOut => "timed-out",
            TicketOutcome::Exited => "exited",
            TicketOutcome::Moved => "moved",
            TicketOutcome::Removed => "removed",
            TicketOutcome::Lost => "lost",
            TicketOutcome::OperatorLost => "operator-lost",
            TicketOutcome::TurnedAway => "turned-away",
        }
    }
}

impl fmt::Display for TicketOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl CallRecord {
    /// A call of which nothing is known yet.
    pub fn new(call: CallId, gateway: Option<GatewayName>) -> Self {
        CallRecord {
            call,
            gateway,
            began: None,
            ended: None,
            dialled: None,
            origin: None,
            language: None,
            outcome: None,
            duration: None,
            digits: None,
            tickets: Vec::new(),
            left_out: 0,
        }
    }
}
