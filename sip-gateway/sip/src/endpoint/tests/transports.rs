//! Differences between UDP, TCP, TLS and WebSockets: the way a request goes, and how the request shows it.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use super::raw::*;
use super::world::{ANSWER, gateway_settings, operator};
use crate::api::*;
use crate::settings::{Flow, Transport};

pub(super) const PAGE: &str = "sip:101@df7jal23ls0d.invalid;transport=ws";

/// A gateway on every transport.
pub(super) fn everywhere() -> Raw {
    let mut settings = gateway_settings(Transport::Udp);
    let here: SocketAddr = "127.0.0.1:5060".parse().unwrap();
    settings.listen = Transport::ALL.map(|transport| (transport, here)).to_vec();
    Raw::with(settings)
}

/// 101 registers from there; the answer.
pub(super) fn register(raw: &mut Raw, from: &str, contact: &str, id: &str) -> String {
    let uri = "sip:pronto.example";
    let text = request("REGISTER", uri, id, 1, "")
        .replace("To: <sip:800", "To: <sip:101")
        .replace("<sip:c@127.0.0.2:5070>", contact);
    let challenged = raw.send(from, &text).pop().unwrap().1;
    let proof = authorization(&challenged, "101", "secret101", "REGISTER", uri);
    let text = text
        .replace("Contact", &format!("{proof}Contact"))
        .replace("CSeq: 1", "CSeq: 2");
    let ok = raw.send(from, &text).pop().unwrap().1;
    assert_eq!(status(&ok), 200, "{ok}");
    ok
}

/// Everything sent, with its flow.
pub(super) fn sent(raw: &mut Raw) -> Vec<(Flow, String)> {
    let mut sent = Vec::new();
    while let Some(output) = raw.endpoint.poll_output() {
        match output {
            Output::Transmit { flow, bytes } => {
                sent.push((flow, String::from_utf8_lossy(&bytes).into_owned()));
            }
            Output::Event(event) => raw.events.push(event),
        }
    }
    sent
}

/// Rings 101 with an offer of this many octets.
pub(super) fn ring(raw: &mut Raw, octets: usize) -> (LegId, Vec<(Flow, String)>) {
    let to = raw
        .endpoint
        .bindings(&operator("101"))
        .next()
        .expect("a binding")
        .destination();
    let offer = Bytes::from("v".repeat(octets));
    let leg = raw.endpoint.invite(raw.now, &to, offer, InviteOptions::default());
    (leg, sent(raw))
}

fn via(text: &str) -> &str {
    header(text, "Via").unwrap().split(';').next().unwrap()
}

/// The phone's 200 to an INVITE of ours.
fn answered(invite: &str, contact: &str) -> String {
    let mut ok = String::from("SIP/2.0 200 OK\n");
    for name in ["Via", "From", "Call-ID", "CSeq"] {
        ok += &format!("{name}: {}\n", header(invite, name).unwrap());
    }
    ok += &format!(
        "To: {};tag=phone\nContact: <{contact}>\n",
        header(invite, "To").unwrap()
    );
    ok + "Content-Length: 0\n\n"
}

#[test]
fn a_phone_nobody_can_connect_to_is_rung_on_its_own_flow_and_hears_which_that_is() {
    for (transport, contact, parameter) in [
        (
            Transport::Tls,
            "sip:101@192.168.1.7:49152;transport=tls",
            ";transport=tls",
        ),
        (Transport::Ws, PAGE, ";transport=ws"),
        (Transport::Wss, PAGE, ";transport=ws"),
    ] {
        let mut raw = everywhere();
        raw.transport = transport;
        register(&mut raw, STRANGER, &format!("<{contact}>"), "r");
        let (leg, invite) = ring(&mut raw, 4000);
        assert_eq!(invite.len(), 1);
        assert_eq!(
            invite[0].0,
            raw.flow(STRANGER),
            "{transport:?}, whatever the size"
        );
        let invite = &invite[0].1;
        assert!(
            invite.starts_with(&format!("INVITE {contact} SIP/2.0\r\n")),
            "{invite}"
        );
        assert_eq!(
            via(invite),
            format!("SIP/2.0/{} 127.0.0.1:5060", transport.as_str())
        );
        assert_eq!(
            header(invite, "Contact"),
            Some(format!("<sip:127.0.0.1:5060{parameter}>").as_str())
        );
        let ack = raw.send(STRANGER, &answered(invite, contact));
        assert!(ack[0].1.starts_with("ACK "), "{ack:?}");
        assert!(raw.pass(Duration::from_secs(5)).is_empty(), "nothing is repeated");
        raw.endpoint.hangup(raw.now, leg, None);
        let bye = sent(&mut raw);
        assert_eq!((bye[0].0, bye.len()), (raw.flow(STRANGER), 1), "{bye:?}");
    }
}

