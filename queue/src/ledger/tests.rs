use std::collections::BTreeSet;
use std::fmt::Debug;
use std::time::Duration;

use data_encoding::HEXLOWER;
use pronto_engine::{
    CallerKey, Contact, Fact, LostReason, NoteReason, PauseReason, SignIn, SignOutReason, SkipReason,
    Strategy, UnreachableReason, WithdrawReason,
};
use pronto_proto::wire::Table;
use pronto_store::{Batch, Record, SqliteStore, Store};
use pronto_types::link::{
    CallOutcome, ExitReason, Hearing, LeaveReason, Promise, RecordingFlaw, RefuseReason, RiseReason,
};
use pronto_types::{AnnouncementId, Forecast, Language, QueueName, TicketId, Time};
use proptest::prelude::*;

use self::samples::{
    CALL, TICKET, announcements, configuration, every, gateway, grants, ledger, operator, people, places,
    queue, time,
};
use super::*;
use crate::LedgerReader;

mod samples;

#[test]
fn every_fact_comes_back_as_it_was() {
    let ledger = ledger();
    for recorded in &ledger {
        let bytes = encode(recorded);
        assert_eq!(decode(VERSION, &bytes).as_ref(), Ok(recorded));
        assert_eq!(encode(&recorded.clone()), bytes);
    }
    let name = |recorded: &LedgerEntry| {
        let text = format!("{:?}", recorded.fact);
        text.chars()
            .take_while(char::is_ascii_alphanumeric)
            .collect::<String>()
    };
    let tried: BTreeSet<String> = ledger.iter().map(name).collect();
    let all: BTreeSet<String> = names().map(ToString::to_string).collect();
    assert_eq!(tried, all);
}

/// The names of all facts.
fn names() -> impl Iterator<Item = &'static &'static str> {
    let by_hand = ["Settled", "ClockSet", "Configured", "Joined", "TurnedAway"].iter();
    <Fact as Table<Ledger>>::NAMES.iter().chain(by_hand)
}

#[test]
fn every_number_of_the_contract_is_a_reason_and_nothing_else_is() {
    fn numbered<T: Wire<Ledger, Form = i32> + Debug + PartialEq>(count: usize) {
        let reasons = every::<T>();
        assert_eq!(reasons.len(), count, "{reasons:?}");
        for (number, reason) in (1..).zip(&reasons) {
            assert_eq!(reason.to_wire(), number);
        }
        assert_eq!(T::from_wire(0, "reason"), Err(WireError::Missing("reason")));
        for number in [-1, i32::MIN, i32::MAX, i32::try_from(count).unwrap() + 1] {
            assert_eq!(T::from_wire(number, "reason"), Err(WireError::Invalid("reason")));
        }
    }
    numbered::<LeaveReason>(5);
    numbered::<RefuseReason>(5);
    numbered::<ExitReason>(3);
    numbered::<CallOutcome>(7);
    numbered::<LostReason>(2);
    numbered::<SkipReason>(2);
    numbered::<WithdrawReason>(5);
    numbered::<SignOutReason>(3);
    numbered::<UnreachableReason>(3);
    numbered::<NoteReason>(5);
    numbered::<Hearing>(2);
    numbered::<RiseReason>(4);
    numbered::<RecordingFlaw>(4);
    numbered::<Strategy>(1);
    numbered::<SignIn>(1);
}

fn there_and_back() -> [Fact; 2] {
    let sales = QueueName::new("sales").unwrap();
    let [here, there] = [900, 60].map(|p80| Forecast {
        p50: Duration::from_secs(p80 / 2),
        p80: Duration::from_secs(p80),
        p90: Duration::from_secs(p80 * 2),
    });
    let overflowed = Fact::Overflowed {
        ticket: TICKET,
        queue: queue(),
        to: sales.clone(),
        here,
        there,
    };
    let sent_back = Fact::SentBack {
        ticket: TICKET,
        queue: sales,
        to: queue(),
    };
    [overflowed, sent_back]
}

/// The samples that were there in version 9. Later ones come after them.
const FACTS_OF_VERSION_9: usize = 105;

/// An hour, in microseconds.
const BACK: i64 = -3_600_000_000;

fn operator_lost() -> Fact {
    Fact::OperatorLost {
        offer: pronto_types::OfferId(811),
        ticket: TicketId(0x0123_4567_89ab_cdef),
        lost_at: time(),
        deadline: time() + Duration::from_secs(1_800),
    }
}

