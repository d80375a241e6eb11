//! Contacts in a REGISTER (RFC 3261 §10.3), as phones and others write them.

use std::time::Duration;

use super::raw::*;
use super::world::operator;
use crate::api::*;

const URI: &str = "sip:pronto.example";

/// A REGISTER of 101 with these lines, under a Call-ID and from a number on; what is answered once it is proven.
fn register(raw: &mut Raw, call_id: &str, cseq: u32, lines: &str) -> String {
    let text = request("REGISTER", URI, call_id, cseq, "")
        .replace("To: <sip:800", "To: <sip:101")
        .replace("Contact: <sip:c@127.0.0.2:5070>\n", lines)
        .replace(&format!("{call_id}REGISTER"), &format!("{call_id}REGISTER{cseq}"));
    let answer = raw.send(STRANGER, &text).pop().unwrap().1;
    if status(&answer) != 401 {
        return answer;
    }
    let proof = authorization(&answer, "101", "secret101", "REGISTER", URI);
    let text = text.replace("Max-Forwards", &format!("{proof}Max-Forwards"));
    raw.send(STRANGER, &text).pop().unwrap().1
}

/// The Contacts of an answer, without `Contact: `.
fn told(answer: &str) -> Vec<&str> {
    answer
        .lines()
        .filter_map(|line| line.strip_prefix("Contact: "))
        .collect()
}

/// Where 101 is called, in this order.
fn rung(raw: &Raw) -> Vec<String> {
    let called = operator("101");
    let bindings = raw.endpoint.bindings(&called);
    bindings
        .map(|b| String::from_utf8_lossy(&b.contact).into_owned())
        .collect()
}

#[test]
fn several_contacts_are_bound_told_back_and_called_the_preferred_first() {
    let mut raw = Raw::new();
    let answer = register(
        &mut raw,
        "a",
        1,
        "Contact: <sip:low@10.0.0.1>;q=0.1, \"Desk, left\" <sip:desk@10.0.0.2>;q=0.75\nm: sip:mobile@10.0.0.3\n",
    );
    assert_eq!(
        told(&answer),
        [
            "<sip:mobile@10.0.0.3>;expires=300",
            "<sip:desk@10.0.0.2>;expires=300;q=0.750",
            "<sip:low@10.0.0.1>;expires=300;q=0.100",
        ]
    );
    let order = ["sip:mobile@10.0.0.3", "sip:desk@10.0.0.2", "sip:low@10.0.0.1"];
    assert_eq!(rung(&raw), order);
    // Another phone, as dear as the dearest and newer; then one that costs less than any.
    raw.pass(Duration::from_secs(1));
    register(&mut raw, "b", 1, "Contact: <sip:new@10.0.0.4>\n");
    register(&mut raw, "c", 1, "Contact: <sip:last@10.0.0.5>;q=0\n");
    let order = [&["sip:new@10.0.0.4"], &order[..], &["sip:last@10.0.0.5"]].concat();
    assert_eq!(rung(&raw), order);
    // One changes its mind: it is the same phone.
    register(&mut raw, "a", 2, "Contact: <sip:low@10.0.0.1>;q=0.9\n");
    assert_eq!(rung(&raw)[2], "sip:low@10.0.0.1");
    assert_eq!(rung(&raw).len(), 5);
}

#[test]
fn a_register_without_contact_tells_and_changes_nothing() {
    let mut raw = Raw::new();
    assert_eq!(
        told(&register(&mut raw, "f", 1, "Expires: 60\n")),
        Vec::<&str>::new()
    );
    register(&mut raw, "f", 2, "Contact: <sip:a@10.0.0.1>\n");
    raw.pass(Duration::from_secs(100));
    let answer = register(&mut raw, "f", 3, "Expires: 60\n");
    assert_eq!(told(&answer), ["<sip:a@10.0.0.1>;expires=200"]);
    let bindings = |e: &&Event| matches!(e, Event::Binding { .. });
    assert_eq!(raw.events.iter().filter(bindings).count(), 1, "told once");
}

