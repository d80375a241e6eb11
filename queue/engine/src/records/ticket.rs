//! The record of one ticket, folded from its facts.

use pronto_types::link::{Hearing, RefuseReason};
use pronto_types::{AnnouncementId, Language, QueueName, Time};

use super::record::{AnnouncementRecord, TicketOutcome, TicketRecord};
use crate::fact::Fact;
use crate::limits;

impl TicketRecord {
    /// The record of a place taken, or of one not given.
    pub(super) fn joined(at: Time, fact: &Fact) -> Option<(Self, Option<Language>)> {
        let new = |ticket, queue, joined, regained| TicketRecord {
            ticket,
            queue,
            joined,
            waited: None,
            outcome: None,
            ended: None,
            operator: None,
            answered: None,
            talked: None,
            offered: 0,
            rang: 0,
            refused: 0,
            regained,
            overflowed: None,
            announcements: Vec::new(),
            recording: None,
        };
        match fact {
            Fact::Joined {
                ticket,
                queue,
                language,
                joined_at,
                regained,
                ..
            } => Some((
                new(*ticket, queue.clone(), *joined_at, *regained),
                Some(*language),
            )),
            Fact::TurnedAway { ticket, queue, .. } => {
                let mut record = new(*ticket, queue.clone(), at, None);
                record.over(at, TicketOutcome::TurnedAway);
                Some((record, None))
            }
            _ => None,
        }
    }

    /// The record of the place in another queue in which it goes on waiting. What was said in this one stays said.
    pub(super) fn overflow(&mut self, at: Time, to: &QueueName) -> Self {
        (self.outcome, self.ended) = (Some(TicketOutcome::Moved), Some(at));
        self.waited = Some(at.since(self.joined));
        TicketRecord {
            queue: to.clone(),
            waited: None,
            outcome: None,
            ended: None,
            offered: 0,
            rang: 0,
            refused: 0,
            overflowed: Some(self.queue.clone()),
            announcements: Vec::new(),
            ..self.clone()
        }
    }

    /// Takes a fact about this ticket, or about an offer of it, in. A later fact may take an end back: the gateway
    /// knows who answered, and a talk thought lost may go on.
    pub(super) fn told(&mut self, seq: u64, at: Time, fact: &Fact) {
        match fact {
            Fact::Announced { position, wait, .. } => self.announced(AnnouncementRecord {
                announcement: AnnouncementId(seq),
                at,
                position: *position,
                wait: *wait,
                heard: None,
                came: None,
            }),
            Fact::Heard {
                announcement, how, ..
            } => self.heard(*announcement, *how),
            Fact::Offered { .. } => self.offered = self.offered.saturating_add(1),
            Fact::Ringing { .. } => self.rang = self.rang.saturating_add(1),
            Fact::Refused {
                reason: RefuseReason::Withdrawn,
                ..
            } => {}
            Fact::Refused { .. } | Fact::Expired { .. } => self.refused = self.refused.saturating_add(1),
            Fact::Answered {
                operator,
                answered_at,
                ..
            } => {
                self.waited = Some(answered_at.since(self.joined));
                self.operator = Some(operator.clone());
                self.answered = Some(*answered_at);
                (self.outcome, self.ended, self.talked) = (None, None, None);
                self.close_promises(*answered_at);
            }
            Fact::Reconnected { .. } => (self.outcome, self.ended) = (None, None),
            Fact::TalkEnded { ended_at, .. } => {
                self.talked = self.answered.map(|answered| ended_at.since(answered));
                self.over(*ended_at, TicketOutcome::Answered);
            }
            Fact::OperatorLost { lost_at, .. } => {
                self.talked = self.answered.map(|answered| lost_at.since(answered));
                self.over(*lost_at, TicketOutcome::OperatorLost);
            }
            fact => {
                if let Some((_, outcome)) = TicketOutcome::of(fact) {
                    self.over(at, outcome);
                }
            }
        }
    }

    /// When the operator's phone was lost, if that ended it: what follows is a wait of its own.
    pub(super) fn operator_lost_at(&self) -> Option<Time> {
        self.ended
            .filter(|_| self.outcome == Some(TicketOutcome::OperatorLost))
    }

    /// It is over, as far as is known.
    pub(super) fn over(&mut self, at: Time, outcome: TicketOutcome) {
        self.outcome = Some(outcome);
        self.ended = Some(at);
        if self.answered.is_none() {
            self.waited = Some(at.since(self.joined));
            self.close_promises(at);
        }
    }

    /// So much of it was heard, if it was made in this place.
    pub(super) fn heard(&mut self, announcement: AnnouncementId, how: Hearing) {
        let mut made = self.announcements.iter_mut().rev();
        if let Some(known) = made.find(|known| known.announcement == announcement) {
            known.heard = Some(how);
        }
    }

    fn announced(&mut self, made: AnnouncementRecord) {
        if self.announcements.len() < limits::ANNOUNCEMENTS_OF_TICKET {
            self.announcements.push(made);
        }
    }

    /// Holds each announced wait against the wait that came.
    pub(super) fn close_promises(&mut self, at: Time) {
        for made in &mut self.announcements {
            made.came = Some(at.since(made.at));
        }
    }
}
