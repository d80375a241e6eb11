//! A ledger with everything in it.

use std::time::Duration;

use pronto_engine::{
    Announcing, CallerKey, Cause, Configuration, Contact, Fact, LedgerEntry, LostReason, NoteReason,
    OperatorSettings, Overflow, PauseReason, QueueSettings, SignIn, SignOutReason, SkipReason, Strategy,
    UnreachableReason, Wanted, WithdrawReason,
};
use pronto_types::link::{
    CallOutcome, ExitReason, Hearing, LeaveReason, Origin, Promise, RecordingFlaw, RefuseReason, RiseReason,
};
use pronto_types::{
    AnnouncementId, CallId, Forecast, GatewayName, Language, OfferId, OperatorId, QueueName, RoundId,
    TicketId, Time, TrunkName,
};

use pronto_proto::wire::Wire;

use crate::ledger::Ledger;

pub(super) const CALL: CallId = CallId(0xca11_ca11_ca11_ca11);
pub(super) const TICKET: TicketId = TicketId(u64::MAX);
pub(super) const OFFER: OfferId = OfferId(812);
pub(super) const LENGTH: Duration = Duration::new(1, 1);

pub(super) fn time() -> Time {
    Time::from_micros(1_790_000_000_123_457)
}

pub(super) fn gateway() -> GatewayName {
    GatewayName::new("north.1").unwrap()
}

pub(super) fn queue() -> QueueName {
    QueueName::new("support").unwrap()
}

pub(super) fn operator() -> OperatorId {
    OperatorId::new("101").unwrap()
}

/// All values of a reason, as the contract numbers them: 1, 2, 3 … without a gap.
pub(super) fn every<T: Wire<Ledger, Form = i32>>() -> Vec<T> {
    (1..).map_while(|n| T::from_wire(n, "reason").ok()).collect()
}

pub(super) fn configuration() -> Configuration {
    let millis = Duration::from_millis;
    Configuration {
        queues: vec![
            QueueSettings::new(queue()),
            QueueSettings {
                name: QueueName::new("sales").unwrap(),
                strategy: Strategy::LongestIdle,
                ring: millis(1),
                rona_pause: millis(2),
                wrap_up: millis(3),
                max_wait: millis(4),
                limit: 5,
                nobody_after: millis(6),
                announcing: Announcing {
                    position: false,
                    wait: true,
                    first: millis(11),
                    every: millis(10),
                    change: millis(12),
                },
                talk: millis(13),
                overflow: Some(Overflow {
                    to: queue(),
                    wait: millis(14),
                }),
            },
        ],
        operators: vec![
            OperatorSettings {
                id: operator(),
                queues: vec![QueueName::new("sales").unwrap(), queue()],
                sign_in: SignIn::Registration,
            },
            OperatorSettings {
                id: OperatorId::new("102").unwrap(),
                queues: Vec::new(),
                sign_in: SignIn::Registration,
            },
        ],
        grace: millis(7),
        settle: millis(8),
        ring_margin: millis(9),
    }
}

/// The process, the gateways and the calls.
pub(super) fn house() -> Vec<Fact> {
    let (gateway, epoch, call) = (gateway(), 3, CALL);
    let mut facts = vec![
        Fact::Started {
            settle_until: Some(time()),
        },
        Fact::Started { settle_until: None },
        Fact::Settled,
        Fact::ClockSet { offset: 0 },
        Fact::ClockSet { offset: i64::MIN },
        Fact::ClockSet { offset: i64::MAX },
        Fact::Configured(configuration()),
        Fact::Configured(Configuration::default()),
        Fact::GatewayAttached {
            gateway: gateway.clone(),
            epoch,
            last: 0,
            instance: 0,
        },
        Fact::GatewayAttached {
            gateway: gateway.clone(),
            epoch,
            last: 815,
            instance: u64::MAX,
        },
        Fact::GatewayDetached {
            gateway: gateway.clone(),
            epoch,
            grace_until: time(),
        },
        Fact::GatewaySuperseded {
            gateway: gateway.clone(),
            epoch,
        },
        Fact::GatewayGone {
            gateway: gateway.clone(),
        },
        Fact::GatewayReset { gateway },
    ];
    for origin in [
        Origin::Trunk(TrunkName::new("carrier").unwrap()),
        Origin::Trunk(TrunkName::new("a.B_9-").unwrap()),
        Origin::Operator(operator()),
    ] {
        let dialled = "800".to_owned();
        facts.push(Fact::CallBegan {
            call,
            dialled,
            origin,
        });
    }
    facts.extend(every::<CallOutcome>().into_iter().map(|outcome| Fact::CallEnded {
        call,
        outcome,
        duration: LENGTH,
        digits: 4,
    }));
    facts
}

