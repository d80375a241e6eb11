//! The kit proved against itself and its peers, without the product: a test that cannot hear proves nothing.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::kit::baresip::{Account, Baresip};
use crate::kit::centre::clip;
use crate::kit::digest;
use crate::kit::ears::{self, RECOGNISED};
use crate::kit::g711::Law;
use crate::kit::ground::{CALLER, CENTRE, Ground, PHONE};
use crate::kit::message::{Message, TELEPHONE_EVENT, sdp};
use crate::kit::phone::{PATIENCE, Phone};
use crate::kit::rtp::{RtpEndpoint, Sound};
use crate::kit::sipp::{Scenario, Transport};
use crate::kit::wav::Wav;

/// Something like speech: a wandering tone with pauses, different for each seed.
fn babble(seed: u32, samples: usize) -> Vec<i16> {
    let mut dice = seed;
    let (mut phase, mut hz, mut loud) = (0.0_f64, 300.0, 0.0);
    (0..samples)
        .map(|index| {
            if index % 800 == 0 {
                dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                hz = 200.0 + f64::from(dice >> 22);
                loud = if dice & 0x3000 == 0 { 0.0 } else { 6_000.0 };
            }
            phase += std::f64::consts::TAU * hz / 8_000.0;
            (loud * (phase.sin() + 0.4 * (3.0 * phase).sin())) as i16
        })
        .collect()
}

/// RFC 2617 §3.5: the example's nonce, user, password and client nonce.
#[test]
fn a_challenge_is_answered_as_in_rfc_2617() {
    let challenge = "Digest realm=\"testrealm@host.com\", qop=\"auth,auth-int\", \
                     nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"";
    let value = digest::answer(challenge, "GET", "/dir/index.html", "Mufasa", "Circle Of Life");
    assert!(
        value.contains("response=\"6629fae49393a05397450978507c4ef1\""),
        "{value}"
    );
}

#[test]
fn both_laws_give_each_code_back() {
    for law in [Law::Mu, Law::A] {
        for code in 0..=u8::MAX {
            let sample = law.decode(code);
            // µ-law has two zeros: 0x7f is the negative one.
            let again = if law == Law::Mu && code == 0x7f {
                0xff
            } else {
                code
            };
            assert_eq!(law.encode(sample), again, "{law:?} {code:#04x} is {sample}");
        }
    }
    assert_eq!((Law::Mu.encode(0), Law::A.encode(0)), (0xff, 0xd5));
}

#[test]
fn a_tone_is_told_from_its_neighbour_from_silence_and_from_babble() {
    let tone = ears::sine(440.0, 800);
    assert!(ears::tone(&tone, 440.0) > 0.95);
    assert!(ears::tone(&tone, 500.0) < 0.1);
    assert!(ears::tone(&[3; 800], 440.0) < 0.1);
    assert!(ears::tone(&babble(1, 8_000), 440.0) < 0.5);
}

#[test]
fn a_clip_is_found_where_it_begins_through_the_telephone_and_no_other_is() {
    let clips: Vec<Vec<i16>> = (1..6).map(|seed| babble(seed, 16_000)).collect();
    let mut heard = vec![0; 5_003];
    heard.extend(
        clips[2]
            .iter()
            .map(|&sample| Law::A.decode(Law::A.encode(Law::Mu.decode(Law::Mu.encode(sample / 2))))),
    );
    heard.extend(babble(77, 9_000));
    for (index, clip) in clips.iter().enumerate() {
        let found = ears::locate(&clip[3_000..11_000], &heard).expect("it fits");
        if index == 2 {
            assert_eq!(found.offset, 5_003 + 3_000);
            assert!(found.score > 0.95, "{found:?}");
        } else {
            assert!(found.score < 0.6, "clip {index} is not there: {found:?}");
        }
    }
}

