use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::wire::Table;
use pronto_types::link::{
    CallOutcome, Channel, ExitReason, Hearing, LeaveReason, RecordingFlaw, RefuseReason, RiseReason,
};
use pronto_types::{AnnouncementId, CallId, Language, OfferId, OperatorId, TrunkName};

fn caller() -> Caller {
    Caller {
        number: Some(PhoneNumber::new("+39061234567")),
        name: None,
    }
}

fn events() -> Vec<Event> {
    let (call, ticket, offer) = (CallId(7), TicketId(u64::MAX), OfferId(9));
    let operator = OperatorId::new("101").unwrap();
    let queue = QueueName::new("support").unwrap();
    let mut events = vec![
        Event::CallBegan {
            call,
            dialled: "800".to_owned(),
            caller: caller(),
            origin: Origin::Trunk(TrunkName::new("carrier").unwrap()),
        },
        Event::CallBegan {
            call,
            dialled: "800".to_owned(),
            caller: Caller {
                number: None,
                name: Some(DisplayName::new("Rossi")),
            },
            origin: Origin::Operator(operator.clone()),
        },
        Event::Ringing { offer },
        Event::Answered { offer, ticket },
        Event::TalkEnded { offer, ticket },
        Event::OperatorLost { offer, ticket },
        Event::Presence {
            operator: operator.clone(),
            lease: None,
        },
        Event::Presence {
            operator,
            lease: Some(Duration::from_millis(1500)),
        },
    ];
    for regained in [None, Some(TicketId(3))] {
        let queue = queue.clone();
        let language = Language::English;
        events.push(Event::Joined {
            ticket,
            contact: call.into(),
            channel: Channel::Phone,
            queue,
            caller: caller(),
            language,
            regained,
        });
    }
    events.extend(events_with_reasons());
    events
}

fn events_with_reasons() -> Vec<Event> {
    let (call, ticket, offer) = (CallId(7), TicketId(u64::MAX), OfferId(9));
    let mut events = Vec::new();
    for how in [Hearing::Whole, Hearing::Cut] {
        events.push(Event::Heard {
            announcement: AnnouncementId(812),
            ticket,
            how,
        });
    }
    events.extend(endings(call, ticket, offer));
    events
}

/// Events that carry a reason, one for each possible reason.
fn endings(call: CallId, ticket: TicketId, offer: OfferId) -> Vec<Event> {
    let mut events = Vec::new();
    use LeaveReason as L;
    for reason in [L::Abandoned, L::Key, L::TimedOut, L::Failed, L::PeerLost] {
        events.push(Event::Left { ticket, reason });
    }
    use RefuseReason as R;
    for reason in [R::Ignored, R::Busy, R::Rejected, R::Unreachable, R::Withdrawn] {
        events.push(Event::Refused { offer, reason });
    }
    use CallOutcome as O;
    for outcome in [
        O::CallerHungUp,
        O::Completed,
        O::Cancelled,
        O::Refused,
        O::PeerLost,
        O::GatewayLost,
        O::Stopped,
    ] {
        events.push(Event::CallEnded {
            call,
            outcome,
            duration: Duration::from_nanos(1_000_000_001),
            digits: 4,
        });
    }
    use RecordingFlaw as F;
    let flaws = [F::DiskFull, F::DiskFailed, F::Overrun, F::Killed].map(Some);
    for flaw in flaws.into_iter().chain([None]) {
        events.push(Event::Recorded {
            call,
            ticket,
            file: "2026/11/24/0000000000000007-ffffffffffffffff.wav".to_owned(),
            duration: Duration::from_millis(20),
            flaw,
        });
    }
    events
}

fn queue(name: &str) -> QueueName {
    QueueName::new(name).unwrap()
}

fn directives() -> Vec<Directive> {
    let (ticket, offer) = (TicketId(5), OfferId(9));
    let mut directives = vec![
        Directive::Offer {
            offer,
            ticket,
            operator: OperatorId::new("101").unwrap(),
            ring: Duration::from_secs(15),
            queue: QueueName::new("support").unwrap(),
            waited: Duration::from_millis(61_500),
        },
        Directive::Withdraw { offer },
        Directive::Rejoin { ticket },
        Directive::Forecast {
            queue: queue("sales"),
            wait: None,
        },
        Directive::Forecast {
            queue: queue("sales"),
            wait: Some(Forecast {
                p50: Duration::from_secs(60),
                p80: Duration::from_millis(90_500),
                p90: Duration::from_secs(120),
            }),
        },
    ];
    let promise = Promise {
        p50: Duration::from_millis(90_500),
        p90: Duration::from_secs(180),
    };
    use RiseReason as R;
    for (position, wait, rise) in [
        (Some(3), None, None),
        (None, Some(promise), Some(R::FewerOperators)),
        (Some(1), Some(promise), Some(R::CallersAhead)),
        (Some(1), Some(promise), Some(R::LongerCalls)),
        (Some(1), Some(promise), Some(R::Unknown)),
    ] {
        directives.push(Directive::Announce {
            announcement: AnnouncementId(812),
            ticket,
            position,
            wait,
            rise,
        });
    }
    use ExitReason as E;
    for reason in [E::TimedOut, E::Nobody, E::Failed] {
        directives.push(Directive::Exit { ticket, reason });
    }
    directives
}

