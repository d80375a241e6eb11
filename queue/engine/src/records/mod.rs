//! Call records: a fold of the ledger's facts. Exactly one for each call, given out when the call is over. The file of a
//! recorded talk may be finished later than the call, and even by the gateway's next process: it then comes by itself.
//!
//! ```text
//!   CallBegan ──► open ──────────────────────── CallEnded ──► record
//!                  │ Joined … Offered … Answered … TalkEnded     ▲
//!                  └── GatewaySuperseded ── "gateway lost" ──────┘
//! ```
//!
//! Times are those of the facts: when the queue service wrote down what it was told. What a finished call left behind
//! is forgotten: the fold holds the calls that are up, the names of those that ended last and, for each gateway, of those its
//! last process took with it.

mod record;
mod ticket;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use pronto_types::link::CallOutcome;
use pronto_types::{CallId, GatewayName, OfferId, QueueName, TicketId, Time};

use crate::fact::{Cause, Fact, LedgerEntry};
use crate::limits;

pub use record::{AnnouncementRecord, CallRecord, RecordingRecord, TicketOutcome, TicketRecord};

/// A record that the fold gives out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// A call is over.
    Call(Box<CallRecord>),
    /// The recording of a talk of a call that was over already.
    Recording {
        /// The call whose talk was recorded.
        call: CallId,
        /// The ticket that was answered.
        ticket: TicketId,
        /// The recording of the talk.
        recording: RecordingRecord,
    },
}

/// The fold. Facts come in the order of their sequence, from the first.
#[derive(Clone, Debug, Default)]
pub struct CallRecords {
    open: BTreeMap<CallId, Open>,
    /// Open calls by their tickets.
    tickets: BTreeMap<TicketId, CallId>,
    /// Tickets of open calls by their offers.
    offers: BTreeMap<OfferId, TicketId>,
    /// LedgerEntry as lost when their gateway's new process came, which will say so too.
    superseded: BTreeMap<GatewayName, BTreeSet<CallId>>,
    /// The calls that ended last. A gateway that is killed may have told of an end that its own journal lost: its next process
    /// then takes the call for lost.
    ended: VecDeque<CallId>,
}

#[derive(Clone, Debug)]
struct Open {
    /// The process that has the call.
    epoch: u64,
    offers: VecDeque<OfferId>,
    record: CallRecord,
}

impl CallRecords {
    /// Takes one fact in; returns what is over by it.
    pub fn apply(&mut self, recorded: &LedgerEntry) -> Vec<Written> {
        let LedgerEntry { seq, at, cause, fact } = recorded;
        let over = match fact {
            Fact::CallEnded { call, .. } => self.end(*call, *at, cause.as_ref(), fact).into_iter().collect(),
            Fact::GatewaySuperseded { gateway, epoch } => self.supersede(gateway, *epoch, *at),
            Fact::GatewayReset { gateway } => self.supersede(gateway, u64::MAX, *at),
            Fact::Recorded { call, ticket, .. } => {
                return self.keep(*call, *ticket, fact).into_iter().collect();
            }
            _ => {
                self.follow(*seq, *at, cause.as_ref(), fact);
                Vec::new()
            }
        };
        over.into_iter()
            .map(|record| Written::Call(Box::new(record)))
            .collect()
    }

    /// Applies a fact that ends no call.
    fn follow(&mut self, seq: u64, at: Time, cause: Option<&Cause>, fact: &Fact) {
        match fact {
            Fact::CallBegan { .. } => self.begin(at, cause, fact),
            Fact::Joined { ticket, contact, .. } | Fact::TurnedAway { ticket, contact, .. } => {
                self.join(*ticket, contact.call(), at, fact);
            }
            Fact::Offered { ticket, .. } => self.offer(OfferId(seq), *ticket, at, fact),
            Fact::Ringing { offer }
            | Fact::Refused { offer, .. }
            | Fact::Expired { offer }
            | Fact::TalkEnded { offer, .. } => {
                if let Some(ticket) = self.offers.get(offer).copied() {
                    self.told(ticket, seq, at, fact);
                }
            }
            Fact::Left { ticket, .. }
            | Fact::Exited { ticket, .. }
            | Fact::Moved { ticket }
            | Fact::Lost { ticket, .. }
            | Fact::Announced { ticket, .. }
            | Fact::Heard { ticket, .. }
            | Fact::Answered { ticket, .. }
            | Fact::OperatorLost { ticket, .. }
            | Fact::Reconnected { ticket } => self.told(*ticket, seq, at, fact),
            Fact::Overflowed { ticket, to, .. } | Fact::SentBack { ticket, to, .. } => {
                self.overflow(*ticket, at, to)
            }
            Fact::CallEnded { .. }
            | Fact::GatewaySuperseded { .. }
            | Fact::GatewayReset { .. }
            | Fact::Recorded { .. }
            | Fact::Started { .. }
            | Fact::Settled
            | Fact::ClockSet { .. }
            | Fact::Configured(_)
            | Fact::GatewayAttached { .. }
            | Fact::GatewayDetached { .. }
            | Fact::GatewayGone { .. }
            | Fact::Forgotten { .. }
            | Fact::Skipped { .. }
            | Fact::Withdrawing { .. }
            | Fact::Reachable { .. }
            | Fact::Unreachable { .. }
            | Fact::SignedIn { .. }
            | Fact::SignedOut { .. }
            | Fact::Ready { .. }
            | Fact::Paused { .. }
            | Fact::WrapUp { .. }
            | Fact::Asked { .. }
            | Fact::Noted { .. } => {}
        }
    }