#[test]
fn the_built_in_clips_are_told_from_each_other() {
    let names = [
        "it/welcome",
        "it/main-menu",
        "it/all-busy",
        "it/goodbye",
        "en/welcome",
        "en/main-menu",
        "en/all-busy",
        "en/goodbye",
        "music",
    ];
    let clips = names.map(clip);
    for (name, wanted) in names.iter().zip(&clips) {
        let places = ears::places(wanted);
        assert!(
            places.len() >= 3,
            "{name} has {} pieces to look for",
            places.len()
        );
        for (other, heard) in names.iter().zip(&clips) {
            let heard: Vec<i16> = heard
                .iter()
                .map(|&sample| Law::A.decode(Law::A.encode(sample)))
                .collect();
            let found: Vec<(usize, usize)> = places
                .iter()
                .filter_map(|&(place, piece)| Some((place, ears::locate(piece, &heard)?)))
                .filter(|(_, found)| found.score > RECOGNISED)
                .map(|(place, found)| (place, found.offset))
                .collect();
            // Two clips may share words, said in one voice. `wait_for_clip` asks for two pieces as far apart as they are
            // in the clip: in another clip there are none.
            let pairs = found
                .iter()
                .flat_map(|one| found.iter().map(move |two| (one, two)));
            let told = pairs
                .filter(|(one, two)| one.0 < two.0 && one.1 < two.1)
                .filter(|(one, two)| ears::apart_alike(two.0 - one.0, two.1 - one.1))
                .count();
            if name == other {
                assert_eq!(found.len(), places.len(), "{name} in itself");
            } else {
                assert_eq!(told, 0, "{name} is taken for {other}: {found:?}");
            }
        }
    }
}

#[test]
fn a_clip_of_16_khz_sounds_the_same_at_8() {
    let wide: Vec<i16> = (0..32_000)
        .map(|index| (9_000.0 * (f64::from(index) * 440.0 * std::f64::consts::TAU / 16_000.0).sin()) as i16)
        .collect();
    let narrow = ears::telephone(&Wav {
        rate: 16_000,
        samples: wide,
    });
    assert_eq!(narrow.len(), 16_000);
    assert!(ears::tone(&narrow[800..1_600], 440.0) > 0.99);
}

#[test]
fn the_rtp_endpoint_keeps_a_20_ms_cadence_and_a_key_is_one_event_with_three_ends() {
    let ground = Ground::take();
    let (caller, phone) = (
        RtpEndpoint::open(ground.ip(CALLER)),
        RtpEndpoint::open(ground.ip(PHONE)),
    );
    caller.send_to(phone.local(), Law::A);
    caller.say(Sound::Tone(700.0));
    let start = Instant::now();
    let heard = phone
        .wait_for_tone(700.0, start, PATIENCE)
        .expect("the tone arrives");
    assert!(heard - start < Duration::from_millis(500));
    let pressed = caller.press('5');
    let events = phone.wait(PATIENCE, 1, |packets| {
        let events: Vec<_> = packets
            .iter()
            .filter(|packet| packet.payload_type == TELEPHONE_EVENT)
            .cloned()
            .collect();
        (events.len() == 8).then_some(events)
    });
    let events = events.expect("eight packets of one event");
    assert!(events[0].at.duration_since(pressed) < Duration::from_millis(20));
    assert!(
        events
            .iter()
            .all(|event| event.payload[0] == 5 && event.timestamp == events[0].timestamp)
    );
    assert_eq!(
        events.iter().filter(|event| event.payload[1] & 0x80 != 0).count(),
        3
    );
    assert_eq!(
        events.iter().map(|event| event.marker).collect::<Vec<_>>(),
        [true, false, false, false, false, false, false, false]
    );
    let all = phone
        .wait(PATIENCE, 100, |packets| Some(packets.to_vec()))
        .expect("two seconds of packets");
    assert!(
        all.windows(2)
            .all(|pair| pair[1].sequence == pair[0].sequence.wrapping_add(1))
    );
}

#[test]
fn our_phone_calls_another_and_is_heard() {
    let ground = Ground::take();
    let mut bob = Phone::open("bob", ground.ip(PHONE), (ground.ip(CENTRE), 5060).into());
    let mut alice = Phone::open("alice", ground.ip(CALLER), bob.local());
    bob.talk_to(alice.local());
    let (alice_rtp, bob_rtp) = (
        RtpEndpoint::open(ground.ip(CALLER)),
        RtpEndpoint::open(ground.ip(PHONE)),
    );
    let mut call = alice.invite("bob", &alice_rtp, &[Law::Mu]);
    let ringing = bob.rung(PATIENCE).expect("bob rings");
    bob.answer(&ringing, &bob_rtp);
    assert_eq!(
        alice
            .outcome(&mut call, &alice_rtp, PATIENCE)
            .and_then(|last| last.status()),
        Some(200)
    );
    assert!(bob.acknowledged(&ringing, PATIENCE));
    alice_rtp.say(Sound::Tone(300.0));
    bob_rtp.say(Sound::Tone(900.0));
    assert!(bob_rtp.wait_for_tone(300.0, Instant::now(), PATIENCE).is_some());
    assert!(alice_rtp.wait_for_tone(900.0, Instant::now(), PATIENCE).is_some());
}

