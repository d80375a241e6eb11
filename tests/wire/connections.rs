//! Connections of strangers: many that hold what they have, and slow ones. None of them shuts a phone, a trunk or an
//! integrator out.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::kit::baresip::{Account, Baresip};
use crate::kit::centre::{Centre, PASSWORD, Plan, STRAIGHT};
use crate::kit::g711::Law;
use crate::kit::ground::{CALLER, CENTRE, STRANGER};
use crate::kit::phone::PATIENCE;
use crate::kit::rtp::{RtpEndpoint, Sound};

/// When a silent stranger must be gone, on a machine that has other things to do.
const GONE: Duration = Duration::from_secs(50);

fn connect(from: IpAddr, to: SocketAddr) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(from, 0).into()).unwrap();
    socket
        .connect(&to.into())
        .expect("the listener takes the connection");
    socket.into()
}

fn options(number: usize) -> String {
    format!(
        "OPTIONS sip:centre SIP/2.0\r\nVia: SIP/2.0/TCP stranger;branch=z9hG4bK{number}\r\nMax-Forwards: 70\r\n\
         From: <sip:a@b>;tag=1\r\nTo: <sip:centre>\r\nCall-ID: {number}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )
}

/// Whether an OPTIONS over a connection of its own is answered, by whatever.
fn is_answered(from: IpAddr, to: SocketAddr) -> bool {
    let mut stream = connect(from, to);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let _ = stream.write_all(options(0).as_bytes());
    let mut answer = [0; 7];
    stream.read_exact(&mut answer).is_ok() && answer == *b"SIP/2.0"
}

/// Whether the other side has ended it. Whatever came before that is passed over.
fn is_over(stream: &mut TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() != ErrorKind::WouldBlock,
        }
    }
}

#[test]
fn strangers_who_hold_all_connections_shut_nobody_out() {
    let centre = Centre::open(&Plan::default());
    let mut held = Vec::new();
    for host in 0..4 {
        for number in 0..1024 {
            let mut stream = connect(centre.ip(STRANGER + host), centre.sip());
            stream
                .write_all(options(number).as_bytes())
                .expect("it is taken, if only to be closed");
            held.push(stream);
        }
    }
    assert!(
        is_answered(centre.ip(STRANGER + 9), centre.sip()),
        "one more stranger, who may be a phone"
    );
    assert!(
        is_answered(centre.ip(STRANGER), centre.sip()),
        "one more from an address that has its share"
    );
    assert!(is_answered(centre.ip(CALLER), centre.sip()), "the trunk");
    drop(held);
    centre.close();
}

/// A slow stranger: its name, the port, the octets sent at once, and the octets sent again and again.
type Slow = (&'static str, u16, Vec<u8>, &'static [u8]);

fn slow_strangers() -> [Slow; 8] {
    let upgrade = "GET / HTTP/1.1\r\nHost: centre\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Protocol: sip\r\n\r\n";
    [
        ("one OPTIONS", 5060, options(1).into_bytes(), b""),
        (
            "one OPTIONS, then keep-alives",
            5060,
            options(2).into_bytes(),
            b"\r\n\r\n",
        ),
        ("keep-alives", 5060, b"\r\n\r\n".to_vec(), b"\r\n\r\n"),
        (
            "a message, octet by octet",
            5060,
            b"OPTIONS sip:centre SIP/2.0\r\nSubject: ".to_vec(),
            b"x",
        ),
        (
            "one OPTIONS, then half of one",
            5060,
            [options(3).as_bytes(), b"OPTIONS"].concat(),
            b"",
        ),
        (
            "half a TLS handshake",
            5061,
            vec![0x16, 0x03, 0x01, 0x01, 0x00],
            b"",
        ),
        (
            "half a WebSocket upgrade",
            8080,
            upgrade.as_bytes()[..60].to_vec(),
            b"",
        ),
        (
            "a WebSocket with pings",
            8080,
            upgrade.as_bytes().to_vec(),
            b"\x89\x80\0\0\0\0",
        ),
    ]
}

