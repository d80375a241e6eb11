//! The other ways a phone may come: TLS and WebSockets, with phones that share no code with the product.

use std::io::{Read, Write};
use std::net::{Ipv6Addr, TcpStream, UdpSocket};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::kit::baresip::{Account, Baresip};
use crate::kit::browser::{Browser, offer};
use crate::kit::centre::{Centre, ITALIAN, PASSWORD, Plan, STRAIGHT, clip};
use crate::kit::g711::Law;
use crate::kit::ground::{CALLER, PHONE};
use crate::kit::message::{Message, parameter};
use crate::kit::phone::PATIENCE;
use crate::kit::process::Process;
use crate::kit::rtp::{RtpEndpoint, Sound};
use crate::kit::tls::{certificate, is_believed, is_believed_from};

fn secure() -> Centre {
    Centre::open(&Plan {
        secure: true,
        ..Plan::default()
    })
}

/// baresip, registered as an operator over TLS.
fn baresip(centre: &Centre, user: &str) -> Baresip {
    let account = Account {
        user,
        password: PASSWORD,
        registrar: Some(centre.sip_over_tls()),
        answers: true,
        tone: 900.0,
        codecs: "pcmu",
        tls: true,
    };
    Baresip::start(&account, &centre.ground.subdirectory(user))
}

#[test]
fn a_phone_over_tls_answers_a_caller_and_a_new_certificate_does_not_drop_its_call() {
    let mut centre = secure();
    let directory = centre.ground.directory();
    let (shown, old) = (directory.join("centre.crt"), directory.join("old.crt"));
    std::fs::copy(&shown, &old).expect("the test's directory is writable");
    let mut operator = baresip(&centre, "101");
    assert!(operator.registered(PATIENCE), "baresip cannot register over TLS");
    let mut caller = centre.caller(0);
    let rtp = RtpEndpoint::open(centre.ip(CALLER));
    let start = Instant::now();
    let mut call = caller.call(STRAIGHT, &rtp, Law::Mu);
    rtp.say(Sound::Tone(500.0));
    assert!(operator.event("CALL_ESTABLISHED", 2 * PATIENCE).is_some());
    assert!(
        rtp.wait_for_tone(900.0, start, PATIENCE).is_some(),
        "the operator is heard"
    );

    // The renewal: other files, and the signal.
    assert!(is_believed(centre.sip_over_tls(), &old));
    certificate(directory, "centre", centre.sip().ip());
    centre.signal("HUP");
    centre.until("the new certificate is shown", |centre| {
        is_believed(centre.sip_over_tls(), &shown)
    });
    assert!(
        !is_believed(centre.sip_over_tls(), &old),
        "the old one is not shown any more"
    );

    // The talk went on over the old connection, and its end still comes to the phone by it.
    let later = Instant::now();
    assert!(
        rtp.wait_for_tone(900.0, later, PATIENCE).is_some(),
        "still talking"
    );
    assert!(caller.hang_up(&mut call));
    assert!(
        operator.event("CALL_CLOSED", PATIENCE).is_some(),
        "the BYE comes over TLS"
    );
    assert!(operator.quit());
    centre.close();
}

/// node, its packages and a registration.
const A_PAGE: Duration = Duration::from_secs(60);

#[test]
fn a_web_page_over_websockets_answers_a_caller_on_the_connection_it_opened() {
    let centre = secure();
    for (over, host, user) in [("wss", 0, "101"), ("ws", 1, "102")] {
        let page_rtp = RtpEndpoint::open(centre.ip(PHONE + host));
        let mut page = Browser::start(&centre, user, over, &offer(&page_rtp), &["answer"]);
        let contact = page.says("registered", A_PAGE).expect("the page registers");
        assert!(
            contact.contains(".invalid;transport=ws"),
            "nobody can connect to {contact}"
        );
        let mut caller = centre.caller(host);
        let rtp = RtpEndpoint::open(centre.ip(CALLER + host));
        let start = Instant::now();
        let mut call = caller.call(STRAIGHT, &rtp, Law::Mu);
        rtp.say(Sound::Tone(500.0));
        assert!(page.talk(&page_rtp, PATIENCE), "the page is offered the call");
        page_rtp.say(Sound::Tone(900.0));
        assert!(
            page.says("established", PATIENCE).is_some(),
            "our ACK comes to the page"
        );
        assert!(
            rtp.wait_for_tone(900.0, start, PATIENCE).is_some(),
            "the page is heard"
        );
        assert!(
            page_rtp.wait_for_tone(500.0, start, PATIENCE).is_some(),
            "and hears"
        );
        assert!(caller.hang_up(&mut call));
        assert!(
            page.says("ended", PATIENCE).is_some(),
            "our BYE comes to the page"
        );
        assert!(page.has_ended(PATIENCE));
    }
    centre.close();
}

