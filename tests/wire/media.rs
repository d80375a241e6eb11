//! Bodies, media addresses, packet lengths and keys as real phones and carriers send them.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::kit::centre::{Centre, EARLY, ITALIAN, MUSIC, Plan, STRAIGHT, clip};
use crate::kit::ears::{PIECE, RECOGNISED, locate};
use crate::kit::g711::Law;
use crate::kit::ground::{CALLER, STRANGER};
use crate::kit::message::{Message, sdp};
use crate::kit::phone::{Call, PATIENCE, Phone};
use crate::kit::rtp::{Audio, Packet, RtpEndpoint, Sound};

/// How long the centre sends a 200 again that nobody acknowledges (RFC 3261 §13.3.1.4), and more.
const UNACKNOWLEDGED: Duration = Duration::from_secs(20);

fn refused(phone: &mut Phone, mut call: Call) -> Message {
    phone
        .final_response(&mut call, PATIENCE)
        .expect("a final response to the INVITE")
}

fn music_is_heard(rtp: &RtpEndpoint) {
    let heard = rtp.wait_for_part_of(&clip("music"), Instant::now(), MUSIC);
    assert!(heard.is_some(), "the caller hears music");
}

/// A multipart body of these parts, each a head and a content.
fn multipart(parts: &[(&str, &str)]) -> (&'static str, String) {
    let part = |(head, content): &(&str, &str)| format!("--unique\r\n{head}\r\n\r\n{content}\r\n");
    let body: String = parts.iter().map(part).collect();
    ("multipart/mixed; boundary=\"unique\"", body + "--unique--\r\n")
}

const LOCATION: (&str, &str) = (
    "Content-Type: application/pidf+xml\r\nContent-ID: <target@example.com>",
    "<?xml version=\"1.0\"?><presence/>",
);

#[test]
fn a_multipart_body_with_a_location_or_isup_beside_the_sdp_costs_no_call() {
    let centre = Centre::open(&Plan::default());
    let _sitter = centre.sitter();
    let isup = (
        "content-type: application/isup;version=itu-t92+\r\nContent-Disposition: signal;handling=optional",
        "\u{1}\u{10}",
    );
    for (n, before) in [true, false].into_iter().enumerate() {
        let number = CALLER + n as u8;
        let mut phone = centre.caller(n as u8);
        let rtp = RtpEndpoint::open(centre.ip(number));
        let offer = sdp(rtp.local(), &[Law::A]);
        let ours = ("Content-Type: application/sdp", offer.as_str());
        let parts = if before {
            [ours, LOCATION, isup]
        } else {
            [isup, LOCATION, ours]
        };
        let (kind, body) = multipart(&parts);
        let mut call = phone.invite_of_kind(STRAIGHT, kind, &body);
        let answer = phone.outcome(&mut call, &rtp, PATIENCE).expect("an answer");
        assert_eq!(answer.status(), Some(200), "{}", answer.start);
        music_is_heard(&rtp);
        assert!(phone.hang_up(&mut call));
    }
    centre.close();
}

#[test]
fn a_body_part_that_must_be_understood_and_is_not_is_415_with_accept_and_a_warning() {
    let mut centre = Centre::open(&Plan::default());
    let mut phone = centre.caller(0);
    let rtp = RtpEndpoint::open(centre.ip(CALLER));
    let offer = sdp(rtp.local(), &[Law::A]);
    let (kind, body) = multipart(&[
        ("Content-Type: application/sdp", &offer),
        (
            "Content-Type: application/isup\r\nContent-Disposition: signal;handling=required",
            "x",
        ),
    ]);
    let call = phone.invite_of_kind(STRAIGHT, kind, &body);
    let refusal = refused(&mut phone, call);
    assert_eq!(
        refusal.start,
        "SIP/2.0 415 Unsupported Media Type application/isup"
    );
    assert!(
        refusal
            .header("Accept")
            .is_some_and(|it| it.contains("application/sdp"))
    );
    assert!(refusal.header("Warning").is_some_and(|it| it.starts_with("399 ")));
    // Lines of the log are written by a thread of their own.
    centre.until("the refusal is logged", |centre| {
        centre.log().contains("Unsupported Media Type application/isup")
    });
    centre.close();
}