/// Over the bytes, as they travel.
fn travelled<M: prost::Message + Default>(message: &M) -> M {
    M::decode(message.encode_to_vec().as_slice()).unwrap()
}

#[test]
fn every_event_survives_the_wire() {
    for (number, event) in (1..).zip(events()) {
        let age = Duration::from_micros(number * 333);
        let message = travelled(&entry(number, age, &event));
        let Some(gateway_message::Message::Entry(wire)) = message.message else {
            panic!("no entry")
        };
        assert_eq!(entry_from_wire(wire), Ok(Entry { number, age, event }));
    }
    every_one_was_tried::<Event>(&events());
}

/// Asserts that each message of the table was tried.
fn every_one_was_tried<T: Table<Link> + std::fmt::Debug>(tried: &[T]) {
    let tried: Vec<String> = tried.iter().map(|it| format!("{it:?} ")).collect();
    for name in T::NAMES {
        assert!(
            tried.iter().any(|it| it.starts_with(&format!("{name} "))),
            "{name}"
        );
    }
}

#[test]
fn every_directive_survives_the_wire() {
    for expected in directives() {
        assert_eq!(
            directive_from_wire(travelled(&directive(&expected))),
            Ok(expected)
        );
    }
    every_one_was_tried::<Directive>(&directives());
}

/// Every message as today's gateways and queue services write it, and as journals hold it: the two halves may be of different
/// versions, and a journal is read by a later one.
fn messages() -> Vec<Vec<u8>> {
    let gateway = GatewayName::new("gw1").unwrap();
    let mut messages = vec![
        hello(&Hello {
            gateway,
            epoch: 3,
            last: 812,
            forecasts: vec![queue("support")],
            instance: u64::MAX,
        })
        .encode_to_vec(),
    ];
    for (number, event) in (1..).zip(events()) {
        messages.push(entry(number, Duration::from_micros(number * 333), &event).encode_to_vec());
    }
    messages.extend(directives().iter().map(|told| directive(told).encode_to_vec()));
    let others = [
        welcome(0),
        welcome(812),
        acknowledged(813),
        admission(false),
        admission(true),
    ];
    messages.extend(others.iter().map(Message::encode_to_vec));
    messages
}

/// Asserts that the values are numbered from `first` in this order, and that no other number has a value.
fn are_numbered<T: Wire<Link, Form = i32> + std::fmt::Debug + PartialEq>(first: i32, values: &[T]) {
    for (number, value) in (first..).zip(values) {
        assert_eq!(value.to_wire(), number);
        assert_eq!(T::from_wire(number, "field").as_ref(), Ok(value));
    }
    let beyond = first + i32::try_from(values.len()).unwrap();
    for number in [i32::MIN, -1, beyond, 77, i32::MAX] {
        assert_eq!(T::from_wire(number, "field"), Err(WireError::Invalid("field")));
    }
    if first == 1 {
        assert_eq!(T::from_wire(0, "field"), Err(WireError::Missing("field")));
    }
}

/// Only a channel has the number 0, which is that of a field that is absent.
#[test]
fn every_number_of_an_enum_is_a_value_and_every_other_is_refused_by_name() {
    use {CallOutcome as O, LeaveReason as L, RecordingFlaw as F, RefuseReason as R, RiseReason as Rise};
    are_numbered(0, &[Channel::Phone]);
    are_numbered(
        1,
        &[
            Rise::FewerOperators,
            Rise::CallersAhead,
            Rise::LongerCalls,
            Rise::Unknown,
        ],
    );
    are_numbered(1, &[Hearing::Whole, Hearing::Cut]);
    are_numbered(1, &[ExitReason::TimedOut, ExitReason::Nobody, ExitReason::Failed]);
    are_numbered(1, &[L::Abandoned, L::Key, L::TimedOut, L::Failed, L::PeerLost]);
    are_numbered(
        1,
        &[R::Ignored, R::Busy, R::Rejected, R::Unreachable, R::Withdrawn],
    );
    are_numbered(1, &[F::DiskFull, F::DiskFailed, F::Overrun, F::Killed]);
    let lost = [O::PeerLost, O::GatewayLost, O::Stopped];
    are_numbered(
        1,
        &[
            &[O::CallerHungUp, O::Completed, O::Cancelled, O::Refused],
            &lost[..],
        ]
        .concat(),
    );
}