#[test]
fn a_web_page_calls_a_number_and_hangs_up() {
    let centre = secure();
    let rtp = RtpEndpoint::open(centre.ip(PHONE));
    let start = Instant::now();
    let mut page = Browser::start(&centre, "101", "wss", &offer(&rtp), &["call", ITALIAN]);
    assert!(page.says("established", A_PAGE).is_some(), "the number answers");
    assert!(page.talk(&rtp, PATIENCE));
    let welcomed = rtp.wait_for_clip(&clip("it/welcome"), start, A_PAGE);
    assert!(welcomed.is_some(), "the page is welcomed");
    page.hang_up();
    assert!(page.says("ended", PATIENCE).is_some());
    assert!(page.has_ended(PATIENCE));
    centre.close();
}

#[test]
fn a_web_page_that_offers_encrypted_media_alone_is_told_that_it_cannot_be() {
    let centre = secure();
    let rtp = RtpEndpoint::open(centre.ip(PHONE));
    let encrypted = offer(&rtp).replace("RTP/AVP", "UDP/TLS/RTP/SAVPF");
    let mut page = Browser::start(&centre, "101", "wss", &encrypted, &["call", ITALIAN]);
    let refused = page.says("refused", A_PAGE).expect("the offer is refused");
    assert_eq!(refused.split(' ').next(), Some("488"), "{refused}");
    assert!(page.has_ended(PATIENCE));
    centre.close();
}

fn options(transport: &str, from: &str, to: &str) -> String {
    format!(
        "OPTIONS sip:{to} SIP/2.0\r\nVia: SIP/2.0/{transport} {from};branch=z9hG4bK{transport};rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:a@{from}>;tag=1\r\nTo: <sip:{to}>\r\nCall-ID: {transport}\r\n\
         CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )
}

#[test]
fn ipv6_is_spoken_over_udp_and_tcp_and_told_back_in_the_via() {
    let centre = secure();
    let mut buffer = [0; 4_096];
    let socket = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).expect("this machine has IPv6");
    socket
        .set_read_timeout(Some(PATIENCE))
        .expect("a positive timeout is accepted");
    let (here, there) = (socket.local_addr().expect("bound"), centre.sip_over_ipv6("udp"));
    socket
        .send_to(options("UDP", "[::1]:9", &there.to_string()).as_bytes(), there)
        .expect("the loopback takes a datagram");
    let length = socket
        .recv(&mut buffer)
        .expect("an answer to the source, not to port 9");
    let answer = Message::parse(&buffer[..length]).expect("SIP");
    let via = answer.header("Via").expect("the Via comes back");
    assert_eq!(answer.status(), Some(200));
    assert_eq!(parameter(via, "rport"), Some(here.port().to_string().as_str()));

    let mut stream = TcpStream::connect(centre.sip_over_ipv6("tcp")).expect("a connection is taken");
    stream
        .set_read_timeout(Some(PATIENCE))
        .expect("a positive timeout is accepted");
    let request = options("TCP", "[2001:db8::1]:5060", "[::1]");
    // Two in one segment, and a keep-alive between them.
    let two = format!("{request}\r\n\r\n{}", request.replace("z9hG4bK", "z9hG4bKtwo"));
    stream.write_all(two.as_bytes()).expect("the loopback takes it");
    let mut text = String::new();
    while text.matches("SIP/2.0 200").count() < 2 {
        let length = stream.read(&mut buffer).expect("both are answered");
        assert!(length > 0, "closed after {text}");
        text += &String::from_utf8_lossy(&buffer[..length]);
    }
    assert!(text.contains(";received=::1;rport="), "{text}");
    drop(stream);
    centre.close();
}

/// Silent connections opened at once from one address; of these, a burst is let in.
const FLOOD: usize = 300;
const BURST: usize = 64;