#[test]
fn our_phone_and_a_baresip_hear_each_other() {
    let ground = Ground::take();
    let account = Account {
        tls: false,
        user: "b",
        password: "unused",
        registrar: None,
        answers: true,
        tone: 900.0,
        codecs: "pcmu,pcma",
    };
    let mut baresip = Baresip::start(&account, &ground.subdirectory("baresip"));
    let mut phone = Phone::open("a", ground.ip(CALLER), baresip.sip());
    let rtp = RtpEndpoint::open(ground.ip(CALLER));
    let mut call = phone.call("b", &rtp, Law::A);
    assert!(baresip.event("CALL_ESTABLISHED", PATIENCE).is_some());
    rtp.say(Sound::Tone(500.0));
    assert!(
        rtp.wait_for_tone(900.0, Instant::now(), PATIENCE).is_some(),
        "we do not hear the baresip"
    );
    assert!(
        rtp.wait(PATIENCE, 100, |_| Some(())).is_some(),
        "two seconds of it"
    );
    assert!(phone.hang_up(&mut call));
    assert!(baresip.event("CALL_CLOSED", PATIENCE).is_some());
    let heard = baresip.heard();
    let middle = heard.len() / 2;
    assert!(middle > 4_000, "the baresip kept {} samples", heard.len());
    assert!(
        ears::tone(&heard[middle..middle + 1_600], 500.0) > RECOGNISED,
        "the baresip does not hear us"
    );
    assert!(baresip.quit());
}

#[test]
fn two_baresips_hear_each_other() {
    let ground = Ground::take();
    let account = |user, answers, tone| Account {
        tls: false,
        user,
        password: "unused",
        registrar: None,
        answers,
        tone,
        codecs: "pcmu",
    };
    let mut alice = Baresip::start(&account("alice", false, 400.0), &ground.subdirectory("alice"));
    let mut bob = Baresip::start(&account("bob", true, 800.0), &ground.subdirectory("bob"));
    alice.command("dial", &format!("sip:bob@{}", bob.sip()));
    assert!(alice.event("CALL_ESTABLISHED", PATIENCE).is_some());
    assert!(alice.event("CALL_RTPESTAB", PATIENCE).is_some());
    // Its control socket says nothing while a call goes on: two seconds of it.
    assert!(alice.event("CALL_CLOSED", Duration::from_secs(2)).is_none());
    alice.command("hangup", "");
    assert!(bob.event("CALL_CLOSED", PATIENCE).is_some() && alice.event("CALL_CLOSED", PATIENCE).is_some());
    for (phone, hz) in [(&alice, 800.0), (&bob, 400.0)] {
        let heard = phone.heard();
        let middle = heard.len() / 2;
        assert!(
            ears::tone(&heard[middle..middle + 1_600], hz) > RECOGNISED,
            "{hz} Hz is not what was heard"
        );
    }
}

#[test]
fn sipp_calls_sipp_by_our_scenarios_over_udp_and_tcp() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let ground = Ground::take();
        let nobody = (ground.ip(NOBODY), 5060).into();
        let scenario = |name, host, port, server| Scenario {
            name,
            transport,
            local: (ground.ip(host), port),
            server,
            service: "800",
            calls: 2,
            login: None,
            hold: Duration::from_millis(500),
            timeout: Duration::from_secs(20),
            more: &[],
        };
        let mut answers =
            scenario("operator_answers", PHONE, 5060, nobody).start(&ground.subdirectory("uas"));
        if transport == Transport::Tcp {
            answers.listening((ground.ip(PHONE), 5060).into());
        }
        let asks = scenario("answered", CALLER, 5060, (ground.ip(PHONE), 5060).into())
            .start(&ground.subdirectory("uac"));
        asks.succeeds(Duration::from_secs(25));
        answers.succeeds(Duration::from_secs(25));
    }
}