#[test]
fn an_invite_in_which_no_audio_can_flow_is_488_with_a_warning_and_rings_nobody() {
    let centre = Centre::open(&Plan::default());
    let mut operator = centre.operator("101", 0);
    let mut phone = centre.caller(0);
    let rtp = RtpEndpoint::open(centre.ip(CALLER));
    let offer = sdp(rtp.local(), &[Law::A]);
    let port = format!("m=audio {} ", rtp.local().port());
    let address = format!("c=IN IP4 {}", rtp.local().ip());
    for (from, to, code) in [
        (&port, "m=audio 0 ", "304"),
        (&port, "m=audio 9 ", "301"),
        (&address, "c=IN IP4 phone.example.com", "301"),
        (&address, "c=IN IP6 2001:db8::1", "301"),
        (&address, "c=IN IP4 224.2.1.1/127", "330"),
    ] {
        assert!(offer.contains(from.as_str()), "{offer}");
        let call = phone.invite_with(STRAIGHT, &offer.replace(from.as_str(), to));
        let refusal = refused(&mut phone, call);
        assert_eq!(refusal.status(), Some(488), "{to}: {}", refusal.start);
        let warning = refusal.header("Warning").unwrap_or_default();
        assert!(warning.starts_with(code), "{to}: {warning}");
    }
    // The next call does ring the operator, and is the first one to do so.
    let odd = format!("{offer}m=application 9 TCP/MRCPv2\r\nm=image 5004 udptl t38\r\n");
    let mut call = phone.invite_with(STRAIGHT, &odd);
    let answer = phone.outcome(&mut call, &rtp, PATIENCE).expect("an answer");
    assert_eq!(answer.status(), Some(200), "{}", answer.start);
    for refused in ["m=application 0 TCP/MRCPv2", "m=image 0 udptl t38"] {
        assert!(answer.body.contains(refused), "{}", answer.body);
    }
    let rung = operator.rung(PATIENCE).expect("the operator's phone rings");
    assert!(phone.hang_up(&mut call));
    assert!(operator.cancelled(&rung, PATIENCE).is_some());
    centre.close();
}

#[test]
fn a_nat_that_changed_the_port_in_the_sdp_makes_nobody_deaf() {
    let centre = Centre::open(&Plan::default());
    let mut operator = centre.operator("101", 0);
    let mut phone = centre.caller(0);
    let ip = centre.ip(CALLER);
    let (named, used) = (RtpEndpoint::open(ip), RtpEndpoint::open(ip));
    let mut call = phone.invite_with(STRAIGHT, &sdp(named.local(), &[Law::A]));
    let answer = phone.final_response(&mut call, PATIENCE).expect("an answer");
    let (remote, law) = answer.media().expect("the answer has audio");
    used.say(Sound::Tone(500.0));
    used.send_to(remote, law);
    let learned = Instant::now();
    let heard = used.wait_for_part_of(&clip("music"), learned, MUSIC);
    assert!(
        heard.is_some(),
        "the caller hears music at the port that they send from"
    );
    let rung = operator.rung(PATIENCE).expect("the operator's phone rings");
    let desk = RtpEndpoint::open(operator.local().ip());
    let answered = operator.answer(&rung, &desk);
    assert!(operator.acknowledged(&rung, PATIENCE));
    let heard = desk.wait_for_tone(500.0, answered, PATIENCE);
    assert!(heard.is_some(), "and the operator hears the caller");
    assert!(phone.hang_up(&mut call));
    assert!(operator.hung_up_by_them(&rung, PATIENCE).is_some());
    centre.close();
}

#[test]
fn an_answer_in_a_provisional_response_counts_when_the_200_has_none() {
    let centre = Centre::open(&Plan::default());
    let mut operator = centre.operator("101", 0);
    let mut phone = centre.caller(0);
    let rtp = RtpEndpoint::open(centre.ip(CALLER));
    let mut call = phone.call(STRAIGHT, &rtp, Law::A);
    rtp.say(Sound::Tone(500.0));
    let rung = operator.trying(PATIENCE).expect("the operator's phone is called");
    let desk = RtpEndpoint::open(operator.local().ip());
    operator.progress_with(&rung, &sdp(desk.local(), &[Law::A]));
    let answered = operator.answer_with(&rung, "");
    assert!(operator.acknowledged(&rung, PATIENCE));
    let heard = desk.wait_for_tone(500.0, answered, PATIENCE);
    assert!(heard.is_some(), "the operator hears the caller");
    assert!(phone.hang_up(&mut call));
    assert!(operator.hung_up_by_them(&rung, PATIENCE).is_some());
    centre.close();
}

#[test]
fn ptime_and_maxptime_of_the_caller_are_kept() {
    let centre = Centre::open(&Plan::default());
    let _sitter = centre.sitter();
    let mut phone = centre.caller(0);
    for (attributes, millis) in [("a=ptime:10\r\na=maxptime:10\r\n", 10), ("a=ptime:30\r\n", 30)] {
        let rtp = RtpEndpoint::open(centre.ip(CALLER));
        let offer = sdp(rtp.local(), &[Law::A]).replace("a=ptime:20\r\n", attributes);
        assert!(offer.contains(attributes), "{offer}");
        let mut call = phone.invite_with(STRAIGHT, &offer);
        let answer = phone.outcome(&mut call, &rtp, PATIENCE).expect("an answer");
        assert!(
            answer.body.contains(&format!("a=ptime:{millis}\r\n")),
            "{}",
            answer.body
        );
        let music = clip("music");
        let heard = rtp.wait(MUSIC, 10, |packets| {
            let samples = Audio::new(&packets[packets.len().saturating_sub(100)..]).samples;
            let last = &samples[samples.len().checked_sub(PIECE)?..];
            locate(last, &music).filter(|found| found.score > RECOGNISED)
        });
        assert!(
            heard.is_some(),
            "the caller hears music in packets of {millis} ms"
        );
        let long = |packet: &&Packet| packet.payload.len() > millis * 8;
        assert_eq!(rtp.packets().iter().filter(long).count(), 0, "{millis} ms");
        assert!(phone.hang_up(&mut call));
    }
    centre.close();
}