#[test]
fn who_begins_handshakes_without_end_gets_no_more_of_them_and_others_get_theirs() {
    let mut centre = secure();
    let (server, shown) = (
        centre.sip_over_tls(),
        centre.ground.directory().join("centre.crt"),
    );
    let begun = Instant::now();
    let flood: Vec<TcpStream> = (0..FLOOD)
        .map(|_| TcpStream::connect(server).expect("the kernel takes it"))
        .collect();
    let closed = |flood: &[TcpStream]| {
        let is_closed = |mut stream: &TcpStream| {
            stream.set_nonblocking(true).expect("it can be");
            let read = stream.read(&mut [0; 16]);
            read.map_or_else(
                |error| error.kind() != std::io::ErrorKind::WouldBlock,
                |length| length == 0,
            )
        };
        flood.iter().filter(|stream| is_closed(stream)).count()
    };
    centre.until("the flood is refused", |_| {
        // What grew back while the connections were made was let in too.
        let grown = 16 * usize::try_from(begun.elapsed().as_secs() + 1).unwrap_or(usize::MAX);
        closed(&flood) + BURST + grown >= FLOOD
    });
    assert!(closed(&flood) <= FLOOD - BURST, "a burst is let in");
    assert!(centre.figure("pronto_sip_handshakes_refused_total") >= 100.0);
    assert!(
        is_believed_from(centre.ip(PHONE), server, &shown),
        "another address gets its handshake"
    );
    assert!(!is_believed(server, &shown), "the flood's does not");
    // Plain connections cost no handshake.
    let mut caller = centre.caller(0);
    assert_eq!(caller.ping(PATIENCE), Some(200));
    drop(flood);
    // Its places come free as its connections end.
    centre.until("the flooder is let in again", |_| is_believed(server, &shown));
    centre.close();
}

/// The class of service (RFC 2474) as it stands in the packets that leave: CS3 on signalling, EF on media.
#[test]
fn packets_of_signalling_and_of_media_carry_their_class_of_service() {
    let centre = Centre::open(&Plan::default());
    let mut capture = Process::start(
        "tcpdump (it needs the right to capture, as root has it)",
        Command::new("tcpdump")
            .args(["-i", "lo", "-n", "-v", "-l", "--immediate-mode", "src", "host"])
            .arg(centre.sip().ip().to_string()),
    );
    let listening = capture.wait_for_line(PATIENCE, |line| line.contains("listening on lo"));
    assert!(listening.is_some(), "no capture: {}", capture.log());
    let rtp = RtpEndpoint::open(centre.ip(CALLER));
    let start = Instant::now();
    let mut caller = centre.caller(0);
    let mut call = caller.call(ITALIAN, &rtp, Law::A);
    assert!(rtp.wait_for_clip(&clip("it/welcome"), start, A_PAGE).is_some());
    assert!(caller.hang_up(&mut call));
    let mut stream = TcpStream::connect(centre.sip()).expect("a connection is taken");
    let request = options("TCP", "127.0.0.1:5060", &centre.sip().to_string());
    stream
        .write_all(request.as_bytes())
        .expect("the loopback takes it");
    assert!(stream.read(&mut [0; 4_096]).is_ok_and(|length| length > 0));
    // The answer's packet is the last of all.
    let answered = capture.wait_for_line(PATIENCE, |line| {
        line.contains(".5060 > 127.0.0.1.") && !line.contains("length 0")
    });
    assert!(answered.is_some(), "{}", capture.log());
    capture.signal("INT");
    assert!(capture.wait_for_exit(PATIENCE).is_some());
    let log = capture.log();
    let lines: Vec<&str> = log.lines().collect();
    let (mut signalling, mut media, mut stream) = (0, 0, 0);
    for pair in lines.windows(2).filter(|pair| pair[0].contains("IP (tos ")) {
        let (head, tail) = (pair[0], pair[1]);
        let is = |class: &str| head.contains(&format!("(tos {class}, "));
        if head.contains("proto UDP") && tail.contains(".5060 > ") {
            assert!(is("0x60"), "{head}{tail}");
            signalling += 1;
        } else if head.contains("proto UDP") {
            assert!(is("0xb8"), "{head}{tail}");
            media += 1;
        } else if head.contains("proto TCP") && tail.contains(".5060 > ") && !tail.contains("length 0") {
            assert!(is("0x60"), "{head}{tail}");
            stream += 1;
        }
    }
    assert!(
        signalling >= 2 && media >= 50 && stream >= 1,
        "{signalling} {media} {stream}: {log}"
    );
    centre.close();
}
