//! SIPp's verdict on the signalling: scenarios of `tests/sipp`, over UDP and TCP.

use std::time::Duration;

use crate::kit::centre::{Centre, ITALIAN, PASSWORD, Plan, STRAIGHT};
use crate::kit::g711::Law;
use crate::kit::ground::{CALLER, PHONE, STRANGER};
use crate::kit::phone::PATIENCE;
use crate::kit::rtp::RtpEndpoint;
use crate::kit::sipp::{Scenario, Sipp, Transport};

const LIMIT: Duration = Duration::from_secs(20);
/// Time limit of a SIPp run, its own timeout included.
const RUN: Duration = Duration::from_secs(30);

/// A SIPp at an address, over a transport.
struct Caller<'a> {
    centre: &'a Centre,
    transport: Transport,
    host: u8,
}

impl Caller<'_> {
    /// Places calls to a number, one after the other, by a scenario.
    fn run(&self, name: &str, service: &str, calls: u32) -> Sipp {
        let Caller {
            centre,
            transport,
            host,
        } = *self;
        let scenario = Scenario {
            name,
            transport,
            local: (centre.ip(host), 0),
            server: centre.sip(),
            service,
            calls,
            login: None,
            hold: Duration::from_millis(500),
            timeout: LIMIT,
            more: &[],
        };
        scenario.start(
            &centre
                .ground
                .subdirectory(&format!("{name}-{transport:?}-{host}")),
        )
    }
}

/// A SIPp with the address `host`.
fn caller(centre: &Centre, transport: Transport, host: u8) -> Caller<'_> {
    Caller {
        centre,
        transport,
        host,
    }
}

/// A SIPp that registers as `operator` and then behaves as the scenario says. Phones are on UDP: SIPp's connection
/// would end with its registration.
fn operator(centre: &Centre, id: &str, scenario: &str, calls: u32) -> Sipp {
    let phone = |name, calls, service| Scenario {
        name,
        transport: Transport::Udp,
        local: (centre.ip(PHONE), 5062),
        server: centre.sip(),
        service,
        calls,
        login: Some((id, PASSWORD)),
        hold: Duration::ZERO,
        timeout: LIMIT,
        more: &[],
    };
    phone("register", 1, id)
        .start(&centre.ground.subdirectory(&format!("register-{id}")))
        .succeeds(RUN);
    phone(scenario, calls, id).start(&centre.ground.subdirectory(&format!("{scenario}-{id}")))
}

fn refusal(name: &str, host: u8, number: &str) {
    let centre = Centre::open(&Plan::default());
    for transport in [Transport::Udp, Transport::Tcp] {
        caller(&centre, transport, host)
            .run(name, number, 5)
            .succeeds(RUN);
    }
    centre.close();
}

#[test]
fn an_unknown_number_is_404() {
    refusal("unknown_number", CALLER, "999");
}

#[test]
fn a_stranger_is_challenged_for_a_known_number_and_for_an_unknown_one() {
    refusal("stranger", STRANGER, ITALIAN);
    refusal("stranger", STRANGER, "999");
}

#[test]
fn an_offer_without_a_common_codec_is_488() {
    refusal("codec_mismatch", CALLER, ITALIAN);
}

#[test]
fn a_cancelled_invite_ends_once_and_cleanly() {
    refusal("cancelled", CALLER, ITALIAN);
}

/// Fifty times, the CANCEL a little later each time: whoever wins, there is one final response and nothing is left.
#[test]
fn a_cancel_that_races_the_answer_leaves_one_final_response() {
    let centre = Centre::open(&Plan::default());
    let mut caller = centre.caller(0);
    let rtp = RtpEndpoint::open(centre.ip(CALLER));
    for race in 0..50 {
        let mut call = caller.invite(STRAIGHT, &rtp, &[Law::Mu]);
        let _ = caller.receive(Duration::from_micros(1 + race * 40), |_| false);
        caller.cancel(&call);
        let last = caller
            .outcome(&mut call, &rtp, PATIENCE)
            .expect("a final response");
        match last.status() {
            Some(200) => assert!(
                caller.hang_up(&mut call),
                "the call that won the race can be ended"
            ),
            status => assert_eq!(status, Some(487), "{}", last.start),
        }
    }
    centre.close();
}

#[test]
fn callers_abandon_while_waiting() {
    refusal("abandoned", CALLER, ITALIAN);
}

fn answered(transport: Transport) {
    let centre = Centre::open(&Plan {
        wrap_up: "0s",
        ..Plan::default()
    });
    // Three callers, one operator: one after the other.
    let operator = operator(&centre, "101", "operator_answers", 3);
    for host in [CALLER, CALLER + 1, CALLER + 2] {
        caller(&centre, transport, host)
            .run("answered", STRAIGHT, 1)
            .succeeds(RUN);
    }
    operator.succeeds(RUN);
    centre.close();
}

#[test]
fn calls_are_answered_over_udp() {
    answered(Transport::Udp);
}

#[test]
fn calls_are_answered_over_tcp() {
    answered(Transport::Tcp);
}

#[test]
fn a_busy_operator_is_passed_over() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let centre = Centre::open(&Plan::default());
        let busy = operator(&centre, "101", "operator_busy", 1);
        let mut other = centre.operator("102", 1);
        let desk = RtpEndpoint::open(centre.ip(PHONE + 1));
        // The one who signed in first has been idle the longest: 101, who is busy.
        let caller = caller(&centre, transport, CALLER).run("answered", STRAIGHT, 1);
        let ringing = other
            .rung(PATIENCE)
            .expect("the other operator is offered the call");
        other.answer(&ringing, &desk);
        assert!(other.acknowledged(&ringing, PATIENCE));
        caller.succeeds(RUN);
        assert!(other.hung_up_by_them(&ringing, PATIENCE).is_some());
        busy.succeeds(RUN);
        centre.close();
    }
}

#[test]
fn an_operators_phone_is_silenced_when_the_caller_gives_up() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let centre = Centre::open(&Plan::default());
        let rings = operator(&centre, "101", "operator_rings", 1);
        caller(&centre, transport, CALLER)
            .run("answered", STRAIGHT, 1)
            .succeeds(RUN);
        rings.succeeds(RUN);
        centre.close();
    }
}
