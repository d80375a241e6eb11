use pronto_types::link::{ExitReason, Hearing, LeaveReason, Origin, Promise, RefuseReason};
use pronto_types::{AnnouncementId, Language, OperatorId, QueueName, TrunkName};

use super::*;
use crate::Contact;
use crate::fact::{LostReason, UnreachableReason, WithdrawReason};

/// A ledger being written, a second a fact.
struct Book {
    records: CallRecords,
    seq: u64,
    epoch: u64,
    over: Vec<CallRecord>,
    late: Vec<(TicketId, RecordingRecord)>,
}

const CALL: CallId = CallId(7);
const TICKET: TicketId = TicketId(70);

fn gateway() -> GatewayName {
    GatewayName::new("gw1").unwrap()
}

fn operator() -> OperatorId {
    OperatorId::new("101").unwrap()
}

fn second(second: u64) -> Time {
    Time::from_secs(second as i64)
}

impl Book {
    fn new() -> Self {
        Book {
            records: CallRecords::default(),
            seq: 0,
            epoch: 1,
            over: Vec::new(),
            late: Vec::new(),
        }
    }

    /// Fact `seq` at second `seq`; its number.
    fn write(&mut self, fact: Fact) -> u64 {
        self.seq += 1;
        let cause = Cause {
            gateway: gateway(),
            epoch: self.epoch,
            number: self.seq,
        };
        let recorded = LedgerEntry {
            seq: self.seq,
            at: second(self.seq),
            cause: Some(cause),
            fact,
        };
        for written in self.records.apply(&recorded) {
            match written {
                Written::Call(record) => self.over.push(*record),
                Written::Recording {
                    ticket, recording, ..
                } => self.late.push((ticket, recording)),
            }
        }
        self.seq
    }

    fn began(&mut self, call: CallId) -> u64 {
        let origin = Origin::Trunk(TrunkName::new("carrier").unwrap());
        self.write(Fact::CallBegan {
            call,
            dialled: "800".to_owned(),
            origin,
        })
    }

    fn joined(&mut self, ticket: TicketId, regained: Option<TicketId>) -> u64 {
        let joined_at = second(self.seq + 1);
        self.write(Fact::Joined {
            ticket,
            contact: Contact::of_call(gateway(), CALL),
            queue: QueueName::new("support").unwrap(),
            language: Language::English,
            joined_at,
            head_start: Duration::ZERO,
            deadline: Time::MAX,
            caller_key: None,
            regained,
        })
    }

    fn offered(&mut self) -> OfferId {
        OfferId(self.write(Fact::Offered {
            ticket: TICKET,
            round: None,
            operator: operator(),
            queue: QueueName::new("support").unwrap(),
            gateway: gateway(),
            waited: Duration::ZERO,
            valid_until: Time::MAX,
        }))
    }

    fn answered(&mut self, offer: OfferId) -> u64 {
        let answered_at = second(self.seq + 1);
        self.write(Fact::Answered {
            offer,
            ticket: TICKET,
            operator: operator(),
            answered_at,
        })
    }

    fn ended(&mut self, call: CallId, outcome: CallOutcome, seconds: u64) -> u64 {
        self.write(Fact::CallEnded {
            call,
            outcome,
            duration: Duration::from_secs(seconds),
            digits: 3,
        })
    }
}

#[test]
fn a_call_that_was_answered_has_one_record_with_all_of_it() {
    let mut book = Book::new();
    let began = book.began(CALL);
    let joined = book.joined(TICKET, None);
    let first = book.offered();
    book.write(Fact::Ringing { offer: first });
    let reason = RefuseReason::Ignored;
    book.write(Fact::Refused { offer: first, reason });
    let second_offer = book.offered();
    book.write(Fact::Ringing { offer: second_offer });
    let answered = book.answered(second_offer);
    let parted = book.seq + 1;
    book.write(Fact::TalkEnded {
        offer: second_offer,
        ended_at: second(parted),
    });
    let ended = book.ended(CALL, CallOutcome::CallerHungUp, 9);
    let [record] = &book.over[..] else {
        panic!("{:?}", book.over)
    };
    assert_eq!(
        (record.began, record.ended),
        (Some(second(began)), Some(second(ended)))
    );
    assert_eq!(record.outcome, Some(CallOutcome::CallerHungUp));
    assert_eq!(
        (record.duration, record.digits),
        (Some(Duration::from_secs(9)), Some(3))
    );
    assert_eq!(record.language, Some(Language::English));
    let [ticket] = &record.tickets[..] else {
        panic!("{record:?}")
    };
    assert_eq!(ticket.outcome, Some(TicketOutcome::Answered));
    assert_eq!((ticket.offered, ticket.rang, ticket.refused), (2, 2, 1));
    assert_eq!(ticket.waited, Some(Duration::from_secs(answered - joined)));
    assert_eq!(ticket.talked, Some(Duration::from_secs(parted - answered)));
    assert_eq!(ticket.operator, Some(operator()));
    assert_eq!(book.records.held(), [0, 0, 0], "a finished call leaves the fold");
}

