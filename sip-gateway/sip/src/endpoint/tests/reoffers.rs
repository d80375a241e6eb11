//! Offers of our own inside a dialog, and answers before the call is answered.

use std::time::Duration;

use super::raw::{Raw, TRUNK};
use super::world::*;
use crate::Status;
use crate::api::*;
use crate::reason::Reason;
use crate::settings::Transport;

/// The status of each outcome told of a leg.
fn outcomes(world: &World, node: usize) -> Vec<u16> {
    let told = world.events(node).into_iter().filter_map(|event| match event {
        Event::Reoffered { status, .. } => Some(status),
        _ => None,
    });
    told.collect()
}

#[test]
fn an_offer_of_ours_is_answered_acknowledged_and_told() {
    let mut world = World::new(1, Transport::Udp, FINE);
    let (caller, leg) = world.connected();
    world.at(GATEWAY, |e, now| e.reoffer(now, leg, answer()));
    world.run_ms(50);
    let offered = world
        .events(CALLER)
        .into_iter()
        .rev()
        .find_map(|event| match event {
            Event::Offer { sdp, .. } => sdp,
            _ => None,
        });
    assert_eq!(offered.as_deref(), Some(ANSWER));
    world.at(CALLER, |e, now| e.accept_offer(now, caller, offer()));
    world.run_ms(50);
    let told = world.events(GATEWAY).pop();
    assert!(
        matches!(&told, Some(Event::Reoffered { status: 200, answer: Some(sdp), .. }) if sdp == OFFER),
        "{told:?}"
    );
    assert_eq!(world.count_sent(GATEWAY, "ACK"), 1);
    // Another is refused: the call goes on as it was, and can be hung up.
    world.at(GATEWAY, |e, now| e.reoffer(now, leg, answer()));
    world.run_ms(50);
    world.at(CALLER, |e, now| {
        e.refuse_offer(now, caller, Status::NOT_ACCEPTABLE_HERE)
    });
    world.run_ms(50);
    assert_eq!(outcomes(&world, GATEWAY), [200, 488]);
    world.at(GATEWAY, |e, now| e.hangup(now, leg, None));
    world.assert_clean();
    world.assert_told_once();
}

#[test]
fn offers_that_cross_are_answered_491_and_come_again_the_callers_later() {
    for seed in 0..50 {
        let mut world = World::new(seed, Transport::Udp, FINE);
        let (caller, leg) = world.connected();
        let begun = world.now;
        world.at(GATEWAY, |e, now| e.reoffer(now, leg, answer()));
        world.at(CALLER, |e, now| e.reoffer(now, caller, offer()));
        world.run_ms(50);
        let refused = |node| world.count_sent(node, "SIP/2.0 491");
        assert_eq!((refused(GATEWAY), refused(CALLER)), (1, 1), "seed {seed}");
        assert_eq!(outcomes(&world, GATEWAY), [], "not over yet");
        // The caller made the Call-ID, and waits longer: the gateway is through first.
        let mut offers = Vec::new();
        for _ in 0..4500 {
            world.run_ms(1);
            match world.log.last() {
                Some((at, CALLER, Event::Offer { .. })) => {
                    offers.push((CALLER, at.since(begun)));
                    world.at(CALLER, |e, now| e.accept_offer(now, caller, offer()));
                    world.run_ms(20);
                }
                Some((at, GATEWAY, Event::Offer { .. })) => {
                    offers.push((GATEWAY, at.since(begun)));
                    world.at(GATEWAY, |e, now| e.accept_offer(now, leg, answer()));
                    world.run_ms(20);
                }
                _ => {}
            }
        }
        let (first, when) = offers[0];
        assert!(
            first == CALLER && when <= Duration::from_millis(2050),
            "seed {seed}: {offers:?}"
        );
        // What the gateway offered was taken meanwhile: the caller's own is another question now.
        assert_eq!(offers.len(), 1, "seed {seed}: {offers:?}");
        assert_eq!(
            (outcomes(&world, GATEWAY), outcomes(&world, CALLER)),
            (vec![200], vec![491])
        );
        world.at(CALLER, |e, now| e.reoffer(now, caller, offer()));
        world.run_ms(50);
        world.at(GATEWAY, |e, now| e.accept_offer(now, leg, answer()));
        world.run_ms(50);
        assert_eq!(outcomes(&world, CALLER), [491, 200]);
        world.at(CALLER, |e, now| e.hangup(now, caller, None));
        world.assert_clean();
        world.assert_told_once();
    }
}

