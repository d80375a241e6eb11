//! `pronto trace` of calls that were really made.

use std::process::Command;
use std::time::Instant;

use crate::kit::centre::{Centre, Plan, STRAIGHT};
use crate::kit::g711::Law;
use crate::kit::ground::{CALLER, PHONE, STRANGER};
use crate::kit::phone::{PATIENCE, Phone};
use crate::kit::rtp::{RtpEndpoint, Sound};

/// The second column of the last line that has it.
fn newest(list: &str, with: &str) -> String {
    let line = list.lines().rfind(|line| line.contains(with));
    let line = line.unwrap_or_else(|| panic!("no {with} in\n{list}"));
    line.split_whitespace().nth(2).expect("a third word").to_owned()
}

#[test]
fn a_call_with_both_its_legs_is_drawn_and_captured_and_nobody_is_named_unasked() {
    let centre = Centre::open(&Plan::default());
    let mut operator = centre.operator("101", 0);
    let mut caller = centre.caller(0);
    let (rtp, desk) = (
        RtpEndpoint::open(centre.ip(CALLER)),
        RtpEndpoint::open(centre.ip(PHONE)),
    );
    let mut call = caller.call(STRAIGHT, &rtp, Law::A);
    let ringing = operator.rung(PATIENCE).expect("the operator is offered the call");
    desk.say(Sound::Tone(900.0));
    let answered: Instant = operator.answer(&ringing, &desk);
    assert!(rtp.wait_for_tone(900.0, answered, PATIENCE).is_some());
    assert!(caller.hang_up(&mut call));
    assert!(operator.hung_up_by_them(&ringing, PATIENCE).is_some());
    // Somebody whom nobody knows.
    let mut stranger = Phone::open("mallory", centre.ip(STRANGER), centre.sip());
    let mut refused = stranger.invite(STRAIGHT, &rtp, &[Law::A]);
    let answer = stranger.final_response(&mut refused, PATIENCE);
    assert!(answer.is_some(), "a stranger is answered");

    let list = centre.trace(&[]).expect("the list");
    let id = newest(&list, "caller, operator 101");
    assert!(list.contains("1 call, 1 INVITE that became none"), "{list}");
    let attempt = newest(&list, "attempts/");
    let drawn = centre.trace(&[&attempt]).expect("an attempt");
    assert!(drawn.contains("◀── 401 "), "{drawn}");

    let drawn = centre.trace(&[&id]).expect("the ladder");
    println!("{list}\n{drawn}");
    for rung in [
        "│── INVITE, SDP ───────────────▶│                               │\n",
        "│◀── 200 OK, SDP ───────────────│",
        "│                               │── INVITE, SDP ───────────────▶│ 101\n",
        "│                               │◀── 200 OK, SDP ───────────────│ 101\n",
        "│── BYE ───────────────────────▶│",
        "│                               │── BYE ───────────────────────▶│ 101\n",
        "│                               │◀── 200 OK (BYE) ──────────────│ 101\n",
    ] {
        assert!(drawn.contains(rung), "{rung} in\n{drawn}");
    }
    let user = String::from("sip:3905500000@");
    let (hidden, full) = (
        centre.trace(&[&id, "--messages"]).expect("redacted"),
        centre.trace(&[&id, "--messages", "--numbers"]).expect("in full"),
    );
    assert!(full.contains(user.as_str()), "{user} in\n{full}");
    assert!(!hidden.contains(user.as_str()), "{user} in\n{hidden}");
    assert!(
        hidden.contains(&format!("INVITE sip:{STRAIGHT}@")),
        "what was dialled stays"
    );

    captured(&centre, &id, drawn.matches(['▶', '◀']).count());
    let absent = centre.trace(&["0000000000000000"]).expect_err("no such call");
    assert!(
        absent.contains("holds no trace of `0000000000000000`: of 1 call it holds"),
        "{absent}"
    );
    centre.close();
}

#[test]
fn every_call_is_traced_by_the_name_it_is_listed_under() {
    let mut centre = Centre::open(&Plan::default());
    let mut caller = centre.caller(0);
    let rtp = RtpEndpoint::open(centre.ip(CALLER));
    for count in 1..=3 {
        let mut call = caller.call(STRAIGHT, &rtp, Law::A);
        assert!(caller.hang_up(&mut call));
        centre.until("the call is listed", |centre| {
            centre
                .calls(&["--json"])
                .iter()
                .filter(|line| !line.contains("\"ended\":null"))
                .count()
                == count
        });
    }
    let listed = centre.calls(&[]);
    let names: Vec<&str> = listed[1..4]
        .iter()
        .filter_map(|line| line.split_whitespace().nth(2))
        .collect();
    for name in &names {
        for asked in [*name, &name[10..]] {
            let drawn = centre
                .trace(&[asked])
                .unwrap_or_else(|error| panic!("{asked}: {error}"));
            assert!(
                drawn.starts_with(&format!("call {name}, began ")),
                "{asked}:\n{drawn}"
            );
        }
    }
    // What they share names none of them.
    let error = centre.trace(&[&names[0][..8]]).expect_err("three calls begin so");
    assert!(names.iter().all(|name| error.contains(name)), "{error}");
    centre.close();
}

/// The capture of a call is one that Debian's tcpdump reads, a good packet for each message.
fn captured(centre: &Centre, id: &str, messages: usize) {
    let file = centre.ground.directory().join("call.pcap");
    let said = centre.trace(&[id, "--pcap", file.to_str().expect("a path")]);
    assert!(said.is_ok_and(|said| said.starts_with(&format!("{messages} messages of"))));
    let read = Command::new("tcpdump")
        .args(["-vv", "-n", "-r"])
        .arg(&file)
        .output()
        .expect("tcpdump is installed: tests/run does it");
    let text = String::from_utf8_lossy(&read.stdout);
    let packets = text.matches("udp sum ok").count();
    assert!(
        read.status.success() && packets == messages,
        "{packets} of {messages}\n{text}"
    );
    assert!(
        text.contains("INVITE sip:") && !text.contains("bad udp"),
        "{text}"
    );
}
