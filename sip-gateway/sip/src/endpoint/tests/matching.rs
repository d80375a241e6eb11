//! Matching of requests to transactions and dialogs (RFC 3261 §9.2, §12.2.2, §17.2.3), letter by letter.

use std::time::Duration;

use bytes::Bytes;

use super::raw::*;
use super::world::ANSWER;
use crate::api::*;
use crate::settings::Transport;

fn cancelling(id: &str) -> String {
    request("CANCEL", "sip:800@pronto.example", id, 1, "")
        .replace(&format!("z9hG4bK{id}CANCEL"), &format!("z9hG4bK{id}INVITE"))
}

fn statuses(sent: &[(std::net::SocketAddr, String)]) -> Vec<u16> {
    sent.iter().map(|(_, text)| status(text)).collect()
}

#[test]
fn a_cancel_is_its_invites_by_branch_call_id_number_and_tag() {
    let cases: [(&str, &dyn Fn(String) -> String); 5] = [
        ("branch", &|t| t.replace("z9hG4bKc", "z9hG4bKx")),
        ("sent-by", &|t| {
            t.replace("UDP 127.0.0.2:5070", "UDP 127.0.0.2:5071")
        }),
        ("Call-ID", &|t| t.replace("Call-ID: c", "Call-ID: x")),
        ("CSeq", &|t| t.replace("CSeq: 1", "CSeq: 2")),
        ("From tag", &|t| t.replace("tag=fromc", "tag=fromx")),
    ];
    for (what, change) in cases {
        let mut raw = Raw::new();
        raw.send(TRUNK, &invite("c"));
        assert_eq!(
            statuses(&raw.send(TRUNK, &change(cancelling("c")))),
            [481],
            "{what}"
        );
        assert!(matches!(raw.events.last(), Some(Event::Invite(_))), "{what}");
        assert_eq!(
            statuses(&raw.send(TRUNK, &cancelling("c"))),
            [200, 487],
            "{what}: the right one is still heard"
        );
    }
}

#[test]
fn a_cancel_needs_no_proof_and_names_an_extension_in_vain() {
    let mut raw = Raw::new();
    raw.send(TRUNK, &invite("c"));
    // A CANCEL has no business with Require (§9.1), and cannot be sent again with an answer to a challenge (§22.1).
    let text = cancelling("c").replace("Max-Forwards", "Require: dance\nMax-Forwards");
    assert_eq!(statuses(&raw.send(TRUNK, &text)), [200, 487]);
    assert_eq!(
        statuses(&raw.send(STRANGER, &cancelling("nobodys"))),
        [481],
        "not 401"
    );
}

#[test]
fn a_cancel_after_the_final_answer_is_answered_and_changes_nothing() {
    let mut raw = Raw::new();
    raw.send(TRUNK, &invite("c"));
    let (leg, now) = (raw.leg(), raw.now);
    raw.endpoint.answer(now, leg, Bytes::from_static(ANSWER));
    let to = header(&raw.drain().remove(0).1, "To").unwrap().to_owned();
    let sent = raw.send(TRUNK, &cancelling("c"));
    assert_eq!(statuses(&sent), [200]);
    assert_eq!(header(&sent[0].1, "To"), Some(to.as_str()), "the INVITE's To");
    raw.send(TRUNK, &inside("ACK", "a", 1, "c", &to));
    assert!(matches!(raw.events.last(), Some(Event::Acknowledged { .. })));
    assert_eq!(raw.status(TRUNK, &inside("BYE", "b", 2, "c", &to)), 200);
    let mut raw = Raw::new();
    raw.send(TRUNK, &invite("c"));
    let (leg, now) = (raw.leg(), raw.now);
    raw.endpoint.reject(now, leg, crate::Status::BUSY_HERE, None);
    raw.drain();
    assert_eq!(
        statuses(&raw.send(TRUNK, &cancelling("c"))),
        [200],
        "no 487 after 486"
    );
    raw.pass(Duration::from_secs(40));
    assert_eq!(
        statuses(&raw.send(TRUNK, &cancelling("c"))),
        [481],
        "and then it is forgotten"
    );
}

#[test]
fn their_tag_is_compared_octet_for_octet_and_ours_is_ours_in_either_case() {
    let mut raw = Raw::new();
    let to = raw.call();
    let shouted = inside("BYE", "b1", 2, "call", &to).replace("tag=fromcall", "tag=FROMCALL");
    assert_eq!(raw.status(TRUNK, &shouted), 481, "base64 tags differ by case");
    let (address, tag) = to.split_once("tag=").unwrap();
    let ours = inside(
        "BYE",
        "b2",
        2,
        "call",
        &format!("{address}tag={}", tag.to_uppercase()),
    );
    assert_eq!(
        raw.status(TRUNK, &ours),
        200,
        "tokens are case-insensitive (§7.3.1)"
    );
}

#[test]
fn a_dialog_is_not_entered_with_less_or_more_than_its_three_names() {
    let mut raw = Raw::new();
    let to = raw.call();
    let (address, tag) = to.split_once("tag=").unwrap();
    for wrong in [
        format!("{address}tag={}", &tag[1..]),
        format!("{address}tag={tag}0"),
        format!("{address}tag=\"{tag}\""),
        format!("{address}x={tag}"),
    ] {
        let text = inside("BYE", "b", 2, "call", &wrong);
        assert!([400, 481].contains(&raw.status(TRUNK, &text)), "{wrong}");
    }
    let untagged = inside("BYE", "b", 2, "call", &to).replace(";tag=fromcall", "");
    assert_eq!(raw.status(TRUNK, &untagged), 481);
    let call_id = inside("BYE", "b", 2, "call", &to).replace("Call-ID: call", "Call-ID: CALL");
    assert_eq!(
        raw.status(TRUNK, &call_id),
        481,
        "Call-IDs are case-sensitive (§8.1.1.4)"
    );
    assert_eq!(raw.endpoint.counts().dialogs, 1);
}

