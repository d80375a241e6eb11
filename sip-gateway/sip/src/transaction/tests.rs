use std::time::Duration;

use pronto_types::Time;

use super::client::Client;
use super::client_invite::{Act, ClientInvite};
use super::server::Server;
use super::server_invite::ServerInvite;

fn at(millis: u64) -> Time {
    Time::ZERO + Duration::from_millis(millis)
}

/// When a machine acts, in milliseconds, until it has no deadline left.
fn acts<M>(
    machine: &mut M,
    deadline: impl Fn(&M) -> Option<Time>,
    mut timeout: impl FnMut(&mut M, Time) -> &'static str,
) -> Vec<(u64, &'static str)> {
    let mut seen = Vec::new();
    while let Some(now) = deadline(machine) {
        seen.push((now.since(Time::ZERO).as_millis() as u64, timeout(machine, now)));
    }
    seen
}

fn named(act: Act) -> &'static str {
    match act {
        Act::Resend => "resend",
        Act::TimedOut => "timed out",
        _ => "-",
    }
}

#[test]
fn an_unanswered_invite_follows_timers_a_and_b() {
    let mut machine = ClientInvite::new(at(0), false);
    let seen = acts(&mut machine, ClientInvite::deadline, |m, now| {
        named(m.timeout(now))
    });
    let expected = [500, 1500, 3500, 7500, 15500, 31500].map(|t| (t, "resend"));
    assert_eq!(seen[..6], expected);
    assert_eq!(seen[6..], [(32000, "timed out")]);
    let mut machine = ClientInvite::new(at(0), true);
    let seen = acts(&mut machine, ClientInvite::deadline, |m, now| {
        named(m.timeout(now))
    });
    assert_eq!(seen, [(32000, "timed out")]);
}

#[test]
fn an_invite_that_rings_waits_for_timer_c_and_each_ring_renews_it() {
    let mut machine = ClientInvite::new(at(0), false);
    assert_eq!(machine.response(at(10), false, 100), Act::Deliver);
    assert_eq!(machine.response(at(60_000), false, 180), Act::Deliver);
    assert_eq!(machine.deadline(), Some(at(260_000)));
    assert_eq!(machine.timeout(at(260_000)), Act::TimedOut);
    // It is told to stop, and what it says to that is acknowledged for 64*T1.
    let mut silent = machine;
    assert_eq!(machine.response(at(261_000), false, 487), Act::AckAndDeliver);
    assert_eq!(silent.timeout(at(292_000)), Act::TimedOut);
    assert_eq!(silent, ClientInvite::Gone);
}

#[test]
fn a_re_invite_whose_dialog_is_over_rings_no_longer_and_is_still_acknowledged() {
    let mut machine = ClientInvite::new(at(0), false);
    machine.response(at(10), false, 100);
    machine.orphan(at(1000));
    assert_eq!(machine.response(at(2000), false, 180), Act::Nothing);
    assert_eq!(machine.deadline(), Some(at(33_000)));
    assert_eq!(machine.response(at(3000), false, 487), Act::AckAndDeliver);
    assert_eq!(machine.deadline(), Some(at(35_000)), "Timer D");
}

#[test]
fn final_answers_to_an_invite_are_delivered_acknowledged_and_absorbed() {
    let mut machine = ClientInvite::new(at(0), false);
    assert_eq!(machine.response(at(10), false, 486), Act::AckAndDeliver);
    assert_eq!(machine.response(at(20), false, 486), Act::Ack);
    assert_eq!(machine.response(at(30), false, 200), Act::Nothing);
    assert_eq!(machine.deadline(), Some(at(32_010)), "Timer D");
    let mut machine = ClientInvite::new(at(0), true);
    assert_eq!(machine.response(at(10), true, 486), Act::AckAndDeliver);
    assert_eq!(
        machine,
        ClientInvite::Gone,
        "Timer D is zero over a reliable transport"
    );
    let mut machine = ClientInvite::new(at(0), false);
    assert_eq!(machine.response(at(10), false, 200), Act::Deliver);
    assert_eq!(
        machine.response(at(20), false, 200),
        Act::Deliver,
        "RFC 6026: the owner acknowledges each"
    );
    assert_eq!(machine.response(at(30), false, 486), Act::Nothing);
    assert_eq!(machine.timeout(at(32_010)), Act::Nothing);
    assert_eq!(machine, ClientInvite::Gone, "Timer M");
}

