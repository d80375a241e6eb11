//! Whole calls between endpoints.

use std::time::Duration;

use pronto_types::TrunkName;

use super::world::*;
use crate::api::*;
use crate::reason::Reason;
use crate::settings::Transport;

const BOTH: [Transport; 2] = [Transport::Udp, Transport::Tcp];

#[test]
fn a_call_is_rung_answered_and_hung_up_by_the_caller() {
    for transport in BOTH {
        let mut world = World::new(1, transport, FINE);
        let caller = world.dial();
        world.run_ms(50);
        let invite = world.incoming(GATEWAY).unwrap();
        assert_eq!(invite.from, Identity::Trunk(TrunkName::new("carrier").unwrap()));
        assert_eq!(invite.dialled, "800");
        assert_eq!(invite.caller.user.as_deref(), Some("+39061234567"));
        assert_eq!(invite.caller.display.as_deref(), Some("Anna \"A\" Rossi"));
        assert!(!invite.caller.anonymous);
        assert_eq!(invite.offer.as_deref(), Some(OFFER));
        world.at(GATEWAY, |e, now| e.ring(now, invite.leg));
        world.run_ms(50);
        world.at(GATEWAY, |e, now| e.answer(now, invite.leg, answer()));
        world.run_ms(50);
        world.at(CALLER, |e, now| {
            e.hangup(
                now,
                caller,
                Some(Reason {
                    protocol: "Q.850".into(),
                    cause: 16,
                    text: "bye".into(),
                }),
            )
        });
        world.run_ms(50);
        assert_eq!(world.story(CALLER, caller), ["Progress", "Answered", "Released"]);
        assert_eq!(
            world.story(GATEWAY, invite.leg),
            ["Invite", "Acknowledged", "Ended"]
        );
        let ended = world.events(GATEWAY).pop().unwrap();
        let Event::Ended {
            by: EndedBy::Bye { reason: Some(reason) },
            ..
        } = ended
        else {
            panic!("{ended:?}")
        };
        assert_eq!((reason.cause, reason.text.as_str()), (16, "bye"));
        world.assert_clean();
        world.assert_told_once();
    }
}

#[test]
fn a_call_is_hung_up_by_us() {
    let mut world = World::new(2, Transport::Udp, FINE);
    let (caller, leg) = world.connected();
    world.at(GATEWAY, |e, now| e.hangup(now, leg, None));
    world.run_ms(50);
    assert_eq!(world.story(CALLER, caller), ["Answered", "Ended"]);
    assert_eq!(world.story(GATEWAY, leg), ["Invite", "Acknowledged", "Released"]);
    world.assert_clean();
}

#[test]
fn a_refusal_carries_its_status_and_when_to_come_again() {
    for transport in BOTH {
        let mut world = World::new(3, transport, FINE);
        let caller = world.dial();
        world.run_ms(50);
        let leg = world.incoming(GATEWAY).unwrap().leg;
        world.at(GATEWAY, |e, now| {
            e.reject(now, leg, BUSY, Some(Duration::from_secs(30)))
        });
        world.run_ms(50);
        let refused = world.events(CALLER).pop().unwrap();
        let Event::Refused {
            leg,
            status: 486,
            local: false,
            retry_after: Some(after),
        } = refused
        else {
            panic!("{refused:?}")
        };
        assert_eq!((leg, after), (caller, Duration::from_secs(30)));
        world.assert_clean();
        world.assert_told_once();
    }
}

#[test]
fn a_caller_who_gives_up_while_it_rings_is_cancelled() {
    for transport in BOTH {
        let mut world = World::new(4, transport, FINE);
        let caller = world.dial();
        world.run_ms(50);
        let leg = world.incoming(GATEWAY).unwrap().leg;
        world.at(GATEWAY, |e, now| e.ring(now, leg));
        world.run_ms(50);
        world.at(CALLER, |e, now| e.hangup(now, caller, None));
        world.run_ms(50);
        assert_eq!(world.story(GATEWAY, leg), ["Invite", "Cancelled"]);
        assert_eq!(world.story(CALLER, caller), ["Progress", "Released"]);
        world.assert_clean();
        world.assert_told_once();
    }
}