    /// The calls that are not over, in no order of time.
    pub fn open(&self) -> impl Iterator<Item = &CallRecord> {
        self.open.values().map(|open| &open.record)
    }

    /// How many calls, tickets and offers are held: of open calls alone.
    pub fn held(&self) -> [usize; 3] {
        [self.open.len(), self.tickets.len(), self.offers.len()]
    }

    fn begin(&mut self, at: Time, cause: Option<&Cause>, fact: &Fact) {
        let (
            Fact::CallBegan {
                call,
                dialled,
                origin,
            },
            Some(cause),
        ) = (fact, cause)
        else {
            return;
        };
        // A gateway in a new epoch says of all its calls that they began: these have their records.
        let lost = self.superseded.get(&cause.gateway);
        if lost.is_some_and(|lost| lost.contains(call)) {
            return;
        }
        let record = CallRecord {
            began: Some(at),
            dialled: Some(dialled.clone()),
            origin: Some(origin.clone()),
            ..CallRecord::new(*call, Some(cause.gateway.clone()))
        };
        let open = Open {
            epoch: cause.epoch,
            offers: VecDeque::new(),
            record,
        };
        // A call begins once, whatever a gateway may claim.
        self.open.entry(*call).or_insert(open);
    }

    fn end(&mut self, call: CallId, at: Time, cause: Option<&Cause>, fact: &Fact) -> Option<CallRecord> {
        let (
            Fact::CallEnded {
                outcome,
                duration,
                digits,
                ..
            },
            Some(cause),
        ) = (fact, cause)
        else {
            return None;
        };
        let gateway = &cause.gateway;
        let record = match self.close(call) {
            Some(record) => record,
            // The new process says what was known when it came.
            None if self
                .superseded
                .get_mut(gateway)
                .is_some_and(|lost| lost.remove(&call)) =>
            {
                return None;
            }
            // Its end was told before, and how.
            None if self.ended.contains(&call) => return None,
            // Nobody had told us that it began: its gateway was killed while it could not reach us.
            None if *outcome == CallOutcome::GatewayLost => CallRecord::new(call, Some(gateway.clone())),
            None => return None,
        };
        self.remember(call);
        // Whoever writes of another's end knows neither how long it lasted nor what was pressed.
        let guessed = *outcome == CallOutcome::GatewayLost && *duration == Duration::ZERO;
        Some(CallRecord {
            ended: Some(at),
            outcome: Some(*outcome),
            duration: (!guessed).then_some(*duration),
            digits: (!guessed).then_some(*digits),
            ..record
        })
    }

    fn remember(&mut self, call: CallId) {
        if self.ended.len() >= limits::ENDED_CALLS {
            self.ended.pop_front();
        }
        self.ended.push_back(call);
    }