#[test]
fn a_star_takes_everything_of_the_operator_away_whoever_bound_it() {
    let mut raw = Raw::new();
    register(
        &mut raw,
        "a",
        1,
        "Contact: <sip:a@10.0.0.1>, <sip:b@10.0.0.2>;q=0.5\n",
    );
    register(&mut raw, "b", 1, "Contact: <sip:c@10.0.0.3>\n");
    let answer = register(&mut raw, "c", 1, "Contact: *\nExpires: 0\n");
    assert_eq!((status(&answer), told(&answer)), (200, vec![]));
    assert_eq!((rung(&raw), raw.endpoint.counts().bindings), (vec![], 0));
    assert!(matches!(
        raw.events.last(),
        Some(Event::Binding { expires: None, .. })
    ));
    raw.pass(Duration::from_secs(400));
    assert_eq!(raw.endpoint.counts().transactions, 0);
}

#[test]
fn a_star_stands_alone_and_for_no_lifetime() {
    for lines in [
        "Contact: *\n",
        "Contact: *\nExpires: 60\n",
        "Contact: *\nExpires: x\n",
        "Contact: *, *\nExpires: 0\n",
        "Contact: *, <sip:a@10.0.0.1>\nExpires: 0\n",
        "Contact: <sip:a@10.0.0.1>\nContact: *\nExpires: 0\n",
        "Contact: *;expires=0\nExpires: 0\n",
        "Contact: <*>\nExpires: 0\n",
        "Contact: \"*\"\nExpires: 0\n",
    ] {
        let mut raw = Raw::new();
        register(&mut raw, "a", 1, "Contact: <sip:a@10.0.0.1>\n");
        assert_eq!(status(&register(&mut raw, "b", 1, lines)), 400, "{lines}");
        assert_eq!(rung(&raw), ["sip:a@10.0.0.1"], "{lines}");
    }
    // Where it is not of a REGISTER, no star is a Contact.
    let mut raw = Raw::new();
    let text = invite("s").replace("<sip:c@127.0.0.2:5070>", "*");
    assert_eq!(raw.status(TRUNK, &text), 400);
}

#[test]
fn each_contact_lives_as_long_as_it_says_else_as_expires_says_within_what_we_allow() {
    for (lines, seconds) in [
        ("Contact: <sip:a@10.0.0.1>;expires=60\nExpires: 90\n", 60),
        ("Expires: 90\nContact: <sip:a@10.0.0.1>\n", 90),
        ("Contact: <sip:a@10.0.0.1>\n", 300),
        (
            "Contact: <sip:a@10.0.0.1>;expires=36893488147419103232\nExpires: 60\n",
            3600,
        ),
        ("Contact: <sip:a@10.0.0.1>\nExpires: 4294967296\n", 3600),
        // Malformed values count as 3600 (§20.10), or as not there.
        ("Contact: <sip:a@10.0.0.1>;expires=soon\n", 300),
        ("Contact: <sip:a@10.0.0.1>;expires=-1\n", 300),
    ] {
        let mut raw = Raw::new();
        let answer = register(&mut raw, "e", 1, lines);
        let expected = format!("<sip:a@10.0.0.1>;expires={seconds}");
        assert_eq!(told(&answer), [expected.as_str()], "{lines}");
    }
}

#[test]
fn one_contact_too_brief_is_all_of_it_refused_and_a_zero_takes_away_what_is_there() {
    let mut raw = Raw::new();
    let lines = "Contact: <sip:a@10.0.0.1>, <sip:b@10.0.0.2>;expires=3\n";
    let answer = register(&mut raw, "a", 1, lines);
    assert_eq!(
        (status(&answer), header(&answer, "Min-Expires")),
        (423, Some("30"))
    );
    assert_eq!(rung(&raw), Vec::<String>::new());
    register(
        &mut raw,
        "a",
        2,
        "Contact: <sip:a@10.0.0.1>, <sip:b@10.0.0.2>, <sip:c@10.0.0.3>\n",
    );
    let lines = "Contact: <sip:b@10.0.0.2>;expires=0, <sip:nobody@10.0.0.9>;expires=0\n";
    assert_eq!(told(&register(&mut raw, "a", 3, lines)).len(), 2);
    let lines = "Contact: <sip:a@10.0.0.1>;expires=60, <sip:c@10.0.0.3>\nExpires: 0\n";
    let answer = register(&mut raw, "a", 4, lines);
    assert_eq!(told(&answer), ["<sip:a@10.0.0.1>;expires=60"]);
}