#[test]
fn a_forged_invite_sends_little_to_a_third_party_until_it_is_acknowledged() {
    let centre = Centre::open(&Plan::default());
    let _sitter = centre.sitter();
    for (n, number) in [STRAIGHT, EARLY].into_iter().enumerate() {
        let mut phone = centre.caller(n as u8);
        let victim = RtpEndpoint::open(centre.ip(STRANGER));
        let offer = sdp(victim.local(), &[Law::A]);
        let mut call = phone.invite_with(number, &offer);
        let octets = |victim: &RtpEndpoint| -> usize {
            victim
                .packets()
                .iter()
                .map(|packet| packet.payload.len() + 12)
                .sum()
        };
        // An INVITE of ours is longer than that.
        let asked = 3 * (offer.len() + 300);
        if number == STRAIGHT {
            // Four 200s take 3.5 s: silence at 50 packets a second would be 30,000 octets.
            for _ in 0..4 {
                let ok = phone.receive(UNACKNOWLEDGED, |message| message.status() == Some(200));
                assert!(ok.is_some(), "the 200 is sent until it is acknowledged");
            }
        } else {
            let early = phone.receive(PATIENCE, |message| message.status() == Some(183));
            assert!(early.is_some(), "early media");
            // As long as a call beside it takes to be heard.
            let mut other = centre.caller(9);
            let rtp = RtpEndpoint::open(centre.ip(CALLER + 9));
            let mut beside = other.call(STRAIGHT, &rtp, Law::A);
            music_is_heard(&rtp);
            assert!(other.hang_up(&mut beside));
        }
        assert!(octets(&victim) <= asked, "{number}: {} octets", octets(&victim));
        if number == STRAIGHT {
            let ok = phone.final_response(&mut call, UNACKNOWLEDGED);
            assert!(ok.is_some());
            music_is_heard(&victim);
            assert!(phone.hang_up(&mut call));
        } else {
            phone.cancel(&call);
            let gone = refused(&mut phone, call);
            assert_eq!(gone.status(), Some(487));
        }
    }
    centre.close();
}

#[test]
fn a_press_told_by_events_and_by_info_is_one_key() {
    let centre = Centre::open(&Plan::default());
    let _sitter = centre.sitter();
    let mut phone = centre.caller(0);
    let rtp = RtpEndpoint::open(centre.ip(CALLER));
    let start = Instant::now();
    let mut call = phone.call(ITALIAN, &rtp, Law::A);
    let welcomed = rtp.wait_for_clip(&clip("it/welcome"), start, Duration::from_secs(15));
    assert!(welcomed.is_some(), "the caller is welcomed");
    rtp.press('1');
    assert_eq!(phone.inform(&mut call, "Signal=1\r\nDuration=100\r\n"), Some(200));
    music_is_heard(&rtp);
    assert!(phone.hang_up(&mut call));
    let told = |line: &String| line.contains("\"digits\":1");
    let deadline = Instant::now() + PATIENCE;
    let mut calls = centre.calls(&["--json"]);
    while calls.iter().any(|line| line.contains("\"digits\":null")) && Instant::now() < deadline {
        calls = centre.calls(&["--json"]);
    }
    assert!(calls.iter().any(told), "{calls:?}");
    centre.close();
}

#[test]
fn rtp_of_a_stranger_takes_no_stream_where_a_port_is_still_to_be_learned() {
    let centre = Centre::open(&Plan::default());
    let _sitter = centre.sitter();
    let mut phone = centre.caller(0);
    let (rtp, stranger) = (
        RtpEndpoint::open(centre.ip(CALLER)),
        RtpEndpoint::open(centre.ip(STRANGER)),
    );
    let unused = SocketAddr::new(rtp.local().ip(), rtp.local().port() ^ 1);
    let mut call = phone.invite_with(STRAIGHT, &sdp(unused, &[Law::A]));
    let answer = phone.final_response(&mut call, PATIENCE).expect("an answer");
    let (remote, law) = answer.media().expect("the answer has audio");
    stranger.send_to(remote, law);
    stranger.say(Sound::Tone(900.0));
    let before = centre.figure("pronto_media_dropped_total{reason=\"foreign\"}");
    let deadline = Instant::now() + PATIENCE;
    while centre.figure("pronto_media_dropped_total{reason=\"foreign\"}") < before + 50.0 {
        assert!(Instant::now() < deadline, "the stranger's packets are counted");
    }
    rtp.say(Sound::Silence);
    rtp.send_to(remote, law);
    music_is_heard(&rtp);
    assert_eq!(stranger.packets().len(), 0, "the stranger gets nothing");
    assert!(phone.hang_up(&mut call));
    centre.close();
}