#[test]
fn a_silent_stranger_is_gone_after_30_s_and_a_bound_phone_stays() {
    let mut centre = Centre::open(&Plan {
        secure: true,
        ..Plan::default()
    });
    let account = Account {
        user: "101",
        password: PASSWORD,
        registrar: Some(centre.sip_over_tls()),
        answers: true,
        tone: 900.0,
        codecs: "pcmu",
        tls: true,
    };
    let mut operator = Baresip::start(&account, &centre.ground.subdirectory("101"));
    assert!(operator.registered(PATIENCE), "the operator's phone registers");
    let start = Instant::now();
    let mut open: Vec<(&str, TcpStream, &[u8])> = Vec::new();
    for (name, port, first, again) in slow_strangers() {
        let to = SocketAddr::new(centre.ip(CENTRE), port);
        let mut stream = connect(centre.ip(STRANGER), to);
        stream.write_all(&first).expect("the listener takes it");
        open.push((name, stream, again));
    }
    while !open.is_empty() {
        let names: Vec<&str> = open.iter().map(|(name, ..)| *name).collect();
        assert!(start.elapsed() < GONE, "still there: {names:?}");
        open.retain_mut(|(_, stream, again)| {
            let _ = stream.write(again);
            !is_over(stream)
        });
        // The pace at which they send.
        std::thread::park_timeout(Duration::from_millis(500));
    }

    let mut caller = centre.caller(0);
    let rtp = RtpEndpoint::open(centre.ip(CALLER));
    let called = Instant::now();
    let mut call = caller.call(STRAIGHT, &rtp, Law::Mu);
    rtp.say(Sound::Tone(500.0));
    assert!(
        operator.event("CALL_ESTABLISHED", 2 * PATIENCE).is_some(),
        "the phone is called on the connection it registered over"
    );
    assert!(rtp.wait_for_tone(900.0, called, PATIENCE).is_some());
    assert!(caller.hang_up(&mut call));
    assert!(operator.quit());
    centre.until("all connections are over", |centre| {
        centre.figure("pronto_sip_connections ") == 0.0
    });
    centre.close();
}

/// Opens `count` connections with these octets, and waits until all but `left` are over.
fn hold_in_vain(centre: &mut Centre, port: u16, octets: &[u8], count: usize, left: usize) -> Vec<TcpStream> {
    let to = SocketAddr::new(centre.ip(CENTRE), port);
    let mut held: Vec<TcpStream> = Vec::new();
    for number in 0..count {
        let mut stream = connect(centre.ip(STRANGER + (number % 8) as u8), to);
        let _ = stream.write_all(octets);
        held.push(stream);
    }
    let deadline = Instant::now() + GONE;
    loop {
        held.retain_mut(|stream| !is_over(stream));
        if held.len() <= left {
            return held;
        }
        assert!(
            Instant::now() < deadline,
            "{} of {count} connections to port {port} are held",
            held.len()
        );
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

#[test]
fn half_requests_do_not_hold_the_metrics_page_nor_grpc() {
    let mut centre = Centre::open(&Plan::default());
    let halves = hold_in_vain(&mut centre, 9090, b"GET /metrics HTTP/1.1\r\nHost: ce", 2000, 64);
    assert!(centre.figure("pronto_connections_closed_total") > 1000.0);
    let frames = hold_in_vain(&mut centre, 50051, b"PRI * HTTP/2.0\r\n", 2000, 256);
    // An integrator's call, over gRPC.
    assert!(centre.trace(&[]).is_ok());
    // And those that are left do not stay either.
    let mut left: Vec<TcpStream> = halves.into_iter().chain(frames).collect();
    let deadline = Instant::now() + GONE;
    while !left.is_empty() {
        left.retain_mut(|stream| !is_over(stream));
        assert!(Instant::now() < deadline, "{} are held", left.len());
        std::thread::park_timeout(Duration::from_millis(100));
    }
    centre.close();
}
