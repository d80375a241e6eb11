//! Where phones are rung, and where the requests of their calls go.

use std::time::Duration;

use bytes::Bytes;
use pronto_types::TrunkName;

use super::raw::*;
use super::world::{ANSWER, gateway_settings, offer, operator};
use crate::api::*;
use crate::settings::{Transport, Trunk};

const REALM: &str = "sip:pronto.example";

/// A REGISTER of operator `user` from `from`, proven; its answer. `via`: what follows the transport in it.
fn enrol(raw: &mut Raw, (user, from): (&str, &str), via: &str, contacts: &str) -> String {
    // Each phone of a test has a port of its own.
    let (_, port) = from.split_once(':').unwrap();
    let text = request("REGISTER", REALM, port, 1, "")
        .replace("To: <sip:800", &format!("To: <sip:{user}"))
        .replace("UDP 127.0.0.2:5070", &format!("{} {via}", raw.transport.as_str()))
        .replace("<sip:c@127.0.0.2:5070>", contacts);
    let challenged = raw.send(from, &text).pop().unwrap().1;
    assert_eq!(status(&challenged), 401, "{challenged}");
    let proof = authorization(&challenged, user, &format!("secret{user}"), "REGISTER", REALM);
    let text = text
        .replace("Contact", &format!("{proof}Contact"))
        .replace("CSeq: 1", "CSeq: 2");
    raw.send(from, &text).pop().unwrap().1
}

/// Where the phones of 101 are rung, in the order in which they are.
fn rung(raw: &mut Raw) -> Vec<String> {
    let to: Vec<Destination> = raw
        .endpoint
        .bindings(&operator("101"))
        .map(|b| b.destination())
        .collect();
    for to in to {
        raw.endpoint
            .invite(raw.now, &to, offer(), InviteOptions::default());
    }
    raw.drain().into_iter().map(|(to, _)| to.to_string()).collect()
}

fn rung_after(from: &str, via: &str, contacts: &str) -> Vec<String> {
    let mut raw = Raw::new();
    let ok = enrol(&mut raw, ("101", from), via, contacts);
    assert_eq!(status(&ok), 200, "{ok}");
    rung(&mut raw)
}

#[test]
fn a_registered_phone_is_rung_at_its_contact_and_not_where_it_registered_from() {
    for (from, via, contacts, expected) in [
        // A phone that sends from another port than it listens on.
        (
            "127.0.0.5:49152",
            "127.0.0.5:5060",
            "<sip:101@127.0.0.5:5060;transport=udp>",
            "127.0.0.5:5060",
        ),
        (
            "127.0.0.5:49152",
            "127.0.0.5",
            "<sip:101@127.0.0.5>",
            "127.0.0.5:5060",
        ),
        // Another device registers it.
        (
            "127.0.0.6:5060",
            "127.0.0.6:5060",
            "<sip:101@127.0.0.5:5080>",
            "127.0.0.5:5080",
        ),
        (
            "127.0.0.6:5060",
            "127.0.0.6:5060;rport",
            "<sip:101@127.0.0.5:5080>",
            "127.0.0.5:5080",
        ),
        (
            "203.0.113.6:5060",
            "203.0.113.6:5060;rport",
            "<sip:101@198.51.100.7>",
            "198.51.100.7:5060",
        ),
    ] {
        assert_eq!(
            rung_after(from, via, contacts),
            [expected],
            "{from} {via} {contacts}"
        );
    }
}

#[test]
fn two_contacts_of_one_register_ring_two_phones() {
    for via in ["127.0.0.5:5060", "127.0.0.5:5060;rport"] {
        let contacts = "<sip:101@127.0.0.5:5070>;q=0.9, <sip:101@127.0.0.7:5071>;q=0.5";
        let both = rung_after("127.0.0.5:5060", via, contacts);
        assert_eq!(both, ["127.0.0.5:5070", "127.0.0.7:5071"], "{via}");
    }
}

#[test]
fn a_phone_behind_a_nat_is_rung_over_its_flow() {
    let source = "203.0.113.9:31000";
    for (via, contact) in [
        ("192.168.1.5:5060;rport", "<sip:101@192.168.1.5:5060>"),
        ("192.168.1.5:5060", "<sip:101@192.168.1.5:5060>"),
        // The Via has been mended, the Contact has not.
        ("203.0.113.9:31000;rport", "<sip:101@192.168.1.5:5060>"),
        // It has asked a STUN server, and the NAT takes another port for each peer.
        ("203.0.113.9:40000;rport", "<sip:101@203.0.113.9:40000>"),
        ("192.168.1.5;rport", "<sip:101@203.0.113.9:40000>"),
        // It wants it so (RFC 5626).
        ("203.0.113.9:5060", "<sip:101@203.0.113.9:5060;ob>"),
        // Nothing here asks the DNS.
        ("203.0.113.9:5060", "<sip:101@phone.example>"),
        ("203.0.113.9:5060", "<sip:101@203.0.113.9;transport=tls>"),
        ("203.0.113.9:5060", "<sip:101@127.0.0.1>"),
    ] {
        assert_eq!(rung_after(source, via, contact), [source], "{via} {contact}");
    }
}