#[test]
fn an_unanswered_request_follows_timers_e_and_f() {
    let mut machine = Client::new(at(0), false);
    let seen = acts(&mut machine, Client::deadline, |m, now| named(m.timeout(now)));
    let expected = [500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500].map(|t| (t, "resend"));
    assert_eq!(seen[..10], expected);
    assert_eq!(seen[10..], [(32000, "timed out")]);
}

#[test]
fn a_provisional_answer_slows_timer_e_and_a_final_one_starts_timer_k() {
    let mut machine = Client::new(at(0), false);
    assert_eq!(machine.response(at(100), false, 100), Act::Deliver);
    assert_eq!(machine.timeout(at(500)), Act::Resend);
    assert_eq!(machine.deadline(), Some(at(4500)), "T2");
    assert_eq!(machine.response(at(600), false, 200), Act::Deliver);
    assert_eq!(machine.response(at(700), false, 200), Act::Nothing);
    assert_eq!(machine.deadline(), Some(at(5600)), "T4");
    assert_eq!(machine.timeout(at(5600)), Act::Nothing);
    assert_eq!(machine, Client::Gone);
}

#[test]
fn a_refused_invite_follows_timers_g_and_h_until_its_ack() {
    let mut machine = ServerInvite::Proceeding { trying: None };
    machine.respond(at(0), false, 486);
    let seen = acts(&mut machine, ServerInvite::deadline, |m, now| {
        if m.timeout(now) { "resend" } else { "-" }
    });
    let times: Vec<u64> = seen.iter().map(|(t, _)| *t).collect();
    assert_eq!(
        times,
        [
            500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500, 32000
        ]
    );
    let mut machine = ServerInvite::Proceeding { trying: None };
    machine.respond(at(0), false, 486);
    assert!(machine.ack(at(100), false) && machine.ack(at(200), false));
    assert_eq!(machine.deadline(), Some(at(5100)), "Timer I");
    assert!(!machine.timeout(at(5100)));
    assert_eq!(machine, ServerInvite::Gone);
    let mut machine = ServerInvite::Proceeding { trying: None };
    machine.respond(at(0), true, 486);
    assert_eq!(machine.deadline(), Some(at(32_000)), "Timer H also runs over TCP");
    assert!(machine.ack(at(100), true));
    assert_eq!(machine, ServerInvite::Gone);
}

#[test]
fn a_100_is_said_within_200_ms_and_only_where_nothing_better_is() {
    let mut machine = ServerInvite::Proceeding { trying: None };
    machine.try_later(at(150));
    assert!(
        machine.is_resent_on_request(),
        "the INVITE once more asks for it at once"
    );
    assert_eq!(machine.deadline(), Some(at(150)));
    assert!(!machine.timeout(at(149)));
    assert!(machine.timeout(at(150)) && !machine.timeout(at(150)), "once");
    assert_eq!((machine.is_pending(), machine.deadline()), (true, None));
    for status in [180, 183, 200, 486] {
        let mut machine = ServerInvite::Proceeding { trying: None };
        machine.try_later(at(150));
        machine.respond(at(10), false, status);
        let said = machine.timeout(at(200));
        assert!(!said, "a 100 after {status}");
        machine.try_later(at(300));
        assert_eq!(machine.is_pending(), status < 200, "{status} stands");
    }
}

#[test]
fn an_accepted_invite_absorbs_its_repetitions_until_timer_l() {
    let mut machine = ServerInvite::Proceeding { trying: None };
    assert!(machine.is_resent_on_request());
    machine.respond(at(0), false, 180);
    assert!(machine.is_pending());
    machine.respond(at(0), false, 200);
    assert!(!machine.is_resent_on_request() && !machine.ack(at(10), false));
    machine.respond(at(20), false, 486);
    assert_eq!(
        machine,
        ServerInvite::Accepted { until: at(32_000) },
        "a second final answer changes nothing"
    );
}

#[test]
fn an_answered_request_is_absorbed_until_timer_j() {
    let mut machine = Server::Trying;
    assert!(!machine.is_resent_on_request());
    machine.respond(at(0), false);
    assert!(machine.is_resent_on_request());
    machine.timeout(at(31_999));
    assert_ne!(machine, Server::Gone);
    machine.timeout(at(32_000));
    assert_eq!(machine, Server::Gone);
    let mut machine = Server::Trying;
    machine.respond(at(0), true);
    assert_eq!(machine, Server::Gone);
}