#[test]
fn each_offer_of_a_ticket_counts_for_what_became_of_it() {
    use RefuseReason::{Busy, Ignored, Rejected, Unreachable, Withdrawn};
    /// Whether it rang, and what became of it; `None`: nothing was heard.
    type Offers = &'static [(bool, Option<RefuseReason>)];
    let cases: [(Offers, (u32, u32, u32)); 7] = [
        (&[(true, Some(Ignored))], (1, 1, 1)),
        (&[(false, Some(Busy))], (1, 0, 1)),
        (&[(true, Some(Rejected))], (1, 1, 1)),
        (&[(false, Some(Unreachable))], (1, 0, 1)),
        // Taken back by the queue, or by the caller who left.
        (&[(true, Some(Withdrawn))], (1, 1, 0)),
        (&[(true, None)], (1, 1, 1)),
        (
            &[
                (false, Some(Busy)),
                (true, Some(Withdrawn)),
                (true, None),
                (false, Some(Unreachable)),
            ],
            (4, 2, 3),
        ),
    ];
    for (offers, expected) in cases {
        let mut book = Book::new();
        book.began(CALL);
        book.joined(TICKET, None);
        for (rang, outcome) in offers {
            let offer = book.offered();
            if *rang {
                book.write(Fact::Ringing { offer });
            }
            match outcome {
                Some(reason) => book.write(Fact::Refused {
                    offer,
                    reason: *reason,
                }),
                None => book.write(Fact::Expired { offer }),
            };
        }
        let reason = LeaveReason::Abandoned;
        book.write(Fact::Left {
            ticket: TICKET,
            reason,
        });
        book.ended(CALL, CallOutcome::CallerHungUp, 9);
        let ticket = &book.over[0].tickets[0];
        let counted = (ticket.offered, ticket.rang, ticket.refused);
        assert_eq!(counted, expected, "{offers:?}");
        assert_eq!((ticket.operator.clone(), ticket.talked), (None, None));
    }
}

#[test]
fn an_end_is_taken_back_by_an_answer_and_by_a_talk_that_goes_on() {
    let mut book = Book::new();
    book.began(CALL);
    book.joined(TICKET, None);
    let offer = book.offered();
    let reason = WithdrawReason::Detached;
    book.write(Fact::Withdrawing { offer, reason });
    book.write(Fact::Expired { offer });
    let reason = ExitReason::TimedOut;
    book.write(Fact::Exited {
        ticket: TICKET,
        reason,
    });
    let open = |book: &Book| book.records.open().next().unwrap().tickets[0].clone();
    assert_eq!(open(&book).outcome, Some(TicketOutcome::TimedOut));
    book.answered(offer);
    assert_eq!(
        (open(&book).outcome, open(&book).operator),
        (None, Some(operator()))
    );
    let reason = LostReason::Grace;
    book.write(Fact::Lost {
        ticket: TICKET,
        reason,
    });
    assert_eq!(open(&book).outcome, Some(TicketOutcome::Lost));
    book.write(Fact::Reconnected { ticket: TICKET });
    assert_eq!(open(&book).outcome, None);
    let ended_at = second(book.seq + 1);
    book.write(Fact::TalkEnded { offer, ended_at });
    book.ended(CALL, CallOutcome::Completed, 1);
    assert_eq!(book.over[0].tickets[0].outcome, Some(TicketOutcome::Answered));
}