#[test]
fn every_method_outside_its_dialog_is_481_and_a_stray_ack_nothing() {
    for method in ["BYE", "INFO", "UPDATE", "PRACK", "OPTIONS", "INVITE"] {
        for from in [TRUNK, STRANGER] {
            let mut raw = Raw::new();
            let text = inside(
                method,
                "s",
                2,
                "none",
                "<sip:800@pronto.example>;tag=0123456789abcdef0123",
            );
            assert_eq!(raw.status(from, &text), 481, "{method}");
            assert_eq!(
                raw.endpoint.counts().transactions,
                0,
                "{method} is not remembered"
            );
        }
    }
    let mut raw = Raw::new();
    let text = inside(
        "ACK",
        "s",
        2,
        "none",
        "<sip:800@pronto.example>;tag=0123456789abcdef0123",
    );
    assert_eq!(raw.status(TRUNK, &text), 0);
    assert_eq!(
        raw.status(TRUNK, &text.replace(";tag=0123456789abcdef0123", "")),
        0
    );
}

#[test]
fn numbers_may_leap_and_none_comes_twice() {
    let mut raw = Raw::new();
    let to = raw.call();
    let mut say =
        |method: &str, branch: &str, cseq: u32| raw.status(TRUNK, &inside(method, branch, cseq, "call", &to));
    assert_eq!(say("OPTIONS", "a", 900), 200, "a gap is no fault (§12.2.2)");
    assert_eq!(
        say("OPTIONS", "b", 900),
        500,
        "the same number in another transaction"
    );
    assert_eq!(say("INFO", "c", 899), 500);
    assert_eq!(say("UPDATE", "d", 1), 500);
    assert_eq!(say("INVITE", "e", 2), 500);
    assert_eq!(say("OPTIONS", "a", 900), 200, "a retransmission is answered");
    assert_eq!(say("BYE", "f", 2_147_483_647), 200);
}

#[test]
fn a_call_hung_up_by_both_at_once_or_by_cancel_and_bye_is_over_once() {
    let mut raw = Raw::new();
    raw.send(TRUNK, &invite("c"));
    let (leg, now) = (raw.leg(), raw.now);
    raw.endpoint.ring(now, leg);
    let to = header(&raw.drain().remove(0).1, "To").unwrap().to_owned();
    assert_eq!(statuses(&raw.send(TRUNK, &cancelling("c"))), [200, 487]);
    assert_eq!(
        raw.status(TRUNK, &inside("BYE", "b", 2, "c", &to)),
        481,
        "the early dialog is gone with it"
    );
    let ends = raw.events.iter().filter(|e| matches!(e, Event::Cancelled { .. }));
    assert_eq!(ends.count(), 1);
    let mut raw = Raw::new();
    let to = raw.call();
    let (leg, now) = (raw.leg(), raw.now);
    raw.endpoint.hangup(now, leg, None);
    let ours = raw.drain().remove(0).1;
    assert_eq!(raw.status(TRUNK, &inside("BYE", "b", 2, "call", &to)), 200);
    raw.send(TRUNK, &response_to(&ours, "481 Gone", "", ""));
    let ends = raw
        .events
        .iter()
        .filter(|e| matches!(e, Event::Released { .. } | Event::Ended { .. }));
    assert_eq!(ends.count(), 1);
    raw.pass(Duration::from_secs(64));
    let counts = raw.endpoint.counts();
    assert_eq!((counts.dialogs, counts.transactions), (0, 0));
}

/// "The server transaction MUST generate a 100 (Trying) response unless it knows that the TU will generate a provisional or final
/// response within 200 ms" (§17.2.1): it waits, and then knows.
#[test]
fn a_100_waits_for_something_better_and_is_said_at_once_to_who_asks_again() {
    let patient = || {
        let mut settings = super::world::gateway_settings(Transport::Udp);
        settings.trying = Duration::from_millis(150);
        Raw::with(settings)
    };
    let milliseconds = Duration::from_millis;
    let mut raw = patient();
    assert!(raw.send(TRUNK, &invite("c")).is_empty());
    assert!(raw.pass(milliseconds(149)).is_empty());
    assert_eq!(statuses(&raw.pass(milliseconds(1))), [100], "in time");
    assert!(raw.pass(milliseconds(2_000)).is_empty(), "once");

    let mut raw = patient();
    raw.send(TRUNK, &invite("c"));
    assert_eq!(statuses(&raw.send(TRUNK, &invite("c"))), [100], "asked again");

    let mut raw = patient();
    raw.send(TRUNK, &invite("c"));
    let (leg, now) = (raw.leg(), raw.now);
    raw.endpoint.ring(now, leg);
    assert_eq!(statuses(&raw.drain()), [180]);
    assert!(raw.pass(milliseconds(2_000)).is_empty(), "no 100 after a 180");

    let mut raw = patient();
    raw.send(TRUNK, &invite("c"));
    assert_eq!(statuses(&raw.send(TRUNK, &cancelling("c"))), [200, 487]);
    let later = raw.pass(milliseconds(600));
    assert!(later.iter().all(|(_, text)| status(text) == 487), "{later:?}");
}