#[test]
fn a_phone_that_keeps_its_flow_open_is_rung_over_it_whatever_its_contact_says() {
    let mut raw = Raw::new();
    let contact = "<sip:101@127.0.0.5:5060>;reg-id=1;+sip.instance=\"<urn:uuid:f>\"\nSupported: outbound";
    let ok = enrol(&mut raw, ("101", "127.0.0.5:49152"), "127.0.0.5:5060", contact);
    assert_eq!(status(&ok), 200, "{ok}");
    assert_eq!(rung(&mut raw), ["127.0.0.5:49152"]);
}

#[test]
fn a_phone_over_tcp_is_rung_over_its_connection_and_then_at_its_contact() {
    let mut settings = gateway_settings(Transport::Tcp);
    settings
        .listen
        .push((Transport::Udp, "127.0.0.1:5060".parse().unwrap()));
    let mut raw = Raw::with(settings);
    raw.transport = Transport::Tcp;
    let (source, contact) = ("127.0.0.5:40000", "<sip:101@127.0.0.5:5060;transport=tcp>");
    let ok = enrol(&mut raw, ("101", source), "127.0.0.5:5060;rport", contact);
    assert_eq!(status(&ok), 200, "{ok}");
    assert_eq!(rung(&mut raw), [source]);
    let flow = raw.flow(source);
    raw.endpoint.handle_input(raw.now, Input::FlowClosed { flow });
    let asked = raw.drain();
    assert!(matches!(
        raw.events.last(),
        Some(Event::Binding { expires: None, .. })
    ));
    let (to, text) = asked.last().unwrap();
    assert_eq!(
        (
            to.to_string().as_str(),
            text.starts_with("OPTIONS sip:101@127.0.0.5")
        ),
        ("127.0.0.5:5060", true)
    );
    let answer = response_to(text, "200 OK", "p", "");
    raw.send("127.0.0.5:5060", &answer);
    assert!(matches!(
        raw.events.last(),
        Some(Event::Binding { expires: Some(_), .. })
    ));
    assert_eq!(rung(&mut raw), ["127.0.0.5:5060"], "it takes connections");
}

#[test]
fn a_phone_over_tcp_that_takes_no_connections_is_asked_once() {
    let mut raw = Raw::with(gateway_settings(Transport::Tcp));
    raw.transport = Transport::Tcp;
    let (source, contact) = ("127.0.0.5:40000", "<sip:101@127.0.0.5:5060;transport=tcp>");
    enrol(&mut raw, ("101", source), "127.0.0.5:5060", contact);
    let (gone, there) = (raw.flow(source), raw.flow("127.0.0.5:5060"));
    raw.endpoint
        .handle_input(raw.now, Input::FlowClosed { flow: gone });
    assert_eq!(raw.drain().len(), 1);
    raw.endpoint
        .handle_input(raw.now, Input::FlowFailed { flow: there });
    assert!(
        raw.drain().is_empty(),
        "who refuses a connection is not asked again and again"
    );
    assert_eq!(raw.endpoint.counts().transactions, 0);
    assert_eq!(raw.endpoint.bindings(&operator("101")).count(), 0);
}

#[test]
fn nobody_registers_a_trunks_address_or_our_own_as_a_phone() {
    for contact in ["<sip:+39900@127.0.0.2:5070>", "<sip:800@127.0.0.1:5060>"] {
        let mut raw = Raw::new();
        let refused = enrol(&mut raw, ("101", "127.0.0.5:5060"), "127.0.0.5:5060", contact);
        assert!(
            refused.starts_with("SIP/2.0 403 Contact Is Not"),
            "{contact}: {refused}"
        );
        assert_eq!(raw.endpoint.counts().bindings, 0);
    }
}

#[test]
fn a_call_from_the_contact_of_a_binding_is_its_operators() {
    let mut settings = gateway_settings(Transport::Udp);
    settings.trunks.push(Trunk::new(
        TrunkName::new("lan").unwrap(),
        vec!["127.0.0.5/32".parse().unwrap()],
    ));
    let mut raw = Raw::with(settings);
    let contact = "<sip:101@127.0.0.5:5060>";
    enrol(&mut raw, ("101", "127.0.0.5:49152"), "127.0.0.5:5060", contact);
    for (from, id, expected) in [
        ("127.0.0.5:5060", "a", 401),
        ("127.0.0.5:49152", "b", 401),
        ("127.0.0.5:7777", "c", 100),
    ] {
        assert_eq!(raw.status(from, &invite(id)), expected, "from {from}");
    }
}