#[test]
fn a_message_with_an_unknown_number_is_refused_by_the_name_of_the_field() {
    let announce = |rise| {
        let told = v1::Announce {
            announcement: 812,
            ticket: 5,
            position: 3,
            rise,
            ..v1::Announce::default()
        };
        directive_from_wire(travelled(&v1::QueueMessage {
            message: Some(queue_message::Message::Announce(told)),
        }))
    };
    let joined = |channel| {
        let joined = v1::Joined {
            ticket: 5,
            contact: 7,
            queue: "support".to_owned(),
            language: "en".to_owned(),
            channel,
            ..v1::Joined::default()
        };
        entry_from_wire(travelled(&v1::Entry {
            number: 1,
            age: None,
            event: Some(entry::Event::Joined(joined)),
        }))
    };
    assert!(announce(None).is_ok() && announce(Some(4)).is_ok() && joined(0).is_ok());
    for number in [i32::MIN, -1, 5, i32::MAX] {
        assert_eq!(announce(Some(number)), Err(WireError::Invalid("Announce.rise")));
        assert_eq!(joined(number).unwrap_err(), WireError::Invalid("Joined.channel"));
    }
    assert_eq!(announce(Some(0)), Err(WireError::Missing("Announce.rise")));
    assert_eq!(
        joined(1).unwrap_err().to_string(),
        "`Joined.channel` is not valid"
    );
}

#[test]
fn the_bytes_of_every_message_stay_as_they_were() {
    let hex = |bytes: Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let written: Vec<String> = messages().into_iter().map(hex).collect();
    let golden: Vec<&str> = include_str!("golden.hex").lines().collect();
    assert_eq!(written, golden, "{}", written.join("\n"));
}

#[test]
fn a_hello_survives_and_an_epoch_of_zero_does_not() {
    let gateway = GatewayName::new("gw1").unwrap();
    let said = Hello {
        gateway,
        epoch: 3,
        last: 812,
        forecasts: vec![queue("support")],
        instance: u64::MAX,
    };
    let message = travelled(&hello(&said));
    let Some(gateway_message::Message::Hello(wire)) = message.message else {
        panic!("no hello")
    };
    assert_eq!(hello_from_wire(wire.clone()), Ok(said));
    let forecasts = vec!["a b".to_owned()];
    let nameless = v1::Hello {
        forecasts,
        ..wire.clone()
    };
    assert!(matches!(hello_from_wire(nameless), Err(WireError::Name { .. })));
    let forecasts = vec!["a".to_owned(); 1001];
    let many = v1::Hello {
        forecasts,
        ..wire.clone()
    };
    let refused = hello_from_wire(many).unwrap_err().to_string();
    assert_eq!(refused, "`forecasts`: found 1001, expected at most 1000");
    assert_eq!(
        hello_from_wire(v1::Hello { epoch: 0, ..wire }),
        Err(WireError::Invalid("epoch"))
    );
}

#[test]
fn what_is_missing_or_impossible_is_refused_by_name() {
    let refused = |event| {
        let wire = v1::Entry {
            number: 1,
            age: None,
            event,
        };
        entry_from_wire(wire).unwrap_err()
    };
    assert_eq!(refused(None), WireError::Missing("event"));
    let left = v1::Left { ticket: 0, reason: 1 };
    assert_eq!(
        refused(Some(entry::Event::Left(left))),
        WireError::Missing("Left.ticket")
    );
    let left = v1::Left {
        ticket: 1,
        reason: 77,
    };
    assert_eq!(
        refused(Some(entry::Event::Left(left))),
        WireError::Invalid("Left.reason")
    );
    let presence = v1::Presence {
        operator: "no name".to_owned(),
        reachable: false,
        lease: None,
    };
    assert!(matches!(
        refused(Some(entry::Event::Presence(presence))),
        WireError::Name { .. }
    ));
    let lease = Some(prost_types::Duration {
        seconds: -1,
        nanos: 0,
    });
    let presence = v1::Presence {
        operator: "101".to_owned(),
        reachable: true,
        lease,
    };
    assert_eq!(
        refused(Some(entry::Event::Presence(presence))),
        WireError::Invalid("Presence.lease")
    );
    let began = v1::CallBegan {
        call: 1,
        dialled: "8".repeat(65),
        ..v1::CallBegan::default()
    };
    assert_eq!(
        refused(Some(entry::Event::CallBegan(began))),
        WireError::Invalid("CallBegan.dialled")
    );
    assert_eq!(
        directive_from_wire(v1::QueueMessage { message: None }),
        Err(WireError::Missing("message"))
    );
    assert_eq!(
        directive_from_wire(welcome(1)),
        Err(WireError::Invalid("message"))
    );
}

