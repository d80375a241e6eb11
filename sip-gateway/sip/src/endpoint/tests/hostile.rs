//! Whatever arrives, nothing panics and nothing grows.

use std::time::Duration;

use proptest::prelude::*;

use super::raw::*;
use super::world::gateway_settings;
use crate::settings::Transport;

fn seeds(to: &str) -> Vec<String> {
    vec![
        invite("call"),
        invite("other").replace("Contact", "Record-Route: <sip:127.0.0.2:5099;lr>\nRequire: x\nContact"),
        request("REGISTER", "sip:pronto.example", "reg", 1, "Authorization: Digest username=\"101\", realm=\"pronto.example\", nonce=\"0\", uri=\"sip:pronto.example\", response=\"1\", qop=auth, nc=00000001, cnonce=\"c\"\nExpires: 60\n"),
        request("CANCEL", "sip:800@pronto.example", "call", 1, "").replace("z9hG4bKcallCANCEL", "z9hG4bKcallINVITE"),
        inside("ACK", "a", 1, "call", to),
        with_lines(&inside("BYE", "b", 2, "call", to), "Reason: Q.850;cause=16;text=\"x\"\n"),
        with_body(&inside("INFO", "i", 3, "call", to), "application/dtmf-relay", "Signal=5\nDuration=100\n"),
        with_body(&inside("UPDATE", "u", 4, "call", to), "application/sdp", "v=0\n"),
        with_lines(&inside("OPTIONS", "o", 5, "call", to), "Max-Forwards: 0\n"),
        "SIP/2.0 200 OK\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK00112233445566778899\nFrom: <sip:a@b>;tag=1\nTo: <sip:a@b>;tag=2\nCall-ID: x\nCSeq: 1 INVITE\nContact: <sip:z@127.0.0.3>\n\n".into(),
    ]
}

fn mutate(text: &str, cuts: &[(prop::sample::Index, u8, u8)]) -> Vec<u8> {
    let mut bytes = text.replace('\n', "\r\n").into_bytes();
    for (index, byte, how) in cuts {
        if bytes.is_empty() {
            break;
        }
        let at = index.index(bytes.len());
        match how {
            0 => bytes[at] = *byte,
            1 => drop(bytes.drain(at..(at + usize::from(*byte)).min(bytes.len()))),
            2 => bytes.insert(at, *byte),
            3 => {
                let chunk: Vec<u8> = bytes[at.saturating_sub(usize::from(*byte))..at].to_vec();
                bytes.splice(at..at, chunk);
            }
            4 => drop(bytes.splice(at..at, *b"4294967296")),
            _ => bytes.truncate(at),
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn mutated_traffic_neither_panics_nor_leaks(
        tcp in any::<bool>(),
        traffic in proptest::collection::vec((0_usize..10, proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..6), 0..5), any::<bool>()), 1..25),
    ) {
        let mut raw = Raw::new();
        let to = raw.call();
        if tcp { raw.transport = Transport::Tcp; }
        for (which, cuts, trunk) in traffic {
            let bytes = mutate(&seeds(&to)[which], &cuts);
            let from = if trunk { TRUNK } else { STRANGER };
            let sent = raw.send_bytes(from, bytes);
            prop_assert!(sent.len() <= 4, "one message in, few out");
            raw.pass(Duration::from_millis(300));
        }
        for leg in raw.endpoint.legs.keys().copied().collect::<Vec<_>>() {
            raw.endpoint.hangup(raw.now, leg, None);
        }
        raw.drain();
        raw.pass(Duration::from_secs(129));
        let counts = raw.endpoint.counts();
        prop_assert_eq!((counts.transactions, counts.dialogs), (0, 0));
    }
}

#[test]
fn floods_of_strangers_leave_nothing_behind() {
    let mut raw = Raw::new();
    for n in 0..2000 {
        let id = n.to_string();
        raw.send(STRANGER, &invite(&id));
        raw.send(STRANGER, &request("REGISTER", "sip:pronto.example", &id, 1, ""));
        raw.send(STRANGER, &request("OPTIONS", "sip:pronto.example", &id, 1, ""));
    }
    let counts = raw.endpoint.counts();
    let dropped = counts.dropped;
    assert_eq!((counts.transactions, counts.dialogs, counts.sources), (0, 0, 1));
    assert_eq!(
        (dropped.challenged, dropped.limited),
        (1334, 4000),
        "a burst is answered, what comes over it is dropped unread"
    );
    assert_eq!(
        raw.status(TRUNK, &invite("call")),
        100,
        "nobody else waits for that"
    );
}

#[test]
fn a_trunk_that_floods_meets_the_limit_and_the_tables_stay_within_it() {
    let mut settings = gateway_settings(Transport::Udp);
    settings.limits.transactions = 100;
    settings.limits.dialogs = 40;
    let mut raw = Raw::with(settings);
    let to = raw.call();
    for n in 0..500 {
        raw.send(TRUNK, &invite(&format!("f{n}")));
        raw.send(TRUNK, &inside("OPTIONS", &format!("o{n}"), n + 2, "call", &to));
        let counts = raw.endpoint.counts();
        assert!(counts.transactions <= 100 && counts.dialogs <= 40, "{counts:?}");
    }
    assert!(raw.endpoint.counts().dropped.overload > 400);
    assert_eq!(
        raw.status(TRUNK, &inside("BYE", "bye", 900, "call", &to)),
        200,
        "a call can always be ended"
    );
}

#[test]
fn who_comes_by_websocket_is_no_trunk_wherever_from() {
    for (transport, expected) in [
        (Transport::Udp, 100),
        (Transport::Tcp, 100),
        (Transport::Tls, 100),
        (Transport::Ws, 401),
        (Transport::Wss, 401),
    ] {
        let mut raw = Raw::new();
        raw.transport = transport;
        assert_eq!(raw.status(TRUNK, &invite("a")), expected, "{transport:?}");
    }
}