fn forecast(seconds: u64) -> Forecast {
    let [p50, p80, p90] = [0, 1, 2].map(|more| Duration::from_secs(seconds + more));
    Forecast { p50, p80, p90 }
}

/// Sample facts about tickets.
pub(super) fn places() -> Vec<Fact> {
    let (ticket, contact) = (TICKET, Contact::of_call(gateway(), CALL));
    let mut facts = vec![
        Fact::TurnedAway {
            ticket,
            contact: contact.clone(),
            queue: queue(),
        },
        Fact::Moved { ticket },
        Fact::Forgotten { ticket },
        Fact::Overflowed {
            ticket,
            queue: queue(),
            to: QueueName::new("sales").unwrap(),
            here: forecast(3),
            there: forecast(0),
        },
        Fact::SentBack {
            ticket,
            queue: QueueName::new("sales").unwrap(),
            to: queue(),
        },
    ];
    for (language, caller_key, regained) in [
        (Language::Italian, None, None),
        (
            Language::English,
            Some(CallerKey(*b"0123456789abcdef")),
            Some(TicketId(1)),
        ),
        (Language::English, Some(CallerKey([0; 16])), None),
    ] {
        facts.push(Fact::Joined {
            ticket,
            contact: contact.clone(),
            queue: queue(),
            language,
            joined_at: time(),
            head_start: Duration::ZERO,
            deadline: Time::MAX,
            caller_key,
            regained,
        });
    }
    let left = every::<LeaveReason>().into_iter();
    facts.extend(left.map(|reason| Fact::Left { ticket, reason }));
    let exited = every::<ExitReason>().into_iter();
    facts.extend(exited.map(|reason| Fact::Exited { ticket, reason }));
    let lost = every::<LostReason>().into_iter();
    facts.extend(lost.map(|reason| Fact::Lost { ticket, reason }));
    let skipped = every::<SkipReason>().into_iter();
    facts.extend(skipped.map(|reason| Fact::Skipped { ticket, reason }));
    facts
}

/// Sample facts about grants.
pub(super) fn grants() -> Vec<Fact> {
    let (ticket, offer) = (TICKET, OFFER);
    let mut facts: Vec<Fact> = [
        Duration::ZERO,
        LENGTH,
        Duration::new(i64::MAX.unsigned_abs(), 999_999_999),
    ]
    .map(|waited| Fact::Offered {
        ticket,
        round: None,
        operator: operator(),
        queue: queue(),
        gateway: gateway(),
        waited,
        valid_until: time(),
    })
    .into();
    facts.extend([
        Fact::Ringing { offer },
        Fact::Expired { offer },
        Fact::Answered {
            offer,
            ticket,
            operator: operator(),
            answered_at: time(),
        },
        Fact::Reconnected { ticket },
        Fact::TalkEnded {
            offer,
            ended_at: time(),
        },
        Fact::OperatorLost {
            offer,
            ticket,
            lost_at: time(),
            deadline: Time::MAX,
        },
    ]);
    let withdrawing = every::<WithdrawReason>().into_iter();
    facts.extend(withdrawing.map(|reason| Fact::Withdrawing { offer, reason }));
    let refused = every::<RefuseReason>().into_iter();
    facts.extend(refused.map(|reason| Fact::Refused { offer, reason }));
    facts
}