#[test]
fn who_made_the_call_id_waits_two_to_four_seconds_after_a_491() {
    for seed in 0..50 {
        let mut world = World::new(seed, Transport::Udp, FINE);
        let (caller, leg) = world.connected();
        world.at(GATEWAY, |e, now| e.reoffer(now, leg, answer()));
        world.at(CALLER, |e, now| e.reoffer(now, caller, offer()));
        world.run_ms(20);
        let wait = |node: usize, leg| {
            let due = world.nodes[node].1.legs[&leg].deadline();
            // A wait of no time at all is over already.
            due.map_or(Duration::ZERO, |at| at.since(world.now))
        };
        let (ours, theirs) = (wait(CALLER, caller).as_millis(), wait(GATEWAY, leg).as_millis());
        assert!(
            (2080..=4000).contains(&ours) && theirs <= 2000,
            "seed {seed}: {ours}, {theirs}"
        );
    }
}

#[test]
fn an_offer_of_ours_waits_for_the_ack_and_for_the_end_of_the_peers_own() {
    let mut world = World::new(3, Transport::Udp, FINE);
    let (caller, leg) = world.connected();
    world.at(CALLER, |e, now| e.reoffer(now, caller, offer()));
    world.run_ms(50);
    world.at(GATEWAY, |e, now| e.reoffer(now, leg, answer()));
    world.run_ms(50);
    assert_eq!(world.count_sent(GATEWAY, "INVITE"), 0);
    world.at(GATEWAY, |e, now| {
        e.refuse_offer(now, leg, Status::NOT_ACCEPTABLE_HERE)
    });
    world.run_ms(50);
    assert_eq!(world.count_sent(GATEWAY, "INVITE"), 1);
    // Nobody takes it: without any answer the dialog is over.
    world.run(Duration::from_secs(5));
    world.at(CALLER, |e, now| {
        e.refuse_offer(now, caller, Status::NO_SUCH_DIALOG)
    });
    world.run_ms(100);
    assert_eq!(world.story(GATEWAY, leg).last(), Some(&"Ended"));
    world.assert_clean();
    world.assert_told_once();
}

#[test]
fn a_caller_hears_before_the_answer_and_is_reminded_every_minute() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut world = World::new(4, transport, FINE);
        let caller = world.dial();
        world.run_ms(100);
        let leg = world.incoming(GATEWAY).unwrap().leg;
        world.at(GATEWAY, |e, now| e.progress(now, leg, answer()));
        world.run(Duration::from_secs(605));
        assert_eq!(
            world.count_sent(GATEWAY, "SIP/2.0 183"),
            11,
            "Timer C never passes"
        );
        let heard = world.events(CALLER).into_iter().find_map(|event| match event {
            Event::Progress { status: 183, sdp, .. } => sdp,
            _ => None,
        });
        assert_eq!(heard.as_deref(), Some(ANSWER));
        world.at(GATEWAY, |e, now| e.answer(now, leg, answer()));
        world.run(Duration::from_secs(120));
        assert_eq!(
            world.count_sent(GATEWAY, "SIP/2.0 183"),
            11,
            "no more after the 200"
        );
        assert_eq!(world.story(CALLER, caller).last(), Some(&"Answered"));
        world.at(GATEWAY, |e, now| e.hangup(now, leg, None));
        world.assert_clean();
        world.assert_told_once();
    }
}