#[test]
fn who_asks_for_sips_gets_sips_and_only_where_it_is_true() {
    for (transport, contact) in [
        (Transport::Tls, "<sips:127.0.0.1:5060>"),
        (Transport::Wss, "<sips:127.0.0.1:5060;transport=ws>"),
        (Transport::Tcp, "<sip:127.0.0.1:5060;transport=tcp>"),
    ] {
        let mut raw = everywhere();
        raw.transport = transport;
        let text = invite("s")
            .replace("INVITE sip:", "INVITE sips:")
            .replace("Contact: <sip:", "Contact: <sips:")
            .replace("0612345@carrier.example", "101@pronto.example");
        let challenged = raw.send(STRANGER, &text).pop().unwrap().1;
        let uri = "sips:800@pronto.example";
        let proof = authorization(&challenged, "101", "secret101", "INVITE", uri);
        let proven = text.replace("Contact", &format!("{proof}Contact"));
        raw.send(STRANGER, &proven.replace("CSeq: 1", "CSeq: 2"));
        let leg = raw.leg();
        raw.endpoint.answer(raw.now, leg, Bytes::from_static(ANSWER));
        let ok = raw.drain().pop().unwrap().1;
        assert_eq!((status(&ok), header(&ok, "Contact")), (200, Some(contact)));
    }
}

#[test]
fn a_stream_needs_a_content_length_and_a_websocket_does_not() {
    for (transport, expected) in [(Transport::Tls, 400), (Transport::Ws, 200), (Transport::Wss, 200)] {
        let mut raw = everywhere();
        raw.transport = transport;
        let text = request("OPTIONS", "sip:pronto.example", "o", 1, "").replace("Content-Length: 0\n", "");
        assert_eq!(raw.status(TRUNK, &text), expected, "{transport:?}");
    }
}

#[test]
fn a_lost_connection_unbinds_its_phone_and_its_talk_goes_on_over_the_next() {
    let mut raw = everywhere();
    raw.transport = Transport::Wss;
    register(&mut raw, STRANGER, &format!("<{PAGE}>"), "r1");
    let (leg, invite) = ring(&mut raw, 100);
    raw.send(STRANGER, &answered(&invite[0].1, &format!("{PAGE};ob")));
    let flow = raw.flow(STRANGER);
    raw.endpoint.handle_input(raw.now, Input::FlowClosed { flow });
    assert!(sent(&mut raw).is_empty(), "nobody is connected to");
    assert!(matches!(
        raw.events.last(),
        Some(Event::Binding { expires: None, .. })
    ));
    // Another phone of the same operator is not it.
    register(
        &mut raw,
        "127.0.0.9:5091",
        "<sip:101@other.invalid;transport=ws>",
        "r2",
    );
    register(&mut raw, "127.0.0.9:5092", &format!("<{PAGE}>"), "r3");
    raw.endpoint.hangup(raw.now, leg, None);
    let bye = sent(&mut raw);
    assert!(bye[0].1.starts_with("BYE "), "{bye:?}");
    assert_eq!(bye[0].0, raw.flow("127.0.0.9:5092"));
}