/// Bytes in existing ledgers do not change: if this fails, either the change of the contract is a mistake, or `VERSION`
/// must be raised and the older form must still be read.
#[test]
fn the_bytes_of_today_are_the_bytes_of_tomorrow() {
    let cause = Cause {
        gateway: gateway(),
        epoch: 3,
        number: 815,
    };
    let joined = Fact::Joined {
        ticket: TicketId(0x0123_4567_89ab_cdef),
        contact: Contact::of_call(gateway(), CALL),
        queue: queue(),
        language: Language::English,
        joined_at: time(),
        head_start: Duration::ZERO,
        deadline: time() + Duration::from_secs(1_800),
        caller_key: Some(CallerKey(*b"0123456789abcdef")),
        regained: Some(TicketId(1)),
    };
    let offered = Fact::Offered {
        ticket: TicketId(0x0123_4567_89ab_cdef),
        round: None,
        operator: operator(),
        queue: queue(),
        gateway: gateway(),
        waited: Duration::new(61, 500_000_000),
        valid_until: time(),
    };
    let recorded = Fact::Recorded {
        call: CALL,
        ticket: TicketId(0x0123_4567_89ab_cdef),
        file: "2026/11/24/ca11ca11ca11ca11-0123456789abcdef.wav".to_owned(),
        duration: Duration::new(61, 500_000_000),
        flaw: Some(RecordingFlaw::Killed),
    };
    let announced = Fact::Announced {
        ticket: TicketId(0x0123_4567_89ab_cdef),
        position: Some(3),
        wait: Some(Promise {
            p50: Duration::new(90, 500_000_000),
            p90: Duration::from_secs(240),
        }),
        rise: Some(RiseReason::LongerCalls),
    };
    let heard = Fact::Heard {
        announcement: AnnouncementId(813),
        ticket: TicketId(0x0123_4567_89ab_cdef),
        how: Hearing::Cut,
    };
    let [overflowed, sent_back] = there_and_back();
    let golden = include_str!("golden.hex").lines();
    let facts = [
        (Some(cause), joined),
        (None, offered),
        (None, Fact::Configured(configuration())),
        (None, recorded),
        (None, announced),
        (None, heard),
        (None, overflowed),
        (None, sent_back),
        (None, Fact::ClockSet { offset: BACK }),
        (None, operator_lost()),
    ];
    let mut written = Vec::new();
    for (seq, (cause, fact)) in (810..).zip(facts) {
        let at = time();
        let recorded = LedgerEntry { seq, at, cause, fact };
        written.push(HEXLOWER.encode(&encode(&recorded)));
    }
    assert_eq!(written, golden.collect::<Vec<_>>(), "{written:#?}");
}

/// Version 9 as it was written: one line for each fact of the samples.
#[test]
fn every_fact_of_version_9_is_read_as_it_was() {
    let golden = golden(include_str!("golden-9.hex"));
    assert_eq!(golden.len(), FACTS_OF_VERSION_9);
    for (bytes, recorded) in golden.iter().zip(ledger()) {
        assert_eq!(decode(9, bytes).as_ref(), Ok(&recorded));
        assert_eq!(
            HEXLOWER.encode(bytes),
            HEXLOWER.encode(&encode(&recorded)),
            "{recorded:?}"
        );
    }
}

/// A ledger of version 1 knows no announcements: its queues make none until they are configured again.
#[test]
fn a_ledger_of_version_1_is_read_as_it_was() {
    let golden = golden(include_str!("golden-1.hex"));
    let facts: Vec<Fact> = golden.iter().map(|fact| decode(1, fact).unwrap().fact).collect();
    let mut silent = configuration();
    for queue in &mut silent.queues {
        queue.announcing = pronto_engine::Announcing {
            every: Duration::ZERO,
            ..pronto_engine::Announcing::default()
        };
        queue.talk = Duration::from_secs(240);
        queue.overflow = None;
    }
    assert!(matches!(
        facts[0],
        Fact::Joined {
            ticket: TicketId(0x0123_4567_89ab_cdef),
            ..
        }
    ));
    assert!(matches!(&facts[1], Fact::Offered { operator: who, .. } if *who == operator()));
    assert_eq!(facts[2], Fact::Configured(silent));
    let silent_too = decode(2, &golden[2]).unwrap();
    assert_eq!(silent_too.fact, facts[2]);
    let missing = decode(VERSION, &golden[2]);
    assert_eq!(
        missing,
        Err(WireError::Missing("QueueSettings.announce_first").into())
    );
}