#[test]
fn a_cancel_waits_for_the_first_provisional_answer() {
    let mut world = World::new(5, Transport::Udp, FINE);
    let caller = world.dial();
    world.at(CALLER, |e, now| e.hangup(now, caller, None));
    assert_eq!(world.count_sent(CALLER, "CANCEL"), 0, "no CANCEL before a 1xx");
    world.run_ms(100);
    assert_eq!(world.count_sent(CALLER, "CANCEL"), 1);
    assert_eq!(world.story(CALLER, caller), ["Released"]);
    world.assert_clean();
}

#[test]
fn a_200_that_crosses_our_cancel_is_acknowledged_and_ended_with_its_reason() {
    let mut world = World::new(6, Transport::Udp, FINE);
    world.enrol(PHONE, "101");
    world.run_ms(100);
    let leg = world.ring("101");
    world.run_ms(50);
    let phone = world.incoming(PHONE).unwrap();
    assert_eq!(phone.from, Identity::Registrar);
    world.at(PHONE, |e, now| e.answer(now, phone.leg, answer()));
    world.at(GATEWAY, |e, now| {
        e.hangup(now, leg, Some(Reason::completed_elsewhere()))
    });
    world.run_ms(500);
    assert_eq!(world.story(GATEWAY, leg), ["Released"]);
    assert_eq!(world.story(PHONE, phone.leg), ["Invite", "Acknowledged", "Ended"]);
    let bye = world
        .wire
        .iter()
        .find(|(n, b)| *n == GATEWAY && b.starts_with(b"BYE"))
        .unwrap();
    let text = String::from_utf8_lossy(&bye.1);
    assert!(
        text.contains("Reason: SIP;cause=200;text=\"Call completed elsewhere\""),
        "{text}"
    );
    world.assert_clean();
}

#[test]
fn byes_that_cross_end_the_call_once_on_each_side() {
    let mut world = World::new(7, Transport::Udp, FINE);
    let (caller, leg) = world.connected();
    world.at(GATEWAY, |e, now| e.hangup(now, leg, None));
    world.at(CALLER, |e, now| e.hangup(now, caller, None));
    world.run_ms(100);
    assert_eq!(world.story(CALLER, caller), ["Answered", "Released"]);
    assert_eq!(world.story(GATEWAY, leg), ["Invite", "Acknowledged", "Released"]);
    world.assert_clean();
}

#[test]
fn an_invite_nobody_answers_fails_after_64_t1() {
    let mut world = World::new(8, Transport::Udp, Weather { loss: 1000, ..FINE });
    let caller = world.dial();
    world.run(Duration::from_secs(31));
    assert!(world.story(CALLER, caller).is_empty());
    world.run(Duration::from_secs(2));
    let refused = world.events(CALLER).pop().unwrap();
    assert!(
        matches!(
            refused,
            Event::Refused {
                status: 408,
                local: true,
                ..
            }
        ),
        "{refused:?}"
    );
    // Timer A: 0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5 s (RFC 3261 §17.1.1.2).
    assert_eq!(world.count_sent(CALLER, "INVITE"), 7);
    world.assert_clean();
}

#[test]
fn a_200_that_is_never_acknowledged_is_repeated_then_ended_with_bye() {
    let mut world = World::new(9, Transport::Udp, FINE);
    let caller = world.dial();
    world.run_ms(100);
    let leg = world.incoming(GATEWAY).unwrap().leg;
    world.weather.loss = 1000;
    world.at(GATEWAY, |e, now| e.answer(now, leg, answer()));
    world.run(Duration::from_secs(33));
    assert_eq!(world.story(GATEWAY, leg), ["Invite", "Ended"]);
    assert!(matches!(
        world.events(GATEWAY).pop(),
        Some(Event::Ended {
            by: EndedBy::AckTimeout,
            ..
        })
    ));
    // 0, 0.5, 1.5, 3.5, then every 4 s up to 31.5 (RFC 3261 §13.3.1.4).
    assert_eq!(world.count_sent(GATEWAY, "SIP/2.0 200"), 11);
    assert!(world.count_sent(GATEWAY, "BYE") >= 1);
    world.at(CALLER, |e, now| e.hangup(now, caller, None));
    world.assert_clean();
}

#[test]
fn hanging_up_before_the_ack_waits_for_it() {
    let mut world = World::new(10, Transport::Udp, FINE);
    let caller = world.dial();
    world.run_ms(100);
    let leg = world.incoming(GATEWAY).unwrap().leg;
    world.at(GATEWAY, |e, now| {
        e.answer(now, leg, answer());
        e.hangup(now, leg, None);
    });
    assert_eq!(
        world.count_sent(GATEWAY, "BYE"),
        0,
        "RFC 3261 §15: not before the ACK"
    );
    world.run_ms(100);
    assert_eq!(world.story(GATEWAY, leg), ["Invite", "Released"]);
    assert_eq!(world.story(CALLER, caller), ["Answered", "Ended"]);
    world.assert_clean();
}