    /// The process that had these calls is gone, and what it had not told us nobody will: they end here.
    fn supersede(&mut self, gateway: &GatewayName, epoch: u64, at: Time) -> Vec<CallRecord> {
        let of = |open: &Open| {
            open.record.gateway.as_ref() == Some(gateway) && (open.epoch < epoch || epoch == u64::MAX)
        };
        let gone: BTreeSet<CallId> = self
            .open
            .iter()
            .filter(|(_, open)| of(open))
            .map(|(call, _)| *call)
            .collect();
        let mut over = Vec::new();
        for call in &gone {
            let Some(mut record) = self.close(*call) else {
                continue;
            };
            for ticket in &mut record.tickets {
                if ticket.outcome.is_none() {
                    ticket.over(at, TicketOutcome::Lost);
                } else if ticket.announcements.iter().any(|made| made.came.is_none()) {
                    // The caller had gone on waiting in another queue.
                    ticket.close_promises(at);
                }
            }
            over.push(CallRecord {
                ended: Some(at),
                outcome: Some(CallOutcome::GatewayLost),
                ..record
            });
        }
        let lost = self.superseded.entry(gateway.clone()).or_default();
        if lost.len() + gone.len() > limits::SUPERSEDED {
            lost.clear();
        }
        lost.extend(gone);
        over
    }

    /// Takes the call and all that belongs to it out.
    fn close(&mut self, call: CallId) -> Option<CallRecord> {
        let Open { record, offers, .. } = self.open.remove(&call)?;
        for ticket in &record.tickets {
            self.tickets.remove(&ticket.ticket);
        }
        for offer in offers {
            self.offers.remove(&offer);
        }
        Some(record)
    }

    fn join(&mut self, ticket: TicketId, call: CallId, at: Time, fact: &Fact) {
        let Some(Open { record, .. }) = self.open.get_mut(&call) else {
            return;
        };
        if record.tickets.len() >= limits::TICKETS_OF_CALL {
            record.left_out += 1;
            return;
        }
        let Some((mut joined, language)) = TicketRecord::joined(at, fact) else {
            return;
        };
        let before = record.tickets.last();
        let before = before.filter(|it| joined.regained == Some(it.ticket));
        if let Some(before) = before {
            joined.joined = before.operator_lost_at().unwrap_or(before.joined);
        }
        record.language = language.or(record.language);
        record.tickets.push(joined);
        self.tickets.insert(ticket, call);
    }

    fn overflow(&mut self, ticket: TicketId, at: Time, to: &QueueName) {
        let open = self.tickets.get(&ticket).and_then(|call| self.open.get_mut(call));
        let Some(Open { record, .. }) = open else { return };
        let mut tickets = record.tickets.iter_mut().rev();
        let Some(place) = tickets.find(|place| place.ticket == ticket) else {
            return;
        };
        let next = place.overflow(at, to);
        if record.tickets.len() < limits::TICKETS_OF_CALL {
            record.tickets.push(next);
        } else {
            record.left_out += 1;
        }
    }

    fn offer(&mut self, offer: OfferId, ticket: TicketId, at: Time, fact: &Fact) {
        let open = self.tickets.get(&ticket).and_then(|call| self.open.get_mut(call));
        let Some(open) = open else { return };
        open.offers.push_back(offer);
        if open.offers.len() > limits::OFFERS_OF_CALL
            && let Some(oldest) = open.offers.pop_front()
        {
            self.offers.remove(&oldest);
        }
        self.offers.insert(offer, ticket);
        self.told(ticket, offer.0, at, fact);
    }

    fn keep(&mut self, call: CallId, ticket: TicketId, fact: &Fact) -> Option<Written> {
        let recording = RecordingRecord::of(fact)?;
        let Some(open) = self.open.get_mut(&call) else {
            return Some(Written::Recording {
                call,
                ticket,
                recording,
            });
        };
        let mut tickets = open.record.tickets.iter_mut().rev();
        if let Some(record) = tickets.find(|record| record.ticket == ticket) {
            record.recording = Some(recording);
        }
        None
    }

    fn told(&mut self, ticket: TicketId, seq: u64, at: Time, fact: &Fact) {
        let Some(open) = self.tickets.get(&ticket).and_then(|call| self.open.get_mut(call)) else {
            return;
        };
        let mut places = open.record.tickets.iter_mut().rev();
        let mut places = places.by_ref().filter(|record| record.ticket == ticket);
        let Some(record) = places.next() else { return };
        record.told(seq, at, fact);
        let end = match fact {
            Fact::Answered { answered_at, .. } => Some(*answered_at),
            fact => TicketOutcome::of(fact).and(record.ended.filter(|_| record.answered.is_none())),
        };
        // What was said before the caller went on waiting in another queue is heard, kept and broken after it as well.
        for before in places {
            if let Fact::Heard {
                announcement, how, ..
            } = fact
            {
                before.heard(*announcement, *how);
            }
            if let Some(end) = end {
                before.close_promises(end);
            }
        }
    }
}

#[cfg(test)]
mod tests;