/// The version from which on a fact could be written, 5 at least. Each version from 6 on added facts, reasons and fields, and
/// changed none.
fn since(fact: &Fact) -> u16 {
    match fact {
        Fact::CallEnded { outcome, .. } if *outcome == CallOutcome::Stopped => 6,
        Fact::SentBack { .. } => 6,
        Fact::ClockSet { .. } => 7,
        Fact::Left { reason, .. } if *reason == LeaveReason::PeerLost => 8,
        Fact::Paused { reason, .. } if *reason == PauseReason::PhoneLost => 8,
        Fact::OperatorLost { .. } => 8,
        Fact::GatewayAttached { instance, .. } if *instance != 0 => 9,
        Fact::GatewayReset { .. } => 9,
        Fact::Joined { head_start, .. } if !head_start.is_zero() => 10,
        Fact::Offered { round: Some(_), .. } => 10,
        _ => 5,
    }
}

fn golden(lines: &str) -> Vec<Vec<u8>> {
    let bytes = |line: &str| HEXLOWER.decode(line.as_bytes()).unwrap();
    lines.lines().map(bytes).collect()
}

/// The bytes are those of version 9, which wrote each of these facts as the version did that added it.
#[test]
fn a_store_that_grew_through_versions_5_to_9_is_read_as_it_was() {
    let folder = std::env::temp_dir().join(format!("pronto-versions-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (store, _) = SqliteStore::open(&folder.join("ledger.sqlite"), |_| ()).unwrap();
    let written: Vec<LedgerEntry> = ledger().into_iter().take(FACTS_OF_VERSION_9).collect();
    let records = written.iter().zip(golden(include_str!("golden-9.hex")));
    let records: Vec<Record> = records
        .map(|(recorded, bytes)| Record {
            seq: recorded.seq,
            version: since(&recorded.fact),
            bytes,
        })
        .collect();
    let versions: BTreeSet<u16> = records.iter().map(|record| record.version).collect();
    assert_eq!(versions, BTreeSet::from([5, 6, 7, 8, 9]));
    let batch = Batch {
        records,
        ..Batch::default()
    };
    store.append(batch).unwrap();
    store.close().unwrap();
    let read: Result<Vec<LedgerEntry>, _> = LedgerReader::open(&folder).unwrap().facts().collect();
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(read.unwrap(), written);
}

#[test]
fn a_fact_that_is_later_than_the_version_of_its_record_is_read_all_the_same() {
    for recorded in ledger() {
        for version in 5..since(&recorded.fact) {
            assert_eq!(decode(version, &encode(&recorded)).as_ref(), Ok(&recorded));
        }
    }
}

#[test]
fn another_version_is_refused_before_its_bytes_are_looked_at() {
    let bytes = encode(&ledger()[0]);
    for version in [OLDEST - 1, VERSION + 1, u16::MAX] {
        assert_eq!(decode(version, &bytes), Err(LedgerError::Version(version)));
        assert_eq!(decode(version, b"?"), Err(LedgerError::Version(version)));
    }
}

#[test]
fn a_fact_cut_off_anywhere_is_refused() {
    for recorded in ledger() {
        let bytes = encode(&recorded);
        for length in 0..bytes.len() {
            let error = decode(VERSION, &bytes[..length]).expect_err("cut off");
            assert!(
                matches!(
                    error,
                    LedgerError::Malformed(_) | LedgerError::Wire(WireError::Missing(_))
                ),
                "{error}"
            );
        }
    }
}

/// The error of a fact whose message was changed on its way.
fn changed(fact: Fact, change: impl FnOnce(&mut v1::Fact)) -> WireError {
    let recorded = LedgerEntry {
        seq: 1,
        at: Time::ZERO,
        cause: Some(Cause {
            gateway: gateway(),
            epoch: 1,
            number: 1,
        }),
        fact,
    };
    let mut wire = v1::Fact::decode(&encode(&recorded)[..]).unwrap();
    change(&mut wire);
    match decode(VERSION, &wire.encode_to_vec()).expect_err("changed") {
        LedgerError::Wire(error) => error,
        other => panic!("{other}"),
    }
}

fn offered() -> Fact {
    grants().swap_remove(0)
}

macro_rules! changed {
    ($Fact:ident, $fact:expr, $change:expr) => {
        changed($fact, |wire| {
            let Some(fact::Fact::$Fact(wire)) = &mut wire.fact else {
                panic!("another fact")
            };
            let change: fn(&mut fact::$Fact) = $change;
            change(wire);
        })
    };
}

#[test]
fn what_is_missing_is_named() {
    use WireError::Missing;
    assert_eq!(
        changed(Fact::Settled, |wire| wire.sequence = 0),
        Missing("sequence")
    );
    assert_eq!(changed(Fact::Settled, |wire| wire.fact = None), Missing("fact"));
    for (missing, cause) in [
        ("cause.gateway", ("", 1, 1)),
        ("cause.epoch", ("north", 0, 1)),
        ("cause.number", ("north", 1, 0)),
    ] {
        let (gateway, epoch, number) = (cause.0.to_owned(), cause.1, cause.2);
        let cause = fact::Cause {
            gateway,
            epoch,
            number,
        };
        assert_eq!(
            changed(Fact::Settled, |wire| wire.cause = Some(cause)),
            Missing(missing)
        );
    }
    assert_eq!(
        changed!(Offered, offered(), |wire| wire.ticket = 0),
        Missing("Offered.ticket")
    );
    assert_eq!(
        changed!(Offered, offered(), |wire| wire.operator.clear()),
        Missing("Offered.operator")
    );
    assert_eq!(
        changed!(Offered, offered(), |wire| wire.waited = None),
        Missing("Offered.waited")
    );
}

#[test]
fn what_is_missing_further_inside_is_named() {
    use WireError::Missing;
    let paused = || {
        people()
            .into_iter()
            .find(|fact| matches!(fact, Fact::Paused { .. }))
            .unwrap()
    };
    assert_eq!(
        changed!(Paused, paused(), |wire| wire.reason = None),
        Missing("Paused.reason")
    );
    let asked = || {
        people()
            .into_iter()
            .find(|fact| matches!(fact, Fact::Asked { .. }))
            .unwrap()
    };
    assert_eq!(
        changed!(Asked, asked(), |wire| wire.wanted = None),
        Missing("Asked.wanted")
    );
    let noted = Fact::Noted {
        reason: NoteReason::Stale,
    };
    assert_eq!(
        changed!(Noted, noted, |wire| wire.reason = 0),
        Missing("Noted.reason")
    );
    let configured = || Fact::Configured(configuration());
    assert_eq!(
        changed!(Configured, configured(), |wire| wire.grace = None),
        Missing("Configured.grace")
    );
    assert_eq!(
        changed!(Configured, configured(), |wire| wire.queues[1].strategy = 0),
        Missing("QueueSettings.strategy")
    );
    assert_eq!(
        changed!(Configured, configured(), |wire| wire.operators[1].id.clear()),
        Missing("OperatorSettings.id")
    );
}

#[test]
fn what_cannot_be_is_named() {
    use WireError::Invalid;
    let error = changed!(Offered, offered(), |wire| wire.queue = "sup port".to_owned());
    assert_eq!(
        error.to_string(),
        "`Offered.queue` is not valid: `sup port` is not a name: expected 1 to 64 of a-z A-Z 0-9 . _ -"
    );
    let joined = || {
        places()
            .into_iter()
            .find(|fact| matches!(fact, Fact::Joined { .. }))
            .unwrap()
    };
    let key = changed!(Joined, joined(), |wire| wire.caller_key = Some(vec![0; 15]));
    assert_eq!(key, Invalid("Joined.caller_key"));
    let language = changed!(Joined, joined(), |wire| wire.language = "xx".to_owned());
    assert_eq!(language, Invalid("Joined.language"));
    let noted = Fact::Noted {
        reason: NoteReason::Stale,
    };
    assert_eq!(
        changed!(Noted, noted, |wire| wire.reason = 6),
        Invalid("Noted.reason")
    );
    let channel = changed!(Joined, joined(), |wire| wire.channel = 1);
    assert_eq!(channel, Invalid("Joined.channel"));
    let turned_away = places().swap_remove(0);
    let channel = changed!(TurnedAway, turned_away, |wire| wire.channel = -1);
    assert_eq!(channel, Invalid("TurnedAway.channel"));
    let told = announcements().swap_remove(0);
    let rise = changed!(Announced, told, |wire| wire.rise = Some(5));
    assert_eq!(rise, Invalid("Announced.rise"));
}

/// Asserts that bytes that can be read are written again without a change.
fn stable(bytes: &[u8]) {
    if let Ok(recorded) = decode(VERSION, bytes) {
        assert_eq!(decode(VERSION, &encode(&recorded)), Ok(recorded));
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        stable(&bytes);
    }

    #[test]
    fn no_changed_fact_panics(
        which in any::<proptest::sample::Index>(),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let ledger = ledger();
        let mut bytes = encode(which.get(&ledger));
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        stable(&bytes);
    }
}