#[test]
fn a_caller_who_gives_up_unanswered_says_why_and_leaves_nothing() {
    let mut world = World::new(5, Transport::Udp, FINE);
    let caller = world.dial();
    world.run_ms(100);
    let leg = world.incoming(GATEWAY).unwrap().leg;
    world.at(GATEWAY, |e, now| e.progress(now, leg, answer()));
    world.run(Duration::from_secs(200));
    world.at(CALLER, |e, now| {
        e.hangup(now, caller, Some(Reason::completed_elsewhere()))
    });
    world.run_ms(100);
    let told = world.events(GATEWAY).pop();
    assert!(
        matches!(&told, Some(Event::Cancelled { reason: Some(reason), .. }) if reason.cause == 200),
        "{told:?}"
    );
    world.run(Duration::from_secs(64));
    assert_eq!(world.count_sent(GATEWAY, "SIP/2.0 183"), 4);
    world.assert_clean();
    world.assert_told_once();
}

/// A response to a request of ours.
fn reply(request: &str, status: &str, sdp: &str) -> String {
    let echoed = request.lines().filter(|line| {
        let fields = ["Via: ", "From: ", "To: ", "Call-ID: ", "CSeq: "];
        fields.iter().any(|field| line.starts_with(field))
    });
    let head: String = echoed.map(|line| format!("{line}\n")).collect();
    let length = sdp.replace('\n', "\r\n").len();
    format!(
        "SIP/2.0 {status}\n{head}Contact: <sip:c@127.0.0.2:5070>\nContent-Type: application/sdp\n\
         Content-Length: {length}\n\n{sdp}"
    )
}

#[test]
fn an_offer_of_ours_that_somebody_is_at_for_too_long_is_cancelled_and_the_call_goes_on() {
    let sdp = String::from_utf8_lossy(ANSWER).replace("\r\n", "\n");
    // What the peer makes of the CANCEL: it stops, it was too late, or nothing.
    let ends = [
        (Some(("487 Request Terminated", "")), 487),
        (Some(("200 OK", sdp.as_str())), 200),
        (None, 408),
    ];
    for (end, told) in ends {
        let mut raw = Raw::new();
        raw.call();
        let leg = raw.leg();
        raw.endpoint.reoffer(raw.now, leg, answer());
        let (_, invite) = raw.drain().remove(0);
        raw.send(TRUNK, &reply(&invite, "100 Trying", ""));
        let sent = raw.pass(Duration::from_secs(200));
        assert_eq!(sent.len(), 1, "{sent:?}");
        assert!(sent[0].1.starts_with("CANCEL "), "{sent:?}");
        if let Some((status, sdp)) = end {
            raw.send(TRUNK, &reply(&sent[0].1, "200 OK", ""));
            let acked = raw.send(TRUNK, &reply(&invite, status, sdp));
            assert!(acked[0].1.starts_with("ACK "), "{acked:?}");
        }
        let sent = raw.pass(Duration::from_secs(33));
        assert!(!sent.iter().any(|(_, text)| text.starts_with("BYE ")), "{sent:?}");
        let last = raw.events.last();
        assert!(
            matches!(last, Some(Event::Reoffered { status, answer, .. })
                if *status == told && answer.is_some() == (told == 200)),
            "{last:?}"
        );
        // Others may be made.
        raw.endpoint.reoffer(raw.now, leg, answer());
        assert!(raw.drain()[0].1.starts_with("INVITE "));
    }
}

#[test]
fn an_offer_of_ours_that_nobody_answers_at_all_is_the_end_of_the_call() {
    let mut raw = Raw::new();
    raw.call();
    let leg = raw.leg();
    raw.endpoint.reoffer(raw.now, leg, answer());
    let sent = raw.pass(Duration::from_secs(32));
    assert!(sent.iter().any(|(_, text)| text.starts_with("BYE ")), "{sent:?}");
    let last = raw.events.last();
    assert!(
        matches!(
            last,
            Some(Event::Ended {
                by: EndedBy::Lost { status: 408 },
                ..
            })
        ),
        "{last:?}"
    );
}