#[test]
fn a_trunk_whose_name_is_no_name_is_refused() {
    let refused = |trunk: &str| {
        let began = v1::CallBegan {
            call: 1,
            origin: Some(v1::call_began::Origin::Trunk(trunk.to_owned())),
            ..v1::CallBegan::default()
        };
        let wire = v1::Entry {
            number: 1,
            age: None,
            event: Some(entry::Event::CallBegan(began)),
        };
        entry_from_wire(wire).unwrap_err()
    };
    assert_eq!(
        refused("the carrier").to_string(),
        "`CallBegan.origin` is not valid: `the carrier` is not a name: expected 1 to 64 of a-z A-Z 0-9 . _ -"
    );
    assert_eq!(refused(""), WireError::Missing("CallBegan.origin"));
}

#[test]
fn an_entry_without_a_number_is_refused() {
    let message = entry(0, Duration::ZERO, &Event::Ringing { offer: OfferId(1) });
    let Some(gateway_message::Message::Entry(wire)) = message.message else {
        panic!("no entry")
    };
    assert_eq!(entry_from_wire(wire), Err(WireError::Missing("number")));
}

#[test]
fn what_we_send_is_never_too_long_for_our_own_reader() {
    let event = Event::CallBegan {
        call: CallId(1),
        dialled: "€".repeat(1_000),
        caller: Caller {
            number: Some(PhoneNumber::new(&"è".repeat(100))),
            name: None,
        },
        origin: Origin::Trunk(TrunkName::new(&"t".repeat(TEXT)).unwrap()),
    };
    let message = travelled(&entry(1, Duration::MAX, &event));
    let Some(gateway_message::Message::Entry(wire)) = message.message else {
        panic!("no entry")
    };
    let Ok(Event::CallBegan { dialled, .. }) = entry_from_wire(wire).map(|entry| entry.event) else {
        panic!("refused")
    };
    assert_eq!(dialled, "€".repeat(TEXT));
}

#[test]
fn a_duration_that_is_none_is_refused() {
    for (seconds, nanos) in [
        (-1, 0),
        (0, -1),
        (0, 1_000_000_000),
        (i64::MIN, 0),
        (i64::MIN, i32::MIN),
        (i64::MAX, -1),
    ] {
        let age = Some(prost_types::Duration { seconds, nanos });
        let event = Some(entry::Event::Ringing(v1::Ringing { offer: 1 }));
        let wire = v1::Entry {
            number: 1,
            age,
            event,
        };
        assert_eq!(
            entry_from_wire(wire),
            Err(WireError::Invalid("age")),
            "{seconds} s {nanos} ns"
        );
    }
}

/// Asserts that a decoded message is encoded and decoded again without a change.
fn stable(bytes: &[u8]) {
    if let Ok(message) = v1::GatewayMessage::decode(bytes) {
        match message.message {
            Some(gateway_message::Message::Entry(wire)) => {
                let Ok(taken) = entry_from_wire(wire) else { return };
                let again = entry(taken.number, taken.age, &taken.event).message;
                let Some(gateway_message::Message::Entry(wire)) = again else {
                    panic!("no entry")
                };
                assert_eq!(entry_from_wire(wire), Ok(taken));
            }
            Some(gateway_message::Message::Hello(wire)) => drop(hello_from_wire(wire)),
            None => {}
        }
    }
    if let Ok(message) = v1::QueueMessage::decode(bytes)
        && let Ok(taken) = directive_from_wire(message)
    {
        assert_eq!(directive_from_wire(directive(&taken)), Ok(taken));
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        stable(&bytes);
    }

    #[test]
    fn mutated_messages_never_panic(
        which in any::<proptest::sample::Index>(),
        at in any::<proptest::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut messages: Vec<Vec<u8>> =
            events().iter().map(|event| entry(1, Duration::from_secs(1), event).encode_to_vec()).collect();
        messages.extend(directives().iter().map(|asked| directive(asked).encode_to_vec()));
        let mut bytes = messages.swap_remove(which.index(messages.len()));
        let at = at.index(bytes.len());
        bytes[at] = byte;
        stable(&bytes);
    }
}