#[test]
fn presence_and_questions_follow_the_contact_too() {
    let mut settings = gateway_settings(Transport::Udp);
    settings.qualify = Some(Duration::from_secs(20));
    let mut raw = Raw::with(settings);
    let contact = "<sip:101@127.0.0.5:5060>";
    enrol(&mut raw, ("101", "127.0.0.5:49152"), "127.0.0.5:5060", contact);
    assert!(matches!(
        raw.events.last(),
        Some(Event::Binding { expires: Some(_), .. })
    ));
    let asked = raw.pass(Duration::from_secs(21));
    let options: Vec<_> = asked
        .iter()
        .filter(|(_, text)| text.starts_with("OPTIONS"))
        .collect();
    assert!(!options.is_empty() && options.iter().all(|(to, _)| to.to_string() == "127.0.0.5:5060"));
}

#[test]
fn a_restart_forgets_neither_contact_nor_flow() {
    let mut raw = Raw::new();
    let contact = "<sip:101@127.0.0.5:5060>";
    enrol(&mut raw, ("101", "127.0.0.5:49152"), "127.0.0.5:5060", contact);
    let saved = raw.endpoint.saved_bindings();
    let mut after = Raw::new();
    after.endpoint.restore_bindings(after.now, &saved);
    assert_eq!(rung(&mut after), ["127.0.0.5:5060"]);
    // What the version before this one has written.
    let old = saved
        .replace("bindings 2", "bindings 1")
        .replace(" UDP 127.0.0.1:5060 127.0.0.5:5060\n", "\n");
    let mut after = Raw::new();
    after.endpoint.restore_bindings(after.now, &old);
    assert_eq!(rung(&mut after), ["127.0.0.5:49152"]);
}

/// The gateway rings 101, who answers with this Contact; where the ACK and the BYE go.
fn talk(raw: &mut Raw, contact: &str) -> (LegId, String) {
    let to = raw
        .endpoint
        .bindings(&operator("101"))
        .next()
        .unwrap()
        .destination();
    let leg = raw
        .endpoint
        .invite(raw.now, &to, offer(), InviteOptions::default());
    let sent = raw.drain().remove(0);
    let ok = ok_to(&sent.1, "phone", &format!("Contact: {contact}\n"));
    let ack = raw.send(&sent.0.to_string(), &ok).remove(0);
    assert!(ack.1.starts_with("ACK "), "{}", ack.1);
    (leg, ack.0.to_string())
}

fn hang_up(raw: &mut Raw, leg: LegId) -> String {
    raw.endpoint.hangup(raw.now, leg, None);
    raw.drain().remove(0).0.to_string()
}

#[test]
fn the_requests_of_a_call_go_to_the_contact_of_its_answer() {
    let mut raw = Raw::new();
    enrol(
        &mut raw,
        ("101", "127.0.0.5:49152"),
        "127.0.0.5:5060",
        "<sip:101@127.0.0.5:5060>",
    );
    let (leg, ack) = talk(&mut raw, "<sip:101@127.0.0.5:5066>");
    assert_eq!(
        (ack.as_str(), hang_up(&mut raw, leg).as_str()),
        ("127.0.0.5:5066", "127.0.0.5:5066")
    );
    // An address that only the phone's own network knows leads nowhere.
    let mut raw = Raw::new();
    let source = "203.0.113.9:31000";
    enrol(
        &mut raw,
        ("101", source),
        "203.0.113.9:31000",
        "<sip:101@203.0.113.9:31000>",
    );
    let (leg, ack) = talk(&mut raw, "<sip:101@192.168.1.5:5060>");
    assert_eq!((ack.as_str(), hang_up(&mut raw, leg).as_str()), (source, source));
}

/// The names that a phone's requests within a talk carry.
struct Talk {
    ours: String,
    theirs: String,
    call_id: String,
}

/// A phone behind a NAT in a talk.
fn behind_nat(raw: &mut Raw) -> (LegId, Talk) {
    let source = "203.0.113.9:31000";
    enrol(
        raw,
        ("101", source),
        "192.168.1.5:5060;rport",
        "<sip:101@192.168.1.5:5060>",
    );
    let to = raw
        .endpoint
        .bindings(&operator("101"))
        .next()
        .unwrap()
        .destination();
    let leg = raw
        .endpoint
        .invite(raw.now, &to, offer(), InviteOptions::default());
    let invite = raw.drain().remove(0).1;
    let ok = ok_to(&invite, "phone", "Contact: <sip:101@192.168.1.5:5060>\n");
    raw.send(source, &ok);
    let talk = Talk {
        ours: header(&invite, "From").unwrap().to_owned(),
        theirs: header(&ok, "To").unwrap().to_owned(),
        call_id: header(&invite, "Call-ID").unwrap().to_owned(),
    };
    (leg, talk)
}