#[test]
fn a_request_larger_than_1300_octets_goes_over_tcp_and_as_a_datagram_where_that_is_refused() {
    let mut raw = everywhere();
    register(&mut raw, STRANGER, "<sip:101@127.0.0.9:5090>", "r");
    let stream = Flow {
        transport: Transport::Tcp,
        ..raw.flow(STRANGER)
    };
    let (_, small) = ring(&mut raw, 100);
    let fits = 100 + 1300 - small[0].1.len();
    for (octets, flow) in [(fits, raw.flow(STRANGER)), (fits + 1, stream)] {
        let (_, invite) = ring(&mut raw, octets);
        let longest = invite[0].1.len();
        assert_eq!(invite[0].0, flow, "{longest} octets");
        assert!(longest == 1300 || longest == 1301, "{longest}");
    }
    let (leg, invite) = ring(&mut raw, 2000);
    assert_eq!(via(&invite[0].1), "SIP/2.0/TCP 127.0.0.1:5060");
    raw.endpoint
        .handle_input(raw.now, Input::FlowFailed { flow: stream });
    let again = sent(&mut raw);
    // The one of 1301 octets has failed too, and comes first.
    assert_eq!(again.len(), 2);
    let (flow, text) = &again[1];
    assert_eq!(
        (*flow, via(text)),
        (raw.flow(STRANGER), "SIP/2.0/UDP 127.0.0.1:5060")
    );
    assert_eq!(
        text.replace("/UDP ", "/TCP "),
        invite[0].1,
        "nothing else changes"
    );
    let repeated = raw.pass(Duration::from_millis(600));
    assert!(
        repeated.iter().any(|(_, t)| t == text),
        "now it is repeated as datagrams are"
    );
    raw.send(STRANGER, &answered(text, "sip:101@127.0.0.9:5090"));
    assert!(matches!(raw.events.last(), Some(Event::Answered { leg: l, .. }) if *l == leg));
    // It is not asked each time, and not never again.
    assert_eq!(ring(&mut raw, 2000).1[0].0, raw.flow(STRANGER));
    register(&mut raw, STRANGER, "<sip:101@127.0.0.9:5090>", "r2");
    raw.pass(Duration::from_secs(299));
    register(&mut raw, STRANGER, "<sip:101@127.0.0.9:5090>", "r3");
    raw.pass(Duration::from_secs(2));
    assert_eq!(ring(&mut raw, 2000).1[0].0, stream);
}

#[test]
fn a_phone_that_answered_over_tcp_is_not_sent_the_datagram_too() {
    let mut raw = everywhere();
    register(&mut raw, STRANGER, "<sip:101@127.0.0.9:5090>", "r");
    let (_, invite) = ring(&mut raw, 2000);
    let stream = invite[0].0;
    raw.transport = Transport::Tcp;
    raw.send(
        STRANGER,
        &answered(&invite[0].1, "sip:101@127.0.0.9:5090").replace("200 OK", "180 Ringing"),
    );
    raw.endpoint
        .handle_input(raw.now, Input::FlowClosed { flow: stream });
    assert!(sent(&mut raw).is_empty());
    assert!(matches!(
        raw.events.last(),
        Some(Event::Refused {
            status: 503,
            local: true,
            ..
        })
    ));
}

#[test]
fn a_phone_behind_a_nat_or_that_keeps_its_flow_gets_large_datagrams_there() {
    for contact in [
        "<sip:101@192.168.1.7:5060>",
        "<sip:101@127.0.0.9:5090>;reg-id=1;+sip.instance=\"<urn:uuid:f>\"",
    ] {
        let mut raw = everywhere();
        let text = "Supported: outbound\n";
        let uri = "sip:pronto.example";
        let text = request("REGISTER", uri, "n", 1, text)
            .replace("To: <sip:800", "To: <sip:101")
            .replace("<sip:c@127.0.0.2:5070>", contact);
        let challenged = raw.send(STRANGER, &text).pop().unwrap().1;
        let proof = authorization(&challenged, "101", "secret101", "REGISTER", uri);
        let text = text
            .replace("Contact", &format!("{proof}Contact"))
            .replace("CSeq: 1", "CSeq: 2");
        assert_eq!(raw.status(STRANGER, &text), 200);
        assert_eq!(ring(&mut raw, 2000).1[0].0, raw.flow(STRANGER), "{contact}");
    }
}

#[test]
fn the_advertised_address_is_written_for_its_own_family_alone() {
    let mut settings = gateway_settings(Transport::Udp);
    settings.advertise = vec!["203.0.113.7".parse().unwrap()];
    let mut both = settings.clone();
    both.advertise.push("2001:db8::7".parse().unwrap());
    for (settings, local, host) in [
        (&settings, "0.0.0.0:5060", "203.0.113.7:5060"),
        (&settings, "[::1]:5060", "[::1]:5060"),
        (&both, "0.0.0.0:5060", "203.0.113.7:5060"),
        (&both, "[::]:5060", "[2001:db8::7]:5060"),
    ] {
        let mut raw = Raw::with(settings.clone());
        let flow = Flow {
            transport: Transport::Udp,
            local: local.parse().unwrap(),
            remote: TRUNK.parse().unwrap(),
        };
        let text = invite(host).replace('\n', "\r\n");
        raw.endpoint.handle_input(
            raw.now,
            Input::Message {
                flow,
                bytes: Bytes::from(text),
            },
        );
        sent(&mut raw);
        let leg = raw.leg();
        raw.endpoint.answer(raw.now, leg, Bytes::from_static(ANSWER));
        let ok = sent(&mut raw).pop().unwrap().1;
        assert_eq!(header(&ok, "Contact"), Some(format!("<sip:{host}>").as_str()));
    }
}