#[test]
fn what_a_contact_is_compared_by_are_the_rules_for_uris() {
    let mut raw = Raw::new();
    register(
        &mut raw,
        "a",
        1,
        "Contact: <sip:%61@Phone.Example;transport=TCP;ob>\n",
    );
    let same = "Contact: <sip:a@phone.example;Transport=tcp;x=1>\n";
    assert_eq!(
        told(&register(&mut raw, "a", 2, same)),
        ["<sip:a@phone.example;Transport=tcp;x=1>;expires=300"]
    );
    let other = "Contact: <sip:A@phone.example;transport=tcp>, <sip:a@phone.example>\n";
    assert_eq!(told(&register(&mut raw, "a", 3, other)).len(), 3);
    // One Contact named twice in one request is one binding: the later word counts.
    let answer = register(
        &mut raw,
        "b",
        1,
        "Contact: <sip:t@10.0.0.1>;q=0.1, <sip:t@10.0.0.1>;q=0.2\n",
    );
    let twice: Vec<&str> = told(&answer)
        .into_iter()
        .filter(|c| c.contains("sip:t@"))
        .collect();
    assert_eq!(twice, ["<sip:t@10.0.0.1>;expires=300;q=0.200"]);
}

#[test]
fn an_older_register_of_one_phone_does_not_undo_a_newer() {
    let mut raw = Raw::new();
    assert_eq!(
        status(&register(&mut raw, "a", 10, "Contact: <sip:a@10.0.0.1>\n")),
        200
    );
    for lines in [
        "Contact: <sip:a@10.0.0.1>;expires=0\n",
        "Contact: *\nExpires: 0\n",
        "Contact: <sip:b@10.0.0.2>, <sip:a@10.0.0.1>;q=0.1\n",
    ] {
        assert_eq!(status(&register(&mut raw, "a", 5, lines)), 500, "{lines}");
        assert_eq!(rung(&raw), ["sip:a@10.0.0.1"], "{lines}");
    }
    // Another Call-ID is another count: a phone that was restarted.
    let answer = register(&mut raw, "b", 1, "Contact: <sip:a@10.0.0.1>;q=0.5\n");
    assert_eq!(told(&answer), ["<sip:a@10.0.0.1>;expires=300;q=0.500"]);
}

#[test]
fn more_contacts_than_a_request_may_hold_are_refused_and_more_than_an_operator_may_have_make_room() {
    let mut raw = Raw::new();
    let many = |from: usize, to: usize| {
        let lines = (from..to).map(|n| format!("Contact: <sip:p{n}@10.0.0.1>\n"));
        lines.collect::<String>()
    };
    assert_eq!(status(&register(&mut raw, "a", 1, &many(0, 33))), 513);
    assert_eq!(rung(&raw), Vec::<String>::new());
    let most = crate::Limits::default().bindings_per_operator;
    for number in 0..=most {
        raw.pass(Duration::from_secs(1));
        register(&mut raw, &format!("b{number}"), 1, &many(number, number + 1));
    }
    let there = rung(&raw);
    assert_eq!(there.len(), most);
    assert!(!there.contains(&"sip:p0@10.0.0.1".to_owned()), "{there:?}");
}

#[test]
fn contacts_that_are_none_are_malformed() {
    for contact in [
        "sip:a@b@c",
        "<sip:a@10.0.0.1",
        "\"A <sip:a@10.0.0.1>",
        "<sip:a@10.0.0.1>;q=",
        "<sip:a@10.0.0.1>;q=1.1",
        "<sip:a@10.0.0.1>;q=0.1234",
        "<sip:a@10.0.0.1:port>",
        "<>",
        "*x",
    ] {
        let mut raw = Raw::new();
        let answer = register(&mut raw, "m", 1, &format!("Contact: {contact}\n"));
        assert_eq!(status(&answer), 400, "{contact}");
    }
}