fn phone_says(raw: &mut Raw, from: &str, method: &str, talk: &Talk) -> u16 {
    let Talk {
        ours,
        theirs,
        call_id,
    } = talk;
    let text = format!(
        "{method} sip:127.0.0.1:5060 SIP/2.0\nVia: SIP/2.0/UDP 192.168.1.5:5060;rport;branch=z9hG4bK{method}{from}\nMax-Forwards: 70\nFrom: {theirs}\nTo: {ours}\nCall-ID: {call_id}\nCSeq: 7 {method}\nContent-Length: 0\n\n"
    );
    raw.status(from, &text)
}

fn has_moved(event: &Event) -> bool {
    matches!(event, Event::Moved { .. })
}

#[test]
fn a_nat_that_changes_the_port_in_mid_call_is_followed_and_a_stranger_is_not() {
    let mut raw = Raw::new();
    let (leg, talk) = behind_nat(&mut raw);
    // Somebody who has seen the tags, from elsewhere: answered, and not followed.
    assert_eq!(phone_says(&mut raw, "198.51.100.1:5060", "OPTIONS", &talk), 200);
    raw.endpoint.probe(raw.now, leg);
    assert_eq!(raw.drain().remove(0).0.to_string(), "203.0.113.9:31000");
    let mut raw = Raw::new();
    let (leg, talk) = behind_nat(&mut raw);
    assert_eq!(phone_says(&mut raw, "203.0.113.9:31001", "OPTIONS", &talk), 200);
    assert!(!raw.events.iter().any(has_moved), "only the port is another");
    assert_eq!(hang_up(&mut raw, leg), "203.0.113.9:31001");
}

#[test]
fn a_refresh_from_another_port_moves_the_talks_of_that_phone_and_of_no_other() {
    let mut raw = Raw::new();
    let (leg, ..) = behind_nat(&mut raw);
    // Another operator registers from the new port's neighbour: nothing moves.
    let via = "192.168.1.6:5060;rport";
    enrol(
        &mut raw,
        ("102", "203.0.113.9:32000"),
        via,
        "<sip:102@192.168.1.6:5060>",
    );
    raw.endpoint.probe(raw.now, leg);
    let probe = raw.drain().remove(0);
    assert_eq!(probe.0.to_string(), "203.0.113.9:31000");
    raw.send("203.0.113.9:31000", &response_to(&probe.1, "200 OK", "", ""));
    // The phone itself, whose NAT has started again with another address.
    let via = "192.168.1.5:5060;rport";
    enrol(
        &mut raw,
        ("101", "203.0.113.77:4000"),
        via,
        "<sip:101@192.168.1.5:5060>",
    );
    let told = raw.events.iter().filter(|event| has_moved(event));
    let told: Vec<_> = told.collect();
    assert!(
        matches!(told[..], [Event::Moved { leg: of, ip }] if *of == leg && ip.to_string() == "203.0.113.77"),
        "media has to follow: {told:?}"
    );
    assert_eq!(hang_up(&mut raw, leg), "203.0.113.77:4000");
}

#[test]
fn a_phone_that_calls_from_behind_a_nat_is_answered_over_its_flow_and_another_at_its_contact() {
    for (from, via, contact, expected) in [
        (
            "203.0.113.9:31000",
            "192.168.1.5:5060;rport",
            "<sip:101@192.168.1.5:5060>",
            "203.0.113.9:31000",
        ),
        (
            "127.0.0.5:49152",
            "127.0.0.5:5060",
            "<sip:101@127.0.0.5:5060>",
            "127.0.0.5:5060",
        ),
    ] {
        let mut raw = Raw::new();
        let text = invite("call")
            .replace("127.0.0.2:5070;branch", &format!("{via};branch"))
            .replace("sip:0612345@carrier", "sip:101@pronto")
            .replace("<sip:c@127.0.0.2:5070>", contact);
        let challenged = raw.send(from, &text).pop().unwrap().1;
        let uri = "sip:800@pronto.example";
        let proof = authorization(&challenged, "101", "secret101", "INVITE", uri);
        raw.send(
            from,
            &text
                .replace("Contact", &format!("{proof}Contact"))
                .replace("CSeq: 1", "CSeq: 2"),
        );
        let leg = raw.leg();
        raw.endpoint.answer(raw.now, leg, Bytes::from_static(ANSWER));
        let ok = raw.drain().pop().unwrap().1;
        let to = header(&ok, "To").unwrap().to_owned();
        let ack = inside("ACK", "ack", 2, "call", &to).replace("sip:0612345@carrier", "sip:101@pronto");
        raw.send(from, &ack);
        assert!(matches!(raw.events.last(), Some(Event::Acknowledged { .. })));
        assert_eq!(hang_up(&mut raw, leg), expected);
    }
}