/// SIPp on port 5062 of the caller's address, our phone on the other side of it.
fn sipp_and_our_phone(name: &str, played: impl FnOnce(&mut Phone)) {
    let ground = Ground::take();
    let sipp = SocketAddr::new(ground.ip(CALLER), 5062);
    let mut phone = Phone::open("800", ground.ip(CENTRE), sipp);
    let scenario = Scenario {
        name,
        transport: Transport::Udp,
        local: (sipp.ip(), sipp.port()),
        server: phone.local(),
        service: "800",
        calls: 1,
        login: Some(("800", "secret")),
        hold: Duration::from_millis(200),
        timeout: Duration::from_secs(10),
        more: &[],
    };
    let run = scenario.start(&ground.subdirectory("sipp"));
    played(&mut phone);
    run.succeeds(Duration::from_secs(15));
}

#[test]
fn the_refused_scenarios_are_refused_by_our_phone_and_content() {
    for (name, status) in [
        ("unknown_number", 404),
        ("stranger", 401),
        ("codec_mismatch", 488),
    ] {
        sipp_and_our_phone(name, |phone| {
            let call = phone.trying(PATIENCE).expect("SIPp calls");
            assert!(phone.refuse(&call, status, "No"));
        });
    }
}

#[test]
fn the_cancelled_scenario_comes_too_late_and_hangs_up() {
    sipp_and_our_phone("cancelled", |phone| {
        let call = phone.trying(PATIENCE).expect("SIPp calls");
        phone.answer_with(&call, &sdp(phone.local(), &[Law::Mu]));
        let cancel = phone.receive(PATIENCE, |message| message.method() == Some("CANCEL"));
        phone.agree(&cancel.expect("SIPp cancels"));
        assert!(phone.acknowledged(&call, PATIENCE));
        assert!(phone.hung_up_by_them(&call, PATIENCE).is_some());
    });
}

#[test]
fn the_abandoned_scenario_presses_a_key_and_hangs_up() {
    sipp_and_our_phone("abandoned", |phone| {
        let call = phone.rung(PATIENCE).expect("SIPp calls");
        phone.answer_with(&call, &sdp(phone.local(), &[Law::Mu]));
        assert!(phone.acknowledged(&call, PATIENCE));
        let info = phone
            .receive(PATIENCE, |message| message.method() == Some("INFO"))
            .expect("a key");
        assert!(info.body.contains("Signal=1"), "{}", info.body);
        phone.agree(&info);
        assert!(phone.hung_up_by_them(&call, PATIENCE).is_some());
    });
}

#[test]
fn the_operators_of_sipp_are_busy_ring_and_register() {
    let calls_it = |phone: &mut Phone| {
        let body = sdp(phone.local(), &[Law::Mu]);
        // Until SIPp has opened its port the INVITE is lost: the next is another call.
        (0..50).find_map(|_| {
            let call = phone.invite_with("101", &body);
            phone
                .receive(Duration::from_millis(100), |message| message.status().is_some())
                .map(|_| call)
        })
    };
    sipp_and_our_phone("operator_rings", |phone| {
        let mut call = calls_it(phone).expect("SIPp rings");
        phone.cancel(&call);
        let last = phone
            .final_response(&mut call, PATIENCE)
            .expect("a final response");
        assert_eq!(last.status(), Some(487));
    });
    sipp_and_our_phone("register", |phone| {
        let first = phone
            .receive(PATIENCE, |message| message.method() == Some("REGISTER"))
            .expect("SIPp registers");
        phone.challenge(&first);
        let proof = |message: &Message| message.header("Authorization").is_some();
        let second = phone.receive(PATIENCE, proof).expect("SIPp proves itself");
        let proof = second.header("Authorization").expect("it has one");
        let uri = digest::parameter(proof, "uri")
            .expect("the URI it signed")
            .to_owned();
        let (count, client_nonce) = digest::counters(proof);
        let expected = digest::Proof {
            algorithm: "MD5",
            realm: "wire",
            nonce: "n0nce",
            method: "REGISTER",
            uri: &uri,
            user: "800",
            password: "secret",
            count,
            client_nonce,
        }
        .response();
        assert_eq!(digest::parameter(proof, "response"), Some(&*expected), "{proof}");
        phone.agree(&second);
    });
}

/// SIPp wants a server even where it only answers.
const NOBODY: u8 = 250;