/// The operators, and the entries from which nothing follows.
pub(super) fn people() -> Vec<Fact> {
    let who = operator;
    let mut facts = vec![
        Fact::Reachable {
            operator: who(),
            gateway: gateway(),
            until: time(),
        },
        Fact::SignedIn { operator: who() },
        Fact::Ready {
            operator: who(),
            since: time(),
        },
        Fact::WrapUp {
            operator: who(),
            until: time(),
        },
    ];
    facts.extend(
        every()
            .into_iter()
            .map(|reason: UnreachableReason| Fact::Unreachable {
                operator: who(),
                gateway: gateway(),
                reason,
            }),
    );
    facts.extend(every().into_iter().map(|reason: SignOutReason| Fact::SignedOut {
        operator: who(),
        reason,
    }));
    let mut reasons: Vec<PauseReason> = every().into_iter().map(PauseReason::Refused).collect();
    reasons.extend(["", "caffè"].map(|words| PauseReason::Requested(words.to_owned())));
    reasons.extend([PauseReason::Unheard, PauseReason::PhoneLost]);
    for (reason, until) in reasons
        .into_iter()
        .zip([None, Some(time()), Some(Time::ZERO)].into_iter().cycle())
    {
        let operator = who();
        facts.push(Fact::Paused {
            operator,
            reason,
            until,
        });
    }
    let pauses = ["", "caffè"].map(|words| Wanted::Paused {
        reason: words.to_owned(),
    });
    for wanted in [Wanted::Ready, Wanted::SignedOut].into_iter().chain(pauses) {
        let operator = who();
        facts.push(Fact::Asked { operator, wanted });
    }
    facts.extend(
        every()
            .into_iter()
            .map(|reason: NoteReason| Fact::Noted { reason }),
    );
    facts
}

/// Sample facts about recordings.
pub(super) fn recordings() -> Vec<Fact> {
    let flaws: Vec<RecordingFlaw> = every();
    let flaws = flaws.into_iter().map(|flaw| ("2026/11/24/a-b.wav", Some(flaw)));
    let recorded = |(file, flaw): (&str, Option<RecordingFlaw>)| Fact::Recorded {
        call: CALL,
        ticket: TICKET,
        file: file.to_owned(),
        duration: LENGTH,
        flaw,
    };
    flaws.chain([("", None)]).map(recorded).collect()
}

/// Sample facts about announcements.
pub(super) fn announcements() -> Vec<Fact> {
    let ticket = TICKET;
    let promise = Promise {
        p50: Duration::ZERO,
        p90: LENGTH,
    };
    let mut facts: Vec<Fact> = [
        (Some(1), None),
        (None, Some(promise)),
        (Some(u32::MAX), Some(promise)),
    ]
    .map(|(position, wait)| Fact::Announced {
        ticket,
        position,
        wait,
        rise: None,
    })
    .into();
    facts.extend(every().into_iter().map(|rise: RiseReason| Fact::Announced {
        ticket,
        position: None,
        wait: Some(promise),
        rise: Some(rise),
    }));
    facts.extend(every().into_iter().map(|how: Hearing| Fact::Heard {
        announcement: AnnouncementId(812),
        ticket,
        how,
    }));
    facts
}

/// Sample facts with what was added after version 9.
pub(super) fn added() -> Vec<Fact> {
    let joined = Fact::Joined {
        ticket: TICKET,
        contact: Contact::of_call(gateway(), CALL),
        queue: queue(),
        language: Language::English,
        joined_at: time(),
        head_start: LENGTH,
        deadline: time(),
        caller_key: None,
        regained: None,
    };
    let offered = Fact::Offered {
        ticket: TICKET,
        round: Some(RoundId(811)),
        operator: operator(),
        queue: queue(),
        gateway: gateway(),
        waited: LENGTH,
        valid_until: time(),
    };
    vec![joined, offered]
}

/// Every variant, every reason, with and without what may be absent.
pub(super) fn ledger() -> Vec<LedgerEntry> {
    let facts = [
        house(),
        places(),
        grants(),
        people(),
        announcements(),
        recordings(),
        added(),
    ]
    .concat();
    (1..)
        .zip(facts)
        .map(|(seq, fact)| LedgerEntry {
            seq,
            at: Time::from_micros(i64::try_from(seq).unwrap() - 2),
            cause: (seq % 2 == 0).then(|| Cause {
                gateway: gateway(),
                epoch: seq,
                number: seq * 1_000,
            }),
            fact,
        })
        .collect()
}