#[test]
fn a_lost_place_and_the_one_that_continues_it_are_both_listed() {
    let mut book = Book::new();
    book.began(CALL);
    book.joined(TICKET, None);
    let reason = LostReason::Grace;
    book.write(Fact::Lost {
        ticket: TICKET,
        reason,
    });
    book.joined(TicketId(71), Some(TICKET));
    let reason = LeaveReason::Abandoned;
    book.write(Fact::Left {
        ticket: TicketId(71),
        reason,
    });
    book.ended(CALL, CallOutcome::CallerHungUp, 1);
    let outcomes: Vec<_> = book.over[0]
        .tickets
        .iter()
        .map(|ticket| (ticket.outcome, ticket.regained))
        .collect();
    assert_eq!(
        outcomes,
        [
            (Some(TicketOutcome::Lost), None),
            (Some(TicketOutcome::Abandoned), Some(TICKET))
        ]
    );
}

#[test]
fn calls_of_a_killed_gateway_are_recorded_once_as_lost() {
    let mut book = Book::new();
    book.began(CALL);
    book.joined(TICKET, None);
    let offer = book.offered();
    book.answered(offer);
    book.began(CallId(8));
    let gateway = gateway();
    book.write(Fact::GatewayDetached {
        gateway: gateway.clone(),
        epoch: 1,
        grace_until: Time::MAX,
    });
    assert!(book.over.is_empty(), "it may come back");
    book.epoch = 2;
    book.write(Fact::GatewaySuperseded {
        gateway: gateway.clone(),
        epoch: 2,
    });
    let reason = LostReason::Superseded;
    book.write(Fact::Lost {
        ticket: TICKET,
        reason,
    });
    let reason = UnreachableReason::Superseded;
    book.write(Fact::Unreachable {
        operator: operator(),
        gateway,
        reason,
    });
    assert_eq!(book.over.len(), 2);
    let lost = &book.over[0];
    assert_eq!(
        (lost.outcome, lost.duration),
        (Some(CallOutcome::GatewayLost), None)
    );
    assert_eq!(lost.tickets[0].outcome, Some(TicketOutcome::Lost));
    assert!(lost.tickets[0].answered.is_some() && lost.tickets[0].talked.is_none());
    // The new process says so of one of them; the other had ended in a part of the journal that never came. Of a
    // third nobody had told us.
    book.ended(CALL, CallOutcome::GatewayLost, 0);
    assert_eq!(book.over.len(), 2, "no second record");
    book.ended(CallId(9), CallOutcome::GatewayLost, 0);
    assert_eq!(book.over.len(), 3);
    assert_eq!((book.over[2].began, book.over[2].digits), (None, None));
    assert_eq!(book.records.held(), [0, 0, 0]);
}

/// The gateway sends an entry and is killed before its own disk has it.
#[test]
fn an_end_that_the_journal_of_a_killed_gateway_lost_is_told_once() {
    let mut book = Book::new();
    book.began(CALL);
    book.ended(CALL, CallOutcome::Completed, 3);
    book.epoch = 2;
    book.write(Fact::GatewaySuperseded {
        gateway: gateway(),
        epoch: 2,
    });
    book.ended(CALL, CallOutcome::GatewayLost, 0);
    let outcomes: Vec<_> = book.over.iter().map(|record| record.outcome).collect();
    assert_eq!(outcomes, [Some(CallOutcome::Completed)]);
}

#[test]
fn what_a_gateway_claims_twice_counts_once() {
    let mut book = Book::new();
    let began = book.began(CALL);
    book.began(CALL);
    book.ended(CALL, CallOutcome::Completed, 1);
    book.ended(CALL, CallOutcome::Completed, 1);
    assert_eq!(book.over.len(), 1);
    assert_eq!(book.over[0].began, Some(second(began)));
}