#[test]
fn an_instance_has_a_binding_for_each_of_its_flows_and_one_without_outbound_is_known_by_its_uri() {
    let mut raw = Raw::new();
    let of = |host: &str, flow: u32| {
        format!("Supported: outbound\nContact: <sip:a@{host}>;+sip.instance=\"<urn:uuid:1>\";reg-id={flow}\n")
    };
    register(&mut raw, "a", 1, &of("10.0.0.1", 1));
    register(&mut raw, "b", 1, &of("10.0.0.2", 2));
    assert_eq!(rung(&raw).len(), 2);
    register(&mut raw, "c", 1, &of("10.0.0.3", 1));
    assert_eq!(rung(&raw).len(), 2, "the first flow has moved");
    assert!(!rung(&raw).contains(&"sip:a@10.0.0.1".to_owned()));
    // "…reg-id … 0 … MUST" not be: no outbound binding, the URI counts.
    let answer = register(&mut raw, "d", 1, &of("10.0.0.4", 0));
    assert_eq!((status(&answer), header(&answer, "Require")), (200, None));
    assert_eq!(rung(&raw).len(), 3);
    // Behind a proxy that does not mark its Path no flow can be kept.
    let through = "Path: <sip:edge.example;lr>\n".to_owned() + &of("10.0.0.5", 3);
    let text = through.replace(
        "Supported",
        "Via: SIP/2.0/UDP 10.9.9.9;branch=z9hG4bKfar\nSupported",
    );
    let answer = register(&mut raw, "e", 1, &text);
    assert_eq!((status(&answer), header(&answer, "Require")), (200, None));
}

#[test]
fn a_contact_that_is_no_sip_address_is_refused_wherever_it_stands() {
    for contact in [
        "<mailto:a@b.example>",
        "<tel:+39061>",
        "<http://b.example/>",
        "mailto:a@b.example",
    ] {
        let mut raw = Raw::new();
        let text = invite("odd").replace("<sip:c@127.0.0.2:5070>", contact);
        let refused = raw.send(TRUNK, &text).pop().unwrap().1;
        assert!(
            refused.starts_with("SIP/2.0 400 Contact Is Not A SIP URI"),
            "{refused}"
        );
        let text = request("REGISTER", "sip:pronto.example", "reg", 1, "")
            .replace("To: <sip:800", "To: <sip:101")
            .replace(
                "<sip:c@127.0.0.2:5070>",
                &format!("<sip:101@127.0.0.2>, {contact}"),
            );
        let refused = raw.send(TRUNK, &text).pop().unwrap().1;
        assert!(
            refused.starts_with("SIP/2.0 400 Contact Is Not A SIP URI"),
            "{refused}"
        );
        // In a 200: acknowledged where the INVITE went, and ended, for no request could ever be sent there.
        let (leg, invite) = ring_phone(&mut raw);
        let sent = raw.send(TRUNK, &ok_to(&invite, "p", &format!("Contact: {contact}\n")));
        let starts: Vec<&str> = sent
            .iter()
            .map(|(_, text)| text.split(' ').next().unwrap())
            .collect();
        assert_eq!(starts, ["ACK", "BYE"], "{contact}");
        for (to, text) in &sent {
            assert_eq!(to.to_string(), TRUNK);
            assert!(text.contains(" sip:101@127.0.0.2:5070 SIP/2.0"), "{text}");
        }
        assert!(sent[1].1.contains("Reason: SIP;cause=400"), "{}", sent[1].1);
        assert!(matches!(raw.events.last(), Some(Event::Refused { leg: of, local: true, .. }) if *of == leg));
        let to = raw.call();
        let update = with_lines(
            &inside("UPDATE", "u", 2, "call", &to),
            &format!("Contact: {contact}\n"),
        );
        assert_eq!(raw.status(TRUNK, &update), 400);
        assert_eq!(raw.status(TRUNK, &inside("BYE", "b", 3, "call", &to)), 200);
    }
}
