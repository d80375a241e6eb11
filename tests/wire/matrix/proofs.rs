//! That the matrix can fail: what is wrong on purpose must not pass.

use std::net::UdpSocket;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Item, Run, Way, has_records, received};
use crate::kit::centre::{Centre, ITALIAN, Plan};
use crate::kit::ground::{CALLER, CENTRE, Ground};
use crate::kit::relay::{Relay, Trouble};

const HANGS_UP: &str = "
    > INVITE sdp
    < 200
    > ACK
    > BYE
    < 200
    ";

fn run(item: Item, way: Way, host: usize) -> Run {
    Run {
        limit: Duration::from_secs(6),
        ..Run::new(item, way, host)
    }
}

#[test]
fn scenarios_that_expect_what_the_gateway_does_not_do_fail() {
    let centre = Centre::open(&Plan::default());
    let play = |script, way, host| {
        run(Item::new("wrong", ITALIAN, script), way, host).play(&centre.ground, centre.sip())
    };
    assert_eq!(play(HANGS_UP, Way::Udp, 0), Ok(()));
    for (host, script) in (1..).zip([
        "> INVITE sdp\n< 404\n> ACK refused",
        "> OPTIONS\n< 200\n ~ Accept: text/html",
        "> OPTIONS\n< 200\n ! Accept: application/sdp",
        "> BYE tag=stray\n< 200",
        "> OPTIONS\n< BYE\n> 200",
    ]) {
        for way in [Way::Udp, Way::Tcp] {
            assert!(play(script, way, host).is_err(), "{way:?}: {script}");
        }
    }
    centre.close_now();
}

#[test]
fn no_scenario_passes_a_relay_that_loses_everything() {
    let centre = Centre::open(&Plan::default());
    for (lost, passes) in [(0, true), (100, false)] {
        let mut run = run(Item::new("hangs_up", ITALIAN, HANGS_UP), Way::Lossy, 0);
        run.trouble = Trouble {
            lost,
            ..Trouble::NONE
        };
        let verdict = run.play(&centre.ground, centre.sip());
        assert_eq!(verdict.is_ok(), passes, "{lost} % lost: {verdict:?}");
    }
    assert_eq!(
        centre.figure("pronto_calls_begun_total"),
        1.0,
        "and nothing arrived"
    );
    centre.close();
}

/// Sends 200 datagrams, as many as a socket keeps, through the relay; returns those that arrived, in that order, and
/// the number lost.
fn came_through(trouble: Trouble) -> (Vec<u32>, u32) {
    let ground = Ground::take();
    let socket =
        |host| UdpSocket::bind((ground.ip(host), 0)).expect("an address of the loopback can be bound");
    let (peer, product) = (socket(CALLER), socket(CENTRE));
    let address = product.local_addr().expect("a bound socket has an address");
    let relay = Relay::open(ground.ip(CALLER), address, trouble);
    for number in 0..200_u32 {
        peer.send_to(&number.to_be_bytes(), relay.front())
            .expect("the loopback takes a datagram");
    }
    product
        .set_read_timeout(Some(Duration::from_millis(300)))
        .expect("a positive timeout is accepted");
    let (mut found, mut bytes) = (Vec::new(), [0; 4]);
    while let Ok((4, from)) = product.recv_from(&mut bytes) {
        assert_eq!(from, relay.back());
        found.push(u32::from_be_bytes(bytes));
    }
    (found, relay.tally().lost.load(Ordering::Relaxed))
}

#[test]
fn the_relay_loses_doubles_and_reorders_as_its_seed_says() {
    let trouble = Trouble {
        seed: 7,
        lost: 20,
        doubled: 10,
        late: 20,
        delay: Duration::from_millis(40),
    };
    let ((mut found, lost), (mut again, _)) = (came_through(trouble), came_through(trouble));
    assert!((20..=60).contains(&lost), "a fifth of 200 is lost: {lost}");
    assert!(!found.is_sorted(), "some come after those sent behind them");
    found.sort_unstable();
    again.sort_unstable();
    assert_eq!(found, again, "the same seed is the same trouble");
    let whole = found.len();
    found.dedup();
    assert_eq!(found.len() as u32, 200 - lost);
    assert!((5..=40).contains(&(whole - found.len())), "some come twice");
    assert_eq!(came_through(Trouble::NONE), ((0..200).collect(), 0));
}

#[test]
fn a_missing_a_second_or_another_call_record_is_noticed() {
    let run = run(Item::new("hangs_up", ITALIAN, HANGS_UP), Way::Udp, 7);
    let line = |caller: &str, outcome: &str| {
        format!("{{\"call\":\"0\",\"caller\":\"{caller}\",\"outcome\":\"{outcome}\",\"tickets\":[]}}")
    };
    let right = line(&run.user, "caller-hung-up");
    let others = line("390550008", "completed");
    assert_eq!(has_records(&[others.clone(), right.clone()], &run), Ok(()));
    for wrong in [
        vec![others],
        vec![right.clone(), right],
        vec![line(&run.user, "completed")],
    ] {
        assert!(has_records(&wrong, &run).is_err(), "{wrong:?}");
    }
}

#[test]
fn messages_are_counted_by_start_line_and_cseq() {
    let log = "UDP message received [9] bytes :\n\nSIP/2.0 200 OK\nCSeq: 1 INVITE\n-----------------\n\
               UDP message sent (9 bytes):\n\nSIP/2.0 200 OK\nCSeq: 1 INVITE\n-----------------\n\
               UDP message received [9] bytes :\n\nSIP/2.0 200 OK\nCSeq: 2 BYE\n-----------------\n";
    assert_eq!(received(log, "SIP/2.0 200", "1 INVITE"), 1);
    assert_eq!(received(log, "SIP/2.0 200", "BYE"), 1);
    assert_eq!(received(log, "SIP/2.0 404", "BYE"), 0);
}