#[test]
fn a_caller_who_is_sent_round_and_round_fills_no_memory() {
    let mut book = Book::new();
    book.began(CALL);
    for round in 0..1_000 {
        let ticket = TicketId(1_000 + round);
        book.joined(ticket, None);
        let reason = LeaveReason::Key;
        book.write(Fact::Left { ticket, reason });
    }
    assert_eq!(book.records.held(), [1, limits::TICKETS_OF_CALL, 0]);
    book.joined(TICKET, None);
    book.ended(CALL, CallOutcome::Completed, 1);
    assert_eq!(book.over[0].left_out as usize, 1_001 - limits::TICKETS_OF_CALL);

    let mut book = Book::new();
    book.began(CALL);
    book.joined(TICKET, None);
    for _ in 0..1_000 {
        let offer = book.offered();
        let reason = RefuseReason::Busy;
        book.write(Fact::Refused { offer, reason });
    }
    assert_eq!(book.records.held(), [1, 1, limits::OFFERS_OF_CALL]);
    book.ended(CALL, CallOutcome::Completed, 1);
    assert_eq!(
        (book.over[0].tickets[0].offered, book.over[0].tickets[0].refused),
        (1_000, 1_000)
    );
}

#[test]
fn what_was_announced_is_held_against_the_wait_that_came() {
    let mut book = Book::new();
    book.began(CALL);
    book.joined(TICKET, None);
    let announced = |book: &mut Book, seconds| {
        let promise = Promise {
            p50: Duration::from_secs(seconds),
            p90: Duration::from_secs(2 * seconds),
        };
        book.write(Fact::Announced {
            ticket: TICKET,
            position: Some(1),
            wait: Some(promise),
            rise: None,
        })
    };
    let first = announced(&mut book, 5);
    book.write(Fact::Heard {
        announcement: AnnouncementId(first),
        ticket: TICKET,
        how: Hearing::Whole,
    });
    let second = announced(&mut book, 3);
    let offer = book.offered();
    let answered = book.answered(offer);
    book.write(Fact::Heard {
        announcement: AnnouncementId(second),
        ticket: TICKET,
        how: Hearing::Cut,
    });
    let ended_at = super::tests::second(book.seq + 1);
    book.write(Fact::TalkEnded { offer, ended_at });
    book.ended(CALL, CallOutcome::Completed, 1);
    let made: Vec<_> = book.over[0].tickets[0]
        .announcements
        .iter()
        .map(|made| (made.heard, made.came))
        .collect();
    let after = |from: u64| Some(Duration::from_secs(answered - from));
    assert_eq!(
        made,
        [
            (Some(Hearing::Whole), after(first)),
            (Some(Hearing::Cut), after(second))
        ]
    );
}

#[test]
fn a_recording_belongs_to_its_ticket_also_when_it_comes_after_the_call() {
    let recorded = |file: &str| Fact::Recorded {
        call: CALL,
        ticket: TICKET,
        file: file.to_owned(),
        duration: Duration::from_secs(4),
        flaw: None,
    };
    let mut book = Book::new();
    book.began(CALL);
    book.joined(TICKET, None);
    book.write(recorded("in-time.wav"));
    book.ended(CALL, CallOutcome::Completed, 1);
    let kept = book.over[0].tickets[0]
        .recording
        .as_ref()
        .map(|it| it.file.as_str());
    assert_eq!((kept, book.late.len()), (Some("in-time.wav"), 0));
    book.write(recorded("late.wav"));
    assert_eq!(
        (book.late[0].0, book.late[0].1.file.as_str()),
        (TICKET, "late.wav")
    );
}

#[test]
fn a_call_that_goes_on_in_a_new_epoch_has_one_record() {
    let mut book = Book::new();
    book.began(CALL);
    let gateway = gateway();
    for epoch in [2, 3] {
        book.epoch = epoch;
        book.write(Fact::GatewaySuperseded {
            gateway: gateway.clone(),
            epoch,
        });
        // The gateway is the same process, says of its calls that they began, and has more of them.
        book.began(CALL);
        book.began(CallId(8));
    }
    assert_eq!(book.over.len(), 2, "both are recorded as lost, once");
    book.ended(CALL, CallOutcome::CallerHungUp, 9);
    book.ended(CallId(8), CallOutcome::CallerHungUp, 9);
    assert_eq!(book.over.len(), 2);
    book.began(CallId(10));
    book.ended(CallId(10), CallOutcome::CallerHungUp, 9);
    assert_eq!(book.over.len(), 3);
}