#[test]
fn ringing_is_repeated_every_minute() {
    let mut world = World::new(11, Transport::Udp, FINE);
    let caller = world.dial();
    world.run_ms(100);
    let leg = world.incoming(GATEWAY).unwrap().leg;
    world.at(GATEWAY, |e, now| e.ring(now, leg));
    world.run(Duration::from_secs(185));
    assert_eq!(world.count_sent(GATEWAY, "SIP/2.0 180"), 4);
    world.at(CALLER, |e, now| e.hangup(now, caller, None));
    world.assert_clean();
}

#[test]
fn an_invite_without_an_offer_gets_ours_and_the_ack_brings_the_answer() {
    let mut world = World::new(12, Transport::Udp, FINE);
    let to = Destination {
        uri: "sip:800@pronto.example".into(),
        flow: world.flow(CALLER, GATEWAY),
    };
    world.at(CALLER, |e, now| {
        e.invite(now, &to, bytes::Bytes::new(), InviteOptions::default())
    });
    world.run_ms(100);
    let invite = world.incoming(GATEWAY).unwrap();
    assert_eq!(invite.offer, None);
    assert_eq!(invite.caller.user.as_deref(), Some("anonymous"));
    assert!(invite.caller.anonymous);
    world.at(GATEWAY, |e, now| e.hangup(now, invite.leg, None));
    world.assert_clean();
}

#[test]
fn a_dead_flow_fails_our_invite_at_once_and_the_callers_connection_ends_its_call() {
    let mut world = World::new(13, Transport::Tcp, FINE);
    let caller = world.dial();
    world.run_ms(100);
    let leg = world.incoming(GATEWAY).unwrap().leg;
    let (there, here) = (world.flow(CALLER, GATEWAY), world.flow(GATEWAY, CALLER));
    world.at(CALLER, |e, now| {
        e.handle_input(now, Input::FlowClosed { flow: there })
    });
    world.at(GATEWAY, |e, now| {
        e.handle_input(now, Input::FlowClosed { flow: here })
    });
    assert!(matches!(
        world.events(CALLER).pop(),
        Some(Event::Refused {
            status: 503,
            local: true,
            ..
        })
    ));
    assert!(matches!(
        world.events(GATEWAY).pop(),
        Some(Event::Ended {
            by: EndedBy::FlowClosed,
            ..
        })
    ));
    assert_eq!(world.story(GATEWAY, leg).len(), 2);
    let _ = caller;
    world.assert_clean();
    world.assert_told_once();
}

#[test]
fn a_call_outlives_its_connection() {
    let mut world = World::new(14, Transport::Tcp, FINE);
    let (caller, leg) = world.connected();
    let here = world.flow(GATEWAY, CALLER);
    world.at(GATEWAY, |e, now| {
        e.handle_input(now, Input::FlowClosed { flow: here })
    });
    world.at(GATEWAY, |e, now| e.hangup(now, leg, None));
    world.run_ms(100);
    assert_eq!(world.story(CALLER, caller), ["Answered", "Ended"]);
    world.assert_clean();
}

#[test]
fn calls_come_up_and_go_down_through_any_weather() {
    for seed in 0..300 {
        let mut world = World::new(seed, Transport::Udp, STORM);
        let caller = world.dial();
        world.run(Duration::from_secs(20));
        let leg = world
            .incoming(GATEWAY)
            .unwrap_or_else(|| panic!("seed {seed}"))
            .leg;
        world.at(GATEWAY, |e, now| e.answer(now, leg, answer()));
        world.run(Duration::from_secs(20));
        assert_eq!(
            world.story(GATEWAY, leg),
            ["Invite", "Acknowledged"],
            "seed {seed}"
        );
        assert_eq!(world.story(CALLER, caller), ["Answered"], "seed {seed}");
        let (side, leg) = if seed % 2 == 0 {
            (GATEWAY, leg)
        } else {
            (CALLER, caller)
        };
        world.at(side, |e, now| e.hangup(now, leg, None));
        world.run(Duration::from_secs(20));
        world.assert_clean();
        world.assert_told_once();
    }
}
