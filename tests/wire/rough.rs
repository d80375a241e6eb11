//! Rough input: what no peer should send, and some do.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use crate::kit::centre::{Centre, ITALIAN, MUSIC, Plan, STRAIGHT, clip};
use crate::kit::g711::Law;
use crate::kit::ground::{CALLER, STRANGER};
use crate::kit::message::sdp;
use crate::kit::phone::{PATIENCE, Phone};
use crate::kit::rtp::{RtpEndpoint, Sound};

/// A small generator (Knuth's MMIX constants): the same rough input every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}

fn an_invite(from: &str, to: &str, body: &str) -> Vec<u8> {
    format!(
        "INVITE sip:800@{to} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bKrough;rport\r\nMax-Forwards: 70\r\n\
         From: <sip:rough@{from}>;tag=1\r\nTo: <sip:800@{to}>\r\nCall-ID: rough@{from}\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:rough@{from}>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn still_works(centre: &Centre) {
    let _sitter = centre.sitter();
    let mut caller = centre.caller(7);
    let rtp = RtpEndpoint::open(centre.ip(CALLER + 7));
    let mut call = caller.call(STRAIGHT, &rtp, Law::Mu);
    assert!(
        rtp.wait_for_part_of(&clip("music"), Instant::now(), MUSIC)
            .is_some(),
        "a call still works"
    );
    assert!(caller.hang_up(&mut call));
}

#[test]
fn garbage_and_mangled_messages_over_udp_are_survived() {
    let centre = Centre::open(&Plan::default());
    let mut dice = Dice(20_261_123);
    for host in [CALLER, STRANGER] {
        let mut phone = Phone::open("rough", centre.ip(host), centre.sip());
        let rtp = RtpEndpoint::open(centre.ip(host));
        let whole = an_invite(
            &phone.local().to_string(),
            &centre.sip().to_string(),
            &sdp(rtp.local(), &[Law::Mu]),
        );
        for round in 0..2_000 {
            let mut bytes = whole.clone();
            match round % 4 {
                0 => bytes = (0..dice.roll(1_400)).map(|_| dice.roll(256) as u8).collect(),
                1 => bytes.truncate(dice.roll(whole.len())),
                2 => (0..1 + dice.roll(8)).for_each(|_| {
                    let at = dice.roll(whole.len());
                    bytes[at] = dice.roll(256) as u8;
                }),
                _ => {
                    let (at, times) = (dice.roll(whole.len()), dice.roll(2_000));
                    bytes.splice(at..at, std::iter::repeat_n(bytes[at], times));
                }
            }
            phone.send_raw(&bytes);
            // In step with the centre: what it cannot take in is no test of what it does with it.
            if round % 100 == 99 {
                assert!(
                    phone.ping(PATIENCE).is_some(),
                    "no answer to OPTIONS after round {round}"
                );
            }
        }
    }
    still_works(&centre);
    // Some of the mangled INVITEs were good enough for a call.
    centre.close_now();
}

#[test]
fn garbage_half_messages_and_idle_connections_over_tcp_are_survived() {
    let centre = Centre::open(&Plan::default());
    let mut dice = Dice(5_060);
    let whole = an_invite("127.0.0.1:5060", &centre.sip().to_string(), "v=0\r\n");
    let mut idle = Vec::new();
    for round in 0..200 {
        let mut stream = TcpStream::connect(centre.sip()).expect("a connection is taken");
        let bytes: Vec<u8> = match round % 4 {
            0 => (0..dice.roll(4_000)).map(|_| dice.roll(256) as u8).collect(),
            1 => whole[..dice.roll(whole.len())].to_vec(),
            2 => format!("OPTIONS sip:x SIP/2.0\r\nContent-Length: {}\r\n\r\n", u64::MAX).into_bytes(),
            _ => b"\r\n\r\n".to_vec(),
        };
        let _ = stream.write_all(&bytes);
        if round % 2 == 0 {
            idle.push(stream);
        }
    }
    // A header that never ends is cut off, not stored.
    let mut endless = TcpStream::connect(centre.sip()).expect("a connection is taken");
    endless
        .set_write_timeout(Some(PATIENCE))
        .expect("a positive timeout is accepted");
    endless
        .set_read_timeout(Some(PATIENCE))
        .expect("a positive timeout is accepted");
    let _ = endless.write_all(b"OPTIONS sip:x SIP/2.0\r\nX: ");
    let refused = (0..4_000).any(|_| endless.write_all(&[b'a'; 4_096]).is_err());
    let mut rest = Vec::new();
    let ended = refused || endless.read_to_end(&mut rest).is_ok();
    assert!(ended, "16 MB of one header are taken without a word");
    still_works(&centre);
    drop(idle);
    centre.close();
}

#[test]
fn rtp_from_strangers_is_not_heard_and_mangled_rtp_hurts_nobody() {
    let centre = Centre::open(&Plan::default());
    let _sitter = centre.sitter();
    let mut caller = centre.caller(0);
    let (rtp, stranger) = (
        RtpEndpoint::open(centre.ip(CALLER)),
        RtpEndpoint::open(centre.ip(STRANGER)),
    );
    let mut invite = caller.invite(ITALIAN, &rtp, &[Law::Mu]);
    let answer = caller
        .outcome(&mut invite, &rtp, PATIENCE)
        .expect("a final response");
    let (media, law) = answer.media().expect("the answer has audio");
    rtp.say(Sound::Silence);
    rtp.press('1');
    let music = || rtp.wait_for_part_of(&clip("music"), Instant::now(), MUSIC);
    assert!(music().is_some(), "the caller waits");
    // A stranger presses 9, which would lead back to the menu, and mangled packets come from the caller's own host.
    stranger.send_to(media, law);
    stranger.say(Sound::Tone(1_700.0));
    let pressed = stranger.press('9');
    let socket =
        std::net::UdpSocket::bind((centre.ip(CALLER), 0)).expect("an address of the loopback can be bound");
    let mut dice = Dice(1_733);
    for _ in 0..2_000 {
        let bytes: Vec<u8> = (0..dice.roll(300)).map(|_| dice.roll(256) as u8).collect();
        let _ = socket.send_to(&bytes, media);
    }
    let menu = clip("it/main-menu");
    let led_back = rtp.wait_for_part_of(&menu, pressed, Duration::from_secs(2));
    assert!(led_back.is_none(), "a stranger's key is not the caller's");
    assert!(music().is_some(), "the music goes on");
    assert!(
        stranger
            .wait(Duration::from_millis(300), 1, |_| Some(()))
            .is_none(),
        "nothing is sent to strangers"
    );
    let foreign = centre.figure("pronto_media_dropped_total{reason=\"foreign\"}");
    assert!(foreign >= 1.0, "what strangers send is counted: {foreign}");
    // The same key from the caller does lead back.
    let pressed = rtp.press('9');
    assert!(
        rtp.wait_for_clip(&menu, pressed, 4 * PATIENCE).is_some(),
        "the caller's own 9 does"
    );
    assert!(caller.hang_up(&mut invite));
    rtp.assert_one_stream();
    still_works(&centre);
    centre.close();
}

/// Everything the centre says on a connection until it closes it.
fn said_after(centre: &Centre, text: &str, half_closed: bool) -> String {
    let mut stream = TcpStream::connect(centre.sip()).expect("a connection is taken");
    stream
        .set_read_timeout(Some(PATIENCE))
        .expect("a positive timeout is accepted");
    stream.write_all(text.as_bytes()).expect("it is taken");
    if half_closed {
        stream.shutdown(Shutdown::Write).expect("it is open");
    }
    let mut said = String::new();
    stream
        .read_to_string(&mut said)
        .expect("the centre closes it, and does not reset it");
    said
}

#[test]
fn a_refusal_over_tcp_is_heard_before_the_connection_closes() {
    let centre = Centre::open(&Plan::default());
    let head = "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKr\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:x>\r\nCall-ID: r\r\nCSeq: 1 OPTIONS\r\n";
    for (text, half_closed, status) in [
        (format!("{head}\r\n"), false, "400"),
        (format!("{head}Content-Length: -1\r\n\r\n"), false, "400"),
        (head.replace("<sip:a@b>", "Bell, A <sip:a@b>"), false, "400"),
        (format!("{head}Content-Length: 0\r\n\r\n"), true, "200"),
    ] {
        let said = said_after(&centre, &text, half_closed);
        assert!(
            said.starts_with(&format!("SIP/2.0 {status} ")),
            "{said:?} to {text:?}"
        );
    }
    centre.close_now();
}
